"""A module in the place of rtmidi2, as a test has no cables."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


def stand_in(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Any:
    """A module as rtmidi2 is, with two ports each way; `sent` is what went out, `inputs` who listens."""
    module = SimpleNamespace(
        API_UNSPECIFIED=0, API_UNIX_JACK=3, sent=[], inputs=[], there=["Guitar 20:0", "Drums 24:0"]
    )

    class Base:
        def __init__(self, name: str, api: int = 0) -> None:
            if module.there is None:
                raise RuntimeError("error creating ALSA sequencer client object")
            self.opened: list[int | str] = []
            self.callback = None

        @property
        def ports(self) -> list[str]:
            return list(module.there)

        def open_port(self, number: int) -> None:
            if module.there[number].startswith("Busy"):
                raise RuntimeError("MidiInWinMM::openPort: error creating port")
            self.opened.append(number)

        def open_virtual_port(self, name: str) -> None:
            self.opened.append(name)

        def close_port(self) -> None:
            self.opened.clear()

    class In(Base):
        def ignore_types(self, *which: bool) -> None:
            assert which == (True, False, True)
            module.inputs.append(self)

    class Out(Base):
        def send_raw(self, *message: int) -> None:
            module.sent.append(bytes(message))

    module.MidiIn, module.MidiOut = In, Out
    monkeypatch.setitem(sys.modules, "rtmidi2", module)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return module
