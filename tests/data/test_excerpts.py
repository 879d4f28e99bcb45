"""Songs of a corpus cut, combined, and moved to other metres."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from seq2drum.data.batches.batches import flatten
from seq2drum.data.corpus.cache import load
from seq2drum.data.corpus.excerpts import TICKS, duet_of, lay_over, others_guitar, shortened
from seq2drum.data.corpus.metre_augmentation import augmented, change_metre, swings
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.lattice.features import GuitarGrid, features
from seq2drum.lattice.form import Form, form_of
from seq2drum.lattice.grid import HALF_GAP, HIT_LENGTH, Grid, Lattice, encode
from seq2drum.music.kit import FULL
from tests.backbeats import changing, song_of
from tests.made import made_song

# --- songs of a corpus as notes again: the same bars, the same places -------------------------------------------------

CACHE = Path(__file__).parents[3] / "cache.s2d"


def back(song: Prepared) -> tuple[Lattice, Grid, Grid]:
    """The notes of a song put on the lattice once more."""
    duet = duet_of(song.guitar_grid, song.drums)
    lattice = Lattice(duet.song.bars(), TICKS)
    (guitar,) = duet.guitars
    return lattice, encode(guitar, lattice), encode(duet.drums, lattice, FULL)


@pytest.mark.parametrize("cut", [(0, 14), (3, 9), (5, 6), (9, 14)])
def test_notes_of_an_excerpt_lie_where_they_lay_on_the_lattice(cut: tuple[int, int]) -> None:
    song = made_song(3).between(*cut)
    lattice, guitar, drums = back(song)
    assert lattice.counts.tolist() == song.guitar_grid.form.steps.tolist()
    for read, own in ((guitar, song.guitar_grid.guitar), (drums, song.drums)):
        for column in ("step", "key", "velocity", "offset"):
            assert np.array_equal(getattr(read, column), getattr(own, column)), column


def test_metres_and_tempos_of_an_excerpt_are_those_of_its_bars() -> None:
    song = made_song(0)
    form = song.guitar_grid.form._replace(bpm=np.where(np.arange(14) < 7, 120.0, 90.0))
    duet = duet_of(replace(song.guitar_grid, form=form), song.drums)
    read = form_of(duet.song, Lattice(duet.song.bars(), TICKS))
    assert read.numerator.tolist() == form.numerator.tolist()
    assert read.denominator.tolist() == form.denominator.tolist()
    assert read.bpm == pytest.approx(form.bpm, rel=1e-5)
    assert len(duet.song.tempos) == 2 and len(duet.song.metres) == 3


def test_bars_that_were_cut_short_stay_short() -> None:
    """A bar of 4/4 that a change of metre cut after 7 of its 24 places; the next is whole again."""
    song = made_song(1).between(0, 4)
    form = song.guitar_grid.form._replace(steps=np.array([24, 7, 24, 24]))
    inside = [grid.select(grid.step < form.first[-1]) for grid in (song.guitar_grid.guitar, song.drums)]
    lattice, guitar, _ = back(
        replace(song, guitar_grid=replace(song.guitar_grid, form=form, guitar=inside[0]), drums=inside[1])
    )
    assert lattice.counts.tolist() == [24, 7, 24, 24]
    assert np.array_equal(guitar.step, inside[0].step)


def test_an_excerpt_without_notes_is_bars_without_notes() -> None:
    song = made_song(1).between(0, 2)
    none = np.zeros(0, dtype=np.int64)
    bare = replace(
        song,
        guitar_grid=replace(song.guitar_grid, guitar=song.guitar_grid.guitar.select(none)),
        drums=song.drums.select(none),
    )
    lattice, guitar, drums = back(bare)
    assert len(lattice.bars) == 2 and not len(guitar.step) and not len(drums.step)


def test_a_shortened_song_begins_where_both_play() -> None:
    song = made_song(2)
    late = replace(song, drums=song.drums.select(song.drums.step >= song.guitar_grid.form.first[3]))
    cut = shortened(late, 4)
    assert cut.guitar_grid.form.steps.tolist() == song.guitar_grid.form.steps[3:7].tolist()
    assert np.array_equal(song.guitar_grid.between(3, 7).guitar.step, cut.guitar_grid.guitar.step)
    assert len(shortened(song, 99).guitar_grid.form.steps) == 14


def test_real_songs_become_notes_and_are_the_same_on_the_lattice() -> None:
    if not CACHE.is_file():
        pytest.skip("needs a prepared corpus beside the repository")
    for song in load(CACHE)[::97]:
        lattice, guitar, drums = back(song)
        assert lattice.counts.tolist() == song.guitar_grid.form.steps.tolist(), song.path
        assert np.array_equal(guitar.step, song.guitar_grid.guitar.step), song.path
        assert np.array_equal(drums.step, song.drums.step), song.path


def test_bars_of_a_song_in_sevens_are_a_song_of_their_own() -> None:
    part = song_of(1, metre=(7, 8)).between(2, 5)
    assert part.guitar_grid.form.steps.tolist() == [21] * 3
    assert part.drums.step.min() >= 0 and part.drums.step.max() < 63


def test_the_guitar_sounds_from_its_first_bar_to_the_bar_its_last_note_ends_in() -> None:
    guitar_grid = song_of(1).guitar_grid
    assert guitar_grid.sounding == (0, 12)
    some = guitar_grid.guitar.select((guitar_grid.guitar.step >= 30) & (guitar_grid.guitar.step < 60))
    assert replace(guitar_grid, guitar=some).sounding == (1, 3)
    held = some._replace(length=np.full_like(some.length, 24 * 6))
    assert replace(guitar_grid, guitar=held).sounding == (1, 4)
    assert replace(guitar_grid, guitar=some.select(some.step < 0)).sounding == (0, 0)


def test_another_guitar_is_of_the_same_metre_and_tempo_and_of_another_group() -> None:
    slow, twin = song_of(20, bpm=70), replace(song_of(21), group=song_of(0).group)
    others = others_guitar([song_of(0), twin, slow, song_of(9, metre=(3, 4)), changing()])
    assert others == [None] * 5
    known = others_guitar([song_of(0), slow], [song_of(22, bpm=130)])
    assert known[0] is not None and known[1] is None


def test_another_guitar_begins_with_the_own_and_again_when_it_is_over() -> None:
    own, other = song_of(1, bars=7).guitar_grid, song_of(2, bars=3).guitar_grid
    own = replace(own, guitar=own.guitar.select(own.guitar.step >= 24))
    other = replace(other, bass=other.guitar)
    laid = lay_over(other, own)
    assert laid.form is own.form
    assert laid.sounding == (1, 7)
    bars = [laid.form.notes_between(laid.guitar, bar, bar + 1) for bar in range(1, 7)]
    assert all(np.array_equal(a, b) for a, b in zip(bars[0], bars[3], strict=True))
    assert all(np.array_equal(one, two) for one, two in zip(laid.bass, laid.guitar, strict=True))
    assert np.array_equal(bars[1].key, other.form.notes_between(other.guitar, 1, 2).key)


# --- surgery: every bar of a song in 4/4 gets the same new length, and everything that is kept of a song fits it ------

KICK, SNARE, HAT = (FULL.names.index(name) for name in ("kick", "snare", "closed hat"))
ROCK = {KICK: (0, 12), SNARE: (6, 18), HAT: range(0, 24, 3)}
SHUFFLE = {KICK: (0, 12), SNARE: (6, 18), HAT: (0, 4, 6, 10, 12, 16, 18, 22)}
E2, G3 = 40, 55
Row = tuple[int, int, int, int, int]  # step, key, velocity, offset, length


def grid_of(rows: list[Row]) -> Grid:
    return Grid(*np.array(sorted(rows), dtype=np.int64).reshape(-1, 5).T)


def song_in_4_4(
    bar: Mapping[int, Sequence[int]], *, guitar: list[Row] | None = None, bars: int = 2, name: str = "song"
) -> Prepared:
    """A song that plays one bar of drums over and over; without a guitar of its own it strikes all beats."""
    hits = [(24 * n + step, key, 100, 0, HIT_LENGTH) for n in range(bars) for key in bar for step in bar[key]]
    strokes = guitar or [(step, E2, 90, 0, 24) for step in range(0, 24 * bars, 6)]
    form = Form(np.full(bars, 24), np.full(bars, 4), np.full(bars, 4), np.full(bars, 120.0))
    guitar_grid = GuitarGrid(
        form, grid_of(strokes), np.eye(9, dtype=np.int64)[3], 1, grid_of(strokes), ((1, "chorus"),)
    )
    return Prepared(f"rock/{name}.mid", name, "rock", "a group", "train", guitar_grid, grid_of(hits), "an origin")


def altered(song: Prepared, metre: tuple[int, int], at: int = 0) -> Prepared:
    found = change_metre(song, metre, at)
    assert found is not None
    return found


def places(song: Prepared, bar: int) -> dict[int, list[int]]:
    """The steps of a bar at which each voice is struck."""
    hits = song.guitar_grid.form.notes_between(song.drums, bar, bar + 1)
    return {key: hits.step[hits.key == key].tolist() for key in np.unique(hits.key).tolist()}


def notes(grid: Grid) -> list[tuple[int, int, int]]:
    """Step, key and length of each note."""
    return list(zip(grid.step.tolist(), grid.key.tolist(), grid.length.tolist(), strict=True))


# --- half a beat or a beat less ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metre", "at", "steps", "expected"),
    [
        ((7, 8), 21, 21, {KICK: [0, 12], SNARE: [6, 18], HAT: [0, 3, 6, 9, 12, 15, 18]}),
        ((7, 8), 15, 21, {KICK: [0, 12], SNARE: [6, 15], HAT: [0, 3, 6, 9, 12, 15, 18]}),
        ((3, 4), 12, 18, {KICK: [0], SNARE: [6, 12], HAT: [0, 3, 6, 9, 12, 15]}),
        ((3, 4), 6, 18, {KICK: [0, 6], SNARE: [12], HAT: [0, 3, 6, 9, 12, 15]}),
        ((5, 4), 18, 30, {KICK: [0, 12], SNARE: [6, 18, 24], HAT: list(range(0, 30, 3))}),
        ((5, 4), 12, 30, {KICK: [0, 12, 18], SNARE: [6, 24], HAT: list(range(0, 30, 3))}),
        ((9, 8), 21, 27, {KICK: [0, 12], SNARE: [6, 18], HAT: list(range(0, 27, 3))}),
    ],
)
def test_each_bar_of_a_backbeat_loses_or_repeats_the_same_place(
    metre: tuple[int, int], at: int, steps: int, expected: dict[int, list[int]]
) -> None:
    found = altered(song_in_4_4(ROCK), metre, at)
    assert found.guitar_grid.form.metre == "{}/{}".format(*metre)
    assert found.guitar_grid.form.steps.tolist() == [steps, steps]
    assert found.guitar_grid.form.bpm.tolist() == [120, 120]
    assert [places(found, bar) for bar in (0, 1)] == [expected, expected]
    assert set(found.drums.length.tolist()) == {HIT_LENGTH}


def test_a_note_over_a_cut_is_shortened_by_it_and_one_that_begins_in_it_begins_behind_it() -> None:
    guitar = [(0, E2, 90, 0, 96), (18, G3, 80, 0, 24), (21, 60, 70, 5, 12), (22, 62, 70, 0, 60), (24, 64, 90, 0, 48)]
    found = altered(song_in_4_4(ROCK, guitar=guitar), (7, 8), 21)
    assert notes(found.guitar_grid.guitar) == [(0, E2, 84), (18, G3, 12), (21, 62, 52), (21, 64, 48)]
    assert found.guitar_grid.guitar.offset.tolist() == [0, 0, 0, 0]  # the early and the late one begin on the barline
    assert_array_equal(found.guitar_grid.bass, found.guitar_grid.guitar)


def test_a_note_that_lasts_over_several_cuts_loses_each() -> None:
    found = altered(song_in_4_4(ROCK, guitar=[(0, E2, 90, 0, 288)], bars=3), (3, 4), 12)
    assert notes(found.guitar_grid.guitar) == [(0, E2, 3 * 72)]


def test_a_note_that_sounds_into_a_repeated_beat_is_longer_and_one_that_begins_there_is_struck_twice() -> None:
    guitar = [(0, E2, 90, 0, 96), (12, G3, 80, 3, 48), (14, 60, 70, -4, 4), (24, 64, 90, 0, 24)]
    found = altered(song_in_4_4(ROCK, guitar=guitar), (5, 4), 12)
    expected = [(0, E2, 120), (12, G3, 24), (14, 60, 4), (18, G3, 48), (20, 60, 4), (30, 64, 24)]
    assert notes(found.guitar_grid.guitar) == expected
    assert found.guitar_grid.guitar.offset.tolist() == [0, 3, -4, 3, -4, 0]


def test_early_and_late_hits_are_moved_as_their_steps_are() -> None:
    song = song_in_4_4(ROCK)
    for early, expected in ((-60, -90), (-120, -HALF_GAP)):  # of a gap of 3 twelfths, then of one of 2
        offset = np.where(song.drums.step == 24, early, 17)
        found = altered(replace(song, drums=song.drums._replace(offset=offset)), (7, 8), 21)
        assert set(found.drums.offset[found.drums.step == 21].tolist()) == {expected}
        assert set(found.drums.offset[found.drums.step != 21].tolist()) == {17}
        assert places(found, 1) == places(altered(song, (7, 8), 21), 1)


def test_of_triplets_that_come_to_lie_on_straight_steps_no_two_hits_are_on_one() -> None:
    found = altered(song_in_4_4({SNARE: (0, 18, 19, 20, 21, 22, 23)}), (7, 8), 15)
    keys = list(zip(found.drums.step.tolist(), found.drums.key.tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert max(found.drums.step) < 42


# --- a dotted quarter for a quarter -----------------------------------------------------------------------------------


def test_a_song_that_swings_is_in_12_8_with_its_hits_on_eighths_and_sounds_as_before() -> None:
    song = song_in_4_4(SHUFFLE)
    found = altered(song, (12, 8))
    assert found.guitar_grid.form.metre == "12/8"
    assert found.guitar_grid.form.steps.tolist() == [36, 36]
    assert found.guitar_grid.form.bpm.tolist() == [180, 180]
    assert found.guitar_grid.marks == ((1, "chorus"),)
    assert places(found, 1) == {KICK: [0, 18], SNARE: [9, 27], HAT: [0, 6, 9, 15, 18, 24, 27, 33]}
    assert notes(found.guitar_grid.guitar) == [(step, E2, 36) for step in range(0, 72, 9)]
    assert set(found.drums.length.tolist()) == {HIT_LENGTH}


def test_in_6_8_it_has_two_bars_for_each_and_sections_begin_where_they_did() -> None:
    found = altered(song_in_4_4(SHUFFLE), (6, 8))
    assert found.guitar_grid.form.metre == "6/8"
    assert found.guitar_grid.form.steps.tolist() == [18] * 4
    assert found.guitar_grid.form.bpm.tolist() == [180] * 4
    assert found.guitar_grid.marks == ((2, "chorus"),)
    assert all(places(found, bar) == {KICK: [0], SNARE: [9], HAT: [0, 6, 9, 15]} for bar in range(4))


def test_what_is_on_no_step_of_12_8_is_late_on_the_nearest() -> None:
    hats = (*SHUFFLE[HAT], 1)  # a sixteenth after the downbeat: an eighth of the dotted quarter and a half
    found = altered(song_in_4_4({**SHUFFLE, HAT: hats}), (12, 8))
    assert places(found, 0)[HAT][:2] == [0, 2]
    assert found.drums.offset[found.drums.step == 2].tolist() == [64]  # half a twelfth of the two up to the next


@pytest.mark.parametrize("metre", [(12, 8), (6, 8)])
def test_straight_drums_or_a_straight_guitar_are_no_swing(metre: tuple[int, int]) -> None:
    straight_guitar = song_in_4_4(SHUFFLE, guitar=[(step, E2, 90, 0, 12) for step in range(0, 48, 3)])
    quarters = song_in_4_4({KICK: (0, 12), SNARE: (6, 18)})
    for song in (song_in_4_4(ROCK), straight_guitar, quarters):
        assert not swings(song)
        assert change_metre(song, metre) is None
    assert swings(song_in_4_4(SHUFFLE))


# --- which songs ------------------------------------------------------------------------------------------------------


def test_only_songs_of_full_bars_of_4_4_are_altered() -> None:
    song = song_in_4_4(ROCK)
    for change in ({"numerator": np.array([4, 3])}, {"steps": np.array([24, 12])}):
        form = song.guitar_grid.form._replace(**change)
        assert change_metre(replace(song, guitar_grid=replace(song.guitar_grid, form=form)), (7, 8), 21) is None


@pytest.mark.parametrize(("metre", "at"), [((11, 8), 3), ((7, 8), 0), ((7, 8), 22), ((7, 8), 24), ((3, 4), 21)])
def test_another_metre_or_place_is_refused(metre: tuple[int, int], at: int) -> None:
    with pytest.raises(ValueError, match=r"cannot change 4/4 to 11/8|at is \d+"):
        change_metre(song_in_4_4(ROCK), metre, at)


def test_an_altered_song_keeps_where_it_comes_from_and_has_a_name_and_a_digest_of_its_own() -> None:
    song = song_in_4_4(ROCK)
    one, other = altered(song, (7, 8), 21), altered(song, (7, 8), 15)
    assert (one.tag, one.group, one.split, one.origin) == (song.tag, song.group, song.split, song.origin)
    assert one.path == "rock/song.mid as 7-8 at step 21"
    assert len({song.sha256, one.sha256, other.sha256}) == len({song.path, one.path, other.path}) == 3
    assert altered(song, (7, 8), 21).sha256 == one.sha256


def many() -> list[Prepared]:
    swung = [song_in_4_4(SHUFFLE, name=f"swung {n}") for n in range(30)]
    return swung + [song_in_4_4(ROCK, name=f"straight {n}") for n in range(70)]


def test_a_share_of_the_songs_is_altered_each_metre_as_often() -> None:
    songs = many()
    found = augmented(songs, 0.5, 0)
    assert Counter(song.guitar_grid.form.metre for song in found) == dict.fromkeys(
        ["12/8", "6/8", "7/8", "5/4", "3/4"], 10
    )
    origins = [song.path.split(" as ")[0] for song in found]
    assert len(set(origins)) == len(origins)
    assert all("straight" in song.path for song in found if song.guitar_grid.form.metre == "7/8")
    assert {song.path.split(" at ")[1] for song in found if song.guitar_grid.form.metre == "7/8"} == {
        "step 15",
        "step 21",
    }


def test_where_few_songs_swing_12_8_and_6_8_have_as_many() -> None:
    found = Counter(song.guitar_grid.form.metre for song in augmented(many(), 1, 0))
    assert (found["12/8"], found["6/8"], found["7/8"], found["5/4"], found["3/4"]) == (15, 15, 20, 20, 20)


def test_the_same_songs_are_altered_in_any_order_and_others_with_another_seed() -> None:
    songs = many()
    names = [
        {song.sha256 for song in augmented(some, 0.3, seed)}
        for some, seed in ((songs, 0), (songs[::-1], 0), (songs, 1))
    ]
    assert names[0] == names[1] != names[2]


def test_songs_that_are_not_trained_on_are_not_altered() -> None:
    songs = many()
    kept_apart = [replace(song, split="test") for song in songs]
    assert augmented(kept_apart, 0.5, 0) == []
    assert len(augmented([*songs, *kept_apart], 0.5, 0)) == 50
    assert augmented(songs, 0, 0) == []


def test_songs_that_swing_fast_are_not_written_in_eighths() -> None:
    def at(bpm: float) -> list[Prepared]:
        forms = [song.guitar_grid.form._replace(bpm=np.full(2, bpm)) for song in many()]
        songs = [
            replace(one, guitar_grid=replace(one.guitar_grid, form=form))
            for one, form in zip(many(), forms, strict=True)
        ]
        return [song for song in augmented(songs, 0.5, 0) if song.guitar_grid.form.metre in ("12/8", "6/8")]

    assert len(at(120.0)) == 20
    assert at(121.0) == []


@pytest.mark.parametrize("metre", [(12, 8), (6, 8), (7, 8), (5, 4), (3, 4), (9, 8)])
def test_an_altered_song_has_features_and_is_laid_end_to_end_with_others(metre: tuple[int, int]) -> None:
    song = song_in_4_4(SHUFFLE, bars=5)
    found = altered(song, metre, 12)
    known = features(found.guitar_grid)
    assert len(known.guitar) == len(known.clock) == found.guitar_grid.form.first[-1]
    data = flatten([song, found])
    assert data.metre[-1].tolist() == list(metre)
    assert np.count_nonzero(data.velocity[data.first_step[data.first_bar[1]] :]) == len(found.drums.step)
