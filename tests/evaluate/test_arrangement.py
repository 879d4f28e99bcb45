"""Figures of the arrangement of a song, on parts worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.evaluate.arrangement import (
    COLUMNS,
    SILENCE,
    Arranged,
    arranged,
    arrangement,
    entry_of,
    passages_of,
    reliability_rows,
    rests_of,
    ruzicka,
    silence_row,
)
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.sections import Section
from seq2drum.music.kit import FULL
from seq2drum.play.decode import engine
from tests.drumming import four, guitar_grid
from tests.made import made_song

SECTIONS = (Section(0, "A"), Section(4, "B"), Section(8, "A"), Section(12, "B"))
FORM = four(16)
GUITAR = guitar_grid(FORM, *((bar, step, 90) for bar in range(16) for step in (0, 6, 12, 18)))
HAT = ((0, "kick"), (12, "kick"), (6, "snare"), (18, "snare"), *((step, "closed hat") for step in range(0, 24, 6)))
RIDE = (
    *HAT[:4],
    (15, "kick"),
    *((step, "ride") for step in range(0, 24, 6)),
    *((step, "ride") for step in range(3, 24, 6)),
)


def played(bars: Sequence[Sequence[tuple[int, str]]], velocities: Sequence[int] = (100,) * 16) -> Grid:
    rows = [
        (int(FORM.first[bar]) + step, FULL.names.index(name), velocities[bar], 0, 3)
        for bar, hits in enumerate(bars)
        for step, name in hits
    ]
    return Grid(*np.array(sorted(rows), dtype=np.int64).reshape(-1, 5).T)


BUILT = played([*[HAT] * 4, *[RIDE] * 4] * 2, [*[80] * 4, *[120] * 4] * 2)
FLAT = played([HAT] * 16)


def figures(drums: Grid, real: Grid = BUILT, **more: Any) -> Arranged:
    found = arranged(drums, real, replace(GUITAR, **more), SECTIONS)
    assert found is not None
    return found


def test_sections_are_counted_as_they_are_played() -> None:
    verse, chorus, *_ = passages_of(BUILT, FORM, SECTIONS, 16)
    assert (verse.letter, verse.bars, verse.hits, verse.kicks, verse.timekeeper) == ("A", 4, 8, 2, "closed hat")
    assert (chorus.letter, chorus.bars, chorus.hits, chorus.kicks, chorus.timekeeper) == ("B", 4, 13, 3, "ride")
    assert (verse.velocity, chorus.velocity) == (pytest.approx(80 / 127), pytest.approx(120 / 127))
    assert not verse.is_silent and passages_of(played([()] * 16), FORM, SECTIONS, 16)[0].is_silent


def test_drums_that_build_the_song_differ_by_section_and_a_loop_does_not() -> None:
    built, flat = figures(BUILT), figures(FLAT)
    assert built.hits == pytest.approx(2.5 / 10.5) and built.velocity == pytest.approx(0.2)
    assert (built.timekeepers, built.changes, built.within) == (2, 1, 1)
    assert built.between == pytest.approx(4 / 17)  # two kicks and two snares of the eight hits and the thirteen
    assert (flat.hits, flat.velocity, flat.timekeepers, flat.changes, flat.within, flat.between) == (0, 0, 1, 0, 1, 1)
    assert (built.silent, built.silent_first, built.late) == (0, 0, 0)


def test_agreement_is_by_rank_and_of_a_loop_it_is_none() -> None:
    assert figures(BUILT).hits_rank == figures(BUILT).kicks_rank == figures(BUILT).velocity_rank == pytest.approx(1)
    against = played([*[RIDE] * 4, *[HAT] * 4] * 2, [*[120] * 4, *[80] * 4] * 2)
    assert figures(against).hits_rank == pytest.approx(-1)
    assert figures(FLAT).hits_rank == 0
    assert np.isnan(figures(BUILT, FLAT).hits_rank)


def test_who_waits_is_late_and_silent_first() -> None:
    waiting = played([*[()] * 4, *[RIDE] * 12])
    bass = GUITAR.guitar.select(GUITAR.guitar.step >= FORM.first[4])
    assert (figures(waiting).late, figures(waiting).silent_first, figures(waiting).silent) == (1, 1, 0.25)
    assert np.isnan(figures(waiting).late_with_bass) and figures(waiting, bass=bass).late_with_bass == 1
    assert figures(FLAT, bass=bass).late_with_bass == 0
    assert (entry_of(waiting, FORM, 0), entry_of(waiting, FORM, 3), entry_of(played([()] * 16), FORM, 0)) == (
        4,
        1,
        None,
    )


def test_songs_with_few_sections_or_hardly_any_drums_are_left_out() -> None:
    assert arranged(BUILT, BUILT, GUITAR, SECTIONS[:2]) is None
    assert arranged(BUILT, played([HAT, *[()] * 15]), GUITAR, SECTIONS) is None


def test_likeness_is_that_of_ruzicka() -> None:
    one, other = np.array([[1, 0.5]], dtype=np.float32), np.array([[0.5, 1]], dtype=np.float32)
    assert ruzicka(one, other) == pytest.approx(0.5) and ruzicka(one, one) == 1
    assert ruzicka(0 * one, 0 * one) == 1 and ruzicka(one, 0 * one) == 0


def test_the_measure_has_a_row_for_each_player_and_all_columns() -> None:
    song = replace(made_song(1), guitar_grid=replace(GUITAR, marks=tuple((each.bar, each.letter) for each in SECTIONS)))
    song = Prepared(song.path, song.sha256, song.tag, song.group, song.split, song.guitar_grid, BUILT)
    seen: list[tuple[int, int]] = []
    table, silence, chances = arrangement(
        engine.load("default"), [song, song], {"seed": 1}, lambda what, done, total: seen.append((done, total))
    )
    assert [row.name for row in table.rows] == ["real drums", "takes", "takes, bass hidden"]
    assert all(row.songs == 2 and set(row.figures) == set(COLUMNS) for row in table.rows)
    assert seen == [(1, 2), (2, 2)] and len(COLUMNS) == len(Arranged._fields)
    (row,) = silence.rows  # no song has a bass
    assert row.name == "takes, bass hidden" and set(row.figures) == set(SILENCE)
    counts = [each.figures["sections"].value for each in chances.rows]
    assert sum(counts) == 8 and all(each.name.startswith("takes, bass hidden, ") for each in chances.rows)


def test_silence_of_takes_is_held_against_that_of_the_real_drums() -> None:
    resting = played([*[()] * 4, *[HAT] * 12])
    one = rests_of(BUILT, resting, GUITAR, SECTIONS)
    assert one.real.tolist() == [True, False, False, False] and not one.take.any() and one.entries == (False, True)
    assert one.chance.shape == (4,) and (one.chance > 0).all() and one.chance.max() < 0.2
    ideal = one._replace(chance=np.array([0.9, 0.1, 0.05, 0.01]), take=one.real, entries=(True, True))
    half = ideal._replace(chance=np.array([0.05, 0.1, 0.02, 0.01]), take=np.array([False, True, False, False]))
    figures = silence_row("takes", [ideal, half], 0).figures
    values = {name: figure.value for name, figure in figures.items()}
    assert values == pytest.approx(
        {"AUC": 9.5 / 12, "real": 0.25, "chance": 0.155, "takes": 0.25, "right": 0.5, "right entry": 1.0}
    )
    assert figures["right"].low == 0 and figures["right"].high == 1
    bins = list(reliability_rows("takes", [ideal, half], 0))
    assert [(row.figures["sections"].value, row.figures["real"].value) for row in bins] == [
        (2, 0),
        (3, pytest.approx(1 / 3)),
        (2, 0),
        (0, None),
        (1, 1),
    ]
