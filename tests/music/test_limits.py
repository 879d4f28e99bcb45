from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

from seq2drum.music.limits import DEFAULT_LIMITS, LAST_TICK, MIDI_SUFFIXES, SCORE_SUFFIXES, Limits


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
