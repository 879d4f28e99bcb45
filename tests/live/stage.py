"""A jam on a stage where time is a number: it goes on in steps of a millisecond or some more."""

from __future__ import annotations

from collections.abc import Sequence

from seq2drum.music.notes import Song, Tempo
from seq2drum.play.decode.engine import Engine
from seq2drum.play.jam import ports
from seq2drum.play.jam.jam import Jam, Told
from seq2drum.play.jam.live import Jamming
from seq2drum.play.jam.ports import DRUM_CHANNEL, NOTE_OFF, NOTE_ON, Came
from seq2drum.play.jam.songtime import SongTime, Steady
from seq2drum.play.jam.striker import Striker
from seq2drum.play.options import Options

STEP = 0.004
ON, OFF = NOTE_ON | DRUM_CHANNEL, NOTE_OFF | DRUM_CHANNEL


class Stage:
    """A jam, what it sent and when. busy: seconds, from and to, in which nothing is decided."""

    def __init__(
        self,
        player: Engine,
        options: Options | None = None,
        *,
        bpm: float = 120.0,
        score: Song | None = None,
        time: SongTime | None = None,
        told: Sequence[Told] = (),
        count_in: int = 0,
        busy: Sequence[tuple[float, float]] = (),
        with_clock: bool = False,
        program: int = 27,
        latency: float = 0.0,
    ) -> None:
        self.now, self.sent, self.said = 0.0, list[tuple[float, bytes]](), list[str]()
        self.time = time or Steady(bpm)
        score = score or Song(480, (), (Tempo(0, round(6e7 / bpm)),))
        self.striker = Striker(lambda message: self.sent.append((self.now, message)), self.time, with_clock=with_clock)
        options = options or Options()
        jam = Jam(player, options, score, program=program)
        self.jamming = Jamming(
            jam,
            self.striker,
            self.time,
            options,
            guitarist=told,
            count_in=count_in,
            latency=latency,
            tell=self.said.append,
        )
        self._busy, self._due = busy, 0.0
        self.jamming.step(0.0)
        self.jamming.begin(0.0)

    def run(self, until: float, came: Sequence[Came] = ()) -> None:
        """Go on until a moment; came: what comes on the way, sorted."""
        waiting = list(came)
        while self.now < until and not self.jamming.is_over:
            self.striker.advance(self.now)
            is_busy = any(begin <= self.now < end for begin, end in self._busy)
            if not is_busy and ((waiting and waiting[0][0] <= self.now) or self.now >= self._due):
                here = [one for one in waiting if one[0] <= self.now]
                waiting = waiting[len(here) :]
                self._due = self.jamming.step(self.now, here)
            self.now += STEP

    @property
    def hits(self) -> list[tuple[float, int]]:
        """When which note began."""
        return [(when, message[1]) for when, message in self.sent if message[0] == ON]

    @property
    def sounding(self) -> set[int]:
        """The notes that have not ended."""
        left = set[int]()
        for _, message in self.sent:
            if message[0] == ON:
                left.add(message[1])
            elif message[0] == OFF:
                left.discard(message[1])
        return left


def key(pitch: int, velocity: int) -> bytes:
    """A note of the guitar."""
    return bytes([NOTE_ON, pitch, velocity])


def ticks(begin: float, bpm: float, count: int) -> list[Came]:
    """So many messages of a MIDI clock."""
    length = 60 / bpm / ports.CLOCKS
    return [(begin + number * length, ports.TICK) for number in range(count)]
