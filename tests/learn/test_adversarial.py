"""Generators that learn against a critic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from seq2drum.data.drums.beats import Beats
from seq2drum.errors import CorpusError
from seq2drum.learn.generators import adversarial as nets
from seq2drum.learn.generators import bar, generating, phrase
from seq2drum.learn.generators.adversarial import CRITIC, MEAN, misnamed, weights_of
from seq2drum.learn.generators.generating import wishes_of
from seq2drum.learn.run import loop
from seq2drum.play.generators.composer import WISHES, Brief, Composer

PLACES = {"bar": 24, "phrase": 32}


def some_beats(places: int, performances: int = 9, bars: int = 9) -> Beats:
    """Performances of rock and jazz on all sides, the last three of them fills of one bar; hats by chance."""
    rng = np.random.default_rng(0)
    rows = []
    for performance in range(performances):
        is_fill = performance >= performances - 3
        for number in range(1 if is_fill else bars):
            velocity = np.zeros((places, 9), dtype=np.float32)
            velocity[:: places // 2, 0], velocity[places // 4 :: places // 2, 3 if is_fill else 1] = 0.9, 0.8
            velocity[:: places // 8, 8] = 0.5 * (rng.random(8) < 0.9)
            rows.append((velocity, performance, number, 10 if performance % 2 else 5, 100.0, is_fill, performance % 3))
    velocity, performance, number, genre, bpm, fill, side = (np.array([row[at] for row in rows]) for at in range(7))
    names = tuple(f"{one}.mid" for one in range(performances))
    return Beats(velocity, performance, number, genre, bpm, fill, side, names)


def test_hits_are_drawn_with_the_chance_that_their_logit_says_and_two_hands() -> None:
    torch.manual_seed(0)
    logits = torch.full((20_000, 9), -1.0)
    logits[:, 2:8] = -20.0
    noise = nets.logistic(torch.randn_like(logits))
    struck = nets.struck(logits, torch.full_like(logits, 0.5), noise)
    assert struck[:, :2].mean() == pytest.approx(1 / (1 + np.e), abs=0.01)
    assert torch.equal(nets.velocity_of(struck) > 0, struck[:, :9] > 0.5)
    crowd = nets.struck(torch.arange(9.0)[None] + 1, torch.ones(1, 9), torch.zeros(1, 9))
    assert crowd[0, :9].tolist() == [1, 0, 0, 0, 0, 0, 1, 1, 1]  # the foot's, and of the others the likeliest two


def test_a_gradient_reaches_hits_that_were_not_drawn() -> None:
    logits = torch.full((1, 9), -1.0, requires_grad=True)
    nets.struck(logits, torch.ones(1, 9), torch.zeros(1, 9)).sum().backward()
    assert (logits.grad > 0).all()


def test_the_spread_tells_rows_that_are_alike() -> None:
    alike, other = torch.ones(8, 4), torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    spread = nets.spread(torch.cat([alike, other]))
    assert spread.shape == (16, 1) and spread[0] < 0.01 < 0.3 < spread[8]
    assert len(set(nets.spread(other[:3])[:, 0].tolist())) == 1


def test_a_critic_of_bars_sees_what_beats_repeat() -> None:
    drums = torch.zeros(1, 24, 18)
    drums[0, [0, 6, 12, 18], 0] = 1
    seen = bar.counts(drums)[0]
    assert seen[0] == 0.5 and seen[24] == 1 and seen[24 + 9] == 3 / 4 and seen[24 + 18] == 2
    assert seen.sum() == 4 * 0.5 + 1 + 3 / 4 + 2


def test_a_critic_of_phrases_sees_how_bars_differ() -> None:
    hits = torch.zeros(1, 8, 32, 9)
    hits[0, ::2, 0, 0] = 1
    seen = phrase.repeats(hits)[0]
    assert seen[: 17 * 9 : 9].tolist() == [0.25] * 7 + [0.0] * 10  # bars 1 apart differ, bars 2 and 4 apart do not
    assert seen[17 * 9 :: 288].tolist() == [1.0, 0.0, 0.0]


def test_rare_genres_and_fills_are_learnt_from_more_often() -> None:
    beats = some_beats(24)
    weights = weights_of(beats, 4.0)
    assert weights.sum() == pytest.approx(1)
    same = beats.genre == beats.genre[-1]
    assert weights[beats.fill & same].min() == pytest.approx(4 * weights[~beats.fill & same].max())


def test_a_critic_names_genres_only_where_there_is_one() -> None:
    wishes = torch.zeros(2, WISHES)
    named = torch.zeros(2, WISHES)
    assert misnamed(named, wishes) == pytest.approx(np.log(2))
    wishes[0, 3] = 1
    assert misnamed(named, wishes) == pytest.approx(np.log(2) + np.log(12) / 2)
    assert misnamed(named, wishes[:, None].repeat(1, 8, 1)) == pytest.approx(np.log(2) + np.log(12) / 2)


def test_some_windows_have_a_fill_that_is_told() -> None:
    work = generating.task_of("phrase", some_beats(32), {"fills": 1.0}, lambda line: None)
    batch = work.real("train", work.items("train"), np.random.default_rng(0))
    has_toms = (batch.velocity[..., 3] > 0).any(axis=2)
    assert (has_toms == (batch.wishes[..., -1] > 0)).all() and (has_toms.sum(axis=1) == 1).any()
    assert not work.real("validation", work.items("validation"), np.random.default_rng(0)).wishes[..., -1].any()


@pytest.mark.parametrize("model", PLACES)
def test_without_bars_to_learn_from_nothing_is_learnt(model: str) -> None:
    beats = some_beats(PLACES[model])
    with pytest.raises(CorpusError, match="train side"):
        generating.task_of(model, beats.select(beats.side > 0), {}, lambda line: None)


def test_wishes_say_what_each_bar_is() -> None:
    beats = some_beats(24)
    wishes = wishes_of(beats.genre, beats.bpm, beats.fill)
    assert wishes.shape == (len(beats.fill), WISHES) and (wishes[:, -1] == beats.fill).all()
    assert (wishes[:, :12].argmax(axis=1) == beats.genre).all()


@pytest.mark.slow
@pytest.mark.parametrize("model", PLACES)
def test_a_run_that_was_stopped_ends_as_the_one_that_was_not_and_plays(model: str, tmp_path: Path) -> None:
    beats = some_beats(PLACES[model])
    ended = []
    for folder, runs in (("once", (4,)), ("twice", (2, 4))):
        for steps in runs:
            work = generating.task_of(model, beats, {"steps": steps, "batch": 8}, lambda line: None)
            trained = loop.train(work, tmp_path / folder, resume=steps == 4 and len(runs) == 2)
        ended.append({name: work.models[name].state_dict() for name in (MEAN, CRITIC)})
    assert trained.progress.step == 4 and trained.progress.validation["hits_a_bar"] > 0
    for name, weights in ended[0].items():
        assert all(torch.equal(value, ended[1][name][key]) for key, value in weights.items())
    beat = Composer.load(str(tmp_path / "once")).compose(Brief(bars=2, grid=PLACES[model]))
    assert beat.pattern.velocity.shape == (2, PLACES[model], 9) and beat.model == model


@pytest.mark.slow
def test_what_is_kept_strikes_each_place_as_often_as_drummers(tmp_path: Path) -> None:
    beats = some_beats(24)
    work = generating.task_of("bar", beats, {}, lambda line: None)
    real = work.real("train", np.resize(work.items("train"), 1000), np.random.default_rng(0))
    torch.manual_seed(0)
    with torch.no_grad():
        drawn = [work.draw(net, torch.from_numpy(real.wishes)) for net in (work.mean.eval(), work.calibrated())]
    wrong = [np.abs((one[..., :9] > 0).float().mean(dim=0).numpy() - (real.velocity > 0).mean(axis=0)) for one in drawn]
    assert wrong[1].mean() < 0.25 * wrong[0].mean()
