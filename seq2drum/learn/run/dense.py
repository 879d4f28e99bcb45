"""Networks of one hidden layer over named features, and what the tasks that train them share.

Playing reads their tensors from a safetensors file and needs numpy alone: `play.arrange.arranger`,
`play.arrange.repeats`.

Letters of shapes: n rows of a batch, F features.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.learn.run.task import Logger, Progress, Recipe, Task
from seq2drum.models.checkpoint import data_lines, describe
from seq2drum.music.notes import IntArray
from seq2drum.play.checkpoint.folder import DENSE_FILES, DENSE_FORMAT, DENSE_TENSORS, WEIGHTS

LEAST_SPREAD = 0.05  # floor of the spread, so that nearly constant features are not blown up
B = TypeVar("B", bound=NamedTuple)


class Dense(nn.Module):
    """A network of one hidden layer. mean, spread (F,): of the features of training rows, which scale them."""

    mean: Tensor
    spread: Tensor

    def __init__(
        self,
        rows: NDArray[np.float32],
        outputs: int,
        *,
        hidden: int,
        dropout: float,
        seed: int,
        farthest: float = math.inf,
    ) -> None:
        """Make the network for training rows (N, F). farthest: standard deviations at which features are clipped."""
        super().__init__()
        self.farthest = farthest
        mean, spread = (torch.from_numpy(each) for each in (rows.mean(axis=0), rows.std(axis=0) + LEAST_SPREAD))
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread.float())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.hidden = nn.Linear(rows.shape[1], hidden)
            self.forget = nn.Dropout(dropout)
            self.out = nn.Linear(hidden, outputs)

    def forward(self, rows: Tensor) -> Tensor:
        """Rows (n, F) -> outputs (n, ·)."""
        known = ((rows - self.mean) / self.spread).clamp(-self.farthest, self.farthest)
        said: Tensor = self.out(self.forget(functional.relu(self.hidden(known))))
        return said


class DenseTask(Task[IntArray, B], Generic[B]):
    """A task that trains one `Dense` network on rows that fit into memory.

    rows: of the training side, a tuple of arrays whose first axis is the rows. say: called with a line at each
    validation. data: sources of the songs, for the checkpoint. kind, inputs: of the checkpoint. criterion and unit: as
    in `Task`.
    """

    kind: ClassVar[str]
    inputs: ClassVar[Sequence[str]]
    recipe: Any

    def __init__(
        self,
        net: Dense,
        rows: B,
        recipe: Recipe,
        say: Callable[[str], None],
        data: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.net, self.rows, self.recipe, self.say, self.data = net, rows, recipe, say, list(data)
        self.models = {self.unit: net}
        decay = self.recipe.weight_decay
        self.optimizers = {self.unit: torch.optim.AdamW(net.parameters(), lr=recipe.rate, weight_decay=decay)}

    def epoch(self, number: int, processes: int) -> list[IntArray]:
        """All rows once, in random order; an incomplete last batch is dropped."""
        count = len(next(iter(self.rows)))
        order = np.random.default_rng([self.recipe.seed, 1, number]).permutation(count)
        size = self.recipe.batch * processes
        return [order[at : at + size] for at in range(0, max(len(order) - size, 0) + 1, size)]

    def prepare(self, item: IntArray, epoch: int, index: int, *, rank: int, processes: int) -> B:
        own = item[rank::processes]
        return type(self.rows)(*(column[own] for column in tuple(self.rows)))

    def show(self, progress: Progress, logger: Logger | None, *, last: bool) -> None:
        self.say(self.status(progress))

    def status(self, progress: Progress) -> str:
        line = f"epoch {progress.epoch}, {progress.seen} {self.unit}, {progress.seconds:.0f} s"
        if self.criterion in progress.validation:
            line += "; unseen: " + ", ".join(f"{name} {value:.4g}" for name, value in progress.validation.items())
        return line

    @abstractmethod
    def counts(self) -> dict[str, Any]:
        """Return what it learnt from, by the names that its config has them under."""

    @abstractmethod
    def card(self, config: Mapping[str, Any]) -> str:
        """Return the model card of a checkpoint, from its `config.json`."""

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write the checkpoint that `read_dense` of `play.checkpoint.folder` reads."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.detach().cpu().contiguous() for name, value in self.net.state_dict().items()}
        save_file({name: weights[name] for name in DENSE_TENSORS}, folder / WEIGHTS)
        config = {
            "kind": self.kind,
            "format": DENSE_FORMAT,
            "inputs": list(self.inputs),
            "hidden": self.recipe.hidden,
            "parameters": sum(value.numel() for value in self.net.parameters()),
            **self.counts(),
            "data": self.data,
            **about,
        }
        describe(folder, config, self.card(config), DENSE_FILES)
        (folder / WEIGHTS).chmod((folder / DENSE_FILES[0]).stat().st_mode)  # safetensors writes for the owner alone


def card_of(config: Mapping[str, Any], does: Sequence[str], counts: Sequence[str], limits: Sequence[str]) -> str:
    """Return a model card. does: lines on what the model says. counts: rows on its songs. limits: lines."""
    recipe, progress = config.get("recipe", {}), config.get("progress", {})
    lines = [
        f"# Model card: {config['kind']}",
        "",
        *does,
        "`config.json` beside this page has every number. It is no model that plays: `--model` does not list it.",
        "",
        "| what | value |",
        "|---|---|",
        f"| parameters | {config['parameters']:,} |",
        *counts,
        f"| seed, minutes | {recipe.get('seed')}, {progress.get('seconds', 0) / 60:.1f} |",
        *(f"| validation: {name} | {value:.4g} |" for name, value in progress.get("validation", {}).items()),
        "",
        "## Use and limits",
        "",
        *limits,
    ]
    return "\n".join([*lines, *data_lines(config)]) + "\n"
