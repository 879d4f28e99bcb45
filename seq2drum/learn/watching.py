"""What one sees of a training run, while it goes on and when it is over.

    unseen songs -> the model as it is now plays them -> a few figures of the panel, and pictures
    all that was seen -> a history, kept with the run -> one page

It looks on: it plays with a copy of the model, draws no random number that training draws, and takes no more than
SHARE of the run's time. How a model is trained it does not know, nor where a run is kept. Songs are named by their
digests: what people call their files is nobody else's.
"""

from __future__ import annotations

import copy
import json
import math
import platform
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from seq2drum.data.corpus import Prepared
from seq2drum.data.excerpts import bars_between, duet_of, heard_between, others_guitar, shortened
from seq2drum.judge import baselines
from seq2drum.judge.measures import judged_bars
from seq2drum.judge.panel import FIGURES, WAYS, Statistics, statistics
from seq2drum.judge.trial import Judge
from seq2drum.lattice.grid import HIT_LENGTH, Grid
from seq2drum.lattice.groove import drums_of
from seq2drum.lattice.listening import Heard, sounding
from seq2drum.models import eager
from seq2drum.models.base import Family
from seq2drum.music.duet import Duet
from seq2drum.music.kit import Kit
from seq2drum.play import decoding
from seq2drum.play.decoding import OPENING_TRIES, PlayedBar, Sampling, take_of
from seq2drum.play.engine import Engine
from seq2drum.play.ensemble import Ended, Ensemble
from seq2drum.play.options import Options
from seq2drum.show import draw
from seq2drum.show.page import BASE, GUITAR, INK, MODEL, Line, chart, document, legend, picture, short, table, text

SONGS, BARS = 6, 32  # what is played: so many songs, so many bars of each
LEAST_BARS = 8  # where the time is short; of fewer the panel says nothing
PICTURED, PICTURED_BARS, PICTURED_LINE = 2, 16, 8  # songs, bars of each, bars on a line
REFERENCE = 300  # training songs that the baseline is made of
SHARE = 0.05  # of a run's time that goes into playing and drawing
LAST_SECONDS = 30.0  # that may go into it when training is over, on a machine that is so slow
MOST_POINTS = 512  # of the training curve that are kept
PACES = 50  # places at which the page tells how fast it went
MOST_TAKES = 9  # moments of which the takes are kept, to be drawn at the end

SAMPLED, LIKELY, LOOP, REAL = "sampled", "most likely", "common bar", "real drums"
_DEAF = "another guitar"  # the most likely take to another song's guitar: for the gain alone
GAIN = "gain in F1"
WATCHED = (
    "hit F1",
    "kick and snare F1",
    GAIN,
    "voice JSD",
    "position JSD",
    "hits made to real",
    "fill rate",
    "distinct bars",
    "bar similarity error",
    "velocity spread",
)
_GAIN_MEANS = "hit F1 of the most likely take with the right guitar less that with another song's"


# --- what is played ---------------------------------------------------------------------------------------------------


class Chosen(NamedTuple):
    """What is played.

    songs: cut short. others: for each another song's guitar, or None. reference: songs to loop a bar of. unseen:
    whether the songs are none that are trained on.
    """

    songs: tuple[Prepared, ...] = ()
    others: tuple[Heard | None, ...] = ()
    reference: tuple[Prepared, ...] = ()
    unseen: bool = True


def choose(songs: Sequence[Prepared], *, seed: int = 0) -> Chosen:
    """Choose from a corpus: some songs of the validation side, each of another group, and some of the training side.

    The same, whatever the order of the corpus. Of songs in which the drums play fewer than LEAST_BARS bars none is
    taken, unless all are such. A corpus too small for a validation side is watched at what it is trained on.
    """
    both = [song for song in songs if len(song.drums.step) and len(song.heard.guitar.step)]
    unseen = [song for song in both if song.split == "validation"]
    groups: dict[str, Prepared] = {}
    for song in _shuffled(unseen or [song for song in both if song.split == "train"], seed, 1):
        groups.setdefault(song.group, shortened(song, BARS))
    counted = [(song, _counted(song)) for song in groups.values()]
    able = [song for song, bars in counted if bars >= LEAST_BARS] or [song for song, bars in counted if bars]
    able = able[:SONGS]
    reference = _shuffled([song for song in songs if song.split == "train"], seed, 2)[:REFERENCE]
    others = others_guitar(able, list(groups.values()), seed=seed)
    return Chosen(tuple(able), tuple(others), tuple(reference), bool(unseen))


def _counted(song: Prepared) -> int:
    return int(judged_bars(drums_of(song.drums, song.heard.form)).sum())


def _shuffled(songs: Iterable[Prepared], seed: int, purpose: int) -> list[Prepared]:
    ordered = sorted(songs, key=lambda song: (song.sha256, song.path))
    rng = np.random.default_rng([seed, 8, purpose])
    return [ordered[index] for index in rng.permutation(len(ordered)).tolist()]


def name_of(song: Prepared) -> str:
    """What a song is called where others may look."""
    return song.sha256[:8]


class Played(NamedTuple):
    """Takes by player and song, hits of the full kit, and how many bars of each song they have (or all of it)."""

    takes: Mapping[tuple[str, int], Grid]
    bars: int


def play(
    engine: Engine,
    chosen: Chosen,
    *,
    seed: int = 0,
    bars: int = BARS,
    seconds: float = math.inf,
    now: Callable[[], float] = time.monotonic,
) -> Played | None:
    """Let a model play all songs at once: sampled, the most likely take, and that to another song's guitar.

    It stops after so many bars, or when the time is over. All songs are then cut to the bars that every take has; where
    that is less than LEAST_BARS it comes to nothing.
    """
    until = now() + seconds
    ensemble = Ensemble[tuple[str, int], PlayedBar](engine)
    made: dict[tuple[str, int], list[PlayedBar]] = {}
    forms = {}
    for index, (song, other) in enumerate(zip(chosen.songs, chosen.others, strict=True)):
        own = heard_between(song.heard, 0, min(bars, len(song.heard.form.steps)))
        plain = Sampling(seed, 0.0, Options().top_p)
        ways = {SAMPLED: (own, Sampling(seed, 1.0, Options().top_p, OPENING_TRIES)), LIKELY: (own, plain)}
        if other is not None:
            ways[_DEAF] = heard_between(other, 0, len(own.form.steps)), plain
        for player, (heard, chance) in ways.items():
            first, stop = sounding(heard)
            made[player, index], forms[index] = [], own.form
            ensemble.join((player, index), decoding.playing(engine, heard, chance, first=first, stop=stop))
    going = set(made)
    while going:
        for key, item in ensemble.advance():
            if not isinstance(item, Ended):
                made[key].append(item)
            elif item.error is not None:
                raise item.error
            else:
                going.discard(key)
        if now() > until:
            break
    for key in going:
        ensemble.leave(key)
    done = min([bars, *(len(made[key]) for key in going)])
    if going and done < LEAST_BARS:
        return None
    takes = {}
    for (player, index), played in made.items():
        takes[player, index] = take_of(played[:done], forms[index], engine.kit)
    return Played(takes, done)


# --- what is seen of it -----------------------------------------------------------------------------------------------


Figures = Mapping[str, Mapping[str, float]]
"""By player and name. What has no answer is left out."""


def panel(chosen: Chosen, loops: Sequence[Grid], played: Played) -> Figures:
    """The figures of WATCHED of all players, over the bars that were played; of the real drums those they tell of."""
    told: dict[str, list[Statistics]] = {}
    gains: list[tuple[Statistics, Statistics]] = []
    for index, song in enumerate(chosen.songs):
        bars = min(played.bars, len(song.heard.form.steps))
        cut = bars_between(song, 0, bars)
        form = cut.heard.form
        judge = Judge(drums_of(cut.drums, form), cut.heard)
        loop = bars_between(replace(song, drums=loops[index]), 0, bars).drums
        takes = {player: take for (player, where), take in played.takes.items() if where == index} | {LOOP: loop}
        found = {player: statistics(judge.trial(drums_of(take, form))) for player, take in takes.items()}
        found[REAL] = statistics(judge.trial(judge.real))
        if _DEAF in found:
            gains.append((found[LIKELY], found.pop(_DEAF)))
        for player, row in found.items():
            told.setdefault(player, []).append(row)
    figures = {player: _values(rows) for player, rows in told.items()}
    figures[REAL] = {name: value for name, value in figures[REAL].items() if FIGURES[name].better == "near real"}
    if gains:
        right, wrong = (_values(rows)["hit F1"] for rows in zip(*gains, strict=True))
        figures[LIKELY] = {**figures[LIKELY], GAIN: right - wrong}
    return {player: {name: round(row[name], 5) for name in WATCHED if name in row} for player, row in figures.items()}


def _values(songs: Sequence[Statistics]) -> dict[str, float]:
    sums = {name: np.sum([song[name] for song in songs], axis=0) for name in WATCHED if name in FIGURES}
    found = {name: float(FIGURES[name].value(row)) for name, row in sums.items()}
    return {name: value for name, value in found.items() if math.isfinite(value)}


class Watched(NamedTuple):
    """What was seen of a run at one moment.

    bars seen and seconds since the beginning; nats a bar in training, on unseen songs, and on these with another song's
    guitar; how many bars of each song were played, 0 if none were, and how many seconds that took, pictures included;
    the figures; takes by song, as far as they are kept.
    """

    bars: int
    seconds: float
    nats: float = math.nan
    validation: float = math.nan
    swapped: float = math.nan
    played: int = 0
    spent: float = 0.0
    figures: Mapping[str, Mapping[str, float]] = {}
    takes: Mapping[str, Grid] = {}


class Point(NamedTuple):
    """A place of the training curve: bars seen, seconds, nats a bar, the learning rate."""

    bars: int
    seconds: float
    nats: float
    rate: float


@dataclass(frozen=True)
class History:
    """All that was seen of a run; kept with it, so that a resumed run has its whole past.

    every: of how many records one is kept as a point.
    """

    points: tuple[Point, ...] = ()
    every: int = 1
    watched: tuple[Watched, ...] = ()

    def recorded(self, number: int, point: Point) -> History:
        """With one more point of the training curve, the `number`-th of the run; most of them are left out."""
        if number % self.every:
            return self
        points, every = (*self.points, point), self.every
        if len(points) > MOST_POINTS:
            points, every = points[1::2], 2 * every
        return replace(self, points=points, every=every)

    def seen(self, moment: Watched) -> History:
        """With one more moment, in place of one after as many bars; takes that have others close by are forgotten."""
        watched = [*(one for one in self.watched if one.bars != moment.bars), moment]
        having = [index for index, one in enumerate(watched) if one.takes]
        if len(having) > MOST_TAKES:
            inner = zip(having, having[1:-1], having[2:], strict=False)
            crowded = min(inner, key=lambda three: (watched[three[2]].bars - watched[three[0]].bars, three))[1]
            watched[crowded] = watched[crowded]._replace(takes={})
        return replace(self, watched=tuple(watched))

    @property
    def spent(self) -> float:
        """Seconds that went into playing."""
        return sum(moment.spent for moment in self.watched)

    def as_json(self) -> str:
        """The whole history as JSON: what is no number is null."""
        rows = []
        for moment in self.watched:
            takes = {name: np.stack(take[:4], axis=1).tolist() for name, take in moment.takes.items()}
            rows.append({name: _or_none(value) for name, value in moment._asdict().items()} | {"takes": takes})
        points = [[_or_none(value) for value in point] for point in self.points]
        return json.dumps({"every": self.every, "points": points, "watched": rows}, allow_nan=False)

    @staticmethod
    def from_json(written: str) -> History:
        """The way back.

        Raises:
            ValueError, LookupError, TypeError: it is no history.
        """
        found = json.loads(written)
        points = tuple(
            Point(bars, seconds, math.nan if nats is None else nats, rate)
            for bars, seconds, nats, rate in found["points"]
        )
        watched = []
        for row in found["watched"]:
            row = {name: math.nan if value is None else value for name, value in row.items()}
            watched.append(Watched(**row | {"takes": {name: _grid(rows) for name, rows in row["takes"].items()}}))
        return History(points, int(found["every"]), tuple(watched))


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _grid(rows: Sequence[Sequence[int]]) -> Grid:
    step, key, velocity, offset = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Grid(step, key, velocity, offset, np.full(len(rows), HIT_LENGTH))


class Board(Protocol):
    """Where scalars and pictures are shown while a run goes on; TensorBoard's writer is one."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None: ...

    def add_image(self, tag: str, img_tensor: NDArray[np.uint8], global_step: int, *, dataformats: str) -> None: ...


@dataclass
class Watch:
    """Looks at a model from time to time, within its share of the run's time.

    tell: is told, once of each kind, what went wrong: a run does not end for what is only looked at.
    """

    chosen: Chosen
    kit: Kit
    seed: int
    max_notes: int
    tell: Callable[[str], None]
    history: History = field(default_factory=History)

    def record(self, number: int, point: Point) -> None:
        """Take the `number`-th record of the training curve into the history."""
        self.history = self.history.recorded(number, point)

    def look(self, model: Family, moment: Watched, board: Board | None = None, *, last: bool = False) -> None:
        """Take a moment into the history, with what the model plays at it if there is time for that."""
        begun = time.monotonic()
        before = next((one for one in self.history.watched[-1:] if one.bars == moment.bars), Watched(0, 0.0))
        if before.played:  # nothing was learnt since
            told = {name: getattr(moment, name) for name in ("seconds", "nats", "validation", "swapped")}
            moment = before._replace(**told)
        elif self.chosen.songs and (seconds := allowance(self.history, moment.seconds, last=last)) > 0:
            with self.forgiving("playing between the steps"):
                moment = self._played(model, moment, seconds)
            if board and moment.played:
                with self.forgiving("showing what was played"):
                    self._show(board, moment)
            moment = moment._replace(spent=round(before.spent + time.monotonic() - begun, 3))
        self.history = self.history.seen(moment)

    def _played(self, model: Family, moment: Watched, seconds: float) -> Watched:
        with _apart(model) as player:
            engine = eager.engine_of(player, self.kit.name, max_notes=self.max_notes)
            played = play(engine, self.chosen, seed=self.seed, seconds=seconds)
        if played is None:
            return moment
        takes = {name_of(song): played.takes[SAMPLED, index] for index, song in enumerate(self.pictured)}
        return moment._replace(played=played.bars, figures=panel(self.chosen, self.loops, played), takes=takes)

    def _show(self, board: Board, moment: Watched) -> None:
        for player, figures in moment.figures.items():
            for name, value in figures.items():
                board.add_scalar(f"panel/{name}/{player}".replace(" ", "_"), value, moment.bars)
        first = not any(before.played for before in self.history.watched)
        for song in self.pictured:
            name = name_of(song)
            shown = [("take", moment.takes[name], moment.played), *([("real", song.drums, PICTURED_BARS)] * first)]
            for tag, drums, bars in shown:
                pixels = draw.pixels(_duet(song, drums, bars), title=f"{name}, {tag}", bars_per_line=PICTURED_LINE)
                board.add_image(f"{tag}/{name}", pixels, moment.bars, dataformats="HWC")

    @cached_property
    def loops(self) -> list[Grid]:
        """The baseline's take of each song; it is always the same."""
        (row,) = (row for row in baselines.baselines(self.chosen.reference) if row.name == LOOP)
        return [row.play(song, 0) for song in self.chosen.songs]

    @property
    def pictured(self) -> tuple[Prepared, ...]:
        """The songs whose takes are drawn."""
        return self.chosen.songs[:PICTURED]

    @contextmanager
    def forgiving(self, what: str) -> Iterator[None]:
        """Go on when something fails that the run does not need, and tell of it, once."""
        try:
            yield
        except Exception as error:  # whatever it is: hours of training are worth more than a picture
            if what not in self._told:
                self._told.add(what)
                self.tell(f"{what} failed, the training goes on without ({type(error).__name__}: {error})")

    @cached_property
    def _told(self) -> set[str]:
        return set()

    def drawn(self) -> tuple[Drawn, ...]:
        """The songs that are pictured, with the takes of the first moment, of one in the middle, and of the last."""
        having = [moment for moment in self.history.watched if moment.takes]
        if not having:
            return ()
        half = (having[0].bars + having[-1].bars) / 2
        middle = min(range(len(having)), key=lambda place: abs(having[place].bars - half))
        shown = [having[place] for place in sorted({0, middle, len(having) - 1})]
        found = []
        for song in self.pictured:
            name = name_of(song)
            pictures = [(REAL, _png(song, song.drums))]
            for moment in shown:
                if name in moment.takes:  # they were another's if the run was gone on with on other songs
                    caption = f"after {moment.bars:,} bars, {_minutes(moment.seconds)}"
                    pictures.append((caption, _png(song, moment.takes[name], moment.played)))
            found.append(Drawn(name, tuple(pictures)))
        return tuple(found)


@contextmanager
def _apart(model: Family) -> Iterator[Family]:
    """A copy of a model, on the CPU and in one thread; the model itself stays where and as it is.

    One thread: steps are small, and threads that wait for each other on a busy machine are many times slower.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield copy.deepcopy(model).cpu()
    finally:
        torch.set_num_threads(threads)


def _duet(song: Prepared, drums: Grid, bars: int) -> Duet:
    """The bars of a song that are drawn, with the hits that a take has in them; no more than were played."""
    cut = bars_between(replace(song, drums=drums), 0, min(bars, PICTURED_BARS, len(song.heard.form.steps)))
    return duet_of(cut.heard, cut.drums)


def _png(song: Prepared, drums: Grid, bars: int = PICTURED_BARS) -> bytes:
    return draw.picture(_duet(song, drums, bars), "png", bars_per_line=PICTURED_LINE)


def allowance(history: History, seconds: float, *, last: bool = False) -> float:
    """How many seconds may go into playing after so many of a run; 0 if that is to wait.

    Once it is known how long playing takes, it waits until there is time for all bars, or for twice as long if it was
    given up for want of time. What is played first may be shorter, and what is played at the end: when training is
    over, nobody minds LAST_SECONDS.
    """
    left = SHARE * seconds - history.spent
    if last:
        return max(left, LAST_SECONDS)
    tried = [moment for moment in history.watched if moment.spent]
    wanted = tried[-1].spent * (BARS / tried[-1].played if tried[-1].played else 2) if tried else 0.0
    return left if left >= wanted else 0.0


# --- the page ---------------------------------------------------------------------------------------------------------


class Drawn(NamedTuple):
    """A song, and pictures of drums to it: caption and PNG."""

    name: str
    pictures: tuple[tuple[str, bytes], ...]


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
        f"{_minutes(progress.get('seconds', 0.0))}."
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
                    f"{progress.get('bars', 0):,} bars, {_minutes(progress.get('seconds', 0.0))}"],
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


def _minutes(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
