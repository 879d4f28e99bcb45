"""Admission: how callers share what the server can do at once.

A turn has a cost: the processor seconds that it is expected to take. Turns go round the callers by what each has had
(start-time fair queueing, Goyal, Vin and Cheng, 1996), so a caller that asks for much waits for it, and no other does.
Times are seconds of a monotonic clock. A call that finds a free turn never waits. What a turn is for is not known here.
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
"""A caller may take a place while it has fewer than this many times the places that are free.

So one alone takes three quarters of a room, several share what there is, and who comes next finds a place. These are
the dynamic thresholds of Choudhury and Hahne, 1998.
"""
_NETWORK_BITS = 64  # of an IPv6 address: who has one of a network has all of it


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. peer: the address, see `peer_of`. credential: the name of what was shown; "" if it has none.

    connection: the whole address, by which several who call from one are told apart among themselves.
    """

    peer: str = ""
    credential: str = ""
    connection: str = ""

    @property
    def key(self) -> str:
        """What its calls are counted by: the credential's name, or the address where there is none."""
        return f"credential {self.credential}" if self.credential else f"peer {self.peer}"

    @property
    def origin(self) -> tuple[str, str]:
        """Its key and its connection."""
        return self.key, self.connection


NOBODY = Caller()


def peer_of(address: str) -> str:
    """The caller's address without what a caller may choose: the port, the last half of IPv6, the path of a socket.

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
    """A limit of `most` calls at once; one more is refused, none waits. No caller takes all, see FREE_PLACES_FACTOR."""

    def __init__(self, most: int, what: str) -> None:
        self.most, self.inside, self._what = most, 0, what
        self._of = Counter[str]()

    @contextlib.contextmanager
    def slot(self, caller: Caller) -> Iterator[None]:
        """A place for a call of a caller, within `with`.

        Raises:
            Refusal: QUEUE_FULL.
        """
        key = caller.key
        if self._of[key] >= FREE_PLACES_FACTOR * (self.most - self.inside):
            whose = "" if self.inside >= self.most else f" ({self._of[key]} of them for this caller)"
            raise Refusal(
                "QUEUE_FULL",
                f"{self.inside} {self._what}{whose}, which is all there is room for; try again in 1 s",
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
"""A call is refused for want of time only if this share of the estimated time is more than it has: an estimate may be
wrong, and a call that would have been done in time must not be refused."""
CALLER_SECONDS = 15.0
"""The cost of the turns that one caller has at once, for each process that plays. A caller always has one for each."""
MOST_RESERVED = 1024
"""How many are kept a place for who found none."""
LONGEST_RESERVED_RETRY = 5.0
"""When at the latest such a caller is told to come again: costs may be wrong, and to refuse it once more is cheap."""
RESERVED_SECONDS = 2.0
"""How long such a place is kept at least beyond the time at which its caller was told to come again."""
PROBE_SECONDS = 30.0
"""How often a call may play that would be refused for its cost: else a wrong cost would be kept for ever."""

_HALF_LIFE_SECONDS = 120.0  # seconds after which half of what was learnt of costs is forgotten
_PRIOR_SECONDS = 2.0  # seconds of turns for which a cost is taken as it is
_LEAST_SLOWDOWN, _MOST_SLOWDOWN = 0.05, 50.0  # of slowdown
_SHORTEST_RETRY, _LONGEST_RETRY = 0.25, 60.0


@dataclass
class _Account:
    """What a caller has: places, turns, their cost in seconds, those who wait, and the start of its next turn."""

    start_tag: float
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
        self._reserved: dict[tuple[str, str], float] = {}  # who found no place, in order, and until when one is kept
        self.numbers = itertools.count(1)
        self._virtual_time = 0.0  # the start of the last turn that was given, in seconds of turns that a caller has had
        self._expected_seconds = self._actual_seconds = 0.0  # costs of late, and the seconds that they were in truth
        self._learnt = self._probed = clock()

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return sum(len(account.queue) for account in self._accounts.values())

    @property
    def slowdown(self) -> float:
        """What a cost has to be multiplied by, by the turns of late."""
        kept = math.exp2((self._learnt - self.clock()) / _HALF_LIFE_SECONDS)
        return min(
            max(
                (_PRIOR_SECONDS + kept * self._actual_seconds) / (_PRIOR_SECONDS + kept * self._expected_seconds),
                _LEAST_SLOWDOWN,
            ),
            _MOST_SLOWDOWN,
        )

    def learn(self, seconds: float, cost: float) -> None:
        """Note how many seconds of a processor a turn took that had a cost, before `slowdown`."""
        kept = math.exp2((self._learnt - self.clock()) / _HALF_LIFE_SECONDS)
        self._actual_seconds, self._expected_seconds = (
            kept * self._actual_seconds + seconds,
            kept * self._expected_seconds + cost,
        )
        self._learnt = self.clock()

    def check_capacity(self, caller: Caller) -> None:
        """Refuse a call before it is read that would find no place. To refuse is cheap, so that others play meanwhile.

        Raises:
            Refusal: QUEUE_FULL.
        """
        account = self._accounts.get(caller.key)
        inside = account.inside if account else 0
        ahead = self._ahead(caller, inside)
        if not self._has_capacity(ahead) and not self._larger(inside):
            raise self._later(caller, ahead)

    def enter(self, caller: Caller, deadline: float) -> Place:
        """A place, to be left by `with`. Where there is none, who has most gives one to who has fewer.

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
        """Whether a call may play that its cost forbids."""
        if self.clock() - self._probed < PROBE_SECONDS:
            return False
        self._probed = self.clock()
        return True

    def grant_turns(self) -> None:
        """Give free turns to those who wait and have had least."""
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
        """Note that a turn begins."""
        self._virtual_time = max(self._virtual_time, account.start_tag)
        account.start_tag = self._virtual_time + seconds
        self.playing += 1
        account.playing += 1
        account.seconds += seconds

    def end(self, key: str, account: _Account, seconds: float | None) -> None:
        """Note that a place is left, and a turn ends that had a cost; None: it had not begun."""
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
        """How many places are kept for others who asked before this caller, who has so many inside.

        One each for other callers, however many ways they come; one for each way of its own, if it has any inside.
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
        """The refusal of a caller who is kept a place. It is told to come when those before it have had their turn."""
        retry = self.retry_seconds()
        refusal = self._full(min(retry * (1 + ahead / max(self.inside, 1)), LONGEST_RESERVED_RETRY))
        if caller.origin in self._reserved or len(self._reserved) < MOST_RESERVED:
            wait = refusal.retry_seconds or 0.0
            self._reserved[caller.origin] = self.clock() + wait + max(wait, RESERVED_SECONDS)
        return refusal

    def _evict(self, account: _Account) -> bool:
        """Send away the youngest call that waits of who has most, if that is more than this caller would have."""
        waiting = self._larger(account.inside)
        if not waiting:
            return False
        max(waiting, key=lambda other: other.inside).queue.pop().refuse(self._full(self.retry_seconds()))
        return True

    def _larger(self, inside: int) -> list[_Account]:
        """Those with calls that wait who have more inside than one who has so many would have with one more."""
        return [other for other in self._accounts.values() if other.queue and other.inside > inside + 1]

    def _full(self, retry: float) -> Refusal:
        return Refusal(
            "QUEUE_FULL",
            f"{self.most_playing} calls are played and {self.most_waiting} wait, which is all there is room for; "
            f"try again in {retry:.1f} s",
            retry_seconds=retry,
        )

    def _drop_idle(self, key: str) -> None:
        """Forget a caller that has nothing here."""
        if not self._accounts[key].inside:
            del self._accounts[key]


class Place:
    """A call's place: it is in its caller's queue, has its turn, or neither yet. seconds: the cost of its turn."""

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
        """About how many calls would be before it, if it asked for its turn now; 0: it would have it at once."""
        if self._is_free:
            return 0
        own = len(self._account.queue) + 1
        others = [account for account in self._admission._accounts.values() if account is not self._account]
        return own + sum(min(len(other.queue), own) for other in others)

    def set_cost(self, seconds: float) -> None:
        """Say what the turn will cost, in seconds of a processor of an idle server, and check that there is the time.

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
                if self._is_late(DEADLINE_SKEW_SECONDS):
                    admission._metrics.expired.inc()
                raise
            except TimeoutError:
                if not self._is_late():
                    raise self._timed_out() from None
        if self._is_late():
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

    def refuse(self, why: Refusal) -> None:
        """Refuse the call, which waits."""
        if self._called and not self._called.done():
            self._called.set_exception(why)

    def done(self, seconds: float) -> None:
        """Note that the turn was used to its end, and took so many seconds of a processor."""
        if self._cost > 0:
            self._admission.learn(seconds, self._cost)

    @property
    def _is_free(self) -> bool:
        """Whether there is a turn for it at once."""
        admission = self._admission
        mine = not self._account.queue and admission._may_play(self._account, self.seconds)
        return mine and admission.playing < admission.most_playing

    def _is_late(self, ahead: float = 0.0) -> bool:
        return self._admission.clock() + ahead >= self._deadline

    def _timed_out(self) -> Refusal:
        retry = self._admission.retry_seconds()
        return Refusal(
            "QUEUE_TIMEOUT",
            f"the call has waited for {self._admission.queue_seconds:g} s, as long as it may; "
            f"try again in {retry:.1f} s",
            retry_seconds=retry,
        )
