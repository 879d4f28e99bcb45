"""The XML text of a MusicXML file: unpacked, and checked before a tree is built of it.

A file may be damaged, and it may be made to harm: a packed one that grows without end, entities that do, elements
nested without end, a metre that takes hours to count. All are refused here, within bounds of time and memory.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
import zipfile
from xml.parsers import expat

from seq2drum.errors import NotationError
from seq2drum.formats.zipped import Packed, archive_of, member
from seq2drum.music import metres
from seq2drum.music.limits import SCORE_LIMITS

_PACKED = Packed(
    "score",
    "export it again",
    "export it without packing (.musicxml)",
    SCORE_LIMITS.file_bytes,
    SCORE_LIMITS.packing,
)
_MOST = {"note": SCORE_LIMITS.notes, "measure": SCORE_LIMITS.measures, "part": SCORE_LIMITS.parts}


def score_text(data: bytes) -> bytes:
    """The checked XML of a score: the data itself, or the score inside a packed file.

    Raises:
        NotationError: it is no MusicXML, is damaged, or lies beyond `SCORE_LIMITS`.
    """
    text = _unpacked(data)
    _check(text, root="score-partwise")
    return text


# --- packed files -----------------------------------------------------------------------------------------------------


def _unpacked(data: bytes) -> bytes:
    if len(data) > SCORE_LIMITS.file_bytes:
        raise NotationError(
            f"the file has more than {SCORE_LIMITS.file_bytes:,} bytes; wanted is a score of at most that"
        )
    if not data.startswith(b"PK"):
        return data
    with archive_of(data, _PACKED) as archive:
        return member(archive, archive.getinfo(_score_name(archive)), _PACKED)


def _score_name(archive: zipfile.ZipFile) -> str:
    """The name of the score in a packed file: what the container names first, else the first score there is."""
    names = archive.namelist()
    if "META-INF/container.xml" in names:
        container = member(archive, archive.getinfo("META-INF/container.xml"), _PACKED)
        _check(container, root="container")
        for element in ET.fromstring(container).iter():
            if element.tag.endswith("rootfile") and element.get("full-path") in names:
                return str(element.get("full-path"))
    for name in names:
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith("META-INF/"):
            return name
    raise NotationError("the packed file holds no score; wanted is a MusicXML file (.mxl) as notation programs export")


# --- the XML ----------------------------------------------------------------------------------------------------------


def _check(text: bytes, *, root: str) -> None:
    """Refuse broken XML, entities, a document type of its own, another root, and what is beyond the limits."""
    check = _Check(root)
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = check.doctype
    parser.EntityDeclHandler = check.entity
    parser.StartElementHandler = check.start
    parser.EndElementHandler = check.end
    parser.CharacterDataHandler = check.characters
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise NotationError(f"the file is no MusicXML ({error}); wanted is .musicxml, .xml or .mxl") from error


class _Check:
    """What the parser calls while it reads; each raises NotationError where the text is refused."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._depth = 0
        self._counts = dict.fromkeys(_MOST, 0)
        self._beats: list[str] | None = None  # the text of the <beats> element that is open

    def doctype(self, name: str, system: str | None, public: str | None, has_internal_subset: int) -> None:
        if has_internal_subset:
            raise NotationError("the file declares its own XML entities or types, which a score does not need")

    def entity(self, *_: object) -> None:
        raise NotationError("the file declares XML entities, which a score does not need")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._depth == 0 and tag.rpartition(":")[2] != self._root:
            raise NotationError(
                f"the file is XML, but its root is <{tag[:40]}>; wanted is a MusicXML score (<{self._root}>)"
            )
        self._depth += 1
        if self._depth > SCORE_LIMITS.depth:
            raise NotationError(f"the file nests elements more than {SCORE_LIMITS.depth} deep; a score does not")
        if tag == "beats":
            self._beats = []
        if tag in self._counts:
            self._counts[tag] += 1
            if self._counts[tag] > _MOST[tag]:
                raise NotationError(f"the score has more than {_MOST[tag]:,} {tag}s; wanted is a score of at most that")
        if tag == "repeat" and _number(attributes.get("times", "2")) > SCORE_LIMITS.repeats:
            raise NotationError(
                f"the score repeats a passage more than {SCORE_LIMITS.repeats} times; write the passage out"
            )

    def end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "beats" and self._beats is not None:
            text, self._beats = "".join(self._beats).strip(), None
            # music21 would count too many for hours.
            if not 1 <= sum(map(_number, text.split("+"))) <= metres.NUMERATORS[-1]:
                raise NotationError(
                    f"the score has a metre of {text[:20]!r} beats; wanted are 1 to {metres.NUMERATORS[-1]}"
                )

    def characters(self, text: str) -> None:
        if self._beats is not None:
            self._beats.append(text)


def _number(text: str) -> float:
    """The number that a text stands for; 0 if it is none."""
    try:
        return float(text)
    except ValueError:
        return 0.0
