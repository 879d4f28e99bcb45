"""WaveGAN (C. Donahue, J. McAuley, M. Puckette, Adversarial audio synthesis, 2019): samples from noise, without codes.

Five transposed convolutions of 25 samples, each four times as long as the one before, make a bar of 32,768 samples of
32; the critic is the same backwards. It is told kit and wish. On a CPU a step takes seconds: it wants a GPU.

Letters of shapes: n loops, H channels, t samples.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.lattice.loops import FRAMES, SLICE, SLICES
from seq2drum.models.base import Graph

_KERNEL, _STRIDE, _PADDING = 25, 4, 11
_FACTORS = (16, 8, 4, 2, 1)  # of the channels, from the shortest layer to the longest
_FIRST = FRAMES // _STRIDE ** len(_FACTORS)  # samples of the shortest
_SLOPE = 0.2


@dataclass(frozen=True)
class Config:
    """The sizes of a WaveGAN. channels: of the longest layer. shuffle: by how many samples phases are moved at most."""

    kits: int
    wish: int
    noise: int = 100
    channels: int = 64
    shuffle: int = 2

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


class Generator(nn.Module):
    """Makes loops."""

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
        """(n, 16, SLICE): the samples, of normal noise (n, noise), which is made uniform between -1 and 1."""
        uniform = torch.erf(noise / math.sqrt(2))
        sound = self.opening(torch.cat([uniform, kit, wish], 1)).unflatten(1, (-1, _FIRST))  # (n, H, t)
        for layer in self.layers:
            sound = layer(functional.relu(sound))
        return torch.tanh(sound).unflatten(2, (SLICES, SLICE))[:, 0]


class Critic(nn.Module):
    """Scores sound (n, 16, SLICE), for its kit and wish: (n,), the higher the more real."""

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
    """Layers (n, H, t), each loop's moved in time by a number of samples of its own, -most..most, mirrored at the ends.

    So the critic cannot tell made sound by the phase that transposed convolutions give it.
    """
    last = seen.shape[2] - 1
    moved = torch.randint(-most, most + 1, (len(seen), 1), device=seen.device)
    place = (torch.arange(last + 1, device=seen.device) + moved).abs()
    place = torch.where(place > last, 2 * last - place, place)
    return seen.gather(2, place[:, None].expand_as(seen))


def graph(generator: Generator) -> Graph:
    """What plays."""
    config = generator.config
    inputs = {"noise": ("n", config.noise), "kit": ("n", config.kits), "wish": ("n", config.wish)}
    return Graph(generator, {**inputs}, {"slices": ("n", SLICES, SLICE)})
