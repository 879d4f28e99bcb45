"""How loud hits are: a limit that clips nothing, levels, and variation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2drum.play.feel import loudness


def test_the_limit_leaves_what_is_below_its_knee_and_keeps_the_order_above() -> None:
    velocity = np.arange(1.0, 400.0, 0.5)
    limited = loudness.limited(velocity)
    assert np.array_equal(limited[velocity <= loudness.KNEE], velocity[velocity <= loudness.KNEE])
    assert (np.diff(limited[velocity < 200]) > 0).all()
    assert np.rint(limited).max() == 126
    assert loudness.limited(np.array([-5.0])).tolist() == [1]


@given(st.lists(st.integers(1, 127), min_size=1, max_size=30), st.floats(20, 105))
def test_hits_are_moved_alike_to_a_mean(velocity: list[int], mean: float) -> None:
    given = np.array(velocity, dtype=np.float64)
    moved = loudness.as_loud_as(given, mean)
    assert ((moved >= 1) & (moved < 126.5)).all()
    assert np.mean(moved) == pytest.approx(mean, abs=0.5)
    assert (np.diff(moved[np.argsort(given)]) >= 0).all()


def test_no_hits_are_as_loud_as_any() -> None:
    assert len(loudness.as_loud_as(np.zeros(0), 90.0)) == 0


def test_a_level_asks_for_a_mean_and_keeps_the_ratio_of_ghosts_and_accents() -> None:
    velocity = np.array([30.0, 60.0, 100.0])
    levels = [loudness.at_level(velocity, 80.0, level) for level in (0.0, 0.3, 0.5, 0.8, 1.0)]
    assert (np.diff([np.mean(each) for each in levels]) > 3).all()
    for each in levels[:3]:
        assert each[2] / each[0] == pytest.approx(100 / 30, rel=1e-3)
    assert max(each.max() for each in levels) < 126.5
    soft, loud = (np.mean(loudness.at_level(velocity * gain, 80.0 * gain, 0.5)) for gain in (0.7, 1.2))
    assert 0 < loud - soft < 0.2 * np.mean(velocity * 0.5)  # a soft song stays a little softer, no more
    assert loudness.at_level(velocity, 90.0, 0.5) == pytest.approx(velocity, rel=1e-3)


def test_a_drummer_varies_each_hit_and_what_falls_on_one_step_together() -> None:
    step = np.tile([0, 0, 6], 2000) + np.repeat(np.arange(2000) * 12, 3)
    varied = loudness.varied(np.full(len(step), 80.0), step, np.random.default_rng(0)).reshape(-1, 3)
    assert np.std(varied) == pytest.approx(80 * 0.1, rel=0.2)
    together, apart = (np.corrcoef(varied[:, 0], varied[:, other])[0, 1] for other in (1, 2))
    assert together > 0.15 > abs(apart)
