"""Sampling: seed, temperature and top_p of a take, its random numbers, and the thresholds from them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

# A hit likelier than this belongs to the most likely take, and sharpening moves probabilities away from it: hits are
# rarer than rests, so with one half a sharpened take would be an empty one. At 0.3 it has as many hits as real drums.
HIT_THRESHOLD = 0.3
# The share of random numbers that bars at one place of a section have in common, where no plan says which bars come
# back: drummers have a few variants of a bar and return to them. Tuned together with the model's hearing of the groove:
# notebooks/LOG.md, 2026-11-22.
SHARED = 0.4
PERIOD = 4  # bars of a phrase: each bar shares its numbers with those this many bars, or twice as many, later
_TAG = 0x5EC7  # only in the seeds of shared numbers
_PLAIN = np.log(HIT_THRESHOLD / (1 - HIT_THRESHOLD))


class Sampling(NamedTuple):
    """The numbers that control the draws of a take.

    temperature: 0 plays hits likelier than HIT_THRESHOLD, 1 samples the model's distribution. top_p: outcomes less
    likely than 1 - top_p are never drawn. fill_temperature: the temperature of fills, if it differs.
    """

    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    fill_temperature: float | None = None

    def of_bar(self, *, fill: bool) -> Sampling:
        """The sampling of one bar, at its own temperature."""
        if fill and self.fill_temperature is not None:
            return self._replace(temperature=self.fill_temperature)
        return self


class Draws(NamedTuple):
    """The random numbers of a bar, each 0..1: hits (S, V), and struck (2, S, V) for velocities and offsets."""

    hits: NDArray[np.float64]
    struck: NDArray[np.float64]


def random_of(*key: int) -> np.random.Generator:
    """The random numbers of a key: those of numpy's `default_rng`, created in two thirds of its time."""
    return np.random.Generator(np.random.PCG64(key))


def drawn_place(weights: ArrayLike, draw: float) -> int:
    """Return a place of some weights (n,), each as likely as its share of them. draw: a random number, 0..1."""
    below = np.cumsum(weights)
    return int(np.searchsorted(below, draw * below[-1], side="right"))


def draws_of(
    seed: int, bar: int, steps: int, voices: int, place: tuple[str, int] | None, alone: Sequence[int] = ()
) -> Draws:
    """The random numbers of a bar, from (seed, bar), and the shared ones from (seed, place).

    place: the section's letter, and the bar's number in it; None shares nothing. With the probability SHARED, a number
    is common to all bars of the letter whose numbers differ by a multiple of PERIOD. So the numbers within one bar are
    uniform and independent. alone: voices without shared numbers: a stray crash is not a variant that should recur.
    """
    own, tables = random_of(seed, bar), (3, steps, voices)
    if place is None:
        numbers = own.random(tables)
        return Draws(numbers[0], numbers[1:])
    common = _common((seed, _TAG, place[1] % PERIOD, *place[0].encode()), tables)
    is_shared = own.random(tables) < SHARED
    is_shared[..., alone] = False
    numbers = own.random(tables)
    np.copyto(numbers, common, where=is_shared)
    return Draws(numbers[0], numbers[1:])


@lru_cache(maxsize=64)
def _common(key: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The shared numbers of the bars of a place."""
    return random_of(*key).random(shape)


def thresholds(uniform: NDArray[np.float64], sampling: Sampling) -> NDArray[np.float64]:
    """The logit threshold of a voice: a hit of probability p is drawn when p, sharpened, exceeds the number.

    Outcomes (playing or resting) with a probability below 1 - top_p are never drawn.
    """
    low = min(max(1 - sampling.top_p, 1e-9), 0.5)
    # Sharpened first, then cut: p < low never plays, whatever the temperature.
    uniform = np.maximum(uniform, 2.0**-54)  # zero has no logarithm, and is drawn occasionally
    sharpened = _PLAIN + (np.log(uniform / (1 - uniform)) - _PLAIN) * sampling.temperature
    edge = np.log((1 - low) / low)
    cut: NDArray[np.float64] = np.minimum(np.maximum(sharpened, -edge), edge)
    return cut
