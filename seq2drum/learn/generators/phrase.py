"""The task of learning phrases of eight bars by genre and tempo: the phrase generator.

    bars -> windows of eight -> a generator and a critic of phrases -> phrase.onnx

    python -m seq2drum.learn.generators.phrase --data groove/ -o runs/phrase --minutes 15

A share of the windows gets a fill of another performance of its genre in one of its bars, marked in its wishes, so the
generator learns to play fills on request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

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
from seq2drum.play.generators.composer import WISHES
from seq2drum.play.generators.phrase import BARS, FORMAT, GRAPHS, KIND

LAGS = (1, 2, 4)  # distances of bars that the critic compares
_RARE, _COMMON = -2.0, 2.2  # initial logits: of a hit; of the common share


@dataclass(frozen=True)
class Config:
    """Sizes of a phrase generator and its critic. noise: of the groove. bar_noise: of each bar."""

    bars: int = 8
    places: int = 32
    voices: int = len(NINE)
    noise: int = 48
    bar_noise: int = 8
    hidden: int = 192

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


class Phrase(NamedTuple):
    """A generator's output, (n, B, S, V) each: logits of hits, velocities, share of noise common to all bars."""

    logits: Tensor
    velocity: Tensor
    common: Tensor


class Mixing(nn.Module):
    """A mixing layer over bars, (n, B, H) -> (n, B, H), with weights for each hidden unit."""

    def __init__(self, bars: int, hidden: int, *, normed: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden) if normed else nn.Identity()
        self.weight = nn.Parameter(torch.randn(hidden, bars, bars) * 0.3 / bars**0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.einsum("nbh,hcb->nch", leaky(self.norm(x)), self.weight)


class PhraseNet(nn.Module):
    """Noise and wishes -> phrases. bias (S, V): added to the logits to match the hit rates of music."""

    bias: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, size = config, config.hidden
        cells = config.places * config.voices
        heard = config.noise + WISHES - 1  # the groove does not depend on where fills are
        self.groove = nn.Linear(heard, size)
        self.play = nn.Linear(heard, size)  # the weight of each bar's own noise
        self.own = nn.Linear(config.bar_noise, size, bias=False)
        self.wished = nn.Linear(WISHES, size, bias=False)
        self.number = nn.Parameter(torch.randn(config.bars, size) * 0.1)
        self.blocks = nn.Sequential(
            Residual(size, normed=True), Mixing(config.bars, size, normed=True), Residual(size, normed=True)
        )
        self.hits, self.velocity = nn.Linear(size, cells), nn.Linear(size, cells)
        self.common = nn.Linear(size, cells)
        nn.init.constant_(self.hits.bias, _RARE)
        nn.init.constant_(self.common.bias, _COMMON)
        self.register_buffer("bias", torch.zeros(config.places, config.voices))

    def forward(self, noise: Tensor, own: Tensor, wishes: Tensor) -> Phrase:
        """noise (n, Z), own (n, B, bar_noise), wishes (n, B, WISHES) -> phrases."""
        groove = torch.cat([noise, wishes[:, 0, :-1]], dim=1)
        known = self.groove(groove)
        play = torch.sigmoid(self.play(groove))
        bars = known[:, None] + play[:, None] * self.own(own) + self.wished(wishes) + self.number
        shape = *bars.shape[:2], self.config.places, self.config.voices
        bars = leaky(self.blocks(bars))
        common = torch.sigmoid(self.common(leaky(known))).view(-1, 1, *shape[2:])
        return Phrase(
            self.hits(bars).view(shape) + self.bias,
            torch.sigmoid(self.velocity(bars)).view(shape),
            common.expand(shape),
        )


class PhraseCritic(nn.Module):
    """Scores how real phrases look, and classifies them: genre, tempo, and whether they have fills."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, voices, bars = config.hidden, config.voices, config.bars
        self.enter = nn.Linear(config.places * (2 * voices + 1) + voices + WISHES, size)
        self.block, self.mixing = Residual(size, normed=False), Mixing(bars, size, normed=False)
        pairs = sum(bars - lag for lag in LAGS)
        self.repeats = nn.Linear(pairs * voices + len(LAGS) * config.places * voices, size)
        self.whole = nn.Linear(bars * 32 + 3 * size, size)
        self.narrow = nn.Linear(size, 32)
        self.last = Residual(size, normed=False)
        self.told = nn.Sequential(nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(size, WISHES))
        self.gather, self.score = nn.Linear(size + 1, size), nn.Linear(size, 1)
        self.wished = nn.Linear(WISHES, size)

    def forward(self, drums: Tensor, wishes: Tensor) -> tuple[Tensor, Tensor]:
        """drums (n, B, S, 2V), wishes (n, B, WISHES) -> scores (n,) and classes (n, WISHES)."""
        hits = drums.chunk(2, dim=-1)[0]
        seen = torch.cat([drums.flatten(2), hits.sum(dim=3) / 2, hits.sum(dim=2) / 4, wishes], dim=2)
        bars = self.mixing(self.block(self.enter(seen)))  # (n, B, H)
        each = leaky(self.narrow(leaky(bars))).flatten(1)
        again = leaky(self.repeats(repeats(hits)))
        bars = leaky(bars)
        whole = self.last(self.whole(torch.cat([each, bars.mean(dim=1), bars.amax(dim=1), again], dim=1)))
        told = self.told(whole)
        judged = leaky(self.gather(torch.cat([leaky(whole), spread(whole)], dim=1)))
        fits = (judged * self.wished(wishes.amax(dim=1))).sum(dim=1) / judged.shape[1] ** 0.5
        return self.score(judged)[:, 0] + fits, told


def repeats(hits: Tensor) -> Tensor:
    """Differences of bars LAGS apart: (n, B, S, V) -> (n, pairs * V + lags * S * V).

    For each pair of bars the hits of each voice that only one has; for each place and voice the mean of these over all
    pairs of a lag.
    """
    unlike = [(hits[:, lag:] - hits[:, :-lag]).abs() for lag in LAGS]
    by_pair = torch.cat([one.sum(dim=2) for one in unlike], dim=1).flatten(1) / 4
    by_place = torch.stack([one.mean(dim=1) for one in unlike], dim=1).flatten(1)
    return torch.cat([by_pair, by_place], dim=1)


def export(net: PhraseNet, folder: Path) -> None:
    """Write the net as a graph for ONNX Runtime, `phrase.onnx`, its weights inside.

    It takes "noise" (n, Z), "own" (n, B, bar_noise) and "wishes" (n, B, WISHES), and gives "logits", "velocity" and
    "common", (n, B, S, V) each.
    """
    config = net.config
    cells = ("n", config.bars, config.places, config.voices)
    inputs: dict[str, tuple[int | str, ...]] = {
        "noise": ("n", config.noise),
        "own": ("n", config.bars, config.bar_noise),
        "wishes": ("n", config.bars, WISHES),
    }
    graph = Graph(net.eval(), inputs, dict.fromkeys(("logits", "velocity", "common"), cells))
    with torch.no_grad():
        write_graph(graph, graph.example(), folder / "phrase.onnx", fold=True)


_STEPS = 100  # of an epoch


@dataclass(frozen=True)
class Recipe(adversarial.Recipe):
    """The recipe of a phrase generator. fills: share of windows into which a fill is put."""

    batch: int = 32
    critic_batches: int = 3
    fills: float = 0.2
    net: Config = field(default_factory=Config)


class PhraseTask(Adversarial[PhraseNet]):
    """The task of the phrase generator. Items are first rows of windows of the train side.

    Raises:
        CorpusError: the train side has no window.
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
        """A fixed number of steps with windows drawn by their weights."""
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
        """Put a fill of the same genre, if any, into a share of windows, and mark it in their wishes."""
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
