"""A limiter: no sample above a ceiling, and nothing touched but what is around the peaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seq2drum.show.samples import RATE, Sound, factor

CEILING = -1.0
"""The highest sample, in dB below full scale."""

_CHUNK = 1 << 18  # frames that are worked on at a time
_LOOK = RATE // 100  # frames over which the limiter comes and goes


def limited(sound: Sound, ceiling: float = CEILING) -> NDArray[np.int16]:
    """The sound in 16 bits, no sample above the ceiling (dB below full scale).

    Where a peak would be, all is turned down smoothly, from a hundredth of a second before it to as long after.
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
    """(frames,): by what `limited` multiplies each frame."""
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
    """The least of each so many neighbours: width - 1 fewer values."""
    done = 1
    while 2 * done <= width:
        values = np.minimum(values[:-done], values[done:])
        done *= 2
    rest = width - done
    return np.minimum(values[: len(values) - rest], values[rest:])
