"""A guitar tab as it is written: measures with their repeats, and for each track the beats of each measure.

The readers of Guitar Pro files make one; `performed` makes a `Song` of it. Times are in quarters, pitches as they
sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

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
