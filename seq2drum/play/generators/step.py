"""The step generator at play: bars step by step, from the graph of a training run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.patterns import Velocities
from seq2drum.music.brief import BRIEF
from seq2drum.music.kit import HANDS, NINE
from seq2drum.play.checkpoint.runtime import LoadedGraph
from seq2drum.play.generators.composer import WISHES, Brief, wish
from seq2drum.play.generators.drawing import BY_HAND, below, guided, load, shared

MOST = 8  # remembered bars
BACK = (1, 2, 4)  # bars back whose same place a step sees
_V = len(NINE)
REMEMBERED = _V * (2 + len(BACK) + 2) + 2
HEARD = 2 * _V + REMEMBERED
"""The size of a step's input: the hits and velocities of the step before, and the memory."""


class BarMemory:
    """The last bars of n beats. bars (n, MOST, places, V): velocities, the newest first. known (n,): their numbers."""

    def __init__(self, n: int, places: int) -> None:
        self.bars = np.zeros((n, MOST, places, _V), dtype=np.float32)
        self.known = np.zeros(n, dtype=np.int64)

    def keep(self, bar: FloatArray, is_fill: Any) -> None:
        """Store a bar (n, places, V) of each beat, except where it is a fill (n,)."""
        kept = ~np.asarray(is_fill, dtype=bool)
        self.bars[kept, 1:] = self.bars[kept, :-1]
        self.bars[kept, 0] = bar[kept]
        self.known[kept] = np.minimum(self.known[kept] + 1, MOST)

    def heard(self) -> FloatArray:
        """(n, places, REMEMBERED): the memory input of each step of the next bar.

        It has the velocities one bar back, at the place and at the next; the hits as many bars back as BACK says; how
        often each voice was hit at the place, and at the next; the number of known bars, and whether there is none.
        """
        n, _, places, _ = self.bars.shape
        hits = (self.bars > 0).astype(np.float32)
        usual = hits.sum(axis=1) / np.maximum(self.known, 1)[:, None, None]
        newest = self.bars[:, 0]
        columns = [newest, np.roll(newest, -1, axis=1), *(hits[:, back - 1] for back in BACK)]
        columns += [usual, np.roll(usual, -1, axis=1)]
        count = np.stack([self.known / MOST, self.known == 0], axis=1)
        columns.append(np.broadcast_to(count[:, None], (n, places, 2)))
        return np.concatenate(columns, axis=2).astype(np.float32)


def before(velocity: FloatArray) -> FloatArray:
    """Velocities (..., V) of a step -> (..., 2V), the input of the next step."""
    return np.concatenate([(velocity > 0).astype(np.float32), velocity], axis=-1)


KIND, FORMAT = "step", 1
GUIDANCE = 1.5
"""The factor of a genre's logits (guidance); 1 is plain."""

AS_DRUMMERS: float = BRIEF["variability"].default
"""The variability of drummers: less is more of a loop, more is newer than what drummers play."""

CALM = 0.5
"""The net's temperature where 1 is requested: here a genre is heard more than a seed, which at 1 it is not."""

_STEEPNESS = 10  # of the share that bars have in common, by variability

_LEAST_TEMPERATURE = 1e-3
_LEAST_FELT, _MOST_FELT = 0.05, 0.95  # the key of the uniform numbers for velocities
_QUIETEST = 1 / 127


class StepPlayer:
    """Makes bars of 24 places."""

    places = 24

    def __init__(self, graph: LoadedGraph, hidden: int) -> None:
        self._graph, self.hidden = graph, hidden

    @classmethod
    def load(cls, folder: Path) -> StepPlayer:
        """Load its checkpoint.

        Raises:
            CheckpointError: it is damaged, or of another kind.
        """
        return cls(*load(folder, KIND, FORMAT, {}, _hidden))

    def bars(self, brief: Callable[[], Brief], seed: int) -> Iterator[Velocities]:
        """Endless bars, each velocities (24, 9) 0..1."""
        return self.bars_after(brief, seed, np.zeros((0, self.places, len(NINE)), dtype=np.float32))

    def bars_after(
        self, brief: Callable[[], Brief], seed: int, primed: Velocities, guidance: float = GUIDANCE
    ) -> Iterator[Velocities]:
        """The same. primed (bars, 24, 9): the bars to continue from."""
        number, passage = 0, 0
        beat = _Beat(self, seed, passage)
        for bar in primed:
            beat.given(bar, brief().bpm)
        while True:
            request = brief()
            if request.passage(number) != passage:
                passage = request.passage(number)
                beat = _Beat(self, seed, passage)
            yield beat.bar(request, number, guidance)
            number += 1

    def step(self, given: Mapping[str, NDArray[Any]]) -> dict[str, FloatArray]:
        """One step of the graph; see `learn.generators.step.export`."""
        return dict(zip(self._graph.outputs, self._graph.run(dict(given)), strict=True))


def _hidden(about: Mapping[str, Any]) -> int:
    """Return the width of the net."""
    config = about["config"]
    if (config["heard"], config["wishes"], config["places"]) != (HEARD, WISHES, StepPlayer.places):
        raise ValueError(f"its input has {config['heard']} numbers, wanted {HEARD}")
    return int(config["hidden"])


class _Beat:
    """A passage in progress: its memory, and the network's state for each request in the mix."""

    def __init__(self, player: StepPlayer, seed: int, passage: int) -> None:
        self.player, self.seed = player, seed
        self.forget()
        self.loop: Velocities | None = None  # its first bar that is not a fill
        self.shared = np.random.default_rng([seed, 11, passage]).standard_normal((player.places, 2, len(NINE)))

    def forget(self) -> None:
        """Reset."""
        self.memory = BarMemory(1, self.player.places)
        self.state = np.zeros((1, 2 * self.player.hidden), dtype=np.float32)
        self.last = np.zeros((1, len(NINE)), dtype=np.float32)

    def bar(self, request: Brief, number: int, guidance: float) -> Velocities:
        """Make the next bar, (places, 9). number: that of the bar in the beat."""
        is_fill = request.is_fill(number)
        if self.loop is not None and not request.variability and not is_fill:
            made = self.loop
            self.given(made, request.bpm)
            return made
        rng = np.random.default_rng([self.seed, 12, number])
        own = rng.standard_normal(self.shared.shape)
        if rng.random() < newness(request.variability):
            self.forget()
        same = sameness(request.variability)
        uniform = below(shared(same, self.shared, own))
        wishes, weights = guided(request, guidance, fill=is_fill)
        made = self.run(wishes, weights, request.temperature, uniform)
        if self.loop is None and not is_fill:
            self.loop = made
        self.memory.keep(made[None], [is_fill])
        return made

    def given(self, bar: Velocities, bpm: float) -> None:
        """Take a given bar as if the passage had made it."""
        self.run(wish(None, bpm, fill=False)[None], np.ones((1, 1), np.float32), 1.0, None, bar)
        self.memory.keep(bar[None], [False])

    def run(
        self,
        wishes: FloatArray,
        weights: FloatArray,
        temperature: float,
        uniform: NDArray[np.float64] | None,
        given: Velocities | None = None,
    ) -> Velocities:
        """Run the network through a bar. given: the bar, if known.

        uniform (places, 2, 9): the random numbers of hits and velocities; None for the most likely ones. The state has
        a row for each request; if the requests change, all begin with the mean of the rows.
        """
        if len(self.state) != len(wishes):
            self.state = np.repeat(self.state.mean(axis=0, keepdims=True), len(wishes), axis=0)
        places, remembered = self.player.places, self.memory.heard()[0]
        bar = np.zeros((places, len(NINE)), dtype=np.float32)
        sharpness = np.array([[1 / max(CALM * temperature, _LEAST_TEMPERATURE)]], dtype=np.float32)
        middle_one = np.full((1, len(NINE)), 0.5, dtype=np.float32)
        for place in range(places):
            drawn = middle_one if uniform is None or not temperature else uniform[place, :1].astype(np.float32)
            answer = self.player.step(
                {
                    "heard": np.concatenate([before(self.last), remembered[place : place + 1]], axis=1),
                    "wishes": wishes,
                    "weights": weights,
                    "place": np.array([place]),
                    "uniform": drawn,
                    "sharpness": sharpness,
                    "state": self.state,
                }
            )
            self.state = answer["stepped"]
            if given is not None:
                bar[place] = given[place]
            else:
                felt = 0.5 if uniform is None or not temperature else uniform[place, 1].clip(_LEAST_FELT, _MOST_FELT)
                struck = answer["middle"][0] + answer["spread"][0] * np.log(felt / (1 - felt))
                bar[place] = within_reach(answer["hits"][0] * _heard_velocity(struck))
            self.last = bar[place : place + 1]
        return bar


def sameness(variability: float) -> float:
    """The share of a bar's draws common to all bars of a passage, 0..1; 0.1 at the variability of drummers."""
    return (1 - variability) ** _STEEPNESS


def newness(variability: float) -> float:
    """Return the probability, 0..1, that a bar starts without memory; 0 at the variability of drummers."""
    return max((variability - AS_DRUMMERS) / (1 - AS_DRUMMERS), 0.0)


def within_reach(struck: Velocities) -> Velocities:
    """Velocities (9,) of one step; of those that need a hand, the two loudest."""
    hands = np.where(BY_HAND, struck, 0)
    quieter = np.argsort(-hands, kind="stable")[HANDS:]
    kept = struck.copy()
    kept[quieter[hands[quieter] > 0]] = 0
    return kept


def _heard_velocity(struck: NDArray[np.floating]) -> NDArray[np.floating]:
    """Velocities as whole multiples of 1/127, none of them silent."""
    return np.asarray(np.rint(struck.clip(_QUIETEST, 1) * 127) / 127)
