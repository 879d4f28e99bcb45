"""Recordings made here: plucked strings by the algorithm of Karplus and Strong, and the files they are written to."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

RATE = 22_050
CHORDS = ((40, 47, 52), (45, 52, 57), (47, 54, 59), (45, 52, 57))


def needs_audio() -> None:
    """Skip where what reads recordings is not installed."""
    for package in ("soundfile", "soxr"):
        pytest.importorskip(package, reason=f"recordings need {package}: pip install 'seq2drum[audio]'")
    import importlib.metadata

    try:
        importlib.metadata.version("basic-pitch")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("recordings need basic-pitch: pip install --no-deps basic-pitch==0.4.0")


def plucked(notes: Sequence[tuple[float, int, float]], seconds: float) -> NDArray[np.float32]:
    """Notes (second, MIDI pitch, strength) as plucked strings, at RATE."""
    rng = np.random.default_rng(0)
    sound = np.zeros(round(seconds * RATE) + 2 * RATE)
    for second, pitch, strength in notes:
        period = round(RATE / (440 * 2 ** ((pitch - 69) / 12)))
        string = rng.uniform(-1, 1, period)
        periods = [string]
        for _ in range(round(0.8 * RATE / period)):
            string = 0.498 * (string + np.roll(string, 1))
            periods.append(string)
        tone = np.concatenate(periods)
        begin = round(second * RATE)
        sound[begin : begin + len(tone)] += strength * tone
    return (0.2 * sound[: round(seconds * RATE)]).astype(np.float32)


def riff(times: Iterable[float], seconds: float) -> NDArray[np.float32]:
    """Eighths at some times: in each bar of eight a chord, then its fifth, and its root on the fifth."""
    notes = []
    for index, time in enumerate(times):
        root, fifth, octave = CHORDS[index // 8 % len(CHORDS)]
        place = index % 8
        if place == 0:
            notes += [(time, root, 1.0), (time, fifth, 0.9), (time, octave, 0.9)]
        else:
            notes.append((time, root if place == 4 else fifth, 0.6))
    return plucked(notes, seconds)


def as_file(sound: NDArray[np.floating], rate: int = RATE, kind: str = "WAV", subtype: str | None = None) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, sound, rate, format=kind, subtype=subtype)
    return buffer.getvalue()
