"""A recording, or a take that was played without a click: what one may say of its beats, and what was found of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from seq2drum.cli import paths
from seq2drum.cli.shared import Container
from seq2drum.errors import OptionError

if TYPE_CHECKING:
    from seq2drum.lattice.beats import Timing
    from seq2drum.music.notes import Song


def add_options(to: Container) -> None:
    """Add what one may say of the beats of a recording."""
    to.add_argument("--bpm", type=float, metavar="B", help="its tempo, in quarters a minute, if it never changes")
    to.add_argument("--metre", type=_metre, metavar="N/D", help="its metre, such as 4/4, 3/4 or 7/8")
    to.add_argument("--first-downbeat", type=float, metavar="SECONDS", help="when a bar begins, such as the first")
    to.add_argument(
        "--beat-scale", type=float, default=1.0, metavar="2|0.5", help="twice or half the beats that were found"
    )


def timing(options: argparse.Namespace) -> Timing:
    """What was said of the beats.

    Raises:
        OptionError: a value is out of its range.
    """
    from seq2drum.lattice.beats import Timing

    return Timing(options.bpm, options.metre, options.first_downbeat, options.beat_scale)


def song(source: str, options: argparse.Namespace) -> Song | bytes | str:
    """What to give to the drummer for a file: the song of a recording, or else the file itself.

    Raises:
        OptionError: something is said of beats that the file has itself.
        InputError: it cannot be read.
    """
    from seq2drum.formats import opening, recording
    from seq2drum.lattice.beats import Timing

    given, said = paths.read(source), timing(options)
    if isinstance(given, str):
        kind, data = opening.recognised(given)
        if kind is opening.RECORDING:
            return recording.read(data, said)
    if said != Timing():
        raise OptionError(
            "--bpm, --metre, --first-downbeat and --beat-scale are for recordings, and this file has bars"
        )
    return given


def _metre(text: str) -> tuple[int, int]:
    numerator, _, denominator = text.partition("/")
    try:
        return int(numerator), int(denominator)
    except ValueError:
        raise argparse.ArgumentTypeError(f"wanted a metre such as 4/4 or 7/8, found {text!r}") from None
