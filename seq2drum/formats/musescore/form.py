"""The order in which MuseScore plays the measures of a score: its sections, repeats, endings and jumps."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from seq2drum.errors import NotationError
from seq2drum.music.limits import TAB_LIMITS

_MOST_STEPS = 20 * TAB_LIMITS.played
_MOST_JUMPS = 500


class Jump(NamedTuple):
    """A jump behind a measure: to a label, until another, then on at a third; "" for none.

    repeats: whether repeats are played after it.
    """

    to: str
    until: str
    go_on: str
    repeats: bool


@dataclass
class Signs:
    """The signs of a measure. count: how often the passage that it closes is played; 0 if it closes none.

    labels: the names of its markers. ends_section: the form of what comes after it has nothing to do with it.
    """

    opens: bool = False
    count: int = 0
    labels: frozenset[str] = frozenset()
    jump: Jump | None = None
    ends_section: bool = False


class Volta(NamedTuple):
    """An ending: its first measure, that behind it, and the passes on which it is played.

    is_open: its line has no hook at the end; it goes on until another sign of the form.
    """

    first: int
    behind: int
    passes: frozenset[int]
    is_open: bool = False


def order(measures: Sequence[Signs], voltas: Sequence[Volta] = (), most: int = TAB_LIMITS.played) -> list[int]:
    """The indices of the measures in playing order.

    As MuseScore 3.6 and 4 play them:

    - a repeat sign goes back to the last opening one, or to the start of its section, as often as it says; repeat signs
      with one opening sign share its count of passes, by which endings are chosen;
    - a jump waits for the last pass, and is made once on each; after it, passages are played on their last pass, unless
      it says that repeats are played;
    - what comes after its last label is followed on the last pass, too; one whose first label is missing is no jump.

    Raises:
        NotationError: more than `most` measures would be played.
    """
    return _Walk(measures, voltas, most).walk() if measures else []


@dataclass
class _Walk:
    """A walk through the measures. written: the endings as written.

    passes: how often a passage is played, by its first measure; 0 for one that begins behind a jump, whose repeat signs
    are not followed. used: how often each repeat sign was met.
    """

    measures: Sequence[Signs]
    written: Sequence[Volta]
    most: int
    at: int = 0
    start: int = 0
    number: int = 1
    is_last: bool = False  # after a jump: passages are played on their last pass
    until: int | None = None
    go_on: int | None = None
    passes: dict[int, int] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)
    made: set[tuple[int, int]] = field(default_factory=set)  # jumps, with the pass
    followed: int | None = None  # the last jump

    def __post_init__(self) -> None:
        start = 0
        self.sections: list[tuple[int, int]] = []  # of each measure: its section's first measure, and that behind it
        self.starts: list[int] = []  # of each measure
        first = 0
        for at, measure in enumerate(self.measures):
            start = at if measure.opens else start
            self.starts.append(start)
            self.passes.setdefault(start, 1)
            self.passes[start] += max(measure.count - 1, 0)
            if measure.ends_section or at + 1 == len(self.measures):
                self.sections += [(first, at + 1)] * (at + 1 - first)
                first = start = at + 1
        self.endings = _endings(self.written, self.measures)
        self.places: dict[str, list[int]] = {}
        for at, measure in enumerate(self.measures):
            for label in measure.labels:
                self.places.setdefault(label, []).append(at)

    def walk(self) -> list[int]:
        """The measures in playing order."""
        out: list[int] = []
        steps, came_back, jumped = 0, False, False
        while self.at < len(self.measures):
            steps += 1
            if len(out) == self.most or steps > _MOST_STEPS:
                raise NotationError(
                    f"with its repeats played out the score has more than {self.most:,} measures; write fewer repeats"
                )
            # 1. Is it played on this pass?
            at, measure, ending = self.at, self.measures[self.at], self.endings[self.at]
            enters = not jumped and not (came_back and measure.opens)
            if ending is not None and ending.first == at and enters and self.number not in ending.passes:
                self._next(ending.behind - 1)
                came_back = False
                continue
            if measure.opens and not (came_back or jumped):
                self.start, self.number = at, self.passes[at] if self.is_last else 1
            out.append(at)
            # 2. The next measure.
            came_back = jumped = False
            if self.until == at and self._is_last_pass(exactly=True):
                self.until, self.is_last = None, False
                if self.go_on is None:
                    self._begin(self.sections[at][1])
                else:
                    self._arrive(self.go_on, repeats=True)
                    if self.start != self.at:
                        self.start = self.at
                        self.passes.setdefault(self.at, 0)
                    self.go_on, jumped = None, True
            elif self._jump(at):
                jumped = True
            elif self._goes_back(at):
                self.at, self.number, came_back = self.start, self.number + 1, True
            else:
                self._next(at)
        return out

    def _next(self, at: int) -> None:
        self.at = at + 1
        if self.at == self.sections[at][1]:
            self._begin(self.at)

    def _begin(self, at: int) -> None:
        """Go to the start of a section."""
        self.at = self.start = at
        self.number, self.is_last, self.until, self.go_on = 1, False, None, None

    def _is_last_pass(self, *, exactly: bool) -> bool:
        most, passes = self.passes[self.start], self._passes(self.at)
        if self.number == most or (self.number > most and not exactly):
            return True
        return bool(passes) and self.number == max(passes)

    def _passes(self, at: int) -> frozenset[int]:
        """The passes of a measure's ending; none without one."""
        ending = self.endings[at]
        return frozenset() if ending is None else ending.passes

    def _goes_back(self, at: int) -> bool:
        """Count a repeat sign, and return whether it is followed."""
        count = self.measures[at].count
        if not count:
            return False
        self.used[at] = self.used.get(at, 0) + 1
        return self.number < self.passes[self.start] and self.used[at] < count

    # --- jumps --------------------------------------------------------------------------------------------------------

    def _jump(self, at: int) -> bool:
        """Make the jump behind a measure, if there is one to be made; returns whether it was."""
        jump = self.measures[at].jump
        if jump is None:
            return False
        if self.followed == at:
            self.is_last = False
        if not self._is_last_pass(exactly=False) or (at, self.number) in self.made:
            return False
        self.made.add((at, self.number))
        if len(self.made) > _MOST_JUMPS:
            raise NotationError(f"the score makes more than {_MOST_JUMPS} jumps; write fewer repeats and jumps")
        to = self._place(jump.to, at)
        self.until, self.go_on = self._place(jump.until, at), self._place(jump.go_on, at)
        if to is None:
            return False
        has_end = self.until is not None or jump.until == "end"
        self.followed, self.is_last = at, not jump.repeats
        self._arrive(to, repeats=jump.repeats)
        if has_end:
            for sign in range(to, self.sections[to][1]):
                if self.used.get(sign):
                    self.used[sign] = self.measures[sign].count if self.is_last else 0
        if self.endings[to] is not None and self.number < self.passes[self.start]:
            self._count_endings()
        return True

    def _arrive(self, at: int, *, repeats: bool) -> None:
        """Go to a measure, on its first pass or on its last."""
        self.at, self.start = at, self.starts[at]
        whole = 1 if repeats else self.passes[self.start]
        self.number = (min if repeats else max)(self._passes(at), default=whole)

    def _place(self, label: str, at: int) -> int | None:
        """The measure of a label: the nearest before a measure in its section, behind it, or of another section."""
        first, behind = self.sections[at]
        if label == "start":
            return first
        there = self.places.get(label, [])
        count = bisect_right(there, at)
        before, after = there[count - 1 : count] if count else [], there[count : count + 1]
        if before and before[0] < first and after and after[0] < behind:
            return after[0]
        return next(iter(before or after), None)

    def _count_endings(self) -> None:
        """After a jump into an ending: its passage goes back only for the passes that are left."""
        at, seen, end = self.start, 1, self.sections[self.start][1]
        while at < end and seen < self.passes[self.start] and not (at > self.start and self.measures[at].opens):
            count, left = self.measures[at].count, sum(each >= self.number for each in self._passes(at))
            if count and left:
                self.used[at] = count - left - 1
            seen += max(count - 1, 0)
            at += 1


class _Ending(NamedTuple):
    """The measures of an ending, as it is played, and its passes; a part of one where several overlap."""

    first: int
    behind: int
    passes: frozenset[int]


def _endings(voltas: Sequence[Volta], measures: Sequence[Signs]) -> list[_Ending | None]:
    """The ending of each measure.

    A measure of several endings is played on the passes that they share. An open ending goes on to the next ending or
    opening repeat sign, or with the next closing one, jump or end of a section; all endings stop at these repeat signs.
    """
    # 1. The passes as written, and the measures behind open and closed endings.
    written: list[frozenset[int] | None] = [None] * len(measures)
    firsts, stops = set[int](), set[int]()
    for volta in voltas:
        firsts.add(volta.first)
        if not volta.is_open:
            stops.add(volta.behind)
        for at in range(volta.first, min(volta.behind, len(measures))):
            before = written[at]
            written[at] = volta.passes if before is None else before & volta.passes
    # 2. The measures up to which each goes on.
    out: list[_Ending | None] = [None] * len(measures)
    at = 0
    while at < len(measures):
        passes, first = written[at], at
        if passes is None or (at and at not in firsts and at not in stops and written[at - 1] == passes):
            at += 1
            continue
        while at < len(measures):
            measure, at = measures[at], at + 1
            is_over = at == len(measures) or at in firsts or at in stops or measures[at].opens
            is_over |= bool(measure.count) or measure.ends_section
            if is_over or (written[at] is None and measure.jump is not None) or written[at] not in (None, passes):
                break
        out[first:at] = [_Ending(first, at, passes)] * (at - first)
    return out
