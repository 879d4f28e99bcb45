"""An evaluation made readable: tables for a terminal, a page of Markdown, a page of HTML with its pictures in it.

From values to text; it computes no figures, and touches files only to write the finished page.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from seq2drum import files
from seq2drum.errors import OptionError, OutputError
from seq2drum.judge.evaluation import BY_METRE, CONTINUED, HEADLINE, Column, Estimate, Evaluation, Example, Row
from seq2drum.judge.panel import WAYS
from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER, TWELFTHS
from seq2drum.music.kit import NINE
from seq2drum.show import page
from seq2drum.show.page import BASE, GUITAR, INK, LINES, MODEL, NOTE, PALE, PAPER, SEES, SHADE, text

FORMATS = (".html", ".md")
SECTIONS = (
    ("Hits", ("hits",)),
    ("Density and distribution", ("density", "distribution")),
    ("Structure and fills", ("structure", "fills")),
    ("Feel", ("feel",)),
    ("With the guitar", ("guitar", "conditioning")),
    ("Critic, copies and faults", ("critic", "copies", "speed", "validity")),
)
PICTURED = (
    "hit F1",
    "kick and snare F1",
    "gain in F1",
    "voice JSD",
    "position JSD",
    "fill rate",
    "fill F1",
    "hits a bar",
    "syncopation",
    "critic AUC",
    "copies of 4 bars",
    "bars a second",
)
NONE = "-"
_ACROSS = 6  # figures beside each other: lines of less than 200 characters
_ROWS = ("crash", "ride", "open hat", "closed hat", "high tom", "mid tom", "low tom", "snare", "kick")
_NINE = [voice.name for voice in NINE.voices]

Table = tuple[list[str], list[list[str]]]
"""A head, and rows of as many cells."""


# --- what all of them show --------------------------------------------------------------------------------------------


def shown(estimate: Estimate | None, *, interval: str = "") -> str:
    """A figure as text; with "half" followed by half its interval, with "whole" by the interval."""
    if estimate is None or estimate.value is None:
        return NONE
    if estimate.low is None and estimate.value == round(estimate.value):
        return f"{estimate.value:.0f}"  # a count
    text = _short(estimate.value)
    if not interval or estimate.low is None or estimate.high is None:
        return text
    if interval == "whole":
        return f"{text} ({_short(estimate.low)} to {_short(estimate.high)})"
    return f"{text} ±{_short((estimate.high - estimate.low) / 2)}"


def _short(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def table(rows: Sequence[Row], names: Sequence[str], *, interval: str = "", songs: bool = False) -> Table:
    """Players by figures. songs: also of how many songs."""
    head = ["", *(["songs"] if songs else []), *names]
    body = [
        [
            _name(row),
            *([str(row.songs)] if songs else []),
            *(shown(row.figures.get(n), interval=interval) for n in names),
        ]
        for row in rows
    ]
    return head, body


def _name(row: Row) -> str:
    return f"{row.name} *" if row.sees_real and row.kind != "real" else row.name


def sections(evaluation: Evaluation) -> list[tuple[str, list[str]]]:
    """The figures of free-running by section, the headline first; each figure once, and none that nobody has."""
    there = {name for row in evaluation.free for name, value in row.figures.items() if value.value is not None}
    found = [("Headline", [name for name in HEADLINE if name in there])]
    for title, groups in SECTIONS:
        names = [column.name for column in evaluation.columns if column.group in groups and column.name in there]
        found.append((title, [name for name in names if name not in HEADLINE]))
    return [(title, names) for title, names in found if names]


def facts(evaluation: Evaluation) -> list[str]:
    """What was evaluated, how, and how long it took."""
    about = evaluation.about
    lines = [
        f"songs: {about['songs']} ({about.get('split', 'all given')}, split hash {about['split hash']}) of "
        f"{about['bars']} bars; songs of reference: {about['songs of reference']}; seed: {about['seed']}",
        "versions: " + ", ".join(f"{name} {number}" for name, number in about["versions"].items()),
        "seconds: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in evaluation.seconds.items()),
    ]
    if about.get("command"):
        lines.insert(0, f"command: {about['command']}")
    return lines


_LEGEND = "Intervals are 95 %, songs drawn again. A player with * sees the real drums of the song."
_FREE = "Free-running: nobody but * ever saw a real drum of the song."
_ON = "Played on from the first real bar: figures of the bars after it."
_METRE = "By metre: songs that never leave it."


def _metres(evaluation: Evaluation) -> list[Row]:
    """The rows by metre; of a metre that no song has, one row is enough."""
    kept = []
    for metre, rows in groupby(evaluation.by_metre, lambda row: row.name.split(":")[0]):
        found = list(rows)
        kept += [row for row in found] if found[0].songs else [Row(metre, "", "real", True, 0, {})]
    return kept


# --- text -------------------------------------------------------------------------------------------------------------


def as_text(evaluation: Evaluation) -> str:
    """Aligned tables for a terminal."""
    parts = [_FREE, ""]
    for title, names in sections(evaluation):
        for some in _beside(names):
            parts += [*_aligned(title, *table(evaluation.free, some, interval="half")), ""]
    if evaluation.continued:
        parts += [_ON, "", *_aligned("Continued", *table(evaluation.continued, CONTINUED, interval="half")), ""]
    if evaluation.by_metre:
        parts += [
            _METRE,
            "",
            *_aligned("Metre", *table(_metres(evaluation), BY_METRE, interval="half", songs=True)),
            "",
        ]
    parts += [_LEGEND.replace("Intervals are", "± is half an interval of"), *evaluation.notes, *facts(evaluation)]
    return "\n".join(parts)


def _beside(names: Sequence[str]) -> list[Sequence[str]]:
    """Figures in lots that fit beside each other, as equal as they can be."""
    lots = -(-len(names) // _ACROSS)
    return [names[len(names) * lot // lots : len(names) * (lot + 1) // lots] for lot in range(lots)]


def _aligned(title: str, head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as they need to be; a long name is written over two lines."""
    heads = [_two_lines(name) for name in (title, *head[1:])]
    widths = [
        max(*(len(line) for line in lines), *(len(row[place]) for row in body)) for place, lines in enumerate(heads)
    ]
    rows = [[lines[0] for lines in heads], [lines[1] for lines in heads], *body]
    lines = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        lines.append("  ".join(_placed(cell, width, not place) for place, (cell, width) in enumerate(cells)).rstrip())
    return [line for line in lines if line]


def _placed(cell: str, width: int, left: bool) -> str:
    return cell.ljust(width) if left else cell.rjust(width)


def _two_lines(name: str) -> tuple[str, str]:
    words = name.split(" ")
    if len(name) <= 12 or len(words) == 1:
        return "", name
    cut = min(range(1, len(words)), key=lambda at: abs(len(" ".join(words[:at])) - len(" ".join(words[at:]))))
    return " ".join(words[:cut]), " ".join(words[cut:])


# --- Markdown ---------------------------------------------------------------------------------------------------------


def as_markdown(evaluation: Evaluation) -> str:
    """The tables as a page of Markdown; the headline, on top, is fit to be pasted elsewhere."""
    parts = ["# How good the drums are", "", f"{_FREE} {_LEGEND}", ""]
    for title, names in sections(evaluation):
        parts += [f"## {title}", ""]
        for some in _beside(names):
            parts += [*_piped(*table(evaluation.free, some, interval="whole")), ""]
    if evaluation.continued:
        parts += ["## Playing on", "", _ON, ""]
        parts += [*_piped(*table(evaluation.continued, CONTINUED, interval="whole")), ""]
    if evaluation.by_metre:
        parts += ["## By metre", "", _METRE, ""]
        parts += [*_piped(*table(_metres(evaluation), BY_METRE, interval="whole", songs=True)), ""]
    parts += ["## What the figures mean", "", *_piped(*_meanings(evaluation)), ""]
    parts += ["## How it was made", "", *(f"- {line}" for line in (*evaluation.notes, *facts(evaluation))), ""]
    return "\n".join(parts)


def _piped(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    rows = [list(head), ["---"] * len(head), *body]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def _meanings(evaluation: Evaluation) -> Table:
    players = [[row.name, row.meaning, ""] for row in (*evaluation.free, *evaluation.continued[-1:])]
    named = {row[0]: row for row in players}
    figures = [[column.name, column.meaning, WAYS.get(column.better, "")] for column in evaluation.columns]
    return ["name", "meaning", ""], [*figures, *named.values()]


# --- HTML -------------------------------------------------------------------------------------------------------------


def as_html(evaluation: Evaluation) -> str:
    """One page that needs nothing else: tables, bars with intervals, the similarity curve, and drums as grids."""
    parts = ["<h1>How good the drums are</h1>", f"<p>{text(_FREE)} {text(_LEGEND)}</p>"]
    parts += [f'<p class="note">{text(note)}</p>' for note in evaluation.notes]
    every = sections(evaluation)
    parts += [f"<h2>{text(every[0][0])}</h2>", _html_table(evaluation.free, every[0][1])]
    parts += [
        "<h2>Side by side</h2>",
        '<p class="note">Whiskers are the 95 % intervals; the dashed line is the real drums\'.</p>',
        '<div class="panels">',
    ]
    known = {column.name: column for column in evaluation.columns}
    parts += [_bars(known[name], evaluation.free) for name in PICTURED if name in known]
    parts += ["</div>", "<h2>How alike bars are, by how far apart they are</h2>", _curves(evaluation)]
    parts += [
        "<h2>Drums, real and made</h2>",
        '<p class="note">The stronger, the louder. On top, where the guitar begins notes.</p>',
    ]
    for song, examples in groupby(evaluation.examples, lambda example: example.song):
        found = list(examples)
        parts += [f"<h3>{text(song)}, from bar {found[0].first_bar + 1}</h3>", _grids(found)]
    for title, names in every[1:]:
        parts += [f"<h2>{text(title)}</h2>", _html_table(evaluation.free, names)]
    if evaluation.continued:
        parts += ["<h2>Playing on</h2>", f"<p>{text(_ON)}</p>", _html_table(evaluation.continued, CONTINUED)]
    if evaluation.by_metre:
        parts += ["<h2>By metre</h2>", f"<p>{text(_METRE)}</p>"]
        parts += [_html_table(_metres(evaluation), BY_METRE, songs=True)]
    head, body = _meanings(evaluation)
    parts += ["<h2>What the figures mean</h2>", page.table(head, body, words=True), "<h2>How it was made</h2>"]
    parts += [f"<p><code>{text(line)}</code></p>" for line in facts(evaluation)]
    return page.document("How good the drums are", parts)


def _html_table(rows: Sequence[Row], names: Sequence[str], *, songs: bool = False) -> str:
    head, body = table(rows, names, interval="whole", songs=songs)
    heads = "".join(f"<th>{text(cell)}</th>" for cell in head)
    lines = []
    for row, cells in zip(rows, body, strict=True):
        kind = "sees_real" if row.sees_real and row.kind == "baseline" else row.kind
        told = "".join(f"<td>{_small(cell) if place else text(cell)}</td>" for place, cell in enumerate(cells))
        lines.append(f'<tr class="{kind}" title="{text(row.meaning)}">{told}</tr>')
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _small(cell: str) -> str:
    value, bracket, rest = cell.partition(" (")
    return text(value) + (f"<small>{text(rest.removesuffix(')'))}</small>" if bracket else "")


def _bars(column: Column, rows: Sequence[Row]) -> str:
    """One figure of all players: bars with whiskers."""
    having = [(row, value) for row in rows if (value := row.figures.get(column.name)) and value.value is not None]
    real = next((value.value for row, value in having if row.kind == "real"), None)
    having = [(row, value) for row, value in having if row.kind != "real"]
    if not having:
        return ""
    left, width, line, top = 150.0, 200.0, 15.0, 34.0
    # The scale is that of players who play: silence is as far away as can be, and as fast.
    setting = [value for row, value in having if row.name != "silence"] or [value for _, value in having]
    if column.name == "bars a second":
        setting = [value for row, value in having if row.kind == "model"] or setting
    reach = [number for value in setting for number in value if number is not None] + ([real] if real else [])
    low, high = min([0.0, *reach]), max([1e-9, *reach])
    if column.name == "critic AUC":
        low, high = 0.4, 1.0

    def x(value: float) -> float:
        return left + width * (min(max(value, low), high) - low) / (high - low)

    height = top + line * len(having) + 18
    out = [
        f'<figure><svg width="400" height="{height:.0f}" viewBox="0 0 400 {height:.0f}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="11"><title>{text(column.name)}</title>'
        f'<text x="0" y="12" font-size="13" font-weight="600" fill="{INK}">{text(column.name)}</text>'
        f'<text x="0" y="26" fill="{NOTE}">{text(WAYS.get(column.better, ""))}</text>'
    ]
    zero = x(max(low, 0.0))
    values = []  # written last, so that no line crosses them
    for index, (row, value) in enumerate(having):
        y = top + line * index
        end = x(value.value or 0.0)
        colour = MODEL if row.kind == "model" else SEES if row.sees_real else BASE
        out.append(
            f'<text x="{left - 6:.0f}" y="{y + 10:.1f}" text-anchor="end" fill="{INK}">'
            f'{text(_clipped(_name(row)))}</text><rect x="{min(zero, end):.1f}" y="{y + 2:.1f}" '
            f'width="{max(abs(end - zero), 0.8):.1f}" height="{line - 5:.1f}" fill="{colour}"/>'
        )
        after = end
        if value.low is not None and value.high is not None:
            a, b, middle = x(value.low), x(value.high), y + 2 + (line - 5) / 2
            out.append(
                f'<path d="M{a:.1f} {middle:.1f}H{b:.1f}M{a:.1f} {middle - 3:.1f}v6M{b:.1f} {middle - 3:.1f}v6" '
                f'stroke="{INK}" stroke-width="1" fill="none"/>'
            )
            after = max(after, b)
        values.append(
            f'<text x="{max(after, zero) + 5:.1f}" y="{y + 10:.1f}" fill="{INK}" '
            f'stroke="{PAPER}" stroke-width="3" paint-order="stroke">{shown(value)}</text>'
        )
    bottom = top + line * len(having) + 2
    out.append(f'<path d="M{zero:.1f} {top:.1f}V{bottom:.1f}" stroke="{INK}" stroke-width="1"/>')
    if real is not None:
        out.append(
            f'<path d="M{x(real):.1f} {top - 3:.1f}V{bottom:.1f}" stroke="{INK}" stroke-dasharray="4 3"/>'
            f'<text x="{x(real):.1f}" y="{bottom + 11:.1f}" text-anchor="middle" fill="{INK}">'
            f"real {_short(real)}</text>"
        )
    return "".join([*out, *values]) + "</svg></figure>"


def _clipped(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"


def _curves(evaluation: Evaluation) -> str:
    """How alike bars 1 to 16 apart are: real drums, models, and the baseline with the best hits."""
    models = [row.name for row in evaluation.free if row.kind == "model"]
    rivals = [row for row in evaluation.free if row.kind == "baseline" and not row.sees_real]
    best = max(rivals, key=lambda row: row.figures["hit F1"].value or 0.0, default=None)
    real = [row.name for row in evaluation.free if row.kind == "real"]
    chosen = [*real, *models, *([best.name] if best else [])]
    lines = {name: evaluation.curves[name] for name in chosen if any(v is not None for v in evaluation.curves[name])}
    if not lines:
        return '<p class="note">No bars to compare.</p>'
    values = [value for line in lines.values() for value in line if value is not None]
    low = max(min(values) - 0.05, 0.0)
    lags = max(len(line) for line in lines.values())

    def x(place: int) -> float:
        return 48 + 600 * place / max(lags - 1, 1)

    def y(value: float) -> float:
        return 250 - 225 * (value - low) / max(1 - low, 1e-9)

    out = [
        '<svg width="900" height="295" viewBox="0 0 900 295" role="img" font-family="system-ui, sans-serif" '
        'font-size="12"><title>similarity of bars</title>'
    ]
    for index in range(6):
        value = low + (1 - low) * index / 5
        out.append(
            f'<path d="M48 {y(value):.1f}H648" stroke="{PALE}"/>'
            f'<text x="42" y="{y(value) + 4:.1f}" text-anchor="end" fill="{INK}">{value:.2f}</text>'
        )
    for place in range(lags):
        out.append(f'<text x="{x(place):.1f}" y="268" text-anchor="middle" fill="{INK}">{place + 1}</text>')
    out.append(f'<text x="348" y="288" text-anchor="middle" fill="{INK}">bars apart</text>')
    for index, (name, line) in enumerate(lines.items()):
        is_real = name in real
        colour = INK if is_real else LINES[(index - 1) % len(LINES)]
        points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in enumerate(line) if value is not None)
        dash = "" if is_real or name in models else ' stroke-dasharray="5 4"'
        out.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{3 if is_real else 2}"{dash}/>'
        )
        at = 30 + 20 * index
        out.append(
            f'<path d="M668 {at}h24" stroke="{colour}" stroke-width="{3 if is_real else 2}"{dash}/>'
            f'<text x="698" y="{at + 4}" fill="{INK}">{text(_clipped(name))}</text>'
        )
    return "".join(out) + "</svg>"


def _grids(examples: Sequence[Example]) -> str:
    """The same bars of one song: where the guitar plays, the real drums, and each player's."""
    first = examples[0]
    starts, places = _places(first)
    total = starts[-1]
    voices = [name for name in _ROWS if any(_struck(example, name) for example in examples)] or ["snare"]
    left, width, line, gap, top = 96.0, 1000.0, 9.0, 20.0, 30.0
    scale = width / max(total, 1)
    block = line * len(voices)
    guitar = 14.0
    height = top + guitar + gap + (block + gap) * (len(examples) + 1)

    def x(twelfth: float) -> float:
        return left + twelfth * scale

    out = [
        f'<svg width="1110" height="{height:.0f}" viewBox="0 0 1110 {height:.0f}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="9"><title>{text(first.song)}</title>'
    ]
    tops = [top + guitar + gap + (block + gap) * index for index in range(len(examples) + 1)]
    areas = [(top, guitar), *((at, block) for at in tops)]
    for at, tall in areas:
        beats = "".join(f"M{x(beat):.1f} {at:.1f}v{tall:.1f}" for beat in range(0, total, TWELFTHS))
        bars = "".join(f"M{x(start):.1f} {at:.1f}v{tall:.1f}" for start in starts)
        out.append(
            f'<rect x="{left}" y="{at:.1f}" width="{width}" height="{tall:.1f}" fill="{SHADE}"/>'
            f'<path d="{beats}" stroke="{PALE}" stroke-width=".6"/><path d="{bars}" stroke="{NOTE}"/>'
        )
    for bar, (start, metre) in enumerate(zip(starts[:-1], first.metres, strict=True)):
        told = f"{first.first_bar + bar + 1}" + (f"  {metre}" if not bar or metre != first.metres[bar - 1] else "")
        out.append(f'<text x="{x(start) + 2:.1f}" y="{top - 6:.1f}" font-size="10" fill="{INK}">{told}</text>')
    mark = max(min(2.2 * scale, 7.0), 2.0)
    out.append(f'<text x="{left - 6}" y="{top + 11}" text-anchor="end" font-size="11" fill="{GUITAR}">guitar</text>')
    strokes = "".join(f"M{x(places[step]) + 1:.1f} {top + 2:.1f}v{guitar - 4:.1f}" for step in first.guitar)
    out.append(f'<path d="{strokes}" stroke="{GUITAR}" stroke-width="{min(mark, 2.5):.1f}"/>')
    parts = [
        ("real drums", first.real, INK),
        *((example.player, example.made, MODEL) for example in examples),
    ]
    for (name, hits, colour), at in zip(parts, tops, strict=True):
        out.append(
            f'<text x="{left}" y="{at - 4:.1f}" font-size="11" font-weight="600" fill="{colour}">{text(name)}</text>'
        )
        for row, voice in enumerate(voices):
            out.append(
                f'<text x="{left - 6}" y="{at + line * row + 7.5:.1f}" text-anchor="end" fill="{INK}">{voice}</text>'
            )
        for step, index, velocity in hits:
            row = voices.index(_voice(index))
            out.append(
                f'<rect x="{x(places[step]):.1f}" y="{at + line * row + 1:.1f}" width="{mark:.1f}" '
                f'height="{line - 2:.1f}" fill="{colour}" opacity="{0.25 + 0.75 * velocity / 127:.2f}"/>'
            )
    return f'<div class="wide">{"".join(out)}</svg></div>'


def _places(example: Example) -> tuple[list[int], list[int]]:
    """In twelfths of a quarter: where each bar begins, and the end; and where each step lies."""
    starts, places = [0], []
    for steps, metre in zip(example.steps, example.metres, strict=True):
        numerator, denominator = map(int, metre.split("/"))
        inside = [step // STEPS_PER_QUARTER * TWELFTHS + int(PLACES[step % STEPS_PER_QUARTER]) for step in range(steps)]
        places += [starts[-1] + place for place in inside]
        length = 4 * TWELFTHS * numerator // denominator
        # The last bar of a song may be shorter than its metre says.
        starts.append(starts[-1] + min(length, inside[-1] + TWELFTHS // 3 + 1) if inside else starts[-1])
    return starts, places


def _voice(index: int) -> str:
    return _NINE[index]


def _struck(example: Example, name: str) -> bool:
    return any(_voice(index) == name for _, index, _ in (*example.real, *example.made))


# --- writing ----------------------------------------------------------------------------------------------------------


def check(path: str | os.PathLike[str], *, overwrite: bool, formats: Sequence[str] = FORMATS) -> None:
    """Refuse, before hours of work, what could not be written.

    Raises:
        OptionError: the name does not end in one of the formats. OutputError: it exists, or its folder does not.
    """
    path = Path(path)
    if path.suffix.lower() not in formats:
        raise OptionError(f"{str(path)!r} is no name for this; wanted one that ends in {' or '.join(formats)}")
    files.check(path, overwrite=overwrite)
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"the folder {path.parent} may not be written to; name a file elsewhere")


def write(evaluation: Evaluation, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a report, HTML or Markdown by the name's ending, whole or not at all.

    Raises:
        OptionError, OutputError: as `check`, or the disk is full.
    """
    check(path, overwrite=overwrite)
    content = as_html(evaluation) if Path(path).suffix.lower() == ".html" else as_markdown(evaluation)
    files.write_file(path, content.encode(), overwrite=overwrite)
