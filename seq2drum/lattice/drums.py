"""What a drum part does, in numbers: how dense it is, where it breaks its pattern, how far it leans against the metre.

It knows bars, steps and voices, and no model. Measures and conditions are made of what is here, so that both count
alike.

Letters of shapes: B bars, T steps of all bars, S steps of the longest bar, V voices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.form import CLOCK, FloatArray, Form, clock_of
from seq2drum.lattice.grid import OFFSET_UNITS, Grid
from seq2drum.music.kit import FULL, NINE, Kit, to_kit
from seq2drum.music.notes import IntArray
from seq2drum.music.shown import as_html

Words = NDArray[np.str_]

AROUND = 5  # bars either side that a bar is compared with
PROMINENCE = 0.1
MOST_FILLS = 0.1  # of the bars
SPARSE = 0.5  # of the hits of the bars around, that a break has at most
FILL, BREAK = "fill", "break"


class Drums(NamedTuple):
    """A drum part as arrays over the steps of a song.

    velocity (T, V): 1..127, 0 where nothing is struck. offset (T, V): in gaps, -0.5..0.5.
    """

    form: Form
    velocity: IntArray
    offset: FloatArray

    def _repr_html_(self) -> str:
        return as_html(self)


def drums_of(grid: Grid, form: Form, kit: Kit = NINE, source: Kit = FULL) -> Drums:
    """The arrays of a grid whose keys are voices of `source`, seen in another kit; the loudest of those that merge."""
    voice = to_kit(kit, source)[grid.key]
    grid, voice = grid.select(voice >= 0), voice[voice >= 0]
    order = np.argsort(grid.velocity, kind="stable")  # of two that fall together the louder is written last
    at = grid.step[order], voice[order]
    total = int(form.first[-1])
    velocity = np.zeros((total, len(kit)), dtype=np.int64)
    offset = np.zeros((total, len(kit)), dtype=np.float32)
    velocity[at] = grid.velocity[order]
    offset[at] = np.clip(grid.offset[order] / OFFSET_UNITS, -0.5, 0.5)
    return Drums(form, velocity, offset)


def bars_of(drums: Drums) -> FloatArray:
    """(B, S, V): whether each voice is struck at each step of each bar; zero beyond a bar's end."""
    return drums.form.by_bar((drums.velocity > 0).astype(np.float32))


def novelty(drums: Drums) -> FloatArray:
    """(B,): how unlike the bars around it each bar is, 0 to 1.

    The mean of |D_i - D_j| / (|D_i| + |D_j|) over the bars up to AROUND before and after, weighted by a Hann window;
    bars of another length are not compared. After C. Dahale, Generating drum fills (2022), eq. 3.1, divided by the
    weights, so that a song's ends can be compared with its middle.
    """
    rolls = bars_of(drums)
    count = rolls.sum(axis=(1, 2))
    weights = np.hanning(2 * AROUND + 3)[1:-1]
    total, held = np.zeros(len(rolls)), np.zeros(len(rolls))
    for lag in range(1, min(AROUND, len(rolls) - 1) + 1):
        both = count[lag:] + count[:-lag]
        differs = np.abs(rolls[lag:] - rolls[:-lag]).sum(axis=(1, 2)) / np.maximum(both, 1)
        weight = weights[AROUND + lag] * (drums.form.steps[lag:] == drums.form.steps[:-lag])
        for here in (slice(lag, None), slice(None, -lag)):
            total[here] += weight * differs
            held[here] += weight
    return (total / np.maximum(held, 1e-9)).astype(np.float32)


def fills(drums: Drums) -> NDArray[np.bool_]:
    """(B,): which bars break the pattern for a moment: peaks of the novelty, at most MOST_FILLS of all bars.

    A peak is at least as high as the bars beside it, and its prominence at least PROMINENCE. Silent bars are no fills.
    """
    height = novelty(drums)
    silent = hits_per_quarter(drums) == 0
    prominence = np.where(silent, 0.0, prominence_of(height))
    most = int(np.floor(MOST_FILLS * len(height)))
    chosen = np.argsort(-prominence, kind="stable")[:most]
    filled = np.zeros(len(height), dtype=bool)
    filled[chosen] = prominence[chosen] >= PROMINENCE
    return filled


def breaks(drums: Drums) -> NDArray[np.bool_]:
    """(B,): which of the fills are rather breaks: the drums play less there, and leave room.

    A break has at most SPARSE of the hits that the bars up to AROUND before and after it have on the median; fills and
    silent bars among these do not count, and where there are no others nothing is a break.
    """
    filled, hits = fills(drums), hits_per_quarter(drums)
    usual = ~filled & (hits > 0)
    sparse = np.zeros(len(filled), dtype=bool)
    for bar in np.flatnonzero(filled).tolist():
        near = slice(max(bar - AROUND, 0), bar + AROUND + 1)
        around = hits[near][usual[near]]
        sparse[bar] = len(around) > 0 and hits[bar] <= SPARSE * np.median(around)
    return sparse


def signs(drums: Drums) -> Words:
    """(B,): what a musician would write over each bar: FILL, BREAK, or "" where the pattern goes on.

    Nothing is written over the first and the last bar with hits: a beginning and an ending are no fills.
    """
    named = np.where(fills(drums), np.where(breaks(drums), BREAK, FILL), "")
    struck = np.flatnonzero(hits_per_quarter(drums))
    named[struck[[0, -1]] if len(struck) else []] = ""
    return named


def prominence_of(height: FloatArray) -> FloatArray:
    """(B,): how far each local peak stands above the higher of the two lowest points on the way to a higher one."""
    prominence = np.zeros(len(height), dtype=np.float32)
    for at in range(len(height)):
        left, right = height[:at][::-1], height[at + 1 :]
        if (len(left) and left[0] >= height[at]) or (len(right) and right[0] > height[at]):
            continue
        valleys = []
        for side in (left, right):
            higher = np.flatnonzero(side > height[at])
            reach = side[: higher[0]] if len(higher) else side
            if len(reach):
                valleys.append(float(reach.min()))
        prominence[at] = height[at] - max(valleys) if valleys else 0.0
    return prominence


def hits_per_quarter(drums: Drums) -> FloatArray:
    """(B,): how many hits fall on a quarter note of each bar, all voices together."""
    form = drums.form
    hits = np.add.reduceat((drums.velocity > 0).sum(axis=1), form.first[:-1])
    by_quarter: FloatArray = (hits * form.denominator / (4 * np.maximum(form.numerator, 1))).astype(np.float32)
    return by_quarter


def syncopation(drums: Drums) -> FloatArray:
    """(B,): how much each bar leans against its metre, in levels of weight a quarter note; 0 where all is on the beat.

    A hit at a place that is not followed by one of the same voice up to the next stronger place, that one included,
    scores the difference of their levels (H. C. Longuet-Higgins, C. S. Lee, The rhythmic interpretation of monophonic
    music, 1984). Levels are those of the bar's own metre, so that 7/8 is not measured as a broken 4/4.
    """
    form = drums.form
    level = np.log2(np.maximum(clock_of(form)[:, CLOCK.at("weight")], 1 / 256))
    stronger = _next_stronger(level)
    struck = drums.velocity > 0
    before = np.concatenate([np.zeros((1, struck.shape[1]), dtype=np.int64), np.cumsum(struck, axis=0)])
    here = np.arange(len(level))
    alone = struck & (before[stronger + 1] == before[here + 1])
    score = alone.sum(axis=1) * (level[stronger] - level)
    by_bar: FloatArray = (np.add.reduceat(score, form.first[:-1]) / form.quarters).astype(np.float32)
    return by_bar


def _next_stronger(level: FloatArray) -> IntArray:
    """(T,): the next step of a higher level; the step itself where the song ends before there is one."""
    stronger = np.arange(len(level))
    for here in np.unique(level):  # few: the weights of the places of a bar
        higher, own = np.flatnonzero(level > here), np.flatnonzero(level == here)
        following = np.searchsorted(higher, own)
        own, following = own[following < len(higher)], following[following < len(higher)]
        stronger[own] = higher[following]
    return stronger
