from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from seq2drum.errors import OptionError, OutputError
from seq2drum.evaluate import report
from seq2drum.evaluate.evaluation import (
    HEADLINE,
    METRES,
    Estimate,
    Evaluation,
    Example,
    Measure,
    Row,
    columns,
    measure_row,
)
from seq2drum.judge.intervals import Interval
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import NINE
from seq2drum.show import page as charts

NAMES = ("real drums", "A & <B>, most likely", "silence", "own bar")


def made() -> Evaluation:
    """Four players with a few figures each, one of whose names wants to be escaped."""
    kinds = ("real", "model", "baseline", "baseline")
    rows = [
        Row(
            name,
            f"what {name} means",
            kind,
            kind == "real" or name == "own bar",
            3,
            {"fill rate": Estimate(0.08, 0.05, 0.11), "faults": Estimate(float(index))},
        )
        for index, (name, kind) in enumerate(zip(NAMES, kinds, strict=True))
    ]
    for row, value in zip(rows[1:], (0.61234, 0.0, 0.8), strict=True):
        row.figures["hit F1"] = Estimate(value, max(value - 0.02, 0), value + 0.03)
        row.figures["gain in F1"] = Estimate(-0.01, -0.02, 0.01)
        row.figures["velocity r"] = Estimate(None)
        row.figures["hits a bar"] = Estimate(14.26, 12.0, 15.0)
    metre, style = (
        [replace(rows[1], name=f"{kind}: {rows[1].name}", songs=3 * (kind == there), bars=29) for kind in kinds]
        for kinds, there in ((METRES, "4/4"), (STYLES, "funk"))
    )
    metre, style = ([row if row.songs else replace(row, figures={}) for row in rows] for rows in (metre, style))
    shown = Example(
        "a<b>.mid", NAMES[1], 4, (24, 21), ("4/4", "7/8"), (0, 12, 24), ((0, 0, 100), (44, 1, 30)), ((23, 8, 127),)
    )
    about = {
        "songs": 3,
        "bars": 40,
        "split": "test",
        "split hash": "abc",
        "songs of reference": 20,
        "known bars": 1,
        "seed": 0,
        "versions": {"numpy": "2"},
        "command": "seq2drum --mode eval --tag '<x>'",
    }
    curves: dict[str, tuple[float | None, ...]] = {name: (0.9, 0.8, None) for name in NAMES}
    return Evaluation(
        about,
        columns(),
        tuple(rows),
        (replace(rows[3], name="copy those bars"),),
        tuple(metre),
        tuple(style),
        (replace(rows[1], name="new, plain less old, plain"),),
        curves,
        (shown, replace(shown, player=NAMES[2], made=())),
        (),
        ("no critic: <why>",),
        {"songs played": 2.0},
    )


class _Tags(HTMLParser):
    """The open tags, and whether all closing ones match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.seen: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen += [(name, value or "") for name, value in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_figures_are_as_long_as_they_are_exact() -> None:
    assert report.shown(Estimate(0.61234, 0.59, 0.64), interval="half") == "0.612 ±0.025"
    assert report.shown(Estimate(14.26, 12.0, 15.0), interval="whole") == "14.3 (12.0 to 15.0)"
    assert report.shown(Estimate(412.7)) == "413"
    assert report.shown(Estimate(3.0)) == "3"
    assert report.shown(Estimate(0.0, 0.0, 0.0)) == "0.000"
    assert report.shown(Estimate(-0.0104, -0.02, 0.01)) == "-0.010"
    assert report.shown(None) == report.shown(Estimate(None)) == "-"


def test_the_headline_comes_first_and_each_figure_once() -> None:
    sections = report.sections(made())
    assert sections[0][0] == "Headline"
    assert sections[0][1] == ["hit F1", "gain in F1", "fill rate"]
    every = [name for _, names in sections for name in names]
    assert len(set(every)) == len(every)
    assert "velocity r" not in every  # nobody has it
    assert set(every) == {"hit F1", "gain in F1", "fill rate", "hits a bar", "faults"}


def full() -> Evaluation:
    """Every player has every figure, each with an interval."""
    figures = {column.name: Estimate(-0.123, -0.4, 0.8) for column in columns()}
    some = made()
    return replace(some, free=tuple(replace(row, figures=figures) for row in some.free))


def test_the_headline_of_a_page_comes_first_in_lines_that_can_be_pasted() -> None:
    evaluation = full()
    lines = report.as_markdown(evaluation).splitlines()
    assert lines[2] == report.sentence(evaluation)
    assert lines[4] == "|  | gain in nats | F1 on the song's groove | distinct bars | critic AUC | hit F1 |"
    lines = lines[lines.index("## Headline") :]
    assert next(line for line in lines if line.startswith("## ")) == "## Headline"
    heads = [line for line in lines if line.startswith("|  |")]
    assert [name.strip() for head in heads[: -(-len(HEADLINE) // 6)] for name in head.split("|")[2:-1]] == list(
        HEADLINE
    )
    assert max(len(line) for line in lines if line.startswith("|")) < 200
    assert "| -0.123 (-0.400 to 0.800) |" in lines[lines.index(heads[0]) + 2]


def test_lines_of_a_terminal_are_short_too_and_no_figure_is_lost() -> None:
    text = report.as_text(full())
    assert max(map(len, text.splitlines())) < 200
    brief = [row for row in NAMES if row != "own bar"], [name for name in report.FIGURES if name != report.OWN_GROOVE]
    assert text.count("-0.123 ±0.600") == len(NAMES) * len(columns()) + len(brief[0]) * len(brief[1])


def test_every_group_of_figures_has_its_section() -> None:
    shown = {group for _, groups in report.SECTIONS for group in groups}
    assert {column.group for column in columns()} <= shown


def test_the_table_of_a_terminal_is_aligned_and_marks_who_sees_the_real_drums() -> None:
    lines = report.as_text(made()).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("Headline"))
    rows = lines[start + 1 : start + 5]
    assert [row.split("  ")[0] for row in rows] == ["real drums", "A & <B>, most likely", "silence", "own bar *"]
    assert len({len(row) for row in rows}) == 1
    assert "0.612 ±0.025" in rows[1] and rows[0].split()[2] == "-"
    assert max(len(line) for line in lines if not line.startswith(("command", "versions"))) < 140


def test_a_metre_or_style_that_no_song_has_is_one_line_without_figures() -> None:
    lines = report.as_text(made()).splitlines()
    (line,) = [line for line in lines if line.startswith("5/4")]
    assert line.split() == ["5/4", "0", "0", *["-"] * 6]
    (line,) = [line for line in lines if line.startswith("jazz")]
    assert line.split() == ["jazz", "0", "0", *["-"] * 6]
    for kind in ("4/4", "funk"):
        (line,) = [line for line in lines if line.startswith(f"{kind}: A & <B>, most likely")]
        assert line.partition("likely ")[2].split()[:5] == ["3", "29", "0.612", "±0.025", "-"]


def test_markdown_has_as_many_cells_in_each_line_of_a_table() -> None:
    page = report.as_markdown(made())
    for block in page.split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1
    assert "| A & <B>, most likely | 0.612 (0.592 to 0.642) |" in page


def test_the_page_is_whole_and_needs_nothing_from_elsewhere() -> None:
    page = report.as_html(made())
    parser = _Tags()
    parser.feed(page)
    assert not parser.wrong and not parser.open
    assert not {name for name, _ in parser.seen} & {"src", "href", "xlink:href", "onload"}
    assert "url(" not in page and "@import" not in page and "<script" not in page and "http" not in page


def test_what_people_named_cannot_become_markup() -> None:
    page = report.as_html(made())
    assert "<B>" not in page and "<b>.mid" not in page and "<why>" not in page and "<x>" not in page
    assert "A &amp; &lt;B&gt;, most likely" in page


def test_pictures_are_drawn_of_figures_of_the_curve_and_of_drums() -> None:
    pictures = re.findall(r"<svg.*?</svg>", report.as_html(made()), re.S)
    titles = [ElementTree.fromstring(picture).findtext("title") for picture in pictures]
    assert titles == ["hit F1", "gain in F1", "fill rate", "hits a bar", "similarity of bars", "a<b>.mid"]
    (key,) = re.findall(r'<ul class="keys">(.*?)</ul>', report.as_html(made()), re.S)
    assert re.findall(r'<li class="(.*?)">(.*?)</li>', key) == [
        ("ink", "real drums"),
        ("model", "A &amp; &lt;B&gt;, most likely"),
        ("guitar dashed", "silence"),  # the baseline with the best hits that sees no real drums
    ]
    assert not any("nan" in picture for picture in pictures)


def test_a_grid_has_the_hits_of_the_real_drums_and_of_each_player_where_they_fall(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[tuple[charts.GridBars, Sequence[str], Sequence[charts.GridDrums]]] = []

    def grids(title: str, bars: charts.GridBars, rows: Sequence[str], drums: Sequence[charts.GridDrums]) -> str:
        drawn.append((bars, rows, drums))
        return f"<svg><title>{title}</title></svg>"

    monkeypatch.setattr(charts, "grids", grids)
    page = report.as_html(made())
    assert "a&lt;b&gt;.mid, from bar 5</h3>" in page
    ((bars, rows, drums),) = drawn
    # 4/4 is 48 twelfths, 7/8 is 42: step 44 of both bars is step 20, 40 twelfths after the barline.
    assert list(bars.starts) == [0, 48, 90] and list(bars.names) == ["5  4/4", "6  7/8"]
    assert list(bars.guitar) == [0, 24, 48] and list(bars.beats) == list(range(0, 90, 12))
    assert [one.name for one in drums] == ["real drums", NAMES[1], NAMES[2]]
    named = [[(place, rows[row], velocity) for place, row, velocity in one.hits] for one in drums]
    voices = [voice.name for voice in NINE.voices]
    assert named == [[(0, voices[0], 100), (88, voices[1], 30)], [(45, voices[8], 127)], []]


def test_bars_of_a_figure_are_those_of_the_players_and_the_line_is_that_of_the_real_drums(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: dict[str, tuple[Sequence[charts.Standing], tuple[float, float], tuple[float, str] | None]] = {}

    def intervals(
        title: str,
        below: str,
        standings: Sequence[charts.Standing],
        scale: tuple[float, float],
        mark: tuple[float, str] | None = None,
    ) -> str:
        drawn[title] = standings, scale, mark
        return "<svg/>"

    monkeypatch.setattr(charts, "intervals", intervals)
    report.as_html(made())
    standings, scale, mark = drawn["hit F1"]
    assert [(one.name, one.value, one.words, one.role) for one in standings] == [
        (NAMES[1], 0.61234, "0.612", "model"),
        ("silence", 0.0, "0.000", "base"),
        ("own bar *", 0.8, "0.800", "sees"),
    ]
    assert standings[2].interval == pytest.approx((0.78, 0.83)) and scale == pytest.approx((0, 0.83)) and mark is None
    assert drawn["fill rate"][2] == (0.08, "real 0.080")


def test_a_page_without_models_songs_or_bars_can_be_made() -> None:
    bare = replace(
        made(),
        continued=(),
        by_metre=(),
        by_style=(),
        compared=(),
        examples=(),
        curves={name: (None,) for name in NAMES},
    )
    bare = replace(bare, free=bare.free[:1])
    assert "No bars to compare" in report.as_html(bare)
    assert "fill rate" in report.as_markdown(bare) and "fill rate" in report.as_text(bare)


def test_a_report_is_written_by_its_ending_and_never_over_another(tmp_path: Path) -> None:
    report.write(made(), tmp_path / "a.html")
    report.write(made(), tmp_path / "a.md")
    assert (tmp_path / "a.html").read_text().startswith("<!DOCTYPE html>")
    assert (tmp_path / "a.md").read_text().startswith("# ")
    (tmp_path / "a.md").write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        report.write(made(), tmp_path / "a.md")
    assert (tmp_path / "a.md").read_text() == "mine"
    report.write(made(), tmp_path / "a.md", overwrite=True)
    assert (tmp_path / "a.md").read_text() != "mine"


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"\.html or \.md"):
        report.check(tmp_path / "a.pdf", overwrite=True)
    with pytest.raises(OutputError, match="does not exist"):
        report.check(tmp_path / "no" / "a.md", overwrite=True)
    (tmp_path / "b.md").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        report.check(tmp_path / "b.md", overwrite=True)


def played() -> Evaluation:
    """Two models in their ways, a copyist and a deaf drummer, with the figures of the summary."""

    def row(name: str, kind: str = "model", way: str = "", seen: bool = False, **figures: float) -> Row:
        values = {key.replace("_", " "): Estimate(value) for key, value in figures.items()}
        model, name = ("", name) if kind != "model" else (name, f"{name}, {way}")
        return Row(name, "", kind, seen, 3, values, model=model, way=way)

    good = (
        row("good", way="plain", gain_in_nats=2.5, hit_F1=0.58, distinct_bars=0.05),
        row("good", way="default", hit_F1=0.56, distinct_bars=0.24, critic_AUC=0.9),
        row("good", way="given, sampled", seen=True, hit_F1=0.75),
    )
    deaf = (row("deaf", way="plain", gain_in_nats=0.1, hit_F1=0.6), row("deaf", way="given, sampled", hit_F1=0.7))
    others = (
        row("real drums", "real", seen=True, distinct_bars=0.27),
        row("copyist", "baseline", hit_F1=0.4, distinct_bars=0.26, critic_AUC=0.6),
        row("own bar", "baseline", seen=True, hit_F1=0.8, distinct_bars=0.27, critic_AUC=0.5),
    )
    evaluation = made()
    evaluation.about.pop("command")
    return replace(evaluation, free=(others[0], *good, *deaf, *others[1:]), curves={}, examples=())


def test_the_summary_has_a_line_for_each_model_and_none_for_who_sees_the_drums() -> None:
    rows = {row.name: row for row in report.standings(played())}
    assert list(rows) == ["real drums", "good", "deaf", "copyist"]
    shown = [rows["good"].figures[name].value for name in report.FIGURES]
    assert shown == [2.5, 0.75, 0.24, 0.9, 0.56]  # gained by the plain take, given by its own way, the rest by default
    assert rows["deaf"].figures["hit F1"].value == 0.6  # without a default take, the plain one
    assert "*" not in report.as_markdown(played()).split("## ")[0].split("|  |")[1].split("A model")[0]


def test_a_sentence_says_who_is_best_at_what() -> None:
    assert report.sentence(played()) == (
        "good gains most by the right guitar (2.50 nats a bar) and plays best on the song's own groove (F1 0.750);"
        " copyist varies most nearly as drummers do (0.260 distinct bars, drummers 0.270) and is hardest to tell from a"
        " drummer (AUC 0.600); deaf has most hits of the song's drums (F1 0.600)."
    )
    alone = replace(played(), free=played().free[1:4])
    assert report.sentence(alone) == (
        "good gains by the right guitar (2.50 nats a bar), plays on the song's own groove (F1 0.750), is told from a"
        " drummer (AUC 0.900) and has hits of the song's drums (F1 0.560)."
    )
    assert "Nobody" in report.sentence(replace(played(), free=played().free[:1]))


def test_the_page_begins_with_the_sentence_and_five_columns_and_all_else_is_folded() -> None:
    evaluation = replace(played(), curves={row.name: (None,) for row in played().free})
    page = report.as_html(evaluation)
    begin = page[page.index("</h1>") :]
    first, rest = begin.split("<details>", 1)
    assert first.index("good gains most") < first.index("<table>") and first.count("<table>") == 1
    assert [unescape(name) for name in re.findall(r"<th>(.*?)</th>", first) if name] == list(report.FIGURES)
    outside = re.sub(r"<details>.*?</details>", "", f"<details>{rest}", flags=re.DOTALL)
    assert "<table>" not in outside and "<svg" not in outside and "<h2>" not in outside


def measures() -> Evaluation:
    """A measure of two rows, one of which lacks a figure."""
    columns = {"obeyed": "share of songs", "songs": "their number"}
    rows = (
        measure_row("funk", 3, columns, [Interval(0.5, 0.25, 1.0), 2.0], bars=12),
        measure_row("jazz | cool", 3, columns, [float("nan")]),
    )
    told = Measure.of("Styles", "Signs of <styles>.", columns, rows)
    return Evaluation({"songs": 3, "seed": 0, "versions": {"numpy": "2"}}, measures=(told,))


def test_a_measure_is_read_and_printed_as_the_panel_is() -> None:
    evaluation = measures()
    assert Evaluation.from_json(evaluation.as_json()) == evaluation
    assert "measures" not in made().as_json() and Evaluation.from_json(made().as_json()) == made()
    assert report.as_text(evaluation).splitlines()[2:5] == [
        "Styles       songs  bars        obeyed  songs",
        "funk             3    12  0.500 ±0.375      2",
        "jazz | cool      3     0             -      -",
    ]
    page = report.as_markdown(evaluation)
    assert "| funk | 3 | 12 | 0.500 (0.250 to 1.000) | 2 |" in page and "| jazz \\| cool |" in page
    assert "| obeyed | share of songs |  |" in page and "sees the real drums" not in page
    assert "Signs of &lt;styles&gt;." in report.as_html(evaluation)
    both = replace(made(), measures=evaluation.measures)
    assert report.as_markdown(both).index("## Headline") < report.as_markdown(both).index("## Styles")


def test_models_are_set_against_the_first_in_a_table_of_their_own() -> None:
    for text in (report.as_text(made()), report.as_markdown(made()), report.as_html(made())):
        assert "Models: each less the first" in text
        assert "new, plain less old, plain" in text
    assert "Models: each less the first" not in report.as_text(replace(made(), compared=()))
