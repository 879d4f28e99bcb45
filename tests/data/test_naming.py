"""Drums that only their names tell: which words mean which piece, and what becomes of their notes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum.data.corpus import reading
from seq2drum.data.corpus.copies import Candidate
from seq2drum.data.corpus.parquet import Row
from seq2drum.data.corpus.reading import RULES, bpm_of, named_drums, piece_of, piece_of_file, read_song
from seq2drum.data.drums import beats, loops
from seq2drum.formats.midi import midi
from seq2drum.music.kit import FULL, NINE
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from tests.players import strummed


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("01_Kick", "kick"),
        ("Hi_Hat 2", "closed hat"),
        ("HiHat03", "closed hat"),
        ("snare_85bpm", "snare"),
        ("Snare85", "snare"),
        ("SNARE ROLL", "snare"),
        ("Open_Hi-Hat", "open hat"),
        ("hat open 4", "open hat"),
        ("OHH_1", "open hat"),
        ("HH-closed", "closed hat"),
        ("hh pedal", "pedal hat"),
        ("Bass Drum", "kick"),
        ("bd-12", "kick"),
        ("Floor Tom", "low tom"),
        ("Tom1", "high tom"),
        ("tom_02", "mid tom"),
        ("Toms", "mid tom"),
        ("Ride Bell", "bell"),
        ("ride", "ride"),
        ("Crash 16 inch", "crash"),
        ("Rimshot", "side stick"),
        ("Clap_90", "clap"),
        ("cowbell", "cowbell"),
        ("Bass", None),
        ("Piano", None),
        ("Shatter", None),
        ("What a ballad", None),
        ("", None),
    ],
)
def test_a_name_means_a_piece(name: str, piece: str | None) -> None:
    assert piece_of(name) == piece


def test_every_rule_is_for_a_piece_of_the_kit() -> None:
    assert {piece for piece, _ in RULES} <= set(FULL.names)


def test_a_file_is_named_by_itself_and_else_by_the_folder_around_it() -> None:
    assert piece_of_file("loops/Kicks/03.mid") == "kick"
    assert piece_of_file("loops/Kicks/03_snare.mid") == "snare"
    assert piece_of_file("loops/03.mid") is None


def test_a_name_says_a_tempo() -> None:
    names = ("a/snare_85bpm.mid", "hat 97.5 BPM.mid", "kick 85.mid", "x_0bpm.mid", "00bpm")
    assert [bpm_of(name) for name in names] == [85.0, 97.5, None, None, None]


def struck(*ticks: int, pitch: int = 60, name: str = "", is_drums: bool = False) -> Part:
    return Part.of([Note(tick, 100, pitch, 90) for tick in ticks], name=name, is_drums=is_drums)


def test_parts_of_any_note_and_channel_become_one_kit() -> None:
    song = Song(480, (struck(0, 960, name="Kick"), struck(480, pitch=72, name="My Snare"), struck(0, name="Piano")))
    drums = named_drums(song)
    assert drums is not None and drums.is_drums
    assert sorted(zip(drums.onset.tolist(), drums.pitch.tolist(), strict=True)) == [(0, 36), (480, 38), (960, 36)]


def test_a_part_without_a_name_is_what_its_file_is_called() -> None:
    for part in (struck(0, 480, pitch=24), struck(0, 480, pitch=60, is_drums=True)):
        drums = named_drums(Song(480, (part,)), "kit/Hi_Hat 2.mid")
        assert drums is not None and set(drums.pitch.tolist()) == {42}


def test_a_kit_on_channel_10_stays_and_one_name_alone_is_not_believed() -> None:
    kit = Part.of([Note(0, 10, 36, 90), Note(0, 10, 38, 90)], is_drums=True)
    assert named_drums(Song(480, (kit,)), "kit/hats.mid") is None
    assert named_drums(Song(480, (struck(0, name="Ride"),))) is None
    assert named_drums(Song(480, (struck(0, name="Guitar"),)), "kit/song.mid") is None
    tune = Part.of([Note(at * 480, 10, 60 + at, 90) for at in range(12)])
    assert named_drums(Song(480, (tune,)), "Hats off.mid") is None
    assert named_drums(Song(480, (struck(0), struck(0, pitch=50))), "Hats off.mid") is None


def test_a_song_whose_drums_are_tracks_of_their_own_can_be_learnt_from() -> None:
    song = strummed()
    beat = {"Kick": 0, "Snare": 480, "Hi Hat": 240}
    tracks = [struck(*range(at, song.length, 960), name=name) for name, at in beat.items()]
    data = midi.serialise(replace(song, parts=(*song.parts, *tracks)))
    read = read_song(Row("songs/song.mid", "", data, "", ""))
    assert isinstance(read, Candidate)
    assert read.said.drum_notes == sum(map(len, tracks)) and read.said.outside_kit == 0


def test_a_folder_of_named_loops_becomes_bars_and_new_loops(tmp_path: Path) -> None:
    made = {"01_Kick": (0, 960), "02_Kick_85bpm": (0, 720), "snare": (480, 1440), "Hi_Hat 2": range(0, 1920, 240)}
    for name, ticks in made.items():
        part = struck(*(tick + bar * 1920 for bar in range(2) for tick in ticks), name="track")
        tempos = () if "bpm" in name else (Tempo(0, round(60e6 / 85)),)
        song = Song(480, (part,), tempos, (Metre(0, 4, 4),), 3840)
        (tmp_path / f"{name}.mid").write_bytes(midi.serialise(song))
    read = beats.read([tmp_path])
    assert len(read.names) == 4
    voices = {NINE.names[np.flatnonzero(bar.any(axis=0))[0]] for bar in read.velocity}
    assert voices == {"kick", "snare", "closed hat"}
    assert set(read.bpm.round(2)) == {85.0}
    train = read._replace(side=np.zeros_like(read.side))
    assert not len(loops.whole(train).number)
    new = loops.combined(train, 10, np.random.default_rng(0))
    assert new.loops == 2
    assert (new.beats.velocity > 0).any(axis=(0, 1)).sum() == 3
    assert len(loops.whole(new.beats).number) == 4


def test_names_are_split_at_capitals_digits_and_signs() -> None:
    assert reading.piece_of("MyKickDrum") == "kick"
    assert reading.piece_of("loop-snare(old)") == "snare"
