"""Mode page: the page in the browser, served by a server on this machine: one that serves it already, or a new one."""

from __future__ import annotations

import argparse
import contextlib
import html
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
from seq2drum.errors import MissingExtraError, OptionError, Seq2DrumError
from seq2drum.system import packages, places

PORT = 50052
"""The page's fixed port: a browser stores the data of a page by its address, including the port."""
HOME = Path(__file__).parents[2]
"""The folder from which Python imports this package and the server, whatever the user's folder holds."""
_NEEDED = ("grpc", "grpc_health", "prometheus_client", "starlette", "uvicorn", "wsproto")
_LOOK_SECONDS = 0.05
_END_SECONDS = 10.0  # the server's time to end
_CLOSED_SECONDS = 10.0  # without a tab, after which the server ends: a page that is reloaded has none for a moment
_SOON_SECONDS = 1.0  # for a page that is being started to write down its address
_CLOCK_SECONDS = 2.0  # of a process's start, which the system computes for each query


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the address of the page, whether to open it, and when it ends."""
    parser.usage = "%(prog)s [options]"
    parser.description = (
        "Opens a page in your browser, for this machine alone: drop a guitar file, hear and change its drums, or make "
        "beats. Ctrl-C ends it. Nothing goes out to the network. seq2drum alone does the same."
    )
    parser.epilog = """examples:
  seq2drum --mode page
  seq2drum --mode page --until-closed
  seq2drum --mode page --no-browser"""
    parser.add_argument("--port", type=int, default=PORT, metavar="N", help=f"default: {PORT}; 0: any free one")
    parser.add_argument("--no-browser", action="store_true", help="print the page's address instead of opening it")
    parser.add_argument("--until-closed", action="store_true", help="end when the last tab of the page is closed")


def missing() -> str | None:
    """The name of a package that the page needs and that is not installed; None if all are."""
    return next((name for name in _NEEDED if importlib.util.find_spec(name) is None), None)


def run(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C, or until its last tab is closed; returns the exit code."""
    check_least(options, port=0)
    if options.port > 65535:
        raise OptionError(f"--port is {options.port}, wanted 0 to 65535")
    if name := missing():
        raise MissingExtraError(f"{name} is not installed: {packages.install_extra('page')}")
    for name in ("SIGTERM", "SIGHUP"):  # from kill, and from a closed terminal: the server ends as well
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        return _serve(options)
    except Seq2DrumError as error:
        if options.until_closed and not sys.stderr.isatty():  # a launcher has no terminal to say it in
            _show(str(error))
        raise


def _serve(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as folder:
        state = _state_file(options.port, Path(folder))
        if address := opened(state):
            _open(address, options, "the page was open already")
            return 0
        with _server(options, Path(folder), state) as server:
            try:
                address = _address(server, Path(folder), state)
            except OptionError:
                if not (address := _opened_soon(state)):
                    raise
                _open(address, options, "the page was open already")
                return 0
            _open(address, options, "closing its last tab ends it" if options.until_closed else "Ctrl-C ends it")
            code = server.wait()
        if options.until_closed and code == 0:
            say("the page's last tab was closed")
            return 0
        raise OptionError(f"the page's server has ended with code {code}; start it again")


def _open(address: str, options: argparse.Namespace, how: str) -> None:
    """Open the page in the browser, and say how it ends; or print its address."""
    if options.no_browser:
        with standard_output():
            print(address, flush=True)
    elif webbrowser.open(address):
        say(f"the page is open in your browser, at {address.partition('#')[0]}; {how}")
    else:
        say(f"there is no browser to open; open this address in one: {address}")


def _show(message: str) -> None:
    """Show an error in the browser."""
    with contextlib.suppress(OSError):
        place = places.state_folder() / "page.html"
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = f"seq2drum could not open its page: {message}"
        place.write_text(f"<!doctype html><meta charset=utf-8><title>seq2drum</title><p>{html.escape(text)}", "utf-8")
        webbrowser.open(place.as_uri())


# --- the server -------------------------------------------------------------------------------------------------------


def _state_file(port: int, folder: Path) -> Path:
    """The place where the page on a port writes its address and token: that of the user, else in a folder."""
    place = places.state_folder() / f"page-{port}.json"
    with contextlib.suppress(OSError):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if port and os.access(place.parent, os.W_OK):
            return place
    return folder / "state.json"


def opened(state: Path) -> str | None:
    """The address of the page, with its token, whose server wrote this file and still runs; None without one."""
    written = runs(state)
    return str(written["page"]) if "page" in written else None


def runs(state: Path) -> dict[str, Any]:
    """What a server wrote into its file; empty unless it still runs.

    The file of a killed server stays. The next owner of its port must not get the token.
    """
    import psutil

    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, psutil.Error):
        written = json.loads(state.read_text(encoding="utf-8"))
        process = psutil.Process(written["pid"])
        if abs(process.create_time() - written["started"]) <= _CLOCK_SECONDS:
            return dict(written)
    return {}


def _opened_soon(state: Path) -> str | None:
    """As `opened`, of a page that was started in the same moment: by the second click of two on a launcher."""
    end = time.monotonic() + _SOON_SECONDS
    while (address := opened(state)) is None and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
    return address


@contextlib.contextmanager
def _server(options: argparse.Namespace, folder: Path, state: Path) -> Any:
    """The server as a child process, which ends with the context. Its output is in the folder."""
    command = [sys.executable, "-m", "server", "--port", "0", "--web-port", str(options.port), "--grace-seconds", "2"]
    command += ["--drummers", str(places.drummers_folder())]
    if options.until_closed:
        command += ["--page-exit", str(_CLOSED_SECONDS)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2DRUM_")}
    environment |= {"SEQ2DRUM_STATE_FILE": str(state), "SEQ2DRUM_TOKEN": secrets.token_urlsafe(32)}
    state.unlink(missing_ok=True)  # a killed server's
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environment, cwd=HOME
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


def _address(server: subprocess.Popen[bytes], folder: Path, state: Path) -> str:
    """The address of the page, with its token, once the server listens.

    Raises:
        OptionError: the server has ended.
    """
    while server.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            return str(json.loads(state.read_text(encoding="utf-8"))["page"])
        time.sleep(_LOOK_SECONDS)
    lines = (folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.partition(": ")[2] for line in lines if line.startswith("seq2drum-server: ")]
    last = said[-1] if said else "the page's server has ended and said nothing; start it again"
    raise OptionError(last.replace("--web-port", "--port"))
