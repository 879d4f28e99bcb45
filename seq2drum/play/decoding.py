"""The one decoding loop: bar after bar, step after step, voice after voice.

Streaming is the primitive: `play` yields bars, a song is the bars joined, and to cancel is to stop asking. All random
numbers come from (seed, bar), so a bar's draws do not depend on what else is played. What is to be computed is asked
for, see `engine`: `playing` is the loop itself, and `play` has its questions answered at once.

The first bars are played in several ways at once, and the take goes on with the way that most agree with. Letters of
shapes: n ways of playing (after the opening one), B bars, S steps of a bar, V voices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.conditions import Controls, of_controls
from seq2drum.lattice.features import Features, features
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grid import Grid, to_full
from seq2drum.lattice.listening import Heard
from seq2drum.lattice.phrases import spans
from seq2drum.music.kit import Kit
from seq2drum.play.bar import BarPlayer, PlayedWays
from seq2drum.play.engine import Asking, AskingStream, Engine, OpenBar, Playable
from seq2drum.play.guidance import guided
from seq2drum.play.memory import Memory, in_ways
from seq2drum.play.sampling import Sampling

OPENING_BARS = 4  # bars that are the best of several tries, of each length: what is played first will be remembered
# In comparing the ways of an opening, how much a hit of another way weighs that a way leaves out, against one that it
# plays alone (the beta of an F-measure). Hits that are certain are sparse, so where each way puts the kick elsewhere,
# most would agree on none.
RECALL_WEIGHT = 2
USUAL_FILLS = 0.5  # the control that asks for as many fills as drummers play
PLANNED_PER_FILL = 1.2  # fills planned for each that is to be heard: not every one that is asked for stands out
FILL_GAP = 4  # bars from a fill to the next: on validation songs closer ones are more often wrong than right


class PlayedBar(NamedTuple):
    """One bar of a take: its number, and its hits as a grid whose steps count from the barline."""

    number: int
    hits: Grid


# --- the loop ---------------------------------------------------------------------------------------------------------


def play(engine: Engine, heard: Heard, sampling: Sampling, **more: Any) -> Iterator[PlayedBar]:
    """Play to a guitar, a bar at a time; see `playing`."""
    return engine.run(playing(engine, heard, sampling, **more))


def playing(
    engine: Engine,
    heard: Heard,
    sampling: Sampling,
    *,
    controls: Controls | None = None,
    first: int = 0,
    stop: int | None = None,
    given: Mapping[int, Grid] | None = None,
) -> AskingStream[PlayedBar]:
    """Play to a guitar, a bar at a time. Bars outside [first, stop) are left silent.

    `given` are bars that are not drawn but played as they are: hits by the number of their bar, steps counted from its
    barline, keys being voices of the engine's kit. What follows goes on from them.
    """
    # 1. Choose what plays, and make the guitar ready.
    form, controls = heard.form, controls or Controls()
    request = _Request(form, sampling, first, len(form.steps) if stop is None else stop, given or {})
    model = guided(engine, controls)
    player, so_far = BarPlayer(model, sampling), _SoFar.of(model, form)
    openings, opening = request.openings(), list[PlayedWays]()
    guitar = yield from _guitar(model, heard, controls, sampling)
    for begin, end in guitar.ranges:
        # 2. Encode the bars that are read as one.
        encoded = yield from model.encode(guitar.features, form, guitar.conditions, begin, end)
        if "key" in encoded:
            so_far.memory.recognise(begin, encoded["key"])
        for number in range(begin, end):
            # 3. Where an opening begins, go on in several ways.
            if number in openings:
                before, bars = so_far, openings[number]
                so_far = before.forked(sampling.tries, bars.stop)
            # 4. Play the bar, and remember it.
            here = {name: in_ways(rows[number - begin, None], so_far.ways) for name, rows in encoded.items()}
            memory = so_far.memory.before(number)
            opened = yield from model.open_bar(here, memory, so_far.state, first=number == begin)
            played = yield from request.play(number, player, opened, so_far.previous, here.get("sketch"))
            so_far.keep(number, played)
            # 5. Where an opening ends, go on in the way that most agree with.
            if so_far.ways == 1:
                yield PlayedBar(number, request.given.get(number, played.grid))
                continue
            opening.append(played)
            if number + 1 == bars.stop:
                best = most_agreed([each.hits for each in opening])
                so_far = before
                for chosen, each in zip(bars, opening, strict=True):
                    so_far.keep(chosen, each.way(best))
                    yield PlayedBar(chosen, each.way(best).grid)
                opening.clear()


@dataclass(frozen=True)
class _Request:
    """What is to be played in each bar: bars [first, stop), of which the given ones as they are; silence elsewhere."""

    form: Form
    sampling: Sampling
    first: int
    stop: int
    given: Mapping[int, Grid]

    def openings(self) -> dict[int, range]:
        """The openings that are played in several ways, by first bar; none where something is given to go on from."""
        if self.sampling.tries <= 1 or self.given:
            return {}
        return opening_bars(self.form.steps.tolist(), self.first, self.stop)

    def play(
        self, number: int, player: BarPlayer, opened: OpenBar, previous: FloatArray, sketch: FloatArray | None
    ) -> Asking[PlayedWays]:
        """Play a bar; sketch (n, S, V): the logits of its hits that the guitar alone gives, from a model that has them.

        The most likely take plays what the guitar alone makes likely, unless there is something to go on from.
        """
        count = int(self.form.steps[number])
        rng = np.random.default_rng([self.sampling.seed, number])
        if number in self.given:
            played = yield from player.repeat(opened, previous, self.given[number], count)
        elif not self.first <= number < self.stop:
            played = player.rest(opened, previous, count)
        elif sketch is None or self.sampling.temperature or self.given:
            played = yield from player.draw(opened, previous, count, rng)
        else:
            played = yield from player.trace(opened, previous, sketch[:, :count], rng)
        return played


@dataclass
class _SoFar:
    """A take so far, in n ways: its bars, the state (n, ·) after them, and the hits (n, V) of the last step."""

    memory: Memory
    state: FloatArray
    previous: FloatArray

    @staticmethod
    def of(model: Playable, form: Form) -> _SoFar:
        """The take before its first bar, in one way."""
        voices = len(model.kit)
        return _SoFar(Memory.of(form, voices), model.silence[None], np.zeros((1, voices), dtype=np.float32))

    @property
    def ways(self) -> int:
        """n."""
        return len(self.state)

    def forked(self, ways: int, stop: int) -> _SoFar:
        """The same in n ways, to be gone on with as far as the bar `stop`."""
        state, previous = (np.repeat(rows, ways, axis=0) for rows in (self.state, self.previous))
        return _SoFar(self.memory.forked(ways, stop), state, previous)

    def keep(self, bar: int, played: PlayedWays) -> None:
        """Go on from a bar that was played."""
        self.memory.keep(bar, played.hits, played.velocity)
        self.state, self.previous = played.state, played.hits[:, -1]


def take_of(played: Iterable[PlayedBar], form: Form, kit: Kit) -> Grid:
    """What was played in the bars of a form, as one grid of the full kit; at least one bar."""
    return to_full(Grid.join(bar.hits.shift(form.first[bar.number]) for bar in played), kit)


# --- openings ---------------------------------------------------------------------------------------------------------


def opening_bars(steps: Sequence[int], first: int, stop: int) -> dict[int, range]:
    """Where bars of a length begin that was not played before, and up to OPENING_BARS of them in a row.

    Only bars of as many steps can be remembered. So a new metre begins as a song does, with nothing to go on from.
    """
    ranges, played = {}, set[int]()
    for bar in range(first, stop):
        if steps[bar] not in played:
            played.add(steps[bar])
            end = next((at for at in range(bar, stop) if steps[at] != steps[bar]), stop)
            ranges[bar] = range(bar, min(end, bar + OPENING_BARS))
    return ranges


def most_agreed(bars: Sequence[FloatArray]) -> int:
    """Which of n ways of playing some bars, each (n, S, V), has on average the most hits in common with the others.

    By an F-measure of hits: the way of least risk under the model (S. Kumar, W. Byrne, Minimum Bayes-risk decoding,
    2004). What only one way plays is not what the song begins with.
    """
    flat = np.concatenate([hits.reshape(len(hits), -1) for hits in bars], axis=1)
    both, count = flat @ flat.T, flat.sum(axis=1)
    agreement = (1 + RECALL_WEIGHT**2) * both / np.maximum(count[:, None] + RECALL_WEIGHT**2 * count[None, :], 1)
    return int(np.argmax(agreement.sum(axis=1) - np.diag(agreement)))


# --- the guitar and the fills -----------------------------------------------------------------------------------------


class _Guitar(NamedTuple):
    """A guitar ready to be played to.

    conditions (B, CONDITIONS.size): what is asked for in each bar. ranges: the bars [begin, end) that are encoded as
    one.
    """

    features: Features
    conditions: FloatArray
    ranges: list[tuple[int, int]]


def _guitar(model: Playable, heard: Heard, controls: Controls, sampling: Sampling) -> Asking[_Guitar]:
    """Make the guitar ready in the portions the model was trained on, and plan where to break the pattern.

    Fills are planned before a note is played, and are conditions of their bars as what a musician asks for is.
    """
    form, of_guitar = heard.form, features(heard)
    bars = len(form.steps)
    ranges = [(0, bars)]
    if model.unit == "pair":
        notes = np.bincount(form.bar_of(heard.guitar.step), minlength=bars).tolist()
        ranges = spans([notes], max_notes=model.max_notes)
    fill, logits = None, (yield from model.fill_logits(of_guitar, form))
    if logits is not None:
        seed = sampling.seed if sampling.temperature else 0  # the most likely take is one, whatever the seed
        fill = plan_fills(logits, controls.fills, np.random.default_rng([seed, bars, 1]))
    return _Guitar(of_guitar, of_controls(controls, bars, fill), ranges)


def plan_fills(logits: FloatArray, level: float | None, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(B,): in which bars to break the pattern, given the logits (B,) of drummers doing so.

    As many as drummers would play, times twice the level (0..1) that is asked for, in the likeliest bars but for some
    noise; each at least FILL_GAP bars from the last.
    """
    likely = 1 / (1 + np.exp(-logits.astype(np.float64)))
    many = PLANNED_PER_FILL * likely.sum() * (USUAL_FILLS if level is None else level) / USUAL_FILLS
    count = int(many + rng.random())
    fill = np.zeros(len(logits), dtype=bool)
    for bar in np.argsort(-(logits + 0.2 * rng.gumbel(size=len(logits))), kind="stable").tolist():
        if fill.sum() >= count:
            break
        fill[bar] = not fill[max(bar - FILL_GAP + 1, 0) : bar + FILL_GAP].any()
    return fill
