"""The files of folders: which there are, what a manifest says of them, and the song that is in the bytes of one."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2drum import files
from seq2drum.data.copies import Candidate, Said, fingerprint
from seq2drum.data.corpora import CORPORA
from seq2drum.data.licences import UNKNOWN
from seq2drum.data.naming import named_drums
from seq2drum.data.packing import pack
from seq2drum.data.parquet import Row
from seq2drum.errors import CorpusError, InputError, MissingExtraError, NoGuitarError, NoNotesError
from seq2drum.formats import foreign, opening
from seq2drum.lattice.form import MAX_STEPS, written_lattice
from seq2drum.lattice.grid import encode
from seq2drum.lattice.listening import Listening
from seq2drum.lattice.phrases import merge
from seq2drum.music import drum_maps, theory
from seq2drum.music.kit import FULL
from seq2drum.music.limits import DEFAULT_LIMITS, NOTE_SUFFIXES
from seq2drum.music.notes import Song

UNREADABLE = "not a readable file"
MOST_BYTES = max(kind.most or DEFAULT_LIMITS.file_bytes for kind in opening.KINDS if kind.suffixes[0] in NOTE_SUFFIXES)
MIN_BARS = 4  # in which guitar and drums both play, that a song has at least
MAX_GRID_ERROR = 0.03  # mean distance of drum hits from their places, in quarters; with more, the barlines are wrong


def find_files(folders: Sequence[Path]) -> list[Path]:
    """All songs under some folders (or the files themselves), sorted, and what in them cannot be looked into.

    Raises:
        CorpusError: a folder does not exist, or there is no song in any of them.
    """
    paths: set[Path] = set()
    for folder in folders:
        if folder.is_file():
            paths.add(folder)
        elif folder.is_dir():
            paths.update(files.below(folder, lambda name: Path(name).suffix.lower() in NOTE_SUFFIXES))
        else:
            raise CorpusError(
                f"there is no file or folder {str(folder)!r}; --data wants folders of songs, tables in Parquet, or a"
                f" known corpus as NAME:DIR ({', '.join(CORPORA)})"
            )
    prepared = [folder for folder in folders if folder.suffix in (".s2d", ".json") or (folder / "index.json").is_file()]
    if prepared and paths <= set(prepared):
        raise CorpusError(f"{str(prepared[0])!r} is no folder of songs; songs that are prepared are named with --cache")
    if not paths:
        named = ", ".join(repr(str(folder)) for folder in folders)
        raise CorpusError(f"no song in {named}; wanted files ending in {', '.join(sorted(NOTE_SUFFIXES))}")
    return sorted(paths)


def name_of(path: Path, folders: Sequence[Path]) -> str:
    """The path inside its folder, led by the folder's own name: jazz/song.mid. Machine-independent."""
    for folder in folders:
        if folder in path.parents:
            return f"{folder.resolve().name}/{path.relative_to(folder).as_posix()}"
    return path.name


class Listed(NamedTuple):
    """What a manifest says of a file; "" is nothing."""

    group: str
    source: str
    licence: str


def manifests_of(manifest: Path | None, folders: Sequence[Path]) -> tuple[Path, ...]:
    """The manifest that was named, or those that lie in or beside folders.

    Raises:
        CorpusError: the one that was named is not there.
    """
    if manifest and not manifest.is_file():
        raise CorpusError(f"there is no manifest {str(manifest)!r}")
    beside = [parent / "manifest.csv" for folder in folders for parent in (folder, folder.parent)]
    return (manifest,) if manifest else tuple(path for path in dict.fromkeys(beside) if path.is_file())


def digests_of(manifests: Iterable[Path]) -> list[str]:
    """The SHA-256 of each of some manifests, which have been found."""
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in manifests]


@cache
def read_manifests(paths: tuple[Path, ...]) -> Mapping[str, Listed]:
    """What manifests say of files, by their digests.

    Raises:
        CorpusError: one cannot be read, or is none.
    """
    listed: dict[str, Listed] = {}
    for path in paths:
        try:
            with path.open(newline="", encoding="utf-8-sig") as lines:
                rows = csv.DictReader(lines)
                if not {"sha256", "group"} <= set(rows.fieldnames or ()):
                    raise CorpusError(f"{str(path)!r} has no columns 'sha256' and 'group'; add them or move it away")
                for row in rows:
                    known = (row.get(name) or "" for name in Listed._fields)
                    listed[(row["sha256"] or "").strip().lower()] = Listed(*known)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CorpusError(f"the manifest {str(path)!r} cannot be read: {error}") from None
    return listed


def read_song(row: Row) -> Candidate | str:
    """The song in a file's bytes, or why it is left out."""
    try:
        song = _opened(row)
        guitar = theory.guitar_parts(song)
    except NoGuitarError:
        return "no guitar part"
    except NoNotesError:
        return "no notes"
    except InputError:
        return UNREADABLE
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
    guitar_plays, drums_play = (
        np.bincount(heard.form.bar_of(grid.step), minlength=len(heard.form.steps)) > 0 for grid in (heard.guitar, hits)
    )
    if np.count_nonzero(guitar_plays & drums_play) < MIN_BARS:
        return f"guitar and drums play together in fewer than {MIN_BARS} bars"
    if heard.form.steps.max() > 4 * MAX_STEPS:
        return "a bar longer than 32 quarters"
    said = Said(
        row.path,
        row.sha256,
        row.path.partition("/")[0] if "/" in row.path else "",  # millions of files may lie in no folder at all
        row.group,
        "; ".join(filter(None, (row.source, "" if row.licence == UNKNOWN else row.licence))),
        row.licence,
        len(heard.form.steps),
        int(np.sum(FULL.voice_of[drums.pitch] < 0)),
        len(drums),
    )
    return Candidate(said, pack(heard, hits), fingerprint(heard, hits))


def _opened(row: Row) -> Song:
    """The song of a file with notes.

    Raises:
        InputError: the file has none, is too large, damaged, or of a kind that has no reader.
        MissingExtraError: its reader needs a package that is not installed.
    """
    kind = opening.kind_of(row.data[: foreign.HEAD_BYTES], Path(row.path).suffix.lower())
    if kind.suffixes[0] not in NOTE_SUFFIXES or len(row.data) > (kind.most or DEFAULT_LIMITS.file_bytes):
        raise InputError("no file with notes, or too large a one")
    return kind.read(row.data, DEFAULT_LIMITS)
