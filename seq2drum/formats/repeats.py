"""The order in which the measures of a tab or a score are played: repeats, endings, and jumps to signs.

Jumps as musicians read them: a repeat is finished before a jump is made, each jump is made once, and after it nothing
is repeated and only last endings are played, until the coda.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seq2drum.errors import NotationError
from seq2drum.formats.tab import Measure
from seq2drum.music.limits import TAB_LIMITS

_MOST_STEPS = 20  # of reading for each measure that may be played: those that an ending leaves out are read, too
_SIGNS = ("segnosegno", "segno")
_AIMS = ("fine", "doublecoda", "coda")


@dataclass(eq=False)
class _Passage:
    """Measures that are repeated: the first and the last, and how often they are played."""

    first: int
    last: int = 0
    passes: int = 1
    is_closed: bool = False


@dataclass
class _Form:
    """The innermost passage of each measure, and the passes on which it is played."""

    passages: list[_Passage] = field(default_factory=list)
    endings: list[frozenset[int]] = field(default_factory=list)


def played(measures: Sequence[Measure], most: int = TAB_LIMITS.played, what: str = "tab") -> list[int]:
    """The indices of the measures in the order in which they are played.

    what: whose measures they are, for the message.

    Raises:
        NotationError: more than `most` measures would be.
    """
    order: list[int] = []
    form, places = _form(measures), _places(measures)
    begun: dict[_Passage, int] = {}  # on which pass each passage is that is being played; of others the first
    made: set[int] = set()  # jumps
    aim: str | None = None  # after a jump, where it ends: a sign, or "" for the end
    at = steps = 0
    while at < len(measures):
        steps += 1
        # 1. Is it played on this pass?
        passage = form.passages[at]
        for other in [other for other in begun if not other.first <= at <= other.last]:
            del begun[other]
        number = begun.get(passage, 1) if aim is None else passage.passes
        if form.endings[at] and number not in form.endings[at]:
            at += 1
            continue
        if len(order) == most or steps > _MOST_STEPS * most:
            raise NotationError(
                f"with its repeats played out the {what} has more than {most:,} measures; write fewer repeats"
            )
        order.append(at)
        # 2. Where does it go on?
        measure = measures[at]
        if aim is None and measure.repeats and number < passage.passes:
            begun[passage] = number + 1
            at = passage.first
            begun = {other: count for other, count in begun.items() if other is passage or other.first < at}
        elif aim is None and measure.jump.startswith(("dacapo", "dasegno")) and at not in made:
            made.add(at)
            at, aim, begun = _target(measure.jump, places, at), _aim(measure.jump), {}
        elif aim == "fine" and measure.sign == "fine":
            break
        elif aim and measure.jump == f"da{aim}" and (coda := _nearest(places.get(aim, ()), at)) is not None:
            at, aim = coda, None
        else:
            at += 1
    return order


def _form(measures: Sequence[Measure]) -> _Form:
    form = _Form()
    opened: list[_Passage] = []
    ending = frozenset[int]()
    for at, measure in enumerate(measures):
        # 1. A passage that has been closed goes on only with another ending.
        goes_on = not measure.opens and bool(measure.endings)
        if opened and opened[-1].is_closed and not goes_on:
            opened.pop().last = at - 1
            ending = frozenset()
        if measure.opens or not opened:
            opened.append(_Passage(at))
            ending = frozenset()
        # 2. An ending lasts until the passage is closed or another begins.
        passage = opened[-1]
        ending = measure.endings or ending
        passage.passes = max([passage.passes, *ending, measure.repeats + 1 if measure.repeats else 1])
        form.passages.append(passage)
        form.endings.append(ending)
        if measure.repeats:
            passage.is_closed = True
            ending = frozenset()
    for passage in opened:
        passage.last = len(measures) - 1
    return form


def _places(measures: Sequence[Measure]) -> dict[str, list[int]]:
    """Where each sign stands."""
    places: dict[str, list[int]] = {}
    for at, measure in enumerate(measures):
        places.setdefault(measure.sign, []).append(at)
    return places


def _target(jump: str, places: Mapping[str, Sequence[int]], at: int) -> int:
    """Where a jump after measure `at` goes."""
    sign = next((sign for sign in _SIGNS if jump.startswith(f"da{sign}")), None)
    if sign is None:
        return 0
    there = places.get(sign, ())
    before = bisect_right(there, at)
    return there[before - 1] if before else _nearest(there, at) or 0


def _aim(jump: str) -> str:
    return next((aim for aim in _AIMS if jump.endswith(f"al{aim}")), "")


def _nearest(places: Sequence[int], at: int) -> int | None:
    """The next place after `at`, else the last one before; None if there is none."""
    if not places:
        return None
    return places[min(bisect_right(places, at), len(places) - 1)]
