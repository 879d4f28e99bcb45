"""The command line shows a song: which files make it, what is drawn and printed."""

from __future__ import annotations

import argparse
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from seq2drum import midi
from seq2drum.cli import duets
from seq2drum.errors import InputError, OptionError, PartNotFoundError
from seq2drum.notes import Note, Part, Song
from tests.players import strummed

DRUMS = Part.of([Note(at, 60, 38, 90) for at in range(0, 7000, 480)], name="Old Kit", is_drums=True)
PIANOS = tuple(Part.of([Note(at, 200, 60, 90) for at in range(0, 7000, 960)], name=name) for name in ("Piano", "Organ"))
SONG = strummed()
BOTH = Song(480, (*SONG.parts, DRUMS), length=SONG.length)
ALONE = Song(480, (DRUMS,), length=7680)


def put(path: Path, song: Song) -> str:
    path.write_bytes(midi.serialise(song))
    return str(path)


def asked(*files: str, track: str | None = None, drum_map: str | None = None) -> argparse.Namespace:
    return argparse.Namespace(mode="show", files=list(files), track=track, drum_map=drum_map)


# --- which files ----------------------------------------------------------------------------------------------------


def test_one_file_gives_its_guitar_and_its_drums(tmp_path: Path) -> None:
    found = duets.read(asked(put(tmp_path / "song.mid", BOTH)))
    assert [part.name for part in found.guitars] == ["Guitar"]
    assert same(found.drums, DRUMS)


def same(one: Part, other: Part) -> bool:
    return one.rows[:, [0, 2, 3]].tolist() == other.rows[:, [0, 2, 3]].tolist()


def test_drums_that_were_made_for_a_song_get_its_guitar_and_that_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = put(tmp_path / "my song.mid", SONG)
    for name in ("my song.drums.mid", "my song.drums.3.mid", "my song.human.mid"):
        found = duets.read(asked(put(tmp_path / name, ALONE)))
        assert found.guitars == SONG.parts, name
        assert same(found.drums, DRUMS)
        assert capsys.readouterr().err == f"the guitar is that of {song}\n"


def test_drums_of_another_name_or_without_their_song_stay_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "song.mid", SONG)
    for name in ("kit.drums.mid", "song.kit.mid"):
        assert duets.read(asked(put(tmp_path / name, ALONE))).guitars == ()
    assert capsys.readouterr().err == ""


def test_a_song_beside_that_cannot_be_read_is_told_and_the_drums_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "song.mid").write_bytes(b"no music")
    assert same(duets.read(asked(put(tmp_path / "song.drums.mid", ALONE))).drums, DRUMS)
    assert "the drums alone: " in capsys.readouterr().err


def test_a_song_whose_guitar_cannot_be_told_is_shown_by_its_drums_with_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = put(tmp_path / "trio.mid", Song(480, (*PIANOS, DRUMS), length=7680))
    assert duets.read(asked(name)).guitars == ()
    told = capsys.readouterr().err
    assert "--track" in told
    assert told.startswith("the drums alone: ")
    assert [part.name for part in duets.read(asked(name, track="organ")).guitars] == ["Organ"]


def test_two_files_are_joined_in_either_order(tmp_path: Path) -> None:
    guitar, drums = put(tmp_path / "a.mid", SONG), put(tmp_path / "b.mid", ALONE)
    for names in ((guitar, drums), (drums, guitar)):
        found = duets.read(asked(*names))
        assert found.guitars == SONG.parts
        assert same(found.drums, DRUMS)


def test_a_drum_map_says_what_the_notes_are(tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text('{"cowbell": 38, "snare": 90}')
    name = put(tmp_path / "song.mid", ALONE)
    assert set(duets.read(asked(name, drum_map=str(mine))).drums.pitch.tolist()) == {56}


def test_a_dash_is_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(midi.serialise(BOTH))))
    found = duets.read(asked("-"))
    assert len(found.guitars) == 1
    assert same(found.drums, DRUMS)


def test_what_cannot_be_one_song_is_told(tmp_path: Path) -> None:
    guitar, drums = put(tmp_path / "a.mid", SONG), put(tmp_path / "b.mid", ALONE)
    nowhere = str(tmp_path / "nowhere.mid")
    for names, track, error, told in (
        ([], None, OptionError, "wants a song"),
        ([guitar, drums, drums], None, OptionError, "found 3 files"),
        ([str(tmp_path)], None, OptionError, "is a folder"),
        ([guitar, guitar], None, InputError, "none has drums"),
        ([drums, drums], None, InputError, "none has a guitar"),
        ([nowhere], None, InputError, "nowhere.mid"),
        (["x" * 5000], None, InputError, "xxx"),
        ([guitar], "banjo", PartNotFoundError, "banjo"),
    ):
        with pytest.raises(error, match=told):
            duets.read(asked(*names, track=track))


@pytest.mark.parametrize(
    ("name", "title"),
    [("a/blues.mid", "blues"), ("a/blues.drums.2.mid", "blues"), ("v1.2 blues.mid", "v1.2 blues"), ("-", "")],
)
def test_a_picture_is_called_as_the_song_is(name: str, title: str) -> None:
    assert duets.title(asked(name)) == title
