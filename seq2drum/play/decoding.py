"""The one decoding loop: bar after bar, step after step, voice after voice.

Streaming is the primitive: `play` yields bars, a song is the bars joined, and to cancel is to stop asking. All random
numbers come from the seed and the bar, or the bar's place in its section, so a bar's draws do not depend on what else
is played. What is to be computed is asked for, see `engine`: `playing` is the loop itself, and `play` has its questions
answered at once.

Letters of shapes: B bars, S steps of a bar, V voices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.conditions import Controls, of_controls
from seq2drum.lattice.features import features
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grid import Grid, to_full
from seq2drum.lattice.listening import Heard
from seq2drum.lattice.phrases import spans
from seq2drum.lattice.sections import sections
from seq2drum.music.choices import FAMILIES
from seq2drum.music.kit import Kit
from seq2drum.play.bar import BarPlayer, PlayedWays
from seq2drum.play.engine import Asking, AskingStream, Engine, OpenBar, Playable
from seq2drum.play.groove_rows import GrooveRows
from seq2drum.play.guidance import guided
from seq2drum.play.memory import Memory, in_ways
from seq2drum.play.plan import KEPT, Plan, is_one_of, planned
from seq2drum.play.sampling import Draws, Sampling, draws_of, thresholds

Bools = NDArray[np.bool_]

BODY = ("kick", "snare", "side stick", "clap", *KEPT)  # the pieces that make a groove what it is
FIRM = 2.5  # logits that they gain where a groove that is held firmly has them, and lose elsewhere
LEAST_BEATS = 3  # hits a bar of a groove's hat or ride, from which time is kept on it
LOST = 0.35  # of them, that are played at least
RECOVERED = 4.0  # logits that they gain in a bar in which they were not
TOMS = FAMILIES["toms"]
RUN = 2  # toms of a bar that its groove does not have, from which they are a run
AT_ONCE = 8  # bars of which it is found out at once what is known before they are played
HABIT = 1, 2, 4  # bars back, of which two tell how a groove is being played
APART = 4  # bars, within which a run or a fill on toms is followed by no other run


class PlayedBar(NamedTuple):
    """One bar of a take: its number, and its hits as a grid whose steps count from the barline."""

    number: int
    hits: Grid


def play(engine: Engine, heard: Heard, sampling: Sampling, **more: Any) -> Iterator[PlayedBar]:
    """Play to a guitar, a bar at a time; see `playing`."""
    return engine.run(playing(engine, heard, sampling, **more))


def playing(
    engine: Engine,
    heard: Heard,
    sampling: Sampling,
    *,
    plan: Plan | None = None,
    controls: Controls | None = None,
    first: int = 0,
    stop: int | None = None,
    given: Mapping[int, Grid] | None = None,
    stopped: Bools | None = None,
) -> AskingStream[PlayedBar]:
    """Play to a guitar, a bar at a time. Bars outside [first, stop) are left silent.

    stopped (B,): bars that are left silent, too, and for which nothing is computed, see `lattice.rests`; what follows
    begins anew.

    plan: the sections and their grooves; by default those of the guitar, without grooves. Fills and crashes are planned
    here, as conditions of their bars. `given` are bars that are not drawn but played as they are: hits by the number of
    their bar, steps counted from its barline, keys being voices of the engine's kit. What follows goes on from them.
    """
    # 1. Choose what plays, and plan the whole song.
    form, controls = heard.form, controls or Controls()
    bars = len(form.steps)
    model, guitar = guided(engine, controls), features(heard)
    plan = plan or Plan.of_sections(bars, sections(heard))
    plan = yield from planned(model, guitar, form, plan, controls.fills, sampling)
    conditions = of_controls(controls, bars, plan.fill)
    grooves = GrooveRows.of(plan.grooves, form, model.kit, pieces=plan.pieces, firm=plan.firm)
    request = Request(form, sampling, plan, grooves, first, bars if stop is None else stop, given or {})
    idle = np.zeros(bars, dtype=np.bool_) if stopped is None else stopped & ~np.isin(np.arange(bars), list(given or ()))
    memory = Memory.of(form, len(model.kit), grooves, heard=model.hears_grooves)
    player, state = BarPlayer(model, plan.pieces), model.silence[None]
    previous = np.zeros((1, len(model.kit)), dtype=np.float32)
    for begin, end in _ranges(model, heard, idle):
        # 2. Encode the bars that are read as one, if there is any that is played.
        if idle[begin:end].all():
            yield from (PlayedBar(number, Grid.join([])) for number in range(begin, end))
            continue
        encoded = yield from model.encode(guitar, form, conditions, begin, end, grooves)
        if "key" in encoded:
            memory.recognise(begin, encoded["key"])
        for number in range(begin, end):
            # 3. Play the bar, and remember it.
            if idle[number]:
                yield PlayedBar(number, Grid.join([]))
                continue
            here = {name: rows[number - begin, None] for name, rows in encoded.items()}
            remembered = memory.before(number, fill=plan.is_fill(number))
            opened = yield from model.open_bar(here, remembered, state, first=number == begin)
            recent = memory.recent(number, APART)
            played = yield from request.play(number, player, opened, previous, here.get("sketch"), recent)
            memory.keep(number, played.hits, played.velocity)
            state, previous = played.state, played.hits[:, -1]
            yield PlayedBar(number, request.given.get(number, played.grid))


class Beforehand(NamedTuple):
    """What is known of a bar before any is played.

    thresholds (S, V): of its logits, to which tilt (S, V) is added. struck (S, V): how hard its cues are struck, None
    if it has none. is_groove: whether it is on a groove, and neither a fill nor with a cue.
    """

    temperature: float
    draws: Draws
    thresholds: NDArray[np.float64]
    tilt: FloatArray
    struck: FloatArray | None
    is_groove: bool


@dataclass(frozen=True)
class Request:
    """What is to be played in each bar: bars [first, stop), of which the given ones as they are; silence elsewhere.

    before: how many bars of the song come before those of the form.
    """

    form: Form
    sampling: Sampling
    plan: Plan
    grooves: GrooveRows
    first: int
    stop: int
    given: Mapping[int, Grid]
    before: int = 0

    def play(
        self,
        number: int,
        player: BarPlayer,
        opened: OpenBar,
        previous: FloatArray,
        sketch: FloatArray | None,
        recent: FloatArray,
    ) -> Asking[PlayedWays]:
        """Play a bar; sketch (1, S, V): the logits of its hits that the guitar alone gives, from a model that has them.

        recent (APART, S, V): the hits of the bars before it.

        The most likely take plays what the guitar alone makes likely, unless there is something to go on from.
        """
        count, plan = int(self.form.steps[number]), self.plan
        if number in self.given:
            return (yield from player.repeat(opened, previous, self.given[number], count))
        if not self.first <= number < self.stop:
            return player.rest(opened, previous, count)
        temperature, draws, edges, tilt, struck, is_groove = self._beforehand(number, player.kit)
        spread = min(temperature, 1.0)
        if sketch is None or temperature or self.given or plan.grooves[number] is not None:
            guess = in_ways(self._guess(number, count, recent)[None], len(previous))
            played = yield from player.draw(opened, previous, draws, edges - tilt, spread, guess)
            mended = self._mended(number, played.hits[0], recent, player.kit) if is_groove else None
            if mended is not None:
                above = edges - (tilt + mended)
                played = yield from player.draw(opened, previous, draws, above, spread, played.hits)
        else:
            played = yield from player.trace(opened, previous, sketch[:, :count], draws, tilt)
        if struck is None:
            return played
        return played._replace(velocity=np.where(struck > 0, played.hits * struck, played.velocity))

    def _guess(self, number: int, count: int, recent: FloatArray) -> FloatArray:
        """(count, V): what a bar of so many steps may be: its groove, with what has mostly become of it so far."""
        if self.grooves.held[number] < 0:
            return recent[-1, :count]
        groove, held, steps = self.grooves.hits[number, :count], self.grooves.held, self.form.steps
        back = [each for each in HABIT if each <= number and held[number - each] >= 0 and steps[number - each] == count]
        if len(back) < 2:
            return groove
        theirs = self.grooves.hits[[number - each for each in back], :count]
        other = (recent[[-each for each in back], :count] - theirs).sum(axis=0)
        return np.where(abs(other) < 2, groove, other > 0).astype(np.float32)

    def _beforehand(self, number: int, kit: Kit) -> Beforehand:
        """What is known of a bar. It is found out for several at once: after each graph caches have to fill anew."""
        if number not in self._known:
            self._known.clear()
            for bar in range(number, min(number + AT_ONCE, self.stop)):
                self._known[bar] = self._found(bar, kit)
        return self._known.pop(number)

    def _found(self, number: int, kit: Kit) -> Beforehand:
        plan, count, begin = self.plan, int(self.form.steps[number]), self._first_steps[number]
        sampling = self.sampling.of_bar(fill=plan.is_fill(number))
        place = plan.letter[number], int(plan.number[number])
        draws = draws_of(sampling.seed, self.before + number, count, len(kit), place)
        tilt = plan.tilt(number, begin, self.grooves.hits[number, :count], kit)
        is_groove = self._is_groove(number)
        if self.grooves.firm and is_groove:
            tilt += self._towards_groove(number, count, kit)
        struck = plan.velocities(begin, count, kit)
        return Beforehand(sampling.temperature, draws, thresholds(draws.hits, sampling), tilt, struck, is_groove)

    @cached_property
    def _known(self) -> dict[int, Beforehand]:
        return {}

    @cached_property
    def _first_steps(self) -> list[int]:
        """The first step of each bar, and the number of all steps."""
        steps: list[int] = self.form.first.tolist()
        return steps

    def _is_groove(self, number: int) -> bool:
        """Whether a bar is on a groove, and neither a fill nor a bar in which the drums stop or begin with the band."""
        if self.grooves.held[number] < 0 or self.plan.is_fill(number):
            return False
        return not self.plan.cues(self._first_steps[number], int(self.form.steps[number]))

    def _towards_groove(self, number: int, steps: int, kit: Kit) -> FloatArray:
        """What is added to the logits (S, V) of a bar so that kick, snare and time are those of the groove."""
        tilt = np.zeros((steps, len(kit)), dtype=np.float32)
        body = kit.voices_named(BODY)
        tilt[:, body] = FIRM * (2 * self.grooves.hits[number, :steps][:, body] - 1)
        return tilt

    def _mended(self, number: int, hits: FloatArray, recent: FloatArray, kit: Kit) -> FloatArray | None:
        """What is to be added to the logits (S, V) of a bar on a groove, of what was drawn (S, V); None if nothing."""
        groove = self.grooves.hits[number, : len(hits)]
        is_lost, is_run = _is_time_lost(hits, groove, kit), _is_run_again(hits, groove, recent, kit)
        if not is_lost and not is_run:
            return None
        added = np.zeros_like(groove)
        if is_lost:
            time = kit.voices_named(KEPT)
            added[:, time] = RECOVERED * groove[:, time]
        if is_run:
            toms = kit.voices_named(TOMS)
            added[:, toms] = -RECOVERED * (1 - groove[:, toms])
        return added


def _is_time_lost(hits: FloatArray, groove: FloatArray, kit: Kit) -> bool:
    """Whether the time that a groove keeps is not kept in a bar; hits, groove (S, V).

    A drummer who plays a groove on the hat or the ride stops with it for a fill or with the band, not for a bar.
    """
    keeps = is_one_of(KEPT, kit)
    beats = np.count_nonzero(groove @ keeps)
    return bool(beats >= LEAST_BEATS and np.count_nonzero(hits @ keeps) < LOST * beats)


def _is_run_again(hits: FloatArray, groove: FloatArray, recent: FloatArray, kit: Kit) -> bool:
    """Whether a bar has a run of toms soon after another; hits, groove (S, V), recent (APART, S, V).

    A drummer leaves the groove for the toms now and then. A model that remembers such a bar plays it again and again.
    """
    toms = is_one_of(TOMS, kit)
    if (hits @ toms).sum() < RUN or (hits * (1 - groove) @ toms).sum() < RUN:
        return False
    return bool(((recent @ toms).sum(axis=1) >= RUN).any())


def _ranges(model: Playable, heard: Heard, idle: Bools) -> list[tuple[int, int]]:
    """The bars [begin, end) that are encoded as one, in the portions the model was trained on.

    idle (B,): bars that are not played; they are apart from those that are, but for the last of the song.
    """
    bars = len(idle)
    whole = [(0, bars)]
    if model.unit == "pair":
        notes = np.bincount(heard.form.bar_of(heard.guitar.step), minlength=bars).tolist()
        whole = spans([notes], max_notes=model.max_notes)
    end = int(np.flatnonzero(~idle).max(initial=0)) + 1
    cuts = set((np.flatnonzero(np.diff(idle[:end])) + 1).tolist())
    return [pair for begin, stop in whole for pair in pairwise(sorted({begin, stop, *(cuts & {*range(begin, stop)})}))]


def take_of(played: Iterable[PlayedBar], form: Form, kit: Kit) -> Grid:
    """What was played in the bars of a form, as one grid of the full kit; at least one bar."""
    return to_full(Grid.join(bar.hits.shift(form.first[bar.number]) for bar in played), kit)
