"""What a musician can choose of a beat that is made without a guitar: names, ranges and defaults.

As `choices`, this imports no numpy: the client reads it, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from seq2drum.errors import OptionError
from seq2drum.music import choices, metres
from seq2drum.music.choices import Choice

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
            raise OptionError(f"there is no genre {name[:40]!r}; {choices.instead(name, GENRES)}")
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
            raise OptionError(f"there is no genre {name[:40]!r}; {choices.instead(name, GENRES)}")
        if not 0 <= weight < math.inf:
            raise OptionError(f"the weight of {name} is {weight}, wanted 0 or more")
    total = sum(weights.values())
    if weights and not 0 < total < math.inf:
        raise OptionError(f"the weights of the genres are {total:g} together, wanted more than 0")
    return MappingProxyType({name: weight / total for name, weight in weights.items()})


def check(name: str, value: float | None, title: str = "") -> None:
    """Refuse a number of a brief that is out of its range. title: what the refusal calls it, if not as the table.

    Raises:
        OptionError: it is out of its range.
    """
    choices.check_number(BRIEF[name], value, title or BRIEF[name].title or name)
