"""The elements of an XML text within bounds, as they begin and end; no text may declare entities of its own."""

from __future__ import annotations

import io
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, iterparse

from seq2drum.errors import NotationError
from seq2drum.formats import foreign
from seq2drum.music.limits import TAB_LIMITS

_MOST_KEPT = 100_000  # elements, until the caller clears what is around them


def elements(text: bytes, what: str, way_out: str, depth: int) -> Iterator[tuple[bool, list[Element]]]:
    """Whether an element begins, and the path from the root to it, for each beginning and end of those at most so deep.

    What is not needed any more is to be cleared by the caller, soon. what, way_out: what the text is, and the advice if
    it cannot be read. The root is at depth 1.

    Raises:
        NotationError: not XML, damaged, with entities of its own, or beyond TAB_LIMITS.
    """
    if len(text) > TAB_LIMITS.score_bytes:
        raise NotationError(f"the {what} has {len(text):,} bytes; at most {TAB_LIMITS.score_bytes:,} are read")
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise NotationError(f"the {what} declares its own XML entities or types, which no {what} needs")
    if b"\0" in text:  # UTF-16, in which a declaration would not have been found
        raise NotationError(f"the {what} is damaged, or in other letters than UTF-8; {way_out}")
    if not text.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        raise NotationError(f"this is no {what}: it begins with {foreign.beginning(text)}; {way_out}")
    path, here, count, kept = list[Element](), 0, 0, 0
    deepest, most = TAB_LIMITS.depth, TAB_LIMITS.elements
    events = iterparse(io.BytesIO(text), events=("start", "end"))
    try:
        for event, element in events:
            if event == "end":
                if here <= depth:
                    yield False, path
                    path.pop()
                    kept = 0 if path and not len(path[-1]) else kept
                here -= 1
                continue
            here, count, kept = here + 1, count + 1, kept + 1
            if here > deepest or count > most or kept > _MOST_KEPT:
                raise NotationError(
                    f"the {what} has more than {TAB_LIMITS.elements:,} XML elements, {_MOST_KEPT:,} in a measure or"
                    f" {TAB_LIMITS.depth} in one another; wanted a {what} of at most that"
                )
            if here <= depth:
                path.append(element)
                yield True, path
    except (ParseError, ValueError, LookupError) as error:
        raise NotationError(f"the {what} is damaged ({str(error)[:80]}); {way_out}") from error


def whole(text: str | None, default: int) -> int:
    """The whole number in a text; a default if there is none."""
    digits = (text or "").strip()
    return int(digits) if len(digits) < 11 and digits.lstrip("-").isdecimal() and digits.isascii() else default
