"""The server's command line: flags and environment become `Settings`, and the server runs.

Exit codes: 0 stopped by a signal or after an idle time; 1 a worker could not be started; 2 a setting is wrong, which
one line explains; 130 Ctrl-C before it was running.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seq2drum import __version__
from seq2drum.console.arguments import Parser
from seq2drum.console.terminal import open_closed_streams, say
from seq2drum.errors import MissingExtraError, OptionError, Seq2DrumError
from seq2drum.music.limits import Limits
from seq2drum.music.shown import visible
from seq2drum.system.places import state_folder
from server import logs, settings
from server.settings import LIMITS, Settings, label, read_tokens, table, variable

NAME = "seq2drum-server"
FLUSH_SECONDS = 1.0
"""The time for log lines to be read when the server ends."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until a signal stops it; return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    open_closed_streams()
    try:
        chosen = read_settings(vars(_parser().parse(words)), os.environ)
    except Seq2DrumError as error:
        say(f"{NAME}: {error}")
        return 2
    stream = logs.NonBlockingStream(sys.stderr.fileno(), lost=logs.log_dropped)
    logs.set_up(chosen.log_format, stream)
    sys.unraisablehook = logs.log_unraisable
    # A person must see why it does not start, wherever the log goes, unless the log was promised to be JSON.
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
        stream.close(FLUSH_SECONDS)


def _serve(chosen: settings.Settings) -> int:
    # gRPC logs several lines for one event of this program. Its fork handlers disturb workers.
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
        description="A drummer for your guitar, as a service. The environment variable in brackets sets the same "
        "as its flag; a flag wins.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"seq2drum {__version__}")
    groups = {name: parser.add_argument_group(name, text) for name, text in settings.GROUPS.items()}
    # 1. Settings that are one number, text or switch.
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
    # 2. Settings of another form.
    groups["safety"].add_argument(
        "--token-file",
        metavar="FILE",
        help=_help(
            "token_file",
            f"file with the token that callers must send, or with lines of NAME TOKEN [CALLS], CALLS being the most "
            f"that NAME may have at the same time; the server reads it again when it changes; or give the token by "
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
            "a model and its id for callers: the folder of a training run, or a shipped model; may be given more "
            f"than once (default: default=default, the shipped one; several in the variable: with {os.pathsep!r})",
        ),
    )
    # 3. Limits of a file.
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


# --- from flags and environment to settings ---------------------------------------------------------------------------


def read_settings(given: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Return the settings of flags and environment; flags win.

    given: texts by the name of the setting, as the flags had them (`True` or a count for flags without a value);
    `models` a list of "ID=DIR"; `token_file` the path of a file with the token.

    Raises:
        OptionError: a value is wrong; the message is one line.
    """
    values: dict[str, Any] = {}
    types = {item.name: str(item.type) for item in dataclasses.fields(Settings)}
    for name in table():
        text = _text(name, given, environ)
        if text is not None:
            values[name] = _value(name, types[name], text)
    limits = {}
    for name, limit in LIMITS.items():
        text = _text(name, given, environ)
        if text is not None:
            limits[limit.name] = _value(name, str(limit.type), text)
    values["limits"] = Limits(**limits)
    models = given.get("models") or [item for item in environ.get(variable("models"), "").split(os.pathsep) if item]
    if models:
        values["models"] = _models(models)
    values |= _tokens(given, environ)
    path = values.get("state_file") or str(default_state_file(environ))
    values["state_file"] = "" if path == "none" else path
    return Settings(**values)


def default_state_file(environ: Mapping[str, str]) -> Path:
    """Return the default state file, in the folder of this system for such files."""
    return state_folder(environ) / "server.json"


def _text(name: str, given: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    """Return the value of a flag, or else of a variable; None if neither is set. An empty variable counts as unset."""
    if given.get(name) is not None:
        return given[name]
    return environ.get(variable(name)) or None


def _value(name: str, kind: str, text: Any) -> Any:
    if not isinstance(text, str):
        return text
    reader, wanted = _READERS[kind.removesuffix(" | None")]
    try:
        return reader(text.strip())
    except ValueError:
        raise OptionError(f"{label(name)} is {text!r}, wanted {wanted}") from None


def _switch(text: str) -> bool:
    if text.lower() not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        raise ValueError(text)
    return text.lower() in ("1", "true", "yes", "on")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


_READERS: Mapping[str, tuple[Callable[[str], Any], str]] = MappingProxyType(
    {
        "str": (str, "text"),
        "int": (int, "a whole number"),
        "float": (_number, "a number"),
        "bool": (_switch, "1 or 0"),
    }
)


def _models(texts: list[str]) -> dict[str, str]:
    """Return model folders by id, from texts such as "mine=runs/mine"."""
    models: dict[str, str] = {}
    for item in texts:
        name, equals, folder = item.partition("=")
        if not equals or not folder:
            raise OptionError(f"--model ({variable('models')}) is {item!r}, wanted ID=DIR, such as mine=runs/mine")
        if name in models:
            raise OptionError(f"--model ({variable('models')}) names {name!r} twice, wanted each id once")
        models[name] = folder
    return models


def _tokens(given: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of tokens: those of the file, or else the one of the variable."""
    path = _text("token_file", given, environ)
    if path is None:
        return {"token": environ.get(variable("token"), "")}
    try:
        found = read_tokens(str(path))
    except OptionError as error:
        raise OptionError(f"{label('token_file')} is wrong: {error}") from error
    only = found[0].secret if found[0].name == "" else ""
    return {"token": only, "tokens": () if only else found, "token_file": str(path)}
