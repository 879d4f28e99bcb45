"""Obedience of drums to a musician's options: each control moves its own statistic, each style is obeyed.

The effect of a control is measured on takes at several settings, with all other options unset: its own statistic should
move, all others should stay. Obedience to a style is judged by signs that a drummer would name (`judge.styles`), not by
the rules that labelled the styles of the training songs (`lattice.conditions.style_of`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.excerpts import duet_of
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.evaluate.auditions import Progress, tracked
from seq2drum.evaluate.evaluation import Measure, measure_row
from seq2drum.judge.intervals import mean_over_songs
from seq2drum.judge.measures import spearman
from seq2drum.judge.styles import LOUD, TakeGrid, obeys
from seq2drum.lattice import conditions
from seq2drum.lattice.conditions import PROMINENCE, drums_of, novelty, prominence_of
from seq2drum.lattice.form import form_of, lattice_of, written_lattice
from seq2drum.lattice.grid import STEPS_PER_QUARTER, decode, encode
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Part, Song
from seq2drum.play.drummer import Drummer
from seq2drum.play.feel.feel import moments
from seq2drum.play.feel.humanise import swing_of
from seq2drum.play.options import Options

# --- controls ---------------------------------------------------------------------------------------------------------

CONTROLS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "intensity": (0.1, 0.3, 0.5, 0.7, 0.9),
        "complexity": (0.1, 0.3, 0.5, 0.7, 0.9),
        "fills": (0.0, 0.25, 0.5, 0.75, 1.0),
        "humanize": (0.0, 0.25, 0.5, 0.75, 1.0),
        "swing": (0.0, 0.25, 0.5, 0.75, 1.0),
    }
)


class Counted(NamedTuple):
    """Counts of a take; nan where there is nothing to count.

    intensity: strength of all hits of a quarter note together, a hit of velocity 127 being one. complexity: syncopation
    of kick, snare and toms, levels a quarter. fills: share of bars that stand out of those around them. humanize: mean
    distance of the hits from their places, milliseconds. swing: where off-beat eighths lie, as `--swing`.
    """

    intensity: float
    complexity: float
    fills: float
    humanize: float
    swing: float


def count(part: Part, song: Song) -> Counted:
    """Return the counts of a drum part, in the bars from its first hit to its last."""
    lattice = lattice_of(song)
    form, grid = form_of(song, lattice), encode(part, lattice, FULL)
    if not len(grid.step):
        return Counted(0.0, np.nan, np.nan, np.nan, np.nan)
    begin, end = (int(form.bar_of(grid.step[at : at + 1 or None])[0]) for at in (0, -1))
    grid = grid.shift(-form.first[begin])
    form = form.between(begin, end + 1)
    full, nine = drums_of(grid, form, FULL), drums_of(grid, form)
    quarters = float(np.sum(form.quarters))
    prominent = prominence_of(novelty(nine)) >= PROMINENCE
    swing = swing_of(grid, form)
    return Counted(
        float(full.velocity.sum()) / 127 / quarters,
        float(np.mean(conditions.pattern_syncopation(nine))),
        float(np.mean(prominent)),
        float(np.mean(np.abs(moments(grid, form)))),
        np.nan if swing is None else swing,
    )


class Moved(NamedTuple):
    """The effect of one control: values (songs, settings, statistics), means over seeds."""

    control: str
    settings: tuple[float, ...]
    values: NDArray[np.float64]

    @property
    def own(self) -> NDArray[np.float64]:
        """(songs, settings): the control's own statistic."""
        values: NDArray[np.float64] = self.values[:, :, Counted._fields.index(self.control)]
        return values

    @property
    def rank(self) -> float:
        """Spearman's correlation of the settings with the means over songs."""
        return spearman(np.array(self.settings), np.nanmean(self.own, axis=0))

    @property
    def rank_in_a_song(self) -> float:
        """The mean over songs of Spearman's correlation in each."""
        songs = [spearman(np.array(self.settings), row) for row in self.own if not np.isnan(row).any()]
        return float(np.mean(songs)) if songs else float("nan")

    @property
    def gain(self) -> NDArray[np.float64]:
        """(statistics,): the gain of each from the lowest setting to the highest, mean over songs; NaN without any."""
        gains = self.values[:, -1] - self.values[:, 0]
        known = ~np.isnan(gains)
        count = known.sum(axis=0)
        gain: NDArray[np.float64] = np.where(known, gains, 0).sum(axis=0) / np.where(count, count, np.nan)
        return gain


def count_take(drummer: Drummer, song: Song, options: Options, bars: int | None) -> Counted:
    """Return the counts of a take in its first bars."""
    rows = [bar.part.rows for bar in islice(drummer.stream(song, options), bars)]
    return count(Part.of(np.concatenate(rows), is_drums=True), song)


def move(
    drummer: Drummer,
    songs: Sequence[Song],
    *,
    seeds: Sequence[int] = (0,),
    bars: int | None = None,
    controls: Iterable[str] = tuple(CONTROLS),
    base: Options | None = None,
    progress: Progress = lambda what, done, total: None,
) -> list[Moved]:
    """Move the controls one by one, all else being `base`."""
    base = base or Options()

    def counted(song: Song, options: Options) -> NDArray[np.float64]:
        takes = [count_take(drummer, song, replace(options, seed=seed), bars) for seed in seeds]
        mean: NDArray[np.float64] = np.array(takes, dtype=np.float64).mean(axis=0)
        return mean

    moved = []
    for control in controls:
        settings = CONTROLS[control]
        requests: list[dict[str, Any]] = [{control: value} for value in settings]
        each = tracked(songs, f"songs with {control} moved", progress)
        values = [[counted(song, replace(base, **change)) for change in requests] for song in each]
        moved.append(Moved(control, settings, np.array(values)))
    return moved


def crosstalk(moved: Sequence[Moved]) -> NDArray[np.float64]:
    """Return (controls, controls): the gain of each statistic (column) by each control (row), as a share of its own.

    NaN in the column of a statistic that gains nothing by its own control.
    """
    own = [Counted._fields.index(one.control) for one in moved]
    gain = np.array([one.gain[own] for one in moved])
    of_own = np.diag(gain)
    shares: NDArray[np.float64] = gain / np.where(of_own == 0, np.nan, of_own)
    return shares


def controls(
    drummer: Drummer, songs: Sequence[Song], base: Options, seeds: Sequence[int], bars: int | None, progress: Progress
) -> list[Measure]:
    """Return the effects of each control in the first bars of songs: on its own statistic, and on all others."""
    return effects(move(drummer, songs, seeds=seeds, bars=bars, base=base, progress=progress), base.seed)


def effects(moved: Sequence[Moved], seed: int = 0) -> list[Measure]:
    """Return what each control moves: its own statistic, and all others."""
    places = ("at the lowest", "second", "middle", "fourth", "at the highest")
    columns = {f"{place} setting": "the control's own statistic, mean over songs" for place in places}
    columns |= {
        "Spearman": "rank correlation of the settings with the means over songs",
        "in a song": "the same in each song, mean over songs",
    }
    rows = []
    for one in moved:
        means = [mean_over_songs(column, seed) for column in one.own.T.tolist()]
        rows.append(measure_row(one.control, len(one.own), columns, [*means, one.rank, one.rank_in_a_song]))
    names = [one.control for one in moved]
    shares = [
        measure_row(one.control, len(one.own), names, row)
        for one, row in zip(moved, crosstalk(moved).tolist(), strict=True)
    ]
    gain = "what it gains from the lowest setting of the moved control to the highest, as a share of its own gain"
    settings = "; ".join(f"{one.control} {', '.join(f'{value:g}' for value in one.settings)}" for one in moved)
    return [
        Measure.of("Controls", f"The statistic of each control at five settings: {settings}.", columns, rows),
        Measure.of("Moved", f"Of each statistic, {gain}.", dict.fromkeys(names, gain), shares),
    ]


# --- wishes of songs of a corpus --------------------------------------------------------------------------------------

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
LEANING = ("kick", "snare", "low tom", "mid tom", "high tom")


class Leaning(NamedTuple):
    """Mean velocity of all hits of a take; its hits a quarter; its hits a quarter that lean against the beat.

    A kick, a loud snare or a tom leans if it is off the beat and the same voice leaves out the next beat.
    """

    loudness: float
    hits: float
    leaning_hits: float

    @staticmethod
    def of(take: TakeGrid) -> Leaning:
        """Count a take."""
        velocity = take.velocity[take.velocity > 0]
        pattern = take.velocity[:, :, [FULL.names.index(name) for name in LEANING]]
        pattern = np.where(pattern >= LOUD, 1, 0)[:, : 4 * STEPS_PER_QUARTER]
        pattern = pattern.reshape(-1, STEPS_PER_QUARTER, len(LEANING))
        next_beat = np.append(pattern[1:, 0], pattern[:1, 0] * 0, axis=0)
        leaning = pattern[:, 1:].sum(axis=1) * (1 - next_beat)
        quarters = float(np.sum(take.guitar_grid.form.quarters))
        loudness = float(np.mean(velocity)) if len(velocity) else 0.0
        return Leaning(loudness, len(velocity) / quarters, float(leaning.sum()) / quarters)


SLACK = Leaning(1.0, 0.05, 0.05)  # to fall by that much is not heard
MOVES = MappingProxyType({"intensity": ("loudness", "hits"), "complexity": ("leaning_hits",)})


def song_of(song: Prepared) -> Song:
    """Return the guitar and the bass of a prepared song, as a song."""
    duet = duet_of(song.guitar_grid, song.drums)
    bass = decode(song.guitar_grid.bass, written_lattice(duet.song), program=33, name="Bass")
    bass = Part.of(bass.rows[bass.onset < duet.song.length], program=33, name="Bass")
    return replace(duet.song, parts=(*duet.guitars, *([bass] if len(bass) else [])))


def takes_of(drummer: Drummer, songs: Sequence[Song], options: Options) -> list[TakeGrid]:
    """Return a take of each song."""
    takes = [drummer.accompany(song, options) for song in songs]
    return [TakeGrid.of(take.standard_part, song, take.guitar.parts) for take, song in zip(takes, songs, strict=True)]


def styles(drummer: Drummer, prepared: Sequence[Prepared], base: Options, progress: Progress) -> list[Measure]:
    """Return the songs that obey each style when requested and when not, and own drums that do."""
    columns = {
        "obeyed": "share of songs whose drums have the signs of the style when it is requested",
        "no wish": "the same without the request",
        "own drums": "the same of songs whose own drums are of that style",
        "songs with such drums": "the number of those songs",
    }
    # 1. The songs' own drums by style, takes without a style, and takes of each.
    songs = [song_of(song) for song in prepared]
    own: dict[str, list[TakeGrid]] = {}
    for each, song in zip(prepared, songs, strict=True):
        name = conditions.style_of(drums_of(each.drums, each.guitar_grid.form, FULL))
        own.setdefault(name, []).append(TakeGrid.of(duet_of(each.guitar_grid, each.drums).drums, song, [0]))
    plain = takes_of(drummer, songs, base)
    rows, obeyed = [], []
    for style in tracked(STYLES, "styles", progress):
        sides = (takes_of(drummer, songs, replace(base, style=style)), plain, own.get(style, []))
        shares = [[float(obeys(style, take)) for take in takes] for takes in sides]
        obeyed.append(shares[0])
        means = [mean_over_songs(some, base.seed) for some in shares]
        rows.append(measure_row(style, len(songs), columns, [*means, len(shares[2])]))
    # 2. All styles together.
    mean = mean_over_songs(np.mean(obeyed, axis=0).tolist(), base.seed)
    rows.append(measure_row("mean", len(songs), columns, [mean]))
    rows.append(measure_row("worst", len(songs), columns, [float(np.min(np.mean(obeyed, axis=1)))]))
    return [Measure.of("Styles", "The songs whose drums a drummer would recognise as of a style.", columns, rows)]


def levels(drummer: Drummer, prepared: Sequence[Prepared], base: Options, progress: Progress) -> list[Measure]:
    """Return what levels of intensity and complexity move, and in how many songs it never falls."""
    columns = {f"at {level:g}": "mean over songs at this level of the control" for level in LEVELS}
    columns |= {
        "Spearman": "rank correlation of level and statistic in a song, mean over songs",
        "never falls": "share of songs in which it falls from no level to the next",
    }
    songs, rows = [song_of(song) for song in prepared], []
    for wish, moved in tracked(list(MOVES.items()), "controls", progress):
        requests: list[dict[str, Any]] = [{wish: level} for level in LEVELS]
        takes = [takes_of(drummer, songs, replace(base, **change)) for change in requests]
        values = np.array([[Leaning.of(take) for take in some] for some in takes])
        for name in moved:
            column = Leaning._fields.index(name)
            table: NDArray[np.float64] = values[:, :, column]
            ranks = [spearman(np.array(LEVELS), song) for song in table.T]
            rises = (np.diff(table, axis=0) >= -SLACK[column]).all(axis=0)
            means = [mean_over_songs(row, base.seed) for row in (*table.tolist(), ranks, rises.astype(float).tolist())]
            rows.append(measure_row(f"{wish}: {name.replace('_', ' ')}", len(songs), columns, means))
    return [Measure.of("Levels", "What a level of each control moves, all else left alone.", columns, rows)]
