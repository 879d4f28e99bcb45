"""The words of the project: note, part, tempo, metre, bar, song. Plain frozen values; all time is in ticks.

Nothing is rounded here, and nothing here knows of files, models or drum sounds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.music import metres
from seq2drum.music.shown import Shown

IntArray = NDArray[np.int64]
NO_PEDAL: IntArray = np.empty((0, 2), dtype=np.int64)
NO_PEDAL.setflags(write=False)
_PITCH_BITS = 7
_PLACE_BITS = 40  # of a tick and a pitch as one number


class Note(NamedTuple):
    """One sounding event: onset and duration in ticks, MIDI pitch 0-127, velocity 1-127."""

    onset: int
    duration: int
    pitch: int
    velocity: int


class Columns(NamedTuple):
    """The notes of a part as four arrays of one length."""

    onset: IntArray
    duration: IntArray
    pitch: IntArray
    velocity: IntArray


@dataclass(frozen=True)
class Part(Shown):
    """One instrument: its notes as equal-length integer arrays, sorted by (onset, pitch, duration, velocity).

    `program` is the General MIDI program, 0-127; `is_drums` means that pitches are kit pieces (MIDI channel 10), and
    that the program is the kit; `is_xg`, for drums, that it is a kit of Yamaha XG; `pedal` (positions, 2), for drums,
    the tick and value 0-127 of each position of the hi-hat's pedal (controller 4), sorted.
    """

    program: int
    name: str
    is_drums: bool
    onset: IntArray
    duration: IntArray
    pitch: IntArray
    velocity: IntArray
    is_xg: bool = False
    pedal: IntArray = field(default_factory=lambda: NO_PEDAL)

    @staticmethod
    def of(
        notes: Iterable[Note] | NDArray[np.integer],
        *,
        program: int = 0,
        name: str = "",
        is_drums: bool = False,
        is_xg: bool = False,
    ) -> Part:
        """A part of notes in any order, or of an integer array of shape (notes, 4) in `Note`'s order."""
        rows = notes if isinstance(notes, np.ndarray) else np.array(list(notes), dtype=np.int64).reshape(-1, 4)
        return Part.of_columns(*rows.T, program=program, name=name, is_drums=is_drums, is_xg=is_xg)

    @staticmethod
    def of_columns(
        onset: NDArray[np.integer],
        duration: NDArray[np.integer],
        pitch: NDArray[np.integer],
        velocity: NDArray[np.integer],
        *,
        program: int = 0,
        name: str = "",
        is_drums: bool = False,
        is_xg: bool = False,
    ) -> Part:
        """A part of four integer arrays of shape (notes,), the notes in any order."""
        columns = (np.asarray(column, np.int64) for column in (onset, duration, pitch, velocity))
        return Part(program, name, is_drums, *_sorted_columns(*columns), is_xg)

    @staticmethod
    def columns_of_several(
        onset: NDArray[np.integer],
        duration: NDArray[np.integer],
        pitch: NDArray[np.integer],
        velocity: NDArray[np.integer],
        *,
        counts: Sequence[int],
    ) -> list[Columns]:
        """The columns of some parts at once, which is much cheaper than one by one.

        onset, duration, pitch, velocity: (notes,), those of the first part in any order, then those of the second.
        counts: the number of notes of each part.
        """
        parts = np.repeat(np.arange(len(counts)) << _PLACE_BITS, counts)
        columns = _sorted_columns(onset, duration, pitch, velocity, parts)
        bounds = list(pairwise(accumulate(counts, initial=0)))
        return list(map(Columns, *([column[begin:end] for begin, end in bounds] for column in columns)))

    def __len__(self) -> int:
        return len(self.onset)

    def __iter__(self) -> Iterator[Note]:
        return map(Note, *(column.tolist() for column in self.columns))

    def __repr__(self) -> str:
        kind = "drums" if self.is_drums else f"program {self.program}"
        first = int(self.onset[0]) if len(self) else 0
        return f"Part({self.name!r}, {kind}, {len(self)} notes, ticks {first} to {self.end})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Part):
            return NotImplemented
        same = self._named == other._named and np.array_equal(self.rows, other.rows)
        return same and np.array_equal(self.pedal, other.pedal)

    def __hash__(self) -> int:
        return hash((self._named, self.rows.tobytes(), self.pedal.tobytes()))

    @property
    def _named(self) -> tuple[int, str, bool, bool]:
        return self.program, self.name, self.is_drums, self.is_xg

    @property
    def columns(self) -> Columns:
        """The notes as four arrays of shape (notes,)."""
        return Columns(self.onset, self.duration, self.pitch, self.velocity)

    @cached_property
    def rows(self) -> IntArray:
        """The notes as an array of shape (notes, 4), in `Note`'s order."""
        return np.stack(self.columns, axis=1)

    @cached_property
    def end(self) -> int:
        """The tick at which the last note ends; 0 for an empty part."""
        return int((self.onset + self.duration).max(initial=0))


def _sorted_columns(
    onset: NDArray[np.integer],
    duration: NDArray[np.integer],
    pitch: NDArray[np.integer],
    velocity: NDArray[np.integer],
    parts: IntArray | int = 0,
) -> Columns:
    """Copies of columns, sorted by part, then by onset, pitch, duration and velocity.

    parts: the number of each note's part, shifted by _PLACE_BITS.
    """
    columns: Sequence[NDArray[np.integer]] = onset, duration, pitch, velocity
    place = onset.astype(np.int64)
    place <<= _PITCH_BITS
    place += pitch
    place += parts
    if not (place[1:] > place[:-1]).all():
        order = np.argsort(place, kind="stable")
        place = place[order]
        # The few notes equal in `place` are sorted by the other columns.
        is_shared = place[1:] == place[:-1]
        if is_shared.any():
            edges = np.concatenate([[False], is_shared, [False]])
            among = np.flatnonzero(edges[1:] | edges[:-1])
            own = order[among]
            order[among] = own[np.lexsort((velocity[own], duration[own], place[among]))]
        columns = [column[order] for column in columns]  # before they are widened
    copies = Columns(*(column.astype(np.int64) for column in columns))
    for column in copies:
        column.setflags(write=False)
    return copies


def loudest(rows: IntArray) -> IntArray:
    """The loudest, then longest of the notes (n, 4) at each tick and pitch; sorted by onset and pitch."""
    place = rows[:, 0] * 128 + rows[:, 2]
    order = np.argsort(place, kind="stable")
    place = place[order]
    if (place[1:] > place[:-1]).all():
        return rows[order]
    rows = rows[np.lexsort((-rows[:, 1], -rows[:, 3], rows[:, 2], rows[:, 0]))]
    first = np.ones(len(rows), dtype=bool)
    first[1:] = np.any(np.diff(rows[:, [0, 2]], axis=0) != 0, axis=1)
    return rows[first]


def in_order(pedal: Sequence[IntArray]) -> IntArray:
    """Positions of a pedal, each (n, 2), as one array, by tick and value, without duplicates."""
    positions = [each for each in pedal if len(each)]
    return np.unique(np.concatenate(positions), axis=0) if positions else NO_PEDAL


def merge_parts(parts: Sequence[Part]) -> Part:
    """Return several parts as one; equal notes come once."""
    if not parts:
        return Part.of([])
    first = parts[0]
    named = partial(Part.of_columns, program=first.program, name=first.name, is_drums=first.is_drums)
    every = zip(*(part.columns for part in parts), strict=True)
    merged = named(*(np.concatenate(column) for column in every))
    differs = [column[1:] != column[:-1] for column in merged.columns]  # equal notes are neighbours
    first_of = np.concatenate([[True], np.logical_or.reduce(differs)])[: len(merged)]
    return merged if first_of.all() else named(*(column[first_of] for column in merged.columns))


def merge_drums(drums: Sequence[Part], *, kit: Part, name: str) -> Part:
    """Return drum parts, one or more, as one part of a name: all notes and pedal positions, on the kit of `kit`."""
    columns = map(np.concatenate, zip(*(part.columns for part in drums), strict=True))
    part = Part.of_columns(*columns, program=kit.program, name=name, is_drums=True, is_xg=kit.is_xg)
    return replace(part, pedal=in_order([each.pedal for each in drums]))


class Tempo(NamedTuple):
    """From `tick` on, a quarter note lasts `microseconds`."""

    tick: int
    microseconds: int

    @property
    def bpm(self) -> float:
        """Quarter notes a minute."""
        return 60_000_000 / self.microseconds


class Metre(NamedTuple):
    """From `tick` on, bars are `numerator`/`denominator`."""

    tick: int
    numerator: int
    denominator: int


class Marker(NamedTuple):
    """A text at `tick`: most often the name of the section that begins there.

    is_section: certainly a section's name, instead of a remark or a title.
    """

    tick: int
    text: str
    is_section: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its number from 0, first tick, length in ticks, metre, and the accent groups of the metre.

    `groups` counts units of the denominator: 7/8 has (2, 2, 3).
    A bar that a metre change cuts short keeps its metre but has a smaller length.
    """

    index: int
    start: int
    length: int
    numerator: int
    denominator: int

    @property
    def end(self) -> int:
        return self.start + self.length

    @property
    def groups(self) -> tuple[int, ...]:
        return metres.groups(self.numerator, self.denominator)


DEFAULT_TEMPO = Tempo(0, 500_000)
DEFAULT_METRE = Metre(0, 4, 4)


@dataclass(frozen=True)
class Song(Shown):
    """A whole piece. Tempo and metre events and markers are sorted by tick; MIDI's defaults (120 BPM, 4/4) hold before.

    `length` is the last tick of anything in the file, which can lie after the last note. `remarks` are sentences on
    what its reader left out or changed.
    """

    ticks_per_quarter: int
    parts: tuple[Part, ...] = ()
    tempos: tuple[Tempo, ...] = ()
    metres: tuple[Metre, ...] = ()
    length: int = 0
    markers: tuple[Marker, ...] = ()
    remarks: tuple[str, ...] = ()

    @cached_property
    def end(self) -> int:
        """The last tick of the song: of its notes, and of the file if that is longer."""
        return max([self.length, *(part.end for part in self.parts)])

    @cached_property
    def tempo_map(self) -> tuple[Tempo, ...]:
        """The tempos in effect from tick 0 on: the last of several at one tick; MIDI's default before any."""
        return tuple(sorted(({0: DEFAULT_TEMPO} | {tempo.tick: tempo for tempo in self.tempos}).values()))

    @cached_property
    def metre_map(self) -> tuple[Metre, ...]:
        """The metres, likewise."""
        return tuple(sorted(({0: DEFAULT_METRE} | {metre.tick: metre for metre in self.metres}).values()))

    def bars(self) -> tuple[Bar, ...]:
        """All bars, from tick 0 to the song's end, without gap or overlap; at least one.

        A metre event off the barline cuts the bar before it short, as with a pickup or a cut bar in a score. The last
        of several metre events at one tick holds.
        """
        return self._bars

    @cached_property
    def _bars(self) -> tuple[Bar, ...]:
        song_end = max(self.end, 1)
        bars: list[Bar] = []
        ends = [*(metre.tick for metre in self.metre_map[1:]), None]
        for (here, numerator, denominator), following in zip(self.metre_map, ends, strict=True):
            if here >= song_end:
                break
            # Barlines are exact places rounded to the nearest tick, a half to the even one, so that they never drift.
            # No bar is shorter than a tick.
            whole = max(4 * numerator * self.ticks_per_quarter, denominator)  # ticks of so many bars
            stop = song_end if following is None else min(song_end, following)
            start, first = here, len(bars)
            while start < stop:
                number = len(bars)
                ticks, rest = divmod((number - first + 1) * whole, denominator)
                end = here + ticks + (2 * rest > denominator or (2 * rest == denominator and ticks % 2))
                end = end if following is None else min(end, following)
                bars.append(Bar(number, start, end - start, numerator, denominator))
                start = end
        return tuple(bars)

    def tempo_at(self, tick: int) -> Tempo:
        """The tempo in effect at `tick`."""
        place = bisect_right(self.tempos, tick, key=lambda tempo: tempo.tick)
        return self.tempos[place - 1] if place else DEFAULT_TEMPO

    def seconds(self, tick: int) -> float:
        """The time of `tick` in seconds, by the tempo map."""
        return int(self.elapsed(np.array([tick]))[0]) / self.ticks_per_quarter / 1e6

    def elapsed(self, ticks: IntArray) -> IntArray:
        """The times of some ticks by the tempo map, exactly: microseconds times the ticks of a quarter."""
        starts, microseconds, before = self._tempo_columns
        place = np.searchsorted(starts, ticks, side="right") - 1
        elapsed: IntArray = before[place] + (ticks - starts[place]) * microseconds[place]
        return elapsed

    @cached_property
    def _tempo_columns(self) -> tuple[IntArray, IntArray, IntArray]:
        """Of each tempo of the map: its start, the microseconds of a quarter, and the time elapsed before it."""
        starts, microseconds = np.array(self.tempo_map, dtype=np.int64).T
        return starts, microseconds, np.concatenate([[0], np.cumsum(np.diff(starts) * microseconds[:-1])])
