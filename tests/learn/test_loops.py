from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2drum.data.drums.loops import Loops
from seq2drum.errors import CorpusError
from seq2drum.lattice.patterns import FRAMES, SLICE, SLICES
from seq2drum.learn.generators.generating import wishes_of
from seq2drum.learn.generators.looping import DISTANCE, picture
from seq2drum.learn.generators.loops import Recipe, SliceGan
from seq2drum.learn.run import loop
from seq2drum.play.generators.composer import Brief
from seq2drum.play.generators.loops import LoopMaker


def some_loops(count: int = 40) -> Loops:
    """Decaying tones on some sixteenths; every fourth loop is on the validation side."""
    rng = np.random.default_rng(0)
    tones = np.sin(np.arange(SLICE) * 0.2) * np.exp(-np.arange(SLICE) / 400) * 0.5
    sound = (tones * (rng.random((count, SLICES, 1)) < 0.5)).reshape(count, FRAMES)
    sound += 0.01 * rng.standard_normal(sound.shape)
    side, row = (np.arange(count) % 4 == 0).astype(np.int64), np.arange(count)
    return Loops(sound.astype(np.float16), row % 2, row % 3 - 1, row + 90.0, row % 5 == 0, side, ("one", "two"))


def test_a_loop_is_told_its_genre_or_none_its_tempo_and_whether_it_is_a_fill() -> None:
    loops = some_loops(6)
    told = wishes_of(loops.genre, loops.bpm, loops.fill)
    assert not told[0, :12].any() and told[1, 0] == 1 and told[2, 1] == 1
    assert told[:, -1].tolist() == [1, 0, 0, 0, 0, 1]
    assert (np.diff(told[:, -2]) > 0).all()


def test_too_few_loops_are_refused() -> None:
    with pytest.raises(CorpusError, match="wanted are 8"):
        SliceGan(some_loops(8), Recipe(components=4, channels=8), print)


def test_a_picture_has_a_stripe_for_each_loop() -> None:
    shown = picture(some_loops(4).sound.astype(np.float32))
    assert shown.shape == (4 * 50, 128) and shown.max() == 255


@pytest.mark.slow
def test_a_trained_maker_is_resumed_is_played_and_is_the_one_that_was_not_interrupted(tmp_path: Path) -> None:
    def run(folder: str, steps: int, *, resume: bool = False) -> bytes:
        recipe = Recipe(steps=steps, batch=16, components=8, channels=8, every=2, noise=(0.1, 0.1))
        work = SliceGan(some_loops(), recipe, lambda line: said.append(line))
        trained = loop.train(work, tmp_path / folder, resume=resume)
        assert trained.progress.validation[DISTANCE] > 0
        return (tmp_path / folder / "last" / "loop.onnx").read_bytes()

    said: list[str] = []
    run("halved", 3)
    assert run("halved", 6, resume=True) == run("whole", 6)
    assert any("frechet" in line for line in said)
    maker = LoopMaker.load(tmp_path / "whole" / "best")
    made = maker.make(Brief(bars=8, genre="funk:2,jazz:1", fill=4), 1, form="ABAB", kit="two")
    assert np.isfinite(made.sound).all() and np.abs(made.sound).max() > 0.5
