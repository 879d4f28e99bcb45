"""The command line shows a song: which files make it, what is drawn and printed."""

from __future__ import annotations

import argparse
import io
import os
import pty
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from seq2drum import cli
from seq2drum.cli import duets
from seq2drum.errors import InputError, OptionError, PartNotFoundError
from seq2drum.formats.drum_picture import write_drum_picture
from seq2drum.formats.midi import midi
from seq2drum.lattice.patterns import picture_of
from seq2drum.music import duet, song_plan
from seq2drum.music.notes import Note, Part, Song
from seq2drum.show import console, draw
from tests.conftest import ROOT
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


# --- which files ------------------------------------------------------------------------------------------------------


def test_one_file_gives_its_guitar_and_its_drums(tmp_path: Path) -> None:
    shown = duets.read(asked(put(tmp_path / "song.mid", BOTH)))
    assert [part.name for part in shown.guitars] == ["Guitar"]
    assert same(shown.drums, DRUMS)


def same(one: Part, other: Part) -> bool:
    return one.rows[:, [0, 2, 3]].tolist() == other.rows[:, [0, 2, 3]].tolist()


def test_generated_drums_are_shown_with_the_guitar_of_their_song_and_a_line_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = put(tmp_path / "my song.mid", SONG)
    for name in ("my song.drums.mid", "my song.drums.3.mid", "my song.human.mid"):
        shown = duets.read(asked(put(tmp_path / name, ALONE)))
        assert shown.guitars == SONG.parts, name
        assert same(shown.drums, DRUMS)
        assert capsys.readouterr().err == f"the guitar is that of {song}\n"


def test_drums_without_a_song_of_the_same_name_are_shown_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "song.mid", SONG)
    for name in ("kit.drums.mid", "song.kit.mid"):
        assert duets.read(asked(put(tmp_path / name, ALONE))).guitars == ()
    assert capsys.readouterr().err == ""


def test_an_unreadable_song_beside_the_drums_is_reported_and_the_drums_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "song.mid").write_bytes(b"no music")
    assert same(duets.read(asked(put(tmp_path / "song.drums.mid", ALONE))).drums, DRUMS)
    assert "the drums alone: " in capsys.readouterr().err


def test_a_song_whose_guitar_is_ambiguous_is_shown_by_its_drums_and_a_line_names_track(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = put(tmp_path / "trio.mid", Song(480, (*PIANOS, DRUMS), length=7680))
    assert duets.read(asked(name)).guitars == ()
    err = capsys.readouterr().err
    assert "--track" in err
    assert err.startswith("the drums alone: ")
    assert [part.name for part in duets.read(asked(name, track="organ")).guitars] == ["Organ"]


def test_two_files_are_joined_in_either_order(tmp_path: Path) -> None:
    guitar, drums = put(tmp_path / "a.mid", SONG), put(tmp_path / "b.mid", ALONE)
    for names in ((guitar, drums), (drums, guitar)):
        shown = duets.read(asked(*names))
        assert shown.guitars == SONG.parts
        assert same(shown.drums, DRUMS)


def test_a_drum_map_translates_the_notes(tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text('{"cowbell": 38, "snare": 90}')
    name = put(tmp_path / "song.mid", ALONE)
    assert set(duets.read(asked(name, drum_map=str(mine))).drums.pitch.tolist()) == {56}


def test_a_dash_reads_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(midi.serialise(BOTH))))
    shown = duets.read(asked("-"))
    assert len(shown.guitars) == 1
    assert same(shown.drums, DRUMS)


def test_files_that_do_not_make_one_song_are_refused(tmp_path: Path) -> None:
    guitar, drums = put(tmp_path / "a.mid", SONG), put(tmp_path / "b.mid", ALONE)
    nowhere = str(tmp_path / "nowhere.mid")
    for names, track, error, message in (
        ([], None, OptionError, "wants a song"),
        ([guitar, drums, drums], None, OptionError, "found 3 files"),
        ([str(tmp_path)], None, OptionError, "is a folder"),
        ([guitar, guitar], None, InputError, "none has drums"),
        ([drums, drums], None, InputError, "none has a guitar"),
        ([nowhere], None, InputError, "nowhere.mid"),
        (["x" * 5000], None, InputError, "xxx"),
        ([guitar], "banjo", PartNotFoundError, "banjo"),
    ):
        with pytest.raises(error, match=message):
            duets.read(asked(*names, track=track))


@pytest.mark.parametrize(
    ("name", "title"),
    [("a/blues.mid", "blues"), ("a/blues.drums.2.mid", "blues"), ("v1.2 blues.mid", "v1.2 blues"), ("-", "")],
)
def test_the_title_of_a_picture_is_the_name_of_the_song(name: str, title: str) -> None:
    assert duets.title(asked(name)) == title


# --- what is shown ----------------------------------------------------------------------------------------------------


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `--mode show`."""
    try:
        code = cli.main(["--mode", "show", *map(str, arguments)])
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def song(tmp_path: Path) -> str:
    return put(tmp_path / "song.mid", BOTH)


def both() -> duet.Duet:
    return duet.of_songs([midi.parse(midi.serialise(BOTH))])


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the width and the colours, so that the terminal of the tests does not matter."""
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def test_without_an_output_the_song_is_printed_in_characters(song: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, song) == (0, console.picture(both(), width=80), "")


def test_the_picture_is_as_wide_as_the_terminal(
    song: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert shown(capsys, song)[1] == console.picture(both(), width=160)


def test_bars_are_chosen_by_number(song: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    expected = console.picture(both(), width=80, first_bar=1, last_bar=3)
    assert shown(capsys, song, "--bars", "2:3")[1] == expected
    assert shown(capsys, song, "--bars", "2:99")[1] == console.picture(both(), width=80, first_bar=1)
    shown(capsys, song, "--bars", "2", "-o", tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_bytes() == draw.picture(both(), "svg", title="song", first_bar=1, last_bar=2)


@pytest.mark.parametrize("form", draw.FORMATS)
def test_a_picture_is_written_and_its_name_is_printed(
    song: str, form: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / f"picture.{form}"
    assert shown(capsys, song, "-o", target) == (0, f"{target}\n", "")
    assert target.read_bytes() == draw.picture(both(), form, title="song")


def test_existing_files_are_overwritten_only_with_force(
    song: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(b"mine")
    code, _, err = shown(capsys, song, "-o", target)
    assert (code, target.read_bytes()) == (2, b"mine")
    assert "--force" in err
    assert shown(capsys, song, "-o", target, "--force")[0] == 0
    assert target.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        (["-o", "a.bmp"], "writes .png or .svg"),
        (["-o", "-"], "writes .png or .svg"),
        (["--bars", "0:4"], "wanted A:B"),
        (["--bars", "4:2"], "wanted A:B"),
        (["--bars", "9:12"], "the song has bars 1 to 8"),
        (["--bars", "x"], "wanted A:B such as 9:16"),
        (["--seed", "3"], "does not take --seed"),
        (["--track", "banjo"], "fits no part"),
        (["--drum-map", "nobody"], "no drum map"),
    ],
)
def test_an_invalid_option_is_reported_in_one_line(
    song: str, arguments: list[str], phrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = shown(capsys, song, *arguments)
    assert (code, out) == (2, "")
    assert phrase in err
    assert err.count("\n") == 1


def test_a_pipe_gets_colours_only_where_they_are_forced(
    song: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b" not in shown(capsys, song)[1]
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert shown(capsys, song)[1] == console.picture(both(), width=80, colour=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shown(capsys, song)[1]


def test_an_output_whose_encoding_lacks_the_signs_gets_ascii(
    song: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(output, encoding="latin-1"))
    assert shown(capsys, song)[0] == 0
    assert output.getvalue().decode() == console.ascii_only(console.picture(both(), width=80))


@pytest.mark.parametrize(("name", "value", "colours"), [("TERM", "xterm", True), ("NO_COLOR", "1", False)])
def test_a_terminal_gets_colours_unless_no_color_is_set(song: str, name: str, value: str, colours: bool) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, str(ROOT / "main.py"), "--mode", "show", song, "--bars", "1:1"]
    environment = {**os.environ, "TERM": "xterm", name: value}
    with subprocess.Popen(words, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        output = b""
        with io.FileIO(ours) as terminal:
            try:
                while read := terminal.read(4096):
                    output += read
            except OSError:  # reading a terminal ends with this error
                pass
        assert process.wait(60) == 0
    assert "snare" in output.decode()
    assert (b"\x1b[" in output) == colours


@pytest.mark.parametrize("closed", ["stdout", "stderr", "stdin"])
def test_a_program_started_without_a_standard_stream_works(
    song: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed: str
) -> None:
    monkeypatch.setattr(sys, closed, None)
    assert cli.main(["--mode", "show", song]) == 0
    assert cli.main(["--mode", "show", song, "-o", str(tmp_path / "a.svg")]) == 0
    assert (tmp_path / "a.svg").exists()
    getattr(sys, closed).close()


# --- drums as another kind of file ------------------------------------------------------------------------------------


def test_drums_go_from_text_to_midi_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, made, back = (tmp_path / name for name in ("beat.txt", "beat.mid", "back.txt"))
    text.write_text("".join("0b100000000 0b001000000 0b010000000 0b000000001\n" * 4 + "BAR\n" for _ in range(2)))
    assert cli.main(["--mode", "show", str(text), "-o", str(made)]) == 0
    assert cli.main(["--mode", "show", str(made), "-o", str(back)]) == 0
    assert capsys.readouterr().out == f"{made}\n{back}\n"
    assert [part.is_drums for part in midi.read(made).parts] == [True]
    assert back.read_text() == text.read_text()


def test_a_painted_picture_becomes_drums_and_only_the_drums_of_a_song_are_written(tmp_path: Path) -> None:
    painted, made = tmp_path / "painted.png", tmp_path / "painted.mid"
    painted.write_bytes(write_drum_picture(picture_of(DRUMS)))
    assert cli.main(["--mode", "show", painted.as_posix(), "-o", str(made)]) == 0
    assert [(part.is_drums, part.onset.tolist()) for part in midi.read(made).parts] == [(True, DRUMS.onset.tolist())]
    both = put(tmp_path / "both.mid", BOTH)
    assert cli.main(["--mode", "show", both, "-o", str(made), "--force"]) == 0
    assert [part.is_drums for part in midi.read(made).parts] == [True]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["song.mid", "-o", "x.mid"], "there are no drums"),
        (["drums.mid", "-o", "x.txt", "--bars", "1:2"], "--bars is of pictures"),
        (["drums.mid", "-o", "x.doc"], "writes .png or .svg, or the drums alone as .mid or .txt"),
    ],
)
def test_drums_that_cannot_be_written_are_told(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "song.mid", SONG)
    put(tmp_path / "drums.mid", ALONE)
    assert cli.main(["--mode", "show", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drums.mid", "song.mid"]


def test_a_plan_is_drawn_into_a_picture_of_its_song_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, song = tmp_path / "plan.json", str(ROOT / "examples" / "rock_riff.mid")
    row = song_plan.PlannedSection(1, 32, "A", 5, "ride", 1.0, 1.0)
    plan.write_bytes(song_plan.as_json([row]))
    words = ["--mode", "show", song, "--plan", str(plan)]
    assert cli.main([*words, "-o", str(tmp_path / "a.svg")]) == 0
    assert cli.main([*words, "-o", str(tmp_path / "a.mid")]) == 2
    assert "--plan is of pictures; " in capsys.readouterr().err
    assert cli.main(words) == 0
    shown = capsys.readouterr().out
    assert shown.count("plan|") + shown.count("plan│") > 3 and "////" in shown and "1.00 ride" in shown
    plan.write_bytes(song_plan.as_json([row._replace(last=33)]))
    for more in ([], ["-o", str(tmp_path / "b.svg")]):
        assert cli.main([*words, *more]) == 2
        assert "the plan ends in bar 33, but the song has 32" in capsys.readouterr().err
