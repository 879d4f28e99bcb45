"""Cost of the service, and its behaviour under load.

A real server (`python -m server`, its own process, a free port) is called by callers in another process, which check
every answer byte by byte against what `Drummer.accompany` makes in this one. The table has, each beside its peer in the
same run:

    start      from the start of the process until its health is SERVING; beside one that plays a song and ends
    overhead   a unary call and the same take in this process, turn and turn about, for songs of 16 and 128 bars
    first bar  from the call to the first bar that a stream brings; beside the first bar of `Drummer.stream`
    at once    songs of 16 bars a second by 1 to 16 callers, and how long each waits; beside one caller
    cancel     a short song called for just after a long one was cancelled that had the only turn; beside the same alone
    overload   four times as many calls a second as can be played, a short queue; beside eight callers who wait
    memory     of all processes of the server, over 10,000 small calls of all kinds; beside a server that keeps 4 KiB of
               each call, which the same measurement has to catch

Songs are the guitars of the examples in 4/4, repeated. Times are wall time. Other work on the machine makes them worse:
the first line says how busy it was.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from bench import play
from bench.callers import SECONDS, Ask, Callers, drums, stub_of
from bench.harness import Row, figure
from bench.machine import CHECKOUT, spent
from bench.serving import Served, serving
from seq2drum import Drummer, Options
from seq2drum.formats.midi import midi

SONGS = ("funk", "rock_riff", "blues_shuffle", "jazz_swing")
AT_ONCE = (1, 2, 4, 8, 16)
LEAKY = ("-c", "import sys; from bench.service import leaky_server; sys.exit(leaky_server(sys.argv[1:]))")
LEAK_BYTES = 4096
TOO_MUCH = 4  # multiple of the capacity: the rate of calls in an overload
ONE_SONG = "from seq2drum.play.drummer import Drummer; import sys; Drummer.load().accompany(sys.argv[1])"


class Size(NamedTuple):
    """The size of the measurements."""

    starts: int
    short: int  # calls for 16 bars, for the overhead
    long: int  # calls for 128 bars
    firsts: int
    seconds: float  # of each load
    calls: int  # for memory


FULL = Size(starts=5, short=300, long=40, firsts=30, seconds=15, calls=10_000)
QUICK = Size(starts=2, short=20, long=3, firsts=5, seconds=3, calls=1_000)


def song(name: str, bars: int) -> bytes:
    """Return the first `bars` bars of the guitar of an example, repeated where it is shorter, as a MIDI file."""
    return midi.serialise(play.long_song(CHECKOUT / "examples" / f"{name}.mid", bars))


def ask_of(drummer: Drummer, data: bytes, seed: int) -> Ask:
    """Return a call for drums to a song, with the digest that its answer must have."""
    made = drummer.accompany(data, Options(seed=seed)).to_bytes()
    return Ask(data, seed, hashlib.sha256(made).hexdigest())


def asks_of(drummer: Drummer, bars: int, seeds: int = 2) -> list[Ask]:
    """Return calls for each of SONGS, `bars` bars long."""
    return [ask_of(drummer, song(name, bars), seed) for name in SONGS for seed in range(seeds)]


def at(share: float, values: Sequence[float]) -> float:
    """Return a quantile: the least value that so large a share of all is not above."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def ms(share: float, seconds: Sequence[float]) -> float:
    """Return a quantile in milliseconds."""
    return 1000 * at(share, seconds)


# --- the parts --------------------------------------------------------------------------------------------------------


def start(size: Size, drummer: Drummer, callers: Callers) -> Iterator[Row]:
    """Measure how soon the server serves."""
    own, after = [], []
    words = [sys.executable, "-c", ONE_SONG, str(CHECKOUT / "examples" / "rock_riff.mid")]
    for _ in range(size.starts):
        with serving() as served:
            after.append(served.serving_after)
        own.append(spent(lambda: subprocess.run(words, check=True, cwd=CHECKOUT)).wall)
    what = f"start to SERVING, the worst of {size.starts}; beside a process that plays one song and ends"
    yield figure(what, max(after), "s", beside=max(own), most=5)


class Turns(NamedTuple):
    """Seconds of takes in this process, of calls, and of the part of these outside the player; answers that differ."""

    here: list[float]
    there: list[float]
    around: list[float]
    wrong: int


def turn_about(drummer: Drummer, stub: Any, asks: Sequence[Ask], rounds: int) -> Turns:
    """Play in this process and call, in turns.

    Which of the two is first changes from round to round. Two rounds before the first are not counted.
    """
    turns = Turns([], [], [], 0)
    for turn in range(-2, rounds):
        ask, replies = asks[turn % len(asks)], list[Any]()
        own = partial(_take, drummer, ask)
        call = partial(_call, stub, ask, replies)
        seconds = {work: spent(work).wall for work in ((own, call) if turn % 2 else (call, own))}
        turns = turns._replace(wrong=turns.wrong + (not ask.is_right(replies[0].takes[0].midi)))
        if turn >= 0:
            turns.here.append(seconds[own])
            turns.there.append(seconds[call])
            turns.around.append(seconds[call] - replies[0].timing.generate_ms / 1000)
    return turns


def _take(drummer: Drummer, ask: Ask) -> None:
    drummer.accompany(ask.midi, Options(seed=ask.seed)).to_bytes()


def _call(stub: Any, ask: Ask, replies: list[Any]) -> None:
    replies.append(stub.GenerateDrums(ask.request, timeout=SECONDS))


def overhead(size: Size, drummer: Drummer, callers: Callers) -> Iterator[Row]:
    """Measure the cost of the way to the server and back."""
    with serving() as served:
        channel, stub = stub_of(served.address)
        with channel:
            for bars, rounds in ((16, size.short), (128, size.long)):
                turns = turn_about(drummer, stub, asks_of(drummer, bars), rounds)
                for share, most in ((0.5, 5), (0.99, 25)):
                    here, there, around = (ms(share, seconds) for seconds in turns[:3])
                    what = f"a call for {bars} bars, p{100 * share:.0f} of {rounds}"
                    yield figure(f"{what}; beside a take in this process", there, "ms", beside=here)
                    yield figure(f"{what}: added to the take", there - here, "ms", most=most)
                    # The rest is how fast that process plays beside this one: two alike differ by up to 10 %.
                    yield figure(f"{what}: of it outside the player", around, "ms")
                yield figure(f"wrong answers, {bars} bars", turns.wrong, most=0)


def first_bar(size: Size, drummer: Drummer, callers: Callers) -> Iterator[Row]:
    """Measure how soon the first bar is there."""
    with serving() as served:
        channel, stub = stub_of(served.address)
        with channel:
            for bars in (16, 128):
                here, there = [], []
                asks = asks_of(drummer, bars, seeds=1)
                for turn in range(-1, size.firsts):
                    ask = asks[turn % len(asks)]
                    own = spent(partial(_first_bar_here, drummer, ask)).wall
                    called = spent(partial(_first_bar, stub, ask)).wall
                    if turn >= 0:
                        here.append(own)
                        there.append(called)
                    time.sleep(0.02)  # the stream that was cancelled is left by now
                what = f"first bar of a stream, {bars} bars, {{}} of {size.firsts}; beside one in this process"
                yield figure(what.format("p50"), ms(0.5, there), "ms", beside=ms(0.5, here), most=300)
                yield figure(what.format("max"), ms(1, there), "ms", beside=ms(1, here))


def _first_bar_here(drummer: Drummer, ask: Ask) -> None:
    next(iter(drummer.stream(ask.midi, Options(seed=ask.seed))))


def _first_bar(stub: Any, ask: Ask) -> None:
    """Wait for the first bar of a stream, and cancel it."""
    stream = stub.StreamGenerateDrums(ask.pieces(bars=True), timeout=60)
    next(piece for piece in stream if piece.WhichOneof("piece") == "bar_events")
    stream.cancel()


def at_once(size: Size, drummer: Drummer, callers: Callers) -> Iterator[Row]:
    """Measure the gain of playing together, with all processes that play and with one."""
    asks = asks_of(drummer, 16)
    for flags, who, counts in (((), "", AT_ONCE), (("--engines", "1"), ", one process plays", (1, 8))):
        alone_rate = alone = 0.0
        with serving(*flags) as served:
            for count in counts:
                outcome = callers.ask("closed", served.address, asks, at_once=count, seconds=size.seconds)
                times = [call["seconds"] for call in outcome["calls"]]
                rate = outcome["songs_a_second"]
                alone_rate, alone = alone_rate or rate, alone or at(0.5, times)
                least, most = (4 * alone_rate, 2000 * alone) if count == 8 else (None, None)
                what = f"songs of 16 bars, {count} at once{who}"
                yield figure(f"{what}: a second; beside one at a time", rate, beside=alone_rate, least=least)
                yield figure(f"{what}: each, p50", ms(0.5, times), "ms", beside=1000 * alone)
                yield figure(f"{what}: each, max", ms(1, times), "ms", beside=1000 * alone, most=most)
                yield figure(f"{what}: wrong", sum(not call["right"] for call in outcome["calls"]), most=0)


def cancel(size: Size, drummer: Drummer, callers: Callers) -> Iterator[Row]:
    """Measure how soon the turn of a cancelled call is free."""
    alone, after = [], []
    short = asks_of(drummer, 16, seeds=1)[0]
    long = asks_of(drummer, 128, seeds=1)[0]
    with serving("--engines", "1", "--playing", "1") as served:
        channel, stub = stub_of(served.address)
        with channel:
            drums(stub, short)
            for _ in range(size.firsts):
                alone.append(spent(partial(drums, stub, short)).wall)
                _first_bar(stub, long)
                after.append(spent(partial(drums, stub, short)).wall)
    what = f"a call just after a cancelled one that had the only turn, p50 of {size.firsts}; beside the same alone"
    one, other = ms(0.5, after), ms(0.5, alone)
    yield figure(what, one, "ms", beside=other, most=other + 100)


def overload(size: Size, drummer: Drummer, callers: Callers) -> Iterator[Row]:
    """Measure the outcome of more calls than can be played."""
    asks = asks_of(drummer, 16)
    with serving("--playing", "8", "--waiting", "8") as served:
        peak = callers.ask("closed", served.address, asks, at_once=8, seconds=size.seconds)
        alone = callers.ask("closed", served.address, asks, at_once=1, seconds=max(size.seconds / 4, 1))
        rate = TOO_MUCH * peak["songs_a_second"]
        outcome = callers.ask("open", served.address, asks, rate=rate, seconds=size.seconds)
        is_serving = served.health() == "SERVING"
    good = [call for call in outcome["calls"] if call["code"] == "OK"]
    away = [call for call in outcome["calls"] if call["code"] != "OK"]
    rejects = [call["seconds"] for call in away] or [0.0]
    what = f"at {TOO_MUCH} times what can be played"
    yield figure(f"{what}: calls a second", rate)
    yield figure(f"{what}: sent away", len(away))
    yield figure(f"{what}: sent away, p50", ms(0.5, rejects), "ms")
    yield figure(f"{what}: sent away, p99", ms(0.99, rejects), "ms", most=20)
    blind = sum(call["reason"] != "QUEUE_FULL" or not call["retry"] for call in away)
    yield figure(f"{what}: sent away without a RetryInfo", blind, most=0)
    solo, waited = ([call["seconds"] for call in calls] for calls in (alone["calls"], good))
    yield figure(f"{what}: played, p99; beside one alone, p50", ms(0.99, waited), "ms", beside=ms(0.5, solo))
    rate, most = outcome["songs_a_second"], peak["songs_a_second"]
    yield figure(f"{what}: played a second; beside eight callers who wait", rate, beside=most, least=0.9 * most)
    yield figure(f"{what}: wrong answers", sum(not call["right"] for call in good), most=0)
    yield figure(f"{what}: serving", is_serving, least=1)


def memory(size: Size, drummer: Drummer, callers: Callers) -> Iterator[Row]:
    """Measure the memory kept of each call, and whether a leak would be noticed."""
    asks = asks_of(drummer, 2)
    with serving() as served:
        ours = growth(served, callers, asks, size.calls)
    with serving(program=LEAKY) as served:
        leaky = growth(served, callers, asks, size.calls // 2)
    what = f"memory kept of a call, over {size.calls:,}"
    yield figure(
        f"{what}; beside a server that keeps {LEAK_BYTES:,}", ours.slope, "bytes", beside=leaky.slope, most=1023
    )
    yield figure(f"{what}: the same of the server that leaks", leaky.slope, "bytes", least=1024)
    yield figure("memory after 30 % of the calls", ours.first / 1e6, "MB")
    yield figure("memory after all", ours.last / 1e6, "MB")
    yield figure("calls that failed", ours.failed, most=0)


class Growth(NamedTuple):
    """Bytes a call that memory grows by, its bytes after 30 % of the calls and after all; how many calls failed."""

    slope: float
    first: int
    last: int
    failed: int


def growth(served: Served, callers: Callers, asks: Sequence[Ask], calls: int) -> Growth:
    """Return how memory grows with calls: the median of the slopes between all samples after the first 30 %."""
    step = max(calls // 100, 10)
    samples, outcomes = [], Counter[str]()
    for done in range(step, calls + 1, step):
        outcomes.update(callers.ask("mix", served.address, asks, at_once=4, count=step)["outcomes"])
        samples.append((done, served.memory()))
    warm = [sample for sample in samples if sample[0] > 0.3 * calls]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(warm) for b in warm[i + 1 :]]
    return Growth(statistics.median(slopes), warm[0][1], warm[-1][1], outcomes.total() - outcomes["OK"])


PARTS: dict[str, Callable[[Size, Drummer, Callers], Iterator[Row]]] = {
    "start": start,
    "overhead": overhead,
    "first_bar": first_bar,
    "at_once": at_once,
    "cancel": cancel,
    "overload": overload,
    "memory": memory,
}


def leaky_server(flags: list[str]) -> int:
    """Serve as the server does, but keep something of every call: the control of `memory`."""
    import grpc

    kept: list[bytes] = []

    class Keeping(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            kept.append(random.randbytes(LEAK_BYTES))
            return await continuation(details)

    grpc.aio.server = partial(grpc.aio.server, interceptors=(Keeping(),))
    from server.cli import main as serve

    return serve(flags)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="a look, within a minute; its figures are rough")
    parser.add_argument("--seconds", type=float, metavar="N", help="of each load")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")


def run(options: argparse.Namespace) -> Iterator[str | Row]:
    size = QUICK if options.quick else FULL
    if options.seconds:
        size = size._replace(seconds=options.seconds)
    drummer = Drummer.load()
    yield f"songs of {', '.join(SONGS)}"
    with Callers() as callers:
        for part in options.only:
            yield from PARTS[part](size, drummer, callers)
