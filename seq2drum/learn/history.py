"""The curves of a training run: scalars over time, kept with the run, so that a resumed one has its whole past."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

MOST_POINTS = 512  # of the training curves that are kept

Scalars = Mapping[str, float]
"""Numbers by name. What has no answer is left out."""


class Point(NamedTuple):
    """A place of the curves: how much was seen, in the task's unit, seconds since the beginning, scalars."""

    seen: int
    seconds: float
    scalars: Mapping[str, float] = {}


@dataclass(frozen=True)
class History:
    """All scalars of a run.

    training: points of the running means of its steps, of which one in `every` is kept. validations: all of them.
    """

    training: tuple[Point, ...] = ()
    every: int = 1
    validations: tuple[Point, ...] = ()

    def recorded(self, number: int, point: Point) -> History:
        """With one more point of the training curves, the `number`-th of the run; most of them are left out."""
        if number % self.every:
            return self
        points, every = (*self.training, point), self.every
        if len(points) > MOST_POINTS:
            points, every = points[1::2], 2 * every
        return replace(self, training=points, every=every)

    def validated(self, point: Point) -> History:
        """With one more validation, in place of one after as much was seen."""
        return replace(self, validations=(*(one for one in self.validations if one.seen != point.seen), point))

    def as_json(self) -> str:
        """The whole history as JSON."""
        rows = {"every": self.every, "training": self.training, "validations": self.validations}
        return json.dumps(rows, allow_nan=False)

    @staticmethod
    def from_json(written: str) -> History:
        """The way back.

        Raises:
            ValueError, LookupError, TypeError: it is no history.
        """
        held = json.loads(written)
        return History(_points(held["training"]), int(held["every"]), _points(held["validations"]))


def _points(rows: Sequence[Any]) -> tuple[Point, ...]:
    return tuple(Point(seen, seconds, dict(scalars)) for seen, seconds, scalars in rows)


def duration(seconds: float) -> str:
    """A time in words: seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
