"""Fixtures that all tests share. The corpus of real music lies beside the repository, or is not there at all."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

from seq2drum.errors import MissingExtraError
from seq2drum.music.limits import MIDI_SUFFIXES

ROOT = Path(__file__).parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"
LONG = "SEQ2DRUM_LONG" in os.environ
"""Whether tests that take samples try all: every song, every row of a table, many more damaged files."""
long_run = pytest.mark.skipif(not LONG, reason="a long run, and a sample of it is tried anyway: SEQ2DRUM_LONG=1")
_T = TypeVar("_T")

# Several processes share the tests: each of them, and each program that is started, computes with one thread. Torch and
# NumPy read this when they are loaded, which is later.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # for tests that import ONNX Runtime themselves

# A shell that starts tests in the background has Ctrl-C ignored, and the programs that are tried would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow test on a busy machine is no failure.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

# Tests share `tests.strategies` and try what is in `bench`, whether pytest is started as a program or as a module.
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


MOST_PROCESSES = 4
"""Processes that share the tests. Each has torch in its memory, and many tests start servers with more processes."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """The number of processes of `-n auto`: one per core that this process may use, not one per core of the machine."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_PROCESSES)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Compute with one thread again: a training without --threads takes all cores, in whose process the tests go on."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def some(items: Sequence[_T], every: int) -> Sequence[_T]:
    """Every n-th of them, or all in a long run."""
    return items if LONG else items[::every]


def run_script(path: Path) -> dict[str, Any]:
    """What a script defines. As where Python runs it as a program, it finds the modules beside it."""
    sys.path.insert(0, str(path.parent))
    try:
        return runpy.run_path(str(path))
    finally:
        sys.path.remove(str(path.parent))


def corpus_files(folder: str) -> list[Path]:
    """The MIDI files of a folder of the corpus, sorted; empty if the corpus is not there."""
    return sorted(path for path in (CORPUS / folder).glob("*") if path.suffix.lower() in MIDI_SUFFIXES)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real music; the test is skipped where there is none."""
    if not CORPUS.is_dir():
        pytest.skip("needs the corpus of real music in ../shared/corpus")
    return CORPUS


@pytest.fixture(scope="session")
def sample(corpus: Path) -> list[Path]:
    """Plain songs in many metres."""
    return [*corpus_files("sample"), *corpus_files("black_metal"), corpus / "AprilInParis.mid"]


@pytest.fixture(scope="session")
def soundfont() -> Path:
    """A small soundfont, and a FluidSynth to render with; the test is skipped where either is missing."""
    pretty_midi = pytest.importorskip("pretty_midi", reason="needs the soundfont that comes with pretty_midi")
    from seq2drum.show import sound
    from seq2drum.show.kits import Sounds

    path = Path(pretty_midi.__file__).parent / "TimGM6mb.sf2"
    try:
        sound.check(Sounds(path))
    except MissingExtraError as error:
        pytest.skip(str(error))
    return path


@pytest.fixture(scope="session")
def torture(corpus: Path) -> list[Path]:
    """Odd, extreme and broken files."""
    return corpus_files("torture")
