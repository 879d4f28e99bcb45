"""How long, and how much memory, the near copies among many songs take: `python bench/copies.py N`.

Makes up N songs, of which one in a hundred shares a trivial bar with many, one in fifty has a near copy, and runs the
stages that are one task, and `alike`, which up to 32 tasks share, each in a process of its own. Prints the seconds of a
core and the most memory of each.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.machine import machine
from seq2drum.data.corpus import stages
from seq2drum.data.corpus.copies import HASHES, Candidate, Fingerprint, Said

PART = 1024  # songs


def make_up(folder: Path, count: int) -> None:
    """What the stage `read` would leave behind of so many songs, but with empty arrays."""
    rng, parts = np.random.default_rng(0), []
    for number in range(-(-count // PART)):
        prints = rng.integers(0, 1 << 40, (PART, HASHES), dtype=np.uint64)
        prints[::100, :4] = 7
        prints[1::50, :40] = prints[2::50, :40][: len(prints[1::50])]
        found = [Candidate(_said(number, row), b"", Fingerprint(prints[row], 20)) for row in range(PART)]
        path = folder / stages.WORK / "read" / f"{number:06d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stages.PartRead.packed(found))
        parts.append([1, "made-up.parquet", number, "", PART])
    (folder / stages.WORK / "plan.json").write_text(json.dumps(["", [], [], parts]))


def _said(number: int, row: int) -> Said:
    sha256 = hashlib.sha256(f"{number} {row}".encode()).hexdigest()
    return Said(f"made-up/{number:06d}/{row:06d}.mid", sha256, "made-up", "", "", "unknown", 100, 0, 1)


def run(name: str, folder: Path) -> None:
    """Run a stage as one task, and print what it took."""
    stage = next(stage for stage in stages.STAGES if stage.name == name)
    begun = time.process_time()
    stage.run(folder, 0, 1)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{name}: {time.process_time() - begun:.1f} s of a core, {most:.0f} MB", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=int, metavar="N")
    options = parser.parse_args(arguments)
    print(machine())
    with tempfile.TemporaryDirectory() as place:
        make_up(Path(place), options.songs)
        for name in ("order", "alike", "choose"):
            process = get_context("spawn").Process(target=run, args=(name, Path(place)))
            process.start()
            process.join()
            if process.exitcode:
                return 1
    return 0


if __name__ == "__main__":  # processes of the stages import this file again
    raise SystemExit(main())
