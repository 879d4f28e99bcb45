"""What the program makes has the bytes that it had: takes, scores, pictures, answers, weights, figures.

The digests of `bytes.json` were recorded by `python -m bench same --write`. Where this machine computes otherwise than
the one that recorded them, `python -m bench same COMMIT` makes both sides here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from bench import same
from bench.outputs import GROUPS, SEEDS, Entries, digest, made, masked, probed
from seq2drum import Drummer, Options
from tests.conftest import ROOT

NAMES = [pytest.param(name, marks=[pytest.mark.slow] if group.slow else []) for name, group in GROUPS.items()]


@cache
def here(probe: str) -> str:
    """What this machine computes."""
    return probed([probe])[probe]


@cache
def expected(name: str) -> Entries:
    """The recorded digests of a group; the test is skipped where they say nothing."""
    probes, groups = same.recorded()
    strange = [probe for probe in GROUPS[name].probes if here(probe) != probes[probe]]
    if strange:
        pytest.skip(
            f"this machine computes otherwise than the one that recorded the digests ({', '.join(strange)}); "
            "python -m bench same COMMIT compares with a commit"
        )
    return groups[name]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_made_has_the_recorded_bytes(name: str) -> None:
    assert same.differences(expected(name), made(name)) == {}


def test_another_seed_would_be_noticed() -> None:
    takes = expected("takes")
    drummer, song = Drummer.load(), ROOT / "examples" / "funk.mid"
    of_seed = {seed: digest(drummer.accompany(song, Options(seed=seed)).to_bytes()) for seed in SEEDS}
    assert of_seed == {seed: takes[f"funk, seed {seed}"] for seed in SEEDS}
    assert len(set(of_seed.values())) == len(SEEDS)


def test_each_option_of_the_recorded_takes_changes_something() -> None:
    _, groups = same.recorded()
    takes = {name: value for name, value in groups["takes"].items() if name.startswith("blues_shuffle")}
    # The guitar is the first track, and is what is listened to anyway.
    alike = {name for name, value in takes.items() if list(takes.values()).count(value) > 1}
    assert alike == {"blues_shuffle, seed 0", "blues_shuffle, track=1"}


def test_a_resumed_run_has_the_weights_of_the_whole_one() -> None:
    _, groups = same.recorded()
    training = groups["training"]
    assert training["weights"] == training["weights, resumed"] != training["weights after step 13"]


def test_the_record_has_all_groups_and_probes() -> None:
    probes, groups = same.recorded()
    assert list(groups) == list(GROUPS) and all(groups.values())
    assert set(probes) == {probe for group in GROUPS.values() for probe in group.probes}


def test_what_differs_and_what_is_on_one_side_only_is_named() -> None:
    before, after = {"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}
    assert same.differences(before, after) == {"b": "differs", "c": "only before", "d": "only after"}
    assert same.differences(before, before) == {}


def test_times_and_machine_are_masked_wherever_they_are_and_nothing_else_is() -> None:
    figures = {"about": {"machine": "x", "seed": 0}, "rows": [{"figures": {"bars a second": 9.1, "hit F1": 0.5}}]}
    assert masked(figures) == {"about": {"seed": 0}, "rows": [{"figures": {"hit F1": 0.5}}]}


def test_code_of_another_place_is_not_taken_for_a_checkouts(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="would be imported from"):
        made("written", tmp_path)
