"""The lifecycle of the server: bind, start the workers, report ready, and end without losing a call."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2drum import __version__
from seq2drum.errors import MissingExtraError, OptionError
from seq2drum.rpc import accompaniment_pb2 as pb
from server.front import Front, remove_state, wait_first, write_state
from server.logs import log
from server.metrics import Metrics, MetricsServer
from server.parser_pool import ParserPool, RenderPool
from server.player_pool import PlayerPool
from server.settings import Settings
from server.statuses import StatusError
from server.workers import StartError

if TYPE_CHECKING:
    from server.web.server import WebServer

CREDENTIALS_SECONDS = 2.0
"""The interval at which tokens and certificates are checked for changes."""


SIGNATURE = "SHA256SUMS.sig"
"""The file of a checkpoint with its signature; the players verify it."""


async def serve(settings: Settings, say: Callable[[str], None], give_port: Callable[[int], None]) -> int:
    """Serve until a signal stops it; return the exit code.

    say: prints a line for a person. give_port: prints the port for a program, if the system chose it.

    Raises:
        OptionError: the server cannot start with these settings.
    """
    began = time.monotonic()
    changed, signals, metrics = asyncio.Event(), _Signals(), Metrics()
    parsers, players = ParserPool(changed=changed.set), PlayerPool(changed=changed.set)
    pools: dict[str, ParserPool | PlayerPool] = {"screen": parsers, "player": players}
    # 1. The address. Everything opened from here on is closed in reverse order.
    renders = RenderPool(settings)
    front = Front(settings, parsers, players, renders, metrics)
    front.bind()
    entrance = bind_page(settings, front)
    async with contextlib.AsyncExitStack() as stack:
        page = _page(settings, metrics)
        if page:
            stack.callback(page.close)
        stack.callback(signals.close)
        signals.open()
        if not settings.hold_until_ready:
            await front.start()
        stack.push_async_callback(front.stop)
        if entrance:
            stack.push_async_callback(entrance.stop)
            await entrance.start()
        if not settings.port and not settings.host.startswith("unix:"):
            give_port(front.port)
        stack.callback(remove_state, settings.state_file)
        _write_state(settings, front, entrance)
        # 2. The workers, unless a signal comes first.
        for kind, pool in pools.items():
            metrics.restarts.labels(kind)
            stack.push_async_callback(pool.stop)
        stack.push_async_callback(renders.stop)
        starting = asyncio.ensure_future(asyncio.gather(parsers.start(settings), players.start(settings)))
        stack.push_async_callback(_ended, starting)
        await wait_first(asyncio.shield(starting), signals.asked.wait())
        # 3. Serve until a signal comes or the idle time is over.
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
            await (front.start() if settings.hold_until_ready else front.look())
            say(_ready(settings, front, page, round(time.monotonic() - began, 1)))
            if entrance:
                say(_where(settings, entrance))
            reading = asyncio.ensure_future(_read_credentials(settings, front, entrance))
            stack.push_async_callback(_ended, reading)
            watching = asyncio.ensure_future(_watch(front, changed, pools))
            stack.push_async_callback(_ended, watching)
            idle = _idle(front, settings.idle_exit_seconds)
            await wait_first(signals.asked.wait(), idle, _left(entrance, settings.page_exit_seconds))
        # 4. One server of several first lets its callers go elsewhere; then the active calls end.
        if settings.drain_delay_seconds and starting.done() and signals.asked.is_set():
            log("draining", calls=len(front.guard.inside), seconds=settings.drain_delay_seconds)
            await front.withdraw(settings.drain_delay_seconds, signals.forced)
        log("stopping", calls=len(front.guard.inside))
        await front.drain(settings.grace_seconds, signals.forced)
    log("stopped")
    return 0


def unsigned_models(settings: Settings) -> list[str]:
    """Return the models in folders without a signature, unless signatures are required."""
    if settings.trust:
        return []
    folders = {name: Path(folder) for name, folder in settings.models.items() if Path(folder).is_dir()}
    places = {name: [folder, folder / "best", folder / "last"] for name, folder in folders.items()}
    return [name for name, each in places.items() if not any((place / SIGNATURE).is_file() for place in each)]


def _ready(settings: Settings, front: Front, page: MetricsServer | None, seconds: float) -> str:
    """Log that the server is ready; return the line for a person."""
    models = ", ".join(settings.models)
    for name in unsigned_models(settings):
        log("a model is not signed", model=name)
    log("ready", address=front.address, models=models, seconds=seconds, version=__version__)
    figures = f"; figures at http://{settings.metrics_host}:{page.port}/metrics" if page else ""
    return f"seq2drum-server: listening on {front.address}, models: {models}, ready in {seconds} s{figures}"


def bind_page(settings: Settings, front: Front) -> WebServer | None:
    """Return the bound web server, if the settings want one. Its dependencies are imported only then.

    Raises:
        OptionError: another program has the port.
        MissingExtraError: a package is missing.
    """
    if settings.web_port is None:
        return None
    try:
        from server.web.server import WebServer
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{error.name} is not installed: pip install 'seq2drum[page]'") from error
    entrance = WebServer(settings, front.service, front.guard, secrets.token_urlsafe(32))
    entrance.bind()
    return entrance


def _where(settings: Settings, entrance: WebServer) -> str:
    """Return the line with the page's address for a person. Output that may be kept as a log has no token in it."""
    if not settings.token and sys.stderr.isatty():
        return f"seq2drum-server: the page is at {entrance.address_with_token}"
    behind = "the server's token" if settings.token else f"the token in {settings.state_file or 'the state file'}"
    return f"seq2drum-server: the page is at {entrance.address}#token=TOKEN, with {behind}"


def _page(settings: Settings, metrics: Metrics) -> MetricsServer | None:
    if settings.metrics_port is None:
        return None
    try:
        return MetricsServer(metrics, settings.metrics_host, settings.metrics_port)
    except OSError as error:
        raise OptionError(
            f"port {settings.metrics_port} of {settings.metrics_host} cannot be listened on for figures "
            f"({error.strerror}); wanted another --metrics-port, or 0 for any free one"
        ) from error


async def _watch(front: Front, changed: asyncio.Event, pools: Mapping[str, ParserPool | PlayerPool]) -> None:
    """Keep the health service up to date, and count replaced workers."""
    before, alive = front.ready, {kind: set(pool.pids) for kind, pool in pools.items()}
    while True:
        await changed.wait()
        changed.clear()
        if front.ready != before:
            before = front.ready
            log("ready again" if before else "not ready", logging.INFO if before else logging.ERROR)
        await front.look()
        for kind, pool in pools.items():
            now = set(pool.pids)
            front.metrics.restarts.labels(kind).inc(len(now - alive[kind]))
            alive[kind] = now


async def _read_credentials(settings: Settings, front: Front, entrance: WebServer | None) -> None:
    """Read tokens and certificates again when their files change, and write the token down for local programs."""
    while True:
        await asyncio.sleep(CREDENTIALS_SECONDS)
        if entrance:
            entrance.read_credentials()
        if front.read_credentials():
            _write_state(settings, front, entrance)


def _write_state(settings: Settings, front: Front, entrance: WebServer | None) -> None:
    only = "".join(token.secret for token in front.guard.tokens.value if not token.name)
    page = entrance.address_with_token if entrance else ""
    write_state(settings.state_file, front.address, front.port, only, page)


async def _idle(front: Front, seconds: float) -> None:
    """Wait until there has been no call for this many seconds; 0: forever."""
    if not seconds:
        await asyncio.Event().wait()
    began = time.monotonic()  # start-up does not count
    while (left := max(front.guard.last_end, began) + seconds - time.monotonic()) > 0 or front.guard.inside:
        await asyncio.sleep(max(left, min(seconds, 1.0)))


async def _left(entrance: WebServer | None, seconds: float) -> None:
    """Wait until the page's last tab has been closed for this many seconds; 0, or no page: forever."""
    if not seconds or entrance is None:
        await asyncio.Event().wait()
    else:
        await entrance.tabs.closed(seconds)


async def _ended(task: asyncio.Future[Any]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class _Signals:
    """Stop signals: the first SIGTERM or Ctrl-C requests the stop, the second forces it."""

    def __init__(self) -> None:
        self.asked, self.forced = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        # SIGBREAK ends a console program on Windows.
        names = ("SIGTERM", "SIGINT", "SIGBREAK")
        self._numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        self._before: dict[int, Any] = {}

    def open(self) -> None:
        """Install the signal handlers."""
        for number in self._numbers:
            try:
                self._loop.add_signal_handler(number, self.note)
            except NotImplementedError:  # Windows
                handler = lambda *_: self._loop.call_soon_threadsafe(self.note)  # noqa: E731
                self._before[number] = signal.signal(number, handler)

    def close(self) -> None:
        """Restore the previous handlers."""
        for number in self._numbers:
            if number in self._before:
                signal.signal(number, self._before.pop(number))
            else:
                with contextlib.suppress(NotImplementedError):
                    self._loop.remove_signal_handler(number)

    def note(self) -> None:
        """Record a signal: the first requests, the second forces."""
        (self.forced if self.asked.is_set() else self.asked).set()
