"""Guitar Pro 6 to 8 -> Song: the XML tables of a `score.gpif`, which refer to one another by number.

A reader of our own. The text is read as a stream by defusedxml, which is imported when a tab is read, and only here.
Names of elements are those that Guitar Pro writes; what is unknown is passed over.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError

from seq2drum.errors import MissingExtraError, NotationError
from seq2drum.formats.containers import gpif_text
from seq2drum.formats.performed import song_of
from seq2drum.formats.tab import (
    DYNAMICS,
    Beat,
    Feel,
    Measure,
    Tab,
    TabNote,
    TempoMark,
    Touch,
    Track,
    general_midi,
    velocity_of,
)
from seq2drum.music.limits import TAB_LIMITS
from seq2drum.music.notes import Song

_MOST_IN_ITEM = 100_000  # XML elements of one track, bar, beat or note
_VALUES = {
    "Long": Fraction(16), "DoubleWhole": Fraction(8), "Whole": Fraction(4), "Half": Fraction(2), "Quarter": Fraction(1),
    "Eighth": Fraction(1, 2), "16th": Fraction(1, 4), "32nd": Fraction(1, 8), "64th": Fraction(1, 16),
    "128th": Fraction(1, 32), "256th": Fraction(1, 64),
}  # fmt: skip
_FEELS = {
    "Triplet8th": Feel(Fraction(1, 2), Fraction(2, 3)),
    "Triplet16th": Feel(Fraction(1, 4), Fraction(2, 3)),
    "Dotted8th": Feel(Fraction(1, 2), Fraction(3, 4)),
    "Dotted16th": Feel(Fraction(1, 4), Fraction(3, 4)),
    "Scottish8th": Feel(Fraction(1, 2), Fraction(1, 4)),
    "Scottish16th": Feel(Fraction(1, 4), Fraction(1, 4)),
}
_TEMPO_UNITS = {1: 0.5, 2: 1.0, 3: 1.5, 4: 2.0, 5: 3.0}  # quarters of what a tempo counts
_FORTE = DYNAMICS.index("F")
_GP6_KIT = (
    (35, 35, 35), (38, 91, 37), (99, 100, 99), (56, 100, 56), (102, 103, 102), (43, 43, 43), (45, 45, 45), (47, 47, 47),
    (48, 48, 48), (50, 50, 50), (42, 92, 46), (44, 44, 44), (57, 98, 57), (49, 97, 49), (55, 95, 55), (51, 93, 127),
    (52, 96, 52),
)  # fmt: skip
"""The articulations of Guitar Pro 6, by the number of the element and of its variation."""


def read_gpif(data: bytes) -> Song:
    """Read the bytes of a file of Guitar Pro 6, 7 or 8 (.gpx, .gp), as `performed.song_of` plays it.

    Grace notes, bends, slides and harmonics are not heard: a note has the pitch of its fret.

    Raises:
        NotationError: it is no such file, is damaged, or lies beyond TAB_LIMITS.
        MissingExtraError: defusedxml is not installed.
    """
    tables = _tables(gpif_text(data))
    try:
        tab = _tab(tables)
    except (ArithmeticError, LookupError, ValueError) as error:
        raise NotationError(f"the tab contradicts itself ({type(error).__name__}: {error}); save it again") from error
    return song_of(tab)


# --- the XML ----------------------------------------------------------------------------------------------------------


class _Bar(NamedTuple):
    voices: list[str]
    like: int  # how many bars before there is the one that is played in its place; 0: itself


class _Beat(NamedTuple):
    rhythm: str
    notes: list[str]
    dynamic: int
    is_grace: bool
    tremolo: Fraction


class _Note(NamedTuple):
    """What is said of a note; a number that is not said is -1.

    string: from 0, the lowest. tone: in semitones from C. element and variation are Guitar Pro 6's articulation.
    """

    string: int
    fret: int
    octave: int
    tone: int
    element: int
    variation: int
    articulation: int
    touch: Touch
    is_tied: bool
    rings: bool


class _Instrument(NamedTuple):
    name: str
    program: int
    is_drums: bool
    tunings: list[list[int]]  # of each staff, its strings from the lowest, at the capo
    kit: list[int]  # the General MIDI note of each articulation


@dataclass
class _Tables:
    """What a file has, by its numbers."""

    order: list[str] = field(default_factory=list)  # of the tracks
    has_pickup: bool = False
    tempos: list[Element] = field(default_factory=list)
    tracks: dict[str, _Instrument] = field(default_factory=dict)
    measures: list[tuple[Measure, list[str]]] = field(default_factory=list)
    bars: dict[str, _Bar] = field(default_factory=dict)
    voices: dict[str, list[str]] = field(default_factory=dict)
    beats: dict[str, _Beat] = field(default_factory=dict)
    notes: dict[str, _Note] = field(default_factory=dict)
    rhythms: dict[str, Fraction] = field(default_factory=dict)

    def take(self, section: str, item: Element) -> None:
        """Keep an item of a section."""
        key = item.get("id", "")
        if section == "Tracks":
            self.tracks[key] = _instrument(item)
        elif section == "MasterBars":
            self.measures.append((_measure(item), _texts(item, "Bars")))
        elif section == "Bars":
            like = {"Simple": 1, "FirstOfDouble": 2, "SecondOfDouble": 2}.get(_text(item, "SimileMark"), 0)
            self.bars[key] = _Bar(_texts(item, "Voices"), like)
        elif section == "Voices":
            self.voices[key] = _texts(item, "Beats")
        elif section == "Beats":
            self.beats[key] = _beat(item)
        elif section == "Notes":
            self.notes[key] = _note(item)
        elif section == "Rhythms":
            self.rhythms[key] = _rhythm(item)
        elif section == "MasterTrack":
            self._take_master(item)

    def _take_master(self, item: Element) -> None:
        if item.tag == "Tracks":
            self.order = (item.text or "").split()
        elif item.tag == "Anacrusis":
            self.has_pickup = True
        elif item.tag == "Automations":
            self.tempos = [each for each in item.iter("Automation") if _text(each, "Type") == "Tempo"]


def _tables(text: bytes) -> _Tables:
    try:
        from defusedxml.common import DefusedXmlException
        from defusedxml.ElementTree import iterparse
    except ImportError:
        raise MissingExtraError(
            "files of Guitar Pro 6 to 8 need defusedxml: pip install 'seq2drum[guitarpro]'"
        ) from None
    tables, path, count, inside = _Tables(), list[Element](), 0, 0
    try:
        for event, element in iterparse(io.BytesIO(text), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                path.append(element)
                count, inside = count + 1, inside + 1
                if len(path) == 1 and element.tag != "GPIF":
                    raise NotationError(f"the tab is XML, but its root is <{element.tag[:40]}>; wanted is <GPIF>")
                if len(path) > TAB_LIMITS.depth or count > TAB_LIMITS.elements or inside > _MOST_IN_ITEM:
                    raise NotationError(
                        f"the tab has more than {TAB_LIMITS.elements:,} XML elements, {_MOST_IN_ITEM:,} in one item or"
                        f" {TAB_LIMITS.depth} in one another; wanted is a tab of at most that"
                    )
                continue
            if len(path) == 3:
                tables.take(path[1].tag, element)
                path[1].clear()
                inside = 0
            path.pop()
    except DefusedXmlException as error:
        raise NotationError("the tab declares its own XML entities or types, which no tab needs") from error
    except (ParseError, ValueError, LookupError) as error:
        raise NotationError(f"the tab is damaged ({error}); save it again in Guitar Pro") from error
    return tables


def _text(item: Element, tag: str) -> str:
    return (item.findtext(tag) or "").strip()


def _texts(item: Element, tag: str) -> list[str]:
    return _text(item, tag).split()


def _whole(text: str | None, default: int) -> int:
    """The whole number that a text begins with."""
    try:
        return int((text or "").split()[0])
    except (IndexError, ValueError):
        return default


def _number(text: str | None, default: float) -> float:
    """The number that a text begins with, a finite one."""
    try:
        value = float((text or "").split()[0])
    except (IndexError, ValueError):
        return default
    return value if math.isfinite(value) else default


def _properties(item: Element | None) -> dict[str, Element]:
    return {each.get("name", ""): each for each in item.iter("Property")} if item is not None else {}


# --- items ------------------------------------------------------------------------------------------------------------


def _instrument(item: Element) -> _Instrument:
    # 1. What plays it: the first of its sounds, else what it says of General MIDI.
    general = next((each for tag in ("GeneralMidi", "MidiConnection") for each in item.iter(tag)), None)
    programs = [each.findtext("MIDI/Program") for each in item.iter("Sound")]
    if general is not None:
        programs.append(general.findtext("Program"))
    program = _whole(next(iter(programs), None), 0)
    is_drums = any(_text(each, "Type") == "drumKit" for each in item.iter("InstrumentSet"))
    if general is not None:
        is_drums |= general.get("table") == "Percussion" or _text(general, "PrimaryChannel") == "9"
    # 2. Strings and capo of each staff; Guitar Pro 6 has one staff, in the track itself.
    staves = [_properties(staff) for staff in item.iter("Staff")] or [_properties(item.find("Properties"))]
    tunings = []
    for staff in staves:
        capo = _whole(staff["CapoFret"].findtext("Fret"), 0) if "CapoFret" in staff else 0
        pitches = _texts(staff["Tuning"], "Pitches") if "Tuning" in staff else []
        tunings.append([_whole(pitch, 0) + capo for pitch in pitches])
    # 3. The kit: what each articulation sounds as, in the order of the file.
    kit = [_whole(each.findtext("OutputMidiNumber"), -1) for each in item.iterfind("InstrumentSet//Articulation")]
    name = " ".join(_text(item, "Name").split())
    return _Instrument(name, program if 0 <= program <= 127 else 0, is_drums, tunings, kit)


def _measure(item: Element) -> Measure:
    numerator, _, denominator = (_text(item, "Time") or "4/4").partition("/")
    metre = _whole(numerator, 0), _whole(denominator, 0)
    if min(metre) < 1:
        raise NotationError(f"a measure is in {_text(item, 'Time')[:20]!r}, and no bar has that length")
    repeat, section = item.find("Repeat"), item.find("Section")
    opens, count = False, 0
    if repeat is not None:
        opens = repeat.get("start", "").lower() == "true"
        count = _whole(repeat.get("count"), 2) if repeat.get("end", "").lower() == "true" else 0
    named = "" if section is None else f"{_text(section, 'Letter')} {_text(section, 'Text')}"
    return Measure(
        *metre,
        Fraction(4 * metre[0], metre[1]),
        opens=opens,
        repeats=max(count - 1, 0),
        endings=frozenset(number for text in _texts(item, "AlternateEndings") if 0 < (number := _whole(text, 0)) < 64),
        section=" ".join(named.split()),
        feel=_FEELS.get(_text(item, "TripletFeel")),
        sign=(item.findtext("Directions/Target") or "").strip().lower(),
        jump=(item.findtext("Directions/Jump") or "").strip().lower(),
    )


def _beat(item: Element) -> _Beat:
    rhythm, dynamic = item.find("Rhythm"), _text(item, "Dynamic")
    marks = {"1/2": Fraction(1, 2), "1/4": Fraction(1, 4), "1/8": Fraction(1, 8)}
    return _Beat(
        "" if rhythm is None else rhythm.get("ref", ""),
        _texts(item, "Notes"),
        DYNAMICS.index(dynamic) if dynamic in DYNAMICS else _FORTE,
        item.find("GraceNotes") is not None,
        marks.get(_text(item, "Tremolo"), Fraction(0)),
    )


def _note(item: Element) -> _Note:
    properties = _properties(item.find("Properties"))
    accent, tie = _whole(item.findtext("Accent"), 0), item.find("Tie")

    def number(name: str, tag: str) -> int:
        return _whole(properties[name].findtext(tag), -1) if name in properties else -1

    touch = Touch(
        is_dead="Muted" in properties,
        is_palm_muted="PalmMuted" in properties,
        is_ghost=_text(item, "AntiAccent").lower() == "normal",
        is_slurred="HopoDestination" in properties,
        accent=2 if accent & 4 else 1 if accent & 8 else 0,
    )
    return _Note(
        number("String", "String"),
        number("Fret", "Fret"),
        number("Octave", "Number"),
        number("Tone", "Step"),
        number("Element", "Element"),
        number("Variation", "Variation"),
        _whole(item.findtext("InstrumentArticulation"), -1),
        touch,
        tie is not None and tie.get("destination", "").lower() == "true",
        item.find("LetRing") is not None and not (touch.is_dead or touch.is_palm_muted),
    )


def _rhythm(item: Element) -> Fraction:
    length = _VALUES.get(_text(item, "NoteValue"), Fraction(1))
    dot = item.find("AugmentationDot")
    dots = min(max(_whole(dot.get("count"), 1), 0), 4) if dot is not None else 0
    length *= 2 - Fraction(1, 2**dots)
    for tuplet in (item.find("PrimaryTuplet"), item.find("SecondaryTuplet")):
        if tuplet is not None:
            many, instead = _whole(tuplet.get("num"), 0), _whole(tuplet.get("den"), 0)
            if not (1 <= many <= 64 and 1 <= instead <= 64):
                raise NotationError(f"a tuplet has {many} notes in the time of {instead}; wanted are 1 to 64")
            length *= Fraction(instead, many)
    return length


# --- the tables as a tab ----------------------------------------------------------------------------------------------


def _tab(tables: _Tables) -> Tab:
    measures = [measure for measure, _ in tables.measures]
    for count, most, what in (
        (len(measures), TAB_LIMITS.measures, "measures"),
        (len(tables.order), TAB_LIMITS.tracks, "tracks"),
    ):
        if count > most:
            raise NotationError(f"the tab has {count:,} {what}; at most {most:,} are read")
    instruments = [tables.tracks[key] for key in tables.order]
    counter = _Counter()
    tracks, staff = [], 0
    for instrument in instruments:
        staves = range(staff, staff + len(instrument.tunings))
        staff = staves.stop
        bars = [
            tuple(
                tuple(_voice(tables, voice, instrument, place - staves.start, counter))
                for place in staves
                for voice in _voices(tables, number, place)
            )
            for number in range(len(measures))
        ]
        tracks.append(Track(instrument.name, instrument.program, instrument.is_drums, tuple(bars)))
    if tables.has_pickup and measures:
        lengths = [sum((beat.duration for beat in voice), Fraction(0)) for track in tracks for voice in track.bars[0]]
        length = max(lengths, default=Fraction(0))
        if 0 < length < measures[0].length:
            measures[0] = replace(measures[0], length=length)
    return Tab(tuple(measures), tuple(tracks), tuple(_tempos(tables, measures)))


class _Counter:
    """Counts beats while a tab is built: tables may refer to a few of them again and again."""

    def __init__(self) -> None:
        self.beats = 0

    def add(self, count: int) -> None:
        self.beats += count
        if count > TAB_LIMITS.voice or self.beats > TAB_LIMITS.beats:
            raise NotationError(
                f"the tab has more than {TAB_LIMITS.beats:,} beats, or {TAB_LIMITS.voice} of a voice in a measure;"
                " wanted are fewer"
            )


def _voices(tables: _Tables, number: int, staff: int) -> list[str]:
    """The voices of a staff in a measure; of one that repeats what was before, that one's."""
    for _ in range(number + 1):
        keys = tables.measures[number][1]
        bar = tables.bars.get(keys[staff]) if staff < len(keys) else None
        if bar is None:
            return []
        if not bar.like or number < bar.like:
            return bar.voices
        number -= bar.like
    return []


def _voice(tables: _Tables, key: str, instrument: _Instrument, staff: int, counter: _Counter) -> Iterator[Beat]:
    keys = tables.voices.get(key, ())
    counter.add(len(keys))
    for each in keys:
        beat = tables.beats[each]
        if not beat.is_grace:
            notes = tuple(_tab_note(tables.notes[note], beat, instrument, staff) for note in beat.notes)
            yield Beat(tables.rhythms[beat.rhythm], notes)


def _tab_note(note: _Note, beat: _Beat, instrument: _Instrument, staff: int) -> TabNote:
    touch, string = note.touch, note.string
    if instrument.is_drums:
        pitch = string = _drum(note, instrument.kit)
        touch = touch._replace(is_slurred=False)
    elif note.fret >= 0 and 0 <= string < len(instrument.tunings[staff]):
        pitch = instrument.tunings[staff][string] + note.fret
    else:
        pitch = string = 12 * note.octave + max(note.tone, 0)
    if not 0 <= pitch <= 127:
        raise NotationError(f"a note of {instrument.name!r} is beyond MIDI's range (pitch {pitch})")
    velocity = velocity_of(beat.dynamic, louder=touch.louder)
    return TabNote(pitch, string, velocity, note.is_tied, note.rings, beat.tremolo)


def _drum(note: _Note, kit: list[int]) -> int:
    """The General MIDI note of a drum: by the articulation, of Guitar Pro 7 or of 6, else by the fret."""
    if note.articulation >= 0:
        listed = kit[note.articulation] if note.articulation < len(kit) else -1
        return listed if listed >= 0 else general_midi(note.articulation)
    if 0 <= note.element < len(_GP6_KIT):
        return general_midi(_GP6_KIT[note.element][min(max(note.variation, 0), 2)])
    return general_midi(max(note.fret, 0))


def _tempos(tables: _Tables, measures: list[Measure]) -> Iterator[TempoMark]:
    for item in tables.tempos:
        number, words = _whole(item.findtext("Bar"), 0), _texts(item, "Value")
        if not 0 <= number < len(measures) or not words:
            continue
        unit = _TEMPO_UNITS.get(_whole(words[1], 2) if len(words) > 1 else 2, 1.0)
        share = min(max(_number(item.findtext("Position"), 0.0), 0.0), 1.0)
        place = (Fraction(share) * measures[number].length).limit_denominator(48)
        is_gradual = _text(item, "Linear").lower() == "true"
        yield TempoMark(number, place, _number(words[0], 120.0) * unit, is_gradual)
