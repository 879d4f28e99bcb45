"""The decoder of single bars: the numbers that each is drawn with, and the checks and corrections of a drawn bar.

Letters of shapes: n batch, B bars, S steps of a bar, V voices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grid import Grid, quarters_into
from seq2drum.music.choices import FAMILIES
from seq2drum.music.kit import Kit, feet_for
from seq2drum.play.decode.bar import BarSampler, Pace, PlayedBatch
from seq2drum.play.decode.engine import Computation, OpenBar, Playable
from seq2drum.play.decode.memory import GrooveRows, expand_batch
from seq2drum.play.decode.plan import (
    HAT_BY_HAND,
    LEAST_BEATS,
    RIDE,
    TIMEKEEPERS,
    TIMEKEEPERS_BY_HAND,
    Plan,
    is_one_of,
    other_time,
)
from seq2drum.play.decode.sampling import Draws, Sampling, draws_of, thresholds

BODY = ("kick", "snare", "side stick", "clap", *TIMEKEEPERS)  # the pieces that define a groove
FIRM = 2.5  # logits that these gain at the hits of a firmly held groove, and lose elsewhere
LOST = 0.6  # share of these hits below which a bar has lost the time
RECOVERED = 4.0  # logits that these hits gain when such a bar is drawn again
LEAST_STRANGE = 2  # strokes on the other of the two from which a bar keeps time on both
TOMS = FAMILIES["toms"]
GHOST, LOUDER = 0.4, 1.3  # velocity up to which a hit of a groove is a ghost note, and how much louder it may be struck
AS_KICK = 0.8  # velocity of a crash on the first beat against that of its kick, at least
RUN = 2  # toms in a bar, beyond its groove's, from which they are a run
HABIT = 1, 2, 4  # bars back; if two of these agree on a change to the groove, the guess has it
RUN_GAP = 4  # bars after a run or fill on toms without another run
LOOKAHEAD_BARS = 8


class BarInputs(NamedTuple):
    """The numbers that a bar is drawn with, known before decoding.

    thresholds (S, V): logits above which hits are played. bias (S, V): added to the logits. struck (S, V): velocities
    of the bar's cues, None without cues. on_groove: the bar has a groove, and is neither a fill nor cued.
    """

    temperature: float
    draws: Draws
    thresholds: NDArray[np.float64]
    bias: FloatArray
    struck: FloatArray | None
    on_groove: bool
    pace: Pace


@dataclass(frozen=True)
class BarDecoder:
    """Decodes the bars [first, stop) of a plan, with the given bars unchanged and silence elsewhere.

    grooves: the rows of the plan's grooves. before: the number of bars of the song before those of the form.
    """

    model: Playable
    form: Form
    plan: Plan
    grooves: GrooveRows
    sampling: Sampling
    first: int
    stop: int
    given: Mapping[int, Grid]
    before: int = 0

    @cached_property
    def _sampler(self) -> BarSampler:
        return BarSampler(self.model, self.plan.pieces)

    @cached_property
    def _first_steps(self) -> list[int]:
        """The first step of each bar, and the number of all steps."""
        steps: list[int] = self.form.first.tolist()
        return steps

    @cached_property
    def _ahead(self) -> dict[int, BarInputs]:
        """The precomputed inputs, by bar."""
        return {}

    def decode(
        self, number: int, opened: OpenBar, previous: FloatArray, sketch: FloatArray | None, recent: FloatArray
    ) -> Computation[PlayedBatch]:
        """Decode a bar that the model has opened.

        The most likely take follows the sketch, unless it has a groove or earlier bars.

        Args:
            number: The bar.
            opened: Its step inputs and state.
            previous: (n, V) the hits of the step before it.
            sketch: (n, S, V) logits of its hits by the guitar alone; None from a model without one.
            recent: (RUN_GAP, S, V) the hits of the bars before it.
        """
        count, kit = int(self.form.steps[number]), self.model.kit
        # 1. Return a given bar, or silence outside the take.
        if number in self.given:
            return (yield from self._sampler.repeat(opened, previous, self.given[number], count))
        if not self.first <= number < self.stop:
            return self._sampler.rest(opened, previous, count)
        # 2. Draw its hits; if they lose the time or repeat a run, draw once more with corrected logits.
        temperature, draws, above, bias, struck, on_groove, pace = self._inputs(number)
        spread = min(temperature, 1.0)
        if sketch is None or temperature or self.given or self.plan.grooves[number] is not None:
            guess = expand_batch(self._guess(number, count, recent)[None], len(previous))
            played = yield from self._sampler.draw(opened, previous, draws, above - bias, spread, guess, pace)
            groove = self.grooves.hits[number, :count]
            correction = correction_of(played.hits[0], groove, recent, kit) if on_groove else None
            if correction is not None:
                above = above - (bias + correction)
                played = yield from self._sampler.draw(opened, previous, draws, above, spread, played.hits, pace)
        else:
            played = yield from self._sampler.trace(opened, previous, sketch[:, :count], draws, bias, pace)
        # After silence, silence is likeliest: a requested fill is sampled then, alike for every seed.
        if self.plan.is_requested(number) and not played.hits.any():
            draws = draws_of(0, self.before + number, count, len(kit), None)
            above = thresholds(draws.hits, Sampling()) - bias
            played = yield from self._sampler.draw(opened, previous, draws, above, 1.0, played.hits, pace)
        # 3. Strike its cues as planned, a crash nearly as hard as its kick, and ghost notes softly.
        if self.plan.ghosts and on_groove:
            soft = self.grooves.velocity[number, :count]
            most = np.where((soft > 0) & (soft < GHOST), np.rint(127 * LOUDER * soft) / 127, 1.0).astype(np.float32)
            played = played._replace(velocity=np.minimum(played.velocity, most))
        played = self._crashed(played)
        if struck is None:
            return played
        return played._replace(velocity=np.where(struck > 0, played.hits * struck, played.velocity))

    def _crashed(self, played: PlayedBatch) -> PlayedBatch:
        """Return a bar whose crash on the first beat is at least AS_KICK as loud as the kick under it."""
        places = self.model.kit.places
        if "crash" not in places or "kick" not in places or not played.hits[:, 0, places["crash"]].any():
            return played
        first = played.velocity[:, 0]
        least = np.rint(127 * AS_KICK * first[:, places["kick"]]) / 127 * played.hits[:, 0, places["crash"]]
        velocity = played.velocity.copy()
        velocity[:, 0, places["crash"]] = np.maximum(first[:, places["crash"]], least)
        return played._replace(velocity=velocity)

    def remembered(self, number: int, played: PlayedBatch) -> tuple[FloatArray, FloatArray]:
        """Return the hits (n, S, V) and velocities 0..1 to remember of a bar: for an exception, its groove's.

        A drummer who left the hat for a crash does not leave it there in every bar.
        """
        hits, rows = played.hits, self.grooves
        of_bar = number, slice(hits.shape[1])
        if rows.held[number] < 0 or number in self.given:
            return hits, played.velocity * hits
        if not self.plan.is_accident(self._first_steps[number], hits, rows.hits[of_bar], self.model.kit):
            return hits, played.velocity * hits
        return expand_batch(rows.hits[of_bar][None], len(hits)), expand_batch(rows.velocity[of_bar][None], len(hits))

    def _guess(self, number: int, count: int, recent: FloatArray) -> FloatArray:
        """Return a guess (count, V) of a bar's hits: its groove, with the changes that two recent bars agree on."""
        if self.grooves.held[number] < 0:
            return recent[-1, :count]
        groove, held, steps = self.grooves.hits[number, :count], self.grooves.held, self.form.steps
        back = [each for each in HABIT if each <= number and held[number - each] >= 0 and steps[number - each] == count]
        if len(back) < 2:
            return groove
        rows = self.grooves.hits
        other = sum(recent[-each, :count] - rows[number - each, :count] for each in back)
        return np.where(np.abs(other) < 2, groove, other > 0).astype(np.float32, copy=False)

    def _inputs(self, number: int) -> BarInputs:
        """Return the inputs of a bar. Precomputes LOOKAHEAD_BARS bars; batching keeps CPU caches warm."""
        if number not in self._ahead:
            self._ahead.clear()
            self._ahead.update({bar: self._made(bar) for bar in range(number, min(number + LOOKAHEAD_BARS, self.stop))})
        return self._ahead.pop(number)

    def _made(self, number: int) -> BarInputs:
        plan, kit, count, begin = self.plan, self.model.kit, int(self.form.steps[number]), self._first_steps[number]
        is_fill, groove = plan.is_fill(number), self.grooves.hits[number, :count]
        # 1. The random numbers; bars at one place of a section share some, unless the plan says which bars come back.
        sampling = self.sampling.of_bar(fill=is_fill)
        place = (plan.letter[number], int(plan.number[number])) if plan.change is None else None
        draws = draws_of(sampling.seed, self.before + number, count, len(kit), place, kit.voices_named(["crash"]))
        # 2. The bias of the plan, and of a firmly held groove.
        bias = plan.tilt(number, begin, groove, kit)
        on_groove = self.grooves.held[number] >= 0 and not is_fill and not plan.cues(begin, count)
        if self.grooves.firm and on_groove:
            body = kit.voices_named(BODY)
            bias[:, body] += FIRM * (2 * groove[:, body] - 1)
        # 3. The speed of the bar, and whether its groove takes two feet.
        seconds = quarters_into(count) * 60 / self.form.bpm[number]
        kicks = groove[:, kit.voices_named(["kick"])].any(axis=1)
        pace = Pace(seconds.tolist(), feet_for(seconds[kicks].tolist()))
        struck = plan.velocities(begin, count, kit)
        above = thresholds(draws.hits, sampling)
        return BarInputs(sampling.temperature, draws, above, bias, struck, on_groove, pace)


def correction_of(hits: FloatArray, groove: FloatArray, recent: FloatArray, kit: Kit) -> FloatArray | None:
    """Return a correction of the logits (S, V) of a bar on a groove, given its drawn hits (S, V), or None.

    groove (S, V). recent (RUN_GAP, S, V): the hits of the bars before it.
    """
    # The strokes of each step on each of _LINES, in the bar and in its groove, and their sums.
    lines = _lines(kit)
    struck, meant = hits @ lines, groove @ lines
    own, usual = struck.sum(axis=0).tolist(), meant.sum(axis=0).tolist()
    beats = np.count_nonzero(meant[:, 0])
    is_lost = beats >= LEAST_BEATS and np.count_nonzero(struck[:, 0]) < LOST * beats
    is_run = own[3] >= RUN and _is_run_again(hits, groove, recent, kit)
    strange = _strange_time(own, usual, kit)
    if not is_lost and not is_run and not strange:
        return None
    added = np.zeros_like(groove)
    added[:, strange] = -RECOVERED
    # Drummers leave the hat or the ride for a fill or with the band, not for a single bar.
    if is_lost:
        time = kit.voices_named(TIMEKEEPERS)
        added[:, time] = RECOVERED * groove[:, time]
    if is_run:
        toms = kit.voices_named(TOMS)
        added[:, toms] = -RECOVERED * (1 - groove[:, toms])
    return added


_LINES = TIMEKEEPERS_BY_HAND, HAT_BY_HAND, RIDE, TOMS


@lru_cache
def _lines(kit: Kit) -> FloatArray:
    """(V, 4): 1 for the voices of each of _LINES."""
    return np.stack([is_one_of(names, kit) for names in _LINES], axis=1)


def _strange_time(own: Sequence[float], usual: Sequence[float], kit: Kit) -> list[int]:
    """Return the voices on which a bar keeps time in addition to the piece of its groove, by the strokes on _LINES.

    Drummers move from the hat to the ride, and do not play both together.
    """
    other = other_time(usual[1], usual[2])
    moved, here = (own[2], own[1]) if other == RIDE else (own[1], own[2])
    return kit.voices_named(other) if here and moved >= LEAST_STRANGE else []


def _is_run_again(hits: FloatArray, groove: FloatArray, recent: FloatArray, kit: Kit) -> bool:
    """Return True if a bar (S, V) has a run of toms soon after another; groove (S, V), recent (RUN_GAP, S, V).

    A drummer leaves the groove for the toms now and then. A model that remembers such a bar plays it again and again.
    """
    toms = is_one_of(TOMS, kit)
    return bool((hits * (1 - groove) @ toms).sum() >= RUN and ((recent @ toms).sum(axis=1) >= RUN).any())
