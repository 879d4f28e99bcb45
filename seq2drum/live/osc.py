"""Signs that come as messages of Open Sound Control, from a phone, a controller or a DAW.

/tempo NUMBER, /section [LETTER], /fill, /stop and /intensity NUMBER. Of a button that sends a number when it is
pressed and another when it is let go, 0 is let go. python-osc (extra `live`) is imported here alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from seq2drum.errors import MissingExtraError, PortError
from seq2drum.live.messages import Shown
from seq2drum.play.signs import FILL, INTENSITY, SECTION, STOP, TEMPO

LOOPBACK = "127.0.0.1"


def sign_of(address: str, values: tuple[Any, ...]) -> Shown | None:
    """The sign that a message is; None if it is none."""
    what, value = address.strip("/").casefold(), values[0] if values else None
    if what in (TEMPO, INTENSITY):
        return Shown(what, float(value) if isinstance(value, int | float) else None)
    if what not in (FILL, SECTION, STOP) or (isinstance(value, int | float) and not value):
        return None
    return Shown(what, value if what == SECTION and isinstance(value, str) and value else None)


@contextmanager
def listening(host: str, port: int, shown: Callable[[Shown], None]) -> Iterator[int]:
    """Call a function, in a thread of its own, with each sign that comes to a UDP port; its number.

    Raises:
        MissingExtraError: python-osc is not installed.
        PortError: nobody can listen there.
    """
    try:
        from pythonosc.dispatcher import Dispatcher
        from pythonosc.osc_server import BlockingOSCUDPServer
    except ImportError:
        raise MissingExtraError("python-osc is not installed: pip install 'seq2drum[live]'") from None

    def came(address: str, *values: Any) -> None:
        if (sign := sign_of(address, values)) is not None:
            shown(sign)

    class Server(BlockingOSCUDPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Pass over what is no message."""

    dispatcher = Dispatcher()
    dispatcher.set_default_handler(came)
    try:
        server = Server((host, port), dispatcher)
    except OSError as error:
        raise PortError(f"OSC cannot be heard on {host}:{port} ({error.strerror}); name another port") from None
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="osc", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
