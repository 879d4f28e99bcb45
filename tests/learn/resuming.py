"""A run that is stopped and resumed, beside an unbroken one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from seq2drum.learn.run import loop
from seq2drum.learn.run.task import Task


def check_resuming(made: Callable[[int], Task[Any, Any]], epochs: int, folder: Path) -> None:
    """Assert that a run stopped after an epoch and resumed ends as the whole one. made: a task of so many epochs."""
    loop.train(made(epochs), folder / "whole")
    loop.train(made(1), folder / "cut")
    loop.train(made(epochs), folder / "cut", resume=True)
    whole, cut = (load_file(folder / run / "last" / "training.safetensors") for run in ("whole", "cut"))
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
