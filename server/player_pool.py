"""The pool of workers that play, each with many concurrent calls. Messages of calls are opaque bytes here."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from google.rpc import status_pb2

from server.ipc import Frame
from server.settings import Settings
from server.statuses import Refusal, StatusError, shutting_down
from server.workers import RETRY_SECONDS, Pool, Worker, worker_died

LOG = logging.getLogger(__name__)

# -P: keeps a package "server" in the current folder from being imported.
PLAYER_COMMAND = (sys.executable, "-P", "-m", "server.player")
SILENT_SECONDS = 5.0
"""A player with work that sends nothing for so long gets no new calls. A working player sends a frame each second."""
HANGING_SECONDS = 60.0
"""A player with work that sends nothing for so long is killed.

The longest silence of a working one was 3 s, for the explanations of a take of the longest song that is allowed; a
slow, busy machine takes longer.
"""
RETIRE_MEBIBYTES = 1024
"""The growth of memory since its start beyond which a player is replaced by a new one."""

_CHECKS = 10  # within SILENT_SECONDS
_PING = Frame({"what": "cancel", "job": 0})  # a player answers that it has no such job


class PlayerPool(Pool):
    """Processes that play, each with many concurrent calls.

    changed: called whenever a worker starts or ends; see `ready`. models, maps, grooves, generators: a
    ListModelsResponse, a ListDrumMapsResponse, a ListGroovesResponse and a ListGeneratorsResponse, which the workers
    sent when they were ready.
    """

    def __init__(self, *, command: Sequence[str] = PLAYER_COMMAND, changed: Callable[[], None] = lambda: None) -> None:
        super().__init__(command, changed)
        self.models = self.maps = self.grooves = self.generators = b""
        # For each worker the queues for the frames of its calls, by job; None for a cancelled call that the worker
        # has not yet given up. Queues are unbounded, so that a worker's frames are always taken and a caller that
        # is slow to read holds up nobody else. A queue holds at most a call's own bars and files, which the limits
        # of a file bound.
        self._calls: dict[Worker, dict[int, asyncio.Queue[Frame | None] | None]] = {}
        self._silent = set[Worker]()
        self._unacknowledged: dict[Worker, set[int]] = {}  # jobs that their workers have not acknowledged
        self._session_counts = Counter[Worker]()  # endless beats and jams, which stay in their workers
        self._numbers = itertools.count(1)

    @property
    def ready(self) -> bool:
        """True if at least one worker is alive and not silent."""
        return bool(self._alive - self._silent) and not self._stopping

    @property
    def playing(self) -> int:
        """The number of calls that the workers have, including cancelled ones that they have not yet given up."""
        return sum(map(len, self._calls.values()))

    async def start(self, settings: Settings) -> None:
        """Start the workers, and wait until all are ready.

        Raises:
            StartError, StatusError: they cannot be started.
        """
        await self._start_workers(settings, settings.engines)

    async def play(self, request_bytes: bytes, *, bars: bool, caller: str = "") -> AsyncGenerator[Frame, None]:
        """Yield the frames of a call, up to "done". bars: whether to send each bar. caller: the owner of the call.

        To cancel the call, close the generator (`contextlib.aclosing` does) or cancel the task that iterates over it.

        Raises:
            StatusError: the call failed.
            Refusal: NOT_READY, no worker is alive; WORKER_DIED, the call's worker died; SHUTTING_DOWN.
        """
        head = {"what": "play", "bars": bars, "caller": caller}
        async with contextlib.aclosing(self._submit(head, request_bytes)) as frames:
            async for frame in frames:
                yield frame

    async def compose(self, request_bytes: bytes) -> bytes:
        """Return the ComposeResponse of a ComposeRequest.

        Raises:
            StatusError, Refusal: as `play`.
        """
        async with contextlib.aclosing(self._submit({"what": "compose"}, request_bytes)) as frames:
            return [frame.body async for frame in frames][-1]

    def beat_session(self) -> AbstractAsyncContextManager[Callable[[bytes], AsyncGenerator[Frame, None]]]:
        """Open an endless beat in one worker: a function from a StreamComposeRequest to its frames.

        Raises:
            StatusError, Refusal: as `play`.
        """
        return self._session("more")

    def jam_session(self) -> AbstractAsyncContextManager[Callable[[bytes], AsyncGenerator[Frame, None]]]:
        """Open a jam in one worker: a function from a JamRequest to its frames."""
        return self._session("jam")

    @contextlib.asynccontextmanager
    async def _session(self, what: str) -> AsyncGenerator[Callable[[bytes], AsyncGenerator[Frame, None]], None]:
        worker, number = self._least_busy(), next(self._numbers)
        self._session_counts[worker] += 1
        try:
            yield lambda request_bytes: self._submit({"what": what, "held": number}, request_bytes, worker)
        finally:
            if worker in self._calls:
                self._session_counts[worker] -= 1
            worker.post(Frame({"what": "forget", "job": 0, "held": number}))
            worker.post(_PING)

    async def listed(self) -> bytes:
        """Return a ListModelsResponse with the models and the drummers that the server was taught.

        Raises:
            StatusError, Refusal: as `play`.
        """
        async with contextlib.aclosing(self._submit({"what": "models"}, b"")) as frames:
            return [frame.body async for frame in frames][-1]

    async def fitting_grooves(self, request_bytes: bytes) -> bytes:
        """Return the ListGroovesResponse with the grooves that fit the song of a request.

        Raises:
            StatusError, Refusal: as `play`.
        """
        async with contextlib.aclosing(self._submit({"what": "grooves"}, request_bytes)) as frames:
            return [frame.body async for frame in frames][-1]

    def _least_busy(self) -> Worker:
        if self._stopping:
            raise shutting_down()
        if not self._calls:
            raise Refusal("NOT_READY", "no model is ready to play; try again", retry_seconds=2 * RETRY_SECONDS)
        trusted = [worker for worker in self._calls if worker not in self._silent]
        if not trusted:
            message = "no player answers at the moment; try again"
            raise Refusal("NOT_READY", message, retry_seconds=2 * RETRY_SECONDS)
        return min(
            trusted, key=lambda worker: (worker.is_retired, len(self._calls[worker]), self._session_counts[worker])
        )

    async def _submit(
        self, head: dict[str, object], body: bytes, chosen: Worker | None = None
    ) -> AsyncGenerator[Frame, None]:
        """Yield the frames of a worker's answer, up to "done". chosen: the worker, if not the least busy one.

        If a worker dies or falls silent before it has acknowledged the call, another gets it.

        Raises:
            StatusError: the call failed.
            Refusal: NOT_READY, no worker is alive; WORKER_DIED, the call's worker died; SHUTTING_DOWN.
        """
        while True:
            worker, is_taken = chosen or self._least_busy(), False
            calls = self._calls.get(worker)
            if calls is None:
                raise shutting_down() if self._stopping else worker_died()
            job = next(self._numbers)
            queue: asyncio.Queue[Frame | None] = asyncio.Queue()
            calls[job] = queue
            self._unacknowledged[worker].add(job)
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
                    raise shutting_down() if self._stopping else worker_died()
            finally:
                if job in calls and worker in self._calls:
                    calls[job] = None
                    worker.post(Frame({"what": "cancel", "job": job}))

    def _on_ready(self, ready: Frame) -> None:
        ends = [0, *itertools.accumulate(ready.head["sizes"])]
        tables = [ready.body[begin:end] for begin, end in itertools.pairwise(ends)]
        self.models, self.maps, self.grooves, self.generators = tables

    async def _serve(self, worker: Worker) -> None:
        calls = self._calls[worker] = {}
        untaken = self._unacknowledged[worker] = set()
        tasks = [asyncio.create_task(self._watch(worker))]
        try:
            while not self._is_over(worker) and (frame := await worker.receive()) is not None:
                job = frame.head["job"]
                untaken.discard(job)
                ended = frame.head["what"] in ("done", "failed", "left")
                queue = calls.pop(job, None) if ended else calls.get(job)
                if queue is not None:
                    queue.put_nowait(frame)
                keeps = frame.head.get("mebibytes", 0.0) - worker.start_mebibytes
                if keeps > RETIRE_MEBIBYTES and all(task.done() for task in tasks[1:]) and not worker.is_retired:
                    LOG.warning("a player keeps %d MiB, and is replaced", keeps)
                    tasks.append(asyncio.create_task(self._replace(worker)))
        finally:
            for task in tasks:
                task.cancel()
            self._silent.discard(worker)
            del self._calls[worker], self._session_counts[worker], self._unacknowledged[worker]
            for queue in calls.values():
                if queue is not None:
                    queue.put_nowait(None)

    def _is_over(self, worker: Worker) -> bool:
        """Return whether a replaced worker has finished its calls and sessions."""
        return worker.is_retired and not self._calls[worker] and not self._session_counts[worker]

    async def _replace(self, worker: Worker) -> None:
        await super()._replace(worker)
        worker.post(_PING)

    async def _watch(self, worker: Worker) -> None:
        """Give no calls to a worker that has work and sends no frame, and kill it if that goes on.

        It counts checks and not time: this process may have slept, too.
        """
        looks, received, calls = 0, -1, self._calls[worker]
        while looks * SILENT_SECONDS / _CHECKS < HANGING_SECONDS:
            looks = looks + 1 if calls and worker.received == received else 0
            received = worker.received
            if (looks >= _CHECKS) != (worker in self._silent):
                (self._silent.add if looks >= _CHECKS else self._silent.discard)(worker)
                self._changed()
                for job in self._unacknowledged[worker] & calls.keys() if looks >= _CHECKS else ():
                    if (queue := calls[job]) is not None:
                        queue.put_nowait(None)
            await asyncio.sleep(SILENT_SECONDS / _CHECKS)
        LOG.error("a player hangs: it has %d calls, and sent nothing for %g seconds", len(calls), HANGING_SECONDS)
        worker.kill()
