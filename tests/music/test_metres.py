"""The table of metres: what it says, and that it is what the generator says now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seq2drum.music import metres
from tests.conftest import long_run

ROOT = Path(__file__).parents[2]
ALL = [(numerator, denominator) for numerator in metres.NUMERATORS for denominator in metres.DENOMINATORS]


@pytest.mark.parametrize(
    ("numerator", "denominator", "wanted"),
    [
        (2, 2, (1, 1)),
        (2, 4, (1, 1)),
        (3, 4, (1, 1, 1)),
        (4, 4, (1, 1, 1, 1)),
        (5, 4, (3, 2)),
        (6, 4, (3, 3)),
        (7, 4, (2, 2, 3)),
        (3, 8, (3,)),
        (5, 8, (2, 3)),
        (6, 8, (3, 3)),
        (7, 8, (2, 2, 3)),
        (8, 8, (3, 3, 2)),
        (9, 8, (3, 3, 3)),
        (10, 8, (2, 3, 2, 3)),
        (11, 8, (2, 2, 2, 2, 3)),
        (12, 8, (3, 3, 3, 3)),
        (16, 16, (4, 4, 4, 4)),
    ],
)
def test_a_metre_is_grouped_as_players_count_it(numerator: int, denominator: int, wanted: tuple[int, ...]) -> None:
    assert metres.groups(numerator, denominator) == wanted


@pytest.mark.parametrize(
    ("numerator", "denominator", "wanted"),
    [
        (4, 4, (1, 0.25, 0.5, 0.25)),
        (3, 4, (1, 0.5, 0.5)),
        (5, 4, (1, 0.25, 0.25, 0.5, 0.25)),
        (6, 8, (1, 0.25, 0.25, 0.5, 0.25, 0.25)),
        (7, 8, (1, 0.25, 0.5, 0.25, 0.5, 0.25, 0.25)),
        (8, 4, (1, 0.125, 0.25, 0.125, 0.5, 0.125, 0.25, 0.125)),
    ],
)
def test_a_metre_is_weighed_as_players_feel_it(numerator: int, denominator: int, wanted: tuple[float, ...]) -> None:
    assert metres.weights(numerator, denominator) == wanted


def test_every_metre_within_the_limits_has_groups_that_fill_it_and_one_downbeat() -> None:
    for numerator, denominator in ALL:
        sizes, accents = metres.groups(numerator, denominator), metres.weights(numerator, denominator)
        assert sum(sizes) == numerator == len(accents)
        assert min(sizes) >= 1
        assert accents[0] == 1 and all(0 < accent < 1 for accent in accents[1:])


def test_the_beginnings_of_groups_outweigh_what_is_inside_them() -> None:
    for numerator, denominator in ALL:
        sizes, accents = metres.groups(numerator, denominator), metres.weights(numerator, denominator)
        firsts = {sum(sizes[:index]) for index in range(len(sizes))}
        inside = [accents[unit] for unit in range(numerator) if unit not in firsts]
        assert max(inside, default=0) < min(accents[unit] for unit in firsts)


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 4), (65, 3), (4, 3), (4, 128), (-1, 4)])
def test_an_impossible_metre_is_refused_by_name(numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match=f"{numerator}/{denominator}"):
        metres.groups(numerator, denominator)
    with pytest.raises(ValueError, match=f"{numerator}/{denominator}"):
        metres.weights(numerator, denominator)


def test_a_metre_longer_than_the_table_is_counted_unit_by_unit() -> None:
    assert metres.groups(76, 32) == (1,) * 76
    assert metres.weights(76, 32) == (1, *(0.125,) * 75)


def test_the_table_is_what_music21_and_the_rules_say_today(maker: dict[str, Any]) -> None:
    for numerator in (*range(1, 17), 20, 24, 32, 33):
        for denominator in metres.DENOMINATORS:
            assert metres.groups(numerator, denominator) == maker["metre_groups"](numerator, denominator)
            assert metres.weights(numerator, denominator) == maker["metre_weights"](numerator, denominator)


@long_run
@pytest.mark.slow
def test_the_whole_table_is_fresh(maker: dict[str, Any]) -> None:
    assert (ROOT / "seq2drum" / "music" / "tables" / "metres.txt").read_text(encoding="utf-8") == maker["table_text"](
        "metres.txt"
    )


def test_asking_for_a_metre_does_not_import_music21() -> None:
    code = "import sys; from seq2drum.music import metres; metres.groups(7, 8); sys.exit('music21' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
