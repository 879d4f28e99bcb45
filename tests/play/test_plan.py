"""What is decided before a note is played."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.sections import Section
from seq2drum.music.kit import FULL
from seq2drum.play.arrange.fills import FILL_GAP, plan_crashes, plan_fills, with_fills, with_requests
from seq2drum.play.decode.memory import pieces_for
from seq2drum.play.decode.plan import (
    CERTAIN,
    Cue,
    Fills,
    Gestures,
    Plan,
)
from seq2drum.play.decode.sampling import Sampling

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


NONE = np.zeros((24, len(FULL)), dtype=np.float32)


def voice(name: str) -> int:
    return FULL.names.index(name)


def hits(*struck: tuple[int, str]) -> FloatArray:
    """(S, V): a bar of 4/4 with hits (step, piece)."""
    bar = NONE.copy()
    for step, name in struck:
        bar[step, voice(name)] = 1
    return bar


def test_no_fill_is_planned_where_there_is_to_be_none() -> None:
    never = np.arange(40) >= 10
    for seed in range(5):
        fill = plan_fills(np.full(40, 2.0), 1.0, np.random.default_rng(seed), never)
        assert fill[:10].any() and not fill[10:].any()


def test_fills_are_where_they_are_asked_for_and_those_of_all_other_bars_stay() -> None:
    plan = with_fills(Plan.of_sections(40, [Section(0, "A")]), np.arange(40) % 8 == 7, Sampling(3))
    asked, never = np.zeros((2, 40), dtype=bool)
    asked[[4, 7]], never[8:24] = True, True
    wished = with_requests(replace(plan, fills=Fills(asked, never)), Sampling(3))
    assert np.flatnonzero(wished.fill).tolist() == [4, 7, 31, 39]  # type: ignore[arg-type]
    differ = np.flatnonzero(wished.crash != plan.crash)  # type: ignore[operator]
    assert set(differ.tolist()) <= {5, 16, 24}, "a crash goes with its fill"


def test_a_fill_that_is_asked_for_has_more_toms_and_snare_late_in_the_bar() -> None:
    asked = np.array([True, False])
    plan = replace(Plan.of_sections(2, [Section(0, "A")]), fills=Fills(asked, ~asked), fill=asked)
    tilt = plan.tilt(0, 0, NONE, FULL)
    assert (tilt[12:, voice("mid tom")] > 0).all() and (tilt[12:, voice("closed hat")] < 0).all()
    assert not tilt[:12].any() and not plan.tilt(1, 24, NONE, FULL).any()


def test_what_is_forbidden_is_never_played_not_even_where_a_cue_has_it() -> None:
    pieces = pieces_for(FULL, without=["crash"])
    gestures = Gestures({0: Cue(("crash", "kick"))}, heavy=frozenset({0}), crashed=frozenset({0}))
    plan = replace(Plan.of_sections(2, [Section(0, "A")]), pieces=pieces, gestures=gestures)
    tilt = plan.tilt(0, 0, NONE, FULL)
    assert (tilt[:, voice("crash")] == -CERTAIN).all()
    assert tilt[0, voice("kick")] == CERTAIN


def test_a_crash_comes_with_a_kick_and_only_where_it_is_planned_and_leaves_time_to_the_other_hand() -> None:
    plan = replace(Plan.of_sections(2, [Section(0, "A")]), crash=np.array([True, False]), fill=np.zeros(2, dtype=bool))
    here, there = plan.tilt(0, 0, NONE, FULL), plan.tilt(1, 24, NONE, FULL)
    assert here[0, voice("crash")] == CERTAIN and 2 < here[0, voice("kick")] < CERTAIN
    assert not here[:, [voice("closed hat"), voice("ride"), voice("open hat")]].any()
    assert there[0, voice("crash")] < there[1, voice("crash")] < 0


def test_a_groove_that_keeps_time_on_crashes_keeps_them() -> None:
    plan = replace(Plan.of_sections(1, [Section(0, "A")]), crash=np.zeros(1, dtype=bool), fill=np.zeros(1, dtype=bool))
    ridden = hits(*((step, "crash") for step in range(0, 24, 6)))
    assert not plan.tilt(0, 0, ridden, FULL).any()
    assert plan.tilt(0, 0, hits((0, "crash")), FULL)[0, voice("crash")] < 0


def test_time_is_kept_as_in_the_groove_but_in_fills_and_the_first_bar_is_played_as_it_is() -> None:
    plan = replace(Plan.of_sections(2, [Section(0, "A")]), fill=np.array([False, True]))
    groove = hits((0, "kick"), (0, "closed hat"), (12, "ride"))
    kept = plan.tilt(0, 0, groove, FULL)
    assert kept[0, voice("closed hat")] > 0 and kept[12, voice("ride")] > 0
    assert kept[0, voice("ride")] < 0 and not kept[0, voice("pedal hat")]  # one hand keeps time, and a foot may, too
    assert not np.delete(kept, [0, 12], axis=0).any() and not kept[0, voice("kick")]
    assert not plan.tilt(1, 24, groove, FULL).any()
    full = replace(plan, gestures=Gestures(full=frozenset({0}))).tilt(0, 0, groove, FULL)
    assert (full[groove > 0] > kept[groove > 0]).all() and (full[groove == 0] <= 0).all()


def test_a_cue_is_struck_alone_and_as_hard_as_it_says() -> None:
    gestures = Gestures({24: Cue(("kick", "crash"), 0.8), 25: Cue()})
    plan = replace(Plan.of_sections(2, [Section(0, "A")]), gestures=gestures)
    tilt, velocity = plan.tilt(1, 24, NONE, FULL), plan.velocities(24, 24, FULL)
    assert np.flatnonzero(tilt[0] == CERTAIN).tolist() == sorted([voice("kick"), voice("crash")])
    assert (np.delete(tilt[0], [voice("kick"), voice("crash")]) == -CERTAIN).all() and (tilt[1] == -CERTAIN).all()
    assert not tilt[2:].any()
    assert velocity is not None and velocity[0, voice("crash")] == np.float32(0.8) and np.count_nonzero(velocity) == 2
