"""The task of learning single bars by genre, tempo and whether they are fills: the bar generator.

    bars -> a generator and a critic of bars -> bar.onnx

    python -m seq2drum.learn.bar --data groove/ -o runs/bar --minutes 6

Fills and bars of rare genres are learnt from more often than drummers play them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seq2drum.data.beats import SIDES, Beats
from seq2drum.errors import CorpusError
from seq2drum.learn import adversarial, generating
from seq2drum.learn.adversarial import Adversarial, Batch, weights_of
from seq2drum.learn.generating import wishes_of
from seq2drum.models.adversarial import logistic, struck
from seq2drum.models.bar import BarCritic, BarNet, Config, export
from seq2drum.music.notes import IntArray
from seq2drum.play.bar_player import FORMAT, GRAPHS, KIND

_STEPS = 100  # of an epoch
_LEAST_HITS = 3  # of a bar that is learnt from


@dataclass(frozen=True)
class Recipe(adversarial.Recipe):
    """How a bar generator is trained. fills: how many times a fill is learnt from where another bar is once."""

    fills: float = 4.0
    net: Config = field(default_factory=Config)


class Barring(Adversarial[BarNet]):
    """Learn bars from the train side. Items are rows of bars.

    Raises:
        CorpusError: there is none.
    """

    unit = "bars"

    recipe: Recipe

    def __init__(self, beats: Beats, recipe: Recipe, say: Callable[[str], None]) -> None:
        beats = beats.select((beats.velocity > 0).sum(axis=(1, 2)) >= _LEAST_HITS)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            super().__init__(beats, recipe, say, BarNet(recipe.net), BarCritic(recipe.net))
        self.wishes = {side: wishes_of(rows.genre, rows.bpm, rows.fill) for side, rows in self.sides.items()}
        if not len(self.wishes[SIDES[0]]):
            raise CorpusError(f"no bars on the train side have {_LEAST_HITS} hits or more; add files")
        self.weights = weights_of(self.sides[SIDES[0]], recipe.fills)

    def epoch(self, number: int, processes: int) -> list[IntArray]:
        """So many steps with bars that are drawn by their weights."""
        rng = np.random.default_rng([self.recipe.seed, 1, number])
        size = self.recipe.batch * (self.recipe.critic_batches + 1) * processes
        return list(rng.choice(len(self.weights), (_STEPS, size), p=self.weights))

    def items(self, side: str) -> IntArray:
        return np.arange(len(self.sides[side].number))

    def real(self, side: str, items: IntArray, rng: np.random.Generator) -> Batch:
        return Batch(self.sides[side].velocity[items], self.wishes[side][items])

    def draw(self, net: Any, wishes: Tensor) -> Tensor:
        logits, velocity = net(torch.randn(len(wishes), self.recipe.net.noise, device=wishes.device), wishes)
        return struck(logits, velocity, logistic(torch.randn_like(logits)))

    def export(self, net: BarNet, folder: Path, about: Mapping[str, Any]) -> None:
        export(net, folder)
        config = {"config": self.recipe.net.as_dict(), "parameters": generating.parameters(net), **about}
        generating.write(folder, KIND, FORMAT, GRAPHS, self.beats, config)


if __name__ == "__main__":
    raise SystemExit(generating.main("bar"))
