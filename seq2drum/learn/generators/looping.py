"""Shared parts of the tasks that make audio loops: batches, validation, and the checkpoint folder.

Letters of shapes: n loops.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seq2drum.data.drums.loops import Loops
from seq2drum.errors import CorpusError
from seq2drum.judge.loops import COPIED, Features, Likeness, distance, novelty, spectrogram
from seq2drum.lattice.patterns import FRAMES, RATE, SLICE, SLICES, Samples
from seq2drum.learn.generators import generating
from seq2drum.learn.generators.generating import batches, parameters, status_line, wishes_of
from seq2drum.learn.run.task import Logger, Progress, Scalars, Task
from seq2drum.models.base import Graph, write_graph
from seq2drum.models.checkpoint import describe, with_figures
from seq2drum.music.choices import GENRES
from seq2drum.music.notes import IntArray
from seq2drum.play.generators.loops import FILES, FORMAT, GRAPH, KIND, LoopMaker

DISTANCE = "frechet"
_JUDGED = 400  # loops to validate with, made and real
_SHOWN = 8  # loops that TensorBoard shows
_FEWEST = 8  # loops that the critic compares in a group


@dataclass(frozen=True)
class Recipe(generating.Recipe):
    """The recipe of a loop maker. batch: loops, a multiple of 8. hidden_genres: share of loops without a genre."""

    rate: float = 2e-4
    batch: int = 32
    hidden_genres: float = 0.15


class LoopBatch(NamedTuple):
    """A batch of loops. real: sound or codes, n first. kit (n, kits): one-hot. wish (n, WISHES)."""

    real: Tensor
    kit: Tensor
    wish: Tensor


class LoopTask(Task[IntArray, LoopBatch]):
    """A task of making loops, validated by their distance to real ones.

    Real loops are those of the validation side, or of the train side if hardly any are there.

    say: called with a line at each validation. A subclass has `generator`, its running mean `average`, the models and
    optimisers, and the step.

    Raises:
        CorpusError: too few loops to learn from.
    """

    unit = "loops"
    criterion = DISTANCE
    architecture: str
    recipe: Recipe
    generator: nn.Module
    average: nn.Module

    def __init__(self, loops: Loops, recipe: Recipe, say: Callable[[str], None]) -> None:
        self.recipe, self.say, self.kits = recipe, say, loops.kits
        self.learnt, unseen = loops.of_side("train"), loops.of_side("validation")
        if len(self.learnt.kit) < _FEWEST:
            raise CorpusError(f"there are {len(self.learnt.kit)} loops to learn from; wanted {_FEWEST} or more")
        if len(unseen.kit) < _FEWEST:
            unseen = self.learnt
        self.batch = min(recipe.batch, len(self.learnt.kit) // _FEWEST * _FEWEST)
        rng = np.random.default_rng([recipe.seed, 7])
        few = rng.permutation(len(self.learnt.kit))[: 2 * _JUDGED]
        self.judged = unseen.select(rng.permutation(len(unseen.kit))[:_JUDGED])
        self.likeness = Likeness.of(self.learnt.sound[few])
        self.wanted: Features = self.likeness.rows(self.judged.sound)
        self.wish = wishes_of(self.learnt.genre, self.learnt.bpm, self.learnt.fill)

    def epoch(self, number: int, processes: int) -> list[IntArray]:
        """All loops once, in random order; an incomplete last batch is dropped."""
        order = np.random.default_rng([self.recipe.seed, 1, number]).permutation(len(self.learnt.kit))
        whole = order[: max(len(order) // self.batch * self.batch, 0)]
        return batches(whole, self.batch * processes)

    def prepare(self, item: IntArray, epoch: int, index: int, *, rank: int, processes: int) -> LoopBatch:
        rng = np.random.default_rng([self.recipe.seed, 2, epoch, index])
        hidden = (rng.random(len(item)) < self.recipe.hidden_genres)[rank::processes]
        rows = item[rank::processes]
        wanted = self.wish[rows].copy()
        wanted[hidden, : len(GENRES)] = 0
        return LoopBatch(self.real(rows), one_hot(self.learnt.kit[rows], len(self.kits)), torch.from_numpy(wanted))

    @abstractmethod
    def real(self, rows: IntArray) -> Tensor:
        """The critic's input for real loops of some rows."""

    def share(self, progress: Progress) -> float:
        """The share of the run that is done, 0..1."""
        recipe = self.recipe
        if recipe.minutes is not None:
            return min(progress.seconds / (60 * recipe.minutes), 1.0)
        return min(progress.step / recipe.steps if recipe.steps else progress.epoch / recipe.epochs, 1.0)

    def rate(self, optimizer: str, step: int, share: float) -> float:
        """The constant rate: a falling one does not help a GAN."""
        return self.recipe.rate

    def follow(self, step: int, most: float = 0.998) -> None:
        """Update the running mean, with a faster decay at the start."""
        kept = min(most, 1 - 1 / (step / 10 + 1))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(now, 1 - kept)

    # --- the distance to real loops ----------------------------------------------------------------------------------

    def made(self, loops: Loops) -> Samples:
        """(n, FRAMES): as many made loops, with the kits and wishes of the given ones."""
        rng, device = np.random.default_rng([self.recipe.seed, 8]), next(self.average.parameters()).device
        noise = torch.from_numpy(rng.standard_normal((len(loops.kit), self.graph().inputs["noise"][1]), np.float32))  # type: ignore[arg-type]
        wanted = torch.from_numpy(wishes_of(loops.genre, loops.bpm, loops.fill))
        inputs = noise, one_hot(loops.kit, len(self.kits)), wanted
        self.average.eval()
        pieces = [
            self.average(*(part[at : at + 50].to(device) for part in inputs)).cpu() for at in range(0, len(noise), 50)
        ]
        return torch.cat(pieces).numpy().reshape(-1, FRAMES)

    @torch.no_grad()
    def validate(self) -> Scalars:
        """The Frechet distance between real loops and made ones with their kits and wishes."""
        made = self.made(self.judged)
        if not np.isfinite(made).all():
            return {}
        return {DISTANCE: distance(self.likeness.rows(made), self.wanted)}

    @torch.no_grad()
    def show(self, progress: Progress, logger: Logger | None, *, last: bool) -> None:
        """Report the progress; log pictures and sound of a few loops."""
        self.say(status_line(self, progress))
        if logger is None:
            return
        made = self.made(self.judged.select(np.arange(min(_SHOWN, len(self.judged.kit)))))
        logger.add_image("loops/made", picture(made), progress.seen, dataformats="HW")
        logger.add_audio("loops/made", made.reshape(1, -1).clip(-1, 1), progress.seen, RATE)

    # --- saving ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def graph(self) -> Graph:
        """The graph to export: the running mean, from noise, kit and wish to slices."""

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write the checkpoint that `play.generators.loops` loads."""
        folder.mkdir(parents=True, exist_ok=True)
        graph = self.graph()
        self.average.eval()
        device = next(self.average.parameters()).device
        example = tuple(one.to(device) for one in graph.example())
        with torch.no_grad():
            write_graph(graph, example, folder / GRAPH, fold=False)
        config = {
            "kind": KIND,
            "format": FORMAT,
            "architecture": self.architecture,
            "noise": graph.inputs["noise"][1],
            "kits": list(self.kits),
            "parameters": parameters(self.average),
            "loops": len(self.learnt.kit),
            "tempos": [round(float(bpm), 1) for bpm in np.percentile(self.learnt.bpm, (1, 99))],
            **about,
        }
        write(config, folder)


def one_hot(kit: IntArray, kits: int) -> Tensor:
    """(n, kits): 1 at each loop's kit."""
    return torch.from_numpy(np.eye(kits, dtype=np.float32)[kit])


def picture(loops: Samples) -> NDArray[np.uint8]:
    """The mel spectrograms of loops below each other, low bands at the bottom, loud ones light."""
    bands = spectrogram(loops)[:, ::-1]
    bands = np.pad(bands, ((0, 0), (0, 2), (0, 0)), constant_values=bands.min()).reshape(-1, bands.shape[2])
    return np.asarray(255 * (bands - bands.min()) / max(np.ptp(bands), 1e-9), dtype=np.uint8)


# --- the folder -------------------------------------------------------------------------------------------------------


def write(config: Mapping[str, Any], folder: Path) -> None:
    """Write the description of a checkpoint: config.json, the card, the digests."""
    describe(folder, config, card(config), FILES)


def add_figures(folder: Path, measured: Mapping[str, str]) -> None:
    """Add measured figures, by name, to the folder of a loop maker."""
    write(with_figures(folder, measured), folder)


def card(config: Mapping[str, Any]) -> str:
    """The model card of a loop maker, from its `config.json`."""
    recipe, progress = config.get("recipe", {}), config.get("progress", {})
    lines = [
        f"# Model card: loop ({config['architecture']})",
        "",
        "It makes drum loops of one bar as sound, by genre, tempo and kit. `config.json` beside this page has every",
        "number.",
        "",
        "| what | value |",
        "|---|---|",
        f"| parameters | {config['parameters']:,} |",
        f"| loops learnt from | {config['loops']:,} of {SLICES} slices of {SLICE} samples, {RATE:,} a second |",
        f"| kits | {', '.join(config['kits'])} |",
        f"| seed, minutes | {recipe.get('seed')}, {progress.get('seconds', 0) / 60:.1f} |",
        *(f"| validation: {name} | {value:.4g} |" for name, value in progress.get("validation", {}).items()),
        *(f"| {name} | {value} |" for name, value in config.get("figures", {}).items()),
        "",
        "`frechet` is the Frechet distance of log-mel statistics of 400 made loops to as many real ones that were not",
        "learnt from. `--mode eval --write` sets it, and the novelty, beside those of real loops and of white noise.",
        "",
        "## Use and limits",
        "",
        "Mono, and nothing above 8 kHz. Tempos far from 117 are played by setting slices closer or wider.",
        "",
        "## Data",
        "",
        config.get("licence", "Whose music it was trained on, and under which licence, whoever trained it knows."),
        config.get("sound", "The sound is that of the soundfont that drums were played on, or of the loops given."),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


COUNT = 400
_LEAST = 8  # least number of loops of a side for figures


def figures(maker: LoopMaker, loops: Loops, split: str, *, count: int = COUNT, seed: int = 0) -> dict[str, float]:
    """Figures of at most `count` made loops, with the kits and wishes of as many real ones of a side.

    The Frechet distance of log-mel statistics to the real loops, beside those of training loops, of one half of the
    real loops to the other, and of white noise. The median novelty against all training loops and the share of copies,
    also for real loops.

    Raises:
        CorpusError: a side has too few loops, or their number of kits is not the maker's.
    """
    if len(loops.kits) != len(maker.kits):
        raise CorpusError(
            f"the loops are on {len(loops.kits)} kits, and the maker has {len(maker.kits)}:"
            f" {', '.join(maker.kits)}; name the folders that it learnt from, a kit each"
        )
    rng = np.random.default_rng([seed, 13])
    learnt, side = loops.of_side("train"), loops.of_side(split)
    if min(len(learnt.kit), len(side.kit)) < _LEAST:
        raise CorpusError(
            f"there are {len(learnt.kit)} loops to learn from and {len(side.kit)} on the {split} side, wanted at least"
            f" {_LEAST} of each; name more with --data"
        )
    real = side.select(rng.permutation(len(side.kit))[:count])
    some = learnt.select(rng.permutation(len(learnt.kit))[:count])
    made = made_by(maker, real, seed)
    likeness = Likeness.of(some.sound)
    wanted, half = likeness.rows(real.sound), len(real.kit) // 2
    noise = 0.1 * rng.standard_normal((half, FRAMES)).astype(np.float32)
    new, held = novelty(made, learnt.sound), novelty(real.sound.astype(np.float32), learnt.sound)
    return {
        "loops": len(made),
        "loops learnt from": len(learnt.kit),
        "Frechet distance": distance(likeness.rows(made), wanted),
        "of loops learnt from": distance(likeness.rows(some.sound), wanted),
        "of real halves": distance(wanted[:half], wanted[half:]),
        "of white noise": distance(likeness.rows(noise), wanted),
        "novelty": float(np.median(new)),
        "novelty of real loops": float(np.median(held)),
        "copies": float((new <= COPIED).mean()),
        "copies among real loops": float((held <= COPIED).mean()),
    }


def made_by(maker: LoopMaker, like: Loops, seed: int) -> Samples:
    """(n, FRAMES): made loops with the kits and wishes of real ones."""
    noise = np.random.default_rng([seed, 12]).standard_normal((len(like.kit), maker.noise), np.float32)
    wanted = wishes_of(like.genre, like.bpm, like.fill)
    inputs = {"noise": noise, "kit": one_hot(like.kit, len(like.kits)).numpy(), "wish": wanted}
    (slices,) = maker.graph.run(inputs)
    return np.asarray(slices.reshape(-1, FRAMES))


def lines(measured: dict[str, float]) -> list[str]:
    """Figures as lines of text."""
    return [f"{name:24} {value:.4g}" for name, value in measured.items()]
