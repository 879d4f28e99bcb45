"""Reading files of folders: finding them, their manifests, and the song in the bytes of a file."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from seq2drum.data.corpus.cache import pack
from seq2drum.data.corpus.copies import Candidate, Said, fingerprint
from seq2drum.data.corpus.corpora import CORPORA, UNKNOWN
from seq2drum.data.corpus.parquet import Row
from seq2drum.errors import CorpusError, InputError, MissingExtraError, NoGuitarError, NoNotesError
from seq2drum.formats import foreign, opening
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.form import MAX_STEPS, written_lattice
from seq2drum.lattice.grid import encode
from seq2drum.music import drum_maps, theory
from seq2drum.music.choices import SYMUSIC
from seq2drum.music.kit import FULL
from seq2drum.music.limits import DEFAULT_LIMITS, NOTE_SUFFIXES
from seq2drum.music.notes import Part, Song, loudest, merge_parts
from seq2drum.system import files

RULES: tuple[tuple[str, str], ...] = (
    ("open hat", r"open (hi )?hats?|(hi )?hats? open|open hh|hh open|ohh?|open"),
    ("pedal hat", r"(foot|pedal) (hi )?hats?|(hi )?hats? (foot|pedal)|hh (foot|pedal)|phh|pedal"),
    ("closed hat", r"(hi )?hats?|hihats?|hh|chh?|closed"),
    ("side stick", r"side ?sticks?|cross ?sticks?|rim ?(shots?)?|xstick"),
    ("snare", r"snares?( drum)?|sd|snr|sn"),
    ("clap", r"(hand ?)?claps?|cp|clp"),
    ("kick", r"kicks?( drum)?|kik|bass ?drums?|bd|kd"),
    ("high tom", r"(hi|high) toms?|toms? (hi|high)|toms? 0?1|rack toms?|ht|t1"),
    ("low tom", r"(lo|low|floor) toms?|toms? (lo|low|floor)|toms? 0?3|lt|ft|t3"),
    ("mid tom", r"(mid|middle) toms?|toms? (mid|middle)|toms? 0?2|toms?|mt|t2"),
    ("bell", r"(ride )?bells?"),
    ("ride", r"rides?( cymbal)?|rd|rc"),
    ("crash", r"crash(es)?( cymbal)?|cymbals?|cym|chinas?|splash(es)?|cr|cc"),
    ("cowbell", r"cow ?bells?|cb"),
    ("tambourine", r"tamb(ourines?)?"),
    ("shaker", r"shakers?|maracas?"),
    ("cabasa", r"cabasas?"),
    ("high conga", r"congas?"),
    ("high bongo", r"bongos?"),
    ("block", r"(wood ?)?blocks?"),
    ("triangle", r"triangles?"),
)
"""The piece of the full kit, and the words that name it. The first that fits holds; a word fits as a whole only."""

_COMPILED = tuple((piece, re.compile(rf"\b({words})\b")) for piece, words in RULES)
_BETWEEN = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z]{2})(?=\d)|(?<=\d)(?=[A-Za-z])|[^A-Za-z0-9]+")
_BPM = re.compile(r"\b(\d{2,3}(?:\.\d+)?) ?bpm\b", re.IGNORECASE)
_FEW = 6  # distinct notes at most in a loop of one piece
_PIECES = 2  # least number of pieces that tracks of a song are named after


def piece_of(name: str) -> str | None:
    """The piece of the full kit that a name means, or None."""
    words = _BETWEEN.sub(" ", name).lower()
    return next((piece for piece, rule in _COMPILED if rule.search(words)), None)


def piece_of_file(path: str) -> str | None:
    """The piece that a file's name means, or else the nearest of its folders."""
    steps = PurePosixPath(path)
    return next(filter(None, map(piece_of, [steps.stem, *reversed(steps.parts[:-1])])), None)


def bpm_of(path: str) -> float | None:
    """The tempo in the name of a file, such as snare_85bpm.mid."""
    found = _BPM.search(PurePosixPath(path).stem.replace("_", " "))
    return float(found[1]) if found and float(found[1]) else None


def named_drums(song: Song, path: str | None = None) -> Part | None:
    """Drums off channel 10, or on a single note of it, mapped to pieces by names; None if the song has none.

    A part is the piece that its name means. If it is the only one and on few notes, the name of the file counts too.
    Otherwise at least two pieces must be named: a single part called "Ride" may be anything.
    """
    if len({pitch for part in song.parts if part.is_drums for pitch in part.pitch.tolist()}) > 1:
        return None
    played = [part for part in song.parts if len(part)]
    few = len(played) == 1 and len(set(played[0].pitch.tolist())) <= _FEW
    of_file = piece_of_file(path) if few and path is not None else None
    rows, pieces = [], set()
    for part in played:
        if piece := piece_of(part.name) or of_file:
            pieces.add(piece)
            moved = part.rows.copy()
            moved[:, 2] = FULL.note_of[FULL.names.index(piece)]
            rows.append(moved)
    if not rows or (of_file is None and len(pieces) < _PIECES):
        return None
    return Part.of(loudest(np.concatenate(rows)), name="Drums", is_drums=True)


UNREADABLE, NO_GUITAR, NO_DRUMS = "not a readable file", "no guitar part", "no drums"
MOST_BYTES = max(kind.most or DEFAULT_LIMITS.file_bytes for kind in opening.KINDS if kind.suffixes[0] in NOTE_SUFFIXES)
MIN_BARS = 4  # least number of bars in which guitar and drums both play
MAX_GRID_ERROR = 0.03  # mean distance of drum hits from their places, in quarters; with more, the barlines are wrong


def find_files(folders: Sequence[Path]) -> list[Path]:
    """All songs under some folders (or the files themselves), sorted, and the folders that cannot be read.

    Raises:
        CorpusError: a folder does not exist, or the folders have no songs.
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
        raise CorpusError(f"{str(prepared[0])!r} is not a folder of songs; for prepared songs use --cache")
    if not paths:
        named = ", ".join(repr(str(folder)) for folder in folders)
        raise CorpusError(f"no song in {named}; wanted files ending in {', '.join(sorted(NOTE_SUFFIXES))}")
    return sorted(paths)


def name_of(path: Path, folders: Sequence[Path]) -> str:
    """The path from its folder's name on, the same on every machine: jazz/song.mid."""
    for folder in folders:
        if folder in path.parents:
            return f"{folder.resolve().name}/{path.relative_to(folder).as_posix()}"
    return path.name


class Listed(NamedTuple):
    """A file's entry in a manifest; "" where it states nothing."""

    group: str
    source: str
    licence: str


def manifests_of(manifest: Path | None, folders: Sequence[Path]) -> tuple[Path, ...]:
    """The given manifest, or those in or beside the folders.

    Raises:
        CorpusError: the given one is missing.
    """
    if manifest and not manifest.is_file():
        raise CorpusError(f"there is no manifest {str(manifest)!r}")
    beside = [parent / "manifest.csv" for folder in folders for parent in (folder, folder.parent)]
    return (manifest,) if manifest else tuple(path for path in dict.fromkeys(beside) if path.is_file())


def digests_of(manifests: Iterable[Path]) -> list[str]:
    """The SHA-256 of each manifest."""
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in manifests]


@cache
def read_manifests(paths: tuple[Path, ...]) -> Mapping[str, Listed]:
    """Entries of manifests by the digest of their file.

    Raises:
        CorpusError: a file cannot be read, or is not a manifest.
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


def read_song(row: Row, reader: str = SYMUSIC) -> Candidate | str:
    """The song in a file's bytes, or the reason it is left out. reader: of MIDI, one of `choices.READERS`."""
    try:
        return candidate_of(row, opened(row, reader))
    except InputError:
        return UNREADABLE
    except MissingExtraError as error:
        return str(error)


def candidate_of(row: Row, song: Song) -> Candidate | str:
    """A file's song, or the reason it is left out. song: as `opened`."""
    try:
        guitar = theory.guitar_parts(song)
    except NoGuitarError:
        return NO_GUITAR
    except NoNotesError:
        return "no notes"
    drums = merge_parts(drum_maps.drum_parts(song))
    drums = drums if len(drums) else named_drums(song) or drums
    if not len(drums):
        return NO_DRUMS
    lattice = written_lattice(song)
    guitar_grid = SongGrid.of(song, guitar.parts, lattice).guitar_grid
    hits = encode(drums, lattice, FULL)
    step, _ = lattice.nearest(drums.onset)
    if np.abs(drums.onset - lattice.ticks[step]).mean() / song.ticks_per_quarter > MAX_GRID_ERROR:
        return "the notes do not sit on the barlines"
    guitar_plays, drums_play = (
        np.bincount(guitar_grid.form.bar_of(grid.step), minlength=len(guitar_grid.form.steps)) > 0
        for grid in (guitar_grid.guitar, hits)
    )
    if np.count_nonzero(guitar_plays & drums_play) < MIN_BARS:
        return f"guitar and drums play together in fewer than {MIN_BARS} bars"
    if guitar_grid.form.steps.max() > 4 * MAX_STEPS:
        return "a bar longer than 32 quarters"
    said = Said(
        row.path,
        row.sha256,
        row.path.partition("/")[0] if "/" in row.path else "",  # millions of files may lack a folder
        row.group,
        "; ".join(filter(None, (row.source, "" if row.licence == UNKNOWN else row.licence))),
        row.licence,
        len(guitar_grid.form.steps),
        int(np.sum(FULL.voice_of[drums.pitch] < 0)),
        len(drums),
    )
    return Candidate(said, pack(guitar_grid, hits), fingerprint(guitar_grid, hits))


def opened(row: Row, reader: str = SYMUSIC) -> Song:
    """The song of a file with notes. reader: of MIDI, one of `choices.READERS`.

    Raises:
        InputError: the file has no notes, is too large, damaged, or of an unknown kind.
        MissingExtraError: its reader needs a package that is not installed.
    """
    kind = opening.kind_of(row.data[: foreign.HEAD_BYTES], Path(row.path).suffix.lower())
    if kind.suffixes[0] not in NOTE_SUFFIXES or len(row.data) > (kind.most or DEFAULT_LIMITS.file_bytes):
        raise InputError("no file with notes, or too large a one")
    return kind.song(row.data, DEFAULT_LIMITS, reader)
