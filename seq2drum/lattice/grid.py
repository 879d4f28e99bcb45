"""The lattice: six places in every quarter where a note may begin, and the notes on it.

The places are the sixteenths and the eighth-note triplets, {0, 3, 4, 6, 8, 9} twelfths of a quarter, counted from the
barline. A note is kept as its nearest place and an offset: its distance in shares of the gap to the neighbouring
place.

All loss is in `quantise`. The law: `decode(encode(part)) == quantise(part)`. The two sides share no code, so that
each tests the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from seq2drum.music.kit import FULL, Kit, to_kit
from seq2drum.music.notes import Bar, IntArray, Part, loudest
from seq2drum.music.shown import as_html

Number = TypeVar("Number", bound=np.generic)

PLACES = np.array([0, 3, 4, 6, 8, 9])  # twelfths of a quarter
STEPS_PER_QUARTER = len(PLACES)
TWELFTHS = 12
OFFSET_UNITS = 254  # an offset of 254 is a whole gap, so half a gap fits into a signed byte
HALF_GAP = OFFSET_UNITS // 2 - 1  # the largest offset that cannot be mistaken for the neighbour's
LENGTH_UNITS = 24  # a guitar note's length is kept in 24ths of a quarter
_MOST_KEYS = 128  # pitches, or voices of a kit
HIT_LENGTH = 3  # a drum hit's nominal length in the same unit: a 32nd


class Grid(NamedTuple):
    """Notes on a lattice, sorted by (step, key). Integer arrays of one length.

    step: place on the lattice, from 0. key: a drum's voice, or a guitar's pitch. velocity: 1-127.
    offset: in 254ths of the gap to the next place (or, if negative, to the place before).
    length: in 24ths of a quarter, at least 1.
    """

    step: IntArray
    key: IntArray
    velocity: IntArray
    offset: IntArray
    length: IntArray

    def _repr_html_(self) -> str:
        return as_html(self)

    def select(self, which: NDArray[np.bool_] | IntArray) -> Grid:
        """The notes at the given places of the arrays."""
        return Grid(*(column[which] for column in self))

    def shift(self, steps: int) -> Grid:
        """The same notes, so many steps later (earlier, if negative)."""
        return self._replace(step=self.step + steps)

    def between(self, begin: int, end: int) -> Grid:
        """The notes at steps [begin, end), counted from `begin`."""
        low, high = np.searchsorted(self.step, [begin, end])
        return self.select(np.arange(low, high)).shift(-begin)

    @classmethod
    def join(cls, pieces: Iterable[Grid]) -> Grid:
        """Several grids joined in order; without any, a grid without notes."""
        none = cls(*(np.zeros(0, dtype=np.int64) for _ in cls._fields))
        return cls(*(np.concatenate(columns) for columns in zip(none, *pieces, strict=True)))


def to_full(grid: Grid, kit: Kit) -> Grid:
    """Hits of a kit as hits of the full one, by the notes that write them."""
    key = to_kit(FULL, kit)[grid.key]
    return grid._replace(key=key).select(np.lexsort((key, grid.step)))


def steps_in(length: int | IntArray, ticks_per_quarter: int) -> IntArray:
    """The number of places in a bar of `length` ticks; a place must lie before the bar's end."""
    quarters, rest = np.divmod(length, ticks_per_quarter)
    inside = PLACES * ticks_per_quarter < TWELFTHS * np.asarray(rest)[..., None]
    steps: IntArray = quarters * STEPS_PER_QUARTER + np.sum(inside, axis=-1)
    return steps


@cache
def quarters_into(steps: int) -> NDArray[np.float64]:
    """(steps,): quarters from the barline to each step of a bar. Not to be changed."""
    quarter, place = np.divmod(np.arange(steps), STEPS_PER_QUARTER)
    quarters: NDArray[np.float64] = quarter + PLACES[place] / TWELFTHS
    quarters.setflags(write=False)
    return quarters


# --- numbers: as `unique`, `median` and `quantile` of NumPy, whose first call imports masked arrays, for 8 ms ---------


def distinct(values: NDArray[Number]) -> NDArray[Number]:
    """The distinct numbers of an array (n,), in order."""
    ordered = np.sort(values)
    once: NDArray[Number] = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return once


def median(values: NDArray[Number]) -> float:
    """The median of one or more numbers (n,)."""
    ordered, middle = np.sort(values).tolist(), len(values) // 2
    return float(ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def quantile(values: NDArray[Number], share: float) -> float:
    """The number that a share, 0..1, of one or more numbers (n,) is below, interpolated between two of them."""
    ordered, (place, part) = np.sort(values).tolist(), divmod(share * (len(values) - 1), 1)
    below, above = ordered[int(place)], ordered[min(int(place) + 1, len(values) - 1)]
    return float(above - (above - below) * (1 - part) if part >= 0.5 else below + (above - below) * part)


# --- the lattice ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lattice:
    """The places of some consecutive bars."""

    bars: tuple[Bar, ...]
    ticks_per_quarter: int

    @cached_property
    def counts(self) -> IntArray:
        """(bars,): the number of steps of each bar."""
        return steps_in(np.array([bar.length for bar in self.bars], dtype=np.int64), self.ticks_per_quarter)

    @cached_property
    def first(self) -> IntArray:
        """(bars + 1,): the first step of each bar, and the number of all steps."""
        return np.concatenate([[0], np.cumsum(self.counts)])

    @cached_property
    def bar_of(self) -> IntArray:
        """(steps,): the bar of each step, from 0."""
        return np.repeat(np.arange(len(self.bars)), self.counts)

    @cached_property
    def place_of(self) -> IntArray:
        """(steps,): the number of each step in its bar, from 0."""
        return np.arange(self.first[-1]) - self.first[self.bar_of]

    @cached_property
    def ticks(self) -> NDArray[np.float64]:
        """(steps,): the tick of each step; not rounded, as a twelfth of a quarter need not be whole."""
        starts = np.array([bar.start for bar in self.bars], dtype=np.float64)
        quarter, place = np.divmod(self.place_of, STEPS_PER_QUARTER)
        return starts[self.bar_of] + (quarter + PLACES[place] / TWELFTHS) * self.ticks_per_quarter

    @cached_property
    def _gaps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The gap before and after each step, in ticks."""
        edge = self.ticks_per_quarter / 4
        inner = np.diff(self.ticks)
        return np.concatenate([[edge], inner]), np.concatenate([inner, [edge]])

    def nearest(self, onset: IntArray) -> tuple[IntArray, IntArray]:
        """The nearest step of each tick and the offset from it. Ties go to the earlier step."""
        after = np.minimum(np.maximum(np.searchsorted(self.ticks, onset), 1), max(len(self.ticks) - 1, 1))
        step = after - 1
        if len(self.ticks) > 1:
            step = np.where(self.ticks[after] - onset < onset - self.ticks[step], after, step)
        delta = onset - self.ticks[step]
        gap = self._gap(step, delta)
        offset = np.rint(delta * OFFSET_UNITS / gap).astype(np.int64)
        # Only before the first and after the last place can a note be further away than half a gap.
        low = np.where(step == 0, -(2**15), -HALF_GAP)
        high = np.where(step == len(self.ticks) - 1, 2**15 - 1, HALF_GAP)
        return step, np.minimum(np.maximum(offset, low), high)

    def onset(self, step: IntArray, offset: IntArray) -> IntArray:
        """The tick of a note `offset` away from its step; never before tick 0."""
        moved = self.ticks[step] + offset * self._gap(step, offset) / OFFSET_UNITS
        return np.maximum(np.rint(moved).astype(np.int64), 0)

    def _gap(self, step: IntArray, direction: IntArray | NDArray[np.float64]) -> NDArray[np.float64]:
        before, after = self._gaps
        gap: NDArray[np.float64] = np.where(direction < 0, before[step], after[step])
        return gap


def _loudest(grid: Grid) -> Grid:
    """One note for each (step, key): the loudest, then the longest. Sorted by (step, key)."""
    # A sort by step and key is enough unless two notes share both, and is cheaper than one by four keys.
    place = grid.step * _MOST_KEYS + grid.key
    if (place[1:] > place[:-1]).all():
        return grid
    order = np.argsort(place, kind="stable")
    place = place[order]
    is_new = np.concatenate([[True], place[1:] != place[:-1], [True]])
    if is_new.all():
        return grid.select(order)
    among = np.flatnonzero(~(is_new[1:] & is_new[:-1]))  # those that share both with another
    own = order[among]
    order[among] = own[np.lexsort((-grid.length[own], -grid.velocity[own], place[among]))]
    return grid.select(order[is_new[:-1]])


def encode(part: Part, lattice: Lattice, kit: Kit | None = None) -> Grid:
    """The notes of a part on the lattice. With a kit, keys are its voices and notes outside the kit are left out."""
    step, offset = lattice.nearest(part.onset)
    length = np.maximum(np.rint(part.duration * LENGTH_UNITS / lattice.ticks_per_quarter).astype(np.int64), 1)
    grid = Grid(step, part.pitch, part.velocity, offset, length)
    if kit is not None:
        grid = grid._replace(key=kit.voice_of[part.pitch], length=np.full_like(length, HIT_LENGTH))
        grid = grid.select(grid.key >= 0)
    return _loudest(grid)


def decode(grid: Grid, lattice: Lattice, kit: Kit | None = None, *, program: int = 0, name: str = "") -> Part:
    """The notes of a grid as a part in ticks. With a kit the part is drums, otherwise keys are pitches."""
    return Part.of(notes_of(grid, lattice, kit), program=program, name=name, is_drums=kit is not None)


def notes_of(grid: Grid, lattice: Lattice, kit: Kit | None = None) -> IntArray:
    """The notes (n, 4) of a grid, see `decode`, sorted by onset and pitch."""
    onset = lattice.onset(grid.step, grid.offset)
    pitch = grid.key if kit is None else kit.note_of[grid.key]
    duration = np.maximum(np.rint(grid.length * lattice.ticks_per_quarter / LENGTH_UNITS).astype(np.int64), 1)
    rows = np.stack([onset, duration, pitch, grid.velocity], axis=1)
    # Below 12 ticks a quarter, two places can share a tick.
    return loudest(rows)


def quantise(part: Part, lattice: Lattice, kit: Kit | None = None) -> Part:
    """The part as the lattice keeps it, in ticks again.

    Lost are: differences within one offset unit (under a tick up to 508 ticks a quarter); lengths below a 24th of a
    quarter, and of drums all lengths; the softer of two equal notes at one step; drum notes outside the kit, and which
    of the notes that stand for one voice was played.
    """
    step, offset = lattice.nearest(part.onset)
    onset = lattice.onset(step, offset)
    length = np.maximum(np.rint(part.duration * LENGTH_UNITS / lattice.ticks_per_quarter).astype(np.int64), 1)
    pitch = part.pitch
    if kit is not None:
        length = np.full_like(length, HIT_LENGTH)
        pitch = np.where(kit.voice_of[pitch] >= 0, kit.note_of[kit.voice_of[pitch]], -1)
    duration = np.maximum(np.rint(length * lattice.ticks_per_quarter / LENGTH_UNITS).astype(np.int64), 1)
    best: dict[tuple[int, int], tuple[int, int, int, int]] = {}
    columns = (step, pitch, part.velocity, duration, onset)
    for at, key, velocity, ticks, tick in zip(*(column.tolist() for column in columns), strict=True):
        held = best.get((at, key))
        if key >= 0 and (held is None or (velocity, ticks) > (held[3], held[1])):
            best[at, key] = (tick, ticks, key, velocity)
    rows = np.array([best[key] for key in sorted(best)], dtype=np.int64).reshape(-1, 4)
    return Part.of(loudest(rows), program=0, name="", is_drums=kit is not None)
