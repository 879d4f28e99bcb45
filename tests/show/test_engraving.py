"""A score as a picture: whole, the same each time, and readable where there are no fonts."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from seq2drum.errors import MissingExtraError, NotationError, OptionError
from seq2drum.formats.score.musicxml import write_score
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from seq2drum.show import engraving
from tests.conftest import ROOT

pytest.importorskip("verovio")
SPACE = {"s": "http://www.w3.org/2000/svg"}


def written(bars: int = 4, metre: tuple[int, int] = (4, 4), title: str = "Take five", *, swing: bool = False) -> bytes:
    """A score with a hat on each eighth, swung or not, and kick and snare."""
    song = Song(480, (), (Tempo(0, 500_000),), (Metre(0, *metre),), bars * 1920 * metre[0] // metre[1])
    hats = [Note(tick + 80 * (swing and tick % 480 > 0), 30, 42, 80) for tick in range(0, song.length, 240)]
    drums = [Note(tick, 30, 36 if tick % 960 == 0 else 38, 100) for tick in range(0, song.length, 480)]
    return write_score(song, Part.of([*hats, *drums], is_drums=True), title)


def drawn(data: bytes, kind: str) -> list[ET.Element]:
    return ET.fromstring(data).findall(f".//s:g[@class='{kind}']", SPACE)


def words(data: bytes) -> str:
    return " ".join("".join(text.itertext()) for text in ET.fromstring(data).iter(f"{{{SPACE['s']}}}text"))


@pytest.mark.parametrize(("bars", "metre"), [(1, (4, 4)), (9, (7, 8)), (3, (5, 4)), (40, (12, 8))])
def test_every_bar_and_every_head_is_drawn(bars: int, metre: tuple[int, int]) -> None:
    score = written(bars, metre)
    picture = engraving.svg(score)
    assert len(drawn(picture, "measure")) == bars
    heads = [note for note in ET.fromstring(score).iter("note") if note.find("unpitched") is not None]
    assert len(drawn(picture, "note")) == len(heads)
    assert "Take five" in words(picture)


def test_the_same_score_gives_the_same_bytes_in_any_process() -> None:
    score = written()
    code = (
        "import sys; from seq2drum.show import engraving;"
        "sys.stdout.buffer.write(engraving.svg(sys.stdin.buffer.read()))"
    )
    again = subprocess.run([sys.executable, "-c", code], input=score, capture_output=True, check=True, cwd=ROOT).stdout
    assert engraving.svg(score) == again


def test_the_svg_has_a_white_background_and_loads_no_font_or_other_file() -> None:
    picture = engraving.svg(written(swing=True))
    root = ET.fromstring(picture)
    first = root[0]
    assert (first.tag, first.get("fill"), first.get("width")) == (f"{{{SPACE['s']}}}rect", "white", "100%")
    assert b"font-face" not in picture
    assert b"Leipzig" not in picture
    names = {element.get("id") for element in root.iter()}
    links = {element.get("{http://www.w3.org/1999/xlink}href", "#")[1:] for element in root.iter()} - {""}
    assert links
    assert links <= names
    assert picture.count(b"http") == picture.count(b"http://www.w3.org/")


def test_a_tempo_mark_has_its_note_as_an_outline_and_its_words() -> None:
    picture = engraving.svg(written(swing=True))
    (mark,) = drawn(picture, "tempo")
    assert len(mark.findall("s:path", SPACE)) == 1
    assert "".join(mark.itertext()).split() == ["Swing", "=", "120"]
    dotted = drawn(engraving.svg(written(metre=(6, 8))), "tempo")[0]
    assert len(dotted.findall("s:path", SPACE)) == 2
    assert "".join(dotted.itertext()).split() == ["=", "80"]


def test_all_pieces_of_the_kit_can_be_engraved() -> None:
    song = Song(480, (), (), (), 480 * 24)
    part = Part.of([Note(480 * index, 30, voice.notes[0], 90) for index, voice in enumerate(FULL.voices)])
    picture = engraving.svg(write_score(song, part, "kit"))
    assert len(drawn(picture, "notehead")) == len(FULL.voices)
    assert "cowbell" in words(picture)


@pytest.mark.parametrize("width", [300, 700, 3000])
def test_the_svg_has_the_width_given_and_wraps(width: int) -> None:
    root = ET.fromstring(engraving.svg(written(12), width=width))
    assert abs(int(root.get("width", "")) - width) <= 1
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"


def test_a_narrower_score_is_taller() -> None:
    tall, flat = (ET.fromstring(engraving.svg(written(12), width=width)).get("height", "") for width in (400, 1600))
    assert int(tall) > 2 * int(flat)


@pytest.mark.slow
def test_the_pages_of_a_long_score_are_stacked_in_one_picture() -> None:
    picture = engraving.svg(written(400), width=300)
    root = ET.fromstring(picture)
    pages = root.findall("s:svg", SPACE)
    assert len(pages) > 1
    tops = [int(page.get("y", "")) for page in pages]
    heights = [round(float(page.get("height", "")[:-2])) for page in pages]
    assert tops == [sum(heights[:number]) for number in range(len(pages))]
    assert int(root.get("height", "")) == sum(heights)
    assert len(drawn(picture, "measure")) == 400


@pytest.mark.parametrize("title", ["", "A <b> & 'ギター' \"x\"", "]]> <script>alert(1)</script>"])
def test_any_title_is_text_and_nothing_else(title: str) -> None:
    picture = engraving.svg(written(1, title=title))
    assert title in words(picture)
    assert b"<script" not in picture


@pytest.mark.parametrize("data", [b"", b"<score-partwise/>", b"no score", b"<a><b></a>"])
def test_a_file_that_is_not_a_score_is_refused_in_one_line(data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotationError, match="MusicXML") as caught:
        engraving.svg(data)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_score_that_would_take_minutes_is_refused_with_what_can_be_written_instead() -> None:
    data = written(1)
    long = data.replace(b"</measure>", b"</measure>" + b" " * engraving.MOST_BYTES)
    with pytest.raises(OptionError, match=r"8\.0 MB.*\.musicxml"):
        engraving.svg(long)


@pytest.mark.parametrize("width", [0, 299, 10_001])
def test_an_invalid_width_is_refused(width: int) -> None:
    with pytest.raises(OptionError, match=f"{width} pixels"):
        engraving.svg(written(1), width=width)


def test_without_verovio_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "verovio", None)
    with pytest.raises(MissingExtraError, match=r"seq2drum\[score\]"):
        engraving.svg(written(1))


def test_importing_the_module_does_not_import_verovio() -> None:
    code = "import sys, seq2drum.show.engraving; sys.exit('verovio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
