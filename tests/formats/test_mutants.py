"""Damaged tabs: each is a song or one clear line, in seconds and within bounds of memory."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("guitarpro", reason="PyGuitarPro is not installed: pip install 'seq2drum[guitarpro]'")
pytest.importorskip("defusedxml", reason="defusedxml is not installed: pip install 'seq2drum[guitarpro]'")

from seq2drum.errors import Seq2DrumError
from seq2drum.formats.opening import open_song
from tests.mutants import damaged_tabs

SECONDS = 3.0  # of processor time for one file, at the most


def try_all(count: int, seed: int) -> tuple[int, float]:
    """Open damaged files; returns how many were songs, and the most processor time of one."""
    songs, slowest = 0, 0.0
    for data in damaged_tabs(count, seed):
        before = time.process_time()
        try:
            song = open_song(data).song
        except Seq2DrumError as error:
            assert "\n" not in str(error)
            assert 20 < len(str(error)) < 500
        else:
            songs += 1
            assert all(0 <= pitch <= 127 for part in song.parts for pitch in part.pitch.tolist())
            assert song.bars()
        slowest = max(slowest, time.process_time() - before)
    return songs, slowest


def test_each_damaged_tab_is_a_song_or_one_line() -> None:
    songs, slowest = try_all(60, 1)
    assert 5 < songs < 55
    assert slowest < SECONDS


@pytest.mark.slow
def test_each_of_two_thousand_damaged_tabs_is_a_song_or_one_line() -> None:
    songs, slowest = try_all(2000, 2)
    assert songs > 200
    assert slowest < SECONDS
