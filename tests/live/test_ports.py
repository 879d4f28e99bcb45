"""Ports, Open Sound Control, song time, and hits struck in time."""

from __future__ import annotations

import math
import socket
import sys
from array import array
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from seq2drum.errors import MissingExtraError, PortError
from seq2drum.play.jam import ports
from seq2drum.play.jam.ports import (
    CLOCK,
    CLOCKS,
    CONTINUE,
    HALT,
    LOOPBACK,
    POSITION,
    START,
    Shown,
    Transport,
    listening,
    note_off,
    note_on,
    sign_of,
)
from seq2drum.play.jam.songtime import GONE, LIMIT, Clocked, Following, Line, Steady
from seq2drum.play.jam.striker import DEADLINE, LATE, Messages, Striker
from tests.live.fake_rtmidi import stand_in

# --- ports by name: with a stand-in for RtMidi, as a test has no cables -----------------------------------------------


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


# --- signs by Open Sound Control, on this machine alone ---------------------------------------------------------------


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
        with pytest.raises(PortError, match="OSC cannot be received"):
            listening(LOOPBACK, taken.getsockname()[1], lambda sign: None).__enter__()


def test_a_package_that_is_missing_is_of_osc_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pythonosc.dispatcher", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'seq2drum\[live\]'"):
        listening(LOOPBACK, 0, lambda sign: None).__enter__()


# --- where a song is: by a tempo, by a MIDI clock that jumps, and by a guitarist who hurries --------------------------

BAR = 4.0
TICK = Transport(CLOCK)


def test_a_line_says_where_the_song_is_and_when_a_quarter_begins() -> None:
    line = Line(10.0, 4.0, 0.5).turned(6.0, 60)
    assert [line.seconds_at(quarter) for quarter in (4, 5, 6, 7)] == [10.0, 10.5, 11.0, 12.0]
    assert [line.quarter_at(seconds) for seconds in (9.5, 10.5, 11.0, 12.0)] == [3.0, 5.0, 6.0, 7.0]
    assert line.at(10.5).seconds_at(7.0) == 12.0
    assert line.at(11.5) == Line(11.5, 6.5, 1.0)


def test_another_tempo_begins_with_the_barline_that_was_named() -> None:
    time = Steady(120)
    time.begin(0.0, -BAR)
    assert time.asked(60, 4.0)
    assert time.line.seconds_at(4.0) == 4.0
    assert time.line.seconds_at(5.0) == 5.0
    time.pass_to(4.5)
    assert time.line == Line(4.5, 4.5, 1.0)


# --- a MIDI clock -----------------------------------------------------------------------------------------------------


def line_of(time: Any) -> Line:
    """Its line, now that it moves."""
    line: Line = time.line
    return line


def clocked(bpm: float, seconds: float, begin: float = 0.0, time: Clocked | None = None) -> Clocked:
    time = time or Clocked(120, BAR)
    for number in range(round(seconds * bpm * CLOCKS / 60)):
        time.told(begin + number * 60 / bpm / CLOCKS, TICK, 0.0)
    return time


def test_a_clock_that_runs_before_it_starts_gives_the_tempo_and_the_first_beat_ahead() -> None:
    time = clocked(90, 2.0)
    assert time.line is None
    time.told(1.995, Transport(START), 0.0)
    assert time.bpm == pytest.approx(90, rel=1e-6)
    assert line_of(time).seconds_at(0.0) == pytest.approx(2.0, abs=1e-6)
    clocked(90, 4.0, 2.0, time)
    assert line_of(time).quarter_at(6.0) == pytest.approx(6.0, abs=1e-6)


def test_a_clock_that_starts_with_its_first_message_has_the_tempo_after_a_few() -> None:
    time = Clocked(120, BAR)
    time.told(0.0, Transport(START), 0.0)
    clocked(200, 0.1, 0.0, time)
    assert time.line.bpm == pytest.approx(200, rel=1e-6)
    assert line_of(time).quarter_at(0.3) == pytest.approx(1.0, abs=1e-6)


def test_messages_that_come_unevenly_give_an_even_tempo() -> None:
    rng, time = np.random.default_rng(1), Clocked(120, BAR)
    time.told(0.0, Transport(START), 0.0)
    for number in range(200):
        time.told(number / 48 + rng.normal(0, 0.001), TICK, 0.0)
    assert time.bpm == pytest.approx(120, rel=0.02)
    assert time.line.seconds_at(199 / 24) == pytest.approx(199 / 48, abs=0.002)


@pytest.mark.parametrize(("before", "after"), [(60, 240), (240, 60), (120, 121)])
def test_a_clock_that_jumps_is_followed_within_five_messages(before: float, after: float) -> None:
    time = Clocked(120, BAR)
    time.told(0.0, Transport(START), 0.0)
    clocked(before, 4.0, 0.0, time)
    clocked(after, 5 * 60 / after / CLOCKS, 4.0, time)
    tolerance = 0.01 if abs(after - before) > 2 else 1.0
    assert time.bpm == pytest.approx(after, abs=tolerance)
    quarter = 4.0 * before / 60
    assert line_of(time).quarter_at(4.0) == pytest.approx(quarter, abs=0.02)


def test_a_clock_that_is_halted_goes_on_with_the_next_bar_at_the_same_place() -> None:
    time = Clocked(120, BAR)
    time.told(0.0, Transport(START), 0.0)
    clocked(120, 1.0, 0.0, time)
    time.told(1.0, Transport(HALT), 4.0)
    assert time.line is None
    time.told(5.0, Transport(POSITION, 42.0), 4.0)
    time.told(5.0, Transport(CONTINUE), 4.0)
    clocked(120, 0.5, 5.0, time)
    assert line_of(time).quarter_at(5.0) == pytest.approx(4.0 + 42 % 4)
    time.told(6.0, Transport(START), 8.0)
    clocked(120, 0.5, 6.0, time)
    assert line_of(time).quarter_at(6.0) == pytest.approx(8.0)


def test_a_clock_that_is_gone_stands_still() -> None:
    time = Clocked(120, BAR)
    time.told(0.0, Transport(START), 0.0)
    clocked(120, 1.0, 0.0, time)
    time.pass_to(1.0 + GONE / 2)
    assert time.line is not None
    time.pass_to(1.0 + 2 * GONE)
    assert time.line is None


# --- the guitar -------------------------------------------------------------------------------------------------------


def followed(beats: np.ndarray, bpm: float = 120, limit: float = LIMIT) -> tuple[Following, list[float]]:
    """A drummer who follows notes on eighths; how many seconds each was late against the drummer's beat."""
    time, late = Following(bpm, limit), []
    time.begin(float(beats[0]), 0.0)
    for number, seconds in enumerate(beats):
        late.append(float(seconds) - time.line.seconds_at(number / 2))
        time.pass_to(float(seconds))
        time.heard(float(seconds))
    return time, late


@pytest.mark.parametrize("bpm", [113, 120, 127])
def test_a_guitarist_a_little_faster_or_slower_is_followed(bpm: float) -> None:
    time, late = followed(np.arange(128) * 30 / bpm)
    assert time.bpm == pytest.approx(bpm, rel=0.01)
    assert np.abs(late[-32:]).max() < 0.015


def test_a_guitarist_who_hurries_slowly_is_followed() -> None:
    lengths = 30 / np.linspace(120, 130, 256)
    time, late = followed(np.concatenate([[0], np.cumsum(lengths)]))
    assert np.abs(late).max() < 0.03
    assert time.bpm == pytest.approx(130, rel=0.02)


def test_an_uneven_hand_hardly_moves_the_tempo() -> None:
    rng = np.random.default_rng(3)
    time, late = followed(np.arange(256) * 0.25 + rng.normal(0, 0.012, 256))
    assert time.bpm == pytest.approx(120, rel=0.02)
    assert np.std(late) < 0.02


def test_the_tempo_stays_within_its_limits() -> None:
    for bpm in (90, 160):
        time, _ = followed(np.arange(400) * 30 / bpm)
        assert 120 * (1 - LIMIT) - 1e-9 <= time.bpm <= 120 * (1 + LIMIT) + 1e-9


def test_notes_far_from_a_beat_and_the_rest_of_a_chord_move_nothing() -> None:
    time = Following(120)
    time.begin(0.0, 0.0)
    time.heard(1.12)  # between two eighths
    assert time.line == Line(0.0, 0.0, 0.5)
    time.heard(1.52)
    moved = time.line
    time.heard(1.54)
    assert time.line == moved != Line(0.0, 0.0, 0.5)
    assert not math.isinf(moved.turn)


# --- hits at their moments, and what happens if a bar is not there ----------------------------------------------------

KICK, SNARE = 36, 38


def bar(number: int, hits: list[tuple[float, int]], *, groove: bool = True, last: bool = False) -> Messages:
    due = sorted([(at, note_on(pitch, 90)) for at, pitch in hits] + [(at + 0.1, note_off(pitch)) for at, pitch in hits])
    quarters = array("d", [at for at, _ in due])
    return Messages(number, quarters, tuple(one for _, one in due), 4.0, 4.0, is_groove=groove, is_last=last)


class Room:
    """A striker at 60 quarters a minute, so that quarters are seconds."""

    def __init__(self, *, with_clock: bool = False) -> None:
        self.time, self.now, self.sent = Steady(60), 0.0, list[tuple[float, bytes]]()
        self.striker = Striker(lambda one: self.sent.append((self.now, one)), self.time, with_clock=with_clock)

    def run(self, until: float, begin: float | None = None) -> None:
        self.now = self.now if begin is None else begin
        while (due := self.striker.advance(self.now)) <= until:
            self.now = due
        self.now = until

    @property
    def hits(self) -> list[tuple[float, int]]:
        return [(round(when, 6), one[1]) for when, one in self.sent if one[0] == 0x99]


@pytest.fixture
def room() -> Room:
    room = Room()
    room.time.begin(0.0, 0.0)
    return room


def test_hits_are_sent_at_their_moments_and_end(room: Room) -> None:
    room.striker.put(bar(0, [(0.0, KICK), (1.0, SNARE), (3.5, KICK)]), 0.0)
    room.striker.put(bar(1, [(0.0, KICK)]), 4.0)
    room.run(5.0)
    assert room.hits == [(0.0, KICK), (1.0, SNARE), (3.5, KICK), (4.0, KICK)]
    assert [one for _, one in room.sent].count(note_off(KICK)) == 3
    assert max(room.striker.late) == 0.0


def test_a_hit_before_its_barline_is_sent_in_the_bar_before(room: Room) -> None:
    room.striker.put(bar(0, [(0.0, KICK), (3.99, SNARE)]), 0.0)
    room.striker.put(bar(1, [(-0.02, KICK), (1.0, SNARE)]), 4.0)
    room.run(5.5)
    assert room.hits == [(0.0, KICK), (3.98, KICK), (3.99, SNARE), (5.0, SNARE)]


def test_a_bar_that_is_not_there_is_the_groove_again_and_no_fill(room: Room) -> None:
    room.striker.put(bar(0, [(0.0, KICK), (2.0, SNARE)]), 0.0)
    room.striker.put(bar(1, [(0.0, SNARE), (1.0, SNARE)], groove=False), 4.0)
    room.run(12.5)
    assert room.hits[4:] == [(8.0, KICK), (10.0, SNARE), (12.0, KICK)]
    assert room.striker.repeated == 2
    assert not room.striker.put(bar(2, [(0.0, KICK)]), 8.0)
    assert room.striker.put(bar(4, [(1.0, SNARE)]), 16.0)
    room.run(17.5)
    assert room.hits[-1] == (17.0, SNARE)
    assert [(number, sent.number) for number, sent in room.striker.played] == [(0, 0), (1, 1), (2, 0), (3, 0), (4, 4)]


def test_a_bar_that_comes_just_in_time_is_heard(room: Room) -> None:
    room.striker.put(bar(0, [(0.0, KICK)]), 0.0)
    room.run(4.0 - DEADLINE - 0.001)
    room.striker.put(bar(1, [(0.0, SNARE)]), 4.0)
    room.run(4.1)
    assert room.hits == [(0.0, KICK), (4.0, SNARE)]
    assert room.striker.repeated == 0


def test_a_hit_whose_moment_has_gone_is_left_out(room: Room) -> None:
    room.striker.put(bar(0, [(0.0, KICK), (1.0, SNARE), (1.5, KICK)]), 0.0)
    room.run(0.5)
    room.run(2.0, begin=1.0 + 2 * LATE)
    assert room.hits == [(0.0, KICK), (1.5, KICK)]
    assert room.striker.left_out == 1


def test_after_the_last_bar_it_is_over(room: Room) -> None:
    room.striker.put(bar(0, [(0.0, KICK)], last=True), 0.0)
    room.run(100.0)
    assert room.striker.is_over
    assert room.hits == [(0.0, KICK)]


def test_a_song_that_stands_still_sounds_no_more(room: Room) -> None:
    room.striker.put(bar(0, [(0.0, KICK), (1.0, SNARE)]), 0.0)
    room.run(0.05)
    room.time.line = None
    room.run(3.0)
    assert room.sent[-1][1] == note_off(KICK)
    room.time.line = Line(3.0, 0.9, 1.0)
    room.run(3.5)
    assert room.hits == [(0.0, KICK), (3.1, SNARE)]


def test_a_clock_has_24_messages_a_quarter_and_starts_with_the_first_bar() -> None:
    room = Room(with_clock=True)
    room.time.begin(0.0, -4.0)
    room.striker.put(bar(-1, [(0.0, KICK)], groove=False), -4.0)
    room.striker.put(bar(0, [(0.0, KICK)]), 0.0)
    room.run(5.0 - 1e-6)
    clock = [(when, one) for when, one in room.sent if one[0] >= 0xF0]
    assert sum(one == ports.TICK for _, one in clock) == 5 * 24
    (at,) = [number for number, (_, one) in enumerate(clock) if one == ports.BEGIN]
    assert clock[at + 1] == (pytest.approx(4.0), ports.TICK)
    assert clock[at - 1][0] < 4.0


def test_when_it_is_stopped_every_note_ends(room: Room) -> None:
    room.striker.put(bar(0, [(0.0, KICK), (0.01, SNARE)]), 0.0)
    room.run(0.05)
    room.striker.stop()
    ends = [one for _, one in room.sent if one[0] != 0x99]
    assert ends == [note_off(KICK), note_off(SNARE), bytes([0xB9, 123, 0]), bytes([0xB9, 120, 0])]


def test_a_port_that_fails_ends_the_sending_and_is_told() -> None:
    def send(message: bytes) -> None:
        raise RuntimeError("gone")

    time = Steady(60)
    time.begin(0.0, 0.0)
    striker = Striker(send, time, clock=lambda: 1.0)
    striker.put(bar(0, [(1.0, KICK)]), 0.0)
    striker.run()
    assert str(striker.error) == "gone"
    striker.stop()
