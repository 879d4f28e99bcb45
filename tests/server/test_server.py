"""The process that answers calls, with parsers and players that the tests control."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from seq2drum.errors import NoGuitarError
from seq2drum.music.limits import Limits
from seq2drum.rpc import accompaniment_pb2 as pb
from server import logs
from server.requests import server_info
from server.service import NAME
from server.settings import Settings
from server.statuses import REASONS, Refusal, StatusError, reason_of, retry_of, to_status
from tests.servers import (
    BARS,
    END,
    MIDI,
    Served,
    detail,
    drums,
    field,
    message,
    opening,
    refused,
    refused_stream,
    served,
    settings,
    until,
)

UNARY, STREAM = "GenerateDrums", "StreamGenerateDrums"
BOTH = pytest.mark.parametrize("method", [UNARY, STREAM])
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING

Body = Callable[[Served], Coroutine[Any, Any, None]]


def against(body: Body, chosen: Settings | None = None) -> None:
    """Run a test's body against a server of its own."""

    async def run() -> None:
        async with served(chosen) as server:
            await body(server)
            await until(server.over)
            assert server.begun() == server.finished()

    asyncio.run(run())


def lines(log: io.StringIO, event: str) -> list[dict[str, Any]]:
    """The lines of the log about an event."""
    return [line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == event]


async def pieces(call: Any) -> list[Any]:
    """What a stream sends, or the rest of it."""
    pieces: list[Any] = []
    while (piece := await call.read()) is not END:
        pieces.append(piece)
    return pieces


def ask(server: Served, method: str, **outside: Any) -> Any:
    """A good call, by either method."""
    if method == UNARY:
        return server.generate(**outside)
    return server.stream(**outside)


# --- a call and its reply ---------------------------------------------------------------------------------------------


def test_a_reply_has_the_drums_the_id_and_the_timing() -> None:
    async def body(server: Served) -> None:
        reply = await server.generate(request_id="my-call_1.0")
        assert [take.midi for take in reply.takes] == [drums(0, server.players.size)]
        assert reply.request_id == "my-call_1.0"
        assert reply.timing.first_bar_ms == 1 and reply.timing.generate_ms == 2 and reply.timing.batch_size == 1
        assert reply.timing.total_ms >= reply.timing.parse_ms > 0 and reply.timing.queue_ms >= 0

    against(body)


def test_players_get_the_song_that_readers_made_of_a_file_of_another_kind() -> None:
    async def body(server: Served) -> None:
        server.parsers.song = b"MThd made of a score"
        await server.generate()
        assert server.parsers.asked[0].midi == MIDI
        assert server.players.asked[0].midi == b"MThd made of a score"

    against(body)


def test_a_stream_gives_the_same_bytes_as_a_unary_call() -> None:
    async def body(server: Served) -> None:
        config = pb.GenerationConfig(takes=3, seed=7, style="rock")
        reply = await server.generate(config=config, request_id="one")
        sent = await pieces(server.stream(opening(config=config, request_id="one"), MIDI[:3], MIDI[3:9], MIDI[9:]))
        files = [b""] * 3
        for piece in sent:
            if piece.WhichOneof("piece") == "file_chunk":
                files[piece.file_chunk.take] += piece.file_chunk.data
        assert files == [take.midi for take in reply.takes]
        summary = sent[-1].summary
        for take in reply.takes:
            take.ClearField("midi")
        for each in (reply, summary):
            each.ClearField("timing")
        assert summary == reply
        assert server.players.asked[0] == server.players.asked[1] == server.parsers.asked[0]
        assert server.players.asked[0].config == config and server.players.asked[0].midi == MIDI

    against(body)


def test_a_stream_sends_its_messages_in_order_and_no_chunk_is_too_large() -> None:
    async def body(server: Served) -> None:
        sent = await pieces(server.stream(opening(send_bar_events=True, config=pb.GenerationConfig(takes=2)), MIDI))
        kinds = [piece.WhichOneof("piece") for piece in sent]
        chunks = ["file_chunk"] * 6  # 150,000 bytes are three chunks of a take
        assert kinds == ["accepted", *["bar_events"] * BARS, "progress", *chunks, "summary"]
        assert [piece.file_chunk.take for piece in sent if piece.HasField("file_chunk")] == [0, 0, 0, 1, 1, 1]
        assert max(len(piece.file_chunk.data) for piece in sent) == 64 << 10
        assert sent[0].accepted.queue_position == 0 and sent[0].accepted.timeline.bars == BARS

    against(body)


def test_bars_come_only_if_they_were_asked_for() -> None:
    async def body(server: Served) -> None:
        kinds = [piece.WhichOneof("piece") for piece in await pieces(server.stream())]
        assert "bar_events" not in kinds and kinds[0] == "accepted" and kinds[-1] == "summary"

    against(body)


@BOTH
def test_a_call_without_an_id_is_given_one_that_both_sides_have(method: str, log: io.StringIO) -> None:
    async def body(server: Served) -> None:
        call = ask(server, method)
        header = dict(await call.initial_metadata())["x-request-id"]
        reply = await call if method == UNARY else (await pieces(call))[-1].summary
        assert reply.request_id == header and len(header) == 32
        await until(server.over)
        assert [line["request_id"] for line in lines(log, "call")] == [header]

    against(body)


@BOTH
@pytest.mark.parametrize("name", ["a b", "é", "a" * 65, "../x", "a\n"])
def test_a_malformed_id_is_refused(name: str, method: str) -> None:
    async def body(server: Served) -> None:
        if method == UNARY:
            status = await refused(server.generate(request_id=name))
        else:
            status = await refused_stream(server, [opening(request_id=name), MIDI])
        assert reason_of(status) == "INVALID_REQUEST_ID" and field(status) == "request_id"
        assert not server.parsers.asked

    against(body)


def test_a_file_is_looked_at_without_being_played() -> None:
    async def body(server: Served) -> None:
        analysis = await server.stub.AnalyzeGuitar(pb.AnalyzeGuitarRequest(midi=MIDI, track="lead", request_id="look"))
        assert analysis.timeline.bars == BARS and analysis.request_id == "look" and analysis.estimated_ms == 10
        assert server.parsers.asked[0].config.track == "lead"
        assert not server.players.asked

    against(body)


def test_an_analysis_names_the_field_of_its_own_message() -> None:
    async def body(server: Served) -> None:
        for wanted, field_ in (("config.track", "track"), ("midi", "midi")):
            server.parsers.error = StatusError(to_status(Refusal("INVALID_OPTION", "no such part", field=wanted)))
            status = await refused(server.stub.AnalyzeGuitar(pb.AnalyzeGuitarRequest(midi=MIDI, track="lead")))
            assert (reason_of(status), field(status)) == ("INVALID_OPTION", field_)
            assert field(await refused(server.generate())) == wanted
        server.parsers.error = StatusError(to_status(NoGuitarError("no guitar")))
        status = await refused(server.stub.AnalyzeGuitar(pb.AnalyzeGuitarRequest(midi=MIDI)))
        assert reason_of(status) == "NO_GUITAR" and detail(status, error_details_pb2.BadRequest) is None

    against(body)


def test_models_maps_and_grooves_are_those_that_the_players_sent() -> None:
    async def body(server: Served) -> None:
        assert (await server.stub.ListModels(pb.ListModelsRequest())).default_model == "default"
        assert (await server.stub.ListDrumMaps(pb.ListDrumMapsRequest())).maps[0].id == "gm"
        assert (await server.stub.ListGrooves(pb.ListGroovesRequest())).grooves[0].name == "one-drop"

    against(body)


def test_generators_are_listed_apart_from_models() -> None:
    async def body(server: Served) -> None:
        listed = await server.stub.ListGenerators(pb.ListGeneratorsRequest())
        assert [info.id for info in listed.generators] == ["step"] and listed.default_generator == "step"
        assert [info.id for info in (await server.stub.ListModels(pb.ListModelsRequest())).models] == ["default"]

    against(body)


def test_beats_come_with_the_id_of_the_call_and_its_timing_and_are_counted() -> None:
    async def body(server: Served) -> None:
        asked = pb.ComposeRequest(brief=pb.Brief(bars=4, takes=2, bpm=96), request_id="mine")
        reply = await server.stub.Compose(asked)
        assert [beat.midi for beat in reply.beats] == [b"MThd" + drums(take, 100) for take in (0, 1)]
        assert server.parsers.briefs == server.players.briefs == [asked.brief]
        assert reply.request_id == "mine" and not reply.HasField("accompaniment")
        assert reply.timing.total_ms >= reply.timing.parse_ms > 0 and reply.timing.generate_ms == 2
        assert (server.metrics.value("takes_total"), server.metrics.value("bars_total")) == (2, 8)
        assert server.metrics.value("played_total") == 1 and not server.players.asked

    against(body)


def test_a_beat_is_the_groove_of_the_whole_song_of_the_guitar_that_came_with_it() -> None:
    async def body(server: Served) -> None:
        verse = pb.GrooveChoice(section="verse", name="one drop")
        config = pb.GenerationConfig(style="rock", groove=[verse])
        server.parsers.song = b"MThd made of a score"
        reply = await server.stub.Compose(pb.ComposeRequest(midi=b"a score", config=config))
        played = server.players.asked[0]
        assert played.midi == b"MThd made of a score" and played.config.style == "rock"
        assert list(played.config.groove) == [verse, pb.GrooveChoice(midi=reply.beats[0].midi)]
        assert [take.midi for take in reply.accompaniment.takes] == [drums(0, server.players.size)]

    against(body)


@pytest.mark.parametrize(
    ("given", "reason", "at"),
    [
        ({"midi": bytes(1001)}, "MIDI_TOO_LARGE", "midi"),
        ({"midi": MIDI, "brief": pb.Brief(takes=2)}, "INVALID_OPTION", "brief.takes"),
        (
            {"midi": MIDI, "config": pb.GenerationConfig(groove=[pb.GrooveChoice(name="one drop")])},
            "INVALID_OPTION",
            "config.groove",
        ),
        ({"midi": MIDI, "config": pb.GenerationConfig(like=bytes(1001))}, "MIDI_TOO_LARGE", "config.like"),
        ({"request_id": "a b"}, "INVALID_REQUEST_ID", "request_id"),
    ],
)
def test_a_beat_that_cannot_be_played_to_its_guitar_is_refused_before_it_is_made(
    given: dict[str, Any], reason: str, at: str
) -> None:
    async def body(server: Served) -> None:
        status = await refused(server.stub.Compose(pb.ComposeRequest(**given)))
        assert (reason_of(status), field(status)) == (reason, at)
        assert not server.parsers.asked and not server.players.briefs

    against(body, settings(limits=Limits(file_bytes=1000)))


def test_a_beat_waits_for_its_turn_as_a_song_does_and_leaves_when_it_is_cancelled() -> None:
    async def body(server: Served) -> None:
        server.players.go.clear()
        song = server.generate()
        await until(lambda: server.players.inside == 1)
        waiting = server.stub.Compose(pb.ComposeRequest())
        await until(lambda: server.front.admission.waiting == 1)
        status = await refused(server.stub.Compose(pb.ComposeRequest()))
        assert reason_of(status) == "QUEUE_FULL" and retry_of(status)
        waiting.cancel()
        await until(lambda: not server.front.admission.waiting)
        song.cancel()
        await until(lambda: not server.front.admission.inside)
        making = server.stub.Compose(pb.ComposeRequest())
        await until(lambda: server.players.briefs and server.players.inside)
        making.cancel()
        await until(lambda: server.players.left == 2 and not server.front.admission.inside)
        assert len(server.players.briefs) == 1

    against(body)


def more(bars: int, **given: Any) -> pb.StreamComposeRequest:
    return pb.StreamComposeRequest(bars=bars, **given)


def test_a_beat_without_an_end_gets_its_bars_message_by_message_and_ends_when_the_caller_does() -> None:
    async def body(server: Served) -> None:
        call = server.stub.StreamCompose()
        for first, count in ((1, 2), (3, 3)):
            await call.write(more(count, request_id="mine" if first == 1 else ""))
            assert [(await call.read()).bar for _ in range(count)] == list(range(first, first + count))
            await until(lambda: not server.front.admission.playing)  # who waits for the caller has no turn
        assert dict(await call.initial_metadata())["x-request-id"] == "mine" and server.players.beats == 1
        await call.done_writing()
        assert await call.read() is END
        await until(server.over)
        assert server.metrics.value("bars_total") == 5

    against(body)


@pytest.mark.parametrize(
    ("sent", "reason", "at"),
    [
        ([], "WRONG_MESSAGE_ORDER", None),
        ([more(0)], "INVALID_OPTION", "bars"),
        ([more(1025)], "INVALID_OPTION", "bars"),
        ([more(1024), more(1)], "INVALID_OPTION", "bars"),
        ([more(1, request_id="a b")], "INVALID_REQUEST_ID", "request_id"),
    ],
)
def test_a_beat_without_an_end_has_its_bounds(sent: list[Any], reason: str, at: str | None) -> None:
    async def body(server: Served) -> None:
        status = await refused_stream(server, sent, "StreamCompose")
        assert reason_of(status) == reason and (at is None or field(status) == at)

    against(body)


def test_who_asks_for_no_more_bars_is_sent_away_and_who_leaves_is_forgotten() -> None:
    async def body(server: Served) -> None:
        call = server.stub.StreamCompose()
        await call.write(more(1))
        await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call.read()
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED and "for 0.5 s" in str(error.value.details())
        await until(server.over)
        server.players.go.clear()
        call = server.stub.StreamCompose()
        await call.write(more(1))
        await until(lambda: server.front.admission.playing)
        call.cancel()
        await until(server.over)

    against(body, settings(idle_seconds=0.5))


def test_what_is_accepted_is_what_was_set() -> None:
    chosen = settings(waiting=7, max_takes=3, limits=Limits(tracks=5, fastest=250.5))

    async def body(server: Served) -> None:
        info = await server.stub.GetServerInfo(pb.GetServerInfoRequest())
        assert info.limits.max_waiting == 7 and info.limits.max_takes == 3 and info.limits.max_tracks == 5
        assert info.limits.max_bpm == 250.5 and info.limits.max_midi_bytes == 1 << 20
        assert list(info.api_versions) == ["v1"] and info.auth == pb.AUTH_MODE_NONE
        assert info == server_info(chosen)

    against(body, chosen)


def test_every_limit_of_the_contract_has_a_value() -> None:
    limits = server_info(settings()).limits
    assert [item.name for item in pb.Limits.DESCRIPTOR.fields if not getattr(limits, item.name)] == []


# --- what is sent amiss -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "reason", "at"),
    [
        ([], "WRONG_MESSAGE_ORDER", None),
        ([MIDI], "WRONG_MESSAGE_ORDER", None),
        ([opening(), MIDI, opening()], "WRONG_MESSAGE_ORDER", None),
        ([opening(), opening()], "WRONG_MESSAGE_ORDER", None),
        ([opening(), pb.StreamGenerateDrumsRequest()], "WRONG_MESSAGE_ORDER", None),
        ([pb.StreamGenerateDrumsRequest()], "WRONG_MESSAGE_ORDER", None),
        ([opening()], "MIDI_MISSING", "midi"),
        ([opening(), b""], "MIDI_MISSING", "midi"),
        ([opening(), bytes(65)], "CHUNK_TOO_LARGE", "midi_chunk"),
    ],
)
def test_a_stream_in_the_wrong_form_is_refused(sent: list[Any], reason: str, at: str | None) -> None:
    async def body(server: Served) -> None:
        status = await refused_stream(server, sent)
        assert reason_of(status) == reason
        assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
        assert at is None or field(status) == at
        assert not server.parsers.asked

    against(body, settings(max_chunk_bytes=64))


def test_grooves_that_fit_a_song_are_asked_of_a_player_once_the_song_was_read() -> None:
    async def body(server: Served) -> None:
        asked = pb.ListGroovesRequest(midi=MIDI, config=pb.GenerationConfig(style="rock"), request_id="mine")
        listed = await server.stub.ListGrooves(asked)
        assert [(groove.name, groove.expected_f1) for groove in listed.grooves] == [("half-time", 0.5)]
        assert [each.config.style for each in server.players.asked] == ["rock"]
        assert len(server.parsers.asked) == 1
        server.parsers.error = Refusal("NO_GUITAR", "no guitar")
        status = await refused(server.stub.ListGrooves(asked))
        assert reason_of(status) == "NO_GUITAR" and len(server.players.asked) == 1
        status = await refused(server.stub.ListGrooves(pb.ListGroovesRequest(midi=bytes(1001))))
        assert reason_of(status) == "MIDI_TOO_LARGE" and field(status) == "midi"

    against(body, settings(limits=Limits(file_bytes=1000)))


def test_the_largest_chunk_is_taken() -> None:
    async def body(server: Served) -> None:
        assert (await pieces(server.stream(opening(), bytes(64))))[-1].summary.takes

    against(body, settings(max_chunk_bytes=64))


@BOTH
def test_the_largest_file_is_taken_and_one_byte_more_is_refused_with_both_numbers(method: str) -> None:
    async def body(server: Served) -> None:
        for size in (1000, 1001):
            file = bytes(size)
            stream = [opening(), file[:600], file[600:]]
            if size == 1000:
                await (server.generate(midi=file) if method == UNARY else pieces(server.stream(*stream)))
            else:
                unary = method == UNARY
                status = await (refused(server.generate(midi=file)) if unary else refused_stream(server, stream))
                assert reason_of(status) == "MIDI_TOO_LARGE" and field(status) == "midi"
                assert "1,001" in status.message and "1,000" in status.message
        assert len(server.parsers.asked) == 1

    against(body, settings(limits=Limits(file_bytes=1000)))


@BOTH
@pytest.mark.parametrize("name", ["groove", "like"])
def test_a_file_of_a_configuration_that_is_too_large_is_refused_before_anything_is_read(method: str, name: str) -> None:
    async def body(server: Served) -> None:
        for size in (1000, 1001):
            large = bytes(size)
            given: dict[str, Any] = {name: large if name == "like" else [pb.GrooveChoice(midi=large)]}
            config = pb.GenerationConfig(**given)
            stream = [opening(config=config), b"MThd"]
            unary = method == UNARY
            if size == 1000:
                await (server.generate(config=config) if unary else pieces(server.stream(*stream)))
            else:
                status = await (refused(server.generate(config=config)) if unary else refused_stream(server, stream))
                assert reason_of(status) == "MIDI_TOO_LARGE" and field(status) == f"config.{name}"
                assert "1,001" in status.message and "1,000" in status.message
        assert len(server.parsers.asked) == 1

    against(body, settings(limits=Limits(file_bytes=1000)))


def test_files_of_other_kinds_in_a_configuration_are_made_into_midi_by_those_who_read() -> None:
    async def body(server: Served) -> None:
        config = pb.GenerationConfig(like=b"a tab", groove=[pb.GrooveChoice(midi=b"MThd", section="A")])
        config.groove.add(section="B", midi=b"a score")
        config.groove.add(section="C", name="one drop")
        await server.generate(config=config)
        for asked in (server.parsers.asked[0], server.players.asked[0]):
            assert asked.config.like == b"MThd of a tab"
            assert [groove.midi for groove in asked.config.groove] == [b"MThd", b"MThd of a score", b""]
            assert asked.config.groove[2].name == "one drop"
        await server.stub.ListGrooves(pb.ListGroovesRequest(midi=MIDI, config=config))
        assert server.players.asked[1].config.like == b"MThd of a tab"
        server.parsers.error = StatusError(to_status(Refusal("INVALID_MIDI", "no music", field="midi")))
        for name in ("like", "groove"):
            given: dict[str, Any] = {name: b"x" if name == "like" else [pb.GrooveChoice(midi=b"x")]}
            one = pb.GenerationConfig(**given)
            status = await refused(server.generate(config=one))
            assert (reason_of(status), field(status)) == ("INVALID_MIDI", f"config.{name}")

    against(body)


WAV = b"RIFF\0\0\0\0WAVEfmt "
SMALL = {"limits": Limits(file_bytes=1000), "max_recording_bytes": 3000}


def test_a_recording_may_be_larger_and_has_a_limit_of_its_own() -> None:
    async def body(server: Served) -> None:
        recording = WAV + bytes(3000 - len(WAV))
        chunks = [recording[at : at + 500] for at in range(0, 3000, 500)]
        assert (await pieces(server.stream(opening(), *chunks)))[-1].summary.takes
        assert (server.parsers.recordings, len(server.parsers.asked[0].midi)) == (1, 3000)
        await server.generate(midi=WAV)
        await server.generate()
        assert (server.parsers.recordings, len(server.parsers.asked)) == (2, 3)
        status = await refused_stream(server, [opening(), *chunks, b"x"])
        assert reason_of(status) == "MIDI_TOO_LARGE" and field(status) == "midi"
        assert "3,001" in status.message and "3,000" in status.message
        status = await refused_stream(server, [opening(), b"MThd", *chunks])  # whose first bytes are no recording's
        assert reason_of(status) == "MIDI_TOO_LARGE" and "at most 1,000" in status.message
        assert len(server.parsers.asked) == 3

    against(body, settings(**SMALL))


def test_one_large_recording_arrives_and_one_is_read_at_a_time() -> None:
    async def body(server: Served) -> None:
        large = [opening(), WAV, bytes(2000)]
        arriving = server.stub.StreamGenerateDrums(hanging(*map(message, large)))
        await until(lambda: server.front.service.large_uploads.inside)
        status = await refused_stream(server, large)
        assert reason_of(status) == "QUEUE_FULL" and retry_of(status) and "recordings are arriving" in status.message
        await server.generate()
        arriving.cancel()
        await until(server.over)
        server.parsers.go.clear()
        first = asyncio.create_task(pieces(server.stream(*large)))
        await until(lambda: server.parsers.inside)
        status = await refused_stream(server, [opening(), WAV])
        assert reason_of(status) == "QUEUE_FULL" and "recordings are being read" in status.message
        server.parsers.go.set()
        assert (await first)[-1].summary.takes
        assert (await pieces(server.stream(*large)))[-1].summary.takes

    against(body, settings(playing=2, **SMALL))


def test_a_stream_is_cut_off_at_the_byte_that_is_too_much(log: io.StringIO) -> None:
    async def body(server: Served) -> None:
        status = await refused_stream(server, itertools.chain([opening()], itertools.repeat(bytes(300))))
        assert reason_of(status) == "MIDI_TOO_LARGE" and "so far 1,200 bytes" in status.message
        await until(server.over)
        assert lines(log, "call")[0]["bytes_in"] < 1300  # four chunks, and no more

    against(body, settings(limits=Limits(file_bytes=1000)))


def test_bytes_that_are_no_message_are_refused_with_a_reason() -> None:
    async def body(server: Served) -> None:
        for method in (UNARY, "AnalyzeGuitar", "ListModels"):
            raw = server.channel.unary_unary(f"/{NAME}/{method}")
            status = await refused(raw(b"\xff\xff\xff"))
            assert (
                status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0] and method.removesuffix("s") in status.message
            )
        raw = server.channel.unary_stream(f"/{NAME}/{STREAM}")
        assert reason_of(await refused(raw(b"\xff"))) == "INVALID_INPUT"

    against(body)


def test_a_unary_call_without_a_message_is_refused() -> None:
    async def body(server: Served) -> None:
        raw = server.channel.stream_unary(f"/{NAME}/{UNARY}")
        assert reason_of(await refused(raw(iter(())))) == "WRONG_MESSAGE_ORDER"

    against(body)


@BOTH
def test_a_call_without_a_file_is_refused(method: str) -> None:
    async def body(server: Served) -> None:
        status = await refused(server.generate(midi=b"") if method == UNARY else server.stream(opening()))
        assert reason_of(status) == "MIDI_MISSING" and field(status) == "midi"

    against(body)


async def hanging(*sent: Any) -> AsyncIterator[Any]:
    """A stream that sends something, and then nothing more."""
    for piece in sent:
        yield pb.StreamGenerateDrumsRequest(config=piece) if isinstance(piece, pb.StreamConfig) else piece
    await asyncio.Event().wait()


@pytest.mark.parametrize("sent", [(), (opening(),)])
def test_a_client_that_stops_sending_is_refused(sent: tuple[Any, ...]) -> None:
    async def body(server: Served) -> None:
        status = await refused(server.stub.StreamGenerateDrums(hanging(*sent)))
        assert reason_of(status) == "UPLOAD_STALLED"
        assert not server.parsers.asked

    against(body, settings(idle_seconds=0.05, first_seconds=0.05))


def test_a_client_that_sends_too_slowly_is_refused_however_short_its_pauses() -> None:
    async def body(server: Served) -> None:
        def dripping() -> Iterator[Any]:
            yield opening()
            while True:
                yield b"x"
                time.sleep(0.005)

        status = await refused_stream(server, dripping(), timeout=30)
        assert reason_of(status) == "UPLOAD_STALLED"

    against(body, settings(idle_seconds=10, default_deadline_seconds=0.2))


def test_no_more_files_arrive_at_once_than_there_is_room_for() -> None:
    async def body(server: Served) -> None:
        slow = server.stub.StreamGenerateDrums(hanging(opening()))
        await until(lambda: server.front.service.uploads.inside)
        for status in (await refused(server.generate()), await refused_stream(server, [opening(), MIDI])):
            assert reason_of(status) == "QUEUE_FULL" and retry_of(status)
        slow.cancel()
        await until(server.over)
        await server.generate()

    against(body, settings(uploads=1))


@pytest.mark.slow
def test_a_client_that_does_not_take_its_drums_gives_its_turn_back() -> None:
    async def body(server: Served) -> None:
        hit = pb.DrumHit(tick=1 << 60, quarter=1.0, length_ticks=1 << 30, note=100, velocity=100)
        server.players.bar_hits = [hit] * 50_000  # far more than is sent before it is read
        call = server.stream(opening(send_bar_events=True), MIDI)
        await until(lambda: server.players.inside)
        await until(server.over)
        assert server.players.left == 1
        assert server.metrics.value("calls_total", method=STREAM, status="DEADLINE_EXCEEDED", reason="UPLOAD_STALLED")
        call.cancel()
        await server.generate()

    against(body, settings(idle_seconds=2))


# --- the queue --------------------------------------------------------------------------------------------------------


@BOTH
def test_a_full_queue_refuses_at_once_with_a_time_to_retry(method: str) -> None:
    async def body(server: Served) -> None:
        server.players.go.clear()
        inside = [ask(server, UNARY), ask(server, UNARY)]
        await until(lambda: server.players.inside == 1 and server.front.admission.waiting == 1)
        status = await refused(ask(server, method))
        assert status.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        assert reason_of(status) == "QUEUE_FULL" and (retry_of(status) or 0) > 0
        assert len(server.parsers.asked) == 2  # not even looked at
        server.players.go.set()
        await asyncio.gather(*inside)
        assert server.metrics.value("rejected_total", reason="QUEUE_FULL") == 1

    against(body)


def test_a_bad_file_is_refused_at_once_even_if_others_wait() -> None:
    async def body(server: Served) -> None:
        server.players.go.clear()
        playing = ask(server, UNARY)
        await until(lambda: server.players.inside)
        server.parsers.error = StatusError(to_status(NoGuitarError("no guitar")))
        assert reason_of(await refused(ask(server, STREAM))) == "NO_GUITAR"
        server.players.go.set()
        await playing

    against(body)


def test_a_stream_gets_its_place_in_the_queue() -> None:
    async def body(server: Served) -> None:
        server.players.go.clear()
        calls = []
        for position in range(3):
            calls.append(server.stream())
            assert (await calls[-1].read()).accepted.queue_position == position
            await until(lambda: server.front.admission.playing + server.front.admission.waiting == len(calls))
        server.players.go.set()
        for call in calls:
            await pieces(call)

    against(body, settings(waiting=2))


@BOTH
def test_a_call_that_waits_too_long_is_refused_with_a_time_to_retry(method: str) -> None:
    async def body(server: Served) -> None:
        server.players.go.clear()
        playing = ask(server, UNARY)
        await until(lambda: server.players.inside)
        status = await refused(ask(server, method))
        assert status.code == grpc.StatusCode.UNAVAILABLE.value[0]
        assert reason_of(status) == "QUEUE_TIMEOUT" and retry_of(status)
        server.players.go.set()
        await playing
        assert len(server.players.asked) == 1

    against(body, settings(queue_seconds=0.05))


@BOTH
def test_a_call_whose_deadline_passes_in_the_queue_never_reaches_the_player(method: str) -> None:
    async def body(server: Served) -> None:
        server.players.go.clear()
        playing = ask(server, UNARY)
        await until(lambda: server.players.inside)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            call = ask(server, method, timeout=1)
            await (call if method == UNARY else pieces(call))
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: server.front.admission.inside == 1)
        server.players.go.set()
        await playing
        assert len(server.players.asked) == 1
        assert server.metrics.value("expired_in_queue_total") == 1
        assert server.metrics.value("played_total") == 1

    against(body)


@BOTH
def test_a_deadline_that_cannot_be_met_is_refused_before_anything_is_played(method: str) -> None:
    async def body(server: Served) -> None:
        server.parsers.estimated_ms = 60_000
        status = await refused(ask(server, method, timeout=20))
        assert status.code == grpc.StatusCode.DEADLINE_EXCEEDED.value[0]
        assert reason_of(status) == "DEADLINE_TOO_SHORT" and "60.0 s" in status.message
        assert not server.players.asked

    against(body)


@pytest.mark.slow
def test_calls_with_many_takes_on_a_busy_server_do_not_make_it_take_songs_for_longer_than_they_are() -> None:
    async def body(server: Served) -> None:
        for _ in range(10):
            server.players.go.clear()
            calls = [asyncio.ensure_future(server.generate(config=pb.GenerationConfig(takes=8))) for _ in range(2)]
            await until(lambda: server.players.inside == 2)
            await asyncio.sleep(0.1)  # the wall's time, in which each waits for others
            server.players.go.set()
            await asyncio.gather(*calls)
        analysis = await server.stub.AnalyzeGuitar(pb.AnalyzeGuitarRequest(midi=MIDI))
        assert analysis.estimated_ms == pytest.approx(10, rel=0.01)

    against(body, settings(playing=2))


@BOTH
def test_a_call_without_a_deadline_has_that_of_the_server(method: str) -> None:
    async def body(server: Served) -> None:
        server.players.go.clear()
        status = await refused(ask(server, method))
        assert reason_of(status) == "DEADLINE_PASSED" and "1.0 s" in status.message
        await until(server.over)
        assert server.players.left == 1

    against(body, settings(default_deadline_seconds=1))


# --- leaving ----------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("where", ["read", "queued", "playing"])
def test_a_call_that_is_given_up_leaves_at_once_wherever_it_is(where: str, method: str) -> None:
    async def body(server: Served) -> None:
        server.players.go.clear()
        others = []
        if where == "queued":
            others.append(ask(server, UNARY))
            await until(lambda: server.players.inside)
        if where == "read":
            server.parsers.go.clear()
        call = ask(server, method)
        stage = {
            "read": lambda: server.parsers.inside,
            "queued": lambda: server.front.admission.waiting,
            "playing": lambda: server.players.inside,
        }[where]
        await until(stage)
        call.cancel()
        await until(lambda: len(server.front.guard.inside) == len(others))
        assert server.front.admission.inside == len(others)
        assert server.players.left == (where == "playing")
        server.parsers.go.set()
        server.players.go.set()
        await asyncio.gather(*others)
        await server.generate()  # the turn is free again
        assert server.metrics.value("cancelled_total") == 1

    against(body)


def test_a_stream_that_is_given_up_between_two_bars_is_left_by_the_player_before_the_next() -> None:
    async def body(server: Served) -> None:
        server.players.steps = asyncio.Semaphore(1)
        call = server.stream(opening(send_bar_events=True), MIDI)
        assert (await call.read()).accepted.timeline.bars == BARS
        assert (await call.read()).bar_events.bar == 1
        call.cancel()
        await until(server.over)
        assert server.players.left == 1 and server.players.bars == 1 and server.players.finished == 0

    against(body)


def test_an_upload_that_is_given_up_half_way_is_not_taken_for_a_whole_file(log: io.StringIO) -> None:
    async def body(server: Served) -> None:
        for _ in range(20):
            call = server.stub.StreamGenerateDrums(hanging(opening(), pb.StreamGenerateDrumsRequest(midi_chunk=MIDI)))
            await until(lambda: server.front.service.uploads.inside)
            await asyncio.sleep(0.005)
            call.cancel()
            await until(server.over)
        assert not server.parsers.asked
        assert {line["reason"] for line in lines(log, "call")} == {"CANCELLED"}

    against(body)


@BOTH
@pytest.mark.parametrize("end", ["ok", "cancel", "timeout", "error", "shutdown"])
def test_nothing_is_left_of_a_call_however_it_ends(end: str, method: str) -> None:
    async def body(server: Served) -> None:
        tasks, rounds = len(asyncio.all_tasks()), 1 if end in ("timeout", "shutdown") else 3
        for _ in range(rounds):
            if end in ("cancel", "timeout", "shutdown"):
                server.players.go.clear()
            if end == "error":
                server.players.error = ZeroDivisionError()
            call = ask(server, method, timeout=1 if end == "timeout" else 30)
            if end in ("cancel", "shutdown"):
                await until(lambda: server.players.inside)
            if end == "cancel":
                call.cancel()
            if end == "shutdown":
                await server.front.drain(0, asyncio.Event())
            try:
                await (call if method == UNARY else pieces(call))
                assert end == "ok"
            except grpc.aio.AioRpcError as error:
                expected = {"timeout": "DEADLINE_EXCEEDED", "error": "INTERNAL", "shutdown": "UNAVAILABLE"}
                assert error.code().name == expected[end]
            except asyncio.CancelledError:
                assert end == "cancel"
            await until(server.over)
            assert server.begun() == server.finished()
        assert server.players.left == (0 if end in ("ok", "error") else rounds)
        del call
        await until(lambda: len(asyncio.all_tasks()) <= tasks)

    against(body)


# --- errors -----------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("where", ["parsers", "players"])
@pytest.mark.parametrize("kind", [RuntimeError, OSError, KeyError, TimeoutError, ExceptionGroup])
def test_the_caller_gets_the_id_of_a_fault_and_the_log_its_trace(
    kind: type[Exception], where: str, method: str, log: io.StringIO
) -> None:
    async def body(server: Served) -> None:
        secret = "the guitarist's own song"
        error = ExceptionGroup(secret, [ValueError(secret)]) if kind is ExceptionGroup else kind(secret)
        getattr(server, where).error = error
        status = await refused(ask(server, method))
        assert status.code == grpc.StatusCode.INTERNAL.value[0] and reason_of(status) == "INTERNAL_ERROR"
        assert secret not in str(status)
        await until(server.over)
        (fault,) = lines(log, "fault")
        assert fault["error_id"] in status.message and fault["trace"][0] == kind.__name__
        assert any("servers.py" in place for place in fault["trace"])
        assert secret not in log.getvalue()
        getattr(server, where).error = None
        await server.generate()

    against(body)


@BOTH
def test_what_a_worker_refuses_is_handed_on_as_it_is(method: str) -> None:
    async def body(server: Served) -> None:
        for reason in REASONS:
            status = to_status(Refusal(reason, f"in the words of {reason}", field="midi", retry_seconds=1.5))
            for who in (server.parsers, server.players):
                server.parsers.error = server.players.error = None
                who.error = StatusError(status)
                assert await refused(ask(server, method)) == status
        died = Refusal("WORKER_DIED", "it died", retry_seconds=0.5)
        server.parsers.error, server.players.error = None, died
        assert await refused(ask(server, method)) == to_status(died)

    against(body)


def test_a_player_that_ends_without_a_reply_is_a_fault() -> None:
    async def body(server: Served) -> None:
        async def silent(request: bytes, *, bars: bool, caller: str) -> AsyncIterator[Any]:
            return
            yield

        server.players.play = silent  # type: ignore[method-assign,assignment]
        assert reason_of(await refused(server.generate())) == "INTERNAL_ERROR"

    against(body)


# --- health, and the end ----------------------------------------------------------------------------------------------


def watch(server: Served, service: str = "") -> Any:
    stub: Any = health_pb2_grpc.HealthStub(server.channel)
    return stub.Watch(health_pb2.HealthCheckRequest(service=service))


@pytest.mark.parametrize("service", ["", NAME])
def test_health_follows_the_workers_and_watchers_get_each_change(service: str) -> None:
    async def body(server: Served) -> None:
        health = watch(server, service)
        assert (await health.read()).status == SERVING
        server.players.ready = False
        await server.front.look()
        assert (await health.read()).status == NOT_SERVING
        server.players.ready, server.parsers.ready = True, False
        await server.front.look()
        server.parsers.ready = True
        await server.front.look()
        assert (await health.read()).status == SERVING
        await server.front.drain(1, asyncio.Event())
        assert (await health.read()).status == NOT_SERVING
        health.cancel()

    against(body)


def test_before_a_player_is_ready_calls_are_refused_with_a_time_to_retry() -> None:
    async def body(server: Served) -> None:
        server.players.ready = False
        server.players.models = server.players.maps = server.players.grooves = b""
        calls = [ask(server, UNARY), ask(server, STREAM), server.stub.ListModels(pb.ListModelsRequest())]
        calls.append(server.stub.ListDrumMaps(pb.ListDrumMapsRequest()))
        calls.append(server.stub.ListGrooves(pb.ListGroovesRequest()))
        for call in calls:
            status = await refused(call)
            assert reason_of(status) == "NOT_READY" and retry_of(status)
        await server.stub.GetServerInfo(pb.GetServerInfoRequest())

    against(body)


def test_at_the_end_running_calls_are_finished_and_new_ones_refused() -> None:
    async def body(server: Served) -> None:
        server.players.go.clear()
        calls = [ask(server, UNARY), ask(server, UNARY)]  # one plays, one waits
        await until(lambda: server.players.inside and server.front.admission.waiting)
        draining = asyncio.create_task(server.front.drain(30, asyncio.Event()))
        await asyncio.sleep(0.01)
        for status in (await refused(server.generate()), await refused_stream(server, [opening(), MIDI])):
            assert status.code == grpc.StatusCode.UNAVAILABLE.value[0]
            assert reason_of(status) == "SHUTTING_DOWN" and retry_of(status)
        server.players.go.set()
        for call in calls:
            assert (await call).takes
        await draining

    against(body)


def test_a_second_signal_ends_running_calls() -> None:
    async def body(server: Served) -> None:
        server.players.go.clear()
        calls = [ask(server, UNARY), ask(server, STREAM)]
        await until(lambda: server.players.inside and server.front.admission.waiting)
        forced = asyncio.Event()
        draining = asyncio.create_task(server.front.drain(1e6, forced))
        await asyncio.sleep(0.01)
        assert not draining.done()
        forced.set()
        for call in calls:
            assert reason_of(await refused(call)) == "SHUTTING_DOWN"
        await draining

    against(body)


# --- figures and log --------------------------------------------------------------------------------------------------


def test_a_call_is_counted_and_timed() -> None:
    async def body(server: Served) -> None:
        await server.generate(config=pb.GenerationConfig(takes=2))
        await refused(server.generate(midi=b""))
        await until(server.over)
        value = server.metrics.value
        assert value("calls_total", method=UNARY, status="OK", reason="") == 1
        assert value("calls_total", method=UNARY, status="INVALID_ARGUMENT", reason="MIDI_MISSING") == 1
        assert value("bars_total") == 2 * BARS and value("takes_total") == 2
        assert value("batch_size_count") == 1
        for stage in ("queue", "parse", "first_bar", "generate", "total"):
            assert value("stage_seconds_count", stage=stage) == 1
        server.players.go.clear()
        calls = [ask(server, UNARY), ask(server, UNARY)]
        await until(lambda: server.players.inside and server.front.admission.waiting)
        assert (value("playing"), value("waiting")) == (1, 1)
        server.players.go.set()
        await asyncio.gather(*calls)
        assert value("ready") == 1

    against(body)


def test_a_call_is_one_line_in_the_log_and_nothing_of_the_music_is_in_it(log: io.StringIO) -> None:
    async def body(server: Served) -> None:
        await server.generate(request_id="good", config=pb.GenerationConfig(track="Grandma's guitar"))
        server.parsers.error = StatusError(to_status(NoGuitarError("the parts are: Grandma's guitar")))
        await refused(server.generate(request_id="bad"))
        await until(server.over)
        good, bad = lines(log, "call")
        assert good["request_id"] == "good" and good["method"] == UNARY and good["status"] == "OK"
        assert {"time", "level", "bytes_in", "bytes_out", "queue_ms", "parse_ms", "generate_ms", "total_ms"} <= set(
            good
        )
        assert good["bars"] == BARS and good["bytes_in"] > len(MIDI) and good["bytes_out"] > server.players.size
        assert bad["status"] == "FAILED_PRECONDITION" and bad["reason"] == "NO_GUITAR"
        assert "Grandma" not in log.getvalue() and MIDI.decode() not in log.getvalue()

    against(body)


def test_a_line_of_the_log_reads_as_text_too() -> None:
    record = logging.LogRecord("server", logging.WARNING, "", 0, "call", (), None)
    record.facts = {"status": "OK", "bars": 3}
    text = logs.TextFormatter().format(record)
    assert text.endswith("warning call status=OK bars=3")
