"""The kit: its pieces, with the General MIDI notes read as each, and the one it is written as.

The pieces were chosen from the counts of 10.9 million drum notes in 6,038 songs: every piece here has at least half a
percent of the notes of either the jazz or the band part, or is needed to tell two limbs apart. The order is the order
in which a step is drawn: the foot and the backbeat first, cymbals that replace the hi-hat before the hi-hat, and the
percussion last, so that a limit on hands keeps what carries the groove.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seq2drum.music.shown import Shown

Limb = Literal["foot", "hand", "percussion"]


@dataclass(frozen=True, slots=True)
class Voice:
    """One piece of the kit: `notes` are read as it, the first of them is written; `nine` is its nine-voice name."""

    name: str
    limb: Limb
    notes: tuple[int, ...]
    nine: str | None = None


VOICES: tuple[Voice, ...] = (
    Voice("kick", "foot", (36, 35), "kick"),
    Voice("snare", "hand", (38, 40, 25), "snare"),
    Voice("side stick", "hand", (37,), "snare"),
    Voice("crash", "hand", (49, 57, 55, 52), "crash"),
    Voice("low tom", "hand", (43, 41), "low tom"),
    Voice("mid tom", "hand", (47, 45), "mid tom"),
    Voice("high tom", "hand", (50, 48), "high tom"),
    Voice("bell", "hand", (53,), "ride"),
    Voice("ride", "hand", (51, 59), "ride"),
    Voice("open hat", "hand", (46, 26), "open hat"),
    Voice("closed hat", "hand", (42, 22), "closed hat"),
    Voice("pedal hat", "foot", (44,), "closed hat"),
    Voice("clap", "percussion", (39, 28)),
    Voice("tambourine", "percussion", (54,)),
    Voice("cowbell", "percussion", (56, 67, 68)),
    Voice("shaker", "percussion", (70, 82)),
    Voice("cabasa", "percussion", (69, 73, 74, 58)),
    Voice("mute conga", "percussion", (62,)),
    Voice("high conga", "percussion", (63,)),
    Voice("low conga", "percussion", (64, 86, 87)),
    Voice("high bongo", "percussion", (60, 65, 78)),
    Voice("low bongo", "percussion", (61, 66, 79)),
    Voice("block", "percussion", (76, 77, 75, 31, 85)),
    Voice("triangle", "percussion", (81, 80, 83, 84, 71, 72)),
)


@dataclass(frozen=True, eq=False)
class Kit(Shown):
    """An ordered set of voices, and the way from MIDI notes to voices and back."""

    name: str
    voices: tuple[Voice, ...]

    def __len__(self) -> int:
        return len(self.voices)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """(voices,): the name of each voice."""
        return tuple(voice.name for voice in self.voices)

    def voices_named(self, names: Iterable[str]) -> list[int]:
        """The voices of some names, without those missing in the kit."""
        return [self.places[name] for name in names if name in self.places]

    @cached_property
    def places(self) -> dict[str, int]:
        """The voice of each name."""
        return {name: voice for voice, name in enumerate(self.names)}

    @cached_property
    def voice_of(self) -> NDArray[np.int64]:
        """(128,): the voice of each MIDI note, -1 outside this kit."""
        table = np.full(128, -1, dtype=np.int64)
        for index, voice in enumerate(self.voices):
            table[list(voice.notes)] = index
        return table

    @cached_property
    def note_of(self) -> NDArray[np.int64]:
        """(voices,): the written MIDI note of each voice."""
        return np.array([voice.notes[0] for voice in self.voices], dtype=np.int64)


FULL = Kit("full", VOICES)


def _nine_voices() -> Kit:
    """The kit the literature compares with: one hi-hat closed by hand or foot, one snare, one ride with its bell."""
    names = dict.fromkeys(voice.nine for voice in VOICES if voice.nine)
    merged = []
    for name in names:
        members = [voice for voice in VOICES if voice.nine == name]
        own = next(voice for voice in members if voice.name == name)
        notes = (*own.notes, *(note for voice in members if voice is not own for note in voice.notes))
        merged.append(Voice(own.name, own.limb, notes, own.nine))
    return Kit("nine", tuple(merged))


NINE = _nine_voices()
KITS = MappingProxyType({kit.name: kit for kit in (FULL, NINE)})


def to_kit(kit: Kit, source: Kit = FULL) -> NDArray[np.int64]:
    """(voices of the source,): the voice of each in another kit, -1 where it has none."""
    return kit.voice_of[source.note_of]


HANDS = 2
ONE_FOOT = 0.08
TWO_FEET = 0.06
HAND = 0.06  # of each hand, so a roll with two takes half of it
RUN = 0.3  # three kicks within it take two feet
_TINY = 1e-6  # less than the shortest tick
RESTED = 2 * max(ONE_FOOT, TWO_FEET, HAND)  # seconds after which any limb can strike again


class Limbs:
    """The strokes of one drummer at one moment: two by hand, kick and pedal hat by foot, one state of the hi-hat.

    Hand percussion needs a hand as any drum or cymbal does. Parts of several players on one channel are read as they
    are; the limits apply to generated drums.
    """

    def __init__(self, kit: Kit) -> None:
        self.hand = [voice.limb != "foot" for voice in kit.voices]
        # A pair of cymbals is either open or closed.
        self.hats = {kit.names.index(name) for name in ("open hat", "closed hat", "pedal hat") if name in kit.names}

    def can_add(self, voice: int, struck: Sequence[int]) -> bool:
        """Return whether a voice can be struck together with others."""
        if not struck:
            return True
        if voice in struck or (voice in self.hats and not self.hats.isdisjoint(struck)):
            return False
        return len(struck) < HANDS or not self.hand[voice] or sum(self.hand[other] for other in struck) < HANDS


def feet_for(kicks: Sequence[float]) -> int:
    """The number of feet that play kicks at some sorted times in seconds."""
    fast = any(later - one < ONE_FOOT - _TINY for one, later in pairwise(kicks))
    run = any(third - one < RUN - _TINY for one, third in zip(kicks, kicks[2:], strict=False))
    return 2 if fast or run else 1


class Strokes:
    """The last stroke of each limb, in seconds, updated stroke by stroke."""

    def __init__(self, limbs: Limbs, feet: int = 2) -> None:
        self._limbs, self._least = limbs, TWO_FEET if feet > 1 else ONE_FOOT
        self._feet: dict[int, float] = {}
        self._hands = [-1.0] * HANDS

    def copy(self) -> Strokes:
        """An independent copy."""
        other = Strokes(self._limbs)
        other._least, other._feet, other._hands = self._least, dict(self._feet), list(self._hands)
        return other

    def wait(self, voice: int, seconds: float) -> float:
        """Seconds from a moment until a voice can be struck; 0 if immediately."""
        if self._limbs.hand[voice]:
            one, other = self._hands
            soonest = (other if other < one else one) + HAND
        else:
            soonest = self._feet.get(voice, -1.0) + self._least
        return soonest - seconds if soonest > seconds + _TINY else 0.0

    def try_strike(self, voice: int, seconds: float) -> bool:
        """Strike a voice if its limb is free, see `wait`; return whether it is."""
        if self._limbs.hand[voice]:
            one, other = self._hands
            if (other if other < one else one) + HAND > seconds + _TINY:
                return False
            self._hands = [other if other > one else one, seconds]
        else:
            if self._feet.get(voice, -1.0) + self._least > seconds + _TINY:
                return False
            self._feet[voice] = seconds
        return True

    def strike(self, voice: int, seconds: float) -> None:
        """Strike a voice; by hand, with the one that has rested longer."""
        if self._limbs.hand[voice]:
            one, other = self._hands
            self._hands = [other if other > one else one, seconds]
        else:
            self._feet[voice] = seconds
