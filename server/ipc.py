"""Frames between the processes of the service, and the memory of a worker.

A frame is a head of JSON and a body of bytes; nothing here knows what it means. Nothing is pickled: a program that gets
hold of one end of a pipe can send false frames, but cannot make the other end run code.

    4 bytes: length of the head    4 bytes: length of the body (both big-endian)    head: JSON in UTF-8    body
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import psutil

from seq2drum.system import workers
from server import logs

MOST_HEAD_BYTES = 1 << 16
"""The longest head."""
MOST_BODY_BYTES = 1 << 28
"""The longest body."""
MOST_ANSWER_BYTES = 1 << 30
"""The longest answer, see `split_answer`; ten minutes of eight stems are less."""
PIECE_BYTES = 1 << 22
"""A longer answer comes as several frames."""

_LENGTHS = struct.Struct(">II")


class Frame(NamedTuple):
    """A message: a head of JSON values and a body of bytes."""

    head: dict[str, Any]
    body: bytes = b""


def pack_frame(frame: Frame) -> bytes:
    """Return a frame as bytes.

    Raises:
        ValueError: the head is longer than MOST_HEAD_BYTES, or the body than MOST_BODY_BYTES.
    """
    head = json.dumps(frame.head, separators=(",", ":")).encode()
    _check(len(head), len(frame.body))
    return b"".join((_LENGTHS.pack(len(head), len(frame.body)), head, frame.body))


def split_answer(frame: Frame) -> Iterator[Frame]:
    """Split an answer into frames: pieces of its body as {"what": "piece"}, then its head with the rest of the body."""
    last = max(len(frame.body) - 1, 0) // PIECE_BYTES * PIECE_BYTES
    for at in range(0, last, PIECE_BYTES):
        yield Frame({**frame.head, "what": "piece"}, frame.body[at : at + PIECE_BYTES])
    yield Frame(frame.head, frame.body[last:])


def read_frame(stream: BinaryIO) -> Frame | None:
    """Return the next frame of a blocking stream; None at its end.

    Raises:
        EOFError: the stream ends within a frame.
        ValueError: the data is not a frame, or is too long.
    """
    lengths = _exactly(stream, _LENGTHS.size)
    if not lengths:
        return None
    if len(lengths) < _LENGTHS.size:
        raise _torn(_LENGTHS.size, len(lengths))
    head_size, body_size = _sizes(lengths)
    rest = _exactly(stream, head_size + body_size)
    if len(rest) < head_size + body_size:
        raise _torn(head_size + body_size, len(rest))
    return _frame(rest, head_size)


def write_frame(stream: BinaryIO, frame: Frame) -> None:
    """Write a frame to a blocking stream and flush it.

    Raises:
        ValueError: as `pack_frame`.
        OSError: the other end is closed.
    """
    stream.write(pack_frame(frame))
    stream.flush()


async def receive_frame(reader: asyncio.StreamReader) -> Frame | None:
    """Return the next frame of an asyncio stream, as `read_frame`."""
    try:
        head_size, body_size = _sizes(await reader.readexactly(_LENGTHS.size))
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise _torn(_LENGTHS.size, len(error.partial)) from None
    try:
        return _frame(await reader.readexactly(head_size + body_size), head_size)
    except asyncio.IncompleteReadError as error:
        raise _torn(head_size + body_size, len(error.partial)) from None


def _exactly(stream: BinaryIO, size: int) -> bytes:
    """Return that many bytes, or fewer at the end: an unbuffered stream gives them in pieces."""
    pieces: list[bytes] = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _sizes(lengths: bytes) -> tuple[int, int]:
    head_size, body_size = _LENGTHS.unpack(lengths)
    _check(head_size, body_size)
    return head_size, body_size


def _check(head_size: int, body_size: int) -> None:
    if head_size > MOST_HEAD_BYTES:
        raise ValueError(f"the head of a frame has {head_size} bytes; at most {MOST_HEAD_BYTES} are sent")
    if body_size > MOST_BODY_BYTES:
        raise ValueError(f"the body of a frame has {body_size} bytes; at most {MOST_BODY_BYTES} are sent")


def _frame(data: bytes, head_size: int) -> Frame:
    try:
        head = json.loads(data[:head_size])
    except RecursionError:
        raise ValueError("the head of a frame is nested too deeply") from None
    if not isinstance(head, dict):
        raise ValueError("the head of a frame is not a table")
    return Frame(head, data[head_size:])


def _torn(wanted: int, received: int) -> EOFError:
    return EOFError(f"the stream ends within a frame: {received} of {wanted} bytes are there")


# --- the memory of a worker -------------------------------------------------------------------------------------------


if sys.platform != "win32":  # Windows has no such limits
    import resource

RETAINED_MEBIBYTES = 32
"""Memory of finished calls that may stay in the heap until it is trimmed, which takes some milliseconds."""


def bound_memory(mebibytes: int | None) -> None:
    """Limit the memory that this process may map in addition to its present memory, and disable core files.

    A core file would hold a user's music. Does nothing where the system has no such limits.
    """
    if sys.platform == "win32":
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if mebibytes is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = psutil.Process().memory_info().vms + (mebibytes << 20)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses limits below its own count of mapped memory
        resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def resident_mebibytes() -> float:
    """Return the resident memory of this process."""
    resident: int = psutil.Process().memory_info().rss
    return resident / (1 << 20)


class HeapTrimmer:
    """Returns memory that the heap of the C library keeps after calls have ended."""

    def __init__(self) -> None:
        self._kept = resident_mebibytes()

    def give_back(self) -> None:
        """Return free memory to the system if there is more than RETAINED_MEBIBYTES of it. Not every C library can."""
        now = resident_mebibytes()
        if now > self._kept + RETAINED_MEBIBYTES:
            workers.give_back()
            self._kept = resident_mebibytes()
        self._kept = min(self._kept, now)


# --- the process of a worker ------------------------------------------------------------------------------------------


def run_worker(serve: Callable[[BinaryIO, BinaryIO], int]) -> int:
    """Run a worker process: serve the frames of standard input on standard output; return the exit code.

    serve: takes the stream of frames from the front and the one back, and returns at the end of the first.
    """
    for name in ("SIGINT", "SIGTERM"):  # the front ends a worker by closing the pipe
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    with os.fdopen(os.dup(1), "wb") as sink:
        os.dup2(2, 1)  # output of a library must not be taken for a frame
        logs.set_up("json", sys.stderr)
        try:
            return serve(sys.stdin.buffer, sink)
        except BrokenPipeError:  # the front is gone
            return 0
