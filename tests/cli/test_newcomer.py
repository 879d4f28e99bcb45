"""A newcomer's command line: help, misspelt options, suffixes, letters of the terminal, completion."""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from client import cli as client_cli
from client.options import compose_parser, song_parser, watch_parser
from seq2drum import cli
from seq2drum.console import arguments, shared, terminal
from seq2drum.formats.midi import midi
from seq2drum.music.choices import STYLES
from seq2drum.system import files
from tests.commands import called
from tests.conftest import ROOT
from tests.players import save_player, strummed


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_player(tmp_path_factory.mktemp("player"))


def put(path: Path) -> Path:
    path.write_bytes(midi.serialise(strummed()))
    return path


def help_of(mode: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The help of a mode; without a mode, "", the first help."""
    code, out, err = called([*(["--mode", mode] if mode else []), "--help"], capsys)
    assert (code, err) == (0, "")
    return out


def test_the_first_help_lists_the_modes_and_fits_a_screen(
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
def test_the_help_of_a_mode_is_80_columns_wide_and_lists_exactly_its_options(
    mode: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = help_of(mode, capsys)
    assert max(map(len, out.splitlines())) <= 80
    listed = set(re.findall(r"^  (?:-\w[^,]*, )?(--[\w-]+)", out, flags=re.MULTILINE))
    long = {name for name in cli.parser_of(mode).option_names if name.startswith("--")}
    assert listed == long - {"--version"}


def test_a_mode_may_stand_anywhere_and_be_joined_to_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    results = {
        called(words, capsys)
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


def test_a_mode_after_two_dashes_is_an_argument() -> None:
    words = ["a.mid", "--", "--mode", "show"]
    assert arguments.split_mode(words) == (None, words)
    assert arguments.split_mode(["--mode", "infer", *words]) == ("infer", words)


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["--mode", "infr"], "there is no --mode 'infr'; did you mean infer?"),
        (["--mode", "dance"], "there is no --mode 'dance'; there are demo, infer,"),
        (["--mode"], "--mode wants one of demo, infer,"),
        (
            ["--mode", "infer", "--temprature", "1"],
            "--temprature; did you mean --temperature? seq2drum --mode infer --help",
        ),
        (
            ["--mode", "show", "--out", "x.mid"],
            "--mode show does not take --out; did you mean --mode infer or jam or watch or adapt or train?",
        ),
        (
            ["--mode", "show", "--json", "--seed", "1"],
            "does not take --json; did you mean --mode infer or jam or grooves or generate or watch or doctor or eval?",
        ),
        (["--mode", "infer", "--s", "1"], "ambiguous option: --s"),
        (["--mode", "train", "-o", "x"], "does not take -o; did you mean --mode demo or infer"),
        (["--mode", "train", "--nonsense", "3"], "unrecognized arguments: --nonsense; seq2drum --mode train --help"),
    ],
)
def test_a_misspelt_or_misplaced_option_gets_one_line_that_names_the_right_one(
    words: list[str], phrase: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = called(words, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert phrase in err


def test_every_example_of_help_is_a_valid_command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    helps = [help_of(mode, capsys) for mode in ("", *cli.MODES)]
    texts = [text[text.index("\nexample") :] for text in helps if "\nexample" in text]
    lines = [line.removeprefix("example: ") for text in texts for line in text.splitlines() if "seq2drum " in line]
    examples = [shlex.split(line)[1:] for line in lines]
    modes = {arguments.split_mode(words)[0] for words in examples}
    assert modes == {*cli.MODES, None}
    for words in examples:
        mode, others = arguments.split_mode(words)
        assert cli.options_of(mode or "infer", others).mode == (mode or "infer")
        if mode in (None, "infer", "show"):
            code, _, err = called(words, capsys)
            assert code == 2
            assert "does not exist" in err or "there is no model" in err


def test_without_a_mode_and_a_song_the_message_names_commands_to_begin_with(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = called(["--force"], capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--mode demo" in err
    assert "seq2drum SONG.mid" in err


def test_a_song_without_a_mode_is_played_to_and_capitals_of_a_style_do_not_matter(
    player: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = put(tmp_path / "a.mid")
    results = []
    for words in (["--mode", "infer", str(song), "--style", "rock"], ["--style", "Rock", str(song)]):
        assert called([*words, "--model", str(player), "--force", "--without", "Crash,TOMS"], capsys)[0] == 0
        results.append((tmp_path / "a.drums.mid").read_bytes())
    assert results[0] == results[1]


@pytest.mark.slow
def test_tracks_that_are_given_one_after_the_other_are_played_to_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], player: Path
) -> None:
    (tmp_path / "a.mid").write_bytes(midi.serialise(replace(strummed(), parts=strummed().parts * 3)))
    words = [str(tmp_path / "a.mid"), "--model", str(player), "--track", "1", "--track", "3"]
    code, out, _ = called(words, capsys)
    assert code == 0
    assert "listening to parts 1, 3 (chosen)" in out


@pytest.mark.parametrize(
    ("name", "data", "phrases"),
    [
        ("riff.m4a", b"\0\0\0\x20ftypM4A " + bytes(1 << 21), ("a recording or a film (MP4)",)),
        ("song.tg", b"\x18TuxGuitar File Format", ("not a tab of TuxGuitar", "Export > MIDI")),
        ("song.cpr", b"what nobody knows", ("Cubase", "Export > MIDI File")),
        ("scan.mid", b"%PDF-1.7", ("a PDF document",)),
    ],
)
def test_a_file_that_is_no_song_is_told_by_name_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], player: Path, name: str, data: bytes, phrases: tuple[str, ...]
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    code, out, err = called([str(path), "--model", str(player)], capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    for phrase in (name, *phrases):
        assert phrase in err


def test_a_project_that_is_a_folder_is_told_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "song.logicx").mkdir()
    code, _, err = called([str(tmp_path / "song.logicx")], capsys)
    assert (code, "a project of Logic Pro" in err) == (2, True)


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
def test_an_output_suffix_of_another_format_is_refused(
    player: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    phrase: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "a.mid")
    code, out, err = called(["--mode", "infer", "a.mid", "--model", str(player), *flags], capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert phrase in err
    assert [path.name for path in tmp_path.iterdir()] == ["a.mid"]


def test_an_unknown_output_suffix_is_accepted(player: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    song = put(tmp_path / "a.mid")
    assert called(["--mode", "infer", str(song), "--model", str(player), "-o", str(tmp_path / "v1.2")], capsys)[0] == 0
    assert (tmp_path / "v1.2").exists()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_file_name_that_the_terminal_cannot_encode_is_printed_with_escapes(
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


def test_a_name_in_a_message_is_one_line_of_letters() -> None:
    assert files.named(Path("a\nb\r\x1b[31m\u202ec/日本 1.mid")) == r"a\nb\r\x1b[31m\u202ec/日本 1.mid"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no file has such a name here")
def test_a_file_name_of_two_lines_is_printed_in_one_and_steers_no_terminal(
    player: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = "a\x1b[31m\nsecond"
    song, broken = put(tmp_path / f"{odd}.mid"), tmp_path / f"{odd} broken.mid"
    broken.write_bytes(b"MThd and nothing of weight")
    model = ["--model", str(player)]
    jobs: list[tuple[int, list[str]]] = [
        (0, ["infer", str(song), *model]),
        (2, ["infer", str(song), *model]),  # its drums are there
        (2, ["infer", str(broken), *model]),
        (2, ["infer", str(tmp_path / f"{odd} missing.mid"), *model]),
        (2, ["infer", str(tmp_path / f"{odd} missing.gp5"), *model]),
        (2, ["infer", str(song), *model, "-o", str(tmp_path / odd / "x.mid")]),
        (0, ["show", str(song), "-o", str(tmp_path / f"{odd}.svg")]),
        (2, ["show", str(broken)]),
        (2, ["infer", str(tmp_path), *model]),
        (0, ["humanize", str(tmp_path / f"{odd}.drums.mid"), "-o", str(tmp_path / f"{odd} human.mid")]),
        (0, ["generate", "--bars", "2", "-o", str(tmp_path / f"{odd} beat.mid")]),
    ]
    for code, words in jobs:
        found, out, err = called(["--mode", *words], capsys)
        assert found == code, (words, err)
        said = (out + err).splitlines()
        assert any(r"a\x1b[31m\nsecond" in line for line in said), (words, said)
        assert not any(line.startswith("second") or "\x1b" in line for line in said), (words, said)


def test_bytes_of_a_file_name_that_are_no_letters_are_printed_as_escapes() -> None:
    name = b"s\x9b31m\xff.mid".decode("utf-8", "surrogateescape")  # \x9b steers a terminal of eight bits
    said = files.named(name)
    assert said == r"s\udc9b31m\udcff.mid"
    assert said.encode("utf-8", "surrogateescape").isascii()  # as standard output encodes in the locale C.UTF-8


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text here")
def test_a_file_name_that_is_not_utf8_is_accepted(player: Path, tmp_path: Path) -> None:
    song = put(Path(os.fsdecode(os.fsencode(tmp_path) + b"/br\xfccke.mid")))
    start = [sys.executable, str(ROOT / "main.py"), "--mode"]
    beside: list[Any] = [
        "--picture",
        tmp_path / "p.svg",
        "--score",
        tmp_path / "s.musicxml",
        "--rpp",
        tmp_path / "r.rpp",
    ]
    for words in (["infer", song, "--model", player, *beside], ["show", song, "-o", tmp_path / "q.svg"]):
        done = subprocess.run(
            [*start, *words],
            env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
            capture_output=True,
            timeout=120,
            check=False,
        )
        said = [line for line in done.stderr.splitlines() if b"hits are not in the score" not in line]
        assert (done.returncode, said) == (0, [])
    assert "br?cke" in (tmp_path / "s.musicxml").read_text(encoding="utf-8")


def test_as_text_replaces_only_what_is_not_text() -> None:
    assert terminal.as_text("Lied für 日本") == "Lied für 日本"
    assert terminal.as_text("br\udcfccke") == "br?cke"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--mode", "beat"], "there is no --mode 'beat'; did you mean generate?"),
        (["--mode", "listen"], "there is no --mode 'listen'; did you mean play?"),
        (["--mode", "evaluate"], "there is no --mode 'evaluate'; did you mean eval?"),
        (["song.mid", "--style", "blues"], "there is no style 'blues'; did you mean shuffle?"),
        (["song.mid", "--style", "Disco"], "there is no style 'disco'; did you mean dance?"),
        (["song.mid", "--style", "regae"], "there is no style 'regae'; did you mean reggae?"),
        (["song.mid", "--ending", "chok"], "there is no ending 'chok'; did you mean choke?"),
        (["song.mid", "--without", "tom"], "there is no piece 'tom'; did you mean toms"),
        (["--mode", "grooves", "--style", "bossa"], "there is no style 'bossa'; did you mean latin?"),
        (["--mode", "generate", "--genre", "regae"], "there is no genre 'regae'; did you mean reggae?"),
        (["--mode", "generate", "--model", "wrods"], "made of one; did you mean words?"),
        (["--mode", "eval", "--split", "valid"], "there is no 'valid'; did you mean validation?"),
        (["song.mid", "--model", "defualt"], "--mode train made; did you mean default?"),
    ],
)
def test_a_word_that_cannot_be_chosen_gets_the_one_that_was_meant(
    words: list[str], meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "song.mid")
    code, out, err = called(words, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert meant in err


# --- shell completion, as bash does it with the script that is printed ------------------------------------------------


BASH = shutil.which("bash")
PROGRAMS = {"seq2drum": cli.main, "seq2drum-client": client_cli.main}


@functools.cache
def script_of(program: str, shell: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        assert PROGRAMS[program](["--print-completion", shell]) == 0
    return out.getvalue()


@pytest.fixture
def complete(tmp_path: Path):
    """bash's completions of the last of some words, in a folder with a song and a folder in it."""
    if BASH is None:
        pytest.skip("there is no bash")
    (tmp_path / "song.mid").touch()
    (tmp_path / "songs").mkdir()

    def complete(*words: str) -> list[str]:
        script = script_of(words[0], "bash")
        array = " ".join(map(shlex.quote, words))
        program = (
            f"{script}\nCOMP_WORDS=({array}); COMP_CWORD={len(words) - 1}\n"
            f'function=$(complete -p {words[0]} | sed "s/.* -F \\([^ ]*\\).*/\\1/")\n'
            '$function 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"\n'
        )
        done = subprocess.run([BASH, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
        return sorted(filter(None, done.stdout.splitlines()))

    return complete


def test_the_modes_are_completed(complete) -> None:
    assert complete("seq2drum", "--mo") == ["--mode"]
    assert complete("seq2drum", "--mode", "") == sorted(cli.MODES)
    assert complete("seq2drum", "--mode", "inf") == ["infer"]
    assert complete("seq2drum", "inf") == ["infer"]
    assert complete("seq2drum", "s") == ["shortcut", "show", "song.mid", "songs"]
    assert complete("seq2drum", "--mode", "=", "infer", "--te") == ["--temperature"]  # bash cuts --mode=infer in words


@pytest.mark.parametrize("mode", cli.MODES)
def test_after_a_mode_only_its_own_options_are_completed(mode: str, complete) -> None:
    expected = sorted(cli.parser_of(mode).option_names - {"--version", "-h", "-o"})
    assert complete("seq2drum", "--mode", mode, "--") == expected
    assert complete("seq2drum", "song.mid", "--mode", mode, "--") == expected
    assert complete("seq2drum", mode, "--") == expected


def test_values_and_names_of_files_are_completed(complete) -> None:
    infer = ("seq2drum", "--mode", "infer")
    assert complete(*infer, "so") == ["song.mid", "songs"]
    assert complete(*infer, "song.mid", "--style", "") == sorted((*STYLES, "auto"))
    assert complete(*infer, "song.mid", "--picture", "so") == ["song.mid", "songs"]
    assert complete("seq2drum", "--mode", "train", "--data", "so") == ["songs"]
    assert complete("seq2drum", "--mode", "train", "--data", "songs", "--kit", "") == ["full", "nine"]


def test_the_client_is_completed_with_and_without_watching(complete) -> None:
    assert complete("seq2drum-client", "so") == ["song.mid", "songs"]
    listed = [f"--list-{what}" for what in ("drum-maps", "generators", "grooves", "models")]
    assert complete("seq2drum-client", "song.mid", "--list") == listed
    assert complete("seq2drum-client", "compose", "--b") == ["--bars", "--bpm"]
    assert complete("seq2drum-client", "--style", "r") == ["reggae", "rock"]
    assert complete("seq2drum-client", "watch", "--se") == ["--sections", "--seed", "--server", "--settle"]
    assert complete("seq2drum-client", "watch", "so") == ["songs"]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", shared.SHELLS)
def test_every_shell_gets_a_script_with_all_options(program: str, shell: str) -> None:
    script = script_of(program, shell)
    parsers = (
        [cli.parser_of(mode) for mode in cli.MODES]
        if program == "seq2drum"
        else [song_parser(), watch_parser(), compose_parser()]
    )
    names = {name for parser in parsers for name in parser.option_names if name.startswith("--")} - {"--version"}
    assert [name for name in sorted(names) if name.lstrip("-") not in script] == []
    assert program in script


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("seq2drum --mode in", {"infer"}),
        ("seq2drum inf", {"infer"}),
        ("seq2drum song", {"song.mid"}),
        ("seq2drum infer song.mid --style r", {"reggae", "rock"}),
        ("seq2drum --temp", {"--temperature"}),
        ("seq2drum-client wat", {"watch"}),
    ],
)
def test_fish_completes_modes_options_and_files(line: str, found: set[str], tmp_path: Path) -> None:
    (tmp_path / "song.mid").touch()
    program = f"{script_of(line.split()[0], 'fish')}\ncomplete -C '{line}'"
    done = subprocess.run(["fish", "-N", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {told.split("\t")[0] for told in done.stdout.splitlines()} == found


# --- the page of the manual -------------------------------------------------------------------------------------------


MACROS = {".TH", ".SH", ".SS", ".TP", ".PP", ".B", ".br", ".nf", ".fi"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_manual_has_all_options_of_a_program_and_no_macro_by_accident(program: str, capsys) -> None:
    assert PROGRAMS[program](["--print-manual"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert {line.split()[0] for line in out.splitlines() if line.startswith(".")} <= MACROS
    assert [line for line in out.splitlines() if line.startswith("'")] == []
    seq2drum = [(f".SH {mode.upper()}", cli.parser_of(mode)) for mode in cli.MODES]
    client = [(".SH WHAT TO PLAY", song_parser()), (".SH WATCH", watch_parser()), (".SH COMPOSE", compose_parser())]
    for heading, parser in seq2drum if program == "seq2drum" else client:
        told = out.split(f"{heading}\n")[1]
        if parser is not client[0][1]:  # whose sections are those of the page
            told = told.split("\n.SH ")[0]
        names = re.findall(r"\\fB(\S+?)\\fR", told.replace("\\-", "-"))
        own = {name for action in parser.actions if action.help != argparse.SUPPRESS for name in action.option_strings}
        assert own - set(names) - {"-h", "--help", "--version", "--print-completion", "--print-manual"} == set()


@pytest.mark.skipif(shutil.which("groff") is None, reason="there is no groff")
def test_the_manual_is_set_without_a_warning(capsys) -> None:
    assert cli.main(["--print-manual"]) == 0
    words = ["groff", "-man", "-ww", "-K", "utf8", "-T", "utf8"]
    done = subprocess.run(words, input=capsys.readouterr().out.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout.decode())
    for said in ("--mode infer song.mid --style rock", "stopped by Ctrl-C", "put an icon that opens the page"):
        assert said in text


@pytest.mark.parametrize("mode", cli.MODES)
def test_a_mode_as_the_first_word_is_that_mode(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    with_option, alone = (called([*words, "--help"], capsys) for words in (["--mode", mode], [mode]))
    assert alone == with_option
    assert alone[0] == 0
    assert cli.mode_of([mode, "a", "--mode=eval"]) == ("eval", ["a"])  # of several the last holds


def test_a_file_with_the_name_of_a_mode_is_a_song_by_its_path(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "show").mkdir()
    assert "no song in the folder" in called(["./show"], capsys)[2]
    assert "no song in the folder" in called(["infer", "show"], capsys)[2]
    assert "no song in the folder" not in called(["show"], capsys)[2]
