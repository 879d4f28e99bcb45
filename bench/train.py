"""Speed of training each family, beside a plain torch encoder-decoder in the same run.

The peer is what one would write first: `nn.LSTM` of 256 to read and `nn.LSTM` of 256 to play, eight bars of 24 steps,
random numbers, float32, AdamW, no data to gather. Ours includes gathering, context, memory, velocity and offset. The
rows `as small` are of families whose sizes give as many parameters as the peer has.

On a GPU (`--device cuda`) each row ends with how busy the GPU was (nvidia-smi, once a second) and the most memory that
torch held there, and the last line says how often a step of the default family waits for the GPU.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn

from bench.harness import Row, Table, figure
from seq2drum.data.batches import batches
from seq2drum.data.corpus.cache import load
from seq2drum.learn.accompaniment import Accompaniment, Recipe
from seq2drum.learn.run.devices import make_fabric
from seq2drum.learn.run.loop import train
from seq2drum.learn.run.task import Progress
from seq2drum.models.families import DEFAULT_FAMILY, FAMILIES, family

AS_SMALL: dict[str, dict[str, Any]] = {
    "transformer": {"hidden": 60, "reader": 20, "bar": 16, "played": 16, "units": 60, "kept": 32, "token": 24},
    "attention": {"hidden": 80, "reader": 24, "bar": 16, "played": 16, "mixed": 48},
    "lstm": {"hidden": 148},
}
RATES = Table(
    {
        "family": "",
        "million parameters": "{:.2f}",
        "bars/s": "{:.0f}",
        "of the peer's": "{:.2f}",
        "% of the GPU busy": "{:.0f}",
        "GB on the GPU": "{:.1f}",
    }
)
T = TypeVar("T")


class Busy(NamedTuple):
    """Percent of the time that a GPU was busy, in the median, and the most gigabytes held; None without a GPU."""

    percent: float | None = None
    gigabytes: float | None = None


def peer(seconds: float, device: torch.device, pairs: int = 48, steps: int = 192) -> tuple[float, int]:
    """Bars a second of a plain sequence-to-sequence LSTM, and its parameters."""
    parts = nn.LSTM(20, 256, batch_first=True), nn.LSTM(24, 256, batch_first=True), nn.Linear(256, 24)
    reader, player, out = (part.to(device) for part in parts)
    weights = [weight for part in (reader, player, out) for weight in part.parameters()]
    optimizer = torch.optim.AdamW(weights)
    guitar = torch.rand(pairs, steps, 20, device=device)
    drums = (torch.rand(pairs, steps, 24, device=device) < 0.03).float()
    done, begun = 0, 0.0
    for step in range(10**9):
        if step == 3:
            waited(device)
            begun = time.monotonic()
        if step > 3 and time.monotonic() - begun > seconds:
            break
        _, state = reader(guitar)
        y, _ = player(nn.functional.pad(drums[:, :-1], (0, 0, 1, 0)), state)
        loss = nn.functional.binary_cross_entropy_with_logits(out(y), drums)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        done += step >= 3
    waited(device)
    return done * pairs * steps / 24 / (time.monotonic() - begun), sum(weight.numel() for weight in weights)


def waited(device: torch.device) -> None:
    """Wait until a GPU has finished its queue."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def watched(work: Callable[[], T], device: torch.device) -> tuple[T, Busy]:
    """Return the value of some work, and how busy a GPU was meanwhile."""
    if device.type != "cuda":
        return work(), Busy()
    seen: list[int] = []
    over = threading.Event()

    def watch() -> None:
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while shutil.which(command[0]) and not over.wait(1):
            said = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
            seen.extend(int(line) for line in said[:1] if line.strip().isdigit())

    torch.cuda.reset_peak_memory_stats(device)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        result = work()
    finally:
        over.set()
        watcher.join()
    return result, Busy(statistics.median(seen) if seen else None, torch.cuda.max_memory_allocated(device) / 1e9)


def pace(data: batches.Data, recipe: Recipe) -> tuple[float, int]:
    """Bars a second of a family, the first tenth left out, and its parameters."""
    task = Accompaniment(data, None, recipe)
    begun: list[tuple[float, int]] = []

    def show(share: float, progress: Progress) -> None:
        if share > 0.1 and not begun:
            begun.append((progress.seconds, progress.seen))

    with tempfile.TemporaryDirectory() as folder:
        progress = train(task, Path(folder), show=show).progress
    seconds, seen = begun[0] if begun else (0.0, 0)
    rate = (progress.seen - seen) / max(progress.seconds - seconds, 1e-9)
    return rate, sum(weight.numel() for weight in task.model.parameters())


def waits(data: batches.Data, device: str) -> int:
    """Return how often a step of the default family waits for a GPU, as torch sees it."""
    steps = 20
    with warnings.catch_warnings(record=True) as caught, tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            train(Accompaniment(data, None, Recipe(device=device, steps=steps)), Path(folder))
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(one.message) for one in caught) // steps


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cache", type=Path, help="what --mode prepare made")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", choices=("auto", "32", "bf16"), default="auto")
    parser.add_argument("--models", nargs="+", choices=tuple(FAMILIES), default=tuple(FAMILIES))
    parser.add_argument("--compile", action="store_true", help="through torch.compile, which takes minutes first")


def run(options: argparse.Namespace) -> Iterator[str | Row]:
    device = make_fabric(options.device, options.precision).device
    data = batches.flatten([song for song in load(options.cache) if song.split == "train"][::4])
    torch.set_num_threads(options.threads)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU"
    yield f"{options.threads} threads, {name}, torch {torch.__version__}"
    (plain, size), busy = watched(lambda: peer(options.seconds / 4, device), device)
    yield RATES.row("plain torch LSTM, float32", size / 1e6, plain, 1.0, *busy)
    for model in options.models:
        for title, sizes in ((model, {}), (f"{model}, as small", AS_SMALL[model])):
            recipe = Recipe(
                model=model,
                rate=family(model).rate,
                minutes=options.seconds / 60,
                sizes=sizes,
                device=options.device,
                precision=options.precision,
                compiled=options.compile,
            )
            (rate, size), busy = watched(partial(pace, data, recipe), device)
            yield RATES.row(title, size / 1e6, rate, rate / plain, *busy)
    if device.type == "cuda":
        yield figure(f"times that a step of {DEFAULT_FAMILY} waits for the GPU", waits(data, options.device))
