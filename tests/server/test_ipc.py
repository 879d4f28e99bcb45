"""Frames between processes, and the memory of a worker."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seq2drum.system.workers
from server import ipc
from server.ipc import RETAINED_MEBIBYTES, Frame, HeapTrimmer

# --- frames -----------------------------------------------------------------------------------------------------------


Reader = Callable[[bytes], Frame | None]

HEADS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    max_size=5,
)


class Trickle(io.RawIOBase):
    """A stream that gives a byte or two at a time, as a pipe may."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, size: int = -1) -> bytes:
        piece, self.data = self.data[: min(size, 2)], self.data[min(size, 2) :]
        return piece


def blocking(data: bytes) -> Frame | None:
    return ipc.read_frame(io.BytesIO(data))


def trickling(data: bytes) -> Frame | None:
    return ipc.read_frame(Trickle(data))  # type: ignore[arg-type]


def waiting(data: bytes) -> Frame | None:
    async def read() -> Frame | None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        return await ipc.receive_frame(reader)

    return asyncio.run(read())


readers = pytest.mark.parametrize("read", [blocking, trickling, waiting])


@given(HEADS, st.binary(max_size=300))
def test_a_frame_comes_back_as_it_was(head: dict[str, object], body: bytes) -> None:
    data = ipc.pack_frame(Frame(head, body))
    assert blocking(data) == trickling(data) == Frame(head, body)


@readers
def test_every_reader_reads_a_frame(read: Reader) -> None:
    frame = Frame({"what": "play", "job": 3, "name": "Gitarre é"}, b"\x00\xff" * 100)
    assert read(ipc.pack_frame(frame)) == frame


def test_several_frames_come_one_by_one_and_then_the_end() -> None:
    stream = io.BytesIO()
    said = [Frame({"job": 1}), Frame({"job": 2}, b"body"), Frame({})]
    for frame in said:
        ipc.write_frame(stream, frame)
    stream.seek(0)
    assert [ipc.read_frame(stream) for _ in range(4)] == [*said, None]


@readers
def test_a_stream_that_ends_between_frames_is_at_its_end(read: Reader) -> None:
    assert read(b"") is None


@readers
def test_a_frame_that_is_cut_anywhere_is_torn(read: Reader) -> None:
    data = ipc.pack_frame(Frame({"a": 1}, b"body"))
    for end in range(1, len(data)):
        with pytest.raises(EOFError, match="ends within a frame"):
            read(data[:end])


@readers
@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ((ipc.MOST_HEAD_BYTES + 1, 0), "head of a frame has 65537"),
        ((2, ipc.MOST_BODY_BYTES + 1), f"body of a frame has {ipc.MOST_BODY_BYTES + 1}"),
    ],
)
def test_a_frame_whose_length_is_beyond_the_limit_is_refused_before_it_is_read(
    read: Reader, lengths: tuple[int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(b"".join(length.to_bytes(4, "big") for length in lengths))


@pytest.mark.slow
def test_a_frame_of_the_greatest_length_is_sent_and_a_longer_one_is_not() -> None:
    head = {"x": "a" * (ipc.MOST_HEAD_BYTES - len('{"x":""}'))}
    assert blocking(ipc.pack_frame(Frame(head))) == Frame(head)
    with pytest.raises(ValueError, match="head of a frame has 65537"):
        ipc.pack_frame(Frame({"x": head["x"] + "a"}))
    body = bytes(ipc.MOST_BODY_BYTES)
    assert blocking(ipc.pack_frame(Frame({}, body))) == Frame({}, body)
    with pytest.raises(ValueError, match=f"body of a frame has {ipc.MOST_BODY_BYTES + 1}"):
        ipc.pack_frame(Frame({}, body + b"a"))


@readers
@pytest.mark.parametrize("head", [b"[]", b"nonsense", b"\xff\xfe", b"", b"[" * 60_000, b'{"a":' * 10_000])
def test_a_head_that_is_no_table_is_refused(read: Reader, head: bytes) -> None:
    with pytest.raises(ValueError, match=r"the head of a frame|Expecting value|utf-8"):
        read(len(head).to_bytes(4, "big") + bytes(4) + head)


def test_a_body_that_is_larger_than_a_stream_holds_at_once_arrives_whole() -> None:
    async def read() -> Frame | None:
        reader = asyncio.StreamReader(limit=100)
        data = ipc.pack_frame(Frame({"job": 1}, b"x" * 10_000))
        asyncio.get_running_loop().call_later(0, reader.feed_data, data[:5000])
        asyncio.get_running_loop().call_later(0.01, reader.feed_data, data[5000:])
        return await ipc.receive_frame(reader)

    assert asyncio.run(read()) == Frame({"job": 1}, b"x" * 10_000)


# --- memory -----------------------------------------------------------------------------------------------------------


# The last of many blocks stays, so that the C library keeps all that lies below it.
FREED = """
from server.ipc import HeapTrimmer, resident_mebibytes
keeping = HeapTrimmer()
blocks = [bytes(3000) for _ in range(30_000)]
last = blocks.pop()
del blocks
before = resident_mebibytes()
keeping.give_back()
print(before - resident_mebibytes())
"""


@pytest.mark.skipif(
    seq2drum.system.workers.trimming() is None, reason="only glibc gives memory back when it is asked to"
)
def test_memory_of_what_is_over_is_given_back() -> None:
    told = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert float(told.stdout) > 60


def test_it_is_given_back_once_it_is_worth_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    gained, trims = [0.0], []
    monkeypatch.setattr(ipc, "resident_mebibytes", lambda: 100 + gained[0])
    monkeypatch.setattr(seq2drum.system.workers, "trimming", lambda: trims.append)
    keeping = HeapTrimmer()
    for gained[0] in (RETAINED_MEBIBYTES / 2, RETAINED_MEBIBYTES, RETAINED_MEBIBYTES + 1):  # of all together
        keeping.give_back()
    assert trims == [0]
    for gained[0] in (
        RETAINED_MEBIBYTES,
        RETAINED_MEBIBYTES * 2,
        0,
        RETAINED_MEBIBYTES + 1,
    ):  # what it has is less again
        keeping.give_back()
    assert trims == [0, 0]
