"""Bars of drums for generators to learn from, read from folders of drum files.

For the Groove MIDI Dataset (J. Gillick et al., Learning to Groove with Inverse Sequence Transformations, ICML 2019, CC
BY 4.0) its table states genre, tempo, fills and sides. In other folders, genre and fills follow from the names of files
and folders, the tempo from the file, and the side from the digest of its name. Names also identify files that have one
piece each on any note, see `data.corpus.reading`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import split_of
from seq2drum.data.corpus.reading import bpm_of, find_files, name_of, named_drums
from seq2drum.errors import CorpusError, InputError, OptionError
from seq2drum.formats import opening
from seq2drum.lattice.patterns import Velocities, pattern_of_song
from seq2drum.music import drum_maps
from seq2drum.music.choices import LEARNT
from seq2drum.music.notes import IntArray, Part, Song

INFO = "info.csv"
SIDES = ("train", "validation", "test")
LIKE = MappingProxyType({"highlife": "afrobeat", "punk": "rock", "gospel": "soul", "hip-hop": "hiphop"})
"""Genres too rare to stand alone -> the most similar genre. Others without a name are any genre."""

_PADS = MappingProxyType({58: 43})  # of the data set's drummers: the rim of the third tom
_LEAST_HITS = 4  # of a performance


class Beats(NamedTuple):
    """Bars of drums, one row each.

    velocity (n, places, 9) 0..1, zero where nothing is struck. performance (n,): index of the file in `names`.
    number (n,): index of the bar in that file. genre (n,): index in LEARNT, -1 for any. bpm (n,). fill (n,): True for
    bars of fills. side (n,): index in SIDES. names: of the files.
    """

    velocity: Velocities
    performance: IntArray
    number: IntArray
    genre: IntArray
    bpm: NDArray[np.float64]
    fill: NDArray[np.bool_]
    side: IntArray
    names: tuple[str, ...]

    def select(self, which: NDArray[np.bool_] | IntArray) -> Beats:
        """Some of the bars."""
        columns: Any = (column[which] for column in self[:-1])
        return Beats(*columns, self.names)  # type: ignore[call-arg]

    def windows(self, bars: int, hop: int = 1) -> IntArray:
        """(m,): first rows of windows of so many bars in one performance, every `hop` bars; fills excluded."""
        last = np.arange(len(self.number)) + bars - 1
        inside = last < len(self.number)
        first = np.flatnonzero(inside & ~self.fill & (self.number % hop == 0))
        whole: IntArray = first[self.performance[first] == self.performance[first + bars - 1]]
        return whole


class _Listed(NamedTuple):
    """A file and its metadata; bpm None: that of the file."""

    path: Path
    name: str
    genre: str
    bpm: float | None
    fill: bool
    side: str


def read(folders: Sequence[Path], places: int = 24) -> Beats:
    """The bars of all drum files in 4/4 under some folders, on a grid.

    Empty bars before the first hit of a file and after its last are left out.

    Raises:
        CorpusError: no bar was found.
    """
    rows: list[tuple[Velocities, int, NDArray[np.float64]]] = []
    names: list[str] = []
    for listed in (one for folder in folders for one in _listed(folder)):
        read = _read(listed, places)
        if read is None:
            continue
        velocity, bpm = read
        genre = LIKE.get(listed.genre, listed.genre)
        known = LEARNT.index(genre) if genre in LEARNT else -1
        about = np.tile([len(names), known, bpm, listed.fill, SIDES.index(listed.side)], (len(velocity), 1))
        rows.append((velocity, len(velocity), about))
        names.append(listed.name)
    if not rows:
        raise CorpusError("there are no drums in 4/4 in these folders; wanted MIDI files with drums on channel 10")
    about = np.concatenate([row[2] for row in rows])
    performance, genre, fill, side = about[:, [0, 1, 3, 4]].astype(np.int64).T
    number = np.concatenate([np.arange(row[1]) for row in rows])
    velocity = np.concatenate([row[0] for row in rows])
    return Beats(velocity, performance, number, genre, about[:, 2], fill.astype(bool), side, tuple(names))


def _listed(folder: Path) -> Iterator[_Listed]:
    if (folder / INFO).is_file():
        yield from _in_table(folder)
        return
    for path in find_files([folder]):
        name = name_of(path, [folder])
        genre, fill = told_by(name)
        yield _Listed(path, name, genre, None, fill, split_of(name))


def told_by(name: str) -> tuple[str, bool]:
    """The genre (of LEARNT, "" for any) in the names of a file and its folders, and whether it is a fill."""
    words = re.findall(r"[a-z]+(?:-hop)?", name.lower())
    genre = next((word for word in words if word in LEARNT or word in LIKE), "")
    return LIKE.get(genre, genre), "fill" in words


def _in_table(folder: Path) -> Iterator[_Listed]:
    try:
        with (folder / INFO).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["time_signature"] == "4-4":
                    name, genre = row["midi_filename"], row["style"].split("/")[0]
                    fill = row["beat_type"] == "fill"
                    yield _Listed(folder / name, name, genre, float(row["bpm"]), fill, row["split"])
    except (OSError, KeyError, ValueError) as error:
        raise CorpusError(f"{str(folder / INFO)!r} is not the table of the Groove MIDI Dataset: {error}") from None


def _read(listed: _Listed, places: int) -> tuple[Velocities, float] | None:
    """The bars of a file and its tempo; None if it has no drums in 4/4."""
    try:
        song = opening.open_song(listed.path).song
        named = named_drums(song, listed.name) if listed.bpm is None else None
        drums = named or _drums(song, {} if listed.bpm is None else _PADS)
        if len(drums) < _LEAST_HITS:
            return None
        velocity = pattern_of_song(song, drums, places).velocity
    except (InputError, OptionError):
        return None
    played = np.flatnonzero(velocity.any(axis=(1, 2)))
    if not len(played):
        return None
    bpm = (None if song.tempos else bpm_of(listed.name)) or song.tempo_at(0).bpm if listed.bpm is None else listed.bpm
    return velocity[played[0] : played[-1] + 1], bpm


def _drums(song: Song, pads: Mapping[int, int]) -> Part:
    """All drums of a song as one part, on the notes of General MIDI; some notes stand for others."""
    rows = [part.rows for part in drum_maps.drum_parts(song)]
    every = np.concatenate(rows) if rows else np.zeros((0, 4), dtype=np.int64)
    for pad, note in pads.items():
        every[every[:, 2] == pad, 2] = note
    return Part.of(every, is_drums=True)
