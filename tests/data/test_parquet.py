"""Songs in Parquet: what was packed is read again, and what strangers hand in is refused or left out in a sentence."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from seq2drum.data.corpus import build, parquet
from seq2drum.data.corpus.parquet import Row
from seq2drum.data.corpus.parts import digest, parts_of
from seq2drum.data.corpus.prepared import sources
from seq2drum.errors import CorpusError, MissingExtraError, OutputError
from tests.commands import called
from tests.conftest import ROOT

pyarrow = pytest.importorskip("pyarrow", reason="wants the extra corpus")
TRAINING = ROOT / "examples" / "training"


def packed(folder: Path, target: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What --mode pack says."""
    code, out, err = called(["--mode", "pack", str(folder), "--data-out", str(target), *words], capsys)
    assert (code, out) == (0, "")
    return err


def written(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    from pyarrow import parquet as pq

    pq.write_table(pyarrow.table(columns), path, **options)
    return path


def own(**columns: Any) -> dict[str, Any]:
    """A table of ours with one song, some columns otherwise."""
    data = (TRAINING / "rock_riff_1.mid").read_bytes()
    return {"path": ["a.mid"], "sha256": [""], "bytes": [data], "licence": ["CC0"], "group": ["one"]} | columns


def refused(data: Sequence[Path], words: str) -> None:
    with pytest.raises(CorpusError, match=words) as caught:
        build.prepare(data)
    assert "\n" not in str(caught.value)


def test_a_packed_folder_is_prepared_as_the_folder_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = packed(TRAINING, tmp_path / "songs.parquet", capsys)
    assert said.startswith("22 files, 22 packed into ")
    (songs, account), (others, same) = (build.prepare([data]) for data in (TRAINING, tmp_path / "songs.parquet"))
    assert account == same
    assert [(one.path, one.sha256, one.group, one.split) for one in songs] == [
        (one.path, one.sha256, one.group, one.split) for one in others
    ]


def test_a_table_has_the_same_bytes_each_time_and_its_rows_are_in_the_order_of_paths(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "training"
    shutil.copytree(TRAINING, folder, ignore=shutil.ignore_patterns("[b-z]*"))
    (folder / "sub").mkdir()
    for name in ("zz.mid", "aa.mid", "sub/mm.mid"):
        shutil.copy(TRAINING / "funk_1.mid", folder / name)
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    packed(folder, one, capsys)
    shutil.copytree(folder, tmp_path / "elsewhere" / "training")
    packed(tmp_path / "elsewhere" / "training", other, capsys)
    assert one.read_bytes() == other.read_bytes()
    rows = [row.path for row in parquet.read(one, 0) if isinstance(row, Row)]
    assert rows == ["training/aa.mid", "training/sub/mm.mid", "training/zz.mid"]


def test_a_row_group_ends_at_its_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 3)
    monkeypatch.setattr(parquet, "GROUP_BYTES", 25)
    rows = [
        Row(f"{number}.mid", "", b"x" * size, "unknown", "") for number, size in enumerate([5, 5, 5, 5, 20, 20, 40])
    ]
    assert parquet.write(tmp_path / "songs.parquet", rows, overwrite=False) == 7
    assert parquet.row_groups(tmp_path / "songs.parquet") == [3, 2, 1, 1]
    again = [row for number in range(4) for row in parquet.read(tmp_path / "songs.parquet", number)]
    assert [row.path for row in again if isinstance(row, Row)] == [row.path for row in rows]


def test_folders_tables_and_corpora_are_read_together(tmp_path: Path) -> None:
    table = written(tmp_path / "songs.parquet", own(path=["table/a.mid"]))
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(TRAINING / "waltz_1.mid", folder)
    (tmp_path / "giga" / "v2.0.0").mkdir(parents=True)
    music = pyarrow.array([{"path": "x", "bytes": (TRAINING / "funk_1.mid").read_bytes()}])
    written(
        tmp_path / "giga" / "v2.0.0" / "train.parquet", {"md5": ["0a"], "music": music, "title": ["T"], "artist": ["A"]}
    )
    data: list[str | Path] = [table, folder, f"gigamidi:{tmp_path / 'giga'}"]
    songs, account = build.prepare(data)
    assert account.files == account.songs == 3
    assert {song.path: (song.licence, song.group) for song in songs if song.tag != "folder"} == {
        "table/a.mid": ("CC0", "manifest:one"),
        "gigamidi/0a.mid": ("CC BY-NC 4.0", "manifest:gigamidi:a/t"),
    }
    assert [part.size for part in parts_of(data)] == [1, 1, 1]
    first = digest(parts_of(data))
    assert digest(parts_of(data)) == first != digest(parts_of(data), "clean")
    written(table, own(path=["table/b.midi"]))
    assert digest(parts_of(data)) != first


def test_gigamidi_may_have_its_files_as_plain_bytes_and_no_titles(tmp_path: Path) -> None:
    data = (TRAINING / "funk_1.mid").read_bytes()
    columns = {"md5": ["0a"], "music": [data], "title_scraped": [None], "artist_scraped": ["A"]}
    written(tmp_path / "train.parquet", columns)
    (row,) = parquet.read(tmp_path / "train.parquet", 0, "gigamidi")
    assert isinstance(row, Row) and (row.path, row.data, row.group) == ("gigamidi/0a.mid", data, "")


def test_rows_that_hold_no_song_are_left_out_and_counted(tmp_path: Path) -> None:
    good = own()["bytes"][0]
    rows = {
        "path": ["good.mid", None, "x" * 5000, "none.mid", "large.mid", "other.mid", "broken.mid", "sound.mid"],
        "bytes": [good, good, good, None, good + b"\0" * (1 << 20), good, b"MThd", b"RIFF\0\0\0\0WAVE"],
    }
    rows["sha256"] = ["", "", "", "", "", "ab" * 32, None, None]
    rows["licence"], rows["group"] = [None] * 8, [None] * 8
    for name in ("sha256", "licence", "group"):
        rows[name] = pyarrow.array(rows[name], pyarrow.string())
    songs, account = build.prepare([written(tmp_path / "songs.parquet", rows)])
    assert [song.path for song in songs] == ["good.mid"]
    assert account.left_out == {
        "no usable path, licence or group in the table": 2,
        "not a readable file": 4,
        "bytes that are not those of their digest in the table": 1,
    }
    assert account.files == 8


def test_cells_as_other_programs_write_them_are_read(tmp_path: Path) -> None:
    data = own()["bytes"][0]
    columns = own(
        bytes=pyarrow.array([{"path": "x", "bytes": data}]),
        sha256=[hashlib.sha256(data).hexdigest().upper()],
        licence=pyarrow.nulls(1),
    )
    path = written(tmp_path / "songs.parquet", columns)
    assert parquet.row_groups(path) == [1]
    assert list(parquet.read(path, 0)) == [Row("a.mid", hashlib.sha256(data).hexdigest(), data, "unknown", "one")]


def test_files_of_a_table_that_lie_in_no_folder_are_of_one_source(tmp_path: Path) -> None:
    data = [(TRAINING / f"{name}_1.mid").read_bytes() for name in ("rock_riff", "funk")]
    columns = {name: column * 2 for name, column in own().items()}
    path = written(tmp_path / "songs.parquet", columns | {"path": ["a.mid", "b.mid"], "bytes": data})
    songs, _ = build.prepare([path])
    assert [song.tag for song in songs] == ["", ""] and len(sources(songs)) == 1


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    from pyarrow import parquet as pq

    table = pyarrow.table(own())
    pq.write_table(table.append_column("path", table["path"]), tmp_path / "songs.parquet")
    refused([tmp_path / "songs.parquet"], "has 2 columns 'path'; wanted path, sha256")


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_names_that_are_no_text_are_packed_and_prepared_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    shutil.copy(TRAINING / "funk_1.mid", folder / os.fsdecode(b"\xff.mid"))
    packed(folder, tmp_path / "songs.parquet", capsys)
    (song,), (other,) = (build.prepare([data])[0] for data in (folder, tmp_path / "songs.parquet"))
    assert song.path == other.path == r"caf\udce9/\udcff.mid"
    assert (song.tag, song.group, song.split) == (other.tag, other.group, other.split)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"path": ["a"], "bytes": [b""]}, "has no column 'sha256'; wanted path, sha256, bytes, licence, group"),
        (own(bytes=["text"]), "has string in column 'bytes', wanted bytes"),
        (own(path=[1]), "has int64 in column 'path', wanted text"),
        (own(group=[["a"]]), "has list.* in column 'group', wanted text"),
    ],
)
def test_a_table_with_other_columns_is_refused_in_a_sentence(
    tmp_path: Path, columns: dict[str, Any], words: str
) -> None:
    refused([written(tmp_path / "songs.parquet", columns)], rf"songs\.parquet' {words}")


def test_a_file_that_is_none_is_cut_off_or_damaged_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = written(tmp_path / "songs.parquet", own(), compression="none")
    whole = path.read_bytes()
    for damaged in (b"", b"PAR1", whole[: len(whole) // 2], b"MThd" + whole[4:-4] + b"MThd", whole[:-40] + whole[-8:]):
        path.write_bytes(damaged)
        refused([path], r"songs\.parquet' is not a readable Parquet file: ")
    for first in range(8, len(whole) // 2, 97):
        path.write_bytes(whole[:first] + bytes(byte ^ 0xFF for byte in whole[first : first + 16]) + whole[first + 16 :])
        try:
            _, account = build.prepare([path])
        except CorpusError as error:
            assert "is damaged: " in str(error) or "no song could be used" in str(error)
        else:
            assert account.files == 1


def test_a_row_group_too_large_to_be_read_at_once_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "songs.parquet", own())
    monkeypatch.setattr(parquet, "MOST_GROUP_BYTES", 1000)
    refused([path], "row group 0 of .* can be read; rewrite it in smaller groups")


def repeated(path: Path, data: bytes, count: int) -> Path:
    """A table of ours in which all rows have the same bytes, which are in the file once."""
    cells = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * count), pyarrow.array([data]))
    columns = {name: column * count for name, column in own().items()} | {"bytes": cells}
    return written(path, columns, compression="zstd", store_schema=False, dictionary_pagesize_limit=1 << 30)


def test_rows_that_share_a_large_value_are_in_memory_one_at_a_time(tmp_path: Path) -> None:
    path = repeated(tmp_path / "songs.parquet", bytes(4 << 20), 32)
    assert path.stat().st_size < 6000
    before = pyarrow.total_allocated_bytes()
    for row in parquet.read(path, 0):
        assert isinstance(row, Row) and len(row.data) == 4 << 20
        assert pyarrow.total_allocated_bytes() - before < 32 << 20


def test_a_row_with_more_bytes_than_a_song_has_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = repeated(tmp_path / "songs.parquet", bytes(5000), 2)
    monkeypatch.setattr(parquet, "MOST_ROW_BYTES", 4000)
    assert list(parquet.read(path, 0)) == ["more bytes in a row of the table than a song has"] * 2


def test_a_row_group_that_is_packed_too_tightly_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = repeated(tmp_path / "songs.parquet", bytes(4 << 20), 1)
    monkeypatch.setattr(parquet, "LEAST_GROUP_BYTES", 1 << 20)
    refused([path], "has 4 MB, more than 200 times those of its file; no songs are packed so tightly")


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "songs.parquet", own())
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'seq2drum\[corpus\]'"):
        parts_of([path])


def test_a_table_that_could_not_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    def rows() -> Any:
        yield Row("a.mid", "", b"x", "", "")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left on device"):
        parquet.write(tmp_path / "songs.parquet", rows(), overwrite=False)
    assert not list(tmp_path.iterdir())


def test_pack_refuses_what_makes_no_sense(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = written(tmp_path / "songs.parquet", own())
    for words, phrase in (
        ([], "--data-out FILE.parquet"),
        ([str(TRAINING)], "--data-out FILE.parquet"),
        ([str(TRAINING), "--data-out", str(table)], "exists already"),
        ([str(table), "--data-out", str(table), "--force"], "is among the songs"),
        ([str(TRAINING), "--data-out", str(tmp_path / "new.csv")], "ends in .parquet"),
        ([str(tmp_path / "gone"), "--data-out", str(tmp_path / "new.parquet")], "no file or folder"),
        ([str(TRAINING), "--data-out", str(tmp_path / "no" / "new.parquet")], "does not exist"),
    ):
        code, out, err = called(["--mode", "pack", *words], capsys)
        assert (code, out, err.count("\n")) == (2, "", 1) and phrase in err


def test_pack_of_no_usable_song_says_why_and_leaves_the_table_of_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = written(tmp_path / "songs.parquet", own(sha256=["ab" * 32]))
    target = tmp_path / "new.parquet"
    target.write_bytes(b"of before")
    code, out, err = called(["--mode", "pack", str(source), "--data-out", str(target), "--force"], capsys)
    assert (code, out) == (2, "")
    assert "no song could be packed, of 1:\n       1 left out: bytes that are not those of their digest" in err
    assert target.read_bytes() == b"of before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.parquet", "songs.parquet"]
