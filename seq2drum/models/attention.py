"""An LSTM decodes a bar step by step; its guitar reader and bar memory are in `remembering`.

Letters of shapes: n songs, m bars, S steps, V voices, H hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.models import base, remembering
from seq2drum.models.remembering import Known, Remembering


@dataclass(frozen=True)
class Config(remembering.Config):
    """Sizes of the layers, and whether the model takes grooves."""

    groove: bool = True
    mixed: int = 192


class Attention(Remembering):
    """Guitar aligned step by step, bar memory, an LSTM from step to step, voice by voice."""

    config_type = Config

    config: Config

    def build(self, given: int, knowledge: int) -> None:
        config, hidden = self.config, self.config.hidden
        self.state_size = 2 * hidden + 2 * config.played
        self.bar_state = nn.Linear(knowledge + 2 * config.reader, 2 * hidden)
        self.mix_steps = nn.Linear(given, config.mixed)
        self.mix_bar = nn.Linear(knowledge, config.mixed)
        self.decoder = nn.LSTM(config.mixed + config.voices, hidden, batch_first=True)
        self.think_steps = nn.Linear(given, hidden)
        self.think_bar = nn.Linear(knowledge, hidden)
        self.think = nn.Linear(hidden, hidden, bias=False)

    @property
    def hears_grooves(self) -> bool:
        return self.config.groove

    def opened(self, known: Known) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Inputs for decoding bars: step inputs (m, S, mixed), step context (m, S, H), state h and c (m, H)."""
        steps = self.dropout(torch.cat([known.given, known.recalled], -1))
        mixed = functional.relu(self.mix_steps(steps) + self.mix_bar(known.knowledge)[:, None])
        step_context = self.think_steps(steps) + self.think_bar(known.knowledge)[:, None]
        h, c = self.bar_state(torch.cat([known.knowledge, known.final], -1)).chunk(2, -1)
        return mixed, step_context, torch.tanh(h), c

    def decoded(self, known: Known, previous: Tensor, recent: Tensor, batch: Any) -> Tensor:
        mixed, step_context, h, c = self.opened(known)
        y, _ = self.decoder(torch.cat([mixed, previous], -1), (h[None].contiguous(), c[None].contiguous()))
        return functional.relu(step_context + self.think(y))

    def prepared(self, given: Tensor, overheard: Tensor, final: Tensor, steps: Tensor) -> tuple[Tensor, ...]:
        return given, torch.cat([overheard, final], -1)

    def graphs(self) -> dict[str, base.Graph]:
        config, size = self.config, self.state_size
        voices, hidden = config.voices, config.hidden
        pointed = voices + 1 if config.groove else 0
        opened: dict[str, base.Shape] = {
            "inputs": ("n", "S", config.mixed),
            "step_context": ("n", "S", hidden + pointed),
            "echo": ("n", "S", self.echo),
            "opened": ("n", size),
        }
        of_song, of_bars = (
            {"given": (each, "S", self.given_size), "context": (each, self.overheard + 2 * config.reader)}
            for each in ("B", "n")
        )
        return remembering.listening_graphs(self, of_song) | {
            "bar": base.Graph(_Bar(self), remembering.bar_inputs(self, of_bars), opened),
            "decode_bar": base.decode_bar_graph(_DecodeBar(self), config, config.mixed, hidden + pointed, hidden, size),
            "feel": base.feel_graph(self.heads, hidden, voices, self.echo),
        }


class _Bar(base.GraphModule[Attention]):
    def forward(
        self, keys: Tensor, distance: Tensor, past: Tensor, past_velocity: Tensor,
        last: Tensor, last_velocity: Tensor, last_distance: Tensor, last_rows: Tensor, state: Tensor, *known: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        model, config = self.model, self.model.config
        *remembered, given, context = known
        carried = state[:, 2 * config.hidden :]
        recalled, echo, carried = remembering.remember(
            model, keys, distance, past, past_velocity, last, last_velocity, last_rows, carried, *remembered
        )
        overheard, final = torch.split(context, [model.overheard, 2 * config.reader], -1)
        knowledge = torch.cat([overheard, carried[:, : config.played]], -1)
        mixed, step_context, h, c = model.opened(Known(given, final, knowledge, recalled))
        if config.groove:
            step_context = torch.cat([step_context, *model.pointed(given)], -1)
        return mixed, step_context, echo, torch.cat([h, c, carried], -1)


class _DecodeBar(base.GraphModule[Attention]):
    def forward(
        self, inputs: Tensor, step_context: Tensor, previous: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        model, config = self.model, self.model.config
        h, c, carry = torch.split(state, [config.hidden, config.hidden, 2 * config.played], -1)
        y, (h, c) = model.decoder(torch.cat([inputs, previous], -1), (h[None], c[None]))
        hidden = functional.relu(step_context[..., : config.hidden] + model.think(y))
        logits = model.heads.logits(hidden)
        if config.groove:
            logits = logits + model.pointer(hidden, step_context[..., config.hidden : -1], step_context[..., -1:])
        return logits, hidden, torch.cat([h[0], c[0], carry], -1)
