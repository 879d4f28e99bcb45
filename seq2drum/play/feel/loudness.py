"""Loudness of the hits of a take: levels, a soft limit, a drummer's variation, and swing.

Velocities are those of MIDI, 1 to 127; here they are arrays of any shape, not rounded where a function says nothing
else. N hits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import OptionError
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import HALF_GAP, OFFSET_UNITS, PLACES, STEPS_PER_QUARTER, Grid
from seq2drum.music.notes import IntArray
from seq2drum.play.feel.feel import gaps

Array = NDArray[np.float64]

KNEE = 110.0  # up to here a velocity is as it comes
ROOM = 16.4  # what is louder comes at most this much above: 126 when rounded
# The mean velocity of a take at levels of intensity. Half way is the level without a request.
_LEVELS, _MEANS = (0.0, 0.25, 0.5, 0.75, 1.0), (58.0, 75.0, 90.0, 99.0, 108.0)
_MOST = 1.5  # how much more velocities are raised to come to a mean, where the limit holds some of them back
_HEEDED = 0.85  # how far a take is brought to the mean of its level: a song that is soft stays a little softer
# What a drummer varies, in shares of a velocity: with the bar, with the step and with each hit alone. And how often the
# velocity of a place is the same as in the bar before. Set on what drummers do, see `notebooks/LOG.md`.
_OF_BAR, _OF_STEP, _OF_HIT = 0.05, 0.05, 0.09
REPEATED = 0.12


def limited(velocity: Array) -> Array:
    """Velocities that no strength clips: as they are up to the knee, above it ever closer to the most. Order stays."""
    above = np.maximum(velocity - KNEE, 0)
    soft: Array = np.minimum(velocity, KNEE) + ROOM * (1 - np.exp(-above / ROOM))
    return np.maximum(soft, 1.0)


def as_loud_as(velocity: Array, mean: float) -> Array:
    """(N,): velocities moved alike, and limited, so that this is their mean; as near as the limit allows."""
    if not len(velocity):
        return velocity
    reach = 128 + float(np.max(velocity))
    return limited(velocity + _found(lambda shift: float(np.mean(limited(velocity + shift))), mean, -reach, reach))


def at_level(velocity: Array, usual: float, level: float) -> Array:
    """(N,): velocities as loud as a level of intensity, 0 to 1, asks for, and limited.

    usual: the mean velocity of the take as it comes, of all bars so far. Below the limit, ghost notes and accents keep
    their ratio.
    """
    if not len(velocity):
        return velocity
    wanted = float(np.interp(level, _LEVELS, _MEANS))
    gain = (wanted / max(usual, 1.0)) ** _HEEDED * (wanted / _MEANS[2]) ** (1 - _HEEDED)
    mean = gain * float(np.mean(velocity))
    raised = _found(lambda factor: float(np.mean(limited(velocity * factor))), mean, gain, _MOST * gain)
    return limited(velocity * raised)


def _found(mean_of: Callable[[float], float], mean: float, low: float, high: float) -> float:
    """The number between low and high of which a function that rises is nearest to a mean."""
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_of(middle) < mean else (low, middle)
    return (low + high) / 2


def varied(velocity: Array, step: IntArray, rng: np.random.Generator) -> Array:
    """(N,): velocities of a bar's hits, varied as a drummer varies them: some with the bar, the step, the hit."""
    steps = int(step.max(initial=0)) + 1
    drawn = rng.standard_normal(1 + steps + len(velocity))  # of the bar, its steps, its hits
    varying: Array = np.exp(_OF_BAR * drawn[0] + _OF_STEP * drawn[1 + step] + _OF_HIT * drawn[1 + steps :])
    return velocity * varying


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
    """Return the swing of a part, 0 to 1: the mean place of its off-beat eighths. None without any."""
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
