"""Worker processes of the front: started, sent frames, replaced when they die, ended.

A `Worker` speaks frames over its pipes. A `Pool` keeps a number of them alive; `parser_pool` and `player_pool` give
them work. No worker outlives the front: each ends when its standard input does. Nothing here knows music or the
messages of calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import math
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from google.rpc import status_pb2

from server import ipc, logs
from server.ipc import Frame
from server.settings import Settings
from server.statuses import Refusal, StatusError, trace_of

LOG = logging.getLogger(__name__)

QUICK_STARTS = 2
"""The number of immediate restarts of a worker within START_WINDOW seconds; further ones wait longer and longer."""
START_WINDOW = 60.0
LONGEST_WAIT = 4.0
"""The longest wait before a restart, in seconds: a worker that dies again and again must not keep the machine busy, and
callers must soon find a new one."""
RETRY_SECONDS = 0.5
"""The retry time after a worker died: by then it is replaced."""
GRACE_SECONDS = 2.0
"""The time that a worker has to end on request."""
READY_SECONDS = 60.0
"""The time that a worker has to be ready: a large model on a slow disk."""

_HOME = Path(__file__).parent.parent
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class StartError(Exception):
    """A worker ended, or sent nothing, before it was ready."""


def worker_died() -> Refusal:
    """Return the refusal of a call whose worker died."""
    message = "the process that worked on the call died and is being replaced; try again"
    return Refusal("WORKER_DIED", message, retry_seconds=RETRY_SECONDS)


def start_frame(settings: Settings) -> Frame:
    """Return the first frame of a worker: the settings."""
    return Frame(
        {
            "what": "start",
            "limits": dataclasses.asdict(settings.limits),
            "max_bars": settings.max_bars,
            "max_takes": settings.max_takes,
            "models": dict(settings.models),
            "default": settings.default_model,
            "threads": settings.threads,
            "trust": settings.trust,
            "drummers": settings.drummers,
            "screen_mebibytes": settings.screen_mebibytes,
            "player_mebibytes": settings.player_mebibytes,
        }
    )


def wait_after(starts: int) -> float:
    """Return the seconds to wait before a start, given the number of starts within START_WINDOW."""
    return min(0.5 * 2 ** (starts - QUICK_STARTS), LONGEST_WAIT) if starts >= QUICK_STARTS else 0.0


# --- a process and its pipes ------------------------------------------------------------------------------------------


class Worker:
    """A subprocess that sends and receives frames. The caller of `start` has to end it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.process, self._stdin, self._stdout = process, process.stdin, process.stdout
        self._log_task = asyncio.create_task(_relay_log(process.stderr)) if process.stderr else None
        self.received = 0
        """The number of frames received from it."""
        self.start_mebibytes = 0.0
        """Its memory in use when it was ready; 0 if unknown."""
        self.is_retired = False
        """True if another has taken its place, and it only finishes its work."""

    @staticmethod
    async def start(command: Sequence[str], first: Frame) -> tuple[Worker, Frame]:
        """Start a process; return it and its "ready" frame.

        Raises:
            StartError, StatusError: it cannot be started.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,  # a pipe: if the reader of the log stalls, a worker must not
                env=_environment(),
                limit=1 << 20,  # a whole file
                start_new_session=os.name == "posix",  # Ctrl-C goes to this process alone, which ends its workers
            )
        except OSError as error:
            raise StartError(f"a worker cannot be started ({error.strerror})") from error
        worker = Worker(process)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await worker.send(first)
                ready = await worker.receive()
        except TimeoutError:
            await worker.end(0)
            raise StartError(f"a worker was not ready after {READY_SECONDS:g} seconds") from None
        except BaseException:
            await worker.end(0)
            raise
        if ready is not None and ready.head.get("what") == "ready":
            worker.start_mebibytes = ready.head.get("mebibytes", 0.0)
            return worker, ready
        await worker.end(GRACE_SECONDS)
        if ready is not None and ready.head.get("what") == "failed":
            raise StatusError(status_pb2.Status.FromString(ready.body))
        raise StartError(f"a worker ended before it was ready (exit status {process.returncode}); its log says why")

    def post(self, frame: Frame) -> None:
        """Send a short frame without waiting until it is taken. A dead worker's frames are dropped."""
        if not self._stdin.is_closing():
            self._stdin.write(ipc.pack_frame(frame))

    async def send(self, frame: Frame) -> bool:
        """Send a frame and wait until most of it is taken; return False if the worker was already dead."""
        self.post(frame)
        try:
            await self._stdin.drain()
        except ConnectionError:
            return False
        return not self._stdin.is_closing()

    async def receive(self) -> Frame | None:
        """Return the next frame; None if the worker is dead or sends something else: then end it."""
        try:
            frame = await ipc.receive_frame(self._stdout)
        except (EOFError, ValueError, ConnectionError):
            return None
        self.received += 1
        return frame

    def processor_seconds(self) -> float:
        """Return its processor time so far; NaN if it is gone."""
        try:
            times = psutil.Process(self.process.pid).cpu_times()
        except psutil.Error:
            return math.nan
        seconds: float = times.user + times.system
        return seconds

    def kill(self) -> None:
        """Kill it. `receive` then returns None."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def end(self, seconds: float) -> None:
        """Close its input, kill it after `seconds`, and wait until it is gone, even if this is cancelled."""
        ending = asyncio.create_task(self._end(seconds))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await ending
            raise

    async def _end(self, seconds: float) -> None:
        self._stdin.close()
        try:
            async with asyncio.timeout(seconds):
                await self._wait_exit()
        except TimeoutError:
            self.kill()
            await self._wait_exit()
        with contextlib.suppress(ConnectionError):
            await self._stdin.wait_closed()

    async def _wait_exit(self) -> None:
        """Wait for its exit. Its last output is read and dropped: it would block on a full pipe."""
        while await self._stdout.read(1 << 16):
            pass
        await self.process.wait()


async def _relay_log(lines: asyncio.StreamReader) -> None:
    """Log a worker's standard error, until it ends."""
    while True:
        try:
            line = await lines.readline()
        except ValueError:  # longer than the limit of the stream
            continue
        if not line:
            return
        logs.relay(line.decode("utf-8", "replace").rstrip())


def _environment() -> dict[str, str]:
    """Return this process's environment, with one thread for each array library and this package first in the path."""
    path = os.pathsep.join(part for part in (str(_HOME), os.environ.get("PYTHONPATH", "")) if part)
    return {**dict.fromkeys(_ONE_THREAD, "1"), **os.environ, "PYTHONPATH": path}


# --- several of them --------------------------------------------------------------------------------------------------


class Pool:
    """Slots for workers. Each slot keeps a worker alive until the pool is stopped: one that dies is replaced."""

    def __init__(self, command: Sequence[str], changed: Callable[[], None]) -> None:
        self._command = tuple(command)
        self._changed = changed
        self._first = Frame({})
        self._slots: list[asyncio.Task[None]] = []
        self._alive: set[Worker] = set()
        self._stopping = False

    @property
    def ready(self) -> bool:
        """True if at least one worker is alive."""
        return bool(self._alive) and not self._stopping

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the ready workers."""
        return tuple(worker.process.pid for worker in self._alive)

    async def _start_workers(self, settings: Settings, count: int) -> None:
        """Start this many workers together, and wait until all are ready.

        Raises:
            StartError, StatusError: one of them cannot be started; then none is left.
        """
        self._first = start_frame(settings)
        loop = asyncio.get_running_loop()
        opened: list[asyncio.Future[None]] = [loop.create_future() for _ in range(count)]
        self._slots = [asyncio.create_task(self._keep_slot(future)) for future in opened]
        try:
            failed = [error for error in await asyncio.gather(*opened, return_exceptions=True) if error is not None]
        except asyncio.CancelledError:
            await self.stop()
            raise
        if failed:
            await self.stop()
            raise failed[0]

    async def stop(self) -> None:
        """End all workers, busy ones too. May be called twice."""
        self._stopping = True
        slots, self._slots = self._slots, []
        for slot in slots:
            slot.cancel()
        await asyncio.gather(*slots, return_exceptions=True)

    async def _keep_slot(self, opened: asyncio.Future[None]) -> None:
        """Keep one slot filled. `opened` gets the result of the first start; if that fails, so does the whole pool."""
        starts: deque[float] = deque()
        while True:
            try:
                worker, ready = await Worker.start(self._command, self._first)
            except (StartError, StatusError) as error:
                if not opened.done():
                    opened.set_exception(error)
                    return
                LOG.error("a worker could not be restarted: %s", error)
            else:
                await self._run_worker(worker, ready, opened)
                if worker.is_retired:
                    return
            # The first restarts are immediate, so that the next call is served.
            now = time.monotonic()
            while starts and starts[0] < now - START_WINDOW:
                starts.popleft()
            if wait := wait_after(len(starts)):
                LOG.error("a worker died %d times in %g seconds; the next start waits", len(starts) + 1, START_WINDOW)
                await asyncio.sleep(wait)
            starts.append(time.monotonic())

    async def _replace(self, worker: Worker) -> None:
        """Start a worker in place of another, which finishes its work."""
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        slot = asyncio.create_task(self._keep_slot(opened))
        self._slots = [*(other for other in self._slots if not other.done()), slot]
        try:
            await opened
        except (StartError, StatusError) as error:
            LOG.error("no worker could be started in place of another: %s", error)
        except asyncio.CancelledError:  # the other ended before, and is replaced like any worker
            slot.cancel()
            raise
        else:
            worker.is_retired = True

    async def _run_worker(self, worker: Worker, ready: Frame, opened: asyncio.Future[None]) -> None:
        """Use a worker until it is dead or has to be replaced, and end it."""
        try:
            self._on_ready(ready)
            self._alive.add(worker)
            self._changed()
            if not opened.done():
                opened.set_result(None)
            await self._serve(worker)
        except Exception as error:  # an invalid frame: another worker may do better
            LOG.error("a worker is replaced: %s", " < ".join(reversed(trace_of(error))))
        finally:
            self._alive.discard(worker)
            self._changed()
            await worker.end(GRACE_SECONDS if self._stopping else 0)

    def _on_ready(self, ready: Frame) -> None:
        """Use the "ready" frame of a worker."""

    async def _serve(self, worker: Worker) -> None:
        """Give a worker work until it is dead or no longer usable."""
        raise NotImplementedError
