"""Grooves as arrays: what is struck in them, how alike two are, and what a ranker sees of one.

Letters of shapes: n grooves, S steps of a bar, V voices.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seq2drum.lattice.columns import Columns
from seq2drum.lattice.form import MAX_STEPS, FloatArray
from seq2drum.lattice.grooves import MOST_BARS, Groove
from seq2drum.music import metres
from seq2drum.music.kit import FULL, NINE, Kit, to_kit

# What a ranker sees of a groove.
GROOVE = Columns(
    hits=MAX_STEPS * len(FULL),  # the share of its bars in which each voice is struck at each step
    length=1,  # of a bar, in whole notes
    groups=1,  # accent groups of the metre, in fours
    compound=1,  # whether the metre goes in threes
)


def groove_features(grooves: Sequence[Groove]) -> FloatArray:
    """(n, GROOVE.size): grooves as rows. Steps beyond MAX_STEPS are left out."""
    kinds = [(groove.numerator, groove.denominator) for groove in grooves]
    return GROOVE.table(
        len(grooves),
        {
            "hits": hits_of(grooves, MAX_STEPS, FULL).mean(axis=1).reshape(len(grooves), -1),
            "length": [numerator / denominator for numerator, denominator in kinds],
            "groups": [len(metres.groups(*kind)) / 4 for kind in kinds],
            "compound": [denominator >= 8 and numerator % 3 == 0 for numerator, denominator in kinds],
        },
    )


def hits_of(grooves: Sequence[Groove], steps: int, kit: Kit = NINE) -> FloatArray:
    """(n, MOST_BARS, steps, V): whether each voice of a kit is struck at each step; a single bar is repeated.

    Steps from `steps` on are left out.
    """
    voice = to_kit(kit)
    hits = np.zeros((len(grooves), MOST_BARS, steps, len(kit)), dtype=np.float32)
    bars = [groove.bar(index) for groove in grooves for index in range(MOST_BARS)]
    if bars:
        of_bar = np.repeat(np.arange(len(bars)), [len(bar.step) for bar in bars])
        step, key = np.concatenate([bar.step for bar in bars]), voice[np.concatenate([bar.key for bar in bars])]
        kept = (step < steps) & (key >= 0)
        hits.reshape(-1, steps, len(kit))[of_bar[kept], step[kept], key[kept]] = 1
    return hits


def likeness(some: FloatArray, others: FloatArray) -> FloatArray:
    """(n, m): the F1 of what is struck in each two of n and m rows of hits, each of any shape."""
    rows, columns = some.reshape(len(some), -1), others.reshape(len(others), -1)
    total = rows.sum(axis=1)[:, None] + columns.sum(axis=1)
    alike: FloatArray = 2 * (rows @ columns.T) / np.maximum(total, 1)
    return alike
