"""What else is made of a take, besides its MIDI file: a score, a picture, sound, a REAPER project.

Each is a flag that names a file, and a line in `BESIDES`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from seq2drum.errors import OptionError

if TYPE_CHECKING:
    from seq2drum.drummer import Take


class Beside(NamedTuple):
    """One of them.

    suffixes: how its file's name may end, if that matters. make: from takes, the best first, a title and the suffix to
    the file's bytes. check: raises an error if it cannot be made on this machine.
    """

    suffixes: tuple[str, ...]
    make: Callable[[Sequence[Take], str, str], bytes]
    check: Callable[[str], None] = lambda suffix: None


def _score(takes: Sequence[Take], title: str, suffix: str) -> bytes:
    from seq2drum import score

    best = takes[0]
    data = score.write_score(best.song, best.standard_part, title)
    if suffix != ".svg":
        return data
    from seq2drum import engraving

    return engraving.svg(data)


def _check_score(suffix: str) -> None:
    if suffix == ".svg":
        from seq2drum import engraving

        engraving.check()


def _picture(takes: Sequence[Take], title: str, suffix: str) -> bytes:
    from seq2drum import draw

    return draw.picture(takes[0].duet, suffix[1:], title=title)


def _wav(takes: Sequence[Take], title: str, suffix: str) -> bytes:
    from seq2drum import sound

    return sound.wav(takes[0].duet)


def _check_wav(suffix: str) -> None:
    from seq2drum import sound

    sound.check()


def _rpp(takes: Sequence[Take], title: str, suffix: str) -> bytes:
    from seq2drum import rpp

    return rpp.write_rpp(takes[0].song, [take.part for take in takes], title)


BESIDES: Mapping[str, Beside] = MappingProxyType(
    {
        "score": Beside((), _score, _check_score),
        "picture": Beside((".png", ".svg"), _picture),
        "wav": Beside((".wav",), _wav, _check_wav),
        "rpp": Beside((), _rpp),
    }
)


def wanted(options: argparse.Namespace) -> dict[str, str]:
    """Which of them are asked for: the flag's name, and the file's.

    Raises:
        OptionError: a name ends in what cannot be written, or is that of standard output.
        MissingExtraError: what makes it is not installed.
    """
    found = {flag: name for flag in BESIDES if (name := getattr(options, flag))}
    for flag, name in found.items():
        beside, suffix = BESIDES[flag], _suffix(name)
        if name == "-":
            raise OptionError(f"--{flag} wants a file of its own")
        if beside.suffixes and suffix not in beside.suffixes:
            raise OptionError(f"--{flag} writes {' or '.join(beside.suffixes)}, and {Path(name).name!r} ends otherwise")
        beside.check(suffix)
    return found


def write(flag: str, name: str, takes: Sequence[Take], title: str, *, overwrite: bool) -> None:
    """Make one of them and write it, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from seq2drum import files

    files.write_file(name, BESIDES[flag].make(takes, title, _suffix(name)), overwrite=overwrite)


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()
