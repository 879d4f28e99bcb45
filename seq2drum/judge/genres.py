"""Marks of genres: what a drummer of a genre plays in nearly every bar, so that one hears which it is.

A mark is kept by a bar of 4/4, or not. Marks look at moments, not at places of a lattice: a roll in thirty-seconds, and
a stroke a little early, are what they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.patterns import QUARTERS, TICKS
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Part

NEAR = 0.1  # quarters around a moment in which a stroke is on it
SKIP = (0.58, 0.8)  # quarters behind a beat between which drummers' skip notes are
BETWEEN = 0.15  # quarters behind a beat from which a stroke before the skip note makes it a straight one
NEAR_SIXTEENTH = 0.07  # quarters around a sixteenth, in which no triplet is
LOUD = 50  # velocity above ghost notes
ROLL = 0.14  # most quarters from stroke to stroke of a roll: a thirty-second is .125
LEAST_ROLL = 3  # such gaps in a bar
DOUBLE = 10  # kicks of a bar from which they are those of two feet
CLAVES = ((0, 0.75, 1.5, 2.5, 3), (0, 0.75, 1.75, 2.5, 3), (0.5, 1, 2, 2.75, 3.5), (0.5, 1, 2, 2.75, 3.75))
"""Son and rumba clave in one bar, three-two and two-three."""

_BACK = ("snare", "side stick", "clap")
_HAT = ("closed hat", "open hat", "pedal hat")
_TIME = (*_HAT, "ride", "bell", "crash")
_HANDS = ("side stick", "bell", *(voice.name for voice in FULL.voices if voice.limb == "percussion"))


@dataclass(frozen=True, eq=False)
class Heard:
    """The strokes of one bar: quarters from its barline, voices of the full kit, velocities, all (n,)."""

    at: NDArray[np.float64]
    voice: NDArray[np.int64]
    velocity: NDArray[np.int64]

    def times(self, names: Sequence[str], least: int = 1) -> NDArray[np.float64]:
        """When any of the pieces is struck, at a velocity of at least so much."""
        is_one = np.isin(self.voice, [FULL.places[name] for name in names]) & (self.velocity >= least)
        return self.at[is_one]

    def count(self, names: Sequence[str], moments: Sequence[float], least: int = 1, near: float = NEAR) -> int:
        """At how many of some moments any of the pieces is struck. near: quarters around these."""
        times = self.times(names, least)
        return sum(bool((np.abs(times - moment) <= near).any()) for moment in moments)

    def skips(self, names: Sequence[str]) -> list[bool]:
        """Behind each beat, whether the pieces play a skip note there, and nothing between the beat and it."""
        found, times = list[bool](), self.times(names)
        for beat in range(QUARTERS):
            after = times - beat
            is_late, is_early = (after >= SKIP[0]) & (after <= SKIP[1]), (after >= BETWEEN) & (after < SKIP[0])
            found.append(bool(is_late.any() and not is_early.any()))
        return found

    def on(self, names: Sequence[str], *moments: float, least: int = 1) -> bool:
        """Return True if any of the pieces is struck at each of the moments."""
        return self.count(names, moments, least) == len(moments)


def bars_of(part: Part, bars: int, ticks_per_quarter: int = TICKS) -> list[Heard]:
    """The bars of a drum part in 4/4 on the notes of General MIDI. A stroke just before a barline is behind it."""
    at, voice = part.onset / ticks_per_quarter, FULL.voice_of[part.pitch]
    number = np.floor((at + NEAR) / QUARTERS).astype(np.int64)
    found = []
    for bar in range(bars):
        own = (number == bar) & (voice >= 0)
        found.append(Heard(at[own] - QUARTERS * bar, voice[own], part.velocity[own]))
    return found


# --- marks ------------------------------------------------------------------------------------------------------------

Mark = Callable[[Heard], bool]


def backbeat(bar: Heard) -> bool:
    """Snare, side stick or clap on 2 and 4."""
    return bar.on(_BACK, 1, 3, least=LOUD)


def no_backbeat(bar: Heard) -> bool:
    """No loud snare on both 2 and 4."""
    return not bar.on(("snare", "clap"), 1, 3, least=LOUD)


def four_on_the_floor(bar: Heard) -> bool:
    """A kick on every beat."""
    return bar.on(("kick",), 0, 1, 2, 3)


def one_drop(bar: Heard) -> bool:
    """A kick on 3, and none on 1."""
    return bar.on(("kick",), 2) and not bar.on(("kick",), 0)


def skip_note(bar: Heard) -> bool:
    """Ride, hat or a snare with brushes on three beats or more, and a skip note before one."""
    hat = ("closed hat", "open hat")
    if bar.skips(hat)[0] and bar.on(hat, 0):  # a hat that opens on 1 and 3
        return True
    return any(
        bar.count(names, range(4)) >= 3 and any(bar.skips(names)) for names in (("ride", "bell"), _HAT, ("snare",))
    )


def shuffle(bar: Heard) -> bool:
    """Two skip notes or more on hat or ride, and no straight second eighth."""
    straight = [beat + 0.5 for beat in range(4)]
    return sum(bar.skips(_TIME)) >= 2 and not bar.count(_TIME, straight)


def half_time(bar: Heard) -> bool:
    """Snare or clap on 3, and not on 2 and 4."""
    return bar.on(_BACK, 2, least=LOUD) and not bar.count(_BACK, (1, 3), least=LOUD)


def rolled_hat(bar: Heard) -> bool:
    """A roll on the hat, in thirty-seconds."""
    return int((np.diff(np.sort(bar.times(("closed hat",)))) <= ROLL).sum()) >= LEAST_ROLL


def double_kick(bar: Heard) -> bool:
    """As many kicks as two feet play."""
    return len(bar.times(("kick",))) >= DOUBLE


def clave_or_tumbao(bar: Heard) -> bool:
    """A clave on side stick, bell or hand percussion, or a kick on 2& and 4 and none on 1."""
    is_tumbao = bar.on(("kick",), 1.5, 3) and not bar.on(("kick",), 0)
    return is_tumbao or any(bar.count(_HANDS, clave) >= 4 for clave in CLAVES)


def stick_or_hands(bar: Heard) -> bool:
    """Two strokes or more on side stick, bell or hand percussion, or a samba's kick ahead of beats."""
    return len(bar.times(_HANDS)) >= 2 or bar.on(("kick",), 0.75, 1, 2.75, 3)


def sixteenths(bar: Heard) -> bool:
    """Kick or snare between the eighths, ghost notes too."""
    between = [beat + part for beat in range(4) for part in (0.25, 0.75)]
    return bar.count(("kick", "snare"), between, near=NEAR_SIXTEENTH) >= 1


def second_line(bar: Heard) -> bool:
    """Five strokes or more on the snare, and kicks on 1 and before or behind 2."""
    return (
        len(bar.times(("snare",))) >= 5 and bar.on(("kick",), 0) and bar.count(("kick",), (2 / 3, 0.75, 1.5, 5 / 3)) > 0
    )


def train_or_backbeat(bar: Heard) -> bool:
    """A train beat on the snare, or a backbeat."""
    return len(bar.times(("snare",))) >= 10 or backbeat(bar)


def kick_on_one(bar: Heard) -> bool:
    """A kick on 1."""
    return bar.on(("kick",), 0)


def eighths(bar: Heard) -> bool:
    """Hat, ride, crash or something shaken on six of eight eighths, or the four beats."""
    time = (*_TIME, "shaker", "cabasa", "tambourine")
    return bar.count(time, [place / 2 for place in range(8)]) >= 6 or bar.on(time, 0, 1, 2, 3)


def break_kick(bar: Heard) -> bool:
    """A kick on 3&, and none on 3."""
    return bar.on(("kick",), 2.5) and not bar.on(("kick",), 2)


def offbeat_hat(bar: Heard) -> bool:
    """Hat, ride or shaker between all beats."""
    return bar.on((*_TIME, "shaker", "cabasa"), 0.5, 1.5, 2.5, 3.5)


MARKS: Mapping[str, tuple[Mark, ...]] = MappingProxyType(
    {
        "afrobeat": (no_backbeat, sixteenths, kick_on_one),
        "afrocuban": (clave_or_tumbao, no_backbeat),
        "dance": (four_on_the_floor, backbeat),
        "funk": (backbeat, sixteenths, kick_on_one),
        "hiphop": (backbeat, kick_on_one),
        "jazz": (skip_note, no_backbeat),
        "latin": (no_backbeat, stick_or_hands),
        "neworleans": (second_line, kick_on_one),
        "pop": (backbeat, kick_on_one, eighths),
        "reggae": (one_drop, no_backbeat),
        "rock": (backbeat, kick_on_one, eighths),
        "soul": (backbeat, kick_on_one),
        "trap": (half_time, rolled_hat),
        "metal": (double_kick,),
        "blues": (shuffle, backbeat),
        "country": (train_or_backbeat, kick_on_one),
        "punk": (backbeat, kick_on_one, eighths),
        "ballad": (backbeat, kick_on_one),
        "house": (four_on_the_floor, offbeat_hat),
        "drumandbass": (backbeat, break_kick),
    }
)
"""The marks of each genre, the first of which says most."""


def shares(bars: Sequence[Heard], genre: str) -> dict[str, float]:
    """The share of bars that keep each mark of a genre, by the mark's name."""
    return {mark.__name__: float(np.mean([mark(bar) for bar in bars])) if bars else 0.0 for mark in MARKS[genre]}


# --- repeats and likeness ---------------------------------------------------------------------------------------------


def struck(bar: Heard, parts: int = 12) -> frozenset[tuple[int, int]]:
    """The strokes of a bar, each as the nearest of so many parts of a quarter, and its voice."""
    places = np.rint(bar.at * parts).astype(np.int64).tolist()
    return frozenset(zip(places, bar.voice.tolist(), strict=True))


def commonest(bars: Sequence[Heard]) -> float:
    """The share of bars whose kicks and snares are those of the commonest bar."""
    low = [FULL.places[name] for name in ("kick", "snare", "side stick", "clap")]
    kinds = Counter(frozenset(hit for hit in struck(bar) if hit[1] in low) for bar in bars)
    return kinds.most_common(1)[0][1] / len(bars)


def distinct(bars: Sequence[Heard]) -> int:
    """The number of different bars."""
    return len({struck(bar) for bar in bars})


def likeness(one: Sequence[Heard], other: Sequence[Heard]) -> float:
    """The mean F1 of the hits of bars, one by one."""
    found = []
    for here, there in zip(one, other, strict=True):
        own, its = struck(here), struck(there)
        found.append(2 * len(own & its) / max(len(own) + len(its), 1))
    return float(np.mean(found))


def is_broken(bar: Heard, genre: str | None) -> bool:
    """Return True if a beat should not begin with a bar: no time in its first two beats, or no kick.

    Two strokes are time, on cymbals, on something shaken or on the drums. Jazz needs no kick.
    """
    early = (
        ("shaker", "cabasa", "tambourine", "cowbell", *_TIME),
        ("snare", "side stick", "low tom", "mid tom", "high tom"),
    )
    strokes = max(int((bar.times(names) < QUARTERS / 2 - NEAR).sum()) for names in early)
    return strokes < 2 or not (len(bar.times(("kick",))) or genre == "jazz")
