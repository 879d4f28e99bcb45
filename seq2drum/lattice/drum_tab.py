"""Drums as tablature in letters, as drummers post it: a line for each piece, a column for each sixteenth or triplet.

It is for reading. What it loses: small differences of time and loudness. `tabs` is another thing: a notation of grooves
that has a way back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from seq2drum.lattice.form import lattice_of
from seq2drum.lattice.grid import STEPS_PER_QUARTER, Grid, encode
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Bar, Marker, Part, Song

_WIDTH = 80  # columns of a line, unless a single bar has more
_ACCENT, _GHOST = 110, 45  # velocities from and up to which a drum is loud or a ghost note
_PLACES = (("1e+a", (0, 1, 3, 5)), ("1+a", (0, 2, 4)), ("1.....", (0, 1, 2, 3, 4, 5)))  # how a quarter is counted


class _Row(NamedTuple):
    """A line of the tablature: its letters, and of each piece on it the sign of a hit, an accent and a ghost note."""

    name: str
    pieces: dict[str, str]


_ROWS = (
    _Row("CC", {"crash": "xXx"}),
    _Row("RD", {"ride": "xXx", "bell": "bBb"}),
    _Row("HH", {"closed hat": "xXx", "open hat": "oOo"}),
    _Row("Hf", {"pedal hat": "xXx"}),
    _Row("T1", {"high tom": "oOg"}),
    _Row("T2", {"mid tom": "oOg"}),
    _Row("FT", {"low tom": "oOg"}),
    _Row("SD", {"snare": "oOg", "side stick": "@@@"}),
    _Row("BD", {"kick": "oOo"}),
)
_OTHERS = "Pc"  # all other pieces: percussion
_LEGEND = (
    "CC crash, RD ride (b bell), HH hi-hat (x closed, o open), Hf hi-hat with the foot, T1 T2 FT toms,",
    "SD snare (@ side stick, g ghost note), BD bass drum, Pc percussion; capitals are accents",
)


def drum_tab(song: Song, drums: Part, title: str, sections: Sequence[Marker] = ()) -> str:
    """The tablature of drums on the notes of General MIDI.

    song: has the bars and the tempo. sections: where passages begin, and what they are called.
    """
    lattice = lattice_of(song)
    grid = encode(drums, lattice, FULL)
    names = {marker.tick: marker.text for marker in sections}
    metre = song.metre_map[0]
    lines = [title, f"{song.tempo_at(0).bpm:.0f} BPM, {metre.numerator}/{metre.denominator}", *_LEGEND]
    system: list[_Cells] = []
    for index, bar in enumerate(lattice.bars):
        first, stop = int(lattice.first[index]), int(lattice.first[index + 1])
        cells = _cells(grid.between(first, stop), stop - first, bar)
        begins = names.get(bar.start)
        if system and (begins is not None or _width([*system, cells]) > _WIDTH):
            lines += _system(system)
            system = []
        if begins is not None:
            lines += ["", f"[{begins}]"]
        system.append(cells)
    lines += _system(system)
    return "\n".join(lines) + "\n"


class _Cells(NamedTuple):
    """A bar: its number, how it is counted, and the signs of each line that has any."""

    number: int
    counted: str
    rows: dict[str, str]


def _cells(hits: Grid, steps: int, bar: Bar) -> _Cells:
    struck = set((hits.step % STEPS_PER_QUARTER).tolist())
    letters, places = next(way for way in _PLACES if struck <= set(way[1]))
    columns = [step for step in range(steps) if step % STEPS_PER_QUARTER in places]
    count = "".join(_counted(step, letters, places) for step in columns)
    rows: dict[str, list[str]] = {}
    for step, voice, velocity in zip(hits.step.tolist(), hits.key.tolist(), hits.velocity.tolist(), strict=True):
        name, signs = _row_of(FULL.names[voice])
        row = rows.setdefault(name, ["-"] * len(columns))
        row[columns.index(step)] = signs[1 if velocity >= _ACCENT else 2 if velocity <= _GHOST else 0]
    return _Cells(bar.index + 1, count, {name: "".join(row) for name, row in rows.items()})


def _counted(step: int, letters: str, places: tuple[int, ...]) -> str:
    quarter, place = divmod(step, STEPS_PER_QUARTER)
    letter = letters[places.index(place)]
    return str((quarter + 1) % 10) if letter == "1" else letter


def _row_of(piece: str) -> tuple[str, str]:
    return next(((row.name, row.pieces[piece]) for row in _ROWS if piece in row.pieces), (_OTHERS, "xXx"))


def _width(system: Sequence[_Cells]) -> int:
    return 3 + sum(len(cells.counted) + 1 for cells in system)


def _system(system: Sequence[_Cells]) -> Iterator[str]:
    """The lines of some bars that stand side by side, with their first number and how they are counted."""
    if not system:
        return
    yield ""
    yield f"bar {system[0].number}"
    for name in (*(row.name for row in _ROWS), _OTHERS):
        if any(name in cells.rows for cells in system):
            yield f"{name}|" + "".join(cells.rows.get(name, "-" * len(cells.counted)) + "|" for cells in system)
    yield "   " + " ".join(cells.counted for cells in system)
