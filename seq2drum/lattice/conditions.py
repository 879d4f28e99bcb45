"""Controls of the drums, and their values for a model: style, intensity, complexity, fills, change.

Controls are a user's settings; conditions are the numbers that a model reads, bar by bar. In training, conditions are
measured on the real drums and often dropped, so that each may be left open when playing. Levels are quantiles over
the bars of real music, 0 to 1: half of all bars stay below 0.5.

Letters of shapes: B bars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice import repeats
from seq2drum.lattice.columns import Columns
from seq2drum.lattice.form import CLOCK, FloatArray, Form, clock_of
from seq2drum.lattice.grid import OFFSET_UNITS, STEPS_PER_QUARTER, Grid
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL, NINE, Kit, to_kit
from seq2drum.music.notes import IntArray
from seq2drum.music.shown import as_html

Words = NDArray[np.str_]

AROUND = 5  # bars on each side that a bar is compared with
PROMINENCE = 0.1
MOST_FILLS = 0.1  # of the bars
QUIET, OFTEN_QUIET = 0.75, 0.75  # hits a bar below which drums rest, or the share of empty bars from which
LEAST_STROKES = 1.5  # a bar on a piece from which it keeps time
SPARSE = 0.5  # largest share of the surrounding bars' hits that a break has
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
    """The arrays of a grid whose keys are voices of `source`, in another kit; the loudest of hits that merge."""
    voice = to_kit(kit, source)[grid.key]
    grid, voice = grid.select(voice >= 0), voice[voice >= 0]
    order = np.argsort(grid.velocity, kind="stable")  # of two at one place the louder is written last
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
    """(B,): the dissimilarity of each bar to the bars around it, 0 to 1.

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
    """(B,): the bars that break the pattern for a moment: peaks of the novelty, at most MOST_FILLS of all bars.

    A peak is at least as high as its neighbours, with a prominence of at least PROMINENCE. Silent bars are never fills.
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
    """(B,): the fills in which the drums thin out and leave room.

    A break has at most SPARSE of the median hits of the bars up to AROUND before and after it; fills and silent bars
    among these do not count, and without others there is no break.
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
    """(B,): the sign a musician would write over each bar: FILL, BREAK, or "" where the pattern goes on.

    The first and the last bar with hits have no sign: a beginning and an ending are not fills.
    """
    named = np.where(fills(drums), np.where(breaks(drums), BREAK, FILL), "")
    struck = np.flatnonzero(hits_per_quarter(drums))
    named[struck[[0, -1]] if len(struck) else []] = ""
    return named


def prominence_of(height: FloatArray) -> FloatArray:
    """(B,): the prominence of each local peak: its height above the higher saddle towards a higher peak."""
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


def most_struck(strokes: Mapping[str, float]) -> str | None:
    """Return the piece that keeps time: that with most strokes a bar; None if none has LEAST_STROKES."""
    best = max(strokes, key=strokes.__getitem__)
    return best if strokes[best] >= LEAST_STROKES else None


def is_silent(hits: FloatArray) -> bool:
    """Return True if the drums rest in some bars, but for a few hits. hits (n,): of each."""
    return bool(hits.mean() < QUIET or np.mean(hits == 0) > OFTEN_QUIET)


def hits_per_quarter(drums: Drums) -> FloatArray:
    """(B,): hits a quarter note in each bar, all voices together."""
    form = drums.form
    hits = np.add.reduceat((drums.velocity > 0).sum(axis=1), form.first[:-1])
    by_quarter: FloatArray = (hits * form.denominator / (4 * np.maximum(form.numerator, 1))).astype(np.float32)
    return by_quarter


def syncopation(drums: Drums) -> FloatArray:
    """(B,): the syncopation of each bar, in levels of weight a quarter note; 0 where all is on the beat.

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
    """(T,): the next step of a higher level; the step itself if the song has none."""
    stronger = np.arange(len(level))
    for here in np.unique(level):  # few: the weights of the places of a bar
        higher, own = np.flatnonzero(level > here), np.flatnonzero(level == here)
        following = np.searchsorted(higher, own)
        own, following = own[following < len(higher)], following[following < len(higher)]
        stronger[own] = higher[following]
    return stronger


# Style is one-hot; each other condition is a value and a 1 that marks it as known. A new style is appended
# to STYLES, so that models trained without it can be played, see `columns_for`.
CONDITIONS = Columns(style=len(STYLES), intensity=2, complexity=2, fill=2, change=2)
_CHANGELESS = 15  # the widest of the models trained before "change" was a condition
SMOOTH = 4  # bars on each side that a measured level is averaged over, as a user sets a level for many bars
# Probabilities of dropping all conditions of a training pair, and else each of them.
# Fills are dropped less often, as a playing model always has them planned.
NONE_GIVEN = 0.35
NOT_GIVEN = {"style": 0.6, "intensity": 0.6, "complexity": 0.6, "fill": 0.25, "change": 0.25}

# Deciles of bars in which drums play, counted over 1,263 training songs.
_ENERGY = np.array([0.0, 1.15, 1.63, 2.01, 2.32, 2.62, 2.99, 3.43, 4.1, 5.09, 9.0])
_SYNCOPATION = np.array([0.0, 0.1, 0.25, 0.5, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0, 4.0])
_DECILES = np.linspace(0, 1, 11)
_KICK, _SNARE = FULL.names.index("kick"), FULL.names.index("snare")
_QUARTERS = (0, 6, 12, 18)  # steps of the first four quarters of a bar
_PATTERN = [index for index, name in enumerate(NINE.names) if name in ("kick", "snare") or name.endswith(" tom")]


@dataclass(frozen=True, slots=True)
class Controls:
    """A user's settings for the drums; None leaves it to the model. Levels are 0..1, see the module's text.

    style: one of STYLES. intensity: density and loudness. complexity: syncopation of kick, snare and toms. fills: the
    frequency of bars that break the pattern: 0 none, 0.5 as drummers play, 1 twice that.
    """

    style: str | None = None
    intensity: float | None = None
    complexity: float | None = None
    fills: float | None = None


class Measured(NamedTuple):
    """The conditions that real drums meet: the style, and (B,) of each bar the others.

    intensity, complexity: levels. fill: whether it is one. change: see `repeats.changes`.
    """

    style: str
    intensity: FloatArray
    complexity: FloatArray
    fill: NDArray[np.bool_]
    change: FloatArray


def measure(grid: Grid, form: Form) -> Measured:
    """The conditions that drums of the full kit meet."""
    full, nine = drums_of(grid, form, FULL), drums_of(grid, form)
    change = repeats.changes(repeats.cores(bars_of(nine)), form.steps)
    return Measured(style_of(full), intensity_of(full), complexity_of(nine), fills(nine), change)


def intensity_of(drums: Drums) -> FloatArray:
    """(B,): the summed strength of the hits of a quarter note, as a level."""
    form = drums.form
    energy = np.add.reduceat(drums.velocity.sum(axis=1) / 127, form.first[:-1])
    return _level(energy / form.quarters, _ENERGY)


def complexity_of(drums: Drums) -> FloatArray:
    """(B,): the `pattern_syncopation`, as a level."""
    return _level(pattern_syncopation(drums), _SYNCOPATION)


def pattern_syncopation(drums: Drums) -> FloatArray:
    """(B,): the syncopation of kick, snare and toms (nine voices), see `syncopation`."""
    return syncopation(drums._replace(velocity=drums.velocity[:, _PATTERN]))


def _level(values: NDArray[Any], deciles: NDArray[np.float64]) -> FloatArray:
    """(B,): values smoothed over the bars around, then as a quantile over all music's bars; silent bars are ignored."""
    window = np.hanning(2 * SMOOTH + 3)[1:-1]
    played = (values > 0).astype(float)
    total = np.convolve(values, window)[SMOOTH : SMOOTH + len(values)]
    weight = np.convolve(played, window)[SMOOTH : SMOOTH + len(values)]
    return np.interp(total / np.maximum(weight, 1e-9), deciles, _DECILES).astype(np.float32)


def style_of(drums: Drums) -> str:
    """One of STYLES for a whole part of the full kit, by rules on its hits.

    The names are those of the music mostly played so; a genre stated in the file is ignored.
    """
    form, struck = drums.form, drums.velocity > 0
    _, place = form.places
    count = {name: int(struck[:, voice].sum()) for voice, name in enumerate(FULL.names)}
    cymbal = struck[:, [FULL.names.index(name) for name in ("closed hat", "open hat", "pedal hat", "ride", "bell")]]
    inside = place % STEPS_PER_QUARTER
    straight, swung = cymbal[inside == 3].sum(), cymbal[inside == 4].sum()
    snares = count["snare"] + count["side stick"]
    total = max(int(struck.sum()), 1)
    percussion = sum(count[voice.name] for voice in FULL.voices if voice.limb == "percussion") / total
    stick = count["side stick"] / max(snares, 1)
    playing = np.repeat(np.add.reduceat(struck.any(axis=1), form.first[:-1]) > 0, form.steps)
    quarters = max(int(playing.sum()), 1) / STEPS_PER_QUARTER
    on = [
        float(struck[playing & (place == at), _KICK].sum() / max(np.sum(playing & (place == at)), 1))
        for at in _QUARTERS
    ]
    off = struck[(inside == 1) | (inside == 5)][:, [_KICK, _SNARE]].sum() / max(count["kick"] + count["snare"], 1)
    if swung > straight:
        return "jazz" if (count["ride"] + count["bell"]) > 0.4 * max(int(cymbal.sum()), 1) else "shuffle"
    if percussion > 0.35 or (stick > 0.5 and percussion > 0.1):
        return "latin"
    if count["kick"] / quarters > 1.3:
        return "metal"
    if min(on) > 0.6:
        return "dance"
    if on[2] > 0.3 and on[2] > 2 * on[0]:
        return "reggae"
    if off > 0.2:
        return "funk"
    return "pop" if stick > 0.5 or total / quarters < 2.2 else "rock"


def columns_for(width: int) -> IntArray:
    """The columns (width,) of CONDITIONS in a model of this width, which lacks what was added since.

    Raises:
        ValueError: the model has more columns than there are, or too few for levels and fills.
    """
    stop = CONDITIONS["change"].start if width <= _CHANGELESS else CONDITIONS.size
    styles = width - (stop - len(STYLES))
    if not 0 <= styles <= len(STYLES):
        raise ValueError(f"it has {width} conditions, where this version has {CONDITIONS.size}")
    columns: IntArray = np.r_[:styles, len(STYLES) : stop]
    return columns


def of_measured(measured: Measured) -> FloatArray:
    """(B, CONDITIONS.size): all measured conditions."""
    return _table(len(measured.fill), *measured)


def of_controls(
    controls: Controls, bars: int, fill: NDArray[np.bool_] | None = None, change: FloatArray | None = None
) -> FloatArray:
    """(bars, CONDITIONS.size): the same settings in every bar; fill, change (bars,): the values wanted of each bar."""
    return _table(bars, controls.style, controls.intensity, controls.complexity, fill, change)


def _table(
    bars: int,
    style: str | None,
    intensity: FloatArray | float | None,
    complexity: FloatArray | float | None,
    fill: NDArray[np.bool_] | None,
    change: FloatArray | None,
) -> FloatArray:
    """(bars, CONDITIONS.size): each value, (bars,) or one for all, beside a 1; zeros for None."""
    named = np.zeros((bars, len(STYLES)))
    if style is not None:
        named[:, STYLES.index(style)] = 1
    values = {"style": named}
    levels = {"intensity": intensity, "complexity": complexity, "fill": fill, "change": change}
    for name, value in levels.items():
        values[name] = np.zeros((bars, 2))
        if value is not None:
            values[name][:, 0], values[name][:, 1] = value, 1
    return CONDITIONS.table(bars, values)


def given(uniform: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The conditions that training pairs are given: uniform draws (n, 6) -> (n, CONDITIONS.size)."""
    some = uniform[:, 0] >= NONE_GIVEN
    keep = np.zeros((len(uniform), CONDITIONS.size), dtype=bool)
    for column, (name, share) in enumerate(NOT_GIVEN.items(), 1):
        keep[:, CONDITIONS[name]] = (some & (uniform[:, column] >= share))[:, None]
    return keep
