"""Mode show: guitar and drums as a picture, in a file or in the terminal; drums in another format."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.cli import duets
from seq2drum.console import arguments, paths, shared
from seq2drum.console.terminal import bar, can_say, has_colours, standard_output, width
from seq2drum.deliver.export import EXPORTS
from seq2drum.errors import OptionError
from seq2drum.music.limits import DRUM_TEXT_SUFFIXES, MIDI_SUFFIXES

if TYPE_CHECKING:
    from seq2drum.music.duet import Duet
    from seq2drum.music.song_plan import SongPlan

PICTURES = EXPORTS["picture"].suffixes
DRUMS = (MIDI_SUFFIXES[0], *DRUM_TEXT_SUFFIXES)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the files, and the output."""
    parser.usage = "%(prog)s SONG [DRUMS] [options]"
    parser.description = "Shows guitar and drums in the terminal, or draws them into a file."
    parser.epilog = """examples:
  seq2drum --mode show song.drums.mid
  seq2drum --mode show song.mid other_drums.mid --bars 9:16 -o song.png
  seq2drum --mode show painted.png -o painted.mid
  seq2drum --mode show beat.mid -o beat.txt"""
    duets.add_options(parser)
    parser.add_argument(
        "--plan", metavar="FILE", type=arguments.named, help="also show the plan of this file, which --plan-out wrote"
    )
    shared.add_output(
        parser, "a picture, .png or .svg; or the drums alone, .mid or .txt (default: the terminal)", metavar="FILE"
    )
    shared.add_force(parser)


def run(options: argparse.Namespace) -> int:
    """Draw or print; returns the exit code."""
    if options.output is not None:
        suffix = Path(options.output).suffix.lower()
        if suffix not in (*PICTURES, *DRUMS):
            kinds = f"{' or '.join(PICTURES)}, or the drums alone as {' or '.join(DRUMS)}"
            raise OptionError(f"--mode show writes {kinds}, and {options.output!r} ends otherwise")
        if suffix in DRUMS and options.bars:
            raise OptionError(f"--bars is of pictures; {options.output!r} gets all bars of the drums")
        paths.check_target(options.output, paths.identities(options.files), overwrite=options.force)
    first, last = options.bars or (1, None)
    if first < 1 or (last is not None and last < first):
        raise OptionError(f"--bars is {first}:{last}, wanted A:B with 1 <= A <= B")
    if options.plan is not None and options.output is not None and suffix in DRUMS:
        raise OptionError(f"--plan is of pictures; {options.output!r} gets the drums alone")
    duet = duets.read(options)
    plan = _plan(duet, options.plan)
    if options.output is None:
        from seq2drum.show import console

        coloured = has_colours()
        text = console.picture(duet, width=width(), colour=coloured, first_bar=first - 1, last_bar=last, plan=plan)
        with standard_output():
            sys.stdout.write(text if can_say(text) else console.ascii_only(text))
            sys.stdout.flush()
        return 0
    from seq2drum.system import files

    with bar(None, "drawing"):
        data = _drums(duet, suffix) if suffix in DRUMS else _picture(duet, suffix, options, first, last, plan)
        files.write_file(options.output, data, overwrite=options.force)
    with standard_output():
        print(files.named(options.output), flush=True)
    return 0


def _plan(duet: Duet, name: str | None) -> SongPlan:
    """The plan of a file, () without one.

    Raises:
        OptionError: it is no plan, or longer than the song.
    """
    from seq2drum.music import song_plan

    plan = () if name is None else song_plan.read(name)
    song_plan.check_end(plan, len(duet.song.bars()))
    return plan


def _picture(
    duet: Duet, suffix: str, options: argparse.Namespace, first: int, last: int | None, plan: SongPlan
) -> bytes:
    from seq2drum.show import draw

    title = duets.title(options)
    return draw.picture(duet, suffix[1:], title=title, first_bar=first - 1, last_bar=last, plan=plan)


def _drums(duet: Duet, suffix: str) -> bytes:
    """The drums alone, as MIDI or as drum text.

    Raises:
        OptionError: no drums, or not in 4/4 for drum text.
    """
    from dataclasses import replace

    from seq2drum.formats.midi import midi
    from seq2drum.lattice.patterns import text_of_song

    if not len(duet.drums):
        raise OptionError("there are no drums to write; name a file with some")
    if suffix in DRUM_TEXT_SUFFIXES:
        return text_of_song(duet.song, duet.drums).encode()
    return midi.serialise(replace(duet.song, parts=(duet.drums,)))
