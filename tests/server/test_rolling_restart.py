"""Three servers, restarted one after another and killed under load: no call fails.

As processes, by the client's own way round them, and by the proxies that the system has, set up as in deploy/proxies.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bench import service
from client import RemoteDrummer
from tests.conftest import ROOT
from tests.servers import Process

SERVERS, CALLERS = 3, 8
SMALL = ("--engines", "1", "--screens", "1", "--waiting", "64", "--grace-seconds", "300", "--metrics-port", "0")
DRAIN = ("--drain-delay", "2", "--hold-until-ready")
PATIENCE = 240.0  # seconds that any step may take on a machine that does other work, too
PROXIES = ROOT / "deploy" / "proxies"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals to end and to kill are of POSIX"),
]


class Load:
    """Callers that call again and again, each with its own client, and what came of it."""

    def __init__(self, address: str | list[str], song: bytes) -> None:
        self.done, self.failed, self.seeds = 0, list[str](), dict[int, bytes]()
        self._address, self._song = address, song
        self._over, self._lock, self._next = threading.Event(), threading.Lock(), itertools.count()
        self._threads = [threading.Thread(target=self._call) for _ in range(CALLERS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def more(self, calls: int) -> None:
        """Wait until so many more calls are done."""
        wanted = self.done + calls
        self.until(lambda: self.done >= wanted)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; a call that fails meanwhile ends the waiting."""
        end = time.monotonic() + PATIENCE
        while not holds() and not self.failed:
            assert time.monotonic() < end, f"{self.done} calls are done"
            time.sleep(0.02)
        assert not self.failed, self.failed

    def _call(self) -> None:
        with RemoteDrummer(self._address, deadline=PATIENCE) as drummer:
            while not self._over.is_set() and not self.failed:
                seed = next(self._next) % 5
                try:
                    midi = drummer.accompany(self._song, seed=seed).midi
                except Exception as error:  # whatever a caller would get to see
                    with self._lock:
                        self.failed.append(f"{type(error).__name__}: {error}")
                    return
                with self._lock:
                    if self.seeds.setdefault(seed, midi) != midi:
                        self.failed.append(f"other drums for seed {seed}")
                    self.done += 1


class Fleet:
    """Servers on ports of their own, each of which can be started again."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack, self._started = folder, stack, itertools.count()
        self.servers = [self._start("0") for _ in range(SERVERS)]
        self.ports = [server.port() for server in self.servers]
        for server in self.servers:
            server.wait("ready in", PATIENCE)

    def restart(self, index: int, number: signal.Signals) -> None:
        """End a server by a signal, and start another in its place."""
        self.servers[index].signal(number)
        code = self.servers[index].end(PATIENCE)
        assert code == (0 if number == signal.SIGTERM else -number), self.servers[index].printed()
        self.servers[index] = self._start(str(self.ports[index]))
        self.servers[index].wait("ready in", PATIENCE)

    def _start(self, port: str) -> Process:
        folder = self._folder / str(next(self._started))
        folder.mkdir()
        server = Process(folder, *SMALL, *DRAIN, "--port", port)
        self._stack.callback(server.close)
        return server


@contextmanager
def proxy(name: str, ports: list[int], folder: Path) -> Iterator[str]:
    """A proxy before servers at these ports, set up as the file of its name says; gives its address."""
    program = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip(f"needs {name}")
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        own = line.getsockname()[1]
    template = PROXIES / {"nginx": "nginx.conf", "haproxy": "haproxy.cfg"}[name]
    text = template.read_text(encoding="utf-8")
    for number, port in enumerate([own, *ports]):
        assert f"127.0.0.1:{50050 + number}" in text
        text = text.replace(f"127.0.0.1:{50050 + number}", f"127.0.0.1:{port}")
    place = folder / template.name
    place.write_text(text.replace("/run/seq2drum-nginx.pid", str(folder / "pid")))
    command = {"nginx": [program, "-p", str(folder), "-c", str(place)], "haproxy": [program, "-f", str(place)]}[name]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            with socket.socket() as line:
                if line.connect_ex(("127.0.0.1", own)) == 0:
                    break
            said = (folder / f"{name}.log").read_text()
            assert process.poll() is None and time.monotonic() < end, said
            time.sleep(0.05)
        yield f"127.0.0.1:{own}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.mark.parametrize("way", ["the client", "nginx", "haproxy"])
def test_no_call_fails_while_three_servers_are_restarted_in_turn_and_one_is_killed(way: str, tmp_path: Path) -> None:
    song = service.song("funk", 16)
    with ExitStack() as stack:
        fleet = Fleet(tmp_path, stack)
        address: str | list[str] = [f"127.0.0.1:{port}" for port in fleet.ports]
        if way != "the client":
            address = stack.enter_context(proxy(way, fleet.ports, tmp_path))
        with Load(address, song) as load:
            load.more(3 * CALLERS)
            for index in range(SERVERS):
                fleet.restart(index, signal.SIGTERM)
                load.more(3 * CALLERS)
            fleet.restart(0, signal.SIGKILL)
            load.more(3 * CALLERS)
        assert not load.failed
