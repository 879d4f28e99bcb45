"""Bars, tempo maps and parts."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from tests.strategies import notes, songs


def lengths(song: Song) -> list[int]:
    return [bar.length for bar in song.bars()]


@given(songs(max_parts=2, max_notes=5))
def test_bars_cover_every_song_without_gap_or_overlap(song: Song) -> None:
    bars = song.bars()
    assert bars[0].start == 0
    assert [bar.index for bar in bars] == list(range(len(bars)))
    assert all(bar.length > 0 for bar in bars)
    assert all(bar.end == following.start for bar, following in pairwise(bars))
    assert bars[-1].end >= song.end
    assert bars[-1].start < max(song.end, 1)


@given(songs(max_parts=2, max_notes=5))
def test_a_barline_stands_at_every_metre_event_within_the_song(song: Song) -> None:
    starts = {bar.start for bar in song.bars()}
    assert {metre.tick for metre in song.metres if metre.tick < song.end} <= starts


@given(songs(max_parts=2, max_notes=5))
def test_every_bar_has_the_metre_that_holds_at_its_start(song: Song) -> None:
    for bar in song.bars()[:50]:
        before = [metre for metre in song.metres if metre.tick <= bar.start]
        expected = before[-1][1:] if before else (4, 4)
        assert (bar.numerator, bar.denominator) == expected


@given(songs(max_parts=2, max_notes=5))
def test_only_a_metre_change_or_a_fraction_of_a_tick_makes_a_bar_shorter(song: Song) -> None:
    bars = song.bars()
    changes = {metre.tick for metre in song.metres}
    for bar in bars:
        full = max(Fraction(4 * bar.numerator * song.ticks_per_quarter, bar.denominator), Fraction(1))
        assert bar.length < full + 1
        assert bar.length > full - 1 or bar.end in changes


@pytest.mark.parametrize(
    ("metre", "length"),
    [((4, 4), 1920), ((3, 4), 1440), ((5, 4), 2400), ((7, 8), 1680), ((12, 8), 2880), ((6, 8), 1440), ((2, 2), 1920)],
)
def test_a_bar_is_as_long_as_its_metre_says(metre: tuple[int, int], length: int) -> None:
    song = Song(480, metres=(Metre(0, *metre),), length=3 * length)
    assert lengths(song) == [length] * 3


def test_a_song_without_metre_is_in_four_four() -> None:
    assert lengths(Song(96, length=96 * 8)) == [384, 384]


def test_an_empty_song_has_one_bar() -> None:
    assert lengths(Song(96)) == [384]


def test_a_pickup_is_a_short_first_bar() -> None:
    song = Song(480, metres=(Metre(0, 1, 4), Metre(480, 3, 4)), length=480 + 2 * 1440)
    assert lengths(song) == [480, 1440, 1440]


def test_a_metre_event_off_the_barline_cuts_the_bar_before_it() -> None:
    song = Song(480, metres=(Metre(0, 4, 4), Metre(1920 + 100, 3, 4)), length=1920 + 100 + 1440)
    assert [(bar.length, bar.numerator) for bar in song.bars()] == [(1920, 4), (100, 4), (1440, 3)]


def test_of_two_metres_at_one_tick_the_last_holds() -> None:
    song = Song(480, metres=(Metre(0, 7, 8), Metre(0, 3, 4)), length=1440)
    assert [(bar.numerator, bar.denominator) for bar in song.bars()] == [(3, 4)]


def test_bars_of_a_fraction_of_a_tick_do_not_drift() -> None:
    # 7/16 at 3 ticks a quarter is 5.25 ticks: after four bars the barline is exact again.
    song = Song(3, metres=(Metre(0, 7, 16),), length=42)
    starts = [bar.start for bar in song.bars()]
    assert starts[::4] == [0, 21]
    assert set(lengths(song)) == {5, 6}


def test_a_bar_shorter_than_a_tick_lasts_one_tick() -> None:
    song = Song(1, metres=(Metre(0, 1, 64),), length=3)
    assert lengths(song) == [1, 1, 1]


def test_seconds_follow_every_tempo() -> None:
    song = Song(480, tempos=(Tempo(480, 1_000_000), Tempo(960, 250_000)), length=1440)
    assert song.seconds(480) == pytest.approx(0.5)
    assert song.seconds(960) == pytest.approx(1.5)
    assert song.seconds(1440) == pytest.approx(1.75)
    assert [round(song.tempo_at(tick).bpm) for tick in (0, 479, 480, 960)] == [120, 120, 60, 240]


@given(st.lists(notes(300), max_size=30), st.randoms(use_true_random=False))
def test_a_part_is_the_same_whatever_the_order_of_its_notes(drawn: list[Note], random: Random) -> None:
    mixed = list(drawn)
    random.shuffle(mixed)
    assert Part.of(mixed) == Part.of(drawn)
    assert hash(Part.of(mixed)) == hash(Part.of(drawn))
    key = [(note.onset, note.pitch, note.duration, note.velocity) for note in Part.of(mixed)]
    assert key == sorted((note.onset, note.pitch, note.duration, note.velocity) for note in drawn)


def test_a_part_cannot_be_changed() -> None:
    part = Part.of([Note(0, 10, 60, 64)])
    with pytest.raises(ValueError, match="read-only"):
        part.onset[0] = 5


def test_a_part_does_not_share_memory_with_the_arrays_it_was_made_of() -> None:
    columns = [np.array([number]) for number in (0, 10, 60, 64)]
    part = Part.of_columns(*columns)
    columns[0][0] = 99
    assert list(part) == [Note(0, 10, 60, 64)]


def test_a_part_and_what_holds_one_are_printed_in_a_line() -> None:
    part = Part.of([Note(at, 10, 36, 90) for at in range(0, 100_000, 10)], name="Kit", is_drums=True)
    assert repr(part) == "Part('Kit', drums, 10000 notes, ticks 0 to 100000)"
    assert repr(Part.of([], program=27)) == "Part('', program 27, 0 notes, ticks 0 to 0)"
    assert len(repr(Song(480, (part,)))) < 300
