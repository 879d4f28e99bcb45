"""The project's HTML pages: Jinja2 templates, one style sheet, everything in one file that asks for nothing elsewhere.

The templates lie in `templates/`; a page gives them values and SVG of `charts`. What is a value is escaped, whatever it
holds. Nothing is known here of music or models.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined


class Table(NamedTuple):
    """A head, which may be empty, and rows of as many cells. In a notebook it shows itself.

    words: it is to be read, not to be compared; all its columns begin at the left.
    """

    head: Sequence[str]
    body: Sequence[Sequence[str]]
    words: bool = False
    kind: str = "table"

    def _repr_html_(self) -> str:
        return render("value.html", pieces=[self])


def render(template: str, **values: Any) -> str:
    """A template filled in with values."""
    return _templates().get_template(template).render(values)


def png(data: bytes) -> str:
    """A PNG picture as the address of an image: the picture itself."""
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("seq2drum.show"),
        autoescape=True,
        undefined=StrictUndefined,  # a value that a template misses is an error, not a gap
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
