"""Mode adapt: the drummer of your own band, made from its songs."""

from __future__ import annotations

import argparse
import importlib.util
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.console.arguments import check_least, named
from seq2drum.console.shared import add_force
from seq2drum.console.terminal import as_text, bar, command, say
from seq2drum.errors import MissingExtraError, OptionError, OutputError
from seq2drum.system import files

if TYPE_CHECKING:
    from seq2drum.learn.adapt.band import Tuned
    from seq2drum.learn.adapt.songs import Heard


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the songs, the drummer and the time."""
    parser.usage = "%(prog)s --data MYBAND [MYBAND ...] --out DRUMMER [options]"
    parser.description = (
        "Makes a drummer that plays as your band does, from songs of yours with guitar and drums: three or more, better"
        " twelve. It learns their grooves and how they are built; with --minutes, also how they are played. The"
        " drummer is a small folder, for --mode infer --model and wherever else a model is named. Your songs stay on"
        " this machine."
    )
    parser.epilog = """examples:
  seq2drum --mode adapt --data my_songs --out my_drummer
  seq2drum --mode adapt --data my_songs --out my_drummer --minutes 3
  seq2drum --mode infer new_song.mid --model my_drummer"""
    parser.add_argument("--data", nargs="+", type=named, metavar="MYBAND", help="folders of the band's songs, or songs")
    parser.add_argument("--out", type=named, metavar="DRUMMER", help="the folder of the drummer")
    parser.add_argument("--name", metavar="NAME", help="the drummer's name (default: that of its folder)")
    parser.add_argument(
        "--minutes",
        type=float,
        default=0.0,
        metavar="M",
        help="also tune the playing, for at most M minutes; wants torch, and seldom gains (default: 0, no tuning)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which run of the tuning (default: 0)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: one per core)")
    add_force(parser)


def run(options: argparse.Namespace) -> int:
    """Make a drummer; returns the exit code."""
    check_least(options, threads=0)
    # 1. Refuse impossible options before the songs are read.
    if not options.data or not options.out:
        raise OptionError("--mode adapt wants --data MYBAND, a folder of songs, and --out DRUMMER, the folder to write")
    if not 0 <= options.minutes < math.inf:
        raise OptionError(f"--minutes is {options.minutes}, wanted 0 or more")
    if not 0 <= options.seed < 1 << 64:
        raise OptionError(f"the seed is {options.seed}, wanted 0 or more, and less than 2^64")
    if options.minutes and importlib.util.find_spec("torch") is None:
        raise MissingExtraError("tuning the playing needs torch: pip install 'seq2drum[train]', or leave out --minutes")
    out = Path(options.out)
    check_out(out, force=options.force)
    from seq2drum.learn.adapt import band, songs

    # 2. The songs.
    begun = time.monotonic()
    with bar(1, "songs read") as advance:
        heard = songs.hear(options.data, lambda done, total: advance(1 / total, f"{done} of {total}"))
    known = songs.understood(heard)
    _tell(heard, known)
    # 3. Grooves and arrangement, then playing.
    with bar(None, "learning the grooves, and how songs are built"):
        made = band.band_of(as_text(options.name or out.resolve().name), known)
    tuned = _tuned(known, options) if options.minutes else None
    band.save(out, made, known, tuned=tuned, command=command())
    say(
        f"{files.named(out)}: {len(made.grooves)} grooves of {len(known)} songs, in {time.monotonic() - begun:.0f} s;"
        f" play with it: seq2drum --mode infer SONG.mid --model {files.named(out)}"
    )
    return 0


def check_out(out: Path, *, force: bool) -> None:
    """Refuse a folder that holds anything else, or a drummer that is not to be replaced.

    Raises:
        OutputError: it does.
    """
    from seq2drum.play.checkpoint.band import is_drummer

    if out.exists() and not out.is_dir():
        raise OutputError(f"{str(out)!r} is a file; name a folder with --out")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not is_drummer(out):
        raise OutputError(f"{str(out)!r} holds other files; name a new folder with --out")
    if not force:
        raise OutputError(f"{str(out)!r} holds a drummer already; --force replaces it, or name another folder")


def _tell(heard: Sequence[Heard], known: Sequence[Heard]) -> None:
    """Report which files were understood, and what they are good for."""
    from seq2drum.learn.adapt.band import FEW

    for each in heard:
        if each.song is None or each.remark:
            say(str(each))
    bars = sum(len(each.song.guitar_grid.form.steps) for each in known if each.song is not None)
    say(f"understood: {len(known)} of {len(heard)} files, {bars} bars")
    if len(known) < FEW:
        what = "one song alone says" if len(known) == 1 else f"{len(known)} songs say"
        say(f"{what} little of what a band usually does, so the drummer mostly plays its own way; wanted {FEW} or more")


def _tuned(known: Sequence[Heard], options: argparse.Namespace) -> Tuned | None:
    """Tune how a drummer plays; None, with a word about it, where that cannot be or gains nothing."""
    from seq2drum.learn.adapt import playing

    songs = [each.song for each in known if each.song is not None]
    if len(songs) < playing.LEAST_SONGS:
        say(f"playing is not tuned: that wants {playing.LEAST_SONGS} songs, one of them to measure by")
        return None
    with bar(1, "tuning the playing", lines=True) as advance:
        tuned = playing.tune(songs, options.minutes, seed=options.seed, threads=options.threads, show=advance)
    if tuned is None:
        say("tuning made the left-out song no likelier, so it plays as before, on the band's grooves")
    elif tuned.nats is not None:
        before, after = tuned.nats
        say(f"playing: {before:.2f} nats a bar of the left-out song, tuned {after:.2f}; less is better")
    return tuned
