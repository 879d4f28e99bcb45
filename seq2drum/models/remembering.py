"""Base of families with a guitar reader aligned to steps, and a memory of the bars already played.

Every bar of guitar gets a key. The bar being decoded queries all earlier bars for the drums played to similar guitar,
with a learned bias for distance and a learned "nothing"; the weights mix those bars' own drums step by step. A
bar-level LSTM carries the drums through the song. Families differ in how they decode a bar step by step.

The guitar and the conditions alone also give a sketch of each bar, the logits of hits before anything was played, and
the logit of a fill.

The groove of a section, if given, is one of the remembered bars, with a bias of its own; its hits are mixed with the
prediction, see `layers.Pointer`, in the sketch and step by step.

Attention after D. Bahdanau, K. Cho, Y. Bengio, Neural machine translation by jointly learning to align and translate
(2015), here over bars and with the played drums as values.

Letters of shapes: n pairs, C bars of context, N bars of the pair, m bars of all pairs, M earlier bars, S steps, V
voices, A heads.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.data.batches.batches import PAST, RECENT
from seq2drum.lattice.features import BAND, GUITAR, NEIGHBOURS
from seq2drum.lattice.form import MAX_STEPS
from seq2drum.models import base, layers
from seq2drum.models.layers import BESIDE, PLACE, BarsAround, Dropout, Flat, Heads, Pointer, Reader, SameDropout
from seq2drum.play.decode.engine import LAST
from seq2drum.play.decode.memory import MEMORY_BARS

LAGS = (1, 2, 4)  # distances of bars whose drums are inputs unmixed
NEAR = 40  # bars up to which each distance has a bias; beyond, only whether it is a multiple of 8
KEY = 16  # size of a head's keys
PLAYED = 64  # size of the encoding of a bar of drums
SKETCHER = 160  # hidden units of the sketch
ASKED = 32  # size of the encoding of conditions, of a bar and two bars either side
SKETCHED = 0.3  # weight of the sketch's loss relative to that of the hits
FILLED = 0.3  # weight of the loss of fills
UNKNOWN = 0.7  # velocity of a sampled hit where the drummer has none
NEVER = -1e9
_SHAPE_COLUMNS = GUITAR.without("pitch_classes")


@dataclass(frozen=True)
class Config(base.Config):
    """Sizes of the layers.

    hidden: states from which hits are drawn. reader: the guitar reader, per direction. bar: a bar's vector. played: the
    state carried from bar to bar. heads: of the bar memory. band: the inputs of a step of the band; 0 in a model that
    hears the guitar alone.
    """

    hidden: int = 256
    reader: int = 96
    bar: int = 96
    played: int = 128
    heads: int = 4
    dropout: float = 0.1
    band: int = BAND.size


class Known(NamedTuple):
    """The encoding of bars before their first step is decoded.

    given (m, S, G): guitar, clock and groove of each step. final (m, 2R): of the guitar, read to both ends. knowledge
    (m, ·): of the bar. recalled (m, S, (3 + A)V): the drums of LAGS and of the bars remembered, at each step.
    """

    given: Tensor
    final: Tensor
    knowledge: Tensor
    recalled: Tensor


class Remembering(base.Family):
    """Guitar aligned step by step, bar memory, sketch, plan of fills. See the module's text."""

    unit = "song"

    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        voices, hidden, bar, heads = config.voices, config.hidden, config.bar, config.heads
        self.place = nn.Embedding(MAX_STEPS, PLACE)
        self.part_summary = nn.Sequential(
            Dropout(0.1), nn.Linear(config.summary, 64), nn.ReLU(), Dropout(0.2), nn.Linear(64, 32)
        )
        # 1. The guitar, step by step and bar by bar.
        self.reader = Reader(config.guitar + config.clock + PLACE + config.band, config.reader)
        self.bar_shape = Flat(MAX_STEPS, len(_SHAPE_COLUMNS), 160)
        self.bar_rest = nn.Linear(GUITAR.widths["pitch_classes"] + config.bars, 160)
        self.bar_vector = nn.Sequential(nn.ReLU(), nn.Linear(160, bar))
        self.around = BarsAround(bar)
        # 2. The drums already played.
        self.drum_bar = nn.Sequential(Flat(MAX_STEPS, voices, 128), nn.ReLU(), nn.Linear(128, PLAYED))
        self.carry = nn.LSTM(PLAYED + bar, config.played, batch_first=True)
        # 3. The bar memory recognises a bar by its guitar, not by its position. Query and key
        # begin equal, so that from the first step on a bar remembers the bars that are like it.
        self.content = nn.Sequential(Flat(MAX_STEPS, len(_SHAPE_COLUMNS), 128), nn.ReLU(), nn.Linear(128, 64))
        self.content_chroma = nn.Linear(GUITAR.widths["pitch_classes"], 64)
        self.content_beside = nn.Linear(NEIGHBOURS.stop - NEIGHBOURS.start, 64)
        self.query = nn.Linear(64, heads * KEY)
        self.key = nn.Linear(64, heads * KEY)
        self.key.load_state_dict(self.query.state_dict())
        self.sharpness = nn.Parameter(torch.full((heads,), 1.5))
        self.distance = nn.Embedding(NEAR + 3, heads)
        self.nothing = nn.Parameter(torch.zeros(heads))
        # 4. One bar, step by step.
        self.groove = 2 * voices + 1 if self.hears_grooves else 0  # numbers of a step's groove: hits, velocities, 1
        self.given_size = 2 * config.reader + config.clock + PLACE + self.groove
        self.overheard = 2 * bar + 32 + ASKED + (PLAYED if self.hears_grooves else 0)
        given, overheard = self.given_size, self.overheard
        recalled = (len(LAGS) + heads) * voices
        knowledge = overheard + config.played
        self.build(given + recalled, knowledge)
        self.echo = 3 * voices if self.hears_grooves else 2 * voices
        self.heads = Heads(hidden, voices, self.echo, config.dropout)
        # 5. Conditions, and predictions from the guitar alone.
        self.asked = nn.Conv1d(config.asked, ASKED, 2 * BESIDE + 1, padding=BESIDE)
        self.sketch_steps = nn.Linear(given, SKETCHER)
        self.sketch_bar = nn.Linear(overheard, SKETCHER)
        self.sketch_hits = nn.Linear(SKETCHER, voices)
        nn.init.constant_(self.sketch_hits.bias, -4.0)
        self.breaks = nn.Sequential(nn.Linear(2 * bar + 32, 64), nn.ReLU(), nn.Linear(64, 1))
        self.dropout = SameDropout(config.dropout)
        # 6. The groove.
        if self.hears_grooves:
            self.slot = nn.Parameter(torch.ones(heads))
            self.pointer, self.sketch_pointer = Pointer(hidden, voices), Pointer(SKETCHER, voices)

    # --- defined by each family
    # -------------------------------------------------------------------------------------------

    @abstractmethod
    def build(self, given: int, knowledge: int) -> None:
        """Make the layers that play a bar. given: numbers known of each step, knowledge: of the bar, see `Known`."""

    @abstractmethod
    def decoded(self, known: Known, previous: Tensor, recent: Tensor, batch: Any) -> Tensor:
        """(m, S, H): hidden states of a batch's m bars, given the true hits before each step.

        previous (m, S, V): the hits of the step before. recent (n, PAST + N, S, V): the remembered drums.
        """

    def silence(self) -> Tensor:
        # In training a song's first bar has as many bars of nothing before it as the memory holds.
        nothing = torch.zeros(1, PAST, self.carry.input_size, device=self.nothing.device)
        with torch.no_grad():
            _, (h, c) = self.carry(nothing)
        own = torch.zeros(self.state_size - 2 * self.config.played, device=h.device)
        return torch.cat([own, h[0, 0], c[0, 0]])

    # --- computed by the graphs, and by training the same way ------------------------------------------------------

    def given(
        self,
        guitar: Tensor,
        clock: Tensor,
        steps: Tensor,
        band: Tensor | None,
        groove: Tensor | None,
        grooved: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Guitar and clock of m bars (m, S, ·) -> encoding of each step (m, S, G), the bars' final states.

        band (m, S, ·): the band of each step, for a model that hears it. groove (m, S, V): velocities of the groove of
        each bar; grooved (m, 1): 1 where there is one. Both come last.
        """
        size = guitar.shape[1]
        place = self.place(torch.arange(size, device=guitar.device).clamp(max=MAX_STEPS - 1))
        clock = torch.cat([clock, place.expand(guitar.shape[0], size, PLACE)], -1)
        sounding = [guitar, clock] if band is None or not self.config.band else [guitar, clock, band]
        aligned, final = self.reader(torch.cat(sounding, -1), steps)
        known = [aligned, clock]
        if groove is not None and grooved is not None and self.hears_grooves:
            known += [(groove > 0).to(groove.dtype), groove, grooved[:, None].expand(-1, size, -1)]
        return torch.cat(known, -1), final

    def vectors(self, guitar: Tensor, bars: Tensor) -> Tensor:
        """Guitar (..., S, ·) and bar features (..., ·) -> a vector for each bar (..., bar)."""
        shape = self.bar_shape(guitar[..., _SHAPE_COLUMNS])
        chroma = guitar[..., GUITAR["pitch_classes"]].sum(-2) / 4
        return self.bar_vector(shape + self.bar_rest(torch.cat([chroma, bars], -1)))

    def contents(self, guitar: Tensor, bars: Tensor) -> Tensor:
        """Guitar (..., S, ·) and bar features (..., ·) -> content of a bar for keys and queries, (..., 64)."""
        shape = self.content(guitar[..., _SHAPE_COLUMNS])
        chroma = self.content_chroma(guitar[..., GUITAR["pitch_classes"]].sum(-2) / 4)
        return shape + chroma + self.content_beside(bars[..., NEIGHBOURS])

    def wanted(self, conditions: Tensor) -> Tensor:
        """Conditions (n, C, ·) -> their encoding with the bars beside each, (n, C, ASKED)."""
        return functional.relu(self.asked(conditions.transpose(1, 2))).transpose(1, 2)

    def sketched(self, given: Tensor, overheard: Tensor) -> Tensor:
        """Encodings of steps (m, S, G) and of bars without their drums (m, ·) -> logits of hits (m, S, V)."""
        hidden = functional.relu(self.sketch_steps(given) + self.sketch_bar(overheard)[:, None])
        logits: Tensor = self.sketch_hits(hidden)
        return logits + self.sketch_pointer(hidden, *self.pointed(given)) if self.hears_grooves else logits

    def pointed(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """The groove's hits (..., V), and 1 where it is given (..., 1), from encodings of steps (..., G)."""
        groove = given[..., -self.groove :]
        return groove[..., : self.config.voices], groove[..., -1:]

    def weights(self, query: Tensor, keys: Tensor, distance: Tensor, grooved: Tensor) -> Tensor:
        """Queries (n, N, A*KEY), keys (n, M, A*KEY), distance (n, N, M) in bars, 0 where there is nothing to remember.

        grooved (n, N): 1 where there is a groove. Returns (n, A, N, 1 + M): how much the groove and each earlier bar is
        remembered; the rest to 1 is "nothing". From a model that hears no grooves (n, A, N, M).
        """
        heads = self.config.heads
        q, k = (functional.normalize(x.reshape(x.shape[0], -1, heads, KEY), dim=-1) for x in (query, keys))
        bias = self.bias(distance).permute(0, 3, 1, 2)
        score = torch.einsum("nqhd,nkhd->nhqk", q, k).float() * self.sharpness.exp()[:, None, None] + bias
        score = score.masked_fill((distance == 0)[:, None], NEVER)
        nothing = self.nothing[None, :, None, None].expand(score.shape[0], -1, score.shape[2], 1)
        if self.hears_grooves:
            slot = self.slot[None, :, None, None].expand_as(nothing)
            slot = slot.masked_fill((grooved == 0)[:, None, :, None], NEVER)
            nothing = torch.cat([nothing, slot], -1)
        return torch.softmax(torch.cat([nothing, score], -1), -1)[..., 1:]

    def bias(self, distance: Tensor) -> Tensor:
        """(..., A): each head's bias on the score of bars by their distance (...)."""
        far = NEAR + 1 + (distance % 8 == 0).long()
        biases: Tensor = self.distance(torch.where(distance <= NEAR, distance, far))
        return biases

    def recalled(self, weight: Tensor, past: Tensor, groove: Tensor) -> Tensor:
        """Weights (n, A, N, ·), remembered bars (n, M, S, V), grooves (n, N, S, V) -> mixtures (n, N, S, A, V).

        A model without grooves mixes the bars alone.
        """
        if not self.hears_grooves:
            return torch.einsum("nhqk,nksv->nqshv", weight, past)
        mixed = torch.einsum("nhqk,nksv->nqshv", weight[..., 1:], past)
        return mixed + torch.einsum("nhq,nqsv->nqshv", weight[..., 0], groove)

    # --- training ----------------------------------------------------------------------------------------------------

    def hidden_states(self, batch: Any, played: Tensor | None = None) -> _HiddenStates:
        """Read the guitar of a batch's pairs, and decode their true drums.

        played (n, N, S, V): drums to remember in place of the pairs' own.
        """
        # 1. The visible drums of the bars before.
        n, count = batch.offset.shape[:2]
        inside = slice(PAST, PAST + count)
        keep, keep_recent, keep_last = batch.keep.unbind(1)
        seen = keep[:, None, None, None] * batch.shown[:, None, None]
        target, drums, velocity = batch.drums[:, inside], batch.drums, batch.velocity
        if played is not None:
            drums = torch.cat([drums[:, :PAST], played], 1)
            velocity = torch.where((drums > 0) & (velocity == 0), UNKNOWN, velocity) * drums
        last = layers.last_steps(drums[:, PAST - 1 :], batch.steps[:, PAST - 1 : inside.stop])
        drums, velocity = drums * seen, velocity * seen
        far_drums, far_velocity = batch.far_drums * seen, batch.far_velocity * seen
        recent = drums * keep_recent[:, None, None, None]
        # 2. A vector for each bar, and the state carried to it.
        vectors = self.vectors(batch.guitar, batch.bars)
        guitar, own = batch.guitar[:, inside], vectors[:, : inside.stop]
        bars, wanted = batch.bars[:, inside], self.wanted(batch.conditions)[:, inside]
        if batch.expected_guitar.shape[1]:
            guitar, bars = batch.expected_guitar[:, inside], batch.expected_bars[:, inside]
            own = self.vectors(batch.expected_guitar, batch.expected_bars)
            around = self.around.before(own[:, inside], vectors, batch.exists, batch.hidden, PAST)
            known_asked = layers.windows(batch.conditions, PAST, count, BESIDE, batch.hidden).flatten(0, 1)
            wanted = self.wanted(known_asked)[:, BESIDE].unflatten(0, (n, count))
        else:
            around = self.around(vectors, batch.exists)[:, inside]
        here = own[:, inside]
        before = functional.pad(self.drum_bar(recent[:, :-1]), (0, 0, 1, 0))
        there = batch.exists[:, : inside.stop, None].to(before.dtype)
        carried = self.carry(torch.cat([before, own], -1) * there)[0][:, inside]
        # 3. The weight of each earlier bar.
        contents = self.contents(batch.guitar[:, : inside.stop], batch.bars[:, : inside.stop])
        keys = self.key(torch.cat([contents, self.contents(batch.far_guitar, batch.far_bars)], 1))
        number = torch.cat([batch.number[:, : inside.stop], batch.far_number], 1)
        steps = torch.cat([batch.steps[:, : inside.stop], batch.far_steps], 1)
        exists = torch.cat([batch.exists[:, : inside.stop], batch.far_exists], 1)
        distance = batch.number[:, inside, None] - number[:, None]
        same = batch.steps[:, inside, None] == steps[:, None]
        shown = (distance > RECENT) | (keep_recent[:, None, None] > 0)
        distance = distance.clamp(min=0) * (same & shown & exists[:, None])
        asking = self.contents(guitar, bars) if batch.expected_guitar.shape[1] else contents[:, inside]
        weight = self.weights(self.query(asking), keys, distance, batch.grooved)
        # 4. The drums of the remembered bars, and of the last ones.
        memory = torch.cat([drums, far_drums], 1)  # (n, M, S, V)
        groove = (batch.groove > 0).to(memory.dtype)
        recalled = self.recalled(weight, memory, groove).flatten(-2)  # (n, N, S, A*V)
        louder = self.recalled(weight.mean(1, keepdim=True), torch.cat([velocity, far_velocity], 1), batch.groove)
        lags = torch.cat([recent[:, PAST - lag : PAST - lag + count] for lag in LAGS], -1)
        echo = torch.cat([louder[..., 0, :], velocity[:, PAST - 1 : PAST - 1 + count]], -1)
        # 5. The encoding of each bar and of its steps.
        summary = self.part_summary(batch.summary)[:, None].expand(-1, count, -1)
        heard = torch.cat([here, around, summary], -1)
        overheard = torch.cat([heard, wanted], -1)
        if self.hears_grooves:
            echo = torch.cat([echo, batch.groove], -1)
            overheard = torch.cat([overheard, self.drum_bar(groove) * batch.grooved[..., None]], -1)
        knowledge = torch.cat([overheard, carried], -1)
        given, final = self.given(
            guitar.flatten(0, 1),
            batch.clock.flatten(0, 1),
            batch.steps[:, inside].flatten().clamp(1, target.shape[2]),
            batch.band.flatten(0, 1),
            batch.groove.flatten(0, 1),
            batch.grooved.flatten()[:, None],
        )
        known = Known(given, final, knowledge.flatten(0, 1), torch.cat([lags, recalled], -1).flatten(0, 1))
        # 6. The true drums, step by step.
        previous = torch.cat([last[:, :-1, None], target[:, :, :-1]], 2) * keep_last[:, None, None, None]
        hidden = self.decoded(known, previous.flatten(0, 1), recent, batch).unflatten(0, (n, count))
        return _HiddenStates(target, hidden, echo, given.unflatten(0, (n, count)), heard, overheard)

    def losses(self, batch: Any) -> dict[str, Tensor]:
        count, size = batch.offset.shape[1:3]
        inside = slice(PAST, PAST + count)
        target, hidden, echo, given, heard, overheard = self.hidden_states(batch, self.played(batch))
        place = torch.arange(size, device=target.device)
        valid = (place < batch.steps[:, inside, None]) & batch.in_pair[..., None]
        bars = batch.in_pair.sum()
        pulled = self.pointer(hidden, *self.pointed(given)) if self.hears_grooves else 0.0
        figures = self.heads.losses(hidden, target, batch.velocity[:, inside], batch.offset, valid, bars, echo, pulled)
        sketch = self.sketched(given.flatten(0, 1), overheard.flatten(0, 1)).unflatten(0, given.shape[:2])
        sketch_nats = layers.hit_nats(sketch, target, valid)
        breaks = functional.binary_cross_entropy_with_logits(
            self.breaks(heard)[..., 0].float(), batch.fill, reduction="none"
        )
        fill_nats = (breaks * batch.in_pair).sum()
        figures["loss"] = figures["loss"] + (SKETCHED * sketch_nats + FILLED * fill_nats) / bars
        return figures | {"sketch": sketch_nats, "fill": fill_nats}

    def hit_logits(self, batch: Any) -> Tensor:
        seen = self.hidden_states(batch)
        pulled = self.pointer(seen.hidden, *self.pointed(seen.given)) if self.hears_grooves else 0.0
        return self.heads.hit_logits(seen.hidden, seen.target, pulled)

    # --- playing -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def prepared(self, given: Tensor, overheard: Tensor, final: Tensor, steps: Tensor) -> tuple[Tensor, ...]:
        """Outputs of the family's own layers for m bars that do not depend on drums.

        given (m, S, G), overheard (m, ·), final (m, 2R): see `Known`; steps (m,): their lengths.
        """


class _HiddenStates(NamedTuple):
    """A batch's pairs as they are read and decoded: n pairs of N bars of S steps.

    target (n, N, S, V): the true hits. hidden (n, N, S, H): states that give their logits. echo (n, N, S, 2V): loudness
    of the remembered bars and of the bar before. given (n, N, S, G): guitar and clock. heard (n, N, ·): encodings of
    bars from the guitar alone; overheard (n, N, ·): with conditions.
    """

    target: Tensor
    hidden: Tensor
    echo: Tensor
    given: Tensor
    heard: Tensor
    overheard: Tensor


def listening_graphs(model: Remembering, prepared: dict[str, base.Shape]) -> dict[str, base.Graph]:
    """The graphs "encode" and "plan"; prepared: shapes of the family's own outputs of the first."""
    config = model.config
    given = base.encode_inputs(config) | _optional_inputs(model)
    known = prepared | known_shapes(model, "B") | {"key": ("B", config.heads * KEY)}
    known |= {"sketch": ("B", "S", config.voices)}
    return {
        "encode": base.Graph(_Encode(model), given, known),
        "plan": base.Graph(_Plan(model), base.plan_inputs(config), {"fill": ("B", 1)}),
    }


def _optional_inputs(model: Remembering) -> dict[str, base.Shape]:
    """Inputs of the graph "encode" that only some models have, in its order."""
    band: dict[str, base.Shape] = {"band": ("B", "S", model.config.band)} if model.config.band else {}
    return band | (base.groove_inputs(model.config) if model.hears_grooves else {})


def known_shapes(model: Remembering, bars: str) -> dict[str, base.Shape]:
    """Shapes of the tensors that "encode" returns and "bar" takes in every family; see `remember`."""
    config = model.config
    known: dict[str, base.Shape] = {
        "asking": (bars, config.heads * KEY, config.heads),
        "beside": (bars, 2 if model.hears_grooves else 1, config.heads),
        "carrying": (bars, 4 * config.played),
    }
    return known | ({"struck": (bars, "S", model.groove)} if model.hears_grooves else {})


def bar_inputs(model: Remembering, prepared: dict[str, base.Shape]) -> dict[str, base.Shape]:
    """Inputs of the graph "bar"."""
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
    """Inputs of `remember` for m bars, in the order of `known_shapes`; given (m, S, G)."""
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
    """The memory of n bars after all bars before them were played.

    Bars of distance 0 at the end of a memory change nothing, not even the last digit, so songs with memories of
    different lengths share a batch; see `play.decode.ensemble`.

    carried (n, 2P): the part of the state that goes from bar to bar. asking (n, A KEY, A): the query of each head in a
    column of its own. beside (n, ·, A): the scores of nothing and of the groove. carrying (n, 4P): what the bar
    itself adds to the gates of `carry`. struck (n, S, 2V + 1): the groove's hits, its velocities, and 1 where there
    is one. The others are those of `bar_inputs`.

    Returns the drums of LAGS and the recalled ones (n, S, (3 + A)V), the loudness of the remembered bars and of the bar
    before (n, S, ·), and the state to carry on.
    """
    voices, size = model.config.voices, past.shape[2]
    # 1. The state carried from bar to bar.
    h, c = torch.split(carried, model.config.played, -1)
    of_input, of_state, *_ = (parameter for _, parameter in model.carry.named_parameters())
    layer: Any = model.drum_bar
    drums = layer[1:](layer[0].of_hits(last_rows))
    of_drums, _ = torch.split(of_input, [PLAYED, model.config.bar], 1)
    gates = carrying + functional.linear(drums, of_drums) + functional.linear(h, of_state)
    h, c = layers.lstm_gated(gates, c)
    # 2. Hits and loudness of the remembered bars.
    weight = remembered(model, keys, distance, asking, beside)
    bars, shape = weight[..., 2 if model.hears_grooves else 1 :], (past.shape[0], past.shape[1], -1)
    recalled = bars @ past.reshape(shape)
    # Over all heads first: the order of a single row's sum would depend on the number of bars.
    louder = (bars @ past_velocity.reshape(shape)).mean(1, keepdim=True)
    loud = [last_velocity]
    if struck is not None:
        groove = weight[..., 1:2]
        hits, velocity, _ = torch.split(struck, [voices, voices, 1], -1)
        recalled = recalled + groove * hits.flatten(1)[:, None]
        louder = louder + groove.mean(1, keepdim=True) * velocity.flatten(1)[:, None]
        loud.append(velocity)
    # 3. The last bars.
    lags = last[:, [LAST - lag for lag in LAGS]]
    drums = torch.cat([lags, recalled.reshape(-1, model.config.heads, size, voices)], 1)
    echo = torch.cat([louder.reshape(-1, size, voices), *loud], -1)
    return drums.transpose(1, 2).flatten(2), echo, torch.cat([h, c], -1)


def remembered(model: Remembering, keys: Tensor, distance: Tensor, asking: Tensor, beside: Tensor) -> Tensor:
    """`weights` of one bar of each song, from precomputed queries and keys, those of `beside` first."""
    back = torch.arange(MEMORY_BARS + 1, dtype=torch.int32, device=keys.device)
    biases = model.bias(back) + torch.where(back == 0, NEVER, 0.0)[:, None]
    score = keys @ asking + biases[distance.clamp(0, MEMORY_BARS)]
    return torch.softmax(torch.cat([beside, score], 1).transpose(1, 2), -1)


def _heard(model: Remembering, guitar: Tensor, bars: Tensor, summary: Tensor) -> Tensor:
    """(B, ·): the encoding of each bar of a song from its guitar alone."""
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
        *more: Tensor,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        model = self.model
        named = dict(zip(_optional_inputs(model), more, strict=True))
        band, groove, grooved = (named.get(name) for name in ("band", "groove", "grooved"))
        overheard = torch.cat([_heard(model, guitar, bars, summary), model.wanted(conditions[None])[0]], -1)
        if groove is not None and grooved is not None:
            overheard = torch.cat([overheard, model.drum_bar((groove > 0).to(groove.dtype)) * grooved], -1)
        given, final = model.given(guitar, clock, steps, band, groove, grooved)
        contents = model.contents(guitar, bars)
        key = functional.normalize(model.key(contents).reshape(-1, model.config.heads, KEY), dim=-1).flatten(1)
        return (
            *model.prepared(given, overheard, final, steps),
            *known(model, overheard, contents, given),
            key,
            model.sketched(given, overheard),
        )
