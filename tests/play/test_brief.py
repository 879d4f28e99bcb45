"""Briefs: what can be asked for of a beat, and how it is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seq2drum.errors import OptionError
from seq2drum.music.choices import GENRES
from seq2drum.play.generators.composer import WISHES, Brief, wish


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"genre": "polka"}, "there is no genre 'polka'; there are afrobeat"),
        ({"genre": "funk:x"}, "the weight of funk is 'x'"),
        ({"genre": "funk:0"}, "0 together, wanted more than 0"),
        ({"genre": "funk:-1"}, "the weight of funk is -1"),
        ({"genre": "funk,funk"}, "named twice"),
        ({"genre": {"funk": float("nan")}}, "the weight of funk is nan"),
        ({"genre": "funk:"}, "no name and weight"),
        ({"bpm": 19.9}, "the tempo is 19.9, wanted 20 to 400"),
        ({"bpm": float("nan")}, "the tempo is nan"),
        ({"bars": 0}, "the number of bars is 0, wanted 1 to 1024"),
        ({"bars": 100_000}, "the number of bars is 100000"),
        ({"variability": 1.5}, "variability is 1.5, wanted 0 to 1"),
        ({"fill": 1}, "a fill every is 1"),
        ({"change": (1,)}, "a bar of change is 1, wanted 2 to 1024"),
        ({"change": (9,)}, "in bar 9, of 8 bars"),
        ({"grid": 20}, "the grid is 20, wanted 16, 24 or 32"),
        ({"temperature": -1}, "the temperature is -1"),
    ],
)
def test_a_brief_that_makes_no_sense_is_refused_in_one_line(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as refused:
        Brief(**wrong)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_weights_of_genres_become_shares() -> None:
    assert Brief(genre="Funk:3, jazz").genres == {"funk": 0.75, "jazz": 0.25}
    assert Brief(genre={"rock": 7}).genres == {"rock": 1}
    assert Brief().genres == {}


def test_fills_and_changes_fall_on_their_bars() -> None:
    brief = Brief(fill=4, change=(3, 7))
    assert [bar for bar in range(8) if brief.is_fill(bar)] == [3, 7]
    assert [brief.passage(bar) for bar in range(8)] == [0, 0, 1, 1, 1, 1, 2, 2]


def test_a_wish_has_a_number_for_each_genre_for_the_tempo_and_for_fills() -> None:
    told = wish("jazz", 160, fill=True)
    assert told.shape == (WISHES,)
    assert np.flatnonzero(told).tolist() == [GENRES.index("jazz"), WISHES - 2, WISHES - 1]
    assert told[-2] == 1
    assert not wish(None, 110, fill=False).any()
