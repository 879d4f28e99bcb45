"""The command line of a task that is no mode: `python -m` with the name of its module."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seq2drum.data.corpus.cache import load
from seq2drum.errors import Seq2DrumError


def run(
    module: str,
    about: str,
    add: Callable[[ArgumentParser], None],
    train: Callable[[Namespace], Path],
    arguments: Sequence[str] | None,
) -> int:
    """Train, and print where the result is; return the exit code.

    Args:
        module: Of the task, as `python -m` names it.
        about: A sentence for the help.
        add: Adds the options of its own: what it learns from, and for how long.
        train: Trains with the options: those, and out (a folder), seed and resume.
        arguments: Of the command; by default those of the process.
    """
    parser = ArgumentParser(prog=f"python -m {module}", description=about)
    add(parser)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR", help="the run's folder")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    try:
        say(str(train(parser.parse_args(arguments))))
    except Seq2DrumError as fault:
        print(fault, file=sys.stderr)
        return 2
    return 0


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


def main(
    module: str, about: str, recipe: Callable[..., Any], train: Callable[..., Path], arguments: Sequence[str] | None
) -> int:
    """Train on a prepared corpus; return the exit code.

    recipe: the class of the task's recipe: epochs and a seed, with defaults. train: (songs, folder, recipe, resume=,
    say=) -> the best checkpoint. See `run` for the others.
    """

    def add(parser: ArgumentParser) -> None:
        parser.add_argument("--cache", type=Path, required=True, metavar="FILE", help="songs that --mode prepare kept")
        parser.add_argument("--epochs", type=int, default=recipe().epochs, metavar="N")

    def of_songs(options: Namespace) -> Path:
        own = recipe(epochs=options.epochs, seed=options.seed)
        return train(load(options.cache), options.out, own, resume=options.resume, say=say)

    return run(module, about, add, of_songs, arguments)
