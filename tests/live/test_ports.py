"""Ports by name: with a stand-in for RtMidi, as a test has no cables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from seq2drum.errors import MissingExtraError, PortError
from seq2drum.play.jam import ports
from tests.live.fake_rtmidi import stand_in


@pytest.fixture
def rtmidi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    return stand_in(monkeypatch, tmp_path)


def test_ports_are_listed(rtmidi: Any) -> None:
    assert ports.names() == (["Guitar 20:0", "Drums 24:0"], ["Guitar 20:0", "Drums 24:0"])


def test_a_port_is_found_by_its_name_or_a_part_of_it() -> None:
    there = ["MPK mini 1", "MPK mini 2", "Guitar"]
    assert [ports.chosen(name, there) for name in ("MPK mini 1", "mini 2", "gui")] == [0, 1, 2]
    with pytest.raises(PortError, match="several ports' names: MPK mini 1, MPK mini 2"):
        ports.chosen("mpk", there)
    with pytest.raises(PortError, match="no MIDI port 'Bass'; there are MPK mini 1"):
        ports.chosen("Bass", there)
    with pytest.raises(PortError, match="there is none at all"):
        ports.chosen("Bass", [])


def test_what_comes_and_goes_are_bytes(rtmidi: Any) -> None:
    heard: list[bytes] = []
    source, out = ports.open_input("guitar", heard.append), ports.open_output("drums")
    rtmidi.inputs[-1].callback([0x90, 60, 90], 0.0)
    out.send(b"\x99\x24\x5a")
    assert (heard, rtmidi.sent) == ([b"\x90\x3c\x5a"], [b"\x99\x24\x5a"])
    assert source.is_there() and out.is_there()
    rtmidi.there = ["Drums 24:0"]
    assert not source.is_there() and out.is_there()
    source.close()
    out.close()
    assert rtmidi.inputs[-1].callback is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows opens a port once by itself")
def test_through_one_port_only_one_jam_plays(rtmidi: Any) -> None:
    first = ports.open_output("drums")
    with pytest.raises(PortError, match="another jam plays through 'Drums 24:0'"):
        ports.open_output("Drums")
    first.close()
    ports.open_output("drums").close()


def test_a_virtual_port_is_new(rtmidi: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ports.open_input("virtual", lambda message: None)
    assert (source.name, rtmidi.inputs[-1].opened) == ("seq2drum guitar", ["guitar"])
    assert source.is_there()
    source.close()
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(PortError, match="loopMIDI"):
        ports.open_output("virtual")


def test_a_port_that_cannot_be_opened_is_told_in_a_line(rtmidi: Any) -> None:
    rtmidi.there = ["Busy"]
    with pytest.raises(PortError, match=r"'busy' cannot be opened \(MidiInWinMM"):
        ports.open_input("busy", lambda message: None)


def test_a_system_without_midi_is_told_in_a_line(rtmidi: Any) -> None:
    rtmidi.there = None
    with pytest.raises(PortError, match=r"no MIDI ports.*--in SONG --fast"):
        ports.names()


def test_a_package_that_is_missing_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rtmidi2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'seq2drum\[live\]'"):
        ports.names()
