"""Signs by Open Sound Control, on this machine alone."""

from __future__ import annotations

import socket
import sys
from queue import SimpleQueue
from typing import Any

import pytest

from seq2drum.errors import MissingExtraError, PortError
from seq2drum.play.jam.ports import LOOPBACK, Shown, listening, sign_of


@pytest.mark.parametrize(
    ("address", "values", "sign"),
    [
        ("/tempo", (96,), Shown("tempo", 96.0)),
        ("/tempo", ("fast",), Shown("tempo", None)),
        ("/intensity", (0.5,), Shown("intensity", 0.5)),
        ("/section", ("B",), Shown("section", "B")),
        ("/section", (), Shown("section")),
        ("/FILL/", (1.0,), Shown("fill")),
        ("/fill", (0.0,), None),
        ("/stop", (), Shown("stop")),
        ("/volume", (1.0,), None),
    ],
)
def test_an_address_is_a_sign(address: str, values: tuple[Any, ...], sign: Shown | None) -> None:
    assert sign_of(address, values) == sign


def test_messages_are_heard_and_what_is_none_is_passed_over() -> None:
    client = pytest.importorskip("pythonosc.osc_message_builder")
    heard: SimpleQueue[Shown] = SimpleQueue()
    with listening(LOOPBACK, 0, heard.put) as port:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
            for nothing in (b"", b"\xff" * 40, b"/tempo\0\0,i\0\0\0", b"#bundle\0\0\0"):
                raw.sendto(nothing, (LOOPBACK, port))
            for address, values in (("/tempo", [96]), ("/stop", [])):
                raw.sendto(client.build_msg(address, values).dgram, (LOOPBACK, port))
        assert heard.get(timeout=20) == Shown("tempo", 96.0)
        assert heard.get(timeout=20) == Shown("stop")


def test_a_port_that_is_taken_is_told_in_a_line() -> None:
    pytest.importorskip("pythonosc")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((LOOPBACK, 0))
        with pytest.raises(PortError, match="OSC cannot be heard"):
            listening(LOOPBACK, taken.getsockname()[1], lambda sign: None).__enter__()


def test_a_package_that_is_missing_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pythonosc.dispatcher", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'seq2drum\[live\]'"):
        listening(LOOPBACK, 0, lambda sign: None).__enter__()
