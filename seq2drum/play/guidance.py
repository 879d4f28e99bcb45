"""A model that does more of what it is asked for than it learnt to.

A model that knows much of the guitar and of its own past, and little of what is asked for, follows that least. So it is
run twice, with the conditions and without, and the difference between their logits of hits is taken several times:
J. Ho, T. Salimans, Classifier-free diffusion guidance (2021). It costs as much as two ways of playing do.

Letters of shapes: n ways of playing, B bars, S steps of a bar, V voices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.conditions import CONDITIONS, Controls
from seq2drum.lattice.features import Features
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.music.kit import Kit
from seq2drum.play.engine import Asking, Engine, OpenBar, Playable
from seq2drum.play.groove_rows import GrooveRows
from seq2drum.play.runtime import Answer, Arrays

# How many times the difference that controls make is taken. The groove makes most of it; twice, a take of the lowest
# intensity is nearly silent.
GUIDANCE = 1.25

_COMMON = {"key"}  # what `encode` gives that no condition changes


def guided(engine: Engine, controls: Controls) -> Playable:
    """The engine with the guidance that some controls need; as it is where there are none but fills."""
    if controls == Controls(fills=controls.fills):
        return engine
    return Guided(engine, GUIDANCE)


@dataclass(frozen=True)
class Guided:
    """Two runs of one engine as one `Playable`: their arrays lie side by side in the last axis.

    The run with the conditions comes first. weight: 1 is the engine as it is; 2 takes the difference that the
    conditions make twice.
    """

    engine: Engine
    weight: float

    @property
    def kit(self) -> Kit:
        """The engine's."""
        return self.engine.kit

    @property
    def unit(self) -> str:
        """The engine's."""
        return self.engine.unit

    @property
    def max_notes(self) -> int:
        """The engine's."""
        return self.engine.max_notes

    @property
    def voice_order(self) -> FloatArray:
        """The engine's."""
        return self.engine.voice_order

    @property
    def hears_grooves(self) -> bool:
        """The engine's."""
        return self.engine.hears_grooves

    @property
    def silence(self) -> FloatArray:
        """The state before anything was played, of both runs."""
        return np.tile(self.engine.silence, 2)

    def encode(
        self,
        features: Features,
        form: Form,
        conditions: FloatArray,
        first: int,
        stop: int,
        grooves: GrooveRows | None = None,
    ) -> Asking[dict[str, NDArray[Any]]]:
        """See `Playable.encode`. Both runs have the fills: these need no guidance."""
        fills_only = np.zeros_like(conditions)
        fills_only[:, CONDITIONS["fill"]] = conditions[:, CONDITIONS["fill"]]
        asked = yield from self.engine.encode(features, form, conditions, first, stop, grooves)
        plain = yield from self.engine.encode(features, form, fills_only, first, stop, grooves)
        both = {name: rows if name in _COMMON else _beside(rows, plain[name]) for name, rows in asked.items()}
        if "sketch" in both:
            both["sketch"] = self._weighed(both["sketch"])
        return both

    def fill_logits(self, features: Features, form: Form) -> Asking[FloatArray | None]:
        """See `Playable.fill_logits`: the engine's."""
        return self.engine.fill_logits(features, form)

    def open_bar(self, encoded: Arrays, memory: Arrays, state: FloatArray, *, first: bool) -> Asking[OpenBar]:
        """See `Playable.open_bar`."""
        apart = {name: _apart(rows) for name, rows in encoded.items() if name not in _COMMON | {"sketch"}}
        twice = {name: np.repeat(rows, 2, axis=0) for name, rows in memory.items()}
        opened = yield from self.engine.open_bar(apart, twice, _apart(state), first=first)
        echo = None if opened.echo is None else opened.echo[::2]
        return OpenBar(_together(opened.inputs), _together(opened.thoughts), echo, _together(opened.state))

    def walk(self, inputs: FloatArray, thoughts: FloatArray, previous: FloatArray, state: FloatArray) -> Asking[Answer]:
        """See `Playable.walk`."""
        logits, thinking, walked = yield from self.engine.walk(
            _apart(inputs), _apart(thoughts), np.repeat(previous, 2, axis=0), _apart(state)
        )
        return self._weighed(_together(logits)), thinking[::2], _together(walked)

    def feel(self, thinking: FloatArray, hits: FloatArray, echo: FloatArray | None) -> Asking[dict[str, NDArray[Any]]]:
        """See `Playable.feel`: the engine's."""
        return self.engine.feel(thinking, hits, echo)

    def _weighed(self, logits: FloatArray) -> FloatArray:
        asked, plain = np.split(logits, 2, axis=-1)
        return plain + self.weight * (asked - plain)


def _beside(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([one, other], axis=-1)


def _apart(rows: NDArray[Any]) -> NDArray[Any]:
    """(n, ..., 2 width) -> (2 n, ..., width), the two of each way after another."""
    one, other = np.split(rows, 2, axis=-1)
    return np.stack([one, other], axis=1).reshape(2 * len(rows), *one.shape[1:])


def _together(rows: NDArray[Any]) -> NDArray[Any]:
    """(2 n, ..., width) -> (n, ..., 2 width): what `_apart` takes apart."""
    return _beside(rows[::2], rows[1::2])
