"""What is decided before a note is played: the groove of each bar, where the pattern breaks, where a cymbal crashes.

Letters of shapes: B bars, S steps of a bar, V voices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice import gestures
from seq2drum.lattice.conditions import Controls
from seq2drum.lattice.features import Features
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.gestures import Entrance, LastChord, Stop
from seq2drum.lattice.grid import STEPS_PER_QUARTER, Grid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.sections import Section
from seq2drum.music.choices import AUTO, CHOKE, NO_ENDING, RING, RITARD
from seq2drum.music.kit import Kit
from seq2drum.music.notes import IntArray
from seq2drum.play.decode.engine import Computation, Playable
from seq2drum.play.decode.memory import Pieces
from seq2drum.play.decode.sampling import Sampling

Pattern = tuple[tuple[int, str], ...]
"""What leads into a downbeat: how many steps before it a piece is struck, and which."""

STRAIGHT: tuple[Pattern, ...] = (
    ((6, "snare"), (3, "snare")),
    ((6, "snare"), (3, "snare"), (1, "snare")),
    ((6, "snare"), (5, "snare"), (3, "high tom"), (1, "low tom")),
    ((6, "high tom"), (3, "low tom")),
)
SWUNG: tuple[Pattern, ...] = (
    ((6, "snare"), (2, "snare")),
    ((6, "snare"), (4, "snare"), (2, "snare")),
    ((6, "snare"), (4, "high tom"), (2, "low tom")),
)
SOFT_STRAIGHT: tuple[Pattern, ...] = (((6, "side stick"), (3, "side stick")), ((6, "closed hat"), (3, "side stick")))
SOFT_SWUNG: tuple[Pattern, ...] = (((6, "closed hat"), (2, "side stick")), ((6, "side stick"), (2, "closed hat")))
SWELL = (12, 9, 6, 5, 3, 1)  # steps before the last chord at which a cymbal swells
# Velocities, 0..1, in a loud groove and in a soft one; where there are two, of the first stroke and of the last.
LEADS = {False: (0.5, 0.85), True: (0.35, 0.55)}
SWELLS = {False: (0.2, 0.7), True: (0.15, 0.45)}
STOPS = {False: 0.9, True: 0.6}
LAST = {False: 0.88, True: 0.55}
LED_STOP = 1.0  # bars of a break, from which a pickup leads out of it
# What stands in for pieces that are not played.
INSTEAD: Mapping[str, tuple[str, ...]] = {
    "crash": ("ride", "open hat", "snare"),
    "ride": ("crash", "closed hat"),
    "snare": ("side stick", "low tom", "closed hat"),
    "side stick": ("snare", "closed hat"),
    "high tom": ("snare", "closed hat"),
    "low tom": ("snare", "closed hat"),
    "closed hat": ("side stick", "ride"),
}


class Cue(NamedTuple):
    """What is struck at one step: pieces by name, none in a rest. velocity: 0..1; None leaves it to the model."""

    pieces: tuple[str, ...] = ()
    velocity: float | None = None

    def of(self, known: frozenset[str]) -> Cue:
        """The same on pieces that are known; others stand in for those that are not, or nothing does."""
        found = [next((one for one in (name, *INSTEAD.get(name, ())) if one in known), None) for name in self.pieces]
        return Cue(tuple(dict.fromkeys(name for name in found if name is not None)), self.velocity)


Cues = Mapping[int, Cue]
"""By the steps of a song."""

Lead = Callable[[int], Cues]
"""What leads into a step."""


@dataclass(frozen=True, eq=False)
class Gestures:
    """What drums do together with the band.

    cues. heavy: bars that have a kick on the first beat. crashed: those that have a crash there, too. full: bars
    that are played as the groove has them: the first, and where there is no ending the last. builds: the bar that leads
    into the last chord. still: bars without fills: in which the song begins, stops or ends. soft: whether the groove is
    soft, so that cymbals seldom crash. swung: whether the band swings.
    """

    cues: Cues = field(default_factory=dict)
    heavy: frozenset[int] = frozenset()
    crashed: frozenset[int] = frozenset()
    full: frozenset[int] = frozenset()
    builds: frozenset[int] = frozenset()
    still: frozenset[int] = frozenset()
    soft: bool = False
    swung: bool = False


def gestures_of(notes: Grid, form: Form, ending: str, *, soft: bool, seed: int) -> Gestures:
    """What drums do where the band comes in, stops and ends.

    Args:
        notes: Everything that sounds besides the drums.
        form: The bars.
        ending: One of `choices.ENDINGS`. "auto" rings on a last chord that rings and chokes on a short one; a song that
            goes on to its end, as a loop does, has no ending.
        soft: Whether the groove is soft.
        seed: Which of the pickups are chosen.
    """
    came = gestures.entrance(notes, form)
    if came is None:
        return Gestures()
    rng = np.random.default_rng([seed, len(form.steps), 3])
    swung, breaks, last = gestures.is_swung(notes, form), gestures.stops(notes, form), gestures.last_chord(notes, form)
    patterns = {
        (False, False): STRAIGHT,
        (False, True): SWUNG,
        (True, False): SOFT_STRAIGHT,
        (True, True): SOFT_SWUNG,
    }[soft, swung]

    def lead(step: int) -> Cues:
        return _lead(patterns[int(rng.integers(len(patterns)))], step, soft)

    cues = dict[int, Cue]()
    if came.is_pickup:
        cues |= _entered(came, form, lead)
    for one in breaks:
        cues |= _stopped(one, form, lead, soft=soft)
    struck = None if ending == NO_ENDING or (ending == AUTO and last is None) else last or _last_stroke(notes)
    if struck is not None:
        if ending == AUTO:
            ending = RING if struck.rings else CHOKE
        cues |= ended(ending, struck.step, form, soft=soft)
    bar = int(form.bar_of(notes.step.max(keepdims=True))[0])
    return replace(_marked(cues, came, breaks, struck, bar, form), soft=soft, swung=swung)


def _marked(
    cues: Cues, came: Entrance, breaks: Iterable[Stop], struck: LastChord | None, last: int, form: Form
) -> Gestures:
    """Some cues, and the bars that they make heavy, crashed, full, a build or still. last: the last bar with a note."""
    first = form.first[:-1].tolist()
    back = {first.index(one.back) for one in breaks if one.back in first}
    still = set(range(came.bar, came.downbeat + 1))
    for one in breaks:
        begin, end = form.bar_of(np.array([one.chord, one.back - 1])).tolist()
        still |= set(range(begin, end + 1))
    builds, full = set[int](), {came.downbeat}
    if struck is None:
        full |= set(range(last, len(form.steps)))
    else:
        bar = int(form.bar_of(np.array([struck.step]))[0])
        still |= set(range(bar, len(form.steps)))
        builds = {bar - 1} if struck.step - first[bar] <= 1 else set()
    crashed = back | ({came.downbeat} if came.is_pickup else set())
    heavy = crashed | {came.downbeat}
    return Gestures(
        cues,
        heavy=frozenset(heavy),
        crashed=frozenset(crashed),
        full=frozenset(full),
        builds=frozenset(builds - still),
        still=frozenset(still),
    )


def _lead(pattern: Pattern, step: int, soft: bool) -> Cues:
    """A pickup into a step, louder and louder."""
    velocities = np.linspace(*LEADS[soft], len(pattern)).tolist()
    return {step - back: Cue((piece,), loud) for (back, piece), loud in zip(pattern, velocities, strict=True)}


def _entered(came: Entrance, form: Form, lead: Lead) -> dict[int, Cue]:
    """Nothing in the bars of the pickup but what leads into the downbeat."""
    begin, downbeat = int(form.first[came.bar]), int(form.first[came.downbeat])
    into = {step: cue for step, cue in lead(downbeat).items() if step >= begin}
    return dict.fromkeys(range(begin, downbeat), Cue()) | into


def _stopped(one: Stop, form: Form, lead: Lead, *, soft: bool) -> dict[int, Cue]:
    """A hit on the chord, and nothing until all are back."""
    cues = dict.fromkeys(range(one.chord + 1, one.back), Cue())
    bar = int(form.bar_of(np.array([one.chord]))[0])
    if one.back - one.chord >= LED_STOP * form.steps[bar] and one.back in form.first:
        cues |= lead(one.back)
    return cues | {one.chord: Cue(("kick", "closed hat" if soft else "snare"), STOPS[soft])}


def ended(ending: str, step: int, form: Form, *, soft: bool) -> dict[int, Cue]:
    """The last hit at a step, what leads into it, and nothing after it."""
    cues = dict.fromkeys(range(step + 1, int(form.first[-1])), Cue())
    if ending == RITARD:
        # The bar before thins out to its quarters, and a cymbal swells.
        bar = int(form.bar_of(np.array([step - 1]))[0]) if step else 0
        before = range(int(form.first[bar]), step)
        cues |= {at: Cue() for at in before if (at - before.start) % STEPS_PER_QUARTER}
        loud = np.linspace(*SWELLS[soft], len(SWELL)).tolist()
        cues |= {step - back: Cue(("crash",), one) for back, one in zip(SWELL, loud, strict=True) if step >= back}
    if ending == CHOKE:
        pieces: tuple[str, ...] = ("kick", "side stick" if soft else "snare")
    else:
        pieces = ("kick", "ride" if soft else "crash")
    return cues | {step: Cue(pieces, LAST[soft])}


def _last_stroke(notes: Grid) -> LastChord:
    return LastChord(int(notes.step.max()), rings=False)


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
CERTAIN = 400.0  # logit that is certain, or, taken away, never: above what temperature and top_p can move
UNASKED = 6.0  # logits that a crash on the first beat of a bar loses where none is planned
STRAY = 1.5  # and one elsewhere in a bar that is no fill
CRASHED_KICK = 3.0  # logits that a kick gains under a crash: drummers play one in 93 % of them
HELD = 0.2  # logits that hat and ride gain where the groove has them
FULL_BAR = 2.0  # and all pieces in the bars that are played in full
RIDDEN = 2  # crashes in a bar of a groove, from which time is kept on them
# What pieces gain in the third quarter of a bar in which a fill is asked for, in logits, and twice as much in the last.
BROKEN = {"snare": 1.3, "high tom": 2.0, "mid tom": 2.0, "low tom": 2.0}
UNKEPT = 2.0  # and what hat and ride lose there
TIMEKEEPERS = ("closed hat", "pedal hat", "open hat", "ride", "bell")  # what time is kept on
TIMEKEEPERS_BY_HAND = tuple(name for name in TIMEKEEPERS if name != "pedal hat")


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
            tilt[0, crash] = CERTAIN
        if "kick" in kit.places and (crashed or bar in gestures.heavy):
            tilt[0, kit.places["kick"]] = CERTAIN if bar in gestures.heavy else CRASHED_KICK
        # 3. Cues have the last word but for what may not be played.
        for place, cue in self.cues(first, len(groove)):
            tilt[place] = -CERTAIN
            tilt[place, kit.voices_named(cue.pieces)] = CERTAIN
        if self.pieces is not None:
            tilt[:, ~self.pieces.allowed] = -CERTAIN
        return tilt


@dataclass(frozen=True, eq=False)
class Wish:
    """Some bars (B,) of a take that are played on another plan, and drawn otherwise.

    They go on from one another, and from the bars before them as these are without the wish.
    """

    bars: BoolArray
    plan: Plan
    sampling: Sampling


@dataclass(frozen=True, eq=False)
class Arrangement:
    """A song arranged for its drummer: nothing of it changes while it is played.

    plan: with its fills and crashes. sampling: how the bars are drawn. Bars outside [first, stop) are silent.
    given: bars that are played as they are, by number: hits whose steps count from the barline, keys being voices of
    the model's kit. stopped (B,): bars that are silent, too, and for which nothing is computed; what follows starts
    from silence. wishes: bars that are played otherwise, each by one of them; all others are as without wishes.
    """

    plan: Plan
    sampling: Sampling
    controls: Controls = field(default_factory=Controls)
    first: int = 0
    stop: int | None = None
    given: Mapping[int, Grid] = field(default_factory=dict)
    stopped: BoolArray | None = None
    wishes: Sequence[Wish] = ()


@lru_cache(maxsize=64)
def _held(groove: bytes, kit: Kit) -> FloatArray:
    """(S, V): what makes a bar keep time as its groove does; groove: the bytes of its hits (S, V)."""
    hits = np.frombuffer(groove, dtype=np.float32).reshape(-1, len(kit))
    by_hand = is_one_of(TIMEKEEPERS_BY_HAND, kit)
    kept = (hits * by_hand).any(axis=1, keepdims=True)
    # One hand keeps time: where it does on one piece, the others are less likely.
    tilt: FloatArray = HELD * hits * is_one_of(TIMEKEEPERS, kit) - HELD * by_hand * (kept & (hits == 0))
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
    tilt[:, kit.voices_named(TIMEKEEPERS)] -= UNKEPT * (rise > 0)[:, None]
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
) -> Computation[Plan]:
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
