"""What is said of some bars of a take. Only the standard library is imported, as the client has these, too."""

from __future__ import annotations

from typing import NamedTuple


class Explanation(NamedTuple):
    """Something that holds from bar `first` to bar `last`, counted from 1."""

    first: int
    last: int
    text: str

    def __str__(self) -> str:
        return f"{bar_names(self.first, self.last)}: {self.text}"


def bar_names(first: int, last: int) -> str:
    """One bar or several, by number."""
    return f"bar {first}" if first == last else f"bars {first}-{last}"
