"""The loop of a jam: it waits for input, advances the jam, and makes sure that every note ends."""

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

from seq2drum.errors import PortError
from seq2drum.music import drum_maps
from seq2drum.music.duet import Duet, later
from seq2drum.music.notes import Metre, Part, Song, Tempo, merge_drums
from seq2drum.music.theory import pitch_name
from seq2drum.play.jam.jam import JamBar
from seq2drum.play.jam.live import Jamming, View
from seq2drum.play.jam.ports import Came, Port, Shown
from seq2drum.play.jam.striker import Striker

HEAD_START = 0.2  # seconds before the first beat
SWITCHING = 0.0005  # seconds that a thread may compute while the striker waits for the interpreter
WATCHED = 1.0  # seconds between checks of the ports
_MOST = 10_000  # messages in the queue; more are lost
_AT_ONCE = 1_000  # of these, the number handled per turn


class Inbox:
    """A queue of events, which any thread may fill."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._queue, self._clock = SimpleQueue[Came | None](), clock
        self.is_stopped = False

    def put(self, what: bytes | Shown) -> None:
        """Add an event with the current time."""
        if self._queue.qsize() < _MOST:
            self._queue.put((self._clock(), what))

    def stop(self) -> None:
        """End the jam immediately."""
        self.is_stopped = True
        self._queue.put(None)

    def take(self, seconds: float) -> list[Came]:
        """Return the queued events; without any, wait this long for one."""
        came = list[Came]()
        try:
            one = self._queue.get(timeout=max(seconds, 0.0))
            while True:
                if one is not None:
                    came.append(one)
                if len(came) == _AT_ONCE:
                    return came
                one = self._queue.get_nowait()
        except Empty:
            return came


def play(
    jamming: Jamming,
    striker: Striker,
    inbox: Inbox,
    ports: Sequence[Port],
    look: Callable[[float], None] = lambda now: None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Play until the last hit or a stop, and end every note. look: called from time to time.

    Raises:
        PortError: a port has gone.
    """
    with _undisturbed(), _stopping(inbox):
        try:
            begin = clock()
            jamming.step(begin)
            jamming.begin(begin + HEAD_START)
            striker.start()
            due = watched = begin
            while not (jamming.is_over or inbox.is_stopped):
                came = inbox.take(due - clock())
                due = jamming.step(now := clock(), came)
                if striker.error is not None:
                    raise PortError(f"the MIDI port {ports[-1].name!r} has gone ({striker.error}); the jam has ended")
                if now - watched > WATCHED:
                    watched = now
                    for port in ports:
                        if not port.is_there():
                            raise PortError(f"the MIDI port {port.name!r} has gone; the jam has ended")
                look(now)
                gc.collect(1)
        finally:
            striker.stop()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep threads from waiting long for each other, and collect garbage only between bars."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCHING)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
        sys.setswitchinterval(before)


@contextmanager
def _stopping(inbox: Inbox) -> Iterator[None]:
    """End the jam on Ctrl-C, or when the program or its terminal ends; a second Ctrl-C ends the program."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}

    def stop(number: int, _frame: Any) -> None:
        inbox.stop()
        signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


WAITING = "waiting for the MIDI clock to start"


def status(view: View) -> str:
    """Return a line with the position of the jam."""
    if view.quarter is None:
        return WAITING
    here, parts = view.here, list[str]()
    if here is None:
        parts.append("count-in")
    else:
        beat = (view.quarter - here.bar.start / view.ticks_per_quarter) * here.bar.denominator / 4
        parts.append(f"bar {here.number + 1}, beat {min(max(int(beat), 0), here.bar.numerator - 1) + 1}")
        parts.append(_played(here))
    parts.append(f"{view.bpm:.0f} bpm")
    if view.coming is not None:
        parts.append(f"next: {_played(view.coming)}")
    if view.asked:
        parts.append(f"shown: {', '.join(view.asked)}")
    if view.repeated:
        parts.append(f"{view.repeated} late")
    return " | ".join(parts)


def line(view: View) -> str:
    """The line for a bar that begins, for output that is not a terminal."""
    here = view.here
    if here is None:
        return "count-in"
    pitches = " ".join(pitch_name(pitch) for pitch in view.heard) or "nothing"
    return f"bar {here.number + 1}: {_played(here)}, {view.bpm:.0f} bpm; heard {pitches}"


def _played(bar: JamBar) -> str:
    what = "the end" if bar.is_last else "fill" if bar.is_fill else bar.title or bar.groove
    return f"{bar.letter} {what}".strip()


def duet(bars: Sequence[JamBar], guitar: Part, bpm: float, ticks_per_quarter: int, drum_map: str) -> Duet:
    """Some consecutive bars, and the guitar in them, as a song that begins with the first."""
    first = bars[0].bar.start
    drums = merge_drums([later(bar.part, -first) for bar in bars], kit=bars[0].part, name="Drums")
    own = Part.of(guitar.rows[guitar.onset >= first], program=guitar.program, name="Guitar")
    heard = later(own, -first)
    metres = [Metre(bar.bar.start - first, bar.bar.numerator, bar.bar.denominator) for bar in bars]
    own_metres = tuple(one for at, one in enumerate(metres) if not at or one[1:] != metres[at - 1][1:])
    length = bars[-1].bar.end - first
    song = Song(ticks_per_quarter, (heard,), (Tempo(0, round(6e7 / bpm)),), own_metres, length)
    return Duet(song, (heard,), drum_maps.load(drum_map).read(drums))
