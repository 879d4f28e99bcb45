"""The options of a beat: the table, and mixes of genres.

Only the standard library and the errors are imported, as in `options`, which has those of a take.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from seq2drum.errors import OptionError
from seq2drum.music.choices import (
    GENRES,
    LEAST_BPM,
    MOST_BARS,
    MOST_BPM,
    MOST_SEED,
    Choice,
    check_number,
    choice,
    instead,
    table_of,
)


def _number(
    metavar: str, about: str, default: Any, least: float, most: float, title: str, kind: type | None = None
) -> Any:
    """A number of a beat, from least to most; its kind is by default that of its default."""
    return choice(
        kind or type(default),
        metavar,
        about,
        default=default,
        least=least,
        most=most,
        wanted=f"{least} to {most}",
        title=title,
        many=default == (),
    )


@dataclass(frozen=True)
class BaseBrief:
    """The options of a beat: `seq2drum.Brief` checks them, and the client's `RemoteBrief` sends them."""

    __slots__ = ()

    genre: str | Mapping[str, float] | None = choice(
        str, "NAME", f"{', '.join(GENRES)}, or a mix as `funk:2,jazz:1`", unset="any", words=GENRES
    )
    bpm: float = _number("B", "quarters a minute", 110.0, LEAST_BPM, MOST_BPM, "the tempo")
    bars: int = _number("N", "how many", 8, 1, MOST_BARS, "the number of bars")
    variability: float = _number(
        "0..1", "0 repeats one bar, 0.2 varies as drummers do, 1 never repeats", 0.2, 0, 1, "variability"
    )
    fill: int | None = _number("EVERY", "play fills this many bars apart", None, 2, MOST_BARS, "a fill every", int)
    change: tuple[int, ...] = _number(
        "BAR", "change the pattern in these bars, such as `5,9`", (), 2, MOST_BARS, "a bar of change", int
    )
    temperature: float = _number("T", "0 the most likely, 1 as drummers play", 1.0, 0, 2, "the temperature")
    grid: int = _number("16|24|32", "steps per bar; 24 has triplets", 24, 16, 32, "the grid")
    metre: str = choice(str, "N/M", "the metre; the bars are made in 4/4 and converted", default="4/4")


BRIEF = MappingProxyType(
    {
        **table_of(BaseBrief),
        "seed": Choice(
            int, "N", "which beat", default=0, least=0, most=MOST_SEED, wanted=f"0 to {MOST_SEED}", title="the seed"
        ),
    }
)
"""The options of a beat, and `seed`, which is beside them."""


def check_brief(name: str, value: float | None, title: str = "") -> None:
    """Refuse a number of a brief that is out of its range. title: its name in the message, if not that of the table.

    Raises:
        OptionError: it is out of its range.
    """
    check_number(BRIEF[name], value, title or BRIEF[name].title or name)


_SHARE = re.compile(r"([^:=,\s]+)\s*(?:[:=]\s*([^,\s]+))?")


def genres_of(text: str) -> Mapping[str, float]:
    """The share of each genre in a text such as "funk:2,jazz:1"; shares sum to 1. A name alone counts 1.

    Raises:
        OptionError: there is no such genre, it is named twice, or a weight is invalid.
    """
    return shares_of(weights_of(text))


def weights_of(text: str) -> dict[str, float]:
    """The weight of each genre in a text such as "funk:2,jazz:1", as written.

    Raises:
        OptionError: there is no such genre, it is named twice, or a weight is not a number.
    """
    weights: dict[str, float] = {}
    for piece in text.split(","):
        match = _SHARE.fullmatch(piece.strip())
        if match is None:
            raise OptionError(
                f"the genre {piece.strip()[:40]!r} is not a name and a weight, wanted such as funk:2,jazz:1"
            )
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
    """Weights of genres as shares, which sum to 1.

    Raises:
        OptionError: there is no such genre, or the weights do not have a positive sum.
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
