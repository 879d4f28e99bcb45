"""Memory that a process has used and needs no more."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable


def give_back() -> None:
    """Give what the C library keeps of freed memory back to the system. Not every C library can; then nothing happens.

    It takes some tens of milliseconds a gigabyte, and as much again when the memory is used anew.
    """
    if trim := trimming():
        trim(0)


def trimming() -> Callable[[int], int] | None:
    """The function of glibc that gives free pages of all heaps back; None where there is another C library."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
