"""A recording with drums: how loud both are, and that nothing is clipped."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.show import loudness, sound
from seq2drum.show.loudness import CEILING, RATE, factor, limited


def noise(level: float, seconds: float = 2.0) -> np.ndarray:
    return (level * np.random.default_rng(0).standard_normal((round(seconds * RATE), 2))).astype(np.float32)


@pytest.mark.parametrize("recorded", [0.001, 0.05, 0.3, 0.9])
@pytest.mark.parametrize("drummed", [0.01, 0.5])
def test_a_recording_with_drums_is_no_louder_than_it_was_and_is_not_clipped(recorded, drummed) -> None:
    recording = noise(recorded)
    mixed = sound.over(recording, noise(drummed, 3.0))
    assert loudness.integrated(mixed) <= loudness.integrated(recording) + 0.05
    assert np.abs(limited(mixed)).max() <= round(factor(CEILING) * 32767)


def test_drums_are_as_loud_as_the_recording() -> None:
    recording, drums = noise(0.1), noise(0.2)
    assert sound.lift(recording, drums) == pytest.approx(-6.0, abs=0.1)
    mixed = sound.over(recording, np.zeros_like(drums))
    assert np.array_equal(mixed, recording)
