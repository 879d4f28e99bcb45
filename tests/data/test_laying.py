"""Songs laid out in files that are mapped into memory."""

from __future__ import annotations

import errno
import os
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum.data.batches import streaming
from seq2drum.data.batches.streaming import Layout, MappedFile, ShardRows, materialise_in_file
from seq2drum.data.corpus.cache import save
from seq2drum.errors import CorpusError
from tests.backbeats import song_of
from tests.data.test_portions import same

LARGE = ("guitar", "clock", "velocity", "offset", "bars", "conditions")


@pytest.mark.parametrize("foreseen", [True, False])
def test_songs_laid_out_in_a_file_are_what_they_are_in_memory(foreseen: bool, tmp_path: Path) -> None:
    songs = [replace(song_of(seed, bars=6), sha256=f"{seed:064x}") for seed in range(4)]
    layout = Layout(altered=0.5, foreseen=foreseen, seed=2)
    here = layout.materialise(songs)
    with MappedFile(tmp_path / "songs") as file:
        there = layout.materialise(songs, file)
        assert same(astuple(there), astuple(here))
        begins = {getattr(there, name).ctypes.data for name in LARGE}
        assert set(file.arrays) == begins and len(begins) == len(LARGE)
        held = file.dump(there)
    again = held.load()
    assert same(astuple(again), astuple(here)) and not held.path.exists()
    assert not again.guitar.flags.writeable


def test_arrays_in_a_file_are_written_once_and_lie_apart(tmp_path: Path) -> None:
    with MappedFile(tmp_path / "arrays") as file:
        some, none, others = file.zeros((3, 5), np.float16), file.zeros((0, 5), np.int8), file.zeros((70_000,), np.int8)
        some[:], others[:] = 1, 2
        assert none.shape == (0, 5) and np.all(some == 1) and np.all(others == 2)
        (first, at) = file.arrays.values()
    data = file.path.read_bytes()
    assert len(data) == file.size == at + others.nbytes
    assert data[first : first + some.nbytes] == some.tobytes() and data[at:] == others.tobytes()


def test_songs_in_a_file_leave_nothing_in_the_temporary_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(streaming.tempfile, "tempdir", str(tmp_path))
    songs = [song_of(seed, bars=6) for seed in range(2)]
    data = materialise_in_file(songs, Layout())
    assert same(astuple(data), astuple(Layout().materialise(songs))) and not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="only there room is asked for")
def test_a_temporary_folder_without_room_is_told(tmp_path: Path, monkeypatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    shard = save([song_of(0, bars=6, split="train")], tmp_path / "a.s2d")
    monkeypatch.setattr(streaming.os, "posix_fallocate", full)
    error = streaming._chunk([ShardRows(shard, [0])], Layout(), tmp_path / "songs")
    assert isinstance(error, CorpusError) and "No space left" in str(error) and "TMPDIR" in str(error)
    with pytest.raises(CorpusError, match=r"No space left .* TMPDIR says where"):
        materialise_in_file([song_of(0, bars=6)], Layout())
