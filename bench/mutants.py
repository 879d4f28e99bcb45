"""Faults in the package, one at a time, and the share that the tests find.

One place of the package after the other is changed in a checkout of COMMIT (a comparison flipped, a constant one off, a
result thrown away: `KINDS`), and the fast tests that run its line are run until one fails. A mutant is killed if a test
fails that passes without it. Places are drawn by a seed, in each room in proportion to its number of places.

A place is known by its function, its kind and its source, so that `--places`, with the result for another commit, draws
the same ones again where functions were moved or slightly rewritten. For a place that is gone one of its room is drawn.

One run of all fast tests under coverage (`pip install pytest-cov`), once a commit, finds the tests that run a line.
It is kept in the folder `--traces`. Code that only processes of their own run leaves no trace: the tests of its room
are tried. Mutants of Jia & Harman, "An Analysis and Survey of the Development of Mutation Testing" (2011).
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, fields
from difflib import SequenceMatcher
from pathlib import Path
from queue import Queue
from typing import Any

from bench.harness import commit_of, worktree
from bench.machine import ROOT

TOPS = ("seq2drum", "server", "client")
KINDS = ("comparison", "boundary", "arithmetic", "constant", "condition", "return", "argument", "flag")
MOST_TESTS = 40  # of those that run a line
FEWEST_TESTS = 10  # of fewer, tests of the room are tried too
TEST_SECONDS = 20.0  # that the tests of one mutant take together without it
MEMORY = 6 << 30  # bytes that the data of a process may have: a mutant may never stop to grow

FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
}
BOUNDARY: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
SWAPPED: dict[type[ast.operator], type[ast.operator]] = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult},
    **{ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult},
}

# The tests of one mutant, in a separate process: by id in this order; the one that fails is written to a file.
_RUN = """
import json, resource, sys
import pytest
order = {name: place for place, name in enumerate(json.loads(sys.stdin.read()))}
resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[2]),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[3]),) * 2)
class Chosen:
    def pytest_collection_modifyitems(self, items):
        items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])
    def pytest_runtest_logreport(self, report):
        if report.failed:
            open(sys.argv[1], "w").write(report.nodeid)
    def pytest_collectreport(self, report):
        if report.failed:
            open(sys.argv[1], "w").write("collecting " + report.nodeid)
files = dict.fromkeys(name.split("::")[0] for name in order)
sys.exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *files], plugins=[Chosen()]))
"""


@dataclass(frozen=True)
class Place:
    """A change of one expression. It is known by function, kind, source and its number among those that are equal."""

    file: str
    function: str
    kind: str
    source: str
    number: int
    mutant: str
    statement: str
    body: str
    line: int = 0
    span: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))  # (line, byte) of its first and behind its last

    @property
    def room(self) -> str:
        """The folder of a top-level package that it is in, or the package."""
        parts = Path(self.file).parts
        return "/".join(parts[:2]) if len(parts) > 2 else parts[0]

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.function, self.kind, self.source, self.number

    def applied(self, text: str) -> str:
        """The file's text with this change."""
        lines = [line.encode() for line in text.splitlines(keepends=True)]
        (first, start), (last, end) = self.span
        changed = lines[first - 1][:start] + self.mutant.encode() + lines[last - 1][end:]
        return b"".join([*lines[: first - 1], changed, *lines[last:]]).decode()


def changes(node: ast.AST, tested: bool) -> Iterator[tuple[str, ast.AST]]:
    """The changes (kind, changed node) of one node; `tested`: a branch is taken or not by its truth."""
    match node:
        case ast.Compare(left, [operator], right):
            yield "comparison", ast.Compare(left, [FLIPPED[type(operator)]()], right)
            if type(operator) in BOUNDARY:
                yield "boundary", ast.Compare(left, [BOUNDARY[type(operator)]()], right)
        case ast.UnaryOp(ast.Not(), operand):
            yield "condition", operand
        case ast.expr() if tested:
            yield "condition", ast.UnaryOp(ast.Not(), node)
    match node:
        case ast.BinOp(one, sign, other) if type(sign) in SWAPPED and not (_is_text(one) or _is_text(other)):
            yield "arithmetic", ast.BinOp(one, SWAPPED[type(sign)](), other)
        case ast.AugAssign(target, sign, value) if type(sign) in SWAPPED and not _is_text(value):
            yield "arithmetic", ast.AugAssign(target, SWAPPED[type(sign)](), value)
        case ast.Constant(bool(value)):
            yield "flag", ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield "constant", ast.Constant(value + 1)
        case ast.Return(value) if value is not None and not (isinstance(value, ast.Constant) and value.value is None):
            yield "return", ast.Return(ast.Constant(None))
        case ast.Call(function, arguments, [*others, ast.keyword(str())]):
            yield "argument", ast.Call(function, arguments, others)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def places(file: str, text: str) -> list[Place]:
    """All places of the functions of a file, without code that runs at import."""
    found: list[Place] = []
    numbers: Counter[tuple[str, ...]] = Counter()

    def walk(node: ast.AST, names: tuple[str, ...], body: str, statement: ast.AST | None, tested: bool) -> None:
        if isinstance(node, ast.JoinedStr):  # before Python 3.12, expressions inside f-strings have no position
            return
        if isinstance(node, ast.stmt):
            statement = node
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = (*names, node.name)
            if not isinstance(node, ast.ClassDef):
                node = _without_docstring(node)
                body = ast.unparse(node)
        elif body and statement is not None:
            for kind, changed in changes(node, tested):
                source, function = ast.unparse(node), ".".join(names)
                key = (function, kind, source)
                span = ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))  # type: ignore
                shown = _head(statement)
                mutant = f"({ast.unparse(changed)})" if isinstance(node, ast.expr) else ast.unparse(changed)
                place = Place(file, function, kind, source, numbers[key], mutant, shown, body, node.lineno, span)  # type: ignore
                numbers[key] += 1
                found.append(place)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params", "pattern"):
                continue
            truth = name == "test" or (isinstance(node, ast.comprehension) and name == "ifs")
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    walk(child, names, body, statement, truth)

    walk(ast.parse(text), (), "", None, False)
    return found


def _without_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.FunctionDef | ast.AsyncFunctionDef:
    bare = copy.copy(node)
    if ast.get_docstring(node, clean=False) is not None:
        bare.body = node.body[1:] or [ast.Pass()]
    return bare


def _head(statement: ast.AST) -> str:
    """A statement without the statements inside it."""
    bare = copy.copy(statement)
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        if hasattr(bare, name):
            setattr(bare, name, [])
    return ast.unparse(ast.fix_missing_locations(bare))


def all_places(checkout: Path) -> list[Place]:
    """The places of the package, the service and the client of a checkout, without generated files."""
    files = sorted(path for top in TOPS for path in (checkout / top).rglob("*.py") if "rpc" not in path.parts)
    return [place for path in files for place in places(path.relative_to(checkout).as_posix(), path.read_text("utf-8"))]


def drawn(candidates: Sequence[Place], number: int, seed: int) -> list[Place]:
    """`number` of the places, in each room in proportion to its places, of all kinds in turn."""
    rooms: dict[str, list[Place]] = defaultdict(list)
    for place in candidates:
        rooms[place.room].append(place)
    bounds = {room: len(inside) * number / len(candidates) for room, inside in rooms.items()}
    shares = {room: int(bound) for room, bound in bounds.items()}
    for room in sorted(rooms, key=lambda room: shares[room] - bounds[room])[: number - sum(shares.values())]:
        shares[room] += 1
    return [place for room in sorted(rooms) for place in _in_turn(rooms[room], f"{seed} {room}")[: shares[room]]]


def _in_turn(candidates: Sequence[Place], seed: str) -> list[Place]:
    """All of them in a random order in which kinds take turns."""
    draw = random.Random(seed)
    kinds = {kind: [place for place in candidates if place.kind == kind] for kind in draw.sample(KINDS, len(KINDS))}
    for inside in kinds.values():
        draw.shuffle(inside)
    turns = [(turn, place) for inside in kinds.values() for turn, place in enumerate(inside)]
    return [place for _, place in sorted(turns, key=lambda one: one[0])]


def likeness(one: Counter[str], other: Counter[str]) -> float:
    """The share of words that two texts have in common, 0 to 1."""
    return (one & other).total() / max(1, (one | other).total())


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+|[^\w\s]", text))


def found_again(wanted: Sequence[Place], candidates: Sequence[Place]) -> list[Place | None]:
    """For each place the same one among others: with the same key, or in the most similar function the most similar."""
    keys: dict[tuple[str, str, str, int], list[Place]] = defaultdict(list)
    kinds: dict[str, list[Place]] = defaultdict(list)
    for place in candidates:
        keys[place.key].append(place)
        kinds[place.kind].append(place)
    bodies = {body: words(body) for body in {place.body for place in [*wanted, *candidates]}}
    taken: set[Place] = set()
    result: list[Place | None] = [None] * len(wanted)

    for index, place in enumerate(wanted):  # those with the same name first: no other may take them
        same = [one for one in keys[place.key] if one not in taken]
        if same:
            result[index] = max(same, key=lambda one: likeness(bodies[place.body], bodies[one.body]))
            taken.add(result[index])  # type: ignore[arg-type]
    for index, place in enumerate(wanted):
        if result[index] is None:
            near = {
                body: likeness(bodies[place.body], bodies[body]) for body in {one.body for one in kinds[place.kind]}
            }
            rated = [
                (near[one.body] + _ratio(place.source, one.source) + _ratio(place.statement, one.statement), one)
                for one in kinds[place.kind]
                if one not in taken and near[one.body] > 0.4 and _ratio(place.source, one.source) > 0.75
            ]
            best, one = max(rated, key=lambda pair: pair[0], default=(0.0, None))
            if best > 2.2 and one is not None:
                result[index] = one
                taken.add(one)
    return result


def _ratio(one: str, other: str) -> float:
    return 1.0 if one == other else SequenceMatcher(None, one, other, autojunk=False).ratio()


@dataclass
class Tests:
    """The fast tests of a commit that pass: their seconds by id, and which lines each of them runs."""

    seconds: dict[str, float]
    traces: Any
    unsteady: set[str] = field(default_factory=set)
    """Tests that failed where nothing was changed."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def read(cls, folder: Path) -> Tests:
        from coverage import CoverageData

        traces = CoverageData(str(folder / "coverage"))
        traces.read()
        return cls(passed((folder / "tests.xml").read_text("utf-8")), traces)

    def of(self, place: Place) -> list[str]:
        """The tests of a place: the quickest that run it, each function of tests once before any a second time."""
        with self.lock:
            measured = next((file for file in self.traces.measured_files() if file.endswith(f"/{place.file}")), None)
            contexts = self.traces.contexts_by_lineno(measured) if measured else {}
        running = {name for line in range(place.span[0][0], place.span[1][0] + 1) for name in contexts.get(line, ())}
        ids = {name.rpartition("|")[0] for name in running}
        # Coverage counts a shared fixture for its first test only: the other tests of the file are tried as well.
        files = {name.split("::")[0] for name in running if name.endswith("|setup")}
        near = [name for name in self.seconds if name not in ids and name.split("::")[0] in files]
        chosen = [*self._quickest(name for name in self.seconds if name in ids), *self._quickest(near)]
        if len(chosen) < FEWEST_TESTS:
            parts = Path(place.file).parts
            rooms = {f"tests/{part}" for part in parts[:-1]}
            mirrored = [name for name in self.seconds if str(Path(name.split("::")[0]).parent) in rooms]
            own = [name for name in mirrored if Path(place.file).stem in Path(name.split("::")[0]).stem]
            more = [*self._quickest(own), *self._quickest(name for name in mirrored if name not in own)]
            chosen = list(dict.fromkeys([*chosen, *more]))
        return within(((name, self.seconds[name]) for name in chosen if name not in self.unsteady), TEST_SECONDS)

    def _quickest(self, names: Iterable[str]) -> list[str]:
        turns: Counter[str] = Counter()
        ranked = []
        for name in sorted(names, key=lambda name: (self.seconds[name], name)):
            function = name.split("[")[0]
            ranked.append((turns[function], name))
            turns[function] += 1
        return [name for _, name in sorted(ranked, key=lambda pair: pair[0])]


def within(tests: Iterable[tuple[str, float]], seconds: float) -> list[str]:
    """The first of the tests (id, seconds) that are not too many and together not too long; one at least."""
    chosen: list[str] = []
    for name, needed in tests:
        if len(chosen) < MOST_TESTS and (needed <= seconds or not chosen):
            chosen.append(name)
            seconds -= needed
    return chosen


def passed(report: str) -> dict[str, float]:
    """The seconds of the tests that passed, by id, of a report in the XML of JUnit."""
    cases = ElementTree.fromstring(report).iter("testcase")
    return {
        test_id(case.attrib["classname"], case.attrib["name"]): float(case.attrib["time"])
        for case in cases
        if not any(child.tag in ("failure", "error", "skipped") for child in case)
    }


def test_id(name: str, test: str) -> str:
    """The id of a test from the name of its class, or of its module, with dots."""
    modules = [part for part in name.split(".") if not part[0].isupper()]
    return "::".join(["/".join(modules) + ".py", *name.split(".")[len(modules) :], test])


def trace(checkout: Path, folder: Path, processes: int) -> None:
    """Run the fast tests of a checkout; which lines each of them runs, and its time, go into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "settings.ini"  # files named "coverage.*" are deleted when a run begins
    settings.write_text(
        f"[run]\ndata_file = {folder / 'coverage'}\nsource =\n" + "".join(f"    {top}\n" for top in TOPS)
    )
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(processes), "--dist", "worksteal", "-m", "not slow"]
    command += ["-p", "no:cacheprovider", f"--junitxml={folder / 'tests.xml'}"]
    command += ["--cov", f"--cov-config={settings}", "--cov-context=test", "--cov-report="]
    code = subprocess.run(command, cwd=checkout, env=_environment(checkout), stdout=sys.stderr).returncode
    if code not in (0, 1):  # 1: tests failed, which are left out
        raise SystemExit(f"the tests of {checkout} could not be run: pytest ended with {code}")


def _environment(checkout: Path) -> dict[str, str]:
    """The checkout's code is imported before any that is installed."""
    rest = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and Path(part) != ROOT]
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(checkout), *rest]), "OMP_NUM_THREADS": "1"}


def failed(checkout: Path, tests: Sequence[str], limit: float) -> str | None:
    """The first test that fails, by its id; None if none does, "time" if they do not end within the limit (seconds)."""
    with tempfile.TemporaryDirectory(prefix="seq2drum-mutant-") as folder:
        noted = Path(folder) / "failed"
        command = [sys.executable, "-c", _RUN, str(noted), str(MEMORY), str(int(limit))]
        run = subprocess.Popen(
            command,
            cwd=checkout,
            env=_environment(checkout) | {"TMPDIR": folder},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        try:
            run.communicate(
                json.dumps(tests), timeout=2 * limit
            )  # processor time is limited, too: other work may go on
        except subprocess.TimeoutExpired:
            return "time"
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
        if run.returncode in (0, 5):
            return None
        if run.returncode in (-signal.SIGXCPU, -signal.SIGKILL) and not noted.exists():
            return "time"
        return noted.read_text() if noted.exists() else f"exit {run.returncode}"


def verdict(
    place: Place, checkout: Path, tests: Tests, limit: float, stamp: int, earlier: str | None = None
) -> tuple[str, str | None, int]:
    """(killed, survived or timed out; the test that failed; the number of tests) of one mutant.

    earlier: the test that failed for another commit, which is tried first.
    """
    path = checkout / place.file
    text = path.read_text("utf-8")
    before = [name for name in tests.seconds if earlier and name.split("::")[1:] == earlier.split("::")[1:]]
    while True:
        chosen = [name for name in before if name not in tests.unsteady] or tests.of(place)
        if not chosen:
            return "survived", None, 0
        write(path, place.applied(text), stamp)
        try:
            killer = failed(checkout, chosen, limit)
        finally:
            write(path, text, stamp + 1)
        if killer is None and before:
            before = []
            continue
        if killer is None:
            return "survived", None, len(chosen)
        if killer == "time":
            return "timed out", None, len(chosen)
        if killer not in tests.seconds or failed(checkout, [killer], limit) is None:
            return "killed", killer, len(chosen)
        tests.unsteady.add(killer)  # it fails without the change, too


def write(path: Path, text: str, stamp: int) -> None:
    """Write a file with a distinct time, so that no compiled file of another text matches it."""
    path.write_text(text, "utf-8")
    os.utime(path, (stamp, stamp))


def check(place: Place, checkout: Path, tests: Tests, limit: float, stamp: int) -> None:
    """Make sure that the tests import the changed file: invalid Python there fails them, and its own text does not."""
    path = checkout / place.file
    text = path.read_text("utf-8")
    write(path, text + "\n(\n", stamp)
    broken = failed(checkout, tests.of(place), limit)
    write(path, text, stamp + 1)
    if broken in (None, "time"):
        raise SystemExit(f"a syntax error in {path} is not found: the tests import another copy")


def table(results: Sequence[dict[str, Any]]) -> list[str]:
    """Lines of a table in Markdown: the verdicts by room."""
    rooms: dict[str, Counter[str]] = defaultdict(Counter)
    for result in results:
        rooms[result["room"]][result["verdict"]] += 1
        rooms["all"][result["verdict"]] += 1
    names = ("killed", "timed out", "survived")
    head = ["| room | places | " + " | ".join(names) + " |", "|---" * 5 + "|"]
    order = [*sorted(room for room in rooms if room != "all"), "all"]
    rows = [
        f"| {room} | {rooms[room].total()} | " + " | ".join(str(rooms[room][name]) for name in names) for room in order
    ]
    return [*head, *(f"{row} |" for row in rows)]


def chosen_places(
    candidates: list[Place], number: int, seed: int, before: Path | None
) -> tuple[list[Place], list[Any]]:
    """The places to change, and those of `before` that are gone, each of which has one of its room in its stead."""
    if before is None:
        return drawn(candidates, number, seed), []
    names = {one.name for one in fields(Place)} - {"span"}
    told = json.loads(before.read_text("utf-8"))["places"]
    wanted = [Place(**{name: value for name, value in one.items() if name in names}) for one in told]
    again = found_again(wanted, candidates)
    used = {place for place in again if place is not None}
    gone = [place for place, one in zip(wanted, again, strict=True) if one is None]
    for index, place in enumerate(wanted):
        if again[index] is None:
            free = [one for one in candidates if one not in used]
            again[index] = _in_turn([one for one in free if one.room == place.room] or free, f"{seed} {place.key}")[0]
            used.add(again[index])  # type: ignore[arg-type]
    return [place for place in again if place is not None], [asdict(place) for place in gone]


def earlier_killers(before: Path | None) -> list[str | None]:
    """The test that failed for each place of an earlier result."""
    return [one["test"] for one in json.loads(before.read_text("utf-8"))["places"]] if before else []


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("commit", type=commit_of, metavar="COMMIT")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="places and verdicts, as JSON")
    parser.add_argument("--places", type=Path, metavar="FILE", help="the places of an earlier --out")
    parser.add_argument("--traces", type=Path, metavar="FOLDER", help="which tests run a line; made if it is not there")
    parser.add_argument("--number", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1, metavar="N")
    parser.add_argument(
        "--limit", type=float, default=60, metavar="SECONDS", help="that the tests of a mutant may take"
    )


def run(options: argparse.Namespace) -> Iterator[str]:
    started, lock, results = time.monotonic(), threading.Lock(), dict[int, dict[str, Any]]()
    clock = iter(range(int(time.time()) + 10, 1 << 40, 2))  # times of files, no two alike
    checkouts: Queue[Path] = Queue()
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="seq2drum-traces-") as scratch:
        for _ in range(options.processes):
            checkouts.put(stack.enter_context(worktree(options.commit)))
            if (ROOT.parent / "shared").exists():  # the corpus of real songs lies beside a checkout
                (checkouts.queue[-1].parent / "shared").symlink_to(ROOT.parent / "shared")
        traces = options.traces or Path(scratch)
        if not (traces / "tests.xml").exists():
            trace(checkouts.queue[0], traces.resolve(), options.processes)
        tests = Tests.read(traces)
        candidates = all_places(checkouts.queue[0])
        killers = earlier_killers(options.places) or [None] * options.number
        chosen, gone = chosen_places(candidates, options.number, options.seed, options.places)
        told = f"{len(chosen)} of {len(candidates)} places, {len(gone)} of them new; {len(tests.seconds)} tests"
        yield f"{options.commit}: {told}"
        for checkout in checkouts.queue:
            check(next(place for place in chosen if tests.of(place)), checkout, tests, options.limit, next(clock))

        def judge(index: int) -> None:
            checkout, begun, stamp = checkouts.get(), time.monotonic(), next(clock)
            try:
                word, killer, count = verdict(chosen[index], checkout, tests, options.limit, stamp, killers[index])
            finally:
                checkouts.put(checkout)
            seconds = round(time.monotonic() - begun, 1)
            place = {name: value for name, value in asdict(chosen[index]).items() if name != "span"}
            found = {"room": chosen[index].room, "verdict": word, "test": killer, "tests": count, "seconds": seconds}
            with lock:
                results[index] = found | place
                rows = [results[one] for one in sorted(results)]
                told = {"commit": options.commit, "seed": options.seed, "unsteady": sorted(tests.unsteady)}
                options.out.write_text(json.dumps(told | {"places": rows, "gone": gone}, indent=1) + "\n", "utf-8")
                passed = time.monotonic() - started
                print(
                    f"{len(results):4} {passed:6.0f} s  {word:9} {place['file']}:{place['line']} {place['kind']}",
                    flush=True,
                )

        with ThreadPoolExecutor(options.processes) as pool:
            list(pool.map(judge, sorted(range(len(chosen)), key=lambda index: killers[index] is None)))
    yield from table([results[index] for index in sorted(results)])
