"""MusicXML, ABC and Humdrum -> Song by music21, from checked text. `musicxml` is the way back.

music21 is imported when a score is read, and only here.
"""

from __future__ import annotations

import os
import warnings
import xml.etree.ElementTree as ET
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from seq2drum.errors import InputError, NotationError
from seq2drum.formats.guitarpro.tab import Measure, played, ticks_per_quarter
from seq2drum.formats.notation.checks import abc_text, check_abc, humdrum_text, score_tree
from seq2drum.formats.score.score import SIGNS
from seq2drum.music import metres
from seq2drum.music.kit import FULL
from seq2drum.music.limits import SCORE_LIMITS
from seq2drum.music.notes import DEFAULT_METRE, Marker, Metre, Note, Part, Song, Tempo
from seq2drum.system import files

_JUMPS = {
    "DaCapo": "dacapo",
    "DaCapoAlFine": "dacapoalfine",
    "DaCapoAlCoda": "dacapoalcoda",
    "AlSegno": "dasegno",
    "DalSegno": "dasegno",
    "DalSegnoAlFine": "dasegnoalfine",
    "DalSegnoAlCoda": "dasegnoalcoda",
}
"""music21's classes of jumps, as `tab.Measure` has them."""


@dataclass(frozen=True)
class Played:
    """The measures of a score in playing order.

    bars: repeated as played. starts: the start of each in quarters, and the end of the last.
    """

    bars: tuple[Measure, ...]
    starts: tuple[Fraction, ...]
    _runs: tuple[tuple[Fraction, Fraction | None, Fraction], ...]  # written from, written to, delay

    def times(self, written: Sequence[Fraction], most: int, what: str) -> Iterator[tuple[int, Fraction]]:
        """(index, delay in quarters) of everything that is played, in playing order.

        written: the written place of each thing, in order. what: the things, for the message.

        Raises:
            NotationError: more than `most`, counted before they are listed.
        """
        found = [
            (bisect_left(written, start), len(written) if stop is None else bisect_left(written, stop), later)
            for start, stop, later in self._runs
        ]
        if sum(stop - start for start, stop, _ in found) > most:
            raise NotationError(f"the score has more than {most:,} {what} with its repeats played out; write fewer")
        return ((index, later) for start, stop, later in found for index in range(start, stop))


def played_out(score: Any) -> Played:
    """The playing order of a music21 score, by the measures of its first part and the signs in all parts.

    Raises:
        NotationError: no measures, an impossible metre, or more measures played than SCORE_LIMITS.played.
    """
    written = [list(part.getElementsByClass("Measure")) for part in score.parts]
    if not written:
        raise NotationError("the score has no parts; wanted one with a guitar part")
    if not written[0]:
        raise NotationError("the score has no measures; wanted one with a guitar part")
    starts = [Fraction(measure.offset) for measure in written[0]]
    ends = [*starts[1:], starts[-1] + Fraction(written[0][-1].duration.quarterLength)]
    measures = _with_signs(_bars(written[0], starts, ends), score, written)
    order = played(measures, SCORE_LIMITS.played, "score")
    bars = [measures[index] for index in order]
    if len(bars) > 1:  # a song ends at a barline
        last = bars[-1]
        bars[-1] = replace(last, length=max(last.length, Fraction(4 * last.numerator, last.denominator)))
    places = list(accumulate((bar.length for bar in bars), initial=starts[0]))
    return Played(tuple(bars), tuple(places), tuple(_runs(order, starts, ends, places)))


def _runs(
    order: Sequence[int], starts: Sequence[Fraction], ends: Sequence[Fraction], places: Sequence[Fraction]
) -> Iterator[tuple[Fraction, Fraction | None, Fraction]]:
    """Measures that are played one after another as written: from, to (None for the end), and the delay."""
    first = 0
    for at, index in enumerate(order):
        if at + 1 < len(order) and order[at + 1] == index + 1:
            continue
        begin = starts[order[first]]
        yield begin, None if index + 1 == len(starts) else ends[index], places[first] - begin
        first = at + 1


def _bars(written: Sequence[Any], starts: Sequence[Fraction], ends: Sequence[Fraction]) -> list[Measure]:
    """The measures of a part with their lengths and metres."""
    out = []
    metre = DEFAULT_METRE[1:]
    for measure, start, end in zip(written, starts, ends, strict=True):
        if measure.timeSignature is not None:
            metre = (measure.timeSignature.numerator, measure.timeSignature.denominator)
            if metre[0] not in metres.NUMERATORS or metre[1] not in metres.DENOMINATORS:
                raise NotationError(f"the metre {metre[0]}/{metre[1]} is beyond the limit of 64/64")
        out.append(Measure(*metre, end - start))
    return out


def _with_signs(measures: list[Measure], score: Any, written: Sequence[Sequence[Any]]) -> list[Measure]:
    """The measures with the repeats, endings, signs and jumps of all parts: programs write them in one part or in each.

    music21 may write the end of a passage on the left of the measure after it.
    """
    out = list(measures)
    places = {id(measure): at for part in written for at, measure in enumerate(part[: len(measures)])}
    # 1. Repeats.
    for part in written:
        for at, measure in enumerate(part[: len(measures)]):
            for bar, end in ((measure.leftBarline, at - 1), (measure.rightBarline, at)):
                direction = getattr(bar, "direction", "")
                if direction == "start":
                    out[at] = replace(out[at], opens=True)
                elif direction == "end" and end >= 0:
                    out[end] = replace(out[end], repeats=max(out[end].repeats, (bar.times or 2) - 1))
    # 2. Endings.
    for bracket in score.recurse().getElementsByClass("RepeatBracket"):
        numbers = frozenset(bracket.numberRange) - {0}
        inside = [places[id(measure)] for measure in bracket.getSpannedElements() if id(measure) in places]
        for at in range(min(inside, default=0), max(inside, default=-1) + 1):
            out[at] = replace(out[at], endings=out[at].endings | numbers)
    # 3. Signs and jumps. The first of two codas is the exit to the second.
    codas: set[int] = set()
    for part in written:
        for at, measure in enumerate(part[: len(measures)]):
            for mark in measure.getElementsByClass("RepeatExpression"):
                name = type(mark).__name__
                if name in _JUMPS:
                    out[at] = replace(out[at], jump=_JUMPS[name])
                elif name == "Coda":
                    codas.add(at)
                else:
                    out[at] = replace(out[at], sign=name.lower())
    if len(codas) > 1:
        first, *others = sorted(codas)
        out[first] = replace(out[first], jump=out[first].jump or "dacoda")
        for at in others:
            out[at] = replace(out[at], sign="coda")
    return out


DEFAULT_VELOCITY = 80


def read_musicxml(source: str | os.PathLike[str] | bytes) -> Song:
    """The song of a MusicXML score (.musicxml, .xml) or a packed one (.mxl), repeats played out, at sounding pitch.

    Onsets and durations are exact: the ticks per quarter are the least common multiple of 480 and whatever fractions of
    a quarter the score has. (If that exceeds MIDI's limit of 32,767, they are rounded to 10,080ths of a quarter.) Tied
    notes are one note. Grace notes and chord symbols are left out; so is a tablature that repeats another staff. Every
    measure is one bar of `Song.bars()`; a short one (a pickup) has its metre and its own length. Eighths that swing,
    where the score is marked so at the top, are moved to where they sound.

    Args:
        source: A path, or the bytes of the file.

    Raises:
        NotationError: The file is not a MusicXML score, is damaged, or lies beyond `SCORE_LIMITS`.
        InputError: No such file, or not readable.
    """
    root = score_tree(source if isinstance(source, bytes) else _file_bytes(Path(source)))
    return _read(lambda: _song(_parsed(root), _swing(root)))


def read_abc(data: bytes) -> Song:
    """The song of a file's bytes in ABC notation (.abc): its first tune, repeats played out. Otherwise as MusicXML.

    Raises:
        NotationError: not ABC, damaged, or beyond `SCORE_LIMITS`.
    """
    text = abc_text(data)

    def stream() -> Any:
        from music21 import abcFormat
        from music21.abcFormat import translate

        module: Any = translate  # its functions carry no types
        handler = abcFormat.ABCFile().readstr(text)
        check_abc(handler)
        return module.abcToStreamScore(handler)

    return _read(lambda: _song(stream(), None))


def read_humdrum(data: bytes) -> Song:
    """The song of a file's bytes in Humdrum's **kern (.krn): each spine is a part. Otherwise as MusicXML.

    Raises:
        NotationError: not Humdrum, damaged, or beyond `SCORE_LIMITS`.
    """
    text = humdrum_text(data)

    def stream() -> Any:
        from music21.humdrum import spineParser

        module: Any = spineParser
        collection = module.HumdrumDataCollection(text)
        collection.parse()
        return collection.stream

    return _read(lambda: _song(stream(), None))


def _read(song: Callable[[], Song]) -> Song:
    """The song that a call of music21 gives, with one kind of error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # music21 warns of its repairs
        try:
            return song()
        except (NotationError, MemoryError):
            raise
        except Exception as error:  # music21 has no common error; it fails on bad scores in dozens of ways
            message = " ".join(str(error).split())[:200]
            raise NotationError(
                f"music21 cannot read this score ({type(error).__name__}: {message}); "
                "open it in a notation program and export it again"
            ) from error


def _file_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(SCORE_LIMITS.file_bytes + 1)
    except FileNotFoundError:
        raise InputError(f"{files.named(path)} does not exist; give the path of a MusicXML file") from None
    except OSError as error:
        raise InputError(f"{files.named(path)} cannot be read ({error.strerror}); give a file you may read") from error


# --- music21 ----------------------------------------------------------------------------------------------------------


def _parsed(root: ET.Element) -> Any:
    from music21.musicxml import xmlToM21

    module: Any = xmlToM21  # its functions carry no types
    importer = module.MusicXMLImporter()
    importer.xmlText = ET.tostring(root, encoding="utf-8")
    importer.parseXMLText()
    return importer.stream


# --- a song -----------------------------------------------------------------------------------------------------------


def _song(score: Any, swing: Fraction | None) -> Song:
    """The music21 score as a song; `swing` as `_swing` gives it."""
    # 1. The playing order, and the place of each second eighth, if the score swings.
    played = played_out(score)
    end = played.starts[-1]
    voices = _voices(score, played)
    if swing is not None:
        voices = _all_swung(voices, played.starts[:-1], swing)
    last = max([end, *(sound.onset + sound.duration for _, sounds in voices for sound in sounds)])
    if last > SCORE_LIMITS.quarters:
        raise NotationError(f"the score is {float(last):.6g} quarters long; wanted at most {SCORE_LIMITS.quarters:,}")
    # 2. Metres, tempos, marks.
    metre_events = _metre_events(played)
    tempo_events, written = _tempo_events(score), _markers(score)
    tempo_events = [
        (tempo_events[index][0] + later, tempo_events[index][1])
        for index, later in played.times([at for at, _ in tempo_events], SCORE_LIMITS.marks, "tempo marks")
    ]
    markers = [
        (written[index][0] + later, written[index][1])
        for index, later in played.times([at for at, _ in written], SCORE_LIMITS.marks, "rehearsal marks")
    ]
    # 3. Quarters become ticks.
    times = [time for _, sounds in voices for sound in sounds for time in (sound.onset, sound.duration)]
    ticks = ticks_per_quarter([*times, end, *(at for at, _, _ in metre_events), *(at for at, _ in tempo_events)])

    def tick(quarters: Fraction) -> int:
        return round(quarters * ticks)

    return Song(
        ticks,
        tuple(_part(staff, sounds, ticks) for staff, sounds in voices),
        tuple(Tempo(tick(at), round(60_000_000 / bpm)) for at, bpm in tempo_events),
        tuple(Metre(tick(at), numerator, denominator) for at, numerator, denominator in metre_events),
        tick(end),
        tuple(Marker(tick(at), text, not text.isdecimal()) for at, text in markers),  # a number can be a bar's
    )


def _voices(score: Any, played: Played) -> list[tuple[_Staff, list[_Sound]]]:
    """The first staff and the played sounds of each instrument; a tablature beside other staves repeats them."""
    staves: dict[str, list[_Staff]] = {}
    for number, part in enumerate(score.parts):
        owner, _, _ = str(part.groups[0] if part.groups else part.id).partition("-Staff")  # an id can be a name
        staves.setdefault(owner or str(number), []).append(_staff(part))
    voices, room = [], SCORE_LIMITS.notes
    for group in staves.values():
        sounds = []
        for staff in [staff for staff in group if not staff.is_tablature] or group:
            sounds += _tied(_played(staff.heads, played, room))
        room -= len(sounds)
        voices.append((group[0], sounds))
    return voices


def _played(heads: Sequence[_Head], played: Played, most: int) -> Iterator[_Head]:
    """The heads of a staff as sounding notes."""
    for index, later in played.times([head.sound.onset for head in heads], most, "notes"):
        sound, tie = heads[index]
        yield _Head(sound._replace(onset=sound.onset + later), tie)


def _tied(heads: Iterable[_Head]) -> list[_Sound]:
    """The sounds of heads in playing order, tied ones joined."""
    sounds: list[_Sound] = []
    held: dict[int, int] = {}  # pitch -> index in `sounds` of the one to be tied on
    for sound, tie in heads:
        place = held.pop(sound.pitch, None) if tie in ("stop", "continue") else None
        if place is not None and sounds[place].onset + sounds[place].duration == sound.onset:
            sounds[place] = sounds[place]._replace(duration=sounds[place].duration + sound.duration)
        else:
            place = len(sounds)
            sounds.append(sound)
        if tie in ("start", "continue"):
            held[sound.pitch] = place
    return sounds


def _part(staff: _Staff, sounds: Iterable[_Sound], ticks: int) -> Part:
    notes = []
    for sound in sounds:
        onset, stop = round(sound.onset * ticks), round((sound.onset + sound.duration) * ticks)
        notes.append(Note(onset, max(stop - onset, 1), sound.pitch, sound.velocity))
    return Part.of(notes, program=staff.program, name=staff.name, is_drums=staff.is_drums)


def _quarters(value: Any) -> Fraction:
    """music21 gives floats where they are exact and fractions elsewhere."""
    return Fraction(value)


# --- staves -----------------------------------------------------------------------------------------------------------


class _Sound(NamedTuple):
    """A note, in quarters."""

    onset: Fraction
    duration: Fraction
    pitch: int
    velocity: int


class _Head(NamedTuple):
    """A written sound; `tie` is music21's: start, continue, stop, or nothing."""

    sound: _Sound
    tie: str


class _Staff(NamedTuple):
    """One staff of the score: its contents in the order of onsets, and its instrument."""

    heads: list[_Head]
    program: int
    name: str
    is_drums: bool
    is_tablature: bool


def _staff(part: Any) -> _Staff:
    from music21 import chord, clef, dynamics, harmony, instrument, note, percussion

    # 1. The instrument and its name.
    first = part.getInstrument(returnDefault=True)
    flat = part.flatten()
    is_drums = first.midiChannel == 9 and first.midiProgram is None
    is_drums |= flat.getElementsByClass(clef.PercussionClef).first() is not None
    program = first.midiProgram if first.midiProgram is not None and 0 <= first.midiProgram <= 127 else 0
    name = str(part.partName or first.partName or first.instrumentName or "")
    # 2. The notes, by the transposition and the dynamics in effect at each.
    written: list[_Head] = []
    shift, velocity = 0, DEFAULT_VELOCITY
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
        heads: Any = element.notes if isinstance(element, chord.ChordBase) else (element,)
        for head in heads:
            if isinstance(head, note.Unpitched):
                pitch = _unpitched(head, element.articulations, getattr(first, "percMapPitch", None))
            else:
                pitch = head.pitch.midi + shift
            if not 0 <= pitch <= 127:
                raise NotationError(f"a note at quarter {float(onset):g} is beyond MIDI's range (pitch {pitch})")
            loud = max(1, min(127, round(head.volume.velocity or velocity)))
            written.append(_Head(_Sound(onset, duration, pitch, loud), getattr(head.tie, "type", "")))
    is_tablature = flat.getElementsByClass(clef.TabClef).first() is not None
    return _Staff(written, program, name, bool(is_drums), is_tablature)


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


# --- swing ------------------------------------------------------------------------------------------------------------


def _swing(root: ET.Element) -> Fraction | None:
    """The place of the second eighth in its quarter, if all of the score swings alike from its first measure on."""
    first = [swing for part in root.iter("part") for measure in part[:1] for swing in measure.iter("swing")]
    if not first or len(first) != len(list(root.iter("swing"))):  # music21 neither reads nor places them
        return None
    kinds = {tuple(swing.findtext(tag, "").strip() for tag in ("first", "second", "swing-type")) for swing in first}
    long, short, kind = kinds.pop()
    if kinds or kind not in ("", "eighth") or not (long.isdecimal() and short.isdecimal()):
        return None
    return Fraction(int(long), int(long) + int(short)) if 0 < int(short) <= int(long) < 100 else None


def _all_swung(
    voices: Sequence[tuple[_Staff, list[_Sound]]], starts: Sequence[Fraction], share: Fraction
) -> list[tuple[_Staff, list[_Sound]]]:
    """All instruments with their second eighths at `share` of the quarter; kit and percussion swing together."""
    kit = [sound for staff, sounds in voices if staff.is_drums for sound in sounds]
    return [(staff, _swung(sounds, kit if staff.is_drums else sounds, starts, share)) for staff, sounds in voices]


def _swung(
    sounds: Iterable[_Sound], beside: Iterable[_Sound], starts: Sequence[Fraction], share: Fraction
) -> list[_Sound]:
    """Sounds with the second eighth of each quarter at `share` of it, except in quarters that have shorter notes.

    beside: the sounds searched for shorter notes. starts: the barlines, from which quarters are counted.
    """

    def place(at: Fraction) -> tuple[Fraction, Fraction]:
        start = starts[max(bisect_right(starts, at) - 1, 0)]
        within = (at - start) % 1
        return at - within, within

    half = Fraction(1, 2)
    straight = {quarter for quarter, within in (place(sound.onset) for sound in beside) if within not in (0, half)}

    def moved(at: Fraction) -> Fraction:
        quarter, within = place(at)
        return quarter + share if within == half and quarter not in straight else at

    return [
        sound._replace(onset=moved(sound.onset), duration=moved(sound.onset + sound.duration) - moved(sound.onset))
        for sound in sounds
    ]


# --- metres and tempos ------------------------------------------------------------------------------------------------


def _metre_events(played: Played) -> list[tuple[Fraction, int, int]]:
    """Metre events that make every played measure one bar."""
    events: list[tuple[Fraction, int, int]] = []
    due = Fraction(-1)
    for bar, start in zip(played.bars, played.starts, strict=False):
        if bar.length <= 0:
            continue
        metre = bar.numerator, bar.denominator
        here = metre if bar.length <= Fraction(4 * metre[0], metre[1]) else _metre_of_length(bar.length) or metre
        if not events or events[-1][1:] != here or start != due:
            events.append((start, *here))
        due = start + Fraction(4 * here[0], here[1])
    return events


def _metre_of_length(length: Fraction) -> tuple[int, int] | None:
    """The metre of a measure longer than its time signature; None if no metre has this length."""
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
                    f" wanted {SCORE_LIMITS.slowest:g} to {SCORE_LIMITS.fastest:g}"
                )
            events.setdefault(_quarters(mark.offset), float(bpm))
    return sorted(events.items())


def _markers(score: Any) -> list[tuple[Fraction, str]]:
    """(place, text) of every rehearsal mark, in any part; one at a place."""
    from music21 import expressions

    events: dict[Fraction, str] = {}
    for part in score.parts:
        for mark in part.flatten().getElementsByClass(expressions.RehearsalMark):
            if text := str(mark.content or "").strip():
                events.setdefault(_quarters(mark.offset), text)
    return sorted(events.items())
