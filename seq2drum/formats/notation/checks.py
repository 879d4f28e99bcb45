"""The tree of a MusicXML file: unpacked, checked before the tree is built, and made partwise.

A file can be damaged or hostile: a packed one that grows without end, entities that do, elements nested without end,
a metre that takes hours to count. All are refused here, within bounds of time and memory.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any
from xml.parsers import expat

from seq2drum.errors import NotationError
from seq2drum.formats.archives import Packed, archive_of, member
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
"""Most elements of a kind, by the root; a timewise score writes each part in each measure."""
_SAYS_16_BITS = re.compile(
    rb"""(?:\xef\xbb\xbf)?(<\?xml\s[^>]{,200}?encoding\s*=\s*["'])(?:utf-?16|ucs-2)[^"']{,8}""", re.I
)
_DIGITS = re.compile(r"\d{3,}")


def score_tree(data: bytes) -> ET.Element:
    """The checked partwise score in a file, packed or not, with divisions in each part.

    A timewise score is made partwise. Durations without divisions count as those of the other parts, else quarters.

    Raises:
        NotationError: not MusicXML, damaged, or beyond `SCORE_LIMITS`.
    """
    text = _SAYS_16_BITS.sub(rb"\1UTF-8", _unpacked(data), count=1)  # 8-bit text cannot be UTF-16
    _check(text, *_MOST)
    root = ET.fromstring(text)
    if root.tag == _TIMEWISE:
        root = _partwise(root)
    _add_divisions(root)
    _check_measures(root)
    return root


def _check_measures(root: ET.Element) -> None:
    """Refuse parts that music21 would read for minutes: it looks through all measures before one for its metre."""
    parts = [part.findall("measure") for part in root.iter("part")]
    if sum(len(part) ** 2 for part in parts) > SCORE_LIMITS.squares:
        raise NotationError(
            f"the score has up to {max(map(len, parts)):,} measures in each of {len(parts):,} parts; wanted fewer:"
            " is it more than one song?"
        )
    short = [_short_measures(part) for part in parts]
    if sum(count * len(part) for count, part in zip(short, parts, strict=True)) > SCORE_LIMITS.short:
        raise NotationError(
            f"the score has {sum(short):,} measures that are shorter than their metre, too many to read;"
            " fill them with rests, or export it as MIDI"
        )


def _short_measures(measures: Sequence[ET.Element]) -> int:
    """How many measures of a part are shorter than their metre; those without a note are not."""
    divisions, full, count = 1.0, 4.0, 0
    for measure in measures:
        at = end = 0.0
        for item in measure:
            match item.tag:
                case "note" if item.find("chord") is None:
                    at += _number(item.findtext("duration") or "")
                case "forward":
                    at += _number(item.findtext("duration") or "")
                case "backup":
                    at -= _number(item.findtext("duration") or "")
                case "attributes":
                    divisions = _number(item.findtext("divisions") or "") or divisions
                    beats, unit = item.findtext("time/beats"), _number(item.findtext("time/beat-type") or "")
                    full = 4 * sum(map(_number, beats.split("+"))) / unit if beats and unit else full
                case _:
                    pass
            end = max(end, at)
        count += 0 < end < full * divisions * (1 - 1e-6)
    return count


# --- one form ---------------------------------------------------------------------------------------------------------


def _partwise(timewise: ET.Element) -> ET.Element:
    """The measures by part; a part that a measure lacks is empty there."""
    measures = timewise.findall("measure")
    names = list(dict.fromkeys(part.get("id", "") for measure in measures for part in measure.findall("part")))
    if len(names) > SCORE_LIMITS.parts or len(names) * len(measures) > SCORE_LIMITS.measures:
        raise NotationError(
            f"the score has {len(names):,} parts of {len(measures):,} measures; wanted at most"
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
        raise NotationError(f"the file has more than {SCORE_LIMITS.file_bytes:,} bytes; wanted a score of at most that")
    if not data.startswith(b"PK"):
        return data
    with archive_of(data, _PACKED) as archive:
        return member(archive, archive.getinfo(_score_name(archive)), _PACKED)


def _score_name(archive: zipfile.ZipFile) -> str:
    """The name of the score in a packed file: the first that the container names, else the first score."""
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
    raise NotationError("the packed file holds no score; wanted a MusicXML file (.mxl) as notation programs export")


# --- the XML ----------------------------------------------------------------------------------------------------------


def _check(text: bytes, *roots: str) -> None:
    """Refuse broken XML, entities, a document type of its own, another root, and sizes beyond the limits."""
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
        raise NotationError(f"the file is not MusicXML ({error}); wanted .musicxml, .xml or .mxl") from error


class _Check:
    """The parser's callbacks; each raises NotationError where the text is refused."""

    def __init__(self, roots: tuple[str, ...]) -> None:
        self._roots = roots
        self._depth = 0
        self._most: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._beats: list[str] | None = None  # the text of the open <beats> element
        self._chord = 0  # notes of the open chord
        self._goes_on = False  # whether the open note belongs to it

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
                    f"the score has more than {self._most[tag]:,} {tag}s; wanted a score of at most that"
                )
        self._goes_on = (self._goes_on and tag != "note") or tag == "chord"
        if tag == "ending" and (number := _DIGITS.search(attributes.get("number", ""))):
            raise NotationError(f"the score has an ending for pass {number[0][:20]}; wanted passes 1 to 99")
        if tag == "repeat" and _number(attributes.get("times", "2")) > SCORE_LIMITS.repeats:
            raise NotationError(
                f"the score repeats a passage more than {SCORE_LIMITS.repeats} times; write the passage out"
            )

    def _most_below(self, tag: str) -> dict[str, int]:
        """The largest number of elements of each kind below a root."""
        root = tag.rpartition(":")[2]
        if root not in self._roots:
            raise NotationError(
                f"the file is XML, but its root is <{tag[:40]}>; wanted a MusicXML score (<{self._roots[0]}>)"
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
                    f"the score has a metre of {text[:20]!r} beats; wanted 1 to {metres.NUMERATORS[-1]}"
                )

    def characters(self, text: str) -> None:
        if self._beats is not None:
            self._beats.append(text)


def _number(text: str) -> float:
    """The number in a text; 0 if it has none."""
    try:
        return float(text)
    except ValueError:
        return 0.0


_METRE = re.compile(r"(?:\bM:|\*M)\s*([\d+() ]+)/(\d+)")
_LARGE = re.compile(r"\d{4,}")
_COMMENT = re.compile(
    r"^(?:%|!|=|[A-LN-PR-Z]:).*$", re.MULTILINE
)  # fields of ABC that do not bear on times and barlines
_WORDS = re.compile(r'"[^"]*"')
_FIELD = re.compile(r"^[A-Za-z]:|\[[A-Za-z]:", re.MULTILINE)
_NOTE_LINE = re.compile(r"^(?![A-Za-z]:|%).*$", re.MULTILINE)  # of ABC
_UNHEARD = re.compile(r'(\[[A-Za-z]:[^\]]*\])|"[^"]*"|\((?!\d)|\)')  # a field (kept); chord symbols and slurs


def abc_text(data: bytes) -> str:
    """The first tune in the bytes of a file in ABC, without chord symbols and slurs, which do not sound.

    Raises:
        NotationError: as `plain_text`; or it has more fields than SCORE_LIMITS.text_fields.
    """
    book = plain_text(data, "ABC")
    starts = [found.start() for found in re.finditer(r"^X:", book, re.MULTILINE)]
    tune = book[: starts[1]] if len(starts) > 1 else book  # up to the second numbering field
    if (fields := len(_FIELD.findall(tune))) > SCORE_LIMITS.text_fields:
        raise _too_many(fields, "fields", SCORE_LIMITS.text_fields)
    return _NOTE_LINE.sub(lambda line: _UNHEARD.sub(lambda found: found[1] or "", line[0]), tune)


def check_abc(handler: Any) -> None:
    """Check the tokens that music21 has read of a tune, before it makes measures of them.

    handler: an `ABCHandler`.

    Raises:
        NotationError: it has more voices, bars, notes in a bar or a chord than SCORE_LIMITS allows, or a longer bar.
    """
    first, *others = handler.splitByVoice()
    if len(others) > SCORE_LIMITS.parts:
        raise _too_many(len(others), "voices", SCORE_LIMITS.parts)
    # The text before the first voice is read again for each.
    voices = [_Bars().add([*first.tokens, *voice.tokens]) for voice in others] or [_Bars().add(first.tokens)]
    if (bars := sum(voice.count for voice in voices)) > SCORE_LIMITS.text_bars:
        raise _too_many(bars, "bars", SCORE_LIMITS.text_bars)
    if (overfull := sum(voice.overfull for voice in voices)) > SCORE_LIMITS.text_overfull:
        raise _too_many(overfull, "bars that are longer than their metre", SCORE_LIMITS.text_overfull)


def humdrum_text(data: bytes) -> str:
    """The text of a file in Humdrum.

    Raises:
        NotationError: as `plain_text`; or it has more spines, or notes in a chord, than SCORE_LIMITS allows.
    """
    text = plain_text(data, "Humdrum")
    for line in text.splitlines():
        if line.startswith("!"):
            continue
        spines = line.split("\t")
        if len(spines) > SCORE_LIMITS.parts:
            raise _too_many(len(spines), "spines", SCORE_LIMITS.parts)
        if (notes := max(spine.count(" ") for spine in spines) + 1) > SCORE_LIMITS.chord:
            raise _too_many(notes, "notes in a chord", SCORE_LIMITS.chord)
    return text


def plain_text(data: bytes, what: str) -> str:
    """The text of a file, UTF-8 or Latin-1.

    what: the notation, for messages.

    Raises:
        NotationError: too large, not text, or with impossible numbers.
    """
    if len(data) > SCORE_LIMITS.text_bytes:
        raise NotationError(
            f"the file has more than {SCORE_LIMITS.text_bytes:,} bytes; wanted one piece in {what} of at most that"
        )
    if (bars := max(data.count(b"|"), data.count(b"\n="))) > SCORE_LIMITS.text_bars:
        raise NotationError(f"the file has some {bars:,} bars; wanted at most {SCORE_LIMITS.text_bars:,} in {what}")
    if b"\0" in data:
        raise NotationError(f"the file is not text, as {what} is; export it again")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    for beats, unit in _METRE.findall(text):
        count = sum(int(digits) for digits in re.findall(r"\d{1,4}", beats))
        if count not in metres.NUMERATORS or int(unit[:4]) not in metres.DENOMINATORS:
            raise NotationError(f"the metre {beats[:20]}/{unit[:20]} is beyond the limit of 64/64")
    if large := _LARGE.search(_WORDS.sub("", _COMMENT.sub("", text))):
        raise NotationError(f"the file has the number {large[0][:20]}, which no length of a note in {what} is")
    return text


@dataclass
class _Bars:
    """The bars of a voice in ABC, and the number of those longer than their metre; music21 copies each of those.

    metre: the longest duration of the current bar, in quarters; None without a metre.
    """

    count: int = 0
    overfull: int = 0
    metre: Fraction | None = None

    def add(self, tokens: Iterable[Any]) -> _Bars:
        """Count the bars of these tokens as well, and check each."""
        items = notes = 0
        length = Fraction(0)
        for token in chain(tokens, (None,)):
            kind = type(token).__name__
            if kind == "ABCMetadata" and token.isMeter():
                beats = token.getTimeSignatureParameters()
                self.metre = Fraction(4 * beats[0], beats[1]) if beats else None
            if kind in ("ABCBar", "NoneType"):
                self.count += bool(notes)
                self.overfull += self.metre is not None and length > self.metre
                items, notes, length = 0, 0, Fraction(0)
                continue
            heads = 1
            if kind in ("ABCNote", "ABCChord"):
                heads = len(token.subTokens) if kind == "ABCChord" else 1
                if heads > SCORE_LIMITS.chord:
                    raise _too_many(heads, "notes in a chord", SCORE_LIMITS.chord)
                notes += heads
                length += 0 if token.inGrace else Fraction(token.quarterLength)
            items += heads
            if items > SCORE_LIMITS.text_bar_items:
                raise NotationError(
                    f"a bar has more than {SCORE_LIMITS.text_bar_items:,} notes and signs; are its barlines missing?"
                )
            if length > SCORE_LIMITS.text_bar_quarters:
                raise NotationError(
                    f"a bar is longer than {SCORE_LIMITS.text_bar_quarters} quarters; are its barlines missing?"
                )
        return self


def _too_many(count: int, what: str, most: int) -> NotationError:
    return NotationError(f"the file has {count:,} {what}; wanted at most {most:,}")
