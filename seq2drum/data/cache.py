"""The cache of a corpus: prepared songs in one file, byte-equal for equal songs.

    "S2DC", the length of a header (8 bytes, little-endian), the header, one blob a song

The header is compressed JSON: the version of the format, and of each song what it is called, where it comes from, and
the length of its blob. A blob is a song's arrays, compressed; `pack` says how.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2drum import files
from seq2drum.data.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.listening import Heard

MAGIC = b"S2DC"
CACHE_VERSION = 3  # 2: before the bass
_GRID_TYPES: dict[str, type[np.signedinteger | np.unsignedinteger]] = {
    "step": np.int32,
    "key": np.uint8,
    "velocity": np.uint8,
    "offset": np.int16,
    "length": np.uint16,
}


def save(songs: Iterable[Prepared], path: Path) -> None:
    """Write the cache, one file; byte-equal for equal songs."""
    rows, blobs = [], []
    for song in songs:
        blob = pack(song.heard, song.drums)
        rows.append([song.path, song.sha256, song.tag, song.group, song.split, song.origin, len(blob)])
        blobs.append(blob)
    header = {"version": CACHE_VERSION, "songs": rows}
    text = zlib.compress(json.dumps(header).encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_file(path, b"".join([MAGIC, len(text).to_bytes(8, "little"), text, *blobs]), overwrite=True)


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
        if data[:4] != MAGIC:
            raise ValueError("it does not begin as a cache does")
        at = 12 + int.from_bytes(data[4:12], "little")
        header = json.loads(zlib.decompress(data[12:at]))
        if header["version"] != CACHE_VERSION:
            raise ValueError(f"it has version {header['version']}, wanted {CACHE_VERSION}")
        songs = []
        for name, sha256, tag, group, split, origin, size in header["songs"]:
            heard, drums = unpack(data[at : at + size])
            songs.append(Prepared(name, sha256, tag, group, split, heard, drums, origin))
            at += size
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise CorpusError(f"{str(path)!r} is no usable cache: {error}; make it again with --mode prepare") from None
    return songs


def pack(heard: Heard, drums: Grid) -> bytes:
    """A song's arrays as bytes: a JSON list of their names, types and lengths, then the arrays; all compressed."""
    arrays: dict[str, NDArray[Any]] = {
        "steps": heard.form.steps.astype(np.int32),
        "numerator": heard.form.numerator.astype(np.int16),
        "denominator": heard.form.denominator.astype(np.int16),
        "bpm": heard.form.bpm.astype(np.float64),
        "programs": heard.programs.astype(np.int32),
        "parts": np.array([heard.parts], dtype=np.int32),
    }
    for side, grid in (("guitar", heard.guitar), ("bass", heard.bass), ("drums", drums)):
        for name, kind in _GRID_TYPES.items():
            column = getattr(grid, name)
            limits = np.iinfo(kind)
            column = np.clip(column, limits.min, limits.max).astype(kind)
            # Steps are kept as differences: small numbers, which compress five times better.
            arrays[f"{side}.{name}"] = np.diff(column, prepend=np.zeros(1, kind)) if name == "step" else column
    header = json.dumps([[name, array.dtype.str, len(array)] for name, array in arrays.items()]).encode()
    body = b"".join(array.tobytes() for array in arrays.values())
    return zlib.compress(len(header).to_bytes(4, "little") + header + body, 6)


def unpack(packed: bytes) -> tuple[Heard, Grid]:
    """What was packed: what is heard, and the drums."""
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
    return Heard(form, grids["guitar"], programs, parts, grids["bass"]), grids["drums"]
