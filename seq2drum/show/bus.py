"""The bus of the drums: a little air on the cymbals, a short room, and gentle compression, as records have them.

All of it is made here with numpy; the room's impulse response is noise from a fixed seed. Air and room are linear, so
each stem gets its own; the compressor's gain is one curve, that of all drums together, so stems still add up.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from seq2drum.show.loudness import RATE, Sound, factor

AIR, AIR_FROM = 2.5, 6000.0  # dB that a shelf adds, and the frequency in the middle of its rise
ROOM_SECONDS, ROOM_DELAY = 0.32, 0.009  # the fall by 60 dB, and the first reflection
ROOM_LEVEL = -17.0  # dB of the room's energy beside that of the direct sound
ROOM_LOW, ROOM_HIGH = 220.0, 7000.0  # its band, in hertz
RATIO, KNEE = 3.0, 10.0  # of the compressor; the knee in dB
TOP, BELOW_TOP = 0.98, 12.0  # the share of strokes below its top level, and dB from there down to the threshold
ATTACK, RELEASE = 0.001, 0.08  # seconds
MOST_REDUCED = 9.0  # dB

_HOP = 64  # frames between two values of the compressor's gain
_SILENT = 1e-5  # amplitude below which nothing sounds
_STROKE = 128  # values of the gain, about the time of a stroke
_TAPS = 1 << 15
_CHUNK = 1 << 17
_SEED = 0xA1


def in_room(sound: Sound) -> Sound:
    """Sound with air and room; as long as it was, as a rest of it is silence."""
    response = _response()
    size = _CHUNK + _TAPS
    spectrum = np.fft.rfft(response, size, axis=0)
    out = np.zeros((len(sound) + _TAPS, 2), np.float32)
    for start in range(0, len(sound), _CHUNK):
        piece = np.fft.rfft(sound[start : start + _CHUNK], size, axis=0)
        heard = np.fft.irfft(piece * spectrum, size, axis=0)
        stop = min(start + size, len(out))
        out[start:stop] += heard[: stop - start].astype(np.float32)
    return out[: len(sound)]


@cache
def _response() -> NDArray[np.float64]:
    """(frames, 2): the impulse response of the shelf and the room, left and right."""
    frequency = np.fft.rfftfreq(_TAPS, 1 / RATE)
    # 1. The shelf, without a delay: the least phase of its magnitude, by the real cepstrum.
    rise = 1 / (1 + (AIR_FROM / np.maximum(frequency, 1.0)) ** 4)
    cepstrum = np.fft.irfft(np.log(factor(AIR)) * rise, _TAPS)
    cepstrum[1 : _TAPS // 2] *= 2
    cepstrum[_TAPS // 2 + 1 :] = 0
    direct = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)), _TAPS)
    # 2. The room: decaying noise in a band, another on each side.
    at = np.arange(_TAPS) / RATE
    noise = np.random.default_rng(_SEED).standard_normal((_TAPS, 2))
    noise *= (10 ** (-3 * np.maximum(at - ROOM_DELAY, 0) / ROOM_SECONDS) * (at >= ROOM_DELAY))[:, None]
    band = 1 / (1 + (ROOM_LOW / np.maximum(frequency, 1.0)) ** 4) / (1 + (frequency / ROOM_HIGH) ** 4)
    room = np.fft.irfft(np.fft.rfft(noise, axis=0) * band[:, None], _TAPS, axis=0)
    room *= factor(ROOM_LEVEL) / np.sqrt((room**2).sum(axis=0))
    response: NDArray[np.float64] = direct[:, None] + room
    return response


def gain_of(sound: Sound) -> NDArray[np.float32]:
    """(frames,): the gain by which a compressor of this sound holds its peaks; 1 in silence."""
    count = -(-len(sound) // _HOP)
    if not count:
        return np.ones(0, np.float32)
    loudest = np.zeros(count * _HOP, np.float32)
    np.maximum(sound.max(axis=1), -sound.min(axis=1), out=loudest[: len(sound)])
    level = loudest.reshape(count, _HOP).max(axis=1).astype(np.float64)
    del loudest
    sounding = level > _SILENT
    if not sounding.any():
        return np.ones(len(sound), np.float32)
    # 1. The gain that each moment asks for, in dB: nothing below the threshold, a soft knee around it.
    threshold = 20 * np.log10(_top(level)) - BELOW_TOP
    over = 20 * np.log10(np.maximum(level, _SILENT)) - threshold
    bent = np.where(np.abs(over) <= KNEE / 2, (over + KNEE / 2) ** 2 / (2 * KNEE), np.maximum(over, 0.0))
    wanted = np.minimum(bent * (1 - 1 / RATIO), MOST_REDUCED)
    # 2. How fast it follows.
    down, up = (float(np.exp(-_HOP / RATE / seconds)) for seconds in (ATTACK, RELEASE))
    reduced, now = np.empty(count), 0.0
    for index, value in enumerate(wanted.tolist()):
        share = down if value > now else up
        now = share * now + (1 - share) * value
        reduced[index] = now
    # 3. Between these moments it moves evenly; it falls a little before a stroke.
    moments = (np.arange(count) - 0.5) * _HOP
    gain, out = 10 ** (-reduced / 20), np.empty(len(sound), np.float32)
    for start in range(0, len(sound), _CHUNK):
        stop = min(start + _CHUNK, len(sound))
        out[start:stop] = np.interp(np.arange(start, stop), moments, gain)
    return out


def _top(level: NDArray[np.float64]) -> float:
    """The level that the peaks of TOP of all strokes stay below."""
    count = -(-len(level) // _STROKE)
    strokes = np.pad(level, (0, count * _STROKE - len(level))).reshape(count, _STROKE).max(axis=1)
    return float(np.quantile(strokes[strokes > _SILENT], TOP))


def bussed(sounds: list[Sound]) -> list[Sound]:
    """Drums in several sounds, each in the room, and held by one compressor; they take the places in the list."""
    for number, one in enumerate(sounds):
        sounds[number] = in_room(one)
    together = np.zeros((max(map(len, sounds), default=0), 2), np.float32)
    for one in sounds:
        together[: len(one)] += one
    gain = gain_of(together)
    del together
    for one in sounds:
        one *= gain[: len(one), None]
    return sounds


def wide(loop: NDArray[np.float32]) -> Sound:
    """A mono loop (frames,) in the room, with air: stereo, as long, and still a loop, as the room's tail goes round."""
    around = -(-_TAPS // max(len(loop), 1))  # times that it was heard before
    sides = np.repeat(np.tile(loop, around + 1)[:, None], 2, axis=1)
    heard = in_room(sides)[around * len(loop) :]
    heard *= np.float32(np.abs(loop).max(initial=0) / max(float(np.abs(heard).max(initial=0)), 1e-9))
    return heard
