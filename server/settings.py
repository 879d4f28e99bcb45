"""All that an operator can set: names, defaults, ranges and what else must hold, in one place.

A setting is a field of `Settings`; its flag, its environment variable and its help follow from it. `make` reads texts,
from flags and from the environment, and `Settings` refuses what makes no sense, however it was made. Nothing here opens
a file but the one with the token.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import math
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seq2drum.errors import OptionError
from seq2drum.music.limits import DEFAULT_LIMITS, Limits

PREFIX = "SEQ2DRUM_"
KIB, MIB = 1 << 10, 1 << 20
OVERHEAD_BYTES = 64 * KIB
"""What a message may hold beside its MIDI file."""

AHEAD = 0.1
"""Seconds. A caller's deadline began when he sent, ours when we heard of it: one who leaves so early was too late."""

ID = re.compile(r"[a-z0-9._-]{1,64}")
"""What a model may be called."""

LIMITS: Mapping[str, dataclasses.Field[Any]] = MappingProxyType(
    {f"limit_{limit.name}": limit for limit in dataclasses.fields(Limits)}
)
"""The settings that limit a MIDI file: name -> field of `Limits`."""

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "network": "where it listens",
        "safety": "who is let in",
        "models": "who plays",
        "capacity": "how much at once, and for how long",
        "limits of a file": "a file beyond one of them is refused, and told so",
        "watching it": "what it tells its operator",
    }
)


@dataclass(frozen=True, slots=True)
class Told:
    """How a setting is given: its group in the help, its sentence, and its range (`least` to `most`, both included)."""

    group: str
    help: str
    least: float = 0
    most: float = math.inf
    metavar: str = "N"


def _set(default: Any, group: str, help: str, least: float = 0, most: float = math.inf, metavar: str = "N") -> Any:
    return field(default=default, metadata={"told": Told(group, help, least, most, metavar)})


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is set. Made directly it has the defaults below; `make` adds flags, environment and the state file's place.

    Raises:
        OptionError: a value is out of its range, or two do not go together.
    """

    host: str = _set(
        "127.0.0.1", "network", "address to listen on: an IP address, localhost, or unix:PATH", metavar="ADDRESS"
    )
    port: int = _set(
        50051, "network", "port to listen on (default: 50051); 0: any free one, which is printed", most=65535
    )
    reflection: bool = _set(
        False,
        "network",
        "tell the contract to whoever asks (gRPC reflection) beyond loopback, too; on loopback it is told",
    )
    idle_exit_seconds: float = _set(
        0.0, "network", "end after so many seconds without a call; 0: never", metavar="SECONDS"
    )

    tls_cert: str = _set("", "safety", "certificate chain of the server, PEM", metavar="FILE")
    tls_key: str = _set("", "safety", "its private key, PEM", metavar="FILE")
    client_ca: str = _set("", "safety", "let in only clients with a certificate of this authority, PEM", metavar="FILE")
    token: str = field(default="", repr=False)
    insecure: int = _set(0, "safety", "given twice: listen beyond loopback without TLS or without credentials")

    models: Mapping[str, str] = field(default_factory=lambda: {"default": "default"})
    default_model: str = _set("", "models", "the model of calls that name none (default: the first)", metavar="ID")
    engines: int = _set(
        0, "models", "processes that play, each with all models in memory (default: one a core, at most 4)", most=256
    )
    threads: int = _set(1, "models", "threads of each of them", least=1, most=256)

    playing: int = _set(
        0, "capacity", "calls that are played at once (default: 8 for each process that plays)", most=4096
    )
    waiting: int = _set(32, "capacity", "calls that wait for their turn; one more is refused", most=65536)
    uploads: int = _set(64, "capacity", "calls whose file is still arriving; one more is refused", least=1, most=65536)
    screens: int = _set(2, "capacity", "processes that read files", least=1, most=256)
    queue_seconds: float = _set(
        30.0, "capacity", "a call that waited so long is refused", least=0.001, most=86400, metavar="SECONDS"
    )
    default_deadline_seconds: float = _set(
        120.0,
        "capacity",
        "how long a call may take that has no deadline of its own, and any file to arrive",
        least=0.001,
        most=86400,
        metavar="SECONDS",
    )
    idle_seconds: float = _set(
        30.0,
        "capacity",
        "how long a client may pause in sending a file or in taking its drums",
        least=0.001,
        most=86400,
        metavar="SECONDS",
    )
    grace_seconds: float = _set(
        30.0,
        "capacity",
        "how long calls may go on after the first SIGTERM or Ctrl-C; a second one ends them",
        most=86400,
        metavar="SECONDS",
    )

    max_message_bytes: int = _set(
        MIB + 256 * KIB, "limits of a file", "size of a message in bytes", least=OVERHEAD_BYTES + 1, most=48 * MIB
    )
    max_chunk_bytes: int = _set(64 * KIB, "limits of a file", "size of a chunk of a stream in bytes", least=1, most=MIB)
    max_bars: int = _set(2000, "limits of a file", "bars of a file", least=1, most=100_000)
    max_takes: int = _set(8, "limits of a file", "takes of a call", least=1, most=64)
    screen_seconds: float = _set(
        5.0, "limits of a file", "time that reading a file may take", least=0.1, most=3600, metavar="SECONDS"
    )
    screen_mebibytes: int = _set(
        1024, "limits of a file", "memory that reading a file may take", least=256, most=1 << 20, metavar="MIB"
    )
    limits: Limits = DEFAULT_LIMITS

    metrics_port: int | None = _set(
        None, "watching it", "tell figures to Prometheus on 127.0.0.1 at this port; 0: any free one", most=65535
    )
    log_format: str = _set(
        "", "watching it", "text or json (default: text on a terminal, json elsewhere)", metavar="FORMAT"
    )
    state_file: str = _set(
        "",
        "watching it",
        "where local helpers find address, port and token; none: nowhere (default: seq2drum/server.json in the "
        "place of this system for such files)",
        metavar="FILE",
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", MappingProxyType(dict(self.models)))
        if not self.default_model and self.models:
            object.__setattr__(self, "default_model", next(iter(self.models)))
        if not self.engines:
            object.__setattr__(self, "engines", min(_cores(), 4))
        if not self.playing:
            object.__setattr__(self, "playing", 8 * self.engines)
        _check_ranges(self)
        _check_models(self)
        _check_sizes(self)
        _check_host(self.host)
        _check_safety(self)
        if self.log_format not in ("", "text", "json"):
            raise OptionError(f"{_called('log_format')} is {self.log_format!r}, wanted text or json")

    @property
    def tls(self) -> bool:
        """Whether the line is encrypted."""
        return bool(self.tls_cert)

    @property
    def target(self) -> str:
        """The address as gRPC takes it, port and all."""
        if self.host.startswith("unix:"):
            return self.host
        host = "127.0.0.1" if self.host == "localhost" else self.host.strip("[]")
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


_SHORT = MappingProxyType({"idle_exit_seconds": "idle_exit"})  # as programs that start the server say it


def told() -> dict[str, Told]:
    """The settings that have a flag of the plain sort: name -> how it is given, in the order of the help."""
    return {item.name: item.metadata["told"] for item in dataclasses.fields(Settings) if "told" in item.metadata}


def flag(name: str) -> str:
    """The flag of a setting: `max_bars` -> `--max-bars`."""
    return "--" + _SHORT.get(name, name).replace("_", "-")


def variable(name: str) -> str:
    """The environment variable of a setting: `max_bars` -> `SEQ2DRUM_MAX_BARS`."""
    return PREFIX + _SHORT.get(name, name).upper()


def make(given: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Settings from flags and environment; flags win.

    given: texts by the name of the setting, as the flags had them (`True` or a count for flags without a value);
        `models` a list of "ID=DIR"; `token_file` the path of a file with the token.

    Raises:
        OptionError: a value is wrong; the message is one line.
    """
    values: dict[str, Any] = {}
    types = {item.name: str(item.type) for item in dataclasses.fields(Settings)}
    for name in told():
        text = _text(name, given, environ)
        if text is not None:
            values[name] = _value(name, types[name], text)
    limits = {}
    for name, limit in LIMITS.items():
        text = _text(name, given, environ)
        if text is not None:
            limits[limit.name] = _value(name, str(limit.type), text)
    values["limits"] = Limits(**limits)
    named = given.get("models") or _split(environ.get(variable("models"), ""))
    if named:
        values["models"] = _models(named)
    values["token"] = _token(given, environ)
    place = values.get("state_file") or str(default_state_file(environ))
    values["state_file"] = "" if place == "none" else place
    return Settings(**values)


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Settings from the environment alone.

    Raises:
        OptionError: as `make`.
    """
    return make({}, environ)


def default_state_file(environ: Mapping[str, str]) -> Path:
    """Where this system has such files: %LOCALAPPDATA%, $XDG_STATE_HOME, or ~/.local/state."""
    if sys.platform == "win32":
        folder = environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    else:
        folder = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(folder) / "seq2drum" / "server.json"


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost" or host.startswith("unix:"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _called(name: str) -> str:
    return f"{flag(name)} ({variable(name)})"


def _text(name: str, given: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    """What was given, by flag or else by variable; None if nothing was. An empty variable is none at all."""
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
        raise OptionError(f"{_called(name)} is {text!r}, wanted {wanted}") from None


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


def _split(text: str) -> list[str]:
    return [item for item in text.split(os.pathsep) if item]


def _models(named: list[str]) -> dict[str, str]:
    models: dict[str, str] = {}
    for item in named:
        name, equals, folder = item.partition("=")
        if not equals or not folder:
            raise OptionError(f"--model ({variable('models')}) is {item!r}, wanted ID=DIR, such as mine=runs/mine")
        if name in models:
            raise OptionError(f"--model ({variable('models')}) names {name!r} twice, wanted each id once")
        models[name] = folder
    return models


def _token(given: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    place = _text("token_file", given, environ)
    if place is None:
        return environ.get(variable("token"), "")
    try:
        token = Path(place).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise OptionError(f"{_called('token_file')} is {str(place)!r}, which cannot be read ({why})") from error
    if not token:
        raise OptionError(f"{_called('token_file')} is {str(place)!r}, which is empty; wanted one line with the token")
    return token


def _check_ranges(settings: Settings) -> None:
    for name, how in told().items():
        value = getattr(settings, name)
        if value is None or isinstance(value, str | bool):
            continue
        if not how.least <= value <= how.most:
            wanted = f"{how.least:,g} or more" if how.most == math.inf else f"{how.least:,g} to {how.most:,g}"
            raise OptionError(f"{_called(name)} is {value:,}, wanted {wanted}")
    for name, limit in LIMITS.items():
        value = getattr(settings.limits, limit.name)
        if not 0 < value < 1 << 31:
            raise OptionError(f"{_called(name)} is {value:,}, wanted more than 0 and less than {1 << 31:,}")


def _check_models(settings: Settings) -> None:
    if not settings.models:
        raise OptionError("there is no model, wanted at least one: --model ID=DIR")
    for name in settings.models:
        if not ID.fullmatch(name):
            raise OptionError(
                f"--model ({variable('models')}) names {name!r}, "
                "wanted 1 to 64 of a-z, 0-9, '.', '_' and '-' before the ="
            )
    if settings.default_model not in settings.models:
        raise OptionError(
            f"{_called('default_model')} is {settings.default_model!r}, wanted one of {', '.join(settings.models)}"
        )


def _check_sizes(settings: Settings) -> None:
    least = settings.limits.file_bytes + OVERHEAD_BYTES
    if settings.max_message_bytes < least:
        raise OptionError(
            f"{_called('max_message_bytes')} is {settings.max_message_bytes:,}, too small for a file of "
            f"{settings.limits.file_bytes:,} bytes ({flag('limit_file_bytes')}): wanted {least:,} or more"
        )
    if settings.limits.slowest > settings.limits.fastest:
        raise OptionError(
            f"{flag('limit_slowest')} is {settings.limits.slowest:g} and {flag('limit_fastest')} "
            f"{settings.limits.fastest:g}, wanted the slowest below the fastest"
        )


def _check_host(host: str) -> None:
    """A name would have to be looked up, may mean several addresses, and it must be plain who can reach them."""
    if host == "localhost" or (host.startswith("unix:") and len(host) > len("unix:")):
        return
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise OptionError(
            f"{_called('host')} is {host!r}, wanted an IP address such as 127.0.0.1, localhost, or unix:PATH"
        ) from None


def _check_safety(settings: Settings) -> None:
    """Nobody is let in by accident: see `Settings.insecure`."""
    if bool(settings.tls_cert) != bool(settings.tls_key):
        there, missing = ("tls_cert", "tls_key") if settings.tls_cert else ("tls_key", "tls_cert")
        raise OptionError(f"{_called(there)} is given without {_called(missing)}, wanted both or neither")
    if settings.client_ca and not settings.tls_cert:
        raise OptionError(
            f"{_called('client_ca')} is given without {_called('tls_cert')} and {_called('tls_key')}: clients show "
            "certificates only where the server has one; give both"
        )
    if settings.token and not re.fullmatch(r"[!-~]{16,512}", settings.token):
        raise OptionError(
            f"the token ({variable('token')} or --token-file) has {len(settings.token)} characters or odd ones, "
            "wanted 16 to 512 of ASCII without spaces; "
            "python -c 'import secrets; print(secrets.token_hex())' makes one"
        )
    if is_local(settings.host) or settings.insecure >= 2:
        return
    open_to_all = not (settings.client_ca or settings.token)
    if settings.tls and not open_to_all:
        return
    lacking = [] if settings.tls else [f"TLS ({flag('tls_cert')} and {flag('tls_key')})"]
    lacking += [f"credentials ({flag('client_ca')}, or a token by {variable('token')} or --token-file)"] * open_to_all
    raise OptionError(
        f"{_called('host')} is {settings.host!r}, which other machines may reach, without {' and '.join(lacking)}: "
        "give what is missing, listen on 127.0.0.1, or say --insecure twice if something else keeps strangers out"
    )
