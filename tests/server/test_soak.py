"""The service for a while: good, bad, cancelled and late calls from several callers at once, and nothing gets worse.

Ten seconds; SEQ2DRUM_SOAK_SECONDS=3600 makes it an hour, and its bounds tight.
"""

from __future__ import annotations

import hashlib
import os
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
import pytest

from bench import service
from bench.callers import SECONDS, Ask, fault_of, stub_of
from bench.serving import serving
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options
from seq2drum.rpc import accompaniment_pb2 as pb
from server.statuses import REASONS
from tests.server.test_service_live import damaged

SOAK_SECONDS = float(os.environ.get("SEQ2DRUM_SOAK_SECONDS", "10"))
LONG = SOAK_SECONDS >= 600
CALLERS = 4
MOST_DRIFT = 1.1 if LONG else 5.0
"""How much slower the last third of the calls may be than the second. Seconds show what else the machine does, too."""
MOST_GROWTH = (24 if LONG else 512) << 20
"""How many bytes all processes may gain after the first third, whatever the number of calls.

In seconds players may not have played as much at once as they will, and keep what that took: 200 MB were seen.
What a call keeps is measured by `bench/service.py`.
"""
MOST_BYTES_A_CALL = 1024
"""And in a long run, where that is more."""


class Noted(NamedTuple):
    """A call that is over: when (seconds from the start), what it was, how it ended, how long it took."""

    at: float
    kind: str
    outcome: str
    seconds: float


class Soak:
    """Calls of all kinds, what must come of each, and what came."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.noted: list[Noted] = []
        self.begun = time.perf_counter()
        drummer = Drummer.load()
        self.songs = [service.song(name, bars) for name, bars in (("funk", 2), ("jazz_swing", 2), ("rock_riff", 6))]
        self.good = [
            Ask(song, seed, hashlib.sha256(drummer.accompany(song, Options(seed=seed)).to_bytes()).hexdigest())
            for song in self.songs
            for seed in (0, 1)
        ]
        self.long = service.song("blues_shuffle", 64)
        self.kinds: dict[str, tuple[Callable[[Any, random.Random], str], set[str], int]] = {
            # what is done, how it may end, how often of all
            "plain": (self.plain, {"right"}, 8),
            "stream": (self.stream, {"right"}, 3),
            "look": (self.look, {"OK"}, 3),
            "info": (self.info, {"OK"}, 2),
            "damaged": (self.damaged, {"OK", *REASONS} - {"INTERNAL_ERROR", "MODEL_UNUSABLE"}, 6),
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
            while (now := time.perf_counter()) - self.begun < SOAK_SECONDS:
                kind = each.pop() if each else rng.choices(list(self.kinds), weights)[0]
                try:
                    outcome = self.kinds[kind][0](stub, rng)
                except grpc.RpcError as error:
                    fault = fault_of(error)
                    outcome = fault.reason if kind != "late" and fault.reason else fault.code
                self.noted.append(Noted(now - self.begun, kind, outcome, time.perf_counter() - now))


@pytest.mark.slow
def test_memory_and_latency_do_not_grow_over_many_calls() -> None:
    with serving() as served:
        soak = Soak(served.address)
        workers = {kind: served.workers(kind) for kind in ("screen", "player")}
        threads = [threading.Thread(target=soak.caller, args=(index,)) for index in range(CALLERS)]
        for thread in threads:
            thread.start()
        memory = []
        while any(thread.is_alive() for thread in threads):
            memory.append((time.perf_counter() - soak.begun, len(soak.noted), served.memory()))
            time.sleep(min(SOAK_SECONDS / 100, 5))
        for thread in threads:
            thread.join()

        unexpected = Counter(
            (noted.kind, noted.outcome) for noted in soak.noted if noted.outcome not in soak.kinds[noted.kind][1]
        )
        assert not unexpected
        assert {noted.kind for noted in soak.noted} == set(soak.kinds)
        assert not served.lines("fault")

        def middle(begin: float, end: float) -> float:
            times = [
                noted.seconds
                for noted in soak.noted
                if noted.kind == "plain" and begin <= noted.at / SOAK_SECONDS < end
            ]
            return statistics.median(times)

        assert middle(2 / 3, 1) < MOST_DRIFT * middle(1 / 3, 2 / 3), "calls became slower"

        warm = [(calls, size) for at, calls, size in memory if at > SOAK_SECONDS / 3]
        (calls, before), (all_calls, after) = warm[0], warm[-1]
        most = max(MOST_GROWTH, MOST_BYTES_A_CALL * (all_calls - calls) if LONG else 0)
        assert after - before < most, f"{(after - before) / (all_calls - calls):.0f} bytes a call are kept"

        assert served.health() == "SERVING"
        assert {kind: served.workers(kind) for kind in workers} == workers, "a worker did not survive"
        figures = served.figures()
        end = time.monotonic() + 10
        while any(figures[name,] for name in ("waiting", "playing", "uploading")) and time.monotonic() < end:
            time.sleep(0.05)
            figures = served.figures()
        begun = sum(value for key, value in figures.items() if key[0] == "calls_started_total")
        assert begun == sum(value for key, value in figures.items() if key[0] == "calls_total")
        channel, stub = stub_of(served.address)
        with channel:
            assert soak.plain(stub, random.Random(0)) == "right"
        assert served.end() == 0
