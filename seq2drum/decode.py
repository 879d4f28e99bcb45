"""The one decoding loop: bar after bar, step after step, voice after voice.

Streaming is the primitive: `play` yields bars, a song is the bars joined, and to cancel is to stop asking. All chance
comes from (seed, bar), so a bar's draws do not depend on what else is played.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.engine import Engine, OpenBar
from seq2drum.features import FloatArray, Form, Heard, features
from seq2drum.grid import HALF_GAP, HIT_LENGTH, OFFSET_UNITS, Grid
from seq2drum.kit import Kit
from seq2drum.phrases import spans

LOOK_BACK = 4  # bars a model may look back as they were played; before the song there is silence
MEMORY = 1024  # bars that can be remembered; without an end, the time for a song would grow with its square
HANDS, LIMBS = 2, 4
OPENING = 4  # bars that are the best of several tries: what is played first is what will be remembered
TRIES = 24

Order = list[list[tuple[int, float]]]
"""For each voice, the voices drawn after it and what a hit of it adds to their logits."""


class Chance(NamedTuple):
    """How a take is drawn.

    seed; temperature (0 plays what is likelier than not); top_p, the share of likely outcomes kept; tries, from how
    many each of the first bars is chosen.
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
    """The bars of a take so far: what the guitar did in each, and what was played to it.

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
        """Take in what was played in a bar: hits (S, V), velocities 0..1."""
        self.hits[0, LOOK_BACK + bar, : len(hits)] = hits
        self.velocity[0, LOOK_BACK + bar, : len(hits)] = velocity * hits

    def before(self, bar: int) -> dict[str, NDArray[Any]]:
        """What `Engine.open_bar` wants to know of the bars before one. Only bars of as many steps are remembered."""
        now = LOOK_BACK + bar
        since = slice(max(now - MEMORY, 0), now)
        distance = np.where(self.steps[since] == self.steps[now], now - np.arange(since.start, now), 0)
        return {
            "keys": self.keys[:, since],
            "distance": distance[None],
            "past": self.hits[:, since],
            "past_velocity": self.velocity[:, since],
        }


def play(
    engine: Engine, heard: Heard, chance: Chance, *, first: int = 0, stop: int | None = None
) -> Iterator[PlayedBar]:
    """Play to a guitar, a bar at a time. Bars outside [first, stop) are left silent."""
    form, voices = heard.form, len(engine.kit)
    stop = len(form.steps) if stop is None else stop
    limbs, order = Limbs(engine.kit), _order(engine.voice_order)
    memory = Memory(form, voices)
    state = engine.silence[None]
    previous = np.zeros((1, voices), dtype=np.float32)
    for known, begin, end in _units(engine, heard):
        if "key" in known:
            memory.recognise(begin, known["key"])
        for bar in range(begin, end):
            here = {name: rows[bar - begin : bar - begin + 1] for name, rows in known.items()}
            opened = engine.open_bar(here, memory.before(bar), state, first=bar == begin)
            hits = velocity = offset = np.zeros((int(form.steps[bar]), voices), dtype=np.float32)
            state = opened.state
            if first <= bar < stop:
                rng = np.random.default_rng([chance.seed, bar])
                tries = chance.tries if bar - first < OPENING else 1
                drawn = _play_bar(engine, limbs, order, opened, previous, len(hits), rng, chance, tries)
                hits, velocity, offset, state = drawn
            memory.keep(bar, hits, velocity)
            previous = hits[-1:]
            yield PlayedBar(bar, _grid(hits, velocity, offset))


def _units(engine: Engine, heard: Heard) -> Iterator[tuple[dict[str, NDArray[Any]], int, int]]:
    """Read the guitar in the portions the model was trained on: what is known of bars [begin, end)."""
    form, found = heard.form, features(heard)
    ranges = [(0, len(form.steps))]
    if engine.unit == "pair":
        notes = np.bincount(form.bar_of(heard.guitar.step), minlength=len(form.steps)).tolist()
        ranges = spans([notes], max_notes=engine.max_notes)
    for begin, end in ranges:
        yield engine.encode(found, form, begin, end), begin, end


class Limbs:
    """What one drummer can strike at once: four things, two pieces of the kit by hand, and one state of the hi-hat."""

    def __init__(self, kit: Kit) -> None:
        self.hand = [voice.limb == "hand" for voice in kit.voices]
        names = [voice.name for voice in kit.voices]
        # One pair of cymbals cannot be open and closed at once.
        self.hats = {names.index(name) for name in ("open hat", "closed hat", "pedal hat") if name in names}

    def can_add(self, voice: int, struck: Sequence[int]) -> bool:
        """Whether a voice can be struck together with others."""
        if voice in struck or len(struck) >= LIMBS:
            return False
        if self.hand[voice] and sum(self.hand[other] for other in struck) >= HANDS:
            return False
        return voice not in self.hats or self.hats.isdisjoint(struck)


def _order(matrix: FloatArray) -> Order:
    return [
        [(later, weight) for later, weight in enumerate(column) if later > voice and weight]
        for voice, column in enumerate(matrix.T.tolist())
    ]


def _draw(limbs: Limbs, order: Order, logits: list[float], thresholds: list[float]) -> list[int]:
    """The voices of one step, in order: those whose logit, given the ones before, exceeds their threshold."""
    drawn: list[int] = []
    for voice, threshold in enumerate(thresholds):
        if logits[voice] > threshold and limbs.can_add(voice, drawn):
            drawn.append(voice)
            for later, weight in order[voice]:
                logits[later] += weight
    return drawn


def _play_bar(
    engine: Engine,
    limbs: Limbs,
    order: Order,
    opened: OpenBar,
    previous: FloatArray,
    count: int,
    rng: np.random.Generator,
    chance: Chance,
    tries: int,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """One bar, the best of some tries: hits (S, V), velocities 0..1 and offsets in gaps, and the state after it."""
    voices = previous.shape[1]
    # Tries are drawn as freely as real music is: a sharpened model hardly begins to play.
    freely = chance if tries == 1 else chance._replace(temperature=max(chance.temperature, 1.0))
    thresholds = _thresholds(rng.random((tries, count, voices)), freely).tolist()
    hits = np.zeros((tries, count, voices), dtype=np.float32)
    logits, thinking = [], []
    inputs, thoughts, previous, state = (
        np.repeat(rows, tries, axis=0) for rows in (opened.inputs, opened.thoughts, previous, opened.state)
    )
    for step in range(count):
        expected, thought, state = engine.step(inputs[:, step], thoughts[:, step], previous, state)
        logits.append(expected)
        thinking.append(thought)
        for row, (found, limits) in enumerate(zip(expected.tolist(), thresholds, strict=True)):
            drawn = _draw(limbs, order, found, limits[step])
            if drawn:
                hits[row, step, drawn] = 1
        previous = hits[:, step]
    best = _least_surprising(np.stack(logits, axis=1), hits, engine.voice_order) if tries > 1 else 0
    hits, thought, state = hits[best], np.stack(thinking, axis=1)[best : best + 1], state[best : best + 1]
    velocity, offset = _feel(engine, opened, hits, thought, rng, min(chance.temperature, 1.0))
    return hits, velocity, offset, state


def _least_surprising(logits: FloatArray, hits: FloatArray, order: FloatArray) -> int:
    """Which of some tries at a bar has the fewest nats a hit; logits and hits (tries, S, V).

    Not the fewest nats: a model that cannot decide between hi-hat and ride is least surprised by neither, and what is
    sparse once stays sparse. A bar with few hits must pay all its rests with them.
    """
    logits = logits + hits @ order.T
    nats = np.sum(np.logaddexp(0, logits) - hits * logits, axis=(1, 2))
    return int(np.argmin(nats / (np.sum(hits, axis=(1, 2)) + 1)))


def _feel(
    engine: Engine, opened: OpenBar, hits: FloatArray, thinking: FloatArray, rng: np.random.Generator, spread: float
) -> tuple[FloatArray, FloatArray]:
    """How a bar's hits (S, V) are struck: velocities 0..1 and offsets in gaps, both (S, V)."""
    echo = None if opened.echo is None else opened.echo[:, : len(hits)]
    felt = engine.feel(thinking, hits[None], echo)
    # A drummer varies within bounds: the tails of the distributions are errors, not feel.
    noise = rng.uniform(0.05, 0.95, size=(2, *hits.shape))
    noise = np.log(noise / (1 - noise)) * spread
    velocity = np.clip(felt["velocity"][0] + felt["velocity_scale"][0] * noise[0], 1 / 127, 1)
    most = HALF_GAP / OFFSET_UNITS
    offset = np.clip(felt["offset"][0] + felt["offset_scale"][0] * noise[1], -most, most)
    # What is remembered is what is written: velocities of MIDI's 127.
    return (np.rint(velocity * 127) / 127).astype(np.float32), offset.astype(np.float32)


def _thresholds(uniform: NDArray[np.float64], chance: Chance) -> NDArray[np.float64]:
    """The logit above which a voice is played: a hit of probability p is drawn when p, sharpened, exceeds the number.

    Outcomes (playing or resting) of a probability below 1 - top_p are never drawn.
    """
    low = min(max(1 - chance.top_p, 1e-9), 0.5)
    # Sharpened first, then cut: p < low never plays, whatever the temperature.
    uniform = np.maximum(uniform, 2.0**-54)  # zero, the one number without a logarithm, is drawn now and then
    kept = np.log(uniform / (1 - uniform)) * chance.temperature
    edge = np.log((1 - low) / low)
    return np.clip(kept, -edge, edge)


def _grid(hits: FloatArray, velocity: FloatArray, offset: FloatArray) -> Grid:
    step, voice = np.nonzero(hits)
    return Grid(
        step,
        voice,
        np.clip(np.rint(velocity[step, voice] * 127), 1, 127).astype(np.int64),
        np.rint(offset[step, voice] * OFFSET_UNITS).astype(np.int64),
        np.full(len(step), HIT_LENGTH),
    )
