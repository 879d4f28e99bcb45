"""The task of the words generator: its streams, where BAR falls, and a run that is resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors.torch import load_file

from seq2drum import cli
from seq2drum.data.drums.beats import Beats
from seq2drum.errors import CorpusError
from seq2drum.formats.midi import midi
from seq2drum.lattice.patterns import ids_of
from seq2drum.learn.generators import generating
from seq2drum.learn.generators.words import (
    BAR,
    IN_PLACE,
    NATS,
    START,
    WORDS,
    Config,
    Recipe,
    Words,
    WordsTask,
    bars_in_place,
    export,
    performances,
    side_by_side,
    stream_of,
    usual_velocities,
)
from seq2drum.learn.run import loop
from seq2drum.learn.run.runs import STATE
from seq2drum.learn.run.task import Progress
from seq2drum.music.notes import Metre, Note, Part, Song
from seq2drum.play.checkpoint.runtime import session
from seq2drum.play.generators.composer import WISHES, Brief, Composer
from tests.learn.test_step import some_beats


def various() -> Beats:
    """Performances of which every two have other kicks and hats."""
    beats = some_beats(12)
    beats.velocity[:, 1:12:2, 0] = np.random.default_rng(1).random((len(beats.number), 6)) < 0.5
    return beats


def task(steps: int = 2) -> WordsTask:
    return WordsTask(various(), Recipe(steps=steps, batch=4), lambda line: None)


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
    net = Words(Config(WISHES)).eval()
    assert bars_in_place(net, some_beats(), 0) < 0.5
    with torch.no_grad():  # one that counts
        net.next.weight.zero_()
        net.next.bias.fill_(-20.0)
        net.next.bias[BAR] = 0
    assert bars_in_place(net, some_beats(), 0) == 0  # BAR after BAR ends no bar


@pytest.mark.slow
def test_the_graph_draws_as_the_net_does(tmp_path: Path) -> None:
    net = Words(Config(WISHES)).eval()
    export(net, tmp_path)
    beats = performances(some_beats())[0]
    stream = stream_of(beats)
    word, back, count, wish = (torch.from_numpy(column)[None] for column in stream[:4])
    with torch.no_grad():
        wanted = net(word, back, count, wish)[0][0].numpy()
    graph = session(tmp_path / "step.onnx", 1)
    state = np.zeros((1, 4 * net.config.hidden), dtype=np.float32)
    for at in range(40):
        names = ("word", "back", "count", "wish")
        given = {name: column[at : at + 1] for name, column in zip(names, stream[:4], strict=True)}
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
    assert {NATS, IN_PLACE} <= trained.progress.validation.keys()
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
