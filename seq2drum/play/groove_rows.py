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
        rows = GrooveRows.empty(len(form.steps), int(form.steps.max()), kit, firm=firm)
        before, so_far, alike = None, 0, dict[tuple[int, ...], int]()
        metres = zip(form.numerator.tolist(), form.denominator.tolist(), form.steps.tolist(), strict=True)
        for bar, (groove, (*metre, steps)) in enumerate(zip(grooves, metres, strict=True)):
            so_far = so_far + 1 if groove is before else 0
            before = groove
            if groove is None:
                continue
            place = so_far % len(groove.fitted(*metre).bars)
            first = alike.setdefault((id(groove), *metre, steps, place), bar)
            if first == bar:
                rows.put(bar, groove, so_far, form.between(bar, bar + 1), kit, pieces)
            else:
                rows.hits[bar], rows.velocity[bar], rows.held[bar] = rows.hits[first], rows.velocity[first], so_far
        return rows

    @staticmethod
    def empty(bars: int, steps: int, kit: Kit, *, firm: bool = False) -> GrooveRows:
        """Rows for so many bars of at most so many steps, without any groove."""
        hits = np.zeros((bars, steps, len(kit)), dtype=np.float32)
        return GrooveRows(hits, np.zeros_like(hits), np.full(bars, -1), firm)

    def put(self, bar: int, groove: Groove, held: int, form: Form, kit: Kit, pieces: Pieces | None = None) -> None:
        """Put a groove that was held for so many bars before in a bar, whose form is given."""
        own = groove.fitted(int(form.numerator[0]), int(form.denominator[0])).bar(held)
        own = own._replace(key=to_kit(kit)[own.key])
        own = own.select((own.key >= 0) & (own.step < form.steps[0]))
        own = own if pieces is None else pieces.hits(own)
        at = bar, own.step, own.key
        self.hits[at], self.velocity[at] = 1, own.velocity / 127
        self.held[bar] = held

    @staticmethod
    def none(form: Form, kit: Kit) -> GrooveRows:
        """No groove in any bar."""
        return GrooveRows.of([None] * len(form.steps), form, kit)

    def part(self, first: int, stop: int, steps: int) -> GrooveRows:
        """Bars [first, stop), as far as they have so many steps."""
        here = np.s_[first:stop, :steps]
        return GrooveRows(self.hits[here], self.velocity[here], self.held[first:stop], self.firm)

    def between(self, first: int, stop: int) -> dict[str, FloatArray]:
        """What a model that hears grooves is given of bars [first, stop), by the names that graphs have for it."""
        held = (self.held[first:stop, None] >= 0).astype(np.float32)
        return {"groove": self.velocity[first:stop], "grooved": held}
