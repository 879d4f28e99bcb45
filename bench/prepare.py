"""Time and memory to prepare a cache or shards of music, and to find near copies among songs.

Of the songs of DIR: seconds and files a second for each number of worker processes, the size of the cache, the seconds
to read it again, and the account of what was left out. The caches of all runs must be equal byte by byte.

With `--tasks`, the folders are packed into a table and prepared from it as shards, in so many tasks a stage on all
cores: songs a second and a core, bytes a song, and the most memory of a process. The shards of all runs must be equal.

With `--made-up`, so many songs are made up. One in a hundred shares a trivial bar with many, one in fifty has a near
copy; the stages that are one task, and `alike`, which up to 32 tasks share, run each in a process of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bench.harness import BenchError, Row, Table, figure
from bench.machine import apart, cpu_of, most_memory, peak
from seq2drum.data.corpus import build, stages
from seq2drum.data.corpus.build import Account
from seq2drum.data.corpus.cache import load, save_packed
from seq2drum.data.corpus.copies import HASHES, Candidate, Fingerprint, Said
from seq2drum.data.corpus.prepared import SPLITS

PART = 1024  # songs
ALONE = ("order", "alike", "choose")  # stages of `--made-up`


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="*", type=Path, metavar="DIR")
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2], metavar="N")
    parser.add_argument("--tasks", nargs="+", type=int, default=[], metavar="N")
    parser.add_argument("--made-up", type=int, default=0, metavar="N")


def run(options: argparse.Namespace) -> Iterator[str | Row]:
    if bool(options.folders) == bool(options.made_up):
        raise BenchError("name either DIR, folders of MIDI files, or --made-up N")
    with tempfile.TemporaryDirectory() as place:
        if options.made_up:
            yield from near_copies(Path(place), options.made_up)
        elif options.tasks:
            yield from sharded(options.folders, options.tasks, Path(place))
        else:
            yield from cached(options.folders, options.workers, Path(place) / "bench.cache")


# --- a cache ----------------------------------------------------------------------------------------------------------


def cached(folders: Sequence[Path], numbers: Sequence[int], cache: Path) -> Iterator[str | Row]:
    """Prepare and save with each number of workers, and read the cache again."""
    digests, account = set(), Account()
    for workers in numbers:
        begun = time.perf_counter()
        packed, account = build.prepare_packed(folders, workers=workers)
        save_packed(packed, cache)
        seconds = time.perf_counter() - begun
        digests.add(hashlib.sha256(cache.read_bytes()).hexdigest())
        yield figure(f"prepare, {workers} worker(s)", seconds, "s")
        yield figure(f"prepare, {workers} worker(s), files a second", account.files / seconds)
    begun = time.perf_counter()
    songs = load(cache)
    yield figure("read the cache again", time.perf_counter() - begun, "s")
    yield figure("size of the cache", cache.stat().st_size / 1e6, "MB")
    yield figure("different caches", len(digests), most=1)
    yield "\n".join(account.lines())
    bars = sum(len(song.guitar_grid.form.steps) for song in songs)
    yield f"  {len(songs)} songs, {bars} bars, {len({song.group for song in songs})} groups"
    for side in SPLITS:
        yield f"  {side}: {dict(sorted(Counter(song.tag for song in songs if song.split == side).items()))}"


# --- shards -----------------------------------------------------------------------------------------------------------


def sharded(folders: Sequence[Path], numbers: Sequence[int], place: Path) -> Iterator[Row]:
    """Pack, and prepare shards from the table with each number of tasks."""
    from seq2drum.data.corpus import parquet
    from seq2drum.data.corpus.parts import parts_of, rows_of
    from seq2drum.data.corpus.reading import manifests_of, read_manifests

    table, listed = place / "songs.parquet", read_manifests(manifests_of(None, folders))
    begun, used = time.perf_counter(), cpu()
    rows = (row for part in parts_of(folders) for row in rows_of(part, listed) if not isinstance(row, str))
    count = parquet.write(table, rows, overwrite=True)
    yield figure("pack, songs a second", count / (time.perf_counter() - begun))
    yield figure("pack, songs a second of a core", count / (cpu() - used))
    yield figure("a song in the table", table.stat().st_size / count, "bytes")
    yield figure("pack, the most memory", memory(), "MB")
    digests = set()
    for tasks in numbers:
        yield from shards_of(table, count, tasks, folder := place / str(tasks))
        state = hashlib.sha256()
        for path in sorted(path for path in folder.iterdir() if path.is_file()):
            state.update(path.name.encode() + path.read_bytes())
        digests.add(state.hexdigest())
    yield figure("different shards", len(digests), most=1)


def shards_of(table: Path, count: int, tasks: int, folder: Path) -> Iterator[Row]:
    """Prepare shards from a table of so many songs."""
    from seq2drum.data.corpus.corpora import ANY

    begun, used, cores = time.perf_counter(), cpu(), min(tasks, os.cpu_count() or 1)
    stages.plan(folder, [table], None, ANY)
    starts: list[tuple[str, float]] = []
    stages.local(stages.Run(folder, tasks, cores, {}), lambda stage: starts.append((stage.name, cpu())))
    seconds, ended = time.perf_counter() - begun, cpu()
    what = f"prepare, {tasks} task(s) on {cores} core(s)"
    yield figure(f"{what}, songs a second", count / seconds)
    yield figure(f"{what}, songs a second of a core", count / (ended - used))
    size = sum(path.stat().st_size for path in folder.glob("*.s2d")) / stages.account_of(folder).songs
    yield figure(f"{what}, a song in shards", size, "bytes")
    yield figure(f"{what}, the most memory", memory(), "MB")
    ends = [*(at for _, at in starts[1:]), ended]
    for (name, start), end in zip(starts, ends, strict=True):
        yield figure(f"{what}, stage {name}", end - start, "s of a core")


def cpu() -> float:
    """Return the seconds of processors of this process and of those that it has waited for."""
    return cpu_of(resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def memory() -> float:
    """Return the most megabytes that this process, or one of those that it has waited for, ever had."""
    return most_memory(resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


# --- near copies ------------------------------------------------------------------------------------------------------

STAGES = Table({"stage": "", "s of a core": "{:.1f}", "MB": "{:.0f}"})


def near_copies(folder: Path, count: int) -> Iterator[Row]:
    """Run the stages that look for copies on so many songs that are made up."""
    make_up(folder, count)
    for stage in ALONE:
        yield STAGES.row(stage, *apart(as_one_task, stage, str(folder)))


def make_up(folder: Path, count: int) -> None:
    """Write the files that the stage `read` would leave behind of so many songs, but with empty arrays."""
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


def as_one_task(name: str, folder: str) -> tuple[float, float]:
    """Return CPU seconds and megabytes of a stage that runs as one task."""
    stage = next(stage for stage in stages.STAGES if stage.name == name)
    begun = time.process_time()
    stage.run(Path(folder), 0, 1)
    return time.process_time() - begun, peak()
