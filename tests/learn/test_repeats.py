"""The task of the law of repeats: what it learns from songs, and the checkpoint that it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.learn.repeats import Bars, Recipe, RepeatsTask, examples, main, sides_of
from seq2drum.learn.run import loop
from seq2drum.play.arrange.repeats import CANDIDATES, FEATURES, KINDS, KNOWN, Repeater
from tests.backbeats import song_of
from tests.learn.resuming import check_resuming

RECIPE = Recipe(epochs=2, batch=256, hidden=8)  # one step an epoch


def looped(seed: int, split: str = "train", bars: int = 32) -> Prepared:
    """A song of two bars in turn; every eighth bar is another one."""
    song = song_of(seed, bars=bars, split=split)
    form, drums = song.guitar_grid.form, song.drums
    one, other, broken = (form.notes_between(drums, bar, bar + 1) for bar in (0, 1, 3))
    pieces = [broken if bar % 8 == 7 else (one, other)[bar % 2] for bar in range(bars)]
    grid = type(drums).join(piece.shift(int(form.first[bar])) for bar, piece in enumerate(pieces))
    return replace(song, sha256=str(seed), group=str(seed), drums=grid)


@pytest.fixture(scope="module")
def songs() -> Sequence[Prepared]:
    return [*(looped(seed) for seed in range(8)), *(looped(seed, "validation") for seed in (20, 21))]


@pytest.fixture(scope="module")
def sides(songs: Sequence[Prepared]) -> dict[str, Bars]:
    return sides_of(songs)


def task(sides: dict[str, Bars], recipe: Recipe = RECIPE) -> RepeatsTask:
    return RepeatsTask(sides, recipe, lambda line: None)


def test_the_kind_of_each_bar_is_the_first_candidate_that_it_repeats() -> None:
    found = examples(looped(0))
    assert found is not None and found.rows.shape == (32, FEATURES.size)
    assert found.kind[0] == KINDS - 1  # nothing is before it
    assert (found.kind[1] >= CANDIDATES) and (found.kind[7] >= CANDIDATES)
    assert found.kind[2:7].tolist() == [1] * 5  # the bar two before
    assert found.kind[9] == 2  # the bar two before it is the broken one; that four before comes back
    assert found.kind[15] == 3  # eight before
    assert found.rows[2, KNOWN["able"]].tolist() == [1, 1, 0, 0, 0, 0]


def test_songs_with_few_drums_are_not_learnt_from(songs: Sequence[Prepared]) -> None:
    song = looped(0)
    late = song.drums.select(song.drums.step >= song.guitar_grid.form.first[28])
    assert examples(replace(song, drums=late)) is None
    with pytest.raises(CorpusError, match="the train side has no song with 8 bars of drums"):
        sides_of([song for song in songs if song.split == "validation"])


def test_what_is_learnt_predicts_what_comes_back(sides: dict[str, Bars], tmp_path: Path) -> None:
    made = task(sides, replace(RECIPE, epochs=60, batch=64, rate=1e-2, dropout=0.0))
    loop.train(made, tmp_path / "run")
    after = made.validate()
    assert after["nats_per_bar"] < 0.5 * after["nats_of_shares"]
    assert after["accuracy"] > 0.9


def test_a_resumed_run_is_the_unbroken_one(sides: dict[str, Bars], tmp_path: Path) -> None:
    check_resuming(lambda epochs: task(sides, replace(RECIPE, epochs=epochs)), RECIPE.epochs, tmp_path)


def test_the_law_that_is_drawn_from_says_what_the_network_says(sides: dict[str, Bars], tmp_path: Path) -> None:
    made = task(sides)
    made.save(tmp_path, {"progress": {"seconds": 0, "validation": {}}})
    mean, spread, weight, bias, out_weight, out_bias = Repeater.load(tmp_path).tensors
    rows = sides["validation"].rows
    with torch.no_grad():
        wanted = made.net.eval()(torch.from_numpy(rows)).numpy()
    said = np.maximum((rows - mean) / spread @ weight.T + bias, 0) @ out_weight.T + out_bias
    assert said == pytest.approx(wanted, abs=1e-4)


def test_the_command_leaves_a_checkpoint(
    songs: Sequence[Prepared], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["--cache", str(tmp_path / "none"), "-o", str(tmp_path / "run")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    monkeypatch.setattr("seq2drum.learn.run.command.load", lambda path: songs)
    assert main(["--cache", "songs", "-o", str(tmp_path / "run"), "--epochs", "1"]) == 0
    assert str(tmp_path / "run" / "best") in capsys.readouterr().out
    assert Repeater.load(tmp_path / "run" / "best")
    card = (tmp_path / "run" / "best" / "card.md").read_text()
    assert "| train | 256 bars |" in card and "nats_per_bar" in card
