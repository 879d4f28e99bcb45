"""Worker processes: the same results, in the same order, for any number of them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from seq2drum.errors import CorpusError

Job = TypeVar("Job")
Result = TypeVar("Result")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_CAN_WAIT = hasattr(signal, "pthread_sigmask")  # Windows has no such thing


def results_of(run: Callable[[Job], Result], jobs: Sequence[Job], workers: int) -> Iterator[Result]:
    """The result of each job, in the order of the jobs; each process takes the next job when it is free.

    run: pickled and sent to each process once, when it starts. One worker is this process itself.

    Raises:
        CorpusError: a process ended before its job was done. Errors of `run` are raised here.
    """
    workers = min(workers, len(jobs))
    if workers <= 1:
        yield from map(run, jobs)
        return
    with _processes(run, workers) as pipes:
        todo = iter(enumerate(jobs))
        doing: dict[Connection, int] = {}
        done: dict[int, tuple[Result, Exception | None]] = {}

        def hand_out(pipe: Connection) -> None:
            for index, job in todo:
                with _or_ended():
                    pipe.send(job)
                doing[pipe] = index
                break

        for pipe in pipes:
            hand_out(pipe)
        for wanted in range(len(jobs)):
            while wanted not in done:
                ready = connection.wait(list(doing))
                for pipe in [pipe for pipe in doing if pipe in ready]:
                    with _or_ended():
                        done[doing.pop(pipe)] = pipe.recv()
                    hand_out(pipe)
            result, error = done.pop(wanted)
            if error is not None:
                raise error
            yield result


@contextmanager
def _processes(run: Callable[[Any], Any], workers: int) -> Iterator[list[Connection]]:
    """Worker processes, each at the other end of a pipe; they end with the block, even in the middle of a job."""
    context = get_context("spawn")
    pipes, processes = [], []
    try:
        with one_thread_each(), interrupts_later():
            for _ in range(workers):
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(run, theirs), daemon=True)
                process.start()
                theirs.close()
                pipes.append(ours)
                processes.append(process)
        yield pipes
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _work(run: Callable[[Any], Any], pipe: Connection) -> None:
    """The loop of a worker: a job in, its result or its error out, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker silently; the main process reports
    if _CAN_WAIT:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            answer: tuple[Any, Exception | None] = (run(job), None)
        except Exception as error:
            error.add_note(traceback.format_exc())  # tracebacks cannot be pickled
            answer = None, error
        pipe.send(answer)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes started in this block compute with one thread each: a library looks when it is imported."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Defer Ctrl-C to the end of the block. Processes started in it ignore it until they say otherwise."""
    if not _CAN_WAIT:
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # else it would start with the first process, and let signals through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _or_ended() -> Iterator[None]:
    """A context that turns a closed pipe into a CorpusError."""
    try:
        yield
    except (EOFError, ConnectionError):
        raise CorpusError(
            "a process ended before its job was done, most likely for want of memory; try fewer (--workers)"
        ) from None


def give_back() -> None:
    """Return the C library's free memory to the system, where it can.

    It takes some tens of milliseconds a gigabyte, and as much again when the memory is reused.
    """
    if trim := trimming():
        trim(0)


def trimming() -> Callable[[int], int] | None:
    """glibc's function that returns free pages of all heaps; None with another C library."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
