"""Where a song is: by a tempo, by a MIDI clock that jumps, and by a guitarist who hurries."""

from __future__ import annotations

import math

import numpy as np
import pytest

from seq2drum.play.jam.ports import CLOCK, CLOCKS, CONTINUE, HALT, POSITION, START, Transport
from seq2drum.play.jam.songtime import GONE, LIMIT, Clocked, Following, Line, Steady

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
    assert time.line.seconds_at(0.0) == pytest.approx(2.0, abs=1e-6)
    clocked(90, 4.0, 2.0, time)
    assert time.line.quarter_at(6.0) == pytest.approx(6.0, abs=1e-6)


def test_a_clock_that_starts_with_its_first_message_has_the_tempo_after_a_few() -> None:
    time = Clocked(120, BAR)
    time.told(0.0, Transport(START), 0.0)
    clocked(200, 0.1, 0.0, time)
    assert time.line.bpm == pytest.approx(200, rel=1e-6)
    assert time.line.quarter_at(0.3) == pytest.approx(1.0, abs=1e-6)


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
    assert time.line.quarter_at(4.0) == pytest.approx(quarter, abs=0.02)


def test_a_clock_that_is_halted_goes_on_with_the_next_bar_at_the_same_place() -> None:
    time = Clocked(120, BAR)
    time.told(0.0, Transport(START), 0.0)
    clocked(120, 1.0, 0.0, time)
    time.told(1.0, Transport(HALT), 4.0)
    assert time.line is None
    time.told(5.0, Transport(POSITION, 42.0), 4.0)
    time.told(5.0, Transport(CONTINUE), 4.0)
    clocked(120, 0.5, 5.0, time)
    assert time.line.quarter_at(5.0) == pytest.approx(4.0 + 42 % 4)
    time.told(6.0, Transport(START), 8.0)
    clocked(120, 0.5, 6.0, time)
    assert time.line.quarter_at(6.0) == pytest.approx(8.0)


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
