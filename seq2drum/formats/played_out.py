"""The repeats of a music21 score: which of its measures are played, when, and what that makes of times in quarters.

Measures are put in order before anything is copied, so that a few signs that ask for millions of notes cost nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from typing import Any

from seq2drum.errors import NotationError
from seq2drum.formats.repeats import played
from seq2drum.formats.tab import Measure
from seq2drum.music import metres
from seq2drum.music.limits import SCORE_LIMITS
from seq2drum.music.notes import DEFAULT_METRE

_JUMPS = {
    "DaCapo": "dacapo",
    "DaCapoAlFine": "dacapoalfine",
    "DaCapoAlCoda": "dacapoalcoda",
    "AlSegno": "dasegno",
    "DalSegno": "dasegno",
    "DalSegnoAlFine": "dasegnoalfine",
    "DalSegnoAlCoda": "dasegnoalcoda",
}
"""music21's classes of jumps, as `tab.Measure` has them."""


@dataclass(frozen=True)
class Played:
    """The measures of a score in the order in which they are played.

    bars: each as often as it is played. starts: where each is played, in quarters, and where the last one ends.
    """

    bars: tuple[Measure, ...]
    starts: tuple[Fraction, ...]
    _runs: tuple[tuple[Fraction, Fraction | None, Fraction], ...]  # written from, written to, by how much later

    def times(self, written: Sequence[Fraction], most: int, what: str) -> Iterator[tuple[int, Fraction]]:
        """(index, by how many quarters later than written) of everything that is played, in the order of playing.

        written: where each thing is written, in order. what: the things, for the message.

        Raises:
            NotationError: there are more than `most`. They are counted first.
        """
        found = [
            (bisect_left(written, start), len(written) if stop is None else bisect_left(written, stop), later)
            for start, stop, later in self._runs
        ]
        if sum(stop - start for start, stop, _ in found) > most:
            raise NotationError(f"the score has more than {most:,} {what} with its repeats played out; write fewer")
        return ((index, later) for start, stop, later in found for index in range(start, stop))


def played_out(score: Any) -> Played:
    """What is played of a music21 score, by the measures of its first part and the signs in all parts.

    Raises:
        NotationError: it has no measures, a metre that is none, or more measures than SCORE_LIMITS.played are played.
    """
    written = [list(part.getElementsByClass("Measure")) for part in score.parts]
    if not written:
        raise NotationError("the score has no parts; wanted is one with a guitar part")
    if not written[0]:
        raise NotationError("the score has no measures; wanted is one with a guitar part")
    starts = [Fraction(measure.offset) for measure in written[0]]
    ends = [*starts[1:], starts[-1] + Fraction(written[0][-1].duration.quarterLength)]
    measures = _with_signs(_bars(written[0], starts, ends), score, written)
    order = played(measures, SCORE_LIMITS.played, "score")
    bars = [measures[index] for index in order]
    if len(bars) > 1:  # a song ends at a barline
        last = bars[-1]
        bars[-1] = replace(last, length=max(last.length, Fraction(4 * last.numerator, last.denominator)))
    places = list(accumulate((bar.length for bar in bars), initial=starts[0]))
    return Played(tuple(bars), tuple(places), tuple(_runs(order, starts, ends, places)))


def _runs(
    order: Sequence[int], starts: Sequence[Fraction], ends: Sequence[Fraction], places: Sequence[Fraction]
) -> Iterator[tuple[Fraction, Fraction | None, Fraction]]:
    """Measures that are played one after another as written: from where to where, None for the end, and how late."""
    first = 0
    for at, index in enumerate(order):
        if at + 1 < len(order) and order[at + 1] == index + 1:
            continue
        begin = starts[order[first]]
        yield begin, None if index + 1 == len(starts) else ends[index], places[first] - begin
        first = at + 1


def _bars(written: Sequence[Any], starts: Sequence[Fraction], ends: Sequence[Fraction]) -> list[Measure]:
    """The measures of a part with their lengths and metres."""
    out = []
    metre = DEFAULT_METRE[1:]
    for measure, start, end in zip(written, starts, ends, strict=True):
        if measure.timeSignature is not None:
            metre = (measure.timeSignature.numerator, measure.timeSignature.denominator)
            if metre[0] not in metres.NUMERATORS or metre[1] not in metres.DENOMINATORS:
                raise NotationError(f"the metre {metre[0]}/{metre[1]} is beyond the limit of 64/64")
        out.append(Measure(*metre, end - start))
    return out


def _with_signs(measures: list[Measure], score: Any, written: Sequence[Sequence[Any]]) -> list[Measure]:
    """The measures with the repeats, endings, signs and jumps of all parts: programs write them in one part or in each.

    music21 may write the end of a passage on the left of the measure after it.
    """
    out = list(measures)
    places = {id(measure): at for part in written for at, measure in enumerate(part[: len(measures)])}
    # 1. Repeats.
    for part in written:
        for at, measure in enumerate(part[: len(measures)]):
            for bar, end in ((measure.leftBarline, at - 1), (measure.rightBarline, at)):
                direction = getattr(bar, "direction", "")
                if direction == "start":
                    out[at] = replace(out[at], opens=True)
                elif direction == "end" and end >= 0:
                    out[end] = replace(out[end], repeats=max(out[end].repeats, (bar.times or 2) - 1))
    # 2. Endings.
    for bracket in score.recurse().getElementsByClass("RepeatBracket"):
        numbers = frozenset(bracket.numberRange) - {0}
        inside = [places[id(measure)] for measure in bracket.getSpannedElements() if id(measure) in places]
        for at in range(min(inside, default=0), max(inside, default=-1) + 1):
            out[at] = replace(out[at], endings=out[at].endings | numbers)
    # 3. Signs and jumps. Of two codas the first is where one leaves for the second.
    codas: set[int] = set()
    for part in written:
        for at, measure in enumerate(part[: len(measures)]):
            for mark in measure.getElementsByClass("RepeatExpression"):
                name = type(mark).__name__
                if name in _JUMPS:
                    out[at] = replace(out[at], jump=_JUMPS[name])
                elif name == "Coda":
                    codas.add(at)
                else:
                    out[at] = replace(out[at], sign=name.lower())
    if len(codas) > 1:
        first, *others = sorted(codas)
        out[first] = replace(out[first], jump=out[first].jump or "dacoda")
        for at in others:
            out[at] = replace(out[at], sign="coda")
    return out
