"""The events of a MIDI track without its drums, moved behind a count-in, joined with others, on another channel.

Running status is written out; all else of an event stays byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from seq2drum.formats.events import DRUM_CHANNEL, END_OF_TRACK, PEDAL, Track, variable_length, walk

_MARKING = 0x06  # the meta event of a marker
_MOVES = frozenset({0x01, 0x05, _MARKING, 0x07, 0x2F})  # meta events of a moment: text, lyric, marker, cue, end
_SONG_META = frozenset({0x02, 0x05, 0x06, 0x07, 0x51, 0x54, 0x58, 0x59})
"""Meta events that belong to the whole song: copyright, lyric, marker, cue, tempo, SMPTE offset, metre, key."""


class _Plain(NamedTuple):
    """An event with its tick, its status, and its bytes with the status written out."""

    tick: int
    status: int
    body: bytes


def without_drums(track: Track) -> bytes | None:
    """The track's events but for channel 10's drums; None if it had some and nothing else of use.

    Its drums are its notes, its programs and the positions of the hi-hat's pedal.

    Names and ends may go with the drums they belong to; what holds for the whole song and other channels may not, and
    the first track always stays.

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
