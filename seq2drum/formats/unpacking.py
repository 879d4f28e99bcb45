"""The tree of a MusicXML file: unpacked, checked before the tree is built, and made partwise.

A file may be damaged, and it may be made to harm: a packed one that grows without end, entities that do, elements
nested without end, a metre that takes hours to count. All are refused here, within bounds of time and memory.
"""

from __future__ import annotations

import re
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
_PARTWISE, _TIMEWISE = "score-partwise", "score-timewise"
_MOST = {
    _PARTWISE: {"note": SCORE_LIMITS.notes, "measure": SCORE_LIMITS.measures, "part": SCORE_LIMITS.parts},
    _TIMEWISE: {"note": SCORE_LIMITS.notes, "measure": SCORE_LIMITS.measures, "part": SCORE_LIMITS.measures},
}
"""How many elements of a kind there may be, by the root; a timewise score writes each part in each measure."""
_SAYS_16_BITS = re.compile(
    rb"""(?:\xef\xbb\xbf)?(<\?xml\s[^>]{,200}?encoding\s*=\s*["'])(?:utf-?16|ucs-2)[^"']{,8}""", re.I
)
_DIGITS = re.compile(r"\d{3,}")


def score_tree(data: bytes) -> ET.Element:
    """The checked partwise score that a file is or has packed in it; each part says what its durations count.

    A timewise score is made partwise. Durations without divisions count as those of the other parts, else quarters.

    Raises:
        NotationError: it is no MusicXML, is damaged, or lies beyond `SCORE_LIMITS`.
    """
    text = _SAYS_16_BITS.sub(rb"\1UTF-8", _unpacked(data), count=1)  # what is of 8 bits cannot be in UTF-16
    _check(text, *_MOST)
    root = ET.fromstring(text)
    if root.tag == _TIMEWISE:
        root = _partwise(root)
    _add_divisions(root)
    return root


# --- one form ---------------------------------------------------------------------------------------------------------


def _partwise(timewise: ET.Element) -> ET.Element:
    """The measures of each part together; a part that a measure lacks is empty there."""
    measures = timewise.findall("measure")
    names = list(dict.fromkeys(part.get("id", "") for measure in measures for part in measure.findall("part")))
    if len(names) > SCORE_LIMITS.parts or len(names) * len(measures) > SCORE_LIMITS.measures:
        raise NotationError(
            f"the score has {len(names):,} parts of {len(measures):,} measures; wanted are at most"
            f" {SCORE_LIMITS.parts:,} parts, and {SCORE_LIMITS.measures:,} measures in all of them"
        )
    root = ET.Element(_PARTWISE, timewise.attrib)
    root.extend(element for element in timewise if element.tag != "measure")
    parts = {name: ET.SubElement(root, "part", id=name) for name in names}
    for measure in measures:
        own = {part.get("id", ""): part for part in measure.findall("part")}
        for name, part in parts.items():
            ET.SubElement(part, "measure", measure.attrib).extend(own.get(name, ()))
    return root


def _add_divisions(root: ET.Element) -> None:
    """Write the divisions into the first measure of each part that has none there."""
    for part in root.iter("part"):
        first = part.find("measure")
        if first is None or first.find("attributes/divisions") is not None:
            continue
        known = next(part.iter("divisions"), None)
        known = next(root.iter("divisions"), None) if known is None else known
        attributes = ET.Element("attributes")
        ET.SubElement(attributes, "divisions").text = "1" if known is None else known.text
        first.insert(0, attributes)


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
        _check(container, "container")
        for element in ET.fromstring(container).iter():
            if element.tag.endswith("rootfile") and element.get("full-path") in names:
                return str(element.get("full-path"))
    for name in names:
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith("META-INF/"):
            return name
    raise NotationError("the packed file holds no score; wanted is a MusicXML file (.mxl) as notation programs export")


# --- the XML ----------------------------------------------------------------------------------------------------------


def _check(text: bytes, *roots: str) -> None:
    """Refuse broken XML, entities, a document type of its own, another root, and what is beyond the limits."""
    check = _Check(roots)
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

    def __init__(self, roots: tuple[str, ...]) -> None:
        self._roots = roots
        self._depth = 0
        self._most: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._beats: list[str] | None = None  # the text of the <beats> element that is open
        self._chord = 0  # notes of the chord that is open
        self._goes_on = False  # whether the note that is open belongs to it

    def doctype(self, name: str, system: str | None, public: str | None, has_internal_subset: int) -> None:
        if has_internal_subset:
            raise NotationError("the file declares its own XML entities or types, which a score does not need")

    def entity(self, *_: object) -> None:
        raise NotationError("the file declares XML entities, which a score does not need")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._depth == 0:
            self._most = self._most_below(tag)
        self._depth += 1
        if self._depth > SCORE_LIMITS.depth:
            raise NotationError(f"the file nests elements more than {SCORE_LIMITS.depth} deep; a score does not")
        if tag == "beats":
            self._beats = []
        if tag in self._most:
            self._counts[tag] = self._counts.get(tag, 0) + 1
            if self._counts[tag] > self._most[tag]:
                raise NotationError(
                    f"the score has more than {self._most[tag]:,} {tag}s; wanted is a score of at most that"
                )
        self._goes_on = (self._goes_on and tag != "note") or tag == "chord"
        if tag == "ending" and (number := _DIGITS.search(attributes.get("number", ""))):
            raise NotationError(f"the score has an ending for pass {number[0][:20]}; wanted are passes 1 to 99")
        if tag == "repeat" and _number(attributes.get("times", "2")) > SCORE_LIMITS.repeats:
            raise NotationError(
                f"the score repeats a passage more than {SCORE_LIMITS.repeats} times; write the passage out"
            )

    def _most_below(self, tag: str) -> dict[str, int]:
        """How many elements of each kind may be below a root."""
        root = tag.rpartition(":")[2]
        if root not in self._roots:
            raise NotationError(
                f"the file is XML, but its root is <{tag[:40]}>; wanted is a MusicXML score (<{self._roots[0]}>)"
            )
        return _MOST.get(root, {})

    def end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "note":
            self._chord = self._chord + 1 if self._goes_on else 1
            if self._chord > SCORE_LIMITS.chord:
                raise NotationError(f"the score has a chord of more than {SCORE_LIMITS.chord} notes; write fewer")
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
