"""Discovery of the server: a named one, one that runs on this machine, or a new one.

A server that serves this machine writes its address, and its token if it has one, to `server.json` in the state folder.
A killed server leaves the file behind, and the next owner of its port must not get the token: so the file counts only
while the process that wrote it runs.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from client.connection import DEFAULT_ADDRESS, is_local, is_several, normalize_address
from client.errors import ServerUnavailable
from seq2drum.errors import OptionError
from seq2drum.system.places import state_folder

VARIABLE = "SEQ2DRUM_SERVER"
STATE_VARIABLE = "SEQ2DRUM_STATE_FILE"  # the server's variable, for environments shared with it
IDLE_SECONDS = 900  # without a call, after which a server that was started here ends
START_SECONDS = 60.0  # for the server to be ready
COMMAND = (sys.executable, "-m", "server")
_PROBE_SECONDS = 0.5
_POLL_SECONDS = 0.05
_TOLERANCE_SECONDS = 2.0  # of a process's start time, which the system computes for each query


class Location(NamedTuple):
    """A server: its address, the token from its state file, and whether the user named it."""

    address: str
    token: str | None = None
    named: bool = False


def state_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the state file: from the variable, or in the state folder."""
    if (place := environ.get(STATE_VARIABLE)) and place != "none":  # the server's value for no file
        return Path(place)
    return state_folder(environ) / "server.json"


def find(server: str | None, environ: Mapping[str, str] = os.environ) -> Location:
    """Return the server: the one named by an argument or the environment, one that runs here, or the default address.

    Raises:
        OptionError: the name is not an address.
    """
    if name := server or environ.get(VARIABLE):
        return Location(normalize_address(name), named=True)
    return _running(environ) or Location(DEFAULT_ADDRESS)


async def start(where: Location, seconds: float = START_SECONDS, environ: Mapping[str, str] = os.environ) -> Location:
    """Start a server on this machine that outlives this program, and wait for its state file.

    It ends by itself after a quarter of an hour without a call.

    Raises:
        OptionError: the named server is on another machine, or at a socket.
        ServerUnavailable: it could not be started.
    """
    host, _, port = where.address.rpartition(":")
    if where.named and (not is_local(where.address) or is_several(where.address) or host == "unix"):
        raise OptionError(
            f"{where.address} is not this machine's to start; start a server there, or leave out --server"
        )
    place = state_file(environ)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = place.with_name("server.log")
    before = _content(place)
    words = ["--port", port if where.named else "0", "--idle-exit", str(IDLE_SECONDS), "--state-file", str(place)]
    process = _spawn([*COMMAND, *words], log, environ)
    until = time.monotonic() + seconds
    try:
        while (here := _running(environ)) is None or _content(place) == before:
            if process.poll() is not None:
                raise ServerUnavailable(f"the server could not be started: {_last_line(log)}")
            if time.monotonic() >= until:
                process.kill()
                raise ServerUnavailable(f"the new server did not answer in {seconds:g} seconds; see {log}")
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        # It is meant to stay. If it ends before this program, as it does when idle, no zombie of it is left.
        threading.Thread(target=process.wait, name="end of the server", daemon=True).start()
    return here


def _spawn(command: list[str], log: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a program that outlives this one and its terminal."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    try:
        with log.open("wb") as errors:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=Path(__file__).parents[1],  # the package `server` is there, too
                env=dict(environ),
                start_new_session=True,
                creationflags=flags,
            )
    except OSError as error:
        raise ServerUnavailable(f"the server could not be started ({error.strerror})") from None


def _running(environ: Mapping[str, str]) -> Location | None:
    """Return the server of the state file, if it still runs."""
    place = state_file(environ)
    try:
        written = json.loads(_content(place) or b"null")
        address, token = normalize_address(written["address"]), written.get("token") or None
    except (ValueError, TypeError, KeyError, AttributeError, OptionError):
        return None
    if not is_local(address) or not _runs(place, written) or not _listens(address):
        return None
    return Location(address, token)


def _runs(place: Path, written: Mapping[str, Any]) -> bool:
    """Return whether the process that wrote a state file runs, and both belong to this user or to the administrator."""
    import psutil

    try:
        process = psutil.Process(written["pid"])
        if abs(process.create_time() - written["started"]) > _TOLERANCE_SECONDS:
            return False
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if sys.platform == "win32":
            return process.username() == psutil.Process().username()
        status = place.stat()
        return is_own(process.uids().effective, status.st_uid, status.st_mode, user=os.geteuid())
    except (psutil.Error, OSError, KeyError, TypeError, ValueError):
        return False


def is_own(process: int, file: int, mode: int, *, user: int) -> bool:
    """Return whether a state file can be trusted, by the owners of the server and of the file, and by its mode.

    Both must belong to the user, or both to the administrator, and nobody else may write the file.
    """
    return process == file and file in (0, user) and stat.S_ISREG(mode) and not mode & (stat.S_IWGRP | stat.S_IWOTH)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _listens(address: str) -> bool:
    if address.startswith("unix:"):
        return Path(address.removeprefix("unix:")).exists()
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _PROBE_SECONDS):
            return True
    except OSError:
        return False


def _last_line(log: Path) -> str:
    lines = (_content(log) or b"").decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it ended without a word")
