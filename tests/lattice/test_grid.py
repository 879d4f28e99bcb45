"""The lattice: what it keeps, what it loses, and the law `decode(encode(x)) == quantise(x)`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from seq2drum.errors import InputError
from seq2drum.formats.midi import midi
from seq2drum.lattice.grid import (
    HALF_GAP,
    PLACES,
    Grid,
    Lattice,
    decode,
    distinct,
    encode,
    median,
    quantile,
    quantise,
    steps_in,
)
from seq2drum.lattice.phrases import pairs
from seq2drum.music import theory
from seq2drum.music.kit import FULL, KITS, NINE, Kit
from seq2drum.music.notes import Bar, Metre, Note, Part, Song, merge_parts
from tests.strategies import TICKS_PER_QUARTER, songs

# Songs are long to draw, and the machine may be busy: neither is a fault.
relaxed = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

ALL_KITS = [None, FULL, NINE]
SMALL_SONGS = songs(max_parts=3, max_notes=30)


def lattice_of(song: Song) -> Lattice:
    return Lattice(song.bars(), song.ticks_per_quarter)


def straight(numerator: int = 4, denominator: int = 4, bars: int = 2, ticks_per_quarter: int = 480) -> Lattice:
    length = 4 * numerator * ticks_per_quarter // denominator
    return lattice_of(Song(ticks_per_quarter, metres=(Metre(0, numerator, denominator),), length=bars * length))


# --- places -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metre", "steps"),
    [((4, 4), 24), ((3, 4), 18), ((7, 8), 21), ((6, 8), 18), ((12, 8), 36), ((5, 4), 30), ((2, 2), 24), ((9, 8), 27)],
)
@pytest.mark.parametrize("ticks_per_quarter", [24, 480, 960])
def test_a_bar_has_six_places_a_quarter(metre: tuple[int, int], steps: int, ticks_per_quarter: int) -> None:
    numerator, denominator = metre
    assert steps_in(4 * numerator * ticks_per_quarter // denominator, ticks_per_quarter) == steps
    assert straight(*metre, ticks_per_quarter=ticks_per_quarter).counts.tolist() == [steps, steps]


@pytest.mark.parametrize(
    ("ticks", "steps"), [(1, 1), (120, 1), (121, 2), (160, 2), (161, 3), (360, 5), (361, 6), (480, 6), (481, 7)]
)
def test_a_bar_that_is_cut_short_has_the_places_before_its_end(ticks: int, steps: int) -> None:
    assert steps_in(ticks, 480) == steps


def test_steps_are_counted_for_many_bars_at_once() -> None:
    assert steps_in(np.array([1920, 1440, 1]), 480).tolist() == [24, 18, 1]


def test_the_six_places_are_the_sixteenths_and_the_triplets() -> None:
    assert straight(1, 4, bars=2, ticks_per_quarter=12).ticks.tolist() == [0, 3, 4, 6, 8, 9, 12, 15, 16, 18, 20, 21]


@relaxed
@given(SMALL_SONGS)
def test_every_place_lies_in_its_bar_and_the_first_on_the_barline(song: Song) -> None:
    lattice = lattice_of(song)
    starts = np.array([bar.start for bar in lattice.bars])
    ends = np.array([bar.end for bar in lattice.bars])
    assert np.all(np.diff(lattice.ticks) > 0)
    assert np.all((starts[lattice.bar_of] <= lattice.ticks) & (lattice.ticks < ends[lattice.bar_of]))
    assert lattice.ticks[lattice.first[:-1]].tolist() == starts.tolist()
    assert lattice.counts.sum() == lattice.first[-1] == len(lattice.ticks) == len(lattice.place_of)
    assert lattice.place_of[lattice.first[:-1]].tolist() == [0] * len(lattice.bars)


def test_places_are_counted_from_the_barline_even_after_an_odd_bar() -> None:
    lattice = lattice_of(Song(480, metres=(Metre(0, 4, 4), Metre(100, 4, 4)), length=2020))
    assert [bar.length for bar in lattice.bars] == [100, 1920]
    assert lattice.ticks[:4].tolist() == [0, 100, 220, 260]


# --- nearest ----------------------------------------------------------------------------------------------------------


def test_a_tick_goes_to_the_nearest_place_and_of_two_as_near_to_the_earlier() -> None:
    lattice = straight(1, 4, bars=2, ticks_per_quarter=12)
    step, _ = lattice.nearest(np.arange(15))
    assert step.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6, 6, 7]


def test_an_offset_counts_in_254ths_of_the_gap_on_its_side() -> None:
    lattice = straight()
    step, offset = lattice.nearest(np.array([1910, 1920, 1930, 1975]))
    assert step.tolist() == [24, 24, 24, 24]
    # Before the barline the gap is 120 ticks (from the last sixteenth), and after it as well.
    assert offset.tolist() == [-21, 0, 21, 116]


@relaxed
@given(SMALL_SONGS)
def test_an_offset_inside_the_song_is_never_over_half_a_gap(song: Song) -> None:
    lattice = lattice_of(song)
    for part in song.parts:
        step, offset = lattice.nearest(part.onset)
        inside = (step > 0) & (step < len(lattice.ticks) - 1)
        assert np.all(np.abs(offset[inside]) <= HALF_GAP)
        distance = np.abs(lattice.ticks[None] - part.onset[:, None]).min(axis=1)
        assert np.all(np.abs(lattice.ticks[step] - part.onset) == distance)


# --- the law ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kit", ALL_KITS, ids=["guitar", "full", "nine"])
@relaxed
@given(song=SMALL_SONGS)
def test_what_is_encoded_and_decoded_is_the_quantised_part(song: Song, kit: Kit | None) -> None:
    lattice = lattice_of(song)
    for part in song.parts:
        assert decode(encode(part, lattice, kit), lattice, kit) == quantise(part, lattice, kit)


@pytest.mark.parametrize("kit", ALL_KITS, ids=["guitar", "full", "nine"])
@relaxed
@given(song=SMALL_SONGS)
def test_quantising_again_changes_nothing(song: Song, kit: Kit | None) -> None:
    lattice = lattice_of(song)
    for part in song.parts:
        once = quantise(part, lattice, kit)
        assert quantise(once, lattice, kit) == once


@pytest.mark.slow
def test_the_law_holds_for_every_pair_of_real_music(sample: list[Path]) -> None:
    checked = 0
    for path in sample:
        song = midi.parse(path.read_bytes())
        try:
            guitar = merge_parts([song.parts[index] for index in theory.guitar_parts(song).parts])
        except InputError:
            continue
        drums = merge_parts([song.parts[index] for index in theory.drum_parts(song)])
        for pair in pairs(song, guitar, drums)[0]:
            for phrase, kit in ((pair.guitar, None), *((pair.drums, kit) for kit in KITS.values())):
                kept = quantise(phrase.part, phrase.lattice, kit)
                assert decode(encode(phrase.part, phrase.lattice, kit), phrase.lattice, kit) == kept, path.name
                assert quantise(kept, phrase.lattice, kit) == kept, path.name
                checked += 1
    assert checked > 500


@relaxed
@given(SMALL_SONGS)
def test_a_note_moves_by_less_than_a_254th_of_a_gap_and_the_rounding_to_a_tick(song: Song) -> None:
    lattice = lattice_of(song)
    for part in song.parts:
        moved = np.abs(lattice.onset(*lattice.nearest(part.onset)) - part.onset)
        # No gap is wider than a sixteenth. Half a unit is rounding; a note halfway between places loses one more half.
        assert np.all(moved <= song.ticks_per_quarter / 4 / 254 + 0.5)
        if song.ticks_per_quarter <= 508:
            assert np.all(moved <= 1)


@relaxed
@given(SMALL_SONGS)
def test_velocities_and_pitches_are_kept_and_no_note_is_invented(song: Song) -> None:
    lattice = lattice_of(song)
    for part in song.parts:
        kept = quantise(part, lattice)
        assert set(zip(kept.pitch.tolist(), kept.velocity.tolist(), strict=True)) <= set(
            zip(part.pitch.tolist(), part.velocity.tolist(), strict=True)
        )
        assert set(kept.pitch.tolist()) == set(part.pitch.tolist())
        assert np.all(kept.duration >= 1)


@relaxed
@given(SMALL_SONGS)
def test_a_grid_is_sorted_and_has_each_key_once_a_step(song: Song) -> None:
    lattice = lattice_of(song)
    for part in song.parts:
        for kit in ALL_KITS:
            grid = encode(part, lattice, kit)
            places = list(zip(grid.step.tolist(), grid.key.tolist(), strict=True))
            assert places == sorted(set(places))
            assert len({len(column) for column in grid}) == 1
            assert np.all(grid.length >= 1)


@relaxed
@given(TICKS_PER_QUARTER, st.lists(st.integers(0, 2000), max_size=30))
def test_notes_on_a_place_stay_where_they_are_to_the_rounding_of_a_tick(
    ticks_per_quarter: int, places: list[int]
) -> None:
    lattice = straight(ticks_per_quarter=ticks_per_quarter, bars=8)
    on = np.array([place % len(lattice.ticks) for place in places], dtype=np.int64)
    assert lattice.onset(on, np.zeros_like(on)).tolist() == np.rint(lattice.ticks[on]).astype(int).tolist()


# --- what is lost, by example -----------------------------------------------------------------------------------------


def test_of_two_equal_notes_at_one_step_the_louder_stays_and_of_two_as_loud_the_longer() -> None:
    part = Part.of([Note(0, 100, 60, 50), Note(2, 200, 60, 90), Note(4, 300, 60, 90), Note(0, 100, 61, 10)])
    grid = encode(part, straight())
    assert grid.key.tolist() == [60, 61]
    assert grid.velocity.tolist() == [90, 10]
    assert grid.length.tolist() == [15, 5]


def test_drum_notes_become_voices_without_length_and_those_outside_the_kit_are_left_out() -> None:
    part = Part.of([Note(0, 500, 35, 80), Note(0, 20, 36, 70), Note(0, 20, 42, 60), Note(240, 20, 127, 99)])
    grid = encode(part, straight(), FULL)
    assert [FULL.voices[voice].name for voice in grid.key] == ["kick", "closed hat"]
    played = decode(grid, straight(), FULL)
    assert played.is_drums
    assert list(played) == [Note(0, 60, 36, 80), Note(0, 60, 42, 60)]  # a 32nd each


def test_drum_voices_outside_the_nine_are_left_out_of_the_nine_voice_view() -> None:
    part = Part.of([Note(0, 10, 54, 80), Note(0, 10, 37, 70)])  # tambourine, side stick
    assert list(decode(encode(part, straight(), NINE), straight(), NINE)) == [Note(0, 60, 38, 70)]


def test_lengths_are_kept_in_24ths_of_a_quarter() -> None:
    part = Part.of([Note(0, 479, 60, 80), Note(0, 0, 61, 80), Note(0, 33, 62, 80)])
    assert [note.duration for note in quantise(part, straight())] == [480, 20, 40]


def test_an_early_note_keeps_its_earliness() -> None:
    part = Part.of([Note(1910, 10, 60, 80)])
    assert encode(part, straight()).step.tolist() == [24]
    assert quantise(part, straight()).onset.tolist() == [1910]


def test_no_note_is_decoded_before_the_first_tick() -> None:
    early = Grid(*(np.array([value]) for value in (0, 60, 80, -100, 24)))
    assert decode(early, straight()).onset.tolist() == [0]


@pytest.mark.parametrize("ticks_per_quarter", [1, 7, 96, 480, 509, 1024, 9600, 32767])
def test_a_note_that_was_moved_once_stays_wherever_in_the_bar_it_was(ticks_per_quarter: int) -> None:
    lattice = straight(2, 4, ticks_per_quarter=ticks_per_quarter)
    step, offset = lattice.nearest(np.arange(4 * ticks_per_quarter))
    again = lattice.nearest(lattice.onset(step, offset))
    if ticks_per_quarter > 12:  # below that, rounding to a tick is coarser than the lattice
        assert_array_equal(again[0], step)
    assert_array_equal(lattice.onset(*again), lattice.onset(step, offset))


def test_two_places_that_fall_on_one_tick_play_a_note_once_as_loud_as_the_loudest() -> None:
    lattice = straight(ticks_per_quarter=1, bars=1)
    steps = np.arange(6)
    grid = Grid(steps, np.full(6, 60), np.array([10, 20, 90, 30, 40, 50]), np.zeros(6, np.int64), np.full(6, 24))
    part = decode(grid, lattice)  # at 0, 1/4, 1/3 and 1/2, 2/3, 3/4 of a tick, and half rounds down to an even tick
    assert list(part) == [Note(0, 1, 60, 90), Note(1, 1, 60, 50)]


def test_a_song_without_notes_has_an_empty_grid() -> None:
    lattice = lattice_of(Song(480))
    assert len(lattice.ticks) == 24  # there is always a first bar
    for kit in ALL_KITS:
        assert len(encode(Part.of([]), lattice, kit).step) == 0
        assert len(decode(encode(Part.of([]), lattice, kit), lattice, kit)) == 0


def test_a_lattice_of_a_single_place_holds_notes() -> None:
    lattice = Lattice((Bar(0, 0, 1, 4, 4),), 480)
    part = Part.of([Note(0, 1, 60, 80), Note(1, 1, 64, 80)])
    assert decode(encode(part, lattice), lattice) == quantise(part, lattice)
    assert quantise(part, lattice).onset.tolist() == [0, 1]


def test_places_are_in_order_and_begin_on_the_quarter() -> None:
    assert PLACES.tolist() == sorted(PLACES.tolist())
    assert PLACES[0] == 0


def test_grids_are_joined_one_behind_the_other_and_none_at_all_is_a_grid_without_notes() -> None:
    one, other = (Grid(*(np.array([value]) for value in (step, 60, 80, 0, 24))) for step in (3, 1))
    assert Grid.join([one, other]).step.tolist() == [3, 1]
    assert Grid.join([one.shift(4), other.shift(-1)]).step.tolist() == [7, 0]
    none = Grid.join([])
    assert [column.tolist() for column in none] == [[]] * 5
    assert none.step.dtype == np.int64


@given(st.lists(st.integers(-9, 9) | st.floats(-9, 9), min_size=1), st.floats(0, 1))
def test_distinct_numbers_medians_and_quantiles_are_those_of_numpy(values: list[float], share: float) -> None:
    for kind in (np.int64, np.float64):
        numbers = np.array(values, dtype=np.float64).astype(kind)
        assert np.array_equal(distinct(numbers), np.unique(numbers))
        assert median(numbers) == np.median(numbers)
        assert quantile(numbers, share) == pytest.approx(np.quantile(numbers, share), abs=1e-300)


def test_of_no_numbers_none_are_distinct() -> None:
    assert not len(distinct(np.empty(0, dtype=np.int64)))
