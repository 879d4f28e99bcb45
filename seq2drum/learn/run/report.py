"""The page of a training run: the recipe, its course, its results, the next commands."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from seq2drum.evaluate.evaluation import versions_of
from seq2drum.judge.panel import FIGURES, WAYS
from seq2drum.judge.players import REAL
from seq2drum.learn.run.task import History, duration
from seq2drum.learn.run.watching import BARS, GAIN, LIKELY, LOOP, SAMPLED, WATCHED, Drawn, Preview
from seq2drum.show import page
from seq2drum.show import page as charts
from seq2drum.show.page import Line, Table

LISTENS = 0.02  # share of its nats a bar that the right guitar saves a model that listens
# Scalars of the history.
NATS, SWAPPED, GROOVED = "nats_per_bar", "nats_per_bar_swapped_guitar", "nats_per_bar_given_the_groove"
PACES = 50  # points of the curve of speed
_GAIN_MEANS = "hit F1 of the most likely take with the right guitar less that with another song's"


class Finished(NamedTuple):
    """A finished run, as its page shows it.

    place: its folder, as one would type it. about: the description in its checkpoints. sides: songs and bars of each
    side of the split. songs: number of songs in the previews. unseen: whether these were never trained on. stopped:
    before its end.
    """

    place: str
    about: Mapping[str, Any]
    sides: Mapping[str, tuple[int, int]]
    history: History
    previews: tuple[Preview, ...] = ()
    songs: int = 0
    unseen: bool = True
    drawn: tuple[Drawn, ...] = ()
    stopped: bool = False


def as_html(run: Finished) -> str:
    """A self-contained page: the recipe, the run's course, its results, the next commands."""
    curve_lines, curves = _curves(run.history)
    return page.render(
        "run.html",
        title=f"Training run {run.place}",
        summary=_summary(run),
        commands=_commands(run),
        curve_lines=curve_lines,
        curves=curves,
        panel=_panel(run),
        songs=run.songs,
        whose=_whose(run),
        drawn=run.drawn,
        png=page.png,
        account=_account(run),
        data=_data(run),
    )


def listening(own: float, swapped: float) -> str:
    """A sentence on nats a bar with the right guitar and with another song's."""
    gain = swapped - own
    if gain < LISTENS * own:
        return "it does not listen to the guitar yet"
    return f"it listens to the guitar, which is worth {gain:.2f} nats a bar"


def _whose(run: Finished, count: int | None = None) -> str:
    songs = "songs" if count is None else "1 song" if count == 1 else f"{count} songs"
    return f"{songs} never trained on" if run.unseen else f"{songs} that it was trained on, for want of others"


def _summary(run: Finished) -> list[str]:
    recipe, progress = run.about.get("recipe", {}), run.about.get("progress", {})
    lines = [
        f"A model of the family {recipe.get('model')}, kit {recipe.get('kit')}: {progress.get('bars', 0):,} bars in "
        f"{duration(progress.get('seconds', 0.0))}."
        + (" It was stopped before its end; it can go on from there." if run.stopped else "")
    ]
    unseen = [point.scalars[NATS] for point in run.history.validations if NATS in point.scalars]
    if unseen:
        last = run.history.validations[-1].scalars
        line = f"On unseen songs a bar costs it {unseen[-1]:.2f} nats"
        if SWAPPED in last:
            line += f", and {last[SWAPPED]:.2f} with another song's guitar: {listening(unseen[-1], last[SWAPPED])}"
        lines.append(line + f". The best so far, {min(unseen):.2f}, is kept in best/.")
    elif not run.sides.get("validation", (0, 0))[0]:
        lines.append("No song fell to the validation side of the split, so nothing is known of unseen songs.")
    return lines


def _commands(run: Finished) -> dict[str, str]:
    """The next commands with a word on each."""
    place = shlex.quote(run.place)
    side = "validation" if run.sides.get("validation", (0, 0))[0] else "test"
    commands = {
        "play with it": f"seq2drum --mode infer SONG.mid --model {place}",
        "judge it, beside the shipped model, with intervals": f"seq2drum --mode eval --data DIR --split {side}"
        f" --model default {place} --report panel.html",
        "look closer at the curves and pictures": f"tensorboard --logdir {place}",
    }
    if run.stopped:
        begun = str(run.about.get("command") or "seq2drum --mode train").removesuffix(" --resume")
        commands["go on with it"] = f"{begun} --resume"
    return commands


def _curves(history: History) -> tuple[list[Line], list[str]]:
    """The legend of the first chart, and the charts; empty without data."""
    points, seen = history.training, history.validations
    nats = [
        Line("unseen songs", [(one.seen, one.scalars.get(NATS, math.nan)) for one in seen]),
        Line("with another song's guitar", [(one.seen, one.scalars.get(SWAPPED, math.nan)) for one in seen], "guitar"),
        Line("given the groove", [(one.seen, one.scalars.get(GROOVED, math.nan)) for one in seen], "third"),
        Line("in training", [(one.seen, one.scalars.get(NATS, math.nan)) for one in points], "base"),
    ]
    apart = points[:: max(len(points) // PACES, 1)]  # over a few steps it says nothing
    pace = [(b.seen, (b.seen - a.seen) / max(b.seconds - a.seconds, 1e-9)) for a, b in pairwise(apart)]
    rate = [(one.seen, one.scalars["rate"]) for one in points]
    drawn = [
        charts.lines("nats a bar", "by bars seen; lower is better", nats),
        charts.lines("learning rate", "by bars seen", [Line("rate", rate)], least=0),
        charts.lines("bars a second", "by bars seen, all that is done meanwhile included", [Line("", pace)], least=0),
    ]
    known = [line for line in nats if any(math.isfinite(y) for _, y in line.points)]
    return known, [svg for svg in drawn if svg]


_PLAYERS = {
    SAMPLED: ("model", "as freely as by default"),
    LIKELY: ("guitar", "its most likely take"),
    LOOP: ("base", "the commonest training bar of the metre, looped"),
    REAL: ("ink", "the songs' own"),
}
"""A row of the legend: the role of the colour, and its meaning."""


class _Panel(NamedTuple):
    """The panel of a run: words above it, the figures of the last moment, a legend of the players, and curves."""

    note: str
    table: Table
    players: str
    lines: list[Line]
    charts: list[str]


def _panel(run: Finished) -> _Panel | None:
    """The panel of a run; None without a preview."""
    seen = [preview for preview in run.previews if preview.figures]
    if not seen:
        return None
    last = seen[-1]
    names = [name for name in WATCHED if any(name in row for row in last.figures.values())]
    players = [name for name in _PLAYERS if name in last.figures]
    rows = []
    for name in names:
        values = [f"{last.figures[player][name]:.3f}" if name in last.figures[player] else "-" for player in players]
        rows.append([name, *values, *_meaning(name)])
    bars = "" if last.played >= BARS else f" Time was short: only {last.played} bars of each were played at the end."
    note = (
        f"{_whose(run, run.songs)}: up to {BARS} bars of each, played from the guitar alone. So few songs tell where "
        f"a run is going; how good a model is, --mode eval tells.{bars}"
    )
    return _Panel(
        note,
        Table([f"after {charts.short(last.bars)} bars", *players, "meaning", ""], rows, words=True),
        "; ".join(f"{player}: {_PLAYERS[player][1]}" for player in players) + ".",
        [_line(player) for player in players],
        [_figure(name, seen) for name in names] if len(seen) > 1 else [],  # of one moment the table says all
    )


def _line(player: str) -> Line:
    return Line(player, (), _PLAYERS[player][0], dashed=player in (LOOP, REAL))


def _figure(name: str, seen: Sequence[Preview]) -> str:
    """A figure of all players over the moments of a run."""
    lines = [
        _line(player)._replace(points=[(one.bars, one.figures.get(player, {}).get(name, math.nan)) for one in seen])
        for player in _PLAYERS
    ]
    return charts.lines(name, _meaning(name)[1], lines)


def _meaning(name: str) -> tuple[str, str]:
    if name == GAIN:
        return _GAIN_MEANS, WAYS["high"]
    return FIGURES[name].meaning, WAYS.get(FIGURES[name].better, "")


def _account(run: Finished) -> Table:
    about = run.about
    recipe, progress, machine = (about.get(name, {}) for name in ("recipe", "progress", "machine"))
    rows = []
    if about.get("command"):
        rows.append(["command", str(about["command"])])
    rows += [
        ["recipe", _listed(recipe)],
        *(
            [f"songs, {side} side", f"{songs:,} songs, {bars:,} bars"]
            for side, (songs, bars) in run.sides.items()
        ),
        ["how far", f"{progress.get('epoch', 0)} whole epochs, {progress.get('step', 0):,} steps, "
                    f"{progress.get('bars', 0):,} bars, {duration(progress.get('seconds', 0.0))}"],
        ["device", f"{machine.get('device')}, {machine.get('name')}, {machine.get('processes')} process(es)"],
        ["versions", ", ".join(" ".join(row) for row in versions_of("seq2drum", "torch", "numpy").items())],
    ]  # fmt: skip
    if spent := sum(preview.spent for preview in run.previews):
        share = spent / max(progress.get("seconds", 0.0), spent)
        rows.append(["playing and drawing", f"{spent:.0f} s, {share:.1%} of the time"])
    return Table([], [[*row, ""] for row in rows], words=True)


def _data(run: Finished) -> Table | None:
    """Songs by folder and origin, if the run says of any."""
    data = run.about.get("data")
    if not data:
        return None
    head = list(data[0])
    return Table(head, [[str(row[name]) or "not stated" for name in head] for row in data])


def _listed(recipe: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {_listed(value) if isinstance(value, Mapping) else value}"
        for name, value in recipe.items()
        if value is not None and value != {}
    )
