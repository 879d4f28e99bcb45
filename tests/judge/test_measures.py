"""The measures and the figures of loops, each against a case worked out by hand; faults of parts."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest

from seq2drum.judge import measures
from seq2drum.judge.loops import COPIED, Likeness, distance, novelty, spectrogram
from seq2drum.judge.measures import faults_of_grid, faults_of_part
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.patterns import FRAMES, Samples
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Note, Part
from tests.drumming import MIXED, drums, form_of, four, random_drums, silent


def test_bars_before_the_first_and_after_the_last_real_hit_and_long_rests_do_not_count() -> None:
    played = [2, 3, 7, 12]  # rests of 2, 3 and 4 bars, and 1 at the end
    real = drums(four(14), *((bar, 0, "kick") for bar in played))
    wanted = [2, 3, 4, 5, 6, 7, 12]
    assert np.flatnonzero(measures.judged_bars(real)).tolist() == wanted


def test_real_drums_without_a_hit_have_no_bars_that_count() -> None:
    assert not measures.judged_bars(silent(four(6))).any()


def test_cutting_keeps_the_bars_asked_for_with_their_metres() -> None:
    part = random_drums(MIXED, 9)
    bars = np.arange(len(MIXED.steps)) % 3 == 1
    cut = measures.cut(part, bars)
    assert cut.form.numerator.tolist() == MIXED.numerator[bars].tolist()
    assert len(cut.velocity) == len(cut.offset) == MIXED.steps[bars].sum()
    second = np.flatnonzero(bars)[1]
    begin = MIXED.first[second]
    assert np.array_equal(
        cut.velocity[cut.form.first[1] : cut.form.first[2]], part.velocity[begin : begin + MIXED.steps[second]]
    )


@pytest.mark.parametrize(
    ("both", "made", "real", "wanted"), [(0, 0, 0, 1.0), (0, 3, 0, 0.0), (0, 0, 3, 0.0), (2, 4, 2, 2 / 3), (3, 3, 3, 1)]
)
def test_f1_is_one_of_two_empty_sides_and_none_of_one(both: int, made: int, real: int, wanted: float) -> None:
    assert measures.f1(both, made, real) == pytest.approx(wanted)


def test_the_divergence_of_histograms_is_that_computed_by_hand() -> None:
    def of(made: list[float], real: list[float]) -> float:
        return measures.divergence(np.array(made), np.array(real))

    # middle (3/4, 1/4): half of log2(4/3), and half of 1/2 log2(2/3) + 1/2 log2(2)
    assert of([7, 0], [5, 5]) == pytest.approx((np.log2(4 / 3) + (np.log2(2 / 3) + 1) / 2) / 2)
    assert of([1, 0], [0, 9]) == pytest.approx(1)
    assert of([1, 3], [2, 6]) == pytest.approx(0, abs=1e-12)
    assert (of([0, 0], [0, 0]), of([0, 0], [1, 0]), of([1, 0], [0, 0])) == (0, 1, 1)


def test_the_overlap_of_histograms_is_that_computed_by_hand() -> None:
    def of(made: list[float], real: list[float]) -> float:
        return measures.overlap(np.array(made), np.array(real))

    assert of([7, 0], [5, 5]) == pytest.approx(1 / 2)
    assert (of([0, 0], [0, 0]), of([0, 0], [1, 0]), of([1, 0], [0, 2])) == (1, 0, 0)


@pytest.mark.parametrize(("metre", "steps"), [((4, 4), 24), ((3, 4), 18), ((7, 8), 21)])
def test_groove_similarity_falls_by_the_share_of_steps_that_differ(metre: tuple[int, int], steps: int) -> None:
    form = form_of(metre, metre)
    part = drums(form, (0, 0, "kick"), (1, 0, "snare"), (0, 6, "kick"), (1, 9, "kick"))
    assert measures.groove_similarity(part) == pytest.approx(1 - 2 / steps)


def test_groove_similarity_is_the_mean_over_all_pairs_of_bars_of_one_length() -> None:
    part = random_drums(MIXED, 12, 0.05)
    bars: list[Any] = [(part.velocity[begin:end] > 0).any(axis=1) for begin, end in pairwise(MIXED.first)]
    pairs = [1 - (one != other).mean() for one, other in combinations(bars, 2) if len(one) == len(other)]
    assert measures.groove_similarity(part) == pytest.approx(np.mean(pairs))
    assert np.isnan(measures.groove_similarity(random_drums(form_of((4, 4), (3, 4)), 1)))


def test_two_silent_bars_are_alike_and_a_silent_one_is_like_no_other() -> None:
    part = drums(four(4), (0, 0, "kick"), (3, 0, "kick"))
    alike, pairs = measures.likeness(part)
    assert alike[:3].tolist() == [1, 0, 1]
    assert pairs[:4].tolist() == [3, 2, 1, 0]


def test_the_similarity_curve_compares_bars_of_one_length() -> None:
    part = random_drums(MIXED, 30)
    rows = [part.velocity[begin:end] > 0 for begin, end in pairwise(MIXED.first.tolist())]
    alike, pairs = measures.likeness(part)
    for lag in (1, 3, 8):
        likeness = [
            1 - (one != other).sum() / (one.sum() + other.sum())
            for one, other in zip(rows, rows[lag:], strict=False)
            if len(one) == len(other)
        ]
        assert pairs[lag - 1] == len(likeness)
        assert alike[lag - 1] == pytest.approx(sum(likeness))


@pytest.mark.parametrize(
    ("guessed", "real", "wanted"),
    [
        ([], [], (0, 0, 0)),
        ([3], [], (0, 1, 0)),
        ([3], [4], (1, 1, 1)),
        ([3], [5], (0, 1, 1)),
        ([3, 5], [4], (1, 2, 1)),  # one real fill is matched once
        ([4], [3, 5], (1, 1, 2)),
        ([3, 4], [4, 5], (2, 2, 2)),
        ([0, 7, 15], [6, 10, 15], (2, 3, 3)),
    ],
)
def test_fills_are_matched_one_to_one_within_a_bar(
    guessed: list[int], real: list[int], wanted: tuple[int, int, int]
) -> None:
    masks = [np.isin(np.arange(20), bars) for bars in (guessed, real)]
    assert tuple(measures.match_fills(*masks)) == wanted


def test_every_eighth_bar_is_the_last_of_eight() -> None:
    assert np.flatnonzero(measures.every_eighth(four(20))).tolist() == [7, 15]
    assert not measures.every_eighth(form_of((7, 8))).any()


@pytest.mark.parametrize(
    ("x", "y", "wanted"),
    [([1, 2, 3], [2, 4, 6], 1.0), ([1, 2, 3], [3, 2, 1], -1.0), ([5, 5], [1, 2], 0.0), ([1], [2], 0)],
)
def test_correlation_is_read_off_the_sums_and_is_none_where_a_side_is_flat(
    x: list[int], y: list[int], wanted: float
) -> None:
    a, b = np.array(x, float), np.array(y, float)
    assert measures.pearson(np.array([len(a), a.sum(), b.sum(), a @ a, b @ b, a @ b])) == pytest.approx(wanted)


def test_correlation_of_nothing_has_no_answer() -> None:
    assert np.isnan(measures.pearson(np.zeros(6)))


def test_chance_is_the_mean_over_all_shifts_by_whole_bars_of_one_length() -> None:
    rng = np.random.default_rng(15)
    form = form_of(*[(4, 4)] * 3, *[(7, 8)] * 4, (5, 4))
    here, there = rng.random(form.first[-1]), rng.random(form.first[-1])
    common, chance, used = measures.above_chance(here, there, form)
    assert used.tolist() == [True] * 7 + [False]
    four_four, seven = slice(0, 72), slice(72, 72 + 84)
    assert common == pytest.approx(here[:156] @ there[:156])
    shifted = 0.0
    for piece, steps, bars in ((four_four, 24, 3), (seven, 21, 4)):
        shifts = [here[piece] @ np.roll(there[piece], steps * by) for by in range(1, bars)]
        shifted += float(np.mean(shifts))
    assert chance == pytest.approx(shifted)


def test_the_true_guitar_is_first_where_no_other_has_fewer_nats_and_ties_are_shared() -> None:
    assert measures.rank_of_true([[1, 2, 3], [3, 1, 2], [1, 1, 2], [5, 9, 7]]) == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    assert measures.rank_of_true(np.full((7, 20), 3.0)) == pytest.approx(1 / 20)
    assert np.isnan(measures.rank_of_true(np.zeros((0, 20))))


def test_the_area_is_how_often_made_scores_above_real_and_a_tie_is_half() -> None:
    # Pairs (real, made): 1<2, 1<3, 2=2, 2<3, 4>2, 4>3: three and a half of six.
    assert measures.auc(np.array([1.0, 2.0, 4.0]), np.array([2.0, 3.0])) == pytest.approx(3.5 / 6)
    assert measures.auc(np.array([0.0]), np.array([1.0])) == 1
    assert measures.auc(np.array([1.0]), np.array([0.0])) == 0
    assert measures.auc(np.zeros(0), np.zeros(0)) == 0.5


def test_a_window_of_weight_two_counts_as_two_and_of_weight_zero_not_at_all() -> None:
    real, made = np.array([0.1, 0.5, 0.3]), np.array([0.2, 0.4, 0.9])
    weight = np.array([2.0, 1.0, 0.0])
    assert measures.auc(real, made, weight) == pytest.approx(measures.auc(real[[0, 0, 1]], made[[0, 0, 1]]))
    assert measures.auc(real, made, np.zeros(3)) == 0.5


# --- faults -----------------------------------------------------------------------------------------------------------


KICK, SNARE, HAT, OPEN_HAT, PEDAL_HAT, RIDE, TAMBOURINE = 36, 38, 42, 46, 44, 51, 54


@pytest.mark.parametrize(
    ("notes", "faults"),
    [
        ([(0, 10, KICK), (0, 10, HAT), (10, 10, KICK)], {}),
        ([(-1, 10, KICK)], {"before the start": 1}),
        ([(100, 10, KICK)], {"after the end": 1}),
        ([(5, 0, KICK)], {"without length": 1}),
        ([(95, 6, KICK)], {"stuck": 1}),
        ([(0, 10, 3)], {"outside the kit": 1}),
        ([(0, 10, KICK), (9, 10, KICK)], {"overlapping": 1}),
        ([(0, 50, KICK), (10, 5, KICK), (20, 5, KICK)], {"overlapping": 2}),
        ([(0, 10, KICK), (0, 10, KICK)], {"doubled": 1}),
        ([(0, 9, SNARE), (0, 9, HAT), (0, 9, RIDE)], {"more than two hands": 1}),
        ([(0, 9, HAT), (0, 9, OPEN_HAT)], {"two hi-hats": 1}),
        ([(7, 9, PEDAL_HAT), (7, 9, OPEN_HAT), (8, 9, HAT)], {"two hi-hats": 1}),
        (
            [(0, 9, KICK), (0, 9, SNARE), (0, 9, RIDE), (0, 9, PEDAL_HAT), (0, 9, TAMBOURINE)],
            {"more than two hands": 1},
        ),
        ([], {}),
    ],
)
def test_each_fault_is_counted_and_no_other(notes: list[tuple[int, int, int]], faults: dict[str, int]) -> None:
    part = Part.of([Note(*note, 100) for note in notes], is_drums=True)
    counts = faults_of_part(part, 100, FULL)
    assert counts.pop("notes") == len(notes)
    assert {name: count for name, count in counts.items() if count} == faults


def test_hits_of_a_grid_are_judged_by_their_steps() -> None:
    names = [voice.name for voice in FULL.voices]

    def of(*hits: tuple[int, int, int]) -> dict[str, int]:
        step, key, length = np.array(hits, dtype=np.int64).reshape(-1, 3).T
        grid = Grid(step, key, np.full_like(step, 100), np.zeros_like(step), length)
        counts = faults_of_grid(grid, form_of((7, 8), (3, 4)), FULL)
        return {name: count for name, count in counts.items() if count}

    kick, snare, crash, ride = (names.index(name) for name in ("kick", "snare", "crash", "ride"))
    assert of((0, kick, 3), (0, snare, 3), (1, kick, 3), (38, kick, 3)) == {"notes": 4}
    assert of((39, kick, 3)) == {"notes": 1, "after the end": 1}
    assert of((0, kick, 0), (3, 24, 3)) == {"notes": 2, "without length": 1, "outside the kit": 1}
    assert of((3, snare, 3), (3, crash, 3), (3, ride, 3)) == {"notes": 3, "more than two hands": 1}
    assert of((3, snare, 3), (3, snare, 3)) == {"notes": 2, "doubled": 1}
    assert of() == {}


# --- loops ------------------------------------------------------------------------------------------------------------


def bursts(count: int, seed: int, length: float = 300.0) -> Samples:
    rng = np.random.default_rng(seed)
    shape = np.exp(-(np.arange(FRAMES) % 4096) / length)
    return (rng.standard_normal((count, FRAMES)) * shape * 0.3).astype(np.float32)


def test_a_spectrogram_is_round_and_shows_a_burst_where_it_is() -> None:
    sound = np.zeros((1, FRAMES), dtype=np.float32)
    sound[0, 16384] = 1
    bands = spectrogram(sound)
    assert bands.shape == (1, 48, 128) and bands[0].sum(axis=0).argmax() in (63, 64)
    np.testing.assert_allclose(spectrogram(np.roll(sound, 4096, axis=1)), np.roll(bands, 16, axis=2), atol=1e-6)


def test_the_distance_of_other_sounds_is_greater_than_that_of_like_ones() -> None:
    real = bursts(60, 0)
    likeness = Likeness.of(real)
    rows = likeness.rows(real)
    assert abs(distance(rows, rows)) < 1e-6
    like, other = (distance(likeness.rows(made), rows) for made in (bursts(60, 1), bursts(60, 2, 3000.0)))
    assert 0 < like < other / 10


def test_the_novelty_of_a_copy_is_nothing_and_of_something_else_more_than_one() -> None:
    learnt = bursts(5, 0)
    made = np.stack([learnt[2], 0.9 * learnt[4], bursts(1, 9)[0]])
    copy, softer, new = novelty(made, learnt.astype(np.float16))
    assert copy < 1e-3 and abs(softer - (0.1 / 0.9) ** 2) < 1e-2 < COPIED
    assert new > 0.9
