"""The connection to a server: addresses, credentials, gRPC options, and retries of streams.

An address is HOST:PORT, unix:PATH, dns:///NAME:PORT (all addresses of the name), or several HOST:PORT with commas
between them, all of which serve the same.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from client import errors
from client.errors import ServerError
from seq2drum import __version__
from seq2drum.errors import InputError, OptionError, Seq2DrumError
from seq2drum.system import files

# --- addresses --------------------------------------------------------------------------------------------------------


DEFAULT_PORT = 50051
DEFAULT_ADDRESS = f"localhost:{DEFAULT_PORT}"
_DNS = "dns:///"
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[^\s:/,\[\]]+)(:(?P<port>\d{1,5}))?")


def normalize_address(address: str | Sequence[str]) -> str:
    """Return an address with its port, or several: a list, or a text with commas.

    Raises:
        OptionError: it is not an address.
    """
    if isinstance(address, str) and address.startswith("unix:") and len(address) > len("unix:"):
        return address
    parts = address.split(",") if isinstance(address, str) else address
    if not parts:
        raise OptionError(f"there is no address of a server, wanted at least one, such as {DEFAULT_ADDRESS}")
    several = len(parts) > 1
    return ",".join(_normal(part.strip(), several=several) for part in parts)


def is_several(address: str) -> bool:
    """Return whether more than one server may answer there."""
    return "," in address or address.startswith(_DNS)


def is_local(address: str) -> bool:
    """Return whether traffic to the address stays on this machine."""
    if address.startswith("unix:"):
        return True
    return all(_is_loopback(part.removeprefix(_DNS)) for part in address.split(","))


def certificate_host(address: str) -> str:
    """Return the name that the certificate must have: that of the host, or of the first of several hosts."""
    return address.split(",")[0].removeprefix(_DNS).rpartition(":")[0].strip("[]")


def grpc_target(address: str) -> str:
    """Return the target for gRPC. It takes no list of names, so the names of several servers are resolved here, once.

    A name that cannot be resolved is left out, as long as there are others.
    """
    if "," not in address:
        return address
    found = {ip: None for part in address.split(",") for ip in _looked_up(part)}
    if not found:
        return _DNS + address.split(",")[0]  # gRPC then fails with the reason
    if all("." in ip for ip in found):
        return "ipv4:" + ",".join(found)
    return "ipv6:" + ",".join(ip if ip.startswith("[") else _in_version_6(ip) for ip in found)


def _normal(address: str, *, several: bool) -> str:
    prefix = _DNS if address.startswith(_DNS) and not several else ""
    match = _ADDRESS.fullmatch(address.removeprefix(prefix))
    port = int(match["port"] or DEFAULT_PORT) if match else 0
    if not match or not 0 < port < 1 << 16:
        raise OptionError(
            f"the server's address is {address!r}, wanted HOST:PORT such as {DEFAULT_ADDRESS}, several of them with "
            "commas between, or dns:///NAME:PORT for all that a name stands for"
        )
    return f"{prefix}{match['host']}:{port}"


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _looked_up(address: str) -> list[str]:
    """Return the address with an IP in place of the name: the first of version 4, else the first, else ""."""
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError:
        return []
    version_4 = [str(where[0]) for family, *_, where in found if family == socket.AF_INET]
    return [f"{version_4[0]}:{port}"] if version_4 else [f"[{found[0][4][0]}]:{port}"]


def _in_version_6(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"[::ffff:{host}]:{port}"


# --- the connection ---------------------------------------------------------------------------------------------------


DEADLINE_SECONDS = 120.0
HEALTH_METHOD = "/grpc.health.v1.Health/Check"
HEALTH_SECONDS = 2.0  # for one health check
POLL_SECONDS = 0.1  # between two health checks
MOST_REPLY_BYTES = 64 << 20
_SERVICE = "seq2drum.v1.AccompanimentService"
_UNARY = (
    "GenerateDrums",
    "Compose",
    "Render",
    "AnalyzeGuitar",
    "ListModels",
    "ListGenerators",
    "ListGrooves",
    "ListDrumMaps",
    "RenameDrummer",
    "RemoveDrummer",
    "GetServerInfo",
)

# Every call is safe to repeat: the same request gives the same reply. Only calls that were not done are retried, when
# the server says, or soon: an absent server is reported within a second.
SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": _SERVICE, "method": method} for method in _UNARY],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                # CANCELLED: a stopping server had just accepted the call; no other call ends so without being
                # cancelled.
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ],
    # A player that dies fails all its calls together: enough tokens to retry all calls of one program.
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.5},
}
SEVERAL_SERVERS = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}
"""For several servers: calls are distributed over those that report SERVING."""
LOOK_UP_SECONDS = 5  # between two lookups of a name, after a server went away


@dataclass(frozen=True)
class Connection:
    """Addresses and credentials of servers. Nothing is opened yet.

    address: as `normalize_address` returns it. token: sent with every call; without TLS to this machine only. ca,
    certificate, key: PEM files; any of them, or tls, turns TLS on. deadline: seconds that a call may take.

    Raises:
        OptionError, InputError: a value is wrong, or a file cannot be read.
    """

    address: str = DEFAULT_ADDRESS
    token: str | None = field(default=None, repr=False)
    ca: str | os.PathLike[str] | None = None
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None
    tls: bool = False
    deadline: float = DEADLINE_SECONDS

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", normalize_address(self.address))
        if not 0 < self.deadline < float("inf"):
            raise OptionError(f"the deadline is {self.deadline} seconds, wanted more than 0")
        if (self.certificate is None) != (self.key is None):
            raise OptionError("a certificate and its key belong together; give both (--tls-cert and --tls-key)")
        if self.token is not None:
            if not re.fullmatch(r"[!-~]+", self.token):
                raise OptionError(
                    "the token is empty or has characters that no header can carry; is it the right file?"
                )
            if not self.secure and not is_local(self.address):
                raise OptionError(
                    f"the token would go to {self.address} for all to read; use TLS (--tls-ca FILE), or no token"
                )

    @property
    def secure(self) -> bool:
        """True if TLS is on."""
        return self.tls or self.ca is not None or self.certificate is not None

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The headers of every call."""
        return () if self.token is None else (("authorization", f"Bearer {self.token}"),)

    @property
    def target(self) -> str:
        """The target for gRPC."""
        return grpc_target(self.address)

    @property
    def channel_options(self) -> list[tuple[str, Any]]:
        """The options of a gRPC channel."""
        several = is_several(self.address)
        options: list[tuple[str, Any]] = [
            ("grpc.service_config", json.dumps(SERVICE_CONFIG | (SEVERAL_SERVERS if several else {}))),
            ("grpc.enable_retries", 1),
            ("grpc.per_rpc_retry_buffer_size", 1 << 20),  # a larger message is never retried
            ("grpc.initial_reconnect_backoff_ms", 100),  # the default is longer than all attempts together
            ("grpc.min_reconnect_backoff_ms", 5000),
            ("grpc.max_reconnect_backoff_ms", 2000),
            # Servers treat pings more often than every five minutes as an attack.
            ("grpc.keepalive_time_ms", 310_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.max_receive_message_length", MOST_REPLY_BYTES),
            ("grpc.primary_user_agent", f"seq2drum/{__version__}"),
        ]
        if several:
            options.append(("grpc.dns_min_time_between_resolutions_ms", 1000 * LOOK_UP_SECONDS))
            options.append(("grpc.default_authority", certificate_host(self.address)))
        if is_local(self.address):
            options.append(("grpc.enable_http_proxy", 0))
        return options

    def credentials(self) -> grpc.ChannelCredentials:
        """Return the TLS credentials."""
        ca, key, certificate = (_pem(path) for path in (self.ca, self.key, self.certificate))
        return grpc.ssl_channel_credentials(ca, key, certificate)

    def fault(self, error: grpc.RpcError, seconds: float | None = None) -> Seq2DrumError:
        """Return the error for a failed call."""
        return errors.from_call(error, self.address, seconds or self.deadline, secure=self.secure)


def is_serving(reply: bytes) -> bool:
    """Return whether a HealthCheckResponse says SERVING: its field 1, a number, is 1."""
    return reply == b"\x08\x01"


def not_ready(address: str, seconds: float) -> str:
    """Return the message for a server that did not become ready."""
    return f"the server at {address} was not ready within {seconds:g} seconds; is it running? (python -m server)"


def _pem(path: str | os.PathLike[str] | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{files.named(path)} cannot be read ({error.strerror}); wanted a PEM file") from None


# --- retries of streams -----------------------------------------------------------------------------------------------


MOST_ATTEMPTS = 4
"""The most attempts at a stream, as at a unary call."""
MOST_KILLED_WORKERS = 3
"""The most attempts that may kill a worker of the server."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 1.0
"""Seconds between two attempts, doubled each time, if the server sends no retry time."""
_RETRIED_CODES = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})


class Attempts:
    """The attempts at one stream, which share one deadline."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._made, self._deaths = 1, 0
        self._first: Seq2DrumError | None = None

    @property
    def left(self) -> float:
        """The seconds until the deadline of the stream."""
        return max(self._until - time.monotonic(), 0.001)

    def wait(self, error: Any, fault: Seq2DrumError) -> float:
        """Return the seconds to wait before the next attempt.

        error: how the last attempt ended, a `grpc.RpcError` that is a `grpc.Call`. fault: the same in this program's
        tree.

        Raises:
            Seq2DrumError: there is no other attempt. It is the fault of the first attempt if that could be retried.
        """
        if error.code() not in _RETRIED_CODES:
            raise fault from error
        self._first = self._first or fault
        said = fault.retry_seconds if isinstance(fault, ServerError) else None
        self._deaths += isinstance(fault, ServerError) and fault.reason == "WORKER_DIED"
        seconds = min(FIRST_WAIT * 2 ** (self._made - 1), LONGEST_WAIT) if said is None else said
        if self._made >= MOST_ATTEMPTS or self._deaths >= MOST_KILLED_WORKERS or seconds >= self.left:
            raise self._first from error
        self._made += 1
        return seconds
