"""Guitar and drums side by side, from one song or from two."""

from __future__ import annotations

import pytest

from seq2drum.errors import InputError, NoGuitarError, NoNotesError, PartNotFoundError
from seq2drum.music import drum_maps, duet
from seq2drum.music.notes import Note, Part, Song, Tempo

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
