"""Servers to try: the front with parsers and players that tests control, and the whole as a process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.rpc import accompaniment_pb2_grpc as rpc
from server.front import Front
from server.ipc import Frame
from server.metrics import Metrics
from server.settings import Settings

ROOT = Path(__file__).parent.parent
MIDI = b"MThd and what follows"
BARS = 3
SERVICE = "/seq2drum.v1.AccompanimentService/"
_AIO: Any = grpc.aio
END = _AIO.EOF
"""What a stream gives at its end; the types of gRPC do not know it."""


class FakeParsers:
    """Reads files as a test sets it up."""

    def __init__(self) -> None:
        self.ready = True
        self.inside = 0
        self.asked: list[pb.GenerateDrumsRequest] = []
        self.briefs: list[pb.Brief] = []
        self.renders: list[pb.RenderRequest] = []
        self.size = 150_000
        self.recordings = 0
        self.error: BaseException | None = None
        self.estimated_ms = 10.0
        self.song = b""
        self.go = asyncio.Event()
        self.go.set()

    async def check_brief(self, request: bytes, seconds: float, *, caller: str = "") -> bytes:
        brief = pb.ComposeRequest.FromString(request).brief
        self.briefs.append(brief)
        await self.go.wait()
        if self.error:
            raise self.error
        timeline = pb.TimelineInfo(bars=brief.bars, ticks_per_quarter=480)
        return pb.AnalyzeGuitarResponse(timeline=timeline, estimated_ms=self.estimated_ms).SerializeToString()

    async def learn(self, what: str, body: bytes, seconds: float, most: float | None = None) -> bytes:
        await self.go.wait()
        if self.error:
            raise self.error
        return b""

    async def render(self, request: bytes, seconds: float) -> list[bytes]:
        self.renders.append(pb.RenderRequest.FromString(request))
        await self.go.wait()
        if self.error:
            raise self.error
        return [drums(0, self.size)]

    async def analyze(
        self,
        request: bytes,
        seconds: float,
        *,
        recording: bool = False,
        notation: bool = False,
        music: bool = False,
        caller: str = "",
    ) -> bytes:
        self.asked.append(pb.GenerateDrumsRequest.FromString(request))
        self.recordings += recording
        self.inside += 1
        try:
            await self.go.wait()
            if self.error:
                raise self.error
        finally:
            self.inside -= 1
        timeline = pb.TimelineInfo(bars=BARS, ticks_per_quarter=480)
        analysis = pb.AnalyzeGuitarResponse(timeline=timeline, estimated_ms=self.estimated_ms, song=self.song)
        return analysis.SerializeToString()

    async def convert(self, file: bytes, seconds: float, *, notation: bool = False, caller: str = "") -> bytes:
        if self.error:
            raise self.error
        return b"MThd of " + file


class FakePlayers:
    """Plays as a test sets it up: before each bar it waits for `go`, and for one of `steps` if there are any."""

    def __init__(self) -> None:
        self.ready = True
        self.models = pb.ListModelsResponse(
            models=[pb.ModelInfo(id="default", sha256=b"\1" * 32)], default_model="default"
        ).SerializeToString()
        self.maps = pb.ListDrumMapsResponse(maps=[pb.DrumMapInfo(id="gm")]).SerializeToString()
        self.grooves = pb.ListGroovesResponse(grooves=[pb.GrooveInfo(name="one-drop")]).SerializeToString()
        self.generators = pb.ListGeneratorsResponse(
            generators=[pb.GeneratorInfo(id="step")], default_generator="step"
        ).SerializeToString()
        self.inside = self.left = self.finished = self.bars = 0
        self.asked: list[pb.GenerateDrumsRequest] = []
        self.briefs: list[pb.Brief] = []
        self.beats = self.jams = 0
        self.told: list[pb.JamRequest] = []
        self.error: BaseException | None = None
        self.seconds = 0.01  # of a processor, for each take
        self.size = 150_000
        self.bar_hits: list[pb.DrumHit] = []
        self.steps: asyncio.Semaphore | None = None
        self.go = asyncio.Event()
        self.go.set()

    async def compose(self, request: bytes) -> bytes:
        brief = pb.ComposeRequest.FromString(request).brief
        self.briefs.append(brief)
        self.inside += 1
        try:
            await self.go.wait()
            if self.error:
                raise self.error
        except asyncio.CancelledError:
            self.left += 1
            raise
        finally:
            self.inside -= 1
        beats = [pb.Beat(midi=b"MThd" + drums(take, 100), seed=take) for take in range(max(brief.takes, 1))]
        timing = pb.Timing(first_bar_ms=1, generate_ms=2, batch_size=1)
        return pb.ComposeResponse(
            beats=beats, timeline=pb.TimelineInfo(bars=brief.bars), timing=timing, effective_brief=brief
        ).SerializeToString()

    @contextlib.asynccontextmanager
    async def beat_session(self) -> AsyncIterator[Callable[[bytes], AsyncGenerator[Frame, None]]]:
        self.beats += 1
        number = 0

        async def more(request: bytes) -> AsyncGenerator[Frame, None]:
            nonlocal number
            for _ in range(pb.StreamComposeRequest.FromString(request).bars):
                await self.go.wait()
                if self.error:
                    raise self.error
                number += 1
                yield Frame({"what": "bar", "job": 1}, pb.StreamComposeResponse(bar=number).SerializeToString())
            yield Frame({"what": "done", "job": 1})

        try:
            yield more
        finally:
            self.beats -= 1

    @contextlib.asynccontextmanager
    async def jam_session(self) -> AsyncIterator[Callable[[bytes], AsyncGenerator[Frame, None]]]:
        self.jams += 1
        number, point = 0, -0.5

        async def more(request: bytes) -> AsyncGenerator[Frame, None]:
            nonlocal number, point
            asked = pb.JamRequest.FromString(request)
            self.told.append(asked)
            await self.go.wait()
            if asked.HasField("config"):
                begun = pb.JamBegun(request_id=asked.config.request_id)
                yield Frame({"what": "begun", "job": 1}, pb.JamResponse(begun=begun).SerializeToString())
            last = any(sign.stop for sign in asked.signs)
            while asked.HasField("until") and point <= asked.until:
                number, point = number + 1, point + 4
                bar = pb.JamBar(bar=number, quarter=point - 3.5, quarters=4, beats=4, bpm=120, section="A", last=last)
                yield Frame({"what": "bar", "job": 1}, pb.JamResponse(bar=bar).SerializeToString())
            yield Frame({"what": "done", "job": 1, "point": None if last else point})

        try:
            yield more
        finally:
            self.jams -= 1

    async def listed(self) -> bytes:
        return self.models

    async def fitting_grooves(self, request: bytes) -> bytes:
        self.asked.append(pb.GenerateDrumsRequest.FromString(request))
        if self.error:
            raise self.error
        return pb.ListGroovesResponse(grooves=[pb.GrooveInfo(name="half-time", expected_f1=0.5)]).SerializeToString()

    async def play(self, request: bytes, *, bars: bool, caller: str = "") -> AsyncGenerator[Frame, None]:
        wanted = pb.GenerateDrumsRequest.FromString(request)
        self.asked.append(wanted)
        takes = max(wanted.config.takes, 1)
        self.inside += 1
        try:
            for number in range(1, BARS + 1):
                await self.go.wait()
                if self.steps:
                    await self.steps.acquire()
                await asyncio.sleep(0)
                if self.error:
                    raise self.error
                self.bars += 1
                if bars:
                    events = pb.BarEvents(bar=number, hits=self.bar_hits)
                    piece = pb.StreamGenerateDrumsResponse(bar_events=events)
                    yield Frame({"what": "bar", "job": 1}, piece.SerializeToString())
            yield Frame({"what": "progress", "job": 1, "done": takes * BARS, "total": takes * BARS})
            reply = pb.GenerateDrumsResponse(
                takes=[pb.DrumTake(midi=drums(index, self.size), seed=index) for index in range(takes)],
                timing=pb.Timing(first_bar_ms=1, generate_ms=2, batch_size=1),
            )
            self.finished += 1
            yield Frame({"what": "done", "job": 1, "seconds": takes * self.seconds}, reply.SerializeToString())
        except (GeneratorExit, asyncio.CancelledError):
            self.left += 1
            raise
        finally:
            self.inside -= 1


def drums(index: int, size: int) -> bytes:
    """The file of a take that a drummer of these tests makes."""
    return bytes((index + at) % 251 for at in range(size))


class Served:
    """A front that answers, those behind it, and a client."""

    def __init__(self, front: Front, channel: Any, parsers: FakeParsers, players: FakePlayers) -> None:
        self.front, self.channel, self.parsers, self.players = front, channel, parsers, players
        self.metrics = front.metrics
        self.stub: Any = rpc.AccompanimentServiceStub(channel)

    def generate(self, **given: Any) -> Any:
        """A unary call; keywords beside `timeout` and `metadata` are the request's."""
        outside = {name: given.pop(name) for name in ("timeout", "metadata") if name in given}
        return self.stub.GenerateDrums(pb.GenerateDrumsRequest(**{"midi": MIDI, **given}), **outside)

    def stream(self, *pieces: Any, **outside: Any) -> Any:
        """A stream of those pieces: a config, chunks, or whole messages; by default a config and a file."""
        return self.stub.StreamGenerateDrums(iter([message(piece) for piece in pieces or (opening(), MIDI)]), **outside)

    def over(self) -> bool:
        """Whether nothing is left of any call."""
        front = self.front
        inside = (self.parsers.inside, self.players.inside, front.admission.inside, front.admission.playing)
        service = front.service
        rooms = (
            service.uploads.inside,
            service.large_uploads.inside,
            service.recordings.inside,
            service.beats.streams.inside,
            self.players.beats,
            front.admission.waiting,
            len(front.guard.inside),
        )
        return not any(inside) and not any(rooms)

    def finished(self) -> float:
        """How many calls are over, by the figures."""
        return sum(
            sample.value
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.name == "seq2drum_calls_total"
        )

    def begun(self) -> float:
        """How many calls arrived, by the figures."""
        return sum(
            sample.value
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.name == "seq2drum_calls_started_total"
        )


def settings(**given: Any) -> Settings:
    """Settings of a small server on a free port."""
    return Settings(**{"port": 0, "engines": 1, "playing": 1, "waiting": 1, **given})


@contextlib.asynccontextmanager
async def served(chosen: Settings | None = None, *, credentials: Any = None, **channel: Any) -> AsyncIterator[Served]:
    """A front with parsers and players of these tests, and a client."""
    parsers, players = FakeParsers(), FakePlayers()
    front = Front(chosen or settings(), parsers, players, parsers, Metrics())
    front.bind()
    await front.start()
    address = front.address.replace("0.0.0.0", "127.0.0.1")
    options = list(channel.get("options", ()))
    line = (
        grpc.aio.secure_channel(address, credentials, options)
        if credentials
        else grpc.aio.insecure_channel(address, options)
    )
    try:
        async with line:
            yield Served(front, line, parsers, players)
    finally:
        await front.stop()


@contextlib.asynccontextmanager
async def elsewhere(server: Served, host: str = "127.0.0.2") -> AsyncIterator[grpc.aio.Channel]:
    """A channel of a caller with another address: what it sends goes through a relay that has that address."""
    there, _, port = server.front.address.rpartition(":")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(there, int(port), local_addr=(host, 0))
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(1 << 16):
                sink.write(data)
                await sink.drain()
        sink.close()

    try:
        relaying = await asyncio.start_server(relay, "127.0.0.1", 0)
        (await asyncio.start_server(relay, host, 0)).close()
    except OSError as error:
        pytest.skip(f"this machine has no address {host} of its own ({error.strerror})")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{relaying.sockets[0].getsockname()[1]}") as channel:
        yield channel
    relaying.close()


def opening(**given: Any) -> pb.StreamConfig:
    """The first message of a stream."""
    return pb.StreamConfig(**given)


def message(piece: Any) -> Any:
    """A piece of a stream as a message of it."""
    if isinstance(piece, pb.StreamConfig):
        return pb.StreamGenerateDrumsRequest(config=piece)
    return pb.StreamGenerateDrumsRequest(midi_chunk=piece) if isinstance(piece, bytes) else piece


async def refused_stream(
    server: Served, pieces: Iterable[Any], method: str = "StreamGenerateDrums", **outside: Any
) -> status_pb2.Status:
    """The status of a stream that is refused before all of it was read.

    By gRPC's client with threads: that of asyncio tells of an internal error, now and then, if it is refused while it
    sends.
    """

    def run() -> status_pb2.Status:
        with grpc.insecure_channel(server.front.address) as channel:
            stub: Any = rpc.AccompanimentServiceStub(channel)
            try:
                list(getattr(stub, method)(map(message, pieces), **outside))
            except grpc.RpcError as error:
                call: Any = error  # of a call that ended it is the call, too
                status: status_pb2.Status | None = rpc_status.from_call(call)
                assert status, f"{error.code()} has no details: {error.details()}"
                return status
        raise AssertionError("the call was not refused")

    return await asyncio.to_thread(run)


def gone(pid: int, seconds: float = 30.0) -> None:
    """Wait until there is no process of a number, not even a zombie."""
    until = time.monotonic() + seconds
    while psutil.pid_exists(pid):
        assert time.monotonic() < until, psutil.Process(pid).status()
        time.sleep(0.02)


async def until(holds: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until something holds; it fails if it does not come to hold."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.002)


async def refused(call: Any) -> status_pb2.Status:
    """The status of a call that is refused; its code and message agree with the rich one."""
    try:
        if hasattr(call, "__aiter__"):
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return rich(error)
    raise AssertionError("the call was not refused")


def rich(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """The rich status of an error."""
    trailing: Any = error.trailing_metadata()
    metadata: dict[str, Any] = dict(trailing)
    assert "grpc-status-details-bin" in metadata, f"{error.code()} has no details: {error.details()}"
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    assert rpc_status.to_status(status).code == error.code()
    assert status.message == error.details()
    return status


def detail(status: status_pb2.Status, kind: Any) -> Any:
    """A detail of a status, or None."""
    detail = kind()
    return detail if any(packed.Is(kind.DESCRIPTOR) and packed.Unpack(detail) for packed in status.details) else None


def field(status: status_pb2.Status) -> str:
    """The field that a BadRequest names."""
    return detail(status, error_details_pb2.BadRequest).field_violations[0].field


# --- the whole --------------------------------------------------------------------------------------------------------


class Process:
    """`python -m server` as a process of its own."""

    def __init__(self, folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> None:
        self.state = folder / "server.json"
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={**os.environ, "SEQ2DRUM_STATE_FILE": str(self.state), **(environ or {})},
        )

    def port(self) -> int:
        """The port that it chose."""
        assert self.process.stdout
        return int(self.process.stdout.readline())

    def printed(self) -> str:
        """All that it printed so far on standard error."""
        return Path(self.log.name).read_text()

    def wait(self, what: str, seconds: float = 60.0) -> None:
        """Wait until it has printed this on standard error."""
        end = time.monotonic() + seconds
        while what not in self.printed():
            assert time.monotonic() < end and self.process.poll() is None, self.printed()
            time.sleep(0.02)

    def players(self) -> list[psutil.Process]:
        """The processes that play for it."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "server.player" in " ".join(child.cmdline())]

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def end(self, seconds: float = 60.0) -> int:
        """Wait until it ends; returns its exit code."""
        return self.process.wait(seconds)

    def close(self) -> None:
        """Kill it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()
        self.log.close()


@contextlib.contextmanager
def process(folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> Iterator[Process]:
    """A server as a process, ended at the end of the block."""
    started = Process(folder, *arguments, environ=environ)
    try:
        yield started
    finally:
        started.close()


def run_server(arguments: Sequence[str], environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a server that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "SEQ2DRUM_STATE_FILE": "none", **(environ or {})},
    )
