"""A GAN of audio loops: 16 slices of a bar, each as the strengths of its principal parts.

    noise, kit, wish -> codes of 16 slices -> slices of samples

It hears no hits: what is struck where comes out of the sound of the loops it learnt from. A slice is a sum of 96
waveforms, which the principal component analysis of real slices has found; they are fixed.

Letters of shapes: n loops, T = 16 slices, C components, H channels.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.lattice.loops import SLICE, SLICES
from seq2drum.models.base import Graph

_SLOPE = 0.2  # of leaky rectifiers
_GROUP = 8  # loops that are compared with each other
_STRETCH = 4  # codes are shown to the critic as logarithms, too, of so many times their size


@dataclass(frozen=True)
class Config:
    """The sizes of a generator of loops and of its critic. kits: their number. wish: numbers of what is asked for."""

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
    """Makes loops. basis (SLICE, C): waveforms; scale (C,): what a code of 1 is worth of each."""

    basis: Tensor
    scale: Tensor

    def __init__(self, config: Config, basis: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.config, wide = config, config.channels
        # Half as exact as the rest: 11 bits, of waveforms that are a hundredth off anyway.
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
    """Tells real codes (n, C, T) from made ones, for their kit and wish: (n,), above 0 for real.

    n is a multiple of 8: loops are compared in groups of 8, so that sameness is seen (T. Karras et al., Progressive
    growing of GANs, 2018). Kit and wish are judged by a projection (T. Miyato, M. Koyama, cGANs with projection
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
    """A residual block over the slices, which are round: the first follows the last."""

    def __init__(self, wide: int, *, normed: bool) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, wide) if normed else nn.Identity()
        self.first, self.second = (nn.Conv1d(wide, wide, 3, padding=1, padding_mode="circular") for _ in range(2))

    def forward(self, seen: Tensor) -> Tensor:
        inner = self.first(functional.leaky_relu(self.norm(seen), _SLOPE))
        added: Tensor = seen + self.second(functional.leaky_relu(inner, _SLOPE))
        return added


def principal(slices: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """The basis (SLICE, C) and the scale (C,) of slices (m, SLICE).

    The scale is between that which makes all codes equally large, and none: their deviation's root.
    """
    _, vectors = torch.linalg.eigh(slices.T @ slices / len(slices))
    basis = vectors.flip(1)[:, :components].contiguous()
    deviation = (slices @ basis).std(0) + 1e-3
    return basis, 1.5 * (deviation * deviation.mean()).sqrt()


def graph(generator: Generator) -> Graph:
    """What plays."""
    config = generator.config
    inputs = {"noise": ("n", config.noise), "kit": ("n", config.kits), "wish": ("n", config.wish)}
    return Graph(generator, {**inputs}, {"slices": ("n", SLICES, SLICE)})
