"""The step generator: an LSTM over the steps of bars without a guitar, each step nine voices with their velocities.

What a step is given is in `play.bar_memory`. Its hits are drawn voice by voice, each knowing those before it: a neural
autoregressive distribution (H. Larochelle, I. Murray, The neural autoregressive distribution estimator, 2011) over
what the LSTM thinks. A velocity is logistic around what the network says.

Letters of shapes: n rows, T steps, V voices, H hidden units, K inner units.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.models.base import Graph, write_graph

_QUIETEST, _WIDEST = -4.0, 1.0  # logarithm of the spread of velocities, in their logits' place


@dataclass(frozen=True)
class Config:
    """Sizes: what a step hears, what it is told, places of a bar, and of the layers."""

    heard: int
    wishes: int
    places: int = 24
    voices: int = 9
    hidden: int = 224
    inner: int = 64
    dropout: float = 0.35

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


class Step(nn.Module):
    """Makes bars step by step."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        size, inner, voices = config.hidden, config.inner, config.voices
        self.listen = nn.Linear(config.heard + config.wishes, size)
        self.place = nn.Embedding(config.places, size)
        self.lstm = nn.LSTM(size, size, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.hits = nn.Linear(size, voices)
        self.open = nn.Linear(size, inner)
        self.order = nn.Parameter(torch.randn(voices, inner) * 0.05)
        self.read = nn.Parameter(torch.randn(voices, inner) * 0.05)
        self.straight = nn.Parameter(torch.zeros(voices, voices))
        self.feel = nn.Linear(size + voices, 2 * voices)

    def thoughts(self, heard: Tensor, wishes: Tensor, place: Tensor, state: tuple[Tensor, Tensor] | None = None) -> Any:
        """heard (n, T, ·), wishes (n, T, ·), place (T,) -> thoughts (n, T, H), the state after the last step."""
        given = torch.relu(self.listen(torch.cat([heard, wishes], -1)) + self.place(place))
        thought, state = self.lstm(self.dropout(given), state)
        return self.dropout(thought), state

    def logit(self, first: Tensor, opened: Tensor, before: Tensor, voice: int) -> Tensor:
        """The logit of a voice (...), given `hits` and `open` of a thought and the hits (..., voice) before it."""
        known = torch.relu(opened + before @ self.order[:voice])
        return first[..., voice] + known @ self.read[voice] + before @ self.straight[voice, :voice]

    def logits(self, thought: Tensor, hits: Tensor) -> Tensor:
        """(n, T, V): the logit of each hit, given the true hits of the voices before it."""
        first, opened = self.hits(thought), self.open(thought)
        voices = range(self.config.voices)
        return torch.stack([self.logit(first, opened, hits[..., :voice], voice) for voice in voices], -1)

    def felt(self, thought: Tensor, hits: Tensor) -> tuple[Tensor, Tensor]:
        """(n, T, V) each: the middle and the spread of velocities, given all hits of the step."""
        middle, spread = self.feel(torch.cat([thought, hits], -1)).chunk(2, -1)
        return torch.sigmoid(middle), spread.clamp(_QUIETEST, _WIDEST).exp()

    def forward(self, heard: Tensor, wishes: Tensor, place: Tensor, velocity: Tensor) -> tuple[Tensor, Tensor]:
        """(n, T) each: nats of the hits of each step, and of their velocities (n, T, V)."""
        thought, _ = self.thoughts(heard, wishes, place)
        hits = (velocity > 0).to(velocity.dtype)
        nats = functional.binary_cross_entropy_with_logits(self.logits(thought, hits), hits, reduction="none")
        middle, spread = self.felt(thought, hits)
        away = (velocity - middle) / spread
        return nats.sum(-1), ((away + 2 * functional.softplus(-away) + spread.log()) * hits).sum(-1)


class _Draw(nn.Module):
    """One step of one beat as a graph. Rows are what it would be for several wishes; their logits are weighed."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step

    def forward(
        self, heard: Tensor, wishes: Tensor, weights: Tensor, place: Tensor, uniform: Tensor, sharpness: Tensor,
        state: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        step = self.step
        h, c = state.chunk(2, -1)
        rows = heard.expand(wishes.shape[0], -1)
        thoughts, (h, c) = step.thoughts(
            rows[:, None], wishes[:, None], place, (h[None].contiguous(), c[None].contiguous())
        )
        thought = thoughts[:, 0]
        first, opened = step.hits(thought), step.open(thought)
        hits = torch.zeros(1, 0)
        for voice in range(step.config.voices):
            before = hits.expand(wishes.shape[0], -1)
            logit = (step.logit(first, opened, before, voice)[:, None] * weights).sum(0, keepdim=True)
            drawn = (uniform[:, voice : voice + 1] < torch.sigmoid(logit * sharpness)).to(logit.dtype)
            hits = torch.cat([hits, drawn], -1)
        middle, spread = step.felt(thought, hits.expand(wishes.shape[0], -1))
        shares = weights.clamp(min=0) / weights.clamp(min=0).sum()
        return (
            hits,
            (middle * shares).sum(0, keepdim=True),
            (spread * shares).sum(0, keepdim=True),
            torch.cat([h[0], c[0]], -1),
        )


def export(step: Step, folder: Path) -> None:
    """Write the graph `step.onnx`, its weights inside.

    heard (1, ·), place (1,), uniform (1, V) and sharpness (1, 1) are the beat's; wishes (n, ·), weights (n, 1) and
    state (n, 2H) have a row for each wish that it is mixed of. It gives hits, middle and spread (1, V), and stepped
    (n, 2H).
    """
    config = step.config
    graph = Graph(
        _Draw(step).eval(),
        {
            "heard": (1, config.heard),
            "wishes": ("n", config.wishes),
            "weights": ("n", 1),
            "place": (1,),
            "uniform": (1, config.voices),
            "sharpness": (1, 1),
            "state": ("n", 2 * config.hidden),
        },
        {
            "hits": (1, config.voices),
            "middle": (1, config.voices),
            "spread": (1, config.voices),
            "stepped": ("n", 2 * config.hidden),
        },
    )
    with torch.no_grad():
        example = tuple(
            value.long() if name == "place" else value
            for name, value in zip(graph.inputs, graph.example(), strict=True)
        )
        write_graph(graph, example, folder / "step.onnx", fold=True)
