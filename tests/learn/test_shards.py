"""Training over shards: taken up again amid a chunk, by several processes, and after one of them was killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from seq2drum.cli import train as command
from seq2drum.data.batches import streaming
from seq2drum.data.batches.streaming import Layout, StreamedSongs
from seq2drum.data.corpus.cache import save, save_index, shards_of
from seq2drum.learn import accompaniment
from seq2drum.learn.accompaniment import Recipe
from seq2drum.learn.run import loop
from seq2drum.learn.run.loop import Trained
from seq2drum.learn.run.task import Progress
from tests.backbeats import song_of
from tests.learn.shards import SIZES, Unplayed

ROOT = Path(__file__).parents[2]
RECIPE = Recipe(model="attention", epochs=2, batch=4, sizes=SIZES | {"dropout": 0.2}, device="cpu", precision="32")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of eight training songs and two unseen ones."""
    folder = tmp_path_factory.mktemp("shards")
    songs = [song_of(seed, bars=48, split="validation" if seed > 7 else "train") for seed in range(10)]
    save_index([save(songs[at::3], folder / f"{at}.s2d") for at in range(3)], folder / "index.json")
    return folder / "index.json"


def trained(index: Path, folder: Path, **options: Any) -> Trained:
    songs = StreamedSongs(shards_of(index), Layout(altered=RECIPE.altered), size=3)
    return loop.train(Unplayed(songs, None, RECIPE), folder, **options)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "last" / "training.safetensors")


def torchrun(processes: int, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)),
        *more,
        str(ROOT / "tests" / "learn" / "shards.py"),
    ]


def ran(command: list[str], *arguments: object) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [*command, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def run_of_two(index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two processes with batches of four."""
    folder = tmp_path_factory.mktemp("two") / "run"
    ran(torchrun(2), index, folder, 4)
    return folder


@pytest.mark.slow
def test_a_run_that_is_stopped_amid_any_portion_and_resumed_is_the_unbroken_one(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accompaniment, "MICRO_BATCH", 300)
    whole = trained(index, tmp_path / "whole")
    assert whole.progress.epoch == 6  # two epochs of three chunks
    for stop in (1, whole.progress.step // 2, whole.progress.step - 1):
        folder = tmp_path / str(stop)

        def stopping(share: float, progress: Progress, stop: int = stop) -> None:
            if progress.step == stop:
                raise KeyboardInterrupt

        assert trained(index, folder, show=stopping).stopped
        assert trained(index, folder, resume=True).progress.seen == whole.progress.seen
        one, other = weights(tmp_path / "whole"), weights(folder)
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_two_processes_over_shards_do_what_one_does_with_the_double_batch(
    index: Path, run_of_two: Path, tmp_path: Path
) -> None:
    script = str(ROOT / "tests" / "learn" / "shards.py")
    ran([sys.executable, script], index, tmp_path / "one", 8)
    folders = tmp_path / "one", run_of_two
    steps = [json.loads((folder / "last" / "progress.json").read_text()) for folder in folders]
    assert steps[0]["step"] == steps[1]["step"] > 6
    assert steps[0]["seen"] == steps[1]["seen"]
    one, two = map(weights, folders)
    assert max(float(value.abs().max()) for value in one.values()) > 0.1
    for name in one:  # Adam divides by the size of the gradient, so rounding in small ones shows
        assert torch.allclose(one[name], two[name], atol=1e-6), name


@pytest.mark.slow
def test_a_run_of_which_a_process_is_killed_goes_on_and_ends_as_the_unbroken_one(
    index: Path, run_of_two: Path, tmp_path: Path
) -> None:
    said = ran(torchrun(2, "--max-restarts", "1"), index, tmp_path / "killed", 4, 4)
    assert sorted(said.split("begins, ")[1:]) == ["resuming: False\n"] * 2 + ["resuming: True\n"] * 2
    folders = run_of_two, tmp_path / "killed"
    steps = [json.loads((folder / "last" / "progress.json").read_text()) for folder in folders]
    assert steps[0]["seen"] == steps[1]["seen"]
    one, other = map(weights, folders)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_the_command_learns_from_an_index_in_portions_and_tells_so(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from seq2drum.cli import main

    monkeypatch.setattr(streaming, "MAX_IN_MEMORY", 4)
    sizes = [f"{name}={size}" for name, size in SIZES.items()]
    where = ["--cache", str(index), "--out", str(tmp_path / "run"), "--threads", "1"]
    how = ["--epochs", "1", "--batch", "4", "--device", "cpu", "--model", "attention", "--size", *sizes]
    assert main(["--mode", "train", *where, *how]) == 0
    assert "8 songs to learn from: more than 4, so they are streamed in 1 chunks" in capsys.readouterr().err
    card = (tmp_path / "run" / "best" / "card.md").read_text()
    assert "| t | not stated | not stated | 8 | 2 | 0 |" in card
    assert command._many(type("", (), {"cache": str(index), "data": None})()) == shards_of(index)  # type: ignore[arg-type]


@pytest.mark.slow
def test_an_index_of_few_songs_is_learnt_from_as_one_file_is(index: Path, tmp_path: Path) -> None:
    from seq2drum.cli import main

    one = tmp_path / "one.s2d"
    save([song for shard in shards_of(index) for song in streaming.songs_of(shard)], one)
    sizes = [f"{name}={size}" for name, size in SIZES.items()]
    how = ["--epochs", "1", "--batch", "4", "--device", "cpu", "--model", "attention", "--size", *sizes]
    for cache in (index, one):
        where = ["--cache", str(cache), "--out", str(tmp_path / cache.name[:3]), "--threads", "1"]
        assert main(["--mode", "train", *where, *how]) == 0
    one_run, other = weights(tmp_path / "one"), weights(tmp_path / "ind")
    assert all(torch.equal(one_run[name], other[name]) for name in one_run)
