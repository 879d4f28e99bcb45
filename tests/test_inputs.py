"""What guitarists have: each kind of file in the table of the docs is played to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("guitarpro", reason="PyGuitarPro is not installed: pip install 'seq2drum[guitarpro]'")
pytest.importorskip("defusedxml", reason="defusedxml is not installed: pip install 'seq2drum[guitarpro]'")

from seq2drum.data.corpus import reading
from seq2drum.data.corpus.parquet import Row
from seq2drum.formats.guitarpro.binary import write_guitarpro
from seq2drum.formats.midi import midi
from seq2drum.formats.opening import open_song
from seq2drum.music.limits import RECORDING_SUFFIXES, SONG_SUFFIXES
from tests.commands import called
from tests.formats.test_kinds import good

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| [^|]*?: (?P<suffixes>(?:`\.\w+`(?:, )?)+) \|[^|]*\|[^|]*\|[^|]*\|$", re.MULTILINE)


def rows() -> list[list[str]]:
    """The suffixes of each row of the table."""
    text = (ROOT / "docs" / "guitarists" / "inputs.md").read_text(encoding="utf-8")
    return [re.findall(r"`(\.\w+)`", found["suffixes"]) for found in ROW.finditer(text)]


def test_the_table_names_all_files_that_are_read() -> None:
    assert {suffix for row in rows() for suffix in row} == set(SONG_SUFFIXES)


def test_each_kind_of_file_with_notes_gets_its_drums(tmp_path, capsys) -> None:
    files = [
        tmp_path / f"{suffix[1:]}_song{suffix}" for row in rows() for suffix in row if suffix not in RECORDING_SUFFIXES
    ]
    for file in files:
        file.write_bytes(good(file.suffix))
    code, _, err = called(["--mode", "infer", *map(str, files), "-o", str(tmp_path / "drums")], capsys)
    assert code == 0, err
    for file in files:
        song, drums = open_song(file).song, midi.read(tmp_path / "drums" / f"{file.stem}.drums.mid")
        assert len(drums.parts[0]), file
        assert len(drums.bars()) == len(song.bars())


def test_a_tab_with_guitar_and_drums_is_read_to_learn_from(tmp_path) -> None:
    given = midi.read(ROOT / "examples" / "training" / "rock_riff_1.mid")
    drums = next(part for part in given.parts if part.is_drums)
    (tmp_path / "song.gp5").write_bytes(write_guitarpro(given, drums))
    (tmp_path / "song.wav").write_bytes(b"RIFF")
    (path,) = reading.find_files([tmp_path])
    found = reading.read_song(Row("tabs/song.gp5", "", path.read_bytes(), "", ""))
    assert not isinstance(found, str), found
    assert found.said.drum_notes == len(drums)
