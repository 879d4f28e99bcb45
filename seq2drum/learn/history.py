"""What was seen of a training run: its curves, and what was played at some moments of it; kept with the run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from seq2drum.lattice.grid import HIT_LENGTH, Grid

MOST_POINTS = 512  # of the training curve that are kept
MOST_TAKES = 9  # moments of which the takes are kept, to be drawn at the end


class Watched(NamedTuple):
    """What was seen of a run at one moment.

    bars seen and seconds since the beginning; nats a bar in training, on unseen songs, and on these with another song's
    guitar; how many bars of each song were played, 0 if none were, and how many seconds that took, pictures included;
    the figures; takes by song, as far as they are kept.
    """

    bars: int
    seconds: float
    nats: float = math.nan
    validation: float = math.nan
    swapped: float = math.nan
    played: int = 0
    spent: float = 0.0
    figures: Mapping[str, Mapping[str, float]] = {}
    takes: Mapping[str, Grid] = {}


class Point(NamedTuple):
    """A place of the training curve: bars seen, seconds, nats a bar, the learning rate."""

    bars: int
    seconds: float
    nats: float
    rate: float


@dataclass(frozen=True)
class History:
    """All that was seen of a run; kept with it, so that a resumed run has its whole past.

    every: of how many records one is kept as a point.
    """

    points: tuple[Point, ...] = ()
    every: int = 1
    watched: tuple[Watched, ...] = ()

    def recorded(self, number: int, point: Point) -> History:
        """With one more point of the training curve, the `number`-th of the run; most of them are left out."""
        if number % self.every:
            return self
        points, every = (*self.points, point), self.every
        if len(points) > MOST_POINTS:
            points, every = points[1::2], 2 * every
        return replace(self, points=points, every=every)

    def seen(self, moment: Watched) -> History:
        """With one more moment, in place of one after as many bars; takes that have others close by are forgotten."""
        watched = [*(one for one in self.watched if one.bars != moment.bars), moment]
        having = [index for index, one in enumerate(watched) if one.takes]
        if len(having) > MOST_TAKES:
            inner = zip(having, having[1:-1], having[2:], strict=False)
            crowded = min(inner, key=lambda three: (watched[three[2]].bars - watched[three[0]].bars, three))[1]
            watched[crowded] = watched[crowded]._replace(takes={})
        return replace(self, watched=tuple(watched))

    @property
    def spent(self) -> float:
        """Seconds that went into playing."""
        return sum(moment.spent for moment in self.watched)

    def as_json(self) -> str:
        """The whole history as JSON: what is no number is null."""
        rows = []
        for moment in self.watched:
            takes = {name: np.stack(take[:4], axis=1).tolist() for name, take in moment.takes.items()}
            rows.append({name: _or_none(value) for name, value in moment._asdict().items()} | {"takes": takes})
        points = [[_or_none(value) for value in point] for point in self.points]
        return json.dumps({"every": self.every, "points": points, "watched": rows}, allow_nan=False)

    @staticmethod
    def from_json(written: str) -> History:
        """The way back.

        Raises:
            ValueError, LookupError, TypeError: it is no history.
        """
        found = json.loads(written)
        points = tuple(
            Point(bars, seconds, math.nan if nats is None else nats, rate)
            for bars, seconds, nats, rate in found["points"]
        )
        watched = []
        for row in found["watched"]:
            row = {name: math.nan if value is None else value for name, value in row.items()}
            watched.append(Watched(**row | {"takes": {name: _grid(rows) for name, rows in row["takes"].items()}}))
        return History(points, int(found["every"]), tuple(watched))


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _grid(rows: Sequence[Sequence[int]]) -> Grid:
    step, key, velocity, offset = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Grid(step, key, velocity, offset, np.full(len(rows), HIT_LENGTH))


def duration(seconds: float) -> str:
    """A time in words: seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
