"""The server's command line: flags and printing, nothing else.

Exit codes: 0 stopped by a signal or for want of calls; 1 a worker could not be started; 2 a setting is wrong, which one
line explains; 130 Ctrl-C before it was running.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from collections.abc import Sequence
from typing import Any

from seq2drum import __version__
from seq2drum.console.arguments import Parser
from seq2drum.console.terminal import open_closed_streams, say
from seq2drum.errors import MissingExtraError, Seq2DrumError
from seq2drum.music.shown import visible
from server import configuration, logs, settings

NAME = "seq2drum-server"
LAST_WORDS_SECONDS = 1.0
"""How long what was logged may take to be read when the server ends."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until a signal asks it to stop; returns the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    open_closed_streams()
    try:
        chosen = configuration.read(vars(_parser().parse(words)), os.environ)
    except Seq2DrumError as error:
        say(f"{NAME}: {error}")
        return 2
    stream = logs.Unblocked(sys.stderr.fileno(), lost=logs.lost)
    logs.set_up(chosen.log_format, stream)
    sys.unraisablehook = logs.ignored
    # Why it does not start is for people wherever the log goes, unless a program was promised to get lines of JSON.
    tell = logs.say if chosen.log_format == "json" else lambda text: stream.write(f"{visible(text)}\n")
    try:
        return _serve(chosen)
    except Seq2DrumError as error:
        tell(f"{NAME}: {error}")
        return 2
    except KeyboardInterrupt:
        tell(f"{NAME}: stopped")
        return 130
    finally:
        stream.close(LAST_WORDS_SECONDS)


def _serve(chosen: settings.Settings) -> int:
    # gRPC logs in several lines what this program says in one. Its hooks for fork are in the way of workers.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    try:
        from server import lifecycle
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{error.name} is not installed: pip install 'seq2drum[server]'") from error
    return asyncio.run(lifecycle.serve(chosen, logs.say, lambda port: print(port, flush=True)))


def _parser() -> Parser:
    parser = Parser(
        prog=NAME,
        description="A drummer for your guitar, as a service. What a flag says can be said by the environment variable "
        "that is named beside it, too; a flag wins.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"seq2drum {__version__}")
    groups = {name: parser.add_argument_group(name, text) for name, text in settings.GROUPS.items()}
    # 1. The settings that are one number, text or switch.
    defaults = {item.name: item.default for item in dataclasses.fields(settings.Settings)}
    for name, setting in settings.table().items():
        flag = settings.flag(name)
        if isinstance(defaults[name], bool):
            groups[setting.group].add_argument(
                flag, action="store_true", default=None, dest=name, help=_help(name, f"{setting.help} (default: no)")
            )
        elif name == "insecure":
            groups[setting.group].add_argument(flag, action="count", dest=name, help=_help(name, setting.help))
        else:
            text = _with_default(setting.help, defaults[name])
            groups[setting.group].add_argument(flag, dest=name, metavar=setting.metavar, help=_help(name, text))
    # 2. Those of a form of their own.
    groups["safety"].add_argument(
        "--token-file",
        metavar="FILE",
        help=_help(
            "token_file",
            f"file whose one line is the token that callers must show, or lines of NAME TOKEN [CALLS], with how many "
            f"calls each may have at once; it is read again when it changes; or give the token itself by "
            f"{settings.variable('token')} (never as a flag: all users of a machine see those)",
        ),
    )
    groups["models"].add_argument(
        "--model",
        dest="models",
        action="append",
        metavar="ID=DIR",
        help=_help(
            "models",
            "a model and what callers call it: the folder of a training run, or a shipped model; may be given more "
            f"than once (default: default=default, the shipped one; several in the variable: with {os.pathsep!r})",
        ),
    )
    # 3. The limits of a file.
    for name, limit in settings.LIMITS.items():
        text = _with_default(limit.metadata["help"], limit.default)
        groups["limits of a file"].add_argument(settings.flag(name), metavar="N", help=_help(name, text))
    return parser


def _with_default(text: str, default: Any) -> str:
    if default in (None, "") or "default:" in text:
        return text
    return f"{text} (default: {f'{default:,}'.removesuffix('.0') if not isinstance(default, str) else default})"


def _help(name: str, text: str) -> str:
    return f"{text} [{settings.variable(name)}]".replace("%", "%%")
