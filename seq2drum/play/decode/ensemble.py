"""Several streams on one engine, which share its passes through bars.

A pass over eight songs costs less than eight passes. So each stream runs to its next pass; passes through bars of equal
length form one batch, and so do openings of bars. A stream that joins takes part from the next pass on; one that ends
or leaves is removed immediately; none waits for another. Songs remember different numbers of bars: the shorter memories
of a batch are padded with masked bars, in groups of up to twice as many bars. Each guitar is encoded separately.

A batch changes no result: each row of a pass equals, bit by bit, the row computed alone. This holds for matrix kernels
that sum in one order whatever the number of rows: ONNX Runtime's for the CPU do so with weights known when a graph is
loaded, and with any others from two rows on; the tests check it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from seq2drum.play.checkpoint.runtime import Outputs
from seq2drum.play.decode.engine import (
    OF_ANY_LENGTH,
    ComputationStream,
    Engine,
    GraphCall,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future


K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
# The graphs whose calls are batched over streams, in a stream's order of calls.
TOGETHER = "feel", "bar", "decode_bar"
SHARED_BARS = (
    256  # remembered bars up to which bars are opened together: beyond, copying costs more than the batch gains
)
ASIDE, ASIDE_BARS = "encode", 256  # the graph computed in the background, from this number of bars on
MOST_ITEMS = 8  # items of a stream in one round: bars without graph calls come one after another
PAUSE = 0.01  # seconds to wait for a background computation when nothing else can move


@dataclass(frozen=True)
class Ended:
    """The end of a stream; error: the exception that it raised, if any."""

    error: Exception | None = None


@dataclass
class _Seat(Generic[T]):
    """A stream: its pending call, the future of a background call, or the outputs to send it."""

    stream: ComputationStream[T]
    call: GraphCall | None = None
    outputs: Outputs | None = None
    aside: Future[Outputs] | None = None


class Ensemble(Generic[K, T]):
    """The active streams, by key. aside: an executor for long computations, such as encoding a long song."""

    def __init__(self, engine: Engine, aside: Executor | None = None) -> None:
        self._engine, self._aside = engine, aside
        self._seats: dict[K, _Seat[T]] = {}

    def __len__(self) -> int:
        return len(self._seats)

    def join(self, key: K, stream: ComputationStream[T]) -> None:
        """Add a stream from the next pass on."""
        if key in self._seats:
            raise ValueError(f"{key!r} plays already")
        self._seats[key] = _Seat(stream)

    def leave(self, key: K) -> None:
        """Remove a stream immediately. An unknown key is no error."""
        if seat := self._seats.pop(key, None):
            if seat.aside:
                seat.aside.cancel()
            seat.stream.close()

    def advance(self, keys: Collection[K] | None = None) -> list[tuple[K, T | Ended]]:
        """Advance every stream, or those of some keys, by one pass.

        Yields their items by key; at the end of a stream an `Ended`. If all that could move waits for the background,
        it waits for a moment.
        """
        made: list[tuple[K, T | Ended]] = []
        keys = list(self._seats) if keys is None else keys
        aside = [seat.aside for seat in map(self._seats.__getitem__, keys) if seat.aside]
        if aside and len(aside) == len(keys):
            from concurrent.futures import FIRST_COMPLETED, wait

            wait(aside, PAUSE, FIRST_COMPLETED)
        for graph in TOGETHER:
            for key in keys:
                made += [(key, item) for item in self._bring_on(key)]
            self._compute(graph)
        return made

    def _bring_on(self, key: K) -> Iterator[T | Ended]:
        """Return the items of a stream up to its next batched call."""
        seat = self._seats.get(key)
        if seat is None or seat.call or (seat.aside and not seat.aside.done()):
            return
        try:
            if seat.aside:
                seat.outputs, seat.aside = seat.aside.result(), None
            items = 0
            while seat.call is None and seat.aside is None and items < MOST_ITEMS:
                item = seat.stream.send(seat.outputs)
                seat.outputs = None
                if not isinstance(item, GraphCall):
                    items += 1
                    yield item
                elif item.graph in TOGETHER:
                    seat.call = item
                elif self._aside and item.graph == ASIDE and len(item.arrays["steps"]) > ASIDE_BARS:
                    seat.aside = self._aside.submit(self._engine.compute, item)
                else:
                    seat.outputs = self._engine.compute(item)
        except StopIteration:
            del self._seats[key]
            yield Ended()
        except Exception as error:  # the error of one stream must not stop the others
            del self._seats[key]
            yield Ended(error)

    def run(self) -> Iterator[tuple[K, T]]:
        """Play until all streams have ended.

        Raises:
            Exception: the first exception of a stream.
        """
        while self._seats:
            for key, item in self.advance():
                if not isinstance(item, Ended):
                    yield key, item
                elif item.error is not None:
                    raise item.error

    def _compute(self, graph: str) -> None:
        """Compute the pending calls to a graph, those of one kind as one batch."""
        alike: dict[Hashable, list[_Seat[T]]] = {}
        for seat in self._seats.values():
            if seat.call is not None and seat.call.graph == graph:
                alike.setdefault(_kind(seat.call), []).append(seat)
        for seats in alike.values():
            calls = [seat.call for seat in seats if seat.call is not None]
            for seat, outputs in zip(seats, self._computed(calls), strict=True):
                seat.call, seat.outputs = None, outputs

    def _computed(self, calls: Sequence[GraphCall]) -> Iterator[Outputs]:
        """Return the outputs of calls of one kind."""
        if len(calls) == 1:
            yield self._engine.compute(calls[0])
            return
        graph, names = calls[0].graph, calls[0].arrays
        together = {name: _joined(name, [call.arrays[name] for call in calls]) for name in names}
        outputs = self._engine.compute(GraphCall(graph, together))
        begin = 0
        for call in calls:
            end = begin + len(next(iter(call.arrays.values())))
            yield [rows[begin:end] for rows in outputs]
            begin = end


def _kind(call: GraphCall) -> Hashable:
    """Return a key that is equal for graph calls that can run as one batch: the shapes of a row of their arrays."""
    if call.graph != "bar":
        return tuple(array.shape[1:] for array in call.arrays.values())
    bars = call.arrays["distance"].shape[1] if "last_rows" in call.arrays else SHARED_BARS + 1
    if bars > SHARED_BARS:
        return id(call)
    shapes = (array.shape[1 + (name in OF_ANY_LENGTH) :] for name, array in call.arrays.items())
    return (bars - 1).bit_length(), *shapes


def _joined(name: str, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Concatenate arrays along the first axis, padding the shorter ones."""
    filling = OF_ANY_LENGTH.get(name)
    if filling is None or len({array.shape[1] for array in arrays}) == 1:
        return np.concatenate(arrays)
    shape = sum(map(len, arrays)), max(array.shape[1] for array in arrays), *arrays[0].shape[2:]
    whole, begin = np.empty(shape, dtype=arrays[0].dtype), 0
    for array in arrays:
        rows = whole[begin : begin + len(array)]
        rows[:, : array.shape[1]], rows[:, array.shape[1] :] = array, filling
        begin += len(array)
    return whole
