"""What was heard of a guitar that is still being played: note after note, in song time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.music import choices
from seq2drum.music.notes import Part

LONGEST = 8  # quarters after which a note that was not ended has ended
MOST = 48  # notes that are heard in a quarter; the strings of a guitar that is played in 32nds
PITCHES = range(128)


class Strike(NamedTuple):
    """A note of the guitar begins: when, in quarters from the first barline on; MIDI pitch; velocity 1-127.

    With the velocity 0 it ends, as in MIDI.
    """

    quarter: float
    pitch: int
    velocity: int


def in_order(strikes: Iterable[Strike]) -> list[Strike]:
    """Strikes in the order of time; of those at one moment, what ends comes before what begins."""
    return sorted(strikes, key=lambda one: (one.quarter, one.velocity > 0, one.pitch))


class Ear:
    """Keeps the notes of a guitar, in ticks; strikes are heard in the order of time."""

    def __init__(self, ticks_per_quarter: int) -> None:
        self._quarter = ticks_per_quarter
        self._notes = list[list[int]]()  # onset, end or -1, pitch, velocity
        self._sounding = dict[int, list[int]]()
        self._crowd = -1, 0  # a quarter, and how many notes began in it

    def hear(self, strike: Strike) -> None:
        """Hear a note begin or end. What is no note is passed over, and so is what no guitar can play."""
        tick = round(strike.quarter * self._quarter)
        if strike.pitch not in PITCHES or tick < 0:
            return
        if (note := self._sounding.pop(strike.pitch, None)) is not None:
            note[1] = max(tick, note[0] + 1)
        quarter = tick // self._quarter
        count = self._crowd[1] if quarter == self._crowd[0] else 0
        if strike.velocity > 0 and count < MOST:
            self._crowd = quarter, count + 1
            note = [tick, -1, strike.pitch, min(strike.velocity, 127)]
            self._notes.append(note)
            self._sounding[strike.pitch] = note

    def part(self, first: int, now: int, program: int) -> Part:
        """What began from a tick on, counted from there, as it is known now: what still sounds has lasted until now."""
        longest = LONGEST * self._quarter
        rows = [
            (onset - first, max(min(now if end < 0 else end, onset + longest) - onset, 1), pitch, velocity)
            for onset, end, pitch, velocity in self._notes
            if onset >= first
        ]
        return Part.of(np.array(rows, dtype=np.int64).reshape(-1, 4), program=program)

    def forget(self, tick: int) -> None:
        """Forget what began before a tick."""
        self._notes = [note for note in self._notes if note[0] >= tick]


FILL, SECTION, STOP, INTENSITY, TEMPO = SIGNS = ("fill", "section", "stop", "intensity", "tempo")
SLOWEST, FASTEST = 30.0, 300.0  # quarters a minute


class Sign(NamedTuple):
    """A sign to the drummer, heeded by the next bar that is not yet decided.

    quarter: when it is given. what: "fill": that bar is one; "section": it is a fill, and leads into another passage,
    `value` its letter or None for a new one; "stop": it is the last, struck on its first beat; "intensity": from it on,
    `value` 0..1; "tempo": from it on, `value` quarters a minute.
    """

    quarter: float
    what: str
    value: float | str | None = None

    @property
    def number(self) -> float:
        """The number that it comes with.

        Raises:
            OptionError: there is none.
        """
        if isinstance(self.value, int | float):
            return float(self.value)
        raise OptionError(f"the sign {self.what!r} comes with {self.value!r}, wanted a number")

    def check(self, known: Sequence[str] = SIGNS) -> None:
        """Raise OptionError if it makes no sense, or is none of those that are known."""
        if self.what not in known:
            raise OptionError(f"there is no sign {self.what!r}; wanted one of {', '.join(known)}")
        if self.what == INTENSITY:
            choices.check("intensity", self.number)
        if self.what == TEMPO and not SLOWEST <= self.number <= FASTEST:
            raise OptionError(f"the tempo is {self.value}, wanted {SLOWEST:g} to {FASTEST:g} quarters a minute")
