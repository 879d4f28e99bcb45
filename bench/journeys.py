"""Functions and files of the project that one job enters.

A job runs in a separate process, as a warm cache would hide functions. Imports and, for `accompany`, loading the model
come before it and do not count. `tests/test_journeys.py` holds the counts.
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


Job = Callable[[], Any]


class Journey(NamedTuple):
    """Numbers of functions that a job enters, and of the files that they are in."""

    functions: int
    files: int


def accompany(folder: Path) -> Job:
    from seq2drum import Drummer

    drummer = Drummer.load()
    return lambda: drummer.accompany(SONG)


def infer(folder: Path) -> Job:
    from seq2drum import cli

    return lambda: cli.main(["--mode", "infer", str(SONG), "-o", str(folder / "drums.mid")])


def train(folder: Path) -> Job:
    from seq2drum import cli

    options = ["--cache", str(folder / "songs.s2d"), "--out", str(folder / "run"), "--size", "hidden=16"]
    options += ["--data", str(SONGS), "--model", "lstm", "--epochs", "2"]
    return lambda: cli.main(["--mode", "train", *options])


def call(folder: Path) -> Job:
    from tests.servers import served

    async def run() -> None:
        async with served() as server:
            await server.generate()

    return lambda: asyncio.run(run())


JOBS: dict[str, tuple[Callable[[Path], Job], str]] = {
    "accompany": (accompany, "seq2drum."),
    "infer": (infer, "seq2drum."),
    "train": (train, "seq2drum."),
    "call": (call, "server."),  # the process that answers; parsers and players are others
}


def entered(make: Callable[[Path], Job], package: str) -> set[tuple[str, str]]:
    """Return module and name of each function of a package that a job enters, in any of its threads.

    Its preparation does not count, nor do functions that a library wrote, such as the methods of a dataclass.
    """
    found: set[tuple[str, str]] = set()

    def note(frame: Any, event: str, argument: Any) -> None:
        code, module = frame.f_code, frame.f_globals.get("__name__", "")
        is_function = code.co_flags & _FUNCTION == _FUNCTION and not code.co_name.startswith("<")
        if event == "call" and is_function and module.startswith(package) and not code.co_filename.startswith("<"):
            found.add((module, code.co_qualname))

    with tempfile.TemporaryDirectory() as folder:
        job = make(Path(folder))
        sys.setprofile(note)
        threading.setprofile(note)
        try:
            failed = job()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    if isinstance(failed, int) and failed:
        raise RuntimeError(f"{make.__name__} failed with exit code {failed}")
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
