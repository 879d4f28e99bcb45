"""A guitar tab as written: measures with their repeats, and for each track the beats of each measure.

The readers of Guitar Pro files make one; `performed` makes a `Song` of it. Times are in quarters, pitches sounding.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from seq2drum.errors import NotationError
from seq2drum.music.limits import MOST_TICKS_PER_QUARTER, TAB_LIMITS

DYNAMICS = ("PPP", "PP", "P", "MP", "MF", "F", "FF", "FFF")
"""Guitar Pro's dynamics, from soft to loud."""
_SOFTEST, _STEP = 15, 16  # Guitar Pro's softest dynamic as a velocity, and the distance between two


def velocity_of(dynamic: int, *, louder: int = 0) -> int:
    """The MIDI velocity of an index into DYNAMICS, raised by a number of dynamics; 1-127."""
    return max(1, min(127, _SOFTEST + _STEP * (dynamic + louder)))


_ARTICULATIONS = {
    91: 38, 92: 46, 93: 51, 94: 51, 95: 55, 96: 52, 97: 49, 98: 57, 99: 56, 100: 56, 101: 56, 102: 56, 103: 56,
    104: 60, 105: 60, 106: 61, 107: 61, 108: 64, 109: 64, 110: 63, 111: 54, 112: 54, 113: 54, 114: 43, 115: 49,
    116: 49, 117: 69, 118: 70, 119: 70, 120: 70, 122: 82, 123: 53, 124: 62, 125: 62, 126: 59, 127: 59,
}  # fmt: skip
"""Articulations numbered by Guitar Pro above the notes of General MIDI, and the notes they sound as."""


def general_midi(articulation: int) -> int:
    """The General MIDI note of one of Guitar Pro's drum numbers, which are equal below 91."""
    return _ARTICULATIONS.get(articulation, articulation)


class Articulation(NamedTuple):
    """The articulation of a note, as far as it changes loudness or length."""

    is_dead: bool = False
    is_palm_muted: bool = False
    is_ghost: bool = False
    is_slurred: bool = False
    accent: int = 0

    @property
    def louder(self) -> int:
        """The change of loudness in dynamics, positive only for accents."""
        return self.accent - 2 * self.is_dead - self.is_palm_muted - self.is_ghost - self.is_slurred


class TabNote(NamedTuple):
    """A note of a beat.

    string: the string that a tie continues on; for drums the pitch.
    is_tied: it continues the note before it on its string. rings: it sounds until its string is struck again.
    tremolo: the time between its strokes in quarters, if it is picked more than once; else 0.
    """

    pitch: int
    string: int
    velocity: int
    is_tied: bool = False
    rings: bool = False
    tremolo: Fraction = Fraction(0)


class Beat(NamedTuple):
    """Notes struck together, or a rest, with a written length.

    graces: short notes before it, one after another. is_on_beat: the first grace takes the beat's time and delays the
    notes; else the graces come early.
    """

    duration: Fraction
    notes: tuple[TabNote, ...] = ()
    graces: tuple[tuple[TabNote, ...], ...] = ()
    is_on_beat: bool = False


class Feel(NamedTuple):
    """A swing feel: of two notes of `unit` quarters that make a beat, the first takes this share of the time."""

    unit: Fraction
    share: Fraction


@dataclass(frozen=True, slots=True)
class Measure:
    """The properties of a measure that all tracks share.

    length: in quarters, as it lasts; less than the metre's for a pickup. repeats: how often the passage that ends here
    is played again. endings: the passes on which it is played, from 1; empty for all. sign, jump: the sign that is a
    target of jumps, and the jump made after it, in small letters without blanks: "segno", "dacapoalfine".
    """

    numerator: int
    denominator: int
    length: Fraction
    opens: bool = False
    repeats: int = 0
    endings: frozenset[int] = frozenset()
    section: str = ""
    feel: Feel | None = None
    sign: str = ""
    jump: str = ""


Bars = tuple[tuple[tuple[Beat, ...], ...], ...]
"""The beats of a track: for each measure, for each of its voices."""


@dataclass(frozen=True, slots=True)
class Track:
    """One instrument: its General MIDI program, 0-127, and its beats."""

    name: str
    program: int
    is_drums: bool
    bars: Bars


class TempoMark(NamedTuple):
    """A tempo from a place in a measure on, in quarters from its start, in quarters a minute.

    is_gradual: from here to the next mark the tempo changes evenly.
    """

    measure: int
    place: Fraction
    bpm: float
    is_gradual: bool = False


@dataclass(frozen=True, slots=True)
class Tab:
    """A whole tab. what: the word for it in messages, such as score."""

    measures: tuple[Measure, ...]
    tracks: tuple[Track, ...]
    tempos: tuple[TempoMark, ...]
    what: str = "tab"


FALLBACK_TICKS = 10_080  # divides by 2 to 10, 12, 14, 15, 16, 18, 20, 21, 24, 28, 30, 32


def ticks_per_quarter(times: Iterable[Fraction]) -> int:
    """The least common multiple of 480 and the denominators of some times in quarters.

    If it exceeds MIDI's limit: that of the denominators alone; if that does as well, FALLBACK_TICKS.
    """
    exact = 1
    for denominator in {time.denominator for time in times}:
        exact = math.lcm(exact, denominator)
        if exact > MOST_TICKS_PER_QUARTER:
            return FALLBACK_TICKS
    finer = math.lcm(exact, 480)
    return finer if finer <= MOST_TICKS_PER_QUARTER else exact


_MOST_STEPS = 20  # steps for each measure played: measures that an ending skips take a step as well
_SIGNS = ("segnosegno", "segno")
_AIMS = ("fine", "doublecoda", "coda")


@dataclass(eq=False)
class _Passage:
    """A repeated passage: its first and last measure, and the number of times that it is played."""

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
    """The indices of the measures in playing order.

    what: whose measures they are, for the message.

    Raises:
        NotationError: more than `most` measures would be played.
    """
    order: list[int] = []
    form, places = _form(measures), _places(measures)
    begun: dict[_Passage, int] = {}  # the current pass of each passage in progress; the first by default
    made: set[int] = set()  # jumps
    aim: str | None = None  # the end after a jump: a sign, or "" for the end of the piece
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
        # 2. The next measure.
        measure = measures[at]
        if aim is None and measure.repeats and number < passage.passes:
            begun[passage] = number + 1
            at = passage.first
            begun = {other: count for other, count in begun.items() if other is passage or other.first < at}
        elif aim is None and measure.jump.startswith(("dacapo", "dasegno")) and at not in made:
            made.add(at)
            aim = next((each for each in _AIMS if measure.jump.endswith(f"al{each}")), "")
            at, begun = _target(measure.jump, places, at), {}
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
    """The measures of each sign."""
    places: dict[str, list[int]] = {}
    for at, measure in enumerate(measures):
        places.setdefault(measure.sign, []).append(at)
    return places


def _target(jump: str, places: Mapping[str, Sequence[int]], at: int) -> int:
    """The measure that a jump after measure `at` goes to."""
    sign = next((sign for sign in _SIGNS if jump.startswith(f"da{sign}")), None)
    if sign is None:
        return 0
    there = places.get(sign, ())
    before = bisect_right(there, at)
    return there[before - 1] if before else _nearest(there, at) or 0


def _nearest(places: Sequence[int], at: int) -> int | None:
    """The next place after `at`, else the last one before; None if there is none."""
    if not places:
        return None
    return places[min(bisect_right(places, at), len(places) - 1)]
