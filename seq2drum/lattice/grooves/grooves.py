"""Grooves: one or two bars of drums to base a section on, and the typical ones of a drum part."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.lattice.columns import Columns
from seq2drum.lattice.form import MAX_STEPS, FloatArray, Form
from seq2drum.lattice.grid import HIT_LENGTH, Grid, Lattice, decode
from seq2drum.lattice.grooves.fitting import fitted, playable, steps_of
from seq2drum.lattice.grooves.titles import slug_of, title_of
from seq2drum.music import metres
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL, NINE, Kit, to_kit
from seq2drum.music.notes import Bar, IntArray, Metre, Song, Tempo
from seq2drum.music.shown import Shown

MOST_BARS = 2
TICKS = 480  # a quarter, of a song made of a groove
MOST_COMPARED = 512  # bars of a part, spread over it, among which the typical one is searched
ALTERNATES = 0.05  # gain in similarity from which bars count as alternating
LEAST_IN_TURN = 6  # fewest bars that can show whether they alternate
TEMPO_AROUND = 0.15  # of a part's tempo: how much slower and faster its groove is played
_VOICE = {name: index for index, name in enumerate(FULL.names)}
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, eq=False)
class Groove(Shown):
    """One or two bars of drums.

    name: lower case letters and figures, joined by hyphens. title: a drummer's name for it. bars: hits of the full kit,
    their steps counted from their own barline. style: one of STYLES, or None. tempo: the slowest and the fastest usual
    tempo, in quarters a minute.

    Raises:
        OptionError: an unknown metre or style, more than two bars or none, a hit outside its bar or on an
            unknown voice, a malformed name or tempo.
    """

    name: str
    title: str
    numerator: int
    denominator: int
    bars: tuple[Grid, ...]
    style: str | None
    tempo: tuple[float, float]

    def __post_init__(self) -> None:
        def refuse(found: str, wanted: str) -> None:
            raise OptionError(f"the groove {self.name!r} has {found}, wanted {wanted}")

        try:
            steps = steps_of(self.numerator, self.denominator)
        except ValueError as error:
            raise OptionError(f"the groove {self.name!r} has an invalid metre: {error}") from None
        if not _NAME.fullmatch(self.name):
            refuse("this name", "lower case letters and figures, joined by hyphens")
        if not 1 <= len(self.bars) <= MOST_BARS:
            refuse(f"{len(self.bars)} bars", "one or two")
        if self.style is not None and self.style not in STYLES:
            refuse(f"the style {self.style!r}", f"one of {', '.join(STYLES)}, or none")
        if not 0 < self.tempo[0] <= self.tempo[1] < np.inf:
            refuse(f"the tempo {self.tempo[0]:g}-{self.tempo[1]:g}", "the slowest and the fastest")
        for bar in self.bars:
            if _outside(bar.step, 0, steps - 1):
                refuse("a hit outside its bar", f"steps 0 to {steps - 1} in {self.metre}")
            if _outside(bar.key, 0, len(FULL) - 1):
                refuse("a hit on no voice", f"voices 0 to {len(FULL) - 1} of the full kit")
            if _outside(bar.velocity, 1, 127):
                refuse("a velocity out of range", "1 to 127")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Groove) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash((self.name, self.title))  # without the hits: hashing those of a whole book takes milliseconds

    @cached_property
    def _identity(self) -> tuple[object, ...]:
        hits = tuple(tuple(tuple(column.tolist()) for column in bar) for bar in self.bars)
        return self.name, self.title, self.numerator, self.denominator, hits, self.style, self.tempo

    @property
    def metre(self) -> str:
        """The metre, such as "4/4"."""
        return f"{self.numerator}/{self.denominator}"

    @property
    def steps(self) -> int:
        """The number of steps of a bar."""
        return steps_of(self.numerator, self.denominator)

    @property
    def velocity(self) -> float:
        """The mean velocity of the hits; 0 without any."""
        struck = np.concatenate([bar.velocity for bar in self.bars])
        return float(struck.mean()) if len(struck) else 0.0

    def bar(self, index: int) -> Grid:
        """The hits of the bar with this number, from 0; the groove's bars repeat."""
        return self.bars[index % len(self.bars)]

    def fitted(self, numerator: int, denominator: int) -> Groove:
        """The same groove in another metre, see `fitting.fitted`; name and title stay.

        Raises:
            OptionError: the metre is impossible.
        """
        if (numerator, denominator) == (self.numerator, self.denominator):
            return self
        try:
            source, target = (self.numerator, self.denominator), (numerator, denominator)
            bars = [bar for own in self.bars for bar in fitted(own, source, target)]
        except ValueError as error:
            raise OptionError(f"a groove cannot be played in {numerator}/{denominator}: {error}") from None
        return replace(self, numerator=numerator, denominator=denominator, bars=tuple(bars[:MOST_BARS]))

    @staticmethod
    def of_bars(
        bars: Sequence[Grid],
        numerator: int,
        denominator: int,
        tempo: tuple[float, float],
        style: str | None = None,
        title: str = "",
    ) -> Groove:
        """A groove of some bars, named by its hits (`titles.title_of`) by default; unplayable hits are left out."""
        held = tuple(playable(bar) for bar in bars)
        title = title or title_of(held, numerator, denominator)
        return Groove(slug_of(title), title, numerator, denominator, held, style, tempo)


def _outside(column: IntArray, least: int, most: int) -> bool:
    values = column.tolist()
    return bool(values) and not least <= min(values) <= max(values) <= most


def looped(groove: Groove, bars: int = 4) -> Song:
    """A number of bars of a groove as a song, at a tempo between its slowest and its fastest."""
    length = 4 * TICKS * groove.numerator // groove.denominator
    lattice = Lattice(
        tuple(Bar(index, index * length, length, groove.numerator, groove.denominator) for index in range(bars)), TICKS
    )
    hits = Grid.join(groove.bar(index).shift(index * groove.steps) for index in range(bars))
    drums = decode(hits, lattice, FULL, name=groove.title)
    tempo = Tempo(0, round(60_000_000 / math.sqrt(groove.tempo[0] * groove.tempo[1])))
    metre = Metre(0, groove.numerator, groove.denominator)
    return Song(TICKS, (drums,) * bool(len(drums)), (tempo,), (metre,), bars * length)


# --- the typical bars of a part ---------------------------------------------------------------------------------------


def typical(
    grid: Grid,
    form: Form,
    bars: Sequence[int] | IntArray | None = None,
    *,
    as_they_are: bool = False,
    title: str = "",
) -> Groove:
    """The typical one or two bars of a drum part of the full kit.

    They have the metre of most bars with hits. The typical bar is the one most similar to all others, by the F1 of
    their hits; where bars alternate, it is a pair of neighbours. bars: the candidates, by default all. as_they_are: if
    these are one bar, or two of one metre, they are the groove. title: by default made from the hits.

    Raises:
        OptionError: none of the bars has a hit.
    """
    rows, chosen = _rows(grid, form, bars)
    if not len(chosen):
        raise OptionError("the drums have no hit in these bars; choose bars in which they play")
    alike = likeness(rows)
    first = int(chosen[np.argmax(alike.mean(axis=1))])
    kept = tuple(chosen.tolist()) if as_they_are and len(chosen) <= MOST_BARS else _pair(alike, chosen) or (first,)
    bpm = form.bpm[chosen]
    tempo = (round(float(bpm.min()) * (1 - TEMPO_AROUND)), round(float(bpm.max()) * (1 + TEMPO_AROUND)))
    numerator, denominator = int(form.numerator[first]), int(form.denominator[first])
    held = [form.notes_between(grid, bar, bar + 1).between(0, steps_of(numerator, denominator)) for bar in kept]
    return Groove.of_bars(held, numerator, denominator, (max(tempo[0], 1), max(tempo)), title=title)


def likeness(rows: FloatArray) -> FloatArray:
    """(n, n): the pairwise F1 of the hits of n bars; rows (n, steps x voices) are 1 at a hit."""
    count = rows.sum(axis=1)
    both: FloatArray = 2 * (rows @ rows.T) / np.maximum(count[:, None] + count, 1)
    return both


def _rows(grid: Grid, form: Form, bars: Sequence[int] | IntArray | None) -> tuple[FloatArray, IntArray]:
    """The hits of the bars of the commonest metre that have any, at most MOST_COMPARED, and their indices."""
    bar, place = form.bar_of(grid.step), form.place_of(grid.step)
    asked = np.unique(bar if bars is None else np.intersect1d(bar, np.asarray(bars, dtype=np.int64)))
    if not len(asked):
        return np.zeros((0, 0), np.float32), asked
    kinds = list(zip(*(column[asked].tolist() for column in form[:3]), strict=True))
    (common, _), *_ = Counter(kinds).most_common(1)
    chosen = asked[[kind == common for kind in kinds]]
    if len(chosen) > MOST_COMPARED:  # in pairs, so that bars that alternate still do
        starts = np.linspace(0, len(chosen) - 2, MOST_COMPARED // 2).astype(np.int64)
        chosen = chosen[np.unique(np.concatenate([starts, starts + 1]))]
    rows = np.zeros((len(chosen), common[0], len(FULL)), dtype=np.float32)
    among = np.zeros(len(form.steps), dtype=bool)
    among[chosen] = True
    inside = among[bar]
    rows[np.searchsorted(chosen, bar[inside]), place[inside], grid.key[inside]] = 1
    return rows.reshape(len(chosen), -1), chosen


def _pair(alike: FloatArray, bars: IntArray) -> tuple[int, int] | None:
    """The two neighbours most similar to all others of their turn, if bars alternate; counted as in `bars`."""
    turn = bars % 2
    same = turn[:, None] == turn
    own = (alike * same).sum(axis=1) / same.sum(axis=1)
    starts = np.flatnonzero((np.diff(bars) == 1) & (turn[:-1] == turn[0]))
    if len(bars) < LEAST_IN_TURN or not len(starts):
        return None
    best = int(starts[np.argmax(own[starts] + own[starts + 1])])
    gain = (own[best] + own[best + 1]) / 2 - alike.mean(axis=1).max()
    return (int(bars[best]), int(bars[best + 1])) if gain >= ALTERNATES else None


# --- as JSON ----------------------------------------------------------------------------------------------------------


def to_json(groove: Groove) -> dict[str, Any]:
    """A groove as JSON values: by bar and voice the hits, [step, velocity] or [step, velocity, offset]."""
    bars: list[dict[str, list[list[int]]]] = []
    for bar in groove.bars:
        hits: dict[str, list[list[int]]] = {}
        columns = (bar.step, bar.key, bar.velocity, bar.offset)
        for step, key, velocity, offset in zip(*(column.tolist() for column in columns), strict=True):
            hits.setdefault(FULL.names[key], []).append([step, velocity, offset] if offset else [step, velocity])
        bars.append(hits)
    return {
        "name": groove.name,
        "title": groove.title,
        "metre": [groove.numerator, groove.denominator],
        "style": groove.style,
        "tempo": list(groove.tempo),
        "bars": bars,
    }


def of_json(held: Mapping[str, Any]) -> Groove:
    """The inverse of `to_json`.

    Raises:
        OptionError: not a groove.
    """
    try:
        bars = []
        for hits in held["bars"]:
            own = ((_VOICE[voice], struck) for voice, struck in hits.items())
            bars.append(grid_of([(step, key, *more) for key, struck in own for step, *more in struck]))
        name, title, style = str(held["name"]), str(held["title"]), held["style"]
        (numerator, denominator), (slowest, fastest) = held["metre"], held["tempo"]
        return Groove(name, title, numerator, denominator, tuple(bars), style, (slowest, fastest))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise OptionError(f"this is not a groove: {type(error).__name__} {error}") from None


def grid_of(hits: Sequence[Sequence[int]]) -> Grid:
    """A bar of hits, each (step, voice, velocity) or (step, voice, velocity, offset), in any order."""
    rows = [(*hit, HIT_LENGTH) if len(hit) == 4 else (*hit, 0, HIT_LENGTH) for hit in sorted(map(tuple, hits))]
    return Grid(*np.array(rows, dtype=np.int64).reshape(-1, 5).T)


# Features of a groove for the ranker.
GROOVE = Columns(
    hits=MAX_STEPS * len(FULL),  # share of its bars with a hit of each voice at each step
    length=1,  # of a bar, in whole notes
    groups=1,  # accent groups of the metre, in fours
    compound=1,  # whether the metre goes in threes
)


def groove_features(grooves: Sequence[Groove]) -> FloatArray:
    """(n, GROOVE.size): grooves as rows. Steps beyond MAX_STEPS are left out."""
    kinds = [(groove.numerator, groove.denominator) for groove in grooves]
    return GROOVE.table(
        len(grooves),
        {
            "hits": hits_of(grooves, MAX_STEPS, FULL).mean(axis=1).reshape(len(grooves), -1),
            "length": [numerator / denominator for numerator, denominator in kinds],
            "groups": [len(metres.groups(*kind)) / 4 for kind in kinds],
            "compound": [denominator >= 8 and numerator % 3 == 0 for numerator, denominator in kinds],
        },
    )


def hits_of(grooves: Sequence[Groove], steps: int, kit: Kit = NINE) -> FloatArray:
    """(n, MOST_BARS, steps, V): whether each voice of a kit is struck at each step; a single bar is repeated.

    Steps from `steps` on are left out.
    """
    voice = to_kit(kit)
    hits = np.zeros((len(grooves), MOST_BARS, steps, len(kit)), dtype=np.float32)
    bars = [groove.bar(index) for groove in grooves for index in range(MOST_BARS)]
    if bars:
        of_bar = np.repeat(np.arange(len(bars)), [len(bar.step) for bar in bars])
        step, key = np.concatenate([bar.step for bar in bars]), voice[np.concatenate([bar.key for bar in bars])]
        kept = (step < steps) & (key >= 0)
        hits.reshape(-1, steps, len(kit))[of_bar[kept], step[kept], key[kept]] = 1
    return hits


def features_likeness(some: FloatArray, others: FloatArray) -> FloatArray:
    """(n, m): the pairwise F1 of the hits of n and m rows, each of any shape."""
    rows, columns = some.reshape(len(some), -1), others.reshape(len(others), -1)
    total = rows.sum(axis=1)[:, None] + columns.sum(axis=1)
    alike: FloatArray = 2 * (rows @ columns.T) / np.maximum(total, 1)
    return alike
