"""A jam in real time: input is placed in song time, and decided bars are prepared for sending.

`Jamming.step` is called repeatedly with the current time; nothing here reads a clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.lattice.grid import Grid
from seq2drum.music import drum_maps
from seq2drum.music.duet import counted_in, later
from seq2drum.music.notes import Bar, Part, Song
from seq2drum.music.theory import GuitarChoice
from seq2drum.play.decode.engine import Engine
from seq2drum.play.jam.guitarist import as_take
from seq2drum.play.jam.jam import Jam, JamBar, Told
from seq2drum.play.jam.live_input import LiveInput, Strike
from seq2drum.play.jam.ports import Came, Feet, Key, Shown, Transport, read
from seq2drum.play.jam.signs import TEMPO, Sign
from seq2drum.play.jam.songtime import SongTime
from seq2drum.play.jam.striker import Messages, Striker
from seq2drum.play.listen import MOST_BARS
from seq2drum.play.options import Options
from seq2drum.play.take import Take

NAME, WHY = "Guitar", "the guitar of the jam"
_NONE = Grid.join([])  # in place of a bar's hits on the lattice: takes are made from its notes


class Recording:
    """Records the jam, in song time."""

    def __init__(self, ticks_per_quarter: int) -> None:
        self._ear, self._quarter = LiveInput(ticks_per_quarter), ticks_per_quarter
        self._bars = list[JamBar]()

    def hear(self, strike: Strike) -> None:
        """Record a note of the guitar."""
        self._ear.hear(strike)

    def keep(self, bar: JamBar, like: JamBar) -> None:
        """Record a bar of drums as heard: the decided one, or its replacement."""
        if like is not bar:
            part = later(like.part, bar.bar.start - like.bar.start)
            bar = replace(bar, part=part, is_fill=False)
        self._bars.append(replace(bar, hits=_NONE))

    def guitar(self, tick: int, now: int, program: int) -> Part:
        """Return the guitar between two ticks of the song."""
        return later(replace(self._ear.part(tick, now, program), name=NAME), tick)

    def take(self, score: Song, options: Options, program: int, quarter: float) -> Take | None:
        """Return the take until a quarter; None if that is before the first bar. score: the tempos and metres."""
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
    """Return the notes of a part that begin before a tick."""
    rows = part.rows[np.asarray(part.onset < tick)]
    kept = Part.of(rows, program=part.program, name=part.name, is_drums=True, is_xg=part.is_xg)
    return replace(kept, pedal=part.pedal[part.pedal[:, 0] < tick])


EARLY = 0.25  # quarters before the first barline from which a note belongs to it
OTHER_TEMPO = 0.03  # the least difference of tempo that the drummer follows
REHEARSED = 40  # quarters, so that the choice of a groove has some guitar
_LOOK = 0.05  # seconds until the next check at the latest
_KEPT = 8  # decided bars that may still be heard, or repeated


@dataclass
class View:
    """A jam at a moment, for display.

    here, coming: the current bar, and the next if decided; quarter: None while the song pauses. heard: pitches of the
    last notes, the newest last. asked: signs that no bar has obeyed yet.
    """

    here: JamBar | None
    coming: JamBar | None
    number: int
    quarter: float | None
    bpm: float
    ticks_per_quarter: int
    heard: tuple[int, ...]
    asked: tuple[str, ...]
    repeated: int


def rehearse(player: Engine, options: Options, score: Song) -> None:
    """Play some bars silently, to load and prepare everything before the first beat."""
    eighths = [Strike(number / 2, 52 + number % 5, 80) for number in range(2 * REHEARSED)]
    Jam(player, options, score).hear(eighths, REHEARSED)


class Jamming:
    """A jam in time.

    Args:
        jam: The drummer.
        striker: The sender of hits.
        time: The song time, shared with the striker.
        options: The request.
        feet: The foot switches.
        guitarist: The events, sorted by time, if not from a port.
        count_in: The number of bars to count in.
        latency: The delay of input in seconds.
        tell: Takes a line for the guitarist.
    """

    def __init__(
        self,
        jam: Jam,
        striker: Striker,
        time: SongTime,
        options: Options,
        *,
        feet: Feet | None = None,
        guitarist: Sequence[Told] = (),
        count_in: int = 0,
        latency: float = 0.0,
        program: int = 27,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._jam, self._striker, self._time, self._options = jam, striker, time, options
        self._feet, self._latency, self._program, self._tell = feet or Feet(), latency, program, tell
        self._guitarist = deque(guitarist)
        self._quarter = jam.score.ticks_per_quarter
        self._bpm = jam.score.tempo_at(0).bpm
        self._bars = dict[int, JamBar]()
        self._ready = deque[tuple[Messages, float]]()
        self._asked, self._heard = list[str](), deque[int](maxlen=8)
        self.recording, self._until = Recording(self._quarter), 0.0
        self._count_in(count_in)
        self._prepare(jam.hear([], jam.point))

    # --- time passes --------------------------------------------------------------------------------------------------

    def begin(self, seconds: float) -> None:
        """Start counting at a moment; with a MIDI clock, wait for it."""
        self._time.begin(seconds, self._striker.barline)

    def step(self, now: float, came: Iterable[Came] = ()) -> float:
        """Take the input until now, and decide what is due; return the latest moment of the next call."""
        events = [one for seconds, what in came for one in self._told(seconds, what)]
        self._time.pass_to(now)
        line = self._time.line
        while not self._jam.is_over and self._jam.number <= self._striker.number and self._striker.number > 0:
            self._keep(self._jam.repeat())  # the striker could not wait for it
        if line is None:
            if not self._ready and self._striker.has_place and not self._jam.is_over:
                self._prepare(self._jam.hear(events, self._jam.point))  # it may continue at any moment
            self._hand_over()
            return now + _LOOK
        quarter = line.quarter_at(now)
        self._until = max(self._until, quarter)
        while self._guitarist and self._guitarist[0].quarter <= quarter:
            events.append(one := self._guitarist.popleft())
            self._note(one)
        events += self._other_tempo(quarter)
        self._prepare(self._jam.hear(events, quarter))
        self._hand_over()
        if self._jam.is_over:
            return now + _LOOK
        return min(max(line.seconds_at(self._jam.point), now), now + _LOOK)

    @property
    def is_over(self) -> bool:
        """True if the last hit has sounded."""
        return self._striker.is_over or self._jam.number >= MOST_BARS

    def view(self, now: float) -> View:
        """Return the jam at a moment."""
        line, number = self._time.line, self._striker.number
        return View(
            self._bars.get(number),
            self._bars.get(number + 1),
            number,
            None if line is None else line.quarter_at(now),
            self._time.bpm,
            self._quarter,
            tuple(self._heard),
            tuple(dict.fromkeys(self._asked)),
            self._striker.repeated,
        )

    def bars(self, before: int) -> list[JamBar]:
        """The current bar with this many bars before it, and the next, as far as they exist."""
        number = self._striker.number
        return [self._bars[one] for one in range(max(number - before, 0), number + 2) if one in self._bars]

    def guitar(self, tick: int) -> Part:
        """Return the guitar between two ticks of the song."""
        return self.recording.guitar(tick, round(self._until * self._quarter), self._program)

    @property
    def kit(self) -> int:
        """The General MIDI program of the kit."""
        return self._bars[0].part.program

    def take(self) -> Take | None:
        """Return the take until a quarter; None if that is before the first bar. score: the tempos and metres."""
        self._note_played()
        return self.recording.take(self._jam.score, self._options, self._program, self._until)

    # --- input --------------------------------------------------------------------------------------------------------

    def _told(self, seconds: float, what: bytes | Shown) -> Iterable[Told]:
        """Return an event for the drummer."""
        line = self._time.line
        quarter = 0.0 if line is None else max(line.quarter_at(seconds), 0.0)
        if isinstance(what, Shown):
            return self._sign(quarter, what)
        message = read(what)
        if isinstance(message, Transport):
            self._time.told(seconds, message, self._striker.barline)
            return ()
        if (sign := self._feet.sign(message)) is not None:
            return self._sign(quarter, Shown(sign))
        if not isinstance(message, Key) or self._feet.is_pedal(message) or line is None:
            return ()
        began = seconds - self._latency
        quarter = line.quarter_at(began)
        if quarter < -EARLY:
            return ()
        if message.velocity:
            self._time.heard(began)
        strike = Strike(max(quarter, 0.0), *message)
        self._note(strike)
        return (strike,)

    def _note(self, event: Told) -> None:
        if isinstance(event, Strike):
            self.recording.hear(event)
            if event.velocity:
                self._heard.append(event.pitch)

    def _sign(self, quarter: float, shown: Shown) -> Iterable[Told]:
        sign = Sign(quarter, *shown)
        try:
            sign.check()
        except OptionError as error:
            self._tell(str(error))
            return ()
        if sign.what == TEMPO and not self._time.asked(sign.number, self._jam.coming.start / self._quarter):
            self._tell("the MIDI clock leads, so another tempo is not heeded")
            return ()
        if sign.what == TEMPO:
            self._bpm = sign.number
        self._asked.append(sign.what if sign.value is None else f"{sign.what} {sign.value}")
        return (sign,)

    def _other_tempo(self, quarter: float) -> Iterable[Told]:
        """A sign for the tempo, if it changed for another reason than the drummer or a sign."""
        bpm = round(self._time.bpm, 1)
        if abs(bpm / self._bpm - 1) < OTHER_TEMPO or quarter < self._jam.point:
            return ()
        self._bpm = bpm
        return (Sign(self._jam.point, TEMPO, bpm),)

    # --- bars ---------------------------------------------------------------------------------------------------------

    def _prepare(self, bars: Iterable[JamBar]) -> None:
        """Prepare bars for sending."""
        for bar in bars:
            self._keep(bar)
            begin = bar.bar.start / self._quarter
            coming = self._jam.coming.length / self._quarter
            groove = not bar.is_fill and bar.number > 0
            made = Messages.of(
                bar.number, bar.bar, bar.part, self._quarter, coming, is_groove=groove, is_last=bar.is_last
            )
            self._ready.append((made, begin))
            bpm = self._jam.score.tempo_at(bar.bar.start).bpm
            if abs(bpm / self._bpm - 1) > 1e-3:  # the song's own
                self._bpm = bpm
                self._time.asked(bpm, begin)
            self._asked.clear()

    def _keep(self, bar: JamBar) -> None:
        self._bars[bar.number] = bar
        self._bars.pop(bar.number - _KEPT, None)

    def _hand_over(self) -> None:
        while self._ready and self._striker.has_place:
            made, begin = self._ready.popleft()
            if not self._striker.put(made, begin) and made.is_last:  # it was late: the jam ends a bar later
                bar, coming = self._bars[made.number], self._jam.coming
                part = later(bar.part, coming.start - bar.bar.start)
                self._keep(replace(bar, number=made.number + 1, bar=coming, part=part))
                self._ready.appendleft((replace(made, number=made.number + 1), begin))
        self._note_played()

    def _note_played(self) -> None:
        """Record the bars that have begun to sound."""
        played = self._striker.played
        while played and (played[0][0] < 0 or played[0][0] in self._bars):
            number, sent = played.popleft()
            if number >= 0:
                self.recording.keep(self._bars[number], self._bars.get(sent.number, self._bars[number]))

    def _count_in(self, bars: int) -> None:
        """Prepare the bars of a count-in: in the first bar's metre, on the sticks."""
        if not bars:
            return
        first, drum_map = self._jam.coming, drum_maps.load(self._options.drum_map)
        score = replace(self._jam.score, parts=(), length=first.length)
        hits = drum_map.apply(Part.of(counted_in(score, bars).hits, is_drums=True))
        length = first.length
        for at in range(bars):
            bar = Bar(at, at * length, length, first.numerator, first.denominator)
            own = replace(hits, pedal=hits.pedal[:0])
            own = Part.of(own.rows[(own.onset >= bar.start) & (own.onset < bar.end)], is_drums=True)
            number, quarters = at - bars, length / self._quarter
            made = Messages.of(number, bar, own, self._quarter, quarters, is_groove=False)
            self._ready.append((made, number * quarters))
