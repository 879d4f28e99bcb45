from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from seq2drum.cli import main
from seq2drum.data import batches, corpus, excerpts
from seq2drum.data.corpus import Prepared
from seq2drum.errors import CorpusError, OptionError, UnknownModelError
from seq2drum.judge import evaluate
from seq2drum.judge.evaluate import COPY, REAL, Evaluation, Player, Settings
from seq2drum.lattice.grid import Grid, Lattice, encode
from seq2drum.lattice.listening import Heard, Listening, sounding
from seq2drum.models import checkpoint
from seq2drum.models.base import tensors
from seq2drum.models.layers import Heads, hit_nats
from seq2drum.music.kit import FULL, KITS
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from tests.made import made_song
from tests.players import save_player

KICK, SNARE, HAT = 36, 38, 42
FEW = Settings(draws=50, critic=False, likelihood=False)


def song_of(
    seed: int, *, bars: int = 12, metre: tuple[int, int] = (4, 4), bpm: int = 120, split: str = "test", tag: str = "t"
) -> Prepared:
    """Eighths on the hat, a backbeat, kicks where the guitar plays low; every fourth bar ends in a fill of snares."""
    rng = np.random.default_rng(seed)
    length = 4 * 480 * metre[0] // metre[1]
    guitar, drums = [], []
    for bar in range(bars):
        for at in range(bar * length, (bar + 1) * length, 240):
            low = rng.random() < 0.5
            guitar.append(Note(at, 200, 40 if low else 64, int(rng.integers(60, 120))))
            if low:
                drums.append(Note(at + int(rng.integers(0, 9)), 60, KICK, int(rng.integers(90, 120))))
            filling = bar % 4 == 3 and at >= (bar + 1) * length - 960
            drums.append(Note(at, 60, SNARE if filling else HAT, int(rng.integers(40, 90))))
        drums.append(Note(bar * length + 480, 60, SNARE, 100))
    parts = (Part.of(guitar, program=27), Part.of(drums, is_drums=True))
    song = Song(480, parts, (Tempo(0, 60_000_000 // bpm),), (Metre(0, *metre),), bars * length)
    lattice = Lattice(song.bars(), 480)
    name = f"{split}{metre}{bpm}-{seed}"
    hits = encode(parts[1], lattice, FULL)
    return Prepared(f"{tag}/{name}.mid", name, tag, name, split, Listening.of(song, [0], lattice).heard, hits)


@cache
def played_songs() -> tuple[Prepared, ...]:
    return (*(song_of(seed) for seed in range(4)), song_of(9, metre=(3, 4)), song_of(8, metre=(7, 8)), changing())


def changing() -> Prepared:
    return replace(made_song(5), split="test", group="made", sha256="made")


@cache
def training() -> tuple[Prepared, ...]:
    return tuple(song_of(seed, bars=6, split="train") for seed in range(100, 122))


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_player(tmp_path_factory.mktemp("player"), eagerness=1.0)


def _same(song: Prepared, take: int) -> Grid:
    return song.drums


def _nothing(song: Prepared, take: int) -> Grid:
    return song.drums.select(np.zeros(0, dtype=np.int64))


def _loop(song: Prepared, take: int) -> Grid:
    return evaluate._copy_on(song, 0, take)


def _low_notes(song: Prepared, take: int) -> Grid:
    """A kick wherever the guitar plays low: nothing but listening."""
    guitar = song.heard.guitar
    at = np.unique(guitar.step[guitar.key < 50])
    return Grid(at, np.zeros_like(at), np.full_like(at, 100), np.zeros_like(at), np.ones_like(at))


def figures(found: Evaluation, name: str) -> dict[str, float | None]:
    row = next(row for row in found.free if row.name == name)
    return {figure: value.value for figure, value in row.figures.items()}


def values(found: Evaluation) -> list[tuple[str, str, float | None]]:
    """All figures without their intervals, and without the times, which no two runs have in common."""
    rows = (*found.free, *found.continued, *found.by_metre)
    figures = [(row.name, name, value.value) for row in rows for name, value in row.figures.items()]
    return [figure for figure in figures if figure[1] != "bars a second"]


# --- cheats -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cheats() -> Evaluation:
    players = [
        Player("copier", "copies the real drums", "model", _same, sees_real=True, swapped=False),
        Player("mute", "plays nothing", "model", _nothing),
        Player("loop", "the first real bar, again and again", "model", _loop, sees_real=True),
        Player("listener", "kicks where the guitar plays low", "model", _low_notes),
    ]
    return evaluate.evaluate(played_songs(), players, training(), FEW)


def test_a_copier_has_all_hits_right_and_is_told_by_seeing_the_real_drums_alone(cheats: Evaluation) -> None:
    row = next(row for row in cheats.free if row.name == "copier")
    found = figures(cheats, "copier")
    assert found["hit F1"] == found["fill F1"] == 1
    assert found["voice JSD"] == found["position JSD"] == found["bar similarity error"] == 0
    assert found["faults"] == figures(cheats, REAL)["faults"]
    assert row.sees_real
    assert "gain in F1" not in found


def test_silence_scores_nothing(cheats: Evaluation) -> None:
    found = figures(cheats, "mute")
    assert found["hit F1"] == found["fill rate"] == found["hits a bar"] == found["gain in F1"] == 0
    assert found["voice JSD"] == found["position JSD"] == 1


def test_a_loop_is_caught_by_its_bars_being_all_the_same(cheats: Evaluation) -> None:
    found, real = figures(cheats, "loop"), figures(cheats, REAL)
    assert found["fill rate"] == 0 < (real["fill rate"] or 0)
    assert (found["distinct bars"] or 0) < (real["distinct bars"] or 0)
    assert (found["bar similarity error"] or 0) > 0.1


def test_the_deaf_gain_nothing_by_the_right_guitar_and_a_listener_does(cheats: Evaluation) -> None:
    assert figures(cheats, "loop")["gain in F1"] == 0
    gain = next(row for row in cheats.free if row.name == "listener").figures["gain in F1"]
    assert gain.low is not None
    assert gain.low > 0.05


def test_real_drums_have_a_row_of_what_has_a_meaning_for_them(cheats: Evaluation) -> None:
    found = figures(cheats, REAL)
    assert found["fill rate"] is not None
    assert found["copies of 1 bar"] is not None
    assert not {"hit F1", "voice JSD", "velocity error", "bars a second"} & set(found)


def test_baselines_stand_beside_and_the_one_that_sees_is_marked(cheats: Evaluation) -> None:
    kinds = {row.name: row for row in cheats.free}
    assert {"silence", "marginal", "common bar", "rule", "random song", "nearest 4 bars"} <= set(kinds)
    assert kinds["own bar"].sees_real and not kinds["nearest 1 bar"].sees_real
    assert figures(cheats, "silence")["hit F1"] == 0


def test_the_bar_that_is_known_is_copied_to_the_end(cheats: Evaluation) -> None:
    row = next(row for row in cheats.continued if row.name == COPY)
    assert row.songs == len(played_songs())
    assert 0.3 < (row.figures["hit F1"].value or 0) < 1


def test_a_song_that_is_one_bar_is_copied_without_fault() -> None:
    song = song_of(1)
    looped = replace(song, drums=evaluate._copy_on(song, 0, 0))
    found = evaluate.evaluate([looped], [], (), FEW)
    assert found.continued[0].figures["hit F1"].value == 1


def test_every_metre_has_a_row_and_one_that_no_song_has_is_empty(cheats: Evaluation) -> None:
    rows = {row.name: row for row in cheats.by_metre}
    counts = {metre: rows[f"{metre}: copier"].songs for metre in evaluate.METRES}
    assert counts == {"4/4": 4, "3/4": 1, "6/8": 0, "12/8": 0, "5/4": 0, "7/8": 1, "other": 0, "changing": 1}
    assert rows["7/8: copier"].figures["hit F1"].value == 1
    assert rows["6/8: copier"].figures == {}


def test_of_several_songs_the_intervals_need_no_excuse(cheats: Evaluation) -> None:
    assert not any("width" in note for note in cheats.notes)


def test_an_evaluation_comes_back_from_json_as_it_was(cheats: Evaluation) -> None:
    assert Evaluation.from_json(cheats.as_json()) == cheats


def test_each_song_has_its_own_figures(cheats: Evaluation) -> None:
    assert [song.sha256 for song in cheats.songs] == [song.sha256 for song in played_songs()]
    assert all(song.figures["copier"]["hit F1"] == 1 for song in cheats.songs)


# --- what is compared -------------------------------------------------------------------------------------------------


def test_without_enough_songs_of_reference_there_are_no_baselines_and_it_is_said() -> None:
    found = evaluate.evaluate(played_songs()[:1], [], training()[:3], FEW)
    assert [row.name for row in found.free] == [REAL]
    assert any("no baselines" in note and "3 songs" in note for note in found.notes)
    assert any("one song" in note and "no width" in note for note in found.notes)


def test_two_players_of_one_name_are_told() -> None:
    players = evaluate.baseline_players(training()[:3])
    with pytest.raises(OptionError, match="two players are called 'common bar'"):
        evaluate.evaluate(played_songs()[:1], [*players, *players], training()[:3], FEW)


def test_nothing_of_a_song_that_is_played_is_known_to_baselines() -> None:
    played = song_of(1)
    twin, copy = replace(song_of(2, split="train"), group=played.group), replace(played, group="other", split="train")
    free = song_of(3, split="train")
    assert evaluate.reference([played, twin, copy, free], [played]) == [free]
    assert evaluate.reference([played, twin, free, song_of(4)], [played], all_of=True)[0] == free


def test_a_folder_without_songs_of_the_split_is_told_of_the_way_out() -> None:
    with pytest.raises(CorpusError, match=r"22 train.*--split all"):
        evaluate.choose(training(), split="test")
    assert len(evaluate.choose(training(), split="all")) == len(training())


def test_a_tag_or_metre_that_no_song_has_is_told_with_those_that_there_are() -> None:
    with pytest.raises(CorpusError, match="there are t"):
        evaluate.choose(played_songs(), tag="jazz")
    with pytest.raises(CorpusError, match="3/4, 4/4, 7/8, changing"):
        evaluate.choose(played_songs(), metre="5/4")
    assert [song.sha256 for song in evaluate.choose(played_songs(), metre="7/8")] == [played_songs()[5].sha256]


def test_songs_without_drums_are_nothing_to_compare_with() -> None:
    mute = replace(song_of(1), drums=_nothing(song_of(1), 0))
    with pytest.raises(CorpusError, match="nothing to compare"):
        evaluate.choose([mute])
    with pytest.raises(CorpusError, match="none of 1 songs has drums"):
        evaluate.evaluate([mute], [])


def test_the_same_songs_are_drawn_in_whatever_order_they_come() -> None:
    some = evaluate.choose(played_songs(), most=3, seed=4)
    assert len(some) == 3
    assert evaluate.choose(played_songs()[::-1], most=3, seed=4) == some
    assert evaluate.split_hash(some) == evaluate.split_hash(some[::-1]) != evaluate.split_hash(some[:2])


def test_a_song_is_cut_to_bars_from_where_both_play() -> None:
    song = song_of(1)
    late = replace(song, drums=song.drums.select(song.drums.step >= 3 * 24))
    (cut,) = evaluate.choose([late], bars=4)
    assert cut.heard.form.steps.tolist() == [24] * 4
    assert cut.drums.step.min() == late.drums.step.min() - 72
    assert len(cut.heard.guitar.step) == 4 * 8


def test_bars_of_a_song_in_sevens_are_a_song_of_their_own() -> None:
    part = excerpts.bars_between(song_of(1, metre=(7, 8)), 2, 5)
    assert part.heard.form.steps.tolist() == [21] * 3
    assert part.drums.step.min() >= 0 and part.drums.step.max() < 63


def test_the_guitar_sounds_from_its_first_bar_to_the_bar_its_last_note_ends_in() -> None:
    heard = song_of(1).heard
    assert sounding(heard) == (0, 12)
    some = heard.guitar.select((heard.guitar.step >= 30) & (heard.guitar.step < 60))
    assert sounding(replace(heard, guitar=some)) == (1, 3)
    held = some._replace(length=np.full_like(some.length, 24 * 6))
    assert sounding(replace(heard, guitar=held)) == (1, 4)
    assert sounding(replace(heard, guitar=some.select(some.step < 0))) == (0, 0)


def test_another_guitar_is_of_the_same_metre_and_tempo_and_of_another_group() -> None:
    slow, twin = song_of(20, bpm=70), replace(song_of(21), group=song_of(0).group)
    others = excerpts.others_guitar([song_of(0), twin, slow, song_of(9, metre=(3, 4)), changing()])
    assert others == [None] * 5
    known = excerpts.others_guitar([song_of(0), slow], [song_of(22, bpm=130)])
    assert known[0] is not None and known[1] is None


def test_another_guitar_begins_with_the_own_and_again_when_it_is_over() -> None:
    own, other = song_of(1, bars=7).heard, song_of(2, bars=3).heard
    own = replace(own, guitar=own.guitar.select(own.guitar.step >= 24))
    laid = excerpts.lay_over(other, own)
    assert laid.form is own.form
    assert sounding(laid) == (1, 7)
    bars = [excerpts.bar_of_grid(laid.guitar, laid.form, bar) for bar in range(1, 7)]
    assert all(np.array_equal(a, b) for a, b in zip(bars[0], bars[3], strict=True))
    assert np.array_equal(bars[1].key, excerpts.bar_of_grid(other.guitar, other.form, 1).key)


def test_means_over_windows_have_intervals_over_songs() -> None:
    rng = np.random.default_rng(0)
    assert evaluate.over_songs(np.full(6, 2.0), np.array([0, 0, 1, 1, 2, 2]), rng) == (2, 2, 2)
    assert np.isnan(evaluate.over_songs(np.zeros(0), np.zeros(0, dtype=np.int64), rng)).all()
    value, low, high = evaluate.over_songs(np.array([0.0, 0.0, 0.0, 4.0]), np.array([0, 0, 0, 1]), rng)
    assert (value, low, high) == (1, 0, 4)


def test_a_median_over_windows_is_not_carried_by_one_song() -> None:
    rng = np.random.default_rng(0)
    values, song = np.array([3.0, 1.0, 2.0, 90.0, 80.0]), np.array([0, 1, 2, 3, 3])
    value, low, high = evaluate.over_songs(values, song, rng, read=evaluate.weighted_median)
    assert value == 3 and 1 <= low <= 3 <= high <= 90
    weights = np.array([[1.0, 1, 1, 0, 0], [5, 1, 1, 0, 0], [0, 0, 0, 1, 1]])
    assert evaluate.weighted_median(values, weights).tolist() == [2, 3, 80]  # of two, the lower
    assert evaluate.weighted_mean(values, weights).tolist() == [2, 18 / 7, 85]


# --- models -----------------------------------------------------------------------------------------------------------


def test_a_take_is_the_same_whenever_it_is_played_and_another_with_another_number(player: Path) -> None:
    likely, sampled = evaluate.model_players(str(player), takes=2)
    song = song_of(1, bars=3)
    first = sampled.play(song, 0)
    assert all(np.array_equal(a, b) for a, b in zip(first, sampled.play(song, 0), strict=True))
    assert not np.array_equal(first.step, sampled.play(song, 1).step)
    assert likely.takes == 1 and sampled.takes == 2


def test_a_player_of_nine_voices_plays_voices_of_the_full_kit(tmp_path: Path) -> None:
    (likely,) = evaluate.model_players(str(save_player(tmp_path, "lstm", "nine")), takes=0)
    grid = likely.play(song_of(1, bars=2), 0)
    names = {FULL.voices[key].name for key in np.unique(grid.key)}
    assert names <= {voice.name for voice in KITS["nine"].voices}
    assert np.all(np.diff(grid.step * len(FULL) + grid.key) > 0)


def test_a_model_goes_on_from_the_bar_that_it_is_given(player: Path) -> None:
    likely = evaluate.model_players(str(player), takes=0)[0]
    song = song_of(1, bars=4)
    assert likely.play_on is not None
    grid = likely.play_on(song, 1, 0)
    known, real = (excerpts.bar_of_grid(hits, song.heard.form, 1) for hits in (grid, song.drums))
    assert np.array_equal(known.step, real.step) and np.array_equal(known.key, real.key)


def test_a_model_that_is_not_there_is_said_before_anything_is_played() -> None:
    with pytest.raises(UnknownModelError):
        evaluate.model_players("nobody")


@pytest.mark.parametrize("name", ["attention", "lstm"])
def test_nats_window_by_window_add_up_to_those_of_the_loss(name: str, tmp_path: Path) -> None:
    model, _ = checkpoint.load(save_player(tmp_path, name))
    model.eval()
    data = batches.flatten(played_songs()[:3])
    pairs = batches.blocks(data)
    nats = evaluate.window_nats(model, data, pairs, pairs, range(len(pairs)))
    drawn = [batches.draw(np.random.default_rng([0, number]), 1) for number in range(len(pairs))]
    draws = batches.Draws(*(np.concatenate(columns) for columns in zip(*drawn, strict=True)))
    with torch.no_grad():
        losses = model.losses(tensors(batches.collate(data, pairs, draws)))
    assert len(pairs) == 3
    assert nats.sum() * 8 == pytest.approx(float(losses["nats"]), rel=1e-5)


class _Deaf(nn.Module):
    """Expects every hit as much as any other, whatever the guitar does."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = Heads(4, len(FULL), 0, 0.0)

    def losses(self, batch: Any) -> dict[str, torch.Tensor]:
        hits = batch.drums[:, -batch.offset.shape[1] :]
        return {"nats": hit_nats(self.hit_logits(batch), hits, torch.ones(hits.shape[:3]))}

    def hit_logits(self, batch: Any) -> torch.Tensor:
        hits = batch.drums[:, -batch.offset.shape[1] :]
        return self.heads.hit_logits(torch.zeros(*batch.offset.shape[:3], 4), hits)


def test_the_deaf_find_no_guitar_likelier_than_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "load", lambda folder: (_Deaf(), {"kit": "full"}))
    monkeypatch.setattr("seq2drum.judge.evaluate.find", lambda name: name)
    songs = [song_of(seed, bars=8) for seed in range(evaluate.GUITARS)]
    found = evaluate.likelihood("deaf", songs)
    assert len(found.own) == len(found.ranked) == evaluate.GUITARS
    np.testing.assert_allclose(found.other, found.own, atol=1e-5)
    assert np.ptp(found.ranked, axis=1).max() < 1e-5


def test_without_torch_likelihood_and_critic_are_left_out_and_it_is_said(
    player: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    players = evaluate.model_players(str(player), takes=0, title="tiny")
    found = evaluate.evaluate([song_of(1, bars=3)], players, (), Settings(draws=20))
    assert found.free[1].figures["hit F1"].value is not None
    assert "gain in nats" not in found.free[1].figures
    told = " ".join(found.notes)
    assert "no likelihood" in told and "no critic" in told and "seq2drum[train]" in told


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cache_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("songs") / "songs.s2d"
    short = [song_of(seed, bars=9) for seed in range(4)]
    corpus.save([*short, *training()], path)
    return path


@pytest.mark.slow
def test_the_command_says_in_json_what_its_table_shows_and_workers_change_nothing(
    cache_file: Path, player: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "found.json", tmp_path / "found.html"
    words = ["--mode", "eval", "--cache", str(cache_file), "--model", str(player), "--takes", "2", "--bars", "8"]
    assert main([*words, "--workers", "2", "--json", str(out), "--report", str(page)]) == 0
    assert page.read_text().startswith("<!DOCTYPE html>")
    table, raw = capsys.readouterr().out, json.loads(out.read_text())
    assert raw["about"]["split"] == "test" and raw["about"]["songs"] == 4
    rows = {row["name"]: row for row in raw["free"]}
    for name, row in rows.items():
        line = next(line for line in table.splitlines() if line.startswith(name))
        value = row["figures"].get("hit F1", [None])[0]
        assert ("-" if value is None else f"{value:.3f}") in line
    likely, sampled = f"{player.name}, most likely", f"{player.name}, sampled"
    assert {"nats a bar", "gain in nats", "gain in nats, median window"} <= set(rows[likely]["figures"])
    criticised = {name for name, row in rows.items() if "critic AUC" in row["figures"]}
    assert criticised == {likely, sampled, *evaluate.CRITICISED}
    assert {name for name, row in rows.items() if row["takes"] == 2} == {sampled}
    assert {row["name"]: row["takes"] for row in raw["continued"]} == {likely: 1, sampled: 1, COPY: 1}

    songs = corpus.load(cache_file)
    alone = evaluate.evaluate(
        evaluate.choose(songs, bars=8),
        evaluate.model_players(str(player), takes=2, title=player.name),
        evaluate.reference(songs, evaluate.choose(songs)),
        Settings(workers=1, draws=1),  # intervals are drawn after the workers are done
    )
    found = Evaluation.from_json(out.read_text())
    assert values(alone) == values(found)
    assert (alone.songs, alone.curves, alone.examples) == (found.songs, found.curves, found.examples)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--data"),
        (["--cache", "SONGS", "--split", "validation"], "--split all"),
        (["--cache", "SONGS", "--takes", "-1"], "--takes is -1"),
        (["--cache", "SONGS", "--metre", "waltz"], "such as 4/4"),
        (["--cache", "SONGS", "--report", "page.doc"], ".html or .md"),
        (["--cache", "SONGS", "--json", "nowhere/x.json"], "does not exist"),
        (["--cache", "SONGS", "--json", "OLD"], "--force"),
        (["--cache", "SONGS", "--model", "nobody"], "nobody"),
        (["--cache", "SONGS", "--temperature", "1"], "no use for --temperature"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    words: list[str], told: str, cache_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.json").write_text("{}")
    place = {"SONGS": str(cache_file), "OLD": str(tmp_path / "old.json")}
    assert main(["--mode", "eval", *(place.get(word, word) for word in words)]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert told in error[-1]
    assert (tmp_path / "old.json").read_text() == "{}"


def test_other_modes_keep_their_own_form_of_the_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--mode", "infer", "--json", "there-is-no-such-song.mid"]) == 2
    assert "there-is-no-such-song.mid" in capsys.readouterr().err


def test_one_bar_of_drums_is_enough_to_be_compared() -> None:
    song = song_of(1, bars=1)
    found = evaluate.evaluate([song], [Player("same", "", "model", _same)], (), FEW)
    assert figures(found, "same")["hit F1"] == 1
    assert found.continued == ()


def test_a_heard_song_without_guitar_can_be_played_to(player: Path) -> None:
    heard = song_of(1, bars=2).heard
    quiet = Heard(heard.form, heard.guitar.select(np.zeros(0, dtype=np.int64)), heard.programs, 1)
    assert len(evaluate.play_heard(evaluate._engine(str(player)), quiet).step) == 0
