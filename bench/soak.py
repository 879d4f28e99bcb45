"""Calls of all kinds to the service for an hour: nothing fails, dies, slows down or grows.

Four callers send good, bad, cancelled and late calls at once; with `--rest` each waits for so long between two of its
calls. Wanted: no call ends in a way it must not, no worker dies, the last third of the calls is not 10 % slower than
the second (which says little on a machine that does other work, too), and after the first third no more than 24 MB, or
1,024 bytes a call, are kept.
"""

from __future__ import annotations

import argparse
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import grpc

from bench import service
from bench.callers import SECONDS, Ask, fault_of, stub_of
from bench.harness import Row, figure
from bench.serving import Served, serving
from seq2drum import Drummer
from seq2drum.rpc import accompaniment_pb2 as pb
from server.statuses import REASONS
from tests.mutants import damaged

CALLERS = 4
MOST_DRIFT, MOST_GROWTH, MOST_BYTES_A_CALL = 1.1, 24 << 20, 1024
LOOKS = 100  # at the memory


class Noted(NamedTuple):
    """A finished call: its end (seconds from the start), its kind, its outcome, its duration."""

    at: float
    kind: str
    outcome: str
    seconds: float


class Soak:
    """Calls of all kinds, their expected outcomes, and the actual ones."""

    def __init__(self, address: str, seconds: float, rest: float = 0.0) -> None:
        self.address, self.seconds, self.rest = address, seconds, rest
        self.noted: list[Noted] = []
        self.begun = time.perf_counter()
        drummer = Drummer.load()
        self.songs = [service.song(name, bars) for name, bars in (("funk", 2), ("jazz_swing", 2), ("rock_riff", 6))]
        self.good = [service.ask_of(drummer, song, seed) for song in self.songs for seed in (0, 1)]
        self.long = service.song("blues_shuffle", 64)
        self.kinds: dict[str, tuple[Callable[[Any, random.Random], str], set[str], int]] = {
            # the calls, their allowed outcomes, their shares
            "plain": (self.plain, {"right"}, 8),
            "stream": (self.stream, {"right"}, 3),
            "look": (self.look, {"OK"}, 3),
            "info": (self.info, {"OK"}, 2),
            # DEADLINE_EXCEEDED: some become songs of 1,500 bars, and a caller may know first that time is up.
            "damaged": (self.damaged, {"OK", "DEADLINE_EXCEEDED", *REASONS} - {"INTERNAL_ERROR", "MODEL_UNUSABLE"}, 6),
            "nonsense": (self.nonsense, {"INVALID_OPTION", "UNKNOWN_MODEL", "UNKNOWN_DRUM_MAP", "TRACK_NOT_FOUND"}, 2),
            "cancelled": (self.cancelled, {"cancelled"}, 2),
            "cancelled stream": (self.cancelled_stream, {"cancelled"}, 2),
            "late": (self.late, {"DEADLINE_EXCEEDED"}, 2),
        }

    def plain(self, stub: Any, rng: random.Random) -> str:
        ask = rng.choice(self.good)
        return "right" if ask.is_right(stub.GenerateDrums(ask.request, timeout=SECONDS).takes[0].midi) else "wrong"

    def stream(self, stub: Any, rng: random.Random) -> str:
        ask = rng.choice(self.good)
        pieces = stub.StreamGenerateDrums(ask.pieces(bars=rng.random() < 0.5), timeout=SECONDS)
        return "right" if ask.is_right(b"".join(piece.file_chunk.data for piece in pieces)) else "wrong"

    def look(self, stub: Any, rng: random.Random) -> str:
        analysis = stub.AnalyzeGuitar(pb.AnalyzeGuitarRequest(midi=rng.choice(self.songs)), timeout=SECONDS)
        return "OK" if analysis.timeline.bars else "empty"

    def info(self, stub: Any, rng: random.Random) -> str:
        return "OK" if stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=SECONDS).version else "empty"

    def damaged(self, stub: Any, rng: random.Random) -> str:
        song = damaged(rng.choice(self.songs), rng.getrandbits(32))
        return "OK" if stub.GenerateDrums(Ask(song).request, timeout=SECONDS).takes else "empty"

    def nonsense(self, stub: Any, rng: random.Random) -> str:
        wrong: dict[str, Any] = rng.choice(
            [{"temperature": 3.0}, {"model": "none"}, {"drum_map": "../gm"}, {"track": "nobody"}, {"takes": 99}]
        )
        request = pb.GenerateDrumsRequest(midi=rng.choice(self.songs), config=pb.GenerationConfig(**wrong))
        return "OK" if stub.GenerateDrums(request, timeout=SECONDS).takes else "empty"

    def cancelled(self, stub: Any, rng: random.Random) -> str:
        future = stub.GenerateDrums.future(Ask(self.long).request, timeout=SECONDS)
        time.sleep(rng.uniform(0, 0.1))
        future.cancel()
        return "cancelled"

    def cancelled_stream(self, stub: Any, rng: random.Random) -> str:
        stream = stub.StreamGenerateDrums(Ask(self.long).pieces(bars=True), timeout=SECONDS)
        for _ in range(rng.randrange(5)):
            next(stream)
        stream.cancel()
        return "cancelled"

    def late(self, stub: Any, rng: random.Random) -> str:
        stub.GenerateDrums(Ask(self.long).request, timeout=rng.uniform(0.005, 0.08))
        return "in time"

    def caller(self, index: int) -> None:
        """Call and call again until it is over."""
        rng = random.Random(index)
        channel, stub = stub_of(self.address)
        weights = [often for _, _, often in self.kinds.values()]
        each = rng.sample(list(self.kinds), len(self.kinds))  # first, each kind once: a slow machine may not come far
        with channel:
            while (now := time.perf_counter()) - self.begun < self.seconds:
                kind = each.pop() if each else rng.choices(list(self.kinds), weights)[0]
                try:
                    outcome = self.kinds[kind][0](stub, rng)
                except grpc.RpcError as error:
                    fault = fault_of(error)
                    outcome = fault.reason if kind != "late" and fault.reason else fault.code
                self.noted.append(Noted(now - self.begun, kind, outcome, time.perf_counter() - now))
                time.sleep(self.rest)


class Look(NamedTuple):
    """The memory at a time: seconds from the start, how many calls were over, bytes by process."""

    at: float
    calls: int
    front: int
    parsers: int
    players: int

    @property
    def bytes(self) -> int:
        """Of all processes."""
        return self.front + self.parsers + self.players


class Found(NamedTuple):
    """Findings of a soak."""

    seconds: float
    noted: list[Noted]
    unexpected: Counter[tuple[str, str]]
    looks: list[Look]
    survived: bool

    def median(self, third: int) -> float:
        """Seconds of a plain call in a third of the time, 0 to 2."""
        begin, end = third * self.seconds / 3, (third + 1) * self.seconds / 3
        return statistics.median(n.seconds for n in self.noted if n.kind == "plain" and begin <= n.at < end)

    @property
    def drift(self) -> float:
        """Return how much slower the last third is than the second."""
        return self.median(2) / self.median(1)

    @property
    def warm(self) -> list[Look]:
        """The looks at the memory after the first third."""
        return [look for look in self.looks if look.at > self.seconds / 3]

    @property
    def growth(self) -> tuple[int, int]:
        """Bytes that were gained after the first third, and the calls meanwhile."""
        first, last = self.warm[0], self.warm[-1]
        return last.bytes - first.bytes, last.calls - first.calls


def soak(served: Served, seconds: float, callers: int = CALLERS, rest: float = 0.0) -> Found:
    """Call a server for so long. rest: seconds between two calls of a caller."""
    work = Soak(served.address, seconds, rest)
    workers = {kind: served.workers(kind) for kind in ("parser", "player")}
    threads = [threading.Thread(target=work.caller, args=(index,)) for index in range(callers)]
    for thread in threads:
        thread.start()
    looks = []
    while any(thread.is_alive() for thread in threads):
        front = served.tree()[0].memory_info().rss
        parsers, players = (sum(each.memory_info().rss for each in served.workers(kind)) for kind in workers)
        looks.append(Look(time.perf_counter() - work.begun, len(work.noted), front, parsers, players))
        time.sleep(seconds / LOOKS)
    for thread in threads:
        thread.join()
    unexpected = Counter(
        (noted.kind, noted.outcome) for noted in work.noted if noted.outcome not in work.kinds[noted.kind][1]
    )
    survived = {kind: served.workers(kind) for kind in workers} == workers
    return Found(seconds, work.noted, unexpected, looks, survived)


def rows(found: Found) -> Iterator[str | Row]:
    """Yield the figures of a soak."""
    yield from (f"calls that ended as they must not: {count} {what}" for what, count in found.unexpected.most_common())
    kinds = Counter(noted.kind for noted in found.noted)
    yield from (figure(f"calls, {kind}", count) for kind, count in kinds.most_common())
    yield figure("calls that ended as they must not", found.unexpected.total(), most=0)
    yield figure("workers that died", not found.survived, most=0)
    for third, name in enumerate(("first", "second", "last")):
        yield figure(f"a song of 2 or 6 bars, median of the {name} third", 1000 * found.median(third), "ms")
    yield figure("the last third to the second", found.drift, most=MOST_DRIFT)
    grown, calls = found.growth
    most = max(MOST_GROWTH, MOST_BYTES_A_CALL * calls)
    yield figure("memory gained after the first third", grown / 1e6, "MB", most=most / 1e6)
    yield figure("calls meanwhile", calls)
    first, last = found.warm[0], found.warm[-1]
    for kind in ("front", "parsers", "players"):
        held = getattr(last, kind)
        yield figure(f"memory gained by {kind}", (held - getattr(first, kind)) / 1e6, "MB")
        yield figure(f"memory of {kind} at the end", held / 1e6, "MB")
    for tenth, look in enumerate(found.looks[:: max(len(found.looks) // 10, 1)]):
        yield figure(f"memory after {tenth} tenths", look.bytes / 1e6, "MB")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=3600.0, metavar="N", help="of calling (default: an hour)")
    parser.add_argument("--callers", type=int, default=CALLERS, metavar="N")
    parser.add_argument("--rest", type=float, default=0.0, metavar="SECONDS", help="of a caller between two calls")


def run(options: argparse.Namespace) -> Iterator[str | Row]:
    yield f"{options.callers} callers for {options.seconds:g} s"
    with serving() as served:
        found = soak(served, options.seconds, options.callers, options.rest)
        ended = served.end()
    yield from rows(found)
    yield figure("exit code of the server", ended, most=0)
