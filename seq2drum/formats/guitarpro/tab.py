"""A guitar tab as it is written: measures with their repeats, and for each track the beats of each measure.

The readers of Guitar Pro files make one; `performed` makes a `Song` of it. Times are in quarters, pitches as they
sound.
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
_SOFTEST, _STEP = 15, 16  # of the velocities of Guitar Pro's dynamics


def velocity_of(dynamic: int, *, louder: int = 0) -> int:
    """The MIDI velocity of a place in DYNAMICS, by so many dynamics louder; 1-127."""
    return max(1, min(127, _SOFTEST + _STEP * (dynamic + louder)))


_ARTICULATIONS = {
    91: 38, 92: 46, 93: 51, 94: 51, 95: 55, 96: 52, 97: 49, 98: 57, 99: 56, 100: 56, 101: 56, 102: 56, 103: 56,
    104: 60, 105: 60, 106: 61, 107: 61, 108: 64, 109: 64, 110: 63, 111: 54, 112: 54, 113: 54, 114: 43, 115: 49,
    116: 49, 117: 69, 118: 70, 119: 70, 120: 70, 122: 82, 123: 53, 124: 62, 125: 62, 126: 59, 127: 59,
}  # fmt: skip
"""Ways to strike that Guitar Pro numbers above the notes of General MIDI, and the notes they sound as."""


def general_midi(articulation: int) -> int:
    """The General MIDI note of one of Guitar Pro's numbers for drums, which are those notes below 91."""
    return _ARTICULATIONS.get(articulation, articulation)


class Touch(NamedTuple):
    """How a note is struck, as far as it changes its loudness or length."""

    is_dead: bool = False
    is_palm_muted: bool = False
    is_ghost: bool = False
    is_slurred: bool = False
    accent: int = 0

    @property
    def louder(self) -> int:
        """By how many dynamics it is louder than written, 0 or less but for accents."""
        return self.accent - 2 * self.is_dead - self.is_palm_muted - self.is_ghost - self.is_slurred


class TabNote(NamedTuple):
    """A note of a beat.

    string: what it is played on, so that a tie finds what it goes on from; of drums the pitch.
    is_tied: it goes on from the note before it on its string. rings: it sounds on until its string is struck again.
    tremolo: the time between its strokes in quarters, where it is picked more than once; else 0.
    """

    pitch: int
    string: int
    velocity: int
    is_tied: bool = False
    rings: bool = False
    tremolo: Fraction = Fraction(0)


class Beat(NamedTuple):
    """Notes that are struck together, none in a rest, and how long that is written to last.

    graces: what is struck in short before them, one after another. is_on_beat: the first of these is where the beat is,
    and the notes come late; else the notes are, and the graces come early.
    """

    duration: Fraction
    notes: tuple[TabNote, ...] = ()
    graces: tuple[tuple[TabNote, ...], ...] = ()
    is_on_beat: bool = False


class Feel(NamedTuple):
    """Of two notes of `unit` quarters that make a beat together, the first has this share of the time."""

    unit: Fraction
    share: Fraction


@dataclass(frozen=True, slots=True)
class Measure:
    """What a measure has for all tracks.

    length: in quarters, as it lasts; less than the metre's for a pickup.
    repeats: how often what ends here is played again. endings: the passes on which it is played, from 1; none: on all.
    sign, jump: where jumps go and what jump is made after it, in small letters without blanks: "segno", "dacapoalfine".
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
    """From a place in a measure on, in quarters from its beginning: quarters a minute.

    is_gradual: from here to the next mark the tempo changes evenly.
    """

    measure: int
    place: Fraction
    bpm: float
    is_gradual: bool = False


@dataclass(frozen=True, slots=True)
class Tab:
    """A whole tab."""

    measures: tuple[Measure, ...]
    tracks: tuple[Track, ...]
    tempos: tuple[TempoMark, ...]


FALLBACK_TICKS = 10_080  # divides by 2 to 10, 12, 14, 15, 16, 18, 20, 21, 24, 28, 30, 32


def ticks_per_quarter(times: Iterable[Fraction]) -> int:
    """The least common multiple of 480 and the denominators of some times in quarters.

    Where that passes MIDI's limit: that of the denominators alone; where that does, too, FALLBACK_TICKS.
    """
    exact = 1
    for denominator in {time.denominator for time in times}:
        exact = math.lcm(exact, denominator)
        if exact > MOST_TICKS_PER_QUARTER:
            return FALLBACK_TICKS
    finer = math.lcm(exact, 480)
    return finer if finer <= MOST_TICKS_PER_QUARTER else exact


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
