"""Random numbers of a batch of pairs, and the context that they leave visible.

Letters of shapes: n pairs, V voices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.lattice.features import BARS, SUMMARY, features
from seq2drum.lattice.form import MAX_STEPS, FloatArray
from seq2drum.lattice.grooves.grooves import Groove, typical
from seq2drum.lattice.grooves.grooves import features_likeness as likeness
from seq2drum.lattice.grooves.section_features import letters_of
from seq2drum.lattice.sections import NOWHERE, expected_bars, sections, sources
from seq2drum.music.kit import FULL, Kit, to_kit
from seq2drum.music.notes import IntArray

FAR = 8  # bars from further back that a pair's memory holds, drawn at random
BLANKED = 0.3  # share of training pairs whose drum history is hidden, so that the model learns to listen


class Draws(NamedTuple):
    """Random numbers of a batch, one row for each pair, drawn together and then split among processes.

    hidden (n, 3), asked (n, 6), voices (n, 1 + the voices of the full kit), spread (n, FAR), groove (n, 3), future (n,)
    and band (n,) in 0..1; key (n,) in 0..11.
    """

    hidden: NDArray[np.float64]
    asked: NDArray[np.float64]
    voices: NDArray[np.float64]
    spread: NDArray[np.float64]
    key: IntArray
    groove: NDArray[np.float64]
    future: NDArray[np.float64]
    band: NDArray[np.float64]

    def part(self, rank: int, of: int) -> Draws:
        """Every `of`-th row from `rank` on."""
        return self.rows(slice(rank, None, of))

    def rows(self, which: slice) -> Draws:
        """Some of the rows."""
        columns: list[Any] = [column[which] for column in self]
        return Draws(*columns)


def draw(rng: np.random.Generator, pairs: int) -> Draws:
    """Random numbers for a batch of this many pairs."""
    return Draws(
        rng.random((pairs, 3)),
        rng.random((pairs, 6)),
        rng.random((pairs, 1 + len(FULL))),
        rng.random((pairs, FAR)),
        rng.integers(0, 12, size=pairs),
        rng.random((pairs, 3)),
        rng.random(pairs),
        rng.random(pairs),
    )


def kept(hidden: NDArray[np.float64], blanked: float) -> NDArray[np.bool_]:
    """(n, 3): masks of the history that a pair keeps: all bars before; the recent ones; the step before.

    Half of the pairs without any history keep the step before, because otherwise no bar would have a beginning. The
    same share of the others loses only the recent bars, and has to remember further back by what the guitar does.
    """
    everything = hidden[:, 0] >= blanked
    recent = everything & (hidden[:, 1] >= blanked)
    return np.stack([everything, recent, everything | (hidden[:, 2] < 0.5)], axis=1)


def shown(voices: NDArray[np.float64], kit: int, blanked: float) -> NDArray[np.bool_]:
    """(n, V): masks of the voices visible in the bars before. Some pairs hide a third of them.

    Otherwise a model never plays a voice that it has not played yet, and its takes grow sparser with every bar.
    """
    all_seen = voices[:, :1] >= blanked
    return all_seen | (voices[:, 1 : 1 + kit] >= 1 / 3)


SUMMED_AFTER = (0, 2, 4, 8, 16, 32, 64, 128)  # bars after which the summary of a song so far is refreshed


@dataclass(frozen=True, eq=False)
class CausalContext:
    """Features of each bar from the bars before it alone, for training without lookahead.

    source (B,): index over all songs of the bar whose guitar predicts this one's; NOWHERE without one. bars
    (B, BARS.size): see `expected_bars`. summary (R, SUMMARY.size), and of_bar (B,): the row of it that summarises the
    guitar before a bar.
    """

    source: IntArray
    bars: NDArray[np.float16]
    summary: FloatArray
    of_bar: IntArray

    def expected(
        self, bars: IntArray, exists: NDArray[np.bool_], count: int
    ) -> tuple[IntArray, NDArray[np.bool_], FloatArray]:
        """Predictions for the first `count` of bars (n, C) of all songs.

        Returns the bar whose guitar predicts each and whether there is one, (n, count), and the expected features of
        the bar itself, (n, count, BARS.size), zero where it does not exist.
        """
        own, exists = bars[:, :count], exists[:, :count]
        source = self.source[own]
        known = exists & (source != NOWHERE)
        return np.where(known, source, own), known, self.bars[own].astype(np.float32) * exists[..., None]


def causal_context(songs: Sequence[Prepared]) -> CausalContext:
    """The causal context of all bars of some songs, end to end."""
    source, bars, of_bar = list[IntArray](), list[NDArray[np.float16]](), list[IntArray]()
    summaries = list[FloatArray]()
    begin = 0
    for song in songs:
        guitar_grid, count = song.guitar_grid, len(song.guitar_grid.form.steps)
        like = sources(guitar_grid)
        source.append(np.where(like == NOWHERE, NOWHERE, like + begin))
        bars.append(expected_bars(guitar_grid, features(guitar_grid), like).astype(np.float16))
        after = [number for number in SUMMED_AFTER if number < count]
        of_bar.append(len(summaries) + np.searchsorted(after, np.arange(count), side="right") - 1)
        summaries += [_summary(song, number) for number in after]
        begin += count
    return CausalContext(
        np.concatenate([np.zeros(0, dtype=np.int64), *source]),
        np.concatenate([np.zeros((0, BARS.size), dtype=np.float16), *bars]),
        np.stack([np.zeros(SUMMARY.size, dtype=np.float32), *summaries])[1:],
        np.concatenate([np.zeros(0, dtype=np.int64), *of_bar]),
    )


def _summary(song: Prepared, bars: int) -> FloatArray:
    """(SUMMARY.size,): the summary of a song's first bars; with 0 bars, of a bar of silence."""
    guitar_grid = song.guitar_grid.between(0, max(bars, 1))
    if not bars:
        guitar_grid = guitar_grid.silenced()
    return features(guitar_grid).summary


NEAR = (0.7, 0.95)  # F1 of the hits of two grooves that are near each other
MOST_NEAR = 6  # K: near grooves kept for each
AMONG = 4096  # random grooves of one length among which near ones are searched
_BLOCK = 128  # grooves compared in one pass


class Given(NamedTuple):
    """Shares of training pairs whose groove is hidden, and replaced by a near one."""

    hidden: float = 1.0
    near: float = 0.0


HIDDEN = Given()


@dataclass(frozen=True, eq=False)
class SectionGrooves:
    """The grooves of the sections of some songs, in the voices of a kit.

    velocity (P, MAX_STEPS, V): MIDI velocities, 0 where there is no hit. steps (P,): the length of each bar.
    of_bar (B,): the row that each bar of the songs is played on; -1 where none is known.
    """

    velocity: NDArray[np.uint8]
    steps: IntArray
    of_bar: IntArray

    @cached_property
    def near(self) -> IntArray:
        """(P, K): for each bar, rows of other grooves that are NEAR it; padded with -1."""
        rng, near = np.random.default_rng(len(self.steps)), np.full((len(self.steps), MOST_NEAR), -1)
        for length in np.unique(self.steps).tolist():
            own = np.flatnonzero(self.steps == length)
            hits = (self.velocity[own, :length] > 0).astype(np.float32).reshape(len(own), -1)
            among = np.sort(rng.permutation(len(own))[:AMONG])
            for begin in range(0, len(own), _BLOCK):
                block = slice(begin, begin + _BLOCK)
                alike = likeness(hits[block], hits[among])
                able = (alike >= NEAR[0]) & (alike <= NEAR[1])
                mixed = np.argsort(np.where(able, rng.random(able.shape), 2.0), axis=1)[:, :MOST_NEAR]
                found = np.where(np.take_along_axis(able, mixed, axis=1), own[among[mixed]], -1)
                near[own[block], : found.shape[1]] = found
        return near

    def rows(
        self, bars: IntArray, steps: IntArray, draws: NDArray[np.float64], size: int, given: Given
    ) -> tuple[FloatArray, FloatArray]:
        """The grooves of pairs: velocities (n, N, S, V) in 0..1, and (n, N) 1 where a groove is given.

        bars (n, N): indices over all songs. steps (n, N): their lengths; 0 where there is no bar. draws (n, 2): random
        numbers 0..1, the first to hide or replace the groove, the second to choose the replacement. size: S.
        """
        which = np.where(steps > 0, self.of_bar[bars], -1)
        # 1. Replace true grooves by near ones.
        near = (draws[:, 0] >= given.hidden) & (draws[:, 0] < given.hidden + given.near)
        if near.any() and len(self.steps):
            others = self.near[which]
            many = np.maximum((others >= 0).sum(axis=-1), 1)
            chosen = np.take_along_axis(others, (draws[:, 1, None] * many).astype(np.int64)[..., None], axis=-1)[..., 0]
            which = np.where(near[:, None] & (which >= 0) & (chosen >= 0), chosen, which)
        # 2. Their hits.
        which = np.where(draws[:, :1] < given.hidden, -1, which)
        known = which >= 0
        rows = np.zeros((*which.shape, size, self.velocity.shape[-1]), dtype=np.float32)
        rows[known] = self.velocity[which[known], :size].astype(np.float32) / np.float32(127)
        rows *= (np.arange(size) < steps[..., None])[..., None]
        return rows, known.astype(np.float32)


class _Which(NamedTuple):
    """Key of a bar among a song's grooves: the section, the metre it is fitted to, the bar of the groove."""

    letter: str
    metre: tuple[int, int]
    turn: int


def section_grooves(songs: Sequence[Prepared], kit: Kit) -> SectionGrooves:
    """The typical bars of each section of some songs."""
    velocity, steps, of_bar, voices = list[NDArray[np.uint8]](), list[int](), list[NDArray[np.int64]](), to_kit(kit)
    for song in songs:
        numbers: dict[_Which, int] = {}
        which = np.full(len(song.guitar_grid.form.steps), -1, dtype=np.int64)
        for bar, groove, one in _played_on(song):
            if one not in numbers:
                numbers[one] = len(steps)
                rows = np.zeros((MAX_STEPS, len(kit)), dtype=np.uint8)
                own = groove.bars[one.turn]
                hits = own.select((voices[own.key] >= 0) & (own.step < MAX_STEPS))
                np.maximum.at(rows, (hits.step, voices[hits.key]), hits.velocity.astype(np.uint8))
                velocity.append(rows)
                steps.append(min(groove.steps, MAX_STEPS))
            which[bar] = numbers[one]
        of_bar.append(which)
    empty = np.zeros((0, MAX_STEPS, len(kit)), dtype=np.uint8)
    return SectionGrooves(
        np.stack(velocity) if velocity else empty,
        np.array(steps, dtype=np.int64),
        np.concatenate(of_bar) if of_bar else np.zeros(0, dtype=np.int64),
    )


def _played_on(song: Prepared) -> Iterator[tuple[int, Groove, _Which]]:
    """The bars of a song that have a groove: (number, groove in the bar's metre, key of its bar).

    A groove starts over after a bar that was not played on it, as in `play.decode.memory`.
    """
    form, drums = song.guitar_grid.form, song.drums
    struck = np.unique(form.bar_of(drums.step))
    letters = letters_of(sections(song.guitar_grid), len(form.steps))
    typicals = {
        # The title is never shown: a given one saves making one.
        letter: typical(drums, form, struck[letters[struck] == letter], title=letter)
        for letter in set(letters[struck])
    }
    kinds = list(zip(form.numerator.tolist(), form.denominator.tolist(), strict=True))
    in_metre: dict[tuple[str, tuple[int, int]], Groove] = {}
    before, turn = "", 0
    for bar, (letter, kind) in enumerate(zip(letters.tolist(), kinds, strict=True)):
        turn = turn + 1 if letter == before else 0
        before = letter
        if letter not in typicals or form.steps[bar] > MAX_STEPS:
            continue
        if (letter, kind) not in in_metre:
            in_metre[letter, kind] = typicals[letter].fitted(*kind)
        groove = in_metre[letter, kind]
        yield bar, groove, _Which(letter, kind, turn % len(groove.bars))
