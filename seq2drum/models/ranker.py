"""The ranker: a section of guitar and a groove as two points, the nearer the better the groove fits the section.

Two small nets, trained together: one reads `lattice.section_features`, the other `lattice.groove_features`. How well a
groove fits is the product of their points: the logarithm of how much more often drummers play the groove to such a
section than to others. The logarithm of the groove's popularity is still to be added.

Letters of shapes: n sections, m grooves, E numbers of a point.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.lattice.groove_features import GROOVE
from seq2drum.lattice.section_features import BASS, SECTION
from seq2drum.models.base import Graph, write_graph

_WARMTH = 1.5  # the logarithm of how much a cosine counts, at the beginning
_FARTHEST = 5.0  # standard deviations from the mean, of what is heard


@dataclass(frozen=True)
class Config:
    """How large a ranker is, and how much of it is left out in training: of what is given, and of the hidden layer."""

    guitar_hidden: int = 384
    groove_hidden: int = 256
    point: int = 96
    guitar_dropout: tuple[float, float] = (0.2, 0.3)
    groove_dropout: tuple[float, float] = (0.1, 0.1)

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


class Ranker(nn.Module):
    """Both nets. mean and spread (SECTION.size,): of what is heard in the songs learnt from."""

    mean: Tensor
    spread: Tensor

    def __init__(self, config: Config, mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)

        def net(size: int, hidden: int, dropout: tuple[float, float]) -> nn.Module:
            layers = nn.Linear(size, hidden), nn.ReLU(), nn.Dropout(dropout[1]), nn.Linear(hidden, config.point)
            return nn.Sequential(nn.Dropout(dropout[0]), *layers)

        self.guitar = net(SECTION.size, config.guitar_hidden, config.guitar_dropout)
        self.groove = net(GROOVE.size, config.groove_hidden, config.groove_dropout)
        self.warmth = nn.Parameter(torch.tensor(_WARMTH))

    def heard(self, rows: Tensor) -> Tensor:
        """Sections (n, SECTION.size) -> their points (n, E), all of one length, which the net has learnt."""
        known = ((rows - self.mean) / self.spread).clamp(-_FARTHEST, _FARTHEST)
        has_bass = rows[:, SECTION["has_bass"]]  # where there is none, the bass is not one that never plays
        known = torch.cat([known[:, : BASS.start], known[:, BASS.start : BASS.stop - 1] * has_bass, has_bass], dim=1)
        return functional.normalize(self.guitar(known), dim=-1) * self.warmth.exp()

    def seen(self, rows: Tensor) -> Tensor:
        """Grooves (m, GROOVE.size) -> their points (m, E), of length 1."""
        return functional.normalize(self.groove(rows), dim=-1)

    def forward(self, heard: Tensor, seen: Tensor) -> Tensor:
        """How well each of some grooves (m, GROOVE.size) fits each of some sections (n, SECTION.size): (n, m)."""
        return self.heard(heard) @ self.seen(seen).T


class _Side(nn.Module):
    """One of the two nets, as a graph."""

    def __init__(self, ranker: Ranker, side: str) -> None:
        super().__init__()
        self.ranker, self.side = ranker, side

    def forward(self, rows: Tensor) -> Tensor:
        return self.ranker.heard(rows) if self.side == "guitar" else self.ranker.seen(rows)


def export(ranker: Ranker, folder: Path) -> None:
    """Write both nets as graphs for ONNX Runtime, `guitar.onnx` and `groove.onnx`, their weights inside.

    Each takes "rows" (n, size) and gives "points" (n, E).
    """
    for side, size in (("guitar", SECTION.size), ("groove", GROOVE.size)):
        graph = Graph(_Side(ranker, side).eval(), {"rows": ("n", size)}, {"points": ("n", ranker.config.point)})
        with torch.no_grad():
            write_graph(graph, graph.example(), folder / f"{side}.onnx", fold=True)
