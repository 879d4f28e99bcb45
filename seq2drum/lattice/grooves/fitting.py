"""A bar of drums fitted to another metre: cut or extended by the beats of both.

A beat here is a drummer's count: the quarter of 4/4 and of all metres over 1, 2 or 4, else an accent group of the
metre, such as the 2 + 2 + 3 of 7/8. Places inside a beat are in twelfths of a quarter.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER, TWELFTHS, Grid, steps_in
from seq2drum.music import metres
from seq2drum.music.kit import FULL, Limbs
from seq2drum.music.notes import IntArray

Floats = NDArray[np.float64]

BACKBEAT = frozenset({"snare", "side stick", "clap"})
TIME = frozenset({"closed hat", "open hat", "pedal hat", "ride", "bell", "shaker", "cabasa", "tambourine", "triangle"})
"""The timekeeping pieces, which go on through a beat that becomes longer."""

LOUD = 64  # velocity above that of ghost notes
_FINE = 960  # ticks a quarter that make every metre's bar a whole number
_MOST_BEATS = 8  # of a bar whose beats are chosen; a longer one keeps its first


class Beat(NamedTuple):
    """A beat of a bar: its beginning and its length, in twelfths of a quarter."""

    start: float
    length: float


@cache
def steps_of(numerator: int, denominator: int) -> int:
    """The steps of a bar of a metre.

    Raises:
        ValueError: the metre is impossible.
    """
    metres.groups(numerator, denominator)
    return int(steps_in(4 * _FINE * numerator // denominator, _FINE))


@cache
def beats_of(numerator: int, denominator: int) -> tuple[Beat, ...]:
    """The beats of a bar.

    Raises:
        ValueError: the metre is impossible.
    """
    unit = 4 * TWELFTHS / denominator
    groups: Sequence[int] = metres.groups(numerator, denominator)
    if denominator <= 4:
        groups, unit = (1,) * (4 * numerator // denominator), TWELFTHS
    starts = np.cumsum([0, *groups])[:-1] * unit
    return tuple(Beat(start, size * unit) for start, size in zip(starts.tolist(), groups, strict=True))


def playable(grid: Grid) -> Grid:
    """The hits of the full kit that one drummer can strike; at each step those that come first in the kit."""
    limbs = Limbs(FULL)
    struck: dict[int, list[int]] = {}
    kept = np.zeros(len(grid.step), dtype=bool)
    for at in np.lexsort((grid.key, grid.step)).tolist():
        together = struck.setdefault(int(grid.step[at]), [])
        if limbs.can_add(int(grid.key[at]), together):
            together.append(int(grid.key[at]))
            kept[at] = True
    return grid.select(kept)


def fitted(bar: Grid, source: tuple[int, int], target: tuple[int, int]) -> tuple[Grid, ...]:
    """A bar of the full kit in another metre: one bar, or two where the metre has but one beat.

    Beats are chosen as a drummer would: a longer bar is made of whole bars and cut ones, a shorter one leaves out
    beats, and the backbeat stays if it can; 7/8 is 4/4 without its last eighth. Beats that become longer are stretched
    where all are ternary (straight eighths of 4/4 are then eighths of 6/8), or else continued with hat or ride.

    Raises:
        ValueError: a metre is impossible.
    """
    old, new = beats_of(*source), beats_of(*target)
    if old == new:
        return (bar,)
    pieces, steps = [_beat(bar, beat) for beat in old], steps_of(*target)
    short = (old[-1].start + old[-1].length) - (new[-1].start + new[-1].length)
    if len({beat.length for beat in new}) > 1 and 0 < short < old[-1].length:
        cut = (*old[:-1], Beat(old[-1].start, old[-1].length - short))
        return (_laid(pieces, old, cut, steps),)
    bars: list[tuple[int, ...]]  # the beats of each
    if len(new) == 1:
        bars = [(index,) for index in _cut(pieces, 2)]
    else:
        bars = [tuple(index for length in _lengths(len(old), *target) for index in _cut(pieces, length))]
    return tuple(_laid([pieces[at] for at in order], [old[at] for at in order], new, steps) for order in bars)


# --- which beats ------------------------------------------------------------------------------------------------------


class _Hits(NamedTuple):
    """The hits of a beat, and their distances from its beginning in twelfths of a quarter."""

    grid: Grid
    into: Floats

    @property
    def is_backbeat(self) -> bool:
        """True if the beat begins with a loud stroke on the snare or its substitute."""
        loud = (self.into == 0) & (self.grid.velocity >= LOUD)
        return any(FULL.names[key] in BACKBEAT for key in self.grid.key[loud].tolist())


def twelfths(step: IntArray) -> IntArray:
    """Steps of a bar as twelfths of a quarter from the barline."""
    quarter, place = np.divmod(step, STEPS_PER_QUARTER)
    twelfth: IntArray = quarter * TWELFTHS + PLACES[place]
    return twelfth


def _beat(bar: Grid, beat: Beat) -> _Hits:
    into = np.asarray(twelfths(bar.step) - beat.start, dtype=np.float64)
    inside = (into >= 0) & (into < beat.length)
    return _Hits(bar.select(inside), into[inside])


def _lengths(most: int, numerator: int, denominator: int) -> list[int]:
    """The numbers of beats taken at a time from a bar that has `most`: whole groups of the metre, as many as fit."""
    count = len(beats_of(numerator, denominator))
    groups = metres.groups(numerator, denominator) if denominator == 4 else ()
    if any(size > 1 for size in groups) and max(groups) <= most:
        lengths = [0]
        for size in groups:
            if lengths[-1] + size <= most:
                lengths[-1] += size
            else:
                lengths.append(size)
        return lengths
    whole, rest = divmod(count, most)
    if rest == 1 and whole and most > 2:
        return [most] * (whole - 1) + [most - 1, 2]
    return [most] * whole + [rest] * (rest > 0)


def _cut(pieces: Sequence[_Hits], count: int) -> tuple[int, ...]:
    """The `count` beats that stay, the first among them: those with most backbeats, as late as possible."""
    if count >= len(pieces) or len(pieces) > _MOST_BEATS:
        return tuple(range(min(count, len(pieces))))
    back = [index for index, piece in enumerate(pieces) if piece.is_backbeat]

    def worth(kept: tuple[int, ...]) -> tuple[int, int]:
        own = [place for place, index in enumerate(kept) if index in back]
        return len(own), max(own, default=0)

    return max(((0, *rest) for rest in combinations(range(1, len(pieces)), count - 1)), key=worth)


# --- where in the new beats -------------------------------------------------------------------------------------------


def _laid(pieces: Sequence[_Hits], old: Sequence[Beat], new: Sequence[Beat], steps: int) -> Grid:
    """The hits of one beat after the other in the new beats, on the nearest steps, as far as playable."""
    scale = _octave(old[0].length, new[0].length)
    even = len({beat.length for beat in (*old,)}) == 1 and len({beat.length for beat in (*new,)}) == 1
    places = twelfths(np.arange(steps))
    grids = []
    for hits, before, beat in zip(pieces, old, new, strict=True):
        length = before.length * scale
        held, into = _moved(hits._replace(into=hits.into * scale), length, beat.length, even)
        if not even:  # nobody swings between beats of two lengths: the triplet before a beat is its second half
            into = np.select([into % TWELFTHS == 8, into % TWELFTHS == 4], [into - 2, into - 1], into)
        inside = into < beat.length
        target = beat.start + into[inside]
        step = np.abs(places[None] - target[:, None]).argmin(axis=1) if len(target) else np.zeros(0, np.int64)
        grids.append(held.select(inside)._replace(step=step))
    joined = Grid.join(grids)
    order = np.lexsort((-joined.velocity, joined.key, joined.step))
    return playable(joined.select(order))


def _octave(old: float, new: float) -> float:
    """The power of two that brings one beat length nearest to another, within a factor of 1.5."""
    scale = 1.0
    while old * scale > 1.5 * new:
        scale /= 2
    while old * scale * 1.5 < new:
        scale *= 2
    return scale


def _moved(hits: _Hits, old: float, new: float, even: bool) -> tuple[Grid, Floats]:
    """The hits of a beat of length `old` in one of length `new`, and their distances from its beginning.

    even: whether both bars have beats of one length each.
    """
    grid, into = hits
    if even and 3 * old == 2 * new:  # 4/4 to 12/8: the second eighth becomes the third of three
        return _stretched(grid, into / old, new)
    if even:
        return grid, into * new / old
    keeps_time = np.isin(grid.key, [FULL.names.index(name) for name in TIME])
    more = keeps_time & (into + old < new)
    return Grid.join([grid, grid.select(more)]), np.concatenate([into, into[more] + old])


def _stretched(grid: Grid, share: Floats, length: float) -> tuple[Grid, Floats]:
    """Hits at shares of a beat, in a ternary beat.

    A pulse in halves of the beat becomes one in thirds, and a pulse in quarters one in sixths.
    """
    shares, sixths = np.array([0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4]), np.array([0, 2, 2, 4, 4, 5])
    places = sixths[np.abs(shares - share[:, None]).argmin(axis=1)]
    grids, added = [grid], [places]
    for key in np.unique(grid.key).tolist():
        own = set(places[grid.key == key].tolist())
        if FULL.names[key] not in TIME or not {0, 4} <= own:
            continue
        between = [2, 1, 3] if 5 in own else [2]
        model = grid.select((grid.key == key) & (places == 4))
        for place in between:
            if place not in own:
                grids.append(model)
                added.append(np.full(len(model.step), place))
    return Grid.join(grids), np.concatenate(added) * length / 6
