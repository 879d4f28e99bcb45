"""What anyone may ask without a token and for as long as it likes: how the server is, and what its contract is.

These calls do not pass the door: they are not what is drained, logged and counted. They have rooms of their own, in
which no caller takes all places, and nobody waits for one who does not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from server.callers import Caller, Room, peer_of
from server.statuses import Refusal

MOST_WATCHERS = 1024
"""Callers who are told of each change of health; every connection of a client that goes round several has one."""
MOST_READERS = 64
"""Callers who read the contract."""
WATCHER_SECONDS = 30.0
"""How long a watcher may take to read what it is told."""
READER_SECONDS = 60.0
"""How long it may take to read the contract."""

_Status = health_pb2.HealthCheckResponse
_Context = grpc.aio.ServicerContext[Any, Any]


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # it has no types
    """The standard health service, of some names. It says NOT_SERVING until it is told otherwise."""

    def __init__(self, names: Iterable[str]) -> None:
        self._statuses = dict.fromkeys(names, _Status.NOT_SERVING)
        self._changed = asyncio.Event()
        self._room = Room(MOST_WATCHERS, "watchers are told of changes")
        self._over = False

    def set(self, serving: bool) -> None:
        """Say whether it serves."""
        if not self._over:
            self._statuses = dict.fromkeys(self._statuses, _Status.SERVING if serving else _Status.NOT_SERVING)
            self._changed.set()
            self._changed = asyncio.Event()

    def end(self) -> None:
        """Say NOT_SERVING from now on."""
        self.set(False)
        self._over = True

    async def Check(self, request: health_pb2.HealthCheckRequest, context: _Context) -> health_pb2.HealthCheckResponse:
        """The status of a name."""
        if request.service not in self._statuses:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no service of this name")
        return _Status(status=self._statuses[request.service])

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: _Context) -> None:
        """The status of a name now, and whenever it changes."""
        try:
            with self._room.place(Caller(peer_of(context.peer()))):
                await self._watch(request.service, context)
        except Refusal as refusal:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(refusal))
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"nothing was read for {WATCHER_SECONDS:g} s")

    async def _watch(self, name: str, context: _Context) -> None:
        last = None
        while True:
            status, changed = self._statuses.get(name, _Status.SERVICE_UNKNOWN), self._changed
            if status != last:
                async with asyncio.timeout(WATCHER_SECONDS):
                    await context.write(_Status(status=status))
                last = status
            await changed.wait()


class Contract(reflection.aio.ReflectionServicer):  # type: ignore[name-defined, misc]  # the stubs are older
    """The standard reflection service."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(names)
        self._room = Room(MOST_READERS, "callers read the contract")

    async def ServerReflectionInfo(
        self, request_iterator: AsyncIterable[reflection_pb2.ServerReflectionRequest], context: _Context
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse]:
        """The files of the contract that are asked for."""
        try:
            with self._room.place(Caller(peer_of(context.peer()))):
                async with asyncio.timeout(READER_SECONDS):
                    async for reply in super().ServerReflectionInfo(request_iterator, context):
                        yield reply
        except Refusal as refusal:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(refusal))
        except TimeoutError:
            why = f"the contract was not read within {READER_SECONDS:g} s; ask anew"
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, why)


def add_to(server: grpc.aio.Server, health: Health, names: Iterable[str], *, reflects: bool) -> None:
    """Let a server answer for its health, and, if it reflects, for the contract of services of some names."""
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    if reflects:
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(Contract(names), server)
