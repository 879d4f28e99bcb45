"""The MIDI reader against music21's low-level reader.

Compared are ticks per quarter, every tempo and metre event, and every note (onset, duration, pitch, velocity and
whether it is on channel 10). music21 gives bare events only, and this file pairs them into notes: a note-off ends the
note of its pitch, channel and track that has sounded longest. So the two ways to a note share no code.

Over the 6,038 songs of the training corpus (357 jazz, 5,681 band) all agree; that takes some 8 minutes of one core.
"""

from __future__ import annotations

import signal
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from seq2drum.errors import MidiError
from seq2drum.formats.midi import midi
from seq2drum.music.notes import Song

AGREE = "agree"


class Contents(NamedTuple):
    """What a file holds: notes as (onset, duration, pitch, velocity, on channel 10), maps as tuples, all sorted."""

    ticks_per_quarter: int
    notes: tuple[tuple[int, int, int, int, bool], ...]
    tempos: tuple[tuple[int, int], ...]
    metres: tuple[tuple[int, int, int], ...]


def ours(song: Song) -> Contents:
    """The same view of a song of ours."""
    notes = sorted((*note, part.is_drums) for part in song.parts for note in part)
    return Contents(song.ticks_per_quarter, tuple(notes), tuple(sorted(song.tempos)), tuple(sorted(song.metres)))


def theirs(data: bytes) -> Contents:
    """What music21's events say. A note-off ends the note of its pitch, channel and track that has sounded longest."""
    from music21.midi import ChannelVoiceMessages, MetaEvents, MidiFile

    file = MidiFile()
    file.readstr(data)
    ends = (ChannelVoiceMessages.NOTE_ON, ChannelVoiceMessages.NOTE_OFF)
    notes: list[tuple[int, int, int, int, bool]] = []
    tempos: list[tuple[int, int]] = []
    metres: list[tuple[int, int, int]] = []
    for track in file.tracks:
        tick = 0
        sounding: dict[tuple[int, int | None], deque[tuple[int, int]]] = defaultdict(deque)
        for event in track.events:
            if event.isDeltaTime():
                tick += event.time
                continue
            value: Any = event.data
            if event.type == MetaEvents.SET_TEMPO:
                tempos.append((tick, int.from_bytes(value[:3], "big")))
            elif event.type == MetaEvents.TIME_SIGNATURE:
                metres.append((tick, value[0], 1 << value[1]))
            elif event.type == ChannelVoiceMessages.NOTE_ON and event.velocity:
                sounding[event.channel, event.pitch].append((tick, event.velocity))
            elif event.type in ends and (queue := sounding[event.channel, event.pitch]):
                onset, velocity = queue.popleft()
                notes.append((onset, tick - onset, int(event.pitch or 0), velocity, event.channel == 10))
    return Contents(file.ticksPerQuarterNote, tuple(sorted(notes)), tuple(sorted(tempos)), tuple(sorted(metres)))


def reasons(ours: Contents, theirs: Contents) -> list[str]:
    """Where the two differ; empty if they agree."""
    differences = []
    if ours.ticks_per_quarter != theirs.ticks_per_quarter:
        differences.append("ticks per quarter")
    if ours.notes != theirs.notes:
        differences.append(f"notes: {_difference(ours.notes, theirs.notes)}")
    if ours.tempos != theirs.tempos:
        differences.append(f"tempos: {_difference(ours.tempos, theirs.tempos)}")
    if ours.metres != theirs.metres:
        differences.append(f"metres: {_difference(ours.metres, theirs.metres)}")
    return differences


def _difference(ours: Sequence[Any], theirs: Sequence[Any]) -> str:
    mine, other = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
    return (
        f"{sum(mine.values())} only ours {sorted(mine)[:3]}, {sum(other.values())} only music21's {sorted(other)[:3]}"
    )


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in a block that takes too long: music21 can take forever on a crafted file."""

    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def compare(data: bytes, seconds: int = 20) -> list[str]:
    """The reasons why the readers differ on a file; `[AGREE]` if they do not."""
    try:
        song = midi.parse(data)
    except MidiError as error:
        return [f"refused by us: {error}"]
    try:
        with time_limit(seconds):
            guitar_grid = theirs(data)
    except TimeoutError:
        return [f"music21 took more than {seconds} s"]
    except Exception as error:  # music21 raises many kinds; here they are results
        return [f"refused by music21: {type(error).__name__}: {error}"]
    return reasons(ours(song), guitar_grid) or [AGREE]
