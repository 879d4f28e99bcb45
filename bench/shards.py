"""Speed and memory of learning from a corpus of millions.

Trains the default family on CACHE, a cache, a shard or an index of shards, in processes of its own: bars a second, and
the most memory that these processes held at once: anonymous, which nothing can take back, and files that are mapped,
which the system may drop.

With `--make FOLDER` it trains nothing, and writes shards and an index of `--songs` songs: those of CACHE in twelve
keys, guitar and bass moved, drums as they are; what is still wanted are copies of these shards, files of their own.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.harness import BenchError, Row, figure
from bench.machine import CHECKOUT, environment
from seq2drum.data.corpus.cache import Shard, load, save, save_index
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.learn.run.task import History

KEYS = range(-6, 6)
SONGS = 2048  # of a shard


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cache", type=Path, help="a cache, a shard or an index")
    parser.add_argument("--make", type=Path, metavar="FOLDER", help="write a large corpus instead")
    parser.add_argument("--songs", type=int, default=2_000_000, metavar="N", help="of the large corpus")
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=96, help="pairs at once: what a step wants grows with these")
    parser.add_argument("--out", type=Path, default=Path("runs/shards"))


def run(options: argparse.Namespace) -> Iterator[str | Row]:
    if options.make:
        yield from make(options.cache, options.make, options.songs)
    else:
        yield from train(options.cache, options.minutes, options.threads, options.batch, options.out)


def moved(song: Prepared, key: int) -> Prepared:
    """A song whose guitar and bass play so many half tones higher; where they leave the range, an octave back."""
    guitar, bass = (
        grid._replace(key=np.where(grid.key + key < 0, grid.key + key + 12, np.minimum(grid.key + key, 127)))
        for grid in (song.guitar_grid.guitar, song.guitar_grid.bass)
    )
    guitar_grid = replace(song.guitar_grid, guitar=guitar, bass=bass)
    return replace(song, path=f"{song.path} {key:+d}", sha256=f"{song.sha256[:-3]}{key:+03d}", guitar_grid=guitar_grid)


def make(cache: Path, folder: Path, wanted: int) -> Iterator[Row]:
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
    yield figure("songs", total)
    yield figure("shards", len(shards))
    yield figure("different shards", len(first))
    yield figure("size", size / 1e9, "GB")
    yield figure("a song", size / total, "bytes")


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


def train(cache: Path, minutes: float, threads: int, batch: int, out: Path) -> Iterator[str | Row]:
    """Train the default family in a separate process, and watch its memory."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, str(CHECKOUT / "main.py"), "--mode", "train", "--cache", str(cache), "--out", str(out)]
    command += ["--minutes", str(minutes), "--threads", str(threads), "--device", "cpu", "--batch", str(batch)]
    begun, seen = time.monotonic(), [(0, 0, 0.0)]  # bytes anonymous, bytes mapped, when
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=environment()) as process:

        def watch() -> None:
            while process.poll() is None:
                try:
                    seen.append((*held(process.pid), time.monotonic() - begun))
                except (OSError, KeyError):  # one of them has just ended
                    continue
                time.sleep(0.5)

        threading.Thread(target=watch, daemon=True).start()
        said, _ = process.communicate()
    if process.returncode:
        raise BenchError(f"training ended with {process.returncode}:\n{said[-2000:]}")
    yield from (
        line.strip()[-200:] for line in said.splitlines() if re.search(r"bars a second|chunks|nats a bar", line)
    )
    points = History.from_json((out / "last" / "history.json").read_text()).training
    first, last = points[0], points[-1]
    yield figure("bars a second after the first step", (last.seen - first.seen) / (last.seconds - first.seconds))
    most, _, when = max(seen)
    yield figure("anonymous memory, at most", most / 1e9, "GB")
    yield figure("seconds until then", when, "s")
    yield figure("mapped files, at most", max(mapped for _, mapped, _ in seen) / 1e9, "GB")
    yield figure("both together, at most", max(anonymous + mapped for anonymous, mapped, _ in seen) / 1e9, "GB")
