"""The Groove MIDI Dataset: recordings of human drummers, their hits on the lattice.

J. Gillick, A. Roberts, J. Engel, D. Eck, D. Bamman, Learning to Groove with Inverse Sequence Transformations (ICML
2019). CC BY 4.0.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import CorpusError
from seq2drum.formats import midi
from seq2drum.lattice.form import Form, form_of, written_lattice
from seq2drum.lattice.grid import OFFSET_UNITS, Grid, encode
from seq2drum.music import drum_maps
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Part
from seq2drum.play.feel import SET, edges

INFO = "info.csv"
# The rim of the drummers' third tom, which is another instrument in General MIDI.
_PADS = {58: 43}

Array = NDArray[np.float64]


class Recording(NamedTuple):
    """One recording of a drummer: its hits on the lattice, voices of the drum set."""

    name: str
    style: str
    split: str
    form: Form
    hits: Grid

    @property
    def moments(self) -> Array:
        """(N,): how many milliseconds after its place each hit was struck."""
        low, high = edges(self.hits.step, self.form)
        late = np.clip(self.hits.offset / OFFSET_UNITS, -0.5, 0.5)
        moments: Array = np.clip(2 * late * np.where(late < 0, -low, high), low, high)
        return moments


def recordings(folder: Path) -> list[Recording]:
    """The recordings of the Groove MIDI Dataset, in the order of its `info.csv`.

    Raises:
        CorpusError: the folder is not the data set.
    """
    try:
        with (folder / INFO).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        wanted = [(row["midi_filename"], row["style"].split("/")[0], row["split"]) for row in rows]
    except (OSError, KeyError) as error:
        raise CorpusError(f"{str(folder)!r} is not the Groove MIDI Dataset: no usable {INFO} ({error})") from None
    every = []
    for name, style, split in wanted:
        song = midi.read(folder / name)
        lattice = written_lattice(song)
        rows_of = np.concatenate([part.rows for part in drum_maps.drum_parts(song)])
        for pad, note in _PADS.items():
            rows_of[rows_of[:, 2] == pad, 2] = note
        hits = encode(Part.of(rows_of, is_drums=True), lattice, FULL)
        every.append(Recording(name, style, split, form_of(song, lattice), hits.select(hits.key < SET)))
    return every
