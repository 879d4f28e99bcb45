"""Mode train: a drummer made from your own songs."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.cli import generators, prepare
from seq2drum.console.arguments import check_least
from seq2drum.console.terminal import bar, command, say
from seq2drum.errors import CorpusError, MissingExtraError, OptionError
from seq2drum.models.families import DEFAULT_FAMILY, FAMILIES, family
from seq2drum.system import files

if TYPE_CHECKING:
    from seq2drum.data.batches.batches import Data
    from seq2drum.data.batches.streaming import Layout, TrainingSongs
    from seq2drum.data.corpus.cache import Shard
    from seq2drum.data.corpus.prepared import Prepared
    from seq2drum.learn.accompaniment import Accompaniment, Recipe
    from seq2drum.learn.run.loop import Trained

RUNS = Path("runs")
MOST_COMBINED = 100_000  # loops


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the songs, the run, the model and the machine."""
    parser.usage = "%(prog)s [--data DIR ...] [options]"
    parser.description = (
        "Trains a drummer on your own songs. The run's folder holds best/ and last/, for --mode infer --model, and the"
        " report of the finished run, report.html. While the run goes on, TensorBoard (tensorboard --logdir DIR) shows"
        " curves, and takes of a few songs never trained on: their figures of the panel, and pictures."
    )
    parser.epilog = """examples:
  seq2drum --mode train --data my_songs --start default --minutes 5
  seq2drum --mode train --data my_songs --minutes 60
  seq2drum --mode train --out runs/transformer --resume --minutes 30"""
    songs = parser.add_argument_group("songs")
    prepare.add_data(songs, "folders of MIDI files with guitar and drums (default: the project's own examples)")
    songs.add_argument(
        "--weight", nargs="+", default=[], metavar="FOLDER=W", help="see a folder's songs W times as often"
    )
    songs.add_argument(
        "--combine",
        type=int,
        default=0,
        metavar="N",
        help="for generators: N more loops, of the kick of one, the snare of another and the hats of a third",
    )
    _add_run(parser)
    _add_model(parser)
    _add_machine(parser)


def _add_run(parser: argparse.ArgumentParser) -> None:
    kept = parser.add_argument_group("the run")
    kept.add_argument("--out", metavar="DIR", help=f"the folder of the run (default: {RUNS}/ and the model's name)")
    kept.add_argument("--resume", action="store_true", help="go on with the run in --out")
    kept.add_argument(
        "--minutes", type=float, metavar="M", help="how long to train in total, counting the time before --resume"
    )
    kept.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="how often to see all songs in total (default: 10, unless --minutes is given)",
    )
    kept.add_argument("--seed", type=int, default=0, metavar="N", help="which run (default: 0)")


def _add_model(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument_group("the model")
    model.add_argument(
        "--model",
        default=DEFAULT_FAMILY,
        metavar="NAME",
        help=f"the family, {' or '.join(FAMILIES)} (default: {DEFAULT_FAMILY}); or a generator, which learns from drums"
        f" alone: {', '.join(generators.TRAINED)}",
    )
    model.add_argument(
        "--size", nargs="+", default=[], metavar="NAME=N", help="sizes of the model's layers, such as hidden=384"
    )
    model.add_argument(
        "--kit", choices=("full", "nine"), help="24 pieces, or the nine of the literature (default: full)"
    )
    model.add_argument("--start", default="", metavar="MODEL", help="a model to start from, such as default")
    model.add_argument(
        "--hide-future",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of pairs whose bars see only the guitar before them, to learn to play live (default: 0)",
    )
    model.add_argument(
        "--max-notes", type=int, metavar="N", help="the most notes on each side of a pair (default: 150)"
    )
    model.add_argument("--batch", type=int, metavar="N", help="pairs per process and step (default: 96)")
    model.add_argument("--rate", type=float, metavar="R", help="peak learning rate (default: the family's own)")


def _add_machine(parser: argparse.ArgumentParser) -> None:
    machine = parser.add_argument_group("the machine")
    machine.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda"), help="where to compute (default: auto)"
    )
    machine.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "32", "bf16"),
        help="bf16 is twice as fast where the device has it (default: auto)",
    )
    machine.add_argument(
        "--compile",
        action="store_true",
        help="compute through torch.compile: minutes of compiling first, and other roundings; on a CPU in float32",
    )
    machine.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default: one per core)")


def run(options: argparse.Namespace) -> int:
    """Train, or resume; returns the exit code."""
    check_least(options, workers=1, threads=0)
    try:
        from seq2drum.learn.run import loop, runs
        from seq2drum.learn.run.devices import use_threads
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"training needs {error.name}: pip install 'seq2drum[train]'") from None
    from seq2drum.data.corpus.cache import sources_of
    from seq2drum.data.corpus.corpora import Licences
    from seq2drum.data.corpus.prepared import sources

    # 1. Refuse impossible options before the songs are read, which is slow.
    if options.model in generators.TRAINED:
        _check_numbers(options)
        use_threads(options.threads)
        out = Path(options.out) if options.out else RUNS / options.model
        runs.check_folder(out, resume=options.resume)
        folders = generators.folders_of(options.data) if options.data else [_own_examples()]
        return generators.train(options, folders, out)
    if options.combine:
        raise OptionError(f"--combine is for generators, and --model is {options.model}; leave it out")
    recipe = _recipe(options)
    use_threads(options.threads)
    out = Path(options.out) if options.out else RUNS / recipe.model
    resume = options.resume or runs.begun_again(out)
    runs.check_folder(out, resume=resume)
    # 2. Read the songs, or find their shards.
    if shards := _many(options):
        prepare.check_shards(shards, options)
        task, data = _task_of_shards(shards, recipe, options.workers or 1), sources_of(shards)
    else:
        songs = _songs(options)
        task, data = _task(songs, recipe), sources(songs)
        del songs  # laid out by now: frees half of the memory
    check_weights(recipe.weights, data)
    if resume:
        check_same(out, data)
    # 3. Train.
    licences = str(Licences(options.licence)) if options.licence else None
    about = {"data": data, "licences": licences, "command": command()}

    def stopping() -> None:
        say("stopping: the run is saved, and measured once more; Ctrl-C again leaves that out")

    with generators.watched(task, out, resume=resume) as show:
        trained = loop.train(task, out, resume=resume, about=about, show=show, stopping=stopping, warn=say)
    # 4. The report.
    _sum_up(trained, out)
    return 130 if trained.stopped else 0


def check_weights(weights: Mapping[str, float], data: list[dict[str, str | int]]) -> None:
    """Refuse weights of folders without songs, and weights that leave nothing to learn from.

    data: see `prepared.sources`.

    Raises:
        OptionError: there are such.
    """
    folders = {str(row["folder"]) for row in data}
    if unknown := sorted(weights.keys() - folders):
        some = ", ".join(sorted(folders)[:20]) or "none"
        raise OptionError(f"--weight names {unknown[0]!r}, and no song lies in such a folder; there are {some}")
    if not any(row["train"] and weights.get(str(row["folder"]), 1) for row in data):
        raise OptionError("no song to learn from is left, as --weight is 0 for all their folders; name a larger one")


def check_same(out: Path, data: list[dict[str, str | int]]) -> None:
    """Refuse to resume a run on other songs: its epochs would differ, and its card would name these alone.

    data: see `prepared.sources`.

    Raises:
        OptionError: there are others.
    """
    from seq2drum.play.checkpoint.folder import CONFIG

    try:
        kept = json.loads((out / "last" / CONFIG).read_bytes()).get("data", data)
    except (OSError, ValueError, AttributeError):  # a damaged run, reported when it is read
        return
    if kept != data:
        raise OptionError(
            f"the run in {str(out)!r} was begun with other songs; name the same ones, or begin another run that goes on"
            f" from its weights: --start {files.named(out)}"
        )


def _on_own_examples(options: argparse.Namespace) -> bool:
    return not options.data and not options.cache


def _recipe(options: argparse.Namespace) -> Recipe:
    """The options as a recipe; open values are its defaults.

    Raises:
        OptionError: an impossible number.
        UnknownModelError: no such family.
    """
    from seq2drum.learn.accompaniment import Recipe

    model = options.model or DEFAULT_FAMILY
    recipe = Recipe(
        model=model,
        rate=family(model).rate,
        seed=options.seed,
        minutes=options.minutes,
        device=options.device,
        precision=options.precision,
        weights=_numbers("--weight", options.weight),
        sizes=_sizes(options.size),
        future_hidden=options.hide_future,
        start=options.start,
        compiled=options.compile,
    )
    if _on_own_examples(options):  # twenty-two short songs: small batches, many epochs, a few minutes in all
        recipe = replace(recipe, epochs=60, batch=16)
    given = {name: getattr(options, name) for name in ("epochs", "batch", "rate", "max_notes", "kit")}
    recipe = replace(recipe, **{name: value for name, value in given.items() if value is not None})
    _check_numbers(argparse.Namespace(**vars(recipe), hide_future=recipe.future_hidden))
    return recipe


def _many(options: argparse.Namespace) -> list[Shard]:
    """The shards of a cache too large for memory; empty for any other."""
    from seq2drum.data.batches.streaming import MAX_IN_MEMORY
    from seq2drum.data.corpus.cache import shards_of

    shards = shards_of(Path(options.cache)) if options.cache and not options.data else []
    return shards if sum(shard.sides["train"] for shard in shards) > MAX_IN_MEMORY else []


def _songs(options: argparse.Namespace) -> list[Prepared]:
    from seq2drum.data.corpus.cache import load

    if options.cache and not options.data:
        return prepare.allowed(load(Path(options.cache)), options)
    songs = prepare.prepared(options.data or [_own_examples()], options)
    if _on_own_examples(options):
        say("training on the project's own examples: enough to see that it works, far too little for a good drummer.")
        say("for a real one, give it folders of songs with guitar and drums: --data DIR")
    return songs


def _task(songs: Sequence[Prepared], recipe: Recipe) -> Accompaniment:
    """A task that learns from the songs of the training side, measured on those of the validation side.

    Raises:
        CorpusError: nothing to learn from.
    """
    from seq2drum.data.batches.streaming import InMemorySongs
    from seq2drum.data.corpus.prepared import SPLITS

    sides = {side: [song for song in songs if song.split == side] for side in SPLITS}
    if not sides["train"]:
        raise CorpusError(
            f"none of the {len(songs)} songs fell to the training side of the split; more songs are needed"
        )
    with bar(None, "laying out the songs"):
        training, unseen = InMemorySongs(_layout(recipe).materialise(sides["train"])), sides["validation"]
        validation = _unaltered(recipe).materialise(unseen) if unseen else None
    return _accompaniment(training, validation, songs, recipe)


def _task_of_shards(shards: Sequence[Shard], recipe: Recipe, workers: int) -> Accompaniment:
    """A task that learns from shards, chunk by chunk, measured on some of their validation side."""
    from seq2drum.data.batches.streaming import (
        MAX_IN_MEMORY,
        VALIDATION_SONGS,
        StreamedSongs,
        materialise_in_file,
        songs_among,
    )

    with bar(None, "choosing songs to measure by"):
        training = StreamedSongs(shards, _layout(recipe), workers=workers)
        unseen = songs_among(shards, "validation", VALIDATION_SONGS, recipe.seed)
        some = songs_among(shards, "train", VALIDATION_SONGS, recipe.seed)
        validation = materialise_in_file(unseen, _unaltered(recipe)) if unseen else None
    too_many = f"{training.songs} songs to learn from: more than {MAX_IN_MEMORY}"
    say(f"{too_many}, so they are streamed in {training.chunks} chunks")
    return _accompaniment(training, validation, [*some, *unseen], recipe)


def _layout(recipe: Recipe) -> Layout:
    from seq2drum.data.batches.streaming import Layout
    from seq2drum.music.kit import KITS

    return Layout(KITS[recipe.kit], recipe.altered, recipe.future_hidden == 0, recipe.seed)


def _unaltered(recipe: Recipe) -> Layout:
    return replace(_layout(recipe), altered=0.0)


def _accompaniment(
    training: TrainingSongs, validation: Data | None, some: Sequence[Prepared], recipe: Recipe
) -> Accompaniment:
    """A task on the songs of a training side, measured on unseen ones, with samples from a few of `some`."""
    from seq2drum.learn.accompaniment import Accompaniment
    from seq2drum.learn.run import watching

    if validation is None:
        say("no song fell to the validation side of the split, so there will be no figure for unseen songs")
    return Accompaniment(training, validation, recipe, chosen=watching.choose(some, seed=recipe.seed), warn=say)


def _sum_up(trained: Trained, out: Path) -> None:
    from seq2drum.learn.run.report import GROOVED, NATS, SWAPPED, listening

    progress = trained.progress
    say(
        f"{'stopped' if trained.stopped else 'trained'} after {progress.seen} bars in {progress.seconds:.0f} s"
        f" ({progress.seen / max(progress.seconds, 1e-9):.0f} bars a second)"
    )
    if NATS in progress.validation:
        own, swapped = progress.validation[NATS], progress.validation.get(SWAPPED)
        say(f"on songs never trained on: {own:.2f} nats a bar, how surprising the real drums are; less is better")
        if swapped is None:
            say("they are too few to measure with another song's guitar, which would show whether it listens")
        else:
            say(f"with another song's guitar: {swapped:.2f}; {listening(own, swapped)}")
        if GROOVED in progress.validation:
            say(f"on the same, given the groove of each section: {progress.validation[GROOVED]:.2f}")
    if trained.report:
        say(f"how it went: {trained.report}, or tensorboard --logdir {files.named(out)}")
    say(f"play with it: seq2drum --mode infer SONG.mid --model {files.named(out)}")


def _check_numbers(options: argparse.Namespace) -> None:
    if not 0 <= options.seed < 1 << 64:
        raise OptionError(f"the seed is {options.seed}, wanted 0 or more, and less than 2^64")
    for name in ("minutes", "epochs", "batch", "rate", "max_notes"):
        value = getattr(options, name)
        if value is not None and not 0 < value < math.inf:
            raise OptionError(f"--{name.replace('_', '-')} is {value}, wanted a number of more than 0")
    if not 0 <= getattr(options, "hide_future", 0.0) <= 1:
        raise OptionError(f"--hide-future is {options.hide_future}, wanted a share from 0 to 1")
    if not 0 <= getattr(options, "combine", 0) <= MOST_COMBINED:
        raise OptionError(f"--combine is {options.combine}, wanted a number of loops, at most {MOST_COMBINED}")


def _numbers(flag: str, given: Sequence[str]) -> dict[str, float]:
    """The pairs in NAME=NUMBER, separated by commas."""
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
    # Widths are whole numbers; dropout is not.
    sizes = _numbers("--size", given)
    return {name: int(value) if value.is_integer() and value else value for name, value in sizes.items()}


def _own_examples() -> Path:
    folder = Path(__file__).parents[2] / "examples" / "training"
    if not folder.is_dir():
        raise OptionError("this installation lacks the project's examples; name your songs with --data DIR")
    return folder
