"""What a call comes over: gRPC here, a request of the page in `web`. Whatever guards a call knows only this."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import grpc
from google.rpc import status_pb2
from grpc_status import rpc_status

from server.credentials import names_of
from server.statuses import Refusal, reason_of, retry_of

ID_HEADER = "x-request-id"
ATTEMPTS_HEADER, PUSHBACK = "grpc-previous-rpc-attempts", "grpc-retry-pushback-ms"
"""How often gRPC has tried a call before; and what tells it when to try again, or with -1 not to."""
MOST_ATTEMPTS = 5
"""Beyond it attempts are not told apart: gRPC makes no more, and the number is the caller's word."""
MOST_DEATHS = 3
"""How many workers a call may kill."""

_Context = grpc.aio.ServicerContext[Any, Any]


class Line(Protocol):
    """What a call comes over: gRPC, or a request of the page."""

    @property
    def peer(self) -> str:
        """The address that the call comes from, as `callers.peer_of` takes it."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """The names of the caller's certificate, if there is one that an authority of the server vouches for."""
        ...

    @property
    def headers(self) -> Iterable[tuple[str, str | bytes]]:
        """The headers of the call, their names in lower case."""
        ...

    def time_remaining(self) -> float | None:
        """Seconds until the caller's deadline; None if there is none."""
        ...

    async def read(self) -> bytes | None:
        """The next message; None if the caller has sent all."""
        ...

    async def write(self, data: bytes) -> None:
        """Send a message."""
        ...

    async def open(self, request_id: str) -> None:
        """Send the id of the call, before all else. It shows whether the caller is still there."""
        ...

    async def fail(self, status: status_pb2.Status, request_id: str) -> None:
        """Send the status with which the call failed, as its end, and beside it the id of the call."""
        ...


class GrpcLine:
    """A call that comes over gRPC."""

    def __init__(self, context: _Context, most_bytes: int) -> None:
        self._context, self._most_bytes = context, most_bytes

    @property
    def peer(self) -> str:
        """The address that the call comes from."""
        address: str = self._context.peer()
        return address

    @property
    def names(self) -> Sequence[str]:
        """The names of the caller's certificate."""
        return names_of(self._context.auth_context())

    @property
    def headers(self) -> Iterable[tuple[str, str | bytes]]:
        """The headers of the call."""
        return self._context.invocation_metadata() or ()

    def time_remaining(self) -> float | None:
        """Seconds until the caller's deadline; None if there is none."""
        return self._context.time_remaining()

    async def read(self) -> bytes | None:
        """The next message; None if the caller has sent all.

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

    async def open(self, request_id: str) -> None:
        """Send the id of the call, before all else.

        Raises:
            asyncio.CancelledError, grpc.aio.BaseError: the caller has left.
        """
        await self._context.send_initial_metadata(((ID_HEADER, request_id),))

    async def fail(self, status: status_pb2.Status, request_id: str) -> None:
        """Set the status with which the call failed: gRPC sends it as trailers, and before them nothing.

        Only such a call do gRPC's clients try again. They are told when; where another server may do better they choose
        the time, and what has killed worker after worker they are not to try any more.
        """
        trailer = rpc_status.to_status(status)
        self._context.set_code(trailer.code)
        self._context.set_details(trailer.details)
        more = [*trailer.trailing_metadata, (ID_HEADER, request_id)]
        reason, seconds = reason_of(status), retry_of(status)
        if reason == "WORKER_DIED" and attempt(self.headers) >= MOST_DEATHS:
            more.append((PUSHBACK, "-1"))
        elif seconds is not None and reason != "SHUTTING_DOWN":
            more.append((PUSHBACK, str(math.ceil(1000 * seconds))))
        self._context.set_trailing_metadata(tuple(more))


class Anything(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # the stubs alone have it so
    """Has one way to handle methods of any name."""

    def __init__(self, handler: grpc.RpcMethodHandler[Any, Any]) -> None:
        self._handler = handler

    def service(self, _details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        return self._handler


def attempt(headers: Iterable[tuple[str, str | bytes]]) -> int:
    """The number of the attempt at a call, 1 to MOST_ATTEMPTS: more than 1 where the caller's gRPC tries it again."""
    before = str(next((value for name, value in headers if name == ATTEMPTS_HEADER), "0"))
    return min(1 + int(before), MOST_ATTEMPTS) if re.fullmatch(r"[0-9]{1,3}", before) else 1
