"""A training run's folder: `best` and `last`, of which `last` also holds the state to resume from.

    last/   the task's checkpoint, and training.safetensors, progress.json, history.json, task.json
    best/   the checkpoint with the least criterion

Models and optimisers are stored by name, tensors only; nothing is pickled.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from seq2drum.errors import CheckpointError, OptionError, OutputError
from seq2drum.learn.run.task import RESUMABLE, History, Progress, Task
from seq2drum.system import files

BEST, LAST = "best", "last"
STATE, PROGRESS, HISTORY, TASK, REPORT = (
    "training.safetensors",
    "progress.json",
    "history.json",
    "task.json",
    "report.html",
)


def check_folder(folder: Path, *, resume: bool) -> None:
    """Refuse a folder that cannot hold the run, before anything is read.

    Raises:
        OptionError: it holds a run, and `resume` is False.
        CheckpointError: it holds no run, and `resume` is True.
        OutputError: it is a file, or not accessible.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{str(folder)!r} is a file; --out wants a folder")
        if (folder / "last.old").is_dir() and not (folder / LAST).exists():
            (folder / "last.old").rename(folder / LAST)  # the run was killed between the two renames of a save
    except OSError as error:
        raise OutputError(f"the run cannot be kept in {str(folder)!r} ({error.strerror}); name another --out") from None
    if resume and not (folder / LAST).is_dir():
        raise CheckpointError(f"there is no run to resume in {str(folder)!r}; leave out --resume to begin one")
    if not resume and (folder / LAST).exists():
        raise OptionError(f"{str(folder)!r} holds a run already: go on with --resume, or name another --out")


def begun_again(folder: Path) -> bool:
    """True if torchrun has restarted this training (`--max-restarts N`) and a save to resume from exists."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0 and any(
        (folder / name).is_dir() for name in (LAST, "last.old")
    )


@contextmanager
def alone(folder: Path, rank: int) -> Iterator[None]:
    """Lock a run's folder: a second training would overwrite the saves of this one.

    Raises:
        OptionError: another training holds the lock.
        OutputError: the folder cannot be made or written.
    """
    if rank:  # the first process of several speaks and writes for all
        yield
        return
    try:
        with files.alone(folder):
            yield
    except BlockingIOError:
        raise OptionError(f"another training is going on in {str(folder)!r}; name another --out") from None
    except (OSError, SafetensorError) as error:
        raise OutputError(f"the run cannot be kept in {str(folder)!r}: {error}") from error


def save(folder: Path, task: Task[Any, Any], progress: Progress, history: History, about: Mapping[str, Any]) -> None:
    """Write `last` atomically: a run killed meanwhile still has the previous save."""
    fresh, last, old = (folder / name for name in ("last.new", LAST, "last.old"))
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    fresh.mkdir()
    task.save(fresh, about)
    save_file(_tensors(task), fresh / STATE)
    # safetensors writes for the owner alone: give this file the mode of the others.
    (fresh / PROGRESS).write_text(json.dumps(asdict(progress)), encoding="utf-8")
    (fresh / STATE).chmod((fresh / PROGRESS).stat().st_mode)
    (fresh / HISTORY).write_text(history.as_json(), encoding="utf-8")
    (fresh / TASK).write_text(json.dumps({"recipe": task.recipe.as_dict(), "state": task.state()}), encoding="utf-8")
    if last.exists():
        last.replace(old)
    fresh.replace(last)
    shutil.rmtree(old, ignore_errors=True)


def progress_of(folder: Path) -> Progress:
    """The progress of the run in a folder.

    Raises:
        CheckpointError: the folder has no run, or a damaged one.
    """
    last = folder / LAST
    try:
        return Progress(**json.loads((last / PROGRESS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"the run in {str(last)!r} cannot be resumed: {error}") from None


def restore(folder: Path, task: Task[Any, Any]) -> tuple[Progress, History]:
    """Restore models, optimisers and the task's state from `last`; return progress and history.

    Raises:
        CheckpointError: the run has another recipe, or is damaged.
    """
    last = folder / LAST
    try:
        if not (last / STATE).exists():
            raise ValueError(f"it holds no {STATE}, as runs of another version do; begin a new one")
        kept = json.loads((last / TASK).read_text(encoding="utf-8"))
        wanted = json.loads(json.dumps(task.recipe.as_dict()))
        differing = sorted(
            name for name in wanted.keys() | kept["recipe"].keys()
            if name not in RESUMABLE and wanted.get(name) != kept["recipe"].get(name)
        )  # fmt: skip
        if differing:
            raise CheckpointError(f"the run in {str(last)!r} was begun with other values of: {', '.join(differing)}")
        _put_back(task, load_file(last / STATE))
        task.restore(kept["state"])
        return progress_of(folder), History.from_json((last / HISTORY).read_text(encoding="utf-8"))
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"the run in {str(last)!r} cannot be resumed: {error}") from None


def _tensors(task: Task[Any, Any]) -> dict[str, torch.Tensor]:
    """All models and optimisers: models/NAME/WEIGHT and optimizers/NAME/INDEX/FIELD."""
    tensors: dict[str, torch.Tensor] = {}
    for name, model in task.models.items():
        tensors |= {f"models/{name}/{key}": value for key, value in model.state_dict().items()}
    for name, optimizer in task.optimizers.items():
        for index, row in optimizer.state_dict()["state"].items():
            # SGD without momentum has None here, and needs nothing restored.
            kept = {key: value for key, value in row.items() if isinstance(value, torch.Tensor)}
            tensors |= {f"optimizers/{name}/{index}/{key}": value for key, value in kept.items()}
    return {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}


def _put_back(task: Task[Any, Any], tensors: Mapping[str, torch.Tensor]) -> None:
    """Load the tensors of `_tensors` to the device of the weights."""
    for name, model in task.models.items():
        model.load_state_dict(_below(tensors, f"models/{name}/"))
    for name, optimizer in task.optimizers.items():
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in _below(tensors, f"optimizers/{name}/").items():
            index, field = key.split("/", 1)
            state.setdefault(int(index), {})[field] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _below(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
