"""Audio loops as arrays: one bar of 4/4 as 16 slices, one a sixteenth, that are set closer or wider for other tempos.

A loop is mono, full scale at 1, and round: what rings on after its end sounds at its start. At RATE frames a second a
slice has SLICE frames, so that a bar lasts 2.048 seconds and its tempo is BPM.

Letters of shapes: n loops, k frames of a slice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
"""Frames a second."""
SLICES = 16
SLICE = 2048
FRAMES = SLICES * SLICE
"""Of a loop."""
BPM = 4 * 60 * RATE / FRAMES
"""Quarters a minute of a loop as it is: 117.1875."""

Samples = NDArray[np.float32]

_TAPER = 0.9  # of the lower half rate: what lies above fades out where frames become fewer
_GRAIN = 4  # the last so-manieth of a slice is repeated, forth and back, where slices are set wider
_DECAY = 0.7  # of each repetition
_JOINT = 64  # frames over which a repetition gives way to the next slice


def spacing(bpm: float) -> int:
    """How many frames a sixteenth lasts."""
    return round(RATE * 15 / bpm)


def resampled(loops: Samples, frames: int) -> Samples:
    """Round sound (..., n) in another number of frames (..., frames), by its Fourier series.

    Where frames become fewer, what they cannot hold is filtered out: flat up to nine tenths of half the lower rate,
    then half a cosine down to nothing. Nothing is heard that was not there before.
    """
    before = loops.shape[-1]
    if frames == before:
        return loops
    spectrum = np.fft.rfft(loops)
    if frames < before:
        most = frames // 2
        harmonic = np.arange(spectrum.shape[-1]) / max(most, 1)
        spectrum = spectrum * (0.5 + 0.5 * np.cos(np.pi * ((harmonic - _TAPER) / (1 - _TAPER)).clip(0, 1)))
        spectrum = spectrum[..., : most + 1]
    return np.asarray(np.fft.irfft(spectrum, frames) * (frames / before), dtype=np.float32)


def respaced(slices: Samples, frames: int) -> Samples:
    """Slices (..., 16, k) that follow each other every so many frames: (..., 16 * frames).

    The pitch stays. Set closer, what is left of a slice fades out under the next one; set wider, its last quarter is
    repeated forth and back, softer each time, as samplers do that stretch sliced loops.
    """
    held = slices.shape[-1]
    if frames == held:
        return slices.reshape(*slices.shape[:-2], -1)
    if frames < held:
        rest = slices[..., frames : 2 * frames]
        fade = np.cos(np.linspace(0, np.pi / 2, rest.shape[-1], dtype=np.float32)) ** 2
        closer = slices[..., :frames].copy()
        closer[..., : rest.shape[-1]] += np.roll(rest * fade, 1, axis=-2)
        return closer.reshape(*slices.shape[:-2], -1)
    grain = slices[..., -(held // _GRAIN) :]
    passes = -(-(frames - held) // grain.shape[-1])
    pieces = [slices, *((grain[..., :: -1 + 2 * (at % 2)]) * _DECAY ** (at + 1) for at in range(passes))]
    wider = np.concatenate(pieces, axis=-1)[..., :frames]
    # What leads into the next slice is the end of this one.
    joint = min(_JOINT, frames - held)
    fade = np.linspace(0, 1, joint, dtype=np.float32)
    wider[..., -joint:] = wider[..., -joint:] * (1 - fade) + slices[..., -joint:] * fade
    return wider.reshape(*slices.shape[:-2], -1)
