"""MuseScore 2 to 4 -> Song: the measures of a .mscx file, or of a .mscz that packs one, as a tab.

A pitch is as it sounds. The score is read measure by measure, and a measure is dropped when it has been read.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from seq2drum.errors import NotationError
from seq2drum.formats.archives import Packed, archive_of, member
from seq2drum.formats.checked_xml import elements, whole
from seq2drum.formats.guitarpro.performed import song_of
from seq2drum.formats.guitarpro.tab import Beat, Feel, Measure, Tab, TabNote, TempoMark, Track
from seq2drum.formats.musescore.form import Jump, Signs, Volta, order
from seq2drum.music.limits import TAB_LIMITS
from seq2drum.music.notes import Song

_PACKED = Packed("score", "save it again", "export it as MusicXML", TAB_LIMITS.score_bytes, TAB_LIMITS.packing)
_WAY_OUT = "open it in MuseScore and choose File > Export, as MusicXML or MIDI"
_VALUES = {
    "long": Fraction(16), "breve": Fraction(8), "whole": Fraction(4), "half": Fraction(2), "quarter": Fraction(1),
    "eighth": Fraction(1, 2),
    **{f"{part}{'nd' if part in (32, 512) else 'th'}": Fraction(4, part) for part in (16, 32, 64, 128, 256, 512, 1024)},
}  # fmt: skip
_GRACES = ("acciaccatura", "appoggiatura", "grace4", "grace16", "grace32")
_LATE_GRACES = ("grace8after", "grace16after", "grace32after")
_DYNAMICS = {
    "pppppp": 1, "ppppp": 5, "pppp": 10, "ppp": 16, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112,
    "fff": 126, "ffff": 127, "fffff": 127, "ffffff": 127, "sf": 112, "sfz": 112, "sff": 126, "sffz": 126, "fz": 112,
    "rf": 112, "rfz": 112, "fp": 96, "sfp": 112, "sfpp": 112,
}  # fmt: skip
"""MuseScore's velocities of its dynamics."""
_LOUDNESS = 80  # of a note before the first dynamic
_OTTAVAS = {"8va": 12, "8vb": -12, "15ma": 24, "15mb": -24, "22ma": 36, "22mb": -36}
_TREMOLOS = {"r8": Fraction(1, 2), "r16": Fraction(1, 4), "r32": Fraction(1, 8), "r64": Fraction(1, 16)}
_SWUNG = {"eighth": Fraction(1, 2), "16th": Fraction(1, 4)}
_NO_TIME = Fraction(0)
_SHORT = Fraction(1, 16)  # quarters of a short grace
_TICKS = 480  # of a quarter, in MuseScore's files
_LONGEST_NAME = 1000  # letters
_MOST_PASSES = 64  # of a repeated passage
_MOST_VOLTAS = 200
_MOST_OTTAVAS = 100  # at a time
_MOST_NUMBER = 10_000  # of a fraction's two numbers


def read_musescore(data: bytes) -> Song:
    """The song of a file's bytes (.mscz, .mscx), as `guitarpro.performed.song_of` plays it.

    Raises:
        NotationError: another kind of file, damaged, of MuseScore 1, or beyond TAB_LIMITS.
    """
    text, feel = _text_of(data)
    score = _scanned(text, feel)
    return song_of(_tab(score), order([frame.signs for frame in score.frames], score.voltas))


def _text_of(data: bytes) -> tuple[bytes, Feel | None]:
    """The XML text of the score, and the swing of the style beside it.

    In a packed file the score lies in no folder, and its parts do.
    """
    if not data.startswith(b"PK\x03\x04"):
        return data, None
    with archive_of(data, _PACKED) as archive:
        listed = archive.infolist()
        style = next((info for info in listed if info.filename == "score_style.mss"), None)  # MuseScore 4
        for info in listed:
            if info.filename.lower().endswith(".mscx") and "/" not in info.filename:
                text = member(archive, info, _PACKED)
                return text, _styled(member(archive, style, _PACKED)) if style is not None else None
    raise NotationError(f"the zip file has no .mscx in it; wanted a score of MuseScore (.mscz): {_WAY_OUT}")


def _styled(style: bytes) -> Feel | None:
    unit, ratio = (re.search(rb"<swing%b>(\w{1,20})<" % tag, style) for tag in (b"Unit", b"Ratio"))
    known = _SWUNG.get(unit[1].decode("latin-1")) if unit else None
    return _feel(known, ratio[1].decode("latin-1") if ratio else "60") if known else None


# --- what is kept of the XML ------------------------------------------------------------------------------------------


class _Part(NamedTuple):
    """An instrument. staves: for each of its staves, whether its notes are those of another, as a linked tab's are."""

    name: str
    program: int
    is_drums: bool
    staves: tuple[bool, ...]


@dataclass
class _Frame:
    """The properties of a measure that the staves share, as the first staff has them."""

    metre: tuple[int, int]
    length: Fraction
    section: str = ""
    signs: Signs = field(default_factory=Signs)


Voices = tuple[tuple[Beat, ...], ...]


@dataclass
class _Score:
    """What has been read so far. staves: the voices of each measure of each staff."""

    parts: list[_Part] = field(default_factory=list)
    frames: list[_Frame] = field(default_factory=list)
    staves: list[list[Voices]] = field(default_factory=list)
    tempos: list[TempoMark] = field(default_factory=list)
    feel: Feel | None = None
    voltas: list[Volta] = field(default_factory=list)
    swings: dict[int, Feel | None] = field(default_factory=dict)  # of all staves, by the measure from which on
    notes: int = 0
    beats: int = 0

    def count(self, notes: int) -> None:
        """Count a beat and its notes."""
        self.beats += 1
        self.notes += notes
        if self.notes > TAB_LIMITS.notes or self.beats > TAB_LIMITS.beats:
            raise NotationError(
                f"the score has more than {TAB_LIMITS.notes:,} notes or {TAB_LIMITS.beats:,} chords and rests;"
                " wanted at most that"
            )


def _scanned(text: bytes, feel: Feel | None = None) -> _Score:
    """The score in an XML text. feel: the swing of the style beside it.

    Raises:
        NotationError: not a score of MuseScore 2 to 4, damaged, or too large.
    """
    score = _Score(feel=feel)
    reader: _StaffReader | None = None
    for begins, path in elements(text, "score", _WAY_OUT, depth=4):
        element, depth = path[-1], len(path)
        if begins:
            if depth == 1:
                _check_root(element)
            elif depth == 3 and element.tag == "Staff" and path[1].tag == "Score":
                reader = _StaffReader(score)
        elif depth == 4 and reader is not None and path[2].tag == "Staff":
            if element.tag == "Measure" and element.find("multiMeasureRest") is None:
                reader.read(element)
            elif element.tag.endswith("Box") and element.findtext("LayoutBreak/subtype") == "section":
                for frame in score.frames[-1:]:
                    frame.signs.ends_section = True
            path[2].clear()
        elif depth == 3 and path[1].tag == "Score":
            _take(score, element)
            path[1].clear()
    return score


def _check_root(root: ET.Element) -> None:
    version = root.get("version", "")
    if root.tag != "museScore":
        raise NotationError(f"the file is XML, but its root is <{root.tag[:40]}>; wanted a score of MuseScore (.mscx)")
    if not re.match(r"[234]\.\d", version):
        raise NotationError(
            f"the score has the format {version[:20] or 'of an unknown version'}, and those of MuseScore 2 to 4 are"
            f" read; {_WAY_OUT}"
        )


def _take(score: _Score, item: ET.Element) -> None:
    """Store a part, or the swing of the whole score."""
    if item.tag == "Part":
        if len(score.parts) == TAB_LIMITS.tracks:
            raise NotationError(f"the score has more than {TAB_LIMITS.tracks} instruments; wanted at most that")
        score.parts.append(_part(item))
    elif item.tag == "Style" and (unit := _SWUNG.get(item.findtext("swingUnit") or "")):
        score.feel = _feel(unit, item.findtext("swingRatio") or "60")


def _part(item: ET.Element) -> _Part:
    instrument = item.find("Instrument")
    instrument = ET.Element("Instrument") if instrument is None else instrument
    names = (item.findtext("trackName"), instrument.findtext("longName"), instrument.findtext("trackName"))
    channel = instrument.find("Channel/program")
    program = whole(None if channel is None else channel.get("value"), 0)
    return _Part(
        next((found for name in names if (found := _line(name or ""))), ""),
        program if 0 <= program <= 127 else 0,
        whole(instrument.findtext("useDrumset"), 0) == 1,
        tuple(staff.find("linkedTo") is not None for staff in item.findall("Staff")[: TAB_LIMITS.staves]),
    )


def _feel(unit: Fraction, ratio: str) -> Feel | None:
    share = Fraction(whole(ratio, 60), 100)
    return Feel(unit, share) if Fraction(1, 2) < share < 1 else None


# --- texts ------------------------------------------------------------------------------------------------------------


def _line(text: str) -> str:
    """A name in one line."""
    return " ".join(text[:_LONGEST_NAME].split())


def _all_text(item: ET.Element | None) -> str:
    """The text of an element and of those in it, which set its letters."""
    return "" if item is None else _line("".join(item.itertext()))


def _fraction(text: str | None) -> Fraction:
    """A text such as 3/8 as quarters.

    Raises:
        NotationError: it is none.
    """
    found = re.fullmatch(r"(-?\d{1,5})/(\d{1,5})", (text or "").strip())
    if found is None or not 0 < int(found[2]) <= _MOST_NUMBER:
        raise NotationError(f"the score has a length of {(text or '')[:20]!r}, wanted one such as 3/8; {_WAY_OUT}")
    return Fraction(4 * int(found[1]), int(found[2]))


# --- a staff ----------------------------------------------------------------------------------------------------------


class _Ottava(NamedTuple):
    """A line above or below the notes that shifts them: from a place to another, each (measure, quarters in it)."""

    first: tuple[int, Fraction]
    last: tuple[int, Fraction]
    shift: int


_FOR_EVER = (1 << 30, Fraction(0))


class _Chord(NamedTuple):
    """A chord or a rest in its measure, in quarters; graces: the notes before it, and whether they are short ones."""

    at: Fraction
    end: Fraction
    duration: Fraction
    notes: tuple[TabNote, ...]
    graces: tuple[tuple[bool, tuple[TabNote, ...]], ...] = ()


class _Voice:
    """The chords of a voice in a measure. number: from 0."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.chords: list[_Chord] = []
        self.graces: list[tuple[bool, tuple[TabNote, ...]]] = []  # those that wait for their chord

    def add(self, at: Fraction, duration: Fraction, notes: tuple[TabNote, ...]) -> Fraction:
        """Add a chord or a rest, and return its end."""
        self.chords.append(_Chord(at, at + duration, duration, notes, tuple(self.graces)))
        self.graces = []
        return self.chords[-1].end

    def beats(self, feel: Feel | None, pickup: Fraction) -> tuple[Beat, ...]:
        """Its beats, one after the other, with rests between them. pickup: what the measure lacks at its start."""
        out, filled = list[Beat](), Fraction(0)
        lengths = [chord.duration for chord in self.chords]
        for number, chord in enumerate(self.chords):
            if feel is None and not chord.graces and chord.at == filled:  # as most are
                out.append(Beat(chord.duration, chord.notes))
                filled = chord.end
                continue
            before, behind = lengths[max(number - 1, 0)], lengths[min(number + 1, len(lengths) - 1)]
            first = _swung(chord.at, pickup, feel, min(before, chord.duration))
            last = _swung(chord.end, pickup, feel, min(chord.duration, behind))
            if first > filled:
                out.append(Beat(first - filled))
            filled = max(first, filled)
            graces, shares = _shared(chord.graces, max(last - filled, Fraction(0)))
            out += [Beat(share, notes) for (_, notes), share in zip(graces, shares, strict=True)]
            filled += sum(shares)
            out.append(Beat(max(last - filled, Fraction(0)), chord.notes))
            filled = max(filled, last)
        return tuple(out)


def _swung(place: Fraction, pickup: Fraction, feel: Feel | None, shortest: Fraction) -> Fraction:
    """A place in a measure as it is played: an off-beat comes later, unless one of its two notes is a shorter one."""
    if feel is None or shortest < feel.unit or (place + pickup) % (2 * feel.unit) != feel.unit:
        return place
    return place + (2 * feel.share - 1) * feel.unit


def _shared(
    graces: tuple[tuple[bool, tuple[TabNote, ...]], ...], length: Fraction
) -> tuple[tuple[tuple[bool, tuple[TabNote, ...]], ...], list[Fraction]]:
    """The graces of a chord that sounds so long, and the length of each: one long grace takes half of the chord."""
    if len(graces) == 1 and not graces[0][0]:
        return graces, [length / 2]
    return graces, [min(_SHORT, length / 2 / len(graces)) for _ in graces]


@cache
def _dotted(kind: str, dots: int) -> Fraction:
    """A length with dots, in quarters."""
    return _VALUES[kind] * (2 - Fraction(1, 2**dots))


def _tremolo(chord: ET.Element) -> Fraction:
    """The time between the strokes of a chord."""
    name = chord.findtext("Tremolo/subtype") or chord.findtext("TremoloSingleChord/subtype") or ""
    return _TREMOLOS.get(name, _NO_TIME)


class _StaffReader:
    """Reads the measures of a staff, one after the other, into the score."""

    def __init__(self, score: _Score) -> None:
        self._score = score
        self._is_first = not score.staves
        self._bars: list[Voices] = []
        score.staves.append(self._bars)
        if len(score.staves) > TAB_LIMITS.staves:
            raise NotationError(f"the score has more than {TAB_LIMITS.staves} staves; wanted at most that")
        self._metre = (4, 4)
        self._loudness = _LOUDNESS
        self._feel = score.feel
        self._ottavas: dict[str, _Ottava] = {}  # those that may lie over the notes to come; MuseScore 2 numbers them
        self._voltas: dict[str, int] = {}
        self._ties: set[str] = set()
        self._tuplets: dict[str, Fraction] = {}
        self._begun = Fraction(0)  # the start of the measure, as written
        self._ends: dict[tuple[int, int], tuple[Fraction, Fraction]] = {}
        # Of the last note of each voice and pitch, as written: the start of its measure, and its end in it.
        self._voices: dict[int, _Voice] = {}
        self._frame = _Frame(self._metre, Fraction(4))
        self._at = Fraction(0)
        self._like = 0  # distance back to the measure that is played in this one's place

    def read(self, item: ET.Element) -> None:
        """Read a measure."""
        number = len(self._bars)
        if number >= TAB_LIMITS.measures or (number + 1) * len(self._score.staves) > TAB_LIMITS.bars:
            raise NotationError(
                f"the score has more than {TAB_LIMITS.measures:,} measures or {TAB_LIMITS.bars:,} in all staves;"
                " wanted at most that"
            )
        # 1. Its length: that of the metre, which may be given in it, unless it has its own.
        sign = next((each for each in item.iter("TimeSig") if each.findtext("sigN")), None)
        if sign is not None:
            self._metre = whole(sign.findtext("sigN"), 0), whole(sign.findtext("sigD"), 0)
            if not (0 < self._metre[0] <= _MOST_NUMBER and 0 < self._metre[1] <= _MOST_NUMBER):
                raise NotationError(f"measure {number + 1} is in {self._metre[0]}/{self._metre[1]}; no bar is so long")
        length = Fraction(4 * self._metre[0], self._metre[1])
        if item.get("len"):
            length = _fraction(item.get("len"))
        if length <= 0:
            raise NotationError(f"measure {number + 1} has no length; {_WAY_OUT}")
        self._frame = _Frame(self._metre, length)
        begun = (number, Fraction(0))
        self._ottavas = {name: line for name, line in self._ottavas.items() if line.last > begun}
        self._feel = self._score.swings.get(number, self._feel)
        begins = number == 0 or (
            number <= len(self._score.frames) and self._score.frames[number - 1].signs.ends_section
        )
        pickup = max(Fraction(4 * self._metre[0], self._metre[1]) - length, Fraction(0)) if begins else Fraction(0)
        # 2. What is in it: in voices since MuseScore 3, else one after the other, with tracks.
        self._voices, self._like = {}, 0
        voices = item.findall("voice")
        for index, voice in enumerate(voices[:4]):
            self._walk(voice, index)
        self._walk(item, None if not voices else 0)
        # 3. Its place among the others.
        bar: Voices = tuple(
            self._voices[index].beats(self._feel, pickup) if index in self._voices else () for index in range(4)
        )
        if 0 < self._like <= number:
            bar = self._bars[number - self._like]
            for voice_beats in bar:
                for beat in voice_beats:
                    self._score.count(len(beat.notes))
        self._bars.append(bar)
        if self._is_first:
            self._score.frames.append(self._frame)
        self._begun += length

    def _walk(self, items: ET.Element, voice: int | None) -> None:
        """Read what stands in a voice, or in a measure. voice: None if each element says its own."""
        ratios = [Fraction(1)]
        self._at = Fraction(0)
        for item in items:
            match item.tag:
                case "Chord" | "Rest":
                    own = whole(item.findtext("track"), 0) % 4 if voice is None else voice
                    ratio = ratios[-1] if voice is not None else self._tuplets.get(item.findtext("Tuplet") or "", 1)
                    self._strike(item, self._voice(own), Fraction(ratio))
                case "Tuplet":
                    normal, actual = whole(item.findtext("normalNotes"), 0), whole(item.findtext("actualNotes"), 0)
                    if not (0 < normal <= _MOST_NUMBER and 0 < actual <= _MOST_NUMBER):
                        raise NotationError(f"the score has a tuplet of {actual} in {normal}; {_WAY_OUT}")
                    outer = ratios[-1] if voice is not None else self._tuplets.get(item.findtext("Tuplet") or "", 1)
                    ratio = Fraction(outer) * Fraction(normal, actual)
                    if max(ratio.numerator, ratio.denominator) > _MOST_NUMBER:
                        raise NotationError(f"the score has a tuplet of {ratio}, which is no rhythm; {_WAY_OUT}")
                    ratios.append(ratio)
                    self._tuplets[item.get("id", "")] = ratio
                case "endTuplet":
                    del ratios[max(len(ratios) - 1, 1) :]
                case "location":
                    self._at += self._moved(item)
                case "tick":
                    self._at = Fraction(whole(item.text, 0), _TICKS) - self._begun
                case "RepeatMeasure" | "MeasureRepeat":
                    self._like = max(whole(item.findtext("subtype"), 1), 1)
                    self._at += self._frame.length
                case _:
                    self._mark(item)

    def _voice(self, number: int) -> _Voice:
        return self._voices.setdefault(number, _Voice(number))

    def _moved(self, location: ET.Element) -> Fraction:
        text = location.findtext("fractions")
        return _fraction(text) if text else Fraction(0)

    # --- notes --------------------------------------------------------------------------------------------------------

    def _strike(self, item: ET.Element, voice: _Voice, ratio: Fraction) -> None:
        """Add a chord or a rest to a voice; a grace waits for the chord behind it."""
        kinds = {each.tag for each in item}
        if kinds & {"Spanner", "Slur", "endSpanner"}:
            for each in item:
                if each.tag != "Note":
                    self._mark(each)
        if not kinds.isdisjoint(_LATE_GRACES):
            return
        is_grace = not kinds.isdisjoint(_GRACES)
        duration = Fraction(0)
        if not is_grace:
            duration = self._duration(item) if ratio == 1 else self._duration(item) * ratio
        tremolo = _tremolo(item) if kinds & {"Tremolo", "TremoloSingleChord"} else _NO_TIME
        shift = self._shift() if self._ottavas else 0
        sounding = (self._note(each, shift, tremolo) for each in item.findall("Note") if each.findtext("play") != "0")
        notes = tuple(note for note in sounding if not (note.is_tied and self._goes_on_elsewhere(note, voice)))
        if is_grace:
            if notes:
                voice.graces.append(("acciaccatura" in kinds, notes))
                self._score.count(len(notes))
            return
        self._at = voice.add(self._at, duration, notes)
        self._score.count(len(notes))
        for note in notes:
            self._ends[voice.number, note.pitch] = self._begun, self._at

    def _shift(self) -> int:
        """The semitones by which octave lines shift the notes that are here."""
        here = (len(self._bars), self._at)
        return sum(ottava.shift for ottava in self._ottavas.values() if ottava.first <= here < ottava.last)

    def _goes_on_elsewhere(self, note: TabNote, voice: _Voice) -> bool:
        """Return whether a tied note continues one of another voice; it is left out, and that one ends here."""
        now = self._begun + self._at
        there = [number for number in range(4) if sum(self._ends.get((number, note.pitch), (-1,))) == now]
        return bool(there) and voice.number not in there

    def _duration(self, item: ET.Element) -> Fraction:
        """The written length of a chord or rest, in quarters, without its tuplet."""
        kind = item.findtext("durationType") or ""
        if kind == "measure":
            own = item.find("duration")
            if own is None:
                return self._frame.length
            return _fraction(own.text if own.get("z") is None else f"{own.get('z')}/{own.get('n')}")
        if kind not in _VALUES:
            raise NotationError(f"the score has a note of the length {kind[:20]!r}; {_WAY_OUT}")
        dots = whole(item.findtext("dots"), 0)
        return _dotted(kind, max(0, min(dots, 4))) if dots else _VALUES[kind]

    def _note(self, item: ET.Element, shift: int, tremolo: Fraction) -> TabNote:
        velocity, own, pitch, tied = self._loudness, 0, -1, False
        for each in item:
            match each.tag:
                case "pitch":
                    pitch = whole(each.text, -1)
                case "velocity":
                    own = whole(each.text, 0)
                case "Spanner":
                    tied |= each.get("type") == "Tie" and each.find("prev") is not None
                case "Tie":  # MuseScore 2
                    self._ties.add(each.get("id", ""))
                case "endSpanner":
                    tied |= each.get("id", "") in self._ties
                case _:
                    pass
        if own:
            velocity = own if item.findtext("veloType") == "user" else velocity + velocity * own // 100
        pitch += shift
        return TabNote(pitch, pitch, max(1, min(127, velocity)), tied, tremolo=tremolo)

    # --- signs --------------------------------------------------------------------------------------------------------

    def _mark(self, item: ET.Element) -> None:
        """Note a sign: of loudness, tempo, form or swing."""
        here = (len(self._bars), self._at)
        match item.tag:
            case "Dynamic":
                usual = _DYNAMICS.get(item.findtext("subtype") or "", self._loudness)
                self._loudness = max(1, min(127, whole(item.findtext("velocity"), usual)))
            case "Tempo":
                self._tempo(item)
            case "StaffText" | "SystemText" if (swing := item.find("swing")) is not None:
                unit = _SWUNG.get(swing.get("unit", "")) or Fraction(whole(swing.get("unit"), 0), _TICKS)
                self._feel = _feel(unit, swing.get("ratio", "")) if unit in _SWUNG.values() else None
                if item.tag == "SystemText":
                    self._score.swings[here[0]] = self._feel
            case "RehearsalMark" if self._is_first:
                self._frame.section = _all_text(item.find("text"))
            case "startRepeat":
                self._frame.signs.opens = True
            case "endRepeat":
                self._frame.signs.count = max(2, min(whole(item.text, 2), _MOST_PASSES))
            case "LayoutBreak" if item.findtext("subtype") == "section":
                self._frame.signs.ends_section = True
            case "Marker":
                self._frame.signs.labels |= {_line(item.findtext("label") or "")}
            case "Jump":
                to, until, go_on = (_line(item.findtext(tag) or "") for tag in ("jumpTo", "playUntil", "continueAt"))
                self._frame.signs.jump = Jump(to, until, go_on, whole(item.findtext("playRepeats"), 0) == 1)
            case "Spanner":
                self._span(item, here)
            case "Volta" if self._is_first:
                self._voltas[item.get("id", "")] = len(self._score.voltas)
                self._volta(Volta(here[0], here[0] + 1, _endings(item), _is_open(item)))
            case "Ottava":
                self._ottava(item.get("id", ""), _Ottava(here, _FOR_EVER, _shift(item)))
            case "endSpanner" if (at := self._voltas.pop(item.get("id", ""), None)) is not None:
                behind, volta = here[0] if not here[1] else here[0] + 1, self._score.voltas[at]
                self._score.voltas[at] = volta._replace(behind=max(behind, volta.first + 1))
            case "endSpanner" if (line := self._ottavas.get(item.get("id", ""))) is not None:
                self._ottavas[item.get("id", "")] = line._replace(last=here)
            case _:
                pass

    def _tempo(self, item: ET.Element) -> None:
        try:
            bpm = round(60 * float(item.findtext("tempo") or "nan"), 3)
        except ValueError:
            return
        if 0 <= self._at < self._frame.length and bpm == bpm:
            self._score.tempos.append(TempoMark(len(self._bars), self._at, bpm))
        if len(self._score.tempos) > TAB_LIMITS.tempos:
            raise NotationError(f"the score has more than {TAB_LIMITS.tempos:,} tempos; wanted at most that")

    def _span(self, item: ET.Element, here: tuple[int, Fraction]) -> None:
        """Note a line of MuseScore 3 or 4 where it begins; it says where it ends."""
        volta, ottava = item.find("Volta"), item.find("Ottava")
        if volta is not None and self._is_first:
            measures = whole(item.findtext("next/location/measures"), 0)
            measures += _fraction(item.findtext("next/location/fractions") or "0/1") > 0
            self._volta(Volta(here[0], here[0] + max(measures, 1), _endings(volta), _is_open(volta)))
        if ottava is not None and (location := item.find("next/location")) is not None:
            measures = whole(location.findtext("measures"), 0)
            last = (here[0] + measures, here[1] + self._moved(location))
            self._ottava(f"{here} {len(self._ottavas)}", _Ottava(here, last, _shift(ottava)))

    def _ottava(self, name: str, line: _Ottava) -> None:
        self._ottavas[name] = line
        if len(self._ottavas) > _MOST_OTTAVAS:
            raise NotationError(f"the score has more than {_MOST_OTTAVAS} ottava lines over one another; wanted fewer")

    def _volta(self, volta: Volta) -> None:
        self._score.voltas.append(volta)
        if len(self._score.voltas) > _MOST_VOLTAS:
            raise NotationError(f"the score has more than {_MOST_VOLTAS:,} endings; wanted fewer")


def _endings(volta: ET.Element) -> frozenset[int]:
    """The passes on which an ending is played."""
    numbers = re.findall(r"\d{1,3}", (volta.findtext("endings") or "")[:_LONGEST_NAME])
    return frozenset(number for text in numbers if 0 < (number := int(text)) <= _MOST_PASSES)


def _is_open(volta: ET.Element) -> bool:
    """Return whether the line of an ending has no hook at its end."""
    return whole(volta.findtext("endHookType") or volta.findtext("endHook"), 0) == 0


def _shift(ottava: ET.Element) -> int:
    return _OTTAVAS.get((ottava.findtext("subtype") or "").strip(), 0)


# --- the tab ----------------------------------------------------------------------------------------------------------


def _tab(score: _Score) -> Tab:
    """The score as a tab: a track for each part, with the voices of its staves."""
    measures = tuple(Measure(*frame.metre, frame.length, section=frame.section) for frame in score.frames)
    tracks, left = [], iter(score.staves)
    for part in score.parts:
        staves = [(is_linked, bars) for is_linked, bars in zip(part.staves or (False,), left, strict=False)]
        tracks.append(Track(part.name, part.program, part.is_drums, _joined(staves, len(measures))))
    tempos = score.tempos if any(not mark.measure and not mark.place for mark in score.tempos) else []
    first = () if tempos else (TempoMark(0, Fraction(0), 120.0),)
    return Tab(measures, tuple(tracks), (*first, *score.tempos), "score")


def _joined(staves: Sequence[tuple[bool, list[Voices]]], measures: int) -> tuple[Voices, ...]:
    """The voices of several staves side by side; a staff with the notes of one before it is left out."""
    own: list[list[Voices]] = []
    for is_linked, bars in staves:
        if not (is_linked and own) and bars not in own:
            own.append(bars)
    return tuple(
        tuple(voice for bars in own for voice in (bars[index] if index < len(bars) else ((),) * 4))
        for index in range(measures)
    )
