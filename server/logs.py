"""The log: one line for each thing that happened, for a program (JSON) or for a person (text).

A line has facts: names, numbers, ids. It never has a message that quotes a request, a name of a track or a byte of a
file: callers of `log` see to that. Lines go to standard error, and nobody waits until they are taken: where a reader
stalls or a disk is full they are dropped, and counted.
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
"""How many lines wait for their reader; one more is dropped."""
LONGEST_LINE = 2000
"""How many characters of what a worker says are kept."""
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
    """The same, to be read on a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno == logging.INFO else f" {record.levelname.lower()}"
        facts = dict(getattr(record, _FACTS, {}))
        message = facts.pop("message", "")
        if message:
            return visible(message)
        told = "".join(f" {name}={value}" for name, value in facts.items())
        trace = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        return visible(f"{clock}{level} {record.getMessage()}{told}{trace}")


class Stream(Protocol):
    """What lines are written to."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...
    def isatty(self) -> bool: ...


class NonBlockingStream:
    """An open file to which lines are written by a thread, so that whoever writes never waits and never fails.

    file: its descriptor. most: how many lines wait; one more is dropped. lost: is called once all lines are taken
    again, with how many were dropped.
    """

    def __init__(self, file: int, most: int = MOST_LINES, lost: Callable[[int], object] = lambda lines: None) -> None:
        self.dropped = 0
        """How many lines were dropped so far."""
        self._file, self._lost, self._told, self._counting = file, lost, 0, threading.Lock()
        self._lines: queue.Queue[bytes] = queue.Queue(most)
        # A daemon: where the reader stalls, it is waiting still when the program ends.
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def write(self, text: str, /) -> None:
        """Have a line written, its end included."""
        try:
            self._lines.put_nowait(text.encode("utf-8", "backslashreplace"))
        except queue.Full:
            self._drop()

    def flush(self) -> None:
        """Nothing: whoever writes does not wait."""

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._file)

    def close(self, seconds: float) -> None:
        """Wait until all is written, or the time is over."""
        until = time.monotonic() + seconds
        while self._lines.unfinished_tasks and time.monotonic() < until:
            time.sleep(_PAUSE_SECONDS / 10)

    def _run(self) -> None:
        while True:
            line = self._lines.get()
            try:
                self._write(line)
                if (dropped := self.dropped) > self._told and self._lines.empty():
                    self._lost(dropped - self._told)
                    if self.dropped == dropped:  # else there was no room for that line either
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
            except BlockingIOError:  # whoever shares the file has made it so
                time.sleep(_PAUSE_SECONDS)


def set_up(style: str, stream: Stream) -> None:
    """Send the log of this process to a stream.

    style: "json", "text", or "": text if the stream is a terminal.
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
    """Write a line to the log. Facts that are None are left out."""
    LOG.log(level, event, extra={_FACTS: {name: value for name, value in facts.items() if value is not None}})


def say(text: str) -> None:
    """Write a line for people: as it is, or as the message of an event where the log is JSON."""
    log("said", message=text)


def relay(line: str) -> None:
    """Put a line of a worker's standard error into the log: an event in JSON, or whatever a library said."""
    try:
        facts = json.loads(line)
        event, level = facts.pop("event"), logging.getLevelNamesMapping()[facts.pop("level").upper()]
        facts.pop("time", None)
    except (ValueError, TypeError, AttributeError, KeyError):
        log("a worker said", logging.WARNING, line=line[:LONGEST_LINE])
    else:
        log(str(event), level, **facts)


def dropped_lines() -> int:
    """How many lines of the log of this process were dropped."""
    return sum(getattr(getattr(handler, "stream", None), "dropped", 0) for handler in logging.getLogger().handlers)


def log_dropped(lines: int) -> None:
    """Tell that lines were dropped."""
    log("lines of the log were dropped", logging.WARNING, lines=lines)


def log_unraisable(fault: sys.UnraisableHookArgs) -> None:
    """Log an exception that nothing could be done about: Python would print it, and wait until that is read."""
    error = fault.exc_value
    where = traceback.extract_tb(fault.exc_traceback)
    log("an exception was ignored", logging.WARNING, kind=type(error).__name__, trace=[f"{at.name}" for at in where])


def _stamp(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
