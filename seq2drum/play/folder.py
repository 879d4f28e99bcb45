"""A checkpoint's folder: the models in the box, what a checkpoint says of itself, its digests and its tensors."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from seq2drum.errors import CheckpointError, UnknownModelError
from seq2drum.lattice.form import FloatArray
from seq2drum.play.runtime import FILL_PLAN, GRAPHS

FORMAT = 2  # 1: before conditions, sketch and fills
CONFIG, WEIGHTS, SUMS = "config.json", "weights.safetensors", "SHA256SUMS"
DEFAULT = "default"
_SHIPPED = Path(__file__).parents[1] / "checkpoints"


def available() -> list[str]:
    """The names of the models in the box."""
    return sorted(folder.name for folder in _SHIPPED.glob("*") if (folder / CONFIG).is_file())


def find(name: str | Path) -> Path:
    """The checkpoint folder of a model in the box, of a folder, or of a training run's folder (its best).

    Raises:
        UnknownModelError: there is none.
    """
    if str(name) in available():
        return _SHIPPED / str(name)
    folder = Path(name)
    with contextlib.suppress(OSError):  # a name too long for a path is no folder's name
        for place in (folder, folder / "best", folder / "last"):
            if (place / CONFIG).is_file():
                return place
    raise UnknownModelError(
        f"there is no model {str(name)!r}: wanted one of {', '.join(available()) or '(none in the box)'}, "
        "or a folder that --mode train made"
    )


def read_config(folder: Path) -> dict[str, Any]:
    """What a checkpoint says of itself.

    Raises:
        CheckpointError: it says nothing that can be understood.
    """
    try:
        about = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        if (held := about.get("format")) != FORMAT:
            raise ValueError(f"its {CONFIG} names the format {held}, wanted {FORMAT}; train it again")
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{str(folder)!r} is no usable checkpoint: {error}") from None
    return dict(about)


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256, in hex, of each file of a checkpoint that playing reads."""
    names = [CONFIG, WEIGHTS, *(f"{graph}.onnx" for graph in (*GRAPHS, FILL_PLAN))]
    found = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError), (folder / name).open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def verify(folder: Path) -> bool:
    """Whether a checkpoint says what its files should be; where it does, they are.

    Checkpoints that were made before there were sums say nothing.

    Raises:
        CheckpointError: a file is not what it was when the checkpoint was made.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        expected = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
        found = digests(folder)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{str(folder / SUMS)!r} cannot be used: {error}") from None
    for name in expected.keys() | found.keys():
        if expected.get(name) != found.get(name):
            raise CheckpointError(
                f"{str(folder / name)!r} is not the file that the checkpoint was made with: its SHA-256 differs from"
                f" the one in {SUMS}. Copy the folder again, or take another model"
            )
    return True


class Stored(NamedTuple):
    """A tensor in a file: its shape, and the bytes [begin, end) that it is."""

    shape: list[int]
    begin: int
    end: int


def stored(file: BinaryIO) -> dict[str, Stored]:
    """Where each tensor of a safetensors file lies: an eight-byte size, a JSON header of that size, the tensors' bytes.

    Raises:
        ValueError, LookupError, AttributeError, TypeError, struct.error: the header makes no sense.
    """
    (size,) = struct.unpack("<Q", file.read(8))
    if size > 1 << 24:
        raise ValueError("its header is longer than any of ours")
    header = json.loads(file.read(size))
    places = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            places[name] = Stored(entry["shape"], 8 + size + begin, 8 + size + end)
    return places


def read_tensors(path: Path, names: Sequence[str]) -> list[FloatArray]:
    """Some float32 tensors of a safetensors file.

    Raises:
        CheckpointError: the file is damaged, lacks one of them, or one holds what is no number.
    """
    try:
        with path.open("rb") as file:
            places = stored(file)
            held, wanted = os.fstat(file.fileno()).st_size, max(place.end for place in places.values())
            if held != wanted:
                raise ValueError(f"it has {held} bytes, wanted {wanted}")
            found = []
            for name in names:
                shape, begin, end = places[name]
                file.seek(begin)
                found.append(np.frombuffer(file.read(end - begin), dtype=np.float32).reshape(shape))
    except (OSError, ValueError, LookupError, AttributeError, TypeError, struct.error) as error:
        raise CheckpointError(f"{str(path)!r} cannot be used: {error}") from None
    if not all(np.isfinite(array).all() for array in found):
        raise CheckpointError(f"{str(path)!r} cannot be used: there are weights that are no numbers")
    return found
