"""Sound as samples: what its parts have in common, and the WAV file that they become."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

RATE = 44_100
"""Frames a second."""

Sound = NDArray[np.float32]
"""Stereo sound, shape (frames, 2), full scale at 1."""


def factor(decibels: float) -> float:
    """By what samples are multiplied to be so many decibels louder."""
    return float(10 ** (decibels / 20))


def peak(sound: Sound) -> float:
    """The largest magnitude of a sample, 0 for no sound."""
    return float(max(sound.max(initial=0), -sound.min(initial=0)))


def stereo_wav(sound: Sound) -> bytes:
    """A WAV file, 16 bits, of stereo sound; what is beyond full scale is cut."""
    return wav_file(np.rint(sound.clip(-1, 1) * np.float32(32_767)).astype(np.int16))


def mono_wav(sound: NDArray[np.float32]) -> bytes:
    """A WAV file, 16 bits, of one channel (frames,) on both sides; what is beyond full scale is cut."""
    return stereo_wav(np.stack([sound, sound], axis=1))


def wav_file(samples: NDArray[np.int16]) -> bytes:
    """A WAV file of stereo samples (frames, 2)."""
    data = np.ascontiguousarray(samples, "<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 2, RATE, RATE * 4, 4, 16)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    return b"".join([head, b"data", struct.pack("<I", len(data)), data])
