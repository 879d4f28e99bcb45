"""Processes that work side by side: the same results, in the same order, for any number of them."""

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

    run: sent to each process once, when it starts, with all that it holds; it must be what can be pickled. One worker
    is this process itself.

    Raises:
        CorpusError: a process ended before its job was done. What `run` raises is raised here.
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
    """Started processes, each at the other end of a pipe; they end with the block, whatever they are doing."""
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
    """One process: a job in, its result or what it raised out, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker without a word; the main process speaks
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
            error.add_note(traceback.format_exc())  # a traceback does not go through a pipe
            answer = None, error
        pipe.send(answer)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes that are started here compute with one thread each: a library looks when it is imported."""
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
    """Hear a Ctrl-C when the block is left. Processes that are started in it hear none until they say so."""
    if not _CAN_WAIT:
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it would be started with the first process, and then let signals through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _or_ended() -> Iterator[None]:
    """Say what it means that the other end of a pipe is gone."""
    try:
        yield
    except (EOFError, ConnectionError):
        raise CorpusError(
            "a process ended before its job was done, most likely for want of memory; try fewer (--workers)"
        ) from None


def give_back() -> None:
    """Give what the C library keeps of freed memory back to the system. Not every C library can; then nothing happens.

    It takes some tens of milliseconds a gigabyte, and as much again when the memory is used anew.
    """
    if trim := trimming():
        trim(0)


def trimming() -> Callable[[int], int] | None:
    """The function of glibc that gives free pages of all heaps back; None where there is another C library."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
