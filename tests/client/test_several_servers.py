"""A client of several servers: what it takes for addresses, and how its calls go round those that serve."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from client import AsyncRemoteDrummer, RemoteDrummer, ServerUnavailable, connection
from client.connection import Connection
from client.discovery import find, start
from seq2drum.errors import OptionError
from tests.certificates import make_certificates
from tests.servers import Served, served, settings, until

HANDED = "ListDrumMaps"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("studio", "studio:50051"),
        (["studio"], "studio:50051"),
        (["a:1", "b", "[::1]:3"], "a:1,b:50051,[::1]:3"),
        ("a:1, b:2", "a:1,b:2"),
        ("dns:///drums", "dns:///drums:50051"),
        ("dns:///drums.example:7", "dns:///drums.example:7"),
        ("unix:/a,b", "unix:/a,b"),
    ],
)
def test_an_address_is_one_or_several_or_a_name_that_stands_for_several(given: Any, wanted: str) -> None:
    assert connection.normalize_address(given) == wanted
    assert connection.normalize_address(wanted) == wanted
    assert find(wanted).address == find(None, {"SEQ2DRUM_SERVER": wanted}).address == wanted


@pytest.mark.parametrize(
    "given", ["", [], "a:1,", "a:1,,b:2", "a b", "a:1,unix:/x", "a:1,dns:///b", "dns:///", "dns://8.8.8.8/a", "a:0,b:1"]
)
def test_what_is_no_address_is_refused_with_what_is_wanted(given: Any) -> None:
    with pytest.raises(OptionError, match="wanted"):
        connection.normalize_address(given)


def test_several_are_local_only_if_all_are_and_a_token_goes_nowhere_else() -> None:
    assert connection.is_local("localhost:1,127.0.0.1:2,[::1]:3")
    assert not connection.is_local("localhost:1,studio:2") and not connection.is_local("dns:///studio:1")
    with pytest.raises(OptionError, match="for all to read"):
        RemoteDrummer(["localhost:1", "studio:2"], token="x" * 20)
    with pytest.raises(OptionError, match="not this machine's to start"):
        asyncio.run(start(find("localhost:1,localhost:2")))


def test_several_are_looked_up_for_grpc_in_one_family() -> None:
    assert connection.grpc_target("127.0.0.1:1,localhost:2,127.0.0.1:1") == "ipv4:127.0.0.1:1,127.0.0.1:2"
    assert connection.grpc_target("127.0.0.1:1,[::1]:2") == "ipv6:[::ffff:127.0.0.1]:1,[::1]:2"
    assert connection.grpc_target("studio:1") == "studio:1"
    assert connection.grpc_target("a.invalid:1,b.invalid:2") == "dns:///a.invalid:1"
    assert connection.grpc_target("a.invalid:1,127.0.0.1:2") == "ipv4:127.0.0.1:2"


def test_only_several_are_gone_round_by_their_health() -> None:
    def policy(address: str) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(dict(Connection(address).channel_options)["grpc.service_config"])
        return config

    assert "loadBalancingConfig" not in policy("localhost:1")
    for several in ("localhost:1,localhost:2", "dns:///localhost:1"):
        assert policy(several)["loadBalancingConfig"] == [{"round_robin": {}}]
        assert "healthCheckConfig" in policy(several)
        assert policy(several)["methodConfig"] == policy("localhost:1")["methodConfig"]


def test_calls_go_round_the_servers_and_away_from_one_that_withdraws_or_is_not_ready() -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(served(settings())) for _ in range(3)]

            def handed() -> list[float]:
                return [
                    server.metrics.value("calls_total", method=HANDED, status="OK", reason="") for server in servers
                ]

            async def reached(wanted: list[Served]) -> None:
                """Wait until calls go to these servers and to no other; none may fail."""
                async with asyncio.timeout(30):
                    while True:
                        before = handed()
                        for _ in range(6):
                            assert await drummer.drum_maps()
                        after = handed()
                        if [s for s, new, old in zip(servers, after, before, strict=True) if new > old] == wanted:
                            return

            drummer = await stack.enter_async_context(AsyncRemoteDrummer([s.front.address for s in servers]))
            await reached(servers)
            servers[0].players.ready = False
            await servers[0].front.look()
            await reached(servers[1:])
            servers[0].players.ready = True
            await servers[0].front.look()
            await reached(servers)
            forced = asyncio.Event()
            withdrawing = asyncio.create_task(servers[1].front.withdraw(3600, forced))
            await reached([servers[0], servers[2]])
            forced.set()
            await withdrawing
            await reached([servers[0], servers[2]])
            await until(lambda: not servers[1].front.guard.inside)

    asyncio.run(run())


@pytest.mark.slow
def test_with_tls_the_certificates_of_several_have_the_name_of_the_first(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)  # the server's is of 127.0.0.1

    async def run() -> None:
        async with served(settings(**certificates.server)) as one, served(settings(**certificates.server)) as two:
            ports = [server.front.port for server in (one, two)]
            ca = certificates.path("authority.pem")
            async with AsyncRemoteDrummer([f"127.0.0.1:{ports[0]}", f"localhost:{ports[1]}"], ca=ca) as drummer:
                while not (one.begun() and two.begun()):
                    assert await drummer.drum_maps()
            async with AsyncRemoteDrummer([f"localhost:{ports[0]}", f"127.0.0.1:{ports[1]}"], ca=ca) as drummer:
                with pytest.raises(ServerUnavailable):
                    await drummer.drum_maps()

    asyncio.run(run())


@pytest.mark.slow
def test_a_call_that_arrives_as_a_server_closes_its_port_is_tried_again() -> None:
    async def run() -> None:
        for _ in range(5):
            async with served(settings()) as server, AsyncRemoteDrummer(server.front.address) as drummer:
                assert await drummer.drum_maps()
                forced = asyncio.Event()
                forced.set()
                closing = asyncio.create_task(server.front.withdraw(3600, forced))
                await asyncio.sleep(0)
                calls = [asyncio.create_task(drummer.drum_maps()) for _ in range(5)]
                await closing
                await server.front.drain(5, forced)  # as a server ends: what gRPC has not begun would wait for it
                await server.front.stop()
                for result in await asyncio.gather(*calls, return_exceptions=True):
                    # What gRPC cancels as it ends is tried again, and then finds the port closed.
                    assert isinstance(result, list | ServerUnavailable), result

    asyncio.run(run())
