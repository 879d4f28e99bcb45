"""Display of values in a notebook, and safe display of any text.

A value calls the renderer, which lies in a room above. It is registered once by `seq2drum/__init__.py`, which every
import of a room runs first. Nothing here names it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Renderer = Callable[[object], str]
"""From a value to HTML. It raises TypeError for a value that it does not know."""

_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_registered: list[Renderer] = []  # the last one is used


def register(renderer: Renderer) -> None:
    """Let `renderer` show all values from now on."""
    _registered[:] = [renderer]


def as_html(value: object) -> str:
    """The HTML of a value in a notebook. Named tuples call it; all other values are `Shown`."""
    (renderer,) = _registered
    return renderer(value)


def one_line(text: str, most: int | None = None) -> str:
    """A text in one line of printable letters, safe for a terminal and a file.

    most: letters; a longer text ends in "…".
    """
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if most is None or len(line) <= most else f"{line[: most - 1]}…"


def visible(text: str) -> str:
    """A text of any lines, safe for a terminal: control characters and direction marks are escaped."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Shown:
    """A value that shows itself in a notebook."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return as_html(self)
