"""Drum maps: a sampler's notes, the way back, and what is said of a map that makes no sense."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from seq2drum.errors import OptionError
from seq2drum.music import drum_maps
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Note, Part, Song

PIECES = Part.of(
    [Note(10 * at, 5, int(note), 100 - at) for at, note in enumerate(FULL.note_of)], name="Kit", is_drums=True
)
SAMPLERS = tuple(name for name in drum_maps.names() if name != "gm")


def own(tmp_path: Path, notes: object) -> drum_maps.DrumMap:
    path = tmp_path / "mine.json"
    path.write_text(notes if isinstance(notes, str) else json.dumps(notes), encoding="utf-8")
    return drum_maps.load(path)


def hits(*rows: tuple[int, int, int]) -> Part:
    """(tick, pitch, velocity)."""
    return Part.of([Note(tick, 5, pitch, velocity) for tick, pitch, velocity in rows], is_drums=True)


def test_general_midi_is_the_first_map_and_changes_nothing() -> None:
    assert drum_maps.names()[0] == "gm"
    every = hits(*((10 * note, note, 64) for note in range(128)))
    assert drum_maps.load("gm").apply(every) == every
    assert drum_maps.load("gm").read(every) == every


def test_a_samplers_notes_are_those_its_maker_publishes() -> None:
    kick_snare_hat_crash_ride = hits((0, 36, 90), (1, 38, 90), (2, 42, 90), (3, 49, 90), (4, 51, 90), (5, 37, 90))
    moved = drum_maps.load("addictive-drums-2").apply(kick_snare_hat_crash_ride)
    assert moved.pitch.tolist() == [36, 38, 49, 77, 60, 42]
    toms = hits((0, 43, 90), (1, 47, 90), (2, 50, 90))
    assert drum_maps.load("avl-drumkits").apply(toms).pitch.tolist() == [41, 45, 47]


@pytest.mark.parametrize("name", SAMPLERS)
def test_only_pitches_change_and_pieces_that_are_not_there_are_left_out(name: str) -> None:
    drum_map = drum_maps.load(name)
    there = np.array([bool(notes) for notes in drum_map.notes])
    assert 0 < there.sum() < len(FULL)
    moved = drum_map.apply(PIECES)
    kept = PIECES.rows[there]
    assert np.array_equal(moved.rows[:, [0, 1, 3]], kept[:, [0, 1, 3]])
    assert moved.pitch.tolist() == [notes[0] for notes in drum_map.notes if notes]
    assert (moved.name, moved.program, moved.is_drums) == ("Kit", 0, True)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_map_that_is_one_to_one_is_undone_by_reading(name: str) -> None:
    drum_map = drum_maps.load(name)
    written = [notes[0] for notes in drum_map.notes if notes]
    assert len(set(written)) == len(written)
    pieces = Part.of(PIECES.rows[[bool(notes) for notes in drum_map.notes]], name="Kit", is_drums=True)
    assert drum_map.read(drum_map.apply(pieces)) == pieces


@pytest.mark.parametrize("name", SAMPLERS)
def test_no_two_voices_of_a_sampler_share_a_note(name: str) -> None:
    notes = [note for own in drum_maps.load(name).notes for note in own]
    assert len(set(notes)) == len(notes)


def test_a_samplers_other_strokes_are_read_as_the_same_voice() -> None:
    read = drum_maps.load("addictive-drums-2").read(hits((0, 37, 90), (1, 54, 90), (2, 81, 90)))
    assert read.pitch.tolist() == [38, 46, 49]


def test_every_sampler_says_whom_it_is_for_and_where_its_notes_come_from() -> None:
    for entry in drum_maps._table("drum_maps.json").values():
        assert set(entry) == {"for", "source", "notes"}
        assert set(entry["notes"]) in (set(), {voice.name for voice in FULL.voices})


def test_a_file_of_ones_own_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    drum_map = own(tmp_path, {"kick": 24, "closed hat": [60, 61], "clap": None})
    part = hits((0, 36, 90), (10, 35, 90), (20, 40, 90), (30, 42, 90), (40, 39, 90), (50, 27, 90))
    assert drum_map.apply(part).pitch.tolist() == [24, 24, 40, 60, 27]
    assert drum_map.read(hits((0, 24, 90), (10, 61, 90), (20, 40, 90), (30, 27, 90))).pitch.tolist() == [36, 42, 40, 27]


def test_of_two_hits_on_one_note_at_one_tick_the_louder_stays(tmp_path: Path) -> None:
    drum_map = own(tmp_path, {"low tom": 45, "mid tom": 45})
    part = hits((0, 43, 60), (0, 47, 80), (10, 43, 70), (10, 47, 50), (20, 43, 1))
    assert drum_map.apply(part) == hits((0, 45, 80), (10, 45, 70), (20, 45, 1))


def test_a_note_that_voices_share_is_read_as_the_first_of_them(tmp_path: Path) -> None:
    assert own(tmp_path, {"low tom": 45, "mid tom": 45}).read(hits((0, 45, 60))).pitch.tolist() == [43]


def test_what_a_voice_is_written_as_goes_before_what_another_is_read_as(tmp_path: Path) -> None:
    drum_map = own(tmp_path, {"kick": [24, 26], "snare": 26})
    assert drum_map.read(drum_map.apply(hits((0, 36, 9), (1, 38, 9)))).pitch.tolist() == [36, 38]


def test_an_empty_part_stays_empty() -> None:
    empty = Part.of([], is_drums=True)
    for name in drum_maps.names():
        assert drum_maps.load(name).apply(empty) == empty
        assert drum_maps.load(name).read(empty) == empty


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "no JSON file"),
        ("[36]", "should be a table"),
        ('{"kik": 36}', "'kik'; did you mean 'kick'?"),
        ('{"xylophone": 36}', "there are kick, snare"),
        ('{"kick": 128}', "128 for 'kick'"),
        ('{"kick": -1}', "0 to 127"),
        ('{"kick": "36"}', "\"36\" for 'kick'"),
        ('{"kick": true}', "true for 'kick'"),
        ('{"kick": [36, 3.5]}', "3.5 for 'kick'"),
        ("[" * 100_000, "no JSON file"),
    ],
)
def test_a_file_that_is_not_a_drum_map_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(OptionError) as error:
        own(tmp_path, content)
    assert message in str(error.value)
    assert "mine.json" in str(error.value)


def test_an_unknown_map_is_refused_with_the_names_of_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"no drum map 'bfd'; there are gm, .*FILE\.json"):
        drum_maps.load("bfd")
    with pytest.raises(OptionError, match="No such file"):
        drum_maps.load(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="no JSON file"):
        drum_maps.load(tmp_path / "bytes.json")


def drums(*pitches: int, program: int = 0, is_xg: bool = False) -> Part:
    notes = [Note(10 * at, 5, pitch, 90) for at, pitch in enumerate(pitches)]
    return Part.of(notes, program=program, is_drums=True, is_xg=is_xg)


@pytest.mark.parametrize(
    ("program", "is_xg", "written", "meant"),
    [
        (40, False, (38, 39, 40, 42), (38, 38, 38, 42)),  # tap, slap and swirl
        (40, True, (39, 31, 27), (39, 38, 38)),
        (0, True, (28, 34, 26, 31), (38, 38, 38, 31)),
        (48, False, (27, 28, 29, 30, 38, 57, 39), (42, 44, 46, 51, 38, 49, 76)),
        (25, False, (44, 42, 36), (42, 42, 36)),
    ],
)
def test_the_program_of_drums_says_what_their_notes_are(
    program: int, is_xg: bool, written: tuple[int, ...], meant: tuple[int, ...]
) -> None:
    read = drum_maps.load("gm").read(drums(*written, program=program, is_xg=is_xg))
    voices = [FULL.names[voice] for voice in FULL.voice_of[read.pitch]]
    assert voices == [FULL.names[voice] for voice in FULL.voice_of[list(meant)]]
    assert drum_maps.load("gm").read(read) == read


def test_timpani_are_no_pieces_of_the_kit() -> None:
    timpani = drums(36, 41, 42, 49, 53, program=48)
    assert drum_maps.load("gm").voices(timpani).tolist() == [0, -1, -1, -1, -1]
    read = drum_maps.load("gm").read(timpani)
    assert (read.pitch.tolist(), read.program) == ([36], 0)


def test_a_program_that_is_no_kit_of_the_table_is_the_standard_kit() -> None:
    every = drums(*range(128), program=8)
    assert drum_maps.load("gm").read(every) == every


def test_brushes_have_no_clap_to_be_written_on() -> None:
    written = drum_maps.load("gm").apply(drums(36, 38, 39, 42, program=drum_maps.BRUSHES))
    assert (written.pitch.tolist(), written.program) == ([36, 38, 42], drum_maps.BRUSHES)


@pytest.mark.parametrize("name", [*drum_maps._table("drum_kits.json")])
def test_a_kit_by_program_is_undone_by_reading(name: str) -> None:
    row = drum_maps._table("drum_kits.json")[name]
    for program in row["programs"]:
        part = drums(*FULL.note_of, program=program, is_xg=row["xg"])
        written = drum_maps.load("gm").apply(part)
        voices = drum_maps.load("gm").voices(written).tolist()
        there = [voice for voice, notes in enumerate(drum_maps.kit_of(program, xg=row["xg"]).notes) if notes]
        shared = {FULL.names.index("pedal hat")} if name == "analog" else set()  # which has a second closed hat there
        assert set(there) - set(voices) == shared
        assert set(voices) <= set(there)


def song(*parts: Part) -> Song:
    return Song(480, parts, length=1920)


def test_new_drums_are_played_on_the_songs_own_kit_where_it_is_a_drum_set() -> None:
    gm = drum_maps.load("gm")
    assert gm.kit_to_play(song()) == (0, False)
    assert gm.kit_to_play(song(drums(36, 38, program=16), drums(36, program=40))) == (16, False)
    assert gm.kit_to_play(song(drums(36, 38, program=48))) == gm.kit_to_play(song(drums(36, program=1))) == (0, False)
    assert gm.kit_to_play(song(drums(36, 38, program=48)), stays=True) == (48, False)
    assert gm.kit_to_play(song(drums(36, 38, program=16)), brushes=True) == (40, False)
    assert drum_maps.load("addictive-drums-2").kit_to_play(song(drums(36, program=40)), brushes=True) == (0, False)
