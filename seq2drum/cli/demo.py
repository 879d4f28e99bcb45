"""Mode demo: a tour in ten seconds, from a song that comes with the project."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from seq2drum.cli import exports
from seq2drum.console import shared
from seq2drum.console.terminal import bar, say, standard_output
from seq2drum.errors import MissingExtraError, OptionError, OutputError
from seq2drum.system import files

if TYPE_CHECKING:
    from seq2drum.play.take import Take
    from seq2drum.show.kits import Sounds

FOLDER = "seq2drum-demo"
SONG = Path(__file__).parents[1] / "songs" / "blues_shuffle.mid"
TITLE = "Blues shuffle"
GUITAR, DRUMS, TOGETHER, PICTURE, SOUND = "guitar.mid", "drums.mid", "song.mid", "picture.png", "sound.wav"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the output folder and the soundfont."""
    parser.usage = "%(prog)s [options]"
    parser.description = "Plays to a song of the package, and writes MIDI, a picture and sound."
    parser.epilog = """examples:
  seq2drum --mode demo
  seq2drum --mode demo -o listen"""
    shared.add_output(parser, f"the folder to write into (default: {FOLDER})", metavar="DIR")
    exports.add_soundfont(parser)
    shared.add_force(parser)


def run(options: argparse.Namespace) -> int:
    """Play to the song, and write all outputs; returns the exit code."""
    from seq2drum.play.drummer import Drummer

    guitar = SONG.read_bytes()
    sounds = exports.sounds(options)
    if options.soundfont is not None or options.kit is not None:
        _check(sounds)
    folder = _folder(options.output or FOLDER, guitar, force=options.force)
    with standard_output():
        print(f"{files.named(folder)}:", flush=True)
    with bar(None, "playing"):
        _write(folder, _File(GUITAR, guitar, "what goes in: a guitar, two choruses of a blues"), options.force)
        take = Drummer.load().accompany(guitar)
        for made in _made(take, sounds):
            _write(folder, made, options.force)
    with standard_output():
        print("now your own: seq2drum --mode infer YOUR.mid", flush=True)
    return 0


class _File(NamedTuple):
    name: str
    data: bytes
    what: str


def _made(take: Take, sounds: Sounds) -> Iterator[_File]:
    """All outputs, one after the other: the picture and the sound are slow."""
    from seq2drum.show import draw, sound

    yield _File(DRUMS, take.to_bytes(), "what comes out: the drums that were played to it")
    yield _File(TOGETHER, take.to_bytes(with_guitar=True), "both, for any MIDI player or DAW")
    yield _File(PICTURE, draw.picture(take.duet, "png", title=TITLE, plan=take.plan), "both, to look at")
    try:
        data = sound.wav(take.duet, sounds=sounds)
    except (MissingExtraError, OptionError, OutputError) as error:
        say(f"no {SOUND}: {error}")
        return
    yield _File(SOUND, data, f"both, to listen to: {sound.clock(sound.lasts(data))}")


def _check(sounds: Sounds) -> None:
    from seq2drum.show import sound

    try:
        sound.check(sounds)
    except MissingExtraError:
        return  # a missing one is reported at its use


def _folder(name: str, guitar: bytes, *, force: bool) -> Path:
    """The folder, made if necessary. Only a folder that this mode has filled can be filled again.

    Raises:
        OptionError: the name is that of standard output or of a file.
        OutputError: it holds other things; it cannot be made.
    """
    folder = Path(name)
    if name == "-":
        raise OptionError("--mode demo writes several files: -o wants a folder")
    try:
        if folder.exists() and not folder.is_dir():
            raise OptionError(f"{name!r} is a file; -o wants a folder")
        folder.mkdir(parents=True, exist_ok=True)
        before = folder / GUITAR
        ours = before.is_file() and before.stat().st_size == len(guitar) and before.read_bytes() == guitar
        if not (force or ours) and any(folder.iterdir()):
            raise OutputError(f"the folder {name!r} holds other things; name another with -o, or allow it (--force)")
    except OSError as error:
        raise OutputError(f"the folder {name!r} cannot be used ({error.strerror}); name another with -o") from None
    return folder


def _write(folder: Path, file: _File, force: bool) -> None:
    """Write a file and say so. A different existing file belongs to the user.

    Raises:
        OutputError: it exists with other contents; or it cannot be written.
    """
    path = folder / file.name
    same = path.is_file() and path.stat().st_size == len(file.data) and path.read_bytes() == file.data
    if path.exists() and not (same or force):
        raise OutputError(
            f"{files.named(path)} is not what the demo writes and may be yours;"
            " name another folder with -o, or allow it (--force)"
        )
    if not same:
        files.write_file(path, file.data, overwrite=force)
    with standard_output():
        print(f"  {file.name:12} {file.what}", flush=True)
