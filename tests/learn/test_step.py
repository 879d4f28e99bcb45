from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seq2drum.data.drums.beats import Beats
from seq2drum.errors import CorpusError
from seq2drum.learn.generators import generating
from seq2drum.learn.generators.step import BARS, NATS, Windows, heard_of
from seq2drum.learn.run import loop
from seq2drum.play.checkpoint import folder
from seq2drum.play.generators import composer
from seq2drum.play.generators.composer import WISHES, Brief, Composer
from tests.commands import called

SONG = Path(__file__).parents[2] / "examples" / "funk.mid"
KICK, SNARE, HAT = 0, 1, 8


def some_beats(performances: int = 6, bars: int = 10, places: int = 24) -> Beats:
    """Performances of rock and jazz on all sides; the last one of each side is a fill of one bar."""
    rng = np.random.default_rng(0)
    rows = []
    for performance in range(performances):
        is_fill = performance >= performances - 3
        for number in range(1 if is_fill else bars):
            bar = np.zeros((places, 9), dtype=np.float32)
            bar[:: places // 2, KICK], bar[places // 4 :: places // 2, SNARE] = 0.9, 0.8
            bar[:: places // 8, HAT] = 0.5 * (rng.random(8) < 0.9)
            rows.append((bar, performance, number, 10 if performance % 2 else 5, 100.0, is_fill, performance % 3))
    columns = [np.array([row[at] for row in rows]) for at in range(7)]
    names = tuple(f"{number}.mid" for number in range(performances))
    return Beats(columns[0], *columns[1:5], columns[5].astype(bool), columns[6], names)  # type: ignore[arg-type]


def test_windows_have_their_wishes_and_some_a_fill_that_is_told() -> None:
    windows = Windows(some_beats(), "train", 1)
    assert windows.rows.shape[1] == BARS
    batch = windows.batch(np.zeros(8, dtype=np.int64), np.random.default_rng(0), 0.0, 1.0)
    assert batch.wishes.shape == (8, 24 * BARS, WISHES) and batch.velocity.shape == (8, 24 * BARS, 9)
    told = batch.wishes[:, ::24, -1]
    assert (told.sum(axis=1) == 1).all()
    hidden = windows.batch(np.zeros(8, dtype=np.int64), np.random.default_rng(0), 1.0, 0.0)
    assert not hidden.wishes[..., :12].any() and hidden.wishes[..., -2].any()


def test_a_step_hears_nothing_of_what_comes_after_it() -> None:
    rng = np.random.default_rng(1)
    velocity = (rng.random((1, 3, 24, 9)) < 0.2).astype(np.float32)
    other = velocity.copy()
    other[0, 1, 12:] = 1 - other[0, 1, 12:]
    none = np.zeros((1, 3), dtype=bool)
    first, second = heard_of(velocity, none), heard_of(other, none)
    assert (first[0, : 24 + 13] == second[0, : 24 + 13]).all()
    assert (first[0, 24 + 13 :] != second[0, 24 + 13 :]).any()


@pytest.mark.slow
def test_own_drums_are_learnt_from_shown_and_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["--mode", "train", "--model", "step", "--out", str(tmp_path / "run"), "--threads", "1", "--minutes"]
    assert called([*run, "0.02"], capsys)[0] == 0
    code, _, err = called([*run, "0.04", "--resume"], capsys)
    assert code == 0 and "make beats with it" in err
    accumulator = EventAccumulator(str(tmp_path / "run"), size_guidance={"images": 0})
    accumulator.Reload()
    assert "beats/funk" in accumulator.Tags()["images"]
    about = json.loads((tmp_path / "run" / "best" / "config.json").read_text())
    assert "whoever trained it knows" in (tmp_path / "run" / "best" / "card.md").read_text()
    assert about["kind"] == "step" and about["command"]
    code, _, err = called(["--mode", "infer", str(SONG), "--model", str(tmp_path / "run"), "-o", "-"], capsys)
    assert code == 2 and "of the kind 'step', wanted 'accompanist'" in err


def test_options_of_drummers_mean_nothing_to_generators(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--mode", "train", "--model", "step", "--out", str(tmp_path / "run"), "--kit", "nine"]
    code, _, err = called(words, capsys)
    assert code == 2 and "--model step has no use for --kit" in err
    for model in ("loop", "wavegan"):
        words = ["--mode", "train", "--model", model, "--out", str(tmp_path / "run"), "--combine", "3"]
        code, _, err = called(words, capsys)
        assert code == 2 and f"--combine makes loops of hits, and --model {model} learns from sound" in err


def test_whoever_asks_for_drummers_is_not_shown_generators() -> None:
    assert "step" in composer.available() and "step" not in folder.available()


@pytest.mark.slow
def test_a_trained_one_is_resumed_and_played(tmp_path: Path) -> None:
    beats = some_beats()
    for steps, resume in ((3, False), (6, True)):
        work = generating.task_of("step", beats, {"steps": steps}, lambda line: None)
        trained = loop.train(work, tmp_path / "run", resume=resume, about={"generator": "step"})
    assert trained.progress.step == 6 and NATS in trained.progress.validation
    beat = Composer.load(str(tmp_path / "run")).compose(Brief(bars=2))
    assert beat.pattern.velocity.shape == (2, 24, 9)
    assert "knows" in (tmp_path / "run" / "best" / "card.md").read_text()


def test_the_command_says_what_it_cannot_learn_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(tmp_path), "-o", str(tmp_path / "run")]
    assert generating.main("step", words) == 2
    assert "wanted files ending in" in capsys.readouterr().err
    fills = some_beats()
    with pytest.raises(CorpusError, match="no fills"):
        generating.task_of("step", fills.select(fills.fill), {}, lambda line: None)
