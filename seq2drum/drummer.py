"""The verb everyone calls: `Drummer.load().accompany("song.mid").save("drums.mid")`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seq2drum import decode, engine, files, midi, theory
from seq2drum.decode import TRIES, Chance
from seq2drum.engine import DEFAULT
from seq2drum.errors import InputError, OptionError
from seq2drum.features import MAX_STEPS, hear
from seq2drum.grid import STEPS_PER_QUARTER, Lattice
from seq2drum.grid import decode as to_notes
from seq2drum.notes import Bar, IntArray, Part, Song
from seq2drum.theory import GuitarChoice

TRACK_NAME = "Drums"
MAX_BARS = 10_000
SCORES = {".musicxml", ".xml", ".mxl"}


@dataclass(frozen=True, slots=True)
class Options:
    """What a musician can ask for.

    seed: which take, 0 or more; the same seed gives the same take. temperature: 0 is the most likely take, 1 as free as
    the music it was learnt from, at most 2. top_p: the share of likely outcomes that is kept, above 0.5 up to 1; lower
    is tamer. track: which part is the guitar, by number from 1 or by name; by default what looks like one.
    """

    seed: int = 0
    temperature: float = 1.0
    top_p: float = 0.99
    track: str | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise OptionError(f"the seed is {self.seed}, wanted 0 or more")
        if not 0 <= self.temperature <= 2:
            raise OptionError(f"the temperature is {self.temperature}, wanted 0 (the most likely take) to 2 (wild)")
        if not 0.5 < self.top_p <= 1:
            raise OptionError(f"top-p is {self.top_p}, wanted more than 0.5 and at most 1")


@dataclass(frozen=True)
class DrumBar:
    """One bar of a take as it is made: the bar, and its hits as notes in ticks of the song.

    A hit on the downbeat may come a little before the barline.
    """

    bar: Bar
    part: Part


@dataclass(frozen=True)
class Take:
    """A finished drum part.

    song: what was played to. part: the drums. guitar: which parts were listened to, and why those. source: the bytes of
    the MIDI file that the song came from, if it came from one.
    """

    song: Song
    part: Part
    guitar: GuitarChoice
    options: Options
    source: bytes | None = None

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

    def save(self, path: str | os.PathLike[str], *, with_guitar: bool = False, overwrite: bool = True) -> Take:
        """Write the take to a MIDI file, whole or not at all.

        Raises:
            OutputError: it cannot be written; what was there is untouched.
        """
        files.write_file(path, self.to_bytes(with_guitar=with_guitar), overwrite=overwrite)
        return self


@dataclass(frozen=True)
class Drummer:
    """A loaded model, ready to play to any number of songs."""

    engine: engine.Engine

    @staticmethod
    def load(model: str | os.PathLike[str] = DEFAULT, *, threads: int = 1) -> Drummer:
        """Load a model by name, or from a folder that training made.

        Raises:
            UnknownModelError, CheckpointError: there is no such model, or it is damaged.
        """
        return Drummer(engine.load(str(model), threads=threads))

    def accompany(self, song: Song | bytes | str | os.PathLike[str], options: Options | None = None) -> Take:
        """Play drums to a song: a `Song`, the bytes of a MIDI file, or the path of a MIDI or MusicXML file.

        Raises:
            InputError: the song cannot be read or has no guitar. The message says what to do.
        """
        options = options or Options()
        song, source = _opened(song)
        choice = _guitar(song, options)
        rows = [bar.part.rows for bar in self._play(song, choice, options)]
        part = Part.of(np.concatenate(rows), name=TRACK_NAME, is_drums=True)
        return Take(song, part, choice, options, source)

    def stream(self, song: Song | bytes | str | os.PathLike[str], options: Options | None = None) -> Iterator[DrumBar]:
        """The same take, bar by bar as it is made. To cancel, stop asking.

        Raises:
            InputError: as `accompany`, at once and not with the first bar.
        """
        options = options or Options()
        song, _ = _opened(song)
        return self._play(song, _guitar(song, options), options)

    def _play(self, song: Song, choice: GuitarChoice, options: Options) -> Iterator[DrumBar]:
        """The take's bars."""
        kit, bars = self.engine.kit, song.bars()
        lattice = Lattice(_counted(song), song.ticks_per_quarter)
        first, stop = _sounding(song, lattice)
        tries = TRIES if options.temperature else 1  # the most likely take is one
        chance = Chance(options.seed, options.temperature, options.top_p, tries)
        played = decode.play(self.engine, hear(song, choice.parts, lattice), chance, first=first, stop=stop)
        limbs = decode.Limbs(kit)
        struck: dict[int, list[int]] = {}
        rows: list[IntArray] = []
        for index, grid in played:
            part = to_notes(grid._replace(step=grid.step + lattice.first[index]), lattice, kit)
            found = part.rows[part.onset < song.end]
            rows.append(_together(found, kit.voice_of[found[:, 2]], limbs, struck))
            here = lattice.bars[index]
            if here.end == bars[here.index].end:
                bar = np.concatenate(rows)
                bar[:, 1] = np.minimum(bar[:, 1], song.end - bar[:, 0])
                yield DrumBar(bars[here.index], Part.of(bar, name=TRACK_NAME, is_drums=True))
                rows = []


def _together(rows: IntArray, voices: IntArray, limbs: decode.Limbs, struck: dict[int, list[int]]) -> IntArray:
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
    """The song's bars as a drummer counts them: one longer than any that was learnt from falls into pieces.

    The pieces are whole notes, or 12/8 where the metre goes in threes, and keep the number of their bar. What a song
    takes of time and memory then depends on how long it is, not on what its metres claim.
    """
    if len(song.bars()) > MAX_BARS:
        raise InputError(f"the song has {len(song.bars())} bars, at most {MAX_BARS} are played; is its metre right?")
    quarter, found = song.ticks_per_quarter, []
    for bar in song.bars():
        if bar.length <= MAX_STEPS // STEPS_PER_QUARTER * quarter:
            found.append(bar)
            continue
        units = 12 if bar.denominator == 8 and bar.numerator % 3 == 0 else bar.denominator
        length = 4 * units * quarter // bar.denominator
        for start in range(bar.start, bar.end, length):
            found.append(Bar(bar.index, start, min(length, bar.end - start), units, bar.denominator))
    return tuple(found)


def _opened(song: Song | bytes | str | os.PathLike[str]) -> tuple[Song, bytes | None]:
    if isinstance(song, Song):
        return song, None
    if isinstance(song, bytes):
        return midi.parse(song), song
    path = Path(song)
    if path.suffix.lower() in SCORES:
        from seq2drum import notation  # music21: only where it is used

        return notation.read_musicxml(path), None
    data = midi.read_bytes(path)
    return midi.parse(data), data


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
