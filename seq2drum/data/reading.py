"""The files of a corpus: which there are, what a manifest says of them, and the song that is in each."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2drum.data.copies import Candidate, fingerprint
from seq2drum.data.naming import named_drums
from seq2drum.data.packing import pack
from seq2drum.errors import CorpusError, InputError, MissingExtraError, NoGuitarError, NoNotesError
from seq2drum.formats.opening import open_song
from seq2drum.lattice.form import MAX_STEPS, written_lattice
from seq2drum.lattice.grid import encode
from seq2drum.lattice.listening import Listening
from seq2drum.lattice.phrases import merge
from seq2drum.music import drum_maps, theory
from seq2drum.music.kit import FULL
from seq2drum.music.limits import NOTE_SUFFIXES

MIN_BARS = 4  # in which guitar and drums both play, that a song has at least
MAX_GRID_ERROR = 0.03  # mean distance of drum hits from their places, in quarters; with more, the barlines are wrong


def find_files(folders: Sequence[Path]) -> list[Path]:
    """All songs under some folders (or the files themselves), sorted.

    Raises:
        CorpusError: a folder does not exist, or there is no song in any of them.
    """
    paths: set[Path] = set()
    for folder in folders:
        if folder.is_file():
            paths.add(folder)
        elif folder.is_dir():
            paths.update(path for path in folder.rglob("*") if path.suffix.lower() in NOTE_SUFFIXES and path.is_file())
        else:
            raise CorpusError(f"there is no file or folder {str(folder)!r}; --data wants folders of songs")
    if not paths:
        named = ", ".join(repr(str(folder)) for folder in folders)
        raise CorpusError(f"no song in {named}; wanted files ending in {', '.join(sorted(NOTE_SUFFIXES))}")
    return sorted(paths)


def digest(folders: Sequence[Path]) -> str:
    """A name for the files of some folders as they are now: it changes with their names, sizes and times."""
    state = hashlib.sha256()
    for path in find_files(folders):
        status = path.stat()
        state.update(f"{name_of(path, folders)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return state.hexdigest()[:16]


def name_of(path: Path, folders: Sequence[Path]) -> str:
    """The path inside its folder, led by the folder's own name: jazz/song.mid. Machine-independent."""
    for folder in folders:
        if folder in path.parents:
            return f"{folder.resolve().name}/{path.relative_to(folder).as_posix()}"
    return path.name


class Listed(NamedTuple):
    """What a manifest says of a file."""

    group: str
    origin: str


def read_manifest(manifest: Path | None, folders: Sequence[Path]) -> dict[str, Listed]:
    """What is known of each file by digest, from the manifest that was named or lies in or beside a folder."""
    beside = [parent / "manifest.csv" for folder in folders for parent in (folder, folder.parent)]
    listed: dict[str, Listed] = {}
    for path in [manifest] if manifest else dict.fromkeys(beside):
        if manifest and not path.is_file():
            raise CorpusError(f"there is no manifest {str(path)!r}")
        if not path.is_file():
            continue
        try:
            with path.open(newline="", encoding="utf-8") as lines:
                rows = csv.DictReader(lines)
                if not {"sha256", "group"} <= set(rows.fieldnames or ()):
                    raise CorpusError(f"{str(path)!r} has no columns 'sha256' and 'group'; add them or move it away")
                for row in rows:
                    origin = "; ".join(filter(None, (row.get("source"), row.get("licence"))))
                    listed[row["sha256"]] = Listed(row["group"], origin)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CorpusError(f"the manifest {str(path)!r} cannot be read: {error}") from None
    return listed


def read_song(path: Path, name: str) -> Candidate | str:
    """Read one file, or say why it is left out. Runs in a worker process."""
    try:
        data = path.read_bytes()
    except OSError:
        return "the file could not be opened"
    try:
        song = open_song(path).song
        guitar = theory.guitar_parts(song)
    except NoGuitarError:
        return "no guitar part"
    except NoNotesError:
        return "no notes"
    except InputError:
        return "not a readable file"
    except MissingExtraError as error:
        return str(error)
    drums = merge(drum_maps.drum_parts(song))
    drums = drums if len(drums) else named_drums(song) or drums
    if not len(drums):
        return "no drums"
    lattice = written_lattice(song)
    heard = Listening.of(song, guitar.parts, lattice).heard
    hits = encode(drums, lattice, FULL)
    step, _ = lattice.nearest(drums.onset)
    if np.abs(drums.onset - lattice.ticks[step]).mean() / song.ticks_per_quarter > MAX_GRID_ERROR:
        return "the notes do not sit on the barlines"
    both = np.intersect1d(heard.form.bar_of(heard.guitar.step), heard.form.bar_of(hits.step))
    if len(both) < MIN_BARS:
        return f"guitar and drums play together in fewer than {MIN_BARS} bars"
    if heard.form.steps.max() > 4 * MAX_STEPS:
        return "a bar longer than 32 quarters"
    return Candidate(
        name,
        hashlib.sha256(data).hexdigest(),
        name.split("/")[0],
        pack(heard, hits),
        fingerprint(heard, hits),
        int(np.sum(FULL.voice_of[drums.pitch] < 0)),
        len(drums),
    )
