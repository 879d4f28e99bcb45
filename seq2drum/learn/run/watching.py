"""What one sees of a training run while it goes on.

    unseen songs -> the model as it is now plays them -> a few figures of the panel, and pictures
    all that was seen -> a history, kept with the run, see `history`; and one page, see `report`

It looks on: it plays with a copy of the model, draws no random number that training draws, and takes no more than
SHARE of the run's time. How a model is trained it does not know, nor where a run is kept. Songs are named by their
digests: what people call their files is nobody else's.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from seq2drum.data.corpus.excerpts import duet_of, others_guitar, shortened
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.evaluate.likelihood import one_thread
from seq2drum.judge import baselines
from seq2drum.judge.measures import judged_bars
from seq2drum.judge.panel import FIGURES, Statistics, statistics
from seq2drum.judge.players import REAL, plan_of
from seq2drum.judge.trial import Judge
from seq2drum.lattice.conditions import drums_of
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.grid import HIT_LENGTH, Grid
from seq2drum.learn.run.task import BestEffort, Logger, duration
from seq2drum.models import base
from seq2drum.models.base import Family
from seq2drum.music.duet import Duet
from seq2drum.music.kit import Kit
from seq2drum.play.decode.decoding import PlayedBar, take_of
from seq2drum.play.decode.engine import Engine
from seq2drum.play.decode.ensemble import Ended, Ensemble
from seq2drum.play.drummer import stream_grid
from seq2drum.play.options import Options
from seq2drum.show import draw

SONGS, BARS = 6, 32  # what is played: so many songs, so many bars of each
LEAST_BARS = 8  # where the time is short; of fewer the panel says nothing
PICTURED, PICTURED_BARS, PICTURED_LINE = 2, 16, 8  # songs, bars of each, bars on a line
REFERENCE = 300  # training songs that the baseline is made of
SHARE = 0.05  # of a run's time that goes into playing and drawing
MOST_KEPT = 9  # moments of which the takes are kept, to be drawn at the end
LAST_SECONDS = 30.0  # that may go into it when training is over, on a machine that is so slow

SAMPLED, LIKELY, LOOP = "sampled", "most likely", "common bar"
_OTHER_GUITAR = "another guitar"  # the most likely take to another song's guitar: for the gain alone
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


# --- what is played ---------------------------------------------------------------------------------------------------


class PreviewSongs(NamedTuple):
    """What is played.

    songs: cut short. others: for each another song's guitar, or None. reference: songs to loop a bar of. unseen:
    whether the songs are none that are trained on.
    """

    songs: tuple[Prepared, ...] = ()
    others: tuple[GuitarGrid | None, ...] = ()
    reference: tuple[Prepared, ...] = ()
    unseen: bool = True


def choose(songs: Sequence[Prepared], *, seed: int = 0) -> PreviewSongs:
    """Choose from a corpus: some songs of the validation side, each of another group, and some of the training side.

    The same, whatever the order of the corpus. Of songs in which the drums play fewer than LEAST_BARS bars none is
    taken, unless all are such. A corpus too small for a validation side is watched at what it is trained on.
    """
    both = [song for song in songs if len(song.drums.step) and len(song.guitar_grid.guitar.step)]
    unseen = [song for song in both if song.split == "validation"]
    groups: dict[str, Prepared] = {}
    for song in _shuffled(unseen or [song for song in both if song.split == "train"], seed, 1):
        groups.setdefault(song.group, shortened(song, BARS))
    counted = [(song, _counted(song)) for song in groups.values()]
    able = [song for song, bars in counted if bars >= LEAST_BARS] or [song for song, bars in counted if bars]
    able = able[:SONGS]
    reference = _shuffled([song for song in songs if song.split == "train"], seed, 2)[:REFERENCE]
    others = others_guitar(able, list(groups.values()), seed=seed)
    return PreviewSongs(tuple(able), tuple(others), tuple(reference), bool(unseen))


def _counted(song: Prepared) -> int:
    return int(judged_bars(drums_of(song.drums, song.guitar_grid.form)).sum())


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
    chosen: PreviewSongs,
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
    # 1. Everyone takes a seat.
    until = now() + seconds
    ensemble = Ensemble[tuple[str, int], PlayedBar](engine)
    made: dict[tuple[str, int], list[PlayedBar]] = {}
    forms = {}
    for index, (song, other) in enumerate(zip(chosen.songs, chosen.others, strict=True)):
        own = song.guitar_grid.between(0, min(bars, len(song.guitar_grid.form.steps)))
        plain = Options(seed=seed, temperature=0.0)
        ways = {SAMPLED: (own, Options(seed=seed, temperature=1.0)), LIKELY: (own, plain)}
        if other is not None:
            ways[_OTHER_GUITAR] = other.between(0, len(own.form.steps)), plain
        for player, (guitar_grid, options) in ways.items():
            plan, (first, stop) = plan_of(guitar_grid, options, engine.kit), guitar_grid.sounding
            made[player, index], forms[index] = [], own.form
            playing = stream_grid(engine, guitar_grid, options.sampling, plan=plan, first=first, stop=stop)
            ensemble.join((player, index), playing)
    # 2. All play on together, until they have ended or the time is over.
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
    # 3. The bars that every take has.
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


def panel(chosen: PreviewSongs, loops: Sequence[Grid], played: Played) -> Figures:
    """The figures of WATCHED of all players, over the bars that were played; of the real drums those they tell of."""
    by_player: dict[str, list[Statistics]] = {}
    gains: list[tuple[Statistics, Statistics]] = []
    for index, song in enumerate(chosen.songs):
        bars = min(played.bars, len(song.guitar_grid.form.steps))
        cut = song.between(0, bars)
        form = cut.guitar_grid.form
        judge = Judge(drums_of(cut.drums, form), cut.guitar_grid)
        loop = replace(song, drums=loops[index]).between(0, bars).drums
        takes = {player: take for (player, where), take in played.takes.items() if where == index} | {LOOP: loop}
        rows = {player: statistics(judge.trial(drums_of(take, form))) for player, take in takes.items()}
        rows[REAL] = statistics(judge.trial(judge.real))
        if _OTHER_GUITAR in rows:
            gains.append((rows[LIKELY], rows.pop(_OTHER_GUITAR)))
        for player, row in rows.items():
            by_player.setdefault(player, []).append(row)
    figures = {player: _values(rows) for player, rows in by_player.items()}
    figures[REAL] = {name: value for name, value in figures[REAL].items() if FIGURES[name].better == "near real"}
    if gains:
        right, wrong = (_values(rows)["hit F1"] for rows in zip(*gains, strict=True))
        figures[LIKELY] = {**figures[LIKELY], GAIN: right - wrong}
    return {player: {name: round(row[name], 5) for name in WATCHED if name in row} for player, row in figures.items()}


def _values(songs: Sequence[Statistics]) -> dict[str, float]:
    sums = {name: np.sum([song[name] for song in songs], axis=0) for name in WATCHED if name in FIGURES}
    values = {name: float(FIGURES[name].value(row)) for name, row in sums.items()}
    return {name: value for name, value in values.items() if math.isfinite(value)}


class Drawn(NamedTuple):
    """A song, and pictures of drums to it: caption and PNG."""

    name: str
    pictures: tuple[tuple[str, bytes], ...]


class Preview(NamedTuple):
    """What a model played at one moment of its training.

    bars learnt from and seconds since the beginning; played: how many bars of each song, 0 if none; spent: how many
    seconds that took, pictures included; the figures; takes by song, as far as they are kept.
    """

    bars: int
    seconds: float
    played: int = 0
    spent: float = 0.0
    figures: Mapping[str, Mapping[str, float]] = {}
    takes: Mapping[str, Grid] = {}


def with_preview(previews: Sequence[Preview], preview: Preview) -> tuple[Preview, ...]:
    """With one more, in place of one after as many bars; takes that have others close by are forgotten."""
    kept = [*(one for one in previews if one.bars != preview.bars), preview]
    having = [index for index, one in enumerate(kept) if one.takes]
    if len(having) > MOST_KEPT:
        inner = zip(having, having[1:-1], having[2:], strict=False)
        crowded = min(inner, key=lambda three: (kept[three[2]].bars - kept[three[0]].bars, three))[1]
        kept[crowded] = kept[crowded]._replace(takes={})
    return tuple(kept)


def previews_as_rows(previews: Sequence[Preview]) -> list[dict[str, Any]]:
    """Previews as JSON has them."""
    rows = []
    for preview in previews:
        takes = {name: np.stack(take[:4], axis=1).tolist() for name, take in preview.takes.items()}
        rows.append(preview._asdict() | {"takes": takes})
    return rows


def previews_from_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[Preview, ...]:
    """The way back.

    Raises:
        ValueError, LookupError, TypeError: they are no previews.
    """
    return tuple(
        Preview(**{**row, "takes": {name: _grid(hits) for name, hits in row["takes"].items()}}) for row in rows
    )


def _grid(rows: Sequence[Sequence[int]]) -> Grid:
    step, key, velocity, offset = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Grid(step, key, velocity, offset, np.full(len(rows), HIT_LENGTH))


@dataclass
class Previews:
    """Lets a model in training play from time to time, within a share of the run's time.

    warn: is given, once of each kind, what went wrong: a run does not end for what is only looked at.
    """

    chosen: PreviewSongs
    kit: Kit
    seed: int
    max_notes: int
    warn: Callable[[str], None]
    made: tuple[Preview, ...] = ()

    def __post_init__(self) -> None:
        self.best_effort = BestEffort(self.warn)

    def look(
        self, model: Family, bars: int, seconds: float, logger: Logger | None = None, *, last: bool = False
    ) -> None:
        """Keep and show what the model plays after so many bars and seconds of training, if there is time for that."""
        begun = time.monotonic()
        preview = Preview(bars, seconds)
        before = next((one for one in self.made[-1:] if one.bars == bars), preview)
        allowed = allowance(self.made, seconds, last=last)
        if before.played or not self.chosen.songs or allowed <= 0:  # nothing was learnt since, or it must wait
            return
        with self.best_effort("playing between the steps"):
            preview = self._played(model, preview, allowed)
        if logger and preview.played:
            with self.best_effort("showing what was played"):
                self._show(logger, preview)
        self.made = with_preview(self.made, preview._replace(spent=round(before.spent + time.monotonic() - begun, 3)))

    def _played(self, model: Family, preview: Preview, seconds: float) -> Preview:
        with _apart(model) as player:
            engine = base.engine_of(player, self.kit.name, max_notes=self.max_notes)
            played = play(engine, self.chosen, seed=self.seed, seconds=seconds)
        if played is None:
            return preview
        takes = {name_of(song): played.takes[SAMPLED, index] for index, song in enumerate(self.pictured)}
        return preview._replace(played=played.bars, figures=panel(self.chosen, self.loops, played), takes=takes)

    def _show(self, logger: Logger, preview: Preview) -> None:
        for player, figures in preview.figures.items():
            for name, value in figures.items():
                logger.add_scalar(f"panel/{name}/{player}".replace(" ", "_"), value, preview.bars)
        first = not any(before.played for before in self.made)
        for song in self.pictured:
            name = name_of(song)
            shown = [("take", preview.takes[name], preview.played), *([("real", song.drums, PICTURED_BARS)] * first)]
            for tag, drums, bars in shown:
                pixels = draw.pixels(_duet(song, drums, bars), title=f"{name}, {tag}", bars_per_line=PICTURED_LINE)
                logger.add_image(f"{tag}/{name}", pixels, preview.bars, dataformats="HWC")

    @cached_property
    def loops(self) -> list[Grid]:
        """The baseline's take of each song; it is always the same."""
        (row,) = (row for row in baselines.baselines(self.chosen.reference) if row.name == LOOP)
        return [row.play(song, 0) for song in self.chosen.songs]

    @property
    def pictured(self) -> tuple[Prepared, ...]:
        """The songs whose takes are drawn."""
        return self.chosen.songs[:PICTURED]

    def drawn(self) -> tuple[Drawn, ...]:
        """The songs that are pictured, with the takes of the first preview, of one in the middle, and of the last."""
        having = [preview for preview in self.made if preview.takes]
        if not having:
            return ()
        half = (having[0].bars + having[-1].bars) / 2
        middle = min(range(len(having)), key=lambda place: abs(having[place].bars - half))
        shown = [having[place] for place in sorted({0, middle, len(having) - 1})]
        drawn = []
        for song in self.pictured:
            name = name_of(song)
            pictures = [(REAL, _png(song, song.drums))]
            for preview in shown:
                if name in preview.takes:  # they were another's if the run was gone on with on other songs
                    caption = f"after {preview.bars:,} bars, {duration(preview.seconds)}"
                    pictures.append((caption, _png(song, preview.takes[name], preview.played)))
            drawn.append(Drawn(name, tuple(pictures)))
        return tuple(drawn)


@contextmanager
def _apart(model: Family) -> Iterator[Family]:
    """A copy of a model, on the CPU and in one thread; the model itself stays where and as it is."""
    with one_thread():
        yield copy.deepcopy(model).cpu()


def _duet(song: Prepared, drums: Grid, bars: int) -> Duet:
    """The bars of a song that are drawn, with the hits that a take has in them; no more than were played."""
    cut = replace(song, drums=drums).between(0, min(bars, PICTURED_BARS, len(song.guitar_grid.form.steps)))
    return duet_of(cut.guitar_grid, cut.drums)


def _png(song: Prepared, drums: Grid, bars: int = PICTURED_BARS) -> bytes:
    return draw.picture(_duet(song, drums, bars), "png", bars_per_line=PICTURED_LINE)


def allowance(previews: Sequence[Preview], seconds: float, *, last: bool = False) -> float:
    """How many seconds may go into playing after so many of a run; 0 if that is to wait.

    Once it is known how long playing takes, it waits until there is time for all bars, or for twice as long if it was
    given up for want of time. What is played first may be shorter, and what is played at the end: when training is
    over, nobody minds LAST_SECONDS.
    """
    left = SHARE * seconds - sum(preview.spent for preview in previews)
    if last:
        return max(left, LAST_SECONDS)
    tried = [preview for preview in previews if preview.spent]
    wanted = tried[-1].spent * (BARS / tried[-1].played if tried[-1].played else 2) if tried else 0.0
    return left if left >= wanted else 0.0
