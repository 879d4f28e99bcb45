"""A panel of figures that compares drums with the real ones.

It knows bars, steps and voices; it knows no model, no baseline and no file. The law of the panel: every figure makes
a plain vector of numbers of one take (`statistics`), and is read off the SUM of such vectors (`value`). So takes are
averaged, songs are added, and a bootstrap interval redraws songs: nothing is measured twice. A mean over songs is
such a sum as well: of the song's number, and 1.

The real drums are a player like any other: `statistics(trial_of(real, real, heard))`. See `measures` for values
without anything to measure.

Letters of shapes: B bars, T steps of all bars, S steps of the longest bar, V the nine voices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seq2drum.judge.figures import VOCABULARY, Figure, of_each, of_halves, of_songs
from seq2drum.judge.measures import (
    COPY_LENGTHS,
    CURVE_BARS,
    VOICE,
    BoolArray,
    Copies,
    Vector,
    above_chance,
    curve,
    divergence,
    every_eighth,
    f1,
    match_fills,
    overlap,
    pearson,
    ratio,
    share,
)
from seq2drum.judge.trial import TOMS, VOICE_FAMILIES, Side, Trial
from seq2drum.lattice.conditions import Drums
from seq2drum.lattice.form import MAX_STEPS, Form
from seq2drum.lattice.grid import STEPS_PER_QUARTER

Statistics = Mapping[str, Vector]
"""The counts of a take or a song, a vector for each figure by its name."""

MOST_HITS = 64  # for a bar of four quarters; the last bin of the density histogram is open
_RATIO_BINS, _RATIO_OCTAVES = 32, 4  # bins an octave, and octaves either side of 1, of the histogram of ratios


# --- the panel --------------------------------------------------------------------------------------------------------


def _hits(name: str, meaning: str, view: Callable[[Side], BoolArray]) -> Figure:
    """An F1 over the cells of a view of both sides, pooled over songs."""
    return Figure(name, meaning, "high", "hits", lambda trial: _cells(view(trial.made), view(trial.real)), of_each(f1))


def _voice_hits(name: str) -> Figure:
    return _hits(f"F1 {name}", "the same for one voice", lambda side: side.hits[:, [VOICE[name]]])


def _cells(made: BoolArray, real: BoolArray) -> list[float]:
    return [float((made & real).sum()), float(made.sum()), float(real.sum())]


def _ratios(trial: Trial) -> Vector:
    """A histogram with one entry: the ratio of hits, by 32nds of an octave. The median is read off the sum."""
    middle = _RATIO_BINS * _RATIO_OCTAVES
    histogram = np.zeros(2 * middle + 1)
    made, real = trial.made.hits.sum(), trial.real.hits.sum()
    if real:
        place = np.rint(np.log2(max(made / real, 1e-9)) * _RATIO_BINS)
        histogram[int(np.clip(middle + place, 0, 2 * middle))] = 1
    return histogram


def _median_ratio(histogram: Vector) -> float:
    """The median of a histogram of ratios, to 1 in 45; NaN if empty. The lowest bin holds all down to 0."""
    if not histogram.any():
        return np.nan
    place = int(np.searchsorted(np.cumsum(histogram), histogram.sum() / 2 * (1 - 1e-12)))
    return float(2.0 ** (place / _RATIO_BINS - _RATIO_OCTAVES)) if place else 0.0


def _densities(side: Side) -> Vector:
    """(MOST_HITS + 1,): the number of bars with each count of hits a four quarters."""
    hits = np.rint(4 * STEPS_PER_QUARTER * side.bar_hits / side.drums.form.steps).astype(np.int64)
    return np.bincount(np.minimum(hits, MOST_HITS), minlength=MOST_HITS + 1).astype(np.float64)


def _places(side: Side) -> Vector:
    """(MAX_STEPS * V,): hits of each voice at each place of a bar; the last bin holds all places beyond."""
    form = side.drums.form
    step, voice = np.nonzero(side.hits)
    place = np.minimum(form.place_of(step), MAX_STEPS - 1)
    return np.bincount(place * len(VOICE) + voice, minlength=MAX_STEPS * len(VOICE)).astype(np.float64)


def _curves(trial: Trial) -> Vector:
    return np.concatenate([trial.made.curve[0], trial.real.curve[0], trial.real.curve[1]])


def _curve_error(sums: Vector) -> float:
    pairs = sums[2 * CURVE_BARS :]
    made, real = curve(sums)
    return float(np.abs(made - real)[pairs > 0].mean()) if pairs.any() else np.nan


def _crashes(side: Side) -> list[float]:
    """The number of fills that land on a crash at the next barline, and of fills with a bar after them."""
    after = np.flatnonzero(side.fills[:-1]) + 1
    return [float(side.hits[side.drums.form.first[after], VOICE["crash"]].sum()), float(len(after))]


def _toms(side: Side) -> list[float]:
    """The number of tom hits in fills, and of hits in fills."""
    inside = side.rolls[side.fills].sum(axis=(0, 1))
    return [float(inside[list(TOMS)].sum()), float(inside.sum())]


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
    # Rounding leaves a few parts in 1e16 of a zero spread.
    one, other = (np.sqrt(total / max(freedom, 1)) for total, freedom in ((made, made_freedom), (real, real_freedom)))
    return ratio(*(float(spread) if spread > 1e-6 else 0.0 for spread in (one, other)))


def _kicks(side: Side) -> list[float]:
    """Kicks on a step where the guitar begins a note; the same by chance; all kicks."""
    form, kick = side.drums.form, side.hits[:, VOICE["kick"]]
    common, chance, used = above_chance(kick, side.guitar > 0, form)
    return [common, chance, float(kick[np.repeat(used, form.steps)].sum())]


def _agreement(side: Side) -> float:
    """The correlation of the drums' summed velocities with the guitar's, step by step, minus chance.

    0 if the drums do not vary, NaN if the guitar does not. A shift changes neither mean nor variance, so the difference
    of the correlations is the difference of the products.
    """
    form, drums = side.drums.form, side.drums.velocity.sum(axis=1)
    common, chance, used = above_chance(drums, side.guitar, form)
    steps = np.repeat(used, form.steps)
    if not steps.any() or not np.ptp(side.guitar[steps]):
        return np.nan
    deviations = drums[steps].std() * side.guitar[steps].std()
    return float((common - chance) / (steps.sum() * deviations)) if deviations else 0.0


def _copy(index: int, bars: int) -> Figure:
    name = f"copies of {bars} bar{'s' * (bars > 1)}"
    meaning = "share of windows that the training set has exactly so, silence left out"
    return Figure(name, meaning, "near real", "copies", lambda trial: trial.made.copied[index], of_each(share))


def _repeat(index: int, bars: int) -> Figure:
    name = f"repeats of {bars} bar{'s' * (bars > 1)}"
    meaning = "share of windows that another take of the song, of another seed, has exactly so, silence left out"

    def counted(trial: Trial) -> ArrayLike:
        nothing = [0.0, 0.0]
        return nothing if trial.another is None else Copies.of([trial.another.drums]).rate(trial.made.drums)[index]

    return Figure(name, meaning, "neither", "copies", counted, of_each(share))


_PANEL = (
    _hits("hit F1", "same step, same voice, nine voices, all songs pooled", lambda side: side.hits),
    Figure(
        "hit F1 per song",
        "the same, mean over songs",
        "high",
        "hits",
        lambda trial: of_songs(f1(*_cells(trial.made.hits, trial.real.hits))),
        of_each(share),
    ),
    _hits(
        "kick and snare F1", "the same for kick and snare", lambda side: side.hits[:, list(sum(VOICE_FAMILIES[:2], ()))]
    ),
    _hits("onset F1", "same step, any voice", lambda side: side.hits.max(axis=1)),
    _hits("family F1", "kick, snare, crash, toms as one, hats and ride as one", lambda side: side.families),
    *(_voice_hits(name) for name in VOICE),
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
        of_each(ratio),
    ),
    Figure("median of hits made to real", "the median song's ratio", "near real", "density", _ratios, _median_ratio),
    Figure(
        "density overlap",
        "area that the histograms of hits a bar share",
        "high",
        "density",
        lambda trial: np.concatenate([_densities(trial.made), _densities(trial.real)]),
        of_halves(overlap),
    ),
    Figure(
        "voice JSD",
        "divergence of the shares of the nine voices, bits",
        "low",
        "distribution",
        lambda trial: np.concatenate([trial.made.hits.sum(axis=0), trial.real.hits.sum(axis=0)]),
        of_halves(divergence),
    ),
    Figure(
        "position JSD",
        "divergence of where in the bar which voice is struck, bits",
        "low",
        "distribution",
        lambda trial: np.concatenate([_places(trial.made), _places(trial.real)]),
        of_halves(divergence),
    ),
    Figure(
        "groove similarity",
        "how alike the rhythms of a song's bars are; a loop has 1",
        "near real",
        "structure",
        lambda trial: of_songs(trial.made.similarity),
        of_each(share),
    ),
    Figure(
        "groove similarity error",
        "distance of the same from the real song's, mean over songs",
        "low",
        "structure",
        lambda trial: of_songs(abs(trial.made.similarity - trial.real.similarity)),
        of_each(share),
    ),
    Figure(
        "bar similarity error",
        "mean distance of the curves of how alike bars 1 to 16 apart are",
        "low",
        "structure",
        _curves,
        _curve_error,
    ),
    *VOCABULARY,
    Figure(
        "fill rate",
        "share of bars that are fills",
        "near real",
        "fills",
        lambda trial: [trial.made.fills.sum(), len(trial.made.fills)],
        of_each(share),
    ),
    Figure(
        "fill F1",
        "fills within a bar of a real one",
        "high",
        "fills",
        lambda trial: match_fills(trial.made.fills, trial.real.fills),
        of_each(f1),
    ),
    Figure(
        "fill F1 of every eighth bar",
        "what a fill in every eighth bar would have",
        "to beat",
        "fills",
        lambda trial: match_fills(every_eighth(trial.real.drums.form), trial.real.fills),
        of_each(f1),
    ),
    Figure(
        "crash after a fill",
        "share of fills that land on a crash at the next barline",
        "near real",
        "fills",
        lambda trial: _crashes(trial.made),
        of_each(share),
    ),
    Figure(
        "toms in fills",
        "share of the hits of fills that are of toms",
        "near real",
        "fills",
        lambda trial: _toms(trial.made),
        of_each(share),
    ),
    Figure(
        "syncopation",
        "how far bars lean against their metre, mean over songs",
        "near real",
        "feel",
        lambda trial: of_songs(trial.made.syncopation),
        of_each(share),
    ),
    Figure(
        "syncopation error",
        "distance of the same from the real song's, mean over songs",
        "low",
        "feel",
        lambda trial: of_songs(abs(trial.made.syncopation - trial.real.syncopation)),
        of_each(share),
    ),
    Figure(
        "velocity error",
        "mean distance of the velocities (1 to 127) of right hits",
        "low",
        "feel",
        lambda trial: _error(trial, attrgetter("velocity")),
        of_each(share),
    ),
    Figure("velocity r", "correlation of the velocities of right hits", "high", "feel", _velocities, pearson),
    Figure(
        "velocity spread",
        "deviation from the mean of voice and song, made to real",
        "near real",
        "feel",
        lambda trial: _spread(trial, attrgetter("velocity")),
        of_each(_spread_ratio),
    ),
    Figure(
        "offset error",
        "mean distance of the offsets of right hits, in gaps between steps",
        "low",
        "feel",
        lambda trial: _error(trial, attrgetter("offset")),
        of_each(share),
    ),
    Figure(
        "offset spread",
        "deviation from the mean of voice and song, made to real",
        "near real",
        "feel",
        lambda trial: _spread(trial, attrgetter("offset")),
        of_each(_spread_ratio),
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
        lambda trial: of_songs(_agreement(trial.made)),
        of_each(share),
    ),
    *(_copy(index, bars) for index, bars in enumerate(COPY_LENGTHS)),
    *(_repeat(index, bars) for index, bars in enumerate(COPY_LENGTHS)),
)

FIGURES: Mapping[str, Figure] = MappingProxyType({figure.name: figure for figure in _PANEL})
"""The panel, in the order of a report."""


def _silence() -> Side:
    form = Form(np.array([24]), np.array([4]), np.array([4]), np.array([120.0]))
    nothing = np.zeros((24, len(VOICE)))
    drums = Drums(form, nothing.astype(np.int64), nothing.astype(np.float32))
    return Side(drums, np.zeros(24), np.zeros(1, dtype=np.int64), np.zeros(1, dtype=bool))


_SILENCE = Trial(_silence(), _silence())


def statistics(trial: Trial, names: Iterable[str] = FIGURES) -> dict[str, Vector]:
    """The counts of one take for each figure; zeros for a song in which the real drummer never plays."""
    if not len(trial.real.drums.form.steps):
        return {name: np.zeros_like(row) for name, row in statistics(_SILENCE, names).items()}
    return {name: np.asarray(FIGURES[name].statistics(trial), dtype=np.float64) for name in names}


def mean_of(takes: Sequence[Statistics]) -> dict[str, Vector]:
    """The counts of a song: the mean over its takes, so that a song weighs the same for any number of takes."""
    return {name: np.mean([take[name] for take in takes], axis=0) for name in takes[0]}


def values(statistics: Statistics) -> dict[str, float]:
    """The figures of one take or one song by itself."""
    return {name: FIGURES[name].value(row) for name, row in statistics.items()}
