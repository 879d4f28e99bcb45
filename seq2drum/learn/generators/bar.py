"""The task of learning single bars by genre, tempo and whether they are fills: the bar generator.

    bars -> a generator and a critic of bars -> bar.onnx

    python -m seq2drum.learn.generators.bar --data groove/ -o runs/bar --minutes 6

Fills and bars of rare genres are oversampled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from seq2drum.data.drums.beats import SIDES, Beats
from seq2drum.errors import CorpusError
from seq2drum.learn.generators import adversarial, generating
from seq2drum.learn.generators.adversarial import (
    Adversarial,
    Batch,
    Residual,
    leaky,
    logistic,
    spread,
    struck,
    weights_of,
)
from seq2drum.learn.generators.generating import wishes_of
from seq2drum.models.base import Graph, write_graph
from seq2drum.music.kit import NINE
from seq2drum.music.notes import IntArray
from seq2drum.play.generators.bar import FORMAT, GRAPHS, KIND
from seq2drum.play.generators.composer import WISHES

BEATS = 4  # of a bar
_RARE = -2.0  # the logit of a hit at the beginning


@dataclass(frozen=True)
class Config:
    """Sizes of a bar generator and its critic."""

    places: int = 24
    voices: int = len(NINE)
    noise: int = 32
    hidden: int = 256

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


class BarNet(nn.Module):
    """Noise and wishes -> a bar. bias (S, V): added to the logits to match the hit rates of music."""

    bias: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, size = config, config.hidden
        cells = config.places * config.voices
        self.enter = nn.Linear(config.noise + WISHES, size)
        self.blocks = nn.Sequential(*(Residual(size, normed=True) for _ in range(2)))
        self.hits, self.velocity = nn.Linear(size, cells), nn.Linear(size, cells)
        nn.init.constant_(self.hits.bias, _RARE)
        self.register_buffer("bias", torch.zeros(config.places, config.voices))

    def forward(self, noise: Tensor, wishes: Tensor) -> tuple[Tensor, Tensor]:
        """noise (n, Z), wishes (n, WISHES) -> the logits of hits and velocities, (n, S, V) each."""
        known = leaky(self.blocks(self.enter(torch.cat([noise, wishes], dim=1))))
        shape = -1, self.config.places, self.config.voices
        return self.hits(known).view(shape) + self.bias, torch.sigmoid(self.velocity(known)).view(shape)


class BarCritic(nn.Module):
    """Scores how real bars look, and classifies them: logits of genres, the tempo, the logit of a fill."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, voices = config.hidden, config.voices
        self.enter = nn.Linear(config.places * (2 * voices + 1) + 3 * voices, size)
        self.blocks = nn.Sequential(*(Residual(size, normed=False) for _ in range(2)))
        self.told = nn.Sequential(nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(size, WISHES))
        self.gather, self.score = nn.Linear(size + 1, size), nn.Linear(size, 1)
        self.wished = nn.Linear(WISHES, size)

    def forward(self, drums: Tensor, wishes: Tensor) -> tuple[Tensor, Tensor]:
        """drums (n, S, 2V), wishes (n, WISHES) -> scores (n,) and classes (n, WISHES)."""
        seen = leaky(self.blocks(self.enter(torch.cat([drums.flatten(1), counts(drums)], dim=1))))
        told = self.told(seen)
        judged = leaky(self.gather(torch.cat([seen, spread(seen)], dim=1)))
        fits = (judged * self.wished(wishes)).sum(dim=1) / judged.shape[1] ** 0.5
        return self.score(judged)[:, 0] + fits, told


def counts(drums: Tensor) -> Tensor:
    """Summary features of bars: (n, S, 2V) -> (n, S + 3V).

    The number of voices struck at each place; for each voice the hits, those that the next beat repeats, and those on
    the beat.
    """
    hits = drums.chunk(2, dim=-1)[0]
    beats = hits.unflatten(1, (BEATS, -1))
    again = (beats[:, 1:] * beats[:, :-1]).sum(dim=(1, 2))
    whole = torch.cat([hits.sum(dim=1) / 4, again / 4, beats[:, :, 0].sum(dim=1) / 2], dim=1)
    return torch.cat([hits.sum(dim=2) / 2, whole], dim=1)


def export(net: BarNet, folder: Path) -> None:
    """Write the net as a graph for ONNX Runtime, `bar.onnx`, its weights inside.

    It takes "noise" (n, Z) and "wishes" (n, WISHES), and gives "logits" and "velocity", (n, S, V) each.
    """
    config = net.config
    inputs: dict[str, tuple[int | str, ...]] = {"noise": ("n", config.noise), "wishes": ("n", WISHES)}
    cells = ("n", config.places, config.voices)
    graph = Graph(net.eval(), inputs, {"logits": cells, "velocity": cells})
    with torch.no_grad():
        write_graph(graph, graph.example(), folder / "bar.onnx", fold=True)


_STEPS = 100  # of an epoch
_LEAST_HITS = 3  # of a bar that is learnt from


@dataclass(frozen=True)
class Recipe(adversarial.Recipe):
    """The recipe of a bar generator. fills: weight of a fill relative to another bar."""

    fills: float = 4.0
    net: Config = field(default_factory=Config)


class BarTask(Adversarial[BarNet]):
    """The task of the bar generator. Items are rows of bars of the train side.

    Raises:
        CorpusError: the train side has no bar.
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
        """A fixed number of steps with bars drawn by their weights."""
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
