"""Some bars of a song as a song of their own, to try something in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seq2drum.errors import NoNotesError, OptionError
from seq2drum.music.notes import Part, Song


def excerpt(song: Song, bars: tuple[int, int], parts: Sequence[int]) -> tuple[Song, int]:
    """Return bars of a song as a song whose first parts are the given ones; and how many of these sound in it.

    It has neither markers nor parts that are silent in these bars. A note that is held beyond the last bar ends with
    it; one that began before the first is left out.

    Args:
        song: The song.
        bars: The first and the last bar, from 1.
        parts: Indices of parts, such as the guitar's.

    Raises:
        OptionError: the song has fewer bars.
        NoNotesError: none of the parts begins a note in these bars.
    """
    there, (first, last) = song.bars(), bars
    if last > len(there):
        raise OptionError(f"an excerpt of bars {first} to {last} is requested, but the song has {len(there)}")
    start, stop = there[first - 1].start, there[last - 1].end
    cut = [_cut(part, start, stop) for part in song.parts]
    given = [cut[index] for index in parts if len(cut[index])]
    others = [part for index, part in enumerate(cut) if len(part) and index not in parts]
    if not given:
        raise NoNotesError(f"the guitar has no notes in bars {first} to {last}; choose bars in which it plays")
    tempos, metres = (_shifted(changes, start, stop) for changes in (song.tempo_map, song.metre_map))
    return Song(song.ticks_per_quarter, (*given, *others), tempos, metres, stop - start), len(given)


def _cut(part: Part, start: int, stop: int) -> Part:
    """Return the notes of a part that begin in [start, stop), from tick 0 on."""
    rows = part.rows[(start <= part.onset) & (part.onset < stop)]
    rows = np.stack([rows[:, 0] - start, np.minimum(rows[:, 1], stop - rows[:, 0]), rows[:, 2], rows[:, 3]], axis=1)
    fresh = Part.of(rows, program=part.program, name=part.name, is_drums=part.is_drums, is_xg=part.is_xg)
    pedal = part.pedal[(start <= part.pedal[:, 0]) & (part.pedal[:, 0] < stop)] - np.array([start, 0])
    return replace(fresh, pedal=pedal)


def _shifted(changes: Iterable[Any], start: int, stop: int) -> tuple[Any, ...]:
    """Return the tempos or metres in [start, stop) from tick 0 on, first the one that holds at `start`."""
    before = [one._replace(tick=0) for one in changes if one.tick <= start][-1:]
    return (*before, *(one._replace(tick=one.tick - start) for one in changes if start < one.tick < stop))
