"""Connections that say nothing: they are closed, and shut nobody out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.rpc import accompaniment_pb2_grpc as rpc
from server import front
from tests.servers import ROOT, Served, served, settings, until


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
