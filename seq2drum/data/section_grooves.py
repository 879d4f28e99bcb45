"""The groove of each section of some songs, as a model is given it: the typical bars of the section's own drums.

Letters of shapes: n pairs of a batch, N bars of a pair, B bars of all songs, P bars of all grooves, K grooves that are
near one, S steps, V voices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.prepared import Prepared
from seq2drum.lattice.form import MAX_STEPS, FloatArray
from seq2drum.lattice.groove_features import likeness
from seq2drum.lattice.grooves import Groove, typical
from seq2drum.lattice.section_features import letters_of
from seq2drum.lattice.sections import sections
from seq2drum.music.kit import Kit, to_kit
from seq2drum.music.notes import IntArray

NEAR = (0.7, 0.95)  # F1 of the hits of two grooves that are near each other
MOST_NEAR = 6  # K: near ones that are kept of each
AMONG = 4096  # grooves of one length, drawn at random, among which the near ones are looked for
_BLOCK = 128  # grooves that are compared at once


class Given(NamedTuple):
    """How training pairs are given grooves: the shares of pairs whose groove is hidden, and replaced by a near one."""

    hidden: float = 1.0
    near: float = 0.0


HIDDEN = Given()


@dataclass(frozen=True, eq=False)
class SectionGrooves:
    """The grooves of the sections of some songs, in the voices of a kit.

    velocity (P, MAX_STEPS, V): MIDI velocities, 0 where there is no hit. steps (P,): the length of each bar.
    of_bar (B,): which of them is played on in each bar of the songs; -1 where none is known.
    """

    velocity: NDArray[np.uint8]
    steps: IntArray
    of_bar: IntArray

    @cached_property
    def near(self) -> IntArray:
        """(P, K): for each some of the bars of other grooves that are NEAR it; -1 where there are no more."""
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

        bars (n, N): of all songs. steps (n, N): how long each is; 0 where there is no bar. draws (n, 2): random
        numbers, 0..1; the first says whether the groove is hidden or replaced, the second by which. size: S.
        """
        which = np.where(steps > 0, self.of_bar[bars], -1)
        # 1. Near ones in place of the true ones.
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
    """Which bar of a song's grooves: of which section's, fitted to which metre, and which of the groove's bars."""

    letter: str
    metre: tuple[int, int]
    turn: int


def section_grooves(songs: Sequence[Prepared], kit: Kit) -> SectionGrooves:
    """The typical bars of each section of some songs."""
    velocity, steps, of_bar, voices = list[NDArray[np.uint8]](), list[int](), list[NDArray[np.int64]](), to_kit(kit)
    for song in songs:
        numbers: dict[_Which, int] = {}
        which = np.full(len(song.heard.form.steps), -1, dtype=np.int64)
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
    """The bars of a song that have a groove: (number, groove in the bar's metre, which of its bars).

    A groove begins with its first bar where it was not played in the bar before, as in `play.memory`.
    """
    form, drums = song.heard.form, song.drums
    struck = np.unique(form.bar_of(drums.step))
    letters = letters_of(sections(song.heard), len(form.steps))
    typicals = {
        letter: typical(
            drums, form, struck[letters[struck] == letter], title=letter
        )  # nobody looks at what it is called
        for letter in set(letters[struck])
    }
    kinds = list(zip(form.numerator.tolist(), form.denominator.tolist(), strict=True))
    in_metre: dict[tuple[str, tuple[int, int]], Groove] = {}
    before, so_far = "", 0
    for bar, (letter, kind) in enumerate(zip(letters.tolist(), kinds, strict=True)):
        so_far = so_far + 1 if letter == before else 0
        before = letter
        if letter not in typicals or form.steps[bar] > MAX_STEPS:
            continue
        if (letter, kind) not in in_metre:
            in_metre[letter, kind] = typicals[letter].fitted(*kind)
        groove = in_metre[letter, kind]
        yield bar, groove, _Which(letter, kind, so_far % len(groove.bars))
