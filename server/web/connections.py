"""One connection of a browser: how many there are, who makes room, and how long the head of a request may take."""

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
"""Connections at once; for one more another makes room that has shown no token, or on which nothing is asked."""
MOST_UNSENT = 4 << 20
"""Bytes of a reply that its caller has not taken, until its call waits: takes of a song are played to their end before,
so that a stream which nobody reads keeps no turn from others."""
HEAD_SECONDS = 10.0
"""How long the head of a request may take, from the connection or from its first byte."""


def certificate_names(certificate: Mapping[str, Any]) -> tuple[str, ...]:
    """The names in a caller's certificate, as Python's `ssl` has it: what it is called, and what else it stands for."""
    called = [value for pairs in certificate.get("subject", ()) for name, value in pairs if name == "commonName"]
    others = [value for _, value in certificate.get("subjectAltName", ())]
    return tuple(dict.fromkeys([*called, *others]))


class Connection(H11Protocol):
    """uvicorn's connection, with a limit to their number and a time for the head of a request."""

    def __init__(self, config: Config, state: ServerState) -> None:
        facts = {"abort": self._abort, "admitted": self._admitted, "names": ()}
        super().__init__(config=config, server_state=state, app_state=facts)
        self._is_known = False  # whether a token was shown on it
        self._since = self.loop.time()  # when it was made, or the last request on it came
        self._waiting: asyncio.TimerHandle | None = None
        self._unsent = 0  # bytes of a reply, when it was last looked

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or cut it off if there are too many and none can make room."""
        if len(self.connections) >= MOST_CONNECTIONS and not self._make_room():
            transport.abort()
            return
        transport.set_write_buffer_limits(high=MOST_UNSENT)
        super().connection_made(transport)
        self.app_state["names"] = certificate_names(transport.get_extra_info("peercert") or {})
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self._wait_no_more()
        if self.transport:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; where they are not yet the whole head of a request, the clock runs."""
        super().data_received(data)
        unread = self.conn.our_state is h11.DONE  # and still comes: it was answered without it
        if self.transport.get_protocol() is self and (self.conn.their_state is h11.IDLE or unread):
            self._wait()
        else:
            self._wait_no_more()
            self._since = self.loop.time()

    @property
    def _can_make_room(self) -> bool:
        """Whether nothing is asked on it, or it has kept its place for long and has shown no token."""
        is_idle = self.cycle is None or self.cycle.response_complete
        return is_idle or (not self._is_known and self.loop.time() - self._since > HEAD_SECONDS)

    def _make_room(self) -> bool:
        """Cut off the oldest connection that can make room, those first that have shown no token."""
        found = [one for one in self.connections if isinstance(one, Connection) and one._can_make_room]
        if found:
            first = min(found, key=lambda one: (one._is_known, one._since))
            self.connections.discard(first)
            first._abort()
        return bool(found)

    def _admitted(self) -> None:
        self._is_known = True

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that nothing is asked on; cut off one whose caller takes no more of the last reply."""
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
    """uvicorn's WebSocket, which answers pings no faster than its caller takes the answers."""

    def handle_ping(self, event: events.Ping) -> None:
        """Answer, but not to who has left, and not while what was said before is not taken."""
        if self.writable.is_set() and not self.transport.is_closing():
            super().handle_ping(event)
