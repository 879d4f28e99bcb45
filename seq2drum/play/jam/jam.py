"""A drummer who plays along: each bar is decided shortly before it begins, from the guitar until then.

A `Jam` receives the events of the guitar in song time, in pieces of any size. A decision depends only on the events
before its moment. It predicts how the guitar goes on, see `lattice.sections`, and remembers the last LISTENED bars or a
few more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.lattice.conditions import Controls, of_controls
from seq2drum.lattice.features import Features, GuitarGrid, features
from seq2drum.lattice.form import MAX_STEPS, Form, form_of, lattice_of
from seq2drum.lattice.grid import HIT_LENGTH, STEPS_PER_QUARTER, Grid, Lattice, encode
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.grooves.variation import leaned
from seq2drum.lattice.sections import gone_on, without_future
from seq2drum.music import choices, drum_maps
from seq2drum.music.notes import Bar, Part, Song, Tempo
from seq2drum.music.theory import GUITAR_PROGRAMS
from seq2drum.play.arrange import cues
from seq2drum.play.arrange.arrange import is_soft, pieces_of
from seq2drum.play.asked import by_letter, by_section
from seq2drum.play.decode.decoder import RUN_GAP, BarDecoder
from seq2drum.play.decode.engine import Computation, Engine, Playable, guided
from seq2drum.play.decode.memory import LOOK_BACK, GrooveRows, Memory, Pieces
from seq2drum.play.decode.plan import Fills as AskedFills
from seq2drum.play.decode.plan import Gestures, Plan
from seq2drum.play.feel.humanise import Dynamics
from seq2drum.play.grooves.book import read_groove
from seq2drum.play.jam.foreseeing import FIRST, Fills, Passages, crashes
from seq2drum.play.jam.live_input import LiveInput, Strike
from seq2drum.play.jam.signs import FILL, INTENSITY, SECTION, STOP, TEMPO, Sign
from seq2drum.play.kept import kept_of
from seq2drum.play.options import Options, of_band
from seq2drum.play.take import TRACK_NAME
from seq2drum.play.write import DrumMerger

LEAD = 0.5  # quarters before a bar at which it is decided
LISTENED, SLID = 128, 32  # remembered bars, and the number of further bars after which the first ones are forgotten
READ = 5  # bars that the model reads for each bar that it plays: that one and the four before
_TAG = 0x7A30  # in the seeds of decisions about fills and crashes
_HORIZON = 256  # bars laid out at the start


Told: TypeAlias = Strike | Sign


@dataclass(frozen=True)
class JamBar:
    """A bar of drums: its number in the jam, from 0, the bar in ticks, and its hits on the notes of the drum map.

    hits: the same on the lattice, as voices of the model's kit. letter: that of the passage. groove, title: of its
    groove, empty without one. is_last: the jam ends with it.
    """

    number: int
    bar: Bar
    part: Part
    hits: Grid
    letter: str
    groove: str
    title: str
    is_fill: bool
    is_last: bool


class Jam:
    """A drummer who plays along with a guitar. See the module's text.

    Args:
        engine: The model; one trained with the future hidden plays best.
        options: The request. Options for places of a song have no effect here.
        score: The tempos and metres of the jam; its notes are ignored.
        program: The General MIDI program of the guitar.

    Raises:
        OptionError: the model cannot read a song bar by bar, or there is no such groove.
    """

    def __init__(
        self,
        engine: Engine,
        options: Options | None = None,
        score: Song | None = None,
        *,
        program: int = GUITAR_PROGRAMS.start,
    ) -> None:
        if engine.unit != "song":
            raise OptionError(f"the model {engine.name!r} cannot play along; wanted one such as live or default")
        self._engine = engine
        self._options = _with_grooves(of_band(options or Options(), engine.band).with_ways())
        self.score, self._program = replace(score or Song(480), parts=(), markers=(), length=0), program
        self._told, self._ear = list[Told](), LiveInput(self.score.ticks_per_quarter)
        self._fills, self._asked, self._turning = Fills(self._options.controls.fills), set[str](), False
        self._next_letter: str | None = None
        self.number, self.is_over = 0, False  # of the next bar to decide
        self._first, self._held = 0, -1
        self._groove: Groove | None = None  # of the bar before
        kit = engine.kit
        self._rows = GrooveRows.empty(LISTENED + SLID, MAX_STEPS, kit, firm=self._options.is_plain)
        silence = Form(*(np.full(LISTENED + SLID, value) for value in (MAX_STEPS, 4, 4, 120.0)))
        self._memory = Memory.of(silence, len(kit), self._rows, heard=engine.hears_grooves)
        self._state, self._previous = engine.silence[None], np.zeros((1, len(kit)), dtype=np.float32)
        self._was_fill = False
        self._lay_out(_HORIZON)
        self._dynamics = Dynamics(
            self._options, GuitarGrid(self._form, Grid.join([]), np.zeros(9, dtype=np.int64), 0), kit
        )
        self._passages = Passages(self._options, self._form.between(0, 1))

    # --- events -------------------------------------------------------------------------------------------------------

    def hear(self, events: Iterable[Told], until: float) -> list[JamBar]:
        """Take the events until a moment, in quarters, and yield the bars decided by then.

        events: the new ones, none later than `until`. The first bar is decided LEAD quarters before 0.

        Raises:
            OptionError: a sign is invalid; then none of the events is taken.
        """
        bars = []
        events = list(events)
        for one in events:
            if isinstance(one, Sign):
                one.check()
        self._told = sorted([*self._told, *events], key=lambda one: one.quarter)
        while not self.is_over and self.point <= until:
            self._catch_up()
            bars.append(self._engine.resolve(self._deciding(self.number)))
            self.number += 1
            self._slide()
        return bars

    def repeat(self) -> JamBar:
        """The next bar, without the model, for when it would be late: the plain groove, or the bar before.

        Events before its moment still count; a sign for it affects the bar after it.
        """
        self._catch_up()
        number, at = self.number, self.number - self._first
        here = self._form.between(number, number + 1)
        self._hold(at, here, self._leaning)
        size, memory = int(here.steps[0]), self._memory
        memory.steps[LOOK_BACK + at] = size
        has_groove = self._rows.held[at] >= 0
        source = (self._rows.velocity[at] if has_groove else memory.velocity[0, LOOK_BACK + at - 1])[:size]
        step, voice = np.nonzero(source)
        velocity, length = np.rint(source[step, voice] * 127).astype(np.int64), np.full(len(step), HIT_LENGTH)
        hits = Grid(step, voice, velocity, np.zeros_like(step), length)
        memory.keep(at, (source > 0).astype(np.float32)[None], source[None])
        self._previous = (source[-1:] > 0).astype(np.float32)
        self._fills.played(False)
        self._passages.letters.append(self._passages.letter)
        self._was_fill = False
        bar = self._as_bar(number, self._dynamics.strike(number, hits), is_fill=False, is_last=False)
        self.number += 1
        self._slide()
        return bar

    @property
    def point(self) -> float:
        """The moment, in quarters, at which the next bar is decided."""
        return self.coming.start / self.score.ticks_per_quarter - LEAD

    @property
    def coming(self) -> Bar:
        """The next bar to decide, in ticks."""
        return self._lattice.bars[self.number]

    @property
    def _leaning(self) -> Groove | None:
        """The groove of the next bar, which leans against the beat as requested."""
        groove, level = self._passages.groove, self._options.controls.complexity
        return groove if groove is None or level is None else leaned(groove, level)

    def _catch_up(self) -> None:
        """Take the events before the next bar's moment."""
        count = bisect_left(self._told, self.point, key=lambda one: one.quarter)
        early, self._told = self._told[:count], self._told[count:]
        for one in early:
            self._heed(one)

    def _heed(self, one: Told) -> None:
        if isinstance(one, Strike):
            self._ear.hear(one)
        elif one.what == INTENSITY:
            self._options = replace(self._options, intensity=one.number)
            self._passages.options = self._options
            self._dynamics.change(self._options)
        elif one.what == TEMPO:
            tick = self._lattice.bars[self.number].start
            tempos = [tempo for tempo in self.score.tempo_map if tempo.tick < tick]
            self.score = replace(self.score, tempos=(*tempos, Tempo(tick, round(6e7 / one.number))))
            self._lay_out(len(self._lattice.bars))
        else:
            self._asked.add(one.what)
            if one.what == SECTION:
                self._next_letter = None if one.value is None else str(one.value)

    # --- a bar --------------------------------------------------------------------------------------------------------

    def _deciding(self, number: int) -> Computation[JamBar]:
        """Decide the next bar."""
        # 1. Take the last bars, and predict how the guitar goes on.
        at = number - self._first
        heard = self._heard(number)
        earlier, here = heard.between(0, at), heard.form.between(at, at + 1)
        if self._turning:
            begins = self._passages.turn(number, self._next_letter, earlier, here)
        else:
            begins = self._passages.follow(number, earlier, here)
        known, low = features(heard), max(at - READ + 1, 0)
        step = int(heard.form.first[low])
        known = Features(
            known.guitar[step:], known.clock[step:], without_future(known.bars)[low:], known.summary, known.band[step:]
        )
        form = heard.form.between(low, at + 1)
        # 2. Choose the groove, a fill, a crash.
        groove, controls = self._leaning, self._options.controls
        controls = controls if groove is None else replace(controls, complexity=None)
        model = guided(self._engine, controls)
        pieces = self._hold(at, here, groove)
        is_last = STOP in self._asked
        is_fill = yield from self._is_fill(model, known, form, begins=begins, is_last=is_last)
        plan = self._plan(number, here, groove, begins=begins, is_fill=is_fill, is_last=is_last)
        plan = replace(plan, pieces=pieces)
        # 3. Play the bar, and remember it.
        played = yield from self._played(model, controls, number, known, form, plan, low)
        struck = self._dynamics.strike(number, played)
        self._passages.letters.append(self._passages.letter)
        self._was_fill, self.is_over = is_fill, is_last
        self._asked.clear()
        return self._as_bar(number, struck, is_fill=is_fill, is_last=is_last)

    def _hold(self, at: int, form: Form, groove: Groove | None) -> Pieces:
        """Store the groove of a bar in memory, and the allowed pieces."""
        known = {name: one for name, one in self._passages.grooves.items() if one}
        pieces = pieces_of(self._options, known.values(), self._engine.kit)
        self._held = self._held + 1 if groove is not None and groove is self._groove else 0
        self._groove = groove
        if groove is not None:
            self._rows.put(at, groove, self._held, form, self._engine.kit, pieces)
        return pieces

    def _played(
        self, model: Playable, controls: Controls, number: int, known: Features, form: Form, plan: Plan, low: int
    ) -> Computation[Grid]:
        """The hits of a planned bar; known and form: those of the remembered bars from `low` up to it."""
        at, size = number - self._first, int(form.steps.max())
        rows, is_fill = self._rows, plan.is_fill(0)
        read = rows.part(low, at + 1, size)
        fills = np.zeros(at + 1 - low, dtype=np.bool_)
        fills[-1] = is_fill
        conditions = of_controls(controls, len(fills), fills)
        encoded = yield from model.encode(known, form, conditions, 0, len(fills), read)
        self._memory.steps[LOOK_BACK + low : LOOK_BACK + at + 1] = form.steps
        self._memory.recognise(low, encoded["key"])
        here = {name: table[-1:] for name, table in encoded.items()}
        remembered = self._memory.before(at, fill=is_fill)
        remembered |= {name: remembered[name][:, :, :size] for name in ("past", "past_velocity")}
        width = len(model.silence)  # a guided model has the state twice
        state = np.tile(self._state, 2) if width > self._state.shape[1] else self._state[:, :width]
        opened = yield from model.open_bar(here, remembered, state, first=number == 0)
        groove, sampling = read.part(len(fills) - 1, len(fills), size), self._options.sampling
        decoder = BarDecoder(model, form.between(at - low, at - low + 1), plan, groove, sampling, 0, 1, {}, number)
        recent = self._memory.recent(at, RUN_GAP)
        played = yield from decoder.decode(0, opened, self._previous, here.get("sketch"), recent)
        self._memory.keep(at, *decoder.remembered(0, played))
        self._state, self._previous = played.state, played.hits[:, -1]
        return played.grid()

    def _is_fill(
        self, model: Playable, known: Features, form: Form, *, begins: bool, is_last: bool
    ) -> Computation[bool]:
        """Return True if the next bar is a fill: because of a sign, before another kind of groove, or by the model."""
        logits = yield from model.fill_logits(known, form)
        rng = np.random.default_rng([self._options.sampling.seed, self.number, _TAG])
        if is_last or begins or logits is None:
            is_fill = False
            self._fills.played(is_fill)
        elif self._asked & {FILL, SECTION} or self._passages.leads_on:
            is_fill = True
            self._fills.played(is_fill)
        else:
            is_fill = self._fills.next(float(logits[-1]), rng)
        self._turning = SECTION in self._asked
        return is_fill

    def _plan(
        self, number: int, form: Form, groove: Groove | None, *, begins: bool, is_fill: bool, is_last: bool
    ) -> Plan:
        """Return the plan of a bar, as for a song of that bar alone."""
        options, place = self._options, number - self._passages.begun
        soft = is_soft(options, groove)
        rng = np.random.default_rng([options.sampling.seed, number, _TAG, 1])
        crash = crashes(place, begins=begins or not number, after_fill=self._was_fill, soft=soft, rng=rng)
        first = frozenset({0} if not number else ())
        gestures = Gestures(heavy=first, full=first, soft=soft)
        if is_last:
            known = frozenset(self._engine.kit.names) - options.forbidden
            how = choices.CHOKE if options.ending == choices.CHOKE else choices.RING
            ended = cues.ended(how, 0, form, soft=soft)
            gestures, crash = replace(gestures, cues={step: cue.of(known) for step, cue in ended.items()}), False
        asked = np.array([is_fill and bool(self._asked)])
        return Plan(
            (self._passages.letter,),
            np.array([place]),
            np.array([begins]),
            (groove,),
            np.array([is_fill]),
            np.array([crash]),
            AskedFills(asked, ~asked),
            gestures,
            firm=options.is_plain,
        )

    def _as_bar(self, number: int, hits: Grid, *, is_fill: bool, is_last: bool) -> JamBar:
        groove, drum_map = self._passages.groove, drum_maps.load(self._options.drum_map)
        brushes = groove is not None and "brush" in groove.title
        program, is_xg = drum_map.kit_to_play(self.score, brushes=brushes)
        part = drum_map.apply(self._merger.fitted(number, hits, program, is_xg=is_xg))
        part = replace(part, name=TRACK_NAME, is_drums=True)
        name, title = (groove.name, groove.title) if groove is not None else ("", "")
        bar, letter = self._lattice.bars[number], self._passages.letter
        return JamBar(number, bar, part, hits, letter, name, title, is_fill, is_last)

    # --- memory -------------------------------------------------------------------------------------------------------

    def _heard(self, number: int) -> GuitarGrid:
        """The guitar from the first remembered bar up to a bar, with the predicted continuation."""
        lattice, first = self._lattice, self._first
        begin, quarter = lattice.bars[first].start, self.score.ticks_per_quarter
        bars = tuple(
            replace(bar, index=place, start=bar.start - begin)
            for place, bar in enumerate(lattice.bars[first : number + 1])
        )
        part = self._ear.part(begin, round(self.point * quarter), self._program)
        programs = np.zeros(len(GUITAR_PROGRAMS) + 1, dtype=np.int64)
        known = self._program in GUITAR_PROGRAMS
        programs[self._program - GUITAR_PROGRAMS.start if known else -1] = max(len(part), 1)
        heard = GuitarGrid(self._form.between(first, number + 1), encode(part, Lattice(bars, quarter)), programs, 1)
        here = int(heard.form.first[-2])
        lead = min(round(LEAD * STEPS_PER_QUARTER), int(heard.form.steps[-2]) if number > first else 0)
        return gone_on(heard, here - lead)

    def _slide(self) -> None:
        """Forget the first bars if there are too many; make room for the next."""
        if self.number + 2 >= len(self._lattice.bars):
            self._lay_out(2 * len(self._lattice.bars))
        if self.number - self._first < LISTENED + SLID:
            return
        self._first += SLID
        del self._passages.letters[:SLID]
        self._memory.forget(SLID)
        self._ear.forget(self._lattice.bars[self._first].start)

    def _lay_out(self, bars: int) -> None:
        """Lay out at least this many bars from the known tempos and metres."""
        quarter = self.score.ticks_per_quarter
        length = 4 * quarter * bars
        while len((lattice := lattice_of(replace(self.score, length=length))).bars) < bars:
            length *= 2
        score = replace(self.score, length=length)
        self._lattice, self._form = lattice, form_of(score, lattice)
        drum_map = drum_maps.load(self._options.drum_map)
        kept = kept_of(score, lattice, Options(), drum_map, self._engine.kit)
        self._merger = DrumMerger(kept, lattice, self._engine.kit, score)


def _with_grooves(options: Options) -> Options:
    """The options with each groove as a `Groove`; names of sections stand for letters in order.

    Raises:
        OptionError: there is no such groove; or the options name a song to play like, which needs a whole song.
    """
    if options.like is not None or options.prime or options.bars:
        raise OptionError("like, prime and bars are for whole songs; leave them out, or name a groove")
    for name in options.in_places:
        raise OptionError(f"{name} is requested in places of a song; wanted one value for the whole jam")
    if options.groove is None:
        return options
    grooves = {
        name: read_groove(one) if isinstance(one, str) else one for name, one in by_section(options.groove).items()
    }
    return replace(options, groove=by_letter(grooves, [chr(ord(FIRST) + number) for number in range(26)]))
