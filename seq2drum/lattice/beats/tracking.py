"""Tracking the beats of a performance that may drift: a hidden Markov model of tempo and beat phase.

States and transitions are those of F. Krebs, S. Böck and G. Widmer, "An efficient state-space model for joint tempo
and meter tracking", ISMIR 2015. The observations are a guitar's strikes rather than beat activations; each is as
likely as strikes are at its phase.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.beats.performance import FloatArray

FRAME = 0.01
"""Seconds of a frame."""

STRAIGHT = (np.array([0, 1 / 2, 1 / 4, 3 / 4]), np.array([0.45, 0.29, 0.09, 0.12]))
"""Places of a beat, and the share of the strikes at each, for beats of two and four parts."""

TRIPLETS = (np.array([0, 2 / 3, 1 / 3, 1 / 2]), np.array([0.48, 0.29, 0.13, 0.05]))
"""The same for beats of three parts."""

Feel = tuple[FloatArray, FloatArray]

_ANYWHERE = 0.05  # share of strikes at none of the places
_SPREAD = 0.018  # seconds, standard deviation of a strike about its place
_TURN = 60.0  # log penalty for each factor e of tempo change from beat to beat
_REACH = 1.35  # largest ratio to the usual tempo
_WINDOW = 8.0  # seconds with nearly constant tempo
_USUAL, _OCTAVES = 0.48, 0.55  # mean (seconds) and log deviation of the prior of the period
_PRIOR = 0.5  # weight of the prior against a strike's mean likelihood
_DRIFT = 5  # steps of 1.2 % by which windows may differ in tempo
_RARE = 0.12  # penalty of triplets
_LONGEST, _SHORTEST = 1.5, 0.25  # seconds of a beat


def likelihood(phase: FloatArray, period: FloatArray | float, feel: Feel) -> FloatArray:
    """The log likelihood of a strike at a beat phase, 0 to 1. period: seconds of the beat."""
    places, shares = feel
    spread = _SPREAD / np.asarray(period)
    away = np.abs(phase[..., None] - places)
    away = np.minimum(away, 1 - away) / spread[..., None]
    bell = np.exp(-0.5 * away**2) / (np.sqrt(2 * np.pi) * spread[..., None])
    logarithm: FloatArray = np.log(_ANYWHERE + bell @ shares)
    return logarithm


def usual_period(times: FloatArray, weights: FloatArray, *, in_threes: bool = False) -> tuple[float, Feel]:
    """The period in seconds that fits the strikes of most windows and lies near the usual one; its feel.

    in_threes: search ternary beats only, as those of 6/8.
    """
    periods = np.exp(np.arange(np.log(_SHORTEST), np.log(_LONGEST), 0.012))
    begins = np.arange(times[0], max(times[-1] - _WINDOW / 2, times[0] + 0.01), _WINDOW / 2)
    total, count = np.zeros((2, len(periods))), 1e-9
    for begin in begins:
        inside = (times >= begin) & (times < begin + _WINDOW)
        if inside.sum() < 4:
            continue
        here, weight = times[inside] - begin, weights[inside]
        fits = np.zeros_like(total)
        for index, period in enumerate(periods):
            phases = np.arange(0, 1, 0.012 / period)
            phase = (here / period - phases[:, None]) % 1
            for row, feel in enumerate((STRAIGHT, TRIPLETS)):
                fits[row, index] = (likelihood(phase, period, feel) @ weight).max()
        padded = np.pad(fits, ((0, 0), (_DRIFT, _DRIFT)), constant_values=-np.inf)
        total += np.lib.stride_tricks.sliding_window_view(padded, 2 * _DRIFT + 1, axis=1).max(axis=2)
        count += weight.sum()
    prior = -0.5 * ((np.log(periods) - np.log(_USUAL)) / _OCTAVES) ** 2
    mean = total / count + _PRIOR * prior - np.array([[0.0], [_RARE]])
    if in_threes:
        mean[0] = -np.inf
    row, best = divmod(int(mean.argmax()), len(periods))
    return float(periods[best]), (STRAIGHT, TRIPLETS)[row]


def tracked(times: FloatArray, weights: FloatArray, seconds: float, period: float, feel: Feel) -> FloatArray:
    """The seconds of the beats, rising, the first near 0 and the last near the end.

    times, weights (strikes,): seconds of the strikes, and their weights. period: seconds of a beat about which the
    beats are searched.
    """
    # 1. The states: for each period in frames a phase for each of its frames.
    least, most = round(period / _REACH / FRAME), round(period * _REACH / FRAME)
    lengths = np.arange(max(least, 12), most + 1)
    first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    last = first + lengths - 1
    phase = np.concatenate([np.arange(length) / length for length in lengths])
    periods = np.repeat(lengths * FRAME, lengths)
    turn = -_TURN * np.abs(np.log(lengths[:, None] / lengths))
    # 2. Forwards: from frame to frame the phase goes on, and where a beat begins the period may change.
    frames = int(seconds / FRAME) + 1
    strikes: dict[int, list[int]] = {}
    for index, frame in enumerate((times / FRAME).astype(int).tolist()):
        strikes.setdefault(frame, []).append(index)
    score = np.zeros(len(phase))
    came = np.zeros((frames, len(lengths)), np.int16)
    for frame in range(frames):
        if frame:
            arriving = score[last] + turn
            came[frame] = arriving.argmax(axis=1)
            score[1:] = score[:-1].copy()
            score[first] = arriving[np.arange(len(lengths)), came[frame]]
        for index in strikes.get(frame, ()):
            within = (times[index] - frame * FRAME) / periods
            score = score + weights[index] * likelihood((phase + within) % 1, periods, feel)
    # 3. Backwards along the likeliest path, from beat to beat.
    state = int(score.argmax())
    which = int(np.searchsorted(first, state, side="right")) - 1
    frame = frames - 1 - (state - int(first[which]))
    beats = list[int]()
    while frame > 0:
        beats.append(frame)
        which = int(came[frame, which])
        frame -= int(lengths[which])
    beats.append(frame)
    return np.array(beats[::-1]) * FRAME


def refined(beats: FloatArray, times: FloatArray, weights: FloatArray, feel: Feel, reach: float = 2.0) -> FloatArray:
    """The beats, each moved onto a line fitted to the strikes within so many beats around it."""
    places = np.interp(times, beats, np.arange(len(beats), dtype=float))
    inside = (times >= beats[0]) & (times <= beats[-1])
    nearest, near = nearest_places(places, np.interp(places, np.arange(len(beats) - 1) + 0.5, np.diff(beats)), feel)
    good = inside & near
    nearest, times, weights = nearest[good], times[good], weights[good]
    moved = beats.copy()
    for index in range(len(beats)):
        local = weights * np.exp(-0.5 * ((nearest - index) / (reach / 2)) ** 2)
        if np.count_nonzero(local > 0.1 * weights) < 4 or np.ptp(nearest[local > 0.1 * weights]) < 1:
            continue
        x, y = nearest - index, times - beats[index]
        total, mean_x, mean_y = local.sum(), local @ x, local @ y
        mean_x, mean_y = mean_x / total, mean_y / total
        slope = (local @ ((x - mean_x) * (y - mean_y))) / (local @ (x - mean_x) ** 2)
        moved[index] = beats[index] + mean_y - slope * mean_x
    return moved if (np.diff(moved) > 0.05).all() else beats


def nearest_places(places: FloatArray, periods: FloatArray | float, feel: Feel) -> tuple[FloatArray, NDArray[np.bool_]]:
    """(the nearest places in the beat of some strikes, whether they lie within three deviations of them)."""
    grid = np.concatenate([feel[0], [1.0]])
    whole = np.floor(places)
    away = (places - whole)[:, None] - grid
    best = np.abs(away).argmin(axis=1)
    near = np.abs(away[np.arange(len(places)), best]) * periods < 3 * _SPREAD
    return whole + grid[best], near


FITS = 0.45
"""The mean log likelihood of a strike from which a performance has one steady tempo."""

_BIN = 0.005  # seconds of a bin of strikes
_FINE = 24  # frequencies evaluated for each that the length resolves
_HARMONICS = 28  # of the Fourier series
_PHASES = 64  # of a beat
_SHORTEST_STEADY, _LONGEST_STEADY = 0.25, 2.0  # seconds of a beat
_SHAPES = 60  # periods with separate series: strikes are sharper in a longer beat


class Steady(NamedTuple):
    """A constant tempo: seconds of a beat, the second of one beat, and the fit of the strikes."""

    period: float
    phase: float
    fit: float


def steadiest(times: FloatArray, weights: FloatArray) -> Steady:
    """The tempo that fits the strikes best, on whole beats or divisions of them; see FITS.

    times, weights (strikes,): seconds from 0 on, and their weights.
    """
    # 1. The spectrum of the strikes, fine enough that no beat is passed over.
    size = int(2 ** np.ceil(np.log2(max((np.ptp(times) + 1) * _FINE, 200) / _BIN)))
    struck = np.zeros(size)
    np.add.at(struck, np.rint((times - times[0]) / _BIN).astype(np.int64), weights / weights.sum())
    spectrum = np.fft.rfft(struck)
    step = 1 / (size * _BIN)
    bins = np.arange(np.ceil(1 / _LONGEST_STEADY / step), np.floor(1 / _SHORTEST_STEADY / step) + 1).astype(np.int64)
    harmonics = np.arange(_HARMONICS + 1)
    # 2. For each frequency and feel the likelihood at all phases, and the best of all.
    periods = np.geomspace(_SHORTEST_STEADY, _LONGEST_STEADY, _SHAPES)
    shape = np.abs(np.log(1 / (bins * step))[:, None] - np.log(periods)).argmin(axis=1)
    best = Steady(1.0, 0.0, -np.inf)
    for feel in (STRAIGHT, TRIPLETS):
        phases = np.arange(2 * _PHASES) / (2 * _PHASES)
        rows = likelihood(np.broadcast_to(phases, (_SHAPES, len(phases))), periods[:, None], feel)
        series = np.fft.rfft(rows, axis=1)[:, : _HARMONICS + 1] / 2
        for some in np.array_split(np.arange(len(bins)), -(-len(bins) // 4096)):
            at = spectrum[np.minimum(bins[some, None] * harmonics, len(spectrum) - 1)]
            fits = np.fft.irfft(np.conj(series[shape[some]]) * at, n=_PHASES, axis=1)
            row, phase = divmod(int(fits.argmax()), _PHASES)
            if fits[row, phase] > best.fit:
                period = float(1 / (bins[some[row]] * step))
                best = Steady(period, float(times[0] + phase / _PHASES * period), float(fits[row, phase]))
    return best
