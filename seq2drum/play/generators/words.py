"""The words generator at play: bars of drum text word by word, from the graph of a training run.

The state passes from word to word and from bar to bar. BAR is never drawn but inserted after the last word of a bar, so
every bar is whole. Words that need more than two hands are never drawn either. Words have no velocities: a hit has the
mean velocity of its voice at its place in the training bars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice import patterns
from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.patterns import Velocities
from seq2drum.music.brief import BRIEF
from seq2drum.music.kit import HANDS, NINE
from seq2drum.play.checkpoint.runtime import LoadedGraph
from seq2drum.play.generators.composer import WISHES, Brief
from seq2drum.play.generators.drawing import BY_HAND, guided, load

KIND, FORMAT = "words", 1
PLACES = 24
GUIDANCE = 2.0
"""The factor of a genre's logits (guidance); 1 is plain."""

_BAR, _START = patterns.COUNT, patterns.COUNT + 1
_STATES = 4  # two layers, each with an output and a cell state
_USUAL: float = BRIEF["variability"].default
_REDRAWN = 2.5  # the share of places drawn again, by variability: about half at the variability of drummers
_UNPLAYABLE = np.where(patterns.hits_of(np.arange(patterns.COUNT))[:, BY_HAND].sum(axis=1) > HANDS, -np.inf, 0)
_SHARED, _OWN = 21, 22  # keys of a seed's random numbers


class WordsPlayer:
    """Makes bars of 24 places. usual (24, 9): the mean velocity of a hit."""

    places = PLACES

    def __init__(self, graph: LoadedGraph, hidden: int, usual: FloatArray) -> None:
        self._graph, self.hidden, self.usual = graph, hidden, usual

    @classmethod
    def load(cls, folder: Path) -> WordsPlayer:
        """Load its checkpoint.

        Raises:
            CheckpointError: it is damaged, or of another kind.
        """
        graph, (hidden, usual) = load(folder, KIND, FORMAT, {}, _numbers, "step.onnx")
        return cls(graph, hidden, usual)

    def bars(self, brief: Callable[[], Brief], seed: int) -> Iterator[Velocities]:
        """Endless bars, each velocities (24, 9) 0..1."""
        return self.bars_after(brief, seed, np.zeros((0, PLACES, len(NINE)), dtype=np.float32))

    def bars_after(self, brief: Callable[[], Brief], seed: int, primed: Velocities) -> Iterator[Velocities]:
        """The same. primed (bars, 24, 9): the bars to continue from."""
        number, text = 0, _Text(self, seed, 0)
        for bar in primed:
            text.read(patterns.ids_of(bar), brief())
        while True:
            request = brief()
            if request.passage(number) != text.passage:
                text = _Text(self, seed, request.passage(number))
            yield patterns.hits_of(text.bar(request, number)) * self.usual
            number += 1

    def logits(self, word: int, back: int, count: int, wishes: FloatArray, state: FloatArray) -> Any:
        """(n, COUNT + 1) logits of the next word for each of n requests, and the state (n, 4H)."""
        rows = len(wishes)
        given: dict[str, NDArray[Any]] = {
            name: np.full(rows, value) for name, value in (("word", word), ("back", back), ("count", count))
        }
        return self._graph.run({**given, "wish": wishes, "state": state})


def _numbers(about: Mapping[str, Any]) -> tuple[int, FloatArray]:
    """Return the width of the net, and the velocity of a hit (24, 9), in whole multiples of 1/127."""
    config = about["config"]
    if (config["wishes"], config["places"]) != (WISHES, PLACES):
        raise ValueError(f"it takes {config['wishes']} numbers on {config['places']} places a bar")
    hidden, usual = int(config["hidden"]), np.array(about["velocity"], dtype=np.float32)
    if usual.shape != (PLACES, len(NINE)) or not ((usual > 0) & (usual <= 1)).all():
        raise ValueError("its velocities are none")
    return hidden, np.maximum(np.rint(usual * 127), 1).astype(np.float32) / np.float32(127)


class _Text:
    """A passage in progress: the bar before, the word before, the net's state for each genre of a mix."""

    def __init__(self, player: WordsPlayer, seed: int, passage: int) -> None:
        self.player, self.seed, self.passage = player, seed, passage
        self.forget()
        self.loop: NDArray[np.int64] | None = None  # its first bar that is not a fill
        self.shared = np.random.default_rng([seed, _SHARED, passage]).gumbel(size=(PLACES, patterns.COUNT))

    def forget(self) -> None:
        """Reset."""
        self.state = np.zeros((1, _STATES * self.player.hidden), dtype=np.float32)
        self.word = _START
        self.before = np.zeros(PLACES, dtype=np.int64)
        self.heard = False

    def bar(self, request: Brief, number: int) -> NDArray[np.int64]:
        """Make the words (24,) of the next bar. number: that of the bar in the beat.

        The most likely word after adding Gumbel noise is a sample (the Gumbel-max trick). All bars of the passage share
        the noise of their places, except for a share of places by the variability; above the usual variability, the net
        forgets the past before some of the bars. Performances begin with pickups and fills, so the first bar that the
        net draws is discarded.
        """
        is_fill = request.is_fill(number)
        if self.loop is not None and not request.variability and not is_fill:
            return self.read(self.loop, request)
        rng = np.random.default_rng([self.seed, _OWN, number])
        redrawn = rng.random(PLACES) < (1 if is_fill else _REDRAWN * request.variability)
        if rng.random() < (request.variability - _USUAL) / (1 - _USUAL):
            self.forget()
        noise = np.where(redrawn[:, None], rng.gumbel(size=self.shared.shape), self.shared)
        if not self.heard:
            self._drawn(rng.gumbel(size=noise.shape), request, is_fill=False)
        bar = self._drawn(noise, request, is_fill)
        if self.loop is None and not is_fill:
            self.loop = bar
        return bar

    def _drawn(self, noise: NDArray[np.float64], request: Brief, is_fill: bool) -> NDArray[np.int64]:
        """The words of a bar, with noise (24, words.COUNT)."""
        wishes, shares = guided(request, GUIDANCE, fill=is_fill)
        bar = np.zeros(PLACES, dtype=np.int64)
        for place in range(PLACES):
            likely = shares[:, 0] @ self._heard(place, wishes)[:, : patterns.COUNT] + _UNPLAYABLE
            self.word = bar[place] = int(np.argmax(likely + request.temperature * noise[place]))
        self._ends(bar, wishes)
        return bar

    def read(self, bar: NDArray[np.int64], request: Brief) -> NDArray[np.int64]:
        """Take a bar's words (24,) as if the passage had made them; return them."""
        wishes, _ = guided(request, GUIDANCE, fill=False)
        for place, word in enumerate(bar.tolist()):
            self._heard(place, wishes)
            self.word = word
        self._ends(bar, wishes)
        return bar

    def _ends(self, bar: NDArray[np.int64], wishes: FloatArray) -> None:
        self._heard(PLACES, wishes)
        self.word, self.before, self.heard = _BAR, bar, True

    def _heard(self, count: int, wishes: FloatArray) -> FloatArray:
        """The logits of the next word, given the words of the bar so far, for each request.

        If the requests change, all states begin with the mean of the old ones.
        """
        if len(self.state) != len(wishes):
            self.state = np.repeat(self.state.mean(axis=0, keepdims=True), len(wishes), axis=0)
        back = int(self.before[count]) if count < PLACES else 0
        logits, self.state = self.player.logits(self.word, back, count, wishes, self.state)
        heard: FloatArray = logits
        return heard
