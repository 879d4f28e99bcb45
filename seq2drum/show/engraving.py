"""A MusicXML score as a picture, engraved by verovio: one SVG, as tall as the score is long.

It knows nothing of drums: `score` decides the notation. The note in a tempo mark, which verovio leaves to a font that
is not available everywhere, becomes an outline here, so that the picture is the same in a browser, in a page that
allows no fonts, and in a program that draws SVG.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path

from seq2drum.errors import MissingExtraError, NotationError, OptionError

WIDTH = 1000  # pixels
NARROWEST, WIDEST = 300, 10_000  # a bar must fit; verovio's pages have a limit
MOST_BYTES = 8_000_000
"""Most bytes of MusicXML, about two thousand bars: more takes minutes, and no program can show it."""
_SCALE = 50  # percent of verovio's own size: a staff is 36 pixels high
_FONT = "Leipzig"
_NOTE = 0.75  # size of the note in a tempo mark relative to verovio's, which is far larger than its text
_LETTER = 0.52  # mean width of a letter of bold Times, in ems, to which the text before a note is set
_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_TEXT, _SPAN = f"{{{_SVG}}}text", f"{{{_SVG}}}tspan"


def check() -> None:
    """Raises MissingExtraError if verovio is not installed."""
    try:
        import verovio  # noqa: F401
    except ImportError:
        raise MissingExtraError("a score as a picture needs verovio: pip install 'seq2drum[score]'") from None


def svg(musicxml: bytes, *, width: int = WIDTH) -> bytes:
    """A score engraved: all its systems below one another, black on white. The same score gives the same bytes.

    Args:
        musicxml: The score, as `formats.score.musicxml.write_score` writes it.
        width: Of the picture, in pixels.

    Raises:
        MissingExtraError: verovio is not installed.
        NotationError: verovio cannot read the score.
        OptionError: the picture would be too narrow for a bar, or wider than verovio's pages, or the score is too long.
    """
    check()
    if not NARROWEST <= width <= WIDEST:
        raise OptionError(f"the score is to be {width} pixels wide, wanted {NARROWEST} to {WIDEST}")
    if len(musicxml) > MOST_BYTES:
        raise OptionError(
            f"the score has {len(musicxml) / 1e6:.1f} MB, and a picture is made of at most {MOST_BYTES / 1e6:.0f} MB,"
            " some two thousand bars; write it as .musicxml for a notation program"
        )
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    kit = verovio.toolkit()
    kit.setOptions(
        {
            "adjustPageHeight": True,
            "footer": "none",
            "pageHeight": 60_000,  # the maximum; a longer score has more pages
            "pageWidth": width * 100 // _SCALE,
            "scale": _SCALE,
            "smuflTextFont": "none",
            "svgFormatRaw": True,
            "xmlIdChecksum": True,  # ids from the score instead of random ones
        }
    )
    if not kit.loadData(musicxml.decode("utf-8")):
        raise NotationError("verovio cannot read the score; wanted MusicXML as --score writes it")
    pages = [ET.fromstring(kit.renderToSVG(page)) for page in range(1, kit.getPageCount() + 1)]
    return _joined(pages)


def _joined(pages: list[ET.Element]) -> bytes:
    """The pages below one another, on white, since a page of a notebook can be dark."""
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _LINK)
    heights = [_pixels(page, "height") for page in pages]
    wide, tall = max(_pixels(page, "width") for page in pages), sum(heights)
    size = {"width": f"{wide}", "height": f"{tall}", "viewBox": f"0 0 {wide} {tall}"}
    root = ET.Element(f"{{{_SVG}}}svg", size)
    ET.SubElement(root, f"{{{_SVG}}}rect", width="100%", height="100%", fill="white")
    for number, page in enumerate(pages):
        page.set("y", str(sum(heights[:number])))
        _outline_notes(page)
        _forget_names(page)
        root.append(page)
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _pixels(page: ET.Element, side: str) -> int:
    return round(float(page.get(side, "0").removesuffix("px")))


def _forget_names(page: ET.Element) -> None:
    """Drop all ids except the page's own, which its style refers to, and those of glyphs."""
    for element in page.iter():
        if element is not page and not element.tag.endswith("}defs"):
            name = element.get("id", "")
            if name and not name.endswith(f"-{page.get('id')}"):
                del element.attrib["id"]


def _outline_notes(page: ET.Element) -> None:
    """Draw notes within text as outlines, and set the text that follows beside them."""
    for group in list(page.iter()):
        for text in group.findall(_TEXT):
            spans = [span for span in text.iter(_SPAN) if span.text]
            if any(span.get("font-family") == _FONT for span in spans):
                place = list(group).index(text)
                group.remove(text)
                for offset, element in enumerate(_set(text, spans)):
                    group.insert(place + offset, element)


def _set(text: ET.Element, spans: list[ET.Element]) -> Iterator[ET.Element]:
    """A line of text and notes, one element for each run."""
    x, y = float(text.get("x", "0")), text.get("y", "0")
    runs = [(is_note, list(run)) for is_note, run in groupby(spans, lambda span: span.get("font-family") == _FONT)]
    for number, (is_note, run) in enumerate(runs, start=1):
        letters = "".join(span.text or "" for span in run)
        size = float(run[0].get("font-size", "0").removesuffix("px"))
        if is_note:
            scale = _NOTE * size / 1000
            for letter in letters:
                outline, advance = _glyph(letter)
                place = f"translate({x:.0f}, {y}) scale({scale:.3f}, {-scale:.3f})"
                if outline:
                    yield ET.Element(f"{{{_SVG}}}path", d=outline, transform=place)
                x += advance * scale
            continue
        words = ET.Element(_TEXT, {"x": f"{x:.0f}", "y": y, "font-size": f"{size:g}px", "xml:space": "preserve"})
        words.text = letters
        if number < len(runs):
            width = len(letters) * _LETTER * size
            words.set("textLength", f"{width:.0f}")
            x += width + 0.4 * size
        yield words


@cache
def _glyph(letter: str) -> tuple[str, float]:
    """The outline of a sign of the music font, and its advance, in thousandths of its size."""
    if letter.isspace():
        return "", 60.0
    import verovio

    folder, name = Path(verovio.__file__).parent / "data", f"{ord(letter):04X}"
    path = ET.parse(folder / _FONT / f"{name}.xml").find("path")
    row = ET.parse(folder / f"{_FONT}.xml").find(f"g[@c='{name}']")
    if path is None or row is None:
        raise NotationError(f"verovio's font has no sign {name}, which a tempo mark needs")
    return path.get("d", ""), float(row.get("h-a-x", "0"))
