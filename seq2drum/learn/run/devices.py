"""Where training computes: CPU, one GPU, or several processes by torchrun; and in which precision."""

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
"""Operations on one shape of which oneDNN keeps the kernels, some five of 256 kB each: of its own 1,024, up to 1 GB."""


class _Bfloat16(Precision):
    """Bfloat16 on a CPU, for parts that are learnt from in threads of their own, see `parts`.

    Fabric's own wants to make all backward passes itself. And it keeps weights that were cast until any loss is made,
    for all threads: the gradients of a weight that is used twice would be summed in bfloat16 or float32, as it happens.
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
    """What computes, as a recipe's `device` and `precision` name it.

    compiled: whether models go through torch.compile. On a CPU what it writes for sums in bfloat16 is no C++ (torch
    2.13), so there "auto" is float32.

    Raises:
        OptionError: there is no such device.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KERNELS)
    if device == "cuda" and not torch.cuda.is_available():
        raise OptionError("--device cuda: there is no CUDA device that torch can use; try --device auto")
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells the precision, which the recipe does
    kind: Any = {"bf16": "bf16-mixed", "32": "32-true"}.get(precision, precision)
    if precision == "auto":
        gpu = on_gpu(device)
        bf16 = torch.cuda.is_bf16_supported() if gpu else cpu_has_bf16() and not compiled
        kind = "bf16-mixed" if bf16 else "32-true"
    # As torchrun says: how many processes there are, and how many of them on this machine.
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
    """Say in a sentence what torch.compile cannot do; compiled: whether models go through it.

    Raises:
        OptionError: it could not.
    """
    if not compiled:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException

    logging.getLogger("torch._functorch").setLevel(logging.ERROR)  # it tells at length what it then raises
    try:
        yield
    except TorchDynamoException as error:
        reason = str(error).strip().partition("\n")[0]
        raise OptionError(
            f"--compile: torch could not compile the model here ({reason}); leave --compile out, or try --precision 32"
        ) from error


def on_gpu(device: str) -> bool:
    """Whether what a recipe's `device` names is a GPU."""
    return device != "cpu" and torch.cuda.is_available()


def init_process_group(device: torch.device) -> None:
    """Join the process group again after torchrun has restarted a training.

    torchrun keeps one store for all its starts (as of torch 2.13), where the addresses of processes that have ended
    still stand; so each start after the first has a part of it for its own.
    """
    start = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    if not start or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    store, rank, world = next(rendezvous("env://"))
    own = distributed.PrefixStore(f"start {start}", store)  # type: ignore[attr-defined]
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", store=own, rank=rank, world_size=world)


def machine_name(device: torch.device) -> str:
    """The kind of machine, not its name: a GPU's model, or the processor and its cores."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads a process"


def use_threads(threads: int) -> None:
    """Compute in so many threads; with 0, one for each core that is this process's share."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # torchrun's, on this machine
    torch.set_num_threads(threads or max((os.cpu_count() or 1) // processes, 1))
