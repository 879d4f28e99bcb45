"""The task of the step generator: an LSTM that continues drums step by step.

    bars -> windows of eight -> a net over steps -> step.onnx

    python -m seq2drum.learn.generators.step --data groove/ -o runs/step --minutes 25

A share of the windows gets a fill of another performance of its genre and tempo in one of its bars, marked in its
wishes, so the net learns to play fills on request and to come back. A share of the genres is hidden, so it also plays
without one and can be guided (J. Ho, T. Salimans, Classifier-free diffusion guidance, 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.data.drums.beats import SIDES, Beats
from seq2drum.errors import CorpusError
from seq2drum.learn.generators import generating
from seq2drum.learn.generators.generating import wishes_of
from seq2drum.learn.run.task import Logger, Progress, Scalars, StepContext, StepResult, Task
from seq2drum.models.base import Graph, write_graph
from seq2drum.music.choices import LEARNT
from seq2drum.music.notes import IntArray
from seq2drum.play.generators.composer import WISHES
from seq2drum.play.generators.step import FORMAT, HEARD, KIND, BarMemory, before

_QUIETEST, _WIDEST = -4.0, 1.0  # range of the log spread of velocities


@dataclass(frozen=True)
class Config:
    """Sizes of a step's inputs and of the layers."""

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
    """A net that makes bars step by step."""

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

    def hidden_states(
        self, heard: Tensor, wishes: Tensor, place: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> Any:
        """heard (n, T, ·), wishes (n, T, ·), place (T,) -> hidden (n, T, H), the state after the last step."""
        given = torch.relu(self.listen(torch.cat([heard, wishes], -1)) + self.place(place))
        hidden, state = self.lstm(self.dropout(given), state)
        return self.dropout(hidden), state

    def logit(self, first: Tensor, opened: Tensor, before: Tensor, voice: int) -> Tensor:
        """The logit of a voice (...), given `hits` and `open` of a hidden state and the hits (..., voice) before it."""
        known = torch.relu(opened + before @ self.order[:voice])
        return first[..., voice] + known @ self.read[voice] + before @ self.straight[voice, :voice]

    def logits(self, hidden: Tensor, hits: Tensor) -> Tensor:
        """(n, T, V): the logit of each hit, given the true hits of the voices before it."""
        first, opened = self.hits(hidden), self.open(hidden)
        voices = range(self.config.voices)
        return torch.stack([self.logit(first, opened, hits[..., :voice], voice) for voice in voices], -1)

    def felt(self, hidden: Tensor, hits: Tensor) -> tuple[Tensor, Tensor]:
        """(n, T, V) each: centre and spread of velocities, given all hits of the step."""
        middle, spread = self.feel(torch.cat([hidden, hits], -1)).chunk(2, -1)
        return torch.sigmoid(middle), spread.clamp(_QUIETEST, _WIDEST).exp()

    def forward(self, heard: Tensor, wishes: Tensor, place: Tensor, velocity: Tensor) -> tuple[Tensor, Tensor]:
        """(n, T) each: nats of the hits of each step, and of their velocities (n, T, V)."""
        hidden, _ = self.hidden_states(heard, wishes, place)
        hits = (velocity > 0).to(velocity.dtype)
        nats = functional.binary_cross_entropy_with_logits(self.logits(hidden, hits), hits, reduction="none")
        middle, spread = self.felt(hidden, hits)
        away = (velocity - middle) / spread
        return nats.sum(-1), ((away + 2 * functional.softplus(-away) + spread.log()) * hits).sum(-1)


class _Draw(nn.Module):
    """One step of one beat as a graph, with a row for each wish; a weighted sum of their logits is sampled."""

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
        hidden_states, (h, c) = step.hidden_states(
            rows[:, None], wishes[:, None], place, (h[None].contiguous(), c[None].contiguous())
        )
        hidden = hidden_states[:, 0]
        first, opened = step.hits(hidden), step.open(hidden)
        hits = torch.zeros(1, 0)
        for voice in range(step.config.voices):
            before = hits.expand(wishes.shape[0], -1)
            logit = (step.logit(first, opened, before, voice)[:, None] * weights).sum(0, keepdim=True)
            drawn = (uniform[:, voice : voice + 1] < torch.sigmoid(logit * sharpness)).to(logit.dtype)
            hits = torch.cat([hits, drawn], -1)
        middle, spread = step.felt(hidden, hits.expand(wishes.shape[0], -1))
        shares = weights.clamp(min=0) / weights.clamp(min=0).sum()
        return (
            hits,
            (middle * shares).sum(0, keepdim=True),
            (spread * shares).sum(0, keepdim=True),
            torch.cat([h[0], c[0]], -1),
        )


def export(step: Step, folder: Path) -> None:
    """Write the graph `step.onnx`, its weights inside.

    Inputs: heard (1, ·), place (1,), uniform (1, V) and sharpness (1, 1) of the beat; wishes (n, ·), weights (n, 1) and
    state (n, 2H), a row for each mixed wish. Outputs: hits, middle and spread (1, V), and stepped (n, 2H).
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


_NET = "step"
NATS, VELOCITY = "nats_per_bar", "velocity_nats_per_bar"
BARS = 8
PLACES = 24
_FEW = 200  # windows; with fewer, shorter performances are repeated to fill windows
_NEAR = 32  # least number of fills near in tempo


@dataclass(frozen=True)
class Recipe(generating.Recipe):
    """The recipe of a step generator.

    batch: windows. hidden_genres: share of windows without a genre. fills: share with a fill put in. velocity: weight
    of a nat of velocity relative to one of hits.
    """

    rate: float = 3e-3
    batch: int = 32
    weight_decay: float = 0.03
    hidden_genres: float = 0.15
    fills: float = 0.3
    velocity: float = 0.3


class Batch(NamedTuple):
    """Some windows: heard (n, T, HEARD), wishes (n, T, WISHES), velocity (n, T, 9)."""

    heard: NDArray[np.float32]
    wishes: NDArray[np.float32]
    velocity: NDArray[np.float32]


class Windows:
    """The windows of one side of some bars. rows (m, BARS): of their bars."""

    def __init__(self, beats: Beats, side: str, hop: int) -> None:
        self.beats = beats = beats.select(beats.side == SIDES.index(side))
        self.rows = _rows(beats, hop)
        self.wishes = wishes_of(beats.genre, beats.bpm, np.zeros_like(beats.fill))  # `batch` puts fills in
        fills = np.flatnonzero(beats.fill & (beats.velocity > 0).any(axis=(1, 2)))
        self.fills = {genre: fills[beats.genre[fills] == genre] for genre in set(beats.genre[fills].tolist())}
        self.every_fill = fills

    def batch(self, which: IntArray, rng: np.random.Generator, hidden: float, fills: float) -> Batch:
        """A batch of windows; shares of them have their genre hidden, and a fill in one of their bars."""
        rows = self.rows[which].copy()
        is_fill = np.zeros(rows.shape, dtype=bool)
        for window in np.flatnonzero(rng.random(len(rows)) < fills):
            if (fill := self._fill(rows[window, 0], rng)) is not None:
                bar = int(rng.integers(BARS))
                rows[window, bar], is_fill[window, bar] = fill, True
        wishes = np.repeat(self.wishes[self.rows[which]], PLACES, axis=1).astype(np.float32)
        wishes[..., -1] = np.repeat(is_fill, PLACES, axis=1)
        wishes[rng.random(len(rows)) < hidden, :, : len(LEARNT)] = 0
        velocity = self.beats.velocity[rows]
        return Batch(heard_of(velocity, is_fill), wishes, velocity.reshape(len(rows), BARS * PLACES, -1))

    def _fill(self, row: int, rng: np.random.Generator) -> int | None:
        """A row of a fill that suits a performance: of its genre if any, and near in tempo."""
        fills = self.fills.get(int(self.beats.genre[row]), self.every_fill)
        if not len(fills):
            return None
        apart = np.abs(np.log(self.beats.bpm[fills] / self.beats.bpm[row]))
        return int(rng.choice(fills[np.argsort(apart, kind="stable")[:_NEAR]]))


def _rows(beats: Beats, hop: int) -> IntArray:
    first = beats.windows(BARS, hop)
    rows = first[:, None] + np.arange(BARS)
    if len(rows) >= _FEW:
        return rows
    short = []
    for performance in np.unique(beats.performance[~beats.fill]):
        own = np.flatnonzero(beats.performance == performance)
        if len(own) < BARS:
            short += [own[(start + np.arange(BARS)) % len(own)] for start in range(len(own))]
    return np.concatenate([rows, np.array(short, dtype=np.int64).reshape(-1, BARS)])


def heard_of(velocity: NDArray[np.float32], is_fill: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Bars (n, B, places, 9), fills (n, B) -> the input of each step, (n, B * places, HEARD)."""
    n, bars, places, voices = velocity.shape
    memory, remembered = BarMemory(n, places), []
    for bar in range(bars):
        remembered.append(memory.heard())
        memory.keep(velocity[:, bar], is_fill[:, bar])
    steps = velocity.reshape(n, bars * places, voices)
    previous = before(np.concatenate([np.zeros((n, 1, voices), np.float32), steps[:, :-1]], axis=1))
    return np.concatenate([previous, np.concatenate(remembered, axis=1)], axis=2)


class StepTask(Task[IntArray, Batch]):
    """The task of the step generator, from windows of the train side, validated on the validation side."""

    unit = "bars"
    criterion = NATS

    recipe: Recipe

    def __init__(self, beats: Beats, recipe: Recipe, say: Callable[[str], None]) -> None:
        self.recipe, self.say, self.beats = recipe, say, beats
        self.sides = {"train": Windows(beats, "train", 1), "validation": Windows(beats, "validation", BARS // 2)}
        if not len(self.sides["train"].rows):
            raise CorpusError("there are no drums to learn from; wanted bars in 4/4 that are not fills")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.net = Step(Config(HEARD, WISHES, PLACES))
        self.models = {_NET: self.net}
        weights = self.net.parameters()
        self.optimizers = {_NET: torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=recipe.weight_decay)}

    def epoch(self, number: int, processes: int) -> list[IntArray]:
        """All windows once, in random order; an incomplete last batch is dropped."""
        rng = np.random.default_rng([self.recipe.seed, 1, number])
        return generating.batches(rng.permutation(len(self.sides["train"].rows)), self.recipe.batch * processes)

    def prepare(self, item: IntArray, epoch: int, index: int, *, rank: int, processes: int) -> Batch:
        rng = np.random.default_rng([self.recipe.seed, 2, epoch, index, rank])
        return self.sides["train"].batch(item[rank::processes], rng, self.recipe.hidden_genres, self.recipe.fills)

    def step(self, batch: Batch, context: StepContext) -> StepResult:
        net = context.models[_NET]
        nats, velocity = self.nats(net, batch, context.device)
        context.update(_NET, nats + self.recipe.velocity * velocity)
        bars = int(context.total(torch.tensor(float(len(batch.heard) * BARS), device=context.device)))
        return StepResult(bars, {NATS: float(nats.detach()), VELOCITY: float(velocity.detach())})

    def nats(self, net: Any, batch: Batch, device: Any) -> tuple[Tensor, Tensor]:
        """Nats a bar of hits, and of velocities."""
        heard, wishes, velocity = (torch.from_numpy(array).to(device) for array in batch)
        place = torch.arange(BARS * PLACES, device=device) % PLACES
        hits, feel = net(heard, wishes, place, velocity)
        return hits.sum(1).mean() / BARS, feel.sum(1).mean() / BARS

    @torch.no_grad()
    def validate(self) -> Scalars:
        """Nats a bar of unseen windows, given their genre, without fills put in."""
        side = self.sides["validation"]
        if not len(side.rows):
            return {}
        self.net.eval()
        rng, device = np.random.default_rng(0), next(self.net.parameters()).device
        rows = generating.batches(np.arange(len(side.rows)), min(128, len(side.rows)))
        both = [self.nats(self.net, side.batch(some, rng, 0, 0), device) for some in rows]
        hits, velocity = np.array([[float(one) for one in pair] for pair in both]).mean(axis=0)
        return {NATS: float(hits), VELOCITY: float(velocity)}

    def show(self, progress: Progress, logger: Logger | None, *, last: bool) -> None:
        generating.show(self, progress, logger, self.say)

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write the checkpoint that `play.generators.step` loads."""
        folder.mkdir(parents=True, exist_ok=True)
        export(self.net, folder)
        config = {"config": self.net.config.as_dict(), "parameters": generating.parameters(self.net)}
        generating.write(folder, KIND, FORMAT, ("step.onnx",), self.beats, {**config, **about})


if __name__ == "__main__":
    raise SystemExit(generating.main("step"))
