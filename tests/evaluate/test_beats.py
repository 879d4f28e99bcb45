"""The panel of generators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from seq2drum.data.drums.beats import Beats
from seq2drum.errors import CorpusError
from seq2drum.evaluate import beats
from seq2drum.evaluate.beats import BARS, Another, Composing, Windows
from seq2drum.music.choices import GENRES

PLACES, VOICES = 24, 9


def _bars(count: int, seed: int, chance: float = 0.1) -> np.ndarray:
    """Bars whose every place is struck by chance."""
    return (np.random.default_rng(seed).random((count, PLACES, VOICES)) < chance).astype(np.float32)


def _beats(performances: int = 12, bars: int = 12) -> Beats:
    """Performances of two genres on all sides, of bars by chance; those of genre 3 are three times as dense."""
    rows = np.repeat(np.arange(performances), bars)
    genre = np.where(rows % 2, 10, 3)
    velocity = np.concatenate([_bars(bars, one, 0.05 if one % 2 else 0.15) for one in range(performances)])
    number = np.tile(np.arange(bars), performances)
    side = np.select([rows < performances - 4, rows < performances - 2], [0, 1], 2)
    names = tuple(f"{one}.mid" for one in range(performances))
    bpm: Any = 100.0 + 10 * rows
    return Beats(velocity, rows, number, genre, bpm, np.zeros(len(rows), dtype=bool), side, names)


class _Constant:
    """A generator that plays the kick on the first place for ever."""

    places = PLACES

    def bars(self, brief, seed):
        bar = np.zeros((PLACES, VOICES), dtype=np.float32)
        bar[0, 0] = 1
        while True:
            yield bar


CONSTANT: Any = _Constant()


@pytest.mark.slow
def test_what_a_machine_plays_is_told_and_real_bars_of_other_drummers_are_not() -> None:
    world = beats.world_of(_beats())
    machine, floor = (beats.figures(one, world) for one in (Composing(CONSTANT), Another(world.train)))
    for name in ("strong AUC, a bar", "strong AUC, eight bars"):
        assert machine[name] > 0.99 and 0.2 < floor[name] < 0.8
    assert machine["hits"] == 1 and machine["likeness 1 apart"] == machine["likeness 4 apart"] == 1
    assert machine["distinct"] == 1 / len(world.unseen.bpm) and floor["copies"] == 1 and machine["copies"] == 0
    assert floor["JSD of both"] < machine["JSD of both"] <= 1
    assert beats.effect_of_tempo(CONSTANT, world) == {"hits at 70 bpm": 1, "hits at 160 bpm": 1}
    shown = beats.table({"machine": machine, "floor": floor}).splitlines()
    assert shown[0] == "|  | machine | floor |" and any(
        line.startswith("| copies | 0.000 (0.000) | 1.000 (0.000) |") for line in shown
    )


def test_the_floor_is_another_performance_of_the_same_genre() -> None:
    train = beats.world_of(_beats()).train
    for number in (0, len(train.bpm) - 1):
        window = Another(train)(train, number, 5)
        same = (train.velocity == window).all(axis=(1, 2, 3))
        assert (train.genre[same] == train.genre[number]).all()
        assert (train.performance[same] != train.performance[number]).all()


def test_the_nearest_bar_is_found_by_the_hits_that_differ() -> None:
    learnt = _bars(40, 1)
    made = learnt[[3, 7]].copy()
    made[1, 0] = 1 - made[1, 0]
    assert beats.nearest_of(np.float32(0.5) * made, learnt)[0] == 0
    assert 0 < beats.nearest_of(made, learnt)[1] <= VOICES


def test_habits_are_counted() -> None:
    windows = np.zeros((2, BARS, PLACES, VOICES), dtype=np.float32)
    windows[0, :, 0, 0] = 1
    windows[1, ::2, 6, [1, 3, 4]] = 0.5
    found = beats.habits(windows)
    assert found["hits"] == (8 + 12) / 16
    assert found["empty"] == found["three hands"] == 4 / 16
    assert found["distinct"] == 1
    assert found["likeness 1 apart"] == 0.5 and found["likeness 4 apart"] == 1


def test_a_one_drop_is_a_bar_with_its_kick_on_three_and_none_on_one() -> None:
    bars = np.zeros((4, PLACES, VOICES), dtype=np.float32)
    bars[0, 12, 0] = bars[1, 12, 0] = bars[1, 0, 0] = bars[2, 0, 0] = bars[3, 12, 1] = 0.5
    assert beats.one_drops(bars) == 0.25
    assert beats.one_drops(bars[:0]) == 0


def test_genres_are_obeyed_in_the_mean_and_one_by_one() -> None:
    bars, genre = _bars(6, 2), np.array([3, 3, 3, 10, -1, -1])
    namer = torch.nn.Linear(beats.bars_seen(bars, loud=True).shape[1], 15)
    with torch.no_grad():
        namer.weight.zero_()
        namer.bias[4] = 1  # every bar is taken for genre 3
    found = beats.obeyed(bars, genre, namer)
    assert found == {"genre obeyed": 0.75, "genre obeyed, funk": 1.0, f"genre obeyed, {GENRES[10]}": 0.0}


def test_what_a_critic_sees_of_windows_has_what_differs_between_bars() -> None:
    windows = np.zeros((1, BARS, PLACES, VOICES), dtype=np.float32)
    windows[0, ::2, 0, 0] = 1
    seen = beats.windows_seen(windows)[0, -4 * VOICES :].reshape(4, VOICES)
    assert seen[:, 0] == pytest.approx([1 / 3, 0, 0, 4 / 32])
    assert not seen[:, 1:].any()


def test_too_few_bars_are_refused() -> None:
    few = _beats()
    with pytest.raises(CorpusError, match="too few bars"):
        beats.world_of(few.select(few.side == 0))
    assert isinstance(beats.world_of(few).unseen, Windows)
