"""Which pieces of the kit a take is played on, as a musician wishes it: those that are allowed, and where time is kept.

A wish holds for every bar: what is drawn, and what a groove or a bar of before gives to go on from. Letters of shapes:
V voices of the kit, n ways of playing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.grid import Grid
from seq2drum.music.choices import ALL, AUTO
from seq2drum.music.kit import Kit
from seq2drum.music.notes import IntArray

HAND_PERCUSSION_STYLE = "latin"  # the style whose grooves are played with hand percussion more often than not
# Time is kept with a hand on one of these lines. The pedal hat is a foot's, and goes on below the ride.
_LINES = {"hat": ("closed hat", "open hat"), "ride": ("ride", "bell")}


class Pieces(NamedTuple):
    """The pieces that a take may be played on.

    allowed (V,): whether a voice is played at all. moved (V,): the voice that each is played as, which is another one
    where time is kept elsewhere; then it is not allowed itself.
    """

    allowed: NDArray[np.bool_]
    moved: IntArray

    @property
    def are_all(self) -> bool:
        """Whether nothing is forbidden, and so nothing is moved."""
        return bool(self.allowed.all())

    @property
    def moves(self) -> bool:
        """Whether a voice is played as another one."""
        return bool((self.moved != np.arange(len(self.moved))).any())

    def logits(self, logits: FloatArray) -> FloatArray:
        """Logits of hits (..., V) as wished: minus infinity of what is forbidden.

        A voice is as likely as the likeliest of those that are played as it.
        """
        wished = np.where(self.allowed, logits, -np.inf).astype(logits.dtype)
        for voice in np.flatnonzero(self.moved != np.arange(len(self.moved))).tolist():
            if self.allowed[target := self.moved[voice]]:
                np.maximum(wished[..., target], logits[..., voice], out=wished[..., target])
        return wished

    def hits(self, grid: Grid) -> Grid:
        """Hits of a groove or of a bar as wished. Of two that are played as one voice, the louder."""
        key = self.moved[grid.key]
        order = np.lexsort((-grid.velocity, key, grid.step))
        wished = grid._replace(key=key).select(order[self.allowed[key[order]]])
        first = np.ones(len(wished.step), dtype=bool)
        first[1:] = (np.diff(wished.step) != 0) | (np.diff(wished.key) != 0)
        return wished.select(first)


def pieces_for(
    kit: Kit,
    *,
    pieces: str | None = None,
    time: str = AUTO,
    without: Collection[str] = (),
    style: str | None = None,
    groove: Collection[int] = (),
) -> Pieces:
    """What a musician wishes of the pieces.

    Args:
        kit: Whose voices are meant.
        pieces: "kit" for no hand percussion, "all" for any, None for what the groove has of it, and any in latin music.
        time: On which line time is kept: "hat", "ride", or "auto" for either. The other line is not played.
        without: Names of pieces that are not played. Where that forbids a line, time is kept on the other one.
        style: What is asked for, or None.
        groove: The voices of the kit that the groove has, of all sections.
    """
    names = list(kit.names)
    allowed = np.array([name not in without for name in names])
    # 1. Hand percussion.
    percussion = np.array([voice.limb == "percussion" for voice in kit.voices])
    if pieces != ALL and not (pieces is None and style == HAND_PERCUSSION_STYLE):
        kept = np.isin(np.arange(len(kit)), list(groove)) if pieces is None else False
        allowed &= ~percussion | kept
    # 2. The line that time is kept on.
    if time == AUTO:
        there = [line for line, (main, _) in _LINES.items() if main in names and main not in without]
        time = there[0] if len(there) == 1 else AUTO
    moved = np.arange(len(kit))
    for line, members in _LINES.items():
        target = next((voices[0] for other, voices in _LINES.items() if other != line), "")
        if time not in (line, AUTO) and target in names:
            moved[kit.voices_named(members)] = names.index(target)
    return Pieces(allowed & (moved == np.arange(len(kit))), moved)
