"""What stands around every call: who is let in, how long it may take, how a failure is sent, what is logged.

All methods are served in one form, bytes in and bytes out, as streams: so a call is let in before a byte of it is read,
what cannot be read is refused with a reason of the service, and how many are being read is bounded. It knows no method.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2

from server.callers import Caller, peer_of
from server.credentials import Quotas, admit, credential, tokens_of
from server.lines import Anything, GrpcLine, Line, attempt
from server.logs import log
from server.metrics import Metrics
from server.settings import AHEAD, Settings
from server.statuses import Refusal, error_id_of, reason_of, shutting_down, to_status, trace_of
from server.tokens import Token

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
NO_ROOM = frozenset(
    {"QUEUE_FULL", "QUEUE_TIMEOUT", "DEADLINE_TOO_SHORT", "SHUTTING_DOWN", "NOT_READY", "QUOTA_EXCEEDED"}
)
"""Reasons to refuse a call in which nothing is wrong."""

_Kind = TypeVar("_Kind", bound=Message)
_Context = grpc.aio.ServicerContext[Any, Any]


class Call:
    """One call: its id, its deadline, what it reads and writes, and the facts that are logged of it."""

    def __init__(self, method: str, line: Line, settings: Settings, clock: Callable[[], float]) -> None:
        self.method, self.id, self.facts = method, uuid.uuid4().hex, dict[str, Any]()
        self.started = self.arrived = clock()
        self.bytes_in = self.bytes_out = 0
        self.caller = Caller(peer_of(line.peer), connection=line.peer)
        self.task = asyncio.current_task()
        self._line, self._settings, self._clock = line, settings, clock
        self._named = self._begun = False
        remaining = line.time_remaining()
        self.has_deadline = remaining is not None
        self.deadline = self.started + (settings.default_deadline_seconds if remaining is None else remaining)
        self.attempt = attempt(line.headers)
        self._upload_ends = self.started + settings.default_deadline_seconds

    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - self._clock()

    async def read(self, *, upload: bool = True) -> bytes | None:
        """The next message; None if the caller has sent all, or has left: then `confirm` raises an error.

        upload: whether all of them have to come soon; else each has its own time.

        Raises:
            Refusal: UPLOAD_STALLED.
        """
        idle = self._settings.idle_seconds if self._begun else self._settings.first_seconds
        seconds = min(idle, self._upload_ends - self._clock()) if upload else idle
        try:
            async with asyncio.timeout(seconds):
                message = await self._line.read()
        except TimeoutError:
            why = f"nothing came for {idle:g} s; ask on, or end the stream"
            if not self._begun:
                why = f"no message came within {idle:g} s; send it at once, and a large file in pieces"
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
            Refusal: UPLOAD_STALLED: the caller does not take it.
        """
        data = message if isinstance(message, bytes) else message.SerializeToString()
        await self.confirm()
        try:
            async with asyncio.timeout(self._settings.idle_seconds):
                await self._line.write(data)
        except TimeoutError:
            raise Refusal(
                "UPLOAD_STALLED", f"nothing of the reply was taken for {self._settings.idle_seconds:g} s; read it on"
            ) from None
        self.bytes_out += len(data)

    def name(self, request_id: str) -> None:
        """Take the id that the caller gave the call, if there is one.

        Raises:
            Refusal: INVALID_REQUEST_ID.
        """
        if request_id and not REQUEST_ID.fullmatch(request_id):
            raise Refusal(
                "INVALID_REQUEST_ID",
                f"the name of the call has {len(request_id)} characters or odd ones, wanted at most 64 of letters, "
                "digits, '.', '_' and '-'",
                field="request_id",
            )
        self.id = request_id or self.id

    async def confirm(self) -> None:
        """Send the caller the id of the call, once. It shows whether the caller is still there.

        From then on gRPC's clients do not try the call again: whatever may fail in one that they may, fails before.

        Raises:
            asyncio.CancelledError, grpc.aio.BaseError: the caller has left.
        """
        if not self._named:
            self._named = True
            await self._line.open(self.id)

    async def fail(self, status: status_pb2.Status) -> None:
        """Send the caller the status with which it failed."""
        await self._line.fail(status, self.id)


Behaviour = Callable[[Call], Awaitable[None]]


class Door:
    """The way in for all calls. It knows which are inside, and can end them all."""

    def __init__(self, settings: Settings, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self.inside: set[Call] = set()
        self.last = clock()
        """When the last call ended."""
        self._settings, self._metrics, self._clock = settings, metrics, clock
        self.tokens = tokens_of(settings)
        self._quotas = Quotas()
        self._closed = self._forced = False
        self._empty = asyncio.Event()
        self._empty.set()

    def handler(
        self, service: str, methods: dict[str, Behaviour], open_to_all: Iterable[str]
    ) -> grpc.GenericRpcHandler[Any, Any]:
        """The methods as gRPC takes them, each guarded."""
        guarded = {
            name: grpc.stream_stream_rpc_method_handler(self._guarded(name, behaviour, name in open_to_all))
            for name, behaviour in methods.items()
        }
        return grpc.method_handlers_generic_handler(service, guarded)

    def unknown(self) -> grpc.GenericRpcHandler[Any, Any]:
        """Methods that nobody has, which are refused as any other call is."""

        async def refuse(_call: Call) -> None:
            raise Refusal("UNKNOWN_METHOD", "there is no such method here; the contract and GetServerInfo name all")

        return Anything(grpc.stream_stream_rpc_method_handler(self._guarded("unknown", refuse, True)))

    async def emptied(self) -> None:
        """Wait until no call is inside."""
        await self._empty.wait()

    def close(self) -> None:
        """Let no call in any more; those inside go on to their end."""
        self._closed = True

    def send_away(self) -> None:
        """End all calls that are inside, at once."""
        self._forced = True
        for call in self.inside:
            if call.task:
                call.task.cancel()

    def _guarded(self, name: str, behaviour: Behaviour, open_to_all: bool) -> Callable[..., Awaitable[None]]:
        async def handle(_requests: object, context: _Context) -> None:
            line = GrpcLine(context, self._settings.max_message_bytes)
            await self.let_in(name, line, behaviour, () if open_to_all else self.tokens.value)

        return handle

    async def let_in(self, name: str, line: Line, behaviour: Behaviour, tokens: Sequence[Token]) -> None:
        """A call from its arrival to its end. tokens: of which the caller has to show one, if there are any.

        Raises:
            asyncio.CancelledError: the caller has left.
        """
        call = Call(name, line, self._settings, self._clock)
        self._metrics.started.labels(name).inc()
        self._metrics.attempts.labels(str(call.attempt)).inc()
        self.inside.add(call)
        self._empty.clear()
        status = status_pb2.Status()
        try:
            status = await self._run(call, line, behaviour, tokens)
            if status.code:
                await call.fail(status)
        except asyncio.CancelledError:
            status = _gone(call)
            raise
        except grpc.aio.BaseError:  # the connection is broken
            status = _gone(call)
        finally:
            self.inside.discard(call)
            self.last = self._clock()
            self._note(call, status)
            if not self.inside:
                self._empty.set()

    async def _run(self, call: Call, line: Line, behaviour: Behaviour, tokens: Sequence[Token]) -> status_pb2.Status:
        """Let the call in and do what its method does; returns the status.

        Raises:
            asyncio.CancelledError, grpc.aio.BaseError: the caller has left.
        """
        try:
            async with asyncio.timeout(call.left()) as timer:
                token = admit(line.headers, tokens)
                call.caller = replace(call.caller, credential=credential(token, line.names, self._settings.names))
                if self._closed:
                    raise shutting_down()
                with self._quotas.place(token):
                    await behaviour(call)
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

    def _note(self, call: Call, status: status_pb2.Status) -> None:
        """Count the call, and log it."""
        code, reason = _code(status).name, reason_of(status)
        self._metrics.calls.labels(call.method, code, reason).inc()
        if who := call.caller.credential:
            known = not who.startswith("CN=") or self._settings.names
            self._metrics.credentials.labels(who if known else "certificate", code).inc()
        if reason in NO_ROOM:
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


def parse(kind: type[_Kind], data: bytes | None) -> _Kind:
    """A message of the contract.

    Raises:
        Refusal: INVALID_INPUT, WRONG_MESSAGE_ORDER.
    """
    if data is None:
        raise Refusal("WRONG_MESSAGE_ORDER", f"the call ended without a message, wanted one {kind.DESCRIPTOR.name}")
    try:
        return kind.FromString(data)
    except DecodeError:
        raise Refusal(
            "INVALID_INPUT", f"the {len(data):,} bytes of the message are no {kind.DESCRIPTOR.full_name}"
        ) from None


def _fault(call: Call, error: Exception) -> status_pb2.Status:
    status = to_status(error)
    if error_id := error_id_of(status):
        log("fault", logging.ERROR, request_id=call.id, error_id=error_id, trace=trace_of(error))
    return status


def _too_late(call: Call) -> Refusal:
    own = "its deadline" if call.has_deadline else "the deadline of calls that have none of their own"
    return Refusal(
        "DEADLINE_PASSED",
        f"the call was not done within {call.deadline - call.started:.1f} s, {own}; give it a later one",
    )


def _gone(call: Call) -> status_pb2.Status:
    """The status of a call whose caller has left, for the log."""
    if call.has_deadline and call.left() <= AHEAD:
        return to_status(_too_late(call))
    return to_status(Refusal("CANCELLED", "the caller has left"))


def _code(status: status_pb2.Status) -> grpc.StatusCode:
    return next(code for code in grpc.StatusCode if code.value[0] == status.code)
