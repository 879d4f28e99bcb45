"""Pages: templates that escape, one style sheet, and charts whose shapes lie where their numbers say."""

from __future__ import annotations

import base64
import math
import re
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

import pytest
from jinja2 import UndefinedError

from seq2drum.show import page
from seq2drum.show.figures import ROLES
from seq2drum.show.page import GridBars, GridDrums, Line, Standing, Table, short
from tests.conftest import ROOT


def pieces(source: str, **values: object) -> str:
    """Some pieces, put together by a template of their own."""
    template = page.templates().from_string('{% import "pieces.html" as pieces %}' + source)
    return template.render(values)


def test_tables_pictures_and_legends_are_escaped() -> None:
    made = pieces(
        "{{ pieces.table(table) }}{{ pieces.picture(png, '<x>') }}{{ pieces.keys(lines) }}",
        table=Table(["<h>"], [["<c>"]]),
        png=page.png(b"\x00png"),
        lines=[Line("<l>", (), "guitar", True)],
    )
    for name in ("<h>", "<c>", "<l>", "<x>"):
        assert name not in made and name.replace("<", "&lt;").replace(">", "&gt;") in made
    assert base64.b64encode(b"\x00png").decode() in made
    assert '<li class="guitar dashed">' in made


def test_a_title_is_escaped_in_the_head_and_above_the_page() -> None:
    made = page.render("page.html", title="<t>")
    assert "<t>" not in made and made.count("&lt;t&gt;") == 2
    assert made.startswith("<!DOCTYPE html>") and made.endswith("</html>\n")


def test_a_table_without_a_head_has_none_and_one_of_words_says_so() -> None:
    assert "<thead>" not in pieces("{{ pieces.table(table) }}", table=Table([], [["a"]]))
    assert 'class="words"' in pieces("{{ pieces.table(table) }}", table=Table(["a"], [["b"]], words=True))


def test_a_value_missing_for_a_template_raises_an_error() -> None:
    with pytest.raises(UndefinedError, match="title"):
        page.render("page.html")


def test_the_style_sheet_has_a_colour_for_each_role_in_the_light_and_in_the_dark_and_a_style_for_paper() -> None:
    style = page.render("style.css")
    light, dark = (set(re.findall(r"--(\w+): #", part)) for part in re.findall(r":root \{(.*?)\}", style, re.S))
    assert set(ROLES) <= light == dark
    assert "prefers-color-scheme: dark" in style and "@media print" in style and "max-width: 40em" in style
    assert "url(" not in style and "@import" not in style


def test_a_table_shows_itself_in_a_notebook() -> None:
    shown = Table(["a"], [["<b>"]])._repr_html_()
    assert shown.startswith('<div class="seq2drum">') and "<td>&lt;b&gt;</td>" in shown


# --- charts of a page: what is drawn lies where its numbers say, in SVG that is the same each time --------------------


Points = list[tuple[float, float]]


def paths(svg: str, role: str) -> list[tuple[Points, str]]:
    """The paths of a colour: their points, and their style."""
    coloured = []
    for path in ElementTree.fromstring(svg).iter("path"):
        style = path.get("style", "")
        if f"var(--{role})" in style:
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.get("d", ""))]
            coloured.append((list(zip(numbers[::2], numbers[1::2], strict=True)), style))
    return coloured


def lines_of(svg: str, role: str = "model") -> list[Points]:
    """The lines of a colour; dots, which are lines of no length, are left out."""
    return [points for points, style in paths(svg, role) if "fill: none" in style and "round" not in style]


def words(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter("text")]


def test_numbers_of_a_scale_are_short() -> None:
    assert [short(value) for value in (0, 0.05, 1.5, 200, 1234, 20_000, 3_200_000, -0.25)] == [
        "0", "0.05", "1.5", "200", "1234", "20k", "3.2M", "-0.25",
    ]  # fmt: skip
    assert [short(value) for value in (0.0366, -0.00366, 0.000366, 9.549e-5, 5e-5, -3e-10)] == [
        "0.0366", "-3.7e-3", "3.7e-4", "9.5e-5", "5e-5", "-3e-10",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(5.2, 9.7, {"6", "8"}), (0, 0.003, {"0", "0.001", "0.002", "0.003"}), (-0.4, 0.4, {"-0.4", "-0.2", "0", "0.2"})],
)
def test_a_scale_has_round_numbers_and_few(low: float, high: float, expected: set[str]) -> None:
    scale = {word for word in words(page.lines("a", "", [Line("one", [(0, low), (7, high)])])) if word != "a"}
    assert expected <= scale and len(scale) < 16


def test_points_lie_by_their_numbers_the_most_important_line_on_top() -> None:
    lines = [Line("one", [(0, 1.0), (10, 3.0)]), Line("two", [(0, 2.0), (10, 2.0)], "guitar")]
    svg = page.lines("a <b>", "low & high", lines)
    assert "<b>" not in svg and "a &lt;b&gt;" in svg and {"a <b>", "low & high"} <= set(words(svg))
    (one,), (two,) = lines_of(svg), lines_of(svg, "guitar")
    assert one[0][0] < one[1][0] and one[0][1] > one[1][1]  # y grows downwards
    assert two[0][1] == two[1][1] == pytest.approx((one[0][1] + one[1][1]) / 2, abs=0.2)
    assert svg.rindex("stroke: var(--model)") > svg.rindex("stroke: var(--guitar)")


def test_the_last_value_of_a_line_stands_at_its_end_unless_another_is_there() -> None:
    one, two, three = (Line("", [(0, 5.0), (1, end)]) for end in (1.23, 1.24, 4.56))
    assert {"1.23", "4.56"} <= set(words(page.lines("a", "", [one, two, three])))
    assert "1.24" not in words(page.lines("a", "", [one, two, three]))


def test_a_steep_beginning_of_a_long_line_does_not_flatten_the_rest() -> None:
    points = [(float(step), 1000.0 / (step + 1) ** 2 + math.cos(step)) for step in range(100)]
    (line,) = lines_of(page.lines("nats", "", [Line("one", points)]))
    assert len(line) == 100
    rest = [y for _, y in line[10:]]
    assert max(rest) - min(rest) > 50
    assert min(y for _, y in line) >= 37  # what is cut off lies at the top
    (few,) = lines_of(page.lines("nats", "", [Line("one", points[:5])]))
    assert few[1][1] - few[0][1] > 50
    (whole,) = lines_of(page.lines("nats", "", [Line("one", points)], wide=True))
    assert max(y for _, y in whole[10:]) - min(y for _, y in whole[10:]) < 5


def test_values_that_are_not_numbers_are_left_out_and_no_values_give_no_chart() -> None:
    assert page.lines("a", "", []) == page.lines("a", "", [Line("one", [(1, math.nan)])]) == ""
    gap = page.lines("a", "", [Line("one", [(0, 1.0), (1, math.nan), (2, 2.0)]), Line("two")])
    (line,) = lines_of(gap)
    assert len(line) == 2
    alone = page.lines("a", "", [Line("one", [(5, 0.0)])], least=0)
    assert len(lines_of(alone)) == 1 and "nan" not in alone and "inf" not in alone


def test_bars_reach_from_zero_to_their_value_and_whiskers_over_their_interval() -> None:
    bars = [Standing("one", 0.5, (0.25, 1.0), "0.500", "model"), Standing("x" * 40, -9.0, None, "-9", "base")]
    svg = page.intervals("F1", "higher is better", bars, (-0.5, 1.0), (0.75, "real 0.75"))
    assert {"one", "x" * 23 + "…", "0.500", "-9", "real 0.75", "F1", "higher is better"} <= set(words(svg))
    ((box, _),), ((cut, _),) = paths(svg, "model"), paths(svg, "base")
    zero, end = min(x for x, _ in box), max(x for x, _ in box)
    left = min(x for x, _ in cut)
    assert zero - left == pytest.approx(end - zero, abs=0.2)  # what is below the scale ends where it ends
    lines = [points for points, style in paths(svg, "ink") if "stroke" in style]
    whisker = next(points for points in lines if len(points) == 6)
    middle = zero + (end - zero) / 2
    assert [x for x, _ in whisker[:2]] == pytest.approx([middle, zero + 2 * (end - zero)], abs=0.2)
    (real,) = [points for points, style in paths(svg, "ink") if "dasharray" in style]
    assert real[0][0] == real[1][0] == pytest.approx(zero + 1.5 * (end - zero), abs=0.2)


def test_a_grid_has_a_mark_for_each_hit_where_it_falls_the_louder_the_stronger() -> None:
    bars = GridBars((0, 48, 90), ("5  4/4", "6  7/8"), range(0, 90, 12), (0, 12))
    hits = [(0, 1, 127), (88, 0, 127), (45, 1, 30)]
    svg = page.grids(
        "song", bars, ("snare", "kick"), [GridDrums("real drums", hits, "ink"), GridDrums("<A>", [], "model")]
    )
    assert {"5  4/4", "6  7/8", "guitar", "real drums", "<A>", "snare", "kick"} <= set(words(svg))
    marks = {}
    for points, style in paths(svg, "ink"):
        if "fill: none" in style:
            strength = re.search(r"stroke-opacity: ([\d.]+)", style)
            marks |= {
                start: float(strength[1]) if strength else 1.0 for start, _ in zip(*[iter(points)] * 2, strict=True)
            }
    assert sorted(x for x, _ in marks) == pytest.approx([96, 96 + 1000 * 45 / 90, 96 + 1000 * 88 / 90], abs=0.1)
    strengths = [strength for _, strength in sorted(marks.items())]
    assert strengths[0] == strengths[2] == 1.0 and 0.3 < strengths[1] < 0.6
    heights = [y for (_, y), _ in sorted(marks.items())]
    assert heights[0] == heights[1] > heights[2]  # the kick is the lowest row


CHART = (
    "from seq2drum.show import page as charts;"
    "print(charts.lines('a', 'b', [charts.Line('one', [(0, 1.0), (1, 2.0), (2, 0.5)])], across='bars', wide=True))"
)


@pytest.mark.slow
def test_a_chart_has_the_same_bytes_in_another_process_and_names_nothing_elsewhere() -> None:
    one, other = (
        subprocess.run([sys.executable, "-c", CHART], cwd=ROOT, capture_output=True, check=True, text=True).stdout
        for _ in range(2)
    )
    assert one == other
    assert "http" not in one and "url(" not in one and "id=" not in one and "#" not in one and "font-family" not in one


def test_matplotlib_settings_of_the_user_change_no_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    line = Line("one", [(float(step), math.sin(step)) for step in range(50)])
    before = page.lines("a", "", [line])
    for name, value in (("text.usetex", True), ("svg.fonttype", "path"), ("axes.grid", True), ("xtick.labelsize", 30)):
        settings: Any = matplotlib.rcParams
        monkeypatch.setitem(settings, name, value)
    assert page.lines("a", "", [line]) == before
