"""The songs of a band: which files are understood, which are not and why, and what is left without copies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seq2drum.data.corpus.cache import unpack
from seq2drum.data.corpus.copies import Candidate, without_copies
from seq2drum.data.corpus.parquet import Row
from seq2drum.data.corpus.prepared import Prepared, split_of
from seq2drum.data.corpus.reading import (
    MIN_BARS,
    MOST_BYTES,
    NO_DRUMS,
    NO_GUITAR,
    UNREADABLE,
    candidate_of,
    find_files,
    opened,
)
from seq2drum.errors import CorpusError, InputError, MissingExtraError
from seq2drum.lattice.form import MAX_STEPS, marks_of, written_lattice
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Song
from seq2drum.music.shown import Shown, one_line

MOST_SONGS = 400
MOST_TITLE = 60  # letters
DRUM_TRACK = re.compile(r"\b(drums?|drum ?(kit|set|s)|percussion|schlagzeug|batterie|bater[ií]a|perc)\b", re.IGNORECASE)
IN_KIT = 0.9  # share of a track's notes on pieces of the kit, from which a name of drums is believed
_HASH = re.compile(r"__[0-9a-f]{6,}$")
_ADVICE = {
    NO_DRUMS: "no drums: wanted a track on channel 10, or one whose name says drums",
    NO_GUITAR: "no guitar: wanted a track with a guitar's sound, or one whose name says guitar",
    UNREADABLE: "not a readable song: wanted MIDI, Guitar Pro or MusicXML",
}


@dataclass(frozen=True)
class Heard(Shown):
    """A file as it was understood.

    song: None if it was not. title: its name for people. remark: why not, or what was unusual about it.
    """

    path: str
    title: str
    song: Prepared | None
    remark: str = ""

    def __str__(self) -> str:
        if self.song is None:
            return f"{self.title}: left out: {self.remark}"
        bars = len(self.song.guitar_grid.form.steps)
        return f"{self.title}: {bars} bars" + (f"; {self.remark}" if self.remark else "")


def hear(places: Sequence[str | Path], progress: Callable[[int, int], None] = lambda done, total: None) -> list[Heard]:
    """Return what was understood of each song in folders or files, by path; copies of a song are left out.

    progress: called with the number of files read, and of all files.

    Raises:
        CorpusError: there is no such folder, no file in it, or more than MOST_SONGS.
    """
    folders = [Path(place) for place in places]
    paths = find_files(folders)
    if len(paths) > MOST_SONGS:
        raise CorpusError(
            f"{len(paths)} songs are too many for one band; wanted at most {MOST_SONGS}. --mode train learns from more"
        )
    read: list[tuple[Heard, Candidate | None]] = []
    for done, path in enumerate(paths, 1):
        try:
            data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""
        except OSError:
            data = b""
        read.append(_heard(str(path), data))
        progress(done, len(paths))
    return _without_copies(read)


def hear_files(files: Sequence[tuple[str, bytes]]) -> list[Heard]:
    """Return the same of files in memory, each a name and its bytes, in their order."""
    return _without_copies([_heard(name, data) for name, data in files])


def title_of_file(path: str) -> str:
    """Return a file's name as a song's: Cold_Gin.mid is "Cold Gin"."""
    stem = _HASH.sub("", Path(path).stem)
    return one_line(re.sub(r"[_\s]+", " ", stem), MOST_TITLE) or "a song"


def _heard(path: str, data: bytes) -> tuple[Heard, Candidate | None]:
    """Return a file as understood by itself, and the candidate for the comparison with others."""
    title = title_of_file(path)
    row = Row(path, hashlib.sha256(data).hexdigest(), data, "", "")
    try:
        song = opened(row)
    except (InputError, MissingExtraError) as error:
        reason = str(error) if isinstance(error, MissingExtraError) else _ADVICE[UNREADABLE]
        return Heard(path, title, None, reason), None
    remark, found = "", candidate_of(row, song)
    if found == NO_DRUMS and (named := with_named_drums(song)) is not None:
        song, track = named
        found = candidate_of(row, song)
        remark = f"its drums are not on channel 10; the track {track!r} is taken for them"
    if isinstance(found, str):
        return Heard(path, title, None, _ADVICE.get(found, found)), None
    guitar_grid, drums = unpack(found.packed)
    guitar_grid = replace(guitar_grid, marks=marks_of(song.markers, written_lattice(song)))
    if guitar_grid.form.steps.max() > MAX_STEPS:
        return Heard(path, title, None, "a bar longer than 8 quarters"), None
    prepared = Prepared(path, row.sha256, "", row.sha256, split_of(row.sha256), guitar_grid, drums)
    return Heard(path, title, prepared, remark), found


def with_named_drums(song: Song) -> tuple[Song, str] | None:
    """Return a song whose tracks named as drums are its drums, and the name of one; None if it has none.

    Nearly all of their notes must be on pieces of the kit.
    """
    named = [
        number
        for number, part in enumerate(song.parts)
        if len(part) and DRUM_TRACK.search(part.name) and np.mean(FULL.voice_of[part.pitch] >= 0) >= IN_KIT
    ]
    if not named:
        return None
    parts = (
        replace(part, is_drums=True, program=0) if number in named else part for number, part in enumerate(song.parts)
    )
    return replace(song, parts=tuple(parts)), one_line(song.parts[named[0]].name)


def _without_copies(read: Sequence[tuple[Heard, Candidate | None]]) -> list[Heard]:
    """Return the files with copies left out: of equal songs the first stays."""
    candidates = [candidate for _, candidate in read if candidate is not None]
    kept, _, _ = without_copies(candidates)
    left = {candidate.said.path for candidate in kept}
    found = []
    for heard, candidate in read:
        if candidate is None or candidate.said.path in left:
            found.append(heard)
            continue
        values = candidate.fingerprint.values
        like = max(kept, key=lambda other: float(np.mean(other.fingerprint.values == values)))
        found.append(replace(heard, song=None, remark=f"a copy of {title_of_file(like.said.path)}"))
    return found


def understood(heard: Sequence[Heard]) -> list[Heard]:
    """Return the songs to learn from.

    Raises:
        CorpusError: there is none; the message lists why.
    """
    songs = [each for each in heard if each.song is not None]
    if not songs:
        reasons = "\n".join(f"  {each}" for each in heard)
        raise CorpusError(
            f"none of {len(heard)} files has guitar and drums together in {MIN_BARS} bars or more, so no drummer was"
            f" made:\n{reasons}"
        )
    return songs
