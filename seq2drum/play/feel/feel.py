"""The feel: a small network (`feel.onnx`) predicts how hard and when human drummers strike given hits.

Its inputs are hits (voice and step), the metre, the tempo and perhaps a style; its outputs are distributions of the
velocity and the moment of each hit. It sees the current bar and the bars before it, none after it. `humanise` draws
from these, and changes no hits.

Letters of shapes: N hits, B bars, S steps of the longest bar, V voices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import CheckpointError, OptionError
from seq2drum.lattice.columns import Columns
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import CLOCK, FloatArray, Form, clock_of
from seq2drum.lattice.grid import HALF_GAP, OFFSET_UNITS, PLACES, STEPS_PER_QUARTER, TWELFTHS, Grid
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray
from seq2drum.play.checkpoint.folder import upgraded, verify
from seq2drum.play.checkpoint.runtime import UNUSABLE, LoadedGraph, read_json, session

Array = NDArray[np.float64]

# The folder has no config.json: it is not an accompanist, and `folder.available` does not list it.
SHIPPED = Path(__file__).parents[2] / "checkpoints" / "feel"
ABOUT, GRAPH = "feel.json", "feel.onnx"
FILES = (ABOUT, GRAPH)
KIND = "feel"
FORMAT = 2  # 1: before kinds

# The drum set that the drummers played: the first voices of the full kit. They played no percussion: it is struck like
# the piece of the set with the same role in a groove.
SET = 12
STAND_INS: Mapping[str, str] = MappingProxyType(
    {
        "clap": "snare",
        "tambourine": "closed hat",
        "cowbell": "ride",
        "shaker": "closed hat",
        "cabasa": "closed hat",
        "mute conga": "mid tom",
        "high conga": "high tom",
        "low conga": "low tom",
        "high bongo": "high tom",
        "low bongo": "mid tom",
        "block": "side stick",
        "triangle": "ride",
    }
)
# Styles with another name there, or their nearest relative there.
STYLE_NAMES: Mapping[str, str] = MappingProxyType(
    {"bossa": "latin", "metal": "rock", "shuffle": "blues", "swing": "jazz"}
)
MOMENT = 20.0  # milliseconds: the network's unit of time
MIXTURE = 5  # numbers of a mixture of two logistics: share of the second, two centres, two scales
PLAYED = HALF_GAP / OFFSET_UNITS  # the largest offset, in gaps


class Shares(NamedTuple):
    """Shares of the variance of draws by song, voice, place, bar and step; the rest belongs to the single hit.

    song: the song. place: a place of the bar, for all voices. bar: the bar, and `drift` is the correlation of
    neighbouring bars. step: the step, all its voices together. voice (SET,): each voice in the song. habit (SET,): each
    voice at a place of the bar. spread (SET,): the scale of a voice's numbers, 1 where the network is well calibrated.
    """

    song: float
    place: float
    bar: float
    step: float
    drift: float
    voice: Array
    habit: Array
    spread: Array

    @property
    def own(self) -> Array:
        """(SET,): the share of the single hit."""
        own: Array = 1 - self.song - self.place - self.bar - self.step - self.voice - self.habit
        return own


class Expected(NamedTuple):
    """The network's output for hits: (N, MIXTURE) of velocity, in 127ths, and of the moment, in units of MOMENT.

    low and high (N,): the range of moments in which a hit belongs to its step, in the same unit.
    """

    velocity: Array
    moment: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Feel:
    """A learnt feel, ready for any drums.

    network: maps "steps", "rows" and "state" to velocities, moments and the next state. state: the size of its state.
    softest: the lowest velocity of drummers. velocity and moment: the correlations of draws. accent (SET,): the
    response to the guitar's accents, in standard deviations.
    """

    network: LoadedGraph = field(repr=False)
    state: int
    styles: tuple[str, ...]
    softest: int
    velocity: Shares
    moment: Shares
    accent: Array = field(repr=False)

    @staticmethod
    def load(path: Path | None = None) -> Feel:
        """Load the feel of a folder; by default the shipped one.

        Raises:
            CheckpointError: the folder is damaged, or of another version.
        """
        return _load((path or SHIPPED).resolve())

    def expect(self, step: IntArray, voice: IntArray, form: Form, style: int = -1) -> Expected:
        """Return the network's output for hits (N,) of the drum set's voices; style is a number in `styles`, or -1."""
        return self.expect_on(self.silence, step, voice, form, style)[0]

    @property
    def silence(self) -> FloatArray:
        """Return the memory before a song."""
        return np.zeros((1, self.state), dtype=np.float32)

    def expect_on(
        self, state: FloatArray, step: IntArray, voice: IntArray, form: Form, style: int
    ) -> tuple[Expected, FloatArray]:
        """The same for some bars of a song, given the state before them; and the state after them.

        It goes bar by bar, so that no bar's numbers depend on the number of bars.
        """
        velocity = np.empty((len(step), MIXTURE))
        moment = np.empty((len(step), MIXTURE))
        order = np.argsort(step, kind="stable")
        starts = form.first
        begins = np.searchsorted(step[order], starts)
        clock = clock_of(form)
        for bar in range(len(form.steps)):
            hits = order[begins[bar] : begins[bar + 1]]
            at, which = step[hits] - starts[bar], voice[hits]
            piece = form.between(bar, bar + 1)
            rows = inputs(at, which, piece, clock[starts[bar] : starts[bar + 1]], len(self.styles), style)
            struck, felt, state = self.network.run({"steps": piece.steps[None], "rows": rows[None], "state": state})
            velocity[hits], moment[hits] = struck[0, 0, at, which], felt[0, 0, at, which]
        low, high = edges(step, form)
        return Expected(velocity, moment, low / MOMENT, high / MOMENT), state

    def knows(self, style: str | None) -> bool:
        """Return True if there is a feel for a style."""
        return style is None or STYLE_NAMES.get(style, style) in self.styles

    def style(self, name: str | None) -> int:
        """The number of a style; -1 for none.

        Raises:
            OptionError: there is no such style.
        """
        if name is None:
            return -1
        if not self.knows(name):
            raise OptionError(
                f"there is no feel for the style {name!r}; there is {', '.join(sorted({*self.styles, *STYLE_NAMES}))}"
            )
        return self.styles.index(STYLE_NAMES.get(name, name))


# --- the network's inputs ---------------------------------------------------------------------------------------------


def input_size(styles: int) -> int:
    """Return the size of the network's input for each step."""
    return _columns(styles).size


def _columns(styles: int) -> Columns:
    return Columns(hits=SET, clock=CLOCK.size, tempo=1, style=styles)


def inputs(step: IntArray, voice: IntArray, form: Form, clock: FloatArray, styles: int, style: int) -> FloatArray:
    """(B, S, input_size): hits (N,) bar by bar, the clock (T, ·), the tempo and the style, -1 if unknown."""
    columns = _columns(styles)
    hits = np.zeros((len(clock), SET), dtype=np.float32)
    hits[step, voice] = 1
    tempo = np.log2(np.repeat(form.bpm, form.steps) / 120)
    named = np.tile(np.arange(styles) == style, (len(clock), 1))
    return form.by_bar(columns.table(len(clock), {"hits": hits, "clock": clock, "tempo": tempo, "style": named}))


def edges(step: IntArray, form: Form) -> tuple[Array, Array]:
    """(N,) each: the milliseconds before (negative) and after its place within which a hit belongs to its step."""
    before, after = gaps(step, form)
    quarter = 60_000 / form.bpm[form.bar_of(step)] / TWELFTHS
    return -PLAYED * before * quarter, PLAYED * after * quarter


def gaps(step: IntArray, form: Form) -> tuple[Array, Array]:
    """(N,) each: twelfths of a quarter from the previous place to a step, and from it to the next."""
    place = form.place_of(step) % STEPS_PER_QUARTER
    gaps = np.diff(PLACES, append=TWELFTHS).astype(np.float64)
    return gaps[place - 1], gaps[place]


def in_gaps(milliseconds: Array, step: IntArray, form: Form) -> Array:
    """Moments as offsets in gaps."""
    low, high = edges(step, form)
    return PLAYED * np.where(milliseconds < 0, -milliseconds / low, milliseconds / high)


def moments(grid: Grid, form: Form) -> Array:
    """(N,): the milliseconds of each hit from its place, negative if early; the inverse of `in_gaps`."""
    low, high = edges(grid.step, form)
    offset = grid.offset / OFFSET_UNITS / PLAYED
    away: Array = np.where(offset < 0, -offset * low, offset * high)
    return away


@cache
def in_set() -> IntArray:
    """The voice of the drum set for each voice of the full kit."""
    return np.array([FULL.names.index(STAND_INS.get(name, name)) for name in FULL.names])


def guitar_accents(guitar_grid: GuitarGrid) -> Array:
    """(T,): the loudness of the guitar's onsets at each step against its mean, in standard deviations, -2 to 2.

    0 without onsets, and everywhere for a constant loudness.
    """
    loudest = np.zeros(int(guitar_grid.form.first[-1]))
    np.maximum.at(loudest, guitar_grid.guitar.step, guitar_grid.guitar.velocity)
    begins = loudest > 0
    spread = float(np.std(loudest[begins])) if begins.any() else 0.0
    if spread < 1:
        return np.zeros(len(loudest))
    centred: Array = np.where(begins, np.clip((loudest - np.mean(loudest[begins])) / spread, -2, 2), 0.0)
    return centred


# --- the network's outputs --------------------------------------------------------------------------------------------


def normal_share(number: Array) -> Array:
    """The standard normal distribution function, by its logistic approximation (S. R. Bowling et al., 2009): 1.4e-4."""
    share: Array = 1 / (1 + np.exp(-(0.07056 * number**3 + 1.5976 * number)))
    return np.clip(share, 1e-6, 1 - 1e-6)


def mixture_share(mixture: Array, value: Array) -> Array:
    """(N,): the cumulative probability of values (N,) under mixtures (N, MIXTURE) of two logistics."""
    second = mixture[:, 0]
    below = [0.5 * (1 + np.tanh((value - mixture[:, 1 + side]) / mixture[:, 3 + side] / 2)) for side in range(2)]
    share: Array = (1 - second) * below[0] + second * below[1]
    return share


def realise(expected: Expected, share: Array, softest: int = 1) -> tuple[Array, Array]:
    """The quantiles at shares (2, N): velocities, softest to 127, and moments, in units of MOMENT, (N,) each.

    The mixtures are truncated to velocities from the softest up and to moments within a hit's step.
    """
    count = len(expected.low)
    low, high = np.full(count, float(softest)), np.full(count, 127.0)
    inaudible = mixture_share(expected.velocity, np.full(count, (softest - 0.5) / 127)) if softest > 1 else 0.0
    loudness = inaudible + share[0] * (1 - inaudible)
    for _ in range(7):  # seven halvings of 127 velocities
        middle = np.floor((low + high) / 2)
        above = mixture_share(expected.velocity, (middle + 0.5) / 127) < loudness
        low, high = np.where(above, np.minimum(middle + 1, high), low), np.where(above, high, middle)
    begin, end = (mixture_share(expected.moment, edge) for edge in (expected.low, expected.high))
    wanted = begin + share[1] * (end - begin)
    early, late = expected.low.copy(), expected.high.copy()
    for _ in range(12):
        between = (early + late) / 2
        above = mixture_share(expected.moment, between) < wanted
        early, late = np.where(above, between, early), np.where(above, late, between)
    return low, (early + late) / 2


# --- the folder -------------------------------------------------------------------------------------------------------


def _load(folder: Path) -> Feel:
    try:
        about = read_json(folder / ABOUT)
        about = upgraded(about, KIND, FORMAT, {1: _without_kind})
        if about["inputs"] != (wanted := input_size(len(about["styles"]))):
            raise ValueError(f"its inputs are {about['inputs']}, wanted {wanted}")
        accent = np.array([about["accent"][voice.name] for voice in FULL.voices[:SET]], dtype=np.float64)
        velocity, moment = (_shares(about["shares"][name]) for name in ("velocity", "moment"))
        state, styles, softest = int(about["state"]), tuple(about["styles"]), int(about["softest"])
    except UNUSABLE as error:
        raise CheckpointError(f"{str(folder)!r} holds no usable feel: {error}") from None
    verify(folder, FILES)
    return Feel(session(folder / GRAPH, 1), state, styles, softest, velocity, moment, accent)


def _without_kind(about: dict[str, Any]) -> dict[str, Any]:
    return {"kind": KIND, **about, "format": 2}


def _shares(about: Mapping[str, Any]) -> Shares:
    columns = [np.array(about[name], dtype=np.float64) for name in ("voice", "habit", "spread")]
    for column in columns:
        if column.shape != (SET,):
            raise ValueError(f"there are shares of {len(column)} voices, wanted {SET}")
    song, place, bar, step, drift = (float(about[name]) for name in ("song", "place", "bar", "step", "drift"))
    return Shares(song, place, bar, step, drift, *columns)
