"""Who plays, who waits, who is sent away: without a server, and with a clock of its own."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from server.admission import NOBODY, PROBE_SECONDS, Admission, Caller, ConcurrencyLimit, Place, peer_of
from server.metrics import Metrics
from server.statuses import Refusal

FAR = math.inf


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Hall:
    """An admission, its figures and its clock."""

    def __init__(self, playing: int = 1, waiting: int = 2, queue_seconds: float = 60.0, processes: int = 1) -> None:
        self.metrics, self.clock = Metrics(), Clock()
        self.admission = Admission(playing, waiting, queue_seconds, self.metrics, self.clock, processes)
        self.order: list[str] = []

    async def call(
        self,
        name: str,
        *,
        deadline: float = FAR,
        until: asyncio.Event | None = None,
        caller: str = "one",
        seconds: float = 1.0,
    ) -> None:
        """A call that plays until an event. seconds: the price of its turn."""
        with self.admission.enter(Caller(caller), deadline) as place:
            place.set_cost(seconds)
            await place.turn()
            self.order.append(name)
            if until:
                await until.wait()

    def idle(self) -> bool:
        return not (self.admission.inside or self.admission.playing or self.admission.waiting)


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that runs in an event loop."""

    def run() -> None:
        asyncio.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@in_loop
async def test_a_call_with_no_other_before_it_starts_without_a_step_of_the_event_loop() -> None:
    hall = Hall()
    with hall.admission.enter(Caller("one"), FAR) as place:
        assert place.position == 0
        with pytest.raises(StopIteration):
            place.turn().send(None)
        assert hall.admission.playing == 1
    assert hall.idle()


@in_loop
async def test_turns_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    hall, done = Hall(playing=2, waiting=4), asyncio.Event()
    calls = [asyncio.create_task(hall.call(str(number), until=done)) for number in range(6)]
    await settle()
    assert hall.order == ["0", "1"] and hall.admission.waiting == 4
    done.set()
    await asyncio.gather(*calls)
    assert hall.order == ["0", "1", "2", "3", "4", "5"] and hall.idle()


@in_loop
async def test_a_new_call_does_not_overtake_one_that_waits() -> None:
    hall, first = Hall(playing=1, waiting=4), asyncio.Event()
    tasks = [asyncio.create_task(hall.call("first", until=first)), asyncio.create_task(hall.call("second"))]
    await settle()
    first.set()
    tasks.append(asyncio.create_task(hall.call("third")))
    await asyncio.gather(*tasks)
    assert hall.order == ["first", "second", "third"]


@in_loop
async def test_one_call_more_than_there_is_room_for_is_refused_at_once_with_a_time_to_retry() -> None:
    hall, done = Hall(playing=1, waiting=2), asyncio.Event()
    calls = [asyncio.create_task(hall.call(str(number), until=done)) for number in range(3)]
    await settle()
    with pytest.raises(Refusal, match="1 calls are playing and 2 are waiting") as refusal:
        hall.admission.enter(Caller("one"), FAR)
    assert refusal.value.reason == "QUEUE_FULL"
    # Half of the second of the call that plays is over, perhaps, and two wait.
    assert refusal.value.retry_seconds == 2.5
    done.set()
    await asyncio.gather(*calls)
    with hall.admission.enter(Caller("one"), FAR):
        pass
    assert hall.idle()


@in_loop
async def test_without_a_queue_only_as_many_calls_as_can_play_are_let_in() -> None:
    hall, done = Hall(playing=1, waiting=0), asyncio.Event()
    call = asyncio.create_task(hall.call("only", until=done))
    await settle()
    with pytest.raises(Refusal, match="the limit"):
        hall.admission.enter(Caller("one"), FAR)
    done.set()
    await call


@in_loop
async def test_a_call_that_waits_too_long_is_refused_and_leaves_the_queue() -> None:
    hall, done = Hall(queue_seconds=0.01), asyncio.Event()
    playing = asyncio.create_task(hall.call("plays", until=done))
    await settle()
    with pytest.raises(Refusal, match=r"waited for 0.01 s") as refusal:
        await hall.call("waits")
    assert refusal.value.reason == "QUEUE_TIMEOUT" and refusal.value.retry_seconds
    assert not hall.admission.waiting and hall.admission.inside == 1
    assert hall.metrics.value("expired_in_queue_total") == 0
    done.set()
    await playing
    assert hall.order == ["plays"] and hall.idle()


@in_loop
async def test_a_call_whose_deadline_passes_in_the_queue_never_has_its_turn_and_is_counted() -> None:
    hall, done = Hall(), asyncio.Event()
    playing = asyncio.create_task(hall.call("plays", until=done))
    await settle()
    late = asyncio.create_task(hall.call("late", deadline=hall.clock() + 5))
    await settle()
    hall.clock.now += 6
    done.set()  # its turn comes, too late
    with pytest.raises(Refusal) as refusal:
        await late
    await playing
    assert refusal.value.reason == "DEADLINE_PASSED"
    assert hall.order == ["plays"] and hall.idle()
    assert hall.metrics.value("expired_in_queue_total") == 1


@in_loop
async def test_a_deadline_ends_the_wait_in_the_queue_even_if_no_turn_becomes_free() -> None:
    hall, clock = Hall(), asyncio.get_running_loop().time
    hall.admission = Admission(1, 2, 60.0, hall.metrics, clock)
    playing = asyncio.create_task(hall.call("plays", until=asyncio.Event(), seconds=0.0))
    await settle()
    with pytest.raises(Refusal) as refusal:
        await hall.call("late", deadline=clock() + 0.1, seconds=0.0)  # turns without a price: there is time for both
    assert refusal.value.reason == "DEADLINE_PASSED"
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    assert hall.idle() and hall.metrics.value("expired_in_queue_total") == 1


@in_loop
async def test_a_call_that_is_cancelled_in_the_queue_leaves_it_at_once() -> None:
    hall, done = Hall(waiting=1), asyncio.Event()
    playing = asyncio.create_task(hall.call("plays", until=done))
    gives_up = asyncio.create_task(hall.call("gives up"))
    await settle()
    gives_up.cancel()
    await settle()
    assert hall.admission.inside == 1 and not hall.admission.waiting
    next_one = asyncio.create_task(hall.call("next"))
    await settle()
    done.set()
    await asyncio.gather(playing, next_one)
    assert hall.order == ["plays", "next"] and hall.idle()
    assert hall.metrics.value("expired_in_queue_total") == 0


@in_loop
async def test_a_turn_given_to_a_call_that_is_cancelled_at_that_moment_goes_to_the_next() -> None:
    hall, done = Hall(), asyncio.Event()
    playing = asyncio.create_task(hall.call("plays", until=done))
    gives_up, next_one = asyncio.create_task(hall.call("gives up")), asyncio.create_task(hall.call("next"))
    await settle()
    done.set()
    while hall.admission.waiting == 2:
        await asyncio.sleep(0)
    assert hall.order == ["plays"]  # the turn has been given, and the call has not heard of it yet
    gives_up.cancel()
    await asyncio.gather(playing, gives_up, next_one, return_exceptions=True)
    assert hall.order == ["plays", "next"] and hall.idle()


@in_loop
async def test_a_call_that_fails_in_its_turn_gives_the_turn_back() -> None:
    hall = Hall()
    with pytest.raises(ZeroDivisionError), hall.admission.enter(Caller("one"), FAR) as place:
        await place.turn()
        raise ZeroDivisionError
    assert hall.idle()


def place(hall: Hall, seconds: float) -> Place:
    return hall.admission.enter(NOBODY, hall.clock() + seconds)


# --- prices -----------------------------------------------------------------------------------------------------------


def test_a_call_that_cannot_be_done_in_time_is_refused_with_the_time_it_would_take() -> None:
    hall = Hall()
    with place(hall, 1.0) as hopeless, pytest.raises(Refusal, match=r"takes about 3\.0 s.*has 1\.0 s left") as refusal:
        hopeless.set_cost(3.0)
    assert refusal.value.reason == "DEADLINE_TOO_SHORT"


def test_a_call_that_may_be_done_in_time_is_not_refused_for_its_price() -> None:
    hall = Hall()
    with place(hall, 1.0) as tight:
        tight.set_cost(1.9)


@in_loop
async def test_the_time_in_the_queue_counts_towards_the_estimate() -> None:
    hall, done = Hall(waiting=3), asyncio.Event()
    playing = asyncio.create_task(hall.call("plays", until=done, seconds=4.0))
    await settle()
    with place(hall, 1.0) as waits, pytest.raises(Refusal, match=r"takes about 2\.1 s"):
        waits.set_cost(0.1)
    done.set()
    await playing


def test_prices_learn_from_what_turns_really_took() -> None:
    hall = Hall()
    for _ in range(400):
        hall.admission.learn(seconds=0.5, cost=5.0)
    assert hall.admission.slowdown == pytest.approx(0.1, rel=0.02)
    with place(hall, 1.0) as quick:
        quick.set_cost(10.0)


def test_what_was_learnt_is_forgotten() -> None:
    hall = Hall()
    for _ in range(400):
        hall.admission.learn(seconds=50.0, cost=1.0)
    assert hall.admission.slowdown > 40
    hall.clock.now += 3600
    assert hall.admission.slowdown == pytest.approx(1.0, abs=0.01)


def test_a_refusal_for_the_price_lets_a_call_try_now_and_then() -> None:
    hall, tried = Hall(), 0
    for _ in range(100):
        hall.clock.now += PROBE_SECONDS / 25
        with place(hall, 1.0) as hopeless:
            try:
                hopeless.set_cost(1000.0)
                tried += 1
            except Refusal:
                pass
    assert 3 <= tried <= 4


@in_loop
async def test_honest_calls_with_many_takes_do_not_make_a_price_wrong() -> None:
    """80 calls with eight takes, eight at once: each lasts long, and takes of the processor what its price says."""
    hall = Hall(playing=8, waiting=0)
    for _ in range(10):
        done = asyncio.Event()
        calls = [asyncio.create_task(hall.call("takes", until=done, seconds=8 * 0.5)) for _ in range(3)]
        await settle()
        hall.clock.now += 3 * 8 * 0.5  # the wall's time, for all of them
        done.set()
        await asyncio.gather(*calls)
        for _ in calls:
            hall.admission.learn(seconds=8 * 0.5, cost=8 * 0.5)
    assert hall.admission.slowdown == pytest.approx(1.0)
    with place(hall, 10.0) as short:
        short.set_cost(7.6)


def test_the_time_to_retry_grows_with_the_queue_and_falls_with_the_processes() -> None:
    short, wide = Hall(playing=1, waiting=9), Hall(playing=1, waiting=9, processes=4)

    @in_loop
    async def filled() -> None:
        done = asyncio.Event()
        calls = [asyncio.create_task(hall.call("", until=done)) for hall in (short, wide) for _ in range(4)]
        await settle()
        assert short.admission.retry_seconds() == 3.5 == 4 * wide.admission.retry_seconds()
        calls += [asyncio.create_task(short.call("", until=done, seconds=1e9))]
        await settle()
        assert short.admission.retry_seconds() == 60.0
        done.set()
        await asyncio.gather(*calls)

    filled()


# --- callers ----------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_caller_with_many_calls_does_not_keep_turns_from_one_with_few() -> None:
    hall, go = Hall(playing=1, waiting=20), asyncio.Event()
    calls = [asyncio.create_task(hall.call(f"many {number}", until=go)) for number in range(8)]
    await settle()
    calls += [asyncio.create_task(hall.call(f"few {number}", caller="other")) for number in range(2)]
    await settle()
    go.set()
    await asyncio.gather(*calls)
    assert hall.order.index("few 0") <= 2 and hall.order.index("few 1") <= 4
    assert [name for name in hall.order if name.startswith("many")] == [f"many {number}" for number in range(8)]
    assert hall.idle()


@in_loop
async def test_turns_go_round_by_what_they_cost_and_not_by_their_number() -> None:
    hall, go = Hall(playing=1, waiting=20), asyncio.Event()
    calls = [asyncio.create_task(hall.call("dear", until=go, seconds=10.0)) for _ in range(3)]
    calls += [asyncio.create_task(hall.call("cheap", caller="other")) for _ in range(10)]
    await settle()
    go.set()
    await asyncio.gather(*calls)
    assert hall.order.index("cheap") == 1
    assert hall.order[1:11].count("cheap") >= 9


@in_loop
async def test_calls_that_cost_much_leave_turns_free_for_other_callers() -> None:
    hall, done = Hall(playing=16, waiting=32, processes=2), asyncio.Event()
    dear = [asyncio.create_task(hall.call("dear", until=done, seconds=60.0)) for _ in range(16)]
    await settle()
    assert hall.order == ["dear"] * 2  # one for each process
    await hall.call("cheap", caller="other", seconds=0.5)
    assert hall.order == ["dear", "dear", "cheap"]
    done.set()
    await asyncio.gather(*dear)
    assert hall.order.count("dear") == 16 and hall.idle()


@in_loop
async def test_a_caller_alone_gets_all_turns_for_calls_that_cost_little() -> None:
    hall, done = Hall(playing=16, waiting=32, processes=2), asyncio.Event()
    calls = [asyncio.create_task(hall.call("cheap", until=done, seconds=0.6)) for _ in range(20)]
    await settle()
    assert len(hall.order) == 16
    done.set()
    await asyncio.gather(*calls)


@in_loop
async def test_in_a_full_queue_who_has_most_gives_a_place_to_who_has_fewer() -> None:
    hall, done = Hall(playing=1, waiting=3), asyncio.Event()
    many = [asyncio.create_task(hall.call(f"many {number}", until=done)) for number in range(4)]
    await settle()
    few = asyncio.create_task(hall.call("few", caller="other"))
    with pytest.raises(Refusal) as refusal:
        await many[3]  # the one that came last
    assert refusal.value.reason == "QUEUE_FULL" and refusal.value.retry_seconds
    done.set()
    await asyncio.gather(*many[:3], few)
    assert "few" in hall.order and "many 3" not in hall.order and hall.idle()


async def served(hall: Hall, callers: Sequence[Caller], seconds: float) -> Counter[Caller]:
    """How often each caller is served who calls again as soon as it was, or when it is told to. A turn takes 1 s."""
    count = Counter(dict.fromkeys(callers, 0))
    events: list[Any] = [(hall.clock.now, number, caller, None) for number, caller in enumerate(callers)]
    numbers, end = itertools.count(len(events)), hall.clock.now + seconds
    over: list[asyncio.Event] = []

    async def play(caller: Caller, place: Place, done: asyncio.Event) -> None:
        with place:
            place.set_cost(1.0)
            await place.turn()
            heapq.heappush(events, (hall.clock.now + 1.0, next(numbers), caller, done))
            await done.wait()

    async with asyncio.TaskGroup() as group:
        while events and events[0][0] < end:
            hall.clock.now, _, caller, done = heapq.heappop(events)
            if done:
                done.set()
                await settle()
                count[caller] += 1
            try:
                place = hall.admission.enter(caller, FAR)
            except Refusal as refusal:
                again = hall.clock.now + (refusal.retry_seconds or 0.0)
                heapq.heappush(events, (again, next(numbers), caller, None))
                continue
            over.append(asyncio.Event())
            group.create_task(play(caller, place, over[-1]))
            await settle()
        for done in over:  # those who wait get their turns, too
            done.set()
    return count


@pytest.mark.parametrize(
    "callers",
    [
        [Caller(f"10.0.0.{number}") for number in range(16)],
        [Caller("127.0.0.1", connection=f"ipv4:127.0.0.1:{number}") for number in range(16)],
        [Caller("127.0.0.1", f"token {number}") for number in range(16)],
    ],
    ids=["addresses", "connections", "credentials"],
)
def test_of_many_callers_who_ask_on_and_on_each_is_served_as_often_as_the_others(callers: list[Caller]) -> None:
    count = asyncio.run(served(Hall(playing=2, waiting=4, processes=2), callers, 80.0))
    assert sum(count.values()) > 0.9 * 2 * 80  # no turn stays free for those who are told to come again
    assert min(count.values()) >= 0.5 * max(count.values())


@in_loop
async def test_a_place_is_kept_for_who_found_none_and_given_to_others_if_it_does_not_come() -> None:
    hall, done = Hall(playing=1, waiting=1), asyncio.Event()
    calls = [asyncio.create_task(hall.call(str(number), caller=f"of {number}", until=done)) for number in range(2)]
    await settle()
    first, second = Caller("first"), Caller("second")
    for caller in (first, second):
        with pytest.raises(Refusal, match="1 calls are playing and 1 are waiting"):
            hall.admission.enter(caller, FAR)
    calls[1].cancel()
    await settle()
    with pytest.raises(Refusal):
        hall.admission.enter(second, FAR)  # it is the first's
    hall.admission.check_capacity(first)
    hall.clock.now += 100.0
    with hall.admission.enter(second, FAR):
        pass
    done.set()
    await calls[0]
    for _ in range(3):
        with hall.admission.enter(Caller("new"), FAR):
            pass
    assert hall.idle()


@in_loop
async def test_before_a_call_is_read_it_is_known_whether_it_would_find_a_place() -> None:
    hall, done = Hall(playing=1, waiting=2), asyncio.Event()
    many = [asyncio.create_task(hall.call(f"many {number}", until=done)) for number in range(2)]
    await settle()
    hall.admission.check_capacity(Caller("one"))
    many.append(asyncio.create_task(hall.call("many 2", until=done)))
    await settle()
    with pytest.raises(Refusal) as refusal:
        hall.admission.check_capacity(Caller("one"))
    assert refusal.value.reason == "QUEUE_FULL" and refusal.value.retry_seconds
    hall.admission.check_capacity(Caller("other"))  # who has more would give it a place
    assert hall.admission.waiting == 2
    done.set()
    await asyncio.gather(*many)
    assert hall.idle()


def test_a_room_lets_in_as_many_as_it_holds_and_no_more() -> None:
    limit = ConcurrencyLimit(1, "files are arriving")
    with limit.slot(NOBODY):
        with pytest.raises(Refusal, match="1 files are arriving") as refusal, limit.slot(Caller("elsewhere")):
            pass
        assert refusal.value.reason == "QUEUE_FULL" and refusal.value.retry_seconds
        assert limit.inside == 1
    with limit.slot(NOBODY):
        pass
    assert limit.inside == 0


def test_no_caller_takes_all_of_a_room_and_each_who_comes_finds_a_place() -> None:
    limit = ConcurrencyLimit(64, "files are arriving")
    with contextlib.ExitStack() as inside:
        for name in ("greedy", "second", "third"):
            took = 0
            with pytest.raises(Refusal, match="for this caller"):
                while True:
                    inside.enter_context(limit.slot(Caller(name)))
                    took += 1
            assert took >= 1 and limit.inside < limit.most
    assert limit.inside == 0


def test_a_credential_with_a_name_is_one_caller_wherever_it_is_used_and_others_are_told_by_address() -> None:
    assert Caller("10.0.0.1", "studio").key == Caller("10.0.0.2", "studio").key != Caller("10.0.0.1", "stage").key
    assert Caller("10.0.0.1").key != Caller("10.0.0.2").key
    assert Caller("studio").key != Caller("10.0.0.1", "studio").key


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ("ipv4:127.0.0.1:4711", "127.0.0.1"),
        ("ipv6:%5B::1%5D:4711", "::1"),
        ("ipv6:%5B::ffff:10.0.0.1%5D:4711", "10.0.0.1"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:4711", "2001:db8:1:2::/64"),
        ("ipv6:%5Bfe80::1%25eth0%5D:4711", "fe80::/64"),
        ("unix:/run/drums", "unix"),
        ("unix:", "unix"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_a_peer_is_an_address_without_what_a_caller_may_choose_of_it(address: str, peer: str) -> None:
    assert peer_of(address) == peer
