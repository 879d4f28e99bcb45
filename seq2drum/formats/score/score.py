"""Drums -> a written score, as values: staves, measures, voices, chords with their beams.

Drum notation (two voices, beams, rests, note heads and their places) is decided here; nothing is left to the program
that shows the score. `musicxml` writes the values to bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seq2drum.music.kit import FULL
from seq2drum.music.notes import Bar, Part, Song, Tempo


class Sign(NamedTuple):
    """The notation of a piece of the kit: its place on the staff (as in treble clef), note head, and sign above."""

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
OTHER = Sign("G4", "square")  # a note outside the kit

DIVISIONS = 48  # a quarter
# Places within a quarter. `grid.PLACES` are the same six; the seventh here is the next quarter's first.
_EVEN = (0, 12, 24, 36, 48)
_TRIPLET = (0, 16, 32, 48)
_PLACES = tuple(sorted({*_EVEN, *_TRIPLET}))
_CLEAR = 0.5  # 48ths of a quarter: hits this near to a place are meant for it
_GHOST = 0.55  # a snare softer than this share of the part's median snare is written in parentheses
_SWING = 4  # the fewest beats of long and short eighths in a part written as swing


class Head(NamedTuple):
    """One note head. A ghost note has its head in parentheses."""

    pitch: int
    velocity: int
    sign: Sign
    ghost: bool


Heads: TypeAlias = dict[tuple[int, bool], tuple[Head, ...]]
"""The heads of a bar: (place, by the feet) -> heads, from the lowest to the highest."""


def heads_of(song: Song, bars: Sequence[Bar], drums: Part) -> list[Heads]:
    """The heads of each bar of the song; see `musicxml.write_score` for their places."""
    # 1. The place of each note in its bar, and the ghost notes of the snare.
    snares = drums.velocity[np.isin(drums.pitch, FULL.voices[FULL.names.index("snare")].notes)]
    ghost = _GHOST * float(np.median(snares)) if len(snares) else 0.0
    starts = np.array([bar.start for bar in bars])
    indices = np.maximum(np.searchsorted(starts, drums.onset, side="right") - 1, 0)
    exacts = (drums.onset - starts[indices]) * (DIVISIONS / song.ticks_per_quarter)
    swung = _is_swung(exacts)
    # 2. The nearest place of each; one at the end of its bar belongs to the next.
    raw: list[list[tuple[int, int, Head]]] = [[] for _ in bars]  # (quarter, 48ths within it, head)
    for note, index, exact in zip(drums, indices.tolist(), exacts.tolist(), strict=True):
        voice = int(FULL.voice_of[note.pitch])
        sign = SIGNS[FULL.voices[voice].name] if voice >= 0 else OTHER
        head = Head(note.pitch, note.velocity, sign, sign == SIGNS["snare"] and note.velocity < ghost)
        place = _nearest(exact, swung) if bars[index].denominator <= 4 else _nearest(exact, False, _EVEN)
        if place >= length_of(song, bars[index]):
            if index + 1 < len(bars):
                index, place = index + 1, 0
            else:
                place = _nearest_before(length_of(song, bars[index]))
        raw[index].append((place // DIVISIONS, place % DIVISIONS, head))
    # 3. Each quarter with one kind of places, and each head once.
    return [_bar_heads(of_bar, length_of(song, bar)) for bar, of_bar in zip(bars, raw, strict=True)]


def merged(song: Song, drums: Part) -> int:
    """The number of hits left out because a louder one has their head."""
    return len(drums) - sum(len(chord) for bar in heads_of(song, song.bars(), drums) for chord in bar.values())


def length_of(song: Song, bar: Bar) -> int:
    """The printed length of a bar, a multiple of a 64th: the bar's own, or the nearest to it for a cut bar."""
    return max(3, 3 * round(Fraction(bar.length * 16, song.ticks_per_quarter)))


def _is_swung(exacts: NDArray[np.float64]) -> bool:
    """Return whether more hits of the part lie nearer to triplets than to the 16ths beside them."""
    within = exacts % DIVISIONS
    triplets = np.minimum(abs(within - 16), abs(within - 32)) < 2
    sixteenths = np.minimum(abs(within - 12), abs(within - 36)) < 2
    return bool(triplets.sum() > sixteenths.sum())


def _nearest(exact: float, swung: bool, choices: Sequence[int] = _PLACES) -> int:
    """The nearest written place of a hit. One clearly between a triplet and the 16th beside it goes with the part.

    So a swing that is a little sharper or softer than triplets is not written as a mixture of the two.
    """
    quarter, within = divmod(exact, DIVISIONS)
    place = min(choices, key=lambda choice: abs(within - choice))
    if choices is _PLACES:
        for sixteenth, triplet in ((12, 16), (36, 32)):
            if min(abs(within - sixteenth), abs(within - triplet)) > _CLEAR and min(sixteenth, triplet) < within < max(
                sixteenth, triplet
            ):
                place = triplet if swung else sixteenth
    return int(quarter) * DIVISIONS + place


def _nearest_before(end: int) -> int:
    quarter = (end - 1) // DIVISIONS
    return max(quarter * DIVISIONS + choice for choice in _EVEN if quarter * DIVISIONS + choice < end)


def _bar_heads(hits: Iterable[tuple[int, int, Head]], length: int) -> Heads:
    """The heads of a bar from (quarter, 48ths within it, head): a quarter has triplets or 16ths, by majority."""
    quarters: dict[int, list[tuple[int, Head]]] = {}
    for quarter, place, head in hits:
        quarters.setdefault(quarter, []).append((place, head))
    chords: dict[tuple[int, bool], dict[tuple[str, str], Head]] = {}
    for quarter, within in quarters.items():
        triplets = sum(place in (16, 32) for place, _ in within)
        evens = sum(place in (12, 24, 36) for place, _ in within)
        whole = (quarter + 1) * DIVISIONS <= length  # a barline must not cut a triplet
        kind = _TRIPLET[:3] if whole and triplets >= evens and triplets else _EVEN[:4]
        choices = [place for place in kind if quarter * DIVISIONS + place < length]
        for place, head in within:
            moved = quarter * DIVISIONS + min(choices, key=lambda choice: abs(choice - place))
            voice = int(FULL.voice_of[head.pitch])
            chord = chords.setdefault((moved, voice >= 0 and FULL.voices[voice].limb == "foot"), {})
            same = chord.get(head.sign[:2])
            if same is None or same.velocity < head.velocity:
                chord[head.sign[:2]] = head
    return {
        key: tuple(sorted(chord.values(), key=lambda head: (_height(head.sign), head.pitch)))
        for key, chord in chords.items()
    }


def _height(sign: Sign) -> int:
    """Places above C0 on the staff."""
    return 7 * int(sign.place[1]) + "CDEFGAB".index(sign.place[0])


def by_hand(head: Head) -> bool:
    """Return whether a head belongs to hand percussion instead of the kit."""
    voice = int(FULL.voice_of[head.pitch])
    return voice >= 0 and FULL.voices[voice].limb == "percussion"


def piece_name(pitch: int) -> str:
    """The name of a General MIDI drum note in a score."""
    voice = int(FULL.voice_of[pitch])
    return FULL.voices[voice].name if voice >= 0 else f"note {pitch}"


# --- swing ------------------------------------------------------------------------------------------------------------


def swings(bars: Sequence[Bar], heads: Sequence[Heads]) -> bool:
    """True for a part to be written as swing: beats of long and short eighths, few of three, hardly any straight."""
    long, full, straight = 0, 0, 0
    for bar, places in zip(bars, heads, strict=True):
        if bar.denominator <= 4:
            for within in _beats(places).values():
                long += 32 in within and 16 not in within
                full += 16 in within
                straight += within <= {0, 24} and 24 in within
    return long >= _SWING and long > 2 * full and 8 * straight <= long


def _beats(places: Iterable[tuple[int, bool]]) -> dict[int, set[int]]:
    """The places within each quarter that has hits, hands and feet together."""
    beats: dict[int, set[int]] = {}
    for place, _ in places:
        beats.setdefault(place // DIVISIONS, set()).add(place % DIVISIONS)
    return beats


def as_swing(bar: Bar, heads: Heads) -> Heads:
    """The bar with its short eighths at the half of their beats."""
    if bar.denominator > 4:
        return heads
    short = {quarter * DIVISIONS + 32 for quarter, within in _beats(heads).items() if 32 in within and 16 not in within}
    return {(place - 8 if place in short else place, feet): chord for (place, feet), chord in heads.items()}


TYPES = {192: "whole", 96: "half", 48: "quarter", 24: "eighth", 12: "16th", 6: "32nd", 3: "64th"}
DOTTED = {length * 3 // 2: length for length in TYPES if 3 < length < 192}
"""The lengths that are written with a dot, and the length without it."""

_LENGTHS = sorted({*TYPES, *DOTTED}, reverse=True)
_FLAGS = {"eighth": 1, "16th": 2, "32nd": 3, "64th": 4}
# Places of a rest of the hands, of the feet, and of both; one of the hands with two flags or more hangs lower.
_RESTS = {"hands": "D5", "short hands": "F5", "feet": "E4", "both": "B4"}


_STEP = DIVISIONS // 4
"""Tempos change at sixteenths, since those of a file can come a little before their barline."""


class Chord(NamedTuple):
    """Heads on one stem, or a rest without any.

    `length` is the time it takes, `value` the length it is drawn as (a triplet eighth lasts 16 and looks like 24), with
    dots. `beams` are those to the chords beside it, from the first down, in MusicXML's words. `tuplet` marks a triplet
    that starts or stops here, with a bracket or without. `rest` is the place of a rest on the staff; a rest that hands
    and feet share is written by the hands and hidden in the feet.
    """

    length: int
    value: int
    heads: tuple[Head, ...]
    triplet: bool
    beams: tuple[str, ...] = ()
    tuplet: str = ""
    bracket: bool = False
    rest: str = ""
    hidden: bool = False


class TempoMark(NamedTuple):
    """A tempo at a place of its measure, in quarters a minute; `dotted`: it is counted in dotted quarters."""

    place: int
    bpm: float
    printed: bool
    dotted: bool


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure of a staff: the chords of hands and feet, one after the other; both are empty if nothing is played.

    `number` is from 1. `metre` is None if it is that of the measure before. `cut`: it is shorter or longer than its
    metre. `names`: (place, text) of pieces that are named here for the first time.
    """

    number: int
    length: int
    metre: tuple[int, int] | None
    cut: bool
    tempos: tuple[TempoMark, ...]
    names: tuple[tuple[int, str], ...]
    hands: tuple[Chord, ...]
    feet: tuple[Chord, ...]


@dataclass(frozen=True, slots=True)
class Staff:
    """A player's staff: its name in full and in short, (MIDI pitch, name) of each piece on it, and its measures."""

    name: str
    short: str
    pieces: tuple[tuple[int, str], ...]
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """A written drum part. `swings`: plain eighths are played long and short. `ends`: its end is the song's."""

    staves: tuple[Staff, ...]
    swings: bool
    ends: bool


def written(song: Song, drums: Part, *, first_bar: int = 0, last_bar: int | None = None) -> Score:
    """The drums in notation; see `musicxml.write_score`."""
    bars = song.bars()
    heads = heads_of(song, bars, drums)
    is_swing = swings(bars, heads)
    if is_swing:
        heads = [as_swing(bar, places) for bar, places in zip(bars, heads, strict=True)]
    tempos = _tempo_marks(song, bars, first_bar)
    shown = slice(first_bar, last_bar)
    staves: list[Staff] = []
    for (name, short), of_staff in _staves(heads[shown]).items():
        measures = _measures(song, bars[shown], of_staff, tempos[shown] if not staves else None)
        staves.append(Staff(name, short, _pieces(of_staff), measures))
    return Score(tuple(staves), is_swing, ends=last_bar is None or last_bar >= len(bars))


# --- staves and measures ----------------------------------------------------------------------------------------------


def _staves(heads: Sequence[Heads]) -> dict[tuple[str, str], list[Heads]]:
    """The bars of the kit and of the hand percussion, by the names of their staff; empty ones are left out."""
    split: dict[tuple[str, str], list[Heads]] = {}
    for names, percussion in ((("Drums", "Dr."), False), (("Percussion", "Perc."), True)):
        for bar in heads:
            kept = {key: tuple(head for head in chord if by_hand(head) is percussion) for key, chord in bar.items()}
            split.setdefault(names, []).append({key: chord for key, chord in kept.items() if chord})
    return {names: staff for names, staff in split.items() if any(staff)} or {("Drums", "Dr."): list(heads)}


def _pieces(staff: Iterable[Heads]) -> tuple[tuple[int, str], ...]:
    pitches = sorted({head.pitch for bar in staff for chord in bar.values() for head in chord})
    return tuple((pitch, piece_name(pitch)) for pitch in pitches)


def _measures(
    song: Song, bars: Sequence[Bar], staff: Sequence[Heads], tempos: Sequence[tuple[TempoMark, ...]] | None
) -> tuple[Measure, ...]:
    """The measures of a staff; tempos stand above the first staff alone."""
    measures = []
    named: set[str] = set()
    before: tuple[int, int] | None = None
    for index, (bar, heads) in enumerate(zip(bars, staff, strict=True)):
        metre = (bar.numerator, bar.denominator)
        hands, feet = _voices(song, bar, heads)
        measures.append(
            Measure(
                number=bar.index + 1,
                length=length_of(song, bar),
                metre=None if metre == before else metre,
                cut=length_of(song, bar) != 4 * DIVISIONS * bar.numerator // bar.denominator,
                tempos=tempos[index] if tempos else (),
                names=tuple(_new_names(heads, named)),
                hands=hands,
                feet=feet,
            )
        )
        before = metre
    return tuple(measures)


def _new_names(heads: Heads, named: set[str]) -> Iterator[tuple[int, str]]:
    """(place, names) of the hand percussion and strange notes that appear for the first time; `named` learns them."""
    for (place, _), chord in sorted(heads.items(), key=lambda item: item[0]):
        new = [
            piece_name(head.pitch)
            for head in reversed(chord)  # as they stand, from the top
            if by_hand(head) or FULL.voice_of[head.pitch] < 0
        ]
        new = [name for name in dict.fromkeys(new) if name not in named]
        if new:
            named.update(new)
            yield place, ", ".join(new)


# --- voices, chords and rests -----------------------------------------------------------------------------------------

Cell: TypeAlias = list[Chord]
"""Chords and rests of one voice that are beamed together."""


def _voices(song: Song, bar: Bar, heads: Heads) -> tuple[tuple[Chord, ...], tuple[Chord, ...]]:
    """The chords of hands and feet, ready to print."""
    cells: dict[bool, list[Cell]] = {}
    for feet in (False, True):
        voice = {place: chord for (place, side), chord in heads.items() if side is feet}
        if voice:
            stretches = _stretches(bar, length_of(song, bar))
            cells[feet] = _joined_rests([list(_chords(voice, *stretch)) for stretch in stretches], bar)
    shared = set.intersection(*map(_silences, cells.values())) if cells else set()
    hands = _printed(cells.get(False, ()), "hands", shared, hidden=False)
    return hands, _printed(cells.get(True, ()), "feet", shared, hidden=len(cells) == 2)


def _stretches(bar: Bar, length: int) -> list[tuple[int, int]]:
    """(start, end) of each beamed group: quarters, or the groups of a metre in eighths or shorter."""
    unit = 4 * DIVISIONS // bar.denominator
    if bar.denominator <= 4 or max(bar.groups) == 1 or unit * max(bar.groups) < DIVISIONS // 2:
        sizes = [DIVISIONS] * -(-length // DIVISIONS)
    else:
        sizes = [unit * size for size in bar.groups]
    ends = [min(end, length) for end in np.cumsum(sizes).tolist()]
    starts = [0, *ends[:-1]]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if start < end]


def _chords(voice: Mapping[int, tuple[Head, ...]], start: int, end: int) -> Iterator[Chord]:
    """The notes and rests of one voice from `start` to `end`, a beamed group.

    A drum has no length: a note is drawn up to the next, if one plain value has that length.
    """
    onsets = sorted(place for place in voice if start <= place < end)
    triplet = any(place % DIVISIONS in (16, 32) for place in onsets)
    if not onsets or onsets[0] > start:
        yield from _rests((onsets[0] if onsets else end) - start, triplet)
    for onset, following in zip(onsets, [*onsets[1:], end], strict=False):
        gap = following - onset
        if triplet:
            yield Chord(gap, gap * 3 // 2, voice[onset], True)
            continue
        off_beat = (onset - start) % 24 != 0
        length = next(value for value in _LENGTHS if value <= (min(gap, 36) if off_beat else gap))
        if off_beat and end - start != DIVISIONS and gap > 24:
            length = 12
        yield Chord(length, length, voice[onset], False)
        yield from _rests(gap - length, False)


def _rests(length: int, triplet: bool) -> Iterator[Chord]:
    while length > 0:
        if triplet:
            yield Chord(length, length * 3 // 2, (), True)
            return
        value = next((value for value in _LENGTHS if value <= length), length)
        yield Chord(value, value, (), False)
        length -= value


def _joined_rests(cells: list[Cell], bar: Bar) -> list[Cell]:
    """Two quarter rests that make the first or second half of a 4/4 bar become one half rest."""
    if (bar.numerator, bar.denominator) not in ((4, 4), (2, 2)):
        return cells
    quarter = [Chord(48, 48, (), False)]
    joined: list[Cell] = []
    for index, cell in enumerate(cells):
        if index % 2 and cell == quarter and joined[-1] == quarter:
            joined[-1] = [Chord(96, 96, (), False)]
        else:
            joined.append(cell)
    return joined


def _silences(cells: Iterable[Cell]) -> set[tuple[int, Chord]]:
    """The rests of a voice by their start, without those of triplets."""
    rests, place = set(), 0
    for chord in (chord for cell in cells for chord in cell):
        if not chord.heads and not chord.triplet:
            rests.add((place, chord))
        place += chord.length
    return rests


def _printed(cells: Iterable[Cell], limb: str, shared: set[tuple[int, Chord]], *, hidden: bool) -> tuple[Chord, ...]:
    """The chords of a voice with beams, tuplets and places of rests. A shared rest stands in the middle.

    hidden: the other voice writes the shared rests.
    """
    printed: list[Chord] = []
    at = 0
    for cell in cells:
        bracket = cell[0].triplet and not all(chord.value <= 24 and chord.heads for chord in cell)
        for index, (chord, beams) in enumerate(zip(cell, _beams(cell), strict=True)):
            tuplet, rest, is_shared = "", "", (at, chord) in shared
            if chord.triplet and index in (0, len(cell) - 1):
                tuplet = "start" if index == 0 else "stop"
            if not chord.heads:
                short = "short " if limb == "hands" and chord.value < 24 else ""
                rest = _RESTS["both" if is_shared else short + limb]
            at += chord.length
            printed.append(
                chord._replace(
                    beams=tuple(beams), tuplet=tuplet, bracket=bracket, rest=rest, hidden=hidden and is_shared
                )
            )
    return tuple(printed)


def _beams(cell: Cell) -> list[list[str]]:
    """For each chord, its beams from the first down: begin, continue, end, or a hook. A rest ends a beam."""
    flags = [_FLAGS.get(TYPES[DOTTED.get(chord.value, chord.value)], 0) if chord.heads else 0 for chord in cell]
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


# --- tempos -----------------------------------------------------------------------------------------------------------


def _tempo_marks(song: Song, bars: Sequence[Bar], first: int) -> list[tuple[TempoMark, ...]]:
    """The tempos of each bar at sixteenths. Printed are the first, and those 4 % or more from the last printed.

    The bar `first` has the tempo in effect there.
    """
    # 1. The written place of each, the last of several there.
    tempos = {tempo.tick: tempo for tempo in song.tempo_map}
    if first:
        here = bars[first].start
        tempos = {tick: tempo for tick, tempo in tempos.items() if tick > here}
        tempos[here] = song.tempo_at(here)._replace(tick=here)
    starts = [bar.start for bar in bars]
    placed: dict[tuple[int, int], Tempo] = {}
    for tempo in sorted(tempos.values()):
        index = int(np.searchsorted(starts, tempo.tick, side="right")) - 1
        place = _STEP * round(Fraction((tempo.tick - starts[index]) * DIVISIONS, song.ticks_per_quarter * _STEP))
        if place >= length_of(song, bars[index]):
            index, place = index + 1, 0
        placed[index, place] = tempo
    # 2. Decide which of them are printed.
    marks: list[list[TempoMark]] = [[] for _ in bars]
    last_printed = 0.0
    for (index, place), tempo in placed.items():
        if index == len(bars):
            break
        printed = abs(tempo.bpm - last_printed) >= 0.04 * last_printed or not last_printed
        last_printed = tempo.bpm if printed else last_printed
        # In compound metres of eighths the counted beat is the dotted quarter.
        dotted = bars[index].denominator == 8 and set(bars[index].groups) == {3}
        marks[index].append(TempoMark(place, tempo.bpm, printed, dotted))
    return [tuple(of_bar) for of_bar in marks]
