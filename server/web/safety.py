"""Which requests of a browser are answered at all, and what each answer forbids the page.

A page of another site may send requests to this machine, and a name of that site may be made to mean this machine (DNS
rebinding). So the Host of a request is an address, `localhost` or a name that the operator gave, and an Origin is the
same site.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.logs import log
from server.statuses import Refusal
from server.web.lines import refuse

POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": (
        "camera=(), display-capture=(), geolocation=(), microphone=(), midi=(self), payment=(), usb=()"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What every answer says."""


class Safety:
    """Answers only requests that come from the page itself. names: those by which the page may be called."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app, self._names = app, frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse with 403."""

        async def send_safely(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            check(Headers(scope=scope), self._names)
        except Refusal as refusal:
            log("page refused", reason=refusal.reason)
            await refuse((scope, receive, send_safely), refusal)
        else:
            await self._app(scope, receive, send_safely)


def check(headers: Headers, names: Collection[str]) -> None:
    """Check that a request comes from the page itself, or from no page.

    Raises:
        Refusal: FOREIGN_SITE.
    """
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    if len(hosts) != 1 or not _is_ours(hosts[0], names):
        raise Refusal(
            "FOREIGN_SITE",
            "the page is asked for by a name that it does not know; open it by its address, such as "
            "http://127.0.0.1:50052/, or give the server that name: --web-names",
        )
    if any(urlsplit(origin).netloc.lower() != hosts[0].lower() for origin in origins):
        raise Refusal("FOREIGN_SITE", "a page of another site asks, which this server answers nothing")
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and (
        headers.get("sec-fetch-mode") != "navigate" or origins
    ):
        raise Refusal("FOREIGN_SITE", "a page of another site asks, which this server answers nothing")


def _is_ours(host: str, names: Collection[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name in names or name == "localhost":
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
