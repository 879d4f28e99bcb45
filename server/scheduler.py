"""The scheduler of a player: which takes play, and which of them move in each round.

Takes for which there is no room wait. In a round every caller moves as many takes as the caller with fewest, and every
call of a caller as many as its call with fewest; a call with far more bars to go than another moves in every second
round. So a short song beside many long ones takes less than twice its time alone, and the long ones lose little.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from seq2drum.play.choose import Grooves
from seq2drum.play.decode.ensemble import Ended, Ensemble
from seq2drum.play.drummer import Drummer
from seq2drum.play.listen import Guitar
from seq2drum.play.take import DrumBar
from seq2drum.rpc import accompaniment_pb2 as pb
from server.ipc import Frame

MOST_BARS = 8192
"""The most bars of all takes that play together; a take keeps about 50 KiB for each of its bars."""
SHORT_BARS = 256
"""The most bars of a take that plays even if there is no room, one per call.

A call with longer takes starts no second one beside other calls: listening to such a song takes a while.
"""
LONG_FACTOR = 4
"""The ratio of remaining bars from which the longer of two calls moves only in every second round."""

TakeKey = tuple[int, int]  # job and take


@dataclass
class PlayedCall:
    """A call at play: its unfinished takes, and the values for its frames.

    model: that plays, or a band's drummer that plays through it. active: the takes that play now, least recently moved
    first. seconds: processor time so far.
    """

    job: int
    caller: str
    model: pb.ModelInfo
    request: pb.GenerateDrumsRequest
    wants_bars: bool
    guitar: Guitar
    takes: list[Grooves]
    bars: list[list[DrumBar]]
    begun: float
    first_bar: float | None = None
    last_progress: float = 0.0
    active: deque[int] = field(default_factory=deque)
    begun_takes: int = 0
    ended: int = 0
    batch_size: int = 1
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """The number of bars made."""
        return sum(len(bars) for bars in self.bars)

    @cached_property
    def bars_a_take(self) -> int:
        """The number of bars of a take."""
        return len(self.guitar.song.bars())

    @property
    def total(self) -> int:
        """The number of bars to be made."""
        return len(self.takes) * self.bars_a_take

    def rotate(self, count: int) -> Iterator[TakeKey]:
        """Yield the next `count` takes to move."""
        for _ in range(count):
            yield self.job, self.active[0]
            self.active.rotate(-1)


class ModelScheduler:
    """A model and the calls that it plays.

    can_batch: whether a batched step gives each call exactly the result of a step alone. If not, calls play one at a
    time.
    """

    def __init__(self, drummer: Drummer, info: pb.ModelInfo, can_batch: bool, aside: Executor | None = None) -> None:
        self.drummer, self.info, self.can_batch = drummer, info, can_batch
        self.calls: dict[int, PlayedCall] = {}
        self._waiting: deque[PlayedCall] = deque()
        self._ensemble = Ensemble[TakeKey, DrumBar](drummer.engine, aside or ThreadPoolExecutor(1, "encode"))
        self._active_bars = 0  # bars of all active takes
        self._rounds = 0
        self._changed = False

    @property
    def busy(self) -> bool:
        """True if there is anything to play."""
        return bool(self.calls or self._waiting)

    def add(self, call: PlayedCall) -> None:
        """Add a call."""
        self._waiting.append(call)
        self._changed = True

    def cancel(self, job: int) -> None:
        """Drop a call, if it is here."""
        self._waiting = deque(call for call in self._waiting if call.job != job)
        if call := self.calls.get(job):
            self.drop(call)

    def drop(self, call: PlayedCall) -> None:
        """Drop a call and its takes."""
        del self.calls[call.job]
        for take in call.active:
            self._ensemble.leave((call.job, take))
            self._active_bars -= call.bars_a_take
        call.active.clear()
        self._changed = True

    def advance(self, keys: Sequence[TakeKey]) -> list[tuple[PlayedCall, int, DrumBar | Ended]]:
        """Play one step of some takes; return the results, by call and take."""
        began = time.process_time()
        made = [(self.calls[job], take, item) for (job, take), item in self._ensemble.advance(keys)] if keys else []
        if keys:
            spent = (time.process_time() - began) / len(keys)
            for job, _ in keys:
                self.calls[job].seconds += spent
        for call, take, item in made:
            if isinstance(item, Ended) and take in call.active:
                call.active.remove(take)
                self._active_bars -= call.bars_a_take
                self._changed = True
        return made

    def _admit(self) -> None:
        """Admit waiting calls, and start those of their takes for which there is room."""
        while self._waiting and (self.can_batch or not self.calls):
            new = self._waiting.popleft()
            self.calls[new.job] = new
            for other in self.calls.values():
                other.batch_size = max(other.batch_size, len(self.calls))
        while (call := self._next()) is not None:
            take = call.begun_takes
            call.begun_takes += 1
            call.active.append(take)
            self._active_bars += call.bars_a_take
            self._ensemble.join((call.job, take), self.drummer.bars(call.guitar, call.takes[take]))

    def _next(self) -> PlayedCall | None:
        """Return the call that starts another take: the one with fewest active takes of those that fit."""
        wanting = [call for call in self.calls.values() if call.begun_takes < len(call.takes) and self._fits(call)]
        return min(wanting, key=lambda call: len(call.active), default=None)

    def _fits(self, call: PlayedCall) -> bool:
        bars = call.bars_a_take
        if bars > SHORT_BARS and call.active and len(self.calls) > 1:
            return False
        return (
            not self._active_bars or self._active_bars + bars <= MOST_BARS or (not call.active and bars <= SHORT_BARS)
        )

    def next_takes(self) -> list[TakeKey]:
        """Return the takes that move in the next round."""
        if self._changed:
            self._changed = False
            self._admit()
        self._rounds += 1
        if len(self.calls) == 1:
            return [(call.job, take) for call in self.calls.values() for take in call.active]
        by_caller: dict[str, list[PlayedCall]] = {}
        least = min((call.total - call.done for call in self.calls.values() if call.active), default=0)
        for call in self.calls.values():
            has_much = call.total - call.done > max(LONG_FACTOR * least, SHORT_BARS)
            if call.active and not (has_much and self._rounds % 2):
                by_caller.setdefault(call.caller, []).append(call)
        share = min((len(calls) * min(len(call.active) for call in calls) for calls in by_caller.values()), default=0)
        keys: list[TakeKey] = []
        for calls in by_caller.values():
            each, more = divmod(share, len(calls))
            for index, call in enumerate(calls):
                keys += call.rotate(each + ((index + self._rounds) % len(calls) < more))
        return keys


# --- beats and jams ---------------------------------------------------------------------------------------------------


class RoundRobin:
    """Calls that are answered piece by piece, one piece of each in a round.

    send: sends a frame. fail: reports a failed job.
    """

    def __init__(self, send: Callable[[Frame], None], fail: Callable[[int, Exception], None]) -> None:
        self._send, self._fail = send, fail
        self._calls: dict[int, Iterator[Frame | None]] = {}

    @property
    def busy(self) -> bool:
        """True if there is anything to be made."""
        return bool(self._calls)

    def begin(self, job: int, frames: Iterator[Frame | None]) -> None:
        """Add a call. frames: the frame after each piece, if any, and at last "done"."""
        self._calls[job] = frames

    def cancel(self, job: int) -> None:
        """Drop a call, if it is here."""
        self._calls.pop(job, None)

    def advance(self) -> None:
        """Make one piece of each call."""
        for job, call in list(self._calls.items()):
            try:
                frame = next(call)
            except Exception as error:
                self.cancel(job)
                self._fail(job, error)
                continue
            if frame is not None:
                if frame.head["what"] == "done":
                    self.cancel(job)
                self._send(frame)
