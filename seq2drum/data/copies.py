"""Which songs are copies of each other, and which are one song in several arrangements.

Songs are compared by the bars that they have in common, whatever key they are in. Of a copy only the first is kept;
songs that share half of their bars are one group, so that a split by groups has no song on two sides.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.grid import Grid
from seq2drum.lattice.listening import Heard

_HASHES = 64  # minhash values a song; their agreement estimates the share of common bars to about 6 %
_BAND = 2  # minhash values that must agree before two songs are compared
NEAR_DUPLICATE = 0.9  # share of their bars that two songs have in common, from which one is a copy
SAME_SONG = 0.5  # the same, from which they are one group
_MIN_DISTINCT = 8  # bars: with fewer, two songs can be alike by chance


@dataclass(frozen=True)
class Fingerprint:
    """What a song is recognised by: minhash values (_HASHES,) of its bars, and how many different bars there are."""

    values: NDArray[np.uint64]
    distinct: int


@dataclass(frozen=True)
class Candidate:
    """A file that was read, on its way into the cache: its arrays packed, and what copies of it are found by."""

    path: str
    sha256: str
    tag: str
    packed: bytes
    fingerprint: Fingerprint
    outside_kit: int
    drum_notes: int


def fingerprint(heard: Heard, drums: Grid) -> Fingerprint:
    """The fingerprint of a song's bars of guitar and drums. It is the same in all keys.

    Source: A. Broder, On the resemblance and containment of documents (1997).
    """
    first = heard.form.first
    bars: set[int] = set()
    for grid, transposes in ((heard.guitar, True), (drums, False)):
        edges = np.searchsorted(grid.step, first)
        for bar in np.flatnonzero(np.diff(edges) >= 4).tolist():
            inside = slice(edges[bar], edges[bar + 1])
            place = grid.step[inside] - first[bar]
            key = grid.key[inside]
            shape = np.stack([place, key - (key.min() if transposes else 0)]).astype(np.uint8)
            bars.add(int.from_bytes(hashlib.blake2b(shape.tobytes(), digest_size=7).digest(), "big"))
    values = np.array(sorted(bars), dtype=np.uint64)
    if not len(values):
        return Fingerprint(np.zeros(_HASHES, dtype=np.uint64), 0)
    rng = np.random.default_rng(1997)
    scale = rng.integers(1, 2**63, size=(_HASHES, 1), dtype=np.uint64) | np.uint64(1)
    shift = rng.integers(0, 2**63, size=(_HASHES, 1), dtype=np.uint64)
    with np.errstate(over="ignore"):
        mixed = values * scale + shift  # multiply-shift hashing: the high bits are well mixed
    return Fingerprint((mixed >> np.uint64(24)).min(axis=1), len(values))


def without_copies(
    candidates: Sequence[Candidate], groups: Mapping[str, str]
) -> tuple[list[Candidate], list[str], Counter[str]]:
    """Drop exact and near copies, of which the first by digest stays.

    groups: the group of a file, by its digest, as far as a manifest names it.

    Returns:
        The songs that are left, in the order of their paths; the name of the group of each; and how many were dropped
        for which reason.
    """
    dropped: Counter[str] = Counter()
    # 1. Exact copies.
    unique: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda candidate: (candidate.sha256, candidate.path)):
        if candidate.sha256 in unique:
            dropped["an exact copy of another file"] += 1
        else:
            unique[candidate.sha256] = candidate
    songs = list(unique.values())
    # 2. Near copies, and groups: of songs that are alike, and of those that the manifest puts together.
    sets, copies = _Sets(len(songs)), set[int]()
    for one, other, share in _alike([song.fingerprint for song in songs]):
        sets.unite(one, other)
        if share >= NEAR_DUPLICATE and one not in copies:
            copies.add(other)
    first_of: dict[str, int] = {}
    for index, song in enumerate(songs):
        if song.sha256 in groups:
            sets.unite(first_of.setdefault(groups[song.sha256], index), index)
    if copies:
        dropped["a near copy of another song"] += len(copies)
    # 3. A group is named by its smallest manifest name, or else by its smallest digest: the same on every machine.
    by_digest: dict[int, str] = {}
    by_manifest: dict[int, str] = {}
    for index, song in enumerate(songs):
        root = sets.root(index)
        by_digest.setdefault(root, song.sha256)
        if song.sha256 in groups:
            name = f"manifest:{groups[song.sha256]}"
            by_manifest[root] = min(by_manifest.get(root, name), name)
    names = by_digest | by_manifest
    kept = sorted(set(range(len(songs))) - copies, key=lambda index: songs[index].path)
    return [songs[index] for index in kept], [names[sets.root(index)] for index in kept], dropped


class _Sets:
    """Numbers that belong together (union-find). A set is named by its smallest number, its root."""

    def __init__(self, count: int) -> None:
        self._leader = list(range(count))

    def root(self, index: int) -> int:
        leader = self._leader
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    def unite(self, one: int, other: int) -> None:
        one, other = sorted((self.root(one), self.root(other)))
        self._leader[other] = one


def _alike(fingerprints: Sequence[Fingerprint]) -> Iterator[tuple[int, int, float]]:
    """Pairs of songs that share at least SAME_SONG of their bars, and that share: how far their fingerprints agree."""
    if not fingerprints:
        return
    prints = np.stack([one.values for one in fingerprints])
    able = np.flatnonzero([one.distinct >= _MIN_DISTINCT for one in fingerprints])
    seen: set[tuple[int, int]] = set()
    for band in range(0, _HASHES, _BAND):
        buckets: dict[bytes, list[int]] = {}
        for index in able.tolist():
            buckets.setdefault(prints[index, band : band + _BAND].tobytes(), []).append(index)
        for members in buckets.values():
            # A bucket of hundreds is one trivial bar; comparing each with the first few finds real copies in it.
            for place, one in enumerate(members):
                seen.update((one, other) for other in members[place + 1 : place + 20])
    for one, other in sorted(seen):
        share = float(np.mean(prints[one] == prints[other]))
        if share >= SAME_SONG:
            yield one, other, share
