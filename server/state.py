"""The state file: where the server is and what its token is, for programs of the same user on the same machine.

It says when its process began, too: so a file that was left behind is told from that of a server that runs.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from pathlib import Path
from typing import Any

import psutil

from seq2drum import __version__
from server.logs import log


def read(path: str) -> dict[str, Any]:
    """What the state file says of the server that wrote it; empty if there is none."""
    try:
        state = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) and isinstance(state.get("pid"), int) else {}


def write(path: str, address: str, port: int, token: str, page: str = "") -> None:
    """Write the state file, whole or not at all. It is for its owner alone, as it may have the token in it.

    path: "" writes none. One that cannot be written is logged, and the server runs without. page: the address of the
        page with its token, if there is one.
    """
    if not path:
        return
    target = Path(path)
    process = psutil.Process()
    state = {"address": address, "port": port, "pid": process.pid, "started": process.create_time()}
    state["version"] = __version__
    if page:
        state["page"] = page
    if token:
        state["token"] = token
    part = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(state, file)
        part.replace(target)
    except OSError as error:
        log("state file not written", logging.WARNING, why=error.strerror)
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def forget(path: str) -> None:
    """Remove the state file, if this process wrote it."""
    if read(path).get("pid") == os.getpid():
        Path(path).unlink(missing_ok=True)
