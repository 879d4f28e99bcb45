"""How fast drums are played: `python bench/play.py [SONG] [--bars N] [--rounds N] [--against COMMIT]`.

A song of 128 bars of 4/4, or of N, is made by repeating the guitar of an example, or of SONG, and played twice: by the
command line in a fresh process, from its start to the written file, and again and again in a running process. Times
are wall time; "CPU" is the processor time of the same run, which other programs on the machine disturb less. Memory is
the largest resident set of any of the fresh processes.

With `--against` the same is done by a checkout of a commit, in turn with this one, round by round: what is printed are
ratios of processor times, this to that, so that a machine whose speed drifts disturbs both alike; of a fresh process
the times from its start to its end, too. Modules are compiled before, as they are where the package is installed.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
AS_GIVEN = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line sets it before NumPy is imported

from bench.machine import machine
from bench.same import worktree
from seq2drum.errors import Seq2DrumError
from seq2drum.formats.midi import midi
from seq2drum.music import theory
from seq2drum.music.notes import Metre, Note, Part, Song
from seq2drum.play.checkpoint.folder import DEFAULT
from seq2drum.play.checkpoint.runtime import LoadedGraph
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options

BARS = 128
IMPORTS = "numpy", "symusic", "onnxruntime", "seq2drum.play.drummer"
PLAYERS = 5  # running processes of each side: where the memory of one lies makes it some percent faster or slower
FRESH_SECONDS, FRESH_MEGABYTES, RUNNING_SECONDS = 0.5, 350, 0.15


@dataclass(frozen=True)
class Timed:
    """Some runs of one thing, in seconds: wall and processor time."""

    wall: list[float]
    cpu: list[float]

    def row(self, name: str, target: float) -> str:
        best = min(self.wall)
        verdict = "yes" if best < target else "no"
        return (
            f"| {name} | {best:.3f} s | {statistics.median(self.wall):.3f} s | {min(self.cpu):.3f} s "
            f"| < {target} s | {verdict} |"
        )


def long_song(path: Path, count: int = BARS) -> Song:
    """So many bars of 4/4: the guitar parts of a song, bar after bar, from its start again when it is over."""
    song = midi.read(path)
    if any((metre.numerator, metre.denominator) != (4, 4) for metre in song.metres):
        raise SystemExit(f"{path} is not in 4/4 throughout; name a song that is")
    bar = 4 * song.ticks_per_quarter
    length = max(song.end // bar, 1) * bar
    parts = []
    for index in theory.guitar_parts(song).parts:
        part = song.parts[index]
        notes = [
            note._replace(onset=note.onset + start)
            for start in range(0, count * bar, length)
            for note in part
            if note.onset < length and note.onset + start < count * bar
        ]
        parts.append(Part.of([_cut(note, count * bar) for note in notes], program=part.program, name=part.name))
    return Song(song.ticks_per_quarter, tuple(parts), song.tempos[:1], (Metre(0, 4, 4),), count * bar)


def _cut(note: Note, end: int) -> Note:
    return note._replace(duration=min(note.duration, end - note.onset))


def fresh(song: Path, target: Path, model: str, rounds: int) -> tuple[Timed, float]:
    """The command line in processes of its own, and the megabytes of the largest."""
    words = [sys.executable, str(ROOT / "main.py"), "--mode", "infer", str(song), "-o", str(target), "--force"]
    timed = Timed([], [])
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        subprocess.run([*words, "--model", model], check=True, stdout=subprocess.DEVNULL, env=AS_GIVEN)
        timed.wall.append(time.perf_counter() - begun)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        timed.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    unit = 1 if sys.platform == "darwin" else 1024
    return timed, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e6


def timed(work: Callable[[], object], rounds: int) -> Timed:
    runs = Timed([], [])
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        runs.wall.append(time.perf_counter() - wall)
        runs.cpu.append(time.process_time() - cpu)
    return runs


def start_up(model: str, rounds: int) -> dict[str, float]:
    """Milliseconds of the stages before a fresh process can play, each the best of some processes."""
    script = "import time, sys\nmarks = [time.perf_counter()]\n"
    for name in IMPORTS:
        script += f"import {name}\nmarks.append(time.perf_counter())\n"
    script += "seq2drum.play.drummer.Drummer.load(sys.argv[1])\nmarks.append(time.perf_counter())\n"
    script += "print(*(b - a for a, b in zip(marks, marks[1:])))"
    stages_of_runs, whole = [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", script, model], check=True, capture_output=True, text=True, cwd=ROOT
        )
        whole.append(time.perf_counter() - begun)
        stages_of_runs.append([float(word) for word in done.stdout.split()])
    best = [min(column) for column in zip(*stages_of_runs, strict=True)]
    names = [*(f"import {name}" for name in IMPORTS), "load the model"]
    stages = {"start and end of Python": max(min(whole) - sum(best), 0.0)} | dict(zip(names, best, strict=True))
    return {name: seconds * 1e3 for name, seconds in stages.items()}


def shares(drummer: Drummer, data: bytes) -> dict[str, float]:
    """Milliseconds of processor time of one run by what is computed; the rest is reading, sampling, rules, writing."""
    spent = dict.fromkeys(drummer.engine.graphs, 0.0)

    def watched(name: str, graph: LoadedGraph) -> LoadedGraph:
        def run(arrays: dict[str, object]) -> object:
            begun = time.process_time()
            outputs = graph.run(arrays)  # type: ignore[arg-type]
            spent[name] += time.process_time() - begun
            return outputs

        return graph._replace(run=run)  # type: ignore[arg-type]

    graphs = {name: watched(name, graph) for name, graph in drummer.engine.graphs.items()}
    begun = time.process_time()
    Drummer(replace(drummer.engine, graphs=graphs)).accompany(data).to_bytes()
    whole = time.process_time() - begun
    spent["everything else"] = whole - sum(spent.values())
    return {name: seconds * 1e3 for name, seconds in spent.items()}


# Takes of a song on request, each answered by its processor time. It names nothing but what `seq2drum` itself exports.
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
    """A running process of a checkout: each call is a take, and gives its seconds of processor time."""
    words = [sys.executable, "-P", "-c", PLAYER, model, str(song)]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:

        def take() -> float:
            print(file=process.stdin, flush=True)
            return float(process.stdout.readline())

        yield take
        process.stdin.close()


def process_seconds(checkout: Path, model: str, song: Path, target: Path) -> tuple[float, float]:
    """The processor time of the command line of a checkout, and the time from its start to its end."""
    words = [sys.executable, str(checkout / "main.py"), "--mode", "infer", str(song), "-o", str(target), "--force"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = AS_GIVEN | {"PYTHONPATH": str(checkout)}
    begun = time.perf_counter()
    subprocess.run([*words, "--model", model], check=True, stdout=subprocess.DEVNULL, env=environment)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def ratios(commit: str, data: bytes, model: str, rounds: int, bars: int) -> None:
    """Print how the processor times of this checkout compare with those of a commit, in pairs taken in turn."""
    rows: dict[str, list[float]] = {"a fresh process": [], "from its start to its end": [], "a running process": []}
    walls: list[tuple[float, float]] = []
    with worktree(commit) as other, tempfile.TemporaryDirectory() as folder:
        song, target = Path(folder) / "song.mid", Path(folder) / "drums.mid"
        song.write_bytes(data)
        for _ in range(1 + rounds):
            (here, wall), (there, wall_there) = (
                process_seconds(checkout, model, song, target) for checkout in (ROOT, other)
            )
            rows["a fresh process"].append(here / there)
            rows["from its start to its end"].append(wall / wall_there)
            walls.append((wall, wall_there))
        for row in rows.values():
            del row[:1]  # in the first, modules may have been compiled
        for _ in range(PLAYERS):
            with player(ROOT, model, song) as ours, player(other, model, song) as theirs:
                rows["a running process"] += [ours() / theirs() for _ in range(rounds)]
    pairs = f"{rounds} pairs of processes, {PLAYERS * rounds} of takes"
    print(f"processor time of {bars} bars beside {commit}, {pairs}; {machine()}")
    print("\n| ratio | least | median | most |\n|---|---|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {min(row):.3f} | {statistics.median(row):.3f} | {max(row):.3f} |")
    ours, theirs = (statistics.median(column) for column in zip(*walls[1:], strict=True))
    print(f"\na fresh process from its start to its end, in the median: {ours:.3f} s, there {theirs:.3f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("song", nargs="?", type=Path, default=ROOT / "examples" / "funk.mid", metavar="SONG")
    parser.add_argument("--model", default=DEFAULT, metavar="NAME|DIR")
    parser.add_argument("--bars", type=int, default=BARS, metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--against", metavar="COMMIT", help="ratios to a commit instead of times")
    options = parser.parse_args()
    try:
        song = long_song(options.song, options.bars)
        drummer = Drummer.load(options.model)
    except Seq2DrumError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    data = midi.serialise(song)
    if options.against:
        ratios(options.against, data, options.model, options.rounds, options.bars)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder) / "song.mid", Path(folder) / "drums.mid"
        path.write_bytes(data)
        in_fresh, megabytes = fresh(path, target, options.model, options.rounds)
        start = start_up(options.model, options.rounds)
        take = drummer.accompany(data, Options())  # warm up
        running = timed(lambda: drummer.accompany(data, Options()).save(target), options.rounds)
    seconds = song.seconds(song.end)
    best = min(running.wall)
    print(f"{options.song.stem} to {options.bars} bars ({seconds:.0f} s of music, {len(take.part)} hits); {machine()}")
    print(f"\n| {options.bars} bars | best | median | CPU | wanted | reached |\n|---|---|---|---|---|---|")
    print(in_fresh.row("a fresh process, from its start to the file", FRESH_SECONDS))
    print(running.row("a running process, bytes to file", RUNNING_SECONDS))
    reached = "yes" if megabytes < FRESH_MEGABYTES else "no"
    print(f"| memory of the fresh process | {megabytes:.0f} MB | | | < {FRESH_MEGABYTES} MB | {reached} |")
    print(f"\nrunning: {seconds / best:.0f} times real time, {options.bars / best:.0f} bars a second")
    for title, parts in (("start-up", start), ("playing, CPU", shares(drummer, data))):
        whole = sum(parts.values())
        listed = ", ".join(f"{name} {ms:.0f} ms ({ms / whole:.0%})" for name, ms in parts.items())
        print(f"{title}: {listed}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
