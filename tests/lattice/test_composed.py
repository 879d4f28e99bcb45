from __future__ import annotations

import numpy as np
import pytest

from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.fitting import playable
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.grooves.styles import composed
from seq2drum.music.kit import FULL

METRES = [
    (5, 4),
    (7, 4),
    (3, 4),
    (4, 4),
    (2, 2),
    (1, 4),
    (3, 8),
    (5, 8),
    (7, 8),
    (9, 8),
    (10, 8),
    (11, 8),
    (7, 16),
    (76, 32),
]


def struck(bar: Grid, voice: str) -> list[int]:
    return bar.step[bar.key == FULL.names.index(voice)].tolist()


def named(grooves: tuple[Groove, ...], words: str) -> Groove:
    return next(groove for groove in grooves if words in groove.title)


@pytest.mark.parametrize("metre", METRES)
def test_every_metre_gets_several_grooves_each_another_that_one_drummer_can_play(metre: tuple[int, int]) -> None:
    made = composed(*metre)
    assert len(made) >= 4 and len({groove.name for groove in made}) == len(made)
    for groove in made:
        assert (groove.numerator, groove.denominator) == metre
        assert 0 in struck(groove.bars[0], "kick")
        assert all(len(playable(bar).step) == len(bar.step) and np.all(np.diff(bar.step) >= 0) for bar in groove.bars)


def test_kick_and_snare_take_turns_on_the_heads_of_the_groups() -> None:
    seven = named(composed(7, 8), "by turns, hat").bars[0]
    assert struck(seven, "kick") == [0, 12] and struck(seven, "snare") == [6, 18]
    nine = named(composed(9, 8, (2, 2, 2, 3)), "by turns, ride").bars[0]
    assert struck(nine, "kick") == [0, 12] and struck(nine, "snare") == [6, 18]
    assert struck(nine, "ride") == list(range(0, 27, 3))


def test_quarters_that_stand_alone_are_joined_to_twos() -> None:
    four = named(composed(4, 4), "before every head, hat").bars[0]
    assert struck(four, "kick") == [0, 12] and struck(four, "snare") == [6, 18]


def test_half_time_has_one_snare_on_a_head_in_the_second_half() -> None:
    for metre, snare in (((7, 8), 12), ((5, 4), 18), ((11, 8), 18)):
        assert struck(named(composed(*metre), "half-time").bars[0], "snare") == [snare]


def test_where_there_is_one_group_the_snare_is_in_the_second_bar() -> None:
    made = named(composed(3, 8), "by turns")
    assert [struck(bar, "snare") for bar in made.bars] == [[], [0]]


@pytest.mark.parametrize(("metre", "groups"), [((7, 8), (2, 2)), ((4, 5), None)])
def test_groups_that_do_not_fill_the_bar_and_impossible_metres_are_refused(
    metre: tuple[int, int], groups: tuple[int, ...] | None
) -> None:
    with pytest.raises(ValueError):
        composed(*metre, groups)
