"""Drawing with matplotlib, which is imported here, when something is drawn, and nowhere else.

A `Canvas` is a page measured in inches, with the shapes that a picture of music needs; it becomes a file. A `Plot` is
a chart measured in pixels; it becomes SVG inside an HTML page, whose style sheet has its colours. All drawing happens
inside `own_look`, so that the same drawing gives the same bytes whatever the user's settings of matplotlib.
"""

from __future__ import annotations

import logging
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seq2drum.errors import OptionError
from seq2drum.music.notes import IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

INK, PAPER = "#22252a", "#ffffff"
_FRAME = "#7c818a"
_DPI = 100  # pixels an inch of a raster image


@contextmanager
def own_look(*, plot: bool = False) -> Iterator[None]:
    """A context for all drawing, free of the user's settings of matplotlib.

    A part may be named in any script: letters that a font lacks become boxes without a warning.

    Args:
        plot: Whether a `Plot` is drawn: its words stay text, and no point of its lines is left out.

    Raises:
        OptionError: the user's settings keep matplotlib from loading.
    """
    with _errors_only():
        try:
            import matplotlib
        except ValueError as error:
            reason = str(error).split(";")[0]
            raise OptionError(
                f"matplotlib refuses its settings ({reason}); correct MPLBACKEND or matplotlibrc"
            ) from None
        from matplotlib import style

        settings: dict[Any, Any] = {"svg.hashsalt": "seq2drum", "text.usetex": False}
        if plot:
            settings |= {"svg.fonttype": "none", "path.simplify": False}
        with (
            style.context("default" if plot else []),
            matplotlib.rc_context(settings),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
            yield


@contextmanager
def _errors_only() -> Iterator[None]:
    """A context in which matplotlib logs errors alone, without messages about its font cache."""
    log = logging.getLogger("matplotlib")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


# --- pictures ---------------------------------------------------------------------------------------------------------


class Canvas:
    """A page of matplotlib, measured in inches from its upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(width, height), facecolor=PAPER)
        self._axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        self._axes.set_axis_off()

    def text(
        self, x: float, y: float, text: str, *, size: float, color: str = INK, va: str = "baseline", **more: Any
    ) -> None:
        self._axes.text(x, y, text, fontsize=size, color=color, va=va, parse_math=False, **more)

    def box(self, x: float, y: float, text: str) -> None:
        """A letter in a box, as above a passage in a score."""
        frame = {"boxstyle": "square,pad=0.2", "facecolor": PAPER, "edgecolor": INK, "linewidth": 1.0}
        self.text(x + 0.04, y, text, size=9.5, weight="bold", bbox=frame)

    def words(self, x: float, y: float, words: Sequence[tuple[str, str, str]], *, ha: str = "left") -> None:
        """Words (text, colour, weight) side by side, left- or right-aligned at a place."""
        from matplotlib.offsetbox import AnnotationBbox, HPacker, TextArea

        if not words:
            return
        areas: list[Any] = [
            TextArea(text, textprops={"color": colour, "weight": weight, "size": 10.5, "parse_math": False})
            for text, colour, weight in words
        ]
        packed = HPacker(children=areas, pad=0, sep=14, align="baseline")
        side = (1.0 if ha == "right" else 0.0, 0.5)
        self._axes.add_artist(AnnotationBbox(packed, (x, y), frameon=False, box_alignment=side, pad=0))

    def rules(
        self, x: ArrayLike, top: ArrayLike, bottom: ArrayLike, colour: str, width: float, *, zorder: float = 1
    ) -> None:
        """Vertical lines."""
        x = np.asarray(x, dtype=np.float64)
        top, bottom = np.broadcast_to(top, x.shape), np.broadcast_to(bottom, x.shape)
        self._lines(np.stack([np.stack([x, top], -1), np.stack([x, bottom], -1)], 1), colour, width, zorder)

    def across(self, y: ArrayLike, left: float, right: float, colour: str, *, dotted: bool = False) -> None:
        """Horizontal lines."""
        y = np.asarray(y, dtype=np.float64)
        ends = [np.stack([np.full(y.shape, x), y], -1) for x in (left, right)]
        self._lines(np.stack(ends, 1), colour, 0.6, 0.5, (0, (2, 3)) if dotted else "solid")

    def _lines(self, segments: Floats, colour: str, width: float, zorder: float, style: Any = "solid") -> None:
        from matplotlib.collections import LineCollection

        if len(segments):
            lines = LineCollection(list(segments), colors=colour, linewidths=width, linestyles=style, zorder=zorder)
            self._axes.add_collection(lines, autolim=False)

    def frame(self, left: float, top: float, right: float, bottom: float) -> None:
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]])
        self._lines(corners[None], _FRAME, 0.9, 2)

    def boxes(
        self, left: ArrayLike, top: ArrayLike, right: ArrayLike, bottom: ArrayLike, colours: Any, *, zorder: float = 3
    ) -> None:
        """Filled boxes, of one colour or a colour each."""
        from matplotlib.collections import PolyCollection

        sides = np.broadcast_arrays(*(np.asarray(side, dtype=np.float64) for side in (left, top, right, bottom)))
        if not len(sides[0]):
            return
        one, two, three, four = sides
        corners = np.stack([np.stack(pair, -1) for pair in ((one, two), (three, two), (three, four), (one, four))], 1)
        shapes = PolyCollection(list(corners), facecolors=colours, edgecolors="none", zorder=zorder)
        self._axes.add_collection(shapes, autolim=False)

    def hatched(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        """A box filled with slanted lines."""
        step, tall = 0.08, bottom - top
        starts = np.arange(left - tall, right, step)
        low, high = np.maximum(starts, left), np.minimum(starts + tall, right)
        ends = [np.stack([x, bottom - (x - starts)], -1) for x in (low, high)]
        self._lines(np.stack(ends, 1), colour, 0.8, 0.5)

    def marks(self, x: Floats, y: Floats, velocity: IntArray, *, cross: bool) -> None:
        """A dot or a cross for each hit, dots with a rim of paper to keep them apart."""
        if len(x):
            loud, shades = (velocity / 127) ** 1.3, shaded(INK, velocity)
            size = 14 + 30 * loud if cross else 22 + 44 * loud
            look: dict[str, Any] = (
                {"marker": "x", "linewidths": 1.6} if cross else {"linewidths": 0.8, "edgecolors": PAPER}
            )
            self._axes.scatter(x, y, s=size, c=shades, zorder=4, **look)

    def discs(self, x: Floats, y: Floats, colours: Sequence[str]) -> None:
        """Background for marks on any line."""
        if len(x):
            self._axes.scatter(x, y, s=80, c=list(colours), linewidths=0, zorder=2.5)

    def file(self, form: str) -> bytes:
        """The page as a file, `form` being "png" or "svg"."""
        out = BytesIO()
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        self.figure.savefig(out, format=form, dpi=_DPI, metadata=metadata)
        return out.getvalue()

    def pixels(self) -> NDArray[np.uint8]:
        """The page as a raster image of shape (height, width, 3), red, green and blue."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self.figure.set_dpi(_DPI)
        canvas: Any = FigureCanvasAgg(self.figure)
        canvas.draw()
        return np.array(np.asarray(canvas.buffer_rgba())[..., :3], dtype=np.uint8)


def shaded(colour: str, velocity: IntArray) -> Floats:
    """(notes, 3): the colour, from a quarter of its strength for the softest note to all of it for the loudest."""
    from matplotlib.colors import to_rgb

    strength = 0.25 + 0.75 * (velocity[:, None] / 127) ** 1.3
    shades: Floats = 1 - strength * (1 - np.array(to_rgb(colour)))
    return shades


# --- charts of a page -------------------------------------------------------------------------------------------------


ROLES = ("ink", "paper", "pale", "shade", "note", "model", "base", "sees", "guitar", "third", "fourth", "sixth")
"""Roles of colours. Each is a CSS variable of the style sheet, with a value for the light and for the dark theme."""


def colour(role: str) -> str:
    """matplotlib's colour of a role; `Plot.svg` writes the role's CSS variable in its place."""
    return f"#0000{ROLES.index(role) + 1:02x}"


class Plot:
    """A chart of so many pixels. Its axes have no frame and no tick marks; nothing is clipped at their edges."""

    def __init__(
        self, width: int, height: int, *, left: int = 0, right: int = 0, top: int = 0, bottom: int = 0
    ) -> None:
        """left, right, top, bottom: the pixels around the axes."""
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(width / 72, height / 72), facecolor="none")  # SVG has 72 units an inch
        place = (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
        self.axes: Axes = self.figure.add_axes(place, facecolor="none")
        self.axes.set_frame_on(False)
        self.axes.tick_params(length=0, labelsize=11, labelcolor=colour("note"))

    def line(
        self, x: Sequence[float], y: Sequence[float], role: str, width: float, *, dashed: bool = False, **more: Any
    ) -> None:
        """A line through points; NaN interrupts it."""
        style: Any = (0, (5 / width, 4 / width)) if dashed else "solid"
        more = {"solid_capstyle": "butt"} | more
        self.axes.plot(x, y, color=colour(role), linewidth=width, linestyle=style, clip_on=False, **more)

    def dots(self, x: Sequence[float], y: Sequence[float], role: str, width: float) -> None:
        """A dot at each place: a line of no length with round ends."""
        twice = [np.stack([values, values, np.full(len(x), np.nan)], axis=1).ravel() for values in (x, y)]
        self.line(twice[0].tolist(), twice[1].tolist(), role, width, solid_capstyle="round")

    def text(
        self, x: float, y: float, text: str, *, role: str = "ink", shift: tuple[float, float] = (0, 0), **more: Any
    ) -> None:
        """Words at a place of the axes, shifted by some pixels to the right and up."""
        more = dict[str, Any](fontsize=11, va="baseline") | more
        self.axes.annotate(
            text, (x, y), shift, color=colour(role), textcoords="offset points", annotation_clip=False,
            parse_math=False, **more,
        )  # fmt: skip

    def title(self, title: str, below: str = "") -> None:
        """A title in the upper left corner, and a line of words under it."""
        corner: dict[str, Any] = {"xycoords": "figure fraction"}
        self.text(0, 1, title, shift=(0, -12), fontsize=13, weight="bold", **corner)
        self.text(0, 1, below, shift=(0, -27), role="note", **corner)

    def svg(self, title: str) -> str:
        """The chart as an SVG element of HTML: shapes and words alone, in the colours and the font of the page.

        title: the chart's name for screen readers.
        """
        out = BytesIO()
        self.figure.savefig(out, format="svg", metadata={"Date": None})
        drawn = ET.fromstring(out.getvalue())
        _, _, width, height = drawn.get("viewBox", "").split()
        made = ET.Element("svg", {"viewBox": f"0 0 {width} {height}", "width": width, "height": height, "role": "img"})
        ET.SubElement(made, "title").text = title
        for element in drawn.iter():
            kind = element.tag.rpartition("}")[2]
            style = _page_style(element.get("style", ""))
            if kind == "path" and style != "fill: none":
                path = " ".join(element.get("d", "").split())
                ET.SubElement(made, kind, {"d": _NUMBER.sub(_rounded, path), "style": style})
            elif kind == "text":
                place = {name: _NUMBER.sub(_rounded, element.get(name, "")) for name in ("x", "y")}
                ET.SubElement(made, kind, {**place, "style": style}).text = element.text
        return ET.tostring(made, encoding="unicode")


_NUMBER = re.compile(r"-?\d+\.\d+")


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.1f}".removesuffix(".0")


def _page_style(style: str) -> str:
    """The style of an element with the page's font and CSS variables for the roles of colours."""
    kept = [part for part in style.split("; ") if part and not part.startswith("font-family")]
    for role in ROLES:
        kept = [part.replace(colour(role), f"var(--{role})") for part in kept]
    return "; ".join(kept)
