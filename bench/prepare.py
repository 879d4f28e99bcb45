"""How long a folder of music takes to become a cache: `python bench/prepare.py DIR ... [--workers 1 2]`.

Prints seconds and songs a second for each number of worker processes, the size of the cache, the seconds to read it
again, and the account of what was left out. The caches of all runs are compared and must be equal byte by byte.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.machine import machine
from seq2drum.data import corpus
from seq2drum.data.cache import load, save
from seq2drum.data.corpus import Account
from seq2drum.data.prepared import SPLITS, Prepared
from seq2drum.errors import CorpusError


def timed(folders: Sequence[Path], workers: int, cache: Path) -> tuple[float, list[Prepared], Account]:
    """Prepare and save once; the wall-clock seconds of both."""
    begun = time.perf_counter()
    songs, account = corpus.prepare(folders, workers=workers)
    save(songs, cache)
    return time.perf_counter() - begun, songs, account


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2], metavar="N")
    options = parser.parse_args(arguments)
    print(machine())
    digests = set()
    with tempfile.TemporaryDirectory() as place:
        cache = Path(place) / "bench.cache"
        for workers in options.workers:
            try:
                seconds, songs, account = timed(options.folders, workers, cache)
            except CorpusError as error:
                print(error, file=sys.stderr)
                return 2
            digests.add(hashlib.sha256(cache.read_bytes()).hexdigest())
            print(f"{workers} worker(s): {seconds:.1f} s, {account.files / seconds:.0f} files a second")
        begun = time.perf_counter()
        same = load(cache)
        print(f"cache: {cache.stat().st_size / 1e6:.1f} MB, read again in {time.perf_counter() - begun:.1f} s")
    bars = sum(len(song.heard.form.steps) for song in songs)
    print("\n".join(account.lines()))
    print(f"  {len(same)} songs, {bars} bars, {len({song.group for song in songs})} groups")
    for side in SPLITS:
        print(f"  {side}: {dict(sorted(Counter(song.tag for song in songs if song.split == side).items()))}")
    if len(digests) > 1:
        print("the caches differ with the number of workers", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":  # worker processes import this file again
    raise SystemExit(main())
