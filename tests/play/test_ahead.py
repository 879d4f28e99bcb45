"""Values that are made in a thread."""

from __future__ import annotations

import threading
from typing import NoReturn

import pytest

from seq2drum.play.decode.engine import Ahead


def test_a_value_is_made_beside_whoever_wants_it() -> None:
    asked = threading.Event()
    ahead = Ahead(lambda: asked.wait(60))
    asked.set()
    assert ahead.value()
    assert ahead.value()


def test_an_error_is_raised_where_the_value_is_asked_for() -> None:
    def fail() -> NoReturn:
        raise ValueError("no value")

    ahead = Ahead(fail)
    with pytest.raises(ValueError, match="no value"):
        ahead.value()
