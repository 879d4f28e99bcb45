"""The genres of beats: the grooves of each, how often drummers play them, and what may vary in a bar.

Shares follow the groups of songs in which the book found a groove like it, where there are enough, flattened; else they
are a drummer's guess. Only grooves that show the genre in every bar are here: `judge.genres` has the rules.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.play.decode.sampling import drawn_place
from seq2drum.play.grooves.book import Book

_TAG = 0xB00C  # only in the seeds of these draws
FAR = 0.08  # octaves that a tempo may lie outside that of a groove
WITHOUT = "rock", "pop", "funk", "soul", "hiphop", "jazz", "latin", "reggae", "dance", "blues"
"""The genres that a request without one draws from."""


class Genre(NamedTuple):
    """A genre. shares: of its grooves, by name. style: the nearest one of `choices.STYLES`.

    moves: what may vary from bar to bar, see `variants.MOVES`. lifts: whether choruses go to another cymbal, and are
    fuller. is_soft: whether it ends softly. rolls: whether its hat is rolled.
    """

    shares: Mapping[str, float]
    style: str
    moves: tuple[str, ...]
    lifts: bool = True
    is_soft: bool = False
    rolls: bool = False


def _genre(grooves: str, style: str, moves: str, **other: bool) -> Genre:
    words = grooves.split()
    shares = {name: float(share) for name, share in zip(words[::2], words[1::2], strict=True)}
    return Genre(MappingProxyType(shares), style, tuple(moves.split()), **other)


_KICKS = "kick unkick"
GENRE: Mapping[str, Genre] = MappingProxyType(
    {
        "afrobeat": _genre(
            "afrobeat-hat 4 afrobeat-open-hat 2 afrobeat-two-bars 3 afrobeat-cowbell 2", "funk", "kick ghost open"
        ),
        "afrocuban": _genre(
            "son-clave-tumbao 4 rumba-clave-tumbao 3 son-montuno 3 tumbao-congas 2 cascara 2",
            "latin",
            "ghost tom",
            lifts=False,
        ),
        "dance": _genre("disco-open-hat 5 disco-16th-hat 3 house 3 house-snare 3", "dance", "clap late open"),
        "funk": _genre(
            "funk-hat 4 funk-16th-hat 4 funk-open-hat 3 funk-linear 1 funk-ride 1 go-go 1", "funk", f"{_KICKS} ghost"
        ),
        "hiphop": _genre(
            "boom-bap 5 hiphop-16th-hat 3 hiphop-pairs 3 hiphop-open-hat 3", "funk", f"{_KICKS} ghost", lifts=False
        ),
        "jazz": _genre(
            "swing-ride 5 swing-ride-comping 4 swing-side-stick 3 swing-two-feel 1 swing-brushes 1 up-swing 2",
            "jazz",
            "comp bomb",
            lifts=False,
            is_soft=True,
        ),
        "latin": _genre(
            "bossa-side-stick 5 bossa-ride 3 samba-hat 2 samba-ride 1 bolero 1 mambo-bell 2",
            "latin",
            "stick tom",
            lifts=False,
            is_soft=True,
        ),
        "neworleans": _genre(
            "second-line 4 second-line-hat 3 second-line-big-four 3 second-line-buzz 3",
            "funk",
            "kick accent",
            lifts=False,
        ),
        "pop": _genre("pop-hat 6 pop-16th-hat 3 pop-open-hat 3 soul-hat 1 rock-hat 3", "pop", f"{_KICKS} open"),
        "reggae": _genre(
            "one-drop 5 one-drop-16th-hat 3 one-drop-open-hat 3 one-drop-snare 2 one-drop-swung 2 one-drop-ride 1",
            "reggae",
            "stick open",
            lifts=False,
        ),
        "rock": _genre(
            "rock-hat-plain 6 rock-hat 5 rock-hat-pushed 4 rock-open-hat 3 rock-ride 3 rock-hat-two-bars 2"
            " rock-16th-hat 2 rock-quarter-hat 2 rock-ride-bell 1",
            "rock",
            _KICKS,
        ),
        "soul": _genre(
            "soul-hat 5 soul-16th-hat 3 soul-ride 2 soul-tambourine-hat 2 motown 1", "pop", f"{_KICKS} ghost"
        ),
        "trap": _genre(
            "trap-eighths 4 trap-16th-hat 3 trap-bounce 3 trap-sparse 3 trap-open-hat 3 trap-double 2",
            "dance",
            _KICKS,
            lifts=False,
            rolls=True,
        ),
        "metal": _genre(
            "metal-double-kick 4 metal-double-kick-hat 4 metal-double-kick-eighths 2 metal-double-kick-crash 2"
            " metal-half-time-double-kick 2 metal-gallop-reverse 1",
            "metal",
            "late",
            lifts=False,
        ),
        "blues": _genre(
            "shuffle-hat 5 blues-shuffle-kick 4 shuffle-ride 3 shuffle-four 2 texas-shuffle 1 chicago-shuffle 2",
            "shuffle",
            "skip ghostlet",
        ),
        "country": _genre(
            "train-beat-backbeat 4 country-two-step 5 train-beat 2 country-shuffle 1", "pop", "kick", lifts=False
        ),
        "punk": _genre(
            "punk-straight 5 punk-open-hat 4 punk-pairs 3 punk-d-beat-full 3 pop-punk 2", "rock", _KICKS, lifts=False
        ),
        "ballad": _genre(
            "ballad-hat 4 ballad-side-stick 3 ballad-pushed 3 ballad-16th-hat 3 ballad-ride 2",
            "pop",
            _KICKS,
            is_soft=True,
        ),
        "house": _genre(
            "house 5 house-16th-hat 4 house-ride 2 house-snare 3 house-shaker 1", "dance", "clap late", lifts=False
        ),
        "drumandbass": _genre(
            "drum-and-bass 4 drum-and-bass-two-step 4 drum-and-bass-ghosts 4 drum-and-bass-ride 2",
            "dance",
            "kick ghost",
            lifts=False,
        ),
    }
)
"""Every genre of `choices.GENRES`, by name."""


def drawn(shares: Mapping[str, float], bpm: float, seed: int, passage: int, temperature: float) -> tuple[str, Groove]:
    """Return a genre of a mix, and a groove of it that is played at a tempo.

    shares: of each genre; none: any of WITHOUT. passage: what begins anew counts up. A temperature of 0 takes the
    commonest.
    """
    rng = np.random.default_rng([seed, _TAG, passage])
    mix = dict(shares) or {name: 1.0 for name in WITHOUT if _away(name, bpm) <= FAR} or {"rock": 1.0}
    genre, number = _pick(mix, rng, temperature), Book.load()
    near = {name: share for name, share in GENRE[genre].shares.items() if away(number[name], bpm) <= FAR}
    if not near:  # a tempo that no drummer of the genre plays at: the nearest grooves
        least = min(away(number[name], bpm) for name in GENRE[genre].shares)
        near = {name: share for name, share in GENRE[genre].shares.items() if away(number[name], bpm) <= least + FAR}
    return genre, number[_pick(near, rng, temperature)]


def away(groove: Groove, bpm: float) -> float:
    """Return the octaves by which a tempo lies outside that of a groove; 0 inside."""
    slowest, fastest = groove.tempo
    return max(math.log2(slowest / bpm), math.log2(bpm / fastest), 0.0)


def _away(genre: str, bpm: float) -> float:
    book = Book.load()
    return min(away(book[name], bpm) for name in GENRE[genre].shares)


def _pick(shares: Mapping[str, float], rng: np.random.Generator, temperature: float) -> str:
    """Draw a name by its share; the sharper, the lower the temperature."""
    names, weight = list(shares), np.array(list(shares.values()))
    draw = rng.random()  # in any case, so that what follows is the same
    if not temperature:
        return names[int(weight.argmax())]
    return names[drawn_place(np.where(weight > 0, weight, 0.0) ** (1 / temperature) * (weight > 0), draw)]
