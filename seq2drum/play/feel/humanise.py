"""Drums as a human drummer strikes them: velocities and moments drawn from the predictions of a feel.

The draws of different hits are not independent: a drummer who drags, drags for a while, and one who accents a place of
the bar accents it again. So the draws are correlated (a Gaussian copula): each is a sum of parts for the song, the
voice, the place in the bar, the voice at that place, the bar, the step and the single hit, in measured shares.

`Dynamics` strikes the bars of a take so, at the requested loudness: with levels, a soft limit, a drummer's variation,
and swing.

Hits keep their steps; only `swing` moves any. Velocities are those of MIDI, 1 to 127. Functions of velocities alone
take arrays of any shape, and return unrounded values unless they say otherwise.

Letters of shapes: N hits or notes, B bars.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import NoGuitarError, NoNotesError, OptionError
from seq2drum.lattice.features import GuitarGrid, SongGrid
from seq2drum.lattice.form import Form, form_of, written_lattice
from seq2drum.lattice.grid import HALF_GAP, HIT_LENGTH, OFFSET_UNITS, PLACES, STEPS_PER_QUARTER, Grid, Lattice
from seq2drum.music import drum_maps, theory
from seq2drum.music.choices import FAMILIES
from seq2drum.music.kit import FULL, Kit
from seq2drum.music.notes import IntArray, Part, Song
from seq2drum.play.decode.sampling import random_of
from seq2drum.play.feel.feel import (
    MOMENT,
    PLAYED,
    Feel,
    Shares,
    gaps,
    guitar_accents,
    in_gaps,
    in_set,
    normal_share,
    realise,
)
from seq2drum.play.options import Options

Array = NDArray[np.float64]

_TAG = 0xFEE1  # in the seeds of these draws only
_PLACES = 48  # places of a bar with separate habits of a drummer
_OUTSIDE = 128  # and its pitch: the voice of a note outside the kit
_FAR = 1 / 32  # of a quarter: a note of a file further from its place was put there on purpose


class Performance:
    """One performance of a drum part: velocities and offsets of its hits. Steps, voices and lengths stay.

    form: the bars of the part. kit: the kit of the hits. amount: 0 is on the lattice with the given velocities, 1 fully
    human, and values between interpolate. seed, 0 or more: the number of the performance. style: one of `Feel.styles`,
    or unknown. guitar_grid: the guitar, whose accents the drummer shares. first: the number of the form's first bar, so
    that an excerpt is drawn as in its song.

    A bar's draws come from (seed, bar), and its predictions from its own hits and those of earlier bars. So playing bar
    after bar (`play`) equals playing all together (`play_all`).

    Raises:
        OptionError: amount is not 0 to 1, the seed is below 0, or there is no such style.
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
        guitar_grid: GuitarGrid | None = None,
        first: int = 0,
    ) -> None:
        if not 0 <= amount <= 1:
            raise OptionError(f"the amount of feel is {amount}, wanted 0 (stiff) to 1 (human)")
        if seed < 0:
            raise OptionError(f"the seed is {seed}, wanted 0 or more")
        self._feel, self._form, self._amount, self._first = feel, form, amount, first
        self._voices, self._style = _voices(kit), feel.style(style)
        self._accents = np.zeros(int(form.first[-1])) if guitar_grid is None else guitar_accents(guitar_grid)
        self._copula = Copula(seed, feel.velocity, feel.moment)
        self._state, self._next = feel.silence, 0
        self._late = np.zeros(
            (2, 2)
        )  # of second eighths and of beats so far: the sum of their moments, and their number

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
        piece = in_set()[voice]
        expected, self._state = feel.expect_on(self._state, grid.step, piece, form, self._style)
        numbers = self._copula.draws(grid.step, voice, form, self._first + first)
        numbers[0] += feel.accent[piece] * accents
        velocity, moment = realise(expected, normal_share(numbers), feel.softest)
        moment -= self._lean(moment, grid.step, form)
        # The drummers' pads stop at 127: a hit there should not be struck at full strength.
        moved = grid.velocity + self._amount * (limited(velocity) - grid.velocity)
        offset = np.clip(self._amount * in_gaps(moment * MOMENT, grid.step, form), -PLAYED, PLAYED)
        return grid._replace(
            velocity=np.clip(np.rint(moved), 1, 127).astype(np.int64),
            offset=np.rint(offset * OFFSET_UNITS).astype(np.int64),
        )

    def _lean(self, moment: Array, step: IntArray, form: Form) -> Array:
        """(N,): the mean delay of second eighths against the beats in the part so far; 0 for all other hits.

        Subtracting it keeps their spread, and keeps straight eighths straight: otherwise a drummer's habits would swing
        them.
        """
        bar, bars = form.bar_of(step), len(form.steps)
        second = (_place(step, form) == 3) & (form.denominator[bar] <= 4)  # straight, in quarters or longer
        late = np.zeros((2, 2, bars))
        for row, chosen in enumerate((second, form.place_of(step) % STEPS_PER_QUARTER == 0)):
            late[row] = [np.bincount(bar[chosen], weights, bars) for weights in (moment[chosen], None)]
        late[..., 0] += self._late
        late = late.cumsum(axis=-1)
        self._late = late[..., -1]
        mean = late[:, 0] / np.maximum(late[:, 1], 1)
        lean: Array = np.where(second & (late[1, 1] > 0)[bar], (mean[0] - mean[1])[bar], 0.0)
        return lean


def humanise_song(
    feel: Feel,
    song: Song,
    *,
    amount: float = 1.0,
    swing: float | None = None,
    seed: int = 0,
    style: str | None = None,
) -> Song:
    """Strike a song's drums as a drummer would: change onsets and velocities of their notes, and nothing else.

    amount, seed, style: as in `Performance`. swing: the amount of `swing`, or None to keep the places.
    Notes outside the kit keep their velocities, and move only with the swing. A note further than a 32nd of a quarter
    from its place is intended (a flam, a roll of 32nds): it keeps its distance from the place, or from its neighbouring
    hit. No note begins before tick 0 or ends after the song. The drummer shares the accents of a guitar. The pedal of
    the hats stays, unless a hat would then meet another position.

    Raises:
        OptionError: as `Performance` and `swing`.
    """
    drums = [index for index, part in enumerate(song.parts) if part.is_drums and len(part)]
    lattice = written_lattice(song)
    rows = np.concatenate([np.empty((0, 4), dtype=np.int64), *(song.parts[index].rows for index in drums)])
    form, guitar_grid = form_of(song, lattice), _heard(song, lattice)
    performance = Performance(feel, form, amount=amount, seed=seed, style=style, guitar_grid=guitar_grid)
    kits = drum_maps.load(drum_maps.GM)
    voices = [kits.voices(song.parts[index]) for index in drums]
    voice = np.concatenate([np.empty(0, dtype=np.int64), *voices])
    onset, velocity = _struck(rows, voice, song, lattice, form, performance, swing)
    hats = np.isin(np.concatenate([np.empty(0, dtype=np.int64), *voices]), FULL.voices_named(FAMILIES["hats"]))
    parts, begin = list(song.parts), 0
    for index in drums:
        part, here = song.parts[index], slice(begin, begin + len(song.parts[index]))
        columns = onset[here], part.duration, part.pitch, velocity[here]
        program, name, is_xg = part.program, part.name, part.is_xg
        struck = Part.of_columns(*columns, program=program, name=name, is_drums=True, is_xg=is_xg)
        parts[index] = replace(struck, pedal=_between(part.pedal, rows[hats, 0], onset[hats]))
        begin = here.stop
    return replace(song, parts=tuple(parts), length=song.end)


def _between(pedal: IntArray, before: IntArray, after: IntArray) -> IntArray:
    """The positions of the hats' pedal, unchanged or moved so that each hat meets the position that it had.

    before, after (N,): the onsets of the hats, and their new ones; a position holds for hats at its tick and later. Of
    several positions at one tick the last stays.
    """
    if not len(pedal) or not len(before):
        return pedal
    order = np.argsort(before, kind="stable")
    earliest = np.concatenate([[0], np.maximum.accumulate(after[order]) + 1])
    latest = np.append(np.minimum.accumulate(after[order][::-1])[::-1], max(pedal[-1, 0], earliest[-1]))
    place = np.searchsorted(before[order], pedal[:, 0])
    tick = np.minimum(np.maximum(pedal[:, 0], earliest[place]), latest[place])
    moved: IntArray = np.column_stack([tick, pedal[:, 1]])[np.append(np.diff(tick) > 0, True)]
    return moved


def _heard(song: Song, lattice: Lattice) -> GuitarGrid | None:
    """The song's guitar, if it has one."""
    try:
        return SongGrid.of(song, theory.guitar_parts(song).parts, lattice).guitar_grid
    except (NoGuitarError, NoNotesError):
        return None


def _struck(
    rows: IntArray,
    voice: IntArray,
    song: Song,
    lattice: Lattice,
    form: Form,
    performance: Performance,
    swing: float | None,
) -> tuple[IntArray, IntArray]:
    """Onset (N,) and velocity (N,) of a song's drum notes (N, 4) of given voices, after performance and swing."""
    # 1. One note leads each (step, voice): the loudest of those on the place. The others move with it.
    onset, duration, pitch, velocity = rows.T
    step, _ = lattice.nearest(onset)
    away = onset - lattice.ticks[step]
    far = np.abs(away) > _FAR * song.ticks_per_quarter
    voice = np.where(voice >= 0, voice, _OUTSIDE + pitch)
    order = np.lexsort((np.abs(away), -velocity, far, voice, step))
    name = step[order] * 256 + voice[order]
    leads = np.concatenate([[True], np.diff(name) != 0])[: len(order)]
    leader = np.empty(len(order), dtype=np.int64)
    leader[order] = order[leads][np.cumsum(leads) - 1]
    chosen = order[leads]  # sorted by step and voice
    # 2. Strike the leading notes of the kit, and swing those on their places.
    none = np.zeros(len(chosen), dtype=np.int64)
    grid = Grid(step[chosen], voice[chosen], velocity[chosen], none, none + HIT_LENGTH)
    inside = grid.key < _OUTSIDE
    felt = performance.play_all(grid.select(inside))
    for whole, part in ((grid.velocity, felt.velocity), (grid.offset, felt.offset)):
        whole[inside] = part
    if swing is not None:
        on_place = ~far[chosen]
        grid.step[on_place], grid.offset[on_place] = swung(grid.select(on_place), form, swing)
    # 3. Move each note, and change its velocity, by as much as its leading note.
    new = lattice.onset(grid.step, grid.offset)
    shift, louder = np.zeros(len(rows)), np.ones(len(rows))
    old = np.where(far[chosen], lattice.ticks[step[chosen]], onset[chosen])
    # A note outside the kit stays, near its place or not, unless it swings.
    old = np.where(inside | (grid.step != step[chosen]) | (grid.offset != 0), old, new)
    shift[chosen], louder[chosen] = new - old, grid.velocity / velocity[chosen]
    moved = np.rint(onset + shift[leader]).astype(np.int64)
    latest = np.maximum(song.end - duration, onset)
    struck = np.where(leader == np.arange(len(rows)), velocity * louder, limited(velocity * louder[leader]))
    struck = np.clip(np.rint(struck), 1, 127).astype(np.int64)
    return np.clip(moved, 0, np.maximum(latest, 0)), struck


# --- draws ------------------------------------------------------------------------------------------------------------


class Copula:
    """Standard normal numbers for the velocities and the moments of hits, correlated as the shares say.

    All come from the seed, those of a bar from (seed, bar), and the bar's part drifts from barline to barline.
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
        """(2, N): the numbers of hits of the full kit's voices; first: the number of the first bar."""
        bar = form.bar_of(step)
        at = step - form.first[bar]
        place, piece = at % _PLACES, in_set()[voice]
        flow = self._barlines(first, first + len(form.steps) + 1)
        common, own = self._hits(at, voice, bar, form, first)
        through = at / form.steps[bar]
        numbers = np.empty((2, len(step)))
        for row, share in enumerate(self._shares):
            mixed = flow[bar, row] * (1 - through) + flow[bar + 1, row] * through
            # Interpolating between two independent numbers lowers the variance in the middle; make it 1.
            mixed /= np.sqrt((1 - through) ** 2 + through**2 + 2 * share.drift * through * (1 - through))
            numbers[row] = share.spread[piece] * (
                np.sqrt(share.song) * self._song[row]
                + np.sqrt(share.place) * self._places[row, place]
                + np.sqrt(share.bar) * mixed
                + np.sqrt(share.step) * common[row]
                + np.sqrt(share.voice)[piece] * self._voices[row, voice]
                + np.sqrt(share.habit)[piece] * self._habits[row, voice, place]
                + np.sqrt(share.own)[piece] * own[row]
            )
        return numbers

    def _barlines(self, first: int, stop: int) -> Array:
        """(stop - first, 2): an autoregression of order one and variance 1 over the barlines of the song."""
        drift = np.array([share.drift for share in self._shares])
        while len(self._flow) < stop:
            news = np.random.default_rng([_TAG, self._seed, len(self._flow), 1]).standard_normal(2)
            self._flow.append(drift * self._flow[-1] + np.sqrt(1 - drift**2) * news if self._flow else news)
        return np.array(self._flow[first:stop])

    def _hits(self, at: IntArray, voice: IntArray, bar: IntArray, form: Form, first: int) -> tuple[Array, Array]:
        """(2, N) for each hit's step and (2, N) for the single hit, from (seed, bar)."""
        common, own = np.empty((2, len(at))), np.empty((2, len(at)))
        order = np.argsort(bar, kind="stable")
        edges_of = np.searchsorted(bar[order], np.arange(len(form.steps) + 1))
        for here, (begin, end) in enumerate(pairwise(edges_of.tolist())):
            if begin == end:
                continue
            hits = order[begin:end]
            rng = np.random.default_rng([_TAG, self._seed, first + here, 2])
            normal = rng.standard_normal((int(form.steps[here]), 1 + len(FULL), 2))
            common[:, hits] = normal[at[hits], 0].T
            own[:, hits] = normal[at[hits], 1 + voice[hits]].T
        return common, own


@cache
def _voices(kit: Kit) -> IntArray:
    """The voice of the full kit for each voice of a kit, by name."""
    return np.array([FULL.names.index(name) for name in kit.names])


# --- how loud ---------------------------------------------------------------------------------------------------------

KNEE = 110.0  # up to here velocities stay
ROOM = 16.4  # louder ones are compressed to at most this much above: 126 when rounded
# The mean velocity of a take at levels of intensity. Half way is the level without a request.
_LEVELS, _MEANS = (0.0, 0.25, 0.5, 0.75, 1.0), (58.0, 75.0, 90.0, 99.0, 108.0)
_MOST = 1.5  # the factor by which velocities are overraised towards a mean, where the limit holds some back
_HEEDED = 0.85  # how far a take is brought to the mean of its level: a soft song stays a little softer
# A drummer's variation, in shares of a velocity: with the bar, the step and each single hit. And how often a place
# repeats the velocity of the bar before. Fitted to drummers, see `notebooks/LOG.md`.
_OF_BAR, _OF_STEP, _OF_HIT = 0.05, 0.05, 0.09
REPEATED = 0.12


def limited(velocity: Array) -> Array:
    """Velocities with a soft limit instead of clipping: unchanged up to the knee, compressed above it, in order."""
    if not len(velocity) or velocity.max() <= KNEE:
        return np.maximum(velocity, 1.0)
    above = np.maximum(velocity - KNEE, 0)
    soft: Array = np.minimum(velocity, KNEE) + ROOM * (1 - np.exp(-above / ROOM))
    return np.maximum(soft, 1.0)


def as_loud_as(velocity: Array, mean: float) -> Array:
    """(N,): velocities scaled alike and limited, so that this is their mean, as near as the limit allows."""
    if not len(velocity):
        return velocity
    reach = 128 + float(np.max(velocity))
    return limited(velocity + _found(lambda shift: float(np.mean(limited(velocity + shift))), mean, -reach, reach))


def at_level(velocity: Array, usual: float, level: float) -> Array:
    """(N,): velocities at the loudness of a level of intensity, 0 to 1, and limited.

    usual: the mean velocity of all bars of the take so far, before this change. Below the limit, ghost notes and
    accents keep their ratio.
    """
    if not len(velocity):
        return velocity
    wanted = float(np.interp(level, _LEVELS, _MEANS))
    return scaled(velocity, (wanted / max(usual, 1.0)) ** _HEEDED * (wanted / _MEANS[2]) ** (1 - _HEEDED))


def scaled(velocity: Array, gain: float) -> Array:
    """(N,): velocities, limited, whose mean is so many times theirs, as near as the limit allows."""
    mean = gain * float(np.mean(velocity))
    raised = _found(lambda factor: float(np.mean(limited(velocity * factor))), mean, gain, _MOST * gain)
    return limited(velocity * raised)


def _found(mean_of: Callable[[float], float], mean: float, low: float, high: float) -> float:
    """The number between low and high at which a rising function is nearest to a mean."""
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_of(middle) < mean else (low, middle)
    return (low + high) / 2


def varied(velocity: Array, step: IntArray, rng: np.random.Generator) -> Array:
    """(N,): velocities of a bar's hits, varied as drummers do: partly with the bar, the step and the hit."""
    steps = int(step.max(initial=0)) + 1
    drawn = rng.standard_normal(1 + steps + len(velocity))  # of the bar, its steps, its hits
    varying: Array = np.exp(_OF_BAR * drawn[0] + _OF_STEP * drawn[1 + step] + _OF_HIT * drawn[1 + steps :])
    return velocity * varying


# --- swing ------------------------------------------------------------------------------------------------------------


def swing(grid: Grid, form: Form, amount: float) -> Grid:
    """Move the second eighth of each quarter: at 0 it is half way (straight), at 1 two thirds of the way (triplets).

    An off-beat eighth is a hit on place 6 or 8 of a quarter's twelve. It keeps its offset, and may change its step.
    Unchanged are sixteenths (places 3 and 9); quarters with a hit on place 4, which are true triplets; a voice on both
    6 and 8; and metres not counted in quarters or longer, where eighths are beats or come in threes.

    Raises:
        OptionError: amount is not 0 to 1.
    """
    step, offset = swung(grid, form, amount)
    moved = grid._replace(step=step, offset=offset)
    return moved.select(np.lexsort((moved.key, moved.step)))


def swing_of(grid: Grid, form: Form) -> float | None:
    """Return the swing of a part, 0 to 1: the mean place of its off-beat eighths. None without any."""
    eighth = _off_beats(grid, form)
    if not eighth.any():
        return None
    return float(np.clip((np.mean(_twelfth(grid, form)[eighth]) - 6) / 2, 0, 1))


def swung(grid: Grid, form: Form, amount: float) -> tuple[IntArray, IntArray]:
    """The step and the offset (N,) of each hit after `swing`, in the given order."""
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
    place: IntArray = form.place_of(step) % STEPS_PER_QUARTER
    return place


def _twelfth(grid: Grid, form: Form) -> Array:
    """(N,): the place of each onset in its quarter, in twelfths."""
    before, after = gaps(grid.step, form)
    late = np.clip(grid.offset / OFFSET_UNITS, -0.5, 0.5)
    twelfth: Array = PLACES[_place(grid.step, form)] + late * np.where(late < 0, before, after)
    return twelfth


def _off_beats(grid: Grid, form: Form) -> NDArray[np.bool_]:
    """(N,): which notes are the second eighth of a quarter."""
    place, quarter = _place(grid.step, form), grid.step - _place(grid.step, form)
    off_beat = ((place == 3) | (place == 4)) & (form.denominator[form.bar_of(grid.step)] <= 4)
    off_beat &= ~np.isin(quarter, quarter[place == 2])
    name = quarter * 256 + grid.key
    both = np.isin(name, np.intersect1d(name[place == 3], name[place == 4]))
    eighth: NDArray[np.bool_] = off_beat & ~both
    return eighth


# --- a take -----------------------------------------------------------------------------------------------------------

LOOKAHEAD_BARS = 8  # bars whose generators are made together: batching keeps CPU caches warm
_TAG_TOUCH = 0x700C  # in the seeds of these draws only


class Dynamics:
    """Strikes the hits of a take, bar after bar; also those of given bars, as later ones continue from them.

    The draws for a bar come from (seed, bar). A take of temperature 0 does not vary.
    """

    def __init__(self, options: Options, guitar_grid: GuitarGrid, kit: Kit) -> None:
        self._form, self._options, self._performance = guitar_grid.form, options, None
        self._level = options.controls.intensity
        self._total, self._count = 0.0, 0
        self._before: dict[tuple[int, int], int] = {}
        self._begun: dict[int, np.random.Generator] = {}
        if options.humanize is None:
            return
        feel = Feel.load()
        style = options.style if feel.knows(options.style) else None
        self._performance = Performance(
            feel,
            guitar_grid.form,
            kit=kit,
            amount=options.humanize,
            seed=options.seed,
            style=style,
            guitar_grid=guitar_grid,
        )

    def change(self, options: Options) -> None:
        """Strike the next bars with other options, as the same performance."""
        self._options, self._level, self._total, self._count = options, options.controls.intensity, 0.0, 0
        self._begun.clear()

    def strike_both(self, bar: int, hits: Grid, unwished: Grid, intensity: float | None = None) -> tuple[Grid, Grid]:
        """The struck hits of the next bar, and those without its wishes, from which later bars continue.

        If only the first beat differs, common hits are struck alike. intensity: of this bar alone, which is as much
        louder or softer than without.
        """
        aside = copy.copy(self)
        aside._begun, aside._performance = {}, copy.copy(self._performance)
        if intensity is None:
            struck, plain = aside.strike(bar, hits), self.strike(bar, unwished)
            return _with_common(hits, unwished, struck, plain), plain
        level = self._level
        own, usual = np.interp([intensity, 0.5 if level is None else level], _LEVELS, _MEANS).tolist()
        louder = np.rint(limited(own / usual * np.array(list(self._before.values()), dtype=np.float64)))
        aside._before = dict(zip(self._before, louder.astype(np.int64).tolist(), strict=True))
        plain = self.strike(bar, unwished)
        heard = plain if len(plain.step) else hits
        mean = own / usual * float(np.mean(heard.velocity)) if len(heard.step) else None
        return aside.strike(bar, hits, mean), plain

    def strike(self, bar: int, hits: Grid, mean: float | None = None) -> Grid:
        """The struck hits of the next bar. mean: of their velocities, in place of what the options say."""
        # 1. Vary them as a drummer does, unless a feel does so.
        if bar not in self._begun:
            coming = range(bar, bar + LOOKAHEAD_BARS)
            self._begun = {each: random_of(_TAG_TOUCH, self._options.seed, each) for each in coming}
        rng, options = self._begun.pop(bar), self._options
        human = 1.0 if options.humanize is None else options.humanize
        share = 0.0 if options.temperature == 0 else human  # of a drummer's variation
        velocity = hits.velocity.astype(np.float64)
        if self._performance is None and share:
            velocity = varied(velocity, hits.step, rng)
        # 2. Set the requested loudness, without clipping.
        if mean is not None and len(velocity):
            velocity = scaled(velocity, mean / float(np.mean(velocity)))
        elif (level := self._level) is None:
            velocity = limited(velocity)
        else:
            self._total, self._count = self._total + float(np.sum(velocity)), self._count + len(velocity)
            velocity = at_level(velocity, self._total / max(self._count, 1), level)
        # 3. Strike them with the feel, but keep the loudness of the bar: the feel knows nothing of this song's
        # loudness.
        if self._performance is not None:
            of_bar = float(np.mean(velocity)) if len(velocity) else 0.0
            hits = self._performance.play(hits)
            velocity = as_loud_as(hits.velocity.astype(np.float64), of_bar)
        # 4. Sometimes repeat a velocity of the same place in the bar before.
        struck = np.rint(velocity).astype(np.int64)
        places = list(zip(hits.step.tolist(), hits.key.tolist(), strict=True))
        for index in np.flatnonzero(rng.random(len(places)) < REPEATED * share).tolist():
            struck[index] = self._before.get(places[index], int(struck[index]))
        self._before = dict(zip(places, struck.tolist(), strict=True))
        hits = hits._replace(velocity=struck)
        # 5. Swing.
        if options.swing is not None:
            hits = swing(hits, self._form.between(bar, bar + 1), options.swing)
        return hits


def _with_common(hits: Grid, unwished: Grid, struck: Grid, plain: Grid) -> Grid:
    """The struck hits of a bar with a wish; those of the bar without where only the first beat differs."""
    first, begun = hits.step == 0, unwished.step == 0
    if not all(map(np.array_equal, hits.select(~first), unwished.select(~begun))):
        return struck
    gone, new = set(unwished.key[begun]) - set(hits.key[first]), set(hits.key[first]) - set(unwished.key[begun])
    stays = plain.select((plain.step > 0) | ~np.isin(plain.key, list(gone)))
    return Grid.join([struck.select((struck.step == 0) & np.isin(struck.key, list(new))), stays])
