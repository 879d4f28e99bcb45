"""Evaluations: players on songs, the songs chosen, and the values that come out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum.cli import main
from seq2drum.data.corpus.cache import load, save
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError, OptionError
from seq2drum.evaluate import report
from seq2drum.evaluate.auditions import choose, reference, split_hash
from seq2drum.evaluate.evaluate import CRITICISED, Settings, evaluate
from seq2drum.evaluate.evaluation import ABOVE_COMMON, METRES, Evaluation
from seq2drum.judge.players import COPY, REAL, Player, baseline_players, copy_player, groove_players, model_players
from seq2drum.lattice.conditions import drums_of, style_of
from seq2drum.lattice.form import CHANGING
from seq2drum.lattice.grid import Grid
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL
from tests.backbeats import changing, played_songs, song_of, training
from tests.players import save_player

FEW = Settings(draws=50, critics=0, likelihood=False)


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_player(tmp_path_factory.mktemp("player"), eagerness=1.0)


def _same(song: Prepared, take: int) -> Grid:
    return song.drums


def _nothing(song: Prepared, take: int) -> Grid:
    return song.drums.select(np.zeros(0, dtype=np.int64))


def _loop(song: Prepared, take: int) -> Grid:
    play_on = copy_player().play_on
    assert play_on is not None
    return play_on(song, range(1), take)


def _low_notes(song: Prepared, take: int) -> Grid:
    """A kick wherever the guitar plays low: nothing but listening."""
    guitar = song.guitar_grid.guitar
    at = np.unique(guitar.step[guitar.key < 50])
    return Grid(at, np.zeros_like(at), np.full_like(at, 100), np.zeros_like(at), np.ones_like(at))


def figures(evaluation: Evaluation, name: str) -> dict[str, float | None]:
    row = next(row for row in evaluation.free if row.name == name)
    return {figure: value.value for figure, value in row.figures.items()}


def values(evaluation: Evaluation) -> list[tuple[str, str, float | None]]:
    """All figures without their intervals, and without the times, which no two runs have in common."""
    rows = (*evaluation.free, *evaluation.continued, *evaluation.by_metre, *evaluation.by_style)
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
    return evaluate(played_songs(), players, training(), FEW)


def test_a_copier_has_all_hits_right_and_is_marked_as_one_who_sees_the_real_drums(cheats: Evaluation) -> None:
    row = next(row for row in cheats.free if row.name == "copier")
    score = figures(cheats, "copier")
    assert score["hit F1"] == score["fill F1"] == 1
    assert score["voice JSD"] == score["position JSD"] == score["bar similarity error"] == 0
    assert score["faults"] == figures(cheats, REAL)["faults"]
    assert row.sees_real
    assert "gain in F1" not in score


def test_silence_scores_nothing(cheats: Evaluation) -> None:
    score = figures(cheats, "mute")
    assert score["hit F1"] == score["fill rate"] == score["hits a bar"] == score["gain in F1"] == 0
    assert score["voice JSD"] == score["position JSD"] == 1


def test_a_loop_is_caught_by_its_bars_being_all_the_same(cheats: Evaluation) -> None:
    score, real = figures(cheats, "loop"), figures(cheats, REAL)
    assert score["fill rate"] == 0 < (real["fill rate"] or 0)
    assert (score["distinct bars"] or 0) < (real["distinct bars"] or 0)
    assert (score["bar similarity error"] or 0) > 0.1


def test_a_loop_gains_nothing_by_the_right_guitar_and_a_player_who_hears_it_does(cheats: Evaluation) -> None:
    assert figures(cheats, "loop")["gain in F1"] == 0
    gain = next(row for row in cheats.free if row.name == "listener").figures["gain in F1"]
    assert gain.low is not None
    assert gain.low > 0.05


def test_real_drums_have_a_row_of_what_has_a_meaning_for_them(cheats: Evaluation) -> None:
    score = figures(cheats, REAL)
    assert score["fill rate"] is not None
    assert score["copies of 1 bar"] is not None
    assert not {"hit F1", "voice JSD", "velocity error", "bars a second"} & set(score)


def test_baselines_stand_beside_and_the_one_that_sees_is_marked(cheats: Evaluation) -> None:
    kinds = {row.name: row for row in cheats.free}
    assert {"silence", "marginal", "common bar", "rule", "random song", "nearest 4 bars"} <= set(kinds)
    assert kinds["own bar"].sees_real and not kinds["nearest 1 bar"].sees_real
    assert figures(cheats, "silence")["hit F1"] == 0


def test_the_bar_that_is_known_is_copied_to_the_end(cheats: Evaluation) -> None:
    row = next(row for row in cheats.continued if row.name == COPY)
    assert row.songs == len(played_songs())
    assert 0.3 < (row.figures["hit F1"].value or 0) < 1


def test_of_four_known_bars_all_are_copied_and_the_report_says_how_many_are_known() -> None:
    evaluation = evaluate(played_songs(), [], (), replace(FEW, known=4))
    row = next(row for row in evaluation.continued if row.name == COPY)
    assert row.songs == len(played_songs())
    assert evaluation.about["known bars"] == 4
    assert "Played on from the first 4 real bars" in report.as_text(evaluation)


@pytest.mark.parametrize("known", [1, 4])
def test_known_bars_come_again_and_again_and_are_cut_where_a_bar_is_shorter(known: int) -> None:
    song, play_on = song_of(1, bars=9), copy_player().play_on
    assert play_on is not None
    form, made = song.guitar_grid.form, play_on(song, range(known), 0)
    for bar in range(len(form.steps)):
        own, copied = (form.notes_between(hits, at, at + 1) for hits, at in ((song.drums, bar % known), (made, bar)))
        assert np.array_equal(copied.step, own.step[own.step < form.steps[bar]])


def test_a_song_that_is_one_bar_is_copied_without_fault() -> None:
    song = song_of(1)
    looped = replace(song, drums=_loop(song, 0))
    evaluation = evaluate([looped], [], (), FEW)
    assert evaluation.continued[0].figures["hit F1"].value == 1


def test_every_metre_has_a_row_of_its_bars_in_all_songs_and_one_that_no_song_has_is_empty(cheats: Evaluation) -> None:
    rows = {row.name: row for row in cheats.by_metre}
    counts = {metre: rows[f"{metre}: copier"].songs for metre in METRES}
    assert counts == {"4/4": 5, "3/4": 2, "6/8": 0, "12/8": 0, "5/4": 0, "7/8": 2, "other": 0}
    assert rows["7/8: copier"].bars == 12 + 4
    assert rows["7/8: copier"].figures["hit F1"].value == 1
    assert rows["7/8: mute"].figures["hit F1"].value == 0
    assert rows["6/8: copier"].figures == {}


def test_figures_of_a_metre_are_those_of_the_bars_cut_out_of_their_songs(cheats: Evaluation) -> None:
    form = changing().guitar_grid.form
    assert form.metre == CHANGING
    pieces = [song_of(8, metre=(7, 8)), changing().between(*np.flatnonzero(form.denominator == 8)[[0, -1]] + (0, 1))]
    alone = evaluate(pieces, [Player("listener", "", "model", _low_notes)], training(), FEW)
    ((whole, cut),) = [
        (row, other) for row in cheats.by_metre for other in alone.by_metre if row.name == other.name == "7/8: listener"
    ]
    assert (whole.songs, whole.bars) == (cut.songs, cut.bars) == (2, 16)
    for name in ("hit F1", "kick and snare F1", "voice JSD", "hits made to real"):
        assert whole.figures[name].value == pytest.approx(cut.figures[name].value), name


def test_models_stand_beside_the_commonest_bar_of_the_metre_with_the_difference(cheats: Evaluation) -> None:
    rows = {row.name: row.figures for row in cheats.by_metre}
    for metre in ("4/4", "3/4", "7/8"):
        common = rows[f"{metre}: common bar"]["hit F1"].value or 0
        assert ABOVE_COMMON not in rows[f"{metre}: common bar"]
        assert rows[f"{metre}: copier"][ABOVE_COMMON].value == pytest.approx(1 - common)
        assert rows[f"{metre}: mute"][ABOVE_COMMON].value == pytest.approx(-common)
    assert set(rows["7/8: real drums"]) == {"fill rate", "hits made to real"}


def test_songs_are_told_apart_by_the_style_of_their_real_drums(cheats: Evaluation) -> None:
    songs = {row.name.removesuffix(": copier"): row.songs for row in cheats.by_style if row.name.endswith(": copier")}
    assert tuple(songs) == STYLES
    styles = [style_of(drums_of(song.drums, song.guitar_grid.form, FULL)) for song in played_songs()]
    assert songs == {style: styles.count(style) for style in STYLES}
    style = max(songs, key=lambda style: songs[style])
    rows = {row.name: row for row in cheats.by_style}
    assert rows[f"{style}: copier"].figures["hit F1"].value == 1
    assert rows[f"{style}: copier"].figures[ABOVE_COMMON].value > 0
    assert sum(row.bars for name, row in rows.items() if name.endswith(": copier")) == sum(
        row.bars for row in cheats.by_metre if row.name.endswith(": copier")
    )


def test_of_several_songs_the_intervals_need_no_excuse(cheats: Evaluation) -> None:
    assert not any("width" in note for note in cheats.notes)


def test_an_evaluation_comes_back_from_json_as_it_was(cheats: Evaluation) -> None:
    assert Evaluation.from_json(cheats.as_json()) == cheats


def test_each_song_has_its_own_figures(cheats: Evaluation) -> None:
    assert [song.sha256 for song in cheats.songs] == [song.sha256 for song in played_songs()]
    assert all(song.figures["copier"]["hit F1"] == 1 for song in cheats.songs)


def test_a_player_who_varies_repeats_itself_less_than_one_who_does_not() -> None:
    def varies(song: Prepared, take: int) -> Grid:
        return _same(song, take) if take % 2 else _loop(song, take)

    players = [
        Player("same", "two takes that are one", "model", _same, takes=2),
        Player("varied", "two takes", "model", varies, takes=2),
    ]
    evaluation = evaluate(played_songs(), players, (), FEW)
    assert figures(evaluation, "same")["repeats of 4 bars"] == 1
    assert (figures(evaluation, "varied")["repeats of 4 bars"] or 0) < 1
    assert figures(evaluation, REAL).get("repeats of 4 bars") is None


# --- what is compared -------------------------------------------------------------------------------------------------


def test_without_enough_songs_of_reference_there_are_no_baselines_and_it_is_said() -> None:
    evaluation = evaluate(played_songs()[:1], [], training()[:3], FEW)
    assert [row.name for row in evaluation.free] == [REAL]
    assert any("no baselines" in note and "3 songs" in note for note in evaluation.notes)
    assert any("one song" in note and "no width" in note for note in evaluation.notes)


def test_two_players_of_one_name_are_refused() -> None:
    players = baseline_players(training()[:3])
    with pytest.raises(OptionError, match="two players are called 'common bar'"):
        evaluate(played_songs()[:1], [*players, *players], training()[:3], FEW)


def test_songs_without_drums_are_nothing_to_compare_with() -> None:
    mute = replace(song_of(1), drums=_nothing(song_of(1), 0))
    with pytest.raises(CorpusError, match="nothing to compare"):
        choose([mute])
    with pytest.raises(CorpusError, match="none of 1 songs has drums"):
        evaluate([mute], [])


# --- models -----------------------------------------------------------------------------------------------------------


def test_without_torch_likelihood_and_critic_are_left_out_and_it_is_said(
    player: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for module in ("likelihood", "critic"):  # may have been imported before
        monkeypatch.delitem(sys.modules, f"seq2drum.evaluate.{module}", raising=False)
    players = model_players(str(player), takes=0, title="tiny")
    evaluation = evaluate([song_of(1, bars=3)], players, (), Settings(draws=20))
    assert evaluation.free[1].figures["hit F1"].value is not None
    assert "gain in nats" not in evaluation.free[1].figures
    notes = " ".join(evaluation.notes)
    assert "no likelihood" in notes and "no critic" in notes and "seq2drum[train]" in notes


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cache_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("songs") / "songs.s2d"
    short = [song_of(seed, bars=9) for seed in range(4)]
    save([*short, *training()], path)
    return path


@pytest.mark.slow
def test_the_command_says_in_json_what_its_table_shows_and_workers_change_nothing(
    cache_file: Path, player: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "figures.json", tmp_path / "figures.html"
    words = ["--mode", "eval", "--cache", str(cache_file), "--model", str(player), "--takes", "2", "--bars", "8"]
    words += ["--ways", "plain", "default"]
    assert main([*words, "--workers", "2", "--json", str(out), "--report", str(page)]) == 0
    assert page.read_text().startswith("<!DOCTYPE html>")
    table, raw = capsys.readouterr().out, json.loads(out.read_text())
    assert raw["about"]["split"] == "test" and raw["about"]["songs"] == 4
    rows = {row["name"]: row for row in raw["free"]}
    for name, row in rows.items():
        line = next(line for line in table.splitlines() if line.startswith(name))
        value = row["figures"].get("hit F1", [None])[0]
        assert ("-" if value is None else f"{value:.3f}") in line
    likely, sampled = f"{player.name}, plain", f"{player.name}, default"
    nats = {"nats a bar", "nats a bar, groove given", "gain in nats", "gain in nats, median window"}
    assert nats <= set(rows[likely]["figures"])
    criticised = {name for name, row in rows.items() if "critic AUC" in row["figures"]}
    assert criticised == {likely, sampled, *CRITICISED}
    assert {name for name, row in rows.items() if row["takes"] == 2} == {sampled}
    repeats = {name: row["figures"].get("repeats of 1 bar", [None])[0] for name, row in rows.items()}
    assert {name for name, value in repeats.items() if value is not None} == {sampled}
    assert {row["name"]: row["takes"] for row in raw["continued"]} == {likely: 1, sampled: 1, COPY: 1}

    songs = load(cache_file)
    alone = evaluate(
        choose(songs, bars=8),
        [*model_players(str(player), takes=2, title=player.name), *groove_players()],
        reference(songs, choose(songs)),
        Settings(workers=1, draws=1),  # intervals are drawn after the workers are done
    )
    evaluation = Evaluation.from_json(out.read_text())
    assert values(alone) == values(evaluation)
    assert (alone.songs, alone.curves, alone.examples) == (evaluation.songs, evaluation.curves, evaluation.examples)


@pytest.mark.slow
def test_two_models_in_folders_of_one_name_have_rows_of_their_own_in_every_table(
    cache_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(tmp_path / parent / "mine") for parent in ("old", "new")]
    save_player(Path(names[0]), eagerness=-1.0)
    save_player(Path(names[1]), "lstm", eagerness=1.5)
    out = tmp_path / "figures.json"
    words = ["--mode", "eval", "--cache", str(cache_file), "--model", *names, "--ways", "plain", "default"]
    words += ["--songs", "2", "--bars", "8", "--takes", "1", "--workers", "1", "--no-critic", "--json", str(out)]
    assert main(words) == 0
    table, evaluation = capsys.readouterr().out, Evaluation.from_json(out.read_text())
    assert evaluation.about["models"] == names
    free = {row.name: row.figures for row in evaluation.free}
    for way in ("plain", "default"):
        before, after = (free[f"{name}, {way}"] for name in names)
        assert (before["hits a bar"].value or 0) < (after["hits a bar"].value or 0)
        for name in names:
            row = f"{name}, {way}"
            assert any(line.startswith(row) for line in table.splitlines())
            assert row in {continued.name for continued in evaluation.continued}
            assert f"4/4: {row}" in {of_metre.name for of_metre in evaluation.by_metre}
    compared = {row.name: row.figures["hit F1"] for row in evaluation.compared}
    assert set(compared) == {f"{names[1]}, {way} less {names[0]}, {way}" for way in ("plain", "default")}
    for way in ("plain", "default"):
        first, second = (free[f"{name}, {way}"]["hit F1"].value or 0 for name in names)
        assert compared[f"{names[1]}, {way} less {names[0]}, {way}"].value == pytest.approx(second - first)
    assert len({free[f"{name}, plain"]["nats a bar"].value for name in names} - {None}) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--data"),
        (["--cache", "SONGS", "--split", "validation"], "--split all"),
        (["--cache", "SONGS", "--takes", "-1"], "--takes is -1"),
        (["--cache", "SONGS", "--metre", "waltz"], "such as 4/4"),
        (["--cache", "SONGS", "--report", "page.doc"], ".html or .md"),
        (["--cache", "SONGS", "--json", "nowhere/x.json"], "does not exist"),
        (["--cache", "SONGS", "--json", "OLD"], "--force"),
        (["--cache", "SONGS", "--model", "nobody"], "nobody"),
        (["--cache", "SONGS", "--temperature", "1"], "does not take --temperature"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    words: list[str], message: str, cache_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.json").write_text("{}")
    place = {"SONGS": str(cache_file), "OLD": str(tmp_path / "old.json")}
    assert main(["--mode", "eval", *(place.get(word, word) for word in words)]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert message in error[-1]
    assert (tmp_path / "old.json").read_text() == "{}"


def test_other_modes_keep_their_own_form_of_the_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--mode", "infer", "--json", "there-is-no-such-song.mid"]) == 2
    assert "there-is-no-such-song.mid" in capsys.readouterr().err


def test_one_bar_of_drums_is_enough_to_be_compared() -> None:
    song = song_of(1, bars=1)
    evaluation = evaluate([song], [Player("same", "", "model", _same)], (), FEW)
    assert figures(evaluation, "same")["hit F1"] == 1
    assert evaluation.continued == ()


# --- which songs are played, and which baselines may know -------------------------------------------------------------


def test_nothing_of_a_song_that_is_played_is_known_to_baselines() -> None:
    played = song_of(1)
    twin, copy = replace(song_of(2, split="train"), group=played.group), replace(played, group="other", split="train")
    free = song_of(3, split="train")
    assert reference([played, twin, copy, free], [played]) == [free]
    assert reference([played, twin, free, song_of(4)], [played], all_of=True)[0] == free


def test_where_no_song_is_on_the_side_the_message_says_what_there_is_and_the_way_out() -> None:
    with pytest.raises(CorpusError, match=r"22 train.*--split all"):
        choose(training(), split="test")
    assert len(choose(training(), split="all")) == len(training())


def test_a_tag_or_metre_that_no_song_has_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(CorpusError, match="there are t"):
        choose(played_songs(), tag="jazz")
    with pytest.raises(CorpusError, match="3/4, 4/4, 7/8, changing"):
        choose(played_songs(), metre="5/4")
    assert [song.sha256 for song in choose(played_songs(), metre="7/8")] == [played_songs()[5].sha256]


def test_the_same_songs_are_drawn_in_whatever_order_they_come() -> None:
    some = choose(played_songs(), most=3, seed=4)
    assert len(some) == 3
    assert choose(played_songs()[::-1], most=3, seed=4) == some
    assert split_hash(some) == split_hash(some[::-1]) != split_hash(some[:2])


def test_a_song_is_cut_to_bars_from_where_both_play() -> None:
    song = song_of(1)
    late = replace(song, drums=song.drums.select(song.drums.step >= 3 * 24))
    (cut,) = choose([late], bars=4)
    assert cut.guitar_grid.form.steps.tolist() == [24] * 4
    assert cut.drums.step.min() == late.drums.step.min() - 72
    assert len(cut.guitar_grid.guitar.step) == 4 * 8
