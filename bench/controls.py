"""What each control moves: `python bench/controls.py [SONG ...] [--model NAME|DIR] [--seeds N] [--bars N]`.

Every song is played with each control at five settings, all others being left alone, and what the drums do is counted.
Two tables are printed. The first has, for each control, what its own statistic is at the five settings (mean over songs
and seeds), Spearman's rank correlation of settings and means, and its mean over songs. The second has what every
statistic gains from the lowest to the highest setting of every control, as a share of what it gains by its own: all but
the diagonal should be small.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench.machine import machine
from seq2drum.errors import Seq2DrumError
from seq2drum.formats.midi import midi
from seq2drum.lattice import conditions
from seq2drum.lattice.conditions import PROMINENCE, drums_of, novelty, prominence_of
from seq2drum.lattice.form import Form, form_of, lattice_of
from seq2drum.lattice.grid import OFFSET_UNITS, PLACES, STEPS_PER_QUARTER, TWELFTHS, Grid, encode
from seq2drum.music import theory
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Part, Song
from seq2drum.play.checkpoint.folder import DEFAULT
from seq2drum.play.drummer import Drummer
from seq2drum.play.feel.loudness import swing_of
from seq2drum.play.options import Options

CONTROLS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "intensity": (0.1, 0.3, 0.5, 0.7, 0.9),
        "complexity": (0.1, 0.3, 0.5, 0.7, 0.9),
        "fills": (0.0, 0.25, 0.5, 0.75, 1.0),
        "humanize": (0.0, 0.25, 0.5, 0.75, 1.0),
        "swing": (0.0, 0.25, 0.5, 0.75, 1.0),
    }
)


class Counted(NamedTuple):
    """What is counted of a take; nan where it cannot be.

    intensity: strength of all hits of a quarter note together, a hit of velocity 127 being one. complexity: syncopation
    of kick, snare and toms, levels a quarter. fills: share of bars that stand out of those around them. humanize: mean
    distance of the hits from their places, milliseconds. swing: where off-beat eighths lie, as `--swing`.
    """

    intensity: float
    complexity: float
    fills: float
    humanize: float
    swing: float


def count(part: Part, song: Song) -> Counted:
    """Count what a drum part does, in the bars from its first hit to its last."""
    lattice = lattice_of(song)
    form, grid = form_of(song, lattice), encode(part, lattice, FULL)
    if not len(grid.step):
        return Counted(0.0, np.nan, np.nan, np.nan, np.nan)
    begin, end = (int(form.bar_of(grid.step[at : at + 1 or None])[0]) for at in (0, -1))
    grid = grid.shift(-form.first[begin])
    form = form.between(begin, end + 1)
    full, nine = drums_of(grid, form, FULL), drums_of(grid, form)
    quarters = float(np.sum(form.quarters))
    prominent = prominence_of(novelty(nine)) >= PROMINENCE
    swing = swing_of(grid, form)
    return Counted(
        float(full.velocity.sum()) / 127 / quarters,
        float(np.mean(conditions.pattern_syncopation(nine))),
        float(np.mean(prominent)),
        float(np.mean(np.abs(_late(grid, form)))),
        np.nan if swing is None else swing,
    )


def _late(grid: Grid, form: Form) -> NDArray[np.float64]:
    """(N,): how far each hit is from its place, in milliseconds."""
    bar = form.bar_of(grid.step)
    place = form.place_of(grid.step) % STEPS_PER_QUARTER
    gaps = np.diff(PLACES, append=TWELFTHS)
    gap = np.where(grid.offset < 0, gaps[place - 1], gaps[place])
    late: NDArray[np.float64] = grid.offset / OFFSET_UNITS * gap / TWELFTHS * 60_000 / form.bpm[bar]
    return late


class Moved(NamedTuple):
    """What the settings of one control did: values (songs, settings, statistics), means over seeds."""

    control: str
    settings: tuple[float, ...]
    values: NDArray[np.float64]

    @property
    def own(self) -> NDArray[np.float64]:
        """(songs, settings): the control's own statistic."""
        return self.values[:, :, Counted._fields.index(self.control)]

    @property
    def rank(self) -> float:
        """Spearman's correlation of the settings with the means over songs."""
        return spearman(np.array(self.settings), np.nanmean(self.own, axis=0))

    @property
    def rank_in_a_song(self) -> float:
        """The mean over songs of Spearman's correlation in each."""
        songs = [spearman(np.array(self.settings), row) for row in self.own if not np.isnan(row).any()]
        return float(np.mean(songs)) if songs else float("nan")

    @property
    def gain(self) -> NDArray[np.float64]:
        """(statistics,): what each gains from the lowest setting to the highest, mean over songs."""
        gain: NDArray[np.float64] = np.nanmean(self.values[:, -1] - self.values[:, 0], axis=0)
        return gain


def spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's rank correlation; ties share the mean of their ranks. 0 if all values are the same."""
    ranks = [np.array([np.mean(np.flatnonzero(np.sort(row) == value)) for value in row]) for row in (one, other)]
    spread = [float(np.std(rank)) for rank in ranks]
    if min(spread) == 0:
        return 0.0
    return float(np.mean((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean())) / (spread[0] * spread[1]))


def play(drummer: Drummer, song: Song, options: Options, bars: int | None) -> Counted:
    """Count what a take does in its first bars."""
    rows = [bar.part.rows for bar in islice(drummer.stream(song, options), bars)]
    return count(Part.of(np.concatenate(rows), is_drums=True), song)


def move(
    drummer: Drummer,
    songs: Sequence[Song],
    *,
    seeds: Sequence[int] = (0,),
    bars: int | None = None,
    controls: Iterable[str] = tuple(CONTROLS),
    base: Options | None = None,
    show: Callable[[str], None] = lambda text: None,
) -> list[Moved]:
    """Move the controls one by one, all else being `base`."""
    base = base or Options()

    def counted(song: Song, options: Options) -> NDArray[np.float64]:
        takes = [play(drummer, song, replace(options, seed=seed), bars) for seed in seeds]
        return np.array(takes, dtype=np.float64).mean(axis=0)

    moved = []
    for control in controls:
        show(control)
        settings = CONTROLS[control]
        asked: list[dict[str, Any]] = [{control: value} for value in settings]
        values = [[counted(song, replace(base, **change)) for change in asked] for song in songs]
        moved.append(Moved(control, settings, np.array(values)))
    return moved


def crosstalk(moved: Sequence[Moved]) -> NDArray[np.float64]:
    """(controls, controls): what the statistic of each (column) gains by each (row), as a share of its own gain."""
    own = [Counted._fields.index(one.control) for one in moved]
    gain = np.array([one.gain[own] for one in moved])
    shares: NDArray[np.float64] = gain / np.diag(gain)
    return shares


def lines(moved: Sequence[Moved]) -> list[str]:
    """The two tables, in Markdown."""
    rows = ["| control | its statistic at five settings | Spearman of the means | in a song |", "|---|---|---|---|"]
    for one in moved:
        means = ", ".join(f"{value:.2f}" for value in np.nanmean(one.own, axis=0))
        rows.append(f"| `--{one.control}` | {means} | {one.rank:.2f} | {one.rank_in_a_song:.2f} |")
    rows += ["", "| moved | " + " | ".join(one.control for one in moved) + " |", "|---" * (1 + len(moved)) + "|"]
    for one, shares in zip(moved, crosstalk(moved), strict=True):
        rows.append(f"| `--{one.control}` | {' | '.join(f'{share:+.2f}' for share in shares)} |")
    return rows


def songs_of(paths: Sequence[Path]) -> list[Song]:
    """The songs among the files that have a guitar."""
    songs = []
    for path in paths:
        try:
            song = midi.read(path)
            theory.guitar_parts(song)
        except Seq2DrumError:
            continue
        songs.append(song)
    return songs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", nargs="*", type=Path, help="MIDI files (default: the examples)")
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--bars", type=int, help="of each song only the first ones")
    parser.add_argument("--controls", nargs="+", default=list(CONTROLS), choices=list(CONTROLS))
    given = parser.parse_args()
    songs = songs_of(given.songs or sorted((ROOT / "examples").glob("*.mid")))
    print(f"{len(songs)} songs, {given.seeds} seeds, model {given.model}; {machine()}", flush=True)
    moved = move(
        Drummer.load(given.model),
        songs,
        seeds=range(given.seeds),
        bars=given.bars,
        controls=given.controls,
        show=lambda control: print(f"moving {control}", file=sys.stderr, flush=True),
    )
    print("\n".join(lines(moved)))


if __name__ == "__main__":
    main()
