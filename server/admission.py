"""Admission: callers share the server's capacity.

A turn has a cost: the processor seconds that it is expected to take. Turns go round the callers by their past costs
(start-time fair queueing, Goyal, Vin and Cheng, 1996), so a heavy caller waits for its own calls, and nobody else does.
Times are seconds of a monotonic clock. A call that finds a free turn never waits. This module does not know what a turn
is for.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from server.metrics import Metrics
from server.settings import DEADLINE_SKEW_SECONDS
from server.statuses import Refusal

# --- callers ----------------------------------------------------------------------------------------------------------


FREE_PLACES_FACTOR = 3
"""A caller gets a place while it has fewer than this many times the free places.

So a single caller gets three quarters of all places, several share them, and a new caller finds one: the dynamic
thresholds of Choudhury and Hahne, 1998.
"""
_NETWORK_BITS = 64  # of an IPv6 address: a caller with one address of a network has all of it


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller. peer: its address, see `peer_of`. credential: the name of its token or certificate, or "".

    connection: the whole address, which distinguishes the connections of one caller.
    """

    peer: str = ""
    credential: str = ""
    connection: str = ""

    @property
    def key(self) -> str:
        """The key by which its calls are counted: the name of its credential, or else its address."""
        return f"credential {self.credential}" if self.credential else f"peer {self.peer}"

    @property
    def origin(self) -> tuple[str, str]:
        """The key and the connection."""
        return self.key, self.connection


NOBODY = Caller()


def peer_of(address: str) -> str:
    """Return an address without the parts that a caller can choose: port, last half of IPv6, path of a socket.

    address: as gRPC has it ("ipv4:127.0.0.1:4711", "ipv6:%5B::1%5D:4711", "unix:/path"), or an IP address.
    """
    kind, _, rest = unquote(address).partition(":")
    if kind in ("unix", "unix-abstract"):
        return "unix"
    host = rest.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else unquote(address)
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(found) if found.is_loopback else str(ipaddress.ip_network((found, _NETWORK_BITS), strict=False))


class ConcurrencyLimit:
    """A limit of `most` concurrent calls; one more is refused, none waits.

    No caller takes all, see FREE_PLACES_FACTOR.
    """

    def __init__(self, most: int, what: str) -> None:
        self.most, self.inside, self._what = most, 0, what
        self._of = Counter[str]()

    @contextlib.contextmanager
    def slot(self, caller: Caller) -> Iterator[None]:
        """Hold one of the places for a call, within `with`.

        Raises:
            Refusal: QUEUE_FULL.
        """
        key = caller.key
        if self._of[key] >= FREE_PLACES_FACTOR * (self.most - self.inside):
            whose = "" if self.inside >= self.most else f" ({self._of[key]} of them for this caller)"
            raise Refusal(
                "QUEUE_FULL",
                f"{self.inside} {self._what}{whose}, the limit; try again in 1 s",
                retry_seconds=1.0,
            )
        self.inside += 1
        self._of[key] += 1
        try:
            yield
        finally:
            self.inside -= 1
            self._of[key] -= 1
            if not self._of[key]:
                del self._of[key]


# --- turns ------------------------------------------------------------------------------------------------------------


REFUSED_SHARE = 0.5
"""A call is refused as too late only if this share of the estimated time exceeds the time it has: estimates err, and a
call that would have been done in time must not be refused."""
CALLER_SECONDS = 15.0
"""The total cost of one caller's concurrent turns, for each player process. One turn each is always allowed."""
MOST_RESERVED = 1024
"""The most callers for which a place is reserved after a refusal."""
LONGEST_RESERVED_RETRY = 5.0
"""The longest retry time sent to such a caller: costs may be wrong, and a second refusal is cheap."""
RESERVED_SECONDS = 2.0
"""The least time for which a place stays reserved after the retry time that was sent."""
PROBE_SECONDS = 30.0
"""The interval at which one call may play although its cost forbids it: otherwise a wrong cost would never be
corrected."""

_HALF_LIFE_SECONDS = 120.0  # in which learnt costs lose half their weight
_PRIOR_SECONDS = 2.0  # weight of the prior: the estimate is right
_LEAST_SLOWDOWN, _MOST_SLOWDOWN = 0.05, 50.0  # of `slowdown`
_SHORTEST_RETRY, _LONGEST_RETRY = 0.25, 60.0


@dataclass
class _Account:
    """One caller's places, turns, their cost in seconds, its queue, and the start tag of its next turn."""

    start_tag: float
    inside: int = 0
    playing: int = 0
    seconds: float = 0.0
    queue: deque[Place] = field(default_factory=deque)


class Admission:
    """Turns (at most `playing` concurrent ones) and places in the queue (at most `waiting`), for the player processes.

    One caller's calls get their turns in order of arrival. A refused caller has the next free place reserved, in order
    of refusal, until it calls again; otherwise callers that call again immediately after being served would take every
    place. No turn stays idle for a reservation.
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
        self._reserved: dict[tuple[str, str], float] = {}  # refused callers in order: reserved until
        self.numbers = itertools.count(1)
        self._virtual_time = 0.0  # start tag of the last turn
        self._expected_seconds = self._actual_seconds = 0.0  # of recent turns
        self._learnt = self._probed = clock()

    @property
    def waiting(self) -> int:
        """The number of calls that wait for their turn."""
        return sum(len(account.queue) for account in self._accounts.values())

    @property
    def slowdown(self) -> float:
        """The factor from estimated to actual cost, learnt from recent turns."""
        kept = math.exp2((self._learnt - self.clock()) / _HALF_LIFE_SECONDS)
        return min(
            max(
                (_PRIOR_SECONDS + kept * self._actual_seconds) / (_PRIOR_SECONDS + kept * self._expected_seconds),
                _LEAST_SLOWDOWN,
            ),
            _MOST_SLOWDOWN,
        )

    def learn(self, seconds: float, cost: float) -> None:
        """Record that a turn of an estimated cost, before `slowdown`, took this many processor seconds."""
        kept = math.exp2((self._learnt - self.clock()) / _HALF_LIFE_SECONDS)
        self._actual_seconds, self._expected_seconds = (
            kept * self._actual_seconds + seconds,
            kept * self._expected_seconds + cost,
        )
        self._learnt = self.clock()

    def check_capacity(self, caller: Caller) -> None:
        """Refuse a call that would find no place before it is read: a cheap refusal leaves time for the others.

        Raises:
            Refusal: QUEUE_FULL.
        """
        account = self._accounts.get(caller.key)
        inside = account.inside if account else 0
        ahead = self._ahead(caller, inside)
        if not self._has_capacity(ahead) and not self._larger(inside):
            raise self._later(caller, ahead)

    def enter(self, caller: Caller, deadline: float) -> Place:
        """Return a place, to be used in `with`.

        If none is free, the caller with most places gives one to a caller with fewer.

        Raises:
            Refusal: QUEUE_FULL.
        """
        account = self._accounts.setdefault(caller.key, _Account(self._virtual_time))
        ahead = self._ahead(caller, account.inside)
        if not self._has_capacity(ahead) and not self._evict(account):
            self._drop_idle(caller.key)
            raise self._later(caller, ahead)
        self._reserved.pop(caller.origin, None)
        self.inside += 1
        account.inside += 1
        return Place(self, caller.key, account, deadline)

    def seconds_before(self, account: _Account) -> float:
        """Estimate the wait of a call of this caller if it joined the queue now."""
        if self.playing < self.most_playing and not account.queue and self._may_play(account, 0.0):
            return 0.0
        ahead = sum(place.seconds for place in account.queue)
        for other in self._accounts.values():
            ahead += other.seconds / 2
            if other is not account:
                ahead += sum(place.seconds for place in [*other.queue][: len(account.queue) + 1])
        return ahead / self._processes

    def retry_seconds(self) -> float:
        """Return when to try again: about when all calls in the queue have had their turn."""
        ahead = sum(
            account.seconds / 2 + sum(place.seconds for place in account.queue) for account in self._accounts.values()
        )
        return min(max(ahead / self._processes, _SHORTEST_RETRY), _LONGEST_RETRY)

    def may_probe(self) -> bool:
        """Return whether a call may play although its cost forbids it."""
        if self.clock() - self._probed < PROBE_SECONDS:
            return False
        self._probed = self.clock()
        return True

    def grant_turns(self) -> None:
        """Give the free turns to the waiting callers that have had least."""
        while self.playing < self.most_playing:
            wanting = [
                account
                for account in self._accounts.values()
                if account.queue and self._may_play(account, account.queue[0].seconds)
            ]
            if not wanting:
                return
            account = min(wanting, key=lambda one: (max(one.start_tag, self._virtual_time), one.queue[0].number))
            account.queue.popleft().begin()

    def begin(self, account: _Account, seconds: float) -> None:
        """Record that a turn begins."""
        self._virtual_time = max(self._virtual_time, account.start_tag)
        account.start_tag = self._virtual_time + seconds
        self.playing += 1
        account.playing += 1
        account.seconds += seconds

    def end(self, key: str, account: _Account, seconds: float | None) -> None:
        """Record that a call left its place. seconds: the cost of its turn, None if the turn had not begun."""
        if seconds is not None:
            self.playing -= 1
            account.playing -= 1
            account.seconds -= seconds
        self.inside -= 1
        account.inside -= 1
        self._drop_idle(key)
        self.grant_turns()

    def _may_play(self, account: _Account, seconds: float) -> bool:
        return account.playing < self._processes or account.seconds + seconds <= CALLER_SECONDS * self._processes

    def _ahead(self, caller: Caller, inside: int) -> int:
        """Return the number of places reserved for callers that asked before this one, which has `inside` places.

        One for each other caller, whatever the number of its connections; one for each connection of this caller, if it
        has a place.
        """
        now = self.clock()
        self._reserved = {origin: until for origin, until in self._reserved.items() if until > now}
        before = list(itertools.takewhile(lambda origin: origin != caller.origin, self._reserved))
        others = {key for key, _ in before if key != caller.key}
        return len(others) + (sum(key == caller.key for key, _ in before) if inside else 0)

    def _has_capacity(self, ahead: int) -> bool:
        free = self.most_playing + self.most_waiting - self.inside
        return self.inside < self.most_playing or free > ahead

    def _later(self, caller: Caller, ahead: int) -> Refusal:
        """Return the refusal of a caller and reserve a place for it.

        Its retry time is when those before it have had their turn.
        """
        retry = self.retry_seconds()
        refusal = self._full(min(retry * (1 + ahead / max(self.inside, 1)), LONGEST_RESERVED_RETRY))
        if caller.origin in self._reserved or len(self._reserved) < MOST_RESERVED:
            wait = refusal.retry_seconds or 0.0
            self._reserved[caller.origin] = self.clock() + wait + max(wait, RESERVED_SECONDS)
        return refusal

    def _evict(self, account: _Account) -> bool:
        """Evict the youngest waiting call of the caller with most places, if that leaves it more than this one gets."""
        waiting = self._larger(account.inside)
        if not waiting:
            return False
        max(waiting, key=lambda other: other.inside).queue.pop().refuse(self._full(self.retry_seconds()))
        return True

    def _larger(self, inside: int) -> list[_Account]:
        """Return the callers with waiting calls that have more places than one with `inside` plus one."""
        return [other for other in self._accounts.values() if other.queue and other.inside > inside + 1]

    def _full(self, retry: float) -> Refusal:
        return Refusal(
            "QUEUE_FULL",
            f"{self.most_playing} calls are playing and {self.most_waiting} are waiting, the limit; "
            f"try again in {retry:.1f} s",
            retry_seconds=retry,
        )

    def _drop_idle(self, key: str) -> None:
        """Drop the account of a caller without places."""
        if not self._accounts[key].inside:
            del self._accounts[key]


class Place:
    """The place of a call: queued, with a turn, or neither yet. seconds: the cost of its turn."""

    def __init__(self, admission: Admission, key: str, account: _Account, deadline: float) -> None:
        self.seconds, self.number = 0.0, 0
        self._admission, self._key, self._account, self._deadline = admission, key, account, deadline
        self._cost = 0.0
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
        """Estimate the number of calls ahead if it joined the queue now; 0: a turn is free."""
        if self._is_free:
            return 0
        own = len(self._account.queue) + 1
        others = [account for account in self._admission._accounts.values() if account is not self._account]
        return own + sum(min(len(other.queue), own) for other in others)

    def set_cost(self, seconds: float) -> None:
        """Set the cost of the turn, in processor seconds of an idle server, and check it against the deadline.

        Raises:
            Refusal: DEADLINE_TOO_SHORT.
        """
        admission = self._admission
        self._cost, self.seconds = seconds, seconds * admission.slowdown
        needed = self.seconds + admission.seconds_before(self._account)
        left = self._deadline - admission.clock()
        if needed * REFUSED_SHARE > left and not admission.may_probe():
            raise Refusal(
                "DEADLINE_TOO_SHORT",
                f"this takes about {needed:.1f} s, and the call has {max(left, 0):.1f} s left; "
                "give it a later deadline",
            )

    async def turn(self) -> None:
        """Wait for the turn.

        Raises:
            Refusal: QUEUE_TIMEOUT; DEADLINE_PASSED; QUEUE_FULL, the place went to a caller with fewer.
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
                if self._is_late(DEADLINE_SKEW_SECONDS):
                    admission._metrics.expired.inc()
                raise
            except TimeoutError:
                if not self._is_late():
                    raise self._timed_out() from None
        if self._is_late():
            admission._metrics.expired.inc()
            raise Refusal("DEADLINE_PASSED", "the deadline passed while the call waited for its turn; set a later one")

    def begin(self) -> None:
        """Start the turn."""
        self._plays = True
        self._admission.begin(self._account, self.seconds)
        if self._called and not self._called.done():
            self._called.set_result(None)

    def refuse(self, why: Refusal) -> None:
        """Refuse the waiting call."""
        if self._called and not self._called.done():
            self._called.set_exception(why)

    def done(self, seconds: float) -> None:
        """Record that the turn was used to its end and took this many processor seconds."""
        if self._cost > 0:
            self._admission.learn(seconds, self._cost)

    @property
    def _is_free(self) -> bool:
        """True if a turn is free now."""
        admission = self._admission
        mine = not self._account.queue and admission._may_play(self._account, self.seconds)
        return mine and admission.playing < admission.most_playing

    def _is_late(self, ahead: float = 0.0) -> bool:
        return self._admission.clock() + ahead >= self._deadline

    def _timed_out(self) -> Refusal:
        retry = self._admission.retry_seconds()
        return Refusal(
            "QUEUE_TIMEOUT",
            f"the call has waited for {self._admission.queue_seconds:g} s, the limit; try again in {retry:.1f} s",
            retry_seconds=retry,
        )
