"""What every model family promises, and nothing of how it keeps it.

To play, a family is up to four graphs, each a module of tensors to tensors, exported to ONNX and run by one loop:

    encode   a unit (the whole song, or one pair) of guitar -> what is known of each bar
    bar      a bar's knowledge, all bars played so far, the state -> inputs of its steps, the state
    step     one step's inputs, the step before, the state -> logits, thought, the state
    feel     a bar's thoughts and hits -> velocities and offsets

A graph takes only the inputs it names. `Graph` names them, with their dynamic axes.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from seq2drum.batches import Batch
from seq2drum.features import BAR_SIZE, CLOCK_SIZE, GUITAR_SIZE, SUMMARY_SIZE


@dataclass(frozen=True)
class Config:
    """The numbers every family has. Subclasses add their own; all are JSON-able."""

    voices: int
    guitar: int = GUITAR_SIZE
    clock: int = CLOCK_SIZE
    bars: int = BAR_SIZE
    summary: int = SUMMARY_SIZE

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


class Graph(NamedTuple):
    """A module to export: example inputs by name, output names, and names of dynamic axes of each."""

    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]
    axes: dict[str, dict[int, str]]


class Family(nn.Module):
    """A trainable model that can be exported. Subclasses set `Config` and `unit` and are listed in `FAMILIES`."""

    Config: ClassVar[type[Config]]
    unit: ClassVar[Literal["song", "pair"]]
    state_size: int

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """One training step's figures on a batch of tensors.

        "loss" is what is minimised; "nats" is the sum over the batch of the hits' negative log-likelihood, and "bars"
        the number of bars it is summed over.
        """

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The same as `losses`: what wraps a module for several processes calls this."""
        return self.losses(batch)

    @abstractmethod
    def graphs(self) -> dict[str, Graph]:
        """The four graphs that play, sharing this module's weights."""

    @abstractmethod
    def voice_order(self) -> Tensor:
        """(V, V): what a hit of a voice (column) adds to the logits of those drawn after it (rows)."""

    def silence(self) -> Tensor:
        """(state_size,): the state before anything was played."""
        return torch.zeros(self.state_size)


def tensors(batch: Batch, device: torch.device | str = "cpu") -> Any:
    """A batch of arrays as a batch of tensors on a device."""
    return Batch(*(torch.from_numpy(np.ascontiguousarray(array)).to(device, non_blocking=True) for array in batch))
