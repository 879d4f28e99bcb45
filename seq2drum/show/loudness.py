"""How loud sound is to the ear: Recommendation ITU-R BS.1770-4 (2015), annex 1."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from seq2drum.show.samples import RATE, Sound


def integrated(sound: Sound, rate: int = RATE) -> float:
    """Integrated loudness in LUFS, by Recommendation ITU-R BS.1770-4 (2015), annex 1; minus infinity for silence.

    Sound is weighted as the ear weights it, and measured in blocks of 400 ms that overlap by three quarters. What is
    below -70 LUFS, and then what is 10 LU below the mean of the rest, does not count: rests make nothing softer.
    """
    hops = _energies(sound, rate)
    blocks = np.convolve(hops, np.full(4, 0.25), "valid")
    for gate in (lambda mean: -70.0, lambda mean: mean - 10.0):
        blocks = blocks[blocks > _energy(gate(_level(blocks)))]
    return _level(blocks)


def _level(blocks: NDArray[np.float64]) -> float:
    mean = float(blocks.mean()) if len(blocks) else 0.0
    return -0.691 + 10 * math.log10(mean) if mean > 0 else -math.inf


def _energy(level: float) -> float:
    return 0.0 if level == -math.inf else float(10 ** ((level + 0.691) / 10))


def _energies(sound: Sound, rate: int) -> NDArray[np.float64]:
    """The mean square of each tenth of a second after weighting, both channels added; four at the least."""
    taps = _weighting(rate)
    hop = rate // 10
    size = 1 << 16
    chunk = (size - len(taps)) // hop * hop
    response = np.fft.rfft(taps, size)[:, None]
    count = max(-(-len(sound) // hop), 4)
    energies = np.zeros(count)
    for start in range(0, count * hop, chunk):
        lead = min(start, len(taps))  # what was before still sounds in the filter
        piece = np.fft.rfft(sound[start - lead : start + chunk], size, axis=0)
        heard = np.fft.irfft(piece * response, size, axis=0)[lead : lead + chunk]
        means = (heard**2).sum(axis=1).reshape(-1, hop).mean(axis=1)
        first = start // hop
        energies[first : first + len(means)] = means[: count - first]
    return energies


@cache
def _weighting(rate: int) -> NDArray[np.float64]:
    """The impulse response of the standard's two filters (K-weighting); beyond it is nothing to be heard.

    The standard gives coefficients for 48,000 frames a second. The analogue filters that they come from are those of
    B. De Man, "Evaluation of implementations of the EBU R128 loudness measurement", AES 145 (2018), table 1.
    """
    impulse = [1.0] + [0.0] * 8191
    for filtered in filters(rate):
        impulse = list(_biquad(impulse, *filtered))
    return np.array(impulse)


Biquad = tuple[tuple[float, float, float], tuple[float, float]]
"""Coefficients of a filter of second order: b0, b1, b2, and a1, a2, with a0 = 1."""


def filters(rate: int) -> tuple[Biquad, Biquad]:
    """The standard's filters for a rate: the shelf that stands for the head, and the high pass."""
    k, q = math.tan(math.pi * 1681.974450955533 / rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = (
        ((high + middle * k / q + k * k) / a0, 2 * (k * k - high) / a0, (high - middle * k / q + k * k) / a0),
        (2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0),
    )
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    return shelf, ((1.0, -2.0, 1.0), (2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0))


def _biquad(samples: Iterable[float], b: tuple[float, float, float], a: tuple[float, float]) -> Iterator[float]:
    first = second = 0.0  # transposed direct form II
    for x in samples:
        y = b[0] * x + first
        first, second = b[1] * x - a[0] * y + second, b[2] * x - a[1] * y
        yield y
