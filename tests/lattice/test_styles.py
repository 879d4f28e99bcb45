"""Styles and characters of grooves, and grooves composed for any metre."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves import tabs
from seq2drum.lattice.grooves.fitting import playable
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.grooves.styles import SIGNS, composed, idiom_of, is_extreme, is_of, keeps_time
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL
from seq2drum.play.grooves.book import Book


def test_every_style_has_signs_and_grooves_that_have_them() -> None:
    assert set(SIGNS) == set(STYLES)
    grooves = Book.load().of_metre(4, 4)
    for style in STYLES:
        assert sum(is_of(groove, style) for groove in grooves) >= 8, style


@pytest.mark.parametrize(
    ("style", "name"),
    [
        ("jazz", "swing-ride"),
        ("shuffle", "texas-shuffle"),
        ("latin", "bossa-side-stick"),
        ("latin", "cha-cha"),
        ("dance", "pop-four-on-the-floor"),
        ("reggae", "one-drop"),
        ("reggae", "steppers"),
        ("funk", "funk-hat"),
        ("pop", "pop-hat"),
        ("rock", "half-time-rock-ride"),
    ],
)
def test_a_groove_of_a_style_has_its_signs(style: str, name: str) -> None:
    assert is_of(replace(Book.load()[name], style=style), style)


@pytest.mark.parametrize("style", ["latin", "jazz", "reggae", "shuffle", "metal", "dance", "funk"])
def test_a_rock_beat_is_no_other_style_whatever_it_is_called(style: str) -> None:
    assert not is_of(replace(Book.load()["rock-hat"], style=style), style)


def test_a_groove_is_of_the_style_that_it_is_called_and_in_other_metres_that_is_enough() -> None:
    book = Book.load()
    assert not is_of(book["rock-hat"], "pop")
    assert is_of(replace(book["jazz-waltz-brushes"], style="reggae"), "reggae")


def test_time_is_kept_on_what_is_struck_throughout() -> None:
    book = Book.load()
    assert all(keeps_time(book[name]) for name in ("rock-hat", "swing-ride", "one-drop", "pop-shaker"))
    assert not keeps_time(book["mallets-toms"])


# --- what kind of groove one is ---------------------------------------------------------------------------------------


def groove(text: str, style: str = "latin", metre: str = "4/4") -> Groove:
    (made,) = tabs.parsed(f"made: made; {metre}; {style}; 90-120\n{text}")
    return made


HANDS = "shaker |xoxoxoxoxoxoxoxo|\ntambourine |..x...x...x...x.|\n"


@pytest.mark.parametrize("voice", ["snare", "clap", "side stick"])
def test_a_backbeat_under_much_percussion_is_dance_on_four_kicks_and_pop_on_others(voice: str) -> None:
    backbeat = f"{HANDS}{voice} |....X.......X...|\n"
    assert idiom_of(groove(f"{backbeat}kick |X...X...X...X...|")) == "dance"
    assert idiom_of(groove(f"{backbeat}kick |X.......X.x.....|")) == "pop"


def test_what_has_no_backbeat_in_any_bar_stays_latin() -> None:
    clave = "side stick |x.....x.....x...|....x.....x.....|\nkick |x.....x.x.....x.|x.....x.x.....x.|"
    assert idiom_of(groove(clave)) == "latin"
    assert idiom_of(groove(f"{HANDS}kick |X...X...X...X...|")) == "latin"
    assert {idiom_of(Book.load()[name]) for name in ("bossa-side-stick", "samba-hat", "merengue")} == {"latin"}


def test_a_snare_on_every_beat_of_four_kicks_is_no_dance() -> None:
    assert idiom_of(Book.load()["tango"]) == "pop"


@pytest.mark.parametrize(
    "name",
    [
        "metal-blast", "metal-blast-together", "metal-double-kick", "double-time-rock", "punk-d-beat",
        "half-time-rock-hat", "half-time-shuffle",
    ],
)  # fmt: skip
def test_blasts_double_kicks_double_time_and_half_time_are_extreme(name: str) -> None:
    assert is_extreme(Book.load()[name])


@pytest.mark.parametrize(
    "name",
    ["rock-hat", "rock-stomp", "metal-gallop", "metal-eighth-kick", "funk-16th-hat", "one-drop", "polka", "motown"],
)
def test_grooves_that_a_band_need_not_ask_for_are_not(name: str) -> None:
    assert not is_extreme(Book.load()[name])


# --- composed ---------------------------------------------------------------------------------------------------------


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
    with pytest.raises(ValueError, match=r"no metre|do not fill"):
        composed(*metre, groups)
