"""The rules that tell whether a wish is heard: grooves of a style obey it, those of others mostly do not."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.evaluate.wishes import Leaning
from seq2drum.judge.styles import SIGNS, TakeGrid, obeys
from seq2drum.lattice.form import lattice_of
from seq2drum.lattice.grid import Grid, decode
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL
from seq2drum.play.grooves.book import Book
from tests.players import strummed

BARS = 8


def seen(name: str, *, gain: float = 1.0) -> TakeGrid:
    """A groove of the book, over and over."""
    song, groove = strummed(BARS), Book.load()[name]
    lattice = lattice_of(song)
    grid = Grid.join(groove.bar(bar).shift(lattice.first[bar]) for bar in range(BARS))
    loud = np.maximum(grid.velocity * gain, 1).astype(np.int64)
    return TakeGrid.of(decode(grid._replace(velocity=loud), lattice, FULL), song, [0])


@pytest.mark.parametrize(
    ("style", "name"),
    [
        ("jazz", "swing-ride"),
        ("latin", "bossa-side-stick"),
        ("reggae", "one-drop"),
        ("shuffle", "shuffle-hat"),
        ("funk", "funk-hat"),
        ("dance", "pop-four-on-the-floor"),
        ("rock", "rock-hat"),
    ],
)
def test_what_every_drummer_knows_of_a_style_obeys_it(style: str, name: str) -> None:
    assert obeys(style, seen(name))


def test_a_rock_beat_is_rock_and_pop_and_nothing_else() -> None:
    assert {style for style in STYLES if obeys(style, seen("rock-hat"))} == {"rock", "pop"}
    assert {style for style in STYLES if obeys(style, seen("swing-ride"))} == {"jazz"}


def test_every_style_has_signs() -> None:
    assert set(SIGNS) == set(STYLES)


def test_a_kick_before_the_beat_leans_if_the_kick_leaves_out_the_beat() -> None:
    assert Leaning.of(seen("rock-hat-plain")).leaning_hits == 0
    assert Leaning.of(seen("funk-hat")).leaning_hits > Leaning.of(seen("rock-hat")).leaning_hits > 0


def test_louder_drums_are_counted_louder_and_nothing_else() -> None:
    soft, loud = Leaning.of(seen("rock-hat", gain=0.8)), Leaning.of(seen("rock-hat"))
    assert 0.8 * loud[0] == pytest.approx(soft[0], rel=0.05)
    assert loud[1:] == soft[1:]
