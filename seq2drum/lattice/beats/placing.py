"""A performance and its beats become a `Song` whose tempo map follows it; tick 0 is the performance's 0:00."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.beats import tracking
from seq2drum.lattice.beats.performance import Beats, FloatArray, Performance
from seq2drum.lattice.grid import distinct, median
from seq2drum.music.notes import IntArray, Metre, Part, Song, Tempo

TICKS_PER_QUARTER = 960
_SOFTEST, _LOUDEST = 30, 127  # velocities of strength 0 and 1


class Placement:
    """The map from seconds to ticks.

    Bar 1 holds all that precedes the first downbeat, rounded to whole sixteenths, so that every program shows the bars
    in the same places; its tempo makes up for the rounding. A lead under half a sixteenth joins the first beat.
    """

    def __init__(self, beats: Beats, seconds: float, ticks_per_quarter: int = TICKS_PER_QUARTER) -> None:
        """Lay out the knots of the tempo map. seconds: how long the performance lasts."""
        self._ticks = ticks_per_quarter
        before = -float(beats.place(np.zeros(1))[0])  # quarters from 0:00 to the first downbeat
        self.lead = Fraction(max(round(4 * before), 0), 4)
        inner = beats.seconds[(beats.seconds > 0) & (beats.seconds < seconds)]
        times = np.unique(np.concatenate([[0.0], inner, [beats.downbeat] if self.lead else [], [seconds]]))
        places = beats.place(times)
        lead = float(self.lead)
        places = np.where(places < 0, (places + before) * (lead / before if self.lead else 0.0), places + lead)
        places[0] = 0.0
        ticks = np.rint(places * ticks_per_quarter).astype(np.int64)
        apart = np.concatenate([[True], np.diff(ticks) > 0])
        self._knots: tuple[FloatArray, IntArray] = times[apart], ticks[apart]

    def ticks(self, seconds: FloatArray) -> IntArray:
        """The tick of each time; times after the last knot go on at its tempo."""
        times, ticks = self._knots
        slope = (ticks[-1] - ticks[-2]) / (times[-1] - times[-2])
        beyond = np.maximum(seconds - times[-1], 0) * slope
        placed: IntArray = np.rint(np.interp(seconds, times, ticks) + beyond).astype(np.int64)
        return placed

    @property
    def tempos(self) -> tuple[Tempo, ...]:
        """The tempo from knot to knot, each rounded so that the next knot is exact to a microsecond."""
        times, ticks = self._knots
        tempos, elapsed = list[Tempo](), 0.0
        for begin, stop, until in zip(ticks[:-1].tolist(), ticks[1:].tolist(), times[1:].tolist(), strict=True):
            quarters = (stop - begin) / self._ticks
            tempo = Tempo(begin, max(round((until - elapsed) / quarters * 1e6), 1))
            elapsed += tempo.microseconds * quarters / 1e6
            if not tempos or tempos[-1].microseconds != tempo.microseconds:
                tempos.append(tempo)
        return tuple(tempos)

    def metres(self, metre: tuple[int, int]) -> tuple[Metre, ...]:
        """The metres; the first covers the part of the lead beyond whole bars."""
        bar = Fraction(4 * metre[0], metre[1])
        rest = self.lead % bar
        if not rest:
            return (Metre(0, *metre),)
        short = rest / 4  # in whole notes
        denominator = max(short.denominator, 4)
        first = Metre(0, short.numerator * denominator // short.denominator, denominator)
        return first, Metre(int(rest * self._ticks), *metre)


def placed(performance: Performance, beats: Beats, *, program: int = 27, name: str = "Guitar") -> Song:
    """The song of a performance: its notes in one part, a tempo for each beat, and its metre.

    A note that is struck again before it ends is cut there.
    """
    placement = Placement(beats, performance.seconds)
    onset, end = placement.ticks(performance.onset), placement.ticks(performance.end)
    velocity = np.rint(_SOFTEST + (_LOUDEST - _SOFTEST) * np.clip(performance.strength, 0, 1)).astype(np.int64)
    rows = np.stack([onset, np.maximum(end - onset, 1), performance.pitch, velocity], axis=1)
    rows = rows[np.lexsort((rows[:, 0], rows[:, 2]))]
    again = (rows[1:, 2] == rows[:-1, 2]) & (rows[1:, 0] < rows[:-1, 0] + rows[:-1, 1])
    rows[:-1, 1] = np.where(again, rows[1:, 0] - rows[:-1, 0], rows[:-1, 1])
    part = Part.of(rows[rows[:, 1] > 0], program=program, name=name)
    length = int(placement.ticks(np.array([performance.seconds]))[0])
    return Song(TICKS_PER_QUARTER, (part,), placement.tempos, placement.metres(beats.metre), length)


# --- a song that was played without a click ---------------------------------------------------------------------------

LEAST_FIT = -0.1
"""The mean logarithm of the likelihood of a strike below which a file was not played to its grid.

Of 2,435 songs of bands and of jazz 3.3 % are below it; of examples whose time was warped 98 %.
"""

LEAST_STRIKES, LEAST_SHARE = 16, 0.2
"""The fewest strikes, and the least share of them off the grid, for a verdict on the grid."""

_WINDOW = 4.0  # quarters of a window, which is binary or ternary
_LONG_WINDOW = 8.0  # quarters of a window whose likelihoods are compared
_OFF = 0.05  # quarters from which a strike counts as off the grid


class Missed(NamedTuple):
    """The number of strikes off the grid, of all strikes, and their median error in seconds.

    fit: how well all strikes fit the beats of the file, by their lateness in seconds; see LEAST_FIT.
    """

    misses: int
    strikes: int
    by: float
    fit: float

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.misses / max(self.strikes, 1)

    @property
    def is_free(self) -> bool:
        """True if the file was recorded without a click."""
        return self.fit < LEAST_FIT and self.strikes >= LEAST_STRIKES and self.share >= LEAST_SHARE


def performed(song: Song, parts: Sequence[int]) -> Performance:
    """The given parts as they sound, in seconds."""
    rows = np.concatenate([song.parts[index].rows for index in parts])
    onset = _seconds(song, rows[:, 0])
    end = _seconds(song, rows[:, 0] + rows[:, 1])
    return Performance.of(onset, end, rows[:, 2], rows[:, 3] / 127, max(_seconds(song, np.array([song.end]))[0], 0.01))


def followed(song: Song, beats: Beats) -> Song:
    """The same song on other beats: tempos and metres are theirs, and every note keeps its second."""
    placement = Placement(beats, max(_seconds(song, np.array([song.end]))[0], 0.01))

    def moved(ticks: IntArray) -> IntArray:
        return placement.ticks(_seconds(song, ticks))

    parts = []
    for part in song.parts:
        onset, end = moved(part.onset), moved(part.onset + part.duration)
        rows = np.stack([onset, np.maximum(end - onset, 1), part.pitch, part.velocity], axis=1)
        fresh = Part.of(rows, program=part.program, name=part.name, is_drums=part.is_drums, is_xg=part.is_xg)
        pedal = np.stack([moved(part.pedal[:, 0]), part.pedal[:, 1]], axis=1)
        parts.append(replace(fresh, pedal=pedal))
    markers = tuple(marker._replace(tick=int(moved(np.array([marker.tick]))[0])) for marker in song.markers)
    length = int(moved(np.array([song.end]))[0])
    metres = placement.metres(beats.metre)
    return Song(TICKS_PER_QUARTER, tuple(parts), placement.tempos, metres, length, markers)


def missed(song: Song, parts: Sequence[int]) -> Missed:
    """The strikes of some parts that are off their file's grid, sixteenths or triplets window by window."""
    # 1. In quarters, with each window on its nearer grid.
    rows = np.concatenate([song.parts[index].rows for index in parts])
    ticks = distinct(rows[:, 0])
    quarters = ticks / song.ticks_per_quarter
    off = np.zeros(len(quarters))
    for here in _windows(quarters, _WINDOW):
        grids = [np.abs(quarters[here] * steps - np.rint(quarters[here] * steps)) / steps for steps in (4, 3)]
        off[here] = min(grids, key=lambda grid: float(grid.mean()))
    miss = off > _OFF
    starts, lengths = np.array(song.tempo_map, dtype=np.float64).T
    periods = lengths[np.searchsorted(starts, ticks, side="right") - 1] / 1e6
    by = median((off * periods)[miss]) if miss.any() else 0.0
    # 2. In seconds, with each window's better likelihood of binary and ternary.
    feels = (tracking.STRAIGHT, tracking.TRIPLETS)
    likely = np.stack([tracking.likelihood(quarters % 1, periods, feel) for feel in feels])
    fit = sum(float(likely[:, here].sum(axis=1).max()) for here in _windows(quarters, _LONG_WINDOW))
    return Missed(int(miss.sum()), len(quarters), by, fit / max(len(quarters), 1))


def _windows(quarters: FloatArray, length: float) -> Iterator[NDArray[np.bool_]]:
    """The indices of the places in each nonempty window of so many quarters."""
    windows = quarters // length
    for window in distinct(windows):
        yield windows == window


def _seconds(song: Song, ticks: IntArray) -> FloatArray:
    """`Song.seconds` for an array of ticks."""
    seconds: FloatArray = song.elapsed(ticks) / song.ticks_per_quarter / 1e6
    return seconds
