"""Baselines: silence, a loop, a rule, another song's drums, the nearest rhythm.

They know counts and copies of training songs, and learn nothing by gradient. Only the last reads the real drums of
the song it plays, and none uses a training song of its group, so that they can be fitted to the very folder they are
judged on. They play from the first bar in which the guitar sounds to the last.

A kind of bar with fewer than ENOUGH_BARS bars in the other groups is played as the commonest known kind of as many
steps, or without one by the rule, which has an answer for any metre.

Letters of shapes: T steps of all bars, S steps of one bar, V nine voices, n known bars of one kind.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.judge.known_bars import (
    BarKind,
    KnownBars,
    bars_by_kind,
    commonest,
    known_bars,
    likely_hits,
    onsets_of,
    weights_of,
)
from seq2drum.judge.measures import VOICE, BoolArray
from seq2drum.lattice.conditions import drums_of
from seq2drum.lattice.features import GUITAR, GuitarGrid, features
from seq2drum.lattice.form import CLOCK, FloatArray, Form, clock_of
from seq2drum.lattice.grid import HIT_LENGTH, PLACES, Grid
from seq2drum.music.kit import FULL, NINE, to_kit
from seq2drum.music.notes import IntArray

SWUNG_RIDE = 110  # quarters a minute: a swung song as fast as this gets a ride, a slower one a shuffle
ACCENTED = 0.7  # quantile of a song's onsets that an accent exceeds
_EIGHTH, _TRIPLET = PLACES.tolist().index(6), PLACES.tolist().index(8)


def rule(guitar_grid: GuitarGrid) -> BoolArray:
    """(T, V): a pattern player's rule: rock backbeat, or shuffle or swing ride where the guitar swings.

    Kick on the first beat and every other, snare on the rest, where beats are the accent groups of a metre in eighths
    and the units of any other; in a metre of unequal quarters (5/4 = 3 + 2) kicks are on the heads of its groups.
    """
    form = guitar_grid.form
    clock = clock_of(form)
    place = np.argmax(clock[:, CLOCK["subdivision"]], axis=1)
    kick, snare = _beats(form, clock, place)
    quarter = place == 0
    hits = np.zeros((len(place), len(NINE)), dtype=bool)
    hits[:, VOICE["kick"]] = kick
    bar = form.bar_of(np.arange(len(place)))
    if not _swings(guitar_grid, place):
        fast = form.bpm[bar] * np.where(form.denominator[bar] >= 8, 2 / 3, 1) > 200
        hits[:, VOICE["closed hat"]] = quarter | ((place == _EIGHTH) & ~fast)
        hits[:, VOICE["snare"]] = snare
        return hits
    offbeat = place == _TRIPLET
    if median_bpm(guitar_grid) < SWUNG_RIDE:
        hits[:, VOICE["closed hat"]] = quarter | offbeat
        hits[:, VOICE["snare"]] = snare
        return hits
    # Ding, ding-a-ding: the skip note follows the beats on which the foot closes the hi-hat.
    after = np.zeros(len(place), dtype=bool)
    at = np.flatnonzero(snare & quarter) + _TRIPLET
    after[at[at < len(after)]] = True
    hits[:, VOICE["ride"]] = quarter | (after & offbeat)
    hits[:, VOICE["closed hat"]] = snare
    return hits


def _beats(form: Form, clock: FloatArray, place: IntArray) -> tuple[BoolArray, BoolArray]:
    """(T,), (T,): the steps of kick and of snare."""
    kick, snare = np.zeros(len(clock), dtype=bool), np.zeros(len(clock), dtype=bool)
    first = form.first.tolist()
    heads, units = (clock[:, CLOCK.at(name)] > 0 for name in ("group_start", "unit_start"))
    for bar, denominator in enumerate(form.denominator.tolist()):
        here = slice(first[bar], first[bar + 1])
        head = np.flatnonzero(heads[here]) + here.start
        beat = head if denominator != 4 else np.flatnonzero(units[here]) + here.start
        if denominator > 8 and len(beat) > 2 * np.count_nonzero(place[here] == 0):  # too short to be beats
            head = beat = np.flatnonzero(place[here] == 0) + here.start
        if len(head) < len(beat):
            strong = np.isin(beat, head)
        else:
            strong = np.arange(len(beat)) % 2 == 0
            strong[-1:] &= len(beat) % 2 == 0 or len(beat) == 1  # boom, chick, chick: an odd last beat is weak
        kick[beat[strong]], snare[beat[~strong]] = True, True
    return kick, snare


def _swings(guitar_grid: GuitarGrid, place: IntArray) -> bool:
    """Return whether the guitar plays its offbeats late, on the triplet, more often than straight."""
    played = place[np.unique(guitar_grid.guitar.step)]
    quarters = guitar_grid.form.denominator[guitar_grid.form.bar_of(np.unique(guitar_grid.guitar.step))] == 4
    late, straight = np.count_nonzero(played[quarters] == _TRIPLET), np.count_nonzero(played[quarters] == _EIGHTH)
    return int(late) > int(straight)


def accents_of(guitar_grid: GuitarGrid) -> BoolArray:
    """(T,): the guitar's accents: louder, lower or denser than seven of ten of its onsets."""
    guitar = features(guitar_grid).guitar
    at = np.flatnonzero(guitar[:, GUITAR.at("played")] > 0)
    accents = np.zeros(len(guitar), dtype=bool)
    if len(at):
        columns = guitar[at][:, GUITAR.pick("onsets", "loudness", "lowest")] * np.array([1, 1, -1])
        strength = ((columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-6)).sum(axis=1)
        accents[at[strength > np.quantile(strength, ACCENTED) + 1e-6]] = True
        accents[at[strength == strength.max()]] |= strength.max() > strength.min() + 1e-6
    return accents


def median_bpm(guitar_grid: GuitarGrid) -> float:
    """Quarters a minute of the bars in which the guitar plays."""
    begin, stop = guitar_grid.sounding
    return float(np.median(guitar_grid.form.bpm[begin : max(stop, begin + 1)]))


COMMON = "common bar"
ENOUGH_BARS = 8  # bars of a kind in other groups; fewer show no habit
SAME_TEMPO = 1.15  # two songs have the same tempo within this ratio
LEAST_TILED = 4  # the fewest bars of a kind in a song that is tiled over another
DEFAULT_VELOCITY = 90  # for a voice without hits in training
_CHUNK = 32  # bars of a song compared with all of training in one pass
_TIE = 1e-5  # similarities that differ by less are equal; float32 is not more precise

_IN_FULL = np.array([FULL.names.index(name) for name in VOICE])


class Baseline(NamedTuple):
    """A player for the table beside the models.

    meaning: one line for the report. sees_real: it reads the real drums of the very song. play: (song, take) to hits
    whose keys are voices of the full kit and whose steps are counted over the whole song.
    """

    name: str
    meaning: str
    sees_real: bool
    play: Callable[[Prepared, int], Grid]


def baselines(training: Sequence[Prepared], *, seed: int = 0) -> list[Baseline]:
    """All baselines, fitted once to some songs. Each is a stateless function of (seed, song, take)."""
    known = _Known(training)
    rows: list[tuple[str, str, bool, Callable[[Prepared, int], Grid]]] = [
        ("silence", "nothing at all", False, silent),
        ("marginal", "the hits likely at each place of the bar, cut where expected F1 is best", False, known.marginal),
        (COMMON, "the commonest training bar of the metre, looped", False, known.common_bar),
        ("rule", "rock backbeat, shuffle or swing ride by metre, tempo and the guitar's swing", False, known.rule),
        ("rule + accents", "the rule, its kicks on the guitar's accents", False, known.rule_with_accents),
        ("random song", "real drums of another song of the metre and tempo", False, partial(known.random_song, seed)),
    ]
    for bars in (1, 2, 4):
        name = f"nearest {bars} bar{'s' if bars > 1 else ''}"
        meaning = f"drums of the training window of {bars} with the nearest guitar rhythm"
        rows.append((name, meaning, False, partial(known.nearest, bars)))
    rows.append(("own bar", "the song's own commonest bar, looped: the ceiling of any loop", True, known.own_bar))
    return [Baseline(*row) for row in rows]


def silent(song: Prepared, take: int) -> Grid:
    """No hits."""
    return song.drums.select(np.zeros(0, dtype=np.int64))


class Copy(NamedTuple):
    """A bar to be played, and the source of its drums: the number of a known song, and a bar of it."""

    target: int
    song: int
    bar: int


class _Known:
    """Counts of the training songs, and the players that use them.

    first, drums: by song the first steps of its bars, and its hits in the smallest fitting integers. loudness (groups,
    V, 128): hits of each voice at each velocity.
    """

    def __init__(self, songs: Sequence[Prepared]) -> None:
        self.groups = {name: number for number, name in enumerate(dict.fromkeys(song.group for song in songs))}
        self.bars = known_bars(songs, self.groups)
        self.loudness = np.zeros((len(self.groups), len(NINE), 128), dtype=np.int32)
        for song in songs:
            voice = to_kit(NINE)[song.drums.key]
            cells = voice[voice >= 0], song.drums.velocity[voice >= 0]
            np.add.at(self.loudness[self.groups[song.group]], cells, 1)
        self.first = [song.guitar_grid.form.first for song in songs]
        self.drums = [_small(song.drums) for song in songs]
        self.loudness_of_all = self.loudness.sum(axis=0, dtype=np.int64)

    # --- the players --------------------------------------------------------------------------------------------------

    def marginal(self, song: Prepared, take: int) -> Grid:
        return self._looped(song, likely_hits)

    def common_bar(self, song: Prepared, take: int) -> Grid:
        return self._looped(song, commonest)

    def rule(self, song: Prepared, take: int) -> Grid:
        return _grid(_inside(rule(song.guitar_grid), song.guitar_grid), self._velocities(song))

    def rule_with_accents(self, song: Prepared, take: int) -> Grid:
        hits = rule(song.guitar_grid)
        barlines = np.zeros(len(hits), dtype=bool)
        form = song.guitar_grid.form
        barlines[form.first[:-1][form.steps > 0]] = True
        hits[:, VOICE["kick"]] = barlines | (accents_of(song.guitar_grid) & ~hits[:, VOICE["snare"]])
        return _grid(_inside(hits, song.guitar_grid), self._velocities(song))

    def random_song(self, seed: int, song: Prepared, take: int) -> Grid:
        number = int.from_bytes(hashlib.blake2b(song.sha256.encode(), digest_size=8).digest(), "little")
        rng = np.random.default_rng([seed, take, number])
        begin, _ = song.guitar_grid.sounding

        def of_another(bars: KnownBars, targets: IntArray) -> list[Copy]:
            other = self._other_song(rng, bars, song)
            own = bars.bar[slice(*np.searchsorted(bars.song, [other, other + 1]))]
            return [Copy(target, other, int(own[(target - begin) % len(own)])) for target in targets.tolist()]

        return self._copied(song, of_another)

    def nearest(self, length: int, song: Prepared, take: int) -> Grid:
        def of_nearest(bars: KnownBars, targets: IntArray) -> list[Copy]:
            longest = bars.longest(length, self.groups.get(song.group, -1))
            runs = np.split(targets, np.flatnonzero(np.diff(targets) != 1) + 1)  # consecutive bars
            windows = [window for run in runs for window in _cut(run, longest)]
            rows = self._nearest_rows(bars, windows, song)
            return [
                Copy(first + i, int(bars.song[row]), int(bars.bar[row]) + i)
                for (first, size), row in zip(windows, rows, strict=True)
                for i in range(size)
            ]

        return self._copied(song, of_nearest)

    def own_bar(self, song: Prepared, take: int) -> Grid:
        form = song.guitar_grid.form
        hits, real = rule(song.guitar_grid), drums_of(song.drums, form).velocity > 0
        same = bars_by_kind(form)
        for kind, targets in _kinds_played(song.guitar_grid).items():
            places = form.first[same[kind]][:, None] + np.arange(kind[2])
            played = Counter(rows.tobytes() for rows in real[places] if rows.any())
            here = form.first[targets][:, None] + np.arange(kind[2])
            best = max(played, key=lambda bar: played[bar]) if played else bytes(kind[2] * len(NINE))
            hits[here] = np.frombuffer(best, dtype=bool).reshape(kind[2], len(NINE))
        return _grid(_inside(hits, song.guitar_grid), self._velocities(song))

    # --- shared
    # -----------------------------------------------------------------------------------------------------------

    def _find(self, kind: BarKind, song: Prepared) -> KnownBars | None:
        """The bars to play a kind by: its own, or those of the commonest kind of as many steps."""
        group = self.groups.get(song.group, -1)
        alike = [
            kind,
            *sorted((one for one in self.bars if one[2] == kind[2]), key=lambda one: -len(self.bars[one].bar)),
        ]
        for one in alike:
            bars = self.bars.get(one)
            if bars is not None and np.count_nonzero(bars.group != group) >= ENOUGH_BARS:
                return bars
        return None

    def _velocities(self, song: Prepared) -> IntArray:
        """(V,): the median velocity of each voice in the other groups."""
        group = self.groups.get(song.group)
        counts = self.loudness_of_all - (0 if group is None else self.loudness[group])
        half = counts.sum(axis=1, keepdims=True) / 2
        median = np.argmax(np.cumsum(counts, axis=1) >= half, axis=1)
        return np.where(half[:, 0] > 0, median, DEFAULT_VELOCITY)

    def _looped(self, song: Prepared, choose: Callable[[KnownBars, IntArray], BoolArray]) -> Grid:
        """One pattern for all bars of a kind, chosen by the known bars and their counts."""
        hits = rule(song.guitar_grid)
        group = self.groups.get(song.group, -1)
        for kind, targets in _kinds_played(song.guitar_grid).items():
            bars = self._find(kind, song)
            if bars is not None:
                here = song.guitar_grid.form.first[targets][:, None] + np.arange(kind[2])
                hits[here] = bars.loop(choose, group)
        return _grid(_inside(hits, song.guitar_grid), self._velocities(song))

    def _other_song(self, rng: np.random.Generator, bars: KnownBars, song: Prepared) -> int:
        """A song of another group with enough of these bars and the same tempo; or one of the ten nearest."""
        others = bars.group != self.groups.get(song.group, -1)
        songs, first, count = np.unique(bars.song[others], return_index=True, return_counts=True)
        long = count >= min(LEAST_TILED, int(count.max()))
        songs, bpm = songs[long], bars.bpm[others][first[long]]
        apart = np.abs(np.log(bpm / median_bpm(song.guitar_grid)))
        alike = np.flatnonzero(apart <= np.log(SAME_TEMPO))
        if not len(alike):
            alike = np.argsort(apart, kind="stable")[:10]
        return int(songs[rng.choice(alike)])

    def _nearest_rows(self, bars: KnownBars, windows: Sequence[tuple[int, int]], song: Prepared) -> list[int]:
        """The known window with the highest cosine of guitar rhythms for each window (first bar, bars) of a song.

        Ties go to the nearest tempo, then to the first.
        """
        rhythm = weights_of(onsets_of(song.guitar_grid, bars.steps))
        apart = np.abs(np.log(bars.bpm / median_bpm(song.guitar_grid)))
        own = bars.group == self.groups.get(song.group, -1)
        # 1. The distinct rhythms.
        texts = [rhythm[first : first + size].tobytes() for first, size in windows]
        different = list({text: window for text, window in zip(texts, windows, strict=True)}.items())
        nearest: dict[bytes, int] = {}
        for size in {size for _, size in windows}:
            requested = [(text, first) for text, (first, length) in different if length == size]
            many = max(_CHUNK // size, 1)
            for at in range(0, len(requested), many):
                some = requested[at : at + many]
                # 2. The known windows of their size with the highest cosine, for a chunk at a time.
                rows = np.stack([rhythm[first : first + size] for _, first in some])
                norm = np.maximum(np.linalg.norm(rows.reshape(len(rows), -1), axis=1), 1e-9)
                # 3. The nearest in tempo among the best.
                for (text, _), best in zip(some, bars.nearest(rows, size, own, _TIE * norm), strict=True):
                    nearest[text] = int(best[np.argmin(apart[best])])
        return [nearest[text] for text in texts]

    def _copied(self, song: Prepared, copy: Callable[[KnownBars, IntArray], list[Copy]]) -> Grid:
        """Copies of known bars, and the rule where none is known.

        copy: from the known bars of a kind and the bars of it to be played, (bars,), to copies.
        """
        form = song.guitar_grid.form
        first = form.first
        # 1. The copies, and the bars of unknown kinds.
        copies: list[Copy] = []
        unknown: list[int] = []
        for kind, targets in _kinds_played(song.guitar_grid).items():
            bars = self._find(kind, song)
            if bars is None:
                unknown += targets.tolist()
            else:
                copies += copy(bars, targets)
        # 2. The hits.
        by_rule = rule(song.guitar_grid) & np.isin(form.bar_of(np.arange(first[-1])), unknown)[:, None]
        pieces = [_grid(by_rule, self._velocities(song))]
        for target, number, bar in copies:
            starts, drums = self.first[number], self.drums[number]
            low, high = np.searchsorted(drums.step, starts[bar : bar + 2])
            pieces.append(drums.select(np.arange(low, high)).shift(first[target] - starts[bar]))
        whole = Grid.join(pieces)
        return whole.select(np.lexsort((whole.key, whole.step)))


def _small(grid: Grid) -> Grid:
    """The same notes, each column in the smallest integers that hold it."""

    def fitting(column: IntArray) -> NDArray[Any]:
        ends = (column.min(initial=0), column.max(initial=0))
        return column.astype(np.result_type(*map(np.min_scalar_type, ends)))

    return Grid(*map(fitting, grid))


def _inside(hits: BoolArray, guitar_grid: GuitarGrid) -> BoolArray:
    """The hits in bars where the guitar plays or rests between two such bars."""
    begin, stop = guitar_grid.sounding
    first = guitar_grid.form.first
    inside = np.zeros_like(hits)
    inside[first[begin] : first[stop]] = hits[first[begin] : first[stop]]
    return inside


def _kinds_played(guitar_grid: GuitarGrid) -> dict[BarKind, IntArray]:
    """The bars to be played, by kind."""
    begin, stop = guitar_grid.sounding
    played = {kind: bars[(bars >= begin) & (bars < stop)] for kind, bars in bars_by_kind(guitar_grid.form).items()}
    return {kind: bars for kind, bars in played.items() if len(bars)}


def _cut(run: IntArray, length: int) -> list[tuple[int, int]]:
    """A run as windows (first bar, bars) of a power of two, with the rest cut in halves of it."""
    windows = []
    at, stop = int(run[0]), int(run[-1]) + 1
    while at < stop:
        while length > stop - at:
            length //= 2
        windows.append((at, length))
        at += length
    return windows


def _grid(hits: BoolArray, velocity: IntArray) -> Grid:
    """Hits (T, V) of the nine voices as a grid of the full kit, each voice with one velocity."""
    full = np.zeros((len(hits), len(FULL)), dtype=np.int64)
    full[:, _IN_FULL] = hits * velocity
    step, key = np.nonzero(full)
    return Grid(step, key, full[step, key], np.zeros_like(step), np.full_like(step, HIT_LENGTH))
