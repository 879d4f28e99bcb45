"""What guitarists have: each kind of file in the table of the docs is played to."""

from __future__ import annotations

import io
import re
import zipfile
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
from tests import gpif_files, tabs
from tests.commands import called
from tests.formats.test_opening import MUSICXML, SONG
from tests.formats.test_plain import ABC

ROOT = Path(__file__).parent.parent
KERN = b"**kern\n*M4/4\n" + b"=\n4E\n4G\n4A\n4B\n" * 4 + b"*-\n"
ROW = re.compile(r"^\| [^|]*?: (?P<suffixes>(?:`\.\w+`(?:, )?)+) \|[^|]*\|[^|]*\|[^|]*\|$", re.MULTILINE)


def rows() -> list[list[str]]:
    """The suffixes of each row of the table."""
    text = (ROOT / "docs" / "guitarists" / "inputs.md").read_text(encoding="utf-8")
    return [re.findall(r"`(\.\w+)`", found["suffixes"]) for found in ROW.finditer(text)]


def packed_score() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("score.xml", MUSICXML)
    return file.getvalue()


def file_of(suffix: str) -> bytes:
    """A riff in a kind of file."""
    riff = [tabs.beat((6, fret)) for fret in range(8)]
    text = gpif_files.gpif(gpif_files.xtrack([[gpif_files.xbeat((0, fret)) for fret in range(8)]] * 4))
    versions = {".gp3": (3, 0, 0), ".gp4": (4, 0, 6), ".gp5": (5, 1, 0)}
    if suffix in versions:
        return tabs.written(tabs.song(tabs.track([riff] * 4)), versions[suffix])
    others = {".mxl": packed_score(), ".musicxml": MUSICXML, ".xml": MUSICXML, ".abc": ABC, ".krn": KERN, ".kern": KERN}
    others |= {".gp": gpif_files.gp(text), ".gpx": gpif_files.bcfz(text)}
    return others.get(suffix) or midi.serialise(SONG)


def test_the_table_names_all_files_that_are_read() -> None:
    assert {suffix for row in rows() for suffix in row} == set(SONG_SUFFIXES)


def test_each_kind_of_file_with_notes_gets_its_drums(tmp_path, capsys) -> None:
    files = [
        tmp_path / f"{suffix[1:]}_song{suffix}" for row in rows() for suffix in row if suffix not in RECORDING_SUFFIXES
    ]
    for file in files:
        file.write_bytes(file_of(file.suffix))
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
