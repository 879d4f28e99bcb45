"""The features of a section for the ranker: its guitar and bass as one row of numbers.

The groove that a section wants follows from what its bars have in common, so a section is the mean and the spread of
its bars, beside the mean of the song. Nothing in a row depends on the key.

Letters of shapes: B bars, T steps of all bars.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seq2drum.lattice.columns import Columns
from seq2drum.lattice.features import BARS, GUITAR, SUMMARY, GuitarGrid, features
from seq2drum.lattice.form import MAX_STEPS, FloatArray, Form
from seq2drum.lattice.grid import LENGTH_UNITS, STEPS_PER_QUARTER, Grid, median
from seq2drum.lattice.sections import Section
from seq2drum.music.notes import IntArray

Metre = tuple[int, int]  # numerator, denominator

_GUITAR = GUITAR.without("pitch_classes")
_BARS = BARS.without("pitch_classes_of_last", "pitch_classes_of_next")
# Features of a step of the bass.
_BASS = Columns(
    played=1,  # whether a note begins
    loudness=1,  # the loudest velocity, 0..1
    sounding=1,  # whether a note sounds
    moves=1,  # whether a note begins with another pitch than the last
)
_STEPS = MAX_STEPS * len(_GUITAR)
_BASS_STEPS = MAX_STEPS * _BASS.size

# Features of a section. The bass comes last, so that it can be hidden as one piece.
SECTION = Columns(
    guitar=_STEPS,  # the mean bar of the section's guitar, step by step
    guitar_spread=_STEPS,  # the standard deviation of the same
    bars=len(_BARS),  # the mean of its bars' features
    song_guitar=_STEPS,  # the mean bar of the song
    song_bars=len(_BARS),
    summary=SUMMARY.size,
    bass=_BASS_STEPS,
    bass_spread=_BASS_STEPS,
    song_bass=_BASS_STEPS,
    has_bass=1,  # whether the song has a bass; without one, its features are 0
)
BASS = SECTION.span("bass", "has_bass")


class Wanting(NamedTuple):
    """A section that needs a groove: the metre of most of its bars, their median tempo, and its row (SECTION.size,)."""

    metre: Metre
    bpm: float
    row: FloatArray


def section_features(guitar_grid: GuitarGrid, sections: Sequence[Section]) -> dict[str, Wanting]:
    """The sections by letter, in the order of their first bars.

    All passages of a letter are one section. Only bars in which the guitar begins a note count, and only those of the
    commonest metre among them.
    """
    # 1. The song's bars as rows.
    known = features(guitar_grid)
    guitar = _by_bar(guitar_grid.form, known.guitar[:, _GUITAR])
    bass = _by_bar(guitar_grid.form, _bass(guitar_grid.bass, int(guitar_grid.form.first[-1])))
    bars = known.bars[:, _BARS]
    sounds = known.bars[:, BARS.at("empty")] == 0
    has_bass = len(guitar_grid.bass.step) > 0
    song: dict[str, ArrayLike] = {
        "song_guitar": _mean(guitar[sounds]),
        "song_bars": _mean(bars[sounds]),
        "summary": known.summary,
        "song_bass": _mean(bass[sounds]),
        "has_bass": float(has_bass),
    }
    # 2. The bars of each letter.
    letters = letters_of(sections, len(bars))
    found = dict[str, Wanting]()
    for letter in dict.fromkeys(section.letter for section in sections):
        chosen = np.flatnonzero((letters == letter) & sounds)
        if not len(chosen):
            continue
        metre, chosen = commonest_metre(guitar_grid.form, chosen)
        own: dict[str, ArrayLike] = {
            "guitar": _mean(guitar[chosen]),
            "guitar_spread": guitar[chosen].std(axis=0),
            "bars": _mean(bars[chosen]),
            "bass": _mean(bass[chosen]),
            "bass_spread": bass[chosen].std(axis=0),
        }
        found[letter] = Wanting(metre, median(guitar_grid.form.bpm[chosen]), SECTION.row({**song, **own}))
    return found


def letters_of(sections: Sequence[Section], bars: int) -> NDArray[np.object_]:
    """(bars,): the letter of each bar's section; "" before the first."""
    letters = np.full(bars, "", dtype=object)
    for section in sections:
        letters[section.bar :] = section.letter
    return letters


def commonest_metre(form: Form, bars: IntArray) -> tuple[Metre, IntArray]:
    """The commonest metre of some bars, and those of them that have it in full length."""
    kinds = list(zip(*(column[bars].tolist() for column in form[:3]), strict=True))
    ((steps, numerator, denominator), _), *_ = Counter(kinds).most_common(1)
    return (numerator, denominator), bars[[kind == (steps, numerator, denominator) for kind in kinds]]


def _by_bar(form: Form, rows: FloatArray) -> FloatArray:
    """(T, ·) -> (B, MAX_STEPS x ·): features of the steps, bar by bar; zero beyond a bar's end."""
    bar, place = form.places
    inside = place < MAX_STEPS
    table = np.zeros((len(form.steps), MAX_STEPS, rows.shape[1]), dtype=np.float32)
    table[bar[inside], place[inside]] = rows[inside]
    return table.reshape(len(table), -1)


def _bass(grid: Grid, steps: int) -> FloatArray:
    """(steps, _BASS.size): the features of each step of the bass."""
    played, loudness, moves = np.zeros(steps), np.zeros(steps), np.zeros(steps)
    played[grid.step] = 1
    np.maximum.at(loudness, grid.step, grid.velocity / 127)
    moves[grid.step[np.diff(grid.key, prepend=-1) != 0]] = 1
    sounding = np.zeros(steps + 1)  # notes that begin at a step, less those that end there
    held = np.maximum(grid.length * STEPS_PER_QUARTER // LENGTH_UNITS, 1)
    np.add.at(sounding, grid.step, 1)
    np.add.at(sounding, np.minimum(grid.step + held, steps), -1)
    values = {"played": played, "loudness": loudness, "sounding": np.cumsum(sounding[:-1]) > 0, "moves": moves}
    return _BASS.table(steps, values)


def _mean(rows: FloatArray) -> FloatArray:
    """The mean of rows; zeros if there are none."""
    mean: FloatArray = rows.mean(axis=0) if len(rows) else np.zeros(rows.shape[1], dtype=np.float32)
    return mean
