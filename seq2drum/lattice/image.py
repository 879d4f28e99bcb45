"""Drums as a picture of eight bars: 25 rows, 256 columns, black where something is struck.

A row is a note of General MIDI, 60 on top and 36 at the bottom; a column is a 32nd, 32 of them a bar of 4/4.

The law: `picture_of(part_of(picture))` is the picture itself, and of a part comes back each hit of a note of NOTES in
the first eight bars, on the nearest 32nd. What a picture loses: how hard and how long, the tempo, triplets and whatever
else lies between the 32nds, hits of one note on one 32nd but one, and all other notes, but 35, which is drawn as 36.
All notes that a picture has are pieces of the full kit. A `Pattern` keeps those of its nine voices.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.patterns import QUARTERS, TICKS, Pattern
from seq2drum.lattice.patterns import part_of as part_of_pattern
from seq2drum.music.notes import IntArray, Part

BARS = 8
COLUMNS = 32
"""Of a bar."""

NOTES = range(36, 61)
"""The notes that have rows, from the bottom up."""

ROWS, WIDTH = len(NOTES), BARS * COLUMNS
VELOCITY = 96
"""How hard a hit is that was read from a picture."""

KICK, SNARE = 36, 38
UPSIDE_DOWN = 4
"""How many times as many hits the row of a note has, where the picture is upside down."""

_TICKS = QUARTERS * TICKS // COLUMNS  # of a column
_ACOUSTIC_KICK = 35

Picture = NDArray[np.bool_]
"""(ROWS, WIDTH): true where it is black; the first row is the highest note."""


def part_of(picture: Picture) -> Part:
    """What is drawn, as a drum part of TICKS a quarter."""
    row, column = np.nonzero(picture[::-1])
    same: IntArray = np.ones_like(row)
    rows = np.stack([column * _TICKS, same * _TICKS, row + NOTES[0], same * VELOCITY], axis=1)
    return Part.of(rows, name="Drums", is_drums=True)


def is_upside_down(picture: Picture) -> bool:
    """Whether the first row of a picture is the lowest note, as a kick there says; a snare, where there is no kick.

    So are all but one of the 783 pictures of GANs-Drum-Pattern-Generator, and 2 of 2,042 made of drummers' eight bars.
    """
    for note in (KICK, SNARE):
        lowest, highest = picture[NOTES[-1] - note].sum(), picture[note - NOTES[0]].sum()
        if lowest or highest:
            return bool(highest > UPSIDE_DOWN * lowest)
    return False


def picture_of(part: Part, ticks_per_quarter: int = TICKS, first: int = 0) -> Picture:
    """The picture of eight bars of a drum part that begins at a barline and is in 4/4.

    first: the first of the bars, counted from 0.
    """
    pitch = np.where(part.pitch == _ACOUSTIC_KICK, NOTES[0], part.pitch)
    column = np.rint(part.onset * COLUMNS / (QUARTERS * ticks_per_quarter)).astype(np.int64) - first * COLUMNS
    inside = (column >= 0) & (column < WIDTH) & (pitch >= NOTES[0]) & (pitch <= NOTES[-1])
    picture = np.zeros((ROWS, WIDTH), dtype=bool)
    picture[pitch[inside] - NOTES[0], column[inside]] = True
    return picture[::-1].copy()


def pictures_of(pattern: Pattern) -> Iterator[Picture]:
    """The pictures of a pattern: one for every eight bars, of the last of them what there is."""
    part = part_of_pattern(pattern)
    for first in range(0, pattern.bars, BARS):
        yield picture_of(part, TICKS, first)
