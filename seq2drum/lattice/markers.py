"""Where a file says that a section begins, and what it calls it.

Markers of a file may be names of sections ("Verse 1", "2nd chorus", "B"), or a title, a remark, a copyright. They are
taken for sections where at least two bars have one that is surely the name of a section, or where a marker says itself
that it names one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable

import numpy as np

from seq2drum.lattice.grid import Lattice
from seq2drum.music.counting import COUNT_IN, FIRST_BAR
from seq2drum.music.notes import Marker
from seq2drum.music.shown import one_line

Marks = tuple[tuple[int, str], ...]
"""Bars of a lattice, each another and in their order, with the names of the sections that begin there."""

_TABLE = """
pre-chorus prechorus post-chorus chorus refrain verse strophe bridge middle intro introduction outro ending coda
interlude instrumental breakdown break solo theme head hook vamp turnaround tag riff build drop tutti fine
"""
WORDS = tuple(_TABLE.split())
"""Words for sections; one that has another in it comes before that."""

_SAME = {"introduction": "intro", "prechorus": "pre-chorus"}
_MOST_LETTERS = 20  # of the name of a section
_LEAST = 2  # bars with the name of a section
_NUMBERS = re.compile(r"\b(\d+(st|nd|rd|th)?|one|two|three|four|five|first|second|third|fourth|last|final|repeat)\b")
_ALONE = re.compile(r"([A-H])['′]?\s?\d{0,2}")


def name_of(text: str) -> str:
    """What the section of a marker is called: "Verse 1" and "2nd verse" are both "verse"; "" if nothing is left."""
    line = one_line(text)
    if line in (COUNT_IN, FIRST_BAR):
        return ""
    alone = _ALONE.fullmatch(line)
    if alone:
        return alone[1]
    plain = re.sub(r"\(.*?\)", " ", line.casefold())
    words = re.sub(r"[^\w\s'-]|_", " ", plain)
    known = _known(words)
    if known:
        return _SAME.get(known, known)
    bare = " ".join(_NUMBERS.sub(" ", words).split()).strip("-' ")
    return bare if len(bare) <= _MOST_LETTERS else ""


def marks_of(markers: Iterable[Marker], lattice: Lattice) -> Marks:
    """The sections that the markers of a song name; none where they are no names of sections.

    A marker is of the bar whose beginning is nearest; of several of one bar the last holds.
    """
    starts = np.array([bar.start for bar in lattice.bars])
    middles = ((starts[1:] + starts[:-1]) / 2).tolist()
    found: dict[int, str] = {}
    sure, said = set[int](), False
    for marker in markers:
        bar, name = bisect_right(middles, marker.tick), name_of(marker.text)
        if marker.is_section:
            name = name or one_line(marker.text, _MOST_LETTERS)
        if name:
            found[bar] = name
        if name in WORDS or _ALONE.fullmatch(name):
            sure.add(bar)
        said |= marker.is_section
    return tuple(sorted(found.items())) if said or len(sure) >= _LEAST else ()


def _known(words: str) -> str:
    """The word for a section among some words."""
    parts = re.findall(r"\w+(?:-\w+)*", words)
    return next((word for word in WORDS if any(part.rstrip("s") == word.rstrip("s") for part in parts)), "")
