"""What nets are made of that learn against each other: a generator of drums, and a critic that tells real from made.

Drums are rows of hits and velocities, (..., 2V): whether each voice is struck, and how loud, zero where it is not.

Letters of shapes: n rows, V voices, H hidden units.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.music.limbs import HANDS
from seq2drum.play.drawing import BY_HAND

SOFTNESS = 0.7  # of the hits that gradients are of
GROUP = 8  # rows that the spread is taken over
_SLOPE = 0.2
_QUIETEST = 1 / 127


def leaky(x: Tensor) -> Tensor:
    """The nonlinearity of these nets."""
    return functional.leaky_relu(x, _SLOPE)


class Residual(nn.Module):
    """A block of two layers beside the way around them (..., H) -> (..., H).

    Generators have their rows normed, critics do not: a penalty on the gradient of each row wants no other changed by
    it, and wants no scale hidden.
    """

    def __init__(self, hidden: int, *, normed: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden) if normed else nn.Identity()
        self.first, self.second = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = x + self.second(leaky(self.first(leaky(self.norm(x)))))
        return inner


def drums_of(velocity: Tensor) -> Tensor:
    """Velocities (..., V) 0..1 as hits and velocities (..., 2V)."""
    return torch.cat([(velocity > 0).to(velocity), velocity], dim=-1)


def velocity_of(drums: Tensor) -> Tensor:
    """The way back."""
    hits, velocity = drums.chunk(2, dim=-1)
    return (hits > 0.5) * velocity.clamp(_QUIETEST, 1)


def struck(logits: Tensor, velocity: Tensor, noise: Tensor) -> Tensor:
    """Drums drawn with logistic noise: a hit where its logit and the noise are more than 0; all (..., V) -> (..., 2V).

    So each is a hit with the chance that its logit says; of more than two that want a hand the likeliest two are.
    Gradients are those of a soft step (C. J. Maddison, A. Mnih, Y. W. Teh, The concrete distribution, 2017; Y. Bengio
    and others, Estimating or propagating gradients through stochastic neurons, 2013).
    """
    likely = logits + noise
    soft = torch.sigmoid(likely / SOFTNESS)
    hits = ((likely > 0) & within_reach(likely)).to(soft) + soft - soft.detach()
    return torch.cat([hits, velocity * hits], dim=-1)


def within_reach(likely: Tensor) -> Tensor:
    """(..., V): whether each voice is left when of those that want a hand only the likeliest two are."""
    foot = ~torch.tensor(BY_HAND, device=likely.device)
    second = likely.detach().masked_fill(foot, -torch.inf).topk(HANDS, dim=-1).values[..., -1:]
    return (likely >= second) | foot


def logistic(normal: Tensor) -> Tensor:
    """Standard normal numbers as standard logistic ones, each at the same place of its distribution."""
    return torch.special.log_ndtr(normal) - torch.special.log_ndtr(-normal)


def spread(rows: Tensor) -> Tensor:
    """(n, H) -> (n, 1): how unlike each other the rows of each GROUP are: it tells a generator that repeats itself.

    T. Karras and others, Progressive growing of GANs (2018). Where rows make no whole groups, all are one.
    """
    size = GROUP if len(rows) % GROUP == 0 else len(rows)
    groups = rows.view(-1, size, rows.shape[1])
    deviation = (groups.var(dim=1, unbiased=False) + 1e-6).sqrt().mean(dim=1)
    return deviation.repeat_interleave(size)[:, None]
