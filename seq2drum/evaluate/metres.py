"""The playing outside 4/4: two figures by metre that the panel lacks.

    heads     of the steps with a strong hit (kick, snare, crash or a tom), the share that are heads of accent groups
    again     how far kick, snare and crash come again a bar later, as a correlation, less the same after four quarters:
              above 0 the bar is a bar, below 0 it is a 4/4 bar cut short or drawn out; nothing of 4/4 itself

They are summed over the bars of a metre: once for songs that never leave it, once for songs that do. Hit F1, fills and
density by metre are figures of the panel (`evaluation.BY_KIND`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.evaluate.evaluation import METRES, OTHER
from seq2drum.judge import measures
from seq2drum.judge.players import play_heard
from seq2drum.lattice.conditions import Drums, drums_of
from seq2drum.lattice.form import CHANGING, Form
from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER, TWELFTHS, Grid
from seq2drum.music import metres
from seq2drum.music.kit import NINE
from seq2drum.play.decode.engine import Engine

STRONG = [NINE.names.index(name) for name in ("kick", "snare", "crash")]
TOMS = [index for index, name in enumerate(NINE.names) if name.endswith(" tom")]
FOUR_QUARTERS = 4 * STEPS_PER_QUARTER

Play = Callable[[Prepared], Grid]


class Counts(NamedTuple):
    """Sums over the bars of a metre: all figures are made of them."""

    bars: float = 0.0
    on_heads: float = 0.0
    strong: float = 0.0
    again: float = 0.0
    after_four: float = 0.0
    energy: float = 0.0

    def plus(self, other: Counts) -> Counts:
        """Return both together."""
        return Counts(*(one + more for one, more in zip(self, other, strict=True)))

    @property
    def heads(self) -> float:
        """The share of the strong steps that are heads of accent groups."""
        return self.on_heads / max(self.strong, 1)

    @property
    def recurrence(self) -> float:
        """The correlation with the bar before, less that with four quarters before."""
        return (self.again - self.after_four) / max(self.energy, 1e-9)


def heads_of(form: Form) -> NDArray[np.bool_]:
    """Return (T,): whether an accent group begins at each step."""
    begins_at = []
    for steps, numerator, denominator in zip(*(column.tolist() for column in form[:3]), strict=True):
        quarter, place = np.divmod(np.arange(steps), STEPS_PER_QUARTER)
        unit = 4 * TWELFTHS // denominator if denominator <= 4 * TWELFTHS else 1
        begins = [unit * size for size in accumulate((0, *metres.groups(numerator, denominator)[:-1]))]
        begins_at.append(np.isin(quarter * TWELFTHS + PLACES[place], begins))
    return np.concatenate(begins_at)


def count(made: Drums, bars: NDArray[np.bool_]) -> Counts:
    """Return the counts of some bars (B,) of one length; the bars are joined."""
    made = measures.cut(made, bars)
    struck = made.velocity > 0
    strong = struck[:, STRONG + TOMS].any(axis=1)
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
    """Return the bars (B,) of each metre that the real drummer plays, those that a change cuts short left out."""
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


def totals_of(songs: Sequence[Prepared], players: Mapping[str, Play]) -> dict[str, tuple[int, dict[str, Counts]]]:
    """Return, for the bars of each kind, in how many songs they are, and the counts of every player."""
    totals: dict[str, tuple[int, dict[str, Counts]]] = {}
    for song in songs:
        made = {name: drums_of(play(song), song.guitar_grid.form) for name, play in players.items()}
        for kind, bars in bars_by_metre(song).items():
            many, sums = totals.get(kind, (0, {}))
            totals[kind] = (
                many + 1,
                {name: sums.get(name, Counts()).plus(count(part, bars)) for name, part in made.items()},
            )
    return totals


def metres_table(player: Engine, songs: Sequence[Prepared], seed: int) -> Iterator[str]:
    """Yield the lines of a table: the real drums, the most likely take and a sampled one by the metre of bars."""

    def playing(temperature: float) -> Play:
        return lambda song: play_heard(player, song.guitar_grid, seed=seed, temperature=temperature)

    players: dict[str, Play] = {
        "real drums": lambda song: song.drums,
        "most likely": playing(0.0),
        "sampled": playing(1.0),
    }
    yield "| metre | songs | bars | player | heads | again |\n|---|---|---|---|---|---|"
    for kind, (many, sums) in sorted(totals_of(songs, players).items()):
        for name, counts in sums.items():
            again = "" if kind.startswith("4/4") else f"{counts.recurrence:+.2f}"
            yield f"| {kind} | {many} | {counts.bars:.0f} | {name} | {counts.heads:.0%} | {again} |"
