"""Beats without a guitar: a generator's bars as a song.

A generator is a line in `GENERATORS`, and a class that keeps to `Generator`. It makes bars one after the other, as long
as it is asked, and looks at the brief anew before each: so a beat can be streamed, changed while it runs, and stopped
by asking no more. What it draws for a bar comes from (seed, bar) alone.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np

from seq2drum.errors import CheckpointError, UnknownModelError
from seq2drum.lattice.patterns import QUARTERS, TICKS, Pattern, Velocities, part_of, regridded
from seq2drum.music.notes import Metre, Part, Song, Tempo
from seq2drum.music.shown import Shown
from seq2drum.play.brief import Brief
from seq2drum.play.folder import CONFIG

_MICROSECONDS = 60_000_000

GENERATORS: MappingProxyType[str, str] = MappingProxyType(
    {
        "step": "seq2drum.play.step_player:StepPlayer",
        "words": "seq2drum.play.words_player:WordsPlayer",
    }
)
"""Of each generator the class that plays it."""


class Generator(Protocol):
    """What makes bars.

    places: how many a bar of it has. MODEL: its name.
    """

    places: int

    @classmethod
    def load(cls, folder: Path) -> Generator:
        """Load its checkpoint.

        Raises:
            CheckpointError: it is damaged, or of another kind.
        """
        ...

    def bars(self, brief: Callable[[], Brief], seed: int) -> Iterator[Velocities]:
        """Bars without an end, each velocities (places, 9) 0..1. brief: what is asked for now."""
        ...


@dataclass(frozen=True, eq=False)
class Beat(Shown):
    """Some bars of drums, with what makes them again."""

    pattern: Pattern
    brief: Brief
    seed: int
    model: str

    @property
    def part(self) -> Part:
        """Its hits as a drum part of TICKS a quarter."""
        return part_of(self.pattern)

    @property
    def song(self) -> Song:
        """It as a song in 4/4 at its tempo, as long as its bars: its end joins its start."""
        tempo = Tempo(0, round(_MICROSECONDS / self.brief.bpm))
        parts = (self.part,) * bool(len(self.part))
        return Song(TICKS, parts, (tempo,), (Metre(0, QUARTERS, 4),), self.pattern.bars * QUARTERS * TICKS)


class Composer:
    """A generator that is loaded, by name."""

    def __init__(self, model: str, generator: Generator) -> None:
        self.model, self.generator = model, generator

    @staticmethod
    def load(model: str = "step") -> Composer:
        """The generator of a name, or of a folder that a training has left.

        Raises:
            UnknownModelError: there is none.
            CheckpointError: it is damaged.
        """
        folder = _SHIPPED / model if model in GENERATORS else _trained(model)
        kind = _kind(folder)
        module, name = GENERATORS[kind].split(":")
        return Composer(kind, getattr(import_module(module), name).load(folder))

    def stream(self, brief: Callable[[], Brief], seed: int = 0) -> Iterator[Velocities]:
        """Bars without an end, on the generator's own grid. brief: asked before each bar."""
        return self.generator.bars(brief, seed)

    def compose(self, brief: Brief | None = None, seed: int = 0) -> Beat:
        """A beat. The same brief and seed give the same beat."""
        asked = Brief() if brief is None else brief
        bars = np.stack(list(islice(self.stream(lambda: asked, seed), asked.bars)))
        return Beat(regridded(Pattern(bars), asked.grid), asked, seed, self.model)


_SHIPPED = Path(__file__).parents[1] / "checkpoints"


def available() -> list[str]:
    """The names of generators that come with the package."""
    return [name for name in GENERATORS if (_SHIPPED / name / CONFIG).is_file()]


def _trained(name: str) -> Path:
    """The checkpoint in a folder, or in that of a run (its best)."""
    folder = Path(name)
    with contextlib.suppress(OSError):  # a name too long for a path is no folder's name
        for place in (folder, folder / "best", folder / "last"):
            if (place / CONFIG).is_file():
                return place
    raise UnknownModelError(
        f"there is no generator {name[:80]!r}: wanted one of {', '.join(available())},"
        " or a folder that --mode train made of one"
    )


def _kind(folder: Path) -> str:
    """Which generator a checkpoint is of.

    Raises:
        CheckpointError: of none.
    """
    try:
        kind = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["kind"]
        if kind not in GENERATORS:
            raise ValueError(f"it is of the kind {kind!r}, wanted {' or '.join(GENERATORS)}")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f"{str(folder)!r} holds no usable generator: {error}") from None
    return str(kind)
