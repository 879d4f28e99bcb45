"""Who may play now, who waits, and who is sent away: a bounded queue before a bounded number of turns.

Times are seconds of a clock that never goes back. A call that finds a free turn never waits. It knows nothing of what a
turn is for.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from server.metrics import Metrics
from server.settings import AHEAD
from server.statuses import Refusal

SURELY = 0.5
"""A call is refused for want of time only if this share of the estimated time is more than it has: an estimate may be
wrong, and a call that would have been done in time must not be refused."""

_RECENT = 0.2  # the weight of the newest call in the averages
_FIRST_GUESS = 2.0  # seconds of a turn, before there was one
_SHORTEST_RETRY, _LONGEST_RETRY = 0.25, 60.0


class Admission:
    """Turns (at most `playing` at once) and places before them (at most `waiting`).

    Turns are given in the order in which they were asked for.
    """

    def __init__(
        self,
        playing: int,
        waiting: int,
        queue_seconds: float,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most_playing, self.most_waiting, self.queue_seconds = playing, waiting, queue_seconds
        self.clock, self._metrics = clock, metrics
        self.inside = self.playing = 0
        self.queue: deque[Place] = deque()
        self.turn_seconds = _FIRST_GUESS
        """The recent average of a turn."""
        self.slowness = 1.0
        """The recent average of a turn's time over its estimate."""

    def enter(self, deadline: float) -> Place:
        """A place, to be left by `with`.

        Raises:
            Refusal: QUEUE_FULL.
        """
        if self.inside >= self.most_playing + self.most_waiting:
            retry = self.retry_seconds()
            raise Refusal(
                "QUEUE_FULL",
                f"{self.most_playing} calls are played and {self.most_waiting} wait, which is all there is room for; "
                f"try again in {retry:.1f} s",
                retry_seconds=retry,
            )
        self.inside += 1
        return Place(self, deadline)

    def waits(self, before: int) -> float:
        """About how many seconds a call waits that has so many before it in the queue."""
        free = self.most_playing - self.playing
        return 0.0 if before < free else (before - free + 1) * self.turn_seconds / self.most_playing

    def retry_seconds(self) -> float:
        """When to try again: about when all that wait now have had their turn."""
        return min(max(self.waits(len(self.queue)), _SHORTEST_RETRY), _LONGEST_RETRY)

    def learn(self, seconds: float, estimate: float) -> None:
        """Note how long a turn took, and its estimate (0: none)."""
        self.turn_seconds += _RECENT * (seconds - self.turn_seconds)
        if estimate > 0:
            self.slowness += _RECENT * (seconds / estimate - self.slowness)

    def next(self) -> None:
        """Give free turns to the calls that wait longest."""
        while self.queue and self.playing < self.most_playing:
            self.queue.popleft().begin()


class Place:
    """A call's place: it is in the queue, has its turn, or neither yet."""

    def __init__(self, admission: Admission, deadline: float) -> None:
        self._admission, self._deadline = admission, deadline
        self._called: asyncio.Future[None] | None = None
        self._began: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        admission = self._admission
        if self in admission.queue:
            admission.queue.remove(self)
        if self._began is not None:
            admission.playing -= 1
        admission.inside -= 1
        admission.next()

    @property
    def position(self) -> int:
        """How many calls would be before it, if it asked for its turn now; 0: it would have it at once."""
        admission = self._admission
        return 0 if admission.playing < admission.most_playing and not admission.queue else len(admission.queue) + 1

    def check(self, estimate: float) -> None:
        """Check that there is time enough for a turn of `estimate` seconds.

        Raises:
            Refusal: DEADLINE_TOO_SHORT.
        """
        admission = self._admission
        needed = estimate * admission.slowness + admission.waits(len(admission.queue))
        left = self._deadline - admission.clock()
        if needed * SURELY > left:
            raise Refusal(
                "DEADLINE_TOO_SHORT",
                f"this takes about {needed:.1f} s, and the call has {max(left, 0):.1f} s left; "
                "give it a later deadline",
            )

    async def turn(self) -> None:
        """Wait for the turn.

        Raises:
            Refusal: QUEUE_TIMEOUT, DEADLINE_PASSED.
        """
        admission = self._admission
        if admission.playing < admission.most_playing and not admission.queue:
            self.begin()
        else:
            self._called = asyncio.get_running_loop().create_future()
            admission.queue.append(self)
            try:
                async with asyncio.timeout(min(admission.queue_seconds, self._deadline - admission.clock())):
                    await self._called
            except asyncio.CancelledError:
                if self._late(AHEAD):
                    admission._metrics.expired.inc()
                raise
            except TimeoutError:
                if not self._late():
                    raise self._timed_out() from None
        if self._late():
            admission._metrics.expired.inc()
            raise Refusal(
                "DEADLINE_PASSED", "the deadline passed while the call waited for its turn; give it a later one"
            )

    def begin(self) -> None:
        """Start the turn."""
        self._admission.playing += 1
        self._began = self._admission.clock()
        if self._called and not self._called.done():
            self._called.set_result(None)

    def done(self, estimate: float) -> None:
        """Note that the turn was used to its end; `estimate` is in seconds (0: none)."""
        if self._began is not None:
            self._admission.learn(self._admission.clock() - self._began, estimate)

    def _late(self, ahead: float = 0.0) -> bool:
        return self._admission.clock() + ahead >= self._deadline

    def _timed_out(self) -> Refusal:
        retry = self._admission.retry_seconds()
        return Refusal(
            "QUEUE_TIMEOUT",
            f"the call has waited for {self._admission.queue_seconds:g} s, as long as it may; "
            f"try again in {retry:.1f} s",
            retry_seconds=retry,
        )
