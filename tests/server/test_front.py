"""The front: health and reflection under many callers, and the limit of connections."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.rpc import accompaniment_pb2_grpc as rpc
from server import front
from server.front import Health
from tests.servers import ROOT, Served, served, settings, until

# --- health and reflection --------------------------------------------------------------------------------------------


SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Context:
    """The side of a call that a server sees. reads: whether the caller takes what is written."""

    def __init__(self, *, reads: bool = True) -> None:
        self.told: asyncio.Queue[int] = asyncio.Queue()
        self._reads = reads

    def peer(self) -> str:
        return "ipv4:10.0.0.1:1"

    async def write(self, message: health_pb2.HealthCheckResponse) -> None:
        if not self._reads:
            await asyncio.Event().wait()
        self.told.put_nowait(message.status)

    async def abort(self, code: grpc.StatusCode, text: str) -> None:
        raise RuntimeError(f"{code.name}: {text}")


async def code_of(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    return refused.value.code()


def test_a_watcher_who_does_not_read_holds_up_no_other_and_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "WATCH_WRITE_SECONDS", 0.2)

    async def body() -> None:
        states = Health(("",))
        stalled: Any = Context(reads=False)
        reading: Any = Context()
        request = health_pb2.HealthCheckRequest()
        watching = [asyncio.create_task(states.Watch(request, context)) for context in (stalled, reading)]
        assert await reading.told.get() == NOT_SERVING
        states.set(True)
        assert await reading.told.get() == SERVING
        with pytest.raises(RuntimeError, match="DEADLINE_EXCEEDED"):
            await watching[0]
        states.end()
        assert await reading.told.get() == NOT_SERVING
        states.set(True)
        assert (await states.Check(request, reading)).status == NOT_SERVING
        watching[1].cancel()

    asyncio.run(body())


def test_watchers_beyond_their_room_are_refused_and_the_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "MOST_WATCHERS", 4)

    async def body() -> None:
        async with served(settings()) as server:
            stub: Any = health_pb2_grpc.HealthStub(server.channel)
            names = [f"stranger-{number}" for number in range(2)]
            watching = [stub.Watch(health_pb2.HealthCheckRequest(service=name)) for name in ("", *names)]
            first, *_ = [(await call.read()).status for call in watching]
            assert first == SERVING
            assert await code_of(stub.Watch(health_pb2.HealthCheckRequest())) == grpc.StatusCode.RESOURCE_EXHAUSTED
            server.players.ready = False
            await server.front.look()
            assert (await watching[0].read()).status == NOT_SERVING
            assert (await stub.Check(health_pb2.HealthCheckRequest())).status == NOT_SERVING
            for call in watching:
                call.cancel()

    asyncio.run(body())


def test_who_asks_for_the_contract_and_then_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "REFLECTION_SECONDS", 0.3)
    monkeypatch.setattr(front, "MOST_REFLECTIONS", 2)

    async def asks() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        await asyncio.Event().wait()

    async def body() -> None:
        async with served(settings()) as server:
            stub: Any = reflection_pb2_grpc.ServerReflectionStub(server.channel)
            first = stub.ServerReflectionInfo(asks())
            assert len((await first.read()).list_services_response.service) == 3
            second = stub.ServerReflectionInfo(asks())
            await second.read()
            assert await code_of(stub.ServerReflectionInfo(asks())) == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert await code_of(first) == grpc.StatusCode.DEADLINE_EXCEEDED
            assert await code_of(second) == grpc.StatusCode.DEADLINE_EXCEEDED
            third = stub.ServerReflectionInfo(asks())
            assert len((await third.read()).list_services_response.service) == 3

    asyncio.run(body())


# --- connections ------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def idle(address: str, count: int) -> Iterator[list[socket.socket]]:
    """So many connections that say nothing."""
    host, _, port = address.rpartition(":")
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(count)]


def is_closed(line: socket.socket) -> bool:
    """Whether the other side has hung up."""
    line.setblocking(False)
    try:
        while data := line.recv(1 << 10):
            assert data
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    return True


async def against(body: Any, **given: Any) -> None:
    async with served(settings(**given)) as server:
        await body(server)


def test_who_connects_and_says_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "HANDSHAKE_SECONDS", 0.3)

    async def body(server: Served) -> None:
        with idle(server.front.address, 3) as lines:
            await until(lambda: all(map(is_closed, lines)))
        await server.generate()

    asyncio.run(against(body))


def test_no_more_connections_are_taken_than_there_may_be_and_those_that_are_go_on() -> None:
    async def body(server: Served) -> None:
        await server.generate()
        with idle(server.front.address, 6) as lines:
            await until(lambda: sum(map(is_closed, lines)) >= 3)
            await server.generate()
            assert not all(map(is_closed, lines))

    asyncio.run(against(body, connections=4))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the limit of open files is of POSIX")
def test_more_idle_connections_than_files_that_may_be_open_at_first_do_not_shut_out_a_newcomer(tmp_path: Path) -> None:
    limited = "import resource, runpy; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 4096))"
    code = f"{limited}; runpy.run_module('server', run_name='__main__')"
    words = ["--port", "0", "--engines", "1", "--screens", "1", "--state-file", "none"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-c", code, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
    assert server.stdout
    try:
        address = f"127.0.0.1:{int(server.stdout.readline())}"
        with idle(address, 600), grpc.insecure_channel(address) as channel:
            stub: Any = rpc.AccompanimentServiceStub(channel)
            assert stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=20).version
    finally:
        server.terminate()
        server.wait(60)
        server.stdout.close()
