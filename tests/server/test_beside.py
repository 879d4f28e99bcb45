"""A caller who asks for much beside one who asks for little, on a real server."""

from __future__ import annotations

import socket

import pytest

from bench import beside
from bench.callers import stub_of
from bench.serving import serving

pytestmark = pytest.mark.slow


def test_calls_for_two_notes_far_apart_keep_no_other_caller_waiting_and_take_no_gigabytes() -> None:
    try:
        socket.create_server((beside.ELSEWHERE, 0)).close()
    except OSError:
        pytest.skip(f"this machine has no address {beside.ELSEWHERE} of its own")
    with serving("--engines", "2") as served:
        channel, stub = stub_of(served.address)
        with channel:
            beside.played(stub, beside.SHORT)
        short = 2
        times, mebibytes = beside.beside(served, beside.LOADS["greedy"], short, 100.0)
        takes = served.total("takes_total")
    assert len(times) == short
    assert takes < 16 * 8, "the short songs had to wait until the others were done"
    assert mebibytes < 2048
