"""Loudness of sound: Recommendation ITU-R BS.1770-4 (2015), annex 1."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

RATE = 44_100
"""Frames a second."""

Sound = NDArray[np.float32]
"""Stereo sound, shape (frames, 2), full scale at 1."""


def factor(decibels: float) -> float:
    """The factor of samples for a gain in decibels."""
    return float(10 ** (decibels / 20))


def peak(sound: Sound) -> float:
    """The largest magnitude of a sample, 0 for no sound."""
    return float(max(sound.max(initial=0), -sound.min(initial=0)))


def stereo_wav(sound: Sound) -> bytes:
    """A WAV file, 16 bits, of stereo sound, clipped at full scale."""
    return wav_file(np.rint(sound.clip(-1, 1) * np.float32(32_767)).astype(np.int16))


def mono_wav(sound: NDArray[np.float32]) -> bytes:
    """A WAV file, 16 bits, of one channel (frames,) on both sides, clipped at full scale."""
    return stereo_wav(np.stack([sound, sound], axis=1))


def wav_file(samples: NDArray[np.int16]) -> bytes:
    """A WAV file of stereo samples (frames, 2)."""
    data = np.ascontiguousarray(samples, "<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 2, RATE, RATE * 4, 4, 16)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    return b"".join([head, b"data", struct.pack("<I", len(data)), data])


def integrated(sound: Sound, rate: int = RATE) -> float:
    """Integrated loudness in LUFS, by Recommendation ITU-R BS.1770-4 (2015), annex 1; minus infinity for silence.

    Sound is weighted as the ear weights it, and measured in blocks of 400 ms that overlap by three quarters. Blocks
    below -70 LUFS, and then those 10 LU below the mean of the rest, do not count: rests make nothing softer.
    """
    hops = energies(sound, rate)
    blocks = np.convolve(hops, np.full(4, 0.25), "valid")
    for gate in (lambda mean: -70.0, lambda mean: mean - 10.0):
        blocks = blocks[blocks > _energy(gate(_level(blocks)))]
    return _level(blocks)


def _level(blocks: NDArray[np.float64]) -> float:
    mean = float(blocks.mean()) if len(blocks) else 0.0
    return -0.691 + 10 * math.log10(mean) if mean > 0 else -math.inf


def _energy(level: float) -> float:
    return 0.0 if level == -math.inf else float(10 ** ((level + 0.691) / 10))


def energies(sound: Sound, rate: int) -> NDArray[np.float64]:
    """The mean square of each tenth of a second after weighting, both channels added; four at the least."""
    taps = _weighting(rate)
    hop = rate // 10
    size = 1 << 16
    chunk = (size - len(taps)) // hop * hop
    response = np.fft.rfft(taps, size)[:, None]
    count = max(-(-len(sound) // hop), 4)
    found = np.zeros(count)
    for start in range(0, count * hop, chunk):
        lead = min(start, len(taps))  # the filter still holds earlier sound
        piece = np.fft.rfft(sound[start - lead : start + chunk], size, axis=0)
        heard = np.fft.irfft(piece * response, size, axis=0)[lead : lead + chunk]
        means = (heard**2).sum(axis=1).reshape(-1, hop).mean(axis=1)
        first = start // hop
        found[first : first + len(means)] = means[: count - first]
    return found


@cache
def _weighting(rate: int) -> NDArray[np.float64]:
    """The impulse response of the standard's two filters (K-weighting), cut where it is inaudible.

    The standard gives coefficients for 48,000 frames a second. The analogue filters behind them are those of B. De Man,
    "Evaluation of implementations of the EBU R128 loudness measurement", AES 145 (2018), table 1.
    """
    impulse = [1.0] + [0.0] * 8191
    for filtered in filters(rate):
        impulse = list(biquad(impulse, *filtered))
    return np.array(impulse)


Biquad = tuple[tuple[float, float, float], tuple[float, float]]
"""Coefficients of a filter of second order: b0, b1, b2, and a1, a2, with a0 = 1."""


def filters(rate: int) -> tuple[Biquad, Biquad]:
    """The standard's filters for a rate: the shelf that models the head, and the high pass."""
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


def biquad(samples: Iterable[float], b: tuple[float, float, float], a: tuple[float, float]) -> Iterator[float]:
    """Samples through a filter of second order, with the coefficients b of its zeros and a of its poles."""
    first = second = 0.0  # transposed direct form II
    for x in samples:
        y = b[0] * x + first
        first, second = b[1] * x - a[0] * y + second, b[2] * x - a[1] * y
        yield y


CEILING = -1.0
"""The highest sample, in dB below full scale."""

_CHUNK = 1 << 18  # frames processed at a time
_LOOK = RATE // 100  # frames of the limiter's attack and release


def limited(sound: Sound, ceiling: float = CEILING) -> NDArray[np.int16]:
    """The sound in 16 bits, no sample above the ceiling (dB below full scale).

    Around a peak the gain falls smoothly, from a hundredth of a second before it to as long after.
    """
    most = np.float32(factor(ceiling))
    out = np.empty(sound.shape, np.int16)
    for start in range(0, len(sound), _CHUNK):
        here = sound[start : start + _CHUNK]
        gain = _gain(sound, start, most)
        here = here if gain is None else here * gain[:, None]
        out[start : start + _CHUNK] = np.rint(np.clip(here, -most, most) * np.float32(32767))
    return out


def gains(sound: Sound, ceiling: float = CEILING) -> NDArray[np.float32]:
    """(frames,): the gain of each frame in `limited`."""
    out = np.ones(len(sound), np.float32)
    for start in range(0, len(sound), _CHUNK):
        gain = _gain(sound, start, np.float32(factor(ceiling)))
        if gain is not None:
            out[start : start + _CHUNK] = gain
    return out


def _gain(sound: Sound, start: int, most: np.float32) -> NDArray[np.float32] | None:
    """The gain of each frame of the chunk that begins at `start`; None if no frame needs any."""
    size = len(sound[start : start + _CHUNK])
    first, last = start - _LOOK + 1, start + size + _LOOK - 1
    around = sound[max(first, 0) : last]
    needed = most / np.maximum(np.abs(around).max(axis=1), most)  # the gain that each frame needs
    if needed.min() >= 1:
        return None
    edges = (max(-first, 0), max(last - len(sound), 0))
    lowest = _least(np.pad(needed, edges, constant_values=1), _LOOK)
    total = np.cumsum(np.concatenate([[0.0], lowest]))
    gain: NDArray[np.float32] = ((total[_LOOK:] - total[:-_LOOK]) / _LOOK).astype(np.float32)
    return gain


def _least(values: Sound, width: int) -> Sound:
    """The sliding minimum over so many neighbours: width - 1 fewer values."""
    done = 1
    while 2 * done <= width:
        values = np.minimum(values[:-done], values[done:])
        done *= 2
    rest = width - done
    return np.minimum(values[: len(values) - rest], values[rest:])
