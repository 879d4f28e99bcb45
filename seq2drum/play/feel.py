"""How hard and how exactly each hit is struck: velocity and timing as a drummer has them, learnt from human drummers.

It is given hits (voice and step), the metre, the tempo and perhaps a style, and gives each a velocity and an offset.
Which hits there are is not its business, and it moves none of them to another step; only `swing` does, which is timing
with a name: where the second eighth of a quarter falls.

A small network (`feel.onnx`) says for each hit how likely each velocity and each moment is. It sees the bar that is
played and the bars before it, none after it. What is drawn from that is not dice: a drummer who drags, drags for a
while, and who accents a place of the bar, accents it again. So the numbers drawn hang together (a Gaussian copula):
each is the sum of parts that belong to the song, to the voice, to the place in the bar, to the voice at that place, to
the bar, to the step and to the hit alone, in shares that were measured.

Letters of shapes: N hits, B bars, S steps of the longest bar, V voices.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import CheckpointError, NoGuitarError, NoNotesError, OptionError
from seq2drum.lattice.columns import Columns
from seq2drum.lattice.form import CLOCK, FloatArray, Form, clock_of, form_of, written_lattice
from seq2drum.lattice.grid import HALF_GAP, HIT_LENGTH, OFFSET_UNITS, PLACES, STEPS_PER_QUARTER, TWELFTHS, Grid, Lattice
from seq2drum.lattice.listening import Heard, Listening
from seq2drum.music import theory
from seq2drum.music.kit import FULL, Kit
from seq2drum.music.notes import IntArray, Part, Song
from seq2drum.play.runtime import runtime

Array = NDArray[np.float64]

# The folder holds no config.json: it is no model that plays, and `folder.available` does not list it.
SHIPPED = Path(__file__).parents[1] / "checkpoints" / "feel"
ABOUT, GRAPH = "feel.json", "feel.onnx"
FORMAT = 1

# The drum set that the drummers played: the first voices of the full kit. Percussion, which they did not play, is
# struck like the piece of the set that has its part in a groove.
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
# Styles that go by another name there, or have their nearest kin there.
STYLE_NAMES: Mapping[str, str] = MappingProxyType(
    {"bossa": "latin", "metal": "rock", "shuffle": "blues", "swing": "jazz"}
)
MOMENT = 20.0  # milliseconds: the unit in which the network speaks of time
MIXTURE = 5  # numbers of a mixture of two logistics: share of the second, two centres, two scales
PLAYED = HALF_GAP / OFFSET_UNITS  # the largest offset, in gaps

_TAG = 0xFEE1  # these draws are no other's
_PLACES = 48  # places of a bar that are told apart in a drummer's habits
_FAR = 1 / 32  # of a quarter: further from its place, a note of a file was put there on purpose


class Shares(NamedTuple):
    """How much of what is drawn belongs to what, as shares of the variance; the rest is the hit's own.

    song: the song. place: a place of the bar, for all voices. bar: the bar, and `drift` is the correlation of
    neighbouring bars. step: the step, all its voices together. voice (SET,): each voice in the song. habit (SET,): each
    voice at a place of the bar. spread (SET,): how widely a voice's numbers lie, 1 where the network is as sure of it
    as it should be.
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
        """(SET,): the share of the hit alone."""
        own: Array = 1 - self.song - self.place - self.bar - self.step - self.voice - self.habit
        return own


class Expected(NamedTuple):
    """What the network says of hits: (N, MIXTURE) of velocity, in 127ths, and of the moment, in units of MOMENT.

    low and high (N,): between which moments a hit belongs to its step, in the same unit.
    """

    velocity: Array
    moment: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Feel:
    """A learnt feel, ready for any drums.

    run: the network. state: how many numbers it remembers. softest: the least velocity that drummers strike with.
    velocity and moment: how what is drawn hangs together. accent (SET,): how much of the guitar's accents is shared.
    """

    run: Any = field(repr=False)
    state: int
    styles: tuple[str, ...]
    softest: int
    velocity: Shares
    moment: Shares
    accent: Array = field(repr=False)

    @staticmethod
    def load(path: Path | None = None) -> Feel:
        """Load the feel of a folder; by default the one in the box.

        Raises:
            CheckpointError: the folder is damaged, or of another version.
        """
        return _load((path or SHIPPED).resolve())

    def humanise(
        self,
        grid: Grid,
        form: Form,
        *,
        kit: Kit = FULL,
        amount: float = 1.0,
        seed: int = 0,
        style: str | None = None,
        heard: Heard | None = None,
        first: int = 0,
    ) -> Grid:
        """Strike hits as a drummer would. Steps, voices and lengths stay; velocities and offsets change.

        amount: 0 is on the lattice with the velocities given, 1 as human as it was learnt, and between them everything
        is that share of the way. seed, 0 or more: which performance. style: one of `styles`, or unknown. heard: the
        guitar, whose accents are shared. first: the number of the form's first bar, so that a piece of a song is drawn
        as in the song.

        A bar's draws come from (seed, bar); what is expected of it, from its own hits and those of bars before it.

        Raises:
            OptionError: amount is not 0 to 1, the seed is below 0, or there is no such style.
        """
        performance = Performance(self, form, kit=kit, amount=amount, seed=seed, style=style, heard=heard, first=first)
        return performance.play_all(grid)

    def humanise_song(
        self,
        song: Song,
        *,
        amount: float = 1.0,
        swing: float | None = None,
        seed: int = 0,
        style: str | None = None,
    ) -> Song:
        """Strike a song's drums as a drummer would: when and how hard each of their notes begins; all else stays.

        swing: as the function, or None for the places as they are. Notes outside the kit keep their velocities, and
        move only with the swing. A note further than a 32nd of a quarter from its place is there on purpose (a flam, a
        roll of 32nds): it keeps its distance from the place, or from the hit it is beside. No note comes to lie before
        tick 0 or ends after the song does. If there is a guitar, its accents are shared.

        Raises:
            OptionError: as `humanise` and the function `swing`.
        """
        drums = [index for index, part in enumerate(song.parts) if part.is_drums and len(part)]
        lattice = written_lattice(song)
        rows = np.concatenate([np.empty((0, 4), dtype=np.int64), *(song.parts[index].rows for index in drums)])
        heard = _heard(song, lattice)
        onset, velocity = _humanised(self, rows, song, lattice, heard, amount, swing, seed, style)
        parts, begin = list(song.parts), 0
        for index in drums:
            part, here = song.parts[index], slice(begin, begin + len(song.parts[index]))
            columns = onset[here], part.duration, part.pitch, velocity[here]
            parts[index] = Part.of_columns(*columns, program=part.program, name=part.name, is_drums=True)
            begin = here.stop
        return replace(song, parts=tuple(parts), length=song.end)

    def expect(self, step: IntArray, voice: IntArray, form: Form, style: int = -1) -> Expected:
        """What the network says of hits (N,) of the drum set's voices; style is a number in `styles`, or -1."""
        return self.expect_on(self.silence, step, voice, form, style)[0]

    @property
    def silence(self) -> FloatArray:
        """What is remembered before a song."""
        return np.zeros((1, self.state), dtype=np.float32)

    def expect_on(
        self, state: FloatArray, step: IntArray, voice: IntArray, form: Form, style: int
    ) -> tuple[Expected, FloatArray]:
        """The same for some bars of a song, given what is remembered of those before; and what is after them.

        Bar by bar, so that no bar's numbers depend on how many are asked for.
        """
        velocity = np.empty((len(step), MIXTURE))
        moment = np.empty((len(step), MIXTURE))
        order = np.argsort(step, kind="stable")
        starts = form.first
        found = np.searchsorted(step[order], starts)
        clock = clock_of(form)
        for bar in range(len(form.steps)):
            hits = order[found[bar] : found[bar + 1]]
            at, which = step[hits] - starts[bar], voice[hits]
            piece = form.between(bar, bar + 1)
            rows = inputs(at, which, piece, clock[starts[bar] : starts[bar + 1]], len(self.styles), style)
            struck, felt, state = self.run(None, {"steps": piece.steps[None], "rows": rows[None], "state": state})
            velocity[hits], moment[hits] = struck[0, 0, at, which], felt[0, 0, at, which]
        low, high = edges(step, form)
        return Expected(velocity, moment, low / MOMENT, high / MOMENT), state

    def style(self, name: str | None) -> int:
        """The number of a style; -1 for none.

        Raises:
            OptionError: there is no such style.
        """
        if name is None:
            return -1
        wanted = STYLE_NAMES.get(name, name)
        if wanted not in self.styles:
            raise OptionError(
                f"there is no feel for the style {name!r}; there is {', '.join(sorted({*self.styles, *STYLE_NAMES}))}"
            )
        return self.styles.index(wanted)


class Performance:
    """One performance of a drum part, bar after bar as it comes. The same as `Feel.humanise`, which takes all at once.

    The arguments are those of `Feel.humanise`; the form is the whole part's.
    """

    def __init__(
        self,
        feel: Feel,
        form: Form,
        *,
        kit: Kit = FULL,
        amount: float = 1.0,
        seed: int = 0,
        style: str | None = None,
        heard: Heard | None = None,
        first: int = 0,
    ) -> None:
        if not 0 <= amount <= 1:
            raise OptionError(f"the amount of feel is {amount}, wanted 0 (stiff) to 1 (human)")
        if seed < 0:
            raise OptionError(f"the seed is {seed}, wanted 0 or more")
        self._feel, self._form, self._amount, self._first = feel, form, amount, first
        self._voices, self._style = _voices(kit), feel.style(style)
        self._accents = np.zeros(int(form.first[-1])) if heard is None else guitar_accents(heard)
        self._chance = Chance(seed, feel.velocity, feel.moment)
        self._state, self._next = feel.silence, 0

    def play(self, hits: Grid) -> Grid:
        """Strike the hits of the next bar; steps count from its barline."""
        begin = int(self._form.first[self._next])
        return self._strike(hits, 1, self._accents[begin + hits.step])

    def play_all(self, grid: Grid) -> Grid:
        """Strike the hits of all bars; steps count from the part's beginning."""
        return self._strike(grid, len(self._form.steps), self._accents[grid.step])

    def _strike(self, grid: Grid, bars: int, accents: Array) -> Grid:
        first, self._next = self._next, self._next + bars
        if self._amount == 0:
            return grid._replace(offset=np.zeros_like(grid.offset))
        form, feel = self._form.between(first, first + bars), self._feel
        voice = self._voices[grid.key]
        piece = _in_set()[voice]
        expected, self._state = feel.expect_on(self._state, grid.step, piece, form, self._style)
        numbers = self._chance.draws(grid.step, voice, form, self._first + first)
        numbers[0] += feel.accent[piece] * accents
        velocity, moment = realise(expected, normal_share(numbers), feel.softest)
        moved = grid.velocity + self._amount * (velocity - grid.velocity)
        offset = np.clip(self._amount * _in_gaps(moment * MOMENT, grid.step, form), -PLAYED, PLAYED)
        return grid._replace(
            velocity=np.clip(np.rint(moved), 1, 127).astype(np.int64),
            offset=np.rint(offset * OFFSET_UNITS).astype(np.int64),
        )


# --- what the network is given ---------------------------------------------------------------------------------------


def input_size(styles: int) -> int:
    """How many numbers the network is given for each step."""
    return _columns(styles).size


def _columns(styles: int) -> Columns:
    return Columns(hits=SET, clock=CLOCK.size, tempo=1, style=styles)


def inputs(step: IntArray, voice: IntArray, form: Form, clock: FloatArray, styles: int, style: int) -> FloatArray:
    """(B, S, input_size): hits (N,) bar by bar, the clock (T, ·), the tempo and the style, -1 if unknown."""
    columns = _columns(styles)
    hits = np.zeros((len(clock), SET), dtype=np.float32)
    hits[step, voice] = 1
    bar, place = form.places
    tempo = np.log2(form.bpm[bar] / 120)
    named = np.tile(np.arange(styles) == style, (len(clock), 1))
    rows = np.zeros((len(form.steps), int(form.steps.max()), columns.size), dtype=np.float32)
    rows[bar, place] = columns.table(len(clock), {"hits": hits, "clock": clock, "tempo": tempo, "style": named})
    return rows


def edges(step: IntArray, form: Form) -> tuple[Array, Array]:
    """(N,) each: how many milliseconds off its place, early (negative) and late, a hit still belongs to its step."""
    before, after = _gaps(step, form)
    quarter = 60_000 / form.bpm[form.bar_of(step)] / TWELFTHS
    return -PLAYED * before * quarter, PLAYED * after * quarter


def _gaps(step: IntArray, form: Form) -> tuple[Array, Array]:
    """(N,) each: twelfths of a quarter from the place before a step and to the next."""
    place = (step - form.first[form.bar_of(step)]) % STEPS_PER_QUARTER
    gaps = np.diff(PLACES, append=TWELFTHS).astype(np.float64)
    return gaps[place - 1], gaps[place]


def _in_gaps(milliseconds: Array, step: IntArray, form: Form) -> Array:
    """Moments as offsets in gaps."""
    low, high = edges(step, form)
    return PLAYED * np.where(milliseconds < 0, -milliseconds / low, milliseconds / high)


@cache
def _in_set() -> IntArray:
    """The voice of the drum set that each voice of the full kit is struck like."""
    names = [voice.name for voice in FULL.voices]
    return np.array([names.index(STAND_INS.get(name, name)) for name in names])


@cache
def _voices(kit: Kit) -> IntArray:
    """The voice of the full kit that each voice of a kit is, by name."""
    names = [voice.name for voice in FULL.voices]
    return np.array([names.index(voice.name) for voice in kit.voices])


def guitar_accents(heard: Heard) -> Array:
    """(T,): how much louder than its mean the guitar begins at each step, in its standard deviations, -2 to 2.

    0 where it begins nothing, and everywhere if it is as loud everywhere.
    """
    loudest = np.zeros(int(heard.form.first[-1]))
    np.maximum.at(loudest, heard.guitar.step, heard.guitar.velocity)
    begins = loudest > 0
    spread = float(np.std(loudest[begins])) if begins.any() else 0.0
    if spread < 1:
        return np.zeros(len(loudest))
    centred: Array = np.where(begins, np.clip((loudest - np.mean(loudest[begins])) / spread, -2, 2), 0.0)
    return centred


# --- chance ----------------------------------------------------------------------------------------------------------


class Chance:
    """Standard normal numbers for the velocities and the moments of hits, which hang together as the shares say.

    All come from the seed; those of a bar from (seed, bar), and what belongs to a bar flows from barline to barline.
    """

    def __init__(self, seed: int, velocity: Shares, moment: Shares) -> None:
        self._seed, self._shares = seed, (velocity, moment)
        rng = np.random.default_rng([_TAG, seed])
        self._song = rng.standard_normal(2)
        self._places = rng.standard_normal((2, _PLACES))
        self._voices = rng.standard_normal((2, len(FULL)))
        self._habits = rng.standard_normal((2, len(FULL), _PLACES))
        self._flow: list[Array] = []

    def draws(self, step: IntArray, voice: IntArray, form: Form, first: int) -> Array:
        """(2, N): the numbers of hits of the full kit's voices, in bars of which the first has this number."""
        bar = form.bar_of(step)
        at = step - form.first[bar]
        place, piece = at % _PLACES, _in_set()[voice]
        flow = self._barlines(first, first + len(form.steps) + 1)
        common, own = self._hits(at, voice, bar, form, first)
        through = at / form.steps[bar]
        found = np.empty((2, len(step)))
        for row, share in enumerate(self._shares):
            mixed = flow[bar, row] * (1 - through) + flow[bar + 1, row] * through
            # Half way between two independent numbers there is less to be found than at either.
            mixed /= np.sqrt((1 - through) ** 2 + through**2 + 2 * share.drift * through * (1 - through))
            found[row] = share.spread[piece] * (
                np.sqrt(share.song) * self._song[row]
                + np.sqrt(share.place) * self._places[row, place]
                + np.sqrt(share.bar) * mixed
                + np.sqrt(share.step) * common[row]
                + np.sqrt(share.voice)[piece] * self._voices[row, voice]
                + np.sqrt(share.habit)[piece] * self._habits[row, voice, place]
                + np.sqrt(share.own)[piece] * own[row]
            )
        return found

    def _barlines(self, first: int, stop: int) -> Array:
        """(stop - first, 2): an autoregression of order one and variance 1 over the barlines of the song."""
        drift = np.array([share.drift for share in self._shares])
        while len(self._flow) < stop:
            news = np.random.default_rng([_TAG, self._seed, len(self._flow), 1]).standard_normal(2)
            self._flow.append(drift * self._flow[-1] + np.sqrt(1 - drift**2) * news if self._flow else news)
        return np.array(self._flow[first:stop])

    def _hits(self, at: IntArray, voice: IntArray, bar: IntArray, form: Form, first: int) -> tuple[Array, Array]:
        """(2, N) of each hit's step and (2, N) of the hit alone, from (seed, bar)."""
        common, own = np.empty((2, len(at))), np.empty((2, len(at)))
        order = np.argsort(bar, kind="stable")
        edges_of = np.searchsorted(bar[order], np.arange(len(form.steps) + 1))
        for here, (begin, end) in enumerate(pairwise(edges_of.tolist())):
            if begin == end:
                continue
            hits = order[begin:end]
            rng = np.random.default_rng([_TAG, self._seed, first + here, 2])
            found = rng.standard_normal((int(form.steps[here]), 1 + len(FULL), 2))
            common[:, hits] = found[at[hits], 0].T
            own[:, hits] = found[at[hits], 1 + voice[hits]].T
        return common, own


def normal_share(number: Array) -> Array:
    """The standard normal distribution function, by its logistic approximation (S. R. Bowling et al., 2009): 1.4e-4."""
    share: Array = 1 / (1 + np.exp(-(0.07056 * number**3 + 1.5976 * number)))
    return np.clip(share, 1e-6, 1 - 1e-6)


def mixture_share(mixture: Array, value: Array) -> Array:
    """(N,): how much of mixtures (N, MIXTURE) of two logistics lies below values (N,)."""
    second = mixture[:, 0]
    below = [_logistic((value - mixture[:, 1 + side]) / mixture[:, 3 + side]) for side in range(2)]
    share: Array = (1 - second) * below[0] + second * below[1]
    return share


def _logistic(value: Array) -> Array:
    found: Array = 0.5 * (1 + np.tanh(value / 2))
    return found


def realise(expected: Expected, share: Array, softest: int = 1) -> tuple[Array, Array]:
    """Velocities, softest to 127, and moments, in units of MOMENT, (N,) each, below which lie shares (2, N) of all.

    What the mixtures expect below the softest, or off a hit's step, is left out.
    """
    count = len(expected.low)
    low, high = np.full(count, float(softest)), np.full(count, 127.0)
    inaudible = mixture_share(expected.velocity, np.full(count, (softest - 0.5) / 127)) if softest > 1 else 0.0
    loudness = inaudible + share[0] * (1 - inaudible)
    for _ in range(7):  # 127 velocities are halved seven times
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


# --- swing -----------------------------------------------------------------------------------------------------------


def swing(grid: Grid, form: Form, amount: float) -> Grid:
    """Move the second eighth of each quarter: at 0 it is half way (straight), at 1 two thirds of the way (triplets).

    An off-beat eighth is a hit on place 6 or 8 of a quarter's twelve. It keeps what it was early or late by, and may
    change its step. Left as they are: sixteenths (places 3 and 9); quarters in which something lies on place 4, which
    are true triplets; a voice that is on both 6 and 8; and metres that are not counted in quarters or longer, where
    eighths are beats or go in threes.

    Raises:
        OptionError: amount is not 0 to 1.
    """
    step, offset = _swung(grid, form, amount)
    moved = grid._replace(step=step, offset=offset)
    return moved.select(np.lexsort((moved.key, moved.step)))


def swing_of(heard: Heard) -> float | None:
    """How much a guitar swings, 0 to 1: the mean place of its off-beat eighths. None if it plays none."""
    grid = heard.guitar
    eighth = _off_beats(grid, heard.form)
    if not eighth.any():
        return None
    return float(np.clip((np.mean(_twelfth(grid, heard.form)[eighth]) - 6) / 2, 0, 1))


def _swung(grid: Grid, form: Form, amount: float) -> tuple[IntArray, IntArray]:
    """The step and the offset of each hit, in the order given."""
    if not 0 <= amount <= 1:
        raise OptionError(f"the swing is {amount}, wanted 0 (straight) to 1 (triplets)")
    place = _place(grid.step, form)
    eighth = _off_beats(grid, form)
    late = _twelfth(grid, form) - PLACES[place]
    target = np.clip(6 + 2 * amount + late, 5, 8.5)
    onto = np.where(target > 7, 4, 3)
    gap = np.where(target < 6, 2.0, np.where(target > 8, 1.0, 2.0))
    offset = np.clip(np.rint((target - PLACES[onto]) / gap * OFFSET_UNITS), -HALF_GAP, HALF_GAP).astype(np.int64)
    return np.where(eighth, grid.step - place + onto, grid.step), np.where(eighth, offset, grid.offset)


def _place(step: IntArray, form: Form) -> IntArray:
    """The place of each step in its quarter, 0 to 5."""
    place: IntArray = (step - form.first[form.bar_of(step)]) % STEPS_PER_QUARTER
    return place


def _twelfth(grid: Grid, form: Form) -> Array:
    """(N,): where in its quarter each note begins, in twelfths."""
    before, after = _gaps(grid.step, form)
    late = np.clip(grid.offset / OFFSET_UNITS, -0.5, 0.5)
    twelfth: Array = PLACES[_place(grid.step, form)] + late * np.where(late < 0, before, after)
    return twelfth


def _off_beats(grid: Grid, form: Form) -> NDArray[np.bool_]:
    """(N,): which notes are the second eighth of a quarter."""
    place, quarter = _place(grid.step, form), grid.step - _place(grid.step, form)
    found = ((place == 3) | (place == 4)) & (form.denominator[form.bar_of(grid.step)] <= 4)
    found &= ~np.isin(quarter, quarter[place == 2])
    name = quarter * 256 + grid.key
    both = np.isin(name, np.intersect1d(name[place == 3], name[place == 4]))
    eighth: NDArray[np.bool_] = found & ~both
    return eighth


# --- songs -----------------------------------------------------------------------------------------------------------


def _heard(song: Song, lattice: Lattice) -> Heard | None:
    try:
        return Listening.of(song, theory.guitar_parts(song).parts, lattice).heard
    except (NoGuitarError, NoNotesError):
        return None


def _humanised(
    feel: Feel,
    rows: IntArray,
    song: Song,
    lattice: Lattice,
    heard: Heard | None,
    amount: float,
    amount_of_swing: float | None,
    seed: int,
    style: str | None,
) -> tuple[IntArray, IntArray]:
    """Onset and velocity of drum notes (N, 4)."""
    onset, duration, pitch, velocity = rows.T
    form = form_of(song, lattice)
    step, _ = lattice.nearest(onset)
    away = onset - lattice.ticks[step]
    far = np.abs(away) > _FAR * song.ticks_per_quarter
    # One note leads each (step, voice): the loudest of those that lie on the place. The others go where it goes.
    voice = FULL.voice_of[pitch]
    voice = np.where(voice >= 0, voice, 128 + pitch)
    order = np.lexsort((np.abs(away), -velocity, far, voice, step))
    name = step[order] * 256 + voice[order]
    leads = np.concatenate([[True], np.diff(name) != 0])[: len(order)]
    leader = np.empty(len(order), dtype=np.int64)
    leader[order] = order[leads][np.cumsum(leads) - 1]
    chosen = order[leads]  # sorted by step and voice
    none = np.zeros(len(chosen), dtype=np.int64)
    grid = Grid(step[chosen], voice[chosen], velocity[chosen], none, none + HIT_LENGTH)
    inside = grid.key < 128
    felt = feel.humanise(grid.select(inside), form, amount=amount, seed=seed, style=style, heard=heard)
    for whole, part in ((grid.velocity, felt.velocity), (grid.offset, felt.offset)):
        whole[inside] = part
    if amount_of_swing is not None:
        on_place = ~far[chosen]
        grid.step[on_place], grid.offset[on_place] = _swung(grid.select(on_place), form, amount_of_swing)
    new = lattice.onset(grid.step, grid.offset)
    shift, louder = np.zeros(len(rows)), np.ones(len(rows))
    kept = np.where(far[chosen], lattice.ticks[step[chosen]], onset[chosen])
    # A note outside the kit stays where it is, near its place or not, unless it swings.
    kept = np.where(inside | (grid.step != step[chosen]) | (grid.offset != 0), kept, new)
    shift[chosen], louder[chosen] = new - kept, grid.velocity / velocity[chosen]
    moved = np.rint(onset + shift[leader]).astype(np.int64)
    latest = np.maximum(song.end - duration, onset)
    struck = np.clip(np.rint(velocity * louder[leader]), 1, 127).astype(np.int64)
    return np.clip(moved, 0, np.maximum(latest, 0)), struck


# --- the folder ------------------------------------------------------------------------------------------------------


def _load(folder: Path) -> Feel:
    onnxruntime = runtime()
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        known = {"format": FORMAT, "inputs": input_size(len(about["styles"]))}
        for name, wanted in known.items():
            if about[name] != wanted:
                raise ValueError(f"its {name} are {about[name]}, wanted {wanted}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # a damaged file is told by our own error
        graph = (folder / GRAPH).read_bytes()
        accent = np.array([about["accent"][voice.name] for voice in FULL.voices[:SET]], dtype=np.float64)
        velocity, moment = (_shares(about["shares"][name]) for name in ("velocity", "moment"))
        state, styles, softest = int(about["state"]), tuple(about["styles"]), int(about["softest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{str(folder)!r} holds no usable feel: {error}") from None
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has a dozen exception types without a common base
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{str(folder / GRAPH)!r} cannot be used: {reason}") from None
    return Feel(session.run, state, styles, softest, velocity, moment, accent)


def _shares(about: Mapping[str, Any]) -> Shares:
    columns = [np.array(about[name], dtype=np.float64) for name in ("voice", "habit", "spread")]
    for column in columns:
        if column.shape != (SET,):
            raise ValueError(f"there are shares of {len(column)} voices, wanted {SET}")
    song, place, bar, step, drift = (float(about[name]) for name in ("song", "place", "bar", "step", "drift"))
    return Shares(song, place, bar, step, drift, *columns)
