"""What `--mode train` does for generators of beats: they learn from drums alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2drum.cli.terminal import bar, command, say
from seq2drum.errors import OptionError
from seq2drum.music.briefs import GENERATORS

if TYPE_CHECKING:
    from seq2drum.data.beats import Beats
    from seq2drum.learn.task import Progress

TRAINED = (*GENERATORS, "wavegan")
"""What `--mode train` makes without guitars."""

_FOREIGN = ("cache", "manifest", "weight", "size", "kit", "max_notes")  # options that mean nothing without a guitar


def train(options: argparse.Namespace, folders: list[Path], out: Path) -> int:
    """Train a generator, or go on training; returns the exit code.

    Raises:
        OptionError: an option means nothing to generators.
    """
    from seq2drum.learn import generating, loop

    for name in _FOREIGN:
        if getattr(options, name):
            raise OptionError(f"--model {options.model} has no use for --{name.replace('_', '-')}; leave it out")
    with bar(None, "reading drums"):
        bars = generating.read(options.model, folders)
    if options.combine:
        bars = _combined(bars, options.combine, options.seed)
    task = generating.task_of(options.model, bars, _recipe(options), lambda line: None)
    about = {**generating.about(options.model, folders), "command": command()}
    with bar(1, "trained") as advance:
        done = 0.0

        def show(share: float, progress: Progress) -> None:
            nonlocal done
            advance(share - done, task.status(progress))
            done = share

        trained = loop.train(task, out, resume=options.resume, about=about, show=show, warn=say)
    # What it has learnt, and how to go on.
    progress = trained.progress
    say(f"{'stopped' if trained.stopped else 'trained'} after {progress.seconds:.0f} s: {task.status(progress)}")
    unseen = ", ".join(f"{name} {value:.4g}" for name, value in progress.validation.items())
    say(f"on drums never trained on: {unseen}" if unseen else "no file fell to the validation side of the split")
    say(f"make beats with it: seq2drum --mode generate --model {out}")
    return 130 if trained.stopped else 0


def _combined(bars: Beats, count: int, seed: int) -> Beats:
    """The loops of several lines, and as many as `count` that are made of the lines of all; it is said how many."""
    import numpy as np

    from seq2drum.data import combining

    made = combining.combined(bars, count, np.random.default_rng(seed))
    say(f"{made.loops} loops were made of the lines of others; {made.copies} of {made.tried} tried were copies")
    return combining.joined(combining.whole(bars), made.beats)


def _recipe(options: argparse.Namespace) -> dict[str, Any]:
    """What was asked for of the run; the rest is as the generator's own recipe has it."""
    given = {name: getattr(options, name) for name in ("minutes", "epochs", "batch", "rate")}
    machine = {name: getattr(options, name) for name in ("device", "precision") if getattr(options, name) != "auto"}
    return {name: value for name, value in given.items() if value is not None} | machine | {"seed": options.seed}
