"""The open tabs of the page: each holds a WebSocket, which the browser closes with the tab."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from starlette.types import Receive, Scope, Send

from server.credentials import authenticate
from server.settings import Token
from server.statuses import Refusal
from server.web.transports import PROTOCOL, headers_of, refuse, token_header

FIRST_SECONDS = 600.0
"""The time for the first tab to come, before a server that ends with the last one gives up."""


class Tabs:
    """Counts the open tabs. tokens: returns the valid tokens, one of which a tab sends."""

    def __init__(self, tokens: Callable[[], Sequence[Token]]) -> None:
        self._tokens = tokens
        self._open = 0
        self._left: float | None = None  # when the last one was closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count a tab for as long as its WebSocket is open; what it sends is ignored."""
        try:
            authenticate([*headers_of(scope), *token_header(scope)], self._tokens())
        except Refusal as refusal:
            await refuse((scope, receive, send), refusal)
            return
        scope["state"]["admitted"]()
        await receive()  # the request to accept
        spoken = PROTOCOL if PROTOCOL in scope["subprotocols"] else None
        await send({"type": "websocket.accept", "subprotocol": spoken})
        self._open += 1
        try:
            while (await receive())["type"] != "websocket.disconnect":
                pass
        finally:
            self._open -= 1
            self._left = time.monotonic()

    async def closed(self, seconds: float) -> None:
        """Wait until there has been no tab for this long: a page that is reloaded closes its own for a moment."""
        began = time.monotonic()
        while True:
            now = time.monotonic()
            due = began + max(seconds, FIRST_SECONDS) if self._left is None else self._left + seconds
            if not self._open and now >= due:
                return
            await asyncio.sleep(min(max(due - now, 0.05), 0.5))
