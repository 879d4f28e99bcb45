"""When a stream is to be tried again that failed: gRPC tries only calls in one message again, and before their reply.

The same request gives the same bars and the same files, so what was given before is passed over.
"""

from __future__ import annotations

import time
from typing import Any

import grpc

from client.errors import ServerError
from seq2drum.errors import Seq2DrumError

MOST = 4
"""Attempts at a stream, as at a call in one message."""
MOST_DEATHS = 3
"""Attempts that may cost the server a worker."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 1.0
"""Seconds between two attempts, twice as many each time, where the server does not say."""
_AGAIN = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})


class Attempts:
    """The attempts at one stream, which together may take so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._made, self._deaths = 1, 0
        self._first: Seq2DrumError | None = None

    @property
    def left(self) -> float:
        """Seconds until the deadline of the stream."""
        return max(self._until - time.monotonic(), 0.001)

    def wait(self, error: Any, fault: Seq2DrumError) -> float:
        """How many seconds to wait until the next attempt.

        error: what the last attempt ended with, a `grpc.RpcError` that is a `grpc.Call`. fault: what that means here.

        Raises:
            Seq2DrumError: there is no other attempt. It is the first one's fault where that might have been mended.
        """
        if error.code() not in _AGAIN:
            raise fault from error
        self._first = self._first or fault
        said = fault.retry_seconds if isinstance(fault, ServerError) else None
        self._deaths += isinstance(fault, ServerError) and fault.reason == "WORKER_DIED"
        seconds = min(FIRST_WAIT * 2 ** (self._made - 1), LONGEST_WAIT) if said is None else said
        if self._made >= MOST or self._deaths >= MOST_DEATHS or seconds >= self.left:
            raise self._first from error
        self._made += 1
        return seconds
