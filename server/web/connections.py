"""Connections of browsers: a limit to their number, which of them make room, and a time limit for request heads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from uvicorn.server import ServerState
from wsproto import events

MOST_CONNECTIONS = 256
"""The most connections; for one more, another is closed that is idle or has sent no token."""
MOST_UNSENT = 4 << 20
"""The most unread bytes of a reply before its call waits.

The takes of a song are played to their end first, so a stream that nobody reads keeps no turn from others.
"""
HEAD_SECONDS = 10.0
"""The time limit for the head of a request, from the connection or its first byte on."""


def certificate_names(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names in a caller's certificate, as Python's `ssl` gives it: common name, then alternative names."""
    called = [value for pairs in certificate.get("subject", ()) for name, value in pairs if name == "commonName"]
    others = [value for _, value in certificate.get("subjectAltName", ())]
    return tuple(dict.fromkeys([*called, *others]))


class Connection(H11Protocol):
    """uvicorn's connection, with a limit to their number and a time limit for request heads."""

    def __init__(self, config: Config, state: ServerState) -> None:
        facts = {"abort": self._abort, "admitted": self._admitted, "names": ()}
        super().__init__(config=config, server_state=state, app_state=facts)
        self._is_known = False  # whether a token was sent on it
        self._since = self.loop.time()  # time of the connection or of its last request
        self._waiting: asyncio.TimerHandle | None = None
        self._unsent = 0  # bytes of a reply at the last check

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, or cut it off if there are too many and none can make room."""
        if len(self.connections) >= MOST_CONNECTIONS and not self._make_room():
            transport.abort()
            return
        transport.set_write_buffer_limits(high=MOST_UNSENT)
        super().connection_made(transport)
        self.app_state["names"] = certificate_names(transport.get_extra_info("peercert") or {})
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after the connection."""
        self._wait_no_more()
        if self.transport:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and start the timer while the head of a request is incomplete."""
        super().data_received(data)
        unread = self.conn.our_state is h11.DONE  # it was answered early, and its body still comes
        if self.transport.get_protocol() is self and (self.conn.their_state is h11.IDLE or unread):
            self._wait()
        else:
            self._wait_no_more()
            self._since = self.loop.time()

    @property
    def _can_make_room(self) -> bool:
        """True if it is idle, or has been here for long without a token."""
        is_idle = self.cycle is None or self.cycle.response_complete
        return is_idle or (not self._is_known and self.loop.time() - self._since > HEAD_SECONDS)

    def _make_room(self) -> bool:
        """Close the oldest connection that can make room, those without a token first."""
        found = [one for one in self.connections if isinstance(one, Connection) and one._can_make_room]
        if found:
            first = min(found, key=lambda one: (one._is_known, one._since))
            self.connections.discard(first)
            first._abort()
        return bool(found)

    def _admitted(self) -> None:
        self._is_known = True

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; cut off one whose caller reads no more of the last reply."""
        left = self.transport.get_write_buffer_size()
        if not left:
            super().timeout_keep_alive_handler()
        elif left == self._unsent:
            self._abort()
        else:
            self._unsent = left
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _wait(self) -> None:
        if self._waiting is None:
            self._waiting = self.loop.call_later(HEAD_SECONDS, self._abort)

    def _wait_no_more(self) -> None:
        if self._waiting:
            self._waiting.cancel()
            self._waiting = None

    def _abort(self) -> None:
        if self.transport:
            self.transport.abort()


class SocketConnection(WSProtocol):
    """uvicorn's WebSocket, which answers pings no faster than the caller reads the answers."""

    def handle_ping(self, event: events.Ping) -> None:
        """Answer, unless the caller has left or has not read earlier answers."""
        if self.writable.is_set() and not self.transport.is_closing():
            super().handle_ping(event)
