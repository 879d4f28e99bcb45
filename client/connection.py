"""The way to a server: its address, what proves who is who, how long to wait and when to try again."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from client import errors
from client.addresses import DEFAULT_ADDRESS, is_local, is_several, name, normal, target
from seq2drum import __version__
from seq2drum.errors import InputError, OptionError, Seq2DrumError
from seq2drum.system import files

DEADLINE_SECONDS = 120.0
HEALTH = "/grpc.health.v1.Health/Check"
HEALTH_SECONDS = 2.0  # that one question may take whether the server is ready
POLL_SECONDS = 0.1  # between two such questions
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
    "GetServerInfo",
)

# Every call is safe to repeat: the same request gives the same reply. Only what was not done is tried again, when the
# server says, or soon: that a server is truly away is reported within a second.
SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": _SERVICE, "method": method} for method in _UNARY],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                # CANCELLED: what a server that stops has just accepted; no other call ends so by itself.
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        }
    ],
    # A player that dies fails all its calls at once: as many as one program has under way are tried again.
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.5},
}
SEVERAL = {"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}}
"""What is added for several servers: calls go round those that say SERVING."""
LOOK_UP_SECONDS = 5  # between two times that a name is looked up, where a server went away


@dataclass(frozen=True)
class Connection:
    """Where servers are and how to talk to them. Nothing is opened yet.

    address: as `addresses` has it; several servers serve the same. token: sent with every call; without TLS to this
    machine only. ca, certificate, key: PEM files; any of them, or tls, asks for TLS. deadline: seconds that a call may
    take.

    Raises:
        OptionError, InputError: something of it makes no sense, or a file cannot be read.
    """

    address: str = DEFAULT_ADDRESS
    token: str | None = field(default=None, repr=False)
    ca: str | os.PathLike[str] | None = None
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None
    tls: bool = False
    deadline: float = DEADLINE_SECONDS

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", normal(self.address))
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
        """Whether TLS is asked for."""
        return self.tls or self.ca is not None or self.certificate is not None

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes out beside every call."""
        return () if self.token is None else (("authorization", f"Bearer {self.token}"),)

    @property
    def target(self) -> str:
        """What gRPC is to connect to."""
        return target(self.address)

    @property
    def channel_options(self) -> list[tuple[str, Any]]:
        """How gRPC is to behave."""
        several = is_several(self.address)
        options: list[tuple[str, Any]] = [
            ("grpc.service_config", json.dumps(SERVICE_CONFIG | (SEVERAL if several else {}))),
            ("grpc.enable_retries", 1),
            ("grpc.per_rpc_retry_buffer_size", 1 << 20),  # a message that does not fit in is never sent again
            ("grpc.initial_reconnect_backoff_ms", 100),  # by default longer than all attempts together
            ("grpc.min_reconnect_backoff_ms", 5000),
            ("grpc.max_reconnect_backoff_ms", 2000),
            # Servers take pings oftener than every five minutes for an attack.
            ("grpc.keepalive_time_ms", 310_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.max_receive_message_length", MOST_REPLY_BYTES),
            ("grpc.primary_user_agent", f"seq2drum/{__version__}"),
        ]
        if several:
            options.append(("grpc.dns_min_time_between_resolutions_ms", 1000 * LOOK_UP_SECONDS))
            options.append(("grpc.default_authority", name(self.address)))
        if is_local(self.address):
            options.append(("grpc.enable_http_proxy", 0))
        return options

    def credentials(self) -> grpc.ChannelCredentials:
        """The certificates."""
        ca, key, certificate = (_pem(path) for path in (self.ca, self.key, self.certificate))
        return grpc.ssl_channel_credentials(ca, key, certificate)

    def fault(self, error: grpc.RpcError, seconds: float | None = None) -> Seq2DrumError:
        """The error that a call ended with."""
        return errors.from_call(error, self.address, seconds or self.deadline, secure=self.secure)


def is_serving(reply: bytes) -> bool:
    """Whether a HealthCheckResponse says SERVING: its field 1, a number, is 1."""
    return reply == b"\x08\x01"


def not_ready(address: str, seconds: float) -> str:
    """What to say of a server that was waited for."""
    return f"the server at {address} was not ready within {seconds:g} seconds; is it running? (python -m server)"


def _pem(path: str | os.PathLike[str] | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{files.named(path)} cannot be read ({error.strerror}); wanted a PEM file") from None
