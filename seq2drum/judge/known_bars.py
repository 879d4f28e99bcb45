"""The bars of training songs that baselines play from, kept by kind of bar: (numerator, denominator, steps).

Letters of shapes: B bars of a song, T steps of all bars, S steps of one bar, V nine voices, n known bars of one kind,
P different ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.judge.measures import BoolArray
from seq2drum.lattice.conditions import drums_of
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.music.kit import NINE
from seq2drum.music.notes import IntArray

BarKind = tuple[int, int, int]  # numerator, denominator, steps
POLYPHONY = 0.25  # weight added to an onset by each further note of a chord
MOST_NOTES = 4  # notes of a chord that count
_PATTERNS = 4096  # patterns unpacked in one pass
_BLOCK = 8192  # known windows compared in one pass: 1 MB of scores for 32 bars


@dataclass(frozen=True, eq=False)
class KnownBars:
    """The known bars of one kind, those of a song side by side and in order; each has a hit.

    Kept small, as each process of an evaluation gets a copy. steps: S. song, bar, group, pattern (n,): number of the
    song, of the bar in it, of the song's group and of the bar's pattern. packed (P, bytes): the distinct bars, a bit a
    cell. onsets (n, S + 1): see `onsets_of`. bpm (n,).
    """

    steps: int
    song: NDArray[np.int32]
    bar: NDArray[np.int32]
    group: NDArray[np.int32]
    pattern: NDArray[np.int32]
    packed: NDArray[np.uint8]
    onsets: NDArray[np.uint8]
    bpm: NDArray[np.float64]

    def patterns(self, which: slice) -> BoolArray:
        """(·, S, V): some of the distinct bars."""
        cells = np.unpackbits(self.packed[which], axis=1, count=self.steps * len(NINE))
        return cells.astype(bool).reshape(-1, self.steps, len(NINE))

    @cached_property
    def rhythm(self) -> FloatArray:
        """(n, S + 1): the weight of the guitar's onset at each place, see `weights_of`."""
        return weights_of(self.onsets)

    def loop(self, choose: Callable[[KnownBars, IntArray], BoolArray], group: int) -> BoolArray:
        """(S, V): the choice of `choose` by the count of each pattern outside a group.

        Cached for all songs whose group has no such bars, which is most of them.
        """
        group = group if (self.group == group).any() else -1
        if (choose, group) not in self._loops:
            counts = np.bincount(self.pattern[self.group != group], minlength=len(self.packed))
            self._loops[choose, group] = choose(self, counts)
        return self._loops[choose, group]

    @cached_property
    def _loops(self) -> dict[tuple[Callable[[KnownBars, IntArray], BoolArray], int], BoolArray]:
        return {}

    def scale(self, length: int) -> FloatArray:
        """(n - length + 1,): one over the norm of the window of bars from here; 0 where they are not consecutive."""
        if length not in self._scales:
            squares = np.concatenate([[0.0], np.cumsum((self.rhythm.astype(np.float64) ** 2).sum(axis=1))])
            last = slice(length - 1, None)
            count = max(len(self.song) - length + 1, 0)
            together = (self.song[last] == self.song[:count]) & (self.bar[last] - self.bar[:count] == length - 1)
            norm = np.sqrt(squares[length:] - squares[:count])
            self._scales[length] = (together / np.maximum(norm, 1e-9)).astype(np.float32)
        return self._scales[length]

    def nearest(
        self, rhythms: FloatArray, length: int, barred: BoolArray, tie: NDArray[np.float32]
    ) -> Iterator[IntArray]:
        """The known windows of this length nearest to each of some windows, ties included, by their first bars.

        Nearest is the highest cosine times the window's own norm. rhythms (windows, length, S + 1). barred (n,):
        excluded bars, whose windows score below any cosine. tie (windows,): the difference up to which scores count as
        equal.
        """
        scale = self.scale(length)
        below = np.where(barred[: len(scale)] | (scale == 0), np.float32(-4), np.float32(0))
        windows = len(rhythms)
        rows = rhythms.reshape(-1, rhythms.shape[-1])
        most = np.full(windows, -np.inf, dtype=np.float32)
        found: list[list[tuple[IntArray, FloatArray]]] = [[] for _ in range(windows)]
        for at in range(0, len(scale), _BLOCK):
            # 1. The scores of a block of known windows, small enough for the CPU cache.
            stop = min(at + _BLOCK, len(scale))
            dots = (rows @ self.rhythm[at : stop + length - 1].T).reshape(windows, length, -1)
            score = dots[:, 0, : stop - at]
            for i in range(1, length):
                score += dots[:, i, i : i + stop - at]
            score *= scale[at:stop]
            score += below[at:stop]
            # 2. Those as high as any before.
            highest = score.max(axis=1)
            most = np.maximum(most, highest)
            for window in np.flatnonzero(highest >= most - tie).tolist():
                here = np.flatnonzero(score[window] >= most[window] - tie[window])
                found[window].append((here + at, score[window, here]))
        for window, pieces in enumerate(found):
            place, score = (np.concatenate(column) for column in zip(*pieces, strict=True))
            yield place[score >= most[window] - tie[window]]

    def longest(self, length: int, group: int) -> int:
        """The length, or the first of its halves with a window outside a group; otherwise 1."""
        while length > 1 and not ((self.scale(length) > 0) & (self.group[: 1 - length] != group)).any():
            length //= 2
        return length

    @cached_property
    def _scales(self) -> dict[int, FloatArray]:
        return {}


@dataclass
class _Gathered:
    """The bars of one kind, collected while songs are read."""

    rows: list[tuple[int, int, int, int]] = field(default_factory=list)
    bpm: list[float] = field(default_factory=list)
    onsets: list[NDArray[np.uint8]] = field(default_factory=list)
    numbers: dict[bytes, int] = field(default_factory=dict)

    def frozen(self, steps: int) -> KnownBars:
        song, bar, group, pattern = np.array(self.rows, dtype=np.int32).T
        packed = np.frombuffer(b"".join(self.numbers), dtype=np.uint8).reshape(len(self.numbers), -1)
        onsets, bpm = np.concatenate(self.onsets), np.array(self.bpm)
        return KnownBars(steps, song, bar, group, pattern, packed, onsets, bpm)


def known_bars(songs: Sequence[Prepared], groups: Mapping[str, int]) -> dict[BarKind, KnownBars]:
    """The bars of some songs that have a hit, by kind; songs and groups by their numbers."""
    gathered: dict[BarKind, _Gathered] = {}
    for number, song in enumerate(songs):
        form, group = song.guitar_grid.form, groups[song.group]
        roll = drums_of(song.drums, form).velocity > 0
        for kind, bars in bars_by_kind(form).items():
            steps = kind[2]
            rolls = roll[form.first[bars][:, None] + np.arange(steps)].reshape(len(bars), -1)
            struck = rolls.any(axis=1)
            bars, rolls = bars[struck], rolls[struck]
            if not len(bars):
                continue
            into = gathered.setdefault(kind, _Gathered())
            bpm = float(np.median(form.bpm[bars]))
            for bar, packed in zip(bars.tolist(), np.packbits(rolls, axis=1), strict=True):
                pattern = into.numbers.setdefault(packed.tobytes(), len(into.numbers))
                into.rows.append((number, bar, group, pattern))
            into.bpm += [bpm] * len(bars)
            into.onsets.append(onsets_of(song.guitar_grid, steps)[bars])
    return {kind: bars.frozen(kind[2]) for kind, bars in gathered.items()}


def onsets_of(guitar_grid: GuitarGrid, steps: int) -> NDArray[np.uint8]:
    """(B, steps + 1): notes that begin at each place of each bar, MOST_NOTES at most; last, 1 for an empty bar.

    So an empty bar resembles only empty bars. Places beyond `steps` are left out.
    """
    form, guitar = guitar_grid.form, guitar_grid.guitar
    bar = form.bar_of(guitar.step)
    place = form.place_of(guitar.step)
    count = np.zeros((len(form.steps), steps + 1), dtype=np.int64)
    np.add.at(count, (bar[place < steps], place[place < steps]), 1)
    count[:, -1] = ~(count > 0).any(axis=1)
    return np.minimum(count, MOST_NOTES).astype(np.uint8)


def weights_of(onsets: NDArray[np.uint8]) -> FloatArray:
    """The weights of onsets by their notes: 1 for one note, a little more for a chord."""
    table = 1 + POLYPHONY * (np.arange(MOST_NOTES + 1, dtype=np.float32) - 1)
    table[0] = 0
    weights: FloatArray = table[onsets]
    return weights


def bars_by_kind(form: Form) -> dict[BarKind, IntArray]:
    """The bars of each kind, the kinds in order of appearance."""
    bars: dict[BarKind, list[int]] = {}
    columns = (form.numerator.tolist(), form.denominator.tolist(), form.steps.tolist())
    for bar, kind in enumerate(zip(*columns, strict=True)):
        bars.setdefault(kind, []).append(bar)
    return {kind: np.array(some) for kind, some in bars.items()}


def commonest(bars: KnownBars, counts: IntArray) -> BoolArray:
    """(S, V): the pattern with the highest count."""
    most = int(counts.argmax())
    pattern: BoolArray = bars.patterns(slice(most, most + 1))[0]
    return pattern


def likely_hits(bars: KnownBars, counts: IntArray) -> BoolArray:
    """(S, V): the set of hits with the best expected F1.

    The best set of any size holds the likeliest hits, and the expected F1 of the k likeliest, counted over all bars
    together, is 2 (p1 + ... + pk) / (k + all p).
    """
    played = np.zeros((bars.steps, len(NINE)))
    for at in range(0, len(counts), _PATTERNS):
        some = slice(at, at + _PATTERNS)
        played += np.tensordot(counts[some], bars.patterns(some).astype(np.float64), axes=1)
    share = played / max(int(counts.sum()), 1)
    order = np.argsort(-share.ravel(), kind="stable")
    hit = np.cumsum(share.ravel()[order])
    best = int(np.argmax(2 * hit / (np.arange(1, len(hit) + 1) + hit[-1])))
    likely = np.zeros(share.size, dtype=bool)
    likely[order[: best + 1]] = True
    return likely.reshape(share.shape) & (share > 0)
