"""The gRPC status of every failure: one table for the core's errors, one for the service's reasons.

A status is a `google.rpc.Status` with an ErrorInfo (`reason` is for programs, its message for people), a BadRequest if
a field is wrong, and a RetryInfo if there is a retry time. The messages are the core's, as on the command line. Imports
neither music nor numpy nor models: the front uses it as well as its workers.
"""

from __future__ import annotations

import math
import traceback
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from seq2drum import errors

DOMAIN = "seq2drum"
MOST_MESSAGE = 1000
"""The longest message in characters."""
MOST_TRAILER = 4096
"""The most bytes that a status takes on the wire: proxies and clients refuse calls over long trailers."""
_Kind = TypeVar("_Kind", bound=Message)
_MOST_VALUE = 400  # bytes of a metadata value


class ErrorStatus(NamedTuple):
    """The status of an error of the core, its reason, and the field of the request that is wrong."""

    code: StatusCode
    reason: str
    field: str | None = None


_INVALID, _MISSING, _NOT_NOW = StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND, StatusCode.UNAVAILABLE
_TOO_LATE, _UNKNOWN_CALLER = StatusCode.DEADLINE_EXCEEDED, StatusCode.UNAUTHENTICATED

INTERNAL_ERROR = "INTERNAL_ERROR"

ERROR_STATUSES: Mapping[type[errors.Seq2DrumError], ErrorStatus] = MappingProxyType(
    {
        errors.InputError: ErrorStatus(_INVALID, "INVALID_INPUT", "midi"),
        errors.MidiError: ErrorStatus(_INVALID, "INVALID_MIDI", "midi"),
        errors.LimitError: ErrorStatus(_INVALID, "MIDI_OVER_LIMIT", "midi"),
        errors.NotationError: ErrorStatus(_INVALID, "INVALID_INPUT", "midi"),
        errors.RecordingError: ErrorStatus(_INVALID, "INVALID_INPUT", "midi"),
        errors.NoGuitarError: ErrorStatus(StatusCode.FAILED_PRECONDITION, "NO_GUITAR"),
        errors.NoNotesError: ErrorStatus(StatusCode.FAILED_PRECONDITION, "NO_NOTES"),
        errors.OptionError: ErrorStatus(_INVALID, "INVALID_OPTION", "config"),
        errors.PartNotFoundError: ErrorStatus(_INVALID, "TRACK_NOT_FOUND", "config.track"),
        errors.ModelError: ErrorStatus(StatusCode.INTERNAL, "MODEL_UNUSABLE"),
        errors.CheckpointError: ErrorStatus(StatusCode.INTERNAL, "MODEL_UNUSABLE"),
        errors.UnknownModelError: ErrorStatus(_MISSING, "UNKNOWN_MODEL", "config.model"),
        errors.MissingExtraError: ErrorStatus(_INVALID, "READER_MISSING", "midi"),
        # These cannot be the caller's fault: the service is wrong if one occurs.
        errors.Seq2DrumError: ErrorStatus(StatusCode.INTERNAL, INTERNAL_ERROR),
        errors.CorpusError: ErrorStatus(StatusCode.INTERNAL, INTERNAL_ERROR),
        errors.OutputError: ErrorStatus(StatusCode.INTERNAL, INTERNAL_ERROR),
        errors.PortError: ErrorStatus(StatusCode.INTERNAL, INTERNAL_ERROR),
    }
)
"""The status of each error of the core; the most derived class of an error counts."""

REASONS: Mapping[str, tuple[StatusCode, str]] = MappingProxyType(
    {
        # of the core
        "INVALID_INPUT": (_INVALID, "The music cannot be used."),
        "INVALID_MIDI": (_INVALID, "The bytes are not a MIDI file, are damaged, or contradict themselves."),
        "READER_MISSING": (_INVALID, "The server lacks the package that reads such a file; the message names it."),
        "MIDI_OVER_LIMIT": (_INVALID, "The MIDI file is beyond a limit; the message has the limit and the value."),
        "NO_GUITAR": (StatusCode.FAILED_PRECONDITION, "No part is a guitar, or several may be: choose one by `track`."),
        "NO_NOTES": (StatusCode.FAILED_PRECONDITION, "The guitar part has no notes."),
        "INVALID_OPTION": (_INVALID, "A value of the configuration makes no sense."),
        "TRACK_NOT_FOUND": (_INVALID, "The requested part is not in the file; the message lists the parts."),
        "UNKNOWN_MODEL": (_MISSING, "There is no model of this id; `models` in the metadata lists them."),
        "MODEL_UNUSABLE": (StatusCode.INTERNAL, "The model's files are damaged; tell the server's operator."),
        # of the service: about the request
        "MIDI_MISSING": (_INVALID, "The request has no bytes of a MIDI file."),
        "MIDI_TOO_LARGE": (_INVALID, "The MIDI file has too many bytes; a stream is cut off at the limit."),
        "MIDI_TOO_COMPLEX": (_INVALID, "Reading the MIDI file takes too much time or memory."),
        "MESSAGE_TOO_LARGE": (_INVALID, "A message is too large; beyond twice the limit gRPC itself refuses it."),
        "CHUNK_TOO_LARGE": (_INVALID, "A chunk of a stream is too large."),
        "WRONG_MESSAGE_ORDER": (_INVALID, "A stream has to be the configuration, then chunks of the file."),
        "INVALID_REQUEST_ID": (_INVALID, "The id of the call is too long, or has characters that are not allowed."),
        "UNKNOWN_DRUM_MAP": (_MISSING, "There is no drum map of this id; `drum_maps` in the metadata lists them."),
        "UPLOAD_STALLED": (_TOO_LATE, "A stream paused for too long."),
        "JAM_SILENT": (_TOO_LATE, "The jam ended because nobody played for too long."),
        "NO_SONGS": (
            StatusCode.FAILED_PRECONDITION, "No song has a guitar and drums to learn from; the message says why."
        ),
        "TEACHING_OFF": (
            StatusCode.PERMISSION_DENIED, "The server cannot be taught: its operator names no folder for drummers."
        ),
        "DRUMMER_NOT_KEPT": (
            StatusCode.FAILED_PRECONDITION, "The drummer cannot be written, or there are too many; the others stay."
        ),
        "CREDENTIALS_MISSING": (_UNKNOWN_CALLER, "The server needs a token, and the call has none."),
        "CREDENTIALS_WRONG": (_UNKNOWN_CALLER, "The token is not the server's."),
        "UNKNOWN_METHOD": (StatusCode.UNIMPLEMENTED, "There is no method of this name."),
        "FOREIGN_SITE": (
            StatusCode.PERMISSION_DENIED,
            "The request comes from another site, or names a host that is not the page's.",
        ),
        "CLIENT_NOT_ALLOWED": (
            StatusCode.PERMISSION_DENIED,
            "The certificate is valid, but its name is not among the allowed names.",
        ),
        # of the service: the state it is in
        "QUOTA_EXCEEDED": (
            StatusCode.RESOURCE_EXHAUSTED, "The token already has its limit of calls; try again."
        ),
        "QUEUE_FULL": (StatusCode.RESOURCE_EXHAUSTED, "Too many calls wait already; try again after the time given."),
        "QUEUE_TIMEOUT": (_NOT_NOW, "The call has waited too long for its turn; try again."),
        "SHUTTING_DOWN": (_NOT_NOW, "The server is about to stop; try again, or another server."),
        "WORKER_DIED": (_NOT_NOW, "The process that worked on the call died and is being replaced; try again."),
        "NOT_READY": (_NOT_NOW, "The server is starting, or is restarting a worker; try again."),
        "DEADLINE_TOO_SHORT": (_TOO_LATE, "The call would not be done by its deadline, so it was not started."),
        "DEADLINE_PASSED": (_TOO_LATE, "The call was not done by its deadline."),
        "CANCELLED": (StatusCode.CANCELLED, "The caller has left."),
        INTERNAL_ERROR: (StatusCode.INTERNAL, "A fault of the server; `error_id` in the metadata finds it in its log."),
    }
)  # fmt: skip
"""All reasons, each with its status and a sentence for the documentation."""


class Refusal(Exception):
    """A call that the service itself refuses.

    reason: one of REASONS. message: the value found, the value wanted, and what to do. field: the wrong field of the
    request, if any. retry_seconds: when to try again, if that helps. metadata: values for programs.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        field: str | None = None,
        retry_seconds: float | None = None,
        metadata: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(message)
        self.reason, self.field, self.retry_seconds, self.metadata = reason, field, retry_seconds, dict(metadata)


def shutting_down() -> Refusal:
    """Return the refusal of calls while the server stops."""
    return Refusal(
        "SHUTTING_DOWN", "the server is about to stop; try again in 1 s, or another server", retry_seconds=1.0
    )


class StatusError(Exception):
    """A status from a worker, passed on unchanged."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(reason_of(status))  # without the message, which may quote the music: exceptions are logged
        self.status = status


def to_status(error: BaseException) -> status_pb2.Status:
    """Return the status of an error.

    For an unexpected error it holds nothing but an id, which `error_id_of` returns for the log.
    """
    if isinstance(error, StatusError):
        return error.status
    if isinstance(error, Refusal):
        code = REASONS[error.reason][0]
        return _status(code, error.reason, str(error), error.field, error.retry_seconds, error.metadata)
    row = next((ERROR_STATUSES[kind] for kind in type(error).__mro__ if kind in ERROR_STATUSES), None)
    if row is None or row.reason == INTERNAL_ERROR:
        return _internal()
    return _status(row.code, row.reason, str(error), row.field)


def reason_of(status: status_pb2.Status) -> str:
    """Return the reason of a status; "" if it has none."""
    info = detail_of(status, error_details_pb2.ErrorInfo())
    return info.reason if info and info.domain == DOMAIN else ""


def retry_of(status: status_pb2.Status) -> float | None:
    """Return the retry time of a status in seconds; None if it has none."""
    retry = detail_of(status, error_details_pb2.RetryInfo())
    return retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9 if retry else None


def with_field(status: status_pb2.Status, name: str, new: str) -> status_pb2.Status:
    """Return the status with a field renamed: two requests may name the same field differently."""
    changed = status_pb2.Status()
    changed.CopyFrom(status)
    for packed in changed.details:
        bad = error_details_pb2.BadRequest()
        if packed.Is(bad.DESCRIPTOR) and packed.Unpack(bad):
            for violation in bad.field_violations:
                violation.field = new if violation.field == name else violation.field
            packed.Pack(bad)
    return changed


def error_id_of(status: status_pb2.Status) -> str | None:
    """Return the id under which an internal error is logged; None for other errors."""
    info = detail_of(status, error_details_pb2.ErrorInfo())
    return (info.metadata.get("error_id") if info else None) or None


def trace_of(error: BaseException) -> list[str]:
    """Return the origin of an error, for the log: its type, then each frame, the innermost last.

    It leaves out messages, which may quote the caller's data.
    """
    places = traceback.extract_tb(error.__traceback__)
    lines = [f"{'/'.join(Path(place.filename).parts[-2:])}:{place.lineno} {place.name}" for place in places]
    return [type(error).__qualname__, *lines]


def trailer_size(status: status_pb2.Status) -> int:
    """Estimate the bytes of a status on the wire: its message percent-encoded, and all of it in base64."""
    message = sum(1 if 0x20 <= byte < 0x7F and byte != 0x25 else 3 for byte in status.message.encode())
    details = math.ceil(len(status.SerializeToString()) / 3) * 4
    return len("grpc-status: 16, grpc-message: , grpc-status-details-bin: ") + message + details


def _internal() -> status_pb2.Status:
    error_id = uuid.uuid4().hex
    message = f"internal error of the server; give its operator this id: {error_id}"
    return _status(StatusCode.INTERNAL, INTERNAL_ERROR, message, metadata={"error_id": error_id})


def _status(
    code: StatusCode,
    reason: str,
    message: str,
    field: str | None = None,
    retry_seconds: float | None = None,
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> status_pb2.Status:
    values = {name: _cut(_plain(value), _MOST_VALUE, _utf8_size) for name, value in metadata.items()}

    def build(text: str) -> status_pb2.Status:
        details: list[Message] = [error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=values)]
        if field is not None:
            violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=text, reason=reason)
            details.append(error_details_pb2.BadRequest(field_violations=[violation]))
        if retry_seconds is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMilliseconds(math.ceil(1000 * max(retry_seconds, 0)))
            details.append(retry)
        number: int = code.value[0]
        status = status_pb2.Status(code=number, message=text)
        for detail in details:
            status.details.add().Pack(detail)
        return status

    text = _cut(_plain(message), MOST_MESSAGE, len)
    status = build(text)
    if trailer_size(status) <= MOST_TRAILER:
        return status
    return build(_cut(text, MOST_TRAILER, lambda shorter: trailer_size(build(shorter))))


def _plain(text: str) -> str:
    """Return the text without lone surrogates, which have no UTF-8 form."""
    return text.encode("utf-8", "replace").decode()


def _utf8_size(text: str) -> int:
    return len(text.encode())


def _cut(text: str, most: int, size: Callable[[str], int]) -> str:
    """Return the text, cut to `most` with an ellipsis if it is longer."""
    if size(text) <= most:
        return text
    fits, fits_not = 0, len(text)
    while fits_not - fits > 1:
        middle = (fits + fits_not) // 2
        fits, fits_not = (middle, fits_not) if size(text[:middle] + "…") <= most else (fits, middle)
    return text[:fits] + "…"


def detail_of(status: status_pb2.Status, kind: _Kind) -> _Kind | None:
    """Return a detail of a status, read into `kind`; None if it has none of this kind."""
    return next((kind for packed in status.details if packed.Is(kind.DESCRIPTOR) and packed.Unpack(kind)), None)
