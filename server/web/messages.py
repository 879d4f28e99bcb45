"""Between what a browser sends and gets (JSON, and the bytes of a file) and the messages of the contract.

The JSON is that of protobuf (`google.protobuf.json_format`): names in lowerCamelCase, bytes in base64, integers of 64
bits as texts. Fields that are not set have their defaults, unless they are `optional`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from google.protobuf import json_format, message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from seq2drum.rpc import accompaniment_pb2 as pb
from server.statuses import Refusal, detail_of, reason_of, retry_of

AT_ONCE = 32 << 10
"""Messages of more bytes are converted in a thread, so that nobody else waits."""

_HTTP: Mapping[int, int] = MappingProxyType(
    {
        code.value[0]: number
        for code, number in (
            (StatusCode.INVALID_ARGUMENT, 400),
            (StatusCode.FAILED_PRECONDITION, 400),
            (StatusCode.UNAUTHENTICATED, 401),
            (StatusCode.PERMISSION_DENIED, 403),
            (StatusCode.NOT_FOUND, 404),
            (StatusCode.RESOURCE_EXHAUSTED, 429),
            (StatusCode.CANCELLED, 499),
            (StatusCode.UNIMPLEMENTED, 404),
            (StatusCode.UNAVAILABLE, 503),
            (StatusCode.DEADLINE_EXCEEDED, 504),
        )
    }
)
_HTTP_OF_REASONS: Mapping[str, int] = MappingProxyType({"MIDI_TOO_LARGE": 413})
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Method:
    """A method of the contract: its messages, and whether many of them come or go."""

    name: str
    request: type[Any]
    reply: type[Any]
    streams_in: bool
    streams_out: bool

    @property
    def by_socket(self) -> bool:
        """Whether it is asked by a WebSocket: messages go and come in turn."""
        return self.name in ("StreamCompose", "Jam")


def _method(described: Any) -> Method:
    request, reply = map(message_factory.GetMessageClass, (described.input_type, described.output_type))
    return Method(described.name, request, reply, described.client_streaming, described.server_streaming)


METHODS: Mapping[str, Method] = MappingProxyType(
    {described.name: _method(described) for described in pb.DESCRIPTOR.services_by_name["AccompanimentService"].methods}
)
"""The methods of the contract by their names."""


async def parsed(kind: type[Any], line: bytes) -> Any:
    """The message of a line of JSON; an empty one is a message with nothing set.

    Raises:
        Refusal: INVALID_INPUT.
    """
    return await _beside(len(line), lambda: _parsed(kind, line))


def _parsed(kind: type[Any], line: bytes) -> Any:
    try:
        told = json.loads(line or "{}")
        if isinstance(told, dict):
            return json_format.ParseDict(told, kind())
        why = f"it is a {type(told).__name__}"
    except (json_format.ParseError, ValueError, RecursionError) as error:
        why = str(error)[:300]
    raise Refusal("INVALID_INPUT", f"what came is no JSON of a {kind.DESCRIPTOR.name} ({why}); wanted one object")


async def as_json(kind: type[Any], data: bytes) -> bytes:
    """The JSON, in one line, of a message of this kind."""
    return await _beside(len(data), lambda: _written(kind.FromString(data)))


def _written(message: Message) -> bytes:
    told = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
    return json.dumps(told, separators=(",", ":")).encode()


async def _beside(size: int, work: Callable[[], _Result]) -> _Result:
    return await asyncio.to_thread(work) if size > AT_ONCE else work()


def refused(status: status_pb2.Status, request_id: str) -> tuple[int, bytes]:
    """The status of HTTP and the JSON that tell of a call that failed."""
    bad = detail_of(status, error_details_pb2.BadRequest())
    code = _HTTP_OF_REASONS.get(reason_of(status), _HTTP.get(status.code, 500))
    told = {
        "reason": reason_of(status),
        "message": status.message,
        "field": bad.field_violations[0].field if bad else None,
        "retry_seconds": retry_of(status),
        "request_id": request_id,
    }
    return code, json.dumps(told, separators=(",", ":")).encode()
