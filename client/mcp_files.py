"""Files for an assistant: by path, under folders that are named once, and nowhere else.

A path is relative to one of the folders, or absolute and inside one. No `..` and no link is followed, so what a path
says is where it leads. Whoever may change these folders at the same moment is trusted: it is the user's own machine.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from client.messages import MOST_BYTES
from seq2drum.console import paths
from seq2drum.errors import InputError, LimitError, OptionError, OutputError
from seq2drum.music.limits import OPENED_SUFFIXES, SONG_SUFFIXES
from seq2drum.system import files

MOST_LISTED = 200
_MOST_SEEN = 20_000  # entries of folders that are looked at for a list
_MOST_LETTERS = 1024
_SHOWN_LETTERS = 80


class Folders:
    """The folders whose files may be read, and in which files may be written.

    Raises:
        OptionError: a name is none of a folder.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._named = [Path(name).absolute() for name in names]
        for name, folder in zip(names, self._named, strict=True):
            if not folder.is_dir():
                raise OptionError(f"{name!r} is no folder; name a folder that holds your songs")
        self.roots = [folder.resolve() for folder in self._named]

    def source(self, path: str) -> Path:
        """The file that a path leads to, to be read.

        Raises:
            InputError, LimitError: it lies elsewhere, it is a link, a folder or a device, it is not there or too large.
        """
        file = self._place(path)
        try:
            status = file.lstat()
        except (OSError, ValueError):
            raise InputError(f"{_shown(path)} does not exist; list_songs tells what there is") from None
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{_shown(path)} is a folder; name a file in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{_shown(path)} is a device and no file; name a song")
        if file.suffix.lower() not in OPENED_SUFFIXES:
            raise InputError(
                f"{_shown(path)} is no song by its name; wanted a name that ends in {', '.join(OPENED_SUFFIXES)}"
            )
        if status.st_size > MOST_BYTES:
            raise LimitError(f"{_shown(path)} is larger than {MOST_BYTES} bytes, the most that is read")
        return file

    def targets(self, path: str | Path, count: int, suffixes: Sequence[str], *, overwrite: bool) -> list[Path]:
        """Where so many results go: numbered, where there are several. suffixes: what the name may end in.

        Raises:
            OutputError, InputError: one lies elsewhere, is a link, a folder or a device, or exists and may not be
                replaced; its folder is not there, or the name ends in something else.
        """
        file = self._place(str(path))
        if file.suffix.lower() not in suffixes:
            raise OutputError(f"{_shown(str(path))} was to be written; wanted a name that ends in {suffixes[0]}")
        targets = [self._place(name) for name in paths.numbered(str(file), count)]
        for target in targets:
            if target.exists() and not overwrite:
                raise OutputError(f"{target} exists already; give another name, or overwrite=true to replace it")
            paths.check_target(str(target), set(), overwrite=True)
        return targets

    def songs(self) -> tuple[list[Path], bool]:
        """The songs in the folders, by path, and whether these are all: a long list is cut."""
        found: list[Path] = []
        for seen, file in enumerate(path for root in self.roots for path in _files(root)):
            if len(found) == MOST_LISTED or seen == _MOST_SEEN:
                return sorted(found), False
            if file.suffix.lower() in SONG_SUFFIXES:
                found.append(file)
        return sorted(found), True

    def _place(self, path: str) -> Path:
        """Where a path leads: inside one of the folders, by way of no link.

        Raises:
            InputError: it leads elsewhere.
        """
        if not path or len(path) > _MOST_LETTERS or not path.isprintable():
            raise InputError(f"the path {_shown(path)} is none of a file; give one such as {self.roots[0]}/song.mid")
        given = Path(path)
        if ".." in given.parts:
            raise InputError(f"{_shown(path)} has '..' in it; give the path without")
        inside = [(root, rest) for root in self.roots if (rest := self._inside(given, root)) is not None]
        if not inside:
            there = ", ".join(map(str, self.roots))
            raise InputError(f"{_shown(path)} lies outside the folders that are open here; these are {there}")
        root, rest = next((pair for pair in inside if os.path.lexists(pair[0] / pair[1])), inside[0])
        place = root
        for part in rest.parts:
            place /= part
            if place.is_symlink():
                raise InputError(f"{_shown(path)} leads over a link, {place}, and none is followed")
        if not place.resolve().is_relative_to(root):  # other kinds of links than symbolic ones
            raise InputError(f"{_shown(path)} leads out of {root}, and only what lies in it is open here")
        return place

    def _inside(self, path: Path, root: Path) -> Path | None:
        """The way from a folder to a path; None if it is not in it."""
        if not path.is_absolute():
            return None if path.drive or path.root else path
        for folder in (root, self._named[self.roots.index(root)]):
            if path.is_relative_to(folder):
                return path.relative_to(folder)
        return None


def _files(folder: Path) -> Iterator[Path]:
    """All files in a folder and those in it, by way of no link."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and not path.is_symlink():
                yield path


def _shown(path: str) -> str:
    """A path as a message has it."""
    cut = path if len(path) <= _SHOWN_LETTERS else f"{path[:_SHOWN_LETTERS]}..."
    return files.named(cut) or "''"
