"""What a model hears: a song's guitar as arrays, step by step, bar by bar and as a whole.

Letters of shapes: B bars, T steps of all bars, S steps of one bar.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.form import MAX_STEPS, FloatArray, Form, clock_of, quarters_of
from seq2drum.lattice.grid import STEPS_PER_QUARTER, Grid
from seq2drum.lattice.listening import Heard
from seq2drum.music import metres, theory
from seq2drum.music.notes import IntArray
from seq2drum.music.theory import GUITAR_PROGRAMS

LAGS = (1, 2, 4, 8)  # bars back that a bar of guitar is compared with
GUITAR_SIZE = 20
PLAYED = 5  # of a step's guitar features: whether a note begins
PITCH_CLASSES = slice(6, 18)  # of the same: whether a note of each pitch class begins
PARTS = 8  # parts of a bar in which onsets are counted to compare it with its neighbours
_BAR_OWN = 4 + 3 + 8 + 8 + 4 + 3 + 2 * (len(LAGS) + 1) + 3
BAR_SIZE = _BAR_OWN + 2 * (PARTS + 12)
NEIGHBOURS = slice(_BAR_OWN, BAR_SIZE)  # of a bar's features: what the guitar does in the bar before and after
BAR_PITCH_CLASSES = tuple(slice(at - 12, at) for at in (BAR_SIZE - PARTS - 12, BAR_SIZE))  # of these, what is in a key
_LENGTHS = 8  # classes of note lengths: a 24th of a quarter and its doublings
_REGISTERS = 8  # classes of pitch, of eight semitones from the low B of a bass on
SUMMARY_SIZE = (
    len(GUITAR_PROGRAMS) + 1 + 24 + 14 + 2 * len(LAGS) + 12 + 6 + _LENGTHS + 24 + _REGISTERS + 2 * STEPS_PER_QUARTER
)


class Features(NamedTuple):
    """What a model is given to play to.

    guitar (T, GUITAR_SIZE): onsets, loudness, register, pitch classes, chord change, length.
    clock (T, CLOCK_SIZE): where in the quarter, the accent group and the bar a step lies, and its weight.
    bars (B, BAR_SIZE): metre, tempo, place in the phrase and the song, likeness to other bars, the bars beside it.
    summary (SUMMARY_SIZE,): the whole part: programs, rhythm, accents, register, harmony, density, repetition.
    """

    guitar: FloatArray
    clock: FloatArray
    bars: FloatArray
    summary: FloatArray


def features(heard: Heard) -> Features:
    """All that a model hears of one song."""
    form, grid = heard.form, heard.guitar
    quarter = quarters_of(form)
    chords = _chords(grid, quarter)
    guitar = _guitar_steps(grid, quarter, chords)
    rhythm, chroma = _by_bar(form, grid)
    likeness = np.concatenate([_likeness(rhythm), _likeness(chroma)], axis=1)
    bars = np.concatenate([_bars(form, rhythm.sum(axis=1), likeness), _neighbours(form, rhythm, chroma)], axis=1)
    return Features(guitar, clock_of(form), bars, _summary(heard, guitar, rhythm, likeness, chords))


class _Chords(NamedTuple):
    """The quarters (K,) in which notes begin, the set of pitch classes of each as twelve bits, and its root 0..11."""

    quarter: IntArray
    mask: IntArray
    root: IntArray


def _chords(grid: Grid, quarter: IntArray) -> _Chords:
    """The chord of a quarter is everything that begins in it."""
    mask = np.zeros(int(quarter[-1]) + 1 if len(quarter) else 0, dtype=np.int64)
    np.bitwise_or.at(mask, quarter[grid.step], 1 << (grid.key % 12))
    sounding = np.flatnonzero(mask)
    return _Chords(sounding, mask[sounding], theory.chord_roots(mask[sounding]))


def _guitar_steps(grid: Grid, quarter: IntArray, chords: _Chords) -> FloatArray:
    steps = len(quarter)
    out = np.zeros((steps, GUITAR_SIZE), dtype=np.float32)
    at, pitch = grid.step, grid.key
    count = np.bincount(at, minlength=steps)
    np.maximum.at(out[:, 1], at, grid.velocity / 127)
    change = np.zeros(steps + 1)
    np.add.at(change, at, 1)
    np.add.at(change, np.minimum(at + np.maximum(grid.length // 4, 1), steps), -1)
    low, high = np.full(steps, 128), np.full(steps, -1)
    np.minimum.at(low, at, pitch)
    np.maximum.at(high, at, pitch)
    played = count > 0
    out[:, 0] = np.minimum(count, 6) * 0.3
    out[:, 2] = np.cumsum(change[:-1]) > 0
    out[:, 3] = np.where(played, (low - 50) / 15, 0)
    out[:, 4] = np.where(played, (high - 60) / 15, 0)
    out[:, PLAYED] = played
    out[at, PITCH_CLASSES.start + pitch % 12] = 1
    # A change of root is news for a drummer.
    changed = np.zeros(int(quarter[-1]) + 1 if steps else 0, dtype=bool)
    changed[chords.quarter] = np.concatenate([[True], np.diff(chords.root) != 0])[: len(chords.quarter)]
    first = np.concatenate([[True], np.diff(quarter) > 0])[:steps]
    out[:, 18] = first & changed[quarter]
    length = np.bincount(at, weights=np.minimum(grid.length, 96), minlength=steps)
    out[:, 19] = length / np.maximum(count, 1) / 48
    return out


def _by_bar(form: Form, grid: Grid) -> tuple[FloatArray, FloatArray]:
    """(B, 48) onsets at each place of each bar, and (B, 12) how often each pitch class begins."""
    bar = form.bar_of(grid.step)
    place = np.minimum(grid.step - form.first[bar], MAX_STEPS - 1)
    rhythm = np.zeros((len(form.steps), MAX_STEPS), dtype=np.float32)
    rhythm[bar, place] = 1
    chroma = np.zeros((len(form.steps), 12), dtype=np.float32)
    np.add.at(chroma, (bar, grid.key % 12), 1)
    return rhythm, chroma


def _likeness(rows: FloatArray) -> FloatArray:
    """(B, len(LAGS) + 1): cosine of each row with those LAGS before it and with the next; 1 for two empty ones."""
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    # An empty bar points in a direction of its own, so that it is like another empty bar and unlike all else.
    unit = np.concatenate([rows / np.maximum(norm, 1e-9), norm == 0], axis=1)
    out = np.zeros((len(rows), len(LAGS) + 1), dtype=np.float32)
    for column, lag in enumerate((*LAGS, -1)):
        here, there = (slice(lag, None), slice(None, -lag)) if lag > 0 else (slice(None, lag), slice(-lag, None))
        out[here, column] = np.sum(unit[here] * unit[there], axis=1)
    return out


def _bars(form: Form, onsets: FloatArray, likeness: FloatArray) -> FloatArray:
    count = len(form.steps)
    index = np.arange(count)
    active = np.flatnonzero(onsets)
    begin, end = (active[0], active[-1]) if len(active) else (0, count - 1)
    quarters = form.numerator * 4 / form.denominator
    eight = np.eye(8, dtype=np.float32)
    compound = (form.denominator >= 8) & (form.numerator % 3 == 0)
    groups = np.array(
        [len(metres.groups(*metre)) for metre in zip(form.numerator.tolist(), form.denominator.tolist(), strict=True)]
    )
    columns = [
        np.stack([quarters / 4, form.steps / 24, groups / 4, compound], axis=1),
        np.stack([form.denominator == 4, form.denominator == 8, form.denominator >= 16], axis=1),
        eight[index % 8],
        eight[(index - begin) % 8],
        np.eye(4)[(index - begin) // 8 % 4],
        np.stack(
            [
                np.log2(form.bpm / 120),
                np.log1p(np.maximum(index - begin, 0)) / 4,
                np.log1p(np.maximum(end - index, 0)) / 4,
            ],
            axis=1,
        ),
        likeness,
        np.stack([onsets / 8, onsets == 0, index > end], axis=1),
    ]
    return np.concatenate(columns, axis=1).astype(np.float32)


def _neighbours(form: Form, rhythm: FloatArray, chroma: FloatArray) -> FloatArray:
    """(B, 2 * (PARTS + 12)): where in the bar before and the bar after the guitar plays, and which pitch classes."""
    place = np.arange(rhythm.shape[1])
    part = np.minimum(place * PARTS // form.steps[:, None], PARTS - 1)
    counts = np.zeros((len(rhythm), PARTS), dtype=np.float32)
    np.add.at(counts, (np.arange(len(rhythm))[:, None], part), rhythm)
    told = np.concatenate([counts / 3, chroma / np.maximum(chroma.sum(axis=1, keepdims=True), 1)], axis=1)
    nothing = np.zeros_like(told[:1])
    return np.concatenate([np.concatenate([nothing, told[:-1]]), np.concatenate([told[1:], nothing])], axis=1)


def _shares(index: IntArray, classes: int) -> NDArray[np.float64]:
    """(classes,): how the values are shared out among classes, numbers beyond the last counted as the last."""
    found = np.bincount(np.clip(index, 0, classes - 1), minlength=classes)
    return found / max(len(index), 1)


def _character(heard: Heard, chords: _Chords) -> list[NDArray[np.float64]]:
    """What kind of guitar playing it is: harmony seen from the root, polyphony, lengths, accents, register, swing.

    Seventh chords swing and fifths rock: a drummer who hears the harmony knows more of the style than the rhythm tells.
    """
    grid = heard.guitar
    turned = (chords.mask[:, None] >> ((chords.root[:, None] + np.arange(12)) % 12)) & 1
    harmony = turned.mean(axis=0) if len(turned) else np.zeros(12)
    _, together = np.unique(grid.step, return_counts=True)
    length = np.log2(np.maximum(grid.length, 1)).astype(np.int64)
    form = heard.form
    place = grid.step - form.first[form.bar_of(grid.step)]
    loud = np.bincount(np.minimum(place, 23), weights=grid.velocity / 127, minlength=24)
    inside = place % STEPS_PER_QUARTER
    lean = np.bincount(inside, weights=grid.offset / 127, minlength=STEPS_PER_QUARTER)
    return [
        harmony,
        _shares(together - 1, 6),
        _shares(length, _LENGTHS),
        loud / max(float(loud.sum()), 1e-9),
        _shares((grid.key - 23) // 8, _REGISTERS),
        _shares(inside, STEPS_PER_QUARTER),
        lean / np.maximum(np.bincount(inside, minlength=STEPS_PER_QUARTER), 1),
    ]


def _summary(heard: Heard, guitar: FloatArray, rhythm: FloatArray, likeness: FloatArray, chords: _Chords) -> FloatArray:
    grid = heard.guitar
    played = guitar[:, PLAYED] > 0
    active: NDArray[np.bool_] = rhythm.max(axis=1) > 0
    place = rhythm[active][:, :24].mean(axis=0) if active.any() else np.zeros(24)

    def mean(values: NDArray[Any], default: float = 0.0) -> float:
        return float(np.mean(values)) if len(values) else default

    numbers = [
        len(grid.step) / max(played.sum(), 1) / 3,
        mean(guitar[played, 3]),
        mean(guitar[played, 4]),
        mean(heard.form.bpm) / 120 - 1,
        played.sum() / max(active.sum(), 1) / 8,
        mean(grid.velocity) / 127,
        float(np.std(grid.velocity)) / 40 if len(grid.step) else 0.0,
        mean(guitar[played, 19]),
        float(np.std(guitar[played, 19])) if played.any() else 0.0,
        mean(np.abs(grid.offset)) / 127,
        mean(grid.offset) / 127,
        min(heard.parts, 6) / 3,
        mean(active),
        guitar[:, 18].sum() / max(active.sum(), 1) / 2,
    ]
    columns = [heard.programs / max(heard.programs.sum(), 1), place, np.array(numbers)]
    lags = np.arange(2 * (len(LAGS) + 1)).reshape(2, -1)[:, : len(LAGS)].ravel()
    columns.append(likeness[active][:, lags].mean(axis=0) if active.any() else np.zeros(len(lags)))
    columns += _character(heard, chords)
    return np.concatenate(columns).astype(np.float32)
