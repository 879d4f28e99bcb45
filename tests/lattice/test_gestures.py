"""Entrances, stops, last chords and rests of a band."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from seq2drum.lattice.form import Form, lattice_of
from seq2drum.lattice.gestures import (
    STOPS_AFTER,
    Entrance,
    LastChord,
    Stop,
    entrance,
    is_swung,
    last_chord,
    rests,
    stopped,
    stops,
)
from seq2drum.lattice.grid import Grid
from seq2drum.music.notes import Note, Part, Song

QUARTER = 24  # of the unit of lengths


def form(*steps: int) -> Form:
    """Bars of so many steps."""
    count = np.array(steps)
    return Form(count, count // 6, np.full(len(steps), 4), np.full(len(steps), 120.0))


def notes(*strokes: tuple[int, float], chord: int = 3) -> Grid:
    """Chords of (step, quarters)."""
    step, length = np.array([stroke for stroke in strokes for _ in range(chord)]).T
    one = np.ones(len(step), dtype=np.int64)
    return Grid(step.astype(np.int64), 60 * one, 90 * one, 0 * one, (length * QUARTER).astype(np.int64))


def riff(bars: Sequence[int]) -> list[tuple[int, float]]:
    """Eighths in some bars of 4/4."""
    return [(24 * bar + place, 0.4) for bar in bars for place in range(0, 24, 3)]


def test_a_song_that_begins_on_or_near_the_one_has_its_downbeat_there() -> None:
    assert entrance(notes(*riff([0, 1])), form(24, 24)) == Entrance(0, 0, 0)
    assert entrance(notes((27, 1), *riff([2])), form(24, 24, 24)) == Entrance(1, 3, 1)


@pytest.mark.parametrize(("bars", "first", "place"), [((24, 24), 18, 18), ((6, 24), 0, 0), ((24, 24), 6, 6)])
def test_notes_late_in_the_first_bar_and_a_short_first_bar_are_a_pickup(bars, first, place) -> None:
    assert entrance(notes((first, 0.4), (bars[0], 1)), form(*bars)) == Entrance(0, place, 1)


@pytest.mark.parametrize("places", [(6, 18), (9, 21), (6, 9, 18, 21)], ids=["two and four", "offbeats", "both"])
def test_chords_that_leave_out_the_one_in_every_bar_are_no_pickup(places) -> None:
    skank = [(24 * bar + place, 0.5) for bar in range(8) for place in places]
    assert entrance(notes(*skank), form(*[24] * 8)) == Entrance(0, places[0], 0)


@pytest.mark.parametrize(
    "later",
    [
        [(24 * bar + place, 0.4) for bar in range(1, 8) for place in (6, 18)],
        [(24 * bar + 21, 3.9) for bar in range(1, 8)],
        [*riff(range(1, 8))],
        [*riff(range(1, 6)), (24 * 6 + 18, 0.4), (24 * 7 + 18, 0.4)],
    ],
    ids=["before a skank", "before chords that are pushed", "before a riff", "that comes back twice"],
)
def test_notes_that_come_later_in_the_first_bar_than_in_most_others_are_a_pickup(later) -> None:
    assert entrance(notes((18, 0.4), (21, 0.4), *later), form(*[24] * 8)) == Entrance(0, 18, 1)


def test_without_notes_nothing_begins_stops_or_ends() -> None:
    empty, bars = Grid.join([]), form(24)
    assert (entrance(empty, bars), stops(empty, bars), last_chord(empty, bars)) == (None, (), None)


def test_all_stop_after_a_chord_that_half_a_bar_of_silence_follows() -> None:
    song = notes(*riff(range(8)), (192, 0.5), *riff(range(9, 16)))
    assert stops(song, form(*[24] * 16)) == (Stop(192, 216),)


def test_who_comes_back_a_little_after_the_one_is_back_on_the_one() -> None:
    song = notes(*riff(range(8)), (192, 0.5), *riff(range(9, 16))[1:])
    assert stops(song, form(*[24] * 16)) == (Stop(192, 216),)
    song = notes(*riff(range(8)), (192, 0.5), (210, 0.4), *riff(range(9, 16)))
    assert stops(song, form(*[24] * 16)) == (Stop(192, 210),)


@pytest.mark.parametrize(
    "strokes",
    [
        [(24 * bar, 0.5) for bar in range(16)],  # a chord a bar is the riff
        [*riff(range(4)), (96, 0.5), *riff(range(8, 16))],  # through four bars of rest drums go on
        [*riff(range(8)), (192, 3.9), *riff(range(9, 16))],  # a chord that is held
        [*riff(range(8)), (195, 0.5), *riff(range(9, 16))],  # not on a beat
    ],
    ids=["usual", "long", "held", "off the beat"],
)
def test_a_usual_rest_a_long_one_a_held_chord_and_one_off_the_beat_are_no_stops(strokes) -> None:
    assert stops(notes(*strokes), form(*[24] * 16)) == ()


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ([(168, 4)], LastChord(168, True)),
        ([(168, 0.3)], LastChord(168, False)),
        ([(168, 1), (180, 0.3)], LastChord(180, False)),
        ([(168, 4), (180, 2)], LastChord(168, True)),
        ([*riff([7])[:4], (180, 2)], LastChord(180, True)),
        (riff([7]), None),
    ],
    ids=["rings", "short", "a stab on three", "held below another note", "after half a bar of the riff", "a loop"],
)
def test_a_song_ends_with_a_chord_after_which_it_does_not_go_on(last, expected) -> None:
    assert last_chord(notes(*riff(range(7)), *last), form(*[24] * 8)) == expected


def test_chords_on_every_third_beat_of_a_waltz_are_no_ending() -> None:
    song = notes(*[(18 * bar + place, 0.9) for bar in range(8) for place in (0, 6, 12)])
    assert last_chord(song, form(*[18] * 8)) is None


def test_swung_is_what_has_more_third_triplets_than_second_eighths() -> None:
    bars = form(24)
    assert is_swung(notes((0, 1), (4, 1), (6, 1), (10, 1), (15, 1)), bars)
    assert not is_swung(notes(*riff([0])), bars)


# --- where nothing of a song sounds, and where the drummer has stopped for it -----------------------------------------


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
