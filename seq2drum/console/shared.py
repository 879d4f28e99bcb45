"""Options that several modes and the client have: each is added to a parser in the same words."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from seq2drum import __version__
from seq2drum.console import paths
from seq2drum.music.choices import AUTO, CHOICES, Choice

Container = argparse.ArgumentParser | argparse._ArgumentGroup  # both have `add_argument`

SHELLS = ("bash", "zsh", "tcsh")
WHAT, STAYS = "what to play", "which of the file's own drums stay"
GROUPS = {
    WHAT: ("style", "intensity", "complexity", "seed", "takes", "temperature", "top_p", "track", "sections"),
    "the groove": ("groove", "like", "daring"),
    "fills and the end": ("fills", "fill_at", "no_fills_in", "ending"),
    "pieces of the kit": ("pieces", "time", "without"),
    "feel": ("humanize", "swing"),
    STAYS: ("prime", "bars"),
}


def add_choices(parser: argparse.ArgumentParser) -> dict[str, argparse._ArgumentGroup]:
    """Add what a musician can choose, and return the groups by title: all but what is said of the output."""
    groups = {}
    for title, names in GROUPS.items():
        about = "What is not asked for, the model decides." if title == WHAT else None
        groups[title] = parser.add_argument_group(title, about)
        for name in names:
            add_choice(groups[title], name)
    return groups


def add_choice(
    to: Container,
    name: str,
    *,
    table: Mapping[str, Choice] = CHOICES,
    action: type[argparse.Action] | None = None,
    **other: Any,
) -> None:
    """Add one of a table. action: what takes the value, if not as usual. other: what is not as there, as `help`."""
    choice = table[name]._replace(**other)
    to.add_argument(
        "--" + name.replace("_", "-"),
        type=reader(choice),
        default=choice.default,
        metavar=choice.metavar,
        help=choice.help,
        action=action or (_Adds if choice.many else "store"),
    )


def chosen(options: argparse.Namespace) -> dict[str, Any]:
    """What was chosen, by the fields of `Options`."""
    names = [name for name in CHOICES if name != "takes"]
    return {name: getattr(options, name) for name in names} | {"style": style(options)}


def style(options: argparse.Namespace) -> str | None:
    """The style that was asked for; None leaves it to the model."""
    return None if options.style == AUTO else options.style


def bar_numbers(text: str, between: str = ":") -> tuple[int, int]:
    """A:B or A-B, or one bar alone, as numbers. between: what is said to stand between two of them."""
    first, sign, last = text.partition(":" if ":" in text else "-")
    try:
        return int(first), int(last if sign else first)
    except ValueError:
        raise argparse.ArgumentTypeError(f"wanted A{between}B such as 9{between}16, found {text!r}") from None


def bar_ranges(text: str) -> tuple[tuple[int, int], ...]:
    """Several of A-B or one bar alone, with commas between them."""
    return tuple(bar_numbers(part, "-") for part in text.split(","))


def numbers(text: str) -> tuple[int, ...]:
    """Several whole numbers, with commas between them."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"wanted numbers such as 8,16, found {text!r}") from None


def word(text: str) -> str:
    """One of the words that can be chosen: capitals do not matter."""
    return text.strip().casefold()


def words(text: str) -> tuple[str, ...]:
    """Several of them, with commas between."""
    return tuple(map(word, text.split(",")))


class _Adds(argparse.Action):
    """An option of several values that is given twice has those of both."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, option: str | None = None
    ) -> None:
        before = getattr(namespace, self.dest)
        comma = "," if isinstance(value, str) else ()
        setattr(namespace, self.dest, before + comma + value if before else value)


def reader(choice: Choice) -> Callable[[str], Any]:
    """What makes a value of one word of the command line."""
    if choice.words:
        return words if choice.many else word
    if choice.many and choice.kind is not str:
        return bar_ranges if choice.kind is tuple else numbers
    return bar_numbers if choice.kind is tuple else choice.kind


# --- songs and files --------------------------------------------------------------------------------------------------


def add_songs(to: Container, help: str) -> None:
    """Add the names of songs."""
    to.add_argument("files", nargs="*", metavar="SONG", help=help)


def add_output(to: Container, help: str, metavar: str = "FILE|DIR") -> None:
    """Add -o."""
    to.add_argument("-o", "--output", metavar=metavar, help=help)


def add_force(to: Container) -> None:
    """Add --force."""
    to.add_argument("--force", action="store_true", help="overwrite what is there")


def add_explain(to: Container) -> None:
    """Add --explain."""
    to.add_argument("--explain", action="store_true", help="tell bar by bar what was done, and what it goes with")


def add_json(to: Container) -> None:
    """Add --json, a line of JSON a take."""
    to.add_argument("--json", action="store_true", help="print one line of JSON a take")


def add_with_guitar(to: Container) -> None:
    """Add --with-guitar."""
    to.add_argument(
        "--with-guitar", action="store_true", help="write the whole song, with these drums instead of its own"
    )


def add_session(to: Container) -> None:
    """Add what a session wants beside the drums."""
    to.add_argument(
        "--count-in", type=int, default=0, metavar="BARS", help="count so many bars before the song, which moves back"
    )
    to.add_argument("--tail", action="store_true", help="let the cymbals of the last bar ring on behind it")
    to.add_argument("--click", action="store_true", help="add a track with a click on every beat")
    to.add_argument(
        "--split", action="store_true", help="a track for kick, snare, hats, toms, cymbals, percussion each"
    )


def where_drums_go(suffix: str = paths.OUTPUT_SUFFIX) -> str:
    """The help of -o, where a song's drums go beside it."""
    return f"where to write; - is standard output (default: SONG{suffix} beside the song)"


# --- the program itself -----------------------------------------------------------------------------------------------


def add_program(to: Container) -> None:
    """Add --version, and --print-completion for shells."""
    to.add_argument("--version", action="version", version=f"seq2drum {__version__}")
    to.add_argument("--print-completion", choices=SHELLS, help="print what lets a shell complete words, and end")
