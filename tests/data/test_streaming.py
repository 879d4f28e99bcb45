"""Training songs in chunks: each once an epoch, by seed alone, materialised in files as in memory."""

from __future__ import annotations

import errno
import os
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2drum.data.batches import streaming
from seq2drum.data.batches.batches import Data
from seq2drum.data.batches.streaming import (
    InMemorySongs,
    Layout,
    MappedFile,
    ShardRows,
    StreamedSongs,
    materialise_in_file,
    rows_of_chunk,
    songs_among,
)
from seq2drum.data.corpus.cache import Shard, save, songs_of
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError
from tests.backbeats import song_of

# --- songs chunk by chunk: each once an epoch, by seed alone, laid out as they would be at once -----------------------


def listed(*sizes: int) -> list[Shard]:
    """Shards of so many training songs, as an index lists them."""
    return [Shard(Path(f"{number}"), "", {"train": size}, {}, []) for number, size in enumerate(sizes)]


def in_chunk(shards: list[Shard], seed: int, number: int, count: int) -> set[tuple[str, int]]:
    return {(one.shard.path.name, row) for one in rows_of_chunk(shards, seed, number, count) for row in one.rows}


@pytest.mark.parametrize("sizes", [(100,), (7, 0, 30, 1), tuple(range(1, 60))])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_each_epoch_has_every_song_in_one_chunk_and_chunks_of_one_size(sizes: tuple[int, ...], count: int) -> None:
    shards = listed(*sizes)
    for epoch in range(3):
        found = [in_chunk(shards, 3, epoch * count + chunk, count) for chunk in range(count)]
        assert set().union(*found) == {(str(shard), row) for shard, size in enumerate(sizes) for row in range(size)}
        assert sum(len(one) for one in found) == sum(sizes)
        assert max(len(one) for one in found) - min(len(one) for one in found) <= 1


def test_chunks_differ_from_epoch_to_epoch_and_seed_to_seed_and_mix_the_shards() -> None:
    shards = listed(*[50] * 20)
    first, later, other = (in_chunk(shards, seed, number, 10) for seed, number in ((0, 0), (0, 10), (1, 0)))
    assert first not in (later, other) and later != other
    assert first == in_chunk(shards, 0, 0, 10)
    assert len({shard for shard, _ in first}) == streaming.WINDOW


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Shard], list[Prepared]]:
    """Three shards of training songs, with two of the other sides among them."""
    folder = tmp_path_factory.mktemp("shards")
    sides = ["train"] * 10 + ["validation", "test"]
    songs = [replace(song_of(seed, bars=6, split=side), sha256=f"{seed:064x}") for seed, side in enumerate(sides)]
    return [save(songs[at::3], folder / f"{at}.s2d") for at in range(3)], songs


def same(one: Any, other: Any) -> bool:
    """Whether values are equal, arrays within them, too."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_chunk_materialised_elsewhere_is_what_it_would_be_here(corpus, workers: int) -> None:
    shards, _ = corpus
    layout = Layout(altered=0.5, foreseen=False, seed=4)
    songs = StreamedSongs(shards, layout, size=4, workers=workers)
    assert (songs.chunks, songs.songs, songs.bars) == (3, 10, 60)
    for number in (0, 1, 2, 3, 7, 7, 2):  # in order, as after resuming, and back
        chosen = rows_of_chunk(shards, 4, number, 3)
        here = layout.materialise([song for one in chosen for song in songs_of(one.shard, "train", rows=one.rows)])
        there = songs.chunk(number)
        assert same(astuple(there), astuple(here))
        assert np.array_equal(there.grooves.near, here.grooves.near)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux says how many threads a process has")
def test_a_worker_has_one_thread_and_its_parent_as_many_as_before(corpus, monkeypatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    songs = StreamedSongs(corpus[0], Layout(), size=4)
    songs.chunk(0)
    assert len(list(Path(f"/proc/{songs.workers[0].process.pid}/task").iterdir())) == 1
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3" and "OMP_NUM_THREADS" not in os.environ


@pytest.mark.slow
def test_a_damaged_shard_is_reported_by_the_process_that_wanted_it(corpus, tmp_path: Path) -> None:
    shard = save(corpus[1], tmp_path / "a.s2d")
    shard.path.write_bytes(shard.path.read_bytes()[:-1])
    with pytest.raises(CorpusError, match=r"a\.s2d.*wanted"):
        StreamedSongs([shard], Layout()).chunk(0)


@pytest.mark.slow
def test_a_process_that_has_ended_is_told(corpus) -> None:
    songs = StreamedSongs(corpus[0], Layout(), size=4)
    songs.chunk(0)
    songs.workers[0].process.kill()
    with pytest.raises(CorpusError, match="has ended"):
        for number in (1, 2, 3):  # what was ready is still given
            songs.chunk(number)


def test_songs_held_whole_are_the_same_in_every_chunk(corpus) -> None:
    data: Data = Layout().materialise(corpus[1][:2])
    whole = InMemorySongs(data)
    assert whole.chunk(0) is whole.chunk(5) is data
    assert (whole.chunks, whole.songs, whole.bars) == (1, 2, 12)


def test_a_few_songs_of_a_side_come_of_few_shards(corpus) -> None:
    shards, songs = corpus
    some = songs_among(shards, "train", 4, 0)
    assert len(some) == 4 and all(song.split == "train" for song in some)
    assert {song.path for song in songs_among(shards, "validation", 4, 0)} == {songs[10].path}
    assert [song.path for song in some] == [song.path for song in songs_among(shards, "train", 4, 0)]


# --- songs laid out in files that are mapped into memory --------------------------------------------------------------

LARGE = ("guitar", "clock", "band", "velocity", "offset", "bars", "conditions")


@pytest.mark.parametrize("foreseen", [True, False])
def test_songs_materialised_in_a_file_are_what_they_are_in_memory(foreseen: bool, tmp_path: Path) -> None:
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
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    songs = [song_of(seed, bars=6) for seed in range(2)]
    data = materialise_in_file(songs, Layout())
    assert same(astuple(data), astuple(Layout().materialise(songs))) and not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="only there room is asked for")
def test_a_temporary_folder_without_room_is_told(tmp_path: Path, monkeypatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    shard = save([song_of(0, bars=6, split="train")], tmp_path / "a.s2d")
    monkeypatch.setattr("os.posix_fallocate", full)
    error = streaming.materialise_chunk([ShardRows(shard, [0])], Layout(), tmp_path / "songs")
    assert isinstance(error, CorpusError) and "No space left" in str(error) and "TMPDIR" in str(error)
    with pytest.raises(CorpusError, match=r"No space left .* TMPDIR chooses the place"):
        materialise_in_file([song_of(0, bars=6)], Layout())
