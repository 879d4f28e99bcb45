"""MIDI through music21's streams: the same values as by symusic, but for notes of one pitch that overlap."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from seq2drum.cli import main
from seq2drum.errors import MidiError
from seq2drum.formats.midi import midi, streams
from seq2drum.formats.opening import open_song
from seq2drum.music.choices import MUSIC21
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from tests.conftest import ROOT
from tests.strategies import songs

pytest.importorskip("music21")

EXAMPLES = sorted((ROOT / "examples").rglob("*.mid"))
FUNK = ROOT / "examples" / "funk.mid"


def without_durations(song: Song) -> Song:
    parts = [Part.of([note._replace(duration=0) for note in part], program=part.program) for part in song.parts]
    about = [(part.name, part.is_drums, part.is_xg) for part in song.parts]
    named = [
        replace(part, name=name, is_drums=is_drums, is_xg=is_xg)
        for part, (name, is_drums, is_xg) in zip(parts, about, strict=True)
    ]
    return replace(song, parts=tuple(named))


def both(*parts: Part, **more) -> tuple[Song, Song]:
    data = midi.serialise(Song(480, parts, length=max(part.end for part in parts), **more))
    return midi.parse(data), streams.parse(data)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_the_same_values_by_both_readers(path: Path) -> None:
    assert streams.parse(path.read_bytes()) == midi.parse(path.read_bytes())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(songs(max_parts=6, max_notes=12))
def test_any_song_has_the_same_values_but_durations(song: Song) -> None:
    data = midi.serialise(song)
    assert without_durations(streams.parse(data)) == without_durations(midi.parse(data))


def test_notes_a_tick_apart_and_drums_without_a_name_stay_as_they_are() -> None:
    strum = Part.of([Note(0, 478, 40, 90), Note(1, 478, 47, 80), Note(1, 479, 52, 70), Note(1, 479, 52, 71)])
    drums = Part.of([Note(0, 1, 27, 90), Note(1, 3, 91, 80), Note(1, 3, 36, 70)], is_drums=True, name="Kit")
    ours, theirs = both(strum, drums, tempos=(Tempo(0, 491_803), Tempo(7, 500_001)), metres=(Metre(0, 7, 8),))
    assert theirs == ours


def test_a_program_that_changes_within_a_note_splits_a_track_as_it_does_by_symusic() -> None:
    events = b"\x00\xc0\x18\x00\x90\x3c\x40\x60\xc0\x1d\x00\x90\x40\x40\x60\x80\x3c\x00\x60\x80\x40\x00"
    body = b"\x00\xff\x03\x05Solo\xe9" + events + b"\x00\xff\x2f\x00"
    data = b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x00\x60MTrk" + len(body).to_bytes(4, "big") + body
    song = streams.parse(data)
    assert song == midi.parse(data)
    assert [(part.program, part.name) for part in song.parts] == [(24, "Solo\xe9"), (29, "Solo\xe9")]


def test_of_two_notes_of_one_pitch_that_overlap_both_end_with_the_first() -> None:
    ours, theirs = both(Part.of([Note(0, 480, 60, 90), Note(240, 480, 60, 80), Note(240, 480, 64, 80)]))
    assert [note.duration for note in ours.parts[0]] == [480, 480, 480]
    assert [note.duration for note in theirs.parts[0]] == [480, 240, 480]


def test_what_cannot_be_read_is_refused_in_the_same_words() -> None:
    with pytest.raises(MidiError) as ours:
        midi.parse(b"MThd")
    with pytest.raises(MidiError) as theirs:
        streams.parse(b"MThd")
    assert str(ours.value) == str(theirs.value)


@pytest.mark.slow
def test_real_songs_have_the_same_values_but_durations(sample: list[Path]) -> None:
    for path in sample[:8]:
        data = path.read_bytes()
        assert without_durations(streams.parse(data)) == without_durations(midi.parse(data)), path.name


# --- as a door --------------------------------------------------------------------------------------------------------


def test_a_take_to_a_song_by_music21_keeps_the_rest_of_the_file(tmp_path: Path) -> None:
    assert open_song(FUNK, reader=MUSIC21).midi == FUNK.read_bytes()
    out = {name: tmp_path / f"{name}.mid" for name in ("symusic", "music21")}
    for name, path in out.items():
        assert main([str(FUNK), "--reader", name, "--with-guitar", "-o", str(path)]) == 0
    assert out["music21"].read_bytes() == out["symusic"].read_bytes()


def test_songs_are_prepared_by_music21_to_the_same_bytes_in_a_file_of_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    songs = [str(path) for path in EXAMPLES if path.parent.name == "training"][:3]
    for more in ([], ["--reader", "music21"]):
        assert main(["--mode", "prepare", "--data", *songs, "--workers", "1", *more]) == 0
    one, other = (tmp_path / "cache").iterdir()
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("words", [[str(FUNK), "--bpm", "100"], [str(FUNK), "--follow"]])
def test_a_reader_goes_with_the_beats_of_the_file_alone(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--reader", "music21", "-o", "-"]) == 2
    assert "--reader music21 takes the beats of the file" in capsys.readouterr().err


def test_shards_are_not_read_by_music21(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--mode", "prepare", "--data", str(FUNK), "--data-out", str(tmp_path / "s"), "--reader", "music21"]
    assert main(words) == 2
    assert "too slow for shards" in capsys.readouterr().err


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


def test_without_music21_the_reader_says_what_to_do(tmp_path: Path) -> None:
    words = [str(FUNK), "--reader", "music21", "-o", str(tmp_path / "x.mid")]
    done = run(f"import sys; sys.modules['music21'] = None; from seq2drum.cli import main; sys.exit(main({words}))")
    assert done.returncode == 2 and "pip install music21" in done.stderr and "Traceback" not in done.stderr


def test_music21_is_imported_only_for_its_reader(tmp_path: Path) -> None:
    words = [str(FUNK), "-o", str(tmp_path / "x.mid")]
    done = run(f"import sys; from seq2drum.cli import main; main({words}); sys.exit('music21' in sys.modules)")
    assert done.returncode == 0, done.stderr
