"""Callers of a server in a separate process: `python -m bench.callers` reads a JSON job per line and prints outcomes.

They speak gRPC without retries, so that whatever the server says is counted. What they ask for is a list of asks: a
MIDI file, a seed, and the SHA-256 that the drums must have.

    closed   a number of callers, each of which calls again as soon as it was answered
    open     a number of calls a second, whether or not the earlier ones were answered
    mix      a number of calls of all kinds, without a clock
"""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from bench.machine import environment
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.rpc.accompaniment_pb2_grpc import AccompanimentServiceStub

DOMAIN = "seq2drum"
SECONDS = 120.0  # that any call may take
CHUNK_BYTES = 32 << 10
WARM_SHARE = 0.2  # of the seconds of a measurement, before it is begun
WARM_SECONDS = 2.0  # at least, where a queue has to fill
PLAIN = [("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]


class Fault(NamedTuple):
    """A failed call. reason: "" without an ErrorInfo of this service. retry: seconds, or None if not named."""

    code: str
    reason: str = ""
    retry: float | None = None
    fields: tuple[str, ...] = ()


def fault_of(error: Any) -> Fault:
    """Return the fault that the status of a failed call describes."""
    fault = Fault(error.code().name)
    status = rpc_status.from_call(error)
    for packed in status.details if status else ():
        info, retry, bad = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo(), error_details_pb2.BadRequest()
        if packed.Unpack(info) and info.domain == DOMAIN:
            fault = fault._replace(reason=info.reason)
        elif packed.Unpack(retry):
            fault = fault._replace(retry=retry.retry_delay.ToTimedelta().total_seconds())
        elif packed.Unpack(bad):
            fault = fault._replace(fields=tuple(each.field for each in bad.field_violations))
    return fault


@dataclass(frozen=True)
class Ask:
    """A call for drums, and its expected outcome."""

    midi: bytes
    seed: int = 0
    sha256: str = ""

    @property
    def request(self) -> pb.GenerateDrumsRequest:
        """As one message."""
        return pb.GenerateDrumsRequest(midi=self.midi, config=pb.GenerationConfig(seed=self.seed))

    def pieces(self, *, bars: bool = False) -> Iterator[pb.StreamGenerateDrumsRequest]:
        """As several."""
        yield pb.StreamGenerateDrumsRequest(
            config=pb.StreamConfig(config=pb.GenerationConfig(seed=self.seed), send_bar_events=bars)
        )
        for start in range(0, len(self.midi), CHUNK_BYTES):
            yield pb.StreamGenerateDrumsRequest(midi_chunk=self.midi[start : start + CHUNK_BYTES])

    def is_right(self, midi: bytes) -> bool:
        """Return True if these are the drums."""
        return not self.sha256 or hashlib.sha256(midi).hexdigest() == self.sha256


class Called(NamedTuple):
    """A call that is over: when it began and ended (seconds of `time.perf_counter`), how, and whether it was right."""

    begun: float
    ended: float
    fault: Fault | None
    right: bool

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


def stub_of(address: str) -> tuple[grpc.Channel, AccompanimentServiceStub]:
    """A channel to a server, not shared with other callers, and its stub."""
    channel = grpc.insecure_channel(address, PLAIN)
    return channel, AccompanimentServiceStub(channel)


def drums(stub: Any, ask: Ask) -> bytes:
    """The drums by the one call."""
    return bytes(stub.GenerateDrums(ask.request, timeout=SECONDS).takes[0].midi)


def streamed(stub: Any, ask: Ask, *, bars: bool = False) -> tuple[bytes, list[pb.StreamGenerateDrumsResponse]]:
    """The drums by the other call, and all that came."""
    pieces = list(stub.StreamGenerateDrums(ask.pieces(bars=bars), timeout=SECONDS))
    return b"".join(piece.file_chunk.data for piece in pieces if piece.WhichOneof("piece") == "file_chunk"), pieces


def called(work: Callable[[], bytes], ask: Ask) -> Called:
    """Call, and say how that went."""
    begun = time.perf_counter()
    try:
        midi = work()
    except grpc.RpcError as error:
        return Called(begun, time.perf_counter(), fault_of(error), False)
    return Called(begun, time.perf_counter(), None, ask.is_right(midi))


def closed(address: str, asks: Sequence[Ask], at_once: int, seconds: float) -> dict[str, Any]:
    """Keep `at_once` callers busy for `seconds`, after WARM_SHARE of them to warm up.

    Songs a second: a call that is partly within these seconds counts for that part.
    """
    begin = time.perf_counter() + seconds * WARM_SHARE
    end = begin + seconds
    by_caller: list[list[Called]] = [[] for _ in range(at_once)]

    def caller(index: int) -> None:
        channel, stub = stub_of(address)
        with channel:
            for turn in itertools.count(index * 7):
                if time.perf_counter() >= end:
                    return
                ask = asks[turn % len(asks)]
                by_caller[index].append(called(lambda ask=ask: drums(stub, ask), ask))  # type: ignore[misc]

    _together([lambda index=index: caller(index) for index in range(at_once)])  # type: ignore[misc]
    calls = [call for each in by_caller for call in each]
    done = sum(max(min(call.ended, end) - max(call.begun, begin), 0) / call.seconds for call in calls if not call.fault)
    inside = [call for call in calls if call.begun < end and call.ended > begin]
    return {"songs_a_second": done / seconds, "calls": [_as_json(call) for call in inside]}


def opened(address: str, asks: Sequence[Ask], rate: float, seconds: float) -> dict[str, Any]:
    """Call `rate` times a second, evenly spaced, for `seconds` after the warm-up.

    Songs a second: those that were done within these seconds.
    """
    seconds, warm = seconds + max(WARM_SHARE * seconds, WARM_SECONDS), max(WARM_SHARE * seconds, WARM_SECONDS)
    ways = [stub_of(address) for _ in range(4)]
    calls: list[Called] = []
    over = threading.Semaphore(0)
    begin = time.perf_counter()
    count = max(int(rate * seconds), 1)

    def ended(future: Any, begun: float, ask: Ask) -> None:
        now = time.perf_counter()
        if error := future.exception():
            calls.append(Called(begun, now, fault_of(error), False))
        else:
            calls.append(Called(begun, now, None, ask.is_right(future.result().takes[0].midi)))
        over.release()

    for index in range(count):
        time.sleep(max(begin + index / rate - time.perf_counter(), 0))
        ask, begun = asks[index % len(asks)], time.perf_counter()
        future = ways[index % len(ways)][1].GenerateDrums.future(ask.request, timeout=SECONDS)
        future.add_done_callback(partial(ended, begun=begun, ask=ask))
    for _ in range(count):
        over.acquire()
    for channel, _ in ways:
        channel.close()
    first, last = begin + warm, max(call.begun for call in calls)
    good = [call for call in calls if not call.fault and first < call.ended <= last]
    return {"songs_a_second": len(good) / (last - first), "calls": [_as_json(call) for call in calls]}


def mixed(address: str, asks: Sequence[Ask], at_once: int, count: int) -> dict[str, Any]:
    """Of ten calls, four request the server's limits, three the analysis of a file, three drums."""
    outcomes: Counter[str] = Counter()
    turns = iter(range(count))
    lock = threading.Lock()

    def work(stub: Any, turn: int) -> None:
        ask = asks[turn % len(asks)]
        if turn % 10 < 4:
            stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=SECONDS)
        elif turn % 10 < 7:
            stub.AnalyzeGuitar(pb.AnalyzeGuitarRequest(midi=ask.midi), timeout=SECONDS)
        elif not ask.is_right(drums(stub, ask) if turn % 10 < 9 else streamed(stub, ask)[0]):
            raise ValueError("other drums")

    def caller() -> None:
        channel, stub = stub_of(address)
        with channel:
            while True:
                with lock:
                    turn = next(turns, None)
                if turn is None:
                    return
                try:
                    work(stub, turn)
                    outcome = "OK"
                except grpc.RpcError as error:
                    outcome = " ".join(fault_of(error)[:2])
                except ValueError as error:
                    outcome = str(error)
                with lock:
                    outcomes[outcome] += 1

    _together([caller] * at_once)
    return {"outcomes": dict(outcomes)}


class Callers:
    """The process of the callers, for the code that gives it jobs."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bench.callers"],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, what: str, address: str, asks: Sequence[Ask], **numbers: float) -> dict[str, Any]:
        """Have a job done; returns its outcome."""
        listed = [{"midi": ask.midi.hex(), "seed": ask.seed, "sha256": ask.sha256} for ask in asks]
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"what": what, "address": address, "asks": listed, **numbers}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process of the callers has ended")
        outcome: dict[str, Any] = json.loads(line)
        return outcome

    def __enter__(self) -> Callers:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _as_json(call: Called) -> dict[str, Any]:
    fault = call.fault
    return {
        "seconds": call.seconds,
        "right": call.right,
        "code": fault.code if fault else "OK",
        "reason": fault.reason if fault else "",
        "retry": fault.retry if fault else None,
    }


def _together(work: Sequence[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> int:
    jobs: dict[str, Callable[..., dict[str, Any]]] = {"closed": closed, "open": opened, "mix": mixed}
    for line in sys.stdin:
        job = json.loads(line)
        asks = [Ask(bytes.fromhex(ask["midi"]), ask["seed"], ask["sha256"]) for ask in job.pop("asks")]
        outcome = jobs[job.pop("what")](job.pop("address"), asks, **job)
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
