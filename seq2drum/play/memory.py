"""The bars of a take so far, as a model remembers them.

Letters of shapes: n ways of playing, M bars that are remembered, S steps of the longest bar, V voices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.form import FloatArray, Form
from seq2drum.music.notes import IntArray

LOOK_BACK = 4  # bars a model may look back as they were played; before the song there is silence
MEMORY_BARS = 1024  # bars that can be remembered; without an end, the time for a song would grow with its square


@dataclass(eq=False)
class Memory:
    """What the guitar did in each bar, and what was played to it, in n ways. The first LOOK_BACK bars are silence.

    steps (bars,): the length of each. keys (1, bars, ·): what each is recognised by. hits and velocity (n, bars, S, V):
    what was played, velocities 0..1.
    """

    steps: IntArray
    keys: FloatArray
    hits: FloatArray
    velocity: FloatArray

    @staticmethod
    def of(form: Form, voices: int) -> Memory:
        """The memory before a song, in one way."""
        count = LOOK_BACK + len(form.steps)
        steps = np.concatenate([np.zeros(LOOK_BACK, dtype=np.int64), form.steps])
        hits = np.zeros((1, count, int(form.steps.max()), voices), dtype=np.float32)
        return Memory(steps, np.zeros((1, count, 0), dtype=np.float32), hits, np.zeros_like(hits))

    def recognise(self, first: int, keys: FloatArray) -> None:
        """Remember what the bars from `first` on are recognised by, (bars, ·)."""
        if not self.keys.shape[-1]:
            self.keys = np.zeros((*self.keys.shape[:2], keys.shape[-1]), dtype=np.float32)
        self.keys[0, LOOK_BACK + first : LOOK_BACK + first + len(keys)] = keys

    def keep(self, bar: int, hits: FloatArray, velocity: FloatArray) -> None:
        """Remember what was played in a bar: hits (n, steps, V), velocities 0..1."""
        self.hits[:, LOOK_BACK + bar, : hits.shape[1]] = hits
        self.velocity[:, LOOK_BACK + bar, : hits.shape[1]] = velocity * hits

    def before(self, bar: int) -> dict[str, NDArray[Any]]:
        """What `Engine.open_bar` takes of the bars before one. Only bars of as many steps are remembered."""
        now = LOOK_BACK + bar
        since = slice(max(now - MEMORY_BARS, 0), now)
        distance = np.where(self.steps[since] == self.steps[now], now - np.arange(since.start, now), 0)
        ways = len(self.hits)
        return {
            "keys": in_ways(self.keys[:, since], ways),
            "distance": in_ways(distance[None], ways),
            "past": self.hits[:, since],
            "past_velocity": self.velocity[:, since],
        }

    def forked(self, ways: int, stop: int) -> Memory:
        """A memory in n ways that begins with this one's and ends before the bar `stop`. The keys are shared."""
        until = slice(0, LOOK_BACK + stop)
        hits, velocity = (in_ways(rows[:, until], ways).copy() for rows in (self.hits, self.velocity))
        return Memory(self.steps, self.keys, hits, velocity)


def in_ways(rows: NDArray[Any], ways: int) -> NDArray[Any]:
    """(1, ...) -> (n, ...), the same in each way; (n, ...) as it is."""
    return rows if len(rows) == ways else np.broadcast_to(rows, (ways, *rows.shape[1:]))
