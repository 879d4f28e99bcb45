"""Rolls of the hat, as trap has them: thirty-seconds and triplets, as notes in ticks, finer than the lattice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seq2drum.lattice.patterns import TICKS
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray

_TAG = 0x2011  # only in the seeds of rolls
_HAT = int(FULL.note_of[FULL.places["closed hat"]])
# Where a roll begins and how long it is, in quarters, with its weight: mostly it leads into a beat.
SPANS = (((3.5, 0.5), 4), ((1.5, 0.5), 3), ((2.5, 0.5), 2), ((3.0, 1.0), 2), ((1.0, 0.5), 2), ((0.5, 0.5), 1))
THIRTY_SECONDS, TRIPLETS = TICKS // 8, TICKS // 6
"""Ticks from stroke to stroke."""
ROLLED, IN_TRIPLETS, TWICE = 0.9, 0.3, 0.5  # shares of bars with a roll, of rolls in triplets, of bars with a second
_SOFT, _LOUD = 44, 96  # velocities at the ends of a roll
_NEAR = 30  # ticks before a roll whose strokes it takes the place of


def rolled(rows: IntArray, seed: Sequence[int]) -> IntArray:
    """Return the notes (n, 4) of a bar in 4/4, TICKS a quarter, with the rolls that a seed draws."""
    rng = np.random.default_rng([_TAG, *seed])
    spans, weights = [span for span, _ in SPANS], np.array([weight for _, weight in SPANS], dtype=np.float64)
    count = (rng.random() < ROLLED) * (1 + (rng.random() < TWICE))
    for place in rng.choice(len(spans), size=count, replace=False, p=weights / weights.sum()).tolist():
        begin, length = (round(quarters * TICKS) for quarters in spans[place])
        apart = TRIPLETS if rng.random() < IN_TRIPLETS else THIRTY_SECONDS
        onset = np.arange(begin, begin + length, apart)
        swell = np.linspace(_SOFT, _LOUD, len(onset))
        velocity = np.rint(swell if rng.random() < 0.7 else swell[::-1]).astype(np.int64)
        inside = (rows[:, 2] == _HAT) & (rows[:, 0] >= begin - _NEAR) & (rows[:, 0] < begin + length)
        roll = np.stack([onset, np.full_like(onset, THIRTY_SECONDS), np.full_like(onset, _HAT), velocity], axis=1)
        rows = np.concatenate([rows[~inside], roll])
    ordered: IntArray = rows[np.lexsort((rows[:, 2], rows[:, 0]))]
    return ordered
