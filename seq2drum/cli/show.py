"""Mode show: guitar and drums as a picture, in a file or in the terminal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from seq2drum.cli import duets, paths, shared
from seq2drum.cli.exports import EXPORTS
from seq2drum.cli.terminal import bar, can_say, has_colours, standard_output, width
from seq2drum.errors import OptionError

PICTURES = EXPORTS["picture"].suffixes


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what is shown, and where."""
    parser.usage = "%(prog)s SONG [DRUMS] [options]"
    parser.description = "Shows guitar and drums in the terminal, or draws them into a file."
    parser.epilog = """examples:
  seq2drum --mode show song.drums.mid
  seq2drum --mode show song.mid other_drums.mid --bars 9:16 -o song.png"""
    duets.add_options(parser)
    shared.add_output(parser, "a picture, .png or .svg (default: the terminal)", metavar="FILE")
    shared.add_force(parser)


def run(options: argparse.Namespace) -> int:
    """Draw or print; returns the exit code."""
    if options.output is not None:
        suffix = Path(options.output).suffix.lower()
        if suffix not in PICTURES:
            raise OptionError(f"--mode show writes {' or '.join(PICTURES)}, and {options.output!r} ends otherwise")
        paths.check_target(options.output, paths.identities(options.files), overwrite=options.force)
    first, last = options.bars or (1, None)
    if first < 1 or (last is not None and last < first):
        raise OptionError(f"--bars is {first}:{last}, wanted A:B with 1 <= A <= B")
    duet = duets.read(options)
    if options.output is None:
        from seq2drum.show import console

        text = console.picture(duet, width=width(), colour=has_colours(), first_bar=first - 1, last_bar=last)
        with standard_output():
            sys.stdout.write(text if can_say(text) else console.ascii_only(text))
            sys.stdout.flush()
        return 0
    from seq2drum import files
    from seq2drum.show import draw

    with bar(None, "drawing"):
        title = duets.title(options)
        data = draw.picture(duet, suffix[1:], title=title, first_bar=first - 1, last_bar=last)
        files.write_file(options.output, data, overwrite=options.force)
    with standard_output():
        print(options.output, flush=True)
    return 0
