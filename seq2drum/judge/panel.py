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
from functools import partial
from operator import attrgetter
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seq2drum.judge.measures import (
    COPY_LENGTHS,
    CURVE_BARS,
    VOICE,
    BoolArray,
    Copies,
    Vector,
    above_chance,
    bar_keys,
    curve,
    divergence,
    every_eighth,
    f1,
    match_fills,
    overlap,
    pearson,
    ratio,
    share,
    typical,
)
from seq2drum.judge.trial import TOMS, VOICE_FAMILIES, Side, Trial
from seq2drum.lattice.conditions import Drums
from seq2drum.lattice.form import MAX_STEPS, Form
from seq2drum.lattice.grid import STEPS_PER_QUARTER
from seq2drum.music.notes import IntArray

Statistics = Mapping[str, Vector]
"""The counts of a take or a song, a vector for each figure by its name."""

Better = Literal["high", "low", "near real", "to beat", "neither"]
WAYS: Mapping[str, str] = {
    "high": "higher is better",
    "low": "lower is better",
    "near real": "near the real drums is best",
}
"""The better direction in words, if there is one."""


def of_each(read: Callable[..., float]) -> Callable[[Vector], float]:
    """A function that reads a number off all sums."""
    return lambda sums: read(*sums.tolist())


SHARE = of_each(share)
"""Reads off two sums the share that the first is of the second."""


class Figure(NamedTuple):
    """One figure: its name, its meaning, and the better direction.

    better: "near real" is judged by the value of the real drums; "to beat" is the same for all players; "neither" has
    no better direction. group: its table on a page. statistics: from a take to a vector. value: from a sum of such
    vectors to a number.
    """

    name: str
    meaning: str
    better: Better
    group: str
    statistics: Callable[[Trial], ArrayLike]
    value: Callable[[Vector], float] = SHARE


def of_songs(number: float) -> list[float]:
    """A song's term of a mean over songs; a song without an answer is left out."""
    return [0.0, 0.0] if np.isnan(number) else [number, 1.0]


def habit(
    name: str,
    meaning: str,
    group: str,
    counted: Callable[[Side], ArrayLike],
    value: Callable[[Vector], float] = SHARE,
) -> Figure:
    """A figure of the made drums alone, which is best near that of the real ones. counted: from a side to a vector."""
    return Figure(name, meaning, "near real", group, lambda trial: counted(trial.made), value)


# --- hits, density and distribution -----------------------------------------------------------------------------------

MOST_HITS = 64  # for a bar of four quarters; the last bin of the density histogram is open
_RATIO_BINS, _RATIO_OCTAVES = 32, 4  # bins an octave, and octaves either side of 1, of the histogram of ratios


def _hits(name: str, meaning: str, view: Callable[[Side], BoolArray]) -> Figure:
    """An F1 over the cells of a view of both sides, pooled over songs."""
    return Figure(name, meaning, "high", "hits", lambda trial: _cells(view(trial.made), view(trial.real)), of_each(f1))


def _column(voice: int, side: Side) -> BoolArray:
    return side.hits[:, [voice]]


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


def _both(
    name: str,
    meaning: str,
    better: Better,
    group: str,
    of: Callable[[Side], Vector],
    compare: Callable[[Vector, Vector], float],
) -> Figure:
    """A figure that compares two histograms, one of each side."""

    def compared(sums: Vector) -> float:
        return compare(sums[: len(sums) // 2], sums[len(sums) // 2 :])  # np.split took longer than comparing

    return Figure(
        name, meaning, better, group, lambda trial: np.concatenate([of(trial.made), of(trial.real)]), compared
    )


_HITS = (
    _hits("hit F1", "same step, same voice, nine voices, all songs pooled", lambda side: side.hits),
    Figure(
        "hit F1 per song",
        "the same, mean over songs",
        "high",
        "hits",
        lambda trial: of_songs(f1(*_cells(trial.made.hits, trial.real.hits))),
    ),
    _hits(
        "kick and snare F1", "the same for kick and snare", lambda side: side.hits[:, list(sum(VOICE_FAMILIES[:2], ()))]
    ),
    _hits("onset F1", "same step, any voice", lambda side: side.hits.max(axis=1)),
    _hits("family F1", "kick, snare, crash, toms as one, hats and ride as one", lambda side: side.families),
    *(_hits(f"F1 {name}", "the same for one voice", partial(_column, VOICE[name])) for name in VOICE),
    habit(
        "hits a bar",
        "hits for every four quarters",
        "density",
        lambda side: [side.hits.sum(), len(side.hits)],
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
    _both("density overlap", "area that the histograms of hits a bar share", "high", "density", _densities, overlap),
    _both(
        "voice JSD",
        "divergence of the shares of the nine voices, bits",
        "low",
        "distribution",
        lambda side: side.hits.sum(axis=0),
        divergence,
    ),
    _both(
        "position JSD",
        "divergence of where in the bar which voice is struck, bits",
        "low",
        "distribution",
        _places,
        divergence,
    ),
)


# --- structure and vocabulary -----------------------------------------------------------------------------------------

HELD_BARS = 16  # first and last bars, in which the hold of the groove is measured
LEAST_HELD = 40  # bars of a song: a shorter one has no distance between beginning and end
PERIOD = 4  # bars of a phrase, after which drummers repeat themselves


def kinds_of(side: Side, *, by_section: bool = True) -> list[IntArray]:
    """The bars of each section's letter, split by length; bars before the guitar begins are a kind of their own.

    Without by_section the bars of each length in the whole song.
    """
    keys = np.stack([side.letter * by_section, side.drums.form.steps], axis=1)
    _, kind = np.unique(keys, axis=0, return_inverse=True)
    return [np.flatnonzero(kind == number) for number in range(int(kind.max(initial=-1)) + 1)]


def _distinct(side: Side, *, by_section: bool) -> list[float]:
    """The number of distinct bars, and of bars; by section, a bar that comes in two of them is counted in both."""
    keys = list(zip((side.letter * by_section).tolist(), bar_keys(side.drums), strict=True))
    return [float(len(set(keys))), float(len(keys))]


def _changes(side: Side) -> list[float]:
    """The number of bars unlike the one PERIOD bars before, and of those whose length that bar shares."""
    steps, rolls = side.drums.form.steps, side.rolls
    if len(steps) <= PERIOD:
        return [0.0, 0.0]
    comparable = steps[PERIOD:] == steps[:-PERIOD]
    differs = np.any(rolls[PERIOD:] != rolls[:-PERIOD], axis=(1, 2)) & comparable
    return [float(differs.sum()), float(comparable.sum())]


def _held(side: Side, bars: slice, by_section: bool) -> list[float]:
    """Hits that some bars share with the typical bar of section or song, hits of the bars, and of the typical bars."""
    rolls = side.rolls > 0
    if len(rolls) < LEAST_HELD:
        return [0.0, 0.0, 0.0]
    groove = np.zeros_like(rolls)
    for kind in kinds_of(side, by_section=by_section):
        groove[kind] = rolls[kind[typical(rolls[kind])]]
    own, held = rolls[bars], groove[bars]
    return [float((own & held).sum()), float(own.sum()), float(held.sum())]


def _held_figures() -> Iterable[Figure]:
    """The hold of a groove early and late: that of each section, and one of the whole song."""
    ends = {"early": ("first", slice(0, HELD_BARS)), "late": ("last", slice(-HELD_BARS, None))}
    for groove, of, by_section in (("groove", "their section", True), ("one groove", "the whole take", False)):
        for end, (which, bars) in ends.items():
            meaning = f"hit F1 of the {which} {HELD_BARS} bars to the typical bar of {of}"
            yield habit(
                f"{groove} held {end}",
                f"{meaning}, in songs of {LEAST_HELD} or more",
                "vocabulary",
                partial(_held, bars=bars, by_section=by_section),
                of_each(lambda both, own, held: share(2 * both, own + held)),  # NaN if no song is long enough
            )


def crashes_by_place(side: Side) -> tuple[int, int, int]:
    """Crashes on the one of a section's first bar, on the one of other bars, and elsewhere."""
    crash: BoolArray = side.hits[:, VOICE["crash"]]
    ones = crash[side.drums.form.first[:-1]]
    on_sections, on_ones = int((ones & side.begins).sum()), int(ones.sum())
    return on_sections, on_ones - on_sections, int(crash.sum()) - on_ones


def _crash_figures() -> Iterable[Figure]:
    """The share of crashes at each kind of place, mean over songs."""
    places = {
        "on a section's one": "the first beat of a section",
        "on another one": "the first beat of any other bar",
        "elsewhere": "any other beat",
    }
    for at, (place, words) in enumerate(places.items()):

        def counted(side: Side, at: int = at) -> list[float]:
            crashes = crashes_by_place(side)
            return of_songs(share(crashes[at], sum(crashes)))

        yield habit(f"crashes {place}", f"share of crashes on {words}, mean over songs", "vocabulary", counted)


def _curves(trial: Trial) -> Vector:
    return np.concatenate([trial.made.curve[0], trial.real.curve[0], trial.real.curve[1]])


def _curve_error(sums: Vector) -> float:
    pairs = sums[2 * CURVE_BARS :]
    made, real = curve(sums)
    return float(np.abs(made - real)[pairs > 0].mean()) if pairs.any() else np.nan


_STRUCTURE = (
    habit(
        "groove similarity",
        "how alike the rhythms of a song's bars are; a loop has 1",
        "structure",
        lambda side: of_songs(side.similarity),
    ),
    Figure(
        "groove similarity error",
        "distance of the same from the real song's, mean over songs",
        "low",
        "structure",
        lambda trial: of_songs(abs(trial.made.similarity - trial.real.similarity)),
    ),
    Figure(
        "bar similarity error",
        "mean distance of the curves of how alike bars 1 to 16 apart are",
        "low",
        "structure",
        _curves,
        _curve_error,
    ),
    habit(
        "distinct bars",
        "share of bars unlike all earlier ones of the song",
        "vocabulary",
        partial(_distinct, by_section=False),
    ),
    habit(
        "distinct bars a section",
        "share of bars unlike all earlier ones of its section's letter",
        "vocabulary",
        partial(_distinct, by_section=True),
    ),
    habit("change at four bars", "share of bars that differ from the one four bars before", "vocabulary", _changes),
    *_held_figures(),
    habit(
        "toms outside fills",
        "hits of toms a bar, outside fills",
        "vocabulary",
        lambda side: [side.rolls[~side.fills][:, :, list(TOMS)].sum(), (~side.fills).sum()],
    ),
    habit(
        "crashes a bar",
        "crashes, for each bar",
        "vocabulary",
        lambda side: [side.hits[:, VOICE["crash"]].sum(), len(side.bar_hits)],
    ),
    *_crash_figures(),
)


# --- fills, feel, the guitar, and copies ------------------------------------------------------------------------------


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


def _copied(index: int, trial: Trial) -> ArrayLike:
    """Windows of one of COPY_LENGTHS that the training set has, and all."""
    counts: Vector = trial.made.copied[index]
    return counts


def _repeated(index: int, trial: Trial) -> ArrayLike:
    """Windows of one of COPY_LENGTHS that another take has, and all; zeros without another take."""
    return [0.0, 0.0] if trial.another is None else Copies.of([trial.another.drums]).rate(trial.made.drums)[index]


def _copies(name: str, whose: str, better: Better, counted: Callable[[int, Trial], ArrayLike]) -> Iterable[Figure]:
    """A figure of copies for each of COPY_LENGTHS."""
    meaning = f"share of windows that {whose} has exactly so, silence left out"
    for index, bars in enumerate(COPY_LENGTHS):
        yield Figure(f"{name} of {bars} bar{'s' * (bars > 1)}", meaning, better, "copies", partial(counted, index))


_FEEL = (
    habit("fill rate", "share of bars that are fills", "fills", lambda side: [side.fills.sum(), len(side.fills)]),
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
        "the value of a fill in every eighth bar",
        "to beat",
        "fills",
        lambda trial: match_fills(every_eighth(trial.real.drums.form), trial.real.fills),
        of_each(f1),
    ),
    habit("crash after a fill", "share of fills that land on a crash at the next barline", "fills", _crashes),
    habit("toms in fills", "share of the hits of fills that are of toms", "fills", _toms),
    habit(
        "syncopation",
        "how far bars lean against their metre, mean over songs",
        "feel",
        lambda side: of_songs(side.syncopation),
    ),
    Figure(
        "syncopation error",
        "distance of the same from the real song's, mean over songs",
        "low",
        "feel",
        lambda trial: of_songs(abs(trial.made.syncopation - trial.real.syncopation)),
    ),
    Figure(
        "velocity error",
        "mean distance of the velocities (1 to 127) of right hits",
        "low",
        "feel",
        partial(_error, of=attrgetter("velocity")),
    ),
    Figure("velocity r", "correlation of the velocities of right hits", "high", "feel", _velocities, pearson),
    Figure(
        "velocity spread",
        "deviation from the mean of voice and song, made to real",
        "near real",
        "feel",
        partial(_spread, of=attrgetter("velocity")),
        of_each(_spread_ratio),
    ),
    Figure(
        "offset error",
        "mean distance of the offsets of right hits, in gaps between steps",
        "low",
        "feel",
        partial(_error, of=attrgetter("offset")),
    ),
    Figure(
        "offset spread",
        "deviation from the mean of voice and song, made to real",
        "near real",
        "feel",
        partial(_spread, of=attrgetter("offset")),
        of_each(_spread_ratio),
    ),
    habit(
        "kicks with the guitar",
        "share of kicks on a guitar onset, less the share when shifted by whole bars",
        "guitar",
        _kicks,
        of_each(lambda common, chance, kicks: share(common - chance, kicks)),
    ),
    habit(
        "accents with the guitar",
        "correlation of loudness step by step, less the same when shifted by whole bars, mean over songs",
        "guitar",
        lambda side: of_songs(_agreement(side)),
    ),
    *_copies("copies", "the training set", "near real", _copied),
    *_copies("repeats", "another take of the song, of another seed,", "neither", _repeated),
)


# --- the panel --------------------------------------------------------------------------------------------------------

FIGURES: Mapping[str, Figure] = MappingProxyType({figure.name: figure for figure in (*_HITS, *_STRUCTURE, *_FEEL)})
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
