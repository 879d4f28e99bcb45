"""Evidence that a pulse is the beat and that a place begins a bar, as numbers to be weighted and summed.

Strikes have traits: velocity, pitch, length, harmonic change, number of notes, and the gaps before and after. Their
means differ between beats, downbeats and the places between. `beat_weights` holds the learnt weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.beats import tracking
from seq2drum.lattice.beats.performance import FloatArray, Performance

METRES = {(4, 4): 8, (3, 4): 6, (6, 8): 4, (7, 8): 7, (5, 4): 10}
"""The metres searched, with the half beats of a bar of each; the beat of 6/8 is a dotted quarter."""

RATIOS = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1, 4 / 3, 3 / 2, 2, 3)
"""Lengths of a beat relative to a pulse that fits the strikes."""

TRAITS = 7
_TEMPOS = np.log2([40, 55, 70, 85, 100, 120, 145, 175, 210, 260])  # knots of the piecewise linear weight of a tempo
_SLOWEST, _FASTEST = 35.0, 280.0  # beats a minute: the range searched
_HARMONY = 1.0  # seconds on each side of a strike whose harmonies are compared
_PHASES = 24  # tried for each beat
_LAGS = (1, 2, 3, 4, 6, 8)  # beats
_PARTS = np.array([0, 4, 4, 2, 3, 4, 1, 4, 3, 2, 4, 4])  # of twelfths of a beat: beat, half, quarter, third, others
_THREES = 0.3  # by how much better a ternary beat must fit
_FEW = 3.0  # strikes without traits added to each mean, so that few strikes say little


class Strikes(NamedTuple):
    """The strikes of a performance.

    times, weights (strikes,): seconds, and how much each counts. traits (strikes, TRAITS): each with mean 0 and
    deviation 1. notes: the performance.
    """

    times: FloatArray
    weights: FloatArray
    traits: FloatArray
    notes: Performance

    @classmethod
    def of(cls, notes: Performance) -> Strikes:
        """The strikes of a performance with at least one note."""
        times, strength = notes.strikes
        weights = np.sqrt(np.minimum(strength / np.median(strength), 2.0))
        firsts = notes.first_notes
        gaps = np.clip(np.diff(times), 0.03, 2.0)
        traits = np.column_stack(
            [
                np.log(np.maximum(np.maximum.reduceat(notes.strength, firsts), 0.02)),
                -np.minimum.reduceat(notes.pitch, firsts),
                _changes(notes, notes.onset[firsts] - 0.001),
                np.log(np.clip(np.maximum.reduceat(notes.end, firsts) - times, 0.03, 3.0)),
                np.log(np.append(2.0, gaps)),
                np.log(np.append(gaps, 2.0)),
                np.log(np.diff(np.append(firsts, len(notes)))),
            ]
        )
        spread = traits.std(axis=0)
        return cls(times, weights, (traits - traits.mean(axis=0)) * (spread > 1e-6) / np.maximum(spread, 1e-6), notes)


def _changes(notes: Performance, times: FloatArray) -> FloatArray:
    """(times,): the change of the pitch classes across each time, 0 to 1."""
    struck = np.zeros((len(notes) + 1, 12))
    struck[np.arange(1, len(notes) + 1), notes.pitch % 12] = notes.strength * np.minimum(notes.end - notes.onset, 1.0)
    sums = np.cumsum(struck, axis=0)
    begin, here, stop = (sums[np.searchsorted(notes.onset, times + by)] for by in (-_HARMONY, 0.0, _HARMONY))
    norms = np.linalg.norm(here - begin, axis=1) * np.linalg.norm(stop - here, axis=1)
    alike = ((here - begin) * (stop - here)).sum(axis=1) / np.maximum(norms, 1e-9)
    return np.where(norms > 0, 1 - alike, 0.5)


# --- beats ------------------------------------------------------------------------------------------------------------


class Pulse(NamedTuple):
    """A candidate for the beat: beat number = ratio * (place on a first pulse) - phase.

    period: seconds of a beat. evidence: in the order of `beat_weights.PULSE`. threes: whether the beat is ternary.
    """

    ratio: float
    phase: float
    period: float
    evidence: FloatArray
    threes: bool


def pulses(strikes: Strikes, places: FloatArray, period: float, ratios: Sequence[float] = RATIOS) -> list[Pulse]:
    """Candidates for the beat, given the strikes' places on a first pulse with a mean period in seconds.

    Each tempo has two phases: the likeliest, and the one half a beat beside it.
    """
    found = list[Pulse]()
    phases = np.arange(_PHASES) / _PHASES
    for ratio in ratios:
        own = period * ratio
        if len(ratios) > 1 and not _SLOWEST < 60 / own < _FASTEST:
            continue
        turned = (places / ratio - phases[:, None]) % 1
        feels = (tracking.STRAIGHT, tracking.TRIPLETS)
        fits = np.stack([tracking.likelihood(turned, own, feel) @ strikes.weights for feel in feels])
        fits /= strikes.weights.sum()
        straight, threes = fits.max(axis=1)
        best = phases[int(fits.max(axis=0).argmax())]
        for phase in (best, (best + 0.5) % 1):
            evidence = _of_pulse(strikes, places / ratio - phase, own, straight, threes)
            found.append(Pulse(1 / ratio, phase, own, evidence, bool(threes > straight + _THREES)))
    return found


def _of_pulse(strikes: Strikes, beats: FloatArray, period: float, straight: float, threes: float) -> FloatArray:
    """The evidence for a pulse; straight, threes: how well the strikes at its beats fit either division."""
    # 1. The tempo, how well it fits, how dense the strikes are.
    tempo = np.clip(np.log2(60 / period), _TEMPOS[0], _TEMPOS[-1])
    hats = np.array([np.interp(tempo, _TEMPOS, row) for row in np.eye(len(_TEMPOS))])
    density = np.log(len(beats) / max(np.ptp(beats), 1.0))
    # 2. Which parts of the beat are struck, and with which traits.
    part = _PARTS[np.rint(12 * (beats - np.floor(beats))).astype(np.int64) % 12]
    shares = np.bincount(part, strikes.weights, 5) / strikes.weights.sum()
    number = np.rint(beats).astype(np.int64)
    on = part == 0
    even, odd = on & (number % 2 == 0), on & (number % 2 == 1)
    filled = len(np.unique(number[on])) / (np.ptp(number) + 1)
    apart = np.abs(_mean(strikes, even) - _mean(strikes, odd))
    lopsided = abs(int(even.sum()) - int(odd.sum())) / max(int(on.sum()), 1)
    # 3. After how many beats it repeats.
    rows = _rows(strikes, beats)
    return np.concatenate(
        [
            hats,
            [straight, threes - straight, density, density**2, filled, lopsided],
            shares,
            _mean(strikes, on),
            _mean(strikes, part == 1),
            apart,
            [repeats(rows, 2 * lag) for lag in _LAGS],
        ]
    )


def _mean(strikes: Strikes, some: NDArray[np.bool_]) -> FloatArray:
    mean: FloatArray = strikes.traits[some].sum(axis=0) / (np.count_nonzero(some) + _FEW)
    return mean


def _rows(strikes: Strikes, beats: FloatArray) -> FloatArray:
    """(half beats, 13): pitch classes struck at each from the first strike on, and whether any is; length 1."""
    notes = strikes.notes
    slot = np.rint(2 * np.interp(notes.onset, strikes.times, beats)).astype(np.int64)
    slot -= slot.min()
    rows = np.zeros((int(slot.max()) + 1, 13))
    np.add.at(rows, (slot, notes.pitch % 12), notes.strength)
    rows[:, :12] /= max(rows[:, :12].max(), 1e-9)
    np.add.at(rows[:, 12], slot, 0.3)
    unit: FloatArray = rows / np.maximum(np.linalg.norm(rows, axis=1), 1e-9)[:, None]
    return unit


def repeats(rows: FloatArray, lag: int) -> float:
    """The similarity of half beats at each distance, 0 to 1, over those where either is struck."""
    if lag >= len(rows):
        return 0.0
    some = rows[lag:].any(axis=1) | rows[:-lag].any(axis=1)
    return float((rows[lag:] * rows[:-lag]).sum(axis=1)[some].mean()) if some.any() else 0.0


# --- bars -------------------------------------------------------------------------------------------------------------


def bars(strikes: Strikes, beats: FloatArray, period: float, metre: tuple[int, int], length: int) -> FloatArray:
    """(length, evidence): evidence that bars of a length in half beats begin at each of the first half beats.

    beats (strikes,): the beat of each strike. period: seconds of a beat. metre: one of METRES, or the given one.
    """
    # 1. The traits of strikes on the downbeat, and of those half a bar later.
    slot = np.rint(2 * beats).astype(np.int64)
    near = np.abs(2 * beats - slot) < 0.3
    place = slot % length
    traits, struck = np.zeros((length, TRAITS)), np.zeros(length)
    for at in range(length):
        here = near & (place == at)
        traits[at] = _mean(strikes, here)
        struck[at] = len(np.unique(slot[here])) / max(np.ptp(slot) / length, 1.0)
    half = np.roll(np.arange(length), -(length // 4 * 2))
    starts = np.arange(length)
    first = (slot[0] - starts) % length
    pickup = np.stack([first == 0, first >= length - 3], axis=1)
    own = np.column_stack([traits, traits[half], struck, struck[half], pickup, starts % 2])
    # 2. Repetition after that length, and the division of the beat.
    rows = _rows(strikes, beats)
    usual = np.mean([repeats(rows, lag) for lag in range(2, 13)])
    part = _PARTS[np.rint(12 * (beats - np.floor(beats))).astype(np.int64) % 12]
    shares = np.bincount(part, strikes.weights, 5) / strikes.weights.sum()
    thirds = np.rint(3 * beats).astype(np.int64)
    middle = np.mean((thirds % 3 == 1) & (np.abs(3 * beats - thirds) < 0.2))
    spread = np.ptp(traits, axis=0)
    compound = metre == (6, 8)
    whole = np.array([one == metre for one in METRES], float)
    repeated = [repeats(rows, length) - usual, repeats(rows, 2 * length) - usual, repeats(rows, 4 * length) - usual]
    divided = compound * np.array([shares[1], shares[3], middle, np.log(period)])
    shared = np.concatenate([whole, repeated, divided, spread])
    return np.concatenate([own, np.broadcast_to(shared, (length, len(shared)))], axis=1)


# fmt: off
PULSE = np.array([
    -0.174, 0.358, -0.118, 0.663, 0.456, 1.18, 0.023, 0.238, -1.39, -1.74, 1.48, 2.32, 0.0167, 0.268, -0.0879, 0.76,
    9.38, 6.63, 2.26, -3.55, -10.2, 1.75, 0.607, 2.32, 1.69, -0.0169, 1.03, -0.214, 0.239, -0.146, -0.0674, 0.269,
    0.397, 0.426, -0.642, 0.457, 0.462, 0.535, 0.284, 0.329, -0.526, 0.429, 1.84, 0.442, -1.66, -0.669, 0.183, 1.22,
])
"""For a pulse to be the beat, in the order of `evidence.pulses`."""

BAR = np.array([
    0.0391, 0.922, 1.59, 1.64, 0.0601, 0.133, -0.231, 0.0293, -0.159, -0.106, -0.0264, -0.27, 0.277, 0.0723, -0.0072,
    -1.08, 1.91, -0.211, -0.644, 1.33, -0.139, 0.83, -0.321, -1.21, 1.48, 2.79, 3.04, -2.66, 6.72, 8.69, 4.88, 1.8,
    -0.425, 2.14, 1.01, 0.851, 0.462, 0.457,
])
"""For a bar to begin at a half beat, in the order of `evidence.bars`."""
