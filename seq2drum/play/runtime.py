"""The graphs of a model on ONNX Runtime: which graphs there are, and a file as something that computes."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from seq2drum.errors import CheckpointError
from seq2drum.play.untrusted import check_file, check_graph, places, read_bytes

# The graphs that every model has, and what is asked of each by name ("walk" is asked by place).
GRAPHS: Mapping[str, frozenset[str]] = {
    "encode": frozenset(),
    "bar": frozenset({"inputs", "thoughts", "opened"}),
    "walk": frozenset({"logits", "thinking", "walked"}),
    "feel": frozenset({"velocity", "velocity_scale", "offset", "offset_scale"}),
}
FILL_PLAN = "plan"  # gives the logits of a bar being a fill; some models have it

Arrays = Mapping[str, NDArray[Any]]
Answer = Sequence[NDArray[Any]]


class LoadedGraph(NamedTuple):
    """Something that computes: the names of what it takes and gives, and how."""

    inputs: frozenset[str]
    outputs: tuple[str, ...]
    run: Callable[[dict[str, NDArray[Any]]], Answer]


def runtime() -> Any:
    """ONNX Runtime, loaded on first use, its telemetry off.

    From 1.29 on it otherwise keeps an id of the machine in the user's cache, and sends its makers what it loads and how
    often that runs. The variable must be set before it is loaded.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def session(path: Path, threads: int, beside: Collection[str] = ()) -> LoadedGraph:
    """Load a graph from its file.

    beside: the files of the folder that it may have its weights in: those that the folder's digests cover.

    Raises:
        CheckpointError: the file is damaged, names any other file, or asks for more than a network here needs.
    """
    try:
        graph = read_bytes(path)
        weights = places(graph)
        check_graph(graph)
        for name in weights.intersection(beside):
            check_file(path.with_name(name))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be used: {error}") from None
    if others := weights.difference(beside):
        raise CheckpointError(
            f"{str(path)!r} cannot be used: it wants weights from {min(others)!r}, and may from "
            f"{' and '.join(sorted(beside)) or 'no other file'}; do not trust who made it"
        )
    onnxruntime = runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # a damaged file raises an error of ours
    # The arena of a graph that encodes a whole song would keep the memory that the longest song took.
    options.enable_cpu_mem_arena = path.stem not in ("encode", FILL_PLAN)
    try:
        # Without a fallback: it would try the same once more, and print so on standard output.
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
        outputs = tuple(output.name for output in session.get_outputs())
        inputs = frozenset(value.name for value in session.get_inputs())
    except Exception as error:  # the runtime has a dozen exception types without a common base
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{str(path)!r} cannot be used: {reason}") from None

    def run(arrays: dict[str, NDArray[Any]]) -> Answer:
        return session.run(outputs, arrays)  # type: ignore[no-any-return]

    return LoadedGraph(inputs, outputs, run)
