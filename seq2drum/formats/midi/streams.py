"""MIDI through music21's streams: the oracle of the tests as a reader, for whoever wants to compare or to teach.

    bytes -> music21's events -> a track for each track, channel and program -> music21's stream of notes -> `Part`

music21 is imported when a file is read. Its way from a track to a stream moves notes: it rounds them to sixteenths and
triplets, takes notes that lie near each other for a chord of one length, cuts them at barlines, and forgets the pitch
of drums that it has no name for. So it is told that two ticks are never near and that drums are pitched, and its stream
stays flat. Tempos and metres are those of its events, as its streams round tempos to hundredths of a BPM.

One difference is left: in music21 a note lasts to the next note-off of its pitch and channel. Of two notes of one
pitch that overlap, both end with the first note-off; in `midi` the first ends with the first, the second with the
second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

import numpy as np

from seq2drum.errors import MidiError, MissingExtraError
from seq2drum.formats.midi import events, midi
from seq2drum.music.limits import DEFAULT_LIMITS, Limits
from seq2drum.music.notes import NO_PEDAL, Metre, Note, Part, Song, Tempo, in_order

DRUMS, PITCHED = 10, 1  # channels, as music21 counts them
_HIGHEST = 127  # of a data byte: higher ones count as this, as in `midi.parse`

Timed = list[tuple[int, Any]]
"""music21's events of a track, each with its tick."""


@dataclass
class _Group:
    """What a track plays on one channel with one program. pedal: ticks and values of the hi-hat's."""

    is_drums: bool
    program: int
    notes: Timed = field(default_factory=list)
    pedal: list[tuple[int, int]] = field(default_factory=list)


def parse(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Song:
    """Return the song in the bytes of a MIDI file, as `midi.parse` does, its parts and maps by music21.

    `midi.parse` comes first: it refuses what cannot be read, and says what has no place in a stream: the markers, the
    length, and whether kits are Yamaha's.

    Raises:
        LimitError, MidiError: as `midi.parse`; or music21 cannot read the file.
        MissingExtraError: music21 is not installed.
    """
    try:
        from music21.midi import MidiFile
    except ModuleNotFoundError:
        raise MissingExtraError(
            "the reader music21 is not installed: pip install music21; without --reader, symusic reads MIDI"
        ) from None
    checked = midi.parse(data, limits=limits)
    ticks, tracks = events.read_tracks(data, limits)
    file = MidiFile()
    try:
        file.readstr(events.joined(ticks, [track.events for track in midi.mended_where_needed(data, tracks)]))
        timed = [_timed(track) for track in file.tracks]
        parts = [part for own in timed for part in _parts(own, ticks)]
        tempos, metres = _maps(timed)
    except Exception as error:  # music21 has no common error
        reason = f"{type(error).__name__}: {error}"
        raise MidiError(f"music21 cannot read the file ({reason}); leave out --reader, and symusic reads it") from error
    is_xg = any(part.is_xg for part in checked.parts)
    named = (replace(part, is_xg=is_xg) if part.is_drums else part for part in parts)
    return replace(checked, parts=tuple(named), tempos=tempos, metres=metres)


def _timed(track: Any) -> Timed:
    from music21.midi.translate import getTimeForEvents

    timed: Timed = getTimeForEvents(track)
    return timed


def _parts(timed: Timed, ticks: int) -> Iterator[Part]:
    """The parts with notes of a track. ticks: a quarter."""
    from music21.midi import MetaEvents

    names = [event.data for _, event in timed if event.type == MetaEvents.SEQUENCE_TRACK_NAME]
    for group in _groups(timed):
        notes = _notes(group.notes, ticks)
        if notes:
            name = _text(names[-1]) if names else ""
            pedal = in_order([np.array(group.pedal)]) if group.pedal and group.is_drums else NO_PEDAL
            yield replace(Part.of(notes, program=group.program, name=name, is_drums=group.is_drums), pedal=pedal)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _groups(timed: Timed) -> list[_Group]:
    """The groups of a track by channel and program. A note-off is in all of its channel: programs change in between."""
    from music21.midi import ChannelVoiceMessages

    programs: dict[int, int] = {}
    groups: dict[tuple[int, int], _Group] = {}
    for _, event in timed:  # 1. All groups that play.
        if event.type == ChannelVoiceMessages.PROGRAM_CHANGE:
            programs[event.channel] = event.data
        elif event.isNoteOn():
            key = event.channel, programs.get(event.channel, 0)
            groups.setdefault(key, _Group(event.channel == DRUMS, key[1]))
    programs.clear()
    for tick, event in timed:  # 2. What each of them plays.
        current = groups.get((event.channel, programs.get(event.channel, 0)))
        if event.type == ChannelVoiceMessages.PROGRAM_CHANGE:
            programs[event.channel] = event.data
        elif event.isNoteOn() and current:
            current.notes.append((tick, event))
        elif event.isNoteOff():
            for (channel, _), group in groups.items():
                if channel == event.channel:
                    group.notes.append((tick, event))
        elif event.type == ChannelVoiceMessages.CONTROLLER_CHANGE and event.parameter1 == events.PEDAL and current:
            current.pedal.append((tick, event.parameter2))
    return [groups[key] for key in sorted(groups)]


def _notes(timed: Timed, ticks: int) -> list[Note]:
    """The notes that music21's stream of some note-ons and note-offs holds."""
    from music21 import stream
    from music21.midi import DeltaTime, MidiTrack
    from music21.midi.translate import midiTrackToStream

    class Flat(stream.Part):
        """A part that stays as it was read."""

        def quantize(self, *_: Any, **__: Any) -> Any:
            return self

        makeMeasures = makeTies = makeRests = quantize  # noqa: N815  # as music21 calls them

    # 1. A track of these events alone, all of one pitched channel.
    track, before = MidiTrack(1), 0
    for tick, event in timed:
        event.pitch, event.velocity = min(event.pitch, _HIGHEST), min(event.velocity, _HIGHEST)
        event.channel = PITCHED
        track.events += [DeltaTime(track, time=tick - before), event]
        before = tick
    # 2. Its stream. Half a tick is the tolerance in which notes would make a chord.
    flat = Flat()  # type: ignore[no-untyped-call]
    part: Any = midiTrackToStream(track, ticksPerQuarter=ticks, quarterLengthDivisors=(2 * ticks,), inputM21=flat)
    # 3. Notes and chords of it in ticks.
    return [
        Note(round(sound.offset * ticks), round(sound.quarterLength * ticks), one.pitch.midi, one.volume.velocity)
        for sound in part.notes
        for one in (sound.notes if sound.isChord else (sound,))
    ]


def _maps(tracks: Sequence[Timed]) -> tuple[tuple[Tempo, ...], tuple[Metre, ...]]:
    """The tempo and metre events of all tracks by tick, in the order of the file."""
    from music21.midi import MetaEvents

    tempos, metres = list[Tempo](), list[Metre]()
    for tick, event in (one for timed in tracks for one in timed):
        if event.type == MetaEvents.SET_TEMPO:
            tempos.append(Tempo(tick, int.from_bytes(event.data[:3], "big")))
        elif event.type == MetaEvents.TIME_SIGNATURE:
            metres.append(Metre(tick, event.data[0], 1 << event.data[1]))
    tick_of = itemgetter(0)
    return tuple(sorted(tempos, key=tick_of)), tuple(sorted(metres, key=tick_of))
