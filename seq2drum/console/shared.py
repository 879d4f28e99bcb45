"""Options that several modes and the client share, each added to a parser in the same words."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from seq2drum import __version__
from seq2drum.console import paths
from seq2drum.console.arguments import named
from seq2drum.errors import OptionError
from seq2drum.music.choices import AUTO, MUSIC21, READERS, SYMUSIC, Choice, placed_of, values_of
from seq2drum.music.file_options import BEATS, SESSION, TIMING
from seq2drum.music.options import CHOICES, OPTIONS, OUTPUT, SECTIONS, WHAT, names_in

if TYPE_CHECKING:
    from seq2drum.music.song_plan import SongPlan

Container = argparse.ArgumentParser | argparse._ArgumentGroup  # both have `add_argument`

SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")
_ABOUT = {WHAT: "The model decides everything that you leave out."}


def add_choices(parser: argparse.ArgumentParser, *, jam: bool = False) -> dict[str, argparse._ArgumentGroup]:
    """Add a musician's choices, and return the groups by section, without that of the output.

    jam: add only those of a jam, where there is one take.
    """
    groups = {}
    for section in SECTIONS:
        if section != OUTPUT and (names := names_in(section, jam=jam)):
            groups[section] = parser.add_argument_group(section, _ABOUT.get(section))
            for name in names:
                add_choice(groups[section], name)
    return groups


def add_choice(
    to: Container,
    name: str,
    *,
    table: Mapping[str, Choice] = CHOICES,
    action: type[argparse.Action] | None = None,
    help: str | None = None,
    **other: Any,
) -> None:
    """Add one option of a table. action: how its value is stored, if not as usual.

    help, other: changes to the table.
    """
    choice = table[name]._replace(**other)
    flag, help = "--" + name.replace("_", "-"), help or choice.help
    if choice.kind is bool:
        to.add_argument(flag, action="store_true", help=help)
        return
    to.add_argument(
        flag,
        type=reader(choice),
        default=choice.default,
        metavar=choice.metavar,
        help=help,
        action=action or (_AddsPlaces if choice.is_placed else _Adds if choice.many else "store"),
    )


def chosen(options: argparse.Namespace) -> dict[str, Any]:
    """The choices on the command line, by the fields of `Options`."""
    return {name: getattr(options, name) for name in OPTIONS if name in options} | {"style": style(options)}


def style(options: argparse.Namespace) -> str | None:
    """The chosen style; None leaves it to the model."""
    return None if options.style == AUTO else options.style


def bar_numbers(text: str, between: str = ":") -> tuple[int, int]:
    """A:B or A-B, or one bar alone, as numbers. between: the allowed separators, for the message."""
    first, sign, last = text.partition(":" if ":" in text else "-")
    try:
        return int(first), int(last if sign else first)
    except ValueError:
        raise argparse.ArgumentTypeError(f"wanted A{between}B such as 9{between}16, found {text!r}") from None


def bar_ranges(text: str) -> tuple[tuple[int, int], ...]:
    """Several of A-B or one bar alone, separated by commas."""
    return tuple(bar_numbers(part, "-") for part in text.split(","))


def numbers(text: str) -> tuple[int, ...]:
    """Several whole numbers, separated by commas."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"wanted numbers such as 8,16, found {text!r}") from None


def word(text: str) -> str:
    """One of the allowed words, in any case."""
    return text.strip().casefold()


def words(text: str) -> tuple[str, ...]:
    """Several allowed words, separated by commas."""
    return tuple(map(word, text.split(",")))


class _Adds(argparse.Action):
    """An action that joins the values of a repeated option."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, option: str | None = None
    ) -> None:
        before = getattr(namespace, self.dest)
        comma = "," if isinstance(value, str) else ()
        setattr(namespace, self.dest, before + comma + value if before else value)


class _AddsPlaces(argparse.Action):
    """An action that joins the values that a repeated option has in places."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, option: str | None = None
    ) -> None:
        before = getattr(namespace, self.dest)
        if before != self.default and (isinstance(before, Mapping) or isinstance(value, Mapping)):
            value = {**values_of(before), **values_of(value)}
        setattr(namespace, self.dest, value)


def reader(choice: Choice) -> Callable[[str], Any]:
    """The function that reads the value of an option from a word."""
    if choice.is_placed:
        one = reader(choice._replace(is_placed=False))
        placed: Callable[[str], Any] = lambda text: placed_of(choice, text) if "=" in text else one(text)  # noqa: E731
        placed.__name__ = choice.kind.__name__  # as argparse calls what it should be
        return placed
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
    to.add_argument("--force", action="store_true", help="overwrite existing files")


def add_explain(to: Container) -> None:
    """Add --explain."""
    to.add_argument(
        "--explain",
        action="store_true",
        help="explain bar by bar what the drums do, and what in the guitar they follow",
    )


def add_plan(to: Container) -> None:
    """Add --plan."""
    to.add_argument(
        "--plan", metavar="FILE", type=named, help="build the song as this file says, which --plan-out wrote"
    )


def read_plan(options: argparse.Namespace, songs: int) -> SongPlan:
    """Return the plan of --plan, () without it.

    Raises:
        OptionError: there are several songs, or the file is no plan.
    """
    from seq2drum.music import song_plan

    if options.plan is None:
        return ()
    if songs > 1:
        raise OptionError(f"--plan is for one song, but there are {songs} songs")
    return song_plan.read(options.plan)


def add_plan_out(to: Container) -> None:
    """Add --plan-out."""
    to.add_argument("--plan-out", metavar="FILE", help="also write how the song is built, section by section: .json")


def add_json(to: Container) -> None:
    """Add --json, a line of JSON a take."""
    to.add_argument("--json", action="store_true", help="print one line of JSON per take")


def add_with_guitar(to: Container) -> None:
    """Add --with-guitar."""
    to.add_argument(
        "--with-guitar", action="store_true", help="write the whole song, with these drums instead of its own"
    )


def add_session(to: Container, count_in: int = 0) -> None:
    """Add the session's contents beside the drums. count_in: bars by default."""
    for name in SESSION:
        table = SESSION if name != "count_in" else {name: SESSION[name]._replace(default=count_in)}
        add_choice(to, name, table=table)


def add_timing(to: argparse.ArgumentParser) -> None:
    """Add what is known of the beats, as a group of its own."""
    group = to.add_argument_group(BEATS, "In a recording, the drummer detects what you leave out.")
    for name in TIMING:
        add_choice(group, name, table=TIMING)


def add_reader(to: Container) -> None:
    """Add the reader of MIDI."""
    to.add_argument(
        "--reader",
        choices=READERS,
        default=SYMUSIC,
        help=f"who reads MIDI: {SYMUSIC}, or {MUSIC21} through its streams, hundreds of times slower, to compare"
        f" (default: {SYMUSIC})",
    )


def where_drums_go(suffix: str = paths.OUTPUT_SUFFIX) -> str:
    """The help of -o for a song's drums, by default beside the song."""
    return f"where to write; - is standard output (default: SONG{suffix} beside the song)"


# --- the program itself -----------------------------------------------------------------------------------------------


def add_program(to: Container) -> None:
    """Add --version, --print-completion for shells, and --print-manual for `man`."""
    to.add_argument("--version", action="version", version=f"seq2drum {__version__}")
    to.add_argument("--print-completion", choices=SHELLS, help="print the shell's completion script and exit")
    to.add_argument("--print-manual", action="store_true", help="print the page of the manual, for man, and exit")
