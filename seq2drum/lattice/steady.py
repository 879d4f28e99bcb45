"""One steady tempo for a whole performance: which period and phase its strikes fit best.

How likely the strikes are is a sum over them of a function that repeats with the beat, so its Fourier series and the
spectrum of the strikes give it for all periods and phases at once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seq2drum.lattice import tracking
from seq2drum.lattice.performance import FloatArray

FITS = 0.45
"""The mean logarithm of the likelihood of a strike from which on a performance has one steady tempo."""

_BIN = 0.005  # seconds to which strikes are rounded
_FINE = 24  # frequencies that are looked at for each that the length tells apart
_HARMONICS = 28  # of the Fourier series
_PHASES = 64  # of a beat
_SHORTEST, _LONGEST = 0.25, 2.0  # seconds of a beat
_SHAPES = 60  # periods for which the series is made anew: strikes are sharper in a longer beat


class Steady(NamedTuple):
    """A tempo that never changes: seconds of a beat, a second at which one is, and how well the strikes fit."""

    period: float
    phase: float
    fit: float


def steadiest(times: FloatArray, weights: FloatArray) -> Steady:
    """The tempo that the strikes fit best, whole beats or parts of them; see FITS.

    times, weights (strikes,): seconds from 0 on, and how much each counts.
    """
    # 1. The spectrum of the strikes, fine enough that no beat is passed over.
    size = int(2 ** np.ceil(np.log2(max((np.ptp(times) + 1) * _FINE, 200) / _BIN)))
    struck = np.zeros(size)
    np.add.at(struck, np.rint((times - times[0]) / _BIN).astype(np.int64), weights / weights.sum())
    spectrum = np.fft.rfft(struck)
    step = 1 / (size * _BIN)
    bins = np.arange(np.ceil(1 / _LONGEST / step), np.floor(1 / _SHORTEST / step) + 1).astype(np.int64)
    harmonics = np.arange(_HARMONICS + 1)
    # 2. For each frequency and feel the likelihood at all phases, and the best of all.
    periods = np.geomspace(_SHORTEST, _LONGEST, _SHAPES)
    shape = np.abs(np.log(1 / (bins * step))[:, None] - np.log(periods)).argmin(axis=1)
    best = Steady(1.0, 0.0, -np.inf)
    for feel in (tracking.STRAIGHT, tracking.TRIPLETS):
        phases = np.arange(2 * _PHASES) / (2 * _PHASES)
        rows = tracking.likelihood(np.broadcast_to(phases, (_SHAPES, len(phases))), periods[:, None], feel)
        series = np.fft.rfft(rows, axis=1)[:, : _HARMONICS + 1] / 2
        for some in np.array_split(np.arange(len(bins)), -(-len(bins) // 4096)):
            at = spectrum[np.minimum(bins[some, None] * harmonics, len(spectrum) - 1)]
            fits = np.fft.irfft(np.conj(series[shape[some]]) * at, n=_PHASES, axis=1)
            row, phase = divmod(int(fits.argmax()), _PHASES)
            if fits[row, phase] > best.fit:
                period = float(1 / (bins[some[row]] * step))
                best = Steady(period, float(times[0] + phase / _PHASES * period), float(fits[row, phase]))
    return best
