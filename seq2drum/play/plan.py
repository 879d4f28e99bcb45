"""What is decided before a note is played: the groove of each bar, where the pattern breaks, where a cymbal crashes.

Letters of shapes: B bars, S steps of a bar, V voices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.features import Features
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grid import STEPS_PER_QUARTER
from seq2drum.lattice.grooves import Groove
from seq2drum.lattice.sections import Section
from seq2drum.music.kit import Kit
from seq2drum.music.notes import IntArray
from seq2drum.play.cues import Cue, Gestures
from seq2drum.play.engine import Asking, Playable
from seq2drum.play.pieces import Pieces
from seq2drum.play.sampling import Sampling

BoolArray = NDArray[np.bool_]

USUAL_FILLS = 0.5  # the control that asks for as many fills as drummers play
PLANNED_PER_FILL = 1.2  # fills planned for each that is to be heard: not every one that is asked for stands out
FILL_GAP = 4  # bars from a fill to the next: on validation songs closer ones are more often wrong than right
ANEW = 1.0  # what the logit of a fill loses in the bar with which a section begins
INTO_SECTION = 0.7  # what the logit of a fill gains in the bar before a section begins, or before the last chord
# How often drummers crash on the first beat of a bar: .42 where a section begins, .50 after a fill, .65 where both,
# .24 with a phrase and .11 else, over 200 validation songs. Here a crash is to say something more often.
CRASHES = {"section": 0.4, "fill": 0.5, "section after fill": 0.8, "phrase": 0.16, "other": 0.03}
PHRASE = 8  # bars
SOFT_CRASHES = 0.4  # of these shares in a soft groove
SURE = 400.0  # logit that is certain, or, taken away, never: above what temperature and top_p can move
UNASKED = 6.0  # logits that a crash on the first beat of a bar loses where none is planned
STRAY = 1.5  # and one elsewhere in a bar that is no fill
CRASHED_KICK = 3.0  # logits that a kick gains under a crash: drummers play one in 93 % of them
HELD = 0.2  # logits that hat and ride gain where the groove has them
FULL_BAR = 2.0  # and all pieces in the bars that are played in full
RIDDEN = 2  # crashes in a bar of a groove, from which time is kept on them
# What pieces gain in the third quarter of a bar in which a fill is asked for, in logits, and twice as much in the last.
BROKEN = {"snare": 1.3, "high tom": 2.0, "mid tom": 2.0, "low tom": 2.0}
UNKEPT = 2.0  # and what hat and ride lose there
KEPT = ("closed hat", "pedal hat", "open hat", "ride", "bell")  # what time is kept on
KEPT_BY_HAND = tuple(name for name in KEPT if name != "pedal hat")


@dataclass(frozen=True, eq=False)
class Fills:
    """The bars in which fills are asked for, (B,), and those in which there are to be none, (B,)."""

    asked: BoolArray
    never: BoolArray

    @staticmethod
    def free(bars: int) -> Fills:
        """Nothing is said of any bar."""
        return Fills(np.zeros(bars, dtype=bool), np.zeros(bars, dtype=bool))


@dataclass(frozen=True, eq=False)
class Plan:
    """What is decided of each bar of a song.

    letter (B,) and number (B,): the section that each bar belongs to, and how many of its bars come before it. begins
    (B,): whether a section begins. grooves (B,). fill (B,): where the pattern breaks; None if the model plans none.
    crash (B,): where the first beat is crashed; None leaves crashes to the model. fills: what is asked of them in
    single bars; level (B,): where they are at the level that is asked for, None if none is. See `asked_for`.
    gestures: what is done together with the band. pieces: what may be played; None if anything may.
    firm: grooves are held firmly, see `memory`.
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

    @staticmethod
    def of_sections(
        bars: int, sections: Sequence[Section], grooves: Mapping[str, Groove] | None = None, *, firm: bool = False
    ) -> Plan:
        """The form of a song, and the groove of each section by its letter. The first begins with the song."""
        letter, number, begins = ["A"] * bars, np.arange(bars), np.zeros(bars, dtype=bool)
        for index, section in enumerate(sections):
            stop = sections[index + 1].bar if index + 1 < len(sections) else bars
            start = section.bar if index else 0
            letter[start:stop] = [section.letter] * (stop - start)
            number[start:stop] = np.arange(start, stop) - section.bar
            begins[section.bar] = True
        groove_of = grooves or {}
        return Plan(tuple(letter), number, begins, tuple(groove_of.get(each) for each in letter), firm=firm)

    def is_fill(self, bar: int) -> bool:
        """Whether the pattern breaks in a bar."""
        return self.fill is not None and bool(self.fill[bar])

    def cues(self, first: int, steps: int) -> list[tuple[int, Cue]]:
        """The cues of a bar whose first step in the song is `first`, by the number of the step in the bar."""
        cues = self.gestures.cues
        return [(step - first, cues[step]) for step in range(first, first + steps) if step in cues] if cues else []

    def velocities(self, first: int, steps: int, kit: Kit) -> FloatArray | None:
        """(S, V): how hard the hits of a bar's cues are struck, 0..1; 0 elsewhere. None if it has no cues."""
        if not (cues := self.cues(first, steps)):
            return None
        struck = np.zeros((steps, len(kit)), dtype=np.float32)
        for place, cue in cues:
            if cue.velocity is not None:
                struck[place, kit.voices_named(cue.pieces)] = cue.velocity
        return struck

    def is_accident(self, first: int, hits: FloatArray, groove: FloatArray, kit: Kit) -> bool:
        """Whether a bar has a cue, or a crash that is no part of its groove.

        first: the first step of the bar in the song. hits (n, S, V): what was played in it. groove (S, V).
        """
        crash = kit.voices_named(["crash"])
        return bool(self.cues(first, len(groove))) or bool((hits[..., crash] > groove[:, crash]).any())

    def tilt(self, bar: int, first: int, groove: FloatArray, kit: Kit) -> FloatArray:
        """(S, V): what is added to the logits of the hits of a bar whose first step in the song is `first`.

        groove (S, V): the hits of the bar's groove, none where it has none.
        """
        gestures, is_fill = self.gestures, self.is_fill(bar)
        # 1. Time is kept as the groove keeps it; some bars are played as it is. A fill that is asked for stands out.
        if not is_fill:
            tilt = _held(groove.tobytes(), kit).copy()
        elif self.fills is not None and self.fills.asked[bar]:
            tilt = _broken(len(groove), kit, swung=gestures.swung)
        else:
            tilt = np.zeros_like(groove)
        if bar in gestures.full:
            tilt += FULL_BAR * groove
        # 2. Crashes come with a kick; the other hand may keep time under them, as it does in half of drummers' crashes.
        crash, crashed = kit.places.get("crash"), bar in gestures.crashed
        if crash is not None and self.crash is not None:
            crashed |= bool(self.crash[bar])
            if groove[:, crash].sum() < RIDDEN:
                tilt[0, crash] -= UNASKED
                tilt[1:, crash] -= 0 if is_fill else STRAY
        if crash is not None and crashed and (self.pieces is None or self.pieces.allowed[crash]):
            tilt[0, crash] = SURE
        if "kick" in kit.places and (crashed or bar in gestures.heavy):
            tilt[0, kit.places["kick"]] = SURE if bar in gestures.heavy else CRASHED_KICK
        # 3. Cues have the last word but for what may not be played.
        for place, cue in self.cues(first, len(groove)):
            tilt[place] = -SURE
            tilt[place, kit.voices_named(cue.pieces)] = SURE
        if self.pieces is not None:
            tilt[:, ~self.pieces.allowed] = -SURE
        return tilt


@lru_cache(maxsize=64)
def _held(groove: bytes, kit: Kit) -> FloatArray:
    """(S, V): what makes a bar keep time as its groove does; groove: the bytes of its hits (S, V)."""
    hits = np.frombuffer(groove, dtype=np.float32).reshape(-1, len(kit))
    by_hand = is_one_of(KEPT_BY_HAND, kit)
    kept = (hits * by_hand).any(axis=1, keepdims=True)
    # One hand keeps time: where it does on one piece, the others are less likely.
    tilt: FloatArray = HELD * hits * is_one_of(KEPT, kit) - HELD * by_hand * (kept & (hits == 0))
    return tilt


@lru_cache
def is_one_of(names: tuple[str, ...], kit: Kit) -> FloatArray:
    """(V,): 1 for the voices of some names, 0 for the others."""
    named = np.zeros(len(kit), dtype=np.float32)
    named[kit.voices_named(names)] = 1
    return named


def _broken(steps: int, kit: Kit, *, swung: bool) -> FloatArray:
    """(S, V): what makes a fill of a bar: from its middle on less hat and ride, more snare and toms."""
    tilt = np.zeros((steps, len(kit)), dtype=np.float32)
    inside = np.arange(steps)
    rise = (2 * inside >= steps).astype(np.float32) + (4 * inside >= 3 * steps)
    tilt[:, kit.voices_named(KEPT)] -= UNKEPT * (rise > 0)[:, None]
    if swung:
        rise[inside % STEPS_PER_QUARTER % 2 == 1] = 0
    for name, more in BROKEN.items():
        tilt[:, kit.voices_named([name])] += more * rise[:, None]
    return tilt


def planned(
    model: Playable,
    guitar: Features,
    form: Form,
    plan: Plan,
    fills: float | None,
    sampling: Sampling,
) -> Asking[Plan]:
    """The plan with fills and crashes, of which there are as many as drummers play.

    What is asked of fills is not heeded, but that there are others at the level `fills`, 0..1; see `asked_for`.
    """
    logits = yield from model.fill_logits(guitar, form)
    if logits is None:
        return plan
    into, still = np.append(plan.begins[1:], False), np.zeros(len(logits), dtype=bool)
    into[list(plan.gestures.builds)], still[list(plan.gestures.still)] = True, True
    logits = logits + INTO_SECTION * into - ANEW * plan.begins
    key = [sampling.seed if sampling.temperature else 0, len(logits), 1]
    if fills is not None:
        plan = replace(plan, level=plan_fills(logits, fills, np.random.default_rng(key), still))
    return with_fills(plan, plan_fills(logits, None, np.random.default_rng(key), still), sampling)


def with_fills(plan: Plan, fill: BoolArray, sampling: Sampling) -> Plan:
    """The plan with fills in some bars (B,), and the crashes that go with them."""
    seed = sampling.seed if sampling.temperature else 0  # the most likely take is one, whatever the seed
    return replace(plan, fill=fill, crash=plan_crashes(plan, fill, np.random.default_rng([seed, len(fill), 2])))


def asked_for(plan: Plan, sampling: Sampling) -> Plan:
    """The plan with the fills that are asked for: at some level, in some bars, and in others none."""
    fills, fill = plan.fills or Fills.free(len(plan.letter)), plan.fill if plan.level is None else plan.level
    fill = (fills.asked if fill is None else fill | fills.asked) & ~fills.never
    return replace(plan, fill=fill) if plan.crash is None else with_fills(plan, fill, sampling)


def plan_fills(
    logits: NDArray[np.floating], level: float | None, rng: np.random.Generator, never: BoolArray | None = None
) -> BoolArray:
    """(B,): in which bars to break the pattern, given the logits (B,) of drummers doing so.

    As many as drummers would play, times twice the level (0..1) that is asked for, in the likeliest bars but for some
    noise; each of these at least FILL_GAP bars from the next. never (B,): bars in which there are to be none.
    """
    likely = 1 / (1 + np.exp(-logits.astype(np.float64)))
    many = PLANNED_PER_FILL * likely.sum() * (USUAL_FILLS if level is None else level) / USUAL_FILLS
    count = int(many + rng.random())
    fill = np.zeros(len(logits), dtype=bool)
    never = np.zeros(len(logits), dtype=bool) if never is None else never
    for bar in np.argsort(-(logits + 0.2 * rng.gumbel(size=len(logits))), kind="stable").tolist():
        if fill.sum() >= count:
            break
        if not never[bar] and not fill[max(bar - FILL_GAP + 1, 0) : bar + FILL_GAP].any():
            fill[bar] = True
    return fill


def plan_crashes(plan: Plan, fill: BoolArray, rng: np.random.Generator) -> BoolArray:
    """(B,): on the first beat of which bars a cymbal crashes: where a section begins, after fills, and seldom else."""
    after = np.append(False, fill[:-1])
    share = np.full(len(fill), CRASHES["other"])
    share[plan.number % PHRASE == 0] = CRASHES["phrase"]
    share[after] = CRASHES["fill"]
    share[plan.begins] = CRASHES["section"]
    share[plan.begins & after] = CRASHES["section after fill"]
    still = [bar for bar in plan.gestures.still if not plan.begins[bar]]
    share[still] = 0
    share *= SOFT_CRASHES if plan.gestures.soft else 1
    crash: BoolArray = rng.random(len(fill)) < share
    return crash
