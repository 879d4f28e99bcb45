"""The likelihood of the real drums: it adds up to the loss, and knows who does not listen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from seq2drum.data import batches
from seq2drum.data.draws import Draws, draw
from seq2drum.judge.evaluation import GUITARS
from seq2drum.judge.likelihood import likelihood, window_nats
from seq2drum.models import checkpoint
from seq2drum.models.base import tensors
from seq2drum.models.layers import Heads, hit_nats
from seq2drum.music.kit import FULL
from tests.backbeats import played_songs, song_of
from tests.players import save_player


@pytest.mark.parametrize("name", ["attention", "lstm"])
def test_nats_window_by_window_add_up_to_those_of_the_loss(name: str, tmp_path: Path) -> None:
    model, _ = checkpoint.load(save_player(tmp_path, name))
    model.eval()
    data = batches.flatten(played_songs()[:3])
    pairs = batches.blocks(data)
    nats = window_nats(model, data, pairs, pairs, range(len(pairs)))
    drawn = [draw(np.random.default_rng([0, number]), 1) for number in range(len(pairs))]
    draws = Draws(*(np.concatenate(columns) for columns in zip(*drawn, strict=True)))
    with torch.no_grad():
        losses = model.losses(tensors(batches.collate(data, pairs, draws)))
    assert len(pairs) == 3
    assert nats.sum() * 8 == pytest.approx(float(losses["nats"]), rel=1e-5)


class _Deaf(nn.Module):
    """Expects every hit as much as any other, whatever the guitar does."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = Heads(4, len(FULL), 0, 0.0)

    def losses(self, batch: Any) -> dict[str, torch.Tensor]:
        hits = batch.drums[:, -batch.offset.shape[1] :]
        return {"nats": hit_nats(self.hit_logits(batch), hits, torch.ones(hits.shape[:3]))}

    def hit_logits(self, batch: Any) -> torch.Tensor:
        hits = batch.drums[:, -batch.offset.shape[1] :]
        return self.heads.hit_logits(torch.zeros(*batch.offset.shape[:3], 4), hits)


def test_a_model_that_does_not_listen_finds_no_guitar_likelier_than_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "load", lambda folder: (_Deaf(), {"kit": "full"}))
    monkeypatch.setattr("seq2drum.judge.likelihood.find", lambda name: name)
    songs = [song_of(seed, bars=8) for seed in range(GUITARS)]
    nats = likelihood("deaf", songs)
    assert len(nats.own) == len(nats.ranked) == GUITARS
    np.testing.assert_allclose(nats.other, nats.own, atol=1e-5)
    assert np.ptp(nats.ranked, axis=1).max() < 1e-5
