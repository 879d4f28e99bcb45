"""The task of learning which bars drummers play again: the law of repeats, from songs with guitar and drums.

    songs -> the kind of each bar, and what is known of it -> a network of one hidden layer -> weights.safetensors

    python -m seq2drum.learn.repeats --cache FILE -o runs/repeats

Letters of shapes: N bars of a side, n of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from seq2drum.data.corpus.excerpts import shortened
from seq2drum.data.corpus.prepared import Prepared, sources
from seq2drum.errors import CorpusError
from seq2drum.lattice.conditions import bars_of, drums_of, fills
from seq2drum.lattice.form import MAX_STEPS, FloatArray
from seq2drum.lattice.repeats import NEW, cores, differences
from seq2drum.lattice.sections import sections
from seq2drum.learn.run import command, loop, task
from seq2drum.learn.run.dense import Dense, DenseTask, card_of
from seq2drum.learn.run.runs import BEST
from seq2drum.learn.run.task import Scalars, StepContext, StepResult
from seq2drum.music.notes import IntArray
from seq2drum.play.arrange.repeats import (
    CANDIDATES,
    INPUTS,
    KIND,
    KINDS,
    NEWNESS,
    Past,
    candidates,
    known,
)

MOST_BARS = 128  # of a song that are learnt from
LEAST_BARS = 8  # with drums, of such a song
NATS = "nats_per_bar"


class Bars(NamedTuple):
    """Bars with drums. rows (n, FEATURES.size). kind (n,): see `play.arrange.repeats`."""

    rows: FloatArray
    kind: IntArray


def examples(song: Prepared) -> Bars | None:
    """Return the bars of a song from its first with drums to its last; None if there are too few, or too long."""
    song = shortened(song, MOST_BARS)
    guitar_grid, form = song.guitar_grid, song.guitar_grid.form
    if int(form.steps.max()) > MAX_STEPS:
        return None
    drums = drums_of(song.drums, form)
    hits: NDArray[np.bool_] = bars_of(drums) > 0
    plays = np.asarray(hits.any(axis=(1, 2)))
    struck = np.flatnonzero(plays)
    if len(struck) < LEAST_BARS:
        return None
    passages = sections(guitar_grid)
    able = candidates(form, passages)
    able = np.where((able != NEW) & plays[able], able, NEW)
    kind = kinds(cores(hits), form.steps, able)
    table = known(guitar_grid, passages, fills(drums), able)
    past, rows, kept = Past(), list[list[float]](), list[int]()
    for bar in range(int(struck[0]), int(struck[-1]) + 1):
        if not plays[bar]:
            past.rest()
            continue
        rows.append(past.row())
        kept.append(bar)
        past.add(int(kind[bar]), int(able[bar, kind[bar]]) - int(struck[0]) if kind[bar] < CANDIDATES else NEW)
    return Bars(np.concatenate([table[kept], np.array(rows, dtype=np.float32)], axis=1), kind[kept])


def kinds(core: NDArray[np.bool_], steps: IntArray, able: IntArray) -> IntArray:
    """(B,): the kind of each bar: the first candidate that it repeats, else its class of new bars.

    core (B, S, 9): see `cores`. able (B, C): the bars that may be repeated.
    """
    new = np.searchsorted(NEWNESS, differences(core, steps).min(axis=1))
    repeats = (able != NEW) & (core[able] == core[:, None]).all(axis=(2, 3))
    kind: IntArray = np.where(repeats.any(axis=1), repeats.argmax(axis=1), CANDIDATES + new)
    return kind


def sides_of(songs: Sequence[Prepared]) -> dict[str, Bars]:
    """Return the bars of the train and validation sides of a corpus.

    Raises:
        CorpusError: a side has no song with drums.
    """
    sides = {}
    for side in ("train", "validation"):
        found = [bars for song in songs if song.split == side and (bars := examples(song)) is not None]
        if not found:
            raise CorpusError(f"the {side} side has no song with {LEAST_BARS} bars of drums; prepare more songs")
        sides[side] = Bars(*(np.concatenate(column) for column in zip(*found, strict=True)))
    return sides


@dataclass(frozen=True)
class Recipe(task.Recipe):
    """The recipe of a law of repeats. batch: bars. hidden: units."""

    epochs: int = 12
    rate: float = 2e-3
    device: str = "cpu"
    precision: str = "32"
    batch: int = 512
    weight_decay: float = 0.03
    hidden: int = 96
    dropout: float = 0.1


# --- the task ---------------------------------------------------------------------------------------------------------


class RepeatsTask(DenseTask[Bars]):
    """The task of learning which bars come back."""

    kind, inputs = KIND, INPUTS
    unit = "bars"
    criterion = NATS

    recipe: Recipe

    def __init__(
        self,
        sides: Mapping[str, Bars],
        recipe: Recipe,
        say: Callable[[str], None],
        data: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        train, (hidden, dropout, seed) = sides["train"], (recipe.hidden, recipe.dropout, recipe.seed)
        super().__init__(Dense(train.rows, KINDS, hidden=hidden, dropout=dropout, seed=seed), train, recipe, say, data)
        self.sides = sides

    def step(self, batch: Bars, context: StepContext) -> StepResult:
        rows, kind = (torch.from_numpy(column).to(context.device) for column in batch)
        nats = functional.cross_entropy(context.models[self.unit](rows), kind)
        context.update(self.unit, nats)
        bars = int(context.total(torch.tensor(float(len(kind)), device=context.device)))
        return StepResult(bars, {NATS: float(nats.detach())})

    @torch.no_grad()
    def validate(self) -> Scalars:
        """Nats a bar of the kinds, beside those of their shares alone; how often the likeliest kind is right."""
        self.net.eval()
        rows, kind = (torch.from_numpy(column).to(self.net.mean.device) for column in self.sides["validation"])
        logits = self.net(rows)
        shares = np.bincount(self.rows.kind, minlength=KINDS) / len(self.rows.kind)
        return {
            NATS: float(functional.cross_entropy(logits, kind)),
            "nats_of_shares": float(-np.log(np.maximum(shares, 1e-9))[kind.cpu().numpy()].mean()),
            "accuracy": float((logits.argmax(dim=1) == kind).float().mean()),
        }

    def counts(self) -> dict[str, Any]:
        return {"bars": {name: len(side.kind) for name, side in self.sides.items()}}

    def card(self, config: Mapping[str, Any]) -> str:
        return card_of(
            config,
            ["It says of each bar of a song which earlier bar a drummer plays again, or how many hits are new."],
            [f"| {side} | {count:,} bars |" for side, count in config["bars"].items()],
            [
                "It hears when a guitar and its bass begin notes, and where sections begin. Bars of files of MIDI come"
                " back",
                "more exactly than those of a drummer who plays.",
            ],
        )


# --- the command ------------------------------------------------------------------------------------------------------


def train(
    songs: Sequence[Prepared],
    out: Path,
    recipe: Recipe,
    *,
    resume: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train on songs, and leave a run in a folder; return the checkpoint of the least validation nats.

    Raises:
        CorpusError: there is too little to learn from.
        CheckpointError, OptionError, OutputError: as `loop.train`.
    """
    trained = loop.train(RepeatsTask(sides_of(songs), recipe, say, sources(songs)), out, resume=resume)
    return trained.folder / BEST


def main(arguments: Sequence[str] | None = None) -> int:
    """Train a law of repeats on a prepared corpus."""
    return command.main(
        "seq2drum.learn.repeats", "Train a law of repeats: which bars drummers play again.", Recipe, train, arguments
    )


if __name__ == "__main__":
    raise SystemExit(main())
