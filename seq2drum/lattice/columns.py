"""The columns of a table by name. Widths are declared once; column numbers and the table's size follow."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Columns:
    """Names of columns from left to right, each with its width: `Columns(loudness=1, pitch_classes=12)`."""

    def __init__(self, **widths: int) -> None:
        self.widths: Mapping[str, int] = widths
        ends = np.cumsum(list(widths.values())).tolist()
        self._slices = {name: slice(end - widths[name], end) for name, end in zip(widths, ends, strict=True)}
        self.size: int = ends[-1]

    def __getitem__(self, name: str) -> slice:
        """The columns of a name."""
        return self._slices[name]

    def at(self, name: str) -> int:
        """The number of a column whose width is 1.

        Raises:
            ValueError: the name has several columns.
        """
        if self.widths[name] != 1:
            raise ValueError(f"{name!r} has {self.widths[name]} columns")
        start: int = self._slices[name].start
        return start

    def span(self, first: str, last: str) -> slice:
        """All columns from those of one name to those of another."""
        return slice(self._slices[first].start, self._slices[last].stop)

    def pick(self, *names: str) -> tuple[int, ...]:
        """The numbers of the columns of some names, in the order of the names."""
        return tuple(number for name in names for number in range(self.size)[self._slices[name]])

    def without(self, *names: str) -> tuple[int, ...]:
        """The numbers of the columns of all other names."""
        return self.pick(*(name for name in self.widths if name not in names))

    def table(self, rows: int, values: Mapping[str, ArrayLike]) -> NDArray[np.float32]:
        """(rows, size): a table of values by name, each (rows, width), or (rows,) where the width is 1.

        Raises:
            ValueError: a name is missing or unknown, or values have another shape.
        """
        if values.keys() != self.widths.keys():
            raise ValueError(f"wanted {', '.join(self.widths)}; got {', '.join(values)}")
        table = np.zeros((rows, self.size), dtype=np.float32)
        for name, value in values.items():
            columns, width = np.asarray(value), self.widths[name]
            if columns.shape != (rows, width) and (width > 1 or columns.shape != (rows,)):
                raise ValueError(f"{name!r} has the shape {columns.shape}, wanted {(rows, width)}")
            table[:, self._slices[name]] = columns.reshape(rows, width)
        return table

    def row(self, values: Mapping[str, ArrayLike]) -> NDArray[np.float32]:
        """(size,): a single row of such a table; each value is (width,), or a number."""
        table = self.table(1, {name: np.reshape(value, (1, -1)) for name, value in values.items()})
        return table.reshape(self.size)
