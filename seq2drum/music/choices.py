"""One option as a value, the words of options, and options as texts.

Only the standard library and the errors are imported, so that programs which never read a note know the same table.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, fields
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from seq2drum.errors import OptionError
from seq2drum.music import metres

STYLES = ("jazz", "shuffle", "latin", "metal", "dance", "reggae", "funk", "pop", "rock")
OTHER_STYLES = MappingProxyType(
    {
        **dict.fromkeys(("blues", "boogie", "rockabilly"), "shuffle"),
        **dict.fromkeys(("swing", "bebop"), "jazz"),
        **dict.fromkeys(("bossa", "bossa nova", "samba", "salsa", "calypso", "cuban"), "latin"),
        **dict.fromkeys(("disco", "house", "techno", "edm", "electronic"), "dance"),
        **dict.fromkeys(("ska", "dub", "one drop"), "reggae"),
        **dict.fromkeys(("soul", "r&b", "rnb", "motown", "hiphop", "hip hop", "hip-hop"), "funk"),
        **dict.fromkeys(("thrash", "hardcore", "djent"), "metal"),
        **dict.fromkeys(("punk", "grunge", "indie", "hard rock"), "rock"),
        **dict.fromkeys(("ballad", "folk", "country"), "pop"),
    }
)
"""Words of guitarists for styles that do not exist here, each with the nearest style."""
MOST_TAKES = 1000
READERS = SYMUSIC, MUSIC21 = "symusic", "music21"  # of MIDI
AUTO = "auto"  # in place of a word: it is decided for each song
RING, CHOKE, RITARD, NO_ENDING = "ring", "choke", "ritard", "none"
ENDINGS = (AUTO, RING, CHOKE, RITARD, NO_ENDING)
KIT, ALL = "kit", "all"
OPEN = "open"  # the open hat
TIMES = ("hat", "ride", OPEN, AUTO)
NO_PERCUSSION = "none"
INSTRUMENTS = MappingProxyType(
    {
        "tambourine": ("tambourine", "Tamburin"),
        "shaker": ("shaker", "Shaker"),
        "clap": ("hand claps", "Klatschen"),
        "cowbell": ("cowbell", "Cowbell"),
        "congas": ("congas", "Congas"),
        "bongos": ("bongos", "Bongos"),
        "block": ("wood block", "Holzblock"),
        "triangle": ("triangle", "Triangel"),
    }
)
"""The instruments of a percussionist beside the drummer, each as it is shown in English and in German."""
PERCUSSION = (NO_PERCUSSION, AUTO, *INSTRUMENTS)
ON, OFF = "on", "off"
ARRANGING = (AUTO, ON, OFF)

PIECES = (
    "kick",
    "snare",
    "side stick",
    "crash",
    "low tom",
    "mid tom",
    "high tom",
    "bell",
    "ride",
    "open hat",
    "closed hat",
    "pedal hat",
    "clap",
    "tambourine",
    "cowbell",
    "shaker",
    "cabasa",
    "mute conga",
    "high conga",
    "low conga",
    "high bongo",
    "low bongo",
    "block",
    "triangle",
)
"""The names of the pieces of the full kit, in its order."""

FAMILIES = MappingProxyType(
    {
        "toms": ("low tom", "mid tom", "high tom"),
        "cymbals": ("crash", "bell", "ride"),
        "hats": ("open hat", "closed hat", "pedal hat"),
        "percussion": PIECES[PIECES.index("clap") :],
    }
)
"""Several pieces by one name."""


class Form(NamedTuple):
    """An option in the form of the page; each text in English and in German.

    about: the meaning beside it; in English by default that of the table. ends: what the left and the right end of a
    slider stand for. words: of a menu, each word that is offered and how it is shown; none where they are shown as
    they are written. is_rare: it comes after those that are not. is_in_panel: the panel of a part has a control of its
    own for it, which needs neither a meaning nor ends. is_choosing: it chooses grooves or takes, so that all takes are
    played again; any other option acts on the take that is heard.
    """

    about: tuple[str, str] = ("", "")
    ends: tuple[tuple[str, str], tuple[str, str]] | None = None
    words: Mapping[str, tuple[str, str]] = MappingProxyType({})
    is_rare: bool = False
    is_in_panel: bool = False
    is_choosing: bool = False


class Dialog(NamedTuple):
    """An option in the dialog of REAPER.

    empty: the meaning of an empty answer; is_value: it is the initial answer. about: the meaning, by default that of
    the table. most: the greatest whole number, by default that of the table. others: what else can be answered.
    """

    empty: str
    is_value: bool = False
    about: str = ""
    most: int | None = None
    others: str = ""


class Choice(NamedTuple):
    """One option, with all that command lines, clients, the page, REAPER and the docs say about it.

    kind: int, float, str or bool, or tuple for the numbers of a first and a last bar. metavar: how a value is written.
    about: the meaning, with what is typed between backticks. section: one of `SECTIONS`. default: the value if unset;
    None: the model or the song decides. unset: the same in words. least, most: the range of a number, both within it.
    wanted: the range in words. title: its name in an error, if not its own. words: all that a text can be;
    without any, it can be any text. many: a choice is several such values, with commas between them. label: its name in
    English and German. field: its name in the contract, where that is another. jam: whether it holds for a jam, too.
    is_placed: it can have other values in some places, see `placed_of`. form, dialog: how the page and REAPER
    show it, if they do.
    """

    kind: type
    metavar: str
    about: str
    section: str = ""
    default: Any = None
    unset: str = ""
    least: float = -math.inf
    most: float = math.inf
    wanted: str = ""
    title: str = ""
    words: tuple[str, ...] = ()
    many: bool = False
    label: tuple[str, str] = ("", "")
    field: str = ""
    jam: bool = False
    is_placed: bool = False
    form: Form | None = None
    dialog: Dialog | None = None

    @property
    def holds(self) -> str:
        """Return the default in words; an empty text where the model or the song decides."""
        if self.unset or self.default is None or self.default is False or self.default == ():
            return self.unset
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)

    @property
    def help(self) -> str:
        """The meaning and the default, as a command line says them."""
        default = f" (default: {self.holds})" if self.holds else ""
        return self.about.replace("`", "") + default


def choice(kind: type, metavar: str, about: str, *, default: Any = None, **other: Any) -> Any:
    """The default of a field that is an option; its `Choice` is in the field's metadata. other: fields of `Choice`."""
    return field(default=default, metadata={"choice": Choice(kind, metavar, about, default=default, **other)})


def level(about: str, *, default: float | None = None, **other: Any) -> Any:
    """A number from 0 to 1."""
    return choice(float, "0..1", about, default=default, least=0, most=1, wanted="0 to 1", **other)


def table_of(options: type) -> Mapping[str, Choice]:
    """The choices of a dataclass, by the names of its fields."""
    return MappingProxyType({one.name: one.metadata["choice"] for one in fields(options)})


def check_number(choice: Choice, value: float | None, title: str) -> None:
    """Refuse a number that is out of the range of a choice, of this or another table.

    Raises:
        OptionError: it is out of its range.
    """
    if value is None and choice.default is None:
        return
    if value is None or not choice.least <= value <= choice.most:
        raise OptionError(f"{title} is {value}, wanted {choice.wanted}")


def instead(word: str, known: Sequence[str], others: Mapping[str, str] = MappingProxyType({})) -> str:
    """The advice for an unknown word: the word that may be meant, or else all words.

    others: further unknown words, each with the known one.
    """
    meant = [others[word]] if word in others else near(word, known)
    return f"did you mean {' or '.join(meant)}?" if meant else f"there are {', '.join(known)}"


def near(word: str, known: Iterable[str], most: int = 2, cutoff: float = 0.6) -> list[str]:
    """The known words that are most like a word, the likeliest first. cutoff: from 0 to 1, how alike they must be."""
    import difflib  # where it is used, as it is slow to load

    return difflib.get_close_matches(word, list(known), n=most, cutoff=cutoff)


def check_bars(bars: tuple[int, int], title: str = "the bars are") -> None:
    """Refuse an invalid range of bars. title: how the message begins.

    Raises:
        OptionError: they are not counted from 1, or the last is before the first.
    """
    first, last = bars
    if not 1 <= first <= last:
        raise OptionError(f"{title} {first}:{last}, wanted FIRST:LAST, counted from 1")


_SECTION = re.compile(r"(.*\S)\s+(\d{1,6})(?:\s*[-:]\s*(\d{1,6}))?")


def sections_of(text: str) -> tuple[tuple[str, int, int], ...]:
    """The name, the first and the last bar of each section of such as "intro 1-4, verse 5-20".

    Raises:
        OptionError: one has no name or no bars, or begins before the one before it has ended.
    """
    found: list[tuple[str, int, int]] = []
    for piece in text.split(","):
        match = _SECTION.fullmatch(piece.strip())
        if match is None:
            raise OptionError(f"the section {piece.strip()[:40]!r} is not a name and bars, wanted such as verse 5-20")
        first, last = int(match[2]), int(match[3] or match[2])
        check_bars((first, last), f"the bars of the section {match[1][:40]!r} are")
        if found and first <= found[-1][2]:
            raise OptionError(
                f"the section {match[1][:40]!r} begins in bar {first}, and {found[-1][0][:40]!r} ends in bar"
                f" {found[-1][2]}; name them in their order, each bar once"
            )
        found.append((match[1], first, last))
    return tuple(found)


_RANGE = re.compile(r"(\d{1,9})(?:\s*[-:]\s*(\d{1,9}))?")


_FILE = re.compile(r"[/\\]|\.[a-z0-9]{2,8}$", re.IGNORECASE)


WHOLE = ""
"""In place of a section or bars: all bars that no other place has."""


Level: TypeAlias = "float | str | Mapping[str, float] | None"
"""A level, or one for each place: a mapping, or a text such as "0.5,chorus=0.9"; see `placed_of`."""


def values_of(value: Any) -> Mapping[str, Any]:
    """Return the values of an option by place; a value for all bars is that of `WHOLE`."""
    return value if isinstance(value, Mapping) else {WHOLE: value}


def placed_of(choice: Choice, text: str) -> Any:
    """Return the value of an option that can differ by place: one for all bars, or a mapping of places to values.

    A text such as "0.5,chorus=0.9,9-16=0.2" is such a mapping: its value without a place is that of `WHOLE`. Where two
    places share bars, the later wins.

    Raises:
        ValueError: a value is not a number.
    """
    values = dict[str, Any]()
    for piece in text.split(","):
        place, _, one = (part.strip() for part in piece.rpartition("="))
        values[place] = one.casefold() if choice.words else choice.kind(one)
    return values if values.keys() - {WHOLE} else values[WHOLE]


def placed_text(value: Any) -> str:
    """Return such a value as a text, which `placed_of` reads."""
    return ",".join(f"{place}={one}" if place else str(one) for place, one in values_of(value).items())


def places_of(text: str) -> tuple[str | tuple[int, int], ...]:
    """The places in a text such as "intro,1-8,12": sections by name, and (first, last) of each range of bars.

    Raises:
        OptionError: one is empty, or an invalid range.
    """
    found: list[str | tuple[int, int]] = []
    for piece in map(str.strip, text.split(",")):
        if not piece:
            raise OptionError(f"a place is missing in {text[:40]!r}, wanted sections and bars such as intro,1-8")
        bars = range_of(piece)
        if bars is None and _FILE.search(piece):
            raise OptionError(f"{piece[:40]!r} looks like a file, wanted sections and bars; -o names the file to write")
        found.append(piece if bars is None else bars)
    return tuple(found)


def range_of(place: str) -> tuple[int, int] | None:
    """The first and the last bar of a place such as "9-16" or "12"; None for a section.

    Raises:
        OptionError: an invalid range.
    """
    match = _RANGE.fullmatch(place)
    if match is None:
        return None
    bars = int(match[1]), int(match[2] or match[1])
    check_bars(bars)
    return bars


LEARNT = (
    "afrobeat",
    "afrocuban",
    "dance",
    "funk",
    "hiphop",
    "jazz",
    "latin",
    "neworleans",
    "pop",
    "reggae",
    "rock",
    "soul",
)
"""The genres that the learnt generators know."""
GENRES = (*LEARNT, "trap", "metal", "blues", "country", "punk", "ballad", "house", "drumandbass")
"""The genres of beats, all of which the book has."""
OTHER_GENRES = MappingProxyType(
    {
        **dict.fromkeys(("hip-hop", "hip hop", "rap", "boom bap"), "hiphop"),
        **dict.fromkeys(("afro-cuban", "salsa", "mambo"), "afrocuban"),
        **dict.fromkeys(("new-orleans", "second line"), "neworleans"),
        **dict.fromkeys(("drum-and-bass", "drum and bass", "dnb", "jungle"), "drumandbass"),
        **dict.fromkeys(("disco", "edm"), "dance"),
        **dict.fromkeys(("techno", "garage"), "house"),
        **dict.fromkeys(("bossa", "samba", "bossa nova"), "latin"),
        **dict.fromkeys(("swing", "bebop"), "jazz"),
        **dict.fromkeys(("thrash", "djent"), "metal"),
        **dict.fromkeys(("shuffle", "boogie"), "blues"),
        **dict.fromkeys(("dub", "ska"), "reggae"),
    }
)
"""Other words for genres, each with the nearest one."""
BOOK = "book"
LABORATORIES = ("step", "words", "bar", "phrase", "loop")
"""The learnt generators of beats."""
GENERATORS = (BOOK, *LABORATORIES)
"""Who makes beats, the default first."""

MOST_BARS = 1024
LEAST_BPM, MOST_BPM = 20, 400

MOST_SEED = (1 << 63) - 1


_METRE = re.compile(r"(\d{1,3})/(\d{1,3})")


def metre_of(text: str) -> tuple[int, int]:
    """N/M as numbers.

    Raises:
        OptionError: there is no such metre.
    """
    found = _METRE.fullmatch(text.strip())
    try:
        numerator, denominator = (int(number) for number in found.groups()) if found else (0, 0)
        metres.groups(numerator, denominator)
    except ValueError:
        raise OptionError(f"the metre is {text[:40]!r}, wanted one such as 7/8") from None
    return numerator, denominator
