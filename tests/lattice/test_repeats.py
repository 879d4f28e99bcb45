"""Bars that come back: which bars are alike, and how far a new one strays."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.lattice.conditions import Drums, bars_of
from seq2drum.lattice.repeats import LAGS, MOST_CHANGED, changes, cores, differences, level_of
from tests.drumming import BACKBEAT, VOICE, drums, form_of, four, loop, random_drums


def core(part: Drums) -> np.ndarray:
    return cores(bars_of(part))


def test_a_loop_comes_back_and_its_first_bar_is_all_new() -> None:
    part = loop(four(20), BACKBEAT)
    assert changes(core(part), part.form.steps).tolist() == [1.0, *19 * [0.0]]


def test_a_change_counts_the_hits_that_differ_from_the_nearest_of_the_bars_before() -> None:
    part = loop(four(6), BACKBEAT)
    part.velocity[4 * 24 + 3, VOICE["kick"]] = part.velocity[4 * 24 + 9, VOICE["snare"]] = 90
    found = differences(core(part), part.form.steps)
    assert found[4].tolist() == [2, 2, 2, MOST_CHANGED, MOST_CHANGED]
    assert found[5].tolist() == [2, 0, 0, MOST_CHANGED, MOST_CHANGED]
    assert changes(core(part), part.form.steps).tolist() == [1, 0, 0, 0, pytest.approx(level_of(np.array(2))), 0]


def test_a_bar_under_a_crash_is_the_same_bar() -> None:
    part = loop(four(3), BACKBEAT)
    part.velocity[48, VOICE["crash"]], part.velocity[48, VOICE["closed hat"]] = 110, 0
    assert changes(core(part), part.form.steps).tolist() == [1, 0, 0]
    part.velocity[51, VOICE["closed hat"]] = 0  # off the first beat it is another bar
    assert changes(core(part), part.form.steps)[2] > 0


def test_bars_of_another_length_are_not_compared() -> None:
    form = form_of((4, 4), (3, 4), (4, 4), (3, 4))
    part = drums(form, *((bar, 0, "kick") for bar in range(4)))
    found = differences(core(part), form.steps)
    assert found[:, LAGS.index(1)].tolist() == [MOST_CHANGED] * 4
    assert found[:, LAGS.index(2)].tolist() == [MOST_CHANGED, MOST_CHANGED, 0, 0]


def test_levels_rise_with_the_hits_and_end_at_one() -> None:
    levels = level_of(np.arange(40))
    assert levels[0] == 0 and levels[MOST_CHANGED:].tolist() == [1.0] * (40 - MOST_CHANGED)
    assert (np.diff(levels[: MOST_CHANGED + 1]) > 0).all()


def test_a_song_shorter_than_a_lag_is_compared_as_far_as_it_goes() -> None:
    part = random_drums(four(1), 0)
    assert changes(core(part), part.form.steps).tolist() == [1.0]
