"""The phrase generator: eight bars at once, and its critic.

A phrase is made of noise for its groove, of which all bars are made, and a little noise for each bar. What is left open
in a bar is drawn with a chance for each place and voice; how much of that drawing all bars have in common the net says,
too, for each place: so it says what a drummer keeps up and what he plays with.

Letters of shapes: n phrases, B bars, S places, V voices, Z numbers of noise, H hidden units.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seq2drum.models.adversarial import Residual, leaky, spread
from seq2drum.models.base import Graph, write_graph
from seq2drum.music.kit import NINE
from seq2drum.play.brief import WISHES

LAGS = (1, 2, 4)  # bars apart, that the critic compares
_RARE, _COMMON = -2.0, 2.2  # logits at the beginning: of a hit; of what bars have in common


@dataclass(frozen=True)
class Config:
    """How large a phrase generator and its critic are. noise: of the groove. bar_noise: of each bar."""

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
    """What a generator says of phrases, (n, B, S, V) each: logits of hits, velocities, and what bars have in common."""

    logits: Tensor
    velocity: Tensor
    common: Tensor


class Mixing(nn.Module):
    """Bars that learn of each other: (n, B, H) -> (n, B, H), each bar by all, with weights for each hidden unit."""

    def __init__(self, bars: int, hidden: int, *, normed: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden) if normed else nn.Identity()
        self.weight = nn.Parameter(torch.randn(hidden, bars, bars) * 0.3 / bars**0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.einsum("nbh,hcb->nch", leaky(self.norm(x)), self.weight)


class PhraseNet(nn.Module):
    """Noise and wishes -> phrases. bias (S, V): added to the logits, so that each is as frequent as in music."""

    bias: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config, size = config, config.hidden
        cells = config.places * config.voices
        heard = config.noise + WISHES - 1  # the groove does not depend on where fills are
        self.groove = nn.Linear(heard, size)
        self.play = nn.Linear(heard, size)  # how much each bar's own noise counts
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
    """How real phrases look, by score; and what it takes them for: genre, tempo, and fills, of which there are any."""

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
        """drums (n, B, S, 2V), wishes (n, B, WISHES) -> scores (n,) and what it takes them for (n, WISHES)."""
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
    """How unlike bars of a phrase are that are LAGS apart: (n, B, S, V) -> (n, pairs * V + lags * S * V).

    Of each pair of bars the hits of each voice that only one of them has; and of each place and voice how often it is
    so, all pairs of one lag together.
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
