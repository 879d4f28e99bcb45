"""The random numbers of a batch of pairs, and which drums a pair may see of those before it.

Letters of shapes: n pairs, V voices.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray

FAR = 8  # bars from further back that a pair's memory holds, drawn at random
BLANKED = 0.3  # share of training pairs whose drum history is hidden, so that the model learns to listen


class Draws(NamedTuple):
    """The random numbers of a batch, a row a pair: drawn for a whole batch, they may be shared out among processes.

    hidden (n, 3), asked (n, 5), voices (n, 1 + the voices of the full kit), spread (n, FAR), groove (n, 3) and
    future (n,) in 0..1; key (n,) in 0..11.
    """

    hidden: NDArray[np.float64]
    asked: NDArray[np.float64]
    voices: NDArray[np.float64]
    spread: NDArray[np.float64]
    key: IntArray
    groove: NDArray[np.float64]
    future: NDArray[np.float64]

    def part(self, rank: int, of: int) -> Draws:
        """Every `of`-th row from `rank` on."""
        return self.rows(slice(rank, None, of))

    def rows(self, which: slice) -> Draws:
        """Some of the rows."""
        columns: list[Any] = [column[which] for column in self]
        return Draws(*columns)


def draw(rng: np.random.Generator, pairs: int) -> Draws:
    """The random numbers of a batch of so many pairs."""
    return Draws(
        rng.random((pairs, 3)),
        rng.random((pairs, 5)),
        rng.random((pairs, 1 + len(FULL))),
        rng.random((pairs, FAR)),
        rng.integers(0, 12, size=pairs),
        rng.random((pairs, 3)),
        rng.random(pairs),
    )


def kept(hidden: NDArray[np.float64], blanked: float) -> NDArray[np.bool_]:
    """(n, 3): which history a pair keeps: all bars before; the recent ones; the step before.

    Of the pairs without any history half keep the step before, else a bar would have no beginning. Of the others as
    many again lose only the recent bars: what to play must then be found further back, by what the guitar does.
    """
    everything = hidden[:, 0] >= blanked
    recent = everything & (hidden[:, 1] >= blanked)
    return np.stack([everything, recent, everything | (hidden[:, 2] < 0.5)], axis=1)


def shown(voices: NDArray[np.float64], kit: int, blanked: float) -> NDArray[np.bool_]:
    """(n, V): which voices are seen in the bars before. In some pairs a third of them are hidden.

    Without that a model never plays a voice that it has not played yet, and its takes grow sparser with every bar.
    """
    all_seen = voices[:, :1] >= blanked
    return all_seen | (voices[:, 1 : 1 + kit] >= 1 / 3)
