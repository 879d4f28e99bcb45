"""Copies among songs, and arrangements of one song.

Songs are compared by the bars that they have in common, in any key. Only the first of several copies is kept. Songs
that share half of their bars are one group, so that a split by groups has no song on two sides.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.grid import Grid

HASHES = 64  # minhash values a song; their agreement estimates the share of common bars to about 6 %
_BAND = 2  # minhash values that must agree before two songs are compared
BANDS = HASHES // _BAND
_COMPARED = 20  # distance in a bucket up to which songs are compared
_CHUNK = 1 << 16  # pairs compared in one pass
EXACT_COPY, NEAR_COPY = "an exact copy of another file", "a near copy of another song"
NEAR_DUPLICATE = 0.9  # share of their bars that two songs have in common, from which one is a copy
SAME_SONG = 0.5  # the same, from which they are one group
_FEW_NOTES = 4  # of a bar; a bar with fewer does not identify a song
_MIN_DISTINCT = 8  # bars: with fewer, two songs can be alike by chance


@dataclass(frozen=True)
class Fingerprint:
    """A song's identity: minhash values (HASHES,) of its bars, and the number of distinct bars."""

    values: NDArray[np.uint64]
    distinct: int


class Said(NamedTuple):
    """Metadata of a song that was read.

    group: the name that its corpus gives to all arrangements of the song; "" for none. origin, licence: see `Prepared`.
    outside_kit: number of its drum notes outside the kit.
    """

    path: str
    sha256: str
    tag: str
    group: str
    origin: str
    licence: str
    bars: int
    outside_kit: int
    drum_notes: int


class Candidate(NamedTuple):
    """A song that was read, on its way into the cache: packed arrays, metadata and fingerprint."""

    said: Said
    packed: bytes
    fingerprint: Fingerprint


def fingerprint(guitar_grid: GuitarGrid, drums: Grid) -> Fingerprint:
    """The fingerprint of a song's bars of guitar and drums. It is the same in all keys.

    Source: A. Broder, On the resemblance and containment of documents (1997).
    """
    first = guitar_grid.form.first
    bars: set[bytes] = set()
    for grid, transposes in ((guitar_grid.guitar, True), (drums, False)):
        edges = np.searchsorted(grid.step, first)
        many = np.diff(edges)
        place, key = grid.step - np.repeat(first[:-1], many), grid.key
        if transposes and len(key):
            lowest = np.minimum.reduceat(key, edges[:-1][many > 0])
            key = key - np.repeat(lowest, many[many > 0])
        places, keys, ends = place.astype(np.uint8).tobytes(), key.astype(np.uint8).tobytes(), edges.tolist()
        for bar in np.flatnonzero(many >= _FEW_NOTES).tolist():
            begin, end = ends[bar], ends[bar + 1]
            bars.add(places[begin:end] + keys[begin:end])
    digests = {hashlib.blake2b(bar, digest_size=7).digest() for bar in bars}
    if not digests:
        return Fingerprint(np.zeros(HASHES, dtype=np.uint64), 0)
    values = np.frombuffer(b"".join(b"\0" + digest for digest in digests), dtype=">u8").astype(np.uint64)
    scale, shift = _hashes()
    with np.errstate(over="ignore"):
        mixed = values * scale + shift  # multiply-shift hashing: the high bits are well mixed
    return Fingerprint((mixed >> np.uint64(24)).min(axis=1), len(values))


@cache
def _hashes() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """The scale and the shift of each hash, (HASHES, 1)."""
    rng = np.random.default_rng(1997)
    scale = rng.integers(1, 2**63, size=(HASHES, 1), dtype=np.uint64) | np.uint64(1)
    return scale, rng.integers(0, 2**63, size=(HASHES, 1), dtype=np.uint64)


def without_copies(candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[str], Counter[str]]:
    """Drop exact and near copies; the first by digest stays.

    Returns:
        The remaining songs by path; the group of each; and the numbers of dropped songs by reason.
    """
    unique: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda candidate: (candidate.said.sha256, candidate.said.path)):
        unique.setdefault(candidate.said.sha256, candidate)
    songs = list(unique.values())
    prints = np.array([song.fingerprint.values for song in songs], dtype=np.uint64).reshape(len(songs), HASHES)
    distinct = np.array([song.fingerprint.distinct for song in songs], dtype=np.int64)
    alike = merged(alike_in_band(prints, distinct, band) for band in range(BANDS))
    copies, names = judged([song.said.sha256 for song in songs], [song.said.group for song in songs], alike)
    dropped = Counter({EXACT_COPY: len(candidates) - len(songs), NEAR_COPY: int(copies.sum())})
    kept = sorted(np.flatnonzero(~copies).tolist(), key=lambda index: songs[index].said.path)
    return [songs[index] for index in kept], [names[index] for index in kept], +dropped


class Alike(NamedTuple):
    """Pairs of similar songs: their numbers (n, 2), the smaller first; the share of common bars (n,)."""

    pairs: NDArray[np.int64]
    shares: NDArray[np.float64]


def alike_in_band(prints: NDArray[np.uint64], distinct: NDArray[np.int64], band: int) -> Alike:
    """Pairs of songs that agree in a band of their fingerprints, and share at least SAME_SONG of their bars.

    prints: (n, HASHES), of songs without exact copies, in the order of their digests; may be mapped into memory.
    distinct: (n,), distinct bars of each; songs with too few match nothing. band: less than BANDS.
    """
    able = np.flatnonzero(distinct >= _MIN_DISTINCT)
    keys = np.ascontiguousarray(prints[:, band * _BAND : (band + 1) * _BAND])[able]
    order = np.lexsort(keys.T[::-1])  # stable: keeps the order of songs inside a bucket
    keys, able = keys[order], able[order]
    found, shares = [], []
    # A bucket of hundreds is one trivial bar; comparing each with the next few finds real copies in it.
    for ahead in range(1, _COMPARED):
        same = np.flatnonzero((keys[ahead:] == keys[:-ahead]).all(axis=1))
        if not len(same):
            break  # no bucket is larger
        for chunk in np.array_split(same, len(same) // _CHUNK + 1):
            pairs = np.stack([able[chunk], able[chunk + ahead]], axis=1)
            share = np.mean(prints[pairs[:, 0]] == prints[pairs[:, 1]], axis=1)
            found.append(pairs[share >= SAME_SONG])
            shares.append(share[share >= SAME_SONG])
    if not found:
        return Alike(np.zeros((0, 2), dtype=np.int64), np.zeros(0))
    return Alike(np.concatenate(found), np.concatenate(shares))


def merged(bands: Iterable[Alike]) -> Alike:
    """The pairs of several bands, each once, in the order of their numbers."""
    keys, shares = np.zeros(0, dtype=np.int64), np.zeros(0)
    for band in bands:
        keys = np.concatenate([keys, band.pairs[:, 0] << 32 | band.pairs[:, 1]])
        keys, first = np.unique(keys, return_index=True)
        shares = np.concatenate([shares, band.shares])[first]
    return Alike(np.stack([keys >> 32, keys & 0xFFFF_FFFF], axis=1), shares)


def judged(digests: Sequence[str], groups: Sequence[str], alike: Alike) -> tuple[NDArray[np.bool_], list[str]]:
    """(n,) True for near copies of other songs, and the name of the group of each song.

    digests: of songs without exact copies, in order. groups: those that their corpora state; "" for none.
    """
    # 1. Near copies, and groups: of similar songs, and of those that a corpus groups.
    sets, copies = _Sets(len(digests)), np.zeros(len(digests), dtype=np.bool_)
    for first in range(0, len(alike.pairs), _CHUNK):
        chunk = slice(first, first + _CHUNK)
        for (one, other), share in zip(alike.pairs[chunk].tolist(), alike.shares[chunk].tolist(), strict=True):
            sets.unite(one, other)
            if share >= NEAR_DUPLICATE and not copies[one]:
                copies[other] = True
    first_of: dict[str, int] = {}
    for index, group in enumerate(groups):
        if group:
            sets.unite(first_of.setdefault(group, index), index)
    # 2. A group's name is the smallest that a corpus gives it, or else its smallest digest: the same on every
    #    machine.
    by_digest: dict[int, str] = {}
    by_name: dict[int, str] = {}
    for index, (digest, group) in enumerate(zip(digests, groups, strict=True)):
        root = sets.root(index)
        by_digest.setdefault(root, digest)
        if group:
            name = f"manifest:{group}"
            by_name[root] = min(by_name.get(root, name), name)
    names = by_digest | by_name
    return copies, [names[sets.root(index)] for index in range(len(digests))]


class _Sets:
    """Disjoint sets of numbers (union-find). A set is named by its smallest number, its root."""

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
