"""How fine the clock of a song must be, so that what was written in fractions of a quarter falls on its ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

from seq2drum.music.limits import MOST_TICKS_PER_QUARTER

FALLBACK_TICKS = 10_080  # divides by 2 to 10, 12, 14, 15, 16, 18, 20, 21, 24, 28, 30, 32


def ticks_per_quarter(times: Iterable[Fraction]) -> int:
    """The least common multiple of 480 and the denominators of some times in quarters.

    Where that passes MIDI's limit: that of the denominators alone; where that does, too, FALLBACK_TICKS.
    """
    exact = 1
    for denominator in {time.denominator for time in times}:
        exact = math.lcm(exact, denominator)
        if exact > MOST_TICKS_PER_QUARTER:
            return FALLBACK_TICKS
    finer = math.lcm(exact, 480)
    return finer if finer <= MOST_TICKS_PER_QUARTER else exact
