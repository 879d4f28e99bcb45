"""Pairs of a corpus as padded batches of arrays, bucketed by length; numpy only.

Letters of shapes: n pairs of a batch, N bars of the longest pair, C bars of context (PAST before the pair, N of the
pair, AHEAD after it), F far bars, S steps of the longest bar, V voices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.batches.draws import (
    FAR,
    HIDDEN,
    CausalContext,
    Draws,
    Given,
    SectionGrooves,
    causal_context,
    kept,
    section_grooves,
    shown,
)
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.lattice.conditions import CONDITIONS, given, measure, of_measured
from seq2drum.lattice.features import BAND, BARS, GUITAR, SUMMARY, features
from seq2drum.lattice.form import CLOCK, MAX_STEPS, FloatArray
from seq2drum.lattice.grid import HALF_GAP, OFFSET_UNITS
from seq2drum.lattice.phrases import MAX_BARS, MAX_NOTES, cut_bars
from seq2drum.lattice.sections import without_future
from seq2drum.music.kit import FULL, Kit, to_kit
from seq2drum.music.notes import IntArray

PAST = 24  # bars before a pair that its memory always holds
AHEAD = 4  # bars after a pair whose guitar it may hear
_LOUDEST, _GAP = np.float32(127), np.float32(OFFSET_UNITS)
DRUM_REST = 4  # bars without drums in a row from which training leaves them out: an intro, an interlude
RECENT = 8  # bars hidden from a pair that has to remember further back
Zeros = Callable[..., NDArray[Any]]


class Batch(NamedTuple):
    """A batch of pairs with their context. Padding is zero; `exists` and `steps` tell it from silence.

    guitar (n, C, S, GUITAR.size), drums and velocity (n, PAST + N, S, V) in 0..1, offset (n, N, S, V) in gaps,
    clock (n, N, S, CLOCK.size), band (n, N, S, BAND.size), zero where hidden, bars (n, C, BARS.size),
    summary (n, SUMMARY.size), exists (n, C), steps (n, C), in the
    context maybe more than S, number (n, C) bar numbers in the song, far_* the same for F bars from further back,
    conditions (n, C, CONDITIONS.size), zero where none is given; fill (n, N): whether a bar is a fill;
    groove (n, N, S, V) velocities of the groove of each bar in 0..1, grooved (n, N): 1 where one is given;
    in_pair (n, N): whether a bar belongs to the pair; drawn (n,): 1 where the model remembers its own samples;
    keep (n, 3): 0 where the drums of all bars before, of the last RECENT bars, and of the step before are hidden;
    shown (n, V): 0 where a voice is hidden in all bars before. hidden (n,): 1 where the future is hidden, so that only
    the bars before it tell of a bar: expected_guitar (n, PAST + N, S, GUITAR.size) and expected_bars
    (n, PAST + N, BARS.size) then predict the bars of these pairs, and have the real bars of the others. Both are empty,
    (n, 0, ...), if no pair hides its future.
    """

    guitar: FloatArray
    drums: FloatArray
    velocity: FloatArray
    offset: FloatArray
    clock: FloatArray
    band: FloatArray
    bars: FloatArray
    summary: FloatArray
    exists: NDArray[np.bool_]
    steps: IntArray
    number: IntArray
    far_guitar: FloatArray
    far_drums: FloatArray
    far_velocity: FloatArray
    far_bars: FloatArray
    far_exists: NDArray[np.bool_]
    far_steps: IntArray
    far_number: IntArray
    conditions: FloatArray
    fill: FloatArray
    groove: FloatArray
    grooved: FloatArray
    in_pair: NDArray[np.bool_]
    drawn: FloatArray
    keep: FloatArray
    shown: FloatArray
    hidden: FloatArray
    expected_guitar: FloatArray
    expected_bars: FloatArray


class Window(NamedTuple):
    """Bars [first, stop) of one song of a data set."""

    song: int
    first: int
    stop: int


@dataclass(frozen=True)
class Data:
    """Songs as flat arrays over all their bars and steps, from which batches are gathered.

    first_bar (songs + 1,), first_step (bars + 1,); over all steps guitar (T, GUITAR.size), clock (T, CLOCK.size),
    band (T, BAND.size), and
    velocity and offset (T, V), where a velocity of 0 is no hit; over all bars, bars (B, BARS.size),
    conditions (B, CONDITIONS.size), guitar_notes and drum_notes (B,), metre (B, 2); summary (songs, SUMMARY.size).
    causal: the context known before each bar; None where no pair hides the future.
    """

    songs: tuple[str, ...]
    tags: tuple[str, ...]
    kit: Kit
    first_bar: IntArray
    first_step: IntArray
    guitar: NDArray[np.float16]
    velocity: NDArray[np.uint8]
    offset: NDArray[np.int8]
    clock: NDArray[np.float16]
    band: NDArray[np.float16]
    bars: NDArray[np.float16]
    conditions: NDArray[np.float16]
    summary: FloatArray
    guitar_notes: IntArray
    drum_notes: IntArray
    metre: IntArray
    grooves: SectionGrooves
    causal: CausalContext | None = None

    def __len__(self) -> int:
        return len(self.songs)

    @cached_property
    def steps(self) -> IntArray:
        """(bars,): steps of each bar."""
        return np.diff(self.first_step)


def flatten(songs: Sequence[Prepared], kit: Kit = FULL, *, foreseen: bool = True, zeros: Zeros = np.zeros) -> Data:
    """Compute the features of some songs and lay them end to end.

    foreseen: no pair will hide its future; if False, the causal context is computed too. zeros: allocates arrays.
    """
    # 1. The beginnings of songs and bars.
    forms = [song.guitar_grid.form for song in songs]
    first_bar = np.concatenate([[0], np.cumsum([len(form.steps) for form in forms])]).astype(np.int64)
    first_step = np.concatenate([[0], np.cumsum(np.concatenate([form.steps for form in forms]))])
    # 2. Empty arrays over all of them.
    total, count = int(first_step[-1]), int(first_bar[-1])
    guitar = zeros((total, GUITAR.size), np.float16)
    clock = zeros((total, CLOCK.size), np.float16)
    band = zeros((total, BAND.size), np.float16)
    velocity = zeros((total, len(kit)), np.uint8)
    offset = zeros((total, len(kit)), np.int8)
    bars = zeros((count, BARS.size), np.float16)
    conditions = zeros((count, CONDITIONS.size), np.float16)
    summary = np.zeros((len(songs), SUMMARY.size), dtype=np.float32)
    guitar_notes, drum_notes = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    metre = np.concatenate([np.stack([form.numerator, form.denominator], axis=1) for form in forms])
    # 3. Each song's features, in its place.
    voices = to_kit(kit)
    for index, song in enumerate(songs):
        here = slice(first_bar[index], first_bar[index + 1])
        there = slice(first_step[here.start], first_step[here.stop])
        guitar[there], clock[there], bars[here], summary[index], band[there] = features(song.guitar_grid)
        conditions[here] = of_measured(measure(song.drums, song.guitar_grid.form))
        drums = song.drums.select(voices[song.drums.key] >= 0)
        at = drums.step + there.start
        np.maximum.at(velocity.reshape(-1), at * len(kit) + voices[drums.key], drums.velocity.astype(np.uint8))
        offset[at, voices[drums.key]] = np.clip(drums.offset, -HALF_GAP, HALF_GAP)
        for grid, counts in ((song.guitar_grid.guitar, guitar_notes), (drums, drum_notes)):
            counts[here] = np.bincount(song.guitar_grid.form.bar_of(grid.step), minlength=len(counts[here]))
    return Data(
        tuple(song.path for song in songs),
        tuple(song.tag for song in songs),
        kit,
        first_bar,
        first_step,
        guitar,
        velocity,
        offset,
        clock,
        band,
        bars,
        conditions,
        summary,
        guitar_notes,
        drum_notes,
        metre,
        section_grooves(songs, kit),
        None if foreseen else causal_context(songs),
    )


def windows(data: Data, *, max_notes: int = MAX_NOTES, starts: Sequence[int] | None = None) -> list[Window]:
    """Cut all songs into pairs; `starts` moves the first cut of each song, so that epochs see other cuts."""
    pairs: list[Window] = []
    too_long = data.steps > MAX_STEPS
    for song in range(len(data)):
        here = slice(int(data.first_bar[song]), int(data.first_bar[song + 1]))
        over = np.where(too_long[here] | _resting(data.drum_notes[here]), max_notes + 1, 0)
        counts = [np.maximum(notes[here], over).tolist() for notes in (data.guitar_notes, data.drum_notes)]
        start = min(starts[song], len(counts[0])) if starts is not None else 0
        cut = cut_bars(*counts, max_notes=max_notes, start=start)
        pairs += [Window(song, first, stop) for first, stop in cut.ranges]
    return pairs


def _resting(drum_notes: IntArray) -> NDArray[np.bool_]:
    """(bars,): whether the bar is in a rest of DRUM_REST bars or more, which a model should not learn."""
    silent = np.concatenate([[False], drum_notes == 0, [False]])
    begins, ends = np.flatnonzero(silent[1:] & ~silent[:-1]), np.flatnonzero(silent[:-1] & ~silent[1:])
    resting = np.zeros(len(drum_notes), dtype=bool)
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        resting[begin:end] = end - begin >= DRUM_REST
    return resting


def epoch(
    data: Data,
    rng: np.random.Generator,
    *,
    size: int,
    max_notes: int = MAX_NOTES,
    weights: dict[str, float] | None = None,
) -> list[list[Window]]:
    """One epoch's batches of `size` pairs in random order, pairs of like length together.

    weights: how often an epoch sees a song of each tag; a fraction is a probability.
    """
    starts = rng.integers(0, MAX_BARS, size=len(data))
    pairs = windows(data, max_notes=max_notes, starts=starts.tolist())
    if weights:
        share = np.array([weights.get(data.tags[pair.song], 1.0) for pair in pairs])
        times = np.floor(share) + (rng.random(len(pairs)) < share % 1)
        pairs = [pair for pair, count in zip(pairs, times.astype(int).tolist(), strict=True) for _ in range(count)]
    return list(bucketed(data, pairs, rng, size=size))


def bucketed(
    data: Data, pairs: Sequence[Window], rng: np.random.Generator | None, *, size: int
) -> Iterator[list[Window]]:
    """Batches of pairs of similar length in steps per bar and in bars, which keeps padding small.

    With a generator the pairs and batches are shuffled first and the last short batches stay in; without, the order is
    that of the lengths.
    """
    steps = data.steps
    order = np.arange(len(pairs)) if rng is None else rng.permutation(len(pairs))
    pool = max(size * 64, 1)
    batches: list[list[Window]] = []
    for begin in range(0, len(order), pool):
        chosen = [pairs[index] for index in order[begin : begin + pool].tolist()]

        def lengths(pair: Window) -> tuple[int, int]:
            bars = data.first_bar[pair.song] + np.arange(pair.first, pair.stop)
            return int(steps[bars].max()), pair.stop - pair.first

        chosen.sort(key=lengths)
        batches += [chosen[at : at + size] for at in range(0, len(chosen), size)]
    if rng is not None:
        batches = [batches[index] for index in rng.permutation(len(batches)).tolist()]
    return iter(batches)


def micro_batches(data: Data, pairs: Sequence[Window], most: int, multiple: int = 1) -> list[slice]:
    """The fewest equal parts of a batch with at most `most` steps each, padding included.

    A longer pair is a part by itself. The number of parts is a multiple of `multiple` if there are enough pairs.
    """
    steps, at = data.steps, data.first_bar
    longest = max(int(steps[at[song] + first : at[song] + stop].max()) for song, first, stop in pairs)
    padded = max(stop - first for _, first, stop in pairs) * longest
    parts = -(-len(pairs) // max(most // padded, 1))
    size = -(-len(pairs) // (-(-parts // multiple) * multiple))
    return [slice(begin, begin + size) for begin in range(0, len(pairs), size)]


def collate(
    data: Data,
    pairs: Sequence[Window],
    draws: Draws,
    *,
    blanked: float = 0.0,
    transpose: bool = False,
    ask: bool = False,
    grooves: Given = HIDDEN,
    drawn: float = 0.0,
    future_hidden: float = 0.0,
    band_hidden: float = 1.0,
    listen_to: Sequence[Window] = (),
) -> Batch:
    """Gather pairs and their context.

    Shares of pairs: `blanked` hides the drum history, `drawn` has the model draw the history, `future_hidden` hides the
    future and the band, `band_hidden` the band alone. `grooves` has the shares for grooves. `transpose` moves each
    guitar to a random key, because drums have none; `ask` states some of the conditions that the drums meet.
    `listen_to` replaces the guitars by those of other
    windows (as many bars, with their own context), which measures how much the guitar matters.
    """
    # 1. The bars: the pair and its context, some from further back, and those of the guitar.
    own = np.array(pairs, dtype=np.int64)
    heard = np.array(listen_to, dtype=np.int64) if listen_to else own
    bars_in_pair = int((own[:, 2] - own[:, 1]).max())
    drum_bars, exists = _context(data, own, bars_in_pair)
    guitar_bars, guitar_exists = _context(data, heard, bars_in_pair)
    far_bars, far_exists = _far(data, own, draws.spread)
    far_guitar_bars = far_bars
    if listen_to:
        # The bars as far back in the other song, clipped to its beginning.
        back = own[:, 1, None] - (far_bars - data.first_bar[own[:, 0]][:, None])
        number = np.maximum(heard[:, 1, None] - back, 0)
        far_guitar_bars = data.first_bar[heard[:, 0]][:, None] + number
    in_pair = np.arange(bars_in_pair) < (own[:, 2] - own[:, 1])[:, None]
    inside = slice(PAST, PAST + bars_in_pair)
    size = int(data.steps[drum_bars[:, inside]][in_pair].max())
    start = data.first_bar[own[:, 0]][:, None]
    # 2. Gather and pad their rows.
    known = exists[:, : inside.stop]
    velocity = _rows(data, data.velocity, drum_bars[:, : inside.stop], known, size).astype(np.float32) / _LOUDEST
    far_velocity = _rows(data, data.velocity, far_bars, far_exists, size).astype(np.float32) / _LOUDEST
    offset = _rows(data, data.offset, drum_bars[:, inside], in_pair, size).astype(np.float32) / _GAP
    guitar = _rows(data, data.guitar, guitar_bars, guitar_exists, size).astype(np.float32)
    far_guitar = _rows(data, data.guitar, far_guitar_bars, far_exists, size).astype(np.float32)
    bars = (data.bars[guitar_bars] * guitar_exists[..., None]).astype(np.float32)
    far_features = (data.bars[far_guitar_bars] * far_exists[..., None]).astype(np.float32)
    summary, hidden = data.summary[heard[:, 0]], draws.future < future_hidden
    expected = np.zeros_like(guitar[:, :0]), np.zeros_like(bars[:, :0])
    if data.causal is not None and hidden.any():
        # Hide the bars after each bar, and predict the bar itself.
        for rows in (bars, far_features):
            rows[hidden] = without_future(rows[hidden])
        expected = guitar[:, : inside.stop].copy(), bars[:, : inside.stop].copy()
        source, there, expected[1][hidden] = data.causal.expected(
            guitar_bars[hidden], guitar_exists[hidden], inside.stop
        )
        expected[0][hidden] = _rows(data, data.guitar, source, there, size)
        begins = data.first_bar[heard[:, 0]] + heard[:, 1]
        summary = np.where(hidden[:, None], data.causal.summary[data.causal.of_bar[begins]], summary)
    if transpose:
        keys = (np.arange(12) + draws.key[:, None]) % 12
        for steps in (guitar, far_guitar, expected[0]):
            _turn(steps, GUITAR["pitch_classes"], keys[:, None, None])
        for rows in (bars, far_features, expected[1]):
            _turn(rows, BARS["pitch_classes_of_last"], keys[:, None])
            _turn(rows, BARS["pitch_classes_of_next"], keys[:, None])
    # 3. The conditions that are stated.
    wanted = given(draws.asked) if ask else np.zeros((len(pairs), CONDITIONS.size), dtype=bool)
    conditions = data.conditions[drum_bars].astype(np.float32)
    lengths = np.where(in_pair, data.steps[drum_bars[:, inside]], 0)
    band = _rows(data, data.band, guitar_bars[:, inside], in_pair, size).astype(np.float32)
    band *= ((draws.band >= band_hidden) & ~hidden)[:, None, None, None]
    groove, grooved = data.grooves.rows(drum_bars[:, inside], lengths, draws.groove, size, grooves)
    return Batch(
        guitar=guitar,
        drums=(velocity > 0).astype(np.float32),
        velocity=velocity,
        offset=offset,
        clock=_rows(data, data.clock, drum_bars[:, inside], in_pair, size).astype(np.float32),
        band=band,
        bars=bars,
        summary=summary,
        exists=exists,
        steps=data.steps[drum_bars],
        number=drum_bars - start,
        far_guitar=far_guitar,
        far_drums=(far_velocity > 0).astype(np.float32),
        far_velocity=far_velocity,
        far_bars=far_features,
        far_exists=far_exists,
        far_steps=data.steps[far_bars],
        far_number=far_bars - start,
        conditions=conditions * exists[..., None] * wanted[:, None],
        fill=conditions[:, inside, CONDITIONS["fill"].start] * in_pair,
        groove=groove,
        grooved=grooved,
        in_pair=in_pair,
        drawn=(draws.groove[:, 2] < drawn).astype(np.float32),
        keep=kept(draws.hidden, blanked).astype(np.float32),
        shown=shown(draws.voices, len(data.kit), blanked).astype(np.float32),
        hidden=hidden.astype(np.float32),
        expected_guitar=expected[0],
        expected_bars=expected[1],
    )


def _turn(rows: FloatArray, columns: slice, keys: IntArray) -> None:
    """Move pitch classes, in place, to the key that comes first in `keys` (n, ..., 12)."""
    rows[..., columns] = np.take_along_axis(rows[..., columns], keys, axis=-1)


def blocks(
    data: Data, *, bars: int = 8, min_hits: int = 12, min_guitar_steps: int = 8, metre: tuple[int, int] | None = None
) -> list[Window]:
    """Consecutive windows of `bars` whole bars in which both sides play, for measuring likelihood.

    With a metre, only songs that never leave it. All bars of a window have one number of steps.
    """
    pieces: list[Window] = []
    steps = data.steps
    onsets = np.concatenate([[0], np.cumsum(data.guitar[:, GUITAR.at("played")] > 0)])[data.first_step]
    for song in range(len(data)):
        begin, end = int(data.first_bar[song]), int(data.first_bar[song + 1])
        if metre is not None and np.any(data.metre[begin:end] != metre):
            continue
        for first in range(begin, end - bars + 1, bars):
            here = slice(first, first + bars)
            alike = np.all(steps[here] == steps[first]) and steps[first] <= MAX_STEPS
            played = (
                data.drum_notes[here].sum() >= min_hits and onsets[first + bars] - onsets[first] >= min_guitar_steps
            )
            if alike and played:
                pieces.append(Window(song, first - begin, first - begin + bars))
    return pieces


def swapped(data: Data, pairs: Sequence[Window], rng: np.random.Generator) -> list[Window]:
    """For each window one of another song with as many bars and steps, or itself: to compare its guitar."""
    kinds: dict[tuple[int, int], list[Window]] = {}
    steps = data.steps

    def kind(pair: Window) -> tuple[int, int]:
        return pair.stop - pair.first, int(steps[data.first_bar[pair.song] + pair.first])

    for pair in pairs:
        kinds.setdefault(kind(pair), []).append(pair)
    chosen = []
    for pair in pairs:
        others = [
            other
            for other in (kinds[kind(pair)][int(rng.integers(len(kinds[kind(pair)])))] for _ in range(20))
            if other.song != pair.song
        ]
        chosen.append(others[0] if others else pair)
    return chosen


def _context(data: Data, pairs: IntArray, bars_in_pair: int) -> tuple[IntArray, NDArray[np.bool_]]:
    """(n, C) bars of the data set around each pair, and whether each is a bar of the same song."""
    begin, end = data.first_bar[pairs[:, 0]], data.first_bar[pairs[:, 0] + 1]
    bars = (begin + pairs[:, 1])[:, None] + np.arange(-PAST, bars_in_pair + AHEAD)
    exists = (bars >= begin[:, None]) & (bars < end[:, None])
    return np.where(exists, bars, begin[:, None]), exists


def _far(data: Data, pairs: IntArray, spread: NDArray[np.float64]) -> tuple[IntArray, NDArray[np.bool_]]:
    """(n, F) different bars of each song from before the context, as far as there are any, in order."""
    available = np.maximum(pairs[:, 1] - PAST, 0)
    number = np.floor(np.sort(spread, axis=1) * np.maximum(available, 1)[:, None]).astype(np.int64)
    number = np.where(available[:, None] <= FAR, np.arange(FAR), number)
    exists = number < available[:, None]
    exists[:, 1:] &= np.diff(number, axis=1) > 0
    return data.first_bar[pairs[:, 0]][:, None] + np.where(exists, number, 0), exists


def _rows(
    data: Data, flat: NDArray[np.generic], bars: IntArray, exists: NDArray[np.bool_], size: int
) -> NDArray[np.generic]:
    """Gather (…, size, width) rows of the first `size` steps of each bar; zero where there is no such step or bar."""
    place = np.arange(size)
    valid = (place < data.steps[bars][..., None]) & exists[..., None]
    index = np.where(valid, data.first_step[bars][..., None] + place, 0)
    rows = flat[index]
    rows[~valid] = 0
    return rows
