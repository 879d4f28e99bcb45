"""Players: what they are asked for, they play."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2drum.errors import UnknownModelError
from seq2drum.judge.players import model_players, play_heard
from seq2drum.lattice.listening import Heard
from seq2drum.music.kit import FULL, KITS
from seq2drum.play import engine
from tests.backbeats import song_of
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
    known, real = (song.heard.form.notes_between(hits, bars.start, bars.stop) for hits in (grid, song.drums))
    assert np.array_equal(known.step, real.step) and np.array_equal(known.key, real.key)


def test_a_model_that_is_not_there_is_said_before_anything_is_played() -> None:
    with pytest.raises(UnknownModelError):
        model_players("nobody")


def test_a_heard_song_without_guitar_can_be_played_to(player: Path) -> None:
    heard = song_of(1, bars=2).heard
    quiet = Heard(heard.form, heard.guitar.select(np.zeros(0, dtype=np.int64)), heard.programs, 1)
    assert len(play_heard(engine.load(str(player)), quiet).step) == 0
