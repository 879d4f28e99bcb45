"""The log: one line for each thing that happened, for a program (JSON) or for a person (text).

A line has facts: names, numbers, ids. It never has a message that quotes a request, a name of a track or a byte of a
file: callers of `log` see to that. Lines go to standard error.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, TextIO

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
        facts = "".join(f" {name}={value}" for name, value in getattr(record, _FACTS, {}).items())
        trace = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        return f"{clock}{level} {record.getMessage()}{facts}{trace}"


def set_up(style: str = "", stream: TextIO | None = None) -> None:
    """Send the log of this process to a stream, standard error if none is given.

    style: "json", "text", or "": text if the stream is a terminal.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    text = style == "text" or (not style and stream.isatty())
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    LOG.setLevel(logging.INFO)


def log(event: str, level: int = logging.INFO, **facts: Any) -> None:
    """Write a line to the log. Facts that are None are left out."""
    LOG.log(level, event, extra={_FACTS: {name: value for name, value in facts.items() if value is not None}})


def _stamp(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
