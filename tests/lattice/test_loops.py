from __future__ import annotations

import numpy as np
import pytest

from seq2drum.lattice.patterns import BPM, FRAMES, RATE, SLICE, SLICES, Samples, resampled, respaced, spacing


def tone(cycles: int, frames: int) -> Samples:
    return np.sin(2 * np.pi * cycles * np.arange(frames) / frames).astype(np.float32)


def test_a_sixteenth_at_the_tempo_of_a_loop_is_a_slice() -> None:
    assert spacing(BPM) == SLICE
    assert spacing(60) == RATE // 4


@pytest.mark.parametrize("frames", [88_200, 1000, 777])
def test_a_tone_in_another_number_of_frames_is_the_same_tone(frames: int) -> None:
    np.testing.assert_allclose(resampled(tone(50, 4000), frames), tone(50, frames), atol=1e-5)


def test_what_fewer_frames_cannot_hold_is_filtered_out_and_not_heard_as_something_else() -> None:
    assert np.abs(resampled(tone(1450, 4000), 1000)).max() < 1e-5
    assert np.abs(tone(1450, 4000)[::4]).max() > 0.9  # every fourth sample: another tone


@pytest.mark.parametrize("frames", [600, 1024, 1999, SLICE, 2500, 4096, 9000])
def test_slices_begin_where_they_are_set_and_nothing_is_louder_than_before(frames: int) -> None:
    slices = np.zeros((SLICES, SLICE), dtype=np.float32)
    slices[:, 8] = np.arange(1, SLICES + 1) / SLICES
    spaced = respaced(slices, frames)
    assert spaced.shape == (SLICES * frames,)
    np.testing.assert_allclose(spaced[8::frames], slices[:, 8], atol=1e-6)
    assert np.abs(spaced).max() <= 1


def test_a_slice_that_rings_has_no_gap_before_the_next_and_no_click() -> None:
    slices = tone(16 * 32, FRAMES).reshape(SLICES, SLICE)
    wider = respaced(slices, 3000)
    power = np.convolve(wider**2, np.ones(256) / 256, mode="valid")
    assert power.min() > 0.005
    assert np.abs(np.diff(wider)).max() < 3 * np.abs(np.diff(slices.reshape(-1))).max()
