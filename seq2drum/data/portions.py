"""The songs to learn from as flat arrays: all at once, or portion by portion where no memory holds them.

    shards in a random order -> windows of WINDOW shards -> the songs of each in a random order -> portions of PORTION

Which songs are in which portion follows from the seed, the epoch and the index: from nothing that a machine does, and
not from the number of processes. While one portion is learnt from, the next are laid out in processes of their own,
into files that are mapped into memory; so what is held is what is used, and the system may take it back.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from seq2drum.data.batches import Data
from seq2drum.data.cache import Shard, songs_of
from seq2drum.data.laying import Chosen, Layout, Worker
from seq2drum.data.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.music.kit import Kit

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
