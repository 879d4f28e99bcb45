"""The page of a training run."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

from seq2drum.learn.run.report import NATS, SWAPPED, Finished, as_html
from seq2drum.learn.run.task import History, Point
from seq2drum.learn.run.watching import BARS, GAIN, LIKELY, LOOP, REAL, SAMPLED, Drawn, Preview

ABOUT = {
    "kit": "full",
    "recipe": {"model": "attention", "kit": "full", "minutes": 5.0, "seed": 0, "weights": {"jazz<3>": 3.0}},
    "progress": {"epoch": 3, "step": 1234, "bars": 98765, "seconds": 300.4},
    "machine": {"device": "cpu", "name": "<a> chip", "processes": 1},
    "torch": "2",
    "data": [{"folder": "<jazz>", "origin": "", "train": 5, "validation": 1, "test": 0}],
    "command": "seq2drum --mode train --data '<x>'",
}


def finished(**changes: Any) -> Finished:
    history, previews = History(), []
    for step in range(1, 40):
        history = history.recorded(step, Point(step * 1000, step * 3.0, {NATS: 20 / step, "rate": 1e-3}))
    for number in (1, 2, 3):
        figures = {
            SAMPLED: {"hit F1": 0.1 * number, "fill rate": 0.05},
            LIKELY: {"hit F1": 0.2 * number, GAIN: 0.01 * number},
            LOOP: {"hit F1": 0.4321},
            REAL: {"fill rate": 0.0765},
        }
        scalars = {NATS: 6.0 - number, SWAPPED: 8.125}
        history = history.validated(Point(13000 * number, 39.0 * number, scalars))
        previews.append(Preview(13000 * number, 39.0 * number, BARS, 1.5, figures))
    drawn = (Drawn("ab<cd", ((REAL, b"\x89PNG"), ("after <1> bars", b"\x89PNG2"))),)
    sides = {"training": (5, 400), "validation": (1, 50)}
    return Finished("runs/my <run>", ABOUT, sides, history, tuple(previews), 6, True, drawn)._replace(**changes)


class Tags(HTMLParser):
    """What is open, and whether all that closes was."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen += [(name, value or "") for name, value in attrs]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Tags:
    parser = Tags()
    parser.feed(page)
    assert not parser.open
    for picture in re.findall(r"<svg.*?</svg>", page, re.S):
        ElementTree.fromstring(picture)
    assert "nan" not in "".join(re.findall(r"<svg.*?</svg>", page, re.S))
    return parser


def cells(page: str, first: str) -> list[str]:
    row = next(row for row in re.findall(r"<tr>(.*?)</tr>", page) if f"<td>{first}</td>" in row)
    return re.findall(r"<td>(.*?)</td>", row)


def test_the_page_is_whole_and_needs_nothing_from_elsewhere() -> None:
    page = as_html(finished())
    links = [value for name, value in parsed(page).seen if name in ("src", "href", "xlink:href", "onload")]
    assert len(links) == 2 and all(link.startswith("data:image/png;base64,") for link in links)
    assert "url(" not in page and "@import" not in page and "<script" not in page and "http" not in page
    assert "prefers-color-scheme: dark" in page and "@media print" in page


def test_numbers_of_the_page_are_those_of_the_history() -> None:
    page = as_html(finished())
    assert cells(page, "hit F1")[1:5] == ["0.300", "0.600", "0.432", "-"]
    assert cells(page, "fill rate")[1:5] == ["0.050", "-", "-", "0.076"]
    assert cells(page, GAIN)[1:5] == ["-", "0.030", "-", "-"]
    assert "98,765 bars in 5 minutes" in page and "3.00 nats" in page and "8.12 with another" in page
    assert "5 songs, 400 bars" in page and "1 songs, 50 bars" in page and "1,234 steps" in page
    assert "4 s, 1.5% of the time" in page
    titles = re.findall(r'<figure class="chart"><svg[^>]*><title>(.*?)</title>', page)
    assert titles == ["nats a bar", "learning rate", "bars a second", "hit F1", GAIN, "fill rate"]
    (curve,) = re.findall(r"<title>nats a bar</title>.*?</svg>", page)
    curves = {role: line for line, role in re.findall(r'd="([^"]*)" style="fill: none; stroke: var\(--(\w+)\)', curve)}
    assert {role: curves[role].count("L") + 1 for role in ("model", "guitar", "base")} == {
        "model": 3,
        "guitar": 3,
        "base": 39,
    }


def test_what_people_named_cannot_become_markup() -> None:
    page = as_html(finished())
    for name in ("<run>", "<a> chip", "<jazz>", "<x>", "ab<cd", "<1>", "<3>"):
        assert name not in page
    assert "my &lt;run&gt;" in page and "&lt;jazz&gt;" in page


def test_the_page_says_what_to_do_next_and_a_stopped_run_how_to_go_on() -> None:
    page = as_html(finished())
    assert "--mode infer SONG.mid --model &#39;runs/my &lt;run&gt;&#39;" in page
    assert "--mode eval --data DIR --split validation" in page
    assert "tensorboard --logdir" in page and "--resume" not in page
    assert "--split test" in as_html(finished(sides={"training": (5, 400)}))
    stopped = as_html(finished(stopped=True))
    assert "--resume" in stopped and "stopped before its end" in stopped


def test_a_run_that_ended_before_anything_was_seen_has_a_page() -> None:
    nothing = finished(history=History(), previews=(), drawn=(), songs=0, sides={"training": (1, 14)}, about={})
    page = as_html(nothing)
    parsed(page)
    assert "nothing is known of unseen songs" in page and "before there was anything to draw" in page
    assert "no song with guitar and drums" in page
    short = History((Point(10, 1.0, {NATS: 60.0, "rate": 1e-4}),), validations=(Point(10, 1.0),))
    page = as_html(nothing._replace(history=short, songs=3))
    parsed(page)
    assert "there was no time to play" in page


def test_a_panel_of_one_moment_is_a_table_without_curves_and_short_runs_get_a_note() -> None:
    whole = finished()
    one = whole.previews[0]._replace(played=9)
    history = History(validations=whole.history.validations[:1])
    page = as_html(whole._replace(history=history, previews=(one,), unseen=False))
    parsed(page)
    assert cells(page, "hit F1")[1] == "0.100"
    assert "only 9 bars" in page and "songs that it was trained on, for want of others" in page
    assert "1 song never trained on: up to" in as_html(whole._replace(songs=1))
    assert re.findall(r'<figure class="chart"><svg[^>]*><title>(.*?)</title>', page) == ["nats a bar"]
