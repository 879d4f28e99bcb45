"""What is heard of a song: its guitar and its bass on the lattice, and the bars in which the guitar sounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from seq2drum.lattice.form import Form, form_of, lattice_of
from seq2drum.lattice.grid import LENGTH_UNITS, STEPS_PER_QUARTER, Grid, Lattice, encode
from seq2drum.lattice.markers import Marks, marks_of
from seq2drum.lattice.phrases import merge
from seq2drum.music.notes import IntArray, Song
from seq2drum.music.shown import Shown
from seq2drum.music.theory import GUITAR_PROGRAMS, bass_parts


@dataclass(frozen=True, eq=False)
class Heard(Shown):
    """A guitar on the lattice of its song, with all that `features` needs; small enough to keep for thousands of songs.

    programs (9,): notes played by each guitar program (24-31) and by any other. parts: how many parts were merged.
    bass: what the song's bass plays, no note where it has none. `features` does not look at it: it says which groove a
    song wants, not how that is played. marks: the bars at which the file says that a section begins, with its name.
    """

    form: Form
    guitar: Grid
    programs: IntArray
    parts: int
    bass: Grid = field(default_factory=lambda: Grid.join([]))
    marks: Marks = ()

    @property
    def sounding(self) -> tuple[int, int]:
        """The bars [first, stop) in which the guitar sounds; (0, 0) if it never does."""
        grid, form = self.guitar, self.form
        if not len(grid.step):
            return 0, 0
        held = np.maximum(grid.length * STEPS_PER_QUARTER // LENGTH_UNITS, 1) - 1
        last = min(int((grid.step + held).max()), int(form.first[-1]) - 1)
        begin, end = form.bar_of(np.array([int(grid.step.min()), last])).tolist()
        return begin, end + 1

    def between(self, first: int, stop: int) -> Heard:
        """Bars [first, stop) as if there had been no others."""
        guitar, bass = (self.form.notes_between(grid, first, stop) for grid in (self.guitar, self.bass))
        marks = {max(bar, first) - first: name for bar, name in self.marks if bar < stop}
        return replace(self, form=self.form.between(first, stop), guitar=guitar, bass=bass, marks=tuple(marks.items()))

    def silenced(self) -> Heard:
        """The same bars without any note."""
        nothing = Grid.join([])
        return replace(self, guitar=nothing, bass=nothing, programs=np.zeros_like(self.programs))


@dataclass(frozen=True)
class Listening:
    """Some parts of a song, listened to together: the lattice of the song's bars, and what is heard on it."""

    lattice: Lattice
    heard: Heard

    @classmethod
    def of(cls, song: Song, parts: Sequence[int], lattice: Lattice | None = None) -> Listening:
        """Listen to the parts of these numbers, on a lattice of the song's: `lattice_of` it, if none is given.

        The bass is every other part that `bass_parts` names.
        """
        lattice = lattice or lattice_of(song)
        chosen = [song.parts[index] for index in parts]
        programs = np.zeros(len(GUITAR_PROGRAMS) + 1, dtype=np.int64)
        for part in chosen:
            known = part.program in GUITAR_PROGRAMS
            programs[part.program - GUITAR_PROGRAMS.start if known else -1] += len(part)
        basses = [song.parts[index] for index in bass_parts(song) if index not in parts]
        guitar, bass = (encode(merge(some), lattice) for some in (chosen, basses))
        marks = marks_of(song.markers, lattice)
        return cls(lattice, Heard(form_of(song, lattice), guitar, programs, len(chosen), bass, marks))

    @property
    def form(self) -> Form:
        """The bars as arrays."""
        return self.heard.form

    @property
    def numbers(self) -> IntArray:
        """(B,): the number of each bar in the song, from 1; the pieces of a long bar have one number."""
        return np.array([bar.index + 1 for bar in self.lattice.bars])
