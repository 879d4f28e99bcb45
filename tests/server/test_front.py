"""Who asks for health or for the contract without end: there is room for others, and nobody waits for one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from server import front
from server.front import Health
from tests.servers import served, settings

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
        stalled, reading = Context(reads=False), Context()
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
        assert (await states.Check(request, Context())).status == NOT_SERVING
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
