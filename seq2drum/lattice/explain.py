"""A take explained bar by bar in plain words, with the events of the guitar that go with it.

Every statement is counted in the take and in the guitar, or is in the plan of the take, and none is read off the
model: "where the guitar does the same" means that both do the same, not that the model played so because of the guitar.

Letters of shapes: B bars, S steps of the longest bar, V voices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.conditions import (
    FILL,
    Drums,
    Words,
    bars_of,
    drums_of,
    hits_per_quarter,
    most_struck,
    signs,
)
from seq2drum.lattice.features import GUITAR, GuitarGrid, features
from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.sections import Section, sections, spans_of
from seq2drum.music.explanation import Explanation, Piece, explained, piece
from seq2drum.music.kit import FULL, NINE, Kit
from seq2drum.music.notes import IntArray
from seq2drum.music.song_plan import CYMBALS, PlannedSection, is_built

Bools = NDArray[np.bool_]

ALIKE = 0.9  # cosine of the onsets and of the pitch classes of two bars of guitar that count as the same
NEARLY = 0.85  # F1 of the hits of two bars of drums of which one nearly repeats the other
WINDOW = 4  # bars compared on each side of a possible change, and of an opening
PERIODS = (1, 2, 4, 8)  # bars of a repeating pattern
LOOKED_BACK = 512  # bars back that are searched for a repeat
CHANGE = 1.3  # ratio of the hits a quarter, above which one passage is busier than another
TOGETHER = 0.75  # share of a bar's accents that the kick falls on
ACCENTS = 4  # the fewest accents in a passage for a statement about them
COMES_IN, PLAYS_NEW = "guitar.enters", "guitar.new"
PLAYS_AGAIN, PLAYS_LIKE = "guitar.again", "guitar.like"
TOMS = ("low tom", "mid tom", "high tom")
RIDDEN = 3  # crashes in a bar from which they keep time


class _Begin(NamedTuple):
    """A new event of the guitar: its description, and the earlier bar that it repeats, from 0, if any."""

    does: str
    like: int | None = None

    def piece(self, numbers: IntArray) -> Piece:
        """The description as a piece of text. numbers (B,): the numbers of the bars in the song."""
        return piece(self.does) if self.like is None else piece(self.does, bar=numbers[self.like])


class _Guitar(NamedTuple):
    """The guitar bar by bar.

    sounds (B,): whether any note does. rhythm (B, S): where notes begin. chroma (B, 12): how often each pitch class
    begins. accents (B, S).
    """

    sounds: Bools
    rhythm: FloatArray
    chroma: FloatArray
    accents: Bools

    def likeness(self, one: IntArray, other: IntArray) -> FloatArray:
        """The similarity of bars, pair by pair: the smaller cosine of onsets and pitch classes; 1 for two rests."""
        return np.minimum(_cosine(self.rhythm[one], self.rhythm[other]), _cosine(self.chroma[one], self.chroma[other]))

    def same(self, one: int, others: IntArray) -> Bools:
        """(n,): whether the WINDOW bars from `one` are those from each other bar; False beyond the end."""
        alike = (others <= len(self.rhythm) - WINDOW) & (one <= len(self.rhythm) - WINDOW)
        for step in range(WINDOW if alike.any() else 0):
            pairs = np.full(len(others), one) + step, np.where(alike, others + step, one + step)
            alike &= self.likeness(*pairs) >= ALIKE
        return alike


def explain(
    grid: Grid,
    guitar_grid: GuitarGrid,
    kit: Kit = FULL,
    *,
    numbers: IntArray | None = None,
    grooves: Mapping[str, str] = MappingProxyType({}),
    out: Bools | None = None,
    plan: Sequence[PlannedSection] = (),
) -> tuple[Explanation, ...]:
    """The description of a take, in the order of its bars.

    grid: the take's hits on the lattice of the guitar, its keys voices of `kit`. numbers (B,): the numbers of the bars
    in the song, if not 1, 2, 3; the pieces of a long bar share one number. grooves: by the letter of each section its
    groove. out (B,): bars without drums by request. plan: of the sections: where it has any differences, it says their
    fullness and their cymbals in place of what is counted there.
    """
    numbers = np.arange(1, len(guitar_grid.form.steps) + 1) if numbers is None else numbers
    full, nine = drums_of(grid, guitar_grid.form, kit, kit), drums_of(grid, guitar_grid.form, NINE, kit)
    guitar = _listen(guitar_grid)
    passages = sections(guitar_grid)
    begins = {bar: begin.piece(numbers) for bar, begin in _begins(guitar, passages).items()}
    struck = set(numbers[np.any(bars_of(full), axis=(1, 2))].tolist())
    planned = {one.first: one for one in _plans(plan, struck)}
    named = signs(nine)
    filled = named != ""
    explanations = [
        *_grooves(passages, grooves, len(numbers)),
        *_rests(full, guitar, guitar_grid, np.zeros(len(numbers), dtype=np.bool_) if out is None else out),
        *(() if planned else _times(nine, passages)),
        *_repeats(full, guitar, filled, numbers),
        *_kicks(nine, guitar),
        *(one for one in _densities(full, guitar, filled) if numbers[one.first - 1] not in planned),
        *_fills(nine, named, begins, numbers),
        *_crashes(nine, named, begins),
    ]
    numbered = [
        one._replace(first=int(numbers[one.first - 1]), last=int(numbers[one.last - 1])) for one in explanations
    ]
    return tuple(sorted([*planned.values(), *numbered], key=lambda one: one.first))


def _plans(plan: Sequence[PlannedSection], struck: AbstractSet[int]) -> Iterator[Explanation]:
    """The fullness and the cymbal of each section, from where the drums enter, if the plan makes any differ.

    struck: the numbers of the bars with hits.
    """
    if not is_built(plan):
        return
    for row in plan:
        if row.enters is None or struck.isdisjoint(range(row.enters, row.last + 1)):
            continue
        level = f"{row.level:.2f}"
        name = "fuller" if float(level) > 1 else "sparser" if float(level) < 1 else "even"
        said = [piece(f"plan.{name}", section=row.name, **({} if name == "even" else {"level": level}))]
        if row.cymbal is not None:
            said.append(piece(f"on.{row.cymbal}"))
        yield explained(row.enters, row.last, *said)


def _grooves(passages: Sequence[Section], grooves: Mapping[str, str], bars: int) -> Iterator[Explanation]:
    """The grooves of the passages, as far as known; lettered neighbours on one groove are joined.

    bars: how many the song has.
    """
    named = any(len(passage.letter) > 1 for passage in passages)  # by the file or by hand: each is listed

    def together(span: tuple[int, int, str]) -> tuple[str | None, str]:
        return grooves.get(span[2]), span[2] if named else ""

    for (groove, _), run in groupby(spans_of(passages, bars), key=together):
        own = list(run)
        letters = {letter for *_, letter in own}
        if groove is not None:
            where = {"section": letters.pop()} if len(letters) == 1 else {}
            said = piece("groove.section" if where else "groove", groove=groove, **where)
            yield explained(own[0][0] + 1, own[-1][1], said)


# --- the guitar -------------------------------------------------------------------------------------------------------


def _listen(guitar_grid: GuitarGrid) -> _Guitar:
    form, steps = guitar_grid.form, features(guitar_grid).guitar
    rhythm = form.by_bar(steps[:, GUITAR.at("played")])
    sounds = form.by_bar(steps[:, GUITAR.at("sounding")]).max(axis=1) > 0
    chroma = form.by_bar(steps[:, GUITAR["pitch_classes"]]).sum(axis=1)
    together = np.zeros(len(steps), dtype=np.float32)  # velocities of the notes that begin at each step, summed
    np.add.at(together, guitar_grid.guitar.step, guitar_grid.guitar.velocity)
    strength = form.by_bar(together)
    # An accent is a step with about the largest sum of velocities in its bar.
    accents = (strength > 0) & (strength >= 0.9 * strength.max(axis=1, keepdims=True))
    return _Guitar(sounds, rhythm, chroma, accents)


def _begins(guitar: _Guitar, passages: Sequence[Section]) -> dict[int, _Begin]:
    """The bars at which the guitar begins something, and its description.

    It begins a section, comes in after a silent bar, or returns to the opening of its section. It repeats where the
    next WINDOW bars equal those of an earlier section, bar by bar; resembles where the section only shares that one's
    letter; else it is new.
    """
    firsts: dict[str, int] = {}
    begins: dict[int, _Begin] = {}
    starts = {section.bar: section.letter for section in passages}
    opening = start = last = -WINDOW  # of this section's letter, of this section, and of what began last
    here = np.arange(1, len(guitar.sounds))
    goes_on = np.concatenate([[False], guitar.likeness(here, here - 1) >= ALIKE])
    for bar in np.flatnonzero(guitar.sounds).tolist():
        enters = bar == 0 or not guitar.sounds[bar - 1]
        if bar in starts:
            earlier = np.array([first for first in firsts.values() if bar - first >= WINDOW], dtype=np.int64)
            again = earlier[guitar.same(bar, earlier)]
            start, opening = bar, firsts.setdefault(starts[bar], bar)
            if len(again):
                begins[bar] = _Begin(PLAYS_AGAIN, int(again[0]))
            elif opening != bar:
                begins[bar] = _Begin(PLAYS_LIKE, opening)
            else:
                begins[bar] = _Begin(COMES_IN if enters else PLAYS_NEW)
        elif enters or (bar - last >= WINDOW and not goes_on[bar]):
            earlier = np.array([one for one in (opening, start) if 0 <= one <= bar - WINDOW], dtype=np.int64)
            again = earlier[guitar.same(bar, earlier)]
            if len(again):
                begins[bar] = _Begin(PLAYS_AGAIN, int(again[0]))
            elif enters:
                begins[bar] = _Begin(COMES_IN)
        last = bar if bar in begins else last
    return begins


def _cosine(one: FloatArray, other: FloatArray) -> FloatArray:
    """(n,): cosine row by row; 1 for two empty rows, 0 for one."""
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    both_empty = ~np.any(one, axis=1) & ~np.any(other, axis=1)
    cosine: FloatArray = np.where(both_empty, 1.0, np.sum(one * other, axis=1) / np.maximum(norms, 1e-9))
    return cosine


# --- statements -------------------------------------------------------------------------------------------------------


def _rests(drums: Drums, guitar: _Guitar, guitar_grid: GuitarGrid, out: Bools) -> Iterator[Explanation]:
    struck, plays = np.any(bars_of(drums), axis=(1, 2)), guitar.sounds
    begin, bass = np.argmax(plays), guitar_grid.form.bar_of(guitar_grid.bass.step[:1]).tolist()
    for first, last in _runs(~struck & out):
        yield explained(first + 1, last + 1, piece("rests.out"))
    for first, last in _runs(~struck & ~plays & ~out):
        yield explained(first + 1, last + 1, piece("waits" if last < begin else "rests.both"))
    for first, last in _runs(~struck & plays & ~out):
        for_bass = bool(bass) and first <= begin and last < bass[0] <= last + 2
        yield explained(first + 1, last + 1, piece("waits.bass" if for_bass else "rests.drums"))
    for first, last in _runs(struck & ~plays):
        yield explained(first + 1, last + 1, piece("rests.guitar"))


def _times(drums: Drums, passages: Sequence[Section]) -> Iterator[Explanation]:
    """The cymbals of passages that are on another one than the passage before."""
    struck, before = bars_of(drums).sum(axis=1), None
    for first, stop, _ in spans_of(passages, len(struck)):
        here = most_struck({name: struck[first:stop, NINE.names.index(name)].mean() for name in CYMBALS})
        if None not in (before, here) and here != before:
            yield explained(first + 1, stop, piece(f"time.{here}"))
        before = here or before


def _repeats(drums: Drums, guitar: _Guitar, filled: Bools, numbers: IntArray) -> Iterator[Explanation]:
    """Passages that repeat earlier ones. A fill counts only in an exact repeat."""
    alike = _Alike(drums, filled)
    bar = 1
    while bar < len(filled):
        exact, nearly = alike.longest(bar, 1.0), alike.longest(bar, NEARLY)
        whole = 2 * exact[0] > nearly[0]  # an exact repeat is worth more than one that is a little longer
        count, source, period = exact if whole else nearly
        alike.forget(bar + max(count, 1))
        if count:
            first, last = numbers[source], numbers[source + min(period, count) - 1]
            one = f"{'as' if whole else 'nearly'}.bar"
            said = [piece(one, first=first) if first == last else piece(f"{one}s", first=first, last=last)]
            step = np.arange(count)
            same = int(np.sum(guitar.likeness(bar + step, source + step % period) >= ALIKE))
            if not guitar.sounds[bar : bar + count].any():
                pass  # rests are described elsewhere
            elif same == count:
                said.append(piece("as.there" if period >= count else "as.too"))
            elif 2 * same > count:
                said.append(piece("as.partly", same=same, count=count))
            yield explained(bar + 1, bar + count, *said)
        bar += max(count, 1)


class _Alike:
    """The similarity of a take's bars: the F1 of their hits, computed on demand."""

    def __init__(self, drums: Drums, filled: Bools) -> None:
        rolls = bars_of(drums)
        self._flat, self._steps, self._filled = rolls.reshape(len(rolls), -1), drums.form.steps, filled
        self._struck = self._flat.sum(axis=1)
        self._rows: dict[int, FloatArray] = {}

    def before(self, bar: int) -> tuple[int, FloatArray]:
        """The first of the earlier bars compared, and the similarity of each from there on to this one."""
        start = max(bar - LOOKED_BACK, 0)
        if bar not in self._rows:
            here, struck = slice(start, bar), self._struck
            fits = (self._steps[here] == self._steps[bar]) & (struck[here] > 0)
            row = fits * 2 * (self._flat[here] @ self._flat[bar]) / np.maximum(struck[here] + struck[bar], 1)
            self._rows[bar] = np.where(row < 1, 0, row) if self._filled[bar] else row
        return start, self._rows[bar]

    def longest(self, bar: int, level: float) -> tuple[int, int, int]:
        """The longest run from a bar on that repeats earlier bars: its length, their first, and the pattern's length.

        Ties go to the earliest bars, then to the shortest pattern.
        """
        best = (0, 0, 1)
        start, row = self.before(bar)
        for source in (start + np.flatnonzero(row >= level)).tolist():
            for period in (*(some for some in PERIODS if source + some < bar), bar - source):
                count = 1
                while bar + count < len(self._filled) and self._is(bar + count, source + count % period, level):
                    count += 1
                if count > best[0]:
                    best = (count, source, period)
        return best

    def _is(self, bar: int, source: int, level: float) -> bool:
        start, row = self.before(bar)
        return source >= start and bool(row[source - start] >= level)

    def forget(self, bar: int) -> None:
        """Drop all that is cached of the bars before one."""
        self._rows = {other: row for other, row in self._rows.items() if other >= bar}


def _kicks(drums: Drums, guitar: _Guitar) -> Iterator[Explanation]:
    """Passages whose kicks fall on the guitar's accents at least twice as often as elsewhere."""
    kick = bars_of(drums)[:, :, NINE.names.index("kick")] > 0
    accents = guitar.accents
    count, met = accents.sum(axis=1), (kick & accents).sum(axis=1)
    elsewhere = (kick & ~accents).sum(axis=1) / np.maximum(drums.form.steps - count, 1)
    share = met / np.maximum(count, 1)
    for first, last in _runs((count >= 2) & (share >= TOGETHER) & (share >= 2 * elsewhere)):
        here = slice(first, last + 1)
        if count[here].sum() >= ACCENTS:
            yield explained(first + 1, last + 1, piece("kick", met=met[here].sum(), count=count[here].sum()))


def _densities(drums: Drums, guitar: _Guitar, filled: Bools) -> Iterator[Explanation]:
    """Passages that are busier or sparser than the one before."""
    form = drums.form
    hits = hits_per_quarter(drums)
    strokes = guitar.rhythm.sum(axis=1) * form.denominator / (4 * form.numerator)
    usual = ~filled & (hits > 0)
    ratio = np.ones(len(hits))
    for bar in range(2, len(hits) - 1):
        before, after = _around(hits, usual, bar)
        ratio[bar] = after / before if before and after else 1.0
    size = np.abs(np.log(ratio))
    bar = 0
    while bar < len(hits):
        near = size[bar : bar + WINDOW]
        if size[bar] < np.log(CHANGE) or size[bar] < near.max():
            bar += 1
            continue
        before, after = _around(hits, usual, bar)
        said = [piece("busier" if after > before else "sparser", after=f"{after:.1f}", before=f"{before:.1f}")]
        old, new = _around(strokes, np.ones_like(usual), bar)
        if old and new and (new > old) == (after > before) and max(new / old, old / new) >= CHANGE:
            said.append(piece("as.guitar", after=f"{new:.1f}", before=f"{old:.1f}"))
        yield explained(bar + 1, bar + 1, *said)
        bar += WINDOW


def _around(values: FloatArray, usual: Bools, bar: int) -> tuple[float, float]:
    """Means of the bars before a bar and from it on; 0 without bars."""
    sides = (slice(max(bar - WINDOW, 0), bar), slice(bar, bar + WINDOW))
    before, after = (float(values[side][usual[side]].mean()) if usual[side].any() else 0.0 for side in sides)
    return before, after


def _fills(drums: Drums, named: Words, begins: dict[int, Piece], numbers: IntArray) -> Iterator[Explanation]:
    rolls = bars_of(drums)
    toms = rolls[:, :, [NINE.names.index(name) for name in TOMS]].sum(axis=(1, 2))
    for bar in np.flatnonzero(named != "").tolist():
        said = [piece("fill.toms" if toms[bar] and named[bar] == FILL else str(named[bar]))]
        if bar + 1 in begins:
            said += [piece("before", bar=numbers[bar + 1]), begins[bar + 1]]
        yield explained(bar + 1, bar + 1, *said)


def _crashes(drums: Drums, named: Words, begins: dict[int, Piece]) -> Iterator[Explanation]:
    crash = bars_of(drums)[:, :, NINE.names.index("crash")]
    crashes = (crash[:, 0] > 0) & (crash.sum(axis=1) < RIDDEN)  # where they keep time, none of them is an accent
    after = np.concatenate([[""], named[:-1]])
    plain = crashes & (after == "") & ~np.isin(np.arange(len(crashes)), list(begins))
    for first, last in _runs(plain):
        yield explained(first + 1, last + 1, piece("crash" if first == last else "crash.each"))
    for bar in np.flatnonzero(crashes & ~plain).tolist():
        said = [piece("crash"), *([piece(f"after.{after[bar]}")] if after[bar] else [])]
        yield explained(bar + 1, bar + 1, *said, *([begins[bar]] if bar in begins else []))


def _runs(which: Bools) -> list[tuple[int, int]]:
    """First and last of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], which.astype(np.int8), [0]])))
    return [(int(first), int(stop) - 1) for first, stop in edges.reshape(-1, 2)]
