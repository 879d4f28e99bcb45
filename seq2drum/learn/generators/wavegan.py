"""The task of making audio loops sample by sample: a WaveGAN. It wants a GPU and a day.

    python -m seq2drum.learn.generators.wavegan --data FOLDER -o runs/wavegan --minutes 1440

The loss is that of I. Gulrajani et al., Improved training of Wasserstein GANs (2017): one penalty for each
loop. The critic steps five times for each step of the generator.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.data.drums.loops import Loops
from seq2drum.lattice.patterns import FRAMES, SLICE, SLICES
from seq2drum.learn.generators import looping
from seq2drum.learn.generators import loops as slice_loops
from seq2drum.learn.generators.looping import LoopBatch, LoopTask
from seq2drum.learn.run.task import StepContext, StepResult
from seq2drum.models.base import Graph
from seq2drum.music.notes import IntArray
from seq2drum.play.generators.composer import WISHES

_KERNEL, _STRIDE, _PADDING = 25, 4, 11
_FACTORS = (16, 8, 4, 2, 1)  # of the channels, from the shortest layer to the longest
_FIRST = FRAMES // _STRIDE ** len(_FACTORS)  # samples of the shortest
_SLOPE = 0.2


@dataclass(frozen=True)
class Config:
    """Sizes of a WaveGAN. channels: of the longest layer. shuffle: largest phase shift in samples."""

    kits: int
    wish: int
    noise: int = 100
    channels: int = 64
    shuffle: int = 2

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


class Generator(nn.Module):
    """A generator of loops."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        sizes = [config.channels * factor for factor in _FACTORS]
        self.opening = nn.Linear(config.noise + config.kits + config.wish, sizes[0] * _FIRST)
        pairs = zip(sizes, [*sizes[1:], 1], strict=True)
        self.layers = nn.ModuleList(
            nn.ConvTranspose1d(before, after, _KERNEL, _STRIDE, _PADDING, output_padding=1) for before, after in pairs
        )

    def forward(self, noise: Tensor, kit: Tensor, wish: Tensor) -> Tensor:
        """(n, 16, SLICE): samples from normal noise (n, noise), which is mapped to uniform noise in -1..1."""
        uniform = torch.erf(noise / math.sqrt(2))
        sound = self.opening(torch.cat([uniform, kit, wish], 1)).unflatten(1, (-1, _FIRST))  # (n, H, t)
        for layer in self.layers:
            sound = layer(functional.relu(sound))
        return torch.tanh(sound).unflatten(2, (SLICES, SLICE))[:, 0]


class Critic(nn.Module):
    """A critic of sound (n, 16, SLICE) for its kit and wish: (n,), higher for more real."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        sizes = [config.channels * factor for factor in reversed(_FACTORS)]
        pairs = zip([1, *sizes[:-1]], sizes, strict=True)
        self.layers = nn.ModuleList(nn.Conv1d(before, after, _KERNEL, _STRIDE, _PADDING) for before, after in pairs)
        self.out = nn.Linear(sizes[-1] * _FIRST, 1)
        self.asked = nn.Linear(config.kits + config.wish, sizes[-1])

    def forward(self, sound: Tensor, kit: Tensor, wish: Tensor) -> Tensor:
        seen = sound.flatten(1)[:, None]  # (n, 1, t)
        for place, layer in enumerate(self.layers):
            seen = functional.leaky_relu(layer(seen), _SLOPE)
            if place < len(self.layers) - 1:
                seen = shuffled(seen, self.config.shuffle)
        fit = (seen.mean(2) * self.asked(torch.cat([kit, wish], 1))).sum(1) / math.sqrt(seen.shape[1])
        score: Tensor = self.out(seen.flatten(1))[:, 0] + fit
        return score


def shuffled(seen: Tensor, most: int) -> Tensor:
    """Activations (n, H, t), each loop's shifted by random -most..most samples, mirrored at the ends.

    This hides the phase artefacts of transposed convolutions from the critic.
    """
    last = seen.shape[2] - 1
    moved = torch.randint(-most, most + 1, (len(seen), 1), device=seen.device)
    place = (torch.arange(last + 1, device=seen.device) + moved).abs()
    place = torch.where(place > last, 2 * last - place, place)
    return seen.gather(2, place[:, None].expand_as(seen))


def graph(generator: Generator) -> Graph:
    """The graph to export."""
    config = generator.config
    inputs = {"noise": ("n", config.noise), "kit": ("n", config.kits), "wish": ("n", config.wish)}
    return Graph(generator, {**inputs}, {"slices": ("n", SLICES, SLICE)})


material = slice_loops.material  # read by --mode train

_GENERATOR, _CRITIC, _AVERAGE = "generator", "critic", "average"


@dataclass(frozen=True)
class Recipe(looping.Recipe):
    """The recipe of a WaveGAN. penalty: its weight. every: steps of the critic for one of the generator."""

    rate: float = 1e-4
    device: str = "auto"
    batch: int = 64
    penalty: float = 10.0
    every: int = 5
    channels: int = Config.channels


class WaveGan(LoopTask):
    """The task of the WaveGAN."""

    architecture = "wavegan"
    recipe: Recipe
    generator: Generator
    average: Generator

    def __init__(self, loops: Loops, recipe: Recipe, say: Callable[[str], None]) -> None:
        super().__init__(loops, recipe, say)
        config = Config(len(loops.kits), WISHES, channels=recipe.channels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.generator, self.critic = Generator(config), Critic(config)
        self.average = copy.deepcopy(self.generator)
        self.models = {_GENERATOR: self.generator, _CRITIC: self.critic, _AVERAGE: self.average}
        pairs = ((_GENERATOR, self.generator), (_CRITIC, self.critic))
        self.optimizers = {
            name: torch.optim.Adam(net.parameters(), recipe.rate, betas=(0.5, 0.9)) for name, net in pairs
        }

    def real(self, rows: IntArray) -> Tensor:
        """Their sound, (n, 16, SLICE)."""
        return torch.from_numpy(self.learnt.sound[rows].astype(np.float32)).view(-1, SLICES, SLICE)

    def step(self, batch: LoopBatch, context: StepContext) -> StepResult:
        real, kit, wish = (part.to(context.device) for part in batch)
        count = len(real)

        def noise() -> Tensor:
            return torch.randn(count, self.generator.config.noise, device=context.device)

        # 1. The critic, of real loops, made ones, and mixtures of both in one pass.
        with torch.no_grad():
            made = self.generator(noise(), kit, wish)
        share = torch.rand(count, 1, 1, device=context.device)
        mixed = (share * real + (1 - share) * made).requires_grad_()
        scores = context.models[_CRITIC](torch.cat([real, made, mixed]), kit.repeat(3, 1), wish.repeat(3, 1))
        (slope,) = torch.autograd.grad(scores[2 * count :].sum(), mixed, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        apart = scores[:count].mean() - scores[count : 2 * count].mean()
        context.update(_CRITIC, self.recipe.penalty * penalty - apart, most=math.inf)
        scalars = {"apart": float(apart.detach()), "penalty": float(penalty.detach())}
        # 2. Every few steps, the generator.
        if (context.progress.step + 1) % self.recipe.every == 0:
            fooled = self.critic(context.models[_GENERATOR](noise(), kit, wish), kit, wish).mean()
            context.update(_GENERATOR, -fooled, most=math.inf)
            self.follow(context.progress.step // self.recipe.every)
        return StepResult(int(context.total(torch.tensor(float(count), device=context.device))), scalars)

    def graph(self) -> Graph:
        return graph(self.average)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train a WaveGAN on folders of drums or loops."""
    return slice_loops.train("wavegan", WaveGan, Recipe, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
