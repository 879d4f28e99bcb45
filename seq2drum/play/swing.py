"""Swing: where the second eighth of each quarter falls.

Letters of shapes: N hits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import OptionError
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import HALF_GAP, OFFSET_UNITS, PLACES, STEPS_PER_QUARTER, Grid
from seq2drum.music.notes import IntArray
from seq2drum.play.feel import gaps

Array = NDArray[np.float64]


def swing(grid: Grid, form: Form, amount: float) -> Grid:
    """Move the second eighth of each quarter: at 0 it is half way (straight), at 1 two thirds of the way (triplets).

    An off-beat eighth is a hit on place 6 or 8 of a quarter's twelve. It keeps what it was early or late by, and may
    change its step. Left as they are: sixteenths (places 3 and 9); quarters in which something lies on place 4, which
    are true triplets; a voice that is on both 6 and 8; and metres that are not counted in quarters or longer, where
    eighths are beats or go in threes.

    Raises:
        OptionError: amount is not 0 to 1.
    """
    step, offset = swung(grid, form, amount)
    moved = grid._replace(step=step, offset=offset)
    return moved.select(np.lexsort((moved.key, moved.step)))


def swing_of(grid: Grid, form: Form) -> float | None:
    """How much a part swings, 0 to 1: the mean place of its off-beat eighths. None if it plays none."""
    eighth = _off_beats(grid, form)
    if not eighth.any():
        return None
    return float(np.clip((np.mean(_twelfth(grid, form)[eighth]) - 6) / 2, 0, 1))


def is_second_eighth(step: IntArray, form: Form) -> NDArray[np.bool_]:
    """(N,): which steps are the straight second eighths of quarters, in metres that are counted in these or longer."""
    second: NDArray[np.bool_] = (_place(step, form) == 3) & (form.denominator[form.bar_of(step)] <= 4)
    return second


def swung(grid: Grid, form: Form, amount: float) -> tuple[IntArray, IntArray]:
    """The step and the offset (N,) of each hit as `swing` moves it, in the order given."""
    if not 0 <= amount <= 1:
        raise OptionError(f"the swing is {amount}, wanted 0 (straight) to 1 (triplets)")
    place = _place(grid.step, form)
    eighth = _off_beats(grid, form)
    late = _twelfth(grid, form) - PLACES[place]
    target = np.clip(6 + 2 * amount + late, 5, 8.5)
    onto = np.where(target > 7, 4, 3)
    gap = np.where(target < 6, 2.0, np.where(target > 8, 1.0, 2.0))
    offset = np.clip(np.rint((target - PLACES[onto]) / gap * OFFSET_UNITS), -HALF_GAP, HALF_GAP).astype(np.int64)
    return np.where(eighth, grid.step - place + onto, grid.step), np.where(eighth, offset, grid.offset)


def _place(step: IntArray, form: Form) -> IntArray:
    """The place of each step in its quarter, 0 to 5."""
    place: IntArray = form.place_of(step) % STEPS_PER_QUARTER
    return place


def _twelfth(grid: Grid, form: Form) -> Array:
    """(N,): where in its quarter each note begins, in twelfths."""
    before, after = gaps(grid.step, form)
    late = np.clip(grid.offset / OFFSET_UNITS, -0.5, 0.5)
    twelfth: Array = PLACES[_place(grid.step, form)] + late * np.where(late < 0, before, after)
    return twelfth


def _off_beats(grid: Grid, form: Form) -> NDArray[np.bool_]:
    """(N,): which notes are the second eighth of a quarter."""
    place, quarter = _place(grid.step, form), grid.step - _place(grid.step, form)
    off_beat = ((place == 3) | (place == 4)) & (form.denominator[form.bar_of(grid.step)] <= 4)
    off_beat &= ~np.isin(quarter, quarter[place == 2])
    name = quarter * 256 + grid.key
    both = np.isin(name, np.intersect1d(name[place == 3], name[place == 4]))
    eighth: NDArray[np.bool_] = off_beat & ~both
    return eighth
