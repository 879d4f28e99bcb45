"""Shared by the players of generators: their checkpoint, noise and requests, and hits drawn from logits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import CheckpointError
from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.patterns import Velocities
from seq2drum.music.kit import HANDS, NINE
from seq2drum.play.checkpoint.folder import CONFIG, upgraded, verify
from seq2drum.play.checkpoint.runtime import UNUSABLE, LoadedGraph, read_json, session
from seq2drum.play.generators.composer import Brief, wish

Numbers = NDArray[np.float64]

T = TypeVar("T")

BY_HAND = tuple(name not in ("kick", "closed hat") for name in NINE.names)
"""For each voice, whether it takes a hand; a closed hat may be the foot's."""

_LOUDEST = 127
_EDGE = 1e-9  # the distance of shares from 0 and 1


def load(
    folder: Path,
    kind: str,
    format: int,
    wanted: Mapping[str, Any],
    read: Callable[[Mapping[str, Any]], T],
    graph: str | None = None,
) -> tuple[LoadedGraph, T]:
    """The graph of a generator, and the result of `read` on its checkpoint's config.

    wanted: required sizes of its network. graph: its file, by default named after the kind.

    Raises:
        CheckpointError: the folder is damaged, or of another kind.
    """
    file = graph or f"{kind}.onnx"
    try:
        about: dict[str, Any] = upgraded(read_json(folder / CONFIG), kind, format, {})
        for name, value in wanted.items():
            if about["config"][name] != value:
                raise ValueError(f"its {name} is {about['config'][name]}, wanted {value}")
        numbers = read(about)
    except UNUSABLE as error:
        raise CheckpointError(f"{str(folder)!r} holds no usable generator: {error}") from None
    verify(folder, (CONFIG, file))
    return session(folder / file, 1), numbers


def normals(key: Sequence[int], *shape: int) -> Numbers:
    """Standard normal numbers from a key alone."""
    return np.random.default_rng(key).standard_normal(shape)


def shared(common: float | Numbers, one: Numbers, other: Numbers) -> Numbers:
    """Standard normal numbers: a share taken from `one`, the rest from `other`."""
    return np.asarray(np.sqrt(common) * one + np.sqrt(1 - common) * other)


def below(normal: Numbers) -> Numbers:
    """The cumulative probabilities of numbers under a normal distribution."""
    erf = np.vectorize(math.erf, otypes=[np.float64])
    return np.asarray(0.5 * (1 + erf(normal / math.sqrt(2))))


def logistic(normal: Numbers) -> Numbers:
    """Standard normal numbers as standard logistic ones of the same quantiles."""
    share = below(normal).clip(_EDGE, 1 - _EDGE)
    return np.asarray(np.log(share) - np.log1p(-share))


def wished(request: Brief, *, fill: bool) -> FloatArray:
    """(WISHES,): the request as a network takes it; a mix of genres gives each its share."""
    mixed = wish(None, request.bpm, fill=fill)
    for genre, share in request.genres.items():
        mixed += share * (wish(genre, request.bpm, fill=fill) - wish(None, request.bpm, fill=fill))
    return mixed


def guided(request: Brief, guidance: float, *, fill: bool) -> tuple[FloatArray, FloatArray]:
    """Return the requests (n, WISHES) for the network, and the weights (n, 1) of their logits, which sum to 1.

    Each genre weighs its share of the mix times guidance; a request without a genre takes the rest, which may be
    negative.
    """
    shares = request.genres
    named = [wish(genre, request.bpm, fill=fill) for genre in shares]
    weights = [guidance * share for share in shares.values()]
    if not named or guidance != 1:
        named.append(wish(None, request.bpm, fill=fill))
        weights.append(1 - sum(weights))
    return np.stack(named), np.array(weights, dtype=np.float32)[:, None]


def velocities(logits: Numbers, velocity: Numbers, noise: Numbers, temperature: float) -> Velocities:
    """Hits where a logit plus logistic noise, scaled by the temperature, is positive; 0 elsewhere.

    Of more than two at one place that need a hand, the two likeliest stay. Velocities are whole multiples of 1/127.
    """
    likely = logits + temperature * noise
    hands = np.where(BY_HAND, likely, -np.inf)
    second = np.sort(hands, axis=-1)[..., -HANDS, None]
    loud = np.rint(velocity * _LOUDEST).clip(1, _LOUDEST) / _LOUDEST
    within_reach = ~np.array(BY_HAND) | (hands >= second)
    return np.where((likely > 0) & within_reach, loud, 0).astype(np.float32)
