"""Sections: the bars where the guitar begins something else or returns to an earlier passage.

Every bar of guitar is a point; similar bars are near each other. A section begins where the bars on each side of a
barline are more similar among themselves than across it, in content or in which other bars they repeat. Only the
guitar is read, not the drums.

Letters of shapes: B bars, K numbers that describe a bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.features import BARS, COMPARED, Features, GuitarGrid, by_bar, unit
from seq2drum.lattice.form import MAX_STEPS, FloatArray
from seq2drum.lattice.grid import LENGTH_UNITS, Grid
from seq2drum.music.notes import IntArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

START = "start"  # in place of a letter: the passage before the first section named by the file
SHORTEST = 4  # bars of the shortest section
SILENCE = 2  # bars of silence that always end a section
KERNELS = (4, 8)  # bars compared on each side of a barline
NEW = 0.12  # novelty from which a barline gains as a boundary
PERIOD = {0: 0.06, 4: 0.03}  # bonus of a boundary by its distance in bars from the last one, modulo eight
REPEATS = 0.4  # weight of the repeats of other bars, beside the bars' content
FARTHEST = 48  # bars before and after that are searched for repeats
REPEATED = 0.9  # similarity from which a bar repeats another, the more the nearer to 1
SAME = 0.88  # similarity from which two sections share a letter
OPENING = 8  # first bars of two sections, compared one by one

# Weights in the similarity of two bars. Tuned on songs with drums: notebooks/LOG.md, 2026-11-21.
WEIGHTS = {"onsets": 2.0, "harmony": 2.0, "register": 1.0, "voices": 2.5, "lengths": 1.0, "density": 1.5}


class Section(NamedTuple):
    """A passage of the guitar: its first bar, counted from 0, and its letter, shared by similar passages.

    Where the file names its sections, the name replaces the letter: "verse".
    """

    bar: int
    letter: str


def sections(guitar_grid: GuitarGrid) -> tuple[Section, ...]:
    """The passages of the guitar, in the order of their bars, lettered A, B, ... by first appearance.

    Where the file's markers name sections, these are they. Else the first begins where the guitar does. All begin in a
    bar with an onset, and are SHORTEST bars or longer, unless the guitar plays less than that. Two consecutive ones
    have different letters, or else SILENCE bars of silence between them. The time is linear in the bars, apart from a
    little for the letters.
    """
    if guitar_grid.marks:
        return _marked(guitar_grid)
    points, sounds = points_of(guitar_grid)
    return _lettered(points, sounds, _boundaries(sounds, novelty(points, sounds)))


def _marked(guitar_grid: GuitarGrid) -> tuple[Section, ...]:
    """The sections that the file names. A short lead before them joins the first; a longer one is START."""
    named = [Section(bar, name) for bar, name in guitar_grid.marks]
    first, stop = guitar_grid.sounding
    if stop and first < named[0].bar:
        if named[0].bar - first < SHORTEST:
            named[0] = named[0]._replace(bar=first)
        else:
            named.insert(0, Section(first, START))
    return tuple(named)


def spans_of(passages: Sequence[Section], bars: int) -> list[tuple[int, int, str]]:
    """The bars [first, stop) and the letter of each passage. bars: how many the song has."""
    stops = [passage.bar for passage in passages[1:]] + [bars]
    # Without passages there is still one stop.
    return [(passage.bar, stop, passage.letter) for passage, stop in zip(passages, stops, strict=False)]


def bars_of(passages: Sequence[Section], bars: int) -> dict[str, list[int]]:
    """The bars of each letter, in the order of first appearance. bars: how many the song has."""
    found: dict[str, list[int]] = {}
    for first, stop, letter in spans_of(passages, bars):
        found.setdefault(letter, []).extend(range(first, stop))
    return found


# --- bars as points ---------------------------------------------------------------------------------------------------


def points_of(guitar_grid: GuitarGrid) -> tuple[FloatArray, Bools]:
    """(B, K): each bar as a point; (B,): whether a note begins there. Where none does, all numbers are 0.

    The product of two points is the similarity of the bars, 0 to 1: the mean, weighted by WEIGHTS, of the cosines of
    onset places, pitch classes, pitches, polyphony, lengths and notes a quarter.
    """
    form, grid = guitar_grid.form, guitar_grid.guitar
    count = len(form.steps)
    bar = form.bar_of(grid.step)
    stroke, first, together = np.unique(grid.step, return_index=True, return_counts=True)
    own = bar[first]  # the bar of each stroke
    strokes = np.bincount(own, minlength=count)
    tables = {
        "onsets": _spread(count, MAX_STEPS, own, form.place_of(stroke)),
        "harmony": _spread(count, 12, bar, grid.key % 12),
        "register": _spread(count, 24, bar, (grid.key - 20) / 4),
        "voices": _spread(count, 6, own, together - 1),
        "lengths": _spread(count, 10, bar, np.log2(np.maximum(grid.length, 1) / LENGTH_UNITS) + 4),
        "density": _spread(count, 12, np.arange(count), 2 * np.log2(np.maximum(strokes / form.quarters, 1 / 8)) + 6),
    }
    total = sum(WEIGHTS.values())
    parts = [np.sqrt(WEIGHTS[name] / total) * _unit(np.sqrt(table)) for name, table in tables.items()]
    sounds = strokes > 0
    points: FloatArray = (np.concatenate(parts, axis=1) * sounds[:, None]).astype(np.float32)
    return points, sounds


def _spread(bars: int, classes: int, bar: IntArray, where: IntArray | Floats) -> Floats:
    """(bars, classes): the count of each class in each bar; a value between two classes counts for both in part."""
    inside = np.clip(np.asarray(where, dtype=np.float64), 0, classes - 1)
    low = np.floor(inside).astype(np.int64)
    share = inside - low
    high = np.minimum(low + 1, classes - 1)
    flat = np.zeros(bars * classes)
    for column, weights in ((low, 1 - share), (high, share)):
        flat += np.bincount(bar * classes + column, weights=weights, minlength=len(flat))
    return flat.reshape(bars, classes)


def _unit(rows: Floats | FloatArray) -> FloatArray:
    """Rows of length 1, except all-zero ones."""
    units: FloatArray = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return units


def _repeats(points: FloatArray) -> FloatArray:
    """(B, 2 FARTHEST): how much each bar repeats those 1, 2, ... bars before and after it; rows of length 1 at most.

    Where a song goes from one part to another, the distance of its repeats changes, even if all else stays (J. Serrà et
    al., Unsupervised music structure annotation by time series structure features and segment similarity, 2014).
    """
    repeats = np.zeros((len(points), 2 * FARTHEST), dtype=np.float32)
    for lag in range(1, min(FARTHEST, len(points) - 1) + 1):
        alike = np.sum(points[lag:] * points[:-lag], axis=1)
        repeats[lag:, lag - 1] = repeats[:-lag, FARTHEST + lag - 1] = np.clip((alike - REPEATED) / (1 - REPEATED), 0, 1)
    rows: FloatArray = repeats / np.maximum(np.linalg.norm(repeats, axis=1, keepdims=True), 1)
    return rows


# --- boundaries -------------------------------------------------------------------------------------------------------


def novelty(points: FloatArray, sounds: Bools) -> FloatArray:
    """(B,): the novelty at each barline, in the bars' content and in their repeats."""
    repeats = _repeats(points)
    score: FloatArray = np.mean(
        [_checkerboard(points, sounds, size) + REPEATS * _checkerboard(repeats, sounds, size) for size in KERNELS],
        axis=0,
    )
    return score


def _checkerboard(points: FloatArray, sounds: Bools, kernel: int) -> FloatArray:
    """(B,): similarity within the bars on each side of a barline minus similarity across it.

    A checkerboard kernel moved along the diagonal of a similarity matrix (J. Foote, Automatic audio segmentation using
    a measure of audio novelty, 2000). Similarity is a product here, so that sums over pairs of bars are products of
    sums. Silent bars are left out; the fewer are left, the lower the novelty.
    """
    summed = np.concatenate([np.zeros((1, points.shape[1])), np.cumsum(points, axis=0, dtype=np.float64)])
    square = np.concatenate([[0], np.cumsum(np.sum(points**2, axis=1), dtype=np.float64)])
    number = np.concatenate([[0], np.cumsum(sounds)])
    here = np.arange(len(points))

    def side(start: IntArray, stop: IntArray) -> tuple[Floats, IntArray, Floats]:
        """The sum of some bars, the number that sound, and the mean similarity of two different ones."""
        total, size = summed[stop] - summed[start], number[stop] - number[start]
        pairs = np.sum(total**2, axis=1) - (square[stop] - square[start])
        return total, size, pairs / np.maximum(size * (size - 1), 1)

    left, lefts, before = side(np.maximum(here - kernel, 0), here)
    right, rights, after = side(here, np.minimum(here + kernel, len(points)))
    across = np.sum(left * right, axis=1) / np.maximum(lefts * rights, 1)
    least = np.minimum(lefts, rights)
    score: FloatArray = np.where(least >= 2, ((before + after) / 2 - across) * least / kernel, 0).astype(np.float32)
    return score


def _rested(sounds: Bools) -> Bools:
    """(B,): whether the guitar comes in after at least SILENCE bars of silence."""
    silent = np.concatenate([[0], np.cumsum(~sounds)])
    enters = np.zeros(len(sounds), dtype=bool)
    enters[SILENCE:] = sounds[SILENCE:] & (silent[SILENCE:-1] - silent[: -SILENCE - 1] == SILENCE)
    return enters


def _boundaries(sounds: Bools, score: FloatArray) -> list[int]:
    """The first bars of the sections: the best-scoring choice that keeps the shortest distance.

    The score sums each boundary's novelty beyond NEW and the bonus of its distance. Dynamic programming keeps the best
    path to each bar, one for each position in eight bars.
    """
    active = np.flatnonzero(sounds)
    if not len(active):
        return []
    start, end = int(active[0]), int(active[-1]) + 1
    gain = np.where(_rested(sounds), 1.0, score - NEW)
    best = [(-np.inf, start)] * 8  # of the bars at each place in eight, SHORTEST or more back
    worth, way = {start: 0.0}, dict[int, int]()
    for bar in range(start + SHORTEST, end - SHORTEST + 1):
        back = bar - SHORTEST
        if back in worth:
            best[back % 8] = max(best[back % 8], (worth[back], back))
        if sounds[bar] and gain[bar] + max(PERIOD.values()) > 0:
            so_far, way[bar] = max((best[at][0] + PERIOD.get((bar - at) % 8, 0.0), best[at][1]) for at in range(8))
            worth[bar] = so_far + float(gain[bar])
    begins = [max(worth, key=worth.__getitem__)]
    while begins[-1] in way:
        begins.append(way[begins[-1]])
    return begins[::-1]


# --- letters ----------------------------------------------------------------------------------------------------------


def _lettered(points: FloatArray, sounds: Bools, begins: list[int]) -> tuple[Section, ...]:
    """The letter of each passage: that of the most similar earlier one, if similar by SAME, else a new one.

    The similarity of two is the mean of that of their sums and that of their first OPENING bars one by one, not
    counting bars in which neither sounds.
    """
    if not begins:
        return ()
    end, rested = int(np.flatnonzero(sounds)[-1]) + 1, _rested(sounds)
    size = points.shape[1]
    wholes, openings = np.zeros((len(begins), size), np.float32), np.zeros((len(begins), OPENING * size), np.float32)
    there, plays = (np.zeros((len(begins), OPENING), dtype=bool) for _ in range(2))
    known = 0
    passages: list[Section] = []
    for first, stop in zip(begins, [*begins[1:], end], strict=True):
        whole = _unit(points[first:stop].sum(axis=0)[None])[0]
        opening = slice(first, min(first + OPENING, stop))
        flat, inside, played = np.zeros(OPENING * size, np.float32), np.zeros(OPENING, bool), np.zeros(OPENING, bool)
        flat[: points[opening].size] = points[opening].ravel()
        inside[: stop - first], played[: stop - first] = True, sounds[opening]
        bars = np.sum((plays[:known] | played) & there[:known] & inside, axis=1)
        alike = (wholes[:known] @ whole + openings[:known] @ flat / np.maximum(bars, 1)) / 2
        which = int(np.argmax(alike)) if known else 0
        if not known or alike[which] < SAME:
            which = known
            wholes[which], openings[which], there[which], plays[which] = whole, flat, inside, played
            known += 1
        letter = _letter(which)
        if not passages or passages[-1].letter != letter or rested[first]:
            passages.append(Section(first, letter))
    return tuple(passages)


def _letter(number: int) -> str:
    """A to Z, then AA, AB and so on."""
    return (_letter(number // 26 - 1) if number >= 26 else "") + chr(ord("A") + number % 26)


CONTEXT = 4  # last bars heard, compared with earlier ones
FADING = 0.7  # weight of each of them, relative to the bar after it
FARTHEST_BACK = 64  # bars back that are searched for a model of the next bar
NOWHERE = -1  # in place of a bar: none is similar
_UNKNOWN_END = np.log1p(32) / 4  # of "until_end", while the number of bars left is unknown
_FUTURE = BARS.pick("rhythm_after", "harmony_after", "onsets_of_next", "pitch_classes_of_next", "ended")


def traits(rhythm: FloatArray, chroma: FloatArray) -> FloatArray:
    """(B, ·): bars as rows whose product is their similarity, 0 to 2. rhythm, chroma: see `features.by_bar`."""
    rows: FloatArray = np.concatenate([unit(rhythm), unit(chroma)], axis=1)
    return rows


def source(rows: FloatArray, steps: IntArray, bar: int, last: FloatArray | None = None) -> int:
    """The earlier bar that a bar is expected to repeat; NOWHERE if none is as long.

    rows: `traits` of at least the bars before it. steps: the length of these and its own. last: `traits` of each bar up
    to the step at which the bar just before it was cut off, if it was not heard as a whole.
    """
    most = min(FARTHEST_BACK, bar)
    if not most:
        return NOWHERE
    score = np.zeros(most)  # of going on as one, two ... bars back
    for back in range(1, CONTEXT + 1):
        lags = min(most, bar - back)
        if lags > 0:
            compared = rows if last is None or back > 1 else last
            alike = compared[bar - back - lags : bar - back] @ compared[bar - back]
            score[:lags] += FADING ** (back - 1) * alike[::-1]
    score[steps[bar - most : bar][::-1] != steps[bar]] = -1
    best = int(np.argmax(score))
    return bar - 1 - best if score[best] >= 0 else NOWHERE


def sources(guitar_grid: GuitarGrid) -> IntArray:
    """(B,): the bar that each bar is expected to repeat, see `source`."""
    steps, rows = guitar_grid.form.steps, traits(*by_bar(guitar_grid.form, guitar_grid.guitar))
    return np.array([source(rows, steps, bar) for bar in range(len(steps))], dtype=np.int64)


def gone_on(guitar_grid: GuitarGrid, step: int) -> GuitarGrid:
    """A guitar heard up to a step, continued as expected to the end of its last bar.

    The step lies in the last bar but one, or begins the last one.
    """
    form, grid = guitar_grid.form, guitar_grid.guitar.select(guitar_grid.guitar.step < step)
    bar = len(form.steps) - 1
    rows, last = traits(*by_bar(form, grid)), None
    rest = range(step, int(form.first[bar]))
    if rest:
        early = grid.select(form.place_of(grid.step) < step - int(form.first[bar - 1]))
        last = traits(*by_bar(form, early))
    like = source(rows, form.steps, bar, last)
    if like == NOWHERE:
        return replace(guitar_grid, guitar=grid)
    back = int(form.first[bar] - form.first[like])
    for begin, end in ((step, int(form.first[bar])), (int(form.first[bar]), int(form.first[bar + 1]))):
        coming = grid.between(max(begin - back, 0), max(end - back, 0)).shift(max(begin, back))
        grid = Grid.join([grid, coming])
    return replace(guitar_grid, guitar=grid)


def expected_bars(guitar_grid: GuitarGrid, known: Features, sources: IntArray) -> FloatArray:
    """(B, BARS.size): the features of each bar known before it is played. sources: the bar each should repeat."""
    bars, there = without_future(known.bars), (sources >= 0)[:, None]
    columns: dict[str, FloatArray] = {}
    for name, true in zip(("rhythm", "harmony"), by_bar(guitar_grid.form, guitar_grid.guitar), strict=True):
        own = np.where(there, true[sources], 0).astype(np.float32)
        if name == "rhythm":
            count = own.sum(axis=1)
            columns |= {"onsets": count / 8, "empty": (count == 0).astype(np.float32)}
        alike, before = np.zeros((len(bars), len(COMPARED)), dtype=np.float32), unit(true)
        for column, back in enumerate(COMPARED):
            alike[back:, column] = np.sum(unit(own)[back:] * before[:-back], axis=1)
        columns[f"{name}_before"] = alike
    for name, values in columns.items():
        bars[:, BARS[name]] = values.reshape(len(bars), -1)
    return bars


def without_future(bars: FloatArray) -> FloatArray:
    """Features of bars (..., BARS.size) without those of the bars after each."""
    bars = bars.copy()
    bars[..., _FUTURE] = 0
    bars[..., BARS.at("until_end")] = _UNKNOWN_END
    return bars
