"""The task of the arranger: what it learns from songs, and the checkpoint that it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.lattice.grid import Grid
from seq2drum.learn.arranger import ArrangerTask, Recipe, Side, examples, main, sides_of
from seq2drum.learn.run import loop
from seq2drum.play.arrange.arranger import FEATURES, STATES, Arranger
from tests.backbeats import song_of
from tests.learn.resuming import check_resuming

RECIPE = Recipe(epochs=2, batch=96, hidden=8)  # one step an epoch
NAMES = "verse", "chorus", "verse", "chorus"


def built(seed: int, split: str = "train") -> Prepared:
    """A song of sixteen bars whose drums rest until its bass enters, and strike twice as often in a chorus."""
    song = song_of(seed, bars=16, split=split)
    grid = song.guitar_grid
    form, marks = grid.form, tuple((4 * at, name) for at, name in enumerate(NAMES))
    bass = grid.guitar.select(grid.guitar.step >= form.first[4])
    rows = [(step, 1 + step // 6 % 2, 90) for step in range(int(form.first[4]), int(form.first[-1]), 6)]
    rows += [(step + 3, 0, 110) for step, *_ in rows if form.bar_of(np.array([step]))[0] // 4 % 2]
    step, key, velocity = np.array(sorted(rows), dtype=np.int64).T
    drums = Grid(step, key, velocity, 0 * step, 0 * step + 3)
    return replace(
        song, sha256=str(seed), group=str(seed), drums=drums, guitar_grid=replace(grid, bass=bass, marks=marks)
    )


@pytest.fixture(scope="module")
def songs() -> Sequence[Prepared]:
    return [*(built(seed) for seed in range(12)), *(built(seed, "validation") for seed in (20, 21))]


@pytest.fixture(scope="module")
def sides(songs: Sequence[Prepared]) -> dict[str, Side]:
    return sides_of(songs)


def task(sides: dict[str, Side], recipe: Recipe = RECIPE) -> ArrangerTask:
    return ArrangerTask(sides, recipe, lambda line: None)


def test_the_parts_of_a_song_are_learnt_with_what_its_drums_do() -> None:
    song = built(0)
    found = examples(song, song.guitar_grid)
    assert found is not None and found.silent.tolist() == [1, 0, 0, 0]
    assert found.rows[:, FEATURES.at("rested")].tolist() == [1, 1, 0, 0]
    assert found.rows[:, FEATURES.at("played")].tolist() == [0, 0, 1, 1]
    assert np.isnan(found.played[0]).all()
    level = np.log(np.array([8.5, 4.5, 8.5]) / (20 / 3 + 0.5))
    assert found.played[1:, 0] == pytest.approx(level) and found.played[1, 1] > 0 > found.played[2, 1]


def test_songs_with_few_sections_or_few_drums_are_not_learnt_from() -> None:
    song = built(0)
    grid = song.guitar_grid
    assert examples(song, replace(grid, marks=grid.marks[:2])) is None
    late = song.drums.select(song.drums.step >= grid.form.first[12])
    assert examples(replace(song, drums=late), grid) is None


def test_songs_are_learnt_with_their_bass_and_without(sides: dict[str, Side]) -> None:
    side = sides["train"]
    has_bass = FEATURES.at("has_bass")
    assert side.songs == 12 and len(side.with_bass.silent) == len(side.hidden.silent) == 48
    assert side.with_bass.rows[:, has_bass].all() and not side.hidden.rows[:, has_bass].any()
    assert len(task(sides).rows.silent) == 96


def test_what_is_learnt_predicts_silence_and_levels(sides: dict[str, Side], tmp_path: Path) -> None:
    made = task(sides, replace(RECIPE, epochs=100, rate=1e-2, dropout=0.0))
    before = made.validate()
    trained = loop.train(made, tmp_path / "run")
    assert trained.progress.training.keys() == {"silence_nats", "level_error"}
    after = made.validate()
    assert after["nats_per_part"] < before["nats_per_part"] - 0.1
    assert after["silence_auc"] == 1 and after["level_r"] > 0.9


def test_a_resumed_run_is_the_unbroken_one(sides: dict[str, Side], tmp_path: Path) -> None:
    check_resuming(lambda epochs: task(sides, replace(RECIPE, epochs=epochs)), RECIPE.epochs, tmp_path)


def test_the_arranger_that_plays_says_what_the_network_says(sides: dict[str, Side], tmp_path: Path) -> None:
    made = task(sides)
    made.save(tmp_path, {"progress": {"seconds": 0, "validation": {}}})
    rows = sides["validation"].with_bass.rows
    outlook = Arranger.load(tmp_path).outlook(rows)
    for at, (rested, played) in enumerate(STATES):
        given = rows.copy()
        given[:, FEATURES.at("rested")], given[:, FEATURES.at("played")] = rested, played
        with torch.no_grad():
            silent, level, loudness = made.net.eval()(torch.from_numpy(given)).numpy().T
        assert_allclose(outlook.silent[at], 1 / (1 + np.exp(-silent)), atol=1e-5)
        assert_allclose(outlook.level[at], level, atol=1e-5)
        assert_allclose(outlook.loudness[at], loudness, atol=1e-5)


def test_a_corpus_without_a_bass_is_told(songs: Sequence[Prepared]) -> None:
    alone = [replace(song, guitar_grid=replace(song.guitar_grid, bass=Grid.join([]))) for song in songs]
    with pytest.raises(CorpusError, match="the train side has no song with a bass, several sections and drums"):
        sides_of(alone)


def test_the_command_leaves_a_checkpoint(
    songs: Sequence[Prepared], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["--cache", str(tmp_path / "none"), "-o", str(tmp_path / "run")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    monkeypatch.setattr("seq2drum.learn.run.command.load", lambda path: songs)
    assert main(["--cache", "songs", "-o", str(tmp_path / "run"), "--epochs", "1"]) == 0
    assert str(tmp_path / "run" / "best") in capsys.readouterr().out
    assert Arranger.load(tmp_path / "run" / "best")
    card = (tmp_path / "run" / "best" / "card.md").read_text()
    assert "12 songs, 48 parts with a bass, 48 without" in card and "nats_per_part" in card
