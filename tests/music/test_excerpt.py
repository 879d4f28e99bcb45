"""Bars of a song as a song."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seq2drum.errors import NoNotesError, OptionError
from seq2drum.music.excerpt import excerpt
from seq2drum.music.notes import Marker, Metre, Note, Part, Song, Tempo

BAR = 1920
BASS = Part.of([Note(at, 480, 40, 90) for at in range(0, 8 * BAR, 480)], program=33, name="Bass")
GUITAR = Part.of([Note(at, 600, 52, 80) for at in range(2 * BAR, 6 * BAR, 480)], program=27, name="Guitar")
LEAD = Part.of([Note(0, 480, 64, 80)], program=29, name="Lead")
SONG = Song(
    480,
    (BASS, LEAD, GUITAR),
    (Tempo(0, 500_000), Tempo(3 * BAR, 400_000), Tempo(7 * BAR, 300_000)),
    (Metre(0, 4, 4), Metre(4 * BAR, 3, 4)),
    8 * BAR,
    (Marker(0, "verse", True),),
)


def test_an_excerpt_has_the_notes_bars_tempos_and_metres_of_its_bars_and_the_guitar_first() -> None:
    part, guitars = excerpt(SONG, (4, 6), (1, 2))
    assert guitars == 1  # the other has no note in these bars
    assert [each.name for each in part.parts] == ["Guitar", "Bass"]
    assert part.tempo_map == (Tempo(0, 400_000),)
    assert [(bar.length, bar.numerator) for bar in part.bars()] == [(1920, 4), (1440, 3), (1440, 3)]
    assert part.end == 4800 and not part.markers
    guitar = part.parts[0]
    assert guitar.onset.tolist() == list(range(0, 4800, 480))
    assert guitar.duration.tolist() == [600] * 9 + [480]  # the last ends with the excerpt


def test_an_excerpt_of_all_bars_has_all_notes() -> None:
    part, guitars = excerpt(SONG, (1, len(SONG.bars())), (1, 2))
    assert (guitars, part.parts[:2], part.bars()) == (2, (LEAD, GUITAR), SONG.bars())


def test_the_pedal_of_drums_is_cut_as_their_notes_are() -> None:
    kit = Part.of([Note(at, 60, 46, 90) for at in range(0, 8 * BAR, 480)], is_drums=True)
    kit = replace(kit, pedal=np.array([[0, 127], [3 * BAR, 64], [5 * BAR, 0]]))
    part, _ = excerpt(Song(480, (GUITAR, kit)), (3, 4), (0,))
    assert part.parts[1].pedal.tolist() == [[BAR, 64]]


@pytest.mark.parametrize(
    ("bars", "error", "words"),
    [((8, 12), OptionError, "the song has 10"), ((1, 2), NoNotesError, "no notes in bars 1 to 2; choose")],
)
def test_bars_beyond_the_song_and_bars_without_a_guitar_are_refused(
    bars: tuple[int, int], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        excerpt(SONG, bars, (2,))
