"""How human the feel is: `python bench/feel.py GROOVE_DIR [--feel FOLDER] [--train OUT --minutes M --corpus CACHE]`.

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
from typing import Any

import numpy as np
from machine import machine
from numpy.typing import NDArray

from seq2drum.data.cache import load
from seq2drum.errors import Seq2DrumError
from seq2drum.lattice.grid import OFFSET_UNITS, Grid
from seq2drum.learn import feel_network
from seq2drum.learn.feel import Recipe, add_figures, train
from seq2drum.learn.recordings import Recording, recordings
from seq2drum.music.kit import FULL
from seq2drum.play.feel import MOMENT, PLAYED, SET, SHIPPED, Expected, Feel, edges, realise
from seq2drum.play.humanise import Performance

Array = NDArray[np.float64]
SEEDS = 5
ENOUGH = 200  # hits of a voice that is judged
GHOST = 45
FLAT = 100
AMOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0)


def stiff(grid: Grid) -> Grid:
    return grid._replace(velocity=np.full_like(grid.velocity, FLAT), offset=np.zeros_like(grid.offset))


def milliseconds(one: Recording, offset: NDArray[np.int64]) -> Array:
    low, high = edges(one.hits.step, one.form)
    late = offset / OFFSET_UNITS
    return np.clip(late / PLAYED * np.where(late < 0, -low, high), low, high)


def style_of(feel: Feel, one: Recording) -> str | None:
    return one.style if one.style in feel.styles else None


class Baseline:
    """Each voice's mean and spread on the training side."""

    def __init__(self, found: Sequence[Recording]) -> None:
        voice = np.concatenate([one.hits.key for one in found])
        values = [
            np.concatenate([one.hits.velocity for one in found]).astype(float),
            np.concatenate([one.moments for one in found]),
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

    def draw(self, one: Recording, rng: np.random.Generator) -> tuple[Array, Array]:
        mean, std = self.table[one.hits.key, :, 0].T, self.table[one.hits.key, :, 1].T
        velocity, moment = mean + std * rng.standard_normal(mean.shape)
        low, high = edges(one.hits.step, one.form)
        return np.clip(np.rint(velocity), 1, 127), np.clip(moment, low, high)

    def nats(self, one: Recording) -> tuple[Array, Array]:
        """Of normal distributions, their ends counted as the model's are."""
        from torch import from_numpy
        from torch.special import ndtr

        def below(kind: int, value: Array) -> Array:
            mean, std = self.table[one.hits.key, kind].T
            found: Array = ndtr(from_numpy((value - mean) / std)).numpy()
            return found

        velocity, (low, high) = one.hits.velocity, edges(one.hits.step, one.form)
        above = np.where(velocity >= 127, 1, below(0, velocity + 0.5))
        under = np.where(velocity <= 1, 0, below(0, velocity - 0.5))
        mean, std = self.table[one.hits.key, 1].T
        dense = -0.5 * ((one.moments - mean) / std) ** 2 - np.log(std / MOMENT * np.sqrt(2 * np.pi))
        inside = below(1, high) - below(1, low)
        return -np.log(np.maximum(above - under, 1e-7)), np.log(np.maximum(inside, 1e-6)) - dense


def model_nats(one: Recording, expected: Expected) -> tuple[Array, Array]:
    import torch

    def tensor(values: Any) -> torch.Tensor:
        return torch.from_numpy(np.asarray(values, dtype=np.float64))

    velocity = feel_network.velocity_nats(tensor(expected.velocity), tensor(one.hits.velocity))
    moment = feel_network.moment_nats(
        tensor(expected.moment), tensor(one.moments / MOMENT), tensor(expected.low), tensor(expected.high)
    )
    return velocity.numpy(), moment.numpy()


def distinct(values: Array) -> int:
    return len(np.unique(values))


def within(values: Array, voice: NDArray[np.int64], name: NDArray[np.int64], which: int) -> float:
    """The median over recordings, with 20 hits or more of a voice, of its spread."""
    spreads = []
    for one in np.unique(name):
        mine = values[(name == one) & (voice == which)]
        if len(mine) >= 20:
            spreads.append(float(np.std(mine)))
    return float(np.median(spreads)) if spreads else float("nan")


def judge(feel: Feel, found: Sequence[Recording], baseline: Baseline) -> tuple[list[str], list[tuple[str, str]]]:
    """The figures as lines, and those that matter for the card."""
    rng = np.random.default_rng(0)
    voice = np.concatenate([one.hits.key for one in found])
    name = np.repeat(np.arange(len(found)), [len(one.hits.step) for one in found])
    gap = np.concatenate([one.hits.offset / OFFSET_UNITS for one in found]).clip(-0.5, 0.5)
    real = np.concatenate([one.hits.velocity for one in found]).astype(float)
    late = np.concatenate([one.moments for one in found])
    drawn: list[list[Array]] = [[], [], []]
    middle: list[list[Array]] = [[], []]
    plain: list[list[Array]] = [[], []]
    nats: list[list[Array]] = [[], [], [], []]
    for index, one in enumerate(found):
        for seed in range(SEEDS * index, SEEDS * (index + 1)):  # as many drummers as there are recordings
            played = Performance(feel, one.form, seed=seed, style=style_of(feel, one)).play_all(stiff(one.hits))
            drawn[0].append(played.velocity.astype(float))
            drawn[1].append(milliseconds(one, played.offset))
            drawn[2].append(played.offset / OFFSET_UNITS)
        style = feel.styles.index(one.style) if one.style in feel.styles else -1
        expected = feel.expect(one.hits.step, one.hits.key, one.form, style)
        velocity, moment = realise(expected, np.full((2, len(one.hits.step)), 0.5))
        middle[0].append(velocity)
        middle[1].append(moment * MOMENT)
        for row, values in enumerate(baseline.draw(one, rng)):
            plain[row].append(values)
        for row, values in enumerate((*model_nats(one, expected), *baseline.nats(one))):
            nats[row].append(values)
    # (SEEDS, N) each, recordings in order
    sizes = [len(one.hits.step) for one in found]
    stacked = [
        np.concatenate([np.stack(kind[SEEDS * index : SEEDS * (index + 1)]) for index in range(len(sizes))], axis=1)
        for kind in drawn
    ]
    centre = [np.concatenate(kind) for kind in middle]
    noise = [np.concatenate(kind) for kind in plain]
    cost = [float(np.concatenate(kind).mean()) for kind in nats]
    means = [baseline.table[voice, kind, 0] for kind in range(2)]
    lines = [
        f"{len(found)} recordings, {len(voice)} hits, {SEEDS} performances of each",
        f"distinct velocities: {distinct(stacked[0][0])} (drummers {distinct(real)}); in a recording, median "
        f"{np.median([distinct(stacked[0][0][name == n]) for n in range(len(found))]):.0f} "
        f"({np.median([distinct(real[name == n]) for n in range(len(found))]):.0f})",
        "",
        "| voice | hits | velocity, mean | spread | ratio | in a recording | ms, spread | ratio | in a recording "
        "| gaps, ratio |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    worst = {"velocity": 0.0, "ms": 0.0, "gaps": 0.0}
    for which in range(SET):
        mine = voice == which
        if mine.sum() < ENOUGH:
            continue
        ratios = []
        for mocked, true in ((stacked[0], real), (stacked[1], late), (stacked[2], gap)):
            ratios.append(float(np.std(mocked[:, mine]) / np.std(true[mine])))
        for kind, ratio in zip(worst, ratios, strict=True):
            worst[kind] = max(worst[kind], abs(ratio - 1))
        lines.append(
            f"| {FULL.voices[which].name} | {mine.sum()} | {stacked[0][:, mine].mean():.0f} ({real[mine].mean():.0f}) "
            f"| {np.std(stacked[0][:, mine]):.1f} ({np.std(real[mine]):.1f}) | {ratios[0]:.2f} "
            f"| {within(stacked[0][0], voice, name, which):.1f} ({within(real, voice, name, which):.1f}) "
            f"| {np.std(stacked[1][:, mine]):.1f} ({np.std(late[mine]):.1f}) | {ratios[1]:.2f} "
            f"| {within(stacked[1][0], voice, name, which):.1f} ({within(late, voice, name, which):.1f}) "
            f"| {ratios[2]:.2f} |"
        )
    snare = voice == 1
    ghosts = float(np.mean(stacked[0][:, snare] < GHOST)), float(np.mean(real[snare] < GHOST))

    def r(one: Array, other: Array) -> float:
        return float(np.corrcoef(one, other)[0, 1])

    def mae(one: Array, other: Array) -> float:
        return float(np.mean(np.abs(one - other)))

    drawn_r = [np.mean([r(row, true) for row in rows]) for rows, true in zip(stacked[:2], (real, late), strict=True)]
    drawn_mae = [
        np.mean([mae(row, true) for row in rows]) for rows, true in zip(stacked[:2], (real, late), strict=True)
    ]
    figures = [
        (f"spread of velocity, worst voice with {ENOUGH} hits", f"{worst['velocity']:.0%} off the drummers'"),
        ("spread of timing, worst voice", f"{worst['ms']:.0%} off in ms, {worst['gaps']:.0%} in gaps"),
        (f"snares below {GHOST}", f"{ghosts[0]:.1%}; drummers {ghosts[1]:.1%}"),
        ("velocity: r with the drummer's", f"{drawn_r[0]:.2f} drawn, {r(centre[0], real):.2f} expected"),
        ("moment: r with the drummer's", f"{drawn_r[1]:.2f} drawn, {r(centre[1], late):.2f} expected"),
        (
            "velocity: mean error",
            f"{drawn_mae[0]:.1f} drawn (voice's mean and noise {mae(noise[0], real):.1f}), "
            f"{mae(centre[0], real):.1f} expected (voice's mean {mae(means[0], real):.1f})",
        ),
        (
            "moment: mean error, ms",
            f"{drawn_mae[1]:.1f} drawn (voice's mean and noise {mae(noise[1], late):.1f}), "
            f"{mae(centre[1], late):.1f} expected (voice's mean {mae(means[1], late):.1f})",
        ),
        ("nats a hit: velocity", f"{cost[0]:.3f} (voice's mean and noise {cost[2]:.3f})"),
        ("nats a hit: moment", f"{cost[1]:.3f} (voice's mean and noise {cost[3]:.3f})"),
    ]
    lines += ["", *(f"{what}: {value}" for what, value in figures), "", *by_amount(feel, found)]
    return lines, figures


def by_amount(feel: Feel, found: Sequence[Recording]) -> list[str]:
    """The spreads at each amount, of hits that are stiff at first."""
    lines = ["| amount | spread of velocity | of timing, ms | distinct velocities |", "|---|---|---|---|"]
    for amount in AMOUNTS:
        played = [
            Performance(feel, one.form, amount=amount, seed=seed, style=style_of(feel, one)).play_all(stiff(one.hits))
            for seed, one in enumerate(found)
        ]
        velocity = np.concatenate([grid.velocity for grid in played])
        moment = np.concatenate([milliseconds(one, grid.offset) for one, grid in zip(found, played, strict=True)])
        lines.append(f"| {amount:g} | {velocity.std():.1f} | {moment.std():.1f} | {len(np.unique(velocity))} |")
    return lines


def speed(feel: Feel, folder: Path, found: Sequence[Recording]) -> str:
    """How long 128 bars of a test recording take, the best of seven."""
    one = max(found, key=lambda one: len(one.form.steps))
    times = -(-128 // len(one.form.steps))
    form = type(one.form)(*(np.tile(column, times)[:128] for column in one.form))
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
        feel, found = Feel.load(folder), recordings(options.groove)
    except Seq2DrumError as error:
        print(error, file=sys.stderr)
        return 2
    judged = [one for one in found if one.split == options.split and len(one.hits.step)]
    lines, figures = judge(feel, judged, Baseline([one for one in found if one.split == "train"]))
    print("\n".join([machine(), *lines, "", speed(feel, folder, judged)]))
    if options.write or options.train:
        add_figures(folder, figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
