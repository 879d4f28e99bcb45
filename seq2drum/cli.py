"""The command line: flags and printing, nothing else.

Exit codes: 0 all done; 2 something was wrong with what was asked or given, told in one line each; 130 stopped by
Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from seq2drum import __version__
from seq2drum.errors import CorpusError, InputError, MissingExtraError, OptionError, OutputError, Seq2DrumError
from seq2drum.models import FAMILIES

if TYPE_CHECKING:  # each mode imports what it needs: help and errors come at once, and playing never loads torch
    from seq2drum.corpus import Prepared
    from seq2drum.drummer import Drummer, Options, Take
    from seq2drum.train import Plan

OUTPUT_SUFFIX = ".drums.mid"
_SLASHES = ("/", os.sep)
CACHES = Path("cache")
RUNS = Path("runs")
PATIENCE = 2.0  # seconds that may pass without a sign of progress


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    modes = {"infer": _infer, "prepare": _prepare, "train": _train}
    try:
        _check_flags(parser, options)
        return modes[options.mode](options)
    except _StandardOutputError as error:
        if not isinstance(error.__cause__, BrokenPipeError):  # whoever stopped reading needs no message
            _say(f"seq2drum: {error}")
        # Python would try once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except Seq2DrumError as error:
        _say(f"seq2drum: {error}")
        return 2
    except KeyboardInterrupt:
        _say("seq2drum: stopped")
        return 130


class _Lines(argparse.HelpFormatter):
    """Leaves a text of several lines as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class _Parser(argparse.ArgumentParser):
    """Errors are one line here as everywhere."""

    def error(self, message: str) -> NoReturn:
        _say(f"seq2drum: {message}; seq2drum --help lists all options")
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="seq2drum",
        description="A drummer for your guitar: a guitar MIDI file goes in, a drum MIDI file comes out.",
        epilog="examples:\n  seq2drum --mode infer song.mid\n  seq2drum --mode infer takes/ -o drums/ --seed 3\n"
        "  seq2drum --mode train --data my_songs --minutes 60",
        formatter_class=_Lines,
    )
    parser.add_argument("--version", action="version", version=f"seq2drum {__version__}")
    parser.add_argument("--mode", required=True, choices=("infer", "prepare", "train"), help="what to do")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="which take, or which training run (default: 0)"
    )
    parser.add_argument(
        "--model",
        metavar="NAME|DIR",
        help="infer: a model in the package, or the folder of a training run (default: the one in the box); "
        f"train: the family, {' or '.join(FAMILIES)} (default: attention)",
    )

    infer = parser.add_argument_group("infer: drums for guitar files")
    infer.add_argument(
        "files", nargs="*", metavar="SONG", help="MIDI or MusicXML files, folders of them, or - for MIDI on stdin"
    )
    infer.add_argument(
        "-o",
        "--output",
        metavar="FILE|DIR",
        help=f"where to write; - is standard output (default: SONG{OUTPUT_SUFFIX} beside the song)",
    )
    infer.add_argument(
        "--temperature", type=float, metavar="T", help="0 the most likely take, 1 as free as real music (default: 1)"
    )
    infer.add_argument(
        "--top-p", type=float, metavar="P", help="keep this share of what is likely; lower is tamer (default: 0.99)"
    )
    infer.add_argument(
        "--track", metavar="N|NAME", help="the guitar part, by number from 1 or by name (default: what looks like one)"
    )
    infer.add_argument(
        "--with-guitar", action="store_true", help="write the whole song, with these drums instead of its own"
    )
    infer.add_argument("--score", metavar="FILE", help="also write the drums as a MusicXML score")
    infer.add_argument("--force", action="store_true", help="overwrite what is there")
    infer.add_argument("--json", action="store_true", help="print one line of JSON a take")

    learn = parser.add_argument_group("prepare and train: your own songs, and a drummer made from them")
    learn.add_argument(
        "--data",
        nargs="+",
        metavar="DIR",
        help="folders of MIDI files with guitar and drums (train without: the project's own examples)",
    )
    learn.add_argument(
        "--cache", metavar="FILE", help=f"the prepared songs (default: a name made from the files, in {CACHES}/)"
    )
    learn.add_argument(
        "--manifest",
        metavar="FILE",
        help="a table of sha256 and group, so that arrangements of one song stay together "
        "(default: manifest.csv in or beside a folder)",
    )
    learn.add_argument("--workers", type=int, metavar="N", help="processes that read files (default: one a core)")

    train = parser.add_argument_group("train")
    train.add_argument("--out", metavar="DIR", help=f"where the run is kept (default: {RUNS}/ and the model's name)")
    train.add_argument("--resume", action="store_true", help="go on with the run in --out")
    train.add_argument("--minutes", type=float, metavar="M", help="how long to train")
    train.add_argument(
        "--epochs", type=int, metavar="N", help="how often to see all songs (default: 10, if --minutes is not given)"
    )
    train.add_argument("--batch", type=int, metavar="N", help="pairs a process sees at once (default: 96)")
    train.add_argument("--rate", type=float, metavar="R", help="peak learning rate (default: 0.003)")
    train.add_argument("--max-notes", type=int, metavar="N", help="notes a side of a pair (default: 150)")
    train.add_argument(
        "--kit", choices=("full", "nine"), help="24 pieces, or the nine of the literature (default: full)"
    )
    train.add_argument(
        "--weight", nargs="+", default=[], metavar="FOLDER=W", help="see a folder's songs W times as often"
    )
    train.add_argument(
        "--size", nargs="+", default=[], metavar="NAME=N", help="sizes of the model's layers, such as hidden=384"
    )
    train.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda"), help="where to compute (default: auto)"
    )
    train.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "32", "bf16"),
        help="bf16 is twice as fast where the device has it (default: auto)",
    )
    train.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: one a core)")
    return parser


# Options that only one mode looks at: naming them in another is a mistake, and would be a silent one.
_ONLY = {
    "infer": ("files", "output", "temperature", "top_p", "track", "with_guitar", "score", "force", "json"),
    "train": ("out", "resume", "minutes", "epochs", "batch", "rate", "max_notes", "kit", "weight", "size"),
}
_NEVER_INFER = ("data", "cache", "manifest", "workers", "device", "precision", "threads")
_NEVER_PREPARE = ("model", "seed", "device", "precision", "threads")


def _check_flags(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    def given(names: Sequence[str]) -> str:
        found = [name for name in names if getattr(options, name) not in (parser.get_default(name), [])]
        return ", ".join("a song" if name == "files" else "--" + name.replace("_", "-") for name in found)

    for mode, names in _ONLY.items():
        if mode != options.mode and (flags := given(names)):
            raise OptionError(f"--mode {options.mode} has no use for {flags}; did you mean --mode {mode}?")
    if options.mode == "infer" and (flags := given(_NEVER_INFER)):
        raise OptionError(f"--mode infer has no use for {flags}; name the songs themselves")
    if options.mode == "prepare" and (flags := given(_NEVER_PREPARE)):
        raise OptionError(f"--mode prepare has no use for {flags}; it is for --mode train")
    for name, least in (("workers", 1), ("threads", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise OptionError(f"--{name} is {value}, wanted {least} or more")


# --- infer -----------------------------------------------------------------------------------------------------------


def _infer(options: argparse.Namespace) -> int:
    from seq2drum.drummer import Drummer, Options

    wanted = Options(seed=options.seed, track=options.track)
    for name in ("temperature", "top_p"):
        if getattr(options, name) is not None:
            wanted = replace(wanted, **{name: getattr(options, name)})
    jobs = _jobs(options)
    if options.score and len(jobs) > 1:
        raise OptionError(f"--score names one file, but there are {len(jobs)} songs")
    if options.score and (options.score == "-" or Path(options.score).absolute() == Path(jobs[0][1]).absolute()):
        raise OptionError("--score wants a file of its own")
    inputs = {place for source, _ in jobs if (place := _place(source))}
    drummer = Drummer.load(options.model or "default")
    code = 0
    with _bar(len(jobs) if len(jobs) > 1 else None, "playing") as advance:
        for source, target in jobs:
            try:
                for written in filter(None, (target, options.score)):
                    _check_target(written, inputs, overwrite=options.force)
                _play_one(drummer, source, target, wanted, options)
            except _StandardOutputError:
                raise
            except Seq2DrumError as error:
                told, shown = str(error), "standard input" if source == "-" else source
                _say(f"seq2drum: {told}" if shown in told else f"seq2drum: {shown}: {told}")
                code = 2
            advance(1, "")
    return code


def _jobs(options: argparse.Namespace) -> list[tuple[str, str]]:
    """Which song goes where: names of files, "-" for the standard streams."""
    from seq2drum import drummer, midi

    music = midi.SUFFIXES | drummer.SCORES
    if not options.files:
        raise OptionError("--mode infer wants a song: a MIDI or MusicXML file, a folder, or - for standard input")
    sources: list[str] = []
    # A name that ends in a slash is a folder's, whether it is there yet or not.
    several = len(options.files) > 1 or (
        options.output not in (None, "-") and (options.output.endswith(_SLASHES) or _is_folder(options.output))
    )
    for name in options.files:
        path = Path(name)
        if name != "-" and _is_folder(name):
            several = True
            try:
                found = sorted(child for child in path.iterdir() if child.suffix.lower() in music and child.is_file())
            except OSError as error:
                raise InputError(f"the folder {name!r} cannot be read ({error.strerror})") from None
            found = [child for child in found if not child.name.endswith(OUTPUT_SUFFIX)]
            if not found:
                raise CorpusError(f"there is no MIDI or MusicXML file in the folder {name!r}")
            sources += map(str, found)
        else:
            sources.append(name)
    if not several:
        return [(sources[0], options.output or _beside(sources[0]))]
    if options.output == "-":
        raise OptionError("several songs cannot all go to standard output; name a folder with -o DIR")
    targets = [_beside(source) for source in sources]
    if options.output:
        folder = Path(options.output)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise OptionError(f"{options.output!r} is a file; for several songs -o wants a folder") from None
        except OSError as error:
            raise OptionError(f"the folder {options.output!r} cannot be made ({error.strerror})") from None
        targets = [str(folder / (Path(source).stem + OUTPUT_SUFFIX)) for source in sources]
    twice = {target for target in targets if targets.count(target) > 1}
    if twice:
        raise OptionError(
            f"two songs would both become {min(twice)!r}; give them names of their own, or run them apart"
        )
    return list(zip(sources, targets, strict=True))


def _beside(source: str) -> str:
    return "-" if source == "-" else str(Path(source).with_name(Path(source).stem + OUTPUT_SUFFIX))


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # a name that no file can have; reading or writing it will say so
        return False


def _place(name: str) -> tuple[int, int] | None:
    """What makes a file itself, whatever it is called: device and number; None if there is no such file."""
    try:
        found = Path(name).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _check_target(name: str, inputs: set[tuple[int, int]], *, overwrite: bool) -> None:
    """Refuse, before anything is played, what must not be written to."""
    if name == "-":
        return
    try:
        mode = Path(name).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise OutputError(f"{name} cannot be written ({error.strerror}); name another file with -o") from None
    if stat.S_ISDIR(mode):
        raise OutputError(f"{name} is a folder; name a file in it")
    if not stat.S_ISREG(mode):
        raise OutputError(f"{name} is a device and no file; name a file, or - for standard output")
    if _place(name) in inputs:
        raise OptionError(f"{name} is a song that was given, and would be written over; name another file")
    if not overwrite:
        raise OutputError(f"{name} exists already; choose another name or allow overwriting (--force)")


def _play_one(drummer: Drummer, source: str, target: str, wanted: Options, options: argparse.Namespace) -> None:
    from seq2drum import midi

    begun = time.perf_counter()
    if source == "-":
        song: str | bytes = sys.stdin.buffer.read(midi.DEFAULT_LIMITS.file_bytes + 1)
    else:
        song = source
    take = drummer.accompany(song, wanted)
    if target == "-":
        data = take.to_bytes(with_guitar=options.with_guitar)
        with _standard_output():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    else:
        take.save(target, with_guitar=options.with_guitar, overwrite=options.force)
    if options.score:
        from seq2drum import files, score

        title = "Drums" if source == "-" else Path(source).stem
        files.write_file(options.score, score.write_score(take.song, take.part, title), overwrite=options.force)
    seconds = time.perf_counter() - begun
    guitar = [f"{index + 1} {take.song.parts[index].name}".strip() for index in take.guitar.parts]
    if options.json:
        line = {
            "input": source,
            "output": target,
            "bars": len(take.song.bars()),
            "hits": len(take.part),
            "seed": wanted.seed,
            "seconds": round(seconds, 3),
            "guitar": guitar,
            "why": take.guitar.reason,
        }
        told = json.dumps(line)
    else:
        told = _told(take, target, seconds)
    if target != "-":
        with _standard_output():
            print(told, flush=True)
    elif options.json:  # standard output belongs to the take
        _say(told)


def _told(take: Take, target: str, seconds: float) -> str:
    names = ", ".join(str(index + 1) for index in take.guitar.parts)
    heard = f"{'part' if len(take.guitar.parts) == 1 else 'parts'} {names} ({take.guitar.reason})"
    return f"{target}: {len(take.song.bars())} bars, {len(take.part)} hits in {seconds:.1f} s, listening to {heard}"


# --- prepare and train -----------------------------------------------------------------------------------------------


def _prepare(options: argparse.Namespace) -> int:
    if not options.data:
        raise OptionError("--mode prepare wants --data DIR, one or more folders of MIDI files")
    _prepared([Path(name) for name in options.data], options, anew=True)
    return 0


def _prepared(folders: list[Path], options: argparse.Namespace, *, anew: bool) -> list[Prepared]:
    """The songs of some folders, from their cache if there is one."""
    from seq2drum import corpus

    path = Path(options.cache) if options.cache else CACHES / f"{corpus.digest(folders)}.s2d"
    if path.exists() and not anew:
        _say(f"songs as prepared in {path}")
        return corpus.load(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writable = os.access(path.parent, os.W_OK)
    except OSError:
        writable = False
    if not writable:  # better said before all files are read
        raise OutputError(f"the folder {str(path.parent)!r} cannot be written; name a file elsewhere with --cache FILE")
    with _bar(1, "files read") as advance:
        songs, account = corpus.prepare(
            folders,
            workers=options.workers or os.cpu_count() or 1,
            manifest=Path(options.manifest) if options.manifest else None,
            progress=lambda done, total: advance(1 / total, f"{done} of {total}"),
        )
    corpus.save(songs, path)
    for line in account.lines():
        _say(line)
    sides = [f"{sum(song.split == side for song in songs)} {side}" for side in corpus.SPLITS]
    _say(f"songs by side: {', '.join(sides)}; kept in {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return songs


def _train(options: argparse.Namespace) -> int:
    from seq2drum import batches, corpus
    from seq2drum.kit import KITS

    try:
        from seq2drum import train
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"training needs {error.name}: pip install 'seq2drum[train]'") from None

    plan = train.Plan(
        model=options.model or "attention",
        seed=options.seed,
        minutes=options.minutes,
        device=options.device,
        precision=options.precision,
        weights=_numbers("--weight", options.weight),
        sizes=_sizes(options.size),
    )
    own = not options.data and not options.cache
    given = {name: getattr(options, name) for name in ("epochs", "batch", "rate", "max_notes", "kit")}
    if own:  # twenty short songs: small batches, seen often, a few minutes in all
        plan = replace(plan, epochs=60, batch=16)
    plan = replace(plan, **{name: value for name, value in given.items() if value is not None})
    _check_plan(plan)
    train.use_threads(options.threads)
    out = Path(options.out) if options.out else RUNS / plan.model
    train.check_folder(out, resume=options.resume)  # before the songs are read, which takes its time

    if options.cache and not options.data:
        songs = corpus.load(Path(options.cache))
    else:
        folders = [Path(name) for name in options.data] if options.data else [_own_examples()]
        songs = _prepared(folders, options, anew=False)
    if own:
        _say("training on the project's own examples: enough to see that it works, far too little for a good drummer.")
        _say("for a real one, give it folders of songs with guitar and drums: --data DIR")
    kit = KITS[plan.kit]
    sides = {side: [song for song in songs if song.split == side] for side in corpus.SPLITS}
    if not sides["train"]:
        raise CorpusError(
            f"none of the {len(songs)} songs fell to the training side of the split; more songs are needed"
        )
    with _bar(None, "laying out the songs"):
        training = batches.flatten(sides["train"], kit)
        validation = batches.flatten(sides["validation"], kit) if sides["validation"] else None
    if validation is None:
        _say("no song fell to the validation side of the split, so there will be no figure for unseen songs")
    about = {"data": corpus.sources(songs), "command": _command()}
    with _bar(1, "trained") as advance:
        done = 0.0

        def show(share: float, progress: train.Progress) -> None:
            nonlocal done
            rate = progress.bars / max(progress.seconds, 1e-9)
            text = f"{progress.bars} bars, {rate:.0f} a second, {progress.nats:.2f} nats a bar"
            if progress.validation == progress.validation:
                text += f"; unseen {progress.validation:.2f}"
            if progress.swapped == progress.swapped:
                text += f", another's guitar {progress.swapped:.2f}"
            advance(share - done, text)
            done = share

        def stopping() -> None:
            _say("stopping: the run is saved, and measured once more; Ctrl-C again leaves that out")

        outcome = train.train(
            training, validation, plan, out, resume=options.resume, about=about, show=show, stopping=stopping
        )
    progress = outcome.progress
    _say(
        f"{'stopped' if outcome.stopped else 'trained'} after {progress.bars} bars in {progress.seconds:.0f} s"
        f" ({progress.bars / max(progress.seconds, 1e-9):.0f} bars a second)"
    )
    if progress.validation == progress.validation:
        deaf = f"{progress.swapped:.2f} with another song's guitar"
        if progress.swapped != progress.swapped:
            deaf = "too few of them to measure with another song's guitar"
        _say(f"on songs never trained on: {progress.validation:.2f} nats a bar, {deaf}")
    _say(f"play with it: seq2drum --mode infer SONG.mid --model {out}")
    return 130 if outcome.stopped else 0


def _check_plan(plan: Plan) -> None:
    if plan.model not in FAMILIES:
        raise OptionError(f"there is no model family {plan.model!r}; there are {', '.join(FAMILIES)}")
    for name in ("minutes", "epochs", "batch", "rate", "max_notes"):
        value = getattr(plan, name)
        if value is not None and not 0 < value < math.inf:
            raise OptionError(f"--{name.replace('_', '-')} is {value}, wanted a number of more than 0")


def _command() -> str:
    """The command as it was given, without the paths of this machine."""
    words = [Path(word).name if os.sep in word and not word.startswith("-") else word for word in sys.argv[1:]]
    return shlex.join(["seq2drum", *words])


def _numbers(flag: str, given: Sequence[str]) -> dict[str, float]:
    """NAME=NUMBER, several of them."""
    numbers = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            numbers[name] = float(number)
        except ValueError:
            raise OptionError(f"{flag} wants NAME=NUMBER such as {_NUMBERS[flag]}, found {text!r}") from None
        if not name or not 0 <= numbers[name] < math.inf:
            raise OptionError(f"{flag} wants NAME=NUMBER with a number of 0 or more, found {text!r}")
    return numbers


_NUMBERS = {"--weight": "jazz=3", "--size": "hidden=384"}


def _sizes(given: Sequence[str]) -> dict[str, float]:
    # Widths are whole numbers; dropout is none.
    sizes = _numbers("--size", given)
    return {name: int(value) if value.is_integer() and value else value for name, value in sizes.items()}


def _own_examples() -> Path:
    folder = Path(__file__).parents[1] / "examples" / "training"
    if not folder.is_dir():
        raise OptionError(
            "the project's own examples are not beside this installation; name your songs with --data DIR"
        )
    return folder


# --- printing --------------------------------------------------------------------------------------------------------


def _say(text: str) -> None:
    if _speaks():
        print(text, file=sys.stderr, flush=True)


class _StandardOutputError(OutputError):
    """Standard output takes no more: nothing that follows could be told."""


@contextmanager
def _standard_output() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _StandardOutputError(f"standard output cannot be written ({error.strerror})") from error


def _speaks() -> bool:
    """Of several processes that torchrun started, only the first speaks."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def _bar(total: float | None, what: str) -> Iterator[Callable[[float, str], None]]:
    """A progress bar on standard error, shown only to a person and only when it takes longer than two seconds.

    Without a total it only moves: something is being done.
    """
    if not sys.stderr.isatty() or not _speaks():
        yield lambda amount, text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.percentage:3.0f} %"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    progress = Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        refresh_per_second=4,
        redirect_stdout=sys.stdout.isatty(),  # a file or a pipe gets its lines, however long the bar has been there
    )
    task = progress.add_task(what, total=total)
    patience = threading.Timer(PATIENCE, progress.start)
    patience.daemon = True
    patience.start()

    def advance(amount: float, text: str) -> None:
        progress.update(task, advance=amount, description=f"{what} {text}".strip())

    try:
        yield advance
    finally:
        patience.cancel()
        patience.join()  # it may be starting at this very moment
        if progress.live.is_started:
            progress.stop()
