"""The training loop, the history and the page of a run."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch._dynamo.exc import Unsupported

from seq2drum.errors import CheckpointError, OptionError
from seq2drum.judge.players import REAL
from seq2drum.learn.run import devices, loop, runs
from seq2drum.learn.run.report import NATS, SWAPPED, Finished, as_html
from seq2drum.learn.run.task import MOST_POINTS, History, Point, Progress, running_mean, schedule
from seq2drum.learn.run.watching import BARS, GAIN, LIKELY, LOOP, SAMPLED, Drawn, Preview
from seq2drum.system import workers
from tests.learn.gan import Recipe, TwoNumbers

# --- the loop, tried with a task of two models and two optimisers that knows nothing of music -------------------------

ROOT = Path(__file__).parents[2]
RECIPE = Recipe(steps=20, rate=0.02, device="cpu", precision="32", dropout=0.2)


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """All that a run's `last` has of models and optimisers."""
    return load_file(folder / "last" / runs.STATE)


def stop_after(steps: int, progress: Progress) -> None:
    if progress.step == steps:
        raise KeyboardInterrupt


@pytest.mark.slow
def test_a_task_of_two_optimisers_learns(tmp_path: Path) -> None:
    task = TwoNumbers(replace(RECIPE, steps=600))
    begun = task.validate()["distance"]
    trained = loop.train(task, tmp_path)
    assert trained.progress.validation["distance"] < 0.25 * begun
    assert trained.progress.seen == 600 * 16 and trained.progress.epoch == 74  # the last epoch was not left


def test_a_run_that_reads_its_steps_late_is_the_run_that_reads_them_at_once(tmp_path: Path, monkeypatch) -> None:
    at_once = loop.train(TwoNumbers(RECIPE), tmp_path / "at once")
    monkeypatch.setattr(loop, "lag_of", lambda device: 3)
    late = loop.train(TwoNumbers(RECIPE), tmp_path / "late")
    assert replace(late.progress, seconds=0) == replace(at_once.progress, seconds=0)
    one, other = tensors(tmp_path / "at once"), tensors(tmp_path / "late")
    assert all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(OptionError, match="ran out of numbers"):
        loop.train(TwoNumbers(replace(RECIPE, rate=1e30)), tmp_path / "diverged")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "g++")), reason="torch.compile wants a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own compiler
def test_models_that_are_compiled_learn_what_others_learn_but_for_rounding(tmp_path: Path) -> None:
    plain, compiled = (replace(RECIPE, dropout=0.0, precision="auto", compiled=each) for each in (False, True))
    loop.train(TwoNumbers(replace(plain, precision="32")), tmp_path / "plain")
    loop.train(TwoNumbers(compiled), tmp_path / "compiled")
    one, other = tensors(tmp_path / "plain"), tensors(tmp_path / "compiled")
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name], other[name], atol=1e-4) for name in one)


def test_what_cannot_be_compiled_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(nn.Module):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            raise Unsupported("there is no C++ compiler\nSet TORCHDYNAMO_VERBOSE=1", case_name="none")

    monkeypatch.setattr(torch, "compile", Refused)
    with pytest.raises(OptionError, match=r"--compile: .*there is no C\+\+ compiler\); leave --compile out"):
        loop.train(TwoNumbers(replace(RECIPE, compiled=True)), tmp_path)


def test_compiled_models_compute_in_float32_on_a_cpu_unless_told() -> None:
    def computed(precision: str) -> torch.dtype:
        with devices.make_fabric("cpu", precision, compiled=True).autocast():
            return torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype

    assert [computed(precision) for precision in ("auto", "32", "bf16")] == [torch.float32] * 2 + [torch.bfloat16]


@pytest.mark.parametrize(("seconds", "times"), [(0.0, 20), (1e6, 1)])
def test_memory_is_given_back_after_the_first_step_and_not_too_often(
    seconds: float, times: int, tmp_path: Path, monkeypatch
) -> None:
    given: list[int] = []
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_TRIMS", seconds)
    monkeypatch.setattr(workers, "give_back", lambda: given.append(1))
    loop.train(TwoNumbers(RECIPE), tmp_path)
    assert len(given) == times


@pytest.mark.parametrize("steps", [5, 8, 13])
def test_a_task_of_two_optimisers_that_is_stopped_and_resumed_ends_as_if_it_had_not_been(
    steps: int, tmp_path: Path
) -> None:
    """In the middle of an epoch of eight steps, and at its end."""
    whole, broken = TwoNumbers(RECIPE), TwoNumbers(RECIPE)
    loop.train(whole, tmp_path / "whole")
    halted = loop.train(broken, tmp_path / "broken", show=lambda share, progress: stop_after(steps, progress))
    assert halted.stopped and halted.progress.step == steps
    assert halted.report is not None and halted.report.read_text() == f"<p>{16 * steps} points, stopped</p>"
    again = TwoNumbers(replace(RECIPE, seed=RECIPE.seed))
    resumed = loop.train(again, tmp_path / "broken", resume=True)
    one, other = tensors(tmp_path / "whole"), tensors(tmp_path / "broken")
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert {name.split("/")[1] for name in one if name.startswith("models/")} == {"generator", "critic"}
    assert {"optimizers/generator/0/exp_avg", "optimizers/critic/0/momentum_buffer"} <= one.keys()
    assert again.shown == [steps, 20] and not resumed.stopped
    curves = [History.from_json((tmp_path / name / "last" / runs.HISTORY).read_text()) for name in ("whole", "broken")]
    assert [point.scalars for point in curves[0].training] == [point.scalars for point in curves[1].training]
    assert [point.seen for point in curves[1].validations] == [16 * steps, 16 * 20]


def test_the_best_is_kept_by_the_tasks_own_criterion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_VALIDATIONS", 0.0)
    distances = iter([3.0, 1.0, 2.0])
    task = TwoNumbers(replace(RECIPE, steps=24))
    monkeypatch.setattr(task, "validate", lambda: {"distance": next(distances)})
    trained = loop.train(task, tmp_path)
    assert trained.progress.best == 1.0 and trained.progress.validation == {"distance": 2.0}
    best, last = (json.loads((tmp_path / name / "generator.json").read_text())["about"] for name in ("best", "last"))
    assert (best["progress"]["step"], last["progress"]["step"]) == (16, 24)
    assert best["recipe"]["items"] == 16 and best["progress"]["points"] == 256 and best["machine"]["processes"] == 1


def test_tensorboard_has_every_scalar_of_a_task_and_the_rate_of_each_optimiser(tmp_path: Path) -> None:
    loop.train(TwoNumbers(RECIPE), tmp_path)
    shown = EventAccumulator(str(tmp_path)).Reload()
    names = {"train/critic", "train/generator", "train/rate/critic", "train/rate/generator", "train/points_per_second"}
    assert set(shown.Tags()["scalars"]) == names | {"validation/distance"}
    assert [event.step for event in shown.Scalars("train/critic")] == [160, 320]
    assert shown.Scalars("train/rate/critic")[0].value == pytest.approx(2 * RECIPE.rate)


def test_a_run_of_epochs_and_one_of_minutes_end_when_they_should(tmp_path: Path) -> None:
    epochs = loop.train(TwoNumbers(replace(RECIPE, steps=None, epochs=3)), tmp_path / "epochs")
    assert (epochs.progress.step, epochs.progress.epoch) == (24, 3)
    minutes = loop.train(TwoNumbers(replace(RECIPE, steps=None, minutes=0.01)), tmp_path / "minutes")
    assert 0.6 <= minutes.progress.seconds < 60 and minutes.progress.step > 0


def test_a_run_of_another_recipe_or_another_version_is_not_resumed(tmp_path: Path) -> None:
    loop.train(TwoNumbers(RECIPE), tmp_path)
    with pytest.raises(CheckpointError, match="other values of: items, rate"):
        loop.train(TwoNumbers(replace(RECIPE, rate=1.0, items=3)), tmp_path, resume=True)
    (tmp_path / "last" / runs.STATE).unlink()
    with pytest.raises(CheckpointError, match=r"another version.*begin a new one"):
        loop.train(TwoNumbers(RECIPE), tmp_path, resume=True)


def test_a_damaged_run_is_refused_and_not_trained_on(tmp_path: Path) -> None:
    loop.train(TwoNumbers(RECIPE), tmp_path)
    for name in (runs.STATE, runs.PROGRESS, runs.HISTORY, runs.TASK):
        path = tmp_path / "last" / name
        held = path.read_bytes()
        path.write_bytes(held[: len(held) // 2])
        with pytest.raises(CheckpointError, match="cannot be resumed"):
            loop.train(TwoNumbers(RECIPE), tmp_path, resume=True)
        path.write_bytes(held)
    assert loop.train(TwoNumbers(replace(RECIPE, steps=21)), tmp_path, resume=True).progress.step == 21


def test_a_task_whose_numbers_are_not_finite_ends_with_an_error_and_what_was_saved_stays(tmp_path: Path) -> None:
    loop.train(TwoNumbers(RECIPE), tmp_path)
    before = tensors(tmp_path)
    task = TwoNumbers(replace(RECIPE, steps=30))
    task.epoch = lambda number, processes: [np.full((16, 4), np.inf, dtype=np.float32)] * 8  # type: ignore[method-assign]
    with pytest.raises(OptionError, match=r"out of numbers at step 20; a lower --rate than 0\.02"):
        loop.train(task, tmp_path, resume=True)
    after = tensors(tmp_path)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.slow
def test_two_processes_train_two_optimisers_as_one_does_with_the_double_batch(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = str(ROOT / "tests" / "learn" / "gan.py")
    for launch, items, out in (([], 16, "one"), (torchrun, 8, "two")):
        command = [sys.executable, *launch, script, str(tmp_path / out), str(items)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    progress = [json.loads((tmp_path / out / "last" / runs.PROGRESS).read_text()) for out in ("one", "two")]
    assert progress[0]["seen"] == progress[1]["seen"] == 20 * 16
    one, two = tensors(tmp_path / "one"), tensors(tmp_path / "two")
    begun = TwoNumbers(replace(RECIPE, dropout=0.0)).generator.state_dict()
    assert float((one["models/generator/2.weight"] - begun["2.weight"]).abs().max()) > 0.05
    for name in one:
        assert torch.allclose(one[name], two[name], atol=1e-4), name


def test_seeds_of_masks_are_the_same_on_every_python() -> None:
    assert loop.step_seed(0, 0, 0) == 6102389744414414618
    seeds = {loop.step_seed(*numbers) for numbers in np.ndindex(3, 5, 2)}
    assert len(seeds) == 30 and all(0 <= seed < 2**63 for seed in seeds)


def test_the_rate_rises_then_falls_to_nothing() -> None:
    assert schedule(0, 0.0) == pytest.approx(0.01)
    assert schedule(99, 0.0) == pytest.approx(1)
    assert schedule(500, 0.5) == pytest.approx(0.5)
    assert schedule(500, 1.0) == pytest.approx(0, abs=1e-9)
    assert schedule(500, 1.5) == pytest.approx(0, abs=1e-9)


def test_a_running_mean_is_plain_at_first_and_forgets_later() -> None:
    mean = math.nan
    means = [mean := running_mean(mean, value, step) for step, value in enumerate([60.0, 140.0, 100.0, 40.0])]
    assert means == pytest.approx([60, 100, 100, 85])
    assert running_mean(10.0, 20.0, 49) == running_mean(10.0, 20.0, 5000) == pytest.approx(10.2)


# --- the curves of a run ----------------------------------------------------------------------------------------------


def curve(first: int, stop: int, history: History) -> History:
    for step in range(first, stop):
        history = history.recorded(step, Point(step, step, {"loss": 1 / step}))
    return history


def test_a_history_comes_back_as_it_was() -> None:
    history = curve(1, 5, History()).validated(Point(7, 1.5, {"loss": 0.25})).validated(Point(9, 2.5))
    assert History.from_json(history.as_json()) == history
    assert History.from_json(History().as_json()) == History()


def test_a_validation_takes_the_place_of_one_after_as_much_was_seen() -> None:
    history = History().validated(Point(7, 1.0, {"loss": 3.0})).validated(Point(7, 2.0, {"loss": 2.0}))
    assert history.validations == (Point(7, 2.0, {"loss": 2.0}),)
    assert [point.seen for point in history.validated(Point(8, 3.0)).validations] == [7, 8]


def test_a_long_curve_keeps_a_bounded_number_of_points_evenly() -> None:
    history = curve(1, 20 * MOST_POINTS, History())
    steps = [point.seen for point in history.training]
    assert MOST_POINTS / 2 <= len(steps) <= MOST_POINTS
    assert set(np.diff(steps)) == {history.every}
    # A run that is taken up again in the middle goes on as if it had not been away.
    broken = History.from_json(curve(1, 7001, History()).as_json())
    assert curve(7001, 20 * MOST_POINTS, broken) == history


# --- the page of a training run ---------------------------------------------------------------------------------------

ABOUT = {
    "kit": "full",
    "recipe": {"model": "attention", "kit": "full", "minutes": 5.0, "seed": 0, "weights": {"jazz<3>": 3.0}},
    "progress": {"epoch": 3, "step": 1234, "bars": 98765, "seconds": 300.4},
    "machine": {"device": "cpu", "name": "<a> chip", "processes": 1},
    "torch": "2",
    "data": [{"folder": "<jazz>", "origin": "", "train": 5, "validation": 1, "test": 0}],
    "command": "seq2drum --mode train --data '<x>'",
}


def finished(**changes: Any) -> Finished:
    history, previews = History(), []
    for step in range(1, 40):
        history = history.recorded(step, Point(step * 1000, step * 3.0, {NATS: 20 / step, "rate": 1e-3}))
    for number in (1, 2, 3):
        figures = {
            SAMPLED: {"hit F1": 0.1 * number, "fill rate": 0.05},
            LIKELY: {"hit F1": 0.2 * number, GAIN: 0.01 * number},
            LOOP: {"hit F1": 0.4321},
            REAL: {"fill rate": 0.0765},
        }
        scalars = {NATS: 6.0 - number, SWAPPED: 8.125}
        history = history.validated(Point(13000 * number, 39.0 * number, scalars))
        previews.append(Preview(13000 * number, 39.0 * number, BARS, 1.5, figures))
    drawn = (Drawn("ab<cd", ((REAL, b"\x89PNG"), ("after <1> bars", b"\x89PNG2"))),)
    sides = {"training": (5, 400), "validation": (1, 50)}
    return Finished("runs/my <run>", ABOUT, sides, history, tuple(previews), 6, True, drawn)._replace(**changes)


class Tags(HTMLParser):
    """What is open, and whether all that closes was."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen += [(name, value or "") for name, value in attrs]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Tags:
    parser = Tags()
    parser.feed(page)
    assert not parser.open
    for picture in re.findall(r"<svg.*?</svg>", page, re.S):
        ElementTree.fromstring(picture)
    assert "nan" not in "".join(re.findall(r"<svg.*?</svg>", page, re.S))
    return parser


def cells(page: str, first: str) -> list[str]:
    row = next(row for row in re.findall(r"<tr>(.*?)</tr>", page) if f"<td>{first}</td>" in row)
    return re.findall(r"<td>(.*?)</td>", row)


def test_the_page_is_whole_and_needs_nothing_from_elsewhere() -> None:
    page = as_html(finished())
    links = [value for name, value in parsed(page).seen if name in ("src", "href", "xlink:href", "onload")]
    assert len(links) == 2 and all(link.startswith("data:image/png;base64,") for link in links)
    assert "url(" not in page and "@import" not in page and "<script" not in page and "http" not in page
    assert "prefers-color-scheme: dark" in page and "@media print" in page


def test_numbers_of_the_page_are_those_of_the_history() -> None:
    page = as_html(finished())
    assert cells(page, "hit F1")[1:5] == ["0.300", "0.600", "0.432", "-"]
    assert cells(page, "fill rate")[1:5] == ["0.050", "-", "-", "0.076"]
    assert cells(page, GAIN)[1:5] == ["-", "0.030", "-", "-"]
    assert "98,765 bars in 5 minutes" in page and "3.00 nats" in page and "8.12 with another" in page
    assert "5 songs, 400 bars" in page and "1 songs, 50 bars" in page and "1,234 steps" in page
    assert "4 s, 1.5% of the time" in page
    titles = re.findall(r'<figure class="chart"><svg[^>]*><title>(.*?)</title>', page)
    assert titles == ["nats a bar", "learning rate", "bars a second", "hit F1", GAIN, "fill rate"]
    (curve,) = re.findall(r"<title>nats a bar</title>.*?</svg>", page)
    curves = {role: line for line, role in re.findall(r'd="([^"]*)" style="fill: none; stroke: var\(--(\w+)\)', curve)}
    assert {role: curves[role].count("L") + 1 for role in ("model", "guitar", "base")} == {
        "model": 3,
        "guitar": 3,
        "base": 39,
    }


def test_what_people_named_cannot_become_markup() -> None:
    page = as_html(finished())
    for name in ("<run>", "<a> chip", "<jazz>", "<x>", "ab<cd", "<1>", "<3>"):
        assert name not in page
    assert "my &lt;run&gt;" in page and "&lt;jazz&gt;" in page


def test_the_page_says_what_to_do_next_and_a_stopped_run_how_to_go_on() -> None:
    page = as_html(finished())
    assert "--mode infer SONG.mid --model &#39;runs/my &lt;run&gt;&#39;" in page
    assert "--mode eval --data DIR --split validation" in page
    assert "tensorboard --logdir" in page and "--resume" not in page
    assert "--split test" in as_html(finished(sides={"training": (5, 400)}))
    stopped = as_html(finished(stopped=True))
    assert "--resume" in stopped and "stopped before its end" in stopped


def test_a_run_that_ended_before_anything_was_seen_has_a_page() -> None:
    nothing = finished(history=History(), previews=(), drawn=(), songs=0, sides={"training": (1, 14)}, about={})
    page = as_html(nothing)
    parsed(page)
    assert "nothing is known of unseen songs" in page and "before there was anything to draw" in page
    assert "no song with guitar and drums" in page
    short = History((Point(10, 1.0, {NATS: 60.0, "rate": 1e-4}),), validations=(Point(10, 1.0),))
    page = as_html(nothing._replace(history=short, songs=3))
    parsed(page)
    assert "there was no time to play" in page


def test_a_panel_of_one_moment_is_a_table_without_curves_and_short_runs_get_a_note() -> None:
    whole = finished()
    one = whole.previews[0]._replace(played=9)
    history = History(validations=whole.history.validations[:1])
    page = as_html(whole._replace(history=history, previews=(one,), unseen=False))
    parsed(page)
    assert cells(page, "hit F1")[1] == "0.100"
    assert "only 9 bars" in page and "songs that it was trained on, for want of others" in page
    assert "1 song never trained on: up to" in as_html(whole._replace(songs=1))
    assert re.findall(r'<figure class="chart"><svg[^>]*><title>(.*?)</title>', page) == ["nats a bar"]
