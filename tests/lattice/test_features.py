"""Features of a guitar: arrays of known shape, finite for any song, that change only with what they describe."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import seq2drum
from seq2drum.lattice.columns import Columns
from seq2drum.lattice.features import BAND, BARS, GUITAR, NEIGHBOURS, SUMMARY, Features, GuitarGrid, SongGrid, features
from seq2drum.lattice.form import CLOCK, MAX_STEPS, form_of, lattice_of, written_lattice
from seq2drum.lattice.grid import Lattice, encode
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo, merge_parts
from tests.strategies import songs

# Songs are long to draw, and the machine may be busy: neither is a fault.
relaxed = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

REGISTER = GUITAR.pick("lowest", "highest")
PITCH_CLASSES = GUITAR["pitch_classes"]
WEIGHT, GROUP_START, ON_UNIT, IN_GROUP, IN_BAR = CLOCK.pick("weight", "group_start", "unit_start", "in_group", "in_bar")
E_MINOR, A_MAJOR = (40, 47, 52, 55, 59, 64), (45, 52, 57, 61, 64)


def guitar(*notes: Note, program: int = 25) -> Part:
    return Part.of(notes, program=program)


def song(*parts: Part, metre: tuple[int, int] = (4, 4), bars: int = 4, quarter: int = 480, bpm: float = 120) -> Song:
    length = max(round(bars * 4 * metre[0] * quarter / metre[1]), 1)
    return Song(quarter, parts, (Tempo(0, round(6e7 / bpm)),), (Metre(0, *metre),), length)


def strummed(*chords: tuple[int, ...], bars: int = 4) -> Song:
    """Each bar one of the chords in turn, in eighths."""
    notes = [
        Note(1920 * bar + 240 * eighth, 200, pitch, 90 - eighth)
        for bar in range(bars)
        for eighth in range(8)
        for pitch in chords[bar % len(chords)]
    ]
    return song(guitar(*notes), bars=bars)


def features_of(piece: Song, *parts: int) -> Features:
    return features(SongGrid.of(piece, parts or range(len(piece.parts))).guitar_grid)


def assert_well_formed(known: Features, guitar_grid: GuitarGrid) -> None:
    steps, bars = int(guitar_grid.form.steps.sum()), len(guitar_grid.form.steps)
    assert known.guitar.shape == (steps, GUITAR.size)
    assert known.clock.shape == (steps, CLOCK.size)
    assert known.bars.shape == (bars, BARS.size)
    assert known.summary.shape == (SUMMARY.size,)
    for array in known:
        assert array.dtype == np.float32
        assert np.all(np.isfinite(array))
        assert np.abs(array.astype(np.float16)).max(initial=0) < 1000  # kept as half floats, and fed to a model as is


# --- any song ---------------------------------------------------------------------------------------------------------


@relaxed
@given(songs(max_parts=3, max_notes=30))
def test_features_of_any_song_are_finite_and_of_the_shapes_they_promise(piece: Song) -> None:
    guitar_grid = SongGrid.of(piece, range(len(piece.parts))).guitar_grid
    assert_well_formed(features(guitar_grid), guitar_grid)


@relaxed
@given(songs(max_parts=2, max_notes=30))
def test_the_same_song_gives_the_same_features(piece: Song) -> None:
    for one, other in zip(features_of(piece), features_of(piece), strict=True):
        assert_array_equal(one, other)


@pytest.mark.slow
@relaxed
@given(songs(max_parts=1, max_notes=30))
def test_an_octave_changes_only_the_register(piece: Song) -> None:
    assume(piece.parts)
    notes = [note._replace(pitch=note.pitch % 116) for note in piece.parts[0]]
    low, high = (
        features_of(replace(piece, parts=(guitar(*(note._replace(pitch=note.pitch + up) for note in notes)),)))
        for up in (0, 12)
    )
    assert_array_equal(np.delete(low.guitar, REGISTER, axis=1), np.delete(high.guitar, REGISTER, axis=1))
    assert_array_equal(low.clock, high.clock)
    assert_allclose(low.bars, high.bars, atol=1e-6)


def test_a_transposed_guitar_changes_only_the_pitch_columns() -> None:
    low = features_of(strummed(E_MINOR, E_MINOR, A_MAJOR))
    high = features_of(
        strummed(tuple(p + 3 for p in E_MINOR), tuple(p + 3 for p in E_MINOR), tuple(p + 3 for p in A_MAJOR))
    )
    pitched = GUITAR.pick("lowest", "highest", "pitch_classes")
    assert_array_equal(np.delete(low.guitar, pitched, axis=1), np.delete(high.guitar, pitched, axis=1))
    assert_array_equal(np.roll(low.guitar[:, PITCH_CLASSES], 3, axis=1), high.guitar[:, PITCH_CLASSES])
    assert not np.array_equal(low.guitar[:, PITCH_CLASSES], high.guitar[:, PITCH_CLASSES])
    assert_array_equal(low.clock, high.clock)
    columns_of_pitch = list[int]()
    for columns in (BARS["pitch_classes_of_last"], BARS["pitch_classes_of_next"]):
        assert_array_equal(np.roll(low.bars[:, columns], 3, axis=1), high.bars[:, columns])
        columns_of_pitch += range(BARS.size)[columns]
    assert_allclose(
        np.delete(low.bars, columns_of_pitch, axis=1), np.delete(high.bars, columns_of_pitch, axis=1), atol=1e-6
    )
    changed = np.flatnonzero(~np.isclose(low.summary, high.summary, atol=1e-6)).tolist()
    assert set(SUMMARY.pick("lowest", "highest")) <= set(changed) <= set(SUMMARY.pick("lowest", "highest", "registers"))


# --- silence and odd bars ---------------------------------------------------------------------------------------------


def test_silence_is_all_zero_but_for_the_clock_and_the_bars() -> None:
    silent = song(guitar(), bars=3)
    known = features_of(silent)
    assert_well_formed(known, SongGrid.of(silent, [0]).guitar_grid)
    assert not known.guitar.any()
    assert np.all(known.bars[:, BARS.at("empty")] == 1)
    assert not known.bars[:, NEIGHBOURS].any()
    assert not known.summary[SUMMARY["places"]].any()


def test_a_song_with_nothing_in_it_has_one_silent_bar() -> None:
    known = features_of(Song(480, (guitar(),)))
    assert known.bars.shape == (1, BARS.size)
    assert not known.guitar.any()


def test_a_song_of_one_bar_has_no_bars_to_be_like() -> None:
    one = song(guitar(Note(0, 480, 40, 80)), bars=1)
    known = features_of(one)
    assert_well_formed(known, SongGrid.of(one, [0]).guitar_grid)
    assert not known.bars[:, BARS.span("rhythm_before", "harmony_after")].any()


@pytest.mark.parametrize("metre", [(9, 4), (64, 4), (64, 1), (17, 2)])
def test_bars_longer_than_are_learnt_from_are_heard_all_the_same(metre: tuple[int, int]) -> None:
    last = 480 * 4 * metre[0] // metre[1] - 480
    long = song(guitar(Note(0, 480, 40, 80), Note(last, 480, 45, 100)), metre=metre, bars=2)
    guitar_grid = SongGrid.of(long, [0], written_lattice(long)).guitar_grid
    assert guitar_grid.form.steps.tolist() == [metre[0] * 24 // metre[1]] * 2
    assert guitar_grid.form.steps[0] > 48
    known = features(guitar_grid)
    assert_well_formed(known, guitar_grid)
    assert np.flatnonzero(known.guitar[:, GUITAR.at("played")]).tolist() == [0, guitar_grid.form.steps[0] - 6]


@pytest.mark.parametrize("metre", [(1, 64), (1, 16), (3, 32), (1, 4)])
def test_bars_shorter_than_a_quarter_are_heard(metre: tuple[int, int]) -> None:
    short = song(guitar(*(Note(30 * place, 20, 40 + place, 80) for place in range(40))), metre=metre, bars=40)
    guitar_grid = SongGrid.of(short, [0]).guitar_grid
    assert_well_formed(features(guitar_grid), guitar_grid)


def test_one_tick_a_quarter_is_enough() -> None:
    coarse = song(guitar(*(Note(beat, 1, 40 + beat % 5, 80) for beat in range(16))), quarter=1)
    guitar_grid = SongGrid.of(coarse, [0]).guitar_grid
    assert guitar_grid.form.steps.tolist() == [24] * 4
    assert np.flatnonzero(features(guitar_grid).guitar[:, GUITAR.at("played")]).tolist() == list(range(0, 96, 6))


# --- steps ------------------------------------------------------------------------------------------------------------


def test_the_features_of_a_step_are_count_loudness_pitch_and_length() -> None:
    known = features_of(song(guitar(Note(0, 480, 40, 127), Note(0, 240, 47, 64), Note(960, 120, 64, 32)), bars=1))
    first, third = known.guitar[0], known.guitar[12]
    assert_allclose(first[[0, 1, 3, 4, 5]], [0.6, 1, (40 - 50) / 15, (47 - 60) / 15, 1], atol=1e-6)
    assert_allclose(third[[0, 1, 3, 4, 5]], [0.3, 32 / 127, (64 - 50) / 15, (64 - 60) / 15, 1], atol=1e-6)
    assert_allclose([first[19], third[19]], [(24 + 12) / 2 / 48, 6 / 48])
    assert np.flatnonzero(first[PITCH_CLASSES]).tolist() == [4, 11]
    sounding = np.flatnonzero(known.guitar[:, GUITAR.at("sounding")])
    assert sounding.tolist() == [*range(6), 12]  # a quarter, then a sixteenth


def test_a_new_chord_is_marked_at_the_quarter_it_begins_in() -> None:
    changes = np.flatnonzero(
        features_of(strummed(E_MINOR, E_MINOR, A_MAJOR, A_MAJOR)).guitar[:, GUITAR.at("chord_change")]
    )
    assert changes.tolist() == [0, 48]
    assert np.flatnonzero(features_of(strummed(E_MINOR)).guitar[:, GUITAR.at("chord_change")]).tolist() == [0]


# --- clock ------------------------------------------------------------------------------------------------------------


def test_the_clock_of_four_four_weighs_the_beats() -> None:
    clock = features_of(song(guitar(), bars=1)).clock
    assert_array_equal(clock[:, CLOCK["subdivision"]], np.tile(np.eye(6), (4, 1)))
    assert clock[[0, 6, 12, 18], WEIGHT].tolist() == [1, 0.25, 0.5, 0.25]
    assert clock[1, WEIGHT] == 0.25  # between the beats a quarter of the beat's weight
    assert np.flatnonzero(clock[:, ON_UNIT]).tolist() == [0, 6, 12, 18]
    assert_allclose(clock[[0, 1, 12, 23], IN_BAR], [0, 3 / 48, 24 / 48, 45 / 48])


def test_the_clock_of_seven_eight_starts_its_groups_of_two_two_and_three() -> None:
    clock = features_of(song(guitar(), metre=(7, 8), bars=2)).clock
    assert len(clock) == 42
    assert np.flatnonzero(clock[:21, GROUP_START]).tolist() == [0, 6, 12]
    assert np.flatnonzero(clock[:21, ON_UNIT]).tolist() == [0, 3, 6, 9, 12, 15, 18]
    assert clock[[12, 15, 18], IN_GROUP] == pytest.approx([0, 1 / 3, 2 / 3])
    assert_array_equal(clock[:21], clock[21:])


def test_every_metre_keeps_the_place_in_its_group_below_one() -> None:
    for numerator, denominator in [(6, 8), (12, 8), (5, 4), (9, 8), (3, 4), (13, 16), (76, 32), (2, 2)]:
        clock = features_of(song(guitar(), metre=(numerator, denominator), bars=2)).clock
        assert np.all((clock[:, IN_GROUP] >= 0) & (clock[:, IN_GROUP] < 1)), (numerator, denominator)
        assert clock[0, WEIGHT] == 1


# --- bars and the whole -----------------------------------------------------------------------------------------------


def test_likeness_finds_the_bar_that_comes_again() -> None:
    bars = features_of(strummed(E_MINOR, A_MAJOR, bars=6)).bars
    # The bars 1, 2, 4 and 8 before, and the bar after.
    rhythm, chroma = (bars[:, BARS.span(f"{name}_before", f"{name}_after")] for name in ("rhythm", "harmony"))
    assert_allclose(rhythm[1:, 0], 1, atol=1e-6)
    assert_allclose(chroma[2:, 1], 1, atol=1e-6)
    assert np.all(chroma[1:, 0] < 0.9)
    assert not chroma[0, :4].any()  # nothing is before the first bar
    assert not chroma[-1, 4].any()  # and nothing after the last


def test_an_empty_bar_is_like_an_empty_bar_and_like_no_other() -> None:
    notes = [Note(0, 100, 40, 80), Note(3 * 1920, 100, 40, 80)]
    bars = features_of(song(guitar(*notes), bars=4)).bars
    assert bars[:, BARS["rhythm_before"]][:, 0].tolist() == [0, 0, 1, 0]


def test_bars_count_from_where_the_guitar_begins_and_know_where_it_ends() -> None:
    bars = features_of(song(guitar(Note(2 * 1920, 9, 40, 80), Note(4 * 1920, 9, 40, 80)), bars=7)).bars
    assert np.argmax(bars[:, BARS["place_in_song"]], axis=1).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert np.argmax(bars[:, BARS["place_in_guitar"]], axis=1).tolist() == [6, 7, 0, 1, 2, 3, 4]
    assert bars[:, BARS.at("ended")].tolist() == [0, 0, 0, 0, 0, 1, 1]


def test_a_bar_knows_where_the_guitar_plays_in_the_bars_beside_it() -> None:
    bars = features_of(song(guitar(Note(1920 + 960, 9, 40, 80)), bars=3)).bars[:, NEIGHBOURS]
    assert np.argwhere(bars).tolist() == [[0, 20 + 4], [0, 20 + 8 + 4], [2, 4], [2, 8 + 4]]  # half way, and an E


def test_harmony_is_seen_from_the_root() -> None:
    seventh = features_of(strummed((43, 47, 50, 53))).summary  # G7
    assert np.flatnonzero(seventh[SUMMARY["harmony"]]).tolist() == [0, 4, 7, 10]


def test_the_tempo_of_a_bar_is_that_at_its_barline() -> None:
    slow = replace(song(guitar(), bars=3), tempos=(Tempo(0, 500_000), Tempo(1920, 1_000_000), Tempo(3000, 250_000)))
    guitar_grid = SongGrid.of(slow, [0]).guitar_grid
    assert guitar_grid.form.bpm.tolist() == [120, 60, 240]
    assert features(guitar_grid).bars[:, BARS.at("tempo")].tolist() == [0, -1, 1]


def test_the_form_is_that_of_the_songs_bars() -> None:
    changing = replace(song(guitar(), bars=2), metres=(Metre(0, 3, 4), Metre(1440, 7, 8)), length=1440 + 1680)
    form = form_of(changing, Lattice(changing.bars(), 480))
    assert form.steps.tolist() == [18, 21]
    assert form.first.tolist() == [0, 18, 39]
    assert list(zip(form.numerator.tolist(), form.denominator.tolist(), strict=True)) == [(3, 4), (7, 8)]


def test_the_summary_names_the_programs_by_their_share_of_the_notes() -> None:
    parts = (
        guitar(*(Note(480 * beat, 9, 40, 80) for beat in range(3)), program=24),
        guitar(Note(0, 9, 60, 80), program=31),
        guitar(*(Note(480 * beat, 9, 50, 80) for beat in range(4)), program=105),  # a banjo
    )
    guitar_grid = SongGrid.of(song(*parts), [0, 1, 2]).guitar_grid
    assert len(guitar_grid.programs) == SUMMARY.widths["programs"]
    assert guitar_grid.programs.tolist() == [3, 0, 0, 0, 0, 0, 0, 1, 4]
    assert_allclose(features(guitar_grid).summary[SUMMARY["programs"]], [3 / 8, 0, 0, 0, 0, 0, 0, 1 / 8, 4 / 8])


def test_the_summary_has_the_rhythm_of_the_bars_that_are_played() -> None:
    bars = [Note(1920 * bar + 480 * beat, 9, 40, 80) for bar in range(2) for beat in range(4)]
    rhythm = features_of(song(guitar(*bars, Note(240, 9, 40, 80)), bars=5)).summary[SUMMARY["places"]]
    assert np.flatnonzero(rhythm).tolist() == [0, 3, 6, 12, 18]
    assert rhythm[[0, 3]].tolist() == [1, 0.5]  # of the two bars that are not silent


# --- hearing several parts --------------------------------------------------------------------------------------------


def test_several_guitars_are_heard_as_one_that_plays_all_their_notes() -> None:
    one = guitar(Note(0, 240, 40, 80), Note(480, 240, 45, 70), program=25)
    two = guitar(Note(0, 240, 52, 60), Note(480, 240, 45, 70), program=30)
    together = song(one, two)
    guitar_grid = SongGrid.of(together, [0, 1]).guitar_grid
    assert guitar_grid.parts == 2
    assert guitar_grid.programs.tolist() == [0, 2, 0, 0, 0, 0, 2, 0, 0]
    assert list(zip(guitar_grid.guitar.step.tolist(), guitar_grid.guitar.key.tolist(), strict=True)) == [
        (0, 40),
        (0, 52),
        (6, 45),
    ]
    assert features(guitar_grid).guitar[0, GUITAR.at("onsets")] == pytest.approx(0.6)


@pytest.mark.slow
@relaxed
@given(songs(max_parts=4, max_notes=20), st.data())
def test_parts_that_are_not_listened_to_do_not_matter(piece: Song, data: st.DataObject) -> None:
    assume(piece.parts)
    chosen = data.draw(st.sets(st.integers(0, len(piece.parts) - 1), min_size=1))
    others = [index for index in range(len(piece.parts)) if index not in chosen]
    fewer = replace(
        piece,
        parts=tuple(Part.of([]) if index in others else part for index, part in enumerate(piece.parts)),
        length=piece.end,
    )
    heard, alone = features_of(piece, *chosen), features_of(fewer, *chosen)
    for one, other in zip(heard[:-1], alone[:-1], strict=True):  # but for the band
        assert_array_equal(one, other)


def test_hearing_one_part_is_encoding_it() -> None:
    played = strummed(E_MINOR, A_MAJOR)
    lattice = Lattice(played.bars(), played.ticks_per_quarter)
    for guitar_grid in (SongGrid.of(played, [0]).guitar_grid, SongGrid.of(played, [0], lattice).guitar_grid):
        for column, wanted in zip(guitar_grid.guitar, encode(played.parts[0], lattice), strict=True):
            assert_array_equal(column, wanted)


# --- what is heard of a song, and on which bars: those that are played, or those that the file writes -----------------


def one_metre(metre: tuple[int, int], bars: int = 2) -> Song:
    length = bars * 4 * 480 * metre[0] // metre[1]
    part = Part.of([Note(tick, 240, 40 + tick // 480 % 12, 90) for tick in range(0, length, 480)], program=29)
    return Song(480, (part,), (Tempo(0, 500_000),), (Metre(0, *metre),), length)


def test_a_listening_has_the_lattice_the_form_and_the_guitar_of_the_same_bars() -> None:
    song = one_metre((7, 8), 4)
    song_grid = SongGrid.of(song, [0])
    assert song_grid.lattice == lattice_of(song)
    assert song_grid.form is song_grid.guitar_grid.form
    for column, wanted in zip(song_grid.form, form_of(song, song_grid.lattice), strict=True):
        assert_array_equal(column, wanted)
    for column, wanted in zip(song_grid.guitar_grid.guitar, encode(song.parts[0], song_grid.lattice), strict=True):
        assert_array_equal(column, wanted)
    assert song_grid.guitar_grid.parts == 1
    assert song_grid.guitar_grid.programs.tolist() == [0, 0, 0, 0, 0, len(song.parts[0]), 0, 0, 0]


def test_parts_are_heard_together() -> None:
    song = one_metre((4, 4))
    second = Part.of([Note(120, 60, 70, 90)], program=0)
    both = SongGrid.of(Song(480, (*song.parts, second), song.tempos, song.metres, song.length), [0, 1])
    for column, wanted in zip(
        both.guitar_grid.guitar, encode(merge_parts([*song.parts, second]), both.lattice), strict=True
    ):
        assert_array_equal(column, wanted)
    assert (both.guitar_grid.parts, both.guitar_grid.programs[-1]) == (2, 1)


def test_the_bass_is_heard_beside_the_guitar_and_changes_no_feature_of_it() -> None:
    song = one_metre((4, 4))
    bass, drums = Part.of([Note(490, 60, 35, 90), Note(1920, 60, 36, 80)], program=33), Part.of([], is_drums=True)
    band = Song(480, (*song.parts, bass, drums), song.tempos, song.metres, song.length)
    alone, both = SongGrid.of(song, [0]), SongGrid.of(band, [0])
    assert not len(alone.guitar_grid.bass.step)
    for column, same in zip(both.guitar_grid.bass, encode(bass, both.lattice), strict=True):
        assert_array_equal(column, same)
    known, wanted = features(both.guitar_grid), features(alone.guitar_grid)
    for name in known._fields:
        if name != "band":
            assert_array_equal(getattr(known, name), getattr(wanted, name))
    assert not wanted.band.any()
    assert known.band[:, BAND.at("known")].all()
    assert np.flatnonzero(known.band[:, BAND.at("played")]).tolist() == [6, 24]
    assert known.band[[6, 24], BAND.at("loudness")] == pytest.approx(np.array([90, 80]) / 127)
    assert both.guitar_grid.between(1, 2).bass.key.tolist() == [36]
    assert not len(SongGrid.of(band, [1]).guitar_grid.bass.step)  # what is the guitar is not the bass as well


@pytest.mark.parametrize(
    ("metre", "pieces"),
    [((9, 4), [24, 24, 6]), ((17, 2), [24] * 8 + [12]), ((27, 8), [36, 36, 9]), ((16, 4), [24] * 4)],
)
def test_a_long_bar_is_heard_in_pieces_that_keep_its_number(metre: tuple[int, int], pieces: list[int]) -> None:
    song = one_metre(metre)
    song_grid = SongGrid.of(song, [0])
    assert song_grid.form.steps.tolist() == pieces * 2
    assert song_grid.numbers.tolist() == [1] * len(pieces) + [2] * len(pieces)


@pytest.mark.parametrize("metre", [(9, 4), (17, 2), (27, 8), (16, 4)])
def test_a_long_bar_is_whole_where_bars_are_those_of_the_file(metre: tuple[int, int]) -> None:
    song = one_metre(metre)
    song_grid = SongGrid.of(song, [0], written_lattice(song))
    assert song_grid.numbers.tolist() == [1, 2]
    assert song_grid.form.steps.min() > MAX_STEPS
    # The guitar is the same on both: only the barlines differ.
    for column, wanted in zip(song_grid.guitar_grid.guitar, SongGrid.of(song, [0]).guitar_grid.guitar, strict=True):
        assert_array_equal(column, wanted)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(songs())
def test_without_long_bars_the_bars_played_are_those_of_the_file(song: Song) -> None:
    played, written = lattice_of(song), written_lattice(song)
    assert int(played.counts.max()) <= MAX_STEPS
    if int(written.counts.max()) <= MAX_STEPS:
        assert played.bars == written.bars
    assert_array_equal(np.unique([bar.index for bar in played.bars]), [bar.index for bar in written.bars])
    assert (played.bars[0].start, played.bars[-1].end) == (written.bars[0].start, written.bars[-1].end)


def test_the_bar_and_the_place_of_a_step_are_said_in_one_way() -> None:
    song = Song(480, (), (Tempo(0, 500_000),), (Metre(0, 3, 4), Metre(1440, 7, 8), Metre(3120, 1, 4)), 3600)
    form = form_of(song, lattice_of(song))
    assert form.steps.tolist() == [18, 21, 6]
    bar, place = form.places
    every = np.arange(45)
    assert_array_equal(form.bar_of(every), bar)
    assert_array_equal(form.place_of(every), place)
    assert (bar[[0, 17, 18, 38, 39, 44]].tolist(), place[[0, 17, 18, 38, 39, 44]].tolist()) == (
        [0, 0, 1, 1, 2, 2],
        [0, 17, 0, 20, 0, 5],
    )
    rows = form.by_bar(every + 1)
    assert rows.shape == (3, 21)
    assert_array_equal(rows[bar, place], every + 1)
    assert not rows[0, 18:].any()
    assert not rows[2, 6:].any()
    assert form.by_bar(np.ones((45, 2, 3), dtype=np.float32)).shape == (3, 21, 2, 3)


# --- columns of tables ------------------------------------------------------------------------------------------------


TABLE = Columns(weight=1, places=3, tempo=1)


def test_sizes_and_numbers_of_columns_follow_from_the_widths() -> None:
    assert TABLE.size == 5
    assert TABLE["places"] == slice(1, 4)
    assert TABLE.at("tempo") == 4
    assert TABLE.pick("tempo", "places") == (4, 1, 2, 3)
    assert TABLE.without("places") == (0, 4)
    assert TABLE.span("weight", "places") == slice(0, 4)


def test_a_column_has_a_number_only_where_it_is_one() -> None:
    with pytest.raises(ValueError, match="3 columns"):
        TABLE.at("places")


def test_a_table_is_written_by_name_in_any_order() -> None:
    places = np.array([[1, 0, 0], [0, 0, 1]])
    table = TABLE.table(2, {"tempo": [0.5, -0.5], "places": places, "weight": [True, False]})
    assert table.tolist() == [[1, 1, 0, 0, 0.5], [0, 0, 0, 1, -0.5]]
    assert table.dtype == np.float32
    assert TABLE.row({"places": places[1], "weight": 2, "tempo": 0}).tolist() == [2, 0, 0, 1, 0]


@pytest.mark.parametrize(
    "values",
    [
        {"weight": [0, 0], "places": np.zeros((2, 3))},
        {"weight": [0, 0], "places": np.zeros((2, 3)), "tempo": [0, 0], "colour": [0, 0]},
        {"weight": [0, 0], "places": np.zeros((2, 2)), "tempo": [0, 0]},
        {"weight": [0, 0], "places": np.zeros(2), "tempo": [0, 0]},
        {"weight": 0, "places": np.zeros((2, 3)), "tempo": [0, 0]},
        {"weight": [0, 0, 0], "places": np.zeros((2, 3)), "tempo": [0, 0]},
    ],
    ids=["missing", "unknown", "narrow", "flat", "number", "long"],
)
def test_a_table_with_other_names_or_shapes_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        TABLE.table(2, values)


def test_the_features_have_the_sizes_that_the_shipped_models_were_trained_on() -> None:
    folder = Path(seq2drum.__file__).parent / "checkpoints"
    configs = [json.loads(path.read_text()).get("config", {}) for path in folder.glob("*/config.json")]
    sizes = [
        {name: config[name] for name in ("guitar", "clock", "bars", "summary")}
        for config in configs
        if "guitar" in config
    ]
    assert len(sizes) == 2  # the default, and the one that plays along
    for found in sizes:
        assert found == {"guitar": GUITAR.size, "clock": CLOCK.size, "bars": BARS.size, "summary": SUMMARY.size}
