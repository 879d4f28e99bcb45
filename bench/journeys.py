"""Functions and files of the project that one job enters.

Counted are the functions of the project that a job enters and the files that they are in, in a process of its own:
what was imported and cached before would not be entered again. `tests/test_journeys.py` holds the counts.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.harness import Row, Table
from bench.machine import CHECKOUT, apart

SONG = CHECKOUT / "examples" / "waltz.mid"
SONGS = CHECKOUT / "examples" / "training"
_FUNCTION = inspect.CO_OPTIMIZED | inspect.CO_NEWLOCALS  # the bodies of modules and classes lack the first


class Journey(NamedTuple):
    """Numbers of functions that a job enters, and of the files that they are in."""

    functions: int
    files: int


def accompany(folder: Path) -> None:
    from seq2drum import Drummer

    Drummer.load().accompany(SONG)


def infer(folder: Path) -> None:
    from seq2drum import cli

    assert cli.main(["--mode", "infer", str(SONG), "-o", str(folder / "drums.mid")]) == 0


def train(folder: Path) -> None:
    from seq2drum import cli

    options = ["--cache", str(folder / "songs.s2d"), "--out", str(folder / "run"), "--size", "hidden=16"]
    assert cli.main(["--mode", "train", "--data", str(SONGS), "--model", "lstm", "--epochs", "2", *options]) == 0


def call(folder: Path) -> None:
    from tests.servers import served

    async def run() -> None:
        async with served() as server:
            await server.generate()

    asyncio.run(run())


JOBS: dict[str, tuple[Callable[[Path], None], str]] = {
    "accompany": (accompany, "seq2drum."),
    "infer": (infer, "seq2drum."),
    "train": (train, "seq2drum."),
    "call": (call, "server."),  # the process that answers; parsers and players are others
}


def entered(job: Callable[[Path], None], package: str) -> set[tuple[str, str]]:
    """The module and the name of each function of a package that a job enters, in any of its threads."""
    found: set[tuple[str, str]] = set()

    def note(frame: Any, event: str, argument: Any) -> None:
        code, module = frame.f_code, frame.f_globals.get("__name__", "")
        is_function = code.co_flags & _FUNCTION == _FUNCTION and not code.co_name.startswith("<")
        if event == "call" and is_function and module.startswith(package):
            found.add((module, code.co_qualname))

    with tempfile.TemporaryDirectory() as folder:
        sys.setprofile(note)
        threading.setprofile(note)
        try:
            job(Path(folder))
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    return found


def counted(name: str) -> Journey:
    """Return the journey of a job that is done in this process."""
    found = entered(*JOBS[name])
    return Journey(len(found), len({module for module, _ in found}))


def journey(name: str) -> Journey:
    """Return the journey of a job that is done in a new process."""
    return Journey(*apart(counted, name))


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="JOB", help=f"some of {', '.join(JOBS)} (default: all)")


def run(options: argparse.Namespace) -> Iterator[Row]:
    table = Table({"job": "", "functions": "{}", "files": "{}"})
    for name in options.names or JOBS:
        yield table.row(name, *journey(name))
