"""What somebody meets who tries the program for the first time: help, names, endings, letters."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from seq2drum import cli
from seq2drum.cli import arguments, terminal
from seq2drum.formats import midi
from seq2drum.music.duet import Duet
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from seq2drum.show import draw
from tests.conftest import ROOT
from tests.players import save_player, strummed

DRUMS = Part.of([Note(at, 60, 36, 90) for at in range(240, 16 * 1920, 480)], is_drums=True)


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_player(tmp_path_factory.mktemp("player"))


def put(path: Path) -> Path:
    path.write_bytes(midi.serialise(strummed()))
    return path


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    try:
        code = cli.main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def help_of(mode: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the help of a mode prints; of no mode, "", the first help."""
    code, out, err = printed([*(["--mode", mode] if mode else []), "--help"], capsys)
    assert (code, err) == (0, "")
    return out


def test_the_first_help_tells_what_the_modes_do_and_fits_a_screen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = help_of("", capsys)
    lines = out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    for mode, (_, what) in cli.MODES.items():
        assert f"\n  {mode:9} {what}\n" in out
    assert "seq2drum --mode infer --help" in out


@pytest.mark.parametrize("mode", cli.MODES)
def test_the_help_of_a_mode_is_a_terminal_wide_and_lists_all_of_its_options_and_no_other(
    mode: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = help_of(mode, capsys)
    assert max(map(len, out.splitlines())) <= 80
    listed = set(re.findall(r"^  (?:-\w[^,]*, )?(--[\w-]+)", out, flags=re.MULTILINE))
    long = {name for name in cli._parser(mode).option_names if name.startswith("--")}
    assert listed == long - {"--version"}


def test_a_mode_may_stand_anywhere_and_be_joined_to_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    results = {
        printed(words, capsys)
        for words in (
            ["--mode", "infer", "none.mid", "--seed", "3"],
            ["none.mid", "--mode", "infer", "--seed", "3"],
            ["none.mid", "--seed", "3", "--mode=infer"],
            ["--mode", "show", "--mode", "infer", "none.mid", "--seed=3"],
        )
    }
    ((code, out, err),) = results
    assert (code, out) == (2, "")
    assert "none.mid does not exist" in err


def test_what_stands_behind_two_dashes_is_no_mode() -> None:
    words = ["a.mid", "--", "--mode", "show"]
    assert arguments.split_mode(words) == (None, words)
    assert arguments.split_mode(["--mode", "infer", *words]) == ("infer", words)


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["--mode", "infr"], "there is no --mode 'infr'; did you mean infer?"),
        (["--mode", "dance"], "there is no --mode 'dance'; there are demo, infer,"),
        (["--mode"], "there is no --mode ''"),
        (
            ["--mode", "infer", "--temprature", "1"],
            "--temprature; did you mean --temperature? seq2drum --mode infer --help",
        ),
        (["--mode", "infer", "--out", "x.mid"], "--mode infer has no use for --out; did you mean --mode train?"),
        (["--mode", "show", "--json", "--seed", "1"], "has no use for --json; did you mean --mode infer or eval?"),
        (["--mode", "infer", "--s", "1"], "ambiguous option: --s"),
        (["--mode", "train", "-o", "x"], "has no use for -o; did you mean --mode demo or infer"),
        (["--mode", "train", "--nonsense", "3"], "unrecognized arguments: --nonsense 3; seq2drum --mode train --help"),
    ],
)
def test_a_word_that_is_out_of_place_gets_a_line_that_says_where_it_belongs(
    words: list[str], phrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = printed(words, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert phrase in err


def test_every_example_of_help_is_a_command_that_can_be_given(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    helps = [help_of(mode, capsys) for mode in ("", *cli.MODES)]
    texts = [text[text.index("\nexamples:") :] for text in helps if "\nexamples:" in text]
    examples = [line.split()[1:] for text in texts for line in text.splitlines() if "seq2drum " in line]
    assert {words[1] for words in examples} == set(cli.MODES)
    for words in examples:
        assert cli._options(words[1], words[2:]).mode == words[1]
        if words[1] in ("infer", "show"):
            code, _, err = printed(words, capsys)
            assert (code, "does not exist" in err) == (2, True), err


@pytest.mark.parametrize("arguments", [[], ["song.mid"]])
def test_without_a_mode_one_is_told_what_to_do(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    code, out, err = printed(arguments, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--mode demo" in err
    assert "--mode infer SONG.mid" in err


@pytest.mark.parametrize(
    ("flags", "phrase"),
    [
        (["-o", "x.wav"], "--wav x.wav writes that"),
        (["-o", "x.PNG"], "--picture x.PNG writes that"),
        (["-o", "x.musicxml"], "--score x.musicxml writes that"),
        (["-o", "x.mp3"], "-o names the MIDI file"),
        (["--score", "x.pdf"], "--score writes .musicxml or .xml or .svg"),
        (["--score", "x.mxl"], "--score writes .musicxml"),
        (["--rpp", "x.mid"], "--rpp writes .rpp"),
    ],
)
def test_no_file_is_called_what_it_is_not(
    player: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    phrase: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "a.mid")
    code, out, err = printed(["--mode", "infer", "a.mid", "--model", str(player), *flags], capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert phrase in err
    assert [path.name for path in tmp_path.iterdir()] == ["a.mid"]


def test_any_other_ending_is_the_users_own_business(
    player: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = put(tmp_path / "a.mid")
    assert printed(["--mode", "infer", str(song), "--model", str(player), "-o", str(tmp_path / "v1.2")], capsys)[0] == 0
    assert (tmp_path / "v1.2").exists()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_name_that_the_terminal_has_no_letters_for_is_told_with_escapes(
    player: Path, tmp_path: Path, encoding: str
) -> None:
    song = put(tmp_path / "Lied für 日本.mid")
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "--mode", "infer", str(song), "--model", str(player)],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "Lied für 日本.drums.mid: 8 bars".encode(encoding, "backslashreplace") in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text here")
def test_a_name_that_is_no_text_is_as_good_as_any(player: Path, tmp_path: Path) -> None:
    song = put(Path(os.fsdecode(os.fsencode(tmp_path) + b"/br\xfccke.mid")))
    start = [sys.executable, str(ROOT / "main.py"), "--mode"]
    beside = ["--picture", tmp_path / "p.svg", "--score", tmp_path / "s.musicxml", "--rpp", tmp_path / "r.rpp"]
    for words in (["infer", song, "--model", player, *beside], ["show", song, "-o", tmp_path / "q.svg"]):
        done = subprocess.run(
            [*start, *words],
            env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
    assert "br?cke" in (tmp_path / "s.musicxml").read_text(encoding="utf-8")


def test_what_is_text_stays_as_it_is() -> None:
    assert terminal.as_text("Lied für 日本") == "Lied für 日本"
    assert terminal.as_text("br\udcfccke") == "br?cke"


def test_above_a_short_first_bar_there_is_room_for_what_the_second_has_to_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import matplotlib

    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    riff = [Note(at, 200, 52, 90) for at in range(240, 16 * 1920, 240)]
    song = Song(480, tempos=(Tempo(0, 500_000), Tempo(240, 400_000)), metres=(Metre(0, 1, 8), Metre(240, 4, 4)))
    picture = draw.picture(Duet(replace(song, length=16 * 1920), (Part.of(riff, program=27),), DRUMS), "svg").decode()
    at = {text: float(x) for x, text in re.findall(r'<text[^>]* x="([\d.]+)"[^>]*>([^<]*)</text>', picture)}
    first, second = "1/8  ♩=120", "4/4  ♩=150"
    assert at["1"] < at[first] < at["2"] < at[second]
    assert at["2"] - at[first] > 40  # points: as wide as what stands there
