"""Figures of a guitar that name a style to any drummer: a skank, a gallop, leaning sixteenths, chords with a seventh.

Songs with drums are too few to teach the rarer styles, and a ranker that knows no pitches cannot hear a chord. The
figures are those of 4/4. How often drummers play the style of each is in `notebooks/LOG.md`, 2026-11-25.

Letters of shapes: B bars, n strokes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.grid import LENGTH_UNITS, PLACES, STEPS_PER_QUARTER
from seq2drum.lattice.grooves.section_features import letters_of
from seq2drum.lattice.sections import Section
from seq2drum.music.notes import IntArray

Bools = NDArray[np.bool_]
Numbers = NDArray[np.float64]

BEATS = 4
HEAD, FIRST_TRIPLET, EIGHTH, TRIPLET = (PLACES.tolist().index(twelfth) for twelfth in (0, 4, 6, 8))
SIXTEENTHS = tuple(PLACES.tolist().index(twelfth) for twelfth in (3, 9))
SHORT = 0.55  # quarters up to which a stroke is short
CHORD = 2  # notes of a chord, at least
SEVENTH = 4  # pitch classes of a chord with a seventh
LOW = 52  # the highest pitch of a palm-muted riff: E3
MOSTLY = 0.7  # share of the strokes that are short in a bar of short strokes


class Strokes(NamedTuple):
    """The strokes of a guitar in bars of 4/4, by bar, beat and step of the beat, all (B, 4, STEPS_PER_QUARTER).

    notes: how many begin there. classes: of how many pitch classes. length: of the longest, in quarters. lowest: the
    lowest pitch, 0 without a note. bpm (B,).
    """

    notes: IntArray
    classes: IntArray
    length: Numbers
    lowest: IntArray
    bpm: Numbers

    @property
    def struck(self) -> Bools:
        """The steps with a stroke."""
        return self.notes > 0

    def is_between(self, slowest: float, fastest: float) -> Bools:
        """(B,): whether the tempo is within a range."""
        return (slowest <= self.bpm) & (self.bpm <= fastest)

    @classmethod
    def of(cls, guitar_grid: GuitarGrid, bars: IntArray) -> Strokes:
        """Return the strokes in some bars, all of 4/4."""
        form, grid = guitar_grid.form, guitar_grid.guitar
        width = BEATS * STEPS_PER_QUARTER
        row = np.full(len(form.steps), -1)
        row[bars] = np.arange(len(bars))
        row = row[form.bar_of(grid.step)]
        inside = row >= 0
        at = row[inside] * width + form.place_of(grid.step)[inside]
        shape = len(bars), BEATS, STEPS_PER_QUARTER
        length, lowest = np.zeros(len(bars) * width), np.full(len(bars) * width, 127)
        np.maximum.at(length, at, grid.length[inside] / LENGTH_UNITS)
        np.minimum.at(lowest, at, grid.key[inside])
        notes = np.bincount(at, minlength=len(length)).reshape(shape)
        is_class = np.zeros((len(length), 12), dtype=np.bool_)
        is_class[at, grid.key[inside] % 12] = True
        classes, length, lowest = is_class.sum(axis=1).reshape(shape), length.reshape(shape), lowest.reshape(shape)
        return cls(notes, classes, length, np.where(notes > 0, lowest, 0), form.bpm[bars].astype(np.float64))


def skank(strokes: Strokes) -> Bools:
    """Short chords on 2 and 4, or on the second eighths, none of them swung, and beside them single notes at most.

    At a faster tempo than that of reggae both are of other styles, too.
    """
    struck, count = strokes.struck, strokes.struck.sum(axis=(1, 2))
    chords = struck & (strokes.notes >= CHORD) & (strokes.length <= SHORT)
    heads = struck[:, :, HEAD].sum(axis=1)
    eighths = chords[:, :, EIGHTH].sum(axis=1)
    on_back = chords[:, 1, HEAD] & chords[:, 3, HEAD] & (count - 2 <= chords[:, [1, 3], EIGHTH].sum(axis=1))
    off_beat = (eighths >= BEATS - 1) & (count - eighths <= 2) & (heads <= 2)
    off_beat &= ~(strokes.notes[:, :, HEAD] >= CHORD).any(axis=1)
    found: Bools = (on_back & strokes.is_between(58, 98)) | (off_beat & strokes.is_between(58, 110))
    return found


def gallop(strokes: Strokes) -> Bools:
    """An eighth and two sixteenths, or the other way round, low, on three beats or more, at a tempo of metal."""
    head, first, eighth, last = (strokes.struck[:, :, at] for at in (HEAD, SIXTEENTHS[0], EIGHTH, SIXTEENTHS[1]))
    beats, reverse = head & eighth & last & ~first, head & eighth & first & ~last
    is_low = (strokes.lowest <= LOW).all(axis=(1, 2))
    gallops = np.maximum(beats.sum(axis=1), reverse.sum(axis=1)) >= BEATS - 1
    found: Bools = gallops & is_low & strokes.is_between(115, 220)
    return found


def leaning_sixteenths(strokes: Strokes) -> Bools:
    """Short strokes, two or more on sixteenths with nothing on the eighth after them, at a tempo of funk."""
    struck = strokes.struck
    short = struck & (strokes.length <= SHORT)
    following = np.stack([struck[:, :, EIGHTH], np.roll(struck[:, :, HEAD], -1, axis=1)], axis=2)
    leans = (short[:, :, list(SIXTEENTHS)] & ~following).sum(axis=(1, 2)) >= 2
    count = struck.sum(axis=(1, 2))
    is_short = short.sum(axis=(1, 2)) >= MOSTLY * count
    found: Bools = leans & is_short & (count <= 3 * BEATS) & strokes.is_between(78, 118)
    return found


def swung_sevenths(strokes: Strokes) -> Bools:
    """Chords with a seventh, off the beat in triplets alone, or on all four beats, at a tempo of swing."""
    struck, count = strokes.struck, strokes.struck.sum(axis=(1, 2))
    is_rich = (strokes.classes >= SEVENTH).sum(axis=(1, 2)) >= 0.5 * np.maximum(count, 1)
    straight = struck[:, :, [EIGHTH, SIXTEENTHS[0]]].any(axis=(1, 2))
    swings = struck[:, :, TRIPLET].any(axis=1) | (struck[:, :, HEAD].all(axis=1) & (count == BEATS))
    found: Bools = is_rich & swings & ~straight & strokes.is_between(112, 300)
    return found


def leaning_sevenths(strokes: Strokes) -> Bools:
    """Straight chords with a seventh, two or more off the beat, over low notes on 1 and 3, at a tempo of bossa nova."""
    struck, count = strokes.struck, (strokes.notes >= CHORD).sum(axis=(1, 2))
    is_rich = (strokes.classes >= SEVENTH).sum(axis=(1, 2)) >= 0.5 * np.maximum(count, 1)
    leans = (strokes.notes[:, :, EIGHTH] >= CHORD).sum(axis=1) >= 2
    others = struck[:, :, [*SIXTEENTHS, FIRST_TRIPLET, TRIPLET]].any(axis=(1, 2))
    thumb = (strokes.notes[:, [0, 2], HEAD] == 1).all(axis=1)
    found: Bools = is_rich & leans & thumb & ~others & strokes.is_between(104, 180)
    return found


class Figure(NamedTuple):
    """A figure: the style that it names, the nats that its grooves gain, and the test of bars (Strokes -> (B,))."""

    style: str
    nats: float
    is_in: Callable[[Strokes], Bools]


FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        "skank": Figure("reggae", 6.0, skank),
        "gallop": Figure("metal", 2.0, gallop),
        "leaning sixteenths": Figure("funk", 1.5, leaning_sixteenths),
        "leaning sevenths": Figure("latin", 2.0, leaning_sevenths),
        "swung sevenths": Figure("jazz", 2.5, swung_sevenths),
    }
)
ENOUGH = 0.6  # share of the bars from which a figure counts fully
BESIDE_BASS = 0.6  # how much a figure counts where a bass says more


def figures_of(guitar_grid: GuitarGrid, sections: Sequence[Section]) -> dict[str, dict[str, float]]:
    """Return how much of each section, by its letter, each figure of `FIGURES` is heard in, 0..1, where it is."""
    form = guitar_grid.form
    letters = letters_of(sections, len(form.steps))
    sounds = np.bincount(form.bar_of(guitar_grid.guitar.step), minlength=len(form.steps)) > 0
    of_four = (form.numerator == BEATS) & (form.denominator == 4) & (form.steps == BEATS * STEPS_PER_QUARTER)
    # A bass in triplets makes a slow ballad of what would be a skank, and one on every beat a polka.
    has_bass = len(guitar_grid.bass.step) > 0
    bass = np.bincount(guitar_grid.bass.step % STEPS_PER_QUARTER, minlength=STEPS_PER_QUARTER)
    other_bass = bass[[FIRST_TRIPLET, TRIPLET]].any() or bass[EIGHTH] + bass[list(SIXTEENTHS)].sum() < bass[HEAD] / 3
    found = dict[str, dict[str, float]]()
    for letter in dict.fromkeys(section.letter for section in sections):
        bars = np.flatnonzero((letters == letter) & sounds & of_four)
        if not len(bars):
            continue
        strokes = Strokes.of(guitar_grid, bars)
        shares = {name: float(figure.is_in(strokes).mean()) for name, figure in FIGURES.items()}
        if has_bass and other_bass:
            shares["skank"] = 0.0
        whole = BESIDE_BASS if has_bass else 1.0
        found[letter] = {name: whole * min(share / ENOUGH, 1.0) for name, share in shares.items() if share > 0}
    return found
