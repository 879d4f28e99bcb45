"""What pages are made of: escaped, parsable, and lines where their points are."""

from __future__ import annotations

import base64
import math
import re
from xml.etree import ElementTree

import pytest

from seq2drum.show.page import Line, chart, document, legend, picture, short, table, ticks


def lines_of(svg: str) -> list[list[tuple[float, float]]]:
    return [
        [(float(x), float(y)) for x, y in (place.split(",") for place in points.split())]
        for points in re.findall(r'points="(.*?)"', svg)
    ]


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 1, [0, 0.5, 1]),
        (5.2, 9.7, [6, 7, 8, 9]),
        (0, 0.003, [0, 0.001, 0.002, 0.003]),
        (0, 3e6, [0, 1e6, 2e6, 3e6]),
        (-0.4, 0.4, [-0.4, -0.2, 0, 0.2, 0.4]),
    ],
)
def test_a_scale_has_round_numbers_and_few(low: float, high: float, wanted: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(wanted)


def test_numbers_of_a_scale_are_short() -> None:
    told = [short(value) for value in (0, 0.05, 1.5, 200, 1234, 20_000, 3_200_000, -0.25)]
    assert told == ["0", "0.05", "1.5", "200", "1234", "20k", "3.2M", "-0.25"]
    told = [short(value) for value in (0.0366, -0.00366, 0.000366, 9.549e-5, -3e-10)]
    assert told == ["0.0366", "-3.7e-3", "3.7e-4", "9.5e-5", "-3e-10"]


def test_points_lie_by_their_numbers_the_most_important_line_on_top() -> None:
    svg = chart("a <b>", "low & high", [Line("one", [(0, 1.0), (10, 3.0)]), Line("two", [(0, 2.0), (10, 2.0)])])
    assert "<b>" not in svg and "a &lt;b&gt;" in svg
    ElementTree.fromstring(svg.removeprefix("<figure>").removesuffix("</figure>"))
    two, one = lines_of(svg)
    assert one[0][0] < one[1][0] and one[0][1] > one[1][1]  # y grows downwards
    assert two[0][1] == two[1][1] == pytest.approx((one[0][1] + one[1][1]) / 2, abs=0.2)


def test_a_steep_beginning_of_a_long_line_does_not_flatten_the_rest() -> None:
    points = [(float(step), 1000.0 / (step + 1) ** 2 + math.cos(step)) for step in range(100)]
    (line,) = lines_of(chart("nats", "", [Line("one", points)]))
    rest = [y for _, y in line[10:]]
    assert max(rest) - min(rest) > 50
    assert min(y for _, y in line) >= 38  # what is cut off lies at the top
    few = lines_of(chart("nats", "", [Line("one", points[:5])]))[0]
    assert few[1][1] - few[0][1] > 50


def test_what_is_no_number_is_left_out_and_nothing_is_no_chart() -> None:
    assert chart("a", "", []) == chart("a", "", [Line("one", [(1, math.nan)])]) == ""
    (line,) = lines_of(chart("a", "", [Line("one", [(0, 1.0), (1, math.nan), (2, 2.0)]), Line("two", [])]))
    assert len(line) == 2
    alone = chart("a", "", [Line("one", [(5, 0.0)])], least=0)
    assert len(lines_of(alone)) == 1 and "nan" not in alone and "inf" not in alone


def test_tables_pictures_and_legends_are_escaped() -> None:
    page = document("<t>", [table(["<h>"], [["<c>"]]), picture(b"\x00png", "<x>"), legend([Line("<l>", [])])])
    for name in ("<t>", "<h>", "<c>", "<l>", "<x>"):
        assert name not in page
    assert "&lt;x&gt;" in page and base64.b64encode(b"\x00png").decode() in page
