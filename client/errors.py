"""Errors of calls to a server, in this program's tree, with the server's messages.

A wrong song or option raises the error that playing here would raise. Failures of the server are a `ServerError`:

    Seq2DrumError
    └── ServerError
        ├── ServerUnavailable   none answers, or it is starting or stopping: try again
        ├── ServerBusy          it has no capacity now: try again, after `retry_seconds` if it sent one
        ├── DeadlineExceeded    it was not done in time
        ├── Unauthenticated     it wants a token or a certificate, or another one
        └── ServerFault         it failed; `error_id` finds the cause in its log
"""

from __future__ import annotations

from typing import Any, NamedTuple

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from seq2drum import errors
from seq2drum.errors import Seq2DrumError

DOMAIN = "seq2drum"


class ServerError(Seq2DrumError):
    """A failure of the server, or of the connection to it.

    reason: the server's reason, one of those in docs/service.md; "" if it sent none. retry_seconds: when to try again,
    if the server sent it. error_id: the id of the cause in the server's log, or "".
    """

    def __init__(
        self, message: str, *, reason: str = "", retry_seconds: float | None = None, error_id: str = ""
    ) -> None:
        super().__init__(message)
        self.reason, self.retry_seconds, self.error_id = reason, retry_seconds, error_id


class ServerUnavailable(ServerError):
    """No server answers, or it is starting or stopping."""


class ServerBusy(ServerError):
    """The server has no capacity for the call now."""


class DeadlineExceeded(ServerError):
    """The call was not done in time."""


class Unauthenticated(ServerError):
    """The server does not let this client in."""


class ServerFault(ServerError):
    """The server failed, or its reply makes no sense."""


# The server's reasons, and their errors here. A test compares this with the server's own table.
REASONS: dict[str, type[Seq2DrumError]] = {
    "INVALID_MIDI": errors.MidiError,
    "MIDI_MISSING": errors.MidiError,
    "MIDI_OVER_LIMIT": errors.LimitError,
    "READER_MISSING": errors.MissingExtraError,
    "MIDI_TOO_LARGE": errors.LimitError,
    "MIDI_TOO_COMPLEX": errors.LimitError,
    "NO_GUITAR": errors.NoGuitarError,
    "NO_NOTES": errors.NoNotesError,
    "INVALID_INPUT": errors.InputError,
    "TRACK_NOT_FOUND": errors.PartNotFoundError,
    "INVALID_OPTION": errors.OptionError,
    "INVALID_REQUEST_ID": errors.OptionError,
    "UNKNOWN_DRUM_MAP": errors.OptionError,
    "UNKNOWN_MODEL": errors.UnknownModelError,
    "QUEUE_FULL": ServerBusy,
    "QUOTA_EXCEEDED": ServerBusy,
    "QUEUE_TIMEOUT": ServerBusy,
    "SHUTTING_DOWN": ServerUnavailable,
    "WORKER_DIED": ServerUnavailable,
    "NOT_READY": ServerUnavailable,
    "UPLOAD_STALLED": DeadlineExceeded,
    "JAM_SILENT": DeadlineExceeded,
    "NO_SONGS": errors.InputError,
    "TEACHING_OFF": Unauthenticated,
    "DRUMMER_NOT_KEPT": errors.OutputError,
    "DEADLINE_TOO_SHORT": DeadlineExceeded,
    "DEADLINE_PASSED": DeadlineExceeded,
    "CREDENTIALS_MISSING": Unauthenticated,
    "CREDENTIALS_WRONG": Unauthenticated,
    "FOREIGN_SITE": Unauthenticated,
    "UNKNOWN_METHOD": ServerFault,
    "CLIENT_NOT_ALLOWED": Unauthenticated,
    "MODEL_UNUSABLE": errors.ModelError,
    "MESSAGE_TOO_LARGE": errors.LimitError,
    "CHUNK_TOO_LARGE": ServerFault,
    "WRONG_MESSAGE_ORDER": ServerFault,
    "CANCELLED": ServerFault,
    "INTERNAL_ERROR": ServerFault,
}

# Errors for statuses without a reason of ours: from gRPC itself, or from a proxy.
_STATUSES: dict[grpc.StatusCode, type[ServerError]] = {
    grpc.StatusCode.UNAVAILABLE: ServerUnavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: Unauthenticated,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ServerBusy,
}


class _Details(NamedTuple):
    """Details of a status."""

    reason: str = ""
    retry_seconds: float | None = None
    error_id: str = ""


def from_call(error: Any, address: str, seconds: float, *, secure: bool = False) -> Seq2DrumError:
    """Return the error of a failed call.

    error: the `grpc.RpcError` that it raised, which is a `grpc.Call`. address: of the server. seconds: the deadline of
    the call. secure: whether TLS is on.
    """
    code, words = error.code(), error.details() or ""
    details = _details(error)
    kind = REASONS.get(details.reason)
    if kind is None:
        kind = _STATUSES.get(code, ServerFault)
        if not details.reason:
            words = _words(code, words, address, seconds, secure)
    if not issubclass(kind, ServerError):
        return kind(words)
    return kind(words, reason=details.reason, retry_seconds=details.retry_seconds, error_id=details.error_id)


def exit_code(error: Seq2DrumError) -> int:
    """Return the exit code for an error: 3 no server, or it is busy; 4 it failed; 2 all else."""
    if isinstance(error, (ServerUnavailable, ServerBusy, DeadlineExceeded)):
        return 3
    unusable = isinstance(error, errors.ModelError) and not isinstance(error, errors.UnknownModelError)
    return 4 if unusable or isinstance(error, ServerFault) else 2


def _details(error: Any) -> _Details:
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # it contradicts its code: then the code counts
        status = None
    details = _Details()
    for packed in (status or status_pb2.Status()).details:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if packed.Unpack(info) and info.domain == DOMAIN:
            details = details._replace(reason=info.reason, error_id=info.metadata.get("error_id", ""))
        elif packed.Unpack(retry):
            details = details._replace(retry_seconds=retry.retry_delay.ToTimedelta().total_seconds())
    return details


def _words(code: grpc.StatusCode, said: str, address: str, seconds: float, secure: bool) -> str:
    """Return the message for a status that our server did not send: gRPC's own are for developers."""
    lowered = said.lower()
    if code is grpc.StatusCode.UNAVAILABLE:
        if "handshake" in lowered or "certificate" in lowered or "ssl" in lowered:
            return (
                f"the server at {address} could not be trusted or does not trust this client ({said}); "
                "check the certificates (--tls-ca, --tls-cert and --tls-key)"
            )
        if "failed to connect" in lowered or "dns" in lowered or "resolv" in lowered:
            if secure:
                return f"no server answers at {address} with TLS, or none that fits these certificates (--tls-ca)"
            if "socket closed" in lowered:
                return f"the program at {address} hangs up; does it need TLS (--tls-ca), or is it another program?"
            return f"no server answers at {address}; start one with python -m server, or name another with --server"
        return f"the server at {address} closed the connection too early ({said}); try again"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"the server at {address} was not done within {seconds:g} seconds; try again, or allow more (--timeout)"
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return f"the server at {address} refused this client ({said}); give its token or certificate"
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return f"the program at {address} is not a seq2drum server, or has another version ({said})"
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return f"the server at {address} refused the call as too large ({said}); try a smaller file, or again later"
    return f"the call to the server at {address} failed ({code.name}: {said})"
