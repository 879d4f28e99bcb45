"""The project's HTML pages: Jinja2 templates, one style sheet, everything in one self-contained file.

The templates lie in `templates/`; a page gives them values, and SVG of `figures`. All values are escaped. Nothing is
known here of music or models.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from seq2drum.show.figures import Plot, colour, own_look


class Table(NamedTuple):
    """A head, which may be empty, and rows of as many cells. In a notebook it shows itself.

    words: a table of text instead of numbers: all columns are left-aligned.
    """

    head: Sequence[str]
    body: Sequence[Sequence[str]]
    words: bool = False
    kind: str = "table"

    def _repr_html_(self) -> str:
        return render("value.html", pieces=[self])


def render(template: str, **values: Any) -> str:
    """A template filled in with values."""
    return templates().get_template(template).render(values)


def png(data: bytes) -> str:
    """A PNG picture as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"


@cache
def templates() -> Environment:
    """The environment of the project's templates, which escapes all values."""
    return Environment(
        loader=PackageLoader("seq2drum.show"),
        autoescape=True,
        undefined=StrictUndefined,  # a missing value is an error, not a gap
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


LINES = ("model", "guitar", "third", "fourth", "base", "sixth")
"""Roles of colours for several lines of one chart."""
FEW = 12  # most points of a line that are all marked

Points = Sequence[tuple[float, float]]


# --- lines ------------------------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """A line of a chart: its name, its points (x, y) by x, and its style. A y of NaN is left out.

    role: of its colour, one of `figures.ROLES`. width: in pixels.
    """

    name: str
    points: Points = ()
    role: str = "model"
    dashed: bool = False
    width: float = 1.8


def lines(
    title: str, below: str, lines: Sequence[Line], *, least: float | None = None, across: str = "", wide: bool = False
) -> str:
    """Lines over one axis; the last value of each stands at its end. "" without any point.

    Args:
        title: The title.
        below: A line under the title, such as the better direction.
        lines: The lines, the most important first.
        least: A value that the scale always includes, such as 0.
        across: The name of the horizontal axis.
        wide: Whether the chart stands alone and shows all of its range.
    """
    drawn = [(line, [(x, y) for x, y in line.points if math.isfinite(y)]) for line in lines]
    drawn = [(line, points) for line, points in drawn if points]
    if not drawn:
        return ""
    low, high = _scale([points for _, points in drawn], least, whole=wide)
    width, height = (1000, 300) if wide else (360, 210)
    top, bottom = 38, 46 if across else 32
    with own_look(plot=True):
        plot = Plot(width, height, left=48, right=46, top=top, bottom=bottom)
        plot.title(title, below)
        _axes(plot, [x for _, points in drawn for x, _ in points], (low, high), across)
        ends: list[float] = []
        for line, points in drawn:
            x, y = [x for x, _ in points], [min(max(y, low), high) for _, y in points]
            order = len(drawn) - len(ends) + 2  # the most important on top
            plot.line(x, y, line.role, line.width, dashed=line.dashed, zorder=order)
            if len(points) < FEW and not line.dashed:
                plot.dots(x, y, line.role, 4 + line.width / 4)
            # The first of values that would overlap is written.
            if all(abs(y[-1] - end) > (high - low) * 11 / (height - top - bottom) for end in ends):
                plot.text(x[-1], y[-1], short(points[-1][1]), role=line.role, shift=(6, -4))
            ends.append(y[-1])
        return plot.svg(title)


def _scale(drawn: Sequence[Points], least: float | None, *, whole: bool) -> tuple[float, float]:
    """The least and the greatest value of a scale.

    By default, the scale of a line of many points ignores values in its first tenth that exceed all that follow: a
    steep beginning would flatten the rest.
    """
    first, last = (choose(x for points in drawn for x, _ in points) for choose in (min, max))
    settled = first + (last - first) / 10
    values = [y for points in drawn for _, y in points] + ([] if least is None else [least])
    steady = [y for points in drawn for x, y in points if whole or x >= settled or len(points) < FEW]
    low, high = min(values), max([*steady, min(values)])
    if high - low < 1e-9:
        low, high = low - max(abs(low), 1) * 0.05, high + max(abs(high), 1) * 0.05
    room = (high - low) * 0.06
    return (low if low == least else low - room), high + room


def _axes(plot: Plot, x: Sequence[float], y: tuple[float, float], across: str) -> None:
    """Round numbers along both axes, and pale lines at those of y."""
    axes = plot.axes
    first, last = min(x), max(x)
    axes.set_xlim(*((first, last) if last > first else (first - 0.5, last + 0.5)))
    axes.set_ylim(*y)
    steps = [1, 2, 5, 10]
    axes.locator_params(axis="y", nbins=5, steps=steps, min_n_ticks=1)
    axes.locator_params(axis="x", nbins=16 if across else 5, steps=steps, min_n_ticks=1, integer=bool(across))
    if last <= first:
        axes.set_xticks([first])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: short(value))
    axes.grid(axis="y", color=colour("pale"), linewidth=1, clip_on=False)
    plot.line([0, 1], [0, 0], "ink", 1, transform=axes.transAxes)
    if across:
        plot.text(0.5, 0, across, shift=(0, -34), xycoords="axes fraction", ha="center")


def short(value: float) -> str:
    """A number as short as a scale needs it: 0.05, 1.5, 200, 3.2M, 9.6e-5; at most seven characters."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (abs(value) >= size and letter == "M"):
            return f"{value / size:.3g}{letter}"
    plain = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if len(plain) <= 7 and "e" not in plain:
        return plain
    digits, power = f"{value:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(power)}"


# --- intervals --------------------------------------------------------------------------------------------------------


class Standing(NamedTuple):
    """One player's figure: its value, its interval if any, the value as text, the role of its colour."""

    name: str
    value: float
    interval: tuple[float, float] | None
    words: str
    role: str


def intervals(
    title: str,
    below: str,
    standings: Sequence[Standing],
    scale: tuple[float, float],
    mark: tuple[float, str] | None = None,
) -> str:
    """One figure of several players: bars from 0, or from where the scale begins, with whiskers.

    Args:
        title: The title.
        below: A line under the title.
        standings: From the top down.
        scale: The least and the greatest value; values outside are drawn at its end.
        mark: A value for a dashed line, and the text below it.
    """
    low, high = scale
    row, top, bottom, width, left = 18, 36, 20, 400, 150

    def inside(value: float) -> float:
        return min(max(value, low), high)

    with own_look(plot=True):
        # 1. The plot: a row for each, from the uppermost down.
        plot = Plot(width, top + row * len(standings) + bottom, left=left, right=60, top=top, bottom=bottom)
        plot.title(title, below)
        axes, zero = plot.axes, inside(0.0)
        axes.set_xlim(low, high)
        axes.set_ylim(len(standings), 0)
        axes.set_xticks([])
        names = [each.name if len(each.name) <= 24 else each.name[:23] + "…" for each in standings]
        axes.set_yticks([at + 0.5 for at in range(len(standings))], names)
        axes.tick_params(axis="y", labelcolor=colour("ink"), pad=6)
        # 2. The bars, with their intervals and texts.
        for at, standing in enumerate(standings):
            end = inside(standing.value)
            axes.barh(at + 0.5, end - zero, left=zero, height=0.62, color=colour(standing.role), clip_on=False)
            reach = [zero, end]
            if standing.interval is not None:
                a, b = map(inside, standing.interval)
                nan = math.nan
                plot.line([a, b, nan, a, a, nan, b, b], _whisker(at + 0.5), "ink", 1, zorder=3)
                reach.append(b)
            halo = {"boxstyle": "square,pad=0.15", "facecolor": colour("paper"), "edgecolor": "none"}
            plot.text(max(reach), at + 0.5, standing.words, shift=(5, -4), bbox=halo, zorder=5)
        # 3. The base of the bars, and the mark.
        plot.line([zero, zero], [0, len(standings)], "ink", 1)
        if mark is not None:
            value, words = mark
            plot.line([inside(value)] * 2, [-0.2, len(standings)], "ink", 1, dashed=True, zorder=4)
            plot.text(inside(value), len(standings), words, shift=(0, -13), ha="center")
        return plot.svg(title)


def _whisker(y: float) -> list[float]:
    """The heights of an interval's line and of its two ends."""
    return [y, y, math.nan, y - 0.18, y + 0.18, math.nan, y - 0.18, y + 0.18]


# --- drums ------------------------------------------------------------------------------------------------------------


class GridDrums(NamedTuple):
    """One player's drums: hits (place, row from the top, velocity), and the role of their colour."""

    name: str
    hits: Sequence[tuple[float, int, int]]
    role: str


class GridBars(NamedTuple):
    """The bars of a grid, in any unit. starts: of each bar, and the end. names: the text above each.

    beats: places of the beats. guitar: onsets of the guitar.
    """

    starts: Sequence[float]
    names: Sequence[str]
    beats: Sequence[float]
    guitar: Sequence[float]


_LEVELS = 8  # of loudness
_GRID = 1000  # pixels from the first barline to the last


def grids(title: str, bars: GridBars, rows: Sequence[str], drums: Sequence[GridDrums]) -> str:
    """The same bars several times, one below the other: the guitar's onsets, and each player's drums.

    rows: the pieces of the kit, from the top down.
    """
    row, gap, head, guitar, left, end = 10, 24, 24, 12, 96, bars.starts[-1]
    block = row * len(rows)
    tops = [head + guitar + gap + (block + gap) * at for at in range(len(drums))]
    height = head + guitar + (gap + block) * len(drums) + 4
    scale = _GRID / max(end, 1)
    mark = max(min(2.2 * scale, 7.0), 2.0)  # pixels of a hit's mark
    with own_look(plot=True):
        plot = Plot(left + _GRID + 14, height, left=left, right=14)
        plot.axes.set_xlim(0, _GRID)
        plot.axes.set_ylim(height, 0)
        plot.axes.set_axis_off()
        for top, tall in ((head, guitar), *((top, block) for top in tops)):
            plot.axes.fill([0, _GRID, _GRID, 0], [top, top, top + tall, top + tall], color=colour("shade"), linewidth=0)
            _upright(plot, [beat * scale for beat in bars.beats], top, top + tall, "pale", 0.6)
            _upright(plot, [start * scale for start in bars.starts], top, top + tall, "note", 1)
        for start, name in zip(bars.starts, bars.names, strict=False):
            plot.text(start * scale + 2, head - 6, name, fontsize=10)
        plot.text(-6, head + 10, "guitar", role="guitar", ha="right")
        onsets = [place * scale + 1 for place in bars.guitar]
        _upright(plot, onsets, head + 2, head + guitar - 2, "guitar", min(mark, 2.5), zorder=4)
        for one, top in zip(drums, tops, strict=True):
            plot.text(0, top - 5, one.name, role=one.role, weight="bold")
            for at, name in enumerate(rows):
                plot.text(-6, top + row * (at + 0.5) + 3, name, role="note", fontsize=9, ha="right")
            _hits(plot, [(place * scale, top + row * (at + 0.5), loud) for place, at, loud in one.hits], mark, one.role)
        return plot.svg(title)


def _hits(plot: Plot, hits: Sequence[tuple[float, float, int]], mark: float, role: str) -> None:
    """A mark for each hit (x, y, velocity), the louder the stronger: one path a level."""
    levels: dict[int, list[tuple[float, float]]] = {}
    for x, y, velocity in hits:
        levels.setdefault(round(velocity / 127 * _LEVELS), []).append((x, y))
    for level, places in sorted(levels.items()):
        across = [value for x, _ in places for value in (x, x + mark, math.nan)]
        down = [value for _, y in places for value in (y, y, math.nan)]
        plot.line(across, down, role, 8, alpha=0.25 + 0.75 * level / _LEVELS, zorder=3)


def _upright(
    plot: Plot, x: Sequence[float], top: float, bottom: float, role: str, width: float, zorder: float = 2
) -> None:
    across = [value for place in x for value in (place, place, math.nan)]
    plot.line(across, [top, bottom, math.nan] * len(x), role, width, zorder=zorder)
