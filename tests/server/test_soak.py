"""The service for a while: good, bad, cancelled, late and greedy calls of several callers, and nothing gets worse.

Ten seconds; `python -m bench soak` makes it an hour, with tight bounds.
"""

from __future__ import annotations

import random
import socket
import time

import pytest

from bench import beside
from bench.callers import stub_of
from bench.serving import serving
from bench.soak import Soak, soak

SECONDS = 10.0
MOST_DRIFT = 5.0
"""How much slower the last third of the calls may be than the second. Seconds show what else the machine does, too."""
MOST_GROWTH = 512 << 20
"""How many bytes all processes may gain after the first third, whatever the number of calls.

In seconds players may not have played as much at once as they will, and keep what that took: 200 MB were seen.
What a call keeps is measured by `bench/service.py`.
"""


@pytest.mark.slow
def test_memory_and_latency_do_not_grow_over_many_calls() -> None:
    with serving() as served:
        found = soak(served, SECONDS)
        work = Soak(served.address, SECONDS)
        assert not found.unexpected
        assert {noted.kind for noted in found.noted} == set(work.kinds)
        assert not served.lines("fault")
        assert found.drift < MOST_DRIFT, "calls became slower"
        grown, calls = found.growth
        assert grown < MOST_GROWTH, f"{grown / calls:.0f} bytes a call are kept"
        assert served.health() == "SERVING"
        assert found.survived, "a worker did not survive"
        figures = served.figures()
        end = time.monotonic() + 10
        while any(figures[name,] for name in ("waiting", "playing", "uploading")) and time.monotonic() < end:
            time.sleep(0.05)
            figures = served.figures()
        begun = sum(value for key, value in figures.items() if key[0] == "calls_started_total")
        assert begun == sum(value for key, value in figures.items() if key[0] == "calls_total")
        channel, stub = stub_of(served.address)
        with channel:
            assert work.plain(stub, random.Random(0)) == "right"
        assert served.end() == 0


# --- a caller who asks for much beside one who asks for little --------------------------------------------------------


@pytest.mark.slow
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
