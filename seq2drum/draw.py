"""Pictures: the guitar's notes above the grid of the drums, bar by bar, to be understood at a glance.

matplotlib is imported when a picture is drawn, and only here.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2drum import files, kit
from seq2drum.errors import MissingExtraError, OptionError
from seq2drum.notes import Bar, IntArray, Part, Song

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")
MOST_LINES = 100
"""More lines than this would make a picture taller than a raster image can be."""

# Inches. A line is one system of the picture: guitar above, drums below.
_WIDTH, _LEFT, _RIGHT = 16.0, 1.0, 0.2
_GUITAR, _DRUM_ROW, _JOIN, _BETWEEN, _TOP, _BOTTOM = 1.5, 0.17, 0.06, 0.48, 0.95, 0.3
_DPI = 100

_COLOURS = ("#1f5fa8", "#b3541e", "#3a7d44", "#7a4fa3")  # one a guitar
_INK = "#22252a"
_PAPER, _SHADE = "#ffffff", "#f2f3f5"
_CYMBALS = ("hat", "ride", "bell", "crash")
_OTHER = "other"

_Shown = tuple[tuple[int, int] | None, int | None]  # the metre and the tempo that were last written above a bar


def draw(
    guitar: Part | Sequence[Part],
    drums: Part,
    song: Song,
    path: str | os.PathLike[str],
    *,
    bars_per_line: int = 8,
    first_bar: int = 0,
    last_bar: int | None = None,
) -> None:
    """Draw the guitar and the drums of the same bars into a PNG or SVG file, over what was there.

    Guitar notes lie at their pitch, a skin is a dot and a cymbal a cross; the darker or larger, the louder. Thick lines
    are barlines, grey ones the accent groups of the metre, pale ones the beats. Bars are numbered from 1 as in a score.

    Args:
        guitar: One guitar part or several; each has its colour.
        drums: The drum part, with the song's ticks; only the pieces it uses get a row.
        song: Gives the bars, the metres and the tempos. Its own parts are not drawn.
        path: Ends in `.png` or `.svg`.
        bars_per_line: How many bars stand side by side.
        first_bar: The first bar to draw, counted from 0.
        last_bar: The bar to stop before; all bars if None.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OptionError: An unknown picture format, no bars to draw, or too many for one picture.
        OutputError: The picture could not be written.
    """
    guitars = [guitar] if isinstance(guitar, Part) else list(guitar)
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise OptionError(f"a picture is written as {' or '.join(FORMATS)}, not as {path.name!r}")
    lines = _lines(song.bars(), bars_per_line, first_bar, last_bar)
    span = lines[0][0].start, lines[-1][-1].end
    guitars = [_between(part, *span) for part in guitars]
    figure = _figure(guitars, _between(drums, *span), song, lines)
    files.write_file(path, _rendered(figure, path.suffix.lower()[1:]), overwrite=True)


def _lines(bars: Sequence[Bar], per_line: int, first: int, last: int | None) -> list[Sequence[Bar]]:
    """The bars to be drawn, cut into lines."""
    if per_line < 1:
        raise OptionError(f"bars per line must be 1 or more, not {per_line}")
    last = len(bars) if last is None else last
    if not 0 <= first < min(last, len(bars)):
        raise OptionError(f"no bars to draw from bar {first} up to bar {last}: the song has bars 0 to {len(bars) - 1}")
    chosen = bars[first:last]
    lines = [chosen[i : i + per_line] for i in range(0, len(chosen), per_line)]
    if len(lines) > MOST_LINES:
        raise OptionError(f"{len(lines)} lines of bars are too many for one picture ({MOST_LINES}); draw fewer bars")
    return lines


def _between(part: Part, start: int, end: int) -> Part:
    """The notes of a part that sound between two ticks."""
    rows = part.rows[(part.onset < end) & (part.onset + np.maximum(part.duration, 1) > start)]
    return Part.of(rows, program=part.program, name=part.name, is_drums=part.is_drums)


def _rendered(figure: Figure, form: str) -> bytes:
    """The picture as bytes; the same picture gives the same bytes."""
    import matplotlib

    out = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "seq2drum"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # a part may be named in any script
        figure.savefig(out, format=form, dpi=_DPI, metadata={"Date": None} if form == "svg" else {"Software": None})
    return out.getvalue()


def _figure(guitars: Sequence[Part], drums: Part, song: Song, lines: Sequence[Sequence[Bar]]) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as missing:
        raise MissingExtraError("pictures need matplotlib: pip install 'seq2drum[draw]'") from missing

    rows = _rows(drums)
    drum_height = _DRUM_ROW * max(len(rows), 1) + 0.05
    line_height = _GUITAR + _JOIN + drum_height + _BETWEEN
    height = _TOP + line_height * len(lines) - _BETWEEN + _BOTTOM
    figure = Figure(figsize=(_WIDTH, height), facecolor=_PAPER)
    _legend(figure, guitars, height)

    widest = max(line[-1].end - line[0].start for line in lines)
    low, high = _pitch_range(guitars)
    shown: _Shown = (None, None)
    for index, line in enumerate(lines):
        top = height - _TOP - index * line_height
        width = (_WIDTH - _LEFT - _RIGHT) * (line[-1].end - line[0].start) / widest

        def panel(bottom: float, tall: float, width: float = width) -> Axes:
            return figure.add_axes((_LEFT / _WIDTH, bottom / height, width / _WIDTH, tall / height))

        upper = panel(top - _GUITAR, _GUITAR)
        lower = panel(top - _GUITAR - _JOIN - drum_height, drum_height)
        for axes in (upper, lower):
            _bar_lines(axes, line, song.ticks_per_quarter)
        _draw_guitars(upper, guitars, line, (low, high))
        _draw_drums(lower, drums, rows, line, _lead(song.ticks_per_quarter))
        shown = _headings(upper, line, song, shown)
    return figure


def _legend(figure: Figure, guitars: Sequence[Part], height: float) -> None:
    """The guitars by name in their colours, and what dots and crosses are."""
    at, line = _LEFT / _WIDTH, 1 - 0.3 / height
    for index, part in enumerate(guitars):
        if not len(part):
            continue
        name = (part.name.strip() or "guitar")[:40]
        colour = _COLOURS[index % len(_COLOURS)]
        figure.text(at, line, f"■ {name}", color=colour, fontsize=11, weight="bold", va="center", parse_math=False)
        at += (len(name) + 5) * 0.0066
    figure.text(at, line, "● skins   × cymbals", color=_INK, fontsize=11, va="center")
    figure.text(
        1 - _RIGHT / _WIDTH, line, "darker, larger = louder", color="#6b7078", fontsize=10, va="center", ha="right"
    )


def _pitch_range(guitars: Sequence[Part]) -> tuple[int, int]:
    """Lowest and highest pitch to show: all notes with some air, and an octave at the least."""
    pitches = np.concatenate([part.pitch for part in guitars] or [np.zeros(0, np.int64)])
    if not len(pitches):
        return 40, 64
    low, high = int(pitches.min()) - 2, int(pitches.max()) + 2
    return low, max(high, low + 14)


def _rows(drums: Part) -> list[str]:
    """Names of the kit pieces in use, from the lowest row up: feet, hands, percussion; `other` if no piece."""
    voices = kit.FULL.voices
    used = set(kit.FULL.voice_of[drums.pitch].tolist())
    order = sorted(used - {-1}, key=lambda index: ("foot", "hand", "percussion").index(voices[index].limb))
    return [voices[index].name for index in order] + [_OTHER] * (-1 in used)


def _lead(ticks_per_quarter: int) -> float:
    """Ticks shown before the first barline of a line, so that a hit on it, or a hair before it, is seen whole."""
    return ticks_per_quarter / 8


def _bar_lines(axes: Axes, line: Sequence[Bar], ticks_per_quarter: int) -> None:
    """Barlines, accent groups and beats; every other bar is shaded."""
    for bar in line:
        if bar.index % 2:
            axes.axvspan(bar.start, bar.end, color=_SHADE, linewidth=0, zorder=0)
        unit = 4 * ticks_per_quarter / bar.denominator
        place = 0
        for group in bar.groups:
            for beat in range(group):
                tick = bar.start + (place + beat) * unit
                if tick < bar.end:
                    grey = "#b4b8bf" if beat == 0 else "#e1e3e7"
                    axes.axvline(tick, color=grey, linewidth=0.8, zorder=1)
            place += group
        axes.axvline(bar.start, color=_INK, linewidth=1.3, zorder=2)
    lead = _lead(ticks_per_quarter)
    axes.set_xlim(line[0].start - lead, line[-1].end)
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=8, labelcolor=_INK)
    for spine in axes.spines.values():
        spine.set_color(_INK)
        spine.set_linewidth(0.8)


def _draw_guitars(axes: Axes, guitars: Sequence[Part], line: Sequence[Bar], pitches: tuple[int, int]) -> None:
    from matplotlib.collections import PolyCollection

    low, high = pitches
    start, end = line[0].start, line[-1].end
    thick = max(1.0, (high - low) / 32)  # a wide range must not make hairs of the notes
    for index, part in enumerate(guitars):
        inside = (part.onset < end) & (part.onset + part.duration > start)
        left = np.maximum(part.onset[inside], start)
        # A note is at least as wide as can be seen, and leaves a gap to the next of its pitch.
        right = np.maximum(part.onset[inside] + part.duration[inside] * 0.96, left + (end - start) / 500)
        y = part.pitch[inside]
        corners = np.stack([left, right, right, left]), np.stack([y - thick / 2] * 2 + [y + thick / 2] * 2)
        shapes = np.stack(corners, axis=-1).transpose(1, 0, 2)  # (notes, 4 corners, x y)
        colours = _shaded(_COLOURS[index % len(_COLOURS)], part.velocity[inside])
        axes.add_collection(
            PolyCollection(list(shapes), facecolors=colours, edgecolors="none", zorder=3), autolim=False
        )
    axes.set_ylim(low, high)
    octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0]
    axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
    for pitch in octaves:
        axes.axhline(pitch, color="#d5d8dd", linewidth=0.6, linestyle=(0, (2, 3)), zorder=1)


def _draw_drums(axes: Axes, drums: Part, rows: Sequence[str], line: Sequence[Bar], lead: float) -> None:
    start, end = line[0].start - lead, line[-1].end - lead
    inside = (drums.onset >= start) & (drums.onset < end)
    onset, velocity = drums.onset[inside], drums.velocity[inside]
    voice = kit.FULL.voice_of[drums.pitch[inside]]
    names = np.array([*(v.name for v in kit.FULL.voices), _OTHER])[voice]  # -1 is the last: other
    for y, row in enumerate(rows):
        axes.axhline(y, color="#d5d8dd", linewidth=0.6, zorder=1)
        here = names == row
        cross = any(word in row for word in _CYMBALS)
        axes.scatter(
            onset[here],
            np.full(int(here.sum()), y),
            s=8 + 34 * (velocity[here] / 127) ** 1.5,
            c=_shaded(_INK, velocity[here]),
            marker="x" if cross else "o",
            linewidths=1.4 if cross else 0,
            clip_on=False,
            zorder=4,
        )
    axes.set_ylim(-0.7, max(len(rows), 1) - 0.3)
    axes.set_yticks(range(len(rows)), rows)


def _headings(axes: Axes, line: Sequence[Bar], song: Song, shown: _Shown) -> _Shown:
    """Bar numbers, and metre and tempo where they begin or change. Returns what was shown last."""
    metre, bpm = shown
    for bar in line:
        text = [str(bar.index + 1)]
        here = (bar.numerator, bar.denominator)
        if here != metre:
            groups = "+".join(map(str, bar.groups))
            odd = len(set(bar.groups)) > 1
            text.append(f"{bar.numerator}/{bar.denominator}" + (f" ({groups})" if odd else ""))
        tempo = round(song.tempo_at(bar.start).bpm)
        if bpm is None or abs(tempo - bpm) > 0.02 * bpm:  # a player's small give and take is not written out
            text.append(f"♩={tempo}")
            bpm = tempo
        metre = here
        axes.annotate(
            "  ".join(text),
            (bar.start, 1),
            (1, 3),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            annotation_clip=False,
            fontsize=9,
            color=_INK,
            weight="bold" if len(text) > 1 else "normal",
        )
    return metre, bpm


def _shaded(colour: str, velocity: IntArray) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(notes, 4): the colour, from a third of its strength for the softest note to all of it for the loudest."""
    from matplotlib.colors import to_rgba

    out = np.tile(np.array(to_rgba(colour)), (len(velocity), 1))
    out[:, 3] = 0.33 + 0.67 * velocity / 127
    return out
