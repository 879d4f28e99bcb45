"""A figure of the panel: a vector counted over a take, and a number read off the sum of such vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from seq2drum.judge.measures import VOICE, BoolArray, Vector, bar_keys, share, typical
from seq2drum.judge.trial import TOMS, Side, Trial
from seq2drum.music.notes import IntArray

Better = Literal["high", "low", "near real", "to beat", "neither"]
WAYS: Mapping[str, str] = {
    "high": "higher is better",
    "low": "lower is better",
    "near real": "near the real drums is best",
}
"""The better direction in words, if there is one."""


class Figure(NamedTuple):
    """One figure: its name, its meaning, and the better direction.

    better: "near real" is judged by the value of the real drums; "to beat" is the same for all players; "neither" has
    no better direction. group: its table on a page. statistics: from a take to a vector. value: from a sum of such
    vectors to a number.
    """

    name: str
    meaning: str
    better: Better
    group: str
    statistics: Callable[[Trial], ArrayLike]
    value: Callable[[Vector], float]


def of_each(read: Callable[..., float]) -> Callable[[Vector], float]:
    """A function that reads a number off all sums."""
    return lambda sums: read(*sums.tolist())


def of_halves(read: Callable[[Vector, Vector], float]) -> Callable[[Vector], float]:
    """A function that reads a number off the first half of the sums and the second."""
    return lambda sums: read(sums[: len(sums) // 2], sums[len(sums) // 2 :])  # np.split took longer than reading


def of_songs(number: float) -> list[float]:
    """A song's term of a mean over songs; a song without an answer is left out."""
    return [0.0, 0.0] if np.isnan(number) else [number, 1.0]


HELD_BARS = 16  # first and last bars, in which the hold of the groove is measured
LEAST_HELD = 40  # bars of a song: a shorter one has no distance between beginning and end
PERIOD = 4  # bars of a phrase, after which drummers repeat themselves


def kinds_of(side: Side, *, by_section: bool = True) -> list[IntArray]:
    """The bars of each section's letter, split by length; bars before the guitar begins are a kind of their own.

    Without by_section the bars of each length in the whole song.
    """
    keys = np.stack([side.letter * by_section, side.drums.form.steps], axis=1)
    _, kind = np.unique(keys, axis=0, return_inverse=True)
    return [np.flatnonzero(kind == number) for number in range(int(kind.max(initial=-1)) + 1)]


def _distinct(side: Side) -> list[float]:
    """The number of distinct bars, and of bars."""
    keys = bar_keys(side.drums)
    return [float(len(set(keys))), float(len(keys))]


def _distinct_in_sections(side: Side) -> list[float]:
    """The same, a bar that comes in two sections counted in both."""
    keys = bar_keys(side.drums)
    return [float(len(set(zip(side.letter.tolist(), keys, strict=True)))), float(len(keys))]


def _changes(side: Side) -> list[float]:
    """The number of bars unlike the one PERIOD bars before, and of those whose length that bar shares."""
    steps, rolls = side.drums.form.steps, side.rolls
    if len(steps) <= PERIOD:
        return [0.0, 0.0]
    comparable = steps[PERIOD:] == steps[:-PERIOD]
    differs = np.any(rolls[PERIOD:] != rolls[:-PERIOD], axis=(1, 2)) & comparable
    return [float(differs.sum()), float(comparable.sum())]


def _held(side: Side, bars: slice, by_section: bool) -> list[float]:
    """Hits that some bars share with the typical bar of section or song, hits of the bars, and of the typical bars."""
    rolls = side.rolls > 0
    if len(rolls) < LEAST_HELD:
        return [0.0, 0.0, 0.0]
    groove = np.zeros_like(rolls)
    for kind in kinds_of(side, by_section=by_section):
        groove[kind] = rolls[kind[typical(rolls[kind])]]
    own, held = rolls[bars], groove[bars]
    return [float((own & held).sum()), float(own.sum()), float(held.sum())]


def _held_figures() -> list[Figure]:
    """The hold of a groove early and late: that of each section, and one of the whole song."""
    ends = {"early": ("first", slice(0, HELD_BARS)), "late": ("last", slice(-HELD_BARS, None))}

    def figure(groove: str, of: str, by_section: bool, end: str) -> Figure:
        which, bars = ends[end]
        meaning = f"hit F1 of the {which} {HELD_BARS} bars to the typical bar of {of}, in songs of {LEAST_HELD} or more"

        def counted(trial: Trial) -> list[float]:
            return _held(trial.made, bars, by_section)

        return Figure(f"{groove} held {end}", meaning, "near real", "vocabulary", counted, of_each(f1))

    def f1(both: float, own: float, held: float) -> float:
        return share(2 * both, own + held)  # NaN if no song is long enough

    both = (("groove", "their section", True), ("one groove", "the whole take", False))
    return [figure(*groove, end) for groove in both for end in ends]


def _toms_outside_fills(side: Side) -> list[float]:
    """Hits of toms in bars that are not fills, and the number of such bars."""
    plain = side.rolls[~side.fills]
    return [float(plain[:, :, list(TOMS)].sum()), float(len(plain))]


def crashes_by_place(side: Side) -> tuple[int, int, int]:
    """Crashes on the one of a section's first bar, on the one of other bars, and elsewhere."""
    crash: BoolArray = side.hits[:, VOICE["crash"]]
    ones = crash[side.drums.form.first[:-1]]
    on_sections, on_ones = int((ones & side.begins).sum()), int(ones.sum())
    return on_sections, on_ones - on_sections, int(crash.sum()) - on_ones


def _crash_figures() -> list[Figure]:
    places = ("on a section's one", "on another one", "elsewhere")
    meanings = ("the first beat of a section", "the first beat of any other bar", "any other beat")

    def figure(place: int) -> Figure:
        def counted(side: Side) -> list[float]:
            crashes = crashes_by_place(side)
            return of_songs(share(crashes[place], sum(crashes)))

        meaning = f"share of crashes on {meanings[place]}, mean over songs"
        name = f"crashes {places[place]}"
        return Figure(name, meaning, "near real", "vocabulary", lambda trial: counted(trial.made), of_each(share))

    return [figure(place) for place in range(len(places))]


VOCABULARY = (
    Figure(
        "distinct bars",
        "share of bars that are not the same as an earlier one of the song",
        "near real",
        "vocabulary",
        lambda trial: _distinct(trial.made),
        of_each(share),
    ),
    Figure(
        "distinct bars a section",
        "share of bars that are not the same as an earlier one of a section of that letter",
        "near real",
        "vocabulary",
        lambda trial: _distinct_in_sections(trial.made),
        of_each(share),
    ),
    Figure(
        "change at four bars",
        "share of bars that differ from the one four bars before",
        "near real",
        "vocabulary",
        lambda trial: _changes(trial.made),
        of_each(share),
    ),
    *_held_figures(),
    Figure(
        "toms outside fills",
        "hits of toms a bar, in bars that are no fills",
        "near real",
        "vocabulary",
        lambda trial: _toms_outside_fills(trial.made),
        of_each(share),
    ),
    Figure(
        "crashes a bar",
        "crashes, for each bar",
        "near real",
        "vocabulary",
        lambda trial: [float(trial.made.hits[:, VOICE["crash"]].sum()), float(len(trial.made.bar_hits))],
        of_each(share),
    ),
    *_crash_figures(),
)
"""The figures of the vocabulary, for the panel."""
