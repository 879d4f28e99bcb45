"""Loops combined: the kick of one, the snare of another and the hats of a third are a new loop.

Loops go together that have one tempo and one genre, or none; what is made is as long as the shortest of them. What has
the hits of a loop that is there already is a copy: it is counted and left out.

    loops = beats.read([folder])
    made = combining.combined(loops, 200, np.random.default_rng(0))
    more = combining.joined(combining.whole(loops), made.beats)
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from seq2drum.data.beats import SIDES, Beats
from seq2drum.lattice.patterns import Velocities
from seq2drum.music.kit import NINE
from seq2drum.music.notes import IntArray

LINES = MappingProxyType(
    {
        "kick": ("kick",),
        "snare": ("snare", "low tom", "mid tom", "high tom"),
        "hats": ("closed hat", "open hat", "ride", "crash"),
    }
)
"""What a loop is taken apart into: a line has one loop's hits of these voices."""

_ONE_TEMPO = 0.03  # a difference of tempo, as a share, that two loops of one tempo may have
_TRIES = 4  # draws for each loop that is wanted
_VOICES = {line: NINE.voices_named(names) for line, names in LINES.items()}


class Combined(NamedTuple):
    """What was made: the bars of new loops, all on the train side; how many loops were tried, and were copies."""

    beats: Beats
    tried: int
    copies: int

    @property
    def loops(self) -> int:
        """How many new loops there are."""
        return len(self.beats.names)


def combined(beats: Beats, count: int, rng: np.random.Generator) -> Combined:
    """Make at most so many loops of those of the train side that are no fills."""
    rows = np.flatnonzero((beats.side == SIDES.index("train")) & ~beats.fill)
    loops = [beats.select(rows[beats.performance[rows] == one]) for one in np.unique(beats.performance[rows])]
    having = {line: _having(loops, voices) for line, voices in _VOICES.items()}
    known = {_hits(loop.velocity) for loop in loops}
    made: list[Beats] = []
    tried = copies = 0
    while loops and tried < _TRIES * count and len(made) < count:
        tried += 1
        first = loops[int(rng.integers(len(loops)))]
        lines = {line: _fitting(first, loops, having[line], rng) for line in LINES}
        velocity = _put_together(lines)
        hits = _hits(velocity)
        if hits in known:
            copies += 1
            continue
        known.add(hits)
        made.append(_loop(first, velocity, f"combined/{len(made) + 1}"))
    none = beats.select(np.zeros(0, dtype=np.int64))._replace(names=())
    return Combined(joined(none, *made), tried, copies)


def whole(beats: Beats) -> Beats:
    """The bars of those loops that have more than one line: the others are there to be combined."""
    lines = np.stack([(beats.velocity[:, :, voices] > 0).any(axis=(1, 2)) for voices in _VOICES.values()], axis=1)
    having = np.zeros((len(beats.names), len(LINES)), dtype=bool)
    np.logical_or.at(having, beats.performance, lines)
    return beats.select(having.sum(axis=1)[beats.performance] > 1)


def joined(*many: Beats) -> Beats:
    """The bars of several as those of one."""
    before = np.cumsum([0, *(len(one.names) for one in many)]).tolist()
    moved = [one._replace(performance=one.performance + by) for one, by in zip(many, before, strict=False)]
    columns: Any = [np.concatenate(column) for column in zip(*(one[:-1] for one in moved), strict=True)]
    names: Any = tuple(name for one in many for name in one.names)
    return Beats(*columns, names)  # type: ignore[call-arg]


def _having(loops: Sequence[Beats], voices: Sequence[int]) -> IntArray:
    """Which loops have a line."""
    return np.flatnonzero([(loop.velocity[:, :, voices] > 0).any() for loop in loops])


def _fitting(first: Beats, loops: Sequence[Beats], having: IntArray, rng: np.random.Generator) -> Beats | None:
    """A loop with a line that goes with the first one; None if none has that line."""
    fit = [
        index
        for index in having.tolist()
        if abs(loops[index].bpm[0] / first.bpm[0] - 1) <= _ONE_TEMPO and loops[index].genre[0] == first.genre[0]
    ]
    return loops[fit[int(rng.integers(len(fit)))]] if fit else None


def _put_together(lines: dict[str, Beats | None]) -> Velocities:
    """Each line of its own loop, as long as the shortest of them."""
    there = {line: loop.velocity for line, loop in lines.items() if loop is not None}
    bars = min(len(velocity) for velocity in there.values())
    out = np.zeros_like(next(iter(there.values()))[:bars])
    for line, velocity in there.items():
        out[:, :, _VOICES[line]] = velocity[:bars, :, _VOICES[line]]
    return out


def _loop(first: Beats, velocity: Velocities, name: str) -> Beats:
    """Bars as a loop of the tempo and the genre of the first."""
    rows = np.zeros(len(velocity), dtype=np.int64)
    made = first.select(rows)
    return made._replace(velocity=velocity, performance=rows, number=np.arange(len(rows)), names=(name,))


def _hits(velocity: Velocities) -> bytes:
    return np.packbits(velocity > 0).tobytes() + len(velocity).to_bytes(4, "big")
