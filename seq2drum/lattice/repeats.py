"""Bars that come back: which earlier bar a drummer plays again, and how far a new bar strays from those before it.

Drummers repeat whole bars, or change something. Two bars are alike if they have the same hits of nine voices, whatever
the cymbals: a crash opens a section, and the bar under it is the same.

Letters of shapes: B bars, S steps of the longest bar, V voices.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2drum.music.kit import NINE
from seq2drum.music.notes import IntArray

Levels = NDArray[np.float32]

LAGS = (1, 2, 4, 8, 16)  # bars back that a bar is compared with
NEW = -1  # in place of the number of a bar
MOST_CHANGED = 16  # hits beyond which a change counts no more
_CRASH = NINE.names.index("crash")
_TIME = [NINE.names.index(name) for name in ("closed hat", "open hat", "ride")]  # a crash takes their place


def cores(bars: NDArray[Any]) -> NDArray[np.bool_]:
    """(B, S, 9): bars of the nine-voice kit as hits, without crashes and the hats and ride of the first step."""
    hits: NDArray[np.bool_] = bars > 0
    hits[:, :, _CRASH] = False
    hits[:, 0, _TIME] = False
    return hits


def differences(hits: NDArray[np.bool_], steps: IntArray) -> IntArray:
    """(B, len(LAGS)): the hits in which each bar differs from the bar each of LAGS back.

    MOST_CHANGED without such a bar of as many steps. hits: see `cores`; steps (B,).
    """
    found = np.full((len(hits), len(LAGS)), MOST_CHANGED)
    for column, lag in enumerate(LAGS):
        differ = (hits[lag:] != hits[:-lag]).sum(axis=(1, 2))
        found[lag:, column] = np.where(steps[lag:] == steps[:-lag], np.minimum(differ, MOST_CHANGED), MOST_CHANGED)
    return found


def changes(hits: NDArray[np.bool_], steps: IntArray) -> Levels:
    """(B,): how far each bar strays from the nearest of those LAGS back, as a level: 0 is the same, 1 all new.

    The level is the logarithm of the hits that differ.
    """
    nearest = differences(hits, steps).min(axis=1, initial=MOST_CHANGED)
    return level_of(nearest)


def level_of(differing: IntArray) -> Levels:
    """(...,): numbers of differing hits as levels, see `changes`."""
    level: Levels = (np.log1p(np.minimum(differing, MOST_CHANGED)) / np.log1p(MOST_CHANGED)).astype(np.float32)
    return level
