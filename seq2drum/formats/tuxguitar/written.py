"""A tab of TuxGuitar as its files of all versions state it, on the way to a `Tab`; and the order of its measures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from seq2drum.errors import NotationError
from seq2drum.formats.guitarpro.tab import (
    Articulation,
    Bars,
    Beat,
    Feel,
    Measure,
    Tab,
    TabNote,
    TempoMark,
    Track,
)
from seq2drum.music.limits import TAB_LIMITS

WAY_OUT = "open it in TuxGuitar and save it again, or choose File > Export > MIDI"
LOUDNESS = 95  # of a note before any is stated
_FEELS = {1: Feel(Fraction(1, 2), Fraction(2, 3)), 2: Feel(Fraction(1, 4), Fraction(2, 3))}
_MOST_STEPS = 20 * TAB_LIMITS.played
_STEP = 16  # of velocity, between two dynamics
_PASSES = 8  # of an ending, as bits


class Head(NamedTuple):
    """What the tracks share in a measure.

    bpm: quarters a minute. repeats: how often the passage that it closes is played again. endings: the passes on which
    it is played as bits, the first lowest; 0 for all. feel: 1 for eighths, 2 for sixteenths that swing.
    """

    numerator: int
    denominator: int
    bpm: float
    opens: bool = False
    repeats: int = 0
    endings: int = 0
    section: str = ""
    feel: int = 0

    @property
    def length(self) -> Fraction:
        """In quarters.

        Raises:
            NotationError: the metre is none.
        """
        if not (0 < self.numerator <= 64 and 0 < self.denominator <= 64):
            raise NotationError(f"a measure is in {self.numerator}/{self.denominator}; no bar is so long: {WAY_OUT}")
        return Fraction(4 * self.numerator, self.denominator)


class Grace(NamedTuple):
    """A short note before a note, on its string."""

    fret: int
    velocity: int
    is_dead: bool
    is_on_beat: bool


class WrittenNote(NamedTuple):
    """A note. string: from 1, the highest. tremolo: the time between its strokes in quarters, or 0."""

    fret: int
    string: int
    velocity: int
    is_tied: bool = False
    articulation: Articulation = Articulation()
    hammers: bool = False
    rings: bool = False
    tremolo: Fraction = Fraction(0)
    grace: Grace | None = None


@dataclass
class Voice:
    """The beats of a voice of a measure, each with its start in the measure, in quarters."""

    beats: list[tuple[Fraction, Fraction, tuple[WrittenNote, ...]]] = field(default_factory=list)


class WrittenTrack(NamedTuple):
    """A track. tuning: the pitches of its strings at the capo, the highest first. bars: the voices of each measure."""

    name: str
    program: int
    is_drums: bool
    tuning: Sequence[int]
    bars: Sequence[Sequence[Voice]]


class Counter:
    """Counts beats and notes while a file is read."""

    def __init__(self) -> None:
        self.beats = self.notes = 0

    def add(self, notes: int) -> None:
        """Count a beat and its notes.

        Raises:
            NotationError: there are too many.
        """
        self.beats += 1
        self.notes += notes
        if self.beats > TAB_LIMITS.beats or self.notes > TAB_LIMITS.notes:
            raise NotationError(
                f"the tab has more than {TAB_LIMITS.beats:,} beats or {TAB_LIMITS.notes:,} notes; wanted at most that"
            )


def check_counts(measures: int, tracks: int) -> None:
    """Raise a NotationError if there are too many measures or tracks, or none."""
    for count, most, what in (
        (measures, TAB_LIMITS.measures, "measures"),
        (tracks, TAB_LIMITS.tracks, "tracks"),
        (measures * tracks, TAB_LIMITS.bars, "measures in all tracks together"),
    ):
        if not 0 < count <= most:
            raise NotationError(f"the tab has {count:,} {what}; wanted 1 to {most:,}: is it damaged?")


@lru_cache(maxsize=4096)
def duration(value: int, dots: int, enters: int, times: int) -> Fraction:
    """The length of a beat in quarters: a value such as 8, with dots, so many (enters) in the time of others (times).

    Raises:
        NotationError: it is none.
    """
    if not (1 <= value <= 64 and 1 <= enters <= 64 and 1 <= times <= 64):
        raise NotationError(f"a beat lasts 1/{value}, {enters} in the time of {times}; no beat does: {WAY_OUT}")
    return Fraction(4, value) * (2 - Fraction(1, 2**dots)) * Fraction(times, enters)


def line(text: str) -> str:
    """A name in one line."""
    return " ".join(text[:1000].split())


# --- the tab ----------------------------------------------------------------------------------------------------------


def tab_of(heads: Sequence[Head], tracks: Iterable[WrittenTrack]) -> Tab:
    """The tab of what is written."""
    measures = tuple(
        Measure(head.numerator, head.denominator, head.length, section=head.section, feel=_FEELS.get(head.feel))
        for head in heads
    )
    tempos = tuple(TempoMark(number, Fraction(0), head.bpm) for number, head in enumerate(heads))
    return Tab(measures, tuple(_track(track) for track in tracks), tempos)


def _track(track: WrittenTrack) -> Track:
    most = max((len(bar) for bar in track.bars), default=0)
    voices = [
        _line_of([bar[voice] if voice < len(bar) else Voice() for bar in track.bars], track) for voice in range(most)
    ]
    bars: Bars = tuple(zip(*voices, strict=True)) if voices else ((),) * len(track.bars)
    return Track(track.name, track.program if 0 <= track.program <= 127 else 0, track.is_drums, bars)


def _line_of(bars: Sequence[Voice], track: WrittenTrack) -> list[tuple[Beat, ...]]:
    """The beats of a voice, measure by measure."""
    out, hammered = [], set[int]()  # strings on which the next note is slurred
    for voice in bars:
        beats, filled = list[Beat](), Fraction(0)
        for start, length, notes in voice.beats:
            if start != filled:
                if start > filled:
                    beats.append(Beat(start - filled))
                last = max(start + length, filled)
                length = last - max(start, filled)
            else:
                last = start + length
            played = tuple(_note(note, track, note.string in hammered and not track.is_drums) for note in notes)
            graced = [(note.string, note.grace) for note in notes if note.grace is not None]
            graces = (tuple(_grace(grace, string, track) for string, grace in graced),) if graced else ()
            beats.append(Beat(length, played, graces, any(grace.is_on_beat for _, grace in graced)))
            filled = last
            hammered -= {note.string for note in notes}
            hammered |= {note.string for note in notes if note.hammers}
        out.append(tuple(beats))
    return out


def _note(note: WrittenNote, track: WrittenTrack, is_slurred: bool) -> TabNote:
    articulation = note.articulation._replace(is_slurred=True) if is_slurred else note.articulation
    pitch = _pitch(note.fret, note.string, track)
    is_damped = articulation.is_dead or articulation.is_palm_muted
    return TabNote(
        pitch,
        note.string,
        _velocity(note.velocity, articulation),
        note.is_tied,
        rings=note.rings and not is_damped,
        tremolo=note.tremolo,
    )


def _grace(grace: Grace, string: int, track: WrittenTrack) -> TabNote:
    return TabNote(
        _pitch(grace.fret, string, track), string, _velocity(grace.velocity, Articulation(is_dead=grace.is_dead))
    )


def _pitch(fret: int, string: int, track: WrittenTrack) -> int:
    if not 1 <= string <= len(track.tuning):
        raise NotationError(f"a note is on string {string} of {len(track.tuning)} of {track.name!r}: {WAY_OUT}")
    return track.tuning[string - 1] + fret


def _velocity(velocity: int, articulation: Articulation) -> int:
    """A velocity as played."""
    return max(1, min(127, velocity + _STEP * articulation.louder))


# --- the order of measures --------------------------------------------------------------------------------------------


def order(heads: Sequence[Head]) -> list[int]:
    """The indices of the measures in the order in which TuxGuitar plays them.

    A closing sign goes back to the last opening one, or to the start, as often as it says; in an ending, until the pass
    has no ending any more. An ending holds up to the next closing sign.

    Raises:
        NotationError: more than TAB_LIMITS.played measures would be played.
    """
    out: list[int] = []
    at = start = number = ending = steps = 0  # number: the pass, from 0
    latest, is_open = -1, True
    while at < len(heads):
        steps += 1
        if len(out) == TAB_LIMITS.played or steps > _MOST_STEPS:
            raise NotationError(
                f"with its repeats played out the tab has more than {TAB_LIMITS.played:,} measures; write fewer repeats"
            )
        head = heads[at]
        if head.opens or at == 0:
            start, is_open = at, True
            if head.opens and at > latest:
                number = ending = 0
        if not head.opens:
            ending = ending or head.endings
            if is_open and ending and not (number < _PASSES and ending >> number & 1):
                ending = 0 if head.repeats else ending
                at += 1
                continue
        out.append(at)
        latest = max(latest, at)
        if is_open and head.repeats:
            goes_back = number < head.repeats or ending > 0
            number, is_open, ending = (number + 1, True, 0) if goes_back else (0, False, 0)
            at = start if goes_back else at + 1
        else:
            at += 1
    return out
