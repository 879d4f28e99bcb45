"""Who may play now, who waits, and who is sent away: bounded queues of callers before a bounded number of turns.

A turn has a price: the seconds of a processor that it is thought to take. Turns go round between callers by what each
has had of them (start-time fair queueing, Goyal, Vin and Cheng, 1996), so that who asks for much waits for it, and
nobody else does. Times are seconds of a clock that never goes back. A call that finds a free turn never waits. It knows
nothing of what a turn is for.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from server.callers import Caller
from server.metrics import Metrics
from server.settings import AHEAD
from server.statuses import Refusal

SURELY = 0.5
"""A call is refused for want of time only if this share of the estimated time is more than it has: an estimate may be
wrong, and a call that would have been done in time must not be refused."""
SHARE_SECONDS = 15.0
"""The price of the turns that one caller has at once, for each process that plays. A caller always has one for each."""
MOST_LISTED = 1024
"""How many are kept a place for who found none."""
SOON_SECONDS = 5.0
"""When at the latest such a caller is told to come again: prices may be wrong, and to refuse it once more is cheap."""
KEPT_SECONDS = 2.0
"""How long such a place is kept at least beyond the time at which its caller was told to come again."""
PROBE_SECONDS = 30.0
"""How often a call may play that would be refused for its price: else a wrong price would be kept for ever."""

_FORGOTTEN = 120.0  # seconds after which half of what was learnt of prices is forgotten
_PRIOR = 2.0  # seconds of turns for which a price is taken as it is
_LEAST, _MOST = 0.05, 50.0  # of slowness
_SHORTEST_RETRY, _LONGEST_RETRY = 0.25, 60.0


@dataclass
class _Account:
    """What a caller has: places, turns, their price in seconds, those who wait, and the start of its next turn."""

    tag: float
    inside: int = 0
    playing: int = 0
    seconds: float = 0.0
    queue: deque[Place] = field(default_factory=deque)


class Admission:
    """Turns (at most `playing` at once) and places before them (at most `waiting`), for processes that play.

    The calls of one caller have their turns in the order in which they asked for them. Who finds no place is kept the
    next ones that become free, in the order of asking, until it comes again: else those would have them who were just
    served and ask on at once. No turn stays free for it.
    """

    def __init__(
        self,
        playing: int,
        waiting: int,
        queue_seconds: float,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        processes: int = 1,
    ) -> None:
        self.most_playing, self.most_waiting, self.queue_seconds = playing, waiting, queue_seconds
        self.clock, self._metrics, self._processes = clock, metrics, processes
        self.inside = self.playing = 0
        self._accounts: dict[str, _Account] = {}
        self._listed: dict[tuple[str, str], float] = {}  # who found no place, in order, and until when one is kept
        self.numbers = itertools.count(1)
        self._virtual = 0.0  # the start of the last turn that was given, in seconds of turns that a caller has had
        self._known = self._took = 0.0  # prices of late, and the seconds that they were in truth
        self._learnt = self._probed = clock()

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return sum(len(account.queue) for account in self._accounts.values())

    @property
    def slowness(self) -> float:
        """What a price has to be multiplied by, by the turns of late."""
        kept = math.exp2((self._learnt - self.clock()) / _FORGOTTEN)
        return min(max((_PRIOR + kept * self._took) / (_PRIOR + kept * self._known), _LEAST), _MOST)

    def learn(self, seconds: float, price: float) -> None:
        """Note how many seconds of a processor a turn took that had a price, before `slowness`."""
        kept = math.exp2((self._learnt - self.clock()) / _FORGOTTEN)
        self._took, self._known = kept * self._took + seconds, kept * self._known + price
        self._learnt = self.clock()

    def check_room(self, caller: Caller) -> None:
        """Refuse a call before it is read that would find no place. To refuse is cheap, so that others play meanwhile.

        Raises:
            Refusal: QUEUE_FULL.
        """
        account = self._accounts.get(caller.key)
        inside = account.inside if account else 0
        ahead = self._ahead(caller, inside)
        if not self._has_room(ahead) and not self._with_more(inside):
            raise self._later(caller, ahead)

    def enter(self, caller: Caller, deadline: float) -> Place:
        """A place, to be left by `with`. Where there is none, who has most gives one to who has fewer.

        Raises:
            Refusal: QUEUE_FULL.
        """
        account = self._accounts.setdefault(caller.key, _Account(self._virtual))
        ahead = self._ahead(caller, account.inside)
        if not self._has_room(ahead) and not self._sent_away(account):
            self._forget(caller.key)
            raise self._later(caller, ahead)
        self._listed.pop(caller.way, None)
        self.inside += 1
        account.inside += 1
        return Place(self, caller.key, account, deadline)

    def seconds_before(self, account: _Account) -> float:
        """About how long a call of this caller waits that asks for its turn now."""
        if self.playing < self.most_playing and not account.queue and self._may_play(account, 0.0):
            return 0.0
        ahead = sum(place.seconds for place in account.queue)
        for other in self._accounts.values():
            ahead += other.seconds / 2
            if other is not account:
                ahead += sum(place.seconds for place in [*other.queue][: len(account.queue) + 1])
        return ahead / self._processes

    def retry_seconds(self) -> float:
        """When to try again: about when all that wait now have had their turn."""
        ahead = sum(
            account.seconds / 2 + sum(place.seconds for place in account.queue) for account in self._accounts.values()
        )
        return min(max(ahead / self._processes, _SHORTEST_RETRY), _LONGEST_RETRY)

    def may_probe(self) -> bool:
        """Whether a call may play that its price forbids."""
        if self.clock() - self._probed < PROBE_SECONDS:
            return False
        self._probed = self.clock()
        return True

    def give(self) -> None:
        """Give free turns to those who wait and have had least."""
        while self.playing < self.most_playing:
            wanting = [
                account
                for account in self._accounts.values()
                if account.queue and self._may_play(account, account.queue[0].seconds)
            ]
            if not wanting:
                return
            account = min(wanting, key=lambda one: (max(one.tag, self._virtual), one.queue[0].number))
            account.queue.popleft().begin()

    def begin(self, account: _Account, seconds: float) -> None:
        """Note that a turn begins."""
        self._virtual = max(self._virtual, account.tag)
        account.tag = self._virtual + seconds
        self.playing += 1
        account.playing += 1
        account.seconds += seconds

    def end(self, key: str, account: _Account, seconds: float | None) -> None:
        """Note that a place is left, and a turn ends that had a price; None: it had not begun."""
        if seconds is not None:
            self.playing -= 1
            account.playing -= 1
            account.seconds -= seconds
        self.inside -= 1
        account.inside -= 1
        self._forget(key)
        self.give()

    def _may_play(self, account: _Account, seconds: float) -> bool:
        return account.playing < self._processes or account.seconds + seconds <= SHARE_SECONDS * self._processes

    def _ahead(self, caller: Caller, inside: int) -> int:
        """How many places are kept for others who asked before this caller, who has so many inside.

        One each for other callers, however many ways they come; one for each way of its own, if it has any inside.
        """
        now = self.clock()
        self._listed = {way: until for way, until in self._listed.items() if until > now}
        before = list(itertools.takewhile(lambda way: way != caller.way, self._listed))
        others = {key for key, _ in before if key != caller.key}
        return len(others) + (sum(key == caller.key for key, _ in before) if inside else 0)

    def _has_room(self, ahead: int) -> bool:
        free = self.most_playing + self.most_waiting - self.inside
        return self.inside < self.most_playing or free > ahead

    def _later(self, caller: Caller, ahead: int) -> Refusal:
        """The refusal of a caller who is kept a place. It is told to come when those before it have had their turn."""
        retry = self.retry_seconds()
        refusal = self._full(min(retry * (1 + ahead / max(self.inside, 1)), SOON_SECONDS))
        if caller.way in self._listed or len(self._listed) < MOST_LISTED:
            wait = refusal.retry_seconds or 0.0
            self._listed[caller.way] = self.clock() + wait + max(wait, KEPT_SECONDS)
        return refusal

    def _sent_away(self, account: _Account) -> bool:
        """Send away the youngest call that waits of who has most, if that is more than this caller would have."""
        waiting = self._with_more(account.inside)
        if not waiting:
            return False
        max(waiting, key=lambda other: other.inside).queue.pop().send_away(self._full(self.retry_seconds()))
        return True

    def _with_more(self, inside: int) -> list[_Account]:
        """Those with calls that wait who have more inside than one who has so many would have with one more."""
        return [other for other in self._accounts.values() if other.queue and other.inside > inside + 1]

    def _full(self, retry: float) -> Refusal:
        return Refusal(
            "QUEUE_FULL",
            f"{self.most_playing} calls are played and {self.most_waiting} wait, which is all there is room for; "
            f"try again in {retry:.1f} s",
            retry_seconds=retry,
        )

    def _forget(self, key: str) -> None:
        """Forget a caller that has nothing here."""
        if not self._accounts[key].inside:
            del self._accounts[key]


class Place:
    """A call's place: it is in its caller's queue, has its turn, or neither yet. seconds: the price of its turn."""

    def __init__(self, admission: Admission, key: str, account: _Account, deadline: float) -> None:
        self.seconds, self.number = 0.0, 0
        self._admission, self._key, self._account, self._deadline = admission, key, account, deadline
        self._price = 0.0
        self._called: asyncio.Future[None] | None = None
        self._plays = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self in self._account.queue:
            self._account.queue.remove(self)
        self._admission.end(self._key, self._account, self.seconds if self._plays else None)

    @property
    def position(self) -> int:
        """About how many calls would be before it, if it asked for its turn now; 0: it would have it at once."""
        if self._is_free:
            return 0
        own = len(self._account.queue) + 1
        others = [account for account in self._admission._accounts.values() if account is not self._account]
        return own + sum(min(len(other.queue), own) for other in others)

    def price(self, seconds: float) -> None:
        """Say what the turn will cost, in seconds of a processor of an idle server, and check that there is the time.

        Raises:
            Refusal: DEADLINE_TOO_SHORT.
        """
        admission = self._admission
        self._price, self.seconds = seconds, seconds * admission.slowness
        needed = self.seconds + admission.seconds_before(self._account)
        left = self._deadline - admission.clock()
        if needed * SURELY > left and not admission.may_probe():
            raise Refusal(
                "DEADLINE_TOO_SHORT",
                f"this takes about {needed:.1f} s, and the call has {max(left, 0):.1f} s left; "
                "give it a later deadline",
            )

    async def turn(self) -> None:
        """Wait for the turn.

        Raises:
            Refusal: QUEUE_TIMEOUT, DEADLINE_PASSED; QUEUE_FULL, the place was given to a caller who has fewer.
        """
        admission = self._admission
        if self._is_free:
            self.begin()
        else:
            self._called = asyncio.get_running_loop().create_future()
            self.number = next(admission.numbers)
            self._account.queue.append(self)
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
        self._plays = True
        self._admission.begin(self._account, self.seconds)
        if self._called and not self._called.done():
            self._called.set_result(None)

    def send_away(self, why: Refusal) -> None:
        """Refuse the call, which waits."""
        if self._called and not self._called.done():
            self._called.set_exception(why)

    def done(self, seconds: float) -> None:
        """Note that the turn was used to its end, and took so many seconds of a processor."""
        if self._price > 0:
            self._admission.learn(seconds, self._price)

    @property
    def _is_free(self) -> bool:
        """Whether there is a turn for it at once."""
        admission = self._admission
        mine = not self._account.queue and admission._may_play(self._account, self.seconds)
        return mine and admission.playing < admission.most_playing

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
