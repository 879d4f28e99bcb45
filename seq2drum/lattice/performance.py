"""Notes as they were played, in seconds: what there is before beats are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
