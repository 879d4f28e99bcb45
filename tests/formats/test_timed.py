"""Songs on given beats."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.errors import OptionError, PartNotFoundError
from seq2drum.formats.midi import midi
from seq2drum.formats.timed import open_timed
from seq2drum.lattice.beats import placing
from seq2drum.lattice.beats.performance import Timing
from seq2drum.music.notes import Metre, Part, Song, Tempo
from tests.conftest import ROOT

WALTZ, FUNK = (midi.read(ROOT / "examples" / f"{name}.mid") for name in ("waltz", "funk"))


def without_a_click(song: Song, period: float = 20.0, by: float = 0.3) -> bytes:
    """A file whose guitar ignores the grid: the tempo of the hands swings, that of the file stays."""
    seconds = song.elapsed(song.parts[0].rows[:, :1]) / song.ticks_per_quarter / 1e6
    late = by * np.sin(2 * np.pi * seconds / period)
    rows = song.parts[0].rows.copy()
    rows[:, :1] = np.maximum(
        rows[:, :1] + np.rint(late * 1e6 / song.tempo_map[0].microseconds * song.ticks_per_quarter), 0
    )
    return midi.serialise(
        Song(song.ticks_per_quarter, (Part.of(rows, program=27),), song.tempos, song.metres, song.end)
    )


def test_a_grid_is_put_right_without_a_question_to_the_guitar() -> None:
    made = open_timed(midi.serialise(FUNK), Timing(scale=2))
    assert made.found is None and made.recording is None
    assert made.song.tempo_map[0].bpm == pytest.approx(2 * FUNK.tempo_map[0].bpm, rel=1e-5)
    assert str(made).startswith(f"{made.song.tempo_map[0].bpm:.2f} BPM, 4/4, and a bar begins at 0.00 s")


def test_a_followed_file_gets_beats_that_its_guitar_fits() -> None:
    data = without_a_click(FUNK)
    assert placing.missed(midi.parse(data), [0]).is_free
    made = open_timed(data, Timing(), follow=True)
    assert made.found is not None
    assert not placing.missed(made.song, [0]).is_free
    assert str(made) == str(made.found)


@pytest.mark.parametrize("written", [0.5, 1, 2])
def test_of_a_tempo_that_is_found_and_its_double_the_one_that_the_file_has_counts(written: float) -> None:
    song = open_timed(midi.serialise(FUNK), Timing(scale=written)).song
    made = open_timed(midi.serialise(song), Timing(), follow=True)
    assert made.found is not None
    assert made.found.bpm == pytest.approx(written * FUNK.tempo_map[0].bpm, rel=0.01)


def test_a_given_tempo_keeps_the_metre_of_the_file() -> None:
    song = Song(WALTZ.ticks_per_quarter, WALTZ.parts, (Tempo(0, 500_000),), (Metre(0, 3, 4),), WALTZ.end)
    made = open_timed(midi.serialise(song), Timing(bpm=90))
    assert made.found is not None
    assert {metre[1:] for metre in made.song.metre_map if metre.tick} | {made.found.beats.metre} == {(3, 4)}
    assert made.song.tempo_at(made.song.end // 2).bpm == pytest.approx(90, rel=0.01)


def test_what_does_not_fit_the_song_is_refused() -> None:
    data = midi.serialise(FUNK)
    with pytest.raises(PartNotFoundError, match="fits no part"):
        open_timed(data, Timing(), follow=True, track="99")
    with pytest.raises(OptionError, match="but the song ends"):
        open_timed(data, Timing(downbeat=3000))
