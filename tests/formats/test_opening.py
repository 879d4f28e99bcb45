"""The reader of any file, and messages about files without a reader."""

from __future__ import annotations

import gzip
import importlib.metadata
import io
import os
import threading
import tomllib
import zipfile
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from seq2drum.errors import InputError, LimitError, MidiError
from seq2drum.formats import foreign, opening
from seq2drum.formats.midi import midi
from seq2drum.formats.opening import KINDS, kind_of, open_song
from seq2drum.music.limits import OPENED_SUFFIXES
from seq2drum.music.notes import Note, Part, Song
from tests.conftest import ROOT
from tests.players import strummed

SONG = Song(480, (Part.of([Note(0, 480, 52, 90)], program=27, name="Guitar"),), length=1920)
MUSICXML = b"""<?xml version="1.0"?><score-partwise><part-list><score-part id="P1"><part-name>Guitar</part-name>
</score-part></part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions></attributes><note>
<pitch><step>E</step><octave>3</octave></pitch><duration>4</duration></note></measure></part></score-partwise>"""


def test_the_kinds_have_all_suffixes_that_are_told() -> None:
    assert tuple(suffix for kind in KINDS for suffix in kind.suffixes) == OPENED_SUFFIXES


def test_a_score_is_read_by_its_name_and_by_its_bytes_alone(tmp_path) -> None:
    path = tmp_path / "song.musicxml"
    path.write_bytes(MUSICXML)
    opened = open_song(path)
    assert opened.midi is None
    assert [part.pitch.tolist() for part in opened.song.parts] == [[52]]
    assert open_song(MUSICXML) == opened


def test_what_says_nothing_is_taken_for_what_its_name_says_and_else_for_midi(tmp_path) -> None:
    assert kind_of(b"???", ".mxl").name == "MusicXML file"
    assert kind_of(b"RIFF\0\0\0\0RMID").name == "MIDI file"
    with pytest.raises(MidiError, match="this is not a MIDI file"):
        open_song(b"???")


def test_a_packed_score_is_known_without_its_name_wherever_the_container_lies_in_it() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("score.xml", MUSICXML)
        archive.writestr("META-INF/container.xml", "<container/>")
    assert kind_of(buffer.getvalue()).name == "MusicXML file"


def test_a_file_is_opened_once_so_that_it_may_be_a_pipe(tmp_path) -> None:
    pipe = tmp_path / "song.mid"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(midi.serialise(SONG),), daemon=True)
    writer.start()
    assert open_song(pipe).song == SONG
    writer.join()


# --- files that are no song: told by their first bytes and their names ------------------------------------------------


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x" * 100)
    return buffer.getvalue()


RECOGNISED = [
    (b"RIFF\x24\x08\0\0WAVEfmt ", "", "a WAV recording"),
    (b"fLaC\0\0\0\x22", "", "a FLAC recording"),
    (b"\xff\xfb\x90\x64", "", "an MP3 recording"),
    (b"\0\0\0\x20ftypM4A ", "", "MP4"),
    (b"FORM\0\0\0\0AIFF", "", "an AIFF recording"),
    (b"\x18FICHIER GUITAR PRO v5.00\0\0\0\0\0\0", "", "Guitar Pro"),
    (b"BCFZ\0\0", "", "Guitar Pro"),
    (b"\x16FICHIER GUITARE PRO v1", "", "Guitar Pro 1 or 2"),
    (b"\x18FICHIER GUITAR PRO v2.21\0\0", "old.gp5", "Guitar Pro 1 or 2"),
    (b"", "old.gtp", "Guitar Pro 1 or 2"),
    (b"ptab\4\0", "", "Power Tab"),
    (b"\x1b" + "TuxGuitar File Format - 1.5".encode("utf-16-be"), "", "TuxGuitar"),
    (zipped("version.txt", "content.xml"), "", "TuxGuitar"),
    (b"", "song.ptb", "Power Tab"),
    (gzip.compress(b'{"version":8,"score":{}}'), "song.pt2", "Power Tab"),
    (gzip.compress(b'{"version":8,"score":{"score_info":{}}}'), "", "Power Tab"),
    (zipped("VERSION", "Content/score.gpif"), "", "Guitar Pro"),
    (zipped("project.xml", "metadata.xml"), "", ".dawproject"),
    (zipped("META-INF/container.xml", "score.xml"), "", "MusicXML"),
    (zipped("a.mid"), "", "a zip file"),
    (zipped("a"), "x.song", "Studio One"),
    (gzip.compress(b'<?xml version="1.0"?><Ableton MajorVersion="5">'), "", "Ableton Live"),
    (gzip.compress(b"MThd"), "", "gzip"),
    (b"\x1f\x8bbroken", "", "gzip"),
    (b"RIFF\0\0\0\0NUNDROOT", "", "Cubase"),
    (b"FLhd\6\0\0\0", "", "FL Studio"),
    (b'<REAPER_PROJECT 0.1 "7.0"', "", "REAPER"),
    (b'<?xml version="1.0"?><museScore version="4.0">', "", "MuseScore"),
    ("<score-partwise>".encode("utf-16"), "", "MusicXML"),
    (b"e|--3--2--|\nB|--------|", "", "tablature in letters"),
    (b"%PDF-1.7", "", "a PDF document"),
    (b"", "a.PTX", "Pro Tools"),
]


@pytest.mark.parametrize(
    ("head", "name", "what"), RECOGNISED, ids=[f"{what}-{at}" for at, (*_, what) in enumerate(RECOGNISED)]
)
def test_a_file_is_known_by_its_first_bytes_and_its_name(head: bytes, name: str, what: str) -> None:
    kind = foreign.recognised(head, name)
    assert kind is not None
    assert what in kind.what
    assert len(kind.advice) > 20


@pytest.mark.parametrize("name", ["song.gtp"])
def test_an_old_tab_says_which_program_makes_one_of_it_that_is_read(name: str) -> None:
    kind = foreign.recognised(b"", name)
    assert kind is not None
    assert not kind.suffixes
    assert "MIDI" in kind.advice
    assert ".gp" in kind.advice


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"Dear friend", "'Dear'"),
        (b"it's", '"it\'s"'),
        (b"\x1f\x8b\0\n", "the bytes 1f 8b 00 0a"),
        (b"x\xe9", "the bytes 78 e9"),
    ],
)
def test_the_beginning_of_a_file_is_told_as_letters_or_else_as_numbers(data: bytes, said: str) -> None:
    assert foreign.beginning(data) == said


@pytest.mark.parametrize("name", ["a.mid", "a.gp4", "a.gp", "a.gpx"])
def test_of_a_file_that_is_something_else_the_beginning_is_told_as_people_write_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"not what its name says")
    with pytest.raises(InputError, match="it begins with 'not") as caught:
        opening.open_song(path)
    assert "b'" not in str(caught.value)


@pytest.mark.parametrize("head", [b"", b"MThd\0\0\0\6", b"RIFF\0\0\0\0RMIDdata", b"Dear friend", bytes(100)])
def test_what_is_midi_or_unknown_is_not_named(head: bytes) -> None:
    assert foreign.recognised(head, "a.mid") is None


@pytest.mark.parametrize("name", ["song.gp5", "song.wav", "song.logicx"])
def test_midi_is_read_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(midi.serialise(strummed()))
    assert midi.read(path) == midi.parse(midi.serialise(strummed()))


def test_a_large_file_is_named_and_its_size_is_of_no_interest(tmp_path: Path) -> None:
    path = tmp_path / "take.aif"
    path.write_bytes(b"FORM\0\0\0\0AIFF" + bytes(2000))
    with pytest.raises(MidiError, match=r"take\.aif: this is an AIFF recording, not a MIDI file; ") as caught:
        foreign.read_file(path, 1000)
    assert not isinstance(caught.value, LimitError)
    path.write_bytes(bytes(2000))
    with pytest.raises(LimitError, match="larger than 1000 bytes"):
        foreign.read_file(path, 1000)


@pytest.mark.parametrize(
    ("head", "notation"),
    [
        (b"X:1\nK:C\n", True),
        (b"**kern\n4c\n", True),
        (b"<?xml version='1.0'?><score-partwise/>", True),
        (zipped("META-INF/container.xml", "score.xml"), True),
        (midi.serialise(strummed()), False),
        (b"RIFF\x24\x08\0\0WAVEfmt ", False),
        (b"", False),
    ],
)
def test_notation_is_told_from_what_is_read_at_once(head: bytes, notation: bool) -> None:
    assert foreign.is_notation(head) is notation


# --- what the page promises to read is installed with it, or it is said what is missing -------------------------------


def test_the_extra_of_the_page_brings_what_reads_tabs_and_recordings() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (own,) = [one for one in extra["page"] if one.startswith("seq2drum[")]
    brought = own.removeprefix("seq2drum[").removesuffix("]").split(",")
    assert {"server", "guitarpro", "audio"} <= set(brought)
    locked = (ROOT / "requirements" / "server.txt").read_text()
    assert all(f"\n{name}==" in locked for name in ("pyguitarpro", "defusedxml", "soundfile", "soxr"))


@pytest.mark.parametrize(
    ("there", "network", "missing"),
    [
        ({"guitarpro", "defusedxml", "soundfile", "soxr"}, True, {}),
        ({"guitarpro", "defusedxml", "soundfile", "soxr"}, False, {"recording": foreign.GET_NETWORK}),
        ({"guitarpro", "soundfile", "soxr"}, True, {"tab": foreign.GET_GUITARPRO}),
        (set(), False, {"tab": foreign.GET_GUITARPRO, "recording": f"{foreign.GET_AUDIO} && {foreign.GET_NETWORK}"}),
    ],
)
def test_what_cannot_be_read_is_told_with_the_command_that_changes_it(
    there: set[str], network: bool, missing: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "find_spec", lambda name: ModuleSpec(name, None) if name in there else None)
    monkeypatch.setattr(foreign, "network", lambda: ROOT if network else None)
    assert foreign.missing.__wrapped__() == missing


def test_without_basic_pitch_there_is_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_found(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", not_found)
    assert foreign.network() is None
