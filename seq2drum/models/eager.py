"""A model that plays in torch: the same graphs that ONNX Runtime runs, for training's own checks and for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seq2drum.lattice.phrases import MAX_NOTES
from seq2drum.models import base
from seq2drum.music.kit import KITS
from seq2drum.play import engine
from seq2drum.play.runtime import LoadedGraph


def engine_of(model: base.Family, kit: str, *, max_notes: int = MAX_NOTES) -> engine.Engine:
    """An engine that computes in torch, with the model's weights as they are now."""
    model.eval()
    graphs = {name: _graph(graph) for name, graph in model.graphs().items()}
    order, silence = (value.detach().cpu().numpy() for value in (model.voice_order(), model.silence()))
    return engine.Engine("in torch", KITS[kit], model.unit, max_notes, graphs, order, silence)


def _graph(graph: base.Graph) -> LoadedGraph:
    names = list(graph.inputs)

    def run(arrays: dict[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        with torch.no_grad():
            answer = graph.module(
                *(torch.from_numpy(np.require(arrays[name], requirements=["C", "W"])) for name in names)
            )
        return [tensor.numpy() for tensor in ((answer,) if isinstance(answer, torch.Tensor) else answer)]

    return LoadedGraph(frozenset(names), tuple(graph.outputs), run)
