"""The task of tuning a model against its own takes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2drum.data.corpus.cache import save
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.evaluate.likelihood import step_nats
from seq2drum.learn.run import loop
from seq2drum.learn.run.report import GROOVED
from seq2drum.learn.self_play import COMPARED, WON, Pairs, Recipe, SelfPlay, excerpts, main, pairs_of, take_of
from seq2drum.models import checkpoint
from seq2drum.models.base import tensors
from seq2drum.play.checkpoint.folder import read_config
from tests.backbeats import song_of
from tests.learn.resuming import check_resuming
from tests.players import SIZES, save_player

FAMILY = "attention"


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_player(tmp_path_factory.mktemp("player"), FAMILY)


@pytest.fixture(scope="module")
def recipe(player: Path) -> Recipe:
    sizes = {**SIZES[FAMILY], "dropout": 0.0}
    numbers = Recipe(epochs=2, batch=8, device="cpu", precision="32", blanked=0.0, bars=8)
    return replace(numbers, model=FAMILY, sizes=sizes, start=str(player), rate=1e-2)


@pytest.fixture(scope="module")
def songs() -> list[Prepared]:
    return [song_of(seed, split="train") for seed in range(4)] + [song_of(9, split="validation")]


@pytest.fixture(scope="module")
def sides(songs: list[Prepared], recipe: Recipe) -> list[Pairs]:
    sides = []
    for side in ("train", "validation"):
        chosen = excerpts(songs, side, 4, recipe.bars, 0)
        sides.append(pairs_of(chosen, [take_of(recipe.start, 0, job) for job in enumerate(chosen)], "full"))
    return sides


def task(sides: list[Pairs], recipe: Recipe) -> SelfPlay:
    training, validation = sides
    return SelfPlay(training, validation, recipe)


def test_pairs_are_the_same_bars_with_other_drums_on_the_same_grooves(sides: list[Pairs]) -> None:
    real, takes = sides[0]
    assert real.songs == takes.songs and np.array_equal(real.first_step, takes.first_step)
    assert not np.array_equal(real.velocity > 0, takes.velocity > 0)
    assert real.grooves is takes.grooves


def test_the_model_that_it_started_as_loses_log_2_and_stays(sides: list[Pairs], recipe: Recipe, tmp_path: Path) -> None:
    made = task(sides, recipe)
    assert made.validate()[COMPARED] == pytest.approx(math.log(2), abs=1e-6)
    before = {name: value.clone() for name, value in made.compared.start.state_dict().items()}
    loop.train(made, tmp_path / "run")
    after = made.compared.start.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert not torch.equal(made.model.heads.hits.bias, made.compared.start.heads.hits.bias)


def test_real_drums_become_likelier_than_takes(sides: list[Pairs], recipe: Recipe, tmp_path: Path) -> None:
    made = task(sides, replace(recipe, epochs=30))
    before = made.validate()
    loop.train(made, tmp_path / "run")
    after = made.validate()
    assert after[COMPARED] < 0.2 < before[COMPARED]
    assert after[WON] == 1 and after[GROOVED] < before[GROOVED]


def test_a_margin_is_the_nats_that_real_drums_gained_over_the_take(sides: list[Pairs], recipe: Recipe) -> None:
    made = task(sides, recipe)
    with torch.no_grad():
        made.model.heads.hits.bias.add_(0.5)
    made.compared.eval()
    made.epoch(0, 1)
    real, take = made.inputs([tensors(part) for part in made.prepare(made.windows[:1], 0, 0, rank=0, processes=1)])[0]
    with torch.no_grad():
        of = [
            [float(step_nats(model, side).sum()) for side in (real, take)]
            for model in (made.model, made.compared.start)
        ]
        wanted = ((of[0][1] - of[1][1]) - (of[0][0] - of[1][0])) / int(real.in_pair.sum())
        assert float(made.compared.margins(real, take)[0]) == pytest.approx(wanted, rel=1e-4)


def test_a_resumed_run_is_the_unbroken_one(sides: list[Pairs], recipe: Recipe, tmp_path: Path) -> None:
    check_resuming(lambda epochs: task(sides, replace(recipe, epochs=epochs)), 2, tmp_path)


def test_the_command_leaves_a_model_that_plays(
    songs: list[Prepared], player: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "songs.s2d"
    save(songs, cache)
    told = ["--cache", str(cache), "--start", str(player), "--songs", "2", "-o", str(tmp_path / "run")]
    assert main([*told, "--minutes", "0.02"]) == 0
    best = Path(capsys.readouterr().out.splitlines()[-1])
    assert read_config(best)["recipe"]["start"] == str(player)
    checkpoint.load(best)
    assert len(take_of(str(best), 0, (0, songs[0])).step)
    assert main([*told, "--minutes", "0"]) == 2
    assert "--minutes" in capsys.readouterr().err


def test_a_side_without_drums_is_refused(songs: list[Prepared]) -> None:
    with pytest.raises(CorpusError, match="the validation side has no song"):
        excerpts(songs[:4], "validation", 2, 8, 0)
