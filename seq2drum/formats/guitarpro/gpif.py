"""Guitar Pro 6 to 8 -> Song: the tables of a `score.gpif` as a tab, by a reader of our own."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError

from seq2drum.errors import MissingExtraError, NotationError
from seq2drum.formats import foreign
from seq2drum.formats.archives import gpif_text
from seq2drum.formats.guitarpro.performed import song_of
from seq2drum.formats.guitarpro.tab import (
    DYNAMICS,
    Articulation,
    Beat,
    Feel,
    Measure,
    Tab,
    TabNote,
    TempoMark,
    Track,
    general_midi,
    velocity_of,
)
from seq2drum.music.limits import TAB_LIMITS
from seq2drum.music.notes import Song

_MOST_IN_ITEM = 100_000  # XML elements of one track, bar, beat or note
_MOST_TEXT = 1 << 16  # letters of a list of numbers
_MOST_VOICES = 4  # of a bar, as Guitar Pro has them
_MOST = 10**9  # bound of the absolute value of a number
_LONGEST_NAME = 1000  # letters of a track or section; longer names are cut
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
_FORTE = DYNAMICS.index("F")


# --- the XML ----------------------------------------------------------------------------------------------------------


class WrittenBar(NamedTuple):
    """A staff's measure: its voices."""

    voices: list[str]
    like: int  # distance back to the bar played in its place; 0 for itself


class WrittenBeat(NamedTuple):
    """A beat; its dynamic is an index into DYNAMICS. is_on_beat: a grace that delays its main beat."""

    rhythm: str
    notes: list[str]
    dynamic: int
    is_grace: bool
    is_on_beat: bool
    tremolo: Fraction


class WrittenNote(NamedTuple):
    """A note as stated; -1 stands for a number that is missing.

    string: from 0, the lowest. midi: its pitch. tone: in semitones from C. element and variation are Guitar Pro 6's
    articulation; kit_index is Guitar Pro 7's, an index into the kit.
    """

    string: int
    fret: int
    midi: int
    octave: int
    tone: int
    element: int
    variation: int
    kit_index: int
    articulation: Articulation
    is_tied: bool
    rings: bool


class Instrument(NamedTuple):
    """A track without its music."""

    name: str
    program: int
    is_drums: bool
    tunings: list[list[int]]  # strings of each staff from the lowest, at the capo
    kit: list[int]  # the General MIDI note of each articulation


@dataclass
class Tables:
    """The tables of a file, by number."""

    order: list[str] = field(default_factory=list)  # of the tracks
    has_pickup: bool = False
    tempos: list[Element] = field(default_factory=list)
    tracks: dict[str, Instrument] = field(default_factory=dict)
    measures: list[tuple[Measure, list[str]]] = field(default_factory=list)
    bars: dict[str, WrittenBar] = field(default_factory=dict)
    voices: dict[str, list[str]] = field(default_factory=dict)
    beats: dict[str, WrittenBeat] = field(default_factory=dict)
    notes: dict[str, WrittenNote] = field(default_factory=dict)
    rhythms: dict[str, Fraction] = field(default_factory=dict)
    items: int = 0

    def take(self, section: str, item: Element) -> None:
        """Store an item of a section."""
        key = item.get("id", "")
        self.items += 1
        if self.items > TAB_LIMITS.items:
            raise too_many()
        if section == "Tracks":
            self.tracks[key] = _instrument(item)
        elif section == "MasterBars":
            self.measures.append((_measure(item), texts_of(item, "Bars")))
        elif section == "Bars":
            like = {"Simple": 1, "FirstOfDouble": 2, "SecondOfDouble": 2}.get(text_of(item, "SimileMark"), 0)
            self.bars[key] = WrittenBar(texts_of(item, "Voices")[:_MOST_VOICES], like)
        elif section == "Voices":
            self.voices[key] = texts_of(item, "Beats")
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
            self.order = _split(item.text)
        elif item.tag == "Anacrusis":
            self.has_pickup = True
        elif item.tag == "Automations":
            self.tempos = [each for each in item.iter("Automation") if text_of(each, "Type") == "Tempo"]


def tables_of(text: bytes) -> Tables:
    """The tables of a tab, from its XML text.

    Raises:
        NotationError: not a tab, damaged, or beyond TAB_LIMITS.
        MissingExtraError: defusedxml is not installed.
    """
    try:
        from defusedxml.common import DefusedXmlException
        from defusedxml.ElementTree import iterparse
    except ImportError:
        raise MissingExtraError(f"files of Guitar Pro 6 to 8 need defusedxml: {foreign.GET_GUITARPRO}") from None
    tables, path, count, inside = Tables(), list[Element](), 0, 0
    try:
        for event, element in iterparse(io.BytesIO(text), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                path.append(element)
                count, inside = count + 1, inside + 1
                if len(path) == 1 and element.tag != "GPIF":
                    raise NotationError(f"the tab is XML, but its root is <{element.tag[:40]}>; wanted <GPIF>")
                if len(path) > TAB_LIMITS.depth or count > TAB_LIMITS.elements or inside > _MOST_IN_ITEM:
                    raise NotationError(
                        f"the tab has more than {TAB_LIMITS.elements:,} XML elements, {_MOST_IN_ITEM:,} in one item or"
                        f" {TAB_LIMITS.depth} in one another; wanted a tab of at most that"
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
        raise NotationError(f"the tab is damaged ({str(error)[:80]}); save it again in Guitar Pro") from error
    return tables


def text_of(item: Element, tag: str) -> str:
    """The text of an element of an item, "" if it has none."""
    return (item.findtext(tag) or "").strip()


def texts_of(item: Element, tag: str) -> list[str]:
    """The words of the text of such an element."""
    return _split(item.findtext(tag))


def _split(text: str | None) -> list[str]:
    if text and len(text) > _MOST_TEXT:
        raise too_many()
    return (text or "").split()


def _name(text: str) -> str:
    """A name in one line."""
    return " ".join(text[:_LONGEST_NAME].split())


def too_many() -> NotationError:
    """The error of a tab with more than the limits allow."""
    return NotationError(
        f"the tab has more than {TAB_LIMITS.items:,} items, {TAB_LIMITS.notes:,} notes or {_MOST_TEXT:,} letters in a"
        " list of them; wanted a tab of at most that"
    )


def whole(text: str | None, default: int) -> int:
    """The leading whole number of a text, clamped to ±_MOST."""
    try:
        return max(-_MOST, min(_MOST, int((text or "").split(maxsplit=1)[0])))
    except (IndexError, ValueError):
        return default


def number_of(text: str | None, default: float) -> float:
    """The leading number of a text, always finite."""
    try:
        value = float((text or "").split(maxsplit=1)[0])
    except (IndexError, ValueError):
        return default
    return value if math.isfinite(value) else default


def _properties(item: Element | None) -> dict[str, Element]:
    return {each.get("name", ""): each for each in item.iter("Property")} if item is not None else {}


# --- items ------------------------------------------------------------------------------------------------------------


def _instrument(item: Element) -> Instrument:
    # 1. The program: that of its first sound, else its General MIDI entry.
    general = next((each for tag in ("GeneralMidi", "MidiConnection") for each in item.iter(tag)), None)
    programs = [each.findtext("MIDI/Program") for each in item.iter("Sound")]
    if general is not None:
        programs.append(general.findtext("Program"))
    program = whole(next(iter(programs), None), 0)
    is_drums = any(text_of(each, "Type") == "drumKit" for each in item.iter("InstrumentSet"))
    if general is not None:
        is_drums |= general.get("table") == "Percussion" or text_of(general, "PrimaryChannel") == "9"
    # 2. Strings and capo of each staff; Guitar Pro 6 has one staff, in the track itself.
    staves = [_properties(staff) for staff in item.iter("Staff")] or [_properties(item.find("Properties"))]
    tunings = []
    for staff in staves:
        capo = whole(staff["CapoFret"].findtext("Fret"), 0) if "CapoFret" in staff else 0
        pitches = texts_of(staff["Tuning"], "Pitches") if "Tuning" in staff else []
        tunings.append([whole(pitch, 0) + capo for pitch in pitches])
    # 3. The kit: the note of each articulation, in the order of the file.
    kit = [whole(each.findtext("OutputMidiNumber"), -1) for each in item.iterfind("InstrumentSet//Articulation")]
    return Instrument(_name(text_of(item, "Name")), program if 0 <= program <= 127 else 0, is_drums, tunings, kit)


def _measure(item: Element) -> Measure:
    numerator, _, denominator = (text_of(item, "Time") or "4/4").partition("/")
    metre = whole(numerator, 0), whole(denominator, 0)
    if min(metre) < 1:
        raise NotationError(f"a measure is in {text_of(item, 'Time')[:20]!r}, and no bar has that length")
    repeat, section = item.find("Repeat"), item.find("Section")
    opens, count = False, 0
    if repeat is not None:
        opens = repeat.get("start", "").lower() == "true"
        count = whole(repeat.get("count"), 2) if repeat.get("end", "").lower() == "true" else 0
    named = "" if section is None else f"{_name(text_of(section, 'Letter'))} {text_of(section, 'Text')}"
    return Measure(
        *metre,
        Fraction(4 * metre[0], metre[1]),
        opens=opens,
        repeats=max(count - 1, 0),
        endings=frozenset(number for text in texts_of(item, "AlternateEndings") if 0 < (number := whole(text, 0)) < 64),
        section=_name(named),
        feel=_FEELS.get(text_of(item, "TripletFeel")),
        sign=(item.findtext("Directions/Target") or "").strip().lower(),
        jump=(item.findtext("Directions/Jump") or "").strip().lower(),
    )


def _beat(item: Element) -> WrittenBeat:
    rhythm, dynamic = item.find("Rhythm"), text_of(item, "Dynamic")
    marks = {"1/2": Fraction(1, 2), "1/4": Fraction(1, 4), "1/8": Fraction(1, 8)}
    return WrittenBeat(
        "" if rhythm is None else rhythm.get("ref", ""),
        texts_of(item, "Notes"),
        DYNAMICS.index(dynamic) if dynamic in DYNAMICS else _FORTE,
        item.find("GraceNotes") is not None,
        text_of(item, "GraceNotes") == "OnBeat",
        marks.get(text_of(item, "Tremolo"), Fraction(0)),
    )


def _note(item: Element) -> WrittenNote:
    properties = _properties(item.find("Properties"))
    accent, tie = whole(item.findtext("Accent"), 0), item.find("Tie")

    def number(name: str, tag: str) -> int:
        return whole(properties[name].findtext(tag), -1) if name in properties else -1

    articulation = Articulation(
        is_dead="Muted" in properties,
        is_palm_muted="PalmMuted" in properties,
        is_ghost=text_of(item, "AntiAccent").lower() == "normal",
        is_slurred="HopoDestination" in properties,
        accent=2 if accent & 4 else 1 if accent & 8 else 0,
    )
    return WrittenNote(
        number("String", "String"),
        number("Fret", "Fret"),
        number("Midi", "Number"),
        number("Octave", "Number"),
        number("Tone", "Step"),
        number("Element", "Element"),
        number("Variation", "Variation"),
        whole(item.findtext("InstrumentArticulation"), -1),
        articulation,
        tie is not None and tie.get("destination", "").lower() == "true",
        item.find("LetRing") is not None and not (articulation.is_dead or articulation.is_palm_muted),
    )


def _rhythm(item: Element) -> Fraction:
    length = _VALUES.get(text_of(item, "NoteValue"), Fraction(1))
    dot = item.find("AugmentationDot")
    dots = min(max(whole(dot.get("count"), 1), 0), 4) if dot is not None else 0
    length *= 2 - Fraction(1, 2**dots)
    for tuplet in (item.find("PrimaryTuplet"), item.find("SecondaryTuplet")):
        if tuplet is not None:
            many, instead = whole(tuplet.get("num"), 0), whole(tuplet.get("den"), 0)
            if not (1 <= many <= 64 and 1 <= instead <= 64):
                raise NotationError(f"a tuplet has {many} notes in the time of {instead}; wanted 1 to 64")
            length *= Fraction(instead, many)
    return length


_TEMPO_UNITS = {1: 0.5, 2: 1.0, 3: 1.5, 4: 2.0, 5: 3.0}  # quarters of a tempo's unit
_GP6_KIT = (
    (35, 35, 35), (38, 91, 37), (99, 100, 99), (56, 100, 56), (102, 103, 102), (43, 43, 43), (45, 45, 45), (47, 47, 47),
    (48, 48, 48), (50, 50, 50), (42, 92, 46), (44, 44, 44), (57, 98, 57), (49, 97, 49), (55, 95, 55), (51, 93, 127),
    (52, 96, 52),
)  # fmt: skip
"""The articulations of Guitar Pro 6, by the number of the element and of its variation."""


def read_gpif(data: bytes) -> Song:
    """The song of a file's bytes in Guitar Pro 6, 7 or 8 (.gpx, .gp), as `performed.song_of` plays it.

    Bends, slides and harmonics are ignored: a note has the pitch of its fret.

    Raises:
        NotationError: another kind of file, damaged, or beyond TAB_LIMITS.
        MissingExtraError: defusedxml is not installed.
    """
    tables = tables_of(gpif_text(data))
    try:
        tab = _tab(tables)
    except (ArithmeticError, LookupError, ValueError) as error:
        problem = f"{type(error).__name__}: {str(error)[:80]}"
        raise NotationError(f"the tab contradicts itself ({problem}); save it again in Guitar Pro") from error
    return song_of(tab)


# --- the tables as a tab ----------------------------------------------------------------------------------------------


def _tab(tables: Tables) -> Tab:
    measures = [measure for measure, _ in tables.measures]
    if len(tables.order) > TAB_LIMITS.tracks:
        raise NotationError(f"the tab has {len(tables.order):,} tracks; at most {TAB_LIMITS.tracks:,} are read")
    instruments = [tables.tracks[key] for key in tables.order]
    staves = sum(len(instrument.tunings) for instrument in instruments)
    for count, most, what in (
        (len(measures), TAB_LIMITS.measures, "measures"),
        (staves, TAB_LIMITS.staves, "staves"),
        (staves * len(measures), TAB_LIMITS.bars, "measures in all staves together"),
    ):
        if count > most:
            raise NotationError(f"the tab has {count:,} {what}; at most {most:,} are read")
    counter = _Counter()
    tracks, place = [], 0
    for instrument in instruments:
        voices = [_voices(tables, place + staff) for staff in range(len(instrument.tunings))]
        place += len(voices)
        bars = [
            tuple(
                tuple(_voice(tables, voice, instrument, staff, counter))
                for staff, measures_of in enumerate(voices)
                for voice in measures_of[number]
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
    """A count of beats and notes while a tab is built: tables can refer to a few of them again and again."""

    def __init__(self) -> None:
        self.beats = self.notes = 0

    def add_notes(self, count: int) -> None:
        self.notes += count
        if self.notes > TAB_LIMITS.notes:
            raise too_many()

    def add(self, count: int) -> None:
        self.beats += count
        if count > TAB_LIMITS.voice or self.beats > TAB_LIMITS.beats:
            raise NotationError(
                f"the tab has more than {TAB_LIMITS.beats:,} beats, or {TAB_LIMITS.voice} of a voice in a measure;"
                " wanted fewer"
            )


def _voices(tables: Tables, staff: int) -> list[list[str]]:
    """The voices of a staff, measure by measure; a repeat sign takes those of an earlier measure."""
    out: list[list[str]] = []
    for number, (_, keys) in enumerate(tables.measures):
        bar = tables.bars.get(keys[staff]) if staff < len(keys) else None
        if bar is not None and 0 < bar.like <= number:
            out.append(out[number - bar.like])
        else:
            out.append([] if bar is None else bar.voices)
    return out


def _voice(tables: Tables, key: str, instrument: Instrument, staff: int, counter: _Counter) -> Iterator[Beat]:
    keys = tables.voices.get(key, ())
    counter.add(len(keys))
    graces, is_on_beat = list[tuple[TabNote, ...]](), False
    for each in keys:
        beat = tables.beats[each]
        counter.add_notes(len(beat.notes))
        notes = tuple(_tab_note(tables.notes[note], beat, instrument, staff) for note in beat.notes)
        if beat.is_grace:
            graces.append(notes)
            is_on_beat |= beat.is_on_beat
        else:
            yield Beat(tables.rhythms[beat.rhythm], notes, tuple(graces), is_on_beat)
            graces, is_on_beat = [], False


def _tab_note(note: WrittenNote, beat: WrittenBeat, instrument: Instrument, staff: int) -> TabNote:
    articulation, string = note.articulation, note.string
    if instrument.is_drums:
        pitch = string = _drum(note, instrument.kit)
        articulation = articulation._replace(is_slurred=False)
    elif note.fret >= 0 and 0 <= string < len(instrument.tunings[staff]):
        pitch = instrument.tunings[staff][string] + note.fret
    elif note.midi >= 0:
        pitch = string = note.midi
    else:
        pitch = string = 12 * note.octave + max(note.tone, 0)
    velocity = velocity_of(beat.dynamic, louder=articulation.louder)
    return TabNote(pitch, string, velocity, note.is_tied, note.rings, beat.tremolo)


def _drum(note: WrittenNote, kit: list[int]) -> int:
    """The General MIDI note of a drum: by the articulation of Guitar Pro 7 or of 6, else by the fret."""
    if note.kit_index >= 0:
        listed = kit[note.kit_index] if note.kit_index < len(kit) else -1
        return listed if listed >= 0 else general_midi(note.kit_index)
    if 0 <= note.element < len(_GP6_KIT):
        return general_midi(_GP6_KIT[note.element][min(max(note.variation, 0), 2)])
    return general_midi(max(note.fret, 0))


def _tempos(tables: Tables, measures: list[Measure]) -> Iterator[TempoMark]:
    for item in tables.tempos:
        number, words = whole(item.findtext("Bar"), 0), texts_of(item, "Value")
        if not 0 <= number < len(measures) or not words:
            continue
        unit = _TEMPO_UNITS.get(whole(words[1], 2) if len(words) > 1 else 2, 1.0)
        share = min(max(number_of(item.findtext("Position"), 0.0), 0.0), 1.0)
        place = (Fraction(share) * measures[number].length).limit_denominator(48)
        is_gradual = text_of(item, "Linear").lower() == "true"
        yield TempoMark(number, place, number_of(words[0], 120.0) * unit, is_gradual)
