"""The first groove of a jam, which is chosen blind and settled after a few bars of guitar."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from seq2drum.formats.midi import midi
from seq2drum.lattice.features import GuitarGrid, SongGrid
from seq2drum.lattice.grooves.styles import swings
from seq2drum.music import theory
from seq2drum.play.grooves import choosing
from seq2drum.play.grooves.book import read_groove
from seq2drum.play.jam.foreseeing import EARLY, FIRST, Passages
from seq2drum.play.options import Options

EXAMPLES = Path(__file__).parents[2] / "examples"


def heard_of(name: str) -> GuitarGrid:
    song = midi.read(EXAMPLES / f"{name}.mid")
    return SongGrid.of(song, theory.guitar_parts(song).parts).guitar_grid


def followed(guitar_grid: GuitarGrid, bars: int, options: Options | None = None) -> tuple[Passages, list[bool]]:
    """The passages of a jam with so many bars of a guitar; before which bars another kind of groove was announced."""
    form, led = guitar_grid.form, []
    passages = Passages(options or Options(), form.between(0, 1))
    for number in range(bars):
        passages.follow(number, guitar_grid.between(0, number), form.between(number, number + 1))
        led.append(passages.leads_on)
        passages.letters.append(passages.letter)
    return passages, led


@pytest.mark.parametrize(("name", "bars"), [("blues_shuffle", EARLY[0]), ("jazz_swing", EARLY[1])])
def test_the_first_groove_becomes_one_of_the_guitars_kind_and_the_bar_before_announces_it(name: str, bars: int) -> None:
    guitar_grid = heard_of(name)
    before, led = followed(guitar_grid, bars)
    after, _ = followed(guitar_grid, bars + 1)
    assert not swings(before.groove)
    assert [at for at, is_led in enumerate(led) if is_led] == [bars - 1]
    assert swings(after.groove)


def test_a_rock_guitar_is_not_announced_another_kind() -> None:
    passages, led = followed(heard_of("rock_riff"), 2 * EARLY[0])
    assert not any(led)
    assert not swings(passages.groove)


def test_a_groove_that_was_asked_for_stays() -> None:
    asked = read_groove("rock-hat-plain")
    passages, led = followed(heard_of("jazz_swing"), 2 * EARLY[0], Options(groove={FIRST: asked}))
    assert passages.groove == asked
    assert not any(led)


def test_a_guitar_that_is_silent_settles_nothing() -> None:
    guitar_grid = heard_of("jazz_swing")
    silent = replace(guitar_grid, guitar=guitar_grid.guitar.select(guitar_grid.guitar.step < 0))
    passages, led = followed(silent, 2 * EARLY[0])
    form = guitar_grid.form
    kind = int(form.numerator[0]), int(form.denominator[0])
    assert passages.groove == choosing.unheard(kind, float(form.bpm[0]), Options())
    assert not any(led)


def test_a_sign_for_a_section_ends_what_was_announced() -> None:
    guitar_grid = heard_of("jazz_swing")
    passages, led = followed(guitar_grid, EARLY[1])
    assert led[-1]
    passages.turn(EARLY[1], None, guitar_grid.between(0, EARLY[1]), guitar_grid.form.between(EARLY[1], EARLY[1] + 1))
    assert not passages.leads_on
