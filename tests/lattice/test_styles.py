"""Which grooves a drummer plays where a style is asked for by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seq2drum.lattice.grooves.styles import SIGNS, complexity, is_of, keeps_time
from seq2drum.music.choices import STYLES
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


def test_grooves_are_as_complex_as_a_drummer_would_say() -> None:
    book = Book.load()
    plain, usual, busy = (complexity(book[name]) for name in ("rock-hat-plain", "rock-hat", "funk-hat"))
    assert 0 == plain < usual < busy <= 1
    assert complexity(book["metal-blast-together"]) > usual


def test_time_is_kept_on_what_is_struck_throughout() -> None:
    book = Book.load()
    assert all(keeps_time(book[name]) for name in ("rock-hat", "swing-ride", "one-drop", "pop-shaker"))
    assert not keeps_time(book["mallets-toms"])
