"""Watching a training run: what is played and judged, the time it may take, and what is kept of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.judge.players import REAL, plan_of, play_heard
from seq2drum.learn.run import watching
from seq2drum.learn.run.watching import (
    BARS,
    GAIN,
    LIKELY,
    LOOP,
    MOST_KEPT,
    SAMPLED,
    SHARE,
    Preview,
    Previews,
    PreviewSongs,
    allowance,
    choose,
    name_of,
    previews_as_rows,
    previews_from_rows,
    with_preview,
)
from seq2drum.models import base
from seq2drum.models.base import Family
from seq2drum.models.families import family
from seq2drum.music.kit import FULL
from seq2drum.play.drummer import play_grid as play
from seq2drum.play.options import Options
from seq2drum.show import draw
from tests.made import made_song
from tests.players import SIZES


def song_of(seed: int, split: str = "validation", bars: int = 14) -> Prepared:
    return replace(made_song(seed, bars), split=split, sha256=f"{seed:02d}" * 32)


def plain(song: Prepared) -> Prepared:
    """Its first six bars, which are in 4/4: with such a song there is another's guitar to play to."""
    return song.between(0, 6)


@pytest.fixture(scope="module")
def songs() -> list[Prepared]:
    return [song_of(seed, "train" if seed % 3 else "validation") for seed in range(12)]


@pytest.fixture(scope="module")
def model() -> Family:
    torch.manual_seed(0)
    kind: Any = family("attention")
    model: Any = kind(kind.config_type(voices=len(FULL), **SIZES["attention"]))
    with torch.no_grad():
        model.heads.hits.bias += 2.0
    return model


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of two bars, which are drawn in a moment."""
    monkeypatch.setattr(watching, "PICTURED_BARS", 2)


def previews_of(chosen: PreviewSongs, warnings: list[str] | None = None) -> Previews:
    return Previews(chosen, FULL, 0, 150, (warnings if warnings is not None else []).append)


class Logger:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.scalars: dict[str, list[tuple[int, float]]] = {}
        self.images: dict[str, list[tuple[int, np.ndarray]]] = {}

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None:
        self.scalars.setdefault(tag, []).append((global_step, scalar_value))

    def add_image(self, tag: str, img_tensor: np.ndarray, global_step: int, *, dataformats: str) -> None:
        assert dataformats == "HWC"
        self.images.setdefault(tag, []).append((global_step, img_tensor))


# --- choosing ---------------------------------------------------------------------------------------------------------


def test_unseen_songs_are_chosen_each_of_another_group_whatever_their_order(songs: list[Prepared]) -> None:
    songs = [*songs, replace(song_of(40), group=songs[0].group)]
    chosen = choose(songs, seed=3)
    assert chosen.unseen and all(song.split == "validation" for song in chosen.songs)
    assert len({song.group for song in chosen.songs}) == len(chosen.songs) == 4
    assert {song.split for song in chosen.reference} == {"train"} and len(chosen.reference) == 8
    again = choose(songs[::-1], seed=3)
    assert [name_of(song) for song in again.songs] == [name_of(song) for song in chosen.songs]
    orders = {tuple(name_of(song) for song in choose(songs, seed=seed).songs) for seed in range(8)}
    assert len(orders) > 1


def test_songs_in_which_hardly_anything_is_played_are_left_out_unless_there_are_no_others() -> None:
    short = [song_of(seed).between(0, 3) for seed in range(3)]
    long = song_of(9)
    assert [name_of(song) for song in choose([*short, long]).songs] == [name_of(long)]
    assert len(choose(short).songs) == 3
    silent = [replace(song, drums=song.drums.select(song.drums.step < 0)) for song in short]
    assert choose(silent) == PreviewSongs(unseen=False)
    assert choose([]) == PreviewSongs(unseen=False)


def test_a_corpus_without_unseen_songs_is_watched_at_what_it_is_trained_on() -> None:
    chosen = choose([song_of(seed, "train") for seed in range(3)] + [song_of(7, "test")])
    assert len(chosen.songs) == 3 and not chosen.unseen
    one = choose([song_of(1, "train")])
    assert len(one.songs) == 1 and one.others == (None,)


# --- playing ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_is_played_together_is_what_each_song_gets_alone(model: Family, songs: list[Prepared]) -> None:
    chosen = choose(songs)
    engine = base.engine_of(model, "full")
    played = watching.play(engine, chosen, seed=5)
    assert played is not None and played.bars == BARS
    for index, song in enumerate(chosen.songs):
        for player, temperature in ((SAMPLED, 1.0), (LIKELY, 0.0)):
            alone = play_heard(engine, song.guitar_grid, seed=5, temperature=temperature)
            assert np.array_equal(played.takes[player, index].step, alone.step)
            assert np.array_equal(played.takes[player, index].key, alone.key)


@pytest.mark.slow
def test_when_the_time_is_over_all_songs_are_cut_to_the_bars_that_all_have(
    model: Family, songs: list[Prepared]
) -> None:
    chosen = choose(songs)
    engine = base.engine_of(model, "full")
    whole = watching.play(engine, chosen)
    looks = count()
    watching.play(engine, chosen, seconds=10**6, now=lambda: next(looks))
    enough = next(looks)  # looks at the clock until all is played
    looks = count()
    cut = watching.play(engine, chosen, seconds=enough * 3 // 4, now=lambda: next(looks))
    assert whole is not None and cut is not None and watching.LEAST_BARS <= cut.bars < 14
    for key, take in cut.takes.items():
        end = chosen.songs[key[1]].guitar_grid.form.first[cut.bars]
        own = whole.takes[key]
        assert np.array_equal(take.step, own.step[own.step < end])
    looks = count()
    assert watching.play(engine, chosen, seconds=enough // 4, now=lambda: next(looks)) is None


def test_looking_changes_neither_the_model_nor_any_random_state(model: Family, songs: list[Prepared]) -> None:
    model.train()
    torch.manual_seed(7)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    drawn: Any = np.random.get_state()
    global_state = drawn[1].copy()
    previews = previews_of(choose(songs))
    previews.look(model, 100, 1e6)
    after: Any = np.random.get_state()
    assert previews.made[0].played
    assert model.training and all(parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == threads
    assert np.array_equal(after[1], global_state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_one_seed_gives_the_same_figures_and_takes(model: Family, songs: list[Prepared]) -> None:
    looks = []
    for _ in range(2):
        previews = previews_of(choose(songs))
        previews.look(model, 100, 1e6)
        looks.append(previews.made[0]._replace(spent=0.0))
    one, other = looks
    assert one.figures == other.figures and one.figures
    assert all(np.array_equal(one.takes[name], other.takes[name]) for name in one.takes)


# --- the figures ------------------------------------------------------------------------------------------------------


def test_drums_that_are_the_real_ones_are_perfect_and_silence_is_not(songs: list[Prepared]) -> None:
    chosen = choose(songs)
    silence = [song.drums.select(song.drums.step < 0) for song in chosen.songs]
    takes = {(SAMPLED, index): song.drums for index, song in enumerate(chosen.songs)}
    takes |= {(LIKELY, index): silent for index, silent in enumerate(silence)}
    figures = watching.panel(chosen, silence, watching.Played(takes, BARS))
    perfect = figures[SAMPLED]
    assert perfect["hit F1"] == perfect["kick and snare F1"] == perfect["hits made to real"] == 1
    assert perfect["voice JSD"] == perfect["position JSD"] == perfect["bar similarity error"] == 0
    assert perfect["fill rate"] == figures[REAL]["fill rate"]
    assert figures[LIKELY]["hit F1"] == 0 and figures[LIKELY]["voice JSD"] == 1
    assert figures[LOOP] == figures[LIKELY]
    assert "hit F1" not in figures[REAL]  # by definition 1, which says nothing


def test_the_gain_is_the_hits_with_the_own_guitar_less_those_with_anothers() -> None:
    """A drummer who plays right to its own guitar, and the drums of another song to another's."""
    chosen = choose([song_of(seed, bars=14) for seed in range(2)])
    chosen = PreviewSongs(tuple(plain(song) for song in chosen.songs), (chosen.songs[0].guitar_grid,) * 2, ())
    one, two = chosen.songs
    takes = {(SAMPLED, 0): one.drums, (SAMPLED, 1): two.drums, (LIKELY, 0): one.drums, (LIKELY, 1): two.drums}
    takes |= {("another guitar", 0): one.drums.select(one.drums.step < 0), ("another guitar", 1): two.drums}
    silence = [song.drums.select(song.drums.step < 0) for song in chosen.songs]
    figures = watching.panel(chosen, silence, watching.Played(takes, BARS))
    hits = [len(np.unique(song.drums.step * 24 + song.drums.key)) for song in (one, two)]
    # With the other guitar one song has all its hits and the other none: F1 = 2 b / (b + a + b).
    assert figures[LIKELY][GAIN] == pytest.approx(1 - 2 * hits[1] / (2 * hits[1] + hits[0]), abs=1e-4)
    assert GAIN not in figures[SAMPLED] and "another guitar" not in figures


def test_figures_are_over_the_bars_that_were_played(songs: list[Prepared]) -> None:
    chosen = choose(songs)
    cut = [song.between(0, 8).drums for song in chosen.songs]
    whole = [song.drums for song in chosen.songs]
    played = watching.Played({(SAMPLED, index): take for index, take in enumerate(cut)}, 8)
    figures = watching.panel(chosen, whole, played)
    assert figures[SAMPLED]["hit F1"] == figures[LOOP]["hit F1"] == 1


# --- time -------------------------------------------------------------------------------------------------------------


def test_playing_takes_its_share_of_the_time_and_no_more() -> None:
    assert allowance((), 0) == 0
    assert allowance((), 60) == pytest.approx(60 * SHARE)
    # Half the bars took 3 s: all would take 6, which there is time for after 180 s.
    half = (Preview(1, 60, played=BARS // 2, spent=3.0),)
    assert allowance(half, 120) == 0
    assert allowance(half, 179) == 0
    assert allowance(half, 181) == pytest.approx(181 * SHARE - 3)
    given_up = (Preview(1, 60, spent=3.0),)
    assert allowance(given_up, 179) == 0 and allowance(given_up, 181) > 6
    assert allowance(half, 120, last=True) == watching.LAST_SECONDS


def test_a_long_run_in_which_playing_is_slow_keeps_to_the_share() -> None:
    """Each look takes 20 s; validations come every minute."""
    previews: tuple[Preview, ...] = ()
    for minute in range(1, 600):
        seconds = 60.0 * minute
        if (allowed := allowance(previews, seconds)) > 0:
            spent = min(allowed, 20.0)
            preview = Preview(minute, seconds, played=math.floor(BARS * spent / 20), spent=spent)
            previews = with_preview(previews, preview)
        total = sum(preview.spent for preview in previews)
        assert total <= SHARE * seconds
    assert total > 0.9 * SHARE * seconds
    assert sum(preview.played == BARS for preview in previews) > 80


def test_without_songs_nothing_is_played(model: Family) -> None:
    previews = previews_of(PreviewSongs())
    logger: Any = Logger()
    previews.look(model, 10, 60.0, logger, last=True)
    assert previews.made == () and not logger.scalars and not logger.images


@pytest.mark.usefixtures("small")
def test_a_model_that_was_just_previewed_is_not_played_again(model: Family, songs: list[Prepared]) -> None:
    previews = previews_of(choose(songs))
    logger: Any = Logger()
    previews.look(model, 10, 1e6, logger)
    previews.look(model, 10, 1e6 + 1, logger, last=True)
    (preview,) = previews.made
    assert preview.played == BARS and preview.takes
    assert all(len(rows) == 1 for rows in (*logger.scalars.values(), *logger.images.values()))


# --- what is shown meanwhile ------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_figures_and_pictures_are_shown_of_each_moment_the_real_drums_once(
    model: Family, songs: list[Prepared]
) -> None:
    previews = previews_of(choose(songs))
    logger: Any = Logger()
    for bars in (10, 20):
        previews.look(model, bars, 1e6, logger)
    names = [name_of(song) for song in previews.pictured]
    assert sorted(logger.images) == sorted([f"take/{name}" for name in names] + [f"real/{name}" for name in names])
    assert [step for step, _ in logger.images[f"take/{names[0]}"]] == [10, 20]
    assert [step for step, _ in logger.images[f"real/{names[0]}"]] == [10]
    pixels = logger.images[f"take/{names[0]}"][0][1]
    assert pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8 and np.ptp(pixels) > 100
    figures = previews.made[-1].figures
    assert logger.scalars["panel/hit_F1/most_likely"][-1] == (20, figures[LIKELY]["hit F1"])
    assert logger.scalars["panel/hit_F1/common_bar"][-1] == (20, figures[LOOP]["hit F1"])
    assert len(logger.scalars) == sum(map(len, figures.values()))


def test_a_failure_of_a_preview_is_reported_once_and_does_not_end_the_run(
    model: Family, songs: list[Prepared], monkeypatch: Any
) -> None:
    def broken(*args: Any, **options: Any) -> Any:
        raise RuntimeError("no ink")

    warnings: list[str] = []
    previews = previews_of(choose(songs), warnings)
    logger: Any = Logger()
    monkeypatch.setattr(draw, "pixels", broken)
    for bars in (1, 2):
        previews.look(model, bars, 1e6, logger)
    assert len(warnings) == 1 and "no ink" in warnings[0] and "RuntimeError" in warnings[0]
    assert all(preview.figures for preview in previews.made)  # only the picture is missing
    monkeypatch.setattr(watching, "play", broken)
    previews.look(model, 3, 1e6, logger)
    assert len(warnings) == 2 and not previews.made[-1].figures
    with pytest.raises(KeyboardInterrupt), previews.best_effort("stopping"):
        raise KeyboardInterrupt


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_previews_come_back_as_they_were(model: Family, songs: list[Prepared]) -> None:
    previews = previews_of(choose(songs))
    previews.look(model, 10, 1e6)
    rows = previews_as_rows(previews.made)
    (own,), (back,) = previews.made, previews_from_rows(json.loads(json.dumps(rows)))
    assert back._replace(takes={}) == own._replace(takes={}) and back.takes.keys() == own.takes.keys() and own.takes
    for name, take in own.takes.items():
        assert all(np.array_equal(a, b) for a, b in zip(back.takes[name], take, strict=True))


def test_of_many_previews_the_takes_of_some_are_kept_the_first_the_last_and_evenly_between() -> None:
    take = made_song(0).drums
    previews: tuple[Preview, ...] = ()
    for number in range(1, 101):
        previews = with_preview(previews, Preview(100 * number, 60.0 * number, takes={"a": take}))
        kept = [preview.bars for preview in previews if preview.takes]
        assert len(kept) <= MOST_KEPT and kept[0] == 100 and kept[-1] == 100 * number
    assert len(previews) == 100
    assert max(np.diff(kept)) <= 3 * 10_000 / MOST_KEPT


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_takes_of_the_first_the_middle_and_the_last_moment_are_drawn_beside_the_real_drums(
    model: Family, songs: list[Prepared]
) -> None:
    previews = previews_of(choose(songs))
    for bars in (10, 20, 50, 100):
        previews.look(model, bars, 1e6)
    drawn = previews.drawn()
    assert [song.name for song in drawn] == [name_of(song) for song in previews.pictured] and len(drawn) == 2
    captions = [caption.split(",")[0] for caption, _ in drawn[0].pictures]
    assert captions == [REAL, "after 10 bars", "after 50 bars", "after 100 bars"]
    assert all(png.startswith(b"\x89PNG") for _, png in drawn[0].pictures)
    assert previews_of(choose(songs)).drawn() == ()
    # Of other songs than are there now, as when a run is gone on with on other data, nothing is drawn.
    other = previews_of(choose([song_of(seed) for seed in range(20, 24)]))
    other.made = previews.made
    assert all([caption for caption, _ in song.pictures] == [REAL] for song in other.drawn())


@pytest.mark.slow
def test_a_take_that_is_drawn_has_the_hits_that_were_played(model: Family, songs: list[Prepared]) -> None:
    chosen = choose(songs)
    song = chosen.songs[0]
    played = watching.play(base.engine_of(model, "full"), chosen)
    assert played is not None
    duet = watching.picture_duet(song, played.takes[SAMPLED, 0], 4)
    assert len(duet.song.bars()) == 4
    engine, options = base.engine_of(model, "full"), Options(temperature=1.0)
    plan = plan_of(song.guitar_grid, options, engine.kit)
    own = [bar.hits for bar in play(engine, song.guitar_grid, options.sampling, plan=plan)][:4]
    assert len(duet.drums) == sum(len(hits.step) for hits in own)
