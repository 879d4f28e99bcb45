"""The bar generator, played: each bar made at once, of noise that bars have in common and noise of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np

from seq2drum.lattice.patterns import Velocities
from seq2drum.music.kit import NINE
from seq2drum.play.checkpoint.runtime import LoadedGraph
from seq2drum.play.generators.composer import Brief
from seq2drum.play.generators.drawing import Numbers, load, logistic, normals, shared, velocities, wished

KIND, FORMAT = "bar", 1
GRAPHS = ("bar.onnx",)

_COMMON, _OWN = 21, 22  # what noise is for


class BarGanSampler:
    """Makes bars of 24 places. noise: how many numbers a bar is made of."""

    places = 24

    def __init__(self, graph: LoadedGraph, noise: int) -> None:
        self._graph, self.noise = graph, noise

    @classmethod
    def load(cls, folder: Path) -> BarGanSampler:
        """Load its checkpoint.

        Raises:
            CheckpointError: it is damaged, or of another kind.
        """
        wanted = {"places": cls.places, "voices": len(NINE)}
        return cls(*load(folder, KIND, FORMAT, wanted, lambda about: int(about["config"]["noise"])))

    def bars(self, brief: Callable[[], Brief], seed: int) -> Iterator[Velocities]:
        """Bars without an end, each velocities (24, 9) 0..1. The variability is the share of noise that is a bar's own.

        A change begins with other noise in common.
        """
        for number in count():
            asked = brief()
            common = self._normals([seed, _COMMON, asked.passage(number)])
            own = self._normals([seed, _OWN, number])
            yield self.bar(asked, shared(1 - asked.variability, common, own), fill=asked.is_fill(number))

    def bar(self, asked: Brief, normal: Numbers, *, fill: bool) -> Velocities:
        """One bar (24, 9) of standard normal numbers: those that say which bar, then one for each place and voice."""
        which, places = np.split(normal, [self.noise])
        given = {"noise": which[None].astype(np.float32), "wishes": wished(asked, fill=fill)[None]}
        logits, velocity = (array[0].astype(np.float64) for array in self._graph.run(given))
        noise = logistic(places).reshape(self.places, len(NINE))
        return velocities(logits, velocity, noise, asked.temperature)

    def _normals(self, key: list[int]) -> Numbers:
        return normals(key, self.noise + self.places * len(NINE))
