"""The task of making audio loops on a small computer: a GAN over codes of slices.

    drums -> bars -> loops on several kits -> codes -> two nets -> loop.onnx

    python -m seq2drum.learn.generators.loops --data FOLDER -o runs/loop --minutes 20

The loss is the logistic one that does not saturate (I. Goodfellow et al., Generative adversarial nets, 2014), with the
gradient penalty R1 on real codes every fourth step (L. Mescheder et al., Which training methods for GANs do actually
converge?, 2018) and decreasing noise on the inputs of the critic (C. Sonderby et al., Amortised
MAP inference for image super-resolution, 2017).
"""

from __future__ import annotations

import copy
import math
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.data.drums import beats
from seq2drum.data.drums.beats import Beats
from seq2drum.data.drums.loops import Loops, has_sound, loops_of, read_loops
from seq2drum.lattice.patterns import SLICE, SLICES
from seq2drum.learn.generators import generating, looping
from seq2drum.learn.generators.looping import LoopBatch, LoopTask
from seq2drum.learn.run import command, loop
from seq2drum.learn.run.runs import BEST
from seq2drum.learn.run.task import StepContext, StepResult
from seq2drum.models.base import Graph
from seq2drum.music.notes import IntArray
from seq2drum.play.generators.composer import WISHES
from seq2drum.play.generators.loops import KIND
from seq2drum.show import sound

_SLOPE = 0.2  # of leaky rectifiers
_GROUP = 8  # loops compared with each other
_STRETCH = 4  # factor on codes before the logarithm that the critic also gets


@dataclass(frozen=True)
class Config:
    """Sizes of a loop generator and its critic. kits: number of kits. wish: size of a wish."""

    kits: int
    wish: int
    noise: int = 64
    components: int = 96
    channels: int = 160
    critic: int = 128

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


class Generator(nn.Module):
    """A generator of loops. basis (SLICE, C): waveforms; scale (C,): their amplitudes for a code of 1."""

    basis: Tensor
    scale: Tensor

    def __init__(self, config: Config, basis: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.config, wide = config, config.channels
        # Half precision: 11 bits suffice for waveforms that are 1 % off anyway.
        self.register_buffer("basis", basis.half())
        self.register_buffer("scale", scale)
        self.opening = nn.Linear(config.noise + config.kits + config.wish, wide * SLICES)
        self.place = nn.Parameter(0.2 * torch.randn(wide, SLICES))
        self.blocks = nn.Sequential(*(_Block(wide, normed=True) for _ in range(3)))
        self.out = nn.Conv1d(wide, config.components, 1)

    def codes(self, noise: Tensor, kit: Tensor, wish: Tensor) -> Tensor:
        """(n, C, T) of noise (n, noise), kits (n, kits) and wishes (n, wish)."""
        opened = self.opening(torch.cat([noise, kit, wish], 1)).unflatten(1, (-1, SLICES))  # (n, H, T)
        codes: Tensor = self.out(functional.leaky_relu(self.blocks(opened + self.place), _SLOPE))
        return codes

    def forward(self, noise: Tensor, kit: Tensor, wish: Tensor) -> Tensor:
        """(n, T, SLICE): the samples."""
        codes = self.codes(noise, kit, wish) * self.scale[:, None]
        slices: Tensor = codes.transpose(1, 2) @ self.basis.to(codes.dtype).T
        return slices


class Critic(nn.Module):
    """A critic of codes (n, C, T) for their kit and wish: (n,), above 0 for real.

    n is a multiple of 8: the deviation inside groups of 8 exposes sameness (T. Karras et al., Progressive growing of
    GANs, 2018). Kit and wish enter by a projection (T. Miyato, M. Koyama, cGANs with projection
    discriminator, 2018).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        wide = config.critic
        self.opening = nn.Conv1d(2 * config.components, wide, 1)
        self.blocks = nn.Sequential(_Block(wide, normed=False), _Block(wide, normed=False))
        self.summary = nn.Linear(wide * SLICES + 2 * wide + 1, wide)
        self.out = nn.Linear(wide, 1)
        self.asked = nn.Linear(config.kits + config.wish, wide)

    def forward(self, codes: Tensor, kit: Tensor, wish: Tensor) -> Tensor:
        seen = torch.cat([codes, torch.log1p(_STRETCH * codes.abs())], 1)
        thought = self.blocks(self.opening(seen))  # (n, H, T)
        flat = functional.leaky_relu(thought, _SLOPE).flatten(1)
        row = torch.cat([flat, thought.mean(2), thought.std(2)], 1)
        apart = (row.view(-1, _GROUP, row.shape[1]).var(1, unbiased=False) + 1e-6).sqrt().mean(1)
        row = torch.cat([row, apart.repeat_interleave(_GROUP)[:, None]], 1)
        point = functional.leaky_relu(self.summary(row), _SLOPE)
        fit = (point * self.asked(torch.cat([kit, wish], 1))).sum(1) / math.sqrt(point.shape[1])
        score: Tensor = self.out(point)[:, 0] + fit
        return score


class _Block(nn.Module):
    """A residual block over the slices, circular in time."""

    def __init__(self, wide: int, *, normed: bool) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, wide) if normed else nn.Identity()
        self.first, self.second = (nn.Conv1d(wide, wide, 3, padding=1, padding_mode="circular") for _ in range(2))

    def forward(self, seen: Tensor) -> Tensor:
        inner = self.first(functional.leaky_relu(self.norm(seen), _SLOPE))
        added: Tensor = seen + self.second(functional.leaky_relu(inner, _SLOPE))
        return added


def principal(slices: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """The basis (SLICE, C) and the scale (C,) of slices (m, SLICE), by principal components.

    The scale is the root of the codes' deviation, halfway between whitening and none.
    """
    _, vectors = torch.linalg.eigh(slices.T @ slices / len(slices))
    basis = vectors.flip(1)[:, :components].contiguous()
    deviation = (slices @ basis).std(0) + 1e-3
    return basis, 1.5 * (deviation * deviation.mean()).sqrt()


def graph(generator: Generator) -> Graph:
    """The graph to export."""
    config = generator.config
    inputs = {"noise": ("n", config.noise), "kit": ("n", config.kits), "wish": ("n", config.wish)}
    return Graph(generator, {**inputs}, {"slices": ("n", SLICES, SLICE)})


_GENERATOR, _CRITIC, _AVERAGE = "generator", "critic", "average"
_SETTLED = 0.6  # share of a run after which the noise is constant
_ANALYSED = 60_000  # slices for the principal components


@dataclass(frozen=True)
class Recipe(looping.Recipe):
    """The recipe of the GAN over codes.

    penalty: the weight of R1. every: steps between penalties. noise: deviation of the noise on codes, at the start and
    at the end; while it is large it hides soft sounds, so hats come last. components, channels: sizes of the nets.
    """

    penalty: float = 1.0
    every: int = 4
    noise: tuple[float, float] = (0.25, 0.04)
    components: int = Config.components
    channels: int = Config.channels


class SliceGan(LoopTask):
    """The task of the GAN over codes of slices."""

    architecture = "slices"
    recipe: Recipe
    generator: Generator
    average: Generator

    def __init__(self, loops: Loops, recipe: Recipe, say: Callable[[str], None]) -> None:
        super().__init__(loops, recipe, say)
        slices = self.learnt.sound.reshape(-1, SLICE)
        some = np.random.default_rng([recipe.seed, 9]).permutation(len(slices))[:_ANALYSED]
        basis, scale = principal(torch.from_numpy(slices[np.sort(some)].astype(np.float32)), recipe.components)
        config = Config(len(loops.kits), WISHES, components=len(scale), channels=recipe.channels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.generator = Generator(config, basis, scale)
            self.critic = Critic(config)
        self.average = copy.deepcopy(self.generator)
        self.codes = _codes(self.learnt, basis, scale)
        self.models = {_GENERATOR: self.generator, _CRITIC: self.critic, _AVERAGE: self.average}
        pairs = ((_GENERATOR, self.generator), (_CRITIC, self.critic))
        self.optimizers = {
            name: torch.optim.Adam(net.parameters(), recipe.rate, betas=(0.0, 0.9)) for name, net in pairs
        }

    def real(self, rows: IntArray) -> Tensor:
        """Their codes, (n, components, 16)."""
        return self.codes[torch.from_numpy(rows)]

    def step(self, batch: LoopBatch, context: StepContext) -> StepResult:
        real, kit, wish = (part.to(context.device) for part in batch)
        count, config = len(real), self.generator.config
        start, end = self.recipe.noise
        blur = start + (end - start) * min(self.share(context.progress) / _SETTLED, 1)
        # 1. The critic, of real and made codes in one pass.
        with torch.no_grad():
            made = self.generator.codes(torch.randn(count, config.noise, device=context.device), kit, wish)
        penalised = context.progress.step % self.recipe.every == 0
        seen = (real + blur * torch.randn_like(real)).requires_grad_(penalised)
        both = torch.cat([seen, made + blur * torch.randn_like(made)])
        scores = context.models[_CRITIC](both, kit.repeat(2, 1), wish.repeat(2, 1))
        criticism = functional.softplus(-scores[:count]).mean() + functional.softplus(scores[count:]).mean()
        loss = criticism
        if penalised:
            (slope,) = torch.autograd.grad(scores[:count].sum(), seen, create_graph=True)
            steep = slope.flatten(1).square().sum(1).mean()
            loss = criticism + self.recipe.every * self.recipe.penalty / 2 * steep
        context.update(_CRITIC, loss, most=math.inf)
        # 2. The generator, by the updated critic.
        codes = self.generator.codes(torch.randn(count, config.noise, device=context.device), kit, wish)
        fooled = functional.softplus(-self.critic(codes + blur * torch.randn_like(codes), kit, wish)).mean()
        context.update(_GENERATOR, fooled, most=math.inf)
        self.follow(context.progress.step)
        loops = int(context.total(torch.tensor(float(count), device=context.device)))
        return StepResult(loops, {_CRITIC: float(criticism.detach()), _GENERATOR: float(fooled.detach())})

    def graph(self) -> Graph:
        return graph(self.average)


def _codes(loops: Loops, basis: Tensor, scale: Tensor) -> Tensor:
    """(n, components, 16): the codes of loops."""
    codes = torch.empty(len(loops.kit), basis.shape[1], SLICES)
    for at in range(0, len(codes), 256):
        slices = torch.from_numpy(loops.sound[at : at + 256].astype(np.float32)).view(-1, SLICES, SLICE)
        codes[at : at + 256] = ((slices @ basis) / scale).transpose(1, 2)
    return codes


# --- the command ------------------------------------------------------------------------------------------------------


def rendered(drums: Beats, soundfont: Path | None = None, *, seed: int = 0) -> Loops:
    """Bars of drums as loops, on the kits of a soundfont.

    Raises:
        CorpusError: there are no bars to make loops of.
        MissingExtraError, OptionError: see `show.fluidsynth.find`.
    """
    synthesiser = sound.find(soundfont)
    kits = sound.kits_of(synthesiser)
    return loops_of(drums, sound.one_shots(synthesiser, list(kits)), list(kits.values()), seed)


def read(folders: Sequence[Path], soundfont: Path | None, seed: int, say: Callable[[str], None]) -> Loops:
    """Loops from sound files in some folders, or else from drum files on the kits of a soundfont.

    Raises:
        CorpusError: nothing to learn from.
        MissingExtraError, OptionError: see `show.fluidsynth.find`.
    """
    if any(has_sound(folder) for folder in folders):
        return read_loops(folders, say)
    return rendered(beats.read(folders), soundfont, seed=seed)


def material(folders: Sequence[Path], say: Callable[[str], None]) -> Loops:
    """The loops of some folders, with MIDI drums on the best soundfont of this machine; see `read`."""
    return read(folders, None, 0, say)


def train(
    name: str,
    task: Callable[[Loops, Any, Callable[[str], None]], LoopTask],
    recipe: Callable[..., looping.Recipe],
    arguments: Sequence[str] | None,
) -> int:
    """Train a loop maker on folders of drums or loops; return the exit code. name: of its module."""

    def add(parser: ArgumentParser) -> None:
        generating.add_options(parser, "drums as MIDI, or loops")
        parser.add_argument(
            "--kit", type=Path, metavar="FILE.sf2", help="the soundfont that drums in MIDI are played on"
        )

    def trained(options: Namespace) -> Path:
        loops = read(options.data, options.kit, options.seed, command.say)
        work = task(loops, recipe(**generating.recipe_of(options)), command.say)
        about = generating.about(KIND, options.data)
        return loop.train(work, options.out, resume=options.resume, about=about).folder / BEST

    return command.run(f"seq2drum.learn.generators.{name}", "Train a maker of audio loops.", add, trained, arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the GAN over codes on folders of drums or loops."""
    return train("loops", SliceGan, Recipe, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
