"""The playing outside 4/4: two figures by metre that the panel lacks.

    heads     of the steps with a strong hit (kick, snare, crash or a tom), the share that are heads of accent groups
    again     how far kick, snare and crash come again a bar later, as a correlation, less the same after four quarters:
              above 0 the bar is a bar, below 0 it is a 4/4 bar cut short or drawn out; nothing of 4/4 itself

They are summed over the bars of a metre: once for songs that never leave it, once for songs that do. Hit F1, fills and
density by metre are figures of the panel (`evaluation.BY_KIND`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.evaluate.auditions import Progress, tracked
from seq2drum.evaluate.evaluation import METRES, OTHER, Measure, measure_row
from seq2drum.judge import measures
from seq2drum.judge.intervals import over_sums
from seq2drum.judge.measures import VOICE, Vector
from seq2drum.judge.players import play_heard
from seq2drum.judge.trial import TOMS
from seq2drum.lattice.conditions import Drums, drums_of
from seq2drum.lattice.form import CHANGING, Form
from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER, TWELFTHS
from seq2drum.music.metres import groups
from seq2drum.play.decode.engine import Engine

STRONG = [VOICE[name] for name in ("kick", "snare", "crash")]
FOUR_QUARTERS = 4 * STEPS_PER_QUARTER

COLUMNS: Mapping[str, str] = {
    "heads": "share of the steps with a strong hit that are heads of accent groups",
    "again": "correlation of kick, snare and crash with the bar before, less that with four quarters before",
}


class Counts(NamedTuple):
    """Sums over the bars of a metre, from which all figures are computed."""

    bars: float = 0.0
    on_heads: float = 0.0
    strong: float = 0.0
    again: float = 0.0
    after_four: float = 0.0
    energy: float = 0.0

    @staticmethod
    def heads(sums: Vector) -> float:
        """The share of the strong steps that are heads of accent groups, of summed counts."""
        counts = Counts(*sums.tolist())
        return counts.on_heads / max(counts.strong, 1)

    @staticmethod
    def recurrence(sums: Vector) -> float:
        """The correlation with the bar before, less that with four quarters before, of summed counts."""
        counts = Counts(*sums.tolist())
        return (counts.again - counts.after_four) / max(counts.energy, 1e-9)


def heads_of(form: Form) -> NDArray[np.bool_]:
    """Return (T,): whether an accent group begins at each step."""
    begins_at = []
    for steps, numerator, denominator in zip(*(column.tolist() for column in form[:3]), strict=True):
        quarter, place = np.divmod(np.arange(steps), STEPS_PER_QUARTER)
        unit = 4 * TWELFTHS // denominator if denominator <= 4 * TWELFTHS else 1
        begins = [unit * size for size in accumulate((0, *groups(numerator, denominator)[:-1]))]
        begins_at.append(np.isin(quarter * TWELFTHS + PLACES[place], begins))
    return np.concatenate(begins_at)


def count(made: Drums, bars: NDArray[np.bool_]) -> Counts:
    """Return the counts of some bars (B,) of one length; the bars are joined."""
    made = measures.cut(made, bars)
    struck = made.velocity > 0
    strong = struck[:, [*STRONG, *TOMS]].any(axis=1)
    part = struck[:, STRONG] - struck[:, STRONG].mean(axis=0)

    def moved(lag: int) -> float:
        return float((part[lag:] * part[:-lag]).sum()) if lag < len(part) else 0.0

    return Counts(
        float(bars.sum()),
        float((strong & heads_of(made.form)).sum()),
        float(strong.sum()),
        moved(int(made.form.steps[0])),
        moved(FOUR_QUARTERS),
        float((part**2).sum()),
    )


def bars_by_metre(song: Prepared) -> dict[str, NDArray[np.bool_]]:
    """Return the bars (B,) of each metre that the real drummer plays, without those that a change cuts short."""
    form = song.guitar_grid.form
    counted = measures.judged_bars(drums_of(song.drums, form))
    bars_of = {}
    for metre in (name for name in METRES if name != OTHER):
        numerator, denominator = map(int, metre.split("/"))
        bars = counted & (form.numerator == numerator) & (form.denominator == denominator)
        bars &= form.steps == numerator * FOUR_QUARTERS // denominator
        if bars.sum() >= 2:
            bars_of[f"{metre} in songs that change" if form.metre == CHANGING else metre] = bars
    return bars_of


def metres(player: Engine, songs: Sequence[Prepared], seed: int, progress: Progress) -> list[Measure]:
    """The real drums, the most likely take and a sampled one by the metre of bars."""
    players: Mapping[str, float | None] = {"real drums": None, "most likely": 0.0, "sampled": 1.0}
    # 1. The counts of each song's bars, by the kind of bar and by player.
    counted: dict[str, dict[str, list[Counts]]] = {}
    for song in tracked(songs, "songs played", progress):
        made = {
            name: song.drums
            if temperature is None
            else play_heard(player, song.guitar_grid, seed=seed, temperature=temperature)
            for name, temperature in players.items()
        }
        for kind, bars in bars_by_metre(song).items():
            for name, grid in made.items():
                counts = count(drums_of(grid, song.guitar_grid.form), bars)
                counted.setdefault(kind, {}).setdefault(name, []).append(counts)
    # 2. Their sums over songs.
    rows = []
    for kind, by_player in sorted(counted.items()):
        for name, each in by_player.items():
            sums, reads = np.array(each), (Counts.heads, Counts.recurrence)
            figures = [over_sums(sums, read, np.random.default_rng([seed, 10])) for read in reads]
            known = figures[:1] if kind.startswith("4/4") else figures
            rows.append(measure_row(f"{kind}: {name}", len(each), COLUMNS, known, bars=int(sums[:, 0].sum())))
    return [Measure.of("By metre", "The bars that the real drummer plays.", COLUMNS, rows)]
