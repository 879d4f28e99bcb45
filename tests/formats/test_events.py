"""The events of a track, one by one. What a whole file becomes of them is tried in `test_midi`."""

from __future__ import annotations

import pytest

from seq2drum.errors import MidiError
from seq2drum.formats.midi import events
from seq2drum.formats.midi.events import END_OF_TRACK, Track

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
