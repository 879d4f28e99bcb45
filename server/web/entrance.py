"""The entrance for browsers: a port on which the page's files and the methods of the contract are served over HTTP.

It is in the process that answers calls, and answers by the same behaviours through the same door: nothing is parsed or
played here.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import ExitStack

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from seq2drum.errors import OptionError
from server import callers
from server.callers import Caller
from server.credentials import Kept
from server.guards import Behaviour, Call, Door
from server.logs import log
from server.service import Service
from server.settings import Settings
from server.statuses import Refusal, trace_of
from server.tokens import Token
from server.uploads import Upload
from server.web.connections import Connection, SocketConnection
from server.web.files import Files
from server.web.lines import PostLine, SocketLine, abort, peer_of, refuse
from server.web.messages import METHODS
from server.web.safety import Safety

MOST_SOCKET_BYTES = 64 << 10
"""The longest message of a WebSocket."""
MOST_HEAD_BYTES = 16 << 10
"""The longest head of a request."""
KEEP_ALIVE_SECONDS = 30
"""How long a connection is kept on which nothing is asked."""
LAST_WORDS_SECONDS = 0.5
"""How long what has been said may still be on its way when the server ends."""


class Api:
    """The methods of the contract, for one caller after another. token: of the page, where the server has none."""

    def __init__(self, settings: Settings, service: Service, door: Door, token: str) -> None:
        self._settings, self._service, self._door, self._own = settings, service, door, Token("", token)
        self._behaviours: Mapping[str, Behaviour] = service.methods()

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Of which a caller has to show one: the server's, and the page's own if none of those is without a name."""
        found = self._door.tokens.value
        return found if any(not token.name for token in found) else (*found, self._own)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do what the method does whose name is the last part of the address."""
        name = scope["path_params"]["method"]
        method = METHODS.get(name) if name in self._behaviours else None
        request = (scope, receive, send)
        if method is None or method.by_socket != (scope["type"] == "websocket"):
            await refuse(request, Refusal("UNKNOWN_METHOD", f"there is no such method; there are {', '.join(METHODS)}"))
            return
        line = (
            SocketLine(method, request)
            if method.by_socket
            else PostLine(method, request, self._settings, self._upload(scope))
        )

        async def behave(call: Call) -> None:
            scope["state"]["admitted"]()  # its token was looked at
            await self._behaviours[method.name](call)

        try:
            await self._door.let_in(method.name, line, behave, self.tokens)
        except asyncio.CancelledError:
            if not line.gone:
                raise
        except Exception as error:  # without its message, which may quote what the caller sent
            log("fault", logging.ERROR, method=method.name, trace=trace_of(error))
            abort(scope)
        finally:
            await line.end()

    def _upload(self, scope: Scope) -> Callable[[ExitStack], Upload]:
        """Makes what takes the file of a call in, which may need a place for a large one."""
        caller = Caller(callers.peer_of(peer_of(scope)))
        return lambda held: Upload(self._service.sizes, self._service.large.place(caller), held)


class Entrance:
    """The port of the page: bound, started and stopped, in this order."""

    def __init__(self, settings: Settings, service: Service, door: Door, token: str) -> None:
        api = self._api = Api(settings, service, door, token)
        routes = [
            Route("/api/{method}", api, methods=["POST"]),
            WebSocketRoute("/api/{method}", api),
            Route("/{name:path}", Files().answer, methods=["GET"]),
        ]
        names = settings.web_names.replace(",", " ").split()
        app = Starlette(routes=routes, middleware=[Middleware(Safety, names=names)])
        self._settings = settings
        self._config = _config(settings, app)
        self._state = ServerState()
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._papers: Kept[None] | None = None
        self.port = 0

    @property
    def connections(self) -> int:
        """How many browsers are connected, or their connections."""
        return len(self._state.connections)

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the page."""
        host = self._host if self._host not in ("0.0.0.0", "::") else "127.0.0.1"
        scheme = "https" if self._settings.tls else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/"

    @property
    def address_with_token(self) -> str:
        """The address that lets a browser in: what is behind the # it keeps for itself."""
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
        # Said to be TCP, or asyncio does not send small pieces at once: the body of each reply would come 40 ms late.
        line = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":
                line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            line.bind((self._host, port))
            line.listen(128)
        except OSError as error:
            line.close()
            taken = "is taken, perhaps by a page that is open already"
            why = taken if error.errno == errno.EADDRINUSE else f"cannot be listened on ({error.strerror})"
            text = f"port {port} of {self._host} {why}; end what has it, or take another: --web-port 0 is any free one"
            raise OptionError(text) from None
        self._socket, self.port = line, line.getsockname()[1]
        self._config.load()
        if (context := self._config.ssl) is not None:
            settings = self._settings
            paths = (settings.tls_cert, settings.tls_key)
            self._papers = Kept("the page's certificate", paths, lambda: context.load_cert_chain(*paths, password=""))

    def read_credentials(self) -> None:
        """Read the certificate again if its files have changed: new connections are shown it."""
        if self._papers:
            self._papers.look()

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
        """End, and give the address back."""
        if self._server is None:
            if self._socket:
                self._socket.close()
            return
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=LAST_WORDS_SECONDS)
        for connection in list(self._state.connections):
            if connection.transport:
                connection.transport.abort()


def _config(settings: Settings, app: Starlette) -> uvicorn.Config:
    """How uvicorn speaks HTTP: what it would log goes to our log, if it is of weight."""
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
