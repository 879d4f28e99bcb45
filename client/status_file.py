"""The status file: the progress of the program for another program, one line of JSON that is replaced atomically.

    {"state": "starting" | "sending" | "waiting" | "playing" | "done" | "failed", "bars_done": 0, "bars_total": 0,
     "message": "", "outputs": [], "seeds": [], "grooves": [], "plans": [], "code": null}

bars_done and bars_total count the bars of the current song, over all its takes. outputs are the written files, as full
paths, seeds those of the takes in them, grooves the names of their grooves, plans how they are built: [bar, words] for
each change, with the bars of the song from 1. code is the exit code, null until it is known. The states of a song come
in this order, for each song again.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

from seq2drum.errors import OutputError
from seq2drum.music.song_plan import SongPlan, changes, is_drawn
from seq2drum.system import files

_PAUSE_SECONDS = 0.1  # between two updates of progress alone
_TRIES, _WAIT_SECONDS = 5, 0.02  # on Windows a file cannot be replaced while it is read


class StatusFile:
    """The status file and its content; without a path nothing is written.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)
        self._line: dict[str, Any] = {
            "state": "starting",
            "bars_done": 0,
            "bars_total": 0,
            "message": "",
            "outputs": [],
            "seeds": [],
            "grooves": [],
            "plans": [],
            "code": None,
        }
        self._written = 0.0
        if self._path is not None:
            try:
                self._write(self._path)
            except OSError as error:
                reason = error.strerror or type(error).__name__
                name = files.named(self._path)
                raise OutputError(f"{name} cannot be written ({reason}); name another file for the status") from None

    @property
    def is_wanted(self) -> bool:
        """True if there is a file."""
        return self._path is not None

    def tell(self, state: str, *, force: bool = False, **changes: Any) -> None:
        """Set the state. A reader may miss a step: if the file cannot be written for a moment, the old one stays."""
        same = state == self._line["state"] and not force
        self._line |= {"state": state, **changes}
        if self._path is None or (same and time.monotonic() - self._written < _PAUSE_SECONDS):
            return
        with contextlib.suppress(OSError):
            self._write(self._path)

    def progress(self, done: int, total: int) -> None:
        """Set the number of bars made; 0: the song waits for its turn."""
        self.tell("playing" if done else "waiting", bars_done=done, bars_total=total)

    def written(self, output: str, seed: int, grooves: str, plan: SongPlan) -> None:
        """Record a written file, which goes into the next line."""
        self._line["outputs"].append(output if output == "-" else str(Path(output).absolute()))
        self._line["seeds"].append(seed)
        self._line["grooves"].append(grooves)
        self._line["plans"].append(changes(plan) if is_drawn(plan) else ())

    def end(self, code: int, message: str) -> None:
        """Set the exit code. Without a message, the last message of a failed song stays."""
        changes = {"message": message} if message or not code else {}
        self.tell("failed" if code else "done", force=True, code=code, **changes)

    def _write(self, path: Path) -> None:
        temporary = path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            temporary.write_text(json.dumps(self._line) + "\n", encoding="utf-8")
            for left in reversed(range(_TRIES)):
                try:
                    temporary.replace(path)
                    break
                except PermissionError:
                    if not left or os.name != "nt":
                        raise
                    time.sleep(_WAIT_SECONDS)
            self._written = time.monotonic()
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
