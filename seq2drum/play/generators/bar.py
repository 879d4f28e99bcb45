"""The bar generator at play: each bar is made in one pass, from noise shared by bars and noise of the single bar."""

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

_COMMON, _OWN = 21, 22  # the key of the noise


class BarGanSampler:
    """Makes bars of 24 places. noise: the size of a bar's noise."""

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
        """Endless bars, each velocities (24, 9) 0..1.

        The variability is the share of a bar's single noise. A change begins with new shared noise.
        """
        for number in count():
            request = brief()
            common = self._normals([seed, _COMMON, request.passage(number)])
            own = self._normals([seed, _OWN, number])
            yield self.bar(request, shared(1 - request.variability, common, own), fill=request.is_fill(number))

    def bar(self, request: Brief, normal: Numbers, *, fill: bool) -> Velocities:
        """The noise of one bar (24, 9), standard normal: first that of the bar, then one for each place and voice."""
        which, places = np.split(normal, [self.noise])
        given = {"noise": which[None].astype(np.float32), "wishes": wished(request, fill=fill)[None]}
        logits, velocity = (array[0].astype(np.float64) for array in self._graph.run(given))
        noise = logistic(places).reshape(self.places, len(NINE))
        return velocities(logits, velocity, noise, request.temperature)

    def _normals(self, key: list[int]) -> Numbers:
        return normals(key, self.noise + self.places * len(NINE))
