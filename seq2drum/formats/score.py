"""Drums -> a MusicXML score, written element by element; `notation` reads one.

The notation of drums (places on the staff, note heads, two voices, beams by the metre's groups) is decided here, and
nothing is left to a general exporter.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seq2drum.music.kit import FULL
from seq2drum.music.notes import DEFAULT_TEMPO, Bar, Part, Song


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
# Places within a quarter. `grid.PLACES` are the same six; the seventh here is the next quarter's first.
_EVEN = (0, 12, 24, 36, 48)
_TRIPLET = (0, 16, 32, 48)
_PLACES = tuple(sorted({*_EVEN, *_TRIPLET}))
_TYPES = {192: "whole", 96: "half", 48: "quarter", 24: "eighth", 12: "16th", 6: "32nd", 3: "64th"}
_DOTTED = {length * 3 // 2: length for length in _TYPES if length < 192 and length > 3}
_LENGTHS = sorted({*_TYPES, *_DOTTED}, reverse=True)
_FLAGS = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4}
_CLEAR = 0.5  # 48ths of a quarter: hits this near to a place are meant for it
_SHORT = {"Drums": "Dr.", "Percussion": "Perc."}  # the staves, as they are called after the first system
_GHOST = 0.55  # a snare softer than this share of the part's median snare is written in parentheses
_SWING = 4  # beats of long and short eighths that a part has at least, if it is written as swing
# Where a rest of the hands, of the feet, and of both is written; one with two flags or more hangs lower.
_RESTS = {"1": "D5", "1 short": "F5", "2": "E4", "both": "B4"}


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


Places: TypeAlias = dict[tuple[int, bool], tuple[Hit, ...]]
"""The chords of a bar: (place in 48ths of a quarter, is it the feet) -> hits."""


def write_score(song: Song, drums: Part, title: str, *, first_bar: int = 0, last_bar: int | None = None) -> bytes:
    """Write the drums as a MusicXML 4.0 score: a staff for the kit, hands stem up and feet stem down.

    Hand percussion has a staff of its own below, where there is any: another player has it, and on one staff with the
    kit neither could be read.

    The measures, metres and tempo marks are the song's. A hit is written at the nearest of six places a quarter (16ths
    and triplet eighths); one between a triplet and a 16th goes with the most of the part, a beat that would mix the two
    takes the kind that most of its hits have, and in metres counted in eighths or shorter there are no triplets. A head
    that two hits would share is written once, as the louder. A part that swings is written as swing is: plain eighths,
    and the word above them (for programs, MusicXML's `swing`, which `notation` reads).

    Args:
        song: Gives bars, metres and tempos; its parts are not looked at.
        drums: A part whose pitches are General MIDI drum notes, in the song's ticks.
        title: Printed above the score.
        first_bar: The first bar that is written, from 0.
        last_bar: The bar before which the score ends; by default all bars are written.
    """
    bars = song.bars()
    chords = _chords(song, bars, drums)
    swings = _swings(bars, chords)
    if swings:
        chords = [_as_swing(bar, places) for bar, places in zip(bars, chords, strict=True)]
    tempos = _tempo_marks(song, bars, first_bar)
    shown = slice(first_bar, last_bar)
    whole = last_bar is None or last_bar >= len(bars)
    bars, chords, tempos = bars[shown], chords[shown], tempos[shown]
    staves = _staves(chords)
    root = ET.Element("score-partwise", version="4.0")
    _add(_add(root, "work"), "work-title", _printable(title))
    _add(_add(_add(root, "identification"), "encoding"), "software", "seq2drum")
    _part_list(root, staves)
    for number, staff in enumerate(staves.values(), start=1):
        part = _add(root, "part", id=f"P{number}")
        named: set[str] = set()
        before: Bar | None = None
        for bar, places, marks in zip(bars, staff, tempos, strict=True):
            _measure(part, song, bar, before, places, marks if number == 1 else (), named, swings)
            before = bar
        if len(part) and whole:
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


def _staves(chords: Sequence[Places]) -> dict[str, list[Places]]:
    """The chords of the kit and of the hand percussion, by the name of their staff; what is empty is left out."""
    split: dict[str, list[Places]] = {}
    for name, percussion in (("Drums", False), ("Percussion", True)):
        split[name] = [
            {key: some for key, hits in places.items() if (some := tuple(h for h in hits if _by_hand(h) is percussion))}
            for places in chords
        ]
    return {name: staff for name, staff in split.items() if any(staff)} or {"Drums": list(chords)}


def _by_hand(hit: Hit) -> bool:
    """Whether a hit is one of hand percussion, and not of the kit."""
    voice = int(FULL.voice_of[hit.pitch])
    return voice >= 0 and FULL.voices[voice].limb == "percussion"


def _part_list(root: ET.Element, staves: Mapping[str, Sequence[Places]]) -> None:
    """The parts, with an instrument for each drum note, so that a program that plays the score sounds right."""
    listed = _add(root, "part-list")
    for number, (name, staff) in enumerate(staves.items(), start=1):
        pitches = sorted({hit.pitch for places in staff for hits in places.values() for hit in hits})
        part = _add(listed, "score-part", id=f"P{number}")
        _add(part, "part-name", name)
        if len(staves) > 1:
            _add(part, "part-abbreviation", _SHORT[name])
        _instruments(part, pitches)


def _instruments(part: ET.Element, pitches: Sequence[int]) -> None:
    for pitch in pitches:
        _add(_add(part, "score-instrument", id=f"I{pitch}"), "instrument-name", _piece_name(pitch).capitalize())
    for pitch in pitches:
        midi = _add(part, "midi-instrument", id=f"I{pitch}")
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
    if bar.denominator <= 4 or max(bar.groups) == 1 or unit * max(bar.groups) < _DIVISIONS // 2:
        sizes = [_DIVISIONS] * -(-length // _DIVISIONS)
    else:
        sizes = [unit * size for size in bar.groups]
    ends = [min(end, length) for end in np.cumsum(sizes).tolist()]
    starts = [0, *ends[:-1]]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if start < end]


def _chords(song: Song, bars: Sequence[Bar], drums: Part) -> list[Places]:
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


def _bar_chords(hits: Iterable[tuple[int, int, Hit]], length: int) -> Places:
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


def _swings(bars: Sequence[Bar], chords: Sequence[Places]) -> bool:
    """Whether a part is written as swing: beats of long and short eighths, few of three, hardly any straight ones."""
    long, full, straight = 0, 0, 0
    for bar, places in zip(bars, chords, strict=True):
        if bar.denominator <= 4:
            for within in _beats(places).values():
                long += 32 in within and 16 not in within
                full += 16 in within
                straight += within <= {0, 24} and 24 in within
    return long >= _SWING and long > 2 * full and 8 * straight <= long


def _beats(places: Iterable[tuple[int, bool]]) -> dict[int, set[int]]:
    """The places within each quarter that is played in, hands and feet together."""
    beats: dict[int, set[int]] = {}
    for place, _ in places:
        beats.setdefault(place // _DIVISIONS, set()).add(place % _DIVISIONS)
    return beats


def _as_swing(bar: Bar, places: Places) -> Places:
    """The short eighths of a bar at the half of their beats."""
    if bar.denominator > 4:
        return places
    short = {
        quarter * _DIVISIONS + 32 for quarter, within in _beats(places).items() if 32 in within and 16 not in within
    }
    return {(place - 8 if place in short else place, feet): hits for (place, feet), hits in places.items()}


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
    places: Places,
    tempos: Sequence[tuple[int, float, bool]],
    named: set[str],
    swings: bool,
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
        _tempo(measure, bar, place, bpm, shown, swings and before is None)
    for place, name in _new_names(places, named):
        direction = _add(measure, "direction", placement="above")
        _add(_add(direction, "direction-type"), "words", name)
        _add(direction, "offset", place)

    voices = {feet: {place: hits for (place, side), hits in places.items() if side == feet} for feet in (False, True)}
    if not places:
        _whole_rest(measure, length)
    cells = {
        feet: _joined_rests([list(_events(voices[feet], *cell)) for cell in _cells(song, bar)], bar)
        for feet in voices
        if voices[feet]
    }
    both = set.intersection(*map(_silences, cells.values())) if cells else set()
    if voices[False]:
        _voice(measure, cells[False], "1", both)
    if voices[False] and voices[True]:
        _add(_add(measure, "backup"), "duration", length)
    if voices[True]:
        _voice(measure, cells[True], "2", both, alone=len(cells) == 1)


def _new_names(places: Places, named: set[str]) -> Iterator[tuple[int, str]]:
    """(place, names) of the hand percussion and strange notes that appear for the first time."""
    for (place, _), hits in sorted(places.items(), key=lambda item: item[0]):
        new = [
            _piece_name(hit.pitch)
            for hit in reversed(hits)  # as they stand, from the top
            if _by_hand(hit) or FULL.voice_of[hit.pitch] < 0
        ]
        new = [name for name in dict.fromkeys(new) if name not in named]
        if new:
            named.update(new)
            yield place, ", ".join(new)


def _silences(cells: Iterable[Sequence[Event]]) -> set[tuple[int, Event]]:
    """The rests of a bar by where they begin, but for those of triplets."""
    found, place = set(), 0
    for event in (event for cell in cells for event in cell):
        if not event.hits and not event.triplet:
            found.add((place, event))
        place += event.length
    return found


def _voice(
    measure: ET.Element,
    cells: Sequence[Sequence[Event]],
    voice: str,
    both: set[tuple[int, Event]],
    *,
    alone: bool = True,
) -> None:
    """The notes and rests of hands or feet. A rest that `both` have is written once, in the middle of the staff."""
    at = 0
    for cell in cells:
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
                shared = (at, event) in both
                place = _RESTS["both" if shared else "1 short" if voice == "1" and event.value < 24 else voice]
                hidden = shared and not alone
                _rest(measure, event, voice, place, tuplet, bracket=bracket, hidden=hidden)
            for head, hit in enumerate(event.hits):
                _note(measure, event, hit, voice, beams[index], tuplet, bracket, is_chord=head > 0)
            at += event.length


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


def _whole_rest(measure: ET.Element, length: int) -> None:
    note = _add(measure, "note")
    _add(note, "rest", measure="yes")
    _add(note, "duration", length)
    _add(note, "voice", "1")


def _rest(
    measure: ET.Element, event: Event, voice: str, place: str, tuplet: str, *, bracket: bool, hidden: bool
) -> None:
    note = _add(measure, "note")
    if hidden:
        note.set("print-object", "no")
    rest = _add(note, "rest")
    _add(rest, "display-step", place[0])
    _add(rest, "display-octave", place[1])
    _add(note, "duration", event.length)
    _add(note, "voice", voice)
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
    _add(note, "instrument", id=f"I{hit.pitch}")
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


def _tempo_marks(song: Song, bars: Sequence[Bar], first: int) -> list[list[tuple[int, float, bool]]]:
    """For each bar, its tempo events: (place in 48ths of a quarter, quarters a minute, is it printed).

    All are played; printed are the first, and those that differ by 4 % or more from the last that was printed. The bar
    `first` has the tempo that holds there.
    """
    marks: list[list[tuple[int, float, bool]]] = [[] for _ in bars]
    starts = [bar.start for bar in bars]
    printed = 0.0
    events = {tempo.tick: tempo for tempo in (DEFAULT_TEMPO, *song.tempos)}
    if first:
        here = bars[first].start
        events = {tick: tempo for tick, tempo in events.items() if tick > here}
        events[here] = song.tempo_at(here)._replace(tick=here)
    for tempo in sorted(events.values()):
        index = int(np.searchsorted(starts, tempo.tick, side="right")) - 1
        if index + 1 == len(bars) and tempo.tick >= bars[-1].end:
            continue
        place = round(Fraction((tempo.tick - starts[index]) * _DIVISIONS, song.ticks_per_quarter))
        shown = abs(tempo.bpm - printed) >= 0.04 * printed or not printed
        printed = tempo.bpm if shown else printed
        marks[index].append((place, tempo.bpm, shown))
    return marks


def _tempo(measure: ET.Element, bar: Bar, place: int, bpm: float, shown: bool, swings: bool) -> None:
    """A tempo, by the beat that is counted: in metres that go in threes of eighths, the dotted quarter."""
    speed = {"tempo": f"{bpm:.4f}".rstrip("0").rstrip(".")}
    if not shown:
        element = _add(measure, "sound", **speed)
        if place:
            _add(element, "offset", place)
        return
    direction = _add(measure, "direction", placement="above")
    if swings:
        _add(_add(direction, "direction-type"), "words", "Swing", **{"font-weight": "bold"})
    metronome = _add(_add(direction, "direction-type"), "metronome")
    dotted = bar.denominator == 8 and set(bar.groups) == {3}
    _add(metronome, "beat-unit", "quarter")
    if dotted:
        _add(metronome, "beat-unit-dot")
    _add(metronome, "per-minute", f"{bpm / 1.5 if dotted else bpm:.0f}")
    if place:
        _add(direction, "offset", place)
    sound = _add(direction, "sound", **speed)
    if swings:
        swing = _add(sound, "swing")
        _add(swing, "first", 2)
        _add(swing, "second", 1)
        _add(swing, "swing-type", "eighth")
