"""Bootstrap intervals of figures over songs.

A figure is read off a sum over songs, so a draw is a weighted sum: no take is measured twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from seq2drum.judge.measures import Vector, auc_of_weights, share
from seq2drum.judge.panel import FIGURES, Statistics, of_each, of_songs
from seq2drum.music.notes import IntArray

CRITICS = 3  # trained for each player, from different seeds


class Interval(NamedTuple):
    """A figure with its 95 % bootstrap interval over songs. All three are NaN without anything to measure."""

    value: float
    low: float
    high: float


def summarise(songs: Sequence[Statistics], rng: np.random.Generator, draws: int = 1000) -> dict[str, Interval]:
    """All figures over some songs, each with an interval.

    Raises:
        ValueError: no songs.
    """
    weights = resampled(len(songs), rng, draws)
    return {name: interval(*_of_figure(name, songs, weights)) for name in songs[0]}


def over_sums(songs: Vector, read: Callable[[Vector], float], rng: np.random.Generator, draws: int = 1000) -> Interval:
    """A number read off the sum of songs (songs, n), with its interval; of one song it has none, of none it is NaN."""
    if len(songs) < 2:
        return Interval(read(songs[0]) if len(songs) else np.nan, np.nan, np.nan)
    return interval(*_draws(songs, read, resampled(len(songs), rng, draws)))


def mean_over_songs(values: Iterable[float], seed: int = 0, draws: int = 1000) -> Interval:
    """The mean of a number over the songs that have one, NaN for the others; see `over_sums`."""
    terms = np.array([of_songs(value) for value in values])
    return over_sums(terms, of_each(share), np.random.default_rng([seed, 10]), draws)


def compare(
    here: Sequence[Statistics], there: Sequence[Statistics], rng: np.random.Generator, draws: int = 1000
) -> dict[str, Interval]:
    """The difference of each figure, here minus there, over the same songs in the same order.

    The songs are drawn for both at once, so what makes a song hard for both does not widen the interval.

    Raises:
        ValueError: no songs, or another number here than there.
    """
    if len(here) != len(there):
        raise ValueError(f"found {len(here)} songs here and {len(there)} there; wanted the same songs on both sides")
    weights = resampled(len(here), rng, draws)
    gains = {}
    for name in here[0]:
        (one, ones), (other, others) = (_of_figure(name, songs, weights) for songs in (here, there))
        gains[name] = interval(one - other, ones - others)
    return gains


def resampled(songs: int, rng: np.random.Generator, draws: int) -> Vector:
    """(draws, songs): the count of each song in each draw of as many, with replacement.

    Raises:
        ValueError: no songs.
    """
    if not songs:
        raise ValueError("found no song to summarise; wanted at least one")
    return rng.multinomial(songs, np.full(songs, 1 / songs), size=draws).astype(np.float64)


def _of_figure(name: str, songs: Sequence[Statistics], weights: Vector) -> tuple[float, Vector]:
    return _draws(np.stack([song[name] for song in songs]), FIGURES[name].value, weights)


def _draws(rows: Vector, read: Callable[[Vector], float], weights: Vector) -> tuple[float, Vector]:
    return read(rows.sum(axis=0)), np.array([read(row) for row in weights @ rows])


def interval(value: float, draws: Vector) -> Interval:
    """A value with percentiles of the draws (draws,) that have an answer.

    Draws of a distance lean upwards (fewer different songs are less alike), so the interval is widened, if need be, to
    hold the value itself.
    """
    draws = draws[~np.isnan(draws)]
    if np.isnan(value) or not len(draws):
        return Interval(value, np.nan, np.nan)
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(value, min(float(low), value), max(float(high), value))


def weighted_mean(values: Vector, weights: Vector) -> Vector:
    """(m,): the means of values (n,) under each row of weights (m, n)."""
    means: Vector = weights @ values / weights.sum(axis=1)
    return means


def weighted_median(values: Vector, weights: Vector) -> Vector:
    """(m,): the medians of values (n,) under each row of weights (m, n); of two in the middle, the lower."""
    order = np.argsort(values)
    up_to = np.cumsum(weights[:, order], axis=1)
    medians: Vector = values[order][np.argmax(up_to >= up_to[:, -1:] / 2, axis=1)]
    return medians


def over_songs(
    values: Vector,
    song: IntArray,
    rng: np.random.Generator,
    draws: int = 1000,
    read: Callable[[Vector, Vector], Vector] = weighted_mean,
) -> Interval:
    """A statistic of values (n,) of windows, and its 95 % interval over redrawn songs; NaN without values."""
    if not len(values):
        return Interval(np.nan, np.nan, np.nan)
    _, index = np.unique(song, return_inverse=True)
    drawn = resampled(int(index.max()) + 1, rng, draws)
    low, high = np.percentile(read(values, drawn[:, index]), [2.5, 97.5])
    return Interval(float(read(values, np.ones((1, len(values))))[0]), float(low), float(high))


class Told(NamedTuple):
    """The AUC of several critics: its mean with a 95 % interval over groups of songs.

    apart: the highest AUC of a critic less the lowest.
    """

    auc: float
    low: float
    high: float
    apart: float


class Scores(NamedTuple):
    """A critic's scores (n,) of n real things and of the made ones in their place, and the group (n,) of each."""

    real: Vector
    made: Vector
    group: IntArray


def told(critics: Sequence[Scores], groups: int, rng: np.random.Generator, draws: int = 1000) -> Told:
    """The AUC of several critics, each trained from another seed; all share the drawn groups."""
    asked = [(auc_of_weights(real, made), group) for real, made, group in critics]
    areas = [area(None) for area, _ in asked]
    spread = [np.mean([area(weights[group]) for area, group in asked]) for weights in resampled(groups, rng, draws)]
    low, high = np.quantile(spread, [0.025, 0.975]).tolist() if spread else (np.nan, np.nan)
    mean = float(np.mean(areas))
    return Told(mean, min(low, mean), max(high, mean), max(areas) - min(areas))
