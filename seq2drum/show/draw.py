"""Pictures: the guitar's notes above the grid of the drums, bar by bar, to be understood at a glance.

`chart` chooses the contents, this module the layout, and `figures` draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seq2drum.errors import OptionError
from seq2drum.music.duet import Duet
from seq2drum.music.notes import Part
from seq2drum.music.shown import one_line
from seq2drum.music.song_plan import PlannedSection, is_drawn
from seq2drum.show import chart
from seq2drum.show.chart import Chart, Measure
from seq2drum.show.figures import INK, PAPER, Canvas, Floats, own_look, shaded

FORMATS = ("png", "svg")
MOST_LINES = 100
"""The most lines that fit the height of a raster image."""

# Inches. A line is one system of the picture: headings, guitar, drums, and the word "fill" or "break".
_WIDTH, LEFT, _RIGHT, _LEAD = 16.0, 1.12, 0.2, 0.13
_HEAD, _ROW, _JOIN, _FOOT = 0.3, 0.185, 0.07, 0.24
_TITLE, _LEGEND, _EDGE = 0.36, 0.34, 0.16
ACROSS = _WIDTH - LEFT - _RIGHT

_TITLE_LETTERS = 100  # longer ones would be wider than the page
_SHORT = 40  # bars of a song that is drawn large
_QUARTERS = (16, 32)  # on a line: large, and small
_MOST_QUARTERS = 96  # on a line of a song that would be too long otherwise
_LEAST_QUARTERS = 8  # a single bar is drawn narrower than a page
_INSIDE = 0.45  # thickness of a note on top of another guitar's, relative to it
_APART = 0.09  # consecutive hits stay apart, most of them
_LEAST_UNIT = 0.07  # closer beats are not drawn
_SEEN = 0.02  # a hit closer to its place looks as if on it
_EARLY = 1 / 48  # of a quarter: the deviation from which the legend explains early and late hits
_NAMED = 6  # guitars named in the legend

COLOURS = ("#1f5fa8", "#b3541e", "#3a7d44", "#7a4fa3", "#0e8a8a", "#b83280")  # one a guitar
_GREY = "#6b7078"
_BAR, _BEAT, _UNIT, _RULE = "#7c818a", "#bfc3c9", "#e4e6ea", "#d5d8dd"
_FILL, _FILL_WORD = "#fdf1d6", "#9a6700"
_PLAN = "#cfe0d3"
_STRIP = 0.24  # inches of the strip of the plan
_PLACE = "#d2604f"


def picture(
    duet: Duet,
    form: str,
    *,
    title: str = "",
    first_bar: int = 0,
    last_bar: int | None = None,
    bars_per_line: int | None = None,
    plan: Sequence[PlannedSection] = (),
) -> bytes:
    """Guitar and drums as a PNG or SVG file; the same music gives the same bytes.

    Guitar notes lie at their pitch, a drum is a dot and a cymbal a cross; the louder, the darker and larger. All are
    where they sound; a thin red line is the place of the lattice that a hit comes before or after. Thick lines are
    barlines, grey ones the accent groups of the metre, pale ones its other beats. A bar in which the drums leave their
    pattern is shaded, and called a fill, or a break if they play less. Letters in boxes are passages of the guitar: a
    second A is much like the first. Bars are numbered from 1 as in a score.

    Args:
        duet: Guitar and drums. Either may be missing; only the pieces that are struck get a row.
        form: "png" or "svg".
        title: Stands above it.
        first_bar: The first bar to draw, counted from 0.
        last_bar: The bar to stop before; all bars if None.
        bars_per_line: Bars side by side; as many as are legible if None.
        plan: Of the sections: a strip below the drums, the taller the fuller they are, with their cymbals; hatched
            where the drums wait. None is drawn for a plan that plays all sections alike, from their first bars.

    Raises:
        OptionError: An unknown form, no bars to draw, or too many for one picture.
    """
    if form not in FORMATS:
        raise OptionError(f"a picture is written as .png or .svg, not as .{form}")
    shown = chart.of(duet, first_bar=first_bar, last_bar=last_bar)
    with own_look():
        return canvas_of(shown, one_line(title, _TITLE_LETTERS), bars_per_line, plan).file(form)


def pixels(
    duet: Duet,
    *,
    title: str = "",
    first_bar: int = 0,
    last_bar: int | None = None,
    bars_per_line: int | None = None,
) -> NDArray[np.uint8]:
    """The PNG of `picture` as an array of shape (height, width, 3), red, green and blue.

    Raises:
        OptionError: As `picture`.
    """
    shown = chart.of(duet, first_bar=first_bar, last_bar=last_bar)
    with own_look():
        return canvas_of(shown, one_line(title, _TITLE_LETTERS), bars_per_line).pixels()


# --- layout -----------------------------------------------------------------------------------------------------------


def canvas_of(shown: Chart, title: str, bars_per_line: int | None, plan: Sequence[PlannedSection] = ()) -> Canvas:
    """The page of a chart, with so many bars a line, or as many as are legible. plan: of its sections."""
    lines = cut_lines(shown, bars_per_line)
    ticks = _ticks_across(shown, lines, bars_per_line)
    large = len(shown.measures) <= _SHORT
    rows = [range(len(shown.rows)) if large else shown.rows_of(measures) for measures in lines]
    guitar = 0.0 if not shown.guitars else 1.4 if large else 1.1
    # Silence has bars as well.
    drums = [(len(those) + 0.5) * _ROW if those else 2 * _ROW * (not guitar) for those in rows]
    join = _JOIN if guitar and shown.rows else 0.0
    head = _EDGE + (_TITLE if title else 0.0) + _LEGEND
    plan = plan if is_drawn(plan) else ()
    foot = _FOOT + (_STRIP + _JOIN if plan else 0.0)
    canvas = Canvas(_WIDTH, head + sum(drums) + (_HEAD + guitar + join + foot) * len(lines))
    if title:
        canvas.text(_EDGE, _EDGE + _TITLE / 2, title, size=15, weight="bold", va="center")
    _legend(canvas, shown, head - _LEGEND / 2)
    for measures, those, tall in zip(lines, rows, drums, strict=True):
        here = _System(shown, measures, min(1.0, _length(measures) / ticks) * ACROSS)
        top = head + _HEAD
        middle, bottom = top + guitar + join, top + guitar + join + tall
        _headings(canvas, here, top)
        if guitar:
            _bar_lines(canvas, here, top, top + guitar)
            _draw_guitars(canvas, here, top, guitar)
        if tall:
            _draw_signs(canvas, here, middle, bottom)
            _bar_lines(canvas, here, middle, bottom)
            _draw_drums(canvas, here, those, bottom)
        if plan:
            _draw_plan(canvas, here, plan, bottom + foot - _FOOT / 2)
        head = bottom + foot
    return canvas


def cut_lines(shown: Chart, bars_per_line: int | None) -> list[tuple[Measure, ...]]:
    """The bars, cut into lines."""
    measures = shown.measures
    if bars_per_line is None:
        room = _room(shown)
        cuts = chart.wrap([float(measure.bar.length) for measure in measures], room)
    elif bars_per_line < 1:
        raise OptionError(f"bars per line must be 1 or more, not {bars_per_line}")
    else:
        cuts = chart.wrap([0.0] * len(measures), 1.0, bars_per_line)
    if len(cuts) > MOST_LINES:
        raise OptionError(
            f"{len(measures)} bars make {len(cuts)} lines, and a picture has at most {MOST_LINES}; draw fewer bars at "
            "a time (--mode show --bars 1:200)"
        )
    return [measures[cut] for cut in cuts]


def _room(shown: Chart) -> float:
    """The ticks of a line, such that its notes are legible and a song does not become a tower."""
    lengths = np.array([measure.bar.length for measure in shown.measures])
    quarter = shown.song.ticks_per_quarter
    wanted = float(_QUARTERS[len(lengths) > _SHORT] * quarter)
    if gap := _gap(shown):
        wanted = min(wanted, ACROSS * gap / _APART)
    wanted = max(wanted, lengths.sum() / (0.9 * MOST_LINES))
    wanted = min(wanted, float(_MOST_QUARTERS * quarter))
    usual = float(np.median(lengths))
    count = next((count for count in chart.GOOD_COUNTS if count * usual <= wanted), 1)
    if len(lengths) > count * MOST_LINES:  # because of the rounding
        more = (some for some in reversed(chart.GOOD_COUNTS) if len(lengths) <= some * MOST_LINES)
        count = next((some for some in more if some * usual <= _MOST_QUARTERS * quarter), count)
    return max(count * usual, wanted if len(set(lengths.tolist())) > 2 else 0.0)


def _gap(shown: Chart) -> float:
    """A low quantile of the ticks between hits or notes of one row; 0 without two of them."""
    ticks = [shown.hits.tick[shown.hits.row == row] for row in range(len(shown.rows))]
    ticks += [part.onset for part in shown.guitars]
    gaps = np.concatenate([np.diff(np.unique(row)) for row in ticks] or [np.zeros(0)])
    gaps = gaps[gaps > shown.song.ticks_per_quarter / 24]  # a strum or a flam is one stroke
    return float(np.percentile(gaps, 10)) if len(gaps) else 0.0


def _length(measures: Sequence[Measure]) -> int:
    return measures[-1].bar.end - measures[0].bar.start


def _ticks_across(shown: Chart, lines: Sequence[Sequence[Measure]], bars_per_line: int | None) -> float:
    """The ticks in the width of the page: the same for all lines, except for a single longer bar."""
    widest = max(map(_length, lines))
    if bars_per_line is not None:
        return float(widest)
    usual = sorted(map(_length, lines))[len(lines) // 2] if len(lines) > 2 else widest
    several = [_length(line) for line in lines if len(line) > 1]
    return float(max([usual, *several, _LEAST_QUARTERS * shown.song.ticks_per_quarter]))


class _System(NamedTuple):
    """A line of the picture: its bars, and its width in inches."""

    chart: Chart
    measures: tuple[Measure, ...]
    width: float

    def x(self, tick: ArrayLike) -> Floats:
        """The place of a tick, in inches."""
        start = self.measures[0].bar.start
        return LEFT + (np.asarray(tick, dtype=np.float64) - start) * (self.width / _length(self.measures))

    @property
    def right(self) -> float:
        return LEFT + self.width


def _legend(canvas: Canvas, shown: Chart, y: float) -> None:
    """The guitars by name in their colours, and the meanings of the signs."""
    words: list[tuple[str, str, str]] = []
    for index, name in enumerate(shown.names[:_NAMED]):
        words.append((f"■ {name if len(name) <= 32 else name[:31] + '…'}", COLOURS[index % len(COLOURS)], "bold"))
    if len(shown.guitars) > _NAMED:
        words.append((f"and {len(shown.guitars) - _NAMED} more", _GREY, "normal"))
    signs: list[tuple[str, str, str]] = []
    if any(not row.cymbal for row in shown.rows):
        signs.append(("● drum", INK, "normal"))
    if any(row.cymbal for row in shown.rows):
        signs.append(("× cymbal", INK, "normal"))
    if shown.rows:
        signs.append(("darker = louder", _GREY, "normal"))
    far = np.abs(shown.hits.late) > _EARLY * shown.song.ticks_per_quarter
    if far.sum() > 0.02 * len(far):
        signs.append(("│ exact place of a hit that is early or late", _PLACE, "normal"))
    canvas.words(_EDGE, y, words)
    canvas.words(_WIDTH - _RIGHT, y, signs, ha="right")


def _headings(canvas: Canvas, here: _System, y: float) -> None:
    """Letters of passages, bar numbers, and metre and tempo where they begin or change.

    Texts that do not fit above a short bar move a little to the right; numbers are left out instead.
    """
    free = 0.0
    for measure in here.measures:
        x = float(here.x(measure.bar.start))
        change = "  ".join(text for text in (measure.metre, measure.tempo) if text)
        if x < free and not (change or measure.section):
            continue
        x = max(x, free)
        if measure.section:
            canvas.box(x, y - 0.06, measure.section)
            x += 0.14 + 0.1 * len(measure.section)
        number = str(measure.number)
        canvas.text(x, y - 0.06, number, size=9, color=INK if change or measure.section else _GREY)
        free = x + 0.09 * len(number) + 0.05
        if change:
            canvas.text(free + 0.02, y - 0.06, change, size=9, weight="bold")
            free += 0.08 * len(change) + 0.1


def _bar_lines(canvas: Canvas, here: _System, top: float, bottom: float) -> None:
    """Barlines, accent groups and beats in a frame."""
    quarter = here.chart.song.ticks_per_quarter
    beats, units, starts, sections = (list[float]() for _ in range(4))
    for measure in here.measures:
        bar = measure.bar
        unit = 4 * quarter / bar.denominator
        firsts = np.cumsum([0, *bar.groups[:-1]])
        ticks = bar.start + np.arange(1, bar.numerator) * unit
        is_beat = np.isin(np.arange(1, bar.numerator), firsts)
        inside = ticks < bar.end
        beats += ticks[inside & is_beat].tolist()
        if here.x(unit) - here.x(0) >= _LEAST_UNIT:
            units += ticks[inside & ~is_beat].tolist()
        (sections if measure.section else starts).append(bar.start)
    canvas.rules(here.x(units), top, bottom, _UNIT, 0.8)
    canvas.rules(here.x(beats), top, bottom, _BEAT, 0.8)
    canvas.rules(here.x(starts), top, bottom, _BAR, 1.3)
    canvas.rules(here.x(sections), top, bottom, INK, 2.2)
    canvas.frame(LEFT - _LEAD, top, here.right, bottom)


def _draw_guitars(canvas: Canvas, here: _System, top: float, tall: float) -> None:
    """Each note at its pitch for its length; one on another guitar's is thinner, so that both are visible."""
    low, high = here.chart.pitches
    low, high = low - 2, max(high + 2, low + 12)
    scale = tall / (high - low)

    def y(pitch: ArrayLike) -> Floats:
        return top + tall - (np.asarray(pitch, dtype=np.float64) - low) * scale

    octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    for pitch in octaves:
        canvas.text(
            LEFT - _LEAD - 0.06, float(y(pitch)), f"C{pitch // 12 - 1}", size=8, color=_GREY, ha="right", va="center"
        )
    canvas.across(y(octaves), LEFT - _LEAD, here.right, _RULE, dotted=True)
    thick = max(scale, 0.045)  # a wide range must not make hairs of the notes
    start, end = here.chart.span(here.measures)[0], here.measures[-1].bar.end
    below: list[Part] = []
    for index, guitar in enumerate(here.chart.guitars):
        part = here.chart.notes_of(guitar, here.measures)
        left = here.x(np.maximum(part.onset, start))
        right = here.x(np.minimum(part.onset + part.duration, end))
        right = np.maximum(right - 0.02, left + 0.035)  # a gap to the next note, and something to see
        middle = y(part.pitch)
        half = thick / 2 * _INSIDE ** sum((covers(part, other) for other in below), np.zeros(len(part)))
        colours = shaded(COLOURS[index % len(COLOURS)], part.velocity)
        canvas.boxes(left, middle - half, right, middle + half, colours)
        below.append(part)


def covers(part: Part, other: Part) -> NDArray[np.bool_]:
    """(notes,): whether each note of a part sounds while another part sounds on its pitch."""
    covered = np.zeros(len(part), dtype=bool)
    for pitch in np.intersect1d(part.pitch, other.pitch).tolist():
        here, there = part.pitch == pitch, other.pitch == pitch
        start, end = other.onset[there], other.onset[there] + other.duration[there]
        begun = np.searchsorted(
            start, part.onset[here] + part.duration[here]
        )  # the number that begin before a note ends
        last = np.concatenate([[-1], np.maximum.accumulate(end)])[begun]
        covered[here] = last > part.onset[here]
    return covered


def _draw_signs(canvas: Canvas, here: _System, top: float, bottom: float) -> None:
    for measure in here.measures:
        if measure.sign:
            left, right = here.x([measure.bar.start, measure.bar.end]).tolist()
            canvas.boxes([left], [top], [right], [bottom], _FILL, zorder=0)
            canvas.text(left + 0.03, bottom + 0.03, measure.sign, size=8, color=_FILL_WORD, va="top", style="italic")


def _draw_plan(canvas: Canvas, here: _System, plan: Sequence[PlannedSection], bottom: float) -> None:
    """Each section as a box as tall as it is full, with its level and its cymbal; hatched where the drums wait."""
    canvas.text(LEFT - _LEAD - 0.06, bottom, "plan", size=8.5, color=_GREY, ha="right")
    for row in plan:
        waits = [one for one in here.measures if row.first <= one.number < (row.enters or row.last + 1)]
        plays = [one for one in here.measures if row.enters is not None and row.enters <= one.number <= row.last]
        if waits:
            left, right = here.x([waits[0].bar.start, waits[-1].bar.end]).tolist()
            canvas.hatched(left + 0.02, bottom - _STRIP, right - 0.02, bottom, _BEAT)
        if plays:
            left, right = here.x([plays[0].bar.start, plays[-1].bar.end]).tolist()
            tall = _STRIP * row.fullness
            canvas.boxes([left + 0.02], [bottom - tall], [right - 0.02], [bottom], _PLAN, zorder=0)
            if right - left >= 0.075 * len(row.words) + 0.1:
                canvas.text(left + 0.07, bottom - 0.045, row.words, size=8, color=INK)


def _draw_drums(canvas: Canvas, here: _System, rows: Sequence[int], bottom: float) -> None:
    """Each hit at its time, and a thin line at the place of the lattice that it is early or late of."""
    pieces, hits = here.chart.rows, here.chart.hits_of(here.measures)
    middle = np.zeros(len(pieces))
    middle[list(rows)] = bottom - (np.arange(len(rows)) + 0.75) * _ROW
    canvas.across(middle[list(rows)], LEFT - _LEAD, here.right, _RULE)
    for row in rows:
        canvas.text(LEFT - _LEAD - 0.06, float(middle[row]), pieces[row].name, size=8.5, ha="right", va="center")
    x, y = here.x(hits.tick), middle[hits.row]
    place = here.x(here.chart.lattice.ticks[hits.step])
    off = np.abs(place - x) >= _SEEN
    canvas.rules(place[off], y[off] - 0.38 * _ROW, y[off] + 0.38 * _ROW, _PLACE, 0.7, zorder=3)
    filled = [measure.bar.start for measure in here.measures if measure.sign]
    bar = here.chart.lattice.bar_of[hits.step]
    starts = np.array([measure.bar.start for measure in here.chart.measures])[bar]
    canvas.discs(x, y, np.where(np.isin(starts, filled), _FILL, PAPER).tolist())
    cymbal = np.array([piece.cymbal for piece in pieces], dtype=bool)[hits.row]
    for cross in (False, True):
        canvas.marks(x[cymbal == cross], y[cymbal == cross], hits.velocity[cymbal == cross], cross=cross)
