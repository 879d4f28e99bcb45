"""The bar generator: one bar by genre, tempo and whether it is a fill, all of it at once; and its critic.

After M. Fergarcia's idea of a bar GAN that is told genre and tempo. Hits are drawn with a chance for each place and
voice, which depends on noise that is common to the bar: the noise says which bar, the chances what is open in it.

Letters of shapes: n bars, S places, V voices, Z numbers of noise.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seq2drum.models.adversarial import Residual, leaky, spread
from seq2drum.models.base import Graph, write_graph
from seq2drum.music.kit import NINE
from seq2drum.play.brief import WISHES

BEATS = 4  # of a bar
_RARE = -2.0  # the logit of a hit at the beginning


@dataclass(frozen=True)
class Config:
    """How large a bar generator and its critic are."""

    places: int = 24
    voices: int = len(NINE)
    noise: int = 32
    hidden: int = 256

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


class BarNet(nn.Module):
    """Noise and wishes -> a bar. bias (S, V): what is added to the logits, so that each is as frequent as in music."""

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
    """How real bars look, by score; and what it takes them for: logits of genres, the tempo, the logit of a fill."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        size, voices = config.hidden, config.voices
        self.enter = nn.Linear(config.places * (2 * voices + 1) + 3 * voices, size)
        self.blocks = nn.Sequential(*(Residual(size, normed=False) for _ in range(2)))
        self.told = nn.Sequential(nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(size, WISHES))
        self.gather, self.score = nn.Linear(size + 1, size), nn.Linear(size, 1)
        self.wished = nn.Linear(WISHES, size)

    def forward(self, drums: Tensor, wishes: Tensor) -> tuple[Tensor, Tensor]:
        """drums (n, S, 2V), wishes (n, WISHES) -> scores (n,) and what it takes the bars for (n, WISHES)."""
        seen = leaky(self.blocks(self.enter(torch.cat([drums.flatten(1), counts(drums)], dim=1))))
        told = self.told(seen)
        judged = leaky(self.gather(torch.cat([seen, spread(seen)], dim=1)))
        fits = (judged * self.wished(wishes)).sum(dim=1) / judged.shape[1] ** 0.5
        return self.score(judged)[:, 0] + fits, told


def counts(drums: Tensor) -> Tensor:
    """What a bar is judged by as a whole: (n, S, 2V) -> (n, S + 3V).

    How many voices are struck at each place; of each voice the hits, those that the next beat repeats, and those on
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
