"""What a musician can choose of a take: names, meanings, ranges and defaults, for playing and all command lines.

Only the standard library and the errors are imported, so that programs which never read a note know the same table.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

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
"""What guitarists ask for that is no style here, and the style that is nearest."""
MOST_TAKES = 1000
AUTO = "auto"  # in place of a word: it is decided for each song
RING, CHOKE, RITARD, NO_ENDING = "ring", "choke", "ritard", "none"
ENDINGS = (AUTO, RING, CHOKE, RITARD, NO_ENDING)
KIT, ALL = "kit", "all"
TIMES = ("hat", "ride", AUTO)

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


class Choice(NamedTuple):
    """One thing that can be chosen.

    kind: int, float or str, or tuple for the numbers of a first and a last bar. metavar: how a value is written.
    default: what holds where nothing is said; None: the model or the song decides. least, most: the range of a number,
    both within it. wanted: the range in words. title: what a refusal calls it, where not by its name. words: all that a
    text can be; without any, it can be any text. many: a choice is several such values, with commas between them.
    """

    kind: type
    metavar: str
    help: str
    default: Any = None
    least: float = -math.inf
    most: float = math.inf
    wanted: str = ""
    title: str = ""
    words: tuple[str, ...] = ()
    many: bool = False


def _level(help: str, default: float | None = None) -> Choice:
    return Choice(float, "0..1", help, default, least=0, most=1, wanted="0 to 1")


CHOICES = MappingProxyType(
    {
        "style": Choice(str, "NAME", f"{', '.join(STYLES)}, or {AUTO} (default)", words=STYLES),
        "groove": Choice(
            str,
            "NAME|FILE",
            "the beat to play on: a name that --mode grooves lists, a file with drums, or bars of one as FILE:5 or"
            " FILE:5-8; of sections verse=NAME,chorus=FILE (default: one that fits)",
        ),
        "like": Choice(str, "SONG", "play as the drums of this file do: their grooves, levels, fills and feel"),
        "daring": _level("0 the safest groove, 0.5 as drummers choose, 1 wilder (default: 0)", 0.0),
        "intensity": _level("how much is played and how loud; 0.5 is what half of all music stays below"),
        "complexity": _level("how much the drums lean against the beat, likewise"),
        "fills": _level("how often: 0 the fewest, 0.5 as drummers do, 1 twice as often"),
        "fill_at": Choice(
            int, "BARS", "fills in these bars, such as 8,16", (), least=1, wanted="numbers of bars from 1", many=True
        ),
        "no_fills_in": Choice(tuple, "BARS", "no fills in these bars, such as 1-4,9-12", (), many=True),
        "ending": Choice(
            str, "NAME", f"how the last chord ends: {', '.join(ENDINGS)} (default: {AUTO})", AUTO, words=ENDINGS
        ),
        "pieces": Choice(
            str,
            "NAME",
            f"{KIT}: no hand percussion, or {ALL} (default: {KIT}, but where the groove or the style has percussion)",
            words=(KIT, ALL),
            title="set of pieces",
        ),
        "time": Choice(
            str,
            "NAME",
            f"what time is kept on: {', '.join(TIMES)} (default: {AUTO})",
            AUTO,
            words=TIMES,
            title="piece to keep time on",
        ),
        "without": Choice(
            str,
            "PIECES",
            f"never play these: pieces such as crash,clap, or {', '.join(FAMILIES)}",
            (),
            words=(*PIECES, *FAMILIES),
            title="piece",
            many=True,
        ),
        "sections": Choice(
            str,
            "NAMES",
            'the sections by name and bars, such as "intro 1-4, verse 5-20" (default: the file\'s markers, or found)',
            many=True,
        ),
        "seed": Choice(int, "N", "which take (default: 0)", 0, least=0, wanted="0 or more", title="the seed"),
        "takes": Choice(
            int,
            "N",
            "make N takes, SONG.drums.1.mid being the best (default: 1)",
            1,
            least=1,
            most=MOST_TAKES,
            wanted=f"1 to {MOST_TAKES}",
        ),
        "temperature": Choice(
            float,
            "T",
            "0 the most likely take, 1 as free as real music (default: 1; with a groove, plain bars and free fills)",
            least=0,
            most=2,
            wanted="0 (the most likely take) to 2 (wild)",
            title="the temperature",
        ),
        "top_p": Choice(
            float,
            "P",
            "keep this share of what is likely; lower is tamer (default: 0.99)",
            0.99,
            least=math.nextafter(0.5, 1),
            most=1,
            wanted="more than 0.5 and at most 1",
            title="top-p",
        ),
        "track": Choice(
            str,
            "N|NAME",
            "the guitar, by number from 1 or by name, several parts as 1,3,5-8 (default: what looks like a guitar)",
            many=True,
        ),
        "humanize": _level("velocity and timing of human drummers: 0 stiff, 1 as they are"),
        "swing": _level("where the second eighth falls: 0 half way, 1 at two thirds"),
        "prime": Choice(
            int, "BARS", "play on from the first drum bars of the file", 0, least=0, wanted="a number of bars"
        ),
        "bars": Choice(tuple, "A:B", "play only these bars of the file's own drums anew, and keep the rest"),
        "drum_map": Choice(
            str,
            "NAME|FILE",
            "the notes of a sampler, list for all of them, or a JSON file of your own (default: gm)",
            "gm",
        ),
    }
)
"""Each by the name that it has as a field of `Options`; `takes` is how many of them are made."""


def check(name: str, value: float | None, title: str = "") -> None:
    """Refuse a number that is out of its range. title: what the refusal calls it, if not as the table.

    None is in the range of what the model decides by default, and of nothing else.

    Raises:
        OptionError: it is out of its range.
    """
    choice = CHOICES[name]
    check_number(choice, value, title or choice.title or name)


def check_number(choice: Choice, value: float | None, title: str) -> None:
    """Refuse a number that is out of the range of a choice, of this or another table.

    Raises:
        OptionError: it is out of its range.
    """
    if value is None and choice.default is None:
        return
    if value is None or not choice.least <= value <= choice.most:
        raise OptionError(f"{title} is {value}, wanted {choice.wanted}")


def check_word(name: str, word: str | None) -> None:
    """Refuse a word that is none of those that can be chosen. None is taken where it is the default.

    Raises:
        OptionError: it is none of them.
    """
    choice = CHOICES[name]
    if word not in choice.words and not (word is None and choice.default is None):
        there = instead(word or "", choice.words, OTHER_STYLES if choice.words is STYLES else {})
        raise OptionError(f"there is no {choice.title or name} {word!r}; {there}")


def instead(word: str, known: Sequence[str], others: Mapping[str, str] = MappingProxyType({})) -> str:
    """The advice where a word is none that is known: which was meant, or else which there are.

    others: words that are not known, and for each the one that is.
    """
    meant = [others[word]] if word in others else near(word, known)
    return f"did you mean {' or '.join(meant)}?" if meant else f"there are {', '.join(known)}"


def near(word: str, known: Iterable[str], most: int = 2, cutoff: float = 0.6) -> list[str]:
    """The known words that are most like a word, the likeliest first. cutoff: from 0 to 1, how alike they must be."""
    import difflib  # where it is used, as it is slow to load

    return difflib.get_close_matches(word, list(known), n=most, cutoff=cutoff)


def check_bars(bars: tuple[int, int], title: str = "the bars are") -> None:
    """Refuse a first and a last bar that are none. title: how the refusal begins.

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
            raise OptionError(f"the section {piece.strip()[:40]!r} is no name and bars, wanted such as verse 5-20")
        first, last = int(match[2]), int(match[3] or match[2])
        check_bars((first, last), f"the bars of the section {match[1][:40]!r} are")
        if found and first <= found[-1][2]:
            raise OptionError(
                f"the section {match[1][:40]!r} begins in bar {first}, and {found[-1][0][:40]!r} ends in bar"
                f" {found[-1][2]}; name them in their order, each bar once"
            )
        found.append((match[1], first, last))
    return tuple(found)


def pieces_of(names: Sequence[str]) -> frozenset[str]:
    """The pieces of the kit that some names of pieces and families stand for.

    Raises:
        OptionError: there is no such name.
    """
    for name in names:
        check_word("without", name)
    return frozenset(piece for name in names for piece in FAMILIES.get(name, (name,)))


GENRES = (
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
GENERATORS = ("step", "words", "bar", "phrase", "loop")
"""Who makes beats, the default first."""

MOST_BARS = 1024
LEAST_BPM, MOST_BPM = 20, 400

MOST_SEED = (1 << 63) - 1


def _number(
    metavar: str, help: str, default: Any, least: float, most: float, title: str, kind: type | None = None
) -> Choice:
    """A number from least to most; its kind is by default that of its default."""
    shown = "" if default in (None, ()) else f" (default: {default:g})"
    many, wanted = default == (), f"{least} to {most}"
    return Choice(kind or type(default), metavar, help + shown, default, least, most, wanted, title, many=many)


BRIEF = MappingProxyType(
    {
        "genre": Choice(str, "NAME", f"{', '.join(GENRES)}, or a mix as funk:2,jazz:1 (default: any)", words=GENRES),
        "bpm": _number("B", "quarters a minute", 110.0, LEAST_BPM, MOST_BPM, "the tempo"),
        "bars": _number("N", "how many", 8, 1, MOST_BARS, "the number of bars"),
        "variability": _number(
            "0..1", "0 the same bar again and again, 0.2 as drummers vary, 1 all new", 0.2, 0, 1, "variability"
        ),
        "fill": _number("EVERY", "a fill every so many bars", None, 2, MOST_BARS, "a fill every", int),
        "change": _number("BAR", "something else begins in these bars, such as 5,9", (), 2, MOST_BARS, "a change", int),
        "temperature": _number("T", "0 the most likely, 1 as drummers play", 1.0, 0, 2, "the temperature"),
        "metre": Choice(str, "N/M", "the metre that the bars, made in 4/4, are brought into (default: 4/4)", "4/4"),
        "grid": _number("16|24|32", "places a bar, of which 24 has triplets", 24, 16, 32, "the grid"),
        "seed": _number("N", "which beat", 0, 0, MOST_SEED, "the seed"),
    }
)
"""Each by the name that it has as a field of `Brief`; `seed` is beside it."""

_METRE = re.compile(r"(\d{1,3})/(\d{1,3})")
_SHARE = re.compile(r"([^:=,\s]+)\s*(?:[:=]\s*([^,\s]+))?")


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


def genres_of(text: str) -> Mapping[str, float]:
    """The share of each genre of such as "funk:2,jazz:1", 1 together. A name alone counts 1.

    Raises:
        OptionError: there is no such genre, it is named twice, or a weight is none.
    """
    return shares_of(weights_of(text))


def weights_of(text: str) -> dict[str, float]:
    """The weight of each genre of such as "funk:2,jazz:1", as it is written.

    Raises:
        OptionError: there is no such genre, it is named twice, or a weight is no number.
    """
    weights: dict[str, float] = {}
    for piece in text.split(","):
        match = _SHARE.fullmatch(piece.strip())
        if match is None:
            raise OptionError(f"the genre {piece.strip()[:40]!r} is no name and weight, wanted such as funk:2,jazz:1")
        name = match[1].lower()
        if name not in GENRES:
            raise OptionError(f"there is no genre {name[:40]!r}; {instead(name, GENRES)}")
        if name in weights:
            raise OptionError(f"the genre {name} is named twice; name it once")
        try:
            weights[name] = float(match[2] or 1)
        except ValueError:
            raise OptionError(f"the weight of {name} is {match[2][:40]!r}, wanted a number such as 2") from None
    return weights


def shares_of(weights: Mapping[str, float]) -> Mapping[str, float]:
    """Weights of genres as shares, 1 together.

    Raises:
        OptionError: there is no such genre, or the weights are no shares of anything.
    """
    for name, weight in weights.items():
        if name not in GENRES:
            raise OptionError(f"there is no genre {name[:40]!r}; {instead(name, GENRES)}")
        if not 0 <= weight < math.inf:
            raise OptionError(f"the weight of {name} is {weight}, wanted 0 or more")
    total = sum(weights.values())
    if weights and not 0 < total < math.inf:
        raise OptionError(f"the weights of the genres are {total:g} together, wanted more than 0")
    return MappingProxyType({name: weight / total for name, weight in weights.items()})


def check_brief(name: str, value: float | None, title: str = "") -> None:
    """Refuse a number of a brief that is out of its range. title: what the refusal calls it, if not as the table.

    Raises:
        OptionError: it is out of its range.
    """
    check_number(BRIEF[name], value, title or BRIEF[name].title or name)
