"""Grooves as drum tablature: a row for each piece, a sign for each hit.

    one-drop-hat: one drop, hat; 4/4; reggae; 66-84
    closed hat |x.o.x.o.x.o.x.o.|
    side stick |........X.......|
    kick       |........X.......|

The first line has the name, the title, the metre, the style ("-" for none) and the slowest and the fastest tempo in
quarters a minute. The columns of a bar, which stands between two "|", are its sixteenths, or its eighth-note triplets,
or the six places of every quarter, whichever number of them fills the bar. A dot is nothing; signs are an accent X, a
stroke x, a soft one o and a ghost note g. Grooves are parted by blank lines, and a line that begins with "#" is a
remark.

The law: `written(parsed(text)) == text` for text without remarks that this module wrote, and
`parsed(written(grooves)) == grooves` for grooves with velocities out of VELOCITIES and without offsets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from seq2drum.errors import OptionError
from seq2drum.lattice.form import lattice_of
from seq2drum.lattice.grid import STEPS_PER_QUARTER, Grid, encode
from seq2drum.lattice.grooves.fitting import steps_of
from seq2drum.lattice.grooves.grooves import Groove, grid_of
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Bar, Marker, Part, Song

VELOCITIES = MappingProxyType({"X": 116, "x": 94, "o": 70, "g": 36})
NOTHING = "."
_SIXTEENTHS, _TRIPLETS, _ALL = (0, 1, 3, 5), (0, 2, 4), (0, 1, 2, 3, 4, 5)  # places of a quarter


def parsed(text: str) -> tuple[Groove, ...]:
    """The grooves of a tablature.

    Raises:
        OptionError: a malformed line; the message has its number.
    """
    grooves, block = list[Groove](), list[tuple[int, str]]()
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("#"):
            continue
        if line.strip():
            block.append((number, line.strip()))
        elif block:
            grooves.append(_groove(block))
            block = []
    return tuple(grooves)


def written(grooves: Iterable[Groove]) -> str:
    """The tablature of some grooves. Velocities become the nearest of VELOCITIES, offsets are left out."""
    return "\n".join("".join(line + "\n" for line in _lines(groove)) for groove in grooves)


# --- from text --------------------------------------------------------------------------------------------------------


def _groove(block: Sequence[tuple[int, str]]) -> Groove:
    number, head = block[0]
    name, _, about = head.partition(":")
    facts = [fact.strip() for fact in about.split(";")]
    try:
        title, metre, style, tempo = facts
        (numerator, denominator), (slowest, fastest) = map(int, metre.split("/")), map(float, tempo.split("-"))
    except ValueError:
        raise _wrong(number, head, "name: title; 4/4; style; 90-120") from None
    try:
        ways = _ways(numerator, denominator)
    except ValueError as error:
        raise OptionError(f"line {number} of the tablature: {error}") from None
    bars: list[list[tuple[int, int, int]]] = []
    for row, line in block[1:]:
        for index, hits in enumerate(_row(row, line, ways)):
            bars += [[]] * (index >= len(bars))
            bars[index] = [*bars[index], *hits]
    try:
        grids = tuple(map(grid_of, bars))
        return Groove(name, title, numerator, denominator, grids, None if style == "-" else style, (slowest, fastest))
    except OptionError as error:
        raise OptionError(f"line {number} of the tablature: {error}") from None


@cache
def _ways(numerator: int, denominator: int) -> list[list[int]]:
    """The columns that a bar may have, each as its step: sixteenths, triplets or both, each of another length.

    Raises:
        ValueError: the metre is impossible.
    """
    ways: dict[int, list[int]] = {}
    for places in (_SIXTEENTHS, _TRIPLETS, _ALL):
        steps = [step for step in range(steps_of(numerator, denominator)) if step % STEPS_PER_QUARTER in places]
        ways.setdefault(len(steps), steps)
    return list(ways.values())


def _row(number: int, line: str, ways: Sequence[Sequence[int]]) -> list[list[tuple[int, int, int]]]:
    """The hits of a piece, bar by bar."""
    name, _, rest = line.partition("|")
    if name.strip() not in FULL.names:
        raise _wrong(number, name.strip() or line, f"one of {', '.join(FULL.names)}, then |x.x.x.x.|")
    bars = []
    for bar in rest.rstrip("|").split("|"):
        steps = next((way for way in ways if len(way) == len(bar)), None)
        if steps is None or set(bar) - {NOTHING, *VELOCITIES}:
            lengths = " or ".join(str(len(way)) for way in ways)
            raise _wrong(number, bar, f"{lengths} of the signs {NOTHING} {' '.join(VELOCITIES)} in a bar")
        voice = FULL.names.index(name.strip())
        bars.append([(step, voice, VELOCITIES[sign]) for step, sign in zip(steps, bar, strict=True) if sign != NOTHING])
    return bars


def _wrong(number: int, found: str, wanted: str) -> OptionError:
    return OptionError(f"line {number} of the tablature is {found!r}, wanted {wanted}")


# --- to text ----------------------------------------------------------------------------------------------------------


def _lines(groove: Groove) -> list[str]:
    slowest, fastest = groove.tempo
    lines = [f"{groove.name}: {groove.title}; {groove.metre}; {groove.style or '-'}; {slowest:g}-{fastest:g}"]
    struck = {int(step) for bar in groove.bars for step in bar.step}
    columns = next(way for way in _ways(groove.numerator, groove.denominator) if struck <= set(way))
    used = {int(key) for bar in groove.bars for key in bar.key}
    width = max((len(FULL.names[voice]) for voice in used), default=0)
    for voice in sorted(used, reverse=True):
        line = f"{FULL.names[voice]:<{width}} |"
        for bar in groove.bars:
            hits = bar.select(bar.key == voice)
            velocities = dict(zip(hits.step.tolist(), hits.velocity.tolist(), strict=True))
            line += "".join(_sign(velocities[step]) if step in velocities else NOTHING for step in columns) + "|"
        lines.append(line)
    return lines


def _sign(velocity: int) -> str:
    return min(VELOCITIES, key=lambda sign: abs(VELOCITIES[sign] - velocity))


_WIDTH = 80  # columns of a line, unless a single bar is wider
_ACCENT, _GHOST = 110, 45  # velocities from which a drum is loud, and up to which it is a ghost note
_PLACES = (("1e+a", (0, 1, 3, 5)), ("1+a", (0, 2, 4)), ("1.....", (0, 1, 2, 3, 4, 5)))  # counts of a quarter


class _Row(NamedTuple):
    """A line of the tablature: its letters, and by piece the signs of a hit, an accent and a ghost note."""

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

    song: has the bars and the tempo. sections: the beginnings of passages, and their names.
    """
    lattice = lattice_of(song)
    grid = encode(drums, lattice, FULL)
    names = {marker.tick: marker.text for marker in sections}
    metre = song.metre_map[0]
    lines = [title, f"{song.tempo_at(0).bpm:.0f} BPM, {metre.numerator}/{metre.denominator}", *_LEGEND]
    system: list[_Cells] = []
    for index, bar in enumerate(lattice.bars):
        first, stop = int(lattice.first[index]), int(lattice.first[index + 1])
        cells = _letter_cells(grid.between(first, stop), stop - first, bar)
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
    """A bar: its number, its count, and the signs of each line that has any."""

    number: int
    counted: str
    rows: dict[str, str]


def _letter_cells(hits: Grid, steps: int, bar: Bar) -> _Cells:
    struck = set((hits.step % STEPS_PER_QUARTER).tolist())
    letters, places = next(way for way in _PLACES if struck <= set(way[1]))
    columns = [step for step in range(steps) if step % STEPS_PER_QUARTER in places]
    count = "".join(_counted(step, letters, places) for step in columns)
    rows: dict[str, list[str]] = {}
    for step, voice, velocity in zip(hits.step.tolist(), hits.key.tolist(), hits.velocity.tolist(), strict=True):
        piece = FULL.names[voice]
        name, signs = next(((row.name, row.pieces[piece]) for row in _ROWS if piece in row.pieces), (_OTHERS, "xXx"))
        row = rows.setdefault(name, ["-"] * len(columns))
        row[columns.index(step)] = signs[1 if velocity >= _ACCENT else 2 if velocity <= _GHOST else 0]
    return _Cells(bar.index + 1, count, {name: "".join(row) for name, row in rows.items()})


def _counted(step: int, letters: str, places: tuple[int, ...]) -> str:
    quarter, place = divmod(step, STEPS_PER_QUARTER)
    letter = letters[places.index(place)]
    return str((quarter + 1) % 10) if letter == "1" else letter


def _width(system: Sequence[_Cells]) -> int:
    return 3 + sum(len(cells.counted) + 1 for cells in system)


def _system(system: Sequence[_Cells]) -> Iterator[str]:
    """The lines of some bars side by side, with the number of the first and the counts."""
    if not system:
        return
    yield ""
    yield f"bar {system[0].number}"
    for name in (*(row.name for row in _ROWS), _OTHERS):
        if any(name in cells.rows for cells in system):
            yield f"{name}|" + "".join(cells.rows.get(name, "-" * len(cells.counted)) + "|" for cells in system)
    yield "   " + " ".join(cells.counted for cells in system)
