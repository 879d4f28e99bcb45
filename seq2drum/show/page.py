"""What the project's HTML pages are made of: one style for light, dark and paper, tables, pictures, line charts.

From texts and numbers to HTML that needs nothing from elsewhere; it knows neither music nor models. Whatever comes from
outside is escaped here.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# Colours by what they are for; the style says what they are in the light, in the dark and on paper.
INK, PAPER, PALE, SHADE = "var(--ink)", "var(--paper)", "var(--pale)", "var(--shade)"
NOTE, MODEL, BASE, SEES, GUITAR = "var(--note)", "var(--model)", "var(--base)", "var(--sees)", "var(--guitar)"
LINES = ("var(--model)", "var(--guitar)", "var(--third)", "var(--fourth)", "var(--base)", "var(--sixth)")

STYLE = """
:root { color-scheme: light dark; --ink: #22252a; --paper: #fff; --pale: #d9dce1; --shade: #f6f7f8; --note: #555b66;
  --model: #1f5fa8; --base: #7d8590; --sees: #d3a968; --guitar: #b3541e; --third: #3a7d44; --fourth: #7a4fa3;
  --sixth: #a0522d; --marked: #eaf1fa; --real: #f4f4f2; --seeing: #8a6a3a; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e4e6ea; --paper: #16181c; --pale: #3a3f47;
  --shade: #1e2126; --note: #a3a9b4; --model: #6aa9f0; --base: #8b93a0; --sees: #c99f5f; --guitar: #ef9a63;
  --third: #6fc07c; --fourth: #b994e0; --sixth: #d89a7a; --marked: #1c2b3f; --real: #24262a; --seeing: #d3b27c; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1180px;
  margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.7em; margin-bottom: .2em; } h2 { font-size: 1.2em; margin-top: 2em; } h3 { font-size: 1em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: .22em .7em; text-align: right; border-bottom: 1px solid var(--pale); vertical-align: bottom; }
th:first-child, td:first-child, .words td, .words th { text-align: left; }
th:first-child, td:first-child, .words td:last-child { white-space: nowrap; }
.words td:nth-last-child(2) { min-width: 12em; } /* a column of words keeps its lines on a small screen */
td small { color: var(--note); white-space: nowrap; display: block; } thead th { border-bottom: 2px solid var(--ink); }
tr.model td { background: var(--marked); } tr.real td { background: var(--real); }
tr.sees_real td { color: var(--seeing); }
svg, img { max-width: 100%; } .panels { display: flex; flex-wrap: wrap; gap: 14px 22px; }
img { display: block; border-radius: 3px; }
.note { color: var(--note); } figure { margin: 0 0 1em; } figcaption { font-size: 13px; margin-bottom: .2em; }
code { font-size: 13px; overflow-wrap: anywhere; }
pre { background: var(--shade); padding: .6em .8em; border-radius: 3px; white-space: pre-wrap; }
@media print { body { max-width: none; margin: 0; font-size: 11px; } figure, tr, svg, img { break-inside: avoid; }
  h2, h3 { break-after: avoid; } }
"""

_WIDTH, _HEIGHT = 360, 210  # of a chart, in pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 38, 32
FEW = 12  # points that are marked each
_FONT = 'font-family="system-ui, sans-serif" font-size="11"'


class Line(NamedTuple):
    """A line of a chart: its name, its points (x, y) by x, and how it is drawn. A y that is no number is left out."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str = MODEL
    dashed: bool = False


def text(words: str) -> str:
    """Words that can become no markup."""
    return html.escape(words, quote=True)


def document(title: str, parts: Iterable[str]) -> str:
    """A whole page of some parts of HTML."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def table(head: Sequence[str], body: Iterable[Sequence[str]], *, words: bool = False) -> str:
    """A table of texts. words: it is to be read, not to be compared; all its columns begin at the left."""
    heads = "".join(f"<th>{text(cell)}</th>" for cell in head)
    rows = "".join("<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in body)
    kind = ' class="words"' if words else ""
    top = f"<thead><tr>{heads}</tr></thead>" if head else ""
    return f'<div class="wide"><table{kind}>{top}<tbody>{rows}</tbody></table></div>'


def picture(data: bytes, caption: str) -> str:
    """A PNG picture inside the page."""
    coded = base64.b64encode(data).decode("ascii")
    return (
        f'<figure class="picture"><figcaption>{text(caption)}</figcaption>'
        f'<img alt="{text(caption)}" src="data:image/png;base64,{coded}"></figure>'
    )


def legend(lines: Sequence[Line]) -> str:
    """What each kind of line is, once for several charts that have the same."""
    items = []
    for line in lines:
        stroke = f'stroke="{line.colour}" stroke-width="2"' + (' stroke-dasharray="5 4"' if line.dashed else "")
        items.append(
            f'<svg width="26" height="8" role="img"><title>{text(line.name)}</title><path d="M0 4h24" {stroke}/></svg> '
            f"{text(line.name)}"
        )
    return f'<p class="note">{" &#160; ".join(items)}</p>'


def chart(title: str, below: str, lines: Sequence[Line], *, least: float | None = None) -> str:
    """Lines over one axis; the last value of each stands at its end. "" if there is no point at all.

    In the first tenth of a line of many points, what lies above all that follows is cut off: a steep beginning would
    flatten the rest.

    Args:
        title: The title.
        below: A line under the title, such as which way is good.
        lines: The lines, the most important first.
        least: What the scale holds in any case, such as 0.
    """
    having = [(line, [(x, y) for x, y in line.points if math.isfinite(y)]) for line in lines]
    having = [(line, points) for line, points in having if points]
    if not having:
        return ""
    first, last = (choose(x for _, points in having for x, _ in points) for choose in (min, max))
    settled = first + (last - first) / 10
    values = [y for _, points in having for _, y in points] + ([] if least is None else [least])
    steady = [y for _, points in having for x, y in points if x >= settled or len(points) < FEW]
    low, high = min(values), max([*steady, min(values)])
    if high - low < 1e-9:
        low, high = low - max(abs(low), 1) * 0.05, high + max(abs(high), 1) * 0.05
    room = (high - low) * 0.06
    low, high = (low if low == least else low - room), high + room
    right, bottom = _WIDTH - _RIGHT - 34, _HEIGHT - _BOTTOM

    def across(value: float) -> float:
        return _LEFT + (right - _LEFT) * ((value - first) / (last - first) if last > first else 0.5)

    def up(value: float) -> float:
        return bottom - (bottom - _TOP) * (min(max(value, low), high) - low) / (high - low)

    out = [
        f'<figure><svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" {_FONT}>'
        f'<title>{text(title)}</title><text x="0" y="12" font-size="13" font-weight="600" fill="{INK}">{text(title)}'
        f'</text><text x="0" y="26" fill="{NOTE}">{text(below)}</text>'
    ]
    for value in ticks(low, high):
        out.append(
            f'<path d="M{_LEFT} {up(value):.1f}H{right}" stroke="{PALE}"/>'
            f'<text x="{_LEFT - 5}" y="{up(value) + 4:.1f}" text-anchor="end" fill="{NOTE}">{short(value)}</text>'
        )
    out.append(f'<path d="M{_LEFT} {bottom}H{right}" stroke="{INK}"/>')
    for value in ticks(first, last, 4) if last > first else [first]:
        out.append(
            f'<text x="{across(value):.1f}" y="{bottom + 14}" text-anchor="middle" fill="{NOTE}">{short(value)}</text>'
        )
    told: list[float] = []
    for line, points in reversed(having):  # the most important on top
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        places = [(across(x), up(y)) for x, y in points]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        out.append(f'<polyline points="{drawn}" fill="none" stroke="{line.colour}" stroke-width="1.8"{dash}/>')
        if len(places) < FEW and not line.dashed:
            dots = "".join(f"M{x - 2:.1f} {y:.1f}a2 2 0 1 0 4 0a2 2 0 1 0 -4 0" for x, y in places)
            out.append(f'<path d="{dots}" fill="{line.colour}"/>')
    for line, points in having:
        x, y = across(points[-1][0]), up(points[-1][1])
        if all(abs(y - other) > 11 for other in told):  # values that would lie on each other are in the table
            out.append(f'<text x="{x + 5:.1f}" y="{y + 4:.1f}" fill="{line.colour}">{short(points[-1][1])}</text>')
            told.append(y)
    return "".join(out) + "</svg></figure>"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from low to high, at most so many."""
    span = high - low
    step = 10.0 ** math.floor(math.log10(span / most))
    step = next(step * times for times in (1, 2, 5, 10, 20) if span / (step * times) < most)
    return [
        round(number * step, 12) for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def short(value: float) -> str:
    """A number as short as a scale wants it: 0.05, 1.5, 200, 3.2M, 9.6e-5; there is room for seven signs."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (abs(value) >= size and letter == "M"):
            return f"{value / size:.3g}{letter}"
    plain = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if len(plain) <= 7:
        return plain
    digits, power = f"{value:.1e}".split("e")
    return f"{digits.removesuffix('.0')}e{int(power)}"
