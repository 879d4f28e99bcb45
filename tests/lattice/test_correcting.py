"""A wrong grid put right: no note moves in time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seq2drum.errors import OptionError
from seq2drum.lattice.beats.correcting import corrected
from seq2drum.lattice.beats.performance import Timing
from seq2drum.music.notes import Marker, Metre, Note, Part, Song, Tempo

BAR = 1920
GUITAR = Part.of([Note(at, 230, 52, 90) for at in range(480, 6 * BAR, 240)], program=27, name="Guitar")
SONG = Song(
    480, (GUITAR,), (Tempo(0, 500_000), Tempo(2 * BAR, 400_000)), (Metre(0, 4, 4),), 6 * BAR, (Marker(BAR, "verse"),)
)


def seconds(song: Song) -> list[list[float]]:
    """When the notes of each part begin and end, and when its markers are."""
    times = [np.concatenate([part.onset, part.onset + part.duration]) for part in song.parts]
    times.append(np.array([marker.tick for marker in song.markers], dtype=np.int64))
    return [(song.elapsed(each) / song.ticks_per_quarter / 1e6).tolist() for each in times]


@pytest.mark.parametrize("ticks", [480, 0x7000])
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_tempo_counted_wrong_is_doubled_or_halved_and_so_is_the_number_of_bars(scale: float, ticks: int) -> None:
    song = replace(SONG, ticks_per_quarter=ticks)
    made = corrected(song, Timing(scale=scale))
    assert [tempo.bpm for tempo in made.tempo_map] == [scale * tempo.bpm for tempo in song.tempo_map]
    assert made.end / made.ticks_per_quarter == scale * song.end / song.ticks_per_quarter
    for one, other in zip(seconds(made), seconds(song), strict=True):
        assert one == pytest.approx(other, abs=1e-3)


def test_another_metre_gives_other_bars_and_moves_no_tick() -> None:
    made = corrected(SONG, Timing(metre=(3, 4)))
    assert {(bar.numerator, bar.denominator, bar.length) for bar in made.bars()} == {(3, 4, 1440)}
    assert (made.parts, made.tempos, made.markers) == (SONG.parts, SONG.tempos, SONG.markers)


@pytest.mark.parametrize(
    ("second", "lengths"),
    [(0.5, [480, BAR]), (0.52, [480, BAR]), (2.5, [480, BAR]), (2.0, [BAR, BAR]), (0.75, [720, BAR])],
)
def test_a_bar_begins_at_the_first_downbeat_with_whole_bars_and_a_short_one_before_it(
    second: float, lengths: list[int]
) -> None:
    made = corrected(SONG, Timing(downbeat=second))
    assert [bar.length for bar in made.bars()[:2]] == lengths
    assert made.end == SONG.end


def test_a_pickup_stays_when_the_metre_is_another_one() -> None:
    song = replace(SONG, metres=(Metre(0, 1, 4), Metre(480, 4, 4)))
    made = corrected(song, Timing(metre=(6, 8)))
    assert [bar.length for bar in made.bars()[:3]] == [480, 1440, 1440]


def test_metres_that_change_stay_behind_a_downbeat_as_far_as_they_were() -> None:
    song = replace(SONG, metres=(Metre(0, 4, 4), Metre(2 * BAR, 3, 4)))
    made = corrected(song, Timing(downbeat=0.5))
    assert [bar.length for bar in made.bars()[:4]] == [480, BAR, BAR, 1440]


def test_all_of_it_together() -> None:
    made = corrected(SONG, Timing(scale=2, metre=(3, 4), downbeat=0.5))
    assert [bar.length for bar in made.bars()[:2]] == [960, 1440]
    assert made.tempo_map[0].bpm == 240


def test_a_song_that_says_nothing_else_is_the_same() -> None:
    assert corrected(SONG, Timing()) is SONG


def test_a_downbeat_behind_the_end_is_refused() -> None:
    with pytest.raises(OptionError, match=r"but the song ends at 10\.40 s"):
        corrected(SONG, Timing(downbeat=100))
