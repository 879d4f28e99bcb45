"""Loudness by the standard and another implementation, and the limiter."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyloudnorm
import pytest

from seq2drum.show import loudness

integrated: Any = loudness.integrated  # NumPy's types do not know that these are of 32 bits


def test_the_filters_are_those_that_the_standard_gives_for_48000_frames_a_second():
    (b, a), (b2, a2) = loudness.filters(48_000)
    assert b == pytest.approx((1.53512485958697, -2.69169618940638, 1.19839281085285), abs=1e-8)
    assert a == pytest.approx((-1.69065929318241, 0.73248077421585), abs=1e-8)
    assert b2 == (1, -2, 1)
    assert a2 == pytest.approx((-1.99004745483398, 0.99007225036621), abs=1e-8)


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_full_sine_of_997_hertz_on_one_side_has_the_loudness_that_the_standard_says(rate):
    sine = np.sin(2 * np.pi * 997 * np.arange(5 * rate) / rate)
    assert integrated(np.stack([sine, 0 * sine], axis=1), rate) == pytest.approx(-3.01, abs=0.01)
    assert integrated(np.stack([sine, sine], axis=1) / 10, rate) == pytest.approx(-20.0, abs=0.01)


def test_the_filtering_by_pieces_is_the_filtering_sample_by_sample():
    noise = np.random.default_rng(1).normal(size=150_000).astype(np.float32)  # three pieces
    filtered = noise.tolist()
    for coefficients in loudness.filters(44_100):
        filtered = list(loudness.biquad(filtered, *coefficients))
    squares = np.array(filtered[: 34 * 4_410]).reshape(34, 4_410) ** 2
    energies = loudness.energies(np.stack([noise, 0 * noise], axis=1), 44_100)
    np.testing.assert_allclose(energies[:34], squares.mean(axis=1), rtol=1e-6)


def test_rests_do_not_lower_the_loudness():
    noise = np.random.default_rng(2).normal(size=(88_200, 2)).astype(np.float32) / 10
    rest = np.zeros_like(noise)
    alone = integrated(noise)
    assert integrated(np.concatenate([noise, *[rest] * 5, noise])) == pytest.approx(alone, abs=0.5)
    assert integrated(noise / 2) == pytest.approx(alone - 6.02, abs=0.01)


@pytest.mark.parametrize("frames", [0, 1, 44_100])
def test_silence_has_no_loudness(frames):
    assert integrated(np.zeros((frames, 2), np.float32)) == -math.inf


def _tone(seconds, rate, hertz):
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def _noise(seconds, rate):
    return np.random.default_rng(7).normal(size=(round(seconds * rate), 2)) / 10


def _beat(seconds, rate):
    """Strokes of noise that die away, four a second, as drums are."""
    noise = _noise(seconds, rate)
    return noise * np.exp(-12 * (np.arange(len(noise)) / rate % 0.25))[:, None]


SIGNALS = {
    "bass": lambda rate: np.stack([_tone(3, rate, 55)] * 2, axis=1) / 2,
    "middle": lambda rate: np.stack([_tone(3, rate, 997)] * 2, axis=1) / 4,
    "treble on one side": lambda rate: np.stack([_tone(3, rate, 6000), np.zeros(3 * rate)], axis=1) / 3,
    "noise": lambda rate: _noise(4, rate),
    "strokes": lambda rate: _beat(5, rate),
    "loud, then soft": lambda rate: np.concatenate([_noise(3, rate), _noise(3, rate) / 8]),
    "strokes between rests": lambda rate: np.concatenate([_beat(2, rate), np.zeros((4 * rate, 2)), _beat(2, rate)]),
}


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("name", SIGNALS)
def test_the_loudness_is_that_which_pyloudnorm_measures(name, rate):
    signal = SIGNALS[name](rate)
    measured = pyloudnorm.Meter(rate).integrated_loudness(signal)
    assert -60 < measured < 0
    assert integrated(signal.astype(np.float32), rate) == pytest.approx(measured, abs=0.1)


# --- the limiter: no sample is above the ceiling, and samples far from a peak are unchanged ---------------------------


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
