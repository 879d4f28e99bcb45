"""The default family: a transformer over steps; its guitar reader and bar memory are in `remembering`.

When a bar is opened, bidirectional layers over all its steps encode the guitar, the groove, and the drums of the
remembered bars. Causal layers then see the decoded drums: the steps of this bar so far, and those of earlier bars in a
window of WINDOW steps, so a bar that begins like one of these can continue like it. Positions are relative: each
head learns a bias for every distance in steps.

The window shows only bars of the same length. A step of an earlier bar is represented by its hits, those of the three
steps before it, and its place in the bar, so it does not depend on the bars before that one, and training sees the same
as playing. Keys and values of missing steps are zero.

A. Vaswani et al., Attention is all you need (2017); several queries share one key after N. Shazeer, Fast transformer
decoding (2019); attention and the layer of units beside each other after B. Wang, A. Komatsuzaki, GPT-J-6B
(2021), since few large operations are fast, step by step.

Letters of shapes: m bars, S steps, V voices, H hidden units, A attention heads, W steps of the window.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.data.batches.batches import PAST
from seq2drum.lattice.form import MAX_STEPS
from seq2drum.models import base, remembering
from seq2drum.models.layers import PLACE, SameDropout
from seq2drum.models.remembering import LAGS, Known, Remembering
from seq2drum.play.decode.engine import LAST

WINDOW = 48  # steps of causal attention, the step itself included: two bars of 4/4
BEFORE = LAST  # bars in which they lie
REACH = 4  # steps that represent a step of an earlier bar
SLOT = 48  # size of a step's slot in a causal layer
_NEVER = -1e9


@dataclass(frozen=True)
class Config(remembering.Config):
    """Sizes of the layers.

    whole: bidirectional layers; back: causal layers. across: attention heads of each. units, kept: hidden units of
    these two kinds of layers. token: size of a step of an earlier bar.
    """

    hidden: int = 160
    whole: int = 2
    back: int = 2
    across: int = 5
    units: int = 320
    kept: int = 224
    token: int = 64


class Transformer(Remembering):
    """Guitar aligned step by step, bar memory, attention from step to step, voice by voice."""

    config_type = Config
    rate = 1.2e-3

    config: Config

    def build(self, given: int, knowledge: int) -> None:
        config, hidden = self.config, self.config.hidden
        self.slots = config.back * WINDOW * SLOT
        self.state_size = 2 * config.played + self.slots
        self.mix_steps = nn.Linear(given, hidden)
        self.mix_bar = nn.Linear(knowledge + 2 * config.reader, hidden)
        self.whole = nn.ModuleList(
            _Whole(hidden, config.across, config.units, config.dropout) for _ in range(config.whole)
        )
        self.steps_before = nn.Conv1d(config.voices + PLACE, config.token, REACH)
        self.slots_before = nn.ModuleList(nn.Linear(config.token, SLOT, bias=False) for _ in range(config.back))
        self.mix_previous = nn.Linear(config.voices, hidden, bias=False)
        self.back = nn.ModuleList(_Back(hidden, config.across, config.kept, config.dropout) for _ in range(config.back))
        self.think = nn.LayerNorm(hidden)

    @property
    def hears_grooves(self) -> bool:
        return True

    # --- one bar -----------------------------------------------------------------------------------------------------

    def opened(self, known: Known, steps: Tensor) -> Tensor:
        """(m, S, H): encodings of the steps of bars before they are decoded; steps (m,): their numbers."""
        x = self.mix_steps(self.dropout(torch.cat([known.given, known.recalled], -1)))
        x = x + self.mix_bar(torch.cat([known.knowledge, known.final], -1))[:, None]
        return self.looked_at(x, self.hidden(steps, x)[:, None, None])

    def looked_at(self, x: Tensor, hidden: Tensor) -> Tensor:
        """(m, S, H): bars (m, S, H) after the layers over whole bars; hidden (m, 1, 1, S): see `_Whole`."""
        shape = x.shape[:2]
        for layer in self.whole:
            x = layer(x, hidden, shape)
        return x

    def hidden(self, steps: Tensor, x: Tensor) -> Tensor:
        """(m, S): attention mask, 0 for the steps (m,) of bars and _NEVER for padding; x (m, S, ·)."""
        exists = torch.arange(x.shape[1], device=x.device) < steps[:, None]
        return torch.where(exists, 0.0, _NEVER).to(x.dtype)

    def window(self, drums: Tensor, alike: Tensor, steps: Tensor) -> list[Tensor]:
        """The slots of the WINDOW steps before bars, oldest first, for each layer that looks back: (m, W, ·).

        drums (m, BEFORE, S, V): the bars before, oldest first; alike (m, BEFORE): which of them are seen, and have as
        many steps as the bar itself; steps (m,): how many.
        """
        # 1. The place of each step. A bar that is not alike hides those before it.
        bar, place = _steps_before(steps)
        hidden = torch.cumsum((~alike).long().flip(1), 1)
        within = bar.clamp(max=BEFORE - 1)
        seen = ((bar < BEFORE) & (torch.gather(hidden, 1, within) == 0))[..., None].to(drums.dtype)
        # 2. Its hits.
        row = (BEFORE - 1 - within) * drums.shape[2] + place
        hits = torch.gather(drums.flatten(1, 2), 1, row[..., None].expand(-1, -1, drums.shape[-1]))
        return self.slotted(hits, place.clamp(max=MAX_STEPS - 1), seen)

    def slotted(self, hits: Tensor, place: Tensor, seen: Tensor) -> list[Tensor]:
        """Hits (m, W + REACH - 1, V) and places of steps before bars, seen (m, ·, 1) or not -> slots, see `window`."""
        known = torch.cat([hits, self.place(place)], -1) * seen
        token = functional.relu(self.steps_before(known.transpose(1, 2))).transpose(1, 2) * seen[:, REACH - 1 :]
        return [slots(token) for slots in self.slots_before]

    def decoded(self, known: Known, previous: Tensor, recent: Tensor, batch: Any) -> Tensor:
        # 1. The visible earlier bars.
        count = batch.offset.shape[1]
        inside = slice(PAST, PAST + count)
        bars = [slice(PAST - lag, PAST - lag + count) for lag in range(BEFORE, 0, -1)]
        drums = torch.stack([recent[:, bar] for bar in bars], 2).flatten(0, 1)
        steps = batch.steps[:, inside]
        alike = torch.stack([batch.exists[:, bar] & (batch.steps[:, bar] == steps) for bar in bars], 2)
        alike = (alike & (batch.keep[:, 1, None, None] > 0)).flatten(0, 1)
        steps = steps.flatten().clamp(1, drums.shape[2])
        # 2. All steps together.
        x = self.opened(known, steps) + self.mix_previous(previous)
        return self.looked_back(x, self.window(drums, alike, steps))

    def looked_back(self, x: Tensor, windows: Iterable[Tensor]) -> Tensor:
        """(m, S, H): hidden states of x (m, S, H) and, for each layer, the slots before the bars (m, W, ·)."""
        shape = x.shape[:2]
        for layer, slots in zip(self.back, windows, strict=True):
            x = layer(x, slots, shape)
        hidden: Tensor = self.think(x)
        return hidden

    # --- playing -----------------------------------------------------------------------------------------------------

    def prepared(self, given: Tensor, overheard: Tensor, final: Tensor, steps: Tensor) -> tuple[Tensor, ...]:
        """See `Remembering.prepared`: the sums of `opened` as far as they are known, and where the steps before lie.

        mixed (m, S, H); of the steps of `window` and those before them the row and place in the bars before, (m, ·),
        behind (m, ·, BEFORE): which of these must be alike for the step to be seen, and inside (m, ·, 1): whether it
        lies in any; hidden (m, S): see there.
        """
        knowledge = torch.cat([overheard, torch.zeros_like(overheard[:, :1]).expand(-1, self.config.played), final], -1)
        of_given = functional.linear(given, self.mix_steps.weight[:, : self.given_size], self.mix_steps.bias)
        mixed = of_given + self.mix_bar(knowledge)[:, None]
        bar, place = _steps_before(steps)
        within = bar.clamp(max=BEFORE - 1)
        row = (BEFORE - 1 - within) * given.shape[1] + place
        behind = torch.arange(BEFORE - 1, -1, -1, device=bar.device) <= within[..., None]
        inside = (bar < BEFORE)[..., None]
        place = place.clamp(max=MAX_STEPS - 1)
        return mixed, row, place, behind.to(given.dtype), inside.to(given.dtype), self.hidden(steps, given)

    def graphs(self) -> dict[str, base.Graph]:
        config, size = self.config, self.state_size
        voices, hidden = config.voices, config.hidden
        of_song, of_bars = (_prepared_shapes(hidden, bars) for bars in ("B", "n"))
        opened: dict[str, base.Shape] = {
            "inputs": ("n", "S", hidden),
            "step_context": ("n", "S", voices + 1),
            "echo": ("n", "S", self.echo),
            "opened": ("n", size),
        }
        return remembering.listening_graphs(self, of_song) | {
            "bar": base.Graph(_Bar(self), remembering.bar_inputs(self, of_bars), opened),
            "decode_bar": base.decode_bar_graph(_DecodeBar(self), config, hidden, voices + 1, hidden, size),
            "feel": base.feel_graph(self.heads, hidden, voices, self.echo),
        }


def _prepared_shapes(hidden: int, bars: str) -> dict[str, base.Shape]:
    """Shapes of the outputs of `Transformer.prepared`."""
    steps = WINDOW + REACH - 1
    return {
        "mixed": (bars, "S", hidden),
        "row": (bars, steps),
        "place": (bars, steps),
        "behind": (bars, steps, BEFORE),
        "inside": (bars, steps, 1),
        "hidden": (bars, "S"),
    }


def _steps_before(steps: Tensor) -> tuple[Tensor, Tensor]:
    """Places of the last WINDOW + REACH - 1 steps before bars of so many steps (m,), oldest first.

    Bars back, 0 for the last one, and the index of the step in its bar, both (m, WINDOW + REACH - 1).
    """
    back = torch.arange(WINDOW + REACH - 1, 0, -1, device=steps.device)
    bar = torch.div(back - 1, steps[:, None], rounding_mode="floor")
    return bar, steps[:, None] - 1 - (back - 1 - bar * steps[:, None])


class _Whole(nn.Module):
    """A layer of attention over all steps of a bar."""

    def __init__(self, hidden: int, heads: int, units: int, dropout: float) -> None:
        super().__init__()
        of_head = max(hidden // heads, 1)
        self.heads, self.sizes = heads, [3 * heads * of_head, units]
        self.norm = nn.LayerNorm(hidden)
        self.enter = nn.Linear(hidden, sum(self.sizes))
        self.leave = nn.Linear(heads * of_head + units, hidden)
        self.distance = nn.Parameter(torch.zeros(heads, 2 * MAX_STEPS - 1))
        self.dropout = SameDropout(dropout)
        _begin(self.enter, self.leave, heads * of_head, of_head)

    def forward(self, x: Tensor, hidden: Tensor, shape: tuple[int, int]) -> Tensor:
        """x (m, S, H), hidden (m, 1, 1, S): added to a step's attention scores; shape: m and S -> (m, S, H)."""
        count, size = shape
        attending, units = torch.split(self.enter(self.norm(x)), self.sizes, -1)
        attending = attending.reshape(count, size, 3 * self.heads, self.sizes[0] // self.heads // 3).transpose(1, 2)
        q, k, v = torch.split(attending, self.heads, 1)  # each (m, A, S, ·)
        distance = bar_biases(shifted_rows(self.distance.flip(1).roll(1 - MAX_STEPS, 1)), self.distance, x)
        weight = torch.softmax(q @ k.transpose(-1, -2) + distance.to(x.dtype) + hidden, -1)
        mixed = (weight @ v).transpose(1, 2).reshape(count, size, self.sizes[0] // 3)
        return x + self.dropout(self.leave(torch.cat([mixed, functional.relu(units)], -1)))


class _Back(nn.Module):
    """A layer of causal attention over a window of steps. A step's slot is both key and value."""

    def __init__(self, hidden: int, heads: int, units: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.sizes = heads, [heads * SLOT, SLOT, units]
        self.norm = nn.LayerNorm(hidden)
        self.enter = nn.Linear(hidden, sum(self.sizes))
        self.leave = nn.Linear(heads * SLOT + units, hidden)
        self.distance = nn.Parameter(torch.zeros(heads, WINDOW))  # oldest first
        self.dropout = SameDropout(dropout)
        _begin(self.enter, self.leave, heads * SLOT, SLOT)

    def forward(self, x: Tensor, slots: Tensor, shape: tuple[int, int]) -> Tensor:
        """x (m, S, H), the slots of the steps before the bars (m, W, ·); shape: m and S -> (m, S, H)."""
        count, size = shape
        q, own, units = torch.split(self.enter(self.norm(x)), self.sizes, -1)
        seen = torch.cat([slots, own], 1)  # (m, W + S, ·)
        score = q.reshape(count, -1, SLOT) @ seen.transpose(1, 2)  # (m, S A, W + S)
        weight = torch.softmax(score + window_biases(self.biases(), self.distance, x).to(score.dtype), -1)
        mixed = (weight @ seen).reshape(count, size, self.sizes[0])
        return x + self.dropout(self.leave(torch.cat([mixed, functional.relu(units)], -1)))

    def biases(self) -> Tensor:
        """(MAX_STEPS A, W + MAX_STEPS): the bias of each head's scores, for each step and slot."""
        first = functional.pad(self.distance, (1, MAX_STEPS), value=_NEVER)
        return shifted_rows(first).transpose(0, 1).flatten(0, 1)


def shifted_rows(first: Tensor) -> Tensor:
    """(A, L) -> (A, MAX_STEPS, L - 1): each row the one above, shifted right by one; what falls out comes in.

    It takes constant shapes only, so that ONNX Runtime computes it when a model is loaded.
    """
    heads, size = first.shape
    rows = first[:, None].expand(-1, MAX_STEPS, -1).flatten(1)
    return rows[:, : MAX_STEPS * (size - 1)].reshape(heads, MAX_STEPS, size - 1)


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def bar_biases(table: Tensor, distance: Tensor, x: Tensor) -> Tensor:
    """(A, S, S): each head's bias for the steps of x (m, S, H), by their distance.

    table (A, MAX_STEPS, ·): the same of a bar of MAX_STEPS, all that most songs have. distance (A, 2 MAX_STEPS - 1): of
    which the last, on either side, holds for steps further away.
    """
    size, most = x.size(1), table.size(1)
    if size <= most:
        return table[:, :size, :size]
    place = torch.arange(size, device=x.device)
    return distance[:, (place[:, None] - place).clamp(1 - most, most - 1) + most - 1]


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def window_biases(table: Tensor, distance: Tensor, x: Tensor) -> Tensor:
    """(S A, W + S): the same of the steps of x (m, S, H) and the slots that they look back at.

    table (MAX_STEPS A, W + MAX_STEPS): of a bar of MAX_STEPS. distance (A, W): oldest first; a slot that is further
    away, or comes later, is not seen.
    """
    size, heads, window = x.size(1), distance.size(0), distance.size(1)
    if size * heads <= table.size(0):
        return table[: size * heads, : window + size]
    place = torch.arange(size, device=x.device)
    slot = torch.arange(window + size, device=x.device) - place[:, None] - 1
    biases = torch.where((slot < 0) | (slot >= window), -1e9, distance[:, slot.clamp(0, window - 1)])
    return biases.transpose(0, 1).reshape(size * heads, window + size)


def _begin(enter: nn.Linear, leave: nn.Linear, queries: int, compared: int) -> None:
    """Scale the weights of a new layer: queries by the root of the compared width, outputs by half."""
    with torch.no_grad():
        enter.weight[:queries] *= compared**-0.5
        leave.weight *= 0.5


class _Bar(base.GraphModule[Transformer]):
    def forward(
        self, keys: Tensor, distance: Tensor, past: Tensor, past_velocity: Tensor,
        last: Tensor, last_velocity: Tensor, last_distance: Tensor, last_rows: Tensor, state: Tensor,
        asking: Tensor, beside: Tensor, carrying: Tensor, struck: Tensor,
        mixed: Tensor, row: Tensor, place: Tensor, behind: Tensor, inside: Tensor, hidden: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        model, voices, played = self.model, self.model.config.voices, self.model.config.played
        recalled, echo, carried = remembering.remember(
            model, keys, distance, past, past_velocity, last, last_velocity, last_rows, state[:, model.slots :],
            asking, beside, carrying, struck,
        )  # fmt: skip
        # 1. The earlier steps, visible where all bars from theirs on are alike.
        unlike = (last_distance == 0).to(last.dtype)
        seen = functional.relu(inside - behind @ unlike[..., None])
        index = row[..., None] + torch.zeros(voices, dtype=torch.long, device=row.device)
        hits = torch.gather(last.flatten(1, 2), 1, index)
        slots = [layer.flatten(1) for layer in model.slotted(hits, place, seen)]
        # 2. The rest of the sums of `opened`.
        _, of_recalled = model.mix_steps.weight.split([model.given_size, (len(LAGS) + model.config.heads) * voices], 1)
        _, of_carried, _ = torch.split(model.mix_bar.weight, [model.overheard, played, 2 * model.config.reader], 1)
        h, _ = torch.split(carried, played, -1)
        x = mixed + functional.linear(recalled, of_recalled)
        x = x + functional.linear(h, of_carried)[:, None]
        x = model.looked_at(x, hidden[:, None, None])
        hits, _, is_given = torch.split(struck, [voices, voices, 1], -1)
        return x, torch.cat([hits, is_given], -1), echo, torch.cat([*slots, carried], -1)


class _DecodeBar(base.GraphModule[Transformer]):
    def forward(
        self, inputs: Tensor, step_context: Tensor, previous: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        model = self.model
        x = inputs + model.mix_previous(previous)
        flat = torch.split(state[:, : model.slots], WINDOW * SLOT, -1)
        hidden = model.looked_back(x, (slots.reshape(-1, WINDOW, SLOT) for slots in flat))
        hits, is_given = torch.split(step_context, [model.config.voices, 1], -1)
        # The slots are those of the bar's first step: "bar" recomputes them for the next bar.
        return model.heads.logits(hidden) + model.pointer(hidden, hits, is_given), hidden, state
