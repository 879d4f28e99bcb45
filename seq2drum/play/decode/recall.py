"""Recall: the earlier bars that a model's bar memory attends to, and their weights.

It measures the running model, not a copy of its formula: the drums of every earlier bar are replaced by a unique mark,
and the amount of each mark in the output is the weight of that bar. The weight depends on the guitar and on the
distance in time, not on the drums. So it is known before a note is played, and for any drums. It does not show how a
model uses the remembered bars.

Letters of shapes: B bars, M remembered bars, S steps, V voices, r rows of marks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seq2drum.errors import ModelError
from seq2drum.lattice import conditions
from seq2drum.lattice.conditions import Controls
from seq2drum.lattice.features import GuitarGrid, features
from seq2drum.lattice.form import FloatArray
from seq2drum.music.notes import IntArray
from seq2drum.play.decode.engine import Engine
from seq2drum.play.decode.memory import LOOK_BACK, Memory

_ASKED = frozenset({"keys", "distance", "past_velocity"})  # the inputs of `bar` in a family with a bar memory


class Recall(NamedTuple):
    """The weights of earlier bars in each bar of a song.

    weights (B, B + 1): row b has the weight of each bar before b, and last that of none. A row sums to 1. With several
    heads, it is their mean.
    """

    weights: FloatArray

    @property
    def nothing(self) -> FloatArray:
        """(B,): the weight of none of the earlier bars."""
        return self.weights[:, -1]

    @property
    def most(self) -> IntArray:
        """(B,): the earlier bar with the highest weight, the last of equal ones; -1 without earlier bars."""
        earlier = self.weights[:, -2::-1]  # the last bar first
        last_most = earlier.shape[1] - 1 - earlier.argmax(axis=1)
        return np.where(earlier.max(axis=1) > 0, last_most, -1)

    @property
    def by_distance(self) -> FloatArray:
        """(B,): the weight of the bar at each distance, averaged over the bars that have one; index 0 is unused."""
        bars = len(self.weights)
        sums = [float(np.trace(self.weights[:, :bars], -back)) / (bars - back) for back in range(1, bars)]
        return np.array([0.0, *sums], dtype=np.float32)


def recall(engine: Engine, guitar_grid: GuitarGrid) -> Recall:
    """Measure which bars a model remembers in each bar of a guitar.

    Raises:
        ModelError: it has no bar memory.
    """
    graph = engine.graphs["bar"]
    if engine.unit != "song" or not _ASKED.issubset(graph.inputs) or "echo" not in graph.outputs:
        raise ModelError(
            f"the model {engine.name!r} has no memory of bars, so there is nothing to show;"
            " wanted one of a family that has, such as `attention`"
        )
    form, voices = guitar_grid.form, len(engine.kit)
    bars = len(form.steps)
    known = engine.resolve(
        engine.encode(features(guitar_grid), form, conditions.of_controls(Controls(), bars), 0, bars)
    )
    memory = Memory.of(form, voices)
    memory.recognise(0, known["key"])
    weights = np.zeros((bars, bars + 1), dtype=np.float32)
    for bar in range(bars):
        before = memory.before(bar)
        marks = _marks(*before["past"].shape[1:])
        rows = len(marks)
        inputs = {
            "keys": np.repeat(before["keys"], rows, axis=0),
            "distance": np.repeat(before["distance"], rows, axis=0),
            "past": np.zeros_like(marks),
            "past_velocity": marks,
        }
        here = {name: np.repeat(array[bar : bar + 1], rows, axis=0) for name, array in known.items()}
        state = np.repeat(engine.silence[None], rows, axis=0)
        opened = engine.resolve(engine.open_bar(here, inputs, state, first=not bar))
        assert opened.echo is not None  # the graph outputs it
        # Of the remembered loudness, the first half is from the remembered bars, the second from the last bar.
        echoed = opened.echo[..., :voices].ravel()[: marks.shape[1]]
        since = LOOK_BACK + bar - len(echoed)  # of the memory, which begins with bars of silence
        first = max(LOOK_BACK - since, 0)
        weights[bar, since + first - LOOK_BACK : bar] = echoed[first:]
        weights[bar, -1] = max(1 - echoed.sum(dtype=np.float64), 0)
    return Recall(weights)


def _marks(bars: int, steps: int, voices: int) -> FloatArray:
    """(r, M, S, V): drums of M bars; each bar has one hit where no other bar has one in the same row."""
    places = steps * voices
    marks = np.zeros((-(-bars // places), bars, places), dtype=np.float32)
    bar = np.arange(bars)
    marks[bar // places, bar, bar % places] = 1
    return marks.reshape(*marks.shape[:2], steps, voices)
