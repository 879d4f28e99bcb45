"""An engine that heeds what is asked for more than it learnt to.

A model that is told much and asked little listens to the guitar and to its own past first, and to a wish last. So it is
run twice, with the wish and without, and what the wish changes is done several times over: J. Ho, T. Salimans,
Classifier-free diffusion guidance (2021), here on the logits of hits. It costs as much as two ways of playing do.

Letters of shapes: n ways of playing, B bars, S steps of a bar, V voices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.conditions import FILL
from seq2drum.lattice.features import Features
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.play.engine import Asking, Engine, OpenBar
from seq2drum.play.runtime import Arrays

_COMMON = {"key"}  # what `encode` gives that no wish changes


@dataclass(frozen=True)
class Guided:
    """Two runs of one engine as one: what each of them has lies side by side in the last axis, the heeding one first.

    weight: 1 is the engine as it is; 2 does what the wish changes twice.
    """

    engine: Engine
    weight: float

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    @property
    def silence(self) -> FloatArray:
        """The state before anything was played, of both."""
        return np.tile(self.engine.silence, 2)

    def encode(
        self, features: Features, form: Form, told: FloatArray, first: int, stop: int
    ) -> Asking[dict[str, NDArray[Any]]]:
        """See `Engine.encode`. Fills are told to both: they are not what is heeded more."""
        untold = np.zeros_like(told)
        untold[:, FILL] = told[:, FILL]
        heeding = yield from self.engine.encode(features, form, told, first, stop)
        other = yield from self.engine.encode(features, form, untold, first, stop)
        found = {name: rows if name in _COMMON else _beside(rows, other[name]) for name, rows in heeding.items()}
        if "sketch" in found:
            found["sketch"] = self._heeded(found["sketch"])
        return found

    def open_bar(self, known: Arrays, memory: Arrays, state: FloatArray, *, first: bool) -> Asking[OpenBar]:
        """See `Engine.open_bar`."""
        apart = {name: _apart(rows) for name, rows in known.items() if name not in _COMMON | {"sketch"}}
        twice = {name: np.repeat(rows, 2, axis=0) for name, rows in memory.items()}
        opened = yield from self.engine.open_bar(apart, twice, _apart(state), first=first)
        echo = None if opened.echo is None else opened.echo[::2]
        return OpenBar(_together(opened.inputs), _together(opened.thoughts), echo, _together(opened.state))

    def step(
        self, inputs: FloatArray, thoughts: FloatArray, previous: FloatArray, state: FloatArray
    ) -> Asking[tuple[FloatArray, FloatArray, FloatArray]]:
        """See `Engine.step`."""
        logits, thinking, stepped = yield from self.engine.step(
            _apart(inputs), _apart(thoughts), np.repeat(previous, 2, axis=0), _apart(state)
        )
        return self._heeded(_together(logits)), thinking[::2], _together(stepped)

    def _heeded(self, logits: FloatArray) -> FloatArray:
        heeding, other = np.split(logits, 2, axis=-1)
        return other + self.weight * (heeding - other)


def _beside(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([one, other], axis=-1)


def _apart(rows: NDArray[Any]) -> NDArray[Any]:
    """(n, ..., 2 width) -> (2 n, ..., width), the two of each way after another."""
    one, other = np.split(rows, 2, axis=-1)
    return np.stack([one, other], axis=1).reshape(2 * len(rows), *one.shape[1:])


def _together(rows: NDArray[Any]) -> NDArray[Any]:
    """(2 n, ..., width) -> (n, ..., 2 width): what `_apart` takes apart."""
    return _beside(rows[::2], rows[1::2])
