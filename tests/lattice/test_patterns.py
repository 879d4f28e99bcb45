"""Patterns: what a bar keeps on each grid, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from seq2drum.errors import OptionError
from seq2drum.lattice.patterns import (
    GRIDS,
    TICKS,
    Pattern,
    led_in,
    part_of,
    pattern_of,
    pattern_of_song,
    regridded,
    ticks_of,
)
from seq2drum.music.kit import NINE
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo

KICK, SNARE, HAT = 36, 38, 42


@st.composite
def patterns(draw: st.DrawFn, places: int | None = None) -> Pattern:
    """Bars on a grid; on 24 places each beat is in sixteenths or in triplets."""
    count = draw(st.sampled_from(GRIDS)) if places is None else places
    bars = draw(st.integers(1, 3))
    struck = draw(arrays.arrays(np.int64, (bars, count, 9), elements=st.integers(0, 127), fill=st.just(0)))
    if count == 24:
        triplets = draw(arrays.arrays(np.bool_, (bars, 4)))
        steps = np.arange(6)
        allowed = np.where(triplets[..., None], np.isin(steps, [0, 2, 4]), np.isin(steps, [0, 1, 3, 5]))
        struck = struck * allowed.reshape(bars, 24, 1)
    return Pattern((struck / 127).astype(np.float32))


@settings(deadline=None)
@given(patterns())
def test_a_pattern_comes_back_from_its_notes(pattern: Pattern) -> None:
    back = pattern_of(part_of(pattern), TICKS, pattern.places, bars=pattern.bars)
    assert np.array_equal(back.velocity, pattern.velocity)


@pytest.mark.parametrize("places", GRIDS)
def test_places_of_a_bar_rise_from_its_first_tick_and_stay_inside(places: int) -> None:
    ticks = ticks_of(places)
    assert ticks[0] == 0
    assert np.all(np.diff(ticks) > 0)
    assert ticks[-1] < 4 * TICKS


def test_a_hit_that_was_struck_early_stays_on_the_sixteenth_it_was_meant_for() -> None:
    straight = [Note(int(TICKS * at), 10, HAT, 80) for at in (0, 0.25, 0.5, 0.75)]
    late = Note(int(TICKS * 0.3), 10, KICK, 80)  # nearer to a third than to a quarter of the beat
    pattern = pattern_of(Part.of([*straight, late], is_drums=True), TICKS)
    assert np.flatnonzero(pattern.velocity[0, :, NINE.voice_of[KICK]]).tolist() == [1]


def test_a_beat_in_triplets_is_on_the_triplets() -> None:
    part = Part.of([Note(TICKS * at // 3, 10, HAT, 80) for at in range(3)], is_drums=True)
    assert np.flatnonzero(pattern_of(part, TICKS).velocity.any(axis=(0, 2))).tolist() == [0, 2, 4]


def test_of_two_hits_at_one_place_the_louder_stays() -> None:
    part = Part.of([Note(0, 10, 38, 20), Note(5, 10, 40, 127)], is_drums=True)
    assert pattern_of(part, TICKS, 16).velocity[0, 0, NINE.voice_of[SNARE]] == 1


def test_a_coarser_grid_keeps_what_has_a_place_there() -> None:
    velocity = np.zeros((1, 32, 9), dtype=np.float32)
    velocity[0, [0, 2, 3]] = 1
    assert np.flatnonzero(regridded(Pattern(velocity), 16).velocity.any(axis=(0, 2))).tolist() == [0, 1, 2]


def test_a_grid_that_there_is_not_is_refused() -> None:
    with pytest.raises(OptionError, match="20 places a bar, wanted 16, 24 or 32"):
        ticks_of(20)


def test_drums_in_another_metre_are_refused() -> None:
    part = Part.of([Note(0, 10, KICK, 80)], is_drums=True)
    song = Song(TICKS, (part,), (Tempo(0, 500_000),), (Metre(0, 7, 8),), 4 * TICKS)
    with pytest.raises(OptionError, match="in 7/8, wanted 4/4"):
        pattern_of_song(song, part)


def test_a_fill_is_led_in_by_the_groove_which_goes_on_behind_it() -> None:
    fill, groove = np.zeros((2, 24, 9), dtype=np.float32)
    groove[::3, 8], fill[[13, 15], 3] = 0.5, 1
    bar = led_in(fill, groove)
    assert np.array_equal(bar[:12], groove[:12]) and np.array_equal(bar[18:], groove[18:])
    assert np.array_equal(bar[12:18], fill[12:18])
    assert np.array_equal(led_in(np.zeros_like(fill), groove), groove)
