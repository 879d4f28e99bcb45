"""What the service costs, and what it stands: `python bench/service.py [--quick] [--seconds N] [--only PART] [--json]`.

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
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_NUM_THREADS", "1")

from bench import play
from bench.callers import SECONDS, Ask, Callers, drums, stub_of
from bench.machine import machine
from bench.serving import Served, serving
from seq2drum.formats.midi import midi
from seq2drum.music.notes import Part, Song
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options

SONGS = ("funk", "rock_riff", "blues_shuffle", "jazz_swing")
AT_ONCE = (1, 2, 4, 8, 16)
LEAKY = (str(Path(__file__)), "--leaky-server")
LEAK_BYTES = 4096
TOO_MUCH = 4  # times what can be played: the rate of calls in an overload
ONE_SONG = "from seq2drum.play.drummer import Drummer; import sys; Drummer.load().accompany(sys.argv[1])"


class Row(NamedTuple):
    """A line of the table. kept: None where nothing was wanted."""

    what: str
    figure: str
    peer: str
    wanted: str = ""
    kept: bool | None = None

    def __str__(self) -> str:
        kept = {True: "yes", False: "no", None: ""}[self.kept]
        return f"| {self.what} | {self.figure} | {self.peer} | {self.wanted} | {kept} |"


class Size(NamedTuple):
    """How much is measured."""

    starts: int
    short: int  # calls for 16 bars, for the overhead
    long: int  # calls for 128 bars
    firsts: int
    seconds: float  # of each load
    calls: int  # for memory


FULL = Size(starts=5, short=300, long=40, firsts=30, seconds=15, calls=10_000)
QUICK = Size(starts=2, short=20, long=3, firsts=5, seconds=3, calls=1_000)


class Measured(NamedTuple):
    """What a part of the measurement gives: lines of the table, and all figures."""

    rows: list[Row]
    figures: dict[str, Any]


def song(name: str, bars: int) -> bytes:
    """The first `bars` bars of the guitar of an example, repeated where it is shorter, as a MIDI file."""
    whole = play.long_song(ROOT / "examples" / f"{name}.mid")
    end = bars * 4 * whole.ticks_per_quarter
    parts = [
        Part.of(
            [note._replace(duration=min(note.duration, end - note.onset)) for note in part if note.onset < end],
            program=part.program,
            name=part.name,
        )
        for part in whole.parts
    ]
    return midi.serialise(Song(whole.ticks_per_quarter, tuple(parts), whole.tempos, whole.metres, end))


def asks_of(drummer: Drummer, bars: int, seeds: int = 2) -> list[Ask]:
    """Calls for each of SONGS, `bars` bars long, and the digest that each answer must have."""
    asks = []
    for name in SONGS:
        data = song(name, bars)
        for seed in range(seeds):
            drums = drummer.accompany(data, Options(seed=seed)).to_bytes()
            asks.append(Ask(data, seed, hashlib.sha256(drums).hexdigest()))
    return asks


def at(share: float, values: Sequence[float]) -> float:
    """A quantile: the least value that so large a share of all is not above."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def ms(seconds: float) -> str:
    """Seconds in words."""
    return f"{1000 * seconds:.1f} ms" if abs(seconds) < 1 else f"{seconds:.2f} s"


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


# --- the parts --------------------------------------------------------------------------------------------------------


def start(size: Size, drummer: Drummer, callers: Callers) -> Measured:
    """How soon it serves."""
    own, after = [], []
    data = ROOT / "examples" / "rock_riff.mid"
    for _ in range(size.starts):
        with serving() as served:
            after.append(served.serving_after)
        own.append(timed(lambda: subprocess.run([sys.executable, "-c", ONE_SONG, str(data)], check=True, cwd=ROOT)))
    row = Row(
        "start to SERVING, the worst of " + str(size.starts),
        ms(max(after)),
        f"a process that plays one song and ends: {ms(max(own))}",
        "at most 5 s",
        max(after) <= 5,
    )
    return Measured([row], {"serving_seconds": after, "own_process_seconds": own})


def turn_about(drummer: Drummer, stub: Any, asks: Sequence[Ask], rounds: int) -> tuple[list[list[float]], bool]:
    """Seconds of takes in this process, of calls, and of these outside the player, in turns; whether all were right.

    Which of the two is first changes from round to round. Two rounds before the first are not counted.
    """
    here, there, plays = list[float](), list[float](), list[float]()
    right = True
    for turn in range(-2, rounds):
        ask = asks[turn % len(asks)]

        def own(ask: Ask = ask) -> None:
            drummer.accompany(ask.midi, Options(seed=ask.seed)).to_bytes()

        def call(ask: Ask = ask) -> None:
            nonlocal right
            reply = stub.GenerateDrums(ask.request, timeout=SECONDS)
            right &= ask.is_right(reply.takes[0].midi)
            plays.append(reply.timing.generate_ms / 1000)

        pair = [(here, own), (there, call)]
        for times, work in pair if turn % 2 else reversed(pair):
            seconds = timed(work)
            if turn >= 0:
                times.append(seconds)
    around = [seconds - play for seconds, play in zip(there, plays[-rounds:], strict=True)]
    return [here, there, around], right


def overhead(size: Size, drummer: Drummer, callers: Callers) -> Measured:
    """What the way to the server and back costs."""
    rows, figures = [], {}
    with serving() as served:
        channel, stub = stub_of(served.address)
        with channel:
            for bars, rounds in ((16, size.short), (128, size.long)):
                (here, there, around), right = turn_about(drummer, stub, asks_of(drummer, bars), rounds)
                middle, worst = (at(share, there) - at(share, here) for share in (0.5, 0.99))
                figures[f"{bars}_bars"] = {"in_process": here, "call": there, "around": around, "right": right}
                rows.append(
                    Row(
                        f"a call for {bars} bars, p50 and p99 of {rounds}",
                        f"{ms(at(0.5, there))}, {ms(at(0.99, there))}",
                        f"in this process: {ms(at(0.5, here))}, {ms(at(0.99, here))}",
                    )
                )
                rows.append(
                    Row(
                        f"so the service adds, for {bars} bars",
                        f"{ms(middle)}, {ms(worst)}",
                        f"{at(0.5, there) / at(0.5, here):.2f} and {at(0.99, there) / at(0.99, here):.2f} times",
                        "at most 5 ms, 25 ms",
                        middle <= 0.005 and worst <= 0.025 and right,
                    )
                )
                rows.append(
                    Row(
                        f"of it outside the player, for {bars} bars",
                        f"{ms(at(0.5, around))}, {ms(at(0.99, around))}",
                        "the rest is how fast that process plays beside this one: two alike differ by up to 10 %",
                    )
                )
    return Measured(rows, figures)


def first_bar(size: Size, drummer: Drummer, callers: Callers) -> Measured:
    """How soon there is something to hear."""
    rows, figures = [], {}
    with serving() as served:
        channel, stub = stub_of(served.address)
        with channel:
            for bars in (16, 128):
                here, there = [], []
                asks = asks_of(drummer, bars, seeds=1)
                for turn in range(-1, size.firsts):
                    ask = asks[turn % len(asks)]

                    def call(ask: Ask = ask) -> None:
                        stream = stub.StreamGenerateDrums(ask.pieces(bars=True), timeout=60)
                        next(piece for piece in stream if piece.WhichOneof("piece") == "bar_events")
                        stream.cancel()

                    own = timed(lambda ask=ask: next(iter(drummer.stream(ask.midi, Options(seed=ask.seed)))))  # type: ignore[misc]
                    called = timed(call)
                    if turn >= 0:
                        here.append(own)
                        there.append(called)
                    time.sleep(0.02)  # the stream that was cancelled is left by now
                figures[f"{bars}_bars"] = {"in_process": here, "call": there}
                rows.append(
                    Row(
                        f"first bar of a stream, {bars} bars, p50 and max of {size.firsts}",
                        f"{ms(at(0.5, there))}, {ms(max(there))}",
                        f"in this process: {ms(at(0.5, here))}, {ms(max(here))}",
                        "p50 at most 300 ms",
                        at(0.5, there) <= 0.3,
                    )
                )
    return Measured(rows, figures)


def at_once(size: Size, drummer: Drummer, callers: Callers) -> Measured:
    """What playing together brings, with all processes that play and with one."""
    rows, figures = [], {}
    asks = asks_of(drummer, 16)
    for engines in (None, 1):
        flags = () if engines is None else ("--engines", str(engines))
        who = "" if engines is None else ", one process plays"
        alone_rate = alone = 0.0
        with serving(*flags) as served:
            for count in AT_ONCE if engines is None else (1, 8):
                outcome = callers.ask("closed", served.address, asks, at_once=count, seconds=size.seconds)
                times = [call["seconds"] for call in outcome["calls"]]
                wrong = sum(not call["right"] for call in outcome["calls"])
                rate = outcome["songs_a_second"]
                alone_rate, alone = alone_rate or rate, alone or at(0.5, times)
                figures[f"{count} of {engines or 'all'}"] = {"songs_a_second": rate, "seconds": times, "wrong": wrong}
                wanted = "4 times, each within twice its time alone" if count == 8 else ""
                rows.append(
                    Row(
                        f"{count} at once, songs of 16 bars{who}",
                        f"{rate:.1f} a second; each p50 {ms(at(0.5, times))}, max {ms(max(times))}; {wrong} wrong",
                        f"one at a time: {rate / alone_rate:.2f} times as many, each {at(0.5, times) / alone:.1f} "
                        f"(at most {max(times) / alone:.1f}) times as long",
                        wanted,
                        (rate >= 4 * alone_rate and max(times) <= 2 * alone and not wrong) if wanted else None,
                    )
                )
    return Measured(rows, figures)


def cancel(size: Size, drummer: Drummer, callers: Callers) -> Measured:
    """How soon the turn of a cancelled call is free."""
    alone, after = [], []
    short = asks_of(drummer, 16, seeds=1)[0]
    long = asks_of(drummer, 128, seeds=1)[0]
    with serving("--engines", "1", "--playing", "1") as served:
        channel, stub = stub_of(served.address)
        with channel:
            drums(stub, short)
            for _ in range(size.firsts):
                alone.append(timed(lambda: drums(stub, short)))
                stream = stub.StreamGenerateDrums(long.pieces(bars=True), timeout=60)
                next(piece for piece in stream if piece.WhichOneof("piece") == "bar_events")
                stream.cancel()
                after.append(timed(lambda: drums(stub, short)))
    more = at(0.5, after) - at(0.5, alone)
    row = Row(
        f"a call just after a cancelled one that had the only turn, p50 of {size.firsts}",
        f"{ms(at(0.5, after))}: {ms(more)} more",
        f"the same alone: {ms(at(0.5, alone))}",
        "at most 100 ms more",
        more <= 0.1,
    )
    return Measured([row], {"alone": alone, "after": after})


def overload(size: Size, drummer: Drummer, callers: Callers) -> Measured:
    """What becomes of more calls than can be played."""
    asks = asks_of(drummer, 16)
    with serving("--playing", "8", "--waiting", "8") as served:
        peak = callers.ask("closed", served.address, asks, at_once=8, seconds=size.seconds)
        alone = callers.ask("closed", served.address, asks, at_once=1, seconds=max(size.seconds / 4, 1))
        rate = TOO_MUCH * peak["songs_a_second"]
        outcome = callers.ask("open", served.address, asks, rate=rate, seconds=size.seconds)
        health = served.health()
    good = [call for call in outcome["calls"] if call["code"] == "OK"]
    away = [call for call in outcome["calls"] if call["code"] != "OK"]
    reasons = Counter(call["reason"] or call["code"] for call in away)
    explained = all(call["reason"] == "QUEUE_FULL" and call["retry"] for call in away)
    rejects = [call["seconds"] for call in away] or [0.0]
    share = outcome["songs_a_second"] / peak["songs_a_second"]
    solo = at(0.5, [call["seconds"] for call in alone["calls"]])
    waited = at(0.99, [call["seconds"] for call in good])
    rows = [
        Row(
            f"sent away at {TOO_MUCH} times what can be played ({rate:.0f} calls a second), p50 and p99",
            f"{ms(at(0.5, rejects))}, {ms(at(0.99, rejects))}; {', '.join(f'{n} {why}' for why, n in reasons.items())}",
            f"{len(good)} played, p99 {ms(waited)}; alone {ms(solo)}",
            "within 20 ms, each with a RetryInfo",
            at(0.99, rejects) <= 0.02 and explained,
        ),
        Row(
            "meanwhile played",
            f"{outcome['songs_a_second']:.1f} songs a second; health {health}",
            f"eight callers who wait: {peak['songs_a_second']:.1f}, so {share:.0%}",
            "at least 90 %",
            share >= 0.9 and all(call["right"] for call in good),
        ),
    ]
    figures = {
        "peak": peak["songs_a_second"],
        "goodput": outcome["songs_a_second"],
        "rejects": rejects,
        "explained": explained,
    }
    return Measured(rows, figures | {"reasons": dict(reasons), "accepted_p99": waited, "alone": solo})


def memory(size: Size, drummer: Drummer, callers: Callers) -> Measured:
    """What it keeps of each call, and whether that would be noticed."""
    asks = asks_of(drummer, 2)
    with serving() as served:
        ours = growth(served, callers, asks, size.calls)
    with serving(program=LEAKY) as served:
        leaky = growth(served, callers, asks, size.calls // 2)
    caught = leaky["bytes_a_call"] >= 1024
    row = Row(
        f"memory kept of a call, over {size.calls:,} ({ours['first'] / 1e6:.0f} to {ours['last'] / 1e6:.0f} MB)",
        f"{ours['bytes_a_call']:.0f} bytes",
        f"a server that keeps {LEAK_BYTES:,}: {leaky['bytes_a_call']:.0f}, " + ("caught" if caught else "not caught"),
        "less than 1 KiB, the leak is caught",
        ours["bytes_a_call"] < 1024 and caught and set(ours["outcomes"]) == {"OK"},
    )
    return Measured([row], {"ours": ours, "leaky": leaky})


def growth(served: Served, callers: Callers, asks: Sequence[Ask], calls: int) -> dict[str, Any]:
    """How memory grows with calls: the median of the slopes between all samples after the first 30 %."""
    step = max(calls // 100, 10)
    samples, outcomes = [], Counter[str]()
    for done in range(step, calls + 1, step):
        outcomes.update(callers.ask("mix", served.address, asks, at_once=4, count=step)["outcomes"])
        samples.append((done, served.memory()))
    warm = [sample for sample in samples if sample[0] > 0.3 * calls]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(warm) for b in warm[i + 1 :]]
    return {
        "bytes_a_call": statistics.median(slopes),
        "first": warm[0][1],
        "last": warm[-1][1],
        "samples": samples,
        "outcomes": dict(outcomes),
    }


PARTS: dict[str, Callable[[Size, Drummer, Callers], Measured]] = {
    "start": start,
    "overhead": overhead,
    "first_bar": first_bar,
    "at_once": at_once,
    "cancel": cancel,
    "overload": overload,
    "memory": memory,
}


def leaky_server(flags: list[str]) -> int:
    """The control: the same server, which keeps something of every call."""
    import grpc

    kept: list[bytes] = []

    class Keeping(grpc.aio.ServerInterceptor):  # type: ignore[misc]
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            kept.append(random.randbytes(LEAK_BYTES))
            return await continuation(details)

    make = grpc.aio.server
    grpc.aio.server = lambda *words, **named: make(*words, **named, interceptors=(Keeping(),))
    from server.cli import main as serve

    return serve(flags)


def main() -> int:
    if sys.argv[1:2] == ["--leaky-server"]:
        return leaky_server(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a look, within a minute; its figures are rough")
    parser.add_argument("--seconds", type=float, metavar="N", help="of each load")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    parser.add_argument("--json", action="store_true", help="print all figures instead of the table")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    if options.seconds:
        size = size._replace(seconds=options.seconds)
    drummer = Drummer.load()
    where, figures = machine(), {}
    print(f"songs of {', '.join(SONGS)}; {where}", file=sys.stderr if options.json else sys.stdout)
    if not options.json:
        print("\n| what | figure | peer in the same run | wanted | kept |\n|---|---|---|---|---|", flush=True)
    with Callers() as callers:
        for part in options.only:
            result = PARTS[part](size, drummer, callers)
            figures[part] = result.figures | {"rows": [row._asdict() for row in result.rows]}
            if not options.json:
                print("\n".join(map(str, result.rows)), flush=True)
    if options.json:
        print(json.dumps({"machine": where} | figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
