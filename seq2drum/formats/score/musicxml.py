"""Drums -> the bytes of a MusicXML score, written element by element; `notation` reads one.

`score` decides the contents; no general exporter is involved.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from seq2drum.formats.score import score
from seq2drum.formats.score.score import DIVISIONS, DOTTED, TYPES, Chord, Head, Measure, Score, Staff, TempoMark
from seq2drum.music.notes import Part, Song
from seq2drum.music.shown import one_line

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC '
    '"-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
)
_HANDS, _FEET = "1", "2"  # the voices


def write_score(song: Song, drums: Part, title: str, *, first_bar: int = 0, last_bar: int | None = None) -> bytes:
    """A MusicXML 4.0 score of the drums: a staff for the kit, hands stem up and feet stem down.

    Hand percussion, if any, has a staff of its own below: another player has it, and on one staff with the kit neither
    could be read.

    The measures and metres are the song's, and so are the tempos, each at the nearest sixteenth. A hit is written at
    the nearest of six places a quarter (16ths and triplet eighths); one between a triplet and a 16th goes with the
    majority of the part, a beat that would mix the two takes the majority of its hits, and in metres counted in eighths
    or shorter there are no triplets. A head that two hits would share is written once, as the louder. A part that
    swings is written as swing is: plain eighths, and the word above them (for programs, MusicXML's `swing`, which
    `notation` reads).

    Args:
        song: Gives bars, metres and tempos; its parts are ignored.
        drums: A part whose pitches are General MIDI drum notes, in the song's ticks.
        title: Printed above the score.
        first_bar: The first bar that is written, from 0.
        last_bar: The bar before which the score ends; by default all bars are written.
    """
    return _serialised(score.written(song, drums, first_bar=first_bar, last_bar=last_bar), title)


def _serialised(drum_score: Score, title: str) -> bytes:
    root = ET.Element("score-partwise", version="4.0")
    _add(_add(root, "work"), "work-title", one_line(title))
    _add(_add(_add(root, "identification"), "encoding"), "software", "seq2drum")
    _part_list(root, drum_score.staves)
    for number, staff in enumerate(drum_score.staves, start=1):
        part = _add(root, "part", id=f"P{number}")
        for index, measure in enumerate(staff.measures):
            _measure(part, measure, is_first=index == 0, swings=drum_score.swings and index == 0)
        if staff.measures and drum_score.ends:
            _add(_add(part[-1], "barline", location="right"), "bar-style", "light-heavy")
    ET.indent(root, " ")
    return (_HEAD + ET.tostring(root, encoding="unicode") + "\n").encode("utf-8")


def _add(parent: ET.Element, tag: str, text: object = None, /, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    if text is not None:
        element.text = str(text)
    return element


def _part_list(root: ET.Element, staves: Sequence[Staff]) -> None:
    """The parts, with an instrument for each drum note, so that a program that plays the score sounds right."""
    listed = _add(root, "part-list")
    for number, staff in enumerate(staves, start=1):
        part = _add(listed, "score-part", id=f"P{number}")
        _add(part, "part-name", staff.name)
        if len(staves) > 1:
            _add(part, "part-abbreviation", staff.short)
        for pitch, name in staff.pieces:
            _add(_add(part, "score-instrument", id=f"I{pitch}"), "instrument-name", name.capitalize())
        for pitch, _ in staff.pieces:
            midi = _add(part, "midi-instrument", id=f"I{pitch}")
            _add(midi, "midi-channel", 10)
            _add(midi, "midi-program", 1)
            _add(midi, "midi-unpitched", pitch + 1)


# --- measures ---------------------------------------------------------------------------------------------------------


def _measure(part: ET.Element, measure: Measure, *, is_first: bool, swings: bool) -> None:
    """A measure; the first has the clef as well, and the swing mark if the part `swings`."""
    element = _add(part, "measure", number=str(measure.number))
    if measure.cut:
        element.set("implicit", "yes")
    if measure.metre:
        _attributes(element, measure.metre, is_first)
    _tempos(element, measure.tempos, swings)
    for place, name in measure.names:
        direction = _add(element, "direction", placement="above")
        _add(_add(direction, "direction-type"), "words", name)
        _add(direction, "offset", place)
    if not measure.hands and not measure.feet:
        _whole_rest(element, measure.length)
    for chord in measure.hands:
        _chord(element, chord, _HANDS)
    if measure.hands and measure.feet:
        _add(_add(element, "backup"), "duration", measure.length)
    for chord in measure.feet:
        _chord(element, chord, _FEET)


def _attributes(measure: ET.Element, metre: tuple[int, int], is_first: bool) -> None:
    attributes = _add(measure, "attributes")
    if is_first:
        _add(attributes, "divisions", DIVISIONS)
    time = _add(attributes, "time")
    _add(time, "beats", metre[0])
    _add(time, "beat-type", metre[1])
    if is_first:
        _add(_add(attributes, "clef"), "sign", "percussion")


def _tempos(measure: ET.Element, tempos: Sequence[TempoMark], swings: bool) -> None:
    """Tempos in their places: several programs ignore an offset, so time goes forward to each, and back."""
    at = 0
    for tempo in tempos:
        if tempo.place > at:
            _add(_add(measure, "forward"), "duration", tempo.place - at)
        at = tempo.place
        _tempo(measure, tempo, swings)
    if at:
        _add(_add(measure, "backup"), "duration", at)


def _tempo(measure: ET.Element, tempo: TempoMark, swings: bool) -> None:
    """A tempo in the unit of the counted beat."""
    speed = {"tempo": f"{tempo.bpm:.4f}".rstrip("0").rstrip(".")}
    if not tempo.printed:
        _add(measure, "sound", **speed)
        return
    direction = _add(measure, "direction", placement="above")
    if swings:
        _add(_add(direction, "direction-type"), "words", "Swing", **{"font-weight": "bold"})
    metronome = _add(_add(direction, "direction-type"), "metronome")
    _add(metronome, "beat-unit", "quarter")
    if tempo.dotted:
        _add(metronome, "beat-unit-dot")
    _add(metronome, "per-minute", f"{tempo.bpm / 1.5 if tempo.dotted else tempo.bpm:.0f}")
    sound = _add(direction, "sound", **speed)
    if swings:
        swing = _add(sound, "swing")
        _add(swing, "first", 2)
        _add(swing, "second", 1)
        _add(swing, "swing-type", "eighth")


# --- chords and rests -------------------------------------------------------------------------------------------------


def _chord(measure: ET.Element, chord: Chord, voice: str) -> None:
    if not chord.heads:
        _rest(measure, chord, voice)
    for index, head in enumerate(chord.heads):
        _note(measure, chord, head, voice, is_first=index == 0)


def _note(measure: ET.Element, chord: Chord, head: Head, voice: str, *, is_first: bool) -> None:
    """One head of a chord. Beams and signs stand with the first one."""
    note = _add(measure, "note", dynamics=f"{head.velocity / 0.9:.2f}")  # MusicXML's 100 is a velocity of 90
    if not is_first:
        _add(note, "chord")
    unpitched = _add(note, "unpitched")
    _add(unpitched, "display-step", head.sign.place[0])
    _add(unpitched, "display-octave", head.sign.place[1])
    _add(note, "duration", chord.length)
    _add(note, "instrument", id=f"I{head.pitch}")
    _add(note, "voice", voice)
    _value(note, chord)
    _add(note, "stem", "up" if voice == _HANDS else "down")
    if head.sign.head != "normal" or head.ghost:
        element = _add(note, "notehead", head.sign.head)
        if head.ghost:
            element.set("parentheses", "yes")
    if not is_first:
        return
    for number, beam in enumerate(chord.beams, start=1):
        _add(note, "beam", beam, number=str(number))
    is_open = any(head.sign.mark for head in chord.heads)
    if chord.tuplet or is_open:
        notations = _add(note, "notations")
        if chord.tuplet:
            _tuplet(notations, chord)
        if is_open:
            _add(_add(notations, "technical"), "open-string")


def _rest(measure: ET.Element, chord: Chord, voice: str) -> None:
    note = _add(measure, "note")
    if chord.hidden:
        note.set("print-object", "no")
    rest = _add(note, "rest")
    _add(rest, "display-step", chord.rest[0])
    _add(rest, "display-octave", chord.rest[1])
    _add(note, "duration", chord.length)
    _add(note, "voice", voice)
    _value(note, chord)
    if chord.tuplet:
        _tuplet(_add(note, "notations"), chord)


def _whole_rest(measure: ET.Element, length: int) -> None:
    note = _add(measure, "note")
    _add(note, "rest", measure="yes")
    _add(note, "duration", length)
    _add(note, "voice", _HANDS)


def _value(note: ET.Element, chord: Chord) -> None:
    _add(note, "type", TYPES[DOTTED.get(chord.value, chord.value)])
    if chord.value in DOTTED:
        _add(note, "dot")
    if chord.triplet:
        ratio = _add(note, "time-modification")
        _add(ratio, "actual-notes", 3)
        _add(ratio, "normal-notes", 2)


def _tuplet(notations: ET.Element, chord: Chord) -> None:
    _add(notations, "tuplet", type=chord.tuplet, bracket="yes" if chord.bracket else "no")
