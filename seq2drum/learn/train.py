"""The training loop, one for all families: CPU, one GPU, or several processes by torchrun.

Every draw of an epoch comes from (seed, epoch) and every dropout mask from (seed, step), so a run that is resumed is
the run that was not interrupted, and processes that share a batch do what one process with the whole batch does.
"""

from __future__ import annotations

import json
import logging
import math
import os
import platform
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.utils.tensorboard import SummaryWriter

from seq2drum import files
from seq2drum.data import batches
from seq2drum.data.batches import BLANKED, Batch, Data, Window
from seq2drum.errors import CheckpointError, CorpusError, OptionError, OutputError
from seq2drum.lattice.phrases import MAX_NOTES
from seq2drum.learn import report
from seq2drum.learn.history import History, Point, Watched
from seq2drum.learn.report import Finished
from seq2drum.learn.watching import Chosen, Watch
from seq2drum.models import checkpoint, family
from seq2drum.models.base import Config, Family, tensors

try:
    import fcntl
except ModuleNotFoundError:  # Windows has none
    fcntl = None  # type: ignore[assignment]

VALIDATION_WINDOWS = 480
SECONDS_BETWEEN_VALIDATIONS = 60.0  # at the least
SECONDS_BETWEEN_SAVES = 300.0  # at the most
WARM_UP = 100  # steps
_LOG = logging.getLogger(__name__)
HISTORY, REPORT = "history.json", "report.html"


@dataclass(frozen=True)
class Plan:
    """What a run does. Lengths: `minutes` of wall time if given, else `epochs` of all pairs.

    batch: pairs a process sees at once. weights: how often a song of a tag is seen in an epoch.
    precision: "auto" is bfloat16 where the device computes in it, else float32. sizes: the family's own numbers.
    """

    model: str = "attention"
    kit: str = "full"
    minutes: float | None = None
    epochs: int = 10
    batch: int = 96
    rate: float = 3e-3
    weight_decay: float = 0.01
    blanked: float = BLANKED
    transpose: bool = True
    max_notes: int = MAX_NOTES
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    weights: Mapping[str, float] = field(default_factory=dict)
    sizes: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Progress:
    """How far a run has come; kept beside the weights, and shown."""

    epoch: int = 0
    batch: int = 0  # of the epoch, the next to do
    step: int = 0
    bars: int = 0
    seconds: float = 0.0
    nats: float = math.nan  # per bar, running mean of the training loss
    validation: float = math.nan
    swapped: float = math.nan
    best: float = math.inf


@dataclass(frozen=True)
class Outcome:
    """What a run came to: its folder, its progress, whether it was stopped before its end, and its page, if made."""

    folder: Path
    progress: Progress
    stopped: bool
    report: Path | None = None


def train(
    training: Data,
    validation: Data | None,
    plan: Plan,
    folder: Path,
    *,
    resume: bool = False,
    about: Mapping[str, Any] | None = None,
    show: Callable[[float, Progress], None] = lambda share, progress: None,
    stopping: Callable[[], None] = lambda: None,
    chosen: Chosen | None = None,
    tell: Callable[[str], None] = _LOG.warning,
) -> Outcome:
    """Train a model and leave `best` and `last` checkpoints, TensorBoard's curves and a page in a folder.

    Ctrl-C ends the run after the step that is being done: both checkpoints are usable, and the run can be resumed as
    if nothing had happened. `show` is called after each step with the share of the run that is done, `stopping` after
    Ctrl-C, when the run is saved and only its last measurement is missing. `about` is kept in the checkpoints'
    `config.json`. What is `chosen` is played now and then, see `watching`; `tell` is told what failed of that.

    Raises:
        CheckpointError: `resume` without a run to resume, or with one of another plan.
        CorpusError: there is nothing to learn from.
        OptionError: the folder holds another run, or one that is going on; a size makes no model; it diverged.
    """
    check_folder(folder, resume=resume)
    fabric = _fabric(plan)
    fabric.launch()
    kind = family(plan.model)
    _check_sizes(plan, kind.config_type)
    if not batches.windows(training, max_notes=plan.max_notes):
        raise CorpusError("no pair of guitar and drums to learn from: every song fell to the other sides of the split")
    with _alone(folder, fabric.global_rank):
        torch.manual_seed(plan.seed)
        bare = kind(kind.config_type(voices=len(training.kit), **plan.sizes))
        optimizer = torch.optim.AdamW(bare.parameters(), lr=plan.rate, weight_decay=plan.weight_decay)
        watch = Watch(chosen or Chosen(), training.kit, plan.seed, plan.max_notes, tell)
        run = _Run(fabric, training, validation, plan, folder, bare, optimizer, Progress(), dict(about or {}), watch)
        model, wrapped = fabric.setup(bare, optimizer)
        if resume:  # only now: what is restored goes where the weights are, which may be a GPU
            run.restore()
        run.open()
        stopped = False
        try:
            with _asked_to_stop(fabric.world_size) as asked:
                run.loop(model, wrapped, show, asked)
        except KeyboardInterrupt:
            stopped = True
            run.save()
            stopping()
        try:
            run.validate(last=True)
            run.save()
        finally:
            page = run.close(stopped)
        return Outcome(folder, run.progress, stopped, page)


def _check_sizes(plan: Plan, config: type[Config]) -> None:
    given = {item.name for item in fields(Config)}  # what every family has follows from the data
    known = {item.name: item.default for item in fields(config) if item.name not in given}
    for name, value in plan.sizes.items():
        if name not in known:
            raise OptionError(f"the family {plan.model!r} has no such size as {name!r}; it has {', '.join(known)}")
        if isinstance(known[name], int) and (value != int(value) or value < 1):
            raise OptionError(f"the size {name} is {value}, wanted a whole number of 1 or more")
        if isinstance(known[name], float) and not 0 <= value < 1:
            raise OptionError(f"the size {name} is {value}, wanted a share from 0 to less than 1")


@contextmanager
def _alone(folder: Path, rank: int) -> Iterator[None]:
    """Keep a run's folder for this training: a second one would write over what this one saves.

    Raises:
        OptionError: another training has it.
        OutputError: it cannot be made or written.
    """
    if rank:  # the first process of several speaks and writes for all
        yield
        return
    held = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if fcntl is not None:
            held = os.open(folder, os.O_RDONLY)
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it ends with the process, however that ends
        yield
    except BlockingIOError:
        raise OptionError(f"another training is going on in {str(folder)!r}; name another --out") from None
    except (OSError, SafetensorError) as error:
        raise OutputError(f"the run cannot be kept in {str(folder)!r}: {error}") from error
    finally:
        if held is not None:
            os.close(held)


def check_folder(folder: Path, *, resume: bool) -> None:
    """Say at once, before anything is read, if a run cannot be kept in a folder.

    Raises:
        OptionError: it holds a run already, and that is not to be resumed.
        CheckpointError: it holds none, and one is to be resumed.
        OutputError: it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{str(folder)!r} is a file; --out wants a folder")
    if (folder / "last.old").is_dir() and not (folder / "last").exists():
        (folder / "last.old").rename(folder / "last")  # the run was killed between the two renames of a save
    if resume and not (folder / "last").is_dir():
        raise CheckpointError(f"there is no run to resume in {str(folder)!r}; leave out --resume to begin one")
    if not resume and (folder / "last").exists():
        raise OptionError(f"{str(folder)!r} holds a run already: go on with --resume, or name another --out")


@contextmanager
def _asked_to_stop(processes: int) -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed: a step that is being done is finished first. Pressed twice, it stops at once.

    Several processes would not all stop at the same step, so there Ctrl-C does what it always does.
    """
    pressed = threading.Event()

    def press(number: int, frame: object) -> None:
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


@dataclass
class _Run:
    fabric: Fabric
    training: Data
    validation: Data | None
    plan: Plan
    folder: Path
    bare: Family
    optimizer: torch.optim.Optimizer
    progress: Progress
    about: dict[str, Any]
    watch: Watch
    writer: SummaryWriter | None = None

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.plan.seed, 7])
        windows: list[Window] = []
        if self.validation is not None:
            windows = batches.blocks(self.validation) or batches.windows(self.validation, max_notes=self.plan.max_notes)
        if len(windows) > VALIDATION_WINDOWS:
            windows = [windows[index] for index in rng.permutation(len(windows))[:VALIDATION_WINDOWS].tolist()]
        self.windows = windows
        self.validated = self.saved = time.monotonic()
        tenth = math.inf if self.plan.minutes is None else 6 * self.plan.minutes
        self.patience = min(max(tenth, SECONDS_BETWEEN_VALIDATIONS), SECONDS_BETWEEN_SAVES)

    def open(self) -> None:
        """Begin to show curves; a run that is gone on with takes back what it showed after it was saved."""
        if self.fabric.global_rank == 0:
            purge = self.progress.bars + 1 if self.progress.step else None
            self.writer = SummaryWriter(str(self.folder), purge_step=purge)

    # --- steps ---------------------------------------------------------------------------------------------------

    def loop(
        self, model: Any, optimizer: Any, show: Callable[[float, Progress], None], asked: Callable[[], bool]
    ) -> None:
        plan, progress, fabric = self.plan, self.progress, self.fabric
        before, begun = progress.seconds, time.monotonic()
        while not self.done():
            todo = self.epoch()
            for batch in _ahead(self.collated(todo[progress.batch :], progress.batch)):
                share = self.share(len(todo))
                for group in optimizer.param_groups:
                    group["lr"] = plan.rate * schedule(progress.step, share)
                torch.manual_seed(_seed(plan.seed, progress.step, fabric.global_rank))
                model.train()
                losses = model(tensors(batch, fabric.device))
                loss = losses["loss"]
                losses = {name: value.detach() for name, value in losses.items()}
                bars: Any = fabric.all_reduce(losses["bars"].float(), reduce_op="sum")
                # A mean over the bars of all processes, whatever share of them is here.
                mine = losses["bars"] * fabric.world_size / bars
                optimizer.zero_grad()
                fabric.backward(loss * mine)
                try:
                    fabric.clip_gradients(model, optimizer, max_norm=1.0)
                except RuntimeError as error:
                    if "non-finite" not in str(error):
                        raise
                    raise OptionError(
                        f"the training ran out of numbers at step {progress.step}; a lower --rate than {plan.rate:g}"
                        " keeps it steady. What was saved before is as it was"
                    ) from None
                optimizer.step()
                nats = float(losses["nats"] / losses["bars"])
                progress.nats = running_mean(progress.nats, nats, progress.step)
                progress.step, progress.batch = progress.step + 1, progress.batch + 1
                progress.bars += int(bars)
                progress.seconds = before + time.monotonic() - begun
                self.record(losses, optimizer.param_groups[0]["lr"])
                show(min(share, 1.0), progress)
                if asked():
                    raise KeyboardInterrupt
                if self.done():
                    return
                if self.passed(self.patience, self.saved):  # an epoch of many songs is long
                    self.validate()
                    self.save()
            progress.epoch, progress.batch = progress.epoch + 1, 0
            if self.passed(SECONDS_BETWEEN_VALIDATIONS, self.validated):
                self.validate()
                self.save()

    def epoch(self) -> list[list[Window]]:
        """The batches of this epoch, for all processes together."""
        plan, fabric = self.plan, self.fabric
        rng = np.random.default_rng([plan.seed, 1, self.progress.epoch])
        size = plan.batch * fabric.world_size
        todo = batches.epoch(self.training, rng, size=size, max_notes=plan.max_notes, weights=dict(plan.weights))
        return [batch for batch in todo if len(batch) >= fabric.world_size]

    def collated(self, todo: Sequence[Sequence[Window]], first: int) -> Iterator[Batch]:
        """This process's part of each batch."""
        rank, world = self.fabric.global_rank, self.fabric.world_size
        for index, pairs in enumerate(todo, first):
            rng = np.random.default_rng([self.plan.seed, 2, self.progress.epoch, index])
            draws = batches.draw(rng, len(pairs)).part(rank, world)
            plan = self.plan
            yield batches.collate(
                self.training, pairs[rank::world], draws, blanked=plan.blanked, transpose=plan.transpose, ask=True
            )

    def share(self, batches_in_epoch: int) -> float:
        """How much of the run is done, 0..1."""
        if self.plan.minutes is not None:
            return self.progress.seconds / (60 * self.plan.minutes)
        return (self.progress.epoch + self.progress.batch / max(batches_in_epoch, 1)) / self.plan.epochs

    def done(self) -> bool:
        if self.plan.minutes is not None:
            return self.agreed(self.progress.seconds >= 60 * self.plan.minutes)
        return self.progress.epoch >= self.plan.epochs

    def passed(self, seconds: float, since: float) -> bool:
        return self.agreed(time.monotonic() - since > seconds)

    def agreed(self, mine: bool) -> bool:
        """What the first process says: clocks differ, and all must do the same, for they wait for each other."""
        return bool(self.fabric.broadcast(torch.tensor(float(mine)))) if self.fabric.world_size > 1 else mine

    # --- validation and records ----------------------------------------------------------------------------------

    def validate(self, *, last: bool = False) -> None:
        """Nats a bar on songs never trained on, with their own and with another song's guitar; and some of them played.

        Only the first of several processes does, while the others wait.
        """
        if self.validation is not None and self.windows and self.fabric.global_rank == 0:
            right, wrong = likelihood(self.bare, self.validation, self.windows)
            self.progress.validation, self.progress.swapped = right, wrong
            if self.writer:
                self.writer.add_scalar("validation/nats_per_bar", right, self.progress.bars)
                if not math.isnan(wrong):
                    self.writer.add_scalar("validation/nats_per_bar_swapped_guitar", wrong, self.progress.bars)
            if right <= self.progress.best:
                self.progress.best = right
                checkpoint.save(self.bare, self.folder / "best", self.described())
        elif self.fabric.global_rank == 0:
            checkpoint.save(self.bare, self.folder / "best", self.described())
        if self.fabric.global_rank == 0:
            now = self.progress
            moment = Watched(now.bars, now.seconds, now.nats, now.validation, now.swapped)
            self.watch.look(self.bare, moment, self.writer, last=last)
        self.fabric.barrier()
        self.validated = time.monotonic()

    def record(self, losses: dict[str, Any], rate: float) -> None:
        now = self.progress
        self.watch.record(now.step, Point(now.bars, now.seconds, now.nats, rate))
        if self.writer is None or now.step % 10:
            return
        hits = losses["hits"].clamp(min=1)
        for name, value in (
            ("train/nats_per_bar", losses["nats"] / losses["bars"]),
            ("train/velocity_nats_per_hit", losses["velocity"] / hits),
            ("train/offset_nats_per_hit", losses["offset"] / hits),
            ("train/rate", rate),
            ("train/bars_per_second", self.progress.bars / max(self.progress.seconds, 1e-9)),
        ):
            self.writer.add_scalar(name, float(value), self.progress.bars)

    def described(self) -> dict[str, Any]:
        """What the checkpoint says of itself."""
        plan = asdict(self.plan) | {"weights": dict(self.plan.weights), "sizes": dict(self.plan.sizes)}
        return {
            "kit": self.plan.kit,
            "max_notes": self.plan.max_notes,
            "plan": plan,
            "progress": {key: value for key, value in asdict(self.progress).items() if value == value},
            "machine": {
                "device": str(self.fabric.device),
                "processes": self.fabric.world_size,
                "name": _machine(self.fabric.device),
            },
            "torch": torch.__version__,
            **self.about,
        }

    def save(self) -> None:
        """Write `last`: a checkpoint, and beside it what a resumed run needs."""
        self.saved = time.monotonic()
        if self.fabric.global_rank == 0:
            fresh, last, old = (self.folder / name for name in ("last.new", "last", "last.old"))
            for left in (fresh, old):
                shutil.rmtree(left, ignore_errors=True)
            checkpoint.save(self.bare, fresh, self.described())
            moments: dict[str, torch.Tensor] = {}
            for index, state in self.optimizer.state_dict()["state"].items():
                moments |= {f"{index}.{name}": value.detach().cpu().contiguous() for name, value in state.items()}
            save_file(moments, fresh / "optimizer.safetensors")
            (fresh / "progress.json").write_text(json.dumps(asdict(self.progress)))
            (fresh / HISTORY).write_text(self.watch.history.as_json())
            if last.exists():  # a run that is killed here loses nothing that is not still in one of the two
                last.replace(old)
            fresh.replace(last)
            shutil.rmtree(old, ignore_errors=True)
        self.fabric.barrier()

    def restore(self) -> None:
        """Take up a run where its `last` checkpoint left it."""
        last = self.folder / "last"
        model, about = checkpoint.load(last)
        try:
            held = {key: value for key, value in about["plan"].items() if key not in {"minutes", "epochs", "device"}}
            wanted = json.loads(json.dumps(self.described()["plan"]))
            differing = sorted(key for key, value in held.items() if wanted[key] != value)
            if differing:
                raise CheckpointError(
                    f"the run in {str(last)!r} was begun with other values of: {', '.join(differing)}"
                )
            self.bare.load_state_dict(model.state_dict())
            moments = load_file(last / "optimizer.safetensors")
            state: dict[int, dict[str, Any]] = {}
            for key, value in moments.items():
                index, name = key.split(".", 1)
                state.setdefault(int(index), {})[name] = value
            self.optimizer.load_state_dict(
                {"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]}
            )
            self.progress = Progress(**json.loads((last / "progress.json").read_text()))
            if (last / HISTORY).exists():  # runs of before had none
                self.watch.history = History.from_json((last / HISTORY).read_text())
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise CheckpointError(f"the run in {str(last)!r} cannot be resumed: {error}") from None

    def close(self, stopped: bool) -> Path | None:
        """Write the page of the run; None if that failed, or another process does it."""
        if self.writer is None:
            return None
        self.writer.close()
        path, made = self.folder / REPORT, None
        sides = {"training": self.training, "validation": self.validation}
        with self.watch.forgiving("the page of the run"):
            page = report.as_html(
                Finished(
                    str(self.folder),
                    self.described(),
                    {name: (len(data), len(data.steps)) for name, data in sides.items() if data is not None},
                    self.watch.history,
                    len(self.watch.chosen.songs),
                    self.watch.chosen.unseen,
                    self.watch.drawn(),
                    stopped,
                )
            )
            files.write_file(path, page.encode(), overwrite=True)
            made = path
        return made


def _seed(*numbers: int) -> int:
    """A seed for torch, made of some numbers; the same with every version of Python."""
    return int(np.random.SeedSequence([numbers[0], 5, *numbers[1:]]).generate_state(1, np.uint64)[0] >> 1)


def _machine(device: torch.device) -> str:
    """The kind of machine, not its name: a GPU's model, or the processor and its cores."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads a process"


def use_threads(threads: int) -> None:
    """Compute in so many threads; with 0, one for each core that is this process's share."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun's, on this machine
    torch.set_num_threads(threads or max((os.cpu_count() or 1) // processes, 1))


def schedule(step: int, share: float) -> float:
    """The learning rate as a share of its peak: a short linear rise, then half a cosine down to zero."""
    return min((step + 1) / WARM_UP, 1.0) * 0.5 * (1 + math.cos(math.pi * min(max(share, 0.0), 1.0)))


def running_mean(before: float, value: float, step: int) -> float:
    """The mean of the values of fifty steps or so, late ones above all; of fewer steps the plain mean.

    A batch says little of the others: pairs of a batch are of like length, so one may have twice the nats of the next.
    """
    new = max(0.02, 1 / (step + 1))
    return (1 - new) * before + new * value if step else value


@torch.no_grad()
def likelihood(
    model: Family, data: Data, windows: Sequence[Window], *, size: int = 32, seed: int = 0
) -> tuple[float, float]:
    """Mean nats a bar of the hits in some windows, given the true past: with their own guitar, and another song's.

    The second is no number (nan) where no window has a like one in another song.
    """
    was_training = model.training
    model.eval()
    others = dict(zip(windows, batches.swapped(data, windows, np.random.default_rng([seed, 3])), strict=True))
    device = next(model.parameters()).device
    sums = np.zeros((2, 2))
    for index, pairs in enumerate(batches.bucketed(data, windows, None, size=size)):
        draws = batches.draw(np.random.default_rng([seed, 4, index]), len(pairs))
        for side, listen_to in enumerate(([], [others[pair] for pair in pairs])):
            losses = model.losses(tensors(batches.collate(data, pairs, draws, listen_to=listen_to), device))
            sums[side] += float(losses["nats"]), float(losses["bars"])
    model.train(was_training)
    right, wrong = sums[:, 0] / np.maximum(sums[:, 1], 1)
    return float(right), float(wrong) if any(pair != other for pair, other in others.items()) else math.nan


def _fabric(plan: Plan) -> Fabric:
    if plan.device == "cuda" and not torch.cuda.is_available():
        raise OptionError("--device cuda: there is no CUDA device that torch can use; try --device auto")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells the precision, which the plan does
    precision: Any = plan.precision
    if precision == "auto":
        gpu = plan.device != "cpu" and torch.cuda.is_available()
        bf16 = torch.cuda.is_bf16_supported() if gpu else torch.backends.mkldnn.is_available() and _cpu_has_bf16()
        precision = "bf16-mixed" if bf16 else "32-true"
    elif precision == "bf16":
        precision = "bf16-mixed"
    elif precision == "32":
        precision = "32-true"
    # As torchrun says: how many processes there are, and how many of them on this machine.
    world, local = (int(os.environ.get(name, "1")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    try:
        return Fabric(accelerator=plan.device, devices=local, num_nodes=max(world // local, 1), precision=precision)
    except (ValueError, RuntimeError) as error:
        raise OptionError(f"--device {plan.device}: {error}") from None


def _cpu_has_bf16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and "avx512_bf16" in _cpu_flags()


def _cpu_flags() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.read_text() if cpuinfo.exists() else ""


def _ahead(items: Iterator[Batch], depth: int = 2) -> Iterator[Batch]:
    """The same batches, gathered in a second thread while the model computes."""
    queue: Queue[Batch | BaseException | None] = Queue(depth)
    stop = threading.Event()

    def work() -> None:
        try:
            for item in items:
                if stop.is_set():
                    return
                queue.put(item)
            queue.put(None)
        except BaseException as error:  # handed to the caller, who raises it
            queue.put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        while thread.is_alive():
            try:
                queue.get(timeout=0.05)
            except Exception:  # empty: the thread is still gathering its last batch
                continue
