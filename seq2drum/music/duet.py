"""A guitar and its drums, side by side: what is shown, heard and written as a score.

From one file that has both, or from the guitar's file and the drums' file of the same bars. It chooses which parts
these are; it neither draws nor sounds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from seq2drum.errors import InputError, NoGuitarError, NoNotesError
from seq2drum.music import drum_maps, theory
from seq2drum.music.drum_maps import DrumMap
from seq2drum.music.notes import Part, Song
from seq2drum.music.shown import as_html

DRUMS = "Drums"


class Duet(NamedTuple):
    """Guitars and drums of the same bars.

    song gives the bars, the tempos and the metres; its own parts do not matter here. guitars: none, one or several.
    drums: on the notes of General MIDI's standard kit, without notes if there are none; its program is the kit. All are
    in the song's ticks.
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
        track: The guitar by number from 1 or by name, see `theory.choose_parts`; by default what looks like one.
        drum_map: The notes that the drums are on, if not those of General MIDI.

    Raises:
        InputError: there is neither guitar nor drums, or the track that was asked for has no notes.
        PartNotFoundError: there is no such track.
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
            leader, guitars = song, _guitars(song, track)
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
    """A part of drums with its times multiplied, as far as it is before a tick."""
    rows, pedal = (np.array(times) for times in (part.rows, part.pedal))
    rows[:, :2], pedal[:, :1] = np.rint(rows[:, :2] * scale), np.rint(pedal[:, :1] * scale)
    rows = rows[rows[:, 0] < end]
    rows[:, 1] = np.clip(rows[:, 1], 1, end - rows[:, 0])
    fitted = Part.of(rows, program=part.program, name=part.name, is_drums=True, is_xg=part.is_xg)
    return replace(fitted, pedal=pedal[pedal[:, 0] < end])


def _guitars(song: Song, track: str | None) -> tuple[Part, ...]:
    choice = theory.choose_parts(song, None if _alone(song) else track)
    return tuple(song.parts[index] for index in choice.parts)


def _alone(song: Song) -> bool:
    """Whether these are drums alone: a track that is asked for is of another song."""
    return all(part.is_drums for part in song.parts)
