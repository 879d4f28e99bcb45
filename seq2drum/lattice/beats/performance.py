"""Notes as played, in seconds, before any beat is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import OptionError
from seq2drum.music import choices, metres
from seq2drum.music.limits import FASTEST_BPM, SLOWEST_BPM
from seq2drum.music.shown import Shown

FloatArray = NDArray[np.float64]

_CHORD = 0.04  # seconds within which notes belong to one strike


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
        """A performance of notes in any order."""
        order = np.lexsort((pitch, onset))
        floats = (values[order].astype(np.float64) for values in (onset, end, strength))
        onset, end, strength = floats
        return cls(onset, end, pitch[order].astype(np.int64), strength, seconds)

    def __len__(self) -> int:
        return len(self.onset)

    @property
    def first_notes(self) -> NDArray[np.int64]:
        """The first note of each strike, see `strikes`."""
        return first_of_each(self.onset, _CHORD)

    @property
    def strikes(self) -> tuple[FloatArray, FloatArray]:
        """The times of the strikes in seconds, and their strengths: the sum of their notes' strengths.

        Notes within _CHORD of the first are one strike, at the mean of their times weighted by strength.
        """
        firsts = self.first_notes
        strength = np.add.reduceat(self.strength, firsts) if len(firsts) else self.strength
        times = np.add.reduceat(self.onset * self.strength, firsts) if len(firsts) else self.onset
        return times / np.maximum(strength, 1e-9), strength


def first_of_each(times: FloatArray, width: float) -> NDArray[np.int64]:
    """The indices that begin a group of rising times; a group spans at most `width` from its first."""
    firsts = list[int]()
    index = 0
    while index < len(times):
        firsts.append(index)
        index = int(np.searchsorted(times, times[index] + width, side="right"))
    return np.array(firsts, np.int64)


SCALES = (0.5, 1.0, 2.0)
"""The allowed factors of tracked tempos."""


@dataclass(frozen=True, slots=True)
class Timing(Shown):
    """The given timing of a performance; None: estimate it.

    bpm: quarters a minute, constant. metre: (numerator, denominator). downbeat: the second at which a bar begins.
    scale: one of SCALES, where the beats found are half or twice as fast as the real ones.
    """

    bpm: float | None = None
    metre: tuple[int, int] | None = None
    downbeat: float | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.bpm is not None and not SLOWEST_BPM <= self.bpm <= FASTEST_BPM:
            wanted = f"{SLOWEST_BPM} to {FASTEST_BPM} quarters a minute"
            raise OptionError(f"the tempo is {self.bpm:g} BPM, wanted {wanted}")
        if self.metre is not None:
            numerator, denominator = self.metre
            if numerator not in metres.NUMERATORS or denominator not in (2, 4, 8, 16):
                raise OptionError(f"the metre is {numerator}/{denominator}, wanted one such as 4/4, 3/4, 6/8 or 7/8")
        if self.downbeat is not None and not 0 <= self.downbeat < 3600:
            raise OptionError(f"the first downbeat is at {self.downbeat:g} s, wanted a second from 0 on")
        if self.scale not in SCALES:
            raise OptionError(f"the scale of the beats is {self.scale:g}, wanted 0.5 or 2")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Timing:
        """Return the timing in values of the table `music.file_options.TIMING`, by name.

        Raises:
            OptionError: one is out of its range.
        """
        metre, scale = options.get("metre"), options.get("beat_scale", 1.0)
        given = choices.metre_of(metre) if metre else None
        return cls(options.get("bpm"), given, options.get("first_downbeat"), scale)


@dataclass(frozen=True)
class Beats(Shown):
    """The quarters of a performance.

    seconds, quarters (knots,): rising; the quarter at each second, with constant tempo between two knots, and before
    and after all of them. Quarter 0 is the first downbeat. metre: (numerator, denominator).
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
        """The quarters at some seconds."""
        return _extended(seconds, self.seconds, self.quarters)

    def at(self, quarters: FloatArray) -> FloatArray:
        """The seconds of some quarters."""
        return _extended(quarters, self.quarters, self.seconds)


def _extended(x: FloatArray, knots: FloatArray, values: FloatArray) -> FloatArray:
    """Values interpolated between knots, and extrapolated beyond them with the slope of the outermost two."""
    first = (values[1] - values[0]) / (knots[1] - knots[0])
    last = (values[-1] - values[-2]) / (knots[-1] - knots[-2])
    inside = np.interp(x, knots, values)
    beyond = np.minimum(x - knots[0], 0) * first + np.maximum(x - knots[-1], 0) * last
    placed: FloatArray = inside + beyond
    return placed
