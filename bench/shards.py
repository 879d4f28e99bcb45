"""A corpus of millions, and what learning from it holds.

    python bench/shards.py make CACHE FOLDER [--songs 2000000]
    python bench/shards.py train CACHE [--minutes 4] [--threads 2] [--batch 96] [--out runs/shards]

`make` writes shards and an index of as many songs: those of a cache in twelve keys, guitar and bass moved, drums as
they are; what is still wanted are copies of these shards, files of their own. `train` trains the default family on a
cache, one shard or an index, in processes of its own, and tells bars a second and the most memory that these processes
held at once: anonymous, which nothing can take back, and files that are mapped, which the system may drop.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from seq2drum.data.corpus.cache import Shard, load, save, save_index
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.learn.run.task import History

KEYS = range(-6, 6)
SONGS = 2048  # of a shard
ROOT = Path(__file__).parents[1]


def moved(song: Prepared, key: int) -> Prepared:
    """A song whose guitar and bass play so many half tones higher; where they leave the range, an octave back."""
    guitar, bass = (
        grid._replace(key=np.where(grid.key + key < 0, grid.key + key + 12, np.minimum(grid.key + key, 127)))
        for grid in (song.guitar_grid.guitar, song.guitar_grid.bass)
    )
    guitar_grid = replace(song.guitar_grid, guitar=guitar, bass=bass)
    return replace(song, path=f"{song.path} {key:+d}", sha256=f"{song.sha256[:-3]}{key:+03d}", guitar_grid=guitar_grid)


def make(cache: Path, folder: Path, wanted: int) -> None:
    """Write shards and an index of so many songs, or a few more."""
    songs = load(cache)
    order = np.random.default_rng(0).permutation(len(songs) * len(KEYS))
    shards: list[Shard] = []
    for begin in range(0, min(len(order), wanted), SONGS):
        some = [moved(songs[at // len(KEYS)], KEYS[at % len(KEYS)]) for at in order[begin : begin + SONGS].tolist()]
        shards.append(save(some, folder / f"{len(shards):05d}.s2d"))
    first, total = list(shards), sum(sum(shard.sides.values()) for shard in shards)
    for number in range(10**9):
        if total >= wanted:
            break
        like = first[number % len(first)]
        path = folder / f"{len(shards):05d}.s2d"
        shutil.copyfile(like.path, path)
        shards.append(like._replace(path=path))
        total += sum(like.sides.values())
    save_index(shards, folder / "index.json")
    size = sum(shard.path.stat().st_size for shard in shards)
    print(f"{total} songs in {len(shards)} shards, {len(first)} of them different")
    print(f"{size / 1e9:.2f} GB, {size / total:.0f} bytes a song")


def family_of(pid: int) -> list[int]:
    """A process and all that came of it."""
    children = [int(text) for path in Path(f"/proc/{pid}/task").glob("*/children") for text in path.read_text().split()]
    return [pid, *(one for child in children for one in family_of(child))]


def held(pid: int) -> tuple[int, int]:
    """Bytes that a process and all that came of it hold: anonymous, and of mapped files (each process's share)."""
    anonymous = mapped = 0
    for one in family_of(pid):
        rows = dict(re.findall(r"(\w+): +(\d+) kB", Path(f"/proc/{one}/smaps_rollup").read_text()))
        anonymous += int(rows["Pss_Anon"]) * 1024
        mapped += (int(rows["Pss_File"]) + int(rows["Pss_Shmem"])) * 1024
    return anonymous, mapped


def train(cache: Path, minutes: float, threads: int, batch: int, out: Path) -> None:
    """Train the default family, and print bars a second and memory."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, str(ROOT / "main.py"), "--mode", "train", "--cache", str(cache), "--out", str(out)]
    command += ["--minutes", str(minutes), "--threads", str(threads), "--device", "cpu"]
    command += ["--batch", str(batch)]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        most, at = [0, 0, 0], 0.0

        def watch() -> None:
            nonlocal at
            while process.poll() is None:
                try:
                    now = held(process.pid)
                except (OSError, KeyError):  # one of them has just ended
                    continue
                if now[0] > most[0]:
                    at = time.monotonic() - begun
                most[:] = [max(most[0], now[0]), max(most[1], now[1]), max(most[2], sum(now))]
                time.sleep(0.5)

        threading.Thread(target=watch, daemon=True).start()
        said, _ = process.communicate()
    for line in said.splitlines():
        if re.search(r"bars a second|portions|nats a bar|rror", line):
            print(line.strip()[-200:])
    points = History.from_json((out / "last" / "history.json").read_text()).training
    first, last = points[0], points[-1]
    print(f"{(last.seen - first.seen) / (last.seconds - first.seconds):.0f} bars a second after the first step")
    print(
        f"at most {most[0] / 1e9:.2f} GB anonymous (after {at:.0f} s), {most[1] / 1e9:.2f} GB of mapped files,"
        f" {most[2] / 1e9:.2f} GB together"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ways = parser.add_subparsers(dest="way", required=True)
    making, training = ways.add_parser("make"), ways.add_parser("train")
    for one in (making, training):
        one.add_argument("cache", type=Path, help="what --mode prepare made")
    making.add_argument("folder", type=Path)
    making.add_argument("--songs", type=int, default=2_000_000)
    training.add_argument("--minutes", type=float, default=4)
    training.add_argument("--threads", type=int, default=2)
    training.add_argument("--batch", type=int, default=96, help="pairs at once: what a step wants grows with these")
    training.add_argument("--out", type=Path, default=Path("runs/shards"))
    options = parser.parse_args()
    if options.way == "make":
        make(options.cache, options.folder, options.songs)
    else:
        train(options.cache, options.minutes, options.threads, options.batch, options.out)


if __name__ == "__main__":
    main()
