"""Several streams that play on one engine, and share its steps.

A step costs hardly more for eight songs than for one. So each stream is brought to its next step, and these steps are
computed as one batch. A stream that joins takes part from the next step on; one that ends or leaves is out of it at
once; none waits for another. Encoding a guitar and opening or shaping a bar is computed for each alone: songs remember
different numbers of bars, so that a batch of them would be mostly padding.

A batch changes no result: each row of a step is computed as it would be alone, bit by bit. That is so of matrix kernels
which sum in one order whatever the number of rows, as ONNX Runtime's for the CPU do; the tests try it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from seq2drum.play.engine import Ask, AskingStream, Engine
from seq2drum.play.runtime import Answer

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
BATCHED = "step"  # the graph whose questions are answered together
ASIDE, ASIDE_BARS = "encode", 256  # the graph that is computed aside, of more bars than these
MOST_ITEMS = 8  # items of a stream in one round: bars for which nothing is asked come one after another
PAUSE = 0.01  # seconds to wait for what is computed aside, where there is nothing else to do


@dataclass(frozen=True)
class Ended:
    """A stream has come to its end; error: what it raised, if it did."""

    error: Exception | None = None


@dataclass
class _Seat(Generic[T]):
    """A stream: what it asks for now, what is computed of that aside, or the answer that it is to be sent."""

    stream: AskingStream[T]
    ask: Ask | None = None
    answer: Answer | None = None
    aside: Future[Answer] | None = None


class Ensemble(Generic[K, T]):
    """The streams that play at the moment, by a key.

    aside: computes what takes long, the encoding of a long song, while the others play on.
    """

    def __init__(self, engine: Engine, aside: Executor | None = None) -> None:
        self._engine, self._aside = engine, aside
        self._seats: dict[K, _Seat[T]] = {}

    def __len__(self) -> int:
        return len(self._seats)

    def join(self, key: K, stream: AskingStream[T]) -> None:
        """Take part from the next step on."""
        if key in self._seats:
            raise ValueError(f"{key!r} plays already")
        self._seats[key] = _Seat(stream)

    def leave(self, key: K) -> None:
        """Stop a stream at once. A key that does not play may leave, too."""
        if seat := self._seats.pop(key, None):
            if seat.aside:
                seat.aside.cancel()
            seat.stream.close()

    def advance(self, keys: Collection[K] | None = None) -> list[tuple[K, T | Ended]]:
        """Bring every stream one step on, or those of some keys. Its items, by key; at its end an `Ended`, and no more.

        Where all that could move is computed aside, it waits for a moment.
        """
        made: list[tuple[K, T | Ended]] = []
        moving = [(key, self._seats[key]) for key in (list(self._seats) if keys is None else keys)]
        aside = [seat.aside for _, seat in moving if seat.aside]
        if aside and len(aside) == len(moving):
            wait(aside, PAUSE, FIRST_COMPLETED)
        for key, seat in moving:
            if seat.aside and not seat.aside.done():
                continue
            try:
                if seat.aside:
                    seat.answer, seat.aside = seat.aside.result(), None
                most = len(made) + MOST_ITEMS
                while seat.ask is None and len(made) < most:
                    item = seat.stream.send(seat.answer)
                    seat.answer = None
                    if not isinstance(item, Ask):
                        made.append((key, item))
                    elif item.graph == BATCHED:
                        seat.ask = item
                    elif self._aside and item.graph == ASIDE and len(item.arrays["steps"]) > ASIDE_BARS:
                        seat.aside = self._aside.submit(self._engine.answer, item)
                        break
                    else:
                        seat.answer = self._engine.answer(item)
            except StopIteration:
                del self._seats[key]
                made.append((key, Ended()))
            except Exception as error:  # the error of one stream must not stop the others
                del self._seats[key]
                made.append((key, Ended(error)))
        self._step()
        return made

    def run(self) -> Iterator[tuple[K, T]]:
        """Play until all have come to their end.

        Raises:
            Exception: the first that a stream raised.
        """
        while self._seats:
            for key, item in self.advance():
                if not isinstance(item, Ended):
                    yield key, item
                elif item.error is not None:
                    raise item.error

    def _step(self) -> None:
        """Answer what all ask, as one batch."""
        asking = [(seat, seat.ask) for seat in self._seats.values() if seat.ask is not None]
        if not asking:
            return
        if len(asking) == 1:
            ((seat, ask),) = asking
            seat.ask, seat.answer = None, self._engine.answer(ask)
            return
        names = asking[0][1].arrays
        together = {name: np.concatenate([ask.arrays[name] for _, ask in asking]) for name in names}
        answers = self._engine.answer(Ask(BATCHED, together))
        begin = 0
        for seat, ask in asking:
            end = begin + len(next(iter(ask.arrays.values())))
            seat.ask, seat.answer = None, [rows[begin:end] for rows in answers]
            begin = end
