"""Mode prepare: folders of songs become a file to learn from."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from seq2drum.console import shared
from seq2drum.console.arguments import check_least, named
from seq2drum.console.shared import Container
from seq2drum.console.terminal import bar, say
from seq2drum.errors import CorpusError, MissingExtraError, OptionError, OutputError
from seq2drum.music.choices import SYMUSIC
from seq2drum.system import files

if TYPE_CHECKING:
    from seq2drum.data.corpus.cache import Packed, Shard
    from seq2drum.data.corpus.prepared import Prepared

ENGINES = ("local", "slurm", "ray")
SLURM: Mapping[str, type[str] | type[int]] = MappingProxyType(
    {
        "partition": str,
        "time": str,
        "qos": str,
        "cpus_per_task": int,
        "mem_per_cpu_gb": int,
        "max_array_size": int,
        "tasks_per_job": int,
        "env_command": str,
    }
)
"""The options of Slurm, by datatrove's names."""
CACHES = Path("cache")
DATA = "folders of songs with guitar and drums, tables of --mode pack, or NAME:DIR (--mode pack --help lists the names)"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the sources of songs."""
    parser.usage = "%(prog)s --data DIR [DIR ...] [options]"
    parser.description = "Reads songs with guitar and drums, and writes the training data."
    parser.epilog = """examples:
  seq2drum --mode prepare --data my_songs
  seq2drum --mode prepare --data millions.parquet --data-out shards --tasks 64
  seq2drum --mode prepare --data all.parquet --data-out shards --engine slurm"""
    add_data(parser)
    shared.add_reader(parser)
    many = parser.add_argument_group("shards and an index, for more songs than memory holds")
    many.add_argument(
        "--data-out", type=named, metavar="DIR", help="the folder of the shards, instead of one file (--cache)"
    )
    many.add_argument("--engine", choices=ENGINES, help="who runs the tasks (default: local, this machine)")
    many.add_argument("--tasks", type=int, metavar="N", help="the number of tasks of a stage (default: 4 per worker)")
    many.add_argument(
        "--slurm", nargs="+", default=[], metavar="NAME=VALUE", help=f"options of Slurm: {', '.join(SLURM)}"
    )


def add_data(to: Container, data: str = DATA) -> None:
    """Add the sources of songs, for all modes that learn from songs or measure with them."""
    to.add_argument("--data", nargs="+", type=named, metavar="DIR", help=data)
    to.add_argument(
        "--cache",
        type=named,
        metavar="FILE",
        help=f"the prepared songs (default: a name made from the files, in {CACHES}/)",
    )
    to.add_argument(
        "--manifest",
        type=named,
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
    to.add_argument("--workers", type=int, metavar="N", help="processes that read files (default: one per core)")


def run(options: argparse.Namespace) -> int:
    """Read the songs and store them; returns the exit code."""
    check_least(options, workers=1, tasks=1)
    if not options.data:
        raise OptionError("--mode prepare wants --data DIR, one or more folders of songs")
    if options.data_out:
        return _shards(options)
    for name in ("engine", "tasks", "slurm"):
        if getattr(options, name):
            raise OptionError(f"--{name} is for shards; name their folder with --data-out DIR")
    _prepare(options.data, options, cache_of(options.data, options))
    return 0


def _shards(options: argparse.Namespace) -> int:
    """Prepare shards into a folder, or hand the job to a cluster; returns the exit code."""
    if options.reader != SYMUSIC:
        raise OptionError(
            f"--reader {options.reader} is too slow for shards; leave it out, or write one file (--cache)"
        )
    if options.cache:
        raise OptionError("--cache is one file and --data-out a folder of shards; leave one of them out")
    settings = _slurm(options)
    folder = Path(options.data_out)
    try:
        from seq2drum.data.corpus.stages import ENGINES
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"--data-out needs {error.name}: pip install 'seq2drum[corpus]'") from None
    try:
        with files.alone(folder):
            _all_stages(options, folder, settings, ENGINES[options.engine or "local"])
    except BlockingIOError:
        what = f"shards are being prepared in {str(folder)!r}"
        raise OptionError(f"{what}; wait for them, or name another folder with --data-out") from None
    except FileExistsError as error:
        raise OutputError(f"{error.filename or folder} is a file; name a folder with --data-out") from None
    except OSError as error:
        what = f"{error.filename or folder} cannot be used ({error.strerror})"
        raise OutputError(f"{what}; name another folder with --data-out") from None
    return 0


def _all_stages(
    options: argparse.Namespace, folder: Path, settings: Mapping[str, str | int], engine: Callable[..., None]
) -> None:
    """Prepare shards into a folder of which this process has sole use. settings: Slurm's options."""
    from seq2drum.data.corpus import stages
    from seq2drum.data.corpus.corpora import Licences
    from seq2drum.data.corpus.stages import Run

    # 1. The plan.
    manifest = Path(options.manifest) if options.manifest else None
    with bar(None, "listing songs"):
        parts = stages.plan(folder, options.data, manifest, Licences(options.licence)).parts
    # 2. All stages, or those left.
    if not (folder / stages.INDEX).exists():
        workers = options.workers or os.cpu_count() or 1
        tasks = min(options.tasks or 4 * workers, max(len(parts), 1))
        workers = options.workers or (workers if options.engine in (None, "local") else -1)
        names = [stage.name for stage in stages.STAGES]
        with bar(len(names), "stages") as advance:
            run = Run(folder.resolve(), tasks, workers, settings)
            engine(run, lambda stage: advance(stage.name != names[0], stage.name))
    if options.engine == "slurm" and not (folder / stages.INDEX).exists():
        say(f"handed to Slurm: {tasks} tasks a stage; when all are done, {folder / stages.ACCOUNT} lists what was used")
        return
    # 3. The report.
    stages.check(folder)
    stages.clear(folder)
    for line in stages.account_of(folder).lines():
        say(line)
    say(f"kept in {folder / stages.INDEX}")


def _slurm(options: argparse.Namespace) -> dict[str, str | int]:
    """Slurm's options, checked; none for the other engines."""
    if options.engine != "slurm":
        if options.slurm:
            raise OptionError("--slurm is for --engine slurm; leave it out")
        return {}
    settings: dict[str, str | int] = {}
    for text in options.slurm:
        name, _, value = text.partition("=")
        if name not in SLURM or not value:
            raise OptionError(f"--slurm wants NAME=VALUE with a name of {', '.join(SLURM)}, found {text!r}")
        if SLURM[name] is int and not value.isdecimal():
            raise OptionError(f"--slurm {name} is {value!r}, wanted a whole number")
        settings[name] = SLURM[name](value)
    if missing := [name for name in ("partition", "time") if name not in settings]:
        raise OptionError(f"--engine slurm wants --slurm {missing[0]}=VALUE, see sbatch")
    return settings


def allowed(songs: list[Prepared], options: argparse.Namespace) -> list[Prepared]:
    """The songs with a permitted licence; the number of others is reported.

    Raises:
        CorpusError: there is none.
    """
    from seq2drum.data.corpus.corpora import Licences

    licences = Licences(options.licence)
    kept = [song for song in songs if song.licence in licences]
    if not kept:
        raise CorpusError(f"none of {len(songs)} songs is under a requested licence: {licences}")
    if len(kept) < len(songs):
        say(f"{len(songs) - len(kept)} of {len(songs)} songs are left out: they are not under {licences}")
    return kept


def check_shards(shards: Sequence[Shard], options: argparse.Namespace) -> None:
    """Refuse shards with songs under other licences, since the contents of shards are fixed.

    Raises:
        CorpusError: there is one.
    """
    from seq2drum.data.corpus.corpora import Licences

    licences = Licences(options.licence)
    others = {str(row["licence"]) for shard in shards for row in shard.sources if row["licence"] not in licences}
    if others:
        raise CorpusError(
            f"the shards hold songs under other licences than {licences}, such as {min(others)!r}; prepare them again"
            " with --licence"
        )


def prepared(data: Sequence[str | Path], options: argparse.Namespace) -> list[Prepared]:
    """The songs of a corpus, from their cache if there is one."""
    from seq2drum.data.corpus.cache import load, unpacked

    path = cache_of(data, options)
    if path.exists():
        say(f"songs as prepared in {files.named(path)}")
        return allowed(load(path), options)
    return [unpacked(song) for song in _prepare(data, options, path)]


def cache_of(data: Sequence[str | Path], options: argparse.Namespace) -> Path:
    """The cache of the songs: the named one, or one named after their folders."""
    from seq2drum.data.corpus.corpora import Licences, source_of
    from seq2drum.data.corpus.parts import digest, parts_of
    from seq2drum.data.corpus.reading import digests_of, manifests_of

    if options.cache:
        return Path(options.cache)
    manifest = Path(options.manifest) if options.manifest else None
    known = digests_of(manifests_of(manifest, [source_of(word).path for word in data]))
    others = [reader] if (reader := _reader(options)) != SYMUSIC else []
    return CACHES / f"{digest(parts_of(data), *known, *Licences(options.licence).names, *others)}.s2d"


def _reader(options: argparse.Namespace) -> str:
    """The reader of MIDI; modes that read songs on the way have no choice of it."""
    return str(getattr(options, "reader", SYMUSIC))


def _prepare(data: Sequence[str | Path], options: argparse.Namespace, path: Path) -> list[Packed]:
    """Read the songs of a corpus, cache them in a file, and report."""
    from seq2drum.data.corpus import build
    from seq2drum.data.corpus.cache import save_packed
    from seq2drum.data.corpus.corpora import Licences
    from seq2drum.data.corpus.prepared import SPLITS

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writable = os.access(path.parent, os.W_OK)
    except OSError:
        writable = False
    if not writable:  # better reported before all files are read
        raise OutputError(f"the folder {str(path.parent)!r} cannot be written; name a file elsewhere with --cache FILE")
    with bar(1, "files read") as advance:
        songs, account = build.prepare_packed(
            data,
            workers=options.workers or os.cpu_count() or 1,
            manifest=Path(options.manifest) if options.manifest else None,
            licences=Licences(options.licence),
            reader=_reader(options),
            progress=lambda done, total: advance(1 / total, f"{done} of {total}"),
        )
    save_packed(songs, path)
    for line in account.lines():
        say(line)
    sides = [f"{sum(song.split == side for song in songs)} {side}" for side in SPLITS]
    say(f"songs by side: {', '.join(sides)}; kept in {files.named(path)} ({path.stat().st_size / 1e6:.1f} MB)")
    return songs
