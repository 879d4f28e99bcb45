"""The events of a track, mended where symusic misreads them, and music21's reader as a second opinion."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2drum.errors import MidiError
from seq2drum.formats.midi import events, midi
from seq2drum.formats.midi.events import END_OF_TRACK, Track
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from tests import oracle

NOTE_ON, NOTE_OFF = b"\x00\x99\x24\x50", b"\x60\x24\x00"


def test_events_have_their_ticks_and_the_status_that_holds() -> None:
    track = Track(1, 22, NOTE_ON + NOTE_OFF + b"\x00" + END_OF_TRACK)
    seen = [(event.tick, event.status, track.events[event.data : event.end]) for event in events.walk(track)]
    assert seen == [(0, 0x99, b"\x24\x50"), (96, 0x99, b"\x24\x00"), (96, 0xFF, b"")]


def test_nothing_behind_the_end_of_track_is_an_event() -> None:
    track = Track(1, 22, b"\x00" + END_OF_TRACK + NOTE_ON)
    assert len(list(events.walk(track))) == 1


def test_damage_is_named_with_its_track_its_place_in_the_file_and_its_tick() -> None:
    with pytest.raises(MidiError, match="track 3, byte 105, tick 96: data byte 36 stands where"):
        list(events.walk(Track(3, 100, b"\x60\xff\x01\x00" + b"\x00\x24\x50")))


def test_tracks_that_are_joined_are_split_again() -> None:
    tracks = [b"\x00" + END_OF_TRACK, NOTE_ON + b"\x00" + END_OF_TRACK]
    data = events.joined(480, tracks)
    assert [track.events for track in events.split(data, 14)] == tracks


def test_a_track_without_its_drums_keeps_the_other_channels_and_their_ticks() -> None:
    guitar = b"\x30\x90\x40\x50"
    track = Track(2, 22, NOTE_ON + guitar + NOTE_OFF.replace(b"\x24", b"\x40") + b"\x00" + END_OF_TRACK)
    without = events.without_drums(track)
    assert without is not None
    kept = [(event.tick, event.status) for event in events.walk(Track(2, 22, without))]
    assert kept == [(48, 0x90), (144, 0x90), (144, 0xFF)]


def test_a_later_track_of_drums_alone_is_left_out_and_the_first_track_stays() -> None:
    drums = NOTE_ON + b"\x00" + END_OF_TRACK
    assert events.without_drums(Track(2, 22, drums)) is None
    assert events.without_drums(Track(1, 22, drums)) == b"\x00" + END_OF_TRACK


# --- what symusic reads wrongly is put right. Whole files are tried in `test_midi` and `test_mutants` -----------------


NAMED = b"\x00\xff\x03\x04caf\xe9" + b"\x00\xff\x06\x80\x02\xe9t" + b"\x00\xf0\x03\x01\x02\xf7" + NOTE_ON
TEMPO = b"\x81\x00\xff\x51\x03\xff\x03\x01"  # with bytes that look like a name


@pytest.mark.parametrize("between", [b"", b"\x00\xf0\x02\x01\x02", b"\x00\xf7\x02\x90\x40", b"\x00\xff\x2f\x01\x00"])
def test_names_are_mended_alike_whether_their_track_is_walked_through_or_not(between: bytes) -> None:
    track = Track(1, 22, NAMED + NOTE_OFF + TEMPO + between + NAMED + b"\x00" + END_OF_TRACK)
    mended = midi.with_plain_text(track)
    assert mended == midi.mended(track) != track
    assert mended.events.count("café".encode()) == (1 if between.startswith(b"\x00\xff") else 2)


# --- music21's low-level reader as a second opinion on ours -----------------------------------------------------------


SONG = Song(
    480,
    (Part.of([Note(0, 480, 60, 64), Note(480, 0, 60, 64)]), Part.of([Note(240, 10, 36, 100)], is_drums=True)),
    (Tempo(0, 400_000),),
    (Metre(0, 7, 8),),
    960,
)


@pytest.mark.slow
def test_both_readers_agree_on_every_sample_song(sample: list[Path]) -> None:
    pytest.importorskip("music21")
    for path in sample:
        assert oracle.compare(path.read_bytes()) == [oracle.AGREE], path.name


def test_both_readers_agree_on_what_we_write() -> None:
    pytest.importorskip("music21")
    assert oracle.compare(midi.serialise(SONG)) == [oracle.AGREE]


def test_the_oracle_sees_a_wrong_note_a_wrong_tempo_and_a_wrong_metre() -> None:
    right = oracle.ours(SONG)
    assert oracle.reasons(right, right) == []
    wrong = oracle.Contents(96, right.notes[1:], (), ((0, 3, 4),))
    assert [reason.split(":")[0] for reason in oracle.reasons(wrong, right)] == [
        "ticks per quarter",
        "notes",
        "tempos",
        "metres",
    ]
