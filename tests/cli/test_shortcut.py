"""Mode shortcut: launchers of three systems, which start the page, and are replaced and removed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seq2drum.cli import page, shortcut
from seq2drum.system import packages
from tests.commands import called

pytest.importorskip("uvicorn", reason="the page needs seq2drum[page]")
WORDS = ["-m", "seq2drum", "--mode", "page", "--until-closed"]
NAMES = {"linux": "seq2drum.desktop", "darwin": "seq2drum.command", "win32": "seq2drum.cmd"}


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("OneDrive", raising=False)
    monkeypatch.setattr(Path, "home", lambda: home)
    return home


@pytest.mark.parametrize(
    ("platform", "place"),
    [
        ("linux", ".local/share/applications/seq2drum.desktop"),
        ("darwin", "Desktop/seq2drum.command"),
        ("win32", "Desktop/seq2drum.cmd"),
    ],
)
def test_it_is_written_where_the_system_looks_for_it_and_taken_away_again(
    platform: str, place: str, own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    code, out, err = called(["shortcut"], capsys)
    assert (code, out) == (0, f"{own_home / place}\n") and "--remove" in err
    text = (own_home / place).read_bytes().decode()
    assert "--until-closed" in text
    assert called(["shortcut"], capsys)[0] == 0  # one of ours is replaced
    assert called(["shortcut", "--remove"], capsys)[0] == 0
    assert not (own_home / place).exists()
    code, _, err = called(["shortcut", "--remove"], capsys)
    assert code == 2 and "there is no launcher" in err


def test_the_desktop_that_onedrive_has_moved_is_found(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_home / "OneDrive" / "Desktop").mkdir(parents=True)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("OneDrive", str(own_home / "OneDrive"))
    assert called(["shortcut"], capsys)[1] == f"{own_home / 'OneDrive' / 'Desktop' / 'seq2drum.cmd'}\n"


@pytest.mark.parametrize("platform", NAMES)
def test_a_file_of_somebody_else_is_neither_replaced_nor_removed(
    platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    theirs = tmp_path / NAMES[platform]
    theirs.write_text("theirs")
    for words in ([], ["--remove"]):
        code, _, err = called(["shortcut", "-o", str(tmp_path), *words], capsys)
        assert code == 2 and "is not a launcher of seq2drum" in err
    assert theirs.read_text() == "theirs"
    assert called(["shortcut", "-o", str(tmp_path), "--force"], capsys)[0] == 0
    assert theirs.read_text() != "theirs"


def test_a_folder_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = called(["shortcut", "-o", str(tmp_path / "none")], capsys)
    assert code == 2 and "which is no folder" in err


def test_what_a_launcher_could_not_start_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packages, "is_passing", lambda: True)
    assert "passing environment" in called(["shortcut"], capsys)[2]
    monkeypatch.setattr(page, "missing", lambda: "uvicorn")
    code, _, err = called(["shortcut"], capsys)
    assert code == 2 and "uvicorn is not installed" in err


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")
def test_the_script_of_macos_starts_the_page_whatever_the_names_of_folders(tmp_path: Path) -> None:
    odd = tmp_path / 'it\'s a $HOME "folder"'
    odd.mkdir()
    python = odd / "python"
    python.write_text('#!/bin/sh\npwd\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    script = shortcut.shell_script(str(python), str(odd))
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(odd), *WORDS]


def test_the_entry_of_the_menu_quotes_as_the_specification_says(tmp_path: Path) -> None:
    text = shortcut.desktop_entry('/a b/100%/"q"/$x/python', "/a b/back\\slash")
    lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    # By the specification: the escapes of a value first, then those of a quoted word, then %%.
    assert lines["Exec"].startswith('"/a b/100%%/\\\\"q\\\\"/\\\\$x/python" -m seq2drum')
    assert lines["Path"] == "/a b/back\\\\slash"
    assert Path(lines["Icon"]).is_file()
    if program := shutil.which("desktop-file-validate"):
        path = tmp_path / "seq2drum.desktop"
        path.write_text(text)
        done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_file_of_windows_doubles_percent_signs_and_needs_no_window() -> None:
    text = shortcut.batch_file("C:\\100%\\pythonw.exe", "C:\\100%")
    assert 'start "" "C:\\100%%\\pythonw.exe" -m seq2drum --mode page --until-closed\r\n' in text
    assert text.splitlines()[0] == "@echo off" and 'cd /d "C:\\100%%"' in text


def test_the_words_of_each_launcher_are_a_valid_command() -> None:
    from seq2drum import cli

    text = shortcut.shell_script("python", "/")
    words = shlex.split(text.splitlines()[-1])
    mode, others = cli.mode_of(words[words.index("seq2drum") + 1 :])
    assert cli.options_of(mode or "", others).until_closed
