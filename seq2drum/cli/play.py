"""Mode play: guitar and drums through the loudspeakers, or into a WAV file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.cli import duets, exports, speakers
from seq2drum.console import paths, shared
from seq2drum.console.terminal import standard_output
from seq2drum.errors import OptionError
from seq2drum.system import files

if TYPE_CHECKING:
    from seq2drum.music.duet import Duet


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the songs, the sound, and the output."""
    parser.usage = "%(prog)s SONG [DRUMS] [options]"
    parser.description = "Plays guitar and drums through the loudspeakers, or into a file. Needs FluidSynth."
    parser.epilog = """examples:
  seq2drum --mode play song.drums.mid
  seq2drum --mode play song.mid other_drums.mid --bars 9:16 -o song.wav"""
    duets.add_options(parser)
    shared.add_output(parser, "a file, .wav (default: the loudspeakers)", metavar="FILE")
    exports.add_soundfont(parser)
    shared.add_force(parser)


def run(options: argparse.Namespace) -> int:
    """Render and play, or write; returns the exit code."""
    from seq2drum.show import sound

    if options.output not in (None, "-"):
        if Path(options.output).suffix.lower() != ".wav":
            raise OptionError(f"--mode play writes .wav, and {Path(options.output).name!r} ends otherwise")
        paths.check_target(options.output, paths.identities(options.files), overwrite=options.force)
    duet = duets.read(options)
    span = _span(duet, options.bars)
    players = speakers.players() if options.output is None else []
    sound.check(exports.sounds(options))
    exports.tell_if_cut(duet, span)
    data = speakers.rendered(duet, exports.sounds(options), span)
    if options.output is not None:
        paths.write(data, options.output, overwrite=options.force)
        if options.output != "-":
            with standard_output():
                print(f"{files.named(options.output)}: {sound.clock(sound.lasts(data))} of sound", flush=True)
        return 0
    speakers.play(data, players)
    return 0


def _span(duet: Duet, bars: tuple[int, int] | None) -> tuple[int, int] | None:
    """The ticks of some bars, counted from 1."""
    if bars is None:
        return None
    first, last = bars
    count = len(duet.song.bars())
    if not 1 <= first <= last <= count:
        raise OptionError(f"--bars is {first}:{last}, and the song has bars 1 to {count}")
    return duet.song.bars()[first - 1].start, duet.song.bars()[last - 1].end
