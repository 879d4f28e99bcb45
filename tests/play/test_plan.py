"""What is decided before a note is played."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves import Groove
from seq2drum.lattice.sections import Section
from seq2drum.music.kit import FULL
from seq2drum.play.plan import FILL_GAP, NEVER, Plan, plan_crashes, plan_fills

GROOVE = Groove("rest", "rest", 4, 4, (Grid.join([]),), None, (60.0, 120.0))


def test_as_many_fills_are_planned_as_are_likely_times_the_level_asked_for() -> None:
    logits = np.full(200, np.log(0.05 / 0.95))
    asked = (0, 0.25, 0.5, None, 0.75, 1)
    counts = [plan_fills(logits, fills, np.random.default_rng(1)).sum() for fills in asked]
    assert counts == pytest.approx([0, 6, 12, 12, 18, 24], abs=1)  # a fifth more than are to be heard


def test_fills_are_planned_where_they_are_likely_and_never_close_together() -> None:
    logits = np.full(64, -9.0)
    logits[7::8] = 1.0
    fill = plan_fills(logits, None, np.random.default_rng(0))
    assert set(np.flatnonzero(fill)) <= set(range(7, 64, 8)) and fill.sum() >= 6
    often = np.flatnonzero(plan_fills(np.full(40, 5.0), 1.0, np.random.default_rng(0)))
    assert np.diff(often).min() >= FILL_GAP


def test_each_bar_belongs_to_a_section_and_has_its_groove() -> None:
    plan = Plan.of_sections(8, [Section(1, "A"), Section(4, "B")], {"B": GROOVE})
    assert plan.letter == ("A", "A", "A", "A", "B", "B", "B", "B")
    assert plan.number.tolist() == [-1, 0, 1, 2, 0, 1, 2, 3]
    assert np.flatnonzero(plan.begins).tolist() == [1, 4]
    assert plan.grooves == (None,) * 4 + (GROOVE,) * 4


def test_cymbals_crash_where_sections_begin_and_after_fills_and_seldom_else() -> None:
    plan = Plan.of_sections(1600, [Section(bar, "AB"[bar // 16 % 2]) for bar in range(0, 1600, 16)])
    fill = np.arange(1600) % 16 == 11
    crash = plan_crashes(plan, fill, np.random.default_rng(0)).reshape(-1, 16).mean(axis=0)
    assert crash[0] > 0.3 and crash[12] > 0.3
    assert np.delete(crash, [0, 8, 12]).max() < 0.12


def test_what_is_forbidden_is_never_played() -> None:
    plan = Plan.of_sections(2, [Section(0, "A")])
    tilt = Plan(plan.letter, plan.number, plan.begins, plan.grooves, forbidden=frozenset({"clap"})).tilt(0, 24, FULL)
    assert (tilt[:, FULL.names.index("clap")] == NEVER).all()
    assert not np.delete(tilt, FULL.names.index("clap"), axis=1).any()
