"""A jam in time on the command line: opens what was named, shows what goes on, and writes what was heard."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.cli import exports
from seq2drum.cli.shared import Container
from seq2drum.cli.terminal import has_colours, say, width
from seq2drum.deliver import Played
from seq2drum.errors import OptionError, PortError
from seq2drum.live.messages import CC, NOTE, PEDALS, Shown
from seq2drum.music import briefs
from seq2drum.play.signs import FASTEST, FILL, SECTION, SLOWEST, STOP

if TYPE_CHECKING:
    from seq2drum.live.jamming import Jamming, View
    from seq2drum.live.playing import Inbox
    from seq2drum.live.ports import Port
    from seq2drum.live.songtime import SongTime
    from seq2drum.live.striker import Striker
    from seq2drum.music.notes import Song
    from seq2drum.play.engine import Engine
    from seq2drum.play.guitarist import Guitarist
    from seq2drum.play.jam import Told
    from seq2drum.play.options import Options
    from seq2drum.play.signs import Sign

BPM = 120.0
KEYS = {"f": Shown(FILL), "s": Shown(SECTION), "q": Shown(STOP)}
_HELP = "keys: f fill, s section, q end; Ctrl-C stops at once"
_LOOK = 0.1  # seconds from one look at the jam to the next
_SHOWN = 2  # bars before the one that is heard


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what a jam in time needs, and one as fast as it goes does not."""
    time = parser.add_argument_group("in time")
    time.add_argument("--ports", action="store_true", help="list the MIDI ports, and end")
    time.add_argument("--bpm", type=float, metavar="B", help="the tempo (default: the file's, or 120)")
    time.add_argument("--metre", type=_metre, metavar="N/M", help="the metre (default: the file's, or 4/4)")
    time.add_argument(
        "--follow", action="store_true", help="let the tempo go with the guitar, up to a tenth from --bpm"
    )
    time.add_argument(
        "--clock-in", nargs="?", const="", metavar="PORT", help="tempo and start from a MIDI clock (default: of --in)"
    )
    time.add_argument("--clock-out", action="store_true", help="send a MIDI clock with the drums")
    time.add_argument("--latency", type=float, default=0.0, metavar="MS", help="how late a note of the guitar comes in")
    _add_signs(parser.add_argument_group("signs in time"))
    record = parser.add_argument_group("the recording of a jam in time")
    record.add_argument("--record", metavar="FILE", help="where it goes (default: jam-DATE-TIME.mid here)")
    record.add_argument("--no-record", action="store_true", help="write nothing")


def _add_signs(to: Container) -> None:
    to.add_argument(
        "--pedals",
        type=_pedals,
        default=PEDALS,
        metavar="WHAT:SIGN,...",
        help="foot switches: controllers and notes that stand for fill, section or stop"
        " (default: cc64:fill,cc66:section,cc67:stop)",
    )
    to.add_argument("--osc", type=_address, metavar="[HOST:]PORT", help="hear OSC: /fill /section /stop /tempo N")


def refuse(options: argparse.Namespace) -> None:
    """Refuse what only a jam in time has a use for.

    Raises:
        OptionError: there is something of that kind.
    """
    names = ("bpm", "metre", "follow", "clock_in", "clock_out", "latency", "osc", "record", "no_record")
    for name in names:
        if getattr(options, name) not in (None, False, 0.0):
            raise OptionError(f"--{exports.spelt(name)} is for a jam in time; leave out --fast")


def list_ports() -> int:
    """Print the MIDI ports of the system; returns the exit code."""
    from seq2drum.live import ports

    for what, names in zip(("--in", "--out"), ports.names(), strict=True):
        for name in names:
            print(f"{what} {name!r}")
        if not names:
            print(f"{what} has none to name, but {ports.VIRTUAL}")
    return 0


def run(options: argparse.Namespace, wanted: Options, player: Engine, song: Song | None, signs: Sequence[Sign]) -> int:
    """Jam in time; returns the exit code. song: which plays the guitar, if one does; signs: those in it."""
    from seq2drum.live import osc
    from seq2drum.live.playing import Inbox, play
    from seq2drum.live.striker import Striker

    port, options.output = options.output, _target(options)
    options.count_in = 0 if options.clock_in is not None else options.count_in
    target, also = options.output, exports.wanted(options)
    guitarist = _guitarist(options, wanted, song, signs)
    with ExitStack() as opened:
        inbox = Inbox()
        if options.osc is not None:
            host, number = options.osc
            say(f"OSC is heard on {host}:{opened.enter_context(osc.listening(host, number, inbox.put))}")
        sources, out = _ports(options, port, inbox, opened, from_file=song is not None)
        songtime = _time(options, guitarist)
        striker = Striker(out.send, songtime, with_clock=options.clock_out)
        jamming = _jamming(options, wanted, player, guitarist, songtime, striker)
        if jamming.kit:
            from seq2drum.live.messages import program

            out.send(program(jamming.kit))
        say(f"the drums go to {out.name}; {_HELP if sys.stdin.isatty() else 'Ctrl-C stops'}")
        gone: PortError | None = None
        begun = time.perf_counter()
        with _shown(jamming, inbox, wanted.drum_map) as look:
            try:
                play(jamming, striker, inbox, [*sources, out], look)
            except PortError as error:
                gone = error
    _record(jamming, target, also, begun, options)
    if gone is not None:
        raise gone
    return 0


# --- what is asked for ------------------------------------------------------------------------------------------------


def _target(options: argparse.Namespace) -> str | None:
    """Where the recording goes; None if nowhere.

    Raises:
        OptionError, OutputError: it could not be written there.
    """
    if options.no_record:
        return None
    from seq2drum import files

    target = options.record or time.strftime("jam-%Y%m%d-%H%M%S.mid")
    if target == "-":
        raise OptionError("--record wants a file of its own")
    files.check(Path(target), overwrite=options.force)
    return str(target)


def _guitarist(options: argparse.Namespace, wanted: Options, song: Song | None, signs: Sequence[Sign]) -> Guitarist:
    """Who plays: the song that was given, or nobody yet, in the tempo and metre that were asked for."""
    from dataclasses import replace

    from seq2drum.music.notes import Metre, Song, Tempo
    from seq2drum.music.theory import GUITAR_PROGRAMS, GuitarChoice
    from seq2drum.play.guitarist import Guitarist

    if options.bpm is not None and not SLOWEST <= options.bpm <= FASTEST:
        raise OptionError(f"--bpm is {options.bpm:g}, wanted {SLOWEST:g} to {FASTEST:g}")
    tempos = (Tempo(0, round(6e7 / (options.bpm or BPM))),)
    if song is not None:
        if options.metre is not None:
            raise OptionError("--metre is for a guitar at a port; the file has its own")
        if options.bpm is not None:
            song = replace(song, tempos=tempos)
        return Guitarist.of(song, wanted, signs)
    if options.signs:
        raise OptionError("--signs are for a file; show them with --pedals, --osc or the keys f, s and q")
    metre = Metre(0, *(options.metre or (4, 4)))
    return Guitarist(Song(480, (), tempos, (metre,)), GuitarChoice((), ""), (), 0.0, GUITAR_PROGRAMS.start)


def _time(options: argparse.Namespace, guitarist: Guitarist) -> SongTime:
    from seq2drum.live import songtime

    song = guitarist.song
    bpm, bar = song.tempo_at(0).bpm, song.bars()[0].length / song.ticks_per_quarter
    if options.clock_in is not None:
        if options.follow or options.clock_out:
            raise OptionError("--clock-in leads; leave out --follow and --clock-out")
        return songtime.Clocked(bpm, bar)
    return songtime.Following(bpm) if options.follow else songtime.Steady(bpm)


def _jamming(
    options: argparse.Namespace,
    wanted: Options,
    player: Engine,
    guitarist: Guitarist,
    songtime: SongTime,
    striker: Striker,
) -> Jamming:
    from seq2drum.live.jamming import Jamming, rehearse
    from seq2drum.live.messages import Feet
    from seq2drum.play.jam import Jam

    if not 0 <= options.latency <= 500:
        raise OptionError(f"--latency is {options.latency:g} ms, wanted 0 to 500")
    told: Sequence[Told] = guitarist.told
    rehearse(player, wanted, guitarist.song)
    return Jamming(
        Jam(player, wanted, guitarist.song, program=guitarist.program),
        striker,
        songtime,
        wanted,
        feet=Feet(options.pedals),
        guitarist=told,
        count_in=options.count_in,
        latency=options.latency / 1000,
        program=guitarist.program,
        tell=say,
    )


def _ports(
    options: argparse.Namespace, port: str | None, inbox: Inbox, opened: ExitStack, *, from_file: bool
) -> tuple[list[Port], Port]:
    """The ports that were named, each closed when all is over."""
    from seq2drum.live import ports

    if port is None:
        raise OptionError("a jam in time wants a port for the drums: name one with --out; --ports lists them")
    sources = []
    if not from_file:
        sources.append(ports.open_input(options.source, inbox.put))
    elif options.clock_in == "":
        raise OptionError("the file at --in sends no clock; name a port with --clock-in")
    if options.clock_in:
        sources.append(ports.open_input(options.clock_in, lambda message: _clock_alone(inbox, message)))
    for source in sources:
        opened.callback(source.close)
    out = ports.open_output(port)
    opened.callback(out.close)
    return sources, out


def _clock_alone(inbox: Inbox, message: bytes) -> None:
    if message and message[0] >= 0xF0:
        inbox.put(message)


def _metre(text: str) -> tuple[int, int]:
    try:
        return briefs.metre_of(text)
    except OptionError:
        raise argparse.ArgumentTypeError(f"wanted a metre such as 7/8, found {text!r}") from None


def _pedals(text: str) -> dict[tuple[str, int], str]:
    """WHAT:SIGN, several of them with commas between: cc64:fill, note24:stop."""
    pedals = {}
    for part in text.casefold().split(","):
        what, _, sign = part.strip().partition(":")
        kind = next((kind for kind in (CC, NOTE) if what.startswith(kind)), "")
        number = what.removeprefix(kind)
        known = kind and number.isascii() and number.isdigit() and int(number) < 128
        if not known or sign not in (FILL, SECTION, STOP):
            raise argparse.ArgumentTypeError(f"wanted such as cc64:fill or note24:stop, found {part!r}")
        pedals[kind, int(number)] = sign
    return pedals


def _address(text: str) -> tuple[str, int]:
    from seq2drum.live.osc import LOOPBACK

    host, _, number = text.rpartition(":")
    if not (number.isascii() and number.isdigit() and int(number) < 1 << 16):
        raise argparse.ArgumentTypeError(f"wanted PORT or HOST:PORT, found {text!r}")
    return host or LOOPBACK, int(number)


# --- what is seen and kept --------------------------------------------------------------------------------------------


@contextmanager
def _shown(jamming: Jamming, inbox: Inbox, drum_map: str) -> Iterator[Callable[[float], None]]:
    """What looks at a jam now and then, shows it, and heeds keys."""
    from seq2drum.cli import live

    looked, before = 0.0, -1 << 30

    with live.keyboard() as pressed, _screen(jamming, drum_map) as draw:

        def look(now: float) -> None:
            nonlocal looked, before
            if now - looked < _LOOK:
                return
            looked, view = now, jamming.view(now)
            for key in pressed():
                if key in KEYS:
                    inbox.put(KEYS[key])
            draw(view, view.number != before)
            before = view.number

        yield look


@contextmanager
def _screen(jamming: Jamming, drum_map: str) -> Iterator[Callable[[View, bool], None]]:
    """What draws a jam: on a terminal always in the same place, elsewhere a line a bar."""
    from seq2drum.live import board

    if not sys.stderr.isatty():

        def print_line(view: View, is_new: bool) -> None:
            if is_new and view.quarter is not None:
                say(board.line(view))

        yield print_line
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from seq2drum.show import console

    picture = ""
    with Live(console=Console(stderr=True), auto_refresh=False, redirect_stderr=False) as screen:

        def draw(view: View, is_new: bool) -> None:
            nonlocal picture
            if is_new and (bars := jamming.bars(_SHOWN)):
                heard = jamming.guitar(bars[0].bar.start)
                shown = board.duet(bars, heard, view.bpm, view.ticks_per_quarter, drum_map)
                picture = console.picture(shown, width=width(), colour=has_colours())
            screen.update(Text.from_ansi(f"{board.status(view)}\n{picture}"), refresh=True)

        yield draw


def _record(
    jamming: Jamming, target: str | None, also: dict[str, str], begun: float, options: argparse.Namespace
) -> None:
    """Write what was heard."""
    take = jamming.take()
    if target is None or take is None:
        return
    played = Played([take], Path(target).stem, exports.session(options), options.soundfont)
    exports.keep(played, options, options.source, [target], also, begun, with_guitar=True, once=True)
