"""The table of model families. Adding one is one file in this room and one line in `FAMILIES`."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from seq2drum.errors import UnknownModelError
from seq2drum.music import choices

if TYPE_CHECKING:
    from seq2drum.models.base import Family

FAMILIES = MappingProxyType(
    {
        "attention": "seq2drum.models.attention:Attention",
        "lstm": "seq2drum.models.lstm:Lstm",
        "transformer": "seq2drum.models.transformer:Transformer",
    }
)

DEFAULT_FAMILY = "transformer"


def family(name: str) -> type[Family]:
    """The class of a family, imported on use, so that listing names does not import torch.

    Raises:
        UnknownModelError: the family does not exist.
    """
    if name not in FAMILIES:
        raise UnknownModelError(f"there is no model family {name!r}; {choices.instead(name, tuple(FAMILIES))}")
    module, attribute = FAMILIES[name].split(":")
    kind: type[Family] = getattr(import_module(module), attribute)
    return kind
