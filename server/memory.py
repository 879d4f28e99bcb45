"""How much memory a worker may take, and how much it has."""

from __future__ import annotations

import contextlib
import sys

import psutil

if sys.platform != "win32":  # Windows has no such limits
    import resource


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
