"""The tasks of the generators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seq2drum import cli
from seq2drum.data.drums.beats import Beats
from seq2drum.data.drums.loops import Loops
from seq2drum.errors import CorpusError
from seq2drum.formats.midi import midi
from seq2drum.lattice.patterns import FRAMES, SLICE, SLICES, ids_of
from seq2drum.learn.generators import adversarial as nets
from seq2drum.learn.generators import bar, generating, phrase
from seq2drum.learn.generators.adversarial import CRITIC, MEAN, misnamed, weights_of
from seq2drum.learn.generators.generating import wishes_of
from seq2drum.learn.generators.looping import DISTANCE, picture
from seq2drum.learn.generators.loops import Recipe as LoopRecipe
from seq2drum.learn.generators.loops import SliceGan
from seq2drum.learn.generators.step import BARS, NATS, Windows, heard_of
from seq2drum.learn.generators.wavegan import Config as WaveConfig
from seq2drum.learn.generators.wavegan import Critic, Generator, WaveGan, shuffled
from seq2drum.learn.generators.wavegan import Recipe as WaveRecipe
from seq2drum.learn.generators.words import (
    BAR,
    IN_PLACE,
    START,
    WORDS,
    Words,
    WordsTask,
    bars_in_place,
    performances,
    side_by_side,
    stream_of,
    usual_velocities,
)
from seq2drum.learn.generators.words import (
    NATS as WORD_NATS,
)
from seq2drum.learn.generators.words import (
    Config as WordsConfig,
)
from seq2drum.learn.generators.words import (
    Recipe as WordsRecipe,
)
from seq2drum.learn.generators.words import (
    export as export_words,
)
from seq2drum.learn.run import loop
from seq2drum.learn.run.runs import STATE
from seq2drum.learn.run.task import Progress
from seq2drum.music.notes import Metre, Note, Part, Song
from seq2drum.play.checkpoint import folder
from seq2drum.play.checkpoint.runtime import session
from seq2drum.play.generators import composer
from seq2drum.play.generators.composer import WISHES, Brief, Composer
from seq2drum.play.generators.loops import LoopMaker
from tests.commands import called

# --- step -------------------------------------------------------------------------------------------------------------

SONG = Path(__file__).parents[2] / "examples" / "funk.mid"
KICK, SNARE, HAT = 0, 1, 8


def some_beats(performances: int = 6, bars: int = 10, places: int = 24) -> Beats:
    """Performances of rock and jazz on all sides; the last one of each side is a fill of one bar."""
    rng = np.random.default_rng(0)
    rows = []
    for performance in range(performances):
        is_fill = performance >= performances - 3
        for number in range(1 if is_fill else bars):
            bar = np.zeros((places, 9), dtype=np.float32)
            bar[:: places // 2, KICK], bar[places // 4 :: places // 2, SNARE] = 0.9, 0.8
            bar[:: places // 8, HAT] = 0.5 * (rng.random(8) < 0.9)
            rows.append((bar, performance, number, 10 if performance % 2 else 5, 100.0, is_fill, performance % 3))
    columns: list[Any] = [np.array([row[at] for row in rows]) for at in range(7)]
    names = tuple(f"{number}.mid" for number in range(performances))
    return Beats._make([*columns[:5], columns[5].astype(bool), columns[6], names])


def test_windows_have_their_wishes_and_some_a_fill_that_is_told() -> None:
    windows = Windows(some_beats(), "train", 1)
    assert windows.rows.shape[1] == BARS
    batch = windows.batch(np.zeros(8, dtype=np.int64), np.random.default_rng(0), 0.0, 1.0)
    assert batch.wishes.shape == (8, 24 * BARS, WISHES) and batch.velocity.shape == (8, 24 * BARS, 9)
    told = batch.wishes[:, ::24, -1]
    assert (told.sum(axis=1) == 1).all()
    hidden = windows.batch(np.zeros(8, dtype=np.int64), np.random.default_rng(0), 1.0, 0.0)
    assert not hidden.wishes[..., :12].any() and hidden.wishes[..., -2].any()


def test_a_step_hears_nothing_of_what_comes_after_it() -> None:
    rng = np.random.default_rng(1)
    velocity = (rng.random((1, 3, 24, 9)) < 0.2).astype(np.float32)
    other = velocity.copy()
    other[0, 1, 12:] = 1 - other[0, 1, 12:]
    none = np.zeros((1, 3), dtype=bool)
    first, second = heard_of(velocity, none), heard_of(other, none)
    assert (first[0, : 24 + 13] == second[0, : 24 + 13]).all()
    assert (first[0, 24 + 13 :] != second[0, 24 + 13 :]).any()


@pytest.mark.slow
def test_own_drums_are_learnt_from_shown_and_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["--mode", "train", "--model", "step", "--out", str(tmp_path / "run"), "--threads", "1", "--minutes"]
    assert called([*run, "0.02"], capsys)[0] == 0
    code, _, err = called([*run, "0.04", "--resume"], capsys)
    assert code == 0 and "make beats with it" in err
    accumulator = EventAccumulator(str(tmp_path / "run"), size_guidance={"images": 0})
    accumulator.Reload()
    assert "beats/funk" in accumulator.Tags()["images"]
    about = json.loads((tmp_path / "run" / "best" / "config.json").read_text())
    assert "whoever trained it knows" in (tmp_path / "run" / "best" / "card.md").read_text()
    assert about["kind"] == "step" and about["command"]
    code, _, err = called(["--mode", "infer", str(SONG), "--model", str(tmp_path / "run"), "-o", "-"], capsys)
    assert code == 2 and "of the kind 'step', wanted 'accompanist'" in err


def test_options_of_drummers_mean_nothing_to_generators(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--mode", "train", "--model", "step", "--out", str(tmp_path / "run"), "--kit", "nine"]
    code, _, err = called(words, capsys)
    assert code == 2 and "--model step does not take --kit" in err
    for model in ("loop", "wavegan"):
        words = ["--mode", "train", "--model", model, "--out", str(tmp_path / "run"), "--combine", "3"]
        code, _, err = called(words, capsys)
        assert code == 2 and f"--combine makes loops of hits, and --model {model} learns from sound" in err


def test_whoever_asks_for_drummers_is_not_shown_generators() -> None:
    assert "step" in composer.available() and "step" not in folder.available()


@pytest.mark.slow
def test_a_trained_one_is_resumed_and_played(tmp_path: Path) -> None:
    beats = some_beats()
    for steps, resume in ((3, False), (6, True)):
        work = generating.task_of("step", beats, {"steps": steps}, lambda line: None)
        trained = loop.train(work, tmp_path / "run", resume=resume, about={"generator": "step"})
    assert trained.progress.step == 6 and NATS in trained.progress.validation
    beat = Composer.load(str(tmp_path / "run")).compose(Brief(bars=2))
    assert beat.pattern.velocity.shape == (2, 24, 9)
    assert "knows" in (tmp_path / "run" / "best" / "card.md").read_text()


def test_the_command_says_what_it_cannot_learn_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(tmp_path), "-o", str(tmp_path / "run")]
    assert generating.main("step", words) == 2
    assert "wanted files ending in" in capsys.readouterr().err
    fills = some_beats()
    with pytest.raises(CorpusError, match="not fills"):
        generating.task_of("step", fills.select(fills.fill), {}, lambda line: None)


# --- the task of the words generator: its streams, where BAR falls, and a run that is resumed -------------------------


def various() -> Beats:
    """Performances of which every two have other kicks and hats."""
    beats = some_beats(12)
    beats.velocity[:, 1:12:2, 0] = np.random.default_rng(1).random((len(beats.number), 6)) < 0.5
    return beats


def task(steps: int = 2) -> WordsTask:
    return WordsTask(various(), WordsRecipe(steps=steps, batch=4), lambda line: None)


def test_a_stream_has_the_words_of_a_performance_with_what_is_heard_of_each() -> None:
    beats = performances(some_beats())[0]
    stream, ids = stream_of(beats), ids_of(beats.velocity)
    assert stream.aim.reshape(-1, WORDS)[:, :-1].tolist() == ids.tolist()
    assert (stream.aim[WORDS - 1 :: WORDS] == BAR).all()
    assert stream.word[0] == START and stream.word[1:].tolist() == stream.aim[:-1].tolist()
    assert stream.counted[: WORDS + 1].tolist() == [*range(WORDS), 0]
    assert not stream.back[:WORDS].any()
    assert stream.back[WORDS : 2 * WORDS].tolist() == [*ids[0].tolist(), 0]
    assert stream.wish.shape == (len(stream.aim), WISHES)


def test_streams_stand_side_by_side_without_a_gap() -> None:
    streams = [stream_of(one) for one in performances(some_beats())]
    words = side_by_side(streams, 3)
    assert words.word.shape[0] == 3 and words.wish.shape[:2] == words.word.shape
    every = np.concatenate([one.aim for one in streams])
    assert words.aim.ravel().tolist() == every[: words.aim.size].tolist()


def test_an_epoch_has_all_performances_and_new_ones_and_is_the_same_again() -> None:
    work = task()
    own = sum(len(one.aim) for one in work.own)
    items = work.epoch(1, 1)
    first = work.words.aim
    assert first.size > own  # some were combined
    work.epoch(2, 1)
    assert not np.array_equal(first, work.words.aim)
    assert work.epoch(1, 1) == items and np.array_equal(first, work.words.aim)
    assert [work.prepare(item, 1, item, rank=0, processes=1).first for item in items] == [True] + [False] * (
        len(items) - 1
    )


def test_usual_velocities_are_means_and_of_the_voice_where_a_place_has_few() -> None:
    beats = some_beats()
    table = np.array(usual_velocities(beats))
    assert table.shape == (24, 9)
    assert_allclose(table[:, 0], 0.9, atol=1e-3)  # the kick is struck alike everywhere
    assert ((table > 0) & (table <= 1)).all()


@pytest.mark.slow
def test_bars_of_a_net_that_knows_nothing_fall_anywhere() -> None:
    net = Words(WordsConfig(WISHES)).eval()
    assert bars_in_place(net, some_beats(), 0) < 0.5
    with torch.no_grad():  # one that counts
        net.next.weight.zero_()
        net.next.bias.fill_(-20.0)
        net.next.bias[BAR] = 0
    assert bars_in_place(net, some_beats(), 0) == 0  # BAR after BAR ends no bar


@pytest.mark.slow
def test_the_graph_draws_as_the_net_does(tmp_path: Path) -> None:
    net = Words(WordsConfig(WISHES)).eval()
    export_words(net, tmp_path)
    beats = performances(some_beats())[0]
    stream = stream_of(beats)
    word, back, count, wish = (torch.from_numpy(column)[None] for column in stream[:4])
    with torch.no_grad():
        wanted = net(word, back, count, wish)[0][0].numpy()
    graph = session(tmp_path / "step.onnx", 1)
    state = np.zeros((1, 4 * net.config.hidden), dtype=np.float32)
    for at in range(40):
        names = ("word", "back", "count", "wish")
        columns: tuple[Any, ...] = stream[:4]
        given = {name: column[at : at + 1] for name, column in zip(names, columns, strict=True)}
        logits, state = graph.run({**given, "state": state})
        assert_allclose(logits[0], wanted[at], atol=1e-4)


@pytest.mark.slow
def test_a_resumed_run_is_the_unbroken_one_and_is_played(tmp_path: Path) -> None:
    loop.train(task(4), tmp_path / "whole")

    def stop(share: float, progress: Progress) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    assert loop.train(task(4), tmp_path / "broken", show=stop).stopped
    trained = loop.train(task(4), tmp_path / "broken", resume=True, about={"generator": "words"})
    assert {WORD_NATS, IN_PLACE} <= trained.progress.validation.keys()
    whole, broken = (load_file(tmp_path / name / "last" / STATE) for name in ("whole", "broken"))
    assert whole.keys() == broken.keys()
    for name, weight in whole.items():
        assert torch.equal(weight, broken[name]), name
    beat = Composer.load(str(tmp_path / "broken")).compose(Brief(bars=2))
    assert beat.pattern.velocity.shape == (2, 24, 9)


def test_without_bars_to_learn_from_it_says_so() -> None:
    beats = some_beats()
    with pytest.raises(CorpusError, match="wanted bars in 4/4 of several pieces"):
        generating.task_of("words", beats.select(beats.side == 1), {}, lambda line: None)


def test_combining_is_for_generators_and_of_a_number_of_loops(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["--combine", "5"], "--combine is for generators"),
        (["--combine", "-1", "--model", "words"], "wanted a number of loops"),
    ):
        assert cli.main(["--mode", "train", *words]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_folder_of_named_loops_is_combined_and_learnt_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loops").mkdir()
    for number in range(8):
        for name, ticks in (
            ("Kick", (0, 240 * number)),
            ("Snare", (480, 1440 + 60 * number)),
            ("Hat", range(0, 1920, 240)),
        ):
            part = Part.of([Note(tick + bar * 1920, 60, 60, 90) for bar in range(4) for tick in ticks])
            song = Song(480, (part,), metres=(Metre(0, 4, 4),), length=4 * 1920)
            (tmp_path / "loops" / f"{number}_{name}.mid").write_bytes(midi.serialise(song))
    run = str(tmp_path / "run")
    command = ["--mode", "train", "--model", "words", "--data", str(tmp_path / "loops"), "--out", run, "--threads", "1"]
    assert cli.main([*command, "--combine", "20", "--epochs", "1", "--batch", "4"]) == 0
    assert "20 loops were made of the lines of others" in capsys.readouterr().err
    assert Composer.load(run).compose(Brief(bars=1)).pattern.bars == 1


# --- generators that learn against a critic ---------------------------------------------------------------------------

PLACES = {"bar": 24, "phrase": 32}


def beats_of_three(places: int, performances: int = 9, bars: int = 9) -> Beats:
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
    columns = [np.array([row[at] for row in rows]) for at in range(7)]
    names = tuple(f"{one}.mid" for one in range(performances))
    return Beats._make([*columns, names])


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
    beats = beats_of_three(24)
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
    work: Any = generating.task_of("phrase", beats_of_three(32), {"fills": 1.0}, lambda line: None)
    batch = work.real("train", work.items("train"), np.random.default_rng(0))
    has_toms = (batch.velocity[..., 3] > 0).any(axis=2)
    assert (has_toms == (batch.wishes[..., -1] > 0)).all() and (has_toms.sum(axis=1) == 1).any()
    assert not work.real("validation", work.items("validation"), np.random.default_rng(0)).wishes[..., -1].any()


@pytest.mark.parametrize("model", PLACES)
def test_without_bars_to_learn_from_nothing_is_learnt(model: str) -> None:
    beats = beats_of_three(PLACES[model])
    with pytest.raises(CorpusError, match="train side"):
        generating.task_of(model, beats.select(beats.side > 0), {}, lambda line: None)


def test_wishes_say_what_each_bar_is() -> None:
    beats = beats_of_three(24)
    wishes = wishes_of(beats.genre, beats.bpm, beats.fill)
    assert wishes.shape == (len(beats.fill), WISHES) and (wishes[:, -1] == beats.fill).all()
    assert (wishes[:, :12].argmax(axis=1) == beats.genre).all()


@pytest.mark.slow
@pytest.mark.parametrize("model", PLACES)
def test_a_run_that_was_stopped_ends_as_the_one_that_was_not_and_plays(model: str, tmp_path: Path) -> None:
    beats = beats_of_three(PLACES[model])
    ended = []
    for run, lengths in (("once", (4,)), ("twice", (2, 4))):
        for steps in lengths:
            work = generating.task_of(model, beats, {"steps": steps, "batch": 8}, lambda line: None)
            trained = loop.train(work, tmp_path / run, resume=steps == 4 and len(lengths) == 2)
        ended.append({name: work.models[name].state_dict() for name in (MEAN, CRITIC)})
    assert trained.progress.step == 4 and trained.progress.validation["hits_a_bar"] > 0
    for name, weights in ended[0].items():
        assert all(torch.equal(value, ended[1][name][key]) for key, value in weights.items())
    beat = Composer.load(str(tmp_path / "once")).compose(Brief(bars=2, grid=PLACES[model]))
    assert beat.pattern.velocity.shape == (2, PLACES[model], 9) and beat.model == model


@pytest.mark.slow
def test_what_is_kept_strikes_each_place_as_often_as_drummers(tmp_path: Path) -> None:
    beats = beats_of_three(24)
    work: Any = generating.task_of("bar", beats, {}, lambda line: None)
    real = work.real("train", np.resize(work.items("train"), 1000), np.random.default_rng(0))
    torch.manual_seed(0)
    with torch.no_grad():
        drawn = [work.draw(net, torch.from_numpy(real.wishes)) for net in (work.mean.eval(), work.calibrated())]
    wrong = [np.abs((one[..., :9] > 0).float().mean(dim=0).numpy() - (real.velocity > 0).mean(axis=0)) for one in drawn]
    assert wrong[1].mean() < 0.25 * wrong[0].mean()


# --- loops ------------------------------------------------------------------------------------------------------------


def some_loops(count: int = 40) -> Loops:
    """Decaying tones on some sixteenths; every fourth loop is on the validation side."""
    rng = np.random.default_rng(0)
    tones = np.sin(np.arange(SLICE) * 0.2) * np.exp(-np.arange(SLICE) / 400) * 0.5
    sound = (tones * (rng.random((count, SLICES, 1)) < 0.5)).reshape(count, FRAMES)
    sound += 0.01 * rng.standard_normal(sound.shape)
    side, row = (np.arange(count) % 4 == 0).astype(np.int64), np.arange(count)
    return Loops(
        sound.astype(np.float16),
        row % 2,
        row % 3 - 1,
        np.arange(90.0, 90.0 + count),
        row % 5 == 0,
        side,
        ("one", "two"),
    )


def test_a_loop_is_told_its_genre_or_none_its_tempo_and_whether_it_is_a_fill() -> None:
    loops = some_loops(6)
    told = wishes_of(loops.genre, loops.bpm, loops.fill)
    assert not told[0, :12].any() and told[1, 0] == 1 and told[2, 1] == 1
    assert told[:, -1].tolist() == [1, 0, 0, 0, 0, 1]
    assert (np.diff(told[:, -2]) > 0).all()


def test_too_few_loops_are_refused() -> None:
    with pytest.raises(CorpusError, match="wanted 8"):
        SliceGan(some_loops(8), LoopRecipe(components=4, channels=8), print)


def test_a_picture_has_a_stripe_for_each_loop() -> None:
    shown = picture(some_loops(4).sound.astype(np.float32))
    assert shown.shape == (4 * 50, 128) and shown.max() == 255


@pytest.mark.slow
def test_a_trained_maker_is_resumed_is_played_and_is_the_one_that_was_not_interrupted(tmp_path: Path) -> None:
    def run(folder: str, steps: int, *, resume: bool = False) -> bytes:
        recipe = LoopRecipe(steps=steps, batch=16, components=8, channels=8, every=2, noise=(0.1, 0.1))
        work = SliceGan(some_loops(), recipe, lambda line: said.append(line))
        trained = loop.train(work, tmp_path / folder, resume=resume)
        assert trained.progress.validation[DISTANCE] > 0
        return (tmp_path / folder / "last" / "loop.onnx").read_bytes()

    said: list[str] = []
    run("halved", 3)
    assert run("halved", 6, resume=True) == run("whole", 6)
    assert any("frechet" in line for line in said)
    maker = LoopMaker.load(tmp_path / "whole" / "best")
    made = maker.make(Brief(bars=8, genre="funk:2,jazz:1", fill=4), 1, form="ABAB", kit="two")
    assert np.isfinite(made.sound).all() and np.abs(made.sound).max() > 0.5


# --- wavegan ----------------------------------------------------------------------------------------------------------


def test_phases_are_moved_in_time_and_each_loop_by_its_own_number_of_samples() -> None:
    torch.manual_seed(0)
    seen = torch.arange(100.0).repeat(64, 3, 1)
    moved = shuffled(seen, 2)
    shifts = (moved - seen)[:, :, 50]
    assert (shifts == shifts[:, :1]).all() and set(shifts[:, 0].tolist()) == {-2.0, -1.0, 0.0, 1.0, 2.0}
    assert (moved[:, :, 2:-2] - seen[:, :, 2:-2] == shifts[..., None]).all()
    assert moved.min() >= 0 and moved.max() <= 99


def test_it_has_the_sizes_of_the_paper_for_a_bar() -> None:
    config = WaveConfig(kits=4, wish=14)
    with torch.device("meta"):
        generator, critic = Generator(config), Critic(config)
    assert [(layer.in_channels, layer.out_channels) for layer in generator.layers] == [
        (1024, 512),
        (512, 256),
        (256, 128),
        (128, 64),
        (64, 1),
    ]
    assert all(layer.kernel_size == (25,) and layer.stride == (4,) for layer in (*generator.layers, *critic.layers))
    assert sum(value.numel() for value in generator.parameters()) > 18e6


def test_a_score_depends_on_no_other_loop_of_the_batch() -> None:
    torch.manual_seed(0)
    critic = Critic(WaveConfig(kits=2, wish=14, channels=1, shuffle=0))
    sound, kit, wish = torch.randn(3, SLICES, SLICE), torch.eye(3, 2), torch.zeros(3, 14)
    alone = torch.cat([critic(sound[at : at + 1], kit[at : at + 1], wish[at : at + 1]) for at in range(3)])
    torch.testing.assert_close(critic(sound, kit, wish), alone)


@pytest.mark.slow
def test_a_few_steps_change_both_nets_and_leave_a_maker_that_plays(tmp_path: Path) -> None:
    work = WaveGan(some_loops(), WaveRecipe(steps=4, batch=8, channels=1, every=2, device="cpu"), lambda line: None)
    before = {name: [value.clone() for value in net.parameters()] for name, net in work.models.items()}
    trained = loop.train(work, tmp_path / "run")
    assert trained.progress.validation[DISTANCE] > 0 and np.isfinite(trained.progress.training["penalty"])
    for name, net in work.models.items():
        assert any((old != new).any() for old, new in zip(before[name], net.parameters(), strict=True)), name
    sound = LoopMaker.load(tmp_path / "run" / "best").make(Brief(bars=2), 1).sound
    assert np.isfinite(sound).all() and sound.any()
