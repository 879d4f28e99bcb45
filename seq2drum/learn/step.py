"""The task of learning how drummers go on, step by step: the step generator, from bars of drums.

    bars -> windows of eight -> a net over steps -> step.onnx

    python -m seq2drum.learn.step --data groove/ -o runs/step --minutes 25

A share of the windows has a fill of another performance of its genre and tempo in one of its bars, and is told so: so
the net learns to play one when asked, and to come back. A share of the genres is hidden: so it plays without one, too,
and can be guided (J. Ho, T. Salimans, Classifier-free diffusion guidance, 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seq2drum.data.beats import SIDES, Beats
from seq2drum.errors import CorpusError
from seq2drum.learn import generating
from seq2drum.learn.generating import wishes_of
from seq2drum.learn.history import Scalars
from seq2drum.learn.task import Board, Done, Gear, Progress, Task
from seq2drum.models.step import Config, Step, export
from seq2drum.music.briefs import GENRES
from seq2drum.music.notes import IntArray
from seq2drum.play.bar_memory import HEARD, BarMemory, before
from seq2drum.play.brief import WISHES
from seq2drum.play.step_player import FORMAT, KIND

_NET = "step"
NATS, VELOCITY = "nats_per_bar", "velocity_nats_per_bar"
BARS = 8
PLACES = 24
_FEW = 200  # windows: with fewer, performances that are shorter are repeated until they are long enough
_NEAR = 32  # fills of a genre that are near enough in tempo


@dataclass(frozen=True)
class Recipe(generating.Recipe):
    """How a step generator is trained.

    batch: windows. hidden_genres: share of the windows that are told none. fills: share that has a fill in it.
    velocity: what a nat of velocity weighs beside one of hits.
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
        self.wishes = wishes_of(beats.genre, beats.bpm, np.zeros_like(beats.fill))  # a fill is put in by `batch`
        fills = np.flatnonzero(beats.fill & (beats.velocity > 0).any(axis=(1, 2)))
        self.fills = {genre: fills[beats.genre[fills] == genre] for genre in set(beats.genre[fills].tolist())}
        self.every_fill = fills

    def batch(self, which: IntArray, rng: np.random.Generator, hidden: float, fills: float) -> Batch:
        """Some windows as a batch; shares of them have their genre hidden, and a fill in one of their bars."""
        rows = self.rows[which].copy()
        is_fill = np.zeros(rows.shape, dtype=bool)
        for window in np.flatnonzero(rng.random(len(rows)) < fills):
            if (fill := self._fill(rows[window, 0], rng)) is not None:
                bar = int(rng.integers(BARS))
                rows[window, bar], is_fill[window, bar] = fill, True
        wishes = np.repeat(self.wishes[self.rows[which]], PLACES, axis=1).astype(np.float32)
        wishes[..., -1] = np.repeat(is_fill, PLACES, axis=1)
        wishes[rng.random(len(rows)) < hidden, :, : len(GENRES)] = 0
        velocity = self.beats.velocity[rows]
        return Batch(heard_of(velocity, is_fill), wishes, velocity.reshape(len(rows), BARS * PLACES, -1))

    def _fill(self, row: int, rng: np.random.Generator) -> int | None:
        """A row of a fill that may stand in a performance: of its genre if there are any, and near in tempo."""
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
    """Bars (n, B, places, 9), and which of them are fills (n, B) -> (n, B * places, HEARD), what each step hears."""
    n, bars, places, voices = velocity.shape
    memory, remembered = BarMemory(n, places), []
    for bar in range(bars):
        remembered.append(memory.heard())
        memory.keep(velocity[:, bar], is_fill[:, bar])
    steps = velocity.reshape(n, bars * places, voices)
    previous = before(np.concatenate([np.zeros((n, 1, voices), np.float32), steps[:, :-1]], axis=1))
    return np.concatenate([previous, np.concatenate(remembered, axis=1)], axis=2)


class Stepping(Task[IntArray, Batch]):
    """Learn from windows of the train side, be validated on those of the validation side."""

    unit = "bars"
    criterion = NATS

    recipe: Recipe

    def __init__(self, beats: Beats, recipe: Recipe, say: Callable[[str], None]) -> None:
        self.recipe, self.say, self.beats = recipe, say, beats
        self.sides = {"train": Windows(beats, "train", 1), "validation": Windows(beats, "validation", BARS // 2)}
        if not len(self.sides["train"].rows):
            raise CorpusError("there are no drums to learn from; wanted bars in 4/4 that are no fills")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.net = Step(Config(HEARD, WISHES, PLACES))
        self.models = {_NET: self.net}
        weights = self.net.parameters()
        self.optimizers = {_NET: torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=recipe.weight_decay)}

    def epoch(self, number: int, processes: int) -> list[IntArray]:
        """All windows once, in any order; what is left over of the last batch is not seen."""
        rng = np.random.default_rng([self.recipe.seed, 1, number])
        return generating.batches(rng.permutation(len(self.sides["train"].rows)), self.recipe.batch * processes)

    def prepare(self, item: IntArray, epoch: int, index: int, *, rank: int, processes: int) -> Batch:
        rng = np.random.default_rng([self.recipe.seed, 2, epoch, index, rank])
        return self.sides["train"].batch(item[rank::processes], rng, self.recipe.hidden_genres, self.recipe.fills)

    def step(self, ready: Batch, gear: Gear) -> Done:
        net = gear.models[_NET]
        nats, velocity = self.nats(net, ready, gear.device)
        gear.update(_NET, nats + self.recipe.velocity * velocity)
        bars = int(gear.total(torch.tensor(float(len(ready.heard) * BARS), device=gear.device)))
        return Done(bars, {NATS: float(nats.detach()), VELOCITY: float(velocity.detach())})

    def nats(self, net: Any, batch: Batch, device: Any) -> tuple[Tensor, Tensor]:
        """Nats a bar of hits, and of velocities."""
        heard, wishes, velocity = (torch.from_numpy(array).to(device) for array in batch)
        place = torch.arange(BARS * PLACES, device=device) % PLACES
        hits, feel = net(heard, wishes, place, velocity)
        return hits.sum(1).mean() / BARS, feel.sum(1).mean() / BARS

    @torch.no_grad()
    def validate(self) -> Scalars:
        """Nats a bar of windows that were never trained on: told their genre, and without fills."""
        side = self.sides["validation"]
        if not len(side.rows):
            return {}
        self.net.eval()
        rng, device = np.random.default_rng(0), next(self.net.parameters()).device
        rows = generating.batches(np.arange(len(side.rows)), min(128, len(side.rows)))
        both = [self.nats(self.net, side.batch(some, rng, 0, 0), device) for some in rows]
        hits, velocity = np.array([[float(one) for one in pair] for pair in both]).mean(axis=0)
        return {NATS: float(hits), VELOCITY: float(velocity)}

    def show(self, progress: Progress, board: Board | None, *, last: bool) -> None:
        generating.show(self, progress, board, self.say)

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write the checkpoint that `play.step_player` loads."""
        folder.mkdir(parents=True, exist_ok=True)
        export(self.net, folder)
        config = {"config": self.net.config.as_dict(), "parameters": generating.parameters(self.net)}
        generating.write(folder, KIND, FORMAT, ("step.onnx",), self.beats, {**config, **about})


if __name__ == "__main__":
    raise SystemExit(generating.main("step"))
