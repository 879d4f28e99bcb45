"""Files of a checkpoint that a stranger may have made: what is checked before anything else reads them.

JSON is read up to a size and a depth. Of a graph in ONNX it is found out which files beside it hold its weights, from
its bytes alone: a runtime would open whatever a graph names, and some open files outside the folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MOST_JSON = 4 << 20
"""The most bytes of a file of JSON."""
UNUSABLE = (OSError, ValueError, LookupError, AttributeError, TypeError, ArithmeticError)
"""What is raised where JSON holds other values than were wanted."""
_MOST_DEPTH = 100  # of messages in messages of a graph

# The fields of ONNX's messages that lead to where a tensor lies outside the graph: by message, the number of each field
# and the message that it holds. From onnx.proto (onnx.ai).
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


def read_json(path: Path) -> Any:
    """What a file of JSON holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON, too large, or nested too deeply.
    """
    with path.open("rb") as file:
        data = file.read(MOST_JSON + 1)
    if len(data) > MOST_JSON:
        raise ValueError(f"{path.name} has more than {MOST_JSON:,} bytes")
    try:
        return json.loads(data.decode())
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None


def places(graph: bytes) -> frozenset[str]:
    """The names of the files that hold weights of a graph, as the graph has them: of an ONNX ModelProto's bytes.

    Raises:
        ValueError: the bytes are no such message.
    """
    found = set[str]()
    todo = [("model", 0, len(graph), 0)]
    while todo:
        kind, begin, end, depth = todo.pop()
        if depth > _MOST_DEPTH:
            raise ValueError("its parts are nested too deeply")
        if kind == "entry":
            fields = [(number, graph[at:stop]) for number, at, stop in _fields(graph, begin, end)]
            if (_KEY, _LOCATION) in fields:
                found.update(value.decode() for number, value in fields if number == _VALUE)
            continue
        for number, at, stop in _fields(graph, begin, end):
            held = _FIELDS[kind].get(number)
            if held and graph.find(_LOCATION, at, stop) >= 0:  # else no entry in it can be a place
                todo.append((held, at, stop, depth + 1))
    return frozenset(found)


def _fields(message: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The number of each field of a protobuf message that holds bytes, and from where to where; others are passed over.

    The message is the bytes [at, end).
    """
    while at < end:
        tag, at = _varint(message, at, end)
        number, written = tag >> 3, tag & 7
        if written == _VARINT:
            _, at = _varint(message, at, end)
            continue
        if written not in (_EIGHT, _BYTES, _FOUR):
            raise ValueError("it is damaged")
        size, at = _varint(message, at, end) if written == _BYTES else (8 if written == _EIGHT else 4, at)
        if size > end - at:
            raise ValueError("it is cut off")
        if written == _BYTES:
            yield number, at, at + size
        at += size


def _varint(message: bytes, at: int, end: int) -> tuple[int, int]:
    """A number that is written seven bits a byte, and where it ends."""
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
