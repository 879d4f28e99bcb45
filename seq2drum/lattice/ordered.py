"""What sorted numbers tell: each of them once, the one in the middle, and the one that a share of them is below.

`np.unique`, `np.median` and `np.quantile` give the same, but load `numpy.ma` first, which takes a process
longer than to read a song.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", np.int64, np.float64)


def distinct(values: NDArray[Number]) -> NDArray[Number]:
    """Each of some numbers (n,) once, rising."""
    ordered = np.sort(values)
    once: NDArray[Number] = ordered[np.concatenate([np.ones(len(ordered[:1]), dtype=bool), np.diff(ordered) != 0])]
    return once


def median(values: NDArray[Number]) -> float:
    """The number in the middle of some (n,), or the mean of the two there.

    Raises:
        IndexError: there are none.
    """
    ordered, half = np.sort(values), len(values) // 2
    return float(ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2)


def quantile(values: NDArray[Number], share: float) -> float:
    """What a share, 0..1, of some numbers (n,) is below, on the line between the two that are nearest to it.

    Raises:
        IndexError: there are none.
    """
    ordered, place = np.sort(values), (len(values) - 1) * share
    below = int(place)
    low, high = float(ordered[below]), float(ordered[min(below + 1, len(values) - 1)])
    weight = place - below
    return low + (high - low) * weight if weight < 0.5 else high - (high - low) * (1 - weight)
