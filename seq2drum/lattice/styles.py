"""Which grooves a drummer plays where a style is asked for by name.

The style that a groove of a song was given says how its drums are counted (`conditions.style_of`): a backbeat with much
tambourine is latin there. Who asks for latin wants none of that. So a groove of a style is one that is called so, and
has the signs that a drummer would name. They are those of four quarters; in other metres the name is enough.

Letters of shapes: B bars of a groove, S steps of a bar, V voices of the full kit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

import numpy as np

from seq2drum.lattice.grid import STEPS_PER_QUARTER
from seq2drum.lattice.grooves import Groove
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray

LOUD = 50  # velocity from which a stroke is no ghost note, and a kick not feathered
EIGHTH, SKIP, SIXTEENTHS = 3, 4, (1, 5)  # steps of a quarter: straight and swung second eighth; the second and the last
FEW_KICKS, MANY_KICKS = 5, 5
_SNARES, _TIME = ("snare", "clap"), ("closed hat", "open hat", "pedal hat", "ride", "bell")
_SHAKEN = ("shaker", "cabasa", "tambourine")
_QUARTERS = 4
_PATTERN = ("kick", "snare", "low tom", "mid tom", "high tom")
# Counted over the grooves of the book in four quarters, each as often as songs have it.
_LEANING, _LEVELS = (0.1, 0.16, 0.25, 0.38, 0.82, 1.5), (0.0, 0.3, 0.5, 0.65, 0.9, 1.0)
STRUCK, BETWEEN = 0.1, 0.3  # see `leaning`


@cache
def is_of(groove: Groove, style: str) -> bool:
    """Whether a drummer who is asked for a style plays a groove."""
    if groove.style != style:
        return False
    if (groove.numerator, groove.denominator) != (4, 4):
        return True
    velocity = np.stack(groove_velocities(groove))
    return all(sign(velocity) for sign in SIGNS[style])


@cache
def leaning(groove: Groove) -> float:
    """How much a groove leans against the beat, 0 or more: kicks, loud snares and toms, a quarter, weighed.

    One on the beat weighs STRUCK. Off the beat it weighs 1 more if the same voice leaves out the next beat, and
    BETWEEN more if it is between the eighths.
    """
    count = np.zeros(3)
    for velocity in groove_velocities(groove):
        pattern = velocity[:, [FULL.names.index(name) for name in _PATTERN]] >= LOUD
        pattern = np.pad(pattern, ((0, -len(pattern) % STEPS_PER_QUARTER), (0, 0)))
        pattern = pattern.reshape(-1, STEPS_PER_QUARTER, len(_PATTERN))
        following = np.roll(pattern[:, 0], -1, axis=0)
        leans = pattern[:, 1:].sum(axis=1) * ~following
        count += pattern.sum(), leans.sum(), pattern[:, list(SIXTEENTHS)].sum()
    quarters = len(groove.bars) * groove.steps / STEPS_PER_QUARTER
    return float(count @ (STRUCK, 1.0, BETWEEN)) / quarters


@cache
def keeps_time(groove: Groove) -> bool:
    """Whether hat, ride or something shaken is struck at least twice in each bar."""
    keeping = [FULL.names.index(name) for name in (*_TIME, *_SHAKEN)]
    return all((velocity[:, keeping] > 0).any(axis=1).sum() >= 2 for velocity in groove_velocities(groove))


def groove_velocities(groove: Groove) -> list[IntArray]:
    """Of each bar the velocities (S, V), 0 where nothing is struck."""
    bars = []
    for bar in groove.bars:
        velocity = np.zeros((groove.steps, len(FULL)), dtype=np.int64)
        velocity[bar.step, bar.key] = bar.velocity
        bars.append(velocity)
    return bars


def complexity(groove: Groove) -> float:
    """How complex a groove is, 0..1, by how much it leans: 0 is kick on 1 and 3, 0.5 what half of all songs stay below.

    It is what a drummer calls complex. By syncopation alone, a blast beat would be the plainest groove of all.
    """
    return float(np.interp(leaning(groove), _LEANING, _LEVELS))


# --- signs: velocity (B, S, V) to whether it is so --------------------------------------------------------------------

Sign = Callable[[IntArray], bool]


def _loud(velocity: IntArray, *names: str) -> IntArray:
    """(B, quarters, steps of a quarter): where any of the voices is struck loud."""
    voices = velocity[:, :, [FULL.names.index(name) for name in names]].max(axis=2) >= LOUD
    loud: IntArray = voices.reshape(len(velocity), _QUARTERS, STEPS_PER_QUARTER).astype(np.int64)
    return loud


def backbeat(velocity: IntArray) -> bool:
    """A snare on 2 and 4, or in half time on 3, in each bar."""
    snare = _loud(velocity, *_SNARES, "side stick")[:, :, 0]
    two_and_four, three = snare[:, 1] & snare[:, 3], snare[:, 2] & ~snare[:, 1] & ~snare[:, 3]
    return bool((two_and_four | three).all())


def no_backbeat(velocity: IntArray) -> bool:
    """No bar with a loud snare on both 2 and 4; a side stick there is none."""
    snare = _loud(velocity, *_SNARES)[:, :, 0]
    return not bool((snare[:, 1] & snare[:, 3]).any())


def swung(velocity: IntArray) -> bool:
    """Time is kept with skip notes, and not with straight eighths."""
    time = (velocity[:, :, [FULL.names.index(name) for name in _TIME]] > 0).any(axis=2)
    time = time.reshape(len(velocity), _QUARTERS, STEPS_PER_QUARTER)
    return bool(time[:, :, SKIP].any(axis=1).all() and time[:, :, SKIP].sum() > time[:, :, EIGHTH].sum())


def straight(velocity: IntArray) -> bool:
    """Time is not kept with skip notes."""
    return not swung(velocity)


def on_the_ride(velocity: IntArray) -> bool:
    """Time is kept on the ride rather than on the hat."""
    ride, hat = ((velocity[:, :, [FULL.names.index(name) for name in names]] > 0).sum() for names in _LINES)
    return bool(ride > hat)


_LINES = (("ride", "bell"), ("closed hat", "open hat"))


def few_kicks(velocity: IntArray) -> bool:
    """At most FEW_KICKS kicks in a bar."""
    return bool((_loud(velocity, "kick").sum(axis=(1, 2)) <= FEW_KICKS).all())


def many_kicks(velocity: IntArray) -> bool:
    """At least MANY_KICKS kicks in each bar."""
    return bool((_loud(velocity, "kick").sum(axis=(1, 2)) >= MANY_KICKS).all())


def four_kicks(velocity: IntArray) -> bool:
    """A kick on every beat."""
    return bool(_loud(velocity, "kick")[:, :, 0].all())


def one_drop(velocity: IntArray) -> bool:
    """The weight on 3: a snare or a side stick there, or a kick there and none on 1."""
    snare, kick = _loud(velocity, *_SNARES, "side stick")[:, :, 0], _loud(velocity, "kick")[:, :, 0]
    return bool((snare[:, 2] | (kick[:, 2] & ~kick[:, 0])).any())


def sixteenths(velocity: IntArray) -> bool:
    """Kick or snare between the eighths, ghost notes too, in each bar."""
    pattern = (velocity[:, :, [FULL.names.index(name) for name in ("kick", "snare")]] > 0).any(axis=2)
    between = pattern.reshape(len(velocity), _QUARTERS, STEPS_PER_QUARTER)[:, :, list(SIXTEENTHS)]
    return bool(between.any(axis=(1, 2)).all())


def stick_or_hands(velocity: IntArray) -> bool:
    """Two strokes or more in each bar on side stick, hand percussion or bell."""
    names = ("side stick", "bell", *(voice.name for voice in FULL.voices if voice.limb == "percussion"))
    strokes = (velocity[:, :, [FULL.names.index(name) for name in names]] > 0).any(axis=2).sum(axis=1)
    return bool((strokes >= 2).all())


SIGNS: Mapping[str, tuple[Sign, ...]] = MappingProxyType(
    {
        "jazz": (swung, on_the_ride, no_backbeat),
        "shuffle": (swung, backbeat),
        "latin": (no_backbeat, stick_or_hands),
        "metal": (many_kicks,),
        "dance": (four_kicks, straight),
        "reggae": (one_drop, no_backbeat),
        "funk": (sixteenths, straight, backbeat),
        "pop": (backbeat, few_kicks, straight),
        "rock": (backbeat, straight),
    }
)
"""What a groove of each style has; every groove that is called so and has all of it is one."""
