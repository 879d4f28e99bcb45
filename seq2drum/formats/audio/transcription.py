"""Transcription of a recorded guitar: Spotify's Basic Pitch network, and note picking of our own.

The network (R. M. Bittner et al., "A lightweight instrument-agnostic model for polyphonic note transcription and
multipitch estimation", ICASSP 2022; Apache-2.0) is the file `nmp.onnx` in the wheel of `basic-pitch`. It runs in ONNX
Runtime alone: the package is found by its metadata and never imported, since it would import TensorFlow.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import MissingExtraError
from seq2drum.formats import foreign
from seq2drum.lattice.beats.performance import Performance

RATE = 22_050
"""Samples a second of the network's input."""

HOP = 256
"""Samples from one frame of its output to the next."""

GUITAR = range(28, 89)
"""MIDI pitches picked: from the low E of a bass, below a guitar's low B, to the highest fret of a guitar."""

Grid = NDArray[np.float32]

_WINDOW = 43_844  # samples of its input
_EDGE = 15  # frames dropped at both ends of a window, where the context is incomplete
_HOPS = 141  # frames kept of a window; also the hops from window to window, so that frames never drift
_LOWEST = 21  # the MIDI pitch of its first column
_OUTPUTS = ["StatefulPartitionedCall:2", "StatefulPartitionedCall:1", "StatefulPartitionedCall:0"]


class Activations(NamedTuple):
    """The network's output, each from 0 to 1, a row a frame.

    onset (frames, 88): a note begins. note (frames, 88): a note sounds. contour (frames, 264): a pitch sounds, in
    thirds of a semitone. The columns begin with MIDI pitch 21.
    """

    onset: Grid
    note: Grid
    contour: Grid


def transcribed(sound: Grid) -> Performance:
    """The notes of a guitar. sound (frames,): at RATE.

    Raises:
        MissingExtraError: the network is not installed.
    """
    heard = activations(sound)
    return picked(heard, attacks(sound, len(heard.onset)), len(sound) / RATE)


def activations(sound: Grid) -> Activations:
    """The network's output for a sound (frames,) at RATE, of any length.

    Raises:
        MissingExtraError: the network is not installed.
    """
    session = _session()
    name = session.get_inputs()[0].name
    padded = np.concatenate([np.zeros(_EDGE * HOP, np.float32), sound])
    frames = -(-len(sound) // HOP)
    kept = []
    for begin in range(0, frames * HOP, _HOPS * HOP):
        window = padded[begin : begin + _WINDOW]
        window = np.pad(window, (0, _WINDOW - len(window)))[None, :, None]
        kept.append([grid[0, _EDGE : _EDGE + _HOPS] for grid in session.run(_OUTPUTS, {name: window})])
    return Activations(*(np.concatenate(grids)[:frames] for grids in zip(*kept, strict=True)))


@cache
def _session() -> Any:
    """The network, loaded on first use.

    Raises:
        MissingExtraError: the network is not installed.
    """
    network = foreign.network()
    if network is None:
        raise MissingExtraError(
            f"a recording needs the network of basic-pitch 0.4.0, which was not found: {foreign.GET_NETWORK}"
            " (without --no-deps it would install TensorFlow, which is not needed)"
        )
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the same sound gives the same notes
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(network), options, providers=["CPUExecutionProvider"])


# --- attacks ----------------------------------------------------------------------------------------------------------

_FFT = 1024
_AROUND = 40  # frames on each side that give the local average: just under half a second


def attacks(sound: Grid, frames: int) -> Grid:
    """The rise of the spectrum at each frame, as a binary logarithm relative to the local average.

    The flux of the logarithmic spectrum over two frames, against the largest of three neighbouring bins, so that
    vibrato and beats rise little: S. Böck and G. Widmer, "Maximum filter vibrato suppression for onset detection",
    DAFx 2013. The network takes fluctuations of a sustained, distorted guitar for onsets; this does not.
    """
    loudest = np.abs(sound).max(initial=0)
    padded = np.pad(sound / max(loudest, 1e-9), (_FFT // 2, _FFT // 2 + 3 * HOP)).astype(np.float32)
    flux = np.zeros(frames, np.float32)
    step = 4096
    for begin in range(0, frames, step):
        first, stop = max(begin - 1, 0), min(begin + step + 1, frames)
        rows = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[first * HOP : stop * HOP : HOP]
        spectrum = np.abs(np.fft.rfft(rows * np.hanning(_FFT).astype(np.float32), axis=1))
        logarithm = np.log1p(10 * spectrum).astype(np.float32)
        before = np.pad(logarithm[:-2], ((0, 0), (1, 1)), mode="edge")
        highest = np.maximum(np.maximum(before[:, :-2], before[:, 1:-1]), before[:, 2:])
        flux[first + 1 : stop - 1] = np.maximum(logarithm[2:] - highest, 0).mean(axis=1)
    highest_near = _sliding(flux, 3).max(axis=1)
    usual = np.median(_sliding(flux, _AROUND), axis=1)
    floor = 0.02 * np.percentile(highest_near, 90) + 1e-9
    ratio: Grid = np.log2((highest_near + 1e-9) / (usual + floor)).astype(np.float32)
    return ratio


def _sliding(values: Grid, around: int) -> Grid:
    """(n, 2 * around + 1): each value with its neighbours."""
    return np.lib.stride_tricks.sliding_window_view(np.pad(values, around), 2 * around + 1)


# --- picking ----------------------------------------------------------------------------------------------------------

_LATE = 0.010  # seconds of the network's delay, median of ten renders
_LEAST_ONSET = 0.4  # activation of an onset
_ATTACK_COUNTS = 0.08  # added to an onset's activation by an attack of twice the average
_MOST_ATTACK = 3.0  # eight times the average adds the most
_ENOUGH = 0.74  # the least sum of both for a note
_STILL = 0.3  # activation of a note while it sounds
_HARMONICS = (12, 19, 24, 28, 31, 36)  # overtones in semitones above a note
_TOGETHER = 0.035  # seconds within which notes begin together


def picked(heard: Activations, attack: Grid, seconds: float) -> Performance:
    """The notes in the network's output. attack (frames,): see `attacks`. seconds: the length of the recording.

    A note begins where its onset peaks, high enough together with the attack there, and ends where its activation
    falls. A note that begins with a stronger one an overtone below counts as that note's overtone.
    """
    # 1. The peaks of each pitch's onsets, between frames by a parabola through three of them.
    columns = slice(GUITAR.start - _LOWEST, GUITAR.stop - _LOWEST)
    onset, note = np.pad(heard.onset[:, columns], ((1, 1), (0, 0))), heard.note[:, columns]
    before, here, after = onset[:-2], onset[1:-1], onset[2:]
    bonus = _ATTACK_COUNTS * np.minimum(attack, _MOST_ATTACK)[:, None]
    peaks = (here >= before) & (here > after) & (here > _LEAST_ONSET) & (here + bonus > _ENOUGH)
    frame, column = np.nonzero(peaks)
    low, mid, high = before[frame, column], here[frame, column], after[frame, column]
    between = 0.5 * (low - high) / np.minimum(low - 2 * mid + high, -1e-6)
    begins = np.maximum((frame + np.clip(between, -0.5, 0.5)) * HOP / RATE - _LATE, 0.0)
    # 2. Without overtones of stronger notes.
    real = ~_overtones(begins, column, mid)
    frame, column, begins, strength = frame[real], column[real], begins[real], mid[real]
    # 3. Each sounds until its activation falls or it is struck again.
    ends = np.minimum(_ends(note, frame, column) * HOP / RATE, seconds)
    return Performance.of(begins, ends, column + GUITAR.start, strength, seconds)


def _overtones(begins: NDArray[np.float64], column: NDArray[np.int64], strength: Grid) -> NDArray[np.bool_]:
    """Return whether each note, in order of time, is an overtone of a stronger one that begins with it."""
    order = np.argsort(begins, kind="stable")
    first = np.searchsorted(begins[order], begins - _TOGETHER)
    stop = np.searchsorted(begins[order], begins + _TOGETHER, side="right")
    found = np.zeros(len(begins), bool)
    for index in range(len(begins)):
        near = order[first[index] : stop[index]]
        above = np.isin(column[index] - column[near], _HARMONICS)
        found[index] = bool((above & (strength[near] > strength[index])).any())
    return found


def _ends(note: Grid, frame: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.int64]:
    """(notes,): the frame at which each note has ended: its activation is low, or its pitch begins again."""
    ends = np.empty(len(frame), np.int64)
    for pitch in np.unique(column):
        mine = np.flatnonzero(column == pitch)
        silent = np.flatnonzero(note[:, pitch] < _STILL)
        silent = np.append(silent, len(note))
        begun = frame[mine]
        falls = silent[
            np.searchsorted(silent, np.minimum(begun + 4, len(note)))
        ]  # the activation rises a little after the onset
        ends[mine] = np.minimum(falls, np.append(begun[1:], len(note)))
    return ends
