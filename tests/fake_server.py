"""Servers for the tests of the client: one that plays as `Drummer` does, one that does what a test tells it to, and the
real one.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from client import RemoteDrummer
from seq2drum import __version__
from seq2drum.errors import MidiError, NoGuitarError, OptionError, Seq2DrumError
from seq2drum.formats.midi import midi
from seq2drum.music.notes import Song
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options
from seq2drum.play.take import DrumBar, Take
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.rpc.accompaniment_pb2_grpc import (
    AccompanimentServiceServicer,
    add_AccompanimentServiceServicer_to_server,
)
from server import convert
from tests.conftest import ROOT

Servicer: Any = AccompanimentServiceServicer
"""The contract: a call that a stand-in lacks is answered by it, as not implemented."""


def refuse(
    context: grpc.ServicerContext,
    code: grpc.StatusCode,
    message: str,
    reason: str = "",
    *,
    retry: float | None = None,
    error_id: str = "",
) -> NoReturn:
    """End a call as the server does: with an ErrorInfo, and with a RetryInfo where there is a time to wait."""
    status = status_pb2.Status(code=code.value[0], message=message)
    if reason:
        info = error_details_pb2.ErrorInfo(reason=reason, domain="seq2drum")
        if error_id:
            info.metadata["error_id"] = error_id
        status.details.add().Pack(info)
    if retry is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(retry * 1e9))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort does not return")


def options_of(config: pb.GenerationConfig) -> Options:
    asked: dict[str, Any] = {
        name: getattr(config, name)
        for name in ("seed", "temperature", "top_p", "intensity", "complexity", "fills", "humanize", "swing")
        if config.HasField(name)
    }
    return Options(
        **asked,
        style=config.style or None,
        track=config.track or None,
        prime=config.prime_bars,
        bars=(config.bars.first_bar, config.bars.last_bar) if config.HasField("bars") else None,
        drum_map=config.drum_map or "gm",
    )


def timeline_of(song: Song) -> pb.TimelineInfo:
    return pb.TimelineInfo(bars=len(song.bars()), ticks_per_quarter=song.ticks_per_quarter)


@dataclass
class Playing(Servicer):
    """Plays as `Drummer` does. It keeps what it was asked, and how each call ended."""

    drummer: Drummer
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    streams: int = 0

    def GenerateDrums(self, request: pb.GenerateDrumsRequest, context: Any) -> pb.GenerateDrumsResponse:
        self._note(request, context)
        return self.play(request.midi, request.config, context)

    def StreamGenerateDrums(
        self, pieces: Iterator[pb.StreamGenerateDrumsRequest], context: Any
    ) -> Iterator[pb.StreamGenerateDrumsResponse]:
        self.streams += 1
        first = next(pieces).config
        data = b"".join(piece.midi_chunk for piece in pieces)
        request = pb.GenerateDrumsRequest(midi=data, config=first.config)
        self._note(request, context)
        response = self.play(data, first.config, context)
        yield pb.StreamGenerateDrumsResponse(
            accepted=pb.Accepted(timeline=response.timeline, guitar=response.guitar, request_id=response.request_id)
        )
        total = response.timeline.bars * len(response.takes)
        if first.send_bar_events:
            for bar in self.drummer.stream(data, options_of(first.config), plan=convert.plan_of(first.config)):
                yield pb.StreamGenerateDrumsResponse(bar_events=bar_events(bar, response))
        yield pb.StreamGenerateDrumsResponse(progress=pb.Progress(bars_done=total, bars_total=total))
        for index, take in enumerate(response.takes):
            for start in range(0, len(take.midi), 1000):
                chunk = pb.FileChunk(take=index, data=take.midi[start : start + 1000])
                yield pb.StreamGenerateDrumsResponse(file_chunk=chunk)
            take.midi = b""
        yield pb.StreamGenerateDrumsResponse(summary=response)

    def AnalyzeGuitar(self, request: pb.AnalyzeGuitarRequest, context: Any) -> pb.AnalyzeGuitarResponse:
        self._note(request, context)
        song = midi.parse(request.midi)
        tracks = [
            pb.TrackSummary(number=index, name=part.name, notes=len(part)) for index, part in enumerate(song.parts, 1)
        ]
        return pb.AnalyzeGuitarResponse(timeline=timeline_of(song), tracks=tracks)

    def ListModels(self, request: pb.ListModelsRequest, context: Any) -> pb.ListModelsResponse:
        model = pb.ModelInfo(id="default", description="a small one", styles=["jazz", "rock"])
        return pb.ListModelsResponse(models=[model], default_model="default")

    def ListGrooves(self, request: pb.ListGroovesRequest, context: Any) -> pb.ListGroovesResponse:
        groove = pb.GrooveInfo(name="one-drop", title="one drop", numerator=4, denominator=4, style="reggae")
        groove.min_bpm, groove.max_bpm = 60, 90
        if request.midi:
            self._note(request, context)
            groove.expected_f1 = 0.51234
        return pb.ListGroovesResponse(grooves=[groove])

    def ListDrumMaps(self, request: pb.ListDrumMapsRequest, context: Any) -> pb.ListDrumMapsResponse:
        pieces = [pb.PieceNotes(piece="kick", notes=[36, 35])]
        one = pb.DrumMapInfo(id="gm", pieces=pieces, about="General MIDI", source="RP-003", tried=True)
        return pb.ListDrumMapsResponse(maps=[one])

    def GetServerInfo(self, request: pb.GetServerInfoRequest, context: Any) -> pb.GetServerInfoResponse:
        return pb.GetServerInfoResponse(version=__version__, api_versions=["v1"], auth=pb.AUTH_MODE_NONE)

    def _note(self, request: Any, context: Any) -> None:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))

    def play(self, data: bytes, config: pb.GenerationConfig, context: Any) -> pb.GenerateDrumsResponse:
        try:
            plan = convert.plan_of(config)
            takes = self.drummer.takes(data, options_of(config), config.takes or 1, plan=plan)
        except MidiError as error:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(error), "INVALID_MIDI")
        except NoGuitarError as error:
            refuse(context, grpc.StatusCode.FAILED_PRECONDITION, str(error), "NO_GUITAR")
        except OptionError as error:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(error), "INVALID_OPTION")
        except Seq2DrumError as error:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, str(error), "INVALID_INPUT")
        return response_of(takes, config)


def response_of(takes: list[Take], config: pb.GenerationConfig) -> pb.GenerateDrumsResponse:
    best = takes[0]
    made = []
    for take in takes:
        data = take.to_bytes(with_guitar=config.with_guitar)
        explanations = take.explain() if config.explain else ()
        made.append(
            pb.DrumTake(
                midi=data,
                sha256=hashlib.sha256(data).digest(),
                seed=take.options.seed,
                score=take.score,
                stats=pb.DrumStats(hits=len(take.part)),
                explanations=[
                    pb.Explanation(
                        first_bar=first,
                        last_bar=last,
                        text=text,
                        pieces=[pb.ExplanationPiece(what=what, values=values) for what, values in pieces],
                    )
                    for first, last, text, pieces in explanations
                ],
                grooves=[pb.SectionGroove(**groove._asdict()) for groove in take.grooves],
                swaps=[pb.PieceSwap(**swap._asdict()) for swap in take.swaps],
                plan=map(convert.planned_section, take.plan),
            )
        )
    return pb.GenerateDrumsResponse(
        takes=made,
        timeline=timeline_of(best.song),
        guitar=pb.GuitarChoice(tracks=[index + 1 for index in best.guitar.parts], reason=best.guitar.reason),
        model=pb.ModelInfo(id="default"),
        request_id="a-name",
        effective_config=config,
    )


def bar_events(bar: DrumBar, response: pb.GenerateDrumsResponse) -> pb.BarEvents:
    quarter = response.timeline.ticks_per_quarter
    hits = [
        pb.DrumHit(
            tick=note.onset,
            quarter=note.onset / quarter,
            length_ticks=note.duration,
            note=note.pitch,
            velocity=note.velocity,
        )
        for note in bar.part
    ]
    plan = map(convert.planned_section, bar.plan)
    return pb.BarEvents(bar=bar.bar.index + 1, hits=hits, seed=response.takes[0].seed, plan=plan)


class Scripted(Servicer):
    """Does with each call for drums what the test says: `do(attempt, context)`, the first attempt being 1.

    What `do` returns is the reply: of the one call a response, of the other its pieces. cancelled: is set when a call
    was ended by its client.
    """

    def __init__(self, do: Callable[[int, Any], Any]) -> None:
        self.do, self.attempts, self.cancelled = do, 0, threading.Event()

    def GenerateDrums(self, request: pb.GenerateDrumsRequest, context: Any) -> Any:
        return self._next(context)

    def StreamGenerateDrums(self, pieces: Iterator[pb.StreamGenerateDrumsRequest], context: Any) -> Any:
        for _ in pieces:
            pass
        yield from self._next(context) or ()

    def GetServerInfo(self, request: pb.GetServerInfoRequest, context: Any) -> Any:
        return self._next(context)

    def _next(self, context: Any) -> Any:
        self.attempts += 1
        context.add_callback(lambda: context.is_active() or self.cancelled.set())
        return self.do(self.attempts, context)


def stall(context: Any, seconds: float = 30.0) -> NoReturn:
    """Do nothing until the client has gone."""
    until = time.monotonic() + seconds
    while context.is_active() and time.monotonic() < until:
        time.sleep(0.01)
    context.abort(grpc.StatusCode.CANCELLED, "there is nobody left to answer")
    raise AssertionError("abort does not return")


@contextmanager
def serving(
    servicer: AccompanimentServiceServicer,
    *,
    ready: bool = True,
    credentials: grpc.ServerCredentials | None = None,
    port: int = 0,
    most_bytes: int = 4 << 20,
) -> Iterator[str]:
    """A server on a free port of this machine; gives its address."""
    options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", most_bytes)]
    with ThreadPoolExecutor(max_workers=8) as pool:
        server = grpc.server(pool, options=options)
        add_AccompanimentServiceServicer_to_server(servicer, server)
        states = health.HealthServicer()
        states.set("", health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(states, server)
        where = f"127.0.0.1:{port}"
        port = server.add_secure_port(where, credentials) if credentials else server.add_insecure_port(where)
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(grace=None).wait()


@contextmanager
def real_server(folder: Path, *flags: str, **environment: str) -> Iterator[str]:
    """`python -m server` on a free port, once it is ready; gives its address."""
    state, log = folder / "server.json", folder / "server.log"
    command = [sys.executable, "-m", "server", "--port", "0", "--engines", "1", "--state-file", str(state), *flags]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env={**os.environ, **environment})
    try:
        until = time.monotonic() + 60
        while not state.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        where: str = json.loads(state.read_text())["address"]
        with RemoteDrummer(where) as remote:
            remote.wait_until_ready(60)
        yield where
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()
            process.wait()
