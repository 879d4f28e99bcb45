"""A model that plays: it encodes a guitar, opens bars and decodes them. `decoding` draws drums from its logits.

A model is a handful of graphs (see `models.base`). Here ONNX Runtime runs them from a checkpoint folder, without torch;
`eager` runs the same graphs in torch, and a test holds the two equal.

Playing does not run a graph: it is a generator that yields a `GraphCall` and is sent the outputs. Its driver decides
when to compute them: immediately (`Engine.run`), or in a batch with other generators (`ensemble`).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import CheckpointError
from seq2drum.lattice.conditions import CONDITIONS, Controls, columns_for
from seq2drum.lattice.features import Features
from seq2drum.lattice.form import MAX_STEPS, FloatArray, Form
from seq2drum.music.kit import KITS, Kit
from seq2drum.music.notes import IntArray
from seq2drum.play.checkpoint.band import Band, is_drummer, read_band, tuned_weights
from seq2drum.play.checkpoint.folder import CONFIG, DEFAULT, WEIGHTS, find, read_config, read_tensors, verify
from seq2drum.play.checkpoint.runtime import (
    FILL_PLAN,
    GRAPHS,
    UNUSABLE,
    Arrays,
    LoadedGraph,
    Outputs,
    read_bytes,
    session,
)
from seq2drum.play.decode.memory import GrooveRows

T = TypeVar("T")

OLDER_GRAPHS = "step.onnx", "walk.onnx"  # in checkpoints of earlier formats, in place of decode_bar.onnx
LAST = 4  # bars that a graph takes as they were played, in addition to the memory
# The inputs of variable length (second axis), and their padding.
OF_ANY_LENGTH: Mapping[str, int] = MappingProxyType(
    {"keys": 0, "distance": 0, "past": 0, "past_velocity": 0, "last_rows": -1}
)


class GraphCall(NamedTuple):
    """A request for a run of a graph: its name, and its inputs by name."""

    graph: str
    arrays: dict[str, NDArray[Any]]


Computation: TypeAlias = Generator[GraphCall, Outputs, T]
"""A generator that yields graph calls and returns a T: `value = yield from ...`."""

ComputationStream: TypeAlias = Generator[GraphCall | T, Outputs | None, None]
"""A generator that yields items T and graph calls. It is sent the outputs after a `GraphCall`, and None after a T."""


def next_of(stream: ComputationStream[T]) -> Computation[T]:
    """Return the next T of a stream that has one more; pass on its graph calls."""
    item, outputs = next(stream), None
    while isinstance(item, GraphCall):
        outputs = yield item
        item = stream.send(outputs)
    return item


class OpenBar(NamedTuple):
    """A bar ready to be played, for n songs: the inputs of its steps, and the state before the first.

    inputs (n, S, ·), step_context (n, S, ·), echo (n, S, ·) of the loudness of the bars remembered, state (n, ·).
    """

    inputs: FloatArray
    step_context: FloatArray
    echo: FloatArray | None
    state: FloatArray


class Playable(Protocol):
    """The model interface of decoding. The widths of its arrays are opaque.

    unit: it reads a "song" or a "pair" at a time, of at most max_notes notes. voice_order (V, V): the logits that a hit
    of a voice (column) adds to voices drawn after it (rows). silence (·,): the initial state. hears_grooves: whether
    `encode` takes them. hears_changes: whether it may be told how far a bar strays from those before it.
    """

    @property
    def kit(self) -> Kit: ...
    @property
    def unit(self) -> str: ...
    @property
    def max_notes(self) -> int: ...
    @property
    def voice_order(self) -> FloatArray: ...
    @property
    def silence(self) -> FloatArray: ...
    @property
    def hears_grooves(self) -> bool: ...
    @property
    def hears_changes(self) -> bool: ...

    def encode(
        self,
        features: Features,
        form: Form,
        conditions: FloatArray,
        first: int,
        stop: int,
        grooves: GrooveRows | None = None,
    ) -> Computation[dict[str, NDArray[Any]]]:
        """Encode the guitar of bars [first, stop) to arrays by name, whose first axis is the bars.

        conditions (B, CONDITIONS.size): the request for each bar of the song, see `lattice.conditions`. grooves: the
        groove of each bar, for a model that hears grooves.
        """
        ...

    def fill_logits(self, features: Features, form: Form) -> Computation[FloatArray | None]:
        """The logits (B,) of each bar of a song being a fill; None from a model without fills."""
        ...

    def open_bar(self, encoded: Arrays, memory: Arrays, state: FloatArray, *, first: bool) -> Computation[OpenBar]:
        """Begin a bar.

        encoded: the bar's rows of `encode`, each (n, ...). memory: "keys" (n, M, ·), "distance" (n, M) in
        bars (0 where there is nothing to remember), "past" and "past_velocity" (n, M, S, V), oldest bar first, four or
        more. state (n, ·): that after the bar before. first: whether the bar begins a unit.
        """
        ...

    def decode_bar(
        self, inputs: FloatArray, step_context: FloatArray, previous: FloatArray, state: FloatArray
    ) -> Computation[Outputs]:
        """Go through a bar: inputs and step_context (n, S, ·) of its steps, previous (n, S, V) the hits before each.

        Returns logits (n, S, V) before any voice of a step is drawn, hidden (n, S, ·) and the state after the bar
        (n, ·). What it says of a step depends on no step after it.
        """
        ...

    def feel(
        self, hidden: FloatArray, hits: FloatArray, echo: FloatArray | None
    ) -> Computation[dict[str, NDArray[Any]]]:
        """Return centres and scales (n, S, V) of the velocity, 0..1, and the offset, in gaps, of a bar's hits."""
        ...


@dataclass(frozen=True)
class Engine:
    """A model with loaded graphs, on any runtime; see `Playable` for its members.

    conditions: the columns of CONDITIONS that it was trained with. band: what it learnt of a band, if it is a band's.
    """

    name: str
    kit: Kit = field(repr=False)
    unit: str
    max_notes: int
    graphs: Mapping[str, LoadedGraph] = field(repr=False)
    voice_order: FloatArray = field(repr=False)
    silence: FloatArray = field(repr=False)
    conditions: IntArray = field(repr=False, default_factory=lambda: columns_for(CONDITIONS.size))
    band: Band | None = field(repr=False, default=None)

    def compute(self, call: GraphCall) -> Outputs:
        """Run a graph call."""
        return self.graphs[call.graph].run(call.arrays)

    def run(self, stream: ComputationStream[T]) -> Iterator[T]:
        """Yield the items of a stream, and run each of its graph calls immediately."""
        outputs = None
        with contextlib.closing(stream), contextlib.suppress(StopIteration):
            while True:
                item = stream.send(outputs)
                if isinstance(item, GraphCall):
                    outputs = self.compute(item)
                else:
                    yield item
                    outputs = None

    def resolve(self, computation: Computation[T]) -> T:
        """Return the result of a computation, running each of its graph calls immediately."""
        try:
            call = next(computation)
            while True:
                call = computation.send(self.compute(call))
        except StopIteration as stop:
            value: T = stop.value
            return value

    def _call(self, graph: str, arrays: Arrays) -> Computation[dict[str, NDArray[Any]]]:
        """Call a graph with those arrays that it takes; return its outputs by name.

        Raises:
            CheckpointError: they are not finite, as with diverged weights.
        """
        inputs, names, _ = self.graphs[graph]
        outputs = yield GraphCall(graph, {name: array for name, array in arrays.items() if name in inputs})
        # The sum of squares is a number if all of them are, and takes a third of the time of looking at each.
        if not all(math.isfinite(np.vdot(array, array)) for array in outputs):
            raise CheckpointError(
                f"the model {self.name!r} does not come to numbers: its training went astray; train it again with a"
                " lower --rate, or take another model"
            )
        return dict(zip(names, outputs, strict=True))

    @property
    def hears_grooves(self) -> bool:
        """True if the model was trained on grooves."""
        return "groove" in self.graphs["encode"].inputs

    @property
    def hears_changes(self) -> bool:
        """True if the model was trained on how far bars stray from those before them."""
        return CONDITIONS["change"].start in self.conditions

    def encode(
        self,
        features: Features,
        form: Form,
        conditions: FloatArray,
        first: int,
        stop: int,
        grooves: GrooveRows | None = None,
    ) -> Computation[dict[str, NDArray[Any]]]:
        """See `Playable.encode`."""
        arrays = {**_guitar(features, form, first, stop), "conditions": conditions[first:stop, self.conditions]}
        if self.hears_grooves:
            rows = grooves or GrooveRows.none(form, self.kit)
            is_held = (rows.held[first:stop, None] >= 0).astype(np.float32)
            arrays |= {"groove": rows.velocity[first:stop], "grooved": is_held}
        return (yield from self._call("encode", arrays))

    def fill_logits(self, features: Features, form: Form) -> Computation[FloatArray | None]:
        """See `Playable.fill_logits`."""
        if FILL_PLAN not in self.graphs:
            return None
        outputs = yield from self._call(FILL_PLAN, _guitar(features, form, 0, len(form.steps)))
        logits: FloatArray = outputs["fill"][:, 0]
        return logits

    def open_bar(self, encoded: Arrays, memory: Arrays, state: FloatArray, *, first: bool) -> Computation[OpenBar]:
        """See `Playable.open_bar`."""
        flag = np.full((len(state), 1), float(first), dtype=np.float32)
        known = {**encoded, **memory, "state": state, "first": flag}
        if "last_rows" in self.graphs["bar"].inputs:
            known |= last_of(memory)
        outputs = yield from self._call("bar", known)
        return OpenBar(outputs["inputs"], outputs["step_context"], outputs.get("echo"), outputs["opened"])

    def decode_bar(
        self, inputs: FloatArray, step_context: FloatArray, previous: FloatArray, state: FloatArray
    ) -> Computation[Outputs]:
        """See `Playable.decode_bar`."""
        outputs = yield GraphCall(
            "decode_bar", {"inputs": inputs, "step_context": step_context, "previous": previous, "state": state}
        )
        return outputs

    def feel(
        self, hidden: FloatArray, hits: FloatArray, echo: FloatArray | None
    ) -> Computation[dict[str, NDArray[Any]]]:
        """See `Playable.feel`."""
        inputs: dict[str, NDArray[Any]] = {"hidden": hidden, "hits": hits}
        return (yield from self._call("feel", inputs if echo is None else {**inputs, "echo": echo}))


def _guitar(features: Features, form: Form, first: int, stop: int) -> dict[str, NDArray[Any]]:
    """Return the graph inputs from the guitar of bars [first, stop), by name."""
    steps = form.steps[first:stop]
    start = form.first[first:stop]
    size = int(form.steps.max())
    place = np.arange(size)
    index = np.where(place < steps[:, None], start[:, None] + place, len(features.guitar))
    guitar, clock, band = (
        np.concatenate([rows, np.zeros_like(rows[:1])])[index]
        for rows in (features.guitar, features.clock, features.band)
    )
    return {
        "guitar": guitar,
        "clock": clock,
        "steps": steps.astype(np.int64),
        "bars": features.bars[first:stop],
        "summary": features.summary[None],
        "band": band,
    }


def last_of(memory: Arrays) -> dict[str, NDArray[Any]]:
    """The latest remembered bars of n songs: "last" (n, LAST, S, V), "last_distance" (n, LAST).

    And of the last bar "last_velocity" (n, S, V) and "last_rows" (n, 1 + K): 0, then 1 + the index of each hit among
    all S V, padded with -1. Only the steps that the model knows count.
    """
    places = [row.ravel().nonzero()[0] for row in memory["past"][:, -1, :MAX_STEPS]]
    rows = np.empty((len(places), 1 + max(map(len, places))), dtype=np.int64)
    for row, place in zip(rows, places, strict=True):
        end = 1 + len(place)
        row[0], row[1:end], row[end:] = 0, place + 1, OF_ANY_LENGTH["last_rows"]
    return {
        "last": memory["past"][:, -LAST:],
        "last_velocity": memory["past_velocity"][:, -1],
        "last_distance": memory["distance"][:, -LAST:],
        "last_rows": rows,
    }


def load(name: str | Path = DEFAULT, *, threads: int = 1) -> Engine:
    """A model as an engine on ONNX Runtime.

    Raises:
        UnknownModelError: there is no such model.
        CheckpointError: its folder is damaged or of another version.
    """
    folder, band, tuned = find(name), None, None
    if is_drummer(folder):
        band, base = read_band(folder)
        if band.is_tuned:
            tuned = tuned_weights(folder, read_bytes(base / WEIGHTS))
        folder = base
    about = read_config(folder)
    verify(folder)
    if not (folder / "decode_bar.onnx").is_file() and any((folder / old).is_file() for old in OLDER_GRAPHS):
        raise CheckpointError(
            f"{str(folder)!r} was saved by an earlier version, whose graphs are others; write its graphs again with"
            f" python -m seq2drum.models.checkpoint {folder}"
        )
    known = {**GRAPHS, FILL_PLAN: frozenset({"fill"})} if (folder / f"{FILL_PLAN}.onnx").is_file() else GRAPHS
    paths = {graph: folder / f"{graph}.onnx" for graph in known}
    order, silence = read_tensors(folder / WEIGHTS, ("voice_order", "silence"))
    replaced = {} if tuned is None else {WEIGHTS: tuned}
    graphs = {graph: session(path, threads, (WEIGHTS,), replaced) for graph, path in paths.items()}
    for graph, wanted in known.items():
        if missing := sorted(wanted.difference(graphs[graph].outputs)):
            raise CheckpointError(f"{str(paths[graph])!r} cannot be used: it does not compute {', '.join(missing)}")
    try:
        kit = KITS[about["kit"]]
        if order.shape != (len(kit), len(kit)) or silence.shape != (about["state"],):
            raise ValueError(
                f"its weights have shapes {order.shape} and {silence.shape}, which do not fit the kit {kit.name!r}"
            )
        conditions = columns_for(about["config"]["asked"])
        return Engine(str(name), kit, about["unit"], about["max_notes"], graphs, order, silence, conditions, band)
    except KeyError as error:
        raise CheckpointError(f"{str(folder)!r} is not a usable checkpoint: its {CONFIG} lacks {error}") from None
    except UNUSABLE as error:
        raise CheckpointError(f"{str(folder)!r} is not a usable checkpoint: {error}") from None


# The factor of the difference that controls make. The groove makes most of it; at 2, a take of the lowest intensity is
# nearly silent.
GUIDANCE = 1.25

_COMMON = {"key"}  # the outputs of `encode` that no condition changes


def guided(engine: Engine, controls: Controls) -> Playable:
    """The engine with guidance for controls that need it; unchanged without any but fills."""
    if controls == Controls(fills=controls.fills):
        return engine
    return Guided(engine, GUIDANCE)


@dataclass(frozen=True)
class Guided:
    """Two runs of one engine as one `Playable`, their arrays concatenated along the last axis.

    The run with the conditions comes first. weight: 1 is the plain engine; 2 doubles the difference that the conditions
    make.
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
    def hears_changes(self) -> bool:
        """The engine's."""
        return self.engine.hears_changes

    @property
    def silence(self) -> FloatArray:
        """The initial state of both runs."""
        return np.tile(self.engine.silence, 2)

    def encode(
        self,
        features: Features,
        form: Form,
        conditions: FloatArray,
        first: int,
        stop: int,
        grooves: GrooveRows | None = None,
    ) -> Computation[dict[str, NDArray[Any]]]:
        """See `Playable.encode`. Both runs have the fills and changes: these need no guidance."""
        planned, common = np.zeros_like(conditions), CONDITIONS.span("fill", "change")
        planned[:, common] = conditions[:, common]
        asked = yield from self.engine.encode(features, form, conditions, first, stop, grooves)
        plain = yield from self.engine.encode(features, form, planned, first, stop, grooves)
        both = {name: rows if name in _COMMON else _beside(rows, plain[name]) for name, rows in asked.items()}
        if "sketch" in both:
            both["sketch"] = self._weighed(both["sketch"])
        return both

    def fill_logits(self, features: Features, form: Form) -> Computation[FloatArray | None]:
        """See `Playable.fill_logits`: the engine's."""
        return self.engine.fill_logits(features, form)

    def open_bar(self, encoded: Arrays, memory: Arrays, state: FloatArray, *, first: bool) -> Computation[OpenBar]:
        """See `Playable.open_bar`."""
        apart = {name: _apart(rows) for name, rows in encoded.items() if name not in _COMMON | {"sketch"}}
        twice = {name: np.repeat(rows, 2, axis=0) for name, rows in memory.items()}
        opened = yield from self.engine.open_bar(apart, twice, _apart(state), first=first)
        echo = None if opened.echo is None else opened.echo[::2]
        return OpenBar(_together(opened.inputs), _together(opened.step_context), echo, _together(opened.state))

    def decode_bar(
        self, inputs: FloatArray, step_context: FloatArray, previous: FloatArray, state: FloatArray
    ) -> Computation[Outputs]:
        """See `Playable.decode_bar`."""
        logits, hidden, state_after = yield from self.engine.decode_bar(
            _apart(inputs), _apart(step_context), np.repeat(previous, 2, axis=0), _apart(state)
        )
        return self._weighed(_together(logits)), hidden[::2], _together(state_after)

    def feel(
        self, hidden: FloatArray, hits: FloatArray, echo: FloatArray | None
    ) -> Computation[dict[str, NDArray[Any]]]:
        """See `Playable.feel`: the engine's."""
        return self.engine.feel(hidden, hits, echo)

    def _weighed(self, logits: FloatArray) -> FloatArray:
        asked, plain = np.split(logits, 2, axis=-1)
        return plain + self.weight * (asked - plain)


def _beside(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([one, other], axis=-1)


def _apart(rows: NDArray[Any]) -> NDArray[Any]:
    """(n, ..., 2 width) -> (2 n, ..., width): the rows of the first run, then those of the second."""
    one, other = np.split(rows, 2, axis=-1)
    return np.stack([one, other], axis=1).reshape(2 * len(rows), *one.shape[1:])


def _together(rows: NDArray[Any]) -> NDArray[Any]:
    """(2 n, ..., width) -> (n, ..., 2 width): the inverse of `_apart`."""
    return _beside(rows[::2], rows[1::2])
