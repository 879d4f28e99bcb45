from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seq2drum.errors import ModelError
from seq2drum.lattice import conditions
from seq2drum.lattice.conditions import Controls
from seq2drum.lattice.features import GuitarGrid, SongGrid, features
from seq2drum.models import checkpoint
from seq2drum.models import remembering as recalling
from seq2drum.models.attention import Attention
from seq2drum.models.base import engine_of
from seq2drum.music.notes import Metre
from seq2drum.play.checkpoint.folder import find
from seq2drum.play.decode import engine, memory
from seq2drum.play.decode.engine import Engine
from seq2drum.play.decode.recall import Recall, recall
from seq2drum.play.decode.sampling import Sampling
from seq2drum.play.drummer import play_grid
from tests.players import save_player, strummed

CHANGING = (Metre(0, 4, 4), Metre(4 * 1920, 7, 8), Metre(4 * 1920 + 3 * 1680, 4, 4))


@pytest.fixture(scope="module")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> Attention:
    """A tiny model whose memory is no longer as it began: heads that differ, and a bias for every distance."""
    folder = save_player(tmp_path_factory.mktemp("remembering"))
    model: Any = checkpoint.load(folder)[0]
    torch.manual_seed(1)
    with torch.no_grad():
        model.distance.weight.normal_(0, 1)
        model.nothing.normal_(0, 1)
        model.sharpness.copy_(torch.tensor([0.5, 2.5]))
        model.key.weight.normal_(0, 0.3)
    return model


def heard_of(bars: int, metres: Sequence[Metre] = (Metre(0, 4, 4),)) -> GuitarGrid:
    return SongGrid.of(strummed(bars, metres), [0]).guitar_grid


def stored_weights(model: Attention, guitar_grid: GuitarGrid) -> NDArray[Any]:
    """(B, B): the model's own weights, mean over its heads, of what `encode` gives."""
    player = engine_of(model, "full")
    bars = len(guitar_grid.form.steps)
    nothing_asked = conditions.of_controls(Controls(), bars)
    known = player.resolve(player.encode(features(guitar_grid), guitar_grid.form, nothing_asked, 0, bars))
    number = np.arange(bars)
    distance = number[:, None] - number
    same = guitar_grid.form.steps[:, None] == guitar_grid.form.steps
    distance = np.where(same & (distance > 0), distance, 0)
    with torch.no_grad():
        query = known["asking"].sum(axis=-1)  # each head has a column of its own
        query, key, far = (torch.from_numpy(array)[None] for array in (query, known["key"], distance))
        return model.weights(query, key, far, torch.zeros(1, bars))[0].mean(0).numpy()[:, 1:]  # the groove comes first


def test_the_weights_are_those_that_the_model_computes(remembering: Attention) -> None:
    guitar_grid = heard_of(9, CHANGING)

    recalled = recall(engine_of(remembering, "full"), guitar_grid)

    np.testing.assert_allclose(recalled.weights[:, :-1], stored_weights(remembering, guitar_grid), atol=1e-6)


@pytest.mark.slow
def test_the_weights_are_those_that_playing_uses(remembering: Attention, monkeypatch: pytest.MonkeyPatch) -> None:
    guitar_grid = heard_of(9, CHANGING)
    player = engine_of(remembering, "full")
    recalled = recall(player, guitar_grid)
    used: list[NDArray[Any]] = []
    computed = recalling.remembered

    def watched(self: Attention, *arrays: torch.Tensor) -> torch.Tensor:
        weights = computed(self, *arrays)
        used.append(weights[0].mean(0).numpy()[2:])  # nothing and the groove come first
        return weights

    monkeypatch.setattr(recalling, "remembered", watched)
    played = list(play_grid(player, guitar_grid, Sampling(3)))

    assert len(used) == len(played) == len(guitar_grid.form.steps)
    for bar, weights in enumerate(used):  # before the song are the bars of silence
        np.testing.assert_allclose(recalled.weights[bar, :bar], weights[memory.LOOK_BACK :], atol=1e-6)
        assert not weights[: memory.LOOK_BACK].any()


def test_the_runtime_and_torch_remember_the_same() -> None:
    guitar_grid = heard_of(12)
    model = checkpoint.load(find("default"))[0]

    recalled = recall(engine.load(), guitar_grid)

    np.testing.assert_allclose(recalled.weights, recall(engine_of(model, "full"), guitar_grid).weights, atol=1e-5)
    assert recalled.weights[1:, :-1].max() > 0.1


def test_a_row_sums_to_one_and_looks_back_only() -> None:
    guitar_grid = heard_of(20)

    weights = recall(engine.load(), guitar_grid).weights

    assert weights.shape == (20, 21)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert not np.triu(weights[:, :-1]).any()
    assert (weights >= 0).all()


def test_the_first_bar_of_a_length_looks_at_none_and_no_bar_at_one_of_another_length() -> None:
    guitar_grid = heard_of(9, CHANGING)
    steps = guitar_grid.form.steps

    recalled = recall(engine.load(), guitar_grid)

    assert recalled.nothing[0] == 1
    assert recalled.nothing[np.argmax(steps == 21)] == 1  # the first of 7/8
    assert not recalled.weights[:, :-1][steps[:, None] != steps].any()
    assert recalled.most[[0, int(np.argmax(steps == 21))]].tolist() == [-1, -1]


def test_a_song_of_one_bar_has_nothing_to_remember() -> None:
    recalled = recall(engine.load(), heard_of(1))

    assert recalled.weights.tolist() == [[0.0, 1.0]]
    assert recalled.most.tolist() == [-1]
    assert recalled.by_distance.tolist() == [0.0]


@pytest.mark.slow
def test_more_bars_than_a_bar_has_places_for_marks_are_distinguished(remembering: Attention) -> None:
    metre = Metre(0, 1, 4)  # 6 steps of 24 voices: 144 places
    guitar_grid = heard_of(160, (metre,))

    recalled = recall(engine_of(remembering, "full"), guitar_grid)

    np.testing.assert_allclose(recalled.weights[:, :-1], stored_weights(remembering, guitar_grid), atol=1e-6)


def test_bars_beyond_what_playing_can_remember_have_no_weight(
    remembering: Attention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MEMORY_BARS", 5)

    recalled = recall(engine_of(remembering, "full"), heard_of(12))

    back = np.arange(12)[:, None] - np.arange(12)
    assert not recalled.weights[:, :-1][back > 5].any()
    assert (recalled.weights[:, :-1][(back > 0) & (back <= 5)] > 0).all()


def test_a_model_without_a_memory_says_so(tmp_path: Any) -> None:
    player: Engine = engine.load(save_player(tmp_path / "plain", "lstm"))

    with pytest.raises(ModelError, match="no memory of bars"):
        recall(player, heard_of(4))


def test_the_figures_of_a_recall_are_those_of_its_weights() -> None:
    rows = [[0, 0, 0, 0, 1], [0.75, 0, 0, 0, 0.25], [0.5, 0.5, 0, 0, 0], [0.25, 0, 0.5, 0, 0.25]]
    recalled = Recall(np.array(rows, dtype=np.float32))

    assert recalled.nothing.tolist() == [1, 0.25, 0, 0.25]
    assert recalled.most.tolist() == [-1, 0, 1, 2]  # of two equal ones the last
    # One back: 0.75, 0.5, 0.5. Two back: 0.5, 0. Three back: 0.25.
    np.testing.assert_allclose(recalled.by_distance, [0, 1.75 / 3, 0.25, 0.25])
