"""The arranger: parts of songs, what is heard in them, and plans drawn from what drummers do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from safetensors.numpy import load_file, save_file

from seq2drum.errors import CheckpointError
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.grid import Grid
from seq2drum.play.arrange.arranger import (
    FEATURES,
    PLAYING,
    RESTING,
    SHIPPED,
    SURE,
    UNSURE,
    WAITING,
    Arranger,
    Outlook,
    Part,
    heard,
    parts_of,
    states_before,
)
from seq2drum.play.checkpoint.folder import SUMS, WEIGHTS
from tests.drumming import four, guitar_grid

SPANS = ((0, 8, "A"), (8, 16, "B"), (16, 24, "A"), (24, 32, "B"))
PARTS = [Part(first, stop, number) for number, (first, stop, _) in enumerate(SPANS)]


def guitar(bars: int = 32, velocity: int = 90) -> GuitarGrid:
    """Quarters on a guitar; in bars of B twice as many."""
    steps = {0: range(0, 24, 6), 1: range(0, 24, 3)}
    return guitar_grid(four(bars), *((bar, step, velocity) for bar in range(bars) for step in steps[bar // 8 % 2]))


def with_bass(grid: GuitarGrid, bars: Sequence[int], step: int = 0, key: int = 30) -> GuitarGrid:
    steps = grid.form.first[np.array(bars, dtype=np.int64)] + step
    ones = np.ones(len(steps), dtype=np.int64)
    return replace(grid, bass=Grid(steps, key * ones, 90 * ones, 0 * ones, 24 * ones))


def outlook(waiting: Sequence[float], resting: Sequence[float], playing: Sequence[float]) -> Outlook:
    silent = np.zeros((3, len(waiting)))
    silent[WAITING], silent[RESTING], silent[PLAYING] = waiting, resting, playing
    level = np.array([[-0.2], [-0.1], [0.1]]) + np.arange(len(waiting)) / 10
    return Outlook(silent, level, level / 10)


# --- parts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bars", "step", "cuts"),
    [
        (range(32), 0, {}),
        ([], 0, {}),
        (range(1, 32), 0, {}),  # it is hardly late
        (range(3, 32), 0, {0: 3}),
        (range(3, 32), 21, {0: 4}),  # a note that leads into the next bar
        (range(8, 32), 0, {}),  # with the second section
        (range(7, 32), 21, {}),
        ([*range(16), *range(20, 32)], 0, {2: 20}),
        (range(31, 32), 0, {3: 31}),
    ],
)
def test_a_section_is_cut_where_its_bass_enters_late(bars: Sequence[int], step: int, cuts: dict[int, int]) -> None:
    parts = parts_of(with_bass(guitar(), bars, step), SPANS)
    expected = []
    for number, (first, stop, _) in enumerate(SPANS):
        at = cuts.get(number, stop)
        expected += [Part(first, at, number), *([Part(at, stop, number, is_later=True)] if at < stop else [])]
    assert parts == expected


# --- what is heard ----------------------------------------------------------------------------------------------------


def column(rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]], name: str) -> list[float]:
    return [round(float(value), 3) for value in rows[:, FEATURES.at(name)]]


def test_parts_are_heard_against_the_song() -> None:
    rows = heard(guitar(), SPANS, PARTS)
    assert rows.shape == (4, FEATURES.size)
    low, high = np.log(4.5 / 6.5), np.log(8.5 / 6.5)
    assert column(rows, "guitar_strokes") == [round(low, 3), round(high, 3)] * 2 == column(rows, "guitar_notes")
    assert column(rows, "guitar_strokes_step") == [
        0,
        *(round(float(each), 3) for each in (high - low, low - high, high - low)),
    ]
    assert column(rows, "guitar_density") == [round(np.log(6.5), 3)] * 4
    for name in ("guitar_rests", "guitar_spread", "guitar_velocity", "guitar_pitch", "guitar_length", "has_bass"):
        assert column(rows, name) == [0] * 4
    assert column(rows, "place") == [0, 0.25, 0.5, 0.75] and column(rows, "share") == [0.5] * 4
    assert column(rows, "returns") == [0, 0, 1, 1] and column(rows, "sections") == [2] * 4
    assert (column(rows, "first"), column(rows, "last")) == ([1, 0, 0, 0], [0, 0, 0, 1])
    assert not rows[:, [FEATURES.at(name) for name in FEATURES.widths if name.startswith("bass")]].any()


def test_a_bass_is_heard_where_it_plays_and_its_rests_as_rests() -> None:
    grid = with_bass(guitar(), range(12, 32))
    parts = parts_of(grid, SPANS)
    rows = heard(grid, SPANS, parts)
    assert column(rows, "bass_rests") == [1, 1, 0, 0, 0] and column(rows, "bass_rests_step") == [0, 0, -1, 0, 0]
    assert column(rows, "is_later") == [0, 0, 1, 0, 0] and column(rows, "has_bass") == [1] * 5
    assert column(rows, "bass_pitch") == [0] * 5  # of no note, and of one pitch


def test_nothing_heard_depends_on_the_key() -> None:
    grid = with_bass(guitar(), range(4, 32))
    higher = replace(
        grid, guitar=grid.guitar._replace(key=grid.guitar.key + 5), bass=with_bass(grid, range(4, 32), key=35).bass
    )
    parts = parts_of(grid, SPANS)
    assert_allclose(heard(grid, SPANS, parts), heard(higher, SPANS, parts), atol=1e-5)


def test_bars_before_the_first_section_are_not_heard() -> None:
    later = guitar(40)
    spans = [(first + 8, stop + 8, letter) for first, stop, letter in SPANS]
    inside = with_bass(later, range(8, 40))
    rows = heard(inside, spans, parts_of(inside, spans))
    before = with_bass(later, range(40))
    assert_allclose(rows, heard(before, spans, parts_of(before, spans)))


# --- plans ------------------------------------------------------------------------------------------------------------


def test_the_likeliest_silence_is_that_after_the_parts_before() -> None:
    certain = outlook([0.9, 0.9, 0.3, 0.9], [0, 0, 0, 0.9], [0.9, 0.9, 0.9, 0.6])
    assert certain.silence(PARTS, None).tolist() == [True, True, False, True]
    assert outlook([0.4] * 4, [1] * 4, [0.45] * 4).silence(PARTS, None).tolist() == [False] * 4


def test_silence_is_drawn_as_often_as_it_is_likely_and_never_where_it_is_unlikely() -> None:
    first, later = UNSURE + 0.05, SURE + 0.05
    drawn = np.array(
        [
            outlook([first] * 4, [later] * 4, [UNSURE - 0.01, later, SURE - 0.01, 0]).silence(
                PARTS, np.random.default_rng(seed)
            )
            for seed in range(2000)
        ]
    )
    assert drawn[:, 0].mean() == pytest.approx(first, abs=0.03)
    assert drawn[drawn[:, 0], 1].mean() == pytest.approx(first, abs=0.05)
    assert drawn[~drawn[:, 0], 1].mean() == pytest.approx(later, abs=0.03)
    assert not drawn[~drawn[:, 1], 2].any()


def test_the_piece_from_the_bass_on_rests_only_with_the_whole_section() -> None:
    parts = [Part(0, 4, 0), Part(4, 8, 0, is_later=True), Part(8, 16, 1)]
    assert outlook([0.1, 0.9, 0], [0, 0, 0], [0, 0.9, 0]).silence(parts, None).tolist() == [False, False, False]
    assert outlook([0.9, 0.9, 0], [0, 0, 0], [0, 0.9, 0]).silence(parts, None).tolist() == [True, True, False]


def test_the_chances_of_sections_are_those_of_many_draws() -> None:
    parts = [Part(0, 4, 0), Part(4, 8, 0, is_later=True), Part(8, 16, 1), Part(16, 24, 2)]
    made = outlook([0.7, 0.5, 0.5, 0.4], [0, 0, 0.9, 0.8], [0, 0.3, 0.6, 0.2])
    rng, counts = np.random.default_rng(0), np.zeros(3)
    for _ in range(20000):
        state, silent = WAITING, []
        for number in range(4):
            silent.append(bool(rng.random() < made.silent[state, number]))
            state = PLAYING if not silent[-1] else WAITING if state == WAITING else RESTING
        counts += (silent[0] and silent[1], silent[2], silent[3])
    assert_allclose(made.chances(parts), counts / 20000, atol=0.015)


def test_a_section_is_as_full_as_its_parts_with_drums() -> None:
    parts = [Part(0, 2, 0), Part(2, 8, 0, is_later=True), Part(8, 16, 1), Part(16, 24, 2)]
    made = outlook([0] * 4, [0] * 4, [0] * 4)
    level, loudness = made.played(parts, np.array([True, False, True, False]))
    assert level == pytest.approx([-0.1, 0.3, 0.2]) and loudness == pytest.approx(level / 10)
    both, *_ = made.played(parts, np.zeros(4, dtype=np.bool_))[0]
    assert both == pytest.approx((2 * -0.2 + 6 * 0.2) / 8)
    waits = np.array([True, True, False, True, False])
    assert [each.tolist() for each in states_before(waits)] == [
        [True, True, True, False, True],
        [False, False, False, True, True],
    ]


# --- the shipped network ----------------------------------------------------------------------------------------------


def test_drummers_wait_for_a_late_bass_and_play_where_it_plays() -> None:
    late = with_bass(guitar(), range(8, 32))
    alone = guitar()
    chances = {}
    for name, grid in (("late", late), ("there", with_bass(guitar(), range(32))), ("alone", alone)):
        parts = parts_of(grid, SPANS)
        chances[name] = Arranger.load().outlook(heard(grid, SPANS, parts)).chances(parts)
    assert chances["late"][0] > 0.2 > 0.1 > max(chances["alone"][0], chances["there"][0])
    assert all(chance[1:].max() < 0.1 for chance in chances.values())
    assert Arranger.load() is Arranger.load(SHIPPED)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "ranker"}, "it is of the kind 'ranker', wanted 'arranger'"),
        ({"format": 2}, "it is of the format 2, wanted 1"),
        ({"inputs": ["a"]}, "its inputs are"),
        ({"hidden": 3}, r"its tensors are .*, wanted \(\(33,\), \(33,\), \(3, 33\)"),
        ({"hidden": "x"}, "holds no usable arranger"),
    ],
)
def test_a_folder_of_something_else_is_refused(change: dict[str, object], message: str, tmp_path: Path) -> None:
    folder = tmp_path / "arranger"
    shutil.copytree(SHIPPED, folder)
    (folder / SUMS).unlink()
    about = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(about | change))
    with pytest.raises(CheckpointError, match=message):
        Arranger.load(folder)


def test_weights_that_are_no_numbers_or_were_changed_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "arranger"
    shutil.copytree(SHIPPED, folder)
    weights = load_file(folder / WEIGHTS)
    weights["out.bias"][0] = np.nan
    save_file(weights, folder / WEIGHTS)
    with pytest.raises(CheckpointError, match="its SHA-256 differs"):
        Arranger.load(folder)
    (folder / SUMS).unlink()
    with pytest.raises(CheckpointError, match="some weights are not numbers"):
        Arranger.load(folder)
