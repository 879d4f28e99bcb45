"""How loud the hits of a take are, once it is known which there are: levels, a soft limit, and a drummer's variation.

Velocities are those of MIDI, 1 to 127; here they are arrays of any shape, not rounded where a function says nothing
else. N hits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from seq2drum.music.notes import IntArray

Array = NDArray[np.float64]

KNEE = 110.0  # up to here a velocity is as it comes
ROOM = 16.4  # what is louder comes at most this much above: 126 when rounded
# The mean velocity of a take at levels of intensity. Half way it is what is played where nothing is asked for.
_LEVELS, _MEANS = (0.0, 0.25, 0.5, 0.75, 1.0), (58.0, 75.0, 90.0, 99.0, 108.0)
_MOST = 1.5  # how much more velocities are raised to come to a mean, where the limit holds some of them back
_HEEDED = 0.85  # how far a take is brought to the mean of its level: a song that is soft stays a little softer
# What a drummer varies, in shares of a velocity: with the bar, with the step and with each hit alone. And how often the
# velocity of a place is the same as in the bar before. Set on what drummers do, see `notebooks/LOG.md`.
_OF_BAR, _OF_STEP, _OF_HIT = 0.05, 0.05, 0.09
REPEATED = 0.12


def limited(velocity: Array) -> Array:
    """Velocities that no strength clips: as they are up to the knee, above it ever closer to the most. Order stays."""
    above = np.maximum(velocity - KNEE, 0)
    soft: Array = np.minimum(velocity, KNEE) + ROOM * (1 - np.exp(-above / ROOM))
    return np.maximum(soft, 1.0)


def as_loud_as(velocity: Array, mean: float) -> Array:
    """(N,): velocities moved alike, and limited, so that this is their mean; as near as the limit allows."""
    if not len(velocity):
        return velocity
    reach = 128 + float(np.max(velocity))
    return limited(velocity + _found(lambda shift: float(np.mean(limited(velocity + shift))), mean, -reach, reach))


def at_level(velocity: Array, usual: float, level: float) -> Array:
    """(N,): velocities as loud as a level of intensity, 0 to 1, asks for, and limited.

    usual: the mean velocity of the take as it comes, of all bars so far. Below the limit, ghost notes and accents keep
    their ratio.
    """
    if not len(velocity):
        return velocity
    wanted = float(np.interp(level, _LEVELS, _MEANS))
    gain = (wanted / max(usual, 1.0)) ** _HEEDED * (wanted / _MEANS[2]) ** (1 - _HEEDED)
    mean = gain * float(np.mean(velocity))
    raised = _found(lambda factor: float(np.mean(limited(velocity * factor))), mean, gain, _MOST * gain)
    return limited(velocity * raised)


def _found(mean_of: Callable[[float], float], mean: float, low: float, high: float) -> float:
    """The number between low and high of which a function that rises is nearest to a mean."""
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_of(middle) < mean else (low, middle)
    return (low + high) / 2


def varied(velocity: Array, step: IntArray, rng: np.random.Generator) -> Array:
    """(N,): velocities of a bar's hits, varied as a drummer varies them: some with the bar, the step, the hit."""
    steps = int(step.max(initial=0)) + 1
    drawn = rng.standard_normal(1 + steps + len(velocity))  # of the bar, its steps, its hits
    varying: Array = np.exp(_OF_BAR * drawn[0] + _OF_STEP * drawn[1 + step] + _OF_HIT * drawn[1 + steps :])
    return velocity * varying
