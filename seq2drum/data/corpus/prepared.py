"""A prepared song of a corpus, and its side of the split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.grid import Grid
from seq2drum.music.shown import Shown

SPLITS = ("train", "validation", "test")
SHARES = (0.88, 0.04, 0.08)


@dataclass(frozen=True)
class Prepared(Shown):
    """One song of a corpus: guitar, drums and origin.

    tag: its folder. origin: source and licence as a manifest states them. licence: the licence alone.
    """

    path: str
    sha256: str
    tag: str
    group: str
    split: str
    guitar_grid: GuitarGrid
    drums: Grid
    origin: str = ""
    licence: str = ""

    def between(self, first: int, stop: int) -> Prepared:
        """Bars [first, stop) as a separate song."""
        drums = self.guitar_grid.form.notes_between(self.drums, first, stop)
        return replace(self, guitar_grid=self.guitar_grid.between(first, stop), drums=drums)


def split_of(group: str) -> str:
    """The side of the split of a group, by its digest: the same on every machine and for every corpus."""
    digest = hashlib.sha256(group.encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    return SPLITS[int(np.searchsorted(np.cumsum(SHARES)[:-1], place, side="right"))]


def sources(songs: Iterable[Prepared]) -> list[dict[str, str | int]]:
    """Numbers of songs by folder, origin and licence on each side of the split."""
    return counted((song.tag, song.origin, song.licence, song.split) for song in songs)


def counted(songs: Iterable[tuple[str, str, str, str]]) -> list[dict[str, str | int]]:
    """Numbers of songs by kind, from the (folder, origin, licence, side of the split) of each song."""
    table: dict[tuple[str, str, str], Counter[str]] = {}
    for tag, origin, licence, side in songs:
        table.setdefault((tag, origin, licence), Counter())[side] += 1
    return [
        {"folder": tag, "origin": origin, "licence": licence, **{side: sides[side] for side in SPLITS}}
        for (tag, origin, licence), sides in sorted(table.items())
    ]
