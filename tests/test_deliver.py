"""Exports are made of values: no command line is needed, and the same values give the same bytes."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from seq2drum.cli import exports
from seq2drum.deliver.export import EXPORTS, Played
from seq2drum.formats.midi import midi
from seq2drum.formats.score import musicxml
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Note, Part, Song
from seq2drum.music.theory import choose_parts
from seq2drum.play.options import Options
from seq2drum.play.session import PLAIN, Session
from seq2drum.play.take import TRACK_NAME, Take
from seq2drum.system import files

GUITAR = Part.of([Note(240 * at, 240, 40 + at % 12, 80) for at in range(64)], program=27, name="Guitar")
SONG = Song(480, (GUITAR,), length=8 * 1920)


def take() -> Take:
    notes = [Note(480 * at, 60, int(FULL.note_of[at % 2]), 100) for at in range(32)]
    part = Part.of(notes, name=TRACK_NAME, is_drums=True)
    return Take(SONG, part, choose_parts(SONG, None), Options(), midi.serialise(SONG))


def test_what_is_made_follows_the_values_and_the_suffix():
    plain, counted = (Played((take(),), "Riff", session) for session in (PLAIN, Session(count_in=2)))
    score = EXPORTS["score"].make(plain, ".musicxml")
    assert score == musicxml.write_score(SONG, take().standard_part, "Riff")
    assert EXPORTS["score"].make(plain, ".txt").startswith(b"Riff")
    assert EXPORTS["score"].make(counted, ".musicxml").count(b"<measure ") == score.count(b"<measure ") + 2
    project = EXPORTS["rpp"].make(Played((take(),), "Riff", Session(split=True, click=True)), ".rpp")
    assert all(name in project for name in (b'"Kick"', b'"Snare"', b'"Click"'))
    assert EXPORTS["rpp"].make(plain, ".rpp").count(b"<TRACK") < project.count(b"<TRACK")


def test_a_score_says_how_many_hits_it_merges(tmp_path, capsys):
    flam = Part.of([Note(tick, 20, 38, 90) for tick in (0, 30, 960, 1440, 1470)], name=TRACK_NAME, is_drums=True)
    for part, said in (
        (flam, "s.musicxml: 2 of 5 hits are not in the score: they are nearer than a sixteenth"),
        (None, ""),
    ):
        played = Played((replace(take(), part=part) if part else take(),), "Riff", PLAIN)
        exports.write("score", played, str(tmp_path / "s.musicxml"), files.writing, overwrite=True)
        err = capsys.readouterr().err
        assert said in err if said else not err
        exports.write("score", played, str(tmp_path / "s.txt"), files.writing, overwrite=True)
        assert capsys.readouterr().err == ""


def test_what_exports_are_made_of_stays_as_it_is():
    played: Any = Played((take(),), "Riff", PLAIN)
    with pytest.raises(FrozenInstanceError):
        played.title = "another"
