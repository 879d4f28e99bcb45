"""Mode humanize: a stiff drum file gets a drummer's velocities and timing."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from seq2drum.console import paths, shared
from seq2drum.console.terminal import standard_output
from seq2drum.errors import InputError, OptionError
from seq2drum.music.limits import NOTE_SUFFIXES
from seq2drum.music.options import CHOICES
from seq2drum.system import files


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the songs, and the feel."""
    parser.usage = "%(prog)s SONG [SONG ...] [options]"
    parser.description = (
        "Gives the drums of a file the velocities and the timing of a drummer. All else of a MIDI file stays; a tab or"
        " a score becomes one."
    )
    parser.epilog = """examples:
  seq2drum --mode humanize stiff.mid
  seq2drum --mode humanize songs/ -o human/ --humanize 0.7"""
    shared.add_songs(parser, "files with drums, folders of them, or - for standard input")
    shared.add_output(parser, shared.where_drums_go(paths.HUMAN_SUFFIX))
    shared.add_choice(parser, "humanize", default=1.0, help="0 stiff, 1 as human as drummers are (default: 1)")
    shared.add_choice(parser, "swing", help=f"{CHOICES['swing'].help} (default: no off-beat moves)")
    shared.add_choice(parser, "style", help="how drummers of a style strike, or auto (default)")
    shared.add_choice(parser, "seed", help="which performance (default: 0)")
    shared.add_force(parser)


def run(options: argparse.Namespace) -> int:
    """Humanise the drums of each file; returns the exit code."""
    from seq2drum.formats.midi import midi
    from seq2drum.formats.opening import open_drums
    from seq2drum.music import theory
    from seq2drum.music.notes import Song, merge_drums
    from seq2drum.play.feel.feel import Feel
    from seq2drum.play.feel.humanise import humanise_song

    if not options.files:
        raise OptionError("--mode humanize wants a file with drums, a folder of them, or - for standard input")
    humanise = partial(
        humanise_song,
        Feel.load(),
        amount=options.humanize,
        swing=options.swing,
        seed=options.seed,
        style=shared.style(options),
    )
    humanise(Song(480, (), length=1920))  # refuses impossible options once, instead of with every file
    jobs = paths.jobs(options.files, options.output, NOTE_SUFFIXES, paths.HUMAN_SUFFIX)

    def write(source: str, targets: Sequence[str]) -> None:
        song, data = open_drums(paths.read(source))
        original = data or midi.serialise(song)
        if not any(part.is_drums and len(part) for part in song.parts):
            raise InputError(theory.no_drums(song))
        drums = [part for part in humanise(song).parts if part.is_drums and len(part)]
        done = midi.with_drums(original, merge_drums(drums, kit=max(drums, key=len), name=drums[0].name))
        paths.write(done, targets[0], overwrite=options.force)
        if targets[0] != "-":
            with standard_output():
                print(files.named(targets[0]), flush=True)

    return paths.each([(source, [target]) for source, target in jobs], options.force, "humanising", write)
