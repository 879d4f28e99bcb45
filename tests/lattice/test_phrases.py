"""Aligned pairs: whole bars, a limit a side, and an account of every bar that is in none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from seq2drum.formats.midi import midi
from seq2drum.lattice.grid import Lattice
from seq2drum.lattice.phrases import MAX_BARS, MAX_NOTES, Cut, bar_of_notes, cut_bars, pairs, spans
from seq2drum.music import theory
from seq2drum.music.notes import Metre, Note, Part, Song, merge_parts
from tests.strategies import parts, songs

# Songs are long to draw, and the machine may be busy: neither is a fault.
relaxed = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

COUNTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40)
LIMITS = st.integers(1, 40)


def sides(counts: list[tuple[int, int]]) -> list[list[int]]:
    return [[pair[side] for pair in counts] for side in (0, 1)]


def four_four(guitar: list[Note], drums: list[Note], bars: int) -> tuple[Song, Part, Part]:
    played = Part.of(guitar), Part.of(drums, is_drums=True)
    return Song(480, played, length=1920 * bars), *played


def lattice_of(song: Song) -> Lattice:
    return Lattice(song.bars(), song.ticks_per_quarter)


def hits(*ticks: int) -> list[Note]:
    return [Note(tick, 10, 36, 80) for tick in ticks]


# --- spans ------------------------------------------------------------------------------------------------------------


@relaxed
@given(COUNTS, LIMITS, st.integers(1, 10))
def test_ranges_follow_one_another_and_cover_all_bars(counts: list[tuple[int, int]], limit: int, bars: int) -> None:
    ranges = spans(sides(counts), max_notes=limit, max_bars=bars)
    assert [bar for first, stop in ranges for bar in range(first, stop)] == list(range(len(counts)))


@relaxed
@given(COUNTS, LIMITS, st.integers(1, 10))
def test_a_range_ends_just_before_the_bar_that_would_break_a_limit(
    counts: list[tuple[int, int]], limit: int, bars: int
) -> None:
    ranges = spans(sides(counts), max_notes=limit, max_bars=bars)

    def fits(first: int, stop: int) -> bool:
        return stop - first <= bars and all(sum(side[first:stop]) <= limit for side in sides(counts))

    for first, stop in ranges:
        assert fits(first, stop) or stop == first + 1
    for first, stop in ranges[:-1]:
        assert not fits(first, stop + 1)


# --- cuts -------------------------------------------------------------------------------------------------------------


@relaxed
@given(COUNTS, LIMITS, st.integers(0, 8))
def test_every_bar_is_in_one_pair_or_counted_under_a_reason(
    counts: list[tuple[int, int]], limit: int, start: int
) -> None:
    start = min(start, len(counts))
    cut = cut_bars(*sides(counts), max_notes=limit, start=start)
    inside = [bar for first, stop in cut.ranges for bar in range(first, stop)]
    assert inside == sorted(set(inside))
    assert len(inside) + cut.left_out.total() == len(counts)
    assert all(bar >= start for bar in inside)
    for first, stop in cut.ranges:
        for side in sides(counts):
            assert 1 <= sum(side[first:stop]) <= limit


@pytest.mark.parametrize(
    ("guitar", "drums", "start", "wanted"),
    [
        ([5, 5], [4, 4], 0, Cut(((0, 2),), Counter())),
        ([5, 11, 5], [4, 4, 4], 0, Cut(((0, 1), (2, 3)), Counter({"bar over the note limit": 1}))),
        ([5, 5, 5], [4, 99, 4], 0, Cut(((0, 1), (2, 3)), Counter({"bar over the note limit": 1}))),
        ([0, 0], [4, 4], 0, Cut((), Counter({"no guitar in the phrase": 2}))),
        ([5, 5], [0, 0], 0, Cut((), Counter({"no drums in the phrase": 2}))),
        ([5, 5], [4, 4], 1, Cut(((1, 2),), Counter({"before the first pair": 1}))),
        ([5, 0], [0, 4], 0, Cut(((0, 2),), Counter())),
        ([], [], 0, Cut((), Counter())),
    ],
)
def test_each_reason_to_leave_bars_out(guitar: list[int], drums: list[int], start: int, wanted: Cut) -> None:
    assert cut_bars(guitar, drums, max_notes=10, start=start) == wanted


def test_a_bar_with_as_many_notes_as_the_limit_is_kept() -> None:
    assert cut_bars([MAX_NOTES], [1]).ranges == ((0, 1),)
    assert cut_bars([MAX_NOTES + 1], [1]).ranges == ()


def test_sparse_music_is_cut_into_phrases_of_eight_bars() -> None:
    assert cut_bars([1] * 20, [1] * 20).ranges == ((0, 8), (8, 16), (16, 20))
    assert MAX_BARS == 8


# --- pairs ------------------------------------------------------------------------------------------------------------


@relaxed
@given(songs(max_parts=4, max_notes=60), st.integers(1, 40))
def test_pairs_of_any_song_keep_to_the_limit_and_lose_no_note_unseen(song: Song, limit: int) -> None:
    assume(len(song.parts) >= 2)
    guitar, drums = song.parts[:2]
    cut_pairs, cut = pairs(song, guitar, drums, max_notes=limit)
    assert len(cut_pairs) == len(cut.ranges)
    assert sum(stop - first for first, stop in cut.ranges) + cut.left_out.total() == len(song.bars())
    for pair, (first, stop) in zip(cut_pairs, cut.ranges, strict=True):
        assert pair.guitar.bars == pair.drums.bars == song.bars()[first:stop]
        for phrase, whole in ((pair.guitar, guitar), (pair.drums, drums)):
            assert 1 <= len(phrase.part) <= limit
            assert (phrase.part.program, phrase.part.name) == (whole.program, whole.name)
    # Each note is in the pair of its bar, or its bar was left out.
    bars = {bar for first, stop in cut.ranges for bar in range(first, stop)}
    for side, whole in (("guitar", guitar), ("drums", drums)):
        place = bar_of_notes(whole, lattice_of(song)).tolist()
        wanted = sorted(note for note, bar in zip(whole, place, strict=True) if bar in bars)
        assert sorted(note for pair in cut_pairs for note in getattr(pair, side).part) == wanted


def test_an_early_downbeat_belongs_to_the_bar_it_opens() -> None:
    song, guitar, drums = four_four([Note(1910, 100, 60, 80)], hits(1912, 2400), bars=3)
    cut_pairs, cut = pairs(song, guitar, drums, max_notes=2)
    assert bar_of_notes(guitar, lattice_of(song)).tolist() == [1]
    assert bar_of_notes(drums, lattice_of(song)).tolist() == [1, 1]
    assert cut.ranges == ((0, 3),)
    assert cut_pairs[0].guitar.part.onset.tolist() == [1910]  # ticks of the song, not of the phrase

    song, guitar, drums = four_four([Note(0, 9, 60, 80), Note(1910, 9, 60, 80)], hits(0, 1910), bars=2)
    cut_pairs, cut = pairs(song, guitar, drums, max_notes=1)
    assert cut.ranges == ((0, 1), (1, 2))
    assert [pair.drums.part.onset.tolist() for pair in cut_pairs] == [[0], [1910]]


def test_a_metre_change_moves_the_cut_with_the_barline() -> None:
    notes = [Note(480 * quarter, 10, 60, 80) for quarter in range(10)]
    song = Song(480, metres=(Metre(0, 3, 4), Metre(1440, 7, 8)), length=1440 + 2 * 1680)
    cut_pairs, cut = pairs(song, Part.of(notes), Part.of(notes, is_drums=True), max_notes=4)
    assert [pair.guitar.bars[0].length for pair in cut_pairs] == [1440, 1680, 1680]
    assert cut.ranges == ((0, 1), (1, 2), (2, 3))


def test_a_song_where_one_side_is_silent_has_no_pairs_and_says_so() -> None:
    song, guitar, drums = four_four([], hits(0, 480), bars=2)
    assert pairs(song, guitar, drums) == ([], Cut((), Counter({"no guitar in the phrase": 2})))


def test_the_first_pair_may_begin_later() -> None:
    song, guitar, drums = four_four([Note(0, 9, 60, 80), Note(4000, 9, 60, 80)], hits(0, 4000), bars=4)
    cut_pairs, cut = pairs(song, guitar, drums, start=1)
    assert cut == Cut(((1, 4),), Counter({"before the first pair": 1}))
    assert cut_pairs[0].drums.part.onset.tolist() == [4000]


def test_pairs_of_real_music_never_have_more_than_150_notes_a_side(sample: list[Path]) -> None:
    most = 0
    for path in sample:
        song = midi.parse(path.read_bytes())
        guitar = merge_parts([song.parts[index] for index in theory.guitar_parts(song).parts])
        drums = merge_parts([song.parts[index] for index in theory.drum_parts(song)])
        cut_pairs, cut = pairs(song, guitar, drums)
        assert sum(stop - first for first, stop in cut.ranges) + cut.left_out.total() == len(song.bars())
        for pair in cut_pairs:
            assert 1 <= len(pair.guitar.part) <= 150
            assert 1 <= len(pair.drums.part) <= 150
            assert [bar.index for bar in pair.guitar.bars] == list(
                range(pair.guitar.bars[0].index, pair.guitar.bars[0].index + len(pair.guitar.bars))
            )
            most = max(most, len(pair.guitar.part), len(pair.drums.part))
    assert most > 100  # the limit is used, not only kept


# --- merge ------------------------------------------------------------------------------------------------------------


@relaxed
@given(st.lists(parts(500, max_notes=15), max_size=4))
def test_merged_parts_hold_every_note_once(several: list[Part]) -> None:
    assert list(merge_parts(several)) == sorted(
        {note for part in several for note in part}, key=lambda note: (note.onset, note.pitch, note.duration, note[3])
    )


def test_a_merged_part_is_named_as_the_first() -> None:
    merged = merge_parts([Part.of(hits(5), program=27, name="lead"), Part.of(hits(1, 5), program=30, name="rhythm")])
    assert (merged.program, merged.name, merged.onset.tolist()) == (27, "lead", [1, 5])
