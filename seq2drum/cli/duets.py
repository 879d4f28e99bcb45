"""Guitar and drums to be shown or played, from the named files: a song with its drums, or one file of each."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.console import maps, paths, shared
from seq2drum.console.terminal import as_text, say
from seq2drum.errors import InputError, NoGuitarError, NoNotesError, OptionError, Seq2DrumError
from seq2drum.music.limits import SONG_SUFFIXES

if TYPE_CHECKING:
    from seq2drum.music.duet import Duet
    from seq2drum.music.notes import Song


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `read` uses, and --bars."""
    shared.add_songs(parser, "a song with its drums, or a guitar's file and its drums' file; - is standard input")
    shared.add_choice(parser, "bars", help="only these bars")
    shared.add_choice(parser, "track")
    maps.add_drum_map(parser, default=None)


def read(options: argparse.Namespace) -> Duet:
    """The guitar and the drums of one file or two; "-" is a MIDI file on standard input.

    Drums alone that the program has written for a song get the guitar of that song, if it is still beside them. Missing
    parts, and parts taken from another file, are reported.

    Raises:
        OptionError: no file, too many, or a folder; no such track or drum map.
        InputError: a file cannot be read, or there is neither guitar nor drums.
    """
    from seq2drum.music import drum_maps, duet, theory

    names, mode = options.files, options.mode
    if not names:
        raise OptionError(f"--mode {mode} wants a song: a MIDI file, a tab or a score, or - for standard input")
    if len(names) > 2:
        raise OptionError(f"--mode {mode} wants one song, or a guitar's file and its drums'; found {len(names)} files")
    drum_map = None if options.drum_map is None else drum_maps.load(options.drum_map)
    songs = [song_of(name, mode) for name in names]
    if len(names) == 1 and not _pitched(songs[0]):
        songs = [*_guitar_beside(names[0], mode), *songs]
    pair = duet.of_songs(songs, track=options.track, drum_map=drum_map)
    if len(names) == 2 and not (pair.guitars and len(pair.drums)):
        missing = "drums" if pair.guitars else "a guitar"
        raise InputError(f"of {' and '.join(map(repr, names))} none has {missing}; name one file, or other ones")
    if not pair.guitars:
        try:
            theory.guitar_parts(songs[0])
        except (NoGuitarError, NoNotesError) as problem:
            if _pitched(songs[0]):
                say(f"the drums alone: {problem}")
    return pair


def title(options: argparse.Namespace) -> str:
    """The title of a picture of these files: the name of the first, without the program's own suffix."""
    name: str = options.files[0]
    if name == "-":
        return ""
    return as_text(paths.OURS.sub("", Path(name).name) if paths.is_ours(name) else Path(name).stem)


def _pitched(song: Song) -> bool:
    return any(len(part) for part in song.parts if not part.is_drums)


def song_of(name: str, mode: str) -> Song:
    """The song of a file; "-" is a MIDI file on standard input.

    Raises:
        OptionError: a folder.
        InputError: it cannot be read.
    """
    from seq2drum.formats.opening import open_song

    try:
        if name != "-" and paths.is_folder(name):
            raise OptionError(f"--mode {mode} wants a file, and {name!r} is a folder")
        song = open_song(paths.read(name)).song
    except OptionError:
        raise
    except Seq2DrumError as error:
        raise InputError(paths.about(name, error)) from error
    for remark in song.remarks:
        say(f"{name}: {remark}")
    return song


def _guitar_beside(name: str, mode: str) -> list[Song]:
    """The song that a file of drums was made for; None if there was none or it cannot be read."""
    path = Path(name)
    if not paths.is_ours(path.name):
        return []
    stem = paths.OURS.sub("", path.name)
    kinds = ("", *SONG_SUFFIXES) if Path(stem).suffix.lower() in SONG_SUFFIXES else SONG_SUFFIXES
    sources = (path.with_name(stem + kind) for kind in kinds)
    beside = next((source for source in sources if source.is_file()), None)
    if beside is None:
        return []
    try:
        song = song_of(str(beside), mode)
    except Seq2DrumError as error:
        say(f"the drums alone: {error}")
        return []
    say(f"the guitar is that of {beside}")
    return [song]
