from __future__ import annotations

import numpy as np

from seq2drum.judge.loops import COPIED, Likeness, distance, novelty, spectrogram
from seq2drum.lattice.patterns import FRAMES, Samples


def bursts(count: int, seed: int, length: float = 300.0) -> Samples:
    rng = np.random.default_rng(seed)
    shape = np.exp(-(np.arange(FRAMES) % 4096) / length)
    return (rng.standard_normal((count, FRAMES)) * shape * 0.3).astype(np.float32)


def test_a_spectrogram_is_round_and_shows_a_burst_where_it_is() -> None:
    sound = np.zeros((1, FRAMES), dtype=np.float32)
    sound[0, 16384] = 1
    bands = spectrogram(sound)
    assert bands.shape == (1, 48, 128) and bands[0].sum(axis=0).argmax() in (63, 64)
    np.testing.assert_allclose(spectrogram(np.roll(sound, 4096, axis=1)), np.roll(bands, 16, axis=2), atol=1e-6)


def test_the_distance_of_other_sounds_is_greater_than_that_of_like_ones() -> None:
    real = bursts(60, 0)
    likeness = Likeness.of(real)
    rows = likeness.rows(real)
    assert abs(distance(rows, rows)) < 1e-6
    like, other = (distance(likeness.rows(made), rows) for made in (bursts(60, 1), bursts(60, 2, 3000.0)))
    assert 0 < like < other / 10


def test_the_novelty_of_a_copy_is_nothing_and_of_something_else_more_than_one() -> None:
    learnt = bursts(5, 0)
    made = np.stack([learnt[2], 0.9 * learnt[4], bursts(1, 9)[0]])
    copy, softer, new = novelty(made, learnt.astype(np.float16))
    assert copy < 1e-3 and abs(softer - (0.1 / 0.9) ** 2) < 1e-2 < COPIED
    assert new > 0.9
