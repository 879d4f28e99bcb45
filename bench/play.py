"""Time and memory that playing 128 bars takes, in a fresh process and in a running one.

A song of 128 bars of 4/4, or of `--bars`, is made by repeating the guitar of an example, or of SONG, and played twice:
by the command line in a fresh process, from its start to the written file, and again and again in a running process.
Memory is the largest resident set of any of the fresh processes.

With `--against` a checkout of the commit does the same in turn, process by process and take by take: printed are ratios
of processor times, this to that, and of the wall times of fresh processes. Modules are compiled before, as they are
where the package is installed.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.harness import BenchError, Row, Table, figure
from bench.machine import CHECKOUT, Spent, most_memory, spent, spent_by_children
from seq2drum import Drummer
from seq2drum.formats.midi import midi
from seq2drum.music import theory
from seq2drum.music.notes import Metre, Note, Part, Song

BARS = 128
IMPORTS = "numpy", "symusic", "onnxruntime", "seq2drum.play.drummer"
PLAYERS = 5  # running processes of each side: where the memory of one lies makes it some percent faster or slower
FRESH_SECONDS, FRESH_MEGABYTES, RUNNING_SECONDS = 0.5, 350, 0.15
AS_GIVEN = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
SHARES = Table({"stage": "", "ms": "{:.0f}", "share": "{:.0%}"})


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("song", nargs="?", type=Path, default=CHECKOUT / "examples" / "funk.mid", metavar="SONG")
    parser.add_argument("--model", default="default", metavar="NAME|DIR")
    parser.add_argument("--bars", type=int, default=BARS, metavar="N")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="of each way to play (default: 5)")


def run(options: argparse.Namespace) -> Iterator[str | Row]:
    song = long_song(options.song, options.bars)
    data, seconds = midi.serialise(song), song.seconds(song.end)
    yield f"{options.song.stem} to {options.bars} bars, {seconds:.0f} s of music, {options.runs} runs"
    # 1. A fresh process, and how it starts.
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder) / "song.mid", Path(folder) / "drums.mid"
        path.write_bytes(data)
        work = fresh(CHECKOUT, options.model, path, target)
        runs = [spent_by_children(work) for _ in range(options.runs)]
        yield from times("a fresh process, from its start to the file", runs, FRESH_SECONDS)
        memory = most_memory(resource.RUSAGE_CHILDREN)
        yield figure("memory of the fresh process", memory, "MB", most=FRESH_MEGABYTES)
        start = start_up(options.model, options.runs)
        # 2. A running process.
        drummer = Drummer.load(options.model)
        drummer.accompany(data)  # warm up
        runs = [spent(lambda: drummer.accompany(data).save(target)) for _ in range(options.runs)]
    yield from times("a running process, bytes to file", runs, RUNNING_SECONDS)
    yield figure("running, times real time", seconds / min(run.wall for run in runs))
    yield figure("running, bars a second", options.bars / min(run.wall for run in runs))
    # 3. Where the time goes.
    for title, parts in (("start-up", start), ("playing, CPU", shares(drummer, data))):
        whole = sum(parts.values())
        yield from (SHARES.row(f"{title}: {name}", ms, ms / whole) for name, ms in parts.items())


def times(name: str, runs: list[Spent], target: float) -> Iterator[Row]:
    """Yield the rows of some runs of one thing."""
    yield figure(f"{name}: best", min(run.wall for run in runs), "s", most=target)
    yield figure(f"{name}: median", statistics.median(run.wall for run in runs), "s")
    yield figure(f"{name}: CPU", min(run.cpu for run in runs), "s")


def long_song(path: Path, count: int = BARS) -> Song:
    """Return so many bars of 4/4: the guitar of a song, bar after bar, from its start again when it is over."""
    song = midi.read(path)
    if any((metre.numerator, metre.denominator) != (4, 4) for metre in song.metres):
        raise BenchError(f"{path} is not in 4/4 throughout; name a song that is")
    bar = 4 * song.ticks_per_quarter
    length, end = max(song.end // bar, 1) * bar, count * bar
    parts = []
    for index in theory.guitar_parts(song).parts:
        part = song.parts[index]
        notes = [
            Note(onset, min(note.duration, end - onset), note.pitch, note.velocity)
            for start in range(0, end, length)
            for note in part
            if note.onset < length and (onset := note.onset + start) < end
        ]
        parts.append(Part.of(notes, program=part.program, name=part.name))
    return Song(song.ticks_per_quarter, tuple(parts), song.tempos[:1], (Metre(0, 4, 4),), end)


def fresh(checkout: Path, model: str, song: Path, target: Path) -> Callable[[], object]:
    """Return a run of the command line of a checkout in a separate process."""
    words = [sys.executable, str(checkout / "main.py"), "--mode", "infer", str(song), "-o", str(target), "--force"]
    environment = AS_GIVEN | {"PYTHONPATH": str(checkout)}
    return lambda: subprocess.run([*words, "--model", model], check=True, stdout=subprocess.DEVNULL, env=environment)


def start_up(model: str, runs: int) -> dict[str, float]:
    """Return the milliseconds of the stages before a fresh process can play, each the best of some processes."""
    script = "import time, sys\nmarks = [time.perf_counter()]\n"
    for name in IMPORTS:
        script += f"import {name}\nmarks.append(time.perf_counter())\n"
    script += "seq2drum.play.drummer.Drummer.load(sys.argv[1])\nmarks.append(time.perf_counter())\n"
    script += "print(*(b - a for a, b in zip(marks, marks[1:])))"
    words = [sys.executable, "-c", script, model]
    stages: list[list[float]] = []

    def start() -> None:
        done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=CHECKOUT)
        stages.append([float(word) for word in done.stdout.split()])

    whole = min(spent(start).wall for _ in range(runs))
    best = [min(column) for column in zip(*stages, strict=True)]
    names = [*(f"import {name}" for name in IMPORTS), "load the model"]
    seconds = {"start and end of Python": max(whole - sum(best), 0.0)} | dict(zip(names, best, strict=True))
    return {name: 1e3 * value for name, value in seconds.items()}


def shares(drummer: Drummer, data: bytes) -> dict[str, float]:
    """Return the milliseconds of processor time of one take by graph; the rest is reading, sampling, rules, writing."""
    taken = dict.fromkeys(drummer.engine.graphs, 0.0)

    def watched(name: str, compute: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def run(arrays: Any) -> Any:
            outputs: list[Any] = []
            taken[name] += spent(lambda: outputs.append(compute(arrays))).cpu
            return outputs[0]

        return run

    graphs = {name: graph._replace(run=watched(name, graph.run)) for name, graph in drummer.engine.graphs.items()}
    player = Drummer(replace(drummer.engine, graphs=graphs))
    whole = spent(lambda: player.accompany(data).to_bytes()).cpu
    taken["everything else"] = whole - sum(taken.values())
    return {name: 1e3 * seconds for name, seconds in taken.items()}


# --- against another commit -------------------------------------------------------------------------------------------

# Takes of a song on request, each answered by its processor time. It uses only public names of `seq2drum`.
PLAYER = """
import sys, time
from seq2drum import Drummer
drummer, data = Drummer.load(sys.argv[1]), open(sys.argv[2], "rb").read()
drummer.accompany(data).to_bytes()
for line in sys.stdin:
    begun = time.process_time()
    drummer.accompany(data).to_bytes()
    print(time.process_time() - begun, flush=True)
"""


@contextmanager
def player(checkout: Path, model: str, song: Path) -> Iterator[Callable[[], float]]:
    """A running process of a checkout: each call is a take, and returns its seconds of processor time."""
    words = [sys.executable, "-P", "-c", PLAYER, model, str(song)]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdin and process.stdout
        asked, answers = process.stdin, process.stdout

        def take() -> float:
            print(file=asked, flush=True)
            return float(answers.readline())

        yield take
        asked.close()


def against(options: argparse.Namespace, other: Path) -> Iterator[str | Row]:
    """Compare processor times with those of another checkout, in pairs taken in turn."""
    fresh_pairs: list[tuple[Spent, Spent]] = []
    running: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        song, target = Path(folder) / "song.mid", Path(folder) / "drums.mid"
        song.write_bytes(midi.serialise(long_song(options.song, options.bars)))
        here, there = (fresh(checkout, options.model, song, target) for checkout in (CHECKOUT, other))
        runs = range(1 + options.runs)
        fresh_pairs += [(spent_by_children(here), spent_by_children(there)) for _ in runs]
        del fresh_pairs[0]  # in the first, modules may have been compiled
        for _ in range(PLAYERS):
            with player(CHECKOUT, options.model, song) as ours, player(other, options.model, song) as theirs:
                running += [ours() / theirs() for _ in range(options.runs)]
    rows = {
        "processor time of a fresh process": [here.cpu / there.cpu for here, there in fresh_pairs],
        "wall time of a fresh process": [here.wall / there.wall for here, there in fresh_pairs],
        "processor time of a take in a running process": running,
    }
    pairs = f"{options.runs} pairs of processes, {len(running)} of takes"
    yield f"{options.bars} bars here and at {options.against}: {pairs}"
    table = Table({"ratio, here to there": "", "least": "{:.3f}", "median": "{:.3f}", "most": "{:.3f}"})
    yield from (table.row(name, min(row), statistics.median(row), max(row)) for name, row in rows.items())
    for side, times in zip(("here", "there"), zip(*fresh_pairs, strict=True), strict=True):
        yield figure(f"a fresh process {side}, median", statistics.median(one.wall for one in times), "s")
