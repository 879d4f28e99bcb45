"""MusicXML -> Song: a score is read by music21, after checks for what could harm. `score` is the way back.

music21 is imported when a score is read, and only here.
"""

from __future__ import annotations

import io
import math
import os
import warnings
import xml.etree.ElementTree as ET
import zipfile
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.parsers import expat

from seq2drum.errors import NotationError
from seq2drum.formats.heads import SIGNS
from seq2drum.music import metres
from seq2drum.music.kit import FULL
from seq2drum.music.limits import MOST_TICKS_PER_QUARTER, SCORE_LIMITS
from seq2drum.music.notes import DEFAULT_METRE, Metre, Note, Part, Song, Tempo

DEFAULT_VELOCITY = 80
FALLBACK_TICKS = 10_080  # divides by 2 to 10, 12, 14, 15, 16, 18, 20, 21, 24, 28, 30, 32


def read_musicxml(source: str | os.PathLike[str] | bytes) -> Song:
    """Read a MusicXML score (.musicxml, .xml) or a packed one (.mxl), repeats played out, pitches as they sound.

    Onsets and durations are exact: the ticks per quarter are the least common multiple of 480 and whatever fractions
    of a quarter the score has. (Should that pass MIDI's limit of 32,767, they are rounded to 10,080ths of a quarter.)
    Tied notes are one note. Grace notes and chord symbols are left out; so is a tablature that repeats another staff.
    Every measure is one bar of `Song.bars()`; a short one (a pickup) has its metre and its own length. Eighths that
    swing, where a score says so on top, are where they sound.

    Args:
        source: A path, or the bytes of the file.

    Raises:
        NotationError: The file is no MusicXML score, is damaged, or lies beyond `SCORE_LIMITS`.
        OSError: The file cannot be opened.
    """
    text = _unpacked(source if isinstance(source, bytes) else _file_bytes(Path(source)))
    _check_xml(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # music21 warns of what it repairs
        try:
            return _song(_expanded(_parsed(text)), _swing(text))
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
        return file.read(SCORE_LIMITS.file_bytes + 1)


def _unpacked(data: bytes) -> bytes:
    """The score's XML: the data itself, or the score inside a packed file."""
    if len(data) > SCORE_LIMITS.file_bytes:
        raise NotationError(
            f"the file has more than {SCORE_LIMITS.file_bytes:,} bytes; wanted is a score of at most that"
        )
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
        data = file.read(SCORE_LIMITS.file_bytes + 1)  # what the header says of the size may be a lie
    if len(data) > SCORE_LIMITS.file_bytes or len(data) > SCORE_LIMITS.packing * max(info.compress_size, 100):
        raise NotationError(
            f"the packed score grows beyond {SCORE_LIMITS.file_bytes:,} bytes or {SCORE_LIMITS.packing} times its size;"
            " export it without packing (.musicxml)"
        )
    return data


_MOST = {"note": SCORE_LIMITS.notes, "measure": SCORE_LIMITS.measures, "part": SCORE_LIMITS.parts}


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
        if depth > SCORE_LIMITS.depth:
            raise NotationError(f"the file nests elements more than {SCORE_LIMITS.depth} deep; a score does not")
        if tag == "beats":
            beats = []
        if tag in counts:
            counts[tag] += 1
            if counts[tag] > _MOST[tag]:
                raise NotationError(f"the score has more than {_MOST[tag]:,} {tag}s; wanted is a score of at most that")
        if tag == "repeat" and _number(attributes.get("times", "2")) > SCORE_LIMITS.repeats:
            raise NotationError(
                f"the score repeats a passage more than {SCORE_LIMITS.repeats} times; write the passage out"
            )

    def end(tag: str) -> None:
        nonlocal depth, beats
        depth -= 1
        if tag == "beats" and beats is not None:
            text, beats = "".join(beats).strip(), None
            # music21 would count too many for hours.
            if not 1 <= sum(map(_number, text.split("+"))) <= metres.NUMERATORS[-1]:
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
    # A score may be in UTF-16; music21 wants this.
    importer.xmlText = ET.tostring(ET.fromstring(text), encoding="utf-8")
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


def _swing(text: bytes) -> Fraction | None:
    """Where in its quarter the second eighth falls, if all of the score swings alike, from its first measure on."""
    root = ET.fromstring(text)
    first = [found for part in root.iter("part") for measure in part[:1] for found in measure.iter("swing")]
    if not first or len(first) != len(list(root.iter("swing"))):  # music21 does not read them, nor know where they are
        return None
    said = {tuple(swing.findtext(tag, "").strip() for tag in ("first", "second", "swing-type")) for swing in first}
    long, short, kind = said.pop()
    if said or kind not in ("", "eighth") or not (long.isdecimal() and short.isdecimal()):
        return None
    return Fraction(int(long), int(long) + int(short)) if 0 < int(short) <= int(long) < 100 else None


def _swung(
    notes: list[tuple[Fraction, Fraction, int, int]],
    beside: list[tuple[Fraction, Fraction, int, int]],
    starts: list[Fraction],
    share: Fraction,
) -> list[tuple[Fraction, Fraction, int, int]]:
    """Notes with the second eighth of each quarter at `share` of it, but in quarters that have shorter notes.

    beside: the notes that are looked through for shorter ones.
    """

    def place(at: Fraction) -> tuple[Fraction, Fraction]:
        start = starts[max(bisect_right(starts, at) - 1, 0)]
        within = (at - start) % 1
        return at - within, within

    half = Fraction(1, 2)
    straight = {quarter for quarter, within in (place(onset) for onset, *_ in beside) if within not in (0, half)}

    def moved(at: Fraction) -> Fraction:
        quarter, within = place(at)
        return quarter + share if within == half and quarter not in straight else at

    return [(moved(on), moved(on + long) - moved(on), pitch, loud) for on, long, pitch, loud in notes]


def _song(score: Any, swing: Fraction | None) -> Song:
    """The music21 score as a song."""
    staves: dict[str, list[_Staff]] = {}
    for number, part in enumerate(score.parts):
        owner, _, _ = str(part.id).partition("-Staff")
        staves.setdefault(owner or str(number), []).append(_staff(part))
    if not staves:
        raise NotationError("the score has no parts; wanted is one with a guitar part")
    merged = []
    starts = [_quarters(measure.offset) for measure in score.parts[0].getElementsByClass("Measure")] or [Fraction(0)]
    for group in staves.values():
        heard = [staff for staff in group if not staff.is_tablature] or group
        merged.append((group[0], [note for staff in heard for note in staff.notes]))
    if swing is not None:
        kit = [note for staff, notes in merged if staff.is_drums for note in notes]  # kit and percussion swing together
        merged = [(staff, _swung(notes, kit if staff.is_drums else notes, starts, swing)) for staff, notes in merged]
    if sum(len(notes) for _, notes in merged) > SCORE_LIMITS.notes:
        raise NotationError(f"the score has more than {SCORE_LIMITS.notes:,} notes with its repeats played out")

    metre_events, end = _metre_events(score)
    last = max([end, *(onset + duration for _, notes in merged for onset, duration, _, _ in notes)])
    if last > SCORE_LIMITS.quarters:
        raise NotationError(
            f"the score is {float(last):.6g} quarters long; wanted are at most {SCORE_LIMITS.quarters:,}"
        )
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
        if ticks <= MOST_TICKS_PER_QUARTER:
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
            if not SCORE_LIMITS.slowest <= bpm <= SCORE_LIMITS.fastest:
                raise NotationError(
                    f"the tempo at quarter {float(mark.offset):g} is {bpm:g};"
                    f" wanted are {SCORE_LIMITS.slowest:g} to {SCORE_LIMITS.fastest:g}"
                )
            events.setdefault(_quarters(mark.offset), float(bpm))
    return sorted(events.items())
