"""The client's command line: runs its options, and prints.

Exit codes are in `options.CODES`, and in --help.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from client.options import TOKEN_VARIABLE, compose_parser, mcp_parser, song_parser, watch_parser
from seq2drum.console import paths, shared, terminal
from seq2drum.console.terminal import (
    StandardOutputError,
    close_standard_output,
    open_closed_streams,
    say,
    say_any_letters,
    standard_output,
)
from seq2drum.errors import InputError, MissingExtraError, OptionError, Seq2DrumError
from seq2drum.music.brief import BRIEF
from seq2drum.music.file_options import SESSION, TIMING
from seq2drum.system import files

if TYPE_CHECKING:  # imported on use, so that help and errors come fast
    from client.asynchronous import AsyncRemoteDrummer
    from client.discovery import Location
    from client.messages import RemoteOptions, RemoteTake
    from client.sessions import RemoteBrief
    from client.songs import Job
    from client.status_file import StatusFile

STOPPED = 130
_T = TypeVar("_T")
_POLL_SECONDS = 0.1
_MOST_TOKEN_BYTES = 8192


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    open_closed_streams()
    say_any_letters()
    words = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its messages are in our errors, too
    verbs = {"watch": (watch_parser, watch), "compose": (compose_parser, _compose), "mcp": (mcp_parser, _mcp)}
    status: StatusFile | None = None
    code, message = 1, "the program failed; the reason is on standard error"
    try:
        # First, so that a program that reads it learns of a wrong option, too.
        status = _status_file(words)
        if words[:1] and words[0] in verbs:
            parser, do = verbs[words[0]]
            code = do(parser().parse(words[1:]))
        else:
            code = _run(song_parser().parse(words), status)
        message = ""
    except SystemExit:
        code, message = 0, ""  # --help or --version has printed all
    except StandardOutputError as error:
        code, message = 2, str(error)
        close_standard_output(error)
    except Seq2DrumError as error:
        code, message = _exit_code(error), str(error)
        say(f"seq2drum: {message}")
    except ModuleNotFoundError as error:
        code, message = 2, f"{error.name} is not installed: pip install 'seq2drum[client]'"
        say(f"seq2drum: {message}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        code, message = STOPPED, "stopped"
        say("seq2drum: stopped")
    finally:
        if status is not None:
            status.end(code, message)
    return code


def _exit_code(error: Seq2DrumError) -> int:
    """Return the exit code for an error."""
    try:
        from client.errors import exit_code
    except ModuleNotFoundError:  # without gRPC, there was no call
        return 2
    return exit_code(error)


# --- options ----------------------------------------------------------------------------------------------------------


def _status_file(words: list[str]) -> StatusFile:
    """Return the requested status file, which is known before all options are parsed."""
    from client.status_file import StatusFile

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--status-file", nargs="?")
    return StatusFile(parser.parse_known_args(words)[0].status_file or None)


def remote_options(options: argparse.Namespace, *, explain: bool = False) -> RemoteOptions:
    """Return the options for the server.

    Raises:
        OptionError: a number does not fit into a message.
    """
    from client import messages

    wanted = messages.RemoteOptions(
        model=options.model,
        with_guitar=options.with_guitar,
        explain=explain,
        **{name: getattr(options, name) for name in (*SESSION, *TIMING)},
        **shared.chosen(options),
    )
    messages.config(wanted, options.takes)  # wrong options are refused once, and not with every file
    return wanted


def _print_for_shells(shell: str | None) -> None:
    """Print the completion script for a shell, or without one the page of the manual."""
    from seq2drum.console import arguments, manual

    prog, first = "seq2drum-client", song_parser()
    verbs = {
        "watch": ("make drums for every song of a folder", watch_parser()),
        "compose": ("make beats without a guitar", compose_parser()),
        "mcp": ("serve an assistant", mcp_parser()),
    }
    if shell:
        arguments.show(shell, prog, first, {name: parser for name, (_, parser) in verbs.items()})
    else:
        manual.show(prog, "asks a drummer that runs as a server", first, verbs)


# --- songs ------------------------------------------------------------------------------------------------------------


def _run(options: argparse.Namespace, status: StatusFile) -> int:
    if options.print_completion or options.print_manual:
        _print_for_shells(options.print_completion)
        return 0
    lists = (
        options.list_models or options.list_generators or options.list_grooves or options.list_drum_maps or options.info
    )
    if not (options.files or lists or options.status or options.start_server):
        raise OptionError("wanted a song: a MIDI file, a folder, or - for standard input; --help lists all options")
    fitting = options.list_grooves and len(options.files) == 1  # grooves that fit a song
    if options.files and (lists or options.status) and not fitting:
        raise OptionError("a listing plays to no songs; leave out one of them")
    if options.files and not fitting:
        from client import songs

        work = songs.plan(options)
        wanted = replace(remote_options(options, explain=options.explain), plan=shared.read_plan(options, len(work)))
        return asyncio.run(_until_cancel_file(options.cancel_file, lambda: _play(work, wanted, options, status)))
    return asyncio.run(_until_cancel_file(options.cancel_file, lambda: _show_lists(options)))


async def _until_cancel_file(cancel_file: str | None, work: Callable[[], Awaitable[int]]) -> int:
    """Run some work, and cancel it when a file appears."""
    if cancel_file is None:
        return await work()
    task = asyncio.current_task()
    assert task is not None  # this runs in a task

    async def look(path: Path) -> None:
        while not path.exists():
            await asyncio.sleep(_POLL_SECONDS)
        task.cancel()

    looking = asyncio.create_task(look(Path(cancel_file)))
    try:
        return await work()
    finally:
        looking.cancel()


async def _play(work: Sequence[Job], wanted: RemoteOptions, options: argparse.Namespace, status: StatusFile) -> int:
    from client import songs

    async with _server(options) as drummer:
        return await songs.play(drummer, work, wanted, options, status)


# --- the server -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _server(options: argparse.Namespace) -> AsyncIterator[AsyncRemoteDrummer]:
    """Open the server; start one if --start-server is given and none answers."""
    from client import discovery
    from client.errors import DeadlineExceeded, ServerUnavailable

    where = discovery.find(options.server)
    if getattr(options, "start_server", False):
        try:
            async with _drummer(where, options) as drummer:
                await drummer.is_ready()
        except (ServerUnavailable, DeadlineExceeded):
            where = await discovery.start(where)
        async with _drummer(where, options) as drummer:
            await drummer.wait_until_ready(discovery.START_SECONDS)
    async with _drummer(where, options) as drummer:
        yield drummer


def _drummer(where: Location, options: argparse.Namespace) -> AsyncRemoteDrummer:
    from client.asynchronous import AsyncRemoteDrummer

    return AsyncRemoteDrummer(
        where.address,
        token=_token(options) or where.token,
        ca=options.tls_ca,
        certificate=options.tls_cert,
        key=options.tls_key,
        tls=options.tls,
        deadline=options.timeout,
    )


def _token(options: argparse.Namespace) -> str | None:
    if options.token_file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        return files.read_file(options.token_file, _MOST_TOKEN_BYTES).decode("ascii").strip()
    except UnicodeDecodeError:
        name = files.named(options.token_file)
        raise InputError(f"{name} holds no token; wanted letters, digits and signs alone") from None


async def _show_lists(options: argparse.Namespace) -> int:
    """Print the requested lists of the server; return the exit code."""
    from client import listing, messages

    if options.status:
        return await _show_status(options)
    async with _server(options) as drummer:
        if options.list_models:
            listing.show(map(listing.model, await drummer.models()), as_json=options.json)
        if options.list_generators:
            listing.show(map(listing.generator, await drummer.generators()), as_json=options.json)
        if options.list_grooves:
            song = paths.read(options.files[0], messages.MOST_BYTES) if options.files else None
            found = await drummer.grooves(song, remote_options(options))
            listing.show(map(listing.groove, found), as_json=options.json)
        if options.list_drum_maps:
            listing.show(map(listing.drum_map, await drummer.drum_maps()), as_json=options.json)
        if options.info:
            info = listing.server(await drummer.server_info(), drummer.connection.address)
            listing.show([info], as_json=options.json)
    return 0


async def _show_status(options: argparse.Namespace) -> int:
    from client import discovery
    from client.errors import DeadlineExceeded, ServerUnavailable

    line: dict[str, object] = {"serving": False, "address": discovery.find(options.server).address}
    try:
        async with _server(options) as drummer:
            line["address"] = drummer.connection.address
            line["serving"] = await drummer.is_ready()
            line["version"] = (await drummer.server_info()).version
    except (ServerUnavailable, DeadlineExceeded) as error:
        line["message"] = str(error)
    with standard_output():
        print(json.dumps(line), flush=True)
    return 0 if line["serving"] else 3


# --- beats ------------------------------------------------------------------------------------------------------------


def _compose(options: argparse.Namespace) -> int:
    """Request beats and write them; return the exit code."""
    from client import sessions

    brief = sessions.RemoteBrief(**{name: getattr(options, name) for name in BRIEF}, model=options.model)
    genres = [share.name for share in sessions.brief_message(brief, options.takes).genres]
    if options.guitar and options.takes > 1:
        raise OptionError(f"--takes is {options.takes}, and one beat is played to --guitar; leave out one of them")
    targets = paths.numbered(paths.beat(options.output, genres, brief.bpm), options.takes)
    drums = str(Path(targets[0]).with_suffix(paths.OUTPUT_SUFFIX)) if options.guitar else ""
    if drums and "-" in targets:
        raise OptionError("standard output has no room for other files; name a file with -o")
    inputs = paths.identities([options.guitar] if options.guitar else [])
    for target in [*targets, *filter(None, [drums])]:
        paths.check_target(target, inputs, overwrite=options.force)
    return asyncio.run(_write_beats(brief, targets, drums, options))


async def _write_beats(brief: RemoteBrief, targets: Sequence[str], drums: str, options: argparse.Namespace) -> int:
    from client import listing

    async with _server(options) as drummer:
        if options.guitar:
            made = [await drummer.compose(brief, guitar=options.guitar)]
        else:
            made = await drummer.beats(brief, len(targets))
    for beat, target in zip(made, targets, strict=True):
        paths.write(beat.midi, target, overwrite=options.force)
        if beat.drums is not None:
            paths.write(beat.drums.midi, drums, overwrite=options.force)
        if target != "-":
            listing.show([listing.beat(beat, target, drums)], as_json=options.json)
    return 0


# --- a folder ---------------------------------------------------------------------------------------------------------


def watch(options: argparse.Namespace) -> int:
    """Make drums for the songs of a folder until Ctrl-C; return the exit code.

    Raises:
        Seq2DrumError: a wrong option, or a failure that waiting does not mend.
    """
    if not 0 <= options.settle < float("inf"):
        raise OptionError(f"--settle is {options.settle}, wanted a number of seconds")
    wanted = replace(remote_options(options), plan=shared.read_plan(options, songs=1))  # a song's, exported again
    try:
        return asyncio.run(_watch_folder(options, wanted))
    except KeyboardInterrupt:
        if options.once:
            raise
        say("seq2drum: stopped")  # the normal end of watching
        return 0


async def _watch_folder(options: argparse.Namespace, wanted: RemoteOptions) -> int:
    from client import listing, songs
    from client.watch import FolderWatch

    async with AsyncExitStack() as stack:
        server = _Reopened(options, stack)
        await server.open()

        async def play(data: bytes, asked: Mapping[str, object]) -> list[RemoteTake]:
            patience = options.timeout if options.once else 0.0
            own = _own_options(wanted, asked)
            return await songs.retry(
                lambda: server.call(lambda drummer: drummer.takes(data, own, options.takes)), patience
            )

        def written(take: RemoteTake, source: str, target: str, seconds: float) -> None:
            terminal.show(listing.take(take, source, target, seconds), as_json=options.json)

        watch = FolderWatch(
            Path(options.folder),
            Path(options.output),
            play,
            options.takes,
            written,
            lambda text: say(f"seq2drum: {text}"),
            options.settle,
            options.once,
            lambda: server.call(songs.parallel_calls),
        )
        return await watch.run()


def _own_options(wanted: RemoteOptions, asked: Mapping[str, object]) -> RemoteOptions:
    """Return the options of a song: those of the command, with its own in their place.

    Raises:
        OptionError: one is unknown, of another kind, or names a file: only the command may have files sent.
    """
    from client.mcp_schema import FORM, OPTIONS, schema, values
    from seq2drum.play.asked import by_section, reference

    if not asked:
        return wanted
    own = values(asked, schema(*(name for name in OPTIONS if name != "like"), *FORM))
    if groove := own.get("groove"):
        for one in by_section(groove).values():
            if reference(str(one)).is_file:
                raise OptionError(f"the groove is a file, {str(one)[:60]!r}; wanted the name of a groove")
    return replace(wanted, **own)


class _Reopened:
    """A server for calls over hours. With --start-server, one that has gone, as it does when idle, is started again."""

    def __init__(self, options: argparse.Namespace, stack: AsyncExitStack) -> None:
        self._options, self._stack = options, stack
        self._drummer: AsyncRemoteDrummer | None = None
        self._opening = asyncio.Lock()

    async def open(self, gone: AsyncRemoteDrummer | None = None) -> AsyncRemoteDrummer:
        """Return the way to the server, opened anew if it is still the one that has gone."""
        async with self._opening:
            if self._drummer is None or self._drummer is gone:
                self._drummer = await self._stack.enter_async_context(_server(self._options))
            return self._drummer

    async def call(self, do: Callable[[AsyncRemoteDrummer], Awaitable[_T]]) -> _T:
        """Return what a call returns; one that finds no server is repeated at a new one."""
        from client.errors import ServerUnavailable

        drummer = await self.open()
        try:
            return await do(drummer)
        except ServerUnavailable as error:
            if not self._options.start_server or error.retry_seconds is not None:  # one answers
                raise
        return await do(await self.open(gone=drummer))


# --- an assistant -----------------------------------------------------------------------------------------------------


def _mcp(options: argparse.Namespace) -> int:
    """Serve an assistant on the standard streams until it disconnects; return the exit code."""
    try:
        from client import mcp
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        raise MissingExtraError("an assistant needs the package mcp: pip install 'seq2drum[mcp]'") from None
    asyncio.run(mcp.serve(options.folders, lambda: _server(options)))
    return 0
