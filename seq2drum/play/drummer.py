"""The verb everyone calls: `Drummer.load().accompany("song.mid").save("drums.mid")`."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2drum import files
from seq2drum.errors import InputError, OptionError
from seq2drum.formats import midi
from seq2drum.lattice.conditions import STYLES, Controls
from seq2drum.lattice.explain import Told, explain
from seq2drum.lattice.form import counted_bars
from seq2drum.lattice.grid import Grid, Lattice, encode
from seq2drum.lattice.grid import decode as to_notes
from seq2drum.lattice.listening import Heard, hear
from seq2drum.music import drum_maps, theory
from seq2drum.music.drum_maps import DrumMap
from seq2drum.music.duet import Duet
from seq2drum.music.kit import FULL, Kit
from seq2drum.music.limbs import Limbs
from seq2drum.music.limits import DEFAULT_LIMITS, SCORE_SUFFIXES, Limits
from seq2drum.music.notes import Bar, IntArray, Part, Song
from seq2drum.music.shown import Shown
from seq2drum.music.theory import GuitarChoice
from seq2drum.play import decoding, engine, feel
from seq2drum.play.decoding import OPENING_TRIES, Sampling
from seq2drum.play.engine import Ask, AskingStream
from seq2drum.play.ensemble import Ensemble
from seq2drum.play.folder import DEFAULT

TRACK_NAME = "Drums"
MAX_BARS = 10_000
MOST_TAKES = 1000
AT_ONCE = 16  # takes of a song that are played together; more would gain little


@dataclass(frozen=True, slots=True)
class Options(Shown):
    """What a musician can ask for.

    What is asked for, and None leaves to the model:

        style       one of `conditions.STYLES`
        intensity   0..1, how much is played and how loud; 0.5 is what half of all music stays below
        complexity  0..1, how much the drums lean against the metre, likewise
        fills       0..1, how many bars break the pattern: 0 none, 0.5 as many as drummers play, 1 twice as many
        humanize    0..1, velocity and timing of human drummers: 0 on the lattice, 1 as human as they are
        swing       0..1, where the second eighth of a quarter falls: 0 half way, 1 at two thirds

    What of the file's own drums stays, one of

        prime       the drums up to their first bars, that many; the take goes on from there
        bars        (first, last), counted from 1: all drums but these bars, which are played anew

    And

        seed         which take, 0 or more; the same seed gives the same take
        temperature  0 is the most likely take, 1 as free as the music it was learnt from, at most 2
        top_p        the share of likely outcomes that is kept, above 0.5 up to 1; lower is tamer
        track        which part is the guitar, by number from 1 or by name; by default what looks like one
        drum_map     the notes that a sampler has the drums on, and the file's own drums are on: one of
                     `drum_maps.names()`, or a JSON file of one's own
    """

    seed: int = 0
    temperature: float = 1.0
    top_p: float = 0.99
    track: str | None = None
    style: str | None = None
    intensity: float | None = None
    complexity: float | None = None
    fills: float | None = None
    humanize: float | None = None
    swing: float | None = None
    prime: int = 0
    bars: tuple[int, int] | None = None
    drum_map: str = drum_maps.GM

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise OptionError(f"the seed is {self.seed}, wanted 0 or more")
        if not 0 <= self.temperature <= 2:
            raise OptionError(f"the temperature is {self.temperature}, wanted 0 (the most likely take) to 2 (wild)")
        if not 0.5 < self.top_p <= 1:
            raise OptionError(f"top-p is {self.top_p}, wanted more than 0.5 and at most 1")
        if self.style is not None and self.style not in STYLES:
            raise OptionError(f"there is no style {self.style!r}; there are {', '.join(STYLES)}")
        for name in ("intensity", "complexity", "fills", "humanize", "swing"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise OptionError(f"{name} is {value}, wanted 0 to 1")
        if self.prime < 0:
            raise OptionError(f"prime is {self.prime}, wanted a number of bars")
        if self.bars is not None:
            first, last = self.bars
            if not 1 <= first <= last:
                raise OptionError(f"the bars are {first}:{last}, wanted FIRST:LAST, counted from 1")
            if self.prime:
                raise OptionError("prime and bars both say what stays of the file's drums; ask for one of them")
        drum_maps.load(self.drum_map)

    @property
    def controls(self) -> Controls:
        """What the model is asked for."""
        return Controls(self.style, self.intensity, self.complexity, self.fills)


@dataclass(frozen=True)
class DrumBar(Shown):
    """One bar of a take as it is made: the bar, and its hits as notes in ticks of the song.

    Its hits are on the notes of `Options.drum_map`. A hit on the downbeat may come a little before the barline.
    """

    bar: Bar
    part: Part


@dataclass(frozen=True)
class Take(Shown):
    """A finished drum part.

    song: what was played to. part: the drums, on the notes of `options.drum_map`. guitar: which parts were listened to,
    and why those. source: the bytes of the MIDI file that the song came from, if it came from one. score: what
    `Drummer.takes` ranked it by.
    """

    song: Song
    part: Part
    guitar: GuitarChoice
    options: Options
    source: bytes | None = None
    score: float | None = None

    @property
    def standard_part(self) -> Part:
        """The drums on the notes of General MIDI."""
        return drum_maps.load(self.options.drum_map).read(self.part)

    @property
    def duet(self) -> Duet:
        """The guitar that was listened to and these drums: what is shown, heard and written as a score."""
        return Duet(self.song, tuple(self.song.parts[index] for index in self.guitar.parts), self.standard_part)

    @property
    def drum_song(self) -> Song:
        """The drums alone, with the song's ticks per quarter, tempo map, metre map and length."""
        return replace(self.song, parts=(self.part,), length=self.song.end)

    def to_bytes(self, *, with_guitar: bool = False) -> bytes:
        """The take as a MIDI file. With the guitar: the original file, its drums replaced by these."""
        if not with_guitar:
            return midi.serialise(self.drum_song)
        if self.source is not None:
            return midi.with_drums(self.source, self.part)
        pitched = (part for part in self.song.parts if not part.is_drums)
        return midi.serialise(replace(self.drum_song, parts=(*pitched, self.part)))

    def explain(self) -> tuple[Told, ...]:
        """What was done, bar by bar, and what of the guitar it goes with; see `explain`."""
        lattice = Lattice(_counted(self.song), self.song.ticks_per_quarter)
        heard = hear(self.song, self.guitar.parts, lattice)
        numbers = np.array([bar.index + 1 for bar in lattice.bars])
        return explain(encode(self.standard_part, lattice, FULL), heard, numbers=numbers)

    def save(self, path: str | os.PathLike[str], *, with_guitar: bool = False, overwrite: bool = True) -> Take:
        """Write the take to a MIDI file, whole or not at all.

        Raises:
            OutputError: it cannot be written; what was there is untouched.
        """
        files.write_file(path, self.to_bytes(with_guitar=with_guitar), overwrite=overwrite)
        return self


@dataclass(frozen=True)
class Sheet:
    """A song that has been read, which of its parts are the guitar, and what is wanted: all that a take is made of."""

    song: Song
    guitar: GuitarChoice
    options: Options
    source: bytes | None = None

    def variants(self, count: int) -> list[Sheet]:
        """The same with other seeds that are made from this one's, which is the first."""
        return [replace(self, options=replace(self.options, seed=seed)) for seed in _seeds(self.options.seed, count)]

    def take(self, bars: Iterable[DrumBar]) -> Take:
        """The finished take, of all its bars."""
        part = Part.of(np.concatenate([bar.part.rows for bar in bars]), name=TRACK_NAME, is_drums=True)
        return Take(self.song, part, self.guitar, self.options, self.source)


@dataclass(frozen=True)
class Drummer(Shown):
    """A loaded model, ready to play to any number of songs."""

    engine: engine.Engine

    @staticmethod
    def load(model: str | os.PathLike[str] = DEFAULT, *, threads: int = 1) -> Drummer:
        """Load a model by name, or from a folder that training made.

        Raises:
            UnknownModelError, CheckpointError: there is no such model, or it is damaged.
        """
        return Drummer(engine.load(str(model), threads=threads))

    def sheet(
        self,
        song: Song | bytes | str | os.PathLike[str],
        options: Options | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Sheet:
        """Read a song and what is wanted, and get ready to play: for whoever lets several be played at once.

        Raises:
            InputError: as `accompany`.
        """
        options = options or Options()
        song, source = _opened(song, limits)
        return Sheet(song, _guitar(song, options), options, source)

    def accompany(self, song: Song | bytes | str | os.PathLike[str], options: Options | None = None) -> Take:
        """Play drums to a song: a `Song`, the bytes of a MIDI file, or the path of a MIDI or MusicXML file.

        Raises:
            InputError: the song cannot be read or has no guitar. The message says what to do.
        """
        sheet = self.sheet(song, options)
        return sheet.take(self.engine.run(self.playing(sheet)))

    def stream(self, song: Song | bytes | str | os.PathLike[str], options: Options | None = None) -> Iterator[DrumBar]:
        """The same take, bar by bar as it is made. To cancel, stop asking.

        Raises:
            InputError: as `accompany`, at once and not with the first bar.
        """
        return self.engine.run(self.playing(self.sheet(song, options)))

    def takes(
        self, song: Song | bytes | str | os.PathLike[str], options: Options | None = None, count: int = 1
    ) -> list[Take]:
        """Several takes, the best first.

        The first of them is `accompany`'s; the others have seeds that are made from its seed, and are in their options.
        The score is a take's mean hit F1 with the others: the best is the one of least risk under the model (S. Kumar,
        W. Byrne, Minimum Bayes-risk decoding, 2004). With two takes both have the same.

        Raises:
            InputError, OptionError: as `accompany`; count is not 1 to MOST_TAKES.
        """
        options = options or Options()
        if not 1 <= count <= MOST_TAKES:
            raise OptionError(f"{count} takes are asked for, wanted 1 to {MOST_TAKES}")
        sheets = self.sheet(song, options).variants(count)
        bars: list[list[DrumBar]] = [[] for _ in sheets]
        for begin in range(0, count, AT_ONCE):
            ensemble = Ensemble[int, DrumBar](self.engine)
            for index in range(begin, min(begin + AT_ONCE, count)):
                ensemble.join(index, self.playing(sheets[index]))
            for index, bar in ensemble.run():
                bars[index].append(bar)
        return ranked([sheet.take(played) for sheet, played in zip(sheets, bars, strict=True)])

    def playing(self, sheet: Sheet) -> AskingStream[DrumBar]:
        """The take's bars, what stays of the song's own drums and what is played. Asks the engine, see `engine`.

        Raises:
            OptionError: something of the song's own drums should stay, but there are none, or there is no such bar.
        """
        song, options = sheet.song, sheet.options
        kit, bars = self.engine.kit, song.bars()
        lattice = Lattice(_counted(song), song.ticks_per_quarter)
        drum_map = drum_maps.load(options.drum_map)
        kept = _kept(song, lattice, options, drum_map, kit)
        heard = hear(song, sheet.guitar.parts, lattice)
        first, stop = _sounding(song, lattice)
        tries = OPENING_TRIES if options.temperature else 1  # the most likely take is one
        sampling = Sampling(options.seed, options.temperature, options.top_p, tries)
        controls, given = options.controls, kept.given
        played = decoding.playing(self.engine, heard, sampling, controls=controls, first=first, stop=stop, given=given)
        touch, limbs = _Touch(options, heard, kit), Limbs(kit)
        struck = {tick: list(voices) for tick, voices in kept.struck.items()}
        rows: list[IntArray] = []
        for index, here in enumerate(lattice.bars):
            if index < kept.stop:
                item, answer = next(played), None
                while isinstance(item, Ask):
                    answer = yield item
                    item = played.send(answer)
                grid = touch.strike(index, item.hits)
            if kept.first <= index < kept.stop:
                if index == kept.first:
                    grid = grid.select((grid.step > 0) | ~np.isin(grid.key, list(kept.downbeat)))
                part = to_notes(grid.shift(lattice.first[index]), lattice, kit)
                found = part.rows[part.onset < kept.high]
                found[:, 0] = np.maximum(found[:, 0], kept.low)
                found = _together(found, kit.voice_of[found[:, 2]], limbs, struck)
                found[:, 1] = np.minimum(found[:, 1], song.end - found[:, 0])
                rows.append(drum_map.apply(Part.of(found, is_drums=True)).rows)
            bar = bars[here.index]
            if here.end == bar.end:
                until = bar.end if bar.index + 1 < len(bars) else math.inf
                rows.append(kept.rows[(kept.rows[:, 0] >= bar.start) & (kept.rows[:, 0] < until)])
                yield DrumBar(bar, Part.of(np.concatenate(rows), name=TRACK_NAME, is_drums=True))
                rows = []


class _Kept(NamedTuple):
    """What of a song's own drums stays. The take is played in bars [first, stop) of the lattice, ticks [low, high).

    rows (n, 4): the notes that stay, as they are in the file. given: the bars before `first`, as a model remembers
    them. struck: the voices that sound at each tick. downbeat: those that are struck already on the first step played,
    a little before its barline.
    """

    rows: IntArray
    given: dict[int, Grid]
    struck: dict[int, list[int]]
    downbeat: frozenset[int]
    first: int
    stop: int
    low: int
    high: int


def _kept(song: Song, lattice: Lattice, options: Options, drum_map: DrumMap, kit: Kit) -> _Kept:
    """What stays of a song's own drums.

    A note belongs to the bar it sounds in, but for those that come early on the downbeat after the last bar that is
    played: they stay, too.

    Raises:
        OptionError: something of them should stay, but there are none, or there is no such bar.
    """
    count, asked = len(lattice.bars), options.prime or options.bars
    rows = np.concatenate([np.empty((0, 4), np.int64), *(song.parts[index].rows for index in theory.drum_parts(song))])
    if not asked:
        return _Kept(rows[:0], {}, {}, frozenset(), 0, count, 0, song.end)
    pitch = drum_map.standard[rows[:, 2]]
    known = (pitch >= 0) & (FULL.voice_of[pitch] >= 0)
    if not known.any():
        raise OptionError("the song has no drums of its own that could stay; leave out prime and bars")
    number = np.array([bar.index for bar in lattice.bars])  # a long bar is several of the lattice
    step, _ = lattice.nearest(rows[:, 0])
    bar = lattice.bar_of[step]
    stop, low, high = count, song.end, song.end
    if options.bars is None:
        first = int(np.searchsorted(number, number[bar[known].min()] + options.prime))
        low = lattice.bars[first].start if first < count else song.end
        stays = known & (rows[:, 0] < low)
    else:
        begin, end = options.bars
        if end > len(song.bars()):
            raise OptionError(f"the bars are {begin}:{end}, but the song has {len(song.bars())}")
        first, stop = (int(np.searchsorted(number, edge)) for edge in (begin - 1, end))
        low, high = lattice.bars[first].start, lattice.bars[stop - 1].end
        stays = (rows[:, 0] < low) | (rows[:, 0] >= high) | (bar >= stop)
    standard = np.column_stack([rows[:, :2], pitch, rows[:, 3]])
    remembered = encode(Part.of(standard[known & (bar < first)]), lattice, kit)
    given = {}
    for index in range(first):
        here = remembered.select(
            (remembered.step >= lattice.first[index]) & (remembered.step < lattice.first[index + 1])
        )
        given[index] = here.shift(-lattice.first[index])
    inside = stays & known
    voice = kit.voice_of[pitch[inside]]
    struck: dict[int, list[int]] = {}
    for tick, piece in zip(rows[inside, 0].tolist(), voice.tolist(), strict=True):
        struck.setdefault(tick, []).append(piece)
    downbeat = voice[step[inside] == lattice.first[first]].tolist()
    return _Kept(rows[stays], given, struck, frozenset(downbeat), first, stop, low, min(high, song.end))


class _Touch:
    """How the hits of a take are struck, where that is not left to the model: bar after bar, the given ones too."""

    def __init__(self, options: Options, heard: Heard, kit: Kit) -> None:
        self.form, self.swing, self.performance = heard.form, options.swing, None
        if options.humanize is None:
            return
        learnt = feel.Feel.load()
        style = options.style if options.style in {*learnt.styles, *feel.STYLE_NAMES} else None
        amount, seed = options.humanize, options.seed
        self.performance = feel.Performance(
            learnt, heard.form, kit=kit, amount=amount, seed=seed, style=style, heard=heard
        )

    def strike(self, bar: int, hits: Grid) -> Grid:
        """The hits of the next bar as they are struck."""
        if self.performance is not None:
            # How loud a bar is stays the model's affair, which was told the intensity; how the hits share it is human.
            felt = self.performance.play(hits)
            louder = np.rint(np.mean(hits.velocity) - np.mean(felt.velocity)) if len(hits.velocity) else 0
            hits = felt._replace(velocity=np.clip(felt.velocity + louder, 1, 127).astype(np.int64))
        if self.swing is not None:
            hits = feel.swing(hits, self.form.between(bar, bar + 1), self.swing)
        return hits


def _seeds(seed: int, count: int) -> list[int]:
    """The seeds of several takes, the first of which is the one given."""
    return [seed, *(int(np.random.SeedSequence([seed, take]).generate_state(1)[0]) for take in range(1, count))]


def ranked(takes: Sequence[Take]) -> list[Take]:
    """Takes of one sheet with their scores, the best first."""
    scored = [replace(take, score=score) for take, score in zip(takes, _agreement(takes), strict=True)]
    return sorted(scored, key=lambda take: -(take.score or 0))


def _agreement(takes: Sequence[Take]) -> list[float | None]:
    """The mean hit F1 of each take with the others; None if there are none."""
    if len(takes) == 1:
        return [None]
    song = takes[0].song
    lattice = Lattice(_counted(song), song.ticks_per_quarter)
    grids = [encode(take.standard_part, lattice, FULL) for take in takes]
    hits = [grid.step * len(FULL) + grid.key for grid in grids]
    there = np.unique(np.concatenate(hits))
    struck = np.stack([np.isin(there, mine) for mine in hits]).astype(np.float32)
    both, count = struck @ struck.T, struck.sum(axis=1)
    f1 = 2 * both / np.maximum(count[:, None] + count[None, :], 1)
    others = (f1.sum(axis=1) - np.diag(f1)) / (len(takes) - 1)
    return [float(score) for score in others]


def _together(rows: IntArray, voices: IntArray, limbs: Limbs, struck: dict[int, list[int]]) -> IntArray:
    """The hits (n, 4) that can be played beside those that were `struck` before at the same ticks; adds them there.

    A drummer's limits hold for each step. But late and early hits of neighbouring steps can meet in one tick, and where
    a quarter has few ticks, steps do; also across a barline.
    """
    if len(rows):
        for tick in [tick for tick in struck if tick < rows[0, 0]]:
            del struck[tick]
    order = np.lexsort((voices, rows[:, 0]))
    kept = []
    for index, tick, voice in zip(order.tolist(), rows[order, 0].tolist(), voices[order].tolist(), strict=True):
        held = struck.setdefault(tick, [])
        if limbs.can_add(voice, held):
            held.append(voice)
            kept.append(index)
    return rows[kept]


def _counted(song: Song) -> tuple[Bar, ...]:
    """The song's bars as a drummer counts them, if they are not too many."""
    if len(song.bars()) > MAX_BARS:
        raise InputError(f"the song has {len(song.bars())} bars, at most {MAX_BARS} are played; is its metre right?")
    return counted_bars(song)


def _opened(song: Song | bytes | str | os.PathLike[str], limits: Limits) -> tuple[Song, bytes | None]:
    if isinstance(song, Song):
        return song, None
    if isinstance(song, bytes):
        return midi.parse(song, limits=limits), song
    path = Path(song)
    if path.suffix.lower() in SCORE_SUFFIXES:
        from seq2drum.formats import notation  # music21: only where it is used

        return notation.read_musicxml(path), None
    data = files.read_file(path, limits.file_bytes)
    return midi.parse(data, limits=limits), data


def _guitar(song: Song, options: Options) -> GuitarChoice:
    return theory.guitar_parts(song) if options.track is None else theory.choose_part(song, options.track)


def _sounding(song: Song, lattice: Lattice) -> tuple[int, int]:
    """The bars from the first to the last in which anything but drums sounds: there is nothing to play to outside."""
    pitched = [part for part in song.parts if not part.is_drums and len(part)]
    starts = np.array([bar.start for bar in lattice.bars])
    begin = min(int(part.onset.min()) for part in pitched)
    end = max(max(part.end, int(part.onset.max()) + 1) for part in pitched)  # a note without length sounds, too
    first = int(np.searchsorted(starts, begin, side="right")) - 1
    return first, int(np.searchsorted(starts, end, side="left"))
