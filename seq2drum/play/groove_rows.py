"""The groove of each bar of a song, as numbers.

Letters of shapes: B bars of the song, S steps of the longest bar, V voices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grooves import Groove
from seq2drum.music.kit import Kit, to_kit
from seq2drum.music.notes import IntArray
from seq2drum.play.pieces import Pieces


@dataclass(frozen=True, eq=False)
class GrooveRows:
    """The groove of each bar: hits and velocity (B, S, V) as a model remembers bars, velocities 0..1.

    held (B,): for how many bars before each the groove has been the same; -1 where there is none. firm: the bars are to
    be like the groove, and not only to go on from it.
    """

    hits: FloatArray
    velocity: FloatArray
    held: IntArray
    firm: bool = False

    @staticmethod
    def of(
        grooves: Sequence[Groove | None], form: Form, kit: Kit, *, pieces: Pieces | None = None, firm: bool = False
    ) -> GrooveRows:
        """The grooves of the bars of a form, in the voices of a kit; each in the metre of its bar.

        pieces: what may be played; None if anything may.
        """
        size = int(form.steps.max())
        hits = np.zeros((len(form.steps), size, len(kit)), dtype=np.float32)
        velocity, held = np.zeros_like(hits), np.full(len(form.steps), -1)
        voice_of, kinds = to_kit(kit), zip(form.numerator.tolist(), form.denominator.tolist(), strict=True)
        before, so_far = None, 0
        for bar, (groove, kind) in enumerate(zip(grooves, kinds, strict=True)):
            so_far = so_far + 1 if groove is before else 0
            before = groove
            if groove is None:
                continue
            own = groove.fitted(*kind).bar(so_far)
            own = own._replace(key=voice_of[own.key])
            own = own.select((own.key >= 0) & (own.step < form.steps[bar]))
            own = own if pieces is None else pieces.hits(own)
            at = bar, own.step, own.key
            hits[at], velocity[at] = 1, own.velocity / 127
            held[bar] = so_far
        return GrooveRows(hits, velocity, held, firm)

    @staticmethod
    def none(form: Form, kit: Kit) -> GrooveRows:
        """No groove in any bar."""
        return GrooveRows.of([None] * len(form.steps), form, kit)

    def between(self, first: int, stop: int) -> dict[str, FloatArray]:
        """What a model that hears grooves is given of bars [first, stop), by the names that graphs have for it."""
        held = (self.held[first:stop, None] >= 0).astype(np.float32)
        return {"groove": self.velocity[first:stop], "grooved": held}
