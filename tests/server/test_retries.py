"""A call that failed without being done is tried again by gRPC itself: the server must let it, and tell when."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from client import RemoteDrummer
from client.connection import SERVICE_CONFIG
from seq2drum import Drummer, Options
from seq2drum.formats.midi import midi
from server.statuses import Refusal, reason_of
from tests.players import strummed
from tests.servers import Process, Served, drums, process, refused, served, until

RETRYING = [("grpc.service_config", json.dumps(SERVICE_CONFIG)), ("grpc.enable_retries", 1)]
DIED = Refusal("WORKER_DIED", "the player died", retry_seconds=0.05)


async def failing(server: Served, failures: int, refusal: Refusal) -> Any:
    """A call whose first attempts fail in the drummers; returns its reply."""
    play, attempts = server.players.play, 0

    async def fail_first(request: bytes, *, bars: bool, caller: str = "") -> Any:
        nonlocal attempts
        attempts += 1
        if attempts <= failures:
            raise refusal
        async for frame in play(request, bars=bars):
            yield frame

    server.players.play = fail_first  # type: ignore[method-assign]
    return await server.generate(timeout=10)


def test_a_call_in_one_message_that_fails_sends_nothing_before_its_trailers() -> None:
    async def body() -> None:
        async with served() as server:
            server.parsers.error = DIED
            call = server.generate()
            assert reason_of(await refused(call)) == "WORKER_DIED"
            assert not list(await call.initial_metadata() or ())
            assert len(dict(await call.trailing_metadata())["x-request-id"]) == 32

    asyncio.run(body())


def test_the_second_attempt_of_a_call_whose_player_died_succeeds_and_the_server_knows_it_for_the_second() -> None:
    async def body() -> None:
        async with served(options=RETRYING) as server:
            reply = await failing(server, 1, DIED)
            assert [take.midi for take in reply.takes] == [drums(0, server.players.size)]
            await until(server.over)
            assert server.metrics.value("calls_started_total", method="GenerateDrums") == 2
            assert server.metrics.value("attempts_total", number="2") == 1
            assert server.metrics.value("attempts_total", number="3") == 0

    asyncio.run(body())


def test_the_server_says_when_the_next_attempt_is_to_come_but_not_where_another_server_would_do() -> None:
    async def body() -> None:
        async with served() as server:
            for reason, sent in (("WORKER_DIED", "1500"), ("NOT_READY", "1500"), ("SHUTTING_DOWN", None)):
                server.players.error = Refusal(reason, "no", retry_seconds=1.5)
                call = server.generate()
                await refused(call)
                assert dict(await call.trailing_metadata()).get("grpc-retry-pushback-ms") == sent

    asyncio.run(body())


def test_a_call_that_kills_three_workers_is_not_tried_a_fourth_time() -> None:
    async def body() -> None:
        async with served(options=RETRYING) as server:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await failing(server, 9, DIED)
            assert error.value.code() == grpc.StatusCode.UNAVAILABLE
            await until(server.over)
            assert server.metrics.value("calls_started_total", method="GenerateDrums") == 3

    asyncio.run(body())


# --- the whole --------------------------------------------------------------------------------------------------------


def calls(server: Process, method: str = "GenerateDrums") -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in server.printed().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "call" and line["method"] == method]


@pytest.mark.slow
def test_the_second_attempt_of_a_call_whose_player_was_killed_succeeds(tmp_path: Path) -> None:
    song = midi.serialise(strummed(400))
    with process(tmp_path, "--port", "0", "--engines", "2", "--screens", "1", "--log-format", "json") as server:
        address = f"127.0.0.1:{server.port()}"
        server.wait("ready in")
        with ThreadPoolExecutor(2) as threads, RemoteDrummer(address) as drummer:
            takes = [threads.submit(drummer.accompany, song, Options(seed=5)) for _ in range(2)]
            doomed = server.players()[0]
            before = doomed.cpu_times().user
            while doomed.cpu_times().user < before + 0.2:  # each player has one of the two
                time.sleep(0.01)
            doomed.kill()
            made = [take.result() for take in takes]
        expected = Drummer.load().accompany(song, Options(seed=5)).to_bytes()
        assert [take.midi for take in made] == [expected] * 2
        told = sorted((line.get("attempt", 1), line["status"], line.get("reason", "")) for line in calls(server))
        assert told == [(1, "OK", ""), (1, "UNAVAILABLE", "WORKER_DIED"), (2, "OK", "")]


@pytest.mark.slow
def test_a_stream_whose_player_is_killed_goes_on_where_it_ceased(tmp_path: Path) -> None:
    song = midi.serialise(strummed(400))
    with process(tmp_path, "--port", "0", "--engines", "1", "--screens", "1", "--log-format", "json") as server:
        address = f"127.0.0.1:{server.port()}"
        server.wait("ready in")
        numbers = []
        with RemoteDrummer(address) as drummer, drummer.stream(song, Options(seed=5)) as stream:
            for bar in stream:
                numbers.append(bar.number)
                if len(numbers) == 20:
                    server.players()[0].kill()
            (take,) = stream.rest()
        assert numbers == list(range(1, 401))
        assert take.midi == Drummer.load().accompany(song, Options(seed=5)).to_bytes()
        told = sorted((line["status"], line.get("reason", "")) for line in calls(server, "StreamGenerateDrums"))
        assert told[0] == ("OK", "") and ("UNAVAILABLE", "WORKER_DIED") in told
