"""Folders of drums as bars to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2drum.data.drums import beats
from seq2drum.errors import CorpusError
from seq2drum.formats.midi import midi
from seq2drum.lattice.patterns import TICKS
from seq2drum.music.choices import GENRES
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo


def _loop(path: Path, *, bars: int = 2, rest: int = 0, metre: tuple[int, int] = (4, 4), bpm: float = 100) -> None:
    """A file of kicks and snares in quarters, behind so many empty bars."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onsets = range(4 * rest, 4 * (rest + bars))
    part = Part.of([Note(TICKS * at, 60, 38 if at % 2 else 36, 100) for at in onsets], is_drums=True)
    song = Song(TICKS, (part,), (Tempo(0, round(6e7 / bpm)),), (Metre(0, *metre),), TICKS * 4 * (rest + bars))
    path.write_bytes(midi.serialise(song))


def test_folders_say_the_genre_and_files_the_tempo(tmp_path: Path) -> None:
    _loop(tmp_path / "Funk" / "one.mid", bars=3, rest=2, bpm=96)
    _loop(tmp_path / "Hip-Hop" / "a fill.mid", bars=1)
    _loop(tmp_path / "odd.mid", metre=(7, 8))
    read = beats.read([tmp_path])
    assert read.names == (f"{tmp_path.name}/Funk/one.mid", f"{tmp_path.name}/Hip-Hop/a fill.mid")
    assert [GENRES[genre] for genre in read.genre] == ["funk"] * 3 + ["hiphop"]
    assert read.bpm[:3] == pytest.approx(96, abs=0.01)
    assert read.fill.tolist() == [False] * 3 + [True]
    assert read.number.tolist() == [0, 1, 2, 0]
    assert np.array_equal(read.velocity[0], read.velocity[2])


def test_windows_stay_inside_a_performance_and_leave_fills_out(tmp_path: Path) -> None:
    for name in ("a.mid", "b.mid", "a fill.mid"):
        _loop(tmp_path / name, bars=5)
    read = beats.read([tmp_path])
    rows = read.windows(4)
    assert len(rows) == 4
    assert all(read.performance[row] == read.performance[row + 3] and not read.fill[row] for row in rows)
    assert len(read.windows(4, hop=4)) == 2


def test_a_folder_without_drums_is_refused(tmp_path: Path) -> None:
    _loop(tmp_path / "odd.mid", metre=(7, 8))
    with pytest.raises(CorpusError, match="no drums in 4/4"):
        beats.read([tmp_path])


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "info.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match=r"info\.csv"):
        beats.read([tmp_path])
