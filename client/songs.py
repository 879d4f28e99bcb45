"""Songs of the command line: several in parallel on one server, retried when the server says so.

gRPC retries a call for a moment. With many songs it pays to wait longer for a server that runs but has no capacity, or
is replacing a player; but not for one that no longer answers.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from client import listing
from client.asynchronous import AsyncRemoteDrummer
from client.errors import ServerBusy, ServerError, ServerFault, ServerUnavailable, Unauthenticated, exit_code
from client.messages import MOST_BYTES, RemoteOptions
from client.status_file import StatusFile
from seq2drum.console import paths, terminal
from seq2drum.console.terminal import StandardOutputError, bar, say
from seq2drum.errors import OptionError, Seq2DrumError
from seq2drum.music import song_plan
from seq2drum.music.explanation import in_words
from seq2drum.music.limits import SONG_SUFFIXES

# --- several songs at one server --------------------------------------------------------------------------------------


MOST_PARALLEL = 32
"""The most calls that a server takes on one connection."""
_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


async def parallel_calls(drummer: AsyncRemoteDrummer) -> int:
    """Return the number of songs to send in parallel: as many as the server plays; 1 if that is unknown."""
    with suppress(ServerError):
        return max(1, min((await drummer.server_info()).limits.max_playing, MOST_PARALLEL))
    return 1


async def retry(call: Callable[[], Awaitable[_Done]], seconds: float) -> _Done:
    """Return the result of a call, retried when the server says, for a number of seconds.

    A call that killed worker after worker, so that gRPC gave up, is not retried.

    Raises:
        ServerUnavailable, ServerBusy: the server sent no retry time, or the time is over; and all errors of the
            call.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            return await call()
        except (ServerUnavailable, ServerBusy) as error:
            wait = error.retry_seconds
            if wait is None or kills_workers(error) or time.monotonic() + wait > until:
                raise
        await asyncio.sleep(wait)


def kills_workers(error: Exception) -> bool:
    """Return whether the song itself seems to kill the server's workers: gRPC retried it on one after another."""
    return isinstance(error, ServerError) and error.reason == "WORKER_DIED"


async def run_in_order(
    items: Iterable[_Item], most: int, do: Callable[[_Item], Awaitable[_Done]]
) -> AsyncGenerator[_Done, None]:
    """Process items in parallel, up to a number, and in order; yield the results in that order.

    Raises:
        Exception: of the item whose result is next; the others are cancelled.
    """
    gate = asyncio.Semaphore(most)

    async def one(item: _Item) -> _Done:
        async with gate:
            return await do(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        for task in tasks:
            yield await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# --- the songs of the command line ------------------------------------------------------------------------------------


_ALL_SONGS = (StandardOutputError, ServerUnavailable, Unauthenticated)
"""Errors that would meet all following songs, too."""


class Job(NamedTuple):
    """A song's name, its path or bytes, and the paths of its takes."""

    name: str
    song: bytes | str
    targets: Sequence[str]


def plan(options: argparse.Namespace) -> list[Job]:
    """Return the jobs of the command line. Standard input is read here: later nothing could interrupt that.

    Raises:
        OptionError: --plan-out names no file that a plan can go to.
    """
    jobs = paths.jobs(options.files, options.output, SONG_SUFFIXES)
    if options.plan_out is not None:
        if len(jobs) > 1:
            raise OptionError(f"--plan-out names one file, but there are {len(jobs)} songs")
        if Path(options.plan_out).suffix.lower() != ".json":
            raise OptionError(f"--plan-out writes .json, and {Path(options.plan_out).name!r} ends otherwise")
    work = [Job(source, source, paths.numbered(target, options.takes)) for source, target in jobs]
    return [item._replace(song=paths.read(item.name, MOST_BYTES)) for item in work]


async def play(
    drummer: AsyncRemoteDrummer,
    work: Sequence[Job],
    wanted: RemoteOptions,
    options: argparse.Namespace,
    status: StatusFile,
) -> int:
    """Play to each song, report those that fail, and go on. Return the exit code.

    Songs are played in parallel, unless a program follows their progress; output is printed in their order.

    Raises:
        ServerUnavailable, Unauthenticated, StandardOutputError: all following songs would fail, too.
    """
    inputs = paths.identities(item.name for item in work)
    at_once = 1 if status.is_wanted or len(work) == 1 else await parallel_calls(drummer)
    patience = options.timeout if len(work) > 1 else 0.0
    code = 0
    with bar(len(work), "playing") as advance:

        async def do(item: Job) -> list[terminal.Report] | Seq2DrumError:
            try:
                for target in filter(None, [*item.targets, options.plan_out]):
                    paths.check_target(target, inputs, overwrite=options.force)
                call = partial(_play_one, drummer, item, wanted, options, advance, status)
                return await retry(call, patience)
            except Seq2DrumError as error:
                if isinstance(error, _ALL_SONGS) and not kills_workers(error):
                    raise
                return error

        async with aclosing(run_in_order(work, at_once, do)) as done:
            number = 0
            async for made in done:
                item, number = work[number], number + 1
                if isinstance(made, Seq2DrumError):
                    message = paths.about(item.name, made)
                    say(f"seq2drum: {message}")
                    status.tell("failed", message=message)
                    code = max(code, exit_code(made))
                else:
                    for report in made:
                        terminal.show(report, as_json=options.json)
    return code


async def _play_one(
    drummer: AsyncRemoteDrummer,
    item: Job,
    wanted: RemoteOptions,
    options: argparse.Namespace,
    advance: Callable[[float, str], None],
    status: StatusFile,
) -> list[terminal.Report]:
    """Play to a song and write its drums; return the report of each take."""
    begun, shown = time.perf_counter(), 0.0

    def on_progress(done: int, total: int) -> None:
        nonlocal shown
        share = done / max(total, 1)
        advance(share - shown, f"{done} of {total} bars")
        shown = share
        status.progress(done, total)

    status.tell("sending", bars_done=0, bars_total=0)
    # Without an observer there is no need to stream: gRPC retries a unary call if it did not reach the server.
    watched = status.is_wanted or sys.stderr.isatty()
    try:
        takes = await drummer.takes(item.song, wanted, len(item.targets), on_progress=on_progress if watched else None)
    except BaseException:
        advance(-shown, "")
        raise
    bars = takes[0].timeline.bars * len(takes)
    status.progress(bars, bars)
    for take, target in zip(takes, item.targets, strict=True):
        paths.write(take.midi, target, overwrite=options.force)
        status.written(target, take.seed, in_words(take.grooves), take.plan)
    if options.plan_out is not None:
        if not takes[0].plan:
            raise ServerFault("no --plan-out: the server is older than plans; update it")
        paths.write(song_plan.as_json(takes[0].plan), options.plan_out, overwrite=options.force)
    advance(1 - shown, "")
    seconds = (time.perf_counter() - begun) / len(takes)
    reports = [listing.take(take, item.name, target, seconds) for take, target in zip(takes, item.targets, strict=True)]
    return [replace(one, take=number) for number, one in enumerate(reports, start=1)] if len(reports) > 1 else reports
