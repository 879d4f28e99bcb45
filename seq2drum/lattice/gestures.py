"""Gestures of the whole band: the entrance, stops, and the last chord.

All are read off the notes besides the drums, on the lattice. Thresholds were chosen on songs with drums:
notebooks/LOG.md, 2026-11-22.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import LENGTH_UNITS, STEPS_PER_QUARTER, Grid, Lattice, distinct, median, quantile
from seq2drum.music.notes import IntArray, Song

LONGEST_STOP = 2.0  # bars; drummers play through a longer silence
RARE = 1 / 16  # most stops a bar that are events; more of them are the riff
STRONG = 3  # notes of a chord before a stop, unless it is louder than most
FEW = 0.5  # largest share of the usual strokes that an ending has
USUAL = 0.5  # share of bars with notes that begin as late as the first, from which that is not a pickup
LONG = 1.5  # ratio to nearly all gaps between strokes, from which a gap is an ending
_SWUNG, _STRAIGHT = 4, 3  # steps of a quarter on which its second eighth falls


class Entrance(NamedTuple):
    """The bar in which the first note sounds, the step of the bar, and the bar that the first downbeat begins."""

    bar: int
    place: int
    downbeat: int

    @property
    def is_pickup(self) -> bool:
        """True if notes lead into the first downbeat."""
        return self.downbeat > self.bar


class Stop(NamedTuple):
    """A chord before a silence of all: its step, and the step of the return, the one or a later note."""

    chord: int
    back: int


class LastChord(NamedTuple):
    """The step of the last chord, and whether it rings for a quarter or longer."""

    step: int
    rings: bool


def entrance(notes: Grid, form: Form) -> Entrance | None:
    """The entrance of a song; None if nothing sounds.

    A pickup is a bar shorter than the next, or one whose first quarter is silent, unless most later bars are silent in
    the same place, as under chords on two and four.
    """
    if not len(notes.step):
        return None
    first = notes.step.min(keepdims=True)
    bar, place = int(form.bar_of(first)[0]), int(form.place_of(first)[0])
    is_last, is_late = bar + 1 == len(form.steps), place >= STEPS_PER_QUARTER and not _is_usual(notes, form, bar, place)
    is_pickup = not is_last and (is_late or bool(form.steps[bar] < form.steps[bar + 1]))
    return Entrance(bar, place, bar + is_pickup)


def _is_usual(notes: Grid, form: Form, bar: int, place: int) -> bool:
    """Return whether USUAL of the later bars with notes are silent on the one and begin at a place or after it."""
    begun = distinct(notes.step)
    numbers, at = np.unique(form.bar_of(begun), return_index=True)
    later = numbers > bar
    if not later.any():
        return False
    first = form.first[numbers[later]]
    silent = np.concatenate([[0], np.cumsum(_silent(notes, form))])
    quiet = silent[first + STEPS_PER_QUARTER] - silent[first] >= STEPS_PER_QUARTER / 2
    late = begun[at[later]] - first >= place
    return float(np.mean(late & quiet)) >= USUAL


def stops(notes: Grid, form: Form) -> tuple[Stop, ...]:
    """The stops: half a bar to LONGEST_STOP bars of silence after a strong chord on a beat, if they are RARE."""
    strokes = distinct(notes.step)
    if len(strokes) < 2:
        return ()
    # 1. Silences of half a bar or more, and the stroke before each.
    quiet = np.concatenate([[0], np.cumsum(_silent(notes, form))])
    bar, rest = form.bar_of(strokes[:-1]), quiet[strokes[1:]] - quiet[strokes[:-1]]
    long = 2 * rest >= form.steps[bar]
    if long.sum() > max(RARE * len(form.steps), 1):
        return ()
    # 2. Those no longer than a stop, after a short and strong chord on a beat.
    held = np.diff(strokes) - rest
    short = (rest <= LONGEST_STOP * form.steps[bar]) & (2 * held <= form.steps[bar])
    on_beat = form.place_of(strokes[:-1]) % STEPS_PER_QUARTER == 0
    usual, found = median(notes.velocity), []
    for index in np.flatnonzero(long & short & on_beat).tolist():
        here = notes.step == strokes[index]
        if here.sum() >= STRONG or notes.velocity[here].max() > usual:
            # 3. The return is on the one, if a note follows within a quarter of it.
            back = int(strokes[index + 1])
            late = int(form.place_of(strokes[index + 1 : index + 2])[0])
            found.append(Stop(int(strokes[index]), back - late if late < STEPS_PER_QUARTER else back))
    return tuple(found)


def last_chord(notes: Grid, form: Form) -> LastChord | None:
    """The chord that ends a song; None where the song just goes on to the end, as a loop does."""
    strokes, many = np.unique(form.bar_of(distinct(notes.step)), return_counts=True)
    if not len(strokes):
        return None
    # 1. The strokes of the last bar that has any, and what comes after them up to the barline where nothing sounds.
    bar, usual = int(strokes[-1]), median(many)
    own = distinct(notes.step)[-many[-1] :]
    first, last = int(own[0]), int(own[-1])
    sounding = np.flatnonzero(~_silent(notes, form))
    end = int(form.first[int(form.bar_of(sounding[-1:])[0]) + 1])
    on_one = first - form.first[bar] <= 1
    # 2. One chord on the downbeat; few strokes, on a chord that is held or up to the last; a gap like no other.
    if len(own) == 1 and on_one and end - last >= form.steps[bar] / 2:
        step = last
    elif len(own) <= FEW * usual and end - last >= STEPS_PER_QUARTER:
        is_held = _length(notes, first) >= end - first - STEPS_PER_QUARTER
        step = first if on_one and is_held else last
    else:
        gaps = np.diff(distinct(notes.step))
        longest = quantile(gaps, 0.95) if len(gaps) else 0.0
        if not end - last > max(LONG * longest, STEPS_PER_QUARTER):
            return None
        step = last
    return LastChord(step, _length(notes, step) >= STEPS_PER_QUARTER - 1)


def is_swung(notes: Grid, form: Form) -> bool:
    """Return whether more notes begin on the third triplet of a quarter than half way through it."""
    inside = form.place_of(notes.step) % STEPS_PER_QUARTER
    return int(np.sum(inside == _SWUNG)) > int(np.sum(inside == _STRAIGHT))


def _silent(notes: Grid, form: Form) -> NDArray[np.bool_]:
    """(T,): whether nothing sounds at each step."""
    total = int(form.first[-1])
    change = np.zeros(total + 1, dtype=np.int64)
    stop: IntArray = notes.step + np.maximum(-(-notes.length * STEPS_PER_QUARTER // LENGTH_UNITS), 1)
    np.add.at(change, notes.step, 1)
    np.add.at(change, np.minimum(stop, total), -1)
    silent: NDArray[np.bool_] = np.cumsum(change[:-1]) == 0
    return silent


def _length(notes: Grid, step: int) -> float:
    """Steps of the longest note of a chord."""
    return float(notes.length[notes.step == step].max() * STEPS_PER_QUARTER / LENGTH_UNITS)


STOPS_AFTER = 96
"""Bars of a rest after which a drummer stops as well. In 6,000 real songs the longest between two notes has 92."""


def rests(song: Song, lattice: Lattice) -> NDArray[np.bool_]:
    """(B,): the bars in which nothing but drums sounds."""
    starts = np.array([bar.start for bar in lattice.bars])
    change = np.zeros(len(starts) + 1, dtype=np.int64)
    for part in song.parts:
        if not part.is_drums and len(part):
            end = part.onset + np.maximum(part.duration, 1)  # a note without length sounds as well
            np.add.at(change, np.searchsorted(starts, part.onset, side="right") - 1, 1)
            np.add.at(change, np.searchsorted(starts, end, side="left"), -1)
    silent: NDArray[np.bool_] = np.cumsum(change[:-1]) == 0
    return silent


def stopped(resting: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(B,): the bars in which the drummer has stopped: a rest after its first STOPS_AFTER bars, and the last rest."""
    numbers = np.arange(len(resting))
    sounding = np.flatnonzero(~resting)
    since = numbers - np.maximum.accumulate(np.where(resting, -1, numbers))
    still: NDArray[np.bool_] = (since > STOPS_AFTER) | (numbers > sounding.max(initial=-1))
    return still
