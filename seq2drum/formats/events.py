"""The bytes of a MIDI file: chunks, tracks and events, read and written without a library.

symusic reads and writes the notes (see `midi`); it is fast and exact, but it believes a file that contradicts itself.
So `read_tracks` checks size, header and chunks before symusic sees them, and `mended` rewrites the events that symusic
is known to read wrongly without an error. `walk` gives the events of a track one by one, with their ticks. It takes
some 20 times as long as symusic takes for the same track, so it runs only on tracks that may need it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from seq2drum.errors import LimitError, MidiError
from seq2drum.formats import foreign
from seq2drum.music.limits import Limits
from seq2drum.music.notes import Marker, Metre, Tempo

END_OF_TRACK = b"\xff\x2f\x00"

_NAME, _MARKING, _END, _TEMPO, _METRE = 0x03, 0x06, 0x2F, 0x51, 0x58  # types of meta events
_LONGEST_NAME = 1000  # characters of a track's name, or of a marker; what is beyond is cut
DRUM_CHANNEL = 9  # channel 10, counted from 0
LEAST_BYTES = 2  # of an event: a delta time, and a data byte in running status
PEDAL = 4  # the controller that is the pedal of a hi-hat


class Header(NamedTuple):
    """What the header chunk says: where it begins, its size in bytes, how many tracks follow, and the clock."""

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

    `status` is the status that holds, written or running; for a meta event `data` is behind type and length.
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

    Tracks behind the declared number are left out: some programs put data of their own there and call it a track. A
    header that declares more tracks than there are is a common slip, and harmless.

    Raises:
        LimitError: the file has more bytes or tracks than the limits allow.
        MidiError: this is no MIDI file, one of a kind that is not read, or a damaged one.
    """
    if len(data) > limits.file_bytes:
        raise LimitError(f"the file has {len(data)} bytes; at most {limits.file_bytes} are read")
    header = _header(data)
    tracks = list(islice(split(data, header.start + 8 + header.size), min(header.tracks, limits.tracks + 1)))
    if not tracks:
        raise MidiError(f"the file has no tracks; its header (byte {header.start + 10}) declares {header.tracks}")
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
        raise MidiError("this is no MIDI file: it is empty")
    if data[start : start + 4] != b"MThd":
        if kind := foreign.recognised(data):
            raise MidiError(str(kind))
        raise MidiError(f"this is no MIDI file: it begins with {data[:4]!r}, not with 'MThd'")
    if len(data) < start + 14:
        raise MidiError(f"the file ends after {len(data)} bytes, within its header")
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


def split(data: bytes, at: int) -> Iterator[Track]:
    """The tracks from byte `at` on. Chunks of other kinds are skipped, as the standard asks; so is junk at the end."""
    number = 0
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
        if kind == b"MTrk":
            number += 1
            if at + 8 + size > len(data):
                raise MidiError(
                    f"track {number} (byte {at}) says it has {size} bytes, but the file has {len(data) - at - 8} left:"
                    " it is cut off or damaged"
                )
            yield Track(number, at + 8, data[at + 8 : at + 8 + size])
        at += 8 + size


def joined(ticks_per_quarter: int, tracks: Sequence[bytes]) -> bytes:
    """The bytes of a file of format 1 whose tracks have these events."""
    header = b"MThd" + (6).to_bytes(4, "big")
    numbers = b"".join(number.to_bytes(2, "big") for number in (1, len(tracks), ticks_per_quarter))
    return header + numbers + b"".join(b"MTrk" + len(events).to_bytes(4, "big") + events for events in tracks)


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
            raise _damage(track, body, tick, "the track ends after a delta time")
        # 2. The status byte: written, or the one before it (running status).
        status = events[body]
        data = body + 1
        if status < 0x80:
            if not running:
                raise _damage(track, body, tick, f"data byte {status} stands where a status byte should be")
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
            raise _damage(track, body, tick, excess)
        yield Event(tick, start, body, end, status, data)
        if status == 0xFF and events[body + 1] == _END:
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
        raise _damage(track, at, tick, "the track ends within a number")
    raise _damage(track, at, tick, "a number has more than four bytes")


def _damage(track: Track, at: int, tick: int, what: str) -> MidiError:
    return MidiError(f"track {track.number}, byte {track.at + at}, tick {tick}: {what}; the file is damaged")


def variable_length(value: int) -> bytes:
    """A number in MIDI's variable-length form: seven bits a byte, all but the last with the high bit set."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))


def _with_length(data: bytes) -> bytes:
    return variable_length(len(data)) + data


# --- what symusic reads wrongly without an error ----------------------------------------------------------------------


_DELTA = rb"[\x80-\xff]{0,3}+[\x00-\x7f]"
_CHANNEL_EVENTS = re.compile(
    # Each status byte with its data bytes, and behind it more of the same in running status.
    b"(?:%(delta)b(?:[\x80-\xbf\xe0-\xef][\x00-\x7f]{2}(?:%(delta)b[\x00-\x7f]{2})*+"
    b"|[\xc0-\xdf][\x00-\x7f](?:%(delta)b[\x00-\x7f])*+))*+" % {b"delta": _DELTA}
)
_OTHER_EVENT = re.compile(_DELTA + rb"(?:\xff[\x00-\x7f]|\xf0)([\x80-\xff]{0,3}+[\x00-\x7f])")
_ODD_META = re.compile(rb"\xff(?:\x51(?!\x03)|\x58(?!\x04))")
_TEXT = re.compile(rb"\xff[\x03\x06].", re.DOTALL)  # with the first byte of its length
_LONG_NAME = re.compile(rb"\xff\x03(?:[\x88-\xff]|[\x80-\xff]{2})")  # of 1,024 bytes or more


def may_need_mending(file: bytes) -> bool:
    """Whether a track of a file may need mending, see `needs_mending`: most files have no bytes for it."""
    return b"\xf7" in file or bool(_LONG_NAME.search(file) or _ODD_META.search(file))


def has_odd_text(events: bytes) -> bool:
    """Whether a name or a marker in a track with these events may be no UTF-8; bytes that look like one count, too."""
    return any(
        size > 0x7F or not _is_utf8(events[at : at + size])
        for size, at in ((events[match.end() - 1], match.end()) for match in _TEXT.finditer(events))
    )


def needs_mending(events: bytes) -> bool:
    """Whether a track with these events may hold what symusic reads wrongly without an error.

    An escape event (F7), a system exclusive event that goes on later, and running status behind one make symusic lose
    its place; a tempo or metre event of the wrong length makes it read beyond. Few tracks have the bytes for that, and
    of those most have them as lengths or delta times: so a first look for the bytes, then one for the events. A very
    long name is read rightly, but for each of the track's parts anew: a small file could fill all memory with it.
    """
    if _LONG_NAME.search(events):
        return True
    if b"\xf7" not in events and not _ODD_META.search(events):
        return False
    at, stop = 0, len(events)
    while at < stop:
        at = _CHANNEL_EVENTS.match(events, at).end()  # type: ignore[union-attr]  # it matches nothing at least
        other = _OTHER_EVENT.match(events, at)
        if other is None:
            return at < stop
        size = 0
        for byte in other[1]:
            size = size << 7 | byte & 0x7F
        head = events[at : other.end()]
        at = other.end() + size
        if head.endswith(END_OF_TRACK):
            return False
        if at > stop or _ODD_META.search(head) or (head[-2:-1] == b"\xf0" and events[at - 1] != 0xF7):
            return True
    return False


def mended(track: Track) -> Track:
    """The same track in a form that symusic reads rightly.

    What is no channel or meta event (escapes, system messages, unfinished system exclusive events) becomes a meta event
    for sequencers, which symusic skips; running status behind a system exclusive event is written out; a name or marker
    that is not UTF-8 is taken for Latin-1, and a very long one is cut; a metre event without its two bytes about clicks
    gets them.

    Raises:
        MidiError: the track is damaged, or a tempo or metre event has too few bytes.
    """
    pieces: list[bytes] = []
    done = before = 0
    for event in walk(track):
        new = _mended_event(track, event, before)
        before = event.status
        if new is not None:
            pieces += [track.events[done : event.body], new]
            done = event.end
    return track._replace(events=b"".join([*pieces, track.events[done:]]))


def _mended_event(track: Track, event: Event, before: int) -> bytes | None:
    """The event (without its delta time) as it should be, or None if it may stay; `before` is the status before it."""
    data = track.events[event.data : event.end]
    if event.status < 0xF0:
        running = event.body == event.data
        return bytes((event.status,)) + data if running and before >= 0xF0 else None
    if event.status == 0xF0 and data.endswith(b"\xf7"):
        return None
    if event.status != 0xFF:
        return b"\xff\x7f" + _with_length(data)
    kind = track.events[event.body + 1]
    if kind in (_NAME, _MARKING) and not (_is_utf8(data) and len(data) <= _LONGEST_NAME):
        name = data.decode("utf-8" if _is_utf8(data) else "latin-1")
        return bytes((0xFF, kind)) + _with_length(name[:_LONGEST_NAME].encode())
    if kind == _TEMPO and len(data) != 3:
        raise _damage(track, event.body, event.tick, f"a tempo event has {len(data)} bytes; it needs 3")
    if kind == _METRE and len(data) < 2:
        raise _damage(track, event.body, event.tick, f"a metre event has {len(data)} bytes; it needs 4")
    if kind == _METRE and len(data) != 4:
        return b"\xff\x58\x04" + data[:2] + b"\x18\x08"
    return None


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def refuse_large_data(track: Track) -> None:
    """Refuse data bytes above 127, which symusic would take for 127.

    Raises:
        MidiError: there is one, or the track is damaged.
    """
    for event in walk(track):
        data = track.events[event.data : event.end]
        if event.status < 0xF0 and not data.isascii():
            raise _damage(track, event.data, event.tick, f"a data byte is {max(data)}; 127 is the largest")


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
            if kind == _TEMPO:
                tempos.append(Tempo(event.tick, int.from_bytes(data, "big")))
            elif kind == _METRE:
                metres.append(Metre(event.tick, data[0], 1 << data[1] if data[1] < 8 else 0))
    return tuple(sorted(tempos, key=lambda tempo: tempo.tick)), tuple(sorted(metres, key=lambda metre: metre.tick))


def map_track(tempos: Iterable[Tempo], metres: Iterable[Metre], markers: Iterable[Marker], end: int) -> bytes:
    """The events of a track of tempo and metre events and markers; its end of track is at tick `end`."""
    events = [
        (metre.tick, bytes((0xFF, 0x58, 4, metre.numerator, metre.denominator.bit_length() - 1, 24, 8)))
        for metre in metres
    ]
    events += [(tempo.tick, b"\xff\x51\x03" + tempo.microseconds.to_bytes(3, "big")) for tempo in tempos]
    events += [(marker.tick, b"\xff\x06" + _with_length(marker.text.encode("utf-8", "replace"))) for marker in markers]
    events.sort(key=lambda event: event[0])
    events.append((end, END_OF_TRACK))
    deltas = [after - before for before, after in pairwise([0, *(tick for tick, _ in events)])]
    pieces = [variable_length(delta) + body for delta, (_, body) in zip(deltas, events, strict=True)]
    if deltas[-1] == 1:
        # A delta time of 1 in two bytes: in one byte it would be the tick that `with_marked_end` leaves out.
        pieces[-1] = b"\x80\x01" + END_OF_TRACK
    return b"".join(pieces)


# --- the ends of tracks -----------------------------------------------------------------------------------------------


END_MARK = "|"
"""The text of the markers that stand for the ends of tracks."""
_MARKER = b"\xff\x06\x01" + END_MARK.encode()


def with_marked_end(events: bytes) -> bytes:
    """The events with a marker in place of the end of track: symusic forgets where a track ends, and keeps markers.

    Many programs end a track one tick after its last event. That tick is no music and would begin a new bar, so the
    marker stands at the last event then.
    """
    if not events.endswith(END_OF_TRACK):
        return events
    if len(events) > 4 and events[-4] == 1 and events[-5] < 0x80:
        return events[:-4] + b"\x00" + _MARKER
    return events[:-3] + _MARKER


def with_prompt_end(events: bytes) -> bytes:
    """The events with the end of track at the last one; symusic writes it a tick later, which can be a bar later."""
    return events[:-4] + b"\x00" + END_OF_TRACK if events.endswith(b"\x01" + END_OF_TRACK) else events
