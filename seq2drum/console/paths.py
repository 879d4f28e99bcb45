"""Songs and the files made from them, and outputs that must not be overwritten. "-" is a standard stream.

Files written by the program are not songs: names with one of its suffixes are skipped in a folder.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from seq2drum.console.terminal import StandardOutputError, bar, say, standard_output
from seq2drum.errors import CorpusError, InputError, OptionError, OutputError, Seq2DrumError
from seq2drum.formats import foreign
from seq2drum.music.limits import DEFAULT_LIMITS
from seq2drum.system import files

OUTPUT_SUFFIX = ".drums.mid"
HUMAN_SUFFIX = ".human.mid"
OURS = re.compile(r"\.(drums(\.\d+)?|human|jam)\.mid$")
KINDS = "MIDI files, tabs, scores or recordings"
"""The kinds of songs, for messages."""
_SLASHES = ("/", os.sep)


def is_ours(name: str) -> bool:
    """Return whether a file of this name was written by the program, so is not a song."""
    return OURS.search(name) is not None


def jobs(
    names: Sequence[str], output: str | None, suffixes: Collection[str], made: str = OUTPUT_SUFFIX
) -> list[tuple[str, str]]:
    """(source, target) for each file, and for each song of each folder.

    suffixes: those of songs in a folder. made: the suffix of an unnamed target.

    Raises:
        OptionError, InputError, CorpusError: an ambiguous target, or no song.
    """
    if "" in names:  # an unset variable of a script, which Python takes for "here"
        raise OptionError("the name of a song is empty; name a file, a folder, or - for standard input")
    # A name that ends in a slash is a folder's, even a missing one.
    into_folder = output not in (None, "-") and (output.endswith(_SLASHES) or is_folder(output))
    folders = {name for name in names if name != "-" and is_folder(name)}
    sources = [song for name in names for song in (_songs_in(name, suffixes) if name in folders else [name])]
    if len(names) == 1 and not (into_folder or folders):
        return [(sources[0], output or named_apart(sources, made)[0])]
    if output == "-":
        raise OptionError("several songs cannot all go to standard output; name a folder with -o DIR")
    targets = named_apart(sources, made, made_folder(output) if output else None)
    twice = [target for target, count in Counter(targets).items() if count > 1]
    if twice:
        raise OptionError(
            f"two songs would both become {min(twice)!r}; give them different names, or run them separately"
        )
    return list(zip(sources, targets, strict=True))


def named_apart(sources: Sequence[str], made: str = OUTPUT_SUFFIX, folder: Path | None = None) -> list[str]:
    """The target of each song: riff.mid becomes riff.drums.mid, in the folder or else beside the song.

    Songs with equal targets, such as riff.mid and riff.gp5, keep the whole of their names: riff.mid.drums.mid and
    riff.gp5.drums.mid. Neither gets the plain name, which can be that of drums from when it was alone.
    """
    whole: set[str] = set()

    def target(source: str) -> str:
        if source == "-" and folder is None:
            return source
        path = Path(source)
        return str((folder or path.parent) / ((path.name if source in whole else path.stem) + made))

    while True:
        targets = [target(source) for source in sources]
        counts = Counter(targets)
        alike = {source for source, name in zip(sources, targets, strict=True) if counts[name] > 1}
        if alike <= whole:
            return targets
        whole |= alike


def _songs_in(folder: str, suffixes: Collection[str]) -> list[str]:
    """The songs of a folder, by name, without files written by the program.

    Raises:
        InputError, CorpusError: the folder cannot be read, or has no song.
    """
    try:
        files_there = sorted(
            child for child in Path(folder).iterdir() if child.suffix.lower() in suffixes and child.is_file()
        )
    except OSError as error:
        raise InputError(f"the folder {folder!r} cannot be read ({error.strerror})") from None
    songs = [str(child) for child in files_there if not is_ours(child.name)]
    if not songs and (project := foreign.of_folder(folder)):
        raise InputError(f"{files.named(folder)}: {project}")
    if not songs:
        kinds = KINDS if ".musicxml" in suffixes else "MIDI files"
        raise CorpusError(f"there is no song in the folder {folder!r}; wanted {kinds}")
    return songs


def made_folder(name: str) -> Path:
    """A folder for several songs, made if necessary.

    Raises:
        OptionError: it cannot be made.
    """
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OptionError(f"{name!r} is a file; for several songs -o wants a folder") from None
    except OSError as error:
        raise OptionError(f"the folder {name!r} cannot be made ({error.strerror})") from None
    return folder


def beat(output: str | None, genres: Iterable[str], bpm: float) -> str:
    """The file of a beat. output: a MIDI file, a folder, - for standard output, or None for the current folder.

    Raises:
        OptionError: not a MIDI file's name, or the folder cannot be made.
    """
    name = f"{'-'.join(genres) or 'any'}-{bpm:g}.mid"
    if output is None or output == "-":
        return output or name
    if output.endswith("/") or is_folder(output) or not Path(output).suffix:
        return str(made_folder(output) / name)
    if Path(output).suffix.lower() not in (".mid", ".midi"):
        raise OptionError(f"-o names a MIDI file or a folder, and {Path(output).name!r} is neither")
    return output


def numbered(target: str, count: int) -> list[str]:
    """The names of several takes: SONG.drums.mid becomes SONG.drums.1.mid and so on; one take keeps the name.

    Raises:
        OptionError: several takes to standard output.
    """
    if count == 1:
        return [target]
    if target == "-":
        raise OptionError(f"{count} takes cannot all go to standard output; name a file with -o FILE")
    path = Path(target)
    return [str(path.with_name(f"{path.stem}.{number}{path.suffix}")) for number in range(1, count + 1)]


def each(
    work: Sequence[tuple[str, Sequence[str]]], overwrite: bool, what: str, do: Callable[[str, Sequence[str]], None]
) -> int:
    """Do something for each source and its targets; report songs that fail, and go on. Returns the exit code."""
    inputs = identities(source for source, _ in work)
    code = 0
    with bar(len(work) if len(work) > 1 else None, what) as advance:
        for source, targets in work:
            try:
                for target in targets:
                    check_target(target, inputs, overwrite=overwrite)
                do(source, targets)
            except StandardOutputError:
                raise
            except Seq2DrumError as error:
                say(f"seq2drum: {about(source, error)}")
                code = 2
            advance(1, "")
    return code


def about(source: str, error: Seq2DrumError) -> str:
    """The message about a failed song: its name once, and the error."""
    message, shown = str(error), "standard input" if source == "-" else files.named(source)
    return message if shown in message else f"{shown}: {message}"


def read(source: str, most: int = DEFAULT_LIMITS.file_bytes) -> bytes | str:
    """The input for a reader of songs: a file's name, or the bytes of standard input, at most one too many.

    most: the limit of a song in bytes.
    """
    return sys.stdin.buffer.read(most + 1) if source == "-" else source


def write(data: bytes, target: str, *, overwrite: bool) -> None:
    """Write a MIDI file, whole or not at all.

    Raises:
        OutputError: it cannot be written; an existing file is untouched.
    """
    if target == "-":
        with standard_output():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        return
    files.write_file(target, data, overwrite=overwrite)


def is_folder(name: str) -> bool:
    """Return whether there is a folder of this name."""
    try:
        return Path(name).is_dir()
    except OSError:  # an impossible file name; reading or writing it will raise
        return False


def identity(name: str) -> tuple[int, int] | None:
    """The identity of a file under any name: device and number; None if there is no such file."""
    try:
        status = Path(name).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def identities(names: Iterable[str]) -> set[tuple[int, int]]:
    """The `identity` of each given song."""
    return {file for name in names if (file := identity(name))}


def check_target(name: str, inputs: set[tuple[int, int]], *, overwrite: bool) -> None:
    """Refuse, before anything is played, an output that must not be written.

    inputs: the `identity` of each given song.

    Raises:
        OutputError, OptionError: a folder or a device, an existing file, a missing folder, or a given song.
    """
    if name == "-":
        return
    try:
        mode = Path(name).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        files.check(Path(name), overwrite=True)  # raises if its folder is missing
        return
    except OSError as error:
        text = f"{files.named(name)} cannot be written ({error.strerror}); name another file with -o"
        raise OutputError(text) from None
    if stat.S_ISDIR(mode):
        raise OutputError(f"{files.named(name)} is a folder; name a file in it")
    if not stat.S_ISREG(mode):
        raise OutputError(f"{files.named(name)} is a device, not a file; name a file, or - for standard output")
    if identity(name) in inputs:
        raise OptionError(f"{files.named(name)} is a song that was given, and would be written over; name another file")
    if not overwrite:
        raise OutputError(f"{files.named(name)} exists already; choose another name or allow overwriting (--force)")
