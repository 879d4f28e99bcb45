"""The task of learning how drummers build songs: the arranger, from songs with guitar and drums.

    songs -> the parts of each, with its bass and without -> a network of one hidden layer -> weights.safetensors

    python -m seq2drum.learn.arranger --cache FILE -o runs/arranger

It learns the chance that the drums rest in a part, given whether they rested before, and the level and the loudness of
the parts that they play.

Letters of shapes: N parts of a side, n of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from seq2drum.data.corpus.prepared import Prepared, sources
from seq2drum.errors import CorpusError
from seq2drum.judge.measures import auc
from seq2drum.lattice.conditions import bars_of, drums_of, is_silent
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.sections import sections
from seq2drum.learn.run import command, loop, task
from seq2drum.learn.run.dense import Dense, DenseTask, card_of
from seq2drum.learn.run.runs import BEST
from seq2drum.learn.run.task import Scalars, StepContext, StepResult
from seq2drum.play.arrange.arranger import (
    FARTHEST,
    FEATURES,
    INPUTS,
    KIND,
    Outlook,
    heard,
    parts_of,
    states_before,
)
from seq2drum.play.arrange.sections import spans_in

LEAST_PARTS = 3  # of a song that is learnt from, two of them with drums
LEAST_BARS = 2  # of a part that is learnt from
LEVELS = 0.1  # weight of the errors of levels and loudness, in variances, beside nats
NATS = "nats_per_part"


class Batch(NamedTuple):
    """Parts of songs.

    rows (n, F): see `arranger.heard`, with the state before each. silent (n,), 0 or 1. played (n, 2): level and
    loudness, see `Outlook`; NaN where the drums rest.
    """

    rows: FloatArray
    silent: FloatArray
    played: FloatArray

    @staticmethod
    def join(batches: Sequence[Batch]) -> Batch:
        """Return the parts of all of them."""
        return Batch(*(np.concatenate(column) for column in zip(*batches, strict=True)))


def examples(song: Prepared, guitar_grid: GuitarGrid) -> Batch | None:
    """Return the parts of a song to a guitar, with or without its bass; None if there are too few.

    The level of a part is the logarithm of the ratio of its hits a bar to the mean of the parts with drums, softened by
    half a hit. The last bar of a part may lead into the next and says nothing of its silence.
    """
    passages = sections(guitar_grid)
    if len(passages) < LEAST_PARTS:
        return None
    spans = spans_in(guitar_grid, passages)
    parts = parts_of(guitar_grid, spans)
    drums = drums_of(song.drums, guitar_grid.form)
    hits = bars_of(drums).sum(axis=(1, 2))
    loud = guitar_grid.form.by_bar((drums.velocity / 127).astype(np.float32)).sum(axis=(1, 2))
    bars = np.array([part.stop - part.first for part in parts])
    silent = np.array([is_silent(hits[part.first : max(part.stop - 1, part.first + 1)]) for part in parts])
    long = bars >= LEAST_BARS
    if long.sum() < LEAST_PARTS or (long & ~silent).sum() < LEAST_PARTS - 1:
        return None
    count, strength = (np.array([row[part.first : part.stop].sum() for part in parts]) for row in (hits, loud))
    live = ~silent
    level = np.log((count / bars + 0.5) / (count[live].sum() / bars[live].sum() + 0.5))
    loudness = strength / np.maximum(count, 1) - strength[live].sum() / count[live].sum()
    rows = heard(guitar_grid, spans, parts)
    rows[:, FEATURES.at("rested")], rows[:, FEATURES.at("played")] = states_before(silent)
    played = np.where(silent[:, None], np.nan, np.stack([level, loudness], axis=1))
    return Batch(rows[long], silent[long].astype(np.float32), played[long].astype(np.float32))


class Side(NamedTuple):
    """The parts of the songs of one side, with their basses and with these hidden; songs: how many."""

    with_bass: Batch
    hidden: Batch
    songs: int


def sides_of(songs: Sequence[Prepared]) -> dict[str, Side]:
    """Return the train and validation sides of a corpus.

    Raises:
        CorpusError: a side has no song with several sections and drums.
    """
    sides = {}
    for side in ("train", "validation"):
        some = [song for song in songs if song.split == side]
        found = {
            "hidden": [examples(song, replace(song.guitar_grid, bass=Grid.join([]))) for song in some],
            "with_bass": [examples(song, song.guitar_grid) for song in some if len(song.guitar_grid.bass.step)],
        }
        held = {name: [each for each in batches if each is not None] for name, batches in found.items()}
        if not all(held.values()):
            raise CorpusError(
                f"the {side} side has no song with a bass, several sections and drums; prepare more songs"
            )
        sides[side] = Side(**{name: Batch.join(each) for name, each in held.items()}, songs=len(held["hidden"]))
    return sides


@dataclass(frozen=True)
class Recipe(task.Recipe):
    """The recipe of an arranger. batch: parts. hidden: units."""

    epochs: int = 30
    rate: float = 3e-3
    device: str = "cpu"
    precision: str = "32"
    batch: int = 512
    weight_decay: float = 0.1
    hidden: int = 64
    dropout: float = 0.3


# --- the task ---------------------------------------------------------------------------------------------------------


class ArrangerTask(DenseTask[Batch]):
    """The task of learning how drummers build songs. Songs with a bass are learnt from twice: with it, and without."""

    kind, inputs = KIND, INPUTS
    unit = "parts"
    criterion = NATS

    recipe: Recipe

    def __init__(
        self,
        sides: Mapping[str, Side],
        recipe: Recipe,
        say: Callable[[str], None],
        data: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        train = sides["train"]
        net = Dense(
            train.with_bass.rows,
            len(Outlook._fields),
            hidden=recipe.hidden,
            dropout=recipe.dropout,
            seed=recipe.seed,
            farthest=FARTHEST,
        )
        super().__init__(net, Batch.join([train.with_bass, train.hidden]), recipe, say, data)
        self.sides = sides
        self.variance = np.nanvar(self.rows.played, axis=0)

    def step(self, batch: Batch, context: StepContext) -> StepResult:
        nats, error = self.losses(context.models[self.unit], batch, context.device)
        context.update(self.unit, nats + LEVELS * error)
        parts = int(context.total(torch.tensor(float(len(batch.silent)), device=context.device)))
        return StepResult(parts, {"silence_nats": float(nats.detach()), "level_error": float(error.detach())})

    def losses(self, net: Any, batch: Batch, device: Any) -> tuple[Tensor, Tensor]:
        """Nats a part of silence; the squared errors of level and loudness a part with drums, in variances."""
        rows, silent, played = (torch.from_numpy(column).to(device) for column in batch)
        said = net(rows)
        live = silent == 0
        nats = functional.binary_cross_entropy_with_logits(said[:, 0], silent)
        error = (said[live, 1:] - played[live]) ** 2 / torch.from_numpy(self.variance).to(device)
        return nats, error.sum(dim=1).mean()

    @torch.no_grad()
    def validate(self) -> Scalars:
        """Nats of silence, its AUC, and the correlation of levels, with the bass and without."""
        self.net.eval()
        device, scalars, total = next(self.net.parameters()).device, dict[str, float](), 0.0
        for name, batch in zip(("", "_without_bass"), self.sides["validation"][:2], strict=True):
            nats, error = self.losses(self.net, batch, device)
            said = self.net(torch.from_numpy(batch.rows).to(device)).cpu().numpy()
            live, silent = batch.silent == 0, batch.silent == 1
            scalars[f"silence_nats{name}"] = float(nats)
            scalars[f"silence_auc{name}"] = auc(said[live, 0], said[silent, 0])
            for at, what in enumerate(("level", "loudness")):
                scalars[f"{what}_r{name}"] = float(np.corrcoef(said[live, 1 + at], batch.played[live, at])[0, 1])
            total += float(nats + LEVELS * error) / 2
        return {NATS: total, **scalars}

    def counts(self) -> dict[str, Any]:
        return {
            "parts": {
                name: {"with_bass": len(side.with_bass.silent), "hidden": len(side.hidden.silent)}
                for name, side in self.sides.items()
            },
            "songs": {name: side.songs for name, side in self.sides.items()},
        }

    def card(self, config: Mapping[str, Any]) -> str:
        songs, parts = config["songs"], config["parts"]
        return card_of(
            config,
            ["It says of each part of a song how likely drummers rest in it, and how full and how loud they play it."],
            [
                f"| {side} | {songs[side]:,} songs, {count['with_bass']:,} parts with a bass,"
                f" {count['hidden']:,} without |"
                for side, count in parts.items()
            ],
            [
                "It hears a guitar and its bass, no other instrument, no melody and no chords. A guitar alone says"
                " little of",
                "when drummers rest. Songs are from files of MIDI whose drums somebody wrote or played.",
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
    trained = loop.train(ArrangerTask(sides_of(songs), recipe, say, sources(songs)), out, resume=resume)
    return trained.folder / BEST


def main(arguments: Sequence[str] | None = None) -> int:
    """Train an arranger on a prepared corpus."""
    return command.main(
        "seq2drum.learn.arranger", "Train an arranger: how drummers build songs.", Recipe, train, arguments
    )


if __name__ == "__main__":
    raise SystemExit(main())
