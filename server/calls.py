"""One call from arrival to end: transport, credentials, deadline, status and log line.

All methods are served in one form, bytes in and bytes out, as streams: so a call is authenticated before a byte of it
is read, an unreadable message is refused with a reason of the service, and the number of messages being read is
bounded. Nothing here knows a method.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2
from grpc_status import rpc_status

from server.admission import Caller, peer_of
from server.credentials import Quotas, authenticate, certificate_names, credential_name, tokens_of
from server.logs import log
from server.metrics import Metrics
from server.settings import DEADLINE_SKEW_SECONDS, Settings, Token
from server.statuses import Refusal, error_id_of, reason_of, retry_of, shutting_down, to_status, trace_of

# --- transports -------------------------------------------------------------------------------------------------------


ID_HEADER = "x-request-id"
ATTEMPTS_HEADER, PUSHBACK = "grpc-previous-rpc-attempts", "grpc-retry-pushback-ms"
"""gRPC's headers: the number of earlier attempts at a call; and when to retry, or -1 not to."""
MOST_ATTEMPTS = 5
"""Higher attempt numbers count as this one: gRPC makes no more, and the header is set by the caller."""
MOST_KILLED_WORKERS = 3
"""The number of workers killed by one call after which gRPC must not retry it."""

_Context = grpc.aio.ServicerContext[Any, Any]


class Transport(Protocol):
    """The transport of a call: gRPC, or a request of the page."""

    @property
    def peer(self) -> str:
        """The caller's address, as `admission.peer_of` takes it."""
        ...

    @property
    def certificate_names(self) -> Sequence[str]:
        """The names in the caller's certificate, if an authority of the server signed it."""
        ...

    @property
    def headers(self) -> Iterable[tuple[str, str | bytes]]:
        """The headers of the call, their names in lower case."""
        ...

    def time_remaining(self) -> float | None:
        """Return the seconds until the caller's deadline, or None."""
        ...

    async def read(self) -> bytes | None:
        """Return the next message; None at the end of the stream."""
        ...

    async def write(self, data: bytes) -> None:
        """Send a message."""
        ...

    async def send_id(self, request_id: str) -> None:
        """Send the id of the call, before all else. This fails if the caller has left."""
        ...

    async def fail(self, status: status_pb2.Status, request_id: str) -> None:
        """End the call with the status of its failure, and its id."""
        ...


class GrpcTransport:
    """A call over gRPC."""

    def __init__(self, context: _Context, most_bytes: int) -> None:
        self._context, self._most_bytes = context, most_bytes
        self.peer: str = context.peer()
        self.certificate_names: Sequence[str] = certificate_names(context.auth_context())
        self.headers: Iterable[tuple[str, str | bytes]] = context.invocation_metadata() or ()

    def time_remaining(self) -> float | None:
        """Return the seconds until the caller's deadline, or None."""
        return self._context.time_remaining()

    async def read(self) -> bytes | None:
        """Return the next message; None at the end of the stream.

        Raises:
            Refusal: MESSAGE_TOO_LARGE.
        """
        message = await self._context.read()
        if not isinstance(message, bytes):  # grpc.aio.EOF
            return None
        if len(message) > self._most_bytes:
            text = f"the message has {len(message):,} bytes, wanted at most {self._most_bytes:,}"
            raise Refusal("MESSAGE_TOO_LARGE", f"{text}; send a large file in chunks, by StreamGenerateDrums")
        return message

    async def write(self, data: bytes) -> None:
        """Send a message."""
        await self._context.write(data)

    async def send_id(self, request_id: str) -> None:
        """Send the id of the call, before all else.

        Raises:
            asyncio.CancelledError, grpc.aio.BaseError: the caller has left.
        """
        await self._context.send_initial_metadata(((ID_HEADER, request_id),))

    async def fail(self, status: status_pb2.Status, request_id: str) -> None:
        """Set the status of a failed call, which gRPC sends as trailers alone.

        gRPC's clients retry only such calls. They get a retry time, except where another server may answer immediately;
        a call that has killed several workers must not be retried.
        """
        trailer = rpc_status.to_status(status)
        self._context.set_code(trailer.code)
        self._context.set_details(trailer.details)
        more = [*trailer.trailing_metadata, (ID_HEADER, request_id)]
        reason, seconds = reason_of(status), retry_of(status)
        if reason == "WORKER_DIED" and attempt_number(self.headers) >= MOST_KILLED_WORKERS:
            more.append((PUSHBACK, "-1"))
        elif seconds is not None and reason != "SHUTTING_DOWN":
            more.append((PUSHBACK, str(math.ceil(1000 * seconds))))
        self._context.set_trailing_metadata(tuple(more))


class AnyMethodHandler(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic in the stubs alone
    """One handler for methods of any name."""

    def __init__(self, handler: grpc.RpcMethodHandler[Any, Any]) -> None:
        self._handler = handler

    def service(self, _details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        return self._handler


def attempt_number(headers: Iterable[tuple[str, str | bytes]]) -> int:
    """Return the number of this attempt, 1 to MOST_ATTEMPTS; more than 1 where the caller's gRPC retries the call."""
    before = str(next((value for name, value in headers if name == ATTEMPTS_HEADER), "0"))
    return min(1 + int(before), MOST_ATTEMPTS) if re.fullmatch(r"[0-9]{1,3}", before) else 1


# --- the guard --------------------------------------------------------------------------------------------------------


REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CAPACITY_REASONS = frozenset(
    {"QUEUE_FULL", "QUEUE_TIMEOUT", "DEADLINE_TOO_SHORT", "SHUTTING_DOWN", "NOT_READY", "QUOTA_EXCEEDED"}
)
"""Reasons of refusals in which the call itself is right."""

_Kind = TypeVar("_Kind", bound=Message)


class Call:
    """One call: its id, its deadline, its messages, and the facts for its log line."""

    def __init__(self, method: str, transport: Transport, settings: Settings, clock: Callable[[], float]) -> None:
        self.method, self.id, self.facts = method, uuid.uuid4().hex, dict[str, Any]()
        self.started = self.arrived = clock()
        self.bytes_in = self.bytes_out = 0
        self.caller = Caller(peer_of(transport.peer), connection=transport.peer)
        self.task = asyncio.current_task()
        self._transport, self._settings, self._clock = transport, settings, clock
        self._id_sent = self._begun = False
        remaining = transport.time_remaining()
        self.has_deadline = remaining is not None
        self.deadline = self.started + (settings.default_deadline_seconds if remaining is None else remaining)
        self.attempt = attempt_number(transport.headers)
        self._upload_ends = self.started + settings.default_deadline_seconds

    def left(self) -> float:
        """Return the seconds until the deadline."""
        return self.deadline - self._clock()

    async def read(self, *, upload: bool = True) -> bytes | None:
        """Return the next message; None at the end of the stream, or if the caller has left, as `send_id` then raises.

        upload: whether all messages share one time limit; otherwise each has its own.

        Raises:
            Refusal: UPLOAD_STALLED.
        """
        idle = self._settings.idle_seconds if self._begun else self._settings.first_seconds
        seconds = min(idle, self._upload_ends - self._clock()) if upload else idle
        try:
            async with asyncio.timeout(seconds):
                message = await self._transport.read()
        except TimeoutError:
            why = f"nothing came for {idle:g} s; go on, or end the stream"
            if not self._begun:
                why = f"no message came within {idle:g} s; send it without delay, and a large file in chunks"
            elif upload:
                most = self._settings.default_deadline_seconds
                why = f"nothing came for {idle:g} s, or not all within {most:g} s; send the file without pauses"
            raise Refusal("UPLOAD_STALLED", why) from None
        self.arrived, self._begun = self._clock(), True
        self.bytes_in += len(message or b"")
        return message

    async def write(self, message: Message | bytes) -> None:
        """Send a message.

        Raises:
            Refusal: UPLOAD_STALLED, the caller does not read.
        """
        data = message if isinstance(message, bytes) else message.SerializeToString()
        await self.send_id()
        try:
            async with asyncio.timeout(self._settings.idle_seconds):
                await self._transport.write(data)
        except TimeoutError:
            raise Refusal(
                "UPLOAD_STALLED", f"the caller read nothing of the reply for {self._settings.idle_seconds:g} s; read on"
            ) from None
        self.bytes_out += len(data)

    def set_id(self, request_id: str) -> None:
        """Use the id that the caller gave the call, if any.

        Raises:
            Refusal: INVALID_REQUEST_ID.
        """
        if request_id and not REQUEST_ID.fullmatch(request_id):
            raise Refusal(
                "INVALID_REQUEST_ID",
                f"the id of the call has {len(request_id)} characters or odd ones, wanted at most 64 of letters, "
                "digits, '.', '_' and '-'",
                field="request_id",
            )
        self.id = request_id or self.id

    async def send_id(self) -> None:
        """Send the id of the call, once. This fails if the caller has left.

        After it gRPC's clients do not retry the call, so every step that may fail in a call worth a retry comes before
        it.

        Raises:
            asyncio.CancelledError, grpc.aio.BaseError: the caller has left.
        """
        if not self._id_sent:
            self._id_sent = True
            await self._transport.send_id(self.id)

    async def fail(self, status: status_pb2.Status) -> None:
        """Send the status of the failed call."""
        await self._transport.fail(status, self.id)


Handler = Callable[[Call], Awaitable[None]]


class CallGuard:
    """The guard around all calls. It knows the active ones, and can cancel them all."""

    def __init__(self, settings: Settings, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self.inside: set[Call] = set()
        self.last_end = clock()
        """The time when the last call ended."""
        self._settings, self._metrics, self._clock = settings, metrics, clock
        self.tokens = tokens_of(settings)
        self._quotas = Quotas()
        self._closed = self._forced = False
        self._empty = asyncio.Event()
        self._empty.set()

    def handler(
        self, service: str, methods: dict[str, Handler], open_to_all: Iterable[str]
    ) -> grpc.GenericRpcHandler[Any, Any]:
        """Return the methods as gRPC takes them, each guarded."""
        guarded = {
            name: grpc.stream_stream_rpc_method_handler(self._handler(name, handler, name in open_to_all))
            for name, handler in methods.items()
        }
        return grpc.method_handlers_generic_handler(service, guarded)

    def unknown(self) -> grpc.GenericRpcHandler[Any, Any]:
        """Return a handler for unknown methods, which are refused like any call."""

        async def refuse(_call: Call) -> None:
            raise Refusal("UNKNOWN_METHOD", "there is no such method; the contract lists all of them")

        return AnyMethodHandler(grpc.stream_stream_rpc_method_handler(self._handler("unknown", refuse, True)))

    async def drained(self) -> None:
        """Wait until no call is active."""
        await self._empty.wait()

    def close(self) -> None:
        """Refuse new calls from now on; active ones run to their end."""
        self._closed = True

    def cancel_all(self) -> None:
        """Cancel all active calls."""
        self._forced = True
        for call in self.inside:
            if call.task:
                call.task.cancel()

    def _handler(self, name: str, handler: Handler, open_to_all: bool) -> Callable[..., Awaitable[None]]:
        async def handle(_requests: object, context: _Context) -> None:
            transport = GrpcTransport(context, self._settings.max_message_bytes)
            await self.run(name, transport, handler, () if open_to_all else self.tokens.value)

        return handle

    async def run(self, name: str, transport: Transport, handler: Handler, tokens: Sequence[Token]) -> None:
        """Run a call from arrival to end. tokens: the caller has to send one of them, if there are any.

        Raises:
            asyncio.CancelledError: the caller has left.
        """
        call = Call(name, transport, self._settings, self._clock)
        self._metrics.started.labels(name).inc()
        self._metrics.attempts.labels(str(call.attempt)).inc()
        self.inside.add(call)
        self._empty.clear()
        status = status_pb2.Status()
        try:
            status = await self._run(call, transport, handler, tokens)
            if status.code:
                await call.fail(status)
        except asyncio.CancelledError:
            status = _gone(call)
            raise
        except grpc.aio.BaseError:  # the connection is broken
            status = _gone(call)
        finally:
            self.inside.discard(call)
            self.last_end = self._clock()
            self._record(call, status)
            if not self.inside:
                self._empty.set()

    async def _run(
        self, call: Call, transport: Transport, handler: Handler, tokens: Sequence[Token]
    ) -> status_pb2.Status:
        """Authenticate the call and run the handler of its method; return the status.

        Raises:
            asyncio.CancelledError, grpc.aio.BaseError: the caller has left.
        """
        try:
            async with asyncio.timeout(call.left()) as timer:
                token = authenticate(transport.headers, tokens)
                call.caller = replace(
                    call.caller, credential=credential_name(token, transport.certificate_names, self._settings.names)
                )
                if self._closed:
                    raise shutting_down()
                with self._quotas.slot(token):
                    await handler(call)
        except asyncio.CancelledError:
            if not self._forced:
                raise
            return to_status(shutting_down())
        except grpc.aio.BaseError:
            raise
        except TimeoutError as error:
            if not timer.expired():
                return _fault(call, error)
            return to_status(_too_late(call))
        except Exception as error:
            return _fault(call, error)
        return status_pb2.Status()

    def _record(self, call: Call, status: status_pb2.Status) -> None:
        """Count the call and log it."""
        code = next(one.name for one in grpc.StatusCode if one.value[0] == status.code)
        reason = reason_of(status)
        self._metrics.calls.labels(call.method, code, reason).inc()
        if who := call.caller.credential:
            known = not who.startswith("CN=") or self._settings.names
            self._metrics.credentials.labels(who if known else "certificate", code).inc()
        if reason in CAPACITY_REASONS:
            self._metrics.rejected.labels(reason).inc()
        if code == "CANCELLED":
            self._metrics.cancelled.inc()
        took = {"total_ms": round(1000 * (self._clock() - call.started), 1)}
        log(
            "call",
            request_id=call.id,
            method=call.method,
            status=code,
            reason=reason or None,
            credential=call.caller.credential or None,
            attempt=call.attempt if call.attempt > 1 else None,
            bytes_in=call.bytes_in,
            bytes_out=call.bytes_out,
            **{**call.facts, **took},
        )


def parse_message(kind: type[_Kind], data: bytes | None) -> _Kind:
    """Parse a message of the contract.

    Raises:
        Refusal: INVALID_INPUT, WRONG_MESSAGE_ORDER.
    """
    if data is None:
        raise Refusal("WRONG_MESSAGE_ORDER", f"the call ended without a message, wanted one {kind.DESCRIPTOR.name}")
    try:
        return kind.FromString(data)
    except DecodeError:
        raise Refusal(
            "INVALID_INPUT", f"the {len(data):,} bytes of the message are not a {kind.DESCRIPTOR.full_name}"
        ) from None


def _fault(call: Call, error: Exception) -> status_pb2.Status:
    status = to_status(error)
    if error_id := error_id_of(status):
        log("fault", logging.ERROR, request_id=call.id, error_id=error_id, trace=trace_of(error))
    return status


def _too_late(call: Call) -> Refusal:
    own = "its deadline" if call.has_deadline else "the default deadline"
    return Refusal(
        "DEADLINE_PASSED",
        f"the call was not done within {call.deadline - call.started:.1f} s, {own}; set a later one",
    )


def _gone(call: Call) -> status_pb2.Status:
    """Return the status, for the log, of a call whose caller has left."""
    if call.has_deadline and call.left() <= DEADLINE_SKEW_SECONDS:
        return to_status(_too_late(call))
    return to_status(Refusal("CANCELLED", "the caller has left"))
