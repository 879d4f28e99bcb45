"""The cache of a corpus: prepared songs in one file, a shard, or in many with an index; byte-equal for equal songs.

    a shard:  "S2DC", the length of a header (8 bytes, little-endian), the header, one blob a song
    an index: JSON, which names shards with their digests and counts

A shard's header is compressed JSON: the version of the format, the SHA-256 of all blobs, and for each song its name,
its source, and the length of its blob. A blob is a song's arrays, compressed, see `pack`. Shards are memory-mapped, so
unread songs cost nothing.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import SPLITS, Prepared, counted
from seq2drum.errors import CorpusError
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid
from seq2drum.system import files

_GRID_TYPES: dict[str, type[np.signedinteger | np.unsignedinteger]] = {
    "step": np.int32,
    "key": np.uint8,
    "velocity": np.uint8,
    "offset": np.int16,
    "length": np.uint16,
}
_LIMITS = {name: (int(np.iinfo(kind).min), int(np.iinfo(kind).max)) for name, kind in _GRID_TYPES.items()}


def pack(guitar_grid: GuitarGrid, drums: Grid) -> bytes:
    """A song's arrays as bytes: a JSON list of their names, types and lengths, then the arrays; all compressed."""
    arrays: dict[str, NDArray[Any]] = {
        "steps": guitar_grid.form.steps.astype(np.int32),
        "numerator": guitar_grid.form.numerator.astype(np.int16),
        "denominator": guitar_grid.form.denominator.astype(np.int16),
        "bpm": guitar_grid.form.bpm.astype(np.float64),
        "programs": guitar_grid.programs.astype(np.int32),
        "parts": np.array([guitar_grid.parts], dtype=np.int32),
    }
    for side, grid in (("guitar", guitar_grid.guitar), ("bass", guitar_grid.bass), ("drums", drums)):
        for name, kind in _GRID_TYPES.items():
            column = getattr(grid, name)
            least, most = _LIMITS[name]
            column = np.minimum(np.maximum(column, least), most).astype(kind)
            # Steps are kept as differences: small numbers, which compress five times better.
            arrays[f"{side}.{name}"] = np.diff(column, prepend=np.zeros(1, kind)) if name == "step" else column
    header = json.dumps([[name, array.dtype.str, len(array)] for name, array in arrays.items()]).encode()
    body = b"".join(array.tobytes() for array in arrays.values())
    return zlib.compress(len(header).to_bytes(4, "little") + header + body, 6)


def unpack(packed: bytes | memoryview) -> tuple[GuitarGrid, Grid]:
    """The guitar and the drums of packed bytes."""
    data = zlib.decompress(packed)
    at = 4 + int.from_bytes(data[:4], "little")
    arrays: dict[str, NDArray[Any]] = {}
    for name, kind, count in json.loads(data[4:at]):
        arrays[name] = np.frombuffer(data, dtype=kind, count=count, offset=at)
        at += arrays[name].nbytes
    grids = {}
    for side in ("guitar", "bass", "drums"):
        columns = {name: arrays[f"{side}.{name}"].astype(np.int64) for name in _GRID_TYPES}
        grids[side] = Grid(**columns | {"step": np.cumsum(columns["step"])})
    steps, numerator, denominator = (arrays[name].astype(np.int64) for name in ("steps", "numerator", "denominator"))
    form = Form(steps, numerator, denominator, arrays["bpm"])
    programs, parts = arrays["programs"].astype(np.int64), int(arrays["parts"][0])
    return GuitarGrid(form, grids["guitar"], programs, parts, grids["bass"]), grids["drums"]


MAGIC = b"S2DC"
CACHE_VERSION = 4
_BEFORE = 3  # had no digests, licences and numbers of bars; it is still read
INDEX_VERSION = 1
_KIND = ("folder", "origin", "licence")


class Shard(NamedTuple):
    """A shard's entry in an index.

    sha256: of its blobs, as its header states it too. sides, bars: its songs, and their bars, on each side of the
    split. sources: see `prepared.counted`.
    """

    path: Path
    sha256: str
    sides: Mapping[str, int]
    bars: Mapping[str, int]
    sources: list[dict[str, str | int]]


class Packed(NamedTuple):
    """A prepared song as it lies in a shard: as `Prepared`, with the number of its bars and its arrays as bytes."""

    path: str
    sha256: str
    tag: str
    group: str
    split: str
    origin: str
    licence: str
    bars: int
    packed: bytes


class _Mapped(NamedTuple):
    """A memory-mapped shard: its header, whose rows are `Packed` with lengths in place of bytes, and all blobs."""

    header: dict[str, Any]
    blobs: memoryview


# --- writing ----------------------------------------------------------------------------------------------------------


def save(songs: Iterable[Prepared], path: Path) -> Shard:
    """Write a shard, which alone is the cache of a small corpus; returns its entry in an index."""
    return save_packed((_packed(song) for song in songs), path)


def save_packed(songs: Iterable[Packed], path: Path) -> Shard:
    """Write a shard of packed songs."""
    rows, blobs = [], []
    for song in songs:
        rows.append([*song[:-1], len(song.packed)])
        blobs.append(song.packed)
    header = {"version": CACHE_VERSION, "sha256": hashlib.sha256(b"".join(blobs)).hexdigest(), "songs": rows}
    text = zlib.compress(json.dumps(header).encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_file(path, b"".join([MAGIC, len(text).to_bytes(8, "little"), text, *blobs]), overwrite=True)
    return _shard(path, header)


def _packed(song: Prepared) -> Packed:
    bars, blob = len(song.guitar_grid.form.steps), pack(song.guitar_grid, song.drums)
    where = song.path, song.sha256, song.tag, song.group, song.split, song.origin, song.licence
    return Packed(*where, bars, blob)


def unpacked(song: Packed) -> Prepared:
    """A song with its arrays."""
    guitar_grid, drums = unpack(song.packed)
    return Prepared(
        song.path, song.sha256, song.tag, song.group, song.split, guitar_grid, drums, song.origin, song.licence
    )


def save_index(shards: Iterable[Shard], path: Path) -> None:
    """Write an index of shards, with their paths relative to it."""
    rows = [
        {
            "file": Path(os.path.relpath(shard.path, path.parent)).as_posix(),
            "sha256": shard.sha256,
            "songs": dict(shard.sides),
            "bars": dict(shard.bars),
            "sources": shard.sources,
        }
        for shard in shards
    ]
    lines = ",\n".join(json.dumps(row) for row in rows)
    text = f'{{"seq2drum shards": {INDEX_VERSION}, "shards": [\n{lines}\n]}}\n'
    files.write_file(path, text.encode(), overwrite=True)


# --- reading ----------------------------------------------------------------------------------------------------------


def load(path: Path) -> list[Prepared]:
    """All songs of a cache.

    Raises:
        CorpusError: no cache, a damaged one, or one that another version wrote.
    """
    return [song for shard in shards_of(path) for song in songs_of(shard)]


def shards_of(path: Path) -> list[Shard]:
    """The shards of a cache: those that an index names, or the cache itself.

    Raises:
        CorpusError: no cache, a damaged one, or one that another version wrote.
    """
    with _readable(path):
        with path.open("rb") as file:
            is_index = file.read(1) == b"{"
        if not is_index:
            with _mapped(path) as shard:
                return [_shard(path, shard.header)]
        index = json.loads(path.read_bytes())
        version = index.get("seq2drum shards")
        if version != INDEX_VERSION:
            raise ValueError(f"it has version {version}, wanted {INDEX_VERSION}")
        shards = [
            Shard(path.parent / row["file"], row["sha256"], row["songs"], row["bars"], row["sources"])
            for row in index["shards"]
        ]
        if not shards or not all(map(_is_sound, shards)):
            raise ValueError("it lists no shards, or counts nothing of one")
    for listed in shards:  # fail now, not hours into a training
        with _readable(listed.path):
            listed.path.stat()
    return shards


def _is_sound(shard: Shard) -> bool:
    """True if a shard's entry in an index has values of the right types."""
    counts = [table[side] for table in (shard.sides, shard.bars, *shard.sources) for side in SPLITS]
    names = [row[kind] for row in shard.sources for kind in _KIND]
    counted = all(isinstance(count, int) and count >= 0 for count in counts)
    return counted and all(isinstance(name, str) for name in names)


def songs_of(shard: Shard, *sides: str, rows: Collection[int] | None = None) -> list[Prepared]:
    """The songs of a shard; with `sides`, those of these sides of the split only.

    rows: numbers of the wanted songs among these; by default all.

    Raises:
        CorpusError: the shard is missing, damaged, or not the listed one.
    """
    with _readable(shard.path), _mapped(shard.path) as mapped:
        if not shard.sha256 == mapped.header["sha256"] == hashlib.sha256(mapped.blobs).hexdigest():
            raise ValueError("its songs are not those that were written (the checksum differs)")
        songs, at, number = [], 0, 0
        for name, sha256, tag, group, split, origin, licence, _bars, size in mapped.header["songs"]:
            if not sides or split in sides:
                if rows is None or number in rows:
                    guitar_grid, drums = unpack(
                        bytes(mapped.blobs[at : at + size])
                    )  # no error may hold the mapping open
                    songs.append(Prepared(name, sha256, tag, group, split, guitar_grid, drums, origin, licence))
                number += 1
            at += size
        return songs


def sources_of(shards: Iterable[Shard]) -> list[dict[str, str | int]]:
    """Numbers of songs by folder, origin and licence in some shards, see `prepared.counted`."""
    table: dict[tuple[str, ...], Counter[str]] = {}
    for row in (row for shard in shards for row in shard.sources):
        kind = tuple(str(row[name]) for name in _KIND)
        table.setdefault(kind, Counter()).update({side: int(row[side]) for side in SPLITS})
    return [dict(zip(_KIND, kind, strict=True)) | dict(table[kind]) for kind in sorted(table)]


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn errors of a damaged file into a CorpusError of one sentence."""
    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"the cache {str(path)!r} cannot be read ({error.strerror}); make it with --mode prepare"
        ) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, zlib.error) as error:
        raise CorpusError(f"{str(path)!r} is not a usable cache: {error}; make it again with --mode prepare") from None


@contextmanager
def _mapped(path: Path) -> Iterator[_Mapped]:
    """Map a shard into memory, and read its header.

    Raises:
        ValueError, OSError and the like: the file is not a shard, or is cut off.
    """
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise ValueError("it does not begin as a cache does")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as data:
            first = 12 + int.from_bytes(data[4:12], "little")
            header = json.loads(zlib.decompress(data[12:first]))
            if header["version"] not in (_BEFORE, CACHE_VERSION):
                raise ValueError(f"it has version {header['version']}, wanted {CACHE_VERSION}")
            size, wanted = len(data), first + sum(row[-1] for row in header["songs"])
            if size != wanted:
                raise ValueError(f"it has {size} bytes, wanted {wanted}")
            with data[first:] as blobs:
                if header["version"] == _BEFORE:
                    header["songs"] = [[*row[:-1], "", 0, row[-1]] for row in header["songs"]]
                    header["sha256"] = hashlib.sha256(blobs).hexdigest()
                yield _Mapped(header, blobs)


def _shard(path: Path, header: Mapping[str, Any]) -> Shard:
    """The entry in an index of a shard with this header."""
    rows = header["songs"]
    table = counted((row[2], row[5], row[6], row[4]) for row in rows)
    of_side = {side: [row[7] for row in rows if row[4] == side] for side in SPLITS}
    songs, bars = ({side: count(of_side[side]) for side in SPLITS} for count in (len, sum))
    return Shard(path, header["sha256"], songs, bars, table)
