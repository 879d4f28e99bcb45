"""The songs to learn from as flat arrays: all at once, or portion by portion where no memory holds them.

    shards in a random order -> windows of WINDOW shards -> the songs of each in a random order -> portions of PORTION

Which songs are in which portion follows from the seed, the epoch and the index: from nothing that a machine does, and
not from the number of processes. While one portion is learnt from, the next are laid out in processes of their own,
into files that are mapped into memory; so what is held is what is used, and the system may take it back.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import tempfile
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from seq2drum.data.batches import Data, flatten
from seq2drum.data.cache import Shard, songs_of
from seq2drum.data.prepared import Prepared
from seq2drum.data.surgery import augmented
from seq2drum.errors import CorpusError
from seq2drum.music.kit import FULL, Kit

HELD = 8192  # songs of the training side that are still laid out at once, some 300 kB each
PORTION = 512  # songs: enough to mix, and laid out in 0.4 GB
WINDOW = 8  # shards
VALIDATED = 256  # songs of which unseen bars are drawn, where there are more
_NICE = 10  # a process that lays out takes what cores have left: those that learn wait for each other
_ALIGNED = 64  # bytes, where arrays begin in a file


class Songs(Protocol):
    """The songs to learn from. portions: into how many an epoch is cut; songs and bars: how many there are in all."""

    portions: int
    songs: int
    bars: int
    kit: Kit

    def portion(self, number: int) -> Data:
        """The songs of portion `number`, counted over all epochs."""
        ...


class Whole:
    """Songs that are held all at once: each epoch is one portion, and each has them all."""

    portions: int = 1

    def __init__(self, data: Data) -> None:
        self.data, self.kit = data, data.kit
        self.songs, self.bars = len(data), len(data.steps)

    def portion(self, number: int) -> Data:
        """All of them."""
        return self.data


@dataclass(frozen=True)
class Layout:
    """How songs are laid out: see `batches.flatten`, and `surgery.augmented` for the share that is altered."""

    kit: Kit = FULL
    altered: float = 0.0
    foreseen: bool = True
    seed: int = 0

    def of(self, songs: Sequence[Prepared]) -> Data:
        """Some songs of the training side, and altered ones, as flat arrays."""
        return flatten([*songs, *augmented(songs, self.altered, self.seed)], self.kit, foreseen=self.foreseen)


class Chosen(NamedTuple):
    """Some songs of the training side of a shard, by their numbers among these, in order."""

    shard: Shard
    rows: list[int]


def chosen_of(shards: Sequence[Shard], seed: int, number: int, portions: int) -> list[Chosen]:
    """Which songs are in portion `number`, counted over all epochs, of which each has so many portions.

    The portions of an epoch have each song once, and as many songs each as can be.
    """
    epoch, portion = divmod(number, portions)
    # 1. The shards in the order of this epoch, and which of all songs in that order are in the portion.
    order = np.random.default_rng([seed, 6, epoch]).permutation(len(shards))
    sizes = np.array([shards[index].sides["train"] for index in order])
    ends = np.cumsum(sizes)
    begin, end = (round(at * int(ends[-1]) / portions) for at in (portion, portion + 1))
    chosen: dict[int, list[int]] = {}
    # 2. Of each window that has some of them: its songs are shuffled, and those of the portion taken.
    for first in range(0, len(order), WINDOW):
        here = slice(first, first + WINDOW)
        before, after = int(ends[first] - sizes[first]), int(ends[here][-1])
        if after <= begin or before >= end:
            continue
        owner = np.repeat(order[here], sizes[here])
        row = np.concatenate([np.arange(size) for size in sizes[here]])
        mixed = np.random.default_rng([seed, 6, epoch, 1 + first]).permutation(after - before)
        for index in mixed[max(begin - before, 0) : end - before].tolist():
            chosen.setdefault(int(owner[index]), []).append(int(row[index]))
    return [Chosen(shards[index], sorted(rows)) for index, rows in chosen.items()]


def songs_among(shards: Sequence[Shard], side: str, most: int, seed: int) -> list[Prepared]:
    """At most so many songs of one side of the split, of as few shards as have them, by a seed."""
    songs: list[Prepared] = []
    for index in np.random.default_rng([seed, 6]).permutation(len(shards)).tolist():
        if len(songs) < most and shards[index].sides[side]:
            songs += songs_of(shards[index], side, rows=range(most - len(songs)))
    return songs


class Portioned:
    """The songs of many shards, portion by portion; so many `workers` lay out as many portions ahead.

    Raises:
        CorpusError: a shard is missing or damaged. Raised by `portion`.
    """

    def __init__(self, shards: Sequence[Shard], layout: Layout, *, size: int = PORTION, workers: int = 1) -> None:
        self.shards, self.layout, self.kit = shards, layout, layout.kit
        self.songs, self.bars = (
            sum(table["train"] for table in tables)
            for tables in ([shard.sides for shard in shards], [shard.bars for shard in shards])
        )
        self.portions = max(-(-self.songs // size), 1)
        folder = Path(tempfile.mkdtemp(prefix="seq2drum-portions-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._workers = [_Worker(layout, folder) for _ in range(workers)]

    def portion(self, number: int) -> Data:
        """The songs of portion `number`; those after it are begun to be laid out."""
        try:
            for later in range(number, number + len(self._workers)):
                self._ask(later)
            data = self._worker(number).laid_out(number)
            self._ask(number + len(self._workers))
        except (EOFError, ConnectionError):
            raise CorpusError(
                "a process that lays out songs has ended; each wants some 1 GB of memory (--workers says how many)"
            ) from None
        return data

    def _ask(self, number: int) -> None:
        worker = self._worker(number)
        if number not in worker.asked:
            worker.ask(number, chosen_of(self.shards, self.layout.seed, number, self.portions))

    def _worker(self, number: int) -> _Worker:
        return self._workers[number % len(self._workers)]


class _Worker:
    """A process that lays out songs. It ends with the process that started it, however that ends."""

    def __init__(self, layout: Layout, folder: Path) -> None:
        spawn = get_context("spawn")
        self.asked: deque[int] = deque()
        self.pipe, there = spawn.Pipe()
        self.process = spawn.Process(target=_lay_out, args=(there, layout, folder), daemon=True)
        self.process.start()
        there.close()

    def ask(self, number: int, chosen: list[Chosen]) -> None:
        """Have the songs of a portion laid out."""
        self.pipe.send(chosen)
        self.asked.append(number)

    def laid_out(self, number: int) -> Data:
        """A portion that was asked for; waits for it, and drops what was asked for before it."""
        while True:
            first = self.asked.popleft()
            answer = self.pipe.recv()
            if isinstance(answer, Exception):
                raise answer
            data = _mapped(*answer)
            if first == number:
                return data


def _lay_out(pipe: Any, layout: Layout, folder: Path) -> None:
    """Lay out what is asked for until nobody is left to ask. Runs in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that learns
    try:
        for number in count():
            pipe.send(_answer(pipe.recv(), layout, folder / f"{os.getpid()}-{number}"))
            if number == 0 and hasattr(os, "nice"):  # for the first, nothing else is to be done
                os.nice(_NICE)
    except (EOFError, ConnectionError):
        shutil.rmtree(folder, ignore_errors=True)


def _answer(chosen: list[Chosen], layout: Layout, path: Path) -> tuple[Path, bytes, list[int]] | Exception:
    """Some songs laid out in a file, or what went wrong."""
    try:
        songs = [song for one in chosen for song in songs_of(one.shard, "train", rows=frozenset(one.rows))]
        data = layout.of(songs)
        data.grooves.near  # noqa: B018  (computed here, it goes along)
        return _written(data, path)
    except Exception as error:  # handed to the process that waits, which raises it
        return error


def _written(data: Data, path: Path) -> tuple[Path, bytes, list[int]]:
    """Write the arrays of a value into a file; returns all that `_mapped` wants."""
    arrays: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(data, protocol=5, buffer_callback=arrays.append)
    sizes = []
    with path.open("wb") as file:
        for array in arrays:
            raw = array.raw()
            file.write(raw)
            file.write(bytes(-raw.nbytes % _ALIGNED))
            sizes.append(raw.nbytes)
    return path, rest, sizes


def _mapped(path: Path, rest: bytes, sizes: list[int]) -> Data:
    """The value of `_written`, its arrays mapped into memory. The file loses its name, and ends with the value."""
    data: Data = pickle.loads(rest, buffers=_buffers(np.memmap(path, np.uint8, "r"), sizes))
    path.unlink()
    return data


def _buffers(whole: np.memmap[Any, Any], sizes: list[int]) -> Iterator[memoryview]:
    at = 0
    for size in sizes:
        yield whole[at : at + size].data
        at += size + -size % _ALIGNED
