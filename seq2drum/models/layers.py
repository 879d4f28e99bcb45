"""Layers shared by several families.

Letters of shapes: m sequences, n songs or pairs, S steps, V voices, I inputs, H hidden units.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

BESIDE = 2  # bars either side that a convolution over bars sees
PLACE = 16  # size of the embedding of a step's place, beside the clock


def cpu_has_bf16() -> bool:
    """True if the processor multiplies in bfloat16."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text() if cpuinfo.exists() else ""
    known = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return bool(known) and "avx512_bf16" in flags


_GENERATOR: ContextVar[torch.Generator | None] = ContextVar("_GENERATOR", default=None)


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Let `uniform` draw from this generator in this thread, in place of torch's shared one."""
    token = _GENERATOR.set(generator)
    try:
        yield
    finally:
        _GENERATOR.reset(token)


def uniform(*shape: int, device: torch.device) -> Tensor:
    """Random numbers in 0..1, the only source of randomness of a training step, see `learn.run.loop`."""
    if torch.compiler.is_compiling():  # compiled models run in one thread, and take no generator
        return torch.rand(shape, device=device)
    return torch.rand(shape, device=device, generator=_GENERATOR.get())


class Reader(nn.Module):
    """A bidirectional LSTM over sequences padded at the end, whose result does not depend on the padding."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.forth = nn.LSTM(inputs, hidden, batch_first=True)
        self.back = nn.LSTM(inputs, hidden, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """x (m, S, I), lengths (m,) at least 1 -> states of each step (m, S, 2H), final states (m, 2H)."""
        place = torch.arange(x.shape[1], device=x.device)[None]
        mirror = torch.where(place < lengths[:, None], lengths[:, None] - 1 - place, place)[..., None]
        forth, _ = self.forth(x)
        back, _ = self.back(torch.gather(x, 1, mirror.expand_as(x)))
        back = torch.gather(back, 1, mirror.expand_as(back))
        end = (lengths - 1)[:, None, None].expand(-1, 1, forth.shape[2])
        final = torch.cat([torch.gather(forth, 1, end)[:, 0], back[:, 0]], -1)
        return torch.cat([forth, back], -1), final


class Flat(nn.Module):
    """A linear layer over all steps of a bar together; shorter bars use the weights of their own steps."""

    def __init__(self, steps: int, width: int, outputs: int) -> None:
        super().__init__()
        self.width = width
        self.linear = nn.Linear(steps * width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """x (..., S, width), zero beyond a bar's end -> (..., outputs). Steps beyond the known are not seen."""
        known = self.linear.weight.shape[1] // self.width
        x = x[..., :known, :].flatten(-2)
        return functional.linear(x, self.linear.weight[:, : x.shape[-1]], self.linear.bias)

    def of_hits(self, rows: Tensor) -> Tensor:
        """`forward` for n sparse bars, rows (n, K), reading only the weights of their hits.

        A row is 0 for the bias, 1 + i for the i-th number of a bar, and -1 for nothing.
        """
        table = torch.cat([self.linear.bias[None], self.linear.weight.t()])
        own = (rows >= 0).to(table.dtype)[:, None]
        # Each twice: ONNX Runtime sums single rows in an order that depends on their number.
        return (torch.cat([own, own], 1) @ table[rows])[:, 0]


class Dropout(nn.Dropout):
    """torch's Dropout with random numbers from `uniform`."""

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape -> the same shape."""
        if not self.training or not self.p:
            return x
        mask = uniform(*x.shape, device=x.device) >= self.p
        return x * (mask / (1 - self.p)).to(x.dtype)


class SameDropout(nn.Module):
    """Dropout of the same units at all steps of a bar.

    Y. Gal, Z. Ghahramani, A theoretically grounded application of dropout in recurrent neural networks (2016). It is
    also 24 times fewer random numbers, which on a CPU are a tenth of a training step.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """x (..., S, width) -> the same shape."""
        if not self.training or not self.share:
            return x
        mask = uniform(*x.shape[:-2], 1, x.shape[-1], device=x.device) >= self.share
        return x * (mask / (1 - self.share)).to(x.dtype)


class Pointer(nn.Module):
    """A pointer to the hits of a groove: mixes them with the network's own prediction, in logits.

    A network blurs a hint that passes through its layers; a pointer copies the groove's hits, with a learnt weight.
    After A. See, P. Liu, C. Manning, Get to the point (2017).
    """

    def __init__(self, hidden: int, voices: int) -> None:
        super().__init__()
        self.pull = nn.Linear(hidden, 2 * voices)
        nn.init.constant_(self.pull.bias[:voices], 3.0)
        nn.init.constant_(self.pull.bias[voices:], 1.0)

    def forward(self, hidden: Tensor, hits: Tensor, grooved: Tensor) -> Tensor:
        """(..., V): the term to add to the logits.

        hidden (..., H); hits (..., V) of the groove; grooved (..., 1): 1 where there is one.
        """
        struck, left_out = torch.split(self.pull(hidden).float(), self.pull.out_features // 2, -1)
        pulled: Tensor = grooved * (hits * (struck + left_out) - left_out)
        return pulled


class Heads(nn.Module):
    """Output layers of a step: hits, voice after voice, then velocity and offset of each."""

    def __init__(self, hidden: int, voices: int, echo: int, dropout: float) -> None:
        super().__init__()
        self.earlier: Tensor
        self.hits = nn.Linear(hidden, voices)
        nn.init.constant_(self.hits.bias, -4.0)  # a hit is rare; starting there saves the first hundred steps
        self.order = nn.Parameter(torch.zeros(voices, voices))
        self.feel = nn.Sequential(nn.Linear(hidden + voices + echo, 128), nn.ReLU(), nn.Linear(128, 4 * voices))
        self.dropout = SameDropout(dropout)
        self.register_buffer("earlier", torch.tril(torch.ones(voices, voices), -1), persistent=False)

    def logits(self, hidden: Tensor) -> Tensor:
        """hidden (..., H) -> (..., V): before any voice of the step is drawn."""
        return self.hits(self.dropout(hidden))

    def hit_logits(self, hidden: Tensor, hits: Tensor, pulled: Tensor | float = 0.0) -> Tensor:
        """hidden (..., H), hits (..., V) -> (..., V): each hit's logit, given the hits of the voices drawn before.

        pulled: the term of a groove, see `Pointer`.
        """
        return self.logits(hidden).float() + pulled + hits @ self.drawn().T.float()

    def drawn(self) -> Tensor:
        """(V, V): row v, column w: the term that a hit of voice w adds to the logit of a later voice v."""
        return self.order * self.earlier

    def feeling(
        self, hidden: Tensor, hits: Tensor, echo: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Centre and scale of logistic distributions of velocity (0..1) and offset (in gaps), each (..., V)."""
        known = [self.dropout(hidden), hits] if echo is None else [self.dropout(hidden), hits, echo]
        raw = self.feel(torch.cat(known, -1)).float()
        velocity, velocity_scale, offset, offset_scale = raw.chunk(4, -1)
        return (
            torch.sigmoid(velocity + 0.5),
            functional.softplus(velocity_scale - 3) + 0.003,
            torch.tanh(offset) / 2,
            functional.softplus(offset_scale - 4) + 0.002,
        )

    def losses(
        self,
        hidden: Tensor,
        hits: Tensor,
        velocity: Tensor,
        offset: Tensor,
        valid: Tensor,
        bars: Tensor,
        echo: Tensor | None = None,
        pulled: Tensor | float = 0.0,
    ) -> dict[str, Tensor]:
        """The figures of `Family.losses` for the true hits.

        hidden (..., H) of each step; hits, velocity (0..1) and offset (in gaps) (..., V); valid (...): which steps
        count; bars (): how many bars they are; echo as for `feeling`, pulled as for `hit_logits`.
        """
        nats = hit_nats(self.hit_logits(hidden, hits, pulled), hits, valid)
        velocity_centre, velocity_scale, offset_centre, offset_scale = self.feeling(hidden, hits, echo)
        struck = hits * valid[..., None]
        loud = logistic_nats(velocity, velocity_centre, velocity_scale, struck)
        late = logistic_nats(offset, offset_centre, offset_scale, struck)
        loss = (nats + 0.1 * loud + 0.05 * late) / bars
        return {"loss": loss, "nats": nats, "bars": bars, "velocity": loud, "offset": late, "hits": struck.sum()}


class Feel(nn.Module):
    """`Heads.feeling` as a module to export."""

    def __init__(self, heads: Heads) -> None:
        super().__init__()
        self.heads = heads

    def forward(
        self, hidden: Tensor, hits: Tensor, echo: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """See `Heads.feeling`."""
        return self.heads.feeling(hidden, hits, echo)


def hit_nats(logits: Tensor, hits: Tensor, valid: Tensor) -> Tensor:
    """Sum of the negative log-likelihoods of all valid steps' hits, in nats. logits and hits (..., V), valid (...)."""
    nats = functional.binary_cross_entropy_with_logits(logits.float(), hits, reduction="none").sum(-1)
    return (nats * valid).sum()


def logistic_nats(value: Tensor, centre: Tensor, scale: Tensor, which: Tensor) -> Tensor:
    """Sum of the negative log densities of the chosen values under logistic distributions."""
    z = (value - centre) / scale
    return ((z + 2 * functional.softplus(-z) + torch.log(scale)) * which).sum()


def last_steps(drums: Tensor, steps: Tensor) -> Tensor:
    """The hits (n, N, V) of the last step of each bar (n, N, S, V), or of step S; steps (n, N): lengths."""
    at = (steps - 1).clamp(0, drums.shape[2] - 1)[:, :, None, None].expand(-1, -1, 1, drums.shape[-1])
    return torch.gather(drums, 2, at)[:, :, 0]


def lstm_gated(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """One step of a one-layer LSTM: inputs of its gates (n, 4H), cells (n, H) -> the next state, h and c.

    The order of the gates is that of torch.
    """
    i, f, g, o = torch.split(gates, c.shape[-1], -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


class BarsAround(nn.ModuleList):
    """Two convolutions over bars (n, C, bar), which see four bars either side."""

    def __init__(self, bar: int) -> None:
        sides = 2 * BESIDE + 1
        super().__init__(nn.Conv1d(size, bar, sides, padding=BESIDE) for size in (bar + 1, bar))

    def forward(self, vectors: Tensor, exists: Tensor) -> Tensor:
        """vectors (n, C, bar), exists (n, C) -> (n, C, bar)."""
        here = exists[..., None].to(vectors.dtype)
        x = torch.cat([vectors * here, here], -1).transpose(1, 2)
        x = functional.relu(self[0](x)) * here.transpose(1, 2)
        heard: Tensor = self[1](x)
        return heard.transpose(1, 2)

    def before(self, own: Tensor, vectors: Tensor, exists: Tensor, hidden: Tensor, first: int) -> Tensor:
        """`forward` for bars with vectors of their own in their place: own (n, N, bar) -> (n, N, bar).

        vectors, exists: of all bars, as neighbours. first: index of the first of the N. `hidden` (n,) masks the bars
        after each bar.
        """
        reach = 2 * BESIDE
        here = exists[..., None].to(vectors.dtype)
        x = windows(torch.cat([vectors * here, here], -1), first, own.shape[1], reach, hidden)
        middle = torch.cat([own, torch.ones_like(own[..., :1])], -1) * here[:, first : first + own.shape[1]]
        x = torch.cat([x[:, :, :reach], middle[:, :, None], x[:, :, reach + 1 :]], 2).flatten(0, 1)
        return self(x[..., :-1], x[..., -1]).unflatten(0, own.shape[:2])[:, :, reach]


def windows(x: Tensor, first: int, count: int, reach: int, hidden: Tensor) -> Tensor:
    """(n, N, 2 reach + 1, ·): windows of bars (n, C, ·) around each of `count` bars from `first` on.

    The bars after each are zero where `hidden` (n,).
    """
    sides = 2 * reach + 1
    x = x[:, first - reach : first + count + reach].unfold(1, sides, 1).transpose(-1, -2)
    after = torch.arange(sides, device=x.device) > reach
    return x * (1 - hidden[:, None] * after)[:, None, :, None]
