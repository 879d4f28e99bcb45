from __future__ import annotations

import numpy as np
import pytest

from seq2drum.judge.measures import faults_of_grid, faults_of_part
from seq2drum.lattice.grid import Grid
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Note, Part
from tests.drumming import form_of

KICK, SNARE, HAT, OPEN_HAT, PEDAL_HAT, RIDE, TAMBOURINE = 36, 38, 42, 46, 44, 51, 54


@pytest.mark.parametrize(
    ("notes", "faults"),
    [
        ([(0, 10, KICK), (0, 10, HAT), (10, 10, KICK)], {}),
        ([(-1, 10, KICK)], {"before the start": 1}),
        ([(100, 10, KICK)], {"after the end": 1}),
        ([(5, 0, KICK)], {"without length": 1}),
        ([(95, 6, KICK)], {"stuck": 1}),
        ([(0, 10, 3)], {"outside the kit": 1}),
        ([(0, 10, KICK), (9, 10, KICK)], {"overlapping": 1}),
        ([(0, 50, KICK), (10, 5, KICK), (20, 5, KICK)], {"overlapping": 2}),
        ([(0, 10, KICK), (0, 10, KICK)], {"doubled": 1}),
        ([(0, 9, SNARE), (0, 9, HAT), (0, 9, RIDE)], {"more than two hands": 1}),
        ([(0, 9, HAT), (0, 9, OPEN_HAT)], {"two hi-hats": 1}),
        ([(7, 9, PEDAL_HAT), (7, 9, OPEN_HAT), (8, 9, HAT)], {"two hi-hats": 1}),
        (
            [(0, 9, KICK), (0, 9, SNARE), (0, 9, RIDE), (0, 9, PEDAL_HAT), (0, 9, TAMBOURINE)],
            {"more than two hands": 1},
        ),
        ([], {}),
    ],
)
def test_each_fault_is_counted_and_no_other(notes: list[tuple[int, int, int]], faults: dict[str, int]) -> None:
    part = Part.of([Note(*note, 100) for note in notes], is_drums=True)
    counts = faults_of_part(part, 100, FULL)
    assert counts.pop("notes") == len(notes)
    assert {name: count for name, count in counts.items() if count} == faults


def test_hits_of_a_grid_are_judged_by_their_steps() -> None:
    names = [voice.name for voice in FULL.voices]

    def of(*hits: tuple[int, int, int]) -> dict[str, int]:
        step, key, length = np.array(hits, dtype=np.int64).reshape(-1, 3).T
        grid = Grid(step, key, np.full_like(step, 100), np.zeros_like(step), length)
        counts = faults_of_grid(grid, form_of((7, 8), (3, 4)), FULL)
        return {name: count for name, count in counts.items() if count}

    kick, snare, crash, ride = (names.index(name) for name in ("kick", "snare", "crash", "ride"))
    assert of((0, kick, 3), (0, snare, 3), (1, kick, 3), (38, kick, 3)) == {"notes": 4}
    assert of((39, kick, 3)) == {"notes": 1, "after the end": 1}
    assert of((0, kick, 0), (3, 24, 3)) == {"notes": 2, "without length": 1, "outside the kit": 1}
    assert of((3, snare, 3), (3, crash, 3), (3, ride, 3)) == {"notes": 3, "more than two hands": 1}
    assert of((3, snare, 3), (3, snare, 3)) == {"notes": 2, "doubled": 1}
    assert of() == {}
