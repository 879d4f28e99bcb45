"""The lines of a percussionist, and what of a take is a percussionist's.

`grooves/percussion.txt` has the lines that percussionists know, the commonest of an instrument first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

import numpy as np

from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import STEPS_PER_QUARTER, Grid
from seq2drum.lattice.grooves import tabs
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.grooves.styles import swings
from seq2drum.music.notes import IntArray
from seq2drum.play.decode.sampling import drawn_place, random_of
from seq2drum.play.grooves.book import FOLDER

LINES = "percussion.txt"
TAG = 0x9E2C  # in the seeds of these draws only


@cache
def lines() -> Mapping[str, tuple[Groove, ...]]:
    """Return the lines of each instrument, the commonest first."""
    found = dict[str, tuple[Groove, ...]]()
    for line in tabs.parsed((FOLDER / LINES).read_text(encoding="utf-8")):
        instrument = line.name.partition("-")[0]
        found[instrument] = (*found.get(instrument, ()), line)
    return MappingProxyType(found)


def line_of(instrument: str, groove: Groove | None, metre: tuple[int, int], bpm: float, seed: Sequence[int]) -> Groove:
    """Return the line of an instrument in a metre, drawn from a seed among those that fit.

    A line is drawn in proportion to 1 over its rank. groove: of the drums; one that swings wants no straight eighths,
    and one that does not no triplets. bpm: quarters a minute.
    """
    known = lines()[instrument]
    inside = [line for line in known if (line.numerator, line.denominator) == metre]
    able = inside or [line for line in known if (line.numerator, line.denominator) == (4, 4)]
    is_swung = groove is not None and swings(groove)
    able = [line for line in able if _divides(line) in (None, is_swung)] or able
    able = [line for line in able if line.tempo[0] <= bpm <= line.tempo[1]] or sorted(
        able, key=lambda line: abs(np.log(bpm / np.clip(bpm, *line.tempo)))
    )[:1]
    draw = random_of(*seed, TAG, int(able[0].bars[0].key[0])).random()
    return able[drawn_place(1 / np.arange(1, len(able) + 1), draw)].fitted(*metre)


@cache
def _divides(line: Groove) -> bool | None:
    """Return whether a line has triplets; None where it leaves quarters whole, or where its beats are dotted."""
    if line.denominator != 4:
        return None
    places = {int(step) % STEPS_PER_QUARTER for bar in line.bars for step in bar.step}
    return None if places == {0} else bool(places & {2, 4})


def drummers_own(hits: Grid) -> Grid:
    """Return the hits of the full kit without those of instruments that a percussionist plays."""
    return hits.select(~np.isin(hits.key, np.concatenate([keys_of(name) for name in lines()])))


def passages(hits: Grid, form: Form) -> list[tuple[str, int, int]]:
    """Return each instrument of a percussionist, with the first and the last bar of each run in which it sounds."""
    found = list[tuple[str, int, int]]()
    for name in lines():
        bars = np.unique(form.bar_of(hits.step[np.isin(hits.key, keys_of(name))]))
        runs = np.split(bars, np.flatnonzero(np.diff(bars) > 1) + 1)
        found += [(name, int(run[0]), int(run[-1])) for run in runs if len(run)]
    return sorted(found, key=lambda passage: passage[1])


@cache
def keys_of(instrument: str) -> IntArray:
    """Return the voices of the full kit that an instrument has in its lines."""
    return np.unique(np.concatenate([bar.key for line in lines()[instrument] for bar in line.bars]))
