"""Mode jam: a drummer who plays along, and does not know what comes."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum import files
from seq2drum.cli import exports, in_time, maps, paths, shared
from seq2drum.cli.terminal import as_text
from seq2drum.deliver import Played
from seq2drum.errors import OptionError
from seq2drum.music.limits import SONG_SUFFIXES

if TYPE_CHECKING:
    from seq2drum.music.notes import Song
    from seq2drum.play.engine import Engine
    from seq2drum.play.options import Options
    from seq2drum.play.signs import Sign
    from seq2drum.play.take import Take

MADE = ".jam.mid"
CHOSEN = {
    shared.WHAT: ("style", "intensity", "complexity", "seed", "temperature", "top_p", "track", "groove", "fills"),
    "the end, the kit and its feel": ("ending", "pieces", "time", "without", "humanize", "swing"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add who plays the guitar, what a musician can choose, and what is written."""
    parser.usage = (
        "%(prog)s --in PORT|SONG --out PORT [options]\n       %(prog)s --in SONG --fast [--out FILE] [options]"
    )
    parser.description = (
        "A drummer who plays along: counts in, hears the guitar as it is played, and decides each bar shortly before it"
        " begins. The guitar is at a MIDI port, or a file plays it; what was heard is written, guitar and drums."
    )
    parser.epilog = """examples:
  seq2drum --mode jam --in "My guitar" --out "My drums" --bpm 96
  seq2drum --mode jam --in virtual --out virtual --clock-in
  seq2drum --mode jam --in riff.mid --out jam.mid --fast
  seq2drum --mode jam --in riff.mid --fast --signs 8:section,16:section=A"""
    who = parser.add_argument_group("the guitarist")
    who.add_argument(
        "--in",
        dest="source",
        metavar="PORT|SONG",
        help="a MIDI port, virtual for a new one, a MIDI or MusicXML file, or - for MIDI on stdin",
    )
    who.add_argument("--fast", action="store_true", help="a file as fast as it goes, not in time")
    who.add_argument(
        "--signs",
        type=_signs,
        default=(),
        metavar="BAR:SIGN,...",
        help="what the guitarist shows the drummer in a bar, who does it in the next: fill, section or section=LETTER,"
        " intensity=0..1, stop",
    )
    for title, names in CHOSEN.items():
        group = parser.add_argument_group(title)
        for name in names:
            shared.add_choice(group, name)
        if title == shared.WHAT:
            group.add_argument(
                "--model",
                default="live",
                metavar="NAME|DIR",
                help="a model in the package, or the folder of a training run (default: live)",
            )
    output = parser.add_argument_group("output")
    output.add_argument(
        "-o",
        "--out",
        dest="output",
        metavar="PORT|FILE",
        help=f"in time a MIDI port, or virtual for a new one; with --fast where to write (default: SONG{MADE})",
    )
    in_time.add_options(parser)
    shared.add_session(output)
    parser.set_defaults(count_in=1)
    maps.add_drum_map(output)
    exports.add_options(output)
    shared.add_explain(output)
    shared.add_json(output)
    shared.add_force(output)


def run(options: argparse.Namespace) -> int:
    """Play along with a song; returns the exit code."""
    from seq2drum.formats.opening import open_song
    from seq2drum.play import engine
    from seq2drum.play.options import Options

    if options.ports:
        return in_time.list_ports()
    names = [name for group in CHOSEN.values() for name in group] + ["drum_map"]
    wanted = Options(**{name: getattr(options, name) for name in names} | {"style": shared.style(options)})
    exports.session(options)  # what makes no sense is refused before anything is played
    if options.source is None:
        raise OptionError("--mode jam wants a guitarist: name a MIDI port or file with --in; --ports lists the ports")
    if paths.is_folder(options.source):
        raise OptionError(f"--in wants a port or a file, and {files.named(options.source)} is a folder")
    if not options.fast:
        song = open_song(paths.read(options.source))[0] if _is_file(options.source) else None
        signs = _in_song(song, options.signs) if song else ()
        return in_time.run(options, wanted, engine.load(options.model), song, signs)
    in_time.refuse(options)
    ((source, target),) = paths.jobs([options.source], options.output, SONG_SUFFIXES, MADE)
    also = exports.wanted(options)
    player = engine.load(options.model)

    def play(source: str, targets: Sequence[str]) -> None:
        begun = time.perf_counter()
        take = _played(player, source, wanted, options)
        title = as_text("Jam" if source == "-" else Path(source).stem)
        played = Played([take], title, exports.session(options), options.soundfont)
        exports.keep(played, options, source, targets[:1], also, begun, with_guitar=True)

    return paths.each([(source, [target, *also.values()])], options.force, "playing", play)


def _played(player: Engine, source: str, wanted: Options, options: argparse.Namespace) -> Take:
    from seq2drum.formats.opening import open_song
    from seq2drum.play.guitarist import jammed

    song, data = open_song(paths.read(source))
    return jammed(player, song, wanted, signs=_in_song(song, options.signs), source=data)


def _is_file(name: str) -> bool:
    """Whether what plays the guitar is a file, and no port."""
    return name == "-" or Path(name).suffix.lower() in SONG_SUFFIXES or Path(name).exists()


def _in_song(song: Song, signs: tuple[tuple[int, str, str], ...]) -> list[Sign]:
    """The signs with their moments in a song: the first beats of their bars.

    Raises:
        OptionError: the song has no such bar, or a sign makes no sense.
    """
    from seq2drum.play.signs import FILL, INTENSITY, SECTION, STOP, Sign

    bars, found = song.bars(), []
    for number, what, text in signs:
        if not 1 <= number <= len(bars):
            raise OptionError(f"a sign is given in bar {number}, but the song has {len(bars)}")
        sign = Sign(bars[number - 1].start / song.ticks_per_quarter, what, _value(what, text))
        sign.check((FILL, SECTION, INTENSITY, STOP))
        found.append(sign)
    return found


def _value(what: str, text: str) -> float | str | None:
    from seq2drum.play.signs import INTENSITY

    try:
        return float(text) if what == INTENSITY else text or None
    except ValueError:
        return text  # which the check refuses


def _signs(text: str) -> tuple[tuple[int, str, str], ...]:
    """BAR:SIGN or BAR:SIGN=VALUE, several of them with commas between: (bar, sign, value) of each."""
    signs = []
    for part in text.split(","):
        bar, colon, sign = part.strip().partition(":")
        what, _, value = sign.partition("=")
        if not colon or not bar.isascii() or not bar.isdigit():
            raise argparse.ArgumentTypeError(f"wanted BAR:SIGN such as 8:fill, found {part!r}")
        signs.append((int(bar), what.strip().casefold(), value.strip()))
    return tuple(signs)
