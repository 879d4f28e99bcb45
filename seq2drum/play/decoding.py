"""The one decoding loop: bar after bar, step after step, voice after voice.

Streaming is the primitive: `play` yields bars, a song is the bars joined, and to cancel is to stop asking. All chance
comes from (seed, bar), so a bar's draws do not depend on what else is played. What it wants computed it asks for, see
`engine`: `playing` is the loop itself, and `play` has its questions answered at once.

The first bars are played in several ways at once, and the way that most agree with is gone on with. Letters of shapes:
n ways of playing (after the opening one), S steps of a bar, V voices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import gt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice import conditions
from seq2drum.lattice.conditions import Controls
from seq2drum.lattice.features import Features, features
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grid import HALF_GAP, HIT_LENGTH, OFFSET_UNITS, Grid, to_full
from seq2drum.lattice.listening import Heard
from seq2drum.lattice.phrases import spans
from seq2drum.music.kit import Kit
from seq2drum.music.limbs import Limbs
from seq2drum.play.engine import Asking, AskingStream, Engine, OpenBar
from seq2drum.play.guidance import Guided

LOOK_BACK = 4  # bars a model may look back as they were played; before the song there is silence
MEMORY_BARS = 1024  # bars that can be remembered; without an end, the time for a song would grow with its square
OPENING_BARS = 4  # bars that are the best of several tries, of each length: what is played first will be remembered
OPENING_TRIES = 10
# In comparing openings, how much more a hit weighs that others play and one leaves out than one it plays alone: what is
# certain is sparse, and where each puts the kick elsewhere, most would agree on none.
RECALL_WEIGHT = 2
# How many times over a wish is heeded, see `guidance`. Heeded three times, a level overshoots what was asked for.
STYLE_GUIDANCE, LEVEL_GUIDANCE = 3.0, 2.0
USUAL_FILLS = 0.5  # the wish that asks for as many fills as drummers play
PLANNED_PER_FILL = 1.2  # fills planned for each that is to be heard: not every one that is asked for stands out
FILL_GAP = 4  # bars from a fill to the next: on validation songs closer ones are more often wrong than right
# What is likelier than this belongs to the plainest take, and sharpening moves away from it: hits are rarer than rests,
# so that around one half a sharpened take would be an empty one. At 0.3 a plain take has as many as real ones.
HIT_THRESHOLD = 0.3

Order = list[list[tuple[int, float]]]
"""For each voice, the voices drawn after it and what a hit of it adds to their logits."""


class Sampling(NamedTuple):
    """How a take is drawn.

    seed; temperature, 0 plays what is likelier than HIT_THRESHOLD; top_p, the share of likely outcomes that is kept;
    tries, in how many ways the opening is played, of which one is chosen.
    """

    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    tries: int = 1


class PlayedBar(NamedTuple):
    """One bar of a take: its number, and its hits as a grid whose steps count from the barline."""

    number: int
    hits: Grid


class Memory:
    """The bars of a take so far: what the guitar did in each, and what was played to it, in n ways.

    Before the song there are a few bars of silence, so that the first bars have something to look back at.
    """

    def __init__(self, form: Form, voices: int) -> None:
        count = LOOK_BACK + len(form.steps)
        self.steps = np.concatenate([np.zeros(LOOK_BACK, dtype=np.int64), form.steps])
        self.hits = np.zeros((1, count, int(form.steps.max()), voices), dtype=np.float32)
        self.velocity = np.zeros_like(self.hits)
        self.keys = np.zeros((1, count, 0), dtype=np.float32)

    def recognise(self, first: int, keys: FloatArray) -> None:
        """Take in what bars from `first` on are recognised by, (bars, ·)."""
        if not self.keys.shape[-1]:
            self.keys = np.zeros((*self.keys.shape[:2], keys.shape[-1]), dtype=np.float32)
        self.keys[0, LOOK_BACK + first : LOOK_BACK + first + len(keys)] = keys

    def keep(self, bar: int, hits: FloatArray, velocity: FloatArray) -> None:
        """Take in what was played in a bar: hits (n, S, V), velocities 0..1."""
        self.hits[:, LOOK_BACK + bar, : hits.shape[1]] = hits
        self.velocity[:, LOOK_BACK + bar, : hits.shape[1]] = velocity * hits

    def before(self, bar: int) -> dict[str, NDArray[Any]]:
        """What `Engine.open_bar` wants to know of the bars before one. Only bars of as many steps are remembered."""
        now = LOOK_BACK + bar
        since = slice(max(now - MEMORY_BARS, 0), now)
        distance = np.where(self.steps[since] == self.steps[now], now - np.arange(since.start, now), 0)
        ways = len(self.hits)
        return {
            "keys": _ways(self.keys[:, since], ways),
            "distance": _ways(distance[None], ways),
            "past": self.hits[:, since],
            "past_velocity": self.velocity[:, since],
        }

    def forked(self, ways: int, stop: int) -> Memory:
        """The same memory of the bars before `stop`, to be gone on with in n ways."""
        found = object.__new__(Memory)
        until = slice(0, LOOK_BACK + stop)
        found.steps, found.keys = self.steps, self.keys
        found.hits, found.velocity = (_ways(array[:, until], ways).copy() for array in (self.hits, self.velocity))
        return found


def _ways(rows: NDArray[Any], ways: int) -> NDArray[Any]:
    """(1, ...) -> (n, ...), the same for each way."""
    return rows if len(rows) == ways else np.broadcast_to(rows, (ways, *rows.shape[1:]))


def play(engine: Engine, heard: Heard, sampling: Sampling, **asked: Any) -> Iterator[PlayedBar]:
    """Play to a guitar, a bar at a time; see `playing`."""
    return engine.run(playing(engine, heard, sampling, **asked))


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
    form, voices = heard.form, len(engine.kit)
    stop = len(form.steps) if stop is None else stop
    given = given or {}
    controls = controls or Controls()
    heed = STYLE_GUIDANCE if controls.style is not None else LEVEL_GUIDANCE
    player = engine if controls == Controls(fills=controls.fills) else Guided(engine, heed)
    drum = _Drum(player, sampling)
    memory = Memory(form, voices)
    state = player.silence[None]
    previous = np.zeros((1, voices), dtype=np.float32)
    # If something is given, it is known what to go on from.
    openings = _openings(form.steps.tolist(), first, stop) if sampling.tries > 1 and not given else {}
    opening, opened_bars = range(0), list[_Bar]()
    read = yield from _read(player, heard, controls, sampling)
    for begin, end in read.ranges:
        known = yield from player.encode(read.features, form, read.told, begin, end)
        if "key" in known:
            memory.recognise(begin, known["key"])
        for bar in range(begin, end):
            if bar in openings:
                opening, ways, single = openings[bar], sampling.tries, memory
                memory = memory.forked(ways, opening.stop)
                state, previous = (np.repeat(rows, ways, axis=0) for rows in (state, previous))
            here = {name: _ways(rows[bar - begin : bar - begin + 1], len(state)) for name, rows in known.items()}
            opened = yield from player.open_bar(here, memory.before(bar), state, first=bar == begin)
            rng = np.random.default_rng([sampling.seed, bar])
            if bar in given:
                played = yield from drum.repeat(opened, previous, _rolls(given[bar], int(form.steps[bar]), voices))
            elif first <= bar < stop:
                # The plainest take plays what the guitar alone makes likely, unless there is something to go on from.
                if "sketch" in here and not sampling.temperature and not given:
                    played = yield from drum.trace(opened, previous, here["sketch"][:, : int(form.steps[bar])], rng)
                else:
                    played = yield from drum.draw(opened, previous, int(form.steps[bar]), rng)
            else:
                silence = np.zeros((len(state), int(form.steps[bar]), voices), dtype=np.float32)
                played = _Bar(silence, silence, silence, opened.state)
            memory.keep(bar, played.hits, played.velocity)
            state, previous = played.state, played.hits[:, -1]
            if bar in opening:
                opened_bars.append(played)
                if bar + 1 < opening.stop:
                    continue
                best = _most_agreed([each.hits for each in opened_bars])
                memory, state, previous = single, state[best : best + 1], previous[best : best + 1]
                for number, each in enumerate(opened_bars, opening.start):
                    chosen = each.way(best)
                    memory.keep(number, chosen.hits, chosen.velocity)
                    yield PlayedBar(number, _grid(chosen))
                opened_bars.clear()
                continue
            taken = given[bar] if bar in given else _grid(played)
            yield PlayedBar(bar, taken)


def _openings(steps: Sequence[int], first: int, stop: int) -> dict[int, range]:
    """Where bars of a length begin that was not played before, and up to OPENING_BARS of them in a row.

    Only bars of as many steps can be remembered. So a new metre begins as a song does, with nothing to go on from.
    """
    found, played = {}, set[int]()
    for bar in range(first, stop):
        if steps[bar] not in played:
            played.add(steps[bar])
            end = next((at for at in range(bar, stop) if steps[at] != steps[bar]), stop)
            found[bar] = range(bar, min(end, bar + OPENING_BARS))
    return found


class _Read(NamedTuple):
    """A guitar ready to be played to.

    told: what is asked for in each bar. ranges: the bars [begin, end) that are encoded as one.
    """

    features: Features
    told: FloatArray
    ranges: list[tuple[int, int]]


def _read(engine: Engine | Guided, heard: Heard, controls: Controls, sampling: Sampling) -> Asking[_Read]:
    """Make the guitar ready in the portions the model was trained on, and plan where to break the pattern.

    That is planned before a note is played, and told like any other wish.
    """
    form, found = heard.form, features(heard)
    bars = len(form.steps)
    ranges = [(0, bars)]
    if engine.unit == "pair":
        notes = np.bincount(form.bar_of(heard.guitar.step), minlength=bars).tolist()
        ranges = spans([notes], max_notes=engine.max_notes)
    fill, logits = None, (yield from engine.plan(found, form))
    if logits is not None:
        seed = sampling.seed if sampling.temperature else 0  # the plainest take is one, whatever the seed
        fill = plan_fills(logits, controls.fills, np.random.default_rng([seed, bars, 1]))
    return _Read(found, conditions.asked(controls, bars, fill), ranges)


def plan_fills(logits: FloatArray, wish: float | None, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(B,): in which bars to break the pattern, given the logits of drummers doing so.

    As many as drummers would play, times twice the wish, where they are likeliest, a little chance aside; each at least
    FILL_GAP bars from the last.
    """
    chances = 1 / (1 + np.exp(-logits.astype(np.float64)))
    many = PLANNED_PER_FILL * chances.sum() * (USUAL_FILLS if wish is None else wish) / USUAL_FILLS
    count = int(many + rng.random())
    fill = np.zeros(len(logits), dtype=bool)
    for bar in np.argsort(-(logits + 0.2 * rng.gumbel(size=len(logits))), kind="stable").tolist():
        if fill.sum() >= count:
            break
        fill[bar] = not fill[max(bar - FILL_GAP + 1, 0) : bar + FILL_GAP].any()
    return fill


class _Bar(NamedTuple):
    """A played bar: hits, velocities 0..1 and offsets in gaps (n, S, V), and the state after it (n, ·)."""

    hits: FloatArray
    velocity: FloatArray
    offset: FloatArray
    state: FloatArray

    def way(self, index: int) -> _Bar:
        """One of the n ways."""
        return _Bar(*(rows[index : index + 1] for rows in self))


def _order(matrix: FloatArray) -> Order:
    return [
        [(later, weight) for later, weight in enumerate(column) if later > voice and weight]
        for voice, column in enumerate(matrix.T.tolist())
    ]


def _draw(limbs: Limbs, order: Order, logits: list[float], thresholds: list[float]) -> list[int]:
    """The voices of one step, in order: those whose logit, given the ones before, exceeds their threshold."""
    drawn: list[int] = []
    if not any(map(gt, logits, thresholds)):  # most steps are rests
        return drawn
    for voice, threshold in enumerate(thresholds):
        if logits[voice] > threshold and limbs.can_add(voice, drawn):
            drawn.append(voice)
            for later, weight in order[voice]:
                logits[later] += weight
    return drawn


class _Drum:
    """A model at its kit: plays opened bars, in n ways at once."""

    def __init__(self, engine: Engine | Guided, sampling: Sampling) -> None:
        self.engine = engine
        self.sampling = sampling
        self.limbs = Limbs(engine.kit)
        self.order = _order(engine.voice_order)
        pieces: dict[str, list[int]] = {}
        for index, voice in enumerate(engine.kit.voices):
            pieces.setdefault(voice.nine or voice.name, []).append(index)
        self.pieces = list(pieces.values())

    def draw(self, opened: OpenBar, previous: FloatArray, count: int, rng: np.random.Generator) -> Asking[_Bar]:
        """A bar of `count` steps, drawn step by step."""
        ways, voices = previous.shape
        thresholds = _thresholds(rng.random((ways, count, voices)), self.sampling).tolist()
        hits = np.zeros((ways, count, voices), dtype=np.float32)

        def choose(step: int, logits: FloatArray) -> FloatArray:
            for row, expected in enumerate(logits.tolist()):
                drawn = _draw(self.limbs, self.order, expected, thresholds[row][step])
                if drawn:
                    hits[row, step, drawn] = 1
            return hits[:, step]

        thinking, state = yield from self._walk(opened, previous, count, choose)
        velocity, offset = yield from _feel(
            self.engine, opened, hits, thinking, rng, min(self.sampling.temperature, 1.0)
        )
        return _Bar(hits, velocity, offset, state)

    def trace(
        self, opened: OpenBar, previous: FloatArray, sketch: FloatArray, rng: np.random.Generator
    ) -> Asking[_Bar]:
        """A bar after a sketch of it, logits (n, S, V): of each piece of the kit what is likelier than HIT_THRESHOLD.

        Voices that are one piece in the nine-voice view share their chances, and the likeliest of them plays: what is
        either a snare or a side stick is a backbeat.
        """
        chances = 1 / (1 + np.exp(-sketch.astype(np.float64)))
        hits = np.zeros(sketch.shape, dtype=np.float32)
        for members in self.pieces:
            any_of = 1 - np.prod(1 - chances[..., members], axis=-1)
            way, step = np.nonzero(any_of > HIT_THRESHOLD)
            hits[way, step, np.array(members)[chances[..., members].argmax(axis=-1)[way, step]]] = 1
        for row, at in np.argwhere(hits.sum(axis=-1) > 1).tolist():
            wanted = np.where(hits[row, at], 1.0, -1.0).tolist()
            hits[row, at] = 0
            hits[row, at, _draw(self.limbs, [[] for _ in wanted], wanted, [0.0] * len(wanted))] = 1
        thinking, state = yield from self._walk(opened, previous, sketch.shape[1], lambda step, logits: hits[:, step])
        velocity, offset = yield from _feel(self.engine, opened, hits, thinking, rng, 0.0)
        return _Bar(hits, velocity, offset, state)

    def repeat(self, opened: OpenBar, previous: FloatArray, played: _Bar) -> Asking[_Bar]:
        """A bar that is played as it is given: what is left to do is to know it."""
        ways = len(previous)
        hits, velocity, offset = (_ways(rows, ways) for rows in played[:3])
        _, state = yield from self._walk(opened, previous, hits.shape[1], lambda step, logits: hits[:, step])
        return _Bar(hits, velocity, offset, state)

    def _walk(
        self,
        opened: OpenBar,
        previous: FloatArray,
        count: int,
        choose: Callable[[int, FloatArray], FloatArray],
    ) -> Asking[tuple[FloatArray, FloatArray]]:
        """Go through a bar, each step's hits (n, V) chosen by their logits: thoughts (n, S, ·), and the last state."""
        state, thinking = opened.state, []
        for step in range(count):
            logits, thought, state = yield from self.engine.step(
                opened.inputs[:, step], opened.thoughts[:, step], previous, state
            )
            thinking.append(thought)
            previous = choose(step, logits)
        return np.stack(thinking, axis=1), state


def take_of(played: Iterable[PlayedBar], form: Form, kit: Kit) -> Grid:
    """What was played in the bars of a form, as one grid of the full kit; at least one bar."""
    return to_full(Grid.join(bar.hits.shift(form.first[bar.number]) for bar in played), kit)


def _most_agreed(bars: Sequence[FloatArray]) -> int:
    """Which of n ways of playing some bars, each (n, S, V), has on average the most hits in common with the others.

    By hit F1: the way of least risk under the model (S. Kumar, W. Byrne, Minimum Bayes-risk decoding, 2004). What is
    only one way's whim is not what the song begins with.
    """
    flat = np.concatenate([hits.reshape(len(hits), -1) for hits in bars], axis=1)
    both, count = flat @ flat.T, flat.sum(axis=1)
    agreement = (1 + RECALL_WEIGHT**2) * both / np.maximum(count[:, None] + RECALL_WEIGHT**2 * count[None, :], 1)
    return int(np.argmax(agreement.sum(axis=1) - np.diag(agreement)))


def _feel(
    engine: Engine | Guided,
    opened: OpenBar,
    hits: FloatArray,
    thinking: FloatArray,
    rng: np.random.Generator,
    spread: float,
) -> Asking[tuple[FloatArray, FloatArray]]:
    """How a bar's hits are struck: velocities 0..1 and offsets in gaps, both (n, S, V) and 0 where there is none."""
    echo = None if opened.echo is None else opened.echo[:, : hits.shape[1]]
    felt = yield from engine.feel(thinking, hits, echo)
    # A drummer varies within bounds: the tails of the distributions are errors, not feel.
    noise = rng.uniform(0.05, 0.95, size=(2, *hits.shape[1:]))
    at = _, step, voice = np.nonzero(hits)
    noise = noise[:, step, voice]
    noise = np.log(noise / (1 - noise)) * spread
    found = np.clip(felt["velocity"][at] + felt["velocity_scale"][at] * noise[0], 1 / 127, 1)
    most = HALF_GAP / OFFSET_UNITS
    moved = np.clip(felt["offset"][at] + felt["offset_scale"][at] * noise[1], -most, most)
    velocity, offset = np.zeros((2, *hits.shape), dtype=np.float32)
    # What is remembered is what is written: velocities of MIDI's 127.
    velocity[at], offset[at] = np.rint(found * 127) / 127, moved
    return velocity, offset


def _thresholds(uniform: NDArray[np.float64], sampling: Sampling) -> NDArray[np.float64]:
    """The logit above which a voice is played: a hit of probability p is drawn when p, sharpened, exceeds the number.

    Outcomes (playing or resting) of a probability below 1 - top_p are never drawn.
    """
    low = min(max(1 - sampling.top_p, 1e-9), 0.5)
    # Sharpened first, then cut: p < low never plays, whatever the temperature.
    uniform = np.maximum(uniform, 2.0**-54)  # zero, the one number without a logarithm, is drawn now and then
    plain = np.log(HIT_THRESHOLD / (1 - HIT_THRESHOLD))
    kept = plain + (np.log(uniform / (1 - uniform)) - plain) * sampling.temperature
    edge = np.log((1 - low) / low)
    thresholds: NDArray[np.float64] = np.clip(kept, -edge, edge)
    return thresholds


def _grid(bar: _Bar) -> Grid:
    """The hits of a bar that is played in one way."""
    _, step, voice = np.nonzero(bar.hits)
    return Grid(
        step,
        voice,
        np.clip(np.rint(bar.velocity[0, step, voice] * 127), 1, 127).astype(np.int64),
        np.rint(bar.offset[0, step, voice] * OFFSET_UNITS).astype(np.int64),
        np.full(len(step), HIT_LENGTH),
    )


def _rolls(grid: Grid, steps: int, voices: int) -> _Bar:
    """A grid as a bar played in one way."""
    hits, velocity, offset = np.zeros((3, 1, steps, voices), dtype=np.float32)
    at = (0, grid.step, grid.key)
    hits[at], velocity[at], offset[at] = 1, grid.velocity / 127, grid.offset / OFFSET_UNITS
    return _Bar(hits, velocity, offset, np.zeros((1, 0), dtype=np.float32))
