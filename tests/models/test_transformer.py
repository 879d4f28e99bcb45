"""What the transformer sees of the steps before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from seq2drum.lattice.form import MAX_STEPS
from seq2drum.models import remembering
from seq2drum.models.layers import Flat
from seq2drum.models.remembering import KEY
from seq2drum.models.transformer import (
    BEFORE,
    REACH,
    SLOT,
    WINDOW,
    Config,
    Transformer,
    bar_biases,
    shifted_rows,
    window_biases,
)
from seq2drum.music.kit import FULL
from seq2drum.play.decode.engine import last_of
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


@pytest.mark.parametrize("steps", [24, 18, 12, 6])
def test_opening_a_bar_sees_the_same_steps_before_it_as_training(steps: int, model: Transformer) -> None:
    config, bars = model.config, 5
    drums = torch.zeros(1, bars, 24, VOICES)
    drums[:, :, :steps] = (torch.rand(1, bars, steps, VOICES) < 0.2).float()
    distance = torch.tensor([[5, 0, 3, 2, 1]])
    given, overheard = torch.randn(1, 24, model.given_size), torch.randn(1, model.overheard)
    final, contents = torch.randn(1, 2 * config.reader), torch.randn(1, 64)
    with torch.no_grad():
        known = remembering.known(model, overheard, contents, given)
        prepared = model.prepared(given, overheard, final, torch.tensor([steps]))
        keys, state = torch.randn(1, bars, config.heads * KEY), torch.zeros(1, model.state_size)
        rows = last_of({"past": drums.numpy(), "past_velocity": drums.numpy(), "distance": distance.numpy()})
        last = [torch.from_numpy(rows[name]) for name in ("last", "last_velocity", "last_distance", "last_rows")]
        opened = model.graphs()["bar"].module(keys, distance, drums, drums, *last, state, *known, *prepared)[-1]
        windows = model.window(drums[:, 1:], distance[:, 1:] > 0, torch.tensor([steps]))
    assert torch.allclose(opened[:, : model.slots], torch.cat([slots.flatten(1) for slots in windows], 1), atol=1e-5)
    assert opened[:, : model.slots].any()


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


@pytest.mark.parametrize(("hidden", "across"), [(20, 5), (17, 5), (3, 7), (17, 1)])
def test_hidden_units_may_be_of_any_number_whatever_the_heads(hidden: int, across: int) -> None:
    sizes = SIZES["transformer"] | {"hidden": hidden, "across": across}
    model = Transformer(Config(voices=VOICES, **sizes)).eval()
    bars, steps = torch.randn(2, 24, hidden), torch.tensor([24, 18])
    changed = bars.clone()
    changed[:, 5] = torch.randn(2, hidden)
    with torch.no_grad():
        hides = model.hidden(steps, bars)[:, None, None]
        seen, other = model.looked_at(bars, hides), model.looked_at(changed, hides)
    assert seen.shape == bars.shape and torch.isfinite(seen).all()
    assert ((seen - other).abs().sum(-1) > 0).all(), "each step sees the others of its bar"


def test_biases_of_a_bar_longer_than_what_was_learnt_begin_as_those_of_one_that_is_not(model: Transformer) -> None:
    whole: Any = model.whole[0]
    back: Any = model.back[0]
    heads = model.config.across
    with torch.no_grad():
        for layer in (whole, back):
            layer.distance.copy_(torch.randn(layer.distance.shape))
        tables = [shifted_rows(whole.distance.flip(1).roll(1 - MAX_STEPS, 1)), back.biases()]
        short, long = (
            [of(table, layer.distance, torch.zeros(1, size, 1)) for of, table, layer in
             zip((bar_biases, window_biases), tables, (whole, back), strict=True)]
            for size in (MAX_STEPS, MAX_STEPS + 18)
        )  # fmt: skip
    assert torch.equal(long[0][:, :MAX_STEPS, :MAX_STEPS], short[0])
    assert torch.equal(long[0][:, 18:, 18:], short[0])  # only how far steps are apart counts
    assert torch.equal(long[1][: MAX_STEPS * heads, : WINDOW + MAX_STEPS], short[1])
    assert torch.equal(long[1][18 * heads :, 18:], short[1])


def test_hits_that_fetch_their_own_weights_come_to_what_all_weights_come_to() -> None:
    layer = Flat(MAX_STEPS, VOICES, 32)
    for steps in (6, 24, MAX_STEPS + 6):
        hits = (torch.rand(3, steps, VOICES) < 0.1).float()
        hits[1] = 0  # a bar of rests
        with torch.no_grad():
            for some in (hits, hits[1:2]):
                memory = {"past": some[:, None].numpy(), "past_velocity": some[:, None].numpy()}
                rows = last_of({**memory, "distance": np.ones((len(some), 1), dtype=np.int64)})["last_rows"]
                assert torch.allclose(layer.of_hits(torch.from_numpy(rows)), layer(some), atol=1e-5)
