"""Wait of a caller with a short song beside heavy callers.

A real server plays a song of 64 bars again and again, alone and beside

    dense    a guitar of 2,000 bars, sixteen notes in each, of the same caller
    takes    eight takes of it, of the same caller
    greedy   sixteen calls at once for eight takes of two notes that are 2,000 bars apart, of a caller from 127.0.0.2

once with one process that plays and once with two. Each row has the times of the short song in the median and at most,
how many times as long as alone that is, and the most memory of the processes that play.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import grpc

from bench.callers import stub_of
from bench.harness import Row, Table
from bench.serving import Served, serving
from seq2drum.formats.midi import midi
from seq2drum.music.notes import Note, Part, Song
from seq2drum.rpc import accompaniment_pb2 as pb

TICKS, BAR = 480, 1920
LONG_BARS, SHORT_BARS = 2000, 64
ELSEWHERE = "127.0.0.2"


def guitar(notes: list[Note]) -> bytes:
    """A MIDI file of some notes."""
    return midi.serialise(Song(TICKS, (Part.of(notes, program=27, name="Guitar"),)))


def eighths(bars: int, length: int = 240) -> bytes:
    """A guitar that plays without a pause."""
    count = bars * BAR // length
    return guitar([Note(length * at, length, 40 + at * 5 % 12 + at // 64 % 7, 70 + at % 40) for at in range(count)])


SHORT = eighths(SHORT_BARS)
DENSE = eighths(LONG_BARS, 120)
FAR_APART = guitar([Note(0, 240, 52, 90), Note((LONG_BARS - 1) * BAR, 240, 52, 90)])


@contextmanager
def relayed(address: str) -> Iterator[str]:
    """An address from which all goes to another, as if it came from ELSEWHERE."""
    host, _, port = address.rpartition(":")
    listening = socket.create_server(("127.0.0.1", 0))
    opened = [listening]

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listening.accept()
                far = socket.create_connection((host, int(port)), source_address=(ELSEWHERE, 0))
                opened.extend((near, far))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        for line in opened:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)  # wakes who waits for it
            line.close()


def played(stub: Any, data: bytes, takes: int = 1, seconds: float = 300.0) -> float:
    """Seconds of a call."""
    begun = time.perf_counter()
    request = pb.GenerateDrumsRequest(midi=data, config=pb.GenerationConfig(takes=takes))
    stub.GenerateDrums(request, timeout=seconds)
    return time.perf_counter() - begun


def beside(served: Served, load: Callable[[str], None], calls: int, most: float) -> tuple[list[float], float]:
    """Seconds of short songs while a load goes on, at most so many and for so long; MiB of those who play, at most."""
    times, memory = list[float](), 0.0
    channel, stub = stub_of(served.address)
    loading = threading.Thread(target=load, args=(served.address,), daemon=True)
    with channel:
        loading.start()
        time.sleep(0.1)
        end = time.perf_counter() + most
        while len(times) < calls and time.perf_counter() < end and (loading.is_alive() or not times):
            with suppress(grpc.RpcError):
                times.append(played(stub, SHORT, seconds=most))
            memory = max(memory, sum(player.memory_info().rss for player in served.workers("player")) / (1 << 20))
    return times or [most], memory


def asking(data: bytes, takes: int, calls: int = 1, *, elsewhere: bool = False) -> Callable[[str], None]:
    """A load: a number of concurrent calls, each for a number of takes."""

    def load(address: str) -> None:
        def call(at: str) -> None:
            channel, stub = stub_of(at)
            with channel, suppress(grpc.RpcError, ValueError):
                played(stub, data, takes)

        with relayed(address) if elsewhere else nullcontext(address) as at:
            threads = [threading.Thread(target=call, args=(at,), daemon=True) for _ in range(calls)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    return load


LOADS: dict[str, Callable[[str], None]] = {
    "dense": asking(DENSE, 1),
    "takes": asking(DENSE, 8),
    "greedy": asking(FAR_APART, 8, 16, elsewhere=True),
}


WAITS = Table(
    {
        "beside": "",
        "server": "",
        "alone": "{:.0f} ms",
        "beside it, median": "{:.0f} ms",
        "most": "{:.0f} ms",
        "calls": "{}",
        "times as long, median": "{:.1f}",
        "times as long, most": "{:.1f}",
        "memory of players": "{:.0f} MiB",
    }
)


def measured(engines: int, name: str, calls: int, most: float) -> Row:
    """Return a row; each has its own server."""
    with serving("--engines", str(engines)) as served:
        channel, stub = stub_of(served.address)
        with channel:
            played(stub, SHORT)
            alone = statistics.median(played(stub, SHORT) for _ in range(5))
        times, memory = beside(served, LOADS[name], calls, most)
    middle, worst = statistics.median(times), max(times)
    seconds = 1000 * alone, 1000 * middle, 1000 * worst
    return WAITS.row(name, f"--engines {engines}", *seconds, len(times), middle / alone, worst / alone, memory)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--calls", type=int, default=20, help="short songs beside each load, at most")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each load, at most")
    parser.add_argument("--only", nargs="+", choices=list(LOADS), default=list(LOADS))
    parser.add_argument("--engines", type=int, nargs="+", default=[1, 2])


def run(options: argparse.Namespace) -> Iterator[Row]:
    for name in options.only:
        for engines in options.engines:
            yield measured(engines, name, options.calls, options.seconds)
