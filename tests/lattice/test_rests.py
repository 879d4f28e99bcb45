"""Where nothing of a song sounds, and where the drummer has stopped for it."""

from __future__ import annotations

import numpy as np

from seq2drum.lattice.form import lattice_of
from seq2drum.lattice.gestures import STOPS_AFTER, rests, stopped
from seq2drum.music.notes import Note, Part, Song

BAR = 1920


def song(*bars: int, others: tuple[int, ...] = (), drums: tuple[int, ...] = (), length: int = 0) -> Song:
    """A guitar that plays a quarter in some bars, and other parts that play in others."""
    parts = [Part.of([Note(bar * BAR, 480, 52, 90) for bar in bars], program=27, name="Guitar")]
    parts.append(Part.of([Note(bar * BAR, 480, 40, 90) for bar in others], program=33, name="Bass"))
    parts.append(Part.of([Note(bar * BAR, 480, 36, 90) for bar in drums], is_drums=True))
    return Song(480, tuple(parts), length=length * BAR)


def test_a_bar_rests_if_nothing_but_drums_sounds_in_it() -> None:
    heard = song(1, 5, others=(3,), drums=(2,), length=8)
    assert np.flatnonzero(~rests(heard, lattice_of(heard))).tolist() == [1, 3, 5]


def test_a_note_sounds_in_every_bar_that_it_lasts_in_even_if_it_has_no_length() -> None:
    held = Part.of([Note(BAR // 2, 2 * BAR, 52, 90), Note(5 * BAR, 0, 52, 90)], program=27)
    heard = Song(480, (held,), length=8 * BAR)
    assert np.flatnonzero(~rests(heard, lattice_of(heard))).tolist() == [0, 1, 2, 5]


def test_the_drummer_stops_in_a_rest_that_is_longer_than_any_song_has_and_at_the_end() -> None:
    resting = np.ones(600, dtype=bool)
    resting[[200, 202, 500]] = False
    expected = [*range(STOPS_AFTER, 200), *range(203 + STOPS_AFTER, 500), *range(501, 600)]
    assert np.flatnonzero(stopped(resting)).tolist() == expected


def test_rests_as_long_as_those_of_real_songs_stop_nobody() -> None:
    resting = np.ones(STOPS_AFTER + 2, dtype=bool)
    resting[[0, -1]] = False
    assert not stopped(resting).any()
