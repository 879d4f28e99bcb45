"""Groups and accents of metres: a table of all metres, made from music21 by `tests/music/make_tables.py`.

The table is read on first use (15 KB); music21 itself is never imported here. The rules, music21's own and those that
stand in where it has no answer, are written down in the generator.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_TABLE = Path(__file__).parent / "tables" / "metres.txt"
NUMERATORS = range(1, 65)
DENOMINATORS = (1, 2, 4, 8, 16, 32, 64)


@cache
def _rows() -> dict[tuple[int, int], tuple[str, str]]:
    """(numerator, denominator) -> (groups, weights), as text."""
    rows = {}
    for line in _TABLE.read_text(encoding="ascii").splitlines():
        if line.startswith("#"):
            continue
        numerator, denominators, runs, halvings = line.split()
        for denominator in denominators.split(","):
            rows[int(numerator), int(denominator)] = runs, halvings
    return rows


def _row(numerator: int, denominator: int) -> tuple[str, str]:
    if numerator > NUMERATORS[-1] and denominator in DENOMINATORS:
        return f"1*{numerator}", "0" + "3" * (numerator - 1)  # 76/32 is in real files; each unit is a group
    try:
        return _rows()[numerator, denominator]
    except KeyError:
        raise ValueError(
            f"no metre {numerator}/{denominator}: the numerator is 1 or more, the denominator one of {DENOMINATORS}"
        ) from None


@cache
def groups(numerator: int, denominator: int) -> tuple[int, ...]:
    """Accent groups in units of the denominator: 4/4 is (1, 1, 1, 1), 6/8 (3, 3), 7/8 (2, 2, 3). They fill the bar.

    Raises:
        ValueError: The metre is impossible: the denominator is not a power of two up to 64, or the numerator below 1.
    """
    runs = _row(numerator, denominator)[0]
    sizes: list[int] = []
    for run in runs.split("+"):
        size, _, times = run.partition("*")
        sizes += [int(size)] * int(times or 1)
    return tuple(sizes)


@cache
def weights(numerator: int, denominator: int) -> tuple[float, ...]:
    """The accent of each unit of the denominator, 1 for the downbeat only: 4/4 is (1, .25, .5, .25).

    Shape (numerator,); each weight is a power of two from 1/64 to 1.

    Raises:
        ValueError: The metre is impossible: the denominator is not a power of two up to 64, or the numerator below 1.
    """
    return tuple(0.5 ** int(halving) for halving in _row(numerator, denominator)[1])
