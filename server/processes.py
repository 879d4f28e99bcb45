"""The workers as the process that answers calls sees them: started, asked, replaced when they die, ended.

`Screens` read files, one at a time each. `Players` play, many calls at once each. Both are pools of subprocesses that
speak frames over their pipes, and that never outlive this process: they end when their standard input does. It knows
nothing of music, and of the messages only that they are bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import os
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.rpc import status_pb2

from server import frames
from server.frames import Frame
from server.settings import Settings
from server.statuses import Refusal, StatusError, trace_of

LOG = logging.getLogger(__name__)

# -P: whatever package is called "server" in the current folder is not this one.
SCREEN = (sys.executable, "-P", "-m", "server.screen")
PLAYER = (sys.executable, "-P", "-m", "server.player")
MOST_STARTS = 5
"""How often a worker may be started anew within START_WINDOW seconds; then the next start waits."""
START_WINDOW = 60.0
RETRY_SECONDS = 0.5
"""When to come again after a worker died: by then there is another."""
GRACE = 2.0
"""How many seconds a worker has to go when it is told to."""
READY_SECONDS = 60.0
"""How long a worker may take until it is ready: a large model on a slow disk."""
SILENT_SECONDS = 180.0
"""How long a player that has work may say nothing until it is taken for one that hangs.

The longest that one with sense was silent for is 25 s: eight takes of the longest song there may be, all told of. Many
such calls at once, on a slow machine, take longer.
"""

_HOME = Path(__file__).parent.parent
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class StartError(Exception):
    """A worker ended, or said nothing, before it was ready."""


def start_frame(settings: Settings) -> Frame:
    """What a worker is told first."""
    return Frame(
        {
            "what": "start",
            "limits": dataclasses.asdict(settings.limits),
            "max_bars": settings.max_bars,
            "max_takes": settings.max_takes,
            "models": dict(settings.models),
            "default": settings.default_model,
            "threads": settings.threads,
            "mebibytes": settings.screen_mebibytes,
        }
    )


# A process and its pipes


class _Worker:
    """A subprocess that speaks frames. Whoever starts one ends it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.process, self._stdin, self._stdout = process, process.stdin, process.stdout
        self.heard = 0
        """How many frames came from it."""

    @staticmethod
    async def start(command: Sequence[str], first: Frame) -> tuple[_Worker, Frame]:
        """A new process, and what it said when it was ready.

        Raises:
            StartError, StatusError: it cannot be started.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=_environment(),
                limit=1 << 20,  # a file in one piece
                start_new_session=os.name == "posix",  # Ctrl-C is for this process, which tells them
            )
        except OSError as error:
            raise StartError(f"a worker cannot be started ({error.strerror})") from error
        worker = _Worker(process)
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
            return worker, ready
        await worker.end(GRACE)
        if ready is not None and ready.head.get("what") == "failed":
            raise StatusError(status_pb2.Status.FromString(ready.body))
        raise StartError(f"a worker ended before it was ready (exit status {process.returncode}); its log says why")

    def post(self, frame: Frame) -> None:
        """Send a frame without waiting until it is taken: for short ones. To a dead worker it goes nowhere."""
        if not self._stdin.is_closing():
            self._stdin.write(frames.pack(frame))

    async def send(self, frame: Frame) -> bool:
        """Send a frame, and wait until most of it is taken. Returns False if the worker was dead before."""
        self.post(frame)
        try:
            await self._stdin.drain()
        except ConnectionError:
            return False
        return not self._stdin.is_closing()

    async def receive(self) -> Frame | None:
        """The next frame; None when the worker is dead, or speaks no frames: whoever is told so ends it."""
        try:
            frame = await frames.areceive(self._stdout)
        except (EOFError, ValueError, ConnectionError):
            return None
        self.heard += 1
        return frame

    def kill(self) -> None:
        """End it whatever it does. Whoever waits for a frame of it then learns that it is dead."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def end(self, seconds: float) -> None:
        """Tell the worker to go, kill it if it has not gone by then, and see it buried: even if this is cancelled."""
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
                await self._gone()
        except TimeoutError:
            self.kill()
            await self._gone()
        with contextlib.suppress(ConnectionError):
            await self._stdin.wait_closed()

    async def _gone(self) -> None:
        """Wait for the end. What the worker still says is read away: it would wait for ever to be heard."""
        while await self._stdout.read(1 << 16):
            pass
        await self.process.wait()


def _environment() -> dict[str, str]:
    """This process's environment; a worker computes with the threads it is told of, and finds this very package."""
    path = os.pathsep.join(part for part in (str(_HOME), os.environ.get("PYTHONPATH", "")) if part)
    return {**dict.fromkeys(_ONE_THREAD, "1"), **os.environ, "PYTHONPATH": path}


class _Pool:
    """Places for workers. In each a worker is kept alive, whatever befalls it, until the pool is stopped."""

    def __init__(self, command: Sequence[str], changed: Callable[[], None]) -> None:
        self._command = tuple(command)
        self._changed = changed
        self._first = Frame({})
        self._places: list[asyncio.Task[None]] = []
        self._alive: set[_Worker] = set()
        self._stopping = False

    @property
    def ready(self) -> bool:
        """Whether there is a worker to turn to."""
        return bool(self._alive) and not self._stopping

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that are ready, for those who watch memory."""
        return tuple(worker.process.pid for worker in self._alive)

    async def _open(self, settings: Settings, count: int) -> None:
        """Start that many workers at once, and wait until all are ready.

        Raises:
            StartError, StatusError: one of them cannot be started; none is left then.
        """
        self._first = start_frame(settings)
        loop = asyncio.get_running_loop()
        opened: list[asyncio.Future[None]] = [loop.create_future() for _ in range(count)]
        self._places = [asyncio.create_task(self._keep(future)) for future in opened]
        try:
            failed = [error for error in await asyncio.gather(*opened, return_exceptions=True) if error is not None]
        except asyncio.CancelledError:
            await self.stop()
            raise
        if failed:
            await self.stop()
            raise failed[0]

    async def stop(self) -> None:
        """End all workers: those at work, too. May be called twice."""
        self._stopping = True
        places, self._places = self._places, []
        for place in places:
            place.cancel()
        await asyncio.gather(*places, return_exceptions=True)

    async def _keep(self, opened: asyncio.Future[None]) -> None:
        """Keep one place filled. `opened` learns of the first start; if that fails, so does the whole pool."""
        starts: deque[float] = deque(maxlen=MOST_STARTS)
        while True:
            try:
                worker, ready = await _Worker.start(self._command, self._first)
            except (StartError, StatusError) as error:
                if not opened.done():
                    opened.set_exception(error)
                    return
                LOG.error("a worker could not be started anew: %s", error)
            else:
                await self._employ(worker, ready, opened)
            # The first starts anew come at once, so that the next call is served; a worker that dies again and again
            # must not keep the machine busy with starting it.
            if len(starts) == MOST_STARTS and (wait := starts[0] + START_WINDOW - time.monotonic()) > 0:
                LOG.error("a worker died %d times in %g seconds; the next start waits", MOST_STARTS, START_WINDOW)
                await asyncio.sleep(wait)
            starts.append(time.monotonic())

    async def _employ(self, worker: _Worker, ready: Frame, opened: asyncio.Future[None]) -> None:
        """Work with a worker until it is dead or has to be replaced, and end it."""
        try:
            self._welcome(ready)
            self._alive.add(worker)
            self._changed()
            if not opened.done():
                opened.set_result(None)
            await self._attend(worker)
        except Exception as error:  # what it said makes no sense: another may do better
            LOG.error("a worker is replaced: %s", " < ".join(reversed(trace_of(error))))
        finally:
            self._alive.discard(worker)
            self._changed()
            await worker.end(GRACE if self._stopping else 0)

    def _welcome(self, ready: Frame) -> None:
        """Make use of what a worker said when it was ready."""

    async def _attend(self, worker: _Worker) -> None:
        raise NotImplementedError


# Reading


@dataclass(frozen=True, eq=False)
class _Look:
    """A file to be read, and where the answer goes. Nobody may wait for it any more."""

    body: bytes
    answer: asyncio.Future[bytes]

    def succeed(self, found: bytes) -> None:
        if not self.answer.done():
            self.answer.set_result(found)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Screens(_Pool):
    """Processes that read what strangers send, one file at a time each.

    changed: called whenever a worker has come or gone; see `ready`.
    """

    def __init__(self, *, command: Sequence[str] = SCREEN, changed: Callable[[], None] = lambda: None) -> None:
        super().__init__(command, changed)
        self._line: deque[_Look] = deque()
        self._idle: dict[_Worker, asyncio.Future[_Look]] = {}
        self._numbers = itertools.count(1)
        self._seconds, self._longest = 0.0, 0

    async def start(self, settings: Settings) -> None:
        """Start the workers, and wait until all are ready.

        Raises:
            StartError, StatusError: they cannot be started.
        """
        self._seconds = settings.screen_seconds
        # Whatever can become a call may be read before it waits for its turn.
        self._longest = settings.waiting + settings.playing + settings.uploads
        await self._open(settings, settings.screens)

    async def stop(self) -> None:
        """End all workers. Who waits for one is told that the service stops."""
        await super().stop()
        while self._line:
            self._line.popleft().fail(_shutting_down())

    async def screen(self, request_bytes: bytes, seconds: float) -> bytes:
        """The AnalyzeGuitarResponse for a GenerateDrumsRequest, within that many seconds.

        Raises:
            StatusError: the request is no good.
            Refusal: DEADLINE_PASSED; MIDI_TOO_COMPLEX, reading took too long; WORKER_DIED; QUEUE_FULL; SHUTTING_DOWN.
        """
        if self._stopping:
            raise _shutting_down()
        if len(self._line) >= self._longest:
            raise Refusal(
                "QUEUE_FULL", f"{self._longest} files wait to be read already; try again", retry_seconds=RETRY_SECONDS
            )
        look = _Look(request_bytes, asyncio.get_running_loop().create_future())
        self._line.append(look)
        self._assign()
        try:
            async with asyncio.timeout(seconds):
                return await look.answer
        except TimeoutError:
            raise Refusal("DEADLINE_PASSED", "the deadline passed while the file waited or was read") from None
        finally:
            with contextlib.suppress(ValueError):  # nobody waits for it any more
                self._line.remove(look)

    def _assign(self) -> None:
        """Bring together files that wait and workers that wait."""
        while self._line and self._idle:
            worker = next(iter(self._idle))
            self._idle.pop(worker).set_result(self._line.popleft())

    async def _attend(self, worker: _Worker) -> None:
        died = asyncio.create_task(worker.process.wait())
        try:
            good = True
            while good and (look := await self._next(worker, died)) is not None:
                good = await self._read(worker, look)
        finally:
            died.cancel()

    async def _next(self, worker: _Worker, died: asyncio.Task[int]) -> _Look | None:
        """The next file for a worker; None when it has died in waiting."""
        given: asyncio.Future[_Look] = asyncio.get_running_loop().create_future()
        self._idle[worker] = given
        self._assign()
        try:
            await asyncio.wait((given, died), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if given.done():
                given.result().fail(_shutting_down())
            raise
        finally:
            self._idle.pop(worker, None)
        if not died.done():
            return given.result()
        if given.done():  # both at the same moment: it is for another worker
            self._line.appendleft(given.result())
            self._assign()
        return None

    async def _read(self, worker: _Worker, look: _Look) -> bool:
        """Have a file read. Returns whether the worker is still of use."""
        job = next(self._numbers)
        try:
            async with asyncio.timeout(self._seconds):
                if not await worker.send(Frame({"what": "screen", "job": job}, look.body)):
                    self._line.appendleft(look)  # it never came there: it is for another worker
                    self._assign()
                    return False
                frame = await worker.receive()
        except TimeoutError:
            message = f"the file could not be read within {self._seconds:g} seconds, as long as it may take"
            look.fail(Refusal("MIDI_TOO_COMPLEX", message, field="midi"))
            return False
        except asyncio.CancelledError:
            look.fail(_shutting_down())
            raise
        if frame is None or frame.head.get("job") != job:
            look.fail(_died())
            return False
        if frame.head["what"] == "done":
            look.succeed(frame.body)
        else:
            look.fail(StatusError(status_pb2.Status.FromString(frame.body)))
        return True


# Playing


class Players(_Pool):
    """Processes that play, many calls at once each.

    changed: called whenever a worker has come or gone; see `ready`. models, maps: a ListModelsResponse and a
    ListDrumMapsResponse, as the workers told them when they were ready.
    """

    def __init__(self, *, command: Sequence[str] = PLAYER, changed: Callable[[], None] = lambda: None) -> None:
        super().__init__(command, changed)
        self.models, self.maps = b"", b""
        # Of each worker, where the frames of its calls go; None for a call that was left and is not yet out of it.
        # A queue has no bound: then a worker's frames are always taken, and a caller that is slow to read holds up
        # nobody else. What can pile up is a call's own bars and files, which are bounded by the limits of a file.
        self._calls: dict[_Worker, dict[int, asyncio.Queue[Frame | None] | None]] = {}
        self._numbers = itertools.count(1)

    @property
    def playing(self) -> int:
        """How many calls are with the workers now, those included that are just being left."""
        return sum(map(len, self._calls.values()))

    async def start(self, settings: Settings) -> None:
        """Start the workers, and wait until all are ready.

        Raises:
            StartError, StatusError: they cannot be started.
        """
        await self._open(settings, settings.engines)

    async def play(self, request_bytes: bytes, *, bars: bool) -> AsyncGenerator[Frame, None]:
        """The frames of a call, up to "done". bars: whether each bar is wanted.

        To leave the call, close the generator (`contextlib.aclosing` does) or cancel the task that asks it.

        Raises:
            StatusError: the call failed.
            Refusal: NOT_READY, no worker is alive; WORKER_DIED, the call's was; SHUTTING_DOWN.
        """
        if self._stopping:
            raise _shutting_down()
        if not self._calls:
            raise Refusal("NOT_READY", "no model is ready to play; try again", retry_seconds=2 * RETRY_SECONDS)
        worker, calls = min(self._calls.items(), key=lambda item: len(item[1]))
        job = next(self._numbers)
        heard: asyncio.Queue[Frame | None] = asyncio.Queue()
        calls[job] = heard
        try:
            await worker.send(Frame({"what": "play", "job": job, "bars": bars}, request_bytes))
            while (frame := await heard.get()) is not None:
                if frame.head["what"] == "failed":
                    raise StatusError(status_pb2.Status.FromString(frame.body))
                yield frame
                if frame.head["what"] == "done":
                    return
            raise _shutting_down() if self._stopping else _died()
        finally:
            if job in calls and worker in self._calls:
                calls[job] = None
                worker.post(Frame({"what": "cancel", "job": job}))

    def _welcome(self, ready: Frame) -> None:
        size = ready.head["models"]
        self.models, self.maps = ready.body[:size], ready.body[size:]

    async def _attend(self, worker: _Worker) -> None:
        calls = self._calls[worker] = {}
        watching = asyncio.create_task(_kill_if_it_hangs(worker, calls))
        try:
            while (frame := await worker.receive()) is not None:
                job = frame.head["job"]
                ended = frame.head["what"] in ("done", "failed", "left")
                queue = calls.pop(job, None) if ended else calls.get(job)
                if queue is not None:
                    queue.put_nowait(frame)
        finally:
            watching.cancel()
            del self._calls[worker]
            for queue in calls.values():
                if queue is not None:
                    queue.put_nowait(None)


async def _kill_if_it_hangs(worker: _Worker, calls: Collection[int]) -> None:
    """Kill a worker that has had a call for SILENT_SECONDS, or up to twice as long, and said nothing at all."""
    before, heard = set[int](), -1
    while worker.heard != heard or before.isdisjoint(calls):
        before, heard = set(calls), worker.heard
        await asyncio.sleep(SILENT_SECONDS)
    LOG.error("a player hangs: it has %d calls, and said nothing for %g seconds", len(calls), SILENT_SECONDS)
    worker.kill()


def _died() -> Refusal:
    message = "the process that worked on the call died and is being replaced; try again"
    return Refusal("WORKER_DIED", message, retry_seconds=RETRY_SECONDS)


def _shutting_down() -> Refusal:
    return Refusal("SHUTTING_DOWN", "the server is about to stop; try again later", retry_seconds=2 * RETRY_SECONDS)
