"""The grooves that belong to a style.

The style that a groove of a song was given counts its drums (`conditions.style_of`): a backbeat with much tambourine
is latin there, but not to a player who wants latin. So a groove of a style is one that is named so and has the signs
that a drummer would list. The signs are those of four quarters; in other metres the name is enough.

Letters of shapes: B bars of a groove, S steps of a bar, V voices of the full kit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from types import MappingProxyType

import numpy as np

from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER, TWELFTHS, Grid
from seq2drum.lattice.grooves.fitting import steps_of, twelfths
from seq2drum.lattice.grooves.grooves import Groove, grid_of
from seq2drum.lattice.grooves.titles import kind_of, slug_of
from seq2drum.music import metres
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray

LOUD = 50  # velocity above ghost notes and feathered kicks
EIGHTH, SKIP, SIXTEENTHS = 3, 4, (1, 5)  # steps of a quarter: straight and swung second eighth; the second and the last
FEW_KICKS, MANY_KICKS = 5, 5
_SNARES, _TIME = ("snare", "clap"), ("closed hat", "open hat", "pedal hat", "ride", "bell")
_SHAKEN = ("shaker", "cabasa", "tambourine")
_KEEPING = frozenset(FULL.voices_named((*_TIME, *_SHAKEN)))
_QUARTERS = 4


@cache
def is_of(groove: Groove, style: str) -> bool:
    """Return whether a groove belongs to a style."""
    return groove.style == style and has_signs(groove, style)


@cache
def has_signs(groove: Groove, style: str) -> bool:
    """Return whether a groove has all signs of a style; True in other metres than 4/4."""
    if (groove.numerator, groove.denominator) != (4, 4):
        return True
    velocity = np.stack(groove_velocities(groove))
    return all(sign(velocity) for sign in SIGNS[style])


@cache
def keeps_time(groove: Groove) -> bool:
    """Return whether hat, ride or something shaken is struck at least twice in each bar."""
    struck = (zip(bar.step.tolist(), bar.key.tolist(), strict=True) for bar in groove.bars)
    return all(len({step for step, voice in hits if voice in _KEEPING}) >= 2 for hits in struck)


def groove_velocities(groove: Groove) -> list[IntArray]:
    """The velocities (S, V) of each bar, 0 where nothing is struck."""
    bars = []
    for bar in groove.bars:
        velocity = np.zeros((groove.steps, len(FULL)), dtype=np.int64)
        velocity[bar.step, bar.key] = bar.velocity
        bars.append(velocity)
    return bars


# --- signs: velocity (B, S, V) to truth -------------------------------------------------------------------------------

Sign = Callable[[IntArray], bool]


def _loud(velocity: IntArray, *names: str) -> IntArray:
    """(B, quarters, steps of a quarter): whether any of the voices is struck loud."""
    voices = velocity[:, :, [FULL.names.index(name) for name in names]].max(axis=2) >= LOUD
    loud: IntArray = voices.reshape(len(velocity), _QUARTERS, STEPS_PER_QUARTER).astype(np.int64)
    return loud


def backbeat(velocity: IntArray) -> bool:
    """A snare on 2 and 4, or in half time on 3, in each bar."""
    snare = _loud(velocity, *_SNARES, "side stick")[:, :, 0]
    two_and_four, three = snare[:, 1] & snare[:, 3], snare[:, 2] & ~snare[:, 1] & ~snare[:, 3]
    return bool((two_and_four | three).all())


def no_backbeat(velocity: IntArray) -> bool:
    """No bar with a loud snare on both 2 and 4; a side stick does not count."""
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
"""The signs of each style; every groove that is named so and has all of them belongs to it."""


_EIGHTH, _TRIPLET = PLACES.tolist().index(6), PLACES.tolist().index(8)
_BEATS = tuple(beat * STEPS_PER_QUARTER for beat in range(4))  # the beats of a bar of four
_BACKBEATS = _BEATS[1::2]
_KICK, _SNARE, _STICK, _CLAP = (FULL.names.index(name) for name in ("kick", "snare", "side stick", "clap"))
EXTREME = ("blast beat", "double kick", "double-time", "half-time")  # first words of the extreme kinds
_HAND = frozenset(index for index, voice in enumerate(FULL.voices) if voice.limb == "percussion")


@cache
def swings(groove: Groove) -> bool:
    """Return whether the groove has more hits on the last triplet of its quarters than on their second eighth."""
    places = [step % STEPS_PER_QUARTER for bar in groove.bars for step in bar.step.tolist()]
    return groove.denominator == 4 and places.count(_TRIPLET) > places.count(_EIGHTH)


@cache
def has_hand_percussion(groove: Groove) -> bool:
    """Return whether the groove strikes a piece outside a drum kit."""
    return any(not _HAND.isdisjoint(bar.key.tolist()) for bar in groove.bars)


@cache
def is_extreme(groove: Groove) -> bool:
    """Return whether only a band that wants it gets this groove: a blast beat, double kick, double time or half time.

    In 2/4 a snare on the offbeats is a polka rather than double time.
    """
    kind = kind_of(groove.bars, groove.numerator, groove.denominator)
    return kind.startswith(EXTREME) and not (kind == "double-time" and groove.numerator == 2)


@cache
def idiom_of(groove: Groove) -> str | None:
    """The style of a groove in the words of a drummer of that style.

    Songs are counted as Latin by their percussion and as jazz by a swung ride. But a bar of four with a backbeat is not
    Latin: four on the floor is dance, and all else pop. A swung one with a snare on it is a shuffle.
    """
    if groove.style not in ("latin", "jazz") or (groove.numerator, groove.denominator) != (4, 4):
        return groove.style
    bars = [set(zip(bar.step.tolist(), bar.key.tolist(), strict=True)) for bar in groove.bars]
    back = (_SNARE, _STICK, _CLAP) if groove.style == "latin" else (_SNARE, _CLAP)
    if not any(all(any((at, voice) in struck for voice in back) for at in _BACKBEATS) for struck in bars):
        return groove.style
    if groove.style == "jazz":
        return "shuffle"
    # Four on the floor is a kick on every beat, and some beat on the kick alone, which a tango lacks.
    kicks, snares = ({(at, voice) for at in _BEATS} for voice in (_KICK, _SNARE))
    return "dance" if all(kicks <= struck and not snares <= struck for struck in bars) else "pop"


TIMES = {"hat": "closed hat", "ride": "ride"}
TURNS, ACCENTS_BETWEEN = "kick and snare by turns", "snare before every head"
LAST, HALF_TIME = "snare on the last group", "half-time"
_MOST_SAID = 7  # groups spelt out in a title
_ACCENT, _PLAIN, _SOFT = 112, 94, 72
_KICK_ROW, _SNARE_ROW = FULL.names.index("kick"), FULL.names.index("snare")
_TEMPOS = {4: (80, 170), 8: (100, 210)}  # by the denominator; a metre of shorter notes is slower


def composed(numerator: int, denominator: int, groups: Sequence[int] | None = None) -> tuple[Groove, ...]:
    """Simple grooves for any metre. groups: units of the denominator, by default those of the metre.

    Raises:
        ValueError: the metre is impossible, or the groups do not fill its bar.
    """
    whole = metres.groups(numerator, denominator)
    groups = tuple(whole if groups is None else groups)
    if sum(groups) != numerator:
        raise ValueError(f"the groups {groups} do not fill a bar of {numerator}/{denominator}")
    sizes = _paired(groups, 4 * numerator // denominator) if denominator <= 4 else groups
    unit = TWELFTHS if denominator <= 4 else 4 * TWELFTHS / denominator
    count = f" in {'+'.join(map(str, sizes))}" if len(sizes) <= _MOST_SAID else ""
    found: dict[tuple[tuple[int, ...], ...], Groove] = {}
    for kind, (time, piece) in product((TURNS, ACCENTS_BETWEEN, LAST, HALF_TIME), TIMES.items()):
        bars = [[*_time(sum(sizes), unit, sizes, piece), *struck] for struck in _struck(kind, sizes, unit)]
        grids = tuple(_on_steps(hits, steps_of(numerator, denominator)) for hits in bars)
        title = f"{numerator}/{denominator}{count}, {kind}, {time}"
        tempo = _TEMPOS.get(max(denominator, 4), (60, 120))
        groove = Groove(slug_of(title), title, numerator, denominator, grids, "rock", tempo)
        same = tuple(tuple(column.tolist()) for grid in grids for column in (grid.step, grid.key))
        found.setdefault(same, groove)
    return tuple(found.values())


_Hit = tuple[float, int, int]
"""Twelfths of a quarter from the barline, voice, velocity."""


def _paired(groups: Sequence[int], quarters: int) -> tuple[int, ...]:
    """Groups of quarters; single beats are joined in twos, the last three of an odd number in a three."""
    if max(groups) > 1 and sum(groups) == quarters:
        return tuple(groups)
    return (quarters,) if quarters <= 3 else (*(2,) * (quarters // 2 - quarters % 2), *(3,) * (quarters % 2))


def _time(units: int, unit: float, sizes: Sequence[int], piece: str) -> Iterable[_Hit]:
    """Hat or ride on every unit, and between quarters on their halves."""
    heads = set(np.cumsum([0, *sizes]).tolist())
    voice = FULL.names.index(piece)
    for at in range(units):
        yield at * unit, voice, _PLAIN if at in heads or unit == TWELFTHS else _SOFT
        if unit == TWELFTHS:
            yield (at + 0.5) * unit, voice, _SOFT


def _struck(kind: str, sizes: Sequence[int], unit: float) -> list[list[_Hit]]:
    """Kick and snare of one bar, or of two where there is but one group."""
    heads = (np.cumsum([0, *sizes])[:-1] * unit).tolist()
    ends = [head + (size - 1) * unit for head, size in zip(heads, sizes, strict=True)]
    odd = len(sizes) % 2
    if kind == ACCENTS_BETWEEN:
        return [_hits(heads, [end for end in ends if end not in heads])]
    if kind == LAST:
        return [_hits(heads[:-1] or heads, heads[-1:] if len(heads) > 1 else [])]
    if len(sizes) == 1:
        return [_hits(heads, []), _hits([], heads)]
    if kind == HALF_TIME:
        back = (len(sizes) + 1) // 2
        return [_hits([heads[0], ends[back - 1]], [heads[back]])]
    return [_hits(heads[::2], [*heads[1::2], *ends[-1:] * odd])]


def _hits(kicks: Iterable[float], snares: Iterable[float]) -> list[_Hit]:
    return [*((at, _KICK_ROW, _ACCENT) for at in kicks), *((at, _SNARE_ROW, _ACCENT) for at in snares)]


def _on_steps(hits: Iterable[_Hit], steps: int) -> Grid:
    """Hits on the nearest steps of a bar; the louder of two that meet."""
    hits = list(hits)
    away = np.abs(twelfths(np.arange(steps)) - np.array([place for place, _, _ in hits])[:, None])
    loudest: dict[tuple[int, int], int] = {}
    for step, (_, voice, velocity) in zip(away.argmin(axis=1).tolist(), hits, strict=True):
        loudest[step, voice] = max(loudest.get((step, voice), 0), velocity)
    return grid_of([(*at, velocity) for at, velocity in loudest.items()])
