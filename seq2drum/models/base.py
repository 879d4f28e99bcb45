"""The contract of model families.

To play, a family is four graphs or five, each a module of tensors to tensors, exported to ONNX and run by one loop:

    plan        the whole guitar -> logits of each bar being a fill; optional
    encode      a unit (the whole song, or one pair) of guitar -> the encoding of each bar
    bar         a bar's encoding, all bars played so far, the state -> inputs of its steps, the state
    decode_bar  a bar's inputs and context, the hits before each step, the state -> logits, hidden, the state
    feel        a bar's hidden states and hits -> velocities and offsets

A graph takes only the inputs that it needs. `Graph` names them, with their shapes.
"""

from __future__ import annotations

import logging
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seq2drum.data.batches.batches import PAST, Batch
from seq2drum.lattice.conditions import CONDITIONS, columns_for
from seq2drum.lattice.features import BARS, GUITAR, SUMMARY
from seq2drum.lattice.form import CLOCK
from seq2drum.lattice.phrases import MAX_NOTES
from seq2drum.models.layers import Feel, Heads, uniform
from seq2drum.music.kit import KITS
from seq2drum.play.checkpoint.runtime import LoadedGraph
from seq2drum.play.decode import engine


@dataclass(frozen=True)
class Config:
    """Sizes of the inputs and outputs of every family. Subclasses add their own, with defaults; all are JSON-able."""

    voices: int
    guitar: int = GUITAR.size
    clock: int = CLOCK.size
    bars: int = BARS.size
    summary: int = SUMMARY.size
    asked: int = CONDITIONS.size

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


Shape = tuple[int | str, ...]
"""The axes of a tensor: a number, or the name of an axis that may have any length."""


class Graph(NamedTuple):
    """A module to export, with the shapes of its inputs and outputs by name."""

    module: nn.Module
    inputs: dict[str, Shape]
    outputs: dict[str, Shape]

    def example(self) -> tuple[Tensor, ...]:
        """Inputs to trace the module with."""
        shapes = (
            [_LENGTHS[axis] if isinstance(axis, str) else axis for axis in shape] for shape in self.inputs.values()
        )
        kinds = (torch.long if name in _WHOLE else torch.float32 for name in self.inputs)
        return tuple(torch.ones(*shape, dtype=kind) for shape, kind in zip(shapes, kinds, strict=True))

    def axes(self) -> dict[str, dict[int, str]]:
        """The axes that may have any length, by tensor and place."""
        shapes = self.inputs | self.outputs
        return {
            name: {place: axis for place, axis in enumerate(shape) if isinstance(axis, str)}
            for name, shape in shapes.items()
        }


def write_graph(graph: Graph, example: tuple[Tensor, ...], path: Path, *, fold: bool) -> None:
    """Trace a graph's module on example inputs, and write it for ONNX Runtime.

    fold: whether to fold constants now.
    """
    with warnings.catch_warnings():
        # The exporter traces; it warns about every Python number that becomes a constant, and about its own age.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            graph.module,
            example,
            str(path),
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_axes=graph.axes(),
            opset_version=18,
            do_constant_folding=fold,
            dynamo=False,
        )


# Sizes for tracing: songs, bars of a unit, steps of a bar, bars remembered, hits of a bar.
_LENGTHS = {"n": 2, "B": 6, "S": 24, "M": 5, "K": 7}
_WHOLE = {"steps", "distance", "row", "place", "last_distance", "last_rows"}


def encode_inputs(config: Config) -> dict[str, Shape]:
    """Inputs of a graph that reads the guitar, the same for all families."""
    return {
        "guitar": ("B", "S", config.guitar),
        "clock": ("B", "S", config.clock),
        "steps": ("B",),
        "bars": ("B", config.bars),
        "summary": (1, config.summary),
        "conditions": ("B", config.asked),
    }


def groove_inputs(config: Config) -> dict[str, Shape]:
    """Further inputs of a graph that takes grooves: velocities 0..1, and 1 where a groove is given."""
    return {"groove": ("B", "S", config.voices), "grooved": ("B", 1)}


def plan_inputs(config: Config) -> dict[str, Shape]:
    """Inputs of a graph that plans fills: the whole song's guitar."""
    return {"guitar": ("B", "S", config.guitar), "bars": ("B", config.bars), "summary": (1, config.summary)}


def decode_bar_graph(
    module: nn.Module, config: Config, inputs: int, step_context: int, hidden: int, state: int
) -> Graph:
    """The graph that decodes a bar, given the hits before each step.

    inputs, step_context: sizes of what "bar" returns for each step. hidden: size of the state that hits are drawn from.
    """
    return Graph(
        module,
        {
            "inputs": ("n", "S", inputs),
            "step_context": ("n", "S", step_context),
            "previous": ("n", "S", config.voices),
            "state": ("n", state),
        },
        {"logits": ("n", "S", config.voices), "hidden": ("n", "S", hidden), "state_after": ("n", state)},
    )


def feel_graph(heads: Heads, hidden: int, voices: int, echo: int) -> Graph:
    """The graph of a bar's velocities and offsets; echo: size of the remembered loudness."""
    inputs: dict[str, Shape] = {"hidden": ("n", "S", hidden), "hits": ("n", "S", voices)}
    if echo:
        inputs["echo"] = ("n", "S", echo)
    felt: Shape = ("n", "S", voices)
    outputs = dict.fromkeys(("velocity", "velocity_scale", "offset", "offset_scale"), felt)
    return Graph(Feel(heads), inputs, outputs)


class Family(nn.Module):
    """A trainable model that can be exported. Subclasses are listed in `FAMILIES`.

    config_type: the class of its `config`. unit: whether it reads the guitar of a song or of a pair at a time. rate:
    best peak learning rate. state_size: of the state that its graphs pass on. heads: the output layers of hits.
    """

    config_type: ClassVar[type[Config]]
    unit: ClassVar[Literal["song", "pair"]]
    rate: ClassVar[float] = 3e-3
    config: Config
    state_size: int
    heads: Heads

    @property
    def hears_grooves(self) -> bool:
        """True if the model takes the groove that a bar is played on."""
        return False

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """One training step's figures on a batch of tensors.

        Training minimises "loss". Sums over the batch are "nats", "velocity" and "offset", the negative log-likelihoods
        of the hits, velocities and offsets, and the counts "bars" and "hits". `Heads.losses` gives all of them.
        """

    @abstractmethod
    def hit_logits(self, batch: Batch) -> Tensor:
        """(n, N, S, V): the logit of each hit of a batch's pairs, from which "nats" of `losses` is computed.

        Each is conditioned on the true hits of earlier bars and steps, and of the voices before it in its step. Places
        outside of a pair or beyond a bar's last step are undefined.
        """

    @torch.no_grad()
    def played(self, batch: Any) -> Tensor | None:
        """(n, N, S, V): the pairs' drums, sampled from the model where `drawn` is 1; None if nowhere.

        Each bar is sampled given the true bars before it: one step of S. Bengio et al., Scheduled sampling
        for sequence prediction with recurrent neural networks (2015), for all steps at once as D. Duckworth et al.,
        Parallel scheduled sampling (2019). So a model meets its own errors, as it does when it plays alone.
        """
        rows = torch.nonzero(batch.drawn)[:, 0]
        if not len(rows):
            return None
        inside = slice(PAST, PAST + batch.offset.shape[1])
        drums: Tensor = batch.drums[:, inside].clone()
        likely = torch.sigmoid(self.hit_logits(type(batch)(*(array[rows] for array in batch))))
        exists = torch.arange(drums.shape[2], device=drums.device) < batch.steps[rows, inside, None]
        drums[rows] = (uniform(*likely.shape, device=likely.device) < likely).to(drums.dtype) * exists[..., None]
        return drums

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """`losses`, for wrappers that call a module."""
        return self.losses(batch)

    @abstractmethod
    def graphs(self) -> dict[str, Graph]:
        """The graphs "encode", "bar", "decode_bar", "feel" and, if any, "plan"; they share this module's weights."""

    def voice_order(self) -> Tensor:
        """(V, V): the term that a hit of a voice (column) adds to the logits of later voices (rows)."""
        return self.heads.drawn()

    def silence(self) -> Tensor:
        """(state_size,): the state before anything was played."""
        return torch.zeros(self.state_size)


F = TypeVar("F", bound=Family)


class GraphModule(nn.Module, Generic[F]):
    """A module to export over a model's own weights."""

    def __init__(self, model: F) -> None:
        super().__init__()
        self.model: F = model


def tensors(batch: Batch, device: torch.device | str = "cpu") -> Any:
    """A batch of arrays or tensors as tensors on a device.

    `drawn` stays on the CPU, because control flow depends on it and would wait for a GPU.
    """
    given: list[Any] = list(batch)
    held: list[Any] = [one if isinstance(one, Tensor) else torch.from_numpy(np.ascontiguousarray(one)) for one in given]
    moved: Any = Batch(*(one.to(device, non_blocking=True) for one in held))
    return moved._replace(drawn=Batch(*held).drawn)


def engine_of(model: Family, kit: str, *, max_notes: int = MAX_NOTES) -> engine.Engine:
    """An engine that computes in torch, with the model's current weights."""
    model.eval()
    graphs = {name: _graph(graph) for name, graph in model.graphs().items()}
    order, silence = (value.detach().cpu().numpy() for value in (model.voice_order(), model.silence()))
    conditions = columns_for(model.config.asked)
    return engine.Engine("in torch", KITS[kit], model.unit, max_notes, graphs, order, silence, conditions)


def _graph(graph: Graph) -> LoadedGraph:
    names = list(graph.inputs)

    def run(arrays: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        with torch.no_grad():
            answer = graph.module(
                *(torch.from_numpy(np.require(arrays[name], requirements=["C", "W"])) for name in names)
            )
        return [tensor.numpy() for tensor in ((answer,) if isinstance(answer, torch.Tensor) else answer)]

    return LoadedGraph(frozenset(names), tuple(graph.outputs), run)
