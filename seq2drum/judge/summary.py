"""An evaluation in brief: five figures that tell players apart, one line a player, and who is best at what.

A model's line has its default take, or the plain one where it was not asked for another. What it gains by the right
guitar is a likelihood, the same for all its ways of playing; the F1 on the song's own groove is of the way "given".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from seq2drum.judge.evaluation import Column, Estimate, Evaluation, Row

OWN_GROOVE = "F1 on the song's groove"
GIVEN = "given, sampled"
LEADS = ("default", "plain")  # the ways that a model's line may have, the first that there is


class Merit(NamedTuple):
    """A figure of the summary, and how a sentence says who is best at it.

    best: said of one player among several. alone: said of the only one that has the figure. value: how it is written,
    with the real drums' after it where those are the measure.
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
    """A model's ways of playing as one row."""
    by_way = {row.way: row for row in ways}
    lead = next((by_way[way] for way in LEADS if way in by_way), ways[0])
    known = {name: value for row in reversed(ways) for name, value in row.figures.items() if name == "gain in nats"}
    if GIVEN in by_way:
        known[OWN_GROOVE] = by_way[GIVEN].figures.get("hit F1", Estimate(None))
    name = lead.name.removesuffix(f", {lead.way}")
    return replace(lead, name=name, sees_real=False, figures=lead.figures | known)


def sentence(evaluation: Evaluation) -> str:
    """Who is best at what, of all that see no real drums; who is best at several things is named once."""
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
    """The lower, the better a player is by a figure."""
    return {"high": -values[name], "low": values[name]}.get(better, abs(values[name] - drummers))


def _value(row: Row, figure: str) -> float | None:
    return row.figures.get(figure, Estimate(None)).value


def _joined(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
