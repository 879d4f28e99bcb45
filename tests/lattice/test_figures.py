"""Figures of a guitar that name a style."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from seq2drum.lattice.features import GuitarGrid, SongGrid
from seq2drum.lattice.grooves.figures import BESIDE_BASS, FIGURES, Strokes, figures_of
from seq2drum.lattice.sections import Section
from seq2drum.music.choices import STYLES
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo

TICKS, BARS = 480, 4
MAJOR, SEVENTH = (45, 52, 57, 61), (45, 52, 55, 61, 64)

Stroke = tuple[float, float, tuple[int, ...]]
"""Quarters from the barline, quarters that it lasts, pitches."""

SKANK = [(1, 0.25, MAJOR), (3, 0.25, MAJOR)]
EIGHTH_SKANK = [(beat + 0.5, 0.25, MAJOR) for beat in range(4)]
GALLOP = [(beat + part, 0.2, (40,)) for beat in range(4) for part in (0, 0.5, 0.75)]
FUNK = [(at, 0.15, MAJOR) for at in (0, 0.75, 1.25, 1.5, 2.75, 3.5)]
SWING = [(0, 0.9, SEVENTH), (1, 0.6, SEVENTH), (5 / 3, 0.3, SEVENTH), (3, 0.6, SEVENTH)]
BOSSA = [(0, 0.9, (45,)), (1.5, 0.4, SEVENTH), (2, 0.9, (45,)), (2.5, 0.4, SEVENTH), (3.5, 0.4, SEVENTH)]
EIGHTHS = [(eighth / 2, 0.45, MAJOR) for eighth in range(8)]


def guitar_of(bar: Sequence[Stroke], bpm: float, bass: Sequence[float] = (), metre: int = 4) -> GuitarGrid:
    """Bars that are all alike. bass: the places of its notes, in quarters from the barline."""

    def part(strokes: Sequence[Stroke], program: int) -> Part:
        notes = [
            Note(round((bar * metre + at) * TICKS), round(lasts * TICKS), pitch, 90)
            for bar in range(BARS)
            for at, lasts, pitches in strokes
            for pitch in pitches
        ]
        return Part.of(sorted(notes, key=lambda note: (note.onset, note.pitch)), program=program, name="")

    parts = [part(bar, 27), *([part([(at, 0.4, (33,)) for at in bass], 33)] if bass else [])]
    metres = (Metre(0, metre, 4),)
    song = Song(TICKS, tuple(parts), (Tempo(0, round(60_000_000 / bpm)),), metres, BARS * metre * TICKS)
    return SongGrid.of(song, [0]).guitar_grid


def heard(bar: Sequence[Stroke], bpm: float, bass: Sequence[float] = (), metre: int = 4) -> dict[str, float]:
    return figures_of(guitar_of(bar, bpm, bass, metre), [Section(0, "A")]).get("A", {})


@pytest.mark.parametrize(
    ("bar", "bpm", "figure"),
    [
        (SKANK, 76, "skank"),
        (EIGHTH_SKANK, 80, "skank"),
        (GALLOP, 160, "gallop"),
        (FUNK, 100, "leaning sixteenths"),
        (SWING, 180, "swung sevenths"),
        (BOSSA, 140, "leaning sevenths"),
    ],
)
def test_a_figure_is_heard_where_it_is_played_at_its_tempo_and_nowhere_else(
    bar: list[Stroke], bpm: float, figure: str
) -> None:
    assert heard(bar, bpm) == {figure: 1.0}
    assert heard(bar, 40) == {}
    assert heard(bar[:1], bpm) == {}
    assert heard(bar, bpm, metre=5) == {}  # figures are those of four quarters


@pytest.mark.parametrize("bpm", [70, 90, 120, 160, 200])
def test_plain_eighths_name_no_style(bpm: float) -> None:
    assert heard(EIGHTHS, bpm) == {}


def test_a_bass_in_triplets_or_on_every_beat_makes_a_skank_something_else() -> None:
    assert heard(SKANK, 76, [0, 2.5, 3.5]) == {"skank": BESIDE_BASS}
    assert heard(SKANK, 76, [0, 5 / 3, 2, 11 / 3]) == {}
    assert heard(SKANK, 76, [0, 1, 2, 3]) == {}


def test_a_figure_in_some_bars_counts_less() -> None:
    grid = guitar_of(SKANK, 76)
    busy = grid.guitar.select(np.ones(len(grid.guitar.step), dtype=bool))
    into = grid.form.bar_of(busy.step) >= 1  # three bars of four get a chord on 1, too
    more = busy.select(into)._replace(step=grid.form.first[grid.form.bar_of(busy.step[into])])
    mixed = GuitarGrid(grid.form, type(busy).join([busy, more]), grid.programs, 1)
    share = figures_of(mixed, [Section(0, "A")])["A"]["skank"]
    assert 0 < share < 1


def test_sections_are_heard_apart_and_every_figure_names_a_known_style() -> None:
    grid = guitar_of(SKANK, 76)
    assert set(figures_of(grid, [Section(0, "A"), Section(2, "B")])) == {"A", "B"}
    assert {figure.style for figure in FIGURES.values()} <= set(STYLES)
    assert figures_of(grid.silenced(), [Section(0, "A")]) == {}


def test_strokes_know_notes_pitch_classes_lengths_and_the_lowest_pitch() -> None:
    strokes = Strokes.of(guitar_of(SWING, 180), np.arange(BARS))
    assert strokes.notes[0, 0, 0] == len(SEVENTH) and strokes.classes[0, 0, 0] == 4  # A, E, G and C sharp
    assert strokes.length[0, 0, 0] == pytest.approx(0.9, abs=0.05) and strokes.lowest[0, 0, 0] == min(SEVENTH)
    assert strokes.notes.sum() == BARS * len(SWING) * len(SEVENTH) and not strokes.lowest[0, 2].any()
