"""A recording, or a take that was played without a click: what one may say of its beats, and what was found of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NamedTuple

from seq2drum import files
from seq2drum.cli import paths
from seq2drum.cli.shared import Container
from seq2drum.cli.terminal import say
from seq2drum.errors import OptionError, PartNotFoundError
from seq2drum.music.limits import RECORDING_SUFFIXES

if TYPE_CHECKING:
    from seq2drum.lattice.beats import Timing
    from seq2drum.music.notes import Song
    from seq2drum.play.take import Take


_ADVICE = "--bpm, --metre, --first-downbeat, or --beat-scale 2 or 0.5 put it right"


def add_options(to: Container) -> None:
    """Add what one may say of the beats of a recording."""
    to.add_argument("--bpm", type=float, metavar="B", help="its tempo, in quarters a minute, if it never changes")
    to.add_argument("--metre", type=_metre, metavar="N/D", help="its metre, such as 4/4, 3/4 or 7/8")
    to.add_argument("--first-downbeat", type=float, metavar="SECONDS", help="when a bar begins, such as the first")
    to.add_argument(
        "--follow",
        action="store_true",
        help="find the beats of a file that was played without a click",
    )
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


def _check_track(track: str | None) -> None:
    """Refuse a track that no recording has, before it is listened to.

    Raises:
        OptionError: it is not the one part that a recording becomes.
    """
    from seq2drum.formats import recording
    from seq2drum.music import theory

    try:
        theory.choose_parts(recording.ANY, track)
    except PartNotFoundError:
        raise OptionError(
            f"--track {track!r} fits no part; a recording has one, 1 {recording.ANY.parts[0].name!r}; leave it out"
        ) from None


class Given(NamedTuple):
    """What a file is to the drummer.

    song: the song of a recording or of what is followed, or else the file itself. recording: the bytes of the file, if
    it is a recording. found: whether its beats were looked for.
    """

    song: Song | bytes | str
    recording: bytes | None = None
    found: bool = False


def given(source: str, options: argparse.Namespace) -> Given:
    """What to give to the drummer for a file. What was found of the beats is said.

    Raises:
        OptionError: something is said of beats that the file has itself.
        InputError: it cannot be read.
    """
    from seq2drum.formats import opening
    from seq2drum.lattice.beats import Timing

    file, said = paths.read(source), timing(options)
    kind, sound = None, None
    if source.lower().endswith(RECORDING_SUFFIXES):
        kind, file = opening.recognised(file)
    if kind is opening.RECORDING and isinstance(file, bytes):
        from seq2drum.formats import recording  # what hears recordings is loaded for them alone

        sound = file
        _check_track(options.track)
        heard, found = recording.read(sound, said)
    elif options.follow:
        from seq2drum.lattice import placing, pulse
        from seq2drum.music import theory

        played = opening.open_song(file).song
        guitar = theory.choose_parts(played, options.track)
        found = pulse.beats_of(placing.performed(played, guitar.parts), said)
        heard = placing.followed(played, found.beats)
    elif said != Timing():
        raise OptionError(
            "--bpm, --metre, --first-downbeat and --beat-scale are of recordings; this file has bars of its own,"
            " which --follow looks for anew"
        )
    else:
        return Given(file)
    say(f"{files.named(source)}: {found}{'' if found.tempo_sure == 1 else f'; {_ADVICE}'}")
    return Given(heard, sound, found=True)


def warn(source: str, take: Take, given: Given) -> None:
    """Say what the reader of a file left out, and if the guitar misses the grid of the file or the beats found."""
    from seq2drum.lattice import placing

    for remark in take.song.remarks:
        say(f"{files.named(source)}: {remark}")
    missed = placing.missed(take.song, take.guitar.parts)
    if missed.is_free:
        grid, advice = "grid", "was it played without a click? --follow finds its beats"
        if given.found:
            grid, advice = "beats that were found", _ADVICE
        say(
            f"{files.named(source)}: {missed.misses} of {missed.strikes} strikes of the guitar miss the {grid},"
            f" by {missed.by * 1000:.0f} ms (median); {advice}"
        )


def _metre(text: str) -> tuple[int, int]:
    numerator, _, denominator = text.partition("/")
    try:
        return int(numerator), int(denominator)
    except ValueError:
        raise argparse.ArgumentTypeError(f"wanted a metre such as 4/4 or 7/8, found {text!r}") from None
