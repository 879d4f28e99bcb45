"""The training loop, one for all tasks: CPU, one GPU, or several processes by torchrun.

It knows devices, processes, seeds, resuming, stopping, saving, progress, TensorBoard, and scalars by name; the rest is
the task's, see `task`.

(seed, step, process) seed a step, and (seed, epoch) an epoch, so a resumed run equals an unbroken one.
"""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from seq2drum.errors import OptionError
from seq2drum.learn.run import runs
from seq2drum.learn.run.devices import compiling, init_process_group, machine_name, make_fabric
from seq2drum.learn.run.task import BestEffort, History, Point, Progress, Scalars, StepResult, Task, running_mean
from seq2drum.models.layers import drawing_from
from seq2drum.system import files, workers

Loss = Callable[[], Tensor]
Gradients = Sequence[Tensor | None]


def summed(
    losses: Sequence[Loss], weights: Sequence[Tensor], backward: Callable[[Loss, int], None], threads: int
) -> None:
    """Sum the gradients of the losses of a batch's parts, in several threads; see `one_by_one` and `side_by_side`."""
    if len(losses) == 1:
        backward(losses[0], 0)
    elif threads == 1:
        one_by_one(losses, backward)
    else:
        side_by_side(losses, weights, threads)


def one_by_one(losses: Sequence[Loss], backward: Callable[[Loss, int], None]) -> None:
    """Call `backward` for each loss with the number of losses left after it; it adds the gradients."""
    for left, loss, seed in zip(range(len(losses) - 1, -1, -1), losses, _seeds(len(losses)), strict=True):
        torch.manual_seed(seed)
        backward(loss, left)


def side_by_side(losses: Sequence[Loss], weights: Sequence[Tensor], threads: int) -> None:
    """Add the gradients of all losses to those of the weights, on a CPU in a number of threads.

    A loss draws its random numbers with `layers.uniform` only: the threads share torch's own generator.
    """
    workers = min(threads, len(losses))

    def gradients(loss: Loss, seed: int) -> Gradients:
        with drawing_from(torch.Generator().manual_seed(seed)):
            made: Gradients = torch.autograd.grad(loss(), weights, allow_unused=True)
            return made

    torch.set_num_threads(max(threads // workers, 1))  # the default of each new thread
    try:
        with ThreadPoolExecutor(workers) as pool:
            for part in pool.map(gradients, losses, _seeds(len(losses))):
                _add(weights, part)
    finally:
        torch.set_num_threads(threads)


def _seeds(count: int) -> list[int]:
    """A seed for each part, derived from that of the step."""
    step = torch.initial_seed()
    return [(step + part) % 2**63 for part in range(count)]


def _add(weights: Sequence[Tensor], gradients: Gradients) -> None:
    for weight, gradient in zip(weights, gradients, strict=True):
        if gradient is None:
            continue
        if weight.grad is None:
            weight.grad = gradient
        else:
            weight.grad += gradient


SECONDS_BETWEEN_VALIDATIONS = 60.0  # at the least
SECONDS_BETWEEN_SAVES = 300.0  # at the most
SECONDS_BETWEEN_TRIMS = 15.0  # at the least: each costs some 0.1 s, while half a gigabyte is given back
STEPS_BETWEEN_RECORDS = 10  # in TensorBoard
STEPS_BETWEEN_LOOKS = 10  # at the first process's clock
LAG = 2  # steps by which a GPU may be behind when results are read
_LOG = logging.getLogger(__name__)

Item = TypeVar("Item")
BatchT = TypeVar("BatchT")
T = TypeVar("T")


@dataclass(frozen=True)
class Trained:
    """A finished run: its folder, its progress, whether it was stopped early, and its page, if any."""

    folder: Path
    progress: Progress
    stopped: bool
    report: Path | None = None


def train(
    task: Task[Item, BatchT],
    folder: Path,
    *,
    resume: bool = False,
    about: Mapping[str, Any] | None = None,
    show: Callable[[float, Progress], None] = lambda share, progress: None,
    stopping: Callable[[], None] = lambda: None,
    warn: Callable[[str], None] = _LOG.warning,
) -> Trained:
    """Train a task; leave its best and its last model, TensorBoard's curves and a page in a folder.

    Ctrl-C ends the run after the current step; it can be resumed as if never interrupted. show: called after each step
    with the share of the run that is done. stopping: called after Ctrl-C, when the run is saved and only its last
    validation is missing. about: passed to the task when it saves. warn: called with failures that a run survives.

    Raises:
        CheckpointError: `resume` without a run to resume, or with one of another recipe.
        OptionError: the folder holds another run, or one in progress; the device does not exist; the run diverged;
            torch cannot compile the models.
        OutputError: the folder cannot be written.
    """
    # 1. A folder and a device.
    runs.check_folder(folder, resume=resume)
    compiled = task.recipe.compiled
    fabric = make_fabric(task.recipe.device, task.recipe.precision, compiled=compiled)
    init_process_group(fabric.device)
    fabric.launch()
    with runs.alone(folder, fabric.global_rank), compiling(compiled):
        run = _Run(fabric, task, folder, dict(about or {}), show, BestEffort(warn))
        # 2. Restore a run, now that the models are on the device.
        if resume:
            run.progress, run.history = runs.restore(folder, task)
        run.open()
        # 3. Make the steps, and leave models and page.
        stopped = False
        try:
            with _stop_requested(fabric.world_size) as stop_requested:
                run.loop(stop_requested)
        except KeyboardInterrupt:
            stopped = True
            run.save()
            stopping()
        try:
            run.validate(last=True)
            run.save()
        finally:
            page = run.close(stopped)
        return Trained(folder, run.progress, stopped, page)


@contextmanager
def _stop_requested(processes: int) -> Iterator[Callable[[], bool]]:
    """Yield a function that returns True after Ctrl-C, so that the current step finishes; twice stops immediately.

    Several processes would not all stop at the same step, so Ctrl-C keeps its usual effect there.
    """
    pressed = threading.Event()

    def press(_signal: int, _frame: object) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    if processes > 1 or threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class _PendingResult:
    """A step's result on its way from the device: the amount seen, scalars by name, norms of gradients.

    step, seconds: of the run after the step. numbers (1 + scalars + norms,).
    """

    step: int
    seconds: float
    names: tuple[str, ...]
    numbers: torch.Tensor
    arrived: torch.cuda.Event | None

    @classmethod
    def of(
        cls, made: StepResult, norms: list[torch.Tensor], progress: Progress, device: torch.device
    ) -> _PendingResult:
        """Start the transfer of a step's result; empties `norms`."""
        values = [made.seen, *made.scalars.values(), *norms]
        norms.clear()
        names = tuple(made.scalars)
        if device.type != "cuda":
            numbers = torch.tensor([float(value) for value in values], dtype=torch.float64)
            return cls(progress.step, progress.seconds, names, numbers, None)
        there = torch.stack([torch.as_tensor(value, dtype=torch.float64, device=device) for value in values])
        numbers, arrived = there.to("cpu", non_blocking=True), torch.cuda.Event()
        arrived.record()
        return cls(progress.step, progress.seconds, names, numbers, arrived)

    def values(self) -> tuple[int, dict[str, float], list[float]]:
        """The amount seen, scalars, and norms; waits for the transfer."""
        if self.arrived is not None:
            self.arrived.synchronize()
        seen, *others = self.numbers.tolist()
        names = self.names
        return int(seen), dict(zip(names, others, strict=False)), others[len(names) :]


@dataclass
class _Run(Generic[Item, BatchT]):
    """A run in progress, which is the `StepContext` of its task."""

    fabric: Fabric
    task: Task[Item, BatchT]
    folder: Path
    about: dict[str, Any]
    show: Callable[[float, Progress], None]
    best_effort: BestEffort
    progress: Progress = field(default_factory=Progress)
    history: History = field(default_factory=History)
    writer: SummaryWriter | None = None

    def __post_init__(self) -> None:
        self.device = self.fabric.device
        self.rank, self.processes = self.fabric.global_rank, self.fabric.world_size
        setup, setup_optimizer = self.fabric.setup_module, self.fabric.setup_optimizers
        compiled: Any = torch.compile if self.task.recipe.compiled else lambda model: model
        self.models: Mapping[str, Any] = {name: setup(compiled(model)) for name, model in self.task.models.items()}
        self.optimizers: Mapping[str, Any] = {name: setup_optimizer(one) for name, one in self.task.optimizers.items()}
        self.lag = lag_of(self.device)
        self.norms: list[torch.Tensor] = []
        self.unread: deque[_PendingResult] = deque()
        self.validated = self.saved = time.monotonic()
        self.given_back = -math.inf
        minutes = self.task.recipe.minutes
        tenth = math.inf if minutes is None else 6 * minutes
        self.patience = min(max(tenth, SECONDS_BETWEEN_VALIDATIONS), SECONDS_BETWEEN_SAVES)

    def open(self) -> None:
        """Open the curves; a resumed run removes those drawn after its last save."""
        if self.rank == 0:
            purge = self.progress.seen + 1 if self.progress.step else None
            self.writer = SummaryWriter(str(self.folder), purge_step=purge)

    # --- for the steps of a task -------------------------------------------------------------------------------------

    def update(
        self, optimizer: str, loss: torch.Tensor | Sequence[Callable[[], torch.Tensor]], *, most: float = 1.0
    ) -> None:
        stepper = self.optimizers[optimizer]
        weights = [weight for group in stepper.param_groups for weight in group["params"]]
        stepper.zero_grad()
        if isinstance(loss, torch.Tensor):
            self.fabric.backward(loss)
        else:
            alone = self.device.type == "cpu" and self.processes == 1 and not self.task.recipe.compiled
            summed(loss, weights, self.backward, torch.get_num_threads() if alone else 1)
        norm = torch.nn.utils.clip_grad_norm_(weights, most)
        if self.lag:
            self.norms.append(norm)
        else:
            self.check(float(norm), self.progress.step)
        stepper.step()

    def backward(self, loss: Callable[[], torch.Tensor], left: int) -> None:
        """Add a loss's gradients; processes synchronise at the step's last loss, which has none left."""
        with ExitStack() as apart:
            for model in self.models.values():
                apart.enter_context(self.fabric.no_backward_sync(model, enabled=left > 0))
            self.fabric.backward(loss())

    def check(self, norm: float, step: int) -> None:
        """Raise an OptionError if gradients are not finite."""
        if not math.isfinite(norm):
            raise OptionError(
                f"the training ran out of numbers at step {step}; a lower --rate than"
                f" {self.task.recipe.rate:g} keeps it steady. What was saved before is as it was"
            )

    def total(self, value: torch.Tensor) -> torch.Tensor:
        summed: Any = self.fabric.all_reduce(value.float(), reduce_op="sum")
        return summed  # type: ignore[no-any-return]

    # --- steps -------------------------------------------------------------------------------------------------------

    def loop(self, stop_requested: Callable[[], bool]) -> None:
        """Make all remaining steps, validating and saving in between; KeyboardInterrupt if requested."""
        progress, before, begun = self.progress, self.progress.seconds, time.monotonic()
        while not self.done():
            items = self.task.epoch(progress.epoch, self.processes)
            for batch in _prefetch(self.prepared(items[progress.batch :])):
                share = self.share(len(items))
                made = self.step(batch, share)
                progress.step, progress.batch = progress.step + 1, progress.batch + 1
                progress.seconds = before + time.monotonic() - begun
                self.unread.append(_PendingResult.of(made, self.norms, progress, self.device))
                self.read(self.lag)
                self.give_back()
                self.show(min(share, 1.0), progress)
                if stop_requested():
                    raise KeyboardInterrupt
                if self.done():
                    return
                looks = self.processes == 1 or progress.step % STEPS_BETWEEN_LOOKS == 0
                if looks and self.passed(self.patience, self.saved):  # an epoch of much data is long
                    self.validate()
                    self.save()
            progress.epoch, progress.batch = progress.epoch + 1, 0
            if self.passed(SECONDS_BETWEEN_VALIDATIONS, self.validated):
                self.validate()
                self.save()

    def prepared(self, items: Iterable[Item]) -> Iterator[BatchT]:
        """This process's part of each remaining item of the epoch."""
        epoch, first = self.progress.epoch, self.progress.batch
        for index, item in enumerate(items, first):
            batch = self.task.prepare(item, epoch, index, rank=self.rank, processes=self.processes)
            yield self.task.pinned(batch) if self.device.type == "cuda" else batch

    def step(self, batch: BatchT, share: float) -> StepResult:
        """Make one step, with its rates and its seed."""
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.task.rate(name, self.progress.step, share)
        torch.manual_seed(step_seed(self.task.recipe.seed, self.progress.step, self.rank))
        for model in self.models.values():
            model.train()
        return self.task.step(batch, self)

    def read(self, left: int = 0) -> None:
        """Add the results of steps to the progress, except for the last `left` ones."""
        while len(self.unread) > left:
            one = self.unread.popleft()
            seen, scalars, norms = one.values()
            for norm in norms:
                self.check(norm, one.step - 1)
            self.progress.seen += seen
            self.record(scalars, one.step, one.seconds)

    def give_back(self) -> None:
        """Return freed memory to the system from time to time; steps of other shapes leave some in the heap."""
        if self.device.type == "cpu" and time.monotonic() - self.given_back > SECONDS_BETWEEN_TRIMS:
            workers.give_back()
            self.given_back = time.monotonic()

    def share(self, items: int) -> float:
        """The finished share of the run, 0..1, for epochs of this many items."""
        recipe, progress = self.task.recipe, self.progress
        if recipe.minutes is not None:
            return progress.seconds / (60 * recipe.minutes)
        if recipe.steps is not None:
            return progress.step / recipe.steps
        return (progress.epoch + progress.batch / max(items, 1)) / (recipe.epochs * self.task.chunks)

    def done(self) -> bool:
        """True if the run has the length of its recipe."""
        recipe, progress = self.task.recipe, self.progress
        if recipe.minutes is not None:
            return self.agreed(progress.seconds >= 60 * recipe.minutes)
        if recipe.steps is not None:
            return progress.step >= recipe.steps
        return progress.epoch >= recipe.epochs * self.task.chunks

    def passed(self, seconds: float, since: float) -> bool:
        """True if this many seconds have passed since a moment."""
        return self.agreed(time.monotonic() - since > seconds)

    def agreed(self, mine: bool) -> bool:
        """The answer of the first process: clocks differ, but all processes must agree."""
        return bool(self.fabric.broadcast(torch.tensor(float(mine)))) if self.processes > 1 else mine

    # --- validation and records --------------------------------------------------------------------------------------

    def record(self, scalars: Scalars, step: int, seconds: float) -> None:
        """Add a step's scalars to the running means, to the history, and every few steps to TensorBoard."""
        now = self.progress
        scalars = {name: value for name, value in scalars.items() if math.isfinite(value)}
        for name, value in scalars.items():
            now.training[name] = running_mean(now.training.get(name, value), value, step - 1)
        rates = {name: float(optimizer.param_groups[0]["lr"]) for name, optimizer in self.optimizers.items()}
        rates = {"rate" if len(rates) == 1 else f"rate/{name}": rate for name, rate in rates.items()}
        self.history = self.history.recorded(step, Point(now.seen, seconds, {**now.training, **rates}))
        if self.writer is None or step % STEPS_BETWEEN_RECORDS:
            return
        pace = {f"{self.task.unit}_per_second": now.seen / max(seconds, 1e-9)}
        for name, value in {**scalars, **rates, **pace}.items():
            self.writer.add_scalar(f"train/{name}", value, now.seen)

    def validate(self, *, last: bool = False) -> None:
        """Validate, keep the best model, and show samples, in the first process while the others wait."""
        self.read()
        if self.rank == 0:
            now = self.progress
            now.validation = {name: value for name, value in self.task.validate().items() if math.isfinite(value)}
            self.history = self.history.validated(Point(now.seen, now.seconds, dict(now.validation)))
            for name, value in now.validation.items():
                if self.writer:
                    self.writer.add_scalar(f"validation/{name}", value, now.seen)
            criterion = now.validation.get(self.task.criterion)
            if criterion is None or criterion <= now.best:
                now.best = now.best if criterion is None else criterion
                self.task.save(self.folder / runs.BEST, self.described())
            self.task.show(now, self.writer, last=last)
        self.fabric.barrier()
        self.validated = time.monotonic()

    def described(self) -> dict[str, Any]:
        """Description of the run, JSON-able."""
        progress = asdict(self.progress)
        progress[self.task.unit] = progress.pop("seen")
        return {
            "recipe": self.task.recipe.as_dict(),
            "progress": {name: value for name, value in progress.items() if value != math.inf},
            "machine": {
                "device": str(self.device),
                "processes": self.processes,
                "name": machine_name(self.device),
            },
            "torch": torch.__version__,
            **self.about,
        }

    def save(self) -> None:
        """Write `last`: the model, and the state that a resumed run needs."""
        self.read()
        self.saved = time.monotonic()
        if self.rank == 0:
            runs.save(self.folder, self.task, self.progress, self.history, self.described())
        self.fabric.barrier()

    def close(self, stopped: bool) -> Path | None:
        """Write the page of the run; None if that failed, the task has none, or another process does it."""
        if self.writer is None:
            return None
        self.writer.close()
        path, made = self.folder / runs.REPORT, None
        with self.best_effort("the page of the run"):
            page = self.task.page(str(self.folder), self.described(), self.history, stopped=stopped)
            if page is not None:
                files.write_file(path, page.encode(), overwrite=True)
                made = path
        return made


def lag_of(device: torch.device) -> int:
    """Steps by which a device may be behind when results are read."""
    return LAG if device.type == "cuda" else 0


def step_seed(*numbers: int) -> int:
    """A seed for torch from some numbers; the same with every version of Python."""
    return int(np.random.SeedSequence([numbers[0], 5, *numbers[1:]]).generate_state(1, np.uint64)[0] >> 1)


def _prefetch(items: Iterator[T], depth: int = 2) -> Iterator[T]:
    """The items, made ahead in a second thread."""
    queue: Queue[tuple[T] | BaseException | None] = Queue(depth)
    stop = threading.Event()

    def work() -> None:
        try:
            for item in items:
                if stop.is_set():
                    return
                queue.put((item,))
            queue.put(None)
        except BaseException as error:  # handed to the caller, who raises it
            queue.put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (held := queue.get()) is not None:
            if isinstance(held, BaseException):
                raise held
            yield held[0]
    finally:
        stop.set()
        while thread.is_alive():
            try:
                queue.get(timeout=0.05)
            except Exception:  # empty: the thread is still making its last item
                continue
