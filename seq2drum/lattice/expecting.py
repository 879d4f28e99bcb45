"""What a guitar will play, as far as what it has played tells: it goes on as it did when it last came this way.

Whoever plays along does not know the bar that is coming. The bars just heard are compared with those as many bars
back, for each number of bars; where they are most alike, the guitar is expected to go on as it did there.

Letters of shapes: B bars.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seq2drum.lattice.features import BARS, COMPARED, Features, by_bar, unit
from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.listening import Heard
from seq2drum.music.notes import IntArray

CONTEXT = 4  # bars just heard that are compared with earlier ones
FADING = 0.7  # how much each of them counts, beside the bar after it
FARTHEST = 64  # bars back that the guitar may go on like
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
    most = min(FARTHEST, bar)
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


def sources(heard: Heard) -> IntArray:
    """(B,): the bar that each bar is expected to be like, see `source`."""
    steps, rows = heard.form.steps, traits(*by_bar(heard.form, heard.guitar))
    return np.array([source(rows, steps, bar) for bar in range(len(steps))], dtype=np.int64)


def gone_on(heard: Heard, step: int) -> Heard:
    """A guitar that was heard up to a step, as it is expected to go on from there to the end of its last bar.

    The step lies in the last bar but one, or begins the last one.
    """
    form, grid = heard.form, heard.guitar.select(heard.guitar.step < step)
    bar = len(form.steps) - 1
    rows, last = traits(*by_bar(form, grid)), None
    rest = range(step, int(form.first[bar]))
    if rest:
        early = grid.select(form.place_of(grid.step) < step - int(form.first[bar - 1]))
        last = traits(*by_bar(form, early))
    like = source(rows, form.steps, bar, last)
    if like == NOWHERE:
        return replace(heard, guitar=grid)
    back = int(form.first[bar] - form.first[like])
    for begin, end in ((step, int(form.first[bar])), (int(form.first[bar]), int(form.first[bar + 1]))):
        coming = grid.between(max(begin - back, 0), max(end - back, 0)).shift(max(begin, back))
        grid = Grid.join([grid, coming])
    return replace(heard, guitar=grid)


def expected_bars(heard: Heard, known: Features, sources: IntArray) -> FloatArray:
    """(B, BARS.size): what is known of each bar before it is played. sources: which bar each is expected to be like."""
    bars, there = without_future(known.bars), (sources >= 0)[:, None]
    columns: dict[str, FloatArray] = {}
    for name, true in zip(("rhythm", "harmony"), by_bar(heard.form, heard.guitar), strict=True):
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
