"""How a value shows itself in a notebook: it asks the renderer, and the renderer lies above all that it shows.

The renderer is registered from above, once, by `seq2drum/__init__.py`, which every import of a room runs first.
Nothing here names it.
"""

from __future__ import annotations

from collections.abc import Callable

Renderer = Callable[[object], str]
"""From a value to HTML. It raises TypeError for a value that it does not know."""

_registered: list[Renderer] = []  # the last one is asked


def register(renderer: Renderer) -> None:
    """Let `renderer` show all values from now on."""
    _registered[:] = [renderer]


def as_html(value: object) -> str:
    """What a notebook shows of a value. A named tuple calls it; all other values that are shown are `Shown`."""
    (renderer,) = _registered
    return renderer(value)


class Shown:
    """A value that shows itself in a notebook."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return as_html(self)
