"""Notes as they were played, in seconds: what there is before beats are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import OptionError
from seq2drum.music import metres
from seq2drum.music.shown import Shown

FloatArray = NDArray[np.float64]

_CHORD = 0.04  # seconds within which notes are struck by one move of the hand


@dataclass(frozen=True)
class Performance(Shown):
    """Notes in seconds from the beginning of a recording, sorted by onset.

    onset, end (notes,): seconds. pitch (notes,): MIDI pitches. strength (notes,): from 0 to 1, how hard each is struck
    or how clearly it is heard. seconds: how long it lasts.
    """

    onset: FloatArray
    end: FloatArray
    pitch: NDArray[np.int64]
    strength: FloatArray
    seconds: float

    @classmethod
    def of(
        cls,
        onset: NDArray[np.floating],
        end: NDArray[np.floating],
        pitch: NDArray[np.integer],
        strength: NDArray[np.floating],
        seconds: float,
    ) -> Performance:
        """Of notes in any order."""
        order = np.lexsort((pitch, onset))
        floats = (values[order].astype(np.float64) for values in (onset, end, strength))
        onset, end, strength = floats
        return cls(onset, end, pitch[order].astype(np.int64), strength, seconds)

    def __len__(self) -> int:
        return len(self.onset)

    @property
    def first_notes(self) -> NDArray[np.int64]:
        """The first note of each move of the hand, see `strikes`."""
        return first_of_each(self.onset, _CHORD)

    @property
    def strikes(self) -> tuple[FloatArray, FloatArray]:
        """Moves of the hand: their times in seconds, and how strong each is, the strengths of its notes added.

        Notes within _CHORD of the first of them are one strike, at the mean of their times by strength.
        """
        firsts = self.first_notes
        strength = np.add.reduceat(self.strength, firsts) if len(firsts) else self.strength
        times = np.add.reduceat(self.onset * self.strength, firsts) if len(firsts) else self.onset
        return times / np.maximum(strength, 1e-9), strength


def first_of_each(times: FloatArray, width: float) -> NDArray[np.int64]:
    """Of rising times the indices that begin a group: what is within `width` of the first of a group belongs to it."""
    firsts = list[int]()
    index = 0
    while index < len(times):
        firsts.append(index)
        index = int(np.searchsorted(times, times[index] + width, side="right"))
    return np.array(firsts, np.int64)


SLOWEST, FASTEST = 30.0, 300.0
"""Quarters a minute that one may ask for."""

SCALES = (0.5, 1.0, 2.0)
"""By how much the beats that are found may be made faster."""


@dataclass(frozen=True, slots=True)
class Timing(Shown):
    """What is known of a performance's beats; None is to be found.

    bpm: quarters a minute, which never change. metre: (numerator, denominator). downbeat: the second at which a bar
    begins. scale: one of SCALES, where the beats that are found are half as fast as they are, or twice.
    """

    bpm: float | None = None
    metre: tuple[int, int] | None = None
    downbeat: float | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.bpm is not None and not SLOWEST <= self.bpm <= FASTEST:
            raise OptionError(f"the tempo is {self.bpm:g} BPM, wanted {SLOWEST:g} to {FASTEST:g} quarters a minute")
        if self.metre is not None:
            numerator, denominator = self.metre
            if numerator not in metres.NUMERATORS or denominator not in (2, 4, 8, 16):
                raise OptionError(f"the metre is {numerator}/{denominator}, wanted one such as 4/4, 3/4, 6/8 or 7/8")
        if self.downbeat is not None and not 0 <= self.downbeat < 3600:
            raise OptionError(f"the first downbeat is at {self.downbeat:g} s, wanted a second from 0 on")
        if self.scale not in SCALES:
            raise OptionError(f"the scale of the beats is {self.scale:g}, wanted 0.5 or 2")


@dataclass(frozen=True)
class Beats(Shown):
    """Where the quarters of a performance are.

    seconds, quarters (knots,): rising; which quarter is at which second, the tempo being the same between two knots,
    and before and after all of them. Quarter 0 is the first downbeat. metre: (numerator, denominator).
    """

    seconds: FloatArray
    quarters: FloatArray
    metre: tuple[int, int]

    @classmethod
    def steady(cls, bpm: float, downbeat: float, metre: tuple[int, int]) -> Beats:
        """Beats of one tempo."""
        return cls(np.array([downbeat, downbeat + 60 / bpm]), np.array([0.0, 1.0]), metre)

    @property
    def downbeat(self) -> float:
        """The second of the first downbeat."""
        return float(self.at(np.zeros(1))[0])

    def place(self, seconds: FloatArray) -> FloatArray:
        """The quarters that are at some seconds."""
        return _extended(seconds, self.seconds, self.quarters)

    def at(self, quarters: FloatArray) -> FloatArray:
        """The seconds at which some quarters are."""
        return _extended(quarters, self.quarters, self.seconds)


def _extended(x: FloatArray, knots: FloatArray, values: FloatArray) -> FloatArray:
    """Values between knots, and beyond them as from the first or last knot to the next."""
    first = (values[1] - values[0]) / (knots[1] - knots[0])
    last = (values[-1] - values[-2]) / (knots[-1] - knots[-2])
    inside = np.interp(x, knots, values)
    beyond = np.minimum(x - knots[0], 0) * first + np.maximum(x - knots[-1], 0) * last
    placed: FloatArray = inside + beyond
    return placed
