"""The harness of all benches: options, tables, wanted figures, and the comparison with another commit.

A bench is a module of this folder with

    a docstring      whose first line `python -m bench` lists
    run(options)     which measures, and yields lines of text and rows of tables as soon as they are known
    add_options      which adds options to the parser, if the bench has any
    against          which compares with a checkout of another commit, if the bench of both in turn is too coarse

With `--against COMMIT` the bench runs here and in a checkout of COMMIT in turn, round by round, so that a machine whose
speed drifts disturbs both alike; printed are the medians and their ratio. A commit that has a harness measures itself;
the code of an older one is measured with the bench of here, if that finds the names it needs there.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench.machine import ROOT, machine

Cell = str | float | None


@dataclass(frozen=True)
class Table:
    """Columns by name, each with how its numbers are written, as "{:.2f} s"; "" for words and for `plain` numbers."""

    columns: Mapping[str, str]

    def row(self, *cells: Cell) -> Row:
        """Return a row of this table; None leaves a cell empty."""
        if len(cells) != len(self.columns):
            raise ValueError(f"a row has {len(cells)} cells, wanted {len(self.columns)}: {', '.join(self.columns)}")
        return Row(self, cells)

    @property
    def head(self) -> str:
        """The first two lines in Markdown."""
        return f"| {' | '.join(self.columns)} |\n{'|---' * len(self.columns)}|"


class Row(NamedTuple):
    """A row of a table. kept: whether a figure is as wanted; None if nothing was wanted of it."""

    table: Table
    cells: tuple[Cell, ...]
    kept: bool | None = None

    def __str__(self) -> str:
        written = zip(self.cells, self.table.columns.values(), strict=True)
        return f"| {' | '.join(_text(cell, how) for cell, how in written)} |"

    @property
    def numbers(self) -> dict[str, float]:
        """The numbers by the words before the first of them and the names of their columns."""
        count = next((at for at, cell in enumerate(self.cells) if not isinstance(cell, str)), len(self.cells))
        words = ", ".join(str(cell) for cell in self.cells[:count] if cell)
        named = zip(self.table.columns, self.cells, strict=True)
        return {f"{words}: {name}": float(cell) for name, cell in named if isinstance(cell, int | float)}


def _text(cell: Cell, written: str) -> str:
    if cell is None or isinstance(cell, str):
        return cell or ""
    return written.format(cell) if written else plain(cell)


def plain(number: float) -> str:
    """Return a number with at least four digits that say something, and no exponent; a whole number in full."""
    if isinstance(number, int) or not number:
        return f"{number:,.0f}"
    return f"{number:,.{max(3 - math.floor(math.log10(abs(number))), 0)}f}"


FIGURES = Table({"what": "", "figure": "", "unit": "", "beside it": "", "wanted": "", "kept": ""})
"""One figure a row, with the same of a peer in the same run and a bound where there are such."""


def figure(
    what: str,
    value: float,
    unit: str = "",
    *,
    beside: float | None = None,
    least: float | None = None,
    most: float | None = None,
) -> Row:
    """Return a row of `FIGURES`. least, most: its bounds."""
    bounds = [("at least", least), ("at most", most)]
    wanted = ", ".join(f"{word} {plain(bound)}" for word, bound in bounds if bound is not None)
    kept = (least is None or value >= least) and (most is None or value <= most) if wanted else None
    said = {True: "yes", False: "no", None: ""}[kept]
    return FIGURES.row(what, value, unit, beside, wanted, said)._replace(kept=kept)


# --- finding and running ----------------------------------------------------------------------------------------------


def benches(folder: Path = ROOT / "bench") -> dict[str, str]:
    """Return the first line of each bench by its name; no bench is imported."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body):
            found[path.stem] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def parser_of(name: str, bench: Any) -> argparse.ArgumentParser:
    """Return the parser of a bench: its own options, and those of every bench."""
    parser = argparse.ArgumentParser(
        prog=f"python -m bench {name}",
        description=bench.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if hasattr(bench, "add_options"):
        bench.add_options(parser)
    every = parser.add_argument_group("of every bench")
    every.add_argument("--against", type=commit_of, metavar="COMMIT", help="compare with this commit, in turn")
    every.add_argument("--rounds", type=_count, default=3, metavar="N", help="of a comparison (default: 3)")
    every.add_argument("--json", action="store_true", help="print a JSON value a row")
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run a bench, or list all; return 1 if a figure is not as wanted, 2 if it could not be measured."""
    words = list(sys.argv[1:] if words is None else words)
    listed = benches()
    if not words or words[0] in ("-h", "--help"):
        print("usage: python -m bench NAME [--against COMMIT] [OPTION ...]\n")
        print("\n".join(f"  {name:9} {line}" for name, line in listed.items()))
        return 0
    name, *given = words
    if name not in listed:
        print(f"there is no bench {name!r}; there are {', '.join(listed)}", file=sys.stderr)
        return 2
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line sets it before NumPy is imported
    bench = importlib.import_module(f"bench.{name}")
    options = parser_of(name, bench).parse_args(given)
    from seq2drum.errors import Seq2DrumError

    try:
        lines = bench.run(options) if options.against is None else compared(name, bench, options, given)
        return show(lines, as_json=options.json)
    except (Seq2DrumError, BenchError) as error:
        print(error, file=sys.stderr)
        return 2


class BenchError(Exception):
    """A bench that cannot measure: the message says why, and what to do."""


def show(lines: Iterable[str | Row], *, as_json: bool) -> int:
    """Print lines and rows as they come, each table with its head; return 1 if a figure is not as wanted, else 0.

    As JSON: the machine, then the cells and numbers of each row, and at the end whether all is as wanted.
    """
    print(json.dumps({"machine": machine()}) if as_json else machine(), flush=True)
    table, code = None, 0
    for line in lines:
        if isinstance(line, Row):
            code |= line.kept is False
            if as_json:
                print(
                    json.dumps(
                        {"cells": dict(zip(line.table.columns, line.cells, strict=True)), "numbers": line.numbers}
                    )
                )
                continue
            if line.table is not table:
                print(f"\n{line.table.head}")
            table = line.table
        elif as_json:
            continue
        else:
            table = None
        print(line, flush=True)
    if as_json:
        print(json.dumps({"kept": not code}))
    return code


# --- comparing --------------------------------------------------------------------------------------------------------


def compared(name: str, bench: Any, options: argparse.Namespace, words: Sequence[str]) -> Iterator[str | Row]:
    """Run a bench here and at a commit in turn, and yield the medians of the numbers that both have."""
    with worktree(options.against) as other:
        if hasattr(bench, "against"):
            yield from bench.against(options, other)
            return
        rest = without_comparison(words)
        pairs = []
        for number in range(options.rounds):
            order = (ROOT, other) if number % 2 == 0 else (other, ROOT)
            found = {checkout: numbers_of(checkout, name, rest) for checkout in order}
            pairs.append((found[ROOT], found[other]))
    yield f"{name} here and at {options.against}, medians of {options.rounds} rounds"
    yield from ratios(pairs, options.against)


def ratios(pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]], there: str) -> Iterator[Row]:
    """Yield a row for each number that all rounds have; pairs: the numbers here and there of each round."""
    table = Table({"what": "", "here": "", there: "", "ratio": "{:.3f}"})
    for what in pairs[0][0]:
        if all(what in numbers for pair in pairs for numbers in pair):
            ours, theirs = (statistics.median(pair[side][what] for pair in pairs) for side in (0, 1))
            yield table.row(what, ours, theirs, ours / theirs if theirs else None)


def numbers_of(checkout: Path, name: str, words: Sequence[str]) -> dict[str, float]:
    """Return the numbers of a bench that measures the code of a checkout.

    Raises:
        BenchError: it could not.
    """
    instrument = checkout if (checkout / "bench" / "harness.py").exists() else ROOT
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (checkout, instrument)))}
    command = [sys.executable, "-P", "-m", "bench", name, "--json", *words]
    done = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if not lines or "kept" not in lines[-1]:
        raise BenchError(f"{name} could not measure {checkout}: it ended with {done.returncode}")
    numbers: dict[str, float] = {}
    for line in lines:
        for what, value in line.get("numbers", {}).items():
            numbers.setdefault(what, value)
    return numbers


def without_comparison(words: Sequence[str]) -> list[str]:
    """Return the words of a command line without those of a comparison; names of files become absolute."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--against")
    parser.add_argument("--rounds")
    _, rest = parser.parse_known_args(list(words))
    return [str(Path(word).resolve()) if Path(word).exists() else word for word in rest]


def commit_of(name: str) -> str:
    """Return the name of a commit, as the type of an option.

    Raises:
        ArgumentTypeError: there is no such commit.
    """
    git = ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    if subprocess.run(git, stdout=subprocess.DEVNULL).returncode:
        raise argparse.ArgumentTypeError(f"there is no commit {name!r}; git log --oneline lists them")
    return name


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """A checkout of a commit, until the end of the block."""
    git = ("git", "-C", str(ROOT), "worktree")
    with tempfile.TemporaryDirectory(prefix="seq2drum-commit-") as folder:
        place = Path(folder).resolve() / "checkout"
        subprocess.run([*git, "add", "--quiet", "--detach", str(place), commit], check=True)
        try:
            yield place
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=True)


def _count(word: str) -> int:
    if not word.isdigit() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is no number of rounds, wanted 1 or more")
    return int(word)
