"""Hits -> note heads: with which sign a piece of the kit is written, and at which place of its bar a hit is written.

Places and lengths are in 48ths of a quarter: 64ths are 3, triplet eighths 16.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from seq2drum.music.kit import FULL
from seq2drum.music.notes import Bar, Part, Song


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

DIVISIONS = 48  # a quarter
# Places within a quarter. `grid.PLACES` are the same six; the seventh here is the next quarter's first.
_EVEN = (0, 12, 24, 36, 48)
_TRIPLET = (0, 16, 32, 48)
_PLACES = tuple(sorted({*_EVEN, *_TRIPLET}))
_CLEAR = 0.5  # 48ths of a quarter: hits this near to a place are meant for it
_GHOST = 0.55  # a snare softer than this share of the part's median snare is written in parentheses
_SWING = 4  # beats of long and short eighths that a part has at least, if it is written as swing


class Head(NamedTuple):
    """One note head. A ghost note has its head in parentheses."""

    pitch: int
    velocity: int
    sign: Sign
    ghost: bool


Heads: TypeAlias = dict[tuple[int, bool], tuple[Head, ...]]
"""What is struck in a bar: (place, is it the feet) -> heads, from the lowest to the highest."""


def heads_of(song: Song, bars: Sequence[Bar], drums: Part) -> list[Heads]:
    """The heads of each bar of the song; see `musicxml.write_score` for the places that are chosen."""
    # 1. Where each note lies in its bar, and which snares are ghost notes.
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
    # 3. Each quarter in one kind of places, and each head once.
    return [_bar_heads(of_bar, length_of(song, bar)) for bar, of_bar in zip(bars, raw, strict=True)]


def merged(song: Song, drums: Part) -> int:
    """How many hits of a part are not written, as a louder one has their head."""
    return len(drums) - sum(len(chord) for bar in heads_of(song, song.bars(), drums) for chord in bar.values())


def length_of(song: Song, bar: Bar) -> int:
    """The printed length of a bar, a multiple of a 64th: the bar's own, or the nearest to it for a cut bar."""
    return max(3, 3 * round(Fraction(bar.length * 16, song.ticks_per_quarter)))


def _is_swung(exacts: NDArray[np.float64]) -> bool:
    """Whether more hits of the part lie nearer to triplets than to the 16ths beside them."""
    within = exacts % DIVISIONS
    triplets = np.minimum(abs(within - 16), abs(within - 32)) < 2
    sixteenths = np.minimum(abs(within - 12), abs(within - 36)) < 2
    return bool(triplets.sum() > sixteenths.sum())


def _nearest(exact: float, swung: bool, choices: Sequence[int] = _PLACES) -> int:
    """The nearest place to write a hit at. One clearly between a triplet and the 16th beside it goes with the part.

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
    """The heads of a bar from (quarter, 48ths within it, head): a quarter has triplets or 16ths, as most of it has."""
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
    """Whether a head is one of hand percussion, and not of the kit."""
    voice = int(FULL.voice_of[head.pitch])
    return voice >= 0 and FULL.voices[voice].limb == "percussion"


def piece_name(pitch: int) -> str:
    """What a General MIDI drum note is called in a score."""
    voice = int(FULL.voice_of[pitch])
    return FULL.voices[voice].name if voice >= 0 else f"note {pitch}"


# --- swing ------------------------------------------------------------------------------------------------------------


def swings(bars: Sequence[Bar], heads: Sequence[Heads]) -> bool:
    """Whether a part is written as swing: beats of long and short eighths, few of three, hardly any straight ones."""
    long, full, straight = 0, 0, 0
    for bar, places in zip(bars, heads, strict=True):
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
        beats.setdefault(place // DIVISIONS, set()).add(place % DIVISIONS)
    return beats


def as_swing(bar: Bar, heads: Heads) -> Heads:
    """The bar with its short eighths at the half of their beats."""
    if bar.denominator > 4:
        return heads
    short = {quarter * DIVISIONS + 32 for quarter, within in _beats(heads).items() if 32 in within and 16 not in within}
    return {(place - 8 if place in short else place, feet): chord for (place, feet), chord in heads.items()}
