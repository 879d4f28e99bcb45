"""The bars of a song as numbers, and the clock of their steps: a drummer's count.

Letters of shapes: B bars, T steps of all bars, S steps of the longest bar.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.columns import Columns
from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER, TWELFTHS, Grid, Lattice, Number
from seq2drum.music import metres
from seq2drum.music.duet import COUNT_IN, FIRST_BAR
from seq2drum.music.notes import DEFAULT_TEMPO, Bar, IntArray, Marker, Song
from seq2drum.music.shown import one_line

FloatArray = NDArray[np.float32]

# The longest bar that a model learns from: eight quarters. The places of a longer one beyond it have no features.
MAX_STEPS = 48
CHANGING = "changing"  # in place of a metre
# Features of a step's place in the bar.
CLOCK = Columns(
    subdivision=STEPS_PER_QUARTER,  # the quarter's place, one-hot
    weight=1,  # metrical weight of the place, 0..1
    group_start=1,  # whether an accent group of the metre begins
    unit_start=1,  # whether a unit of the metre begins: in 7/8, an eighth
    in_group=1,  # position in the accent group, 0..1
    in_bar=1,  # position in the bar, in whole notes
)


def lattice_of(song: Song) -> Lattice:
    """The lattice of a song's `short_bars`, on which a song is listened to, played, explained and drawn."""
    return Lattice(short_bars(song), song.ticks_per_quarter)


def written_lattice(song: Song) -> Lattice:
    """The lattice of a song's bars as its file writes them, however long: the exception to `lattice_of`.

    It is for data with the bars of the file: a corpus and its pairs (training leaves out bars longer than MAX_STEPS),
    and drums to humanise. For a song without such bars both lattices are equal.
    """
    return Lattice(song.bars(), song.ticks_per_quarter)


def short_bars(song: Song) -> tuple[Bar, ...]:
    """The song's bars, each longer than MAX_STEPS cut into pieces.

    The pieces are whole notes, or 12/8 in compound metres, and keep the number of their bar. Time and memory then
    depend on a song's length, not on the metres it claims.
    """
    quarter, bars = song.ticks_per_quarter, list[Bar]()
    for bar in song.bars():
        if bar.length <= MAX_STEPS // STEPS_PER_QUARTER * quarter:
            bars.append(bar)
            continue
        units = 12 if bar.denominator == 8 and bar.numerator % 3 == 0 else bar.denominator
        length = 4 * units * quarter // bar.denominator
        for start in range(bar.start, bar.end, length):
            bars.append(Bar(bar.index, start, min(length, bar.end - start), units, bar.denominator))
    return tuple(bars)


class Form(NamedTuple):
    """The bars of a song, arrays of shape (B,): steps, metre, and the tempo at the barline in quarters a minute."""

    steps: IntArray
    numerator: IntArray
    denominator: IntArray
    bpm: NDArray[np.float64]

    @property
    def first(self) -> IntArray:
        """(B + 1,): the first step of each bar, and T."""
        return np.concatenate([[0], np.cumsum(self.steps)])

    @property
    def quarters(self) -> NDArray[np.float64]:
        """(B,): quarters of a full bar of each metre."""
        quarters: NDArray[np.float64] = 4 * self.numerator / self.denominator
        return quarters

    def bar_of(self, step: IntArray) -> IntArray:
        """The bar of each step, in the same shape."""
        return np.searchsorted(self.first, step, side="right") - 1

    def place_of(self, step: IntArray) -> IntArray:
        """The number of each step in its bar, from 0; of the same shape."""
        return step - self.first[self.bar_of(step)]

    @property
    def places(self) -> tuple[IntArray, IntArray]:
        """(T,) and (T,): the bar of each step, and its number in the bar, from 0."""
        bar = np.repeat(np.arange(len(self.steps)), self.steps)
        return bar, np.arange(len(bar)) - self.first[bar]

    def by_bar(self, rows: NDArray[Number]) -> NDArray[Number]:
        """(T, ...) -> (B, S, ...): values of the steps, bar by bar; zero beyond a bar's last step."""
        table = np.zeros((len(self.steps), int(self.steps.max()), *rows.shape[1:]), dtype=rows.dtype)
        table[self.places] = rows
        return table

    def select(self, bars: NDArray[np.bool_] | slice) -> Form:
        """Some of the bars, one after the other."""
        return Form(self.steps[bars], self.numerator[bars], self.denominator[bars], self.bpm[bars])

    def between(self, first: int, stop: int) -> Form:
        """Bars [first, stop)."""
        return self.select(slice(first, stop))

    def notes_between(self, grid: Grid, first: int, stop: int) -> Grid:
        """The notes of a grid in bars [first, stop), their steps counted from the first barline."""
        begin, end = self.first[[first, stop]].tolist()
        return grid.between(begin, end)

    @property
    def metre(self) -> str:
        """The metre as "4/4"; CHANGING if there is more than one."""
        kinds = set(zip(self.numerator.tolist(), self.denominator.tolist(), strict=True))
        return "{}/{}".format(*kinds.pop()) if len(kinds) == 1 else CHANGING

    @property
    def metres(self) -> list[str]:
        """The metre of each bar, as "4/4"."""
        return [f"{a}/{b}" for a, b in zip(self.numerator.tolist(), self.denominator.tolist(), strict=True)]


def form_of(song: Song, lattice: Lattice) -> Form:
    """The bars of a song as arrays."""
    bars = lattice.bars
    ticks, tempos = [tempo.tick for tempo in song.tempos], [DEFAULT_TEMPO, *song.tempos]
    bpm = [tempo.bpm for tempo in tempos]
    return Form(
        lattice.counts,
        np.array([bar.numerator for bar in bars]),
        np.array([bar.denominator for bar in bars]),
        np.array([bpm[bisect_right(ticks, bar.start)] for bar in bars]),
    )


def clock_of(form: Form) -> FloatArray:
    """(T, CLOCK.size): the clock of each step."""
    kinds = list(zip(*(column.tolist() for column in form[:3]), strict=True))
    tables = {kind: _metre_clock(*kind) for kind in set(kinds)}
    return np.concatenate([tables[kind] for kind in kinds])


def _metre_clock(steps: int, numerator: int, denominator: int) -> FloatArray:
    """(steps, CLOCK.size): the clock of a bar."""
    quarter, place = np.divmod(np.arange(steps), STEPS_PER_QUARTER)
    twelfths = quarter * TWELFTHS + PLACES[place]
    unit = 4 * TWELFTHS / denominator  # length of the metre's unit in twelfths of a quarter
    weights = np.array(metres.weights(numerator, denominator))
    groups = np.array(metres.groups(numerator, denominator))
    group_starts = np.concatenate([[0], np.cumsum(groups)]) * unit
    inside = np.minimum(twelfths // unit, numerator - 1).astype(int)
    on_unit = twelfths % unit == 0
    group = np.clip(np.searchsorted(group_starts, twelfths, side="right") - 1, 0, len(groups) - 1)
    return CLOCK.table(
        steps,
        {
            "subdivision": np.eye(STEPS_PER_QUARTER)[place],
            "weight": np.where(on_unit, weights[inside], weights[inside] / 4),
            "group_start": np.isin(twelfths, group_starts),
            "unit_start": on_unit,
            "in_group": (twelfths - group_starts[group]) / (groups[group] * unit),
            "in_bar": twelfths / (4 * TWELFTHS),
        },
    )


Marks = tuple[tuple[int, str], ...]
"""Distinct bars of a lattice in order, with the names of the sections that begin there."""

_TABLE = """
pre-chorus prechorus post-chorus chorus refrain verse strophe bridge middle intro introduction outro ending coda
interlude instrumental breakdown break solo theme head hook vamp turnaround tag riff build drop tutti fine
"""
WORDS = tuple(_TABLE.split())
"""Words for sections; one that contains another comes before it."""

_SAME = {"introduction": "intro", "prechorus": "pre-chorus"}
_MOST_LETTERS = 20  # of the name of a section
_LEAST = 2  # bars with the name of a section
_NUMBERS = re.compile(r"\b(\d+(st|nd|rd|th)?|one|two|three|four|five|first|second|third|fourth|last|final|repeat)\b")
_ALONE = re.compile(r"([A-H])['′]?\s?\d{0,2}")


def name_of(text: str) -> str:
    """The name of a marker's section: "Verse 1" and "2nd verse" are both "verse"; "" if nothing is left."""
    line = one_line(text)
    if line in (COUNT_IN, FIRST_BAR):
        return ""
    alone = _ALONE.fullmatch(line)
    if alone:
        return alone[1]
    plain = re.sub(r"\(.*?\)", " ", line.casefold())
    words = re.sub(r"[^\w\s'-]|_", " ", plain)
    parts = re.findall(r"\w+(?:-\w+)*", words)
    for word in WORDS:
        if any(part.rstrip("s") == word.rstrip("s") for part in parts):
            return _SAME.get(word, word)
    bare = " ".join(_NUMBERS.sub(" ", words).split()).strip("-' ")
    return bare if len(bare) <= _MOST_LETTERS else ""


def marks_of(markers: Iterable[Marker], lattice: Lattice) -> Marks:
    """The sections that the markers of a song name; empty where markers do not name sections.

    A marker belongs to the bar whose beginning is nearest; of several in one bar the last holds.
    """
    starts = np.array([bar.start for bar in lattice.bars])
    middles = ((starts[1:] + starts[:-1]) / 2).tolist()
    found: dict[int, str] = {}
    sure, said = set[int](), False
    for marker in markers:
        bar, name = bisect_right(middles, marker.tick), name_of(marker.text)
        if marker.is_section:
            name = name or one_line(marker.text, _MOST_LETTERS)
        if name:
            found[bar] = name
        if name in WORDS or _ALONE.fullmatch(name):
            sure.add(bar)
        said |= marker.is_section
    return tuple(sorted(found.items())) if said or len(sure) >= _LEAST else ()
