"""How long music takes to become a cache: `python bench/prepare.py DIR ... [--workers 1 2] [--tasks 1 8]`.

Prints seconds and songs a second for each number of worker processes, the size of the cache, the seconds to read it
again, and the account of what was left out. The caches of all runs are compared and must be equal byte by byte.

With --tasks, the folder is packed into a table and prepared from it as shards, in so many tasks a stage on all cores:
prints songs a second and a core, bytes a song, and the most memory of a process. The shards of all runs are compared.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.machine import machine
from seq2drum.data.corpus import build
from seq2drum.data.corpus.build import Account
from seq2drum.data.corpus.cache import load, save_packed
from seq2drum.data.corpus.prepared import SPLITS
from seq2drum.errors import CorpusError


def timed(folders: Sequence[Path], workers: int, cache: Path) -> tuple[float, Account]:
    """Prepare and save once, as mode prepare does; the wall-clock seconds of both."""
    begun = time.perf_counter()
    songs, account = build.prepare_packed(folders, workers=workers)
    save_packed(songs, cache)
    return time.perf_counter() - begun, account


def sharded(folders: Sequence[Path], tasks: Sequence[int], place: Path) -> bool:
    """Pack, and prepare shards from the table, with each number of tasks; whether all have the same bytes."""
    from seq2drum.data.corpus import parquet
    from seq2drum.data.corpus.parts import parts_of, rows_of
    from seq2drum.data.corpus.reading import manifests_of, read_manifests

    # 1. The table.
    table, listed = place / "songs.parquet", read_manifests(manifests_of(None, folders))
    begun, used = time.perf_counter(), cpu()
    rows = (row for part in parts_of(folders) for row in rows_of(part, listed) if not isinstance(row, str))
    count = parquet.write(table, rows, overwrite=True)
    print(f"table: {count / (time.perf_counter() - begun):.0f} songs a second, {count / (cpu() - used):.0f} a second of"
          f" a core; {table.stat().st_size / count:.0f} bytes a song")  # fmt: skip
    # 2. Shards.
    digests = {_shards(table, count, number, place / str(number)) for number in tasks}
    return len(digests) == 1


def _shards(table: Path, count: int, tasks: int, folder: Path) -> str:
    """Prepare shards from a table of so many songs, print the figures, and return the digest of all that was made."""
    from seq2drum.data.corpus import stages
    from seq2drum.data.corpus.corpora import ANY

    begun, used, cores = time.perf_counter(), cpu(), min(tasks, os.cpu_count() or 1)
    stages.plan(folder, [table], None, ANY)
    starts: list[tuple[str, float]] = []
    stages.local(stages.Run(folder, tasks, cores, {}), lambda stage: starts.append((stage.name, cpu())))
    seconds, ended = time.perf_counter() - begun, cpu()
    songs = stages.account_of(folder).songs
    size = sum(path.stat().st_size for path in folder.glob("*.s2d")) / songs
    print(f"{tasks} task(s) on {cores} core(s): {count / seconds:.0f} songs a second,", end=" ")
    print(f"{count / (ended - used):.0f} a second of a core")
    print(f"  {songs} songs of {size:.0f} bytes in shards; the largest process has {most_memory():.0f} MB")
    ends = [*(at for _, at in starts[1:]), ended]
    told = (f"{name} {end - start:.1f}" for (name, start), end in zip(starts, ends, strict=True))
    print(f"  seconds of a core: {', '.join(told)}")
    state = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        state.update(path.name.encode() + path.read_bytes())
    return state.hexdigest()


def cpu() -> float:
    """Seconds of processors that this process and those that it has waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def most_memory() -> float:
    """The most memory, in MB, that this process or one of those that it has waited for ever had."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1e3


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2], metavar="N")
    parser.add_argument("--tasks", nargs="+", type=int, default=[], metavar="N")
    options = parser.parse_args(arguments)
    print(machine())
    if options.tasks:
        with tempfile.TemporaryDirectory() as place:
            same = sharded(options.folders, options.tasks, Path(place))
        print("the same shards" if same else "the shards differ with the number of tasks")
        return 0 if same else 1
    digests = set()
    with tempfile.TemporaryDirectory() as place:
        cache = Path(place) / "bench.cache"
        for workers in options.workers:
            try:
                seconds, account = timed(options.folders, workers, cache)
            except CorpusError as error:
                print(error, file=sys.stderr)
                return 2
            digests.add(hashlib.sha256(cache.read_bytes()).hexdigest())
            print(f"{workers} worker(s): {seconds:.1f} s, {account.files / seconds:.0f} files a second")
        begun = time.perf_counter()
        songs = load(cache)
        print(f"cache: {cache.stat().st_size / 1e6:.1f} MB, read again in {time.perf_counter() - begun:.1f} s")
    bars = sum(len(song.guitar_grid.form.steps) for song in songs)
    print("\n".join(account.lines()))
    print(f"  {len(songs)} songs, {bars} bars, {len({song.group for song in songs})} groups")
    for side in SPLITS:
        print(f"  {side}: {dict(sorted(Counter(song.tag for song in songs if song.split == side).items()))}")
    if len(digests) > 1:
        print("the caches differ with the number of workers", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":  # worker processes import this file again
    raise SystemExit(main())
