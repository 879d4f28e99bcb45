"""The features of a song's guitar that a model reads: arrays by step, by bar and for the whole song.

Letters of shapes: B bars, T steps of all bars, S steps of one bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seq2drum.lattice.columns import Columns
from seq2drum.lattice.form import (
    MAX_STEPS,
    FloatArray,
    Form,
    Marks,
    clock_of,
    form_of,
    lattice_of,
    marks_of,
)
from seq2drum.lattice.grid import LENGTH_UNITS, STEPS_PER_QUARTER, Grid, Lattice, encode
from seq2drum.music import metres, theory
from seq2drum.music.notes import IntArray, Song, merge_parts
from seq2drum.music.shown import Shown
from seq2drum.music.theory import GUITAR_PROGRAMS, bass_parts


@dataclass(frozen=True, eq=False)
class GuitarGrid(Shown):
    """A guitar on the lattice of its song, with all that `features` needs; small enough to keep for thousands of songs.

    programs (9,): notes played by each guitar program (24-31) and by any other. parts: how many parts were merged.
    bass: the notes of the song's bass, if any; of `features`, only the band has it. marks: the bars at which the file
    begins a section, with its name.
    """

    form: Form
    guitar: Grid
    programs: IntArray
    parts: int
    bass: Grid = field(default_factory=lambda: Grid.join([]))
    marks: Marks = ()

    @property
    def sounding(self) -> tuple[int, int]:
        """The bars [first, stop) in which the guitar sounds; (0, 0) if it never does."""
        grid, form = self.guitar, self.form
        if not len(grid.step):
            return 0, 0
        held = np.maximum(grid.length * STEPS_PER_QUARTER // LENGTH_UNITS, 1) - 1
        last = min(int((grid.step + held).max()), int(form.first[-1]) - 1)
        begin, end = form.bar_of(np.array([int(grid.step.min()), last])).tolist()
        return begin, end + 1

    def between(self, first: int, stop: int) -> GuitarGrid:
        """Bars [first, stop) alone."""
        guitar, bass = (self.form.notes_between(grid, first, stop) for grid in (self.guitar, self.bass))
        marks = {max(bar, first) - first: name for bar, name in self.marks if bar < stop}
        return replace(self, form=self.form.between(first, stop), guitar=guitar, bass=bass, marks=tuple(marks.items()))

    def silenced(self) -> GuitarGrid:
        """The same bars without any note."""
        nothing = Grid.join([])
        return replace(self, guitar=nothing, bass=nothing, programs=np.zeros_like(self.programs))


@dataclass(frozen=True)
class SongGrid:
    """Some parts of a song as one guitar: the lattice of the song's bars, and the notes on it."""

    lattice: Lattice
    guitar_grid: GuitarGrid

    @classmethod
    def of(cls, song: Song, parts: Sequence[int], lattice: Lattice | None = None) -> SongGrid:
        """The parts of these numbers on a lattice of the song's: `lattice_of` it by default.

        The bass is every other part that `bass_parts` names.
        """
        lattice = lattice or lattice_of(song)
        chosen = [song.parts[index] for index in parts]
        programs = np.zeros(len(GUITAR_PROGRAMS) + 1, dtype=np.int64)
        for part in chosen:
            known = part.program in GUITAR_PROGRAMS
            programs[part.program - GUITAR_PROGRAMS.start if known else -1] += len(part)
        basses = [song.parts[index] for index in bass_parts(song) if index not in parts]
        guitar, bass = (encode(merge_parts(some), lattice) for some in (chosen, basses))
        marks = marks_of(song.markers, lattice)
        return cls(lattice, GuitarGrid(form_of(song, lattice), guitar, programs, len(chosen), bass, marks))

    @property
    def form(self) -> Form:
        """The bars as arrays."""
        return self.guitar_grid.form

    @property
    def numbers(self) -> IntArray:
        """(B,): the number of each bar in the song, from 1; the pieces of a long bar share one number."""
        return np.array([bar.index + 1 for bar in self.lattice.bars])


COMPARED = (1, 2, 4, 8)  # distances in bars at which bars of guitar are compared
PARTS = 8  # parts of a bar in which onsets are counted, to compare neighbours
SUMMED_PLACES = 24  # places of a bar at which the summary counts onsets: a bar of 4/4
_LENGTHS = 8  # classes of note lengths: a 24th of a quarter and its doublings
_REGISTERS = 8  # classes of pitch, of eight semitones from the low B of a bass on
_VOICES = 6  # classes of how many notes begin together

# Features of a step of the guitar. Pitches are centred on a guitar's range.
GUITAR = Columns(
    onsets=1,  # notes that begin, up to 6, times 0.3
    loudness=1,  # the loudest velocity, 0..1
    sounding=1,  # whether a note sounds
    lowest=1,  # the lowest pitch that begins, 0 if none does
    highest=1,
    played=1,  # whether a note begins
    pitch_classes=12,  # whether a note of each class begins
    chord_change=1,  # whether a quarter with another root begins
    length=1,  # the mean length of the notes that begin, in half notes
)
# Features of a bar of the guitar.
BARS = Columns(
    length=1,  # in whole notes
    steps=1,  # in bars of 4/4
    groups=1,  # accent groups of the metre, in fours
    compound=1,  # whether the metre goes in threes
    unit=3,  # of the metre: quarters, eighths, sixteenths
    place_in_song=8,  # the number of the bar, modulo eight
    place_in_guitar=8,  # the same, counted from the guitar's entry
    eights=4,  # eights of bars since the entry, modulo four
    tempo=1,  # octaves above 120 quarters a minute
    since_entry=1,  # bars since the guitar's entry, as a logarithm
    until_end=1,  # bars up to its end, likewise
    rhythm_before=len(COMPARED),  # similarity of the onsets to the bars COMPARED back
    rhythm_after=1,  # and to the next bar
    harmony_before=len(COMPARED),  # the same of pitch classes
    harmony_after=1,
    onsets=1,  # steps with onsets, in eights
    empty=1,  # whether it has none
    ended=1,  # whether the guitar's end is past
    onsets_of_last=PARTS,  # of the bar before: onsets in each part of it, in threes
    pitch_classes_of_last=12,  # and the share of each pitch class
    onsets_of_next=PARTS,
    pitch_classes_of_next=12,
)
NEIGHBOURS = BARS.span("onsets_of_last", "pitch_classes_of_next")  # features of the bars beside one
# Features of the guitar's whole part.
SUMMARY = Columns(
    programs=len(GUITAR_PROGRAMS) + 1,  # shares of each guitar program, and of all others
    places=SUMMED_PLACES,  # how often there is an onset at each place of the bar
    notes_at_once=1,  # notes of a stroke, in threes
    lowest=1,  # means over the steps with onsets
    highest=1,
    tempo=1,  # 0 for 120 quarters a minute
    strokes=1,  # a bar, in eights
    loudness=1,
    loudness_spread=1,
    length=1,
    length_spread=1,
    off_place=1,  # mean distance of notes from their places
    late=1,  # mean lateness against their places
    parts=1,  # of the file, in threes
    active=1,  # share of bars with onsets
    chord_changes=1,  # a bar, in twos
    rhythm_before=len(COMPARED),  # means over the bars
    harmony_before=len(COMPARED),
    harmony=12,  # how often each pitch class is in a chord, counted from its root
    together=_VOICES,  # shares of strokes of so many notes
    lengths=_LENGTHS,  # shares of notes
    accents=SUMMED_PLACES,  # loudness of each place of the bar
    registers=_REGISTERS,
    subdivision=STEPS_PER_QUARTER,  # shares of the notes at each place of the quarter
    lean=STEPS_PER_QUARTER,  # mean lateness at each of these places
)


# Features of a step of the band: what else sounds in the song. A kick plays with the bass.
BAND = Columns(
    played=1,  # whether a note of the bass begins
    loudness=1,  # its velocity, 0..1
    known=1,  # whether the song has a bass
)


class Features(NamedTuple):
    """The guitar as a model reads it, and the band.

    guitar (T, GUITAR.size): onsets, loudness, register, pitch classes, chord change, length.
    clock (T, CLOCK.size): the step's place in the quarter, the accent group and the bar, and its weight.
    bars (B, BARS.size): metre, tempo, place in the phrase and the song, similarity to other bars, the bars beside it.
    summary (SUMMARY.size,): the whole part: programs, rhythm, accents, register, harmony, density, repetition.
    band (T, BAND.size): the bass; zeros without one.
    """

    guitar: FloatArray
    clock: FloatArray
    bars: FloatArray
    summary: FloatArray
    band: FloatArray


@lru_cache(maxsize=1)
def features(guitar_grid: GuitarGrid) -> Features:
    """The features of one song. They are cached, because choosing a groove and playing on it both read them."""
    form, grid = guitar_grid.form, guitar_grid.guitar
    _, place = form.places
    quarter = np.cumsum(place % STEPS_PER_QUARTER == 0) - 1  # of each step; a bar begins with a quarter
    mask = np.zeros(int(quarter[-1]) + 1 if len(quarter) else 0, dtype=np.int64)
    np.bitwise_or.at(mask, quarter[grid.step], 1 << (grid.key % 12))
    sounding = np.flatnonzero(mask)
    chords = _Chords(sounding, mask[sounding], theory.chord_roots(mask[sounding]))
    guitar = _guitar(grid, quarter, chords)
    rhythm, chroma = by_bar(form, grid)
    bars = _bars(form, rhythm, chroma)
    known = Features(
        guitar, clock_of(form), bars, _summary(guitar_grid, guitar, bars, rhythm, chords), _band(guitar_grid)
    )
    for table in known:
        table.setflags(write=False)
    return known


def _band(guitar_grid: GuitarGrid) -> FloatArray:
    """(T, BAND.size): the features of each step of the band."""
    bass, steps = guitar_grid.bass, int(guitar_grid.form.first[-1])
    loudness = np.zeros(steps, dtype=np.float32)
    np.maximum.at(loudness, bass.step, bass.velocity / 127)
    known = np.full(steps, len(bass.step) > 0)
    return BAND.table(steps, {"played": loudness > 0, "loudness": loudness, "known": known})


class _Chords(NamedTuple):
    """The chords by quarter: a chord is everything that begins in its quarter.

    The quarters (K,) in which notes begin, the set of pitch classes of each as twelve bits, and its root 0..11.
    """

    quarter: IntArray
    mask: IntArray
    root: IntArray


def _guitar(grid: Grid, quarter: IntArray, chords: _Chords) -> FloatArray:
    """(T, GUITAR.size): the features of each step. quarter (T,): the quarter of each step."""
    steps = len(quarter)
    at, pitch = grid.step, grid.key
    count = np.bincount(at, minlength=steps)
    played = count > 0
    loudness, pitch_classes = np.zeros(steps, dtype=np.float32), np.zeros((steps, 12))
    np.maximum.at(loudness, at, grid.velocity / 127)
    pitch_classes[at, pitch % 12] = 1
    begun = np.zeros(steps + 1)  # notes that begin at a step, less those that end there
    np.add.at(begun, at, 1)
    np.add.at(begun, np.minimum(at + np.maximum(grid.length // 4, 1), steps), -1)
    low, high = np.full(steps, 128), np.full(steps, -1)
    np.minimum.at(low, at, pitch)
    np.maximum.at(high, at, pitch)
    changed = np.zeros(int(quarter[-1]) + 1 if steps else 0, dtype=bool)  # quarters whose chord has another root
    changed[chords.quarter] = np.concatenate([[True], np.diff(chords.root) != 0])[: len(chords.quarter)]
    first = np.concatenate([[True], np.diff(quarter) > 0])[:steps]  # steps that begin a quarter
    length = np.bincount(at, weights=np.minimum(grid.length, 96), minlength=steps)
    return GUITAR.table(
        steps,
        {
            "onsets": np.minimum(count, 6) * 0.3,
            "loudness": loudness,
            "sounding": np.cumsum(begun[:-1]) > 0,
            "lowest": np.where(played, (low - 50) / 15, 0),
            "highest": np.where(played, (high - 60) / 15, 0),
            "played": played,
            "pitch_classes": pitch_classes,
            "chord_change": first & changed[quarter],
            "length": length / np.maximum(count, 1) / 48,
        },
    )


def by_bar(form: Form, grid: Grid) -> tuple[FloatArray, FloatArray]:
    """(B, 48) onsets at each place of each bar, and (B, 12) how often each pitch class begins."""
    bar = form.bar_of(grid.step)
    place = np.minimum(form.place_of(grid.step), MAX_STEPS - 1)
    rhythm = np.zeros((len(form.steps), MAX_STEPS), dtype=np.float32)
    rhythm[bar, place] = 1
    chroma = np.zeros((len(form.steps), 12), dtype=np.float32)
    np.add.at(chroma, (bar, grid.key % 12), 1)
    return rhythm, chroma


def _likeness(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(B, len(COMPARED)) and (B,): cosine of each row with those before it, and with the next; 1 for two empty ones."""
    ones = unit(rows)
    before, after = np.zeros((len(rows), len(COMPARED)), dtype=np.float32), np.zeros(len(rows), dtype=np.float32)
    for column, back in enumerate(COMPARED):
        before[back:, column] = np.sum(ones[back:] * ones[:-back], axis=1)
    after[:-1] = np.sum(ones[:-1] * ones[1:], axis=1)
    return before, after


def unit(rows: FloatArray) -> FloatArray:
    """(B, ·) -> (B, · + 1): rows of length 1, whose products are cosines.

    A column for empty bars makes the cosine of two of them 1, and of one and any other bar 0.
    """
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.concatenate([rows / np.maximum(norm, 1e-9), norm == 0], axis=1)


def _bars(form: Form, rhythm: FloatArray, chroma: FloatArray) -> FloatArray:
    """(B, BARS.size): the features of each bar. rhythm, chroma: see `by_bar`."""
    count, onsets = len(form.steps), rhythm.sum(axis=1)
    index = np.arange(count)
    active = np.flatnonzero(onsets)
    begin, end = (active[0], active[-1]) if len(active) else (0, count - 1)
    kinds = zip(form.numerator.tolist(), form.denominator.tolist(), strict=True)
    rhythm_before, rhythm_after = _likeness(rhythm)
    harmony_before, harmony_after = _likeness(chroma)
    parts, shares = _in_parts(form, rhythm) / 3, chroma / np.maximum(chroma.sum(axis=1, keepdims=True), 1)
    return BARS.table(
        count,
        {
            "length": form.quarters / 4,
            "steps": form.steps / 24,
            "groups": np.array([len(metres.groups(*kind)) for kind in kinds]) / 4,
            "compound": (form.denominator >= 8) & (form.numerator % 3 == 0),
            "unit": np.stack([form.denominator == 4, form.denominator == 8, form.denominator >= 16], axis=1),
            "place_in_song": np.eye(8)[index % 8],
            "place_in_guitar": np.eye(8)[(index - begin) % 8],
            "eights": np.eye(4)[(index - begin) // 8 % 4],
            "tempo": np.log2(form.bpm / 120),
            "since_entry": np.log1p(np.maximum(index - begin, 0)) / 4,
            "until_end": np.log1p(np.maximum(end - index, 0)) / 4,
            "rhythm_before": rhythm_before,
            "rhythm_after": rhythm_after,
            "harmony_before": harmony_before,
            "harmony_after": harmony_after,
            "onsets": onsets / 8,
            "empty": onsets == 0,
            "ended": index > end,
            "onsets_of_last": _later(parts, 1),
            "pitch_classes_of_last": _later(shares, 1),
            "onsets_of_next": _later(parts, -1),
            "pitch_classes_of_next": _later(shares, -1),
        },
    )


def _in_parts(form: Form, rhythm: FloatArray) -> FloatArray:
    """(B, PARTS): the steps with onsets in each part of each bar."""
    place = np.arange(rhythm.shape[1])
    part = np.minimum(place * PARTS // form.steps[:, None], PARTS - 1)
    counts = np.zeros((len(rhythm), PARTS), dtype=np.float32)
    np.add.at(counts, (np.arange(len(rhythm))[:, None], part), rhythm)
    return counts


def _later(rows: NDArray[Any], by: int) -> NDArray[Any]:
    """The same rows one later (`by` 1) or one earlier (-1); the row left over is zero."""
    moved = np.roll(rows, by, axis=0)
    moved[0 if by > 0 else -1] = 0
    return moved


def _summary(
    guitar_grid: GuitarGrid, guitar: FloatArray, bars: FloatArray, rhythm: FloatArray, chords: _Chords
) -> FloatArray:
    """(SUMMARY.size,): the features of the whole part."""
    grid = guitar_grid.guitar
    played = guitar[:, GUITAR.at("played")] > 0
    lowest, highest, length = (guitar[played, GUITAR.at(name)] for name in ("lowest", "highest", "length"))
    active: NDArray[np.bool_] = rhythm.max(axis=1) > 0
    sounding = max(active.sum(), 1)

    def mean(values: NDArray[Any]) -> float:
        return float(np.mean(values)) if len(values) else 0.0

    def spread(values: NDArray[Any]) -> float:
        return float(np.std(values)) if len(values) else 0.0

    def of_bars(table: FloatArray, columns: Sequence[int]) -> ArrayLike:
        return table[active][:, columns].mean(axis=0) if active.any() else np.zeros(len(columns))

    return SUMMARY.row(
        {
            "programs": guitar_grid.programs / max(guitar_grid.programs.sum(), 1),
            "places": rhythm[active][:, :SUMMED_PLACES].mean(axis=0) if active.any() else np.zeros(SUMMED_PLACES),
            "notes_at_once": len(grid.step) / max(played.sum(), 1) / 3,
            "lowest": mean(lowest),
            "highest": mean(highest),
            "tempo": mean(guitar_grid.form.bpm) / 120 - 1,
            "strokes": played.sum() / sounding / 8,
            "loudness": mean(grid.velocity) / 127,
            "loudness_spread": spread(grid.velocity) / 40,
            "length": mean(length),
            "length_spread": spread(length),
            "off_place": mean(np.abs(grid.offset)) / 127,
            "late": mean(grid.offset) / 127,
            "parts": min(guitar_grid.parts, 6) / 3,
            "active": mean(active),
            "chord_changes": guitar[:, GUITAR.at("chord_change")].sum() / sounding / 2,
            "rhythm_before": of_bars(bars, BARS.pick("rhythm_before")),
            "harmony_before": of_bars(bars, BARS.pick("harmony_before")),
            **_character(guitar_grid, chords),
        }
    )


def _character(guitar_grid: GuitarGrid, chords: _Chords) -> dict[str, NDArray[np.float64]]:
    """The character of a guitar part: harmony relative to the root, polyphony, lengths, accents, register, swing.

    Seventh chords occur mostly in styles that swing, open fifths in rock: the harmony says more of the style than the
    rhythm does.
    """
    grid, form = guitar_grid.guitar, guitar_grid.form
    turned = (chords.mask[:, None] >> ((chords.root[:, None] + np.arange(12)) % 12)) & 1
    _, together = np.unique(grid.step, return_counts=True)
    place = form.place_of(grid.step)
    loud = np.bincount(np.minimum(place, SUMMED_PLACES - 1), weights=grid.velocity / 127, minlength=SUMMED_PLACES)
    inside = place % STEPS_PER_QUARTER
    late = np.bincount(inside, weights=grid.offset / 127, minlength=STEPS_PER_QUARTER)
    return {
        "harmony": turned.mean(axis=0) if len(turned) else np.zeros(12),
        "together": _shares(together - 1, _VOICES),
        "lengths": _shares(np.log2(np.maximum(grid.length, 1)).astype(np.int64), _LENGTHS),
        "accents": loud / max(float(loud.sum()), 1e-9),
        "registers": _shares((grid.key - 23) // 8, _REGISTERS),
        "subdivision": _shares(inside, STEPS_PER_QUARTER),
        "lean": late / np.maximum(np.bincount(inside, minlength=STEPS_PER_QUARTER), 1),
    }


def _shares(index: IntArray, classes: int) -> NDArray[np.float64]:
    """(classes,): the share of the values in each class; values beyond the last class count in it."""
    counts = np.bincount(np.clip(index, 0, classes - 1), minlength=classes)
    return counts / max(len(index), 1)
