"""The bytes of a MIDI file: chunks, tracks and events, read and written without a library.

symusic reads and writes the notes (see `midi`); it is fast and exact, but trusts a file that contradicts itself. So
`read_tracks` checks size, header and chunks before symusic sees them. `walk` gives the events of a track one by one,
with their ticks. It takes some 20 times as long as symusic for the same track, so it runs only on tracks that need
it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from seq2drum.errors import LimitError, MidiError
from seq2drum.formats import foreign
from seq2drum.music.limits import Limits
from seq2drum.music.notes import Marker, Metre, Tempo

END_OF_TRACK = b"\xff\x2f\x00"

NAME, MARKING, END, TEMPO, METRE = 0x03, 0x06, 0x2F, 0x51, 0x58  # types of meta events
DRUM_CHANNEL = 9  # channel 10, counted from 0
LEAST_BYTES = 2  # of an event: a delta time, and a data byte in running status
PEDAL = 4  # the controller that is the pedal of a hi-hat
_HEADER = struct.Struct(">4sIHHH")  # kind, size, format, number of tracks, ticks of a quarter
_CHUNK = struct.Struct(">4sI")  # its kind and its size


class Header(NamedTuple):
    """The header chunk: its place, its size in bytes, the number of tracks, and the clock."""

    start: int
    size: int
    tracks: int
    ticks_per_quarter: int


class Track(NamedTuple):
    """One MTrk chunk: its number from 1, the place of its first event in the file, and its events' bytes."""

    number: int
    at: int
    events: bytes


class Event(NamedTuple):
    """One event of a track: its tick, where its delta time, body and successor begin, status byte and data's place.

    `status` is the one in effect, written or running; for a meta event `data` is behind type and length.
    """

    tick: int
    start: int
    body: int
    end: int
    status: int
    data: int


# --- chunks -----------------------------------------------------------------------------------------------------------


def read_tracks(data: bytes, limits: Limits) -> tuple[int, list[Track]]:
    """Check size and header of a file, and cut it into its tracks: (ticks per quarter, tracks).

    Tracks beyond the declared number are left out: some programs store private data there. Headers that declare too
    many tracks are a common and harmless error.

    Raises:
        LimitError: the file has more bytes or tracks than the limits allow.
        MidiError: not a MIDI file, one of an unsupported format, or a damaged one.
    """
    if len(data) > limits.file_bytes:
        raise LimitError(f"the file has {len(data)} bytes; at most {limits.file_bytes} are read")
    header = _header(data)
    tracks = split(data, header.start + 8 + header.size, min(header.tracks, limits.tracks + 1))
    if not tracks:
        declared = f"its header (byte {header.start + 10}) declares {header.tracks}"
        raise MidiError(f"the file has no tracks; {declared}; export it again")
    if len(tracks) > limits.tracks:
        raise LimitError(
            f"the file has more than {limits.tracks} tracks (its header says {header.tracks}), the most that are read"
        )
    return header.ticks_per_quarter, tracks


def _header(data: bytes) -> Header:
    # A RIFF wrapper is a 12-byte header and chunks, of which the one called "data" is the MIDI file.
    start = 0
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        start = data.find(b"data", 12) + 8
    if not data:
        raise MidiError("this is not a MIDI file: it is empty; export it again")
    if data[start : start + 4] != b"MThd":
        if kind := foreign.recognised(data):
            raise MidiError(str(kind))
        raise MidiError(f"this is not a MIDI file: it begins with {foreign.beginning(data)}, not with 'MThd'")
    if len(data) < start + 14:
        raise MidiError(f"the file ends after {len(data)} bytes, within its header; export it again")
    size = int.from_bytes(data[start + 4 : start + 8], "big")
    form, tracks, division = (int.from_bytes(data[at : at + 2], "big") for at in range(start + 8, start + 14, 2))
    if size < 6:
        raise MidiError(f"the header (byte {start + 4}) says it has {size} bytes; it needs 6")
    if form > 1:
        raise MidiError(
            f"the header (byte {start + 8}) says format {form}; 0 (one track) and 1 (tracks together) are read."
            " Save the song as format 1"
        )
    if division >= 0x8000:
        raise MidiError(
            f"the header (byte {start + 12}) counts time in SMPTE frames ({256 - (division >> 8)} a second);"
            " save the file with ticks per quarter"
        )
    if division == 0:
        raise MidiError(f"the header (byte {start + 12}) says 0 ticks per quarter; 1 to 32767 are possible")
    return Header(start, size, tracks, division)


def split(data: bytes, at: int, most: int | None = None) -> list[Track]:
    """The tracks from byte `at` on. Chunks of other kinds are skipped, as the standard requires; so is junk at the end.

    most: the number of tracks to read; later ones are ignored.
    """
    tracks: list[Track] = []
    last = len(data) - 8
    while at <= last and len(tracks) != most:
        kind, size = _CHUNK.unpack_from(data, at)
        begin = at + 8
        at = begin + size
        if kind == b"MTrk":
            number = len(tracks) + 1
            if at > len(data):
                raise MidiError(
                    f"track {number} (byte {begin - 8}) says it has {size} bytes, but the file has"
                    f" {len(data) - begin} left: it is cut off or damaged; export it again"
                )
            tracks.append(Track(number, begin, data[begin:at]))
    return tracks


def joined(ticks_per_quarter: int, tracks: Sequence[bytes]) -> bytes:
    """The bytes of a file of format 1 whose tracks have these events."""
    header = _HEADER.pack(b"MThd", 6, 1, len(tracks), ticks_per_quarter)
    return header + b"".join(_CHUNK.pack(b"MTrk", len(events)) + events for events in tracks)


# --- events -----------------------------------------------------------------------------------------------------------


def walk(track: Track) -> Iterator[Event]:
    """The events of a track with their ticks, up to and including the end of track.

    Strict about structure, not about values: it stops at the first byte that cannot be read.

    Raises:
        MidiError: the track is damaged there.
    """
    events, stop = track.events, len(track.events)
    at = tick = running = 0
    while at < stop:
        # 1. The delta time.
        start = at
        delta, body = _number(track, at, tick)
        tick += delta
        if body >= stop:
            raise damage(track, body, tick, "the track ends after a delta time")
        # 2. The status byte: written, or the last one (running status).
        status = events[body]
        data = body + 1
        if status < 0x80:
            if not running:
                raise damage(track, body, tick, f"data byte {status} stands where a status byte should be")
            status, data = running, body
        # 3. The length of the event, by its status.
        if status < 0xF0:
            running = status
            end = data + (1 if 0xC0 <= status < 0xE0 else 2)
        elif status in (0xF0, 0xF7):
            size, data = _number(track, data, tick)
            end = data + size
        elif status == 0xFF:
            size, data = _number(track, data + 1, tick)
            end = data + size
        else:
            end = data + {0xF1: 1, 0xF2: 2, 0xF3: 1}.get(status, 0)
        if end > stop:
            excess = f"an event (status {status:#04x}) says it is {end - stop} bytes longer than its track"
            raise damage(track, body, tick, excess)
        yield Event(tick, start, body, end, status, data)
        if status == 0xFF and events[body + 1] == END:
            return
        at = end


def _number(track: Track, at: int, tick: int) -> tuple[int, int]:
    """A variable-length number at byte `at` of the track, and the place behind it."""
    value = 0
    for place in range(at, min(at + 4, len(track.events))):
        byte = track.events[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    if at + 4 > len(track.events):
        raise damage(track, at, tick, "the track ends within a number")
    raise damage(track, at, tick, "a number has more than four bytes")


def damage(track: Track, at: int, tick: int, what: str) -> MidiError:
    """The error of damage at byte `at` of a track's events."""
    return MidiError(f"track {track.number}, byte {track.at + at}, tick {tick}: {what}; the file is damaged")


def variable_length(value: int) -> bytes:
    """A number in MIDI's variable-length form: seven bits a byte, all but the last with the high bit set."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))


def with_length(data: bytes) -> bytes:
    """The bytes behind their number in variable-length form, as in a meta event."""
    return variable_length(len(data)) + data


# --- tempo and metre --------------------------------------------------------------------------------------------------


def maps(tracks: Iterable[Track]) -> tuple[tuple[Tempo, ...], tuple[Metre, ...]]:
    """Tempo and metre events in the order of ticks, and at one tick in the order of the file."""
    tempos: list[Tempo] = []
    metres: list[Metre] = []
    for track in tracks:
        if b"\xff\x51" not in track.events and b"\xff\x58" not in track.events:
            continue
        for event in walk(track):
            if event.status != 0xFF:
                continue
            kind, data = track.events[event.body + 1], track.events[event.data : event.end]
            if kind == TEMPO:
                tempos.append(Tempo(event.tick, int.from_bytes(data, "big")))
            elif kind == METRE:
                metres.append(Metre(event.tick, data[0], 1 << data[1] if data[1] < 8 else 0))
    return tuple(sorted(tempos, key=lambda tempo: tempo.tick)), tuple(sorted(metres, key=lambda metre: metre.tick))


def map_track(tempos: Iterable[Tempo], metres: Iterable[Metre], markers: Iterable[Marker], end: int) -> bytes:
    """The events of a track of tempo and metre events and markers; its end of track is at tick `end`."""
    events = [
        (metre.tick, bytes((0xFF, 0x58, 4, metre.numerator, metre.denominator.bit_length() - 1, 24, 8)))
        for metre in metres
    ]
    events += [(tempo.tick, b"\xff\x51\x03" + tempo.microseconds.to_bytes(3, "big")) for tempo in tempos]
    events += [(marker.tick, b"\xff\x06" + with_length(marker.text.encode("utf-8", "replace"))) for marker in markers]
    events.sort(key=lambda event: event[0])
    events.append((end, END_OF_TRACK))
    deltas = [after - before for before, after in pairwise([0, *(tick for tick, _ in events)])]
    pieces = [variable_length(delta) + body for delta, (_, body) in zip(deltas, events, strict=True)]
    if deltas[-1] == 1:
        # A delta time of 1 in two bytes: in one byte it would be the tick that `with_marked_ends` leaves out.
        pieces[-1] = b"\x80\x01" + END_OF_TRACK
    return b"".join(pieces)


# --- the ends of tracks -----------------------------------------------------------------------------------------------


END_MARK = "|"
"""The text of the markers that stand for the ends of tracks."""
_MARKER = b"\xff\x06\x01" + END_MARK.encode()
_MARKER_AT_ONCE = b"\x00" + _MARKER


def with_marked_ends(ticks_per_quarter: int, tracks: Sequence[Track]) -> bytes:
    """The bytes of a file with a marker at each end of track; symusic drops the ends but keeps markers.

    Many programs end a track one tick after its last event. That tick is not music and would begin a new bar, so the
    marker is put at the last event then.
    """
    pieces = [_HEADER.pack(b"MThd", 6, 1, len(tracks), ticks_per_quarter)]
    for track in tracks:
        events, size = track.events, len(track.events)
        if not events.endswith(END_OF_TRACK):
            pieces += [_CHUNK.pack(b"MTrk", size), events]
        elif size > 4 and events[-4] == 1 and events[-5] < 0x80:
            pieces += [_CHUNK.pack(b"MTrk", size + 1), events[:-4], _MARKER_AT_ONCE]
        else:
            pieces += [_CHUNK.pack(b"MTrk", size + 1), events[:-3], _MARKER]
    return b"".join(pieces)


_MARKING = 0x06  # the meta event of a marker
_MOVES = frozenset({0x01, 0x05, _MARKING, 0x07, 0x2F})  # meta events bound to a moment: text, lyric, marker, cue, end
_SONG_META = frozenset({0x02, 0x05, 0x06, 0x07, 0x51, 0x54, 0x58, 0x59})
"""Meta events that belong to the whole song: copyright, lyric, marker, cue, tempo, SMPTE offset, metre, key."""


class _Plain(NamedTuple):
    """An event with its tick, its status, and its bytes with the status written out."""

    tick: int
    status: int
    body: bytes


def without_drums(track: Track) -> bytes | None:
    """The track's events without channel 10's drums; None if only useless ones remain.

    Its drums are its notes, its programs and the positions of the hi-hat's pedal.

    Names and ends go with the drums they belong to; events of the whole song and of other channels do not, and the
    first track always stays.

    Raises:
        MidiError: the track is damaged.
    """
    kept: list[_Plain] = []
    had_drums = others = False
    for event in _plain(track):
        is_channel, channel = event.status < 0xF0, event.status & 0x0F
        kind = event.status & 0xF0
        is_pedal = kind == 0xB0 and event.body[1] == PEDAL
        if is_channel and channel == DRUM_CHANNEL and (event.status < 0xB0 or kind == 0xC0 or is_pedal):
            had_drums |= event.status < 0xB0
            continue
        others |= channel != DRUM_CHANNEL if is_channel else event.status == 0xFF and event.body[1] in _SONG_META
        kept.append(event)
    if had_drums and not others and track.number > 1:
        return None
    if not kept or not kept[-1].body.startswith(b"\xff\x2f"):
        kept.append(_Plain(kept[-1].tick if kept else 0, 0xFF, END_OF_TRACK))
    return _written(kept)


def moved(events: bytes, delay: int) -> bytes:
    """The events moved by a number of ticks, except those in effect from tick 0 on: names, programs, tempos, metres."""
    return _written(
        event._replace(tick=event.tick + delay) if event.tick or _moves(event) else event for event in _plain(events)
    )


def without_markers(events: bytes) -> bytes:
    """The events without markers."""
    return _written(one for one in _plain(events) if not (one.status == 0xFF and one.body[1] == _MARKING))


def merged(first: bytes, second: bytes) -> bytes:
    """The events of two tracks as one, those of the first before others at one tick. It ends with the later one."""
    every = [*_plain(first), *_plain(second)]
    others = [one for one in every if not one.body.startswith(b"\xff\x2f")]
    return _written([*others, _Plain(max(one.tick for one in every), 0xFF, END_OF_TRACK)])


def channels(tracks: Iterable[bytes]) -> set[int]:
    """The channels, from 0, of the events of some tracks."""
    return {one.status & 0x0F for events in tracks for one in _plain(events) if one.status < 0xF0}


def on_free_channel(events: bytes, taken: set[int]) -> bytes:
    """The events of a pitched track on the last free channel, or on the last of all if none is free."""
    free = next((channel for channel in range(15, -1, -1) if channel not in taken | {DRUM_CHANNEL}), 15)
    return _written(
        one._replace(body=bytes((one.status & 0xF0 | free,)) + one.body[1:])
        if one.status < 0xF0 and one.status & 0x0F != DRUM_CHANNEL
        else one
        for one in _plain(events)
    )


def _moves(event: _Plain) -> bool:
    """Return whether an event at tick 0 belongs to that moment, instead of holding from there on."""
    if event.status == 0xFF:
        return event.body[1] in _MOVES
    return event.status < 0xB0


def _plain(track: Track | bytes) -> Iterator[_Plain]:
    """The events of a track, or of the bytes of one."""
    track = track if isinstance(track, Track) else Track(1, 0, track)
    for event in walk(track):
        body = track.events[event.body : event.end]
        if event.status < 0xF0:
            body = bytes((event.status,)) + track.events[event.data : event.end]
        yield _Plain(event.tick, event.status, body)


def _written(events: Iterable[_Plain]) -> bytes:
    pieces, before = list[bytes](), 0
    for event in sorted(events, key=lambda one: (one.tick, one.body.startswith(b"\xff\x2f"))):
        pieces += [variable_length(event.tick - before), event.body]
        before = event.tick
    return b"".join(pieces)
