"""MusicXML <-> Song: a score is read by music21, after checks for what could harm; the drums are written as one.

Scores are written by hand, element by element: the notation of drums (places on the staff, note heads, two voices,
beams by the metre's groups) is decided here and nothing is left to a general exporter. music21 is imported on reading
only.
"""

from __future__ import annotations

import io
import math
import os
import warnings
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from seq2drum import metres
from seq2drum.errors import NotationError
from seq2drum.kit import FULL
from seq2drum.notes import DEFAULT_METRE, DEFAULT_TEMPO, Bar, Metre, Note, Part, Song, Tempo

# Reading -------------------------------------------------------------------------------------------------------------

MAX_BYTES = 10 * 2**20  # of the file, and of what is packed in it
MAX_RATIO = 100  # of the packed to the unpacked size
MAX_DEPTH = 64  # elements within elements
MAX_NOTES = 100_000  # repeats played out
MAX_MEASURES = 50_000  # of all parts together, as written
MAX_PARTS = 64
MAX_QUARTERS = 20_000  # from the first to the last barline
MAX_REPEAT = 16  # how often one repeat sign may play
MAX_TICKS_PER_QUARTER = 32_767
BPM = (10, 400)
DEFAULT_VELOCITY = 80
FALLBACK_TICKS = 10_080  # divides by 2 to 10, 12, 14, 15, 16, 18, 20, 21, 24, 28, 30, 32


def read_musicxml(source: str | os.PathLike[str] | bytes) -> Song:
    """Read a MusicXML score (.musicxml, .xml) or a packed one (.mxl), repeats played out, pitches as they sound.

    Onsets and durations are exact: the ticks per quarter are the least common multiple of 480 and whatever fractions
    of a quarter the score has. (Should that pass MIDI's limit of 32,767, they are rounded to 10,080ths of a quarter.)
    Tied notes are one note. Grace notes and chord symbols are left out; so is a tablature that repeats another staff.
    Every measure is one bar of `Song.bars()`; a short one (a pickup) has its metre and its own length.

    Args:
        source: A path, or the bytes of the file.

    Raises:
        NotationError: The file is no MusicXML score, is damaged, or lies beyond the limits of this module.
        OSError: The file cannot be opened.
    """
    text = _unpacked(source if isinstance(source, bytes) else _file_bytes(Path(source)))
    _check_xml(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # music21 warns of what it repairs
        try:
            return _song(_expanded(_parsed(text)))
        except NotationError:
            raise
        except Exception as error:  # music21 has no common error; it fails on bad scores in dozens of ways
            message = " ".join(str(error).split())[:200]
            raise NotationError(
                f"music21 cannot read this score ({type(error).__name__}: {message}); "
                "open it in a notation program and export it again"
            ) from error


def _file_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _unpacked(data: bytes) -> bytes:
    """The score's XML: the data itself, or the score inside a packed file."""
    if len(data) > MAX_BYTES:
        raise NotationError(f"the file has more than {MAX_BYTES:,} bytes; wanted is a score of at most that")
    if not data.startswith(b"PK"):
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _member(archive, _score_name(archive))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise NotationError(f"the packed score is damaged or encrypted ({error}); export it again") from error
    except Exception as error:
        if type(error).__module__ in ("zlib", "lzma", "_lzma"):
            raise NotationError(f"the packed score is damaged ({error}); export it again") from error
        raise


def _score_name(archive: zipfile.ZipFile) -> str:
    """The name of the score in a packed file: what the container names first, else the first score there is."""
    names = archive.namelist()
    if "META-INF/container.xml" in names:
        container = _member(archive, "META-INF/container.xml")
        _check_xml(container, roots=("container",))
        for element in ET.fromstring(container).iter():
            if element.tag.endswith("rootfile") and element.get("full-path") in names:
                return str(element.get("full-path"))
    for name in names:
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith("META-INF/"):
            return name
    raise NotationError("the packed file holds no score; wanted is a MusicXML file (.mxl) as notation programs export")


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    with archive.open(info) as file:
        data = file.read(MAX_BYTES + 1)  # what the header says of the size may be a lie
    if len(data) > MAX_BYTES or len(data) > MAX_RATIO * max(info.compress_size, 100):
        raise NotationError(
            f"the packed score grows beyond {MAX_BYTES:,} bytes or {MAX_RATIO} times its size; "
            "export it without packing (.musicxml)"
        )
    return data


_MOST = {"note": MAX_NOTES, "measure": MAX_MEASURES, "part": MAX_PARTS}


def _check_xml(text: bytes, roots: tuple[str, ...] = ("score-partwise",)) -> None:
    """Refuse, before any tree is built: broken XML, entities, a document type of its own, and what is no score."""
    parser = expat.ParserCreate()
    depth = 0
    counts = dict.fromkeys(_MOST, 0)
    beats: list[str] | None = None  # the text of the <beats> we are in

    def doctype(name: str, system: str | None, public: str | None, has_internal_subset: int) -> None:
        if has_internal_subset:
            raise NotationError("the file declares its own XML entities or types, which a score does not need")

    def entity(*_: object) -> None:
        raise NotationError("the file declares XML entities, which a score does not need")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, beats
        if depth == 0 and tag.rpartition(":")[2] not in roots:
            raise NotationError(
                f"the file is XML, but its root is <{tag[:40]}>; wanted is a MusicXML score (<{roots[0]}>)"
            )
        depth += 1
        if depth > MAX_DEPTH:
            raise NotationError(f"the file nests elements more than {MAX_DEPTH} deep; a score does not")
        if tag == "beats":
            beats = []
        if tag in counts:
            counts[tag] += 1
            if counts[tag] > _MOST[tag]:
                raise NotationError(f"the score has more than {_MOST[tag]:,} {tag}s; wanted is a score of at most that")
        if tag == "repeat" and _number(attributes.get("times", "2")) > MAX_REPEAT:
            raise NotationError(f"the score repeats a passage more than {MAX_REPEAT} times; write the passage out")

    def end(tag: str) -> None:
        nonlocal depth, beats
        depth -= 1
        if tag == "beats" and beats is not None:
            text, beats = "".join(beats).strip(), None
            if (
                not 1 <= sum(map(_number, text.split("+"))) <= metres.NUMERATORS[-1]
            ):  # music21 would count them for hours
                raise NotationError(
                    f"the score has a metre of {text[:20]!r} beats; wanted are 1 to {metres.NUMERATORS[-1]}"
                )

    def characters(text: str) -> None:
        if beats is not None:
            beats.append(text)

    parser.StartDoctypeDeclHandler = doctype
    parser.EntityDeclHandler = entity
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise NotationError(f"the file is no MusicXML ({error}); wanted is .musicxml, .xml or .mxl") from error


def _number(text: str) -> float:
    """The number a text says; not a number is 0."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def _parsed(text: bytes) -> Any:
    from music21.musicxml import xmlToM21

    module: Any = xmlToM21  # its functions carry no types
    importer = module.MusicXMLImporter()
    importer.xmlText = ET.tostring(
        ET.fromstring(text), encoding="utf-8"
    )  # a score may be in UTF-16; music21 wants this
    importer.parseXMLText()
    return importer.stream


def _expanded(score: Any) -> Any:
    """The score with its repeats played out; as written where music21 cannot tell how they are meant."""
    from music21 import bar, repeat

    marks = score.recurse().getElementsByClass([bar.Repeat, repeat.RepeatExpression])
    if marks.first() is None:
        return score
    try:
        played = score.expandRepeats()
    except Exception:  # unmatched signs; music21 raises several kinds of error for them
        return score
    measures = {len(part.getElementsByClass("Measure")) for part in played.parts}
    return played if len(measures) == 1 else score


@dataclass
class _Staff:
    """What one staff of the score says, in quarters."""

    notes: list[tuple[Fraction, Fraction, int, int]]  # onset, duration, pitch, velocity
    program: int
    name: str
    is_drums: bool
    is_tablature: bool


def _song(score: Any) -> Song:
    """The music21 score as a song."""
    staves: dict[str, list[_Staff]] = {}
    for number, part in enumerate(score.parts):
        owner, _, _ = str(part.id).partition("-Staff")
        staves.setdefault(owner or str(number), []).append(_staff(part))
    if not staves:
        raise NotationError("the score has no parts; wanted is one with a guitar part")
    merged = []
    for group in staves.values():
        heard = [staff for staff in group if not staff.is_tablature] or group
        merged.append((group[0], [note for staff in heard for note in staff.notes]))
    if sum(len(notes) for _, notes in merged) > MAX_NOTES:
        raise NotationError(f"the score has more than {MAX_NOTES:,} notes with its repeats played out")

    metre_events, end = _metre_events(score)
    last = max([end, *(onset + duration for _, notes in merged for onset, duration, _, _ in notes)])
    if last > MAX_QUARTERS:
        raise NotationError(f"the score is {float(last):.6g} quarters long; wanted are at most {MAX_QUARTERS:,}")
    tempo_events = _tempo_events(score)
    times = [time for _, notes in merged for onset, duration, _, _ in notes for time in (onset, duration)]
    ticks = _ticks_per_quarter([*times, end, *(at for at, _, _ in metre_events), *(at for at, _ in tempo_events)])

    def tick(quarters: Fraction) -> int:
        return round(quarters * ticks)

    parts = tuple(
        Part.of(
            [Note(tick(on), max(tick(on + long) - tick(on), 1), pitch, loud) for on, long, pitch, loud in notes],
            program=staff.program,
            name=staff.name,
            is_drums=staff.is_drums,
        )
        for staff, notes in merged
    )
    return Song(
        ticks,
        parts,
        tuple(Tempo(tick(at), round(60_000_000 / bpm)) for at, bpm in tempo_events),
        tuple(Metre(tick(at), numerator, denominator) for at, numerator, denominator in metre_events),
        tick(end),
    )


def _ticks_per_quarter(times: Iterable[Fraction]) -> int:
    exact = math.lcm(*{time.denominator for time in times})
    for ticks in (math.lcm(exact, 480), exact):
        if ticks <= MAX_TICKS_PER_QUARTER:
            return ticks
    return FALLBACK_TICKS


def _quarters(value: Any) -> Fraction:
    """music21 gives floats where they are exact and fractions elsewhere."""
    return Fraction(value)


def _staff(part: Any) -> _Staff:
    from music21 import chord, clef, dynamics, harmony, instrument, note, percussion

    first = part.getInstrument(returnDefault=True)
    notes: list[tuple[Fraction, Fraction, int, int]] = []
    open_ties: dict[int, int] = {}  # pitch -> place in `notes` of the note that is tied on
    is_drums, shift, velocity = first.midiChannel == 9 and first.midiProgram is None, 0, DEFAULT_VELOCITY
    flat = part.flatten()
    is_drums |= flat.getElementsByClass(clef.PercussionClef).first() is not None
    for element in flat:
        if isinstance(element, instrument.Instrument):
            shift = int(element.transposition.semitones) if element.transposition else 0
        elif isinstance(element, dynamics.Dynamic):
            velocity = max(1, min(127, round(127 * element.volumeScalar)))
        if not isinstance(element, note.NotRest) or isinstance(element, harmony.Harmony) or element.duration.isGrace:
            continue
        is_drums |= isinstance(element, note.Unpitched | percussion.PercussionChord)
        onset, duration = _quarters(element.offset), _quarters(element.duration.quarterLength)
        if duration <= 0:
            continue
        sounds: Any = element.notes if isinstance(element, chord.ChordBase) else (element,)
        for sound in sounds:
            if isinstance(sound, note.Unpitched):
                pitch = _unpitched(sound, element.articulations, getattr(first, "percMapPitch", None))
            else:
                pitch = sound.pitch.midi + shift
            if not 0 <= pitch <= 127:
                raise NotationError(f"a note at quarter {float(onset):g} is beyond MIDI's range (pitch {pitch})")
            tie = getattr(sound.tie, "type", "")
            held = open_ties.pop(pitch, None) if tie in ("stop", "continue") else None
            if held is not None and notes[held][0] + notes[held][1] == onset:
                start, long, *rest = notes[held]
                notes[held] = (start, long + duration, rest[0], rest[1])
            else:
                held = len(notes)
                loud = round(sound.volume.velocity or velocity)
                notes.append((onset, duration, pitch, max(1, min(127, loud))))
            if tie in ("start", "continue"):
                open_ties[pitch] = held
    return _Staff(
        notes,
        first.midiProgram if first.midiProgram is not None and 0 <= first.midiProgram <= 127 else 0,
        str(part.partName or first.partName or first.instrumentName or ""),
        bool(is_drums),
        flat.getElementsByClass(clef.TabClef).first() is not None,
    )


def _unpitched(sound: Any, marks: Iterable[Any], default: int | None) -> int:
    """The General MIDI note of a percussion note, by its place on the staff, head and mark; else the default or snare.

    music21 does not keep which of a part's percussion instruments a note belongs to.
    """
    place = f"{sound.displayStep}{sound.displayOctave}"
    head = sound.notehead or "normal"
    # An open hat is a small circle, which one program calls an open string and another a harmonic.
    mark = "open" if any(type(mark).__name__ in ("OpenString", "Harmonic") for mark in marks) else ""
    fits = {
        name: (sign.mark == mark, sign.head == head, (sign.head == "normal") == (head == "normal"))
        for name, sign in SIGNS.items()
        if sign.place == place
    }
    best = max(fits, key=lambda name: fits[name], default=None)
    if best is not None and (default is None or fits[best][1]):
        return next(voice.notes[0] for voice in FULL.voices if voice.name == best)
    return 38 if default is None else default


def _metre_events(score: Any) -> tuple[list[tuple[Fraction, int, int]], Fraction]:
    """(metre events at such places that every measure is one bar, where the last measure ends)."""
    from music21 import stream

    measures = list(score.parts[0].getElementsByClass(stream.Measure))
    if not measures:
        raise NotationError("the score has no measures; wanted is one with a guitar part")
    starts = [_quarters(measure.offset) for measure in measures]
    ends = [*starts[1:], starts[-1] + _quarters(measures[-1].duration.quarterLength)]
    events: list[tuple[Fraction, int, int]] = []
    metre, due, end = DEFAULT_METRE[1:], Fraction(-1), Fraction(0)
    for number, (measure, start, stop) in enumerate(zip(measures, starts, ends, strict=True)):
        if measure.timeSignature is not None:
            metre = (measure.timeSignature.numerator, measure.timeSignature.denominator)
            if metre[0] not in metres.NUMERATORS or metre[1] not in metres.DENOMINATORS:
                raise NotationError(f"the metre {metre[0]}/{metre[1]} is beyond the limit of 64/64")
        full = Fraction(4 * metre[0], metre[1])
        last = number + 1 == len(measures)
        length = max(stop - start, full) if last and number else stop - start
        if length <= 0:
            continue
        here = metre if length <= full else _metre_of_length(length) or metre
        if not events or events[-1][1:] != here or start != due:
            events.append((start, *here))
        due, end = start + Fraction(4 * here[0], here[1]), start + length
    return events, end


def _metre_of_length(length: Fraction) -> tuple[int, int] | None:
    """The metre of a measure that is longer than its time signature says; None if no metre has this length."""
    for denominator in metres.DENOMINATORS[2:]:
        units = length * denominator / 4
        if units.denominator == 1 and units.numerator in metres.NUMERATORS:
            return units.numerator, denominator
    return None


def _tempo_events(score: Any) -> list[tuple[Fraction, float]]:
    """(place, quarters a minute) of every mark with a number, in any part; one at a place."""
    from music21 import tempo

    events: dict[Fraction, float] = {}
    for part in score.parts:
        for mark in part.flatten().getElementsByClass(tempo.MetronomeMark):
            sounding = mark.numberSounding
            bpm = mark.getQuarterBPM() if sounding is None and mark.number is not None else sounding
            if bpm is None:
                continue
            if not BPM[0] <= bpm <= BPM[1]:
                raise NotationError(
                    f"the tempo at quarter {float(mark.offset):g} is {bpm:g}; wanted are {BPM[0]} to {BPM[1]}"
                )
            events.setdefault(_quarters(mark.offset), float(bpm))
    return sorted(events.items())


# Writing -------------------------------------------------------------------------------------------------------------


class Sign(NamedTuple):
    """How a piece of the kit is written: its place on the staff (as in treble clef), note head, and sign above."""

    place: str
    head: str = "normal"
    mark: str = ""


# Drums and cymbals as the Percussive Arts Society recommends (Norman Weinberg, Guide to Standardized Drumset Notation,
# 1998); hand percussion, for which there is no standard on a five-line staff, is named where it first appears.
SIGNS: dict[str, Sign] = {
    "kick": Sign("F4"),
    "snare": Sign("C5"),
    "side stick": Sign("C5", "x"),
    "crash": Sign("A5", "x"),
    "low tom": Sign("A4"),
    "mid tom": Sign("D5"),
    "high tom": Sign("E5"),
    "bell": Sign("F5", "diamond"),
    "ride": Sign("F5", "x"),
    "open hat": Sign("G5", "x", "open"),
    "closed hat": Sign("G5", "x"),
    "pedal hat": Sign("D4", "x"),
    "clap": Sign("B4", "x"),
    "tambourine": Sign("B4", "triangle"),
    "cowbell": Sign("E5", "triangle"),
    "shaker": Sign("B5", "x"),
    "cabasa": Sign("B5", "diamond"),
    "mute conga": Sign("D5", "x"),
    "high conga": Sign("D5", "diamond"),
    "low conga": Sign("B4", "diamond"),
    "high bongo": Sign("E5", "diamond"),
    "low bongo": Sign("D5", "triangle"),
    "block": Sign("E5", "x"),
    "triangle": Sign("C6", "triangle"),
}
OTHER = Sign("G4", "square")  # a note that is no piece of the kit

_DIVISIONS = 48  # a quarter: 64ths are 3, triplet eighths 16
_EVEN = (0, 12, 24, 36, 48)
_TRIPLET = (0, 16, 32, 48)
_PLACES = (0, 12, 16, 24, 32, 36, 48)
_TYPES = {192: "whole", 96: "half", 48: "quarter", 24: "eighth", 12: "16th", 6: "32nd", 3: "64th"}
_DOTTED = {length * 3 // 2: length for length in _TYPES if length < 192 and length > 3}
_LENGTHS = sorted({*_TYPES, *_DOTTED}, reverse=True)
_FLAGS = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4}
_CLEAR = 0.5  # 48ths of a quarter: hits this near to a place are meant for it
_GHOST = 0.55  # a snare softer than this share of the part's median snare is written in parentheses


class Hit(NamedTuple):
    """One note head of the score."""

    pitch: int
    velocity: int
    sign: Sign
    ghost: bool


class Event(NamedTuple):
    """A chord of hits, or a rest where there are none: length in 48ths of a quarter, and its printed value."""

    length: int
    value: int
    hits: tuple[Hit, ...]
    triplet: bool


def write_score(song: Song, drums: Part, title: str) -> bytes:
    """Write the drums as a MusicXML 4.0 score: one percussion staff, hands stem up and feet stem down.

    The measures, metres and tempo marks are the song's. A hit is written at the nearest of six places a quarter (16ths
    and triplet eighths); one between a triplet and a 16th goes with the most of the part, a beat that would mix the two
    takes the kind that most of its hits have, and in metres counted in eighths or shorter there are no triplets. A head
    that two hits would share is written once, as the louder.

    Args:
        song: Gives bars, metres and tempos; its parts are not looked at.
        drums: A part whose pitches are General MIDI drum notes, in the song's ticks.
        title: Printed above the score.
    """
    bars = song.bars()
    chords = _chords(song, bars, drums)
    pitches = sorted({hit.pitch for chord in chords for hits in chord.values() for hit in hits})
    root = ET.Element("score-partwise", version="4.0")
    _add(_add(root, "work"), "work-title", _printable(title))
    _add(_add(_add(root, "identification"), "encoding"), "software", "seq2drum")
    _part_list(root, pitches)
    part = _add(root, "part", id="P1")
    named: set[str] = set()
    tempos = _tempo_marks(song, bars)
    before: Bar | None = None
    for bar, places, marks in zip(bars, chords, tempos, strict=True):
        _measure(part, song, bar, before, places, marks, named)
        before = bar
    _add(_add(part[-1], "barline", location="right"), "bar-style", "light-heavy")
    ET.indent(root, " ")
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC '
        '"-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
    )
    return (head + ET.tostring(root, encoding="unicode") + "\n").encode("utf-8")


def _add(parent: ET.Element, tag: str, text: object = None, /, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    if text is not None:
        element.text = str(text)
    return element


def _printable(text: str) -> str:
    """The text without the characters XML has no place for."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _part_list(root: ET.Element, pitches: Sequence[int]) -> None:
    """The one part, with an instrument for each drum note, so that a program that plays the score sounds right."""
    part = _add(_add(root, "part-list"), "score-part", id="P1")
    _add(part, "part-name", "Drums")
    for pitch in pitches:
        _add(_add(part, "score-instrument", id=f"P1-I{pitch}"), "instrument-name", _piece_name(pitch).capitalize())
    for pitch in pitches:
        midi = _add(part, "midi-instrument", id=f"P1-I{pitch}")
        _add(midi, "midi-channel", 10)
        _add(midi, "midi-program", 1)
        _add(midi, "midi-unpitched", pitch + 1)


def _piece_name(pitch: int) -> str:
    voice = int(FULL.voice_of[pitch])
    return FULL.voices[voice].name if voice >= 0 else f"note {pitch}"


def _length(song: Song, bar: Bar) -> int:
    """The printed length of a bar, a multiple of a 64th: the bar's own, or the nearest to it for a cut bar."""
    return max(3, 3 * round(Fraction(bar.length * 16, song.ticks_per_quarter)))


def _cells(song: Song, bar: Bar) -> list[tuple[int, int]]:
    """(start, end) of what is beamed together: quarters, or the groups of a metre in eighths or shorter."""
    length = _length(song, bar)
    unit = 4 * _DIVISIONS // bar.denominator
    if bar.denominator <= 4 or unit * max(bar.groups) < _DIVISIONS // 2:
        sizes = [_DIVISIONS] * -(-length // _DIVISIONS)
    else:
        sizes = [unit * size for size in bar.groups]
    if bar.denominator > 4 and set(bar.groups) == {1}:
        sizes = [_DIVISIONS] * -(-length // _DIVISIONS)
    ends = [min(end, length) for end in np.cumsum(sizes).tolist()]
    starts = [0, *ends[:-1]]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if start < end]


def _chords(song: Song, bars: Sequence[Bar], drums: Part) -> list[dict[tuple[int, bool], tuple[Hit, ...]]]:
    """For each bar, (place in 48ths of a quarter, is it the feet) -> its hits, from the lowest head to the highest."""
    snares = drums.velocity[np.isin(drums.pitch, FULL.voices[1].notes)]
    ghost = _GHOST * float(np.median(snares)) if len(snares) else 0.0
    starts = np.array([bar.start for bar in bars])
    indices = np.maximum(np.searchsorted(starts, drums.onset, side="right") - 1, 0)
    exacts = (drums.onset - starts[indices]) * (_DIVISIONS / song.ticks_per_quarter)
    swung = _is_swung(exacts)
    raw: list[list[tuple[int, int, Hit]]] = [[] for _ in bars]  # (place, 48ths past the quarter it is nearest to, hit)
    for note, index, exact in zip(drums, indices.tolist(), exacts.tolist(), strict=True):
        voice = int(FULL.voice_of[note.pitch])
        sign = SIGNS[FULL.voices[voice].name] if voice >= 0 else OTHER
        hit = Hit(note.pitch, note.velocity, sign, sign == SIGNS["snare"] and note.velocity < ghost)
        place = _nearest(exact, swung) if bars[index].denominator <= 4 else _nearest(exact, False, _EVEN)
        if place >= _length(song, bars[index]):
            if index + 1 < len(bars):
                index, place = index + 1, 0
            else:
                place = _nearest_before(_length(song, bars[index]))
        raw[index].append((place // _DIVISIONS, place % _DIVISIONS, hit))
    return [_bar_chords(hits, _length(song, bar)) for bar, hits in zip(bars, raw, strict=True)]


def _is_swung(exacts: NDArray[np.float64]) -> bool:
    """Whether more hits of the part lie nearer to triplets than to the 16ths beside them."""
    within = exacts % _DIVISIONS
    triplets = np.minimum(abs(within - 16), abs(within - 32)) < 2
    sixteenths = np.minimum(abs(within - 12), abs(within - 36)) < 2
    return bool(triplets.sum() > sixteenths.sum())


def _nearest(exact: float, swung: bool, choices: Sequence[int] = _PLACES) -> int:
    """The nearest place to write a hit at. One clearly between a triplet and the 16th beside it goes with the part.

    So a swing that is a little sharper or softer than triplets is not written as a mixture of the two.
    """
    quarter, within = divmod(exact, _DIVISIONS)
    place = min(choices, key=lambda choice: abs(within - choice))
    if choices is _PLACES:
        for sixteenth, triplet in ((12, 16), (36, 32)):
            if min(abs(within - sixteenth), abs(within - triplet)) > _CLEAR and min(sixteenth, triplet) < within < max(
                sixteenth, triplet
            ):
                place = triplet if swung else sixteenth
    return int(quarter) * _DIVISIONS + place


def _nearest_before(end: int) -> int:
    quarter = (end - 1) // _DIVISIONS
    return max(quarter * _DIVISIONS + choice for choice in _EVEN if quarter * _DIVISIONS + choice < end)


def _bar_chords(hits: Iterable[tuple[int, int, Hit]], length: int) -> dict[tuple[int, bool], tuple[Hit, ...]]:
    quarters: dict[int, list[tuple[int, Hit]]] = {}
    for quarter, place, hit in hits:
        quarters.setdefault(quarter, []).append((place, hit))
    heads: dict[tuple[int, bool], dict[tuple[str, str], Hit]] = {}
    for quarter, within in quarters.items():
        triplets = sum(place in (16, 32) for place, _ in within)
        evens = sum(place in (12, 24, 36) for place, _ in within)
        whole = (quarter + 1) * _DIVISIONS <= length  # a barline must not cut a triplet
        kind = _TRIPLET[:3] if whole and triplets >= evens and triplets else _EVEN[:4]
        choices = [place for place in kind if quarter * _DIVISIONS + place < length]
        for place, hit in within:
            moved = quarter * _DIVISIONS + min(choices, key=lambda choice: abs(choice - place))
            voice = int(FULL.voice_of[hit.pitch])
            chord = heads.setdefault((moved, voice >= 0 and FULL.voices[voice].limb == "foot"), {})
            same = chord.get(hit.sign[:2])
            if same is None or same.velocity < hit.velocity:
                chord[hit.sign[:2]] = hit
    return {
        key: tuple(sorted(chord.values(), key=lambda hit: (_height(hit.sign), hit.pitch)))
        for key, chord in heads.items()
    }


def _height(sign: Sign) -> int:
    """Places above C0 on the staff."""
    return 7 * int(sign.place[1]) + "CDEFGAB".index(sign.place[0])


def _events(places: dict[int, tuple[Hit, ...]], start: int, end: int) -> Iterator[Event]:
    """The notes and rests of one voice from `start` to `end`, a stretch that is beamed together.

    A drum has no length: a note is written as long as the way to the next, if one plain value says that.
    """
    onsets = sorted(place for place in places if start <= place < end)
    triplet = any(place % _DIVISIONS in (16, 32) for place in onsets)
    if not onsets or onsets[0] > start:
        yield from _rests((onsets[0] if onsets else end) - start, triplet)
    for onset, following in zip(onsets, [*onsets[1:], end], strict=False):
        gap = following - onset
        if triplet:
            yield Event(gap, gap * 3 // 2, places[onset], True)
            continue
        off_beat = (onset - start) % 24 != 0
        length = next(value for value in _LENGTHS if value <= (min(gap, 36) if off_beat else gap))
        if off_beat and end - start != _DIVISIONS and gap > 24:
            length = 12
        yield Event(length, length, places[onset], False)
        yield from _rests(gap - length, False)


def _rests(length: int, triplet: bool) -> Iterator[Event]:
    while length > 0:
        if triplet:
            yield Event(length, length * 3 // 2, (), True)
            return
        value = next((value for value in _LENGTHS if value <= length), length)
        yield Event(value, value, (), False)
        length -= value


def _measure(
    part: ET.Element,
    song: Song,
    bar: Bar,
    before: Bar | None,
    places: dict[tuple[int, bool], tuple[Hit, ...]],
    tempos: Sequence[tuple[int, float, bool]],
    named: set[str],
) -> None:
    length = _length(song, bar)
    full = 4 * _DIVISIONS * bar.numerator // bar.denominator
    measure = _add(part, "measure", number=str(bar.index + 1))
    if length != full:
        measure.set("implicit", "yes")
    metre_changes = before is None or (before.numerator, before.denominator) != (bar.numerator, bar.denominator)
    if metre_changes:
        attributes = _add(measure, "attributes")
        if before is None:
            _add(attributes, "divisions", _DIVISIONS)
        time = _add(attributes, "time")
        _add(time, "beats", bar.numerator)
        _add(time, "beat-type", bar.denominator)
        if before is None:
            _add(_add(attributes, "clef"), "sign", "percussion")
    for place, bpm, shown in tempos:
        _tempo(measure, place, bpm, shown)
    for place, name in _new_names(places, named):
        direction = _add(measure, "direction", placement="above")
        _add(_add(direction, "direction-type"), "words", name)
        _add(direction, "offset", place)

    voices = {feet: {place: hits for (place, side), hits in places.items() if side == feet} for feet in (False, True)}
    if not places:
        _rest(measure, length, "1", whole=True)
    if voices[False]:
        _voice(measure, song, bar, voices[False], "1")
    if voices[False] and voices[True]:
        _add(_add(measure, "backup"), "duration", length)
    if voices[True]:
        _voice(measure, song, bar, voices[True], "2")


def _new_names(places: dict[tuple[int, bool], tuple[Hit, ...]], named: set[str]) -> Iterator[tuple[int, str]]:
    """(place, name) of the hand percussion and strange notes that appear for the first time."""
    for (place, _), hits in sorted(places.items(), key=lambda item: item[0]):
        for hit in hits:
            voice = int(FULL.voice_of[hit.pitch])
            name = _piece_name(hit.pitch)
            if (voice < 0 or FULL.voices[voice].limb == "percussion") and name not in named:
                named.add(name)
                yield place, name


def _voice(measure: ET.Element, song: Song, bar: Bar, places: dict[int, tuple[Hit, ...]], voice: str) -> None:
    cells = [list(_events(places, start, end)) for start, end in _cells(song, bar)]
    for cell in _joined_rests(cells, bar):
        beams = _beams(cell)
        values = [event.value for event in cell]
        bracket = cell[0].triplet and not all(
            value <= 24 and event.hits for value, event in zip(values, cell, strict=True)
        )
        for index, event in enumerate(cell):
            tuplet = ""
            if event.triplet and index in (0, len(cell) - 1):
                tuplet = "start" if index == 0 else "stop"
            if not event.hits:
                _rest(measure, event.length, voice, event=event, tuplet=tuplet, bracket=bracket)
            for head, hit in enumerate(event.hits):
                _note(measure, event, hit, voice, beams[index], tuplet, bracket, is_chord=head > 0)


def _joined_rests(cells: list[list[Event]], bar: Bar) -> list[list[Event]]:
    """Two quarter rests that make the first or second half of a 4/4 bar become one half rest."""
    if (bar.numerator, bar.denominator) not in ((4, 4), (2, 2)):
        return cells
    quarter = [Event(48, 48, (), False)]
    joined: list[list[Event]] = []
    for index, cell in enumerate(cells):
        if index % 2 and cell == quarter and joined[-1] == quarter:
            joined[-1] = [Event(96, 96, (), False)]
        else:
            joined.append(cell)
    return joined


def _beams(cell: Sequence[Event]) -> list[list[str]]:
    """For each event, its beams from the first down: begin, continue, end, or a hook. A rest ends a beam."""
    flags = [_FLAGS.get(_TYPES[_DOTTED.get(event.value, event.value)], 0) if event.hits else 0 for event in cell]
    beams: list[list[str]] = [[] for _ in cell]
    for index, count in enumerate(flags):
        left = flags[index - 1] if index else 0
        right = flags[index + 1] if index + 1 < len(flags) else 0
        if not left and not right:
            continue
        for level in range(1, count + 1):
            if left >= level and right >= level:
                beams[index].append("continue")
            elif left >= level:
                beams[index].append("end")
            elif right >= level:
                beams[index].append("begin")
            else:
                beams[index].append("backward hook" if left else "forward hook")
    return beams


def _value(note: ET.Element, event: Event) -> None:
    _add(note, "type", _TYPES[_DOTTED.get(event.value, event.value)])
    if event.value in _DOTTED:
        _add(note, "dot")
    if event.triplet:
        ratio = _add(note, "time-modification")
        _add(ratio, "actual-notes", 3)
        _add(ratio, "normal-notes", 2)


def _tuplet(notations: ET.Element, kind: str, bracket: bool) -> None:
    _add(notations, "tuplet", type=kind, bracket="yes" if bracket else "no")


def _rest(
    measure: ET.Element,
    length: int,
    voice: str,
    *,
    event: Event | None = None,
    tuplet: str = "",
    bracket: bool = False,
    whole: bool = False,
) -> None:
    note = _add(measure, "note")
    rest = _add(note, "rest")
    if whole:
        rest.set("measure", "yes")
    _add(note, "duration", length)
    _add(note, "voice", voice)
    if event is not None:
        _value(note, event)
    if tuplet:
        _tuplet(_add(note, "notations"), tuplet, bracket)


def _note(
    measure: ET.Element,
    event: Event,
    hit: Hit,
    voice: str,
    beams: Sequence[str],
    tuplet: str,
    bracket: bool,
    *,
    is_chord: bool,
) -> None:
    note = _add(measure, "note", dynamics=f"{hit.velocity / 0.9:.2f}")  # MusicXML's 100 is a velocity of 90
    if is_chord:
        _add(note, "chord")
    unpitched = _add(note, "unpitched")
    _add(unpitched, "display-step", hit.sign.place[0])
    _add(unpitched, "display-octave", hit.sign.place[1])
    _add(note, "duration", event.length)
    _add(note, "instrument", id=f"P1-I{hit.pitch}")
    _add(note, "voice", voice)
    _value(note, event)
    _add(note, "stem", "up" if voice == "1" else "down")
    if hit.sign.head != "normal" or hit.ghost:
        head = _add(note, "notehead", hit.sign.head)
        if hit.ghost:
            head.set("parentheses", "yes")
    if is_chord:
        opened = False
    else:
        for number, beam in enumerate(beams, start=1):
            _add(note, "beam", beam, number=str(number))
        opened = any(other.sign.mark for other in event.hits)
    if (tuplet and not is_chord) or opened:
        notations = _add(note, "notations")
        if tuplet:
            _tuplet(notations, tuplet, bracket)
        if opened:
            _add(_add(notations, "technical"), "open-string")


def _tempo_marks(song: Song, bars: Sequence[Bar]) -> list[list[tuple[int, float, bool]]]:
    """For each bar, its tempo events: (place in 48ths of a quarter, quarters a minute, is it printed).

    All are played; printed are the first, and those that differ by 4 % or more from the last that was printed.
    """
    marks: list[list[tuple[int, float, bool]]] = [[] for _ in bars]
    starts = [bar.start for bar in bars]
    printed = 0.0
    events = {tempo.tick: tempo for tempo in (DEFAULT_TEMPO, *song.tempos)}
    for tempo in sorted(events.values()):
        index = int(np.searchsorted(starts, tempo.tick, side="right")) - 1
        if index + 1 == len(bars) and tempo.tick >= bars[-1].end:
            continue
        place = round(Fraction((tempo.tick - starts[index]) * _DIVISIONS, song.ticks_per_quarter))
        shown = abs(tempo.bpm - printed) >= 0.04 * printed or not printed
        printed = tempo.bpm if shown else printed
        marks[index].append((place, tempo.bpm, shown))
    return marks


def _tempo(measure: ET.Element, place: int, bpm: float, shown: bool) -> None:
    sound = {"tempo": f"{bpm:.4f}".rstrip("0").rstrip(".")}
    if not shown:
        element = _add(measure, "sound", **sound)
        if place:
            _add(element, "offset", place)
        return
    direction = _add(measure, "direction", placement="above")
    metronome = _add(_add(direction, "direction-type"), "metronome")
    _add(metronome, "beat-unit", "quarter")
    _add(metronome, "per-minute", f"{bpm:.0f}")
    if place:
        _add(direction, "offset", place)
    _add(direction, "sound", **sound)
