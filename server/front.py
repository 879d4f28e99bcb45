"""The process that answers calls: its address, health, state file, and an end that loses no call.

The pools of workers are passed in; `lifecycle` starts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import math
import os
import socket
import sys
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import grpc
import psutil
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from seq2drum import __version__
from seq2drum.errors import OptionError
from server import logs
from server.admission import Admission, Caller, ConcurrencyLimit, peer_of
from server.calls import CallGuard
from server.credentials import TlsCredentials
from server.logs import log
from server.metrics import Metrics
from server.service import NAME, OPEN_TO_ALL, Parsers, Players, Renderers, Service
from server.settings import Settings, is_local
from server.statuses import Refusal

# --- the state file ---------------------------------------------------------------------------------------------------


def read_state(path: str) -> dict[str, Any]:
    """Return the content of the state file, or ""."""
    try:
        state = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) and isinstance(state.get("pid"), int) else {}


def write_state(path: str, address: str, port: int, token: str, page: str = "") -> None:
    """Write the state file atomically, readable by its owner alone, as it may hold the token.

    path: "" writes none. A failure is logged, and the server runs without the file. page: the address of the page with
    its token, if there is one.
    """
    if not path:
        return
    target = Path(path)
    process = psutil.Process()
    state = {"address": address, "port": port, "pid": process.pid, "started": process.create_time()}
    state["version"] = __version__
    if page:
        state["page"] = page
    if token:
        state["token"] = token
    part = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(state, file)
        part.replace(target)
    except OSError as error:
        log("state file not written", logging.WARNING, why=error.strerror)
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def remove_state(path: str) -> None:
    """Remove the state file if this process wrote it."""
    if read_state(path).get("pid") == os.getpid():
        Path(path).unlink(missing_ok=True)


# --- health and reflection --------------------------------------------------------------------------------------------


MOST_WATCHERS = 1024
"""Concurrent watchers of the health; each connection of a round-robin client is one."""
MOST_REFLECTIONS = 64
"""Concurrent readers of the contract by reflection."""
WATCH_WRITE_SECONDS = 30.0
"""The time in which a watcher has to read a change."""
REFLECTION_SECONDS = 60.0
"""The time in which a caller has to read the contract."""

_Status = health_pb2.HealthCheckResponse
_Context = grpc.aio.ServicerContext[Any, Any]


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # it has no types
    """The standard health service for some names. It starts as NOT_SERVING."""

    def __init__(self, names: Iterable[str]) -> None:
        self._statuses = dict.fromkeys(names, _Status.NOT_SERVING)
        self._changed = asyncio.Event()
        self._limit = ConcurrencyLimit(MOST_WATCHERS, "watchers follow the health")
        self._over = False

    def set(self, serving: bool) -> None:
        """Set whether it serves."""
        if not self._over:
            self._statuses = dict.fromkeys(self._statuses, _Status.SERVING if serving else _Status.NOT_SERVING)
            self._changed.set()
            self._changed = asyncio.Event()

    def end(self) -> None:
        """Set NOT_SERVING for good."""
        self.set(False)
        self._over = True

    async def Check(self, request: health_pb2.HealthCheckRequest, context: _Context) -> health_pb2.HealthCheckResponse:
        """Return the status of a name."""
        if request.service not in self._statuses:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no service of this name")
        return _Status(status=self._statuses[request.service])

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: _Context) -> None:
        """Send the status of a name now and at each change."""
        try:
            with self._limit.slot(Caller(peer_of(context.peer()))):
                await self._watch(request.service, context)
        except Refusal as refusal:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(refusal))
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"nothing was read for {WATCH_WRITE_SECONDS:g} s")

    async def _watch(self, name: str, context: _Context) -> None:
        last = None
        while True:
            status, changed = self._statuses.get(name, _Status.SERVICE_UNKNOWN), self._changed
            if status != last:
                async with asyncio.timeout(WATCH_WRITE_SECONDS):
                    await context.write(_Status(status=status))
                last = status
            await changed.wait()


class Reflection(reflection.aio.ReflectionServicer):  # type: ignore[name-defined, misc]  # the stubs are older
    """The standard reflection service."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(names)
        self._limit = ConcurrencyLimit(MOST_REFLECTIONS, "callers read the contract")

    async def ServerReflectionInfo(
        self, request_iterator: AsyncIterable[reflection_pb2.ServerReflectionRequest], context: _Context
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse]:
        """Send the requested files of the contract."""
        try:
            with self._limit.slot(Caller(peer_of(context.peer()))):
                async with asyncio.timeout(REFLECTION_SECONDS):
                    async for reply in super().ServerReflectionInfo(request_iterator, context):
                        yield reply
        except Refusal as refusal:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(refusal))
        except TimeoutError:
            why = f"the contract was not read within {REFLECTION_SECONDS:g} s; try again"
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, why)


def add_standard_services(server: grpc.aio.Server, health: Health, names: Iterable[str], *, reflects: bool) -> None:
    """Add the health service to a server and, if it reflects, the reflection service for some names."""
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    if reflects:
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(Reflection(names), server)


# --- the front --------------------------------------------------------------------------------------------------------


MOST_STREAMS = 32
"""The most concurrent calls on one connection."""
MOST_METADATA = 8 << 10
"""The most bytes of a call's headers."""
IDLE_CONNECTION_SECONDS = 600
HANDSHAKE_SECONDS = 10.0
"""The time from connecting to the first frame of HTTP/2, TLS included."""
LEAST_PING_SECONDS = 300
FLUSH_SECONDS = 0.5
"""The time for replies to reach their callers when the server ends."""
_DAY_SECONDS = 86400.0

if sys.platform != "win32":
    import resource

SERVICES = (NAME, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection")


class Reading(Parsers, Protocol):
    """Parser processes, and whether they are ready."""

    @property
    def ready(self) -> bool: ...


class Front:
    """The process that answers calls: bound, started, drained and stopped, in this order."""

    def __init__(
        self, settings: Settings, parsers: Reading, players: Players, renders: Renderers, metrics: Metrics
    ) -> None:
        self.metrics, self.address, self.port = metrics, settings.target, settings.port
        self._settings, self._parsers, self._players = settings, parsers, players
        self.admission = Admission(
            settings.playing, settings.waiting, settings.queue_seconds, metrics, processes=settings.engines
        )
        self.guard = CallGuard(settings, metrics)
        self.service = Service(settings, parsers, players, renders, self.admission, metrics)
        self._tls: TlsCredentials | None = None
        self._withdrawn = False
        self._closing: asyncio.Future[None] | None = None
        self._health = Health(("", NAME))
        self._server = grpc.aio.server(options=_options(settings))
        self._server.add_generic_rpc_handlers((self.guard.handler(NAME, self.service.methods(), OPEN_TO_ALL),))
        add_standard_services(
            self._server, self._health, SERVICES, reflects=settings.reflection or is_local(settings.host)
        )
        self._server.add_generic_rpc_handlers((self.guard.unknown(),))
        metrics.watch("waiting", "Calls that wait for their turn", lambda: self.admission.waiting)
        metrics.watch("playing", "Calls that are played", lambda: self.admission.playing)
        metrics.watch("uploading", "Calls whose file is still arriving", lambda: self.service.uploads.inside)
        metrics.watch(
            "log_lines_dropped", "Lines of the log dropped because nobody read them in time", logs.dropped_lines
        )
        metrics.watch("ready", "Whether calls are played", lambda: self.ready and not self._withdrawn)

    @property
    def ready(self) -> bool:
        """True if calls can be played."""
        return self._parsers.ready and self._players.ready

    def bind(self) -> None:
        """Take the address.

        Raises:
            OptionError: another program has it, it is not an address of this machine, or the certificates cannot be
                used.
        """
        settings = self._settings
        self._tls = TlsCredentials(settings) if settings.tls else None
        if settings.host.startswith("unix:"):
            _check_socket(settings)
        try:
            with _owner_only(settings.host):
                if self._tls:
                    self.port = self._server.add_secure_port(settings.target, self._tls.credentials)
                else:
                    self.port = self._server.add_insecure_port(settings.target)
        except RuntimeError:
            raise OptionError(_why_not(settings)) from None
        if settings.host.startswith("unix:"):
            self.port = 0
        else:
            self.address = settings.target.rpartition(":")[0] + f":{self.port}"

    async def start(self) -> None:
        """Answer calls: with NOT_READY until the workers are ready, and healthy from the next `look` on."""
        await self.look()
        await self._server.start()

    async def look(self) -> None:
        """Update the health service."""
        self._health.set(self.ready)

    def read_credentials(self) -> bool:
        """Read tokens and certificates again if their files have changed; return whether there are new tokens."""
        if self._tls:
            self._tls.look()
        return self.guard.tokens.look()

    async def withdraw(self, seconds: float, forced: asyncio.Event) -> None:
        """Report NOT_SERVING and go on serving, for `seconds` or until forced; then close the port.

        So callers that check health leave before a call is refused. The others get a GOAWAY, reconnect and find the
        port closed; their active calls go on.
        """
        self._withdrawn = True
        self._health.end()
        await wait_first(asyncio.sleep(seconds), forced.wait())
        self._closing = asyncio.ensure_future(self._server.stop(_DAY_SECONDS))  # `stop` shortens it

    async def drain(self, seconds: float, forced: asyncio.Event) -> None:
        """Refuse new calls, wait for the active ones for `seconds` or until forced, and cancel the rest."""
        self._health.end()
        self.guard.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await wait_first(self.guard.drained(), forced.wait())
        if self.guard.inside:
            log("calls sent away", logging.WARNING, calls=len(self.guard.inside))
            self.guard.cancel_all()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self.guard.drained()

    async def stop(self) -> None:
        """Stop, and release the address."""
        await self._server.stop(FLUSH_SECONDS)
        if self._closing:
            await self._closing


async def wait_first(*waits: Any) -> None:
    """Wait for the first of several awaitables; cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# --- connections ------------------------------------------------------------------------------------------------------


def most_files() -> int:
    """Return the number of files and connections that this process may have open, after raising the limit."""
    if sys.platform == "win32":
        return 8192
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS reports a higher limit than it has
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return min(soft, 1 << 20) if soft != resource.RLIM_INFINITY else 1 << 20


# --- the address ------------------------------------------------------------------------------------------------------


def _options(settings: Settings) -> list[tuple[str, int]]:
    options = [
        ("grpc.so_reuseport", 0),  # otherwise a second server could bind the same port and get a share of the calls
        # Twice the service's limit: so a message that is a little too large is refused by the service, with its reason.
        ("grpc.max_receive_message_length", 2 * settings.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", MOST_STREAMS),
        # It also counts ended calls until they are cleaned up, and so refuses callers within the limit.
        ("grpc.http.overload_protection", 0),
        ("grpc.max_metadata_size", MOST_METADATA),
        ("grpc.absolute_max_metadata_size", MOST_METADATA),
        ("grpc.max_connection_idle_ms", 1000 * IDLE_CONNECTION_SECONDS),
        ("grpc.server_handshake_timeout_ms", int(1000 * HANDSHAKE_SECONDS)),
        ("grpc.max_allowed_incoming_connections", settings.connections or most_files() // 2),
        ("grpc.http2.min_ping_interval_without_data_ms", 1000 * LEAST_PING_SECONDS),
        # A message is measured only after decompression: a few bytes could become a gigabyte.
        ("grpc.compression_enabled_algorithms_bitset", 1),
    ]
    if settings.max_connection_age_seconds:
        options += [
            ("grpc.max_connection_age_ms", math.ceil(1000 * settings.max_connection_age_seconds)),
            ("grpc.max_connection_age_grace_ms", math.ceil(1000 * settings.max_connection_age_grace_seconds)),
        ]
    return options


@contextlib.contextmanager
def _owner_only(host: str) -> Iterator[None]:
    """Create sockets in the file system for their owner alone, within `with`."""
    if not host.startswith("unix:"):
        yield
        return
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def _check_socket(settings: Settings) -> None:
    """Refuse a socket that a program listens on: gRPC would take it over.

    Raises:
        OptionError: a program listens there, or this system has no such sockets.
    """
    family = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise OptionError(f"--host is {settings.host!r}, and this system has no such sockets; wanted an IP address")
    with socket.socket(family, socket.SOCK_STREAM) as line, contextlib.suppress(OSError):
        line.connect(settings.host.removeprefix("unix:"))
        raise OptionError(_taken(settings))


def _why_not(settings: Settings) -> str:
    """Return the reason why an address could not be bound, which gRPC does not report."""
    if settings.host.startswith("unix:"):
        return f"{settings.target} cannot be listened on; wanted a path in a folder of yours, of at most 100 characters"
    host = settings.target.rpartition(":")[0].strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as line:
        if os.name == "posix":
            line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind((host, settings.port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return f"{settings.target} cannot be listened on ({error.strerror}); wanted another --host or --port"
    return _taken(settings)


def _taken(settings: Settings) -> str:
    written = read_state(settings.state_file)
    mine = bool(written) and (written.get("address") == settings.target or written.get("port") == settings.port != 0)
    who = f"the seq2drum server with process id {written['pid']}" if mine else "another program"
    advice = "another path" if settings.host.startswith("unix:") else "any free port: --port 0"
    return f"{settings.target} is in use by {who}; stop it, or choose {advice}"
