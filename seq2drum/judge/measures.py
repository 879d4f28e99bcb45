"""Measures of drums: of one part, of two beside each other, and of added counts.

It knows bars, steps and voices; it knows no song, no player and no figure of the panel.

Conventions for nothing over nothing: an F1 of two empty sides is 1, of one empty side 0 (`f1`); two empty histograms
are equal (divergence 0, overlap 1), an empty and another are not (1, 0); a ratio of 0 to 0 is 1; anything else
without a count is NaN, "no answer".

Letters of shapes: B bars, T steps of all bars, S steps of the longest bar, V the nine voices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seq2drum.data.batches.batches import DRUM_REST
from seq2drum.lattice.conditions import Drums, bars_of
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid
from seq2drum.music.kit import HANDS, NINE, Kit, Limbs
from seq2drum.music.notes import IntArray, Part

Vector = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

VOICE = {name: index for index, name in enumerate(NINE.names)}
"""The nine voices by name: columns of drums."""

CURVE_BARS = 16  # the largest distance in the bar-similarity curve, in bars
COPY_LENGTHS = (1, 2, 4)  # bars of an exact copy
MOST_COMPARED = 256  # bars that each bar is compared with to find the typical one
FILL_TOLERANCE = 1  # largest distance of a fill from the real one, in bars


def judged_bars(real: Drums) -> BoolArray:
    """(B,): the bars that count: from the first real hit to the last, without rests of DRUM_REST bars or more.

    An introduction or an interlude without drums is the arranger's choice; a stop of a bar or two is the drummer's.
    """
    sounding = np.flatnonzero(hits_by_bar(real))
    counted = np.zeros(len(real.form.steps), dtype=bool)
    for here, following in zip(sounding, [*sounding[1:], sounding[-1] + 1] if len(sounding) else [], strict=True):
        counted[here : following if following - here <= DRUM_REST else here + 1] = True
    return counted


def cut(drums: Drums, bars: BoolArray) -> Drums:
    """Some bars of a drum part as a separate part. bars: (B,)."""
    steps = np.repeat(bars, drums.form.steps)
    return Drums(drums.form.select(bars), drums.velocity[steps], drums.offset[steps])


def hits_by_bar(drums: Drums) -> IntArray:
    """(B,): the number of hits in each bar."""
    hits = np.concatenate([[0], np.cumsum((drums.velocity > 0).sum(axis=1))])
    counts: IntArray = np.diff(hits[drums.form.first])
    return counts


def groove_similarity(drums: Drums) -> float:
    """The similarity of all bars' rhythms: the mean over pairs of 1 - XOR(g_i, g_j) / steps; NaN without pairs.

    g: whether anything is struck at each step. After S.-L. Wu, Y.-H. Yang, The Jazz Transformer on the front line
    (2020); all pairs of bars of one length, not a sample: where c of n bars strike, c (n - c) pairs differ. A loop has
    1, so higher is not better.
    """
    onset = bars_of(drums).max(axis=2)
    differ = pairs = 0.0
    for bars in _alike(drums.form):
        n, struck = len(bars), onset[bars].sum(axis=0)
        differ += float((struck * (n - struck)).sum()) / int(drums.form.steps[bars[0]])
        pairs += n * (n - 1) / 2
    return 1 - differ / pairs if pairs else np.nan


def likeness(drums: Drums) -> Vector:
    """(2, CURVE_BARS): summed similarity of bars 1, 2, ... CURVE_BARS apart, and the number of such pairs.

    The similarity of two bars is 1 - |D_i - D_j| / (|D_i| + |D_j|), of two silent ones 1. Only bars of one length are
    compared.
    """
    rolls, steps = bars_of(drums), drums.form.steps
    count = rolls.sum(axis=(1, 2))
    out = np.zeros((2, CURVE_BARS))
    for lag in range(1, min(CURVE_BARS, len(rolls) - 1) + 1):
        comparable = steps[lag:] == steps[:-lag]
        both = (count[lag:] + count[:-lag])[comparable]
        differs = np.abs(rolls[lag:] - rolls[:-lag]).sum(axis=(1, 2))[comparable]
        out[:, lag - 1] = (1 - differs / np.maximum(both, 1)).sum(), len(both)
    return out


def typical(bars: NDArray[np.generic]) -> int:
    """The index of the bar (n, ...) most similar to the others, by the mean F1; the first of several.

    Beyond MOST_COMPARED bars, each is compared with that many, evenly spread.
    """
    hits = bars.reshape(len(bars), -1).astype(np.float32)
    others = hits[np.unique(np.linspace(0, len(hits) - 1, MOST_COMPARED).round().astype(int))]
    size = np.maximum(hits.sum(axis=1)[:, None] + others.sum(axis=1), 1)
    return int(np.argmax((hits @ others.T / size).sum(axis=1)))


def _alike(form: Form) -> list[IntArray]:
    """The bars of each length."""
    return [np.flatnonzero(form.steps == steps) for steps in np.unique(form.steps)]


def above_chance(here: NDArray[np.generic], there: NDArray[np.generic], form: Form) -> tuple[float, float, BoolArray]:
    """The agreement of two series (T,): the sum of their products; the same by chance; the bars (B,) used.

    By chance: the mean over all shifts of one series by whole bars, among bars of one length. Each place of a bar then
    meets the same place of every other bar, so the mean needs no shifting. A bar of unique length is left out. A loop
    has nothing above chance, however well it fits: it would fit any bar.
    """
    first, second = form.by_bar(here.astype(np.float64)), form.by_bar(there.astype(np.float64))
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
    """(B,): a fill in every eighth bar: the guess that a player's fills have to beat."""
    eighth: BoolArray = np.arange(len(form.steps)) % 8 == 7
    return eighth


def match_fills(guessed: BoolArray, real: BoolArray) -> Vector:
    """(3,): the number of fills (B,) guessed right, of guesses, and of real fills.

    A guess is right within FILL_TOLERANCE bars of a real fill. Each real fill is matched once.
    """
    guesses, wanted = np.flatnonzero(guessed).tolist(), np.flatnonzero(real).tolist()
    i = j = matched = 0
    while i < len(guesses) and j < len(wanted):
        if abs(guesses[i] - wanted[j]) <= FILL_TOLERANCE:
            matched, i, j = matched + 1, i + 1, j + 1
        elif guesses[i] < wanted[j]:
            i += 1
        else:
            j += 1
    return np.array([matched, len(guesses), len(wanted)], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Copies:
    """The windows of 1, 2 and 4 bars in a training set: a sorted array (windows,) of hashes for each of COPY_LENGTHS.

    Two windows are equal if metre and hits are; velocity and timing are ignored.
    """

    known: tuple[NDArray[np.uint64], ...]

    @staticmethod
    def of(songs: Iterable[Drums]) -> Copies:
        """Those of a training set, in the same voices as the parts to be compared."""
        by_length: list[list[NDArray[np.uint64]]] = [[] for _ in COPY_LENGTHS]
        for drums in songs:
            for kept, hashes in zip(by_length, _windows(drums), strict=True):
                kept.append(np.unique(hashes))
        return Copies(tuple(np.unique(np.concatenate([np.zeros(0, np.uint64), *kept])) for kept in by_length))

    def rate(self, drums: Drums) -> Vector:
        """(windows, 2): the windows of a part that are in the training set, and all its windows; no silent ones.

        Real drums outside the training set have a rate as well, since everyone plays a backbeat. Show it beside.
        """
        rows = []
        for here, known in zip(_windows(drums), self.known, strict=True):
            place = np.minimum(np.searchsorted(known, here), max(len(known) - 1, 0))
            rows.append([float((known[place] == here).sum()) if len(known) else 0.0, float(len(here))])
        return np.array(rows)


def bar_keys(drums: Drums) -> list[bytes]:
    """The metre and the hits of each bar."""
    first, form = drums.form.first.tolist(), drums.form
    hits = drums.velocity > 0
    metre = np.stack([form.numerator, form.denominator], axis=1).astype(np.int32)
    return [metre[bar].tobytes() + hits[begin:end].tobytes() for bar, (begin, end) in enumerate(pairwise(first))]


def _windows(drums: Drums) -> list[NDArray[np.uint64]]:
    """The hashes of all windows of 1, 2 and 4 bars with a hit."""
    digests = [blake2b(key, digest_size=8).digest() for key in bar_keys(drums)]
    bars = np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
    struck = hits_by_bar(drums) > 0
    of_length = []
    for length in COPY_LENGTHS:
        count = max(len(bars) - length + 1, 0)
        hashes, sounds = np.zeros(count, dtype=np.uint64), np.zeros(count, dtype=bool)
        for place in range(length):
            # An odd multiplier: windows are equal only with the same bars in the same order (64 bits, by chance never).
            hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + bars[place : place + count]
            sounds |= struck[place : place + count]
        of_length.append(hashes[sounds])
    return of_length


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
    """The correlation from (n, x, y, xx, yy, xy) sums; 0 if a side never varies, NaN without values."""
    n, x, y, xx, yy, xy = sums.tolist()
    if not n:
        return np.nan
    # Sums of whole numbers are exact; a variance below the rounding error of the squares counts as zero.
    vary_x, vary_y = xx - x * x / n, yy - y * y / n
    if vary_x <= 1e-12 * xx or vary_y <= 1e-12 * yy:
        return 0.0
    return float(np.clip((xy - x * y / n) / np.sqrt(vary_x * vary_y), -1, 1))


def spearman(one: Vector, other: Vector) -> float:
    """Return Spearman's rank correlation; ties share the mean of their ranks. 0 if all values are the same."""
    ranks = [np.array([np.mean(np.flatnonzero(np.sort(row) == value)) for value in row]) for row in (one, other)]
    spread = [float(np.std(rank)) for rank in ranks]
    if min(spread) == 0:
        return 0.0
    return float(np.mean((ranks[0] - ranks[0].mean()) * (ranks[1] - ranks[1].mean())) / (spread[0] * spread[1]))


def curve(sums: Vector) -> Vector:
    """(2, CURVE_BARS): the bar-similarity curve s(1), s(2), ... of the made and the real drums.

    sums: the statistics of `FIGURES["bar similarity error"]`, of a song or of all. NaN without bars at a distance.
    """
    made, real, pairs = sums.reshape(3, CURVE_BARS)
    return np.where(pairs > 0, np.stack([made, real]) / np.maximum(pairs, 1e-9), np.nan)


def rank_of_true(nats: ArrayLike) -> float:
    """The share of windows whose own guitar, column 0 of nats (windows, guitars), is the likeliest; NaN without any.

    Guitars that tie share the place, so that a model which ignores the guitar has 1 / guitars.
    """
    rows = np.asarray(nats, dtype=np.float64)
    if not len(rows):
        return np.nan
    least = rows == rows.min(axis=1, keepdims=True)
    return float((least[:, 0] / least.sum(axis=1)).mean())


def auc(real: NDArray[np.floating], made: NDArray[np.floating], weight: NDArray[np.float64] | None = None) -> float:
    """The probability that a made thing scores above a real one; a tie counts half.

    The Mann-Whitney statistic, or area under a classifier's curve. real and made: scores (n,), weight (n,) of both. 0.5
    without anything to compare.
    """
    return auc_of_weights(real, made)(weight)


def auc_of_weights(
    real: NDArray[np.floating], made: NDArray[np.floating]
) -> Callable[[NDArray[np.float64] | None], float]:
    """The `auc` of some scores as a function of their weights, with the sorting done once."""
    values, place = np.unique(np.concatenate([real, made]), return_inverse=True)

    def weighed(weight: NDArray[np.float64] | None) -> float:
        below = np.bincount(place[: len(real)], weight, minlength=len(values))
        above = np.bincount(place[len(real) :], weight, minlength=len(values))
        pairs = below.sum() * above.sum()
        if not pairs:
            return 0.5
        return float((above * (np.cumsum(below) - below / 2)).sum() / pairs)

    return weighed


def faults_of_part(part: Part, song_end: int, kit: Kit) -> dict[str, int]:
    """The number of notes of a drum part, and of each fault: all but `notes` must be 0 in a generated part.

    A note begins before tick 0, or at or after the song's end; has no length; sounds on after the end; is outside the
    kit; begins while the same note sounds; is doubled at its tick. And ticks that need more than two hands, hand
    percussion included, or two states of the hi-hat.
    """
    return _faults(part.onset, part.duration, part.pitch, kit.voice_of[part.pitch], song_end, kit)


def faults_of_grid(grid: Grid, form: Form, kit: Kit) -> dict[str, int]:
    """The same for hits whose keys are voices of the kit; steps stand for ticks, and a hit lasts one step at most."""
    within = (grid.key >= 0) & (grid.key < len(kit))
    voice = np.where(within, grid.key, -1)
    return _faults(grid.step, np.minimum(grid.length, 1), grid.key, voice, int(form.first[-1]), kit)


def _faults(onset: IntArray, duration: IntArray, key: IntArray, voice: IntArray, end: int, kit: Kit) -> dict[str, int]:
    order = np.lexsort((duration, onset, key))
    onset, duration, key, voice = onset[order], duration[order], key[order], voice[order]
    same = np.diff(key) == 0
    # A long note can sound beyond several that follow it, so the latest end of all before counts.
    latest = np.zeros(len(onset), dtype=np.int64)
    for here in np.unique(key):
        latest[key == here] = np.maximum.accumulate((onset + duration)[key == here])
    doubled = same & (np.diff(onset) == 0)
    overlapping = same & ~doubled & (onset[1:] < latest[:-1])
    limbs = Limbs(kit)
    is_hat = np.isin(np.arange(len(kit)), list(limbs.hats))
    tick, piece = np.unique(np.stack([onset, voice])[:, voice >= 0], axis=1)  # pieces struck together, each once
    at = np.unique(tick, return_inverse=True)[1]
    hands, hats = np.bincount(at, np.array(limbs.hand)[piece]), np.bincount(at, is_hat[piece])
    return {
        "notes": len(onset),
        "before the start": int((onset < 0).sum()),
        "after the end": int((onset >= end).sum()),
        "without length": int((duration <= 0).sum()),
        "stuck": int(((onset < end) & (onset + duration > end)).sum()),
        "outside the kit": int((voice < 0).sum()),
        "overlapping": int(overlapping.sum()),
        "doubled": int(doubled.sum()),
        "more than two hands": int((hands > HANDS).sum()),
        "two hi-hats": int((hats > 1).sum()),
    }
