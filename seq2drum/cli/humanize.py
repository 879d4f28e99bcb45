"""Mode humanize: a stiff drum file is struck as a drummer would strike it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from seq2drum import files
from seq2drum.cli import paths
from seq2drum.cli.terminal import standard_output
from seq2drum.errors import InputError, OptionError
from seq2drum.music.limits import DEFAULT_LIMITS, MIDI_SUFFIXES

if TYPE_CHECKING:
    from seq2drum.music.notes import Song

FLAGS = ("seed", "files", "output", "humanize", "swing", "style", "force")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add nothing: its flags are those of playing."""


def run(options: argparse.Namespace) -> int:
    """Humanise the drums of each file; returns the exit code."""
    from seq2drum.formats import midi
    from seq2drum.music.notes import Song
    from seq2drum.play import feel

    if not options.files:
        raise OptionError("--mode humanize wants a MIDI file with drums, a folder of them, or - for standard input")
    humanise = partial(
        feel.Feel.load().humanise_song,
        amount=1.0 if options.humanize is None else options.humanize,
        swing=options.swing,
        seed=options.seed,
        style=None if options.style == "auto" else options.style,
    )
    humanise(Song(480, (), length=1920))  # what makes no sense is told once, and not with every file
    jobs = paths.jobs(options.files, options.output, MIDI_SUFFIXES, paths.HUMAN_SUFFIX)

    def write(source: str, targets: Sequence[str]) -> None:
        given = paths.read(source)
        data = given if isinstance(given, bytes) else files.read_file(given, DEFAULT_LIMITS.file_bytes)
        done = _with_drums(data, humanise(_with_notes(midi.parse(data))))
        paths.write(done, targets[0], overwrite=options.force)
        if targets[0] != "-":
            with standard_output():
                print(targets[0], flush=True)

    return paths.each([(source, [target]) for source, target in jobs], options.force, "humanising", write)


def _with_notes(song: Song) -> Song:
    if not any(part.is_drums and len(part) for part in song.parts):
        raise InputError("there are no drums in it; wanted are notes on MIDI channel 10")
    return song


def _with_drums(data: bytes, song: Song) -> bytes:
    """The original file with the drums of a song: all that is no drum note stays as it was."""
    import numpy as np

    from seq2drum.formats import midi
    from seq2drum.music.notes import Part

    drums = [part for part in song.parts if part.is_drums and len(part)]
    rows = np.concatenate([part.rows for part in drums])
    return midi.with_drums(data, Part.of(rows, name=drums[0].name, is_drums=True))
