"""Grooves that are composed by the accents of a metre, for metres that few songs are in.

A bar is counted in groups of two and three. The kick is on heads of groups, the snare on others or on what is between,
hat or ride on every unit. In metres over 1, 2 and 4 the groups are of quarters, and hat or ride plays eighths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np

from seq2drum.lattice.fitting import steps_of, twelfths
from seq2drum.lattice.grid import TWELFTHS, Grid
from seq2drum.lattice.grooves import Groove, grid_of
from seq2drum.lattice.titles import slug_of
from seq2drum.music import metres
from seq2drum.music.kit import FULL

TIMES = {"hat": "closed hat", "ride": "ride"}
TURNS, BETWEEN = "kick and snare by turns", "snare before every head"
LAST, HALF_TIME = "snare on the last group", "half-time"
_MOST_SAID = 7  # groups that a title says
_ACCENT, _PLAIN, _SOFT = 112, 94, 72
_KICK, _SNARE = FULL.names.index("kick"), FULL.names.index("snare")
_TEMPOS = {4: (80, 170), 8: (100, 210)}  # by the denominator; a metre of shorter notes is slower


def composed(numerator: int, denominator: int, groups: Sequence[int] | None = None) -> tuple[Groove, ...]:
    """Some grooves of any metre. groups: units of the denominator, by default those of the metre.

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
    for kind, (time, piece) in product((TURNS, BETWEEN, LAST, HALF_TIME), TIMES.items()):
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
    """Groups of quarters; beats that stand alone are joined to twos, of an odd number the last three to a three."""
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
    if kind == BETWEEN:
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
    return [*((at, _KICK, _ACCENT) for at in kicks), *((at, _SNARE, _ACCENT) for at in snares)]


def _on_steps(hits: Iterable[_Hit], steps: int) -> Grid:
    """Hits on the nearest steps of a bar; of two that meet the louder."""
    hits = list(hits)
    away = np.abs(twelfths(np.arange(steps)) - np.array([place for place, _, _ in hits])[:, None])
    loudest: dict[tuple[int, int], int] = {}
    for step, (_, voice, velocity) in zip(away.argmin(axis=1).tolist(), hits, strict=True):
        loudest[step, voice] = max(loudest.get((step, voice), 0), velocity)
    return grid_of([(*at, velocity) for at, velocity in loudest.items()])
