"""Shared by the players of generators: their checkpoint, noise and wishes, and hits drawn by their logits."""

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
"""Of each voice whether it takes a hand; a closed hat may be the foot's."""

_LOUDEST = 127
_EDGE = 1e-9  # shares are that far from 0 and 1


def load(
    folder: Path,
    kind: str,
    format: int,
    wanted: Mapping[str, Any],
    read: Callable[[Mapping[str, Any]], T],
    graph: str | None = None,
) -> tuple[LoadedGraph, T]:
    """The graph of a generator, and what `read` takes of what its checkpoint says of itself.

    wanted: what some numbers of its network must be. graph: its file, by default of the name of the kind.

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
    """Standard normal numbers that come from a key alone."""
    return np.random.default_rng(key).standard_normal(shape)


def shared(common: float | Numbers, one: Numbers, other: Numbers) -> Numbers:
    """Standard normal numbers of which a share is those of `one`, and the rest those of `other`."""
    return np.asarray(np.sqrt(common) * one + np.sqrt(1 - common) * other)


def below(normal: Numbers) -> Numbers:
    """The share of a normal distribution that lies below each of some numbers."""
    erf = np.vectorize(math.erf, otypes=[np.float64])
    return np.asarray(0.5 * (1 + erf(normal / math.sqrt(2))))


def logistic(normal: Numbers) -> Numbers:
    """Standard normal numbers as standard logistic ones, each at the same place of its distribution."""
    share = below(normal).clip(_EDGE, 1 - _EDGE)
    return np.asarray(np.log(share) - np.log1p(-share))


def wished(asked: Brief, *, fill: bool) -> FloatArray:
    """(WISHES,): the wishes that a network takes; in a mix of genres each counts by its share."""
    told = wish(None, asked.bpm, fill=fill)
    for genre, share in asked.genres.items():
        told += share * (wish(genre, asked.bpm, fill=fill) - wish(None, asked.bpm, fill=fill))
    return told


def guided(asked: Brief, guidance: float, *, fill: bool) -> tuple[FloatArray, FloatArray]:
    """Return the wishes (n, WISHES) that the network is given, and the weights (n, 1) of their logits, which sum to 1.

    Those of the genres weigh as they are mixed, times guidance; what is then too much is taken from no genre at all.
    """
    shares = asked.genres
    named = [wish(genre, asked.bpm, fill=fill) for genre in shares]
    weights = [guidance * share for share in shares.values()]
    if not named or guidance != 1:
        named.append(wish(None, asked.bpm, fill=fill))
        weights.append(1 - sum(weights))
    return np.stack(named), np.array(weights, dtype=np.float32)[:, None]


def velocities(logits: Numbers, velocity: Numbers, noise: Numbers, temperature: float) -> Velocities:
    """Hits where a logit and logistic noise, as large as the temperature says, are more than 0; 0 elsewhere.

    Of more than two at one place that want a hand the likeliest two are left. Velocities are whole multiples of 1/127.
    """
    likely = logits + temperature * noise
    hands = np.where(BY_HAND, likely, -np.inf)
    second = np.sort(hands, axis=-1)[..., -HANDS, None]
    loud = np.rint(velocity * _LOUDEST).clip(1, _LOUDEST) / _LOUDEST
    within_reach = ~np.array(BY_HAND) | (hands >= second)
    return np.where((likely > 0) & within_reach, loud, 0).astype(np.float32)
