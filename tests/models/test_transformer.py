"""What the transformer sees of the steps before."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seq2drum.lattice.form import MAX_STEPS
from seq2drum.models.transformer import BEFORE, REACH, SLOT, WINDOW, Config, Transformer
from seq2drum.music.kit import FULL
from tests.players import SIZES

VOICES = len(FULL)


@pytest.fixture(scope="module")
def model() -> Transformer:
    torch.manual_seed(0)
    return Transformer(Config(voices=VOICES, dropout=0.0, **SIZES["transformer"])).eval()


@pytest.mark.parametrize("steps", [24, 18, 12, 6])
def test_the_window_of_a_bar_has_the_last_steps_of_the_bars_before_it_oldest_first(
    steps: int, model: Transformer
) -> None:
    """Against the same made step by step, with bars padded to more steps than they have."""
    drums = (torch.rand(1, BEFORE, 24, VOICES) < 0.2).float()
    drums[:, :, steps:] = 0
    with torch.no_grad():
        windows = model.window(drums, torch.ones(1, BEFORE, dtype=torch.bool), torch.tensor([steps]))
        places = torch.arange(steps).repeat(BEFORE)
        known = torch.cat([drums[0, :, :steps].flatten(0, 1), model.place(places)], -1)
        known = torch.cat([torch.zeros(WINDOW, known.shape[1]), known])[-WINDOW - REACH + 1 :]
        first = max(WINDOW - BEFORE * steps, 0)  # of the window, that there is
        for slots, window in zip(model.slots_before, windows, strict=True):
            assert window.shape == (1, WINDOW, SLOT)
            assert not window[0, :first].any()
            for number in range(first, WINDOW):
                token = torch.relu(model.steps_before(known[number : number + REACH].T[None]))[0, :, 0]
                assert torch.allclose(window[0, number], slots(token), atol=1e-5)


def test_nothing_is_seen_of_a_bar_of_another_length_nor_of_those_before_it(model: Transformer) -> None:
    drums = (torch.rand(2, BEFORE, 12, VOICES) < 0.5).float()
    alike = torch.ones(2, BEFORE, dtype=torch.bool)
    alike[1, 1] = False
    with torch.no_grad():
        every, some = model.window(drums, alike, torch.tensor([12, 12]))[0]
        other = drums.clone()
        other[1, :2] = 1 - other[1, :2]
        again = model.window(other, alike, torch.tensor([12, 12]))[0][1]
    assert every.any(-1).all()
    assert some.any(-1).tolist() == [False] * 24 + [True] * 24
    assert torch.equal(again, some)


def test_a_step_depends_on_the_last_bars_as_they_were_played_and_on_no_step_after_it(model: Transformer) -> None:
    layer, slots, x = model.back[0], torch.randn(1, WINDOW, SLOT), torch.randn(1, 30, model.config.hidden)
    with torch.no_grad():
        before = layer(x, slots, x.shape[:2])
        later, older = x.clone(), slots.clone()
        later[:, 20] = -later[:, 20]
        older[:, 10] += 1
        of_older, of_later = (
            (layer(*given, x.shape[:2]) - before)[0].abs().amax(-1) > 1e-6 for given in ((x, older), (later, slots))
        )
    assert np.flatnonzero(of_older).tolist() == list(range(10))  # slot 10 of 48 leaves the window with step 10
    assert np.flatnonzero(of_later).tolist() == list(range(20, 30))


def test_steps_beyond_the_last_place_that_was_learnt_have_that_place(model: Transformer) -> None:
    steps = MAX_STEPS + 6
    drums = torch.zeros(1, BEFORE, steps, VOICES)
    with torch.no_grad():
        (window, _) = model.window(drums, torch.ones(1, BEFORE, dtype=torch.bool), torch.tensor([steps]))
    assert torch.allclose(window[0, -1], window[0, -2])
    assert not torch.allclose(window[0, -1], window[0, -20])
