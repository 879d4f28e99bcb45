"""Excerpts of songs: cut to some bars, combined with each other, and turned back into notes.

Evaluation and previews during training use excerpts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.lattice import grid as grids
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import CHANGING, Form, written_lattice
from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER, TWELFTHS, Grid
from seq2drum.music.duet import DRUMS, Duet
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Metre, Part, Song, Tempo
from seq2drum.music.theory import GUITAR_PROGRAMS

TEMPO_BAND = 1.2  # ratio within which another song's guitar must match the true tempo
TICKS = 480  # per quarter: every place of the lattice is a whole tick


def shortened(song: Prepared, most: int) -> Prepared:
    """At most this many bars of a song, from the first in which guitar and drums both play."""
    form = song.guitar_grid.form
    both = np.intersect1d(form.bar_of(song.guitar_grid.guitar.step), form.bar_of(song.drums.step))
    first = int(both[0]) if len(both) else 0
    return song.between(first, min(first + most, len(form.steps)))


def others_guitar(
    songs: Sequence[Prepared], more: Sequence[Prepared] = (), *, seed: int = 0
) -> list[GuitarGrid | None]:
    """For each song another song's guitar over its own bars, or None.

    The other song is of another group, of the same metre throughout, and as fast within TEMPO_BAND. One of `more`
    serves only where none of the songs does.
    """
    every = [*songs, *more]
    metres = np.array([song.guitar_grid.form.metre for song in every])
    bpm = np.log([float(np.median(song.guitar_grid.form.bpm)) for song in every])
    steps = np.array([int(song.guitar_grid.form.steps[0]) for song in every])
    groups = np.array([song.group for song in every])
    guitars: list[GuitarGrid | None] = []
    for index, song in enumerate(songs):
        alike = (metres == metres[index]) & (steps == steps[index]) & (groups != song.group)
        able = np.flatnonzero(alike & (np.abs(bpm - bpm[index]) <= np.log(TEMPO_BAND)))
        able = own if len(own := able[able < len(songs)]) else able
        if metres[index] == CHANGING or not len(able):
            guitars.append(None)
            continue
        of_song = int.from_bytes(hashlib.sha256(song.sha256.encode()).digest()[:8], "little")
        rng = np.random.default_rng([seed, 2, of_song])
        guitars.append(lay_over(every[int(rng.choice(able))].guitar_grid, song.guitar_grid))
    return guitars


def lay_over(other: GuitarGrid, own: GuitarGrid) -> GuitarGrid:
    """Another song's guitar and bass in the bars of this one, from where its guitar begins, repeated to fill them.

    All bars of both songs have one length.
    """
    form = own.form
    (begin, end), (low, high) = own.sounding, other.sounding

    def laid(grid: Grid) -> Grid:
        pieces = []
        for index, bar in enumerate(range(begin, end)):
            source = low + index % max(high - low, 1)
            pieces.append(other.form.notes_between(grid, source, source + 1).shift(form.first[bar]))
        return Grid.join(pieces)

    return GuitarGrid(form, laid(other.guitar), other.programs, other.parts, laid(other.bass))


def duet_of(guitar_grid: GuitarGrid, drums: Grid) -> Duet:
    """A guitar of a corpus and drums to it (keys: voices of the full kit) as notes in ticks, to draw or render.

    Its bars have the lengths, metres and tempos of the guitar's form.
    """
    song = _song_of(guitar_grid.form)
    lattice = written_lattice(song)
    most = int(np.argmax(guitar_grid.programs))
    program = GUITAR_PROGRAMS[most] if most < len(GUITAR_PROGRAMS) else 0
    guitar = grids.decode(guitar_grid.guitar, lattice, program=program, name="Guitar")
    rows = guitar.rows.copy()
    rows[:, 1] = np.minimum(rows[:, 1], np.maximum(song.length - rows[:, 0], 1))  # a cut song ends where it was cut
    part = Part.of(rows[rows[:, 0] < song.length], program=program, name="Guitar")
    struck = grids.decode(drums, lattice, FULL, name=DRUMS)
    return Duet(song, (part,), struck)


def _song_of(form: Form) -> Song:
    """A song without notes that has these bars."""
    tick, whole = 0, True
    metres, tempos = list[Metre](), list[Tempo]()
    columns = (form.steps, form.numerator, form.denominator, form.bpm)
    for steps, numerator, denominator, bpm in zip(*(column.tolist() for column in columns), strict=True):
        if not whole or not metres or metres[-1][1:] != (numerator, denominator):
            metres.append(Metre(tick, numerator, denominator))  # repeated where a bar was cut short
        tempo = Tempo(tick, round(60_000_000 / bpm))
        if not tempos or tempos[-1].microseconds != tempo.microseconds:
            tempos.append(tempo)
        length, rest = divmod(4 * TICKS * numerator, denominator)
        whole = not rest and int(grids.steps_in(length, TICKS)) == steps
        tick += length if whole else _ticks_of(steps)
    return Song(TICKS, (), tuple(tempos), tuple(metres), tick)


def _ticks_of(steps: int) -> int:
    """Ticks of a bar of this many places, up to the next place, whatever its metre."""
    quarters, place = divmod(steps, STEPS_PER_QUARTER)
    return quarters * TICKS + int(PLACES[place]) * TICKS // TWELFTHS
