"""The book at play without a guitar: a groove of the genre, arranged and played as under a guitar.

    brief -> genre and groove of each passage -> phrases of eight bars, or the sections of a form -> variants, fills,
    crashes -> the network that plays under guitars, on a silent one -> notes with its feel

A phrase is planned when its first bar is due, and again from the next bar on if the brief changes. Bars with the same
variant are the same hits, struck anew; at variability 0 they are the same notes.

Letters of shapes: B bars of a phrase.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.grid import HIT_LENGTH, Grid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.grooves.styles import swings
from seq2drum.lattice.patterns import TICKS, Pattern, Velocities, part_of, pattern_of, song_of_part
from seq2drum.lattice.sections import Section
from seq2drum.music import choices, drum_maps
from seq2drum.music.choices import MOST_SEED
from seq2drum.music.drum_maps import GM
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Metre, Part, Song, Tempo
from seq2drum.music.theory import GuitarChoice
from seq2drum.play.arrange.arrange import pieces_of
from seq2drum.play.arrange.sections import SectionPlan, dressed, on_cymbals
from seq2drum.play.beats import genres, rolls
from seq2drum.play.beats.variants import AS_DRUMMERS, NEW, PHRASE, order_of, variant
from seq2drum.play.choose import Grooves
from seq2drum.play.decode import engine
from seq2drum.play.decode.decoding import FILL_CHANGE, PlayedBar, play
from seq2drum.play.decode.engine import ComputationStream, Engine, guided, next_of
from seq2drum.play.decode.plan import Arrangement, Fills, Gestures, Plan, Version
from seq2drum.play.generators.composer import Brief, on_nine
from seq2drum.play.grooves.book import Book, groove_of
from seq2drum.play.kept import kept_of
from seq2drum.play.listen import Guitar
from seq2drum.play.options import Options
from seq2drum.play.write import write

_MICROSECONDS = 60_000_000
_TAG = 0xBEA7  # only in the seeds of phrases
# The level and the loudness of a section by its name; see `arrange.sections.SectionPlan`.
LEVELS = (
    (re.compile(r"chorus|refrain|hook|drop|kehrreim|estribillo", re.IGNORECASE), 0.25, 1.08),
    (re.compile(r"intro", re.IGNORECASE), -0.3, 0.92),
    (re.compile(r"break", re.IGNORECASE), -0.6, 0.85),
    (re.compile(r"bridge|middle", re.IGNORECASE), -0.15, 0.95),
    (re.compile(r"solo", re.IGNORECASE), 0.15, 1.05),
    (re.compile(r"verse|outro|coda|strophe|estrofa", re.IGNORECASE), -0.1, 0.96),
)
COMING = 2  # bars behind a phrase that the network foresees, so that it does not end
LEAST_FILLED, FILLED = 4, 0.85  # bars of a section that a fill may end, and the share of those that one does
CRASHED, SELDOM = 0.8, 0.3  # shares of crashes after fills and where sections begin; where genres have few
_CYMBALS = frozenset({"closed hat", "open hat", "ride", "crash"})


@dataclass(frozen=True, eq=False)
class _Row:
    """A bar of a phrase. letter: of its passage or section. number: of its variant; turn: the bar of its groove."""

    letter: str
    genre: str
    groove: Groove
    number: int
    turn: int
    is_fill: bool
    passage: int


@dataclass(eq=False)
class _Beat:
    """A beat in progress: the bar before, the hits of variants, and the notes of a loop."""

    seed: int
    primed: Groove | None = None
    last: Grid | None = None
    was_fill: bool = False
    hits: dict[tuple[object, ...], Grid] = field(default_factory=dict)
    notes: dict[tuple[object, ...], Part] = field(default_factory=dict)
    grooves: dict[tuple[object, ...], tuple[str, Groove]] = field(default_factory=dict)


class BookPlayer:
    """Plays grooves of the book. places: of its bars as patterns, see `bars`."""

    places = 24

    def __init__(self, loaded: Engine) -> None:
        self._engine = loaded

    @classmethod
    def load(cls, folder: Path) -> BookPlayer:
        """Load the book and the network. folder: of the network.

        Raises:
            CheckpointError: it is damaged, or of another kind.
        """
        Book.load()
        return cls(engine.load(folder))

    def bars(self, brief: Callable[[], Brief], seed: int) -> Iterator[Velocities]:
        """Endless bars in 4/4, each velocities (24, 9) 0..1: those of `parts` on their nearest places."""
        for part in self.parts(brief, seed):
            yield pattern_of(on_nine(part), TICKS, self.places, bars=1).velocity[0]

    def parts(self, brief: Callable[[], Brief], seed: int, primed: Pattern | None = None) -> Iterator[Part]:
        """Endless bars as notes, TICKS a quarter, from their barline on; of a form, its bars again and again.

        brief: called before each bar. primed: bars that are continued, on their typical groove.
        """
        beat = _Beat(seed % (MOST_SEED + 1))
        if primed is not None:
            beat.primed = groove_of(song_of_part(part_of(primed), primed.bars))
        number, asked = 0, None
        phrase: Iterator[Part] = iter(())
        while True:
            request = brief()
            length = request.length if request.form else PHRASE
            place = number % length
            if not place or request != asked:
                phrase, asked = self._phrase(request, beat, number - place, place, length), request
            yield next(phrase)
            number += 1

    # --- a phrase -----------------------------------------------------------------------------------------------------

    def _phrase(self, request: Brief, beat: _Beat, first: int, place: int, length: int) -> Iterator[Part]:
        """The bars of a phrase from a place on. first: the number of its first bar in the beat."""
        # 1. The bars, behind the one before, and as a song without notes.
        count = length - place + 1 + COMING
        numerator, denominator = choices.metre_of(request.metre)
        ticks = 4 * TICKS * numerator // denominator
        song = Song(
            TICKS,
            (),
            (Tempo(0, round(_MICROSECONDS / request.bpm)),),
            (Metre(0, numerator, denominator),),
            count * ticks,
        )
        guitar = Guitar(song, GuitarChoice((), "there is none"))
        rows = self._rows(request, beat, first, length, song)[place:]
        rows = [replace(rows[0], is_fill=beat.was_fill), *rows, *[replace(rows[-1], is_fill=False)] * COMING]
        genre = genres.GENRE[rows[1].genre]
        state = np.random.SeedSequence([beat.seed, _TAG, rows[1].passage, first]).generate_state(1)
        options = Options(seed=int(state[0]), temperature=request.temperature, style=genre.style)
        plan = _plan(request, rows, options, self._engine, beat.seed)
        # 2. The network plays them, and variants that were played come back.
        grid = guitar.song_grid
        given = {
            0: rows[1].groove.bars[(rows[1].turn - 1) % len(rows[1].groove.bars)] if beat.last is None else beat.last
        }
        able, none = np.arange(count) > 0, np.zeros(count, dtype=np.bool_)
        sampling = options.sampling._replace(fill_temperature=max(request.temperature, 1.0))  # a calm fill is none
        take = Version(able, plan, plan, none, none, sampling, options.controls)
        arrangement = Arrangement(take, (), 1, count, given, none)
        model = guided(self._engine, options.controls)
        ends = bool(request.form)
        played = _recalled(play(model, grid.guitar_grid, guitar.features, arrangement), rows, plan, beat, ends=ends)
        kept = kept_of(song, grid.lattice, options, drum_maps.load(GM), FULL)._replace(first=1)
        by_letter = {row.letter: row.groove for row in rows}
        written = write(guitar, Grooves(options, options, by_letter), kept, played, self._engine.kit)
        # 3. As notes from the barline on.
        for row, bar in islice(zip(rows, self._engine.run(written), strict=True), 1, count - COMING):
            part = replace(bar.part, onset=np.maximum(bar.part.onset - bar.bar.start, 0))
            key = row.groove, row.number, row.turn, row.passage
            if genre.rolls and ticks == 4 * TICKS and not row.is_fill:
                part = _with_rolls(part, (beat.seed, row.passage, row.number, row.turn))
            if not request.variability and not row.is_fill:
                part = beat.notes.setdefault((*key, request.bpm), part)
            yield part

    def _rows(self, request: Brief, beat: _Beat, first: int, length: int, song: Song) -> list[_Row]:
        """The bars of a phrase, from its first on. song: without notes, at the request's tempo."""
        if not request.form:
            return self._rows_of_phrase(request, beat, first, length)
        # 1. The sections of a form, on grooves that are dressed for them.
        spans, begin = list[tuple[str, int, int]](), 0
        for name, bars in request.sections:
            spans.append((name, begin, begin + bars))
            begin += bars
        genre, groove = self._groove(request, beat, 0)
        kind, count = genres.GENRE[genre], begin + 1
        silent = SongGrid.of(replace(song, length=count * song.bars()[0].length), ()).guitar_grid
        plans = tuple(_planned(name, start, stop, lifts=kind.lifts) for name, start, stop in spans)
        rng = np.random.default_rng([beat.seed, _TAG, 3])
        basic = (groove,) * count
        draw = float(rng.random())
        if kind.lifts:
            plans = on_cymbals(plans, basic, _CYMBALS, draw)
            basic = tuple(one or groove for one in dressed(basic, plans, silent))
        # 2. Their bars; the last one has the ending alone.
        rows = list[_Row]()
        for number, plan in enumerate(plans):
            bars = plan.stop - plan.first
            order = [
                one
                for phrase in range(-(-bars // PHRASE))
                for one in order_of(beat.seed, 0, 100 * number + phrase, request.variability)
            ]
            filled = bars >= LEAST_FILLED and rng.random() < FILLED
            for bar in range(bars):
                own = basic[plan.first + bar]
                is_fill = request.is_fill(plan.first + bar) or (filled and bar == bars - 1)
                rows.append(_Row(plan.letter, genre, own, order[bar], bar % len(own.bars), is_fill, 0))
        return [*rows, replace(rows[-1], is_fill=False)]

    def _rows_of_phrase(self, request: Brief, beat: _Beat, first: int, length: int) -> list[_Row]:
        rows = list[_Row]()
        for number in range(first, first + length):
            passage = request.passage(number)
            genre, groove = self._groove(request, beat, passage)
            order = order_of(beat.seed, passage, first // length, request.variability)
            turn = number % len(groove.bars)
            rows.append(
                _Row(f"P{passage}", genre, groove, order[number - first], turn, request.is_fill(number), passage)
            )
        return rows

    def _groove(self, request: Brief, beat: _Beat, passage: int) -> tuple[str, Groove]:
        """The genre and the groove of a passage. A groove stays while the genres do and its tempo allows."""
        shares, metre = request.genres, choices.metre_of(request.metre)
        key = passage, tuple(shares.items()), metre
        found = beat.grooves.get(key)
        if found is not None and (beat.primed or genres.away(found[1], request.bpm) <= genres.FAR):
            return found
        genre, groove = genres.drawn(shares, request.bpm, beat.seed, passage, request.temperature)
        if (
            found is not None
            and genre == found[0]
            and genres.away(found[1], request.bpm) <= genres.away(groove, request.bpm)
        ):
            return found
        if beat.primed is not None and not passage:
            groove = beat.primed
        if metre != (groove.numerator, groove.denominator):
            groove = _in_metre(groove, metre, genre, request.bpm, beat.seed, passage)
        beat.grooves[key] = genre, groove
        return genre, groove


def _in_metre(groove: Groove, metre: tuple[int, int], genre: str, bpm: float, seed: int, passage: int) -> Groove:
    """A groove of the genre's style in a metre, near the tempo; the groove itself fitted to it, if there is none."""
    style = genres.GENRE[genre].style
    own = [one for one in Book.load().of_metre(*metre) if one.style == style and genres.away(one, bpm) <= 0.5]
    if not own:
        return groove.fitted(*metre)
    return own[int(np.random.default_rng([seed, _TAG, passage, 7]).integers(len(own)))]


def _planned(name: str, first: int, stop: int, *, lifts: bool) -> SectionPlan:
    """The plan of a section of a form, by its name."""
    level, loudness = next(((level, loud) for sign, level, loud in LEVELS if sign.search(name)), (0.0, 1.0))
    return SectionPlan(first, stop, name, first, level if lifts else 0.0, loudness, is_lifted=lifts and level > 0.2)


def _plan(request: Brief, rows: list[_Row], options: Options, loaded: Engine, seed: int) -> Plan:
    """The plan of the bars of a phrase, the first of which is the one before. seed: of the beat."""
    genre = genres.GENRE[rows[1].genre]
    # 1. Each bar on its variant.
    grooves = tuple(_varied(row, genre, request.variability, seed) for row in rows)
    count, letters = len(rows), [row.letter for row in rows]
    begins = [bar for bar in range(1, count) if bar == 1 or letters[bar] != letters[bar - 1]]
    plan = Plan.of_sections(count, [Section(bar, letters[bar]) for bar in begins])
    # 2. Fills, the crashes behind them, and how far bars stray.
    fill = np.array([row.is_fill for row in rows])
    share = CRASHED if genre.lifts else SELDOM
    opens = np.zeros(count, dtype=np.bool_)
    if request.form:
        opens[begins[1:]] = True
    rng = np.random.default_rng([options.seed, _TAG, 5])
    crash = (np.append(False, fill[:-1]) | opens) & (rng.random(count) < share)
    newer = max((request.variability - AS_DRUMMERS) / (1 - AS_DRUMMERS), 0.0)
    change = np.array([newer * FILL_CHANGE if row.number >= NEW else 0.0 for row in rows], dtype=np.float32)
    change[fill] = FILL_CHANGE
    gestures = Gestures(soft=genre.is_soft, swung=swings(rows[1].groove))
    pieces = pieces_of(replace(options, style=None), grooves, loaded.kit)
    loudness = None
    if request.form:
        plans = [_planned(name, 0, 1, lifts=genre.lifts) for name in letters]
        loudness = np.array([one.loudness for one in plans], dtype=np.float32)
    return replace(
        plan,
        firm=request.variability <= AS_DRUMMERS,  # the variants vary enough
        grooves=grooves,
        fill=fill,
        crash=crash,
        fills=Fills(fill, ~fill),
        change=change,
        gestures=gestures,
        pieces=pieces,
        loudness=loudness,
    )


def _varied(row: _Row, genre: genres.Genre, variability: float, seed: int) -> Groove:
    """The bar of the groove that a row is played on, as its variant has it."""
    bar = row.groove.bars[row.turn]
    is_known = (row.groove.numerator, row.groove.denominator) == (4, 4)
    if row.number and is_known:
        bar = variant(bar, genre.moves, (row.passage, row.number, row.turn, seed), variability)
    return replace(row.groove, bars=(bar,))


def _recalled(
    played: ComputationStream[PlayedBar], rows: list[_Row], plan: Plan, beat: _Beat, *, ends: bool
) -> ComputationStream[PlayedBar]:
    """The bars of a phrase: those whose variant was played before as they were, and an ending in the last one."""
    timekeepers = [FULL.places[name] for name in ("closed hat", "open hat", "ride", "bell")]
    for index, row in enumerate(rows):
        bar = yield from next_of(played)
        hits = bar.hits
        key = row.groove, row.number, row.turn, row.passage
        if ends and index == len(rows) - 1 - COMING:
            hits = _ending(soft=plan.gestures.soft)
        elif index and not row.is_fill:
            crashed = plan.crash is not None and bool(plan.crash[index])
            if key in beat.hits:
                hits = beat.hits[key]
                if crashed:
                    under = ~((hits.step == 0) & np.isin(hits.key, timekeepers))
                    hits = _with_crash(hits.select(under))
            elif not crashed:
                beat.hits[key] = hits
        if index:
            beat.last, beat.was_fill = hits, row.is_fill
        yield bar._replace(hits=hits, unwished=None)


def _with_crash(hits: Grid) -> Grid:
    """Hits with a crash on the first beat."""
    crash = Grid(*np.array([[0, FULL.places["crash"], 108, 0, HIT_LENGTH]], dtype=np.int64).T)
    joined = Grid.join([crash, hits])
    return joined.select(np.lexsort((joined.key, joined.step)))


def _ending(*, soft: bool) -> Grid:
    """The last stroke of a song: kick and crash."""
    loud = 76 if soft else 112
    rows = [[0, FULL.places[name], loud, 0, HIT_LENGTH] for name in ("kick", "crash")]
    return Grid(*np.array(rows, dtype=np.int64).T)


def _with_rolls(part: Part, seed: tuple[int, ...]) -> Part:
    """A bar in which the hat is rolled."""
    made = Part.of(rolls.rolled(part.rows, seed), name=part.name, is_drums=True)
    return replace(made, program=part.program, is_xg=part.is_xg)
