"""Soundfonts: where they lie on this machine, and whether one has what a song needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from seq2drum.music.theory import GUITAR_PROGRAMS

VARIABLE = "SEQ2DRUM_SOUNDFONT"
"""The environment variable that may name a soundfont."""

_BEST = ("default", "fluidr3", "generaluser", "ms basic", "musescore", "timgm")  # the start of names, best first
_MOST_FILES = 200  # that are looked at in a folder


def installed() -> Iterator[Path]:
    """Files that may be soundfonts in the places where they lie, those known to be General MIDI first."""
    paths: list[Path] = []
    for folder in _folders():
        try:
            inside = sorted(folder.iterdir())[:_MOST_FILES]
        except OSError:
            continue
        paths += [path for path in inside if path.suffix.lower() in (".sf2", ".sf3")]
    rank = {name: place for place, name in enumerate(_BEST)}
    yield from sorted(
        paths, key=lambda path: next((rank[name] for name in _BEST if path.name.lower().startswith(name)), len(rank))
    )


def _folders() -> list[Path]:
    try:
        home = Path.home()
    except RuntimeError:  # whoever runs this has none
        home = Path("/nonexistent")
    if sys.platform == "darwin":
        shared = ("/Library/Audio/Sounds/Banks", "/opt/homebrew/share/soundfonts", "/usr/local/share/soundfonts")
        musescore = _musescore("/Applications", "{}.app/Contents/Resources")
        return [home / "Library/Audio/Sounds/Banks", *map(Path, shared), *musescore]
    if sys.platform == "win32":
        data = Path(os.environ.get("PROGRAMDATA", "C:/ProgramData"), "soundfonts")
        return [Path("C:/soundfonts"), data, *_musescore(os.environ.get("PROGRAMFILES", "C:/Program Files"), "{}")]
    kinds = ("soundfonts", "sounds/sf2", "sounds/sf3")
    return [Path(top, kind) for top in (home / ".local/share", "/usr/local/share", "/usr/share") for kind in kinds]


def _musescore(top: str, folder: str) -> list[Path]:
    """Where MuseScore keeps its own: it is what many have, and of General MIDI."""
    return [Path(top, folder.format(f"MuseScore {number}"), "sound") for number in (4, 3)]


_DRUM_BANK = 128
_MOST_PRESETS = 1 << 20  # bytes


def trouble(path: Path, *, guitars: bool = True) -> str | None:
    """What is wrong with a soundfont, or None. guitars: whether it is to have some.

    Its list of presets is read (SoundFont 2.04, section 7.2): FluidSynth itself says nothing of a file that it cannot
    read, and takes another.
    """
    if not path.is_file():
        return "there is no such file"
    try:
        with path.open("rb") as file:
            presets = _presets(file)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if presets is None:
        return "it is no soundfont"
    if not any(bank == _DRUM_BANK for bank, _ in presets):
        return "it has no drums"
    if guitars and not any(bank == 0 and program in GUITAR_PROGRAMS for bank, program in presets):
        return "it has no guitars"
    return None


def drum_programs(path: Path) -> list[int]:
    """The programs of a soundfont's drum kits, in order; none if it is no soundfont."""
    with path.open("rb") as file:
        return sorted(program for bank, program in _presets(file) or () if bank == _DRUM_BANK)


def _presets(file: BinaryIO) -> set[tuple[int, int]] | None:
    """The presets of a soundfont, (bank, program); None if it is no soundfont."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        return None
    while len(chunk := file.read(12)) == 12:
        size = int.from_bytes(chunk[4:8], "little")
        if chunk[:4] == b"LIST" and chunk[8:] == b"pdta":
            kind, size = file.read(4), int.from_bytes(file.read(4), "little")
            records = file.read(min(size, _MOST_PRESETS)) if kind == b"phdr" else b""
            table = np.frombuffer(records[: len(records) // 38 * 38], np.uint8).reshape(-1, 38)[:-1]  # the last ends it
            words = np.ascontiguousarray(table[:, 20:24]).view("<u2")
            return {(int(bank), int(program)) for program, bank in words}
        file.seek(size + size % 2 - 4, os.SEEK_CUR)
    return None
