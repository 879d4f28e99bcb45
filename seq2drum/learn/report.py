"""The page of a training run: what was run, how it went, what came of it, what to do next."""

from __future__ import annotations

import math
import platform
import shlex
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import Any, NamedTuple

from seq2drum.judge.panel import FIGURES, WAYS
from seq2drum.learn.history import History, Watched, duration
from seq2drum.learn.watching import BARS, GAIN, LIKELY, LOOP, REAL, SAMPLED, WATCHED, Drawn
from seq2drum.show.page import BASE, GUITAR, INK, MODEL, Line, chart, document, legend, picture, short, table, text

PACES = 50  # places at which the page tells how fast it went
_GAIN_MEANS = "hit F1 of the most likely take with the right guitar less that with another song's"


class Finished(NamedTuple):
    """A run that is over, as far as a page tells of it.

    place: its folder, as one would type it. about: what its checkpoints say of themselves. sides: songs and bars of
    each side of the split. songs: how many were played. unseen: whether it never saw them. stopped: before its end.
    """

    place: str
    about: Mapping[str, Any]
    sides: Mapping[str, tuple[int, int]]
    history: History
    songs: int = 0
    unseen: bool = True
    drawn: tuple[Drawn, ...] = ()
    stopped: bool = False


def as_html(run: Finished) -> str:
    """One page that needs nothing else: what was run, how it went, what came of it, what to do next."""
    history = run.history
    last = history.watched[-1] if history.watched else None
    parts = [f"<h1>Training run {text(run.place)}</h1>", *_summary(run, last), *_next(run)]
    parts += ["<h2>How it went</h2>", *_curves(history)]
    parts += _panel_parts(run)
    if run.drawn:
        parts += [
            "<h2>Drums, real and made</h2>",
            f'<p class="note">The first bars of {_whose(run)}, sampled as --mode infer does by default, always with the'
            " same seed. Songs are named by the beginning of their file's SHA-256.</p>",
        ]
        for song in run.drawn:
            parts += [f"<h3>Song {text(song.name)}</h3>", *(picture(data, told) for told, data in song.pictures)]
    parts += ["<h2>What was run</h2>", *_account(run)]
    return document(f"Training run {run.place}", parts)


def _whose(run: Finished, count: int | None = None) -> str:
    songs = "songs" if count is None else "1 song" if count == 1 else f"{count} songs"
    return f"{songs} never trained on" if run.unseen else f"{songs} that it was trained on, for want of others"


def _summary(run: Finished, last: Watched | None) -> list[str]:
    plan, progress = run.about.get("plan", {}), run.about.get("progress", {})
    lines = [
        f"A model of the family {plan.get('model')}, kit {plan.get('kit')}: {progress.get('bars', 0):,} bars in "
        f"{duration(progress.get('seconds', 0.0))}."
        + (" It was stopped before its end; it can go on from there." if run.stopped else "")
    ]
    if last and math.isfinite(last.validation):
        told = f"On unseen songs a bar costs it {last.validation:.2f} nats"
        if math.isfinite(last.swapped):
            told += f", and {last.swapped:.2f} with another song's guitar: the difference is what listening gives it"
        best = min(moment.validation for moment in run.history.watched if math.isfinite(moment.validation))
        lines.append(told + f". The best so far, {best:.2f}, is kept in best/.")
    elif not run.sides.get("validation", (0, 0))[0]:
        lines.append("No song fell to the validation side of the split, so nothing is known of unseen songs.")
    return [f"<p>{text(line)}</p>" for line in lines]


def _next(run: Finished) -> list[str]:
    place = shlex.quote(run.place)
    side = "validation" if run.sides.get("validation", (0, 0))[0] else "test"
    commands = {
        "play with it": f"seq2drum --mode infer SONG.mid --model {place}",
        "judge it, beside the model in the box, with intervals": f"seq2drum --mode eval --data DIR --split {side}"
        f" --model default {place} --report panel.html",
        "look closer at the curves and pictures": f"tensorboard --logdir {place}",
    }
    if run.stopped:
        begun = str(run.about.get("command") or "seq2drum --mode train").removesuffix(" --resume")
        commands["go on with it"] = f"{begun} --resume"
    told = [f'<span class="note"># {text(why)}</span>\n{text(command)}' for why, command in commands.items()]
    lines = "\n".join(told)
    return ["<h2>What to do next</h2>", f"<pre><code>{lines}</code></pre>"]


def _curves(history: History) -> list[str]:
    points, seen = history.points, history.watched
    nats = [
        Line("unseen songs", [(one.bars, one.validation) for one in seen]),
        Line("with another song's guitar", [(one.bars, one.swapped) for one in seen], GUITAR),
        Line("in training", [(one.bars, one.nats) for one in points], BASE),
    ]
    apart = points[:: max(len(points) // PACES, 1)]  # over a few steps it says nothing
    pace = [(b.bars, (b.bars - a.bars) / max(b.seconds - a.seconds, 1e-9)) for a, b in pairwise(apart)]
    charts = [
        chart("nats a bar", "by bars seen; lower is better", nats),
        chart("learning rate", "by bars seen", [Line("rate", [(one.bars, one.rate) for one in points])], least=0),
        chart("bars a second", "by bars seen, all that is done meanwhile included", [Line("pace", pace)], least=0),
    ]
    if not any(charts):
        return ['<p class="note">It ended before there was anything to draw.</p>']
    told = [line for line in nats if any(math.isfinite(y) for _, y in line.points)]
    return [legend(told), f'<div class="panels">{"".join(charts)}</div>']


_PLAYERS = {SAMPLED: MODEL, LIKELY: GUITAR, LOOP: BASE, REAL: INK}


def _panel_parts(run: Finished) -> list[str]:
    seen = [moment for moment in run.history.watched if moment.figures]
    title = "<h2>The panel</h2>"
    if not seen:
        why = "there was no time to play" if run.songs else "there was no song with guitar and drums to play to"
        return [title, f'<p class="note">It has no figures: {why}.</p>']
    last = seen[-1]
    there = [name for name in WATCHED if any(name in row for row in last.figures.values())]
    players = [name for name in _PLAYERS if name in last.figures]
    rows = []
    for name in there:
        meaning, better = _meaning(name)
        values = [f"{last.figures[player][name]:.3f}" if name in last.figures[player] else "-" for player in players]
        rows.append([name, *values, meaning, better])
    kinds = [Line(player, [], colour, place > 1) for place, (player, colour) in enumerate(_PLAYERS.items())]

    def figure(name: str) -> str:
        lines = [
            kind._replace(points=[(one.bars, one.figures.get(kind.name, {}).get(name, math.nan)) for one in seen])
            for kind in kinds
        ]
        return chart(name, _meaning(name)[1], lines)

    charts = [figure(name) for name in there] if len(seen) > 1 else []  # of one moment the table says all
    bars = "" if last.played >= BARS else f" Time was short: only {last.played} bars of each were played at the end."
    note = (
        f"{_whose(run, run.songs)}: up to {BARS} bars of each, played from the guitar alone. So few songs tell where "
        f"a run is going; how good a model is, --mode eval tells.{bars}"
    )
    words = {SAMPLED: "as freely as by default", LIKELY: "its most likely take", REAL: "the songs' own"}
    words[LOOP] = "the commonest training bar of the metre, looped"
    told = "; ".join(f"{player}: {words[player]}" for player in players)
    return [
        title,
        f'<p class="note">{text(note)}</p>',
        table(["after " + short(last.bars) + " bars", *players, "meaning", ""], rows, words=True),
        f'<p class="note">{text(told)}.</p>',
        *([legend([line for line in kinds if line.name in players])] if charts else []),
        *([f'<div class="panels">{"".join(charts)}</div>'] if charts else []),
    ]


def _meaning(name: str) -> tuple[str, str]:
    if name == GAIN:
        return _GAIN_MEANS, WAYS["high"]
    return FIGURES[name].meaning, WAYS.get(FIGURES[name].better, "")


def _account(run: Finished) -> list[str]:
    about = run.about
    plan, progress, machine = (about.get(name, {}) for name in ("plan", "progress", "machine"))
    rows = []
    if about.get("command"):
        rows.append(["command", str(about["command"])])
    rows += [
        ["plan", _listed(plan)],
        *(
            [f"songs, {side} side", f"{songs:,} songs, {bars:,} bars"]
            for side, (songs, bars) in run.sides.items()
        ),
        ["how far", f"{progress.get('epoch', 0)} whole epochs, {progress.get('step', 0):,} steps, "
                    f"{progress.get('bars', 0):,} bars, {duration(progress.get('seconds', 0.0))}"],
        ["device", f"{machine.get('device')}, {machine.get('name')}, {machine.get('processes')} process(es)"],
        ["versions", ", ".join(f"{name} {number}" for name, number in versions().items())],
    ]  # fmt: skip
    if spent := run.history.spent:
        share = spent / max(progress.get("seconds", 0.0), spent)
        rows.append(["playing and drawing", f"{spent:.0f} s, {share:.1%} of the time"])
    parts = [table([], [[*row, ""] for row in rows], words=True)]
    if data := about.get("data"):
        head = list(data[0])
        body = [[str(row[name]) or "not stated" for name in head] for row in data]
        parts += ["<h3>Songs by folder and origin</h3>", table(head, body)]
    return parts


def _listed(plan: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {_listed(value) if isinstance(value, Mapping) else value}"
        for name, value in plan.items()
        if value is not None and value != {}
    )


def versions() -> dict[str, str]:
    """Of what a run depends on."""
    found = {"python": platform.python_version()}
    for name in ("seq2drum", "torch", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
