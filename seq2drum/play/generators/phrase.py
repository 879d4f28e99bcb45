"""The phrase generator at play: eight bars in one pass, then the next eight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np

from seq2drum.lattice.patterns import Velocities
from seq2drum.music.brief import BRIEF
from seq2drum.music.kit import NINE
from seq2drum.play.checkpoint.runtime import LoadedGraph
from seq2drum.play.generators.composer import Brief
from seq2drum.play.generators.drawing import Numbers, load, logistic, normals, shared, velocities, wished

KIND, FORMAT = "phrase", 1
GRAPHS = ("phrase.onnx",)
BARS = 8  # bars of a phrase

_COMMON, _OWN = 23, 24  # the key of the noise


class PhrasePlayer:
    """Makes bars of 32 places. noise, own: the sizes of the noise of a phrase, and of each of its bars."""

    places = 32

    def __init__(self, graph: LoadedGraph, noise: int, own: int) -> None:
        self._graph, self.noise, self.own = graph, noise, own

    @classmethod
    def load(cls, folder: Path) -> PhrasePlayer:
        """Load its checkpoint.

        Raises:
            CheckpointError: it is damaged, or of another kind.
        """
        wanted = {"bars": BARS, "places": cls.places, "voices": len(NINE)}
        graph, (noise, own) = load(
            folder,
            KIND,
            FORMAT,
            wanted,
            lambda about: (int(about["config"]["noise"]), int(about["config"]["bar_noise"])),
        )
        return cls(graph, noise, own)

    def bars(self, brief: Callable[[], Brief], seed: int) -> Iterator[Velocities]:
        """Endless bars, each velocities (32, 9) 0..1. A change begins another phrase.

        At the default variability, the network decides what the bars of a phrase share; less variability makes bars and
        phrases share more, more makes them share less.
        """
        passage, begun = 0, 0
        for number in count():
            request = brief()
            if request.passage(number) != passage:
                passage, begun = request.passage(number), number
            phrase, bar = divmod(number - begun, BARS)
            fills = [request.is_fill(number - bar + other) for other in range(BARS)]
            yield self.phrase(request, fills, seed, passage, phrase)[bar]

    def phrase(self, request: Brief, fills: list[bool], seed: int, passage: int, number: int) -> Velocities:
        """Eight bars (8, 32, 9). fills: which of them are fills. number: that of the phrase in its passage."""
        # 1. The noise of the groove, partly that of the passage; that of each bar, partly that of the phrase.
        key = [seed, _COMMON, passage]
        of_phrase = [seed, _OWN, passage, number]
        groove = shared(1 - request.variability, normals(key, self.noise), normals(of_phrase, self.noise))
        same = sameness(np.zeros(1), request.variability)
        own = shared(same, normals([*key, 1], 1, self.own), normals([*of_phrase, 1], BARS, self.own))
        # 2. Run the network on it.
        given = {
            "noise": groove[None],
            "own": own[None],
            "wishes": np.stack([wished(request, fill=fill) for fill in fills])[None],
        }
        answer = self._graph.run({name: np.asarray(array, dtype=np.float32) for name, array in given.items()})
        logits, velocity, common = (array[0].astype(np.float64) for array in answer)
        # 3. Draw what the logits leave open, partly shared by all bars.
        once = normals([*key, 2], 1, self.places, len(NINE))
        each = normals([*of_phrase, 2], BARS, self.places, len(NINE))
        noise = logistic(shared(sameness(common, request.variability), once, each))
        return velocities(logits, velocity, noise, request.temperature)


def sameness(learnt: Numbers, variability: float) -> Numbers:
    """Return the shared part of the bars' draws, 0..1, if the network has one: all at variability 0, none at 1."""
    usual = BRIEF["variability"].default
    if variability <= usual:
        return np.asarray(1 - (1 - learnt) * (variability / usual))
    return np.asarray(learnt * (1 - variability) / (1 - usual))
