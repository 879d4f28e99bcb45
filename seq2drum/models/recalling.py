"""How the families of `remembering` play: what they know of a song before it, and what they recall before each bar.

What the guitar alone decides is computed for all bars of a song at once, when it is read; with each bar that is opened
only what depends on the drums that were played.

Letters of shapes: B bars of a song, n songs, M bars before the one that is opened, S steps, V voices, A heads.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from seq2drum.models import base, layers
from seq2drum.models.remembering import KEY, LAGS, NEVER, PLAYED, Remembering
from seq2drum.play.engine import LAST
from seq2drum.play.memory import MEMORY_BARS


def listening_graphs(model: Remembering, prepared: dict[str, base.Shape]) -> dict[str, base.Graph]:
    """The graphs "encode" and "plan", but for what of the first is each family's own: see `prepared`."""
    config = model.config
    given = base.encode_inputs(config) | (base.groove_inputs(config) if model.hears_grooves else {})
    known = prepared | known_shapes(model, "B") | {"key": ("B", config.heads * KEY)}
    known |= {"sketch": ("B", "S", config.voices)}
    return {
        "encode": base.Graph(_Encode(model), given, known),
        "plan": base.Graph(_Plan(model), base.plan_inputs(config), {"fill": ("B", 1)}),
    }


def known_shapes(model: Remembering, bars: str) -> dict[str, base.Shape]:
    """What "encode" gives of each bar and "bar" is given, in every family; see `remember`."""
    config = model.config
    known: dict[str, base.Shape] = {
        "asking": (bars, config.heads * KEY, config.heads),
        "beside": (bars, 2 if model.hears_grooves else 1, config.heads),
        "carrying": (bars, 4 * config.played),
    }
    return known | ({"struck": (bars, "S", model.groove)} if model.hears_grooves else {})


def bar_inputs(model: Remembering, prepared: dict[str, base.Shape]) -> dict[str, base.Shape]:
    """What the graph "bar" is given."""
    config = model.config
    return {
        "keys": ("n", "M", config.heads * KEY),
        "distance": ("n", "M"),
        "past": ("n", "M", "S", config.voices),
        "past_velocity": ("n", "M", "S", config.voices),
        "last": ("n", LAST, "S", config.voices),
        "last_velocity": ("n", "S", config.voices),
        "last_distance": ("n", LAST),
        "last_rows": ("n", "K"),
        "state": ("n", model.state_size),
        **known_shapes(model, "n"),
        **prepared,
    }


def known(model: Remembering, overheard: Tensor, contents: Tensor, given: Tensor) -> tuple[Tensor, ...]:
    """What `remember` is given of m bars, in the order of `known_shapes`; given (m, S, G)."""
    heads = model.config.heads
    query = functional.normalize(model.query(contents).reshape(-1, heads, KEY), dim=-1) * model.sharpness.exp()[:, None]
    apart = torch.eye(heads, device=query.device)[:, None]
    asking = (query[..., None] * apart).reshape(-1, heads * KEY, heads)
    of_input, _, of_one, bias = (parameter for _, parameter in model.carry.named_parameters())
    _, of_bar = torch.split(of_input, [PLAYED, model.config.bar], 1)
    own, _ = torch.split(overheard, [model.config.bar, model.overheard - model.config.bar], -1)
    carrying = functional.linear(own, of_bar, of_one + bias)
    if not model.hears_grooves:
        return asking, model.nothing + torch.zeros_like(own[:, :1, None]), carrying
    missing = torch.tensor([[0.0], [NEVER]], device=query.device) * (1 - given[:, 0, -1:, None])
    return asking, torch.stack([model.nothing, model.slot]) + missing, carrying, given[..., -model.groove :]


def remember(
    model: Remembering, keys: Tensor, distance: Tensor, past: Tensor, past_velocity: Tensor,
    last: Tensor, last_velocity: Tensor, last_rows: Tensor, carried: Tensor,
    asking: Tensor, beside: Tensor, carrying: Tensor, struck: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """What is known of n bars when all bars before them were played.

    Bars at the end of a memory whose distance is 0 change nothing, not even the last digit. So songs that remember
    different numbers of bars may be computed together; see `play.ensemble`.

    carried (n, 2P): of the state, what goes from bar to bar. asking (n, A KEY, A): the query of each head in a
    column of its own. beside (n, ·, A): the scores of nothing and of the groove. carrying (n, 4P): what the bar
    itself adds to the gates of `carry`. struck (n, S, 2V + 1): the groove's hits, its velocities, and 1 where there
    is one. The others are those of `bar_inputs`.

    Returns the drums of LAGS and those recalled (n, S, (3 + A)V), how loud the bars remembered and the bar before
    were (n, S, ·), and what is carried on.
    """
    voices, size = model.config.voices, past.shape[2]
    # 1. What is carried from bar to bar.
    h, c = torch.split(carried, model.config.played, -1)
    of_input, of_state, *_ = (parameter for _, parameter in model.carry.named_parameters())
    layer: Any = model.drum_bar
    drums = layer[1:](layer[0].of_hits(last_rows))
    of_drums, _ = torch.split(of_input, [PLAYED, model.config.bar], 1)
    gates = carrying + functional.linear(drums, of_drums) + functional.linear(h, of_state)
    h, c = layers.lstm_gated(gates, c)
    # 2. The bars remembered, as they were played and how loud.
    weight = remembered(model, keys, distance, asking, beside)
    bars, shape = weight[..., 2 if model.hears_grooves else 1 :], (past.shape[0], past.shape[1], -1)
    recalled = bars @ past.reshape(shape)
    # Of all heads first: a single row would be summed in an order that depends on how many bars there are.
    louder = (bars @ past_velocity.reshape(shape)).mean(1, keepdim=True)
    loud = [last_velocity]
    if struck is not None:
        groove = weight[..., 1:2]
        hits, velocity, _ = torch.split(struck, [voices, voices, 1], -1)
        recalled = recalled + groove * hits.flatten(1)[:, None]
        louder = louder + groove.mean(1, keepdim=True) * velocity.flatten(1)[:, None]
        loud.append(velocity)
    # 3. Beside them the last bars.
    lags = last[:, [LAST - lag for lag in LAGS]]
    drums = torch.cat([lags, recalled.reshape(-1, model.config.heads, size, voices)], 1)
    echo = torch.cat([louder.reshape(-1, size, voices), *loud], -1)
    return drums.transpose(1, 2).flatten(2), echo, torch.cat([h, c], -1)


def remembered(model: Remembering, keys: Tensor, distance: Tensor, asking: Tensor, beside: Tensor) -> Tensor:
    """`weights` of one bar of each song, by queries and keys that are made ready, those of `beside` first."""
    back = torch.arange(MEMORY_BARS + 1, dtype=torch.int32, device=keys.device)
    biases = model.bias(back) + torch.where(back == 0, NEVER, 0.0)[:, None]
    score = keys @ asking + biases[distance.clamp(0, MEMORY_BARS)]
    return torch.softmax(torch.cat([beside, score], 1).transpose(1, 2), -1)


def _heard(model: Remembering, guitar: Tensor, bars: Tensor, summary: Tensor) -> Tensor:
    """What the guitar alone tells of each bar of a song, (B, ·)."""
    vectors = model.vectors(guitar, bars)
    around = model.around(vectors[None], torch.ones_like(vectors[None, :, 0]))[0]
    whole = model.part_summary(summary).expand(vectors.shape[0], -1)
    return torch.cat([vectors, around, whole], -1)


class _Plan(base.GraphModule[Remembering]):
    def forward(self, guitar: Tensor, bars: Tensor, summary: Tensor) -> Tensor:
        return self.model.breaks(_heard(self.model, guitar, bars, summary))


class _Encode(base.GraphModule[Remembering]):
    def forward(
        self, guitar: Tensor, clock: Tensor, steps: Tensor, bars: Tensor, summary: Tensor, conditions: Tensor,
        groove: Tensor | None = None, grooved: Tensor | None = None,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        model = self.model
        overheard = torch.cat([_heard(model, guitar, bars, summary), model.wanted(conditions[None])[0]], -1)
        if groove is not None and grooved is not None:
            overheard = torch.cat([overheard, model.drum_bar((groove > 0).to(groove.dtype)) * grooved], -1)
        given, final = model.given(guitar, clock, steps, groove, grooved)
        contents = model.contents(guitar, bars)
        key = functional.normalize(model.key(contents).reshape(-1, model.config.heads, KEY), dim=-1).flatten(1)
        return (
            *model.prepared(given, overheard, final, steps),
            *known(model, overheard, contents, given),
            key,
            model.sketched(given, overheard),
        )
