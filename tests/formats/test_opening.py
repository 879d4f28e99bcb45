"""Any file: which reader it is given to."""

from __future__ import annotations

import io
import os
import threading
import zipfile

import pytest

from seq2drum.errors import InputError, LimitError, MidiError
from seq2drum.formats.midi import midi
from seq2drum.formats.opening import KINDS, kind_of, open_song
from seq2drum.music.limits import DEFAULT_LIMITS, OPENED_SUFFIXES, SCORE_LIMITS
from seq2drum.music.notes import Note, Part, Song

SONG = Song(480, (Part.of([Note(0, 480, 52, 90)], program=27, name="Guitar"),), length=1920)
MUSICXML = b"""<?xml version="1.0"?><score-partwise><part-list><score-part id="P1"><part-name>Guitar</part-name>
</score-part></part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions></attributes><note>
<pitch><step>E</step><octave>3</octave></pitch><duration>4</duration></note></measure></part></score-partwise>"""


def test_the_kinds_have_all_suffixes_that_are_told() -> None:
    assert tuple(suffix for kind in KINDS for suffix in kind.suffixes) == OPENED_SUFFIXES


def test_the_first_bytes_win_over_the_name(tmp_path) -> None:
    path = tmp_path / "song.xml"
    path.write_bytes(midi.serialise(SONG))
    opened = open_song(path)
    assert opened == (SONG, path.read_bytes())


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
    with pytest.raises(MidiError, match="this is no MIDI file"):
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


def test_each_kind_has_its_own_limit_of_size(tmp_path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"MThd" + bytes(DEFAULT_LIMITS.file_bytes))
    with pytest.raises(LimitError, match=f"larger than {DEFAULT_LIMITS.file_bytes} bytes"):
        open_song(large)
    large.write_bytes(MUSICXML + bytes(SCORE_LIMITS.file_bytes))
    with pytest.raises(LimitError, match=f"larger than {SCORE_LIMITS.file_bytes} bytes"):
        open_song(large)


def test_a_file_that_is_not_there_is_told_by_what_it_would_have_been(tmp_path) -> None:
    with pytest.raises(InputError, match="does not exist; give the path of a MusicXML file"):
        open_song(tmp_path / "none.mxl")
