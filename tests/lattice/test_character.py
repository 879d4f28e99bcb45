"""What kind of groove one is."""

from __future__ import annotations

import pytest

from seq2drum.lattice.grooves import tabs
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.grooves.styles import idiom_of, is_extreme
from seq2drum.play.grooves.book import Book


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
