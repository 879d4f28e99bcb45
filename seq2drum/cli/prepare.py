"""Mode prepare: folders of songs become a file to learn from."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.cli.arguments import check_least
from seq2drum.cli.shared import Container
from seq2drum.cli.terminal import bar, say
from seq2drum.errors import OptionError, OutputError

if TYPE_CHECKING:
    from seq2drum.data.prepared import Prepared

CACHES = Path("cache")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add where songs come from."""
    parser.usage = "%(prog)s --data DIR [DIR ...] [options]"
    parser.description = "Reads folders of songs with guitar and drums, and keeps what is to be learnt from them."
    parser.epilog = """examples:
  seq2drum --mode prepare --data my_songs"""
    add_data(parser)


def add_data(to: Container, data: str = "folders of songs with guitar and drums") -> None:
    """Add the options that say where songs come from, for whatever learns from songs or measures by them."""
    to.add_argument("--data", nargs="+", metavar="DIR", help=data)
    to.add_argument(
        "--cache", metavar="FILE", help=f"the prepared songs (default: a name made from the files, in {CACHES}/)"
    )
    to.add_argument(
        "--manifest",
        metavar="FILE",
        help="a table of sha256 and group, so that arrangements of one song stay together "
        "(default: manifest.csv in or beside a folder)",
    )
    to.add_argument("--workers", type=int, metavar="N", help="processes that read files (default: one a core)")


def run(options: argparse.Namespace) -> int:
    """Read the songs and keep them; returns the exit code."""
    check_least(options, workers=1)
    if not options.data:
        raise OptionError("--mode prepare wants --data DIR, one or more folders of songs")
    prepared([Path(name) for name in options.data], options, anew=True)
    return 0


def prepared(folders: list[Path], options: argparse.Namespace, *, anew: bool) -> list[Prepared]:
    """The songs of some folders, from their cache if there is one."""
    from seq2drum.data import corpus
    from seq2drum.data.cache import load, save
    from seq2drum.data.prepared import SPLITS
    from seq2drum.data.reading import digest

    path = Path(options.cache) if options.cache else CACHES / f"{digest(folders)}.s2d"
    if path.exists() and not anew:
        say(f"songs as prepared in {path}")
        return load(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writable = os.access(path.parent, os.W_OK)
    except OSError:
        writable = False
    if not writable:  # better said before all files are read
        raise OutputError(f"the folder {str(path.parent)!r} cannot be written; name a file elsewhere with --cache FILE")
    with bar(1, "files read") as advance:
        songs, account = corpus.prepare(
            folders,
            workers=options.workers or os.cpu_count() or 1,
            manifest=Path(options.manifest) if options.manifest else None,
            progress=lambda done, total: advance(1 / total, f"{done} of {total}"),
        )
    save(songs, path)
    for line in account.lines():
        say(line)
    sides = [f"{sum(song.split == side for song in songs)} {side}" for side in SPLITS]
    say(f"songs by side: {', '.join(sides)}; kept in {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return songs
