from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2drum.cli import speakers
from seq2drum.formats.midi import midi
from seq2drum.lattice.grooves.grooves import looped, of_json
from seq2drum.music.duet import Duet
from seq2drum.play.grooves.book import Book
from seq2drum.show import sound
from tests.commands import called

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SONG = EXAMPLES / "training" / "rock_riff_1.mid"
WAV = b"RIFF" + bytes(44_140)


@pytest.fixture
def grooves(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: object) -> tuple[int, str, str]:
        return called(["--mode", "grooves", *map(str, words)], capsys)

    return run


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Duet]:
    """Collects the rendered duets, without sound."""
    duets: list[Duet] = []

    def wav(duet: Duet, **given: object) -> bytes:
        duets.append(duet)
        return WAV

    monkeypatch.setattr(sound, "wav", wav)
    monkeypatch.setattr(sound, "check", lambda soundfont: None)
    return duets


def test_all_grooves_are_listed_a_line_each(grooves) -> None:
    code, out, err = grooves()
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [groove.name for groove in Book.load()]
    assert f"{len(Book.load())} grooves" in err


def test_a_style_a_metre_and_words_choose_among_them(grooves) -> None:
    names = [line.split()[0] for line in grooves("--style", "reggae")[1].splitlines()]
    assert names == [groove.name for groove in Book.load() if groove.style == "reggae"]
    assert {line.split()[1] for line in grooves("--metre", "7/8")[1].splitlines()} == {"7/8"}
    found = grooves("ride", "half", "time", "--metre", "4/4")[1].splitlines()
    assert found and all("half-time" in line and "ride" in line for line in found)


def test_a_metre_that_no_song_has_gets_composed_grooves(grooves) -> None:
    code, out, _ = grooves("--metre", "17/16")
    assert code == 0 and len(out.splitlines()) >= 4


def test_json_has_a_line_for_each_groove(grooves) -> None:
    rows = [json.loads(line) for line in grooves("--style", "metal", "--json")[1].splitlines()]
    assert {"metal-gallop", "metal-blast"} <= {row["name"] for row in rows}
    assert {row["style"] for row in rows} == {"metal"}
    assert all(set(row) == {"name", "title", "metre", "style", "tempo"} for row in rows)


def test_one_groove_is_drawn(grooves) -> None:
    code, out, err = grooves("One Drop")
    assert (code, err) == (0, "")
    assert out.startswith("one-drop: one drop, hat\n4/4, reggae, 60 to 90 quarters a minute\n\n")
    assert "side stick│┊   ┊   ●   ┊   │" in out


def test_one_groove_as_json_has_its_hits(grooves) -> None:
    assert of_json(json.loads(grooves("one-drop", "--json")[1])) == Book.load()["one-drop"]


def test_one_groove_is_fitted_to_a_metre(grooves) -> None:
    assert "7/8 (2+2+3)" in grooves("rock-hat", "--metre", "7/8")[1]


def test_a_groove_is_taken_from_the_drums_of_a_file(grooves) -> None:
    one, some = (grooves(f"{SONG}{bars}")[1] for bars in (":3", ":3-4"))
    assert "snare│┊   ●   ┊   ●   │" in one and one.count("│") < some.count("│")


def test_of_a_file_of_drums_alone_the_typical_groove_is_drawn(grooves, tmp_path: Path) -> None:
    path = tmp_path / "loop.mid"
    path.write_bytes(midi.serialise(looped(Book.load()["half-time-rock-ride"])))
    assert grooves(path)[1].splitlines()[0] == "half-time-ride-kick-1-2-and-4-and: half-time, ride, kick 1 2& 4&"


def test_ten_grooves_are_offered_for_a_song_the_one_that_fits_best_first(grooves) -> None:
    code, out, err = grooves(EXAMPLES / "waltz.mid")
    assert code == 0 and "10 grooves" in err
    fits = [float(line.split()[0]) for line in out.splitlines()]
    assert len(fits) == 10 and fits == sorted(fits, reverse=True) and 0 < fits[-1] <= fits[0] <= 1
    rows = [json.loads(line) for line in grooves(EXAMPLES / "waltz.mid", "--json")[1].splitlines()]
    assert [row["name"] for row in rows] == [line.split()[1] for line in out.splitlines()]
    assert {row["metre"] for row in rows} == {"3/4"} and all(row["fit"] > 0 for row in rows)


def test_grooves_of_a_style_are_offered_for_a_song(grooves) -> None:
    rows = [json.loads(line) for line in grooves(EXAMPLES / "funk.mid", "--style", "reggae", "--json")[1].splitlines()]
    assert rows and {row["style"] for row in rows} == {"reggae"}


def test_four_bars_are_written_as_midi(grooves, tmp_path: Path) -> None:
    path = tmp_path / "loop.mid"
    code, out, _ = grooves("bossa-side-stick", "-o", path)
    assert code == 0 and "bossa nova" in out
    song = midi.read(path)
    assert len(song.bars()) == 4 and song.parts[0].is_drums
    code, _, err = grooves("bossa-side-stick", "-o", path)
    assert code == 2 and "exists already" in err
    assert grooves("one-drop", "-o", path, "--force")[0] == 0
    assert len(midi.read(path).parts[0]) < len(song.parts[0])


def test_a_file_that_a_groove_is_from_is_not_written_over(grooves, tmp_path: Path) -> None:
    path = tmp_path / "beat.mid"
    path.write_bytes(SONG.read_bytes())
    code, _, err = grooves(f"{path}:3", "-o", path, "--force")
    assert code == 2 and "would be written over" in err and path.read_bytes() == SONG.read_bytes()


def test_it_is_heard_from_the_loudspeakers_and_from_a_file(grooves, heard, tmp_path, monkeypatch) -> None:
    played = []
    monkeypatch.setattr(speakers, "players", lambda: [["player"]])
    monkeypatch.setattr(speakers, "play", lambda data, programs: played.append((data, programs)))
    assert grooves("house", "--play")[0] == 0
    assert played == [(WAV, [["player"]])]
    assert grooves("house", "--wav", tmp_path / "a.wav")[0] == 0
    assert (tmp_path / "a.wav").read_bytes() == WAV and len(played) == 1
    assert len(heard) == 2 and len(heard[0].song.bars()) == 4 and len(heard[0].drums)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["one-dorp"], "did you mean one-drop"),
        (["--style", "polka"], "no style 'polka'"),
        (["--metre", "4/5"], "such as 7/8"),
        (["--metre", "four"], "such as 7/8"),
        (["qqq", "--style", "rock"], "no groove with 'qqq' rock"),
        (["-o", "x.mid"], "for one groove"),
        (["half-time", "--play"], "for one groove"),
        (["house", "-o", "x.wav"], "writes .mid"),
        (["house", "--wav", "x.mid"], "writes .wav"),
        (["none.mid"], "none.mid does not exist"),
        (["none.mid:x"], "wanted FILE:BAR"),
        (["score.musicxml"], "score.musicxml does not exist"),
        ([EXAMPLES / "funk.mid", "--play"], "for one groove"),
        ([EXAMPLES / "funk.mid", "--metre", "3/4"], "the song is in 4/4"),
        ([EXAMPLES / "seven_eight.mid", "--style", "jazz"], "no groove of style jazz in 7/8"),
        ([EXAMPLES / "funk.mid", "--track", "9"], "track"),
        ([f"{SONG}:999"], "the file has bars 1 to"),
        (["house", "--drum-map", "nothing"], "no drum map"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(grooves, words: list[object], says: str) -> None:
    code, out, err = grooves(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err
