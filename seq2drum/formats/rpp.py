"""A song and its drums as a REAPER project: a track for each instrument, and the tempo and metre map.

A project file (.rpp) is text: blocks of lines in angle brackets. Notes lie in it as MIDI events with their distance in
ticks, in the song's own ticks per quarter, and REAPER places them by quarters: whatever the tempo does, a tick of the
song is a tick of the project. Tempo and metre changes lie in it as points in seconds, computed as fractions and written
with twelve decimals.

The same song and drums give the same bytes. Fields with defaults in REAPER (colours, heights, routing) are left out.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from seq2drum.formats.midi.events import DRUM_CHANNEL, PEDAL
from seq2drum.music.notes import Metre, Part, Song, Tempo
from seq2drum.music.theory import part_name

DRUM_TRACK = "Drums (seq2drum)"
_HELD = 1  # the shape of a point whose tempo holds until the next
_HAS_METRE, _PARTIAL_BAR = 1, 4  # the flags of a point


def write_rpp(
    song: Song,
    takes: Sequence[Part],
    name: str = "Drums",
    beside: Mapping[str, Sequence[Part]] = MappingProxyType({}),
) -> bytes:
    """A REAPER project of a song's pitched parts and markers and, below them, a drum track.

    takes: drum parts in ticks of the song; several are takes of one item, the first of them active; without any there
    is no drum track. name: the name of the takes. beside: further tracks by name, each with its takes. The song's own
    drums are left out.
    """
    named = [(part_name(part, number), part) for number, part in enumerate(song.parts, 1) if not part.is_drums]
    numbered = [name if len(takes) == 1 else f"{name} {number}" for number in range(1, len(takes) + 1)]
    ids = _Ids(song, [*takes, *(part for parts in beside.values() for part in parts)])
    first_tempo, first_metre = song.tempo_map[0], song.metre_map[0]
    lines = [
        '<REAPER_PROJECT 0.1 "7.0" 0',
        f"TEMPO {first_tempo.bpm:.10f} {first_metre.numerator} {first_metre.denominator}",
        "<TEMPOENVEX",
        f"EGUID {ids.next()}",
        "ACT 1 -1",
        "VIS 1 0 1",
        "ARM 0",
        "DEFSHAPE 1 -1 -1",
        *_points(song),
        ">",
        *(
            f"MARKER {number} {_decimal(_seconds(song, marker.tick))} {_quoted(marker.text)} 0"
            for number, marker in enumerate(song.markers, 1)
        ),
    ]
    for called, part in named:
        lines += _track(called, [(called, part)], song, ids)
    if takes:
        lines += _track(DRUM_TRACK, list(zip(numbered, takes, strict=True)), song, ids)
    for called, parts in beside.items():
        lines += _track(called, [(called, part) for part in parts], song, ids)
    lines.append(">")
    return ("\n".join(_indented(lines)) + "\n").encode()


class _Ids:
    """REAPER's ids of tracks, items and takes, derived from the music, so that no two songs share them."""

    def __init__(self, song: Song, takes: Sequence[Part]) -> None:
        digest = hashlib.sha256(repr((song.ticks_per_quarter, song.tempos, song.metres, song.end)).encode())
        for part in (*song.parts, *takes):
            digest.update(part.rows.tobytes())
        self._song, self._count = uuid.UUID(bytes=digest.digest()[:16]), 0

    def next(self) -> str:
        self._count += 1
        return f"{{{str(uuid.uuid5(self._song, str(self._count))).upper()}}}"


# --- tempo and metre --------------------------------------------------------------------------------------------------


class _Point(NamedTuple):
    """A point of the tempo map: a tempo, and a metre if it changes here. partial: its bar cuts the one before short."""

    tick: int
    tempo: Tempo
    metre: Metre | None
    partial: bool


def _points(song: Song) -> Iterator[str]:
    seconds, here = Fraction(0), _Point(0, song.tempo_map[0], None, False)
    for point in _map(song):
        seconds += Fraction((point.tick - here.tick) * here.tempo.microseconds, 1_000_000 * song.ticks_per_quarter)
        here = point
        line = f"PT {_decimal(seconds)} {point.tempo.bpm:.10f} {_HELD}"
        if point.metre is not None:
            flags = _HAS_METRE | (_PARTIAL_BAR if point.partial else 0)
            line += f" {point.metre.denominator << 16 | point.metre.numerator} 0 {flags}"
        yield line


def _map(song: Song) -> Iterator[_Point]:
    """Every change of tempo or metre, the first at tick 0."""
    tempos = {tempo.tick: tempo for tempo in song.tempo_map}
    metres = {metre.tick: metre for metre in song.metre_map}
    cut = {
        after.tick
        for before, after in pairwise(song.metre_map)
        if (after.tick - before.tick) % Fraction(4 * before.numerator * song.ticks_per_quarter, before.denominator)
    }
    tempo = tempos[0]
    for tick in sorted(tempos.keys() | metres.keys()):
        tempo = tempos.get(tick, tempo)
        yield _Point(tick, tempo, metres.get(tick), tick in cut)


# --- tracks -----------------------------------------------------------------------------------------------------------


def _track(name: str, takes: Sequence[tuple[str, Part]], song: Song, ids: _Ids) -> list[str]:
    """A track with one item as long as the song; takes: their names and notes."""
    end = max([song.end, 1, *(part.end for _, part in takes)])
    lines = [
        f"<TRACK {ids.next()}",
        f"NAME {_quoted(name)}",
        "<ITEM",
        "POSITION 0",
        f"LENGTH {_decimal(_seconds(song, end))}",
        "LOOP 0",
        f"IGUID {ids.next()}",
    ]
    for number, (called, part) in enumerate(takes):
        if number:
            lines.append("TAKE")
        lines += [f"NAME {_quoted(called)}", "SOFFS 0 0", "PLAYRATE 1 1 0 -1 0 0.0025", f"GUID {ids.next()}"]
        lines += ["<SOURCE MIDI", f"HASDATA 1 {song.ticks_per_quarter} QN", *_events(part, end)]
        lines += [f"GUID {ids.next()}", "IGNTEMPO 0 120 4 4", ">"]
    return [*lines, ">", ">"]


def _events(part: Part, end: int) -> Iterator[str]:
    """The part's events, each with its distance from the one before; the last marks the end of the source."""
    channel = DRUM_CHANNEL if part.is_drums else 0
    # The standard kit needs no program change: a sampler with other programs might follow it.
    events = [] if part.is_drums and not part.program else [(0, 0, 0xC0, part.program, 0)]
    events += [(tick, 1, 0xB0, PEDAL, value) for tick, value in part.pedal.tolist()]
    for note in part:
        # A note ends before the next begins at the same tick; one without length ends after it has begun.
        order = 1 if note.duration else 3
        events.append((note.onset, 2, 0x90, note.pitch, note.velocity))
        events.append((note.onset + note.duration, order, 0x80, note.pitch, 0))
    events.append((end, 4, 0xB0, 0x7B, 0))
    before = 0
    for tick, _, status, first, second in sorted(events, key=lambda event: event[:2]):
        yield f"E {tick - before} {status | channel:02x} {first:02x} {second:02x}"
        before = tick


def _seconds(song: Song, tick: int) -> Fraction:
    """The exact time of a tick."""
    return Fraction(int(song.elapsed(np.array([tick]))[0]), 1_000_000 * song.ticks_per_quarter)


# --- text -------------------------------------------------------------------------------------------------------------


def _decimal(value: Fraction) -> str:
    """A number of twelve decimals, rounded once."""
    whole, rest = divmod(round(value * 10**12), 10**12)
    return f"{whole}.{rest:012d}"


def _quoted(text: str) -> str:
    """A name between quotes that it does not contain: the format has three kinds and no escapes."""
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    for mark in ('"', "'", "`"):
        if mark not in text:
            return f"{mark}{text}{mark}"
    return "`" + text.replace("`", "'") + "`"


def _indented(lines: Sequence[str]) -> Iterator[str]:
    depth = 0
    for line in lines:
        depth -= line == ">"
        yield "  " * depth + line
        depth += line.startswith("<")
