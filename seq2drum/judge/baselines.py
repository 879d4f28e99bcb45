"""The players a sceptic would try before any model: silence, a loop, a rule, another song's drums, the nearest rhythm.

They know counts and copies of training songs, and nothing that is learnt by gradient. None but the last looks at the
real drums of the song it plays, and none uses a training song of its group, so that they may be fitted to the very
folder they are judged on. They play from the first bar in which the guitar sounds to the last.

What is known is kept by kind of bar: (numerator, denominator, steps). A kind that the other groups have fewer than
ENOUGH bars of is played as the commonest known kind of as many steps, and where there is none either, by the rule,
which has an answer for any metre.

Letters of shapes: T steps of all bars, S steps of one bar, V nine voices, n known bars of one kind.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus import Prepared
from seq2drum.lattice.features import GUITAR, features
from seq2drum.lattice.form import CLOCK, FloatArray, Form, clock_of
from seq2drum.lattice.grid import HIT_LENGTH, PLACES, Grid
from seq2drum.lattice.listening import Heard, sounding
from seq2drum.music.kit import FULL, NINE, to_kit
from seq2drum.music.notes import IntArray

BoolArray = NDArray[np.bool_]
BarKind = tuple[int, int, int]  # numerator, denominator, steps

ENOUGH = 8  # bars of a kind in other groups; of fewer no habit can be counted
TEMPO_BAND = 1.15  # two songs are as fast as each other within this ratio
WHOLE = 4  # bars of a kind that a song must have to be tiled over another
POLYPHONY = 0.25  # what each further note of a chord adds to an onset's weight
VELOCITY = 90  # where training has no hit of a voice
SWUNG_RIDE = 110  # quarters a minute: a swung song as fast as this gets a ride, a slower one a shuffle
ACCENTED = 0.7  # share of a song's onsets that an accent must stand above
MOST_NOTES = 4  # of a chord that are counted
_CHUNK = 32  # bars of a song that are compared with all of training at once: 64 MB for 500,000 bars
_PATTERNS = 4096  # patterns that are unpacked at once
_EVEN = 1e-5  # similarities that differ by less are the same; float32 is no finer

_NAMES = [voice.name for voice in NINE.voices]
_KICK, _SNARE = _NAMES.index("kick"), _NAMES.index("snare")
_HAT, _RIDE = _NAMES.index("closed hat"), _NAMES.index("ride")
_OWN = np.array([next(i for i, full in enumerate(FULL.voices) if full.name == name) for name in _NAMES])
_EIGHTH, _TRIPLET = PLACES.tolist().index(6), PLACES.tolist().index(8)


class Baseline(NamedTuple):
    """A player for the table beside the models.

    meaning: one line for the report. sees_real: it looks at the real drums of the very song.
    play: (song, take) to hits whose keys are voices of the full kit and whose steps are counted over the whole song.
    """

    name: str
    meaning: str
    sees_real: bool
    play: Callable[[Prepared, int], Grid]


def baselines(training: Sequence[Prepared], *, seed: int = 0) -> list[Baseline]:
    """All baselines, fitted once to some songs. Each is a function of (seed, song, take) and keeps no state."""
    known = _Known(training)
    rows: list[tuple[str, str, bool, Callable[[Prepared, int], Grid]]] = [
        ("silence", "nothing at all", False, _silence),
        ("marginal", "the hits likely at each place of the bar, cut where expected F1 is best", False, known.marginal),
        ("common bar", "the commonest training bar of the metre, looped", False, known.common_bar),
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


def _silence(song: Prepared, take: int) -> Grid:
    return _grid(np.zeros((int(song.heard.form.first[-1]), len(NINE)), dtype=bool), np.ones(len(NINE), dtype=np.int64))


@dataclass(frozen=True, eq=False)
class _Bars:
    """The known bars of one kind, those of a song side by side and in order; each has a hit.

    Kept small, as each process of an evaluation is given a copy. steps: S. song, bar, group, pattern (n,): number of
    the song, of the bar in it, of the song's group and of the bar's pattern. packed (P, bytes): the different bars, a
    bit a cell. onsets (n, S + 1): see `_onsets`. bpm (n,).
    """

    steps: int
    song: NDArray[np.int32]
    bar: NDArray[np.int32]
    group: NDArray[np.int32]
    pattern: NDArray[np.int32]
    packed: NDArray[np.uint8]
    onsets: NDArray[np.uint8]
    bpm: NDArray[np.float64]

    def patterns(self, which: slice) -> BoolArray:
        """(·, S, V): some of the different bars."""
        cells = np.unpackbits(self.packed[which], axis=1, count=self.steps * len(NINE))
        return cells.astype(bool).reshape(-1, self.steps, len(NINE))

    @cached_property
    def rhythm(self) -> FloatArray:
        """(n, S + 1): the weight of the guitar's onset at each place, see `_weights`."""
        return _weights(self.onsets)

    def loop(self, choose: Callable[[_Bars, IntArray], BoolArray], group: int) -> BoolArray:
        """(S, V): what is chosen by how often each pattern is played outside a group.

        Chosen once for all songs whose group has no such bars, and that is most of those that are played.
        """
        group = group if (self.group == group).any() else -1
        if (choose, group) not in self._loops:
            counts = np.bincount(self.pattern[self.group != group], minlength=len(self.packed))
            self._loops[choose, group] = choose(self, counts)
        return self._loops[choose, group]

    @cached_property
    def _loops(self) -> dict[tuple[Callable[[_Bars, IntArray], BoolArray], int], BoolArray]:
        return {}

    def scale(self, length: int) -> FloatArray:
        """(n - length + 1,): one over the norm of the window of bars from here; 0 where they do not follow on."""
        if length not in self._scales:
            squares = np.concatenate([[0.0], np.cumsum((self.rhythm.astype(np.float64) ** 2).sum(axis=1))])
            last = slice(length - 1, None)
            count = max(len(self.song) - length + 1, 0)
            together = (self.song[last] == self.song[:count]) & (self.bar[last] - self.bar[:count] == length - 1)
            norm = np.sqrt(squares[length:] - squares[:count])
            self._scales[length] = (together / np.maximum(norm, 1e-9)).astype(np.float32)
        return self._scales[length]

    def longest(self, length: int, group: int) -> int:
        """The length, or the first of its halves of which there is a window outside a group; 1 if there is none."""
        while length > 1 and not ((self.scale(length) > 0) & (self.group[: 1 - length] != group)).any():
            length //= 2
        return length

    @cached_property
    def _scales(self) -> dict[int, FloatArray]:
        return {}


@dataclass
class _Gathered:
    """The bars of one kind while songs are read."""

    rows: list[tuple[int, int, int, int]] = field(default_factory=list)
    bpm: list[float] = field(default_factory=list)
    onsets: list[NDArray[np.uint8]] = field(default_factory=list)
    numbers: dict[bytes, int] = field(default_factory=dict)

    def frozen(self, steps: int) -> _Bars:
        song, bar, group, pattern = np.array(self.rows, dtype=np.int32).T
        packed = np.frombuffer(b"".join(self.numbers), dtype=np.uint8).reshape(len(self.numbers), -1)
        onsets, bpm = np.concatenate(self.onsets), np.array(self.bpm)
        return _Bars(steps, song, bar, group, pattern, packed, onsets, bpm)


class _Known:
    """What the baselines know of training, and the players that use it.

    first, drums: of each song the first steps of its bars, and its hits in integers as small as they fit.
    loudness (groups, V, 128): how often each voice is struck how loud.
    """

    def __init__(self, songs: Sequence[Prepared]) -> None:
        self.groups = {name: number for number, name in enumerate(dict.fromkeys(song.group for song in songs))}
        gathered: dict[BarKind, _Gathered] = {}
        self.loudness = np.zeros((len(self.groups), len(NINE), 128), dtype=np.int32)
        for number, song in enumerate(songs):
            group = self.groups[song.group]
            _gather(song, number, group, gathered)
            voice = to_kit(NINE)[song.drums.key]
            np.add.at(self.loudness[group], (voice[voice >= 0], song.drums.velocity[voice >= 0]), 1)
        self.first = [song.heard.form.first for song in songs]
        self.drums = [_small(song.drums) for song in songs]
        self.bars = {kind: found.frozen(kind[2]) for kind, found in gathered.items()}
        self.loudness_of_all = self.loudness.sum(axis=0, dtype=np.int64)

    # The players

    def marginal(self, song: Prepared, take: int) -> Grid:
        return self._looped(song, _likely_hits)

    def common_bar(self, song: Prepared, take: int) -> Grid:
        return self._looped(song, _commonest)

    def rule(self, song: Prepared, take: int) -> Grid:
        return _grid(_inside(_rule(song.heard), song.heard), self._velocities(song))

    def rule_with_accents(self, song: Prepared, take: int) -> Grid:
        hits = _rule(song.heard)
        barlines = np.zeros(len(hits), dtype=bool)
        barlines[_starts(song.heard.form)] = True
        hits[:, _KICK] = barlines | (_accents(song.heard) & ~hits[:, _SNARE])
        return _grid(_inside(hits, song.heard), self._velocities(song))

    def random_song(self, seed: int, song: Prepared, take: int) -> Grid:
        rng = np.random.default_rng([seed, take, _number(song)])
        begin, _ = sounding(song.heard)
        copies: list[tuple[int, int, int]] = []
        unknown: list[int] = []
        for kind, targets in _kinds_played(song.heard).items():
            bars = self._find(kind, song)
            if bars is None:
                unknown += targets.tolist()
                continue
            other = self._other_song(rng, bars, song)
            rows = slice(*np.searchsorted(bars.song, [other, other + 1]))
            own = bars.bar[rows]
            copies += [(target, other, int(own[(target - begin) % len(own)])) for target in targets.tolist()]
        return self._copied(song, copies, unknown)

    def nearest(self, length: int, song: Prepared, take: int) -> Grid:
        copies: list[tuple[int, int, int]] = []
        unknown: list[int] = []
        for kind, targets in _kinds_played(song.heard).items():
            bars = self._find(kind, song)
            if bars is None:
                unknown += targets.tolist()
                continue
            longest = bars.longest(length, self.groups.get(song.group, -1))
            windows = [window for run in _runs(targets) for window in _cut(run, longest)]
            rows = self._nearest_rows(bars, kind[2], windows, song)
            for (first, size), row in zip(windows, rows, strict=True):
                copies += [(first + i, int(bars.song[row]), int(bars.bar[row]) + i) for i in range(size)]
        return self._copied(song, copies, unknown)

    def own_bar(self, song: Prepared, take: int) -> Grid:
        form = song.heard.form
        hits, real = _rule(song.heard), _roll(song.drums, form)
        for kind, targets in _kinds_played(song.heard).items():
            same = np.flatnonzero(_is_kind(form, kind))
            places = form.first[same][:, None] + np.arange(kind[2])
            played = Counter(rows.tobytes() for rows in real[places] if rows.any())
            here = form.first[targets][:, None] + np.arange(kind[2])
            best = max(played, key=lambda bar: played[bar]) if played else bytes(kind[2] * len(NINE))
            hits[here] = np.frombuffer(best, dtype=bool).reshape(kind[2], len(NINE))
        return _grid(_inside(hits, song.heard), self._velocities(song))

    # What they share

    def _find(self, kind: BarKind, song: Prepared) -> _Bars | None:
        """The bars to play a kind by: its own, or those of the commonest kind of as many steps."""
        group = self.groups.get(song.group, -1)
        alike = [
            kind,
            *sorted((one for one in self.bars if one[2] == kind[2]), key=lambda one: -len(self.bars[one].bar)),
        ]
        for one in alike:
            bars = self.bars.get(one)
            if bars is not None and np.count_nonzero(bars.group != group) >= ENOUGH:
                return bars
        return None

    def _velocities(self, song: Prepared) -> IntArray:
        """(V,): the median velocity of each voice in the other groups."""
        group = self.groups.get(song.group)
        counts = self.loudness_of_all - (0 if group is None else self.loudness[group])
        half = counts.sum(axis=1, keepdims=True) / 2
        median = np.argmax(np.cumsum(counts, axis=1) >= half, axis=1)
        return np.where(half[:, 0] > 0, median, VELOCITY)

    def _looped(self, song: Prepared, choose: Callable[[_Bars, IntArray], BoolArray]) -> Grid:
        """One pattern for all bars of a kind, chosen by the known bars and how often each is played."""
        hits = _rule(song.heard)
        group = self.groups.get(song.group, -1)
        for kind, targets in _kinds_played(song.heard).items():
            bars = self._find(kind, song)
            if bars is not None:
                here = song.heard.form.first[targets][:, None] + np.arange(kind[2])
                hits[here] = bars.loop(choose, group)
        return _grid(_inside(hits, song.heard), self._velocities(song))

    def _other_song(self, rng: np.random.Generator, bars: _Bars, song: Prepared) -> int:
        """A song of another group with enough of these bars, as fast as this; or one of the ten nearest in tempo."""
        others = bars.group != self.groups.get(song.group, -1)
        songs, first, count = np.unique(bars.song[others], return_index=True, return_counts=True)
        long = count >= min(WHOLE, int(count.max()))
        songs, bpm = songs[long], bars.bpm[others][first[long]]
        apart = np.abs(np.log(bpm / _bpm(song.heard)))
        alike = np.flatnonzero(apart <= np.log(TEMPO_BAND))
        if not len(alike):
            alike = np.argsort(apart, kind="stable")[:10]
        return int(songs[rng.choice(alike)])

    def _nearest_rows(self, bars: _Bars, steps: int, windows: Sequence[tuple[int, int]], song: Prepared) -> list[int]:
        """For each window (first bar, bars) of a song the known window of the highest cosine with its guitar's rhythm.

        Of several as near, the nearest in tempo, then the first.
        """
        rhythm = _weights(_onsets(song.heard, steps))
        apart = np.abs(np.log(bars.bpm / _bpm(song.heard)))
        own = bars.group == self.groups.get(song.group, -1)
        found: dict[bytes, int] = {}
        texts = [rhythm[first : first + size].tobytes() for first, size in windows]
        wanted = list({text: window for text, window in zip(texts, windows, strict=True)}.items())
        for size in {size for _, size in windows}:
            ask = [(text, first) for text, (first, length) in wanted if length == size]
            scale = bars.scale(size)
            count = len(scale)
            barred = np.where(own[:count] | (scale == 0), np.float32(-4), np.float32(0))  # further than any cosine
            many = max(_CHUNK // size, 1)
            for at in range(0, len(ask), many):
                some = ask[at : at + many]
                rows = np.concatenate([rhythm[first : first + size] for _, first in some])
                dots = (rows @ bars.rhythm.T).reshape(len(some), size, -1)
                for (text, _), dot in zip(some, dots, strict=True):
                    score = dot[0, :count]  # each is looked at once, so it may be added to
                    for i in range(1, size):
                        score += dot[i, i : i + count]
                    score *= scale
                    score += barred
                    norm = max(float(np.linalg.norm(np.frombuffer(text, dtype=np.float32))), 1e-9)
                    best = np.flatnonzero(score >= score.max() - _EVEN * norm)
                    found[text] = int(best[np.argmin(apart[best])])
        return [found[text] for text in texts]

    def _copied(self, song: Prepared, copies: Iterable[tuple[int, int, int]], unknown: Sequence[int]) -> Grid:
        """The drums of known bars, (bar to be played, number of a song, bar in it); unknown bars by the rule."""
        form = song.heard.form
        first = form.first
        by_rule = _rule(song.heard) & np.isin(form.bar_of(np.arange(first[-1])), unknown)[:, None]
        pieces = [_grid(by_rule, self._velocities(song))]
        for target, number, bar in copies:
            starts, drums = self.first[number], self.drums[number]
            low, high = np.searchsorted(drums.step, starts[bar : bar + 2])
            piece = drums.select(np.arange(low, high))
            pieces.append(piece.shift(first[target] - starts[bar]))
        whole = Grid.join(pieces)
        return whole.select(np.lexsort((whole.key, whole.step)))


def _gather(song: Prepared, number: int, group: int, gathered: dict[BarKind, _Gathered]) -> None:
    """Add the bars of a song that have a hit to those of their kinds."""
    form = song.heard.form
    first = form.first
    roll = _roll(song.drums, form)
    for kind in _kinds(form):
        steps = kind[2]
        bars = np.flatnonzero(_is_kind(form, kind))
        rolls = roll[first[bars][:, None] + np.arange(steps)].reshape(len(bars), -1)
        heard = rolls.any(axis=1)
        bars, rolls = bars[heard], rolls[heard]
        if not len(bars):
            continue
        into = gathered.setdefault(kind, _Gathered())
        bpm = float(np.median(form.bpm[bars]))
        for bar, packed in zip(bars.tolist(), np.packbits(rolls, axis=1), strict=True):
            pattern = into.numbers.setdefault(packed.tobytes(), len(into.numbers))
            into.rows.append((number, bar, group, pattern))
        into.bpm += [bpm] * len(bars)
        into.onsets.append(_onsets(song.heard, steps)[bars])


def _small(grid: Grid) -> Grid:
    """The same notes, each column in the smallest integers that hold it."""

    def fitting(column: IntArray) -> NDArray[Any]:
        ends = (column.min(initial=0), column.max(initial=0))
        return column.astype(np.result_type(*map(np.min_scalar_type, ends)))

    return Grid(*map(fitting, grid))


def _roll(drums: Grid, form: Form) -> BoolArray:
    """(T, V): where each of the nine voices is struck."""
    roll = np.zeros((int(form.first[-1]), len(NINE)), dtype=bool)
    voice = to_kit(NINE)[drums.key]
    roll[drums.step[voice >= 0], voice[voice >= 0]] = True
    return roll


def _onsets(heard: Heard, steps: int) -> NDArray[np.uint8]:
    """(B, steps + 1): how many notes begin at each place of each bar, MOST_NOTES at most; last, 1 for an empty bar.

    So an empty bar is like an empty bar, and unlike all else. Places beyond `steps` are left out.
    """
    form, guitar = heard.form, heard.guitar
    bar = form.bar_of(guitar.step)
    place = form.place_of(guitar.step)
    count = np.zeros((len(form.steps), steps + 1), dtype=np.int64)
    np.add.at(count, (bar[place < steps], place[place < steps]), 1)
    count[:, -1] = ~(count > 0).any(axis=1)
    return np.minimum(count, MOST_NOTES).astype(np.uint8)


def _weights(onsets: NDArray[np.uint8]) -> FloatArray:
    """The weights of onsets by how many notes begin: 1 for one note, a little more for a chord."""
    table = 1 + POLYPHONY * (np.arange(MOST_NOTES + 1, dtype=np.float32) - 1)
    table[0] = 0
    weights: FloatArray = table[onsets]
    return weights


def _kinds(form: Form) -> list[BarKind]:
    return list(
        dict.fromkeys(zip(form.numerator.tolist(), form.denominator.tolist(), form.steps.tolist(), strict=True))
    )


def _is_kind(form: Form, kind: BarKind) -> BoolArray:
    is_kind: BoolArray = (form.numerator == kind[0]) & (form.denominator == kind[1]) & (form.steps == kind[2])
    return is_kind


def _inside(hits: BoolArray, heard: Heard) -> BoolArray:
    """The hits in bars where the guitar plays, or rests between two of them."""
    begin, stop = sounding(heard)
    first = heard.form.first
    inside = np.zeros_like(hits)
    inside[first[begin] : first[stop]] = hits[first[begin] : first[stop]]
    return inside


def _kinds_played(heard: Heard) -> dict[BarKind, IntArray]:
    """The bars to be played, by kind."""
    begin, stop = sounding(heard)
    number = np.arange(len(heard.form.steps))
    played = (number >= begin) & (number < stop)
    bars = {kind: np.flatnonzero(_is_kind(heard.form, kind) & played) for kind in _kinds(heard.form)}
    return {kind: which for kind, which in bars.items() if len(which)}


def _runs(bars: IntArray) -> list[IntArray]:
    """Bars that follow each other, together."""
    return np.split(bars, np.flatnonzero(np.diff(bars) != 1) + 1)


def _cut(run: IntArray, length: int) -> list[tuple[int, int]]:
    """A run as windows (first bar, bars) of a power of two; what is left at its end in halves of it."""
    windows = []
    at, stop = int(run[0]), int(run[-1]) + 1
    while at < stop:
        while length > stop - at:
            length //= 2
        windows.append((at, length))
        at += length
    return windows


def _starts(form: Form) -> IntArray:
    """The first step of each bar that has one."""
    return form.first[:-1][form.steps > 0]


def _bpm(heard: Heard) -> float:
    begin, stop = sounding(heard)
    return float(np.median(heard.form.bpm[begin : max(stop, begin + 1)]))


def _number(song: Prepared) -> int:
    return int.from_bytes(hashlib.blake2b(song.sha256.encode(), digest_size=8).digest(), "little")


def _grid(hits: BoolArray, velocity: IntArray) -> Grid:
    """Hits (T, V) of the nine voices as a grid of the full kit, each voice with one velocity."""
    full = np.zeros((len(hits), len(FULL)), dtype=np.int64)
    full[:, _OWN] = hits * velocity
    step, key = np.nonzero(full)
    return Grid(step, key, full[step, key], np.zeros_like(step), np.full_like(step, HIT_LENGTH))


def _commonest(bars: _Bars, counts: IntArray) -> BoolArray:
    """(S, V): the pattern that is played most often."""
    most = int(counts.argmax())
    pattern: BoolArray = bars.patterns(slice(most, most + 1))[0]
    return pattern


def _likely_hits(bars: _Bars, counts: IntArray) -> BoolArray:
    """(S, V): the set of hits with the best expected F1.

    Of all sets of one size the likeliest hits are the best, and the expected F1 of the k likeliest, counted over all
    bars together, is 2 (p1 + ... + pk) / (k + all p).
    """
    played = np.zeros((bars.steps, len(NINE)))
    for at in range(0, len(counts), _PATTERNS):
        some = slice(at, at + _PATTERNS)
        played += np.tensordot(counts[some], bars.patterns(some).astype(np.float64), axes=1)
    share = played / max(int(counts.sum()), 1)
    order = np.argsort(-share.ravel(), kind="stable")
    hit = np.cumsum(share.ravel()[order])
    best = int(np.argmax(2 * hit / (np.arange(1, len(hit) + 1) + hit[-1])))
    likely = np.zeros(share.size, dtype=bool)
    likely[order[: best + 1]] = True
    return likely.reshape(share.shape) & (share > 0)


def _rule(heard: Heard) -> BoolArray:
    """(T, V): what a pattern player gives: rock backbeat, or shuffle or swing ride where the guitar swings.

    Kick on the first beat and every other, snare on the rest, where beats are the accent groups of a metre in eighths
    and the units of any other; in a metre of unequal quarters (5/4 = 3 + 2) kicks are on the heads of its groups.
    """
    form = heard.form
    clock = clock_of(form)
    place = np.argmax(clock[:, CLOCK["subdivision"]], axis=1)
    kick, snare = _beats(form, clock, place)
    quarter = place == 0
    hits = np.zeros((len(place), len(NINE)), dtype=bool)
    hits[:, _KICK] = kick
    bar = form.bar_of(np.arange(len(place)))
    if not _swings(heard, place):
        fast = form.bpm[bar] * np.where(form.denominator[bar] >= 8, 2 / 3, 1) > 200
        hits[:, _HAT] = quarter | ((place == _EIGHTH) & ~fast)
        hits[:, _SNARE] = snare
        return hits
    offbeat = place == _TRIPLET
    if _bpm(heard) < SWUNG_RIDE:
        hits[:, _HAT] = quarter | offbeat
        hits[:, _SNARE] = snare
        return hits
    # Ding, ding-a-ding: the skip note follows the beats on which the foot closes the hi-hat.
    after = np.zeros(len(place), dtype=bool)
    at = np.flatnonzero(snare & quarter) + _TRIPLET
    after[at[at < len(after)]] = True
    hits[:, _RIDE] = quarter | (after & offbeat)
    hits[:, _HAT] = snare
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


def _swings(heard: Heard, place: IntArray) -> bool:
    """Whether the guitar plays its offbeats late, on the triplet, more often than straight."""
    played = place[np.unique(heard.guitar.step)]
    quarters = heard.form.denominator[heard.form.bar_of(np.unique(heard.guitar.step))] == 4
    late, straight = np.count_nonzero(played[quarters] == _TRIPLET), np.count_nonzero(played[quarters] == _EIGHTH)
    return int(late) > int(straight)


def _accents(heard: Heard) -> BoolArray:
    """(T,): the guitar's accents: loud, low or of many notes, and more so than seven of ten of its onsets."""
    guitar = features(heard).guitar
    at = np.flatnonzero(guitar[:, GUITAR.at("played")] > 0)
    accents = np.zeros(len(guitar), dtype=bool)
    if len(at):
        columns = guitar[at][:, GUITAR.pick("onsets", "loudness", "lowest")] * np.array([1, 1, -1])
        strength = ((columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-6)).sum(axis=1)
        accents[at[strength > np.quantile(strength, ACCENTED) + 1e-6]] = True
        accents[at[strength == strength.max()]] |= strength.max() > strength.min() + 1e-6
    return accents
