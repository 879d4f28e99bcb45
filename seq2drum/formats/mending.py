"""What symusic reads wrongly without an error: found by a look at the bytes of a track, and put right before it reads.

Few files have any of it, so each look is a cheap one that sends what it is unsure of to the next: bytes, events by a
regular expression, and `events.walk`, which takes some 20 times as long as symusic takes for the same track.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from seq2drum.formats.events import END_OF_TRACK, MARKING, METRE, NAME, TEMPO, Event, Track, damage, walk, with_length

_LONGEST_NAME = 1000  # characters of a track's name, or of a marker; what is beyond is cut

_NUMBER = rb"[\x80-\xff]{0,3}[\x00-\x7f]"  # of variable length, as a delta time
_USUAL_EVENTS = (
    # Channel events: each status byte with its data bytes, and behind it more of the same length, with a status byte or
    # in running status. Tempos.
    b"(?:%(number)b[\x80-\xbf\xe0-\xef][\x00-\x7f][\x00-\x7f]"
    b"(?:%(number)b[\x80-\xbf\xe0-\xef]?[\x00-\x7f][\x00-\x7f])*+"
    b"|%(number)b[\xc0-\xdf][\x00-\x7f](?:%(number)b[\x00-\x7f])*+"
    b"|[\x80-\xfe]{0,3}[\x00-\x7f]\xff\x51\x03[\x00-\xff]{3})*+" % {b"number": _NUMBER}
)
_UP_TO_OTHER = re.compile(_USUAL_EVENTS)
_OTHER = re.compile(_USUAL_EVENTS + b"(%(number)b)(\xff[\x00-\x7f]|\xf0)(%(number)b)" % {b"number": _NUMBER})
_ODD_META = re.compile(rb"\xff(?:\x51(?!\x03)|\x58(?!\x04))")
_LONG_NAME = re.compile(rb"\xff\x03(?:[\x88-\xff]|[\x80-\xff]{2})")  # of 1,024 bytes or more
_ODD = re.compile(rb"\xff(?:\x51(?!\x03)|\x58(?!\x04)|\x03(?:[\x88-\xff]|[\x80-\xff]{2}))")  # one of these two
_TEXT = re.compile(rb"\xff[\x03\x06].", re.DOTALL)  # with the first byte of its length


class _UnclearError(Exception):
    """A track may hold what symusic reads wrongly without an error."""


def mended_where_needed(file: bytes, tracks: list[Track]) -> list[Track]:
    """The tracks of a file, those mended that may need it, see `_needs_mending`: most files have no bytes for it.

    Raises:
        MidiError: see `mended`.
    """
    if _ODD.search(file):
        return [mended(track) if _needs_mending(track.events) else track for track in tracks]
    if b"\xf7" not in file:
        return tracks
    return [mended(track) if b"\xf7" in track.events and _is_unclear(track.events) else track for track in tracks]


def _needs_mending(events: bytes) -> bool:
    """Whether a track with these events may hold what symusic reads wrongly without an error.

    An escape event (F7), a system exclusive event that goes on later, and running status behind one make symusic lose
    its place; a tempo or metre event of the wrong length makes it read beyond. Few tracks have the bytes for that, and
    of those most have them as lengths or delta times: so a first look for the bytes, then one for the events. A very
    long name is read rightly, but for each of the track's parts anew: a small file could fill all memory with it.
    """
    if _LONG_NAME.search(events):
        return True
    return (b"\xf7" in events or bool(_ODD_META.search(events))) and _is_unclear(events)


def _is_unclear(events: bytes) -> bool:
    """Whether the events of a track show that symusic may read one of them wrongly."""
    try:
        for _ in _others(events):
            pass
    except _UnclearError:
        return True
    return False


def _others(events: bytes) -> Iterator[tuple[bytes, int, int, int]]:
    """The meta and system exclusive events of a track, up to its end; tempos may be left out.

    Of each its status and type, and where its body, its data and its successor begin. It knows no ticks, and takes a
    tenth of the time of `walk`.

    Raises:
        _UnclearError: symusic may read the event that comes next wrongly.
    """
    at, stop = 0, len(events)
    while at < stop:
        other = _OTHER.match(events, at)
        if other is None:
            if _UP_TO_OTHER.match(events, at).end() < stop:  # type: ignore[union-attr]  # it matches nothing at least
                raise _UnclearError
            return
        kind, length = other.group(2, 3)
        size = 0
        for byte in length:
            size = size << 7 | byte & 0x7F
        begin, at = other.end(), other.end() + size
        if kind + length == END_OF_TRACK:
            return
        is_odd = _ODD_META.search(events, other.start(1), begin)
        if at > stop or is_odd or (events[begin - 2] == 0xF0 and events[at - 1] != 0xF7):
            raise _UnclearError
        yield kind, other.start(2), begin, at


def with_plain_text(track: Track) -> Track:
    """The track, mended where a name or a marker is no UTF-8; without one, or bytes that look like one, as it is.

    Raises:
        MidiError: see `mended`.
    """
    events = track.events
    texts = ((events[match.end() - 1], match.end()) for match in _TEXT.finditer(events))
    if all(size <= 0x7F and _is_utf8(events[at : at + size]) for size, at in texts):
        return track
    pieces: list[bytes] = []
    done = 0
    try:
        for kind, body, begin, end in _others(events):
            if kind == b"\xff\x2f" or (kind == b"\xf0" and not events.endswith(b"\xf7", begin, end)):
                raise _UnclearError
            if kind[-1] in (NAME, MARKING) and (text := _mended_text(events[begin:end])) is not None:
                pieces += [events[done:body], kind + with_length(text)]
                done = end
    except _UnclearError:
        return mended(track)
    return track._replace(events=b"".join([*pieces, events[done:]]))


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
        return b"\xff\x7f" + with_length(data)
    kind = track.events[event.body + 1]
    if kind in (NAME, MARKING) and (text := _mended_text(data)) is not None:
        return bytes((0xFF, kind)) + with_length(text)
    if kind == TEMPO and len(data) != 3:
        raise damage(track, event.body, event.tick, f"a tempo event has {len(data)} bytes; it needs 3")
    if kind == METRE and len(data) < 2:
        raise damage(track, event.body, event.tick, f"a metre event has {len(data)} bytes; it needs 4")
    if kind == METRE and len(data) != 4:
        return b"\xff\x58\x04" + data[:2] + b"\x18\x08"
    return None


def _mended_text(text: bytes) -> bytes | None:
    """A name or a marker as it should be, or None if it may stay."""
    is_utf8 = _is_utf8(text)
    if is_utf8 and len(text) <= _LONGEST_NAME:
        return None
    return text.decode("utf-8" if is_utf8 else "latin-1")[:_LONGEST_NAME].encode()


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
            raise damage(track, event.data, event.tick, f"a data byte is {max(data)}; 127 is the largest")
