"""Songs of the command line in their turn: each is sent, its drums are written, and a report is printed."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from client import listing, turns
from client.asynchronous import AsyncRemoteDrummer
from client.errors import ServerUnavailable, Unauthenticated, exit_code
from client.messages import MOST_BYTES, RemoteOptions
from client.status_file import StatusFile
from seq2drum.console import paths, terminal
from seq2drum.console.terminal import StandardOutputError, bar, say
from seq2drum.errors import Seq2DrumError
from seq2drum.music.explanation import in_words
from seq2drum.music.limits import SONG_SUFFIXES

_ALL_SONGS = (StandardOutputError, ServerUnavailable, Unauthenticated)
"""What is the matter with all songs that follow, too."""


class Work(NamedTuple):
    """A song, as it is called; what to open, which is not its name if it came on standard input; and where it goes."""

    name: str
    song: bytes | str
    targets: Sequence[str]


def plan(options: argparse.Namespace) -> list[Work]:
    """The songs in their turn. Standard input is read here: nothing can interrupt that later."""
    jobs = paths.jobs(options.files, options.output, SONG_SUFFIXES)
    work = [Work(source, source, paths.numbered(target, options.takes)) for source, target in jobs]
    return [item._replace(song=paths.read(item.name, MOST_BYTES)) for item in work]


async def play(
    drummer: AsyncRemoteDrummer,
    work: Sequence[Work],
    wanted: RemoteOptions,
    options: argparse.Namespace,
    status: StatusFile,
) -> int:
    """Play to each song; of one that cannot be used it is said why, and the others go on. Returns the exit code.

    Several are played to at once, unless a program looks how far each of them is; what is printed comes in their order.

    Raises:
        ServerUnavailable, Unauthenticated, StandardOutputError: so it would be with all that follow.
    """
    inputs = paths.identities(item.name for item in work)
    at_once = 1 if status.is_wanted or len(work) == 1 else await turns.places(drummer)
    patience = options.timeout if len(work) > 1 else 0.0
    code = 0
    with bar(len(work), "playing") as advance:

        async def do(item: Work) -> list[terminal.Report] | Seq2DrumError:
            try:
                for target in item.targets:
                    paths.check_target(target, inputs, overwrite=options.force)
                call = partial(_play_one, drummer, item, wanted, options, advance, status)
                return await turns.again(call, patience)
            except Seq2DrumError as error:
                if isinstance(error, _ALL_SONGS) and not turns.kills(error):
                    raise
                return error

        async with aclosing(turns.in_turn(work, at_once, do)) as done:
            number = 0
            async for made in done:
                item, number = work[number], number + 1
                if isinstance(made, Seq2DrumError):
                    message = paths.about(item.name, made)
                    say(f"seq2drum: {message}")
                    status.tell("failed", message=message)
                    code = max(code, exit_code(made))
                else:
                    for told in made:
                        terminal.show(told, as_json=options.json)
    return code


async def _play_one(
    drummer: AsyncRemoteDrummer,
    item: Work,
    wanted: RemoteOptions,
    options: argparse.Namespace,
    advance: Callable[[float, str], None],
    status: StatusFile,
) -> list[terminal.Report]:
    """Play to a song and write its drums; returns what there is to say of each take."""
    begun, shown = time.perf_counter(), 0.0

    def on_progress(done: int, total: int) -> None:
        nonlocal shown
        share = done / max(total, 1)
        advance(share - shown, f"{done} of {total} bars")
        shown = share
        status.progress(done, total)

    status.tell("sending", bars_done=0, bars_total=0)
    # Whom nobody watches has no need of pieces: a call in one message is tried again where the server was not there.
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
        status.written(target, take.seed, in_words(take.grooves))
    advance(1 - shown, "")
    seconds = (time.perf_counter() - begun) / len(takes)
    told = [listing.take(take, item.name, target, seconds) for take, target in zip(takes, item.targets, strict=True)]
    return [replace(one, take=number) for number, one in enumerate(told, start=1)] if len(told) > 1 else told
