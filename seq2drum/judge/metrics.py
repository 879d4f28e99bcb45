"""How good drums are beside the real ones: a panel of figures, each with its interval over songs.

It knows bars, steps and voices; it knows no model, no baseline and no file. The law of the panel: every figure tells of
one take a plain vector of numbers (`tell`), and is read off the SUM of such vectors (`value`). So takes are averaged,
songs are added, and a bootstrap interval is songs drawn again: nothing is measured twice. A mean over songs is such a
sum, too: of the song's number, and 1.

Compared are the bars in which the real drummer is at work (`counted_bars`), the same on both sides. The real drums
are a player like any other: `tell(real, real, heard)`.

Conventions for nothing over nothing: an F1 of two empty sides is 1, of one empty side 0 (`f1`); two empty histograms
are alike (divergence 0, overlap 1), an empty and another are not (1, 0); a ratio of 0 to 0 is 1; whatever else there
was nothing of to measure is NaN, "no answer".

Letters of shapes: B bars, T steps of all bars, S steps of the longest bar, V the nine voices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seq2drum.data.batches import REST
from seq2drum.lattice import groove
from seq2drum.lattice.form import MAX_STEPS, Form
from seq2drum.lattice.grid import STEPS_PER_QUARTER
from seq2drum.lattice.groove import Drums
from seq2drum.lattice.listening import Heard
from seq2drum.music.kit import NINE
from seq2drum.music.notes import IntArray

Vector = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Statistics = Mapping[str, Vector]
"""What was counted of a take or a song, a vector for each figure by its name."""

LAGS = 16  # bars: how far the bar-similarity curve looks
WINDOWS = (1, 2, 4)  # bars of an exact copy
NEAR = 1  # bars that a fill may be away from the real one
MOST_HITS = 64  # a bar of four quarters; the last bin of the density histogram holds what is beyond
_RATIO_BINS, _RATIO_OCTAVES = 32, 4  # bins an octave, and octaves either side of 1, of the histogram of ratios

_NAMES = [voice.name for voice in NINE.voices]
_KICK, _CRASH = _NAMES.index("kick"), _NAMES.index("crash")
_TOMS = tuple(index for index, name in enumerate(_NAMES) if name.endswith(" tom"))
_CYMBALS = tuple(_NAMES.index(name) for name in ("closed hat", "open hat", "ride"))
_FAMILIES = ((_KICK,), (_NAMES.index("snare"),), (_CRASH,), _TOMS, _CYMBALS)


# --- what is counted of one part --------------------------------------------------------------------------------------


def counted_bars(real: Drums) -> BoolArray:
    """(B,): the bars that count: from the real drummer's first hit to the last, without rests of REST bars or more.

    An introduction or an interlude without drums is the arranger's, not the drummer's; a stop of a bar or two is.
    """
    sounding = np.flatnonzero(_hits_by_bar(real))
    counted = np.zeros(len(real.form.steps), dtype=bool)
    for here, following in zip(sounding, [*sounding[1:], sounding[-1] + 1] if len(sounding) else [], strict=True):
        counted[here : following if following - here <= REST else here + 1] = True
    return counted


def cut(drums: Drums, bars: BoolArray) -> Drums:
    """Some bars of a drum part, as if there had been no others. bars: (B,)."""
    steps = np.repeat(bars, drums.form.steps)
    return Drums(_cut_form(drums.form, bars), drums.velocity[steps], drums.offset[steps])


def _cut_form(form: Form, bars: BoolArray) -> Form:
    return Form(form.steps[bars], form.numerator[bars], form.denominator[bars], form.bpm[bars])


def _hits_by_bar(drums: Drums) -> IntArray:
    """(B,): how often anything is struck."""
    hits = np.concatenate([[0], np.cumsum((drums.velocity > 0).sum(axis=1))])
    counts: IntArray = np.diff(hits[drums.form.first])
    return counts


@dataclass(frozen=True, eq=False)
class Side:
    """Real or made drums in the bars that count, with what several figures need of them.

    drums: in nine voices, at least one bar. guitar (T,): the summed velocities of the guitar notes that begin at each
    step. copies: what the training set plays, if that is known.
    """

    drums: Drums
    guitar: Vector
    copies: Copies | None = None

    @cached_property
    def hits(self) -> BoolArray:
        """(T, V): what is struck."""
        return self.drums.velocity > 0

    @cached_property
    def families(self) -> BoolArray:
        """(T, 5): the same for kick, snare, crash, toms, and hats and ride together."""
        return np.stack([self.hits[:, list(family)].any(axis=1) for family in _FAMILIES], axis=1)

    @cached_property
    def rolls(self) -> NDArray[np.float32]:
        """(B, S, V): hits bar by bar."""
        return groove.bars_of(self.drums)

    @cached_property
    def bar_hits(self) -> IntArray:
        """(B,): how often anything is struck in each bar."""
        return _hits_by_bar(self.drums)

    @cached_property
    def fills(self) -> BoolArray:
        """(B,): which bars are fills."""
        return groove.fills(self.drums)

    @cached_property
    def syncopation(self) -> float:
        """The mean over the bars."""
        return float(groove.syncopation(self.drums).mean())

    @cached_property
    def similarity(self) -> float:
        """Groove similarity, or NaN without two bars to compare; see `groove_similarity`."""
        return groove_similarity(self.drums)

    @cached_property
    def curve(self) -> Vector:
        """(2, LAGS): summed likeness and number of the pairs of bars so far apart; see `likeness`."""
        return likeness(self.drums)

    @cached_property
    def copied(self) -> Vector:
        """(windows, 2): see `Copies.rate`; zeros if no training set is known."""
        return np.zeros((len(WINDOWS), 2)) if self.copies is None else self.copies.rate(self.drums)


class Trial(NamedTuple):
    """A take beside the real drums, both sides in the bars that count."""

    real: Side
    made: Side


def groove_similarity(drums: Drums) -> float:
    """How alike the rhythm of all bars is: the mean over pairs of bars of 1 - XOR(g_i, g_j) / steps; NaN without pairs.

    g: whether anything is struck at each step. After S.-L. Wu, Y.-H. Yang, The Jazz Transformer on the front line
    (2020); all pairs of bars of one length, not a sample: where c of n bars strike, c (n - c) pairs differ. A loop has
    1, so higher is not better.
    """
    onset = groove.bars_of(drums).max(axis=2)
    differ = pairs = 0.0
    for bars in _alike(drums.form):
        n, struck = len(bars), onset[bars].sum(axis=0)
        differ += float((struck * (n - struck)).sum()) / int(drums.form.steps[bars[0]])
        pairs += n * (n - 1) / 2
    return 1 - differ / pairs if pairs else np.nan


def likeness(drums: Drums) -> Vector:
    """(2, LAGS): how alike bars 1, 2, ... LAGS apart are, summed, and how many such pairs there are.

    Two bars are alike by 1 - |D_i - D_j| / (|D_i| + |D_j|), two silent ones by 1. Only bars of one length are compared.
    """
    rolls, steps = groove.bars_of(drums), drums.form.steps
    count = rolls.sum(axis=(1, 2))
    out = np.zeros((2, LAGS))
    for lag in range(1, min(LAGS, len(rolls) - 1) + 1):
        comparable = steps[lag:] == steps[:-lag]
        both = (count[lag:] + count[:-lag])[comparable]
        differs = np.abs(rolls[lag:] - rolls[:-lag]).sum(axis=(1, 2))[comparable]
        out[:, lag - 1] = (1 - differs / np.maximum(both, 1)).sum(), len(both)
    return out


def _alike(form: Form) -> list[IntArray]:
    """The bars of each length."""
    return [np.flatnonzero(form.steps == steps) for steps in np.unique(form.steps)]


def _by_bar(values: NDArray[np.generic], form: Form) -> Vector:
    """(B, S): values (T,) of the steps bar by bar, zero beyond a bar's end."""
    bar = np.repeat(np.arange(len(form.steps)), form.steps)
    rows = np.zeros((len(form.steps), int(form.steps.max())))
    rows[bar, np.arange(len(bar)) - form.first[bar]] = values
    return rows


def above_chance(here: NDArray[np.generic], there: NDArray[np.generic], form: Form) -> tuple[float, float, BoolArray]:
    """What two series (T,) have in common: the sum of their products; the same by chance; which bars (B,) were used.

    By chance: the mean over all shifts of one series by whole bars, among bars of one length. Each place of a bar then
    meets the same place of every other bar, so the mean needs no shifting. A bar whose length no other has is left out.
    A loop has nothing above chance, however well it fits: it would fit any bar.
    """
    first, second = _by_bar(here, form), _by_bar(there, form)
    common = chance = 0.0
    used = np.zeros(len(form.steps), dtype=bool)
    for bars in _alike(form):
        if len(bars) < 2:
            continue
        own = float((first[bars] * second[bars]).sum())
        every = float(first[bars].sum(axis=0) @ second[bars].sum(axis=0))
        common, chance = common + own, chance + (every - own) / (len(bars) - 1)
        used[bars] = True
    return common, chance, used


def every_eighth(form: Form) -> BoolArray:
    """(B,): a fill in every eighth bar, the guess that any finding of fills has to beat."""
    found: BoolArray = np.arange(len(form.steps)) % 8 == 7
    return found


def match_fills(found: BoolArray, real: BoolArray) -> Vector:
    """(3,): how many fills (B,) are found within NEAR bars, each once; how many were guessed; how many there are."""
    guesses, wanted = np.flatnonzero(found).tolist(), np.flatnonzero(real).tolist()
    i = j = matched = 0
    while i < len(guesses) and j < len(wanted):
        if abs(guesses[i] - wanted[j]) <= NEAR:
            matched, i, j = matched + 1, i + 1, j + 1
        elif guesses[i] < wanted[j]:
            i += 1
        else:
            j += 1
    return np.array([matched, len(guesses), len(wanted)], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Copies:
    """All that a training set plays in 1, 2 and 4 bars: a sorted array (windows,) of hashes for each of WINDOWS.

    Two windows are equal if metre and hits are; how loud and how late does not matter.
    """

    known: tuple[NDArray[np.uint64], ...]

    @staticmethod
    def of(songs: Iterable[Drums]) -> Copies:
        """Read a training set, in the same voices as what will be compared with it."""
        found: list[list[NDArray[np.uint64]]] = [[] for _ in WINDOWS]
        for drums in songs:
            for kept, hashes in zip(found, _windows(drums), strict=True):
                kept.append(np.unique(hashes))
        return Copies(tuple(np.unique(np.concatenate([np.zeros(0, np.uint64), *kept])) for kept in found))

    def rate(self, drums: Drums) -> Vector:
        """(windows, 2): how many windows of a part are in the training set, and how many there are; no silent ones.

        Real drums that were not trained on have a rate, too: a backbeat is nobody's. Show it beside.
        """
        rows = []
        for here, known in zip(_windows(drums), self.known, strict=True):
            place = np.minimum(np.searchsorted(known, here), max(len(known) - 1, 0))
            rows.append([float((known[place] == here).sum()) if len(known) else 0.0, float(len(here))])
        return np.array(rows)


def _keys(drums: Drums) -> list[bytes]:
    """The metre and the hits of each bar."""
    first, form = drums.form.first.tolist(), drums.form
    hits = drums.velocity > 0
    metre = np.stack([form.numerator, form.denominator], axis=1).astype(np.int32)
    return [metre[bar].tobytes() + hits[begin:end].tobytes() for bar, (begin, end) in enumerate(pairwise(first))]


def _windows(drums: Drums) -> list[NDArray[np.uint64]]:
    """The hashes of all windows of 1, 2 and 4 bars in which anything is struck."""
    digests = [blake2b(key, digest_size=8).digest() for key in _keys(drums)]
    bars = np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
    struck = _hits_by_bar(drums) > 0
    found = []
    for length in WINDOWS:
        count = max(len(bars) - length + 1, 0)
        hashes, sounds = np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=bool)
        for place in range(length):
            # An odd multiplier: windows are equal only with the same bars in the same order (64 bits, by chance never).
            hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + bars[place : place + count]
            sounds |= struck[place : place + count]
        found.append(hashes[sounds])
    return found


# --- what is read off the sums ----------------------------------------------------------------------------------------


def f1(both: float, made: float, real: float) -> float:
    """The harmonic mean of precision and recall from counts; 1 if both sides are empty, 0 if one is."""
    return 2 * both / (made + real) if made + real else 1.0


def ratio(made: float, real: float) -> float:
    """Made to real; 1 if both are 0, NaN if only the real is."""
    if real == 0:
        return 1.0 if made == 0 else np.nan
    return made / real


def share(part: float, whole: float) -> float:
    """A share or a mean; NaN of nothing."""
    return part / whole if whole else np.nan


def divergence(made: Vector, real: Vector) -> float:
    """The Jensen-Shannon divergence of two histograms in bits, 0 to 1; 0 if both are empty, 1 if one is."""
    if not made.any() or not real.any():
        return float(made.any() != real.any())
    p, q = made / made.sum(), real / real.sum()
    middle = (p + q) / 2

    def to_middle(side: Vector) -> float:
        held = side > 0
        return float((side[held] * np.log2(side[held] / middle[held])).sum())

    return max((to_middle(p) + to_middle(q)) / 2, 0.0)


def overlap(made: Vector, real: Vector) -> float:
    """The area that two histograms share, 0 to 1; 1 if both are empty, 0 if one is."""
    if not made.any() or not real.any():
        return float(made.any() == real.any())
    return float(np.minimum(made / made.sum(), real / real.sum()).sum())


def pearson(sums: Vector) -> float:
    """The correlation from (n, x, y, xx, yy, xy) sums; 0 if a side never varies, NaN of nothing."""
    n, x, y, xx, yy, xy = sums.tolist()
    if not n:
        return np.nan
    # Sums of whole numbers are exact; a variance below what rounding leaves of the squares is none.
    vary_x, vary_y = xx - x * x / n, yy - y * y / n
    if vary_x <= 1e-12 * xx or vary_y <= 1e-12 * yy:
        return 0.0
    return float(np.clip((xy - x * y / n) / np.sqrt(vary_x * vary_y), -1, 1))


def curve(sums: Vector) -> Vector:
    """(2, LAGS): the bar-similarity curve s(1), s(2), ... of the made and the real drums.

    sums: the statistics of `FIGURES["bar similarity error"]`, of a song or of all. NaN where no bars are so far apart.
    """
    made, real, pairs = sums.reshape(3, LAGS)
    return np.where(pairs > 0, np.stack([made, real]) / np.maximum(pairs, 1e-9), np.nan)


def rank_of_true(nats: ArrayLike) -> float:
    """The share of windows whose own guitar, column 0 of nats (windows, guitars), is the likeliest; NaN of none.

    Guitars that tie share the place, so that the deaf have 1 / guitars.
    """
    rows = np.asarray(nats, dtype=np.float64)
    if not len(rows):
        return np.nan
    least = rows == rows.min(axis=1, keepdims=True)
    return float((least[:, 0] / least.sum(axis=1)).mean())


# --- the panel --------------------------------------------------------------------------------------------------------

Better = Literal["high", "low", "near real", "to beat"]
WAYS: Mapping[str, str] = {
    "high": "higher is better",
    "low": "lower is better",
    "near real": "near the real drums is best",
}
"""Which way is good, in words; of what is there to be beaten there is nothing to say."""


class Figure(NamedTuple):
    """One figure: what it is called and means, which way is good, what it tells of a take, how a sum is read.

    better: "near real" is judged by what the real drums have; "to beat" is the same for all players.
    """

    name: str
    meaning: str
    better: Better
    group: str
    tell: Callable[[Trial], ArrayLike]
    value: Callable[[Vector], float]


def _of_each(read: Callable[..., float]) -> Callable[[Vector], float]:
    return lambda sums: read(*sums.tolist())


def _of_halves(read: Callable[[Vector, Vector], float]) -> Callable[[Vector], float]:
    return lambda sums: read(sums[: len(sums) // 2], sums[len(sums) // 2 :])  # np.split took longer than reading


def _hits(name: str, meaning: str, view: Callable[[Side], BoolArray]) -> Figure:
    """An F1 over the cells of a view of both sides, pooled over songs."""
    return Figure(name, meaning, "high", "hits", lambda trial: _cells(view(trial.made), view(trial.real)), _of_each(f1))


def _cells(made: BoolArray, real: BoolArray) -> list[float]:
    return [float((made & real).sum()), float(made.sum()), float(real.sum())]


def _of_songs(number: float) -> list[float]:
    """What a song gives to a mean over songs; a song without an answer is left out."""
    return [0.0, 0.0] if np.isnan(number) else [number, 1.0]


def _ratios(trial: Trial) -> Vector:
    """A histogram with one entry: the ratio of hits, by 32nds of an octave. The median is read off the sum."""
    middle = _RATIO_BINS * _RATIO_OCTAVES
    found = np.zeros(2 * middle + 1)
    made, real = trial.made.hits.sum(), trial.real.hits.sum()
    if real:
        place = np.rint(np.log2(max(made / real, 1e-9)) * _RATIO_BINS)
        found[int(np.clip(middle + place, 0, 2 * middle))] = 1
    return found


def _median_ratio(histogram: Vector) -> float:
    """The median of a histogram of ratios, to 1 in 45; NaN of nothing. The lowest bin holds all down to 0."""
    if not histogram.any():
        return np.nan
    place = int(np.searchsorted(np.cumsum(histogram), histogram.sum() / 2 * (1 - 1e-12)))
    return float(2.0 ** (place / _RATIO_BINS - _RATIO_OCTAVES)) if place else 0.0


def _densities(side: Side) -> Vector:
    """(MOST_HITS + 1,): how many bars have so many hits, for each four quarters."""
    hits = np.rint(4 * STEPS_PER_QUARTER * side.bar_hits / side.drums.form.steps).astype(np.int64)
    return np.bincount(np.minimum(hits, MOST_HITS), minlength=MOST_HITS + 1).astype(np.float64)


def _places(side: Side) -> Vector:
    """(MAX_STEPS * V,): how often each voice is struck at each place of a bar; the last holds all places beyond."""
    form = side.drums.form
    step, voice = np.nonzero(side.hits)
    place = np.minimum(step - form.first[form.bar_of(step)], MAX_STEPS - 1)
    return np.bincount(place * len(_NAMES) + voice, minlength=MAX_STEPS * len(_NAMES)).astype(np.float64)


def _curves(trial: Trial) -> Vector:
    return np.concatenate([trial.made.curve[0], trial.real.curve[0], trial.real.curve[1]])


def _curve_error(sums: Vector) -> float:
    pairs = sums[2 * LAGS :]
    made, real = curve(sums)
    return float(np.abs(made - real)[pairs > 0].mean()) if pairs.any() else np.nan


def _crashes(side: Side) -> list[float]:
    """How many fills land on a crash at the next barline, and how many there are with a bar after them."""
    after = np.flatnonzero(side.fills[:-1]) + 1
    return [float(side.hits[side.drums.form.first[after], _CRASH].sum()), float(len(after))]


def _toms(side: Side) -> list[float]:
    """How many hits in fills are of toms, and how many there are."""
    inside = side.rolls[side.fills].sum(axis=(0, 1))
    return [float(inside[list(_TOMS)].sum()), float(inside.sum())]


def _velocities(trial: Trial) -> Vector:
    """The sums for a correlation of velocities over the cells that both sides strike."""
    both = trial.made.hits & trial.real.hits
    x, y = (side.drums.velocity[both].astype(np.float64) for side in (trial.made, trial.real))
    return np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y])


def _error(trial: Trial, of: Callable[[Drums], NDArray[np.generic]]) -> list[float]:
    """The summed distance of velocities or offsets over the cells that both sides strike, and their number."""
    both = trial.made.hits & trial.real.hits
    x, y = (of(side.drums)[both].astype(np.float64) for side in (trial.made, trial.real))
    return [float(np.abs(x - y).sum()), float(len(x))]


def _spread(trial: Trial, of: Callable[[Drums], NDArray[np.generic]]) -> list[float]:
    """By side: the squared distances of all hits from their voice's mean in the song, and the degrees of freedom."""
    out = []
    for side in (trial.made, trial.real):
        hits, values = side.hits, of(side.drums).astype(np.float64)
        count = hits.sum(axis=0)
        mean = (values * hits).sum(axis=0) / np.maximum(count, 1)
        out += [float((((values - mean) * hits) ** 2).sum()), float(np.maximum(count - 1, 0).sum())]
    return out


def _spread_ratio(made: float, made_freedom: float, real: float, real_freedom: float) -> float:
    # Rounding leaves a few parts in 1e16 of a spread that is none.
    one, other = (np.sqrt(total / max(freedom, 1)) for total, freedom in ((made, made_freedom), (real, real_freedom)))
    return ratio(*(float(spread) if spread > 1e-6 else 0.0 for spread in (one, other)))


def _kicks(side: Side) -> list[float]:
    """How many kicks fall on a step where the guitar begins a note; how many would by chance; how many there are."""
    form, kick = side.drums.form, side.hits[:, _KICK]
    common, chance, used = above_chance(kick, side.guitar > 0, form)
    return [common, chance, float(kick[np.repeat(used, form.steps)].sum())]


def _agreement(side: Side) -> float:
    """The correlation of the drums' summed velocities with the guitar's, step by step, less what chance gives.

    0 if the drums do not vary, NaN if the guitar does not. A shift moves neither mean nor variance, so the difference
    of the correlations is the difference of the products.
    """
    form, drums = side.drums.form, side.drums.velocity.sum(axis=1)
    common, chance, used = above_chance(drums, side.guitar, form)
    steps = np.repeat(used, form.steps)
    if not steps.any() or not np.ptp(side.guitar[steps]):
        return np.nan
    deviations = drums[steps].std() * side.guitar[steps].std()
    return float((common - chance) / (steps.sum() * deviations)) if deviations else 0.0


def _velocity(drums: Drums) -> NDArray[np.generic]:
    return drums.velocity


def _offset(drums: Drums) -> NDArray[np.generic]:
    return drums.offset


def _copy(index: int, bars: int) -> Figure:
    name = f"copies of {bars} bar{'s' * (bars > 1)}"
    meaning = "share of windows that the training set has exactly so, silence left out"
    return Figure(name, meaning, "near real", "copies", lambda trial: trial.made.copied[index], _of_each(share))


def _voice_hits(index: int) -> Figure:
    return _hits(f"F1 {_NAMES[index]}", "the same for one voice", lambda side: side.hits[:, [index]])


_PANEL = (
    _hits("hit F1", "same step, same voice, nine voices, all songs pooled", lambda side: side.hits),
    Figure(
        "hit F1 per song",
        "the same, mean over songs",
        "high",
        "hits",
        lambda trial: _of_songs(f1(*_cells(trial.made.hits, trial.real.hits))),
        _of_each(share),
    ),
    _hits("kick and snare F1", "the same for kick and snare", lambda side: side.hits[:, list(sum(_FAMILIES[:2], ()))]),
    _hits("onset F1", "same step, any voice", lambda side: side.hits.max(axis=1)),
    _hits("family F1", "kick, snare, crash, toms as one, hats and ride as one", lambda side: side.families),
    *(_voice_hits(index) for index in range(len(_NAMES))),
    Figure(
        "hits a bar",
        "hits for every four quarters",
        "near real",
        "density",
        lambda trial: [trial.made.hits.sum(), len(trial.made.hits)],
        lambda sums: 4 * STEPS_PER_QUARTER * share(*sums.tolist()),
    ),
    Figure(
        "hits made to real",
        "ratio of all hits",
        "near real",
        "density",
        lambda trial: [trial.made.hits.sum(), trial.real.hits.sum()],
        _of_each(ratio),
    ),
    Figure("median of hits made to real", "the median song's ratio", "near real", "density", _ratios, _median_ratio),
    Figure(
        "density overlap",
        "area that the histograms of hits a bar share",
        "high",
        "density",
        lambda trial: np.concatenate([_densities(trial.made), _densities(trial.real)]),
        _of_halves(overlap),
    ),
    Figure(
        "voice JSD",
        "divergence of the shares of the nine voices, bits",
        "low",
        "distribution",
        lambda trial: np.concatenate([trial.made.hits.sum(axis=0), trial.real.hits.sum(axis=0)]),
        _of_halves(divergence),
    ),
    Figure(
        "position JSD",
        "divergence of where in the bar which voice is struck, bits",
        "low",
        "distribution",
        lambda trial: np.concatenate([_places(trial.made), _places(trial.real)]),
        _of_halves(divergence),
    ),
    Figure(
        "groove similarity",
        "how alike the rhythms of a song's bars are; a loop has 1",
        "near real",
        "structure",
        lambda trial: _of_songs(trial.made.similarity),
        _of_each(share),
    ),
    Figure(
        "groove similarity error",
        "distance of the same from the real song's, mean over songs",
        "low",
        "structure",
        lambda trial: _of_songs(abs(trial.made.similarity - trial.real.similarity)),
        _of_each(share),
    ),
    Figure(
        "bar similarity error",
        "mean distance of the curves of how alike bars 1 to 16 apart are",
        "low",
        "structure",
        _curves,
        _curve_error,
    ),
    Figure(
        "distinct bars",
        "share of bars that are not the same as an earlier one of the song",
        "near real",
        "structure",
        lambda trial: [len(set(_keys(trial.made.drums))), len(trial.made.bar_hits)],
        _of_each(share),
    ),
    Figure(
        "fill rate",
        "share of bars that are fills",
        "near real",
        "fills",
        lambda trial: [trial.made.fills.sum(), len(trial.made.fills)],
        _of_each(share),
    ),
    Figure(
        "fill F1",
        "fills within a bar of a real one",
        "high",
        "fills",
        lambda trial: match_fills(trial.made.fills, trial.real.fills),
        _of_each(f1),
    ),
    Figure(
        "fill F1 of every eighth bar",
        "what a fill in every eighth bar would have",
        "to beat",
        "fills",
        lambda trial: match_fills(every_eighth(trial.real.drums.form), trial.real.fills),
        _of_each(f1),
    ),
    Figure(
        "crash after a fill",
        "share of fills that land on a crash at the next barline",
        "near real",
        "fills",
        lambda trial: _crashes(trial.made),
        _of_each(share),
    ),
    Figure(
        "toms in fills",
        "share of the hits of fills that are of toms",
        "near real",
        "fills",
        lambda trial: _toms(trial.made),
        _of_each(share),
    ),
    Figure(
        "syncopation",
        "how far bars lean against their metre, mean over songs",
        "near real",
        "feel",
        lambda trial: _of_songs(trial.made.syncopation),
        _of_each(share),
    ),
    Figure(
        "syncopation error",
        "distance of the same from the real song's, mean over songs",
        "low",
        "feel",
        lambda trial: _of_songs(abs(trial.made.syncopation - trial.real.syncopation)),
        _of_each(share),
    ),
    Figure(
        "velocity error",
        "mean distance of the velocities (1 to 127) of right hits",
        "low",
        "feel",
        lambda trial: _error(trial, _velocity),
        _of_each(share),
    ),
    Figure("velocity r", "correlation of the velocities of right hits", "high", "feel", _velocities, pearson),
    Figure(
        "velocity spread",
        "deviation from the mean of voice and song, made to real",
        "near real",
        "feel",
        lambda trial: _spread(trial, _velocity),
        _of_each(_spread_ratio),
    ),
    Figure(
        "offset error",
        "mean distance of the offsets of right hits, in gaps between steps",
        "low",
        "feel",
        lambda trial: _error(trial, _offset),
        _of_each(share),
    ),
    Figure(
        "offset spread",
        "deviation from the mean of voice and song, made to real",
        "near real",
        "feel",
        lambda trial: _spread(trial, _offset),
        _of_each(_spread_ratio),
    ),
    Figure(
        "kicks with the guitar",
        "share of kicks on a guitar onset, less the share when shifted by whole bars",
        "near real",
        "guitar",
        lambda trial: _kicks(trial.made),
        lambda sums: share(float(sums[0] - sums[1]), float(sums[2])),
    ),
    Figure(
        "accents with the guitar",
        "correlation of loudness step by step, less the same when shifted by whole bars, mean over songs",
        "near real",
        "guitar",
        lambda trial: _of_songs(_agreement(trial.made)),
        _of_each(share),
    ),
    *(_copy(index, bars) for index, bars in enumerate(WINDOWS)),
)

FIGURES: Mapping[str, Figure] = MappingProxyType({figure.name: figure for figure in _PANEL})
"""The panel, in the order of a report."""


@dataclass(frozen=True, eq=False)
class Judge:
    """A song's real drums and guitar, ready to judge any number of takes: what the real side needs is found once.

    real: in nine voices. copies: what the training set plays; without it the rates of copies are NaN.
    """

    real: Drums
    heard: Heard
    copies: Copies | None = None

    @cached_property
    def bars(self) -> BoolArray:
        """(B,): the bars that count."""
        return counted_bars(self.real)

    @cached_property
    def _side(self) -> Side:
        return self._cut(self.real)

    def _cut(self, drums: Drums) -> Side:
        guitar: Vector = np.zeros(len(self.real.velocity))
        np.add.at(guitar, self.heard.guitar.step, self.heard.guitar.velocity)
        return Side(cut(drums, self.bars), guitar[np.repeat(self.bars, self.real.form.steps)], self.copies)

    def tell(self, made: Drums) -> dict[str, Vector]:
        """What is counted of one take, for each figure. A song in which the real drummer never plays counts nothing.

        Raises:
            ValueError: the take has other bars than the real drums.
        """
        if not np.array_equal(made.form.steps, self.real.form.steps):
            raise ValueError(
                f"the take has {len(made.form.steps)} bars of {made.form.steps.sum()} steps, the real drums have "
                f"{len(self.real.form.steps)} of {self.real.form.steps.sum()}; play to the form of the song"
            )
        if not self.bars.any():
            return {name: np.zeros_like(row) for name, row in _told(_SILENT).items()}
        return _told(Trial(self._side, self._side if made is self.real else self._cut(made)))


def _told(trial: Trial) -> dict[str, Vector]:
    return {name: np.asarray(figure.tell(trial), dtype=np.float64) for name, figure in FIGURES.items()}


def _silence() -> Side:
    form = Form(np.array([24]), np.array([4]), np.array([4]), np.array([120.0]))
    nothing = np.zeros((24, len(_NAMES)))
    return Side(Drums(form, nothing.astype(np.int64), nothing.astype(np.float32)), np.zeros(24))


_SILENT = Trial(_silence(), _silence())


def tell(real: Drums, made: Drums, heard: Heard, copies: Copies | None = None) -> dict[str, Vector]:
    """What is counted of one take beside the real drums, both in nine voices; see `Judge.tell`."""
    return Judge(real, heard, copies).tell(made)


def mean_of(takes: Sequence[Statistics]) -> dict[str, Vector]:
    """What is counted of a song: the mean over its takes, so that a song weighs the same however often it is played."""
    return {name: np.mean([take[name] for take in takes], axis=0) for name in takes[0]}


def values(statistics: Statistics) -> dict[str, float]:
    """The figures of one take or one song by itself."""
    return {name: FIGURES[name].value(row) for name, row in statistics.items()}


class Interval(NamedTuple):
    """A figure with its 95 % bootstrap interval over songs. All three are NaN where there was nothing to measure."""

    value: float
    low: float
    high: float


def summarise(songs: Sequence[Statistics], rng: np.random.Generator, draws: int = 1000) -> dict[str, Interval]:
    """All figures over some songs, each with an interval.

    Raises:
        ValueError: there is no song.
    """
    weights = _resampled(len(songs), rng, draws)
    return {name: _interval(*_draws(name, songs, weights)) for name in songs[0]}


def compare(
    here: Sequence[Statistics], there: Sequence[Statistics], rng: np.random.Generator, draws: int = 1000
) -> dict[str, Interval]:
    """How much higher each figure is here than there, over the same songs in the same order.

    The songs are drawn for both at once, so what makes a song hard for both does not widen the interval.

    Raises:
        ValueError: there is no song, or not as many here as there.
    """
    if len(here) != len(there):
        raise ValueError(f"found {len(here)} songs here and {len(there)} there; wanted the same songs on both sides")
    weights = _resampled(len(here), rng, draws)
    found = {}
    for name in here[0]:
        (one, ones), (other, others) = (_draws(name, songs, weights) for songs in (here, there))
        found[name] = _interval(one - other, ones - others)
    return found


def _resampled(songs: int, rng: np.random.Generator, draws: int) -> Vector:
    """(draws, songs): how often each song is drawn, as many as there are, with replacement."""
    if not songs:
        raise ValueError("found no song to summarise; wanted at least one")
    return rng.multinomial(songs, np.full(songs, 1 / songs), size=draws).astype(np.float64)


def _draws(name: str, songs: Sequence[Statistics], weights: Vector) -> tuple[float, Vector]:
    rows, read = np.stack([song[name] for song in songs]), FIGURES[name].value
    return read(rows.sum(axis=0)), np.array([read(row) for row in weights @ rows])


def _interval(value: float, draws: Vector) -> Interval:
    """Percentiles of the draws that have an answer.

    Draws of a distance lean upwards (fewer different songs are less alike), so the interval is widened, if need be, to
    hold the value itself.
    """
    draws = draws[~np.isnan(draws)]
    if np.isnan(value) or not len(draws):
        return Interval(value, np.nan, np.nan)
    low, high = np.percentile(draws, [2.5, 97.5])
    return Interval(value, min(float(low), value), max(float(high), value))
