"""Intervals over songs: they hold their value, narrow with more songs, and come again with the seed."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.judge import intervals
from seq2drum.judge.panel import statistics, values
from seq2drum.judge.trial import trial_of
from seq2drum.lattice.conditions import Drums
from tests.drumming import four, random_drums, random_guitar


def made_songs(count: int, seed: int) -> list[dict[str, np.ndarray]]:
    """Songs in which a random part of the hits is right."""
    rng = np.random.default_rng([seed, count])
    songs = []
    for song in range(count):
        real = random_drums(four(12), 100 + song)
        right = rng.random(real.velocity.shape) < rng.uniform(0.2, 0.9)
        made = Drums(real.form, np.where(right, real.velocity, random_drums(four(12), song).velocity), real.offset)
        songs.append(statistics(trial_of(real, made, random_guitar(real.form, song))))
    return songs


def test_an_interval_holds_its_value_and_narrows_with_more_songs() -> None:
    few, many = (intervals.summarise(made_songs(count, 1), np.random.default_rng(0), 300) for count in (6, 60))
    for summary in (few, many):
        for name, (value, low, high) in summary.items():
            assert np.isnan(value) or low <= value <= high, name
    for name in ("hit F1", "voice JSD", "kicks with the guitar"):
        assert many[name].high - many[name].low < 0.6 * (few[name].high - few[name].low), name
        assert few[name].low < few[name].high


def test_the_same_seed_gives_the_same_interval() -> None:
    songs = made_songs(5, 2)
    one, other = (intervals.summarise(songs, np.random.default_rng([3, 4]), 50) for _ in range(2))
    assert np.array_equal(np.array(list(one.values())), np.array(list(other.values())), equal_nan=True)


def test_one_song_has_an_interval_of_no_width() -> None:
    summary = intervals.summarise(made_songs(1, 3), np.random.default_rng(0), 20)
    assert summary["hit F1"].low == summary["hit F1"].value == summary["hit F1"].high


def test_an_interval_is_near_that_of_the_normal_distribution() -> None:
    songs = made_songs(200, 4)
    each = np.array([values(song)["hit F1 per song"] for song in songs])
    value, low, high = intervals.summarise(songs, np.random.default_rng(0))["hit F1 per song"]
    assert value == pytest.approx(each.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * each.std() / np.sqrt(200), rel=0.12)


def test_a_comparison_over_the_same_songs_is_narrower_than_two_intervals() -> None:
    songs = made_songs(30, 5)
    worse = [{**song, "hit F1": song["hit F1"] - [song["hit F1"][0] * 0.05, 0, 0]} for song in songs]
    rng = np.random.default_rng(0)
    gain = intervals.compare(songs, worse, rng)["hit F1"]
    alone = intervals.summarise(songs, rng)["hit F1"]
    assert gain.value == pytest.approx(0.05 * alone.value)
    assert 0 < gain.low < gain.value < gain.high
    assert gain.high - gain.low < 0.1 * (alone.high - alone.low)
    assert intervals.compare(songs, songs, rng)["hit F1"] == (0, 0, 0)


def test_no_songs_and_unequal_songs_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no song"):
        intervals.summarise([], rng)
    with pytest.raises(ValueError, match="2 songs here and 1 there"):
        intervals.compare(made_songs(2, 7), made_songs(1, 7), rng)


def test_means_over_windows_have_intervals_over_songs() -> None:
    rng = np.random.default_rng(0)
    assert intervals.over_songs(np.full(6, 2.0), np.array([0, 0, 1, 1, 2, 2]), rng) == (2, 2, 2)
    assert np.isnan(intervals.over_songs(np.zeros(0), np.zeros(0, dtype=np.int64), rng)).all()
    value, low, high = intervals.over_songs(np.array([0.0, 0.0, 0.0, 4.0]), np.array([0, 0, 0, 1]), rng)
    assert (value, low, high) == (1, 0, 4)


def test_a_median_over_windows_is_not_carried_by_one_song() -> None:
    rng = np.random.default_rng(0)
    values, song = np.array([3.0, 1.0, 2.0, 90.0, 80.0]), np.array([0, 1, 2, 3, 3])
    value, low, high = intervals.over_songs(values, song, rng, read=intervals.weighted_median)
    assert value == 3 and 1 <= low <= 3 <= high <= 90
    weights = np.array([[1.0, 1, 1, 0, 0], [5, 1, 1, 0, 0], [0, 0, 0, 1, 1]])
    assert intervals.weighted_median(values, weights).tolist() == [2, 3, 80]  # of two, the lower
    assert intervals.weighted_mean(values, weights).tolist() == [2, 18 / 7, 85]


def test_a_mean_over_songs_leaves_out_those_without_an_answer() -> None:
    value, low, high = intervals.mean_over_songs([0.0, np.nan, 1.0, 1.0])
    assert value == pytest.approx(2 / 3) and 0 <= low < value < high <= 1
    assert intervals.mean_over_songs([0.0, np.nan, 1.0, 1.0]) == (value, low, high)
    assert intervals.mean_over_songs([0.5])[0] == 0.5 and np.isnan(intervals.mean_over_songs([0.5])[1:]).all()
    assert np.isnan(intervals.mean_over_songs([])).all() and np.isnan(intervals.mean_over_songs([np.nan] * 2)).all()
