"""What a musician may ask of the drums, and the same as numbers for a model: style, intensity, complexity, fills.

Controls are what is asked for; conditions are the numbers that a model reads, bar by bar. In training conditions are
measured on the real drums and often left out, so that each may be left out when playing. Levels run from 0 to 1 as
shares of the bars of real music: 0.5 is what half of all bars stay below.

Letters of shapes: B bars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.columns import Columns
from seq2drum.lattice.drums import Drums, drums_of, fills, syncopation
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grid import STEPS_PER_QUARTER, Grid
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL, NINE

# Style is one of several; each other condition is a value, and a 1 that says that it is known.
CONDITIONS = Columns(style=len(STYLES), intensity=2, complexity=2, fill=2)
SMOOTH = 4  # bars either side that a measured level is a mean of, as a level is asked for over many bars
# Shares of the training pairs that are given no condition at all, and of the rest, that are not given each of them.
# Fills are given more often, as they are always planned when a model plays.
NONE_GIVEN = 0.35
NOT_GIVEN = {"style": 0.6, "intensity": 0.6, "complexity": 0.6, "fill": 0.25}

# Deciles of bars in which drums play, counted over 1,263 training songs.
_ENERGY = np.array([0.0, 1.15, 1.63, 2.01, 2.32, 2.62, 2.99, 3.43, 4.1, 5.09, 9.0])
_SYNCOPATION = np.array([0.0, 0.1, 0.25, 0.5, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0, 4.0])
_DECILES = np.linspace(0, 1, 11)
_KICK, _SNARE = FULL.names.index("kick"), FULL.names.index("snare")
_QUARTERS = (0, 6, 12, 18)  # steps of the first four quarters of a bar
_PATTERN = [index for index, name in enumerate(NINE.names) if name in ("kick", "snare") or name.endswith(" tom")]


@dataclass(frozen=True, slots=True)
class Controls:
    """What is asked of the drums; None leaves it to the model. Levels are 0..1, see the module's text.

    style: one of STYLES. intensity: how much is played and how loud. complexity: how much kick, snare and toms lean
    against the metre. fills: how many bars break the pattern, 0 none, 0.5 as many as drummers play, 1 twice as many.
    """

    style: str | None = None
    intensity: float | None = None
    complexity: float | None = None
    fills: float | None = None


class Measured(NamedTuple):
    """The conditions that real drums meet: the style, and (B,) intensity, complexity and whether each bar is a fill."""

    style: str
    intensity: FloatArray
    complexity: FloatArray
    fill: NDArray[np.bool_]


def measure(grid: Grid, form: Form) -> Measured:
    """Measure drums of the full kit."""
    full, nine = drums_of(grid, form, FULL), drums_of(grid, form)
    return Measured(style_of(full), intensity_of(full), complexity_of(nine), fills(nine))


def intensity_of(drums: Drums) -> FloatArray:
    """(B,): the strength of all hits of a quarter note together, as a level."""
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
    """(B,): smoothed over the bars around, then as a share of all music's bars. Silent bars do not count."""
    window = np.hanning(2 * SMOOTH + 3)[1:-1]
    played = (values > 0).astype(float)
    total = np.convolve(values, window)[SMOOTH : SMOOTH + len(values)]
    weight = np.convolve(played, window)[SMOOTH : SMOOTH + len(values)]
    return np.interp(total / np.maximum(weight, 1e-9), deciles, _DECILES).astype(np.float32)


def style_of(drums: Drums) -> str:
    """One of STYLES for a whole part of the full kit, by rules on what is struck where.

    The names are those of music that is mostly played so; what a file says of its style does not matter.
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


def of_measured(measured: Measured) -> FloatArray:
    """(B, CONDITIONS.size): everything that was measured."""
    fill = measured.fill.astype(np.float32)
    return _table(len(fill), measured.style, measured.intensity, measured.complexity, fill)


def of_controls(controls: Controls, bars: int, fill: NDArray[np.bool_] | None = None) -> FloatArray:
    """(bars, CONDITIONS.size): what is asked for, in every bar; fill (bars,) is where fills are wanted."""

    def level(value: float | None) -> FloatArray | None:
        return None if value is None else np.full(bars, value, dtype=np.float32)

    filled = None if fill is None else fill.astype(np.float32)
    return _table(bars, controls.style, level(controls.intensity), level(controls.complexity), filled)


def _table(
    bars: int, style: str | None, intensity: FloatArray | None, complexity: FloatArray | None, fill: FloatArray | None
) -> FloatArray:
    """(bars, CONDITIONS.size): each of the values (bars,) beside a 1; zero where there is None."""

    def known(values: FloatArray | None) -> FloatArray:
        return np.zeros((bars, 2), np.float32) if values is None else np.stack([values, np.ones_like(values)], axis=1)

    named = np.zeros((bars, len(STYLES)))
    if style is not None:
        named[:, STYLES.index(style)] = 1
    values = {"intensity": known(intensity), "complexity": known(complexity), "fill": known(fill)}
    return CONDITIONS.table(bars, {"style": named, **values})


def given(uniform: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which conditions training pairs are given: uniform draws (n, 5) -> (n, CONDITIONS.size)."""
    some = uniform[:, 0] >= NONE_GIVEN
    keep = np.zeros((len(uniform), CONDITIONS.size), dtype=bool)
    for column, (name, share) in enumerate(NOT_GIVEN.items(), 1):
        keep[:, CONDITIONS[name]] = (some & (uniform[:, column] >= share))[:, None]
    return keep
