"""The machine, and the time and memory that some work takes on it."""

from __future__ import annotations

import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
"""The checkout of this bench."""


def _measured() -> Path:
    package = find_spec("seq2drum")
    return Path(package.origin).resolve().parents[1] if package and package.origin else ROOT


CHECKOUT = _measured()
"""The checkout whose code is measured: the same, unless `--against` measures another commit with this bench."""


def machine() -> str:
    """The processor, its cores and how busy they are: other work makes figures worse."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        name = models[0] if models else name
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{name}, {os.cpu_count()} cores{load}, Python {platform.python_version()}"


class Spent(NamedTuple):
    """Seconds of some work: wall time, and processor time, which other programs disturb less."""

    wall: float
    cpu: float


def spent(work: Callable[[], object]) -> Spent:
    """Return the seconds that this process spends on some work."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def spent_by_children(work: Callable[[], object]) -> Spent:
    """Return the wall time of some work, and the processor time of the processes that it starts and waits for."""
    wall, cpu = time.perf_counter(), cpu_of(resource.RUSAGE_CHILDREN)
    work()
    return Spent(time.perf_counter() - wall, cpu_of(resource.RUSAGE_CHILDREN) - cpu)


def cpu_of(*who: int) -> float:
    """Return the seconds of processor time of `resource.RUSAGE_SELF` or `RUSAGE_CHILDREN`, or of both."""
    used = [resource.getrusage(one) for one in who]
    return sum(one.ru_utime + one.ru_stime for one in used)


def most_memory(*who: int) -> float:
    """Return the most megabytes that one process of `resource.RUSAGE_SELF` or `RUSAGE_CHILDREN` ever had."""
    unit = 1 if sys.platform == "darwin" else 1024
    return max(resource.getrusage(one).ru_maxrss for one in who) * unit / 1e6


def peak() -> float:
    """Return the most megabytes that this process had: `getrusage` counts the memory of its parent, too. Linux only."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a process that imports the code that is measured, and this bench."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, dict.fromkeys((CHECKOUT, ROOT))))} | more


def command(function: Callable[..., object], *arguments: Any) -> list[str]:
    """Return the command that calls a function of a module with some JSON values, in a separate process."""
    place = f"{function.__module__}:{function.__qualname__}"
    return [sys.executable, "-P", "-m", "bench.machine", place, json.dumps(arguments)]


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the JSON value of a function called in a separate process.

    Raises:
        RuntimeError: the process ended with an error.
    """
    done = subprocess.run(command(function, *arguments), capture_output=True, text=True, env=environment())
    if done.returncode:
        raise RuntimeError(f"{function.__qualname__} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def _call(place: str, arguments: str) -> None:
    """Call a function and print its value: the other side of `apart`."""
    module, _, name = place.partition(":")
    print(json.dumps(getattr(importlib.import_module(module), name)(*json.loads(arguments))))


if __name__ == "__main__":
    _call(*sys.argv[1:])
