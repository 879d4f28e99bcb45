"""A musician's choices, and limits: playing, the client and the command lines follow one table of each."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest

from client.messages import RemoteOptions
from seq2drum import Options
from seq2drum.errors import OptionError
from seq2drum.music.limits import DEFAULT_LIMITS, LAST_TICK, MIDI_SUFFIXES, SCORE_SUFFIXES, Limits
from seq2drum.music.options import CHOICES, check, check_word, pieces_of

NUMBERS = {name: choice for name, choice in CHOICES.items() if choice.wanted and name != "takes" and not choice.many}


@pytest.mark.parametrize("options", [Options, RemoteOptions])
def test_the_defaults_of_the_table_are_those_of_options(options: type[Any]) -> None:
    defaults = {field.name: field.default for field in fields(options)}
    table = {name: choice.default for name, choice in CHOICES.items() if name != "takes"}
    assert {name: defaults[name] for name in table} == table


def test_every_field_of_options_is_in_the_table() -> None:
    assert {field.name for field in fields(Options)} == set(CHOICES) - {"takes"}


@pytest.mark.parametrize("name", NUMBERS)
def test_options_take_a_number_up_to_the_ends_of_its_range_and_none_beyond(name: str) -> None:
    choice = NUMBERS[name]
    step = 1 if choice.kind is int else 1e-9
    for end, beyond in ((choice.least, choice.least - step), (choice.most, choice.most + step)):
        if math.isfinite(end):
            assert getattr(Options(**{name: choice.kind(end)}), name) == end
            with pytest.raises(OptionError, match=f"wanted {choice.wanted}".replace("(", r"\(").replace(")", r"\)")):
                Options(**{name: choice.kind(beyond)})


def test_a_number_that_is_none_is_out_of_every_range() -> None:
    with pytest.raises(OptionError, match="temperature is nan"):
        check("temperature", math.nan)
    check("swing", None)


@pytest.mark.parametrize("name", NUMBERS)
def test_none_is_taken_only_where_the_model_decides_by_default(name: str) -> None:
    if CHOICES[name].default is None:
        assert getattr(Options(**{name: None}), name) is None
    else:
        with pytest.raises(OptionError, match="is None, wanted"):
            Options(**{name: None})


def test_a_word_that_is_nearly_right_is_told_what_it_is_near() -> None:
    with pytest.raises(OptionError, match="no piece 'clapp'; did you mean clap"):
        pieces_of(["clapp"])
    with pytest.raises(OptionError, match="did you mean jazz"):
        check_word("style", "jaz")
    with pytest.raises(OptionError, match="there are jazz, shuffle"):
        check_word("style", "polka")


# --- limits -----------------------------------------------------------------------------------------------------------


def test_the_limits_and_suffixes_are_known_without_numpy() -> None:
    code = "import sys, seq2drum.music.limits; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_every_limit_says_what_it_limits() -> None:
    assert all(limit.metadata["help"] for limit in fields(Limits))


def test_a_metre_and_a_song_within_the_limits_can_be_written() -> None:
    assert DEFAULT_LIMITS.numerator <= 255
    assert DEFAULT_LIMITS.denominator <= 128
    assert DEFAULT_LIMITS.quarters * 480 < LAST_TICK


def test_suffixes_are_lower_case_and_belong_to_one_format() -> None:
    suffixes = MIDI_SUFFIXES + SCORE_SUFFIXES
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in suffixes)
    assert len(set(suffixes)) == len(suffixes)
