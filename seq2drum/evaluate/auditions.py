"""Auditions: each player plays each song and is judged, in parallel processes."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from seq2drum.data.corpus.excerpts import shortened
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.evaluate.evaluation import BY_KIND, CONTINUED, METRES, OTHER
from seq2drum.evaluate.song_critic import Numbers, habits
from seq2drum.judge import panel
from seq2drum.judge.measures import BoolArray, Copies, Vector, faults_of_grid, judged_bars
from seq2drum.judge.panel import Statistics, statistics
from seq2drum.judge.players import Player
from seq2drum.judge.trial import Judge, Trial
from seq2drum.lattice.conditions import drums_of
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.grid import Grid
from seq2drum.music.kit import FULL
from seq2drum.system.workers import results_of

Progress = Callable[[str, int, int], None]
"""A callback: the stage, the amount done, and the total."""

Item = TypeVar("Item")


def tracked(items: Sequence[Item], what: str, progress: Progress) -> Iterator[Item]:
    """The items of a stage, each counted once it is done."""
    for done, item in enumerate(items, 1):
        yield item
        progress(what, done, len(items))


class Part(NamedTuple):
    """The counts of some of a song's bars: the number that count, and the figures BY_KIND."""

    bars: int
    statistics: Statistics


@dataclass(frozen=True, eq=False)
class Audition:
    """The result of one player on one song.

    statistics: the mean over its takes. by_metre: the same for the bars of each of METRES. first: of its first take.
    swapped: of its first take to another song's guitar. continued: of one take that continues real bars, in the bars
    after them. habits: of the first take, if it is long enough. hits: the first take. faults: over all takes. bars and
    seconds: the amount played, and its processor time.
    """

    statistics: Statistics
    by_metre: Mapping[str, Part]
    first: Statistics
    swapped: Statistics | None
    continued: Statistics | None
    habits: Numbers | None
    hits: Grid
    faults: Mapping[str, int]
    bars: int
    seconds: float


def play_all(
    songs: Sequence[Prepared],
    players: Sequence[Player],
    copies: Copies | None,
    others: Sequence[GuitarGrid | None],
    *,
    known: int = 1,
    workers: int = 1,
    progress: Progress = lambda what, done, total: None,
) -> list[list[Audition]]:
    """The auditions of each song by player: the same for any number of workers.

    copies: the windows of the training set, if known. others: another song's guitar for each song, or None. known: the
    number of real bars that players continue.
    """
    tasks = list(zip(songs, others, strict=True))
    # The longest first, so that no worker gets a long one last.
    order = sorted(range(len(tasks)), key=lambda index: -len(songs[index].guitar_grid.form.steps))
    results = results_of(partial(_play_song, tuple(players), copies, known), [tasks[index] for index in order], workers)
    of_song: list[list[Audition]] = [[] for _ in tasks]
    for done, (index, auditions) in enumerate(zip(order, results, strict=True), 1):
        of_song[index] = auditions
        progress("songs played", done, len(tasks))
    return of_song


def _play_song(
    players: Sequence[Player], copies: Copies | None, known: int, task: tuple[Prepared, GuitarGrid | None]
) -> list[Audition]:
    """The auditions of one song by all players. task: the song, and another song's guitar over its bars."""
    song, other = task
    form = song.guitar_grid.form
    judge = Judge(drums_of(song.drums, form), song.guitar_grid, copies)
    first = int(np.argmax(judge.bars))
    rest = _rest(song, range(first, first + known)) if judge.bars.any() else None
    return [_audition(player, song, other, judge, rest) for player in players]


class _Rest(NamedTuple):
    """The known bars, from the first that counts on; and a judge of the bars after them."""

    known: range
    judge: Judge


def _rest(song: Prepared, known: range) -> _Rest | None:
    """The bars after the known ones, if the drummer plays in them."""
    bars = len(song.guitar_grid.form.steps)
    if known.stop >= bars:
        return None
    part = song.between(known.stop, bars)
    judge = Judge(drums_of(part.drums, part.guitar_grid.form), part.guitar_grid)
    return _Rest(known, judge) if judge.bars.any() else None


def _audition(player: Player, song: Prepared, other: GuitarGrid | None, judge: Judge, rest: _Rest | None) -> Audition:
    form = song.guitar_grid.form
    # 1. All takes, with the player's own speed, however busy the machine is.
    player.ready()
    begun = time.process_time()
    grids = [player.play(song, take) for take in range(player.takes)]
    seconds = time.process_time() - begun
    # 2. Their statistics. The real drums are given as the judge's own arrays, which are measured already.
    drums = [judge.real if grid is song.drums else drums_of(grid, form) for grid in grids]
    trials = [judge.trial(made) for made in drums]
    if len(trials) > 1:
        trials = [own._replace(another=next_.made) for own, next_ in zip(trials, [*trials[1:], trials[0]], strict=True)]
    takes = [statistics(trial) for trial in trials]
    by_metre = _by_metre(trials, takes)
    # 3. The first take once more, to another song's guitar.
    swapped = continued = None
    if player.swapped and other is not None:
        foreign = player.play(replace(song, guitar_grid=other), 0)
        swapped = statistics(judge.trial(drums_of(foreign, form)), ("hit F1",))
    # 4. One take that continues the known bars, judged in the bars after them.
    if player.play_on is not None and rest is not None:
        grid = player.play_on(song, rest.known, 0)
        part = replace(song, drums=grid).between(rest.known.stop, len(form.steps))
        continued = statistics(rest.judge.trial(drums_of(part.drums, part.guitar_grid.form)), CONTINUED)
    # 5. Unplayable hits.
    faults = sum((Counter(faults_of_grid(grid, form, FULL)) for grid in grids), Counter[str]())
    bars = len(form.steps) * player.takes
    own = habits(trials[0].made)
    return Audition(panel.mean_of(takes), by_metre, takes[0], swapped, continued, own, grids[0], faults, bars, seconds)


def _by_metre(trials: Sequence[Trial], takes: Sequence[Statistics]) -> dict[str, Part]:
    """The mean over some takes of one song, by the metre of the bars; takes: statistics of all bars."""
    form = trials[0].real.drums.form
    metre = np.array([name if name in METRES else OTHER for name in form.metres])
    parts = {}
    for name in np.unique(metre).tolist():
        here: BoolArray = metre == name
        if here.all():
            counted = [some_of(take, BY_KIND) for take in takes]
        else:
            counted = [statistics(trial.only(here), BY_KIND) for trial in trials]
        parts[name] = Part(int(here.sum()), panel.mean_of(counted))
    return parts


def some_of(counted: Statistics, names: Sequence[str]) -> dict[str, Vector]:
    """The statistics of some figures."""
    return {name: counted[name] for name in names}


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
    """The songs to play: of one side of the split (or "all"), in one metre throughout, of one folder.

    Limits apply to their number, and to the bars of each, from the first in which guitar and drums both play.

    Raises:
        CorpusError: no songs; the message lists the available ones.
    """
    # 1. Of the side, the folder and the metre, each with an error if nothing is left.
    chosen = [song for song in songs if split in ("all", song.split)]
    if not chosen:
        there = {side: sum(song.split == side for song in songs) for side in sorted({song.split for song in songs})}
        sides = ", ".join(f"{count} {side}" for side, count in there.items()) or "none at all"
        raise CorpusError(
            f"no song is on the {split} side of the split; there are {sides}. Name another with --split, "
            "or take all songs of a folder that no model has seen with --split all"
        )
    if tag is not None:
        tags = sorted({song.tag for song in chosen})
        chosen = [song for song in chosen if song.tag == tag]
        if not chosen:
            raise CorpusError(f"no song lies in a folder {tag!r}; there are {', '.join(tags)}")
    if metre is not None:
        metres = sorted({song.guitar_grid.form.metre for song in chosen})
        chosen = [song for song in chosen if song.guitar_grid.form.metre == metre]
        if not chosen:
            raise CorpusError(f"no song is in {metre} throughout; there are {', '.join(metres)}")
    chosen = [song for song in chosen if len(song.drums.step) and len(song.guitar_grid.guitar.step)]
    if not chosen:
        raise CorpusError("none of these songs has both guitar and drums, so there is nothing to compare with")
    # 2. Some of them, by digest: the same songs in the same order, whatever order they come in.
    chosen = sorted(chosen, key=lambda song: (song.sha256, song.path))
    if most is not None and most < len(chosen):
        drawn = np.random.default_rng([seed, 1]).permutation(len(chosen))[:most]
        chosen = [chosen[index] for index in np.sort(drawn).tolist()]
    return [shortened(song, bars) for song in chosen] if bars else chosen


def passage(song: Prepared, most: int) -> tuple[int, int] | None:
    """Bars [first, stop) of a song to show or play, at most so many; None if the drummer never plays.

    They start at the second eighth of the bars that count: past the beginning, which is the hardest and least typical.
    """
    form = song.guitar_grid.form
    bars = np.flatnonzero(judged_bars(drums_of(song.drums, form)))
    if not len(bars):
        return None
    first = int(bars[len(bars) // 8])
    return first, min(first + most, len(form.steps))


def reference(songs: Sequence[Prepared], chosen: Sequence[Prepared], *, all_of: bool = False) -> list[Prepared]:
    """The songs that baselines may know: the training side, or all; never a group that is played."""
    groups, digests = {song.group for song in chosen}, {song.sha256 for song in chosen}
    return [
        song
        for song in songs
        if (all_of or song.split == "train") and song.group not in groups and song.sha256 not in digests
    ]


def split_hash(songs: Sequence[Prepared]) -> str:
    """A name for a set of songs, from their digests."""
    return hashlib.sha256("\n".join(sorted(song.sha256 for song in songs)).encode()).hexdigest()[:16]
