"""Figures of audio loops: the distance of their sound from that of real ones, and the share that is not copied.

The Frechet distance (M. Heusel et al., GANs trained by a two time-scale update rule, 2017) is taken on logarithms of
mel bands over a bar. The novelty of a loop A is the least sum((A - B)^2) / sum(A^2) over all training loops B: 0 is a
copy, 1 has nothing in common with any; silence has 1 as well. Each figure means something only beside the same figure
of real loops outside the training set.

Letters of shapes: n loops.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.patterns import FRAMES, RATE, Samples

Features = NDArray[np.float64]

COPIED = 0.1
"""The novelty below which a loop counts as a copy."""

_WINDOW, _HOP, _BANDS = 1024, 256, 48
_LOW, _HIGH = 30, 7800  # hertz of the bands
_FLOOR = 1e-2  # added to the energy of a band before its logarithm
_TIMES, _FREQUENCIES = 16, 24  # of the features
_PARTS = 48  # principal components of the features
_CHUNK = 64  # loops processed in one pass


class Likeness(NamedTuple):
    """The mean of the features of real loops, and their strongest principal components."""

    middle: Features
    parts: Features

    @staticmethod
    def of(loops: NDArray[np.floating]) -> Likeness:
        """From real loops (n, FRAMES)."""
        rows = features(loops)
        middle = rows.mean(axis=0)
        _, vectors = np.linalg.eigh(np.cov(rows, rowvar=False))
        return Likeness(middle, vectors[:, ::-1][:, :_PARTS])

    def rows(self, loops: NDArray[np.floating]) -> Features:
        """(n, components): loops as rows to be compared."""
        return np.asarray((features(loops) - self.middle) @ self.parts)


def spectrogram(loops: Samples) -> Features:
    """Logarithms of mel bands over time, (n, 48, FRAMES / 256); loops are periodic."""
    padded = np.concatenate([loops[:, -_WINDOW // 2 :], loops, loops[:, : _WINDOW // 2]], axis=1)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW, axis=1)[:, :FRAMES:_HOP]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW + 1)[:-1].astype(np.float32)))
    return np.asarray(np.log(_bank() @ magnitude.swapaxes(1, 2) + _FLOOR))


def features(loops: NDArray[np.floating]) -> Features:
    """(n, 24 * 16): the same on half as many bands and a sixteenth at a time."""
    kept = np.empty((len(loops), _FREQUENCIES * _TIMES))
    for first in range(0, len(loops), _CHUNK):
        bands = spectrogram(loops[first : first + _CHUNK].astype(np.float32))
        shape = (len(bands), _FREQUENCIES, _BANDS // _FREQUENCIES, _TIMES, -1)
        kept[first : first + _CHUNK] = bands.reshape(shape).mean(axis=(2, 4)).reshape(len(bands), -1)
    return kept


def distance(one: Features, other: Features) -> float:
    """The Frechet distance of two sets of rows, assumed to be normally distributed."""
    middle = ((one.mean(axis=0) - other.mean(axis=0)) ** 2).sum()
    first, second = (np.cov(rows, rowvar=False) + 1e-4 * np.eye(rows.shape[1]) for rows in (one, other))
    # The trace of the root of the product, by a symmetric matrix with the same eigenvalues.
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    shared = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    return float(middle + np.trace(first) + np.trace(second) - 2 * shared)


def novelty(loops: Samples, learnt: NDArray[np.floating]) -> Features:
    """(n,): the least sum((A - B)^2) / sum(A^2) of each loop A over all training loops B (m, FRAMES)."""
    loops = loops.astype(np.float32)
    energy = np.maximum((loops**2).sum(axis=1), 1e-6)
    least = np.full(len(loops), np.inf)
    for first in range(0, len(learnt), 512):
        block = learnt[first : first + 512].astype(np.float32)
        apart = energy[:, None] + (block**2).sum(axis=1) - 2 * loops @ block.T
        least = np.minimum(least, apart.min(axis=1))
    return np.asarray(least.clip(0) / energy)


def _bank() -> Features:
    """(48, 513): triangular bands, equally wide in mel, each with weights that sum to 1."""
    edges = 700 * (10 ** (np.linspace(_mel(_LOW), _mel(_HIGH), _BANDS + 2) / 2595) - 1)
    hertz = np.linspace(0, RATE / 2, _WINDOW // 2 + 1)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bank = np.minimum((hertz - low) / (middle - low), (high - hertz) / (high - middle)).clip(0)
    return np.asarray(bank / np.maximum(bank.sum(axis=1, keepdims=True), 1e-6))


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))
