"""One bar as a model plays it: drawn step by step, traced after a sketch, repeated as given, or silent.

A step depends on the hits before it. A bar still takes few passes: its hits are guessed, all steps are drawn together
as if the guess were right, and those from the first mismatch on are drawn again with the drawn hits as the next guess.
This is speculative decoding: Y. Leviathan, M. Kalman, Y. Matias, Fast inference from transformers via speculative
decoding (2023), where the model makes its own guesses as in A. Santilli et al., Accelerating transformer inference for
translation via parallel decoding (2023). The random numbers of each step are known beforehand, so the result is
identical, and not only equally likely, whatever the guess.

Everything works on a batch. Letters of shapes: n batch, S steps of the bar, V voices.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.grid import HALF_GAP, HIT_LENGTH, OFFSET_UNITS, Grid
from seq2drum.music.kit import RESTED, Limbs, Strokes
from seq2drum.play.checkpoint.runtime import Outputs
from seq2drum.play.decode.engine import Computation, OpenBar, Playable
from seq2drum.play.decode.memory import Pieces, expand_batch
from seq2drum.play.decode.sampling import HIT_THRESHOLD, Draws

Numbers = NDArray[np.float64]


class Pace(NamedTuple):
    """The speed of a bar: seconds (S,) from the barline to each step, and the number of feet that play its kicks."""

    seconds: Sequence[float]
    feet: int


class PlayedBatch(NamedTuple):
    """A played bar, for a batch of n: hits, velocities 0..1 and offsets in gaps (n, S, V); state (n, ·) after it."""

    hits: FloatArray
    velocity: FloatArray
    offset: FloatArray
    state: FloatArray

    def grid(self, loudness: float = 1.0) -> Grid:
        """The hits of the first row of the batch; steps count from the barline. loudness: factor of velocities."""
        _, step, voice = np.nonzero(self.hits[:1])
        return Grid(
            step,
            voice,
            _clipped(np.rint(self.velocity[0, step, voice] * (127 * loudness)), 1, 127).astype(np.int64),
            np.rint(self.offset[0, step, voice] * OFFSET_UNITS).astype(np.int64),
            np.full(len(step), HIT_LENGTH),
        )


class BarSampler:
    """Plays the bars that a model has opened. wished: the allowed pieces; None for all."""

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

        played_above (S, V): the logits above which hits are played. spread: see `_feel`. guess (n, S, V): the expected
        hits, see the module's text; a better guess saves passes.
        """
        hits, known, (count, voices) = guess.copy(), 0, played_above.shape
        able_above = played_above - self._order.most
        while known < count:
            logits, hidden, state = yield from self._decode_bar(opened, previous, hits)
            if self._wished is not None:
                logits = self._wished.logits(logits)
            drawn = _drawn(self._limbs, self._order, logits, played_above, able_above, pace, hits[:, :known])
            wrong = (drawn != hits[:, known:]).ravel().nonzero()[0]
            hits[:, known:] = drawn
            # The first mismatched step is drawn correctly, too, since all steps before it match.
            known += int((wrong // voices % (count - known)).min()) + 1 if len(wrong) else count
        velocity, offset = yield from self._feel(opened, hits, hidden, draws, spread)
        return PlayedBatch(hits, velocity, offset, state)

    def trace(
        self, opened: OpenBar, previous: FloatArray, sketch: FloatArray, draws: Draws, tilt: FloatArray, pace: Pace
    ) -> Computation[PlayedBatch]:
        """A bar traced from a sketch, logits (n, S, V): the pieces of the kit likelier than HIT_THRESHOLD.

        tilt (S, V): added to the logits.

        Voices of one piece in the nine-voice view count together, and the likeliest of them plays: a snare or a side
        stick, either is a backbeat.
        """
        # 1. Decide for each piece whether any of its voices is likely; then take the likeliest.
        sketch = (sketch if self._wished is None else self._wished.logits(sketch)) + tilt
        likely = 1 / (1 + np.exp(-np.maximum(sketch.astype(np.float64), -700)))
        hits = np.zeros(sketch.shape, dtype=np.float32)
        for members in self._pieces:
            any_of = 1 - np.prod(1 - likely[..., members], axis=-1)
            member, step = np.nonzero(any_of > HIT_THRESHOLD)
            hits[member, step, np.array(members)[likely[..., members].argmax(axis=-1)[member, step]]] = 1
        # 2. Of the voices of a step, keep those that one drummer can strike together.
        zeros = np.zeros(hits.shape[1:])
        hits = _drawn(self._limbs, self._no_order, hits, zeros, zeros, pace, hits[:, :0])
        # 3. Run the model on these hits, and let it strike them.
        _, hidden, state = yield from self._decode_bar(opened, previous, hits)
        velocity, offset = yield from self._feel(opened, hits, hidden, draws, 0.0)
        return PlayedBatch(hits, velocity, offset, state)

    def repeat(self, opened: OpenBar, previous: FloatArray, given: Grid, count: int) -> Computation[PlayedBatch]:
        """A bar of `count` steps with given hits; the model only updates its state."""
        batch, voices = previous.shape
        rows = np.zeros((3, 1, count, voices), dtype=np.float32)
        at = (0, given.step, given.key)
        rows[0][at], rows[1][at], rows[2][at] = 1, given.velocity / 127, given.offset / OFFSET_UNITS
        hits, velocity, offset = (expand_batch(each, batch) for each in rows)
        _, _, state = yield from self._decode_bar(opened, previous, hits)
        return PlayedBatch(hits, velocity, offset, state)

    def rest(self, opened: OpenBar, previous: FloatArray, count: int) -> PlayedBatch:
        """A silent bar of `count` steps; the model continues from the barline."""
        silence = np.zeros((len(previous), count, previous.shape[1]), dtype=np.float32)
        return PlayedBatch(silence, silence, silence, opened.state)

    def _decode_bar(self, opened: OpenBar, previous: FloatArray, hits: FloatArray) -> Computation[Outputs]:
        """Run a bar with these hits (n, S, V); return logits (n, S, V), hidden states and the last state."""
        count = hits.shape[1]
        before = np.concatenate([previous[:, None], hits[:, :-1]], axis=1)
        return self._model.decode_bar(opened.inputs[:, :count], opened.step_context[:, :count], before, opened.state)

    def _feel(
        self, opened: OpenBar, hits: FloatArray, hidden: FloatArray, draws: Draws, spread: float
    ) -> Computation[tuple[FloatArray, FloatArray]]:
        """Return velocities 0..1 and offsets in gaps of a bar's hits, (n, S, V), 0 elsewhere.

        spread: 0 takes the model's mean, 1 its whole spread.
        """
        echo = None if opened.echo is None else opened.echo[:, : hits.shape[1]]
        felt = yield from self._model.feel(hidden, hits, echo)
        # A drummer varies within bounds: the tails of the distributions are errors, not feel.
        at = hits.ravel().nonzero()[0]
        noise = 0.05 + 0.9 * draws.struck.reshape(2, -1)[:, at % draws.hits.size]
        noise = np.log(noise / (1 - noise)) * spread
        centre, scale, offset_centre, offset_scale = (
            felt[name].ravel()[at] for name in ("velocity", "velocity_scale", "offset", "offset_scale")
        )
        most = HALF_GAP / OFFSET_UNITS
        struck = _clipped(centre + scale * noise[0], 1 / 127, 1)
        velocity, offset = np.zeros((2, *hits.shape), dtype=np.float32)
        # Remembered velocities equal the written ones: multiples of 1/127.
        velocity.ravel()[at] = np.rint(struck * 127) / 127
        offset.ravel()[at] = _clipped(offset_centre + offset_scale * noise[1], -most, most)
        return velocity, offset


def _clipped(numbers: Numbers, least: float, most: float) -> Numbers:
    clipped: Numbers = np.minimum(np.maximum(numbers, least), most)
    return clipped


class _Order(NamedTuple):
    """Logits that hits add to those drawn after them in a step.

    added: for each voice, from the voices before it. most (V,): the largest sum of these.
    """

    added: list[list[float]]
    most: Numbers

    @staticmethod
    def of(order: FloatArray) -> _Order:
        """By order (V, V): the logits that a hit of a voice (column) adds to other voices (rows)."""
        order = np.tril(order, -1).astype(np.float64)
        return _Order(order.tolist(), np.maximum(order, 0).sum(axis=1))


def _drawn(
    limbs: Limbs,
    order: _Order,
    logits: FloatArray,
    played_above: Numbers,
    able_above: Numbers,
    pace: Pace,
    known: FloatArray,
) -> FloatArray:
    """The hits (n, S - K, V) of the steps after the K known ones, voice after voice.

    A voice plays if its logit, given the hits before it, exceeds its threshold and a limb is free. logits (n, S, V),
    played_above (S, V); able_above (S, V): the same less `order.most`, as most logits are too low for any earlier hits
    to matter. known (n, K, V): the hits of the first steps.
    """
    begin = known.shape[1]
    logits, played_above = logits[:, begin:], played_above[begin:]
    able = (logits > able_above[begin:]).ravel().nonzero()[0]
    thresholds = played_above.ravel()[able % played_above.size].tolist()
    (count, voices), seconds = played_above.shape, pace.seconds[begin:]
    # Of the known steps, those so late that their strokes can be too near.
    late = bisect_left(pace.seconds, seconds[0] - RESTED, 0, begin)
    last, last_row, struck, drawn, added = -1, -1, list[int](), list[int](), order.added
    for place, logit, threshold in zip(able.tolist(), logits.ravel()[able].tolist(), thresholds, strict=True):
        row, voice = divmod(place, voices)
        if row != last:
            last, struck = row, []
            member, step = divmod(row, count)
            moment = seconds[step]
            if member != last_row:
                last_row, strokes = member, Strokes(limbs, pace.feet)
                for known_step, known_voice in np.argwhere(known[member, late:]).tolist() if begin else ():
                    strokes.strike(known_voice, pace.seconds[late + known_step])
        for earlier in struck:
            logit += added[voice][earlier]
        if logit <= threshold or (struck and not limbs.can_add(voice, struck)):
            continue
        if strokes.try_strike(voice, moment):
            struck.append(voice)
            drawn.append(place)
    hits = np.zeros(logits.shape, dtype=np.float32)
    hits.ravel()[drawn] = 1
    return hits
