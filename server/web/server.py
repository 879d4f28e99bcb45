"""The web server: a port that serves the page's files, and the methods of the contract over HTTP.

It runs in the process that answers calls, and calls the same handlers through the same guard: nothing is parsed or
played here.
"""

from __future__ import annotations

import asyncio
import errno
import gzip
import hashlib
import ipaddress
import logging
import os
import re
import socket
import ssl
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import ServerState

import seq2drum
from seq2drum.errors import OptionError
from server import admission
from server.admission import Caller
from server.calls import Call, CallGuard, Handler
from server.credentials import Reloadable
from server.logs import log
from server.requests import Upload
from server.service import Service
from server.settings import Settings, Token
from server.statuses import Refusal, trace_of
from server.web.connections import Connection, SocketConnection
from server.web.tabs import Tabs
from server.web.transports import METHODS, HttpTransport, WebSocketTransport, abort, peer_of, refuse

# --- which requests are answered --------------------------------------------------------------------------------------


CONTENT_POLICY = "; ".join(
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
    "content-security-policy": CONTENT_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": (
        "camera=(), display-capture=(), geolocation=(), microphone=(), midi=(self), payment=(), usb=()"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""The security headers of every answer."""


class OriginCheck:
    """Middleware that answers only requests of the page itself. names: the host names of the page."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app, self._names = app, frozenset(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse with 403.

        A page of another site may send requests to this machine, and may make its own name mean this machine (DNS
        rebinding). So the Host of a request has to be an address, `localhost` or a name that the operator gave, and an
        Origin the same site.
        """

        async def send_safely(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            check_origin(Headers(scope=scope), self._names)
        except Refusal as refusal:
            log("page refused", reason=refusal.reason)
            await refuse((scope, receive, send_safely), refusal)
        else:
            await self._app(scope, receive, send_safely)


def check_origin(headers: Headers, names: Collection[str]) -> None:
    """Check that a request comes from the page itself, or from no page.

    Raises:
        Refusal: FOREIGN_SITE.
    """
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    if len(hosts) != 1 or not _is_known_host(hosts[0], names):
        raise Refusal(
            "FOREIGN_SITE",
            "the request names an unknown host; open the page by its address, such as "
            "http://127.0.0.1:50052/, or give the server that name: --web-names",
        )
    if any(urlsplit(origin).netloc.lower() != hosts[0].lower() for origin in origins):
        raise Refusal(
            "FOREIGN_SITE", "the request comes from a page of another site, which this server does not answer"
        )
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and (
        headers.get("sec-fetch-mode") != "navigate" or origins
    ):
        raise Refusal(
            "FOREIGN_SITE", "the request comes from a page of another site, which this server does not answer"
        )


def _is_known_host(host: str, names: Collection[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name in names or name == "localhost":
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


# --- the page's files -------------------------------------------------------------------------------------------------


FOLDER = Path(__file__).parent / "page"
EXAMPLE = Path(seq2drum.__file__).parent / "songs" / "blues_shuffle.mid"
"""The song that comes with the package, served as example.mid."""
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mid": "audio/midi",
    ".mp3": "audio/mpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
}
"""The served kinds of files, by suffix."""
GZIPPED = (".css", ".html", ".js", ".json", ".svg", ".txt")
"""Suffixes of files that are sent as gzip, which makes a third of their bytes."""
INDEX = "index.html"


class PageFiles:
    """Serves the files of a folder. A name is looked up among those present at the start, and never opened."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._paths = {
            path.relative_to(folder).as_posix(): path
            for path in folder.rglob("*")
            if path.is_file() and path.suffix in MEDIA_TYPES
        } | {"example.mid": EXAMPLE}

    async def answer(self, request: Request) -> Response:
        """Return the named file; the page itself if no name is given."""
        name = request.path_params["name"] or INDEX
        path = self._paths.get(name)
        if path is None:
            return PlainTextResponse("There is no such page; the page itself is at /\n", 404)
        data = path.read_bytes()
        packed = path.suffix in GZIPPED and "gzip" in request.headers.get("accept-encoding", "")
        mark = f'"{hashlib.sha256(data).hexdigest()[:32]}{"-gzip" * packed}"'
        headers = {"cache-control": "no-cache", "etag": mark, "vary": "accept-encoding"}
        if mark in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if packed:
            data, headers["content-encoding"] = as_sent(data, path.suffix), "gzip"
        return Response(data, headers=headers, media_type=MEDIA_TYPES[path.suffix])


@lru_cache(maxsize=128)
def as_sent(data: bytes, suffix: str) -> bytes:
    """Return a file as gzip, without a timestamp; scripts and styles without comments and indents, line for line."""
    if suffix in (".js", ".css"):
        comment = rb"/\*\*.*?\*/" if suffix == ".js" else rb"/\*.*?\*/"
        data = re.sub(comment, lambda found: b"\n" * found[0].count(b"\n"), data, flags=re.DOTALL)
        data = re.sub(rb" *// [^\"'`\n]*$|^ *//.*$|^ +", b"", data, flags=re.MULTILINE)
    return gzip.compress(data, mtime=0)


# --- the port ---------------------------------------------------------------------------------------------------------


MOST_SOCKET_BYTES = 64 << 10
"""The longest message of a WebSocket."""
MOST_HEAD_BYTES = 16 << 10
"""The longest head of a request."""
KEEP_ALIVE_SECONDS = 30
"""The time for which an idle connection is kept."""
FLUSH_SECONDS = 0.5
"""The time for replies to reach their callers when the server ends."""


class Api:
    """The methods of the contract over HTTP. token: of the page, if the server has none."""

    def __init__(self, settings: Settings, service: Service, guard: CallGuard, token: str) -> None:
        self._settings, self._service, self._guard, self._page_token = settings, service, guard, Token("", token)
        self._handlers: Mapping[str, Handler] = service.methods()

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The valid tokens: the server's, and the page's own if none of those is nameless."""
        found = self._guard.tokens.value
        return found if any(not token.name for token in found) else (*found, self._page_token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the method that the last part of the address names."""
        name = scope["path_params"]["method"]
        method = METHODS.get(name) if name in self._handlers else None
        request = (scope, receive, send)
        if method is None or method.by_socket != (scope["type"] == "websocket"):
            await refuse(request, Refusal("UNKNOWN_METHOD", f"there is no such method; there are {', '.join(METHODS)}"))
            return
        line = (
            WebSocketTransport(method, request)
            if method.by_socket
            else HttpTransport(method, request, self._settings, self._upload(scope))
        )

        async def handle(call: Call) -> None:
            scope["state"]["admitted"]()  # its token is valid
            await self._handlers[method.name](call)

        try:
            await self._guard.run(method.name, line, handle, self.tokens)
        except asyncio.CancelledError:
            if not line.gone:
                raise
        except Exception as error:  # without the message, which may quote the caller
            log("fault", logging.ERROR, method=method.name, trace=trace_of(error))
            abort(scope)
        finally:
            await line.end()

    def _upload(self, scope: Scope) -> Callable[[ExitStack], Upload]:
        """Return a factory for the upload of a call, which may need a place for a large file."""
        caller = Caller(admission.peer_of(peer_of(scope)))
        return lambda held: Upload(self._service.sizes, self._service.large_uploads.slot(caller), held)


class WebServer:
    """The port of the page: bound, started and stopped, in this order."""

    def __init__(self, settings: Settings, service: Service, guard: CallGuard, token: str) -> None:
        api = self._api = Api(settings, service, guard, token)
        self.tabs = Tabs(lambda: api.tokens)
        routes = [
            Route("/api/{method}", api, methods=["POST"]),
            WebSocketRoute("/api/{method}", api),
            WebSocketRoute("/tab", self.tabs),
            Route("/{name:path}", PageFiles().answer, methods=["GET"]),
        ]
        names = settings.web_names.replace(",", " ").split()
        app = Starlette(routes=routes, middleware=[Middleware(OriginCheck, names=names)])
        self._settings = settings
        self._config = _config(settings, app)
        self._state = ServerState()
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._certificate: Reloadable[None] | None = None
        self.port = 0

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._state.connections)

    @property
    def address(self) -> str:
        """The address of the page for a browser on this machine."""
        host = self._host if self._host not in ("0.0.0.0", "::") else "127.0.0.1"
        scheme = "https" if self._settings.tls else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/"

    @property
    def address_with_token(self) -> str:
        """The address with the token: a browser does not send what follows the #."""
        return f"{self.address}#token={next(token.secret for token in self._api.tokens if not token.name)}"

    @property
    def _host(self) -> str:
        host = self._settings.host
        return "127.0.0.1" if host == "localhost" or host.startswith("unix:") else host.strip("[]")

    def bind(self) -> None:
        """Take the address.

        Raises:
            OptionError: another program has it.
        """
        port = self._settings.web_port or 0
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # With IPPROTO_TCP asyncio sets TCP_NODELAY; without, the body of each reply would come 40 ms late.
        line = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":
                line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            line.bind((self._host, port))
            line.listen(128)
        except OSError as error:
            line.close()
            taken = "is in use, perhaps by a page that is already open"
            why = taken if error.errno == errno.EADDRINUSE else f"cannot be listened on ({error.strerror})"
            text = f"port {port} of {self._host} {why}; end what has it, or take another: --web-port 0 is any free one"
            raise OptionError(text) from None
        self._socket, self.port = line, line.getsockname()[1]
        self._config.load()
        if (context := self._config.ssl) is not None:
            settings = self._settings
            paths = (settings.tls_cert, settings.tls_key)
            self._certificate = Reloadable(
                "the page's certificate", paths, lambda: context.load_cert_chain(*paths, password="")
            )

    def read_credentials(self) -> None:
        """Read the certificate again if its files have changed; new connections get it."""
        if self._certificate:
            self._certificate.look()

    async def start(self) -> None:
        """Answer requests."""
        assert self._socket is not None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._config, self._state),
            sock=self._socket,
            ssl=self._config.ssl,
            ssl_handshake_timeout=10 if self._config.ssl else None,
        )

    async def stop(self) -> None:
        """Stop, and release the address."""
        if self._server is None:
            if self._socket:
                self._socket.close()
            return
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=FLUSH_SECONDS)
        for connection in list(self._state.connections):
            if connection.transport:
                connection.transport.abort()


def _config(settings: Settings, app: Starlette) -> uvicorn.Config:
    """Return uvicorn's configuration; its errors go to our log."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return uvicorn.Config(
        app,
        http="h11",
        ws=SocketConnection,
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ws_max_size=MOST_SOCKET_BYTES,
        ws_per_message_deflate=False,
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
        ssl_ca_certs=settings.client_ca or None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if settings.client_ca else ssl.CERT_NONE,
    )
