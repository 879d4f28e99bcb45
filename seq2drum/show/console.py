"""The picture in characters: guitar and drums for a terminal, a mail or a log.

`chart` chooses the contents. A bar has a column for each sixteenth, for each eighth-note triplet, or for both,
whichever its hits need. The caller gives the width of the terminal, and whether it has colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.grid import STEPS_PER_QUARTER
from seq2drum.music.duet import Duet
from seq2drum.music.notes import IntArray, Part
from seq2drum.music.song_plan import PlannedSection, is_drawn
from seq2drum.music.theory import PITCH_CLASSES, pitch_name
from seq2drum.show import chart
from seq2drum.show.chart import Chart, Measure

WIDTH = 80
LEAST_WIDTH = 40

_NAMES = 10  # columns for the name of a row, more for longer ones; with so many, four bars fit into 80

_SIXTEENTHS, _TRIPLETS, _BOTH = (0, 1, 3, 5), (0, 2, 4), (0, 1, 2, 3, 4, 5)  # of the six places of a quarter
_NEAREST = {  # each place's nearest of those shown
    _SIXTEENTHS: (0, 1, 1, 3, 5, 5),
    _TRIPLETS: (0, 2, 2, 2, 4, 4),
    _BOTH: (0, 1, 2, 3, 4, 5),
}
_ODD_ONES = 1  # strokes of a bar that can be shown at a neighbouring place before it gets more columns

_LOUD = (48, 100)  # velocities from which a hit looks louder
_DRUM, _CYMBAL = "◦o●", "·xX"
_HEIGHT = "▁▂▃▄▅▆▇█"

# Parameters of the terminal's Select Graphic Rendition (ECMA-48).
_PLAIN, _FAINT, _BOLD, _FILL = "", "2", "1", "1;33"
_GUITAR_COLOURS, _CYMBAL_COLOUR = ("34", "33", "32"), "36"
_STRENGTH = ("2", "", "1")
_ASCII = str.maketrans("│┊·◦●▁▂▃▄▅▆▇█♩♯♭…", "|:.,@12345678q#b~")

_Text = list[tuple[str, str]]  # pieces of a line, each with its style


def picture(
    duet: Duet,
    *,
    width: int = WIDTH,
    colour: bool = False,
    first_bar: int = 0,
    last_bar: int | None = None,
    plan: Sequence[PlannedSection] = (),
) -> str:
    """Guitar and drums as lines of text, each ended by a newline.

    Every line of bars has their numbers, metre and tempo where they begin or change, the letter of the guitar's passage
    and the word "fill" or "break"; the guitars, a note the higher the taller, and the lowest note's name where it
    changes; the beats; a row for each piece that is struck there; and the plan of the sections.

    Args:
        duet: Guitar and drums. Either may be missing.
        width: The number of columns; at least LEAST_WIDTH are used.
        colour: Whether to use the sequences that colour a terminal.
        first_bar: The first bar to show, counted from 0.
        last_bar: The bar to stop before; all bars if None.
        plan: Of the sections: their levels and cymbals where the drums come in, the taller the fuller; hatched where
            they wait. None is shown for a plan that plays all sections alike, from their first bars.

    Raises:
        OptionError: No such bars.
    """
    shown = chart.of(duet, first_bar=first_bar, last_bar=last_bar)
    width = max(width, LEAST_WIDTH)
    names = [*shown.names[: len(_GUITAR_COLOURS)], *(row.name for row in shown.rows), "lowest"]
    wide = min(max(map(len, names)), max(_NAMES, width // 8))
    lines = [*_all(shown, width - wide - 1, wide, plan if is_drawn(plan) else ()), *_legend(shown, width)]
    return "".join(_written(line, colour) + "\n" for line in lines)


def ascii_only(text: str) -> str:
    """The same picture in ASCII."""
    return text.translate(_ASCII).encode("ascii", "replace").decode()


# --- columns ----------------------------------------------------------------------------------------------------------


class _Piece(NamedTuple):
    """A bar as it stands on a line, or as much of it as fits.

    first: whether it is the bar's beginning. start: the bar's first place of the lattice. column: the column of each
    place of the bar, -1 outside this piece. beats: the number of the beat that begins at each column, 0 for none.
    """

    measure: Measure
    first: bool
    start: int
    column: IntArray
    beats: tuple[int, ...]

    @property
    def blank(self) -> _Text:
        """Empty columns with a guide at every beat."""
        return [("┊" if beat else " ", _FAINT) for beat in self.beats]


def _pieces(shown: Chart, room: int) -> list[_Piece]:
    """All bars, those wider than the room in several pieces."""
    lattice = shown.lattice
    place = lattice.place_of % STEPS_PER_QUARTER
    choices = _choices(shown, place)
    pieces = []
    for measure, start, stop, places in zip(
        shown.measures, lattice.first[:-1].tolist(), lattice.first[1:].tolist(), choices, strict=True
    ):
        here = place[start:stop]
        kept = np.isin(here, places)
        moved = np.minimum(np.arange(stop - start) + np.array(_NEAREST[places])[here] - here, stop - start - 1)
        column = np.cumsum(kept)[moved] - 1
        beats = _beats(measure, lattice.ticks[start:stop][kept], shown.song.ticks_per_quarter)
        most = max((room - 1) // len(places) * len(places), len(places))  # whole quarters
        for begin in range(0, len(beats), most):
            inside = (column >= begin) & (column < begin + most)
            own = np.where(inside, column - begin, -1)
            pieces.append(_Piece(measure, begin == 0, start, own, beats[begin : begin + most]))
    return pieces


def _beats(measure: Measure, ticks: NDArray[np.float64], ticks_per_quarter: int) -> tuple[int, ...]:
    """The counts of the beats that begin at the columns of these ticks, 0 for none.

    Beats are the units of the metre that begin a group; or the groups, where all are of three, as in 6/8.
    """
    bar = measure.bar
    groups = np.array(bar.groups)
    starts = np.cumsum(groups) - groups
    compound = len(groups) > 1 and bool(np.all(groups == 3))
    names = np.arange(1, len(groups) + 1) if compound else starts + 1
    begin = bar.start + starts * (4 * ticks_per_quarter / bar.denominator)
    group = np.clip(np.searchsorted(begin, ticks + 0.5) - 1, 0, len(groups) - 1)
    return tuple(np.where(np.abs(ticks - begin[group]) < 0.5, names[group], 0).tolist())


def _choices(shown: Chart, place: IntArray) -> list[tuple[int, ...]]:
    """The places of its quarters that each bar shows: the fewest that its hits need, preferring those of the song."""
    steps = np.unique(shown.hits.step)
    if not len(steps):
        notes = np.concatenate([part.onset for part in shown.guitars] or [np.zeros(0, np.int64)])
        steps = np.unique(shown.lattice.nearest(notes)[0]) if len(notes) else steps
    bar = shown.lattice.bar_of[steps]
    left_out = {
        places: np.bincount(bar[~np.isin(place[steps], places)], minlength=len(shown.measures))
        for places in (_SIXTEENTHS, _TRIPLETS, _BOTH)
    }
    swung = left_out[_TRIPLETS].sum() < left_out[_SIXTEENTHS].sum()
    order = (_TRIPLETS, _SIXTEENTHS, _BOTH) if swung else (_SIXTEENTHS, _TRIPLETS, _BOTH)
    return [
        next(places for places in order if places == _BOTH or left_out[places][index] <= _ODD_ONES)
        for index in range(len(shown.measures))
    ]


def _lines(pieces: Sequence[_Piece], room: int) -> list[Sequence[_Piece]]:
    """The pieces line by line: as many as fit, and a round number of equal ones."""
    widths = [float(len(piece.beats) + 1) for piece in pieces]
    usual = float(np.median(widths))
    count = next((count for count in chart.GOOD_COUNTS if count * usual <= room), 1)
    return [pieces[cut] for cut in chart.wrap(widths, room, count)]


# --- lines ------------------------------------------------------------------------------------------------------------


class _Strokes(NamedTuple):
    """Strokes in the order of the lattice's places: (n,) each, values being velocities or pitches."""

    step: IntArray
    value: IntArray

    def of(self, piece: _Piece) -> dict[int, list[int]]:
        """The values of each nonempty column of a piece, in the order of columns."""
        first, stop = np.searchsorted(self.step, [piece.start, piece.start + len(piece.column)]).tolist()
        values: dict[int, list[int]] = {}
        columns = piece.column[self.step[first:stop] - piece.start]
        for column, value in zip(columns.tolist(), self.value[first:stop].tolist(), strict=True):
            if column >= 0:
                values.setdefault(column, []).append(value)
        return values


def _strokes(step: IntArray, value: IntArray) -> _Strokes:
    order = np.argsort(step, kind="stable")
    return _Strokes(step[order], value[order])


class _Guitar(NamedTuple):
    """A row of guitars: its name, its colour, and its notes."""

    name: str
    style: str
    notes: _Strokes


def _guitars(shown: Chart) -> list[_Guitar]:
    """A row for each guitar, the last of them for all the others."""
    rows = []
    for index, style in enumerate(_GUITAR_COLOURS):
        several = index == len(_GUITAR_COLOURS) - 1 and len(shown.guitars) > index + 1
        parts = shown.guitars[index:] if several else shown.guitars[index : index + 1]
        if parts:
            name = f"{len(parts)} more" if several else shown.names[index]
            rows.append(_Guitar(name, style, _notes(shown, parts)))
    return rows


def _notes(shown: Chart, parts: Sequence[Part]) -> _Strokes:
    """The onsets and pitches of some guitars."""
    onset = np.concatenate([part.onset for part in parts] or [np.zeros(0, np.int64)])
    pitch = np.concatenate([part.pitch for part in parts] or [np.zeros(0, np.int64)])
    begins = onset >= shown.span(shown.measures)[0]  # and is not only sustained
    return _strokes(shown.lattice.nearest(onset[begins])[0], pitch[begins])


def _all(shown: Chart, room: int, wide: int, plan: Sequence[PlannedSection]) -> Iterator[_Text]:
    """All lines of bars; names have `wide` columns, and bars the rest of the width."""
    guitars, lowest, hits = _guitars(shown), _notes(shown, shown.guitars), shown.hits
    drums = [_strokes(hits.step[hits.row == row], hits.velocity[hits.row == row]) for row in range(len(shown.rows))]

    def row(name: str, cells: Sequence[_Text], style: str = _PLAIN) -> _Text:
        """The name of a line, and the columns of each bar between barlines."""
        short = name if len(name) <= wide else name[: wide - 1] + "…"
        line: _Text = [(f"{short:>{wide}}", style), ("│", _FAINT)]
        for cell in cells:
            line += [*cell, ("│", _FAINT)]
        return line

    for pieces in _lines(_pieces(shown, room), room):
        yield from _headings(pieces, wide + 1)
        for guitar in guitars:
            yield row(guitar.name, [_contour(shown.pitches, guitar, piece) for piece in pieces])
        if guitars:
            yield row("lowest", _names(lowest, pieces), _FAINT)
        yield row("", [_count(piece) for piece in pieces], _FAINT)
        for piece_of_kit, strokes in reversed(list(zip(shown.rows, drums, strict=True))):
            if any(map(strokes.of, pieces)):
                yield row(piece_of_kit.name, [_hits(strokes, piece_of_kit.cymbal, piece) for piece in pieces])
        if plan:
            yield row("plan", [_planned(plan, piece) for piece in pieces], _FAINT)
        yield []


def _headings(pieces: Sequence[_Piece], at: int) -> Iterator[_Text]:
    """Metre and tempo where they begin or change, on a separate line; letters, numbers, fills and breaks."""
    changes = ""
    line: _Text = [(" " * at, _PLAIN)]
    for piece in pieces:
        measure, width = piece.measure, len(piece.beats)
        text = "  ".join(text for text in (measure.metre, measure.tempo) if text and piece.first)
        if text:
            changes = f"{changes:<{at}}{text} "
        number = str(measure.number) if piece.first else ""
        letter = f"[{measure.section}] " if measure.section and piece.first else ""
        letter = letter if len(letter) + len(number) <= width else ""
        rest = width - len(letter) - len(number)
        sign = measure.sign if piece.first and rest > 0 else ""
        sign = sign if len(sign) < rest else "~" if sign else ""
        line += [(letter, _BOLD), (number[:width], _PLAIN if letter else _FAINT), (f"{sign:>{max(rest, 0)}} ", _FILL)]
        at += width + 1
    if changes:
        yield [(changes, _BOLD)]
    yield line


def _count(piece: _Piece) -> _Text:
    """The numbers of the beats."""
    line = ""
    for column, beat in enumerate(piece.beats):
        text = str(beat)
        if beat and column >= len(line) and column + len(text) <= len(piece.beats):
            line = f"{line:<{column}}{text}"
    return [(f"{line:<{len(piece.beats)}}", _FAINT)]


def _contour(pitches: tuple[int, int], guitar: _Guitar, piece: _Piece) -> _Text:
    """A block for each stroke, the taller the higher its highest note."""
    low, high = pitches
    cell = piece.blank
    for column, struck in guitar.notes.of(piece).items():
        share = (max(struck) - low) / max(high - low, 1)
        cell[column] = (_HEIGHT[round(share * (len(_HEIGHT) - 1))], guitar.style)
    return cell


def _names(lowest: _Strokes, pieces: Sequence[_Piece]) -> list[_Text]:
    """The lowest notes by name, at the beginning of a line and where they change."""
    cells, before = [], ""
    for piece in pieces:
        cell, free = piece.blank, 0
        for column, struck in sorted(lowest.of(piece).items()):
            name = PITCH_CLASSES[min(struck) % 12]
            if name != before and free <= column <= len(cell) - len(name):
                free = column + len(name)
                cell[column:free] = [(letter, _PLAIN) for letter in name]
                before = name
        cells.append(cell)
    return cells


def _hits(strokes: _Strokes, cymbal: bool, piece: _Piece) -> _Text:
    """A sign for each hit, by its velocity."""
    cell = piece.blank
    for column, velocities in strokes.of(piece).items():
        loud = sum(max(velocities) >= least for least in _LOUD)
        style = ";".join(filter(None, (_STRENGTH[loud], _CYMBAL_COLOUR if cymbal else "")))
        cell[column] = ((_CYMBAL if cymbal else _DRUM)[loud], style)
    return cell


def _planned(plan: Sequence[PlannedSection], piece: _Piece) -> _Text:
    """Blocks as tall as the bar's section is full, behind its level and its cymbal in the bar that the drums enter."""
    number, width = piece.measure.number, len(piece.beats)
    section = next((row for row in plan if row.first <= number <= row.last), None)
    if section is None:
        return [(" " * width, _FAINT)]
    if section.enters is None or number < section.enters:
        return [("/" * width, _FAINT)]
    has_words = number == section.enters and piece.first and len(section.words) < width
    words = f"{section.words} " if has_words else ""
    block = _HEIGHT[round(section.fullness * (len(_HEIGHT) - 1))]
    return [(words, _PLAIN), (block * (width - len(words)), _FAINT)]


def _legend(shown: Chart, width: int) -> list[_Text]:
    """The meanings of the signs in use."""
    words = []
    if any(not row.cymbal for row in shown.rows):
        words.append(f"drum {' '.join(_DRUM)}")
    if any(row.cymbal for row in shown.rows):
        words.append(f"cymbal {' '.join(_CYMBAL)}")
    if words:
        words.append("soft to loud")
    if shown.guitars:
        low, high = (pitch_name(pitch) for pitch in shown.pitches)
        words.append(f"guitar {_HEIGHT[0]} {low} to {_HEIGHT[-1]} {high}")
    cuts = chart.wrap([len(word) + 3 for word in words], width + 3) if words else []
    return [[("   ".join(words[cut]), _FAINT)] for cut in cuts]


def _written(line: _Text, colour: bool) -> str:
    """A line as printed, without trailing blanks."""
    if not colour:
        return "".join(text for text, _ in line).rstrip()
    joined: _Text = []
    for text, style in line:
        if joined and (joined[-1][1] == style or not text.strip()):
            joined[-1] = (joined[-1][0] + text, joined[-1][1])
        elif text:
            joined.append((text, style))
    return "".join(f"\x1b[{style}m{text}\x1b[0m" if style else text for text, style in joined)
