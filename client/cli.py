"""The client's command line: flags and printing, nothing else.

Exit codes are in `_CODES`, and in --help.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from seq2drum import __version__, files
from seq2drum.cli import paths
from seq2drum.cli.terminal import StandardOutputError, bar, say, standard_output
from seq2drum.errors import InputError, OptionError, Seq2DrumError
from seq2drum.music.limits import MIDI_SUFFIXES

if TYPE_CHECKING:  # imported on use: help and errors come at once
    from client.asynchronous import AsyncRemoteDrummer
    from client.finding import Found
    from client.messages import RemoteOptions, RemoteTake
    from client.status_file import StatusFile
    from seq2drum.rpc import accompaniment_pb2 as pb

STYLES = "jazz, shuffle, latin, metal, dance, reggae, funk, pop, rock"
STOPPED = 130
TOKEN_VARIABLE = "SEQ2DRUM_TOKEN"
TIMEOUT_SECONDS = 120.0
_POLL_SECONDS = 0.1
_MOST_TOKEN_BYTES = 8192
# The fields of `RemoteOptions` that have a flag of the same name and are None where it is not given.
_ASKED = (
    "temperature",
    "top_p",
    "track",
    "intensity",
    "complexity",
    "fills",
    "humanize",
    "swing",
    "prime",
    "bars",
    "drum_map",
    "model",
)
_CODES = """exit codes:
  0    all done
  2    something was wrong with what was asked or given: a file, an option, a token
  3    no server answered, or it was busy or too slow: try again
  4    the server failed
  130  stopped, by Ctrl-C or --cancel-file"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what it would say on standard error is said in an error, too
    watches = words[:1] == ["watch"]
    status: StatusFile | None = None
    code, message = 1, "the program failed, and said why on standard error"
    try:
        # Before all else, so that whoever looks there learns of a flag that makes no sense, too.
        status = _status_file(words)
        if watches:
            code = _watch(_watch_parser().parse_args(words[1:]))
        else:
            code = _run(_parser().parse_intermixed_args(words), status)
        message = ""
    except SystemExit:
        code, message = 0, ""  # --help and --version have said all
    except StandardOutputError as error:
        code, message = 2, str(error)
        if not isinstance(error.__cause__, BrokenPipeError):  # whoever stopped reading needs no message
            say(f"seq2drum: {error}")
        # Python would try once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Seq2DrumError as error:
        from client.errors import exit_code

        code, message = exit_code(error), str(error)
        say(f"seq2drum: {message}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        code, message = STOPPED, "stopped"
        say("seq2drum: stopped")
    finally:
        if status is not None:
            status.end(code, message)
    return code


# --- flags ------------------------------------------------------------------------------------------------------------


class _Lines(argparse.HelpFormatter):
    """Leaves a text of several lines as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class _Parser(argparse.ArgumentParser):
    """Errors are errors of the tree here, and one line, as everywhere."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{message}; {self.prog} --help lists all options")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m client",
        description="Drums for guitar MIDI files, from a server. python -m client watch --help: for whole folders, as "
        "files come.",
        epilog="examples:\n  python -m client song.mid\n  python -m client takes/ -o drums/ --style rock --seed 3\n"
        f"  python -m client watch exported/ drums/\n\n{_CODES}",
        formatter_class=_Lines,
    )
    parser.add_argument("--version", action="version", version=f"seq2drum {__version__}")
    parser.add_argument("files", nargs="*", metavar="SONG", help="MIDI files, folders of them, or - for standard input")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE|DIR",
        help=f"where to write; - is standard output (default: SONG{paths.OUTPUT_SUFFIX} beside the song)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    parser.add_argument("--explain", action="store_true", help="tell bar by bar what was done, and what it goes with")
    parser.add_argument("--json", action="store_true", help="print one line of JSON a take")
    _add_music(parser)
    _add_server(parser)
    group = parser.add_argument_group("what a server has")
    group.add_argument("--list-models", action="store_true", help="print its models and their styles")
    group.add_argument("--list-drum-maps", action="store_true", help="print its drum maps")
    group.add_argument("--info", action="store_true", help="print its version and its limits")
    group = parser.add_argument_group("for programs that start this one")
    group.add_argument("--start-server", action="store_true", help="start a server here if none answers")
    group.add_argument("--status", action="store_true", help="print one line of JSON, whether a server answers")
    group.add_argument("--status-file", metavar="FILE", help="keep one line of JSON there, how far this is")
    group.add_argument("--cancel-file", metavar="FILE", help="stop as soon as there is such a file")
    return parser


def _watch_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m client watch",
        description="Drums for every MIDI file that appears or changes in a folder: NAME.mid gets NAME.drums.mid, "
        "whole or not at all. Where that cannot be, NAME.mid.error.txt says why, until it can. The two folders may be "
        "one. Files that are there at the start are played to if their drums are missing or older. Names that end in "
        ".drums.mid are never taken for songs. A server that is away or busy is waited for, but not with --once. "
        "Ctrl-C ends it, with code 0.",
        epilog=_CODES,
        formatter_class=_Lines,
    )
    parser.add_argument("folder", metavar="IN", help="where songs appear")
    parser.add_argument("output", metavar="OUT", help="where drums go; is made if it is not there")
    parser.add_argument("--once", action="store_true", help="play to what is there, wait for nothing, and end")
    parser.add_argument("--json", action="store_true", help="print one line of JSON a take")
    parser.add_argument(
        "--settle",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="a file is whole when it stays so long (default: 1)",
    )
    _add_music(parser)
    _add_server(parser)
    return parser


def _add_music(parser: argparse.ArgumentParser) -> None:
    ask = parser.add_argument_group(
        "what a musician asks for", "As in main.py --mode infer. What is not asked for, the model decides."
    )
    ask.add_argument("--seed", type=int, default=0, metavar="N", help="which take (default: 0)")
    ask.add_argument("--takes", type=int, default=1, metavar="N", help="N takes, SONG.drums.1.mid being the best")
    ask.add_argument("--style", metavar="NAME", help=f"{STYLES}, or auto (default)")
    for name, text in (
        ("intensity", "how much is played and how loud; 0.5 is what half of all music stays below"),
        ("complexity", "how much the drums lean against the beat, likewise"),
        ("fills", "how often: 0 never, 0.5 as drummers do, 1 twice as often"),
        ("humanize", "velocity and timing of human drummers: 0 stiff, 1 as they are"),
        ("swing", "where the second eighth falls: 0 half way, 1 at two thirds"),
    ):
        ask.add_argument(f"--{name}", type=float, metavar="0..1", help=text)
    ask.add_argument("--prime", type=int, metavar="BARS", help="play on from the first drum bars of the file")
    ask.add_argument(
        "--bars", type=_bars, metavar="A:B", help="play only these bars of the file's own drums anew, and keep the rest"
    )
    ask.add_argument("--track", metavar="N|NAME", help="the guitar part (default: what looks like one)")
    ask.add_argument("--drum-map", metavar="NAME", help="the notes of a sampler (default: gm)")
    ask.add_argument("--with-guitar", action="store_true", help="the whole song, with these drums instead of its own")
    ask.add_argument(
        "--temperature", type=float, metavar="T", help="0 the most likely take, 1 as free as real music (default: 1)"
    )
    ask.add_argument(
        "--top-p", type=float, metavar="P", help="keep this share of what is likely; lower is tamer (default: 0.99)"
    )
    ask.add_argument("--model", metavar="NAME", help="one of the server's models (default: the server's)")


def _add_server(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the server")
    group.add_argument(
        "--server",
        metavar="HOST:PORT",
        help="where it is (default: $SEQ2DRUM_SERVER, or the server that runs here, or localhost:50051)",
    )
    group.add_argument(
        "--timeout",
        type=float,
        default=TIMEOUT_SECONDS,
        metavar="SECONDS",
        help="that a song may take (default: 120)",
    )
    group.add_argument("--token-file", metavar="FILE", help=f"its token (default: ${TOKEN_VARIABLE})")
    group.add_argument("--tls", action="store_true", help="use TLS, with the authorities that are known here")
    group.add_argument("--tls-ca", metavar="FILE", help="use TLS, with this authority: a PEM file")
    group.add_argument("--tls-cert", metavar="FILE", help="this client's certificate: a PEM file")
    group.add_argument("--tls-key", metavar="FILE", help="and its key")


def _bars(text: str) -> tuple[int, int]:
    first, colon, last = text.partition(":")
    try:
        return int(first), int(last if colon else first)
    except ValueError:
        raise argparse.ArgumentTypeError(f"wanted A:B such as 9:16, found {text!r}") from None


def _status_file(words: list[str]) -> StatusFile:
    """The status file that is asked for, as far as that can be told before all flags are known."""
    from client.status_file import StatusFile

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--status-file", nargs="?")
    return StatusFile(parser.parse_known_args(words)[0].status_file or None)


def _wanted(options: argparse.Namespace, *, explain: bool = False) -> RemoteOptions:
    """What is asked for.

    Raises:
        OptionError: it is a number that cannot be sent.
    """
    from client import messages

    given = {name: value for name in _ASKED if (value := getattr(options, name)) is not None}
    wanted = messages.RemoteOptions(
        seed=options.seed, style=options.style, with_guitar=options.with_guitar, explain=explain, **given
    )
    messages.config(wanted, options.takes)  # what makes no sense is told once, and not with every file
    return wanted


# --- songs ------------------------------------------------------------------------------------------------------------


class _Work(NamedTuple):
    """A song, as it is called; what to open, which is not its name if it came on standard input; and where it goes."""

    name: str
    song: bytes | str
    targets: Sequence[str]


def _run(options: argparse.Namespace, status: StatusFile) -> int:
    lists = options.list_models or options.list_drum_maps or options.info
    if not (options.files or lists or options.status or options.start_server):
        raise OptionError("wanted a song: a MIDI file, a folder, or - for standard input; --help lists all options")
    if options.files and (lists or options.status):
        raise OptionError("songs are not played to where something is listed; leave out one of them")
    if options.files:
        wanted, work = _wanted(options, explain=options.explain), _plan(options)
        return asyncio.run(_heeding(options.cancel_file, lambda: _play(work, wanted, options, status)))
    return asyncio.run(_heeding(options.cancel_file, lambda: _tell_of_server(options)))


def _plan(options: argparse.Namespace) -> list[_Work]:
    """The songs in their turn. Standard input is read here: nothing can interrupt that later."""
    from client.messages import MOST_BYTES

    jobs = paths.jobs(options.files, options.output, MIDI_SUFFIXES)
    work = [_Work(source, source, paths.numbered(target, options.takes)) for source, target in jobs]
    return [item._replace(song=paths.read(item.name, MOST_BYTES)) for item in work]


async def _heeding(cancel_file: str | None, work: Callable[[], Awaitable[int]]) -> int:
    """Do some work, and cancel it when a file appears."""
    if cancel_file is None:
        return await work()
    task = asyncio.current_task()
    assert task is not None  # this is a coroutine

    async def look(path: Path) -> None:
        while not path.exists():
            await asyncio.sleep(_POLL_SECONDS)
        task.cancel()

    looking = asyncio.create_task(look(Path(cancel_file)))
    try:
        return await work()
    finally:
        looking.cancel()


async def _play(work: Sequence[_Work], wanted: RemoteOptions, options: argparse.Namespace, status: StatusFile) -> int:
    """Play to each song; one that cannot be used is told, and the others go on. Returns the exit code."""
    from client.errors import ServerUnavailable, Unauthenticated, exit_code

    inputs = {found for item in work if (found := paths.identity(item.name))}
    code = 0
    async with _server(options) as drummer:
        with bar(len(work), "playing") as advance:
            for item in work:
                try:
                    for target in item.targets:
                        paths.check_target(target, inputs, overwrite=options.force)
                    await _play_one(drummer, item, wanted, options, advance, status)
                except (StandardOutputError, ServerUnavailable, Unauthenticated):
                    raise  # it would be so with all that follow
                except Seq2DrumError as error:
                    told = paths.about(item.name, error)
                    say(f"seq2drum: {told}")
                    status.tell("failed", message=told)
                    code = max(code, exit_code(error))
    return code


async def _play_one(
    drummer: AsyncRemoteDrummer,
    item: _Work,
    wanted: RemoteOptions,
    options: argparse.Namespace,
    advance: Callable[[float, str], None],
    status: StatusFile,
) -> None:
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
    takes = await drummer.takes(item.song, wanted, len(item.targets), on_progress=on_progress if watched else None)
    bars = takes[0].timeline.bars * len(takes)
    status.progress(bars, bars)
    for take, target in zip(takes, item.targets, strict=True):
        paths.write(take.midi, target, overwrite=options.force)
        status.written(target, take.seed)
    advance(1 - shown, "")
    seconds = (time.perf_counter() - begun) / len(takes)
    for take, target in zip(takes, item.targets, strict=True):
        _report(take, item.name, target, seconds, options.json)


def _report(take: RemoteTake, source: str, target: str, seconds: float, as_json: bool) -> None:
    told = _json(take, source, target, seconds) if as_json else _told(take, target, seconds)
    if target != "-":
        with standard_output():
            print(told, flush=True)
    elif as_json or take.options.explain:  # standard output belongs to the take
        say(told)


def _json(take: RemoteTake, source: str, target: str, seconds: float) -> str:
    line: dict[str, object] = {
        "input": source,
        "output": target,
        "bars": take.timeline.bars,
        "hits": take.stats.hits,
        "seed": take.seed,
        "seconds": round(seconds, 3),
        "guitar": [str(number) for number in take.guitar.tracks],
        "why": take.guitar.reason,
        "model": take.model.id,
        "request": take.request_id,
    }
    if take.score is not None:
        line["score"] = round(take.score, 4)
    if take.options.explain:
        line["explain"] = [said._asdict() for said in take.explain()]
    return json.dumps(line)


def _told(take: RemoteTake, target: str, seconds: float) -> str:
    names = ", ".join(map(str, take.guitar.tracks))
    heard = f"{'part' if len(take.guitar.tracks) == 1 else 'parts'} {names} ({take.guitar.reason})"
    line = f"{target}: {take.timeline.bars} bars, {take.stats.hits} hits in {seconds:.1f} s, listening to {heard}"
    if take.score is not None:
        line += f"; seed {take.seed}, agreement with the other takes {take.score:.2f}"
    return "\n  ".join([line, *(map(str, take.explain()) if take.options.explain else ())])


# --- the server -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _server(options: argparse.Namespace) -> AsyncIterator[AsyncRemoteDrummer]:
    """The server that is meant; one is started if that is asked for and none answers."""
    from client import finding
    from client.errors import DeadlineExceeded, ServerUnavailable

    found = finding.find(options.server)
    if getattr(options, "start_server", False):
        try:
            async with _drummer(found, options) as drummer:
                await drummer.is_ready()
        except (ServerUnavailable, DeadlineExceeded):
            found = await finding.start(found)
        async with _drummer(found, options) as drummer:
            await drummer.wait_until_ready(finding.START_SECONDS)
    async with _drummer(found, options) as drummer:
        yield drummer


def _drummer(found: Found, options: argparse.Namespace) -> AsyncRemoteDrummer:
    from client.asynchronous import AsyncRemoteDrummer

    return AsyncRemoteDrummer(
        found.address,
        token=_token(options) or found.token,
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
        raise InputError(f"{options.token_file} holds no token; wanted letters, digits and signs alone") from None


async def _tell_of_server(options: argparse.Namespace) -> int:
    """Print what is asked for of the server itself; returns the exit code."""
    if options.status:
        return await _tell_status(options)
    async with _server(options) as drummer:
        if options.list_models:
            _print(map(_model, await drummer.models()), options.json)
        if options.list_drum_maps:
            _print(map(_drum_map, await drummer.drum_maps()), options.json)
        if options.info:
            _print([_info(await drummer.server_info(), drummer.connection.address)], options.json)
    return 0


async def _tell_status(options: argparse.Namespace) -> int:
    from client import finding
    from client.errors import DeadlineExceeded, ServerUnavailable

    line: dict[str, object] = {"serving": False, "address": finding.find(options.server).address}
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


class _Line(NamedTuple):
    """What is printed of something: to a person, and to a program."""

    text: str
    fields: dict[str, object]


def _model(model: pb.ModelInfo) -> _Line:
    styles = list(model.styles)
    text = f"{model.id}: {model.description}\n  styles: {', '.join(styles) or 'none'}"
    told = {"description": model.description, "license": model.license, "styles": styles, "sha256": model.sha256.hex()}
    return _Line(text, {"model": model.id, **told})


def _drum_map(info: pb.DrumMapInfo) -> _Line:
    pieces = {piece.piece: list(piece.notes) for piece in info.pieces}
    notes = ", ".join(f"{name} {' '.join(map(str, notes)) or '-'}" for name, notes in pieces.items())
    return _Line(f"{info.id}: {notes}", {"drum_map": info.id, "pieces": pieces})


def _info(info: pb.GetServerInfoResponse, address: str) -> _Line:
    doors = {1: "everyone", 2: "whoever has the token", 3: "whoever has a certificate"}
    limits = {field.name: getattr(info.limits, field.name) for field in info.limits.DESCRIPTOR.fields}
    text = f"seq2drum {info.version} at {address}, contract {', '.join(info.api_versions)}, lets in "
    text += doors.get(info.auth, "it does not say whom")
    text = "\n".join([text, *(f"  {name}: {value:g}" for name, value in limits.items())])
    told = {"version": info.version, "api_versions": list(info.api_versions), "auth": info.auth, "limits": limits}
    return _Line(text, {"address": address, **told})


def _print(lines: Iterable[_Line], as_json: bool) -> None:
    for line in lines:
        with standard_output():
            print(json.dumps(line.fields) if as_json else line.text, flush=True)


# --- a folder ---------------------------------------------------------------------------------------------------------


def _watch(options: argparse.Namespace) -> int:
    if not 0 <= options.settle < float("inf"):
        raise OptionError(f"--settle is {options.settle}, wanted a number of seconds")
    wanted = _wanted(options)
    try:
        return asyncio.run(_watch_folder(options, wanted))
    except KeyboardInterrupt:
        if options.once:
            raise
        say("seq2drum: stopped")  # which is how watching ends
        return 0


async def _watch_folder(options: argparse.Namespace, wanted: RemoteOptions) -> int:
    from client.watch import Watch

    async with _server(options) as drummer:

        async def play(data: bytes) -> list[RemoteTake]:
            return await drummer.takes(data, wanted, options.takes)

        def told(take: RemoteTake, source: str, target: str, seconds: float) -> None:
            _report(take, source, target, seconds, options.json)

        watch = Watch(
            Path(options.folder),
            Path(options.output),
            play,
            options.takes,
            told,
            lambda text: say(f"seq2drum: {text}"),
            options.settle,
            options.once,
        )
        return await watch.run()
