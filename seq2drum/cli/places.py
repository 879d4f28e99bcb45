"""Which song goes to which file, and what must not be written to. "-" is a standard stream."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from seq2drum.errors import CorpusError, InputError, OptionError, OutputError

OUTPUT_SUFFIX = ".drums.mid"
_SLASHES = ("/", os.sep)


def jobs(files: Sequence[str], output: str | None) -> list[tuple[str, str]]:
    """Which song goes where, (source, target): each file, and each song of each folder.

    Raises:
        OptionError, InputError, CorpusError: it cannot be told, or no song is there.
    """
    from seq2drum import drummer, midi

    music = midi.SUFFIXES | drummer.SCORES
    if not files:
        raise OptionError("--mode infer wants a song: a MIDI or MusicXML file, a folder, or - for standard input")
    sources: list[str] = []
    # A name that ends in a slash is a folder's, whether it is there yet or not.
    several = len(files) > 1 or (output not in (None, "-") and (output.endswith(_SLASHES) or _is_folder(output)))
    for name in files:
        path = Path(name)
        if name != "-" and _is_folder(name):
            several = True
            try:
                found = sorted(child for child in path.iterdir() if child.suffix.lower() in music and child.is_file())
            except OSError as error:
                raise InputError(f"the folder {name!r} cannot be read ({error.strerror})") from None
            found = [child for child in found if not child.name.endswith(OUTPUT_SUFFIX)]
            if not found:
                raise CorpusError(f"there is no MIDI or MusicXML file in the folder {name!r}")
            sources += map(str, found)
        else:
            sources.append(name)
    if not several:
        return [(sources[0], output or _beside(sources[0]))]
    if output == "-":
        raise OptionError("several songs cannot all go to standard output; name a folder with -o DIR")
    targets = [_beside(source) for source in sources]
    if output:
        folder = Path(output)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise OptionError(f"{output!r} is a file; for several songs -o wants a folder") from None
        except OSError as error:
            raise OptionError(f"the folder {output!r} cannot be made ({error.strerror})") from None
        targets = [str(folder / (Path(source).stem + OUTPUT_SUFFIX)) for source in sources]
    twice = {target for target in targets if targets.count(target) > 1}
    if twice:
        raise OptionError(
            f"two songs would both become {min(twice)!r}; give them names of their own, or run them apart"
        )
    return list(zip(sources, targets, strict=True))


def _beside(source: str) -> str:
    return "-" if source == "-" else str(Path(source).with_name(Path(source).stem + OUTPUT_SUFFIX))


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # a name that no file can have; reading or writing it will say so
        return False


def place(name: str) -> tuple[int, int] | None:
    """What makes a file itself, whatever it is called: device and number; None if there is no such file."""
    try:
        found = Path(name).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def check_target(name: str, inputs: set[tuple[int, int]], *, overwrite: bool) -> None:
    """Refuse, before anything is played, what must not be written to.

    inputs: the `place` of each song that was given.

    Raises:
        OutputError, OptionError: the name is a folder or a device, exists, or is a song that was given.
    """
    if name == "-":
        return
    try:
        mode = Path(name).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise OutputError(f"{name} cannot be written ({error.strerror}); name another file with -o") from None
    if stat.S_ISDIR(mode):
        raise OutputError(f"{name} is a folder; name a file in it")
    if not stat.S_ISREG(mode):
        raise OutputError(f"{name} is a device and no file; name a file, or - for standard output")
    if place(name) in inputs:
        raise OptionError(f"{name} is a song that was given, and would be written over; name another file")
    if not overwrite:
        raise OutputError(f"{name} exists already; choose another name or allow overwriting (--force)")
