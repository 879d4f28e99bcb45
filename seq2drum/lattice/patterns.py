"""Patterns: bars of drums in 4/4 as a picture has them, one number for each place and voice.

A bar has 16 places (the sixteenths), 32 (the thirty-seconds) or 24: those of the lattice, the sixteenths and the
eighth-note triplets. A number is a velocity as a share of 127, and 0 where nothing is struck. Voices are the nine of
the literature. A pattern knows no offsets and no tempo.

The law: `pattern_of(part_of(pattern))` is the pattern itself, for whole multiples of 1/127.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import NotationError, OptionError
from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER, TWELFTHS
from seq2drum.music.kit import NINE, Kit
from seq2drum.music.notes import IntArray, Metre, Part, Song, Tempo, loudest

GRIDS = (16, 24, 32)
"""The allowed numbers of places in a bar."""

WANTED = "16, 24 or 32"

QUARTERS = 4  # of a bar
TICKS = 480  # a quarter, of parts made from patterns
_LENGTH = TICKS // 8  # of a hit: a 32nd
_LOUDEST = 127
_TRIPLET_PULL = 0.8  # a beat is ternary if its distance to triplets is below this share of that to sixteenths
_SIXTEENTHS, _TRIPLETS = np.array([0, 1, 3, 5]), np.array([0, 2, 4])  # steps of a beat

Velocities = NDArray[np.float32]


class Pattern(NamedTuple):
    """Some bars of drums: velocities (bars, places, 9), 0..1."""

    velocity: Velocities

    @property
    def bars(self) -> int:
        """The number of bars."""
        return len(self.velocity)

    @property
    def places(self) -> int:
        """The number of places in a bar, one of GRIDS."""
        return int(self.velocity.shape[1])


def ticks_of(places: int) -> IntArray:
    """(places,): the tick of each place of a bar, TICKS a quarter.

    Raises:
        OptionError: an unknown grid.
    """
    if places not in GRIDS:
        raise OptionError(
            f"the grid has {places} places a bar, wanted {', '.join(map(str, GRIDS[:-1]))} or {GRIDS[-1]}"
        )
    if places % 24:
        return np.arange(places) * (QUARTERS * TICKS // places)
    quarter, place = np.divmod(np.arange(places), STEPS_PER_QUARTER)
    return np.asarray(quarter * TICKS + PLACES[place] * (TICKS // TWELFTHS), dtype=np.int64)


def part_of(pattern: Pattern, kit: Kit = NINE) -> Part:
    """A pattern as a drum part, TICKS a quarter."""
    bar, place, voice = np.nonzero(pattern.velocity > 0)
    velocity = np.rint(pattern.velocity[bar, place, voice] * _LOUDEST).clip(1, _LOUDEST).astype(np.int64)
    onset = bar * QUARTERS * TICKS + ticks_of(pattern.places)[place]
    rows = np.stack([onset, np.full_like(onset, _LENGTH), kit.note_of[voice], velocity], axis=1)
    return Part.of(loudest(rows), name="Drums", is_drums=True)


def pattern_of(part: Part, ticks_per_quarter: int, places: int = 24, *, bars: int | None = None) -> Pattern:
    """A drum part that begins at a barline, as a pattern; the loudest of several hits at one place.

    On 24 places each beat is in sixteenths or in triplets, whichever its hits lie nearer to, weighted by velocity. So
    early or late strokes keep their meaning. bars: by default as many as have hits.
    """
    voice = NINE.voice_of[part.pitch]
    known = voice >= 0
    quarter, voice = part.onset[known] / ticks_per_quarter, voice[known]
    share = (part.velocity[known] / _LOUDEST).astype(np.float32)
    place = _steps(quarter, share) if places % 16 else np.rint(quarter * places / QUARTERS).astype(np.int64)
    ticks_of(places)
    count = math.ceil((int(place.max(initial=-1)) + 1) / places) if bars is None else bars
    velocity = np.zeros((count * places, len(NINE)), dtype=np.float32)
    inside = place < count * places
    np.maximum.at(velocity, (place[inside], voice[inside]), share[inside])
    return Pattern(velocity.reshape(count, places, len(NINE)))


def _steps(quarter: NDArray[np.float64], share: Velocities) -> IntArray:
    """The step of the lattice of each hit; see `pattern_of`."""
    if not len(quarter):
        return np.zeros(0, dtype=np.int64)
    beat = np.floor(quarter + 1 / 24).astype(np.int64)  # half a gap early is meant for the next
    within = quarter - beat
    nearest = {}
    for name, steps in (("sixteenths", _SIXTEENTHS), ("triplets", _TRIPLETS)):
        where = np.append(PLACES[steps] / TWELFTHS, 1.0)
        apart = np.abs(within[:, None] - where)
        cost = np.bincount(beat, weights=apart.min(axis=1) ** 2 * share)
        nearest[name] = np.append(steps, STEPS_PER_QUARTER)[apart.argmin(axis=1)], cost
    (straight, straight_cost), (triplet, triplet_cost) = nearest.values()
    in_triplets = (triplet_cost < _TRIPLET_PULL * straight_cost)[beat]
    return np.asarray(beat * STEPS_PER_QUARTER + np.where(in_triplets, triplet, straight), dtype=np.int64)


def regridded(pattern: Pattern, places: int) -> Pattern:
    """The same bars on another grid: hits go to the nearest place; the loudest of several stays."""
    if places == pattern.places:
        return pattern
    return pattern_of(part_of(pattern), TICKS, places, bars=pattern.bars)


def song_of_part(part: Part, bars: int, tempos: tuple[Tempo, ...] = ()) -> Song:
    """A drum part of TICKS a quarter as a song of some bars in 4/4 that loops seamlessly."""
    parts = (part,) * bool(len(part))
    return Song(TICKS, parts, tempos, (Metre(0, QUARTERS, 4),), bars * QUARTERS * TICKS)


def pattern_of_song(song: Song, drums: Part, places: int = 24) -> Pattern:
    """The whole bars of a song in 4/4 as a pattern.

    Raises:
        OptionError: the song is not in 4/4 throughout.
    """
    others = {f"{metre.numerator}/{metre.denominator}" for metre in song.metre_map} - {"4/4"}
    if others:
        raise OptionError(f"the drums are in {', '.join(sorted(others))}, wanted 4/4 throughout")
    return pattern_of(drums, song.ticks_per_quarter, places)


def led_in(fill: Velocities, groove: Velocities) -> Velocities:
    """A fill as played in a song: bars (places, 9) -> a bar in which the groove goes on until the fill begins.

    A fill recorded alone is silent before and behind it. The beats before its first hit and behind its last become
    those of the groove.
    """
    beats = (QUARTERS, -1, fill.shape[1])
    played = np.flatnonzero(fill.reshape(beats).any(axis=(1, 2)))
    first, last = (played[0], played[-1]) if len(played) else (QUARTERS, QUARTERS)
    outside = (np.arange(QUARTERS) < first) | (np.arange(QUARTERS) > last)
    bar: Velocities = np.where(outside[:, None, None], groove.reshape(beats), fill.reshape(beats)).reshape(fill.shape)
    return bar


BARS = 8
COLUMNS = 32
"""Of a bar."""

NOTES = range(36, 61)
"""The notes that have rows, from the bottom up."""

ROWS, WIDTH = len(NOTES), BARS * COLUMNS
VELOCITY = 96
"""The velocity of a hit read from a picture."""

KICK, SNARE = 36, 38
UPSIDE_DOWN = 4
"""The ratio of a note's hits in its row upside down, from which a picture is upside down."""

_TICKS = QUARTERS * TICKS // COLUMNS  # of a column
_ACOUSTIC_KICK = 35

Picture = NDArray[np.bool_]
"""(ROWS, WIDTH): true where it is black; the first row is the highest note."""


def part_of_picture(picture: Picture) -> Part:
    """The drum part that a picture shows, TICKS a quarter."""
    row, column = np.nonzero(picture[::-1])
    same: IntArray = np.ones_like(row)
    rows = np.stack([column * _TICKS, same * _TICKS, row + NOTES[0], same * VELOCITY], axis=1)
    return Part.of(rows, name="Drums", is_drums=True)


def is_upside_down(picture: Picture) -> bool:
    """Return whether the first row of a picture is the lowest note, as a kick there shows; a snare, without a kick.

    This holds for all but one of the 783 pictures of GANs-Drum-Pattern-Generator, and for 2 of 2,042 made from
    drummers' eight bars.
    """
    for note in (KICK, SNARE):
        lowest, highest = picture[NOTES[-1] - note].sum(), picture[note - NOTES[0]].sum()
        if lowest or highest:
            return bool(highest > UPSIDE_DOWN * lowest)
    return False


def picture_of(part: Part, ticks_per_quarter: int = TICKS, first: int = 0) -> Picture:
    """The picture of eight bars of a drum part that begins at a barline and is in 4/4.

    first: the first of the bars, counted from 0.
    """
    pitch = np.where(part.pitch == _ACOUSTIC_KICK, NOTES[0], part.pitch)
    column = np.rint(part.onset * COLUMNS / (QUARTERS * ticks_per_quarter)).astype(np.int64) - first * COLUMNS
    inside = (column >= 0) & (column < WIDTH) & (pitch >= NOTES[0]) & (pitch <= NOTES[-1])
    picture = np.zeros((ROWS, WIDTH), dtype=bool)
    picture[pitch[inside] - NOTES[0], column[inside]] = True
    return picture[::-1].copy()


def pictures_of(pattern: Pattern) -> Iterator[Picture]:
    """The pictures of a pattern: one for every eight bars, the last possibly shorter."""
    part = part_of(pattern)
    for first in range(0, pattern.bars, BARS):
        yield picture_of(part, TICKS, first)


ORDER = ("kick", "snare", "closed hat", "open hat", "low tom", "mid tom", "high tom", "ride", "crash")
"""The piece of each bit, the first bit first."""

BAR = "BAR"
COUNT = 1 << len(ORDER)
"""The number of words without BAR."""

"""How hard a hit is that was read from text."""

_MARK = "0b"
_VOICES = np.array([NINE.names.index(name) for name in ORDER])
_VALUES = 1 << np.arange(len(ORDER))[::-1]
_WORD = re.compile(rf"{_MARK}[01]{{{len(ORDER)}}}")
_MOST_BARS = 1024
_SHOWN = 24  # letters of a wrong word that a message quotes


def ids_of(velocity: NDArray[np.floating]) -> IntArray:
    """Velocities (..., 9) in the order of a pattern -> the numbers (...) whose bits are the words."""
    ids: IntArray = ((velocity[..., _VOICES] > 0) * _VALUES).sum(axis=-1)
    return ids


def hits_of(ids: IntArray) -> NDArray[np.bool_]:
    """The numbers (...) of words -> hits (..., 9) in the order of a pattern."""
    hits = np.zeros((*np.shape(ids), len(NINE)), dtype=bool)
    hits[..., _VOICES] = (np.asarray(ids)[..., None] & _VALUES) > 0
    return hits


def text_of(pattern: Pattern) -> str:
    """A pattern as drum text."""
    lines = []
    for bar in ids_of(pattern.velocity).reshape(pattern.bars, QUARTERS, -1):
        lines += [" ".join(f"{_MARK}{word:0{len(ORDER)}b}" for word in quarter) for quarter in bar.tolist()]
        lines.append(BAR)
    return "".join(line + "\n" for line in lines)


def pattern_of_text(text: str) -> Pattern:
    """The bars of drum text.

    Raises:
        NotationError: malformed text; the message has the line, the column, the word found and those allowed.
    """
    bars: list[list[int]] = []
    bar: list[int] = []
    where = _Place(1, 1)
    for where, word in _words(text):
        if word == BAR:
            _check(bar, bars, where)
            bars.append(bar)
            bar = []
        elif _WORD.fullmatch(word):
            bar.append(int(word, 2))
        else:
            raise NotationError(f"{where}: {_wrong(word)}")
        if len(bar) > GRIDS[-1]:
            raise NotationError(f"{where}: a bar has more than {GRIDS[-1]} words; wanted {BAR} after {WANTED} of them")
    if bar:
        _check(bar, bars, where)
        bars.append(bar)
    if not bars:
        raise NotationError(f"the text has no words; wanted words such as {_MARK}101000000, and {BAR} after a bar")
    if len(bars) > _MOST_BARS:
        raise NotationError(f"the text has {len(bars)} bars, wanted at most {_MOST_BARS}; cut it")
    return Pattern(hits_of(np.array(bars)) * np.float32(VELOCITY / 127))


def text_of_song(song: Song, drums: Part) -> str:
    """The drums of a song in 4/4 as drum text, on the coarsest grid that fits exactly, else on 24 places.

    Raises:
        OptionError: the song is not in 4/4 throughout.
    """
    rounded, whole = pattern_of_song(song, drums).bars, song.end // (QUARTERS * song.ticks_per_quarter)
    exact = _exact(drums, song.ticks_per_quarter, whole)
    return text_of(exact or pattern_of(drums, song.ticks_per_quarter, bars=max(rounded, whole)))


def _exact(part: Part, ticks_per_quarter: int, bars: int) -> Pattern | None:
    """A drum part as the coarsest pattern that holds all its hits exactly, of `bars` or more; None if there is none.

    `patterns.pattern_of` decides for each beat between sixteenths and triplets. A text may have both in one.
    """
    voice = NINE.voice_of[part.pitch]
    known = voice >= 0
    bar, within = np.divmod(part.onset[known] * TICKS, QUARTERS * TICKS * ticks_per_quarter)
    for places in GRIDS:
        ticks = ticks_of(places) * ticks_per_quarter
        place = np.searchsorted(ticks, within).clip(max=places - 1)
        if (ticks[place] == within).all():
            velocity = np.zeros((max(bars, int(bar.max(initial=-1)) + 1), places, len(NINE)), dtype=np.float32)
            velocity[bar, place, voice[known]] = 1
            return Pattern(velocity)
    return None


class _Place(NamedTuple):
    """The position of a word, counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


def _words(text: str) -> Iterator[tuple[_Place, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        for match in re.finditer(r"\S+", line):
            yield _Place(number, match.start() + 1), match[0]


def _check(bar: list[int], bars: list[list[int]], where: _Place) -> None:
    """Refuse a bar of an impossible length, or of another length than the bars before it."""
    if len(bar) not in GRIDS:
        raise NotationError(f"{where}: bar {len(bars) + 1} has {len(bar)} words, wanted {WANTED} in each bar")
    if bars and len(bar) != len(bars[0]):
        raise NotationError(
            f"{where}: bar {len(bars) + 1} has {len(bar)} words, and those before it {len(bars[0])}; wanted one number"
        )


def _wrong(word: str) -> str:
    wanted = f"{_MARK} and nine bits, for {', '.join(ORDER)}, or {BAR}"
    bits = word.removeprefix(_MARK)
    if word.startswith(_MARK) and not set(bits) - {"0", "1"}:
        return f"a word of {len(bits)} bits, {word[:_SHOWN]!r}; wanted {wanted}"
    return f"{word[:_SHOWN]!r} is not a word of drum text; wanted {wanted}"


RATE = 16_000
"""Frames a second."""
SLICES = 16
SLICE = 2048
FRAMES = SLICES * SLICE
"""Of a loop."""
BPM = 4 * 60 * RATE / FRAMES
"""The tempo of an unstretched loop: 117.1875 quarters a minute."""

Samples = NDArray[np.float32]

_TAPER = 0.9  # of the lower Nyquist frequency: above it the filter fades out when downsampling
_GRAIN = 4  # the last 1/4 of a slice is repeated, forth and back, when slices are stretched
_DECAY = 0.7  # of each repetition
_JOINT = 64  # frames of the crossfade from a repetition into the next slice


def spacing(bpm: float) -> int:
    """The frames of a sixteenth."""
    return round(RATE * 15 / bpm)


def resampled(loops: Samples, frames: int) -> Samples:
    """Periodic sound (..., n) in another number of frames (..., frames), by its Fourier series.

    Downsampling applies a low-pass filter: flat up to nine tenths of the lower Nyquist frequency, then half a cosine
    down to zero. No aliasing occurs.
    """
    before = loops.shape[-1]
    if frames == before:
        return loops
    spectrum = np.fft.rfft(loops)
    if frames < before:
        most = frames // 2
        harmonic = np.arange(spectrum.shape[-1]) / max(most, 1)
        spectrum = spectrum * (0.5 + 0.5 * np.cos(np.pi * ((harmonic - _TAPER) / (1 - _TAPER)).clip(0, 1)))
        spectrum = spectrum[..., : most + 1]
    return np.asarray(np.fft.irfft(spectrum, frames) * (frames / before), dtype=np.float32)


def respaced(slices: Samples, frames: int) -> Samples:
    """Slices (..., 16, k) that follow each other every so many frames: (..., 16 * frames).

    The pitch stays. Set closer, what is left of a slice fades out under the next one; set wider, its last quarter is
    repeated forth and back, softer each time, as samplers do that stretch sliced loops.
    """
    held = slices.shape[-1]
    if frames == held:
        return slices.reshape(*slices.shape[:-2], -1)
    if frames < held:
        rest = slices[..., frames : 2 * frames]
        fade = np.cos(np.linspace(0, np.pi / 2, rest.shape[-1], dtype=np.float32)) ** 2
        closer = slices[..., :frames].copy()
        closer[..., : rest.shape[-1]] += np.roll(rest * fade, 1, axis=-2)
        return closer.reshape(*slices.shape[:-2], -1)
    grain = slices[..., -(held // _GRAIN) :]
    passes = -(-(frames - held) // grain.shape[-1])
    pieces = [slices, *((grain[..., :: -1 + 2 * (at % 2)]) * _DECAY ** (at + 1) for at in range(passes))]
    wider = np.concatenate(pieces, axis=-1)[..., :frames]
    # The end of this slice leads into the next.
    joint = min(_JOINT, frames - held)
    fade = np.linspace(0, 1, joint, dtype=np.float32)
    wider[..., -joint:] = wider[..., -joint:] * (1 - fade) + slices[..., -joint:] * fade
    return wider.reshape(*slices.shape[:-2], -1)
