"""Named shapes: arrays checked against a table of letters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Shape = tuple[str | int, ...]
"""The axes of an array: a size, or a letter that has one size in all arrays checked together."""


def check_shapes(arrays: Mapping[str, Any], table: Mapping[str, Shape], **sizes: int) -> dict[str, int]:
    """The size of each letter, after checking arrays against the shapes of a table; `sizes` fixes letters.

    Raises:
        AssertionError: names the array, its shape, and the wanted one.
    """
    assert arrays.keys() == table.keys(), f"no shape, or no array, of {sorted(arrays.keys() ^ table.keys())}"
    for name, wanted in table.items():
        found = tuple(arrays[name].shape)
        said = f"{name} is {found}, wanted {wanted} with {sizes}"
        assert len(found) == len(wanted), said
        for size, axis in zip(found, wanted, strict=True):
            assert size == (axis if isinstance(axis, int) else sizes.setdefault(axis, size)), said
    return sizes
