"""The network of the feel: how hard and when each hit of a bar is struck, as mixtures of two logistics.

Letters of shapes: n songs, B bars, S steps, V voices of the drum set, N hits.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.models.base import Graph, Shape, write_graph
from seq2drum.play.feel import MIXTURE, SET


class Network(nn.Module):
    """A bar is read in both directions, bars one after the other, then each bar again knowing what came before."""

    def __init__(self, size: int, reading: int = 48, memory: int = 64, striking: int = 64) -> None:
        super().__init__()
        self.memory = memory
        self.forward_read = nn.GRU(size, reading, batch_first=True)
        self.backward_read = nn.GRU(size, reading, batch_first=True)
        self.remember = nn.GRU(2 * reading, memory, batch_first=True)
        heard = 2 * reading + memory
        self.forward_strike = nn.GRU(heard, striking, batch_first=True)
        self.backward_strike = nn.GRU(heard, striking, batch_first=True)
        self.forget = nn.Dropout(0.35)
        self.think = nn.Linear(2 * striking + 2 * reading, striking)
        self.say = nn.Linear(striking, SET * 2 * MIXTURE)
        start = torch.zeros(SET, 2, MIXTURE)
        start[:, 0, 1:3] = torch.tensor([0.35, 0.75])
        start[:, 0, 3:] = -2.5
        start[:, 1, 1:3] = torch.tensor([-0.6, 0.2])
        with torch.no_grad():
            self.say.weight.mul_(0.1)
            self.say.bias.copy_(start.flatten())

    def forward(self, rows: Tensor, steps: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows (n, B, S, ·), steps (n, B), state (n, ·) -> velocity and moment (n, B, S, V, MIXTURE), state (n, ·)."""
        songs, bars, places = rows.shape[0], rows.shape[1], rows.shape[2]
        length = steps.reshape(-1, 1)
        index = torch.arange(places, device=rows.device)[None]
        # A bar read backwards begins with its own last step, not with the padding; turning it twice is turning it back.
        turn = torch.where(index < length, length - 1 - index, index)
        flat = rows.reshape(songs * bars, places, -1)
        onward, _ = self.forward_read(flat)
        back = _turned(self.backward_read(_turned(flat, turn))[0], turn)
        read = torch.cat([onward, back], dim=-1)
        last = (length - 1).clamp(min=0)[:, :, None].expand(-1, -1, onward.shape[-1])
        bar = torch.cat([onward.gather(1, last)[:, 0], back[:, 0]], dim=-1)
        remembered, left = self.remember(bar.reshape(songs, bars, -1), state[None].contiguous())
        known = remembered.reshape(songs * bars, 1, -1).expand(-1, places, -1)
        heard = self.forget(torch.cat([read, known], dim=-1))
        onward, _ = self.forward_strike(heard)
        back = _turned(self.backward_strike(_turned(heard, turn))[0], turn)
        thought = torch.tanh(self.think(self.forget(torch.cat([onward, back, read], dim=-1))))
        said = self.say(thought).reshape(songs, bars, places, SET, 2, MIXTURE)
        share, centre, scale = said[..., :1], said[..., 1:3], said[..., 3:]
        said = torch.cat([torch.sigmoid(share), centre, torch.exp(scale.clamp(-5, 2))], dim=-1)
        return said[..., 0, :], said[..., 1, :], left[0]


def _turned(rows: Tensor, turn: Tensor) -> Tensor:
    return rows.gather(1, turn[:, :, None].expand(-1, -1, rows.shape[-1]))


def _share(mixture: Tensor, value: Tensor) -> Tensor:
    """How much of the mixtures (N, MIXTURE) lies below the values (N,)."""
    below = torch.sigmoid((value[:, None] - mixture[:, 1:3]) / mixture[:, 3:])
    return (1 - mixture[:, 0]) * below[:, 0] + mixture[:, 0] * below[:, 1]


def velocity_nats(mixture: Tensor, velocity: Tensor) -> Tensor:
    """(N,): nats of velocities 1-127. What lies beyond either end is struck as softly or as hard as there is."""
    above = torch.where(velocity >= 127, 1.0, _share(mixture, (velocity + 0.5) / 127))
    below = torch.where(velocity <= 1, 0.0, _share(mixture, (velocity - 0.5) / 127))
    return -torch.log((above - below).clamp(min=1e-7))


def moment_nats(mixture: Tensor, moment: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """(N,): nats of moments between low and high, in units of MOMENT."""
    scaled = (moment[:, None] - mixture[:, 1:3]) / mixture[:, 3:]
    dense = functional.logsigmoid(scaled) + functional.logsigmoid(-scaled) - torch.log(mixture[:, 3:])
    share = torch.stack([1 - mixture[:, 0], mixture[:, 0]], dim=1).clamp(min=1e-6)
    inside = (_share(mixture, high) - _share(mixture, low)).clamp(min=1e-6)
    return torch.log(inside) - torch.logsumexp(dense + torch.log(share), dim=1)


def export(network: Network, path: Path, size: int) -> None:
    """Write the network as a graph for ONNX Runtime, its weights inside."""
    felt: Shape = ("n", "B", "S", SET, MIXTURE)
    graph = Graph(
        network.eval(),
        {"rows": ("n", "B", "S", size), "steps": ("n", "B"), "state": ("n", network.memory)},
        {"velocity": felt, "moment": felt, "left": ("n", network.memory)},
    )
    example = torch.zeros(1, 3, 24, size), torch.tensor([[24, 18, 24]]), torch.zeros(1, network.memory)
    with torch.no_grad():
        write_graph(graph, example, path, fold=True)
