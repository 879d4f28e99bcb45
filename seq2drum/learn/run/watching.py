"""Previews of a model in training.

    unseen songs -> the current model plays them -> a few figures of the panel, and pictures
    all previews -> one page, see `report`

Previews do not affect training: they play with a copy of the model, use separate random numbers, and take no more
than SHARE of the run's time. Songs are named by their digests, because file names are private.
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

SONGS, BARS = 6, 32  # of a preview: songs, and bars of each
LEAST_BARS = 8  # least number of bars for a panel
PICTURED, PICTURED_BARS, PICTURED_LINE = 2, 16, 8  # songs, bars of each, bars on a line
REFERENCE = 300  # training songs of the baseline
SHARE = 0.05  # of a run's time for previews
MOST_KEPT = 9  # previews whose takes are kept for drawing
LAST_SECONDS = 30.0  # free for the last preview, on a slow machine

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


# --- playing
# -----------------------------------------------------------------------------------------------------------


class PreviewSongs(NamedTuple):
    """Songs for previews.

    songs: cut short. others: another song's guitar for each, or None. reference: songs for the baseline that loops a
    common bar. unseen: whether training never uses the songs.
    """

    songs: tuple[Prepared, ...] = ()
    others: tuple[GuitarGrid | None, ...] = ()
    reference: tuple[Prepared, ...] = ()
    unseen: bool = True


def choose(songs: Sequence[Prepared], *, seed: int = 0) -> PreviewSongs:
    """Choose songs of the validation side, each of another group, and reference songs of the training side.

    The choice does not depend on the order of the corpus. Songs with fewer than LEAST_BARS bars of drums serve only if
    all are such. A corpus without a validation side is previewed on training songs.
    """
    both = [song for song in songs if len(song.drums.step) and len(song.guitar_grid.guitar.step)]
    unseen = [song for song in both if song.split == "validation"]
    groups: dict[str, Prepared] = {}
    for song in _shuffled(unseen or [song for song in both if song.split == "train"], seed, 1):
        groups.setdefault(song.group, shortened(song, BARS))
    counted = [(song, int(judged_bars(drums_of(song.drums, song.guitar_grid.form)).sum())) for song in groups.values()]
    able = [song for song, bars in counted if bars >= LEAST_BARS] or [song for song, bars in counted if bars]
    able = able[:SONGS]
    reference = _shuffled([song for song in songs if song.split == "train"], seed, 2)[:REFERENCE]
    others = others_guitar(able, list(groups.values()), seed=seed)
    return PreviewSongs(tuple(able), tuple(others), tuple(reference), bool(unseen))


def _shuffled(songs: Iterable[Prepared], seed: int, purpose: int) -> list[Prepared]:
    ordered = sorted(songs, key=lambda song: (song.sha256, song.path))
    rng = np.random.default_rng([seed, 8, purpose])
    return [ordered[index] for index in rng.permutation(len(ordered)).tolist()]


def name_of(song: Prepared) -> str:
    """A song's name in public places: the start of its digest."""
    return song.sha256[:8]


class Played(NamedTuple):
    """Takes by player and song, hits of the full kit, and their bars (fewer where a song is shorter)."""

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
    """Let a model play all songs at once: sampled, most likely, and most likely to another song's guitar.

    Stops after a number of bars, or when the time is over. All takes are then cut to the length of the shortest; None
    if that is less than LEAST_BARS.
    """
    # 1. Queue all takes.
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
    # 2. Decode them as one batch until they end or the time is over.
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
    # 3. Cut all takes to the shortest.
    done = min([bars, *(len(made[key]) for key in going)])
    if going and done < LEAST_BARS:
        return None
    takes = {}
    for (player, index), played in made.items():
        takes[player, index] = take_of(played[:done], forms[index], engine.kit)
    return Played(takes, done)


# --- figures
# -----------------------------------------------------------------------------------------------------------


Figures = Mapping[str, Mapping[str, float]]
"""By player and name. Undefined figures are left out."""


def panel(chosen: PreviewSongs, loops: Sequence[Grid], played: Played) -> Figures:
    """The figures of WATCHED of all players over the played bars; for the real drums only the meaningful ones."""
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
    """A model's takes at one moment of its training.

    bars: learnt from. seconds: since the start. played: bars of each song, 0 if none. spent: seconds of playing and
    drawing. takes: by song, as far as they are kept.
    """

    bars: int
    seconds: float
    played: int = 0
    spent: float = 0.0
    figures: Mapping[str, Mapping[str, float]] = {}
    takes: Mapping[str, Grid] = {}


def with_preview(previews: Sequence[Preview], preview: Preview) -> tuple[Preview, ...]:
    """Previews with one added, which replaces one after as many bars; drops takes that have close neighbours."""
    kept = [*(one for one in previews if one.bars != preview.bars), preview]
    having = [index for index, one in enumerate(kept) if one.takes]
    if len(having) > MOST_KEPT:
        inner = zip(having, having[1:-1], having[2:], strict=False)
        crowded = min(inner, key=lambda three: (kept[three[2]].bars - kept[three[0]].bars, three))[1]
        kept[crowded] = kept[crowded]._replace(takes={})
    return tuple(kept)


def previews_as_rows(previews: Sequence[Preview]) -> list[dict[str, Any]]:
    """Previews as JSON rows."""
    rows = []
    for preview in previews:
        takes = {name: np.stack(take[:4], axis=1).tolist() for name, take in preview.takes.items()}
        rows.append(preview._asdict() | {"takes": takes})
    return rows


def previews_from_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[Preview, ...]:
    """Previews from JSON rows.

    Raises:
        ValueError, LookupError, TypeError: not previews.
    """
    return tuple(
        Preview(**{**row, "takes": {name: _grid(hits) for name, hits in row["takes"].items()}}) for row in rows
    )


def _grid(rows: Sequence[Sequence[int]]) -> Grid:
    step, key, velocity, offset = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Grid(step, key, velocity, offset, np.full(len(rows), HIT_LENGTH))


@dataclass
class Previews:
    """The previews of a run, within a share of its time.

    warn: called with failures, once for each kind, which do not end a run.
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
        """Play, keep and show a preview after a number of bars and seconds of training, if the time allows it."""
        begun = time.monotonic()
        preview = Preview(bars, seconds)
        before = next((one for one in self.made[-1:] if one.bars == bars), preview)
        allowed = allowance(self.made, seconds, last=last)
        if before.played or not self.chosen.songs or allowed <= 0:  # nothing learnt since, or no time yet
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
                pixels = draw.pixels(
                    picture_duet(song, drums, bars), title=f"{name}, {tag}", bars_per_line=PICTURED_LINE
                )
                logger.add_image(f"{tag}/{name}", pixels, preview.bars, dataformats="HWC")

    @cached_property
    def loops(self) -> list[Grid]:
        """The baseline's take of each song, which never changes."""
        (row,) = (row for row in baselines.baselines(self.chosen.reference) if row.name == LOOP)
        return [row.play(song, 0) for song in self.chosen.songs]

    @property
    def pictured(self) -> tuple[Prepared, ...]:
        """The songs whose takes are drawn."""
        return self.chosen.songs[:PICTURED]

    def drawn(self) -> tuple[Drawn, ...]:
        """The pictured songs with takes of the first preview, one in the middle, and the last."""
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
                if name in preview.takes:  # a resumed run may have other songs
                    caption = f"after {preview.bars:,} bars, {duration(preview.seconds)}"
                    pictures.append((caption, _png(song, preview.takes[name], preview.played)))
            drawn.append(Drawn(name, tuple(pictures)))
        return tuple(drawn)


@contextmanager
def _apart(model: Family) -> Iterator[Family]:
    """Yield a copy of a model on the CPU, in one thread."""
    with one_thread():
        yield copy.deepcopy(model).cpu()


def picture_duet(song: Prepared, drums: Grid, bars: int) -> Duet:
    """The bars of a song to draw, with the hits of a take; no more than were played."""
    cut = replace(song, drums=drums).between(0, min(bars, PICTURED_BARS, len(song.guitar_grid.form.steps)))
    return duet_of(cut.guitar_grid, cut.drums)


def _png(song: Prepared, drums: Grid, bars: int = PICTURED_BARS) -> bytes:
    return draw.picture(picture_duet(song, drums, bars), "png", bars_per_line=PICTURED_LINE)


def allowance(previews: Sequence[Preview], seconds: float, *, last: bool = False) -> float:
    """Seconds to spend on a preview after a number of seconds of a run; 0 to wait.

    With a previous duration known, wait until all bars fit, or twice as long if the previous one ran out of time. The
    first preview may be shorter, and the last one, for which LAST_SECONDS are free.
    """
    left = SHARE * seconds - sum(preview.spent for preview in previews)
    if last:
        return max(left, LAST_SECONDS)
    tried = [preview for preview in previews if preview.spent]
    wanted = tried[-1].spent * (BARS / tried[-1].played if tried[-1].played else 2) if tried else 0.0
    return left if left >= wanted else 0.0
