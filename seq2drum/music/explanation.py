"""What is said of a take and of its drum map. Only the standard library is imported, as the client has these, too."""

from __future__ import annotations

from collections.abc import Sequence
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


class SectionGroove(NamedTuple):
    """What a section of a take was played on: the section's letter, the groove's name, and what drummers call it."""

    section: str
    name: str
    title: str


class Swap(NamedTuple):
    """Hits of a piece that a sampler's kit lacks, how many, and which piece plays them; "": they are left out."""

    piece: str
    instead: str
    hits: int

    def __str__(self) -> str:
        hits = f"{self.hits} hit{'s' if self.hits > 1 else ''}"
        went = f"on its {self.instead}" if self.instead else "left out"
        return f"the kit of this drum map has no {self.piece}: {hits} {went}"


def origin(source: str, tried: bool) -> str:
    """Where a drum map comes from, and whether it was tried."""
    return f"{source}; {'tried in synthesisers' if tried else 'not tried in the product'}"


def in_words(grooves: Sequence[SectionGroove]) -> str:
    """The grooves of a take by their titles, with the sections where there are several grooves; "" if there are none.

    Such as "half-time rock, ride", or "A and C half-time rock, ride; B one drop".
    """
    sections: dict[str, list[str]] = {}
    for groove in grooves:
        sections.setdefault(groove.title, []).append(groove.section)
    if len(sections) < 2:
        return "".join(sections)
    return "; ".join(f"{_listed(letters)} {title}" for title, letters in sections.items())


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
