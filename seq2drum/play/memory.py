"""The bars of a take so far, and the groove it is played on, as a model remembers them.

A model that was trained to go on from bars it remembers plays a groove if it remembers that: before a section begins
the groove was played, and in each bar some rows of its memory say that it was played when the guitar last did this. So
it is held to the last bar, where a groove that is given as the first bars of a take is forgotten by and by. A model
that hears the groove needs those rows only where it is to be held firmly.

Letters of shapes: n ways of playing, B bars of the song, M bars that are remembered, S steps of the longest bar, V
voices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.form import FloatArray, Form
from seq2drum.music.notes import IntArray
from seq2drum.play.groove_rows import GrooveRows

LOOK_BACK = 4  # bars a model may look back as they were played; before the song there is silence
MEMORY_BARS = 1024  # bars that can be remembered; without an end, the time for a song would grow with its square
SLOTS = 1  # rows of the memory that have the groove, of a model that does not hear it
FIRM_SLOTS = 2  # the same, of any model, of a groove that is to be held firmly, in bars that are no fills
DISTANCE = 8  # bars back that the groove is said to be, a distance at which phrases come back
AGAIN = 4  # bars back where a groove that is held firmly is remembered as it is, whatever was played

Instead: TypeAlias = Mapping[int, tuple[FloatArray, FloatArray]]
"""By the numbers of bars: hits (n, steps, V), and their velocities 0..1."""

_NOTHING: Instead = MappingProxyType({})


@dataclass(eq=False)
class Memory:
    """What the guitar did in each bar, and what was played to it, in n ways. The first LOOK_BACK bars are silence.

    steps (bars,): the length of each. keys (1, bars, ·): what each is recognised by. hits and velocity (n, bars, S, V):
    what was played, velocities 0..1. grooves: what is remembered beside that. heard: the model hears them, too.
    """

    steps: IntArray
    keys: FloatArray
    hits: FloatArray
    velocity: FloatArray
    grooves: GrooveRows | None = None
    heard: bool = False

    @staticmethod
    def of(form: Form, voices: int, grooves: GrooveRows | None = None, *, heard: bool = False) -> Memory:
        """The memory before a song, in one way."""
        count = LOOK_BACK + len(form.steps)
        steps = np.concatenate([np.zeros(LOOK_BACK, dtype=np.int64), form.steps])
        hits = np.zeros((1, count, int(form.steps.max()), voices), dtype=np.float32)
        return Memory(steps, np.zeros((1, count, 0), dtype=np.float32), hits, np.zeros_like(hits), grooves, heard)

    def recognise(self, first: int, keys: FloatArray) -> None:
        """Remember what the bars from `first` on are recognised by, (bars, ·)."""
        if not self.keys.shape[-1]:
            self.keys = np.zeros((*self.keys.shape[:2], keys.shape[-1]), dtype=np.float32)
        self.keys[0, LOOK_BACK + first : LOOK_BACK + first + len(keys)] = keys

    def keep(self, bar: int, hits: FloatArray, velocity: FloatArray) -> None:
        """Remember what was played in a bar: hits (n, steps, V), velocities 0..1."""
        self.hits[:, LOOK_BACK + bar, : hits.shape[1]] = hits
        self.velocity[:, LOOK_BACK + bar, : hits.shape[1]] = velocity * hits

    def forget(self, bars: int) -> None:
        """Forget the first bars: those after them take their places, and the last ones are to be remembered anew."""
        rows: list[NDArray[Any]] = [self.steps, self.keys[0], *self.hits, *self.velocity]
        if self.grooves is not None:
            rows += [self.grooves.hits, self.grooves.velocity, self.grooves.held]
        for row in rows:
            row[:-bars] = row[bars:].copy()
            row[-bars:] = 0
        if self.grooves is not None:
            self.grooves.held[-bars:] = -1

    def recent(self, bar: int, bars: int, instead: Instead = _NOTHING) -> FloatArray:
        """(up to bars, S, V): what was played in the bars before one, in the first way."""
        now = LOOK_BACK + bar
        recent: FloatArray = _with(self.hits, 0, slice(max(now - bars, 0), now), instead)[0]
        return recent

    def before(self, bar: int, *, fill: bool = False, instead: Instead = _NOTHING) -> dict[str, NDArray[Any]]:
        """What `Engine.open_bar` takes of the bars before one. Only bars of as many steps are remembered.

        fill: the bar is to break the pattern. instead: what is remembered of some bars in place of what was kept.
        """
        now = LOOK_BACK + bar
        since = slice(max(now - MEMORY_BARS, 0), now)
        distance = np.where(self.steps[since] == self.steps[now], now - np.arange(since.start, now), 0)
        ways = len(self.hits)
        remembered = {
            "keys": in_ways(self.keys[:, since], ways),
            "distance": in_ways(distance[None], ways),
            "past": _with(self.hits, 0, since, instead),
            "past_velocity": _with(self.velocity, 1, since, instead),
        }
        if self.grooves is None or self.grooves.held[bar] < 0:
            return remembered
        slots = 0 if self.heard else SLOTS
        return self._with_groove(remembered, bar, FIRM_SLOTS if self.grooves.firm and not fill else slots)

    def _with_groove(self, remembered: dict[str, NDArray[Any]], bar: int, slots: int) -> dict[str, NDArray[Any]]:
        """The same with rows of the groove before it, and in place of bars in which it was another or none."""
        assert self.grooves is not None
        held = int(self.grooves.held[bar])
        anew = [-back for back in range(1, LOOK_BACK + 1) if back > held or (self.grooves.firm and back == AGAIN)]
        if not anew and not slots:
            return remembered
        out = {
            "keys": np.broadcast_to(self.keys[:, [LOOK_BACK + bar]], (1, slots, self.keys.shape[-1])),
            "distance": np.full((1, slots), DISTANCE),
        }
        for name, rows in (("past", self.grooves.hits), ("past_velocity", self.grooves.velocity)):
            known = remembered[name].copy()
            known[:, anew] = rows[bar]
            remembered = remembered | {name: known}
            out[name] = np.broadcast_to(rows[bar], (1, slots, *rows.shape[1:]))
        ways = len(self.hits)
        return {name: np.concatenate([in_ways(out[name], ways), rows], axis=1) for name, rows in remembered.items()}


def _with(rows: FloatArray, which: int, since: slice, instead: Instead) -> FloatArray:
    """Some bars of rows (n, bars, S, V), with what is remembered instead: which, 0 for hits and 1 for velocities."""
    kept: FloatArray = rows[:, since]
    places = {LOOK_BACK + bar - since.start: played[which] for bar, played in instead.items()}
    places = {place: played for place, played in places.items() if 0 <= place < kept.shape[1]}
    if not places:
        return kept
    kept = kept.copy()
    for place, played in places.items():
        kept[:, place] = 0
        kept[:, place, : played.shape[1]] = played
    return kept


def in_ways(rows: NDArray[Any], ways: int) -> NDArray[Any]:
    """(1, ...) -> (n, ...), the same in each way; (n, ...) as it is."""
    return rows if len(rows) == ways else np.broadcast_to(rows, (ways, *rows.shape[1:]))
