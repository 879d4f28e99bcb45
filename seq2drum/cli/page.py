"""Mode page: the page in the browser, served by a new server on this machine."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import webbrowser
from pathlib import Path
from typing import Any

from seq2drum.console.arguments import check_least
from seq2drum.console.terminal import say, standard_output
from seq2drum.errors import MissingExtraError, OptionError

PORT = 50052
"""The page's fixed port: a browser stores the data of a page by its address, including the port."""
_NEEDED = ("grpc", "grpc_health", "prometheus_client", "starlette", "uvicorn", "wsproto")
_LOOK_SECONDS = 0.05
_END_SECONDS = 10.0  # the server's time to end


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the address of the page, and whether to open it."""
    parser.usage = "%(prog)s [options]"
    parser.description = (
        "Opens a page in your browser, for this machine alone: drop a guitar file, hear and change its drums, or make "
        "beats. Ctrl-C ends it. Nothing goes out to the network."
    )
    parser.epilog = """examples:
  seq2drum --mode page
  seq2drum --mode page --no-browser"""
    parser.add_argument("--port", type=int, default=PORT, metavar="N", help=f"default: {PORT}; 0: any free one")
    parser.add_argument("--no-browser", action="store_true", help="print the page's address instead of opening it")


def run(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C; returns the exit code."""
    check_least(options, port=0)
    if options.port > 65535:
        raise OptionError(f"--port is {options.port}, wanted 0 to 65535")
    missing = next((name for name in _NEEDED if importlib.util.find_spec(name) is None), None)
    if missing:
        raise MissingExtraError(f"{missing} is not installed: pip install 'seq2drum[page]'")
    for name in ("SIGTERM", "SIGHUP"):  # from kill, and from a closed terminal: the server ends as well
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder, _server(options.port, Path(folder)) as server:
        address = _address(server, Path(folder))
        if options.no_browser:
            with standard_output():
                print(address, flush=True)
        elif webbrowser.open(address):
            say(f"the page is open in your browser, at {address.partition('#')[0]}; Ctrl-C ends it")
        else:
            say(f"there is no browser to open; open this address in one: {address}")
        raise OptionError(f"the page's server has ended with code {server.wait()}; start it again")


@contextlib.contextmanager
def _server(port: int, folder: Path) -> Any:
    """The server as a child process, which ends with the context. Its output is in the folder."""
    command = [sys.executable, "-m", "server", "--port", "0", "--web-port", str(port), "--grace-seconds", "2"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2DRUM_")}
    environment |= {"SEQ2DRUM_STATE_FILE": str(folder / "state.json"), "SEQ2DRUM_TOKEN": secrets.token_urlsafe(32)}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environment
        )
        try:
            yield server
        finally:
            server.terminate()
            try:
                server.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _address(server: subprocess.Popen[bytes], folder: Path) -> str:
    """The address of the page, with its token, once the server listens.

    Raises:
        OptionError: the server has ended.
    """
    while server.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            return str(json.loads((folder / "state.json").read_text(encoding="utf-8"))["page"])
        time.sleep(_LOOK_SECONDS)
    lines = (folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.partition(": ")[2] for line in lines if line.startswith("seq2drum-server: ")]
    last = said[-1] if said else "the page's server has ended and said nothing; start it again"
    raise OptionError(last.replace("--web-port", "--port"))
