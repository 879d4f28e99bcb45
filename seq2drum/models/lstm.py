"""The plain baseline: a bidirectional LSTM reads the guitar of a pair, its final state starts the decoder.

No attention, no memory: the decoder gets the guitar through one vector, after I. Sutskever,
O. Vinyals, Q. Le, Sequence to sequence learning with neural networks (2014).

Letters of shapes: n pairs, N bars of a pair, S steps of a bar, T steps of a pair, V voices, H hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.data.batches.batches import PAST
from seq2drum.lattice.form import MAX_STEPS
from seq2drum.models import base
from seq2drum.models.layers import PLACE, Heads, Reader


@dataclass(frozen=True)
class Config(base.Config):
    """Sizes of the layers."""

    hidden: int = 256
    reader: int = 128
    dropout: float = 0.1


class Lstm(base.Family):
    """Encoder-decoder LSTM, final state only."""

    config_type = Config
    unit = "pair"

    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        clock = config.clock + PLACE
        self.state_size = 2 * config.hidden
        self.place = nn.Embedding(MAX_STEPS, PLACE)
        self.reader = Reader(config.guitar + clock + config.bars + config.asked, config.reader)
        self.start = nn.Linear(2 * config.reader + config.summary, 2 * config.hidden)
        self.decoder = nn.LSTM(clock + config.voices, config.hidden, batch_first=True)
        self.think = nn.Linear(config.hidden, config.hidden)
        self.think_clock = nn.Linear(clock, config.hidden, bias=False)
        self.heads = Heads(config.hidden, config.voices, 0, config.dropout)

    def clocked(self, clock: Tensor) -> Tensor:
        """Clock (m, S, ·) with an embedding of the place in the bar."""
        place = self.place(torch.arange(clock.shape[1], device=clock.device).clamp(max=MAX_STEPS - 1))
        return torch.cat([clock, place.expand(clock.shape[0], clock.shape[1], PLACE)], -1)

    def started(self, heard: Tensor, lengths: Tensor, summary: Tensor) -> Tensor:
        """Guitar and clock of n pairs (n, T, ·), their lengths (n,), summaries -> the decoder's state (n, 2H)."""
        _, final = self.reader(heard, lengths)
        h, c = self.start(torch.cat([final, summary], -1)).chunk(2, -1)
        return torch.cat([torch.tanh(h), c], -1)

    def hidden_states(self, batch: Any) -> _HiddenStates:
        """Read the guitar of a batch's pairs, and decode their true drums."""
        n, count, size = batch.offset.shape[:3]
        inside = slice(PAST, PAST + count)
        place = torch.arange(size, device=batch.offset.device)
        valid = ((place < batch.steps[:, inside, None]) & batch.in_pair[..., None]).flatten(1)  # (n, T)
        # Steps that exist move to the front, so that the LSTMs never step over padding inside a pair.
        order = torch.argsort((~valid).to(torch.int8), dim=1, stable=True)
        valid = torch.gather(valid, 1, order)
        length = valid.sum(1)
        clock = self.clocked(batch.clock.flatten(0, 1)).unflatten(0, (n, count))
        bars = torch.cat([batch.bars, batch.conditions], -1)[:, inside, None].expand(-1, -1, size, -1)
        heard = torch.cat([batch.guitar[:, inside], clock, bars], -1)
        state = self.started(_packed(heard, order), length, batch.summary)
        target = _packed(batch.drums[:, inside], order)
        previous = functional.pad(target[:, :-1], (0, 0, 1, 0)) * batch.keep[:, 2, None, None]
        clock = _packed(clock, order)
        h, c = state.chunk(2, -1)
        y, _ = self.decoder(torch.cat([clock, previous], -1), (h[None].contiguous(), c[None].contiguous()))
        hidden = functional.relu(self.think(y) + self.think_clock(clock))
        return _HiddenStates(order, valid, target, hidden)

    def losses(self, batch: Any) -> dict[str, Tensor]:
        order, valid, target, hidden = self.hidden_states(batch)
        inside = slice(PAST, PAST + batch.offset.shape[1])
        velocity, offset = _packed(batch.velocity[:, inside], order), _packed(batch.offset, order)
        return self.heads.losses(hidden, target, velocity, offset, valid, batch.in_pair.sum())

    def hit_logits(self, batch: Any) -> Tensor:
        order, _, target, hidden = self.hidden_states(batch)
        logits = self.heads.hit_logits(hidden, target)  # (n, T, V)
        back = torch.argsort(order, dim=1)[..., None].expand_as(logits)
        return torch.gather(logits, 1, back).unflatten(1, batch.offset.shape[1:3])

    def graphs(self) -> dict[str, base.Graph]:
        config, size = self.config, self.state_size
        given = config.clock + PLACE
        return {
            "encode": base.Graph(
                _Encode(self),
                base.encode_inputs(config),
                {"given": ("B", "S", given), "context": ("B", size)},
            ),
            "bar": base.Graph(
                _Bar(self),
                {"given": ("n", "S", given), "context": ("n", size), "first": ("n", 1), "state": ("n", size)},
                {"inputs": ("n", "S", given), "step_context": ("n", "S", config.hidden), "opened": ("n", size)},
            ),
            "decode_bar": base.decode_bar_graph(_DecodeBar(self), config, given, config.hidden, config.hidden, size),
            "feel": base.feel_graph(self.heads, config.hidden, config.voices, 0),
        }


class _HiddenStates(NamedTuple):
    """A batch's pairs, the T steps of each in one row, those that exist first.

    order (n, T): original index of each step. valid (n, T): mask of existing steps. target (n, T, V): their hits. The
    hidden states (n, T, H) give the logits.
    """

    order: Tensor
    valid: Tensor
    target: Tensor
    hidden: Tensor


def _packed(x: Tensor, order: Tensor) -> Tensor:
    """(n, N, S, width), order (n, T) -> (n, T, width)."""
    x = x.flatten(1, 2)
    return torch.gather(x, 1, order[..., None].expand(-1, -1, x.shape[-1]))


class _Encode(base.GraphModule[Lstm]):
    def forward(
        self, guitar: Tensor, clock: Tensor, steps: Tensor, bars: Tensor, summary: Tensor, conditions: Tensor
    ) -> tuple[Tensor, Tensor]:
        model = self.model
        clock = model.clocked(clock)
        bars = torch.cat([bars, conditions], -1)[:, None].expand(-1, guitar.shape[1], -1)
        heard = torch.cat([guitar, clock, bars], -1)
        place = torch.arange(guitar.shape[1])[None]
        rows = torch.nonzero((place < steps[:, None]).flatten())[:, 0]
        state = model.started(heard.flatten(0, 1)[rows][None], steps.sum()[None], summary)
        return clock, state.expand(guitar.shape[0], -1)


class _Bar(base.GraphModule[Lstm]):
    def forward(self, given: Tensor, context: Tensor, first: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return given, self.model.think_clock(given), first * context + (1 - first) * state


class _DecodeBar(base.GraphModule[Lstm]):
    def forward(
        self, inputs: Tensor, step_context: Tensor, previous: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        model = self.model
        h, c = state.chunk(2, -1)
        y, (h, c) = model.decoder(torch.cat([inputs, previous], -1), (h[None], c[None]))
        hidden = functional.relu(step_context + model.think(y))
        return model.heads.logits(hidden), hidden, torch.cat([h[0], c[0]], -1)
