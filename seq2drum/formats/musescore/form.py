"""The order in which MuseScore plays the measures of a score: its repeats, endings and jumps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from seq2drum.errors import NotationError
from seq2drum.music.limits import TAB_LIMITS

_MOST_STEPS = 20 * TAB_LIMITS.played


class Jump(NamedTuple):
    """A jump behind a measure: to a label, until another, then on at a third; "" for the end.

    repeats: whether repeats are played after it.
    """

    to: str
    until: str
    go_on: str
    repeats: bool


@dataclass
class Signs:
    """The signs of a measure. count: how often the passage that it closes is played; 0 if it closes none.

    endings: the passes on which it is played; empty for all. labels: the names of its markers.
    """

    opens: bool = False
    count: int = 0
    endings: frozenset[int] = frozenset()
    labels: frozenset[str] = frozenset()
    jump: Jump | None = None


def order(measures: Sequence[Signs], most: int = TAB_LIMITS.played) -> list[int]:
    """The indices of the measures in playing order.

    As MuseScore plays them: a repeat sign goes back to the last opening one, as often as it says, and no more when it
    is met again, unless a jump says so. A jump waits for the repeats around it, and one whose labels are missing is
    none.

    Raises:
        NotationError: more than `most` measures would be played.
    """
    places = {label: at for at in reversed(range(len(measures))) for label in measures[at].labels}
    places["start"] = 0
    left = _counts(measures)
    reached: dict[int, int] = {}  # the last pass of each passage, by its first measure
    out: list[int] = []
    made: set[int] = set()  # jumps
    jump: Jump | None = None  # the one that is being followed
    at, start, number, steps = 0, 0, 1, 0
    while at < len(measures):
        steps += 1
        if len(out) == most or steps > _MOST_STEPS:
            raise NotationError(
                f"with its repeats played out the score has more than {most:,} measures; write fewer repeats"
            )
        # 1. Is it played on this pass?
        measure = measures[at]
        if measure.opens and at != start and not (measure.endings and number in measure.endings):
            start, number = at, 1 if jump is None or jump.repeats else reached.get(at, 1)
        elif measure.opens:
            start = at
        if measure.endings and number not in measure.endings:
            at += 1
            continue
        out.append(at)
        reached[start] = max(number, reached.get(start, 1))
        # 2. The next measure.
        is_until = jump is not None and jump.until in measure.labels
        if is_until and jump is not None and not (jump.repeats and _comes_again(measures, left, at, number)):
            if jump.go_on not in places:
                break
            at, jump = places[jump.go_on], None
            start, number = _start(measures, at), 1
        elif _is_made(measure.jump, places) and at not in made and not _comes_again(measures, left, at, number):
            made.add(at)
            jump = measure.jump
            assert jump is not None
            at = places[jump.to]
            start = _start(measures, at)
            left = _counts(measures) if jump.repeats else left
            number = 1 if jump.repeats else reached.get(start, 1)
        elif left.get(at, 0):
            left[at] -= 1
            at, number = start, number + 1
        else:
            at += 1
    return out


def _counts(measures: Sequence[Signs]) -> dict[int, int]:
    """How often each measure that closes a passage goes back."""
    return {at: measure.count - 1 for at, measure in enumerate(measures) if measure.count}


def _start(measures: Sequence[Signs], at: int) -> int:
    """The measure that opens the passage of another."""
    return next((index for index in range(at, 0, -1) if measures[index].opens), 0)


def _is_made(jump: Jump | None, places: Mapping[str, int]) -> bool:
    """Return whether there is a jump, and all its labels are there."""
    if jump is None or jump.to not in places:
        return False
    return jump.until in ("", "end", *places) and (not jump.go_on or jump.go_on in places)


def _comes_again(measures: Sequence[Signs], left: Mapping[int, int], at: int, number: int) -> bool:
    """Return whether the passage of a measure goes back behind it on this pass, so that a jump there waits."""
    for index in range(at, len(measures)):
        measure = measures[index]
        if measure.opens and index > at:
            return False
        if left.get(index, 0) and (not measure.endings or number in measure.endings):
            return True
    return False
