"""Drum parts and guitars made for a test: hits by bar, step and voice, loops, and random ones."""

from __future__ import annotations

import numpy as np

from seq2drum.lattice.conditions import Drums
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid
from seq2drum.music.kit import NINE

VOICE = {voice.name: index for index, voice in enumerate(NINE.voices)}
QUARTER = 6
BACKBEAT = [(0, "kick"), (12, "kick"), (6, "snare"), (18, "snare"), *((step, "closed hat") for step in range(0, 24, 3))]


def form_of(*metres: tuple[int, int]) -> Form:
    numerator, denominator = np.array(metres).reshape(-1, 2).T
    steps = 4 * QUARTER * numerator // denominator
    return Form(steps, numerator, denominator, np.full(len(steps), 120.0))


def four(bars: int) -> Form:
    return form_of(*[(4, 4)] * bars)


def silent(form: Form) -> Drums:
    shape = (int(form.first[-1]), len(NINE))
    return Drums(form, np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.float32))


def drums(form: Form, *hits: tuple[int, int, str], velocity: int = 100) -> Drums:
    """Hits as (bar, step in the bar, voice)."""
    part = silent(form)
    for bar, step, voice in hits:
        part.velocity[form.first[bar] + step, VOICE[voice]] = velocity
    return part


def loop(form: Form, bar: list[tuple[int, str]]) -> Drums:
    steps = form.steps.tolist()
    return drums(form, *((at, step, voice) for at, size in enumerate(steps) for step, voice in bar if step < size))


def random_drums(form: Form, seed: int, density: float = 0.15) -> Drums:
    rng = np.random.default_rng(seed)
    part = silent(form)
    struck = rng.random(part.velocity.shape) < density
    struck[0, 0] = struck[-1, 0] = True
    part.velocity[struck] = rng.integers(1, 128, struck.sum())
    part.offset[struck] = rng.uniform(-0.5, 0.5, struck.sum())
    return part


def guitar_grid(form: Form, *notes: tuple[int, int, int]) -> GuitarGrid:
    """A guitar with notes as (bar, step in the bar, velocity)."""
    rows = np.array(notes, dtype=np.int64).reshape(-1, 3)
    ones = np.ones(len(rows), dtype=np.int64)
    grid = Grid(form.first[rows[:, 0]] + rows[:, 1], 40 * ones, rows[:, 2], 0 * ones, ones)
    return GuitarGrid(form, grid, np.zeros(9, dtype=np.int64), 1)


def random_guitar(form: Form, seed: int) -> GuitarGrid:
    rng = np.random.default_rng([seed, 1])
    return guitar_grid(
        form,
        *(
            (bar, step, int(rng.integers(1, 128)))
            for bar, steps in enumerate(form.steps.tolist())
            for step in range(steps)
            if rng.random() < 0.4
        ),
    )


MIXED = form_of(*[(4, 4)] * 5, *[(7, 8)] * 6, *[(3, 4)] * 6, (5, 4))
