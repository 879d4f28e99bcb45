"""Guitar and drums side by side, from one song or from two; a count-in and a click."""

from __future__ import annotations

import pytest

from seq2drum.errors import InputError, NoGuitarError, NoNotesError, PartNotFoundError
from seq2drum.music import drum_maps, duet
from seq2drum.music.duet import click, counted_in
from seq2drum.music.notes import Marker, Metre, Note, Part, Song, Tempo

GUITAR = Part.of([Note(0, 480, 52, 90), Note(960, 480, 55, 80)], program=27, name="Guitar")
SILENT = Part.of([], program=26, name="Silent")
PIANO = Part.of([Note(0, 480, 60, 90)], program=0, name="Piano")
ORGAN = Part.of([Note(0, 480, 60, 90)], program=19, name="Organ")
KIT = Part.of([Note(0, 60, 36, 100), Note(960, 60, 38, 90)], name="Kit", is_drums=True)
OTHER = Part.of([Note(480, 60, 42, 70)], name="Other Kit", is_drums=True)


def test_a_duet_has_the_guitars_and_all_drums_of_a_song() -> None:
    both = duet.of_songs([Song(480, (PIANO, GUITAR, KIT, OTHER), length=7680)])
    assert both.guitars == (GUITAR,)
    assert both.drums.rows.tolist() == [[0, 60, 36, 100], [480, 60, 42, 70], [960, 60, 38, 90]]
    assert both.drums.is_drums
    assert both.drums.name == "Kit"
    assert both.song.end == 7680


def test_drums_of_a_second_song_go_before_those_of_the_first_and_come_in_its_ticks() -> None:
    leader = Song(480, (GUITAR, KIT), (Tempo(0, 600_000),), length=3840)
    second = Song(96, (Part.of([Note(96, 12, 42, 70), Note(970, 12, 38, 80)], is_drums=True),), length=1000)
    both = duet.of_songs([leader, second])
    assert both.drums.rows.tolist() == [[480, 60, 42, 70], [4850, 60, 38, 80]]
    assert both.song.tempos == leader.tempos
    assert both.song.ticks_per_quarter == 480
    assert both.song.end == 4910  # the drums end after the guitar


def test_the_song_with_the_guitar_leads_wherever_it_stands() -> None:
    leader, drums = Song(480, (GUITAR,), length=3840), Song(96, (OTHER,), length=960)
    for songs in ([leader, drums], [drums, leader]):
        both = duet.of_songs(songs)
        assert both.guitars == (GUITAR,)
        assert both.song.ticks_per_quarter == 480
        assert both.drums.onset.tolist() == [2400]


def test_a_guitar_alone_has_drums_without_notes_and_drums_alone_have_no_guitar() -> None:
    both = duet.of_songs([Song(480, (GUITAR,), length=3840)])
    assert (both.guitars, len(both.drums), both.drums.is_drums) == ((GUITAR,), 0, True)
    both = duet.of_songs([Song(480, (KIT,), length=3840)])
    assert (both.guitars, len(both.drums)) == ((), 2)
    both = duet.of_songs([Song(480, (PIANO, ORGAN, KIT), length=3840)])  # which of them, nobody knows
    assert (both.guitars, len(both.drums)) == ((), 2)


def test_a_track_is_looked_for_where_it_can_be() -> None:
    song, drums = Song(480, (PIANO, GUITAR, SILENT), length=3840), Song(480, (KIT,), length=3840)
    for songs in ([song, drums], [drums, song]):
        assert duet.of_songs(songs, track="piano").guitars == (PIANO,)
        with pytest.raises(PartNotFoundError, match="banjo"):
            duet.of_songs(songs, track="banjo")
        with pytest.raises(NoNotesError, match="has no notes"):
            duet.of_songs(songs, track="silent")


def test_a_drum_map_is_read() -> None:
    both = duet.of_songs([Song(480, (OTHER,))], drum_map=drum_maps.load("gm"))
    assert both.drums.pitch.tolist() == [42]
    mine = drum_maps.DrumMap("mine", tuple((42,) if notes[0] == 36 else notes for notes in _notes()))
    assert duet.of_songs([Song(480, (OTHER,))], drum_map=mine).drums.pitch.tolist() == [36]


def _notes() -> list[tuple[int, ...]]:
    return list(drum_maps.load("gm").notes)


def test_without_guitar_and_drums_there_is_nothing_to_put_side_by_side() -> None:
    with pytest.raises(NoGuitarError):
        duet.of_songs([Song(480, (PIANO, ORGAN), length=3840)])
    with pytest.raises(NoNotesError):
        duet.of_songs([Song(480, (SILENT,), length=3840)])
    with pytest.raises(InputError, match="no song"):
        duet.of_songs([])


# --- A count-in and a click: where beats are, and what moves ----------------------------------------------------------


STRUMMED = Part.of([Note(0, 240, 52, 90), Note(1920, 240, 55, 90)], program=27)


def test_a_song_moves_back_by_whole_bars_with_its_tempos_metres_and_markers() -> None:
    song = Song(
        480,
        (STRUMMED,),
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
    moved = counted_in(Song(480, (STRUMMED,)), 1).song
    assert moved.markers == (Marker(0, "Count-in"), Marker(1920, "Bar 1"))


def test_a_pickup_is_counted_in_by_a_bar_of_the_metre_behind_it() -> None:
    song = Song(480, (STRUMMED,), (), (Metre(0, 1, 4), Metre(480, 3, 4)), 480 + 4 * 1440)
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
