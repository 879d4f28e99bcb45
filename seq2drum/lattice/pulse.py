"""Finding beats: one steady tempo where the strikes fit it, else beats that drift; then the metre and the downbeat."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice import tracking
from seq2drum.lattice.beats import Beats, Timing
from seq2drum.lattice.performance import FloatArray, Performance


class Found(NamedTuple):
    """The beats of a performance, and how sure they are.

    steady: whether the tempo never changes. said: whether it was given. fit: the share of strikes that are where the
    tempo has a place for them. metre_sure, downbeat_sure: from 0 to 1; 1 where they were given.
    """

    beats: Beats
    steady: bool
    said: bool
    fit: float
    metre_sure: float
    downbeat_sure: float

    @property
    def bpm(self) -> float:
        """Quarters a minute, on the whole."""
        seconds, quarters = self.beats.seconds, self.beats.quarters
        return float(60 * (quarters[-1] - quarters[0]) / (seconds[-1] - seconds[0]))

    def __str__(self) -> str:
        tempo = f"{self.bpm:.2f} BPM" if self.steady else f"about {self.bpm:.0f} BPM, which drifts"
        how = "as said" if self.said else f"{self.fit:.0%} of the strikes fit"
        numerator, denominator = self.beats.metre
        return (
            f"{tempo} ({how}); {numerator}/{denominator} ({_sure(self.metre_sure)});"
            f" a bar begins at {self.beats.downbeat:.2f} s ({_sure(self.downbeat_sure)})"
        )


def _sure(share: float) -> str:
    return "as said" if share == 1 else f"{share:.0%} sure"


def beats_of(performance: Performance, timing: Timing) -> Found:
    """The beats of a performance, as far as they are not given. It has a note at least."""
    times, strength = performance.strikes
    weights = np.sqrt(np.minimum(strength / np.median(strength), 2.0))
    compound = timing.metre is not None and timing.metre[1] == 8 and timing.metre[0] % 3 == 0
    unit = 1.5 if compound else 1.0  # quarters of a beat
    # 1. Where beats are, whichever of them begin bars.
    if timing.bpm is not None:
        period, feel, steady = 60 / timing.bpm * unit, tracking.STRAIGHT, True
        phase = _phase(times, weights, period) if timing.downbeat is None else timing.downbeat
        seconds = phase + period * np.arange(np.floor(-phase / period), (performance.seconds - phase) / period + 1)
    else:
        period, feel = tracking.usual_period(times, weights, in_threes=compound)
        seconds = tracking.tracked(times, weights, performance.seconds, period / timing.scale, feel)
        seconds = tracking.refined(seconds, times, weights, feel)
        even = evened(seconds, times, weights, feel)
        steady = even is not None
        seconds = seconds if even is None else even
    # 2. How well the strikes fit them, and which of them begin bars.
    numbers = np.arange(len(seconds), dtype=float)
    places = np.interp(times, seconds, numbers)
    _, near = tracking.nearest_places(places, float(np.median(np.diff(seconds))), feel)
    metre, first, metre_sure, downbeat_sure = bars_of(performance, seconds, unit, timing)
    quarters = (numbers - first) * unit
    knots = [0, -1] if steady else slice(None)
    beats = Beats(seconds[knots], quarters[knots], metre)
    return Found(beats, steady, timing.bpm is not None, float(near.mean()), metre_sure, downbeat_sure)


def _phase(times: FloatArray, weights: FloatArray, period: float) -> float:
    """The first second at which a beat of a known period may be, from 0 on."""
    phases = np.arange(0, period, 0.002)
    fits = tracking.likelihood(((times - phases[:, None]) / period) % 1, period, tracking.STRAIGHT) @ weights
    return float(phases[int(fits.argmax())])


# --- one steady tempo -------------------------------------------------------------------------------------------------

_STRAYS = 0.035  # seconds that beats may be off a steady tempo, 95 of 100
_ROUND = 0.020  # seconds over the whole piece that a tempo may be off to be taken for a rounder one


def evened(beats: FloatArray, times: FloatArray, weights: FloatArray, feel: tracking.Feel) -> FloatArray | None:
    """The beats at one steady tempo, if they have one; None where they drift.

    The tempo is that of the strikes, each at the place of a beat that it is nearest to; a whole number of beats a
    minute, as clicks have, where that fits as well.
    """
    numbers = np.arange(len(beats), dtype=float)
    sounding = (beats >= times[0] - 0.1) & (beats <= times[-1] + 0.1)
    if sounding.sum() < 4:
        return None
    slope, start = np.polyfit(numbers[sounding], beats[sounding], 1)
    if np.percentile(np.abs(beats - start - slope * numbers)[sounding], 95) > _STRAYS:
        return None
    for _ in range(3):
        nearest, near = tracking.nearest_places((times - start) / slope, slope, feel)
        slope, start = np.polyfit(nearest[near], times[near], 1, w=np.sqrt(weights[near]))
    middle, lasts = nearest[near].mean(), np.ptp(nearest[near])
    whole = 60 / max(round(60 / slope), 1)
    if abs(whole - slope) * lasts / 2 < _ROUND:
        start, slope = start + (slope - whole) * middle, whole
    even: FloatArray = start + slope * numbers
    return even


# --- bars -------------------------------------------------------------------------------------------------------------

# Metres that are looked for: bars in half beats, what is written where the beat is a quarter, and how usual they are.
_METRES = {8: ((4, 4), 0.0), 6: ((3, 4), -0.10), 7: ((7, 8), -0.16), 10: ((5, 4), -0.16)}
_SURENESS = 12.0  # how fast one grows sure with the difference between two metres


def bars_of(
    performance: Performance, beats: FloatArray, unit: float, timing: Timing
) -> tuple[tuple[int, int], float, float, float]:
    """(the metre, the beat from which bars are counted, how sure the metre is, how sure that beat is).

    Bars repeat: chords and accents are like those of a bar and two before. A bar begins where the hand strikes hard and
    low, and the chord changes. Beats are halved, so that 7/8 is found, and a beat that the off-beats were taken for.
    """
    slots = _slots(performance, beats)
    if timing.metre is not None:
        metre, metre_sure = timing.metre, 1.0
        length = max(round(8 * metre[0] / metre[1] / unit), 1)
    else:
        scores = {length: _repeats(slots, length) + usual for length, (_, usual) in _METRES.items()}
        length = max(scores, key=lambda one: scores[one])
        shares = np.exp(_SURENESS * np.array([scores[one] - scores[length] for one in scores]))
        metre, metre_sure = _METRES[length][0], float(min(1 / shares.sum(), 0.99))
    if timing.downbeat is not None:
        place = float(np.interp(timing.downbeat, beats, np.arange(len(beats))))
        exact = timing.bpm is not None
        return metre, place if exact else round(2 * place) / 2, metre_sure, 1.0
    begins = _begins(slots, length)
    best = int(begins.argmax())
    shares = np.exp(2 * (begins - begins[best]))
    first = best / 2
    while np.interp(first, np.arange(len(beats)), beats) < -0.02 or first < 0:
        first += length / 2
    return metre, first, metre_sure, float(min(1 / shares.sum(), 0.99))


class _Slots(NamedTuple):
    """What is struck at each half beat.

    chroma (slots, 12): how much of each pitch class is struck. strength (slots,): how hard. low (slots,): how low the
    lowest note is, 0 where there is none. first: the slot of the first strike.
    """

    chroma: FloatArray
    strength: FloatArray
    low: FloatArray
    first: int


def _slots(performance: Performance, beats: FloatArray) -> _Slots:
    count = 2 * len(beats)
    place = np.interp(performance.onset, beats, np.arange(len(beats), dtype=float))
    slot = np.clip(np.rint(2 * place).astype(np.int64), 0, count - 1)
    chroma, strength, low = np.zeros((count, 12)), np.zeros(count), np.zeros(count)
    np.add.at(chroma, (slot, performance.pitch % 12), performance.strength)
    np.add.at(strength, slot, performance.strength)
    np.maximum.at(low, slot, np.clip((64 - performance.pitch) / 24, 0, 1.5))
    return _Slots(chroma, strength / max(strength.max(), 1e-9), low, int(slot[0]))


def _repeats(slots: _Slots, length: int) -> float:
    """How like each other the half beats are that lie one bar and two bars apart, less how like any two are."""
    chroma = slots.chroma / max(slots.chroma.max(), 1e-9)
    rows = np.column_stack([chroma, slots.strength, slots.low])
    alike = []
    for lag in (length, 2 * length):
        if lag < len(rows):
            alike.append(_alike(rows[lag:], rows[:-lag]))
    near = [_alike(rows[lag:], rows[:-lag]) for lag in range(3, min(12, len(rows) - 1))]
    return float(np.mean(alike) - np.mean(near)) if alike and near else 0.0


def _alike(one: FloatArray, other: FloatArray) -> float:
    """The cosine of the angle between two tables of rows, row by row, where either has something."""
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    some = (np.abs(one).sum(axis=1) + np.abs(other).sum(axis=1)) > 0
    return float(((one * other).sum(axis=1) / np.maximum(norms, 1e-9))[some].mean()) if some.any() else 0.0


def _begins(slots: _Slots, length: int) -> NDArray[np.float64]:
    """(length,): how much speaks for bars that begin at each half beat of the first bar."""
    window = max(length // 2, 2)
    sums = np.cumsum(np.pad(slots.chroma, ((window + 1, window), (0, 0))), axis=0)
    after, before = sums[2 * window :] - sums[window:-window], sums[window:-window] - sums[: -2 * window]
    after, before = after[: len(slots.low)], before[: len(slots.low)]
    norms = np.linalg.norm(after, axis=1) * np.linalg.norm(before, axis=1)
    change = np.where(norms > 0, 1 - (after * before).sum(axis=1) / np.maximum(norms, 1e-9), 0.0)
    evidence = _standard(slots.strength) + _standard(slots.low) + 1.5 * _standard(change)
    totals = np.array([evidence[start::length].mean() for start in range(length)])
    totals[slots.first % length] += 0.7  # a recording mostly begins with a bar
    totals[1::2] -= 0.5  # and its beats are mostly beats
    return totals


def _standard(values: FloatArray) -> FloatArray:
    spread = float(values.std())
    standard: FloatArray = (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)
    return standard
