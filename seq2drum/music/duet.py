"""A guitar and its drums, side by side, to be shown, played and written as a score.

They come from one file with both, or from the guitar's file and the drums' file of the same bars. This module chooses
the parts; it neither draws nor sounds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from seq2drum.errors import InputError, NoGuitarError, NoNotesError
from seq2drum.music import drum_maps, metres, theory
from seq2drum.music.drum_maps import DrumMap
from seq2drum.music.notes import Marker, Metre, Note, Part, Song
from seq2drum.music.shown import as_html

DRUMS = "Drums"


class Duet(NamedTuple):
    """Guitars and drums of the same bars.

    song: gives the bars, the tempos and the metres; its own parts are ignored. guitars: none, one or several. drums: on
    the notes of General MIDI's standard kit, possibly empty; its program is the kit. All are in the song's ticks.
    """

    song: Song
    guitars: tuple[Part, ...]
    drums: Part

    def _repr_html_(self) -> str:
        return as_html(self)


def of_songs(songs: Sequence[Song], *, track: str | None = None, drum_map: DrumMap | None = None) -> Duet:
    """The guitar of the first song that has one, with the drums of the last song that has some.

    The song with the guitar gives the bars; drums of another file are brought to its ticks, and to its length if they
    are longer.

    Args:
        songs: One or several of the same bars.
        track: The guitar by number from 1 or by name, see `theory.choose_parts`; by default the detected one.
        drum_map: The map of the drums, if not General MIDI's.

    Raises:
        InputError: neither guitar nor drums, or the requested track has no notes.
        PartNotFoundError: no such track.
    """
    if not songs:
        raise InputError("no song was given, wanted one with a guitar, with drums, or with both")
    drummer = next(
        (song for song in reversed(songs) if any(len(song.parts[at]) for at in theory.drum_parts(song))), None
    )
    leader, problem = songs[0], None
    guitars: tuple[Part, ...] = ()
    for song in songs:
        try:
            choice = theory.choose_parts(song, None if _alone(song) else track)
            leader, guitars = song, tuple(song.parts[index] for index in choice.parts)
            break
        except (NoGuitarError, NoNotesError) as error:
            if track is not None and not _alone(song):
                raise
            problem = problem or error
    if drummer is None:
        if problem and not guitars:
            raise problem
        return Duet(leader, guitars, Part.of([], name=DRUMS, is_drums=True))
    parts = drum_maps.drum_parts(drummer, drum_map)
    rows = np.concatenate([part.rows for part in parts])
    if drummer.ticks_per_quarter != leader.ticks_per_quarter:
        rows[:, :2] = np.rint(rows[:, :2] * (leader.ticks_per_quarter / drummer.ticks_per_quarter))
    kit = max(parts, key=len)
    name = parts[0].name.strip() or DRUMS
    drums = Part.of(rows, program=kit.program, name=name, is_drums=True, is_xg=kit.is_xg)
    return Duet(replace(leader, length=max(leader.end, drums.end)), guitars, drums)


def redrummed(song: Song, drums: Song) -> Song:
    """The song with the drums of another of the same bars in place of its own. Its other parts keep their numbers.

    The drums are brought to its ticks, and end where it ends.

    Raises:
        InputError: that song has no drums.
    """
    given = [drums.parts[index] for index in theory.drum_parts(drums) if len(drums.parts[index])]
    if not given:
        raise InputError("the file of the drums has none, wanted notes on the drum channel")
    own = [
        Part.of([], program=part.program, name=part.name, is_drums=True) if part.is_drums else part
        for part in song.parts
    ]
    scale = song.ticks_per_quarter / drums.ticks_per_quarter
    return replace(song, parts=(*own, *(_fitted(part, scale, song.end) for part in given)), length=song.end)


def _fitted(part: Part, scale: float, end: int) -> Part:
    """A part of drums with its times scaled, cut at a tick."""
    rows, pedal = (np.array(times) for times in (part.rows, part.pedal))
    rows[:, :2], pedal[:, :1] = np.rint(rows[:, :2] * scale), np.rint(pedal[:, :1] * scale)
    rows = rows[rows[:, 0] < end]
    rows[:, 1] = np.clip(rows[:, 1], 1, end - rows[:, 0])
    fitted = Part.of(rows, program=part.program, name=part.name, is_drums=True, is_xg=part.is_xg)
    return replace(fitted, pedal=pedal[pedal[:, 0] < end])


def _alone(song: Song) -> bool:
    """Return whether these are drums alone: a requested track belongs to another song."""
    return all(part.is_drums for part in song.parts)


COUNT_IN, FIRST_BAR = "Count-in", "Bar 1"
STICKS = 37  # the note of the side stick, which every kit has
CLICK_NAME = "Click"
_WOODBLOCK = 115  # General MIDI program
_PITCH, _ACCENT = (76, 100), (84, 120)  # pitch and velocity of a beat, and of the first of a bar
_SHORT = 8  # length of a click as a fraction of a quarter


class Counted(NamedTuple):
    """A song behind a count-in.

    shift: ticks by which it was moved. metres: of the count-in and of the song's first bar, empty if they are equal.
    hits: the count-in's, on the side stick.
    """

    song: Song
    shift: int
    metres: tuple[Metre, ...]
    hits: tuple[Note, ...]


def counted_in(song: Song, bars: int) -> Counted:
    """A song moved back by so many bars of its first whole bar's metre and tempo.

    Markers name the beginning of the count-in, and that of the song unless it has one.
    """
    bar, *others = song.bars()[:2]
    if others and others[0].length > bar.length:  # the first is a pickup
        bar = others[0]
    metre = Metre(0, bar.numerator, bar.denominator)
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
    """A part moved back by so many ticks."""
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


def _beats(song: Song) -> Iterator[tuple[int, int, bool]]:
    """Each beat: its tick, the length of its click, and whether it is the first of its bar."""
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
