"""Aligned pairs: guitar and drums of the same whole bars.

A pair ends before the bar that would bring either side over the note limit. Each bar outside all pairs is counted
under a reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seq2drum.lattice.form import written_lattice
from seq2drum.lattice.grid import Lattice
from seq2drum.music.notes import Bar, IntArray, Part, Song
from seq2drum.music.shown import Shown

MAX_NOTES = 150  # notes a side of a pair
MAX_BARS = 8  # bars of a pair: a phrase; sparse music would otherwise make pairs of a minute


@dataclass(frozen=True)
class Phrase(Shown):
    """The notes of one side over whole consecutive bars. Onsets are ticks of the song, not of the phrase."""

    bars: tuple[Bar, ...]
    ticks_per_quarter: int
    part: Part

    @property
    def lattice(self) -> Lattice:
        """The places of the phrase's bars."""
        return Lattice(self.bars, self.ticks_per_quarter)


@dataclass(frozen=True)
class Pair(Shown):
    """A guitar phrase and the drum phrase of the same bars."""

    guitar: Phrase
    drums: Phrase


@dataclass(frozen=True)
class Cut(Shown):
    """Consecutive bar ranges (first, stop), and the number of bars outside them, by reason."""

    ranges: tuple[tuple[int, int], ...]
    left_out: Counter[str]


def spans(
    counts: Sequence[Sequence[int]], *, max_notes: int = MAX_NOTES, max_bars: int = MAX_BARS, start: int = 0
) -> list[tuple[int, int]]:
    """Bars from `start` on divided into ranges [first, stop), each as long as no side exceeds `max_notes` notes.

    `counts` has each side's notes bar by bar. A bar over the limit is a separate range.
    """
    ranges: list[tuple[int, int]] = []
    first, held = start, [0] * len(counts)
    for bar in range(start, len(counts[0])):
        notes = [side[bar] for side in counts]
        full = any(have + new > max_notes for have, new in zip(held, notes, strict=True))
        if bar > first and (full or bar - first == max_bars):
            ranges.append((first, bar))
            first, held = bar, [0] * len(counts)
        held = [have + new for have, new in zip(held, notes, strict=True)]
    if first < len(counts[0]):
        ranges.append((first, len(counts[0])))
    return ranges


def cut_bars(
    guitar_notes: Sequence[int],
    drum_notes: Sequence[int],
    *,
    max_notes: int = MAX_NOTES,
    max_bars: int = MAX_BARS,
    start: int = 0,
) -> Cut:
    """Ranges of at most `max_notes` notes a side and `max_bars` bars, from bar `start` on.

    The arguments are note counts bar by bar. A bar that breaks the limit alone is left out, and so is a range with a
    silent side.
    """
    ranges: list[tuple[int, int]] = []
    left_out: Counter[str] = Counter()
    if start:
        left_out["before the first pair"] += start
    for first, stop in spans([guitar_notes, drum_notes], max_notes=max_notes, max_bars=max_bars, start=start):
        here = slice(first, stop)
        if max(sum(guitar_notes[here]), sum(drum_notes[here])) > max_notes:
            left_out["bar over the note limit"] += stop - first
        elif not any(guitar_notes[here]):
            left_out["no guitar in the phrase"] += stop - first
        elif not any(drum_notes[here]):
            left_out["no drums in the phrase"] += stop - first
        else:
            ranges.append((first, stop))
    return Cut(tuple(ranges), left_out)


def bar_of_notes(part: Part, lattice: Lattice) -> IntArray:
    """(notes,): the bar of each note, that of its nearest place: an early downbeat belongs to its own bar."""
    return lattice.bar_of[lattice.nearest(part.onset)[0]]


def pairs(
    song: Song, guitar: Part, drums: Part, *, max_notes: int = MAX_NOTES, start: int = 0
) -> tuple[list[Pair], Cut]:
    """The aligned pairs of a song, and an account of the bars outside all pairs."""
    lattice = written_lattice(song)
    sides = [(part, bar_of_notes(part, lattice)) for part in (guitar, drums)]
    counts = [np.bincount(bars, minlength=len(lattice.bars)).tolist() for _, bars in sides]
    cut = cut_bars(*counts, max_notes=max_notes, start=start)
    return list(_pairs_of(song, sides, cut.ranges)), cut


def _pairs_of(song: Song, sides: Sequence[tuple[Part, IntArray]], ranges: Sequence[tuple[int, int]]) -> Iterator[Pair]:
    for first, stop in ranges:
        phrases = []
        for part, bars in sides:
            rows = part.rows[(bars >= first) & (bars < stop)]
            inside = Part.of(rows, program=part.program, name=part.name, is_drums=part.is_drums)
            phrases.append(Phrase(song.bars()[first:stop], song.ticks_per_quarter, inside))
        yield Pair(*phrases)
