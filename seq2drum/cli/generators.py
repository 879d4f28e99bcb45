"""Modes train and eval for generators of beats, which learn from drums alone."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2drum.console.terminal import bar, command, say, standard_output
from seq2drum.errors import MissingExtraError, OptionError
from seq2drum.music.choices import GENERATORS, LABORATORIES
from seq2drum.system import files

if TYPE_CHECKING:
    from seq2drum.data.drums.beats import Beats
    from seq2drum.learn.run.task import Progress, Recipe, Task

TRAINED = (*LABORATORIES, "wavegan")
"""The models that `--mode train` makes without guitars."""

_FOREIGN = (
    "cache",
    "manifest",
    "licence",
    "weight",
    "size",
    "kit",
    "max_notes",
)  # options that mean nothing without a guitar

WINDOWS = 3000
"""Windows of eight bars that the strong critic learns from."""

_SIDES = {"test": ("test",), "validation": ("validation",), "all": ("validation", "test")}
_UNJUDGED = ("cache", "licence", "metre", "tag", "reference", "listen", "votes", "measure")  # options of --mode eval


def folders_of(words: Sequence[str]) -> list[Path]:
    """The folders named by the words behind --data; a known corpus, such as groove:DIR, is one as well."""
    from seq2drum.data.corpus.corpora import source_of

    return [source_of(word).path for word in words]


def train(options: argparse.Namespace, folders: list[Path], out: Path) -> int:
    """Train a generator, or resume; returns the exit code.

    Raises:
        OptionError: an option that does not apply to generators.
    """
    from seq2drum.learn.generators import generating
    from seq2drum.learn.run import loop

    for name in _FOREIGN:
        if getattr(options, name):
            raise OptionError(f"--model {options.model} does not take --{name.replace('_', '-')}; leave it out")
    if options.combine and not generating.learns_from_bars(options.model):
        raise OptionError(f"--combine makes loops of hits, and --model {options.model} learns from sound; leave it out")
    with bar(None, "reading drums"):
        bars = generating.read(options.model, folders, say)
    if options.combine:
        bars = _combined(bars, options.combine, options.seed)
    task = generating.task_of(options.model, bars, _recipe(options), lambda line: None)
    about = {**generating.about(options.model, folders), "command": command()}
    with watched(task, out, resume=options.resume) as show:
        trained = loop.train(task, out, resume=options.resume, about=about, show=show, warn=say)
    # The result, and the command to resume.
    progress = trained.progress
    say(f"{'stopped' if trained.stopped else 'trained'} after {progress.seconds:.0f} s: {task.status(progress)}")
    unseen = ", ".join(f"{name} {value:.4g}" for name, value in progress.validation.items())
    say(f"on drums never trained on: {unseen}" if unseen else "no file fell to the validation side of the split")
    say(f"make beats with it: seq2drum --mode generate --model {files.named(out)}")
    return 130 if trained.stopped else 0


@contextmanager
def watched(task: Task[Any, Any], out: Path, *, resume: bool) -> Iterator[Callable[[float, Progress], None]]:
    """A callback that shows a run's progress; a resumed run first reports its past and its remainder.

    Raises:
        CheckpointError: no run to resume, or a damaged one.
    """
    from seq2drum.learn.run import runs

    if resume:
        say(going_on(runs.progress_of(out), task.recipe, task.chunks))
    done = 0.0
    with bar(1, "trained", lines=True) as advance:

        def show(share: float, progress: Progress) -> None:
            nonlocal done
            advance(share - done, task.status(progress))
            done = share

        yield show


def going_on(progress: Progress, recipe: Recipe, chunks: int) -> str:
    """The past and the remainder of a run: both count for --minutes and --epochs."""
    behind, whole, unit = float(progress.epoch), float(recipe.epochs * chunks), "epochs"
    if recipe.minutes is not None:
        behind, whole, unit = progress.seconds / 60, recipe.minutes, "minutes"
    if behind >= whole:
        return (
            f"nothing is left to train: the run has {behind:.3g} {unit} behind it, and --{unit} {whole:g} is for the"
            " whole run; name more"
        )
    return f"going on: {behind:.3g} of the {whole:g} {unit} of the whole run are done"


def _combined(bars: Beats, count: int, seed: int) -> Beats:
    """The loops of several lines, and up to `count` combined from the lines of all; the number is reported."""
    import numpy as np

    from seq2drum.data.drums import loops

    made = loops.combined(bars, count, np.random.default_rng(seed))
    say(f"{made.loops} loops were made of the lines of others; {made.copies} of {made.tried} tried were copies")
    return loops.joined(loops.whole(bars), made.beats)


def _recipe(options: argparse.Namespace) -> dict[str, Any]:
    """The options as a recipe; the rest is the generator's default."""
    given = {name: getattr(options, name) for name in ("minutes", "epochs", "batch", "rate")}
    machine = {name: getattr(options, name) for name in ("device", "precision") if getattr(options, name) != "auto"}
    return {name: value for name, value in given.items() if value is not None} | machine | {"seed": options.seed}


# --- mode eval --------------------------------------------------------------------------------------------------------


def all_generators(names: Sequence[str]) -> bool:
    """Return True if models are generators, by their names or their folders' contents.

    Raises:
        OptionError: some are, and some are drummers.
    """
    from seq2drum.play.generators import composer, loops

    found = [name in GENERATORS or composer.is_generator(name) or bool(loops.folder_of(name)) for name in names]
    if any(found) and not all(found):
        other = names[found.index(False)]
        raise OptionError(f"{other!r} is not a generator, and cannot be measured with one; evaluate it alone")
    return any(found)


def evaluate(options: argparse.Namespace) -> int:
    """Print the panel of generators, beside real bars of the same genre and tempo; returns the exit code.

    Raises:
        OptionError: an option that does not apply to generators, or no folder of drums.
        MissingExtraError: the critic's library is not installed.
    """
    from seq2drum.play.generators import loops

    # 1. Refuse impossible options before any slow work.
    sounding = [name for name in options.model if loops.folder_of(name)]
    if sounding and len(options.model) > 1:
        raise OptionError(f"audio loops have no hits to measure beside others'; name {sounding[0]} alone")
    for name in _UNJUDGED if sounding else (*_UNJUDGED, "write"):
        if getattr(options, name):
            raise OptionError(f"generators are measured without --{name.replace('_', '-')}; leave it out")
    if options.genre and sounding:
        raise OptionError("audio loops have no hits to find the marks of genres in; leave out --genre")
    if not options.data and not options.genre:
        raise OptionError(
            "--mode eval of generators wants --data DIR, folders of drums, such as the Groove MIDI Dataset"
        )
    for path in filter(None, (options.json, options.report)):
        files.check(Path(path), overwrite=options.force)
    if options.split not in _SIDES:
        raise OptionError(f"generators are measured on --split {', '.join(_SIDES)}; they have learnt from the others")
    if options.genre:
        return _evaluate_genres(options)
    try:
        from seq2drum.evaluate import beats
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"measuring generators needs {error.name}: pip install 'seq2drum[train]'") from None
    # 2. Measure, print and write.
    if sounding:
        return _evaluate_loops(options)
    sides, windows = _SIDES[options.split], options.songs or WINDOWS
    with bar(None, "measuring") as advance:
        folders = folders_of(options.data)
        panels = beats.judged(options.model, folders, sides, windows, options.seed, lambda line: advance(0, line))
    table = beats.table(panels)
    with standard_output():
        print(table, flush=True)
    if options.json:
        figures = {name: dict(panel) for name, panel in panels.items()}
        files.write_file(options.json, (json.dumps(figures, indent=2) + "\n").encode(), overwrite=options.force)
    if options.report:
        files.write_file(options.report, (table + "\n").encode(), overwrite=options.force)
    return 0


def _evaluate_genres(options: argparse.Namespace) -> int:
    """Print how often generators keep the marks of genres, beside drummers where there is data; returns the code."""
    from seq2drum.evaluate import genres, report
    from seq2drum.play.generators.composer import Composer

    composers = {name: Composer.load(name) for name in options.model}
    with bar(None, "measuring") as advance:
        drummers = genres.real(folders_of(options.data), lambda line: advance(0, line)) if options.data else {}
        made = {
            name: genres.figures(composer, options.seed, options.songs or genres.SEEDS, lambda line: advance(0, line))
            for name, composer in composers.items()
        }
    table = "\n".join(report.piped(genres.table(made, drummers)))
    with standard_output():
        print(table, flush=True)
    if options.json:
        data = json.dumps({**made, "drummers": drummers}, indent=2) + "\n"
        files.write_file(options.json, data.encode(), overwrite=options.force)
    if options.report:
        files.write_file(options.report, (table + "\n").encode(), overwrite=options.force)
    return 0


def _evaluate_loops(options: argparse.Namespace) -> int:
    """Print the figures of a maker of audio loops, beside those of real loops; returns the exit code."""
    from seq2drum.learn.generators import looping
    from seq2drum.learn.generators.loops import material
    from seq2drum.play.generators.loops import LoopMaker, folder_of

    maker = LoopMaker.load(folder := folder_of(options.model[0]))
    split = "validation" if options.split == "validation" else "test"
    with bar(None, "measuring") as advance:
        real = material(folders_of(options.data), lambda line: advance(0, line))
        count = options.songs or looping.COUNT
        measured = looping.figures(maker, real, split, count=count, seed=options.seed)
    table = "\n".join(looping.lines(measured))
    with standard_output():
        print(table, flush=True)
    if options.write and folder:
        looping.add_figures(folder, {f"{split}: {name}": f"{value:.4g}" for name, value in measured.items()})
    if options.json:
        files.write_file(options.json, (json.dumps(measured, indent=2) + "\n").encode(), overwrite=options.force)
    if options.report:
        files.write_file(options.report, (table + "\n").encode(), overwrite=options.force)
    return 0
