"""Shared parts of the generators' tasks: training bars, the command, and the checkpoint folder.

    python -m seq2drum.learn.generators.step --data groove/ -o runs/step --minutes 25

A generator's task is a line in `TASKS`: a class with the arguments (beats, recipe, say), in a module with a `Recipe`.
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from seq2drum.data.drums import beats as data
from seq2drum.data.drums.beats import INFO, SIDES, Beats
from seq2drum.learn.run import command, loop, task
from seq2drum.models.checkpoint import describe
from seq2drum.music.choices import LEARNT
from seq2drum.music.notes import IntArray
from seq2drum.play.checkpoint.folder import CONFIG
from seq2drum.play.generators.composer import WISHES, Brief, Composer, wish
from seq2drum.show import draw

TASKS: MappingProxyType[str, str] = MappingProxyType(
    {
        "step": "seq2drum.learn.generators.step:StepTask",
        "words": "seq2drum.learn.generators.words:WordsTask",
        "bar": "seq2drum.learn.generators.bar:BarTask",
        "phrase": "seq2drum.learn.generators.phrase:PhraseTask",
        "loop": "seq2drum.learn.generators.loops:SliceGan",
        "wavegan": "seq2drum.learn.generators.wavegan:WaveGan",
    }
)
"""The class of each generator's task."""

PLACES = MappingProxyType({"phrase": 32})
"""Places per bar of a generator's training data, where they are not 24."""

SHOWN = (("funk", 100), ("rock", 130), ("jazz", 160))
"""Beats to draw while a generator learns."""

LICENCE = (
    "Trained on the Groove MIDI Dataset (J. Gillick et al., Learning to Groove with Inverse Sequence Transformations,"
    " ICML 2019), which is licensed CC BY 4.0, and on nothing else: there is no doubt about its licence."
)


@dataclass(frozen=True)
class Recipe(task.Recipe):
    """The recipe common to all generators, which are small enough for a CPU."""

    device: str = "cpu"
    precision: str = "32"


def batches(order: IntArray, size: int) -> list[IntArray]:
    """An order cut into batches of a size, the remainder dropped; one smaller batch if there is no full one."""
    return [order[at : at + size] for at in range(0, max(len(order) - size, 0) + 1, size)]


def status_line(work: task.Task[Any, Any], progress: task.Progress) -> str:
    """The progress and the last validation in one line."""
    line = f"{progress.seconds:.0f} s, {work.status(progress)}"
    unseen = ", ".join(f"{name} {value:.4g}" for name, value in progress.validation.items())
    return f"{line}; unseen: {unseen}" if unseen else line


def show(
    work: task.Task[Any, Any], progress: task.Progress, logger: task.Logger | None, say: Callable[[str], None]
) -> None:
    """Report the progress, and draw a few beats of the current generator for TensorBoard."""
    say(status_line(work, progress))
    if logger is not None:
        with task.BestEffort(say)("a picture"):
            _draw(work, progress, logger)


def _draw(work: task.Task[Any, Any], progress: task.Progress, logger: task.Logger) -> None:
    with tempfile.TemporaryDirectory(prefix="seq2drum-") as folder:
        work.save(Path(folder), {})
        composer = Composer.load(folder)
    for genre, bpm in SHOWN:
        beat = composer.compose(Brief(genre=genre, bpm=bpm, bars=4))
        pixels = draw.pixels(beat.duet, title=f"{genre}, {bpm} bpm")
        logger.add_image(f"beats/{genre}", pixels, progress.seen, dataformats="HWC")


def wishes_of(genre: IntArray, bpm: NDArray[np.float64], fill: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(n, WISHES): the wishes that describe bars or loops, as nets take them. genre: index in LEARNT, -1 for any."""
    rows = zip(genre.tolist(), bpm.tolist(), fill.tolist(), strict=True)
    wishes = [wish(LEARNT[number] if number >= 0 else None, tempo, fill=is_fill) for number, tempo, is_fill in rows]
    return np.stack(wishes) if wishes else np.zeros((0, WISHES), dtype=np.float32)


def parameters(net: nn.Module) -> int:
    """The number of parameters of a net."""
    return sum(value.numel() for value in net.parameters())


# --- the folder -------------------------------------------------------------------------------------------------------


def write(folder: Path, kind: str, format: int, graphs: Sequence[str], beats: Beats, about: Mapping[str, Any]) -> None:
    """Write the description of a checkpoint beside its graphs: config.json, the card, the digests."""
    config = {"kind": kind, "format": format, "data": learnt(beats), **about}
    describe(folder, config, card(config), (CONFIG, *graphs))


def learnt(beats: Beats) -> dict[str, Any]:
    """A summary of the training data, JSON-able: bars by side, those of the train side by genre."""
    train = beats.genre[beats.side == 0]
    named = Counter(LEARNT[genre] if genre >= 0 else "any" for genre in train.tolist())
    return {
        "bars": {side: int((beats.side == number).sum()) for number, side in enumerate(SIDES)},
        "files": len(beats.names),
        "genres": dict(named.most_common()),
    }


def card(config: Mapping[str, Any]) -> str:
    """The model card of a generator, from its `config.json`."""
    recipe, progress, learnt = config.get("recipe", {}), config.get("progress", {}), config["data"]
    lines = [
        f"# Model card: {config['kind']}",
        "",
        "It makes drums without a guitar: `--mode generate`. `config.json` beside this page has every number.",
        "",
        "| what | value |",
        "|---|---|",
        f"| parameters | {config.get('parameters', 0):,} |",
        f"| bars by side | {', '.join(f'{count:,} {side}' for side, count in learnt['bars'].items())} |",
        f"| training bars by genre | {', '.join(f'{count:,} {genre}' for genre, count in learnt['genres'].items())} |",
        f"| seed, minutes | {recipe.get('seed')}, {progress.get('seconds', 0) / 60:.1f} |",
        *(f"| validation: {name} | {value:.4g} |" for name, value in progress.get("validation", {}).items()),
        *(f"| {name} | {value} |" for name, value in config.get("figures", {}).items()),
        "",
        "## Data",
        "",
        config.get("licence", "Whose music it was trained on, and under which licence, whoever trained it knows."),
    ]
    return "\n".join(lines) + "\n"


# --- the command ------------------------------------------------------------------------------------------------------


def read(model: str, folders: Sequence[Path], say: Callable[[str], None] = lambda line: None) -> Any:
    """The training data of a generator: `Beats`, or the result of its module's `material`.

    say: called with each file that is left out.

    Raises:
        CorpusError: the folders have no usable data.
    """
    material = _material(model)
    return data.read(folders, PLACES.get(model, 24)) if material is None else material(folders, say)


def learns_from_bars(model: str) -> bool:
    """True if a generator learns from bars of hits, as `Beats`."""
    return _material(model) is None


def _material(model: str) -> Callable[[Sequence[Path], Callable[[str], None]], Any] | None:
    """The `material` function of a generator's module, which reads data other than bars, or None."""
    made: Callable[[Sequence[Path], Callable[[str], None]], Any] | None = getattr(
        import_module(TASKS[model].split(":")[0]), "material", None
    )
    return made


def task_of(model: str, beats: Any, recipe: Mapping[str, Any], say: Callable[[str], None]) -> task.Task[Any, Any]:
    """The task of a generator. beats: see `read`. recipe: values that differ from its module's defaults."""
    module, name = TASKS[model].split(":")
    home = import_module(module)
    made: task.Task[Any, Any] = getattr(home, name)(beats, home.Recipe(**recipe), say)
    return made


def about(model: str, folders: Sequence[Path]) -> dict[str, Any]:
    """The description of a run before it starts, for its checkpoint."""
    groove = all((folder / INFO).is_file() for folder in folders)
    return {"generator": model} | ({"licence": LICENCE} if groove else {})


def add_options(parser: ArgumentParser, data: str) -> None:
    """Add the options of a generator's command: what to learn from, which `data` says, and for how long."""
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR", help=data)
    parser.add_argument("--minutes", type=float, metavar="M")
    parser.add_argument("--steps", type=int, metavar="N")


def recipe_of(options: Namespace) -> dict[str, Any]:
    """The values of a recipe among the options of such a command."""
    return {name: getattr(options, name) for name in ("minutes", "steps", "seed")}


def main(model: str, arguments: Sequence[str] | None = None) -> int:
    """Train a generator on folders of drum files; return the exit code."""

    def add(parser: ArgumentParser) -> None:
        add_options(parser, "folders of drum files")

    def train(options: Namespace) -> Path:
        work = task_of(model, read(model, options.data), recipe_of(options), command.say)
        return loop.train(work, options.out, resume=options.resume, about=about(model, options.data)).folder

    return command.run(f"seq2drum.learn.generators.{model}", f"Train {model}.", add, train, arguments)
