"""The contents of a picture of a song, for any renderer: bars, rows of pieces, hits, fills and sections.

It chooses and counts; `draw` and `console` decide the width of a bar and the look of a hit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import OptionError
from seq2drum.lattice.conditions import drums_of, signs
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.form import MAX_STEPS, form_of, lattice_of
from seq2drum.lattice.grid import Lattice, encode
from seq2drum.lattice.sections import sections
from seq2drum.music import kit
from seq2drum.music.duet import Duet
from seq2drum.music.notes import Bar, IntArray, Part, Song
from seq2drum.music.shown import one_line

OTHER = "other"
"""The row of notes outside the kit."""

GOOD_COUNTS = (16, 12, 8, 6, 4, 3, 2, 1)
"""Preferred numbers of bars on a line."""

# From the lowest row up: feet, drums, cymbals, and percussion above all, as it comes in the kit.
_ORDER = (
    "kick",
    "pedal hat",
    "snare",
    "side stick",
    "low tom",
    "mid tom",
    "high tom",
    "closed hat",
    "open hat",
    "ride",
    "bell",
    "crash",
)
_CYMBALS = frozenset({"pedal hat", "closed hat", "open hat", "ride", "bell", "crash", "tambourine", "triangle"})
_MOST_STEPS = 1 << 20  # bars times the longest one: beyond it, fills and sections are not searched
_TEMPO_CHANGE = 0.02  # a player's small fluctuations are not written out


class Row(NamedTuple):
    """A piece of the kit that is struck. cymbal: it is drawn as a cross."""

    name: str
    cymbal: bool


class Measure(NamedTuple):
    """A bar, with its annotations. Texts are "" where nothing begins or changes.

    sign: "fill" or "break" where the drums leave their pattern, as in `conditions.signs`. section: the letter of the
    passage that the guitar begins. metre: such as "7/8 (2+2+3)". tempo: such as "♩=120".
    """

    bar: Bar
    sign: str
    section: str
    metre: str
    tempo: str

    @property
    def number(self) -> int:
        """As in a score: the first bar of the song is 1."""
        return self.bar.index + 1


class Hits(NamedTuple):
    """Hits: arrays of one length, in the order of time.

    tick: onset. row: index into `Chart.rows`. velocity: 1..127. step: the nearest place of `Chart.lattice`. late: ticks
    by which the hit comes after it, negative if before.
    """

    tick: IntArray
    row: IntArray
    velocity: IntArray
    step: IntArray
    late: NDArray[np.float64]

    def select(self, which: NDArray[np.bool_]) -> Hits:
        """The hits at some places of the arrays."""
        tick, row, velocity, step, late = self
        return Hits(tick[which], row[which], velocity[which], step[which], late[which])


@dataclass(frozen=True)
class Chart:
    """The contents of a picture.

    measures: at least one. guitars: those that sound in these bars, with the notes that do. rows: the pieces in use,
    from the lowest up. hits: those of the bars. lattice: the places of the bars. pitches: the lowest and the highest of
    the guitars, (0, 0) without a note.
    """

    song: Song
    measures: tuple[Measure, ...]
    guitars: tuple[Part, ...]
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    hits: Hits
    lattice: Lattice
    pitches: tuple[int, int]

    @property
    def lead(self) -> float:
        """Ticks before a barline that belong to the bar that follows: half a sixteenth."""
        return self.song.ticks_per_quarter / 8

    def span(self, measures: Sequence[Measure]) -> tuple[float, float]:
        """The ticks [first, stop) that belong to these consecutive bars.

        Notes a hair before their first barline belong to them; those as close before the next barline do not, unless
        nothing follows.
        """
        last = measures[-1] == self.measures[-1]
        end = measures[-1].bar.end
        return measures[0].bar.start - self.lead, math.inf if last else end - self.lead

    def rows_of(self, measures: Sequence[Measure]) -> tuple[int, ...]:
        """The rows struck in some consecutive bars; the lowest if none is."""
        return tuple(np.unique(self.hits_of(measures).row).tolist()) or tuple(range(len(self.rows)))[:1]

    def hits_of(self, measures: Sequence[Measure]) -> Hits:
        """The hits of some consecutive bars."""
        start, end = self.span(measures)
        return self.hits.select((self.hits.tick >= start) & (self.hits.tick < end))

    def notes_of(self, part: Part, measures: Sequence[Measure]) -> Part:
        """The notes of a guitar that sound for more than a hair in some consecutive bars."""
        return _between(part, *self.span(measures), self.lead)


def of(duet: Duet, *, first_bar: int = 0, last_bar: int | None = None) -> Chart:
    """The chart of some bars.

    Args:
        duet: Guitars and drums; either may be missing.
        first_bar: The first bar to show, counted from 0.
        last_bar: The bar to stop before; all bars if None.

    Raises:
        OptionError: no such bars.
    """
    song = duet.song
    bars = song.bars()
    last = len(bars) if last_bar is None else min(last_bar, len(bars))
    if not 0 <= first_bar < last:
        raise OptionError(
            f"there is no bar from {first_bar + 1} to {last_bar or len(bars)}: the song has bars 1 to {len(bars)}"
        )
    # Fills and sections are searched in all played bars, not only in those shown.
    whole, chosen = lattice_of(song), bars[first_bar:last]
    named, letters = _signs(duet, whole), _sections(duet, whole)
    measures = []
    for bar, (metre, tempo) in zip(chosen, _changes(song, chosen), strict=True):
        measures.append(Measure(bar, named.get(bar.index, ""), letters.get(bar.index, ""), metre, tempo))
    lattice = Lattice(chosen, song.ticks_per_quarter)
    lead = song.ticks_per_quarter / 8
    start, end = chosen[0].start - lead, math.inf if last == len(bars) else chosen[-1].end - lead
    guitars = tuple(part for guitar in duet.guitars if len(part := _between(guitar, start, end, lead)))
    pitch = np.concatenate([part.pitch for part in guitars] or [np.zeros(1, np.int64)])
    inside = (duet.drums.onset >= start) & (duet.drums.onset < end)
    rows, hits = _struck(duet.drums.rows[inside], lattice)
    names = _names(guitars)
    return Chart(song, tuple(measures), guitars, names, rows, hits, lattice, (int(pitch.min()), int(pitch.max())))


def wrap(widths: Sequence[float], room: float, most: int | None = None) -> list[slice]:
    """Bars of these widths cut into lines no wider than the room, with a limit on their bars.

    Every line has at least one bar, even one that is too wide.
    """
    lines, first, used = [], 0, 0.0
    for index, width in enumerate(widths):
        if index > first and (used + width > room or index - first == most):
            lines.append(slice(first, index))
            first, used = index, 0.0
        used += width
    return [*lines, slice(first, len(widths))]


def _names(guitars: Sequence[Part]) -> tuple[str, ...]:
    """Names in one line of printable letters; equal and missing names are numbered."""
    names = [one_line(part.name) or "guitar" for part in guitars]
    return tuple(
        f"{name} {names[:index].count(name) + 1}" if names.count(name) > 1 else name for index, name in enumerate(names)
    )


def _signs(duet: Duet, lattice: Lattice) -> dict[int, str]:
    """The bars that are fills and breaks or contain one, with the sign of each."""
    if not len(duet.drums) or not _within_reason(lattice):
        return {}
    named = signs(drums_of(encode(duet.drums, lattice, kit.FULL), form_of(duet.song, lattice)))
    return {lattice.bars[bar].index: str(named[bar]) for bar in np.flatnonzero(named != "")[::-1].tolist()}


def _sections(duet: Duet, lattice: Lattice) -> dict[int, str]:
    """The letters of the sections, by their first bars."""
    if not any(map(len, duet.guitars)) or not _within_reason(lattice):
        return {}
    guitar_grid = SongGrid.of(replace(duet.song, parts=duet.guitars), range(len(duet.guitars)), lattice).guitar_grid
    return {lattice.bars[section.bar].index: section.letter for section in reversed(sections(guitar_grid))}


def _within_reason(lattice: Lattice) -> bool:
    return len(lattice.bars) * max(int(lattice.counts.max()), MAX_STEPS) <= _MOST_STEPS


def _changes(song: Song, bars: Sequence[Bar]) -> list[tuple[str, str]]:
    """Metre and tempo of each bar where they begin or change."""
    changes: list[tuple[str, str]] = []
    shown: tuple[int, int] | None = None
    bpm, dotted = 0.0, False
    for bar in bars:
        metre = tempo = ""
        groups = bar.groups
        compound = bar.denominator == 8 and bar.numerator > 3 and set(groups) == {3}
        if (bar.numerator, bar.denominator) != shown:
            shown = bar.numerator, bar.denominator
            odd = len(set(groups)) > 1
            metre = f"{bar.numerator}/{bar.denominator}" + (f" ({'+'.join(map(str, groups))})" if odd else "")
        here = song.tempo_at(bar.start).bpm
        if not bpm or abs(here - bpm) > _TEMPO_CHANGE * bpm or compound != dotted:
            bpm, dotted = here, compound
            tempo = f"♩.={here / 1.5:.0f}" if compound else f"♩={here:.0f}"
        changes.append((metre, tempo))
    return changes


def _between(part: Part, start: float, end: float, lead: float) -> Part:
    """The notes of a part that begin between two ticks, or began before and sound on for more than twice `lead`."""
    sounds_on = part.onset + part.duration > start + 2 * lead
    rows = part.rows[(part.onset < end) & ((part.onset >= start) | sounds_on)]
    return Part.of(rows, program=part.program, name=part.name, is_drums=part.is_drums)


def _struck(notes: IntArray, lattice: Lattice) -> tuple[tuple[Row, ...], Hits]:
    """The rows that notes (n, 4) of drums need, from the lowest up, and the hits on them."""
    names = kit.FULL.names
    order = [*map(names.index, _ORDER), *(index for index, name in enumerate(names) if name not in _ORDER), -1]
    voice = kit.FULL.voice_of[notes[:, 2]]
    used = [index for index in order if np.any(voice == index)]
    rows = tuple(Row(name, name in _CYMBALS) for name in ((*names, OTHER)[index] for index in used))
    row_of = np.zeros(len(names) + 1, dtype=np.int64)  # index -1 is the last
    row_of[used] = np.arange(len(used))
    step, _ = lattice.nearest(notes[:, 0])
    late = notes[:, 0] - lattice.ticks[step]
    return rows, Hits(notes[:, 0], row_of[voice], notes[:, 3], step, late)
