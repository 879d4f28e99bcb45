"""Bytes that a change must not change, compared with another commit, or with `tests/bytes.json`.

`python -m bench same COMMIT [--only GROUP ...]`: takes, scores, pictures, projects, answers of the service, trained
weights and evaluations are made with the code of COMMIT and with the code here, on this machine in one run, and
compared byte by byte (see `bench/outputs.py`). The exit code is 1 if anything differs or is on one side only.

`python -m bench same --write` makes them with the code here and keeps their digests in `tests/bytes.json`, which
`tests/test_bytes.py` compares with. `python -m bench same` alone compares all with that file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from bench.harness import Row, commit_of, figure, worktree
from bench.machine import ROOT
from bench.outputs import GROUPS, PROBES, Entries, made, probed

RECORD = ROOT / "tests" / "bytes.json"


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Return the entries that are not equal: an entry's name, and how it differs."""
    different = {name: "differs" for name in before if name in after and before[name] != after[name]}
    gone = {name: "only before" for name in before if name not in after}
    return different | gone | {name: "only after" for name in after if name not in before}


def recorded() -> tuple[dict[str, str], dict[str, Entries]]:
    """The probes, and the entries of each group, of `tests/bytes.json`."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    return record["probes"], record["groups"]


def compared(group: str, before: Entries, after: Entries) -> Iterator[str]:
    """Yield a line for each entry of a group."""
    different = differences(before, after)
    for name in before | after:
        yield f"{different.get(name, 'equal'):11}  {group}: {name}"


def against_record(names: Iterable[str]) -> Iterator[str]:
    """Compare with the recorded digests where the probes say that they hold here."""
    probes, groups = recorded()
    here = probed(sorted({probe for name in names for probe in GROUPS[name].probes}))
    for name in names:
        strange = [probe for probe in GROUPS[name].probes if here[probe] != probes[probe]]
        if strange:
            yield f"not compared {name}: this machine computes otherwise ({', '.join(strange)}); name a COMMIT"
        else:
            yield from compared(name, groups.get(name, {}), made(name))


def against_checkout(names: Iterable[str], before: Path) -> Iterator[str]:
    """Compare with the outputs of another checkout's code on this machine."""
    for name in names:
        yield from compared(name, made(name, before), made(name))


def write(names: Sequence[str]) -> str:
    """Record the digests of some groups, and of all probes; return how many there are."""
    groups = recorded()[1] if RECORD.exists() else {}
    groups = {name: made(name) if name in names else groups.get(name, {}) for name in GROUPS}
    record = {"probes": probed(PROBES), "groups": groups}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return f"{sum(map(len, groups.values()))} digests in {RECORD}"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "commit", nargs="?", type=commit_of, metavar="COMMIT", help="compare with it, not with tests/bytes.json"
    )
    parser.add_argument("--only", nargs="+", choices=GROUPS, metavar="GROUP", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--write", action="store_true", help="record the digests of the code here")


def run(options: argparse.Namespace) -> Iterator[str | Row]:
    names = options.only or list(GROUPS)
    if options.write:
        yield write(names)
        return
    if options.commit is None:
        yield from counted(against_record(names))
        return
    with worktree(options.commit) as before:
        yield from counted(against_checkout(names, before))


def against(options: argparse.Namespace, other: Path) -> Iterator[str | Row]:
    yield from counted(against_checkout(options.only or list(GROUPS), other))


def counted(lines: Iterable[str]) -> Iterator[str | Row]:
    """Yield the lines of a comparison, and how many entries are not equal."""
    count = 0
    for line in lines:
        count += not line.startswith(("equal", "not compared"))
        yield line
    yield figure("entries that are not equal", count, most=0)
