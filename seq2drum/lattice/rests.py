"""Where nothing of a song sounds but drums: there is nothing to play to, and no model need be asked.

Letters of shapes: B bars of a lattice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.grid import Lattice
from seq2drum.music.notes import Song

STOPS_AFTER = 96
"""Bars of a rest after which a drummer stops, too. In 6,000 real songs the longest between two notes has 92."""


def rests(song: Song, lattice: Lattice) -> NDArray[np.bool_]:
    """(B,): in which bars nothing but drums sounds."""
    starts = np.array([bar.start for bar in lattice.bars])
    change = np.zeros(len(starts) + 1, dtype=np.int64)
    for part in song.parts:
        if not part.is_drums and len(part):
            end = part.onset + np.maximum(part.duration, 1)  # a note without length sounds, too
            np.add.at(change, np.searchsorted(starts, part.onset, side="right") - 1, 1)
            np.add.at(change, np.searchsorted(starts, end, side="left"), -1)
    silent: NDArray[np.bool_] = np.cumsum(change[:-1]) == 0
    return silent


def stopped(resting: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(B,): in which bars the drummer has stopped: all of a rest but its first STOPS_AFTER bars, and the last rest."""
    numbers = np.arange(len(resting))
    sounding = np.flatnonzero(~resting)
    since = numbers - np.maximum.accumulate(np.where(resting, -1, numbers))
    still: NDArray[np.bool_] = (since > STOPS_AFTER) | (numbers > sounding.max(initial=-1))
    return still
