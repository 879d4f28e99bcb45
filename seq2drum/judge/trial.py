"""A take beside the real drums of its song, both in the bars where the real drummer plays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.judge.measures import (
    COPY_LENGTHS,
    VOICE,
    BoolArray,
    Copies,
    Vector,
    cut,
    groove_similarity,
    hits_by_bar,
    judged_bars,
    likeness,
)
from seq2drum.lattice.conditions import Drums, bars_of, fills, syncopation
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.sections import sections
from seq2drum.music.notes import IntArray

TOMS = tuple(index for name, index in VOICE.items() if name.endswith(" tom"))
_CYMBALS = tuple(VOICE[name] for name in ("closed hat", "open hat", "ride"))
VOICE_FAMILIES = ((VOICE["kick"],), (VOICE["snare"],), (VOICE["crash"],), TOMS, _CYMBALS)


@dataclass(frozen=True, eq=False)
class Side:
    """Real or made drums in the bars that count, with data shared by several figures.

    drums: in nine voices. guitar (T,): the summed velocities of the guitar notes that begin at each step. letter (B,):
    the number of the letter of each bar's section, -1 before the first. begins (B,): whether a section begins there.
    copies: the windows of the training set, if known.
    """

    drums: Drums
    guitar: Vector
    letter: IntArray
    begins: BoolArray
    copies: Copies | None = None

    def only(self, bars: BoolArray) -> Side:
        """The same in some of the bars, (B,)."""
        guitar = self.guitar[np.repeat(bars, self.drums.form.steps)]
        return Side(cut(self.drums, bars), guitar, self.letter[bars], self.begins[bars], self.copies)

    @cached_property
    def hits(self) -> BoolArray:
        """(T, V): the hits."""
        return self.drums.velocity > 0

    @cached_property
    def families(self) -> BoolArray:
        """(T, 5): the same for kick, snare, crash, toms, and hats and ride together."""
        return np.stack([self.hits[:, list(family)].any(axis=1) for family in VOICE_FAMILIES], axis=1)

    @cached_property
    def rolls(self) -> NDArray[np.float32]:
        """(B, S, V): hits bar by bar."""
        return bars_of(self.drums)

    @cached_property
    def bar_hits(self) -> IntArray:
        """(B,): the number of hits in each bar."""
        return hits_by_bar(self.drums)

    @cached_property
    def fills(self) -> BoolArray:
        """(B,): whether each bar is a fill."""
        return fills(self.drums)

    @cached_property
    def syncopation(self) -> float:
        """The mean over the bars."""
        return float(syncopation(self.drums).mean())

    @cached_property
    def similarity(self) -> float:
        """Groove similarity, or NaN without two bars to compare; see `groove_similarity`."""
        return groove_similarity(self.drums)

    @cached_property
    def curve(self) -> Vector:
        """(2, CURVE_BARS): summed similarity and number of the pairs of bars at each distance; see `likeness`."""
        return likeness(self.drums)

    @cached_property
    def copied(self) -> Vector:
        """(windows, 2): see `Copies.rate`; zeros if no training set is known."""
        return np.zeros((len(COPY_LENGTHS), 2)) if self.copies is None else self.copies.rate(self.drums)


class Trial(NamedTuple):
    """A take beside the real drums, both sides in the bars that count.

    another: another take of the same player, of another seed, if there is one.
    """

    real: Side
    made: Side
    another: Side | None = None

    def only(self, bars: BoolArray) -> Trial:
        """The same in some of the bars, (B,)."""
        return Trial(self.real.only(bars), self.made.only(bars), self.another and self.another.only(bars))


@dataclass(frozen=True, eq=False)
class Judge:
    """A song's real drums and guitar, for any number of takes; the real side is computed once.

    real: in nine voices. copies: the windows of the training set; without it the rates of copies are NaN.
    """

    real: Drums
    guitar_grid: GuitarGrid
    copies: Copies | None = None

    @cached_property
    def bars(self) -> BoolArray:
        """(B,): the bars that count."""
        return judged_bars(self.real)

    @cached_property
    def _side(self) -> Side:
        return self._cut(self.real)

    @cached_property
    def _guitar(self) -> Vector:
        guitar: Vector = np.zeros(len(self.real.velocity))
        np.add.at(guitar, self.guitar_grid.guitar.step, self.guitar_grid.guitar.velocity)
        return guitar

    @cached_property
    def _passages(self) -> tuple[IntArray, BoolArray]:
        """(B,): the number of the letter of each bar's section; whether one begins there."""
        letter, begins = np.full(len(self.bars), -1), np.zeros(len(self.bars), dtype=bool)
        found = sections(self.guitar_grid)
        letters = {name: number for number, name in enumerate(dict.fromkeys(section.letter for section in found))}
        for section in found:
            letter[section.bar :], begins[section.bar] = letters[section.letter], True
        return letter, begins

    def _cut(self, drums: Drums) -> Side:
        return Side(drums, self._guitar, *self._passages, self.copies).only(self.bars)

    def trial(self, made: Drums) -> Trial:
        """A take beside the real drums, without a bar if the real drummer never plays.

        Raises:
            ValueError: the take has other bars than the real drums.
        """
        if not np.array_equal(made.form.steps, self.real.form.steps):
            raise ValueError(
                f"the take has {len(made.form.steps)} bars of {made.form.steps.sum()} steps, the real drums have "
                f"{len(self.real.form.steps)} of {self.real.form.steps.sum()}; play to the form of the song"
            )
        return Trial(self._side, self._side if made is self.real else self._cut(made))


def trial_of(real: Drums, made: Drums, guitar_grid: GuitarGrid, copies: Copies | None = None) -> Trial:
    """One take beside the real drums, both in nine voices; see `Judge`."""
    return Judge(real, guitar_grid, copies).trial(made)
