"""Bytes to `Song` and back.

symusic reads and writes the notes; it is fast and exact, but it believes a file that lies. So the header, the chunks
and the size are checked before it, and what it found is checked after it. Where symusic is known to go wrong without
saying so (escape events, the order of many events at one tick, names that are not UTF-8), the event walker `_walk`
puts the bytes right first; it costs some 20 times the parsing, so it runs only on tracks that may need it.

A `Song` has what symusic found: one part for every track, channel and program in it that has notes (parts without notes
are left out); tempo and metre events all of them, in the order of the file; a note-on that is never ended is no note.
Overlapping notes of one pitch and channel are paired first on, first off.
`Song.length` is the last tick of anything that symusic keeps, or of the end of the longest track if that is later by
more than the one tick which many programs add.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np
from symusic import Note as SymusicNote
from symusic import Score
from symusic import Track as SymusicTrack

from seq2drum import files
from seq2drum.errors import LimitError, MidiError
from seq2drum.music.limits import DEFAULT_LIMITS, LAST_TICK, Limits
from seq2drum.music.notes import Metre, Part, Song, Tempo

LOG = logging.getLogger(__name__)


class _Track(NamedTuple):
    """One MTrk chunk: its number from 1, the place of its first event in the file, and its events' bytes."""

    number: int
    at: int
    events: bytes


class _Event(NamedTuple):
    """One event of a track: its tick, where its delta time, body and successor begin, status byte and data's place.

    `status` is the status that holds, written or running; for a meta event `data` is behind type and length.
    """

    tick: int
    start: int
    body: int
    end: int
    status: int
    data: int


def parse(data: bytes, *, limits: Limits = DEFAULT_LIMITS, repair: bool = True) -> Song:
    """Read the bytes of a MIDI file of format 0 or 1, bare or in a RIFF wrapper (.rmi).

    With `repair`, a data byte above 127 counts as 127, as most DAWs have it; without, it is an error.

    Raises:
        LimitError: the file is beyond `limits`.
        MidiError: the bytes are no MIDI file, are damaged or contradict themselves.
    """
    ticks_per_quarter, tracks = _tracks(data, limits)
    tracks = [_mended(track) if _needs_mending(track.events) else track for track in tracks]
    score = _score(ticks_per_quarter, tracks, repair)
    _check_parts(score, limits)
    if any("\ufffd" in track.name for track in score.tracks):
        score = _score(ticks_per_quarter, [_mended(track) for track in tracks], repair)
    if _many_at_one_tick(score.tempos) or _many_at_one_tick(score.time_signatures):
        tempos, metres = _maps(tracks)
    else:
        tempos = tuple(Tempo(event.time, event.mspq) for event in score.tempos)
        metres = tuple(Metre(event.time, event.numerator, event.denominator) for event in score.time_signatures)
    _check_maps(tempos, metres, limits)
    _check_events(score, limits)
    length = score.end()
    if length > limits.quarters * ticks_per_quarter or length > LAST_TICK:
        raise LimitError(
            f"the file ends at tick {length}, {length / ticks_per_quarter:.3f} quarters after its start;"
            f" at most {limits.quarters} quarters and tick {LAST_TICK} are read"
        )
    song = Song(
        ticks_per_quarter, tuple(_part(track) for track in score.tracks if len(track.notes)), tempos, metres, length
    )
    if (seconds := song.seconds(length)) > limits.seconds:
        raise LimitError(
            f"the file lasts {seconds:.3f} seconds, {seconds / 60:.1f} minutes;"
            f" at most {limits.seconds:g} seconds are read"
        )
    return song


def read(path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS, repair: bool = True) -> Song:
    """Read a MIDI file; see `parse`.

    Raises:
        InputError: there is no such file, it is a folder or it may not be read.
        MidiError: see `parse`; the message begins with the path.
    """
    data = files.read_file(path, limits.file_bytes)
    try:
        return parse(data, limits=limits, repair=repair)
    except MidiError as error:
        raise type(error)(f"{path}: {error}") from error


def serialise(song: Song) -> bytes:
    """The bytes of a MIDI file of format 1: a track for the tempo and metre map, then a track for each part.

    `parse` makes an equal song of them if notes of one pitch in one part end in the order in which they begin (MIDI has
    no way to say otherwise), no part is empty, and `length` is the last tick of anything. The same song gives the same
    bytes. Beyond 15 pitched parts channels are used again, each part keeping its own track and program.

    Raises:
        LimitError: the song ends after the last tick that a MIDI file can hold.
    """
    end = max([song.end, *(tempo.tick for tempo in song.tempos), *(metre.tick for metre in song.metres)])
    if end > LAST_TICK:
        raise LimitError(f"the song ends at tick {end}; a MIDI file can hold {LAST_TICK}: use fewer ticks per quarter")
    score: Any = Score(song.ticks_per_quarter)
    for part in song.parts:
        score.tracks.append(_symusic_track(part))
    tracks = [_map_track(song.tempos, song.metres, end)]
    tracks += [_with_prompt_end(track.events) for track in _split(score.dumps_midi(), 14)]
    return _file(song.ticks_per_quarter, tracks)


def with_drums(data: bytes, drums: Part, *, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The original file plus the drum part as a last track, in place of the channel 10 notes it had.

    Every other event stays byte for byte (controllers, lyrics, system exclusive, the order within a tick); only running
    status is written out. A later track that had nothing but channel 10 is left out, and so are chunks that are no
    tracks. A file of format 0 becomes format 1.

    Raises:
        LimitError, MidiError: as `parse`, with repair.
    """
    parse(data, limits=limits)
    ticks_per_quarter, tracks = _tracks(data, limits)
    kept = [events for track in tracks if (events := _without_drums(track)) is not None]
    _, drum_track = _split(serialise(Song(ticks_per_quarter, (drums,), length=drums.end)), 14)
    return _file(ticks_per_quarter, [*kept, drum_track.events])


# Chunks


def _tracks(data: bytes, limits: Limits) -> tuple[int, list[_Track]]:
    """Check size and header, and cut the file into its tracks."""
    if len(data) > limits.file_bytes:
        raise LimitError(f"the file has {len(data)} bytes; at most {limits.file_bytes} are read")
    # A RIFF wrapper is a 12-byte header and chunks, of which the one called "data" is the MIDI file.
    start = 0
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        start = data.find(b"data", 12) + 8
    if not data:
        raise MidiError("this is no MIDI file: it is empty")
    if data[start : start + 4] != b"MThd":
        raise MidiError(f"this is no MIDI file: it begins with {data[:4]!r}, not with 'MThd'")
    if len(data) < start + 14:
        raise MidiError(f"the file ends after {len(data)} bytes, within its header")
    size = int.from_bytes(data[start + 4 : start + 8], "big")
    form, declared, division = (int.from_bytes(data[at : at + 2], "big") for at in range(start + 8, start + 14, 2))
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
    # Some programs put data of their own behind the declared tracks and call it a track. A header that declares more
    # tracks than there are is a common slip, and harmless.
    tracks = list(islice(_split(data, start + 8 + size), min(declared, limits.tracks + 1)))
    if not tracks:
        raise MidiError(f"the file has no tracks; its header (byte {start + 10}) declares {declared}")
    if len(tracks) > limits.tracks:
        raise LimitError(
            f"the file has more than {limits.tracks} tracks (its header says {declared}), the most that are read"
        )
    return division, tracks


def _split(data: bytes, at: int) -> Iterator[_Track]:
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
            yield _Track(number, at + 8, data[at + 8 : at + 8 + size])
        at += 8 + size


def _chunk(events: bytes) -> bytes:
    return b"MTrk" + len(events).to_bytes(4, "big") + events


def _file(ticks_per_quarter: int, tracks: Sequence[bytes]) -> bytes:
    header = b"MThd" + (6).to_bytes(4, "big")
    numbers = b"".join(number.to_bytes(2, "big") for number in (1, len(tracks), ticks_per_quarter))
    return header + numbers + b"".join(map(_chunk, tracks))


# Events


def _walk(track: _Track) -> Iterator[_Event]:
    """The events of a track with their ticks, up to and including the end of track.

    Slow and strict about structure, not about values: it stops at the first byte that cannot be read.
    """
    events, stop = track.events, len(track.events)
    at = tick = running = 0
    while at < stop:
        start = at
        delta, body = _number(track, at, tick)
        tick += delta
        if body >= stop:
            raise _damage(track, body, tick, "the track ends after a delta time")
        status = events[body]
        data = body + 1
        if status < 0x80:
            if not running:
                raise _damage(track, body, tick, f"data byte {status} stands where a status byte should be")
            status, data = running, body
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
            raise _damage(
                track,
                body,
                tick,
                f"an event (status {status:#04x}) says it is {end - stop} bytes longer than its track",
            )
        yield _Event(tick, start, body, end, status, data)
        if status == 0xFF and events[body + 1] == _END:
            return
        at = end


def _number(track: _Track, at: int, tick: int) -> tuple[int, int]:
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


def _damage(track: _Track, at: int, tick: int, what: str) -> MidiError:
    return MidiError(f"track {track.number}, byte {track.at + at}, tick {tick}: {what}; the file is damaged")


_END_OF_TRACK = b"\xff\x2f\x00"
_DELTA = rb"[\x80-\xff]{0,3}+[\x00-\x7f]"
_CHANNEL_EVENTS = re.compile(
    # Each status byte with its data bytes, and behind it more of the same in running status.
    b"(?:%(delta)b(?:[\x80-\xbf\xe0-\xef][\x00-\x7f]{2}(?:%(delta)b[\x00-\x7f]{2})*+"
    b"|[\xc0-\xdf][\x00-\x7f](?:%(delta)b[\x00-\x7f])*+))*+" % {b"delta": _DELTA}
)
_OTHER_EVENT = re.compile(_DELTA + rb"(?:\xff[\x00-\x7f]|\xf0)([\x80-\xff]{0,3}+[\x00-\x7f])")
_ODD_META = re.compile(rb"\xff(?:\x51(?!\x03)|\x58(?!\x04))")
_LONG_NAME = re.compile(rb"\xff\x03(?:[\x88-\xff]|[\x80-\xff]{2})")  # of 1,024 bytes or more


def _needs_mending(events: bytes) -> bool:
    """Whether the track may hold what symusic reads wrongly without an error.

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
        if head.endswith(_END_OF_TRACK):
            return False
        if at > stop or _ODD_META.search(head) or (head[-2:-1] == b"\xf0" and events[at - 1] != 0xF7):
            return True
    return False


def _mended(track: _Track) -> _Track:
    """The same track in a form that symusic reads rightly.

    What is no channel or meta event (escapes, system messages, unfinished system exclusive events) becomes a meta event
    for sequencers, which symusic skips; running status behind a system exclusive event is written out; a name that is
    not UTF-8 is taken for Latin-1, and a very long one is cut; a metre event without its two bytes about clicks gets
    them.
    """
    pieces: list[bytes] = []
    done = before = 0
    for event in _walk(track):
        new = _mended_event(track, event, before)
        before = event.status
        if new is not None:
            pieces += [track.events[done : event.body], new]
            done = event.end
    return track._replace(events=b"".join([*pieces, track.events[done:]]))


def _mended_event(track: _Track, event: _Event, before: int) -> bytes | None:
    """The event (without its delta time) as it should be, or None if it may stay; `before` is the status before it."""
    data = track.events[event.data : event.end]
    if event.status < 0xF0:
        running = event.body == event.data
        return bytes((event.status,)) + data if running and before >= 0xF0 else None
    if event.status == 0xF0 and data.endswith(b"\xf7"):
        return None
    if event.status != 0xFF:
        return b"\xff\x7f" + _sized(data)
    kind = track.events[event.body + 1]
    if kind == _NAME and not (_is_utf8(data) and len(data) <= _LONGEST_NAME):
        name = data.decode("utf-8" if _is_utf8(data) else "latin-1")
        return b"\xff\x03" + _sized(name[:_LONGEST_NAME].encode())
    if kind == _TEMPO and len(data) != 3:
        raise _damage(track, event.body, event.tick, f"a tempo event has {len(data)} bytes; it needs 3")
    if kind == _METRE and len(data) < 2:
        raise _damage(track, event.body, event.tick, f"a metre event has {len(data)} bytes; it needs 4")
    if kind == _METRE and len(data) != 4:
        return b"\xff\x58\x04" + data[:2] + b"\x18\x08"
    return None


_NAME, _TEMPO, _METRE = 0x03, 0x51, 0x58
_LONGEST_NAME = 1000  # characters
_CHANNELS = 16
_END = 0x2F


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _sized(data: bytes) -> bytes:
    return _variable_length(len(data)) + data


def _variable_length(value: int) -> bytes:
    """A number in MIDI's variable-length form: seven bits a byte, all but the last with the high bit set."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(0x80 | value & 0x7F)
    return bytes(reversed(groups))


# What symusic found


_MARKER = b"\xff\x06\x01|"


def _score(ticks_per_quarter: int, tracks: Sequence[_Track], repair: bool) -> Any:
    """What symusic makes of the tracks.

    symusic forgets where a track ends. So the end is turned into a marker, which it keeps, and `score.end()` tells it.
    """
    with contextlib.suppress(*_SYMUSIC_ERRORS):
        return Score.from_midi(_file(ticks_per_quarter, [_with_marked_end(track.events) for track in tracks]))
    # Something is wrong: the walker either mends it or names it.
    tracks = [_mended(track) for track in tracks]
    if not repair:
        for track in tracks:
            _refuse_large_data(track)
    try:
        score = Score.from_midi(
            _file(ticks_per_quarter, [_with_marked_end(track.events) for track in tracks]), sanitize_data=repair
        )
    except _SYMUSIC_ERRORS as error:
        raise MidiError(f"the file is damaged in a way that has no name here (symusic says: {error})") from error
    LOG.info("the file is slightly damaged; what could be read was read, data bytes above 127 as 127")
    return score


_SYMUSIC_ERRORS = (RuntimeError, ValueError)


def _refuse_large_data(track: _Track) -> None:
    for event in _walk(track):
        data = track.events[event.data : event.end]
        if event.status < 0xF0 and not data.isascii():
            raise _damage(track, event.data, event.tick, f"a data byte is {max(data)}; 127 is the largest")


def _with_marked_end(events: bytes) -> bytes:
    if not events.endswith(_END_OF_TRACK):
        return events
    # Many programs end a track one tick after its last event. That tick is no music: it would begin a new bar.
    if len(events) > 4 and events[-4] == 1 and events[-5] < 0x80:
        return events[:-4] + b"\x00" + _MARKER
    return events[:-3] + _MARKER


def _part(track: Any) -> Part:
    notes = track.notes.numpy()
    return Part.of_columns(
        notes["time"],
        notes["duration"],
        notes["pitch"],
        notes["velocity"],
        program=track.program,
        name=track.name,
        is_drums=track.is_drum,
    )


def _many_at_one_tick(events: Any) -> bool:
    """Whether symusic may have mixed up events: beyond 24 its sort does not keep the order within a tick."""
    if len(events) <= 24:
        return False
    ticks, *values = events.numpy().values()
    together = ticks[1:] == ticks[:-1]
    return any(bool((together & (value[1:] != value[:-1])).any()) for value in values)


def _maps(tracks: Iterable[_Track]) -> tuple[tuple[Tempo, ...], tuple[Metre, ...]]:
    """Tempo and metre events in the order of ticks, and at one tick in the order of the file."""
    tempos: list[Tempo] = []
    metres: list[Metre] = []
    for track in tracks:
        if b"\xff\x51" not in track.events and b"\xff\x58" not in track.events:
            continue
        for event in _walk(track):
            if event.status != 0xFF:
                continue
            kind, data = track.events[event.body + 1], track.events[event.data : event.end]
            if kind == _TEMPO:
                tempos.append(Tempo(event.tick, int.from_bytes(data, "big")))
            elif kind == _METRE:
                metres.append(Metre(event.tick, data[0], 1 << data[1] if data[1] < 8 else 0))
    return tuple(sorted(tempos, key=lambda tempo: tempo.tick)), tuple(sorted(metres, key=lambda metre: metre.tick))


def _check_maps(tempos: Sequence[Tempo], metres: Sequence[Metre], limits: Limits) -> None:
    if len(tempos) > limits.tempos:
        raise LimitError(f"the file has {len(tempos)} tempo events; at most {limits.tempos} are read")
    if len(metres) > limits.metres:
        raise LimitError(f"the file has {len(metres)} metre events; at most {limits.metres} are read")
    for tempo in tempos:
        if tempo.microseconds <= 0:
            raise MidiError(f"the tempo at tick {tempo.tick} says that a quarter lasts 0 microseconds")
        if not limits.slowest <= tempo.bpm <= limits.fastest:
            raise LimitError(
                f"the tempo at tick {tempo.tick} is {tempo.bpm:.2f} BPM;"
                f" {limits.slowest:g} to {limits.fastest:g} are read"
            )
    for metre in metres:
        if metre.numerator < 1 or metre.denominator < 1:
            raise MidiError(
                f"the metre at tick {metre.tick} is {metre.numerator}/{metre.denominator or 'beyond 128'}:"
                " no bar has that length"
            )
        if metre.numerator > limits.numerator or metre.denominator > limits.denominator:
            raise LimitError(
                f"the metre at tick {metre.tick} is {metre.numerator}/{metre.denominator};"
                f" at most {limits.numerator}/{limits.denominator} is read"
            )


def _check_parts(score: Any, limits: Limits) -> None:
    """A track falls into parts by channel and program: so a few bytes may make a part, and each costs a little time."""
    if len(score.tracks) > _CHANNELS * limits.tracks:
        raise LimitError(
            f"the tracks of the file hold {len(score.tracks)} parts by channel and program;"
            f" at most {_CHANNELS * limits.tracks} are read, {_CHANNELS} for each of {limits.tracks} tracks"
        )


def _check_events(score: Any, limits: Limits) -> None:
    events = 0
    for track in score.tracks:
        events += len(track.notes) + len(track.controls) + len(track.pitch_bends) + len(track.lyrics)
    if events > limits.events:
        raise LimitError(f"the file has {events} events; at most {limits.events} are read")
    if score.start() < 0:
        raise LimitError(f"the file's times run beyond what can be counted (tick {LAST_TICK} is the last)")


# Writing


def _map_track(tempos: Iterable[Tempo], metres: Iterable[Metre], end: int) -> bytes:
    """The track of tempo and metre events; its end of track is the song's end."""
    events = [
        (metre.tick, bytes((0xFF, 0x58, 4, metre.numerator, metre.denominator.bit_length() - 1, 24, 8)))
        for metre in metres
    ]
    events += [(tempo.tick, b"\xff\x51\x03" + tempo.microseconds.to_bytes(3, "big")) for tempo in tempos]
    events.sort(key=lambda event: event[0])
    events.append((end, _END_OF_TRACK))
    deltas = [after - before for before, after in pairwise([0, *(tick for tick, _ in events)])]
    pieces = [_variable_length(delta) + body for delta, (_, body) in zip(deltas, events, strict=True)]
    if deltas[-1] == 1:
        # A last tick that is meant is told from the one that many programs add (`_with_marked_end`) by a longer number.
        pieces[-1] = b"\x80\x01" + _END_OF_TRACK
    return b"".join(pieces)


def _symusic_track(part: Part) -> Any:
    # A name with half a surrogate pair, which can come from a file name, has no UTF-8 form.
    track: Any = SymusicTrack(part.name.encode("utf-8", "replace").decode(), part.program, part.is_drums)
    track.notes = SymusicNote.from_numpy(
        part.onset.astype(np.int32),
        part.duration.astype(np.int32),
        part.pitch.astype(np.int8),
        part.velocity.astype(np.int8),
        "tick",
    )
    return track


def _with_prompt_end(events: bytes) -> bytes:
    """End the track with its last event; symusic ends it a tick later, which can be a bar later."""
    return events[:-4] + b"\x00" + _END_OF_TRACK if events.endswith(b"\x01" + _END_OF_TRACK) else events


def _without_drums(track: _Track) -> bytes | None:
    """The track's events but for the notes of channel 10; None if nothing of use is left."""
    pieces: list[bytes] = []
    before = 0
    had_drums = others = False
    for event in _walk(track):
        channel = event.status < 0xF0
        if channel and event.status & 0x0F == 9 and event.status < 0xB0:
            had_drums = True
            continue
        body = track.events[event.body : event.end]
        if channel:
            body = bytes((event.status,)) + track.events[event.data : event.end]
        # Names and ends can go with the drums they belong to; the map of the song, lyrics and other channels can not.
        others |= event.status & 0x0F != 9 if channel else event.status == 0xFF and body[1] in _SONG_META
        pieces += [_variable_length(event.tick - before), body]
        before = event.tick
    if had_drums and not others and track.number > 1:
        return None
    if not pieces or not pieces[-1].startswith(b"\xff\x2f"):
        pieces += [b"\x00", _END_OF_TRACK]
    return b"".join(pieces)


_SONG_META = frozenset({0x02, 0x05, 0x06, 0x07, 0x51, 0x54, 0x58, 0x59})
"""Meta events that belong to the whole song: copyright, lyric, marker, cue, tempo, SMPTE offset, metre, key."""
