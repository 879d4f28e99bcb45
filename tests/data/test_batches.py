"""Batches of pairs as arrays, and the grooves of their sections."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from seq2drum.data.batches import batches
from seq2drum.data.batches.batches import (
    AHEAD,
    PAST,
    Batch,
    Data,
    Window,
    blocks,
    collate,
    epoch,
    flatten,
    micro_batches,
    windows,
)
from seq2drum.data.batches.draws import FAR, NEAR, Given, draw, section_grooves
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.lattice.conditions import CONDITIONS
from seq2drum.lattice.features import BAND, BARS, GUITAR, SUMMARY, SongGrid, features
from seq2drum.lattice.form import CLOCK
from seq2drum.lattice.grid import HALF_GAP, OFFSET_UNITS, Grid, Lattice, encode
from seq2drum.lattice.grooves.grooves import likeness, typical
from seq2drum.lattice.grooves.section_features import letters_of
from seq2drum.lattice.sections import sections, sources
from seq2drum.music.kit import FULL, NINE, Kit, to_kit
from seq2drum.music.notes import Metre, Part, Song
from tests.made import made_song
from tests.shapes import Shape, check_shapes

# --- batches: every pair once, the right bars around it, and nothing but zero where there is no music -----------------

GUITAR_SIDE = {"guitar", "far_guitar", "bars", "far_bars", "summary"}


def prepared(name: str, bars: int, metre: tuple[int, int] = (4, 4), *, tag: str = "rock", busy: int = 10) -> Prepared:
    """A song of random notes, on and off the lattice, in all its bars."""
    rng = np.random.default_rng(list(name.encode()))
    length, count = 1920 * metre[0] // metre[1], bars * busy
    pitches = rng.integers(40, 70, count), rng.choice([36, 38, 37, 42, 46, 44, 54, 49, 27], count)
    guitar, drums = (
        np.stack([rng.integers(0, bars * length - 200, count), np.full(count, 200), pitch, rng.integers(1, 128, count)])
        for pitch in pitches
    )
    parts = Part.of(guitar.T, program=27), Part.of(drums.T, is_drums=True)
    song = Song(480, parts, metres=(Metre(0, *metre),), length=bars * length)
    lattice = Lattice(song.bars(), 480)
    hits = encode(parts[1], lattice, FULL)
    return Prepared(f"{tag}/{name}.mid", name, tag, name, "train", SongGrid.of(song, [0], lattice).guitar_grid, hits)


SONGS = [
    prepared("long", 70),
    prepared("waltz", 41, (3, 4), tag="jazz"),
    prepared("seven", 17, (7, 8), tag="jazz"),
    prepared("endless", 9, (9, 4)),  # 54 steps a bar: played, but not learnt from
    prepared("other", 50, tag="jazz", busy=25),
    prepared("short", 3, busy=4),
]
LONG, WALTZ, SEVEN, ENDLESS, OTHER, SHORT = range(len(SONGS))


@pytest.fixture(scope="module")
def data() -> Data:
    return flatten(SONGS)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def assert_equal(one: Batch, other: Batch, *, but: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    for name in Batch._fields:
        if name not in but:
            left, right = getattr(one, name), getattr(other, name)
            assert_array_equal(left, right, err_msg=name)
            assert left.dtype == right.dtype


# --- songs end to end -------------------------------------------------------------------------------------------------


def test_flattened_songs_are_their_features_end_to_end(data: Data) -> None:
    assert len(data) == len(SONGS)
    assert data.songs == tuple(song.path for song in SONGS)
    assert data.tags == tuple(song.tag for song in SONGS)
    assert data.first_bar.tolist() == [0, 70, 111, 128, 137, 187, 190]
    for index, song in enumerate(SONGS):
        known = features(song.guitar_grid)
        bars = slice(data.first_bar[index], data.first_bar[index + 1])
        steps = slice(data.first_step[bars.start], data.first_step[bars.stop])
        assert_array_equal(data.steps[bars], song.guitar_grid.form.steps)
        assert_array_equal(data.guitar[steps], known.guitar.astype(np.float16))
        assert_array_equal(data.clock[steps], known.clock.astype(np.float16))
        assert_array_equal(data.bars[bars], known.bars.astype(np.float16))
        assert_array_equal(data.summary[index], known.summary)
        assert_array_equal(data.metre[bars, 0], song.guitar_grid.form.numerator)
        assert_array_equal(data.metre[bars, 1], song.guitar_grid.form.denominator)


def test_every_hit_is_where_it_was_played(data: Data) -> None:
    hits = 0
    for index, song in enumerate(SONGS):
        start = data.first_step[data.first_bar[index]]
        for step, voice, velocity, offset in zip(*(column.tolist() for column in song.drums[:4]), strict=True):
            assert data.velocity[start + step, voice] == velocity
            assert data.offset[start + step, voice] == np.clip(offset, -HALF_GAP, HALF_GAP)
            hits += 1
    assert np.count_nonzero(data.velocity) == hits
    assert data.drum_notes.sum() == hits
    assert data.guitar_notes.sum() == sum(len(song.guitar_grid.guitar.step) for song in SONGS)


def test_notes_are_counted_in_their_bars(data: Data) -> None:
    for bar in range(len(data.steps)):
        steps = slice(data.first_step[bar], data.first_step[bar + 1])
        assert data.drum_notes[bar] == np.count_nonzero(data.velocity[steps])


def test_in_the_nine_voice_view_merged_voices_keep_the_loudest_and_percussion_is_gone() -> None:
    nine = flatten(SONGS, NINE)
    full = flatten(SONGS)
    assert nine.kit is NINE
    wanted = np.zeros((len(full.velocity), len(NINE)), dtype=np.uint8)
    for voice, merged in enumerate(to_kit(NINE).tolist()):
        if merged >= 0:
            wanted[:, merged] = np.maximum(wanted[:, merged], full.velocity[:, voice])
    assert_array_equal(nine.velocity, wanted)
    assert np.count_nonzero(nine.velocity) < np.count_nonzero(full.velocity)
    assert_array_equal(nine.guitar, full.guitar)


def test_the_full_kit_is_its_own_view() -> None:
    assert to_kit(FULL).tolist() == list(range(len(FULL)))


# --- windows ----------------------------------------------------------------------------------------------------------


def test_windows_are_the_pairs_of_all_songs_within_the_limit(data: Data) -> None:
    pieces = windows(data)
    covered = Counter((pair.song, bar) for pair in pieces for bar in range(pair.first, pair.stop))
    assert set(covered.values()) == {1}
    bars = {(song, bar) for song in range(len(data)) for bar in range(len(SONGS[song].guitar_grid.form.steps))}
    assert {song for song, _ in bars - set(covered)} == {ENDLESS}  # all its bars are too long
    for pair in pieces:
        here = slice(*(data.first_bar[pair.song] + np.array([pair.first, pair.stop])))
        assert 0 < data.drum_notes[here].sum() <= 150
        assert 0 < data.guitar_notes[here].sum() <= 150


def test_a_lower_limit_makes_shorter_windows(data: Data) -> None:
    for pair in windows(data, max_notes=30):
        here = slice(*(data.first_bar[pair.song] + np.array([pair.first, pair.stop])))
        assert max(data.drum_notes[here].sum(), data.guitar_notes[here].sum()) <= 30
    assert len(windows(data, max_notes=30)) > len(windows(data))


def test_a_song_may_start_later_but_not_after_its_end(data: Data) -> None:
    pieces = windows(data, starts=[3, 0, 2, 0, 0, 100])
    assert next(pair for pair in pieces if pair.song == LONG).first == 3
    assert next(pair for pair in pieces if pair.song == SEVEN).first == 2
    assert not any(pair.song == SHORT for pair in pieces)


# --- epochs -----------------------------------------------------------------------------------------------------------


def test_one_seed_gives_one_epoch_and_another_seed_another(data: Data) -> None:
    assert epoch(data, rng(1), size=4) == epoch(data, rng(1), size=4)
    assert epoch(data, rng(1), size=4) != epoch(data, rng(2), size=4)


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_an_epoch_has_every_pair_once(data: Data, size: int) -> None:
    groups = epoch(data, rng(5), size=size)
    assert all(1 <= len(batch) <= size for batch in groups)
    starts = rng(5).integers(0, 8, size=len(data)).tolist()
    assert sorted(pair for batch in groups for pair in batch) == sorted(windows(data, starts=starts))


def test_epochs_see_other_cuts_of_a_song(data: Data) -> None:
    cuts = {tuple(sorted(p for b in epoch(data, rng(seed), size=8) for p in b if p.song == LONG)) for seed in range(9)}
    assert len(cuts) > 2


def test_weights_say_how_often_a_tag_is_seen(data: Data) -> None:
    plain = Counter(pair for batch in epoch(data, rng(3), size=4) for pair in batch)
    weighted = Counter(
        pair for batch in epoch(data, rng(3), size=4, weights={"jazz": 3.0, "rock": 0.0}) for pair in batch
    )
    assert weighted == {pair: 3 for pair in plain if data.tags[pair.song] == "jazz"}


def test_a_fraction_of_a_weight_is_drawn_and_a_tag_without_weight_counts_once(data: Data) -> None:
    seen: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for seed in range(40):
        for batch in epoch(data, rng(seed), size=4):
            times.update(data.tags[pair.song] for pair in batch)
        for batch in epoch(data, rng(seed), size=4, weights={"jazz": 1.5}):
            seen.update(data.tags[pair.song] for pair in batch)
    assert seen["rock"] == times["rock"]
    assert seen["jazz"] / times["jazz"] == pytest.approx(1.5, abs=0.06)


def test_without_a_generator_pairs_come_in_the_order_of_their_lengths(data: Data) -> None:
    groups = list(batches.bucketed(data, windows(data), None, size=4))
    lengths = [
        (data.steps[data.first_bar[pair.song] + pair.first], pair.stop - pair.first)
        for batch in groups
        for pair in batch
    ]
    assert lengths == sorted(lengths)
    assert sorted(pair for batch in groups for pair in batch) == sorted(windows(data))
    assert [len(batch) for batch in groups[:-1]] == [4] * (len(groups) - 1)


def test_pairs_of_a_batch_are_alike_so_that_little_is_padding(data: Data) -> None:
    def padding(groups: list[list[Window]]) -> float:
        music = cells = 0
        for batch in groups:
            steps = [data.steps[data.first_bar[p.song] + p.first : data.first_bar[p.song] + p.stop] for p in batch]
            music += sum(int(one.sum()) for one in steps)
            cells += len(batch) * max(len(one) for one in steps) * max(int(one.max()) for one in steps)
        return 1 - music / cells

    pairs = windows(data, max_notes=60)
    shuffled = [pairs[index] for index in rng(0).permutation(len(pairs))]
    unsorted = [shuffled[at : at + 4] for at in range(0, len(shuffled), 4)]
    assert padding(list(batches.bucketed(data, pairs, rng(0), size=4))) < padding(unsorted) / 2


def test_micro_batches_share_a_batch_out_in_order_and_hold_no_more_steps_than_allowed(data: Data) -> None:
    pairs = sorted(windows(data), key=lambda pair: pair.stop - pair.first)
    for most in (1, 500, 2000, 10**6):
        parts = [pairs[part] for part in micro_batches(data, pairs, most)]
        assert [pair for part in parts for pair in part] == pairs
        assert len({len(part) for part in parts[:-1]}) <= 1
        held = [collate(data, part, draw(rng(), len(part))).offset.shape[:3] for part in parts if len(part) > 1]
        assert all(np.prod(shape) <= most for shape in held)
    assert len(parts) == 1
    for most in (500, 10**6):
        alike = micro_batches(data, pairs[:12], most, 2)
        assert len(alike) % 2 == 0 and [pair for part in alike for pair in pairs[:12][part]] == pairs[:12]
    assert len(micro_batches(data, pairs[:1], 10**6, 2)) == 1


# --- collate ----------------------------------------------------------------------------------------------------------


def some_pairs() -> list[Window]:
    return [
        Window(LONG, 0, 8),
        Window(LONG, 60, 66),
        Window(WALTZ, 33, 41),
        Window(SEVEN, 3, 5),
        Window(OTHER, 30, 36),
        Window(SHORT, 0, 3),
        Window(LONG, 28, 36),
    ]


def test_a_batch_has_the_shapes_it_promises(data: Data) -> None:
    pairs = some_pairs()
    batch = collate(data, pairs, draw(rng(), len(pairs)))
    n, longest, context, size, voices = len(pairs), 8, PAST + 8 + AHEAD, 24, len(FULL)
    shapes = {
        "guitar": (n, context, size, GUITAR.size),
        "drums": (n, PAST + longest, size, voices),
        "velocity": (n, PAST + longest, size, voices),
        "offset": (n, longest, size, voices),
        "clock": (n, longest, size, CLOCK.size),
        "bars": (n, context, BARS.size),
        "summary": (n, SUMMARY.size),
        "exists": (n, context),
        "steps": (n, context),
        "number": (n, context),
        "far_guitar": (n, FAR, size, GUITAR.size),
        "far_drums": (n, FAR, size, voices),
        "far_velocity": (n, FAR, size, voices),
        "far_bars": (n, FAR, BARS.size),
        "far_exists": (n, FAR),
        "far_steps": (n, FAR),
        "far_number": (n, FAR),
        "conditions": (n, context, CONDITIONS.size),
        "band": (n, longest, size, BAND.size),
        "fill": (n, longest),
        "groove": (n, longest, size, voices),
        "grooved": (n, longest),
        "in_pair": (n, longest),
        "drawn": (n,),
        "keep": (n, 3),
        "shown": (n, voices),
        "hidden": (n,),
        "expected_guitar": (n, 0, size, GUITAR.size),
        "expected_bars": (n, 0, BARS.size),
    }
    assert {name: array.shape for name, array in batch._asdict().items()} == shapes
    kinds = {"exists": bool, "far_exists": bool, "in_pair": bool} | dict.fromkeys(
        ["steps", "number", "far_steps", "far_number"], np.int64
    )
    assert {name: array.dtype for name, array in batch._asdict().items()} == {
        name: kinds.get(name, np.float32) for name in shapes
    }


def test_every_bar_of_a_batch_is_the_bar_it_says_and_padding_is_zero(data: Data) -> None:
    pairs = some_pairs()
    batch = collate(data, pairs, draw(rng(4), len(pairs)))
    size = batch.guitar.shape[2]

    def of(flat: np.ndarray, bar: int, scale: float = 1) -> np.ndarray:
        """One bar, sliced directly, with zeros to the length of the batch's bars."""
        rows = flat[data.first_step[bar] : data.first_step[bar + 1]][:size].astype(np.float32) / np.float32(scale)
        return np.concatenate([rows, np.zeros((size - len(rows), rows.shape[1]), np.float32)])

    for n, pair in enumerate(pairs):
        begin, count = int(data.first_bar[pair.song]), len(SONGS[pair.song].guitar_grid.form.steps)
        assert_array_equal(batch.summary[n], data.summary[pair.song])
        for column in range(batch.guitar.shape[1]):
            number = pair.first - PAST + column
            assert batch.exists[n, column] == (0 <= number < count)
            inside = column - PAST  # its place in the pair
            in_pair = 0 <= inside < pair.stop - pair.first
            if 0 <= inside < batch.in_pair.shape[1]:
                assert batch.in_pair[n, inside] == in_pair
                if in_pair:
                    assert_array_equal(batch.clock[n, inside], of(data.clock, begin + number))
                    assert_array_equal(batch.offset[n, inside], of(data.offset, begin + number, OFFSET_UNITS))
                else:
                    assert not batch.clock[n, inside].any()
                    assert not batch.offset[n, inside].any()
            if not batch.exists[n, column]:
                assert not batch.guitar[n, column].any()
                assert not batch.bars[n, column].any()
                assert column >= batch.drums.shape[1] or not batch.drums[n, column].any()
                continue
            assert batch.number[n, column] == number
            assert batch.steps[n, column] == data.steps[begin + number]
            assert_array_equal(batch.guitar[n, column], of(data.guitar, begin + number))
            assert_array_equal(batch.bars[n, column], data.bars[begin + number].astype(np.float32))
            if column < batch.drums.shape[1]:
                assert_array_equal(batch.velocity[n, column], of(data.velocity, begin + number, 127))
                assert_array_equal(batch.drums[n, column], of(data.velocity, begin + number) > 0)
        for column in range(FAR):
            number = int(batch.far_number[n, column])
            if not batch.far_exists[n, column]:
                assert not batch.far_guitar[n, column].any()
                assert not batch.far_bars[n, column].any()
                assert not batch.far_drums[n, column].any()
                continue
            assert batch.far_steps[n, column] == data.steps[begin + number]
            assert_array_equal(batch.far_guitar[n, column], of(data.guitar, begin + number))
            assert_array_equal(batch.far_velocity[n, column], of(data.velocity, begin + number, 127))
            assert_array_equal(batch.far_drums[n, column], of(data.velocity, begin + number) > 0)
            assert_array_equal(batch.far_bars[n, column], data.bars[begin + number].astype(np.float32))


@pytest.mark.parametrize("first", [0, 24, 25, 28, 32, 33, 40, 62])
def test_far_bars_are_different_ones_from_before_the_context_in_order(data: Data, first: int) -> None:
    pair = Window(LONG, first, first + 8)
    for seed in range(20):
        batch = collate(data, [pair], draw(rng(seed), 1))
        numbers = batch.far_number[0][batch.far_exists[0]].tolist()
        before = max(first - PAST, 0)
        assert numbers == sorted(set(numbers))
        assert all(0 <= number < before for number in numbers)
        if before <= FAR:
            assert numbers == list(range(before))
        else:
            assert numbers


def test_far_bars_are_drawn_from_all_that_came_before(data: Data) -> None:
    seen: set[int] = set()
    for seed in range(60):
        batch = collate(data, [Window(LONG, 60, 68)], draw(rng(seed), 1))
        seen.update(batch.far_number[0][batch.far_exists[0]].tolist())
    assert seen == set(range(36))


def test_a_batch_is_as_wide_as_the_longest_bar_of_its_pairs(data: Data) -> None:
    assert collate(data, [Window(WALTZ, 0, 4)], draw(rng(), 1)).guitar.shape[2] == 18
    assert collate(data, [Window(WALTZ, 0, 4), Window(SEVEN, 0, 4)], draw(rng(), 2)).guitar.shape[2] == 21


def test_a_pair_is_the_same_in_any_batch(data: Data) -> None:
    pairs = some_pairs()
    draws = draw(rng(7), len(pairs))
    whole = collate(data, pairs, draws)
    for n, pair in enumerate(pairs):
        alone = collate(data, [pair], draws.part(n, len(pairs)))
        bars, size = alone.in_pair.shape[1], alone.guitar.shape[2]
        assert_array_equal(alone.clock[0], whole.clock[n, :bars, :size])
        assert_array_equal(alone.drums[0, : PAST + bars], whole.drums[n, : PAST + bars, :size])
        assert_array_equal(alone.far_guitar[0], whole.far_guitar[n, :, :size])
        assert_array_equal(alone.keep[0], whole.keep[n])


def test_transposing_turns_the_pitch_classes_and_nothing_else(data: Data) -> None:
    pairs = some_pairs()
    draws = draw(rng(), len(pairs))._replace(key=np.array([0, 1, 2, 5, 7, 11, 6]))
    plain, moved = collate(data, pairs, draws), collate(data, pairs, draws, transpose=True)
    assert_equal(plain, moved, but={"guitar", "far_guitar", "bars", "far_bars"})
    for one, other in ((plain.bars, moved.bars), (plain.far_bars, moved.far_bars)):
        names = ("pitch_classes_of_last", "pitch_classes_of_next")
        columns = BARS.pick(*names)
        assert_array_equal(np.delete(one, columns, axis=-1), np.delete(other, columns, axis=-1))
        for n, key in enumerate(draws.key.tolist()):
            for part in map(BARS.__getitem__, names):
                assert_array_equal(np.roll(one[n][..., part], -key, axis=-1), other[n][..., part])
    for one, other in ((plain.guitar, moved.guitar), (plain.far_guitar, moved.far_guitar)):
        columns, part = GUITAR.pick("pitch_classes"), GUITAR["pitch_classes"]
        assert_array_equal(np.delete(one, columns, axis=-1), np.delete(other, columns, axis=-1))
        for n, key in enumerate(draws.key.tolist()):
            assert_array_equal(np.roll(one[n][..., part], -key, axis=-1), other[n][..., part])
    assert not np.array_equal(plain.guitar[1], moved.guitar[1])


def test_listening_to_another_song_swaps_the_guitar_and_nothing_else(data: Data) -> None:
    own = [Window(LONG, 30, 36), Window(OTHER, 0, 6)]
    others = [Window(OTHER, 12, 18), Window(LONG, 50, 56)]
    draws = draw(rng(), 2)
    plain, swapped = collate(data, own, draws), collate(data, own, draws, listen_to=others)
    assert_equal(plain, swapped, but=GUITAR_SIDE)
    right = collate(data, others, draws)
    for name in ("guitar", "bars", "summary"):
        assert_array_equal(getattr(swapped, name), getattr(right, name))
        assert not np.array_equal(getattr(swapped, name), getattr(plain, name))
    assert_equal(collate(data, own, draws, listen_to=own), plain)


def test_another_songs_far_bars_lie_as_far_back_as_ones_own(data: Data) -> None:
    own, other = Window(LONG, 60, 66), Window(OTHER, 40, 46)
    batch = collate(data, [own], draw(rng(3), 1), listen_to=[other])
    assert batch.far_exists.any()
    for column in np.flatnonzero(batch.far_exists[0]).tolist():
        number = max(other.first - (own.first - int(batch.far_number[0, column])), 0)
        bar = data.first_bar[OTHER] + number
        wanted = data.guitar[data.first_step[bar] : data.first_step[bar + 1]].astype(np.float32)
        assert_array_equal(batch.far_guitar[0, column], wanted)


@pytest.mark.slow
def test_history_is_hidden_for_the_share_that_is_asked_for(data: Data) -> None:
    pairs = [Window(LONG, 0, 8)] * 1000
    draws = draw(rng(), len(pairs))
    assert np.all(collate(data, pairs, draws).keep == 1)
    everything, recent, last = collate(data, pairs, draws, blanked=0.3).keep.T
    assert 1 - everything.mean() == pytest.approx(0.3, abs=0.04)
    assert not recent[everything == 0].any()  # without history there is no recent history
    assert 1 - recent[everything == 1].mean() == pytest.approx(0.3, abs=0.04)
    assert last[everything == 1].all()  # the step before is hidden only together with all history
    assert last[everything == 0].mean() == pytest.approx(0.5, abs=0.08)
    assert not collate(data, pairs, draws, blanked=1.0).keep[:, :2].any()


# --- draws ------------------------------------------------------------------------------------------------------------


def test_draws_come_from_their_generator_alone() -> None:
    for one, other in zip(draw(rng(1), 5), draw(rng(1), 5), strict=True):
        assert_array_equal(one, other)
    drawn = draw(rng(1), 1000)
    assert (drawn.hidden.shape, drawn.spread.shape, drawn.key.shape) == ((1000, 3), (1000, FAR), (1000,))
    assert set(drawn.key.tolist()) == set(range(12))


def test_processes_that_share_out_the_draws_have_the_batch_of_one(data: Data) -> None:
    pairs = [Window(LONG, 8 * n, 8 * n + 8) for n in range(8)]
    draws = draw(rng(2), len(pairs))
    whole = collate(data, pairs, draws, blanked=0.3, transpose=True)
    for rank in range(3):
        part = collate(data, pairs[rank::3], draws.part(rank, 3), blanked=0.3, transpose=True)
        assert_equal(part, Batch._make(array[rank::3] for array in whole))


# --- windows for measuring --------------------------------------------------------------------------------------------


def test_blocks_are_whole_bars_one_after_another_where_both_play(data: Data) -> None:
    pieces = blocks(data)
    assert [block for block in pieces if block.song == LONG] == [Window(LONG, 8 * n, 8 * n + 8) for n in range(8)]
    assert {block.song for block in pieces} == {
        LONG,
        WALTZ,
        SEVEN,
        OTHER,
    }  # neither the overlong bars nor the song of three bars
    assert {block.stop - block.first for block in blocks(data, bars=5)} == {5}


def test_blocks_of_one_metre_leave_out_songs_of_others(data: Data) -> None:
    assert {block.song for block in blocks(data, metre=(4, 4))} == {LONG, OTHER}
    assert {block.song for block in blocks(data, metre=(7, 8))} == {SEVEN}


def test_blocks_that_are_nearly_silent_are_not_measured() -> None:
    song = prepared("gaps", 24)
    first, second = song.guitar_grid.form.first[[8, 16]]

    def without(grid: Grid, begin: int, end: int, keep: int) -> Grid:
        inside = np.flatnonzero((grid.step >= begin) & (grid.step < end))
        return grid.select(~np.isin(np.arange(len(grid.step)), inside[keep:]))

    few = 11
    quiet = replace(song, drums=without(song.drums, first, second, few))
    assert [block.first for block in blocks(flatten([song]))] == [0, 8, 16]
    assert [block.first for block in blocks(flatten([quiet]))] == [0, 16]
    assert [block.first for block in blocks(flatten([quiet]), min_hits=few)] == [0, 8, 16]


def test_blocks_never_mix_bars_of_different_lengths() -> None:
    changing = prepared("changing", 16)
    data = flatten([changing])
    odd = data.first_step.copy()
    odd[5:] -= 1  # the fifth bar one step shorter: as a cut bar is
    shorter = replace(data, first_step=odd)
    assert [block.first for block in blocks(shorter)] == [8]


def test_a_swapped_window_is_another_songs_of_the_same_size(data: Data) -> None:
    pairs = blocks(data)
    for pair, other in zip(pairs, batches.swapped(data, pairs, rng(1)), strict=True):
        assert other.stop - other.first == pair.stop - pair.first
        if pair.song in (LONG, OTHER):
            assert {pair.song, other.song} == {LONG, OTHER}
        else:
            assert other == pair  # no other song is in this metre
    assert batches.swapped(data, pairs, rng(1)) == batches.swapped(data, pairs, rng(1))


def test_conditions_are_given_only_in_training(data: Data) -> None:
    pairs = some_pairs()
    assert not collate(data, pairs, draw(rng(), len(pairs))).conditions.any()
    asked = np.array([[0.9, *5 * [0.9]], [0.1, *5 * [0.9]], [0.9, 0.9, 0.1, 0.1, 0.1, 0.1]])
    draws = draw(rng(), 3)._replace(asked=asked)
    asked = collate(data, pairs[:3], draws, ask=True).conditions
    for name in ("intensity", "complexity", "fill", "change"):
        assert asked[0][..., CONDITIONS[name].start + 1].any()  # it is known
    assert not asked[1].any()  # this pair is given none
    assert asked[2][:, CONDITIONS["style"]].any() and not asked[2][:, CONDITIONS.without("style")].any()


def test_the_band_is_heard_unless_it_or_the_future_is_hidden(data: Data) -> None:
    songs = SONGS[LONG], SONGS[OTHER]
    heard = [replace(song.guitar_grid, bass=song.guitar_grid.guitar) for song in songs]
    basses = [replace(song, guitar_grid=grid) for song, grid in zip(songs, heard, strict=True)]
    own = flatten(basses, foreseen=False)
    pairs = [Window(0, 2, 6), Window(1, 2, 6), Window(1, 4, 8)]
    draws = draw(rng(), 3)._replace(band=np.array([0.2, 0.7, 0.9]), future=np.array([1.0, 1.0, 0.1]))
    assert not collate(own, pairs, draws).band.any()
    band = collate(own, pairs, draws, band_hidden=0.5, future_hidden=0.5).band
    assert not band[0].any() and not band[2].any()  # hidden by itself, and with the future
    assert band[1][..., BAND.at("known")].all()
    at = slice(own.first_step[own.first_bar[1] + 2], own.first_step[own.first_bar[1] + 6])
    assert_array_equal(band[1].reshape(-1, BAND.size), own.band[at].astype(np.float32))
    assert band[1][..., BAND.at("played")].any()


def test_in_some_pairs_a_third_of_the_voices_is_hidden_in_the_bars_before(data: Data) -> None:
    pairs = some_pairs()
    draws = draw(rng(), len(pairs))
    draws.voices[:, 0] = np.arange(len(pairs)) / len(pairs)
    assert np.all(collate(data, pairs, draws).shown == 1)  # never when measuring
    shown = collate(data, pairs, draws, blanked=0.3).shown
    assert 0.4 < shown[0].mean() < 0.95 and np.all(shown[len(pairs) // 2 :] == 1)


# --- with the future hidden -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unforeseen() -> Data:
    return flatten(SONGS, foreseen=False)


def test_where_nothing_is_hidden_batches_are_the_same_whether_it_could_be(data: Data, unforeseen: Data) -> None:
    pairs = some_pairs()
    assert_equal(collate(data, pairs, draw(rng(), 7)), collate(unforeseen, pairs, draw(rng(), 7)))


def test_pairs_whose_future_is_hidden_are_known_by_what_is_expected(unforeseen: Data) -> None:
    pairs, draws = some_pairs(), draw(rng(3), 7)
    batch = collate(unforeseen, pairs, draws, future_hidden=0.5)
    assert_array_equal(batch.hidden, draws.future < 0.5)
    assert 0 < batch.hidden.sum() < len(pairs)
    plain, stop = collate(unforeseen, pairs, draws), batch.expected_bars.shape[1]
    for n, pair in enumerate(pairs):
        if not batch.hidden[n]:
            assert_array_equal(batch.expected_guitar[n], plain.guitar[n, :stop])
            assert_array_equal(batch.expected_bars[n], plain.bars[n, :stop])
            assert_array_equal(batch.summary[n], plain.summary[n])
            continue
        like = sources(SONGS[pair.song].guitar_grid)
        for column in range(stop):
            number = pair.first - PAST + column
            source = int(like[number]) - pair.first + PAST if 0 < number < len(like) else -1
            if 0 <= source < stop and batch.exists[n, column]:
                assert_array_equal(batch.expected_guitar[n, column], plain.guitar[n, source])


def test_nothing_after_a_bar_tells_of_it_where_the_future_is_hidden() -> None:
    song, bar = SONGS[LONG], 33
    begin = int(song.guitar_grid.form.first[bar])
    until = song.guitar_grid.guitar.step < begin
    other = replace(song, guitar_grid=replace(song.guitar_grid, guitar=song.guitar_grid.guitar.select(until)))
    known = [
        collate(flatten([one], foreseen=False), [Window(0, 28, bar + 1)], draw(rng(), 1), future_hidden=1.0)
        for one in (song, other)
    ]
    seen = slice(0, PAST + bar - 28)
    for name in ("expected_guitar", "expected_bars", "summary"):
        assert_array_equal(getattr(known[0], name), getattr(known[1], name), err_msg=name)
    for name in ("guitar", "bars"):
        assert_array_equal(getattr(known[0], name)[:, seen], getattr(known[1], name)[:, seen], err_msg=name)


# --- the grooves of sections, as models are given them ----------------------------------------------------------------

SONGS_OF_GROOVES = [made_song(seed) for seed in range(6)]


@pytest.fixture(scope="module")
def grooves_data() -> Data:
    return batches.flatten(SONGS_OF_GROOVES)


def rows(grooves_data: Data, given: Given, draws: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Of the first four bars of as many songs as there are draws, which say what is hidden or replaced."""
    bars = grooves_data.first_bar[: len(draws), None] + np.arange(4)
    table = np.stack([draws, np.full(len(draws), 0.3)], axis=1)
    return grooves_data.grooves.rows(bars, grooves_data.steps[bars], table, int(grooves_data.steps[bars].max()), given)


def test_the_groove_of_a_bar_is_the_typical_one_of_its_section(grooves_data: Data) -> None:
    velocity, grooved = rows(grooves_data, Given(hidden=0), [0.5])
    song = SONGS_OF_GROOVES[0]
    form = song.guitar_grid.form
    letters = letters_of(sections(song.guitar_grid), len(form.steps))
    struck = np.unique(form.bar_of(song.drums.step))
    groove = typical(song.drums, form, struck[letters[struck] == letters[0]])
    assert grooved.tolist() == [[1, 1, 1, 1]]
    for bar in range(4):
        hits = groove.bar(bar)
        step, voice = np.nonzero(velocity[0, bar])
        assert set(zip(step.tolist(), voice.tolist(), strict=True)) == set(
            zip(hits.step.tolist(), hits.key.tolist(), strict=True)
        )
        assert np.rint(velocity[0, bar, hits.step, hits.key] * 127).tolist() == hits.velocity.tolist()


def test_hidden_grooves_are_silence(grooves_data: Data) -> None:
    velocity, grooved = rows(grooves_data, Given(hidden=0.5), [0.2, 0.7])
    assert not velocity[0].any() and not grooved[0].any()
    assert velocity[1].any() and grooved[1].all()


def test_near_grooves_are_near(grooves_data: Data) -> None:
    grooves = grooves_data.grooves
    for number, near in enumerate(grooves.near):
        for other in near[near >= 0].tolist():
            hits = (grooves.velocity[[number, other]] > 0).reshape(2, -1).astype(np.float32)
            assert NEAR[0] <= float(likeness(hits)[0, 1]) <= NEAR[1]
            assert grooves.steps[number] == grooves.steps[other]
    assert (grooves.near >= 0).any()
    own, _ = rows(grooves_data, Given(hidden=0), [0.9] * 6)
    near, _ = rows(grooves_data, Given(hidden=0, near=1), [0.9] * 6)
    assert (own > 0).tolist() != (near > 0).tolist()


def test_no_bar_has_a_hit_beyond_its_end(grooves_data: Data) -> None:
    velocity, _ = grooves_data.grooves.rows(
        np.array([[0]]), np.array([[12]]), np.full((1, 2), 0.5), 24, Given(hidden=0)
    )
    assert velocity[0, 0, :12].any() and not velocity[0, 0, 12:].any()


def test_in_a_smaller_kit_voices_of_one_piece_are_one() -> None:
    full, nine = section_grooves(SONGS_OF_GROOVES, FULL), section_grooves(SONGS_OF_GROOVES, NINE)
    assert full.of_bar.tolist() == nine.of_bar.tolist()
    assert nine.velocity.shape[2] == len(NINE)
    kick = FULL.names.index("kick"), NINE.names.index("kick")
    assert np.array_equal(full.velocity[..., kick[0]], nine.velocity[..., kick[1]])


def test_bars_in_which_no_groove_is_known_are_given_none() -> None:
    silent = replace(SONGS_OF_GROOVES[0], drums=SONGS_OF_GROOVES[0].drums.select(np.zeros(0, dtype=np.int64)))
    grooves = section_grooves([silent], FULL)
    assert set(grooves.of_bar.tolist()) == {-1} and not len(grooves.velocity)
    assert grooves.near.shape[0] == 0
    velocity, grooved = grooves.rows(
        np.array([[0, 1]]), np.array([[24, 24]]), np.full((1, 2), 0.5), 24, Given(0.0, 1.0)
    )
    assert not velocity.any() and not grooved.any()


# --- shapes -----------------------------------------------------------------------------------------------------------

BATCH_SHAPES: dict[str, Shape] = {
    "guitar": ("n", "C", "S", GUITAR.size),
    "drums": ("n", "P", "S", "V"),
    "velocity": ("n", "P", "S", "V"),
    "offset": ("n", "N", "S", "V"),
    "clock": ("n", "N", "S", CLOCK.size),
    "band": ("n", "N", "S", BAND.size),
    "bars": ("n", "C", BARS.size),
    "summary": ("n", SUMMARY.size),
    "exists": ("n", "C"),
    "steps": ("n", "C"),
    "number": ("n", "C"),
    "far_guitar": ("n", "F", "S", GUITAR.size),
    "far_drums": ("n", "F", "S", "V"),
    "far_velocity": ("n", "F", "S", "V"),
    "far_bars": ("n", "F", BARS.size),
    "far_exists": ("n", "F"),
    "far_steps": ("n", "F"),
    "far_number": ("n", "F"),
    "conditions": ("n", "C", CONDITIONS.size),
    "fill": ("n", "N"),
    "groove": ("n", "N", "S", "V"),
    "grooved": ("n", "N"),
    "in_pair": ("n", "N"),
    "drawn": ("n",),
    "keep": ("n", 3),
    "shown": ("n", "V"),
    "hidden": ("n",),
    "expected_guitar": ("n", "E", "S", GUITAR.size),
    "expected_bars": ("n", "E", BARS.size),
}


@pytest.mark.parametrize("hidden", [0.0, 1.0])
@pytest.mark.parametrize("kit", [FULL, NINE])
def test_every_array_of_a_batch_has_its_shape(kit: Kit, hidden: float) -> None:
    pairs = [Window(0, 20, 26), Window(1, 2, 9), Window(2, 0, 5)]
    arrays = collate(flatten(SONGS[:3], kit, foreseen=False), pairs, draw(rng(), 3), ask=True, future_hidden=hidden)
    sizes = check_shapes(arrays._asdict(), BATCH_SHAPES, n=3, N=7, S=24, V=len(kit), F=FAR)
    assert sizes["P"] == PAST + 7 and sizes["C"] == PAST + 7 + AHEAD
    assert sizes["E"] == (PAST + 7 if hidden else 0)
