"""Hits at their moments, and what happens if a bar is not there."""

from __future__ import annotations

from array import array

import pytest

from seq2drum.play.jam import ports
from seq2drum.play.jam.ports import note_off, note_on
from seq2drum.play.jam.songtime import Line, Steady
from seq2drum.play.jam.striker import DEADLINE, LATE, Messages, Striker

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
