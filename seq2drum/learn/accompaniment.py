"""The task of learning to accompany: a model family predicts the real drums from the guitar."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seq2drum.data.batches import batches
from seq2drum.data.batches.batches import Batch, Data, Window
from seq2drum.data.batches.draws import BLANKED, Given, draw
from seq2drum.data.batches.streaming import InMemorySongs, TrainingSongs
from seq2drum.errors import CorpusError, OptionError
from seq2drum.evaluate.likelihood import step_nats
from seq2drum.lattice.phrases import MAX_NOTES
from seq2drum.learn.run import report, task
from seq2drum.learn.run.devices import on_gpu
from seq2drum.learn.run.report import GROOVED, NATS, SWAPPED, Finished
from seq2drum.learn.run.task import History, Logger, Progress, Scalars, StepContext, StepResult, Task
from seq2drum.learn.run.watching import Previews, PreviewSongs, previews_as_rows, previews_from_rows
from seq2drum.models import checkpoint
from seq2drum.models.base import Config, Family, tensors
from seq2drum.models.families import DEFAULT_FAMILY, family
from seq2drum.play.checkpoint.folder import find

VALIDATION_WINDOWS = 480
MICRO_BATCH = 9216  # steps of pairs in a part on a CPU: 48 pairs of 8 bars of 24 steps, 0.4 GB
PARTS = 2  # a batch is cut into a multiple of so many, which run in parallel, see `loop.side_by_side`
_LOG = logging.getLogger(__name__)
MODEL = "accompanist"  # name of the task's one model and its optimiser


@dataclass(frozen=True)
class Recipe(task.Recipe):
    """The recipe of an accompanist.

    batch: pairs for each process. Shares of pairs: blanked, drum history hidden; drawn, history drawn by the model
    itself; groove_hidden, no groove; groove_near, a groove near the section's own; band_hidden, no band; future_hidden,
    trained without lookahead. start: the model whose weights it begins with; random by default. altered: share of the
    songs in 4/4 that are also seen in another metre, see `data.corpus.metre_augmentation`. weights: how often an epoch
    sees a song of a tag. sizes: the family's own numbers. rate: by default that of the default family; others have
    their class's `rate`.
    """

    rate: float = field(default_factory=lambda: family(DEFAULT_FAMILY).rate)
    model: str = DEFAULT_FAMILY
    kit: str = "full"
    batch: int = 96
    weight_decay: float = 0.01
    blanked: float = BLANKED
    drawn: float = 0.1
    groove_hidden: float = 0.5
    groove_near: float = 0.2
    band_hidden: float = 0.5
    altered: float = 0.1
    future_hidden: float = 0.0
    start: str = ""
    transpose: bool = True
    max_notes: int = MAX_NOTES
    weights: Mapping[str, float] = field(default_factory=dict)
    sizes: Mapping[str, Any] = field(default_factory=dict)


class Accompaniment(Task[list[Window], list[Batch]]):
    """The task of accompanying, with validation on unseen songs, if any.

    chosen: songs for previews, see `watching`. warn: called with failures of previews.

    Raises:
        CorpusError: nothing to learn from.
        OptionError: a size does not make a model.
    """

    unit = "bars"
    criterion = NATS

    recipe: Recipe

    def __init__(
        self,
        training: Data | TrainingSongs,
        validation: Data | None,
        recipe: Recipe,
        *,
        chosen: PreviewSongs | None = None,
        warn: Callable[[str], None] = _LOG.warning,
    ) -> None:
        kind = family(recipe.model)
        check_sizes(recipe, kind.config_type)
        if recipe.future_hidden and kind.unit != "song":
            raise OptionError(f"the family {recipe.model!r} cannot learn with the future hidden; the default one can")
        self.songs = InMemorySongs(training) if isinstance(training, Data) else training
        in_memory = self.songs.data if isinstance(self.songs, InMemorySongs) else None
        if not self.songs.songs or (in_memory and not batches.windows(in_memory, max_notes=recipe.max_notes)):
            raise CorpusError(
                "no pair of guitar and drums to learn from: every song fell to the other sides of the split"
            )
        self.chunks = self.songs.chunks
        self.validation, self.recipe = validation, recipe
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            try:
                self.model: Family = kind(kind.config_type(voices=len(self.songs.kit), **recipe.sizes))
            except RuntimeError as error:  # torch's allocator never raises MemoryError
                if "memory" not in str(error):
                    raise
                raise OptionError("a model of these sizes wants more memory than there is; try smaller ones") from None
        if recipe.start:
            self.model.load_state_dict(_weights(recipe, self.model))
        optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay, fused=True
        )
        self.models: dict[str, torch.nn.Module] = {MODEL: self.model}
        self.optimizers = {MODEL: optimizer}
        self.previews = Previews(chosen or PreviewSongs(), self.songs.kit, recipe.seed, recipe.max_notes, warn)
        self.windows = _validation_windows(validation, recipe) if validation is not None else []

    # --- learning ----------------------------------------------------------------------------------------------------

    def epoch(self, number: int, processes: int) -> list[list[Window]]:
        recipe = self.recipe
        self.training = self.songs.chunk(number)
        rng = np.random.default_rng([recipe.seed, 1, number])
        size, weights = recipe.batch * processes, dict(recipe.weights)
        items = batches.epoch(self.training, rng, size=size, max_notes=recipe.max_notes, weights=weights)
        return [item for item in items if len(item) >= processes]

    def prepare(self, item: list[Window], epoch: int, index: int, *, rank: int, processes: int) -> list[Batch]:
        return self.collated(self.training, item, epoch, index, rank=rank, processes=processes)

    def collated(
        self, data: Data, item: list[Window], epoch: int, index: int, *, rank: int, processes: int
    ) -> list[Batch]:
        """The windows of an item of this process's part as batches, from songs that have these bars."""
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, 2, epoch, index])
        draws, own = draw(rng, len(item)).part(rank, processes), item[rank::processes]
        of = PARTS if processes == 1 else 1
        parts = [slice(None)] if on_gpu(recipe.device) else batches.micro_batches(data, own, MICRO_BATCH, of)
        return [
            batches.collate(
                data,
                own[part],
                draws.rows(part),
                blanked=recipe.blanked,
                transpose=recipe.transpose,
                ask=True,
                grooves=Given(recipe.groove_hidden, recipe.groove_near),
                drawn=recipe.drawn,
                band_hidden=recipe.band_hidden,
                future_hidden=recipe.future_hidden,
            )
            for part in parts
        ]

    def pinned(self, batch: list[Batch]) -> Any:
        return [Batch(*(value.pin_memory() for value in tensors(part))) for part in batch]

    def step(self, batch: list[Batch], context: StepContext) -> StepResult:
        parts = self.inputs([tensors(part, context.device) for part in batch])
        bars = context.total(sum(first.in_pair.sum() for first, *_ in parts))
        figures: list[dict[str, torch.Tensor]] = [{} for _ in parts]

        def loss(part: Sequence[Any], own: dict[str, torch.Tensor]) -> torch.Tensor:
            losses = context.models[MODEL](*part)
            own.update({name: value.detach() for name, value in losses.items()})
            # A mean over the bars of all processes, whatever the share of this process.
            weighed: torch.Tensor = losses["loss"] * (losses["bars"] * context.processes / bars)
            return weighed

        context.update(MODEL, [partial(loss, part, own) for part, own in zip(parts, figures, strict=True)])
        sums = {name: torch.stack([own[name] for own in figures]).sum() for name in figures[0]}
        return StepResult(bars, self.scalars(sums))

    def inputs(self, parts: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The arguments of the model's losses, for each part of a batch."""
        return [(part,) for part in parts]

    def scalars(self, sums: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Figures of a step, from the sums of `Family.losses` over its bars."""
        hits = sums["hits"].clamp(min=1)
        return {
            NATS: sums["nats"] / sums["bars"],
            "velocity_nats_per_hit": sums["velocity"] / hits,
            "offset_nats_per_hit": sums["offset"] / hits,
        }

    # --- measuring and showing ---------------------------------------------------------------------------------------

    def validate(self) -> Scalars:
        """Nats a bar on unseen songs: with their own guitar, with another song's, and given the groove."""
        if self.validation is None or not self.windows:
            return {}
        hidden = float(self.recipe.future_hidden > 0)
        own, swapped, grooved = validation_nats(self.model, self.validation, self.windows, future_hidden=hidden)
        return {NATS: own, SWAPPED: swapped} | ({GROOVED: grooved} if self.model.hears_grooves else {})

    def show(self, progress: Progress, logger: Logger | None, *, last: bool) -> None:
        """Play a preview of some songs."""
        self.previews.look(self.model, progress.seen, progress.seconds, logger, last=last)

    def status(self, progress: Progress) -> str:
        pace = progress.seen / max(progress.seconds, 1e-9)
        line = f"{progress.seen} bars, {pace:.0f} a second, {progress.training[NATS]:.2f} nats a bar"
        if NATS in progress.validation:
            line += f"; unseen {progress.validation[NATS]:.2f}"
        if SWAPPED in progress.validation:
            line += f", another's guitar {progress.validation[SWAPPED]:.2f}"
        if GROOVED in progress.validation:
            line += f", given the groove {progress.validation[GROOVED]:.2f}"
        return line

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write a checkpoint that plays."""
        own = {"kit": self.recipe.kit, "max_notes": self.recipe.max_notes}
        checkpoint.save(self.model, folder, {**own, **about})

    def page(self, place: str, about: Mapping[str, Any], history: History, *, stopped: bool) -> str:
        chosen, previews = self.previews.chosen, self.previews
        counts = {"training": (self.songs.songs, self.songs.bars)}
        if self.validation is not None:
            counts["validation"] = len(self.validation), len(self.validation.steps)
        return report.as_html(
            Finished(
                place,
                about,
                counts,
                history,
                previews.made,
                len(chosen.songs),
                chosen.unseen,
                previews.drawn(),
                stopped,
            )
        )

    def state(self) -> Mapping[str, Any]:
        return {"previews": previews_as_rows(self.previews.made)}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.previews.made = previews_from_rows(state["previews"])


def _weights(recipe: Recipe, model: Family) -> dict[str, torch.Tensor]:
    """The weights of the model to start from; it ignores what it was trained without.

    Raises:
        OptionError: the model is of another family, or of other sizes.
        UnknownModelError, CheckpointError: the model does not exist, or is damaged.
    """
    start, _ = checkpoint.load(find(recipe.start))
    grown = {name: getattr(model.config, name) for name in ("asked", "band") if hasattr(model.config, name)}
    if type(start) is not type(model) or replace(start.config, **grown) != model.config:
        raise OptionError(
            f"the model {recipe.start!r} has another family or other sizes than the model to train; name the"
            " same --model and --size, or leave out --start"
        )
    weights = start.state_dict()
    for name, own in model.state_dict().items():
        if more := own.shape[1] - weights[name].shape[1] if own.ndim > 1 else 0:
            zeros = torch.zeros(own.shape[0], more, *own.shape[2:])
            weights[name] = torch.cat([weights[name], zeros], 1)
    return weights


def check_sizes(recipe: Recipe, config: type[Config]) -> None:
    """Refuse sizes that a family does not have, or that do not make a model.

    Raises:
        OptionError: names the size and the wanted range.
    """
    given = {item.name for item in fields(Config)}  # the base fields follow from the data
    known = {item.name: item.default for item in fields(config) if item.name not in given}
    for name, value in recipe.sizes.items():
        if name not in known:
            raise OptionError(f"the family {recipe.model!r} has no such size as {name!r}; it has {', '.join(known)}")
        if isinstance(known[name], int) and (value != int(value) or value < 1):
            raise OptionError(f"the size {name} is {value}, wanted a whole number of 1 or more")
        if isinstance(known[name], float) and not 0 <= value < 1:
            raise OptionError(f"the size {name} is {value}, wanted a share from 0 to less than 1")


def _validation_windows(data: Data, recipe: Recipe) -> list[Window]:
    windows = batches.blocks(data) or batches.windows(data, max_notes=recipe.max_notes)
    if len(windows) <= VALIDATION_WINDOWS:
        return windows
    rng = np.random.default_rng([recipe.seed, 7])
    return [windows[index] for index in rng.permutation(len(windows))[:VALIDATION_WINDOWS].tolist()]


@torch.no_grad()
def validation_nats(
    model: Family, data: Data, windows: Sequence[Window], *, size: int = 32, future_hidden: float = 0.0
) -> tuple[float, float, float]:
    """Mean nats a bar of the hits in some windows, given the true past; a share of them hides the future.

    With their own guitar; with another song's, nan if no window has a match in another song; and with their own guitar
    and the groove of their section.
    """
    was_training = model.training
    model.eval()
    others = dict(zip(windows, batches.swapped(data, windows, np.random.default_rng([0, 3])), strict=True))
    device = next(model.parameters()).device
    sums = np.zeros((3, 2))
    for index, pairs in enumerate(batches.bucketed(data, windows, None, size=size)):
        draws = draw(np.random.default_rng([0, 4, index]), len(pairs))
        given: list[dict[str, Any]] = [
            {},
            {"listen_to": [others[pair] for pair in pairs]},
            {"grooves": Given(hidden=0)},
        ]
        for side, more in enumerate(given):
            arrays = batches.collate(data, pairs, draws, future_hidden=future_hidden, **more)
            batch = tensors(arrays, device)
            sums[side] += float(step_nats(model, batch).sum()), float(batch.in_pair.sum())
    model.train(was_training)
    own, other, grooved = (sums[:, 0] / np.maximum(sums[:, 1], 1)).tolist()
    return own, other if any(pair != swap for pair, swap in others.items()) else math.nan, grooved
