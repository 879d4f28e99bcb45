"""The law of repeats: which bars may come back, what is known of them, and how they are drawn."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from safetensors.numpy import load_file, save_file

from seq2drum.errors import CheckpointError
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.repeats import LAGS, NEW, level_of
from seq2drum.lattice.sections import Section
from seq2drum.play.arrange.repeats import (
    ASKED,
    CANDIDATES,
    KINDS,
    KNOWN,
    PAST,
    SHIPPED,
    Past,
    Repeater,
    candidates,
    known,
    with_changes,
)
from seq2drum.play.checkpoint.folder import SUMS, WEIGHTS
from seq2drum.play.decode.plan import Gestures, Plan
from seq2drum.play.decode.sampling import Sampling
from seq2drum.play.grooves.book import Book
from tests.drumming import form_of, four, guitar_grid

PASSAGES = [Section(0, "A"), Section(8, "B"), Section(16, "A"), Section(24, "B")]
BARS = 32


def guitar(bars: int = BARS) -> GuitarGrid:
    return guitar_grid(four(bars), *((bar, step, 90) for bar in range(bars) for step in range(0, 24, 6)))


def groove(name: str = "rock-hat") -> Groove:
    return Book.load()[name]


def plan(**more: Any) -> Plan:
    made = Plan.of_sections(BARS, PASSAGES, {letter: groove() for letter in "AB"})
    return replace(made, **more)


def changes(made: Plan, seed: int = 1, bars: np.ndarray | None = None) -> np.ndarray:
    plays = np.ones(BARS, dtype=np.bool_) if bars is None else bars
    change = with_changes(made, guitar(), plays, Sampling(seed)).change
    assert change is not None
    return change


# --- candidates and features ------------------------------------------------------------------------------------------


def test_a_bar_may_repeat_those_of_the_lags_and_its_place_in_the_last_like_section() -> None:
    found = candidates(four(BARS), PASSAGES)
    assert found[20].tolist() == [19, 18, 16, 12, 4, 4]
    assert found[26].tolist() == [25, 24, 22, 18, 10, 10]
    assert found[3].tolist() == [2, 1, NEW, NEW, NEW, NEW]


def test_a_bar_of_another_length_is_no_candidate() -> None:
    form = form_of((4, 4), (3, 4), (4, 4))
    assert candidates(form, [Section(0, "A")])[2, :2].tolist() == [NEW, 0]


@pytest.mark.parametrize("bars", [1, 2, 5])
def test_short_songs_have_features(bars: int) -> None:
    passages = [Section(0, "A")]
    able = candidates(four(bars), passages)
    assert known(guitar(bars), passages, np.zeros(bars, dtype=np.bool_), able).shape == (bars, KNOWN.size)


def test_places_and_fills_are_known_before_anything_is_played() -> None:
    fill = np.zeros(BARS, dtype=np.bool_)
    fill[7] = True
    rows = known(guitar(), PASSAGES, fill, candidates(four(BARS), PASSAGES))
    assert rows[8, KNOWN.at("first")] == 1 and rows[9, KNOWN.at("first")] == 0
    assert [rows[bar, KNOWN["fill"]].tolist() for bar in (6, 7, 8)] == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert rows[7, KNOWN["left"]].tolist() == [1, 0, 0] and rows[6, KNOWN["left"]].tolist() == [0, 1, 0]
    assert rows[4:, KNOWN["guitar_same"]][:, :3].all() and not rows[:, KNOWN["bass_same"]].any()
    heard = replace(guitar(), bass=guitar().guitar)
    with_bass = known(heard, PASSAGES, fill, candidates(four(BARS), PASSAGES))
    assert with_bass[:, KNOWN.at("bass")].all() and with_bass[8:, KNOWN["bass_same"]].all()


def test_the_past_knows_which_bars_are_alike_and_of_which_kind_they_were() -> None:
    past = Past()
    assert len(past.row()) == PAST.size and not any(past.row())
    for kind, source in ((CANDIDATES, NEW), (0, 0), (CANDIDATES + 1, NEW), (1, 1)):
        past.add(kind, source)
    row = np.array(past.row())
    alike = row[PAST["alike"]]
    assert alike[0] == 0 and alike[1] == 1 and alike[2] == 1  # the last bar is the one two and three before it
    assert np.flatnonzero(row[PAST["kinds"]])[:2].tolist() == [1, KINDS + CANDIDATES + 1]
    past.rest()
    assert not np.array(past.row())[PAST["kinds"]][:KINDS].any()


# --- the draw ---------------------------------------------------------------------------------------------------------


def test_bars_come_back_about_as_often_as_drummers_repeat_them() -> None:
    shares = np.mean([changes(plan(), seed) == 0 for seed in range(40)], axis=0)
    assert 0.72 < shares[1:].mean() < 0.97  # .72 in 5,049 songs; a guitar that always plays the same invites more
    assert shares[0] == 1  # nothing is there to stray from
    asked = {float(level_of(amount)) for amount in ASKED}
    assert set(np.unique(changes(plan())).tolist()) <= {0.0, *asked}


def test_a_fill_is_new_and_strays_far() -> None:
    fill = np.zeros(BARS, dtype=np.bool_)
    fill[[7, 15]] = True
    filled = np.array([changes(plan(fill=fill), seed) for seed in range(20)])
    assert (filled[:, [7, 15]] > 0).all()
    assert filled[:, [7, 15]].mean() > 1.5 * filled[:, [6, 14]].mean()


def test_bars_with_nothing_to_repeat_stray_from_nothing() -> None:
    other = {"A": groove(), "B": groove("pop-hat")}
    made = replace(Plan.of_sections(BARS, PASSAGES[:2], other), gestures=Gestures(cues={}, heavy=frozenset({12})))
    found = np.array([changes(made, seed) for seed in range(20)])
    assert not found[:, 8].any()  # no bar before it is on its groove
    assert not found[:, 12].any()  # it is played with the band
    assert found[:, 13].any()


def test_the_same_seed_draws_the_same_and_a_later_change_leaves_earlier_bars() -> None:
    assert_array_equal(changes(plan(), 5), changes(plan(), 5))
    assert any((changes(plan(), 5) != changes(plan(), seed)).any() for seed in (6, 7, 8))
    fill = np.zeros(BARS, dtype=np.bool_)
    fill[20] = True
    assert_array_equal(changes(plan(), 5)[:19], changes(plan(fill=fill), 5)[:19])


def test_bars_without_drums_ask_for_nothing() -> None:
    plays = np.arange(BARS) >= 16
    found = np.array([changes(plan(), seed, bars=plays) for seed in range(10)])
    assert not found[:, :17].any() and found[:, 17:].any()


def test_the_likeliest_take_and_a_firm_groove_leave_it_to_the_model() -> None:
    plays = np.ones(BARS, dtype=np.bool_)
    assert with_changes(plan(), guitar(), plays, Sampling(1, temperature=0)).change is None
    assert with_changes(plan(firm=True), guitar(), plays, Sampling(1)).change is None


# --- the folder -------------------------------------------------------------------------------------------------------


def test_a_damaged_law_is_refused_with_the_reason(tmp_path: Path) -> None:
    def copied(name: str) -> Path:
        return Path(shutil.copytree(SHIPPED, tmp_path / name))

    other = copied("other")
    about = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**about, "inputs": ["tempo"]}))
    with pytest.raises(CheckpointError, match="no usable law of repeats: its inputs are"):
        Repeater.load(other)
    (other / "config.json").write_text(json.dumps({**about, "kind": "arranger"}))
    with pytest.raises(CheckpointError):
        Repeater.load(other)
    changed = copied("changed")
    (changed / WEIGHTS).write_bytes((changed / WEIGHTS).read_bytes()[:-4] + b"....")
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        Repeater.load(changed)
    shaped = copied("shaped")
    tensors = load_file(shaped / WEIGHTS)
    save_file({**tensors, "out.bias": tensors["out.bias"][:-1]}, shaped / WEIGHTS)
    (shaped / SUMS).unlink()
    with pytest.raises(CheckpointError):
        Repeater.load(shaped)


def test_the_shipped_law_knows_the_lags() -> None:
    assert Repeater.load().tensors[-1].shape == (KINDS,) and len(LAGS) + 1 == CANDIDATES
