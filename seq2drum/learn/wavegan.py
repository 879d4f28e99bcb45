"""The task of making audio loops sample by sample: a WaveGAN, see `models.wavegan`. It wants a GPU and a day.

    python -m seq2drum.learn.wavegan --data FOLDER -o runs/wavegan --minutes 1440

The loss is that of I. Gulrajani et al., Improved training of Wasserstein GANs (2017): the penalty is taken of each loop
by itself. The critic steps five times for each step of the generator.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seq2drum.data.loops import Loops
from seq2drum.lattice.loops import SLICE, SLICES
from seq2drum.learn import looping
from seq2drum.learn import loops as slice_loops
from seq2drum.learn.looping import Asked, Looping
from seq2drum.learn.task import Done, Gear
from seq2drum.models.base import Graph
from seq2drum.models.wavegan import Config, Critic, Generator, graph
from seq2drum.music.notes import IntArray
from seq2drum.play.brief import WISHES

material = slice_loops.material  # what --mode train reads

_GENERATOR, _CRITIC, _AVERAGE = "generator", "critic", "average"


@dataclass(frozen=True)
class Recipe(looping.Recipe):
    """How a WaveGAN is trained. penalty: its weight. every: steps of the critic to one of the generator."""

    rate: float = 1e-4
    device: str = "auto"
    batch: int = 64
    penalty: float = 10.0
    every: int = 5
    channels: int = Config.channels


class WaveGan(Looping):
    """A generator of samples, and a critic of them."""

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

    def step(self, ready: Asked, gear: Gear) -> Done:
        real, kit, wish = (part.to(gear.device) for part in ready)
        count = len(real)

        def noise() -> Tensor:
            return torch.randn(count, self.generator.config.noise, device=gear.device)

        # 1. The critic, of real loops, made ones, and mixtures of both in one pass.
        with torch.no_grad():
            made = self.generator(noise(), kit, wish)
        share = torch.rand(count, 1, 1, device=gear.device)
        mixed = (share * real + (1 - share) * made).requires_grad_()
        scores = gear.models[_CRITIC](torch.cat([real, made, mixed]), kit.repeat(3, 1), wish.repeat(3, 1))
        (slope,) = torch.autograd.grad(scores[2 * count :].sum(), mixed, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        apart = scores[:count].mean() - scores[count : 2 * count].mean()
        gear.update(_CRITIC, self.recipe.penalty * penalty - apart, most=math.inf)
        scalars = {"apart": float(apart.detach()), "penalty": float(penalty.detach())}
        # 2. Every so many steps, the generator.
        if (gear.progress.step + 1) % self.recipe.every == 0:
            fooled = self.critic(gear.models[_GENERATOR](noise(), kit, wish), kit, wish).mean()
            gear.update(_GENERATOR, -fooled, most=math.inf)
            self.follow(gear.progress.step // self.recipe.every)
        return Done(int(gear.total(torch.tensor(float(count), device=gear.device))), scalars)

    def graph(self) -> Graph:
        return graph(self.average)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train a WaveGAN on folders of drums or of loops."""
    return slice_loops.command("wavegan", WaveGan, Recipe, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
