"""The log: one line for each event, as JSON for programs or as text for people.

A line has facts: names, numbers, ids. It never quotes a request, a track's name or bytes of a file; callers of `log`
see to that. Lines go to standard error, and no caller waits for a reader: if the reader stalls or the disk is full,
lines are dropped and counted.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Protocol

from seq2drum.music.shown import visible

MOST_LINES = 10_000
"""The most lines that wait for their reader; one more is dropped."""
LONGEST_LINE = 2000
"""The most characters of a worker's line that are logged."""
_PAUSE_SECONDS = 0.05
LOG = logging.getLogger("server")
_FACTS = "facts"


class JsonFormatter(logging.Formatter):
    """A line of JSON: time (UTC), level, event, facts."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"time": _stamp(record), "level": record.levelname.lower(), "event": record.getMessage()}
        line.update(getattr(record, _FACTS, {}))
        if record.name != LOG.name:
            line["logger"] = record.name
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


class TextFormatter(logging.Formatter):
    """A line of text for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno == logging.INFO else f" {record.levelname.lower()}"
        facts = dict(getattr(record, _FACTS, {}))
        message = facts.pop("message", "")
        if message:
            return visible(message)
        pairs = "".join(f" {name}={value}" for name, value in facts.items())
        trace = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        return visible(f"{clock}{level} {record.getMessage()}{pairs}{trace}")


class Stream(Protocol):
    """A destination of log lines."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...
    def isatty(self) -> bool: ...


class NonBlockingStream:
    """A file that a thread writes to, so that a caller of `write` never waits and never fails.

    file: its descriptor. most: the limit of queued lines; more are dropped. lost: called with the number of dropped
    lines once lines are taken again.
    """

    def __init__(self, file: int, most: int = MOST_LINES, lost: Callable[[int], object] = lambda lines: None) -> None:
        self.dropped = 0
        """The number of lines dropped so far."""
        self._file, self._lost, self._told, self._counting = file, lost, 0, threading.Lock()
        self._lines: queue.Queue[bytes] = queue.Queue(most)
        # A daemon: if the reader stalls, it still waits when the program ends.
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def write(self, text: str, /) -> None:
        """Queue a line, with its line break."""
        try:
            self._lines.put_nowait(text.encode("utf-8", "backslashreplace"))
        except queue.Full:
            self._drop()

    def flush(self) -> None:
        """Do nothing: the caller does not wait."""

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return os.isatty(self._file)

    def close(self, seconds: float) -> bool:
        """Wait until all lines are written, or for this many seconds; return True if they are."""
        until = time.monotonic() + seconds
        while self._lines.unfinished_tasks and time.monotonic() < until:
            time.sleep(_PAUSE_SECONDS / 10)
        return not self._lines.unfinished_tasks

    def _run(self) -> None:
        while True:
            line = self._lines.get()
            try:
                self._write(line)
                if (dropped := self.dropped) > self._told and self._lines.empty():
                    self._lost(dropped - self._told)
                    if self.dropped == dropped:  # otherwise that line was dropped, too
                        self._told = dropped
            except OSError:  # the disk is full, or the reader has gone
                self._drop()
            finally:
                self._lines.task_done()

    def _drop(self) -> None:
        with self._counting:
            self.dropped += 1

    def _write(self, line: bytes) -> None:
        while line:
            try:
                line = line[os.write(self._file, line) :]
            except BlockingIOError:  # another process that shares the file made it non-blocking
                time.sleep(_PAUSE_SECONDS)


def set_up(style: str, stream: Stream) -> None:
    """Send the log of this process to a stream.

    style: "json", "text", or "": text on a terminal, JSON otherwise.
    """
    handler = logging.StreamHandler(stream)
    text = style == "text" or (not style and stream.isatty())
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    LOG.setLevel(logging.INFO)


def log(event: str, level: int = logging.INFO, **facts: Any) -> None:
    """Log an event. Facts that are None are left out."""
    LOG.log(level, event, extra={_FACTS: {name: value for name, value in facts.items() if value is not None}})


def say(text: str) -> None:
    """Log a line for people: the line itself, or an event with that message if the log is JSON."""
    log("said", message=text)


def relay(line: str) -> None:
    """Log a line of a worker's standard error: its event if it is JSON, or the text of a library."""
    try:
        facts = json.loads(line)
        event, level = facts.pop("event"), logging.getLevelNamesMapping()[facts.pop("level").upper()]
        facts.pop("time", None)
    except (ValueError, TypeError, AttributeError, KeyError):
        log("a worker said", logging.WARNING, line=line[:LONGEST_LINE])
    else:
        log(str(event), level, **facts)


def dropped_lines() -> int:
    """Return the number of dropped log lines of this process."""
    return sum(getattr(getattr(handler, "stream", None), "dropped", 0) for handler in logging.getLogger().handlers)


def log_dropped(lines: int) -> None:
    """Log that lines were dropped."""
    log("lines of the log were dropped", logging.WARNING, lines=lines)


def log_unraisable(fault: sys.UnraisableHookArgs) -> None:
    """Log an unraisable exception: Python would print it, and block until it is read."""
    error = fault.exc_value
    where = traceback.extract_tb(fault.exc_traceback)
    log("an exception was ignored", logging.WARNING, kind=type(error).__name__, trace=[f"{at.name}" for at in where])


def _stamp(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
