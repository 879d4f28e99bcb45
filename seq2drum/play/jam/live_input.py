"""Live input: the notes of a guitar during a jam, in song time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from seq2drum.music.notes import Part

LONGEST = 8  # quarters after which a note without an end ends
MOST = 48  # notes per quarter that count: all strings of a guitar in 32nds
PITCHES = range(128)


class Strike(NamedTuple):
    """A note of the guitar begins: its quarter from the first barline, MIDI pitch, and velocity 1-127.

    With velocity 0 it ends, as in MIDI.
    """

    quarter: float
    pitch: int
    velocity: int


def in_order(strikes: Iterable[Strike]) -> list[Strike]:
    """Strikes in order of time; at one moment, ends come before beginnings."""
    return sorted(strikes, key=lambda one: (one.quarter, one.velocity > 0, one.pitch))


class LiveInput:
    """Keeps the notes of a guitar, in ticks; takes strikes in order of time."""

    def __init__(self, ticks_per_quarter: int) -> None:
        self._quarter = ticks_per_quarter
        self._notes = list[list[int]]()  # onset, end or -1, pitch, velocity
        self._sounding = dict[int, list[int]]()
        self._crowd = -1, 0  # a quarter, and how many notes began in it

    def hear(self, strike: Strike) -> None:
        """Take the beginning or the end of a note. Ignores invalid notes, and those beyond a guitar."""
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
        """Return the notes from a tick on, counted from there; a note that still sounds lasts until now."""
        longest = LONGEST * self._quarter
        rows = [
            (onset - first, max(min(now if end < 0 else end, onset + longest) - onset, 1), pitch, velocity)
            for onset, end, pitch, velocity in self._notes
            if onset >= first
        ]
        return Part.of(np.array(rows, dtype=np.int64).reshape(-1, 4), program=program)

    def forget(self, tick: int) -> None:
        """Forget notes that began before a tick."""
        self._notes = [note for note in self._notes if note[0] >= tick]
