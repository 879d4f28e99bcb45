"""Which bars come back: for each bar of a song, how far it strays from the bars before it.

    guitar, bass, sections, fills -> what is known of each bar -> a small network, bar by bar -> the drawn changes

What a drummer does in a bar depends on what was repeated before, so the bars are drawn one by one, before a note is
played. A bar is one of KINDS: the bar of a lag again, the bar at its place in the last section of its letter, or new,
by how many hits. How many is a condition of the model that plays; it repeats bars by itself. `seq2drum.learn.repeats`
trains the network; drawing needs numpy alone.

Letters of shapes: B bars, C candidates, K kinds, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.columns import Columns
from seq2drum.lattice.features import COMPARED, GuitarGrid
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.repeats import LAGS, NEW, level_of
from seq2drum.lattice.sections import Section, spans_of
from seq2drum.music.notes import IntArray
from seq2drum.play.checkpoint.folder import read_dense
from seq2drum.play.decode.memory import bars_held
from seq2drum.play.decode.plan import Plan
from seq2drum.play.decode.sampling import Sampling, drawn_place, random_of

BoolArray = NDArray[np.bool_]

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "repeats"
KIND = "repeats"

CANDIDATES = len(LAGS) + 1  # the bars of LAGS, and that of the last section of the letter
NEWNESS = (2, 5, 9)  # the most hits of each class of new bars but the last
CHANGED = np.array([1, 4, 7, 12])  # hits that drummers change in a new bar of each class
ASKED = np.array([1, 2, 3, 5])  # hits that are asked of a bar in the groove, since the model overdoes them
KINDS = CANDIDATES + len(NEWNESS) + 1
FAR = 16.0  # bars to which a place in a section counts
_TAG = 0xBA5  # only in the seeds of repeats

# What is known of a bar before anything is played.
KNOWN = Columns(
    place=2 + 4 + 8,  # in its section: bars from its start, modulo 2, 4 and 8
    first=1,
    into=1,  # bars from its start, in FAR
    left=3,  # whether 0, 1 or 3 bars follow in the section
    until=1,  # bars up to its end, in FAR
    fill=3,  # whether the bar before, this one, the next one is a fill
    rests=1,  # whether the guitar does
    guitar_same=len(COMPARED),  # whether the guitar begins its notes as so many bars before
    guitar_alike=len(COMPARED),  # F1 of these
    bass=1,  # whether the song has one
    bass_same=len(COMPARED),
    bass_alike=len(COMPARED),
    able=CANDIDATES,  # whether the candidate may be played again
)
# Pairs of bars, counted back, that may be alike.
_PAIRS = (
    *((1, 2), (1, 3), (1, 4), (1, 5), (1, 8), (1, 9), (2, 3), (2, 4)),
    *((2, 6), (2, 8), (3, 4), (3, 7), (4, 8), (4, 16), (7, 8), (8, 16)),
)  # fmt: skip
_BACK = (1, 2, 3, 4, 8, 16)  # bars whose kinds are known
_RECENT = (4, 8, 16)  # bars over which repeats are counted
# What is known of the bars before it.
PAST = Columns(
    alike=len(_PAIRS),
    kinds=len(_BACK) * KINDS,
    counts=len(_RECENT) * 3,  # shares of bars like the one before, and of new ones; distinct bars a bar
    whole=4,  # the same of all bars, and their number
)
FEATURES = Columns(known=KNOWN.size, past=PAST.size)
INPUTS = (*KNOWN.widths, *PAST.widths)


class Past:
    """The kinds of the bars so far, and which of them are alike."""

    def __init__(self) -> None:
        self._kinds = list[int]()
        self._new = list[bool]()
        self._names = list[int]()  # of each bar; alike ones have one name
        self._named = 0

    def add(self, kind: int, source: int) -> None:
        """Add a bar of a kind that repeats the bar `source`; NEW for none."""
        if source == NEW:
            self._named += 1
        self._kinds.append(kind)
        self._new.append(kind >= CANDIDATES)
        self._names.append(self._named if source == NEW else self._names[source])

    def rest(self) -> None:
        """Add a bar without drums."""
        self.add(-1, NEW)

    def row(self) -> list[float]:
        """(PAST.size,): the features of the bars so far."""
        names, kinds, count = self._names, self._kinds, len(self._names)
        row = [float(far <= count and names[-near] == names[-far]) for near, far in _PAIRS]
        for back in _BACK:
            one_hot = [0.0] * KINDS
            if back <= count and kinds[-back] >= 0:
                one_hot[kinds[-back]] = 1.0
            row += one_hot
        for bars in (*_RECENT, count):
            some = kinds[-bars:]
            of = max(len(some), 1)
            row += [some.count(0) / of, sum(self._new[-bars:]) / of, len({*names[-bars:]}) / of]
        row.append(min(count, 32) / 32)
        return row


def candidates(form: Form, sections: Sequence[Section]) -> IntArray:
    """(B, C): the bars that each bar may repeat: those of LAGS, and that at its place in the last like section.

    NEW where there is none of as many steps.
    """
    count = len(form.steps)
    bars, found = np.arange(count), np.full((count, CANDIDATES), NEW)
    for column, lag in enumerate(LAGS):
        found[lag:, column] = bars[: max(count - lag, 0)]
    last: dict[str, int] = {}
    for first, stop, letter in spans_of(sections, count):
        if letter in last:
            there = bars[first:stop] - first + last[letter]
            found[first:stop, -1] = np.where(there < first, there, NEW)
        last[letter] = first
    alike = form.steps[found] == form.steps[:, None]
    return np.where(alike, found, NEW)


def known(guitar_grid: GuitarGrid, sections: Sequence[Section], fill: BoolArray, able: IntArray) -> FloatArray:
    """(B, KNOWN.size): what is known of each bar. fill (B,). able (B, C): see `candidates`; NEW may not be repeated."""
    form = guitar_grid.form
    count, number = len(form.steps), np.arange(len(form.steps))
    begin, stop = np.zeros(count, dtype=np.int64), np.full(count, count)
    for at, (first, end, _) in enumerate(spans_of(sections, count)):
        start = first if at else 0
        begin[start:end], stop[start:end] = start, end
    into, left = number - begin, stop - 1 - number
    around = np.pad(fill, 1)
    rests, guitar_same, guitar_alike = _compared(form, guitar_grid.guitar)
    _, bass_same, bass_alike = _compared(form, guitar_grid.bass)
    has_bass = len(guitar_grid.bass.step) > 0
    return KNOWN.table(
        count,
        {
            "place": np.concatenate([np.eye(every)[into % every] for every in (2, 4, 8)], axis=1),
            "first": into == 0,
            "into": np.minimum(into, 2 * FAR) / FAR,
            "left": np.stack([left == bars for bars in (0, 1, 3)], axis=1),
            "until": np.minimum(left, 2 * FAR) / FAR,
            "fill": np.stack([around[:-2], fill, around[2:]], axis=1),
            "rests": rests,
            "guitar_same": guitar_same,
            "guitar_alike": guitar_alike,
            "bass": np.full(count, has_bass),
            "bass_same": bass_same * has_bass,
            "bass_alike": bass_alike * has_bass,
            "able": able != NEW,
        },
    )


def _compared(form: Form, grid: Grid) -> tuple[BoolArray, FloatArray, FloatArray]:
    """Whether each bar (B,) has no onset, whether its onsets are those of COMPARED bars before, and the F1 of both."""
    onsets = np.zeros(int(form.first[-1]), dtype=np.float32)
    onsets[grid.step] = 1
    bars = form.by_bar(onsets)
    many, count = bars.sum(axis=1), len(bars)
    same, alike = np.zeros((2, count, len(COMPARED)), dtype=np.float32)
    for column, lag in enumerate(COMPARED):
        both = (bars[lag:] * bars[:-lag]).sum(axis=1)
        same[lag:, column] = (bars[lag:] == bars[:-lag]).all(axis=1)
        alike[lag:, column] = 2 * both / np.maximum(many[lag:] + many[:-lag], 1)
    return many == 0, same, alike


@dataclass(frozen=True, eq=False)
class Repeater:
    """A learnt law of repeats: a network of one hidden layer. tensors: by `folder.DENSE_TENSORS`."""

    tensors: tuple[FloatArray, ...] = field(repr=False)

    @staticmethod
    def load(path: Path | None = None) -> Repeater:
        """Load the law of a folder, by default the shipped one; a folder is read once.

        Raises:
            CheckpointError: the folder is damaged, or of another kind or version.
        """
        return _load((path or SHIPPED).resolve())

    def draw(self, rows: FloatArray, able: IntArray, plays: BoolArray, seed: int) -> IntArray:
        """Return the kind of each bar of a song (B,), NEW for one without drums.

        A kind is the place of a candidate in `able`, or CANDIDATES plus the class of a new bar.

        rows (B, KNOWN.size): see `known`. able (B, C): the bars that may be repeated, see there. plays (B,): bars with
        drums.
        """
        mean, spread, weight, bias, out_weight, out_bias = (tensor.astype(np.float64) for tensor in self.tensors)
        of_known, of_past = np.split((weight / spread).T, [KNOWN.size])
        # 1. The part of the hidden layer that the past does not change. `@` would wake threads, see `expected_of`.
        hidden = np.einsum("bf,fh->bh", rows.astype(np.float64), of_known) + bias - (mean / spread) @ weight.T
        allowed = np.concatenate([able != NEW, np.ones((len(able), KINDS - CANDIDATES), dtype=np.bool_)], axis=1)
        kinds, past = np.full(len(rows), NEW), Past()
        for bar in range(len(rows)):
            if not plays[bar]:
                past.rest()
                continue
            # 2. The chance of each kind, and the draw.
            logits = np.maximum(hidden[bar] + np.array(past.row()) @ of_past, 0) @ out_weight.T + out_bias
            chance = np.where(allowed[bar], np.exp(logits - logits.max()), 0)
            kind = drawn_place(chance, random_of(seed, _TAG, bar).random())
            past.add(kind, int(able[bar, kind]) if kind < CANDIDATES else NEW)
            kinds[bar] = kind
        return kinds


def with_changes(plan: Plan, guitar_grid: GuitarGrid, bars: BoolArray, sampling: Sampling) -> Plan:
    """Return the plan with how far each of the bars (B,) that are decoded strays from those before it.

    A bar repeats one on the same groove, and neither is a fill or plays cues of the band. The likeliest take and a firm
    groove have no such plan.
    """
    if not sampling.temperature or plan.firm:
        return plan
    form = guitar_grid.form
    fill = np.zeros(len(bars), dtype=np.bool_) if plan.fill is None else plan.fill
    # 1. The bars that may repeat, and be repeated.
    alone = fill | ~bars
    alone[form.bar_of(np.array([*plan.gestures.cues], dtype=np.int64))] = True
    alone[[*plan.gestures.heavy, *plan.gestures.full]] = True
    names = _played_on(plan, form)
    passages = [Section(bar, plan.letter[bar]) for bar in np.flatnonzero(plan.begins).tolist()]
    able = candidates(form, passages)
    able = np.where(~alone[:, None] & ~alone[able] & (names[able] == names[:, None]), able, NEW)
    # 2. Those that do.
    kinds = Repeater.load().draw(known(guitar_grid, passages, fill, able), able, bars, sampling.seed)
    # 3. A bar with nothing to repeat has nothing to stray from: it begins a groove, and others will repeat it.
    size, begins = np.maximum(kinds - CANDIDATES, 0), (able == NEW).all(axis=1) & ~fill
    change = np.where((kinds < CANDIDATES) | begins, 0, level_of(np.where(fill, CHANGED[size], ASKED[size])))
    return replace(plan, change=change.astype(np.float32))


def _played_on(plan: Plan, form: Form) -> IntArray:
    """(B,): a number for the bar of the groove that each bar is played on, and its metre."""
    numbers: dict[tuple[int, ...], int] = {}
    found = np.zeros(len(plan.grooves), dtype=np.int64)
    metres = zip(form.numerator.tolist(), form.denominator.tolist(), strict=True)
    for bar, (groove, turn, metre) in enumerate(zip(plan.grooves, bars_held(plan.grooves), metres, strict=True)):
        of_bar = 0 if groove is None else turn % len(groove.bars)
        found[bar] = numbers.setdefault((id(groove), of_bar, *metre), len(numbers))
    return found


@cache
def _load(folder: Path) -> Repeater:
    return Repeater(read_dense(folder, KIND, "law of repeats", INPUTS, FEATURES.size, KINDS))
