"""Settings of the server: names, defaults, ranges and rules between them, in one place.

A setting is a field of `Settings`; its flag, its environment variable and its help follow from it. `Settings` refuses
values that make no sense, however it was made; `cli` makes it from flags and the environment.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seq2drum.errors import OptionError
from seq2drum.music.limits import DEFAULT_LIMITS, Limits

# --- tokens -----------------------------------------------------------------------------------------------------------


TOKEN_NAME = re.compile(r"[a-z0-9._-]{1,64}")
TOKEN_SECRET = re.compile(r"[!-~]{16,512}")
_TOKEN_LINE = "NAME TOKEN, or TOKEN_NAME TOKEN CALLS, CALLS being the limit of its concurrent calls"


@dataclass(frozen=True, slots=True)
class Token:
    """A token. name: "" if it is the only one. calls: its limit of concurrent calls; 0: no separate limit."""

    name: str
    secret: str = field(repr=False)
    calls: int = 0


def read_tokens(path: str) -> tuple[Token, ...]:
    """Read a file of tokens: a single one, or lines with a name, a token and its limit. "#" begins a comment.

    Raises:
        OptionError: the file cannot be read, or has another form. The message quotes no token.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise OptionError(f"{path!r} cannot be read ({why})") from error
    lines = {number: line.partition("#")[0].split() for number, line in enumerate(text.splitlines(), start=1)}
    found = {number: words for number, words in lines.items() if words}
    if not found:
        raise OptionError(f"{path!r} is empty; wanted one line with the token, or lines of {_TOKEN_LINE}")
    if len(found) == 1 and len(words := next(iter(found.values()))) == 1:
        return (Token("", words[0]),)
    return tuple(_token(path, number, words) for number, words in found.items())


def check_tokens(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Return the tokens; refuse those that are easily guessed, that no header can carry, or that occur twice.

    Raises:
        OptionError: the message quotes no token.
    """
    names, secrets = set[str](), set[str]()
    for token in tokens:
        called = f"the token {token.name!r}" if token.name else "the token"
        if not TOKEN_SECRET.fullmatch(token.secret):
            raise OptionError(
                f"{called} has {len(token.secret)} characters or odd ones, wanted 16 to 512 of ASCII without spaces; "
                "python -c 'import secrets; print(secrets.token_hex())' makes one"
            )
        if token.name in names or token.secret in secrets:
            raise OptionError(f"{called} or its name is there twice, wanted each once")
        names.add(token.name)
        secrets.add(token.secret)
    return tokens


def _token(path: str, number: int, words: list[str]) -> Token:
    calls = words[2] if len(words) == 3 else "0"
    if len(words) not in (2, 3) or not TOKEN_NAME.fullmatch(words[0]) or not re.fullmatch(r"\d{1,5}", calls):
        raise OptionError(
            f"line {number} of {path!r} is not a token; wanted {_TOKEN_LINE}, the name of a-z, 0-9, '.', '_' and '-'"
        )
    return Token(words[0], words[1], int(calls))


# --- settings ---------------------------------------------------------------------------------------------------------


PREFIX = "SEQ2DRUM_"
KIB, MIB = 1 << 10, 1 << 20
OVERHEAD_BYTES = 64 * KIB
"""Space in a message for everything but its MIDI file."""

DEADLINE_SKEW_SECONDS = 0.1
"""The time by which a caller's deadline may pass before ours: it starts when the call is sent, ours when it arrives."""

MODEL_ID = re.compile(r"[a-z0-9._-]{1,64}")
"""The form of a model's id."""

LIMITS: Mapping[str, dataclasses.Field[Any]] = MappingProxyType(
    {f"limit_{limit.name}": limit for limit in dataclasses.fields(Limits)}
)
"""The settings that limit a MIDI file: name -> field of `Limits`."""

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "network": "addresses and ports",
        "safety": "authentication",
        "models": "who plays",
        "capacity": "how many calls, and for how long",
        "limits of a file": "a file beyond one of them is refused, with the limit in the message",
        "watching it": "metrics and logs",
    }
)


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting's group and help, and its range, from `least` to `most`, both included."""

    group: str
    help: str
    least: float = 0
    most: float = math.inf
    metavar: str = "N"


def _set(default: Any, group: str, help: str, least: float = 0, most: float = math.inf, metavar: str = "N") -> Any:
    return field(default=default, metadata={"setting": Setting(group, help, least, most, metavar)})


def _cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings. The class has the defaults below; `cli.read_settings` adds the operator's values.

    Raises:
        OptionError: a value is out of its range, or two contradict each other.
    """

    host: str = _set(
        "127.0.0.1", "network", "address to listen on: an IP address, localhost, or unix:PATH", metavar="ADDRESS"
    )
    port: int = _set(
        50051, "network", "port to listen on (default: 50051); 0: any free one, which is printed", most=65535
    )
    web_port: int | None = _set(
        None,
        "network",
        "serve the page for browsers at this port, too; 0: any free one (needs seq2drum[page])",
        most=65535,
    )
    web_names: str = _set(
        "", "network", "names by which browsers may call the page, besides addresses and localhost", metavar="NAMES"
    )
    reflection: bool = _set(
        False,
        "network",
        "serve gRPC reflection beyond loopback, too; on loopback it is always on",
    )
    idle_exit_seconds: float = _set(
        0.0, "network", "exit after so many seconds without a call; 0: never", metavar="SECONDS"
    )

    page_exit_seconds: float = _set(
        0.0, "network", "exit so many seconds after the page's last tab was closed; 0: never", metavar="SECONDS"
    )
    hold_until_ready: bool = _set(
        False,
        "network",
        "let connections wait while it starts, rather than refuse calls with NOT_READY: for a balancer before "
        "several servers that does not check their health",
    )
    max_connection_age_seconds: float = _set(
        0.0,
        "network",
        "ask clients to reconnect after so many seconds, so that they spread over several servers; 0: never",
        most=30 * 86400,
        metavar="SECONDS",
    )
    max_connection_age_grace_seconds: float = _set(
        300.0,
        "network",
        "how long calls of such a connection may go on",
        least=0.001,
        most=86400,
        metavar="SECONDS",
    )

    tls_cert: str = _set("", "safety", "certificate chain of the server, PEM", metavar="FILE")
    tls_key: str = _set("", "safety", "its private key, PEM", metavar="FILE")
    client_ca: str = _set("", "safety", "let in only clients with a certificate of this authority, PEM", metavar="FILE")
    client_names: str = _set(
        "",
        "safety",
        "of those clients, let in only these, with commas between: names in their certificates (default: all)",
        metavar="NAMES",
    )
    token: str = field(default="", repr=False)
    tokens: tuple[Token, ...] = ()
    token_file: str = ""
    trust: str = _set(
        "",
        "safety",
        "public key that must have signed models in folders, PEM (default: no signature is needed)",
        metavar="FILE",
    )
    insecure: int = _set(0, "safety", "given twice: listen beyond loopback without TLS or without credentials")

    models: Mapping[str, str] = field(default_factory=lambda: {"default": "default", "live": "live"})
    default_model: str = _set("", "models", "the model of calls that name none (default: the first)", metavar="ID")
    drummers: str = _set(
        "",
        "models",
        "folder of drummers that callers may make of their songs, rename and remove, and that play beside the models "
        "(default: nobody can teach the server)",
        metavar="FOLDER",
    )
    engines: int = _set(
        0, "models", "processes that play, each with all models in memory (default: one per core, at most 4)", most=256
    )
    threads: int = _set(1, "models", "threads of each of them", least=1, most=256)

    playing: int = _set(0, "capacity", "calls played at the same time (default: 8 per process that plays)", most=4096)
    waiting: int = _set(32, "capacity", "calls in the queue; one more is refused", most=65536)
    connections: int = _set(
        0,
        "capacity",
        "connections of all peers together (default: half of the files it may have open)",
        most=1 << 20,
    )
    uploads: int = _set(64, "capacity", "calls whose file is still arriving; one more is refused", least=1, most=65536)
    screens: int = _set(2, "capacity", "processes that read files", least=1, most=256)
    recordings: int = _set(
        1,
        "capacity",
        "recordings read at the same time, and arriving if larger than a MIDI file; one more is refused",
        least=1,
        most=64,
    )
    queue_seconds: float = _set(
        30.0,
        "capacity",
        "the longest wait in the queue; then a call is refused",
        least=0.001,
        most=86400,
        metavar="SECONDS",
    )
    default_deadline_seconds: float = _set(
        120.0,
        "capacity",
        "the deadline of a call that sets none, and the time for any file to arrive",
        least=0.001,
        most=86400,
        metavar="SECONDS",
    )
    first_seconds: float = _set(
        10.0,
        "capacity",
        "how long the first message of a call may take to arrive",
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

    drain_delay_seconds: float = _set(
        0.0,
        "capacity",
        "for one server of several: how long it goes on serving after the first SIGTERM or Ctrl-C, when its health "
        "already sends callers elsewhere; then it closes its port",
        most=3600,
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
    player_mebibytes: int = _set(
        4096,
        "limits of a file",
        "memory that a process that plays may take beyond what it has at its start",
        least=512,
        most=1 << 20,
        metavar="MIB",
    )
    max_recording_bytes: int = _set(
        64 * MIB,
        "limits of a file",
        "size of a recording; a large one has to come in chunks",
        least=1,
        most=64 * MIB,
    )
    recording_seconds: float = _set(
        60.0, "limits of a file", "time that reading a recording may take", least=0.1, most=3600, metavar="SECONDS"
    )
    render_seconds: float = _set(
        240.0,
        "limits of a file",
        "time that rendering a file may take",
        least=0.1,
        most=3600,
        metavar="SECONDS",
    )
    render_mebibytes: int = _set(
        4096, "limits of a file", "memory that rendering a file may take", least=256, most=1 << 20, metavar="MIB"
    )
    limits: Limits = DEFAULT_LIMITS

    metrics_port: int | None = _set(
        None, "watching it", "serve metrics for Prometheus at this port; 0: any free one", most=65535
    )
    metrics_host: str = _set(
        "127.0.0.1",
        "watching it",
        "address to serve metrics on, to all who reach it: they include names of callers and models",
        metavar="ADDRESS",
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
        _check_host("host", self.host)
        _check_host("metrics_host", self.metrics_host)
        _check_safety(self)
        if self.log_format not in ("", "text", "json"):
            raise OptionError(f"{label('log_format')} is {self.log_format!r}, wanted text or json")

    @property
    def all_tokens(self) -> tuple[Token, ...]:
        """The tokens of callers, as read at the start."""
        return ((Token("", self.token),) if self.token else ()) + self.tokens

    @property
    def names(self) -> frozenset[str]:
        """The names of client certificates that are let in; empty: all."""
        return frozenset(name.strip() for name in self.client_names.split(",") if name.strip())

    @property
    def tls(self) -> bool:
        """True if connections are encrypted."""
        return bool(self.tls_cert)

    @property
    def target(self) -> str:
        """The address as gRPC takes it, with the port."""
        if self.host.startswith("unix:"):
            return self.host
        host = "127.0.0.1" if self.host == "localhost" else self.host.strip("[]")
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


_SHORT = MappingProxyType(  # flags and variables whose names lack the unit
    {
        f"{name}_seconds": name
        for name in ("drain_delay", "idle_exit", "page_exit", "max_connection_age", "max_connection_age_grace")
    }
)


def table() -> dict[str, Setting]:
    """Return the settings that are one number, text or switch, by name, in the order of the help."""
    return {item.name: item.metadata["setting"] for item in dataclasses.fields(Settings) if "setting" in item.metadata}


def flag(name: str) -> str:
    """Return the flag of a setting: `max_bars` -> `--max-bars`."""
    return "--" + _SHORT.get(name, name).replace("_", "-")


def variable(name: str) -> str:
    """Return the environment variable of a setting: `max_bars` -> `SEQ2DRUM_MAX_BARS`."""
    return PREFIX + _SHORT.get(name, name).upper()


def is_local(host: str) -> bool:
    """Return True if an address is reachable from this machine only."""
    if host == "localhost" or host.startswith("unix:"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def label(name: str) -> str:
    """Return a setting's name for messages: `--max-bars (SEQ2DRUM_MAX_BARS)`."""
    return f"{flag(name)} ({variable(name)})"


def _check_ranges(settings: Settings) -> None:
    for name, setting in table().items():
        value = getattr(settings, name)
        if value is None or isinstance(value, str | bool):
            continue
        if not setting.least <= value <= setting.most:
            wanted = (
                f"{setting.least:,g} or more"
                if setting.most == math.inf
                else f"{setting.least:,g} to {setting.most:,g}"
            )
            raise OptionError(f"{label(name)} is {value:,}, wanted {wanted}")
    for name, limit in LIMITS.items():
        value = getattr(settings.limits, limit.name)
        if not 0 < value < 1 << 31:
            raise OptionError(f"{label(name)} is {value:,}, wanted more than 0 and less than {1 << 31:,}")


def _check_models(settings: Settings) -> None:
    if not settings.models:
        raise OptionError("there is no model, wanted at least one: --model ID=DIR")
    for name in settings.models:
        if not MODEL_ID.fullmatch(name):
            raise OptionError(
                f"--model ({variable('models')}) names {name!r}, "
                "wanted 1 to 64 of a-z, 0-9, '.', '_' and '-' before the ="
            )
    if settings.default_model not in settings.models:
        raise OptionError(
            f"{label('default_model')} is {settings.default_model!r}, wanted one of {', '.join(settings.models)}"
        )

    if settings.drummers and settings.trust:
        raise OptionError(
            f"{label('drummers')} and {label('trust')} exclude each other: nobody has signed a drummer that a caller"
            " made; give one of them"
        )


def _check_sizes(settings: Settings) -> None:
    least = settings.limits.file_bytes + OVERHEAD_BYTES
    if settings.max_message_bytes < least:
        raise OptionError(
            f"{label('max_message_bytes')} is {settings.max_message_bytes:,}, too small for a file of "
            f"{settings.limits.file_bytes:,} bytes ({flag('limit_file_bytes')}): wanted {least:,} or more"
        )
    if settings.limits.slowest > settings.limits.fastest:
        raise OptionError(
            f"{flag('limit_slowest')} is {settings.limits.slowest:g} and {flag('limit_fastest')} "
            f"{settings.limits.fastest:g}, wanted the slowest below the fastest"
        )


def _check_host(name: str, host: str) -> None:
    """Refuse host names: a name needs a lookup, may have several addresses, and hides who can reach them."""
    if host == "localhost" or (name == "host" and host.startswith("unix:") and len(host) > len("unix:")):
        return
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise OptionError(
            f"{label(name)} is {host!r}, wanted an IP address such as 127.0.0.1, localhost, or unix:PATH"
        ) from None


def _check_safety(settings: Settings) -> None:
    """Refuse half a pair of TLS files, a weak token, and an open address, unless `Settings.insecure` is 2."""
    if bool(settings.tls_cert) != bool(settings.tls_key):
        there, missing = ("tls_cert", "tls_key") if settings.tls_cert else ("tls_key", "tls_cert")
        raise OptionError(f"{label(there)} is given without {label(missing)}, wanted both or neither")
    if settings.client_ca and not settings.tls_cert:
        raise OptionError(
            f"{label('client_ca')} is given without {label('tls_cert')} and {label('tls_key')}: clients show "
            "certificates only where the server has one; give both"
        )
    if settings.client_names and not settings.client_ca:
        raise OptionError(
            f"{label('client_names')} is given without {label('client_ca')}: certificates have names that can be "
            "believed only where an authority vouches for them; give both"
        )
    check_tokens(settings.all_tokens)
    if is_local(settings.host) or settings.insecure >= 2:
        return
    open_to_all = not (settings.client_ca or settings.all_tokens)
    if settings.tls and not open_to_all:
        return
    lacking = [] if settings.tls else [f"TLS ({flag('tls_cert')} and {flag('tls_key')})"]
    lacking += [f"credentials ({flag('client_ca')}, or a token by {variable('token')} or --token-file)"] * open_to_all
    raise OptionError(
        f"{label('host')} is {settings.host!r}, which other machines may reach, without {' and '.join(lacking)}: "
        "give what is missing, listen on 127.0.0.1, or say --insecure twice if something else keeps strangers out"
    )
