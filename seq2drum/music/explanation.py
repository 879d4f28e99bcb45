"""The texts about a take and its drum map. Only the standard library is imported, as the client has these as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from seq2drum.music.choices import INSTRUMENTS

SAID: Mapping[str, str] = MappingProxyType(
    {
        "heard": "the guitar sounds like {style} ({share})",
        "heard.skank": ": short chords on 2 and 4, or off the beat",
        "heard.gallop": ": an eighth and two sixteenths on the beats",
        "heard.leaning sixteenths": ": short strokes on leaning sixteenths",
        "heard.swung sevenths": ": swung chords with a seventh",
        "heard.leaning sevenths": ": chords with a seventh off the beat, over notes on 1 and 3",
        "groove": "on the groove {groove}",
        "groove.section": "section {section} on the groove {groove}",
        "waits": "waits for the guitar",
        "waits.bass": "waits for the bass",
        "rests.out": "rests, as requested",
        "rests.both": "rests, as the guitar does",
        "rests.drums": "rests while the guitar plays",
        "rests.guitar": "plays on while the guitar rests",
        "plan.fuller": "section {section} fuller, {level} times the song's hits",
        "plan.sparser": "section {section} sparser, {level} times the song's hits",
        "plan.even": "section {section} as full as the song",
        "on.closed hat": ", on the hi-hat",
        "on.open hat": ", on the open hi-hat",
        "on.ride": ", on the ride",
        "on.crash": ", on the crash",
        "time.closed hat": "time on the hi-hat",
        "time.open hat": "time on the open hi-hat",
        "time.ride": "time on the ride",
        "time.crash": "time on the crash",
        **{f"beside.{name}": f"{shown} beside the drums" for name, (shown, _) in INSTRUMENTS.items()},
        "instead": "{other} instead of {piece}, as requested",
        "as.bar": "as bar {first}",
        "as.bars": "as bars {first}-{last}",
        "nearly.bar": "nearly as bar {first}",
        "nearly.bars": "nearly as bars {first}-{last}",
        "as.there": ", where the guitar does the same",
        "as.too": ", and so does the guitar",
        "as.partly": "; the guitar does so in {same} of {count}",
        "kick": "kick with the guitar's accents, {met} of {count}",
        "busier": "busier: {after} hits a quarter after {before}",
        "sparser": "sparser: {after} hits a quarter after {before}",
        "as.guitar": ", as the guitar with {after} strokes after {before}",
        "fill": "fill",
        "fill.toms": "fill with toms",
        "break": "break",
        "before": " before bar {bar}",
        "crash": "crash on the downbeat",
        "crash.each": "crash on each downbeat",
        "after.fill": " after the fill",
        "after.break": " after the break",
        "guitar.enters": ", where the guitar comes in",
        "guitar.new": ", where the guitar plays something new",
        "guitar.again": ", where the guitar plays again what it plays from bar {bar}",
        "guitar.like": ", where the guitar plays much as from bar {bar}",
    }
)
"""The pieces of explanations by name, in words. A sentence is one piece or several in a row."""


class Piece(NamedTuple):
    """A piece of a sentence: its name in SAID, and the values in it."""

    what: str
    values: Mapping[str, str] = MappingProxyType({})


class Explanation(NamedTuple):
    """A statement about bars `first` to `last`, counted from 1. pieces: of the text, for other languages."""

    first: int
    last: int
    text: str
    pieces: tuple[Piece, ...] = ()

    def __str__(self) -> str:
        bars = f"bar {self.first}" if self.first == self.last else f"bars {self.first}-{self.last}"
        return f"{bars}: {self.text}"


def piece(what: str, **values: object) -> Piece:
    """A piece with its values as texts."""
    return Piece(what, {name: str(value) for name, value in values.items()})


def explained(first: int, last: int, *pieces: Piece) -> Explanation:
    """An explanation of these pieces."""
    return Explanation(first, last, "".join(SAID[one.what].format(**one.values) for one in pieces), pieces)


class SectionGroove(NamedTuple):
    """The groove of a section of a take: the section's letter, the groove's name, and its title."""

    section: str
    name: str
    title: str


class Swap(NamedTuple):
    """Hits of a piece that a sampler's kit lacks: piece, number, and the piece that plays them ("": left out)."""

    piece: str
    instead: str
    hits: int

    def __str__(self) -> str:
        hits = f"{self.hits} hit{'s' if self.hits > 1 else ''}"
        went = f"on its {self.instead}" if self.instead else "left out"
        return f"the kit of this drum map has no {self.piece}: {hits} {went}"


def origin(source: str, tried: bool) -> str:
    """The source of a drum map, and whether it was tried."""
    return f"{source}; {'tried in synthesisers' if tried else 'not tried in the product'}"


def in_words(grooves: Sequence[SectionGroove]) -> str:
    """The grooves of a take by their titles, with the sections if there are several grooves; "" without any.

    Such as "half-time rock, ride", or "A and C half-time rock, ride; B one drop".
    """
    sections: dict[str, list[str]] = {}
    for groove in grooves:
        sections.setdefault(groove.title, []).append(groove.section)
    if len(sections) < 2:
        return "".join(sections)
    return "; ".join(f"{_listed(letters)} {title}" for title, letters in sections.items())


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
