"""Shell completion, as bash does it with the script that is printed."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from client import cli as client_cli
from client.options import compose_parser, song_parser, watch_parser
from seq2drum import cli
from seq2drum.console import shared
from seq2drum.music.choices import STYLES

BASH = shutil.which("bash")
PROGRAMS = {"seq2drum": cli.main, "seq2drum-client": client_cli.main}


def script_of(program: str, shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert PROGRAMS[program](["--print-completion", shell]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.fixture
def complete(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """What bash offers for the last of some words, in a folder with a song and a folder in it."""
    if BASH is None:
        pytest.skip("there is no bash")
    (tmp_path / "song.mid").touch()
    (tmp_path / "songs").mkdir()

    def complete(*words: str) -> list[str]:
        script = script_of(words[0], "bash", capsys)
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
    assert complete("seq2drum", "--mode", "=", "infer", "--te") == ["--temperature"]  # bash cuts --mode=infer in words


@pytest.mark.parametrize("mode", cli.MODES)
def test_after_a_mode_only_its_own_options_are_completed(mode: str, complete) -> None:
    expected = sorted(cli._parser(mode).option_names - {"--version", "-h", "-o"})
    assert complete("seq2drum", "--mode", mode, "--") == expected
    assert complete("seq2drum", "song.mid", "--mode", mode, "--") == expected


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
def test_every_shell_gets_a_script_with_all_options(
    program: str, shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    script = script_of(program, shell, capsys)
    parsers = (
        [cli._parser(mode) for mode in cli.MODES]
        if program == "seq2drum"
        else [song_parser(), watch_parser(), compose_parser()]
    )
    names = {name for parser in parsers for name in parser.option_names if name.startswith("--")} - {"--version"}
    assert [name for name in sorted(names) if name.lstrip("-") not in script] == []
    assert program in script
