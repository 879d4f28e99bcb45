"""A song to play like: what its drums tell of grooves, levels, fills and feel.

Letters of shapes: B bars.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seq2drum.errors import NoGuitarError, NoNotesError, OptionError
from seq2drum.lattice.conditions import Measured, measure
from seq2drum.lattice.form import Form, form_of, lattice_of
from seq2drum.lattice.grid import STEPS_PER_QUARTER, Grid, encode
from seq2drum.lattice.grooves import Groove, typical
from seq2drum.lattice.listening import Listening
from seq2drum.lattice.phrases import merge
from seq2drum.lattice.sections import bars_of, sections
from seq2drum.music import drum_maps, theory
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray, Song
from seq2drum.music.shown import Shown
from seq2drum.play.asked import WHOLE
from seq2drum.play.feel import moments
from seq2drum.play.swing import swing_of

# Means of 700 training songs and of 310 recordings of drummers: notebooks/LOG.md, 2026-11-22.
FILLS_A_BAR = 0.082  # share of fills among the bars of real drums, as `drums.fills` counts them
HUMAN_MS = 13.4  # how far drummers strike from where they mostly strike a piece, in milliseconds


@dataclass(frozen=True)
class Wishes(Shown):
    """What a song's drums tell, by the names of `Options`; levels 0 to 1, None where nothing tells them.

    grooves: of each section of its guitar, by its letter, and of `WHOLE` that of all bars.
    """

    grooves: dict[str, Groove]
    intensity: float
    complexity: float
    fills: float
    humanize: float
    swing: float | None


def wishes_of(song: Song) -> Wishes:
    """What a song's drums tell.

    Sections are those of its guitar; without one, the song has no sections.

    Raises:
        OptionError: it has no drums.
    """
    lattice = lattice_of(song)
    grid, form = encode(merge(drum_maps.drum_parts(song)), lattice, FULL), form_of(song, lattice)
    if not len(grid.step):
        raise OptionError(f"the song to play like: {theory.no_drums(song)}")
    played = np.zeros(len(form.steps), dtype=bool)
    played[form.bar_of(grid.step)] = True
    grooves = {WHOLE: typical(grid, form)}
    for letter, bars in _passages(song, len(form.steps)).items():
        if played[bars].any():
            grooves[letter] = typical(grid, form, bars)
    measured = measure(grid, form)
    return Wishes(
        grooves,
        intensity=float(measured.intensity[played].mean()),
        complexity=float(measured.complexity[played].mean()),
        fills=_fills(measured, played),
        humanize=_humanize(grid, form),
        swing=swing_of(grid, form),
    )


def _passages(song: Song, bars: int) -> dict[str, list[int]]:
    """The bars of each letter of the guitar's sections, in the order in which they first come."""
    try:
        guitar = theory.guitar_parts(song).parts
    except (NoGuitarError, NoNotesError):
        return {}
    return bars_of(sections(Listening.of(song, guitar).heard), bars)


def _fills(measured: Measured, played: IntArray) -> float:
    """How often the pattern breaks: 0.5 is as often as drummers do on average, 1 twice as often and more."""
    return float(np.clip(measured.fill.sum() / played.sum() / FILLS_A_BAR / 2, 0, 1))


def _humanize(grid: Grid, form: Form) -> float:
    """How human the moments are: 0 where each is the same as ever, 1 as far from that as drummers are, and further.

    A swing or a lag that is always the same is no error: what counts is the mean distance, over the hits of a voice at
    a place of the quarter, from the median of these.
    """
    milliseconds = moments(grid, form)
    name = form.place_of(grid.step) % STEPS_PER_QUARTER * len(FULL) + grid.key
    away = np.zeros(len(name))
    for one in np.unique(name):
        own = name == one
        away[own] = np.abs(milliseconds[own] - np.median(milliseconds[own]))
    return float(np.clip(away.mean() / HUMAN_MS, 0, 1))
