"""A jam from end to end: the loop, odd input, and the display."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

from seq2drum.errors import PortError
from seq2drum.music.notes import Note, Part, Song, Tempo
from seq2drum.play.decode import engine
from seq2drum.play.decode.engine import Engine
from seq2drum.play.jam import loop
from seq2drum.play.jam.guitarist import Guitarist, jammed
from seq2drum.play.jam.jam import LEAD, Jam
from seq2drum.play.jam.live import Jamming
from seq2drum.play.jam.loop import Inbox, play
from seq2drum.play.jam.ports import BEGIN, PAUSE, RESUME, Came, Feet, Key, Port, Shown, Switch, note_on, read
from seq2drum.play.jam.signs import FILL, SECTION, STOP, TEMPO
from seq2drum.play.jam.songtime import Clocked, Following, Steady
from seq2drum.play.jam.striker import Striker
from seq2drum.play.options import Options
from seq2drum.show import console
from tests.live.stage import Stage, key, ticks
from tests.players import save_player, strummed

# --- the loop of a jam with true clocks and threads, for a second or less, with functions in place of ports -----------
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_port_that_fails_is_told_in_a_line(player: Engine) -> None:
    send, inbox = Sent(fails_after=20), Inbox()
    jamming, striker = jam(player, send)
    with pytest.raises(PortError, match=r"'out' has gone \(no such device\)"):
        play(jamming, striker, inbox, [Port("in"), Port("out", send)])
    assert jamming.take() is None or jamming.take().to_bytes()


@pytest.mark.slow
def test_a_port_that_vanishes_ends_the_jam_and_every_note(player: Engine) -> None:
    send, inbox, begun = Sent(), Inbox(), time.monotonic()
    jamming, striker = jam(player, send)
    vanishing = Port("in", is_there=lambda: time.monotonic() - begun < 0.5)
    with pytest.raises(PortError, match="'in' has gone"):
        play(jamming, striker, inbox, [vanishing, Port("out", send)])
    assert any(message[0] == note_on(37, 1)[0] for message in send.messages)
    assert not send.hanging


@pytest.mark.slow
def test_what_comes_while_much_comes_is_bounded() -> None:
    inbox = Inbox()
    for _ in range(20_000):
        inbox.put(b"\x90\x40\x40")
    counted = 0
    while came := inbox.take(0.0):
        assert len(came) <= 1_000
        counted += len(came)
    assert counted == 10_000


@pytest.mark.slow
def test_an_inbox_wakes_whoever_waits() -> None:
    inbox = Inbox()
    threading.Timer(0.05, inbox.put, [Shown(FILL)]).start()
    ((seconds, what),) = inbox.take(30.0)
    assert what == Shown(FILL)
    assert seconds <= time.monotonic()


# --- A jam in time, where time is a number: what comes in odd, late or never, and what is heard then ------------------

BAR = 2.0  # seconds at 120
HIT = 0.005  # seconds: within a step of the stage


# --- in time ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_file_in_time_is_played_to_as_one_that_is_played_as_fast_as_it_goes(player: Engine) -> None:
    song, options = strummed(5), Options(seed=4)
    guitarist = Guitarist.of(song, options)
    stage = Stage(player, options, score=guitarist.song, told=guitarist.told, count_in=1)
    stage.run(60.0)
    fast, heard = jammed(player, song, options), stage.jamming.take()
    assert stage.jamming.is_over
    assert heard.part == fast.part
    assert heard.grooves == fast.grooves
    assert heard.song.parts[0].rows.tolist() == song.parts[0].rows.tolist()
    sent = sorted(when - BAR for when, _ in stage.hits[4:])
    meant = sorted(fast.part.onset / 480 * 0.5)
    assert np.abs(np.array(sent) - meant).max() < HIT
    assert stage.striker.left_out == stage.striker.repeated == 0
    assert not stage.sounding


@pytest.mark.slow
def test_the_count_in_is_on_the_sticks_and_the_first_bar_follows_it(player: Engine) -> None:
    stage = Stage(player, count_in=2)
    stage.run(2 * BAR + 0.1)
    sticks = [when for when, pitch in stage.hits if pitch == 37][:8]
    assert sticks == pytest.approx(np.arange(8) * 0.5, abs=HIT)
    assert stage.jamming.view(stage.now).number == 0


@pytest.mark.slow
def test_a_song_whose_tempo_changes_is_played_in_its_tempos(player: Engine) -> None:
    song = strummed(4, tempos=[Tempo(0, 500_000), Tempo(2 * 1920, 250_000)])
    guitarist = Guitarist.of(song, Options(ending="none"))
    stage = Stage(player, Options(ending="none"), score=guitarist.song, told=guitarist.told)
    stage.run(6.0)
    begins = [when for when, message in stage.sent if message[0] == 0x99]
    assert max(begins) < 6.0
    take = stage.jamming.take()
    meant = np.array([take.song.seconds(int(tick)) for tick in take.part.onset])
    assert np.abs(np.sort(begins)[: len(meant)] - np.sort(meant)).max() < HIT


def test_a_bar_that_is_decided_too_late_is_the_groove_again_and_the_jam_goes_on(player: Engine) -> None:
    # Nothing is decided from the middle of the second bar to that of the fourth.
    stage = Stage(player, Options(groove="rock-hat-plain", temperature=0.0, fills=0.0), busy=[(3.0, 7.0)])
    stage.run(12.1)
    assert stage.striker.repeated == 2
    hits = np.array([when for when, _ in stage.hits])
    for begin in np.arange(0.0, 12.0, BAR):
        assert ((hits >= begin - HIT) & (hits < begin + BAR)).sum() > 4
    assert np.diff(np.sort(hits)).max() < BAR / 2
    recorded = stage.jamming.take().part.onset
    assert sorted(recorded / 960)[: len(hits) - 5] == pytest.approx(sorted(hits)[: len(hits) - 5], abs=HIT)


@pytest.mark.slow
def test_a_last_bar_that_is_late_still_ends_the_jam(player: Engine) -> None:
    stage = Stage(player, busy=[(3.2, 5.0)])
    stage.run(20.0, [(3.1, Shown(STOP))])
    assert stage.jamming.is_over
    assert stage.now < 5 * BAR
    assert not stage.sounding


# --- signs ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_pedals_and_messages_show_the_drummer_what_to_do(player: Engine) -> None:
    stage = Stage(player, Options(fills=0.0))
    pedals: list[Came] = [(2.1, bytes([0xB0, 64, 127])), (2.3, bytes([0xB0, 64, 0]))]
    came = [*pedals, (6.1, Shown(SECTION)), (10.1, Shown(STOP))]
    stage.run(16.0, came)
    assert stage.jamming.is_over
    take = stage.jamming.take()
    assert [marker.tick // 1920 for marker in take.sections] == [0, 5]
    assert stage.now == pytest.approx(7 * BAR, abs=2 * HIT)


def test_a_pedal_is_heeded_when_it_goes_down_and_a_note_may_be_one() -> None:
    feet = Feet({("cc", 80): FILL, ("note", 24): STOP})
    assert [feet.sign(Switch(80, value)) for value in (10, 64, 127, 0, 64)] == [None, FILL, None, None, FILL]
    assert feet.sign(Switch(64, 127)) is None
    assert feet.sign(Key(24, 90)) == STOP
    assert feet.sign(Key(24, 0)) is None
    assert feet.is_pedal(Key(24, 0))
    assert not feet.is_pedal(Key(25, 90))


def test_another_tempo_is_taken_from_the_next_bar_that_is_not_decided(player: Engine) -> None:
    stage = Stage(player, Options(groove="rock-hat-plain", temperature=0.0, fills=0.0))
    stage.run(8.9, [(1.0, Shown(TEMPO, 60.0)), (1.2, Shown(TEMPO, 1000.0))])
    assert stage.said == ["the tempo is 1000.0, wanted 30 to 300 quarters a minute"]
    assert stage.jamming.view(stage.now).bpm == 60
    take = stage.jamming.take()
    assert [tempo.tick for tempo in take.song.tempo_map] == [0, 1920]
    late = np.array([when for when, _ in stage.hits if when >= BAR + HIT])
    eighths = (late - BAR) / 0.5
    assert np.abs(eighths - np.rint(eighths)).max() < 0.15


def test_a_clock_leads_and_no_other_tempo_is_heeded(player: Engine) -> None:
    stage = Stage(player, time=Clocked(120, 4.0))
    stage.run(1.0, [(0.5, Shown(TEMPO, 60.0))])
    assert stage.said == ["the MIDI clock leads, so another tempo is not heeded"]


# --- a MIDI clock -----------------------------------------------------------------------------------------------------


def test_a_jam_waits_for_the_clock_and_begins_with_its_start(player: Engine) -> None:
    stage = Stage(player, time=Clocked(120, 4.0))
    came = sorted([*ticks(0.0, 100, 200), (1.01, BEGIN)], key=lambda one: one[0])
    stage.run(1.0, came)
    assert not stage.sent
    assert stage.jamming.view(stage.now).quarter is None
    stage.run(4.0, [one for one in came if one[0] > 0.99])
    first = 1.025  # the next message
    assert stage.hits[0][0] == pytest.approx(first, abs=0.03)
    assert stage.jamming.view(4.0).quarter == pytest.approx((4.0 - first) * 100 / 60, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(60, 240), (240, 60)])
def test_a_clock_that_jumps_leaves_no_note_hanging_and_no_silence(player: Engine, before: int, after: int) -> None:
    stage = Stage(player, Options(groove="rock-hat-plain", temperature=0.0), time=Clocked(120, 4.0))
    came = [(0.0, BEGIN), *ticks(0.0, before, 24 * 6), *ticks(6 * 60 / before, after, 24 * 10)]
    stage.run(6 * 60 / before + 10 * 60 / after - 0.01, came)
    jumped = 6 * 60 / before
    hits = np.sort([when for when, _ in stage.hits])
    assert np.diff(hits[hits < jumped]).max() < 1.1 * 60 / before
    assert np.diff(hits[hits > jumped]).max() < 1.1 * 60 / after + 0.05
    assert stage.jamming.view(stage.now).bpm == pytest.approx(after, rel=0.01)
    stage.striker.stop()
    assert not stage.sounding


@pytest.mark.slow
def test_a_clock_that_is_halted_ends_every_note_and_goes_on_with_the_next_bar(player: Engine) -> None:
    stage = Stage(player, Options(groove="rock-hat-plain", temperature=0.0), time=Clocked(120, 4.0))
    stage.run(3.0, [(0.0, BEGIN), *ticks(0.0, 120, 24 * 5), (2.52, PAUSE)])
    assert not stage.sounding
    assert max(when for when, _ in stage.hits) < 2.53
    stage.run(6.0, [(4.0, RESUME), *ticks(4.0, 120, 24 * 4)])
    first = min(when for when, _ in stage.hits if when > 3.0)
    assert first == pytest.approx(4.0, abs=0.3)
    assert stage.jamming.view(stage.now).number >= 2


@pytest.mark.slow
def test_the_drummer_is_told_of_the_tempo_that_a_guitarist_takes(player: Engine) -> None:
    time = Following(120)
    stage = Stage(player, time=time)
    stage.run(30.0, [(number * 30 / 129, key(52, 90)) for number in range(120)])
    assert time.bpm == pytest.approx(129, rel=0.02)
    assert stage.jamming.take().song.tempo_map[-1].bpm == pytest.approx(129, rel=0.03)


# --- what comes in odd ------------------------------------------------------------------------------------------------


def test_what_a_message_says() -> None:
    assert read(bytes([0x95, 60, 90])) == Key(60, 90)
    assert read(bytes([0x85, 60, 90])) == read(bytes([0x95, 60, 0])) == Key(60, 0)
    moved: Any = read(bytes([0xF2, 0x10, 0x01]))
    assert moved.quarter == 36.0
    for nothing in (
        b"",
        b"\x99\x24\x5a",
        b"\x90",
        b"\x90\x40",
        b"\x90\xff\x40",
        b"\xe0\x00\x40",
        b"\xf0\x7e\xf7",
        b"\xf2\x01",
        b"\xfe",
    ):
        assert read(nothing) is None


@pytest.mark.slow
def test_a_thousand_notes_a_second_that_never_end_leave_nothing_hanging(player: Engine) -> None:
    rng = np.random.default_rng(5)
    flood = [(number / 1000, key(int(rng.integers(128)), int(rng.integers(1, 128)))) for number in range(9000)]
    stage = Stage(player)
    stage.run(9.0, flood)
    stage.run(13.0, [(9.1, Shown(STOP))])
    assert stage.jamming.is_over
    assert not stage.sounding
    take = stage.jamming.take()
    assert len(take.song.parts[0]) <= 48 * 20
    assert take.to_bytes(with_guitar=True)


@pytest.mark.slow
def test_a_minute_of_silence_is_played_through(player: Engine) -> None:
    stage = Stage(player, bpm=180)
    stage.run(62.0, [(0.1, key(52, 90)), (0.4, key(52, 0))])
    hits = np.sort([when for when, _ in stage.hits])
    assert hits[-1] > 61
    assert np.diff(hits).max() < 1.4
    assert stage.striker.repeated == 0


def test_a_note_a_little_before_the_first_barline_is_on_it_and_one_in_the_count_in_is_not_heard(player: Engine) -> None:
    stage = Stage(player, count_in=1)
    stage.run(BAR + 1.0, [(0.5, key(40, 90)), (BAR - 0.05, key(52, 90)), (BAR + 0.4, key(52, 0))])
    assert stage.jamming.take().song.parts[0].rows.tolist() == [[0, pytest.approx(384, abs=2), 52, 90]]


def test_a_note_that_comes_late_by_its_way_is_heard_when_it_was_played(player: Engine) -> None:
    stage = Stage(player, latency=0.04)
    stage.run(1.0, [(0.54, key(52, 90))])
    assert stage.jamming.take().song.parts[0].onset.tolist() == [pytest.approx(480, abs=1)]


# --- what was heard ---------------------------------------------------------------------------------------------------


def test_what_is_recorded_ends_where_the_jam_was_ended(player: Engine) -> None:
    stage = Stage(player)
    stage.run(3.0, [(0.5, key(52, 90))])
    take = stage.jamming.take()
    assert take.part.onset.max() < 3.0 * 960
    assert take.song.parts[0].end <= 3.0 * 960 + 1
    assert len(take.song.bars()) == 2


def test_a_jam_that_never_began_has_nothing_to_record(player: Engine) -> None:
    stage = Stage(player, time=Clocked(120, 4.0))
    stage.run(1.0)
    assert stage.jamming.take() is None


def test_the_drums_are_decided_half_a_quarter_ahead(player: Engine) -> None:
    stage = Stage(player)
    stage.run(BAR - LEAD / 2 - 0.02)
    assert stage.jamming.view(stage.now).coming is None
    stage.run(BAR - LEAD / 2 + 0.02)
    assert stage.jamming.view(stage.now).coming.number == 1


def test_a_song_without_notes_can_be_a_score(player: Engine) -> None:
    score = Song(96, (Part.of([Note(0, 96, 60, 90)], program=27),), (Tempo(0, 500_000),))
    stage = Stage(player, score=score)
    stage.run(1.0)
    assert stage.hits


# --- what a person reads of a jam while it goes on --------------------------------------------------------------------


def test_the_line_tells_the_bar_the_plan_and_what_was_shown(player: Engine) -> None:
    stage = Stage(player, Options(groove="rock-hat-plain", fills=0.0), count_in=1)
    stage.run(1.0)
    assert loop.status(stage.jamming.view(1.0)) == "count-in | 120 bpm | next: A plain rock, hat, kick 1 3"
    stage.run(4.6, [(4.5, Shown(FILL))])
    shown = loop.status(stage.jamming.view(stage.now))
    assert shown == "bar 2, beat 2 | A plain rock, hat, kick 1 3 | 120 bpm | shown: fill"
    stage.run(5.9)
    assert loop.status(stage.jamming.view(stage.now)).endswith("| 120 bpm | next: A fill")


def test_a_bar_is_told_in_a_line_with_what_was_heard(player: Engine) -> None:
    stage = Stage(player, Options(groove="rock-hat-plain", fills=0.0))
    stage.run(2.1, [(0.5, key(52, 90)), (1.0, key(52, 0)), (1.0, key(55, 90))])
    told = loop.line(stage.jamming.view(stage.now))
    assert told == "bar 2: A plain rock, hat, kick 1 3, 120 bpm; heard E3 G3"


def test_a_jam_that_waits_for_a_clock_says_so(player: Engine) -> None:
    stage = Stage(player, time=Clocked(120, 4.0))
    assert loop.status(stage.jamming.view(0.0)) == loop.WAITING


def test_the_picture_has_the_last_bars_and_the_next_with_the_guitar_that_was_heard(player: Engine) -> None:
    stage = Stage(player)
    stage.run(5.9, [(4.5, key(52, 90)), (5.0, key(52, 0))])
    bars = stage.jamming.bars(1)
    assert [bar.number for bar in bars] == [1, 2, 3]
    duet = loop.duet(bars, stage.jamming.guitar(bars[0].bar.start), 120, 480, "gm")
    assert len(duet.song.bars()) == 3
    assert duet.guitars[0].onset.tolist() == pytest.approx([2400], abs=1)
    assert set(np.unique((duet.drums.onset + 120) // 1920)) == {0, 1, 2}  # a hit may come a little before its barline
    assert "Guitar" in console.picture(duet)
