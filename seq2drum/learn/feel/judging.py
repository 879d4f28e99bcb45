"""Figures of the feel beside human drummers: `python -m seq2drum.learn.feel.judging GROOVE_DIR`.

The test side of the Groove MIDI Dataset, which was never learnt from: its hits are stripped of velocity and timing and
humanised at 1, five performances each, styles given. Printed are, beside those of the drummers themselves: distinct
velocities, the spread of each voice's velocity and timing, over all recordings and within one (the median), the share
of ghost notes, how far off and how correlated velocities and moments are, and nats a hit, beside a baseline that knows
each voice's mean and spread. Then how long 128 bars take. With --train a feel is learnt first; then, and with
--write, the figures go into its folder.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.cache import load
from seq2drum.errors import Seq2DrumError
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import OFFSET_UNITS, Grid
from seq2drum.learn.feel import feel as feel_network
from seq2drum.learn.feel.feel import Recipe, add_figures, train
from seq2drum.learn.feel.recordings import Recording, recordings
from seq2drum.music.kit import FULL
from seq2drum.play.feel.feel import MOMENT, PLAYED, SET, SHIPPED, Expected, Feel, edges, realise
from seq2drum.play.feel.humanise import Performance

Array = NDArray[np.float64]
Figures = list[tuple[str, str]]  # a name, and its description
SEEDS = 5
ENOUGH = 200  # hits that a voice needs to be judged
SNARE = FULL.names.index("snare")
GHOST = 45  # a snare below this velocity is a ghost note
FLAT = 100  # the velocity of every hit of a stiff part
AMOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0)


def stiff(grid: Grid) -> Grid:
    """Return the hits at one velocity, on their steps."""
    return grid._replace(velocity=np.full_like(grid.velocity, FLAT), offset=np.zeros_like(grid.offset))


def milliseconds(one: Recording, offset: NDArray[np.int64]) -> Array:
    """Return the milliseconds from the steps to the hits."""
    low, high = edges(one.hits.step, one.form)
    late = offset / OFFSET_UNITS
    return np.clip(late / PLAYED * np.where(late < 0, -low, high), low, high)


def style_of(feel: Feel, one: Recording) -> str | None:
    """Return the style of a recording, if the feel knows it."""
    return one.style if one.style in feel.styles else None


class Baseline:
    """Each voice's mean and spread on the training side."""

    def __init__(self, recorded: Sequence[Recording]) -> None:
        voice = np.concatenate([one.hits.key for one in recorded])
        values = [
            np.concatenate([one.hits.velocity for one in recorded]).astype(float),
            np.concatenate([one.moments for one in recorded]),
        ]
        whole = np.stack([[kind.mean(), kind.std()] for kind in values])
        self.table = np.stack(
            [
                np.stack([[kind[voice == v].mean(), kind[voice == v].std()] for kind in values])
                if np.sum(voice == v) > 1
                else whole
                for v in range(SET)
            ]
        )  # (V, 2, 2)
        self.table[..., 1] = np.maximum(self.table[..., 1], 1e-3)  # a voice that never varies has a spread, too

    def draw(self, one: Recording, rng: np.random.Generator) -> tuple[Array, Array]:
        """Return a velocity and a moment of each hit."""
        mean, std = self.table[one.hits.key, :, 0].T, self.table[one.hits.key, :, 1].T
        velocity, moment = mean + std * rng.standard_normal(mean.shape)
        low, high = edges(one.hits.step, one.form)
        return np.clip(np.rint(velocity), 1, 127), np.clip(moment, low, high)

    def nats(self, one: Recording) -> tuple[Array, Array]:
        """For normal distributions, with their tails counted as in the model."""
        from torch import from_numpy
        from torch.special import ndtr

        def below(kind: int, value: NDArray[Any]) -> Array:
            mean, std = self.table[one.hits.key, kind].T
            share: Array = ndtr(from_numpy((value - mean) / std)).numpy()
            return share

        velocity, (low, high) = one.hits.velocity, edges(one.hits.step, one.form)
        above = np.where(velocity >= 127, 1, below(0, velocity + 0.5))
        under = np.where(velocity <= 1, 0, below(0, velocity - 0.5))
        mean, std = self.table[one.hits.key, 1].T
        dense = -0.5 * ((one.moments - mean) / std) ** 2 - np.log(std / MOMENT * np.sqrt(2 * np.pi))
        inside = below(1, high) - below(1, low)
        return -np.log(np.maximum(above - under, 1e-7)), np.log(np.maximum(inside, 1e-6)) - dense


def model_nats(one: Recording, expected: Expected) -> tuple[Array, Array]:
    """Return the nats of each hit's velocity and moment."""
    import torch

    def tensor(values: Any) -> torch.Tensor:
        return torch.from_numpy(np.asarray(values, dtype=np.float64))

    velocity = feel_network.velocity_nats(tensor(expected.velocity), tensor(one.hits.velocity))
    moment = feel_network.moment_nats(
        tensor(expected.moment), tensor(one.moments / MOMENT), tensor(expected.low), tensor(expected.high)
    )
    return velocity.numpy(), moment.numpy()


class Hits(NamedTuple):
    """The hits of all recordings, one recording after another.

    voice, recording: (N,) indices. velocity: 1 to 127. late: milliseconds from the step to the hit. gap: the same as a
    share of the gap between two steps. The last three are (N,) as the drummers played them, (SEEDS, N) as drawn.
    """

    voice: NDArray[np.int64]
    recording: NDArray[np.int64]
    velocity: Array
    late: Array
    gap: Array


class Fit(NamedTuple):
    """Velocity and moment of each hit, expected or drawn once (N,), and the mean nats a hit."""

    velocity: Array
    late: Array
    velocity_nats: float
    late_nats: float


def by_drummers(recorded: Sequence[Recording]) -> Hits:
    """Return the hits as the drummers played them."""
    return Hits(
        np.concatenate([one.hits.key for one in recorded]),
        np.repeat(np.arange(len(recorded)), [len(one.hits.step) for one in recorded]),
        np.concatenate([one.hits.velocity for one in recorded]).astype(float),
        np.concatenate([one.moments for one in recorded]),
        np.concatenate([one.hits.offset / OFFSET_UNITS for one in recorded]).clip(-0.5, 0.5),
    )


def by_feel(feel: Feel, recorded: Sequence[Recording]) -> Hits:
    """SEEDS performances of each recording; no two have the same seed."""
    columns: tuple[list[Array], ...] = ([], [], [])
    for index, one in enumerate(recorded):
        grids = [
            Performance(feel, one.form, seed=seed, style=style_of(feel, one)).play_all(stiff(one.hits))
            for seed in range(SEEDS * index, SEEDS * (index + 1))
        ]
        columns[0].append(np.stack([grid.velocity for grid in grids]).astype(float))
        columns[1].append(np.stack([milliseconds(one, grid.offset) for grid in grids]))
        columns[2].append(np.stack([grid.offset / OFFSET_UNITS for grid in grids]))
    voice, recording = by_drummers(recorded)[:2]
    return Hits(voice, recording, *(np.concatenate(column, axis=1) for column in columns))


def joined(rows: Sequence[Sequence[Array]]) -> Fit:
    """The velocity, the moment, and the nats of both for each recording; and the same for all recordings."""
    velocity, late, *nats = (np.concatenate(column) for column in zip(*rows, strict=True))
    return Fit(velocity, late, *(float(column.mean()) for column in nats))


def expectation(feel: Feel, recorded: Sequence[Recording]) -> Fit:
    """Return the expectation of the feel: the middle of each distribution."""
    rows = []
    for one in recorded:
        style = feel.styles.index(one.style) if one.style in feel.styles else -1
        expected = feel.expect(one.hits.step, one.hits.key, one.form, style)
        velocity, moment = realise(expected, np.full((2, len(one.hits.step)), 0.5))
        rows.append((velocity, moment * MOMENT, *model_nats(one, expected)))
    return joined(rows)


def noise(baseline: Baseline, recorded: Sequence[Recording]) -> Fit:
    """A draw of each voice's mean and spread."""
    rng = np.random.default_rng(0)
    return joined([(*baseline.draw(one, rng), *baseline.nats(one)) for one in recorded])


def distinct(values: Array) -> int:
    """Return the number of different values."""
    return len(np.unique(values))


def correlation(one: Array, other: Array) -> float:
    """Return Pearson's correlation."""
    return float(np.corrcoef(one, other)[0, 1])


def error(one: Array, other: Array) -> float:
    """The mean absolute difference."""
    return float(np.mean(np.abs(one - other)))


def within(values: Array, hits: Hits, voice: int) -> float:
    """The median over recordings, with 20 hits or more of a voice, of its spread."""
    spreads = []
    for recording in np.unique(hits.recording):
        mine = values[(hits.recording == recording) & (hits.voice == voice)]
        if len(mine) >= 20:
            spreads.append(float(np.std(mine)))
    return float(np.median(spreads)) if spreads else float("nan")


def distinct_line(drawn: Hits, real: Hits) -> str:
    """Distinct velocities of the first performances, beside the drummers'."""
    recordings = np.unique(real.recording)
    medians = [
        np.median([distinct(velocity[real.recording == recording]) for recording in recordings])
        for velocity in (drawn.velocity[0], real.velocity)
    ]
    return (
        f"distinct velocities: {distinct(drawn.velocity[0])} (drummers {distinct(real.velocity)}); in a recording, "
        f"median {medians[0]:.0f} ({medians[1]:.0f})"
    )


def by_voice(drawn: Hits, real: Hits) -> tuple[list[str], Array]:
    """A row for each voice that has ENOUGH hits, and (3,) how far the worst voice's spreads are from the drummers'.

    The three are the spreads of velocity, of milliseconds and of shares of the gap; 0.1 is 10 % more or less.
    """
    lines = [
        "| voice | hits | velocity, mean | spread | ratio | in a recording | ms, spread | ratio | in a recording "
        "| gaps, ratio |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    worst = np.zeros(3)
    for voice in range(SET):
        mine = real.voice == voice
        if mine.sum() < ENOUGH:
            continue
        ours = [np.std(values[:, mine]) for values in (drawn.velocity, drawn.late, drawn.gap)]
        theirs = [np.std(values[mine]) for values in (real.velocity, real.late, real.gap)]
        ratio = np.array(ours) / np.array(theirs)
        worst = np.maximum(worst, np.abs(ratio - 1))
        lines.append(
            f"| {FULL.voices[voice].name} | {mine.sum()} "
            f"| {drawn.velocity[:, mine].mean():.0f} ({real.velocity[mine].mean():.0f}) "
            f"| {ours[0]:.1f} ({theirs[0]:.1f}) | {ratio[0]:.2f} "
            f"| {within(drawn.velocity[0], real, voice):.1f} ({within(real.velocity, real, voice):.1f}) "
            f"| {ours[1]:.1f} ({theirs[1]:.1f}) | {ratio[1]:.2f} "
            f"| {within(drawn.late[0], real, voice):.1f} ({within(real.late, real, voice):.1f}) | {ratio[2]:.2f} |"
        )
    return lines, worst


def card(drawn: Hits, real: Hits, worst: Array, expected: Fit, plain: Fit, means: Sequence[Array]) -> Figures:
    """The figures that go into the feel's folder. means: each hit's voice's mean velocity and moment, (N,) each."""
    ghosts = [float(np.mean(hits.velocity[..., real.voice == SNARE] < GHOST)) for hits in (drawn, real)]
    sides = ((drawn.velocity, real.velocity), (drawn.late, real.late))
    correlations = [np.mean([correlation(row, true) for row in rows]) for rows, true in sides]
    errors = [np.mean([error(row, true) for row in rows]) for rows, true in sides]
    return [
        (f"spread of velocity, worst voice with {ENOUGH} hits", f"{worst[0]:.0%} off the drummers'"),
        ("spread of timing, worst voice", f"{worst[1]:.0%} off in ms, {worst[2]:.0%} in gaps"),
        (f"snares below {GHOST}", f"{ghosts[0]:.1%}; drummers {ghosts[1]:.1%}"),
        (
            "velocity: r with the drummer's",
            f"{correlations[0]:.2f} drawn, {correlation(expected.velocity, real.velocity):.2f} expected",
        ),
        (
            "moment: r with the drummer's",
            f"{correlations[1]:.2f} drawn, {correlation(expected.late, real.late):.2f} expected",
        ),
        (
            "velocity: mean error",
            f"{errors[0]:.1f} drawn (voice's mean and noise {error(plain.velocity, real.velocity):.1f}), "
            f"{error(expected.velocity, real.velocity):.1f} expected "
            f"(voice's mean {error(means[0], real.velocity):.1f})",
        ),
        (
            "moment: mean error, ms",
            f"{errors[1]:.1f} drawn (voice's mean and noise {error(plain.late, real.late):.1f}), "
            f"{error(expected.late, real.late):.1f} expected (voice's mean {error(means[1], real.late):.1f})",
        ),
        (
            "nats a hit: velocity",
            f"{expected.velocity_nats:.3f} (voice's mean and noise {plain.velocity_nats:.3f})",
        ),
        ("nats a hit: moment", f"{expected.late_nats:.3f} (voice's mean and noise {plain.late_nats:.3f})"),
    ]


def judge(feel: Feel, recorded: Sequence[Recording], baseline: Baseline) -> tuple[list[str], Figures]:
    """The figures as lines, and the ones for the card."""
    real, drawn = by_drummers(recorded), by_feel(feel, recorded)
    rows, worst = by_voice(drawn, real)
    means = [baseline.table[real.voice, kind, 0] for kind in range(2)]
    figures = card(drawn, real, worst, expectation(feel, recorded), noise(baseline, recorded), means)
    lines = [
        f"{len(recorded)} recordings, {len(real.voice)} hits, {SEEDS} performances of each",
        distinct_line(drawn, real),
        "",
        *rows,
        "",
        *(f"{what}: {value}" for what, value in figures),
        "",
        *by_amount(feel, recorded),
    ]
    return lines, figures


def by_amount(feel: Feel, recorded: Sequence[Recording]) -> list[str]:
    """The spreads at each amount, of hits that are stiff at first."""
    lines = ["| amount | spread of velocity | of timing, ms | distinct velocities |", "|---|---|---|---|"]
    for amount in AMOUNTS:
        played = [
            Performance(feel, one.form, amount=amount, seed=seed, style=style_of(feel, one)).play_all(stiff(one.hits))
            for seed, one in enumerate(recorded)
        ]
        velocity = np.concatenate([grid.velocity for grid in played])
        moment = np.concatenate([milliseconds(one, grid.offset) for one, grid in zip(recorded, played, strict=True)])
        lines.append(f"| {amount:g} | {velocity.std():.1f} | {moment.std():.1f} | {len(np.unique(velocity))} |")
    return lines


def speed(feel: Feel, folder: Path, recorded: Sequence[Recording]) -> str:
    """Return the time that 128 bars of a test recording take, the best of seven."""
    one = max(recorded, key=lambda one: len(one.form.steps))
    times = -(-128 // len(one.form.steps))
    columns: list[Any] = [np.tile(column, times)[:128] for column in one.form]
    form = Form(*columns)
    every = int(one.form.first[-1])
    step = np.concatenate([one.hits.step + every * index for index in range(times)])
    grid = Grid(step, *(np.tile(column, times) for column in one.hits[1:])).select(step < form.first[-1])
    taken = []
    for _ in range(7):
        begun = time.perf_counter()
        Performance(feel, form).play_all(grid)
        taken.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    Feel.load(folder)
    loading = time.perf_counter() - begun
    return f"128 bars, {len(grid.step)} hits: {1000 * min(taken):.0f} ms; loading: {1000 * loading:.0f} ms"


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge a feel, or train one and judge it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groove", type=Path, metavar="GROOVE_DIR")
    parser.add_argument("--feel", type=Path, default=SHIPPED, metavar="FOLDER")
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--train", type=Path, metavar="OUT")
    parser.add_argument("--write", action="store_true", help="write the figures into the feel's folder")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, metavar="CACHE", help="songs that accents are measured on")
    options = parser.parse_args(arguments)
    try:
        folder = options.feel
        if options.train:
            songs = load(options.corpus) if options.corpus else ()
            folder = options.train
            recipe = Recipe(minutes=options.minutes, seed=options.seed)
            train(options.groove, folder, recipe, corpus=songs, say=print)
        feel, recorded = Feel.load(folder), recordings(options.groove)
    except Seq2DrumError as fault:
        print(fault, file=sys.stderr)
        return 2
    judged = [one for one in recorded if one.split == options.split and len(one.hits.step)]
    lines, figures = judge(feel, judged, Baseline([one for one in recorded if one.split == "train"]))
    print("\n".join([*lines, "", speed(feel, folder, judged)]))
    if options.write or options.train:
        add_figures(folder, figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
