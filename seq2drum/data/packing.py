"""A song's arrays as bytes and back: what a cache keeps of each song."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.listening import Heard

_GRID_TYPES: dict[str, type[np.signedinteger | np.unsignedinteger]] = {
    "step": np.int32,
    "key": np.uint8,
    "velocity": np.uint8,
    "offset": np.int16,
    "length": np.uint16,
}
_LIMITS = {name: (int(np.iinfo(kind).min), int(np.iinfo(kind).max)) for name, kind in _GRID_TYPES.items()}


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
            least, most = _LIMITS[name]
            column = np.minimum(np.maximum(column, least), most).astype(kind)
            # Steps are kept as differences: small numbers, which compress five times better.
            arrays[f"{side}.{name}"] = np.diff(column, prepend=np.zeros(1, kind)) if name == "step" else column
    header = json.dumps([[name, array.dtype.str, len(array)] for name, array in arrays.items()]).encode()
    body = b"".join(array.tobytes() for array in arrays.values())
    return zlib.compress(len(header).to_bytes(4, "little") + header + body, 6)


def unpack(packed: bytes | memoryview) -> tuple[Heard, Grid]:
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
