"""How much memory a worker may take, and how much it has."""

from __future__ import annotations

import contextlib
import sys

import psutil

from seq2drum.system import workers

if sys.platform != "win32":  # Windows has no such limits
    import resource

GAINED_MEBIBYTES = 32
"""What may be kept of the memory of calls that are over, until it is given back: that takes some milliseconds."""


def bound_memory(mebibytes: int | None) -> None:
    """Bound the memory that this process may map beyond what it has now, and leave no core file with a user's music.

    Where the system cannot do that, nothing happens.
    """
    if sys.platform == "win32":
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if mebibytes is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = psutil.Process().memory_info().vms + (mebibytes << 20)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses limits below what is mapped, which it counts its way
        resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def resident_mebibytes() -> float:
    """The memory that this process has in use."""
    resident: int = psutil.Process().memory_info().rss
    return resident / (1 << 20)


class Keeping:
    """What this process keeps of the memory that it has used and needs no more: the C library's heap does."""

    def __init__(self) -> None:
        self._kept = resident_mebibytes()

    def give_back(self) -> None:
        """Give it back to the system, if it is more than GAINED_MEBIBYTES. Not every C library can."""
        now = resident_mebibytes()
        if now > self._kept + GAINED_MEBIBYTES:
            workers.give_back()
            self._kept = resident_mebibytes()
        self._kept = min(self._kept, now)
