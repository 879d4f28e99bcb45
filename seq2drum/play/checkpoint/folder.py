"""A checkpoint's folder: the shipped models, the config of a checkpoint, its digests and its tensors."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from safetensors import SafetensorError, safe_open

from seq2drum.errors import CheckpointError, UnknownModelError
from seq2drum.lattice.form import FloatArray
from seq2drum.music import choices
from seq2drum.play.checkpoint.runtime import FILL_PLAN, GRAPHS, UNUSABLE, check_file, read_bytes, read_json

KIND = "accompanist"
# 1: before conditions, sketch and fills; 2: before kinds; 3: before grooves; 4: graphs of single steps; 5: other names
FORMAT = 6
CONFIG, WEIGHTS, SUMS = "config.json", "weights.safetensors", "SHA256SUMS"
PLAYED = (CONFIG, WEIGHTS, *(f"{graph}.onnx" for graph in (*GRAPHS, FILL_PLAN)))
MOST_SUMS = 64 << 10
"""The largest `SHA256SUMS` that is read, in bytes."""
DEFAULT = "default"
_SHIPPED = Path(__file__).parents[2] / "checkpoints"


def available() -> list[str]:
    """The names of the shipped accompanists."""
    return sorted(folder.name for folder in _SHIPPED.glob("*") if _is_accompanist(folder / CONFIG))


def _is_accompanist(config: Path) -> bool:
    """Return True for an accompanist, and for a damaged checkpoint, which loading refuses."""
    try:
        about = read_json(config)
    except OSError:
        return False
    except ValueError:
        return True
    return not isinstance(about, dict) or about.get("kind", KIND) == KIND


def find(name: str | Path) -> Path:
    """The checkpoint folder of a shipped model, of a folder, or of a training run's folder (its best).

    Raises:
        UnknownModelError: there is no such folder.
    """
    if str(name) in available():
        return _SHIPPED / str(name)
    if (place := place_in(name)) is not None:
        return place
    raise UnknownModelError(
        f"there is no model {str(name)!r}: wanted one of {', '.join(available()) or '(none is shipped)'}, "
        f"or a folder that --mode train made{meant(str(name), available())}"
    )


def meant(name: str, known: Sequence[str]) -> str:
    """The end of a refusal: the known names that may be meant, or nothing."""
    likely = choices.near(name, known, most=1)
    return f"; did you mean {likely[0]}?" if likely else ""


def place_in(name: str | Path) -> Path | None:
    """The checkpoint in a folder, or the best of a run; None if there is none."""
    folder = Path(name)
    with contextlib.suppress(OSError):  # the name is too long for a path
        for place in (folder, folder / "best", folder / "last"):
            if (place / CONFIG).is_file():
                return place
    return None


def read_config(folder: Path) -> dict[str, Any]:
    """Return the config of an accompanist's checkpoint, in today's format.

    Raises:
        CheckpointError: its config cannot be read, or is of another kind.
    """
    try:
        about = read_json(folder / CONFIG)
        if not isinstance(about, dict):
            raise ValueError(f"its {CONFIG} holds no object")
        return upgraded(
            about, KIND, FORMAT, {2: _without_kind, 3: _without_grooves, 4: _same_weights, 5: _same_weights}
        )
    except UNUSABLE as error:
        raise CheckpointError(f"{str(folder)!r} is not a usable checkpoint: {error}") from None


Upgrade: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]
"""From a checkpoint's config in one format to the same in the next format."""


def upgraded(about: dict[str, Any], kind: str, wanted: int, upgrades: Mapping[int, Upgrade]) -> dict[str, Any]:
    """Return the config of a checkpoint of one kind in the wanted format. upgrades: by the format that they upgrade.

    Raises:
        ValueError: it is of another kind, or of a format that cannot be upgraded.
    """
    while "kind" in about or about.get("format") in upgrades:
        if (held := about.get("kind", kind)) != kind:
            raise ValueError(f"it is of the kind {held!r}, wanted {kind!r}")
        if about.get("format") not in upgrades:
            break
        about = upgrades[about["format"]](about)
    if (number := about.get("format")) != wanted:
        raise ValueError(f"it is of the format {number}, wanted {wanted}; train it again")
    return about


def _same_weights(about: dict[str, Any]) -> dict[str, Any]:
    """Return the config of an accompanist of format 4 or 5, whose weights are current and whose graphs are not."""
    return {**about, "format": about["format"] + 1}


def _without_grooves(about: dict[str, Any]) -> dict[str, Any]:
    """An accompanist of format 3: its network hears no groove."""
    about = {**about, "format": 4}
    if about.get("family") == "attention":
        about["config"] = {**about["config"], "groove": False}
    return about


def _without_kind(about: dict[str, Any]) -> dict[str, Any]:
    """An accompanist of format 2: without a kind, its recipe called a plan."""
    about = {"kind": KIND, **about, "format": 3}
    if "plan" in about:
        about["recipe"] = about.pop("plan")
    if "progress" in about:
        progress = dict(about["progress"])
        training = {"nats_per_bar": progress.pop("nats", None)}
        validation = {
            "nats_per_bar": progress.pop("validation", None),
            "nats_per_bar_swapped_guitar": progress.pop("swapped", None),
        }
        for name, scalars in (("training", training), ("validation", validation)):
            progress[name] = {scalar: value for scalar, value in scalars.items() if value is not None}
        about["progress"] = progress
    return about


def digests(folder: Path, names: Sequence[str] = PLAYED) -> dict[str, str]:
    """The SHA-256, in hex, of a checkpoint's files that exist; by default, of all files of an accompanist."""
    sums = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):  # in one read: in pieces, each would wait for other threads
            sums[name] = hashlib.sha256(read_bytes(folder / name)).hexdigest()
    return sums


def seal(folder: Path, names: Sequence[str] = PLAYED) -> None:
    """Write the digests of a checkpoint's files, as `sha256sum --check` reads them."""
    lines = [f"{digest}  {name}\n" for name, digest in digests(folder, names).items()]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def verify(folder: Path, names: Sequence[str] = PLAYED) -> bool:
    """Check the files of a checkpoint against its digests; return False for checkpoints older than digests.

    names: see `digests`.

    Raises:
        CheckpointError: a file has changed since the checkpoint was written.
    """
    try:
        lines = read_bytes(folder / SUMS, MOST_SUMS).decode().splitlines()
        expected = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
        actual = digests(folder, names)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{str(folder / SUMS)!r} cannot be used: {error}") from None
    for name in expected.keys() | actual.keys():
        if expected.get(name) != actual.get(name):
            raise CheckpointError(
                f"{str(folder / name)!r} is not the file that the checkpoint was made with: its SHA-256 differs from"
                f" the one in {SUMS}. Copy the folder again, or take another model"
            )
    return True


def read_tensors(path: Path, names: Sequence[str]) -> list[FloatArray]:
    """Some float32 tensors of a safetensors file.

    Raises:
        CheckpointError: the file is damaged, lacks one of them, or one holds a value that is not a number.
    """
    try:
        check_file(path)
        with safe_open(path, framework="numpy") as file:
            tensors = [file.get_tensor(name) for name in names]
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be used: {error}") from None
    if not all(np.isfinite(tensor).all() for tensor in tensors):
        raise CheckpointError(f"{str(path)!r} cannot be used: some weights are not numbers")
    return tensors


DENSE_FORMAT = 1
DENSE_FILES = (CONFIG, WEIGHTS)
DENSE_TENSORS = ("mean", "spread", "hidden.weight", "hidden.bias", "out.weight", "out.bias")


def read_dense(
    folder: Path, kind: str, what: str, inputs: Sequence[str], size: int, outputs: int
) -> tuple[FloatArray, ...]:
    """Return the DENSE_TENSORS of a network of one hidden layer, which numpy computes.

    inputs: names of its features; size: their columns. what: its name in messages.

    Raises:
        CheckpointError: the folder is damaged, or of another kind or version.
    """
    try:
        about = upgraded(read_json(folder / CONFIG), kind, DENSE_FORMAT, {})
        if about["inputs"] != list(inputs):
            raise ValueError(f"its inputs are {about['inputs']}, wanted {list(inputs)}")
        hidden = int(about["hidden"])
    except UNUSABLE as error:
        raise CheckpointError(f"{str(folder)!r} holds no usable {what}: {error}") from None
    verify(folder, DENSE_FILES)
    tensors = tuple(read_tensors(folder / WEIGHTS, DENSE_TENSORS))
    wanted = (size,), (size,), (hidden, size), (hidden,), (outputs, hidden), (outputs,)
    if (found := tuple(tensor.shape for tensor in tensors)) != wanted:
        raise CheckpointError(f"{str(folder)!r} holds no usable {what}: its tensors are {found}, wanted {wanted}")
    return tensors
