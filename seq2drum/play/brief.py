"""What a musician can ask for of a beat without a guitar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import OptionError
from seq2drum.lattice.patterns import GRIDS, WANTED
from seq2drum.music import briefs
from seq2drum.music.briefs import BRIEF, GENRES

WISHES = len(GENRES) + 2
"""How many numbers a wish has: a share of each genre, the tempo, and whether the bar is a fill."""

_MIDDLE, _SPREAD = 110, 50  # of tempos, in quarters a minute


@dataclass(frozen=True, slots=True)
class Brief:
    """What a musician can ask for of a beat.

    genre: one of `briefs.GENRES`, a mix of them as "funk:2,jazz:1" or a mapping of names to weights; None for any.
    bpm: quarters a minute. bars: how many. variability: 0..1, 0 for one bar again and again, 1 for always something
    new. fill: a fill every so many bars; None for none. change: the bars, counted from 1, in which something else
    begins. temperature: 0..2. grid: places a bar, see `lattice.patterns`. metre: what the bars, which are made in 4/4,
    are brought into, as in `lattice.fitting`.

    Raises:
        OptionError: one of these is out of its range.
    """

    genre: str | Mapping[str, float] | None = None
    bpm: float = BRIEF["bpm"].default
    bars: int = BRIEF["bars"].default
    variability: float = BRIEF["variability"].default
    fill: int | None = None
    change: tuple[int, ...] = ()
    temperature: float = BRIEF["temperature"].default
    grid: int = BRIEF["grid"].default
    metre: str = BRIEF["metre"].default

    def __post_init__(self) -> None:
        for name in ("bpm", "bars", "variability", "fill", "temperature"):
            briefs.check(name, getattr(self, name))
        for bar in self.change:
            briefs.check("change", bar, "a bar of change")
            if bar > self.bars:
                raise OptionError(f"something else is to begin in bar {bar}, of {self.bars} bars; ask for more bars")
        if self.grid not in GRIDS:
            raise OptionError(f"the grid is {self.grid}, wanted {WANTED}")
        _ = self.genres, briefs.metre_of(self.metre)

    @property
    def genres(self) -> Mapping[str, float]:
        """The share of each genre that is asked for, 1 together; empty for any."""
        if self.genre is None:
            return {}
        return briefs.genres_of(self.genre) if isinstance(self.genre, str) else briefs.shares_of(self.genre)

    def in_words(self) -> str:
        """What is asked for, in words."""
        mixed = ", ".join(name if share == 1 else f"{name} {share:.0%}" for name, share in self.genres.items())
        bars = "1 bar" if self.bars == 1 else f"{self.bars} bars"
        fills = f", a fill every {self.fill}" if self.fill else ""
        return f"{mixed or 'any genre'}, {bars}{fills}, {self.metre}, ♩={self.bpm:g}, variability {self.variability:g}"

    def is_fill(self, bar: int) -> bool:
        """Whether a bar, counted from 0, is a fill."""
        return self.fill is not None and bar % self.fill == self.fill - 1

    def passage(self, bar: int) -> int:
        """How many changes come before a bar, counted from 0, or at it."""
        return sum(change - 1 <= bar for change in self.change)


def wish(genre: str | None, bpm: float, *, fill: bool) -> NDArray[np.float32]:
    """(WISHES,): one genre (None: any, all zero), a tempo and whether it is a fill, as networks are told them."""
    numbers = np.zeros(WISHES, dtype=np.float32)
    if genre is not None:
        numbers[GENRES.index(genre)] = 1
    numbers[-2:] = (bpm - _MIDDLE) / _SPREAD, fill
    return numbers
