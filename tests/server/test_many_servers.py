"""One server of several: it withdraws before it refuses, and lets its connections grow old."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.servers import served, settings, until

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
ALONE = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own


def test_a_server_that_withdraws_serves_on_while_its_health_sends_callers_away_and_then_closes_its_port() -> None:
    async def run() -> None:
        async with served(settings(playing=2)) as server:
            health: Any = health_pb2_grpc.HealthStub(server.channel)
            forced = asyncio.Event()
            withdrawing = asyncio.create_task(server.front.withdraw(3600, forced))
            while (await health.Check(health_pb2.HealthCheckRequest())).status != NOT_SERVING:
                await asyncio.sleep(0.002)
            assert (await server.generate()).takes
            server.players.go.clear()
            inside = server.generate()
            await until(lambda: server.players.inside)
            forced.set()  # as if the time were over
            await withdrawing
            draining = asyncio.create_task(server.front.drain(3600, asyncio.Event()))
            async with grpc.aio.insecure_channel(server.front.address, ALONE) as other:
                raw: Any = other
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await raw.unary_unary("/any/Method")(b"", timeout=30)
            assert error.value.code() == grpc.StatusCode.UNAVAILABLE  # nobody listens any more
            assert not inside.done() and not draining.done()
            server.players.go.set()
            assert (await inside).takes
            await draining

    asyncio.run(run())


@pytest.mark.slow
def test_old_connections_are_told_to_connect_anew_and_their_calls_go_on() -> None:
    async def run() -> None:
        async with served(settings(playing=2, max_connection_age_seconds=0.3)) as server:
            server.players.go.clear()
            inside = server.generate()
            await until(lambda: server.players.inside)
            assert server.channel.get_state() == grpc.ChannelConnectivity.READY
            async with asyncio.timeout(30):
                await server.channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
            assert not inside.done()
            server.players.go.set()
            assert (await inside).takes and (await server.generate()).takes

    asyncio.run(run())
