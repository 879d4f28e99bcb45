"""The two pools of workers: `Screens` read files, one at a time each; `Players` play, many calls at once each.

Of the messages of calls they know only that they are bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import sys
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import dataclass

from google.rpc import status_pb2

from server.frames import Frame
from server.settings import Settings
from server.statuses import Refusal, StatusError, shutting_down
from server.workers import Pool, Worker

LOG = logging.getLogger(__name__)

# -P: whatever package is called "server" in the current folder is not this one.
SCREEN = (sys.executable, "-P", "-m", "server.screen")
PLAYER = (sys.executable, "-P", "-m", "server.player")
RETRY_SECONDS = 0.5
"""When to call again after a worker died: by then there is another."""
SILENT_SECONDS = 5.0
"""How long a player that has work may send nothing until it gets no new calls. At work it says so each second."""
HANGING_SECONDS = 60.0
"""How long it may send nothing until it is killed. The longest silence of one that worked was 3 s: the explanations of
a take of the longest song there may be. A slow machine with much other work takes longer."""
KEPT_MEBIBYTES = 1024
"""A player that has so much more memory in use than at its start gives its place to a fresh one."""
PATIENCE = 4
"""How many times as long as it may take of a processor reading a file may last, where others have the processor."""
SURELY_LATE, HANGS_BELOW = 0.9, 0.05
"""Shares of that time: who has worked for the first is late, and who works for less than the second of it hangs."""
MOST_HUNG = 2
"""How many workers may hang with a file until its call fails."""

_LOOKS = 10  # within SILENT_SECONDS
_WORD = Frame({"what": "cancel", "job": 0})  # asks a player for a word: that there is no such job
_LATE, _HUNG = Frame({"what": "late"}), Frame({"what": "hung"})


def _died() -> Refusal:
    message = "the process that worked on the call died and is being replaced; try again"
    return Refusal("WORKER_DIED", message, retry_seconds=RETRY_SECONDS)


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Request:
    """A file to be read, in so many seconds, and the future for its answer. hung: the workers that hung with it.

    The answer is done already if nobody waits for it any more.
    """

    what: str
    body: bytes
    seconds: float
    answer: asyncio.Future[bytes]
    hung: int = 0

    def succeed(self, response: bytes) -> None:
        if not self.answer.done():
            self.answer.set_result(response)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Screens(Pool):
    """Processes that read the files of callers, one file at a time each.

    changed: called whenever a worker has come or gone; see `ready`.
    """

    def __init__(self, *, command: Sequence[str] = SCREEN, changed: Callable[[], None] = lambda: None) -> None:
        super().__init__(command, changed)
        self._line: deque[_Request] = deque()
        self._idle: dict[Worker, asyncio.Future[_Request]] = {}
        self._numbers = itertools.count(1)
        self._seconds = self._recording_seconds = 0.0
        self._longest = 0

    async def start(self, settings: Settings) -> None:
        """Start the workers, and wait until all are ready.

        Raises:
            StartError, StatusError: they cannot be started.
        """
        self._seconds, self._recording_seconds = settings.screen_seconds, settings.recording_seconds
        # A file is read before its call waits for its turn, so there may be one for each call that is let in.
        self._longest = settings.waiting + settings.playing + settings.uploads
        await self._open(settings, settings.screens)

    async def stop(self) -> None:
        """End all workers. Calls that wait for one fail with SHUTTING_DOWN."""
        await super().stop()
        while self._line:
            self._line.popleft().fail(shutting_down())

    async def look_at_brief(self, request_bytes: bytes, seconds: float) -> bytes:
        """The bars and the time of a ComposeRequest, an AnalyzeGuitarResponse.

        Raises:
            StatusError, Refusal: as `screen`.
        """
        return await self._asked("brief", request_bytes, seconds, None)

    async def screen(
        self, request_bytes: bytes, seconds: float, *, recording: bool = False, music: bool = False
    ) -> bytes:
        """The AnalyzeGuitarResponse for a GenerateDrumsRequest, within that many seconds.

        recording: whether the song is a recording, which takes longer to read. music: whether its notes, bars and
        sections are wanted, too.

        Raises:
            StatusError: the request is no good.
            Refusal: DEADLINE_PASSED; MIDI_TOO_COMPLEX, reading took too long; WORKER_DIED; QUEUE_FULL; SHUTTING_DOWN.
        """
        what, most = "music" if music else "screen", self._recording_seconds if recording else None
        return await self._asked(what, request_bytes, seconds, most)

    async def render(self, request_bytes: bytes, seconds: float) -> bytes:
        """The file that a RenderRequest asks for, within that many seconds.

        Raises:
            StatusError, Refusal: as `screen`.
        """
        return await self._asked("render", request_bytes, seconds, None)

    async def convert(self, file: bytes, seconds: float) -> bytes:
        """The MIDI file of a song with drums that is of another kind, within that many seconds.

        Raises:
            StatusError, Refusal: as `screen`.
        """
        return await self._asked("convert", file, seconds, None)

    async def _asked(self, what: str, body: bytes, seconds: float, most: float | None) -> bytes:
        """What a worker answers. most: how long reading may take, if not as long as that of any file."""
        if self._stopping:
            raise shutting_down()
        if len(self._line) >= self._longest:
            raise Refusal(
                "QUEUE_FULL", f"{self._longest} files wait to be read already; try again", retry_seconds=RETRY_SECONDS
            )
        request = _Request(what, body, most or self._seconds, asyncio.get_running_loop().create_future())
        self._line.append(request)
        self._assign()
        try:
            async with asyncio.timeout(seconds):
                return await request.answer
        except TimeoutError:
            raise Refusal("DEADLINE_PASSED", "the deadline passed while the file waited or was read") from None
        finally:
            with contextlib.suppress(ValueError):  # a worker has it already
                self._line.remove(request)

    def _assign(self) -> None:
        """Give files that wait to workers that wait."""
        while self._line and self._idle:
            worker = next(iter(self._idle))
            self._idle.pop(worker).set_result(self._line.popleft())

    async def _attend(self, worker: Worker) -> None:
        died = asyncio.create_task(worker.process.wait())
        try:
            usable = True
            while usable and (request := await self._next(worker, died)) is not None:
                usable = await self._read(worker, request)
        finally:
            died.cancel()

    async def _next(self, worker: Worker, died: asyncio.Task[int]) -> _Request | None:
        """The next file for a worker; None when it has died in waiting."""
        given: asyncio.Future[_Request] = asyncio.get_running_loop().create_future()
        self._idle[worker] = given
        self._assign()
        try:
            await asyncio.wait((given, died), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if given.done():
                given.result().fail(shutting_down())
            raise
        finally:
            self._idle.pop(worker, None)
        if not died.done():
            return given.result()
        if given.done():  # it died at the same moment: another worker shall read the file
            self._line.appendleft(given.result())
            self._assign()
        return None

    async def _read(self, worker: Worker, request: _Request) -> bool:
        """Have a file read. Returns whether the worker is still of use."""
        job = next(self._numbers)
        try:
            if not await worker.send(Frame({"what": request.what, "job": job}, request.body)):
                self._again(request)  # it never arrived
                return False
            frame = await self._answer_of(worker, request)
        except asyncio.CancelledError:
            request.fail(shutting_down())
            raise
        if frame is _LATE:
            message = f"the file could not be read within {request.seconds:g} seconds, as long as it may take"
            request.fail(Refusal("MIDI_TOO_COMPLEX", message, field="midi"))
            return False
        if frame is _HUNG:
            request.hung += 1
            LOG.error("a worker hung while it read a file")
            if request.hung < MOST_HUNG:
                self._again(request)
            else:
                request.fail(_died())
            return False
        if frame is None or frame.head.get("job") != job:
            request.fail(_died())
            return False
        if frame.head["what"] == "done":
            request.succeed(frame.body)
        else:
            request.fail(StatusError(status_pb2.Status.FromString(frame.body)))
        return True

    async def _answer_of(self, worker: Worker, request: _Request) -> Frame | None:
        """What a worker answers; _LATE if it has worked for too long, _HUNG if it does not work; None if it died."""
        receiving = asyncio.ensure_future(worker.receive())
        began = before = worker.processor_seconds()
        try:
            for _ in range(PATIENCE):
                if (await asyncio.wait((receiving,), timeout=request.seconds))[0]:
                    return receiving.result()
                now = worker.processor_seconds()
                if now - before < HANGS_BELOW * request.seconds:
                    return _HUNG
                if now - began >= SURELY_LATE * request.seconds:
                    return _LATE
                before = now
            return _LATE
        finally:
            receiving.cancel()

    def _again(self, request: _Request) -> None:
        """Have another worker read a file."""
        self._line.appendleft(request)
        self._assign()


# --- playing ----------------------------------------------------------------------------------------------------------


class Players(Pool):
    """Processes that play, many calls at once each.

    changed: called whenever a worker has come or gone; see `ready`. models, maps, grooves, generators: a
    ListModelsResponse, a ListDrumMapsResponse, a ListGroovesResponse and a ListGeneratorsResponse, which the workers
    sent when they were ready.
    """

    def __init__(self, *, command: Sequence[str] = PLAYER, changed: Callable[[], None] = lambda: None) -> None:
        super().__init__(command, changed)
        self.models = self.maps = self.grooves = self.generators = b""
        # For each worker, the queues for the frames of its calls by job; None for a call that was left and that the
        # worker has not yet given up. A queue has no bound, so that a worker's frames are always taken, and a caller
        # that is slow to read holds up nobody else. It holds a call's own bars and files at most, and the limits of a
        # file bound those.
        self._calls: dict[Worker, dict[int, asyncio.Queue[Frame | None] | None]] = {}
        self._silent = set[Worker]()
        self._beats = Counter[Worker]()  # beats without an end, which stay in their workers
        self._numbers = itertools.count(1)

    @property
    def ready(self) -> bool:
        """Whether at least one worker is alive and does not hang."""
        return bool(self._alive - self._silent) and not self._stopping

    @property
    def playing(self) -> int:
        """How many calls the workers have now, calls that were left and not yet given up included."""
        return sum(map(len, self._calls.values()))

    async def start(self, settings: Settings) -> None:
        """Start the workers, and wait until all are ready.

        Raises:
            StartError, StatusError: they cannot be started.
        """
        await self._open(settings, settings.engines)

    async def play(self, request_bytes: bytes, *, bars: bool, caller: str = "") -> AsyncGenerator[Frame, None]:
        """The frames of a call, up to "done". bars: whether each bar is wanted. caller: whose call it is.

        To leave the call, close the generator (`contextlib.aclosing` does) or cancel the task that asks it.

        Raises:
            StatusError: the call failed.
            Refusal: NOT_READY, no worker is alive; WORKER_DIED, the call's was; SHUTTING_DOWN.
        """
        head = {"what": "play", "bars": bars, "caller": caller}
        async with contextlib.aclosing(self._asked(head, request_bytes)) as frames:
            async for frame in frames:
                yield frame

    async def compose(self, request_bytes: bytes) -> bytes:
        """The beats of a ComposeRequest, a ComposeResponse.

        Raises:
            StatusError, Refusal: as `play`.
        """
        async with contextlib.aclosing(self._asked({"what": "compose"}, request_bytes)) as frames:
            return [frame.body async for frame in frames][-1]

    @contextlib.asynccontextmanager
    async def beat(self) -> AsyncGenerator[Callable[[bytes], AsyncGenerator[Frame, None]], None]:
        """A beat that goes on in one worker: what is given StreamComposeRequests one after another gives their frames.

        Raises:
            StatusError, Refusal: as `play`.
        """
        worker, beat = self._least_busy(), next(self._numbers)
        self._beats[worker] += 1
        try:
            yield lambda request_bytes: self._asked({"what": "more", "beat": beat}, request_bytes, worker)
        finally:
            if worker in self._calls:
                self._beats[worker] -= 1
            worker.post(Frame({"what": "forget", "job": 0, "beat": beat}))
            worker.post(_WORD)

    async def offer(self, request_bytes: bytes) -> bytes:
        """The grooves that fit a song, a ListGroovesResponse.

        Raises:
            StatusError, Refusal: as `play`.
        """
        async with contextlib.aclosing(self._asked({"what": "offer"}, request_bytes)) as frames:
            return [frame.body async for frame in frames][-1]

    def _least_busy(self) -> Worker:
        if self._stopping:
            raise shutting_down()
        if not self._calls:
            raise Refusal("NOT_READY", "no model is ready to play; try again", retry_seconds=2 * RETRY_SECONDS)
        trusted = [worker for worker in self._calls if worker not in self._silent]
        if not trusted:
            message = "those who play say nothing any more, and are watched; try again"
            raise Refusal("NOT_READY", message, retry_seconds=2 * RETRY_SECONDS)
        return min(trusted, key=lambda worker: (worker.is_retired, len(self._calls[worker])))

    async def _asked(
        self, head: dict[str, object], body: bytes, chosen: Worker | None = None
    ) -> AsyncGenerator[Frame, None]:
        """The frames that a worker answers with, up to "done". chosen: who is asked; else whoever has least to do.

        One that dies before it has taken the call leaves it to another.

        Raises:
            StatusError: the call failed.
            Refusal: NOT_READY, no worker is alive; WORKER_DIED, the call's was; SHUTTING_DOWN.
        """
        while True:
            worker, is_taken = chosen or self._least_busy(), False
            calls = self._calls.get(worker)
            if calls is None:
                raise shutting_down() if self._stopping else _died()
            job = next(self._numbers)
            queue: asyncio.Queue[Frame | None] = asyncio.Queue()
            calls[job] = queue
            try:
                await worker.send(Frame({**head, "job": job}, body))
                while (frame := await queue.get()) is not None:
                    is_taken = True
                    if frame.head["what"] == "failed":
                        raise StatusError(status_pb2.Status.FromString(frame.body))
                    if frame.head["what"] != "taken":
                        yield frame
                    if frame.head["what"] == "done":
                        return
                if self._stopping or is_taken or chosen:
                    raise shutting_down() if self._stopping else _died()
            finally:
                if job in calls and worker in self._calls:
                    calls[job] = None
                    worker.post(Frame({"what": "cancel", "job": job}))

    def _welcome(self, ready: Frame) -> None:
        ends = [0, *itertools.accumulate(ready.head["sizes"])]
        tables = [ready.body[begin:end] for begin, end in itertools.pairwise(ends)]
        self.models, self.maps, self.grooves, self.generators = tables

    async def _attend(self, worker: Worker) -> None:
        calls = self._calls[worker] = {}
        tasks = [asyncio.create_task(self._watch(worker, calls))]
        try:
            while not self._is_over(worker) and (frame := await worker.receive()) is not None:
                job = frame.head["job"]
                ended = frame.head["what"] in ("done", "failed", "left")
                queue = calls.pop(job, None) if ended else calls.get(job)
                if queue is not None:
                    queue.put_nowait(frame)
                keeps = frame.head.get("mebibytes", 0.0) - worker.fresh_mebibytes
                if keeps > KEPT_MEBIBYTES and all(task.done() for task in tasks[1:]) and not worker.is_retired:
                    LOG.warning("a player keeps %d MiB, and gives its place to a fresh one", keeps)
                    tasks.append(asyncio.create_task(self._relieve(worker)))
        finally:
            for task in tasks:
                task.cancel()
            self._silent.discard(worker)
            del self._calls[worker], self._beats[worker]
            for queue in calls.values():
                if queue is not None:
                    queue.put_nowait(None)

    def _is_over(self, worker: Worker) -> bool:
        """Whether a worker whose place another has is done with what it had begun."""
        return worker.is_retired and not self._calls[worker] and not self._beats[worker]

    async def _relieve(self, worker: Worker) -> None:
        await super()._relieve(worker)
        worker.post(_WORD)

    async def _watch(self, worker: Worker, calls: Collection[int]) -> None:
        """Give no calls to a worker that has work and sends no frame, and kill it when that goes on.

        What is counted is looks, not time: this process may have slept, too.
        """
        looks, received = 0, -1
        while looks * SILENT_SECONDS / _LOOKS < HANGING_SECONDS:
            looks = looks + 1 if calls and worker.received == received else 0
            received = worker.received
            if (looks >= _LOOKS) != (worker in self._silent):
                (self._silent.add if looks >= _LOOKS else self._silent.discard)(worker)
                self._changed()
            await asyncio.sleep(SILENT_SECONDS / _LOOKS)
        LOG.error("a player hangs: it has %d calls, and said nothing for %g seconds", len(calls), HANGING_SECONDS)
        worker.kill()
