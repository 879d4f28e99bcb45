"""What was heard of a jam, guitar and drums, as a take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seq2drum.lattice.grid import Grid
from seq2drum.music.counting import later
from seq2drum.music.notes import Part, Song
from seq2drum.music.theory import GuitarChoice
from seq2drum.play.ear import Ear, Strike
from seq2drum.play.guitarist import as_take
from seq2drum.play.jam import JamBar
from seq2drum.play.options import Options
from seq2drum.play.take import Take

NAME, WHY = "Guitar", "the guitar of the jam"
_NONE = Grid.join([])  # in place of a bar's hits on the lattice: a take is made of its notes


class Recording:
    """Keeps what was heard, in song time."""

    def __init__(self, ticks_per_quarter: int) -> None:
        self._ear, self._quarter = Ear(ticks_per_quarter), ticks_per_quarter
        self._bars = list[JamBar]()

    def hear(self, strike: Strike) -> None:
        """Keep a note of the guitar."""
        self._ear.hear(strike)

    def keep(self, bar: JamBar, like: JamBar) -> None:
        """Keep a bar of drums that was heard: that which was decided, or another in its place."""
        if like is not bar:
            part = later(like.part, bar.bar.start - like.bar.start)
            bar = replace(bar, part=part, is_fill=False)
        self._bars.append(replace(bar, hits=_NONE))

    def guitar(self, tick: int, now: int, program: int) -> Part:
        """What was heard from a tick on until another, in ticks of the song."""
        return later(replace(self._ear.part(tick, now, program), name=NAME), tick)

    def take(self, score: Song, options: Options, program: int, quarter: float) -> Take | None:
        """What was heard until a quarter; None if that was before the first bar. score: the tempos and metres."""
        if not self._bars or quarter <= 0:
            return None
        now = max(round(quarter * self._quarter), 1)
        guitar = self.guitar(0, now, program)
        bars = [replace(bar, part=_until(bar.part, now)) for bar in self._bars if bar.bar.start < now]
        bars = bars or [replace(self._bars[0], part=_until(self._bars[0].part, now))]
        length = max(bars[-1].bar.end, guitar.end)
        song = replace(score, parts=(guitar,), length=length)
        return as_take(bars, Take(song, bars[0].part, GuitarChoice((0,), WHY), options))


def _until(part: Part, tick: int) -> Part:
    """What of a part begins before a tick."""
    rows = part.rows[np.asarray(part.onset < tick)]
    kept = Part.of(rows, program=part.program, name=part.name, is_drums=True, is_xg=part.is_xg)
    return replace(kept, pedal=part.pedal[part.pedal[:, 0] < tick])
