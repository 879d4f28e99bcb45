"""The interface between the training loop and a task; only the task knows the learning problem.

    epoch -> items -> batches -> steps, each with one optimiser or several of the task's own
    from time to time: validate, keep the best, show samples

A task names its models and its optimisers; the loop moves them to the device, seeds each step, and saves and restores
them. A task draws random numbers from (seed, epoch, index in the epoch), or from torch during a step, and from nothing
else, so a resumed run equals an unbroken one.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

MOST_POINTS = 512  # points of the training curves that are kept

Scalars = Mapping[str, float]
"""Numbers by name. Undefined ones are left out."""


class Point(NamedTuple):
    """A point of the curves: the amount seen, in the task's unit, seconds since the start, scalars."""

    seen: int
    seconds: float
    scalars: Mapping[str, float] = {}


@dataclass(frozen=True)
class History:
    """All scalars of a run.

    training: running means of its steps, one point in `every` steps. validations: all of them.
    """

    training: tuple[Point, ...] = ()
    every: int = 1
    validations: tuple[Point, ...] = ()

    def recorded(self, number: int, point: Point) -> History:
        """The history with step `number` of the training curves, unless it is thinned out."""
        if number % self.every:
            return self
        points, every = (*self.training, point), self.every
        if len(points) > MOST_POINTS:
            points, every = points[1::2], 2 * every
        return replace(self, training=points, every=every)

    def validated(self, point: Point) -> History:
        """The history with a validation, which replaces one after the same amount seen."""
        return replace(self, validations=(*(one for one in self.validations if one.seen != point.seen), point))

    def as_json(self) -> str:
        """The whole history as JSON."""
        rows = {"every": self.every, "training": self.training, "validations": self.validations}
        return json.dumps(rows, allow_nan=False)

    @staticmethod
    def from_json(written: str) -> History:
        """The history in JSON of `as_json`.

        Raises:
            ValueError, LookupError, TypeError: not a history.
        """
        held = json.loads(written)
        return History(_points(held["training"]), int(held["every"]), _points(held["validations"]))


def _points(rows: Sequence[Any]) -> tuple[Point, ...]:
    return tuple(Point(seen, seconds, dict(scalars)) for seen, seconds, scalars in rows)


def duration(seconds: float) -> str:
    """A time in words: seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


WARM_UP = 100  # steps

Item = TypeVar("Item")
BatchT = TypeVar("BatchT")


@dataclass(frozen=True)
class Recipe:
    """The numbers of a training common to all tasks. Tasks add their own; all are JSON-able.

    Length: `minutes` of wall time if given, else `steps` if given, else `epochs`. rate: the peak learning rate.
    precision: "auto" is bfloat16 where the device computes in it, else float32. compiled: the models go through
    torch.compile first, which takes minutes and gives other roundings.
    """

    minutes: float | None = None
    steps: int | None = None
    epochs: int = 10
    rate: float = 3e-3
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    compiled: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


RESUMABLE = frozenset({"minutes", "steps", "epochs", "device", "compiled"})
"""The fields of the recipe that may differ in a resumed run."""


@dataclass
class Progress:
    """The state of a run that is saved and shown.

    epoch: finished epochs, or chunks where epochs have several. batch: the next one of the epoch. seen: the amount
    learnt from, in the task's unit. training: running means of scalars. validation: the last one. best: the least
    criterion.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seen: int = 0
    seconds: float = 0.0
    training: dict[str, float] = field(default_factory=dict)
    validation: dict[str, float] = field(default_factory=dict)
    best: float = math.inf


class StepResult(NamedTuple):
    """The amount seen in a step, over all processes, and its scalars by name.

    The loop reads tensors later, because reading them immediately would stall a GPU.
    """

    seen: int | Tensor
    scalars: Mapping[str, float | Tensor]


class Logger(Protocol):
    """A sink for scalars, pictures and sound of a run, such as TensorBoard's writer."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None: ...

    def add_image(self, tag: str, img_tensor: NDArray[np.uint8], global_step: int, *, dataformats: str) -> None: ...

    def add_audio(self, tag: str, snd_tensor: NDArray[np.float32], global_step: int, sample_rate: int) -> None: ...


class StepContext(Protocol):
    """The models, optimisers and device with which a task makes a step.

    models, optimizers: the task's own by name, wrapped for the device and for several processes. Call a model whose
    weights the step changes through these. Call a model that is only evaluated in the step directly, without the
    wrapper, so that no process waits for its gradients.
    """

    models: Mapping[str, Any]
    optimizers: Mapping[str, Any]
    progress: Progress
    device: Any
    rank: int
    processes: int

    def update(self, optimizer: str, loss: Tensor | Sequence[Callable[[], Tensor]], *, most: float = 1.0) -> None:
        """Make one step of an optimiser on a loss, with gradients clipped to a norm of `most`.

        Losses of micro-batches are computed one after another and their gradients summed (gradient accumulation), which
        holds the activations of one at a time; or in parallel threads, see `loop.side_by_side`. A loss must not change
        anything that another reads. Several processes use the mean of their gradients.

        Raises:
            OptionError: the gradients are not finite.
        """
        ...

    def total(self, value: Tensor) -> Tensor:
        """The sum of a number over all processes."""
        ...


class Task(ABC, Generic[Item, BatchT]):
    """A learning problem: its models, data and steps; the loop does the rest.

    Item: an epoch's entry for one step. BatchT: the item as arrays. models, optimizers: by name; all are saved and
    restored. unit: of the amount seen, in the plural. criterion: the scalar of `validate` to minimise, which chooses
    the best model. chunks: parts of an epoch, where memory cannot hold its data; each is listed as if it were an epoch.
    """

    unit: ClassVar[str]
    criterion: ClassVar[str]
    chunks: int = 1
    recipe: Recipe
    models: Mapping[str, nn.Module]
    optimizers: Mapping[str, Optimizer]

    @abstractmethod
    def epoch(self, number: int, processes: int) -> Sequence[Item]:
        """The items of an epoch in order, one for each step of all processes; the same in each process.

        Where an epoch has `chunks`, `number` counts these over all epochs.
        """

    @abstractmethod
    def prepare(self, item: Item, epoch: int, index: int, *, rank: int, processes: int) -> BatchT:
        """This process's part of an epoch's item as arrays. Called ahead, in another thread."""

    def pinned(self, batch: BatchT) -> BatchT:
        """The batch in pinned memory, for copies to a GPU while it computes. Called ahead, with a GPU only."""
        return batch

    @abstractmethod
    def step(self, batch: BatchT, context: StepContext) -> StepResult:
        """Learn from one item."""

    def rate(self, optimizer: str, step: int, share: float) -> float:
        """The learning rate of an optimiser at a step, after a share (0..1) of the run."""
        return self.recipe.rate * schedule(step, share)

    def validate(self) -> Scalars:
        """Scalars on data never trained on; empty without such data. Called in one process only."""
        return {}

    def show(self, progress: Progress, logger: Logger | None, *, last: bool) -> None:
        """Show samples after a validation. Called in one process only, while the others wait."""
        return

    def status(self, progress: Progress) -> str:
        """The progress in one line."""
        means = ", ".join(f"{name} {value:.4g}" for name, value in progress.training.items())
        return f"{progress.seen} {self.unit}, {means}"

    @abstractmethod
    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write a checkpoint of the current model into a folder. about: description of the run, JSON-able."""

    def page(self, place: str, about: Mapping[str, Any], history: History, *, stopped: bool) -> str | None:
        """An HTML page on a finished run, or None. place: its folder."""
        return None

    def state(self) -> Mapping[str, Any]:
        """State to resume from beside models and optimisers, JSON-able."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the state of `state`."""
        return


def schedule(step: int, share: float) -> float:
    """The learning rate as a share of its peak: a short linear rise, then half a cosine down to zero."""
    return min((step + 1) / WARM_UP, 1.0) * 0.5 * (1 + math.cos(math.pi * min(max(share, 0.0), 1.0)))


def running_mean(before: float, value: float, step: int) -> float:
    """The exponential mean over some fifty steps; over fewer steps the plain mean.

    Losses of single batches vary by a factor of two, because the items of a batch may be alike.
    """
    new = max(0.02, 1 / (step + 1))
    return (1 - new) * before + new * value if step else value


class BestEffort:
    """A guard around work that a run can do without: a failure becomes a warning, once for each kind."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.warn = warn
        self.warned: set[str] = set()

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """Try the operation that the warning names `what`."""
        try:
            yield
        except Exception as error:  # any error: hours of training are worth more than a picture
            if what not in self.warned:
                self.warned.add(what)
                self.warn(f"{what} failed, the training goes on without ({type(error).__name__}: {error})")
