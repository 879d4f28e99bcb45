"""The events of a MIDI track moved behind a count-in, joined with others, and put on another channel.

Running status is written out, as `events.without_drums` does; all else of an event stays byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from seq2drum.formats.events import DRUM_CHANNEL, END_OF_TRACK, Track, variable_length, walk

_MARKING = 0x06  # the meta event of a marker
_MOVES = frozenset({0x01, 0x05, _MARKING, 0x07, 0x2F})  # meta events of a moment: text, lyric, marker, cue, end


class _Plain(NamedTuple):
    """An event with its tick, its status, and its bytes with the status written out."""

    tick: int
    status: int
    body: bytes


def moved(events: bytes, delay: int) -> bytes:
    """The events so many ticks later, but for what holds from tick 0 on: names, programs, tempos, metres."""
    return _written(
        event._replace(tick=event.tick + delay) if event.tick or _moves(event) else event for event in _plain(events)
    )


def without_markers(events: bytes) -> bytes:
    """The events but for markers."""
    return _written(one for one in _plain(events) if not (one.status == 0xFF and one.body[1] == _MARKING))


def merged(first: bytes, second: bytes) -> bytes:
    """The events of two tracks as one; at one tick those of the first come before. It ends where the later one does."""
    every = [*_plain(first), *_plain(second)]
    others = [one for one in every if not one.body.startswith(b"\xff\x2f")]
    return _written([*others, _Plain(max(one.tick for one in every), 0xFF, END_OF_TRACK)])


def channels(tracks: Iterable[bytes]) -> set[int]:
    """The channels, from 0, that some tracks have events on."""
    return {one.status & 0x0F for events in tracks for one in _plain(events) if one.status < 0xF0}


def on_free_channel(events: bytes, taken: set[int]) -> bytes:
    """The events of a pitched track on the last channel that is free, or on the last of all if none is."""
    free = next((channel for channel in range(15, -1, -1) if channel not in taken | {DRUM_CHANNEL}), 15)
    return _written(
        one._replace(body=bytes((one.status & 0xF0 | free,)) + one.body[1:])
        if one.status < 0xF0 and one.status & 0x0F != DRUM_CHANNEL
        else one
        for one in _plain(events)
    )


def _moves(event: _Plain) -> bool:
    """Whether an event at tick 0 is of that moment, and does not hold from there on."""
    if event.status == 0xFF:
        return event.body[1] in _MOVES
    return event.status < 0xB0


def _plain(events: bytes) -> Iterator[_Plain]:
    for event in walk(Track(1, 0, events)):
        body = events[event.body : event.end]
        if event.status < 0xF0:
            body = bytes((event.status,)) + events[event.data : event.end]
        yield _Plain(event.tick, event.status, body)


def _written(events: Iterable[_Plain]) -> bytes:
    pieces, before = list[bytes](), 0
    for event in sorted(events, key=lambda one: (one.tick, one.body.startswith(b"\xff\x2f"))):
        pieces += [variable_length(event.tick - before), event.body]
        before = event.tick
    return b"".join(pieces)
