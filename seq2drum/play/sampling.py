"""How a take is drawn: the numbers that a musician or a test sets, and what they make of the draws."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

OPENING_TRIES = 10  # ways in which the opening of a sampled take is played
# A hit that is likelier than this belongs to the most likely take, and sharpening moves away from it: hits are rarer
# than rests, so around one half a sharpened take would be an empty one. At 0.3 it has as many hits as real drums.
HIT_THRESHOLD = 0.3


class Sampling(NamedTuple):
    """How a take is drawn.

    seed. temperature: 0 plays what is likelier than HIT_THRESHOLD, 1 as often as the model says. top_p: the share of
    likely outcomes that is kept. tries: in how many ways an opening is played, of which one is chosen.
    """

    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    tries: int = 1


def thresholds(uniform: NDArray[np.float64], sampling: Sampling) -> NDArray[np.float64]:
    """The logit above which a voice is played: a hit of probability p is drawn when p, sharpened, exceeds the number.

    Outcomes (playing or resting) of a probability below 1 - top_p are never drawn.
    """
    low = min(max(1 - sampling.top_p, 1e-9), 0.5)
    # Sharpened first, then cut: p < low never plays, whatever the temperature.
    uniform = np.maximum(uniform, 2.0**-54)  # zero, the one number without a logarithm, is drawn now and then
    plain = np.log(HIT_THRESHOLD / (1 - HIT_THRESHOLD))
    sharpened = plain + (np.log(uniform / (1 - uniform)) - plain) * sampling.temperature
    edge = np.log((1 - low) / low)
    cut: NDArray[np.float64] = np.clip(sharpened, -edge, edge)
    return cut
