"""Mode shortcut: a launcher in the menu or on the desktop, which opens the page without a terminal."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from seq2drum.cli import page
from seq2drum.console import shared
from seq2drum.console.terminal import say, standard_output
from seq2drum.errors import MissingExtraError, OptionError, OutputError
from seq2drum.system import files, packages, places

_WORDS = ("-m", "seq2drum", "--mode", "page", "--until-closed")
_MARK = "seq2drum --mode shortcut"  # is in each launcher, so that no other file is replaced or removed
_ICON = page.HOME / "server" / "web" / "page" / "icon.svg"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the folder, and the removal."""
    parser.usage = "%(prog)s [options]"
    parser.description = (
        "Writes a launcher: a click on it opens the page in your browser. Its server ends with the last tab of the "
        "page. Linux: an entry of the menu; macOS and Windows: a file on the desktop."
    )
    parser.epilog = """examples:
  seq2drum --mode shortcut
  seq2drum --mode shortcut -o Desktop
  seq2drum --mode shortcut --remove"""
    shared.add_output(parser, "the folder to write it into (default: the menu's or the desktop's)", metavar="DIR")
    parser.add_argument("--remove", action="store_true", help="remove the launcher")
    shared.add_force(parser)


class _Launcher(NamedTuple):
    """The launcher of a system: its name, its usual folder, and its text for (Python, the folder to start it in)."""

    name: str
    folder: Callable[[], Path]
    text: Callable[[str, str], str]
    what: str


def run(options: argparse.Namespace) -> int:
    """Write or remove the launcher; returns the exit code."""
    kind = _LAUNCHERS.get(sys.platform, _LAUNCHERS["linux"])
    folder = Path(options.output) if options.output else kind.folder()
    path = folder / kind.name
    if options.remove:
        return _remove(path)
    _check()
    if options.output and not folder.is_dir():
        raise OptionError(f"-o names {str(folder)!r}, which is no folder; make it, or name another")
    if path.exists() and not options.force and not _is_ours(path):
        raise OutputError(f"{files.named(path)} is not a launcher of seq2drum; allow to replace it (--force)")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.write_file(path, kind.text(_python(), str(page.HOME)).encode(), overwrite=True)
        if sys.platform != "win32":
            path.chmod(0o755)
    except OSError as error:
        raise OutputError(f"{files.named(path)} cannot be written ({error.strerror}); name a folder with -o") from None
    with standard_output():
        print(path, flush=True)
    say(f"a click on {kind.what} opens the page; seq2drum --mode shortcut --remove takes it away")
    return 0


def _check() -> None:
    """Refuse what a launcher could not start.

    Raises:
        MissingExtraError: the page is not installed.
        OptionError: this environment will be gone.
    """
    if name := page.missing():
        raise MissingExtraError(
            f"a launcher opens the page, and {name} is not installed: {packages.install_extra('page')}"
        )
    if packages.is_passing():
        raise OptionError(
            "this seq2drum is in a passing environment, and a launcher would soon start nothing;"
            " install it first: uv tool install 'seq2drum[page]', or pipx install 'seq2drum[page]'"
        )


def _remove(path: Path) -> int:
    if not path.exists():
        raise OptionError(f"there is no launcher {files.named(path)}; name its folder with -o")
    if not _is_ours(path):
        raise OutputError(f"{files.named(path)} is not a launcher of seq2drum; it stays")
    path.unlink()
    say(f"removed {files.named(path)}")
    return 0


def _is_ours(path: Path) -> bool:
    try:
        return _MARK in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _python() -> str:
    """This Python; on Windows, the one without a window."""
    if sys.platform == "win32":
        quiet = Path(sys.executable).with_name("pythonw.exe")
        return str(quiet if quiet.is_file() else sys.executable)
    return sys.executable


# --- the systems ------------------------------------------------------------------------------------------------------


def desktop_entry(python: str, folder: str) -> str:
    """An entry of the menu, by the Desktop Entry Specification 1.5. python, folder: see `shell_script`."""
    command = " ".join(map(_entry_word, (python, *_WORDS)))
    lines = (
        "[Desktop Entry]",
        f"# {_MARK} wrote this",
        "Type=Application",
        "Name=seq2drum",
        "Comment=A drummer for your guitar",
        "Comment[de]=Ein Schlagzeuger für deine Gitarre",
        f"Exec={_entry_value(command)}",
        f"Path={_entry_value(folder)}",
        f"Icon={_entry_value(str(_ICON))}",
        "Terminal=false",
        "Categories=AudioVideo;Audio;Midi;",
        "Keywords=drums;guitar;MIDI;",
    )
    return "\n".join(lines) + "\n"


def _entry_word(word: str) -> str:
    """A word of an entry's command: quoted where it has to be."""
    escaped = "".join(f"\\{letter}" if letter in '"`$\\' else letter for letter in word.replace("%", "%%"))
    plain = all(letter.isalnum() or letter in "/._-" for letter in word)
    return word if plain else f'"{escaped}"'


def _entry_value(text: str) -> str:
    """A text as the value of a key."""
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def shell_script(python: str, folder: str) -> str:
    """A script that the Finder opens in a terminal. python: its path; folder: the one to start it in."""
    command = shlex.join((python, *_WORDS))
    return f"#!/bin/sh\n# {_MARK} wrote this\ncd {shlex.quote(folder)} && exec {command}\n"


def batch_file(python: str, folder: str) -> str:
    """A script of Windows, whose window closes at once. python, folder: see `shell_script`."""
    safe = [f'"{text.replace("%", "%%")}"' for text in (folder, python)]
    lines = (
        "@echo off",
        "chcp 65001 >nul",
        f"rem {_MARK} wrote this",
        f"cd /d {safe[0]}",
        f'start "" {safe[1]} {" ".join(_WORDS)}',
    )
    return "\r\n".join(lines) + "\r\n"


def _desktop() -> Path:
    """The desktop of macOS or Windows, which OneDrive may have moved."""
    moved = Path(os.environ.get("OneDrive", ""), "Desktop") if os.environ.get("OneDrive") else None  # noqa: SIM112
    return moved if moved is not None and moved.is_dir() else Path.home() / "Desktop"


_LAUNCHERS = {
    "linux": _Launcher(
        "seq2drum.desktop", lambda: places.data_folder() / "applications", desktop_entry, "seq2drum in the menu"
    ),
    "darwin": _Launcher("seq2drum.command", _desktop, shell_script, "it on the desktop"),
    "win32": _Launcher("seq2drum.cmd", _desktop, batch_file, "it on the desktop"),
}
"""The launchers by system; others have that of Linux."""
