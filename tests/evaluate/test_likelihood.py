"""The likelihood of the real drums: it adds up to the loss, and knows who does not listen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from seq2drum.data.batches import batches
from seq2drum.data.batches.draws import Draws, draw
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.evaluate.evaluate import likelihood_figures
from seq2drum.evaluate.evaluation import GUITARS
from seq2drum.evaluate.likelihood import likelihood, window_nats
from seq2drum.lattice.conditions import CONDITIONS
from seq2drum.lattice.grid import Grid
from seq2drum.models import checkpoint
from seq2drum.models.base import Config, tensors
from seq2drum.models.families import family
from seq2drum.models.layers import Heads, hit_nats
from seq2drum.music.kit import FULL
from tests.backbeats import played_songs, song_of
from tests.players import SIZES, save_player


@pytest.mark.parametrize(
    "name",
    [pytest.param("attention", marks=pytest.mark.slow), pytest.param("lstm", marks=pytest.mark.slow), "transformer"],
)
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


def test_a_model_trained_before_a_style_was_added_has_a_likelihood() -> None:
    model = family("lstm")(
        family("lstm").config_type(voices=len(FULL), asked=CONDITIONS.size - 1, **SIZES.get("lstm", {}))
    )
    data = batches.flatten(played_songs()[:1])
    pairs = batches.blocks(data)
    assert np.isfinite(window_nats(model.eval(), data, pairs, pairs, range(len(pairs)))).all()


class _Deaf(nn.Module):
    """Expects every hit as much as any other, whatever the guitar does."""

    hears_grooves = False
    config = Config(voices=len(FULL))

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
    monkeypatch.setattr("seq2drum.evaluate.likelihood.find", lambda name: name)
    songs = [song_of(seed, bars=8) for seed in range(GUITARS)]
    nats = likelihood("deaf", songs)
    assert len(nats.own) == len(nats.ranked) == GUITARS
    assert nats.given == {}
    np.testing.assert_allclose(nats.other, nats.own, atol=1e-5)
    assert np.ptp(nats.ranked, axis=1).max() < 1e-5


class _Copier(nn.Module):
    """Expects what the groove has, as strongly as it may; without one, each hit a little."""

    hears_grooves = True
    config = Config(voices=len(FULL))

    def hit_logits(self, batch: Any) -> torch.Tensor:
        given = batch.grooved[..., None, None]
        return given * (6 * (batch.groove > 0) - 3) - (1 - given) * 2


def looped_song(seed: int, *beats: int) -> Prepared:
    """A song that is one bar, again and again: hats on quarters, a snare on some eighths."""
    song = song_of(seed, bars=8)
    eighths = np.arange(0, int(song.guitar_grid.form.first[-1]), 3)
    hats = eighths[::2]
    snares = eighths[np.isin(eighths % 24 // 3, beats)]
    step = np.concatenate([hats, snares])
    key = np.where(np.arange(len(step)) < len(hats), FULL.names.index("closed hat"), FULL.names.index("snare"))
    hits = Grid(step, key, np.full_like(step, 90), np.zeros_like(step), np.ones_like(step))
    return replace(song, drums=hits.select(np.lexsort((key, step))))


def test_a_groove_that_is_near_costs_more_than_the_own_and_less_than_a_foreign_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoint, "load", lambda folder: (_Copier(), {"kit": "full"}))
    monkeypatch.setattr("seq2drum.evaluate.likelihood.find", lambda name: name)
    songs = [looped_song(0, 2, 6), looped_song(1, 2, 6, 7), looped_song(2, 0, 1, 3, 4, 5)]
    nats = likelihood("copier", songs)
    wrong = np.log1p(np.exp(3))
    right = np.log1p(np.exp(-3))
    cells = 24 * len(FULL)
    np.testing.assert_allclose(nats.given["true"], cells * right, rtol=1e-5)
    # A snare more or less is one cell in which the near groove is wrong.
    some = nats.given["near"][np.isin(nats.song, (0, 1))]
    np.testing.assert_allclose(some, [(cells - 1) * right + wrong] * 2, rtol=1e-5)
    assert np.isnan(nats.given["near"][nats.song == 2])
    apart = np.rint((nats.given["foreign"] - nats.given["true"]) / (wrong - right))
    assert (apart[nats.song < 2] >= 1).all() and apart[nats.song == 2] >= 7


def test_of_a_window_without_a_near_groove_there_is_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "load", lambda folder: (_Copier(), {"kit": "full"}))
    monkeypatch.setattr("seq2drum.evaluate.likelihood.find", lambda name: name)
    songs = [looped_song(0, 2, 6), looped_song(1, 2, 6)]
    nats = likelihood("copier", songs)
    assert np.isnan(nats.given["near"]).all()
    np.testing.assert_allclose(nats.given["foreign"], nats.given["true"])
    figures = likelihood_figures("copier", "copier", songs, 0, 10).figures
    assert figures["nats a bar, groove given"].value == pytest.approx(float(nats.given["true"].mean()))
    assert figures["nats lost by a foreign groove"].value == pytest.approx(0, abs=1e-5)
    assert figures["nats lost by a near groove"].value is None
