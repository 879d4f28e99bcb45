"""The limiter: no sample is above the ceiling, and samples far from a peak are unchanged."""

import math

import numpy as np
import pytest

from seq2drum.show import loudness

CEILING = 10 ** (loudness.CEILING / 20)


def test_samples_below_the_ceiling_are_unchanged():
    quiet = np.random.default_rng(4).uniform(-CEILING, CEILING, (300_000, 2)).astype(np.float32)
    assert (loudness.limited(quiet) == np.rint(quiet * np.float32(32767))).all()


@pytest.mark.parametrize("at", [0, 1, 440, (1 << 18) - 1, 1 << 18, (1 << 18) + 440, 299_999])
def test_a_peak_is_lowered_smoothly_anywhere_and_the_rest_is_unchanged(at):
    before = np.full((300_000, 2), 0.5, np.float32)
    before[at] = (1.5, -2.0)
    after = loudness.limited(before) / 32767
    assert np.abs(after).max() <= CEILING + 1e-4
    assert np.abs(after[at]).max() == pytest.approx(CEILING, abs=1e-3)  # and no lower than is needed
    gain = np.delete(after / before, at, axis=0)
    assert np.abs(np.diff(gain, axis=0)).max() < 0.005
    touched = np.flatnonzero(after[:, 0] < 0.4999)
    assert touched.min() >= at - 441
    assert touched.max() <= at + 441


def test_a_signal_above_the_ceiling_throughout_is_lowered_to_it():
    loud = np.random.default_rng(5).normal(size=(600_000, 2)).astype(np.float32) * 3
    out = loudness.limited(loud)
    assert np.abs(out.astype(int)).max() <= math.ceil(CEILING * 32767)
