"""Song time: a map from the seconds of a monotonic clock to quarters from the first barline.

A `Line` is such a map. `Steady` keeps a tempo, `Clocked` takes it from a MIDI clock, `Following` from the guitar,
within limits. Each gives a new line when it has a better estimate; nobody asks for times before the start of a line.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple, Protocol

from seq2drum.play.jam.ports import CLOCK, CLOCKS, CONTINUE, HALT, POSITION, START, Transport
from seq2drum.play.jam.signs import FASTEST, SLOWEST


class Line(NamedTuple):
    """At `seconds` the song is at a quarter, and a quarter lasts `length` seconds; from `turn` on, `then` holds."""

    seconds: float
    quarter: float
    length: float
    turn: float = math.inf
    then: float = 0.0

    def seconds_at(self, quarter: float) -> float:
        """Return the moment at which a quarter begins."""
        if quarter <= self.turn:
            return self.seconds + (quarter - self.quarter) * self.length
        return self.seconds + (self.turn - self.quarter) * self.length + (quarter - self.turn) * self.then

    def quarter_at(self, seconds: float) -> float:
        """Return the song's quarter at a moment."""
        quarter = self.quarter + (seconds - self.seconds) / self.length
        return quarter if quarter <= self.turn else self.turn + (quarter - self.turn) * self.length / self.then

    def at(self, seconds: float) -> Line:
        """The same line from a moment on, without its past."""
        quarter = self.quarter_at(seconds)
        if quarter >= self.turn:
            return Line(seconds, quarter, self.then)
        return self._replace(seconds=seconds, quarter=quarter)

    def turned(self, quarter: float, bpm: float) -> Line:
        """The line with another tempo from a quarter on."""
        return self._replace(turn=quarter, then=60 / bpm)

    @property
    def bpm(self) -> float:
        """Quarters a minute."""
        return 60 / self.length


class SongTime(Protocol):
    """A clock of the song."""

    line: Line | None  # None: the song pauses
    bpm: float  # the current tempo in quarters a minute

    def heard(self, seconds: float) -> None:
        """Take the onset of a note or chord of the guitar."""

    def told(self, seconds: float, message: Transport, barline: float) -> None:
        """Take a message of a MIDI clock. barline: the quarter of the next bar that has not begun."""

    def asked(self, bpm: float, barline: float) -> bool:
        """Request another tempo from a barline on; return True if it is possible."""

    def pass_to(self, seconds: float) -> None:
        """Take the current time."""

    def begin(self, seconds: float, quarter: float) -> None:
        """Start at a moment and a quarter."""


class Steady:
    """A constant tempo until another is requested."""

    def __init__(self, bpm: float) -> None:
        self.line: Line | None = None
        self.bpm = bpm

    def begin(self, seconds: float, quarter: float) -> None:
        self.line = Line(seconds, quarter, 60 / self.bpm)

    def heard(self, seconds: float) -> None:
        pass

    def told(self, seconds: float, message: Transport, barline: float) -> None:
        pass

    def asked(self, bpm: float, barline: float) -> bool:
        self.bpm = bpm
        if self.line is not None:
            self.line = self.line.turned(barline, bpm)
        return True

    def pass_to(self, seconds: float) -> None:
        if self.line is not None and self.line.turn < math.inf:
            self.line = self.line.at(seconds)


# --- the guitar -------------------------------------------------------------------------------------------------------

LIMIT = 0.1  # share of the requested tempo by which it may deviate
NEAR = 0.15  # quarters around an eighth within which a note belongs to it; swung eighths are farther away
CHORD = 0.06  # seconds within which notes form one chord
PHASE, PERIOD = 0.3, 0.04  # shares of the guitarist's lateness: the correction of a quarter, and that of the tempo


class Following(Steady):
    """A tempo that follows the guitar: each note near an eighth shifts the beat a little and the tempo less.

    The two gains are those of linear phase and period correction (Mates 1994, "A model of synchronization of motor acts
    to a stimulus sequence"), small, as the guitarist follows the drummer, too.
    """

    def __init__(self, bpm: float, limit: float = LIMIT) -> None:
        super().__init__(bpm)
        self._limit, self._length, self._last = limit, 60 / bpm, -math.inf
        self._asked = bpm

    def heard(self, seconds: float) -> None:
        if self.line is None or seconds - self._last < CHORD:
            return
        self._last = seconds
        line = self.line.at(seconds)
        late = line.quarter - round(2 * line.quarter) / 2
        if abs(late) > NEAR or line.quarter < 0:
            return
        slowest, fastest = (60 / (self._asked * (1 + way * self._limit)) for way in (-1, 1))
        self._length = min(max(self._length * (1 + PERIOD * late), fastest), slowest)
        self.bpm = 60 / self._length
        made_up = self._length * (1 + PHASE * late)
        self.line = Line(seconds, line.quarter, made_up, line.quarter + 1, self._length)

    def asked(self, bpm: float, barline: float) -> bool:
        self._length, self._asked = 60 / bpm, bpm
        return super().asked(bpm, barline)


# --- a MIDI clock -----------------------------------------------------------------------------------------------------

_JUMP = 0.25  # relative deviation of three intervals after a jump of the tempo
_FEW = 4  # the fewest messages for a tempo
GONE = 1.0  # seconds without a message after which a clock has stopped; at the slowest tempo, messages are 83 ms apart


class Clocked:
    """The tempo and the position of a MIDI clock: a straight line through the messages of the last quarter.

    A jump of the tempo discards the messages before it. A song that restarts, or continues elsewhere, continues here
    with the next bar, at the same place in the bar.
    """

    def __init__(self, bpm: float, bar: float) -> None:
        """bpm: the tempo until the clock gives another; bar: quarters of a bar."""
        self.line: Line | None = None
        self.bpm, self._bar = bpm, bar
        self._ticks = deque[float](maxlen=CLOCKS + 1)  # times of the last messages
        self._quarter = 0.0  # of the last message, while it runs
        self._position = 0.0  # at which the master continues
        self._runs = self._is_new = False

    def begin(self, seconds: float, quarter: float) -> None:
        """Do nothing: the clock decides."""

    def heard(self, seconds: float) -> None:
        """Do nothing: the clock leads."""

    def asked(self, bpm: float, barline: float) -> bool:
        """Return False: the clock leads."""
        return False

    def pass_to(self, seconds: float) -> None:
        if self._runs and self._ticks and seconds - self._ticks[-1] > GONE:
            self._halt()

    def told(self, seconds: float, message: Transport, barline: float) -> None:
        if message.status == POSITION:
            self._position = message.quarter
        elif message.status in (START, CONTINUE):
            self._position = 0.0 if message.status == START else self._position
            self._quarter, self._runs, self._is_new = barline + self._position % self._bar, True, True
            if self._length is not None and (coming := self._ticks[-1] + self._length) > seconds:
                self._draw(coming, self._quarter)  # the next message is the first of the song
        elif message.status == HALT:
            self._halt()
        elif message.status == CLOCK:
            self._tick(seconds)

    def _halt(self) -> None:
        self._runs, self.line = False, None
        self._ticks.clear()

    def _tick(self, seconds: float) -> None:
        """Take a message of the clock."""
        ticks = self._ticks
        if ticks and (seconds <= ticks[-1] or seconds - ticks[-1] > GONE):
            ticks.clear()
        ticks.append(seconds)
        if len(ticks) > 2 * _FEW:
            before = (ticks[-_FEW] - ticks[0]) / (len(ticks) - _FEW)
            steps = [ticks[at] - ticks[at - 1] for at in range(-_FEW + 1, 0)]
            if all(abs(step / before - 1) > _JUMP for step in steps):
                last = [ticks[at] for at in range(-_FEW, 0)]
                ticks.clear()
                ticks.extend(last)
        if not self._runs:
            return
        self._position += 0 if self._is_new else 1 / CLOCKS
        self._quarter += 0 if self._is_new else 1 / CLOCKS
        self._is_new = False
        self._draw(seconds, self._quarter)

    def _draw(self, seconds: float, quarter: float) -> None:
        """A line through the last messages, or through this one alone if there are few."""
        length = self._length
        if length is None:
            self.line = Line(seconds, quarter, 60 / self.bpm)
            return
        ticks, count = self._ticks, len(self._ticks)
        self.bpm = min(max(60 / (CLOCKS * length), SLOWEST), FASTEST)
        # The line goes through the middle of the messages; the last of them may be the one before `quarter`.
        ahead = round((seconds - ticks[-1]) / length)
        middle = sum(ticks) / count + length * ((count - 1) / 2 + ahead)
        self.line = Line(middle, quarter, CLOCKS * length)

    @property
    def _length(self) -> float | None:
        """Seconds between two messages, by least squares; None for too few messages."""
        ticks, count = self._ticks, len(self._ticks)
        if count < _FEW:
            return None
        middle = (count - 1) / 2
        above = sum((at - middle) * (tick - ticks[0]) for at, tick in enumerate(ticks))
        return above / (count * (count * count - 1) / 12)
