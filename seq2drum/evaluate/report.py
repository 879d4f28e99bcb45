"""Reports of an evaluation: tables for a terminal, a page of Markdown, a page of HTML with its pictures in it.

From values to text; it computes no figures, and touches files only to write the finished page.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle, groupby, pairwise
from pathlib import Path
from typing import NamedTuple

from seq2drum.errors import OptionError, OutputError
from seq2drum.evaluate.evaluation import (
    COMPARED,
    CONTINUED,
    HEADLINE,
    SHOWN_BY_KIND,
    Column,
    Estimate,
    Evaluation,
    Example,
    Measure,
    Row,
)
from seq2drum.judge.panel import WAYS
from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER, TWELFTHS
from seq2drum.music.kit import NINE
from seq2drum.show import page
from seq2drum.system import files

OWN_GROOVE = "F1 on the song's groove"
GIVEN = "given, sampled"
LEADS = ("default", "plain")  # modes of playing for a model's line, the first available


class Merit(NamedTuple):
    """A figure of the summary, and the sentence about the best player.

    best: for one player among several. alone: for the only one that has the figure. value: its format, with the real
    drums' value after it where those are the measure.
    """

    figure: str
    best: str
    alone: str
    value: str


MERITS = (
    Merit("gain in nats", "gains most by the right guitar", "gains by the right guitar", "{:.2f} nats a bar"),
    Merit(OWN_GROOVE, "plays best on the song's own groove", "plays on the song's own groove", "F1 {:.3f}"),
    Merit("distinct bars", "varies most nearly as drummers do", "varies", "{:.3f} distinct bars, drummers {:.3f}"),
    Merit("critic AUC", "is hardest to tell from a drummer", "is told from a drummer", "AUC {:.3f}"),
    Merit("hit F1", "has most hits of the song's drums", "has hits of the song's drums", "F1 {:.3f}"),
)
FIGURES = tuple(merit.figure for merit in MERITS)
COLUMN = Column(OWN_GROOVE, "hit F1 sampled on the song's typical bar, which the player is given", "high", "groove")


def standings(evaluation: Evaluation) -> list[Row]:
    """One row of FIGURES for the real drums, for each model, and for each baseline that sees no real drums."""
    rows, seen = [], set[str]()
    for row in evaluation.free:
        if row.model and row.model not in seen:
            seen.add(row.model)
            rows.append(_of_model([other for other in evaluation.free if other.model == row.model]))
        elif not row.model and (row.kind == "real" or not row.sees_real):
            rows.append(row)
    return rows


def _of_model(ways: Sequence[Row]) -> Row:
    """A model's modes of playing as one row."""
    by_way = {row.way: row for row in ways}
    lead = next((by_way[way] for way in LEADS if way in by_way), ways[0])
    known = {name: value for row in reversed(ways) for name, value in row.figures.items() if name == "gain in nats"}
    if GIVEN in by_way:
        known[OWN_GROOVE] = by_way[GIVEN].figures.get("hit F1", Estimate(None))
    name = lead.name.removesuffix(f", {lead.way}")
    return replace(lead, name=name, sees_real=False, figures=lead.figures | known)


def sentence(evaluation: Evaluation) -> str:
    """The best player by each figure, of all that see no real drums; one that leads several is named once."""
    rows = standings(evaluation)
    real = next((row for row in rows if row.kind == "real"), None)
    better = {column.name: column.better for column in (COLUMN, *evaluation.columns)}
    said: dict[str, list[str]] = {}
    for merit in MERITS:
        values = [(row.name, _value(row, merit.figure)) for row in rows if row.kind != "real"]
        known = {name: value for name, value in values if value is not None}
        drummers = _value(real, merit.figure) if real else None
        if not known or (drummers is None and better[merit.figure] == "near real"):
            continue
        best = min(known, key=partial(_distance, known, better[merit.figure], drummers or 0.0))
        told = merit.value.format(known[best], drummers)
        said.setdefault(best, []).append(f"{merit.best if len(known) > 1 else merit.alone} ({told})")
    if not said:
        return "Nobody played anything that could be measured."
    return "; ".join(f"{name} {_joined(words)}" for name, words in said.items()) + "."


def _distance(values: Mapping[str, float], better: str, drummers: float, name: str) -> float:
    """The distance of a player from the ideal by a figure: lower is better."""
    return {"high": -values[name], "low": values[name]}.get(better, abs(values[name] - drummers))


def _value(row: Row, figure: str) -> float | None:
    return row.figures.get(figure, Estimate(None)).value


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


FORMATS = (".html", ".md")
SECTIONS = (
    ("Hits", ("hits",)),
    ("Density and distribution", ("density", "distribution")),
    ("Structure and fills", ("structure", "fills")),
    ("Vocabulary", ("vocabulary",)),
    ("Feel", ("feel",)),
    ("With the guitar", ("guitar", "conditioning")),
    ("Given the groove", ("groove",)),
    ("Critic, copies and faults", ("critic", "copies", "speed", "validity")),
)
PICTURED = (
    "hit F1",
    "kick and snare F1",
    "gain in F1",
    "voice JSD",
    "position JSD",
    "fill rate",
    "fill F1",
    "hits a bar",
    "syncopation",
    "critic AUC",
    "copies of 4 bars",
    "bars a second",
)
NONE = "-"
_ACROSS = 6  # figures side by side: lines of less than 200 characters
_ROWS = ("crash", "ride", "open hat", "closed hat", "high tom", "mid tom", "low tom", "snare", "kick")


# --- shared parts ----------------------------------------------------------------------------------------------


def shown(estimate: Estimate | None, *, interval: str = "", whole: bool = True) -> str:
    """A figure as text; with "half" followed by half its interval, with "whole" by the interval.

    whole: whether a whole number without an interval is a count, without decimals.
    """
    if estimate is None or estimate.value is None:
        return NONE
    if whole and estimate.low is None and estimate.value == round(estimate.value):
        return f"{estimate.value:.0f}"
    text = _short(estimate.value)
    if not interval or estimate.low is None or estimate.high is None:
        return text
    if interval == "whole":
        return f"{text} ({_short(estimate.low)} to {_short(estimate.high)})"
    return f"{text} ±{_short((estimate.high - estimate.low) / 2)}"


def _short(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def table(
    rows: Sequence[Row], names: Sequence[str], *, interval: str = "", counts: bool = False, shares: Sequence[str] = ()
) -> page.Table:
    """Rows by figures. counts: also the numbers of songs and bars. shares: figures that are no counts; see `shown`."""
    head = ["", *(["songs", "bars"] if counts else []), *names]
    body = [
        [
            _name(row),
            *([str(row.songs), str(row.bars)] if counts else []),
            *(shown(row.figures.get(n), interval=interval, whole=n not in shares) for n in names),
        ]
        for row in rows
    ]
    return page.Table(head, body)


def _name(row: Row) -> str:
    return f"{row.name} *" if row.sees_real and row.kind != "real" else row.name


def sections(evaluation: Evaluation) -> list[tuple[str, list[str]]]:
    """The figures of free-running by section, the headline first; each figure once, without empty ones."""
    there = {name for row in evaluation.free for name, value in row.figures.items() if value.value is not None}
    parts = [("Headline", [name for name in HEADLINE if name in there])]
    for title, groups in SECTIONS:
        names = [column.name for column in evaluation.columns if column.group in groups and column.name in there]
        parts.append((title, [name for name in names if name not in HEADLINE]))
    return [(title, names) for title, names in parts if names]


def facts(evaluation: Evaluation) -> list[str]:
    """The subject, the settings, and the time of the evaluation."""
    about = evaluation.about
    songs = f"songs: {about['songs']}"
    if "split hash" in about:
        songs += f" ({about.get('split', 'all given')}, split hash {about['split hash']}) of {about['bars']} bars"
        songs += f"; songs of reference: {about['songs of reference']}"
    lines = [
        f"{songs}; seed: {about['seed']}",
        "versions: " + ", ".join(f"{name} {number}" for name, number in about["versions"].items()),
    ]
    if evaluation.seconds:
        lines.append("seconds: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in evaluation.seconds.items()))
    if grooves := about.get("grooves"):
        lines.insert(
            1,
            f"grooves that lead the default takes: {grooves['different']} different ones over {about['songs']} songs; "
            f"the commonest, {grooves['most often']}, in {grooves['times']}",
        )
    if about.get("command"):
        lines.insert(0, f"command: {about['command']}")
    return lines


_BRIEF = "A model's line is its default take. Other ways of playing and all figures are below."
_LEGEND = "Intervals are 95 %, songs drawn again."
_SEES = "A player with * sees the real drums of the song."
_JUDGED = "A plain take is judged by its hits; one that varies as drummers do, by the critics and its vocabulary."
_FREE = "Free-running: nobody but * ever saw a real drum of the song."
_METRE = "By metre: the bars of it in all songs."
_LESS = "Models: each less the first, played in the same way to the same songs."
_STYLE = "By style: songs of it, as the real drums sound; what a file says of its style does not matter."


def _on(evaluation: Evaluation) -> str:
    known = evaluation.about["known bars"]
    if known == 1:
        return "Played on from the first real bar: figures of the bars after it."
    return f"Played on from the first {known} real bars: figures of the bars after them."


class _Figures(NamedTuple):
    """Rows by figures under a title, see `table`. words: a sentence on top. short: another title, for a terminal."""

    title: str
    words: str
    rows: Sequence[Row]
    names: Sequence[str]
    counts: bool = False
    shares: Sequence[str] = ()
    short: str = ""

    def table(self, names: Sequence[str], interval: str) -> page.Table:
        """Some of the figures."""
        return table(self.rows, names, interval=interval, counts=self.counts, shares=self.shares)

    def tables(self, interval: str) -> list[page.Table]:
        """All figures, in tables narrow enough to be read, as equally wide as possible."""
        lots = -(-len(self.names) // _ACROSS)
        cuts = [len(self.names) * lot // lots for lot in range(lots + 1)]
        return [self.table(self.names[first:stop], interval) for first, stop in pairwise(cuts)]


def _tables(evaluation: Evaluation) -> list[_Figures]:
    """All tables but the one in brief; of a kind without songs there is one row."""
    tables = [_Figures(title, "", evaluation.free, names) for title, names in sections(evaluation)]
    if evaluation.continued:
        tables.append(_Figures("Playing on", _on(evaluation), evaluation.continued, CONTINUED, short="Continued"))
    if evaluation.compared:
        tables.append(_Figures("Models", _LESS, evaluation.compared, COMPARED))
    kinds = (("By metre", _METRE, evaluation.by_metre), ("By style", _STYLE, evaluation.by_style))
    for title, words, rows in kinds:
        kept = []
        for kind, own in groupby(rows, lambda row: row.name.split(":")[0]):
            of_kind = list(own)
            kept += of_kind if of_kind[0].songs else [Row(kind, "", "real", True, 0, {})]
        if kept:
            tables.append(_Figures(title, words, kept, SHOWN_BY_KIND, counts=True))
    return [*tables, *map(_of_measure, evaluation.measures)]


def _of_measure(measure: Measure) -> _Figures:
    values = [(name, *estimate[:2]) for row in measure.rows for name, estimate in row.figures.items()]
    shares = [name for name, value, low in values if low is not None or (value is not None and value % 1)]
    names, counts = [column.name for column in measure.columns], any(row.bars for row in measure.rows)
    return _Figures(measure.name, measure.meaning, measure.rows, names, counts, shares)


def measure_tables(evaluation: Evaluation) -> list[page.Table]:
    """The tables of the measures, each under its title."""
    whole = [(measure.name, _of_measure(measure)) for measure in evaluation.measures]
    return [page.Table([name, *each.head[1:]], each.body) for name, shown in whole for each in shown.tables("half")]


# --- text -------------------------------------------------------------------------------------------------------------


def as_text(evaluation: Evaluation) -> str:
    """Aligned tables for a terminal."""
    parts = []
    if evaluation.free:
        parts += [textwrap.fill(sentence(evaluation), 120), ""]
        parts += [*_aligned("In brief", table(standings(evaluation), FIGURES, interval="half")), "", _BRIEF, _FREE, ""]
    for figures in _tables(evaluation):
        parts += [figures.words, ""] if figures.words else []
        for some in figures.tables("half"):
            parts += [*_aligned(figures.short or figures.title, some), ""]
    return "\n".join([*parts, *_legend(evaluation, "± is half an interval of"), *evaluation.notes, *facts(evaluation)])


def _legend(evaluation: Evaluation, intervals: str = "Intervals are") -> list[str]:
    legend = _LEGEND.replace("Intervals are", intervals)
    return [f"{legend} {_SEES}", _JUDGED] if evaluation.free else [legend]


def _aligned(title: str, table: page.Table) -> list[str]:
    """Columns as wide as needed; a long name is written over two lines."""
    heads = [_two_lines(name) for name in (title, *table.head[1:])]
    widths = [
        max(*(len(line) for line in lines), *(len(row[place]) for row in table.body))
        for place, lines in enumerate(heads)
    ]
    rows = [[lines[0] for lines in heads], [lines[1] for lines in heads], *table.body]
    lines = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        placed = [cell.rjust(width) if place else cell.ljust(width) for place, (cell, width) in enumerate(cells)]
        lines.append("  ".join(placed).rstrip())
    return [line for line in lines if line]


def _two_lines(name: str) -> tuple[str, str]:
    words = name.split(" ")
    if len(name) <= 12 or len(words) == 1:
        return "", name
    cut = min(range(1, len(words)), key=lambda at: abs(len(" ".join(words[:at])) - len(" ".join(words[at:]))))
    return " ".join(words[:cut]), " ".join(words[cut:])


# --- Markdown ---------------------------------------------------------------------------------------------------------


def as_markdown(evaluation: Evaluation) -> str:
    """The tables as a page of Markdown; the five figures on top can be pasted elsewhere."""
    parts = ["# How good the drums are", ""]
    if evaluation.free:
        parts += [sentence(evaluation), "", *piped(table(standings(evaluation), FIGURES, interval="whole")), ""]
    parts += [_introduction(evaluation), ""]
    for figures in _tables(evaluation):
        parts += [f"## {figures.title}", "", *([figures.words, ""] if figures.words else [])]
        for some in figures.tables("whole"):
            parts += [*piped(some), ""]
    parts += ["## What the figures mean", "", *piped(_meanings(evaluation)), ""]
    parts += ["## How it was made", "", *(f"- {line}" for line in (*evaluation.notes, *facts(evaluation))), ""]
    return "\n".join(parts)


def _introduction(evaluation: Evaluation) -> str:
    return " ".join([*([_BRIEF, _FREE] if evaluation.free else []), *_legend(evaluation)])


def piped(table: page.Table) -> list[str]:
    """The lines of a table in Markdown."""
    rows = [table.head, ["---"] * len(table.head), *table.body]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]


def _meanings(evaluation: Evaluation) -> page.Table:
    players = [[row.name, row.meaning, ""] for row in (*evaluation.free, *evaluation.continued[-1:])]
    named = {row[0]: row for row in players}
    own = [COLUMN, *evaluation.columns] if evaluation.free else []
    columns = [*own, *(column for measure in evaluation.measures for column in measure.columns)]
    figures = [[column.name, column.meaning, WAYS.get(column.better, "")] for column in columns]
    return page.Table(["name", "meaning", ""], [*figures, *named.values()], words=True)


# --- HTML -------------------------------------------------------------------------------------------------------------


class _PageRow(NamedTuple):
    """A row of a table in the page: cells are a value and, if any, its interval."""

    kind: str
    name: str
    meaning: str
    cells: list[tuple[str, str]]


class _PageTable(NamedTuple):
    """Players by figures, for the page."""

    head: Sequence[str]
    rows: list[_PageRow]


def as_html(evaluation: Evaluation) -> str:
    """A self-contained page: the summary, five figures of each player, and all else folded below.

    Below are bars with intervals, the similarity curve, drums as grids, and tables of all figures.
    """
    known = {column.name: column for column in evaluation.columns}
    curves = _curves(evaluation)
    return page.render(
        "report.html",
        title="How good the drums are",
        panel=bool(evaluation.free),
        sentence=sentence(evaluation),
        brief=_page_table(_Figures("", "", standings(evaluation), FIGURES)),
        introduction=_introduction(evaluation),
        notes=evaluation.notes,
        figures=[svg for name in PICTURED if name in known and (svg := _bars(known[name], evaluation.free))],
        curve=page.lines("similarity of bars", "", curves, across="bars apart", wide=True),
        curve_lines=curves,
        grids=[_grid(list(examples)) for _, examples in groupby(evaluation.examples, lambda example: example.song)],
        tables=[(each.title, each.words, _page_table(each)) for each in _tables(evaluation)],
        meanings=_meanings(evaluation),
        facts=facts(evaluation),
    )


def _page_table(figures: _Figures) -> _PageTable:
    shown = figures.table(figures.names, "whole")
    lines = []
    for row, (name, *cells) in zip(figures.rows, shown.body, strict=True):
        kind = "sees_real" if row.sees_real and row.kind == "baseline" else row.kind
        apart = (cell.partition(" (") for cell in cells)
        lines.append(_PageRow(kind, name, row.meaning, [(value, rest.removesuffix(")")) for value, _, rest in apart]))
    return _PageTable(shown.head, lines)


def _bars(column: Column, rows: Sequence[Row]) -> str:
    """One figure of all players, with the real drums as a horizontal line; "" if no other player has it."""
    known = [(row, value) for row in rows if (value := row.figures.get(column.name)) and value.value is not None]
    real = next((value.value for row, value in known if row.kind == "real"), None)
    known = [(row, value) for row, value in known if row.kind != "real"]
    if not known:
        return ""
    # The scale is that of actual players: silence is as far and as fast away as possible.
    setting = [value for row, value in known if row.name != "silence"] or [value for _, value in known]
    if column.name == "bars a second":
        setting = [value for row, value in known if row.kind == "model"] or setting
    reach = [number for value in setting for number in value if number is not None] + ([real] if real else [])
    scale = (0.4, 1.0) if column.name == "critic AUC" else (min([0.0, *reach]), max([1e-9, *reach]))
    bars = [
        page.Standing(
            _name(row),
            value.value or 0.0,
            None if value.low is None or value.high is None else (value.low, value.high),
            shown(value),
            "model" if row.kind == "model" else "sees" if row.sees_real else "base",
        )
        for row, value in known
    ]
    mark = None if real is None else (real, f"real {_short(real)}")
    return page.intervals(column.name, WAYS.get(column.better, ""), bars, scale, mark)


def _curves(evaluation: Evaluation) -> list[page.Line]:
    """The similarity of bars 1 to 16 apart: real drums, models, and the baseline with the best hits."""
    real = [row.name for row in evaluation.free if row.kind == "real"]
    models = [row.name for row in evaluation.free if row.kind == "model"]
    rivals = [row for row in evaluation.free if row.kind == "baseline" and not row.sees_real]
    best = max(rivals, key=lambda row: row.figures["hit F1"].value or 0.0, default=None)
    others = zip([*models, *([best.name] if best else [])], cycle(page.LINES), strict=False)
    roles = {**dict.fromkeys(real, "ink"), **dict(others)}
    lines = []
    for name, role in roles.items():
        points = [(at, value) for at, value in enumerate(evaluation.curves[name], start=1) if value is not None]
        if points:
            dashed, width = name not in (*real, *models), 3.0 if name in real else 2.0
            lines.append(page.Line(name, points, role, dashed, width))
    return lines


def _grid(examples: Sequence[Example]) -> tuple[str, str]:
    """The same bars of one song: the guitar's onsets, the real drums, and each player's. A heading, and SVG."""
    first = examples[0]
    starts, places = _places(first)
    names = []
    for bar, metre in enumerate(first.metres):
        changes = not bar or metre != first.metres[bar - 1]
        names.append(f"{first.first_bar + bar + 1}" + (f"  {metre}" if changes else ""))
    players = [("real drums", first.real, "ink"), *((example.player, example.made, "model") for example in examples)]
    struck = {NINE.names[voice] for _, hits, _ in players for _, voice, _ in hits}
    rows = [name for name in _ROWS if name in struck] or ["snare"]
    drums = [
        page.GridDrums(
            name, [(places[step], rows.index(NINE.names[voice]), velocity) for step, voice, velocity in hits], role
        )
        for name, hits, role in players
    ]
    guitar = [places[step] for step in first.guitar]
    bars = page.GridBars(starts, names, range(0, starts[-1], TWELFTHS), guitar)
    return f"{first.song}, from bar {first.first_bar + 1}", page.grids(first.song, bars, rows, drums)


def _places(example: Example) -> tuple[list[int], list[int]]:
    """In twelfths of a quarter: the beginning of each bar, and the end; and the place of each step."""
    starts, places = [0], []
    for steps, metre in zip(example.steps, example.metres, strict=True):
        numerator, denominator = map(int, metre.split("/"))
        inside = [step // STEPS_PER_QUARTER * TWELFTHS + int(PLACES[step % STEPS_PER_QUARTER]) for step in range(steps)]
        places += [starts[-1] + place for place in inside]
        length = 4 * TWELFTHS * numerator // denominator
        # The last bar of a song may be shorter than its metre says.
        starts.append(starts[-1] + min(length, inside[-1] + TWELFTHS // 3 + 1) if inside else starts[-1])
    return starts, places


# --- writing ----------------------------------------------------------------------------------------------------------


def check(path: str | os.PathLike[str], *, overwrite: bool, formats: Sequence[str] = FORMATS) -> None:
    """Refuse, before hours of work, a report that could not be written.

    Raises:
        OptionError: an unknown suffix. OutputError: it exists, or its folder does not.
    """
    path = Path(path)
    if path.suffix.lower() not in formats:
        raise OptionError(f"{str(path)!r} is not a name for this; wanted one that ends in {' or '.join(formats)}")
    files.check(path, overwrite=overwrite)
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"the folder {path.parent} may not be written to; name a file elsewhere")


def write(evaluation: Evaluation, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a report, HTML or Markdown by the suffix, whole or not at all.

    Raises:
        OptionError, OutputError: as `check`, or the disk is full.
    """
    check(path, overwrite=overwrite)
    content = as_html(evaluation) if Path(path).suffix.lower() == ".html" else as_markdown(evaluation)
    files.write_file(path, content.encode(), overwrite=overwrite)
