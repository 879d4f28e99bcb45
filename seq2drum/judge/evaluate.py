"""How good drummers are: players beside baselines on songs that none of them was trained on.

    songs -> every player plays every song -> counted by the `panel` -> tables with intervals -> one `Evaluation`

It knows what a player is and how to try it: free-running, to another song's guitar, on from one real bar; and how well
a model's own likelihood tells the true guitar. It does not know how figures are computed (`panel`), nor how they are
shown (`report`). Torch is needed for likelihoods and for the critic only; without it those are left out, and said so.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from typing import Any, NamedTuple, TypeVar

import numpy as np

from seq2drum.data import batches
from seq2drum.data.corpus import Prepared
from seq2drum.data.excerpts import TEMPO_BAND, bar_of_grid, bars_between, metre_of, others_guitar, shortened
from seq2drum.errors import CorpusError, OptionError
from seq2drum.judge import baselines, intervals, measures, panel
from seq2drum.judge.faults import validity_of_grid
from seq2drum.judge.intervals import Interval
from seq2drum.judge.measures import Copies, Vector
from seq2drum.judge.panel import FIGURES, Statistics, statistics
from seq2drum.judge.trial import Judge
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.groove import Drums, drums_of
from seq2drum.lattice.listening import Heard, sounding
from seq2drum.music.kit import FULL, KITS, NINE, to_kit
from seq2drum.music.notes import IntArray
from seq2drum.music.shown import Shown
from seq2drum.play import decoding, engine
from seq2drum.play.bar import Sampling
from seq2drum.play.decoding import OPENING_TRIES, take_of
from seq2drum.play.folder import find

TOP_P = 0.99  # as `drummer.Options` has it
FEWEST = 20  # songs of reference; with fewer there is nothing to make baselines of
GUITARS = 20  # among which the true one is to be found
LIKELIHOOD_WINDOWS, RANK_WINDOWS = 1200, 300  # windows of eight bars, drawn from all there are
_BATCH = 24  # windows whose likelihood is found at once
EXAMPLES, EXAMPLE_BARS = 4, 8
METRES = ("4/4", "3/4", "6/8", "12/8", "5/4", "7/8", "other", "changing")

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
    "critic AUC",
    "bars a second",
)
CRITICISED = ("common bar", "random song", "nearest 4 bars")  # baselines that the critic judges beside the models
BY_METRE = ("hit F1", "kick and snare F1", "voice JSD", "position JSD", "fill rate", "hits made to real")
CONTINUED = ("hit F1", "kick and snare F1", "onset F1", "family F1", "bar similarity error", "fill rate")

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, and of how much."""


# --- players ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Player:
    """Who plays: hits whose keys are voices of the full kit, over the whole song.

    kind: "real", "model" or "baseline". sees_real: it looks at the real drums. takes: how many differ. play: (song,
    take) to hits. play_on: (song, bar, take) to hits, the real drums of that bar given. model: of which model it is a
    way of playing. swapped: whether to play it to another song's guitar as well.
    Players go to other processes, so both functions must be what can be pickled.
    """

    name: str
    meaning: str
    kind: str
    play: Callable[[Prepared, int], Grid]
    sees_real: bool = False
    takes: int = 1
    play_on: Callable[[Prepared, int, int], Grid] | None = None
    model: str = ""
    swapped: bool = True


def model_players(name: str, *, seed: int = 0, takes: int = 5, title: str = "") -> list[Player]:
    """A model's two rows: its most likely take, and sampled ones.

    Raises:
        UnknownModelError, CheckpointError: there is no such model, or it is damaged.
    """
    kit = _engine(name).kit  # said now and not in a worker
    title = title or name
    told = f"{title}, kit {kit.name}"
    rows = [Player(f"{title}, most likely", f"{told}: its most likely take", "model", partial(_play, name, seed, 0.0))]
    if takes:
        free = partial(_play, name, seed, 1.0)
        rows.append(Player(f"{title}, sampled", f"{told}: as freely as by default", "model", free, takes=takes))
    return [
        replace(row, play_on=partial(_play_on, *row.play.args), model=name, swapped=not index)  # type: ignore[attr-defined]
        for index, row in enumerate(rows)
    ]


def baseline_players(training: Sequence[Prepared], *, seed: int = 0) -> list[Player]:
    """The baselines as players; one take each, as all but one have only one."""
    return [
        Player(row.name, row.meaning, "baseline", row.play, row.sees_real, swapped=False)
        for row in baselines.baselines(training, seed=seed)
    ]


REAL = "real drums"
COPY = "copy that bar"


def real_player() -> Player:
    """The real drummer, for the figures that have a meaning for real drums."""
    return Player(REAL, "the song's own drums", "real", _real, sees_real=True, swapped=False)


def copy_player() -> Player:
    """The baseline of playing on: the one bar that is known, to the end."""
    return Player(COPY, "the bar that is known, to the end", "baseline", _silent, play_on=_copy_on, swapped=False)


def _real(song: Prepared, take: int) -> Grid:
    return song.drums


def _silent(song: Prepared, take: int) -> Grid:
    return song.drums.select(np.zeros(0, dtype=np.int64))


def _copy_on(song: Prepared, bar: int, take: int) -> Grid:
    form = song.heard.form
    own = bar_of_grid(song.drums, form, bar)
    first = form.first
    pieces = []
    for target in range(bar, len(form.steps)):
        fits = own.select(own.step < form.steps[target])
        pieces.append(fits.shift(first[target]))
    return Grid.join(pieces)


@cache
def _engine(name: str) -> engine.Engine:
    """Each process loads a model once."""
    return engine.load(name)


def _play(name: str, seed: int, temperature: float, song: Prepared, take: int) -> Grid:
    return play_heard(_engine(name), song.heard, seed=seed + take, temperature=temperature)


def _play_on(name: str, seed: int, temperature: float, song: Prepared, bar: int, take: int) -> Grid:
    found = _engine(name)
    known = bar_of_grid(song.drums, song.heard.form, bar)
    voice = to_kit(found.kit)[known.key]
    known = known.select(voice >= 0)._replace(key=voice[voice >= 0])
    return play_heard(found, song.heard, seed=seed + take, temperature=temperature, given={bar: known})


def play_heard(
    player: engine.Engine,
    heard: Heard,
    *,
    seed: int = 0,
    temperature: float = 1.0,
    given: Mapping[int, Grid] | None = None,
) -> Grid:
    """A whole take with the options that a drummer has by default; the one place where a model is asked to play.

    given: bars that are known, their steps counted from the barline and their keys voices of the engine's kit.
    Returns hits whose keys are voices of the full kit.
    """
    sampling = Sampling(seed, temperature, TOP_P, OPENING_TRIES if temperature else 1)
    first, stop = sounding(heard)
    more: dict[str, Any] = {"given": given} if given else {}
    if given:
        first, stop = min(first, *given), max(stop, max(given) + 1)
    return take_of(decoding.play(player, heard, sampling, first=first, stop=stop, **more), heard.form, player.kit)


# --- songs ------------------------------------------------------------------------------------------------------------


def choose(
    songs: Sequence[Prepared],
    *,
    split: str = "test",
    metre: str | None = None,
    tag: str | None = None,
    most: int | None = None,
    bars: int | None = None,
    seed: int = 0,
) -> list[Prepared]:
    """The songs to be played: of one side of the split (or "all"), in one metre throughout, of one folder.

    At most so many of them, and of each at most so many bars, from the first in which guitar and drums both play.

    Raises:
        CorpusError: there is none; the message says what there is.
    """
    chosen = [song for song in songs if split in ("all", song.split)]
    if not chosen:
        there = {side: sum(song.split == side for song in songs) for side in sorted({song.split for song in songs})}
        told = ", ".join(f"{count} {side}" for side, count in there.items()) or "none at all"
        raise CorpusError(
            f"no song is on the {split} side of the split; there are {told}. Name another with --split, "
            "or take all songs of a folder that no model has seen with --split all"
        )
    if tag is not None:
        tags = sorted({song.tag for song in chosen})
        chosen = [song for song in chosen if song.tag == tag]
        if not chosen:
            raise CorpusError(f"no song lies in a folder {tag!r}; there are {', '.join(tags)}")
    if metre is not None:
        metres = sorted({metre_of(song.heard.form) for song in chosen})
        chosen = [song for song in chosen if metre_of(song.heard.form) == metre]
        if not chosen:
            raise CorpusError(f"no song is in {metre} throughout; there are {', '.join(metres)}")
    chosen = [song for song in chosen if len(song.drums.step) and len(song.heard.guitar.step)]
    if not chosen:
        raise CorpusError("none of these songs has both guitar and drums, so there is nothing to compare with")
    # By digest, so that the same songs are drawn, in the same order, in whatever order they come.
    chosen = sorted(chosen, key=lambda song: (song.sha256, song.path))
    if most is not None and most < len(chosen):
        drawn = np.random.default_rng([seed, 1]).permutation(len(chosen))[:most]
        chosen = [chosen[index] for index in np.sort(drawn).tolist()]
    return [shortened(song, bars) for song in chosen] if bars else chosen


def reference(songs: Sequence[Prepared], chosen: Sequence[Prepared], *, all_of: bool = False) -> list[Prepared]:
    """What baselines may know: the training side of some songs, or all of them; never a group that is played."""
    groups, digests = {song.group for song in chosen}, {song.sha256 for song in chosen}
    return [
        song
        for song in songs
        if (all_of or song.split == "train") and song.group not in groups and song.sha256 not in digests
    ]


def split_hash(songs: Sequence[Prepared]) -> str:
    """A name for a set of songs, by their digests."""
    return hashlib.sha256("\n".join(sorted(song.sha256 for song in songs)).encode()).hexdigest()[:16]


# --- playing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of one player and one song.

    told: the mean over the takes. own: the first. swapped: the first, played to another song's guitar.
    continued: of one take that goes on from one real bar, in the bars after it. made: the first take.
    faults: over all takes. bars and seconds: how much was played, and how much processor time it took.
    """

    told: Statistics
    own: Statistics
    swapped: Statistics | None
    continued: Statistics | None
    made: Grid
    faults: Mapping[str, int]
    bars: int
    seconds: float


@dataclass(frozen=True, eq=False)
class _Table:
    """What each process is given once."""

    players: tuple[Player, ...]
    copies: Copies | None


def play_song(table: _Table, song: Prepared, other: Heard | None) -> list[Outcome]:
    """All players play one song and are judged."""
    form = song.heard.form
    real = drums_of(song.drums, form)
    judge = Judge(real, song.heard, table.copies)
    known = next(iter(np.flatnonzero(measures.judged_bars(real)).tolist()), len(form.steps))
    rest = _rest(song, known, table.copies)
    return [_try(player, song, other, judge, known, rest) for player in table.players]


class _Rest(NamedTuple):
    judge: Judge
    first: int


def _rest(song: Prepared, known: int, copies: Copies | None) -> _Rest | None:
    """The bars after the known one, if the drummer goes on in them."""
    bars = len(song.heard.form.steps)
    if known + 1 >= bars:
        return None
    part = bars_between(song, known + 1, bars)
    judge = Judge(drums_of(part.drums, part.heard.form), part.heard, None)
    return _Rest(judge, known + 1) if judge.bars.any() else None


def _try(player: Player, song: Prepared, other: Heard | None, judge: Judge, known: int, rest: _Rest | None) -> Outcome:
    form = song.heard.form
    begun = time.process_time()  # the player's own speed, however busy the machine is
    grids = [player.play(song, take) for take in range(player.takes)]
    seconds = time.process_time() - begun
    # The very arrays of the real drums, so that what was found of them is not found again.
    drums = [judge.real if grid is song.drums else drums_of(grid, form) for grid in grids]
    takes = [statistics(judge.trial(made)) for made in drums]
    swapped = continued = None
    if player.swapped and other is not None:
        foreign = player.play(replace(song, heard=other), 0)
        swapped = _only(statistics(judge.trial(drums_of(foreign, form))), ("hit F1",))
    if player.play_on is not None and rest is not None:
        grid = player.play_on(song, known, 0)
        played = bars_between(replace(song, drums=grid), rest.first, len(form.steps))
        continued = _only(statistics(rest.judge.trial(drums_of(played.drums, played.heard.form))), CONTINUED)
    faults: dict[str, int] = {}
    for grid in grids:
        for name, count in validity_of_grid(grid, form, FULL).items():
            faults[name] = faults.get(name, 0) + count
    bars = len(form.steps) * player.takes
    return Outcome(panel.mean_of(takes), takes[0], swapped, continued, grids[0], faults, bars, seconds)


def _only(told: Statistics, names: Sequence[str]) -> dict[str, Vector]:
    return {name: told[name] for name in names}


_TABLE: list[_Table] = []  # of this process


def _start(table: _Table | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker without a word; the main process speaks
    if table is None:
        return
    _TABLE[:] = [table]
    for player in table.players:
        if player.model:
            _engine(player.model)  # loaded now, so that it is not counted as playing


def _play_one(task: tuple[Prepared, Heard | None]) -> list[Outcome]:
    return play_song(_TABLE[0], *task)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Workers are as many as there are cores; each of them computes with one thread."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def play_all(
    songs: Sequence[Prepared],
    players: Sequence[Player],
    copies: Copies | None,
    others: Sequence[Heard | None],
    *,
    workers: int = 1,
    progress: Progress = lambda what, done, total: None,
) -> list[list[Outcome]]:
    """The outcomes of each song by player: the same for any number of workers."""
    table = _Table(tuple(players), copies)
    tasks = list(zip(songs, others, strict=True))
    # The longest first, so that no worker is left with a long one at the end.
    order = sorted(range(len(tasks)), key=lambda index: -len(songs[index].heard.form.steps))
    found: list[list[Outcome]] = [[] for _ in tasks]
    if workers <= 1 or len(tasks) == 1:
        for done, index in enumerate(order, 1):
            found[index] = play_song(table, *tasks[index])
            progress("songs played", done, len(tasks))
        return found
    results = _in_workers(_play_one, [tasks[index] for index in order], workers, table)
    for done, (index, outcome) in enumerate(zip(order, results, strict=True), 1):
        found[index] = outcome
        progress("songs played", done, len(tasks))
    return found


def _in_workers(
    run: Callable[[_Task], _Result], tasks: Sequence[_Task], workers: int, table: _Table | None = None
) -> Iterator[_Result]:
    """The result of each task, in order, from processes that are given the table when they start."""
    with _one_thread_each():
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start, initargs=(table,))
        try:
            yield from pool.map(run, tasks)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


# --- likelihood -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Nats a bar of windows of eight bars: with the own guitar, and another's; (n,) each, and the songs they are of.

    ranked (m, GUITARS): of some of the windows, with the own guitar in column 0; and the songs of those.
    """

    own: Vector
    other: Vector
    song: IntArray
    ranked: Vector
    ranked_song: IntArray


def likelihood(
    name: str,
    songs: Sequence[Prepared],
    *,
    seed: int = 0,
) -> Likelihood:
    """How well a model expects the real drums, given the true past: with the true guitar and with other songs'.

    Needs torch. The windows are eight bars of one length in which both sides really play.

    Raises:
        ModuleNotFoundError: torch is not installed.
        UnknownModelError, CheckpointError: there is no such model, or it is damaged.
    """
    import torch

    from seq2drum.models import checkpoint

    model, about = checkpoint.load(find(name))
    model.eval()
    data = batches.flatten(songs, KITS[about["kit"]])
    rng = np.random.default_rng([seed, 3])
    windows = _some(batches.blocks(data), LIKELIHOOD_WINDOWS, rng)
    candidates = _guitars(songs, windows)
    swaps: list[tuple[int, int]] = []
    ranks: list[tuple[int, IntArray]] = []
    for index, able in enumerate(candidates):
        if len(able):
            swaps.append((index, int(able[0])))
    every = _guitars(songs, windows, band=np.inf)
    for index in rng.permutation(len(windows)).tolist():
        if len(every[index]) >= GUITARS - 1 and len(ranks) < RANK_WINDOWS:
            ranks.append((index, every[index][: GUITARS - 1]))
    jobs = [(index, index) for index, _ in swaps] + swaps
    jobs += [(index, other) for index, some in ranks for other in (index, *some.tolist())]
    # Windows of as many steps together; the order decides nothing else.
    steps = [int(data.steps[data.first_bar[windows[index].song] + windows[index].first]) for index, _ in jobs]
    order = np.argsort(steps, kind="stable").tolist()
    nats = np.zeros(len(jobs))
    threads = torch.get_num_threads()
    # One thread: the sums are the same wherever they are made. And on a busy machine two threads that wait for each
    # other at every layer were fifty times slower than one.
    torch.set_num_threads(1)
    try:
        at = 0
        while at < len(order):
            stop = at + 1
            while stop < min(at + _BATCH, len(order)) and steps[order[stop]] == steps[order[at]]:
                stop += 1
            some = order[at:stop]
            pairs = [windows[jobs[job][0]] for job in some]
            heard = [windows[jobs[job][1]] for job in some]
            nats[some] = window_nats(model, data, pairs, heard, [jobs[job][0] for job in some])
            at = stop
    finally:
        torch.set_num_threads(threads)
    own, other = nats[: len(swaps)], nats[len(swaps) : 2 * len(swaps)]
    ranked = nats[2 * len(swaps) :].reshape(len(ranks), GUITARS)
    song = np.array([windows[index].song for index, _ in swaps], dtype=np.int64)
    return Likelihood(own, other, song, ranked, np.array([windows[index].song for index, _ in ranks], dtype=np.int64))


def window_nats(
    model: Any,
    data: batches.Data,
    pairs: Sequence[batches.Window],
    listen_to: Sequence[batches.Window],
    numbers: Sequence[int],
) -> Vector:
    """(n,): nats a bar of each of some windows of one shape, heard to the guitars of others.

    `Family.losses` gives sums over a batch; the logits that they are made of are caught on the way. numbers: what the
    draws of far bars are made from, so that a window looks back at the same ones with every guitar.
    """
    import torch
    from torch.nn import functional

    from seq2drum.models.base import tensors

    drawn = [batches.draw(np.random.default_rng([0, number]), 1) for number in numbers]
    draws = batches.Draws(*(np.concatenate(columns) for columns in zip(*drawn, strict=True)))
    batch = tensors(batches.collate(data, pairs, draws, listen_to=listen_to))
    caught: list[torch.Tensor] = []
    hook = model.heads.hits.register_forward_hook(lambda module, given, logits: caught.append(logits))
    try:
        with torch.inference_mode():
            model.losses(batch)
            n, count, size, voices = batch.offset.shape
            hits = batch.drums[:, -count:]
            logits = caught[0].reshape(n, count, size, voices).float() + hits @ model.heads.drawn().T.float()
            nats = functional.binary_cross_entropy_with_logits(logits, hits, reduction="none").sum(-1)
            valid = torch.arange(size) < batch.steps[:, batches.PAST : batches.PAST + count, None]
            valid = valid & batch.in_pair[..., None]
            found: Vector = ((nats * valid).sum((1, 2)) / batch.in_pair.sum(1)).numpy().astype(np.float64)
    finally:
        hook.remove()
    return found


def _some(windows: Sequence[batches.Window], most: int, rng: np.random.Generator) -> list[batches.Window]:
    chosen = np.sort(rng.permutation(len(windows))[:most])
    return [windows[index] for index in chosen.tolist()]


def _guitars(songs: Sequence[Prepared], windows: Sequence[batches.Window], band: float = TEMPO_BAND) -> list[IntArray]:
    """For each window those of other groups, songs and the same metre and tempo band, one a song, in random order."""
    groups = {group: number for number, group in enumerate(dict.fromkeys(song.group for song in songs))}
    song = np.array([window.song for window in windows], dtype=np.int64)
    group = np.array([groups[songs[index].group] for index in song.tolist()], dtype=np.int64)
    forms = [songs[window.song].heard.form for window in windows]
    rows = [
        (form.numerator[w.first], form.denominator[w.first], form.steps[w.first], form.bpm[w.first])
        for form, w in zip(forms, windows, strict=True)
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    bpm = np.log(table[:, 3])
    found = []
    for index in range(len(windows)):
        able = (table[:, :3] == table[index, :3]).all(axis=1) & (group != group[index])
        able &= np.abs(bpm - bpm[index]) <= np.log(band)
        mixed = np.random.default_rng([4, index]).permutation(np.flatnonzero(able))
        found.append(mixed[np.sort(np.unique(song[mixed], return_index=True)[1])])
    return found


def weighted_mean(values: Vector, weights: Vector) -> Vector:
    """(m,): the means of values (n,) under each row of weights (m, n)."""
    means: Vector = weights @ values / weights.sum(axis=1)
    return means


def weighted_median(values: Vector, weights: Vector) -> Vector:
    """(m,): the medians of values (n,) under each row of weights (m, n); of two in the middle, the lower."""
    order = np.argsort(values)
    up_to = np.cumsum(weights[:, order], axis=1)
    medians: Vector = values[order][np.argmax(up_to >= up_to[:, -1:] / 2, axis=1)]
    return medians


def over_songs(
    values: Vector,
    song: IntArray,
    rng: np.random.Generator,
    draws: int = 1000,
    read: Callable[[Vector, Vector], Vector] = weighted_mean,
) -> Interval:
    """What is read off values (n,) of windows, and its 95 % interval, songs drawn again; NaN of nothing."""
    if not len(values):
        return Interval(np.nan, np.nan, np.nan)
    _, index = np.unique(song, return_inverse=True)
    songs = int(index.max()) + 1
    drawn = rng.multinomial(songs, np.full(songs, 1 / songs), size=draws).astype(np.float64)
    low, high = np.percentile(read(values, drawn[:, index]), [2.5, 97.5])
    return Interval(float(read(values, np.ones((1, len(values))))[0]), float(low), float(high))


# --- the result -------------------------------------------------------------------------------------------------------


class Estimate(NamedTuple):
    """A figure and its 95 % interval over songs; None where there is no answer, or no interval."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Column:
    """What a figure is called, what it means, and which way is good: "high", "low", "near real" or "to beat"."""

    name: str
    meaning: str
    better: str
    group: str


@dataclass(frozen=True)
class Row:
    """One player's figures. songs: over how many songs. takes: the mean over so many takes of each."""

    name: str
    meaning: str
    kind: str
    sees_real: bool
    songs: int
    figures: dict[str, Estimate]
    takes: int = 1


@dataclass(frozen=True)
class Example:
    """A few bars of a song: real drums, a player's, and where the guitar begins notes, for a picture.

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
class Song:
    """One song that was played, and each player's figures on it by name; None where there is no answer."""

    path: str
    sha256: str
    tag: str
    group: str
    metre: str
    bars: int
    figures: dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class Evaluation(Shown):
    """All that was found. Plain values: `as_json` and `from_json` are each other's way back.

    about: command, versions, settings, songs. free: free-running. continued: on from one real bar. by_metre: of the
    songs that never leave a metre, rows named "metre: player". curves: how alike bars 1, 2, ... apart are, by player.
    notes: what was left out, and why. seconds: how long each stage took.
    """

    about: dict[str, Any]
    columns: tuple[Column, ...]
    free: tuple[Row, ...]
    continued: tuple[Row, ...]
    by_metre: tuple[Row, ...]
    curves: dict[str, tuple[float | None, ...]]
    examples: tuple[Example, ...]
    songs: tuple[Song, ...]
    notes: tuple[str, ...]
    seconds: dict[str, float]

    def as_json(self) -> str:
        """The whole evaluation as JSON."""
        return json.dumps(asdict(self), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> Evaluation:
        """The way back."""
        found = json.loads(text)

        def rows(name: str) -> tuple[Row, ...]:
            return tuple(
                Row(**row | {"figures": {key: Estimate(*value) for key, value in row["figures"].items()}})
                for row in found[name]
            )

        def example(row: dict[str, Any]) -> Example:
            flat = {name: tuple(row[name]) for name in ("steps", "metres", "guitar")}
            hits = {name: tuple(tuple(hit) for hit in row[name]) for name in ("real", "made")}
            return Example(**row | flat | hits)

        return Evaluation(
            found["about"],
            tuple(Column(**column) for column in found["columns"]),
            rows("free"),
            rows("continued"),
            rows("by_metre"),
            {name: tuple(values) for name, values in found["curves"].items()},
            tuple(example(row) for row in found["examples"]),
            tuple(Song(**song) for song in found["songs"]),
            tuple(found["notes"]),
            found["seconds"],
        )


_OWN_COLUMNS = (
    Column("gain in F1", "hit F1 with the right guitar less that with another song's", "high", "conditioning"),
    Column("nats a bar", "what the real hits cost the model, given the true past", "low", "conditioning"),
    Column(
        "gain in nats", "nats a bar with another song's guitar less those with the right one", "high", "conditioning"
    ),
    Column("gain in nats, median window", "the same in the middle window: no song carries it", "high", "conditioning"),
    Column("right guitar likelier", "share of windows whose gain in nats is above zero", "high", "conditioning"),
    Column(
        "true guitar first", f"share of windows whose own guitar is the likeliest of {GUITARS}", "high", "conditioning"
    ),
    Column("critic AUC", "how well a classifier tells it from real drums; 0.5 is a drummer", "low", "critic"),
    Column("bars a second", "bars played a second of processor time", "high", "speed"),
    Column("faults", "notes and ticks that no drummer could play, over all takes", "low", "validity"),
)


def columns() -> tuple[Column, ...]:
    """All figures, the headline first."""
    known = {
        figure.name: Column(figure.name, figure.meaning, figure.better, figure.group) for figure in FIGURES.values()
    }
    known |= {column.name: column for column in _OWN_COLUMNS}
    return (*(known[name] for name in HEADLINE), *(known[name] for name in known if name not in HEADLINE))


# --- evaluating -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """How to evaluate. draws: of the bootstrap."""

    seed: int = 0
    workers: int = 1
    critic: bool = True
    likelihood: bool = True
    draws: int = 1000
    about: dict[str, Any] = field(default_factory=dict)


def evaluate(
    songs: Sequence[Prepared],
    players: Sequence[Player],
    training: Sequence[Prepared] = (),
    settings: Settings | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Evaluation:
    """Let players play songs, beside the real drums and the baselines that can be made of some training songs.

    The same for any number of workers, but for the times.

    Raises:
        CorpusError: there is no song, or none with drums.
        OptionError: two players have one name.
    """
    settings = settings or Settings()
    if not any(len(song.drums.step) for song in songs):
        raise CorpusError(f"none of {len(songs)} songs has drums to compare with; wanted songs with guitar and drums")
    seconds: dict[str, float] = {}
    notes: list[str] = []

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        seconds[name] = round(seconds.get(name, 0.0) + time.perf_counter() - begun, 3)

    if len(songs) == 1:
        notes.append("of one song no interval can be told: those that stand here have no width")
    training = reference(training, songs, all_of=True)
    copies = None
    table = [real_player(), *players]
    if len(training) >= FEWEST:
        with stage("baselines made"):
            progress("baselines made", 0, 1)
            table += baseline_players(training, seed=settings.seed)
            copies = Copies.of(drums_of(song.drums, song.heard.form) for song in training)
    else:
        notes.append(
            f"no baselines and no rate of copies: {len(training)} songs to make them of, wanted {FEWEST} or more"
            " (--reference names a folder of them)"
        )
    table.append(copy_player())
    names = [player.name for player in table]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise OptionError(
            f"two players are called {min(twice)!r}; give them names of their own, and leave the baselines out where"
            " there are training songs: they are made of those"
        )
    with stage("songs played"):
        others = others_guitar(songs, training, seed=settings.seed)
        alone = sum(other is None for other in others)
        if alone:
            notes.append(f"no gain in F1 of {alone} of {len(songs)} songs: no other has their metre and tempo")
        outcomes = play_all(songs, table, copies, others, workers=settings.workers, progress=progress)
    of_player = {player.name: [row[index] for row in outcomes] for index, player in enumerate(table)}
    extra: dict[str, dict[str, Estimate]] = {player.name: {} for player in table}
    with stage("likelihood and critics"):
        for name, figures, missing in _judged(songs, table, of_player, settings, progress):
            extra[name] |= figures
            notes += missing
    with stage("intervals"):
        free, continued = [], []
        for done, player in enumerate(table, 1):
            progress("intervals", done, len(table))
            row = of_player[player.name]
            if player.name != COPY:
                figures = _free_figures(player, row, settings) | extra[player.name]
                free.append(_row(player, figures, len(songs)))
            after = [outcome.continued for outcome in row if outcome.continued is not None]
            if after:
                known = intervals.summarise(after, _rng(settings, 6), settings.draws)
                estimates = {name: _estimate(value) for name, value in known.items()}
                continued.append(replace(_row(player, estimates, len(after)), takes=1))
        by_metre = _by_metre(songs, table, of_player, free, settings)
    return Evaluation(
        _about(songs, training, settings),
        columns(),
        tuple(free),
        tuple(continued),
        by_metre,
        {player.name: _curve(of_player[player.name]) for player in table if player.name != COPY},
        _examples(songs, players, of_player),
        _by_song(songs, table, of_player),
        tuple(notes),
        seconds,
    )


def _rng(settings: Settings, purpose: int) -> np.random.Generator:
    return np.random.default_rng([settings.seed, purpose])


def _estimate(interval: Interval) -> Estimate:
    return Estimate(*(_number_or_none(value) for value in interval))


def _number_or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _row(player: Player, figures: dict[str, Estimate], songs: int) -> Row:
    return Row(player.name, player.meaning, player.kind, player.sees_real, songs, figures, player.takes)


# What real drums beside themselves have by definition says nothing.
_TO_REAL = {"high", "low", "to beat"}


def _free_figures(player: Player, outcomes: Sequence[Outcome], settings: Settings) -> dict[str, Estimate]:
    told = [outcome.told for outcome in outcomes]
    if player.kind == "real":
        told = [{name: row for name, row in song.items() if FIGURES[name].better == "near real"} for song in told]
    known = intervals.summarise(told, _rng(settings, 5), settings.draws)
    figures = {name: _estimate(value) for name, value in known.items()}
    both = [outcome for outcome in outcomes if outcome.swapped is not None]
    if both:
        right = [_only(outcome.own, ("hit F1",)) for outcome in both]
        wrong = [outcome.swapped for outcome in both if outcome.swapped is not None]
        gain = intervals.compare(right, wrong, _rng(settings, 5), settings.draws)
        figures["gain in F1"] = _estimate(gain["hit F1"])
    spent = sum(outcome.seconds for outcome in outcomes)
    if player.kind != "real":
        figures["bars a second"] = Estimate(round(sum(outcome.bars for outcome in outcomes) / max(spent, 1e-9), 1))
    faults = sum(count for outcome in outcomes for name, count in outcome.faults.items() if name != "notes")
    figures["faults"] = Estimate(float(faults))
    return figures


class _Judged(NamedTuple):
    """Figures of a player that come of torch, and what is missing of them, and why."""

    player: str
    figures: dict[str, Estimate]
    notes: list[str]


def _judged(
    songs: Sequence[Prepared],
    table: Sequence[Player],
    of_player: Mapping[str, Sequence[Outcome]],
    settings: Settings,
    progress: Progress,
) -> Iterator[_Judged]:
    """The likelihoods of all models and the critics of all whom they judge, side by side in the workers."""
    tasks: list[Callable[[], _Judged]] = []
    if settings.likelihood:
        for model in dict.fromkeys(player.model for player in table if player.model):
            name = next(player.name for player in table if player.model == model)  # the row that has them
            tasks.append(partial(_likelihood_figures, model, name, songs, settings))
    if settings.critic:
        for player in table:
            if player.kind == "model" or player.name in CRITICISED:
                made = [outcome.made for outcome in of_player[player.name]]
                tasks.append(partial(_critic_figure, player.name, songs, made, settings))
    if settings.workers <= 1 or len(tasks) <= 1:
        results: Iterable[_Judged] = (task() for task in tasks)
    else:
        results = _in_workers(_call, tasks, min(settings.workers, len(tasks)))
    for done, result in enumerate(results, 1):
        progress("likelihoods and critics", done, len(tasks))
        yield result


def _call(task: Callable[[], _Judged]) -> _Judged:
    return task()


def _likelihood_figures(model: str, player: str, songs: Sequence[Prepared], settings: Settings) -> _Judged:
    try:
        found = likelihood(model, songs, seed=settings.seed)
    except ModuleNotFoundError as error:
        return _Judged(player, {}, [f"no likelihood of {model}: it needs {error.name}; pip install 'seq2drum[train]'"])
    if not len(found.own):
        return _Judged(player, {}, [f"no likelihood of {model}: no window of eight bars has another song's beside it"])
    gain = found.other - found.own
    first = np.array([measures.rank_of_true(row[None]) for row in found.ranked])
    likelier = (gain > 0) + (gain == 0) / 2  # the deaf are right half the time
    named = {
        "nats a bar": (found.own, found.song, weighted_mean),
        "gain in nats": (gain, found.song, weighted_mean),
        "gain in nats, median window": (gain, found.song, weighted_median),
        "right guitar likelier": (likelier, found.song, weighted_mean),
        "true guitar first": (first, found.ranked_song, weighted_mean),
    }
    figures = {
        name: _estimate(over_songs(values, song, _rng(settings, 7), settings.draws, read))
        for name, (values, song, read) in named.items()
    }
    few = f"no rank of the true guitar by {model}: wanted windows of {GUITARS} songs of one metre"
    return _Judged(player, figures, [] if len(first) else [few])


def _critic_figure(player: str, songs: Sequence[Prepared], grids: Sequence[Grid], settings: Settings) -> _Judged:
    try:
        import torch

        from seq2drum.judge import critic
    except ModuleNotFoundError as error:
        return _Judged(player, {}, [f"no critic of {player}: it needs {error.name}; pip install 'seq2drum[train]'"])
    real = [(song.heard, drums_of(song.drums, song.heard.form)) for song in songs]
    made = [drums_of(grid, song.heard.form) for song, grid in zip(songs, grids, strict=True)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = critic.critic_auc(real, made, groups=[song.group for song in songs], seed=settings.seed)
    except CorpusError as error:
        return _Judged(player, {}, [f"no critic of {player}: {error}"])
    finally:
        torch.set_num_threads(threads)
    return _Judged(player, {"critic AUC": _estimate(Interval(found.auc, found.low, found.high))}, [])


def _by_metre(
    songs: Sequence[Prepared],
    table: Sequence[Player],
    of_player: Mapping[str, Sequence[Outcome]],
    free: Sequence[Row],
    settings: Settings,
) -> tuple[Row, ...]:
    """Models beside the real drums and the best baseline, metre by metre; without figures where there is no song."""
    rivals = [row for row in free if row.kind == "baseline" and not row.sees_real]
    best = max(rivals, key=lambda row: row.figures["hit F1"].value or 0.0, default=None)
    shown = [player for player in table if player.kind in ("real", "model") or (best and player.name == best.name)]
    kinds = [metre_of(song.heard.form) for song in songs]
    kinds = [kind if kind in METRES else "other" for kind in kinds]
    rows = []
    for metre in METRES:
        here = [index for index, kind in enumerate(kinds) if kind == metre]
        for player in shown:
            names = [name for name in BY_METRE if player.kind != "real" or FIGURES[name].better == "near real"]
            told = [_only(of_player[player.name][index].told, names) for index in here]
            known = intervals.summarise(told, _rng(settings, 8), settings.draws) if told else {}
            figures = {name: _estimate(value) for name, value in known.items()}
            rows.append(replace(_row(player, figures, len(here)), name=f"{metre}: {player.name}"))
    return tuple(rows)


def _curve(outcomes: Sequence[Outcome]) -> tuple[float | None, ...]:
    sums = np.sum([outcome.told["bar similarity error"] for outcome in outcomes], axis=0)
    return tuple(_number_or_none(value) for value in measures.curve(sums)[0].tolist())


def _by_song(
    songs: Sequence[Prepared], table: Sequence[Player], of_player: Mapping[str, Sequence[Outcome]]
) -> tuple[Song, ...]:
    found = []
    for index, song in enumerate(songs):
        figures: dict[str, dict[str, float | None]] = {}
        for player in table:
            if player.name != COPY:
                known = panel.values(of_player[player.name][index].told)
                figures[player.name] = {
                    name: None if np.isnan(value) else round(float(value), 5) for name, value in known.items()
                }
        form = song.heard.form
        found.append(Song(song.path, song.sha256, song.tag, song.group, metre_of(form), len(form.steps), figures))
    return tuple(found)


def _examples(
    songs: Sequence[Prepared], players: Sequence[Player], of_player: Mapping[str, Sequence[Outcome]]
) -> tuple[Example, ...]:
    """A few bars of some songs, spread over the list, by each player that was asked about."""
    found = []
    for index in np.unique(np.linspace(0, len(songs) - 1, min(EXAMPLES, len(songs))).astype(int)).tolist():
        song = songs[index]
        form = song.heard.form
        bars = np.flatnonzero(measures.judged_bars(drums_of(song.drums, form)))
        if not len(bars):
            continue
        # From the second eighth of the song on: past the beginning, which is the hardest and the least typical.
        first = int(bars[len(bars) // 8])
        stop = min(first + EXAMPLE_BARS, len(form.steps))
        part = bars_between(song, first, stop)
        metres = zip(part.heard.form.numerator.tolist(), part.heard.form.denominator.tolist(), strict=True)
        shared = (
            tuple(part.heard.form.steps.tolist()),
            tuple(f"{numerator}/{denominator}" for numerator, denominator in metres),
            tuple(np.unique(part.heard.guitar.step).tolist()),
            _hits(drums_of(part.drums, part.heard.form)),
        )
        for player in players:
            made = bars_between(replace(song, drums=of_player[player.name][index].made), first, stop)
            found.append(Example(song.path, player.name, first, *shared, _hits(drums_of(made.drums, made.heard.form))))
    return tuple(found)


def _hits(drums: Drums) -> tuple[tuple[int, int, int], ...]:
    step, voice = np.nonzero(drums.velocity)
    rows = np.stack([step, voice, drums.velocity[step, voice]], axis=1).tolist()
    return tuple((a, b, c) for a, b, c in rows)


def _about(songs: Sequence[Prepared], training: Sequence[Prepared], settings: Settings) -> dict[str, Any]:
    packages = {}
    for name in ("seq2drum", "numpy", "onnxruntime", "torch"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "none"
    return {
        "songs": len(songs),
        "bars": int(sum(len(song.heard.form.steps) for song in songs)),
        "split hash": split_hash(songs),
        "songs of reference": len(training),
        "seed": settings.seed,
        "draws": settings.draws,
        "voices": [voice.name for voice in NINE.voices],
        "versions": {"python": platform.python_version(), **packages},
        "machine": platform.machine(),
        **settings.about,
    }
