"""Grooves as they are asked for, and the other wishes that `Options` checks."""

from __future__ import annotations

import pytest

from seq2drum import Options
from seq2drum.errors import OptionError
from seq2drum.music.choices import FAMILIES, PIECES
from seq2drum.music.kit import FULL
from seq2drum.music.options import CHOICES
from seq2drum.play.asked import WHOLE, Reference, by_section, reference
from seq2drum.play.decode.sampling import Sampling


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("half-time rock, ride", Reference("half-time rock, ride")),
        (" one-drop ", Reference("one-drop")),
        ("beat.mid", Reference("beat.mid", True)),
        ("C:\\beats\\Beat.MIDI:5", Reference("C:\\beats\\Beat.MIDI", True, (5, 5))),
        ("a=b/beat.mid:5-8", Reference("a=b/beat.mid", True, (5, 8))),
        ("beat.mid.mid:12", Reference("beat.mid.mid", True, (12, 12))),
    ],
)
def test_a_groove_is_a_name_or_a_file_with_bars(text: str, expected: Reference) -> None:
    assert reference(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no name"),
        ("  ", "has no name"),
        ("beat.mid:0", "bars are 0:0, wanted FIRST:LAST"),
        ("beat.mid:5-4", "bars are 5:4"),
        ("beat.mid:x", "bars are 'x', wanted FILE:BAR"),
        ("beat.mid:", "bars are '', wanted FILE:BAR"),
        ("verse=", "has no name"),
        ("verse=one drop, verse=bossa", "two grooves are asked for in 'verse'"),
    ],
)
def test_what_names_no_groove_is_refused(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Options(groove=text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("half-time rock, ride", {WHOLE: "half-time rock, ride"}),
        ("verse=half-time rock, ride,chorus=one drop", {"verse": "half-time rock, ride", "chorus": "one drop"}),
        ("A=bossa, B=beat.mid:5-8", {"A": "bossa", "B": "beat.mid:5-8"}),
        ("bossa, side stick, guitar solo=songs/a=b.mid", {WHOLE: "bossa, side stick", "guitar solo": "songs/a=b.mid"}),
        ("songs/a=b.mid", {WHOLE: "songs/a=b.mid"}),
    ],
)
def test_grooves_of_sections_are_split_at_commas_before_a_section(text: str, expected: dict[str, str]) -> None:
    assert by_section(text) == expected
    assert by_section(expected) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ending": "fade"}, "no ending 'fade'; there are auto, ring, choke, ritard, none"),
        ({"pieces": "some"}, "no set of pieces 'some'; there are kit, all"),
        ({"time": "bell"}, "no piece to keep time on 'bell'; there are hat, ride, auto"),
        ({"without": ("crash", "gong")}, "no piece 'gong'; there are kick, snare"),
        ({"without": PIECES}, "no piece of the kit is left to play"),
        ({"fill_at": (8, 0)}, "a bar of fill_at is 0, wanted"),
        ({"no_fills_in": ((4, 1),)}, "bars of no_fills_in are 4:1, wanted FIRST:LAST"),
        ({"fill_at": (8,), "no_fills_in": ((1, 4), (5, 8))}, "a fill is asked for in bar 8, and none in bars 5-8"),
        ({"daring": 1.1}, "daring is 1.1, wanted 0 to 1"),
        ({"daring": None}, "daring is None, wanted 0 to 1"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Options(**options)  # type: ignore[arg-type]


def test_pieces_are_those_of_the_kit_and_a_family_stands_for_its_own() -> None:
    assert FULL.names == PIECES
    assert not set(FAMILIES) & set(PIECES)
    percussion = {voice.name for voice in FULL.voices if voice.limb == "percussion"}
    assert Options(without=("percussion", "crash")).forbidden == percussion | {"crash"}
    assert Options(without=("toms",)).forbidden == {"low tom", "mid tom", "high tom"}
    assert Options().forbidden == frozenset()


def test_a_take_is_as_free_as_music_but_plain_where_a_groove_is_given() -> None:
    assert CHOICES["temperature"].default is None
    assert (Options().freedom, Options(groove="one drop").freedom, Options(like=b"MThd").freedom) == (1.0, 0.0, 0.0)
    assert Options(groove="one drop", temperature=0.7).freedom == 0.7
    assert Options(groove="one drop", seed=3).sampling == Sampling(3, 0.0, 0.99, 1.0)
