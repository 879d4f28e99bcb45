"""The groove book of a corpus, and the ranker of grooves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from seq2drum.data.corpus.cache import save
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.lattice.grooves.grooves import Groove, grid_of, of_json
from seq2drum.lattice.grooves.section_features import BASS, SECTION
from seq2drum.learn.grooves.book import Example, as_json, book_of, clusters, examples
from seq2drum.learn.grooves.book import main as make_book
from seq2drum.learn.grooves.ranker import Book, Config, RankerTask, Recipe, Side, add_figures, main, sides_of, train
from seq2drum.learn.run import loop
from seq2drum.music.kit import FULL
from seq2drum.play.grooves.ranker import SHIPPED, Ranker
from tests.backbeats import song_of, training
from tests.learn.resuming import check_resuming

# --- the groove book of a corpus: what several songs have in common, once each ----------------------------------------

KICK, SNARE, HAT, TOM = (FULL.names.index(name) for name in ("kick", "snare", "closed hat", "low tom"))
ROCK = (*((step, HAT, 80) for step in range(0, 24, 3)), (0, KICK, 100), (12, KICK, 100))
BACKBEAT = (*ROCK, (6, SNARE, 110), (18, SNARE, 110))


def example(group: str, *hits: tuple[int, ...], bpm: float = 120, style: str = "rock") -> Example:
    groove = Groove.of_bars([grid_of(hits)], 4, 4, (100, 140), style)
    return Example(group, group, "A", np.zeros(1, dtype=np.float16), groove, np.arange(4), bpm, style)


def test_grooves_that_differ_by_a_hit_are_one_cluster_led_by_the_commonest() -> None:
    more = (*BACKBEAT, (15, KICK, 90))
    other = [(step, TOM, 90) for step in range(24)]
    found = clusters([example("a", *more), example("b", *BACKBEAT), example("c", *BACKBEAT), example("d", *other)])
    assert [[one.group for one in members] for members in found] == [["b", "c", "a"], ["d"]]


def test_only_what_several_groups_play_is_in_the_book() -> None:
    toms = [(step, TOM, 90) for step in range(0, 24, 2)] + [(0, KICK, 90), (0, HAT, 90), (12, SNARE, 90)]
    book, left = book_of([example("a", *BACKBEAT), example("b", *BACKBEAT), *[example("c", *toms)] * 3])
    assert [(one.groove.bars[0].key.tolist(), one.groups) for one in book] == [(grid_of(BACKBEAT).key.tolist(), 2)]
    assert left == ((1, 2), (2, 5), (2, 3))
    assert str(left) == "kept: 1 of 2 clusters, 2 of 5 sections, 2 of 3 groups"


@pytest.mark.parametrize(("groups", "kept"), [(4, 0), (5, 1)])
def test_a_groove_without_a_snare_is_in_the_book_if_many_play_it(groups: int, kept: int) -> None:
    book, _ = book_of([example(str(group), *ROCK) for group in range(groups)])
    assert len(book) == kept


def test_a_groove_of_the_book_has_the_velocities_tempos_and_style_that_its_songs_have() -> None:
    played = [
        example(str(place), *((step, key, loud) for step, key, _ in BACKBEAT), bpm=bpm, style=style)
        for place, (loud, bpm, style) in enumerate([(60, 80, "pop"), (90, 100, "rock"), (100, 120, "rock")])
    ]
    (found,), _ = book_of(played)
    assert set(found.groove.bars[0].velocity.tolist()) == {90}
    assert (found.groove.tempo, found.groove.style, found.groups) == ((84, 116), "rock", 3)


def test_sections_of_songs_are_examples_and_their_grooves_a_file_that_is_read_again(tmp_path: Path) -> None:
    songs = [replace(song_of(seed, split="train"), group=str(seed)) for seed in range(6)]
    found = examples(songs)
    assert {one.song for one in found} == {song.sha256 for song in songs}
    assert all(one.groove.metre == "4/4" and len(one.bars) >= 2 for one in found)
    save([*songs, *training()], tmp_path / "cache")
    assert make_book(["--cache", str(tmp_path / "cache"), "-o", str(tmp_path / "book.json")]) == 0
    text = (tmp_path / "book.json").read_text()
    held = json.loads(text)["grooves"]
    assert held and all(one["popularity"] >= 2 for one in held)
    assert len({of_json(one).name for one in held}) == len(held)
    book, _ = book_of(examples([*songs, *training()]))
    assert as_json(book) == text


def test_a_cache_that_is_none_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_book(["--cache", str(tmp_path / "none"), "-o", str(tmp_path / "book.json")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "book.json").exists()


# --- the task of the ranker: it learns, a resumed run is the unbroken one, and what it leaves is loaded again ---------

RECIPE = Recipe(epochs=2, batch=8, net=Config(16, 16, 8))


@pytest.fixture(scope="module")
def songs() -> Sequence[Prepared]:
    """Songs of which every two have the same drums; two are for validation, one of them has a bass."""
    made = [song_of(seed // 2, bars=8, split="train") for seed in range(16)]
    named = [replace(song, sha256=str(at), group=str(at)) for at, song in enumerate(made)]
    bass = replace(named[0].guitar_grid, bass=named[0].guitar_grid.guitar)
    held = [replace(song, split="validation") for song in (replace(named[0], guitar_grid=bass), named[5])]
    return [*named[1:5], *named[6:], *held]


@pytest.fixture(scope="module")
def sides(songs: Sequence[Prepared]) -> tuple[dict[str, Side], Book]:
    return sides_of(songs, RECIPE.near)


def task(sides: tuple[dict[str, Side], Book], recipe: Recipe = RECIPE) -> RankerTask:
    return RankerTask(*sides, recipe, lambda line: None)


def test_what_is_learnt_fits_the_songs_learnt_from_better(sides: tuple[dict[str, Side], Book], tmp_path: Path) -> None:
    exact = Config(16, 16, 8, (0.0, 0.0), (0.0, 0.0))
    made = task(sides, replace(RECIPE, epochs=40, rate=1e-2, net=exact))
    batch = made.prepare(made.epoch(0, 1)[0], 0, 0, rank=0, processes=1)

    def nats() -> list[float]:
        with torch.no_grad():
            return [float(each.mean()) for each in made.nats(made.ranker.eval(), batch, "cpu")]

    before = nats()
    trained = loop.train(made, tmp_path / "run")
    assert trained.progress.training.keys() == {"own_nats", "book_nats"}
    assert all(now < then - 0.1 for now, then in zip(nats(), before, strict=True))


def test_a_resumed_run_is_the_unbroken_one(sides: tuple[dict[str, Side], Book], tmp_path: Path) -> None:
    check_resuming(lambda epochs: task(sides, replace(RECIPE, epochs=epochs)), RECIPE.epochs, tmp_path)


def test_the_graphs_say_what_the_nets_say(sides: tuple[dict[str, Side], Book], tmp_path: Path) -> None:
    made = task(sides)
    made.ranker.eval()
    made.save(tmp_path, {"progress": {"seconds": 0, "validation": {}}})
    loaded = Ranker.load(tmp_path)
    side, book = sides[0]["train"], sides[1]
    heard = side.heard[:5].astype(np.float32)
    (points,), (seen,) = loaded.guitar.run({"rows": heard}), loaded.groove.run({"rows": book.seen})
    with torch.no_grad():
        wanted = made.ranker(torch.from_numpy(heard), torch.from_numpy(book.seen)).numpy()
    assert_allclose(points @ seen.T, wanted, atol=1e-4)
    assert loaded.metres["4/4"] == len(side.sections)


def test_a_bass_that_is_hidden_is_as_if_there_were_none(sides: tuple[dict[str, Side], Book]) -> None:
    side = sides[0]["validation"]
    batch = side.batch(np.arange(len(side.sections)), sides[1], np.ones(len(side.sections), dtype=bool))
    assert side.heard[:, SECTION.at("has_bass")].any()
    assert not batch.heard[:, BASS].any()


def test_own_songs_and_other_metres_are_no_wrong_answers(songs: Sequence[Prepared]) -> None:
    waltz = replace(song_of(3, metre=(3, 4), split="train"), group="1")
    sides, book = sides_of([*songs, waltz], RECIPE.near)
    side = sides["train"]
    batch = side.batch(np.arange(len(side.sections)), book, np.zeros(len(side.sections), dtype=bool))
    metre = np.array([one.groove.metre for one in side.sections])
    group = np.array([one.group for one in side.sections])
    assert "3/4" in metre and not batch.uncounted.diagonal().any()
    others = ~np.eye(len(metre), dtype=bool)
    assert np.array_equal(batch.uncounted, ((metre[:, None] != metre) | (group[:, None] == group)) & others)
    assert_allclose(batch.aim[metre == "4/4"].sum(axis=1), 1, rtol=1e-5)
    assert not batch.aim[batch.foreign].any()


def test_what_cannot_be_learnt_from_is_told(songs: Sequence[Prepared]) -> None:
    with pytest.raises(CorpusError, match="validation side has no section"):
        sides_of([song for song in songs if song.split == "train"], RECIPE.near)
    alone = [song_of(40, split="train"), song_of(41, split="validation")]
    with pytest.raises(CorpusError, match="no groove is played in several"):
        sides_of(alone, RECIPE.near)


def test_the_command_leaves_a_checkpoint_and_refuses_a_folder_with_a_run(
    songs: Sequence[Prepared], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(songs, tmp_path / "cache")
    command = ["--cache", str(tmp_path / "cache"), "-o", str(tmp_path / "run"), "--epochs", "1"]
    assert main(command) == 0
    best = tmp_path / "run" / "best"
    assert capsys.readouterr().out.splitlines()[-1] == str(best)
    assert {path.name for path in best.iterdir()} == {path.name for path in SHIPPED.iterdir()}
    assert "licences of the music" in (best / "card.md").read_text()
    assert main(command) == 2
    assert "--resume" in capsys.readouterr().err


def test_the_best_is_the_checkpoint_that_is_returned_and_takes_figures(
    songs: Sequence[Prepared], tmp_path: Path
) -> None:
    folder = train(songs, tmp_path / "run", replace(RECIPE, epochs=1))
    add_figures(folder, {"test: safest": "0.5"})
    assert "| test: safest | 0.5 |" in (folder / "card.md").read_text()
    assert Ranker.load(folder).metres  # whose digests are those of its files
