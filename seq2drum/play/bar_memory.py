"""What the step generator knows of the bars made so far, and what a step of a bar hears of them.

Fills are not remembered: behind one the groove goes on. Of many beats at once, n is how many.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seq2drum.lattice.form import FloatArray
from seq2drum.music.kit import NINE

MOST = 8  # bars that are remembered
BACK = (1, 2, 4)  # bars of which the same place is heard
_V = len(NINE)
REMEMBERED = _V * (2 + len(BACK) + 2) + 2
HEARD = 2 * _V + REMEMBERED
"""Numbers that a step hears: the hits and velocities of the step before, and what is remembered."""


class BarMemory:
    """The last bars of n beats. bars (n, MOST, places, V): velocities, the newest first. known (n,): how many."""

    def __init__(self, n: int, places: int) -> None:
        self.bars = np.zeros((n, MOST, places, _V), dtype=np.float32)
        self.known = np.zeros(n, dtype=np.int64)

    def keep(self, bar: FloatArray, is_fill: Any) -> None:
        """Remember a bar (n, places, V) of each beat, except of those (n,) where it is a fill."""
        kept = ~np.asarray(is_fill, dtype=bool)
        self.bars[kept, 1:] = self.bars[kept, :-1]
        self.bars[kept, 0] = bar[kept]
        self.known[kept] = np.minimum(self.known[kept] + 1, MOST)

    def heard(self) -> FloatArray:
        """(n, places, REMEMBERED): what each step of the next bar hears.

        The velocities one bar back, and there one step on; the hits as many bars back as BACK says; how often each
        voice was hit at the place, and at the next; how many bars are known, and whether there is none.
        """
        n, _, places, _ = self.bars.shape
        hits = (self.bars > 0).astype(np.float32)
        usual = hits.sum(axis=1) / np.maximum(self.known, 1)[:, None, None]
        newest = self.bars[:, 0]
        columns = [newest, np.roll(newest, -1, axis=1), *(hits[:, back - 1] for back in BACK)]
        columns += [usual, np.roll(usual, -1, axis=1)]
        count = np.stack([self.known / MOST, self.known == 0], axis=1)
        columns.append(np.broadcast_to(count[:, None], (n, places, 2)))
        return np.concatenate(columns, axis=2).astype(np.float32)


def before(velocity: FloatArray) -> FloatArray:
    """Velocities (..., V) of a step -> (..., 2V), what the next step hears of it."""
    return np.concatenate([(velocity > 0).astype(np.float32), velocity], axis=-1)
