"""Fixtures that tests of the service share."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from server import logs


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged, as JSON."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.set_up("json", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
