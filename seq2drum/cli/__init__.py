"""The command line: flags and printing, nothing else.

A mode is a module here and a line in `MODES`. The module has

    FLAGS               the names of the flags that the mode looks at, its own and those that others add
    add_flags(parser)   adds its own
    run(options)        does it, and returns the exit code
    own_flags(parser)   if it is there, gives flags of other modes the form that they have in this mode alone

Exit codes: 0 all done; 2 something was wrong with what was asked or given, told in one line each; 130 stopped by
Ctrl-C.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import NoReturn

from seq2drum import __version__
from seq2drum.cli import flags
from seq2drum.cli.terminal import StandardOutputError, open_closed_streams, say, say_any_letters
from seq2drum.errors import Seq2DrumError
from seq2drum.models import FAMILIES

MODES = MappingProxyType(
    {
        "demo": ("seq2drum.cli.demo", "see and hear what it does"),
        "infer": ("seq2drum.cli.infer", "make drums for your guitar files"),
        "show": ("seq2drum.cli.show", "see guitar and drums, here or as a picture"),
        "play": ("seq2drum.cli.play", "hear guitar and drums"),
        "humanize": ("seq2drum.cli.humanize", "give stiff drums the feel of a drummer"),
        "prepare": ("seq2drum.cli.prepare", "read your own songs, to learn from them"),
        "train": ("seq2drum.cli.train", "make a drummer from your own songs"),
        "eval": ("seq2drum.cli.evaluate", "measure how good the drums are"),
    }
)
"""Of each mode its module, and what it does."""

_EXAMPLES = """examples:
  seq2drum --mode demo
  seq2drum --mode infer song.mid
  seq2drum --mode infer song.mid --style rock --takes 3 --picture song.png
  seq2drum --mode infer songs/ -o drums/ --seed 3
  seq2drum --mode show song.drums.mid
  seq2drum --mode play song.drums.mid
  seq2drum --mode train --data my_songs --minutes 60"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    open_closed_streams()
    say_any_letters()
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # where it keeps its fonts is of no interest
    modes = {name: import_module(module) for name, (module, _) in MODES.items()}
    parser = _parser(modes)
    if own_flags := getattr(modes.get(_mode(arguments)), "own_flags", None):
        own_flags(parser)
    options = parser.parse_intermixed_args(arguments)
    if options.mode is None:
        parser.error("say what to do: --mode demo shows what it does, --mode infer SONG.mid makes drums")
    try:
        flags.check(parser, options, {name: mode.FLAGS for name, mode in modes.items()})
        code: int = modes[options.mode].run(options)
        return code
    except StandardOutputError as error:
        if not isinstance(error.__cause__, BrokenPipeError):  # whoever stopped reading needs no message
            say(f"seq2drum: {error}")
        # Python would try once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except Seq2DrumError as error:
        say(f"seq2drum: {error}")
        return 2
    except KeyboardInterrupt:
        say("seq2drum: stopped")
        return 130


class _Lines(argparse.HelpFormatter):
    """Leaves a text of several lines as it is."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return text.splitlines() if "\n" in text else super()._split_lines(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class _Parser(argparse.ArgumentParser):
    """Errors are one line here as everywhere."""

    def error(self, message: str) -> NoReturn:
        say(f"seq2drum: {message}; seq2drum --help lists all options")
        raise SystemExit(2)


def _mode(arguments: Sequence[str] | None) -> str:
    """Which mode is asked for, as far as that can be told before all flags are known; "" if it cannot."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--mode", nargs="?", default="")
    return parser.parse_known_args(arguments)[0].mode or ""


def _parser(modes: dict[str, ModuleType]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="seq2drum",
        description="A drummer for your guitar: a guitar MIDI file goes in, a drum MIDI file comes out.",
        usage="%(prog)s --mode MODE [SONG ...] [-o FILE|DIR] [options]",
        epilog=_EXAMPLES,
        formatter_class=_Lines,
        conflict_handler="resolve",
    )
    parser.add_argument("--version", action="version", version=f"seq2drum {__version__}")
    parser.add_argument(
        "--mode",
        metavar="MODE",
        choices=tuple(modes),
        help="\n".join(f"{name:9} {told}" for name, (_, told) in MODES.items()),
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="which take, or which training run (default: 0)"
    )
    parser.add_argument(
        "--model",
        metavar="NAME|DIR",
        help="infer: a model in the package, or the folder of a training run (default: the one in the box); "
        f"train: the family, {' or '.join(FAMILIES)} (default: attention)",
    )
    for mode in modes.values():
        mode.add_flags(parser)
    return parser
