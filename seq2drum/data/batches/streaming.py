"""The songs to learn from as flat arrays: all at once, or portion by portion where no memory holds them.

    shards in a random order -> windows of WINDOW shards -> the songs of each in a random order -> portions of PORTION

Which songs are in which portion follows from the seed, the epoch and the index: from nothing that a machine does, and
not from the number of processes. While one portion is learnt from, the next are laid out in processes of their own,
into files that are mapped into memory; so what is held is what is used, and the system may take it back.
"""

from __future__ import annotations

import math
import mmap
import os
import pickle
import shutil
import signal
import tempfile
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from seq2drum.data.batches.batches import Data, flatten
from seq2drum.data.corpus.cache import Shard, songs_of
from seq2drum.data.corpus.metre_augmentation import augmented
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.music.kit import FULL, Kit
from seq2drum.system.workers import give_back, interrupts_later, one_thread_each

_NICE = 10  # a process that lays out takes what cores have left: those that learn wait for each other
_ALIGNED = 64  # bytes, where arrays begin in a file


@dataclass(frozen=True)
class Layout:
    """How songs are laid out: see `batches.flatten`, and `surgery.augmented` for the share that is altered."""

    kit: Kit = FULL
    altered: float = 0.0
    foreseen: bool = True
    seed: int = 0

    def of(self, songs: Sequence[Prepared], file: MappedFile | None = None) -> Data:
        """Some songs of the training side, and altered ones, as flat arrays; with a file, the large ones lie in it."""
        zeros = file.zeros if file else np.zeros
        every = [*songs, *augmented(songs, self.altered, self.seed)]
        return flatten(every, self.kit, foreseen=self.foreseen, zeros=zeros)


class Chosen(NamedTuple):
    """Some songs of the training side of a shard, by their numbers among these, in order."""

    shard: Shard
    rows: list[int]


class MappedFile:
    """A new file that arrays are made in."""

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, 0
        self.arrays: dict[int, int] = {}  # where they begin: in memory, and in the file
        self._file = path.open("xb+")

    def __enter__(self) -> MappedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array of zeros that is mapped into memory."""
        kind = np.dtype(dtype)
        size = math.prod(shape) * kind.itemsize
        if not size:
            return np.zeros(shape, kind)
        at = self._next(mmap.ALLOCATIONGRANULARITY, size)
        if hasattr(os, "posix_fallocate"):  # where there is no room, this says so, and writing would end the process
            os.posix_fallocate(self._file.fileno(), at, size)
        else:
            self._file.truncate(self.size)
        array: NDArray[Any] = np.frombuffer(mmap.mmap(self._file.fileno(), size, offset=at), kind).reshape(shape)
        self.arrays[array.ctypes.data] = at
        return array

    def held(self, data: Data) -> Held:
        """All that `Held.mapped` wants to make a value again; what of its arrays is not in the file is written."""
        arrays: list[pickle.PickleBuffer] = []
        rest = pickle.dumps(data, protocol=5, buffer_callback=arrays.append)
        places = []
        for raw in (array.raw() for array in arrays):
            at = self.arrays.get(np.frombuffer(raw, np.uint8).ctypes.data) if raw.nbytes else 0
            if at is None:
                at = self._next(_ALIGNED, raw.nbytes)
                self._file.seek(at)
                self._file.write(raw)
            places.append((at, raw.nbytes))
        self._file.flush()
        return Held(self.path, rest, places)

    def _next(self, aligned: int, size: int) -> int:
        at = self.size + -self.size % aligned
        self.size = at + size
        return at


class Held(NamedTuple):
    """A value whose arrays lie in a file: all else, pickled, and where each begins and how long it is, in bytes."""

    path: Path
    rest: bytes
    places: list[tuple[int, int]]

    def mapped(self) -> Data:
        """The value, its arrays mapped into memory. The file loses its name, and ends with the value."""
        whole = np.memmap(self.path, np.uint8, "r")
        data: Data = pickle.loads(self.rest, buffers=[whole[at : at + size].data for at, size in self.places])
        self.path.unlink()
        return data


def in_a_file(songs: Sequence[Prepared], layout: Layout) -> Data:
    """Some songs laid out in a file that is mapped into memory, and has lost its name.

    Raises:
        CorpusError: there is no room for it.
    """
    with tempfile.TemporaryDirectory(prefix="seq2drum-songs-") as folder:
        path = Path(folder) / "songs"
        try:
            with MappedFile(path) as file:
                return file.held(layout.of(songs, file)).mapped()
        except OSError as error:
            raise _no_room(path, error) from None


class Worker:
    """A process that lays out songs. It ends with the process that started it, however that ends."""

    def __init__(self, layout: Layout, folder: Path) -> None:
        spawn = get_context("spawn")
        self.asked: deque[int] = deque()
        self.pipe, there = spawn.Pipe()
        self.process = spawn.Process(target=_lay_out, args=(there, layout, folder), daemon=True)
        with one_thread_each(), interrupts_later():
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
            data: Data = answer.mapped()
            if first == number:
                return data


def _lay_out(pipe: Any, layout: Layout, folder: Path) -> None:
    """Lay out what is asked for until nobody is left to ask. Runs in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that learns
    try:
        for number in count():
            pipe.send(_answer(pipe.recv(), layout, folder / f"{os.getpid()}-{number}"))
            give_back()
            if number == 0 and hasattr(os, "nice"):  # for the first, nothing else is to be done
                os.nice(_NICE)
    except (EOFError, ConnectionError):
        shutil.rmtree(folder, ignore_errors=True)


def _no_room(path: Path, error: OSError) -> CorpusError:
    """What is said where a file with songs could not be made."""
    return CorpusError(
        f"songs cannot be laid out in {path.parent} ({error.strerror}); each portion wants some 0.2 GB there, and"
        " three of them may be there at once: TMPDIR says where"
    )


def _answer(chosen: list[Chosen], layout: Layout, path: Path) -> Held | Exception:
    """Some songs laid out in a file, or what went wrong."""
    try:
        songs = [song for one in chosen for song in songs_of(one.shard, "train", rows=frozenset(one.rows))]
        with MappedFile(path) as file:
            data = layout.of(songs, file)
            data.grooves.near  # noqa: B018  (computed here, it goes along)
            return file.held(data)
    except OSError as error:  # those of shards are told otherwise
        return _no_room(path, error)
    except Exception as error:  # handed to the process that waits, which raises it
        return error


HELD = 8192  # songs of the training side that are still laid out at once, some 300 kB each
PORTION = 512  # songs: enough to mix, and laid out in 0.2 GB
WINDOW = 8  # shards
VALIDATED = 256  # songs of which unseen bars are drawn, where there are more


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
        self._workers = [Worker(layout, folder) for _ in range(workers)]

    def portion(self, number: int) -> Data:
        """The songs of portion `number`; those after it are begun to be laid out."""
        try:
            for later in range(number, number + len(self._workers)):
                self._ask(later)
            data = self._worker(number).laid_out(number)
            self._ask(number + len(self._workers))
        except (EOFError, ConnectionError):
            raise CorpusError(
                "a process that lays out songs has ended; each wants some 0.3 GB of memory (--workers says how many)"
            ) from None
        return data

    def _ask(self, number: int) -> None:
        worker = self._worker(number)
        if number not in worker.asked:
            worker.ask(number, chosen_of(self.shards, self.layout.seed, number, self.portions))

    def _worker(self, number: int) -> Worker:
        return self._workers[number % len(self._workers)]
