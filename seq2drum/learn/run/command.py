"""The command line of a task that learns from a prepared corpus."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seq2drum.data.corpus.cache import load
from seq2drum.errors import Seq2DrumError


def main(
    module: str,
    about: str,
    recipe: Callable[..., Any],
    train: Callable[..., Path],
    arguments: Sequence[str] | None,
) -> int:
    """Train on a cache of songs; return the exit code.

    Args:
        module: Of the task, as `python -m` names it.
        about: A sentence for the help.
        recipe: The class of the task's recipe: epochs and a seed, with defaults.
        train: (songs, folder, recipe, resume=, say=) -> the best checkpoint.
        arguments: Of the command; by default those of the process.
    """
    usual = recipe()
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    parser.add_argument("--cache", type=Path, required=True, metavar="FILE", help="songs that --mode prepare has kept")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    parser.add_argument("--epochs", type=int, default=usual.epochs, metavar="N")
    parser.add_argument("--seed", type=int, default=usual.seed, metavar="N")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    options = parser.parse_args(arguments)
    own = recipe(epochs=options.epochs, seed=options.seed)
    try:
        print(train(load(options.cache), options.out, own, resume=options.resume, say=print))
    except Seq2DrumError as fault:
        print(fault, file=sys.stderr)
        return 2
    return 0
