"""A critic of whole songs: how well can a classifier that knows a song's habits tell made drums from real ones?

The critic of four bars does not know whether a song holds its groove, comes back to what it played or crashes on every
one: this one does, and hears nothing else. It is a logistic regression on the ranks of the numbers of `habits` and
their squares. On 100 songs it told takes as well as gradient boosted trees did (AUC 0.842 and 0.821), in a third of the
time and without another library.

Letters of shapes: n songs twice, real and made; F numbers of a song.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seq2drum.errors import CorpusError
from seq2drum.judge.habits import Numbers, is_of_velocity
from seq2drum.judge.intervals import CRITICS, Scores, Told, told
from seq2drum.judge.measures import BoolArray, Vector
from seq2drum.music.notes import IntArray

FOLDS = 5
LEAST_GROUPS = 10  # of songs, below which there is next to nothing to learn from
PENALTY = 0.02  # of the summed squares of the weights, beside the mean cross entropy
STEPS = 25  # of Newton's method, at most


def song_critic_auc(
    real: Sequence[Numbers | None],
    made: Sequence[Numbers | None],
    *,
    groups: Sequence[str],
    seed: int,
    velocity: bool = True,
    critics: int = CRITICS,
    resamples: int = 1000,
) -> Told:
    """How well songs of made drums can be told from the real ones, by a critic that knows no song of their groups.

    real, made: the habits of each song; a song of which either has none is left out. velocity: whether the critic knows
    how loud hits are.

    Raises:
        CorpusError: there are fewer than LEAST_GROUPS groups of songs.
    """
    # 1. A table of numbers: all real songs, then all made ones.
    both = [(a, b, group) for a, b, group in zip(real, made, groups, strict=True) if a is not None and b is not None]
    names = sorted({group for _, _, group in both})
    if len(names) < LEAST_GROUPS:
        raise CorpusError(
            f"the critic of songs found {len(names)} groups of songs that are long enough; it wants {LEAST_GROUPS} or "
            "more, to learn from some and to judge the rest; give it more songs"
        )
    songs = [row[0] for row in both] + [row[1] for row in both]
    table = np.array([[song[name] for name in songs[0] if velocity or not is_of_velocity(name)] for song in songs])
    is_made = np.arange(len(table)) >= len(both)
    group = np.array([names.index(name) for _, _, name in both])
    # 2. Each fold of groups is scored by a critic that learnt from the others.
    scores = []
    for one in range(seed, seed + critics):
        logits = np.zeros(len(table))
        for fold in np.array_split(np.random.default_rng([one, 3]).permutation(len(names)), FOLDS):
            held = np.isin(np.tile(group, 2), fold)
            logits[held] = _logits(table, is_made, held)
        scores.append(Scores(logits[~is_made], logits[is_made], group))
    return told(scores, len(names), np.random.default_rng([seed, 4]), resamples)


def _logits(table: Vector, is_made: BoolArray, held: BoolArray) -> Vector:
    """(held songs,): how much rather made than real, by a critic that learnt from the songs that are not held back."""
    columns = _columns(table, ~held)
    weights = _weights(columns[~held], is_made[~held])
    logits: Vector = np.round(columns[held] @ weights, 9)  # a copy scores the same, whatever row it is
    return logits


def _columns(table: Vector, known: BoolArray) -> Vector:
    """(n, 1 + 3F): 1; then of each number whether it is missing, its rank among the known songs, and that squared."""
    missing = np.isnan(table)
    middle = [np.median(column[~np.isnan(column)]) if not np.isnan(column).all() else 0.0 for column in table[known].T]
    filled = np.where(missing, middle, table)
    ranks = np.stack([_ranks(column, column[known]) for column in filled.T], axis=1)
    return np.concatenate([np.ones((len(table), 1)), missing, ranks, ranks**2 - 1], axis=1)


def _ranks(values: Vector, known: Vector) -> Vector:
    """(n,): where each value lies among the known ones, with mean 0 and variance 1 if no two are equal."""
    order: IntArray = np.sort(known)
    place = (np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right")) / (2 * len(known))
    ranks: Vector = (place - 0.5) * np.sqrt(12)
    return ranks


def _weights(columns: Vector, is_made: BoolArray) -> Vector:
    """The weights of a logistic regression with a ridge penalty on all but the first, by Newton's method."""
    weights = np.zeros(columns.shape[1])
    penalty = np.full(len(weights), 2 * PENALTY)
    penalty[0] = 1e-9
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-np.clip(columns @ weights, -30, 30)))
        gradient = columns.T @ (likely - is_made) / len(columns) + penalty * weights
        curvature = (columns.T * (likely * (1 - likely))) @ columns / len(columns) + np.diag(penalty)
        change = np.linalg.solve(curvature, gradient)
        weights -= change
        if np.abs(change).max() < 1e-6:
            break
    return weights
