"""Patterns: bars of drums in 4/4 as a picture has them, one number for each place and voice.

A bar has 16 places (the sixteenths), 32 (the thirty-seconds) or 24: those of the lattice, the sixteenths and the
eighth-note triplets. A number is a velocity as a share of 127, and 0 where nothing is struck. Voices are the nine of
the literature. A pattern knows no offsets and no tempo.

The law: `pattern_of(part_of(pattern))` is the pattern itself, for whole multiples of 1/127.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import OptionError
from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER, TWELFTHS
from seq2drum.music.kit import NINE, Kit
from seq2drum.music.notes import IntArray, Metre, Part, Song, Tempo, loudest

GRIDS = (16, 24, 32)
"""How many places a bar may have."""

WANTED = "16, 24 or 32"

QUARTERS = 4  # of a bar
TICKS = 480  # a quarter, of what is made of patterns
_LENGTH = TICKS // 8  # of a hit: a 32nd
_LOUDEST = 127
_TRIPLET_PULL = 0.8  # a beat is in triplets if it lies that much nearer to them than to sixteenths
_SIXTEENTHS, _TRIPLETS = np.array([0, 1, 3, 5]), np.array([0, 2, 4])  # steps of a beat

Velocities = NDArray[np.float32]


class Pattern(NamedTuple):
    """Some bars of drums: velocities (bars, places, 9), 0..1."""

    velocity: Velocities

    @property
    def bars(self) -> int:
        """How many bars."""
        return len(self.velocity)

    @property
    def places(self) -> int:
        """How many places a bar has: one of GRIDS."""
        return int(self.velocity.shape[1])


def ticks_of(places: int) -> IntArray:
    """(places,): where each place of a bar lies, in ticks of TICKS a quarter.

    Raises:
        OptionError: there is no such grid.
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
    """A drum part that begins at a barline, as a pattern; of several hits at one place the loudest.

    On 24 places each beat is in sixteenths or in triplets, whichever its hits, by their velocities, lie nearer to. So
    what was struck a little early or late stays what was meant. bars: by default as many as have hits.
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
    """The same bars on another grid: what has no place there goes to the nearest; of several hits the loudest stays."""
    if places == pattern.places:
        return pattern
    return pattern_of(part_of(pattern), TICKS, places, bars=pattern.bars)


def song_of_part(part: Part, bars: int, tempos: tuple[Tempo, ...] = ()) -> Song:
    """A drum part of TICKS a quarter as a song in 4/4 of some bars: its end joins its start."""
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
    """A fill as it is played in a song: bars (places, 9) -> a bar in which the groove goes on until the fill begins.

    Who records a fill alone is silent before it and behind it. The beats before the first that has a hit and behind the
    last are those of the groove.
    """
    beats = (QUARTERS, -1, fill.shape[1])
    played = np.flatnonzero(fill.reshape(beats).any(axis=(1, 2)))
    first, last = (played[0], played[-1]) if len(played) else (QUARTERS, QUARTERS)
    outside = (np.arange(QUARTERS) < first) | (np.arange(QUARTERS) > last)
    bar: Velocities = np.where(outside[:, None, None], groove.reshape(beats), fill.reshape(beats)).reshape(fill.shape)
    return bar
