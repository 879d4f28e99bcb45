"""Frames, which the processes of the service send each other over pipes: a head of JSON and a body of bytes.

This module knows how a frame looks on the wire, and nothing of what it means. Nothing is pickled: a program that gets
hold of one end of a pipe can send false frames, but cannot make the other end run anything.

    4 bytes: length of the head    4 bytes: length of the body (both big-endian)    head: JSON in UTF-8    body
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

MOST_HEAD = 1 << 16
"""The longest head in bytes."""
MOST_BODY = 1 << 28
"""The longest body in bytes."""
MOST_ANSWER = 1 << 30
"""The longest answer in bytes, see `in_pieces`: ten minutes of eight stems are less."""
PIECE = 1 << 22
"""An answer of more bytes comes as several frames."""

_LENGTHS = struct.Struct(">II")


class Frame(NamedTuple):
    """A message: a table of facts, and bytes that belong to it."""

    head: dict[str, Any]
    body: bytes = b""


def pack(frame: Frame) -> bytes:
    """A frame as bytes.

    Raises:
        ValueError: the head is longer than MOST_HEAD, or the body than MOST_BODY.
    """
    head = json.dumps(frame.head, separators=(",", ":")).encode()
    _check(len(head), len(frame.body))
    return b"".join((_LENGTHS.pack(len(head), len(frame.body)), head, frame.body))


def in_pieces(frame: Frame) -> Iterator[Frame]:
    """An answer as frames: its head comes last, and all but the last of its bytes before it, as {"what": "piece"}."""
    last = max(len(frame.body) - 1, 0) // PIECE * PIECE
    for at in range(0, last, PIECE):
        yield Frame({**frame.head, "what": "piece"}, frame.body[at : at + PIECE])
    yield Frame(frame.head, frame.body[last:])


def read(stream: BinaryIO) -> Frame | None:
    """The next frame of a blocking stream; None at its end.

    Raises:
        EOFError: the stream ends within a frame.
        ValueError: it holds no frame, or one that is too long.
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


def write(stream: BinaryIO, frame: Frame) -> None:
    """Write a frame to a blocking stream, and flush it.

    Raises:
        ValueError: as `pack`.
        OSError: the other end is closed.
    """
    stream.write(pack(frame))
    stream.flush()


async def areceive(reader: asyncio.StreamReader) -> Frame | None:
    """As `read`, from a stream of asyncio."""
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
    """That many bytes, or fewer at the end: a stream without a buffer gives them in pieces."""
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
    if head_size > MOST_HEAD:
        raise ValueError(f"the head of a frame has {head_size} bytes; at most {MOST_HEAD} are sent")
    if body_size > MOST_BODY:
        raise ValueError(f"the body of a frame has {body_size} bytes; at most {MOST_BODY} are sent")


def _frame(data: bytes, head_size: int) -> Frame:
    try:
        head = json.loads(data[:head_size])
    except RecursionError:
        raise ValueError("the head of a frame is nested too deeply") from None
    if not isinstance(head, dict):
        raise ValueError("the head of a frame is no table")
    return Frame(head, data[head_size:])


def _torn(wanted: int, received: int) -> EOFError:
    return EOFError(f"the stream ends within a frame: {received} of {wanted} bytes are there")
