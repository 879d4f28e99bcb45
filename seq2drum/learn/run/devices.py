"""Devices and precision of training: CPU, one GPU, or several processes by torchrun."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision, Precision
from torch import distributed
from torch.distributed.rendezvous import rendezvous

from seq2drum.errors import OptionError
from seq2drum.models.layers import cpu_has_bf16

KERNELS = "64"
"""The number of shapes whose kernels oneDNN keeps, some five of 256 kB each: its default, 1,024, takes up to 1 GB."""


class _Bfloat16(Precision):
    """Bfloat16 on a CPU for parts of a batch in separate threads, see `loop.side_by_side`.

    Fabric's own plugin insists on making all backward passes. It also caches cast weights across threads until a loss
    is made, so the gradients of a weight that is used twice would be summed in bfloat16 or float32 by chance.
    """

    precision = "bf16-mixed"

    def __init__(self) -> None:
        self._like = MixedPrecision("bf16-mixed", "cpu")

    def forward_context(self) -> AbstractContextManager[Any]:
        context: AbstractContextManager[Any] = torch.autocast("cpu", torch.bfloat16, cache_enabled=False)
        return context

    def convert_input(self, data: Any) -> Any:
        return self._like.convert_input(data)

    def convert_output(self, data: Any) -> Any:
        return self._like.convert_output(data)


def make_fabric(device: str, precision: str, *, compiled: bool = False) -> Fabric:
    """The Fabric for a recipe's `device` and `precision`.

    compiled: whether models go through torch.compile. On a CPU its code for sums in bfloat16 is not valid C++ (torch
    2.13), so "auto" is float32 there.

    Raises:
        OptionError: the device does not exist.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KERNELS)
    if device == "cuda" and not torch.cuda.is_available():
        raise OptionError("--device cuda: there is no CUDA device that torch can use; try --device auto")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it logs the precision, which the recipe states
    kind: Any = {"bf16": "bf16-mixed", "32": "32-true"}.get(precision, precision)
    if precision == "auto":
        gpu = on_gpu(device)
        bf16 = torch.cuda.is_bf16_supported() if gpu else cpu_has_bf16() and not compiled
        kind = "bf16-mixed" if bf16 else "32-true"
    # Set by torchrun: the number of processes, and of those on this machine.
    world, local = (int(os.environ.get(name, "1")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    computed: dict[str, Any] = {"precision": kind}
    if kind == "bf16-mixed" and not on_gpu(device):
        computed = {"plugins": _Bfloat16()}
    try:
        return Fabric(accelerator=device, devices=local, num_nodes=max(world // local, 1), **computed)
    except (ValueError, RuntimeError) as error:
        raise OptionError(f"--device {device}: {error}") from None


@contextmanager
def compiling(compiled: bool) -> Iterator[None]:
    """Turn failures of torch.compile into an error of one sentence; compiled: whether models go through it.

    Raises:
        OptionError: torch.compile failed.
    """
    if not compiled:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException

    logging.getLogger("torch._functorch").setLevel(logging.ERROR)  # it logs at length before it raises
    try:
        yield
    except TorchDynamoException as error:
        reason = str(error).strip().partition("\n")[0]
        raise OptionError(
            f"--compile: torch could not compile the model here ({reason}); leave --compile out, or try --precision 32"
        ) from error


def on_gpu(device: str) -> bool:
    """True if a recipe's `device` is a GPU."""
    return device != "cpu" and torch.cuda.is_available()


def init_process_group(device: torch.device) -> None:
    """Join the process group again after torchrun has restarted a training.

    torchrun keeps one store for all its starts (as of torch 2.13), which still holds addresses of ended processes, so
    each start after the first uses a new prefix.
    """
    start = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    if not start or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    store, rank, world = next(rendezvous("env://"))
    own = distributed.PrefixStore(f"start {start}", store)  # type: ignore[attr-defined]
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", store=own, rank=rank, world_size=world)


def machine_name(device: torch.device) -> str:
    """The type of machine: a GPU's model, or the processor and its cores."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads a process"


def use_threads(threads: int) -> None:
    """Compute in this many threads; 0: one for each core of this process's share."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun's, on this machine
    torch.set_num_threads(threads or max((os.cpu_count() or 1) // processes, 1))
