"""The task of tuning a model against its own takes: drummers' drums become likelier than what it plays itself.

    songs -> excerpts, and takes of the model to them, on the grooves of their sections -> pairs of both -> the model

    python -m seq2drum.learn.self_play --cache FILE --start default --minutes 30 -o runs/tuned

Maximum likelihood shows a model no bar that it plays by itself. Here it sees them, and compares: a pair of windows of n
bars costs log(1 + exp(-m)), with m = ((f - f') - (r - r')) / n nats a bar, r and f those of the real drums and of the
take under the model, r' and f' under the model that it started as. The likelihood of the real drums is learnt beside.

Z. Chen et al., Self-play fine-tuning converts weak language models to strong language models (2024); the comparison is
that of R. Rafailov et al., Direct preference optimization (2023).
"""

from __future__ import annotations

import logging
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.data.batches import batches
from seq2drum.data.batches.batches import Batch, Data, Window, flatten
from seq2drum.data.batches.draws import Given, draw
from seq2drum.data.corpus.cache import load
from seq2drum.data.corpus.excerpts import shortened
from seq2drum.data.corpus.prepared import Prepared, sources
from seq2drum.errors import CorpusError, OptionError
from seq2drum.evaluate.likelihood import step_nats
from seq2drum.judge.players import of_song, play_heard
from seq2drum.lattice.form import MAX_STEPS
from seq2drum.lattice.grid import Grid
from seq2drum.learn import accompaniment
from seq2drum.learn.accompaniment import MODEL, Accompaniment
from seq2drum.learn.run import command, loop
from seq2drum.learn.run.runs import BEST
from seq2drum.learn.run.task import Progress, Scalars
from seq2drum.models import checkpoint
from seq2drum.models.base import Config, Family, tensors
from seq2drum.music.kit import KITS
from seq2drum.play.checkpoint.folder import find
from seq2drum.play.decode import engine
from seq2drum.system.workers import results_of

COMPARED = "comparison"  # nats a bar of the comparison; log 2 for the model that it started as
WON = "share_won"  # of pairs, in which the real drums gained more
SAID = 100  # takes between two lines
_GIVEN = {item.name for item in fields(Config)}  # sizes that follow from the data
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe(accompaniment.Recipe):
    """The recipe of a model tuned against its own takes.

    songs, bars: so many excerpts of at most so many bars; those of the validation side are a tenth as many. comparison:
    its weight beside the likelihood of the real drums.
    """

    start: str = "default"
    rate: float = 3e-4
    batch: int = 48
    blanked: float = 0.1
    drawn: float = 0.0
    groove_hidden: float = 0.2
    groove_near: float = 0.1
    altered: float = 0.0
    songs: int = 2400
    bars: int = 48
    comparison: float = 1.0


class Pairs(NamedTuple):
    """The same bars of songs, with the real drums and with takes; both on the grooves of the real drums."""

    real: Data
    takes: Data


def excerpts(songs: Sequence[Prepared], side: str, count: int, bars: int, seed: int) -> list[Prepared]:
    """Return excerpts of some songs of a side of the split, drawn by the seed; none without drums or with long bars.

    Raises:
        CorpusError: there is none.
    """
    own = [song for song in songs if song.split == side]
    order = np.random.default_rng([seed, 11]).permutation(len(own)).tolist()
    cut = (shortened(own[index], bars) for index in order)
    found = [song for song in cut if len(song.drums.step) and int(song.guitar_grid.form.steps.max()) <= MAX_STEPS]
    if not found:
        raise CorpusError(f"the {side} side has no song with guitar and drums; prepare more songs")
    return found[:count]


def take_of(name: str, seed: int, job: tuple[int, Prepared]) -> Grid:
    """Return the drums of a model to a song, on the typical bars of its sections; job: the song and its number."""
    number, song = job
    return play_heard(
        engine.load(name), song.guitar_grid, seed=seed + number, temperature=1.0, groove=of_song(song, by_section=True)
    )


def pairs_of(songs: Sequence[Prepared], takes: Sequence[Grid], kit: str) -> Pairs:
    """Return songs with their own drums and with takes."""
    real = flatten(songs, KITS[kit])
    played = flatten([replace(song, drums=drums) for song, drums in zip(songs, takes, strict=True)], KITS[kit])
    return Pairs(real, replace(played, grooves=real.grooves))


# --- the task ---------------------------------------------------------------------------------------------------------


class Compared(nn.Module):
    """A model that learns beside the model that it started as, whose weights stay."""

    def __init__(self, model: Family, start: Family, weight: float) -> None:
        super().__init__()
        self.model, self.start, self.weight = model, start.requires_grad_(False), weight

    def train(self, mode: bool = True) -> Compared:
        """Switch the model that learns to training or playing; the other always plays."""
        super().train(mode)
        self.start.eval()
        return self

    def margins(self, real: Batch, take: Batch) -> Tensor:
        """(n,): nats a bar by which each pair's real drums gained more than its take since the start."""
        with torch.no_grad():
            before = [step_nats(self.start, batch).sum((1, 2)) for batch in (real, take)]
        now = [step_nats(self.model, batch).sum((1, 2)) for batch in (real, take)]
        margins: Tensor = ((now[1] - before[1]) - (now[0] - before[0])) / torch.as_tensor(real.in_pair).sum(1)
        return margins

    def forward(self, real: Batch, take: Batch) -> dict[str, Tensor]:
        """`Family.losses` of the real drums; their "loss" with the comparison, and its sums over the bars."""
        losses, margins = self.model.losses(real), self.margins(real, take)
        bars = torch.as_tensor(real.in_pair).sum(1)
        compared = (functional.softplus(-margins) * bars).sum()
        losses["loss"] = losses["loss"] + self.weight * compared / losses["bars"]
        return losses | {COMPARED: compared, WON: ((margins > 0) * bars).sum()}


class SelfPlay(Accompaniment):
    """The task of telling drummers' drums from own takes by their likelihood."""

    criterion = COMPARED

    recipe: Recipe

    def __init__(
        self, training: Pairs, validation: Pairs, recipe: Recipe, *, warn: Callable[[str], None] = _LOG.warning
    ) -> None:
        super().__init__(training.real, validation.real, recipe, warn=warn)
        self.takes, self.unseen = training.takes, validation
        start, _ = checkpoint.load(find(recipe.start))
        self.compared = Compared(self.model, start, recipe.comparison)
        self.models = {MODEL: self.compared}

    def prepare(self, item: list[Window], epoch: int, index: int, *, rank: int, processes: int) -> list[Batch]:
        of = {"rank": rank, "processes": processes}
        return [part for data in (self.training, self.takes) for part in self.collated(data, item, epoch, index, **of)]

    def inputs(self, parts: Sequence[Any]) -> list[tuple[Any, ...]]:
        return list(zip(parts[: len(parts) // 2], parts[len(parts) // 2 :], strict=True))

    def scalars(self, sums: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return super().scalars(sums) | {name: sums[name] / sums["bars"] for name in (COMPARED, WON)}

    @torch.no_grad()
    def validate(self) -> Scalars:
        """The figures of `Accompaniment.validate`, and the comparison on unseen songs."""
        figures, was_training = super().validate(), self.compared.training
        self.compared.eval()
        device, sums = next(self.model.parameters()).device, np.zeros(3)
        for index, windows in enumerate(batches.bucketed(self.unseen.real, self.windows, None, size=32)):
            draws = draw(np.random.default_rng([0, 4, index]), len(windows))
            real, take = (
                tensors(batches.collate(side, windows, draws, grooves=Given(hidden=0)), device) for side in self.unseen
            )
            margins, bars = self.compared.margins(real, take), real.in_pair.sum(1)
            lost = functional.softplus(-margins) * bars
            sums += [float(lost.sum()), float(((margins > 0) * bars).sum()), float(bars.sum())]
        self.compared.train(was_training)
        return {**figures, COMPARED: sums[0] / sums[2], WON: sums[1] / sums[2]}

    def status(self, progress: Progress) -> str:
        return f"{super().status(progress)}; comparison {progress.training[COMPARED]:.3f}"


# --- the command ------------------------------------------------------------------------------------------------------


def train(
    songs: Sequence[Prepared],
    out: Path,
    recipe: Recipe,
    *,
    workers: int = 1,
    resume: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Tune a model on songs, and leave a run in a folder; return the checkpoint of the least comparison.

    Raises:
        CorpusError: there is nothing to learn from.
        OptionError: the model reads no grooves.
        UnknownModelError, CheckpointError, OutputError: as `loop.train`.
    """
    start, about = checkpoint.load(find(recipe.start))
    if not start.hears_grooves:
        raise OptionError(f"the model {recipe.start!r} reads no grooves, on which takes are compared; name another")
    own = {name: value for name, value in start.config.as_dict().items() if name not in _GIVEN}
    recipe = replace(recipe, model=about["family"], kit=about["kit"], sizes=own)
    counts = {"train": recipe.songs, "validation": max(recipe.songs // 10, 1)}
    sides = []
    for side, count in counts.items():
        chosen = excerpts(songs, side, count, recipe.bars, recipe.seed)
        job, jobs = partial(take_of, recipe.start, recipe.seed), list(enumerate(chosen))
        takes: list[Grid] = []
        for drums in results_of(job, jobs, workers):
            takes.append(drums)
            if len(takes) % SAID == 0 or len(takes) == len(jobs):
                say(f"{len(takes)} of {len(jobs)} takes to songs of the {side} side")
        sides.append(pairs_of(chosen, takes, recipe.kit))
    training, validation = sides
    task = SelfPlay(training, validation, recipe, warn=say)
    spoken = {"data": sources(songs), "licences": None}

    def show(share: float, progress: Progress) -> None:
        if progress.step % 50 == 0:
            say(f"{share:.0%}: {task.status(progress)}")

    trained = loop.train(task, out, resume=resume, about=spoken, show=show, warn=say)
    return trained.folder / BEST


def main(arguments: Sequence[str] | None = None) -> int:
    """Tune a model on a prepared corpus against its own takes; return the exit code."""
    own = Recipe()

    def add(parser: ArgumentParser) -> None:
        parser.add_argument("--cache", type=Path, required=True, metavar="FILE", help="songs that --mode prepare kept")
        parser.add_argument("--start", default=own.start, metavar="MODEL", help="the model to tune (default: default)")
        parser.add_argument("--minutes", type=float, default=30.0, metavar="M", help="how long to train (default: 30)")
        parser.add_argument("--songs", type=int, default=own.songs, metavar="N", help="takes to play (default: 2400)")
        parser.add_argument(
            "--workers", type=int, default=1, metavar="N", help="processes that play takes (default: 1)"
        )

    def of_songs(options: Namespace) -> Path:
        if options.minutes <= 0 or min(options.songs, options.workers) < 1:
            raise OptionError("--minutes, --songs and --workers are numbers of more than 0")
        recipe = replace(own, start=options.start, minutes=options.minutes, songs=options.songs, seed=options.seed)
        return train(
            load(options.cache), options.out, recipe, workers=options.workers, resume=options.resume, say=command.say
        )

    about = "Tune a model against its own takes, so that drummers' drums are likelier than these."
    return command.run("seq2drum.learn.self_play", about, add, of_songs, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
