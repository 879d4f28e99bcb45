"""The plan of a take as the decoder reads it: each bar's groove, fills, crashes, cues and pieces. `arrange` makes it.

Letters of shapes: B bars, S steps of a bar, V voices.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.conditions import Controls
from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.grid import STEPS_PER_QUARTER, Grid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.sections import Section, spans_of
from seq2drum.music.kit import Kit
from seq2drum.music.notes import IntArray
from seq2drum.music.song_plan import SongPlan
from seq2drum.play.decode.memory import Pieces
from seq2drum.play.decode.sampling import Sampling

BoolArray = NDArray[np.bool_]

CERTAIN = 400.0  # logit of a certain hit; negated, of an impossible one: beyond temperature and top_p
UNPLANNED = 6.0  # logits that a crash on the first beat of a bar loses where none is planned
STRAY = 1.5  # logits that a crash elsewhere loses, except in a fill
CRASHED_KICK = 3.0  # logits that a kick gains under a crash: drummers play one in 93 % of them
HELD = 0.2  # logits that hat and ride gain where the groove has them
OF_FOUR, BACKBEATS = 4 * STEPS_PER_QUARTER, [STEPS_PER_QUARTER, 3 * STEPS_PER_QUARTER]  # steps of a bar of 4/4
STRAIGHT, TRIPLETS = (1, 3, 5), (2, 4)  # steps of a quarter between the beats
MIXED = 2.5  # logits that hat and ride lose on triplets where the groove keeps time in straight notes, or the reverse
UNBACKED = 4.0  # logits that snare and stick lose on 2 or 4 where the groove has none: one drop, swing, bossa
ANCHORED = 2.0  # logits that the groove's kick on the one, and its snare or stick on 2 and 4, gain
FULL_BAR = 2.0  # logits that all pieces of the groove gain in bars that are played in full
RIDDEN = 2  # crashes in a bar of a groove from which it keeps time on them
# Logits that pieces gain in the third quarter of a bar with a requested fill; twice as much in the last quarter.
BROKEN = {"snare": 1.3, "high tom": 2.0, "mid tom": 2.0, "low tom": 2.0}
UNKEPT = 2.0  # logits that hat and ride lose there
HAT_BY_HAND, RIDE = ("closed hat", "open hat"), ("ride", "bell")
LEAST_BEATS = 3  # hits per bar on hat or ride from which a groove keeps time there
MOVED = 4.0  # logits that the ride loses in a fill on a groove that keeps time on the hat, or the reverse
TIMEKEEPERS = ("closed hat", "pedal hat", "open hat", "ride", "bell")
TIMEKEEPERS_BY_HAND = tuple(name for name in TIMEKEEPERS if name != "pedal hat")
# Substitutes for excluded pieces.
SUBSTITUTES: Mapping[str, tuple[str, ...]] = {
    "crash": ("ride", "open hat", "snare"),
    "ride": ("crash", "closed hat"),
    "snare": ("side stick", "low tom", "closed hat"),
    "side stick": ("snare", "closed hat"),
    "high tom": ("snare", "closed hat"),
    "low tom": ("snare", "closed hat"),
    "closed hat": ("side stick", "ride"),
}


class Cue(NamedTuple):
    """Pieces struck together at one step; empty for a rest. velocity: 0..1; None leaves it to the model."""

    pieces: tuple[str, ...] = ()
    velocity: float | None = None

    def of(self, known: frozenset[str]) -> Cue:
        """Return the cue on known pieces: an unknown one is replaced by its substitute, or left out."""
        found = [
            next((one for one in (name, *SUBSTITUTES.get(name, ())) if one in known), None) for name in self.pieces
        ]
        return Cue(tuple(dict.fromkeys(name for name in found if name is not None)), self.velocity)


Cues = Mapping[int, Cue]
"""Cues by the steps of a song."""


@dataclass(frozen=True, eq=False)
class Gestures:
    """Cues and marked bars: what the drums do together with the band.

    heavy: bars with a kick on the first beat. crashed: those of them with a crash there, too. full: bars played as the
    groove has them: the first, and the last if the song has no ending. builds: the bar that leads into the last chord.
    still: bars without fills, because the song begins, stops or ends in them. soft: the groove is soft, so cymbals
    crash less. swung: the band swings.
    """

    cues: Cues = field(default_factory=dict)
    heavy: frozenset[int] = frozenset()
    crashed: frozenset[int] = frozenset()
    full: frozenset[int] = frozenset()
    builds: frozenset[int] = frozenset()
    still: frozenset[int] = frozenset()
    soft: bool = False
    swung: bool = False


@dataclass(frozen=True, eq=False)
class Fills:
    """Requests for fills: requested (B,) bars with one, never (B,) bars without."""

    requested: BoolArray
    never: BoolArray

    @staticmethod
    def free(bars: int) -> Fills:
        """Return no request for any bar."""
        return Fills(np.zeros(bars, dtype=bool), np.zeros(bars, dtype=bool))


@dataclass(frozen=True, eq=False)
class Plan:
    """Decisions for each bar of a song.

    letter (B,), number (B,): each bar's section, and its number within it from 0. begins (B,): bars that begin a
    section. grooves (B,). fill (B,): bars that break the pattern; None if the model plans none. crash (B,): bars with a
    crash on the first beat; None leaves crashes to the model. fills: requests for single bars. level (B,): fills at the
    requested level; None without such a request. pieces: those that may be played; None allows all. firm: the bars
    follow the groove closely, see `memory`. silent (B,): bars in which the drums wait; None without any. likely (B,):
    logits of fills; None if the model plans none. ghosts: the ghost notes of the grooves stay soft.
    loudness (B,): factors of velocities; None for 1. change (B,): how far each bar strays from those before it, see
    `lattice.repeats`; None leaves it to the model. sections: the same, section by section, as the take tells it.
    crashes: factor of the chance of a crash.
    """

    letter: tuple[str, ...]
    number: IntArray
    begins: BoolArray
    grooves: tuple[Groove | None, ...]
    fill: BoolArray | None = None
    crash: BoolArray | None = None
    fills: Fills | None = None
    gestures: Gestures = field(default_factory=Gestures)
    pieces: Pieces | None = None
    firm: bool = False
    level: BoolArray | None = None
    silent: BoolArray | None = None
    likely: NDArray[np.floating] | None = None
    ghosts: bool = False
    loudness: FloatArray | None = None
    change: FloatArray | None = None
    sections: SongPlan = ()
    crashes: float = 1.0

    @staticmethod
    def of_sections(
        bars: int, sections: Sequence[Section], grooves: Mapping[str, Groove] | None = None, *, firm: bool = False
    ) -> Plan:
        """Return the plan of sections on grooves by their letters. The first section begins with the song."""
        letter, number, begins = ["A"] * bars, np.arange(bars), np.zeros(bars, dtype=bool)
        for index, (first, stop, name) in enumerate(spans_of(sections, bars)):
            start = first if index else 0
            letter[start:stop] = [name] * (stop - start)
            number[start:stop] = np.arange(start, stop) - first
            begins[first] = True
        groove_of = grooves or {}
        return Plan(tuple(letter), number, begins, tuple(groove_of.get(each) for each in letter), firm=firm)

    def is_fill(self, bar: int) -> bool:
        """Return True if the pattern breaks in a bar."""
        return self.fill is not None and bool(self.fill[bar])

    def is_requested(self, bar: int) -> bool:
        """Return whether a fill is requested in that very bar."""
        return self.is_fill(bar) and self.fills is not None and bool(self.fills.requested[bar])

    def loudness_of(self, bar: int) -> float:
        """Return the factor of a bar's velocities."""
        return 1.0 if self.loudness is None else float(self.loudness[bar])

    def cues(self, first: int, steps: int) -> list[tuple[int, Cue]]:
        """Return the cues of a bar by steps of the bar. first: the bar's first step in the song."""
        if not (cues := self.gestures.cues):
            return []
        here = slice(bisect_left(self._cued, first), bisect_left(self._cued, first + steps))
        return [(step - first, cues[step]) for step in self._cued[here]]

    @cached_property
    def _cued(self) -> list[int]:
        """The steps of the song with a cue."""
        return sorted(self.gestures.cues)

    def velocities(self, first: int, steps: int, kit: Kit) -> FloatArray | None:
        """Return the velocities (S, V), 0..1, of a bar's cues, 0 elsewhere; None without cues."""
        if not (cues := self.cues(first, steps)):
            return None
        struck = np.zeros((steps, len(kit)), dtype=np.float32)
        for place, cue in cues:
            if cue.velocity is not None:
                struck[place, kit.voices_named(cue.pieces)] = cue.velocity
        return struck

    def is_accident(self, first: int, hits: FloatArray, groove: FloatArray, kit: Kit) -> bool:
        """Return True if a bar has a cue, or a crash that its groove lacks.

        first: the bar's first step in the song. hits (n, S, V): as played. groove (S, V).
        """
        if self.cues(first, len(groove)):
            return True
        crash = kit.places.get("crash")
        return crash is not None and bool((hits[..., crash] > groove[:, crash]).any())

    def tilt(self, bar: int, first: int, groove: FloatArray, kit: Kit) -> FloatArray:
        """Return the bias (S, V) that is added to the logits of a bar's hits.

        first: the bar's first step in the song. groove (S, V): the hits of the bar's groove, zeros without one.
        """
        gestures, is_fill = self.gestures, self.is_fill(bar)
        # 1. Keep time as the groove does; play full bars as it is written; make a requested fill stand out.
        if not is_fill:
            tilt = _held(groove.tobytes(), kit).copy()
        elif self.is_requested(bar):
            tilt = _broken(len(groove), kit, swung=gestures.swung)
        else:
            tilt = np.zeros_like(groove)
        if is_fill:
            hat, ride = (float((groove @ is_one_of(piece, kit)).sum()) for piece in (HAT_BY_HAND, RIDE))
            tilt[:, kit.voices_named(other_time(hat, ride))] -= MOVED
        if bar in gestures.full:
            tilt += FULL_BAR * groove
        # 2. Crash with a kick; the other hand may keep time under it, as in half of drummers' crashes.
        crash, crashed = kit.places.get("crash"), bar in gestures.crashed
        if crash is not None and self.crash is not None:
            crashed |= bool(self.crash[bar])
            if groove[:, crash].sum() < RIDDEN:
                tilt[0, crash] -= UNPLANNED
                tilt[1:, crash] -= 0 if is_fill else STRAY
        if crash is not None and crashed and (self.pieces is None or self.pieces.allowed[crash]):
            tilt[0, crash] = CERTAIN
        if "kick" in kit.places and (crashed or bar in gestures.heavy):
            tilt[0, kit.places["kick"]] = CERTAIN if bar in gestures.heavy else CRASHED_KICK
        # 3. Cues override all of this, except for forbidden pieces.
        for place, cue in self.cues(first, len(groove)):
            tilt[place] = -CERTAIN
            tilt[place, kit.voices_named(cue.pieces)] = CERTAIN
        if self.pieces is not None:
            tilt[:, ~self.pieces.allowed] = -CERTAIN
        return tilt


@dataclass(frozen=True, eq=False)
class Version:
    """One way to play some bars (B,) of a take: as the take has them, or as a wish for a section or the ending does.

    Each bar of a wish continues from the one before it, or from the take's bar.

    plan: without the fills requested in single bars; requested: with them. refilled (B,): bars with another fill in
    `requested`. recrashed (B,): bars whose only difference there is the crash on the first beat. controls: of these
    bars.
    """

    bars: BoolArray
    plan: Plan
    requested: Plan
    refilled: BoolArray
    recrashed: BoolArray
    sampling: Sampling
    controls: Controls


@dataclass(frozen=True, eq=False)
class Arrangement:
    """A song arranged for its drummer; playing does not change it.

    take: the bars without wishes. wishes: versions of some of them; of several for a bar the last one is heard, and the
    others have it for their later bars. Bars outside [first, stop) are silent. given: bars to play unchanged, by
    number: hits whose steps count from the barline, keyed by voices of the model's kit. idle (B,): silent bars that are
    not decoded; the next bar starts from silence. out (B,): bars without drums by request: later bars continue from
    what the take has there; None without any. sections: the take with its wishes, section by section.
    """

    take: Version
    wishes: tuple[Version, ...]
    first: int
    stop: int
    given: Mapping[int, Grid]
    idle: BoolArray
    out: BoolArray | None = None
    sections: SongPlan = ()


def decoded_bars(first: int, stop: int, given: Mapping[int, Grid], silent: BoolArray) -> tuple[BoolArray, BoolArray]:
    """Return the bars (B,) to decode, and the idle ones: bars [first, stop) except given and silent (B,) ones.

    A given bar is not idle: the model continues from it.
    """
    bars = np.arange(len(silent))
    is_given = np.isin(bars, list(given))
    idle = silent & ~is_given
    return (first <= bars) & (bars < stop) & ~is_given & ~idle, idle


def other_time(hat: float, ride: float) -> tuple[str, ...]:
    """Return the pieces of the ride if a groove of so many strokes on hat and ride keeps time on the hat alone.

    Those of the hat if it does so on the ride; else none.
    """
    if hat >= LEAST_BEATS and not ride:
        return RIDE
    return HAT_BY_HAND if ride >= LEAST_BEATS and not hat else ()


@lru_cache(maxsize=64)
def _held(groove: bytes, kit: Kit) -> FloatArray:
    """Return the bias (S, V) towards the time and the backbeat of a groove, given as the bytes of its hits (S, V)."""
    hits = np.frombuffer(groove, dtype=np.float32).reshape(-1, len(kit))
    by_hand = is_one_of(TIMEKEEPERS_BY_HAND, kit)
    kept = np.any(hits * by_hand, axis=1, keepdims=True)
    # One hand keeps time: where it plays one piece, the others are less likely.
    tilt: FloatArray = HELD * hits * is_one_of(TIMEKEEPERS, kit) - HELD * by_hand * (kept & (hits == 0))
    # Its subdivision is straight or in triplets, not both.
    place, beaten = np.arange(len(hits)) % STEPS_PER_QUARTER, kept.ravel()
    for own, other in ((STRAIGHT, TRIPLETS), (TRIPLETS, STRAIGHT)):
        if beaten[np.isin(place, own)].any() and not beaten[np.isin(place, other)].any():
            tilt[np.isin(place, other)] -= MIXED * by_hand
    # The kick on the one and the backbeat stay where the groove has them; where it has none, none comes in.
    snares, kick = kit.voices_named(("snare", "side stick", "clap")), kit.voices_named(["kick"])
    tilt[0, kick] += ANCHORED * hits[0, kick]
    if len(hits) == OF_FOUR:
        has_backbeat = hits[BACKBEATS][:, kit.voices_named(("snare", "clap"))].any()
        for beat in BACKBEATS:
            tilt[beat, snares] += ANCHORED * hits[beat, snares]
            if kept.any() and not has_backbeat and not hits[beat, snares].any():
                tilt[beat, snares] -= UNBACKED
    return tilt


@lru_cache
def is_one_of(names: tuple[str, ...], kit: Kit) -> FloatArray:
    """Return (V,): 1 for the named voices, 0 for the others."""
    named = np.zeros(len(kit), dtype=np.float32)
    named[kit.voices_named(names)] = 1
    return named


def _broken(steps: int, kit: Kit, *, swung: bool) -> FloatArray:
    """Return the bias (S, V) of a fill: from the middle of the bar on less hat and ride, more snare and toms."""
    tilt = np.zeros((steps, len(kit)), dtype=np.float32)
    inside = np.arange(steps)
    rise = (2 * inside >= steps).astype(np.float32) + (4 * inside >= 3 * steps)
    tilt[:, kit.voices_named(TIMEKEEPERS)] -= UNKEPT * (rise > 0)[:, None]
    if swung:
        rise[inside % STEPS_PER_QUARTER % 2 == 1] = 0
    for name, more in BROKEN.items():
        tilt[:, kit.voices_named([name])] += more * rise[:, None]
    return tilt
