"""Reading and writing MIDI: what comes back, what is mended, what is refused and how it is said."""

# The tables of bytes are easier to read in long lines.
# ruff: noqa: E501

from __future__ import annotations

import errno
import io
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2drum.errors import InputError, LimitError, MidiError, OutputError
from seq2drum.formats.midi import events, midi
from seq2drum.formats.midi.events import END_OF_TRACK, Track
from seq2drum.music.limits import LAST_TICK, Limits
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from seq2drum.system import files
from tests import oracle
from tests.strategies import songs

END = b"\x00\xff\x2f\x00"
NOTE = b"\x00\x90\x3c\x40\x60\x80\x3c\x00"  # middle C for 96 ticks


def header(form: int = 1, tracks: int = 1, division: int = 96) -> bytes:
    return b"MThd\x00\x00\x00\x06" + b"".join(number.to_bytes(2, "big") for number in (form, tracks, division))


def track(*events: bytes, end: bytes = END) -> bytes:
    body = b"".join(events) + end
    return b"MTrk" + len(body).to_bytes(4, "big") + body


def tempo(microseconds: int, delta: bytes = b"\x00") -> bytes:
    return delta + b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


def metre(numerator: int, power: int, delta: bytes = b"\x00") -> bytes:
    return delta + bytes((0xFF, 0x58, 4, numerator, power, 24, 8))


def notes_of(data: bytes) -> list[Note]:
    return [note for part in midi.parse(data).parts for note in part]


# --- read and written again -------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(songs())
def test_what_is_written_is_read_again_as_it_was(song: Song) -> None:
    assert midi.parse(midi.serialise(song)) == song


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(songs(max_parts=3))
def test_the_same_song_gives_the_same_bytes(song: Song) -> None:
    assert midi.serialise(song) == midi.serialise(midi.parse(midi.serialise(song)))


def test_every_sample_song_is_read_and_written_unchanged(sample: list[Path]) -> None:
    assert len(sample) > 30
    for path in sample:
        song = midi.read(path)
        assert midi.parse(midi.serialise(song)) == song, path.name


def test_forty_pitched_parts_keep_their_names_and_programs() -> None:
    parts = tuple(Part.of([Note(n, 10, 60, 64)], program=n, name=f"part {n}") for n in range(40))
    song = Song(480, parts, length=49)
    assert midi.parse(midi.serialise(song)) == song


@pytest.mark.parametrize("count", [*range(16, 34), 100])
@pytest.mark.parametrize("in_middle", [2, 100])
def test_many_events_at_one_tick_keep_their_order(count: int, in_middle: int) -> None:
    before = max(count - in_middle, 0) // 2
    ticks = [0 if n < before else 96 if n < before + in_middle else 192 for n in range(count)]
    tempos = tuple(Tempo(tick, 500_000 + (37 * n) % 101) for n, tick in enumerate(ticks))
    metres = tuple(Metre(tick, 2 + (5 * n) % 11, 4) for n, tick in enumerate(ticks))
    song = Song(96, (Part.of([Note(0, 10, 60, 64)]),), tempos, metres, length=192)
    read = midi.parse(midi.serialise(song))
    assert (read.tempos, read.metres) == (tempos, metres)


def test_tempo_events_of_several_tracks_come_in_the_order_of_the_file() -> None:
    tracks = [track(*(tempo(500_000 + 1000 * k + n) for n in range(30)), NOTE) for k in (1, 0)]
    tempos = midi.parse(header(tracks=2) + b"".join(tracks)).tempos
    assert [event.microseconds - 500_000 for event in tempos] == [*range(1000, 1030), *range(30)]


def test_the_song_is_as_long_as_its_longest_track() -> None:
    assert midi.parse(header() + track(NOTE, end=b"\x81\x40\xff\x2f\x00")).length == 96 + 192


def test_an_end_of_track_one_tick_late_begins_no_new_bar() -> None:
    assert midi.parse(header() + track(NOTE, end=b"\x01\xff\x2f\x00")).length == 96


def test_a_last_tick_that_is_meant_is_kept() -> None:
    song = Song(96, (Part.of([Note(0, 96, 60, 64)]),), (Tempo(96, 500_000),), length=97)
    assert midi.parse(midi.serialise(song)).length == 97


def test_a_silent_song_keeps_its_length_and_maps() -> None:
    song = Song(96, (), (Tempo(0, 400_000),), (Metre(0, 7, 8),), 960)
    assert midi.parse(midi.serialise(song)) == song


def test_notes_that_begin_where_others_end_are_kept_apart() -> None:
    rows = [(0, 10, 60, 1), (10, 10, 60, 2), (20, 0, 60, 3), (20, 5, 60, 4), (20, 5, 61, 5), (25, 0, 61, 6)]
    song = Song(96, (Part.of([Note(*row) for row in rows]),), length=25)
    assert midi.parse(midi.serialise(song)) == song


def test_a_song_too_long_for_a_midi_file_is_refused() -> None:
    with pytest.raises(LimitError, match="268435455"):
        midi.serialise(Song(96, length=LAST_TICK + 1))
    assert midi.serialise(Song(96, length=LAST_TICK))


def test_half_a_surrogate_in_a_name_does_not_stop_the_writer() -> None:
    song = Song(96, (Part.of([Note(0, 10, 60, 64)], name="\udc80x"),))
    assert midi.parse(midi.serialise(song)).parts[0].name == "?x"


# --- leniency: what DAWs read, we read --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("no end of track", header() + track(NOTE, end=b"")),
        ("a chunk of another kind", header() + b"XFIH\x00\x00\x00\x02ab" + track(NOTE)),
        ("a chunk of another kind between tracks", header(tracks=2) + track() + b"junk\x00\x00\x00\x01a" + track(NOTE)),
        ("junk at the end", header() + track(NOTE) + b"\r\n\x1a"),
        ("more tracks declared than there", header(tracks=65_535) + track(NOTE)),
        ("a longer header", b"MThd\x00\x00\x00\x08\x00\x01\x00\x01\x00\x60ab" + track(NOTE)),
        ("format 0", header(form=0) + track(NOTE)),
        ("a RIFF wrapper", b"RIFF\x00\x00\x00\x00RMIDdata\x00\x00\x00\x00" + header() + track(NOTE)),
        ("a RIFF wrapper with an info chunk", b"RIFF\x00\x00\x00\x00RMIDINFO\x00\x00\x00\x00data\x00\x00\x00\x00" + header() + track(NOTE)),
        ("running status behind a meta event", header() + track(b"\x00\x90\x3c\x40\x00\xff\x01\x01a\x60\x3c\x00")),
        ("an undefined key signature", header() + track(b"\x00\xff\x59\x02\x63\x09", NOTE)),
        ("a metre without its last two bytes", header() + track(b"\x00\xff\x58\x02\x04\x02", NOTE)),
        ("a note-on that never ends", header() + track(b"\x00\x90\x30\x40", NOTE)),
        ("a number of more bytes than it needs", header() + track(b"\x80\x80\x00\x90\x3c\x40\x80\x60\x80\x3c\x00")),
    ],
)  # fmt: skip
def test_a_common_slip_of_other_programs_is_accepted(what: str, data: bytes) -> None:
    assert notes_of(data) == [Note(0, 96, 60, 64)]


@pytest.mark.parametrize(
    ("what", "event"),
    [
        ("an escape", b"\x00\xf7\x03abc"),
        ("an escape with a status byte in it", b"\x00\xf7\x03\x90\x3d\x40"),
        ("a system exclusive event", b"\x00\xf0\x03ab\xf7"),
        ("a long system exclusive event", b"\x00\xf0\x81\x01" + b"a" * 128 + b"\xf7"),
        ("a system exclusive event in two parts", b"\x00\xf0\x02ab\x00\xf7\x03ab\xf7"),
        ("a system exclusive event that never ends", b"\x00\xf0\x02ab\x00\xf7\x02ab"),
        ("a song position", b"\x00\xf2\x00\x00"),
        ("a song number", b"\x00\xf3\x00"),
        ("a time code", b"\x00\xf1\x00"),
        ("an undefined status", b"\x00\xf4"),
        ("a tune request", b"\x00\xf6"),
        ("active sensing", b"\x00\xfe"),
    ],
)
def test_system_events_do_not_move_the_notes(what: str, event: bytes) -> None:
    # In front of it stands an escape of no bytes, so that the track is looked at in any case.
    assert notes_of(header() + track(b"\x00\xf7\x00", event, NOTE)) == [Note(0, 96, 60, 64)]
    if event[1] in (0xF0, 0xF4, 0xF6, 0xF7, 0xFE):
        assert notes_of(header() + track(event, NOTE)) == [Note(0, 96, 60, 64)]


def test_running_status_behind_a_system_exclusive_event_is_the_status_before_it() -> None:
    data = header() + track(b"\x00\x90\x3c\x40\x00\xf0\x03ab\xf7\x60\x3c\x00")
    assert notes_of(data) == [Note(0, 96, 60, 64)]


def test_a_byte_f7_in_a_delta_time_is_no_escape() -> None:
    # F7 00 is 15,232 ticks.
    data = header() + track(b"\xf7\x00\x90\x3c\x40\x60\x80\x3c\x00")
    assert notes_of(data) == [Note(15_232, 96, 60, 64)]


def test_a_data_byte_above_127_is_127_unless_repair_is_off() -> None:
    data = header() + track(b"\x00\x90\x3c\x84\x60\x80\x3c\x00")
    assert notes_of(data) == [Note(0, 96, 60, 127)]
    with pytest.raises(MidiError, match=r"track 1, byte 24, tick 0: a data byte is 132"):
        midi.parse(data, repair=False)


def test_names_in_latin_1_keep_their_letters() -> None:
    name = "Guitarra eléctrica"
    for encoding in ("utf-8", "latin-1"):
        raw = name.encode(encoding)
        data = header() + track(b"\x00\xff\x03" + bytes((len(raw),)) + raw, NOTE)
        assert midi.parse(data).parts[0].name == name


def test_tracks_behind_the_declared_ones_are_not_music() -> None:
    data = header(tracks=1) + track(NOTE) + track(b"\x00\x00garbage", end=b"")
    assert notes_of(data) == [Note(0, 96, 60, 64)]


def test_channel_10_is_drums_and_each_program_is_a_part() -> None:
    data = header(form=0) + track(
        b"\x00\xc0\x18\x00\x90\x3c\x40\x60\x80\x3c\x00",  # program 24
        b"\x00\xc0\x1d\x00\x90\x3c\x40\x60\x80\x3c\x00",  # program 29
        b"\x00\x99\x24\x40\x60\x89\x24\x00",  # channel 10
    )
    parts = midi.parse(data).parts
    assert [(part.program, part.is_drums, list(part)) for part in parts] == [
        (24, False, [Note(0, 96, 60, 64)]),
        (29, False, [Note(96, 96, 60, 64)]),
        (0, True, [Note(192, 96, 36, 64)]),
    ]


def test_parts_without_notes_are_left_out() -> None:
    data = header(tracks=2) + track(b"\x00\xff\x03\x01a\x00\xb0\x07\x40") + track(NOTE)
    assert len(midi.parse(data).parts) == 1


# --- contradictions: one named error that says what and where ---------------------------------------------------------


LIES = [
    # (what, bytes, message)
    ("nothing", b"", "not a MIDI file: it is empty"),
    ("text", b"Dear friend", r"not a MIDI file: it begins with 'Dear'"),
    ("a page", b"<html>hello</html>", r"a page of the web, not a MIDI file"),
    ("half a header", header()[:12], r"ends after 12 bytes, within its header"),
    ("a header of 4 bytes", b"MThd\x00\x00\x00\x04\x00\x01\x00\x01\x00\x60" + track(NOTE), r"byte 4.*4 bytes; it needs 6"),
    ("RIFF without a file in it", b"RIFF\x00\x00\x00\x00RMIDdata\x00\x00\x00\x00", r"not a MIDI file"),
    ("RIFF of sound", b"RIFF\x00\x00\x00\x00WAVEfmt ", r"a WAV recording, not a MIDI file"),
    ("a header only", header(), r"no tracks.*byte 10.*declares 1"),
    ("65,535 tracks that are not there", header(tracks=65_535), r"no tracks.*declares 65535"),
    ("no tracks declared", header(tracks=0) + track(NOTE), r"no tracks.*declares 0"),
    ("format 2", header(form=2) + track(NOTE), r"byte 8.*format 2"),
    ("TPQ 0", header(division=0) + track(NOTE), r"byte 12.*0 ticks per quarter"),
    # E7 28: minus 25 frames a second, 40 ticks a frame
    ("SMPTE time", header(division=0xE728) + track(NOTE), r"byte 12.*SMPTE frames \(25 a second\)"),
    ("tempo 0", header() + track(b"\x60\xff\x51\x03\x00\x00\x00", NOTE), r"tempo at tick 96 .* 0 microseconds"),
    ("a tempo of two bytes", header() + track(b"\x60\xff\x51\x02\x07\xa1", NOTE), r"track 1, byte 23, tick 96: a tempo event has 2 bytes"),
    ("metre 0/4", header() + track(metre(0, 2, b"\x60"), NOTE), r"metre at tick 96 is 0/4"),
    ("metre 4/2^8", header() + track(metre(4, 8), NOTE), r"metre at tick 0 is 4/beyond 128"),
    ("metre 4/2^255", header() + track(metre(4, 255), NOTE), r"metre at tick 0 is 4/beyond 128"),
    ("a metre of one byte", header() + track(b"\x00\xff\x58\x01\x04", NOTE), r"track 1, byte 23, tick 0: a metre event has 1 byte"),
    ("endless length bytes", header() + track(b"\xff" * 300_000, end=b""), r"track 1, byte 22, tick 0: a number has more than four"),
    ("five length bytes", header() + track(b"\x81\x81\x81\x81\x00", NOTE), r"track 1, byte 22, tick 0: a number has more than four"),
    ("a number that is cut off", header() + track(NOTE, b"\x81\x81", end=b""), r"track 1, byte 30, tick 96: the track ends within a number"),
    ("a delta time and no event", header() + track(NOTE, b"\x10", end=b""), r"track 1, byte 31, tick 112: the track ends after a delta"),
    ("data without a status", header() + track(b"\x00\x3c\x40"), r"track 1, byte 23, tick 0: data byte 60 stands"),
    ("a meta event longer than its track", header() + track(b"\x00\xff\x01\x7fab"), r"track 1, byte 23, tick 0: .* longer than its track"),
    ("an exclusive event longer than its track", header() + track(b"\x00\xf0\x7fab"), r"track 1, byte 23, tick 0: .* longer than its track"),
    ("a track longer than the file", header() + b"MTrk\x00\x00\x7f\xff" + NOTE, r"track 1 \(byte 14\) says it has 32767 bytes, but the file has 8"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "data", "message"), LIES, ids=[lie[0] for lie in LIES])
def test_a_contradiction_is_refused_with_its_kind_and_its_place(what: str, data: bytes, message: str) -> None:
    before = bytes(data)
    with pytest.raises(MidiError, match=message):
        midi.parse(data)
    assert data == before


def test_a_million_events_are_refused_before_they_are_read() -> None:
    data = header() + track(b"\x00\x90\x3c\x40", b"\x00\x3c\x40" * 1_000_000)
    with pytest.raises(LimitError, match="3000030 bytes; at most 1048576"):
        midi.parse(data)


def notes(count: int) -> bytes:
    return b"\x00\x90\x3c\x40\x00\x3c\x00" + b"\x00\x3c\x40\x00\x3c\x00" * (count - 1)


@pytest.mark.parametrize(
    ("limits", "under", "over", "message"),
    [
        (Limits(file_bytes=34), header() + track(NOTE), header() + track(NOTE) + b"\x00", "35 bytes; at most 34"),
        (Limits(tracks=2), header(tracks=2) + track() + track(NOTE), header(tracks=3) + track() * 2 + track(NOTE), "more than 2 tracks"),
        (Limits(events=10), header() + track(notes(10)), header() + track(notes(11)), "11 events; at most 10"),
        (Limits(tempos=2), header() + track(tempo(5000_00) * 2, NOTE), header() + track(tempo(500_000) * 3, NOTE), "3 tempo events; at most 2"),
        (Limits(metres=2), header() + track(metre(4, 2) * 2, NOTE), header() + track(metre(4, 2) * 3, NOTE), "3 metre events; at most 2"),
        (Limits(quarters=1), header() + track(NOTE), header() + track(NOTE, b"\x02\xb0\x07\x40"), "ends at tick 98"),
        (Limits(seconds=0.5), header() + track(NOTE), header() + track(tempo(500_001), NOTE), "minutes; at most"),
        (Limits(numerator=7), header() + track(metre(7, 3), NOTE), header() + track(metre(8, 3, b"\x05"), NOTE), "metre at tick 5 is 8/8; at most 7/64"),
        (Limits(denominator=8), header() + track(metre(7, 3), NOTE), header() + track(metre(7, 4), NOTE), "metre at tick 0 is 7/16; at most 128/8"),
        (Limits(slowest=60), header() + track(tempo(1_000_000), NOTE), header() + track(tempo(1_000_100, b"\x07"), NOTE), "tempo at tick 7 is 59.99 BPM; 60 to 1000"),
        (Limits(fastest=120), header() + track(tempo(500_000), NOTE), header() + track(tempo(499_000), NOTE), "tempo at tick 0 is 120.24 BPM; 4 to 120"),
    ],
)  # fmt: skip
def test_a_limit_lets_its_own_value_pass_and_the_next_not(
    limits: Limits, under: bytes, over: bytes, message: str
) -> None:
    assert notes_of(under)
    midi.parse(under, limits=limits)
    midi.parse(over)
    with pytest.raises(LimitError, match=message):
        midi.parse(over, limits=limits)


@pytest.mark.parametrize("division", [1, 32_767])
def test_the_smallest_and_the_largest_clock_are_read(division: int) -> None:
    song = midi.parse(header(division=division) + track(NOTE))
    assert song.ticks_per_quarter == division


def test_times_beyond_what_can_be_counted_are_refused() -> None:
    # Each delta time is the largest there is; nine of them overflow 31 bits.
    far = b"\xff\xff\xff\x7f\xb0\x07\x40"
    for count in (2, 8, 9, 15, 17, 40):
        with pytest.raises(LimitError, match="tick"):
            midi.parse(header(division=32_767) + track(far * count, NOTE))
    # Text is not kept, so only the note tells: it would be at tick -16, and 96 ticks later at tick 80.
    with pytest.raises(LimitError, match="beyond what can be counted"):
        midi.parse(header(division=32_767) + track(b"\xff\xff\xff\x7f\xff\x01\x00" * 16, NOTE))


@settings(max_examples=300, deadline=10_000)  # no bytes may hang it
@given(st.binary(max_size=200))
def test_random_events_are_read_or_refused_but_never_crash(events: bytes) -> None:
    try:
        song = midi.parse(header() + track(events))
    except MidiError:
        return
    assert song.length >= 0


def test_changed_bytes_are_read_or_refused_but_never_crash() -> None:
    song = Song(
        96,
        (Part.of([Note(n * 24, 20, 40 + n, 64) for n in range(30)], name="Gitarre"),),
        (Tempo(0, 500_000), Tempo(300, 400_000)),
        (Metre(0, 7, 8),),
        800,
    )
    good = midi.serialise(song)
    chance = random.Random(1)
    read = 0
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            parsed = midi.parse(bytes(data))
        except MidiError:
            continue
        read += 1
        assert parsed.bars()
        for part in parsed.parts:
            assert part.onset.min() >= 0 and part.duration.min() >= 0
            assert part.pitch.min() >= 0 and part.velocity.min() >= 1
            assert 0 <= part.program <= 127
        assert midi.parse(midi.serialise(parsed)) == parsed
    assert 100 < read < 2900


# --- adding drums -----------------------------------------------------------------------------------------------------


DRUMS = Part.of([Note(0, 10, 36, 100), Note(48, 10, 38, 90)], name="Drums", is_drums=True)


def test_drums_are_added_and_the_rest_stays_byte_for_byte() -> None:
    lyric, exclusive = b"\x00\xff\x05\x02la", b"\x00\xf0\x03\x41\x10\xf7"
    first = track(tempo(400_000), lyric, exclusive, b"\x00\xb0\x07\x40\x00\xe0\x01\x02", NOTE)
    data = midi.with_drums(header() + first, DRUMS)
    assert data.startswith(header(tracks=2) + first.replace(b"\x60\x80\x3c", b"\x60\x80\x3c"))
    song = midi.parse(data)
    assert [part.is_drums for part in song.parts] == [False, True]
    assert song.parts[1] == DRUMS


def test_drums_that_were_there_are_replaced() -> None:
    old = track(b"\x00\xff\x03\x04Kit1\x00\xb9\x07\x40\x00\x99\x24\x40\x60\x24\x00")
    data = midi.with_drums(header(tracks=2) + track(tempo(400_000), NOTE) + old, DRUMS)
    assert b"Kit1" not in data
    assert [part for part in midi.parse(data).parts if part.is_drums] == [DRUMS]


def test_the_pedal_of_a_hat_is_read_and_written_before_the_hits_of_its_tick() -> None:
    pedalled = replace(DRUMS, pedal=np.array([[0, 90], [48, 64]]))
    song = Song(48, (pedalled,), length=58)
    data = midi.serialise(song)
    assert midi.parse(data) == song != replace(song, parts=(DRUMS,))
    assert data.index(b"\xb9\x04\x40") < data.index(b"\x99\x26\x5a")
    other = track(b"\x00\xb0\x04\x40" + NOTE)
    assert len(midi.parse(header() + other).parts[0].pedal) == 0, "of drums alone"


def test_the_pedal_of_the_drums_that_were_there_goes_with_them() -> None:
    old = track(b"\x00\xb9\x07\x40\x00\xb9\x04\x11\x00\x99\x24\x40\x60\x24\x00\x00\xb0\x04\x12" + NOTE)
    pedalled = replace(DRUMS, pedal=np.array([[0, 90]]))
    data = midi.with_drums(header() + old, pedalled)
    assert (b"\xb9\x04\x11" in data, b"\xb9\x07\x40" in data, b"\xb0\x04\x12" in data) == (False, True, True)
    assert [part for part in midi.parse(data).parts if part.is_drums] == [pedalled]


def test_drums_are_taken_out_of_a_track_that_has_other_channels_too() -> None:
    mixed = track(b"\x00\x90\x3c\x40\x10\x99\x24\x40\x10\x24\x00\x10\xc9\x05\x30\x80\x3c\x00")
    song = midi.parse(midi.with_drums(header(form=0) + mixed, DRUMS))
    assert [list(part) for part in song.parts] == [[Note(0, 96, 60, 64)], list(DRUMS)]


@pytest.mark.slow
def test_the_sample_songs_keep_all_but_their_drums(sample: list[Path]) -> None:
    for path in sample:
        data = path.read_bytes()
        before, after = midi.parse(data), midi.parse(midi.with_drums(data, DRUMS))
        assert [part for part in after.parts if not part.is_drums] == [
            part for part in before.parts if not part.is_drums
        ]
        assert [part for part in after.parts if part.is_drums] == [DRUMS]
        assert (after.tempos, after.metres) == (before.tempos, before.metres), path.name


def test_drums_are_not_added_to_a_file_that_cannot_be_read() -> None:
    with pytest.raises(MidiError, match="0 microseconds"):
        midi.with_drums(header() + track(tempo(0), NOTE), DRUMS)


def test_a_file_of_a_megabyte_of_events_is_answered_within_seconds() -> None:
    # The slowest known: an escape and a name in Latin-1 make the walker look at every event, twice.
    events = b"\x00\xff\x03\x01\xe9\x00\xf7\x00\x00\xc0\x3c" + b"\x00\x3c" * 500_000
    before = time.process_time()
    midi.parse(header() + track(events))
    assert time.process_time() - before < 3.0


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mid does not exist"):
        midi.read(tmp_path / "none.mid")


def test_a_folder_is_no_midi_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        midi.read(tmp_path)


def test_an_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"song\.mid cannot be read \(Permission denied\)"):
        midi.read(tmp_path / "song.mid")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    path.write_bytes(header(division=0) + track(NOTE))
    with pytest.raises(MidiError, match=r"song\.mid: the header"):
        midi.read(path)
    with pytest.raises(LimitError, match=r"song\.mid is larger than 20 bytes"):
        midi.read(path, limits=Limits(file_bytes=20))


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.mid"
    files.write_file(path, b"new", overwrite=False)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert path.stat().st_mode == plain.stat().st_mode


def test_an_existing_file_is_overwritten_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "out.mid"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"):
        files.write_file(path, b"new", overwrite=False)
    assert path.read_bytes() == b"old"
    files.write_file(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.mid"
    path.write_bytes(b"old")

    def full(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class FullFile(io.BytesIO):
        write = full

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif step == "replace":
        monkeypatch.setattr(Path, "replace", full)
    else:
        monkeypatch.setattr(Path, "open", lambda *_: FullFile())
    with pytest.raises(OutputError, match=r"out\.mid could not be written \(No space left on device\)"):
        files.write_file(path, b"new", overwrite=True)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process with a limit of its own")
def test_a_limit_of_the_system_on_file_size_leaves_the_old_file(tmp_path: Path) -> None:
    import resource
    import signal

    path = tmp_path / "out.mid"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OutputError, match="File too large"):
            files.write_file(path, bytes(10_000), overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_without_links_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    files.write_file(tmp_path / "out.mid", b"new", overwrite=False)
    assert (tmp_path / "out.mid").read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_made_meanwhile_by_another_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.mid"
    monkeypatch.setattr(os, "fsync", lambda _: path.write_bytes(b"theirs"))
    with pytest.raises(OutputError, match="exists already"):
        files.write_file(path, b"ours", overwrite=False)
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere does not exist"):
        files.write_file(tmp_path / "nowhere" / "out.mid", b"new", overwrite=False)


def test_a_folder_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        files.write_file(tmp_path, b"new", overwrite=True)


# --- symusic stays what it is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", "import symusic; "])
@pytest.mark.parametrize("after", ["import symusic", "import symusic.core", "from symusic import Score"])
def test_who_imports_symusic_before_or_after_midi_gets_all_of_it(before: str, after: str) -> None:
    code = (
        f"{before}from seq2drum.formats.midi import midi; {after}; import symusic; score = symusic.Score(480);"
        "assert type(score) is symusic.core.ScoreTick is midi.SYMUSIC.ScoreTick; import symusic.soundfont;"
        "print(symusic.__version__[:3], symusic.Soundfont is symusic.soundfont.Soundfont)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("0.6 True\n", "")


# --- events of tracks -------------------------------------------------------------------------------------------------


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
