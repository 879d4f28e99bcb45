"""The task of accompanying, alone and over shards: a resumed run is the unbroken one, whatever the processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seq2drum.data.batches import batches, streaming
from seq2drum.data.batches.draws import draw
from seq2drum.data.batches.streaming import Layout, StreamedSongs
from seq2drum.data.corpus.cache import save, save_index, shards_of, songs_of
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CheckpointError, CorpusError, OptionError, OutputError
from seq2drum.learn import accompaniment
from seq2drum.learn.accompaniment import Accompaniment, Recipe, validation_nats
from seq2drum.learn.run import loop, report, watching
from seq2drum.learn.run import loop as parts
from seq2drum.learn.run.loop import Trained
from seq2drum.learn.run.report import GROOVED, NATS, SWAPPED
from seq2drum.learn.run.runs import HISTORY, REPORT, TASK
from seq2drum.learn.run.task import History, Progress
from seq2drum.learn.run.watching import Preview, PreviewSongs, previews_from_rows
from seq2drum.models.layers import SameDropout
from seq2drum.music.kit import KITS
from seq2drum.play.checkpoint.folder import find, read_config
from seq2drum.play.decode import engine
from seq2drum.play.decode.sampling import Sampling
from seq2drum.play.drummer import play_grid as play
from tests.backbeats import song_of
from tests.learn.shards import SIZES as SHARD_SIZES
from tests.learn.shards import Unplayed
from tests.made import made_song

# --- the training loop: resumed is unbroken, two processes are one with the double batch, Ctrl-C is in order ----------

ROOT = Path(__file__).parents[2]
SMALL = {"hidden": 24, "reader": 8, "bar": 12, "played": 10, "heads": 2}
SIZES = SMALL | {"mixed": 16}
RECIPE = Recipe(model="attention", epochs=3, batch=4, sizes=SIZES, device="cpu", precision="32", rate=1e-2)


@pytest.fixture(scope="module")
def songs() -> list[Prepared]:
    return [made_song(seed) for seed in range(8)]


@pytest.fixture(scope="module")
def sides(songs: list[Prepared]) -> tuple[batches.Data, batches.Data]:
    return batches.flatten(songs[:6]), batches.flatten(songs[6:])


@pytest.fixture
def chosen(songs: list[Prepared], monkeypatch: pytest.MonkeyPatch) -> PreviewSongs:
    """One song to play, and pictures of two bars."""
    monkeypatch.setattr(watching, "PICTURED_BARS", 2)
    some = watching.choose([replace(song, split="validation" if song.path == "6" else "train") for song in songs])
    assert [song.path for song in some.songs] == ["6"]
    return some


def train(*given: Any, chosen: PreviewSongs | None = None, plays: bool = False, **options: Any) -> Trained:
    """A run on (training, validation, recipe, folder).

    plays: its checkpoints have the graphs that play, which take most of the time of a short one.
    """
    training, validation, recipe, folder = given
    warn: dict[str, Any] = {"warn": options["warn"]} if "warn" in options else {}
    kind: Any = Accompaniment if plays else Unplayed
    return loop.train(kind(training, validation, recipe, chosen=chosen, **warn), folder, **options)


def previews(folder: Path) -> tuple[Preview, ...]:
    return previews_from_rows(json.loads((folder / "last" / TASK).read_text())["state"]["previews"])


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


@pytest.mark.slow
def test_a_resumed_run_ends_as_the_unbroken_run(sides, tmp_path: Path) -> None:
    recipe = replace(RECIPE, sizes=SIZES | {"dropout": 0.2})
    whole = train(*sides, recipe, tmp_path / "whole")
    broken = train(*sides, recipe, tmp_path / "broken", show=Stop(whole.progress.step // 2))
    assert broken.stopped
    assert 0 < broken.progress.step < whole.progress.step
    resumed = train(*sides, recipe, tmp_path / "broken", resume=True)
    assert not resumed.stopped
    assert (resumed.progress.step, resumed.progress.seen) == (whole.progress.step, whole.progress.seen)
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert resumed.progress.validation == whole.progress.validation != {}


@pytest.mark.slow
def test_ctrl_c_leaves_a_checkpoint_that_plays(sides, songs: list[Prepared], tmp_path: Path) -> None:
    outcome = train(*sides, RECIPE, tmp_path / "run", show=Stop(2), plays=True)
    assert outcome.stopped
    for name in ("best", "last"):
        player = engine.load(tmp_path / "run" / name)
        assert len(list(play(player, songs[0].guitar_grid, Sampling(seed=1)))) == len(songs[0].guitar_grid.form.steps)
    assert find(tmp_path / "run") == tmp_path / "run" / "best"


@pytest.mark.slow
def test_training_learns_to_listen(sides, tmp_path: Path) -> None:
    """In these songs the kick doubles the guitar's low notes: another song's guitar must cost something."""
    outcome = train(*sides, replace(RECIPE, epochs=60), tmp_path / "run")
    assert outcome.progress.validation[NATS] < 0.5 * 60
    assert outcome.progress.validation[SWAPPED] > outcome.progress.validation[NATS] + 0.5


@pytest.mark.slow
def test_previews_change_nothing_of_a_run_and_survive_resuming(sides, chosen: PreviewSongs, tmp_path: Path) -> None:
    """Played and drawn: the same weights as unwatched. Stopped and taken up again: one past, nothing in it twice."""
    recipe = replace(RECIPE, epochs=2, sizes=SIZES | {"dropout": 0.2})
    bare = train(*sides, recipe, tmp_path / "bare")
    broken = train(*sides, recipe, tmp_path / "watched", show=Stop(bare.progress.step // 2), chosen=chosen)
    assert broken.report == tmp_path / "watched" / REPORT and "--resume" in broken.report.read_text()
    outcome = train(*sides, recipe, tmp_path / "watched", resume=True, chosen=chosen)
    one, other = weights(tmp_path / "bare"), weights(tmp_path / "watched")
    assert all(torch.equal(one[name], other[name]) for name in one)
    unbroken, seen = history(tmp_path / "bare"), history(tmp_path / "watched")
    assert [(point.seen, point.scalars) for point in seen.training] == [
        (point.seen, point.scalars) for point in unbroken.training
    ]
    assert {NATS, "rate"} < set(seen.training[-1].scalars)
    made = previews(tmp_path / "watched")
    moments = [broken.progress.seen, outcome.progress.seen]
    assert [point.seen for point in seen.validations] == [preview.bars for preview in made] == moments
    assert seen.validations[-1].scalars == unbroken.validations[-1].scalars == outcome.progress.validation
    assert all(preview.played and preview.figures and preview.takes for preview in made)
    page = outcome.report.read_text()
    assert "--resume" not in page and page.count("data:image/png") == 3  # the real drums, and two moments
    for player, figures in made[-1].figures.items():
        assert player in page and all(f"{value:.3f}" in page for value in figures.values())
    shown = EventAccumulator(str(tmp_path / "watched")).Reload().Tags()
    name = watching.name_of(chosen.songs[0])
    assert sorted(shown["images"]) == [f"real/{name}", f"take/{name}"]
    assert {
        "panel/hit_F1/sampled",
        "panel/hit_F1/common_bar",
        "validation/nats_per_bar",
    } <= set(shown["scalars"])


@pytest.mark.slow
def test_a_run_goes_on_when_playing_or_its_page_fails(sides, chosen: PreviewSongs, tmp_path: Path, monkeypatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("out of ink")

    monkeypatch.setattr(watching, "play", broken)
    monkeypatch.setattr(report, "as_html", broken)
    warnings: list[str] = []
    outcome = train(*sides, replace(RECIPE, epochs=1), tmp_path, chosen=chosen, warn=warnings.append)
    assert (
        np.isfinite(outcome.progress.validation[NATS]) and outcome.report is None and not (tmp_path / REPORT).exists()
    )
    assert len(warnings) == 2 and all("out of ink" in line for line in warnings)


@pytest.mark.slow
def test_a_second_ctrl_c_leaves_out_the_last_look_and_the_page_is_written(
    sides, chosen: PreviewSongs, tmp_path: Path, monkeypatch
) -> None:
    def pressed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watching, "play", pressed)
    with pytest.raises(KeyboardInterrupt):
        train(*sides, RECIPE, tmp_path, show=Stop(2), chosen=chosen)
    assert "stopped before its end" in (tmp_path / REPORT).read_text()
    monkeypatch.undo()
    assert not train(*sides, RECIPE, tmp_path, resume=True).stopped


@pytest.mark.slow
def test_two_processes_do_what_one_does_with_the_double_batch(songs: list[Prepared], tmp_path: Path) -> None:
    cache = tmp_path / "songs.s2d"
    save(songs, cache)
    command = ["--mode", "train", "--cache", str(cache), "--epochs", "2", "--device", "cpu", "--precision", "32"]
    command += [
        "--threads",
        "1",
        "--model",
        "attention",
        "--size",
        "dropout=0",
        *(f"{name}={size}" for name, size in SIZES.items()),
    ]
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
    assert previews(tmp_path / "two")[-1].played  # by one of them, while the other waits
    assert (tmp_path / "two" / REPORT).exists()
    assert progress[0]["seen"] == progress[1]["seen"]
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    moved = max(float(value.abs().max()) for value in one.values())
    assert moved > 0.1
    for name in one:
        # Adam divides by the size of the gradient, so rounding in small ones shows at a ten-thousandth of the movement.
        assert torch.allclose(one[name], two[name], atol=5e-4), name


@pytest.mark.slow
def test_micro_batches_are_as_many_as_asked_and_their_gradients_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = batches.flatten([song_of(seed, bars=16) for seed in range(3)])
    made, learnt = [], []
    monkeypatch.setattr(accompaniment, "PARTS", 1)
    for most in (10**6, 200):  # all bars have 24 steps: of shorter pairs other bars would be cut short
        monkeypatch.setattr(accompaniment, "MICRO_BATCH", most)
        task = Unplayed(songs, None, replace(RECIPE, steps=1, drawn=0.0, rate=10.0))
        # Plain gradients, and no units left out: these are drawn for each part anew.
        task.optimizers = {name: torch.optim.SGD(model.parameters()) for name, model in task.models.items()}
        for module in task.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            elif isinstance(module, SameDropout):
                module.share = 0.0
        before = {name: weight.detach().clone() for name, weight in task.model.named_parameters()}
        made.append(len(task.prepare(task.epoch(0, 1)[0], 0, 0, rank=0, processes=1)))
        loop.train(task, tmp_path / str(most))
        learnt.append({name: weight.detach() - before[name] for name, weight in task.model.named_parameters()})
    assert made[0] == 1 and made[1] > 2
    whole, parts = learnt
    assert max(float(moved.abs().max()) for moved in whole.values()) > 0.01
    assert all(torch.allclose(whole[name], parts[name], rtol=1e-4, atol=1e-7) for name in whole)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_parts_in_threads_of_their_own_teach_what_they_teach_one_after_another(
    precision: str, sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default family, with units left out and bars drawn: the same weights, bit for bit."""
    sizes = {"hidden": 20, "across": 2, "units": 16, "kept": 16, "token": 8, "dropout": 0.2}
    recipe = replace(RECIPE, model="transformer", batch=3, steps=3, drawn=0.5, sizes=SMALL | sizes, precision=precision)
    in_threads, untouched = parts.side_by_side, []

    def watched(*given: Any) -> None:
        before = torch.get_rng_state()
        in_threads(*given)
        untouched.append(torch.equal(before, torch.get_rng_state()))

    monkeypatch.setattr(parts, "side_by_side", watched)
    threads, learnt = torch.get_num_threads(), list[Any]()
    try:
        for count in (1, 2, 2):
            torch.set_num_threads(count)
            train(sides[0], None, recipe, tmp_path / str(len(learnt)))
            learnt.append(weights(tmp_path / str(len(learnt))))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert untouched == [True] * 6  # the steps of the two runs with two threads
    assert all(torch.equal(learnt[0][name], other[name]) for other in learnt[1:] for name in other)


def test_parts_draw_the_same_numbers_in_threads_as_one_after_another() -> None:
    weight, drop = torch.ones(1000, requires_grad=True), SameDropout(0.5).train()

    def loss(factor: int) -> torch.Tensor:
        return factor * drop(weight[None]).sum()

    def gradient(threads: int) -> torch.Tensor:
        torch.manual_seed(7)
        weight.grad = None
        losses = [partial(loss, 1), partial(loss, 10), partial(loss, 100)]
        if threads:
            parts.side_by_side(losses, [weight], threads)
        else:
            parts.one_by_one(losses, lambda loss, left: loss().backward())
        assert weight.grad is not None
        return weight.grad

    threads = torch.get_num_threads()
    try:
        alone = gradient(0)
        assert len(set(alone.tolist())) == 8  # each part leaves out others
        assert all(torch.equal(gradient(count), alone) for count in (1, 2, 3, 2))
    finally:
        torch.set_num_threads(threads)


def test_a_part_that_fails_in_its_thread_fails_the_step() -> None:
    weight = torch.zeros(1, requires_grad=True)

    def failing() -> torch.Tensor:
        raise ValueError("no such part")

    threads = torch.get_num_threads()
    with pytest.raises(ValueError, match="no such part"):
        parts.side_by_side([lambda: weight.sum(), failing], [weight], 2)
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_a_run_is_not_overwritten_unasked(sides, tmp_path: Path) -> None:
    train(*sides, replace(RECIPE, epochs=1), tmp_path)
    with pytest.raises(OptionError, match="--resume"):
        train(*sides, replace(RECIPE, epochs=1), tmp_path)


@pytest.mark.slow
def test_a_run_that_was_killed_while_it_saved_can_be_resumed(sides, tmp_path: Path) -> None:
    first = train(*sides, replace(RECIPE, epochs=1), tmp_path)
    (tmp_path / "last").rename(tmp_path / "last.old")
    with pytest.raises(OptionError, match="--resume"):
        train(*sides, replace(RECIPE, epochs=1), tmp_path)
    again = train(*sides, replace(RECIPE, epochs=2), tmp_path, resume=True)
    assert again.progress.step > first.progress.step


@pytest.mark.slow
def test_a_run_cannot_be_resumed_as_another(sides, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        train(*sides, RECIPE, tmp_path / "nothing", resume=True)
    train(*sides, replace(RECIPE, epochs=1), tmp_path / "run")
    with pytest.raises(CheckpointError, match="rate"):
        train(*sides, replace(RECIPE, rate=1e-4), tmp_path / "run", resume=True)


def test_a_corpus_without_pairs_is_refused(sides, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="learn from"):
        train(sides[0], None, replace(RECIPE, max_notes=1), tmp_path)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 3}, "no such size as 'width'; it has .*hidden"),
        ({"voices": 3}, "no such size as 'voices'"),
        ({"hidden": 0.0}, "the size hidden is 0.0, wanted a whole number"),
        ({"hidden": 7.5}, "the size hidden is 7.5, wanted a whole number"),
        ({"dropout": 1}, "the size dropout is 1, wanted a share"),
    ],
)
def test_invalid_model_sizes_are_refused(sides, tmp_path: Path, sizes: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        train(*sides, replace(RECIPE, sizes=sizes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_refused_run_leaves_nothing_behind(sides, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no run to resume"):
        train(*sides, RECIPE, tmp_path / "nothing", resume=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        train(*sides, RECIPE, tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be kept"):
        train(*sides, RECIPE, tmp_path / "file" / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.slow
def test_two_trainings_do_not_share_a_folder(sides, tmp_path: Path) -> None:
    refused = []

    def second(share: float, progress: Progress) -> None:
        if progress.step == 1:
            with pytest.raises(OptionError, match="another training is going on"):
                train(*sides, RECIPE, tmp_path)
            refused.append(progress.step)

    train(*sides, replace(RECIPE, epochs=1), tmp_path, show=second)
    assert refused == [1]
    train(*sides, replace(RECIPE, epochs=2), tmp_path, resume=True)  # the first has ended, and let go


def test_a_run_that_diverges_ends_with_an_error(sides, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--rate"):
        train(*sides, replace(RECIPE, rate=1e30), tmp_path)


@pytest.mark.slow
def test_a_real_ctrl_c_waits_for_the_end_of_the_step(sides, tmp_path: Path) -> None:
    said = []

    def press(share: float, progress: Progress) -> None:
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)  # nothing is torn out of here
            said.append("shown")

    outcome = train(*sides, RECIPE, tmp_path / "broken", show=press, stopping=lambda: said.append("stopping"))
    assert outcome.stopped
    assert outcome.progress.step == 2
    assert said == ["shown", "stopping"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    whole = train(*sides, RECIPE, tmp_path / "whole")
    assert train(*sides, RECIPE, tmp_path / "broken", resume=True).progress.step == whole.progress.step
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "broken")
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_all_files_of_a_checkpoint_may_be_read_by_the_same_people(sides, tmp_path: Path) -> None:
    train(*sides, replace(RECIPE, epochs=1), tmp_path, plays=True)
    assert len({path.stat().st_mode for path in (tmp_path / "best").iterdir()}) == 1


def test_sizes_that_no_memory_holds_are_refused_in_a_sentence(sides, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="a model of these sizes wants more memory than there is; try smaller ones"):
        train(*sides, replace(RECIPE, sizes={**RECIPE.sizes, "hidden": 10**9}), tmp_path)


@pytest.mark.slow
def test_with_one_unseen_song_there_is_no_figure_for_another_songs_guitar(songs, tmp_path: Path) -> None:
    outcome = train(batches.flatten(songs[:6]), batches.flatten(songs[6:7]), replace(RECIPE, epochs=1), tmp_path)
    assert np.isfinite(outcome.progress.validation[NATS])
    assert SWAPPED not in outcome.progress.validation
    assert list(read_config(tmp_path / "last")["progress"]["validation"]) == [NATS, GROOVED]
    assert "another song's guitar" not in (tmp_path / "last" / "card.md").read_text()
    resumed = train(
        batches.flatten(songs[:6]), batches.flatten(songs[6:7]), replace(RECIPE, epochs=2), tmp_path, resume=True
    )
    assert SWAPPED not in resumed.progress.validation


@pytest.mark.slow
def test_validation_with_the_own_guitar_is_what_the_losses_say(sides, tmp_path: Path) -> None:
    from seq2drum.models import checkpoint
    from seq2drum.models.base import tensors

    train(*sides, replace(RECIPE, epochs=1), tmp_path)
    model, _ = checkpoint.load(tmp_path / "best")
    windows = batches.windows(sides[1])
    right, wrong, _ = validation_nats(model, sides[1], windows, size=3)
    model.eval()
    batch = batches.collate(sides[1], windows, draw(np.random.default_rng(0), len(windows)))
    with torch.no_grad():
        losses = model.losses(tensors(batch))
    assert right == pytest.approx(float(losses["nats"] / losses["bars"]), rel=1e-4)
    assert wrong != right


@pytest.mark.parametrize("kit", ["full", pytest.param("nine", marks=pytest.mark.slow)])
def test_a_model_of_either_kit_trains(kit: str, songs: list[Prepared], tmp_path: Path) -> None:
    data = batches.flatten(songs, KITS[kit])
    outcome = train(data, None, replace(RECIPE, kit=kit, epochs=1), tmp_path, plays=True)
    assert engine.load(outcome.folder).kit is KITS[kit]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_gpu_trains_in_bfloat16(sides, tmp_path: Path) -> None:
    outcome = train(*sides, replace(RECIPE, device="cuda", precision="auto"), tmp_path)
    assert outcome.progress.step > 0


# --- training over shards: taken up again amid a chunk, by several processes, and after one of them was killed --------
STREAMED = Recipe(
    model="attention", epochs=2, batch=4, sizes=SHARD_SIZES | {"dropout": 0.2}, device="cpu", precision="32"
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of eight training songs and two unseen ones."""
    folder = tmp_path_factory.mktemp("shards")
    songs = [song_of(seed, bars=48, split="validation" if seed > 7 else "train") for seed in range(10)]
    save_index([save(songs[at::3], folder / f"{at}.s2d") for at in range(3)], folder / "index.json")
    return folder / "index.json"


def trained(index: Path, folder: Path, **options: Any) -> Trained:
    songs = StreamedSongs(shards_of(index), Layout(altered=STREAMED.altered), size=3)
    return loop.train(Unplayed(songs, None, STREAMED), folder, **options)


def weights_of_run(folder: Path) -> dict[str, torch.Tensor]:
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
def test_a_run_that_is_stopped_amid_any_chunk_and_resumed_is_the_unbroken_one(
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
        one, other = weights_of_run(tmp_path / "whole"), weights_of_run(folder)
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
    one, two = map(weights_of_run, folders)
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
    one, other = map(weights_of_run, folders)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_the_command_learns_from_an_index_in_chunks_and_tells_so(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from seq2drum.cli import main

    monkeypatch.setattr(streaming, "MAX_IN_MEMORY", 4)
    sizes = [f"{name}={size}" for name, size in SHARD_SIZES.items()]
    where = ["--cache", str(index), "--out", str(tmp_path / "run"), "--threads", "1"]
    how = ["--epochs", "1", "--batch", "4", "--device", "cpu", "--model", "attention", "--size", *sizes]
    assert main(["--mode", "train", *where, *how]) == 0
    assert "8 songs to learn from: more than 4, so they are streamed in 1 chunks" in capsys.readouterr().err
    card = (tmp_path / "run" / "best" / "card.md").read_text()
    assert "| t | not stated | not stated | 8 | 2 | 0 |" in card


@pytest.mark.slow
def test_an_index_of_few_songs_is_learnt_from_as_one_file_is(index: Path, tmp_path: Path) -> None:
    from seq2drum.cli import main

    one = tmp_path / "one.s2d"
    save([song for shard in shards_of(index) for song in songs_of(shard)], one)
    sizes = [f"{name}={size}" for name, size in SHARD_SIZES.items()]
    how = ["--epochs", "1", "--batch", "4", "--device", "cpu", "--model", "attention", "--size", *sizes]
    for cache in (index, one):
        where = ["--cache", str(cache), "--out", str(tmp_path / cache.name[:3]), "--threads", "1"]
        assert main(["--mode", "train", *where, *how]) == 0
    one_run, other = weights_of_run(tmp_path / "one"), weights_of_run(tmp_path / "ind")
    assert all(torch.equal(one_run[name], other[name]) for name in one_run)
