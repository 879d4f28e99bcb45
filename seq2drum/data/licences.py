"""Licences of songs: one spelling of each, and which of them leave a model free of conditions that nobody can meet.

A licence is kept as whoever gave the music states it. Only what is stated word for word as one of the known ones is
taken for it: "CC BY 4.0 for the collection" is no CC BY 4.0.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

UNKNOWN = "unknown"
"""The licence of a song of which nobody states any."""

CLEAN = "clean"
"""A word for CC0, CC BY and MIT, in all their versions."""

CC0, CC_BY, PUBLIC_DOMAIN = "CC0", "CC BY 4.0", "public domain"

_CLEAN = re.compile(r"CC0|CC BY( \d\.\d)?|MIT")
_SPELLINGS = (  # of a licence in lower case with single spaces: what it is called here
    (re.compile(r"(cc ?0|cc zero|creative commons zero)( 1\.0)?( universal)?"), CC0),
    (re.compile(r"(?:cc by|creative commons attribution)(?: (\d\.\d))?(?: international)?"), "CC BY"),
    (re.compile(r"(?:the )?mit(?: licen[cs]e)?"), "MIT"),
    (re.compile(r"public ?domain(?: mark(?: 1\.0)?)?"), PUBLIC_DOMAIN),
)


def licence_of(stated: str | None) -> str:
    """A licence in one spelling: "cc-by-4.0" is "CC BY 4.0", nothing is "unknown", what is not known stays as it is."""
    text = " ".join((stated or "").split())
    plain = re.sub(r"[-_ ]+", " ", text.casefold())
    for spelling, name in _SPELLINGS:
        if match := spelling.fullmatch(plain):
            version = match[1] if name == "CC BY" else None
            return f"{name} {version}" if version else name
    return text or UNKNOWN


def is_clean(licence: str) -> bool:
    """Whether a licence, as `licence_of` spells it, is CC0, CC BY or MIT."""
    return _CLEAN.fullmatch(licence) is not None


class Licences:
    """Which licences songs may have: by name, and `CLEAN` for those of `is_clean`. No names: all of them."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names: tuple[str, ...] = tuple(dict.fromkeys(map(licence_of, names)))
        self._named: Collection[str] = frozenset(self.names) - {CLEAN}  # which is no licence, whoever states it

    def __contains__(self, licence: object) -> bool:
        if not self.names or licence in self._named:
            return True
        return CLEAN in self.names and isinstance(licence, str) and is_clean(licence)

    def __bool__(self) -> bool:
        return bool(self.names)

    def __str__(self) -> str:
        if not self.names:
            return "any"
        return ", ".join("clean (CC0, CC BY, MIT)" if name == CLEAN else name for name in self.names)


ANY = Licences()
"""All licences, and none."""
