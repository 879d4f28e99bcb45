"""A benchmark of two commits in one run: `python bench/against.py COMMIT [--rounds N] BENCH [OPTION ...]`.

BENCH is a script of this folder by its name, such as `midi`; its options come behind it. The script of a checkout of
COMMIT and the one here run in turn, round by round, so that a machine whose speed drifts disturbs both alike. Lines of
their outputs that are the same but for their numbers are compared number by number: printed are the line as it is
here, the medians of both, and the ratio of the medians, this to that. A line that only one of them has is not printed.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.machine import machine
from bench.same import commit_of, worktree

_NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?")


class Compared(NamedTuple):
    """A line of a benchmark; (here, there) of each of its numbers, in the median of all rounds."""

    line: str
    medians: list[tuple[float, float]]


def figures(output: str) -> dict[str, list[float]]:
    """The numbers of each line, by the line without them. Of lines that are the same without numbers, the first."""
    found: dict[str, list[float]] = {}
    for line in output.splitlines():
        numbers = [float(number.replace(",", "")) for number in _NUMBER.findall(line)]
        if numbers:
            found.setdefault(re.sub(r"\s+", " ", _NUMBER.sub("#", line)).strip(), numbers)
    return found


def compared(pairs: Sequence[tuple[str, str]]) -> list[Compared]:
    """The lines that all outputs have, in the order of the first here; pairs: the outputs here and there of a round."""
    here, there = ([figures(output) for output in outputs] for outputs in zip(*pairs, strict=True))
    shared = [line for line in here[0] if all(line in figures for figures in (*here, *there))]
    medians = ((_medians(one[line] for one in here), _medians(one[line] for one in there)) for line in shared)
    return [Compared(line, list(zip(*both, strict=True))) for line, both in zip(shared, medians, strict=True)]


def _medians(rows: Iterable[list[float]]) -> list[float]:
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def output_of(checkout: Path, bench: str, words: Sequence[str]) -> str:
    """What the benchmark of a checkout prints. What it says of itself on standard error is seen as it comes."""
    command = [sys.executable, str(checkout / "bench" / f"{bench}.py"), *words]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{bench} of {checkout} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("commit", type=commit_of, metavar="COMMIT")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    scripts = sorted(path.stem for path in Path(__file__).parent.glob("*.py"))
    parser.add_argument("bench", choices=scripts, metavar="BENCH")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="OPTION")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}, wanted 1 or more")
    words = [str(Path(word).resolve()) if Path(word).exists() else word for word in options.words]
    print(f"{options.bench} here and at {options.commit}, {options.rounds} rounds; {machine()}", flush=True)
    with worktree(options.commit) as other:
        pairs = []
        for number in range(options.rounds):
            order = (ROOT, other) if number % 2 == 0 else (other, ROOT)
            made = {checkout: output_of(checkout, options.bench, words) for checkout in order}
            pairs.append((made[ROOT], made[other]))
    for line, medians in compared(pairs):
        print(line)
        for here, there in medians:
            print(f"    {here:g} and {there:g}: {here / there:.3f}" if there else f"    {here:g} and 0")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
