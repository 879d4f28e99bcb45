"""Variants of a bar of a groove, as a drummer of its genre varies it, and when each is played.

What makes the genre stays: the kick on the one, the backbeat, four on the floor, the one drop, the clave. A move adds
or leaves out a stroke or two beside these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from seq2drum.lattice.grid import HIT_LENGTH, STEPS_PER_QUARTER, Grid
from seq2drum.lattice.grooves.fitting import playable
from seq2drum.music.brief import BRIEF
from seq2drum.music.kit import FULL

AS_DRUMMERS: float = BRIEF["variability"].default
PHRASE = 8  # bars
ORDERS = (
    (0, 0, 0, 1, 0, 0, 0, 2),
    (0, 1, 0, 1, 0, 1, 0, 2),
    (0, 0, 0, 1, 0, 0, 2, 1),
    (0, 1, 0, 2, 0, 1, 0, 3),
    (0, 0, 1, 0, 0, 0, 1, 2),
    (0, 1, 0, 0, 0, 1, 0, 2),
)
"""The variants of eight bars, 0 for the groove itself."""
NEW = 1000  # from this number on, a variant is played once
MOST = 5  # moves of a bar at variability 1
STEPS = 4 * STEPS_PER_QUARTER  # of a bar
_TAG = 0xB0DD  # only in the seeds of variants
_VOICE = FULL.places
_KICK, _SNARE, _STICK, _CLAP = (_VOICE[name] for name in ("kick", "snare", "side stick", "clap"))
_HAT, _OPEN, _TOM = _VOICE["closed hat"], _VOICE["open hat"], _VOICE["low tom"]
_LOUD = 60  # velocity from which a stroke is no ghost note

Bar = dict[tuple[int, int], int]
"""Velocities by step and voice."""
Move = Callable[[Bar, np.random.Generator], None]


def order_of(seed: int, passage: int, phrase: int, variability: float, bars: int = PHRASE) -> list[int]:
    """Return the number of the variant of each bar of a phrase; equal numbers are equal bars.

    Phrases of a passage share their order but for the last bar. Below the variability of drummers fewer bars vary, and
    at 0 none; above it, more and more bars are played once.
    """
    common = np.random.default_rng([seed, _TAG, passage])
    own = np.random.default_rng([seed, _TAG, passage, phrase + 1])
    order = ORDERS[int(common.integers(len(ORDERS)))]
    kept, fresh = common.random(PHRASE), own.random(bars)
    least = variability / AS_DRUMMERS
    newer = max((variability - AS_DRUMMERS) / (1 - AS_DRUMMERS), 0.0)
    found = []
    for bar in range(bars):
        number = order[bar % PHRASE] if kept[bar % PHRASE] < least else 0
        if bar == PHRASE - 1 and number and phrase % 2:
            number += len(ORDERS)  # every other phrase ends in its own way
        found.append(NEW + phrase * bars + bar if fresh[bar] < newer else number)
    return found


def variant(bar: Grid, moves: Sequence[str], seed: Sequence[int], variability: float) -> Grid:
    """Return a bar of 4/4 with some of the moves, which the seed draws. A bar that takes none stays."""
    rng, made = np.random.default_rng([_TAG, *seed]), _bar(bar)
    count = 1 + round(max((variability - AS_DRUMMERS) / (1 - AS_DRUMMERS), 0.0) * (MOST - 1))
    for _ in range(count):
        before = dict(made)
        for name in rng.permutation(list(moves)).tolist():  # the first that applies
            MOVES[name](made, rng)
            if made != before:
                break
    return playable(_grid(made))


# --- moves ------------------------------------------------------------------------------------------------------------


def _bar(grid: Grid) -> Bar:
    columns = (grid.step.tolist(), grid.key.tolist(), grid.velocity.tolist())
    return {(step, key): velocity for step, key, velocity in zip(*columns, strict=True)}


def _grid(bar: Bar) -> Grid:
    rows = [(step, key, velocity, 0, HIT_LENGTH) for (step, key), velocity in sorted(bar.items())]
    return Grid(*np.array(rows, dtype=np.int64).reshape(-1, 5).T)


def _backs(bar: Bar) -> set[int]:
    return {step for (step, key), velocity in bar.items() if key in (_SNARE, _STICK, _CLAP) and velocity >= _LOUD}


def _is_ternary(bar: Bar) -> bool:
    places = [step % STEPS_PER_QUARTER for step, _ in bar]
    return places.count(4) > places.count(3)


def _free(bar: Bar, parts: Sequence[int], voice: int, apart: int = 2) -> list[int]:
    """The steps at some parts of the quarter where a voice may be struck: not near itself, nor on a backbeat."""
    taken, backs = {step for step, key in bar if key == voice}, _backs(bar)
    places = [step for step in range(STEPS) if step % STEPS_PER_QUARTER in parts and step not in backs]
    return [step for step in places if not any(abs(step - other) < apart for other in taken)]


def _kick(bar: Bar, rng: np.random.Generator) -> None:
    """A kick more, on an eighth, or before a beat."""
    eighths = _free(bar, (3,), _KICK)
    places = [*eighths, *eighths, *_free(bar, (5,), _KICK)] or _free(bar, (0,), _KICK)
    if places:
        bar[int(rng.choice(places)), _KICK] = int(rng.integers(80, 100))


def _unkick(bar: Bar, rng: np.random.Generator) -> None:
    """A kick less, one between the beats, if two are left."""
    kicks = sorted(step for step, key in bar if key == _KICK)
    weak = [step for step in kicks if step % STEPS_PER_QUARTER]
    if weak and len(kicks) > 2:
        del bar[int(rng.choice(weak)), _KICK]


def _ghost(bar: Bar, rng: np.random.Generator) -> None:
    """A ghost note on the snare, between the eighths."""
    if places := _free(bar, (1, 5), _SNARE):
        bar[int(rng.choice(places)), _SNARE] = int(rng.integers(28, 42))


def _ghostlet(bar: Bar, rng: np.random.Generator) -> None:
    """A ghost note on the snare, on the middle or the last of three."""
    if places := _free(bar, (2, 4), _SNARE):
        bar[int(rng.choice(places)), _SNARE] = int(rng.integers(28, 42))


def _skip(bar: Bar, rng: np.random.Generator) -> None:
    """A kick on the last of three."""
    if places := _free(bar, (4,), _KICK):
        bar[int(rng.choice(places)), _KICK] = int(rng.integers(76, 96))


def _open_hat(bar: Bar, rng: np.random.Generator) -> None:
    """A hat that opens between the beats; if it does already, it stays closed."""
    opened = [step for step, key in bar if key == _OPEN and step % STEPS_PER_QUARTER == 3]
    closed = [step for step, key in bar if key == _HAT and step % STEPS_PER_QUARTER in (3, 4)]
    if len(opened) == 1:
        bar[opened[0], _HAT] = bar.pop((opened[0], _OPEN))
    elif closed and not opened:
        step = max(closed) if rng.random() < 0.6 else int(rng.choice(closed))
        bar[step, _OPEN] = max(bar.pop((step, _HAT)), 84)


def _comp(bar: Bar, rng: np.random.Generator) -> None:
    """A stroke of the left hand on the snare, on or before a beat, as soloists are answered."""
    if places := [step for step in _free(bar, (0, 4), _SNARE) if (step, _STICK) not in bar]:
        bar[int(rng.choice(places)), _SNARE] = int(rng.integers(46, 66))


def _bomb(bar: Bar, rng: np.random.Generator) -> None:
    """A kick on the last of three."""
    if places := _free(bar, (4,), _KICK):
        bar[int(rng.choice(places)), _KICK] = int(rng.integers(60, 82))


def _stick(bar: Bar, rng: np.random.Generator) -> None:
    """A soft stroke more on the side stick, or where there is none on the snare."""
    voice = _STICK if any(key == _STICK for _, key in bar) else _SNARE
    if places := _free(bar, (4,) if _is_ternary(bar) else (3, 5), voice):
        bar[int(rng.choice(places)), voice] = int(rng.integers(40, 58))


def _tom(bar: Bar, rng: np.random.Generator) -> None:
    """A low tom late in the bar, as the open tone of a conga."""
    places = [step for step in _free(bar, (3, 5), _TOM) if step >= STEPS // 2]
    if places:
        bar[int(rng.choice(places)), _TOM] = int(rng.integers(60, 84))


def _clap(bar: Bar, rng: np.random.Generator) -> None:
    """A soft clap or snare before the second or the fourth beat."""
    voice = _CLAP if any(key == _CLAP for _, key in bar) else _SNARE
    places = [step for step in (5, 11, 17, 20, 23) if (step, voice) not in bar]
    if places:
        bar[int(rng.choice(places)), voice] = int(rng.integers(50, 72))


def _late(bar: Bar, rng: np.random.Generator) -> None:
    """A kick between the last beats, or a snare there if it is taken."""
    step = STEPS - int(rng.choice([1, 3]))
    voice = _KICK if (step, _KICK) not in bar else _SNARE
    bar.setdefault((step, voice), int(rng.integers(76, 98)))


def _accent(bar: Bar, rng: np.random.Generator) -> None:
    """Another snare: a soft one that is struck, or a stroke between the beats."""
    soft = [step for (step, key), velocity in bar.items() if key == _SNARE and velocity < _LOUD]
    places = soft or _free(bar, (3,), _SNARE)
    if places:
        bar[int(rng.choice(places)), _SNARE] = int(rng.integers(84, 104))


MOVES: Mapping[str, Move] = MappingProxyType(
    {
        "kick": _kick,
        "unkick": _unkick,
        "ghost": _ghost,
        "ghostlet": _ghostlet,
        "skip": _skip,
        "open": _open_hat,
        "comp": _comp,
        "bomb": _bomb,
        "stick": _stick,
        "tom": _tom,
        "clap": _clap,
        "late": _late,
        "accent": _accent,
    }
)
"""What may vary, by name."""
