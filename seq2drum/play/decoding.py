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
from seq2drum.play.plan import KEPT, Plan, planned
from seq2drum.play.sampling import Sampling, draws_of

Bools = NDArray[np.bool_]

BODY = ("kick", "snare", "side stick", "clap", *KEPT)  # the pieces that make a groove what it is
FIRM = 2.5  # logits that they gain where a groove that is held firmly has them, and lose elsewhere
LEAST_BEATS = 3  # hits a bar of a groove's hat or ride, from which time is kept on it
LOST = 0.35  # of them, that are played at least
RECOVERED = 4.0  # logits that they gain in a bar in which they were not
TOMS = FAMILIES["toms"]
RUN = 2  # toms of a bar that its groove does not have, from which they are a run
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
        count, voices, plan = int(self.form.steps[number]), previous.shape[1], self.plan
        if number in self.given:
            return (yield from player.repeat(opened, previous, self.given[number], count))
        if not self.first <= number < self.stop:
            return player.rest(opened, previous, count)
        sampling = self.sampling.of_bar(fill=plan.is_fill(number))
        place = plan.letter[number], int(plan.number[number])
        draws = draws_of(sampling.seed, self.before + number, count, voices, place)
        begin = int(self.form.first[number])
        tilt = plan.tilt(number, begin, self.grooves.hits[number, :count], player.kit)
        struck = plan.velocities(begin, count, player.kit)
        if self.grooves.firm and self._is_groove(number):
            tilt += self._towards_groove(number, count, player.kit)
        if sketch is None or sampling.temperature or self.given or plan.grooves[number] is not None:
            guess = self.grooves.hits[number] if self.grooves.held[number] >= 0 else recent[-1]
            guess = in_ways(guess[None, :count], len(previous))
            played = yield from player.draw(opened, previous, draws, sampling, tilt, guess)
            mended = self._lost_time(number, played, player.kit) + self._run_again(number, played, recent, player.kit)
            if mended.any():
                played = yield from player.draw(opened, previous, draws, sampling, tilt + mended, played.hits)
        else:
            played = yield from player.trace(opened, previous, sketch[:, :count], draws, tilt)
        return played._replace(velocity=np.where(struck > 0, played.hits * struck, played.velocity))

    def _is_groove(self, number: int) -> bool:
        """Whether a bar is on a groove, and neither a fill nor a bar in which the drums stop or begin with the band."""
        is_break = self.plan.is_fill(number) or self.plan.has_cue(number, self.form)
        return self.grooves.held[number] >= 0 and not is_break

    def _towards_groove(self, number: int, steps: int, kit: Kit) -> FloatArray:
        """What is added to the logits (S, V) of a bar so that kick, snare and time are those of the groove."""
        tilt = np.zeros((steps, len(kit)), dtype=np.float32)
        body = kit.voices_named(BODY)
        tilt[:, body] = FIRM * (2 * self.grooves.hits[number, :steps][:, body] - 1)
        return tilt

    def _lost_time(self, number: int, played: PlayedWays, kit: Kit) -> FloatArray:
        """What is to be added to the logits (S, V) of a bar in which the groove's time is not kept; 0 if it is.

        A drummer who plays a groove on the hat or the ride stops with it for a fill or with the band, not for a bar.
        """
        kept = np.zeros(played.hits.shape[1:], dtype=np.float32)
        time = kit.voices_named(KEPT)
        wanted = self.grooves.hits[number, : len(kept)][:, time]
        beats = wanted.any(axis=1).sum()
        is_lost = beats >= LEAST_BEATS and played.hits[0][:, time].any(axis=1).sum() < LOST * beats
        if is_lost and self._is_groove(number):
            kept[:, time] = RECOVERED * wanted
        return kept

    def _run_again(self, number: int, played: PlayedWays, recent: FloatArray, kit: Kit) -> FloatArray:
        """What is to be added to the logits (S, V) of a bar with a run of toms soon after another; 0 if there is none.

        A drummer leaves the groove for the toms now and then. A model that remembers such a bar plays it again and
        again.
        """
        less = np.zeros(played.hits.shape[1:], dtype=np.float32)
        toms = kit.voices_named(TOMS)
        foreign = 1 - self.grooves.hits[number, : len(less)][:, toms]
        is_run = (played.hits[0][:, toms] * foreign).sum() >= RUN
        if is_run and self._is_groove(number) and (recent[..., toms].sum(axis=(1, 2)) >= RUN).any():
            less[:, toms] = -RECOVERED * foreign
        return less


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
