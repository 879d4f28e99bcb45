"""The contract of every kind of file that is read: a good file is a song, and any other is refused in one line."""

from __future__ import annotations

import functools
import io
import random
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from seq2drum.console import paths
from seq2drum.data.corpus import cache, parquet, reading
from seq2drum.data.corpus.parquet import Row
from seq2drum.errors import InputError, LimitError, Seq2DrumError
from seq2drum.formats import foreign
from seq2drum.formats.dawproject.writing import write_dawproject
from seq2drum.formats.guitarpro.binary import write_guitarpro
from seq2drum.formats.midi import midi
from seq2drum.formats.opening import KINDS, RECORDING, Kind, kind_of, open_drums, open_song
from seq2drum.music import drum_maps
from seq2drum.music.limits import (
    DEFAULT_LIMITS,
    GPIF_SUFFIXES,
    GUITARPRO_SUFFIXES,
    OPENED_SUFFIXES,
    RECORDING_SUFFIXES,
    SONG_SUFFIXES,
)
from tests import gpif_files, musescore_files, powertab_files, recordings, tabs, tuxguitar_files
from tests.backbeats import song_of
from tests.commands import called
from tests.conftest import ROOT
from tests.formats.test_drum_picture import TEXT, painted
from tests.players import strummed

BARS = 4
SECONDS = 3.0  # of processor time for one file, at the most
MENDS = re.compile(r"\b(wanted|give|save|export|name a|open it|unpack|not with|at most|the most that|make it)\b")
"""Words by which a message says what was wanted, or what to do."""


# --- a good file of each kind, of four bars ---------------------------------------------------------------------------


def _rmid() -> bytes:
    data = midi.serialise(strummed(BARS))
    return b"RIFF" + (len(data) + 12).to_bytes(4, "little") + b"RMIDdata" + len(data).to_bytes(4, "little") + data


def _score() -> bytes:
    divisions = "<attributes><divisions>1</divisions></attributes>"
    tone = "<note><pitch><step>E</step><octave>3</octave></pitch><duration>4</duration></note>"
    measures = "".join(f'<measure number="{at + 1}">{divisions * (at == 0)}{tone}</measure>' for at in range(BARS))
    listed = '<part-list><score-part id="P1"><part-name>Guitar</part-name></score-part></part-list>'
    return f'<?xml version="1.0"?><score-partwise>{listed}<part id="P1">{measures}</part></score-partwise>'.encode()


def _packed_score() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        rootfile = '<rootfile full-path="score.xml"/>'
        archive.writestr("META-INF/container.xml", f"<container><rootfiles>{rootfile}</rootfiles></container>")
        archive.writestr("score.xml", _score())
    return file.getvalue()


def _tab(version: tuple[int, int, int]) -> bytes:
    return tabs.written(tabs.song(tabs.track([[tabs.beat((6, fret)) for fret in range(8)]] * BARS)), version)


def _gpif() -> bytes:
    return gpif_files.gpif(gpif_files.xtrack([[gpif_files.xbeat((0, fret)) for fret in range(8)]] * BARS))


def _recording(kind: str) -> bytes:
    recordings.needs_audio()
    return recordings.as_file(
        recordings.riff([0.25 * eighth for eighth in range(8 * BARS)], 2.0 * BARS - 0.1), kind=kind
    )


ABC = b"X:1\nT:A riff\nM:4/4\nL:1/4\nK:Em\n" + b"E,G,A,B,|" * BARS + b"\n"
KERN = b"**kern\n*M4/4\n" + b"=\n4E\n4G\n4A\n4B\n" * BARS + b"*-\n"
WRITERS: dict[str, Callable[[], bytes]] = {
    **dict.fromkeys((".mid", ".midi", ".kar"), lambda: midi.serialise(strummed(BARS))),
    ".rmi": _rmid,
    **dict.fromkeys((".musicxml", ".xml"), _score),
    ".mxl": _packed_score,
    ".abc": lambda: ABC,
    **dict.fromkeys((".krn", ".kern"), lambda: KERN),
    ".gp3": lambda: _tab((3, 0, 0)),
    ".gp4": lambda: _tab((4, 0, 6)),
    ".gp5": lambda: _tab((5, 1, 0)),
    ".gp": lambda: gpif_files.gp(_gpif()),
    ".gpx": lambda: gpif_files.bcfz(_gpif()),
    ".tg": lambda: tuxguitar_files.packed(tuxguitar_files.content(*tuxguitar_files.riff(BARS))),
    ".ptb": lambda: powertab_files.ptb(*powertab_files.riff(BARS)),
    ".pt2": lambda: powertab_files.pt2(*powertab_files.riff(BARS)),
    ".mscx": lambda: musescore_files.riff(BARS),
    ".mscz": lambda: musescore_files.mscz(musescore_files.riff(BARS)),
    ".dawproject": lambda: write_dawproject(strummed(BARS), []),
    ".wav": lambda: _recording("WAV"),
    ".flac": lambda: _recording("FLAC"),
    ".ogg": lambda: _recording("OGG"),
    ".mp3": lambda: _recording("MP3"),
    **dict.fromkeys((".aif", ".aiff"), lambda: _recording("AIFF")),
    ".txt": lambda: (TEXT * (BARS // 2)).encode(),
    ".png": lambda: painted("L"),
}
FIRST = [kind.suffixes[0] for kind in KINDS]


@functools.cache
def good(suffix: str) -> bytes:
    """A file with four bars of music; the test is skipped where its reader is not installed."""
    if suffix in GUITARPRO_SUFFIXES + GPIF_SUFFIXES:
        for package in ("guitarpro", "defusedxml"):
            pytest.importorskip(package, reason=f"{package} is not installed: pip install 'seq2drum[guitarpro]'")
    if suffix in RECORDING_SUFFIXES:
        recordings.needs_audio()
    return WRITERS[suffix]()


def test_each_suffix_has_a_good_file_here() -> None:
    assert set(WRITERS) == set(OPENED_SUFFIXES)


@pytest.mark.parametrize("suffix", OPENED_SUFFIXES)
def test_a_good_file_is_a_song_of_the_bars_that_were_written(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"song{suffix}"
    path.write_bytes(good(suffix))
    song, data = open_song(path)
    assert len(song.bars()) == (8 if suffix == ".png" else BARS)  # a picture has eight
    assert sum(map(len, song.parts)) >= 4 * BARS or suffix in (".musicxml", ".xml", ".mxl")
    assert open_song(good(suffix)).song == song  # by its first bytes alone
    assert data == (good(suffix) if kind_of(b"", suffix) is KINDS[0] else None)


# --- files that are none of their kind --------------------------------------------------------------------------------


def refusal(path: Path, read: Callable[[Path], object] = open_song) -> str:
    """How a file is refused, as the command line says it, or "" if it is read; see that it is one clear line, soon."""
    before = time.process_time()
    try:
        read(path)
    except Seq2DrumError as error:
        message = paths.about(str(path), error)
    else:
        message = ""
    assert time.process_time() - before < SECONDS
    if message:
        assert str(path) in message and "\n" not in message and "b'" not in message
        assert 20 < len(message) - len(str(path)) < 500
        assert MENDS.search(message), message
    return message


Damage: TypeAlias = Callable[[Path, bytes], object]
NONE: dict[str, Damage] = {
    "missing": lambda path, data: None,
    "a folder": lambda path, data: path.mkdir(),
    "empty": lambda path, data: path.write_bytes(b""),
    "zeros": lambda path, data: path.write_bytes(bytes(len(data))),
    "chance": lambda path, data: path.write_bytes(random.Random(len(data)).randbytes(1000)),
    "its beginning": lambda path, data: path.write_bytes(data[:3]),
}


@pytest.mark.parametrize("damage", NONE)
@pytest.mark.parametrize("suffix", OPENED_SUFFIXES)
def test_what_is_no_file_of_a_kind_is_refused_in_one_line(suffix: str, damage: str, tmp_path: Path) -> None:
    path = tmp_path / f"song{suffix}"
    NONE[damage](path, good(suffix))
    message = refusal(path)
    assert message
    if damage in ("missing", "a folder", "empty"):
        assert kind_of(b"", suffix).name in message


@pytest.mark.parametrize("suffix", OPENED_SUFFIXES)
def test_a_file_that_is_cut_off_is_refused_in_one_line_or_has_the_music_before_the_cut(
    suffix: str, tmp_path: Path
) -> None:
    path, data = tmp_path / f"song{suffix}", good(suffix)
    whole = len(open_song(data).song.bars())
    for tenths in (1, 3, 5, 7, 9):
        path.write_bytes(data[: len(data) * tenths // 10])
        if not refusal(path):
            assert open_song(path) == open_song(path)
            assert len(open_song(path).song.bars()) <= whole or suffix in RECORDING_SUFFIXES  # whose metre is found


@pytest.mark.parametrize("kind", KINDS, ids=FIRST)
def test_a_file_that_is_too_large_is_refused_before_it_is_read(kind: Kind, tmp_path: Path) -> None:
    path, most = tmp_path / f"song{kind.suffixes[0]}", kind.most or DEFAULT_LIMITS.file_bytes
    path.write_bytes(good(kind.suffixes[0]))
    with path.open("r+b") as file:
        file.truncate(most + 1)
    with pytest.raises(LimitError, match=f"larger than {most} bytes"):
        open_song(path)
    assert refusal(path)


@pytest.mark.parametrize("suffix", FIRST)
@pytest.mark.parametrize("other", FIRST)
def test_the_bytes_of_another_kind_are_read_as_what_they_are(suffix: str, other: str, tmp_path: Path) -> None:
    path = tmp_path / f"song{suffix}"
    path.write_bytes(good(other))
    assert open_song(path) == open_song(good(other))
    if kind_of(b"", other) is RECORDING:
        with pytest.raises(InputError, match="whose drums cannot be read"):
            open_drums(path)


def test_the_command_line_tells_all_of_them_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / f"{at}{suffix}" for at, suffix in enumerate(OPENED_SUFFIXES)]
    for file in files:
        good(file.suffix)
        file.write_bytes(random.Random(3).randbytes(1000))
    code, out, err = called(["--mode", "infer", *map(str, files), "-o", str(tmp_path / "drums")], capsys)
    lines = err.splitlines()
    assert (code, out, len(lines)) == (2, "", len(files))
    assert all(line.startswith(f"seq2drum: {file}: ") for line, file in zip(lines, files, strict=True))
    assert not list(tmp_path.glob("drums/*"))


# --- files of the project's own ---------------------------------------------------------------------------------------


def _write_table(path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'seq2drum[corpus]'")
    row = parquet.Row("song.mid", "", midi.serialise(strummed(BARS)), "CC0-1.0", "")
    parquet.write(path, [row], overwrite=False)


def _read_table(path: Path) -> list[object]:
    return [row for number in range(len(parquet.row_groups(path))) for row in parquet.read(path, number)]


STORES: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "songs.s2d": (lambda path: cache.save([song_of(1, bars=BARS)], path), cache.load),
    "songs.parquet": (_write_table, _read_table),
    "map.json": (lambda path: path.write_text('{"kick": 36, "snare": [38, 40]}'), drum_maps.load),
}
"""Writers and readers of what is no music, by a file's name. They say what they are, so no cut leaves a part of it."""


@pytest.mark.parametrize("name", STORES)
def test_a_store_is_read_whole_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    write, read = STORES[name]
    path = tmp_path / name
    write(path)
    assert not refusal(path, read) and read(path)
    data = path.read_bytes()
    for damage in NONE.values():
        path.unlink() if path.is_file() else path.is_dir() and path.rmdir()
        damage(path, data)
        assert refusal(path, read)
    for tenths in range(1, 10):
        path.write_bytes(data[: len(data) * tenths // 10])
        assert refusal(path, read)


# --- the table of the docs: each kind of file in it is played to ------------------------------------------------------


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


def test_what_can_be_opened_is_what_has_a_reader_less_what_is_not_installed(monkeypatch):
    monkeypatch.setattr(foreign, "missing", dict)
    readable = foreign.readable()
    suffixes = [suffix for kind in readable.values() for suffix in kind]
    assert sorted(suffixes) == sorted(SONG_SUFFIXES)
    assert set(suffixes) <= {suffix for kind in KINDS for suffix in kind.suffixes}
    monkeypatch.setattr(foreign, "missing", lambda: {"tab": "", "recording": ""})
    assert foreign.readable() == {kind: those for kind, those in readable.items() if kind not in ("tab", "recording")}
