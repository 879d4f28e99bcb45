"""The one decoding loop: bar after bar, step after step, voice after voice.

Streaming is the primitive: `play` yields bars, a song is the bars joined, and to cancel is to stop asking. All random
numbers come from the seed and the bar, or the bar's place in its section, so a bar's draws do not depend on what else
is played. `play` asks for what is to be computed, see `engine`; `played` has that computed at once.

Letters of shapes: B bars, S steps of a bar, V voices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.conditions import Controls, of_controls
from seq2drum.lattice.features import Features, GuitarGrid, features
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grid import Grid, quarters_into, to_full
from seq2drum.lattice.phrases import spans
from seq2drum.lattice.sections import sections
from seq2drum.music.choices import FAMILIES
from seq2drum.music.kit import Kit, feet_for
from seq2drum.music.notes import IntArray
from seq2drum.play.decode.bar import BarPlayer, Pace, PlayedBatch
from seq2drum.play.decode.engine import Computation, ComputationStream, Engine, OpenBar, Playable
from seq2drum.play.decode.ensemble import guided
from seq2drum.play.decode.memory import GrooveRows, Memory, expand_batch
from seq2drum.play.decode.plan import (
    TIMEKEEPERS,
    Arrangement,
    BoolArray,
    Plan,
    Wish,
    asked_for,
    is_one_of,
    planned,
    with_fills,
)
from seq2drum.play.decode.sampling import Draws, Sampling, draws_of, thresholds

BODY = ("kick", "snare", "side stick", "clap", *TIMEKEEPERS)  # the pieces that make a groove what it is
FIRM = 2.5  # logits that they gain where a groove that is held firmly has them, and lose elsewhere
LEAST_BEATS = 3  # hits a bar of a groove's hat or ride, from which time is kept on it
LOST = 0.35  # of them, that are played at least
RECOVERED = 4.0  # logits that they gain in a bar in which they were not
HAT_BY_HAND, RIDE = ("closed hat", "open hat"), ("ride", "bell")
LEAST_STRANGE = 2  # strokes on one of these in a bar of a groove on the other, from which time is kept on both
TOMS = FAMILIES["toms"]
RUN = 2  # toms of a bar that its groove does not have, from which they are a run
LOOKAHEAD_BARS = 8  # bars of which it is found out at once what is known before they are played
BESIDE = 2  # bars either side, whose fills a model sees when it reads a bar
HABIT = 1, 2, 4  # bars back, of which two tell how a groove is being played
APART = 4  # bars, within which a run or a fill on toms is followed by no other run


class PlayedBar(NamedTuple):
    """One bar of a take: its number, and its hits as a grid whose steps count from the barline.

    unwished: the hits that the bar has without the wishes for it, from which later bars go on; None if it has none.
    """

    number: int
    hits: Grid
    unwished: Grid | None = None


def play(
    model: Playable, guitar_grid: GuitarGrid, arrangement: Arrangement, guitar: Features
) -> ComputationStream[PlayedBar]:
    """Play to a guitar, a bar at a time.

    guitar_grid: the guitar. guitar: its features. A wish, and a fill at a given bar, change their own bars alone: the
    other bars are as they would be without, and remember nothing of it.
    """
    # 1. What is played in each bar.
    form, controls, given, plan = guitar_grid.form, arrangement.controls, arrangement.given, arrangement.plan
    first, sampling = arrangement.first, arrangement.sampling
    bars = np.arange(len(form.steps))
    stop = len(bars) if arrangement.stop is None else arrangement.stop
    is_given = np.isin(bars, list(given))
    idle = np.zeros(len(bars), dtype=np.bool_) if arrangement.stopped is None else arrangement.stopped & ~is_given
    able = (first <= bars) & (bars < stop) & ~is_given & ~idle
    grooves = GrooveRows.of(plan.grooves, form, model.kit, pieces=plan.pieces, firm=plan.firm)
    memory = Memory.of(form, len(model.kit), grooves, heard=model.hears_grooves)
    take = _Way.of(model, Request(form, sampling, plan, grooves, first, stop, given), able, memory, sampling)
    ways = [take.wished(replace(wish, bars=wish.bars & able)) for wish in arrangement.wishes]
    readings, refilled = _readings(take, ways, controls)
    for begin, end in _ranges(model, guitar_grid, idle):
        # 2. Encode the bars that are read as one, if there is any that is played.
        if idle[begin:end].all():
            yield from (PlayedBar(number, Grid.join([])) for number in range(begin, end))
            continue
        encoded = []
        for conditions, rows in readings:
            encoded.append((yield from model.encode(guitar, form, conditions, begin, end, rows)))
        if "key" in encoded[0]:
            memory.recognise(begin, encoded[0]["key"])
        for number in range(begin, end):
            if idle[number]:
                yield PlayedBar(number, Grid.join([]))
                continue
            # 3. Play the bar as it is without wishes.
            read = [{name: rows[number - begin, None] for name, rows in each.items()} for each in encoded]
            here = read[0]
            opens = number == begin
            played = yield from take.play(take.request, number, here, opens=opens)
            # 4. Play it as it is wished for, and with the fill that is asked for.
            way = next((way for way in ways if way.bars[number]), take)
            wished = played
            if way is not take:
                here = read[1]
                way.follow(take, number)
                wished = yield from way.play(way.request, number, here, opens=opens)
            asked = wished
            if way.filled[number]:
                asked = yield from way.play(way.asked, number, read[refilled[number]], opens=opens)
            elif way.crashed[number]:
                again = yield from way.play(way.asked, number, here, opens=opens)
                asked = _crashed_as(again, wished, model.kit)
            # 5. Remember it, without the fill; and what was wished for in the other bars of the wish alone.
            if way is not take:
                way.keep(number, wished)
            memory.keep(number, *take.request.remembered(number, played, model.kit))
            take.state, take.previous = played.state, played.hits[:, -1]
            yield PlayedBar(number, given.get(number, asked.grid), None if asked is played else played.grid)


Reading: TypeAlias = tuple[FloatArray, GrooveRows]
"""What is asked for in each bar of a song, as conditions, and what each is played on."""


@dataclass(eq=False)
class _Way:
    """How some bars (B,) are played, and what is known of those before: in a take without wishes, or by a wish.

    asked: the request with the fills that are asked for in single bars. filled (B,): the bars in which that is another
    one; crashed (B,): those in which only the crash on the first beat is. memory: of the take, on the grooves of the
    way. state (1, ·), previous (1, V): after the bar `last`. instead: what the bars of a wish are remembered as in it.
    """

    model: Playable
    player: BarPlayer
    request: Request
    asked: Request
    bars: BoolArray
    filled: BoolArray
    crashed: BoolArray
    memory: Memory
    state: FloatArray
    previous: FloatArray
    last: int = -1
    instead: dict[int, tuple[FloatArray, FloatArray]] = field(default_factory=dict)

    @staticmethod
    def of(model: Playable, request: Request, bars: BoolArray, memory: Memory, sampling: Sampling) -> _Way:
        """A way before the first bar; sampling: by which fills and crashes are planned."""
        plan, fills, none = request.plan, request.plan.fills, np.zeros(len(bars), dtype=np.bool_)
        asked, filled, crashed = plan, none, none
        if fills is not None or plan.level is not None:
            asked = asked_for(plan, sampling)
            before, after = (none if each.fill is None else each.fill for each in (plan, asked))
            filled = bars & ((none if fills is None else fills.asked) | (before != after))
            if asked.crash is not None and plan.crash is not None:
                crashed = bars & (asked.crash != plan.crash)
        silence = np.zeros((1, len(model.kit)), dtype=np.float32)
        again, request = replace(request, plan=asked), replace(request, plan=replace(plan, fills=None))
        player = BarPlayer(model, plan.pieces)
        return _Way(model, player, request, again, bars, filled, crashed, memory, model.silence[None], silence)

    def wished(self, wish: Wish) -> _Way:
        """The way of a wish for some bars of a take that is played this way."""
        take, model, bars, plan = self.request, self.model, wish.bars, wish.plan
        if take.plan.fill is not None:
            able = np.ones(len(bars), dtype=np.bool_)
            able[list(plan.gestures.still)] = False
            level = None if take.plan.level is None else take.plan.level & able
            plan = with_fills(replace(plan, level=level), take.plan.fill & able, take.sampling)
        rows = replace(take.grooves, firm=plan.firm)
        if any(plan.grooves[bar] is not take.plan.grooves[bar] for bar in np.flatnonzero(bars).tolist()):
            own = [groove if here else None for groove, here in zip(plan.grooves, bars.tolist(), strict=True)]
            rows = GrooveRows.of(own, take.form, model.kit, pieces=plan.pieces, firm=plan.firm)
        request = replace(take, sampling=wish.sampling, plan=plan, grooves=rows)
        return _Way.of(model, request, bars, replace(self.memory, grooves=rows), take.sampling)

    def follow(self, take: _Way, number: int) -> None:
        """Go on to a bar: from the one before it as this way has it, else as the take has it."""
        self.memory.keys = take.memory.keys
        if self.last != number - 1:
            self.state, self.previous = take.state, take.previous

    def play(
        self, request: Request, number: int, rows: dict[str, NDArray[Any]], *, opens: bool
    ) -> Computation[PlayedBatch]:
        """Play a bar as a request has it; rows: of what was encoded. opens: whether it is the first of what was."""
        remembered = self.memory.before(number, fill=request.plan.is_fill(number), instead=self.instead)
        opened = yield from self.model.open_bar(rows, remembered, self.state, first=opens)
        recent = self.memory.recent(number, APART, self.instead)
        return (yield from request.play(number, self.player, opened, self.previous, rows.get("sketch"), recent))

    def keep(self, number: int, played: PlayedBatch) -> None:
        """Remember a bar of a wish, in its other bars alone."""
        self.instead[number] = self.request.remembered(number, played, self.model.kit)
        self.last, self.state, self.previous = number, played.state, played.hits[:, -1]


def _readings(take: _Way, ways: Sequence[_Way], controls: Controls) -> tuple[list[Reading], IntArray]:
    """What the bars of a song are read with: those of a take, then those of wishes, then fills that are asked for.

    And (B,) with which of these each bar is read that has another fill. It has no other such bar beside it there, so
    that no wish for a fill changes what another one comes to.
    """
    every, numbers = (take, *ways), np.arange(len(take.bars))
    refilled = np.zeros_like(numbers)
    readings = [(of_controls(controls, len(numbers), take.request.plan.fill), take.request.grooves)]
    fill, grooves = take.request.plan.fill, take.request.grooves
    if ways:
        hits, velocity, held = grooves.hits.copy(), grooves.velocity.copy(), grooves.held.copy()
        for way in ways:
            own, plan = way.request.grooves, way.request.plan
            hits[way.bars], velocity[way.bars] = own.hits[way.bars], own.velocity[way.bars]
            held[way.bars] = own.held[way.bars]
            fill = None if fill is None or plan.fill is None else np.where(way.bars, plan.fill, fill)
        grooves = GrooveRows(hits, velocity, held)
        readings.append((of_controls(controls, len(numbers), fill), grooves))
    for turn in range(BESIDE + 1):
        with_fills = np.zeros(len(numbers), dtype=np.bool_) if fill is None else fill.copy()
        for way in every:
            here = way.filled & (numbers % (BESIDE + 1) == turn)
            if way.asked.plan.fill is not None:
                with_fills[here] = way.asked.plan.fill[here]
            refilled[here] = len(readings)
        if (refilled == len(readings)).any():
            readings.append((of_controls(controls, len(numbers), with_fills), grooves))
    return readings, refilled


def _crashed_as(other: PlayedBatch, played: PlayedBatch, kit: Kit) -> PlayedBatch:
    """A bar with the cymbals and hats of another one on its first beat, where it may crash."""
    hits, velocity, offset = (each.copy() for each in played[:3])
    cymbals = kit.voices_named(("crash", *TIMEKEEPERS))
    for here, there in zip((hits, velocity, offset), other, strict=False):
        here[:, 0, cymbals] = there[:, 0, cymbals]
    return PlayedBatch(hits, velocity, offset, played.state)


class Beforehand(NamedTuple):
    """What is known of a bar before any is played.

    thresholds (S, V): of its logits, to which tilt (S, V) is added. struck (S, V): how hard its cues are struck, None
    if it has none. is_groove: whether it is on a groove, and neither a fill nor with a cue. pace: how fast it is.
    """

    temperature: float
    draws: Draws
    thresholds: NDArray[np.float64]
    tilt: FloatArray
    struck: FloatArray | None
    is_groove: bool
    pace: Pace


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
    ) -> Computation[PlayedBatch]:
        """Play a bar; sketch (1, S, V): the logits of its hits that the guitar alone gives, from a model that has them.

        recent (APART, S, V): the hits of the bars before it.

        The most likely take plays what the guitar alone makes likely, unless there is something to go on from.
        """
        count, plan = int(self.form.steps[number]), self.plan
        if number in self.given:
            return (yield from player.repeat(opened, previous, self.given[number], count))
        if not self.first <= number < self.stop:
            return player.rest(opened, previous, count)
        temperature, draws, edges, tilt, struck, is_groove, pace = self._beforehand(number, player.kit)
        spread = min(temperature, 1.0)
        if sketch is None or temperature or self.given or plan.grooves[number] is not None:
            guess = expand_batch(self._guess(number, count, recent)[None], len(previous))
            played = yield from player.draw(opened, previous, draws, edges - tilt, spread, guess, pace)
            mended = self._mended(number, played.hits[0], recent, player.kit) if is_groove else None
            if mended is not None:
                above = edges - (tilt + mended)
                played = yield from player.draw(opened, previous, draws, above, spread, played.hits, pace)
        else:
            played = yield from player.trace(opened, previous, sketch[:, :count], draws, tilt, pace)
        if struck is None:
            return played
        return played._replace(velocity=np.where(struck > 0, played.hits * struck, played.velocity))

    def remembered(self, number: int, played: PlayedBatch, kit: Kit) -> tuple[FloatArray, FloatArray]:
        """What is remembered of a bar: hits (n, S, V), and velocities 0..1; its groove, of an accident.

        A drummer who left the hat for a crash does not leave it there in every bar.
        """
        hits, rows = played.hits, self.grooves
        of_bar = number, slice(hits.shape[1])
        if rows.held[number] < 0 or number in self.given:
            return hits, played.velocity * hits
        if not self.plan.is_accident(self._first_steps[number], hits, rows.hits[of_bar], kit):
            return hits, played.velocity * hits
        return expand_batch(rows.hits[of_bar][None], len(hits)), expand_batch(rows.velocity[of_bar][None], len(hits))

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
            for bar in range(number, min(number + LOOKAHEAD_BARS, self.stop)):
                self._known[bar] = self._found(bar, kit)
        return self._known.pop(number)

    def _found(self, number: int, kit: Kit) -> Beforehand:
        plan, count, begin = self.plan, int(self.form.steps[number]), self._first_steps[number]
        sampling = self.sampling.of_bar(fill=plan.is_fill(number))
        place = plan.letter[number], int(plan.number[number])
        draws = draws_of(sampling.seed, self.before + number, count, len(kit), place, kit.voices_named(["crash"]))
        tilt = plan.tilt(number, begin, self.grooves.hits[number, :count], kit)
        is_groove = self._is_groove(number)
        if self.grooves.firm and is_groove:
            tilt += self._towards_groove(number, count, kit)
        struck = plan.velocities(begin, count, kit)
        above, pace = thresholds(draws.hits, sampling), self._pace(number, kit)
        return Beforehand(sampling.temperature, draws, above, tilt, struck, is_groove, pace)

    def _pace(self, number: int, kit: Kit) -> Pace:
        """How fast a bar is, and whether its groove takes two feet."""
        count = int(self.form.steps[number])
        seconds = quarters_into(count) * 60 / self.form.bpm[number]
        kicks = self.grooves.hits[number, :count][:, kit.voices_named(["kick"])].any(axis=1)
        return Pace(seconds.tolist(), feet_for(seconds[kicks].tolist()))

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
        strange = _strange_time(hits, groove, kit)
        if not is_lost and not is_run and not strange:
            return None
        added = np.zeros_like(groove)
        added[:, strange] = -RECOVERED
        if is_lost:
            time = kit.voices_named(TIMEKEEPERS)
            added[:, time] = RECOVERED * groove[:, time]
        if is_run:
            toms = kit.voices_named(TOMS)
            added[:, toms] = -RECOVERED * (1 - groove[:, toms])
        return added


def _is_time_lost(hits: FloatArray, groove: FloatArray, kit: Kit) -> bool:
    """Whether the time that a groove keeps is not kept in a bar; hits, groove (S, V).

    A drummer who plays a groove on the hat or the ride stops with it for a fill or with the band, not for a bar.
    """
    keeps = is_one_of(TIMEKEEPERS, kit)
    beats = np.count_nonzero(groove @ keeps)
    return bool(beats >= LEAST_BEATS and np.count_nonzero(hits @ keeps) < LOST * beats)


def _strange_time(hits: FloatArray, groove: FloatArray, kit: Kit) -> list[int]:
    """The voices on which a bar keeps time beside the piece that its groove keeps it on; hits, groove (S, V).

    A drummer goes from the hat to the ride, and does not play both at once.
    """
    hat, ride = (is_one_of(piece, kit) for piece in (HAT_BY_HAND, RIDE))
    for own, other in ((hat, ride), (ride, hat)):
        if (groove @ own).sum() >= LEAST_BEATS and not (groove @ other).any() and (hits @ own).any():
            return np.flatnonzero(other).tolist() if (hits @ other).sum() >= LEAST_STRANGE else []
    return []


def _is_run_again(hits: FloatArray, groove: FloatArray, recent: FloatArray, kit: Kit) -> bool:
    """Whether a bar has a run of toms soon after another; hits, groove (S, V), recent (APART, S, V).

    A drummer leaves the groove for the toms now and then. A model that remembers such a bar plays it again and again.
    """
    toms = is_one_of(TOMS, kit)
    if (hits @ toms).sum() < RUN or (hits * (1 - groove) @ toms).sum() < RUN:
        return False
    return bool(((recent @ toms).sum(axis=1) >= RUN).any())


def _ranges(model: Playable, guitar_grid: GuitarGrid, idle: BoolArray) -> list[tuple[int, int]]:
    """The bars [begin, end) that are encoded as one, in the portions the model was trained on.

    idle (B,): bars that are not played; they are apart from those that are, but for the last of the song.
    """
    bars = len(idle)
    whole = [(0, bars)]
    if model.unit == "pair":
        notes = np.bincount(guitar_grid.form.bar_of(guitar_grid.guitar.step), minlength=bars).tolist()
        whole = spans([notes], max_notes=model.max_notes)
    end = int(np.flatnonzero(~idle).max(initial=0)) + 1
    cuts = set((np.flatnonzero(np.diff(idle[:end])) + 1).tolist())
    return [pair for begin, stop in whole for pair in pairwise(sorted({begin, stop, *(cuts & {*range(begin, stop)})}))]


def take_of(played: Iterable[PlayedBar], form: Form, kit: Kit) -> Grid:
    """What was played in the bars of a form, as one grid of the full kit; at least one bar."""
    return to_full(Grid.join(bar.hits.shift(form.first[bar.number]) for bar in played), kit)


def streamed(
    engine: Engine,
    guitar_grid: GuitarGrid,
    sampling: Sampling,
    *,
    plan: Plan | None = None,
    controls: Controls | None = None,
    first: int = 0,
    stop: int | None = None,
    given: Mapping[int, Grid] | None = None,
    stopped: BoolArray | None = None,
    wishes: Sequence[Wish] = (),
) -> ComputationStream[PlayedBar]:
    """Play to a guitar without a song: fills and crashes are planned, then `play` plays.

    plan: the sections and their grooves; by default those of the guitar, without grooves. For the others, see
    `Arrangement`.
    """
    controls, guitar = controls or Controls(), features(guitar_grid)
    model = guided(engine, controls)
    plan = plan or Plan.of_sections(len(guitar_grid.form.steps), sections(guitar_grid))
    plan = yield from planned(model, guitar, guitar_grid.form, plan, controls.fills, sampling)
    arrangement = Arrangement(
        plan, sampling, controls, first=first, stop=stop, given=given or {}, stopped=stopped, wishes=wishes
    )
    yield from play(model, guitar_grid, arrangement, guitar)


def played(engine: Engine, guitar_grid: GuitarGrid, sampling: Sampling, **more: Any) -> Iterator[PlayedBar]:
    """The bars of `streamed`, computed at once."""
    return engine.run(streamed(engine, guitar_grid, sampling, **more))
