"""Mode pack: the files of a corpus become one table in Parquet."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.console import shared
from seq2drum.console.arguments import named
from seq2drum.console.terminal import bar, say
from seq2drum.errors import CorpusError, OptionError
from seq2drum.system import files

if TYPE_CHECKING:
    from seq2drum.data.corpus.parquet import Row


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the input and the output."""
    from seq2drum.data.corpus.corpora import CORPORA

    parser.usage = "%(prog)s DIR [DIR ...] --data-out FILE.parquet [options]"
    parser.description = (
        "Packs the songs of folders into one table in Parquet, with the columns path, sha256, bytes, licence and group:"
        " millions of songs without millions of files. --mode prepare --data takes it."
    )
    known = "\n".join(
        f"  {corpus.name + ':DIR':13} {corpus.title}; {corpus.licence.partition(',')[0]}" for corpus in CORPORA.values()
    )
    parser.epilog = f"""corpora that are known by name, with their licences and groups:
{known}

examples:
  seq2drum --mode pack my_songs --data-out my_songs.parquet
  seq2drum --mode pack lakh:lmd --data-out lakh.parquet"""
    parser.add_argument(
        "data", nargs="*", type=named, metavar="DIR", help="folders of songs, tables in Parquet, or NAME:DIR"
    )
    parser.add_argument("--data-out", type=named, metavar="FILE", help="the table that is written")
    parser.add_argument(
        "--manifest",
        type=named,
        metavar="FILE",
        help="a table of sha256, group and licence (default: manifest.csv in or beside a folder)",
    )
    shared.add_force(parser)


def run(options: argparse.Namespace) -> int:
    """Pack; returns the exit code."""
    from seq2drum.data.corpus import parquet
    from seq2drum.data.corpus.corpora import source_of
    from seq2drum.data.corpus.parts import parts_of, rows_of
    from seq2drum.data.corpus.reading import manifests_of, read_manifests

    if not options.data or not options.data_out:
        raise OptionError("--mode pack wants folders of songs and --data-out FILE.parquet")
    target = Path(options.data_out)
    if target.suffix.lower() != parquet.SUFFIX:
        raise OptionError(f"--data-out wants a name that ends in {parquet.SUFFIX}, and {target.name!r} ends otherwise")
    files.check(target, overwrite=options.force)
    sources = [source_of(word).path for word in options.data]
    if target.exists() and any(path.exists() and path.samefile(target) for path in sources):
        name = files.named(options.data_out)
        raise OptionError(f"{name} is among the songs that are packed; name another file with --data-out")
    parts = parts_of(options.data)
    named = Path(options.manifest) if options.manifest else None
    listed = read_manifests(manifests_of(named, sources))
    total = sum(part.size for part in parts)
    left_out: Counter[str] = Counter()

    def reasons() -> list[str]:
        return [f"  {number:6d} left out: {reason}" for reason, number in left_out.most_common()]

    def rows() -> Iterator[Row]:
        is_any = False
        for part in parts:
            for row in rows_of(part, listed):
                if isinstance(row, str):
                    left_out[row] += 1
                else:
                    is_any = True
                    yield row
                advance(1 / total, "")
        if not is_any:
            raise CorpusError("\n".join([f"no song could be packed, of {left_out.total()}:", *reasons()]))

    with bar(1, "packed") as advance:
        count = parquet.write(target, rows(), overwrite=options.force)
    size = f"{target.stat().st_size / 1e6:.1f} MB"
    say(f"{count + left_out.total()} files, {count} packed into {files.named(target)} ({size})")
    for line in reasons():
        say(line)
    return 0
