"""A figure of the panel: a vector that is counted of a take, and a number that is read off the sum of such vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from seq2drum.judge.measures import Vector
from seq2drum.judge.trial import Trial

Better = Literal["high", "low", "near real", "to beat", "neither"]
WAYS: Mapping[str, str] = {
    "high": "higher is better",
    "low": "lower is better",
    "near real": "near the real drums is best",
}
"""Which way is good, in words, where one is."""


class Figure(NamedTuple):
    """One figure: what it is called and means, and which way is good.

    better: "near real" is judged by what the real drums have; "to beat" is the same for all players; of "neither" no
    way is good. group: its table on a page. statistics: from a take to a vector. value: from a sum of such vectors to a
    number.
    """

    name: str
    meaning: str
    better: Better
    group: str
    statistics: Callable[[Trial], ArrayLike]
    value: Callable[[Vector], float]


def of_each(read: Callable[..., float]) -> Callable[[Vector], float]:
    """Read a number off all sums."""
    return lambda sums: read(*sums.tolist())


def of_halves(read: Callable[[Vector, Vector], float]) -> Callable[[Vector], float]:
    """Read a number off the first half of the sums and the second."""
    return lambda sums: read(sums[: len(sums) // 2], sums[len(sums) // 2 :])  # np.split took longer than reading


def of_songs(number: float) -> list[float]:
    """What a song gives to a mean over songs; a song without an answer is left out."""
    return [0.0, 0.0] if np.isnan(number) else [number, 1.0]
