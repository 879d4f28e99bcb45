"""Training songs as flat arrays: all in memory, or streamed chunk by chunk from shards.

    shards in a random order -> windows of WINDOW shards -> the songs of each in a random order -> chunks of CHUNK_SONGS

The seed, the epoch and the index alone decide which songs a chunk has, whatever the machine and the number of
processes. During training on one chunk, worker processes materialise the next ones in memory-mapped files, so only
pages in use take memory, and the system may reclaim them.
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

_NICE = 10  # workers leave the cores to the processes that learn, which wait for each other
_ALIGNED = 64  # bytes, where arrays begin in a file


@dataclass(frozen=True)
class Layout:
    """Options of `batches.flatten`, and the share of songs that `augmented` adds in another metre."""

    kit: Kit = FULL
    altered: float = 0.0
    foreseen: bool = True
    seed: int = 0

    def materialise(self, songs: Sequence[Prepared], file: MappedFile | None = None) -> Data:
        """Training songs, with augmented ones, as flat arrays; the large arrays lie in the file if one is given."""
        zeros = file.zeros if file else np.zeros
        every = [*songs, *augmented(songs, self.altered, self.seed)]
        return flatten(every, self.kit, foreseen=self.foreseen, zeros=zeros)


class ShardRows(NamedTuple):
    """Training songs of a shard, by their numbers among its training songs, in order."""

    shard: Shard
    rows: list[int]


class MappedFile:
    """A new file in which arrays are allocated."""

    def __init__(self, path: Path) -> None:
        self.path, self.size = path, 0
        self.arrays: dict[int, int] = {}  # address in memory -> offset in the file
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
        if hasattr(os, "posix_fallocate"):  # fails here on a full disk, where writing would kill the process
            os.posix_fallocate(self._file.fileno(), at, size)
        else:
            self._file.truncate(self.size)
        array: NDArray[Any] = np.frombuffer(mmap.mmap(self._file.fileno(), size, offset=at), kind).reshape(shape)
        self.arrays[array.ctypes.data] = at
        return array

    def dump(self, data: Data) -> MappedData:
        """A picklable handle from which `MappedData.load` restores the value; writes arrays not yet in the file."""
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
        return MappedData(self.path, rest, places)

    def _next(self, aligned: int, size: int) -> int:
        at = self.size + -self.size % aligned
        self.size = at + size
        return at


class MappedData(NamedTuple):
    """A value whose arrays lie in a file: the rest of it, pickled, and (offset, size) of each array in bytes."""

    path: Path
    rest: bytes
    places: list[tuple[int, int]]

    def load(self) -> Data:
        """The value, its arrays mapped into memory. Unlinks the file, which lives as long as the value."""
        whole = np.memmap(self.path, np.uint8, "r")
        data: Data = pickle.loads(self.rest, buffers=[whole[at : at + size].data for at, size in self.places])
        self.path.unlink()
        return data


def materialise_in_file(songs: Sequence[Prepared], layout: Layout) -> Data:
    """Songs as flat arrays in an unlinked file that is mapped into memory.

    Raises:
        CorpusError: the disk has no room.
    """
    with tempfile.TemporaryDirectory(prefix="seq2drum-songs-") as folder:
        path = Path(folder) / "songs"
        try:
            with MappedFile(path) as file:
                return file.dump(layout.materialise(songs, file)).load()
        except OSError as error:
            raise _no_room(path, error) from None


class Worker:
    """A process that materialises chunks. It ends with the process that started it, however that ends."""

    def __init__(self, layout: Layout, folder: Path) -> None:
        spawn = get_context("spawn")
        self.requested: deque[int] = deque()
        self.pipe, there = spawn.Pipe()
        self.process = spawn.Process(target=_serve_chunks, args=(there, layout, folder), daemon=True)
        with one_thread_each(), interrupts_later():
            self.process.start()
        there.close()

    def request(self, number: int, rows: list[ShardRows]) -> None:
        """Start to materialise a chunk."""
        self.pipe.send(rows)
        self.requested.append(number)

    def receive(self, number: int) -> Data:
        """The requested chunk; waits for it and drops chunks requested before it."""
        while True:
            first = self.requested.popleft()
            answer = self.pipe.recv()
            if isinstance(answer, Exception):
                raise answer
            data: Data = answer.load()
            if first == number:
                return data


def _serve_chunks(pipe: Any, layout: Layout, folder: Path) -> None:
    """Answer requests for chunks until the pipe closes, in a child process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that learns
    try:
        for number in count():
            pipe.send(materialise_chunk(pipe.recv(), layout, folder / f"{os.getpid()}-{number}"))
            give_back()
            if number == 0 and hasattr(os, "nice"):  # nothing can be learnt before the first chunk
                os.nice(_NICE)
    except (EOFError, ConnectionError):
        shutil.rmtree(folder, ignore_errors=True)


def _no_room(path: Path, error: OSError) -> CorpusError:
    """The error for a file of songs that could not be written."""
    return CorpusError(
        f"songs cannot be written to {path.parent} ({error.strerror}); each chunk needs some 0.2 GB there, and"
        " there may be three: TMPDIR chooses the place"
    )


def materialise_chunk(rows: list[ShardRows], layout: Layout, path: Path) -> MappedData | Exception:
    """Songs materialised in a file, or the error."""
    try:
        songs = [song for one in rows for song in songs_of(one.shard, "train", rows=frozenset(one.rows))]
        with MappedFile(path) as file:
            data = layout.materialise(songs, file)
            data.grooves.near  # noqa: B018  (computed here, pickled with the rest)
            return file.dump(data)
    except OSError as error:  # a damaged shard raises CorpusError instead
        return _no_room(path, error)
    except Exception as error:  # for the waiting process to raise
        return error


MAX_IN_MEMORY = 8192  # the most training songs held in memory, some 300 kB each
CHUNK_SONGS = 512  # enough to mix, and materialised in 0.2 GB
WINDOW = 8  # shards
VALIDATION_SONGS = 256  # songs from which unseen bars are drawn, where there are more


class TrainingSongs(Protocol):
    """The songs to learn from. chunks: in an epoch. songs, bars: their totals."""

    chunks: int
    songs: int
    bars: int
    kit: Kit

    def chunk(self, number: int) -> Data:
        """The songs of chunk `number`, counted over all epochs."""
        ...


class InMemorySongs:
    """Songs held in memory: each epoch is one chunk with all of them."""

    chunks: int = 1

    def __init__(self, data: Data) -> None:
        self.data, self.kit = data, data.kit
        self.songs, self.bars = len(data), len(data.steps)

    def chunk(self, number: int) -> Data:
        """All of them."""
        return self.data


def rows_of_chunk(shards: Sequence[Shard], seed: int, number: int, chunks: int) -> list[ShardRows]:
    """The songs of chunk `number`, counted over all epochs of this many chunks.

    The chunks of an epoch have each song once, and differ in size by one song at most.
    """
    epoch, chunk = divmod(number, chunks)
    # 1. The shards in the order of this epoch, and the range of the chunk among all songs in that order.
    order = np.random.default_rng([seed, 6, epoch]).permutation(len(shards))
    sizes = np.array([shards[index].sides["train"] for index in order])
    ends = np.cumsum(sizes)
    begin, end = (round(at * int(ends[-1]) / chunks) for at in (chunk, chunk + 1))
    chosen: dict[int, list[int]] = {}
    # 2. Shuffle each window that overlaps the range, and take the songs in the range.
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
    return [ShardRows(shards[index], sorted(rows)) for index, rows in chosen.items()]


def songs_among(shards: Sequence[Shard], side: str, most: int, seed: int) -> list[Prepared]:
    """At most this many songs of one side of the split, from as few shards as possible, drawn by a seed."""
    songs: list[Prepared] = []
    for index in np.random.default_rng([seed, 6]).permutation(len(shards)).tolist():
        if len(songs) < most and shards[index].sides[side]:
            songs += songs_of(shards[index], side, rows=range(most - len(songs)))
    return songs


class StreamedSongs:
    """The songs of many shards, chunk by chunk; each of the `workers` materialises one chunk ahead.

    Raises:
        CorpusError: a shard is missing or damaged. Raised by `chunk`.
    """

    def __init__(self, shards: Sequence[Shard], layout: Layout, *, size: int = CHUNK_SONGS, workers: int = 1) -> None:
        self.shards, self.layout, self.kit = shards, layout, layout.kit
        self.songs, self.bars = (
            sum(table["train"] for table in tables)
            for tables in ([shard.sides for shard in shards], [shard.bars for shard in shards])
        )
        self.chunks = max(-(-self.songs // size), 1)
        folder = Path(tempfile.mkdtemp(prefix="seq2drum-chunks-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.workers = [Worker(layout, folder) for _ in range(workers)]

    def chunk(self, number: int) -> Data:
        """The songs of chunk `number`; requests the chunks after it."""
        try:
            for later in range(number, number + len(self.workers)):
                self._request(later)
            data = self._worker(number).receive(number)
            self._request(number + len(self.workers))
        except (EOFError, ConnectionError):
            raise CorpusError(
                "a process that prepares songs has ended; each wants some 0.3 GB of memory (--workers says how many)"
            ) from None
        return data

    def _request(self, number: int) -> None:
        worker = self._worker(number)
        if number not in worker.requested:
            worker.request(number, rows_of_chunk(self.shards, self.layout.seed, number, self.chunks))

    def _worker(self, number: int) -> Worker:
        return self.workers[number % len(self.workers)]
