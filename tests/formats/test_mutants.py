"""Damaged tabs: each is a song or one clear line, in seconds and within bounds of memory."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("guitarpro", reason="PyGuitarPro is not installed: pip install 'seq2drum[guitarpro]'")
pytest.importorskip("defusedxml", reason="defusedxml is not installed: pip install 'seq2drum[guitarpro]'")

from guitarpro import models

from seq2drum.errors import Seq2DrumError
from seq2drum.formats.opening import open_song
from tests import gpif_files, tabs
from tests.mutants import mutant, reworded

SECONDS = 3.0  # of processor time for one file, at the most


def files() -> list[bytes]:
    """Ten files: all versions, with effects, repeats, drums, swing, tempos and sections."""
    slide, bend = models.SlideType.shiftSlideTo, models.BendEffect(models.BendType.bend, 100, [models.BendPoint(0, 4)])
    lead = [
        tabs.beat((1, 12), (2, 12), length=4, letRing=True),
        tabs.beat((3, 5), hammer=True),
        tabs.beat((3, 7), slides=[slide]),
        tabs.beat((6, 0), length=4, palmMute=True, tempo=140, grace=models.GraceEffect(fret=3)),
        tabs.beat((2, 3), length=4, bend=bend, kind="tie"),
    ]
    kit = [tabs.beat((1, 42), (5, 36), length=4), tabs.beat((4, 38), length=4)] * 2
    headers = {0: {"isRepeatOpen": True, "section": "Verse"}, 2: {"repeatClose": 1}, 3: {"section": "Chorus"}}
    song = tabs.song(
        tabs.track([lead] * 5),
        tabs.track([kit] * 5, isPercussionTrack=True, tuning=(0,) * 6, name="Drums"),
        headers=headers,
    )
    bars = [[gpif_files.xbeat((0, fret), (3, 2), note="<LetRing/>") for fret in range(8)]] * 4
    drums = gpif_files.xtrack([[gpif_files.drum(0, 2), gpif_files.drum(1)] * 4] * 4, is_drums=True)
    measures = {0: '<Repeat start="true" end="false" count="0"/>', 3: '<Repeat start="false" end="true" count="2"/>'}
    plain = gpif_files.gpif(gpif_files.xtrack(bars), drums, measures=measures)
    pickup = gpif_files.gpif(gpif_files.xtrack(bars), master="<Anacrusis/>", measures={1: "<Time>7/8</Time>"})
    old = [tabs.written(song, version) for version in ((3, 0, 0), (4, 0, 6), (5, 0, 0), (5, 1, 0))]
    new = [pack(text) for pack in (gpif_files.gp, gpif_files.bcfs) for text in (plain, pickup)]
    return [*old, *new, gpif_files.bcfz(plain), plain]


def damaged(count: int, seed: int) -> Iterator[bytes]:
    chance, given = random.Random(seed), files()
    text = given[-1]
    for number in range(count):
        data = given[number % len(given)]
        if data is text:  # the XML is damaged before it is packed
            yield gpif_files.gp(reworded(text, chance) if chance.random() < 0.8 else mutant(text, chance))
        else:
            yield mutant(data, chance)


def try_all(count: int, seed: int) -> tuple[int, float]:
    """Open damaged files; returns how many were songs, and the most processor time of one."""
    songs, slowest = 0, 0.0
    for data in damaged(count, seed):
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
