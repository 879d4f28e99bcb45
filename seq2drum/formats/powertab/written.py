"""A tab of Power Tab as its files state it, system by system, on the way to a `Tab`.

A system has barlines, which part its positions into bars, and staves; which guitars play a staff may change at any bar.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar

from seq2drum.errors import NotationError
from seq2drum.formats.guitarpro.tab import Articulation, Beat, Feel, Measure, Tab, TabNote, TempoMark, Track
from seq2drum.music.limits import TAB_LIMITS

WAY_OUT = "open it in Power Tab Editor 2 and export it from there, as Guitar Pro (.gp) or as MIDI"
_VELOCITY, _STEP = 95, 16  # of a note without an accent; of an accent
_NO_TIME = Fraction(0)
_TREMOLO = Fraction(1, 8)  # quarters between the strokes of tremolo picking
_FEELS = {1: Feel(Fraction(1, 2), Fraction(2, 3)), 2: Feel(Fraction(1, 4), Fraction(2, 3))}
SYMBOLS = (
    "coda", "doublecoda", "segno", "segnosegno", "fine", "dacapo", "dasegno", "dasegnosegno", "dacoda", "dadoublecoda",
    "dacapoalcoda", "dacapoaldoublecoda", "dasegnoalcoda", "dasegnoaldoublecoda", "dasegnosegnoalcoda",
    "dasegnosegnoaldoublecoda", "dacapoalfine", "dasegnoalfine", "dasegnosegnoalfine",
)  # fmt: skip
"""The signs and jumps in Power Tab's order, in the words of `guitarpro.tab.Measure`; the first five are signs."""
_SIGNS = 5
T = TypeVar("T")


class WrittenNote(NamedTuple):
    """A note. string: from 0, the highest."""

    string: int
    fret: int
    is_tied: bool = False
    is_dead: bool = False
    is_ghost: bool = False
    hammers: bool = False


class Position(NamedTuple):
    """A chord or a rest at a place in its system. length: in quarters; bars: how many it rests, or 0."""

    at: int
    length: Fraction
    notes: tuple[WrittenNote, ...] = ()
    is_grace: bool = False
    rings: bool = False
    is_palm_muted: bool = False
    accent: int = 0
    is_tremolo: bool = False
    bars: int = 0


class Barline(NamedTuple):
    """A barline. plays: how often the passage that ends here is played; 0 if none ends."""

    at: int
    opens: bool
    plays: int
    numerator: int
    denominator: int
    section: str = ""


@dataclass
class System:
    """A system. barlines: with that at its end. staves: the voices of each. players: by staff, from a position on.

    tempos: (position, quarters a minute, feel: 1 for eighths, 2 for sixteenths, 3 for none, 0 as before).
    """

    barlines: list[Barline] = field(default_factory=list)
    staves: list[list[list[Position]]] = field(default_factory=list)
    endings: list[tuple[int, frozenset[int]]] = field(default_factory=list)
    directions: list[tuple[int, int]] = field(default_factory=list)
    tempos: list[tuple[int, float, int]] = field(default_factory=list)
    players: list[tuple[int, dict[int, tuple[int, ...]]]] = field(default_factory=list)


class Player(NamedTuple):
    """A guitar. tuning: the pitches of its strings with the capo, the highest first."""

    name: str
    program: int
    tuning: tuple[int, ...]


class Score(NamedTuple):
    """Systems, and the guitars that play them."""

    systems: Sequence[System]
    players: Sequence[Player]


class Counter:
    """Counts positions, notes and others while a file is read."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, what: str, most: int, count: int = 1) -> None:
        """Count.

        Raises:
            NotationError: there are more than `most`.
        """
        self._counts[what] = self._counts.get(what, 0) + count
        if self._counts[what] > most:
            raise NotationError(f"the tab has more than {most:,} {what}; wanted at most that")


# --- bars -------------------------------------------------------------------------------------------------------------


class _Bar(NamedTuple):
    """A bar: its measure, the voices of each player, its tempo (0 if it has none)."""

    measure: Measure
    voices: Mapping[int, tuple[tuple[Position, ...], ...]]
    bpm: float


def tab_of(scores: Sequence[Score]) -> Tab:
    """The tab of scores that sound together, bar by bar; the form is that of the longest.

    Raises:
        NotationError: beyond TAB_LIMITS, or a note on a string that its guitar does not have.
    """
    staves = sum(len(system.staves) * len(system.barlines) for score in scores for system in score.systems)
    if staves > TAB_LIMITS.bars:
        raise NotationError(f"the tab has {staves:,} bars in all staves; at most {TAB_LIMITS.bars:,} are read")
    bars = [list(_bars(score)) for score in scores]
    longest = max(bars, key=len, default=[])
    tracks = []
    for score, own in zip(scores, bars, strict=True):
        for number, player in enumerate(score.players):
            voices = [bar.voices.get(number, ()) for bar in own]
            if any(position.notes for bar in voices for voice in bar for position in voice):
                tracks.append(_track(player, [*voices, *[()] * (len(longest) - len(voices))]))
    if len(tracks) > TAB_LIMITS.tracks or len(tracks) * len(longest) > TAB_LIMITS.bars:
        raise NotationError(f"the tab has {len(tracks)} guitars in {len(longest):,} bars; wanted fewer")
    tempos = tuple(TempoMark(number, Fraction(0), bar.bpm) for number, bar in enumerate(longest) if bar.bpm)
    first = () if tempos and not tempos[0].measure else (TempoMark(0, Fraction(0), 120.0),)
    return Tab(tuple(bar.measure for bar in longest), tuple(tracks), (*first, *tempos))


def _bars(score: Score) -> Iterator[_Bar]:
    """The bars of a score; those in which nothing stands are left out, as between two repeat signs."""
    active: dict[int, tuple[int, ...]] = {}
    feel: Feel | None = None
    held: _Bar | None = None  # the last bar, which a repeat sign may still close
    opens, section, count = False, "", 0
    for system in score.systems:
        changes = _Placed(system.players)
        marks = _Placed((at, (bpm, kind)) for at, bpm, kind in system.tempos)
        endings, directions = _Placed(system.endings), _Placed(system.directions)
        voices_of = [[_Placed((each.at, each) for each in voice) for voice in staff] for staff in system.staves]
        for left, right in pairwise(system.barlines):
            # 1. Who plays, and how.
            for players in changes.between(left, right):
                active = active | players
            tempos = marks.between(left, right)
            feel = next((_FEELS.get(kind) for _, kind in reversed(tempos) if kind), feel)
            bpm = next((bpm for bpm, _ in reversed(tempos) if bpm), 0.0)
            # 2. What stands in it.
            staves = [[voice.between(left, right) for voice in staff] for staff in voices_of]
            opens, section = opens or left.opens, section or left.section
            if not any(voice for staff in staves for voice in staff):
                if right.plays and held is not None and not held.measure.repeats:
                    held = held._replace(measure=replace(held.measure, repeats=right.plays - 1))
                continue
            measure = _measure(left, right, endings.between(left, right), directions.between(left, right))
            measure = replace(measure, opens=opens, feel=feel, section=section)
            opens, section = False, ""
            voices: dict[int, tuple[tuple[Position, ...], ...]] = {}
            for number, staff in enumerate(staves):
                usual = (number,) if not active else ()
                for player in active.get(number, usual):
                    voices[player] = (*voices.get(player, ()), *staff)
            # 3. A rest of many bars is so many.
            rests = max((position.bars for staff in staves for voice in staff for position in voice), default=0)
            for number in range(max(rests, 1)):
                if held is not None:
                    yield held
                count += 1
                if count > TAB_LIMITS.measures:
                    raise NotationError(f"the tab has more than {TAB_LIMITS.measures:,} bars; wanted at most that")
                is_first, is_last = number == 0, number == max(rests, 1) - 1
                own = measure if is_first else replace(measure, opens=False, section="", sign="")
                own = own if is_last else replace(own, repeats=0, jump="")
                held = _Bar(own, voices if is_first else {}, bpm if is_first else 0.0)
    if held is not None:
        yield held


class _Placed(Generic[T]):
    """Items at positions of a system, in order."""

    def __init__(self, items: Iterable[tuple[int, T]]) -> None:
        self._items = sorted(items, key=lambda item: item[0])

    def between(self, left: Barline, right: Barline) -> tuple[T, ...]:
        """Those from a barline on to another."""
        first, behind = (bisect_left(self._items, line.at, key=lambda item: item[0]) for line in (left, right))
        return tuple(item for _, item in self._items[first:behind])


def _measure(left: Barline, right: Barline, endings: Sequence[frozenset[int]], symbols: Sequence[int]) -> Measure:
    """The measure between two barlines."""
    if not (0 < left.numerator <= 64 and 0 < left.denominator <= 64):
        raise NotationError(f"a bar is in {left.numerator}/{left.denominator}; no bar is so long: {WAY_OUT}")
    symbols = [symbol for symbol in symbols if symbol < len(SYMBOLS)]
    return Measure(
        left.numerator,
        left.denominator,
        Fraction(4 * left.numerator, left.denominator),
        repeats=max(right.plays - 1, 0),
        endings=frozenset(number for numbers in endings for number in numbers),
        sign=next((SYMBOLS[symbol] for symbol in symbols if symbol < _SIGNS), ""),
        jump=next((SYMBOLS[symbol] for symbol in symbols if symbol >= _SIGNS), ""),
    )


# --- notes ------------------------------------------------------------------------------------------------------------


def _track(player: Player, bars: Sequence[Sequence[Sequence[Position]]]) -> Track:
    hammered = set[int]()  # strings on which the next note is slurred
    out = tuple(tuple(_beats(voice, player, hammered) for voice in bar) for bar in bars)
    return Track(player.name, player.program if 0 <= player.program <= 127 else 0, False, out)


def _beats(voice: Sequence[Position], player: Player, hammered: set[int]) -> tuple[Beat, ...]:
    out, graces = list[Beat](), list[tuple[TabNote, ...]]()
    for position in voice:
        notes = tuple(_note(note, position, player, note.string in hammered) for note in position.notes)
        hammered -= {note.string for note in position.notes}
        hammered |= {note.string for note in position.notes if note.hammers}
        if position.is_grace:
            graces.append(notes)
        elif not position.bars:
            out.append(Beat(position.length, notes, tuple(graces)))
            graces = []
    return tuple(out)


def _note(note: WrittenNote, position: Position, player: Player, is_slurred: bool) -> TabNote:
    if not 0 <= note.string < len(player.tuning):
        raise NotationError(
            f"a note is on string {note.string + 1} of {len(player.tuning)} of {player.name[:40]!r}: {WAY_OUT}"
        )
    shape = Articulation(note.is_dead, position.is_palm_muted, note.is_ghost, is_slurred, position.accent)
    return TabNote(
        player.tuning[note.string] + note.fret,
        note.string,
        max(1, min(127, _VELOCITY + _STEP * shape.louder)),
        note.is_tied,
        rings=position.rings and not (note.is_dead or position.is_palm_muted),
        tremolo=_TREMOLO if position.is_tremolo else _NO_TIME,
    )


@lru_cache(maxsize=64)
def length(value: int, dots: int) -> Fraction:
    """The length of a position in quarters.

    Raises:
        NotationError: it is none.
    """
    if value not in (1, 2, 4, 8, 16, 32, 64):
        raise NotationError(f"a note of the tab lasts 1/{value}; no note does: {WAY_OUT}")
    return Fraction(4, value) * (2 - Fraction(1, 2**dots))


def line(text: str) -> str:
    """A name in one line."""
    return " ".join(text[:1000].split())
