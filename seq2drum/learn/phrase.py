"""The task of learning phrases of eight bars by genre and tempo: the phrase generator.

    bars -> windows of eight -> a generator and a critic of phrases -> phrase.onnx

    python -m seq2drum.learn.phrase --data groove/ -o runs/phrase --minutes 15

A share of the windows has a fill of another performance of its genre in one of its bars, and is told so: so the
generator learns to play one where it is asked.
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
from seq2drum.models.phrase import Config, PhraseCritic, PhraseNet, export
from seq2drum.music.notes import IntArray
from seq2drum.play.phrase_player import BARS, FORMAT, GRAPHS, KIND

_STEPS = 100  # of an epoch


@dataclass(frozen=True)
class Recipe(adversarial.Recipe):
    """How a phrase generator is trained. fills: the share of the windows that has a fill put into it."""

    batch: int = 32
    critic_batches: int = 3
    fills: float = 0.2
    net: Config = field(default_factory=Config)


class Phrasing(Adversarial[PhraseNet]):
    """Learn windows from the train side. Items are their first rows.

    Raises:
        CorpusError: there is none.
    """

    unit = "phrases"

    recipe: Recipe

    def __init__(self, beats: Beats, recipe: Recipe, say: Callable[[str], None]) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            super().__init__(beats, recipe, say, PhraseNet(recipe.net), PhraseCritic(recipe.net))
        self.wishes = {side: wishes_of(rows.genre, rows.bpm, rows.fill) for side, rows in self.sides.items()}
        self.windows = {side: rows.windows(BARS) for side, rows in self.sides.items()}
        train, first = self.sides[SIDES[0]], self.windows[SIDES[0]]
        if not len(first):
            raise CorpusError(f"no drums in 4/4 on the train side are {BARS} bars long; add files")
        self.weights = weights_of(train.select(first), 1.0)
        self.fills = np.flatnonzero(train.fill & (train.velocity > 0).any(axis=(1, 2)))

    def epoch(self, number: int, processes: int) -> list[IntArray]:
        """So many steps with windows that are drawn by their weights."""
        rng = np.random.default_rng([self.recipe.seed, 1, number])
        size = self.recipe.batch * (self.recipe.critic_batches + 1) * processes
        return list(rng.choice(self.windows[SIDES[0]], (_STEPS, size), p=self.weights))

    def items(self, side: str) -> IntArray:
        return self.windows[side]

    def real(self, side: str, items: IntArray, rng: np.random.Generator) -> Batch:
        beats, rows = self.sides[side], items[:, None] + np.arange(BARS)
        velocity, wishes = beats.velocity[rows], self.wishes[side][rows]
        if side == SIDES[0]:
            self.fill(velocity, wishes, beats.genre[items], rng)
        return Batch(velocity, wishes)

    def fill(self, velocity: Any, wishes: Any, genre: IntArray, rng: np.random.Generator) -> None:
        """Put a fill of the same genre, if there is one, into a share of some windows, and into what they are told."""
        train = self.sides[SIDES[0]]
        for window in np.flatnonzero(rng.random(len(velocity)) < self.recipe.fills).tolist():
            fitting = self.fills[train.genre[self.fills] == genre[window]]
            if len(fitting):
                bar = rng.integers(BARS)
                velocity[window, bar], wishes[window, bar, -1] = train.velocity[rng.choice(fitting)], 1

    def draw(self, net: Any, wishes: Tensor) -> Tensor:
        net_config, count = self.recipe.net, len(wishes)
        noise = torch.randn(count, net_config.noise, device=wishes.device)
        made = net(noise, torch.randn(count, BARS, net_config.bar_noise, device=wishes.device), wishes)
        once, each = torch.randn_like(made.logits[:, :1]), torch.randn_like(made.logits)
        normal = made.common.sqrt() * once + (1 - made.common).clamp(min=1e-6).sqrt() * each
        return struck(made.logits, made.velocity, logistic(normal))

    def export(self, net: PhraseNet, folder: Path, about: Mapping[str, Any]) -> None:
        export(net, folder)
        config = {"config": self.recipe.net.as_dict(), "parameters": generating.parameters(net), **about}
        generating.write(folder, KIND, FORMAT, GRAPHS, self.beats, config)


if __name__ == "__main__":
    raise SystemExit(generating.main("phrase"))
