"""Mode jam: a drummer who plays along without knowing the future."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.cli import exports
from seq2drum.console import maps, paths, shared
from seq2drum.console.shared import Container
from seq2drum.console.terminal import as_text, has_colours, say, width
from seq2drum.deliver.export import Played
from seq2drum.errors import OptionError, PortError
from seq2drum.music import choices
from seq2drum.music.limits import SONG_SUFFIXES
from seq2drum.music.options import WHAT
from seq2drum.play.jam.ports import CC, NOTE, PEDALS, Shown
from seq2drum.play.jam.signs import FASTEST, FILL, SECTION, SLOWEST, STOP
from seq2drum.system import files

if TYPE_CHECKING:
    from seq2drum.music.notes import Song
    from seq2drum.play.decode.engine import Engine
    from seq2drum.play.jam.guitarist import Guitarist
    from seq2drum.play.jam.jam import Told
    from seq2drum.play.jam.live import Jamming, View
    from seq2drum.play.jam.loop import Inbox
    from seq2drum.play.jam.ports import Port
    from seq2drum.play.jam.signs import Sign
    from seq2drum.play.jam.songtime import SongTime
    from seq2drum.play.jam.striker import Striker
    from seq2drum.play.options import Options
    from seq2drum.play.take import Take


BPM = 120.0
KEYS = {"f": Shown(FILL), "s": Shown(SECTION), "q": Shown(STOP)}
_HELP = "keys: f fill, s section, q end; Ctrl-C stops immediately"
_LOOK = 0.1  # seconds between two looks at the jam
_SHOWN = 2  # bars shown before the current one


def add_live_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a jam in real time."""
    time = parser.add_argument_group("in time")
    time.add_argument("--ports", action="store_true", help="list the MIDI ports and exit")
    time.add_argument("--bpm", type=float, metavar="B", help="the tempo (default: the file's, or 120)")
    time.add_argument("--metre", type=_metre, metavar="N/M", help="the metre (default: the file's, or 4/4)")
    time.add_argument("--follow", action="store_true", help="follow the guitar's tempo, within 10%% of --bpm")
    time.add_argument(
        "--clock-in",
        nargs="?",
        const="",
        metavar="PORT",
        help="take tempo and start from a MIDI clock (default: that of --in)",
    )
    time.add_argument("--clock-out", action="store_true", help="send a MIDI clock with the drums")
    time.add_argument(
        "--latency", type=float, default=0.0, metavar="MS", help="the delay of the guitar's notes on their way in"
    )
    _add_signs(parser.add_argument_group("signs in time"))
    record = parser.add_argument_group("the recording of a jam in time")
    record.add_argument("--record", metavar="FILE", help="where to write it (default: jam-DATE-TIME.mid here)")
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
    to.add_argument("--osc", type=_address, metavar="[HOST:]PORT", help="receive OSC: /fill /section /stop /tempo N")


def refuse(options: argparse.Namespace) -> None:
    """Refuse options that only a jam in real time can use.

    Raises:
        OptionError: there is one.
    """
    names = ("bpm", "metre", "follow", "clock_in", "clock_out", "latency", "osc", "record", "no_record")
    for name in names:
        if getattr(options, name) not in (None, False, 0.0):
            raise OptionError(f"--{exports.spelt(name)} is for a jam in time; leave out --fast")


def list_ports() -> int:
    """Print the MIDI ports of the system; returns the exit code."""
    from seq2drum.play.jam import ports

    for what, names in zip(("--in", "--out"), ports.names(), strict=True):
        for name in names:
            print(f"{what} {name!r}")
        if not names:
            print(f"{what} has no names except {ports.VIRTUAL}")
    return 0


def play_live(
    options: argparse.Namespace, wanted: Options, player: Engine, song: Song | None, signs: Sequence[Sign]
) -> int:
    """Jam in real time; returns the exit code. song: the guitarist, if it is one; signs: those in the song."""
    from seq2drum.play.jam import ports
    from seq2drum.play.jam.loop import Inbox, play
    from seq2drum.play.jam.striker import Striker

    port, options.output = options.output, _target(options)
    options.count_in = 0 if options.clock_in is not None else options.count_in
    target, also = options.output, exports.wanted(options)
    guitarist = _guitarist(options, wanted, song, signs)
    with ExitStack() as opened:
        inbox = Inbox()
        if options.osc is not None:
            host, number = options.osc
            say(f"OSC is received on {host}:{opened.enter_context(ports.listening(host, number, inbox.put))}")
        sources, out = _ports(options, port, inbox, opened, from_file=song is not None)
        songtime = _time(options, guitarist)
        striker = Striker(out.send, songtime, with_clock=options.clock_out)
        jamming = _jamming(options, wanted, player, guitarist, songtime, striker)
        if jamming.kit:
            from seq2drum.play.jam.ports import program

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


# --- options ---------------------------------------------------------------------------------------------------------


def _target(options: argparse.Namespace) -> str | None:
    """The file of the recording; None without one.

    Raises:
        OptionError, OutputError: it could not be written.
    """
    if options.no_record:
        return None
    from seq2drum.system import files

    target = options.record or time.strftime("jam-%Y%m%d-%H%M%S.mid")
    if target == "-":
        raise OptionError("--record needs a separate file")
    files.check(Path(target), overwrite=options.force)
    return str(target)


def _guitarist(options: argparse.Namespace, wanted: Options, song: Song | None, signs: Sequence[Sign]) -> Guitarist:
    """The guitarist: the given song, or a player yet to come, in the given tempo and metre."""
    from dataclasses import replace

    from seq2drum.music.notes import Metre, Song, Tempo
    from seq2drum.music.theory import GUITAR_PROGRAMS, GuitarChoice
    from seq2drum.play.jam.guitarist import Guitarist

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
    from seq2drum.play.jam import songtime

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
    from seq2drum.play.jam.jam import Jam
    from seq2drum.play.jam.live import Jamming, rehearse
    from seq2drum.play.jam.ports import Feet

    if not 0 <= options.latency <= 500:
        raise OptionError(f"--latency is {options.latency:g} ms, wanted 0 to 500")
    events: Sequence[Told] = guitarist.told
    rehearse(player, wanted, guitarist.song)
    return Jamming(
        Jam(player, wanted, guitarist.song, program=guitarist.program),
        striker,
        songtime,
        wanted,
        feet=Feet(options.pedals),
        guitarist=events,
        count_in=options.count_in,
        latency=options.latency / 1000,
        program=guitarist.program,
        tell=say,
    )


def _ports(
    options: argparse.Namespace, port: str | None, inbox: Inbox, opened: ExitStack, *, from_file: bool
) -> tuple[list[Port], Port]:
    """The named ports, each closed at the end."""
    from seq2drum.play.jam import ports

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
        return choices.metre_of(text)
    except OptionError:
        raise argparse.ArgumentTypeError(f"wanted a metre such as 7/8, found {text!r}") from None


def _pedals(text: str) -> dict[tuple[str, int], str]:
    """The pairs in WHAT:SIGN, separated by commas: cc64:fill, note24:stop."""
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
    from seq2drum.play.jam.ports import LOOPBACK

    host, _, number = text.rpartition(":")
    if not (number.isascii() and number.isdigit() and int(number) < 1 << 16):
        raise argparse.ArgumentTypeError(f"wanted PORT or HOST:PORT, found {text!r}")
    return host or LOOPBACK, int(number)


# --- display and recording -------------------------------------------------------------------------------------------


@contextmanager
def _shown(jamming: Jamming, inbox: Inbox, drum_map: str) -> Iterator[Callable[[float], None]]:
    """A callback that looks at a jam now and then, draws it, and handles keys."""
    from seq2drum.cli import live_beat

    looked, before = 0.0, -1 << 30

    with live_beat.keyboard() as pressed, _screen(jamming, drum_map) as draw:

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
    """A function that draws a jam: on a terminal always in the same place, elsewhere a line a bar."""
    from seq2drum.play.jam import loop

    if not sys.stderr.isatty():

        def print_line(view: View, is_new: bool) -> None:
            if is_new and view.quarter is not None:
                say(loop.line(view))

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
                shown = loop.duet(bars, heard, view.bpm, view.ticks_per_quarter, drum_map)
                picture = console.picture(shown, width=width(), colour=has_colours())
            screen.update(Text.from_ansi(f"{loop.status(view)}\n{picture}"), refresh=True)

        yield draw


def _record(
    jamming: Jamming, target: str | None, also: dict[str, str], begun: float, options: argparse.Namespace
) -> None:
    """Write the recording."""
    take = jamming.take()
    if target is None or take is None:
        return
    played = Played([take], Path(target).stem, exports.session(options), exports.sounds(options))
    exports.keep(played, options, options.source, [target], also, begun, with_guitar=True, once=True)


MADE = ".jam.mid"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the guitarist, the musician's choices, and the outputs."""
    parser.usage = (
        "%(prog)s --in PORT|SONG --out PORT [options]\n       %(prog)s --in SONG --fast [--out FILE] [options]"
    )
    parser.description = (
        "A drummer who plays along: counts in, listens to the guitar as you play, and decides each bar shortly before"
        " it begins. The guitar comes from a MIDI port or a file. Guitar and drums are written to a file."
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
    who.add_argument("--fast", action="store_true", help="play a file as fast as possible, not in real time")
    who.add_argument(
        "--signs",
        type=_signs,
        default=(),
        metavar="BAR:SIGN,...",
        help="signs of the guitarist by bar, which the drummer obeys in the next: fill, section or section=LETTER,"
        " intensity=0..1, stop",
    )
    shared.add_choices(parser, jam=True)[WHAT].add_argument(
        "--model",
        default="live",
        metavar="NAME|DIR",
        help="a shipped model, or the folder of a training run (default: live)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "-o",
        "--out",
        dest="output",
        metavar="PORT|FILE",
        help=f"a MIDI port, or virtual for a new one; with --fast, the file to write (default: SONG{MADE})",
    )
    add_live_options(parser)
    shared.add_session(output, count_in=1)
    maps.add_drum_map(output)
    exports.add_options(output)
    shared.add_explain(output)
    shared.add_json(output)
    shared.add_force(output)


def run(options: argparse.Namespace) -> int:
    """Play along with a song; returns the exit code."""
    from seq2drum.formats.opening import open_song
    from seq2drum.play.decode import engine
    from seq2drum.play.options import Options

    if options.ports:
        return list_ports()
    wanted = Options(**shared.chosen(options))
    exports.session(options)  # refuses impossible options before anything is played
    if options.source is None:
        raise OptionError("--mode jam wants a guitarist: name a MIDI port or file with --in; --ports lists the ports")
    if paths.is_folder(options.source):
        raise OptionError(f"--in wants a port or a file, and {files.named(options.source)} is a folder")
    if not options.fast:
        name = options.source
        is_file = name == "-" or Path(name).suffix.lower() in SONG_SUFFIXES or Path(name).exists()  # else a port
        song = open_song(paths.read(name))[0] if is_file else None
        signs = _in_song(song, options.signs) if song else ()
        return play_live(options, wanted, engine.load(options.model), song, signs)
    refuse(options)
    ((source, target),) = paths.jobs([options.source], options.output, SONG_SUFFIXES, MADE)
    also = exports.wanted(options)
    player = engine.load(options.model)

    def play(source: str, targets: Sequence[str]) -> None:
        begun = time.perf_counter()
        take = _played(player, source, wanted, options)
        title = as_text("Jam" if source == "-" else Path(source).stem)
        played = Played([take], title, exports.session(options), exports.sounds(options))
        exports.keep(played, options, source, targets[:1], also, begun, with_guitar=True)

    return paths.each([(source, [target, *also.values()])], options.force, "playing", play)


def _played(player: Engine, source: str, wanted: Options, options: argparse.Namespace) -> Take:
    from seq2drum.formats.opening import open_song
    from seq2drum.play.jam.guitarist import jammed

    song, data = open_song(paths.read(source))
    return jammed(player, song, wanted, signs=_in_song(song, options.signs), source=data)


def _in_song(song: Song, signs: tuple[tuple[int, str, str], ...]) -> list[Sign]:
    """The signs with their moments in a song: the first beats of their bars.

    Raises:
        OptionError: the song has no such bar, or an impossible sign.
    """
    from seq2drum.play.jam.signs import FILL, INTENSITY, SECTION, STOP, Sign

    bars, found = song.bars(), []
    for number, what, text in signs:
        if not 1 <= number <= len(bars):
            raise OptionError(f"a sign is given in bar {number}, but the song has {len(bars)}")
        sign = Sign(bars[number - 1].start / song.ticks_per_quarter, what, _value(what, text))
        sign.check((FILL, SECTION, INTENSITY, STOP))
        found.append(sign)
    return found


def _value(what: str, text: str) -> float | str | None:
    from seq2drum.play.jam.signs import INTENSITY

    try:
        return float(text) if what == INTENSITY else text or None
    except ValueError:
        return text  # refused by the check


def _signs(text: str) -> tuple[tuple[int, str, str], ...]:
    """(bar, sign, value) of each BAR:SIGN or BAR:SIGN=VALUE, separated by commas."""
    signs = []
    for part in text.split(","):
        bar, colon, sign = part.strip().partition(":")
        what, _, value = sign.partition("=")
        if not colon or not bar.isascii() or not bar.isdigit():
            raise argparse.ArgumentTypeError(f"wanted BAR:SIGN such as 8:fill, found {part!r}")
        signs.append((int(bar), what.strip().casefold(), value.strip()))
    return tuple(signs)
