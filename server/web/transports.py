"""Transports of calls from a browser: HTTP and WebSocket, with messages as JSON.

A call is a POST whose body is a line of JSON and the bytes of a file, or a WebSocket. A caller that disconnects cancels
the task of its call. The JSON is protobuf's (`google.protobuf.json_format`): names in lowerCamelCase, bytes in base64,
64-bit integers as strings. Fields that are not set have their defaults, unless they are `optional`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from google.protobuf import json_format, message_factory
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from starlette.types import Receive, Scope, Send

from seq2drum.rpc import accompaniment_pb2 as pb
from server.calls import ID_HEADER
from server.requests import Upload
from server.settings import Settings
from server.statuses import Refusal, detail_of, reason_of, retry_of, to_status

# --- JSON and messages ------------------------------------------------------------------------------------------------


INLINE_BYTES = 32 << 10
"""Larger messages are converted in a thread, so that they do not block the event loop."""

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
    """A method of the contract: its messages, and whether they are streamed."""

    name: str
    request: type[Any]
    reply: type[Any]
    streams_in: bool
    streams_out: bool

    @property
    def by_socket(self) -> bool:
        """True if it is called over a WebSocket: messages alternate."""
        return self.name in ("StreamCompose", "Jam", "TeachDrummer")


def _method(described: Any) -> Method:
    request, reply = map(message_factory.GetMessageClass, (described.input_type, described.output_type))
    return Method(described.name, request, reply, described.client_streaming, described.server_streaming)


METHODS: Mapping[str, Method] = MappingProxyType(
    {described.name: _method(described) for described in pb.DESCRIPTOR.services_by_name["AccompanimentService"].methods}
)
"""The methods of the contract by their names."""


async def parse_json(kind: type[Any], line: bytes) -> Any:
    """Parse a line of JSON; an empty one is a message with nothing set.

    Raises:
        Refusal: INVALID_INPUT.
    """
    return await _off_loop(len(line), lambda: _message_of(kind, line))


def _message_of(kind: type[Any], line: bytes) -> Any:
    try:
        fields = json.loads(line or "{}")
        if isinstance(fields, dict):
            return json_format.ParseDict(fields, kind())
        why = f"it is a {type(fields).__name__}"
    except (json_format.ParseError, ValueError, RecursionError) as error:
        why = str(error)[:300]
    raise Refusal(
        "INVALID_INPUT", f"the request is not the JSON of a {kind.DESCRIPTOR.name} ({why}); wanted one object"
    )


async def to_json(kind: type[Any], data: bytes) -> bytes:
    """Return a message of this kind as one line of JSON."""
    return await _off_loop(len(data), lambda: _json_of(kind, data))


def _json_of(kind: type[Any], data: bytes) -> bytes:
    fields = json_format.MessageToDict(kind.FromString(data), always_print_fields_with_no_presence=True)
    return json.dumps(fields, separators=(",", ":")).encode()


async def _off_loop(size: int, work: Callable[[], _Result]) -> _Result:
    return await asyncio.to_thread(work) if size > INLINE_BYTES else work()


def error_reply(status: status_pb2.Status, request_id: str) -> tuple[int, bytes]:
    """Return the HTTP status and the JSON of a failed call."""
    bad = detail_of(status, error_details_pb2.BadRequest())
    code = _HTTP_OF_REASONS.get(reason_of(status), _HTTP.get(status.code, 500))
    fields = {
        "reason": reason_of(status),
        "message": status.message,
        "field": bad.field_violations[0].field if bad else None,
        "retry_seconds": retry_of(status),
        "request_id": request_id,
    }
    return code, json.dumps(fields, separators=(",", ":")).encode()


# --- transports -------------------------------------------------------------------------------------------------------


PROTOCOL = "seq2drum.v1"
"""The subprotocol of the WebSocket."""
BEARER = "bearer."
"""The prefix of the token among the subprotocols of a WebSocket; the token is in base64 for URLs, without padding."""
SOCKET_SECONDS = 3600.0
"""The longest duration of a WebSocket."""
FLUSH_SECONDS = 1.0
"""The time that a caller has to read why its call failed."""
_DRAIN_BYTES = 256 << 20  # of a refused body that are still read, so that the caller learns why
_DRAIN_SECONDS = 10.0

_Headers = list[tuple[bytes, bytes]]


def peer_of(scope: Scope) -> str:
    """Return the address that a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def headers_of(scope: Scope) -> list[tuple[str, str | bytes]]:
    """Return the headers of a request, their names in lower case."""
    return [(name.decode("latin-1"), value) for name, value in scope["headers"]]


class HttpTransport:
    """A call as one HTTP request, answered with JSON or, if the method streams its reply, with events.

    upload: returns the receiver of a call's file.
    """

    def __init__(
        self,
        method: Method,
        request: tuple[Scope, Receive, Send],
        settings: Settings,
        upload: Callable[[ExitStack], Upload],
    ) -> None:
        scope, receive, send = request
        self.headers: Iterable[tuple[str, str | bytes]] = headers_of(scope)
        self.peer = peer_of(scope)
        self.certificate_names: Sequence[str] = scope["state"]["names"]
        self._method, self._scope, self._receive, self._send = method, scope, receive, send
        self._upload, self._most_chunk = upload, settings.max_chunk_bytes
        self._idle_seconds = settings.idle_seconds
        self._render_seconds = 2 * settings.render_seconds + settings.default_deadline_seconds
        self._most_line = settings.max_message_bytes * 4 // 3  # files in it are in base64
        self._id = ""
        self.gone = False
        """True if the caller has left."""
        self._rest: bytes | None = None  # of the body after the line; None before the line is read
        self._more = True
        self._answered = self._open = False  # whether the reply has begun; whether more of it follows
        self._watching: asyncio.Task[None] | None = None
        self._call = asyncio.current_task()

    def time_remaining(self) -> float | None:
        """Return the time for any sound to be made and sent; None for other methods: a browser sends no deadline."""
        return self._render_seconds if self._method.name == "Render" else None

    async def read(self) -> bytes | None:
        """Return the next message: of a unary method the only one, else a configuration, then chunks of the file."""
        if self._rest is None:
            line = await self._line()
            if self._method.streams_in:
                config = await parse_json(pb.StreamConfig, line)
                return pb.StreamGenerateDrumsRequest(config=config).SerializeToString()
            return await self._unary(line)
        piece = await self._piece() if self._method.streams_in else b""
        return pb.StreamGenerateDrumsRequest(midi_chunk=piece).SerializeToString() if piece else None

    async def _line(self) -> bytes:
        """Return the first line of the body, and keep the rest."""
        line = bytearray()
        while self._more:
            piece, end, rest = (await self._received()).partition(b"\n")
            line += piece
            if len(line) > self._most_line:
                text = f"the first line has more than {self._most_line:,} bytes, wanted the request as JSON"
                raise Refusal("INVALID_INPUT", f"{text}, and the file behind it")
            if end:
                self._rest = rest
                return bytes(line)
        self._rest = b""
        return bytes(line)

    async def _unary(self, line: bytes) -> bytes:
        request = await parse_json(self._method.request, line)
        with ExitStack() as held:
            upload = self._upload(held)
            while piece := await self._piece():
                upload.add(piece)
            if upload.file and "midi" not in self._method.request.DESCRIPTOR.fields_by_name:
                raise Refusal("INVALID_INPUT", f"{self._method.name} takes no file; send the line of JSON alone")
            if upload.file:
                request.midi = bytes(upload.file)
        return bytes(request.SerializeToString())

    async def _piece(self) -> bytes:
        """Return the next bytes of the file; none at its end."""
        while not self._rest and self._more:
            self._rest = await self._received()
        rest = self._rest or b""
        self._rest = rest[self._most_chunk :]
        return rest[: self._most_chunk]

    async def _received(self) -> bytes:
        """Return the next part of the body.

        Raises:
            asyncio.CancelledError: the caller has left.
        """
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.gone = True
            raise asyncio.CancelledError
        self._more = bool(message.get("more_body"))
        if not self._more:
            self._watching = asyncio.create_task(self._watch_disconnect())
        return bytes(message.get("body", b""))

    async def _watch_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        if self._call:
            self._call.cancel()

    async def send_id(self, request_id: str) -> None:
        """Keep the id of the call: it is sent with the first message."""
        self._id = request_id

    async def write(self, data: bytes) -> None:
        """Send a message."""
        body = await to_json(self._method.reply, data)
        if self._method.streams_out:
            if not self._answered:
                await self._begin(200, b"text/event-stream")
                self._open = True
            await self._send({"type": "http.response.body", "body": b"data: " + body + b"\n\n", "more_body": True})
        else:
            await self._answer(200, body)

    async def fail(self, status: status_pb2.Status, request_id: str) -> None:
        """Send the status of the failed call: as the reply, or as the last event of a stream."""
        self._id = request_id
        code, body = error_reply(status, request_id)
        if code != 401 and not self._answered:
            await self._drain_body()
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                if self._answered:
                    event = b"event: error\ndata: " + body + b"\n\n"
                    self._open = False
                    await self._send({"type": "http.response.body", "body": event, "more_body": False})
                else:
                    await self._answer(code, body, close=self._more)
        except TimeoutError:
            abort(self._scope)

    async def end(self) -> None:
        """End the reply, once the call is over."""
        if self._watching:
            self._watching.cancel()
        if self._open and not self.gone:
            try:
                async with asyncio.timeout(self._idle_seconds):
                    await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            except TimeoutError:
                abort(self._scope)

    async def _drain_body(self) -> None:
        """Read the rest of the body: a browser that is answered earlier reports a broken connection, and not why."""
        left = _DRAIN_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while self._more and left > 0:
                    left -= len(await self._received())

    async def _answer(self, code: int, body: bytes, *, close: bool = False) -> None:
        await self._begin(code, b"application/json", len(body), close=close)
        await self._send({"type": "http.response.body", "body": body})

    async def _begin(self, code: int, kind: bytes, size: int | None = None, *, close: bool = False) -> None:
        self._answered = True
        headers: _Headers = [(b"content-type", kind), (b"cache-control", b"no-store")]
        headers += [(ID_HEADER.encode(), self._id.encode())] if self._id else []
        headers += [(b"content-length", b"%d" % size)] if size is not None else []
        headers += [(b"connection", b"close")] if close else []
        await self._send({"type": "http.response.start", "status": code, "headers": headers})


class WebSocketTransport:
    """A call as a WebSocket, whose messages are JSON both ways."""

    def __init__(self, method: Method, request: tuple[Scope, Receive, Send]) -> None:
        scope, receive, send = request
        self.headers: Iterable[tuple[str, str | bytes]] = [*headers_of(scope), *token_header(scope)]
        self.peer = peer_of(scope)
        self.certificate_names: Sequence[str] = scope["state"]["names"]
        self._method, self._scope, self._receive, self._send = method, scope, receive, send
        self.gone = False
        """True if the caller has left."""
        self._accepted = self._waits = False
        self._inbox: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue(maxsize=2)
        self._pump: asyncio.Task[None] | None = None
        self._call = asyncio.current_task()

    def time_remaining(self) -> float | None:
        """Return the longest duration of a WebSocket."""
        return SOCKET_SECONDS

    async def read(self) -> bytes | None:
        """Return the next message; None once the caller has closed."""
        if not self._accepted:
            await self._receive()  # the request to accept
            spoken = (
                PROTOCOL if PROTOCOL in self._scope["subprotocols"] else None
            )  # an answer that was not offered is an error
            await self._send({"type": "websocket.accept", "subprotocol": spoken})
            self._accepted = True
            self._pump = asyncio.create_task(self._receive_all())
        self._waits = True
        message = await self._inbox.get()
        self._waits = False
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        if text is None:
            raise Refusal("INVALID_INPUT", "the message is binary, wanted JSON as text")
        return bytes((await parse_json(self._method.request, text.encode())).SerializeToString())

    async def _receive_all(self) -> None:
        """Receive messages, also while bars are made: a caller that leaves then cancels the call."""
        while (message := await self._receive())["type"] != "websocket.disconnect":
            await self._inbox.put(message)
        self.gone = True
        if self._waits:
            self._inbox.put_nowait(message)
        elif self._call:
            self._call.cancel()

    async def send_id(self, request_id: str) -> None:
        """Do nothing: a WebSocket has no place for the id of the call."""

    async def write(self, data: bytes) -> None:
        """Send a message."""
        await self._send_text(await to_json(self._method.reply, data))

    async def fail(self, status: status_pb2.Status, request_id: str) -> None:
        """Send the status of the failed call, as the last message or in place of the WebSocket."""
        code, body = error_reply(status, request_id)
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                if self._accepted:
                    await self._send_text(b'{"error":' + body + b"}")
                else:
                    headers: _Headers = [(b"content-type", b"application/json")]
                    start = {"type": "websocket.http.response.start", "status": code, "headers": headers}
                    await self._send(start)
                    await self._send({"type": "websocket.http.response.body", "body": body})
        except TimeoutError:
            abort(self._scope)

    async def end(self) -> None:
        """Close the WebSocket, once the call is over."""
        if self._pump:
            self._pump.cancel()
        if self._accepted and not self.gone:
            await self._send({"type": "websocket.close", "code": 1000})

    async def _send_text(self, body: bytes) -> None:
        await self._send({"type": "websocket.send", "text": body.decode()})


def token_header(scope: Scope) -> list[tuple[str, str | bytes]]:
    """Return the token among the subprotocols of a WebSocket, as the header of other calls."""
    found = [name.removeprefix(BEARER) for name in scope.get("subprotocols", ()) if name.startswith(BEARER)]
    shown: list[tuple[str, str | bytes]] = []
    for text in found:
        with contextlib.suppress(binascii.Error, ValueError):
            token = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            shown.append(("authorization", b"Bearer " + token))
    return shown


async def refuse(request: tuple[Scope, Receive, Send], refusal: Refusal) -> None:
    """Refuse a request or a WebSocket that is not a call."""
    scope, _, send = request
    code, body = error_reply(to_status(refusal), "")
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    size = b"%d" % len(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", size), (b"connection", b"close")]
    await send({"type": f"{kind}.start", "status": code, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})


def abort(scope: Scope) -> None:
    """Cut the connection of a request whose caller reads nothing more. See `connections.Connection`."""
    cut: Callable[[], None] = scope["state"]["abort"]
    cut()
