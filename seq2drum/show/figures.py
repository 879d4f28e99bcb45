"""Drawing with matplotlib, which is imported here, when something is drawn, and nowhere else.

A `Sheet` is a page measured in inches, with the shapes that a picture of music needs. All that is drawn is drawn inside
`own_look`, so that the same drawing gives the same bytes whatever the user has set up for figures of their own.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seq2drum.errors import OptionError
from seq2drum.music.notes import IntArray

Floats = NDArray[np.float64]

INK, PAPER = "#22252a", "#ffffff"
_FRAME = "#7c818a"
_DPI = 100  # pixels an inch, of a raster image


@contextmanager
def own_look() -> Iterator[None]:
    """Around all drawing: what the user has set up for figures of their own does not matter here.

    A part may be named in any script: letters that a font lacks become boxes, and are no fault.

    Raises:
        OptionError: what the user has set up keeps matplotlib from being loaded.
    """
    try:
        import matplotlib
    except ValueError as error:
        reason = str(error).split(";")[0]
        raise OptionError(f"matplotlib refuses its settings ({reason}); mend MPLBACKEND or matplotlibrc") from None
    with matplotlib.rc_context({"svg.hashsalt": "seq2drum", "text.usetex": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        yield


class Sheet:
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
        """Words (text, colour, weight) side by side, from a place on or up to it."""
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
        """Upright lines."""
        x = np.asarray(x, dtype=np.float64)
        top, bottom = np.broadcast_to(top, x.shape), np.broadcast_to(bottom, x.shape)
        self._lines(np.stack([np.stack([x, top], -1), np.stack([x, bottom], -1)], 1), colour, width, zorder)

    def across(self, y: ArrayLike, left: float, right: float, colour: str, *, dotted: bool = False) -> None:
        """Level lines."""
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

    def marks(self, x: Floats, y: Floats, velocity: IntArray, *, cross: bool) -> None:
        """A dot or a cross for each hit, the dots with a rim of paper, so that they are told apart."""
        if len(x):
            loud, shades = (velocity / 127) ** 1.3, shaded(INK, velocity)
            size = 14 + 30 * loud if cross else 22 + 44 * loud
            look: dict[str, Any] = (
                {"marker": "x", "linewidths": 1.6} if cross else {"linewidths": 0.8, "edgecolors": PAPER}
            )
            self._axes.scatter(x, y, s=size, c=shades, zorder=4, **look)

    def discs(self, x: Floats, y: Floats, colours: Sequence[str]) -> None:
        """Room for marks on whatever line they stand."""
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
