"""The table of options in other languages: `python proto/options.py` generates files from it.

These are the form of the page and its words (server/web/page/options.js, words_options.js), the dialog of REAPER, a
block of client/reaper/seq2drum.lua, and the tables of docs/guitarists/options.md and docs/reaper.md. `--check` only
reports stale files. The table is seq2drum/music/options.py.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import fresh

from seq2drum.music import drum_maps
from seq2drum.music.choices import AUTO, Choice, Form
from seq2drum.music.file_options import BEATS, SESSION, TIMING
from seq2drum.music.options import CHOICES, PLACE_FIELDS, SECTIONS, names_in

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "server" / "web" / "page"
_MADE = "Made by `python proto/options.py` of seq2drum/music/options.py"
_WHOLE = 1 << 53  # whole numbers up to here are exact as a number of JavaScript

Option = tuple[str, Choice]


def shown() -> list[Option]:
    """The options by name, section after section."""
    return [(name, CHOICES[name]) for section in SECTIONS for name in names_in(section)]


# --- the page ---------------------------------------------------------------------------------------------------------


PLACED = (*PLACE_FIELDS.values(), "time_places", "percussion_places", "half_time", "out")
"""Options of places, each with a control in the panel of the page."""


def form_options() -> list[tuple[str, Choice, Form]]:
    """The options of the form in its order: menus before sliders, rare ones last, and then those of places."""
    known = [(name, one, one.form) for name, one in shown() if one.form is not None]
    placed = [(name, Choice(tuple, "PLACES", ""), Form(is_in_panel=True)) for name in PLACED]
    about = ("a bar, such as 9; no drums before it", "ein Takt, zum Beispiel 9; davor kein Schlagzeug")
    enter = ("enter", Choice(tuple, "PLACES", about[0], label=CHOICES["enter"].label), Form(about))
    return [*sorted(known, key=lambda option: (option[2].is_rare, option[1].kind is float)), *placed, enter]


def page() -> str:
    """The module of the options of the form."""
    return "\n".join(
        [
            f"/** The options of the form. {_MADE}. */",
            "",
            "/**",
            " * @typedef {object} Values",
            *(f" * @property {{{_js_type(one)}}} [{name}]" for name, one, _ in form_options()),
            " */",
            "",
            "/**",
            " * @typedef {object} Option",
            " * @property {keyof Values} name",
            ' * @property {"number" | "text" | "whole" | "places"} kind places: a text of sections and bars',
            " * @property {readonly [number, number]} [range] of a number, its ends",
            " * @property {readonly string[]} [words] of a text that is one of a few words",
            " * @property {boolean} [isInPanel] whether the panel of a part has a control of its own for it",
            " * @property {boolean} [isChoosing] whether a change affects all takes, not only the chosen one",
            " */",
            "",
            "/** In the order in which they are shown. @type {readonly Option[]} */",
            "export const OPTIONS = [",
            *(f"  {_js_option(*option)}," for option in form_options()),
            "];",
            "",
        ]
    )


def _js_type(one: Choice) -> str:
    return "number" if one.kind in (int, float) and one.most < _WHOLE else "string"


def _js_option(name: str, one: Choice, form: Form) -> str:
    fields = {"name": name, "kind": {float: "number", str: "text", int: "whole", tuple: "places"}[one.kind]}
    written = [f"{key}: {json.dumps(value)}" for key, value in fields.items()]
    if one.kind is float:
        written.append(f"range: [{one.least:g}, {one.most:g}]")
    if form.words:
        written.append(f"words: {json.dumps(list(form.words))}")
    written += [f"{key}: true" for key, on in (("isInPanel", form.is_in_panel), ("isChoosing", form.is_choosing)) if on]
    return f"{{ {', '.join(written)} }}"


def page_words() -> str:
    """The module of their words."""
    rows = [f"  {json.dumps(key)}: {json.dumps(words, ensure_ascii=False)}," for key, words in _words()]
    head = [f"/** Words of the options of the form, in English and German. {_MADE}. */", ""]
    head += ["/** @type {Record<string, readonly string[]>} */", "export const OPTION_WORDS = {"]
    return "\n".join([*head, *rows, "};", ""])


def _words() -> Iterator[tuple[str, tuple[str, str]]]:
    for name, one, form in form_options():
        if name in PLACED:
            continue
        key = f"wish.{name}"
        yield key, one.label
        if not form.is_in_panel:
            yield f"{key}.what", (form.about[0] or one.about, form.about[1])
        if form.ends:
            yield f"{key}.least", form.ends[0]
            yield f"{key}.most", form.ends[1]
        for word, words in form.words.items():
            yield f"{key}.{word}", words


# --- REAPER -----------------------------------------------------------------------------------------------------------


def dialog() -> list[Option]:
    """The options of the dialog in its order."""
    return [(name, one) for name, one in [*shown(), *SESSION.items()] if one.dialog is not None]


def controls() -> str:
    """The table of the dialog, in Lua."""
    return "\n".join(["S.CONTROLS = {", *(f"  {_lua(name, one)}," for name, one in dialog()), "}"])


def _lua(name: str, one: Choice) -> str:
    """A row of the table. caption: the name, and the possible answers. An unknown word is a title.

    behind: the word that may stand behind a whole number.
    """
    assert one.dialog is not None
    empty, is_value, _, most, others = one.dialog
    written, hint = [], f"{others}; empty: {empty}" if others else f"empty: {empty}"
    words = ("no", "yes") if one.kind is bool else drum_maps.names() if name == "drum_map" else one.words
    if one.kind is float:
        written, hint = ["level = true"], f"0 to 1{' or chorus=0.9' if one.is_placed else ''}; {hint}"
        written += ["places = true"] * one.is_placed
    elif one.kind is int:
        least, most = int(one.least), most or int(one.most)
        written = [
            f"whole = {{ {least}, {most} }}",
            *([f"behind = {json.dumps(others.split()[-1])}"] if others else []),
        ]
        hint = f"{least} to {most}{f' or {others}' if others else ''}" if is_value else hint
    elif words:
        words = tuple(dict.fromkeys([*([AUTO] if empty == AUTO else []), *words]))
        listed = textwrap.wrap(", ".join(map(json.dumps, words)), 112, break_on_hyphens=False)
        short = len(words) <= 5
        written = [
            "words = {" + (f" {listed[0]} }}" if short else "".join(f"\n    {line}" for line in listed) + ",\n  }")
        ]
        if len(words) < 12:
            hint = f"{words[0]} or {' '.join(words[1 : 5 if short else 4])}{'' if short else ' ...'}"
        else:
            hint += "; ? for all"
    else:
        written, hint = ["title = true"], f"chorus or 9-16; {hint}" if one.metavar == "PLACES" else hint
    written = [*([f"default = {json.dumps(empty)}"] if is_value else []), *written]
    key, caption = json.dumps(name.replace("_", "-")), json.dumps(f"{one.label[0]} ({hint})")
    return f"{{ key = {key}, caption = {caption}, {', '.join(written)} }}"


def knobs() -> str:
    """The table of the dialog, in the page for guitarists."""
    rows = [
        f"| {one.label[0]} | {one.dialog.about or one.about} | {one.dialog.empty} |"
        for _, one in dialog()
        if one.dialog is not None
    ]
    return "\n".join(["| knob | what it does | empty |", "|---|---|---|", *rows])


# --- the page of options ----------------------------------------------------------------------------------------------


def table(section: str) -> str:
    """The table of a section of options."""
    rows = []
    for name, one in TIMING.items() if section == BEATS else [(name, CHOICES[name]) for name in names_in(section)]:
        value = f"`{one.holds}`" if one.unset in ("", AUTO) else one.holds
        default = f". By default {value}" if one.holds else ""
        flag = f"--{name.replace('_', '-')} {one.metavar}".rstrip().replace("|", "\\|")
        rows.append(f"| `{flag}` | {one.about}{default} |")
    return "\n".join(["| option | meaning |", "|---|---|", *rows])


# --- files ------------------------------------------------------------------------------------------------------------


def blocks(text: str, first: str, last: str, made: Callable[[str], str]) -> str:
    """A text with new blocks. Each lies between a line of `first`, which contains the block's name, and one of `last`.

    made: returns the block of a name.

    Raises:
        SystemExit: there is no block.
    """
    opening = re.escape(first).replace(r"\{\}", "([^\n]*?)")
    pattern = re.compile(rf"({opening}\n).*?(\n{re.escape(last)}\n)", re.DOTALL)
    text, count = pattern.subn(lambda found: f"{found[1]}{made(found[2])}{found[3]}", text)
    if not count:
        raise SystemExit(f"there is no block between {first!r} and {last!r}")
    return text


def generated() -> Mapping[Path, str]:
    """The text of each file that is made of the table, or has a block of it."""
    lua, options, reaper = (
        ROOT / name for name in ("client/reaper/seq2drum.lua", "docs/guitarists/options.md", "docs/reaper.md")
    )
    comment, end = "<!-- {}, made by python proto/options.py -->", "<!-- end -->"
    return {
        PAGE / "options.js": page(),
        PAGE / "words_options.js": page_words(),
        lua: blocks(_read(lua), "-- {}, made by python proto/options.py", "-- end", lambda _: controls()),
        options: blocks(_read(options), comment, end, lambda section: f"\n{table(section)}\n"),
        reaper: blocks(_read(reaper), comment, end, lambda _: f"\n{knobs()}\n"),
    }


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(fresh.run(__doc__.splitlines()[0], "python proto/options.py", "options", ROOT, generated))
