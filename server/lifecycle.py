"""The life of the server: it binds, starts its workers, says when it is ready, and ends without losing a call.

`Front` is the process that answers, whoever reads and plays for it; `serve` is all of it, from flags to exit code.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from seq2drum import __version__
from seq2drum.errors import OptionError
from seq2drum.rpc import accompaniment_pb2 as pb
from server.admission import Admission
from server.guards import Door
from server.logs import tell
from server.metrics import Metrics, Page
from server.pools import Players, Screens
from server.service import NAME, OPEN_TO_ALL, Playing, Screening, Service
from server.settings import Settings, is_local
from server.statuses import StatusError
from server.workers import StartError

MOST_STREAMS = 32
"""Calls at once on one connection."""
MOST_METADATA = 8 << 10
"""Bytes of a call's headers."""
IDLE_CONNECTION_SECONDS = 600
LEAST_PING_SECONDS = 300
LAST_WORDS_SECONDS = 0.5
"""How long what has been said may still be on its way when the server ends."""

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Reading(Screening, Protocol):
    """Who reads files, and whether he is there."""

    @property
    def ready(self) -> bool: ...


class Front:
    """The process that answers calls: bound, started, drained and stopped, in this order."""

    def __init__(self, settings: Settings, screens: Reading, players: Playing, metrics: Metrics) -> None:
        self.metrics, self.address, self.port = metrics, settings.target, settings.port
        self._settings, self._screens, self._players = settings, screens, players
        self.admission = Admission(settings.playing, settings.waiting, settings.queue_seconds, metrics)
        self.door = Door(settings, metrics)
        self.service = Service(settings, screens, players, self.admission, metrics)
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # the stubs are older
        self._server = grpc.aio.server(options=_options(settings))
        self._server.add_generic_rpc_handlers((self.door.handler(NAME, self.service.methods(), OPEN_TO_ALL),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if settings.reflection or is_local(settings.host):
            names = (NAME, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        metrics.watch("waiting", "Calls that wait for their turn", lambda: len(self.admission.queue))
        metrics.watch("playing", "Calls that are played", lambda: self.admission.playing)
        metrics.watch("uploading", "Calls whose file is still arriving", lambda: self.service.uploads.inside)
        metrics.watch("ready", "Whether calls are played", lambda: self.ready)

    @property
    def ready(self) -> bool:
        """Whether calls are played."""
        return self._screens.ready and self._players.ready

    def bind(self) -> None:
        """Take the address.

        Raises:
            OptionError: somebody else has it, or it is not ours to have; or the certificates cannot be used.
        """
        settings = self._settings
        credentials = _credentials(settings)
        if settings.host.startswith("unix:"):
            _check_socket(settings)
        try:
            with _owner_only(settings.host):
                if credentials:
                    self.port = self._server.add_secure_port(settings.target, credentials)
                else:
                    self.port = self._server.add_insecure_port(settings.target)
        except RuntimeError:
            raise OptionError(_why_not(settings)) from None
        if settings.host.startswith("unix:"):
            self.port = 0
        else:
            self.address = settings.target.rpartition(":")[0] + f":{self.port}"

    async def start(self) -> None:
        """Answer calls: with NOT_READY, until the workers are ready and `look` has seen it."""
        await self.look()
        await self._server.start()

    async def look(self) -> None:
        """Tell by the health service whether calls are played, as it is now."""
        for name in ("", NAME):
            await self._health.set(name, _SERVING if self.ready else _NOT_SERVING)

    async def drain(self, seconds: float, forced: asyncio.Event) -> None:
        """Let no call in any more and wait for those that are inside, so long or until forced; then send them away."""
        await self._health.enter_graceful_shutdown()
        self.door.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await _first(self.door.emptied(), forced.wait())
        if self.door.inside:
            tell("calls sent away", logging.WARNING, calls=len(self.door.inside))
            self.door.send_away()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_SECONDS):
                    await self.door.emptied()

    async def stop(self) -> None:
        """End, and give the address back."""
        await self._server.stop(LAST_WORDS_SECONDS)


async def serve(settings: Settings, say: Callable[[str], None], give_port: Callable[[int], None]) -> int:
    """Serve until told to stop; returns the exit code.

    say: a line for a person. give_port: the port for a program, if it was ours to choose.

    Raises:
        OptionError: the server cannot start with these settings.
    """
    began = time.monotonic()
    changed, signals, metrics = asyncio.Event(), _Signals(), Metrics()
    screens, players = Screens(changed=changed.set), Players(changed=changed.set)
    front = Front(settings, screens, players, metrics)
    front.bind()
    async with contextlib.AsyncExitStack() as stack:
        page = _page(settings, metrics)
        if page:
            stack.callback(page.close)
        stack.callback(signals.close)
        signals.open()
        await front.start()
        stack.push_async_callback(front.stop)
        if not settings.port and not settings.host.startswith("unix:"):
            give_port(front.port)
        stack.callback(_forget_state, settings.state_file)
        _write_state(settings, front)
        pools: dict[str, Screens | Players] = {"screen": screens, "player": players}
        for kind, pool in pools.items():
            metrics.restarts.labels(kind)
            stack.push_async_callback(pool.stop)
        starting = asyncio.ensure_future(asyncio.gather(screens.start(settings), players.start(settings)))
        stack.push_async_callback(_ended, starting)
        await _first(asyncio.shield(starting), signals.asked.wait())
        if starting.done():
            try:
                starting.result()
            except StatusError as error:
                raise OptionError(error.status.message) from error
            except StartError as error:
                say(f"seq2drum-server: {error}")
                return 1
            for model in pb.ListModelsResponse.FromString(players.models).models:
                metrics.models.labels(model.id, model.sha256.hex()).set(1)
            await front.look()
            seconds = round(time.monotonic() - began, 1)
            figures = f"; figures at http://127.0.0.1:{page.port}/metrics" if page else ""
            models = ", ".join(settings.models)
            say(f"seq2drum-server: listening on {front.address}, models: {models}, ready in {seconds} s{figures}")
            tell("ready", address=front.address, models=models, seconds=seconds, version=__version__)
            watching = asyncio.ensure_future(_watch(front, changed, pools))
            stack.push_async_callback(_ended, watching)
            await _first(signals.asked.wait(), _idle(front, settings.idle_exit_seconds))
        tell("stopping", calls=len(front.door.inside))
        await front.drain(settings.grace_seconds, signals.forced)
    tell("stopped")
    return 0


async def _watch(front: Front, changed: asyncio.Event, pools: Mapping[str, Screens | Players]) -> None:
    """Keep health as it is, and count the workers that were replaced."""
    before, alive = front.ready, {kind: set(pool.pids) for kind, pool in pools.items()}
    while True:
        await changed.wait()
        changed.clear()
        if front.ready != before:
            before = front.ready
            tell("ready again" if before else "not ready", logging.INFO if before else logging.ERROR)
        await front.look()
        for kind, pool in pools.items():
            now = set(pool.pids)
            front.metrics.restarts.labels(kind).inc(len(now - alive[kind]))
            alive[kind] = now


async def _idle(front: Front, seconds: float) -> None:
    """Wait until there was no call for so long; 0: for ever."""
    if not seconds:
        await asyncio.Event().wait()
    began = time.monotonic()  # the time of starting is not counted
    while (left := max(front.door.last, began) + seconds - time.monotonic()) > 0 or front.door.inside:
        await asyncio.sleep(max(left, min(seconds, 1.0)))


async def _first(*waits: Any) -> None:
    """Wait for the first of several; the others are given up."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ended(task: asyncio.Future[Any]) -> None:
    """Give a task up, and see it gone."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class _Signals:
    """What the system tells: the first SIGTERM or Ctrl-C asks to stop, the second forces it."""

    def __init__(self) -> None:
        self.asked, self.forced = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        # SIGBREAK: what Windows has to end a console program by.
        names = ("SIGTERM", "SIGINT", "SIGBREAK")
        self._numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        self._before: dict[int, Any] = {}

    def open(self) -> None:
        """Listen."""
        for number in self._numbers:
            try:
                self._loop.add_signal_handler(number, self.heard)
            except NotImplementedError:  # Windows
                handler = lambda *_: self._loop.call_soon_threadsafe(self.heard)  # noqa: E731
                self._before[number] = signal.signal(number, handler)

    def close(self) -> None:
        """Listen no more."""
        for number in self._numbers:
            if number in self._before:
                signal.signal(number, self._before.pop(number))
            else:
                with contextlib.suppress(NotImplementedError):
                    self._loop.remove_signal_handler(number)

    def heard(self) -> None:
        """One came."""
        (self.forced if self.asked.is_set() else self.asked).set()


# The address


def _options(settings: Settings) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # else a second server binds the same port, and gets a share of the calls
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", MOST_STREAMS),
        # It counts calls that are over and not yet cleared away, and refuses those of a caller who keeps to the limit.
        ("grpc.http.overload_protection", 0),
        ("grpc.max_metadata_size", MOST_METADATA),
        ("grpc.absolute_max_metadata_size", MOST_METADATA),
        ("grpc.max_connection_idle_ms", 1000 * IDLE_CONNECTION_SECONDS),
        ("grpc.http2.min_ping_interval_without_data_ms", 1000 * LEAST_PING_SECONDS),
        # A message is measured only after it was unpacked: a few bytes could become a gigabyte.
        ("grpc.compression_enabled_algorithms_bitset", 1),
    ]


def _credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """TLS, if it is wanted. gRPC would take any files and fail when the first client comes: so they are tried here."""
    if not settings.tls:
        return None
    try:
        trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The password: without one Python would ask at the terminal for that of an encrypted key.
        trial.load_cert_chain(settings.tls_cert, settings.tls_key, password="")
        if settings.client_ca:
            trial.load_verify_locations(settings.client_ca)
        pair = (Path(settings.tls_key).read_bytes(), Path(settings.tls_cert).read_bytes())
        authority = Path(settings.client_ca).read_bytes() if settings.client_ca else None
    except (OSError, ssl.SSLError) as error:
        raise OptionError(
            f"TLS cannot be used with --tls-cert {settings.tls_cert}, --tls-key {settings.tls_key} and --client-ca "
            f"{settings.client_ca or '(none)'} ({error.strerror or error}); wanted PEM files that belong together"
        ) from error
    return grpc.ssl_server_credentials([pair], authority, authority is not None)


@contextlib.contextmanager
def _owner_only(host: str) -> Iterator[None]:
    """A socket in the file system is for its owner alone."""
    if not host.startswith("unix:"):
        yield
        return
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def _check_socket(settings: Settings) -> None:
    """Refuse a socket somebody listens on: gRPC would take it away from him.

    Raises:
        OptionError: there is such a somebody, or no such sockets on this system.
    """
    family = getattr(socket, "AF_UNIX", None)
    if family is None:
        raise OptionError(f"--host is {settings.host!r}, and this system has no such sockets; wanted an IP address")
    with socket.socket(family, socket.SOCK_STREAM) as line, contextlib.suppress(OSError):
        line.connect(settings.host.removeprefix("unix:"))
        raise OptionError(_taken(settings))


def _why_not(settings: Settings) -> str:
    """Why an address could not be taken: gRPC does not say."""
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
    state = read_state(settings.state_file)
    mine = bool(state) and (state.get("address") == settings.target or state.get("port") == settings.port != 0)
    who = f"the seq2drum server with process id {state['pid']}" if mine else "another program"
    advice = "another path" if settings.host.startswith("unix:") else "any free port: --port 0"
    return f"{settings.target} is taken by {who}; stop it, or take {advice}"


def _page(settings: Settings, metrics: Metrics) -> Page | None:
    if settings.metrics_port is None:
        return None
    try:
        return Page(metrics, settings.metrics_port)
    except OSError as error:
        raise OptionError(
            f"port {settings.metrics_port} of 127.0.0.1 cannot be listened on for figures ({error.strerror}); "
            "wanted another --metrics-port, or 0 for any free one"
        ) from error


# The state file


def read_state(place: str) -> dict[str, Any]:
    """What the state file tells of the server that wrote it; empty if there is none."""
    try:
        state = json.loads(Path(place).read_text(encoding="utf-8")) if place else {}
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) and isinstance(state.get("pid"), int) else {}


def _write_state(settings: Settings, front: Front) -> None:
    """Tell local helpers where the server is, and its token: the file is for its owner alone."""
    if not settings.state_file:
        return
    place = Path(settings.state_file)
    state = {"address": front.address, "port": front.port, "pid": os.getpid(), "version": __version__}
    if settings.token:
        state["token"] = settings.token
    part = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(state, file)
        part.replace(place)
    except OSError as error:
        tell("state file not written", logging.WARNING, why=error.strerror)
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _forget_state(place: str) -> None:
    """Remove the state file, if it is still ours."""
    if read_state(place).get("pid") == os.getpid():
        Path(place).unlink(missing_ok=True)
