"""What is counted before and beside a song: the bars of a count-in, and a click on every beat.

A count-in moves the song back by whole bars and keeps its tempos, metres and markers. Nothing here knows a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from seq2drum.music import metres
from seq2drum.music.notes import Marker, Metre, Note, Part, Song

COUNT_IN, FIRST_BAR = "Count-in", "Bar 1"
STICKS = 37  # the note of the side stick, which every kit has
CLICK_NAME = "Click"
_WOODBLOCK = 115  # General MIDI program
_PITCH, _ACCENT = (76, 100), (84, 120)  # pitch and velocity of a beat, and of the first of a bar
_SHORT = 8  # a click lasts a quarter by so many


class Counted(NamedTuple):
    """A song behind a count-in.

    shift: by how many ticks it was moved. metres: of the count-in and of the song's first bar, none where they are one.
    hits: the count-in's, on the side stick.
    """

    song: Song
    shift: int
    metres: tuple[Metre, ...]
    hits: tuple[Note, ...]


def counted_in(song: Song, bars: int) -> Counted:
    """A song moved back by so many bars of its first whole bar's metre and tempo.

    A marker says where the count-in begins, and another where the song does unless one stands there.
    """
    metre = _first_whole(song)
    shift = round(bars * Fraction(4 * metre.numerator * song.ticks_per_quarter, metre.denominator))
    first = song.metre_map[0]
    whole = song.bars()[0].length == round(shift / bars) and (metre.numerator, metre.denominator) == first[1:]
    moved = [one._replace(tick=one.tick + shift) for one in song.metre_map]
    markers = [one._replace(tick=one.tick + shift) for one in song.markers]
    if not any(one.tick == shift for one in markers):
        markers.insert(0, Marker(shift, FIRST_BAR))
    moved_song = replace(
        song,
        parts=tuple(later(part, shift) for part in song.parts),
        tempos=tuple(one if one.tick == 0 else one._replace(tick=one.tick + shift) for one in song.tempos),
        metres=(metre, *(moved[1:] if whole else moved)),
        length=song.end + shift,
        markers=(Marker(0, COUNT_IN), *markers),
    )
    counted = replace(moved_song, parts=(), length=shift)
    hits = (Note(tick, length, STICKS, 112 if first else 92) for tick, length, first in _beats(counted))
    return Counted(moved_song, shift, () if whole else (metre, moved[0]), tuple(hits))


def later(part: Part, ticks: int) -> Part:
    """A part so many ticks later."""
    pedal = part.pedal.copy()
    pedal[:, 0] += ticks
    return replace(part, onset=part.onset + ticks, pedal=pedal)


def click(song: Song) -> Part:
    """A wood block on every beat of a song, the first of each bar higher and louder."""
    hits = []
    for tick, length, first in _beats(song):
        pitch, velocity = _ACCENT if first else _PITCH
        hits.append(Note(tick, length, pitch, velocity))
    return Part.of(hits, program=_WOODBLOCK, name=CLICK_NAME)


def _first_whole(song: Song) -> Metre:
    """The metre of the first bar, or of the second where the first is shorter: a pickup."""
    first, *others = song.bars()[:2]
    bar = others[0] if others and others[0].length > first.length else first
    return Metre(0, bar.numerator, bar.denominator)


def _beats(song: Song) -> Iterator[tuple[int, int, bool]]:
    """Each beat: its tick, how long a click on it lasts, and whether it is the first of its bar."""
    short = max(song.ticks_per_quarter // _SHORT, 1)
    for bar in song.bars():
        groups = metres.groups(bar.numerator, bar.denominator)
        beats = groups if bar.denominator > 4 and len(groups) > 1 else (1,) * bar.numerator
        unit, before = Fraction(4 * song.ticks_per_quarter, bar.denominator), 0
        for beat in beats:
            tick = bar.start + round(before * unit)
            if tick < bar.end:
                yield tick, short, before == 0
            before += beat
