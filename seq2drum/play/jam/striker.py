"""The sender of a jam's hits: a thread that sends each hit on time, and allocates nothing in its loop.

Bars are prepared elsewhere (`Messages`) and handed over whole: one sounds, one is next. If the next one is missing
DEADLINE seconds before its barline, the groove repeats: never silence, never a late hit.
"""

from __future__ import annotations

import math
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from seq2drum.music.notes import Bar, Part
from seq2drum.play.jam import ports as messages
from seq2drum.play.jam.songtime import SongTime

DEADLINE = 0.020  # seconds before a barline by which its bar must be there
LATE = 0.030  # seconds after which a hit is dropped
SPIN = 0.0004  # seconds before a moment from which the thread waits busily
LONGEST = 0.004  # seconds of a sleep: the delay in noticing another tempo
MEASURED = 4096  # hits whose lateness is recorded
_SHORTEST = 1 / 48  # quarters from a hit to its end


@dataclass(frozen=True, eq=False)
class Messages:
    """A bar ready to be sent: messages, and the quarters from its barline at which they are due, sorted.

    number: that of the bar, negative in a count-in. length: its quarters. coming: the quarters of
    the bar after it.
    """

    number: int
    quarters: array[float]
    messages: tuple[bytes, ...]
    length: float
    coming: float
    is_groove: bool
    is_last: bool = False

    @classmethod
    def of(
        cls,
        number: int,
        bar: Bar,
        part: Part,
        quarter: int,
        coming: float,
        *,
        is_groove: bool = True,
        is_last: bool = False,
    ) -> Messages:
        """The messages of a bar of a part. quarter: ticks per quarter. coming: quarters of the bar after it."""
        length, due = bar.length / quarter, list[tuple[float, int, bytes]]()
        begins = (part.onset - bar.start) / quarter
        ends = begins + np.maximum(part.duration / quarter, _SHORTEST)
        for begin, end, pitch, velocity in zip(begins, ends, part.pitch, part.velocity, strict=True):
            again = begins[(part.pitch == pitch) & (begins > begin)].min(initial=length)
            stop = max(min(float(end), float(again)), float(begin) + _SHORTEST)
            due.append((float(begin), 1, messages.note_on(int(pitch), int(velocity))))
            due.append((stop, 0, messages.note_off(int(pitch))))
        for tick, value in part.pedal.tolist():
            due.append(((tick - bar.start) / quarter, 0, messages.control(messages.FOOT_PEDAL, value)))
        due.sort()
        quarters = array("d", [one[0] for one in due])
        return cls(number, quarters, tuple(one[2] for one in due), length, coming, is_groove, is_last)


class Striker:
    """Sends the hits of bar after bar. The thread that decides bars calls all methods but `advance` and `run`.

    Args:
        send: Takes a message. Its error ends the sending, see `error`.
        time: The song time.
        with_clock: Whether to send a MIDI clock, too.
        clock: Returns the current time in seconds.
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        time: SongTime,
        *,
        with_clock: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send, self._time, self._clock, self._with_clock = send, time, clock, with_clock
        self.error: Exception | None = None
        self.is_over = False
        self.played = deque[tuple[int, Messages]]()  # each bar's number and messages, when it begins
        self.late, self.sent = array("d", bytes(8 * MEASURED)), 0  # the lateness of each sent hit, in seconds
        self.left_out = self.repeated = 0
        self._here: Messages | None = None
        self._next: Messages | None = None
        self._groove: Messages | None = None
        self._origin, self._at, self._ahead = 0.0, 0, 0  # barline, message, message of the next bar
        self.number = 0  # of the current bar, if there is one
        self._beat = 0  # messages of the clock since the first barline
        self._is_counting = False
        self._sounding = bytearray(128)
        self._thread: threading.Thread | None = None
        self._stopped = False

    # --- bars ---------------------------------------------------------------------------------------------------------

    def put(self, bar: Messages, origin: float) -> bool:
        """Hand over the next bar, with the quarter of its barline; return True if it can still sound.

        No bar can follow it yet, see `has_place`.
        """
        if self._here is None:
            self._origin, self._at, self.number = origin, 0, bar.number
            self._beat = math.ceil(origin * messages.CLOCKS)
            self._begin(bar)
            return True
        if bar.number <= self.number:
            return False
        self._next = bar
        return True

    @property
    def has_place(self) -> bool:
        """True if a bar can be handed over."""
        return self._next is None

    @property
    def barline(self) -> float:
        """The quarter of the next bar that has not begun."""
        here = self._here
        return self._origin if here is None or not self._at else self._origin + here.length

    def _begin(self, bar: Messages) -> None:
        self._here = bar
        if bar.is_groove:
            self._groove = bar
        self.played.append((self.number, bar))

    def _pass_on(self) -> None:
        """Go to the next bar, or repeat the groove if there is none."""
        here, coming = self._here, self._next
        if here is None:
            return
        if here.is_last:
            self.is_over = True
            return
        self._origin += here.length
        self.number += 1
        self._next = None
        if coming is not None and coming.number == self.number:
            self._at, self._ahead = self._ahead, 0
            self._begin(coming)
            return
        groove = self._groove
        self.repeated += 1
        self._at = self._ahead = 0
        self._begin(groove if groove is not None and groove.length == here.coming else here)

    # --- time ---------------------------------------------------------------------------------------------------------

    def advance(self, now: float) -> float:
        """Send what is due; return the moment of the next message, or infinity."""
        while not self.is_over:
            line, here = self._time.line, self._here
            if line is None or here is None:
                self._quiet_down()
                return math.inf
            coming, end = self._next, line.seconds_at(self._origin + here.length)
            own = following = clock = math.inf
            if self._at < len(here.quarters):
                own = line.seconds_at(self._origin + here.quarters[self._at])
            if coming is not None and self._ahead < len(coming.quarters):
                following = line.seconds_at(self._origin + here.length + coming.quarters[self._ahead])
            if self._with_clock:
                clock = line.seconds_at(self._beat / messages.CLOCKS)
            # A bar ends at its barline; without a next bar, early enough for the groove to begin in time.
            pass_on = end if coming is not None or here.is_last else end - DEADLINE
            due = min(own, following, clock, pass_on)
            if due > now:
                return due
            if due == clock:
                self._send_clock()
            elif due == own:
                self._strike(here.messages[self._at], now - due)
                self._at += 1
            elif due == following and coming is not None:
                self._strike(coming.messages[self._ahead], now - due)
                self._ahead += 1
            else:
                while self._at < len(here.messages):  # what remains of the last bar: the ends of its hits
                    self._strike(here.messages[self._at], math.inf)
                    self._at += 1
                self._pass_on()
        return math.inf

    def _strike(self, message: bytes, late: float) -> None:
        kind = message[0] & 0xF0
        if kind == messages.NOTE_ON:
            if late > LATE:
                self.left_out += 1
                return
            self._sounding[message[1]] = 1
            self.late[self.sent % MEASURED] = late
            self.sent += 1
        elif kind == messages.NOTE_OFF:
            self._sounding[message[1]] = 0
        self._send(message)

    def _send_clock(self) -> None:
        if not self._is_counting and self._beat >= 0:
            self._send(messages.BEGIN)
            self._is_counting = True
        self._send(messages.TICK)
        self._beat += 1

    def _quiet_down(self) -> None:
        """End all sounding notes while the song pauses."""
        while (pitch := self._sounding.find(1)) >= 0:
            self._sounding[pitch] = 0
            self._send(messages.note_off(pitch))

    # --- the thread ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start sending, in a separate thread."""
        self._thread = threading.Thread(target=self.run, name="striker", daemon=True)
        self._thread.start()

    def run(self) -> None:
        """Send until `stop`, or until the last bar is over."""
        clock, sleep, advance = self._clock, time.sleep, self.advance
        try:
            while not self._stopped and not self.is_over:
                due = advance(clock())
                wait = due - clock()
                if wait > SPIN:
                    sleep(min(wait - SPIN, LONGEST))
                else:
                    while clock() < due:
                        pass
        except Exception as error:
            self.error = error

    def stop(self) -> None:
        """End the thread, and every sounding note. Errors of the port no longer matter."""
        self._stopped = True
        if self._thread is not None:
            self._thread.join()
        with suppress(Exception):
            self._quiet_down()
            if self._is_counting:
                self._send(messages.PAUSE)
            for controller in (messages.ALL_NOTES_OFF, messages.ALL_SOUND_OFF):
                self._send(messages.control(controller, 0))
