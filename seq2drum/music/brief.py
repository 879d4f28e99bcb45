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
    OTHER_GENRES,
    Choice,
    check_number,
    choice,
    instead,
    table_of,
)


def _number(
    metavar: str,
    about: str,
    default: Any,
    least: float,
    most: float,
    title: str,
    kind: type | None = None,
    unset: str = "",
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
        unset=unset,
    )


USUAL_BPM = MappingProxyType(
    {
        "afrobeat": 112.0,
        "afrocuban": 105.0,
        "dance": 120.0,
        "funk": 100.0,
        "hiphop": 92.0,
        "jazz": 140.0,
        "latin": 120.0,
        "neworleans": 100.0,
        "pop": 110.0,
        "reggae": 76.0,
        "rock": 115.0,
        "soul": 102.0,
        "trap": 140.0,
        "metal": 150.0,
        "blues": 108.0,
        "country": 118.0,
        "punk": 184.0,
        "ballad": 70.0,
        "house": 124.0,
        "drumandbass": 174.0,
    }
)
"""The tempo of a beat in each genre, if none is requested, in quarters a minute."""
ANY_BPM = 110.0  # of one without a genre


@dataclass(frozen=True)
class BaseBrief:
    """The options of a beat: `seq2drum.Brief` checks them, and the client's `RemoteBrief` sends them."""

    __slots__ = ()

    genre: str | Mapping[str, float] | None = choice(
        str, "NAME", f"{', '.join(GENRES)}, or a mix as `funk:2,jazz:1`", unset="any", words=GENRES
    )
    bpm: float = _number(
        "B", "quarters a minute", None, LEAST_BPM, MOST_BPM, "the tempo", float, unset="that of the genre"
    )
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
    metre: str = choice(
        str, "N/M", "the metre; the learnt generators make bars in 4/4, which are converted", default="4/4"
    )
    form: str | None = choice(
        str,
        "FORM",
        "sections and their bars, such as `intro:4 verse:8 chorus:8`, instead of bars; of loops, bars such as AAAB",
    )

    def settle(self) -> None:
        """Fill in what the request leaves to others: the tempo, if it is None, and the bars of a form.

        Raises:
            OptionError: there is no such genre, or the form has malformed sections.
        """
        shares, bpm = self.genres, getattr(self, "bpm", None)
        if bpm is None:
            object.__setattr__(self, "bpm", usual_bpm(shares))
        if self.form is not None:
            object.__setattr__(self, "bars", sum(bars for _, bars in self.sections))

    @property
    def genres(self) -> Mapping[str, float]:
        """Return the share of each requested genre; they sum to 1. Empty for any."""
        if self.genre is None:
            return {}
        return genres_of(self.genre) if isinstance(self.genre, str) else shares_of(self.genre)

    @property
    def sections(self) -> tuple[tuple[str, int], ...]:
        """The name and the number of bars of each section of the form; none without a form."""
        return () if self.form is None else form_of(self.form)


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


_SECTION = re.compile(r"([^\s:,=]{1,40}):(\d{1,4})")


def form_of(text: str) -> tuple[tuple[str, int], ...]:
    """The name and the number of bars of each section of a text such as "intro:4 verse:8 chorus:8".

    Raises:
        OptionError: one has no name or no bars, or there are too many bars.
    """
    found = []
    for piece in re.split(r"[\s,]+", text.strip()):
        match = _SECTION.fullmatch(piece)
        if match is None or not int(match[2]):
            raise OptionError(
                f"the section {piece[:40]!r} is not a name and its bars, wanted such as intro:4 verse:8 chorus:8;"
                " letters such as AAAB are for --model loop"
            )
        found.append((match[1], int(match[2])))
    if (total := sum(bars for _, bars in found)) >= MOST_BARS:
        raise OptionError(f"the form has {total} bars, wanted at most {MOST_BARS - 1}")
    return tuple(found)


def usual_bpm(shares: Mapping[str, float]) -> float:
    """Return the tempo of a beat if none is requested: that of the genre with the largest share."""
    return USUAL_BPM[max(shares, key=shares.__getitem__)] if shares else ANY_BPM


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
            raise OptionError(f"there is no genre {name[:40]!r}; {instead(name, GENRES, OTHER_GENRES)}")
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
            raise OptionError(f"there is no genre {name[:40]!r}; {instead(name, GENRES, OTHER_GENRES)}")
        if not 0 <= weight < math.inf:
            raise OptionError(f"the weight of {name} is {weight}, wanted 0 or more")
    total = sum(weights.values())
    if weights and not 0 < total < math.inf:
        raise OptionError(f"the weights of the genres are {total:g} together, wanted more than 0")
    return MappingProxyType({name: weight / total for name, weight in weights.items()})
