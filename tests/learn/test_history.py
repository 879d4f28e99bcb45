"""The curves of a run."""

from __future__ import annotations

import numpy as np

from seq2drum.learn.run.task import MOST_POINTS, History, Point


def curve(first: int, stop: int, history: History) -> History:
    for step in range(first, stop):
        history = history.recorded(step, Point(step, step, {"loss": 1 / step}))
    return history


def test_a_history_comes_back_as_it_was() -> None:
    history = curve(1, 5, History()).validated(Point(7, 1.5, {"loss": 0.25})).validated(Point(9, 2.5))
    assert History.from_json(history.as_json()) == history
    assert History.from_json(History().as_json()) == History()


def test_a_validation_takes_the_place_of_one_after_as_much_was_seen() -> None:
    history = History().validated(Point(7, 1.0, {"loss": 3.0})).validated(Point(7, 2.0, {"loss": 2.0}))
    assert history.validations == (Point(7, 2.0, {"loss": 2.0}),)
    assert [point.seen for point in history.validated(Point(8, 3.0)).validations] == [7, 8]


def test_a_long_curve_keeps_a_bounded_number_of_points_evenly() -> None:
    history = curve(1, 20 * MOST_POINTS, History())
    steps = [point.seen for point in history.training]
    assert MOST_POINTS / 2 <= len(steps) <= MOST_POINTS
    assert set(np.diff(steps)) == {history.every}
    # A run that is taken up again in the middle goes on as if it had not been away.
    broken = History.from_json(curve(1, 7001, History()).as_json())
    assert curve(7001, 20 * MOST_POINTS, broken) == history
