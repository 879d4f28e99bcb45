"""Players play as their options say; grooves as players."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import UnknownModelError
from seq2drum.judge.players import (
    WAYS,
    best_offered,
    chosen_grooves,
    count,
    groove_players,
    looped,
    model_players,
    of_song,
    plan_of,
    play_heard,
)
from seq2drum.judge.trial import trial_of
from seq2drum.lattice.conditions import drums_of
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.sections import sections
from seq2drum.music.choices import WHOLE
from seq2drum.music.kit import FULL, KITS
from seq2drum.play.arrange.arrange import make_plan
from seq2drum.play.decode import engine
from seq2drum.play.grooves import choosing
from seq2drum.play.grooves.choosing import chosen
from seq2drum.play.options import Options
from tests.backbeats import played_songs, song_of
from tests.drumming import MIXED, random_guitar
from tests.players import save_player


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_player(tmp_path_factory.mktemp("player"), eagerness=1.0)


def test_a_take_is_the_same_whenever_it_is_played_and_another_with_another_number(player: Path) -> None:
    likely, sampled = model_players(str(player), takes=2)
    song = song_of(1, bars=3)
    first = sampled.play(song, 0)
    assert all(np.array_equal(a, b) for a, b in zip(first, sampled.play(song, 0), strict=True))
    assert not np.array_equal(first.step, sampled.play(song, 1).step)
    assert likely.takes == 1 and sampled.takes == 2


def test_a_player_of_nine_voices_plays_voices_of_the_full_kit(tmp_path: Path) -> None:
    (likely,) = model_players(str(save_player(tmp_path, "lstm", "nine")), takes=0)
    grid = likely.play(song_of(1, bars=2), 0)
    names = {FULL.voices[key].name for key in np.unique(grid.key)}
    assert names <= {voice.name for voice in KITS["nine"].voices}
    assert np.all(np.diff(grid.step * len(FULL) + grid.key) > 0)


@pytest.mark.parametrize("bars", [range(1, 2), range(2)])
def test_a_model_goes_on_from_the_bars_that_it_is_given(player: Path, bars: range) -> None:
    likely = model_players(str(player), takes=0)[0]
    song = song_of(1, bars=4)
    assert likely.play_on is not None
    grid = likely.play_on(song, bars, 0)
    known, real = (song.guitar_grid.form.notes_between(hits, bars.start, bars.stop) for hits in (grid, song.drums))
    assert np.array_equal(known.step, real.step) and np.array_equal(known.key, real.key)


def test_a_model_that_is_not_there_is_said_before_anything_is_played() -> None:
    with pytest.raises(UnknownModelError):
        model_players("nobody")


def test_a_heard_song_without_guitar_can_be_played_to(player: Path) -> None:
    guitar_grid = song_of(1, bars=2).guitar_grid
    quiet = GuitarGrid(
        guitar_grid.form, guitar_grid.guitar.select(np.zeros(0, dtype=np.int64)), guitar_grid.programs, 1
    )
    assert len(play_heard(engine.load(str(player)), quiet).step) == 0


def test_the_ways_of_a_model_are_rows_of_which_only_those_with_the_songs_groove_see_it(player: Path) -> None:
    rows = model_players(str(player), takes=3, title="it", ways=WAYS)
    assert [row.name for row in rows][:3] == ["it, plain", "it, default", "it, --daring 0.5"]
    assert rows[3].name == "it, jam"
    assert [row.takes for row in rows] == [1, 3, 2, 2, 1, 1, 1, 1]
    assert [row.name for row in rows if row.sees_real] == [row.name for row in rows][4:]
    assert rows[-1].name == "it, sections, sampled"
    assert [row.swapped for row in rows] == [True, True, *[False] * 6]
    assert [row.play_on is not None for row in rows] == [True, True, *[False] * 6]
    assert not [row for row in model_players(str(player), takes=0, ways=["default"])]


def test_what_is_asked_of_a_model_is_what_its_row_says(player: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def guitar_grid(engine: object, guitar_grid: object, *, given: object, **wishes: Any) -> Grid:
        asked.append(wishes)
        return song_of(1).drums

    monkeypatch.setattr("seq2drum.judge.players.play_heard", guitar_grid)
    song = song_of(1, bars=16)
    for row in model_players(str(player), takes=1, ways=[way for way in WAYS if way != "jam"]):
        row.play(song, 2)
    own, letters = asked[3]["groove"], set(asked[5]["groove"])
    assert [wishes["seed"] for wishes in asked] == [2] * 7
    assert [wishes["temperature"] for wishes in asked] == [0.0, None, None, 0.0, 1.0, 0.0, 1.0]
    assert [wishes["daring"] for wishes in asked] == [0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0]
    assert list(own) == [WHOLE] and letters > {WHOLE}
    assert not any("groove" in wishes for wishes in asked[:3])


def test_a_jam_is_judged_without_the_future_of_the_guitar(player: Path) -> None:
    (jam,) = model_players(str(player), takes=1, ways=["jam"])
    song = song_of(1, bars=12)
    form, first = song.guitar_grid.form, int(song.guitar_grid.form.first[8])
    late = song.guitar_grid.guitar.step >= first
    other = replace(song, guitar_grid=replace(song.guitar_grid, guitar=song.guitar_grid.guitar.select(~late)))
    known, unknown = (form.notes_between(jam.play(one, 0), 0, 8) for one in (song, other))
    assert len(known.step) and all(np.array_equal(a, b) for a, b in zip(known, unknown, strict=True))
    quiet = replace(
        song, guitar_grid=replace(song.guitar_grid, guitar=song.guitar_grid.guitar.select(np.zeros(0, dtype=np.int64)))
    )
    assert not len(jam.play(quiet, 0).step)


def test_a_song_without_drums_has_no_groove_to_give(player: Path) -> None:
    song = song_of(1, bars=4)
    quiet = replace(song, drums=song.drums.select(np.zeros(0, dtype=np.int64)))
    given = model_players(str(player), takes=0, ways=["given"])[1].play(quiet, 0)
    free = play_heard(engine.load(str(player)), quiet.guitar_grid, temperature=1.0)
    assert len(free.step) and all(np.array_equal(a, b) for a, b in zip(given, free, strict=True))


@pytest.mark.parametrize(
    "wishes", [{}, {"seed": 3}, {"temperature": 0.0}, {"daring": 0.5}, {"style": "jazz"}, {"intensity": 0.1}], ids=str
)
def test_what_is_kept_of_a_guitar_is_what_would_be_chosen_anew(wishes: dict[str, Any]) -> None:
    guitar_grid, options = song_of(1, bars=16).guitar_grid, Options(**wishes)
    _ = plan_of(guitar_grid, Options(), FULL)
    plan = make_plan(
        guitar_grid, sections(guitar_grid), chosen(guitar_grid, sections(guitar_grid), options), options, FULL
    )
    assert [groove and groove.name for groove in plan_of(guitar_grid, options, FULL).grooves] == [
        groove and groove.name for groove in plan.grooves
    ]


# --- grooves as players: the song's own come back, a loop holds them, and the best on offer is the neares -------------


SONG = song_of(1, bars=16)


def f1_of(song: Prepared, made) -> float:
    form = song.guitar_grid.form
    trial = trial_of(drums_of(song.drums, form), drums_of(made, form), song.guitar_grid)
    both = (trial.made.hits & trial.real.hits).sum()
    return float(2 * both / (trial.made.hits.sum() + trial.real.hits.sum()))


def test_a_song_has_a_groove_of_its_own_and_one_for_each_of_its_sections() -> None:
    assert list(of_song(SONG)) == [WHOLE]
    letters = {section.letter for section in sections(SONG.guitar_grid)}
    assert letters <= set(of_song(SONG, by_section=True)) - {WHOLE}


def test_what_is_looped_is_the_groove_in_every_bar_in_which_the_guitar_sounds() -> None:
    grooves = of_song(SONG)
    made, form = looped(SONG.guitar_grid, grooves), SONG.guitar_grid.form
    for bar in range(*SONG.guitar_grid.sounding):
        own = form.notes_between(made, bar, bar + 1)
        assert len(own.step) > 0
    assert f1_of(SONG, made) > 0.5
    assert not len(looped(SONG.guitar_grid, {}).step)


def test_a_groove_is_fitted_to_bars_of_another_metre() -> None:
    heard = random_guitar(MIXED, 1)
    made, form = looped(heard, of_song(SONG)), heard.form
    assert made.step.max() < form.first[-1]
    assert set(form.bar_of(made.step).tolist()) == set(range(*heard.sounding))


def test_the_best_groove_on_offer_is_at_least_as_near_as_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    own = of_song(SONG)[WHOLE]
    nothing = Groove(
        "rest", "rest", own.numerator, own.denominator, (own.bars[0].select(np.zeros(0, int)),), None, own.tempo
    )
    monkeypatch.setattr(choosing, "offered", lambda *_: [(nothing, 0.9), (own, 0.1)])
    assert f1_of(SONG, best_offered(SONG, 0)) == f1_of(SONG, looped(SONG.guitar_grid, {WHOLE: own})) > 0
    monkeypatch.setattr(choosing, "offered", lambda *_: [])
    assert not len(best_offered(SONG, 0).step)


def test_the_default_choice_is_looped_and_counted() -> None:
    songs = played_songs()
    assert all(len(chosen_grooves(song, 0).step) for song in songs)
    different, most, times = count(songs)
    assert 1 <= different <= len(songs) and 1 <= times <= len(songs)
    assert most != "none"
    assert count([]) == (0, "none", 0)


def test_only_the_best_on_offer_sees_the_real_drums() -> None:
    assert [player.sees_real for player in groove_players()] == [False, True]
