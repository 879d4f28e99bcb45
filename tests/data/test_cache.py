"""A cache is one shard or an index of many: mapped into memory, checked by digests, and read side by side."""

from __future__ import annotations

import json
import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from seq2drum.data.corpus import cache
from seq2drum.data.corpus.cache import load, save, save_index, shards_of, songs_of
from seq2drum.data.corpus.prepared import SPLITS, Prepared
from seq2drum.errors import CorpusError
from tests.backbeats import song_of


@pytest.fixture(scope="module")
def songs() -> list[Prepared]:
    made = [replace(song_of(seed), licence="CC0", split=SPLITS[seed % 3]) for seed in range(6)]
    return [replace(song, path=f"{number}.mid", sha256=f"{number:064x}") for number, song in enumerate(made)]


def names(some: list[Prepared]) -> list[str]:
    return [song.path for song in some]


def test_an_index_of_shards_gives_the_songs_of_all_wherever_the_folder_lies(
    songs: list[Prepared], tmp_path: Path
) -> None:
    folder = tmp_path / "there"
    shards = [save(songs[at : at + 2], folder / "shards" / f"{at}.s2d") for at in (0, 2, 4)]
    save_index(shards, folder / "index.json")
    moved = folder.rename(tmp_path / "elsewhere") / "index.json"
    assert names(load(moved)) == names(songs)
    assert load(moved)[3].licence == "CC0"
    listed = shards_of(moved)
    assert [shard.sides for shard in listed] == [shard.sides for shard in shards]
    assert [shard.sources for shard in listed] == [shard.sources for shard in shards]


def test_a_shard_that_is_gone_and_a_count_below_nothing_are_known_before_a_song_is_read(
    songs: list[Prepared], tmp_path: Path
) -> None:
    index = tmp_path / "index.json"
    save_index([save(songs[at : at + 2], tmp_path / f"{at}.s2d") for at in (0, 2, 4)], index)
    (tmp_path / "2.s2d").unlink()
    with pytest.raises(CorpusError, match=r"2\.s2d' cannot be read \(No such file or directory\)"):
        shards_of(index)
    index.write_text(index.read_text().replace('"train": 1', '"train": -1', 1))
    with pytest.raises(CorpusError, match="counts nothing of one"):
        shards_of(index)


def test_reading_a_cache_can_be_interrupted(
    songs: list[Prepared], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(blob: bytes) -> None:
        raise KeyboardInterrupt

    save(songs, tmp_path / "songs")
    monkeypatch.setattr(cache, "unpack", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(tmp_path / "songs")


def test_an_index_written_again_has_the_same_bytes(songs: list[Prepared], tmp_path: Path) -> None:
    save_index([save(songs, tmp_path / "a.s2d")], tmp_path / "one.json")
    save_index(shards_of(tmp_path / "one.json"), tmp_path / "other.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "other.json").read_bytes()


def test_a_shard_tells_of_itself_what_its_index_says(songs: list[Prepared], tmp_path: Path) -> None:
    written = save(songs, tmp_path / "a.s2d")
    assert shards_of(tmp_path / "a.s2d") == [written]
    assert written.sides == {"train": 2, "validation": 2, "test": 2}
    assert written.bars == {"train": 24, "validation": 24, "test": 24}
    assert sum(row["train"] for row in written.sources if isinstance(row["train"], int)) == 2


def test_the_songs_of_one_side_are_read_alone(songs: list[Prepared], tmp_path: Path) -> None:
    shard = save(songs, tmp_path / "a.s2d")
    assert names(songs_of(shard, "validation")) == names([song for song in songs if song.split == "validation"])
    others = names([song for song in songs if song.split != "validation"])
    assert names(songs_of(shard, "train", "test")) == others
    assert names(songs_of(shard, "train", "test", rows=[0, 3])) == [others[0], others[3]]


def test_a_shard_that_is_not_the_listed_one_is_refused(songs: list[Prepared], tmp_path: Path) -> None:
    save_index([save(songs, tmp_path / "a.s2d")], tmp_path / "index.json")
    save(songs[:2], tmp_path / "a.s2d")
    with pytest.raises(CorpusError, match=r"a\.s2d.*the checksum differs.*make it again"):
        load(tmp_path / "index.json")


NO_INDEX = ["{", "{}", '{"shards": []}', '{"seq2drum shards": 2, "shards": []}', '{"seq2drum shards": 1, "shards": []}']


@pytest.mark.parametrize(
    ("field", "value"),
    [("file", 7), ("songs", "x"), ("songs", {"train": 1}), ("bars", 5), ("sources", [{"folder": ""}])],
)
def test_an_index_that_does_not_count_its_songs_is_refused(
    field: str, value: object, songs: list[Prepared], tmp_path: Path
) -> None:
    save_index([save(songs, tmp_path / "a.s2d")], tmp_path / "index.json")
    index = json.loads((tmp_path / "index.json").read_text())
    index["shards"][0][field] = value
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(CorpusError, match="not a usable cache"):
        load(tmp_path / "index.json")


@pytest.mark.parametrize("text", NO_INDEX)
def test_an_index_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(CorpusError, match="not a usable cache"):
        load(tmp_path / "index.json")


def test_a_missing_shard_is_named(songs: list[Prepared], tmp_path: Path) -> None:
    save_index([save(songs, tmp_path / "a.s2d")], tmp_path / "index.json")
    (tmp_path / "a.s2d").unlink()
    with pytest.raises(CorpusError, match=r"a\.s2d.*No such file"):
        load(tmp_path / "index.json")


def test_a_cache_of_the_version_before_is_read_and_becomes_one_of_this(songs: list[Prepared], tmp_path: Path) -> None:
    new, old = tmp_path / "new.s2d", tmp_path / "old.s2d"
    save([replace(song, licence="") for song in songs], new)
    data = new.read_bytes()
    first = 12 + int.from_bytes(data[4:12], "little")
    header = json.loads(zlib.decompress(data[12:first]))
    rows = [[*row[:6], row[8]] for row in header["songs"]]
    text = zlib.compress(json.dumps({"version": 3, "songs": rows}).encode())
    old.write_bytes(cache.MAGIC + len(text).to_bytes(8, "little") + text + data[first:])
    save(load(old), tmp_path / "again.s2d")
    assert (tmp_path / "again.s2d").read_bytes() == data
    shutil.copy(old, tmp_path / "cut.s2d")
    (tmp_path / "cut.s2d").write_bytes(old.read_bytes()[:-1])
    with pytest.raises(CorpusError, match="wanted"):
        load(tmp_path / "cut.s2d")
