"""The result of an evaluation: the figures of all players with their intervals, as values that become JSON.

From values to values: it plays nothing and computes no figure.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import numpy as np

from seq2drum.judge.intervals import Interval
from seq2drum.judge.panel import FIGURES
from seq2drum.music.shown import Shown

GUITARS = 20  # among which the true one is ranked
OTHER = "other"
METRES = ("4/4", "3/4", "6/8", "12/8", "5/4", "7/8", OTHER)
HEADLINE = (
    "hit F1",
    "kick and snare F1",
    "gain in F1",
    "gain in nats",
    "true guitar first",
    "voice JSD",
    "position JSD",
    "fill rate",
    "fill F1",
    "fill F1 of every eighth bar",
    "distinct bars",
    "change at four bars",
    "groove held late",
    "copies of 4 bars",
    "critic AUC",
    "song critic AUC, no velocity",
    "bars a second",
)
BY_KIND = ("hit F1", "kick and snare F1", "voice JSD", "fill rate", "hits made to real")
ABOVE_COMMON = "hit F1 above common bar"
SHOWN_BY_KIND = ("hit F1", ABOVE_COMMON, *BY_KIND[1:])
COMPARED = ("hit F1", "kick and snare F1", "fill F1", "distinct bars", "change at four bars", "groove held late")
CONTINUED = ("hit F1", "kick and snare F1", "onset F1", "family F1", "bar similarity error", "fill rate")


class Estimate(NamedTuple):
    """A figure and its 95 % interval over songs; None without an answer or an interval."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @staticmethod
    def of(found: Interval | float) -> Estimate:
        """An interval, or a number without one, with None for NaN, as JSON has no NaN."""
        return Estimate(*(number_or_none(value) for value in (found if isinstance(found, tuple) else (found,))))


def number_or_none(value: float) -> float | None:
    """A number, or None for NaN."""
    return None if np.isnan(value) else float(value)


@dataclass(frozen=True)
class Column:
    """The name of a figure, its meaning, and the better direction: see `panel.Better`."""

    name: str
    meaning: str
    better: str
    group: str


@dataclass(frozen=True)
class Row:
    """One player's figures. songs: the number they are over. takes: the number averaged for each song.

    bars: in a row by metre or style, the number of these songs' bars that count. model, way: see `players.Player`.
    """

    name: str
    meaning: str
    kind: str
    sees_real: bool
    songs: int
    figures: dict[str, Estimate]
    takes: int = 1
    bars: int = 0
    model: str = ""
    way: str = ""


@dataclass(frozen=True)
class Measure:
    """The figures of one `--measure`, beside the panel or instead of it: a table of rows by columns.

    name: its title. meaning: a sentence about it. columns: its figures, in the order of the table. rows: whatever it
    measures, such as a style, with the values and intervals of the columns that it has.
    """

    name: str
    meaning: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @staticmethod
    def of(name: str, meaning: str, columns: Mapping[str, str], rows: Iterable[Row]) -> Measure:
        """A measure of columns by name, each with its meaning."""
        return Measure(
            name, meaning, tuple(Column(*column, "neither", "measure") for column in columns.items()), tuple(rows)
        )


def measure_row(
    name: str,
    songs: int,
    columns: Iterable[str],
    values: Iterable[Interval | float],
    *,
    bars: int = 0,
    meaning: str = "",
) -> Row:
    """A row of a measure. values: of the first columns, with an interval or without, NaN without an answer."""
    figures = {name: Estimate.of(value) for name, value in zip(columns, values, strict=False)}
    return Row(name, meaning, "measure", False, songs, figures, bars=bars)


@dataclass(frozen=True)
class Example:
    """A few bars of a song: real drums, a player's, and the guitar's onsets, for a picture.

    steps: of each bar. metres: as "4/4". hits: (step, voice of the nine, velocity). guitar: steps.
    """

    song: str
    player: str
    first_bar: int
    steps: tuple[int, ...]
    metres: tuple[str, ...]
    guitar: tuple[int, ...]
    real: tuple[tuple[int, int, int], ...]
    made: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class SongFigures:
    """One played song, and each player's figures on it by name; None without an answer."""

    path: str
    sha256: str
    tag: str
    group: str
    metre: str
    bars: int
    figures: dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class Evaluation(Shown):
    """All results, as plain values: `as_json` and `from_json` are inverse.

    about: command, versions, settings, songs. free: free-running. continued: after the known real bars. by_metre: of
    the bars of each metre in all songs, rows named "metre: player". by_style: of the songs of each style, rows named
    "style: player". compared: each model less the first, in the same mode of playing. curves: the similarity of bars 1,
    2, ... apart, by player. notes: omitted parts, and the reasons. seconds: of each stage. measures: the tables of a
    `--measure`, which is made without the panel.
    """

    about: dict[str, Any]
    columns: tuple[Column, ...] = ()
    free: tuple[Row, ...] = ()
    continued: tuple[Row, ...] = ()
    by_metre: tuple[Row, ...] = ()
    by_style: tuple[Row, ...] = ()
    compared: tuple[Row, ...] = ()
    curves: dict[str, tuple[float | None, ...]] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    songs: tuple[SongFigures, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    measures: tuple[Measure, ...] = ()

    def as_json(self) -> str:
        """The whole evaluation as JSON; without the key "measures" if there is none."""
        values = asdict(self)
        if not self.measures:
            del values["measures"]
        return json.dumps(values, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Evaluation:
        """The inverse of `as_json`."""
        values = json.loads(text)

        def rows(found: list[dict[str, Any]]) -> tuple[Row, ...]:
            return tuple(
                Row(**row | {"figures": {key: Estimate(*value) for key, value in row["figures"].items()}})
                for row in found
            )

        def columns(found: list[dict[str, str]]) -> tuple[Column, ...]:
            return tuple(Column(**column) for column in found)

        def example(row: dict[str, Any]) -> Example:
            flat = {name: tuple(row[name]) for name in ("steps", "metres", "guitar")}
            hits = {name: tuple(tuple(hit) for hit in row[name]) for name in ("real", "made")}
            return Example(**row | flat | hits)

        tables = ("free", "continued", "by_metre", "by_style", "compared")
        return Evaluation(
            **values
            | {name: rows(values[name]) for name in tables}
            | {
                "columns": columns(values["columns"]),
                "curves": {name: tuple(curve) for name, curve in values["curves"].items()},
                "examples": tuple(example(row) for row in values["examples"]),
                "songs": tuple(SongFigures(**song) for song in values["songs"]),
                "notes": tuple(values["notes"]),
                "measures": tuple(
                    Measure(**one | {"columns": columns(one["columns"]), "rows": rows(one["rows"])})
                    for one in values.get("measures", ())
                ),
            }
        )


_OWN_COLUMNS = (
    Column(
        ABOVE_COMMON,
        "hit F1 less that of the commonest training bar of the metre, in the same bars",
        "high",
        "hits",
    ),
    Column("gain in F1", "hit F1 with the right guitar less that with another song's", "high", "conditioning"),
    Column("nats a bar", "the cost of the real hits in nats, given the true past", "low", "conditioning"),
    Column("nats a bar, groove given", "the same where the model is given the section's typical bar", "low", "groove"),
    Column(
        "nats lost by a near groove",
        "nats a bar given one with an F1 of 0.7 to 0.95 to it, less those given it, in windows that have one",
        "neither",
        "groove",
    ),
    Column("nats lost by a foreign groove", "the same given another song's groove of the metre", "neither", "groove"),
    Column(
        "gain in nats", "nats a bar with another song's guitar less those with the right one", "high", "conditioning"
    ),
    Column("gain in nats, median window", "the same in the middle window: no song carries it", "high", "conditioning"),
    Column("right guitar likelier", "share of windows whose gain in nats is above zero", "high", "conditioning"),
    Column(
        "true guitar first", f"share of windows whose own guitar is the likeliest of {GUITARS}", "high", "conditioning"
    ),
    Column(
        "critic AUC",
        "how well a classifier, given four bars and the guitar, tells it from real drums; 0.5 is a drummer",
        "low",
        "critic",
    ),
    Column("critic AUC, seeds apart", "the highest AUC of a critic less the lowest", "low", "critic"),
    Column(
        "song critic AUC",
        "the same of a classifier that knows the habits of the whole song, not the bars",
        "low",
        "critic",
    ),
    Column("song critic AUC, seeds apart", "the highest AUC of such a critic less the lowest", "low", "critic"),
    Column("song critic AUC, no velocity", "the same critic, not knowing how loud hits are", "low", "critic"),
    Column("song critic AUC, no velocity, seeds apart", "its highest AUC less the lowest", "low", "critic"),
    Column("bars a second", "bars played a second of processor time", "high", "speed"),
    Column("faults", "notes and ticks that no drummer could play, over all takes", "low", "validity"),
)


def columns() -> tuple[Column, ...]:
    """All figures, the headline first."""
    by_name = {
        figure.name: Column(figure.name, figure.meaning, figure.better, figure.group) for figure in FIGURES.values()
    }
    by_name |= {column.name: column for column in _OWN_COLUMNS}
    return (*(by_name[name] for name in HEADLINE), *(by_name[name] for name in by_name if name not in HEADLINE))


def versions_of(*packages: str) -> dict[str, str]:
    """The versions of Python and of some packages; "none" for missing ones."""
    versions = {"python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "none"
    return versions
