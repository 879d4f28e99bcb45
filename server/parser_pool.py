"""The pools of workers that parse callers' files and render takes, one file at a time each.

Messages of calls are opaque bytes here.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import logging
import sys
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from google.rpc import status_pb2

from server.ipc import MOST_ANSWER_BYTES, Frame
from server.settings import Settings
from server.statuses import Refusal, StatusError, shutting_down
from server.workers import RETRY_SECONDS, Pool, StartError, Worker, worker_died

LOG = logging.getLogger(__name__)

# -P: keeps a package "server" in the current folder from being imported.
PARSER_COMMAND = (sys.executable, "-P", "-m", "server.parser")
WALL_TIME_FACTOR = 4
"""The time limit of a file in wall time, as a multiple of its limit in processor time: others may have the processor.
"""
LATE_SHARE, HUNG_SHARE = 0.9, 0.05
"""Shares of the limit: a worker that has used the first of it is late, one that uses less than the second hangs."""
MOST_HUNG = 2
"""The number of workers that may hang with a file before its call fails."""

_LATE, _HUNG = Frame({"what": "late"}), Frame({"what": "hung"})


@dataclass(eq=False)
class _Job:
    """A file to read within a number of seconds, and the future of its answer. hung: the workers that hung with it.

    is_notation: whether its kind may take seconds even if it is small. The answer is done if nobody waits for it any
    more.
    """

    what: str
    body: bytes
    seconds: float
    answer: asyncio.Future[list[bytes]]
    caller: str = ""
    is_notation: bool = False
    hung: int = 0

    def succeed(self, pieces: list[bytes]) -> None:
        if not self.answer.done():
            self.answer.set_result(pieces)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class ParserPool(Pool):
    """Processes that read the files of callers, one at a time each. Callers take turns.

    With several processes, one is left for others: neither the files of one caller nor notation may hold all of them.

    changed: called whenever a worker starts or ends; see `ready`.
    """

    def __init__(self, *, command: Sequence[str] = PARSER_COMMAND, changed: Callable[[], None] = lambda: None) -> None:
        super().__init__(command, changed)
        self._queue: deque[_Job] = deque()
        self._idle: dict[Worker, asyncio.Future[_Job]] = {}
        self._last_served: dict[str, int] = {}  # by caller: the number of its last file that a worker got
        self._reading = Counter[str]()  # by caller: files being read
        self._notation = 0  # notation files being read
        self._share = 1
        self._numbers = itertools.count(1)
        self._seconds = self._recording_seconds = 0.0
        self._longest = 0

    async def start(self, settings: Settings) -> None:
        """Start the workers, and wait until all are ready.

        Raises:
            StartError, StatusError: they cannot be started.
        """
        self._seconds, self._recording_seconds = settings.screen_seconds, settings.recording_seconds
        # Files are read before their calls queue for a turn, so there may be one for each admitted call.
        self._longest = settings.waiting + settings.playing + settings.uploads
        self._share = max(settings.screens - 1, 1)
        await self._start_workers(settings, settings.screens)

    async def stop(self) -> None:
        """End all workers. Waiting calls fail with SHUTTING_DOWN."""
        await super().stop()
        while self._queue:
            self._queue.popleft().fail(shutting_down())

    async def check_brief(self, request_bytes: bytes, seconds: float, *, caller: str = "") -> bytes:
        """Return the bars and the estimated time of a ComposeRequest, as an AnalyzeGuitarResponse.

        Raises:
            StatusError, Refusal: as `analyze`.
        """
        return b"".join(await self._submit("brief", request_bytes, seconds, None, caller))

    async def analyze(
        self,
        request_bytes: bytes,
        seconds: float,
        *,
        recording: bool = False,
        notation: bool = False,
        music: bool = False,
        caller: str = "",
    ) -> bytes:
        """Return the AnalyzeGuitarResponse of a GenerateDrumsRequest, within `seconds`.

        recording, notation: whether the song is of such a kind, which takes longer. music: whether to add its notes,
        bars and sections. caller: the owner of the file; "" counts towards no share.

        Raises:
            StatusError: the request is wrong.
            Refusal: DEADLINE_PASSED; MIDI_TOO_COMPLEX, reading took too long; WORKER_DIED; QUEUE_FULL;
                SHUTTING_DOWN.
        """
        what, most = "music" if music else "analyze", self._recording_seconds if recording else None
        return b"".join(await self._submit(what, request_bytes, seconds, most, caller, notation))

    async def render(self, request_bytes: bytes, seconds: float) -> list[bytes]:
        """Return the pieces of the file for a RenderRequest, within `seconds`.

        Raises:
            StatusError, Refusal: as `analyze`.
        """
        return await self._submit("render", request_bytes, seconds, None)

    async def learn(self, what: str, body: bytes, seconds: float, most: float | None = None) -> bytes:
        """Return the answer of `server.learning` to a job, within `seconds`. what: "hear" a song, "teach", and so on.

        most: the time limit of the job, if it is not the usual one.

        Raises:
            StatusError, Refusal: as `analyze`.
        """
        return b"".join(await self._submit(what, body, seconds, most))

    async def convert(self, file: bytes, seconds: float, *, notation: bool = False, caller: str = "") -> bytes:
        """Return a song with drums, of any kind, as a MIDI file, within `seconds`.

        Raises:
            StatusError, Refusal: as `analyze`.
        """
        return b"".join(await self._submit("convert", file, seconds, None, caller, notation))

    async def _submit(
        self, what: str, body: bytes, seconds: float, most: float | None, caller: str = "", notation: bool = False
    ) -> list[bytes]:
        """Return the pieces of a worker's answer. most: the time limit of the file, if it is not the usual one."""
        if self._stopping:
            raise shutting_down()
        if len(self._queue) >= self._longest:
            raise Refusal(
                "QUEUE_FULL",
                f"{self._longest} files wait to be read, the limit; try again",
                retry_seconds=RETRY_SECONDS,
            )
        answer = asyncio.get_running_loop().create_future()
        request = _Job(what, body, most or self._seconds, answer, caller, notation)
        self._queue.append(request)
        self._assign()
        try:
            async with asyncio.timeout(seconds):
                return await request.answer
        except TimeoutError:
            raise Refusal("DEADLINE_PASSED", "the deadline passed while the file was queued or read") from None
        finally:
            with contextlib.suppress(ValueError):  # a worker has it already
                self._queue.remove(request)

    def _assign(self) -> None:
        """Give waiting files to idle workers."""
        while self._idle and (readable := [one for one in self._queue if self._may_start(one)]):
            worker = next(iter(self._idle))
            request = min(readable, key=lambda one: self._last_served.get(one.caller, 0))
            self._queue.remove(request)
            self._reading[request.caller] += 1
            self._notation += request.is_notation
            self._last_served[request.caller] = next(self._numbers)
            if len(self._last_served) > self._longest:  # drop callers that have left
                self._last_served = {one.caller: self._last_served.get(one.caller, 0) for one in self._queue}
            self._idle.pop(worker).set_result(request)

    async def _serve(self, worker: Worker) -> None:
        ending = asyncio.create_task(worker.process.wait())
        try:
            usable = True
            while usable and (request := await self._next(worker, ending)) is not None:
                try:
                    usable = await self._run_job(worker, request)
                finally:
                    self._release(request)
        finally:
            ending.cancel()

    async def _next(self, worker: Worker, ending: asyncio.Task[int]) -> _Job | None:
        """Return the next file for a worker; None if it died while idle."""
        given: asyncio.Future[_Job] = asyncio.get_running_loop().create_future()
        self._idle[worker] = given
        self._assign()
        try:
            await asyncio.wait((given, ending), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if given.done():
                given.result().fail(shutting_down())
                self._release(given.result())
            raise
        finally:
            self._idle.pop(worker, None)
        if not ending.done():
            return given.result()
        if given.done():  # it died at the same moment: another worker reads the file
            self._requeue(given.result())
            self._release(given.result())
        return None

    async def _run_job(self, worker: Worker, request: _Job) -> bool:
        """Have a worker read a file; return whether the worker is still usable."""
        job = next(self._numbers)
        try:
            if not await worker.send(Frame({"what": request.what, "job": job}, request.body)):
                self._requeue(request)  # it never arrived
                return False
            pieces: list[bytes] = []
            frame = await self._wait_for_answer(worker, request)
            while frame and frame.head == {"what": "piece", "job": job} and sum(map(len, pieces)) < MOST_ANSWER_BYTES:
                pieces.append(frame.body)
                frame = await self._wait_for_answer(worker, request)
        except asyncio.CancelledError:
            request.fail(shutting_down())
            raise
        if frame is _LATE:
            message = f"the file could not be read within {request.seconds:g} seconds, its time limit"
            request.fail(Refusal("MIDI_TOO_COMPLEX", message, field="midi"))
            return False
        if frame is _HUNG:
            request.hung += 1
            LOG.error("a worker hung while it read a file")
            if request.hung < MOST_HUNG:
                self._requeue(request)
            else:
                request.fail(worker_died())
            return False
        if frame is None or frame.head.get("job") != job:
            request.fail(worker_died())
            return False
        if frame.head["what"] == "done":
            request.succeed([*pieces, frame.body])
        else:
            request.fail(StatusError(status_pb2.Status.FromString(frame.body)))
        return True

    async def _wait_for_answer(self, worker: Worker, request: _Job) -> Frame | None:
        """Return a worker's answer; _LATE if it has worked too long, _HUNG if it does not work, None if it died."""
        receiving = asyncio.ensure_future(worker.receive())
        began = before = worker.processor_seconds()
        try:
            for _ in range(WALL_TIME_FACTOR):
                if (await asyncio.wait((receiving,), timeout=request.seconds))[0]:
                    return receiving.result()
                now = worker.processor_seconds()
                if now - before < HUNG_SHARE * request.seconds:
                    return _HUNG
                if now - began >= LATE_SHARE * request.seconds:
                    return _LATE
                before = now
            return _LATE
        finally:
            receiving.cancel()

    def _may_start(self, request: _Job) -> bool:
        """Return whether a worker is left for others if one reads this file now."""
        mine = self._reading[request.caller] if request.caller else 0
        return mine < self._share and not (request.is_notation and self._notation >= self._share)

    def _release(self, request: _Job) -> None:
        """Record that no worker has the file any more."""
        self._reading[request.caller] -= 1
        if not self._reading[request.caller]:
            del self._reading[request.caller]
        self._notation -= request.is_notation
        self._assign()

    def _requeue(self, request: _Job) -> None:
        """Put a file back to the front of the queue, for another worker."""
        self._queue.appendleft(request)
        self._assign()


# --- rendering --------------------------------------------------------------------------------------------------------


class RenderPool:
    """A child process that renders files and learns from songs, with more time and memory than the parsers.

    It starts on first use.
    """

    def __init__(self, settings: Settings) -> None:
        seconds, mebibytes = settings.render_seconds, settings.render_mebibytes
        self._settings = dataclasses.replace(settings, screens=1, screen_seconds=seconds, screen_mebibytes=mebibytes)
        self._parsers: ParserPool | None = None
        self._starting: asyncio.Future[None] | None = None

    async def render(self, request_bytes: bytes, seconds: float) -> list[bytes]:
        """Return the pieces of the file for a RenderRequest, within `seconds`.

        Raises:
            StatusError, Refusal: as `ParserPool.render`.
        """
        return await (await self._started()).render(request_bytes, seconds)

    async def learn(self, what: str, body: bytes, seconds: float, most: float | None = None) -> bytes:
        """Return the answer to a job of learning, as `ParserPool.learn`."""
        return await (await self._started()).learn(what, body, seconds, most)

    async def _started(self) -> ParserPool:
        if self._parsers is None or self._starting is None:
            self._parsers = ParserPool()
            self._starting = asyncio.ensure_future(self._parsers.start(self._settings))
        try:
            await asyncio.shield(self._starting)
        except StartError:
            self._parsers = None  # the next call tries again
            text = "the process that renders files and learns could not be started; try again"
            raise Refusal("WORKER_DIED", text, retry_seconds=RETRY_SECONDS) from None
        return self._parsers

    async def stop(self) -> None:
        """End the process, if it was started."""
        if self._parsers is not None and self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
            await self._parsers.stop()
