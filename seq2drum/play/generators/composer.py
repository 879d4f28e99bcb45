"""Beats without a guitar: a generator's bars as a song.

A generator is a line in `GENERATORS`, and a class that implements `Generator`. It yields bars, and reads the brief
again before each: so a beat can be streamed, changed while it runs, and stopped. Its draws for a bar come from (seed,
bar) alone. The book, the default, yields bars as notes, with their feel: it `Plays`. The others are learnt, and know
the genres of `choices.LEARNT`; a beat of theirs whose first bar is broken is drawn again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import CheckpointError, OptionError, UnknownModelError
from seq2drum.formats.midi import midi
from seq2drum.lattice.form import lattice_of
from seq2drum.lattice.grid import STEPS_PER_QUARTER, Grid, Lattice, decode, encode
from seq2drum.lattice.grooves.fitting import fitted, steps_of
from seq2drum.lattice.patterns import (
    GRIDS,
    QUARTERS,
    TICKS,
    WANTED,
    Pattern,
    Velocities,
    led_in,
    part_of,
    pattern_of,
    pattern_of_song,
    regridded,
    song_of_part,
    ticks_of,
)
from seq2drum.music import choices, drum_maps, theory
from seq2drum.music.brief import BaseBrief, check_brief
from seq2drum.music.choices import BOOK, LABORATORIES, LEARNT
from seq2drum.music.drum_maps import DrumMap
from seq2drum.music.duet import DRUMS, Duet
from seq2drum.music.kit import FULL, NINE
from seq2drum.music.notes import Bar, Marker, Metre, Part, Song, Tempo, loudest
from seq2drum.music.shown import Shown
from seq2drum.play.checkpoint.folder import CONFIG, DEFAULT, meant, place_in
from seq2drum.play.checkpoint.runtime import UNUSABLE, read_json
from seq2drum.system import files

WISHES = len(LEARNT) + 2
"""The size of a network's request input: a share of each genre, the tempo, and whether the bar is a fill."""

_MIDDLE, _SPREAD = 110, 50  # of tempos, in quarters a minute


@dataclass(frozen=True, slots=True)
class Brief(BaseBrief):
    """The options of a beat; `music.brief.BaseBrief` has the fields, their meanings, ranges and defaults.

    genre: a name, a mix of names as "funk:2,jazz:1" or a mapping of names to weights; None for any. change: bars
    counted from 1. grid: see `lattice.patterns`. metre: see `lattice.grooves.fitting`. form: sections, whose bars
    together become `bars`.

    Raises:
        OptionError: one of these is out of its range.
    """

    def __post_init__(self) -> None:
        self.settle()
        for name in ("bpm", "bars", "variability", "fill", "temperature"):
            check_brief(name, getattr(self, name))
        for bar in self.change:
            check_brief("change", bar)
            if bar > self.bars:
                raise OptionError(f"a change is requested in bar {bar}, of {self.bars} bars; request more bars")
        if self.form is not None and self.change:
            raise OptionError("a form has no bars of change; leave out one of form and change")
        if self.grid not in GRIDS:
            raise OptionError(f"the grid is {self.grid}, wanted {WANTED}")
        _ = choices.metre_of(self.metre)

    @property
    def length(self) -> int:
        """The bars of the beat: of a form, one more for the last stroke."""
        return self.bars + (self.form is not None)

    def in_words(self) -> str:
        """Return the request in words."""
        mixed = ", ".join(name if share == 1 else f"{name} {share:.0%}" for name, share in self.genres.items())
        bars = "1 bar" if self.bars == 1 else f"{self.bars} bars"
        fills = f", a fill every {self.fill}" if self.fill else ""
        return f"{mixed or 'any genre'}, {bars}{fills}, {self.metre}, ♩={self.bpm:g}, variability {self.variability:g}"

    def is_fill(self, bar: int) -> bool:
        """Return True if a bar, counted from 0, is a fill."""
        return self.fill is not None and bar % self.fill == self.fill - 1

    def passage(self, bar: int) -> int:
        """Return the number of changes before a bar, counted from 0, or at it."""
        return sum(change - 1 <= bar for change in self.change)


def wish(genre: str | None, bpm: float, *, fill: bool) -> NDArray[np.float32]:
    """(WISHES,): one genre (None: any, all zero), a tempo and whether it is a fill, as networks take them."""
    numbers = np.zeros(WISHES, dtype=np.float32)
    if genre is not None:
        numbers[LEARNT.index(genre)] = 1
    numbers[-2:] = (bpm - _MIDDLE) / _SPREAD, fill
    return numbers


MOST_PRIMED = 8  # bars of a file to continue from
_MICROSECONDS = 60_000_000
_LOUDEST = 127

GENERATORS: MappingProxyType[str, str] = MappingProxyType(
    {
        BOOK: "seq2drum.play.beats.book:BookPlayer",
        "step": "seq2drum.play.generators.step:StepPlayer",
        "words": "seq2drum.play.generators.words:WordsPlayer",
        "bar": "seq2drum.play.generators.bar:BarGanSampler",
        "phrase": "seq2drum.play.generators.phrase:PhrasePlayer",
    }
)
"""The class that plays each generator."""
PACKAGE = "seq2drum-generators"
"""The package of the learnt ones, which puts their checkpoints beside the others."""


class Generator(Protocol):
    """A generator of bars. places: the number of places in its bars. MODEL: its name."""

    places: int

    @classmethod
    def load(cls, folder: Path) -> Generator:
        """Load its checkpoint.

        Raises:
            CheckpointError: it is damaged, or of another kind.
        """
        ...

    def bars(self, brief: Callable[[], Brief], seed: int) -> Iterator[Velocities]:
        """Endless bars, each velocities (places, 9) 0..1. brief: returns the current request."""
        ...


@runtime_checkable
class Continues(Protocol):
    """A generator that can continue from given bars."""

    def bars_after(self, brief: Callable[[], Brief], seed: int, primed: Velocities) -> Iterator[Velocities]:
        """As `bars`. primed (bars, places, 9): the bars to continue from."""
        ...


@runtime_checkable
class Plays(Protocol):
    """A generator whose bars are notes."""

    def parts(self, brief: Callable[[], Brief], seed: int, primed: Pattern | None = None) -> Iterator[Part]:
        """Endless bars, TICKS a quarter, each from its barline on. primed: the bars to continue from."""
        ...


@dataclass(frozen=True, eq=False)
class Beat(Shown):
    """Some bars of drums, and the data to reproduce them.

    pattern: in another metre than 4/4, cut into bars of four quarters. played: the notes, if it was made as notes.
    """

    pattern: Pattern
    brief: Brief
    seed: int
    model: str
    played: Part | None = None

    @property
    def part(self) -> Part:
        """Its hits as a drum part of TICKS per quarter."""
        return part_of(self.pattern) if self.played is None else self.played

    @property
    def song(self) -> Song:
        """It as a song, at its tempo and in its metre, exactly as long as its bars, so that it loops."""
        tempo = Tempo(0, round(_MICROSECONDS / self.brief.bpm))
        if self.played is not None:
            return _played(self.played, self.brief, tempo)
        song = song_of_part(self.part, self.pattern.bars, (tempo,))
        metre = choices.metre_of(self.brief.metre)
        return song if metre == (QUARTERS, 4) else _in_metre(song, self.pattern.bars, *metre)

    @property
    def duet(self) -> Duet:
        """It for pictures and sound, without a guitar."""
        song = self.song
        return Duet(song, (), song.parts[0] if song.parts else Part.of([], name=DRUMS, is_drums=True))

    def to_bytes(self) -> bytes:
        """It as a MIDI file."""
        return midi.serialise(self.song)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write it as a MIDI file, whole or not at all.

        Raises:
            OutputError: it cannot be written; an existing file is unchanged.
        """
        files.write_file(path, self.to_bytes(), overwrite=overwrite)
        return Path(path)


def _played(part: Part, brief: Brief, tempo: Tempo) -> Song:
    """Notes as a song of a brief's length and metre, with the sections of its form as markers."""
    numerator, denominator = choices.metre_of(brief.metre)
    bar, markers, begin = 4 * TICKS * numerator // denominator, list[Marker](), 0
    for name, bars in brief.sections:
        markers.append(Marker(begin * bar, name, True))
        begin += bars
    parts = (part,) * bool(len(part))
    return Song(TICKS, parts, (tempo,), (Metre(0, numerator, denominator),), brief.length * bar, tuple(markers))


def _in_metre(song: Song, bars: int, numerator: int, denominator: int) -> Song:
    """Bars of another metre, as many as a song in 4/4 has; see `lattice.grooves.fitting`."""
    hits = encode(song.parts[0], lattice_of(song), FULL) if song.parts else Grid.join([])
    made: list[Grid] = []
    for bar in range(bars):
        begin = bar * QUARTERS * STEPS_PER_QUARTER
        inside = (hits.step >= begin) & (hits.step < begin + QUARTERS * STEPS_PER_QUARTER)
        made += fitted(hits.select(inside).shift(-begin), (QUARTERS, 4), (numerator, denominator))
    length, steps = 4 * TICKS * numerator // denominator, steps_of(numerator, denominator)
    lattice = Lattice(tuple(Bar(index, index * length, length, numerator, denominator) for index in range(bars)), TICKS)
    grid = Grid.join(bar.shift(index * steps) for index, bar in enumerate(made[:bars]))
    drums = decode(grid, lattice, FULL, name=DRUMS)
    metre = (Metre(0, numerator, denominator),)
    return Song(TICKS, (drums,) * bool(len(drums)), song.tempos, metre, bars * length)


class Composer:
    """A loaded generator, by name."""

    def __init__(self, model: str, generator: Generator) -> None:
        self.model, self.generator = model, generator

    @staticmethod
    def load(model: str = BOOK) -> Composer:
        """The generator of a name, or of the folder of a training run.

        Raises:
            UnknownModelError: there is no such generator.
            CheckpointError: it is damaged.
        """
        folder = find(model)
        kind = BOOK if model == BOOK else _kind(folder)
        module, name = GENERATORS[kind].split(":")
        return Composer(kind, getattr(import_module(module), name).load(folder))

    def stream(self, brief: Callable[[], Brief], seed: int = 0, primed: Pattern | None = None) -> Iterator[Velocities]:
        """Endless bars in 4/4, on the generator's own grid. brief: called before each bar. primed: see `compose`.

        Raises:
            OptionError: the generator cannot continue from bars, does not know a genre, or plays no form.
        """
        if isinstance(self.generator, Plays):
            places = self.generator.places
            parts = self.generator.parts(brief, seed, primed)
            return (pattern_of(on_nine(part), TICKS, places, bars=1).velocity[0] for part in parts)
        return self._learnt(brief, seed, primed)

    def parts(self, brief: Callable[[], Brief], seed: int = 0, primed: Pattern | None = None) -> Iterator[Part]:
        """The same bars as notes, TICKS a quarter, each from its barline on.

        Raises:
            OptionError: as `stream`.
        """
        if isinstance(self.generator, Plays):
            return self.generator.parts(brief, seed, primed)
        return (part_of(Pattern(bar[None])) for bar in self._learnt(brief, seed, primed))

    def _learnt(self, brief: Callable[[], Brief], seed: int, primed: Pattern | None) -> Iterator[Velocities]:
        briefs: list[Brief] = []
        if primed is not None and not isinstance(self.generator, Continues):
            raise OptionError(f"{self.model} cannot go on from bars that are given; leave out --model, or take step")
        before = None if primed is None else regridded(primed, self.generator.places).velocity
        again = list[Brief]()  # that of a first bar that is drawn again

        def noted() -> Brief:
            briefs[:] = [again.pop() if again else self.check(brief())]
            return briefs[0]

        def begun(number: int) -> Iterator[Velocities]:
            again[:] = briefs
            if before is None or not isinstance(self.generator, Continues):
                return self.generator.bars(noted, number)
            return self.generator.bars_after(noted, number, before)

        return _with_fills(_whole(begun, briefs, seed), briefs, None if before is None else before[-1])

    def check(self, brief: Brief) -> Brief:
        """Return a brief, unless the generator is a learnt one and cannot play it.

        Raises:
            OptionError: it has a genre that the generator has not learnt, or a form.
        """
        if self.model == BOOK:
            return brief
        if unknown := [name for name in brief.genres if name not in LEARNT]:
            raise OptionError(
                f"--model {self.model} has not learnt {', '.join(unknown)}, but {', '.join(LEARNT)}; leave out --model:"
                " the book knows all genres"
            )
        if brief.form is not None:
            raise OptionError(f"--model {self.model} plays no form; leave out --model, or give bars")
        return brief

    def compose(
        self,
        brief: Brief | None = None,
        seed: int = 0,
        *,
        primed: Pattern | None = None,
        show: Callable[[int], None] = lambda bar: None,
    ) -> Beat:
        """Make a beat. The same brief and seed give the same beat.

        primed: bars to continue from; the beat does not include them. show: called with each finished bar.

        Raises:
            OptionError: as `stream`.
        """
        request = self.check(Brief() if brief is None else brief)
        bars = []
        for number, bar in enumerate(islice(self.parts(lambda: request, seed, primed), request.length)):
            bars.append(bar)
            show(number)
        return self.beat(bars, request, seed)

    def beat(self, bars: Sequence[Part], brief: Brief, seed: int) -> Beat:
        """The beat of streamed bars of `parts`, for a brief and a seed."""
        if isinstance(self.generator, Plays):
            numerator, denominator = choices.metre_of(brief.metre)
            length = 4 * TICKS * numerator // denominator
            part = _joined(bars, length)
            count = -(-len(bars) * length // (QUARTERS * TICKS))
            return Beat(pattern_of(on_nine(part), TICKS, brief.grid, bars=count), brief, seed, self.model, part)
        pattern = _as_made(_joined(bars, QUARTERS * TICKS), self.generator.places, len(bars))
        return Beat(regridded(pattern, brief.grid), brief, seed, self.model)


STAND_INS = MappingProxyType(
    {
        "clap": "snare",
        **dict.fromkeys(("shaker", "cabasa", "tambourine", "triangle"), "closed hat"),
        **dict.fromkeys(("cowbell", "block"), "ride"),
        **dict.fromkeys(("high conga", "high bongo"), "high tom"),
        **dict.fromkeys(("mute conga", "low bongo"), "mid tom"),
        "low conga": "low tom",
    }
)
"""Pieces of the nine-voice kit that stand for those that it lacks, where a beat is a pattern."""


def on_nine(part: Part) -> Part:
    """Return a drum part whose pieces are all in the nine-voice kit."""
    stand_in = np.arange(128)
    for name, other in STAND_INS.items():
        stand_in[list(FULL.voices[FULL.places[name]].notes)] = FULL.note_of[FULL.places[other]]
    pitch = stand_in[part.pitch]
    if (pitch == part.pitch).all():
        return part
    rows = np.stack([part.onset, part.duration, pitch, part.velocity], axis=1)
    return Part.of(loudest(rows), name=part.name, is_drums=True)


def _joined(bars: Sequence[Part], length: int) -> Part:
    """Bars of so many ticks, one after the other, as one part; the kit is that of the first."""
    rows = np.concatenate([part.rows + np.array([number * length, 0, 0, 0]) for number, part in enumerate(bars)])
    program = bars[0].program if bars else 0
    return Part.of(rows[rows[:, 0] < length * len(bars)], name=DRUMS, program=program, is_drums=True)


def _as_made(part: Part, places: int, bars: int) -> Pattern:
    """The pattern that `part_of` made a part of."""
    bar, tick = np.divmod(part.onset, QUARTERS * TICKS)
    velocity = np.zeros((bars, places, len(NINE)), dtype=np.float32)
    struck = (part.velocity / _LOUDEST).astype(np.float32)
    velocity[bar, np.searchsorted(ticks_of(places), tick), NINE.voice_of[part.pitch]] = struck
    return Pattern(velocity)


TRIES = 64  # of a first bar


def _whole(begun: Callable[[int], Iterator[Velocities]], briefs: Sequence[Brief], seed: int) -> Iterator[Velocities]:
    """Endless bars of a learnt generator whose first bar is not broken. begun: the bars of a seed."""
    for attempt in range(TRIES):
        own = seed if not attempt else int(np.random.SeedSequence([seed, attempt]).generate_state(1)[0])
        bars = begun(own)
        first = next(bars)
        if attempt + 1 == TRIES or briefs[0].is_fill(0) or not is_broken(first, briefs[0]):
            yield first
            yield from bars
            return


def is_broken(bar: Velocities, brief: Brief) -> bool:
    """Return True if a beat should not begin with a bar (places, 9): no time in its first two beats, or no kick.

    Two strokes are time: on hat or ride, or on toms and snare. Jazz needs no kick.
    """
    half = bar[: len(bar) * 7 // 16] > 0  # without what another grid would move behind it
    strokes = max(int(half[:, voices].any(axis=1).sum()) for voices in (_TIME, _DRUMMED))
    return strokes < LEAST_STROKES or not (bar[:, _KICK].any() or "jazz" in brief.genres)


LEAST_STROKES = 2  # of the first two beats of a beat
_KICK = NINE.names.index("kick")
_TIME = [NINE.names.index(name) for name in ("closed hat", "open hat", "ride", "crash")]
_DRUMMED = [NINE.names.index(name) for name in ("snare", "low tom", "mid tom", "high tom")]


def _with_fills(
    bars: Iterator[Velocities], briefs: Sequence[Brief], groove: Velocities | None = None
) -> Iterator[Velocities]:
    """Endless bars with a lead-in to each fill in the bar before. briefs: one item, the brief of the last bar."""
    for number, bar in enumerate(bars):
        if not briefs[0].is_fill(number):
            groove = bar
        yield bar if groove is None else led_in(bar, groove)


def primer(song: Song, drum_map: DrumMap | None = None) -> Pattern:
    """The last bars of a song's drums, to continue from.

    Raises:
        OptionError: it has no drums, or is not in 4/4.
    """
    drums = drum_maps.joined(song, drum_map)
    pattern = pattern_of_song(song, drums)
    if not pattern.bars:
        raise OptionError(theory.no_drums(song))
    return Pattern(pattern.velocity[-MOST_PRIMED:])


_SHIPPED = Path(__file__).parents[2] / "checkpoints"


def available() -> list[str]:
    """The names of the shipped generators, the default first."""
    return [name for name in GENERATORS if (_shipped(name) / CONFIG).is_file()]


def lacking() -> list[str]:
    """The names of the learnt generators that are not installed."""
    return [name for name in LABORATORIES if not _shipped(name).is_dir()]


def is_generator(name: str) -> bool:
    """Return True if a name or a folder is that of a generator for `Composer`."""
    try:
        return name in GENERATORS or bool(_kind(find(name)))
    except (UnknownModelError, CheckpointError):
        return False


def find(name: str) -> Path:
    """The checkpoint of a name, of a folder, or of a run (its best). The book's is that of the drummer who plays it.

    Raises:
        UnknownModelError: there is no such checkpoint, or it is in a package that is not installed.
    """
    if name in GENERATORS:
        return there(_shipped(name))
    if (place := place_in(name)) is not None:
        return place
    raise UnknownModelError(
        f"there is no generator {name[:80]!r}: wanted one of {', '.join(available())},"
        f" or a folder that --mode train made of one{meant(name, available())}"
    )


def there(place: Path) -> Path:
    """The same folder of a shipped generator.

    Raises:
        UnknownModelError: it is not there: the learnt generators are in a package of their own.
    """
    if not place.is_dir():
        from seq2drum.system import packages

        raise UnknownModelError(
            f"the generator {place.name!r} is not installed: {packages.install_companion(PACKAGE)},"
            f" or leave out --model: {BOOK} makes beats of all genres"
        )
    return place


def _shipped(name: str) -> Path:
    return _SHIPPED / (DEFAULT if name == BOOK else name)


def _kind(folder: Path) -> str:
    """Return the kind of generator that a checkpoint holds.

    Raises:
        CheckpointError: it holds no generator.
    """
    try:
        kind = read_json(folder / CONFIG)["kind"]
        if kind not in GENERATORS or kind == BOOK:
            raise ValueError(
                f"it is of the kind {kind!r}, wanted {' or '.join(name for name in GENERATORS if name != BOOK)}"
            )
    except UNUSABLE as error:
        raise CheckpointError(f"{str(folder)!r} holds no usable generator: {error}") from None
    return str(kind)
