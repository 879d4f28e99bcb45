"""One bar as a model plays it: drawn step by step, traced after a sketch, repeated as it is given, or left silent.

What is drawn at a step depends on what was drawn before it. A bar is drawn with few passes through its steps all the
same: its hits are guessed, all steps are drawn at once as if the guess were right, and those from the first that is
drawn otherwise on are drawn again, the guess being what was drawn of them. This is speculative decoding: Y. Leviathan,
M. Kalman, Y. Matias, Fast inference from transformers via speculative decoding (2023), where the model guesses again by
itself as in A. Santilli et al., Accelerating transformer inference for translation via parallel decoding (2023). Since
the random numbers of each step are known beforehand, what is drawn is the same, and not only as likely, whatever the
guess.

All of it for a batch. Letters of shapes: n batch, S steps of the bar, V voices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.grid import HALF_GAP, HIT_LENGTH, OFFSET_UNITS, Grid
from seq2drum.music.kit import Limbs, Strokes
from seq2drum.play.checkpoint.runtime import Outputs
from seq2drum.play.decode.engine import Computation, OpenBar, Playable
from seq2drum.play.decode.memory import Pieces, expand_batch
from seq2drum.play.decode.sampling import HIT_THRESHOLD, Draws

Numbers = NDArray[np.float64]


class Pace(NamedTuple):
    """Speed of a bar: seconds (S,) from the barline to each step, and the number of feet that play its kicks."""

    seconds: Sequence[float]
    feet: int


class PlayedBatch(NamedTuple):
    """A played bar, for a batch of n: hits, velocities 0..1 and offsets in gaps (n, S, V); state (n, ·) after it."""

    hits: FloatArray
    velocity: FloatArray
    offset: FloatArray
    state: FloatArray

    @property
    def grid(self) -> Grid:
        """The hits of the first way; steps count from the barline."""
        _, step, voice = np.nonzero(self.hits[:1])
        return Grid(
            step,
            voice,
            _clipped(np.rint(self.velocity[0, step, voice] * 127), 1, 127).astype(np.int64),
            np.rint(self.offset[0, step, voice] * OFFSET_UNITS).astype(np.int64),
            np.full(len(step), HIT_LENGTH),
        )


class BarSampler:
    """Plays the bars that a model has opened. wished: the pieces to play on; None for all."""

    def __init__(self, model: Playable, wished: Pieces | None = None) -> None:
        self._model = model
        self._wished = wished if wished is not None and wished.moves else None
        self.kit = model.kit
        self._limbs = Limbs(model.kit)
        self._order, self._no_order = _Order.of(model.voice_order), _Order.of(np.zeros_like(model.voice_order))
        pieces: dict[str, list[int]] = {}
        for index, voice in enumerate(model.kit.voices):
            pieces.setdefault(voice.nine or voice.name, []).append(index)
        self._pieces = list(pieces.values())

    def draw(
        self,
        opened: OpenBar,
        previous: FloatArray,
        draws: Draws,
        played_above: Numbers,
        spread: float,
        guess: FloatArray,
        pace: Pace,
    ) -> Computation[PlayedBatch]:
        """A bar, drawn step by step. previous (n, V): the hits of the step before.

        played_above (S, V): the logits above which hits are played. spread: see `_feel`. guess (n, S, V): what may be
        drawn; see the module's text. The better it is, the sooner is this done.
        """
        hits, known, (count, voices) = guess.copy(), 0, played_above.shape
        while known < count:
            logits, hidden, state = yield from self._decode_bar(opened, previous, hits)
            if self._wished is not None:
                logits = self._wished.logits(logits)
            drawn = _drawn(self._limbs, self._order, logits, played_above, pace, hits[:, :known])
            wrong = np.flatnonzero(drawn != hits[:, known:])
            hits[:, known:] = drawn
            # The first step that was guessed wrong is drawn rightly, too: nothing before it was wrong.
            known += int((wrong // voices % (count - known)).min()) + 1 if len(wrong) else count
        velocity, offset = yield from self._feel(opened, hits, hidden, draws, spread)
        return PlayedBatch(hits, velocity, offset, state)

    def trace(
        self, opened: OpenBar, previous: FloatArray, sketch: FloatArray, draws: Draws, tilt: FloatArray, pace: Pace
    ) -> Computation[PlayedBatch]:
        """A bar after a sketch of it, logits (n, S, V): of each piece of the kit what is likelier than HIT_THRESHOLD.

        tilt (S, V): added to the logits.

        Voices that are one piece in the nine-voice view share their probabilities, and the likeliest of them plays:
        what is either a snare or a side stick is a backbeat.
        """
        # 1. Of each piece, whether any of its voices is likely, and then the likeliest.
        sketch = (sketch if self._wished is None else self._wished.logits(sketch)) + tilt
        likely = 1 / (1 + np.exp(-np.maximum(sketch.astype(np.float64), -700)))
        hits = np.zeros(sketch.shape, dtype=np.float32)
        for members in self._pieces:
            any_of = 1 - np.prod(1 - likely[..., members], axis=-1)
            member, step = np.nonzero(any_of > HIT_THRESHOLD)
            hits[member, step, np.array(members)[likely[..., members].argmax(axis=-1)[member, step]]] = 1
        # 2. Of several voices in a step, those that one drummer can strike at once.
        hits = _drawn(self._limbs, self._no_order, hits, np.zeros(hits.shape[1:]), pace, hits[:, :0])
        # 3. Tell the model, and let it say how they are struck.
        _, hidden, state = yield from self._decode_bar(opened, previous, hits)
        velocity, offset = yield from self._feel(opened, hits, hidden, draws, 0.0)
        return PlayedBatch(hits, velocity, offset, state)

    def repeat(self, opened: OpenBar, previous: FloatArray, given: Grid, count: int) -> Computation[PlayedBatch]:
        """A bar of `count` steps that is played as it is given; the model only learns of it."""
        batch, voices = previous.shape
        rows = np.zeros((3, 1, count, voices), dtype=np.float32)
        at = (0, given.step, given.key)
        rows[0][at], rows[1][at], rows[2][at] = 1, given.velocity / 127, given.offset / OFFSET_UNITS
        hits, velocity, offset = (expand_batch(each, batch) for each in rows)
        _, _, state = yield from self._decode_bar(opened, previous, hits)
        return PlayedBatch(hits, velocity, offset, state)

    def rest(self, opened: OpenBar, previous: FloatArray, count: int) -> PlayedBatch:
        """A silent bar of `count` steps; the model goes on from the barline."""
        silence = np.zeros((len(previous), count, previous.shape[1]), dtype=np.float32)
        return PlayedBatch(silence, silence, silence, opened.state)

    def _decode_bar(self, opened: OpenBar, previous: FloatArray, hits: FloatArray) -> Computation[Outputs]:
        """Go through a bar with these hits (n, S, V): logits (n, S, V), hidden states and last state."""
        count = hits.shape[1]
        before = np.concatenate([previous[:, None], hits[:, :-1]], axis=1)
        return self._model.decode_bar(opened.inputs[:, :count], opened.step_context[:, :count], before, opened.state)

    def _feel(
        self, opened: OpenBar, hits: FloatArray, hidden: FloatArray, draws: Draws, spread: float
    ) -> Computation[tuple[FloatArray, FloatArray]]:
        """Return how a bar's hits are struck: velocities 0..1 and offsets in gaps, (n, S, V), 0 where there is none.

        spread: 0 is what the model expects, 1 as wide as it says.
        """
        echo = None if opened.echo is None else opened.echo[:, : hits.shape[1]]
        felt = yield from self._model.feel(hidden, hits, echo)
        # A drummer varies within bounds: the tails of the distributions are errors, not feel.
        at = np.flatnonzero(hits)
        noise = 0.05 + 0.9 * draws.struck.reshape(2, -1)[:, at % draws.hits.size]
        noise = np.log(noise / (1 - noise)) * spread
        centre, scale, offset_centre, offset_scale = (
            felt[name].ravel()[at] for name in ("velocity", "velocity_scale", "offset", "offset_scale")
        )
        most = HALF_GAP / OFFSET_UNITS
        struck = _clipped(centre + scale * noise[0], 1 / 127, 1)
        velocity, offset = np.zeros((2, *hits.shape), dtype=np.float32)
        # What is remembered is what is written: velocities of MIDI's 127.
        np.put(velocity, at, np.rint(struck * 127) / 127)
        np.put(offset, at, _clipped(offset_centre + offset_scale * noise[1], -most, most))
        return velocity, offset


def _clipped(numbers: Numbers, least: float, most: float) -> Numbers:
    clipped: Numbers = np.minimum(np.maximum(numbers, least), most)
    return clipped


class _Order(NamedTuple):
    """Logits that hits add to those drawn after them in a step.

    added: of each voice, by the voices before it. most (V,): what all of these add at most.
    """

    added: list[list[float]]
    most: Numbers

    @staticmethod
    def of(order: FloatArray) -> _Order:
        """By order (V, V): what a hit of a voice (column) adds to the logits of others (rows)."""
        order = np.tril(order, -1).astype(np.float64)
        return _Order(order.tolist(), np.maximum(order, 0).sum(axis=1))


def _drawn(
    limbs: Limbs, order: _Order, logits: FloatArray, played_above: Numbers, pace: Pace, known: FloatArray
) -> FloatArray:
    """The hits (n, S - K, V) of the steps after K that are known, voice after voice.

    These are those whose logit, given the ones before, exceeds its threshold, as far as a limb is there for them.
    logits (n, S, V), played_above (S, V). known (n, K, V): the hits of the first steps.
    """
    begin = known.shape[1]
    logits, played_above = logits[:, begin:], played_above[begin:]
    # Most are too unlikely for any hits before them to make a difference.
    able = np.flatnonzero(logits > played_above - order.most)
    thresholds = played_above.ravel()[able % played_above.size].tolist()
    (count, voices), seconds = played_above.shape, pace.seconds[begin:]
    last, last_row, struck, drawn = -1, -1, list[int](), list[int]()
    for place, logit, threshold in zip(able.tolist(), logits.ravel()[able].tolist(), thresholds, strict=True):
        row, voice = divmod(place, voices)
        member, step = divmod(row, count)
        if member != last_row:
            last_row, strokes = member, Strokes(limbs, pace.feet)
            for known_step, known_voice in np.argwhere(known[member]).tolist():
                strokes.strike(known_voice, pace.seconds[known_step])
        if row != last:
            last, struck = row, []
        for earlier in struck:
            logit += order.added[voice][earlier]
        if logit > threshold and limbs.can_add(voice, struck) and not strokes.wait(voice, seconds[step]):
            strokes.strike(voice, seconds[step])
            struck.append(voice)
            drawn.append(place)
    hits = np.zeros(logits.shape, dtype=np.float32)
    np.put(hits, drawn, 1)
    return hits
