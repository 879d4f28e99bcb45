"""The graphs of a model on ONNX Runtime: their names, their checks, and loading one from its file."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from numpy.typing import NDArray

from seq2drum.errors import CheckpointError

MOST_JSON = 4 << 20
"""The largest JSON file that is read, in bytes."""
MOST_FILE = 1 << 30
"""The largest file of weights or of a graph, in bytes; the shipped ones have up to 9 million."""
MOST_NUMBERS = 1 << 26
"""The largest declared tensor of a graph, in numbers; those of the shipped ones have up to 757,248."""
UNUSABLE = (OSError, ValueError, LookupError, AttributeError, TypeError, ArithmeticError)
"""Exceptions that JSON with unexpected values raises."""
_NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(
    os, "O_BINARY", 0
)  # in case the path became a pipe after the check
_MOST_DEPTH = 100  # of messages in messages of a graph

# The fields of ONNX's messages that lead to external tensor data: by message, the number of each field and the message
# that it holds. From onnx.proto (onnx.ai).
_FIELDS: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_KEY, _VALUE = 1, 2  # fields of an entry
_LOCATION = b"location"  # the key of the entry that names a file
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # how a field is written


_SHIPPED = Path(__file__).parents[2] / "checkpoints"  # some installers make links of a package's files


def check_file(path: Path, most: int = MOST_FILE) -> None:
    """Refuse a path that is not a plain file, without opening it: a link leads out of the folder, a pipe may block.

    Raises:
        OSError: it does not exist, or is a link, a folder, a pipe or a device.
        ValueError: it has more bytes than `most`.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode) and _SHIPPED in path.parents:
        found = path.stat()
    if stat.S_ISLNK(found.st_mode):
        raise OSError(f"{path.name} is a link; put the file itself there")
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"{path.name} is not a plain file")
    if found.st_size > most:
        raise ValueError(f"{path.name} has more than {most:,} bytes")


def read_bytes(path: Path, most: int = MOST_FILE) -> bytes:
    """The bytes of a plain file.

    Raises:
        OSError, ValueError: as `check_file`; or it cannot be read.
    """
    check_file(path, most)
    with os.fdopen(os.open(path, os.O_RDONLY | _NO_WAITING), "rb") as file:
        size = os.fstat(file.fileno()).st_size  # allocates this much before it reads any
        data = file.read(min(size, most) + 1)
    if len(data) > most:
        raise ValueError(f"{path.name} has more than {most:,} bytes")
    return data


def read_json(path: Path) -> Any:
    """Return the value of a JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON, too large, or nested too deeply.
    """
    try:
        return json.loads(read_bytes(path, MOST_JSON).decode())
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None


def places(graph: bytes) -> frozenset[str]:
    """The names of a graph's external weight files, given the bytes of its ONNX ModelProto.

    Raises:
        ValueError: the bytes are not a ModelProto.
    """
    found = set[str]()
    todo = [("model", 0, len(graph), 0)]
    while todo:
        kind, begin, end, depth = todo.pop()
        if depth > _MOST_DEPTH:
            raise ValueError("its parts are nested too deeply")
        if kind == "entry":
            fields = [(number, graph[at:stop]) for number, _, at, stop in _fields(graph, begin, end)]
            if (_KEY, _LOCATION) in fields:
                found.update(value.decode() for number, value in fields if number == _VALUE)
            continue
        for number, _, at, stop in _fields(graph, begin, end):
            held = _FIELDS[kind].get(number)
            if held and graph.find(_LOCATION, at, stop) >= 0:  # otherwise it has no external data
                todo.append((held, at, stop, depth + 1))
    return frozenset(found)


# --- what a graph may contain -----------------------------------------------------------------------------------------

_LOOPS = (b"Loop", b"Scan", b"SequenceMap")
_STANDARD = (b"", b"ai.onnx")  # domains of operators
_RUNTIME = b"com.microsoft"  # that of ONNX Runtime's own, of which graphs here have those that join several others
_JOINED = frozenset({b"FusedMatMul", b"FusedGemm", b"FusedConv", b"SkipLayerNormalization"})
_SIZES = {b"ConstantOfShape": 0, b"Expand": 1, b"Tile": 1, b"Pad": 1, b"OneHot": 1, b"Range": 1, b"Resize": 3}
"""Operators whose output size depends on an input's value, and that input's index."""
_INT64 = 7  # the type of shapes
_MOST_SHAPE = 64  # numbers of a constant that may be a shape


def check_graph(graph: bytes) -> None:
    """Refuse a graph with features that no network here needs: loops, functions, tensors of more than MOST_NUMBERS.

    Only declared sizes are checked, not computed ones.

    Raises:
        ValueError: it has one of these, or is damaged.
    """
    for number, _, at, stop in _fields(graph, 0, len(graph)):
        if number == 25:
            raise ValueError("it defines custom operators, which no network here does")
        if number == 7:
            _Graph(graph).check(at, stop)


@dataclass
class _Graph:
    """A graph under check: its bytes, and the whole numbers of its constants by name."""

    data: bytes
    depth: int = 0
    constants: dict[bytes, list[int]] = field(default_factory=dict)

    def check(self, begin: int, end: int) -> None:
        """Check a GraphProto, the bytes [begin, end)."""
        if self.depth > _MOST_DEPTH:
            raise ValueError("its parts are nested too deeply")
        fields = list(_fields(self.data, begin, end))
        for number, _, at, stop in fields:
            if number == 5:
                name, values = self._tensor(at, stop)
                self.constants[name] = values
            elif number in (11, 12, 13):
                self._declared(at, stop)
        for number, _, at, stop in fields:
            if number == 1:
                self._node(at, stop)

    def _node(self, begin: int, end: int) -> None:
        inputs, outputs = list[bytes](), list[bytes]()
        operator = domain = b""
        attributes = list[tuple[int, int]]()
        for number, _, at, stop in _fields(self.data, begin, end):
            if number == 1:
                inputs.append(self.data[at:stop])
            elif number == 2:
                outputs.append(self.data[at:stop])
            elif number == 4:
                operator = self.data[at:stop]
            elif number == 5:
                attributes.append((at, stop))
            elif number == 7:
                domain = self.data[at:stop]
        if operator in _LOOPS:
            raise ValueError(f"it has a loop ({operator.decode()}), which no network here has")
        if domain not in _STANDARD and not (domain == _RUNTIME and operator in _JOINED):
            raise ValueError(
                f"it has an operator of {domain[:40].decode('utf-8', 'replace')!r}, which is not a standard domain"
            )
        for at, stop in attributes:
            name, values = self._attribute(at, stop)
            if operator == b"Constant" and outputs:
                self.constants[outputs[0]] = values
            elif name == b"shape":
                _check_size(values)
        wanted = _SIZES.get(operator, len(inputs))
        if wanted < len(inputs):
            values = self.constants.get(inputs[wanted], [])
            _check_size(values if operator != b"Pad" else [max(values, default=0)])

    def _attribute(self, begin: int, end: int) -> tuple[bytes, list[int]]:
        """The name of an AttributeProto and its whole numbers."""
        name, values = b"", list[int]()
        for number, value, at, stop in _fields(self.data, begin, end):
            if number == 1:
                name = self.data[at:stop]
            elif number == 3:
                values.append(value)
            elif number == 8:
                values += self._numbers(value, at, stop)
            elif number in (5, 10):
                values += self._tensor(at, stop)[1]
            elif number in (6, 11):
                _Graph(self.data, self.depth + 1, dict(self.constants)).check(at, stop)
        return name, values

    def _tensor(self, begin: int, end: int) -> tuple[bytes, list[int]]:
        """The name of a TensorProto, and its numbers if they are whole and few."""
        name, kind, raw = b"", 0, b""
        dims, values = list[int](), list[int]()
        for number, value, at, stop in _fields(self.data, begin, end):
            if number == 1:
                dims += self._numbers(value, at, stop)
            elif number == 2:
                kind = value
            elif number == 7 and stop - at <= 10 * _MOST_SHAPE:
                values += self._numbers(value, at, stop)
            elif number == 8:
                name = self.data[at:stop]
            elif number == 9 and stop - at <= 8 * _MOST_SHAPE:
                raw = self.data[at:stop]
        _check_size(dims)
        if kind == _INT64 and len(raw) % 8 == 0:
            values += [int.from_bytes(raw[at : at + 8], "little", signed=True) for at in range(0, len(raw), 8)]
        return name, values

    def _declared(self, begin: int, end: int) -> None:
        """Check the shape of a ValueInfoProto: in its type (2), of a tensor (1), the shape (2), its dims (1)."""
        todo: list[tuple[int, int, tuple[int, ...]]] = [(begin, end, (2, 1, 2, 1))]
        dims: list[int] = []
        while todo:
            at, stop, path = todo.pop()
            for number, value, first, last in _fields(self.data, at, stop):
                if path and number == path[0]:
                    todo.append((first, last, path[1:]))
                elif not path and number == 1:
                    dims.append(value)
        _check_size(dims)

    def _numbers(self, value: int, at: int, stop: int) -> list[int]:
        """The numbers of a repeated field, packed or not."""
        if at == stop:
            return [value]
        found = list[int]()
        while at < stop:
            number, at = _varint(self.data, at, stop)
            found.append(number)
        return found


def _check_size(dims: Sequence[int]) -> None:
    """Refuse a tensor whose dims give too many numbers."""
    count = 1
    for dim in dims:
        count *= dim if 0 <= dim < 1 << 63 else 1  # negative: a dynamic dim
        if count > MOST_NUMBERS:
            raise ValueError(f"it asks for a tensor of {count:,} numbers or more; wanted at most {MOST_NUMBERS:,}")


# --- protobuf ---------------------------------------------------------------------------------------------------------


class _Field(NamedTuple):
    """A field of a message: its number, its value if it is a number, and the span of its bytes if it has any."""

    number: int
    value: int
    begin: int
    end: int


def _fields(message: bytes, at: int, end: int) -> Iterator[_Field]:
    """The fields of a protobuf message, the bytes [at, end), without those of floating point."""
    while at < end:
        tag, at = _varint(message, at, end)
        number, written = tag >> 3, tag & 7
        if written == _VARINT:
            value, at = _varint(message, at, end)
            yield _Field(number, value, at, at)
            continue
        if written not in (_EIGHT, _BYTES, _FOUR):
            raise ValueError("it is damaged")
        size, at = _varint(message, at, end) if written == _BYTES else (8 if written == _EIGHT else 4, at)
        if size > end - at:
            raise ValueError("it is cut off")
        if written == _BYTES:
            yield _Field(number, 0, at, at + size)
        at += size


def _varint(message: bytes, at: int, end: int) -> tuple[int, int]:
    """A varint (seven bits per byte), and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise ValueError("it is cut off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("it is damaged")


# The graphs that every model has, and their inputs by name ("decode_bar" takes its inputs by position).
GRAPHS: Mapping[str, frozenset[str]] = {
    "encode": frozenset(),
    "bar": frozenset({"inputs", "step_context", "opened"}),
    "decode_bar": frozenset({"logits", "hidden", "state_after"}),
    "feel": frozenset({"velocity", "velocity_scale", "offset", "offset_scale"}),
}
FILL_PLAN = "plan"  # optional: the logits of a bar being a fill

Arrays = Mapping[str, NDArray[Any]]
Outputs = Sequence[NDArray[Any]]


class LoadedGraph(NamedTuple):
    """A loaded graph: the names of its inputs and outputs, and the function that runs it."""

    inputs: frozenset[str]
    outputs: tuple[str, ...]
    run: Callable[[dict[str, NDArray[Any]]], Outputs]


def runtime() -> Any:
    """ONNX Runtime, imported on first use, with telemetry off.

    From 1.29 on it would otherwise keep an id of the machine in the user's cache, and report what it loads and how
    often that runs. The variable must be set before the import.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def _look_through(path: Path, beside: Collection[str]) -> None:
    """Refuse a graph as `session` says, before the runtime reads it."""
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
            f"{' and '.join(sorted(beside)) or 'no other file'}; do not trust its maker"
        )


def session(
    path: Path, threads: int, beside: Collection[str] = (), replaced: Mapping[str, bytes] = MappingProxyType({})
) -> LoadedGraph:
    """Load a graph from its file.

    The graphs of the package are trusted as its code is; any other is looked through first.

    beside: the files of the folder that may hold its weights: those with digests. replaced: bytes in place of some of
    these files.

    Raises:
        CheckpointError: the file is damaged, names any other file, or has features that no network here needs.
    """
    if _SHIPPED not in path.parents:
        _look_through(path, beside)
    onnxruntime = runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # a damaged file raises an error of ours
    # The arena of a graph that encodes whole songs would keep the memory of the longest song.
    options.enable_cpu_mem_arena = path.stem not in ("encode", FILL_PLAN)
    if replaced:
        options.add_external_initializers_from_files_in_memory(
            list(replaced), list(replaced.values()), [len(data) for data in replaced.values()]
        )
    try:
        # No fallback: it would only retry, and print that on standard output.
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
        outputs = tuple(output.name for output in session.get_outputs())
        inputs = frozenset(value.name for value in session.get_inputs())
    except Exception as error:  # the runtime has a dozen exception types without a common base
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{str(path)!r} cannot be used: {reason}") from None

    def run(arrays: dict[str, NDArray[Any]]) -> Outputs:
        return session.run(outputs, arrays)  # type: ignore[no-any-return]

    return LoadedGraph(inputs, outputs, run)
