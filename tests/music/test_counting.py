"""A count-in and a click: where beats are, and what moves."""

from __future__ import annotations

import pytest

from seq2drum.music import duet
from seq2drum.music.duet import click, counted_in
from seq2drum.music.notes import Marker, Metre, Note, Part, Song, Tempo

GUITAR = Part.of([Note(0, 240, 52, 90), Note(1920, 240, 55, 90)], program=27)


def test_a_song_moves_back_by_whole_bars_with_its_tempos_metres_and_markers() -> None:
    song = Song(
        480,
        (GUITAR,),
        (Tempo(0, 400_000), Tempo(1920, 500_000)),
        (Metre(0, 4, 4), Metre(1920, 3, 4)),
        3360,
        (Marker(0, "Intro"), Marker(1920, "Verse")),
    )
    counted = counted_in(song, 2)
    moved = counted.song
    assert counted.shift == 3840
    assert moved.tempos == (Tempo(0, 400_000), Tempo(5760, 500_000))
    assert moved.metres == (Metre(0, 4, 4), Metre(5760, 3, 4))
    assert moved.markers == (Marker(0, "Count-in"), Marker(3840, "Intro"), Marker(5760, "Verse"))
    assert moved.parts[0].onset.tolist() == [3840, 5760]
    assert [bar.length for bar in moved.bars()] == [1920, 1920, *(bar.length for bar in song.bars())]
    assert moved.seconds(3840) == pytest.approx(3.2)
    assert [hit.onset for hit in counted.hits] == list(range(0, 3840, 480))
    assert [hit.velocity > 100 for hit in counted.hits] == [True, False, False, False] * 2


def test_a_song_without_a_marker_at_its_beginning_gets_one_that_says_where_bar_1_is() -> None:
    moved = counted_in(Song(480, (GUITAR,)), 1).song
    assert moved.markers == (Marker(0, "Count-in"), Marker(1920, "Bar 1"))


def test_a_pickup_is_counted_in_by_a_bar_of_the_metre_behind_it() -> None:
    song = Song(480, (GUITAR,), (), (Metre(0, 1, 4), Metre(480, 3, 4)), 480 + 4 * 1440)
    counted = counted_in(song, 1)
    assert (counted.shift, len(counted.hits)) == (1440, 3)
    assert [bar.length for bar in counted.song.bars()] == [1440, 480, *[1440] * 4]


@pytest.mark.parametrize(
    ("metre", "beats"),
    [
        ((4, 4), [0, 480, 960, 1440]),
        ((6, 8), [0, 720]),
        ((7, 8), [0, 480, 960]),
        ((3, 8), [0, 240, 480]),
        ((2, 2), [0, 960]),
    ],
)
def test_beats_are_those_that_a_drummer_counts(metre: tuple[int, int], beats: list[int]) -> None:
    length = 1920 * metre[0] // metre[1]
    hits = click(Song(480, (), (), (Metre(0, *metre),), length))
    assert hits.onset.tolist() == beats
    assert (hits.velocity == 120).tolist() == [True] + [False] * (len(beats) - 1)
    assert hits.name == duet.CLICK_NAME
