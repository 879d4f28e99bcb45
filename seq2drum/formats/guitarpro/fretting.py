"""A part as a guitarist writes it down: the beats of each bar, on strings and frets.

Each quarter of a bar has one grid: sixteenths, triplets or finer, the first that its notes fit, else the better of
the first two. So played notes, which lie off the beat, are written on it. A note that lasts beyond another is tied;
notes beyond the number of strings are left out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from seq2drum.music.notes import Bar, Note, Part

GUITAR, BASS = (64, 59, 55, 50, 45, 40), (43, 38, 33, 28)
_BASSES = range(32, 40)  # programs of General MIDI
_FOURTH, _TONE = 5, 2
_GRIDS = (4, 3, 8, 6)  # parts of a quarter, in order of preference
_CLOSE = Fraction(1, 48)  # largest distance of a note to its grid, in quarters
_FINEST = 8  # parts of a quarter; the length of a bar is a multiple of one
_KINDS: dict[Fraction, tuple[int, bool, bool]] = {
    Fraction(1): (4, False, False), Fraction(3, 4): (8, True, False), Fraction(1, 2): (8, False, False),
    Fraction(3, 8): (16, True, False), Fraction(1, 4): (16, False, False), Fraction(1, 8): (32, False, False),
    Fraction(2, 3): (4, False, True), Fraction(1, 3): (8, False, True), Fraction(1, 6): (16, False, True),
}  # fmt: skip
"""Lengths in quarters: the denominator of the note value, whether it is dotted, and whether it is of a triplet."""


class Fretted(NamedTuple):
    """A note on a string, counted from 1, the highest; for drums the fret is the pitch.

    is_tied: it is already sounding.
    """

    string: int
    fret: int
    velocity: int
    is_tied: bool


class Cell(NamedTuple):
    """Notes struck together, or a rest, with a written length from _KINDS.

    at: quarters from the start of its bar. bpm: the tempo that begins here; None where it stays.
    """

    at: Fraction
    value: int
    is_dotted: bool
    is_triplet: bool
    notes: tuple[Fretted, ...]
    bpm: int | None = None


def tuning(part: Part) -> tuple[int, ...]:
    """The open strings of a part, from the highest: a guitar's or a bass's, tuned down or extended to its notes."""
    strings = BASS if part.program in _BASSES else GUITAR
    lowest = int(part.pitch.min(initial=127))
    if lowest >= strings[-1]:
        return strings
    if lowest >= strings[-1] - _TONE:
        return (*strings[:-1], lowest)
    return (*strings, min(strings[-1] - _FOURTH, lowest))


def length_of(bar: Bar, ticks: int) -> Fraction:
    """The written length of a bar in quarters: a multiple of a 32nd."""
    return Fraction(max(round(Fraction(bar.length * _FINEST, ticks)), 1), _FINEST)


def fretted(part: Part, bars: Sequence[Bar], ticks: int, tempos: Sequence[tuple[int, int]] = ()) -> list[list[Cell]]:
    """The cells of each bar, which fill it without a gap. ticks: of a quarter.

    tempos: (tick, quarters a minute) of changes; each begins a cell on the grid, the last of several there.
    """
    # 1. The grid of each quarter of each bar, and when each note is struck and ends on it.
    grids = _Grids.of(part, bars, ticks)
    struck: dict[tuple[int, Fraction], list[tuple[Note, tuple[int, Fraction]]]] = {}
    edges: set[tuple[int, Fraction]] = set()
    for note in part:
        place = grids.place(note.onset)
        end = max(grids.place(note.onset + note.duration), place)
        struck.setdefault(place, []).append((note, end))
        edges |= {place} if part.is_drums else {place, end}
    changes = {grids.place(tick): bpm for tick, bpm in tempos}
    edges |= changes.keys()
    # 2. The notes that start or continue at each edge, and in each quarter.
    hand = _Hand(tuple(range(6)) if part.is_drums else tuning(part), part.is_drums)
    out = []
    for index in range(len(bars)):
        cells: list[Cell] = []
        for start, stop in grids.quarters(index):
            inside = [at for at in grids.inside(index, start, stop) if (index, at) in edges]
            for at, until in zip([start, *inside], [*inside, stop], strict=True):
                notes = hand.play((index, at), struck.get((index, at), ()))
                first, *more = _written(at, until - at, notes, ties=not part.is_drums)
                cells += [first._replace(bpm=changes.get((index, at))), *more]
        out.append(cells)
    return out


def _written(at: Fraction, length: Fraction, notes: tuple[Fretted, ...], *, ties: bool) -> Iterator[Cell]:
    """Cells for a length that no single value has; after the first they are ties, or rests."""
    while length > 0:
        is_third = length.denominator % 3 == 0
        piece = max(kind for kind in _KINDS if kind <= length and (kind.denominator in (1, 2, 3, 6)) >= is_third)
        yield Cell(at, *_KINDS[piece], notes)
        at, length = at + piece, length - piece
        notes = tuple(note._replace(is_tied=True) for note in notes) if ties else ()


@dataclass
class _Grids:
    """The number of parts of each quarter of each bar."""

    bars: Sequence[Bar]
    lengths: list[Fraction]
    ticks: int
    starts: list[int]
    parts: dict[tuple[int, int], int] = field(default_factory=dict)

    @staticmethod
    def of(part: Part, bars: Sequence[Bar], ticks: int) -> _Grids:
        grids = _Grids(bars, [length_of(bar, ticks) for bar in bars], ticks, [bar.start for bar in bars])
        onsets: dict[tuple[int, int], set[Fraction]] = {}
        for tick in set(part.onset.tolist()):
            index, at = grids._within(tick)
            onsets.setdefault((index, int(at)), set()).add(at % 1)
        for key, places in onsets.items():
            grids.parts[key] = _grid(places, min(grids.lengths[key[0]] - key[1], Fraction(1)))
        return grids

    def quarters(self, index: int) -> Iterator[tuple[Fraction, Fraction]]:
        """The quarters of a bar; the last may be shorter."""
        length, start = self.lengths[index], Fraction(0)
        while start < length:
            yield start, min(start + 1, length)
            start += 1

    def inside(self, index: int, start: Fraction, stop: Fraction) -> list[Fraction]:
        """The places of the grid between the ends of a quarter."""
        count = self.parts.get((index, int(start)), _FINEST)
        return [at for step in range(1, count) if (at := start + Fraction(step, count)) < stop]

    def place(self, tick: int) -> tuple[int, Fraction]:
        """The nearest place of the grid: the bar, and quarters from its start."""
        index, at = self._within(tick)
        count = self.parts.get((index, int(at)), _FINEST)
        near = int(at) + Fraction(round(at % 1 * count), count)
        if near < self.lengths[index]:
            return index, near
        return (index + 1, Fraction(0)) if index + 1 < len(self.bars) else (index, self.lengths[index])

    def _within(self, tick: int) -> tuple[int, Fraction]:
        index = max(bisect_right(self.starts, tick) - 1, 0)
        return index, Fraction(min(tick - self.starts[index], self.bars[index].length), self.ticks)


def _grid(places: set[Fraction], length: Fraction) -> int:
    """The number of parts of a quarter. places: of its notes. length: its length in quarters."""

    def error(count: int) -> Fraction:
        return max((abs(place - Fraction(round(place * count), count)) for place in places), default=Fraction(0))

    fit = [count for count in _GRIDS if (length * count).denominator == 1] or [_FINEST]
    return next((count for count in fit if error(count) <= _CLOSE), min(fit[:2], key=error))


@dataclass
class _Hand:
    """The notes that sound on each string while a part is played."""

    strings: tuple[int, ...]
    is_drums: bool
    sounding: dict[int, tuple[int, int, tuple[int, Fraction]]] = field(default_factory=dict)

    def play(
        self, now: tuple[int, Fraction], struck: Sequence[tuple[Note, tuple[int, Fraction]]]
    ) -> tuple[Fretted, ...]:
        """The notes of a cell by string: new ones, and those that continue."""
        self.sounding = {} if self.is_drums else {s: held for s, held in self.sounding.items() if held[2] > now}
        fresh: set[int] = set()
        for note, end in sorted(struck, key=lambda one: -one[0].pitch):
            string = self._string(note.pitch, fresh)
            if string is not None:
                fresh.add(string)
                self.sounding[string] = note.pitch, note.velocity, end
        return tuple(
            Fretted(string + 1, pitch if self.is_drums else pitch - self.strings[string], velocity, string not in fresh)
            for string, (pitch, velocity, _) in sorted(self.sounding.items())
        )

    def _string(self, pitch: int, taken: set[int]) -> int | None:
        """The string of a note: one that already sounds it, else a free one near its head, else any."""
        can = [s for s, low in enumerate(self.strings) if s not in taken and (self.is_drums or low <= pitch)]
        free = [string for string in can if string not in self.sounding]
        same = [string for string in can if string in self.sounding and self.sounding[string][0] == pitch]
        return next((string for group in (same, free, can) for string in group), None)
