"""The vocabulary of a drummer: how many different bars, what changes and when, where toms and crashes fall.

A sampled take is judged by these and by the critics, not by its hits alone: a drummer who varies a bar as drummers do
misses hits of the real one, and is none the worse for it.
"""

from __future__ import annotations

import numpy as np

from seq2drum.judge.figure import Figure, of_each, of_songs
from seq2drum.judge.measures import VOICE, BoolArray, bar_keys, f1, share, typical
from seq2drum.judge.trial import TOMS, Side
from seq2drum.music.notes import IntArray

HELD_BARS = 16  # bars at the beginning and at the end, in which it is measured how well the groove is held
PERIOD = 4  # bars of a phrase, after which drummers come back to what they played


def kinds_of(side: Side) -> list[IntArray]:
    """The bars of each section's letter, of one length; bars before the guitar begins are a kind of their own."""
    keys = np.stack([side.letter, side.drums.form.steps], axis=1)
    _, kind = np.unique(keys, axis=0, return_inverse=True)
    return [np.flatnonzero(kind == number) for number in range(int(kind.max(initial=-1)) + 1)]


def _distinct(side: Side) -> list[float]:
    """How many different bars, and how many bars."""
    keys = bar_keys(side.drums)
    return [float(len(set(keys))), float(len(keys))]


def _distinct_in_sections(side: Side) -> list[float]:
    """The same, a bar that comes in two sections counted in both."""
    keys = bar_keys(side.drums)
    return [float(len(set(zip(side.letter.tolist(), keys, strict=True)))), float(len(keys))]


def _changes(side: Side) -> list[float]:
    """How many bars differ from the one PERIOD bars before, and how many have one of their length there."""
    steps, rolls = side.drums.form.steps, side.rolls
    if len(steps) <= PERIOD:
        return [0.0, 0.0]
    comparable = steps[PERIOD:] == steps[:-PERIOD]
    differs = np.any(rolls[PERIOD:] != rolls[:-PERIOD], axis=(1, 2)) & comparable
    return [float(differs.sum()), float(comparable.sum())]


def _held(side: Side, bars: slice) -> list[float]:
    """Hits that some bars share with the typical bar of their section, hits of the bars, and of the typical bars."""
    rolls = side.rolls > 0
    groove = np.zeros_like(rolls)
    for kind in kinds_of(side):
        groove[kind] = rolls[kind[typical(rolls[kind])]]
    own, held = rolls[bars], groove[bars]
    return [float((own & held).sum()), float(own.sum()), float(held.sum())]


def _toms_outside_fills(side: Side) -> list[float]:
    """Hits of toms in bars that are no fills, and how many such bars there are."""
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
    Figure(
        "groove held early",
        f"hit F1 of the first {HELD_BARS} bars to the typical bar of their section",
        "near real",
        "vocabulary",
        lambda trial: _held(trial.made, slice(0, HELD_BARS)),
        of_each(f1),
    ),
    Figure(
        "groove held late",
        f"the same of the last {HELD_BARS} bars",
        "near real",
        "vocabulary",
        lambda trial: _held(trial.made, slice(-HELD_BARS, None)),
        of_each(f1),
    ),
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
