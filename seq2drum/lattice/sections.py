"""Where the guitar begins something else, and where it comes back to what it played before.

Every bar of guitar is a point, and bars that sound alike are near each other. A section begins where the bars on each
side of a barline are more alike among themselves than across it, in what they are or in which other bars they repeat.
Only the guitar is looked at, not the drums.

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

START = "start"  # in place of a letter: what is played before the first section that the file names
SHORTEST = 4  # bars from one section's beginning to the next
SILENCE = 2  # bars of silence, after which a section begins in any case
KERNELS = (4, 8)  # bars on either side of a barline that are compared
NEW = 0.12  # novelty from which a barline is worth to be a boundary
PERIOD = {0: 0.06, 4: 0.03}  # what a boundary gains by coming so many bars after the one before, modulo eight
REPEATS = 0.4  # how much it counts that other bars are repeated, beside what the bars are
FARTHEST = 48  # bars before and after, in which repeats are looked for
REPEATED = 0.9  # likeness of two bars from which one repeats the other, the more the nearer to 1
SAME = 0.88  # likeness of two sections that share a letter
OPENING = 8  # first bars of two sections that are compared one by one

# How much each counts in how alike two bars are. Tuned on songs with drums: notebooks/LOG.md, 2026-11-21.
WEIGHTS = {"onsets": 2.0, "harmony": 2.0, "register": 1.0, "voices": 2.5, "lengths": 1.0, "density": 1.5}


class Section(NamedTuple):
    """A passage of the guitar: its first bar, counted from 0, and its letter, which passages that are alike share.

    Where the file names its sections, the name stands in place of the letter: "verse".
    """

    bar: int
    letter: str


def sections(guitar_grid: GuitarGrid) -> tuple[Section, ...]:
    """The passages of the guitar, in the order of their bars, lettered A, B, ... as they first come.

    Where the file's markers name sections, these are they. Else the first begins where the guitar does. All begin in a
    bar with an onset, and are SHORTEST bars or longer, unless
    the guitar plays less than that. Two that follow each other have different letters, or else SILENCE bars of silence
    between them. The time it takes is in proportion to the bars, and a little of it to the letters.
    """
    if guitar_grid.marks:
        return _marked(guitar_grid)
    points, sounds = points_of(guitar_grid)
    return _lettered(points, sounds, _boundaries(sounds, novelty(points, sounds)))


def _marked(guitar_grid: GuitarGrid) -> tuple[Section, ...]:
    """The sections that the file names. What the guitar plays before them is of the first if it is short, or START."""
    named = [Section(bar, name) for bar, name in guitar_grid.marks]
    first, stop = guitar_grid.sounding
    if stop and first < named[0].bar:
        if named[0].bar - first < SHORTEST:
            named[0] = named[0]._replace(bar=first)
        else:
            named.insert(0, Section(first, START))
    return tuple(named)


def bars_of(passages: Sequence[Section], bars: int) -> dict[str, list[int]]:
    """The bars of each letter, the letters in the order in which they first come. bars: how many the song has."""
    ends = [passage.bar for passage in passages[1:]] + [bars]
    found: dict[str, list[int]] = {}
    for passage, end in zip(passages, ends, strict=False):  # of no passage there is an end
        found.setdefault(passage.letter, []).extend(range(passage.bar, end))
    return found


# --- bars as points ---------------------------------------------------------------------------------------------------


def points_of(guitar_grid: GuitarGrid) -> tuple[FloatArray, Bools]:
    """(B, K): each bar as a point; (B,): whether a note begins there. Where none does, all numbers are 0.

    The product of two points is how alike the bars are, 0 to 1: the mean, weighted by WEIGHTS, of the cosines of where
    notes begin, which pitch classes, how high, how many at once, how long and how many a quarter.
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
    """(bars, classes): how many there are of each class in each bar; what lies between two counts for both in part."""
    inside = np.clip(np.asarray(where, dtype=np.float64), 0, classes - 1)
    low = np.floor(inside).astype(np.int64)
    share = inside - low
    high = np.minimum(low + 1, classes - 1)
    flat = np.zeros(bars * classes)
    for column, weights in ((low, 1 - share), (high, share)):
        flat += np.bincount(bar * classes + column, weights=weights, minlength=len(flat))
    return flat.reshape(bars, classes)


def _unit(rows: Floats | FloatArray) -> FloatArray:
    """Rows of length 1, but for those that are all zeros."""
    units: FloatArray = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return units


def _repeats(points: FloatArray) -> FloatArray:
    """(B, 2 FARTHEST): how much each bar is the one 1, 2, ... bars before and after it; rows have length 1 at most.

    Where a song goes from one part to another, how far away its repeats are changes, even if all else stays (J. Serrà
    et al., Unsupervised music structure annotation by time series structure features and segment similarity, 2014).
    """
    repeats = np.zeros((len(points), 2 * FARTHEST), dtype=np.float32)
    for lag in range(1, min(FARTHEST, len(points) - 1) + 1):
        alike = np.sum(points[lag:] * points[:-lag], axis=1)
        repeats[lag:, lag - 1] = repeats[:-lag, FARTHEST + lag - 1] = np.clip((alike - REPEATED) / (1 - REPEATED), 0, 1)
    rows: FloatArray = repeats / np.maximum(np.linalg.norm(repeats, axis=1, keepdims=True), 1)
    return rows


# --- boundaries -------------------------------------------------------------------------------------------------------


def novelty(points: FloatArray, sounds: Bools) -> FloatArray:
    """(B,): how new what begins at each barline is, in the bars themselves and in what they repeat."""
    repeats = _repeats(points)
    score: FloatArray = np.mean(
        [_checkerboard(points, sounds, size) + REPEATS * _checkerboard(repeats, sounds, size) for size in KERNELS],
        axis=0,
    )
    return score


def _checkerboard(points: FloatArray, sounds: Bools, kernel: int) -> FloatArray:
    """(B,): how much more alike the bars on each side of a barline are among themselves than across it.

    A checkerboard moved along the diagonal of a matrix of likeness (J. Foote, Automatic audio segmentation using a
    measure of audio novelty, 2000). Likeness is a product here, so that sums over pairs of bars are products of sums.
    Silent bars are left out; the fewer are left, the less novelty there is.
    """
    summed = np.concatenate([np.zeros((1, points.shape[1])), np.cumsum(points, axis=0, dtype=np.float64)])
    square = np.concatenate([[0], np.cumsum(np.sum(points**2, axis=1), dtype=np.float64)])
    number = np.concatenate([[0], np.cumsum(sounds)])
    here = np.arange(len(points))

    def side(start: IntArray, stop: IntArray) -> tuple[Floats, IntArray, Floats]:
        """The sum of some bars, how many sound, and how alike two different ones of them are on the mean."""
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
    """(B,): whether the guitar comes in, after SILENCE bars of silence at least."""
    silent = np.concatenate([[0], np.cumsum(~sounds)])
    enters = np.zeros(len(sounds), dtype=bool)
    enters[SILENCE:] = sounds[SILENCE:] & (silent[SILENCE:-1] - silent[: -SILENCE - 1] == SILENCE)
    return enters


def _boundaries(sounds: Bools, score: FloatArray) -> list[int]:
    """The bars at which sections begin: of all choices that keep their distance, the one that is worth most.

    The sum is of what each is new beyond NEW, and of what it gains by its distance. Only the best way to each bar is
    kept, and of those ways one for each place in eight bars.
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
    """Each stretch of bars has the letter of the likest one before, if they are alike by SAME, or else a new letter.

    How alike two are is the mean of that of their sums and that of their first OPENING bars one after the other, where
    a bar in which neither sounds does not count.
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


CONTEXT = 4  # bars just heard that are compared with earlier ones
FADING = 0.7  # how much each of them counts, beside the bar after it
FARTHEST_BACK = 64  # bars back that the guitar may go on like
NOWHERE = -1  # in place of a bar: there is none like it
_UNKNOWN_END = np.log1p(32) / 4  # of "until_end", in place of how many bars of guitar are left
_FUTURE = BARS.pick("rhythm_after", "harmony_after", "onsets_of_next", "pitch_classes_of_next", "ended")


def traits(rhythm: FloatArray, chroma: FloatArray) -> FloatArray:
    """(B, ·): bars as rows whose product says how alike two are, 0 to 2. rhythm, chroma: see `features.by_bar`."""
    rows: FloatArray = np.concatenate([unit(rhythm), unit(chroma)], axis=1)
    return rows


def source(rows: FloatArray, steps: IntArray, bar: int, last: FloatArray | None = None) -> int:
    """The bar that a bar is expected to be like, of those before it; NOWHERE if none is as long.

    rows: `traits` of at least the bars before it, steps: the length of these and its own. last: the same of as much of
    each bar as was heard of the one just before it, if that was not heard as a whole.
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
    """(B,): the bar that each bar is expected to be like, see `source`."""
    steps, rows = guitar_grid.form.steps, traits(*by_bar(guitar_grid.form, guitar_grid.guitar))
    return np.array([source(rows, steps, bar) for bar in range(len(steps))], dtype=np.int64)


def gone_on(guitar_grid: GuitarGrid, step: int) -> GuitarGrid:
    """A guitar that was heard up to a step, as it is expected to go on from there to the end of its last bar.

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
    """(B, BARS.size): what is known of each bar before it is played. sources: which bar each is expected to be like."""
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
    """Features of bars (..., BARS.size) without what comes after each."""
    bars = bars.copy()
    bars[..., _FUTURE] = 0
    bars[..., BARS.at("until_end")] = _UNKNOWN_END
    return bars
