"""What a process keeps of the memory that it needs no more."""

from __future__ import annotations

import subprocess
import sys

import pytest

import seq2drum.system.workers
from server import ipc
from server.ipc import RETAINED_MEBIBYTES, HeapTrimmer

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
