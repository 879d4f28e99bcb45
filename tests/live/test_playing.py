"""The loop of a jam with true clocks and threads, for a second or less, with functions in place of ports."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time

import pytest

from seq2drum.errors import PortError
from seq2drum.music.notes import Song, Tempo
from seq2drum.play.decode import engine
from seq2drum.play.decode.engine import Engine
from seq2drum.play.jam.jam import Jam
from seq2drum.play.jam.live import Jamming
from seq2drum.play.jam.loop import Inbox, play
from seq2drum.play.jam.ports import Port, Shown, note_on
from seq2drum.play.jam.signs import FILL, STOP
from seq2drum.play.jam.songtime import Steady
from seq2drum.play.jam.striker import Striker
from seq2drum.play.options import Options
from tests.players import save_player

pytestmark = pytest.mark.slow
BPM = 300.0


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return engine.load(save_player(tmp_path_factory.mktemp("player"), "transformer"))


class Sent:
    def __init__(self, fails_after: int = 1 << 30) -> None:
        self.messages, self._fails_after = list[bytes](), fails_after

    def __call__(self, message: bytes) -> None:
        if len(self.messages) >= self._fails_after:
            raise RuntimeError("no such device")
        self.messages.append(message)

    @property
    def hanging(self) -> set[int]:
        left = set[int]()
        for status, *data in self.messages:
            if status == 0x99:
                left.add(data[0])
            elif status == 0x89:
                left.discard(data[0])
        return left


def jam(player: Engine, send: Sent) -> tuple[Jamming, Striker]:
    score, time = Song(480, (), (Tempo(0, round(6e7 / BPM)),)), Steady(BPM)
    striker = Striker(send, time)
    return Jamming(Jam(player, Options(), score), striker, time, Options(), count_in=1), striker


def test_a_jam_goes_on_until_its_stop_and_leaves_nothing_hanging(player: Engine) -> None:
    send, inbox = Sent(), Inbox()
    jamming, striker = jam(player, send)
    inbox.put(Shown(STOP))
    looked = list[float]()
    play(jamming, striker, inbox, [Port("out", send)], looked.append)
    assert jamming.is_over
    assert not send.hanging
    assert send.messages[-2:] == [bytes([0xB9, 123, 0]), bytes([0xB9, 120, 0])]
    assert looked
    assert gc.isenabled()
    assert sys.getswitchinterval() == pytest.approx(0.005)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_jam_and_every_note(player: Engine, name: str) -> None:
    if not hasattr(signal, name):
        pytest.skip(f"this system has no {name}")
    send, inbox, before = Sent(), Inbox(), signal.getsignal(getattr(signal, name))
    jamming, striker = jam(player, send)

    def look(now: float) -> None:
        if jamming.view(now).number >= 1 and not inbox.is_stopped:
            signal.raise_signal(getattr(signal, name))

    play(jamming, striker, inbox, [Port("out", send)], look)
    assert not jamming.is_over
    assert not send.hanging
    assert send.messages[-1] == bytes([0xB9, 120, 0])
    assert signal.getsignal(getattr(signal, name)) == before


def test_a_port_that_fails_is_told_in_a_line(player: Engine) -> None:
    send, inbox = Sent(fails_after=20), Inbox()
    jamming, striker = jam(player, send)
    with pytest.raises(PortError, match=r"'out' has gone \(no such device\)"):
        play(jamming, striker, inbox, [Port("in"), Port("out", send)])
    assert jamming.take() is None or jamming.take().to_bytes()


def test_a_port_that_vanishes_ends_the_jam_and_every_note(player: Engine) -> None:
    send, inbox, begun = Sent(), Inbox(), time.monotonic()
    jamming, striker = jam(player, send)
    vanishing = Port("in", is_there=lambda: time.monotonic() - begun < 0.5)
    with pytest.raises(PortError, match="'in' has gone"):
        play(jamming, striker, inbox, [vanishing, Port("out", send)])
    assert any(message[0] == note_on(37, 1)[0] for message in send.messages)
    assert not send.hanging


def test_what_comes_while_much_comes_is_bounded() -> None:
    inbox = Inbox()
    for _ in range(20_000):
        inbox.put(b"\x90\x40\x40")
    counted = 0
    while came := inbox.take(0.0):
        assert len(came) <= 1_000
        counted += len(came)
    assert counted == 10_000


def test_an_inbox_wakes_whoever_waits() -> None:
    inbox = Inbox()
    threading.Timer(0.05, inbox.put, [Shown(FILL)]).start()
    ((seconds, what),) = inbox.take(30.0)
    assert what == Shown(FILL)
    assert seconds <= time.monotonic()
