"""The training loop: resumed is unbroken, two processes are one with the double batch, Ctrl-C is in order."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seq2drum.data import batches
from seq2drum.data.cache import save
from seq2drum.data.prepared import Prepared
from seq2drum.errors import CheckpointError, CorpusError, OptionError, OutputError
from seq2drum.learn import report, watching
from seq2drum.learn import train as train_module
from seq2drum.learn.history import History
from seq2drum.learn.train import HISTORY, REPORT, Plan, Progress, likelihood, running_mean, schedule, train
from seq2drum.learn.watching import Chosen
from seq2drum.music.kit import KITS
from seq2drum.play import engine
from seq2drum.play.decoding import play
from seq2drum.play.folder import find, read_config
from seq2drum.play.sampling import Sampling
from tests.made import made_song

ROOT = Path(__file__).parents[2]
SIZES = {"hidden": 24, "reader": 8, "mixed": 16, "bar": 12, "played": 10, "heads": 2}
PLAN = Plan(epochs=3, batch=4, sizes=SIZES, device="cpu", precision="32", rate=1e-2)


@pytest.fixture(scope="module")
def songs() -> list[Prepared]:
    return [made_song(seed) for seed in range(8)]


@pytest.fixture(scope="module")
def sides(songs: list[Prepared]) -> tuple[batches.Data, batches.Data]:
    return batches.flatten(songs[:6]), batches.flatten(songs[6:])


@pytest.fixture
def chosen(songs: list[Prepared], monkeypatch: pytest.MonkeyPatch) -> Chosen:
    """One song to play, and pictures of two bars."""
    monkeypatch.setattr(watching, "PICTURED_BARS", 2)
    found = watching.choose([replace(song, split="validation" if song.path == "6" else "train") for song in songs])
    assert [song.path for song in found.songs] == ["6"]
    return found


def history(folder: Path) -> History:
    return History.from_json((folder / "last" / HISTORY).read_text())


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "last" / "weights.safetensors")


class Stop:
    """Presses Ctrl-C after so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def __call__(self, share: float, progress: Progress) -> None:
        if progress.step == self.steps:
            raise KeyboardInterrupt


def test_a_resumed_run_ends_as_the_unbroken_run(sides, tmp_path: Path) -> None:
    plan = replace(PLAN, sizes=SIZES | {"dropout": 0.2})
    whole = train(*sides, plan, tmp_path / "whole")
    broken = train(*sides, plan, tmp_path / "broken", show=Stop(whole.progress.step // 2))
    assert broken.stopped
    assert 0 < broken.progress.step < whole.progress.step
    resumed = train(*sides, plan, tmp_path / "broken", resume=True)
    assert not resumed.stopped
    assert (resumed.progress.step, resumed.progress.bars) == (whole.progress.step, whole.progress.bars)
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert resumed.progress.validation == whole.progress.validation


def test_ctrl_c_leaves_a_checkpoint_that_plays(sides, songs: list[Prepared], tmp_path: Path) -> None:
    outcome = train(*sides, PLAN, tmp_path / "run", show=Stop(2))
    assert outcome.stopped
    for name in ("best", "last"):
        player = engine.load(tmp_path / "run" / name)
        assert len(list(play(player, songs[0].heard, Sampling(seed=1)))) == len(songs[0].heard.form.steps)
    assert find(tmp_path / "run") == tmp_path / "run" / "best"


@pytest.mark.slow
def test_training_learns_to_listen(sides, tmp_path: Path) -> None:
    """In these songs the kick doubles the guitar's low notes: another song's guitar must cost something."""
    outcome = train(*sides, replace(PLAN, epochs=60), tmp_path / "run")
    assert outcome.progress.validation < 0.5 * 60
    assert outcome.progress.swapped > outcome.progress.validation + 0.5


@pytest.mark.slow
def test_what_is_seen_of_a_run_changes_nothing_of_it_and_outlasts_a_break(
    sides, chosen: Chosen, tmp_path: Path
) -> None:
    """Played and drawn: the same weights as unwatched. Stopped and taken up again: one past, nothing in it twice."""
    plan = replace(PLAN, epochs=2, sizes=SIZES | {"dropout": 0.2})
    bare = train(*sides, plan, tmp_path / "bare")
    broken = train(*sides, plan, tmp_path / "watched", show=Stop(bare.progress.step // 2), chosen=chosen)
    assert broken.report == tmp_path / "watched" / REPORT and "--resume" in broken.report.read_text()
    outcome = train(*sides, plan, tmp_path / "watched", resume=True, chosen=chosen)
    one, other = weights(tmp_path / "bare"), weights(tmp_path / "watched")
    assert all(torch.equal(one[name], other[name]) for name in one)
    unbroken, seen = history(tmp_path / "bare"), history(tmp_path / "watched")
    assert [(point.bars, point.nats, point.rate) for point in seen.points] == [
        (point.bars, point.nats, point.rate) for point in unbroken.points
    ]
    assert [moment.bars for moment in seen.watched] == [broken.progress.bars, outcome.progress.bars]
    assert seen.watched[-1].validation == unbroken.watched[-1].validation == outcome.progress.validation
    assert all(moment.played and moment.figures and moment.takes for moment in seen.watched)
    page = outcome.report.read_text()
    assert "--resume" not in page and page.count("data:image/png") == 3  # the real drums, and two moments
    for player, figures in seen.watched[-1].figures.items():
        assert player in page and all(f"{value:.3f}" in page for value in figures.values())
    shown = EventAccumulator(str(tmp_path / "watched")).Reload().Tags()
    name = watching.name_of(chosen.songs[0])
    assert sorted(shown["images"]) == [f"real/{name}", f"take/{name}"]
    assert {"panel/hit_F1/sampled", "panel/hit_F1/common_bar", "validation/nats_per_bar"} <= set(shown["scalars"])


def test_a_run_goes_on_when_playing_or_its_page_fails(sides, chosen: Chosen, tmp_path: Path, monkeypatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("out of ink")

    monkeypatch.setattr(watching, "play", broken)
    monkeypatch.setattr(report, "as_html", broken)
    told: list[str] = []
    outcome = train(*sides, replace(PLAN, epochs=1), tmp_path, chosen=chosen, tell=told.append)
    assert np.isfinite(outcome.progress.validation) and outcome.report is None and not (tmp_path / REPORT).exists()
    assert len(told) == 2 and all("out of ink" in line for line in told)


def test_a_second_ctrl_c_leaves_out_the_last_look_and_the_page_is_written(
    sides, chosen: Chosen, tmp_path: Path, monkeypatch
) -> None:
    def pressed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watching, "play", pressed)
    with pytest.raises(KeyboardInterrupt):
        train(*sides, PLAN, tmp_path, show=Stop(2), chosen=chosen)
    assert "stopped before its end" in (tmp_path / REPORT).read_text()
    monkeypatch.undo()
    assert not train(*sides, PLAN, tmp_path, resume=True).stopped


@pytest.mark.slow
def test_two_processes_do_what_one_does_with_the_double_batch(songs: list[Prepared], tmp_path: Path) -> None:
    cache = tmp_path / "songs.s2d"
    save(songs, cache)
    command = ["--mode", "train", "--cache", str(cache), "--epochs", "2", "--device", "cpu", "--precision", "32"]
    command += ["--threads", "1", "--size", "dropout=0", *(f"{name}={size}" for name, size in SIZES.items())]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        str(ROOT / "main.py"),
    ]
    for launch, batch, out in (([sys.executable, str(ROOT / "main.py")], 8, "one"), (torchrun, 4, "two")):
        full = [*launch, *command, "--batch", str(batch), "--out", str(tmp_path / out)]
        done = subprocess.run(full, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    progress = [json.loads((tmp_path / out / "last" / "progress.json").read_text()) for out in ("one", "two")]
    assert progress[0]["step"] == progress[1]["step"] > 3
    assert history(tmp_path / "two").watched[-1].played  # by one of them, while the other waits
    assert (tmp_path / "two" / REPORT).exists()
    assert progress[0]["bars"] == progress[1]["bars"]
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    moved = max(float(value.abs().max()) for value in one.values())
    assert moved > 0.1
    for name in one:
        # Adam divides by the size of the gradient, so rounding in small ones shows at a ten-thousandth of the movement.
        assert torch.allclose(one[name], two[name], atol=5e-4), name


def test_a_run_is_not_overwritten_unasked(sides, tmp_path: Path) -> None:
    train(*sides, replace(PLAN, epochs=1), tmp_path)
    with pytest.raises(OptionError, match="--resume"):
        train(*sides, replace(PLAN, epochs=1), tmp_path)


def test_a_run_that_was_killed_while_it_saved_can_be_resumed(sides, tmp_path: Path) -> None:
    first = train(*sides, replace(PLAN, epochs=1), tmp_path)
    (tmp_path / "last").rename(tmp_path / "last.old")
    with pytest.raises(OptionError, match="--resume"):
        train(*sides, replace(PLAN, epochs=1), tmp_path)
    again = train(*sides, replace(PLAN, epochs=2), tmp_path, resume=True)
    assert again.progress.step > first.progress.step


def test_a_run_cannot_be_resumed_as_another(sides, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        train(*sides, PLAN, tmp_path / "nothing", resume=True)
    train(*sides, replace(PLAN, epochs=1), tmp_path / "run")
    with pytest.raises(CheckpointError, match="rate"):
        train(*sides, replace(PLAN, rate=1e-4), tmp_path / "run", resume=True)


def test_a_corpus_without_pairs_is_told(sides, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="learn from"):
        train(sides[0], None, replace(PLAN, max_notes=1), tmp_path)


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"width": 3}, "no such size as 'width'; it has .*hidden"),
        ({"voices": 3}, "no such size as 'voices'"),
        ({"hidden": 0.0}, "the size hidden is 0.0, wanted a whole number"),
        ({"hidden": 7.5}, "the size hidden is 7.5, wanted a whole number"),
        ({"dropout": 1}, "the size dropout is 1, wanted a share"),
    ],
)
def test_sizes_that_make_no_model_are_told(sides, tmp_path: Path, sizes: dict[str, float], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        train(*sides, replace(PLAN, sizes=sizes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_refused_run_leaves_nothing_behind(sides, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no run to resume"):
        train(*sides, PLAN, tmp_path / "nothing", resume=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        train(*sides, PLAN, tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be kept"):
        train(*sides, PLAN, tmp_path / "file" / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


def test_two_trainings_do_not_share_a_folder(sides, tmp_path: Path) -> None:
    refused = []

    def second(share: float, progress: Progress) -> None:
        if progress.step == 1:
            with pytest.raises(OptionError, match="another training is going on"):
                train(*sides, PLAN, tmp_path)
            refused.append(progress.step)

    train(*sides, replace(PLAN, epochs=1), tmp_path, show=second)
    assert refused == [1]
    train(*sides, replace(PLAN, epochs=2), tmp_path, resume=True)  # the first has ended, and let go


def test_a_run_that_diverges_is_told(sides, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--rate"):
        train(*sides, replace(PLAN, rate=1e30), tmp_path)


def test_a_real_ctrl_c_waits_for_the_end_of_the_step(sides, tmp_path: Path) -> None:
    said = []

    def press(share: float, progress: Progress) -> None:
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)  # nothing is torn out of here
            said.append("shown")

    outcome = train(*sides, PLAN, tmp_path / "broken", show=press, stopping=lambda: said.append("stopping"))
    assert outcome.stopped
    assert outcome.progress.step == 2
    assert said == ["shown", "stopping"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    whole = train(*sides, PLAN, tmp_path / "whole")
    assert train(*sides, PLAN, tmp_path / "broken", resume=True).progress.step == whole.progress.step
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_all_files_of_a_checkpoint_may_be_read_by_the_same_people(sides, tmp_path: Path) -> None:
    train(*sides, replace(PLAN, epochs=1), tmp_path)
    assert len({path.stat().st_mode for path in (tmp_path / "best").iterdir()}) == 1


def test_with_one_unseen_song_there_is_no_figure_for_another_songs_guitar(songs, tmp_path: Path) -> None:
    outcome = train(batches.flatten(songs[:6]), batches.flatten(songs[6:7]), replace(PLAN, epochs=1), tmp_path)
    assert np.isfinite(outcome.progress.validation)
    assert np.isnan(outcome.progress.swapped)
    assert "swapped" not in read_config(tmp_path / "last")["progress"]
    assert "another song's guitar" not in (tmp_path / "last" / "card.md").read_text()
    resumed = train(
        batches.flatten(songs[:6]), batches.flatten(songs[6:7]), replace(PLAN, epochs=2), tmp_path, resume=True
    )
    assert np.isnan(resumed.progress.swapped)


def test_masks_are_drawn_by_numbers_that_every_python_makes_alike() -> None:
    assert train_module._seed(0, 0, 0) == 6102389744414414618
    seeds = {train_module._seed(*numbers) for numbers in np.ndindex(3, 5, 2)}
    assert len(seeds) == 30 and all(0 <= seed < 2**63 for seed in seeds)


def test_the_rate_rises_then_falls_to_nothing() -> None:
    assert schedule(0, 0.0) == pytest.approx(0.01)
    assert schedule(99, 0.0) == pytest.approx(1)
    assert schedule(500, 0.5) == pytest.approx(0.5)
    assert schedule(500, 1.0) == pytest.approx(0, abs=1e-9)
    assert schedule(500, 1.5) == pytest.approx(0, abs=1e-9)


def test_a_running_mean_is_plain_at_first_and_forgets_later() -> None:
    mean = math.nan
    told = [mean := running_mean(mean, value, step) for step, value in enumerate([60.0, 140.0, 100.0, 40.0])]
    assert told == pytest.approx([60, 100, 100, 85])
    assert running_mean(10.0, 20.0, 49) == running_mean(10.0, 20.0, 5000) == pytest.approx(10.2)


def test_likelihood_with_the_own_guitar_is_what_the_losses_say(sides, tmp_path: Path) -> None:
    from seq2drum.models import checkpoint
    from seq2drum.models.base import tensors

    train(*sides, replace(PLAN, epochs=1), tmp_path)
    model, _ = checkpoint.load(tmp_path / "best")
    windows = batches.windows(sides[1])
    right, wrong = likelihood(model, sides[1], windows, size=3)
    model.eval()
    batch = batches.collate(sides[1], windows, batches.draw(np.random.default_rng(0), len(windows)))
    with torch.no_grad():
        losses = model.losses(tensors(batch))
    assert right == pytest.approx(float(losses["nats"] / losses["bars"]), rel=1e-4)
    assert wrong != right


@pytest.mark.parametrize("kit", KITS)
def test_a_model_of_either_kit_trains(kit: str, songs: list[Prepared], tmp_path: Path) -> None:
    data = batches.flatten(songs, KITS[kit])
    outcome = train(data, None, replace(PLAN, kit=kit, epochs=1), tmp_path)
    assert engine.load(outcome.folder).kit is KITS[kit]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_gpu_trains_in_bfloat16(sides, tmp_path: Path) -> None:
    outcome = train(*sides, replace(PLAN, device="cuda", precision="auto"), tmp_path)
    assert outcome.progress.step > 0
