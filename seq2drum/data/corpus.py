"""Folders of MIDI files become one cache of songs: counted, free of copies, and split so that no song is on two sides.

    files -> prepared songs (in parallel) -> copies dropped -> groups -> train / validation / test -> one file

Groups come from a manifest where there is one (`manifest.csv` beside or in the folder, columns `sha256` and `group`),
and from the music itself: songs are one group that have in common half of all the different bars they have together.
"""

from __future__ import annotations

import csv
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum import files
from seq2drum.errors import CorpusError, InputError, NoGuitarError, NoNotesError
from seq2drum.formats import midi
from seq2drum.lattice.form import MAX_STEPS, Form, written_lattice
from seq2drum.lattice.grid import Grid, encode
from seq2drum.lattice.listening import Heard, Listening
from seq2drum.lattice.phrases import merge
from seq2drum.music import theory
from seq2drum.music.kit import FULL
from seq2drum.music.limits import MIDI_SUFFIXES
from seq2drum.music.shown import Shown

SPLITS = ("train", "validation", "test")
SHARES = (0.88, 0.04, 0.08)
MIN_BARS = 4  # with both guitar and drums; a shorter song teaches no form
MAX_GRID_ERROR = 0.03  # mean distance of drum hits from the lattice, in quarters: beyond it the barlines are wrong
CACHE_VERSION = 2

_HASHES = 64  # minhash values a song; their agreement estimates the share of common bars to about 6 %
_BAND = 2  # minhash values that must agree before two songs are compared
NEAR_DUPLICATE = 0.9
SAME_SONG = 0.5
_MIN_DISTINCT = 8  # bars: with fewer, two songs can be alike by chance


@dataclass(frozen=True)
class Prepared(Shown):
    """One song of a corpus: what the guitar plays, what the drums play, and where it comes from.

    tag: the folder it lay in. origin: its source and licence, as far as a manifest states them.
    """

    path: str
    sha256: str
    tag: str
    group: str
    split: str
    heard: Heard
    drums: Grid
    origin: str = ""


@dataclass
class Account(Shown):
    """What became of the files: how many were read, used, and left out by reason."""

    files: int = 0
    songs: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    notes_outside_kit: int = 0
    drum_notes: int = 0

    def lines(self) -> list[str]:
        """The account as lines for a terminal."""
        out = [f"{self.files} files, {self.songs} songs used"]
        out += [f"  {count:6d} left out: {reason}" for reason, count in self.left_out.most_common()]
        share = self.notes_outside_kit / max(self.drum_notes, 1)
        out.append(f"  {self.notes_outside_kit} of {self.drum_notes} drum notes ({share:.2%}) are no piece of the kit")
        return out


@dataclass(frozen=True)
class _Candidate:
    """A prepared file on its way into the cache: packed, with what is needed to find copies of it."""

    path: str
    sha256: str
    tag: str
    packed: bytes
    fingerprint: NDArray[np.uint64]
    distinct: int
    outside_kit: int
    drum_notes: int


def find_files(folders: Sequence[Path]) -> list[Path]:
    """All MIDI files under some folders (or the files themselves), sorted.

    Raises:
        CorpusError: a folder does not exist, or there is no MIDI file in any of them.
    """
    found: set[Path] = set()
    for folder in folders:
        if folder.is_file():
            found.add(folder)
        elif folder.is_dir():
            found.update(path for path in folder.rglob("*") if path.suffix.lower() in MIDI_SUFFIXES and path.is_file())
        else:
            raise CorpusError(f"there is no file or folder {str(folder)!r}; --data wants folders of MIDI files")
    if not found:
        places = ", ".join(repr(str(folder)) for folder in folders)
        raise CorpusError(f"no MIDI file in {places}; wanted files ending in {', '.join(sorted(MIDI_SUFFIXES))}")
    return sorted(found)


def prepare(
    folders: Sequence[Path],
    *,
    workers: int = 1,
    manifest: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Prepared], Account]:
    """Read all songs of some folders: the same for any number of workers, and wherever the folders lie.

    Raises:
        CorpusError: there is nothing to read, the manifest is unusable, or no song is left to learn from.
    """
    files = find_files(folders)
    listed = _read_manifest(manifest, folders)
    account = Account(files=len(files))
    candidates: list[_Candidate] = []
    for done, outcome in enumerate(_map(files, folders, workers), 1):
        progress(done, len(files))
        if isinstance(outcome, str):
            account.left_out[outcome] += 1
        else:
            candidates.append(outcome)
    groups = {sha256: row.group for sha256, row in listed.items() if row.group}
    kept, labels = _without_copies(candidates, groups, account)
    songs = []
    for candidate, label in zip(kept, labels, strict=True):
        account.songs += 1
        account.notes_outside_kit += candidate.outside_kit
        account.drum_notes += candidate.drum_notes
        heard, drums = _unpack(candidate.packed)
        sha256 = candidate.sha256
        origin = listed[sha256].origin if sha256 in listed else ""
        songs.append(Prepared(candidate.path, sha256, candidate.tag, label, split_of(label), heard, drums, origin))
    if not songs:
        raise CorpusError("no song could be used:\n" + "\n".join(account.lines()))
    return songs, account


def split_of(group: str) -> str:
    """The side of the split a group is on: by its digest, so the same on every machine and for every corpus."""
    digest = hashlib.sha256(group.encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return SPLITS[int(np.searchsorted(np.cumsum(SHARES)[:-1], place, side="right"))]


def _map(files: Sequence[Path], folders: Sequence[Path], workers: int) -> Iterator[_Candidate | str]:
    names = [_name(path, folders) for path in files]
    if workers <= 1:
        yield from map(_prepare_file, files, names)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_prepare_file, files, names, chunksize=32)


def _name(path: Path, folders: Sequence[Path]) -> str:
    """The path inside its folder, led by the folder's own name: jazz/song.mid. Machine-independent."""
    for folder in folders:
        if folder in path.parents:
            return f"{folder.resolve().name}/{path.relative_to(folder).as_posix()}"
    return path.name


def _prepare_file(path: Path, name: str) -> _Candidate | str:
    """Read one file, or say why it is left out. Runs in a worker process."""
    try:
        data = path.read_bytes()
    except OSError:
        return "the file could not be opened"
    try:
        song = midi.parse(data)
        guitar = theory.guitar_parts(song)
    except NoGuitarError:
        return "no guitar part"
    except NoNotesError:
        return "no notes"
    except InputError:
        return "not a readable MIDI file"
    drums = merge([song.parts[index] for index in theory.drum_parts(song)])
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
    fingerprint, distinct = _fingerprint(heard, hits)
    return _Candidate(
        name,
        hashlib.sha256(data).hexdigest(),
        name.split("/")[0],
        _pack(heard, hits),
        fingerprint,
        distinct,
        int(np.sum(FULL.voice_of[drums.pitch] < 0)),
        len(drums),
    )


# --- copies and groups -----------------------------------------------------------------------------------------------


def _fingerprint(heard: Heard, drums: Grid) -> tuple[NDArray[np.uint64], int]:
    """Minhash of a song's bars of guitar and drums, deaf to transposition, and the number of distinct bars.

    Source: A. Broder, On the resemblance and containment of documents (1997).
    """
    first = heard.form.first
    bars: set[int] = set()
    for grid, transposes in ((heard.guitar, True), (drums, False)):
        edges = np.searchsorted(grid.step, first)
        for bar in np.flatnonzero(np.diff(edges) >= 4).tolist():
            inside = slice(edges[bar], edges[bar + 1])
            place = grid.step[inside] - first[bar]
            key = grid.key[inside]
            shape = np.stack([place, key - (key.min() if transposes else 0)]).astype(np.uint8)
            bars.add(int.from_bytes(hashlib.blake2b(shape.tobytes(), digest_size=7).digest(), "big"))
    values = np.array(sorted(bars), dtype=np.uint64)
    if not len(values):
        return np.zeros(_HASHES, dtype=np.uint64), 0
    rng = np.random.default_rng(1997)
    scale = rng.integers(1, 2**63, size=(_HASHES, 1), dtype=np.uint64) | np.uint64(1)
    shift = rng.integers(0, 2**63, size=(_HASHES, 1), dtype=np.uint64)
    with np.errstate(over="ignore"):
        mixed = values * scale + shift  # multiply-shift hashing: the high bits are well mixed
    return (mixed >> np.uint64(24)).min(axis=1), len(values)


def _without_copies(
    candidates: Sequence[_Candidate], groups: dict[str, str], account: Account
) -> tuple[list[_Candidate], list[str]]:
    """Drop exact and near copies (the first by digest stays) and name the group of each song that is left."""
    ordered = sorted(candidates, key=lambda candidate: (candidate.sha256, candidate.path))
    unique: dict[str, _Candidate] = {}
    for candidate in ordered:
        if candidate.sha256 in unique:
            account.left_out["an exact copy of another file"] += 1
        else:
            unique[candidate.sha256] = candidate
    songs = list(unique.values())
    leader = list(range(len(songs)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    def unite(one: int, other: int) -> None:
        one, other = sorted((find(one), find(other)))
        leader[other] = one

    dropped: set[int] = set()
    for one, other, share in _alike(songs):
        unite(one, other)
        if share >= NEAR_DUPLICATE and one not in dropped:
            dropped.add(other)
    by_name: dict[str, int] = {}
    for index, song in enumerate(songs):
        if song.sha256 in groups:
            unite(by_name.setdefault(groups[song.sha256], index), index)
    # A group is named by its smallest manifest name, or else by its smallest digest: the same on every machine.
    names: dict[int, str] = {}
    for index, song in enumerate(songs):
        names.setdefault(find(index), song.sha256)
    named: dict[int, str] = {}
    for index, song in enumerate(songs):
        if song.sha256 in groups:
            root, name = find(index), f"manifest:{groups[song.sha256]}"
            named[root] = min(named.get(root, name), name)
    account.left_out["a near copy of another song"] += len(dropped)
    account.left_out += Counter()  # forget reasons that never occurred
    kept = [index for index in range(len(songs)) if index not in dropped]
    kept.sort(key=lambda index: songs[index].path)
    return [songs[index] for index in kept], [(names | named)[find(index)] for index in kept]


def _alike(songs: Sequence[_Candidate]) -> Iterator[tuple[int, int, float]]:
    """Pairs of songs that share at least SAME_SONG of their bars, by the agreement of their fingerprints."""
    if not songs:
        return
    prints = np.stack([song.fingerprint for song in songs])
    able = np.flatnonzero([song.distinct >= _MIN_DISTINCT for song in songs])
    seen: set[tuple[int, int]] = set()
    for band in range(0, _HASHES, _BAND):
        buckets: dict[bytes, list[int]] = {}
        for index in able.tolist():
            buckets.setdefault(prints[index, band : band + _BAND].tobytes(), []).append(index)
        for members in buckets.values():
            # A bucket of hundreds is one trivial bar; comparing each with the first few finds real copies in it.
            for place, one in enumerate(members):
                seen.update((one, other) for other in members[place + 1 : place + 20])
    for one, other in sorted(seen):
        share = float(np.mean(prints[one] == prints[other]))
        if share >= SAME_SONG:
            yield one, other, share


class _Listed(NamedTuple):
    """What a manifest says of a file."""

    group: str
    origin: str


def _read_manifest(manifest: Path | None, folders: Sequence[Path]) -> dict[str, _Listed]:
    """What is known of each file by digest, from the manifest that was named or lies in or beside a folder."""
    places = (
        [manifest] if manifest else [place / "manifest.csv" for folder in folders for place in (folder, folder.parent)]
    )
    listed: dict[str, _Listed] = {}
    for place in dict.fromkeys(places):
        if manifest and not place.is_file():
            raise CorpusError(f"there is no manifest {str(place)!r}")
        if not place.is_file():
            continue
        try:
            with place.open(newline="", encoding="utf-8") as lines:
                rows = csv.DictReader(lines)
                if not {"sha256", "group"} <= set(rows.fieldnames or ()):
                    raise CorpusError(f"{str(place)!r} has no columns 'sha256' and 'group'; add them or move it away")
                for row in rows:
                    origin = "; ".join(filter(None, (row.get("source"), row.get("licence"))))
                    listed[row["sha256"]] = _Listed(row["group"], origin)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CorpusError(f"the manifest {str(place)!r} cannot be read: {error}") from None
    return listed


# --- one file --------------------------------------------------------------------------------------------------------

_GRID_TYPES: dict[str, type[np.signedinteger | np.unsignedinteger]] = {
    "step": np.int32,
    "key": np.uint8,
    "velocity": np.uint8,
    "offset": np.int16,
    "length": np.uint16,
}


def _pack(heard: Heard, drums: Grid) -> bytes:
    """A song's arrays as compressed bytes."""
    arrays: dict[str, NDArray[Any]] = {
        "steps": heard.form.steps.astype(np.int32),
        "numerator": heard.form.numerator.astype(np.int16),
        "denominator": heard.form.denominator.astype(np.int16),
        "bpm": heard.form.bpm.astype(np.float64),
        "programs": heard.programs.astype(np.int32),
        "parts": np.array([heard.parts], dtype=np.int32),
    }
    for side, grid in (("guitar", heard.guitar), ("drums", drums)):
        for name, kind in _GRID_TYPES.items():
            column = getattr(grid, name)
            limits = np.iinfo(kind)
            column = np.clip(column, limits.min, limits.max).astype(kind)
            # Steps are kept as differences: small numbers, which compress five times better.
            arrays[f"{side}.{name}"] = np.diff(column, prepend=np.zeros(1, kind)) if name == "step" else column
    header = json.dumps([[name, array.dtype.str, len(array)] for name, array in arrays.items()]).encode()
    body = b"".join(array.tobytes() for array in arrays.values())
    return zlib.compress(len(header).to_bytes(4, "little") + header + body, 6)


def _unpack(packed: bytes) -> tuple[Heard, Grid]:
    data = zlib.decompress(packed)
    at = 4 + int.from_bytes(data[:4], "little")
    arrays: dict[str, NDArray[Any]] = {}
    for name, kind, count in json.loads(data[4:at]):
        arrays[name] = np.frombuffer(data, dtype=kind, count=count, offset=at)
        at += arrays[name].nbytes
    grids = []
    for side in ("guitar", "drums"):
        columns = {name: arrays[f"{side}.{name}"].astype(np.int64) for name in _GRID_TYPES}
        grids.append(Grid(**columns | {"step": np.cumsum(columns["step"])}))
    steps, numerator, denominator = (arrays[name].astype(np.int64) for name in ("steps", "numerator", "denominator"))
    form = Form(steps, numerator, denominator, arrays["bpm"])
    return Heard(form, grids[0], arrays["programs"].astype(np.int64), int(arrays["parts"][0])), grids[1]


def digest(folders: Sequence[Path]) -> str:
    """A name for the files of some folders as they are now: it changes with their names, sizes and times."""
    known = hashlib.sha256()
    for path in find_files(folders):
        status = path.stat()
        known.update(f"{_name(path, folders)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return known.hexdigest()[:16]


def sources(songs: Iterable[Prepared]) -> list[dict[str, str | int]]:
    """How many songs of each folder and origin are on each side of the split."""
    table: dict[tuple[str, str], Counter[str]] = {}
    for song in songs:
        table.setdefault((song.tag, song.origin), Counter())[song.split] += 1
    return [
        {"folder": tag, "origin": origin, **{side: sides[side] for side in SPLITS}}
        for (tag, origin), sides in sorted(table.items())
    ]


def save(songs: Iterable[Prepared], path: Path) -> None:
    """Write the cache, one file; byte-equal for equal songs."""
    rows, blobs = [], []
    for song in songs:
        blob = _pack(song.heard, song.drums)
        rows.append([song.path, song.sha256, song.tag, song.group, song.split, song.origin, len(blob)])
        blobs.append(blob)
    header = {"version": CACHE_VERSION, "songs": rows}
    text = zlib.compress(json.dumps(header).encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_file(path, b"".join([b"S2DC", len(text).to_bytes(8, "little"), text, *blobs]), overwrite=True)


def load(path: Path) -> list[Prepared]:
    """Read a cache.

    Raises:
        CorpusError: no cache, a damaged one, or one that another version wrote.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(
            f"the cache {str(path)!r} cannot be read ({error.strerror}); make it with --mode prepare"
        ) from None
    try:
        if data[:4] != b"S2DC":
            raise ValueError("it does not begin as a cache does")
        at = 12 + int.from_bytes(data[4:12], "little")
        header = json.loads(zlib.decompress(data[12:at]))
        if header["version"] != CACHE_VERSION:
            raise ValueError(f"it has version {header['version']}, wanted {CACHE_VERSION}")
        songs = []
        for name, sha256, tag, group, split, origin, size in header["songs"]:
            heard, drums = _unpack(data[at : at + size])
            songs.append(Prepared(name, sha256, tag, group, split, heard, drums, origin))
            at += size
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise CorpusError(f"{str(path)!r} is no usable cache: {error}; make it again with --mode prepare") from None
    return songs
