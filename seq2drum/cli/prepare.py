"""Mode prepare: folders of songs become a file to learn from."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.cli.arguments import check_least
from seq2drum.cli.shared import Container
from seq2drum.cli.terminal import bar, say
from seq2drum.errors import CorpusError, OptionError, OutputError

if TYPE_CHECKING:
    from seq2drum.data.cache import Shard
    from seq2drum.data.prepared import Prepared

CACHES = Path("cache")
DATA = "folders of songs with guitar and drums, tables of --mode pack, or NAME:DIR (--mode pack --help lists the names)"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add where songs come from."""
    parser.usage = "%(prog)s --data DIR [DIR ...] [options]"
    parser.description = "Reads songs with guitar and drums, and keeps what is to be learnt from them."
    parser.epilog = """examples:
  seq2drum --mode prepare --data my_songs"""
    add_data(parser)


def add_data(to: Container, data: str = DATA) -> None:
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
    to.add_argument(
        "--licence",
        nargs="+",
        default=[],
        metavar="NAME",
        help="only songs under these licences, such as 'CC BY 4.0'; clean is CC0, CC BY and MIT (default: all songs)",
    )
    to.add_argument("--workers", type=int, metavar="N", help="processes that read files (default: one a core)")


def run(options: argparse.Namespace) -> int:
    """Read the songs and keep them; returns the exit code."""
    check_least(options, workers=1)
    if not options.data:
        raise OptionError("--mode prepare wants --data DIR, one or more folders of songs")
    prepared(options.data, options, anew=True)
    return 0


def allowed(songs: list[Prepared], options: argparse.Namespace) -> list[Prepared]:
    """Those of some songs whose licence is among those asked for; it is said how many others there are.

    Raises:
        CorpusError: there is none.
    """
    from seq2drum.data.licences import Licences

    licences = Licences(options.licence)
    kept = [song for song in songs if song.licence in licences]
    if not kept:
        raise CorpusError(f"none of {len(songs)} songs is under a licence that was asked for: {licences}")
    if len(kept) < len(songs):
        say(f"{len(songs) - len(kept)} of {len(songs)} songs are left out: they are not under {licences}")
    return kept


def check_shards(shards: Sequence[Shard], options: argparse.Namespace) -> None:
    """Refuse shards with songs whose licence is not among those asked for: which songs they hold is prepared.

    Raises:
        CorpusError: there is one.
    """
    from seq2drum.data.licences import Licences

    licences = Licences(options.licence)
    others = {str(row["licence"]) for shard in shards for row in shard.sources if row["licence"] not in licences}
    if others:
        raise CorpusError(
            f"the shards hold songs under other licences than {licences}, such as {min(others)!r}; prepare them anew"
            " with --licence"
        )


def prepared(data: Sequence[str | Path], options: argparse.Namespace, *, anew: bool) -> list[Prepared]:
    """The songs of a corpus, from their cache if there is one."""
    from seq2drum.data import corpus
    from seq2drum.data.cache import load, save
    from seq2drum.data.licences import Licences
    from seq2drum.data.parts import digest
    from seq2drum.data.prepared import SPLITS

    licences = Licences(options.licence)
    path = Path(options.cache) if options.cache else CACHES / f"{digest(data, *licences.names)}.s2d"
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
            data,
            workers=options.workers or os.cpu_count() or 1,
            manifest=Path(options.manifest) if options.manifest else None,
            licences=licences,
            progress=lambda done, total: advance(1 / total, f"{done} of {total}"),
        )
    save(songs, path)
    for line in account.lines():
        say(line)
    sides = [f"{sum(song.split == side for song in songs)} {side}" for side in SPLITS]
    say(f"songs by side: {', '.join(sides)}; kept in {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return songs
