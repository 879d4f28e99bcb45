"""Grooves as players: the song's own come back, a loop holds them, and the best on offer is the nearest."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.judge import known_bars
from seq2drum.judge.known_bars import best_offered, chosen, count, looped, of_song
from seq2drum.judge.players import groove_players
from seq2drum.judge.trial import trial_of
from seq2drum.lattice.conditions import drums_of
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.sections import sections
from seq2drum.play.asked import WHOLE
from tests.backbeats import played_songs, song_of
from tests.drumming import MIXED, random_guitar

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
    monkeypatch.setattr(known_bars.choosing, "offered", lambda *_: [(nothing, 0.9), (own, 0.1)])
    assert f1_of(SONG, best_offered(SONG, 0)) == f1_of(SONG, looped(SONG.guitar_grid, {WHOLE: own})) > 0
    monkeypatch.setattr(known_bars.choosing, "offered", lambda *_: [])
    assert not len(best_offered(SONG, 0).step)


def test_the_default_choice_is_looped_and_counted() -> None:
    songs = played_songs()
    assert all(len(chosen(song, 0).step) for song in songs)
    different, most, times = count(songs)
    assert 1 <= different <= len(songs) and 1 <= times <= len(songs)
    assert most != "none"
    assert count([]) == (0, "none", 0)


def test_only_the_best_on_offer_sees_the_real_drums() -> None:
    assert [player.sees_real for player in groove_players()] == [False, True]
