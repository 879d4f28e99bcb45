"""What is heard of a song, and on which bars: those that are played, or those that the file writes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from numpy.testing import assert_array_equal

from seq2drum.lattice.features import SongGrid, features
from seq2drum.lattice.form import MAX_STEPS, form_of, lattice_of, written_lattice
from seq2drum.lattice.grid import encode
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo, merge_parts
from tests.strategies import songs


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
    for column, wanted in zip(both.guitar_grid.bass, encode(bass, both.lattice), strict=True):
        assert_array_equal(column, wanted)
    for known, wanted in zip(features(both.guitar_grid), features(alone.guitar_grid), strict=True):
        assert_array_equal(known, wanted)
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
